//! Reads that are kept: plain reads of a few tables, and what a few functions say of figures, are answered from memory as long as nothing
//! changed in the tables.
//!
//! Invariant: the caller's own transaction is opened for every answer, whether it was kept or not, and what it says of company and
//! permissions must be what the answer was read with. Only members who may read all rows of the table get or give anything here, and only
//! of tables without policies of a project's own, which may look at anything, so that an answer does not depend on who asks.
//! A function is kept only where the configuration says which tables it reads: its answer depends on them and on the caller's rights alone.

mod question;
mod shared;
mod turn;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use ::cache::{Cache, CacheConfig, Entry, Found, Key};
use aws_lc_rs::digest::{Context, SHA256};
use kernel::{CompanyId, Error, Grant, RequestContext, Result, SessionId, UserId};
use moka::future::Cache as Seen;
use postgres::{Opened, Sql};
use redis_link::Link;

use crate::DataApi;
use crate::run::{Answered, Outcome, Planned, answered};
use shared::Shared;

pub(crate) use question::Question;
pub(crate) use turn::{Asked, not_modified};

/// Callers whose rights are remembered, to look in the right place at once.
const SEEN_MAX: u64 = 100_000;
/// Seconds that they are.
const SEEN: Duration = Duration::from_mins(30);

/// What is kept for the data API.
#[derive(Debug)]
pub(crate) struct Store {
    cache: Cache<Stored>,
    tables: HashMap<String, Kept>,
    functions: HashMap<String, Kept>,
    seen: Seen<Who, Arc<Rights>>,
    shared: OnceLock<Arc<Shared>>,
}

/// How answers about a table, or of a function, are kept.
#[derive(Debug)]
pub(crate) struct Kept {
    life: Duration,
    /// Whose changes end it.
    tables: Box<[Arc<str>]>,
}

/// An answer that is kept.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    outcome: Outcome,
    etag: Arc<str>,
}

/// Who asks, as far as it is known before the transaction opens.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Who {
    user: UserId,
    session: Option<SessionId>,
    company: Option<CompanyId>,
}

/// What the opening of a transaction said.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Rights {
    company: CompanyId,
    member_role: Option<String>,
    permissions: String,
}

impl Store {
    /// Makes it; none where nothing is to be kept.
    pub(crate) fn new(config: &CacheConfig) -> Option<Self> {
        let tables: HashMap<String, Kept> =
            config.lives().map(|(table, life)| (table.to_owned(), Kept { life, tables: Box::from([Arc::from(table)]) })).collect();
        let functions: HashMap<String, Kept> = config
            .functions()
            .map(|kept| (kept.name.to_owned(), Kept { life: kept.life, tables: kept.tables.into_iter().map(Arc::from).collect() }))
            .collect();
        let seen = Seen::builder().max_capacity(SEEN_MAX).time_to_live(SEEN).build();
        let is_wanted = config.enabled && !(tables.is_empty() && functions.is_empty());
        is_wanted.then(|| Self { cache: Cache::new(config), tables, functions, seen, shared: OnceLock::new() })
    }

    /// Has servers keep answers for each other. The first Redis counts.
    pub(crate) fn share(&self, link: Link, secret: [u8; 32], config: &CacheConfig) -> Result<()> {
        if config.shared {
            let shared = Arc::new(Shared::new(link, secret, config)?);
            self.shared.get_or_init(|| shared);
        }
        Ok(())
    }

    /// Returns the cache.
    pub(crate) fn cache(&self) -> &Cache<Stored> {
        &self.cache
    }
}

impl Rights {
    /// Reads what a transaction of a member said; nothing of one without a company.
    fn of(opened: &Opened, permissions: Option<String>) -> Option<Self> {
        let Opened { company_id, member_role } = opened;
        Some(Self { company: (*company_id)?, member_role: member_role.clone(), permissions: permissions.unwrap_or_default() })
    }

    /// Tells whether all rows of a noun may be read. A function asks for rights itself.
    fn reads_all(&self, noun: Option<&str>) -> bool {
        let Some(noun) = noun else { return true };
        self.permissions.contains(&format!(",{noun}:read,"))
    }
}
