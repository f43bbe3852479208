//! Requests to other servers that SQL asked for, under the names that `pg_net` has.
//!
//! Invariant: one is made at most once, after the commit of whoever asked, and only to the public internet unless the operator says otherwise.
//! What it said is forgotten when it is over.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use kernel::{CompanyId, Error};
use outbound::http::{Answer, Bounds, Call, Http, HttpFault, HttpOptions, NamedBy, TIME_MAX};
use postgres::{Sql, Tx};
use queue::{Failure, Kind, Rules, Running};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::Url;
use uuid::Uuid;

/// Of an answer more is not kept.
const CONTENT_BYTES_MAX: usize = 1_048_576;
/// So that servers that take their time leave workers for others.
const RUNNING_MAX: u32 = 20;
/// What a request may not say, since it is the connection's to say.
const OWN_HEADERS: &[&str] = &["host", "content-length", "transfer-encoding", "connection", "upgrade", "expect", "te", "trailer"];

/// Makes requests.
#[derive(Clone, Debug)]
pub(crate) struct HttpRequest(Http);

/// Which one.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Asked {
    number: i64,
}

/// A request that was read.
struct Request {
    method: Method,
    url: String,
    params: Map<String, Value>,
    headers: Map<String, Value>,
    body: Option<Vec<u8>>,
    time: Duration,
}

impl HttpRequest {
    /// Sets it up; private addresses are allowed where the operator says so.
    pub(crate) fn new(private_allowed: bool) -> kernel::Result<Self> {
        let bounds = Bounds { bytes_max: CONTENT_BYTES_MAX, time: TIME_MAX };
        Http::new(HttpOptions { bounds, private_allowed }).map(Self)
    }

    async fn made(&self, request: Request) -> Result<Answer, Refused> {
        let mut url = Url::parse(&request.url).map_err(|_unread| Refused::Invalid("the address is no URL"))?;
        if !request.params.is_empty() {
            url.query_pairs_mut().extend_pairs(request.params.iter().map(|(name, value)| (name, text(value))));
        }
        let headers = headers(&request.headers)?;
        let call = match request.body {
            Some(body) => Call::post(&url, NamedBy::Client, headers, body),
            None => Call::bare(&url, NamedBy::Client, headers),
        };
        let bounds = Bounds { bytes_max: CONTENT_BYTES_MAX, time: request.time };
        self.0.send_and_cut(call.with_method(request.method).within(bounds)).await.map_err(Refused::Fault)
    }
}

/// Why there is no answer.
enum Refused {
    Invalid(&'static str),
    Fault(HttpFault),
}

impl Kind for HttpRequest {
    const NAME: &'static str = "http_request";
    type Payload = Asked;

    /// It is not tried again: nobody knows what the other server did.
    fn rules(&self) -> Rules {
        Rules { attempts_max: 1, timeout: TIME_MAX + Duration::from_secs(10), running_max: Some(RUNNING_MAX), ..Rules::default() }
    }

