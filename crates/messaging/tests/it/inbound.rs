//! What other programs tell this server: verified, kept once, done in whatever order it comes.

use aws_lc_rs::hmac;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Request};
use kernel::Secret;
use messaging::inbound::{InboundConfig, OtherConfig, SignedConfig, StripeConfig, TwilioConfig};
use outbound::signing::{SigningKey, signed_headers};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::shop::Shop;

const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_c2VjcmV0LXRoYXQtaXMtbmV3LWVub3VnaA==";
const STRIPE: &str = "whsec_test_secret";

fn config() -> InboundConfig {
    let secrets = |all: &[&str]| all.iter().map(|secret| Secret::new((*secret).to_owned())).collect::<Vec<_>>();
    let mut config = InboundConfig {
        body_bytes_max: 4096,
        stripe: StripeConfig { secrets: secrets(&[STRIPE]), tiers: vec!["price_pro=pro".to_owned()] },
        twilio: TwilioConfig { tokens: secrets(&["12345"]) },
        resend: SignedConfig { secrets: secrets(&[OLD]) },
        others: vec![OtherConfig { name: "till".to_owned(), secrets: secrets(&[OLD]) }],
        ..InboundConfig::default()
    };
    config.clerk.secrets = secrets(&[NEW, OLD]);
    config
}

/// Calls as a provider does; returns the status and the code of a refusal.
async fn tell(shop: &Shop, path: &str, headers: HeaderMap, body: &str) -> (u16, String) {
    let mut request = Request::builder().method("POST").uri(path).body(Body::from(body.to_owned())).unwrap();
    request.headers_mut().extend(headers);
    let response =
        axum::Router::new().nest("/webhooks/v1", messaging::inbound_router(shop.messaging.clone())).oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
    let body: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

fn signed(shop: &Shop, id: &str, body: &str) -> HeaderMap {
    signed_headers(id, shop.now(), body, &[SigningKey::parse(OLD).unwrap()]).unwrap()
}

/// As Clerk tells it, so many minutes ago: a second that passes between two changes nothing in their order.
async fn clerk(shop: &Shop, id: &str, event: &str, data: Value, ago: i64) {
    let body = json!({ "object": "event", "type": event, "timestamp": (shop.now() - ago * 60) * 1000, "data": data }).to_string();
    // Under the names that Clerk's headers have.
    let ours = signed(shop, id, &body);
    let headers = ["id", "timestamp", "signature"].map(|name| {
        let value = ours[format!("webhook-{name}").as_str()].clone();
        (http::HeaderName::from_bytes(format!("svix-{name}").as_bytes()).unwrap(), value)
    });
    assert_eq!(tell(shop, "/webhooks/v1/clerk", HeaderMap::from_iter(headers), &body).await.0, 200);
}

async fn stripe(shop: &Shop, id: &str, object: Value, ago: i64) -> u16 {
    let event = json!({ "id": id, "type": "customer.subscription.updated", "created": shop.now() - ago, "data": { "object": object } });
    let (body, now) = (event.to_string(), shop.now());
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, STRIPE.as_bytes()), format!("{now}.{body}").as_bytes());
    let hex = signature.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let headers = HeaderMap::from_iter([(http::HeaderName::from_static("stripe-signature"), format!("t={now},v1={hex}").parse().unwrap())]);
    tell(shop, "/webhooks/v1/stripe", headers, &body).await.0
}

async fn outcome(shop: &Shop, key: &str) -> String {
    shop.ask(&format!("select status || ' ' || coalesce(outcome, '') from app.inbound_events where event_key = '{key}'")).await
}

