//! `/webhooks/v1/{provider}`: what other programs tell this server.
//!
//! Invariant: a call is answered with 2xx only once it is written down, and is written down once however often it comes. What it says is
//! done afterwards, in a transaction of its own that also notes that it is done; what cannot be done yet is tried again. Who guesses at
//! signatures is counted by his address, and takes nothing from a provider who calls from the same one.

mod config;
mod rates;
mod verify;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, OriginalUri, Path, State};
use axum::routing::post;
use axum::{Json, Router};
use http::HeaderMap;
use http::request::Parts;
use jiff::Timestamp;
use kernel::{Error, Kind, Result};
use postgres::{Row, Sql, Tx};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Messaging;

use config::pairs;
pub use config::{ClerkConfig, InboundConfig, OtherConfig, SignedConfig, StripeConfig, TwilioConfig};
use verify::{Call, Told};

/// Returns the route, to be mounted at `/webhooks/v1`. It knows its callers by their signatures.
pub fn router(messaging: Messaging) -> Router {
    let body_bytes_max = messaging.config().inbound.body_bytes_max;
    Router::new().route("/{provider}", post(receive)).layer(DefaultBodyLimit::max(body_bytes_max)).with_state(messaging)
}

/// A call that was written down.
struct Kept {
    id: Uuid,
    provider: String,
    attempts: i32,
}

async fn receive(
    State(messaging): State<Messaging>,
    OriginalUri(uri): OriginalUri,
    Path(provider): Path<String>,
    parts: Parts,
    body: std::result::Result<Bytes, BytesRejection>,
) -> Result<Json<Value>> {
    let body = body.map_err(|rejection| Error::new(Kind::TooLarge, "webhook_too_large", "The call is too large").with_source(rejection))?;
    let now = messaging.now();
    let told = match understood(&messaging, &provider, &uri, &parts.headers, &body) {
        Ok(told) => told,
        Err(refused) => {
            metrics::counter!("inbound_webhooks_total", "result" => "refused").increment(1);
            return Err(rates::stranger(messaging.limiter(), parts.extensions.get().copied(), refused).await);
        }
    };
    rates::provider(&messaging, &provider, now).await?;
    let is_new = keep(&messaging, &provider, &told, now).await?;
    if is_new {
        messaging.wake();
    }
    metrics::counter!("inbound_webhooks_total", "result" => if is_new { "kept" } else { "repeated" }).increment(1);
    Ok(Json(json!({ "received": true })))
}

/// Returns what a call says, if it is signed by whom its path names.
fn understood(messaging: &Messaging, provider: &str, uri: &http::Uri, headers: &HeaderMap, body: &[u8]) -> Result<Told> {
    let config = &messaging.config().inbound;
    let call = Call { headers, body, now: messaging.now(), tolerance_seconds: config.tolerance_seconds };
    let told = match provider {
        "clerk" => known(&config.clerk.secrets)?.and_then(|secrets| verify::standard(call, secrets)),
        "resend" => known(&config.resend.secrets)?.and_then(|secrets| verify::standard(call, secrets)),
        "stripe" => known(&config.stripe.secrets)?.and_then(|secrets| verify::stripe(call, secrets)),
        "twilio" => {
            let url = format!("{}{}", messaging.public_url().trim_end_matches('/'), uri.path_and_query().map_or("", |path| path.as_str()));
            known(&config.twilio.tokens)?.and_then(|tokens| verify::twilio(call, &url, tokens))
        }
        other => match config.others.iter().find(|known| known.name == other) {
            Some(other) => known(&other.secrets)?.and_then(|secrets| verify::standard(call, secrets)),
            None => return Err(unknown()),
        },
    };
    told.ok_or_else(|| {
        Error::new(Kind::BadRequest, "webhook_signature_invalid", "The signature of this call is not right, or it is too old")
    })
}

fn known<T>(secrets: &[T]) -> Result<Option<&[T]>> {
    if secrets.is_empty() { Err(unknown()) } else { Ok(Some(secrets)) }
}

fn unknown() -> Error {
    Error::new(Kind::NotFound, "webhook_provider_unknown", "Nobody of this name is listened to")
}

