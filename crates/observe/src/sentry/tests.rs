//! Errors that reach a stand-in of Sentry over HTTP, and the pause that it asks for.

use std::sync::{Arc, Mutex};

use kernel::Secret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tracing_subscriber::layer::SubscriberExt;

use super::*;

/// Answers each request with the next of these, the last one again and again; keeps what it was sent.
async fn stand_in(answers: &'static [&'static str]) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dsn = format!("http://public@{}/7", listener.local_addr().unwrap());
    let heard = Arc::<Mutex<Vec<String>>>::default();
    let keeps = Arc::clone(&heard);
    tokio::spawn(async move {
        for number in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            loop {
                stream.read_buf(&mut bytes).await.unwrap();
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
                if let (Some(length), Some((_, body))) = (length, text.split_once("\r\n\r\n"))
                    && body.len() >= length
                {
                    break;
                }
            }
            keeps.lock().unwrap().push(String::from_utf8(bytes).unwrap());
            let answer = answers.get(number).or(answers.last()).unwrap();
            stream.write_all(format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
        }
    });
    (dsn, heard)
}

fn config(dsn: String) -> SentryConfig {
    SentryConfig { dsn: Some(Secret::new(dsn)), traces_sample_rate: 1.0, ..SentryConfig::default() }
}

async fn until(what: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !what() {
        assert!(Instant::now() < deadline, "never");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn errors_and_requests_are_told_with_who_and_without_what_lets_in() {
    let (dsn, heard) = stand_in(&["200 OK"]).await;
    let sentry = Sentry::begin(&config(dsn), "thorbis@0.1.0", "production").unwrap().unwrap();
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(sentry));
    let span = tracing::info_span!("request", request_id = "r1", user_id = tracing::field::Empty, company_id = tracing::field::Empty);
    span.record("user_id", "u1").record("company_id", "c1");
    span.in_scope(|| {
        tracing::error!(code = "internal_error", client = "203.0.113.7", "mail to ann@example.com failed with token=abc");
        tracing::info!(target: "access", method = "GET", route = "/rest/v1/{table}", path = "/rest/v1/secrets", status = 500, duration_ms = 12.5, "x");
        tracing::info!("nobody is told of this");
    });
    drop(guard);
    until(|| heard.lock().unwrap().len() == 2).await;
    let heard = heard.lock().unwrap();
    let (error, request) = (&heard[0], &heard[1]);
    assert!(error.starts_with("POST /api/7/envelope/ ") && error.contains("sentry_key=public"), "{error}");
    for what in [
        "mail to [address] failed with token=[secret]",
        r#""user":{"id":"u1"}"#,
        r#""company":{"id":"c1"}"#,
        r#""release":"thorbis@0.1.0""#,
    ] {
        assert!(error.contains(what), "{what} is not in {error}");
    }
    assert!(request.contains(r#""transaction":"GET /rest/v1/{table}""#) && request.contains(r#""type":"transaction""#), "{request}");
    for secret in ["203.0.113.7", "ann@example.com", "/rest/v1/secrets", "nobody is told"] {
        assert!(!error.contains(secret) && !request.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_pause_is_kept() {
    let (dsn, heard) = stand_in(&["429 Too Many\r\nretry-after: 3600", "200 OK"]).await;
    let sentry = Sentry::begin(&config(dsn), "thorbis@0.1.0", "test").unwrap().unwrap();
    let queue = sentry.queue.clone();
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(sentry));
    tracing::error!("first");
    until(|| heard.lock().unwrap().len() == 1).await;
    for _ in 0..5 {
        tracing::error!("another");
    }
    drop(guard);
    // All of them were taken from the queue, and none was sent.
    until(|| queue.capacity() == queue.max_capacity()).await;
    assert_eq!(heard.lock().unwrap().len(), 1);
}

#[test]
fn without_a_dsn_nothing_begins() {
    assert!(Sentry::begin(&SentryConfig::default(), "thorbis@0.1.0", "test").unwrap().is_none());
}
