//! Who is present in channels of companies, written down as rows, for whoever asks by SQL (`shared.presence`).
//!
//! Invariant: what sockets hear never waits for it. The rows are of this server alone, and go when it is not heard of any more.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::{Authority, CompanyId, Error, Grant, RequestContext, Result};
use postgres::{Access, Database, Sql};
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::RealtimeConfig;
use crate::hub::Hub;
use crate::told::Topic;

/// How often this server is heard of, though nobody comes or goes: it counts as gone after a minute.
const BEAT: Duration = Duration::from_secs(20);
/// Rows of one statement.
const BATCH: usize = 500;

/// Writes them down.
#[derive(Debug)]
pub(crate) struct Ledger {
    database: Database,
    authority: Arc<Authority>,
    hub: Arc<Hub>,
    interval: Duration,
}

impl Ledger {
    pub(crate) fn new((database, authority): (Database, Arc<Authority>), hub: Arc<Hub>, config: &RealtimeConfig) -> Self {
        Self { database, authority, hub, interval: Duration::from_millis(config.presence_rows_ms) }
    }

    /// Writes down who comes and goes, until the sockets are closed.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        if !self.interval.is_zero() {
            stop.run_until_cancelled(self.follow()).await;
        }
    }

    /// Takes everybody of this server out.
    pub(crate) async fn farewell(&self) {
        if self.interval.is_zero() {
            return;
        }
        if let Err(error) = self.forget().await {
            tracing::debug!(code = error.code(), "who was present is not taken out: {}", error.message());
        }
    }

    async fn follow(&self) {
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut written, mut is_stale, mut at) = (HashSet::new(), false, Instant::now());
        // Whether nobody knows what was written: an answer may be lost and its rows there.
        let mut is_unsure = false;
        loop {
            ticks.tick().await;
            is_stale |= self.hub.take_changed();
            let is_due = !written.is_empty() && at.elapsed() >= BEAT;
            if !is_stale && !is_due {
                continue;
            }
            match self.bring(&mut written, is_unsure).await {
                Ok(is_known) => {
                    is_unsure = false;
                    // Nothing was known of this server any more: all of it is said anew.
                    is_stale = !is_known && !written.is_empty();
                    if is_stale {
                        written.clear();
                    }
                    at = Instant::now();
                }
                Err(error) => {
                    written.clear();
                    (is_stale, is_unsure) = (true, true);
                    tracing::debug!(code = error.code(), "who is present is not written down: {}", error.message());
                }
            }
        }
    }

    /// Brings the rows to what is so now. Returns whether this server was known before, as far as that matters.
    async fn bring(&self, written: &mut HashSet<Box<str>>, is_unsure: bool) -> Result<bool> {
        if is_unsure {
            self.forget().await?;
        }
        let (people, was_empty) = (self.hub.people_here(|topic| company_of(topic).is_some()), written.is_empty());
        let here: HashSet<&str> = people.iter().map(|(.., entry)| &*entry.reference).collect();
        let leaves: Vec<&str> = written.iter().map(|reference| &**reference).filter(|reference| !here.contains(reference)).collect();
        let joins: Vec<Value> = people
            .iter()
            .filter(|(.., entry)| !written.contains(&entry.reference))
            .filter_map(|(topic, user, entry)| {
                let company = company_of(topic)?;
                let (company, user) = (company.0, user.0);
                Some(json!({ "company_id": company, "reference": entry.reference, "user_id": user, "channel": topic.name, "metadata": meta(&entry.json) }))
            })
            .collect();
        if joins.is_empty() && leaves.is_empty() && was_empty {
            return Ok(true);
        }
        let mut is_known = self.note(joins.get(..BATCH.min(joins.len())).unwrap_or_default(), &leaves).await?;
        for more in joins.get(BATCH..).unwrap_or_default().chunks(BATCH) {
            is_known &= self.note(more, &[]).await?;
        }
        *written = people.iter().map(|(.., entry)| entry.reference.clone()).collect();
        Ok(is_known || was_empty)
    }

    async fn forget(&self) -> Result<()> {
        let mut sql = Sql::new("select app.forget_presences(");
        sql.bind(self.hub.node()).text("::uuid)");
        self.ask(sql).await.map(drop)
    }

    async fn note(&self, joins: &[Value], leaves: &[&str]) -> Result<bool> {
        let mut sql = Sql::new("select app.note_presences(");
        sql.bind(self.hub.node()).text("::uuid, ").bind(Value::from(joins).to_string()).text("::jsonb, ");
        sql.bind(Value::from(leaves).to_string()).text("::jsonb) as is_known");
        let rows = self.ask(sql).await?;
        rows.first().map_or(Ok(false), |row| row.try_get("is_known").map_err(Error::internal))
    }

    async fn ask(&self, sql: Sql) -> Result<Vec<postgres::Row>> {
        #[expect(clippy::disallowed_methods, reason = "the server itself writes down who is present with it")]
        let grant = Grant::system(&self.authority, None, "writes down who is present");
        Ok(self.database.run(&grant, &RequestContext::default(), Access::Write, sql).await?.rows)
    }
}

/// Returns whose channel a topic is, where it is one of a company.
fn company_of(topic: &Topic) -> Option<CompanyId> {
    let (company, name) = topic.name.strip_prefix("company:")?.split_once(':')?;
    let company = company.parse::<Uuid>().ok()?;
    (topic.is_private && !name.is_empty()).then_some(CompanyId(company))
}

/// Returns what a client tracks, without what the channel calls it. Of NUL, which no text of PostgreSQL has, nothing stays: one client would
/// keep all others from being written down.
fn meta(json: &str) -> Value {
    let mut meta = without_nul(serde_json::from_str(json).unwrap_or_default());
    if let Some(fields) = meta.as_object_mut() {
        fields.retain(|name, _| name != "phx_ref" && name != "phx_ref_prev");
    }
    meta
}

fn without_nul(value: Value) -> Value {
    match value {
        Value::String(text) => text.replace('\0', "").into(),
        Value::Array(items) => items.into_iter().map(without_nul).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name.replace('\0', ""), without_nul(value))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_of_companies_are_known_by_their_names() {
        let company = "01900000-0000-7000-8000-00000000a000";
        let of = |is_private, name: String| company_of(&Topic { is_private, name: name.into() }).map(|company| company.0.to_string());
        assert_eq!(of(true, format!("company:{company}:board")).as_deref(), Some(company));
        for (is_private, name) in [
            (false, format!("company:{company}:board")),
            (true, format!("company:{company}")),
            (true, "company:x:board".to_owned()),
            (true, "room".to_owned()),
        ] {
            assert_eq!(of(is_private, name), None);
        }
        assert_eq!(meta(r#"{"phx_ref":"a","phx_ref_prev":"b","status":"away"}"#), json!({ "status": "away" }));
        assert_eq!(meta(r#"{"status":"a\u0000b"}"#), json!({ "status": "ab" }));
        assert_eq!(meta(r#"{"status":"a\\u0000b"}"#), json!({ "status": "a\\u0000b" }), "a backslash and letters are no NUL");
    }
}
