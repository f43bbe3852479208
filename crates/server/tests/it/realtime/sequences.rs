//! Whatever becomes of its sockets, and whichever server it comes back to: a client hears of every row in turn, or that it has to read anew.
//!
//! Two servers on one database, with a Redis and without, streamed and polled. Clients go in the midst of a transaction, stay away, read
//! slowly, come to this server or to the other; servers lose their connections to PostgreSQL. `SEQUENCE_STEPS` and `SEED` make the short
//! form the long proof.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kernel::Secret;
use postgres::feed::FeedMode;
use testkit::{Db, Redis};

use super::house::{House, Person, keep};
use super::reader::{Reader, Tally, row_name};

const SERIES: usize = 3;
const READERS: u64 = 6;
const PATIENCE: Duration = Duration::from_mins(1);

fn number(name: &str, default: u64) -> u64 {
    std::env::var_os(name).map_or(default, |text| text.to_str().unwrap().parse().unwrap())
}

/// Numbers that look random and are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

async fn pair(mode: FeedMode, redis: Option<&Redis>) -> [House; 2] {
    let db = Arc::new(Db::new().await);
    keep(&db, mode).await;
    let keys = tempfile::tempdir().unwrap().keep();
    let house = async || {
        House::on(Arc::clone(&db), |settings| {
            settings.redis.url = redis.map(|redis| Secret::new(redis.url()));
            settings.redis.connect_time_ms = 10_000;
            settings.key_ring_file = Some(keys.join("keys.json"));
            settings.public_url = Some("http://localhost:54321".to_owned());
            settings.change_feed.mode = mode;
            settings.change_feed.pause_ms = 10;
            settings.change_feed.pause_max_ms = 100;
            // So little that whoever stays away for long, or is slow, has to read anew.
            settings.row_changes.kept_bytes_max = 100_000;
            settings.row_changes.waiting_max = 100;
            settings.row_changes.sessions_ms = 100;
        })
        .await
    };
    [Box::pin(house()).await, Box::pin(house()).await]
}

/// Writes a series until told to stop: rows of one transaction, some of which stay open while the others write.
async fn write(db: Arc<Db>, series: usize, company: String, tally: Arc<Tally>, stop: Arc<AtomicBool>) -> u64 {
    let (client, mut dice) = (db.superuser().await, Dice(number("SEED", 1) + 1000 + u64::try_from(series).unwrap()));
    let mut written = 0;
    while !stop.load(Ordering::Relaxed) {
        let rows = 1 + dice.below(5);
        tally.begin(series, written + rows);
        client.batch_execute("begin").await.unwrap();
        for row in 1..=rows {
            let name = row_name(series, written + row);
            client.batch_execute(&format!("insert into public.tags (company_id, name) values ('{company}', '{name}')")).await.unwrap();
            if series > 0 {
                tokio::time::sleep(Duration::from_millis(dice.below(8))).await;
            }
        }
        client.batch_execute("commit").await.unwrap();
        written += rows;
        tokio::time::sleep(Duration::from_millis(dice.below(6))).await;
    }
    written
}

/// One client's life.
async fn live(houses: Arc<[House; 2]>, place: u64, steps: u64, (ann, tally): (Person, Arc<Tally>)) -> Reader {
    let mut dice = Dice(number("SEED", 1).wrapping_mul(31) + place);
    let mut reader = Reader::new(format!("reader {place}"), &tally);
    let url = |dice: &mut Dice| {
        let house = &houses[usize::try_from(dice.below(2)).unwrap()];
        house.socket_url(&format!("apikey={}&vsn=2.0.0", house.anon()))
    };
    for _ in 0..steps {
        match dice.below(10) {
            // It comes anew, mostly with its position, and sometimes after a while.
            0..4 => {
                reader.go();
                let pause = if dice.below(4) == 0 { 600 } else { 20 };
                tokio::time::sleep(Duration::from_millis(dice.below(pause))).await;
                let knows = dice.below(10) > 0;
                reader.come(&url(&mut dice), &ann.token, knows).await;
            }
            // It does not read for a while.
            4 => tokio::time::sleep(Duration::from_millis(dice.below(400))).await,
            _ => reader.read(Duration::from_millis(5 + dice.below(120))).await,
        }
    }
    reader
}

async fn prove(mode: FeedMode, redis: Option<&Redis>) {
    let (steps, seed) = (number("SEQUENCE_STEPS", 50), number("SEED", 1));
    println!("seed {seed}, {steps} steps");
    let houses = Arc::new(Box::pin(pair(mode, redis)).await);
    let ann = houses[0].owner("ann").await;
    let (tally, stop) = (Tally::new(SERIES), Arc::new(AtomicBool::new(false)));
    let writer =
        |series| tokio::spawn(write(Arc::clone(&houses[0].db), series, ann.company.clone(), Arc::clone(&tally), Arc::clone(&stop)));
    let writers: Vec<_> = (0..SERIES).map(writer).collect();
    let reader = |number| tokio::spawn(Box::pin(live(Arc::clone(&houses), number, steps, (ann.clone(), Arc::clone(&tally)))));
    let readers: Vec<_> = (0..READERS).map(reader).collect();
    // Servers lose their connections now and then.
    let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                where datname = current_database() and (backend_type = 'walsender' or usename = $1 and $2)";
    let login = houses[0].db.server_config().get_user().unwrap().to_owned();
    let client = houses[0].db.superuser().await;
    let (mut dice, mut cuts) = (Dice(seed), 0);
    while !readers.iter().all(tokio::task::JoinHandle::is_finished) {
        tokio::time::sleep(Duration::from_millis(300 + dice.below(1500))).await;
        client.execute(cut, &[&login, &(mode == FeedMode::Poll)]).await.unwrap();
        cuts += 1;
    }
    let mut all = Vec::new();
    for reader in readers {
        all.push(reader.await.unwrap());
    }
    stop.store(true, Ordering::Relaxed);
    let mut written = 0;
    for writer in writers {
        written += writer.await.unwrap();
    }
    let house = &houses[0];
    for reader in &mut all {
        reader.end(&house.socket_url(&format!("apikey={}&vsn=2.0.0", house.anon())), &ann.token, PATIENCE).await;
        assert!(reader.is_at(if mode == FeedMode::Poll { "out:" } else { "lsn:" }));
    }
    let sum = |of: fn(&Reader) -> u64| all.iter().map(of).sum::<u64>();
    let (events, resyncs, returns, resumed) = (sum(|of| of.events), sum(|of| of.resyncs), sum(|of| of.returns), sum(|of| of.resumed));
    println!(
        "{written} rows, {events} told to {READERS} clients that came back {returns} times, {resumed} of them in the midst; {resyncs} told to read anew, \
         {cuts} cuts; {mode:?}, {}, seed {seed}: none lost in silence, none out of turn",
        if redis.is_some() { "with Redis" } else { "without Redis" }
    );
    assert!(events > 100 && resumed > 0 && returns > 20, "{events} {resumed} {returns}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn streamed_by_two_servers_every_row_comes_in_turn_or_a_resync() {
    Box::pin(prove(FeedMode::Stream, None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn polled_by_two_servers_every_row_comes_in_turn_or_a_resync() {
    Box::pin(prove(FeedMode::Poll, None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn with_redis_between_them_every_row_comes_in_turn_or_a_resync() {
    let redis = Redis::start();
    Box::pin(prove(FeedMode::Stream, Some(&redis))).await;
    Box::pin(prove(FeedMode::Poll, Some(&redis))).await;
}