    async fn run(&self, task: Arc<Running>, asked: Asked) -> Result<Value, Failure> {
        let tx = task.begin("reads a request that SQL asked for").await?;
        let request = read(&tx, task.company_id(), asked.number).await?;
        tx.commit().await?;
        // It is kept for a while only, and another one may have made it before a crash.
        let Some(request) = request else { return Ok(json!({ "made": false })) };
        let came = self.made(request).await;
        let status = came.as_ref().ok().map(|answer| answer.status.as_u16());
        let tx = task.begin("writes what was answered").await?;
        settle(&tx, task.company_id(), asked.number, came).await?;
        task.finish_within(&tx, json!({ "made": true, "status": status })).await?;
        tx.commit().await?;
        Ok(Value::Null)
    }
}

/// Parameters and headers are texts; other values as JSON writes them.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn headers(said: &Map<String, Value>) -> Result<HeaderMap, Refused> {
    let mut headers = HeaderMap::new();
    for (name, value) in said {
        let invalid = Refused::Invalid("a header is none");
        let (Ok(name), Ok(mut value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(text(value))) else {
            return Err(invalid);
        };
        if OWN_HEADERS.contains(&name.as_str()) {
            return Err(Refused::Invalid("a header is the connection's to say"));
        }
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

fn company(company: Option<CompanyId>) -> Uuid {
    company.map_or(Uuid::nil(), |company| company.0)
}

async fn read(tx: &Tx, company_id: Option<CompanyId>, number: i64) -> kernel::Result<Option<Request>> {
    let mut sql = Sql::new(
        "select r.method, r.url, coalesce(r.params, '{}') as params, coalesce(r.headers, '{}') as headers, r.body, r.timeout_ms
           from app.http_requests r where r.answered_at is null and r.company_id = ",
    );
    sql.bind(company(company_id)).text("::uuid and r.number = ").bind(number).text("::bigint");
    let Some(row) = tx.query_opt(sql).await? else { return Ok(None) };
    let object =
        |name: &str| row.try_get::<_, Value>(name).map(|value| value.as_object().cloned().unwrap_or_default()).map_err(Error::internal);
    let method: String = row.try_get("method").map_err(Error::internal)?;
    let milliseconds: i32 = row.try_get("timeout_ms").map_err(Error::internal)?;
    Ok(Some(Request {
        method: method.parse().map_err(Error::internal)?,
        url: row.try_get("url").map_err(Error::internal)?,
        params: object("params")?,
        headers: object("headers")?,
        body: row.try_get("body").map_err(Error::internal)?,
        time: Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default()),
    }))
}

async fn settle(tx: &Tx, company_id: Option<CompanyId>, number: i64, came: Result<Answer, Refused>) -> kernel::Result<()> {
    let (answer, error) = match came {
        Ok(answer) => (Some(answer), None),
        Err(Refused::Invalid(why)) => (None, Some(why.to_owned())),
        Err(Refused::Fault(fault)) => (None, Some(fault.to_string())),
    };
    let is_timed_out = error.as_deref() == Some(HttpFault::Time.to_string().as_str());
    let answer_headers = answer.as_ref().map(|answer| {
        let pairs =
            answer.headers.iter().map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned().into()));
        Value::Object(pairs.collect())
    });
    let content_type = answer.as_ref().and_then(|answer| answer.headers.get(http::header::CONTENT_TYPE)?.to_str().ok().map(str::to_owned));
    // What is no text is told as far as it is one; PostgreSQL's has no letter 0.
    let content = answer.as_ref().map(|answer| String::from_utf8_lossy(&answer.body).replace('\0', "\u{fffd}"));
    let mut sql = Sql::new("select app.settle_http_request(");
    sql.bind(company(company_id)).text("::uuid, ").bind(number).text("::bigint, ");
    sql.bind(answer.map(|answer| i32::from(answer.status.as_u16()))).text("::integer, ").bind(content_type).text("::text, ");
    sql.bind(answer_headers).text("::jsonb, ").bind(content).text("::text, ").bind(is_timed_out).text("::boolean, ");
    sql.bind(error).text("::text)");
    tx.query(sql).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_headers_and_leave_the_connection_alone() {
        let said = |value: Value| headers(value.as_object().unwrap());
        let Ok(good) = said(json!({ "Authorization": "Bearer x", "X-Count": 3 })) else { panic!("they are headers") };
        assert_eq!((&good["authorization"], &good["x-count"]), (&HeaderValue::from_static("Bearer x"), &HeaderValue::from_static("3")));
        for bad in [json!({ "Host": "metadata" }), json!({ "content-length": "5" }), json!({ "a b": "c" }), json!({ "a": "b\r\nc: d" })] {
            assert!(said(bad.clone()).is_err(), "{bad}");
        }
    }
}
