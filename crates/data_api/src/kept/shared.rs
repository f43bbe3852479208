//! What servers keep for each other, in Redis.
//!
//! Invariant: what comes from there is believed only where this installation sealed it for this very question of a caller with these rights,
//! over the same tables and functions; and it counts only as what was read here does: its snapshot must have every change that this server
//! was told of, and be no older than the moment since when it is told. Without Redis each server keeps to itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::cache::{CacheConfig, Reading, Snapshot, Tag};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use kernel::{Error, RequestContext, Result};
use postgres::{Access, Sql};
use redis_link::Link;
use redis_link::redis::Script;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::{Kept, Outcome, Question, Rights, Stored};
use crate::DataApi;

/// What is said of an answer, and how. Another program says another word, and finds nothing of this one's.
const FORM: &str = concat!("1/", env!("CARGO_PKG_VERSION"));
const GET: &str = "return { redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1]) }";
const SET: &str = "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1";

/// The name of an answer: nobody finds out from it what was asked.
pub(super) type Name = [u8; 32];

/// Answers in Redis.
pub(crate) struct Shared {
    link: Link,
    naming: hmac::Key,
    sealing: LessSafeKey,
    get: Script,
    set: Script,
    writes: Arc<Semaphore>,
    bytes_max: usize,
    /// Which database this is, as of which opening of the feed.
    history: Mutex<Option<(u64, Arc<str>)>>,
}

/// An answer as it is sealed.
#[derive(Debug, Serialize, Deserialize)]
struct Sealed {
    snapshot: String,
    total: Option<i64>,
    rows: i64,
    body: Option<String>,
    location: Option<Vec<Option<String>>>,
    etag: String,
}

impl Shared {
    /// Makes it, of a secret that all servers of the installation have.
    pub(super) fn new(link: Link, secret: [u8; 32], config: &CacheConfig) -> Result<Self> {
        let master = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let derived = |purpose: &[u8]| hmac::sign(&master, purpose);
        Ok(Self {
            link,
            naming: hmac::Key::new(hmac::HMAC_SHA256, derived(b"names").as_ref()),
            sealing: UnboundKey::new(&AES_256_GCM, derived(b"answers").as_ref()).map(LessSafeKey::new).map_err(Error::internal)?,
            get: Script::new(GET),
            set: Script::new(SET),
            writes: Arc::new(Semaphore::new(config.shared_writes_max)),
            bytes_max: config.shared_bytes_max,
            history: Mutex::default(),
        })
    }

