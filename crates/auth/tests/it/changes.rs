//! Another address, another number, and the code that proves that somebody is still there.

use auth::AuthConfig;
use auth::config::OneTimeConfig;
use serde_json::{Value, json};

use crate::server::{Answer, PASSWORD, Server, token};

fn with(one_time: OneTimeConfig) -> AuthConfig {
    AuthConfig { autoconfirm: false, one_time, ..AuthConfig::default() }
}

async fn signed_up(server: &Server, email: &str) -> Value {
    server.post("/signup", json!({ "email": email, "password": PASSWORD })).await.ok();
    let letter = server.message(email).await;
    server.post("/verify", json!({ "token_hash": letter.token(), "type": "signup" })).await.ok()
}

async fn put(server: &Server, session: &Value, body: Value) -> Answer {
    server.call("PUT", "/user", Some(token(session)), Some(body)).await
}

#[tokio::test]
async fn both_addresses_agree_to_a_change() {
    let server = Server::with(with(OneTimeConfig::default())).await;
    let session = signed_up(&server, "ann@example.com").await;
    signed_up(&server, "ben@example.com").await;
    let taken = put(&server, &session, json!({ "email": "ben@example.com" })).await;
    taken.refused(422, "email_exists", "A user with this email address has already been registered");
    let user = put(&server, &session, json!({ "email": "Lee@example.com" })).await.ok();
    assert_eq!((&user["email"], &user["new_email"]), (&json!("ann@example.com"), &json!("lee@example.com")));
    assert_eq!(user["email_change_sent_at"], "2026-11-21T12:00:00Z");
    let (old, new) = (server.message("ann@example.com").await, server.message("lee@example.com").await);
    assert_eq!(new.subject, "Confirm your new e-mail address");
    let verify =
        |address: &'static str, code: String| server.post("/verify", json!({ "email": address, "token": code, "type": "email_change" }));
    let first = verify("lee@example.com", new.code.clone()).await.ok();
    let message = "Confirmation link accepted. Please proceed to confirm link sent to the other email";
    assert_eq!(first, json!({ "msg": message, "code": "200" }));
    assert_eq!(server.user(&session).await.ok()["email"], "ann@example.com");
    verify("lee@example.com", new.code).await.refused(403, "otp_expired", "Token has expired or is invalid");
    let session = verify("ann@example.com", old.code).await.ok();
    assert_eq!(session["user"]["email"], "lee@example.com");
    assert!(session["user"].get("new_email").is_none());
    assert_eq!(session["user"]["identities"][0]["email"], "lee@example.com");
    server.sign_in("lee@example.com").await;

    // Asked for again, what was sent before is of no use; also the new one alone is not enough.
    put(&server, &session, json!({ "email": "eve@example.com" })).await.ok();
    let eve = server.message("eve@example.com").await;
    server.post("/verify", json!({ "token_hash": eve.token(), "type": "email_change" })).await.ok();
    server.wait(60);
    server.post("/resend", json!({ "email": "lee@example.com", "type": "email_change" })).await.ok();
    let (old, new) = (server.message("lee@example.com").await, server.message("eve@example.com").await);
    assert_ne!(eve.token(), new.token());
    let answer = server.post("/verify", json!({ "token_hash": new.token(), "type": "email_change" })).await.ok();
    assert_eq!(answer["code"], "200");
    let answer = server.call("GET", &old.link, None, None).await;
    assert_eq!(answer.status, 303);
    assert!(answer.headers["location"].to_str().unwrap().contains("type=email_change"));
    server.sign_in("eve@example.com").await;
}

#[tokio::test]
async fn one_address_is_enough_where_the_operator_says_so() {
    let server = Server::with(with(OneTimeConfig { email_change_double: false, ..OneTimeConfig::default() })).await;
    let session = signed_up(&server, "ann@example.com").await;
    put(&server, &session, json!({ "email": "lee@example.com" })).await.ok();
    let letter = server.message("lee@example.com").await;
    let session = server.post("/verify", json!({ "token_hash": letter.token(), "type": "email_change" })).await.ok();
    assert_eq!(session["user"]["email"], "lee@example.com");
}

