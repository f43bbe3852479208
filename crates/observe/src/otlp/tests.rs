//! A collector that reads what arrives with OpenTelemetry's own messages.

use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use kernel::trace::{TARGET, go_on};
use kernel::{Secret, TraceContext};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;

use super::{Otlp, OtlpConfig};

/// One request that arrived: its head and its body, unpacked.
type Heard = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// Answers requests one after the other with these, the last again and again.
async fn collector(answers: &'static [&'static str], body: Vec<u8>) -> (String, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let heard = Heard::default();
    let keeps = Arc::clone(&heard);
    tokio::spawn(async move {
        for number in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            let (top, packed) = loop {
                stream.read_buf(&mut bytes).await.unwrap();
                if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                    let top = String::from_utf8(bytes[..end].to_vec()).unwrap();
                    let length = top.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok()).unwrap();
                    if bytes.len() >= end + 4 + length {
                        break (top, bytes[end + 4..].to_vec());
                    }
                }
            };
            let mut plain = Vec::new();
            if top.contains("content-encoding: gzip") {
                GzDecoder::new(packed.as_slice()).read_to_end(&mut plain).unwrap();
            } else {
                plain = packed;
            }
            keeps.lock().unwrap().push((top, plain));
            let answer = answers.get(number).or(answers.last()).unwrap();
            let said = format!("HTTP/1.1 {answer}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            stream.write_all(said.as_bytes()).await.unwrap();
            stream.write_all(&body).await.unwrap();
        }
    });
    (endpoint, heard)
}

fn config(endpoint: String) -> OtlpConfig {
    OtlpConfig { endpoint: Some(endpoint), sample_rate: 1.0, interval_ms: 10, ..OtlpConfig::default() }
}

fn begin(config: &OtlpConfig) -> Otlp {
    Otlp::begin(config, "1.2.3", "test", "here:1").unwrap().unwrap()
}

fn listening(otlp: &Otlp) -> tracing::subscriber::DefaultGuard {
    tracing::subscriber::set_default(tracing_subscriber::registry().with(otlp.spans()).with(otlp.lines(EnvFilter::new("info"))))
}

fn spans(heard: &Heard) -> Vec<Span> {
    let heard = heard.lock().unwrap();
    let of = heard.iter().filter(|(head, _)| head.starts_with("POST /v1/traces "));
    of.flat_map(|(_, body)| ExportTraceServiceRequest::decode(body.as_slice()).unwrap().resource_spans)
        .flat_map(|resource| resource.scope_spans)
        .flat_map(|scope| scope.spans)
        .collect()
}

fn lines(heard: &Heard) -> Vec<LogRecord> {
    let heard = heard.lock().unwrap();
    let of = heard.iter().filter(|(head, _)| head.starts_with("POST /v1/logs "));
    of.flat_map(|(_, body)| ExportLogsServiceRequest::decode(body.as_slice()).unwrap().resource_logs)
        .flat_map(|resource| resource.scope_logs)
        .flat_map(|scope| scope.log_records)
        .collect()
}

fn attribute(span: &Span, key: &str) -> Option<Any> {
    span.attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?.value
}

fn text(word: &str) -> Any {
    Any::StringValue(word.to_owned())
}

