//! Passkeys, with a device in software.

use auth::AuthConfig;
use auth::config::WebauthnConfig;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::authenticator::{Authenticator, Bend, PRESENT, VERIFIED};
use crate::server::{Answer, START, Server, claims, token};

const UNKNOWN: &str = "Challenge not found or already used";

impl Server {
    async fn ask_for_passkey(&self, session: &Value) -> Answer {
        self.call("POST", "/passkeys/registration/options", Some(token(session)), Some(json!({}))).await
    }

    async fn add_passkey(&self, session: &Value, challenge: &Value, credential: &Value) -> Answer {
        let body = json!({ "challenge_id": challenge["challenge_id"], "credential": credential });
        self.call("POST", "/passkeys/registration/verify", Some(token(session)), Some(body)).await
    }

    /// Asks for a passkey and makes it in one go.
    pub(crate) async fn new_passkey(&self, session: &Value, device: &mut Authenticator) -> Answer {
        let challenge = self.ask_for_passkey(session).await.ok();
        let credential = device.create(&challenge["options"]);
        self.add_passkey(session, &challenge, &credential).await
    }

    async fn ask_anybody(&self) -> Value {
        self.post("/passkeys/authentication/options", json!({ "gotrue_meta_security": {} })).await.ok()
    }

    async fn answer_as(&self, challenge: &Value, credential: &Value) -> Answer {
        let body = json!({ "challenge_id": challenge["challenge_id"], "credential": credential });
        self.post("/passkeys/authentication/verify", body).await
    }

    /// Asks and signs in one go.
    pub(crate) async fn by_passkey(&self, device: &mut Authenticator) -> Answer {
        let challenge = self.ask_anybody().await;
        let credential = device.get(&challenge["options"]);
        self.answer_as(&challenge, &credential).await
    }

    async fn passkeys(&self, session: &Value) -> Value {
        self.call("GET", "/passkeys", Some(token(session)), None).await.ok()
    }

    async fn admin(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.call(method, path, Some(self.ring.service().token.expose()), body).await
    }
}

#[track_caller]
fn wrong(answer: &Answer) {
    answer.refused(400, "webauthn_verification_failed", "Credential verification failed");
}

