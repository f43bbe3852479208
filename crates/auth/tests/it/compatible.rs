//! Answers that programs written for the service this API is compatible with count on: requests and what they are told, by hand.

use auth::AuthConfig;
use auth::config::{AnonymousConfig, ExternalConfig, OneTimeConfig, PasswordConfig};
use serde_json::{Value, json};

use crate::server::{Answer, PASSWORD, Server, token};

async fn admin(server: &Server, method: &str, path: &str, body: Value) -> Answer {
    server.call(method, path, Some(server.ring.service().token.expose()), Some(body)).await
}

async fn as_user(server: &Server, session: &Value, method: &str, path: &str, body: Value) -> Answer {
    server.call(method, path, Some(token(session)), Some(body)).await
}

fn open() -> AuthConfig {
    AuthConfig { anonymous: AnonymousConfig { enabled: true, ..AnonymousConfig::default() }, ..AuthConfig::default() }
}

#[tokio::test]
async fn nobody_in_particular_has_no_second_factor() {
    let server = Server::with(open()).await;
    let session = server.post("/signup", json!({})).await.ok();
    let id = "00000000-0000-7000-8000-000000000000";
    for (method, path) in [
        ("POST", "/factors".to_owned()),
        ("DELETE", format!("/factors/{id}")),
        ("POST", format!("/factors/{id}/challenge")),
        ("POST", format!("/factors/{id}/verify")),
        ("GET", "/factors/recovery-codes".to_owned()),
        ("POST", "/factors/recovery-codes".to_owned()),
        ("DELETE", "/factors/recovery-codes".to_owned()),
        ("POST", "/factors/recovery-codes/regenerate".to_owned()),
        ("POST", "/factors/recovery-codes/verify".to_owned()),
    ] {
        let refused = as_user(&server, &session, method, &path, json!({ "factor_type": "totp", "code": "x" })).await;
        refused.refused(403, "no_authorization", "Anonymous user not allowed to perform these actions");
    }
}

#[tokio::test]
async fn a_code_that_nobody_typed_is_no_try() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    let factor = as_user(&server, &session, "POST", "/factors", json!({ "factor_type": "totp" })).await.ok();
    let path = format!("/factors/{}/verify", factor["id"].as_str().unwrap());
    for _ in 0..20 {
        // Before the challenge is looked at: there is none.
        let refused = as_user(&server, &session, "POST", &path, json!({ "code": "" })).await;
        refused.refused(400, "validation_failed", "Code needs to be non-empty");
    }
    let refused = as_user(&server, &session, "POST", "/factors/recovery-codes/verify", json!({ "code": "" })).await;
    refused.refused(400, "validation_failed", "Code needs to be non-empty");
    let wrong = as_user(&server, &session, "POST", &path, json!({ "code": "123456" })).await;
    assert_eq!(wrong.body["code"], "mfa_factor_not_found", "no try was counted");
}

