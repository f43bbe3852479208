//! What a migrate run may be told, with the limits of everything that waits.

use std::time::Duration;

/// How `up` and `down` behave. Every wait has its limit here.
#[derive(Clone, Debug)]
pub struct Options {
    /// The login of the server, which gets what it needs to open requests. None: no grants.
    pub server_login: Option<String>,
    /// How long to wait for another migrator to end.
    pub lock_wait: Duration,
    /// How long one statement may wait for a lock. Short, since everybody else queues behind it.
    pub lock_timeout: Duration,
    /// How long one statement may run.
    pub statement_timeout: Duration,
    /// How often a file is tried when a lock was not had.
    pub attempts: u32,
    /// The pause after the first try; it doubles with each one.
    pub backoff: Duration,
    /// The longest pause between two tries.
    pub backoff_max: Duration,
    /// The pause between two batches of a backfill, so that others get their turn.
    pub batch_pause: Duration,
    /// Stops after this many batches of a backfill; the next `up` goes on there. None: to the end.
    pub batches_max: Option<u64>,
    /// Stops after this version; code, permissions and grants are then left as they are.
    pub to: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            server_login: None,
            lock_wait: Duration::from_mins(1),
            lock_timeout: Duration::from_secs(3),
            statement_timeout: Duration::from_hours(1),
            attempts: 10,
            backoff: Duration::from_millis(500),
            backoff_max: Duration::from_secs(10),
            batch_pause: Duration::from_millis(20),
            batches_max: None,
            to: None,
        }
    }
}

/// How far `down` goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Back {
    /// So many migrations.
    Steps(usize),
    /// Until this version is the last one; "0" takes all back.
    To(String),
}
