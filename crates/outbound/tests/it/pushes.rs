//! Messages to devices: to browsers in an envelope that only they open, to applications over FCM, and to nobody who is gone.

use std::collections::BTreeMap;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::UserId;
use outbound::{Channel, Dispatch, Dispatched, OutboundConfig, Push, To, Urgency, VapidKey};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::post::{Post, message};
use crate::providers::{fcm, push_service};

/// A browser, as it opens what comes to it.
struct Browser {
    key: PrivateKey,
    auth: [u8; 16],
}

struct Bytes(usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

fn derive(salt: &[u8], secret: &[u8], info: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    Salt::new(HKDF_SHA256, salt).extract(secret).expand(&[info], Bytes(length)).unwrap().fill(&mut bytes).unwrap();
    bytes
}

impl Browser {
    fn new() -> Self {
        Self { key: PrivateKey::generate(&ECDH_P256).unwrap(), auth: [7; 16] }
    }

    fn public(&self) -> Vec<u8> {
        self.key.compute_public_key().unwrap().as_ref().to_vec()
    }

    /// RFC 8291, from the other side.
    fn open(&self, sealed: &[u8]) -> Value {
        let (salt, rest) = sealed.split_at(16);
        assert_eq!((&rest[..4], rest[4]), (&[0, 0, 16, 0][..], 65));
        let (theirs, record) = rest[5..].split_at(65);
        let info = [b"WebPush: info\0".as_slice(), &self.public(), theirs].concat();
        let peer = UnparsedPublicKey::new(&ECDH_P256, theirs);
        let secret = agree(&self.key, peer, (), |shared| Ok(derive(&self.auth, shared, &info, 32))).unwrap();
        let key = derive(salt, &secret, b"Content-Encoding: aes128gcm\0", 16);
        let nonce = derive(salt, &secret, b"Content-Encoding: nonce\0", 12);
        let mut record = record.to_vec();
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).unwrap());
        let plain = cipher.open_in_place(Nonce::try_assume_unique_for_key(&nonce).unwrap(), Aad::empty(), &mut record).unwrap();
        assert_eq!(plain.last(), Some(&2));
        serde_json::from_slice(&plain[..plain.len() - 1]).unwrap()
    }
}

/// Somebody with devices.
async fn person(post: &Post) -> UserId {
    post.sql("insert into auth.users (id, email) values (gen_random_uuid(), 'ann@example.com')").await;
    UserId(post.ask("select id from auth.users").await.parse().unwrap())
}

async fn device(post: &Post, who: UserId, provider: &str, address: &str, browser: Option<&Browser>) -> Uuid {
    let keys = browser.map(|browser| (URL_SAFE_NO_PAD.encode(browser.public()), URL_SAFE_NO_PAD.encode(browser.auth)));
    let keys = keys.map_or_else(|| "null, null".to_owned(), |(key, auth)| format!("'{key}', '{auth}'"));
    let id = Uuid::now_v7();
    post.sql(&format!(
        "insert into app.push_devices (id, user_id, provider, platform, address, public_key, auth) values ('{id}', '{who}', '{provider}', 'web', '{address}', {keys})"
    ))
    .await;
    id
}

fn ready() -> Push {
    let data = json!({ "job": "7", "late": true }).as_object().unwrap().clone();
    Push {
        url: Some("https://app.example.com/jobs/7".to_owned()),
        data,
        ttl_seconds: Some(600),
        urgency: Urgency::High,
        collapse_key: Some("job-7".to_owned()),
    }
}

fn to(user: UserId, push: &Push) -> Dispatch<'_> {
    Dispatch {
        company_id: None,
        channel: Channel::Push,
        purpose: "job_assigned",
        to: To::Member(user),
        topic: None,
        message: Box::leak(Box::new(message())),
        push: Some(push),
    }
}