#[tokio::test]
async fn clerks_people_and_companies_are_ours_in_whatever_order_they_come() {
    let shop = Shop::listening(config()).await;
    let membership = |role: &str| json!({ "id": "orgmem_1", "role": role, "organization": { "id": "org_1" }, "public_user_data": { "user_id": "user_1" } });
    let user = |name: &str| {
        json!({ "id": "user_1", "first_name": name, "last_name": "Lee", "primary_email_address_id": "idn_2",
                "email_addresses": [{ "id": "idn_1", "email_address": "old@example.com" },
                                    { "id": "idn_2", "email_address": "Ann@Example.com", "verification": { "status": "verified" } }] })
    };
    clerk(&shop, "msg_1", "organizationMembership.created", membership("org:admin"), 50).await;
    assert_eq!(shop.messaging.pass_inbound().await.unwrap(), 0);
    assert_eq!(outcome(&shop, "msg_1").await, "pending what it speaks of is not known yet");
    clerk(&shop, "msg_3", "user.updated", user("Anne"), 40).await;
    clerk(&shop, "msg_2", "user.created", user("Ann"), 60).await;
    clerk(&shop, "msg_4", "organization.created", json!({ "id": "org_1", "name": "Ann's Plumbing", "slug": "anns-plumbing" }), 55).await;
    for _ in 0..2 {
        clerk(&shop, "msg_3", "user.updated", user("Anne"), 40).await;
    }
    assert_eq!(shop.messaging.pass_inbound().await.unwrap(), 3);
    shop.wait(10);
    assert_eq!(shop.messaging.pass_inbound().await.unwrap(), 1);
    assert_eq!(outcome(&shop, "msg_1").await, "done applied");
    let members =
        "select string_agg(concat_ws('|', c.slug, c.name, u.name, u.email, u.email_verified, m.role, m.status, m.archived_at is null,
                                               c.owner_id = u.id), ';')
                     from public.companies c join public.team_members m on m.company_id = c.id join public.users u on u.id = m.user_id
                    where c.external_id = 'org_1' and u.external_id = 'user_1'";
    assert_eq!(shop.ask(members).await, "anns-plumbing|Ann's Plumbing|Anne Lee|ann@example.com|t|owner|active|t|t");

    // A second member comes, changes, goes, and what is late changes nothing.
    let other = |role: &str| json!({ "id": "orgmem_2", "role": role, "organization": { "id": "org_1" }, "public_user_data": { "user_id": "user_2" } });
    clerk(&shop, "msg_5", "user.created", json!({ "id": "user_2", "first_name": "Bob", "email_addresses": [] }), 30).await;
    clerk(&shop, "msg_6", "organizationMembership.created", other("org:member"), 29).await;
    clerk(&shop, "msg_7", "organizationMembership.deleted", other("org:member"), 27).await;
    clerk(&shop, "msg_8", "organizationMembership.updated", other("org:admin"), 28).await;
    clerk(&shop, "msg_9", "user.deleted", json!({ "id": "user_2", "deleted": true }), 20).await;
    clerk(&shop, "msg_10", "user.updated", json!({ "id": "user_2", "first_name": "Back" }), 21).await;
    assert_eq!(shop.messaging.pass_inbound().await.unwrap(), 6);
    let second = "select concat_ws('|', m.role, m.status, m.archived_at is null, u.is_active, u.name)
                    from public.team_members m join public.users u on u.id = m.user_id where u.external_id = 'user_2'";
    assert_eq!(shop.ask(second).await, "admin|suspended|f|f|Back", "they are done in the order in which they happened");
    clerk(&shop, "msg_11", "organizationMembership.updated", other("org:admin"), 28).await;
    clerk(&shop, "msg_12", "user.updated", json!({ "id": "user_2", "first_name": "Again" }), 21).await;
    assert_eq!(shop.messaging.pass_inbound().await.unwrap(), 2);
    assert_eq!((outcome(&shop, "msg_11").await, outcome(&shop, "msg_12").await), ("done older".to_owned(), "done older".to_owned()));
    assert_eq!(shop.ask(second).await, "admin|suspended|f|f|Back");
    assert_eq!(shop.ask("select count(*) from app.inbound_events").await, "12", "each once");
}

