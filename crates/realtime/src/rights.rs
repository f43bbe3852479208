//! What somebody may do in a private channel, as the policies of `realtime.messages` say it.
//!
//! Invariant: PostgreSQL decides, as the caller, in a transaction that is rolled back. What it said is kept until something changes that is
//! about the caller, and never longer than its time; an answer that was under way meanwhile is not kept.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kernel::{AnyCaller, Authority, Error, Grant, RequestContext, Result};
use postgres::{Access, Database, Sql};

use crate::caller::{Caller, Touched};

/// How often it is asked again where something changed while it was asked.
const TRIES: usize = 3;

/// What somebody may.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "four policies answer, each for itself")]
pub(crate) struct Rights {
    pub(crate) hears_broadcast: bool,
    pub(crate) hears_presence: bool,
    pub(crate) tells_broadcast: bool,
    pub(crate) tells_presence: bool,
}

/// Whoever asks it.
#[derive(Debug)]
pub(crate) struct Gate {
    database: Database,
    authority: Arc<Authority>,
    kept_for: Duration,
    kept_max: usize,
    kept: Mutex<HashMap<(Arc<str>, String), Kept>>,
    /// Rises with every change that was heard of.
    changes: AtomicU64,
}

#[derive(Debug)]
struct Kept {
    rights: Rights,
    at: Instant,
    caller: Arc<Caller>,
}

/// A message that somebody who joins has told again.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) id: uuid::Uuid,
    pub(crate) event: String,
    pub(crate) payload: Option<String>,
    pub(crate) bytes: Option<String>,
}

impl Rights {
    /// Those of a public channel.
    pub(crate) const ALL: Self = Self { hears_broadcast: true, hears_presence: true, tells_broadcast: true, tells_presence: true };

    /// Tells whether he may be in the channel at all.
    pub(crate) fn hears(self) -> bool {
        self.hears_broadcast || self.hears_presence
    }
}

impl Gate {
    pub(crate) fn new((database, authority): (Database, Arc<Authority>), kept_for: Duration, kept_max: usize) -> Self {
        Self { database, authority, kept_for, kept_max, kept: Mutex::default(), changes: AtomicU64::new(0) }
    }

    /// Returns what a caller may in a private channel.
    pub(crate) async fn rights(&self, caller: &Arc<Caller>, topic: &Arc<str>) -> Result<Rights> {
        let key = (Arc::clone(topic), caller.key());
        if let Some(kept) = self.kept().get(&key).filter(|kept| kept.at.elapsed() < self.kept_for) {
            return Ok(kept.rights);
        }
        let mut tries = TRIES;
        loop {
            let before = self.changes.load(Ordering::Acquire);
            let rights = self.ask(caller, topic).await?;
            tries = tries.saturating_sub(1);
            let is_current = self.changes.load(Ordering::Acquire) == before;
            if is_current {
                self.keep(key.clone(), Kept { rights, at: Instant::now(), caller: Arc::clone(caller) });
            }
            if is_current || tries == 0 {
                return Ok(rights);
            }
        }
    }

    /// Tells whether the caller is still somebody: his session lives, and he is in the company that he works in.
    pub(crate) async fn greet(&self, caller: &Caller) -> Result<()> {
        let grant = caller.principal.clone().require::<AnyCaller>()?;
        self.database.run_short(&grant, &caller.context, Sql::new("select 1")).await.map(drop)
    }

    /// Forgets what was said of callers about whom something changed.
    pub(crate) fn forget(&self, touched: &Touched) {
        self.changes.fetch_add(1, Ordering::Release);
        self.kept().retain(|_, kept| !kept.caller.is_touched_by(touched));
    }

    /// Returns what was sent to a private channel by SQL, the oldest first.
    pub(crate) async fn replay(&self, topic: &str, since_ms: i64, limit: u32) -> Result<Vec<Replayed>> {
        let since = jiff::Timestamp::from_millisecond(since_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let mut sql = Sql::new("select id, event, payload, bytes from app.replayed_messages(");
        sql.bind(topic).text("::text, ").bind(since.to_string()).text("::timestamptz, ").bind(i64::from(limit)).text("::integer)");
        let answer = self.database.run(&self.own("tells messages again"), &RequestContext::default(), Access::Read, sql).await?;
        let read = |row: &postgres::Row| {
            Ok(Replayed {
                id: row.try_get("id").map_err(Error::internal)?,
                event: row.try_get("event").map_err(Error::internal)?,
                payload: row.try_get("payload").map_err(Error::internal)?,
                bytes: row.try_get("bytes").map_err(Error::internal)?,
            })
        };
        answer.rows.iter().map(read).collect()
    }

    /// Returns a text for each caller that is another when something about him changed; nothing where he is nobody any more.
    pub(crate) async fn marks(&self, callers: &[Arc<Caller>]) -> Result<Vec<Option<String>>> {
        let list = |of: &dyn Fn(&Caller) -> Option<String>| {
            let texts: Vec<String> = callers.iter().map(|caller| of(caller).unwrap_or_else(|| "NULL".to_owned())).collect();
            format!("{{{}}}", texts.join(","))
        };
        let users = list(&|caller| caller.principal.user_id().map(|id| id.to_string()));
        let sessions = list(&|caller| caller.principal.session_id().map(|id| id.to_string()));
        let company = |caller: &Caller| caller.principal.requested_company().or(caller.principal.claimed_company());
        let companies = list(&|caller| company(caller).map(|id| id.to_string()));
        let mut sql = Sql::new("select mark from app.caller_marks(");
        sql.bind(users).text("::uuid[], ").bind(sessions).text("::uuid[], ").bind(companies).text("::uuid[]) order by place");
        let answer = self.database.run(&self.own("looks who callers are"), &RequestContext::default(), Access::Read, sql).await?;
        answer.rows.iter().map(|row| row.try_get("mark").map_err(Error::internal)).collect()
    }

    async fn ask(&self, caller: &Caller, topic: &str) -> Result<Rights> {
        metrics::counter!("realtime_rights_asked_total").increment(1);
        let grant = caller.principal.clone().require::<AnyCaller>()?;
        let tx = self.database.begin(&grant, &caller.context, Access::Write).await?;
        let mut sql = Sql::new("select hears_broadcast, hears_presence, tells_broadcast, tells_presence from app.channel_rights(");
        sql.bind(topic).text("::text)");
        let row = tx.query_one(sql).await?;
        tx.rollback().await?;
        let says = |name: &str| row.try_get::<_, bool>(name).map_err(Error::internal);
        Ok(Rights {
            hears_broadcast: says("hears_broadcast")?,
            hears_presence: says("hears_presence")?,
            tells_broadcast: says("tells_broadcast")?,
            tells_presence: says("tells_presence")?,
        })
    }

    fn keep(&self, key: (Arc<str>, String), kept: Kept) {
        let mut all = self.kept();
        if all.len() >= self.kept_max {
            all.retain(|_, kept| kept.at.elapsed() < self.kept_for);
            if all.len() >= self.kept_max {
                all.clear();
            }
        }
        all.insert(key, kept);
    }

    fn own(&self, reason: &'static str) -> Grant {
        #[expect(clippy::disallowed_methods, reason = "the server itself reads, for a caller who was asked for his rights before")]
        Grant::system(&self.authority, None, reason)
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<(Arc<str>, String), Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