async fn until(what: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !what() {
        assert!(Instant::now() < deadline, "never");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_request_is_told_with_what_was_done_for_it() {
    let (endpoint, heard) = collector(&["200 OK"], Vec::new()).await;
    let otlp = begin(&OtlpConfig { headers: vec![Secret::new("x-key=letmein".to_owned())], ..config(endpoint) });
    let guard = listening(&otlp);
    let from = TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
    let place = {
        let request = tracing::info_span!("request", request_id = "r1", company_id = tracing::field::Empty, authorization = "hunter2");
        let place = go_on(&request, from, false).unwrap();
        request.record("company_id", "c1");
        let _in = request.enter();
        {
            let statement = tracing::info_span!(target: TARGET, "statement", system = "postgresql", operation = "select", text = "hunter2");
            let _in = statement.enter();
            tracing::warn!(client = "203.0.113.7", "mail to ann@example.com failed with token=hunter2");
        }
        tracing::info!(target: "access", method = "GET", route = "/rest/v1/{table}", path = "/rest/v1/hunter2", status = 500, code = "internal_error", "GET /rest/v1/hunter2");
        place
    };
    drop(guard);
    otlp.end().await;
    let spans = spans(&heard);
    let (statement, request) = (&spans[0], &spans[1]);
    assert_eq!((request.name.as_str(), statement.name.as_str()), ("GET /rest/v1/{table}", "statement"));
    let trace = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes().to_vec();
    assert_eq!((&request.trace_id, &statement.trace_id), (&trace, &trace));
    assert_eq!(request.parent_span_id, 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
    assert_eq!(request.span_id, place.span_id.to_be_bytes());
    assert_eq!(statement.parent_span_id, request.span_id);
    assert_eq!(attribute(request, "http.request.method"), Some(text("GET")));
    assert_eq!(attribute(request, "http.response.status_code"), Some(Any::IntValue(500)));
    assert_eq!(attribute(request, "error.type"), Some(text("internal_error")));
    assert_eq!(
        (attribute(request, "thorbis.company_id"), attribute(statement, "db.operation.name")),
        (Some(text("c1")), Some(text("select")))
    );
    assert_eq!((request.kind, statement.kind, request.status.as_ref().unwrap().code), (2, 3, 2));
    assert!(request.start_time_unix_nano <= statement.start_time_unix_nano && statement.end_time_unix_nano <= request.end_time_unix_nano);
    let lines = lines(&heard);
    assert_eq!(lines[0].body.clone().unwrap().value, Some(text("mail to [address] failed with token=[secret]")));
    assert_eq!((&lines[0].trace_id, lines[0].span_id.as_slice(), lines[0].severity_number), (&trace, statement.span_id.as_slice(), 13));
    assert_eq!(lines[1].body.clone().unwrap().value, Some(text("GET /rest/v1/{table}")));
    for (head, body) in heard.lock().unwrap().iter() {
        assert!(head.contains("content-type: application/x-protobuf") && head.contains("x-key: letmein"), "{head}");
        for secret in ["hunter2", "203.0.113.7", "ann@example.com"] {
            assert!(!String::from_utf8_lossy(body).contains(secret), "{secret} arrived");
        }
    }
}

#[tokio::test]
async fn what_belongs_to_no_trace_or_is_not_drawn_is_not_told() {
    let (endpoint, heard) = collector(&["200 OK"], Vec::new()).await;
    let otlp = begin(&OtlpConfig { sample_rate: 0.0, logs: false, ..config(endpoint) });
    let guard = listening(&otlp);
    drop(tracing::info_span!(target: TARGET, "statement", operation = "select"));
    drop(tracing::info_span!("request"));
    let sampled = TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    // A stranger cannot have himself traced; who is believed can.
    let stranger = tracing::info_span!("request");
    assert!(!go_on(&stranger, sampled, false).unwrap().is_sampled);
    drop(stranger);
    let believed = tracing::info_span!(target: TARGET, "task", kind = "demo");
    assert!(go_on(&believed, sampled, true).unwrap().is_sampled);
    drop(believed);
    drop(guard);
    otlp.end().await;
    let names: Vec<String> = spans(&heard).into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["task demo"]);
}

#[tokio::test]
async fn a_collector_that_is_busy_is_asked_again() {
    let (endpoint, heard) = collector(&["429 Too Many\r\nretry-after: 0", "503 Away\r\nretry-after: 0", "200 OK"], Vec::new()).await;
    let otlp = begin(&OtlpConfig { logs: false, gzip: false, ..config(endpoint) });
    let guard = listening(&otlp);
    drop(tracing::info_span!("request"));
    until(|| heard.lock().unwrap().len() == 3).await;
    drop(guard);
    otlp.end().await;
    let heard = heard.lock().unwrap();
    assert_eq!(heard.len(), 3);
    assert!(heard.iter().all(|(head, body)| *body == heard[0].1 && !head.contains("gzip")));
}

#[tokio::test]
async fn a_collector_that_refuses_is_asked_once() {
    let (endpoint, heard) = collector(&["400 Bad", "200 OK"], Vec::new()).await;
    let otlp = begin(&OtlpConfig { logs: false, ..config(endpoint) });
    let guard = listening(&otlp);
    drop(tracing::info_span!("request"));
    until(|| heard.lock().unwrap().len() == 1).await;
    drop(tracing::info_span!("request"));
    drop(guard);
    otlp.end().await;
    assert_eq!(heard.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn what_was_not_taken_is_counted() {
    let partial = ExportTracePartialSuccess { rejected_spans: 1, error_message: "too old".to_owned() };
    let answer = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let numbers = recorder.handle();
    let _counting = metrics::set_default_local_recorder(&recorder);
    let (endpoint, heard) = collector(&["200 OK"], answer).await;
    let otlp = begin(&OtlpConfig { logs: false, interval_ms: 60_000, ..config(endpoint) });
    let guard = listening(&otlp);
    drop(tracing::info_span!("request"));
    drop(tracing::info_span!("request"));
    drop(guard);
    otlp.end().await;
    assert_eq!(heard.lock().unwrap().len(), 1);
    let numbers = numbers.render();
    for line in [r#"otlp_items_total{signal="traces",result="sent"} 1"#, r#"otlp_items_total{signal="traces",result="rejected"} 1"#] {
        assert!(numbers.contains(line), "{line} is not in {numbers}");
    }
}

#[tokio::test]
async fn a_collector_that_says_nothing_holds_up_nobody() {
    // It takes connections and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let numbers = recorder.handle();
    let _counting = metrics::set_default_local_recorder(&recorder);
    let otlp = begin(&OtlpConfig { logs: false, queue_max: 10, batch_max: 1, shutdown_time_ms: 100, ..config(endpoint) });
    let guard = listening(&otlp);
    let begun = Instant::now();
    for _ in 0..10_000 {
        drop(tracing::info_span!("request"));
    }
    drop(guard);
    otlp.end().await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let numbers = numbers.render();
    // All but what fits into the queue and what is on its way.
    let dropped = numbers.lines().find_map(|line| line.strip_prefix(r#"otlp_items_total{signal="traces",result="dropped"} "#));
    let dropped: u64 = dropped.unwrap().parse().unwrap();
    assert!(dropped >= 9_980, "{numbers}");
    let given_up = numbers.lines().find_map(|line| line.strip_prefix(r#"otlp_items_total{signal="traces",result="given_up"} "#));
    assert_eq!(dropped + given_up.unwrap().parse::<u64>().unwrap(), 10_000, "each is counted once: {numbers}");
}

#[tokio::test]
async fn without_a_collector_nothing_begins() {
    assert!(Otlp::begin(&OtlpConfig::default(), "1", "test", "here:1").unwrap().is_none());
}
