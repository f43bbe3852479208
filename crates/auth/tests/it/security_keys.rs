//! Security keys as second factors, with a device in software.

use auth::AuthConfig;
use auth::config::{MfaConfig, WebauthnConfig};
use serde_json::{Value, json};

use crate::authenticator::{Authenticator, Bend, PRESENT, VERIFIED};
use crate::server::{Answer, START, Server, claims, token};

const NOT_FOUND: &str = "MFA factor with the provided challenge ID not found";

impl Server {
    async fn enroll_key(&self, session: &Value, name: &str) -> Answer {
        let body = json!({ "factor_type": "webauthn", "friendly_name": name });
        self.call("POST", "/factors", Some(token(session)), Some(body)).await
    }

    /// Asks a key, as the official client does.
    async fn ask_key(&self, session: &Value, factor: &Value) -> Answer {
        let path = format!("/factors/{}/challenge", factor["id"].as_str().unwrap());
        let body = json!({ "factorId": factor["id"], "webauthn": { "rpId": "localhost", "rpOrigins": ["http://localhost:3000"] } });
        self.call("POST", &path, Some(token(session)), Some(body)).await
    }

    async fn answer_key(&self, session: &Value, factor: &Value, challenge: &Value, response: &Value) -> Answer {
        let kind = &challenge["webauthn"]["type"];
        let body = json!({ "challenge_id": challenge["id"], "webauthn": { "type": kind, "credential_response": response } });
        self.call("POST", &format!("/factors/{}/verify", factor["id"].as_str().unwrap()), Some(token(session)), Some(body)).await
    }

    /// Asks a key and answers in one go.
    async fn prove_key(&self, session: &Value, factor: &Value, device: &mut Authenticator) -> Answer {
        let challenge = self.ask_key(session, factor).await.ok();
        let response = respond(device, &challenge);
        self.answer_key(session, factor, &challenge, &response).await
    }
}

fn options(challenge: &Value) -> &Value {
    &challenge["webauthn"]["credential_options"]["publicKey"]
}

fn respond(device: &mut Authenticator, challenge: &Value) -> Value {
    if challenge["webauthn"]["type"] == "create" { device.create(options(challenge)) } else { device.get(options(challenge)) }
}

#[track_caller]
fn wrong(answer: &Answer) {
    answer.refused(422, "mfa_verification_failed", "Invalid WebAuthn response");
}

#[tokio::test]
async fn a_key_raises_the_session() {
    let server = Server::new().await;
    let other = server.sign_up("ann@example.com").await;
    let first = server.sign_in("ann@example.com").await;
    let factor = server.enroll_key(&first, "Key").await.ok();
    assert_eq!(factor, json!({ "id": factor["id"], "type": "webauthn", "friendly_name": "Key" }));
    server.enroll_key(&first, "Key").await.refused(
        422,
        "mfa_factor_name_conflict",
        "A factor with the friendly name \"Key\" for this user already exists",
    );

    let mut device = Authenticator::new();
    let challenge = server.ask_key(&first, &factor).await.ok();
    assert_eq!(
        (&challenge["type"], &challenge["expires_at"], &challenge["webauthn"]["type"]),
        (&json!("webauthn"), &json!(START + 300), &json!("create"))
    );
    let asked = options(&challenge);
    assert_eq!((&asked["rp"]["id"], &asked["user"]["name"]), (&json!("localhost"), &json!("ann@example.com")));
    assert_eq!((&asked["authenticatorSelection"]["userVerification"], &asked["excludeCredentials"]), (&json!("preferred"), &json!([])));
    let made = device.create(asked);
    let raised = server.answer_key(&first, &factor, &challenge, &made).await.ok();
    let said = claims(&raised);
    assert_eq!((&said["aal"], &said["session_id"]), (&json!("aal2"), &claims(&first)["session_id"]));
    let methods = json!([{ "method": "mfa/webauthn", "timestamp": START }, { "method": "password", "timestamp": START }]);
    assert_eq!(said["amr"], methods);
    let listed = &raised["user"]["factors"][0];
    assert_eq!((&listed["status"], &listed["factor_type"]), (&json!("verified"), &json!("webauthn")));
    assert!(listed.get("credential").is_none(), "{listed}");
    assert_eq!(server.user(&other).await.body["code"], "session_not_found");
    server.answer_key(&raised, &factor, &challenge, &made).await.refused(422, "mfa_factor_not_found", NOT_FOUND);

    // The next sign-in asks for a signature; without it the key stays.
    let second = server.sign_in("ann@example.com").await;
    let path = format!("/factors/{}", factor["id"].as_str().unwrap());
    let kept = server.call("DELETE", &path, Some(token(&second)), None).await;
    kept.refused(422, "insufficient_aal", "AAL2 required to unenroll verified factor");
    let challenge = server.ask_key(&second, &factor).await.ok();
    let asked = options(&challenge);
    assert_eq!((&challenge["webauthn"]["type"], &asked["rpId"]), (&json!("request"), &json!("localhost")));
    assert_eq!(asked["allowCredentials"][0]["id"], made["id"]);
    let proof = device.get(asked);
    // Of two answers at once, one counts.
    let send = || server.answer_key(&second, &factor, &challenge, &proof);
    let (a, b) = tokio::join!(send(), send());
    let mut answers = [a, b];
    answers.sort_by_key(|answer| answer.status);
    let [raised, again] = answers;
    again.refused(422, "mfa_factor_not_found", NOT_FOUND);
    let raised = raised.ok();
    assert_eq!(claims(&raised)["aal"], "aal2");
    assert_eq!(server.ask("select credential -> 'counter' from auth.mfa_factors").await, "1");
    // A second key is told of the first one, so that a device is not added twice.
    let more = server.enroll_key(&raised, "Another").await.ok();
    let challenge = server.ask_key(&raised, &more).await.ok();
    assert_eq!(options(&challenge)["excludeCredentials"][0]["id"], made["id"]);
    assert_ne!(options(&challenge)["user"]["id"], device.handle, "a device keeps both");
    server.call("DELETE", &path, Some(token(&raised)), None).await.ok();
    assert_eq!(claims(&server.refresh(&raised).await.ok())["aal"], "aal1");
}

