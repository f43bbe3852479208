//! The server is killed again and again while writers write: what was acknowledged is there, and every start recovers.
//!
//! Invariant: a writer knows of each row whether it was acknowledged; at the end each of these is asked for. `SERVER_KILLS` and `SEED`
//! make the short form the long proof.

use std::time::Duration;

use crate::program::{Dice, Program, Way, folder, number};

const WRITERS: u64 = 4;
/// The longest that a start may take, with what the server before it left behind.
const START_MAX: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    let (kills, mut dice, folder) = (number("SERVER_KILLS", 2), Dice::new(), folder());
    let mut server = Program::start(folder.path());
    let way = Way::to(&server, folder.path());
    let writers = way.writers(WRITERS);
    let mut slowest = Duration::ZERO;
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(200 + dice.below(450))).await;
        server.kill();
        server = tokio::task::block_in_place(|| Program::start(folder.path()));
        assert!(server.took < START_MAX, "{:?}", server.took);
        slowest = slowest.max(server.took);
        way.moved(&server);
    }
    let balance = Box::pin(writers.balance()).await;
    println!(
        "{kills} kills of the server: {} rows acknowledged, {} lost, {} doubled, {} requests unanswered, slowest start {} ms",
        balance.acknowledged,
        balance.lost,
        balance.doubled,
        balance.unanswered,
        slowest.as_millis()
    );
    assert!(balance.acknowledged > 10, "only {} rows were written", balance.acknowledged);
    assert_eq!((balance.lost, balance.doubled), (0, 0));
    server.stop();
}