#[tokio::test]
async fn a_subscription_at_stripe_is_the_companys() {
    let shop = Shop::listening(config()).await;
    let (ann, bob) = (shop.owner("ann").await, shop.owner("bob").await);
    let object = |status: &str, seats: i64| {
        json!({ "id": "sub_1", "customer": "cus_1", "status": status, "metadata": { "company_id": ann.company }, "cancel_at_period_end": false,
                "items": { "data": [{ "quantity": seats, "current_period_end": 1_798_761_600,
                                      "price": { "id": "price_pro", "unit_amount": 4900, "currency": "usd", "recurring": { "interval": "month" } } }] } })
    };
    let standing = format!(
        "select concat_ws('|', subscription_tier, subscription_status, max_seats) from public.companies where id = '{}'",
        ann.company
    );
    assert_eq!(stripe(&shop, "evt_2", object("past_due", 9), 10).await, 200);
    assert_eq!(stripe(&shop, "evt_1", object("active", 7), 20).await, 200);
    assert_eq!(stripe(&shop, "evt_2", object("past_due", 9), 10).await, 200);
    assert_eq!(shop.messaging.pass_inbound().await.unwrap(), 2);
    assert_eq!(shop.ask(&standing).await, "pro|past_due|9");
    assert_eq!(stripe(&shop, "evt_0", object("active", 7), 15).await, 200);
    let mut unnamed = object("active", 8);
    unnamed["metadata"] = json!({});
    assert_eq!(stripe(&shop, "evt_3", unnamed, 5).await, 200);
    let mut unknown = object("active", 1);
    unknown["items"]["data"][0]["price"]["id"] = json!("price_other");
    assert_eq!(stripe(&shop, "evt_4", unknown, 4).await, 200);
    assert_eq!(shop.messaging.pass_inbound().await.unwrap(), 2);
    assert_eq!((outcome(&shop, "evt_0").await, outcome(&shop, "evt_3").await), ("done older".to_owned(), "done applied".to_owned()));
    assert!(outcome(&shop, "evt_4").await.starts_with("pending subscription_invalid: "), "{}", outcome(&shop, "evt_4").await);
    assert_eq!(shop.ask(&standing).await, "pro|active|8", "the customer is known");
    assert_eq!(shop.ask(&format!("select subscription_tier from public.companies where id = '{}'", bob.company)).await, "free");
    // It is tried for a while and then given up.
    for _ in 0..16 {
        shop.wait(7300);
        shop.messaging.pass_inbound().await.unwrap();
    }
    assert!(outcome(&shop, "evt_4").await.starts_with("failed subscription_invalid: "));
}

#[tokio::test]
async fn messages_are_followed_and_nobody_is_believed_without_a_signature() {
    let shop = Shop::listening(config()).await;
    let ann = shop.owner("ann").await;
    let company = ann.company;
    shop.sql(&format!(
        "insert into public.email_logs (company_id, \"to\", \"from\", subject, template_type, resend_id, status)
         values ('{company}', 'eve@example.com', 'no-reply@example.com', 'S', 'x', 're_1', 'sent')"
    ))
    .await;
    let bounced = json!({ "type": "email.bounced", "created_at": "2026-11-22T00:00:00Z",
                          "data": { "email_id": "re_1", "to": ["Eve@example.com"], "bounce": { "type": "Permanent" }, "tags": { "company_id": company } } });
    let delivered = json!({ "type": "email.delivered", "created_at": "2026-11-21T23:59:59Z",
                            "data": { "email_id": "re_1", "to": ["Eve@example.com"], "tags": { "company_id": company } } });
    for (id, body) in [("a", bounced.to_string()), ("b", delivered.to_string())] {
        assert_eq!(tell(&shop, "/webhooks/v1/resend", signed(&shop, id, &body), &body).await.0, 200);
    }
    // Twilio's rule: the address, and the form in the order of its names.
    let path = format!("/webhooks/v1/twilio?company_id={company}");
    let twilio = |message: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"12345");
        let signature = STANDARD.encode(hmac::sign(&key, format!("https://api.example.com{path}{message}").as_bytes()));
        HeaderMap::from_iter([(http::HeaderName::from_static("x-twilio-signature"), signature.parse().unwrap())])
    };
    let form = "MessageStatus=delivered&MessageSid=SM1";
    assert_eq!(tell(&shop, &path, twilio("MessageSidSM1MessageStatusdelivered"), form).await.0, 200);
    let other = json!({ "type": "sale", "total": 7 }).to_string();
    assert_eq!(tell(&shop, "/webhooks/v1/till", signed(&shop, "c", &other), &other).await.0, 200);
    assert_eq!(shop.messaging.pass_inbound().await.unwrap(), 4);
    assert_eq!(
        shop.ask("select concat_ws('|', status, delivered_at is not null, bounced_at is not null) from public.email_logs").await,
        "bounced|t|t"
    );
    assert_eq!(shop.ask("select concat_ws('|', kind, address_key, reason) from public.suppressions").await, "email|eve@example.com|bounce");
    assert_eq!(outcome(&shop, "SM1:delivered").await, "done older, or of no message");
    assert_eq!(outcome(&shop, "c").await, "done kept");

    let body = "{}";
    let refused = (400, "webhook_signature_invalid".to_owned());
    for provider in ["clerk", "resend", "till", "stripe", "twilio"] {
        let path = format!("/webhooks/v1/{provider}");
        assert_eq!(tell(&shop, &path, HeaderMap::new(), body).await, refused, "{provider}");
        let forged =
            signed_headers("d", shop.now(), body, &[SigningKey::parse(SigningKey::generate().unwrap().expose()).unwrap()]).unwrap();
        assert_eq!(tell(&shop, &path, forged, body).await, refused, "{provider}");
    }
    let old = signed(&shop, "e", body);
    shop.wait(301);
    assert_eq!(tell(&shop, "/webhooks/v1/till", old, body).await, refused);
    let large = format!("\"{}\"", "x".repeat(5000));
    assert_eq!(tell(&shop, "/webhooks/v1/till", signed(&shop, "f", &large), &large).await, (413, "webhook_too_large".to_owned()));
    assert_eq!(tell(&shop, "/webhooks/v1/nobody", HeaderMap::new(), body).await, (404, "webhook_provider_unknown".to_owned()));
    assert_eq!(shop.ask("select count(*) from app.inbound_events").await, "4");
}