#[tokio::test]
async fn a_browser_opens_what_the_installation_signed() {
    let (url, service) = push_service().await;
    let mut config = OutboundConfig { capture: Some(false), ..OutboundConfig::default() };
    config.push.private_addresses_allowed = true;
    config.push.contact = "mailto:ops@example.com".to_owned();
    let post = Post::new(config).await;
    let key = VapidKey::open(&VapidKey::generate().unwrap()).unwrap();
    let public = key.public().to_owned();
    post.outbound.adopt_push_key(key);
    assert_eq!(post.outbound.push_public_key(), Some(public.as_str()));
    let (user, browser, push) = (person(&post).await, Browser::new(), ready());
    device(&post, user, "vapid", &format!("{url}/send/good"), Some(&browser)).await;
    let taken = post.dispatch(to(user, &push)).await.unwrap();
    let Dispatched::Taken(ids) = taken else { panic!("{taken:?}") };
    assert_eq!(post.pass().await.sent, 1);
    let came = &service.came()[0];
    assert_eq!(
        browser.open(&came.body),
        json!({ "id": ids[0], "title": "Ihr Link", "body": "The code is 481516", "url": "https://app.example.com/jobs/7",
                "data": { "job": "7", "late": true }, "tag": "job-7" })
    );
    let said = ["ttl", "urgency", "topic", "content-encoding"].map(|name| came.header(name));
    assert_eq!(said, ["600", "high", "job-7", "aes128gcm"]);
    assert!(came.header("authorization").starts_with("vapid t=") && came.header("authorization").ends_with(&format!("k={public}")));
    assert_eq!(post.ask("select concat_ws('|', provider, outcome, provider_key) from app.message_attempts").await, "vapid|accepted|good-1");

    // Each device for itself: one is gone, one is told to come back, one takes it.
    for name in ["gone", "busy"] {
        device(&post, user, "vapid", &format!("{url}/send/{name}"), Some(&browser)).await;
    }
    service.answer("gone", 410, None, json!({}));
    service.answer("busy", 429, Some(120), json!({}));
    post.dispatch(to(user, &push)).await.unwrap();
    let pass = post.pass().await;
    assert_eq!((pass.sent, pass.again, pass.failed), (1, 1, 1));
    assert_eq!(post.ask("select string_agg(split_part(address, '/send/', 2), ',' order by id) from app.push_devices").await, "good,busy");
    assert_eq!(post.ask("select extract(epoch from due_at - created_at)::int from app.outbox where status = 'pending'").await, "120");
    post.wait(121);
    assert_eq!(post.pass().await.sent, 1);
    // A device that went meanwhile.
    post.dispatch(to(user, &push)).await.unwrap();
    post.sql("delete from app.push_devices").await;
    assert_eq!(post.pass().await.failed, 2);
    assert_eq!(post.dispatch(to(user, &push)).await.unwrap(), Dispatched::Unreachable);
}

#[tokio::test]
async fn an_address_of_this_network_is_not_followed() {
    let (url, service) = push_service().await;
    let post = Post::new(OutboundConfig { capture: Some(false), ..OutboundConfig::default() }).await;
    post.outbound.adopt_push_key(VapidKey::open(&VapidKey::generate().unwrap()).unwrap());
    let (user, browser, push) = (person(&post).await, Browser::new(), ready());
    device(&post, user, "vapid", &format!("{url}/send/inside"), Some(&browser)).await;
    device(&post, user, "vapid", "https://localhost/send/inside", Some(&browser)).await;
    post.dispatch(to(user, &push)).await.unwrap();
    assert_eq!(post.pass().await.failed, 2);
    assert_eq!(post.ask("select string_agg(distinct code, ',') from app.message_attempts").await, "address");
    assert!(service.came().is_empty());
    let large = Push { data: json!({ "x": "x".repeat(4000) }).as_object().unwrap().clone(), ..Push::default() };
    let odd = Push { collapse_key: Some("a key".to_owned()), ..Push::default() };
    for push in [&large, &odd] {
        let bad = post.dispatch(to(user, push)).await.unwrap_err();
        assert_eq!((bad.status().as_u16(), bad.code()), (422, "message_invalid"));
    }
}

