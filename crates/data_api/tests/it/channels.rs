//! Devices that people register, the log of what was sent, and the list of who is not written to, as clients reach them.

use serde_json::{Value, json};

use crate::server::Server;

fn subscription(name: &str) -> Value {
    let key = format!("B{}", "A".repeat(86));
    json!({ "endpoint": format!("https://push.example.net/send/{name}-of-a-browser"), "expirationTime": null, "keys": { "p256dh": key, "auth": "BTBZMqHH6r4Tts7J_aSIgg" } })
}

#[tokio::test]
async fn devices_are_their_owners_alone() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let register = async |who, body: Value| server.post(who, "rpc/register_push_device", body, "").await;
    let phone = json!({ "token": "a-token-of-an-application", "platform": "android", "name": "Phone" });
    let id = register(&ann, json!({ "subscription": subscription("ann") })).await.ok();
    assert_eq!(register(&ann, json!({ "subscription": subscription("ann"), "name": "Desk" })).await.ok(), id, "the same again");
    register(&ann, phone.clone()).await.ok();
    let listed = server.post(&ann, "rpc/push_devices", json!({}), "").await.ok();
    let shown: Vec<Value> =
        listed.as_array().unwrap().iter().map(|device| json!([device["provider"], device["platform"], device["name"]])).collect();
    assert_eq!(shown, [json!(["fcm", "android", "Phone"]), json!(["vapid", "web", "Desk"])]);
    assert!(!listed.to_string().contains("push.example.net") && !listed.to_string().contains("BTBZ"), "{listed}");

    // Of nobody else, and no table of the API.
    assert_eq!(server.post(&bob, "rpc/push_devices", json!({}), "").await.ok(), json!([]));
    assert_eq!(server.post(&bob, "rpc/remove_push_device", json!({ "id": id }), "").await.ok(), json!(false));
    for name in ["push_devices", "channel_settings", "address_holds"] {
        assert_eq!(server.get(&ann, name).await.status, 404, "{name}");
    }
    for function in ["register_push_device", "push_devices", "remove_push_device", "message_attempts"] {
        let refused = server.post(&Server::nobody(), &format!("rpc/{function}"), json!({}), "").await;
        assert!(matches!(refused.status, 401 | 404), "{function}: {}", refused.text);
    }
    // Whoever has the browser itself takes it over; whoever only knows its address does not.
    let mut stolen = subscription("ann");
    stolen["keys"]["auth"] = json!("AAAAAAAAAAAAAAAAAAAAAA");
    register(&bob, json!({ "subscription": stolen })).await.refused(409, "push_device_taken");
    assert_eq!(register(&bob, json!({ "subscription": subscription("ann") })).await.ok(), id);
    assert_eq!(server.post(&ann, "rpc/push_devices", json!({}), "").await.ok().as_array().unwrap().len(), 1);
    let address = json!({ "address": "a-token-of-an-application" });
    assert_eq!(server.post(&ann, "rpc/remove_push_device", address.clone(), "").await.ok(), json!(true));
    assert_eq!(server.post(&ann, "rpc/remove_push_device", address, "").await.ok(), json!(false));

    // The one that was not registered for longest makes room.
    for number in 0..22 {
        register(&ann, json!({ "token": format!("a-token-of-application-{number:02}") })).await.ok();
    }
    let kept = server.db.superuser().await;
    let row = kept.query_one("select count(*), min(address) from app.push_devices d where d.provider = 'fcm'", &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, String>(1)), (20, "a-token-of-application-02".to_owned()));
}

#[tokio::test]
async fn what_cannot_be_a_device_is_refused() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let with = |endpoint: &str| {
        let mut odd = subscription("x");
        odd["endpoint"] = json!(endpoint);
        json!({ "subscription": odd })
    };
    let mut keyless = subscription("x");
    keyless["keys"] = json!({});
    for body in [
        json!({}),
        json!({ "subscription": subscription("x"), "token": "a-token-of-an-application" }),
        json!({ "subscription": keyless }),
        json!({ "subscription": "x" }),
        json!({ "token": "short" }),
        json!({ "token": "a token of an application" }),
        json!({ "token": "a-token-of-an-application", "platform": "watch" }),
        json!({ "token": "a-token-of-an-application", "name": "" }),
        with("http://push.example.net/send/without-tls"),
        with("https://127.0.0.1/send/to-this-machine"),
        with("https://169.254.169.254/latest/meta-data"),
        with("https://[::1]/send/to-this-machine"),
        with("https://localhost/send/to-this-machine"),
        with("https://metadata.internal/send/to-it"),
        with("https://ann@push.example.net/send/with-a-name"),
        with("ftp://push.example.net/send/another-way"),
        with(&format!("https://push.example.net/{}", "x".repeat(1100))),
    ] {
        server.post(&ann, "rpc/register_push_device", body, "").await.refused(422, "push_device_invalid");
    }
    assert_eq!(server.post(&ann, "rpc/push_devices", json!({}), "").await.ok(), json!([]));
}

