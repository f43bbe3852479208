//! The keys of one issuer: fetched when they are needed, and kept.
//!
//! Invariant: between two fetches lies a time, whatever tokens come, and never two are under way at once. Keys that are known are used
//! on while the issuer does not answer, for a while.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use kernel::{Error, Kind, Result};
use outbound::http::{Call, Http, NamedBy};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use url::Url;

use super::config::{IssuerConfig, IssuersConfig, is_fetched_from};
use crate::alone::KeySet;

/// Keys in one set.
const KEYS_MAX: usize = 100;
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// Where keys are.
enum Source {
    Url(String),
    File(PathBuf),
    /// The issuer says it.
    Discovery(String),
}

/// The keys of one issuer.
pub(super) struct IssuerKeys {
    source: Source,
    http: Http,
    keys_seconds: i64,
    refetch_seconds: i64,
    stale_seconds: i64,
    known: ArcSwapOption<Known>,
    /// When keys were last asked for, in seconds. Held while they are fetched.
    asked_at: Mutex<Option<i64>>,
}

/// Keys as they were read.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) set: KeySet,
    /// Counts changes: what earlier keys vouched for is not remembered.
    pub(super) generation: u64,
    text: String,
    read_at: i64,
}

impl IssuerKeys {
    pub(super) fn new(issuer: &IssuerConfig, config: &IssuersConfig, http: Http) -> Self {
        let source = match (&issuer.jwks_file, &issuer.jwks_url) {
            (Some(file), _) => Source::File(file.clone()),
            (None, Some(url)) => Source::Url(url.clone()),
            (None, None) => Source::Discovery(issuer.issuer.clone()),
        };
        Self {
            source,
            http,
            keys_seconds: config.keys_seconds.into(),
            refetch_seconds: config.refetch_seconds.into(),
            stale_seconds: config.stale_seconds.into(),
            known: ArcSwapOption::empty(),
            asked_at: Mutex::new(None),
        }
    }

    /// Returns the keys, fetched anew where they are too old.
    pub(super) async fn current(&self, now: Timestamp) -> Result<Arc<Known>> {
        let now = now.as_second();
        let known = self.known.load_full();
        if let Some(known) = known.as_ref().filter(|known| now < known.read_at + self.keys_seconds) {
            return Ok(Arc::clone(known));
        }
        let usable = known.filter(|known| now < known.read_at + self.keys_seconds + self.stale_seconds);
        let mut asked_at = match (self.asked_at.try_lock(), &usable) {
            (Ok(asked_at), _) => asked_at,
            // Somebody fetches them already, and the old ones are good enough.
            (Err(_), Some(known)) => return Ok(Arc::clone(known)),
            (Err(_), None) => self.asked_at.lock().await,
        };
        if let Some(fresh) = self.known.load_full().filter(|known| now < known.read_at + self.keys_seconds) {
            return Ok(fresh);
        }
        self.fetch_unless_just_done(&mut asked_at, now).await;
        let found = self.known.load_full().filter(|known| now < known.read_at + self.keys_seconds + self.stale_seconds);
        found.ok_or_else(|| {
            let error = Error::new(Kind::Unavailable, "issuer_unavailable", "The keys of this token's issuer cannot be read");
            error.with_retry_after(u32::try_from(self.refetch_seconds).unwrap_or(60))
        })
    }

    /// Returns other keys than these, which a token's was not among: if there are any, and the last fetch is long enough ago.
    pub(super) async fn others(&self, seen: u64, now: Timestamp) -> Option<Arc<Known>> {
        let mut asked_at = self.asked_at.lock().await;
        let known = self.known.load_full();
        if let Some(known) = known.filter(|known| known.generation != seen) {
            return Some(known);
        }
        self.fetch_unless_just_done(&mut asked_at, now.as_second()).await;
        self.known.load_full().filter(|known| known.generation != seen)
    }

    async fn fetch_unless_just_done(&self, asked_at: &mut Option<i64>, now: i64) {
        if asked_at.is_some_and(|asked_at| (asked_at..asked_at + self.refetch_seconds).contains(&now)) {
            return;
        }
        *asked_at = Some(now);
        match self.fetch().await.and_then(|text| read(&text).map(|set| (set, text))) {
            Ok((set, text)) => {
                let before = self.known.load_full();
                let generation = match &before {
                    Some(before) if before.text == text => before.generation,
                    Some(before) => before.generation.wrapping_add(1),
                    None => 0,
                };
                self.known.store(Some(Arc::new(Known { set, generation, text, read_at: now })));
            }
            Err(reason) => {
                metrics::counter!("auth_issuer_fetches_failed_total").increment(1);
                tracing::warn!(source = self.name(), "the keys of an issuer cannot be read: {reason}");
            }
        }
    }

    fn name(&self) -> &str {
        match &self.source {
            Source::Url(url) | Source::Discovery(url) => url,
            Source::File(path) => path.to_str().unwrap_or_default(),
        }
    }

    async fn fetch(&self) -> std::result::Result<String, String> {
        match &self.source {
            Source::Url(url) => self.get(url).await,
            Source::File(path) => tokio::fs::read_to_string(path).await.map_err(|error| error.to_string()),
            Source::Discovery(issuer) => {
                let document = self.get(&format!("{}{DISCOVERY}", issuer.trim_end_matches('/'))).await?;
                let document: Value = serde_json::from_str(&document).map_err(|error| format!("the discovery document: {error}"))?;
                if document.get("issuer").and_then(Value::as_str) != Some(issuer) {
                    return Err("the discovery document names another issuer".to_owned());
                }
                let url = document.get("jwks_uri").and_then(Value::as_str).filter(|url| is_fetched_from(url));
                self.get(url.ok_or("the discovery document names no https address of keys")?).await
            }
        }
    }

    async fn get(&self, url: &str) -> std::result::Result<String, String> {
        let url = Url::parse(url).map_err(|error| error.to_string())?;
        let answer = self.http.send(Call::get(&url, NamedBy::Operator)).await.map_err(|fault| fault.to_string())?;
        if answer.status != http::StatusCode::OK {
            return Err(format!("it answered {}", answer.status));
        }
        String::from_utf8(answer.body).map_err(|_not_utf8| "the answer is no text".to_owned())
    }
}

/// Reads a set of keys; shared secrets among them count for nothing.
fn read(text: &str) -> std::result::Result<KeySet, String> {
    let document: Value = serde_json::from_str(text).map_err(|error| format!("no set of keys: {error}"))?;
    let listed = document.get("keys").and_then(Value::as_array).ok_or("no set of keys")?;
    if listed.len() > KEYS_MAX {
        return Err(format!("more than {KEYS_MAX} keys"));
    }
    let is_public = |key: &&Value| matches!(key.get("kty").and_then(Value::as_str), Some("RSA" | "EC" | "OKP"));
    let public: Vec<&Value> = listed.iter().filter(is_public).collect();
    KeySet::read(&json!({ "keys": public }).to_string(), false).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_secret_in_a_set_is_no_key() {
        let secret = json!({ "kty": "oct", "kid": "1", "k": "c2VjcmV0LXRoYXQtaXMtbG9uZy1lbm91Z2gtZm9yLWhtYWM", "alg": "HS256" });
        assert!(read(&json!({ "keys": [secret] }).to_string()).is_err());
        for odd in ["", "[]", "{}", "{\"keys\": {}}"] {
            assert!(read(odd).is_err(), "{odd}");
        }
        assert!(read(&json!({ "keys": vec![json!({}); 101] }).to_string()).unwrap_err().contains("more than 100"));
    }
}
