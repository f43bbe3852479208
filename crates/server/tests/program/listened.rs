//! The server and its PostgreSQL are killed while clients hear of changed rows: they come back with the position they have, and hear of every
//! row in turn, or that they have to read anew.
//!
//! Invariant: every row that is counted was acknowledged; whoever is told that he hears, hears of every row that is begun from then on.
//! `LISTENED_KILLS` and `SEED` make the short form the long proof.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::process::{Dice, Program, Way, folder, kill_postgresql, number, sql};
use crate::reader::{Reader, Tally, row_name};

const SERIES: usize = 2;
const READERS: usize = 4;
/// Rows of each writer before and after a kill.
const ROWS: u64 = 10;
const PATIENCE: Duration = Duration::from_mins(1);

/// Writes a series, each row again and again until it is acknowledged; a second one of its name cannot be.
async fn write(way: Arc<Way>, series: usize, tally: Arc<Tally>, stop: Arc<AtomicBool>) -> u64 {
    let mut row = 0;
    while !stop.load(Ordering::Relaxed) {
        row += 1;
        tally.begin(series, row);
        let name = row_name(series, row);
        let begun = Instant::now();
        loop {
            let sent = way.request(Method::POST, "tags").json(&json!({ "name": name, "slug": name })).send().await;
            match sent.map(|answer| answer.status().as_u16()) {
                Ok(201 | 409) => break,
                Ok(503 | 504) | Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                Ok(other) => panic!("{name} was answered {other}"),
            }
            assert!(begun.elapsed() < PATIENCE, "{name} cannot be written");
        }
    }
    row
}

/// Hears, and comes back whenever it is thrown out, with its position.
async fn listen(way: Arc<Way>, (number, tally): (usize, Arc<Tally>), stop: Arc<AtomicBool>) -> Reader {
    let mut reader = Reader::new(format!("reader {number}"), &tally);
    while !stop.load(Ordering::Relaxed) {
        if !reader.is_connected() {
            reader.come(&way.socket_url(), "", true).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        reader.read(Duration::from_millis(100)).await;
    }
    reader
}

/// What is killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Victim {
    Server,
    Postgresql,
}

/// What is asked of it all.
struct House {
    folder: TempDir,
    server: Option<Program>,
    way: Arc<Way>,
    tally: Arc<Tally>,
    dice: Dice,
}

impl House {
    /// Waits until each writer has written so many rows more.
    async fn written(&self, phase: usize, rows: u64) {
        let begun = Instant::now();
        for series in phase * SERIES..(phase + 1) * SERIES {
            let wanted = self.tally.last(series) + rows;
            while self.tally.last(series) < wanted {
                assert!(begun.elapsed() < PATIENCE, "nothing is written any more");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    async fn prove(&mut self, victim: Victim, phase: usize, way: &str) {
        let kills = number("LISTENED_KILLS", 1);
        let (stop, hushed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (at, tally) = (&self.way, &self.tally);
        let writer = |series| tokio::spawn(write(Arc::clone(at), phase * SERIES + series, Arc::clone(tally), Arc::clone(&stop)));
        let writers: Vec<_> = (0..SERIES).map(writer).collect();
        let listener = |number| tokio::spawn(listen(Arc::clone(at), (number, Arc::clone(tally)), Arc::clone(&hushed)));
        let readers: Vec<_> = (0..READERS).map(listener).collect();
        for _ in 0..kills {
            self.written(phase, ROWS).await;
            tokio::time::sleep(Duration::from_millis(self.dice.below(200))).await;
            match victim {
                Victim::Postgresql => tokio::task::block_in_place(|| kill_postgresql(self.folder.path())),
                Victim::Server => {
                    self.server.take().unwrap().kill();
                    let server = tokio::task::block_in_place(|| Program::start(self.folder.path()));
                    self.way.moved(&server);
                    self.server = Some(server);
                }
            }
        }
        self.written(phase, ROWS).await;
        stop.store(true, Ordering::Relaxed);
        let mut written = 0;
        for writer in writers {
            written += writer.await.unwrap();
        }
        hushed.store(true, Ordering::Relaxed);
        let (mut events, mut resyncs, mut returns) = (0, 0, 0);
        for reader in readers {
            let mut reader = reader.await.unwrap();
            reader.end(&self.way.socket_url(), "", PATIENCE).await;
            (events, resyncs, returns) = (events + reader.events, resyncs + reader.resyncs, returns + reader.returns);
            assert!(reader.is_at(way), "changes come in another way than {way}");
        }
        println!(
            "{kills} kills of {victim:?} under {READERS} listeners at {way} {written} rows, {events} told, {returns} came back with their position, \
             {resyncs} told to read anew, none lost in silence, none out of turn"
        );
        assert!(events > 0 && resyncs + returns > 0, "{events} {resyncs} {returns}");
        assert!(victim == Victim::Postgresql || returns >= kills, "{returns}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_listens_while_servers_and_postgresql_are_killed_misses_nothing_in_silence() {
    let folder = folder();
    let server = tokio::task::block_in_place(|| Program::start(folder.path()));
    let way = Way::to(&server, folder.path());
    let mut house = House { folder, server: Some(server), way, tally: Tally::new(4 * SERIES), dice: Dice::new() };
    Box::pin(house.prove(Victim::Server, 0, "lsn:")).await;
    Box::pin(house.prove(Victim::Postgresql, 1, "lsn:")).await;
    // From here on the log may not be decoded.
    let server = tokio::task::block_in_place(|| {
        sql(house.folder.path(), "alter system set wal_level = replica");
        house.server.take().unwrap().stop();
        Program::start(house.folder.path())
    });
    house.way.moved(&server);
    house.server = Some(server);
    Box::pin(house.prove(Victim::Server, 2, "out:")).await;
    Box::pin(house.prove(Victim::Postgresql, 3, "out:")).await;
    house.server.take().unwrap().stop();
}
