//! Traces and lines as a collector gets them from the program: whole, and with nothing in them that is nobody's business.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::process::{Program, folder, sql};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PASSWORD: &str = "planted password 7f1d";
const NAME: &str = "Plantedname";

#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<(String, Bytes)>>>);

impl Collector {
    async fn new() -> (Self, String) {
        let collector = Self::default();
        let take = |State(collector): State<Self>, Path(signal): Path<String>, body: Bytes| async move {
            collector.0.lock().unwrap().push((signal, body));
        };
        let router = Router::new().route("/v1/{signal}", post(take)).with_state(collector.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (collector, endpoint)
    }

    fn of(&self, signal: &str) -> Vec<Bytes> {
        self.0.lock().unwrap().iter().filter(|(of, _)| of == signal).map(|(_, body)| body.clone()).collect()
    }

    fn spans(&self) -> Vec<Span> {
        let batches = self.of("traces").into_iter().flat_map(|body| ExportTraceServiceRequest::decode(body).unwrap().resource_spans);
        batches.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }
}

fn word(span: &Span, key: &str) -> Option<String> {
    match span.attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?.value? {
        Any::StringValue(text) => Some(text),
        Any::IntValue(number) => Some(number.to_string()),
        _ => None,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

struct Ann {
    url: String,
    token: String,
    company: String,
    client: reqwest::Client,
}

impl Ann {
    fn ask(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        let request = if self.token.is_empty() { request } else { request.bearer_auth(&self.token) };
        if self.company.is_empty() { request } else { request.header("x-company-id", &self.company) }
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.ask(Method::POST, path).json(&body).send().await.unwrap().json().await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_hears_of_requests_statements_and_tasks_and_of_no_secret() {
    crate::bare::know_tls();
    let folder = folder();
    let (collector, endpoint) = Collector::new().await;
    let settings = [
        ("THORBIS_OTLP__ENDPOINT", endpoint.as_str()),
        ("THORBIS_OTLP__SAMPLE_RATE", "1.0"),
        ("THORBIS_OTLP__GZIP", "false"),
        ("THORBIS_OTLP__HEADERS", "[\"x-key=planted header 55aa\"]"),
    ];
    let program = Program::start_with(folder.path(), &settings);
    let mut ann = Ann { url: program.url.clone(), token: String::new(), company: String::new(), client: reqwest::Client::new() };
    let session = ann.post("/auth/v1/signup", json!({ "email": "planted.ann@example.com", "password": PASSWORD })).await;
    ann.token = session["access_token"].as_str().unwrap_or_else(|| panic!("{session}")).to_owned();
    let company = ann.post("/rest/v1/rpc/create_company_with_owner", json!({ "name": "Ann's" })).await;
    ann.company = company["id"].as_str().unwrap_or_else(|| panic!("{company}")).to_owned();
    let written = ann
        .ask(Method::POST, "/rest/v1/customers")
        .json(&json!({ "first_name": NAME, "last_name": "B", "email": "planted.ann@example.com" }))
        .send()
        .await
        .unwrap();
    assert_eq!(written.status(), 201, "{}", written.text().await.unwrap());

    // A read that goes on with a trace, and one that fails.
    let from = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let read = ann.ask(Method::GET, &format!("/rest/v1/customers?first_name=eq.{NAME}")).header("traceparent", &from).send().await.unwrap();
    let answered = read.headers()["traceresponse"].to_str().unwrap().to_owned();
    let read = read.text().await.unwrap();
    assert!(read.contains(NAME), "{read}");
    assert!(answered.starts_with(&format!("00-{TRACE}-")) && answered.ends_with("-01"), "{answered}");
    let bad = ann
        .ask(Method::GET, &format!("/rest/v1/customers?plantedcolumn=eq.{NAME}"))
        .header("traceparent", "00-zz-1-01")
        .send()
        .await
        .unwrap();
    assert!(bad.status().is_client_error());
    assert!(!bad.headers()["traceresponse"].to_str().unwrap().contains("zz"));
    // A task goes on with the trace of whoever put it in.
    let export = ann.ask(Method::POST, "/api/v1/exports").header("traceparent", &from);
    let export =
        export.json(&json!({ "table": "customers", "format": "csv", "filter": format!("first_name=eq.{NAME}") })).send().await.unwrap();
    assert_eq!(export.status(), 202, "{}", export.text().await.unwrap());

    let deadline = Instant::now() + Duration::from_mins(1);
    let is_task = |span: &Span| span.name.starts_with("task ") && hex(&span.trace_id) == TRACE;
    while !collector.spans().iter().any(is_task) {
        assert!(Instant::now() < deadline, "no task: {}", sql(folder.path(), "select kind, traceparent from app.tasks"));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    program.stop();

    let spans = collector.spans();
    let within = |id: &[u8]| spans.iter().filter(|span| span.parent_span_id == id).collect::<Vec<_>>();
    let request = spans.iter().find(|span| span.kind == 2 && answered.contains(&hex(&span.span_id))).unwrap();
    assert_eq!((request.name.as_str(), hex(&request.parent_span_id).as_str()), ("GET /rest/v1/{relation}", "00f067aa0ba902b7"));
    assert_eq!(word(request, "http.response.status_code").unwrap(), "200");
    assert_eq!(
        (word(request, "thorbis.company_id"), word(request, "thorbis.principal").as_deref()),
        (Some(ann.company.clone()), Some("user"))
    );
    let statements = within(&request.span_id);
    assert!(
        statements.iter().any(|span| span.name == "statement" && word(span, "db.system.name").unwrap() == "postgresql"),
        "{statements:?}"
    );
    let task = spans.iter().find(|span| is_task(span)).unwrap();
    assert!(!within(&task.span_id).is_empty() && task.kind == 5, "{task:?}");
    // Who began it is a span of the request that put it in.
    assert!(spans.iter().any(|span| span.span_id == task.parent_span_id && hex(&span.trace_id) == TRACE), "{task:?}");
    tells_no_secret(&collector, &ann);
}

/// Lines came with the trace, and nothing that came says what only the program and its caller know.
fn tells_no_secret(collector: &Collector, ann: &Ann) {
    let logs = collector.of("logs");
    let lines = logs.iter().flat_map(|body| ExportLogsServiceRequest::decode(body.clone()).unwrap().resource_logs);
    let lines = lines.flat_map(|resource| resource.scope_logs).flat_map(|scope| scope.log_records);
    assert!(lines.into_iter().any(|line| hex(&line.trace_id) == TRACE));
    for (signal, body) in collector.0.lock().unwrap().iter() {
        let text = String::from_utf8_lossy(body);
        for secret in [PASSWORD, NAME, "planted.ann@example.com", "planted header 55aa", "plantedcolumn", ann.token.as_str()] {
            assert!(!text.contains(secret), "{secret} is in {signal}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_nobody_is_told_of_a_trace() {
    crate::bare::know_tls();
    let folder = folder();
    let program = Program::start(folder.path());
    let from = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let answer = reqwest::Client::new().get(format!("{}/health/live", program.url)).header("traceparent", from).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers().get("traceresponse")), (200, None));
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(!log.contains("trace_id"), "{log}");
    program.stop();
}