/// As Twilio tells it, of a message whose address it was given.
async fn from_twilio(shop: &Shop, query: &str, form: &[(&str, &str)]) -> u16 {
    let path = format!("/webhooks/v1/twilio{query}");
    let mut sorted = form.to_vec();
    sorted.sort_unstable();
    let said: String = sorted.iter().flat_map(|(name, value)| [*name, *value]).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"12345");
    let signature = STANDARD.encode(hmac::sign(&key, format!("https://api.example.com{path}{said}").as_bytes()));
    let headers = HeaderMap::from_iter([(http::HeaderName::from_static("x-twilio-signature"), signature.parse().unwrap())]);
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    tell(shop, &path, headers, &body).await.0
}

async fn from_resend(shop: &Shop, id: &str, kind: &str, data: Value, second: u32) {
    let body = json!({ "type": format!("email.{kind}"), "created_at": format!("2026-11-22T00:00:{second:02}Z"), "data": data }).to_string();
    assert_eq!(tell(shop, "/webhooks/v1/resend", signed(shop, id, &body), &body).await.0, 200);
}

/// Says that a message was sent; of no company where somebody asked for it.
async fn attempt(
    shop: &Shop,
    message: &str,
    company: Option<uuid::Uuid>,
    (channel, recipient): (&str, &str),
    (provider, key): (&str, &str),
) {
    let company = company.map_or_else(|| "null".to_owned(), |company| format!("'{company}'"));
    shop.sql(&format!(
        "insert into app.message_attempts (message_key, company_id, channel, purpose, topic, recipient, attempt, provider, provider_key, outcome, said_at, created_at)
         values ('{message}', {company}, '{channel}', 'offer', 'offers', '{recipient}', 1, '{provider}', '{key}', 'accepted', now(), now())"
    ))
    .await;
}

const FIRST: &str = "01900000-0000-7000-8000-000000000001";
const SECOND: &str = "01900000-0000-7000-8000-000000000002";

