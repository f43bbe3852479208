//! From an outcome to the answer: status, ranges, place, preferences that were honoured.
//!
//! Invariant: pure; what the database gave is not looked into.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE, LOCATION,
    TRANSFER_ENCODING, VARY, WARNING,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use kernel::{Error, Kind, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::config::DataApiConfig;
use crate::failure::{Failure, IsAnonymous};
use crate::paging;
use crate::plan::{Plan, ResultKind, Rows, WriteKind};
use crate::request::{
    Action, ApiRequest, Count, Handling, MediaType, Missing, Preferences, Representation, Resolution, Target, TransactionEnd,
};
use crate::run::{self, Outcome};

const CONTENT_PROFILE: HeaderName = HeaderName::from_static("content-profile");
/// The cursor of the page behind this one.
const NEXT_CURSOR: HeaderName = HeaderName::from_static("next-cursor");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// What stands for itself in a query string.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Makes the answer.
pub(crate) fn response(request: &ApiRequest, plan: &Plan<'_>, mut outcome: Outcome, config: &DataApiConfig) -> Result<Response> {
    let headers = told_headers(outcome.headers.as_deref())?;
    let status = outcome.status.as_deref().map(told_status).transpose()?;
    let bytes = request.custom.as_ref().filter(|custom| custom.is_binary).and_then(|_| outcome.body.take());
    let mut response = match plan {
        _ if request.explain.is_some() => explained(request, outcome),
        Plan::Read(plan) => read(request, &plan.rows, outcome)?,
        Plan::Call(plan) if plan.result == ResultKind::Nothing => {
            let mut response = empty(StatusCode::NO_CONTENT);
            insert(response.headers_mut(), CONTENT_RANGE, &range(0, outcome.rows, outcome.total));
            response
        }
        Plan::Call(plan) => called(request, plan.result, &plan.rows, outcome)?,
        Plan::Write(_) => written(request, outcome),
    };
    if let Some(custom) =
        request.custom.as_ref().filter(|_| response.headers().contains_key(CONTENT_TYPE) && response.status().is_success())
    {
        insert(response.headers_mut(), CONTENT_TYPE, &custom.content_type);
        if let Some(letters) = bytes {
            *response.body_mut() = Body::from(unlettered(&letters)?);
        }
    }
    if let Some(status) = status {
        *response.status_mut() = status;
    }
    let own = response.headers_mut();
    own.insert(VARY, HeaderValue::from_static("Accept, Prefer, Range"));
    if request.tells_schema && own.contains_key(CONTENT_TYPE) {
        insert(own, CONTENT_PROFILE, &request.schema);
    }
    if let (Target::Relation(name), Some(canonical), None) = (&request.target, &request.canonical, &request.explain) {
        let mark = if canonical.is_empty() { "" } else { "?" };
        insert(own, CONTENT_LOCATION, &format!("/{name}{mark}{canonical}"));
    }
    if let Some(applied) = applied(request, plan, config.transaction_end.may_be_chosen()).filter(|_| request.explain.is_none()) {
        insert(own, PREFERENCE_APPLIED, &applied);
    }
    let legacy = request.query.legacy_targets();
    if !legacy.is_empty() {
        insert(own, WARNING, &warning(&legacy));
    }
    // A name that the database says as well is the database's; it may say one several times.
    for (name, _) in &headers {
        own.remove(name);
    }
    for (name, value) in headers {
        own.append(name, value);
    }
    Ok(response)
}

/// Says which names will not be understood for ever: the code is that of a lasting warning.
fn warning(legacy: &[(&str, &str)]) -> String {
    let names: Vec<String> = legacy.iter().map(|(name, alias)| format!("`{name}` to `{alias}`")).collect();
    let names = names.join(", ").replace('\\', r"\\").replace('"', "\\\"");
    format!(
        "299 thorbis \"Embedded resource was referenced by relation name even though it has an alias. This is deprecated and will stop \
         working in a future release. Update {names} in query string filters, orders or limits.\""
    )
}

/// Tells whether the answer has rows, and is no refusal of the range.
pub(crate) fn has_rows(response: &Response) -> bool {
    response.extensions().get::<Arc<Error>>().is_none()
}

/// Answers what can be done.
pub(crate) fn methods(allowed: &str) -> Response {
    let mut response = empty(StatusCode::OK);
    insert(response.headers_mut(), ALLOW, allowed);
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// Reads the status that the database gives the answer.
fn told_status(status: &str) -> Result<StatusCode> {
    status
        .parse()
        .map_err(|error| Error::new(Kind::Status(500), "PGRST112", "response.status guc must be a valid status code").with_source(error))
}

/// Reads the headers that the database adds. How long the answer is remains ours to say.
fn told_headers(headers: Option<&str>) -> Result<Vec<(HeaderName, HeaderValue)>> {
    const OURS: [HeaderName; 3] = [CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION];
    let Some(headers) = headers else { return Ok(Vec::new()) };
    let malformed = || {
        let message = "response.headers guc must be a JSON array composed of objects with a single key and a string value";
        Error::new(Kind::Status(500), "PGRST111", message)
    };
    let listed: Vec<BTreeMap<String, String>> = serde_json::from_str(headers).map_err(|error| malformed().with_source(error))?;
    let mut told = Vec::new();
    for header in listed {
        let mut pairs = header.into_iter();
        let (Some((name, value)), None) = (pairs.next(), pairs.next()) else { return Err(malformed()) };
        let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else { return Err(malformed()) };
        if !OURS.contains(&name) {
            told.push((name, value));
        }
    }
    Ok(told)
}

fn read(request: &ApiRequest, rows: &Rows<'_>, outcome: Outcome) -> Result<Response> {
    if matches!(request.media, MediaType::Object | MediaType::ObjectStripped) {
        run::one_row(&outcome)?;
    }
    let next = request.paging.as_ref().zip(outcome.location.as_deref()).map(|(paging, place)| paging::cursor(paging, place));
    let mut response = part(rows.offset, request.media, outcome);
    if let Some(next) = next {
        insert(response.headers_mut(), NEXT_CURSOR, &next);
    }
    Ok(response)
}

fn called(request: &ApiRequest, result: ResultKind, rows: &Rows<'_>, outcome: Outcome) -> Result<Response> {
    match result {
        ResultKind::Rows => read(request, rows, outcome),
        ResultKind::Values => {
            if matches!(request.media, MediaType::Object | MediaType::ObjectStripped) {
                run::one_row(&outcome)?;
            }
            Ok(part(rows.offset, request.media, outcome))
        }
        ResultKind::Nothing | ResultKind::Value | ResultKind::Row => {
            let mut response = with_body(StatusCode::OK, request.media, outcome.body);
            insert(response.headers_mut(), CONTENT_RANGE, &range(0, outcome.rows, outcome.total));
            Ok(response)
        }
    }
}

fn written(request: &ApiRequest, outcome: Outcome) -> Response {
    let full = request.preferences.representation == Some(Representation::Full);
    // Of what was written there is nothing to expect.
    let counted = request.preferences.count.filter(|count| *count != Count::Planned).map(|_| outcome.rows);
    let status = match request.action {
        Action::Insert if outcome.new_rows == Some(0) => StatusCode::OK,
        Action::Insert => StatusCode::CREATED,
        Action::Put if full && outcome.new_rows.is_some_and(|new| new > 0) => StatusCode::CREATED,
        _ if full => StatusCode::OK,
        _ => StatusCode::NO_CONTENT,
    };
    let range = match request.action {
        Action::Update => range(0, outcome.rows, counted),
        _ => range(0, 0, counted),
    };
    let location = outcome.location.as_deref().filter(|_| outcome.rows == 1).map(|pairs| location(&request.target, pairs));
    let mut response = if full { with_body(status, request.media, outcome.body) } else { empty(status) };
    let headers = response.headers_mut();
    if request.action != Action::Put {
        insert(headers, CONTENT_RANGE, &range);
    }
    if let Some(location) = location {
        insert(headers, LOCATION, &location);
    }
    response
}

/// Answers how it would be done instead of what comes of it.
fn explained(request: &ApiRequest, outcome: Outcome) -> Response {
    let mut response = with_body(StatusCode::OK, request.media, outcome.body.filter(|_| !request.head));
    if let Some(explain) = &request.explain {
        insert(response.headers_mut(), CONTENT_TYPE, &format!("{}; charset=utf-8", explain.name(request.media)));
    }
    response
}

/// Answers the rows with which part of all they are; also what is refused says how many there are.
fn part(offset: i64, media: MediaType, outcome: Outcome) -> Response {
    let range = range(offset, outcome.rows, outcome.total);
    let mut response = match part_of(offset, &outcome) {
        Ok(status) => with_body(status, media, outcome.body),
        Err(error) => Failure::new(error, IsAnonymous(false)).into_response(),
    };
    insert(response.headers_mut(), CONTENT_RANGE, &range);
    response
}

/// Returns whether it is all or a part; refuses a part that begins behind the end.
fn part_of(offset: i64, outcome: &Outcome) -> Result<StatusCode> {
    let Some(total) = outcome.total else { return Ok(StatusCode::OK) };
    if offset > total {
        let details = format!("An offset of {offset} was requested, but there are only {total} rows.");
        return Err(Error::new(Kind::Status(416), "PGRST103", "Requested range not satisfiable").with_details(details));
    }
    Ok(if outcome.rows < total { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK })
}

/// Writes `first-last/total`; `*` for what is not there or not known.
fn range(offset: i64, rows: i64, total: Option<i64>) -> String {
    let total = total.map_or_else(|| "*".to_owned(), |total| total.to_string());
    if rows == 0 {
        return format!("*/{total}");
    }
    format!("{offset}-{}/{total}", offset.saturating_add(rows).saturating_sub(1))
}

fn location(target: &Target, pairs: &[Option<String>]) -> String {
    let (Target::Relation(name) | Target::Function(name)) = target;
    let filters: Vec<String> = pairs
        .chunks_exact(2)
        .filter_map(|pair| match pair {
            [Some(name), Some(value)] => Some(format!("{}=eq.{}", encoded(name), encoded(value))),
            [Some(name), None] => Some(format!("{}=is.null", encoded(name))),
            _ => None,
        })
        .collect();
    format!("/{}?{}", encoded(name), filters.join("&"))
}

fn encoded(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, UNRESERVED)
}

/// Lists the preferences that were honoured, in the dialect's order.
fn applied(request: &ApiRequest, plan: &Plan<'_>, end_may_be_chosen: bool) -> Option<String> {
    let Preferences { resolution, representation, count, missing, transaction, handling, timezone, deleted, .. } = &request.preferences;
    let is_write = matches!(request.action, Action::Insert | Action::Update | Action::Put | Action::Delete);
    let is_call = matches!(request.action, Action::Call | Action::CallRead);
    let mut said: Vec<String> = Vec::new();
    let mut say = |text: Option<&str>| said.extend(text.map(str::to_owned));
    // Without a key nothing is merged.
    let has_key = matches!(plan, Plan::Write(write) if !matches!(&write.kind, WriteKind::Insert { conflict: None, .. }));
    say(resolution.filter(|_| request.action == Action::Insert && has_key).map(|resolution| match resolution {
        Resolution::MergeDuplicates => "resolution=merge-duplicates",
        Resolution::IgnoreDuplicates => "resolution=ignore-duplicates",
    }));
    say(missing.filter(|_| matches!(request.action, Action::Insert | Action::Update)).map(|missing| match missing {
        Missing::Default => "missing=default",
        Missing::Null => "missing=null",
    }));
    say(representation.filter(|_| is_write).map(|representation| match representation {
        Representation::Full => "return=representation",
        Representation::Minimal => "return=minimal",
        Representation::HeadersOnly => "return=headers-only",
    }));
    say(count.map(|count| match count {
        Count::Exact => "count=exact",
        Count::Planned => "count=planned",
        Count::Estimated => "count=estimated",
    }));
    say(transaction.filter(|_| end_may_be_chosen).map(|end| match end {
        TransactionEnd::Commit => "tx=commit",
        TransactionEnd::Rollback => "tx=rollback",
    }));
    say(handling.map(|handling| match handling {
        Handling::Strict => "handling=strict",
        Handling::Lenient => "handling=lenient",
    }));
    said.extend(timezone.as_ref().map(|timezone| format!("timezone={timezone}")));
    if let Some(rows) = request.preferences.rows_max().filter(|_| matches!(request.action, Action::Update | Action::Delete) || is_call) {
        said.push(format!("max-affected={rows}"));
    }
    if *deleted {
        said.push("deleted=include".to_owned());
    }
    if request.paging.is_some() {
        said.push("paging=cursor".to_owned());
    }
    (!said.is_empty()).then(|| said.join(", "))
}

fn with_body(status: StatusCode, media: MediaType, body: Option<String>) -> Response {
    // Only HEAD has no body here; its headers are those of GET.
    let mut response = Response::new(body.map_or_else(Body::empty, Body::from));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type(media)));
    response
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn content_type(media: MediaType) -> &'static str {
    match media {
        MediaType::Object => "application/vnd.pgrst.object+json; charset=utf-8",
        MediaType::ObjectStripped => "application/vnd.pgrst.object+json;nulls=stripped; charset=utf-8",
        MediaType::JsonStripped => "application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8",
        MediaType::Csv => "text/csv; charset=utf-8",
        // What the database makes says itself what it is.
        MediaType::Json | MediaType::GeoJson | MediaType::Custom => "application/json; charset=utf-8",
    }
}

