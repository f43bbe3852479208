//! The way of a question: looked for, verified with the caller's own transaction, or read and kept.

use super::{
    Answered, Arc, Context, DataApi, Entry, Error, Found, Grant, Instant, Key, Outcome, Planned, Question, RequestContext, Result, Rights,
    SHA256, Sql, Stored, answered,
};
use ::cache::{Flight, Reading, Snapshot};
use axum::body::Body;
use axum::response::Response;
use http::header::{AGE, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use postgres::Access;

use super::shared;
use crate::{query, response};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// What came of looking.
pub(crate) enum Asked {
    /// The answer.
    Kept(Answered),
    /// It is to be read, and others who ask the same wait for that.
    Read(Turn),
}

/// Somebody's turn to read.
pub(crate) struct Turn {
    /// Why it is read.
    why: &'static str,
    _flight: Option<Flight>,
}

impl Question<'_> {
    /// Looks for the answer.
    pub(crate) async fn ask(&self, api: &DataApi, grant: &Grant, context: &RequestContext, planned: Planned<'_>) -> Result<Asked> {
        let read = |why, flight| Ok(Asked::Read(Turn { why, _flight: flight }));
        let Some(rights) = self.store.seen.get(&self.who).await.filter(|rights| rights.reads_all(self.noun)) else {
            return read("miss", None);
        };
        let key = self.key(&rights);
        let (cache, table) = (self.store.cache(), self.name);
        let find = async || cache.find(&key, &self.kept.tables, api.database().last_write(rights.company)).await;
        let (entry, how) = match find().await {
            Found::Bypassed(why) => return read(why.name(), None),
            Found::Fresh(entry) => (entry, "hit"),
            Found::Stale(entry) => match cache.try_read(key) {
                Some(flight) => return read("stale", Some(flight)),
                None => (entry, "hit; detail=stale"),
            },
            Found::Nothing => {
                let flight = cache.read(key).await;
                match find().await {
                    Found::Fresh(entry) => (entry, "hit; detail=collapsed"),
                    Found::Nothing if self.fetched(api, &rights, key, planned).await => match find().await {
                        Found::Fresh(entry) => (entry, "hit; detail=shared"),
                        Found::Stale(_) | Found::Nothing | Found::Bypassed(_) => return read("miss", Some(flight)),
                    },
                    Found::Stale(_) | Found::Nothing | Found::Bypassed(_) => return read("miss", Some(flight)),
                }
            }
        };
        // The member's row, as it is now.
        let permissions = Sql::new("select pg_catalog.current_setting('app.permissions', true)");
        let opened = Box::pin(api.database().run_short(grant, context, permissions)).await?;
        let said = opened.rows.first().map(|row| row.try_get(0)).transpose().map_err(Error::internal)?.flatten();
        let now = Rights::of(&opened.opened, said);
        if now.as_ref() != Some(&*rights) {
            self.remember(now).await;
            return read("miss", None);
        }
        cache.count(table, "hit");
        again(api, planned, &entry, how).map(Asked::Kept)
    }

    /// Looks whether another server has the answer. Whether that counts is asked as of any other.
    async fn fetched(&self, api: &DataApi, rights: &Rights, key: Key, planned: Planned<'_>) -> bool {
        let Some(shared) = self.store.shared.get() else { return false };
        let statement = query::statement(planned.plan, planned.request);
        let Some(name) = Box::pin(shared.name(api, self, rights, &statement)).await else { return false };
        let Some(reading) = shared.fetch(&name, (self.kept, rights)).await else { return false };
        self.store.cache().keep(key, reading).await;
        true
    }

    /// Reads the answer and keeps it.
    pub(crate) async fn read(
        &self,
        turn: Turn,
        (api, grant, context): (&DataApi, &Grant, &RequestContext),
        planned: Planned<'_>,
    ) -> Result<Option<Answered>> {
        let Planned { request, plan } = planned;
        let plain = query::statement(plan, request);
        if let Some(guard) = api.guard(grant.principal().database_role(), &plain)
            && !guard.is_known_to_allow().await
        {
            return Ok(None);
        }
        let shared = self.store.shared.get().map(|shared| (shared, plain.clone(), self.store.cache().opening()));
        // In the same statement, so that it is the snapshot of what is read.
        let mut statement =
            Sql::new("select answer.*, pg_catalog.pg_current_snapshot()::text, pg_catalog.current_setting('app.permissions', true) from (");
        statement.append(plain).text(") answer");
        let begun = Instant::now();
        let given = Box::pin(api.database().run(grant, context, Access::Read, statement)).await?;
        let row = given.rows.first();
        let outcome = Outcome::of(row)?;
        let row = row.ok_or_else(|| Error::internal("the statement gave no row"))?;
        let end = row.len();
        let text = |from_end: usize| row.try_get::<_, Option<String>>(end.saturating_sub(from_end)).map_err(Error::internal);
        let seen = text(2)?;
        let (snapshot, rights) = (seen.as_deref().and_then(Snapshot::parse), Rights::of(&given.opened, text(1)?));
        self.store.cache().count(self.name, turn.why);
        let etag = etag(&outcome);
        let (Some(rights), Some(snapshot)) = (self.remember(rights).await, snapshot) else {
            return answered(api, planned, outcome).map(Some);
        };
        if !rights.reads_all(self.noun) || outcome.headers.is_some() || outcome.status.is_some() {
            return answered(api, planned, outcome).map(Some);
        }
        let tags = shared::tags(self.kept, &rights);
        let bytes = outcome.body.as_deref().map_or(0, str::len).saturating_add(self.text.len());
        let value = Stored { outcome: outcome.clone(), etag: Arc::clone(&etag) };
        if let (Some((shared, statement, opening)), Some(seen)) = (shared, seen)
            && let Some(name) = Box::pin(shared.name(api, self, &rights, &statement)).await
            && opening == self.store.cache().opening()
        {
            shared.keep(name, &value, seen, self.kept.life);
        }
        self.store.cache().keep(self.key(&rights), Reading { value, bytes, snapshot, tags, read: begun, life: self.kept.life }).await;
        let mut given = answered(api, planned, outcome)?;
        let status = match turn.why {
            "miss" => "thorbis; fwd=miss; stored".to_owned(),
            "stale" => "thorbis; fwd=stale; stored".to_owned(),
            why => format!("thorbis; fwd=bypass; detail={why}"),
        };
        tell(&mut given.response, &etag, &status, None);
        Ok(Some(given))
    }

    /// Remembers what somebody may, to look in the right place the next time.
    async fn remember(&self, rights: Option<Rights>) -> Option<Arc<Rights>> {
        let Some(rights) = rights.map(Arc::new) else {
            self.store.seen.invalidate(&self.who).await;
            return None;
        };
        self.store.seen.insert(self.who, Arc::clone(&rights)).await;
        Some(rights)
    }

    fn key(&self, rights: &Rights) -> Key {
        let mut digest = Context::new(&SHA256);
        for part in [&rights.company.to_string(), rights.member_role.as_deref().unwrap_or_default(), &rights.permissions, &self.text] {
            digest.update(&part.len().to_be_bytes());
            digest.update(part.as_bytes());
        }
        let mut key = Key::default();
        key.copy_from_slice(digest.finish().as_ref());
        key
    }
}