#[tokio::test]
async fn what_becomes_of_a_message_is_kept_in_whatever_order_it_is_told() {
    let shop = Shop::listening(config()).await;
    let (ann, bob) = (shop.owner("ann").await, shop.owner("bob").await);
    attempt(&shop, FIRST, Some(ann.company), ("mail", "eve@example.com"), ("resend", "re_1")).await;
    attempt(&shop, SECOND, None, ("mail", "dan@example.com"), ("resend", "re_2")).await;
    let outcomes = "select string_agg(concat_ws('|', provider_key, outcome, code), ', ' order by created_at, id) from app.message_attempts";
    let of = |id: &str| json!({ "email_id": id, "to": ["other@example.com"] });
    from_resend(&shop, "a", "opened", of("re_1"), 3).await;
    from_resend(&shop, "b", "delivered", of("re_1"), 2).await;
    from_resend(&shop, "b", "delivered", of("re_1"), 2).await;
    from_resend(&shop, "c", "sent", of("re_1"), 1).await;
    from_resend(&shop, "d", "delivery_delayed", of("re_2"), 1).await;
    from_resend(&shop, "e", "delivered", of("re_unknown"), 1).await;
    assert_eq!(shop.messaging.pass_inbound().await.unwrap(), 5);
    assert_eq!(shop.ask(outcomes).await, "re_1|opened, re_2|delayed");
    assert_eq!(outcome(&shop, "e").await, "done ignored: it names no company");
    // A full mailbox says nothing for good; one that is not there does, to the company whose mail it was.
    let mut full = of("re_1");
    full["bounce"] = json!({ "type": "Transient", "subType": "MailboxFull" });
    from_resend(&shop, "f", "bounced", full, 4).await;
    assert_eq!(shop.messaging.pass_inbound().await.unwrap(), 1);
    assert_eq!(shop.ask("select count(*) from public.suppressions").await, "0");
    let mut gone = of("re_1");
    gone["bounce"] = json!({ "type": "Permanent", "subType": "General" });
    from_resend(&shop, "g", "bounced", gone.clone(), 5).await;
    gone["email_id"] = json!("re_2");
    from_resend(&shop, "h", "bounced", gone, 5).await;
    from_resend(&shop, "i", "complained", of("re_1"), 6).await;
    assert_eq!(shop.messaging.pass_inbound().await.unwrap(), 3);
    assert_eq!(shop.ask(outcomes).await, "re_1|complained, re_2|bounced|General");
    let list = "select string_agg(concat_ws('|', company_id, address_key, reason), ', ') from public.suppressions";
    assert_eq!(
        shop.ask(list).await,
        format!("{}|eve@example.com|bounce", ann.company),
        "whom the message was to, not whom the event names"
    );
    let held = "select string_agg(concat_ws('|', kind, reason, until > now() + interval '70 hours'), ', ') from app.address_holds
                 where address_hash = sha256('dan@example.com')";
    assert_eq!(shop.ask(held).await, "email|bounce|t", "of nobody's mail for a while");
    assert_eq!(shop.ask(&format!("select count(*) from public.suppressions where company_id = '{}'", bob.company)).await, "0");

    // Told before it is noted here: it waits for that.
    shop.sql(&format!(
        "insert into app.outbox (id, channel, purpose, recipient, sealed, due_at, created_at) values ('{FIRST}', 'mail', 'x', 'a@example.com', 'x', now(), now());
         delete from app.message_attempts"
    ))
    .await;
    let mut early = of("re_3");
    early["tags"] = json!({ "message_id": FIRST });
    from_resend(&shop, "j", "delivered", early, 7).await;
    assert_eq!(shop.messaging.pass_inbound().await.unwrap(), 0);
    attempt(&shop, FIRST, None, ("mail", "a@example.com"), ("resend", "re_3")).await;
    shop.wait(10);
    assert_eq!(shop.messaging.pass_inbound().await.unwrap(), 1);
    assert_eq!(shop.ask(outcomes).await, "re_3|delivered");
}

