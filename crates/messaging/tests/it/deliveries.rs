//! Deliveries to receivers that take them, and to those that fail.

use messaging::Pass;
use messaging::config::WebhookConfig;
use outbound::signing::SigningKey;
use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::shop::Shop;

const DAY: i64 = 86_400;

fn id(webhook: &Value) -> &str {
    webhook["id"].as_str().unwrap()
}

#[tokio::test]
async fn what_happened_is_told_signed_and_once() {
    let (shop, receiver) = (Shop::new().await, Receiver::new().await);
    let (ann, bob) = (shop.owner("ann").await, shop.owner("bob").await);
    let headers = json!({ "events": ["customer.created"], "custom_headers": { "X-Shop": "7", "authorization": "Bearer t" } });
    let hook = shop.webhook(&ann, &format!("{}/ok", receiver.address), headers).await;
    shop.webhook(&bob, &format!("{}/bob", receiver.address), json!({})).await;
    let customer = shop.customer(&ann, "Ada").await;
    assert_eq!(shop.pass().await, Pass { events: 1, sent: 1, ..Pass::default() });
    assert_eq!(shop.pass().await, Pass::default(), "once");

    let [told] = receiver.take().try_into().unwrap();
    assert_eq!((told.path.as_str(), told.header("content-type")), ("/ok", "application/json"));
    assert_eq!((told.header("x-shop"), told.header("authorization")), ("7", "Bearer t"));
    let body = told.json();
    assert_eq!((&body["type"], &body["company_id"]), (&json!("customer.created"), &json!(ann.company)));
    assert_eq!((&body["data"]["id"], &body["data"]["first_name"]), (&json!(customer), &json!("Ada")));
    let key = SigningKey::parse(hook["secret"].as_str().unwrap()).unwrap();
    let vouches = |key: &SigningKey| {
        let (id, at) = (told.header("webhook-id"), told.header("webhook-timestamp"));
        key.vouches(told.header("webhook-signature"), id, at, told.body.as_bytes())
    };
    assert!(vouches(&key));
    assert_eq!(shop.log(&hook).await, json!([["customer.created", "sent", 200, 1, null]]));
    assert_eq!(shop.ask("select response_body || ' ' || (sent_at is not null) from public.webhook_logs").await, "thanks true");
    let kept = "select string_agg(w::text, '') || (select string_agg(s::text, '') from app.webhook_secrets s) from public.webhooks w";
    let kept = shop.ask(kept).await;
    assert!(!kept.contains(hook["secret"].as_str().unwrap()) && !kept.contains("Bearer t"), "{kept}");
    let counted = format!("select success_count || ' ' || failure_count || ' ' || version from public.webhooks where id = '{}'", id(&hook));
    assert_eq!(shop.ask(&counted).await, "1 0 2", "the headers were an edit, the counters are none");

    // Two secrets for a while, then one.
    let again =
        shop.call(Some(&ann), "POST", &format!("/{}/rotate-secret", id(&hook)), Some(json!({ "overlap_seconds": 3600 }))).await.ok();
    let new = SigningKey::parse(again["secret"].as_str().unwrap()).unwrap();
    for (seconds, signatures) in [(0, 2), (4000, 1)] {
        shop.wait(seconds);
        shop.call(Some(&ann), "POST", &format!("/{}/test", id(&hook)), None).await.ok();
        assert_eq!(shop.pass().await.sent, 1);
        let [told] = receiver.take().try_into().unwrap();
        assert_eq!(told.json()["type"], "webhook.test");
        let signature = told.header("webhook-signature");
        assert_eq!(signature.split(' ').count(), signatures);
        for (key, holds) in [(&new, true), (&key, signatures == 2)] {
            assert_eq!(key.vouches(signature, told.header("webhook-id"), told.header("webhook-timestamp"), told.body.as_bytes()), holds);
        }
    }
}

