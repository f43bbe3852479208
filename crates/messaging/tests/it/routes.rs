//! `/api/v1/webhooks`: who may do what, and what cannot be a webhook.

use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::shop::Shop;

#[tokio::test]
async fn a_webhook_is_its_companys() {
    let (shop, receiver) = (Shop::new().await, Receiver::new().await);
    let (ann, bob) = (shop.owner("ann").await, shop.owner("bob").await);
    let tom = shop.member(&ann, "tom", "technician").await;
    let url = format!("{}/ok", receiver.address);
    let hook = shop.webhook(&ann, &url, json!({ "custom_headers": { "X-Key": "hidden" } })).await;
    let id = hook["id"].as_str().unwrap();
    assert!(hook["secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!((&hook["custom_headers"], &hook["timeout_seconds"]), (&json!({ "X-Key": "***" }), &json!(30)));
    shop.call(Some(&ann), "POST", &format!("/{id}/test"), None).await.ok();
    let delivery = shop.ask("select id from public.webhook_logs").await;
    let range = json!({ "from": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z" });
    let on_one: Vec<(&str, String, Option<Value>)> = vec![
        ("GET", format!("/{id}"), None),
        ("PATCH", format!("/{id}"), Some(json!({ "name": "Mine" }))),
        ("PATCH", format!("/{id}"), Some(json!({ "custom_headers": {} }))),
        ("POST", format!("/{id}/rotate-secret"), None),
        ("POST", format!("/{id}/test"), None),
        ("POST", format!("/{id}/replay"), Some(range)),
        ("POST", format!("/{id}/deliveries/{delivery}/resend"), None),
        ("DELETE", format!("/{id}"), None),
    ];
    for (method, path, body) in &on_one {
        shop.call(Some(&bob), method, path, body.clone()).await.refused(404, "webhook_not_found");
        shop.call(Some(&tom), method, path, body.clone()).await.refused(403, "permission_denied");
        shop.call(None, method, path, body.clone()).await.refused(401, "not_signed_in");
    }
    for who in [&ann, &bob] {
        let listed = shop.call(Some(who), "GET", "/", None).await.ok();
        assert_eq!(listed.as_array().unwrap().len(), usize::from(who.company == ann.company));
        assert!(!listed.to_string().contains("whsec_") && !listed.to_string().contains("hidden"));
    }
    shop.call(Some(&tom), "POST", "/", Some(json!({ "name": "T", "url": url, "events": ["job.created"] })))
        .await
        .refused(403, "permission_denied");
    let other = format!("/{id}/deliveries/{}/resend", uuid::Uuid::now_v7());
    shop.call(Some(&ann), "POST", &other, None).await.refused(404, "webhook_delivery_not_found");
    for (method, path, body) in on_one {
        let done = shop.call(Some(&ann), method, &path, body).await;
        assert!((200..300).contains(&done.status), "{method} {path}: {}", done.body);
    }
    assert_eq!(shop.call(Some(&ann), "GET", &format!("/{id}"), None).await.status, 404);
    assert_eq!(shop.ask("select count(*) from app.webhook_secrets").await, "0", "its secrets went with it");
}

#[tokio::test]
async fn whoever_has_rows_sent_may_read_them() {
    let shop = Shop::new().await;
    let ann = shop.owner("ann").await;
    let mia = shop.member(&ann, "mia", "viewer").await;
    shop.sql(&format!("update public.team_members set permissions = '{{\"webhooks:create\": true, \"webhooks:update\": true, \"webhooks:read\": true, \"payments:read\": false}}' where user_id = '{}'", mia.user)).await;
    let hook = |events: Value| Some(json!({ "name": "H", "url": "https://example.com/in", "events": events }));
    for events in [json!(["payment.created"]), json!(["*"]), json!(["payment.*"])] {
        shop.call(Some(&mia), "POST", "/", hook(events)).await.refused(403, "webhook_event_denied");
    }
    let made = shop.call(Some(&mia), "POST", "/", hook(json!(["job.completed"]))).await.ok();
    let path = format!("/{}", made["id"].as_str().unwrap());
    shop.call(Some(&mia), "PATCH", &path, Some(json!({ "events": ["payment.created"] }))).await.refused(403, "webhook_event_denied");
    shop.call(Some(&ann), "PATCH", &path, Some(json!({ "events": ["payment.created"] }))).await.ok();
}

#[tokio::test]
async fn what_cannot_be_a_webhook_is_refused() {
    let shop = Shop::new().await;
    let ann = shop.owner("ann").await;
    let good = json!({ "name": "H", "url": "https://example.com/in", "events": ["job.completed", "invoice.*"] });
    let with = |more: Value| {
        let mut said = good.clone();
        said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Some(said)
    };
    for (more, status, code) in [
        (json!({ "events": ["everything"] }), 422, "webhook_event_invalid"),
        (json!({ "events": ["webhook.created"] }), 422, "webhook_event_invalid"),
        (json!({ "events": ["invoice.payed"] }), 422, "webhook_event_unknown"),
        (json!({ "events": ["invoice.*", "invoice.void"] }), 422, "webhook_event_unknown"),
        (json!({ "events": ["job.draft"] }), 422, "webhook_event_unknown"),
        (json!({ "events": ["property.completed"] }), 422, "webhook_event_unknown"),
        (json!({ "retry_policy": { "max_retries": 21 } }), 422, "webhook_retry_policy_invalid"),
        (json!({ "retry_policy": { "tries": 3 } }), 422, "webhook_retry_policy_invalid"),
        (json!({ "custom_headers": { "Host": "metadata" } }), 422, "webhook_header_invalid"),
        (json!({ "custom_headers": "x" }), 400, "validation_failed"),
        (json!({ "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }), 400, "validation_failed"),
        (json!({ "success_count": 7 }), 400, "validation_failed"),
        (json!({ "name": null }), 400, "validation_failed"),
    ] {
        shop.call(Some(&ann), "POST", "/", with(more)).await.refused(status, code);
    }
    let made =
        shop.call(Some(&ann), "POST", "/", with(json!({ "retry_policy": { "max_retries": 3, "backoff": "exponential" } }))).await.ok();
    let path = format!("/{}", made["id"].as_str().unwrap());
    shop.call(Some(&ann), "PATCH", &path, Some(json!({ "version": 7, "name": "Late" }))).await.refused(409, "version_conflict");
    let replay = format!("{path}/replay");
    let backwards = json!({ "from": "2026-11-22T00:00:00Z", "until": "2026-11-21T00:00:00Z" });
    shop.call(Some(&ann), "POST", &replay, Some(backwards)).await.refused(400, "validation_failed");
    shop.call(Some(&ann), "POST", &replay, Some(json!({}))).await.refused(400, "validation_failed");
    shop.call(Some(&ann), "GET", "/not-an-id", None).await.refused(404, "webhook_not_found");
    // Without a secret, as one that was made by the data API, nothing is sent.
    shop.sql("delete from app.webhook_secrets").await;
    shop.call(Some(&ann), "POST", &format!("{path}/test"), None).await.refused(422, "webhook_not_at_work");
    let names = shop.call(Some(&ann), "GET", "/events", None).await.ok();
    for name in
        ["job.created", "job.completed", "invoice.paid", "customer.restored", "customer.erased", "customer.blocked", "team_member.deleted"]
    {
        assert!(names.as_array().unwrap().contains(&json!(name)), "{name}: {names}");
    }
    for name in ["invoice.void", "job.draft", "property.completed", "job.erased"] {
        assert!(!names.as_array().unwrap().contains(&json!(name)), "{name}: {names}");
    }
    // What the list names can be asked for, all of it.
    shop.call(Some(&ann), "PATCH", &path, Some(json!({ "events": ["invoice.payed"] }))).await.refused(422, "webhook_event_unknown");
    for names in names.as_array().unwrap().chunks(50) {
        shop.call(Some(&ann), "PATCH", &path, Some(json!({ "events": names }))).await.ok();
    }
    assert!(!names.to_string().contains("api_key") && !names.to_string().contains("audit_log"));
}