#[tokio::test]
async fn a_passkey_signs_in() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    assert_eq!(server.call("GET", "/settings", None, None).await.ok()["passkeys_enabled"], true);
    let challenge = server.ask_for_passkey(&session).await.ok();
    assert_eq!(challenge["expires_at"], START + 300);
    let asked = &challenge["options"];
    let chosen = &asked["authenticatorSelection"];
    assert_eq!((&chosen["residentKey"], &chosen["userVerification"]), (&json!("required"), &json!("required")));
    assert_eq!((&asked["rp"]["id"], &asked["user"]["name"]), (&json!("localhost"), &json!("ann@example.com")));
    assert!(asked["pubKeyCredParams"].as_array().unwrap().contains(&json!({ "type": "public-key", "alg": -7 })));
    let mut device = Authenticator::new();
    let made = device.create(asked);
    let passkey = server.add_passkey(&session, &challenge, &made).await.ok();
    assert_eq!(passkey, json!({ "id": passkey["id"], "created_at": "2026-11-21T12:00:00.000000Z" }));
    assert_eq!(server.passkeys(&session).await, json!([passkey]));
    server.add_passkey(&session, &challenge, &made).await.refused(400, "webauthn_challenge_not_found", UNKNOWN);
    // The device is told what it has.
    let again = server.ask_for_passkey(&session).await.ok();
    assert_eq!(again["options"]["excludeCredentials"][0]["id"], made["id"]);

    let challenge = server.ask_anybody().await;
    let asked = &challenge["options"];
    assert_eq!(
        (&asked["rpId"], &asked["userVerification"], &challenge["expires_at"]),
        (&json!("localhost"), &json!("required"), &json!(START + 300))
    );
    assert!(asked.get("allowCredentials").is_none(), "{asked}");
    let proof = device.get(asked);
    // Of two answers at once, one counts.
    let (a, b) = tokio::join!(server.answer_as(&challenge, &proof), server.answer_as(&challenge, &proof));
    let (first, second) = if a.status == 200 { (a, b) } else { (b, a) };
    second.refused(400, "webauthn_challenge_not_found", UNKNOWN);
    let signed = first.ok();
    assert_eq!((&signed["user"]["id"], &signed["token_type"]), (&session["user"]["id"], &json!("bearer")));
    let said = claims(&signed);
    assert_eq!((&said["aal"], &said["amr"]), (&json!("aal1"), &json!([{ "method": "passkey", "timestamp": START }])));
    server.refresh(&signed).await.ok();

    server.wait(60);
    server.by_passkey(&mut device).await.ok();
    let path = format!("/passkeys/{}", passkey["id"].as_str().unwrap());
    let named = json!({
        "id": passkey["id"],
        "friendly_name": "Phone",
        "created_at": "2026-11-21T12:00:00.000000Z",
        "last_used_at": "2026-11-21T12:01:00.000000Z",
    });
    let renamed = server.call("PATCH", &path, Some(token(&session)), Some(json!({ "friendly_name": "Phone" }))).await.ok();
    assert_eq!((&renamed, &server.passkeys(&session).await), (&named, &json!([named])));

    let call = async |name: &str| server.call("PATCH", &path, Some(token(&session)), Some(json!({ "friendly_name": name }))).await;
    call("").await.refused(400, "validation_failed", "friendly_name is required");
    call(&"x".repeat(121)).await.refused(400, "validation_failed", "friendly_name must be 120 characters or less");
    assert_eq!(call(&"\u{f6}".repeat(120)).await.status, 200);
    assert_eq!(call("Phone").await.ok(), named);

    // Those of others are not there.
    let other = server.sign_up("ben@example.com").await;
    assert_eq!(server.passkeys(&other).await, json!([]));
    for (method, body) in [("PATCH", Some(json!({ "friendly_name": "Mine" }))), ("DELETE", None)] {
        for path in [path.as_str(), "/passkeys/00000000-0000-7000-8000-000000000000", "/passkeys/x"] {
            let answer = server.call(method, path, Some(token(&other)), body.clone()).await;
            answer.refused(404, "validation_failed", "Passkey not found");
        }
    }
    assert_eq!(server.call("DELETE", &path, Some(token(&session)), None).await.status, 204);
    assert_eq!(server.passkeys(&session).await, json!([]));
    wrong(&server.by_passkey(&mut device).await);
    assert_eq!(server.ask("select count(*) from auth.passkey_challenges where user_id is null").await, "0", "every answer uses one up");
}

#[tokio::test]
async fn what_was_not_asked_for_signs_nobody_in() {
    let server = Server::new().await;
    let (ann, ben) = (server.sign_up("ann@example.com").await, server.sign_up("ben@example.com").await);

    let bends: [Bend; 5] = [
        |device| device.origin = "https://evil.example",
        |device| device.origin = "http://localhost.evil.example:3000",
        |device| device.domain = Some("evil.example"),
        |device| device.flags = VERIFIED,
        |device| device.flags = PRESENT,
    ];
    for bend in bends {
        let mut device = Authenticator::new();
        bend(&mut device);
        wrong(&server.new_passkey(&ann, &mut device).await);
    }
    let mut device = Authenticator::new();
    // An answer to another challenge, to somebody else's, to one for a sign-in, and one that comes too late.
    let (one, two) = (server.ask_for_passkey(&ann).await.ok(), server.ask_for_passkey(&ann).await.ok());
    let made = device.create(&one["options"]);
    wrong(&server.add_passkey(&ann, &two, &made).await);
    server.add_passkey(&ben, &one, &made).await.refused(400, "webauthn_challenge_not_found", UNKNOWN);
    let anybody = server.ask_anybody().await;
    server.add_passkey(&ann, &anybody, &made).await.refused(400, "webauthn_challenge_not_found", UNKNOWN);
    server.wait(300);
    server.add_passkey(&ann, &one, &made).await.refused(400, "webauthn_challenge_expired", "Challenge has expired");
    server.new_passkey(&ann, &mut device).await.ok();
    let taken = server.new_passkey(&ben, &mut device).await;
    taken.refused(422, "webauthn_credential_exists", "This credential is already registered");

    // The same with signatures. What the device keeps of its owner is what it was told last.
    let handle = |session: &Value| {
        let id: uuid::Uuid = session["user"]["id"].as_str().unwrap().parse().unwrap();
        URL_SAFE_NO_PAD.encode(id.as_bytes())
    };
    wrong(&server.by_passkey(&mut device).await);
    device.handle = handle(&ann);
    for bend in bends {
        let (origin, domain, flags) = (device.origin, device.domain, device.flags);
        bend(&mut device);
        wrong(&server.by_passkey(&mut device).await);
        (device.origin, device.domain, device.flags) = (origin, domain, flags);
    }
    let (one, two) = (server.ask_anybody().await, server.ask_anybody().await);
    let proof = device.get(&one["options"]);
    wrong(&server.answer_as(&two, &proof).await);
    let registration = server.ask_for_passkey(&ann).await.ok();
    server.answer_as(&registration, &proof).await.refused(400, "webauthn_challenge_not_found", UNKNOWN);
    server.wait(300);
    server.answer_as(&one, &proof).await.refused(400, "webauthn_challenge_expired", "Challenge has expired");
    // Somebody else's key under this key's name, for this person and for himself.
    let mut stranger = Authenticator::new();
    (stranger.id, stranger.handle) = (device.id.clone(), handle(&ann));
    wrong(&server.by_passkey(&mut stranger).await);
    stranger.handle = handle(&ben);
    wrong(&server.by_passkey(&mut stranger).await);
    // A copy signs with a counter that was there before.
    device.counter = 20;
    server.by_passkey(&mut device).await.ok();
    for counter in [20, 3] {
        device.counter = counter - 1;
        wrong(&server.by_passkey(&mut device).await);
    }
    device.counter = 21;
    server.by_passkey(&mut device).await.ok();
}

