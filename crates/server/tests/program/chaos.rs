//! Things go wrong around a server that stays up: its connections are cut, PostgreSQL dies, a table is locked, the machine stands still.
//!
//! Invariant: after each fault the server writes again by itself within the limit, and nothing acknowledged is lost or there twice.
//! `FAULTS` and `SEED` make the short form the long proof.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::{Dice, Program, Way, folder, kill_postgresql, number, sql};

const WRITERS: u64 = 4;
/// The longest that nothing is written after a fault.
const AWAY_MAX: Duration = Duration::from_mins(1);

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Fault {
    ConnectionsCut,
    PostgresqlKilled,
    BackendKilled,
    TableLocked,
    ServerStopped,
}

const FAULTS: [Fault; 5] = [Fault::ConnectionsCut, Fault::PostgresqlKilled, Fault::BackendKilled, Fault::TableLocked, Fault::ServerStopped];

fn strike(fault: Fault, server: &Program, folder: &Path) {
    match fault {
        Fault::ConnectionsCut => {
            sql(
                folder,
                "select count(pg_terminate_backend(pid)) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'",
            );
        }
        Fault::PostgresqlKilled => kill_postgresql(folder),
        Fault::BackendKilled => {
            // PostgreSQL then throws everybody out and recovers.
            let pid =
                sql(folder, "select min(pid) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'");
            if let Ok(pid) = pid.parse() {
                // It may be gone by now.
                let _struck = kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok();
            }
        }
        Fault::TableLocked => {
            sql(folder, "begin; lock table public.customers in access exclusive mode; select pg_sleep(0.3); commit");
        }
        Fault::ServerStopped => {
            server.signal(Signal::SIGSTOP);
            std::thread::sleep(Duration::from_millis(300));
            server.signal(Signal::SIGCONT);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_outlives_what_goes_wrong_around_it() {
    let (faults, mut dice, folder) = (number("FAULTS", 5), Dice::new(), folder());
    let server = Program::start(folder.path());
    let way = Way::to(&server, folder.path());
    let writers = way.writers(WRITERS);
    let (mut struck, mut longest) = (BTreeMap::<Fault, u32>::new(), Duration::ZERO);
    for number in 0..faults {
        tokio::time::sleep(Duration::from_millis(100 + dice.below(200))).await;
        // The short form has each of them once.
        let choice = if faults <= 5 { number } else { dice.below(5) };
        let fault = FAULTS[usize::try_from(choice).unwrap() % FAULTS.len()];
        tokio::task::block_in_place(|| strike(fault, &server, folder.path()));
        *struck.entry(fault).or_default() += 1;
        let (begun, before) = (Instant::now(), way.acknowledged());
        while way.acknowledged() <= before {
            assert!(begun.elapsed() < AWAY_MAX, "nothing is written any more after {fault:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        longest = longest.max(begun.elapsed());
    }
    let balance = Box::pin(writers.balance()).await;
    println!(
        "{faults} faults ({struck:?}): {} rows acknowledged, {} lost, {} doubled, {} requests unanswered, the next row within {} ms",
        balance.acknowledged,
        balance.lost,
        balance.doubled,
        balance.unanswered,
        longest.as_millis()
    );
    assert_eq!((balance.lost, balance.doubled), (0, 0));
    let left = "select count(*) from pg_stat_activity where state like 'idle in transaction%'";
    // The server's own transactions come and go; one that was left stays.
    let begun = Instant::now();
    while tokio::task::block_in_place(|| sql(folder.path(), left)) != "0" {
        assert!(begun.elapsed() < AWAY_MAX, "a transaction was left");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.stop();
}
