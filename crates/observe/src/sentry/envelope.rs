//! An error or a request as Sentry takes it: an envelope of lines of JSON.
//!
//! Invariant: of a request there are method, route and ids; no header, cookie, address, query or body is ever put in.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use super::scrub;
use crate::fields::Fields;

/// Fields that are told as they are: ids and words of our own.
pub(crate) const PLAIN: &[&str] = &["request_id", "user_id", "company_id", "code", "status", "route", "method", "kind", "task_id"];
/// Fields that are never told.
pub(crate) const NEVER: &[&str] = &["peer", "client", "path", "headers", "cookie", "authorization", "query", "body"];

/// Where envelopes go, and what lets them in.
#[derive(Clone, Debug)]
pub(crate) struct Dsn {
    /// Where they are posted.
    pub(crate) url: Url,
    key: String,
}

impl Dsn {
    /// Reads `https://KEY@HOST/PROJECT`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let dsn = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())?;
        let key = Some(dsn.username()).filter(|key| !key.is_empty())?.to_owned();
        let (before, project) = dsn.path().rsplit_once('/').filter(|(_, project)| !project.is_empty())?;
        let mut url = dsn.clone();
        let path = format!("{before}/api/{project}/envelope/");
        url.set_path(&path);
        url.set_query(None);
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
        Some(Self { url, key })
    }

    /// Returns the header that lets in.
    pub(crate) fn shown(&self) -> String {
        format!("Sentry sentry_version=7, sentry_client=thorbis/1, sentry_key={}", self.key)
    }
}

/// What every envelope says of the server.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub(crate) release: String,
    pub(crate) environment: String,
}

impl About {
    /// Returns an error's envelope.
    pub(crate) fn error(&self, target: &str, message: &str, fields: &Fields) -> String {
        let mut event = self.common(fields, unix_now());
        event.insert("level".to_owned(), json!("error"));
        event.insert("logger".to_owned(), json!(target));
        event.insert("message".to_owned(), json!({ "formatted": scrub::text(message) }));
        event.insert("extra".to_owned(), Value::Object(extra(fields)));
        envelope("event", event)
    }

    /// Returns a request's envelope.
    pub(crate) fn request(&self, name: &str, taken: Duration, fields: &Fields) -> String {
        let ended = unix_now();
        let mut event = self.common(fields, ended);
        event.insert("type".to_owned(), json!("transaction"));
        event.insert("transaction".to_owned(), json!(name));
        event.insert("start_timestamp".to_owned(), json!(ended - taken.as_secs_f64()));
        let trace = json!({ "trace": { "trace_id": Uuid::new_v4().simple().to_string(), "span_id": &Uuid::new_v4().simple().to_string()[..16], "op": "http.server" } });
        let contexts = event.entry("contexts").or_insert_with(|| json!({}));
        if let (Some(contexts), Value::Object(trace)) = (contexts.as_object_mut(), trace) {
            contexts.extend(trace);
        }
        envelope("transaction", event)
    }

    fn common(&self, fields: &Fields, now: f64) -> Fields {
        let mut event = Fields::new();
        event.insert("event_id".to_owned(), json!(Uuid::new_v4().simple().to_string()));
        event.insert("timestamp".to_owned(), json!(now));
        event.insert("platform".to_owned(), json!("rust"));
        event.insert("release".to_owned(), json!(self.release));
        event.insert("environment".to_owned(), json!(self.environment));
        if let Some(id) = fields.get("user_id") {
            event.insert("user".to_owned(), json!({ "id": id }));
        }
        if let Some(id) = fields.get("company_id") {
            event.insert("contexts".to_owned(), json!({ "company": { "id": id } }));
        }
        let tag = |name: &str| fields.get(name).map(|value| (name.to_owned(), value.clone()));
        let tags: Fields = ["request_id", "route", "status", "code"].into_iter().filter_map(tag).collect();
        event.insert("tags".to_owned(), Value::Object(tags));
        event
    }
}

fn extra(fields: &Fields) -> Fields {
    let told = fields.iter().filter(|(name, _)| !NEVER.contains(&name.as_str()));
    told.map(|(name, value)| match value {
        Value::String(text) if !PLAIN.contains(&name.as_str()) => (name.clone(), Value::String(scrub::text(text))),
        value => (name.clone(), value.clone()),
    })
    .collect()
}

fn envelope(kind: &str, event: Fields) -> String {
    let head = json!({ "event_id": event.get("event_id") });
    format!("{head}\n{}\n{}\n", json!({ "type": kind }), Value::Object(event))
}

fn unix_now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dsn_says_where_and_what_lets_in() {
        let dsn = Dsn::parse("https://abc@o1.ingest.example.com/42").unwrap();
        assert_eq!(dsn.url.as_str(), "https://o1.ingest.example.com/api/42/envelope/");
        assert!(dsn.shown().ends_with("sentry_key=abc"));
        assert_eq!(Dsn::parse("https://abc@example.com/prefix/42").unwrap().url.path(), "/prefix/api/42/envelope/");
        for bad in ["", "https://o1.example.com/42", "https://abc@example.com/", "abc@example.com/1"] {
            assert!(Dsn::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_error_has_its_context_and_nothing_that_lets_in() {
        let about = About { release: "thorbis@1".to_owned(), environment: "production".to_owned() };
        let fields =
            json!({ "user_id": "u1", "company_id": "c1", "request_id": "r1", "client": "203.0.113.7", "source": "no ann@example.com" });
        let text = about.error("server", "token=abc failed", fields.as_object().unwrap());
        let event: Value = serde_json::from_str(text.lines().nth(2).unwrap()).unwrap();
        assert_eq!(
            (&event["user"]["id"], &event["contexts"]["company"]["id"], &event["release"]),
            (&json!("u1"), &json!("c1"), &json!("thorbis@1"))
        );
        assert_eq!((&event["message"]["formatted"], &event["extra"]["source"]), (&json!("token=[secret] failed"), &json!("no [address]")));
        assert!(!text.contains("203.0.113.7"), "{text}");
    }
}
