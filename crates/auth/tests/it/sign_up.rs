//! Signing up: what is answered, what is stored, what is refused.

use auth::AuthConfig;
use serde_json::json;

use crate::server::{PASSWORD, START, Server, claims, header};

#[tokio::test]
async fn a_sign_up_answers_a_session() {
    let server = Server::new().await;
    let body = json!({ "email": " Ann@Example.com ", "password": PASSWORD, "data": { "name": "Ann" }, "gotrue_meta_security": {} });
    let session = server.post("/signup", body).await.ok();
    assert_eq!(session["token_type"], "bearer");
    assert_eq!(session["expires_in"], 3600);
    assert_eq!(session["expires_at"], START + 3600);
    assert_eq!(session["refresh_token"].as_str().unwrap().len(), 54);
    let user = &session["user"];
    assert_eq!(user["email"], "ann@example.com");
    assert_eq!((&user["aud"], &user["role"], &user["phone"]), (&json!("authenticated"), &json!("authenticated"), &json!("")));
    assert_eq!(user["app_metadata"], json!({ "provider": "email", "providers": ["email"] }));
    assert_eq!(user["user_metadata"], json!({ "name": "Ann", "email_verified": true }));
    assert_eq!(user["email_confirmed_at"], "2026-11-21T12:00:00Z");
    assert_eq!(user["confirmed_at"], "2026-11-21T12:00:00Z");
    assert_eq!(user["last_sign_in_at"], "2026-11-21T12:00:00Z");
    assert_eq!(user["is_anonymous"], false);
    assert!(user.get("banned_until").is_none() && user.get("invited_at").is_none());
    let identity = &user["identities"][0];
    assert_eq!((&identity["id"], &identity["user_id"], &identity["provider"]), (&user["id"], &user["id"], &json!("email")));
    assert_eq!(identity["email"], "ann@example.com");
    assert_eq!(
        identity["identity_data"],
        json!({ "sub": user["id"], "email": "ann@example.com", "email_verified": true, "phone_verified": false })
    );
    assert!(server.user(&session).await.ok()["id"] == user["id"]);
}

#[tokio::test]
async fn an_access_token_says_who_and_no_more() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    let header = header(&session);
    assert_eq!((&header["alg"], &header["typ"]), (&json!("ES256"), &json!("JWT")));
    assert_eq!(header["kid"], server.ring.current().public().kid());
    let claims = claims(&session);
    let names: Vec<_> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "iss",
            "sub",
            "aud",
            "exp",
            "iat",
            "email",
            "phone",
            "app_metadata",
            "user_metadata",
            "role",
            "aal",
            "amr",
            "session_id",
            "is_anonymous"
        ]
    );
    assert_eq!(claims["iss"], "http://localhost:54321/auth/v1");
    assert_eq!(claims["sub"], session["user"]["id"]);
    assert_eq!((&claims["iat"], &claims["exp"]), (&json!(START), &json!(START + 3600)));
    assert_eq!((&claims["aud"], &claims["role"], &claims["aal"]), (&json!("authenticated"), &json!("authenticated"), &json!("aal1")));
    assert_eq!(claims["amr"], json!([{ "method": "password", "timestamp": START }]));
}

#[tokio::test]
async fn the_password_is_stored_as_argon2id_alone() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    let stored = server.ask("select encrypted_password from auth.users").await;
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
    assert!(!session.to_string().contains("argon2"));
}

#[tokio::test]
async fn an_address_has_one_account() {
    let server = Server::new().await;
    server.sign_up("ann@example.com").await;
    let again = server.post("/signup", json!({ "email": "ANN@example.com", "password": "another password" })).await;
    again.refused(422, "user_already_exists", "User already registered");
    assert_eq!(server.ask("select count(*) from auth.users").await, "1");
    assert_eq!(server.ask("select count(*) from auth.identities").await, "1");
}

