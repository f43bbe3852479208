//! What a batch says: its requests, each with method, path, headers and body.
//!
//! Invariant: bounded in number; whatever tells who asks and in which company belongs to the batch as a whole and is refused inside it.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use kernel::{Error, Kind, Result};
use percent_encoding::percent_decode_str;
use postgres::Sql;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::reference::Answers;
use crate::DataApi;
use crate::config::DataApiConfig;
use crate::request::{self, ApiRequest, ParseLimits, Target, TransactionEnd, Wanted};
use crate::routes::kinds_put_in;

/// Headers that a request inside a batch may have.
const ALLOWED: [&str; 7] = ["accept", "accept-profile", "content-profile", "content-type", "prefer", "range", "range-unit"];
/// The data API's own mount, which a path may begin with.
const MOUNT: &str = "/rest/v1";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedBatch {
    requests: Vec<WantedStep>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedStep {
    id: Option<String>,
    method: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<Box<RawValue>>,
}

/// One request of a batch.
#[derive(Debug)]
pub(super) struct Step {
    /// What others call it.
    pub(super) id: String,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Option<Box<RawValue>>,
}

/// Reads the requests.
pub(super) fn steps(body: &Bytes, config: &DataApiConfig) -> Result<Vec<Step>> {
    let wanted: WantedBatch = serde_json::from_slice(body).map_err(|error| {
        Error::new(Kind::BadRequest, "batch_malformed", "The body is no batch")
            .with_details(error.to_string())
            .with_hint(r#"Send {"requests": [{"id": "…", "method": "POST", "path": "/customers", "headers": {}, "body": {}}]}."#)
    })?;
    let max = config.batch_requests_max;
    if wanted.requests.is_empty() || wanted.requests.len() > max {
        return Err(Error::new(Kind::BadRequest, "batch_malformed", format!("A batch has 1 to {max} requests")));
    }
    let mut ids = HashSet::new();
    let mut steps = Vec::with_capacity(wanted.requests.len());
    for (number, wanted) in wanted.requests.into_iter().enumerate() {
        let step = step(number, wanted)?;
        if !ids.insert(step.id.clone()) {
            return Err(malformed(&step.id, "another request has the same id"));
        }
        steps.push(step);
    }
    Ok(steps)
}

/// Reads how the transaction is to end.
pub(super) fn end(headers: &HeaderMap) -> Result<Option<TransactionEnd>> {
    Ok(request::preferences(headers)?.transaction)
}

fn step(number: usize, wanted: WantedStep) -> Result<Step> {
    let id = wanted.id.unwrap_or_else(|| number.to_string());
    if id.is_empty() || id.contains(['/', '}']) {
        return Err(malformed(&id, "an id is not empty and has no / and no }"));
    }
    let method = Method::from_bytes(wanted.method.as_bytes()).map_err(|_unknown| malformed(&id, "its method is none"))?;
    let mut headers = HeaderMap::new();
    for (name, value) in wanted.headers {
        let (Ok(name), Ok(value)) = (HeaderName::try_from(&name), HeaderValue::try_from(&value)) else {
            return Err(malformed(&id, "its headers are none"));
        };
        if !ALLOWED.contains(&name.as_str()) {
            return Err(malformed(&id, &format!("the header {name} belongs to the batch as a whole")));
        }
        headers.append(name, value);
    }
    if end(&headers)?.is_some() {
        return Err(malformed(&id, "how the transaction ends is said by the batch as a whole"));
    }
    Ok(Step { id, method, path: wanted.path, headers, body: wanted.body })
}

fn malformed(id: &str, why: &str) -> Error {
    let shown: String = id.chars().take(100).collect();
    Error::new(Kind::BadRequest, "batch_malformed", format!("Request {shown}: {why}"))
}

impl Step {
    /// Tells whether its method only reads.
    pub(super) fn only_reads(&self) -> bool {
        [Method::GET, Method::HEAD].contains(&self.method)
    }

    /// Returns the function that it calls, if it calls one.
    pub(super) fn function(&self) -> Option<&str> {
        let path = self.path.strip_prefix(MOUNT).unwrap_or(&self.path);
        path.strip_prefix("/rpc/").and_then(|name| name.split('?').next())
    }

    /// Returns the kinds of the tasks that it puts in.
    pub(super) fn kinds_put_in(&self) -> Vec<String> {
        let path = self.path.split('?').next().unwrap_or_default();
        let body = self.body.as_ref().map_or("", |body| body.get());
        target(path).map(|target| kinds_put_in(&target, &self.method, text(body, &self.headers).as_bytes())).unwrap_or_default()
    }

    /// Reads it as the data API reads a request, with what earlier ones answered in it.
    pub(super) fn request(&self, api: &DataApi, limits: &ParseLimits, answers: &Answers) -> Result<ApiRequest> {
        let path = answers.path(&self.path)?;
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        let body = match &self.body {
            Some(body) => Bytes::from(text(&answers.body(body.get())?, &self.headers)),
            None => Bytes::new(),
        };
        request::parse(Wanted {
            target: target(path).ok_or_else(|| Error::new(Kind::NotFound, "PGRST125", "Invalid path specified in request URL"))?,
            method: &self.method,
            schemas: &api.config().schemas,
            raw_query: query,
            headers: &self.headers,
            body,
            limits,
            // What is run to be measured is undone, and a batch is kept as a whole.
            plan_enabled: false,
        })
    }

    /// Returns what makes SQL see this request: its method and path, and nothing that an earlier one said of its own answer.
    pub(super) fn settings(&self) -> Sql {
        let path = self.path.split('?').next().unwrap_or_default();
        let path = path.strip_prefix(MOUNT).unwrap_or(path);
        let mut sql = Sql::new("select set_config('request.method', ");
        sql.bind(self.method.as_str()).text("::text, true), set_config('request.path', ").bind(format!("{MOUNT}{path}")).text(
            "::text, true), set_config('response.headers', '', true), set_config('response.status', '', true), \
             set_config('TimeZone', null, true)",
        );
        sql
    }
}

/// Returns what the path names.
fn target(path: &str) -> Option<Target> {
    let path = path.strip_prefix(MOUNT).unwrap_or(path).strip_prefix('/')?;
    let (is_function, name) = path.strip_prefix("rpc/").map_or((false, path), |name| (true, name));
    let name = percent_decode_str(name).decode_utf8().ok().filter(|_| !name.is_empty() && !name.contains('/'))?.into_owned();
    Some(if is_function { Target::Function(name) } else { Target::Relation(name) })
}

/// Returns the body's bytes: of what is not JSON, the text that a JSON string holds.
fn text(body: &str, headers: &HeaderMap) -> String {
    let is_json = headers.get(http::header::CONTENT_TYPE).is_none_or(|kind| kind.to_str().is_ok_and(|kind| kind.contains("json")));
    if is_json { body.to_owned() } else { serde_json::from_str(body).unwrap_or_else(|_not_text| body.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is sent as a batch is one, or is refused as none.
        #[test]
        fn whatever_comes_is_a_batch_or_none(body in r#"(\{|\}|\[|\]|,|:|"requests"|"id"|"method"|"path"|"headers"|"body"|"GET"|"/a"|"prefer"|"tx=commit"|"é"|1|null|"[^"]{0,4}"){0,24}"#,
                                            id in ".{0,6}", method in ".{0,5}", path in ".{0,8}", name in ".{0,8}", value in ".{0,8}") {
            let built = serde_json::json!({ "requests": [{ "id": id, "method": method, "path": path, "headers": { (name): value } }] }).to_string();
            for body in [body, built] {
                match steps(&Bytes::from(body), &DataApiConfig::default()) {
                    Ok(steps) => prop_assert!(!steps.is_empty() && steps.iter().all(|step| !step.id.is_empty())),
                    Err(error) => prop_assert_eq!(error.status().as_u16(), 400, "{}", error),
                }
            }
            if let Some(Target::Relation(name) | Target::Function(name)) = target(&path) {
                prop_assert!(!name.is_empty());
            }
        }
    }

    fn refused(body: &str) -> String {
        let error = steps(&Bytes::copy_from_slice(body.as_bytes()), &DataApiConfig::default()).unwrap_err();
        assert_eq!((error.status().as_u16(), error.code()), (400, "batch_malformed"));
        error.message().to_owned()
    }

    #[test]
    fn requests_have_ids_and_no_callers_of_their_own() {
        let body = br#"{"requests": [{"method": "GET", "path": "/jobs"}, {"id": "b", "method": "POST", "path": "/rest/v1/jobs", "body": {"a": 1.00}}]}"#;
        let steps = steps(&Bytes::from_static(body), &DataApiConfig::default()).unwrap();
        assert_eq!(steps.iter().map(|step| (step.id.as_str(), step.only_reads())).collect::<Vec<_>>(), [("0", true), ("b", false)]);
        assert_eq!(steps[1].body.as_ref().unwrap().get(), r#"{"a": 1.00}"#);
        refused("[]");
        refused(r#"{"requests": []}"#);
        refused(r#"{"requests": [{"method": "GET", "path": "/jobs", "token": "x"}]}"#);
        let twice = refused(r#"{"requests": [{"id": "1", "method": "GET", "path": "/a"}, {"method": "GET", "path": "/b"}]}"#);
        assert_eq!(twice, "Request 1: another request has the same id");
        for header in ["authorization", "x-company-id", "cookie", "idempotency-key"] {
            let body = format!(r#"{{"requests": [{{"method": "GET", "path": "/jobs", "headers": {{"{header}": "x"}}}}]}}"#);
            assert_eq!(refused(&body), format!("Request 0: the header {header} belongs to the batch as a whole"));
        }
        refused(r#"{"requests": [{"method": "POST", "path": "/jobs", "headers": {"Prefer": "tx=commit"}}]}"#);
        refused(r#"{"requests": [{"id": "a/b", "method": "GET", "path": "/jobs"}]}"#);
    }

    #[test]
    fn paths_name_relations_and_functions() {
        let relation = |name: &str| Some(Target::Relation(name.to_owned()));
        assert_eq!(
            [target("/jobs"), target("/rest/v1/jobs"), target("/odd%20name")],
            [relation("jobs"), relation("jobs"), relation("odd name")]
        );
        assert_eq!(target("/rpc/f"), Some(Target::Function("f".to_owned())));
        assert_eq!([target("jobs"), target("/"), target("/a/b"), target("/rpc/"), target("/auth/v1/token")], [const { None }; 5]);
    }
}
