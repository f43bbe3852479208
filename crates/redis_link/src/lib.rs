//! The connection to Redis, for whoever shares something between servers through it.
//!
//! Invariant: nothing waits for Redis longer than its time: while it is away every question is answered by nothing at once, and one task
//! tries to reach it again. That it went and that it came back is said once each; its address, which holds a password, never.

mod config;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use kernel::{Error, Result};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, FromRedisValue, RedisError, ScriptInvocation};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use config::RedisConfig;
/// The library, so that whoever sends commands has the same one.
pub use redis;

/// The pauses between two tries to reach it.
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How often a connection is looked at over which nothing is said.
const LOOK: Duration = Duration::from_secs(1);

/// The connection. Cheap to clone.
#[derive(Clone)]
pub struct Link(Arc<Inner>);

struct Inner {
    client: Client,
    config: AsyncConnectionConfig,
    prefix: String,
    command_time: Duration,
    connection: ArcSwapOption<MultiplexedConnection>,
    lost: Notify,
}

impl Link {
    /// Makes the connection to be; nothing where no Redis is configured.
    pub fn new(config: &RedisConfig) -> Result<Option<Self>> {
        let Some(url) = &config.url else { return Ok(None) };
        // What the library says of an address may hold it.
        let client = Client::open(url.expose().as_str()).map_err(|_unreadable| Error::internal("redis.url is no address of Redis"))?;
        let command_time = Duration::from_millis(config.command_time_ms);
        let connect_time = Duration::from_millis(config.connect_time_ms);
        let settings = AsyncConnectionConfig::new().set_connection_timeout(Some(connect_time)).set_response_timeout(Some(command_time));
        Ok(Some(Self(Arc::new(Inner {
            client,
            config: settings,
            prefix: config.prefix.clone(),
            command_time,
            connection: ArcSwapOption::empty(),
            lost: Notify::new(),
        }))))
    }

    /// Returns the name of a key.
    pub fn key(&self, name: &str) -> String {
        format!("{}{name}", self.0.prefix)
    }

    /// Tells whether Redis can be asked.
    pub fn is_there(&self) -> bool {
        self.0.connection.load().is_some()
    }

    /// Runs a script; nothing where Redis is away, or does not answer in time.
    pub async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Option<T> {
        let connection = self.0.connection.load_full()?;
        let mut used = MultiplexedConnection::clone(&connection);
        match tokio::time::timeout(self.0.command_time, script.invoke_async(&mut used)).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) => {
                self.lose(&connection, told(&error));
                None
            }
            Err(_elapsed) => {
                self.lose(&connection, "it did not answer in time");
                None
            }
        }
    }

    /// Tries once to reach Redis. Tells whether it can be asked now.
    pub async fn reach(&self) -> bool {
        if self.is_there() {
            return true;
        }
        match self.0.client.get_multiplexed_async_connection_with_config(&self.0.config).await {
            Ok(connection) => {
                self.0.connection.store(Some(Arc::new(connection)));
                metrics::gauge!("redis_connected").set(1.0);
                tracing::info!("Redis is there");
                true
            }
            Err(error) => {
                tracing::debug!(error = told(&error), "Redis cannot be reached");
                false
            }
        }
    }

    /// Keeps the connection until told to stop: looks at it, and reaches for Redis again when it is away.
    pub async fn keep(self, stop: CancellationToken) {
        stop.run_until_cancelled(async {
            let mut pause = PAUSE;
            if !self.reach().await {
                metrics::gauge!("redis_connected").set(0.0);
                tracing::warn!("Redis is away; each server keeps to itself until it is there");
            }
            loop {
                if self.reach().await {
                    pause = PAUSE;
                    self.until_lost().await;
                } else {
                    tokio::time::sleep(pause).await;
                    pause = pause.saturating_mul(2).min(PAUSE_MAX);
                }
            }
        })
        .await;
    }

    async fn until_lost(&self) {
        while let Some(connection) = self.0.connection.load_full() {
            if tokio::time::timeout(LOOK, self.0.lost.notified()).await.is_ok() {
                continue;
            }
            let mut used = MultiplexedConnection::clone(&connection);
            let ping = redis::cmd("PING");
            if !matches!(tokio::time::timeout(self.0.command_time, ping.exec_async(&mut used)).await, Ok(Ok(()))) {
                self.lose(&connection, "it did not answer");
            }
        }
    }

    /// Gives a connection up, if it is still the one in use: of many questions that failed at once one says so.
    fn lose(&self, connection: &Arc<MultiplexedConnection>, why: &str) {
        let before = self.0.connection.compare_and_swap(connection, None);
        if before.as_ref().is_some_and(|before| Arc::ptr_eq(before, connection)) {
            metrics::gauge!("redis_connected").set(0.0);
            tracing::warn!(why, "Redis is away; each server keeps to itself until it is back");
            self.0.lost.notify_one();
        }
    }
}

/// What may be said of an error: what sort it is, and nothing of an address or a key.
fn told(error: &RedisError) -> &str {
    error.category()
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("is_there", &self.is_there()).finish_non_exhaustive()
    }
}