#[tokio::test]
async fn a_receiver_that_fails_is_tried_again_until_it_is_given_up() {
    let config = WebhookConfig { attempt_seconds_max: 5, failures_max: 1000, ..WebhookConfig::default() };
    let (shop, receiver) = (Shop::with(config).await, Receiver::new().await);
    let ann = shop.owner("ann").await;
    let policy = json!({ "events": ["customer.created"], "retry_policy": { "max_retries": 7, "backoff": "fixed", "delay_seconds": 10 } });
    let hook = shop.webhook(&ann, &format!("{}/in", receiver.address), policy).await;
    shop.customer(&ann, "Ada").await;
    let mut errors = Vec::new();
    for answer in ["/broken", "/hang-up", "/garbage", "/redirect", "/huge", "/silent"] {
        receiver.answer_like(answer);
        let pass = shop.pass().await;
        assert_eq!((pass.sent, pass.again, pass.failed), (0, 1, 0), "{answer}");
        assert_eq!(shop.pass().await.again, 0, "not before it is due");
        shop.wait(12);
        let told = receiver.take();
        assert_eq!((told.len(), told[0].path.as_str()), (1, "/in"), "{answer}");
        let log = shop.log(&hook).await;
        assert_eq!(log[0][1], "retrying");
        errors.push(log[0][4].as_str().unwrap().split(':').next().unwrap().to_owned());
    }
    let redirected = "it answered 307, and nobody is followed elsewhere";
    assert_eq!(errors, ["it answered 500", "no answer", "no answer", redirected, "it answered 500", "no answer in time"]);
    assert_eq!(shop.ask("select max(length(response_body)) from public.webhook_logs").await, "null", "of silence nothing is kept");
    // It says when: not before, however short the policy's own pause is.
    receiver.answer_like("/busy");
    assert_eq!(shop.pass().await.again, 1);
    shop.wait(3900);
    assert_eq!(shop.pass().await, Pass::default());
    shop.wait(200);
    receiver.answer_like("/huge");
    assert_eq!(shop.pass().await.failed, 1, "the last try");
    assert_eq!(shop.ask("select length(response_body) from public.webhook_logs").await, "20000");
    assert_eq!(shop.log(&hook).await, json!([["customer.created", "failed", 500, 8, "it answered 500"]]));
    let sent = receiver.take();
    assert!(sent.iter().all(|one| one.header("webhook-id") == sent[0].header("webhook-id")), "one id");

    // By hand it goes once more, under its id.
    receiver.answer_like("/ok");
    let delivery = shop.ask("select id from public.webhook_logs").await;
    shop.call(Some(&ann), "POST", &format!("/{}/deliveries/{delivery}/resend", id(&hook)), None).await.ok();
    assert_eq!(shop.pass().await.sent, 1);
    assert_eq!(shop.log(&hook).await, json!([["customer.created", "sent", 200, 9, null]]));
    assert_eq!(receiver.take()[0].header("webhook-id"), sent[0].header("webhook-id"));
}

