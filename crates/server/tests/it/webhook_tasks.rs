//! `webhook_delivery`: a task that has an event sent to a webhook.

use serde_json::{Value, json};

use crate::rates::soon;
use crate::transfers::shop::Shop;

fn sent(webhook: &str, event: &str) -> Value {
    json!({ "webhook_id": webhook, "event_id": event })
}

#[tokio::test]
async fn an_event_is_sent_again_by_whoever_may_and_only_where_it_is_wanted() {
    let shop = Shop::open().await;
    let ann = &shop.ann;
    let hook = json!({ "name": "Books", "url": "https://receiver.example.com/in", "events": ["customer.created"] });
    let made = shop.post("/api/v1/webhooks", ann, hook).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let made = if made.body["data"].is_object() { &made.body["data"] } else { &made.body };
    let webhook = made["id"].as_str().unwrap_or_else(|| panic!("{made}"));
    assert_eq!(shop.post("/rest/v1/customers", ann, json!({ "first_name": "Ada", "phone": "+12025550100" })).await.status, 201);
    let logs = format!("/rest/v1/webhook_logs?webhook_id=eq.{webhook}&select=id,event_id,event_type&order=id");
    let mut told = Value::Null;
    soon("the webhook is told", async || {
        told = shop.get(&logs, ann).await.body;
        told[0]["event_id"].is_string()
    })
    .await;
    let event = told[0]["event_id"].as_str().unwrap().to_owned();

    let done = shop.task(ann, "webhook_delivery", sent(webhook, &event)).await;
    assert_eq!(done["status"], "completed", "{done}");
    let told = shop.get(&logs, ann).await.body;
    assert_eq!((&told[1]["id"], &told[1]["event_id"]), (&done["result"]["delivery_id"], &json!(event)), "{told}");
    assert_eq!((&told[1]["event_type"], told.as_array().unwrap().len()), (&json!("customer.created"), 2), "{told}");

    // Nobody else's, nothing that did not happen, and nothing that the webhook does not ask for.
    let unknown = "01900000-0000-7000-8000-0000000000ff";
    for (who, payload, code) in [
        (&shop.bob, sent(webhook, &event), "webhook_not_found"),
        (ann, sent(unknown, &event), "webhook_not_found"),
        (ann, sent(webhook, unknown), "webhook_event_not_found"),
    ] {
        let failed = shop.task(who, "webhook_delivery", payload).await;
        assert!(failed["status"] == "failed" && failed["error_message"].to_string().contains(code), "{code}: {failed}");
    }
    let others = shop.request("PATCH", &format!("/api/v1/webhooks/{webhook}"), ann).body(json!({ "events": ["job.created"] }).to_string());
    assert_eq!(shop.server.send(others).await.status, 200);
    let failed = shop.task(ann, "webhook_delivery", sent(webhook, &event)).await;
    assert!(failed["error_message"].to_string().contains("webhook_event_not_wanted"), "{failed}");

    let row = |payload: Value| json!({ "job_type": "webhook_delivery", "payload": payload });
    let tech = shop.member("technician").await;
    Shop::refused(&shop.post("/rest/v1/job_queue", &tech, row(sent(webhook, &event))).await, 403, "42501");
    Shop::refused(&shop.post("/rest/v1/job_queue", ann, row(json!({ "webhook_id": webhook }))).await, 400, "22023");
    let stranger = shop.server.post("/rest/v1/job_queue", "", row(sent(webhook, &event))).await;
    assert_eq!(stranger.status, 401, "{}", stranger.body);
    shop.server.stop().await;
}
