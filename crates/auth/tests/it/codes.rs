//! Signing in with a code by mail or SMS.

use auth::AuthConfig;
use auth::config::OneTimeConfig;
use serde_json::json;

use crate::server::{PASSWORD, START, Server, claims};

const EXPIRED: (u16, &str, &str) = (403, "otp_expired", "Token has expired or is invalid");

#[tokio::test]
async fn a_code_by_mail_signs_somebody_up_and_in_once() {
    let server = Server::new().await;
    let asked = server.post("/otp", json!({ "email": "Ann@example.com", "data": { "name": "Ann" }, "gotrue_meta_security": {} })).await;
    assert_eq!(asked.ok(), json!({}));
    let letter = server.message("ann@example.com").await;
    assert_eq!((letter.subject.as_str(), letter.code.len()), ("Your link to sign in", 6));
    let stored = server
        .ask("select string_agg(t::text, '') || (select string_agg(o::text, '') from app.outbox o) from auth.one_time_tokens t")
        .await;
    assert!(!stored.contains(&letter.code) && !stored.contains(letter.token()), "{stored}");

    let verify = |code: &str| server.post("/verify", json!({ "email": "ann@example.com", "token": code, "type": "email" }));
    let wrong = if letter.code == "000000" { "000001" } else { "000000" };
    let (status, code, message) = EXPIRED;
    verify(wrong).await.refused(status, code, message);
    let session = verify(&letter.code).await.ok();
    assert_eq!(claims(&session)["amr"], json!([{ "method": "otp", "timestamp": START }]));
    assert_eq!(session["user"]["email_confirmed_at"], "2026-11-21T12:00:00Z");
    assert_eq!(session["user"]["user_metadata"], json!({ "name": "Ann", "email_verified": true }));
    assert_eq!(session["user"]["identities"][0]["identity_data"]["email_verified"], true);
    server.user(&session).await.ok();
    verify(&letter.code).await.refused(status, code, message);
    assert_eq!(server.ask("select count(*) from auth.one_time_tokens").await, "0");

    // Also whoever has an account, and a code of before is of no use.
    server.wait(61);
    server.post("/otp", json!({ "email": "ann@example.com", "create_user": false })).await.ok();
    let first = server.message("ann@example.com").await;
    server.wait(61);
    server.post("/otp", json!({ "email": "ann@example.com" })).await.ok();
    let second = server.message("ann@example.com").await;
    if first.code != second.code {
        verify(&first.code).await.refused(status, code, message);
    }
    verify(&second.code).await.ok();
    server.wait(61);
    server.post("/magiclink", json!({ "email": "ann@example.com" })).await.ok();
    let late = server.message("ann@example.com").await;
    server.wait(3600);
    verify(&late.code).await.refused(status, code, message);
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused() {
    let server = Server::new().await;
    let no_sign_up = server.post("/otp", json!({ "email": "ann@example.com", "create_user": false })).await;
    no_sign_up.refused(422, "otp_disabled", "Signups not allowed for otp");
    let no_sign_up = server.post("/otp", json!({ "phone": "+15550100", "create_user": false })).await;
    no_sign_up.refused(422, "otp_disabled", "Signups not allowed for otp");
    for (path, body, message) in [
        ("/otp", json!({}), "One of email or phone must be set"),
        ("/otp", json!({ "email": "a@b.de", "phone": "+15550100" }), "Only an email address or phone number should be provided"),
        ("/otp", json!({ "email": "a b" }), "Unable to validate email address: invalid format"),
        ("/otp", json!({ "phone": "0151" }), "Invalid phone number format (E.164 required)"),
        ("/otp", json!({ "phone": "+15550100", "channel": "pigeon" }), "Invalid channel, supported values are 'sms'"),
        ("/recover", json!({}), "Password recovery requires an email"),
        ("/resend", json!({ "email": "a@b.de" }), "Missing one of these types: signup, email_change, sms, phone_change"),
        ("/resend", json!({ "type": "signup" }), "Type provided requires an email address"),
        ("/resend", json!({ "type": "sms" }), "Type provided requires a phone number"),
        ("/verify", json!({ "token": "1" }), "Verify requires a verification type"),
        ("/verify", json!({ "type": "email" }), "Verify requires a token or a token hash"),
        ("/verify", json!({ "type": "email", "token": "1" }), "Only an email address or phone number should be provided on verify"),
        ("/verify", json!({ "type": "email", "token_hash": "1", "email": "a@b.de" }), "Only the token_hash and type should be provided"),
        ("/verify", json!({ "type": "reauthentication", "token": "1", "email": "a@b.de" }), "Unsupported verification type"),
        ("/verify", json!({ "type": "sms", "token": "1", "phone": "x" }), "Invalid phone number format (E.164 required)"),
    ] {
        server.post(path, body).await.refused(400, "validation_failed", message);
    }
    let closed = Server::with(AuthConfig { signup_enabled: false, ..AuthConfig::default() }).await;
    let refused = closed.post("/otp", json!({ "email": "ann@example.com" })).await;
    refused.refused(422, "signup_disabled", "Signups not allowed for this instance");
    assert_eq!(closed.ask("select count(*) from auth.users").await, "0");
}

#[tokio::test]
async fn codes_are_not_guessed() {
    let server = Server::new().await;
    server.sign_up("ann@example.com").await;
    server.post("/otp", json!({ "email": "ann@example.com" })).await.ok();
    let letter = server.message("ann@example.com").await;
    let verify = |email: &'static str, code: String| server.post("/verify", json!({ "email": email, "token": code, "type": "magiclink" }));
    for guess in (0..6).map(|guess| format!("{guess:06}")).filter(|guess| *guess != letter.code).take(5) {
        // Nobody's address is answered the same.
        let (known, unknown) = (verify("ann@example.com", guess.clone()).await, verify("nobody@example.com", guess).await);
        assert_eq!((known.status, &known.text), (unknown.status, &unknown.text));
    }
    verify("ann@example.com", letter.code.clone()).await.refused(EXPIRED.0, EXPIRED.1, EXPIRED.2);
    let by_link = json!({ "token_hash": letter.token(), "type": "magiclink" });
    server.post("/verify", by_link.clone()).await.ok();
    server.post("/verify", by_link).await.refused(403, "otp_expired", "Email link is invalid or has expired");
}

#[tokio::test]
async fn of_several_with_one_code_one_gets_in() {
    let server = Server::new().await;
    server.sign_up("ann@example.com").await;
    server.post("/otp", json!({ "email": "ann@example.com" })).await.ok();
    let letter = server.message("ann@example.com").await;
    let code = || server.post("/verify", json!({ "email": "ann@example.com", "token": letter.code, "type": "email" }));
    let link = || server.post("/verify", json!({ "token_hash": letter.token(), "type": "email" }));
    let answers = tokio::join!(code(), link(), code(), link(), code(), link());
    let statuses = [answers.0.status, answers.1.status, answers.2.status, answers.3.status, answers.4.status, answers.5.status];
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 403)), "{statuses:?}");
    assert_eq!(server.ask("select count(*) from auth.sessions").await, "2", "the sign-up's and one more");
}

