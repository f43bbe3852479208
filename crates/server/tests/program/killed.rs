//! The server is killed again and again while writers write, also while it starts: what was acknowledged is there, and every start
//! recovers.
//!
//! Invariant: a writer knows of each row whether it was acknowledged; at the end each of these is asked for. `SERVER_KILLS` and `SEED`
//! make the short form the long proof. Every third kill comes in the midst of a start.

use std::time::Duration;

use crate::process::{Dice, Program, Way, folder, number};

const WRITERS: u64 = 4;
/// The longest that a start may take, with what the server before it left behind.
const START_MAX: Duration = Duration::from_mins(1);
/// Rows that are acknowledged between two kills at least.
const MORE: usize = 6;
/// A kill in the midst of a start comes within this time, which is about what a start takes.
const START_MS: u64 = 700;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    let (kills, mut dice, folder) = (number("SERVER_KILLS", 2), Dice::new(), folder());
    let mut server = Program::start(folder.path());
    let way = Way::to(&server, folder.path());
    let writers = way.writers(WRITERS);
    let mut slowest = Duration::ZERO;
    let (mut killed, mut in_start) = (0, 0);
    while killed < kills {
        way.until_more(MORE).await;
        tokio::time::sleep(Duration::from_millis(200 + dice.below(450))).await;
        server.kill();
        killed += 1;
        if killed % 3 == 1 && killed < kills {
            let after = Duration::from_millis(dice.below(START_MS));
            tokio::task::block_in_place(|| Program::kill_in_start(folder.path(), after));
            killed += 1;
            in_start += 1;
        }
        server = tokio::task::block_in_place(|| Program::start(folder.path()));
        assert!(server.took < START_MAX, "{:?}", server.took);
        slowest = slowest.max(server.took);
        way.moved(&server);
    }
    let balance = Box::pin(writers.balance()).await;
    println!(
        "{killed} kills of the server, {in_start} in its start: {} rows acknowledged, {} lost, {} doubled, {} requests unanswered, slowest start {} ms",
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