#[tokio::test]
async fn of_two_at_once_one_gets_the_address() {
    let server = Server::new().await;
    let body = || json!({ "email": "ann@example.com", "password": PASSWORD });
    let (one, two) = tokio::join!(server.post("/signup", body()), server.post("/signup", body()));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422]);
    assert_eq!(server.ask("select count(*) from auth.sessions").await, "1");
}

#[tokio::test]
async fn without_confirmation_there_is_a_user_and_no_session() {
    let server = Server::with(AuthConfig { autoconfirm: false, ..AuthConfig::default() }).await;
    let user = server.sign_up("ann@example.com").await;
    assert!(user["id"].is_string() && user.get("access_token").is_none());
    assert!(user.get("email_confirmed_at").is_none());
    assert_eq!(user["user_metadata"], json!({}));
    let refused = server.post("/token?grant_type=password", json!({ "email": "ann@example.com", "password": PASSWORD })).await;
    refused.refused(400, "email_not_confirmed", "Email not confirmed");
}

#[tokio::test]
async fn bad_input_is_refused_with_its_code() {
    let server = Server::new().await;
    for (body, status, code, message) in [
        (json!({ "email": "ann", "password": PASSWORD }), 400, "validation_failed", "Unable to validate email address: invalid format"),
        (json!({ "email": "a@b.de" }), 400, "validation_failed", "Signup requires a valid password"),
        (json!({ "password": PASSWORD }), 400, "validation_failed", "To signup, please provide your email"),
        (json!({ "data": {} }), 422, "anonymous_provider_disabled", "Anonymous sign-ins are disabled"),
        (json!({ "phone": "+0", "password": PASSWORD }), 400, "validation_failed", "Invalid phone number format (E.164 required)"),
        (json!({ "email": "a@b.de", "password": "x".repeat(257) }), 400, "validation_failed", "Password cannot be longer than 256 bytes"),
        (
            json!({ "email": "a@b.de", "password": PASSWORD, "data": { "a": "\u{0}" } }),
            400,
            "validation_failed",
            "The character U+0000 cannot be stored",
        ),
        (
            json!({ "email": "a@b.de", "password": PASSWORD, "data": { "a": "x".repeat(7000) } }),
            422,
            "validation_failed",
            "The metadata cannot be larger than 6144 bytes",
        ),
        (json!({ "email": 7 }), 400, "bad_json", "Could not parse request body as JSON: line 1 column 10"),
    ] {
        server.post("/signup", body).await.refused(status, code, message);
    }
    let weak = server.post("/signup", json!({ "email": "a@b.de", "password": "12345" })).await;
    assert_eq!(weak.status, 422);
    assert_eq!(
        weak.body,
        json!({ "code": "weak_password", "message": "Password should be at least 6 characters", "weak_password": { "reasons": ["length"] } })
    );
    assert_eq!(server.ask("select count(*) from auth.users").await, "0");
}

#[tokio::test]
async fn a_closed_instance_takes_nobody() {
    let server = Server::with(AuthConfig { signup_enabled: false, ..AuthConfig::default() }).await;
    let refused = server.post("/signup", json!({ "email": "a@b.de", "password": PASSWORD })).await;
    refused.refused(422, "signup_disabled", "Signups not allowed for this instance");
}

#[tokio::test]
async fn a_role_cannot_be_wished_for() {
    let server = Server::new().await;
    let body = json!({ "email": "a@b.de", "password": PASSWORD, "role": "service_role", "app_metadata": { "admin": true },
                       "data": { "role": "service_role" }, "id": "01900000-0000-7000-8000-000000000001" });
    let session = server.post("/signup", body).await.ok();
    assert_eq!(claims(&session)["role"], "authenticated");
    assert_eq!(session["user"]["role"], "authenticated");
    assert_eq!(session["user"]["app_metadata"], json!({ "provider": "email", "providers": ["email"] }));
    assert_ne!(session["user"]["id"], "01900000-0000-7000-8000-000000000001");
}