#[tokio::test]
async fn a_code_by_sms_signs_somebody_up_and_in() {
    let one_time = OneTimeConfig { test_codes: vec!["+15550199=987654".to_owned()], ..OneTimeConfig::default() };
    let server = Server::with(AuthConfig { one_time, ..AuthConfig::default() }).await;
    assert_eq!(server.call("GET", "/settings", None, None).await.ok()["external"]["phone"], true);
    assert_eq!(server.post("/otp", json!({ "phone": "+1 555 0100", "channel": "sms" })).await.ok(), json!({}));
    let letter = server.message("+15550100").await;
    assert_eq!(letter.text, format!("{} is your code for Thorbis.", letter.code));
    let soon = server.post("/otp", json!({ "phone": "+15550100" })).await;
    soon.refused(429, "over_sms_send_rate_limit", "For security purposes, you can only request this after 60 seconds.");
    let session = server.post("/verify", json!({ "phone": "15550100", "token": letter.code, "type": "sms" })).await.ok();
    let user = &session["user"];
    assert_eq!((&user["phone"], &user["email"]), (&json!("15550100"), &json!("")));
    assert_eq!(user["phone_confirmed_at"], "2026-11-21T12:00:00Z");
    assert_eq!(user["app_metadata"], json!({ "provider": "phone", "providers": ["phone"] }));
    assert_eq!(user["identities"][0]["provider"], "phone");
    server.user(&session).await.ok();

    // A number with a code of the operator's is sent nothing.
    server.post("/otp", json!({ "phone": "+15550199" })).await.ok();
    let verify = |code: &str| server.post("/verify", json!({ "phone": "+15550199", "token": code, "type": "sms" }));
    verify("123456").await.refused(EXPIRED.0, EXPIRED.1, EXPIRED.2);
    verify("987654").await.ok();
    server.wait(61);
    server.post("/resend", json!({ "phone": "+15550101", "type": "sms" })).await.ok();
    server.message("").await;
    assert_eq!(server.ask("select count(*) from app.captured_messages").await, "1");
    assert_eq!(server.ask("select count(*) from auth.users").await, "2");
}