#[tokio::test]
async fn the_last_identity_is_told_before_a_strange_one() {
    let external = ExternalConfig { manual_linking_enabled: true, ..ExternalConfig::default() };
    let server = Server::with(AuthConfig { external, ..AuthConfig::default() }).await;
    let session = server.sign_up("ann@example.com").await;
    for id in [session["user"]["identities"][0]["identity_id"].as_str().unwrap(), "00000000-0000-7000-8000-000000000000"] {
        let refused = as_user(&server, &session, "DELETE", &format!("/user/identities/{id}"), json!({})).await;
        refused.refused(422, "single_identity_not_deletable", "User must have at least 1 identity after unlinking");
    }
    assert_eq!(server.user(&session).await.ok()["identities"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_the_service_key_leaves_empty_stays() {
    let server = Server::with(open()).await;
    let session = server.sign_up("ann@example.com").await;
    let path = format!("/admin/users/{}", session["user"]["id"].as_str().unwrap());
    let same = admin(&server, "PUT", &path, json!({ "email": "", "ban_duration": "" })).await.ok();
    assert_eq!((&same["email"], same.get("banned_until")), (&json!("ann@example.com"), None));
    let until = async |text: &str| admin(&server, "PUT", &path, json!({ "ban_duration": text })).await.ok()["banned_until"].clone();
    assert_eq!(until("-1h").await, "2026-11-21T11:00:00Z");
    assert_eq!(server.user(&session).await.status, 200, "over before it began");
    assert_eq!(until("0s").await, Value::Null);
    assert_eq!(until("500ms").await, "2026-11-21T12:00:00.5Z");
    assert_eq!(until("1.5h").await, "2026-11-21T13:30:00Z");
    for id in ["x", "00000000-0000-0000-0000-00000000000g"] {
        let refused = admin(&server, "POST", "/admin/users", json!({ "email": "b@example.com", "id": id })).await;
        refused.refused(400, "validation_failed", "ID must conform to the uuid v4 format");
    }
    let refused =
        admin(&server, "POST", "/admin/users", json!({ "email": "b@example.com", "id": "00000000-0000-0000-0000-000000000000" })).await;
    refused.refused(400, "validation_failed", "ID cannot be a nil uuid");
}

#[tokio::test]
async fn an_address_of_the_service_key_makes_its_identity() {
    let server = Server::with(open()).await;
    let session = server.post("/signup", json!({})).await.ok();
    let path = format!("/admin/users/{}", session["user"]["id"].as_str().unwrap());
    let user = admin(&server, "PUT", &path, json!({ "email": "ann@example.com", "email_confirm": true, "password": PASSWORD })).await.ok();
    assert_eq!((&user["is_anonymous"], &user["email"]), (&json!(false), &json!("ann@example.com")));
    let identity = &user["identities"][0];
    assert_eq!([&identity["provider"], &identity["email"]], ["email", "ann@example.com"]);
    assert_eq!(identity["last_sign_in_at"], "2026-11-21T12:00:00.000000Z");
    assert_eq!(user["app_metadata"], json!({ "provider": "email", "providers": ["email"] }));
    assert_eq!(server.sign_in("ann@example.com").await["user"]["id"], user["id"]);
    // An identity that is there stays the one.
    let user = admin(&server, "PUT", &path, json!({ "email": "lee@example.com" })).await.ok();
    assert_eq!(user["identities"].as_array().unwrap().len(), 1);
    assert_eq!(user["identities"][0]["email"], "lee@example.com");

    // By a number, without an address.
    server.post("/otp", json!({ "phone": "+15550100" })).await.ok();
    let code = server.message("+15550100").await.code;
    let session = server.post("/verify", json!({ "phone": "+15550100", "token": code, "type": "sms" })).await.ok();
    assert!(session["user"]["identities"][0].get("email").is_none(), "{session}");
    let path = format!("/admin/users/{}", session["user"]["id"].as_str().unwrap());
    let user = admin(&server, "PUT", &path, json!({ "email": "ben@example.com" })).await.ok();
    assert_eq!(user["app_metadata"]["providers"], json!(["phone", "email"]));
}

#[tokio::test]
async fn when_something_was_sent_is_told() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    assert_eq!(session["user"]["identities"][0]["last_sign_in_at"], "2026-11-21T12:00:00.000000Z");
    assert!(session["user"].get("phone_change_sent_at").is_none() && session["user"].get("reauthentication_sent_at").is_none());
    server.call("GET", "/reauthenticate", Some(token(&session)), None).await.ok();
    let user = as_user(&server, &session, "PUT", "/user", json!({ "phone": "+15550100" })).await.ok();
    assert_eq!(user["phone_change_sent_at"], "2026-11-21T12:00:00Z");
    assert_eq!(user["reauthentication_sent_at"], "2026-11-21T12:00:00Z");
}

#[tokio::test]
async fn a_code_for_a_new_number_is_sent_again_by_either_number() {
    let server = Server::new().await;
    server.post("/otp", json!({ "phone": "+15550100" })).await.ok();
    let code = server.message("+15550100").await.code;
    let session = server.post("/verify", json!({ "phone": "+15550100", "token": code, "type": "sms" })).await.ok();
    as_user(&server, &session, "PUT", "/user", json!({ "phone": "+15550111" })).await.ok();
    for number in ["+15550100", "+15550111"] {
        let before = server.ask("select count(*) from app.captured_messages where recipient = '+15550111'").await;
        server.message("+15550111").await;
        server.wait(61);
        server.post("/resend", json!({ "type": "phone_change", "phone": number })).await.ok();
        server.message("+15550111").await;
        let after = server.ask("select count(*) from app.captured_messages where recipient = '+15550111'").await;
        assert!(after.parse::<i64>().unwrap() > before.parse::<i64>().unwrap(), "{number}");
    }
    assert_eq!(server.ask("select count(*) from app.captured_messages where recipient = '+15550100'").await, "1", "nothing to the old one");
    let code = server.message("+15550111").await.code;
    let session = server.post("/verify", json!({ "phone": "+15550111", "token": code, "type": "phone_change" })).await.ok();
    assert_eq!(session["user"]["phone"], "15550111");
    let message = "Missing one of these types: signup, email_change, sms, phone_change";
    for kind in ["", "recovery"] {
        let refused = server.post("/resend", json!({ "type": kind, "email": "ann@example.com" })).await;
        refused.refused(400, "validation_failed", message);
    }
}

#[tokio::test]
async fn a_right_password_that_is_weak_by_now_is_told_so() {
    let server =
        Server::with(AuthConfig { password: PasswordConfig { length_min: 12, ..AuthConfig::default().password }, ..AuthConfig::default() })
            .await;
    let user =
        admin(&server, "POST", "/admin/users", json!({ "email": "ann@example.com", "password": PASSWORD, "email_confirm": true })).await;
    user.ok();
    assert!(server.sign_in("ann@example.com").await.get("weak_password").is_none());
    // Chosen when fewer characters were enough: the hash of "old rules".
    let lenient = Server::new().await;
    lenient.post("/signup", json!({ "email": "ann@example.com", "password": "old rules" })).await.ok();
    let hash = lenient.ask("select encrypted_password from auth.users").await;
    server.sql(&format!("update auth.users set encrypted_password = '{hash}'")).await;
    let body = json!({ "email": "ann@example.com", "password": "old rules" });
    let session = server.post("/token?grant_type=password", body).await.ok();
    let weak = json!({ "message": "Password should be at least 12 characters", "reasons": ["length"] });
    assert_eq!((&session["weak_password"], &session["token_type"]), (&weak, &json!("bearer")));
}

#[tokio::test]
async fn smaller_refusals_have_the_known_words() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    server.post("/token?grant_type=magic", json!({})).await.refused(400, "invalid_credentials", "unsupported_grant_type");
    let verify = json!({ "type": "email", "email": "no address", "token": "123456" });
    server.post("/verify", verify).await.refused(422, "validation_failed", "Invalid email format");
    let otp = json!({ "email": "ann@example.com", "channel": "sms" });
    server.post("/otp", otp).await.refused(400, "validation_failed", "Channel should only be specified with Phone OTP");
    admin(&server, "GET", "/admin/custom-providers?type=saml", json!({})).await.refused(
        400,
        "validation_failed",
        "type must be oauth2 or oidc",
    );
    let led = async |query: &str| {
        let answer = server.call("GET", &format!("/verify?{query}"), None, None).await;
        answer.headers["location"].to_str().unwrap().split_once('#').unwrap().1.to_owned()
    };
    assert!(led("token=x&type=signup").await.starts_with("error=access_denied&error_code=otp_expired&"));
    assert!(led("token=x&type=nonsense").await.starts_with("error=invalid_request&error_code=validation_failed&"));

    // An account that waits for its address is invited again without a password; nobody else is.
    let waiting = Server::with(AuthConfig { autoconfirm: false, one_time: OneTimeConfig::default(), ..AuthConfig::default() }).await;
    let new = waiting.post("/signup", json!({ "email": "ben@example.com", "password": PASSWORD })).await.ok();
    let link = admin(&waiting, "POST", "/admin/generate_link", json!({ "type": "signup", "email": "ben@example.com" })).await.ok();
    assert_eq!((&link["id"], &link["verification_type"]), (&new["id"], &json!("signup")));
    let used = json!({ "type": "signup", "token_hash": link["hashed_token"] });
    assert_eq!(waiting.post("/verify", used).await.ok()["user"]["id"], new["id"]);
    let again = admin(&server, "POST", "/admin/generate_link", json!({ "type": "signup", "email": "ann@example.com" })).await;
    again.refused(422, "email_exists", "A user with this email address has already been registered");
    assert_eq!(server.user(&session).await.status, 200);
}