#[tokio::test]
async fn an_application_is_reached_over_fcm() {
    let (url, service, file) = fcm().await;
    let mut config = OutboundConfig::default();
    config.push.fcm_account_file = Some(file.path().to_owned());
    config.push.fcm_url = url;
    let post = Post::new(config).await;
    assert!(!post.outbound.captures());
    let (user, push) = (person(&post).await, ready());
    device(&post, user, "fcm", "a-token-of-an-application", None).await;
    let taken = post.dispatch(to(user, &push)).await.unwrap();
    let Dispatched::Taken(ids) = taken else { panic!("{taken:?}") };
    assert_eq!(post.pass().await.sent, 1);
    let came = service.came();
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(&came[0].body).into_owned().collect();
    assert_eq!(form["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let claims = URL_SAFE_NO_PAD.decode(form["assertion"].split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(
        (&claims["iss"], &claims["scope"]),
        (&json!("push@baker.example"), &json!("https://www.googleapis.com/auth/firebase.messaging"))
    );
    assert_eq!(came[1].header("authorization"), "Bearer ya29.token");
    let expires = (claims["iat"].as_i64().unwrap() + 600).to_string();
    assert_eq!(
        came[1].json(),
        json!({ "message": {
            "token": "a-token-of-an-application",
            "notification": { "title": "Ihr Link", "body": "The code is 481516" },
            "data": { "job": "7", "late": "true", "message_id": ids[0], "url": "https://app.example.com/jobs/7" },
            "android": { "priority": "HIGH", "ttl": "600s", "collapse_key": "job-7" },
            "apns": { "headers": { "apns-priority": "10", "apns-expiration": expires, "apns-collapse-id": "job-7" } } } })
    );
    // The token is kept; quota, then gone for good.
    service.answer(
        "/send",
        429,
        Some(90),
        json!({ "error": { "status": "RESOURCE_EXHAUSTED", "details": [{ "errorCode": "QUOTA_EXCEEDED" }] } }),
    );
    post.dispatch(to(user, &push)).await.unwrap();
    assert_eq!(post.pass().await.again, 1);
    post.wait(91);
    service.answer("/send", 404, None, json!({ "error": { "status": "NOT_FOUND", "details": [{ "errorCode": "UNREGISTERED" }] } }));
    assert_eq!(post.pass().await.failed, 1);
    assert_eq!(service.came().len(), 4, "one token for all of them");
    assert_eq!(post.ask("select count(*) from app.push_devices").await, "0");
    assert_eq!(
        post.ask("select string_agg(outcome || ' ' || coalesce(code, provider_key), ', ' order by created_at) from app.message_attempts")
            .await,
        "accepted projects/baker/messages/1, refused QUOTA_EXCEEDED, bounced UNREGISTERED"
    );
    // No token, no message, and no word of the account.
    device(&post, user, "fcm", "another-token-of-an-application", None).await;
    post.wait(3600);
    service.answer("/token", 401, None, json!({ "error": "invalid_grant" }));
    post.dispatch(to(user, &push)).await.unwrap();
    assert_eq!(post.pass().await.again, 1);
    assert_eq!(post.ask("select error from app.outbox where status = 'pending'").await, "FCM: no token: status 401");
}

#[tokio::test]
async fn in_development_they_are_kept_without_a_device() {
    let post = Post::new(OutboundConfig::default()).await;
    let (user, push) = (person(&post).await, ready());
    assert!(matches!(post.dispatch(to(user, &push)).await.unwrap(), Dispatched::Taken(_)));
    assert_eq!(post.pass().await.sent, 1);
    let kept = "select concat_ws('|', channel, purpose, sender, subject, body_text) from app.captured_messages";
    assert_eq!(post.ask(kept).await, "push|job_assigned|Baker & Söhne|Ihr Link|The code is 481516\n\nhttps://app.example.com/jobs/7");
    assert_eq!(post.ask("select concat_ws('|', provider, outcome) from app.message_attempts").await, "mailbox|accepted");
}