#[tokio::test]
async fn a_number_is_added_changed_and_proved() {
    let server = Server::with(with(OneTimeConfig::default())).await;
    let session = signed_up(&server, "ann@example.com").await;
    let user = put(&server, &session, json!({ "phone": "+15550100" })).await.ok();
    assert_eq!((&user["phone"], &user["new_phone"]), (&json!(""), &json!("15550100")));
    let letter = server.message("+15550100").await;
    let verify = json!({ "phone": "+15550100", "token": letter.code, "type": "phone_change" });
    let session = server.post("/verify", verify.clone()).await.ok();
    assert_eq!(session["user"]["phone"], "15550100");
    server.post("/verify", verify).await.refused(403, "otp_expired", "Token has expired or is invalid");
    let other = signed_up(&server, "ben@example.com").await;
    let taken = put(&server, &other, json!({ "phone": "15550100" })).await;
    taken.refused(422, "phone_exists", "A user with this phone number has already been registered");
    put(&server, &other, json!({ "phone": "x" })).await.refused(400, "validation_failed", "Invalid phone number format (E.164 required)");
    // With the number alone.
    server.wait(60);
    server.post("/otp", json!({ "phone": "+15550100", "create_user": false })).await.ok();
    let letter = server.message("+15550100").await;
    let again = server.post("/verify", json!({ "phone": "+15550100", "token": letter.code, "type": "sms" })).await.ok();
    assert_eq!(again["user"]["id"], session["user"]["id"]);
}

#[tokio::test]
async fn an_old_session_proves_that_somebody_is_there() {
    let server = Server::with(with(OneTimeConfig { reauthentication_required: true, ..OneTimeConfig::default() })).await;
    let session = signed_up(&server, "ann@example.com").await;
    put(&server, &session, json!({ "password": "a new password" })).await.ok();
    server.wait(24 * 3600);
    let session = server.refresh(&session).await.ok();
    let refused = put(&server, &session, json!({ "password": "a newer password" })).await;
    refused.refused(400, "reauthentication_needed", "Password update requires reauthentication");
    assert_eq!(server.call("GET", "/reauthenticate", Some(token(&session)), None).await.ok(), json!({}));
    let letter = server.message("ann@example.com").await;
    assert_eq!((letter.subject.as_str(), letter.link.as_str()), ("Your code to confirm that it is you", ""));
    let wrong = if letter.code == "000000" { "000001" } else { "000000" };
    let refused = put(&server, &session, json!({ "password": "a newer password", "nonce": wrong })).await;
    refused.refused(422, "reauthentication_not_valid", "Nonce has expired or is invalid");
    // It opens no session.
    let refused = server.post("/verify", json!({ "email": "ann@example.com", "token": letter.code, "type": "email" })).await;
    refused.refused(403, "otp_expired", "Token has expired or is invalid");
    put(&server, &session, json!({ "password": "a newer password", "nonce": letter.code })).await.ok();
    let refused = put(&server, &session, json!({ "password": "the newest password", "nonce": letter.code })).await;
    refused.refused(422, "reauthentication_not_valid", "Nonce has expired or is invalid");
    server.call("GET", "/reauthenticate", None, None).await.refused(401, "no_authorization", "This endpoint requires a valid Bearer token");
}

#[tokio::test]
async fn both_halves_of_a_change_at_once_make_one_change() {
    let server = Server::with(with(OneTimeConfig::default())).await;
    let session = signed_up(&server, "a0@example.com").await;
    for round in 0..3 {
        let (old, new) = (format!("a{round}@example.com"), format!("a{}@example.com", round + 1));
        server.wait(60);
        put(&server, &session, json!({ "email": new })).await.ok();
        let (by_old, by_new) = (server.message(&old).await, server.message(&new).await);
        let code = |address: &str, code: &str| json!({ "email": address, "token": code, "type": "email_change" });
        let link = json!({ "token_hash": by_new.token(), "type": "email_change" });
        let (first, second) = tokio::join!(server.post("/verify", code(&old, &by_old.code)), server.post("/verify", link));
        let answers = [first.ok(), second.ok()];
        // Whoever came first is told to wait for the other one.
        assert_eq!(answers.iter().filter(|answer| answer["code"] == "200").count(), 1, "{answers:?}");
        assert_eq!(answers.iter().filter(|answer| answer["user"]["email"] == new).count(), 1, "{answers:?}");
    }
}