/// Gives what was kept.
fn again(api: &DataApi, planned: Planned<'_>, entry: &Entry<Stored>, how: &str) -> Result<Answered> {
    let Stored { outcome, etag } = &entry.value;
    let mut given = answered(api, planned, outcome.clone())?;
    tell(&mut given.response, etag, &format!("thorbis; {how}"), Some(entry.age().as_secs()));
    Ok(given)
}

/// Names the answer: another one has another name.
fn etag(outcome: &Outcome) -> Arc<str> {
    let mut digest = Context::new(&SHA256);
    digest.update(format!("{:?} {} {:?} ", outcome.total, outcome.rows, outcome.location).as_bytes());
    digest.update(outcome.body.as_deref().unwrap_or_default().as_bytes());
    let digest = digest.finish();
    let half = digest.as_ref().first_chunk().copied().map_or(0, u128::from_be_bytes);
    // Weak: compressed or not it is the same answer.
    format!("W/\"{half:032x}\"").into()
}

/// Says how the answer came about. Whoever keeps it asks before he uses it: rights may be gone.
fn tell(response: &mut Response, etag: &str, status: &str, age: Option<u64>) {
    if !response.status().is_success() || !response::has_rows(response) {
        return;
    }
    let headers = response.headers_mut();
    for (name, value) in [(ETAG, etag), (CACHE_STATUS, status), (CACHE_CONTROL, "private, no-cache")] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    if let Some(age) = age {
        headers.insert(AGE, age.into());
    }
}

/// Answers only that nothing changed, where the client has the answer.
pub(crate) fn not_modified(asked: &Parts, mut response: Response) -> Response {
    if !matches!(asked.method, Method::GET | Method::HEAD) {
        return response;
    }
    let Some(etag) = response.headers().get(ETAG).and_then(|value| value.to_str().ok()) else { return response };
    let named = asked.headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let weak = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    if !response.status().is_success() || !named.map(weak).any(|tag| tag == "*" || tag == weak(etag)) {
        return response;
    }
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    *response.body_mut() = Body::empty();
    for name in [CONTENT_TYPE, CONTENT_LENGTH] {
        response.headers_mut().remove(name);
    }
    response
}
