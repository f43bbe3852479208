//! Background work while workers, servers and PostgreSQL are killed: every task that was acknowledged has its effect once, and every event of
//! a row that was acknowledged is taken by its receiver, under one id however often it comes.
//!
//! Invariant: nothing here knows the house from inside but the worker, which is this program started again and does tasks of a kind that the
//! house does not have: its effect is a row, written together with the end of the task. `TASKS`, `WEBHOOKS`, `KILLS` and `SEED` make the
//! short form the long proof.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::Authority;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use postgres::{Config, Database, PoolOptions, Sql};
use queue::{Failure, Kind, Kinds, Queue, QueueConfig, QueueOptions, Running, Worker};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::process::{Dice, Program, Way, folder, number, sql};
use crate::receiver::Receiver;

/// Rows that one request writes.
const AT_ONCE: u64 = 50;
const WORKERS: usize = 2;
/// Where a worker that is started again finds its database.
const PLACE: &str = "THORBIS_TEST_WORKER";
/// How long everything may take that is left when nobody is killed any more: attempts of a server that died are given up after a while.
const SETTLED_MAX: Duration = Duration::from_mins(4);

/// What a task of the proof says: which one it is.
#[derive(Serialize, Deserialize)]
struct Numbered {
    number: i64,
}

/// A kind whose effect is a row.
struct Effect;

impl Kind for Effect {
    const NAME: &'static str = "proof_effect";
    type Payload = Numbered;

    async fn run(&self, task: Arc<Running>, payload: Numbered) -> Result<Value, Failure> {
        let tx = task.begin("has an effect").await?;
        let mut sql = Sql::new("insert into proof.effects (number) values (");
        sql.bind(payload.number).text("::bigint)");
        tx.execute(sql).await?;
        task.finish_within(&tx, Value::Null).await?;
        tx.commit().await?;
        Ok(Value::Null)
    }
}

/// This program as a worker, until it is killed. Without a place it is nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the proof starts it"]
async fn a_worker_of_the_proof() {
    let Some(place) = std::env::var_os(PLACE) else { return };
    let server: Config = place.to_str().unwrap().parse().unwrap();
    let database = Database::new(PoolOptions::new(server.clone())).unwrap();
    #[expect(clippy::disallowed_methods, reason = "this is where the process starts")]
    let authority = Authority::establish();
    // Nobody waits half a minute for one that is dead; and being killed is no fault of the task here.
    let config = QueueConfig { beat_interval_ms: 500, dead_after_ms: 3000, crashes_max: 100, ..QueueConfig::default() };
    let options = QueueOptions { database, authority, config, node: "proof".to_owned(), listen: Some((server, None)) };
    Worker::new(Queue::new(options).unwrap(), Kinds::default().with(Effect)).run(CancellationToken::new()).await;
}

/// Worker processes.
struct Workers {
    place: String,
    children: Vec<Child>,
}

impl Workers {
    fn start(folder: &Path) -> Self {
        let password = std::fs::read_to_string(folder.join("data/secrets/postgres_server")).unwrap();
        let socket = sql(folder, "show unix_socket_directories");
        let place = format!("host={socket} user=thorbis_server dbname=thorbis password={}", password.trim());
        let mut workers = Self { place, children: vec![] };
        workers.children = (0..WORKERS).map(|_| workers.one()).collect();
        workers
    }

    fn one(&self) -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "worked::a_worker_of_the_proof"]).env(PLACE, &self.place);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Kills one as nothing can be prepared for; another one comes.
    fn kill(&mut self, place: usize) {
        let next = self.one();
        let mut old = std::mem::replace(&mut self.children[place], next);
        old.kill().unwrap();
        old.wait().unwrap();
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ended = child.kill().is_ok() && child.wait().is_ok();
        }
    }
}

/// What was acknowledged: the first number of each request.
#[derive(Default)]
struct Acknowledged {
    tasks: BTreeSet<u64>,
    rows: BTreeSet<u64>,
    unanswered: u64,
}

