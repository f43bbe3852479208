//! The change feed: every committed change of the tables that are published, told to listeners in this process. It serves what is kept or
//! shown, and may be late or lost; what must happen is written in the transaction instead.
//!
//! Invariant: changes come from PostgreSQL's log, or where that may not be read from an outbox that triggers write; listeners cannot
//! tell the two apart. Whenever a change may have been lost, they are told to drop what they hold.

mod config;
mod hub;
mod pgoutput;
mod poll;
mod record;
mod stream;
mod tables;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kernel::{Authority, ChangeListener, Error, FeedEvent, GapCause, Grant, Kind, RequestContext, Result};

use crate::database::{Answer, Database};
use crate::options::PoolOptions;
use crate::sql::Sql;
use crate::tx::Access;

pub use config::{FeedConfig, FeedMode};
use hub::Hub;
use tables::Tables;

/// The publication that lists the tables.
const PUBLICATION: &str = "thorbis_changes";
/// The publication in which a project lists tables of its own. It need not be there.
const PROJECT_PUBLICATION: &str = "supabase_realtime";
/// What tells histories of a database apart: places mean something within one alone. A restore and a failover begin another timeline, a
/// copy of the files or of the rows is another start or another database. Whatever restarts PostgreSQL ends all feeds anyway.
const HISTORY: &str = "pg_catalog.left(pg_catalog.md5(pg_catalog.concat_ws('/', app.cluster_number(),
    pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8),
    (select d.oid from pg_catalog.pg_database d where d.datname = current_database()),
    extract(epoch from pg_catalog.pg_postmaster_start_time()))), 16)";
/// Connections for what the feed asks by itself: they are its own, so that no crowd of requests makes it late.
const CONNECTIONS: usize = 2;

/// What the feed is made of.
pub struct FeedOptions {
    /// How to reach PostgreSQL, as the server's login.
    pub pool: PoolOptions,
    /// The process's authority.
    pub authority: Arc<Authority>,
    /// The settings.
    pub config: FeedConfig,
}

/// The feed. It works while [`Feed::run`] is waited for.
pub struct Feed {
    shared: Shared,
    listeners: Vec<Arc<dyn ChangeListener>>,
}

/// How changes come at this moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// From the log.
    Streamed,
    /// From the outbox.
    Polled,
    /// They do not.
    Closed,
}

/// How the feed is, for whoever wants to look. Cheap to clone.
#[derive(Clone, Debug)]
pub struct FeedStatus(Arc<Mutex<State>>);

#[derive(Clone, Copy, Debug)]
struct State {
    way: Way,
    /// Up to when everything was told.
    told_until: Option<Instant>,
}

/// What both ways need.
struct Shared {
    database: Database,
    authority: Arc<Authority>,
    config: FeedConfig,
    server: tokio_postgres::Config,
    root_certificate_file: Option<PathBuf>,
    status: FeedStatus,
}

impl Feed {
    /// Makes the feed. Connects to nothing yet.
    pub fn new(options: FeedOptions) -> Result<Self> {
        let FeedOptions { pool, authority, config } = options;
        let (server, root_certificate_file) = (pool.server.clone(), pool.root_certificate_file.clone());
        let database = Database::new(PoolOptions { size_max: CONNECTIONS, ..pool })?;
        let status = FeedStatus(Arc::new(Mutex::new(State { way: Way::Closed, told_until: None })));
        Ok(Self { shared: Shared { database, authority, config, server, root_certificate_file, status }, listeners: Vec::new() })
    }

    /// Adds a listener.
    #[must_use]
    pub fn with(mut self, listener: Arc<dyn ChangeListener>) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Returns how the feed is.
    pub fn status(&self) -> FeedStatus {
        self.shared.status.clone()
    }