#[tokio::test]
async fn who_wants_no_more_is_left_alone_and_the_owners_are_told() {
    let (shop, receiver) = (Shop::new().await, Receiver::new().await);
    let ann = shop.owner("ann").await;
    let gone =
        shop.webhook(&ann, &format!("{}/gone", receiver.address), json!({ "name": "Old\r\ntill", "events": ["customer.created"] })).await;
    shop.customer(&ann, "Ada").await;
    assert_eq!(shop.pass().await.failed, 1);
    let now = shop.call(Some(&ann), "GET", &format!("/{}", id(&gone)), None).await.ok();
    assert_eq!((&now["is_active"], &now["disabled_reason"]), (&json!(false), &json!("The receiver answered 410: it wants no more.")));
    let mail = shop.mail("ann@example.com").await;
    assert!(mail.starts_with("The webhook \"Old  till\" was switched off|") && mail.contains("answered 410"), "{mail}");
    shop.customer(&ann, "Eve").await;
    assert_eq!(shop.pass().await, Pass::default());

    // Five days without one that was taken.
    let broken = shop.webhook(&ann, &format!("{}/broken", receiver.address), json!({ "events": ["customer.created"] })).await;
    shop.customer(&ann, "Ida").await;
    for seconds in [0, 10, 400, 2200, 8700, 21_700, 43_300, DAY, DAY] {
        shop.wait(seconds);
        assert_eq!(shop.pass().await.again, 1, "after {seconds} s: {}", shop.log(&broken).await);
    }
    shop.wait(3 * DAY);
    assert_eq!(shop.pass().await.failed, 1);
    let now = shop.call(Some(&ann), "GET", &format!("/{}", id(&broken)), None).await.ok();
    assert_eq!(now["is_active"], false);
    assert!(now["disabled_reason"].as_str().unwrap().starts_with("Every delivery failed since "), "{now}");

    // Switched on again it begins anew, and what it missed is told again.
    receiver.answer_like("/ok");
    let on = shop.call(Some(&ann), "PATCH", &format!("/{}", id(&broken)), Some(json!({ "is_active": true }))).await.ok();
    assert_eq!((&on["is_active"], &on["disabled_reason"]), (&json!(true), &Value::Null));
    let range = json!({ "from": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z" });
    let again = shop.call(Some(&ann), "POST", &format!("/{}/replay", id(&broken)), Some(range)).await.ok();
    assert_eq!(again["deliveries"], 2, "Ada and Ida; of Eve nobody wanted to be told: {again}");
    receiver.take();
    assert_eq!(shop.pass().await.sent, 2);
    assert_eq!(receiver.take().len(), 2);
}

#[tokio::test]
async fn a_circuit_opens_and_one_tries_first() {
    let config = WebhookConfig { failures_max: 2, pause_seconds: 60, ..WebhookConfig::default() };
    let (shop, receiver) = (Shop::with(config).await, Receiver::new().await);
    let ann = shop.owner("ann").await;
    let broken = json!({ "events": ["customer.created"], "retry_policy": { "backoff": "fixed", "delay_seconds": 1, "max_retries": 20 } });
    let hook = shop.webhook(&ann, &format!("{}/broken", receiver.address), broken).await;
    for name in ["A", "B", "C", "D", "E"] {
        shop.customer(&ann, name).await;
    }
    assert_eq!(shop.pass().await.again, 4, "as many at a time as one webhook may have");
    shop.wait(30);
    assert_eq!(shop.pass().await, Pass::default(), "it is left alone");
    shop.wait(3600);
    assert_eq!(shop.pass().await.again, 1, "one tries first");
    shop.wait(30);
    assert_eq!(shop.pass().await, Pass::default());
    receiver.answer_like("/ok");
    shop.wait(3600);
    assert_eq!(shop.pass().await.sent, 1);
    assert_eq!(shop.pass().await.sent, 4, "then the others");
    assert_eq!(
        shop.ask(&format!(
            "select failures || ' ' || success_count || ' ' || failure_count from app.webhook_states where webhook_id = '{}'",
            id(&hook)
        ))
        .await,
        "0 5 5"
    );
}

#[tokio::test]
async fn one_row_is_told_in_order_where_that_is_wanted() {
    let (shop, receiver) = (Shop::new().await, Receiver::new().await);
    let ann = shop.owner("ann").await;
    let wanted = json!({ "events": ["customer.*"], "is_ordered": true, "retry_policy": { "backoff": "fixed", "delay_seconds": 5 } });
    shop.webhook(&ann, &format!("{}/in", receiver.address), wanted).await;
    let first = shop.customer(&ann, "One").await;
    shop.sql(&format!("update public.customers set first_name = 'Two' where id = '{first}'")).await;
    shop.customer(&ann, "Other").await;
    receiver.answer_like("/broken");
    assert_eq!(shop.pass().await.again, 2, "the second of one row waits for the first");
    receiver.answer_like("/ok");
    receiver.take();
    shop.wait(10);
    assert_eq!((shop.pass().await.sent, shop.pass().await.sent), (2, 1));
    let told: Vec<Value> = receiver.take().iter().map(|one| one.json()["type"].clone()).collect();
    assert_eq!(told, ["customer.created", "customer.created", "customer.updated"]);
}

#[tokio::test]
async fn a_server_that_died_loses_nothing_and_settles_nothing_any_more() {
    let (shop, receiver) = (Shop::new().await, Receiver::new().await);
    let ann = shop.owner("ann").await;
    let hook = shop.webhook(&ann, &format!("{}/ok", receiver.address), json!({ "events": ["customer.created"] })).await;
    shop.customer(&ann, "Ada").await;
    // It took the delivery and is never heard of again.
    shop.sql("select app.fan_out_events(now(), 10)").await;
    shop.sql("set role service_role; select count(*) from app.take_webhook_deliveries(now(), 60, 10, 4, 5)").await;
    assert_eq!(shop.pass().await.sent, 0, "it may still be at it");
    shop.wait(90);
    assert_eq!(shop.pass().await.sent, 1);
    assert_eq!(receiver.take().len(), 1);
    let late = format!(
        "select app.settle_webhook_delivery('{}', (select id from public.webhook_logs), 1, '{{\"status\": \"failed\"}}', now(), 5, 5, 60)",
        ann.company
    );
    assert_eq!(shop.ask(&late).await, "null");
    assert_eq!(shop.log(&hook).await[0][1], "sent");
}

#[tokio::test]
async fn a_receiver_is_where_the_list_says_or_is_told_nothing() {
    let (shop, receiver) = (Shop::new().await, Receiver::new().await);
    let ann = shop.owner("ann").await;
    let listed = json!({ "events": ["customer.created"], "ip_whitelist": ["203.0.113.7", "127.0.0.0/8"] });
    shop.webhook(&ann, &format!("{}/ok", receiver.address), listed).await;
    let by_name = receiver.address.replace("127.0.0.1", "localhost");
    let moved = json!({ "events": ["customer.created"], "ip_whitelist": ["203.0.113.0/24", "2001:db8::1"] });
    let moved = shop.webhook(&ann, &format!("{by_name}/moved"), moved).await;
    shop.customer(&ann, "Ada").await;
    let pass = shop.pass().await;
    assert_eq!((pass.sent, pass.again), (1, 1));
    let paths: Vec<String> = receiver.take().into_iter().map(|heard| heard.path).collect();
    assert_eq!(paths, ["/ok"], "what its name stands for is on no list");
    assert_eq!(shop.log(&moved).await[0][4], "the address is none of those that are listed");

    // Once it is listed, what waits comes.
    let path = format!("/{}", id(&moved));
    shop.call(Some(&ann), "PATCH", &path, Some(json!({ "ip_whitelist": ["127.0.0.1", "::1"] }))).await.ok();
    shop.wait(10);
    assert_eq!(shop.pass().await.sent, 1);
    assert_eq!(receiver.take()[0].path, "/moved");
    for wrong in ["somewhere.example.com", "10.1", "1.2.3.4/33", "1.2.3.400", "", ":", "2001:db8::/129"] {
        let changed = shop.call(Some(&ann), "PATCH", &path, Some(json!({ "ip_whitelist": [wrong] }))).await;
        changed.refused(422, "webhook_addresses_invalid");
    }
    let bob = shop.owner("bob").await;
    shop.call(Some(&bob), "PATCH", &path, Some(json!({ "ip_whitelist": [] }))).await.refused(404, "webhook_not_found");
    let viewer = shop.member(&ann, "vic", "viewer").await;
    shop.call(Some(&viewer), "PATCH", &path, Some(json!({ "ip_whitelist": [] }))).await.refused(403, "permission_denied");
}

/// Twenty are due for one, and one for another, who is asked in the first round all the same.
#[tokio::test]
async fn webhooks_take_turns_however_much_waits_for_one() {
    let shop = Shop::with(WebhookConfig { deliveries_max: 3, deliveries_per_webhook_max: 2, ..WebhookConfig::default() }).await;
    let receiver = Receiver::new().await;
    let (ann, bob) = (shop.owner("ann").await, shop.owner("bob").await);
    for (who, path) in [(&ann, "ann"), (&bob, "bob")] {
        shop.webhook(who, &format!("{}/{path}", receiver.address), json!({ "events": ["customer.created"] })).await;
    }
    for number in 0..20 {
        shop.customer(&ann, &format!("Ada {number}")).await;
    }
    shop.customer(&bob, "Ben").await;
    let told = async || {
        assert_eq!(shop.pass().await.sent, 3);
        receiver.take().iter().filter(|heard| heard.path == "/bob").count()
    };
    assert_eq!(told().await, 1);
    let left = "select count(*)::text from app.webhook_deliveries";
    while shop.ask(left).await != "0" {
        shop.pass().await;
    }
    assert_eq!(receiver.take().len(), 18);
}

/// A receiver that never answers is waited for, and others hear meanwhile.
#[tokio::test]
async fn a_receiver_that_takes_its_time_holds_back_no_other() {
    let (shop, receiver) = (Shop::with(WebhookConfig { deliveries_max: 4, ..WebhookConfig::default() }).await, Receiver::new().await);
    let (ann, bob) = (shop.owner("ann").await, shop.owner("bob").await);
    shop.webhook(&ann, &format!("{}/silent", receiver.address), json!({ "events": ["customer.created"] })).await;
    shop.webhook(&bob, &format!("{}/ok", receiver.address), json!({ "events": ["customer.created"] })).await;
    let messaging = shop.messaging.clone();
    let following = tokio::spawn(async move { messaging.follow_deliveries(std::future::pending()).await });
    let heard = async |path: &str| {
        let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
        while !receiver.take().iter().any(|heard| heard.path == path) {
            assert!(std::time::Instant::now() < deadline, "{path} heard nothing");
            tokio::task::yield_now().await;
        }
    };
    shop.customer(&ann, "Ada").await;
    shop.messaging.wake();
    heard("/silent").await;
    shop.customer(&bob, "Ben").await;
    shop.messaging.wake();
    heard("/ok").await;
    let taken = "select count(*)::text from app.webhook_deliveries where attempts = 1";
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while shop.ask(taken).await != "1" {
        assert!(std::time::Instant::now() < deadline, "what was taken is settled, and the other is still waited for");
        tokio::task::yield_now().await;
    }
    following.abort();
}