/// Reads bytes that are written as two letters each.
pub(crate) fn unlettered(letters: &str) -> Result<Vec<u8>> {
    let byte = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> = letters.as_bytes().chunks(2).map(byte).collect();
    bytes.ok_or_else(|| Error::internal("bytes came in other letters than they were written in"))
}

/// A name that no header can carry is left out.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_say_what_is_there() {
        assert_eq!(range(0, 10, None), "0-9/*");
        assert_eq!(range(20, 5, Some(25)), "20-24/25");
        assert_eq!(range(0, 0, None), "*/*");
        assert_eq!(range(30, 0, Some(25)), "*/25");
    }

    #[test]
    fn a_part_has_its_own_status() {
        let outcome = |rows, total| Outcome { total, rows, ..Outcome::default() };
        assert_eq!(part_of(0, &outcome(3, None)).unwrap(), 200);
        assert_eq!(part_of(0, &outcome(3, Some(3))).unwrap(), 200);
        assert_eq!(part_of(0, &outcome(2, Some(3))).unwrap(), 206);
        assert_eq!(part_of(0, &outcome(0, Some(0))).unwrap(), 200);
        let behind = part_of(5, &outcome(0, Some(3))).unwrap_err();
        assert_eq!((behind.status().as_u16(), behind.code()), (416, "PGRST103"));
    }

    #[test]
    fn the_database_adds_headers_and_cannot_break_the_answer() {
        let names = |text| {
            told_headers(Some(text)).unwrap().iter().map(|(name, value)| format!("{name}={}", value.to_str().unwrap())).collect::<Vec<_>>()
        };
        assert_eq!(told_headers(None).unwrap(), []);
        assert_eq!(names(r#"[{"Warning": "299 - \"x\""}, {"X-A": "1"}, {"x-a": "2"}]"#), ["warning=299 - \"x\"", "x-a=1", "x-a=2"]);
        assert_eq!((told_status("418").unwrap().as_u16(), told_status("99").unwrap_err().code()), (418, "PGRST112"));
        assert_eq!(names(r#"[{"Content-Length": "1"}, {"transfer-encoding": "chunked"}]"#), [""; 0]);
        for wrong in ["{}", "x", r#"[{"a": 1}]"#, r#"[{"a": "1", "b": "2"}]"#, r"[{}]", r#"[{"a b": "1"}]"#, r#"[{"a": "1\nb: 2"}]"#] {
            assert_eq!(told_headers(Some(wrong)).unwrap_err().code(), "PGRST111", "{wrong}");
        }
    }

    #[test]
    fn a_place_is_a_filter_by_the_key() {
        let pairs = [Some("id"), Some("a/b"), Some("number"), Some("7"), Some("part"), None].map(|text| text.map(str::to_owned));
        assert_eq!(location(&Target::Relation("odd name".to_owned()), &pairs), "/odd%20name?id=eq.a%2Fb&number=eq.7&part=is.null");
    }
}