    /// Names an answer: by which database it is in which of its histories, by tables and functions as they are, by who asks what, and by the
    /// statement that answers it. Nothing where Redis is away, or the history is not known.
    pub(super) async fn name(&self, api: &DataApi, question: &Question<'_>, rights: &Rights, statement: &Sql) -> Option<Name> {
        if !self.link.is_there() {
            return None;
        }
        let history = self.history(api, question.store.cache().opening()?).await?;
        let tables = api.schema().fingerprint()?;
        let statement = format!("{statement:?}");
        let (company, member_role) = (rights.company.to_string(), rights.member_role.as_deref().unwrap_or_default());
        let mut context = hmac::Context::with_key(&self.naming);
        for part in [FORM, &history, &tables, &company, member_role, &rights.permissions, question.asked(), &statement] {
            context.update(&part.len().to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut name = Name::default();
        name.copy_from_slice(context.sign().as_ref());
        Some(name)
    }

    /// Fetches an answer, if there is one that is whole.
    pub(super) async fn fetch(&self, name: &Name, (kept, rights): (&Kept, &Rights)) -> Option<Reading<Stored>> {
        let mut script = self.get.prepare_invoke();
        script.key(self.key(name));
        let (sealed, left_ms): (Option<Vec<u8>>, i64) = self.link.run(&script).await?;
        let found = sealed.and_then(|sealed| self.open(name, sealed));
        metrics::counter!("cache_shared_total", "how" => if found.is_some() { "found" } else { "nothing" }).increment(1);
        let Sealed { snapshot, total, rows, body, location, etag } = found?;
        // Redis' clock says how old it is: those of servers may differ.
        let age = kept.life.checked_sub(Duration::from_millis(u64::try_from(left_ms).ok()?)).unwrap_or_default();
        let bytes = body.as_deref().map_or(0, str::len);
        let outcome = Outcome { total, rows, body, location, ..Outcome::default() };
        Some(Reading {
            value: Stored { outcome, etag: etag.into() },
            bytes,
            snapshot: Snapshot::parse(&snapshot)?,
            tags: tags(kept, rights),
            read: Instant::now().checked_sub(age)?,
            life: kept.life,
        })
    }

    /// Keeps an answer for others, without making anybody wait for it.
    pub(super) fn keep(self: &Arc<Self>, name: Name, stored: &Stored, snapshot: String, life: Duration) {
        let Ok(permit) = Arc::clone(&self.writes).try_acquire_owned() else { return };
        let Outcome { total, rows, body, location, .. } = stored.outcome.clone();
        if body.as_deref().map_or(0, str::len) > self.bytes_max {
            return;
        }
        let answer = Sealed { snapshot, total, rows, body, location, etag: (*stored.etag).to_owned() };
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            if let Some(sealed) = shared.close(&name, &answer).filter(|sealed| sealed.len() <= shared.bytes_max) {
                let mut script = shared.set.prepare_invoke();
                script.key(shared.key(&name)).arg(sealed).arg(u64::try_from(life.as_millis()).unwrap_or(u64::MAX));
                let _done: Option<i64> = shared.link.run(&script).await;
            }
            drop(permit);
        });
    }

    /// Returns which database this is, in which of its histories: numbers of transactions mean something in one alone. Asked once for each
    /// opening of the feed, since a server that took over is another history.
    async fn history(&self, api: &DataApi, opening: u64) -> Option<Arc<str>> {
        if let Some((known, history)) = &*self.history.lock().unwrap_or_else(PoisonError::into_inner)
            && *known == opening
        {
            return Some(Arc::clone(history));
        }
        let ask = Sql::new(
            "select case when not pg_catalog.pg_is_in_recovery() and app.cluster_number() is not null
                         then pg_catalog.concat_ws('/', app.cluster_number(),
                                left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8),
                                (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())) end",
        );
        let given = Box::pin(api.database().run(&api.schema().grant(), &RequestContext::default(), Access::Write, ask)).await.ok()?;
        let history: Arc<str> = given.rows.first()?.try_get::<_, Option<String>>(0).ok()??.into();
        *self.history.lock().unwrap_or_else(PoisonError::into_inner) = Some((opening, Arc::clone(&history)));
        Some(history)
    }

    fn key(&self, name: &Name) -> String {
        let mut hex = String::with_capacity(64);
        for byte in name {
            for half in [byte >> 4, byte & 15] {
                hex.extend(char::from_digit(u32::from(half), 16));
            }
        }
        self.link.key(&format!("answer:{hex}"))
    }

    fn close(&self, name: &Name, answer: &Sealed) -> Option<Vec<u8>> {
        let mut bytes = serde_json::to_vec(answer).ok()?;
        let mut nonce = [0_u8; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).ok()?;
        self.sealing.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(name), &mut bytes).ok()?;
        Some([nonce.as_slice(), &bytes].concat())
    }

    fn open(&self, name: &Name, mut sealed: Vec<u8>) -> Option<Sealed> {
        let (nonce, answer) = sealed.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        serde_json::from_slice(self.sealing.open_in_place(nonce, Aad::from(name), answer).ok()?).ok()
    }
}

/// What changes end an answer.
pub(super) fn tags(kept: &Kept, rights: &Rights) -> Vec<Tag> {
    let tag = |company| kept.tables.iter().map(move |table| Tag { company, table: Arc::clone(table) });
    tag(Some(rights.company)).chain(tag(None)).collect()
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("link", &self.link).finish_non_exhaustive()
    }
}
