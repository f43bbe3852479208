//! `GET /sse`: the same by server-sent events, for programs that have plain HTTP alone. They hear and do not speak.
//!
//! Invariant: what is asked for goes through the same join as on a socket; whoever may join none of it is refused by the HTTP status.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::ws::Message;
use axum::extract::{FromRequestParts, Query, Request, State};
use axum::response::Response;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use kernel::{Error, Kind, Result};
use serde_json::{Map, Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::Realtime;
use crate::caller::Shown;
use crate::connect::{self, Guest};
use crate::outbox::Outbox;
use crate::socket;
use crate::wire::PREFIX;

const LAST: &str = "last-event-id";

/// What somebody asks for.
#[derive(Debug, Default)]
struct Asked {
    shown: Shown,
    topics: Vec<String>,
    token: Option<String>,
    is_private: bool,
    has_presence: bool,
    /// The bindings to changed rows, for the first channel.
    bindings: Vec<Value>,
}

/// What the answer's body is made of.
struct Reading {
    outbox: Arc<Outbox>,
    alive: Duration,
    is_over: bool,
    /// Ends the channels with the answer.
    _until: DropGuard,
}

/// Listens.
pub(crate) async fn listen(State(realtime): State<Realtime>, request: Request) -> Response {
    let (mut parts, _body) = request.into_parts();
    let query: Result<Query<Vec<(String, String)>>, QueryRejection> = Query::from_request_parts(&mut parts, &realtime).await;
    let asked = match query {
        Ok(Query(pairs)) => Asked::read(pairs, &parts.headers),
        Err(rejection) => return connect::malformed(&rejection),
    };
    match begin(realtime, &parts, asked).await {
        Ok(response) => response,
        Err(error) => connect::refused(&error),
    }
}

async fn begin(realtime: Realtime, parts: &Parts, asked: Result<Asked>) -> Result<Response> {
    let asked = asked?;
    if asked.topics.is_empty() {
        return Err(invalid("topic is missing: say which channel, once or more"));
    }
    let guest: Guest = connect::admit(&realtime, parts, &asked.shown).await?;
    let alive = Duration::from_millis(realtime.config().events_alive_ms);
    let since = parts.headers.get(LAST).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let joins = asked.topics.iter().enumerate().map(|(place, topic)| {
        let name = topic.strip_prefix(PREFIX).unwrap_or(topic);
        let (bindings, since) = if place == 0 { (asked.bindings.clone(), since.clone()) } else { (Vec::new(), None) };
        let presence = json!({ "enabled": asked.has_presence });
        let config = json!({ "private": asked.is_private, "presence": presence, "postgres_changes": bindings, "since": since });
        (format!("{PREFIX}{name}"), json!({ "config": config, "access_token": asked.token }).to_string())
    });
    let until = CancellationToken::new();
    let outbox = socket::listen(realtime, guest, joins.collect(), until.clone()).await?;
    let reading = Reading { outbox, alive, is_over: false, _until: until.drop_guard() };
    let body = Body::from_stream(futures_util::stream::unfold(reading, next));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

async fn next(mut reading: Reading) -> Option<(Result<Bytes, Infallible>, Reading)> {
    if reading.is_over {
        return None;
    }
    let taken = tokio::time::timeout(reading.alive, reading.outbox.next()).await;
    let Ok(taken) = taken else { return Some((Ok(Bytes::from_static(b": alive\n\n")), reading)) };
    reading.is_over = taken.is_last;
    let mut text = String::new();
    for message in &taken.messages {
        if let Message::Text(said) = message {
            text.push_str(said.as_str());
        }
    }
    Some((Ok(text.into()), reading))
}

impl Asked {
    fn read(pairs: Vec<(String, String)>, headers: &HeaderMap) -> Result<Self> {
        let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|text| text.split_once(' '));
        let mut asked = Self { token: bearer.map(|(_, token)| token.trim().to_owned()), ..Self::default() };
        let mut binding = Map::new();
        for (name, value) in pairs {
            match name.as_str() {
                "topic" => asked.topics.push(value),
                "apikey" => asked.shown.apikey = Some(value),
                "company" => asked.shown.company = Some(value),
                "access_token" => asked.token = Some(value),
                "private" => asked.is_private = is_true(&value)?,
                "presence" => asked.has_presence = is_true(&value)?,
                "select" => {
                    let names = value.split(',').map(|name| name.trim().into());
                    binding.insert(name, Value::Array(names.collect()));
                }
                "schema" | "table" | "event" | "filter" => _ = binding.insert(name, value.into()),
                "postgres_changes" => match serde_json::from_str(&value) {
                    Ok(Value::Array(bindings)) => asked.bindings.extend(bindings),
                    _ => return Err(invalid("postgres_changes is a list, as JSON")),
                },
                _ => return Err(invalid(&format!("There is no parameter {name}"))),
            }
        }
        if !binding.is_empty() {
            asked.bindings.push(Value::Object(binding));
        }
        Ok(asked)
    }
}

fn is_true(value: &str) -> Result<bool> {
    value.parse().map_err(|_not_one| invalid("private and presence are true or false"))
}

fn invalid(message: &str) -> Error {
    Error::new(Kind::BadRequest, "realtime_query_invalid", message.to_owned())
}