#[tokio::test]
async fn what_was_not_asked_for_is_no_proof() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    let factor = server.enroll_key(&session, "").await.ok();
    let bends: [Bend; 5] = [
        |device| device.origin = "https://evil.example",
        |device| device.origin = "http://localhost.evil.example:3000",
        |device| device.domain = Some("evil.example"),
        |device| device.flags = VERIFIED,
        |device| device.flags = 0,
    ];
    for bend in bends {
        let mut device = Authenticator::new();
        bend(&mut device);
        wrong(&server.prove_key(&session, &factor, &mut device).await);
    }
    // An answer to another challenge, and one that comes too late. Whatever came, the challenge is used up.
    let mut device = Authenticator::new();
    let (one, two) = (server.ask_key(&session, &factor).await.ok(), server.ask_key(&session, &factor).await.ok());
    let made = device.create(options(&one));
    wrong(&server.answer_key(&session, &factor, &two, &made).await);
    server.answer_key(&session, &factor, &two, &made).await.refused(422, "mfa_factor_not_found", NOT_FOUND);
    server.wait(300);
    let late = server.answer_key(&session, &factor, &one, &made).await;
    assert_eq!((late.status, &late.body["code"]), (422, &json!("mfa_challenge_expired")));
    let session = server.prove_key(&session, &factor, &mut device).await.ok();

    // The same with signatures.
    device.counter = 7;
    for bend in bends {
        let (origin, domain, flags) = (device.origin, device.domain, device.flags);
        bend(&mut device);
        wrong(&server.prove_key(&session, &factor, &mut device).await);
        (device.origin, device.domain, device.flags) = (origin, domain, flags);
    }
    // Who could tell whose finger it was has to.
    device.flags = PRESENT;
    wrong(&server.prove_key(&session, &factor, &mut device).await);
    device.flags = PRESENT | VERIFIED;
    let (one, two) = (server.ask_key(&session, &factor).await.ok(), server.ask_key(&session, &factor).await.ok());
    let proof = device.get(options(&one));
    wrong(&server.answer_key(&session, &factor, &two, &proof).await);
    let mut stranger = Authenticator::new();
    wrong(&server.prove_key(&session, &factor, &mut stranger).await);
    let id = std::mem::replace(&mut stranger.id, device.id.clone());
    wrong(&server.prove_key(&session, &factor, &mut stranger).await);
    assert_ne!(id, stranger.id);

    // A copy of the key signs with a counter that was there before.
    device.counter = 20;
    server.prove_key(&session, &factor, &mut device).await.ok();
    for counter in [20, 19, 3] {
        device.counter = counter - 1;
        wrong(&server.prove_key(&session, &factor, &mut device).await);
    }
    device.counter = 21;
    server.prove_key(&session, &factor, &mut device).await.ok();
}