#[tokio::test]
async fn what_is_no_answer_is_refused() {
    let server = Server::new().await;
    let challenge = server.ask_anybody().await["challenge_id"].clone();
    for (body, code, message) in [
        (json!({}), "validation_failed", "credential is required"),
        (json!({ "credential": {} }), "validation_failed", "challenge_id is required"),
        (json!({ "credential": {}, "challenge_id": "x" }), "validation_failed", "challenge_id must be a valid UUID"),
        (json!({ "credential": { "id": 1 }, "challenge_id": challenge }), "webauthn_verification_failed", "Invalid credential response"),
    ] {
        server.post("/passkeys/authentication/verify", body).await.refused(400, code, message);
    }
    for (method, path) in [
        ("GET", "/passkeys"),
        ("POST", "/passkeys/registration/options"),
        ("POST", "/passkeys/registration/verify"),
        ("PATCH", "/passkeys/00000000-0000-7000-8000-000000000000"),
        ("DELETE", "/passkeys/00000000-0000-7000-8000-000000000000"),
    ] {
        assert_eq!(server.call(method, path, None, Some(json!({}))).await.status, 401, "{method} {path}");
    }
}

#[tokio::test]
async fn who_may_not_sign_in_does_not_by_a_passkey() {
    let webauthn = WebauthnConfig { passkeys_max: 2, ..WebauthnConfig::default() };
    let server = Server::with(AuthConfig { session_single_per_user: true, webauthn, ..AuthConfig::default() }).await;
    let session = server.sign_up("ann@example.com").await;
    let mut device = Authenticator::new();
    server.new_passkey(&session, &mut device).await.ok();
    server.new_passkey(&session, &mut Authenticator::new()).await.ok();
    let full = server.ask_for_passkey(&session).await;
    full.refused(422, "too_many_passkeys", "Maximum number of passkeys reached");
    // One session is one session, however it began.
    let signed = server.by_passkey(&mut device).await.ok();
    assert_eq!(server.user(&session).await.body["code"], "session_not_found");

    for (set, back, code, message) in [
        ("banned_until = 'infinity'", "banned_until = null", "user_banned", "User is banned"),
        ("email_confirmed_at = null", "email_confirmed_at = now()", "email_not_confirmed", "Email not confirmed"),
        ("phone = '15550100'", "phone = null", "phone_not_confirmed", "Phone not confirmed"),
    ] {
        server.sql(&format!("update auth.users set {set}")).await;
        server.by_passkey(&mut device).await.refused(403, code, message);
        // Only a good signature learns of it.
        wrong(&server.by_passkey(&mut Authenticator::new()).await);
        server.sql(&format!("update auth.users set {back}")).await;
    }

    // Whoever has a second factor proves it before he adds or removes another way in.
    server
        .sql("insert into auth.mfa_factors (user_id, factor_type, status, secret) select id, 'totp', 'verified', 'x' from auth.users")
        .await;
    let list = server.passkeys(&signed).await;
    let path = format!("/passkeys/{}", list[1]["id"].as_str().unwrap());
    let message = "AAL2 session is required to manage passkeys when MFA is enabled";
    for (method, path) in [("POST", "/passkeys/registration/options"), ("DELETE", path.as_str())] {
        let answer = server.call(method, path, Some(token(&signed)), Some(json!({}))).await;
        answer.refused(403, "insufficient_aal", message);
    }
    // What it is called lets nobody in.
    let renamed = server.call("PATCH", &path, Some(token(&signed)), Some(json!({ "friendly_name": "x" }))).await.ok();
    assert_eq!(renamed["friendly_name"], "x");
    server.sql("update auth.sessions set aal = 'aal2'").await;
    let signed = server.refresh(&signed).await.ok();
    assert_eq!(server.call("DELETE", &path, Some(token(&signed)), None).await.status, 204);
    for (set, status, code) in [("is_anonymous = true", 403, "no_authorization"), ("is_sso_user = true", 422, "validation_failed")] {
        server.sql(&format!("update auth.users set is_anonymous = false, is_sso_user = false; update auth.users set {set}")).await;
        let answer = server.ask_for_passkey(&signed).await;
        assert_eq!((answer.status, &answer.body["code"]), (status, &json!(code)));
    }

    // The service key sees them and takes them away; a deleted account has none.
    let users = format!("/admin/users/{}", session["user"]["id"].as_str().unwrap());
    let list = server.admin("GET", &format!("{users}/passkeys"), None).await.ok();
    assert_eq!((list.as_array().unwrap().len(), list[0]["last_used_at"].is_string()), (1, true));
    let one = format!("{users}/passkeys/{}", list[0]["id"].as_str().unwrap());
    assert_eq!(server.call("GET", &format!("{users}/passkeys"), Some(token(&signed)), None).await.body["code"], "not_admin");
    assert_eq!(server.call("DELETE", &one, None, None).await.status, 401);
    let nobody = "/admin/users/00000000-0000-7000-8000-000000000000/passkeys";
    assert_eq!(server.admin("GET", nobody, None).await.body["code"], "user_not_found");
    assert_eq!(server.admin("DELETE", &one, None).await.status, 204);
    server.admin("DELETE", &one, None).await.refused(404, "validation_failed", "Passkey not found");
    assert_eq!(server.admin("GET", &format!("{users}/passkeys"), None).await.ok(), json!([]));
    wrong(&server.by_passkey(&mut device).await);
    server.sql("update auth.users set is_sso_user = false").await;
    server.new_passkey(&signed, &mut device).await.ok();
    server.admin("DELETE", &users, Some(json!({ "should_soft_delete": true }))).await.ok();
    wrong(&server.by_passkey(&mut device).await);
    assert_eq!(server.ask("select count(*) from auth.passkeys").await, "0");
}