#[tokio::test]
async fn two_who_want_each_others_address_wait_in_one_order() {
    let server = Server::new().await;
    let (ann, ben) = (server.sign_up("ann@example.com").await, server.sign_up("ben@example.com").await);
    let first = server.db.superuser().await;
    first.batch_execute("begin; select pg_advisory_xact_lock(hashtextextended('address:ann@example.com', 0))").await.unwrap();
    let waits = async {
        // Both wait for the first of the two names; neither has the second one.
        let waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted
                        and database = (select oid from pg_database where datname = current_database())";
        while server.ask(waiting).await != "2" {
            tokio::task::yield_now().await;
        }
        let held = "select count(*) from pg_locks where locktype = 'advisory' and granted
                     and database = (select oid from pg_database where datname = current_database())";
        let held = server.ask(held).await;
        first.batch_execute("rollback").await.unwrap();
        held
    };
    let (one, two, held) = tokio::join!(
        put(&server, &ann, json!({ "email": "ben@example.com" })),
        put(&server, &ben, json!({ "email": "ann@example.com" })),
        waits
    );
    assert_eq!(held, "1");
    for answer in [one, two] {
        answer.refused(422, "email_exists", "A user with this email address has already been registered");
    }
}

#[tokio::test]
async fn a_new_password_needs_the_one_before_where_the_operator_says_so() {
    let mut config = AuthConfig::default();
    config.password.current_required = true;
    let server = Server::with(config).await;
    let session = server.sign_up("ann@example.com").await;
    let next = "a new long password";
    let refused = put(&server, &session, json!({ "password": next })).await;
    refused.refused(400, "current_password_required", "Current password required when setting new password.");
    let refused = put(&server, &session, json!({ "password": next, "current_password": "" })).await;
    refused.refused(400, "current_password_required", "Current password required when setting new password.");
    let refused = put(&server, &session, json!({ "password": next, "current_password": "not the one" })).await;
    refused.refused(400, "current_password_invalid", "The current password is not right.");
    server.sign_in("ann@example.com").await;
    put(&server, &session, json!({ "password": next, "current_password": PASSWORD })).await.ok();
    server.post("/token?grant_type=password", json!({ "email": "ann@example.com", "password": next })).await.ok();
    // Who forgot it came by a message.
    server.post("/recover", json!({ "email": "ann@example.com" })).await.ok();
    let letter = server.message("ann@example.com").await;
    let back = server.post("/verify", json!({ "type": "recovery", "token_hash": letter.token() })).await.ok();
    put(&server, &back, json!({ "password": "found again, and long" })).await.ok();
    let session =
        server.post("/token?grant_type=password", json!({ "email": "ann@example.com", "password": "found again, and long" })).await.ok();
    // Who has none says none.
    server.sql("update auth.users set encrypted_password = null").await;
    put(&server, &session, json!({ "password": PASSWORD })).await.ok();
    server.sign_in("ann@example.com").await;
}

#[tokio::test]
async fn the_password_that_one_has_proves_that_one_is_there() {
    let server = Server::with(with(OneTimeConfig { reauthentication_required: true, ..OneTimeConfig::default() })).await;
    let session = signed_up(&server, "ann@example.com").await;
    server.wait(24 * 3600);
    let session = server.refresh(&session).await.ok();
    let next = "a new long password";
    let refused = put(&server, &session, json!({ "password": next })).await;
    refused.refused(400, "reauthentication_needed", "Password update requires reauthentication");
    // Also where no setting asks for it, a wrong one is wrong.
    let refused = put(&server, &session, json!({ "password": next, "current_password": "not the one" })).await;
    refused.refused(400, "current_password_invalid", "The current password is not right.");
    put(&server, &session, json!({ "password": next, "current_password": PASSWORD })).await.ok();
    server.post("/token?grant_type=password", json!({ "email": "ann@example.com", "password": next })).await.ok();
}