#[tokio::test]
async fn a_key_is_of_one_person() {
    let server = Server::new().await;
    let (ann, ben) = (server.sign_up("ann@example.com").await, server.sign_up("ben@example.com").await);
    let (hers, his) = (server.enroll_key(&ann, "").await.ok(), server.enroll_key(&ben, "").await.ok());
    let mut device = Authenticator::new();
    let ann = server.prove_key(&ann, &hers, &mut device).await.ok();
    server.ask_key(&ben, &hers).await.refused(404, "mfa_factor_not_found", "Factor not found");
    let challenge = server.ask_key(&ann, &hers).await.ok();
    let proof = device.get(options(&challenge));
    server.answer_key(&ben, &hers, &challenge, &proof).await.refused(404, "mfa_factor_not_found", "Factor not found");
    server.answer_key(&ben, &his, &challenge, &proof).await.refused(422, "mfa_factor_not_found", NOT_FOUND);
    let taken = server.prove_key(&ben, &his, &mut device).await;
    taken.refused(422, "webauthn_credential_exists", "This credential is already registered");
    let ben = server.prove_key(&ben, &his, &mut Authenticator::new()).await.ok();
    wrong(&server.prove_key(&ben, &his, &mut device).await);

    // Input that is no answer, and nobody's.
    let path = format!("/factors/{}/verify", hers["id"].as_str().unwrap());
    let challenge = server.ask_key(&ann, &hers).await.ok();
    for (webauthn, message) in [
        (json!(null), "WebAuthn config required"),
        (json!({ "type": "request" }), "credential_response required"),
        (json!({ "type": "sign", "credential_response": {} }), "WebAuthn type must be create or request"),
        (json!({ "type": "request", "credential_response": { "id": 1 } }), "Invalid credential_response"),
    ] {
        let body = json!({ "challenge_id": challenge["id"], "webauthn": webauthn });
        server.call("POST", &path, Some(token(&ann)), Some(body)).await.refused(400, "validation_failed", message);
    }
    let made = Authenticator::new().create(&json!({ "user": { "id": "AA" }, "rp": { "id": "localhost" }, "challenge": "AA" }));
    let body = json!({ "challenge_id": challenge["id"], "webauthn": { "type": "create", "credential_response": made } });
    let other = server.call("POST", &path, Some(token(&ann)), Some(body)).await;
    other.refused(400, "validation_failed", "WebAuthn type must be that of the challenge");
    for (method, path) in [("POST", "/factors"), ("POST", path.as_str())] {
        assert_eq!(server.call(method, path, None, Some(json!({ "factor_type": "webauthn" }))).await.status, 401);
    }
}

#[tokio::test]
async fn keys_are_made_for_the_domain_that_is_set() {
    let webauthn = WebauthnConfig {
        rp_id: Some("example.com".to_owned()),
        rp_name: "Shop".to_owned(),
        origins: vec!["https://app.example.com".to_owned(), "android:apk-key-hash:x1".to_owned()],
        ..WebauthnConfig::default()
    };
    let server = Server::with(AuthConfig { webauthn, ..AuthConfig::default() }).await;
    let session = server.sign_up("ann@example.com").await;
    let factor = server.enroll_key(&session, "").await.ok();
    let mut device = Authenticator::new();
    for origin in ["http://localhost:3000", "https://example.com", "https://app.example.com:8443", "http://app.example.com"] {
        device.origin = origin;
        wrong(&server.prove_key(&session, &factor, &mut device).await);
    }
    device.origin = "https://app.example.com";
    let session = server.prove_key(&session, &factor, &mut device).await.ok();
    device.origin = "android:apk-key-hash:x1";
    device.counter = 5;
    server.prove_key(&session, &factor, &mut device).await.ok();

    // Off is off; what a device was made for stays until it is removed.
    let mfa = MfaConfig { webauthn_enroll_enabled: false, webauthn_verify_enabled: false, ..MfaConfig::default() };
    let server = Server::with(AuthConfig { mfa, ..AuthConfig::default() }).await;
    let session = server.sign_up("ann@example.com").await;
    let refused = server.enroll_key(&session, "").await;
    refused.refused(422, "mfa_webauthn_enroll_not_enabled", "MFA enroll is disabled for WebAuthn");
    server.sql("insert into auth.mfa_factors (user_id, factor_type) select id, 'webauthn' from auth.users").await;
    let factor = json!({ "id": server.ask("select id from auth.mfa_factors").await });
    let refused = server.ask_key(&session, &factor).await;
    refused.refused(422, "mfa_webauthn_verify_not_enabled", "MFA verification is disabled for WebAuthn");
}
