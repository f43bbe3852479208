//! A development server keeps what it would send, and programs written for Mailpit read it.

use axum::body::Body;
use axum::{Extension, Router};
use http::Request;
use http_body_util::BodyExt;
use kernel::{Principal, Subject};
use outbound::config::OutboxConfig;
use outbound::{Channel, OutboundConfig, mailbox};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::post::Post;

/// Asks as this subject does.
async fn ask(post: &Post, subject: Subject, method: &str, path: &str) -> (u16, Value) {
    let who = Principal::vouch(&post.authority, subject, "{}");
    let routes: Router = mailbox::router(post.outbound.clone()).layer(Extension(who));
    let response = routes.oneshot(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

async fn service(post: &Post, method: &str, path: &str) -> Value {
    let (status, body) = ask(post, Subject::Service, method, path).await;
    assert_eq!(status, 200, "{body}");
    body
}

#[tokio::test]
async fn kept_messages_are_searched_read_and_deleted() {
    let outbox = OutboxConfig { captured_max: 3, ..OutboxConfig::default() };
    let post = Post::new(OutboundConfig { outbox, ..OutboundConfig::default() }).await;
    assert!(post.outbound.captures() && post.outbound.sends(Channel::Mail) && post.outbound.sends(Channel::Sms));
    for (channel, recipient) in [(Channel::Mail, "old@example.com"), (Channel::Mail, "ann@example.com"), (Channel::Sms, "+15550100")] {
        post.put(channel, recipient).await.unwrap();
        assert_eq!(post.pass().await.sent, 1);
        post.wait(1);
    }
    post.put(Channel::Mail, "Ben@example.com").await.unwrap();
    post.pass().await;

    let all = service(&post, "GET", "/api/v1/messages?limit=2").await;
    assert_eq!((&all["total"], &all["unread"], &all["count"]), (&json!(3), &json!(3), &json!(2)), "of all only the newest");
    assert_eq!(all["messages"][0]["To"], json!([{ "Name": "", "Address": "Ben@example.com" }]));
    assert_eq!(all["messages"][1]["Tags"], json!(["sms", "magic_link"]));
    let found = service(&post, "GET", "/api/v1/search?query=to:ann%40example.com%20subject:%22ihr%20link%22").await;
    assert_eq!(found["messages_count"], 1);
    let ann = &found["messages"][0];
    assert_eq!(ann["From"], json!({ "Name": "Baker & Söhne", "Address": "no-reply@localhost" }));
    assert_eq!((&ann["Subject"], &ann["Snippet"], &ann["Read"]), (&json!("Ihr Link"), &json!("The code is 481516"), &json!(false)));
    let whole = service(&post, "GET", &format!("/api/v1/message/{}", ann["ID"].as_str().unwrap())).await;
    assert_eq!((&whole["Text"], &whole["HTML"]), (&json!("The code is 481516"), &json!("<p>The code is 481516</p>")));
    assert_eq!(service(&post, "GET", "/api/v1/message/latest").await["To"][0]["Address"], "Ben@example.com");
    assert_eq!(service(&post, "GET", "/api/v1/search?query=is:unread%20481516").await["messages_count"], 1);

    for subject in [Subject::Anonymous, Subject::User { user_id: kernel::UserId::new_v7(), session_id: None }] {
        for (method, path) in [("GET", "/api/v1/messages"), ("GET", "/api/v1/message/latest"), ("DELETE", "/api/v1/messages")] {
            let (status, body) = ask(&post, subject.clone(), method, path).await;
            assert!(matches!(status, 401 | 403), "{method} {path}: {status} {body}");
            assert!(!body.to_string().contains("481516"));
        }
    }
    assert_eq!(ask(&post, Subject::Service, "GET", "/api/v1/message/nobody").await.0, 404);
    assert_eq!(ask(&post, Subject::Service, "DELETE", "/api/v1/search?query=tag:sms").await.0, 200);
    assert_eq!(service(&post, "GET", "/api/v1/messages").await["total"], 2);
    assert_eq!(ask(&post, Subject::Service, "DELETE", "/api/v1/messages").await.0, 200);
    assert_eq!(post.ask("select count(*) from app.captured_messages").await, "0");
}