/// Writes a call down; tells whether it is the first time that it came.
async fn keep(messaging: &Messaging, provider: &str, told: &Told, now: Timestamp) -> Result<bool> {
    let tx = messaging.begin("keeps what a provider told").await?;
    let mut sql = Sql::new("select app.keep_inbound_event(");
    sql.bind(provider).text("::text, ").bind(told.key.as_str()).text("::text, ").bind(told.event.as_str()).text("::text, ");
    sql.bind(told.said_at.unwrap_or(now)).text("::timestamptz, ").bind(&told.payload).text("::jsonb, ").bind(now);
    sql.text("::timestamptz) as is_new");
    let is_new = tx.query_one(sql).await?.try_get("is_new").map_err(Error::internal)?;
    tx.commit().await?;
    Ok(is_new)
}

impl Messaging {
    /// Does what providers told, as far as it can be done; returns how many of their calls are settled.
    pub async fn pass_inbound(&self) -> Result<usize> {
        let config = &self.config().inbound;
        let tx = self.begin("looks for what providers told").await?;
        let due = due(&tx, self.now(), config.batch_rows).await?;
        tx.commit().await?;
        let mut settled = 0;
        for kept in due {
            settled += usize::from(self.use_one(&kept).await?);
        }
        Ok(settled)
    }

    /// Does one. What goes wrong with it undoes all that it did, and is noted in a transaction of its own.
    async fn use_one(&self, kept: &Kept) -> Result<bool> {
        let config = &self.config().inbound;
        let settings = match kept.provider.as_str() {
            "clerk" => json!({ "prefix": config.clerk.prefix, "roles": pairs(&config.clerk.roles) }),
            "stripe" => json!({ "tiers": pairs(&config.stripe.tiers) }),
            _ => json!({}),
        };
        let tx = self.begin("does what a provider told").await?;
        let mut sql = Sql::new("select app.use_inbound_event(");
        sql.bind(kept.id).text("::uuid, ").bind(kept.attempts).text("::integer, ").bind(settings).text("::jsonb, ").bind(self.now());
        sql.text("::timestamptz) as outcome");
        let outcome: Result<Option<String>> = match tx.query_one(sql).await {
            Ok(row) => row.try_get("outcome").map_err(Error::internal),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(outcome) if outcome.as_deref() != Some("waits") => {
                tx.commit().await?;
                Ok(outcome.is_some())
            }
            not_done => {
                tx.rollback().await?;
                let reason = match not_done {
                    Ok(_) => "what it speaks of is not known yet".to_owned(),
                    Err(error) => {
                        tracing::warn!(provider = kept.provider, code = error.code(), id = %kept.id, "a provider's call could not be used");
                        format!("{}: {}", error.code(), error.message())
                    }
                };
                self.put_off(kept, &reason).await?;
                Ok(false)
            }
        }
    }

    async fn put_off(&self, kept: &Kept, reason: &str) -> Result<()> {
        let tx = self.begin("puts off what a provider told").await?;
        let mut sql = Sql::new("select app.put_off_inbound_event(");
        sql.bind(kept.id).text("::uuid, ").bind(kept.attempts).text("::integer, ").bind(reason).text("::text, ");
        sql.bind(self.config().inbound.attempts_max).text("::integer, ").bind(self.now()).text("::timestamptz)");
        tx.query_one(sql).await?;
        tx.commit().await
    }
}

async fn due(tx: &Tx, now: Timestamp, limit: u32) -> Result<Vec<Kept>> {
    let mut sql = Sql::new("select e.id, e.provider, e.attempts from app.inbound_events e where e.status = 'pending' and e.due_at <= ");
    sql.bind(now).text("::timestamptz order by e.said_at, e.id limit ").bind(limit).text("::integer");
    let kept = |row: &Row| {
        Ok(Kept {
            id: row.try_get("id").map_err(Error::internal)?,
            provider: row.try_get("provider").map_err(Error::internal)?,
            attempts: row.try_get("attempts").map_err(Error::internal)?,
        })
    };
    tx.query(sql).await?.iter().map(kept).collect()
}
