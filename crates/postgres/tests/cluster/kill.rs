//! PostgreSQL is killed again and again while writers write: what was acknowledged is there, and every kill is recovered from.
//!
//! Invariant: the writers know of each row whether it was acknowledged, and compare with the table at the end. `KILLS` and `SEED` make
//! the short form the long proof.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use postgres::cluster::{self, Cluster, ClusterOptions, ClusterState, Machine};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio_postgres::{Client, Config, NoTls};

const WRITERS: i32 = 4;
/// The longest that PostgreSQL may be away.
const AWAY_MAX: Duration = Duration::from_mins(1);

fn number(name: &str, default: u64) -> u64 {
    std::env::var_os(name).map_or(default, |text| text.to_str().unwrap().parse().unwrap())
}

async fn connect(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Writes rows one after another, through all the outages; returns those that were acknowledged and how often an answer was missing.
async fn write(config: Config, writer: i32, (stop, heard): (Arc<AtomicBool>, Arc<AtomicUsize>)) -> (BTreeSet<i32>, usize) {
    let (mut acknowledged, mut unanswered, mut next) = (BTreeSet::new(), 0, 0);
    while !stop.load(Ordering::Relaxed) {
        let Ok(client) = connect(&config).await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        while !stop.load(Ordering::Relaxed) {
            next += 1;
            if client.execute("insert into written values ($1, $2)", &[&writer, &next]).await.is_err() {
                unanswered += 1;
                break;
            }
            acknowledged.insert(next);
            heard.fetch_add(1, Ordering::Relaxed);
        }
    }
    (acknowledged, unanswered)
}

async fn wait_until_back(cluster: &Cluster, pid_before: i32) -> Duration {
    let begun = Instant::now();
    loop {
        let status = cluster.status();
        if status.state == ClusterState::Running && status.facts.pid != pid_before {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < AWAY_MAX, "not back in time: {status:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_postgresql_is_killed() {
    let (kills, seed) = (number("KILLS", 2), number("SEED", 1));
    let mut random = StdRng::seed_from_u64(seed);
    let home = tempfile::Builder::new().prefix("thorbis-kill-").tempdir().unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let mut options = ClusterOptions::new(home.path().join("data"));
    options.machine = Some(Machine { memory_bytes: 512 << 20, cores: 2 });
    options.poll_interval = Duration::from_millis(50);
    let cluster = cluster::start(options).await.unwrap();
    let config = cluster.migrator_config();
    let table = "create table written (writer int, n int, primary key (writer, n))";
    connect(&config).await.unwrap().batch_execute(table).await.unwrap();

    let (stop, heard) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let told = || (Arc::clone(&stop), Arc::clone(&heard));
    let writers: Vec<_> = (0..WRITERS).map(|writer| tokio::spawn(write(config.clone(), writer, told()))).collect();
    let mut away_max = Duration::ZERO;
    for _ in 0..kills {
        // Somebody is at work again.
        let (before, begun) = (heard.load(Ordering::Relaxed), Instant::now());
        while heard.load(Ordering::Relaxed) < before + 10 {
            assert!(begun.elapsed() < AWAY_MAX, "nothing is written any more");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(20..600))).await;
        let pid = cluster.status().facts.pid;
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        away_max = away_max.max(wait_until_back(&cluster, pid).await);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    stop.store(true, Ordering::Relaxed);

    let client = connect(&config).await.unwrap();
    let (mut acknowledged_rows, mut unanswered_rows, mut table_rows) = (0, 0, 0);
    for (writer, task) in (0_i32..).zip(writers) {
        let (acknowledged, unanswered) = task.await.unwrap();
        let rows = client.query("select n from written where writer = $1", &[&writer]).await.unwrap();
        let present: BTreeSet<i32> = rows.iter().map(|row| row.get(0)).collect();
        let lost: Vec<_> = acknowledged.difference(&present).collect();
        assert!(lost.is_empty(), "seed {seed}: writer {writer} lost {lost:?}");
        let surplus = present.difference(&acknowledged).count();
        assert!(surplus <= unanswered, "seed {seed}: {surplus} rows that nobody wrote, {unanswered} answers missing");
        acknowledged_rows += acknowledged.len();
        unanswered_rows += unanswered;
        table_rows += present.len();
    }
    assert!(acknowledged_rows > 0 && unanswered_rows > 0, "the kills met no writer: {acknowledged_rows}, {unanswered_rows}");
    cluster.stop().await.unwrap();
    println!(
        "{kills} kills of PostgreSQL, {WRITERS} writers: {acknowledged_rows} rows acknowledged, {table_rows} present, 0 lost, \
         {unanswered_rows} without an answer; away {} ms at most",
        away_max.as_millis()
    );
}
