//! Replicas: copies of the database that only read, and which of them a read goes to.
//!
//! Invariant: whoever asks is asked about at the primary, for every read: session, membership and permissions are what the primary's rows
//! say at that moment, and the replica is told them; it never finds out for itself. Of the rows a reader gets what is at most so old as the
//! limit allows, and nothing older than what his company wrote through this server, or than the position that he shows. A replica that
//! cannot answer, for whatever reason, is stood in for by the primary.

mod config;
mod follow;
mod position;
mod reading;
mod standing;

use std::time::{Duration, Instant};

use kernel::{Error, Result};
use tokio::sync::Notify;

use crate::options::PoolOptions;
use crate::pool::Pool;

pub use config::ReplicasConfig;
pub use position::LogPosition;
pub use reading::AtReplica;
pub use standing::Out;

use standing::{Needs, Standing};

/// A statement was given up by PostgreSQL since its time was over: the primary would need as long.
const STATEMENT_TIMEOUT: &str = "57014";

/// What replicas are made of.
#[derive(Clone, Debug)]
pub struct ReplicaOptions {
    /// Where they are, and how much of the reads each gets.
    pub servers: Vec<(tokio_postgres::Config, u32)>,
    /// How much of these reads the primary keeps.
    pub primary_weight: u32,
    /// How old may be what is read.
    pub lag_max: Duration,
    /// Between two looks.
    pub look_interval: Duration,
}

/// How a replica is at this moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplicaStatus {
    /// Host and port.
    pub name: String,
    /// How old is what can be read there, if that is known; or why nothing is.
    pub lag: std::result::Result<Option<Duration>, Out>,
    /// Whether reads go there.
    pub is_used: bool,
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replica").field("name", &self.name).finish_non_exhaustive()
    }
}

/// All replicas of a database.
pub(crate) struct Replicas {
    all: Vec<Replica>,
    /// Where the primary is asked how far it is.
    primary: Pool,
    primary_weight: u32,
    lag_max: Duration,
    look_interval: Duration,
}

/// One of them.
pub(crate) struct Replica {
    pub(crate) pool: Pool,
    /// For looks alone: a crowd of reads does not make it seem away.
    watch: Pool,
    name: String,
    weight: u32,
    standing: Standing,
    left: Notify,
}

impl Replicas {
    /// Makes their pools, which are like the primary's; only that nobody waits longer for a connection than rows may be old. Connects to
    /// nothing yet.
    pub(crate) fn new(options: ReplicaOptions, like: &PoolOptions) -> Result<Self> {
        let all = options.servers.into_iter().map(|(server, weight)| {
            let name = name_of(&server);
            let its = PoolOptions { server, acquire: like.acquire.min(options.lag_max), alone: None, ..like.clone() };
            let watch = Pool::new(PoolOptions { size_max: 1, ..its.clone() })?;
            Ok(Replica { pool: Pool::new(its)?, watch, name, weight, standing: Standing::new(), left: Notify::new() })
        });
        let all = all.collect::<Result<_>>()?;
        let primary = Pool::new(PoolOptions { size_max: 1, alone: None, ..like.clone() })?;
        Ok(Self { all, primary, primary_weight: options.primary_weight, lag_max: options.lag_max, look_interval: options.look_interval })
    }

    /// Draws who answers a read that shows this position; none where it is the primary's turn, or no replica is far enough.
    pub(crate) fn draw(&self, position: Option<LogPosition>) -> Option<&Replica> {
        let needs = Needs { written: None, position };
        if !self.all.iter().any(|replica| replica.standing.fits(needs, self.lag_max).is_some()) {
            refused("none_fits");
            return None;
        }
        self.drawn(needs, self.primary_weight)
    }

    /// Keeps to the one that was drawn if it has what was written until then, or draws another that has. Returns with it how far it must
    /// still be when it is read from: it may have been set back since the last look.
    pub(crate) fn with<'a>(
        &'a self,
        drawn: &'a Replica,
        written: Option<Instant>,
        position: Option<LogPosition>,
    ) -> Option<(&'a Replica, Option<LogPosition>)> {
        let needs = Needs { written, position };
        let proved = |replica: &'a Replica| {
            let replayed = replica.standing.fits(needs, self.lag_max)?;
            Some((replica, if written.is_some() { Some(replayed) } else { position }))
        };
        let fitting = proved(drawn).or_else(|| proved(self.drawn(needs, 0)?));
        if fitting.is_none() {
            refused("own_write");
        }
        fitting
    }

    /// Returns how each of them is.
    pub(crate) fn status(&self) -> Vec<ReplicaStatus> {
        let status = |replica: &Replica| ReplicaStatus {
            name: replica.name.clone(),
            lag: replica.standing.lag(),
            is_used: replica.standing.fits(Needs::default(), self.lag_max).is_some(),
        };
        self.all.iter().map(status).collect()
    }

    /// Closes connections that nobody used for too long.
    pub(crate) fn reap(&self) {
        self.all.iter().for_each(|replica| replica.pool.reap());
    }

    /// Closes all connections.
    pub(crate) fn close(&self) {
        self.all.iter().for_each(|replica| [&replica.pool, &replica.watch].into_iter().for_each(Pool::close));
        self.primary.close();
    }

    fn drawn(&self, needs: Needs, primary_weight: u32) -> Option<&Replica> {
        let fits = |replica: &&Replica| replica.standing.fits(needs, self.lag_max).is_some();
        let fitting: Vec<&Replica> = self.all.iter().filter(fits).collect();
        let all = fitting.iter().fold(primary_weight, |all, replica| all.saturating_add(replica.weight));
        let mut turn = rand::random_range(0..all.max(1));
        fitting.into_iter().find(|replica| {
            let is_it = turn < replica.weight;
            turn = turn.saturating_sub(replica.weight);
            is_it
        })
    }
}