#[tokio::test]
async fn who_says_stop_gets_no_sms_until_he_says_start() {
    let shop = Shop::listening(config()).await;
    let (ann, bob) = (shop.owner("ann").await, shop.owner("bob").await);
    attempt(&shop, FIRST, Some(ann.company), ("sms", "+15550101"), ("twilio", "SM1")).await;
    attempt(&shop, SECOND, Some(bob.company), ("sms", "+15550102"), ("twilio", "SM2")).await;
    let query = format!("?message_id={FIRST}&company_id={}", ann.company);
    for status in ["sent", "delivered", "sent"] {
        assert_eq!(from_twilio(&shop, &query, &[("MessageSid", "SM1"), ("MessageStatus", status)]).await, 200);
    }
    assert_eq!(from_twilio(&shop, "", &[("MessageSid", "SM2"), ("MessageStatus", "undelivered"), ("ErrorCode", "30005")]).await, 200);
    let word =
        |sid: &'static str, text: &'static str| [("MessageSid", sid), ("SmsStatus", "received"), ("From", "+15550101"), ("Body", text)];
    assert_eq!(from_twilio(&shop, "", &word("SM3", " Stop ")).await, 200);
    assert_eq!(from_twilio(&shop, "", &word("SM4", "see you at ten")).await, 200);
    assert_eq!(shop.messaging.pass_inbound().await.unwrap(), 5);
    let outcomes = "select string_agg(concat_ws('|', provider_key, outcome, code), ', ' order by provider_key) from app.message_attempts";
    assert_eq!(shop.ask(outcomes).await, "SM1|delivered, SM2|bounced|30005");
    let list = "select coalesce(string_agg(concat_ws('|', c.slug, s.kind, s.address_key, s.reason), ', ' order by c.slug), '')
                  from public.suppressions s join public.companies c on c.id = s.company_id";
    assert_eq!(shop.ask(list).await, "ann|sms|+15550101|stop, bob|sms|+15550102|bounce");
    let why = |company: uuid::Uuid| format!("select app.suppression_of('{company}', 'sms', '+15550101', '', false, now())");
    assert_eq!(
        (shop.ask(&why(ann.company)).await.as_str(), shop.ask(&why(bob.company)).await.as_str()),
        ("stop", "stop"),
        "one number for all"
    );
    assert_eq!(
        shop.ask("select app.suppression_of(null, 'sms', '+15550101', '', true, now()) is null").await,
        "true",
        "a code is still tried"
    );
    assert_eq!(from_twilio(&shop, "", &word("SM5", "START")).await, 200);
    assert_eq!(shop.messaging.pass_inbound().await.unwrap(), 1);
    assert_eq!(shop.ask(list).await, "bob|sms|+15550102|bounce");
    assert_eq!(shop.ask("select count(*) from app.address_holds").await, "0");
}

/// Calls as if from an address.
async fn tell_from(shop: &Shop, address: &str, id: &str, signed_with: Option<&str>) -> (u16, String) {
    let body = "{\"type\":\"sale\"}";
    let headers = match signed_with {
        Some(secret) => signed_headers(id, shop.now(), body, &[SigningKey::parse(secret).unwrap()]).unwrap(),
        None => HeaderMap::new(),
    };
    let mut request = Request::builder().method("POST").uri("/webhooks/v1/till").body(Body::from(body)).unwrap();
    request.headers_mut().extend(headers);
    request.extensions_mut().insert(kernel::ClientAddress(address.parse().unwrap()));
    let routes = axum::Router::new().nest("/webhooks/v1", messaging::inbound_router(shop.messaging.clone()));
    let response = routes.oneshot(request).await.unwrap();
    let (status, wait) = (response.status().as_u16(), response.headers().contains_key("retry-after"));
    let bytes = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
    let body: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    assert_eq!(wait, status == 429);
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn who_guesses_at_signatures_is_counted_and_takes_nothing_from_the_provider() {
    let shop = Shop::listening(InboundConfig { calls_minute_max: 4, ..config() }).await;
    let (refused, too_often) = ((400, "webhook_signature_invalid".to_owned()), (429, "RATE_LIMIT_EXCEEDED".to_owned()));
    // Three in a minute are told why, of everybody who has the address.
    for _ in 0..3 {
        assert_eq!(tell_from(&shop, "203.0.113.7", "msg_1", Some(NEW)).await, refused);
    }
    assert_eq!(tell_from(&shop, "203.0.113.7", "msg_1", None).await, too_often);
    assert_eq!(tell_from(&shop, "203.0.113.8", "msg_1", None).await, refused);
    // From the same address the provider is heard all the same, so often as it may.
    for id in ["msg_1", "msg_2", "msg_2", "msg_3"] {
        assert_eq!(tell_from(&shop, "203.0.113.7", id, Some(OLD)).await.0, 200);
    }
    assert_eq!(tell_from(&shop, "203.0.113.9", "msg_4", Some(OLD)).await, too_often, "it is counted wherever it calls from");
    assert_eq!(shop.ask("select string_agg(event_key, ' ' order by event_key) from app.inbound_events").await, "msg_1 msg_2 msg_3");
    shop.wait(15);
    assert_eq!(tell_from(&shop, "203.0.113.9", "msg_4", Some(OLD)).await.0, 200, "a quarter of a minute brings one back");
}