#[tokio::test]
async fn without_a_way_out_nothing_is_promised() {
    let outbound = outbound::OutboundConfig { capture: Some(false), ..outbound::OutboundConfig::default() };
    let server = Server::with_outbound(AuthConfig::default(), outbound).await;
    for (path, body) in [
        ("/otp", json!({ "email": "ann@example.com" })),
        ("/magiclink", json!({ "email": "ann@example.com" })),
        ("/recover", json!({ "email": "ann@example.com" })),
        ("/resend", json!({ "email": "ann@example.com", "type": "signup" })),
    ] {
        server.post(path, body).await.refused(422, "feature_disabled", "This server sends no mail");
    }
    let by_sms = server.post("/otp", json!({ "phone": "+15550100" })).await;
    by_sms.refused(400, "phone_provider_disabled", "Unsupported phone provider");
    let by_phone = json!({ "phone": "+15550100", "password": PASSWORD });
    server.post("/signup", by_phone.clone()).await.refused(400, "phone_provider_disabled", "Phone signups are disabled");
    server.post("/token?grant_type=password", by_phone).await.refused(422, "phone_provider_disabled", "Phone logins are disabled");
    server.post("/signup", json!({ "email": "ann@example.com", "password": PASSWORD })).await.ok();
}

#[tokio::test]
async fn a_number_with_a_password_is_confirmed_by_a_code() {
    let server = Server::new().await;
    let by_phone = || json!({ "phone": "+15550100", "password": PASSWORD });
    let user = server.post("/signup", by_phone()).await.ok();
    assert_eq!((&user["phone"], user.get("access_token")), (&json!("15550100"), None));
    let early = server.post("/token?grant_type=password", by_phone()).await;
    early.refused(400, "phone_not_confirmed", "Phone not confirmed");
    let letter = server.message("+15550100").await;
    let session = server.post("/verify", json!({ "phone": "+15550100", "token": letter.code, "type": "sms" })).await.ok();
    assert_eq!(session["user"]["id"], user["id"]);
    let session = server.post("/token?grant_type=password", by_phone()).await.ok();
    assert_eq!(claims(&session)["amr"][0]["method"], "password");
    assert!(session["user"]["identities"][0]["last_sign_in_at"].is_string());
    // Again, the answer is that of a new one, and nothing is sent.
    server.wait(60);
    let again = server.post("/signup", by_phone()).await.ok();
    let names = |user: &serde_json::Value| -> Vec<String> { user.as_object().unwrap().keys().cloned().collect() };
    assert_eq!((names(&again), names(&again["identities"][0])), (names(&user), names(&user["identities"][0])));
    assert_eq!(again["identities"][0]["identity_data"].as_object().unwrap().len(), 4);
    assert_ne!(again["id"], user["id"]);
    assert_eq!(server.message("+15550100").await.code, letter.code);

    // A password chosen before the number was proved is no way in for whoever chose it.
    server.post("/signup", json!({ "phone": "+15550111", "password": "the attacker's own" })).await.ok();
    server.message("+15550111").await;
    server.wait(60);
    server.post("/otp", json!({ "phone": "+15550111" })).await.ok();
    let letter = server.message("+15550111").await;
    server.post("/verify", json!({ "phone": "+15550111", "token": letter.code, "type": "sms" })).await.ok();
    let attacker = json!({ "phone": "+15550111", "password": "the attacker's own" });
    server.post("/token?grant_type=password", attacker).await.refused(400, "invalid_credentials", "Invalid login credentials");

    let one_time = OneTimeConfig { phone_autoconfirm: true, ..OneTimeConfig::default() };
    let server = Server::with(AuthConfig { one_time, ..AuthConfig::default() }).await;
    let session = server.post("/signup", by_phone()).await.ok();
    assert_eq!(session["user"]["phone_confirmed_at"], "2026-11-21T12:00:00Z");
    server.post("/signup", by_phone()).await.refused(422, "user_already_exists", "User already registered");
}