impl Replica {
    /// Waits for an answer of this replica, as long as it is one. Returns none where the primary has to answer in its place.
    pub(crate) async fn answer<T>(&self, answer: impl Future<Output = Result<T>>) -> Result<Option<T>> {
        let answer = self.stay(answer).await?;
        if answer.is_some() {
            metrics::counter!("database_replica_reads_total", "replica" => self.name.clone()).increment(1);
        }
        Ok(answer)
    }

    /// Does what [`Replica::answer`] does for what is no read yet.
    pub(crate) async fn stay<T>(&self, answer: impl Future<Output = Result<T>>) -> Result<Option<T>> {
        // Heard from now on, and only then looked: it may go in between.
        let left = self.left.notified();
        tokio::pin!(left);
        left.as_mut().enable();
        let gone = || Error::internal("the replica went while it was asked");
        let outcome = if self.standing.is_in() {
            tokio::select! {
                outcome = answer => outcome,
                () = left => Err(gone()),
            }
        } else {
            Err(gone())
        };
        match outcome {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.code() == STATEMENT_TIMEOUT => Err(error),
            // What the primary says of the same is what counts: a table may not be there yet, rows may have been taken away under the
            // reader, and what turns out to write can only be refused or done there.
            Err(error) => {
                tracing::debug!(replica = self.name, code = error.code(), "a read is repeated at the primary: {}", error.message());
                refused("failed");
                Ok(None)
            }
        }
    }
}

/// Counts a read that the primary answers in the place of replicas.
fn refused(why: &'static str) {
    metrics::counter!("database_replica_refused_total", "why" => why).increment(1);
}

/// Returns host and port, which are no secret.
fn name_of(server: &tokio_postgres::Config) -> String {
    let host = match server.get_hosts().first() {
        Some(tokio_postgres::config::Host::Tcp(name)) => name.clone(),
        Some(tokio_postgres::config::Host::Unix(path)) => path.display().to_string(),
        None => "localhost".to_owned(),
    };
    let port = server.get_ports().first().copied().unwrap_or(5432);
    format!("{host}:{port}")
}

#[cfg(test)]
mod tests {
    use super::standing::{Ends, Look};
    use super::*;

    fn replicas(primary_weight: u32, lag_max: Duration) -> Replicas {
        let at = |port: u16, weight: u32| {
            let mut server = tokio_postgres::Config::new();
            server.host("127.0.0.1").port(port).ssl_mode(tokio_postgres::config::SslMode::Disable);
            (server, weight)
        };
        let options =
            ReplicaOptions { servers: vec![at(1, 3), at(2, 1)], primary_weight, lag_max, look_interval: Duration::from_millis(100) };
        Replicas::new(options, &PoolOptions::new(tokio_postgres::Config::new())).unwrap()
    }

    fn all_reached(replicas: &Replicas, place: u64) {
        let mut ends = Ends::default();
        ends.note(Instant::now(), LogPosition(place));
        for replica in &replicas.all {
            replica.standing.note(&ends, look(place)).unwrap();
        }
    }

    fn look(place: u64) -> Look {
        Look { at: Instant::now(), replayed: LogPosition(place), started: None }
    }

    fn counted(replicas: &Replicas) -> [u32; 3] {
        let mut counts = [0; 3];
        for _ in 0..6000 {
            let index = match replicas.draw(None).map(|replica| replica.name.as_str()) {
                Some("127.0.0.1:1") => 0,
                Some("127.0.0.1:2") => 1,
                Some(other) => panic!("{other}"),
                None => 2,
            };
            counts[index] += 1;
        }
        counts
    }

    #[test]
    fn reads_are_spread_by_weight() {
        let replicas = replicas(2, Duration::from_hours(1));
        assert_eq!(counted(&replicas), [0, 0, 6000], "nobody looked yet");
        all_reached(&replicas, 100);
        let [first, second, primary] = counted(&replicas);
        // By chance, and a dozen deviations wide.
        assert!(
            (2500..3500).contains(&first) && (600..1400).contains(&second) && (1500..2500).contains(&primary),
            "{first} {second} {primary}"
        );
        assert!(replicas.all[0].standing.leave(Out::Away));
        let [first, second, primary] = counted(&replicas);
        assert!(first == 0 && (1500..2500).contains(&second) && (3500..4500).contains(&primary), "{second} {primary}");
    }

    #[test]
    fn one_that_has_not_what_was_written_is_left_for_another_or_for_the_primary() {
        let replicas = replicas(0, Duration::from_hours(1));
        all_reached(&replicas, 100);
        let written = Instant::now();
        assert!(replicas.with(&replicas.all[0], Some(written), None).is_none());
        let mut ends = Ends::default();
        ends.note(Instant::now(), LogPosition(100));
        replicas.all[1].standing.note(&ends, look(100)).unwrap();
        let other = replicas.with(&replicas.all[0], Some(written), None).map(|(replica, must)| (replica.name.as_str(), must));
        assert_eq!(other, Some(("127.0.0.1:2", Some(LogPosition(100)))), "it may be set back before it is read from");
        let other = replicas.with(&replicas.all[0], None, Some(LogPosition(7))).map(|(replica, must)| (replica.name.as_str(), must));
        assert_eq!(other, Some(("127.0.0.1:1", Some(LogPosition(7)))));
        assert!(replicas.with(&replicas.all[1], Some(written), Some(LogPosition(101))).is_none());
    }
}
