//! Broadcasts by request: `POST /api/broadcast`, `POST /api/broadcast/{topic}/events/{event}`.
//!
//! Invariant: all messages of a request are told, or none is and the answer says why.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use kernel::{Error, Kind, Result, Subject};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::Realtime;
use crate::caller::{Caller, Entrance, Shown, is_key};
use crate::socket;
use crate::told::{self, Content, Told, Topic};
use crate::wire::{self, NAME_BYTES_MAX, PREFIX};

#[derive(Deserialize)]
struct Several {
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    topic: String,
    event: String,
    #[serde(default)]
    payload: Option<Box<RawValue>>,
    #[serde(default)]
    private: Value,
    /// What its sender calls it.
    #[serde(default)]
    id: Option<String>,
}

/// A message that is to be told.
struct Letter {
    topic: Topic,
    event: String,
    content: Content,
}

/// Several messages.
pub(crate) async fn several(State(realtime): State<Realtime>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let answered = async {
        let caller = who(&realtime, &parts).await?;
        let media = media(&parts.headers);
        if media != "application/json" {
            return Err(unsupported());
        }
        let bytes = read(&realtime, body).await?;
        let Several { messages } = serde_json::from_slice(&bytes).map_err(|error| invalid("messages", &error.to_string()))?;
        let max = realtime.config().request_messages_max;
        if messages.is_empty() || messages.len() > max {
            return Err(invalid("messages", &format!("1 to {max} of them")));
        }
        let letters = messages.into_iter().enumerate().map(|(place, message)| message.letter().map_err(|error| within(error, place)));
        send(&realtime, &caller, letters.collect::<Result<Vec<Letter>>>()?).await
    };
    answer(answered.await)
}

impl Message {
    fn letter(self) -> Result<Letter> {
        let Some(payload) = self.payload.filter(|payload| payload.get().starts_with('{')) else {
            return Err(invalid("payload", "it is an object"));
        };
        let content = match &self.id {
            None => Content::Json(payload.get().into()),
            // The other servers hear of it as it is.
            Some(id) => {
                let meta = format!("{{\"id\":{}}}", wire::quoted(id));
                Content::Whole(told::broadcast_payload(&self.event, payload.get(), &meta, "").into())
            }
        };
        let is_private = is_private(&self.private)?;
        letter((&self.topic, is_private), self.event, content)
    }
}

/// Reads whether a message is private.
fn is_private(said: &Value) -> Result<bool> {
    wire::is_private(said).ok_or_else(|| invalid("private", "it is true or false"))
}

/// Reads it from the address, where a name alone says nothing.
fn is_private_by_query(parts: &Parts) -> Result<bool> {
    let pairs: Query<Vec<(String, String)>> = Query::try_from_uri(&parts.uri).map_err(|error| invalid("query", &error.body_text()))?;
    let mut is_one = false;
    for (_, said) in pairs.0.into_iter().filter(|(name, _)| name == "private") {
        let said = if said.is_empty() { Err(invalid("private", "it is true or false")) } else { is_private(&said.into()) };
        is_one |= said?;
    }
    Ok(is_one)
}

/// Says of a message of several which one it is.
fn within(error: Error, place: usize) -> Error {
    let Some(mut details) = error.details().cloned() else { return error };
    let mut places = vec![json!({}); place];
    places.push(details.clone());
    if let Some(fields) = details.as_object_mut() {
        fields.insert("messages".to_owned(), places.into());
    }
    Error::new(error.kind(), error.code().to_owned(), error.message().to_owned()).with_details(details)
}

/// One message: the body is its payload.
pub(crate) async fn one(State(realtime): State<Realtime>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let path: std::result::Result<Path<(String, String)>, PathRejection> = Path::from_request_parts(&mut parts, &realtime).await;
    let answered = async {
        let caller = who(&realtime, &parts).await?;
        let Path((topic, event)) = path.map_err(|rejection| invalid("path", &rejection.body_text()))?;
        let is_private = is_private_by_query(&parts)?;
        let media = Some(media(&parts.headers)).filter(|media| !media.is_empty()).unwrap_or_else(|| "application/json".to_owned());
        if !matches!(media.as_str(), "application/json" | "application/octet-stream") {
            return Err(unsupported());
        }
        let bytes = read(&realtime, body).await?;
        let content = if media == "application/json" {
            let json: &RawValue = serde_json::from_slice(&bytes).map_err(|error| invalid("payload", &error.to_string()))?;
            Content::Json(json.get().into())
        } else {
            Content::Bytes(bytes)
        };
        send(&realtime, &caller, vec![letter((&topic, is_private), event, content)?]).await
    };
    let answered: Result<()> = answered.await;
    // Clients of this one know it by another word.
    answer(answered.map_err(|error| match error.code() {
        "realtime_write_refused" => Error::new(error.kind(), "realtime_write_refused", "Unauthorized"),
        _ => error,
    }))
}

fn letter((topic, is_private): (&str, bool), event: String, content: Content) -> Result<Letter> {
    let name = topic.strip_prefix(PREFIX).unwrap_or(topic);
    if name.is_empty() || name.len() + PREFIX.len() > NAME_BYTES_MAX {
        return Err(invalid("topic", "1 to 246 bytes"));
    }
    if event.is_empty() || event.len() > NAME_BYTES_MAX {
        return Err(invalid("event", "1 to 255 bytes"));
    }
    if !is_private && socket::is_reserved(name) {
        return Err(Error::new(Kind::Forbidden, "realtime_private_only", "This channel is a private one: send with private"));
    }
    Ok(Letter { topic: Topic { is_private, name: name.into() }, event, content })
}