/// Writes until so many tasks and rows are acknowledged. What was not answered may be there or not, and is never written again.
async fn write(way: Arc<Way>, (tasks, rows): (u64, u64)) -> Acknowledged {
    let (mut done, mut next) = (Acknowledged::default(), 0);
    while count(&done.tasks) < tasks || count(&done.rows) < rows {
        let is_task = count(&done.rows) >= rows || (count(&done.tasks) < tasks && !(next / AT_ONCE).is_multiple_of(11));
        let first = next;
        next += AT_ONCE;
        let numbers = first..first + AT_ONCE;
        let (path, body): (_, Vec<Value>) = if is_task {
            ("job_queue", numbers.map(|number| json!({ "job_type": Effect::NAME, "payload": { "number": number } })).collect())
        } else {
            ("customers", numbers.map(|number| json!({ "first_name": format!("told-{number}"), "phone": "+15550100" })).collect())
        };
        let sent = way.request(Method::POST, path).header("prefer", "return=minimal").json(&body).send().await;
        match sent.map(|answer| answer.status().as_u16()) {
            Ok(201) => {
                let done = if is_task { &mut done.tasks } else { &mut done.rows };
                done.insert(first);
            }
            Ok(503 | 504) | Err(_) => {
                done.unanswered += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(other) => panic!("{path} was answered {other}"),
        }
    }
    done
}

fn count(requests: &BTreeSet<u64>) -> u64 {
    u64::try_from(requests.len()).unwrap() * AT_ONCE
}

pub(crate) fn kill_postgresql(folder: &Path) {
    let data = sql(folder, "show data_directory");
    let lock = std::fs::read_to_string(Path::new(&data).join("postmaster.pid")).unwrap();
    kill(Pid::from_raw(lock.lines().next().unwrap().parse().unwrap()), Signal::SIGKILL).unwrap();
}

fn start(folder: &Path) -> Program {
    Program::start_with(
        folder,
        &[
            ("THORBIS_QUEUE__WORKER", "false"),
            ("THORBIS_MESSAGING__WEBHOOKS__PRIVATE_ADDRESSES_ALLOWED", "true"),
            ("THORBIS_MESSAGING__WEBHOOKS__RETRY_SECONDS", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"),
            ("THORBIS_MESSAGING__WEBHOOKS__FAILURES_MAX", "1000"),
            ("THORBIS_MESSAGING__WEBHOOKS__ATTEMPT_SECONDS_MAX", "1"),
            ("THORBIS_MESSAGING__WEBHOOKS__DELIVERIES_PER_WEBHOOK_MAX", "32"),
            ("THORBIS_MESSAGING__WEBHOOKS__POLL_INTERVAL_MS", "50"),
        ],
    )
}

/// Prepares what the proof writes to, and has the receiver told of new customers.
async fn prepare(folder: &Path, way: &Way, server: &Program, receiver: &Receiver) {
    tokio::task::block_in_place(|| {
        sql(
            folder,
            "create schema proof; create table proof.effects (number bigint not null); grant usage on schema proof to service_role; grant insert on proof.effects to service_role",
        )
    });
    let body = json!({ "name": "Till", "url": receiver.url(), "events": ["customer.created"] });
    let made = way.service(Method::POST, &format!("{}/api/v1/webhooks", server.url)).json(&body).send().await.unwrap();
    assert_eq!(made.status().as_u16(), 201, "{}", made.text().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_task_and_no_webhook_is_lost_and_no_effect_is_doubled() {
    let (tasks, webhooks, kills) = (number("TASKS", 300), number("WEBHOOKS", 50), number("KILLS", 3));
    let (mut dice, folder, receiver) = (Dice::new(), folder(), Receiver::new().await);
    let mut server = start(folder.path());
    let way = Way::to(&server, folder.path());
    prepare(folder.path(), &way, &server, &receiver).await;
    let mut workers = tokio::task::block_in_place(|| Workers::start(folder.path()));
    tokio::task::block_in_place(|| until(|| sql(folder.path(), "select count(*) from app.task_kinds where name = 'proof_effect'") == "1"));
    let writing = tokio::spawn(write(Arc::clone(&way), (tasks, webhooks)));
    let mut struck = [0_u64; 3];
    for number in 0..kills {
        tokio::time::sleep(Duration::from_millis(300 + dice.below(1200))).await;
        // The short form has each of them once.
        let choice = if kills <= 3 { number % 3 } else { dice.below(3) };
        struck[usize::try_from(choice).unwrap()] += 1;
        match choice {
            0 => workers.kill(usize::try_from(dice.below(2)).unwrap()),
            1 => tokio::task::block_in_place(|| kill_postgresql(folder.path())),
            _ => {
                server.kill();
                server = tokio::task::block_in_place(|| start(folder.path()));
                way.moved(&server);
            }
        }
    }
    let written = writing.await.unwrap();
    let begun = Instant::now();
    tokio::task::block_in_place(|| settle(folder.path()));
    let (lost, doubled) = tokio::task::block_in_place(|| effects(folder.path(), &written.tasks));
    let told = receiver.told();
    let missed = written.rows.iter().flat_map(|first| *first..first + AT_ONCE).filter(|number| !told.taken.contains_key(number)).count();
    let twice = told.taken.values().filter(|ids| ids.len() > 1).count();
    let [of_workers, of_postgresql, of_servers] = struck;
    println!(
        "{} tasks and {} webhooks under {of_workers} kills of workers, {of_servers} of the server, {of_postgresql} of PostgreSQL: tasks lost {lost}, \
         effects doubled {doubled}, webhooks lost {missed}, told under two ids {twice}, told again {} of {} calls, {} requests unanswered, settled in {} s",
        count(&written.tasks),
        count(&written.rows),
        told.calls - told.taken.len(),
        told.calls,
        written.unanswered,
        begun.elapsed().as_secs()
    );
    assert_eq!((lost.as_str(), doubled.as_str(), missed, twice), ("0", "0", 0, 0));
    drop(workers);
    server.stop();
}

/// Returns when no task and no delivery is left.
fn settle(folder: &Path) {
    until(|| {
        let left = "select (select count(*) from app.tasks where kind = 'proof_effect') + (select count(*) from app.webhook_deliveries)
                         + (select count(*) from app.events where told_at is null)";
        sql(folder, left) == "0"
    });
}

fn until(is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < SETTLED_MAX, "it is not so in time");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Returns how many acknowledged tasks have no effect, and how many effects are there more than once.
fn effects(folder: &Path, acknowledged: &BTreeSet<u64>) -> (String, String) {
    let firsts = acknowledged.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    let lost = format!(
        "select count(*) from unnest('{{{firsts}}}'::bigint[]) f cross join generate_series(f, f + {}) n where not exists (select from proof.effects e where e.number = n)",
        AT_ONCE - 1
    );
    sql(folder, "create index on proof.effects (number)");
    let doubled = "select count(*) from (select from proof.effects group by number having count(*) > 1) d";
    (sql(folder, &lost), sql(folder, doubled))
}
