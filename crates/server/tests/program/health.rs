//! Health, the front page and the numbers.

use http::StatusCode;
use serde_json::{Value, json};

use crate::running::start_with;

#[tokio::test]
async fn without_a_database_the_server_lives_and_is_not_ready() {
    let app = start_with(|_| {}).await;
    let live = reqwest::get(app.url("/health/live")).await.unwrap();
    assert_eq!(live.status(), StatusCode::OK);
    assert_eq!(live.headers()["cache-control"], "no-store");
    assert_eq!(live.json::<Value>().await.unwrap(), json!({ "status": "live" }));

    let ready = reqwest::get(app.url("/health/ready")).await.unwrap();
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    let ready: Value = ready.json().await.unwrap();
    assert_eq!(ready["status"], "not_ready");
    assert_eq!(ready["checks"]["database"]["status"], "failed");
    assert_eq!(ready["checks"]["database"]["code"], "database_unavailable");
    assert_eq!(ready["checks"]["migrations"]["status"], "failed");
    assert!(!ready.to_string().contains("nothing@"), "the password of the URL: {ready}");
    app.stop().await;
}

#[tokio::test]
async fn the_documented_health_has_its_shape() {
    let app = start_with(|_| {}).await;
    let response = reqwest::get(app.url("/api/health")).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let mut body: Value = response.json().await.unwrap();
    let timestamp: jiff::Timestamp = body["timestamp"].as_str().unwrap().parse().unwrap();
    assert!(timestamp.duration_until(jiff::Timestamp::now()).as_secs().abs() < 60);
    body["timestamp"] = json!("t");
    let expected = json!({ "timestamp": "t", "status": "degraded", "services": { "database": "unhealthy", "redis": "not_configured" } });
    assert_eq!(body, expected);
    app.stop().await;
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let app = start_with(|_| {}).await;
    let response = reqwest::Client::new().head(app.url("/health/live")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-length"], "17");
    assert_eq!(response.bytes().await.unwrap().len(), 0);
    app.stop().await;
}

#[tokio::test]
async fn the_front_says_where_things_are() {
    let app = start_with(|settings| settings.public_url = Some("https://api.example.com/".to_owned())).await;
    let front: Value = reqwest::get(app.url("/")).await.unwrap().json().await.unwrap();
    assert_eq!(front["name"], "thorbis");
    assert_eq!(front["endpoints"]["rest"], "https://api.example.com/rest/v1");
    let page = reqwest::Client::new().get(app.url("/")).header("accept", "text/html,*/*").send().await.unwrap();
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert!(page.text().await.unwrap().contains("/health/ready"));
    app.stop().await;
}

#[tokio::test]
async fn a_wrong_method_is_told_which_are_right() {
    let app = start_with(|_| {}).await;
    let response = reqwest::Client::new().delete(app.url("/health/live")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()["allow"], "GET,HEAD");
    assert_eq!(response.json::<Value>().await.unwrap()["code"], "method_not_allowed");
    app.stop().await;
}

#[tokio::test]
async fn the_numbers_are_for_this_machine() {
    let app = start_with(|_| {}).await;
    reqwest::get(app.url("/no-such-path-of-this-test")).await.unwrap();
    let text = reqwest::get(app.url("/metrics")).await.unwrap().text().await.unwrap();
    for wanted in [
        "http_requests_total{method=\"GET\",route=\"none\",status=\"404\",tier=\"none\"} ",
        "http_request_duration_seconds_bucket{method=\"GET\",route=\"none\",le=\"0.005\"} ",
        "build_info{version=\"0.1.0\",commit=\"",
        "process_start_time_seconds ",
        "database_pool_size ",
        "database_pool_available ",
        "database_pool_waiting ",
    ] {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
    assert!(!text.contains("no-such-path"), "a path became a label");
    let forwarded = reqwest::Client::new().get(app.url("/metrics")).header("x-forwarded-for", "203.0.113.7").send().await.unwrap();
    assert_eq!(forwarded.status(), StatusCode::FORBIDDEN);
    assert_eq!(forwarded.json::<Value>().await.unwrap()["code"], "metrics_not_allowed");
    app.stop().await;

    let open = start_with(|settings| settings.metrics.access = server::config::MetricsAccess::Anyone).await;
    let forwarded = reqwest::Client::new().get(open.url("/metrics")).header("x-forwarded-for", "203.0.113.7").send().await.unwrap();
    assert_eq!(forwarded.status(), StatusCode::OK);
    open.stop().await;
}