/// Tells them all, if the caller may send each.
async fn send(realtime: &Realtime, caller: &Arc<Caller>, letters: Vec<Letter>) -> Result<()> {
    let gate = &realtime.0.gate;
    if !matches!(caller.principal.subject(), Subject::Anonymous | Subject::Service) {
        gate.greet(caller).await?;
    }
    for letter in &letters {
        if letter.topic.is_private {
            if !gate.rights(caller, &letter.topic.name).await?.tells_broadcast {
                let message = format!("You do not have permissions to write to this channel: {}", letter.topic.name);
                return Err(Error::new(Kind::Forbidden, "realtime_write_refused", message));
            }
        } else if !realtime.config().public_channels {
            return Err(Error::new(Kind::Forbidden, "realtime_private_only", "This server has private channels only"));
        }
    }
    let usage = realtime.0.quotas.usage(caller.tenant);
    for letter in letters {
        let bytes = match &letter.content {
            Content::Json(json) | Content::Whole(json) => json.len(),
            Content::Bytes(bytes) => bytes.len(),
        };
        let counted = usage.message(bytes);
        counted.map_err(|what| Error::new(Kind::TooManyRequests, "realtime_too_many_messages", what.text()).with_retry_after(1))?;
        realtime.0.nodes.broadcast(&letter.topic, &letter.event, &letter.content);
        realtime.0.hub.tell(&Told::broadcast(letter.topic, &letter.event, letter.content, ""), None);
    }
    Ok(())
}

/// Says that it is there, to whoever looks.
pub(crate) async fn ping() -> Json<Value> {
    Json(json!({ "message": "Success" }))
}

/// Finds out who sends.
pub(crate) async fn who(realtime: &Realtime, parts: &Parts) -> Result<Arc<Caller>> {
    if !realtime.config().enabled {
        return Err(Error::new(Kind::Forbidden, "realtime_disabled", "Realtime is switched off on this server"));
    }
    let refused = |_why| Error::new(Kind::Unauthenticated, "realtime_unauthorized", "Unauthorized");
    let bearer = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|text| text.split_once(' '));
    let bearer = bearer.map(|(_, token)| token.trim());
    // A key that is shown like a token counts before the one beside it.
    let shown = Shown { apikey: bearer.filter(|token| is_key(token)).map(str::to_owned), ..Shown::default() };
    let entrance = Entrance::of(parts, &shown).map_err(refused)?;
    let caller = entrance.caller(&realtime.0.auth, bearer).await;
    caller.map_err(|refusal| {
        let error = refusal.for_data_api();
        if error.status() == StatusCode::UNAUTHORIZED { refused(error) } else { error }
    })
}

async fn read(realtime: &Realtime, body: axum::body::Body) -> Result<bytes::Bytes> {
    let max = realtime.config().frame_bytes_max;
    let bytes = axum::body::to_bytes(body, max).await;
    bytes.map_err(|_cut| Error::new(Kind::TooLarge, "realtime_body_too_large", format!("A request has at most {max} bytes")))
}

fn media(headers: &HeaderMap) -> String {
    let said = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn unsupported() -> Error {
    let message = "Unsupported Media Type. Use application/json or application/octet-stream";
    Error::new(Kind::Status(415), "realtime_media_type", message)
}

fn invalid(field: &str, why: &str) -> Error {
    let message = format!("{field} cannot be used: {why}");
    Error::new(Kind::Unprocessable, "realtime_message_invalid", message).with_details(json!({ field: [why] }))
}

fn answer(sent: Result<()>) -> Response {
    match sent {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(error) => told(&error),
    }
}

/// Answers a refusal as clients of requests read it.
pub(crate) fn told(error: &Error) -> Response {
    let mut body = json!({ "message": error.message(), "code": error.code() });
    if error.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        body = json!({ "error": error.message(), "code": error.code() });
    }
    if let (Some(errors), Some(object)) = (error.details(), body.as_object_mut()) {
        object.insert("errors".to_owned(), errors.clone());
    }
    if error.status().is_server_error() {
        tracing::warn!(code = error.code(), "a request of realtime failed: {}", error.message());
    }
    let mut response = (error.status(), Json(body)).into_response();
    if let Some(seconds) = error.retry_after_seconds() {
        response.headers_mut().insert(http::header::RETRY_AFTER, seconds.into());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_says_private_in_every_writing_that_may_be_meant() {
        let read = |query: &str| {
            let (parts, ()) = http::Request::builder().uri(format!("/x{query}")).body(()).unwrap().into_parts();
            is_private_by_query(&parts).map_err(|error| error.status().as_u16())
        };
        for query in
            ["?private=true", "?private=1", "?private=True", "?a=b&private=TRUE", "?%70rivate=tru%65", "?private=true&private=false"]
        {
            assert_eq!(read(query), Ok(true), "{query}");
        }
        for query in ["", "?", "?private=false", "?private=0", "?other=true"] {
            assert_eq!(read(query), Ok(false), "{query}");
        }
        for query in ["?private", "?private=", "?private=yes", "?private=true%20", "?private=on"] {
            assert_eq!(read(query), Err(422), "{query}");
        }
    }
}
