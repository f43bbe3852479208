//! Limits, request ids, CORS and the stop, over real connections.

use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::{Value, json};
use server::StartError;
use server::config::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bare::without_database;
use crate::running::{Running, read_all, start_with};

const SLOW_POST: &str =
    "POST /auth/v1/signup HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{";
/// The head of one whose client is told when its body is read.
const ASKING_POST: &str = "POST /auth/v1/signup HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
    expect: 100-continue\r\ncontent-length: 2\r\n\r\n";

/// Begins a request, and waits until the server waits for its body.
async fn in_flight(app: &Running) -> TcpStream {
    let mut stream = app.send(ASKING_POST).await;
    let mut told = [0; 25];
    stream.read_exact(&mut told).await.unwrap();
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

async fn body_of(response: reqwest::Response) -> Value {
    assert_eq!(response.headers()["content-type"], "application/json; charset=utf-8");
    response.json().await.unwrap()
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_announced_or_not() {
    let app = start_with(|settings| settings.limits.body_bytes_max = 1000).await;
    let expected = json!({
        "code": "body_too_large", "details": null, "hint": null, "message": "The request's body is larger than 1000 bytes"
    });
    let client = reqwest::Client::new();
    let announced = client.post(app.url("/auth/v1/signup")).header("content-type", "application/json").body(vec![b' '; 1001]);
    let response = announced.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(body_of(response).await, expected);

    let chunk = format!("3e9\r\n{}\r\n0\r\n\r\n", " ".repeat(1001));
    let head = "POST /auth/v1/signup HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let answer = read_all(&mut app.send(&format!("{head}{chunk}")).await).await;
    assert!(answer.starts_with("HTTP/1.1 413 Payload Too Large\r\n"), "{answer}");
    assert!(answer.ends_with(&expected.to_string()), "{answer}");
    app.stop().await;
}

#[tokio::test]
async fn a_body_of_ten_megabytes_is_answered_before_the_connection_breaks() {
    let app = start_with(|_| {}).await;
    let sent = reqwest::Client::new().post(app.url("/auth/v1/signup")).body(vec![b' '; 10_000_001]).send().await;
    assert_eq!(sent.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    app.stop().await;
}

#[tokio::test]
async fn headers_over_the_limit_are_refused() {
    let app = start_with(|_| {}).await;
    let response = reqwest::Client::new().get(app.url("/health/live")).header("x-long", "x".repeat(32_768)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    assert_eq!(body_of(response).await["code"], "headers_too_large");
    let response = reqwest::Client::new().get(app.url("/health/live")).header("x-long", "x".repeat(32_000)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    // Far over the limit the HTTP library itself refuses.
    let flood = format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "x".repeat(1_000_000));
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    // The server may close before it has all.
    let _sent = stream.write_all(flood.as_bytes()).await.is_ok();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
    app.stop().await;
}

#[tokio::test]
async fn a_client_that_is_slow_with_its_headers_is_cut_off() {
    let app = start_with(|settings| settings.limits.header_time_ms = 300).await;
    for slow in ["", "GET / HTTP/1.1\r\nhost: x\r\n"] {
        let started = Instant::now();
        let mut stream = app.send(slow).await;
        assert_eq!(read_all(&mut stream).await, "");
        let taken = started.elapsed();
        // An idle connection is kept a good while longer.
        assert!((Duration::from_millis(250)..Duration::from_secs(50)).contains(&taken), "{slow:?}: {taken:?}");
    }
    app.stop().await;
}

#[tokio::test]
async fn an_idle_connection_is_kept_longer_than_the_time_for_headers() {
    let app = start_with(|settings| {
        settings.limits.header_time_ms = 1000;
        settings.limits.idle_time_ms = 6000;
    })
    .await;
    let request = "GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut stream = app.send(request).await;
    let mut answer = vec![0; 4096];
    assert!(stream.read(&mut answer).await.unwrap() > 0);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(stream.read(&mut answer).await.unwrap() > 0, "the connection was closed");
    assert_eq!(read_all(&mut stream).await, "", "closed when it lay idle");
    app.stop().await;
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_answered_504() {
    let app = start_with(|settings| settings.limits.request_time_ms = 300).await;
    let answer = read_all(&mut app.send(SLOW_POST).await).await;
    assert!(answer.starts_with("HTTP/1.1 504 Gateway Timeout\r\n"), "{answer}");
    assert!(answer.contains("\"code\":\"request_timeout\""), "{answer}");
    app.stop().await;
}

#[tokio::test]
async fn no_more_connections_than_allowed_are_open() {
    let app = start_with(|settings| {
        settings.limits.connections_max = 1;
        settings.limits.idle_time_ms = 5000;
    })
    .await;
    let request = "GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut first = app.send(request).await;
    let mut answer = vec![0; 4096];
    assert!(first.read(&mut answer).await.unwrap() > 0);
    let mut second = app.send(request).await;
    let early = tokio::time::timeout(Duration::from_millis(300), second.read(&mut answer)).await;
    assert!(early.is_err(), "the second was answered while the first was open");
    assert!(second.read(&mut answer).await.unwrap() > 0, "the second was never answered");
    app.stop().await;
}

#[tokio::test]
async fn the_stop_finishes_a_request_in_flight() {
    let app = start_with(|_| {}).await;
    let address = app.address();
    let mut stream = in_flight(&app).await;
    let stopping = tokio::spawn(app.stop());
    let begun = Instant::now();
    while TcpStream::connect(address).await.is_ok() {
        assert!(begun.elapsed() < Duration::from_mins(1), "a stopping server takes new connections");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!stopping.is_finished(), "the stop did not wait for the request");
    stream.write_all(b"{}").await.unwrap();
    let answer = read_all(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    assert!(answer.contains("x-request-id: "), "{answer}");
    tokio::time::timeout(Duration::from_mins(1), stopping).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_stop_cuts_off_what_does_not_end_within_the_grace() {
    let app = start_with(|settings| settings.listen.shutdown_grace_ms = 300).await;
    let mut stream = in_flight(&app).await;
    tokio::time::timeout(Duration::from_mins(1), app.stop()).await.unwrap();
    assert_eq!(read_all(&mut stream).await, "");
}

#[tokio::test]
async fn a_sane_request_id_comes_back_and_another_is_replaced() {
    let app = start_with(|_| {}).await;
    let ask = |id: &'static str| reqwest::Client::new().get(app.url("/nope")).header("x-request-id", id).send();
    let response = ask("checkout-7.a_b").await.unwrap();
    assert_eq!(response.headers()["x-request-id"], "checkout-7.a_b");
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(body_of(response).await["code"], "route_not_found");
    let response = ask("no good").await.unwrap();
    let made = response.headers()["x-request-id"].to_str().unwrap();
    assert_eq!(uuid::Uuid::parse_str(made).unwrap().get_version_num(), 7);
    app.stop().await;
}

fn preflight(url: String, origin: &str) -> reqwest::RequestBuilder {
    reqwest::Client::new()
        .request(http::Method::OPTIONS, url)
        .header("origin", origin)
        .header("access-control-request-method", "PATCH")
        .header("access-control-request-headers", "apikey,authorization,prefer,x-company-id,x-retry-count,x-own")
}

#[tokio::test]
async fn any_page_may_call_unless_origins_are_listed() {
    let app = start_with(|_| {}).await;
    let response = preflight(app.url("/rest/v1/jobs"), "https://anywhere.example").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    let headers = response.headers();
    assert_eq!(headers["access-control-allow-origin"], "*");
    assert_eq!(headers["access-control-max-age"], "86400");
    assert_eq!(headers["access-control-allow-methods"], "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    let allowed: Vec<_> = headers["access-control-allow-headers"].to_str().unwrap().split(", ").collect();
    for wanted in
        ["apikey", "authorization", "prefer", "x-client-info", "x-company-id", "x-retry-count", "x-own", "range", "content-profile"]
    {
        assert!(allowed.contains(&wanted), "{wanted} in {allowed:?}");
    }

    let get = reqwest::Client::new().get(app.url("/health/live")).header("origin", "https://anywhere.example");
    let response = get.send().await.unwrap();
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    let exposed: Vec<_> = response.headers()["access-control-expose-headers"].to_str().unwrap().split(", ").collect();
    for wanted in ["content-range", "location", "x-request-id", "x-supabase-api-version", "warning"] {
        assert!(exposed.contains(&wanted), "{wanted} in {exposed:?}");
    }
    app.stop().await;
}

#[tokio::test]
async fn with_listed_origins_a_foreign_page_is_refused() {
    let app = start_with(|settings| settings.cors.allowed_origins = vec!["https://app.example.com".to_owned()]).await;
    let response = preflight(app.url("/rest/v1/jobs"), "https://app.example.com").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(response.headers()["access-control-allow-origin"], "https://app.example.com");
    assert!(response.headers().get_all("vary").iter().any(|value| value == "Origin"));
    for foreign in ["https://evil.example", "http://app.example.com", "null"] {
        let asked = preflight(app.url("/rest/v1/jobs"), foreign).send().await.unwrap();
        assert_eq!(asked.status(), StatusCode::FORBIDDEN, "{foreign}");
        let get = reqwest::Client::new().get(app.url("/health/live")).header("origin", foreign).send().await.unwrap();
        assert_eq!(get.status(), StatusCode::FORBIDDEN, "{foreign}");
        assert!(get.headers().get("access-control-allow-origin").is_none());
        assert_eq!(body_of(get).await["code"], "origin_not_allowed");
    }
    let no_page = reqwest::get(app.url("/health/live")).await.unwrap();
    assert_eq!(no_page.status(), StatusCode::OK);
    app.stop().await;
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_process() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut settings = without_database(&folder);
    settings.listen.addresses = vec![address];
    let Err(error) = Box::pin(server::start(settings)).await else { panic!("the port is taken") };
    assert!(matches!(error, StartError::Listen(_)));
    let text = error.to_string();
    assert!(text.contains(&format!("{address} is taken by process {} (", std::process::id())), "{text}");
    assert!(text.contains("address_in_use"), "{text}");
}

#[tokio::test]
async fn every_address_of_both_families_is_listened_on_at_one_port() {
    let everything = ["0.0.0.0:0", "[::]:0"];
    for wanted in [everything.to_vec(), everything.into_iter().rev().collect()] {
        let app = start_with(|settings| settings.listen.addresses = wanted.iter().map(|address| address.parse().unwrap()).collect()).await;
        let port = app.address().port();
        let mut listened: Vec<String> = app.server.urls();
        listened.sort();
        assert_eq!(listened, [format!("http://0.0.0.0:{port}"), format!("http://[::]:{port}")]);
        for host in ["127.0.0.1", "[::1]"] {
            let answer = reqwest::get(format!("http://{host}:{port}/health/live")).await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "{wanted:?} at {host}");
        }
        app.stop().await;
    }
}

#[tokio::test]
async fn the_addresses_of_the_guide_do_not_meet_each_other() {
    let free = testkit::free_port();
    let app = start_with(|settings| {
        settings.listen.addresses = vec![format!("0.0.0.0:{free}").parse().unwrap(), format!("[::]:{free}").parse().unwrap()];
    })
    .await;
    for host in ["127.0.0.1", "[::1]"] {
        let answer = reqwest::get(format!("http://{host}:{free}/health/live")).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{host}");
    }
    app.stop().await;
}

#[tokio::test]
async fn every_address_of_ipv6_alone_takes_ipv4_too() {
    let app = start_with(|settings| settings.listen.addresses = vec!["[::]:0".parse().unwrap()]).await;
    let answer = reqwest::get(format!("http://127.0.0.1:{}/health/live", app.address().port())).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    app.stop().await;
}

#[tokio::test]
async fn http_2_is_spoken_with_those_who_know() {
    let app = start_with(|_| {}).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let response = client.get(app.url("/health/live")).send().await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_2);
    assert_eq!(response.status(), StatusCode::OK);
    app.stop().await;
}

#[tokio::test]
async fn who_asks_too_often_is_told_so_and_nobody_asks_for_another() {
    let ask = async |app: &Running, forwarded: &str| {
        let answer = reqwest::Client::new().get(app.url("/auth/v1/health")).header("x-forwarded-for", forwarded).send().await.unwrap();
        (answer.status().as_u16(), answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned()))
    };
    // In production this machine is counted like any other, and what it says of others is not believed.
    let app = start_with(|settings| settings.auth.limits.other_5min_max = 2).await;
    assert_eq!(ask(&app, "203.0.113.7").await.0, 200);
    assert_eq!(ask(&app, "203.0.113.8").await.0, 200);
    let refused = ask(&app, "203.0.113.9").await;
    assert_eq!((refused.0, refused.1.is_some()), (429, true));
    assert_eq!(reqwest::get(app.url("/health/live")).await.unwrap().status(), StatusCode::OK);
    app.stop().await;

    let behind = |settings: &mut Settings| {
        settings.auth.limits.other_5min_max = 2;
        settings.proxies.trusted = vec!["127.0.0.0/8".to_owned()];
    };
    let app = start_with(behind).await;
    for _ in 0..2 {
        assert_eq!(ask(&app, "1.2.3.4, 203.0.113.7").await.0, 200);
    }
    assert_eq!(ask(&app, "9.9.9.9, 203.0.113.7").await.0, 429, "what he writes himself stands left of his address");
    assert_eq!(ask(&app, "203.0.113.8").await.0, 200);
    app.stop().await;
}