#[tokio::test]
async fn passkeys_can_be_off_or_less_strict() {
    let config = |enabled, verified| AuthConfig {
        webauthn: WebauthnConfig { passkeys_enabled: enabled, passkeys_verified: verified, ..WebauthnConfig::default() },
        ..AuthConfig::default()
    };
    let server = Server::with(config(false, true)).await;
    let session = server.sign_up("ann@example.com").await;
    assert_eq!(server.call("GET", "/settings", None, None).await.ok()["passkeys_enabled"], false);
    for (method, path) in [
        ("GET", "/passkeys"),
        ("POST", "/passkeys/registration/options"),
        ("POST", "/passkeys/registration/verify"),
        ("POST", "/passkeys/authentication/options"),
        ("POST", "/passkeys/authentication/verify"),
        ("PATCH", "/passkeys/00000000-0000-7000-8000-000000000000"),
        ("DELETE", "/passkeys/00000000-0000-7000-8000-000000000000"),
    ] {
        let answer = server.call(method, path, Some(token(&session)), Some(json!({}))).await;
        answer.refused(404, "passkey_disabled", "Passkeys are disabled");
    }
    // A device that only knows that somebody is there.
    let server = Server::with(config(true, false)).await;
    let session = server.sign_up("ann@example.com").await;
    let mut device = Authenticator::new();
    device.flags = PRESENT;
    server.new_passkey(&session, &mut device).await.ok();
    assert_eq!(claims(&server.by_passkey(&mut device).await.ok())["aal"], "aal1");
    device.flags = 0;
    wrong(&server.by_passkey(&mut device).await);
}