#[tokio::test]
async fn members_read_the_log_of_their_company() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let csr = server.member(&ann.company_id, "csr").await;
    let technician = server.member(&ann.company_id, "technician").await;
    let attempt = |company: &str, purpose: &str, outcome: &str| {
        format!(
            "insert into app.message_attempts (message_key, company_id, channel, purpose, topic, recipient, attempt, provider, provider_key, outcome, said_at, created_at)
             values (gen_random_uuid(), {company}, 'mail', '{purpose}', 'offers', 'eve@example.com', 1, 'resend', 're_1', '{outcome}', now(), now());"
        )
    };
    let client = server.db.superuser().await;
    let (ours, theirs) = (format!("'{}'", ann.company_id), format!("'{}'", bob.company_id));
    let rows = [
        attempt(&ours, "offer", "delivered"),
        attempt(&ours, "invoice", "bounced"),
        attempt(&theirs, "offer", "accepted"),
        attempt("null", "magic_link", "accepted"),
    ];
    client.batch_execute(&rows.concat()).await.unwrap();
    for who in [&ann, &csr] {
        let read = server.get(who, "rpc/message_attempts?select=purpose,outcome,recipient,provider_message_id&order=purpose").await.ok();
        let row = |purpose: &str, outcome: &str| json!({ "purpose": purpose, "outcome": outcome, "recipient": "eve@example.com", "provider_message_id": "re_1" });
        assert_eq!(read, json!([row("invoice", "bounced"), row("offer", "delivered")]));
    }
    assert_eq!(server.get(&ann, "rpc/message_attempts?outcome=eq.bounced&select=purpose").await.ok(), json!([{ "purpose": "invoice" }]));
    assert_eq!(server.get(&technician, "rpc/message_attempts").await.ok(), json!([]), "who reads some messages reads no log");
    assert_eq!(server.get(&bob, "rpc/message_attempts?select=purpose").await.ok(), json!([{ "purpose": "offer" }]));
}

#[tokio::test]
async fn members_keep_the_list_of_who_is_not_written_to() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let csr = server.member(&ann.company_id, "csr").await;
    let technician = server.member(&ann.company_id, "technician").await;
    let row = |kind: &str, key: &str, topic: &str| json!({ "kind": kind, "address_key": key, "topic": topic, "reason": "manual" });
    server.post(&csr, "suppressions", row("email", " Eve@Example.com ", ""), "").await.ok();
    server.post(&csr, "suppressions", row("email", "eve@example.com", "offers"), "").await.ok();
    server.post(&csr, "suppressions", row("sms", "+1 (555) 0101", ""), "").await.ok();
    server.post(&csr, "suppressions", row("email", "EVE@example.com", ""), "").await.refused(409, "23505");
    server.post(&csr, "suppressions", row("email", "eve", ""), "").await.refused(422, "suppression_address_invalid");
    server.post(&csr, "suppressions", row("sms", "call me", ""), "").await.refused(422, "suppression_address_invalid");
    server.post(&csr, "suppressions", row("email", "a@example.com", "Not a topic"), "").await.refused(400, "23514");
    server.post(&technician, "suppressions", row("email", "b@example.com", ""), "").await.refused(403, "42501");
    let listed = "suppressions?select=kind,address_key,topic&order=kind,topic";
    let ours = json!([{ "kind": "email", "address_key": "eve@example.com", "topic": "" }, { "kind": "email", "address_key": "eve@example.com", "topic": "offers" },
                      { "kind": "sms", "address_key": "+15550101", "topic": "" }]);
    assert_eq!(server.get(&ann, listed).await.ok(), ours);
    assert_eq!(server.get(&bob, listed).await.ok(), json!([]));
    assert_eq!(server.get(&technician, listed).await.ok(), json!([]));
    for who in [&csr, &bob] {
        server.delete(who, "suppressions?kind=eq.sms", "").await;
        assert_eq!(server.get(&ann, listed).await.ok(), ours, "who may not take one back");
    }
    server.delete(&ann, "suppressions?kind=eq.sms", "").await;
    assert_eq!(server.get(&ann, listed).await.ok().as_array().unwrap().len(), 2);
}