    /// Tells of changes, for ever. When it cannot, it tries again after a pause that grows.
    pub async fn run(self) -> std::convert::Infallible {
        let Self { shared, listeners } = self;
        if shared.config.mode == FeedMode::Off {
            return std::future::pending().await;
        }
        let mut hub = Hub::new(shared.config.queue_max);
        for listener in listeners {
            hub.seat(listener);
        }
        let least = Duration::from_millis(shared.config.pause_ms);
        let mut pause = least;
        loop {
            let begun = Instant::now();
            let ended = Box::pin(shared.tell(&mut hub)).await;
            let was_open = shared.status.way() != Way::Closed;
            shared.status.set(Way::Closed);
            let cause = match &ended {
                Ended::Lost(cause) => *cause,
                Ended::Failed(_) => GapCause::Disconnected,
            };
            if let Ended::Failed(error) = &ended {
                tracing::debug!(code = error.code(), "the change feed is closed: {}", error.message());
            }
            if was_open {
                hub.tell(&FeedEvent::Gap(cause));
            }
            if was_open && begun.elapsed() > pause {
                pause = least;
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(Duration::from_millis(shared.config.pause_max_ms));
        }
    }
}

/// Why no more changes come for now.
enum Ended {
    /// Listeners begin anew.
    Lost(GapCause),
    Failed(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Shared {
    /// Tells as long as it goes well.
    async fn tell(&self, hub: &mut Hub) -> Ended {
        let way = match self.way().await {
            Ok(way) => way,
            Err(error) => return error.into(),
        };
        let told = match way {
            Way::Streamed => Box::pin(stream::tell(self, hub)).await,
            Way::Polled => Box::pin(poll::tell(self, hub)).await,
            Way::Closed => {
                let message = "changes are neither streamed nor kept in this database";
                Err(Error::new(Kind::Unavailable, "change_feed_closed", message).into())
            }
        };
        match told {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    /// Looks what the database allows.
    async fn way(&self) -> Result<Way> {
        match self.config.mode {
            FeedMode::Off => return Ok(Way::Closed),
            FeedMode::Stream => return Ok(Way::Streamed),
            FeedMode::Poll => return Ok(Way::Polled),
            FeedMode::Auto => {}
        }
        let mut sql = Sql::new(
            "select (r.rolreplication or r.rolsuper) and current_setting('wal_level') = 'logical'
                    and exists (select from pg_catalog.pg_publication p where p.pubname = ",
        );
        sql.bind(PUBLICATION).text(
            "::text) as streams, app.changes_are_kept() as keeps
               from pg_catalog.pg_roles r where r.rolname = session_user",
        );
        let answer = self.ask(sql).await?;
        let row = answer.rows.first().ok_or_else(|| Error::internal("the server's own login is not in pg_roles"))?;
        let says = |name: &str| row.try_get::<_, bool>(name).map_err(Error::internal);
        Ok(match (says("streams")?, says("keeps")?) {
            (true, _) => Way::Streamed,
            (false, true) => Way::Polled,
            (false, false) => Way::Closed,
        })
    }

    /// Asks the database, for the feed alone.
    async fn ask(&self, sql: Sql) -> Result<Answer> {
        #[expect(clippy::disallowed_methods, reason = "the feed reads for the whole process, for no caller and no company")]
        let grant = Grant::system(&self.authority, None, "tells what changed");
        self.database.run(&grant, &RequestContext::default(), Access::Write, sql).await
    }

    /// Asks for one text.
    async fn text(&self, sql: Sql) -> Result<String> {
        let answer = self.ask(sql).await?;
        answer.rows.first().ok_or_else(|| Error::internal("a row was expected and none came"))?.try_get(0).map_err(Error::internal)
    }

    /// Tells whether a project lists tables of its own. A list of all tables is none: it would have accounts in it.
    async fn has_project_publication(&self) -> Result<bool> {
        let mut sql = Sql::new("select exists (select from pg_catalog.pg_publication p where not p.puballtables and p.pubname = ");
        sql.bind(PROJECT_PUBLICATION).text("::text)");
        let answer = self.ask(sql).await?;
        answer.rows.first().ok_or_else(|| Error::internal("a row was expected and none came"))?.try_get(0).map_err(Error::internal)
    }

    /// Returns which history of the database this is.
    async fn history(&self) -> Result<Arc<str>> {
        let mut sql = Sql::new("select ");
        sql.text(HISTORY);
        Ok(self.text(sql).await?.into())
    }

    /// Reads the tables whose changes are told.
    async fn tables(&self) -> Result<Arc<Tables>> {
        let sql = Sql::new("select relation, schema, name, columns, key, hidden, computed from app.feed_columns()");
        Ok(Arc::new(Tables::of(&self.ask(sql).await?.rows)?))
    }

    /// Notes and tells that everything was told that was committed before a moment.
    fn beat(&self, hub: &mut Hub, sent: Instant) {
        self.status.told(sent);
        metrics::gauge!("change_feed_lag_seconds").set(sent.elapsed().as_secs_f64());
        hub.tell(&FeedEvent::Beat(sent));
    }
}

impl FeedStatus {
    /// Returns how changes come.
    pub fn way(&self) -> Way {
        self.state().way
    }

    /// Returns how far the feed lags at most; nothing where it is closed.
    pub fn lag(&self) -> Option<Duration> {
        self.state().told_until.map(|told| told.elapsed())
    }

    fn set(&self, way: Way) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = State { way, told_until: None };
    }

    fn told(&self, until: Instant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).told_until = Some(until);
    }

    fn state(&self) -> State {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed").field("status", &self.shared.status).finish_non_exhaustive()
    }
}
