//! Reading and changing one's own account.

use auth::AuthConfig;
use serde_json::{Value, json};

use crate::server::{Answer, PASSWORD, Server, claims, token};

async fn put(server: &Server, session: &Value, body: Value) -> Answer {
    server.call("PUT", "/user", Some(token(session)), Some(body)).await
}

#[tokio::test]
async fn metadata_is_merged_and_null_takes_away() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    put(&server, &session, json!({ "data": { "name": "Ann", "deep": { "a": 1, "b": null } } })).await.ok();
    let user = put(&server, &session, json!({ "data": { "name": null, "deep": { "c": 2 } } })).await.ok();
    assert_eq!(user["user_metadata"], json!({ "deep": { "c": 2 }, "email_verified": true }));
    assert_eq!(server.user(&session).await.ok(), user);
    let refreshed = server.refresh(&session).await.ok();
    assert_eq!(claims(&refreshed)["user_metadata"]["deep"], json!({ "c": 2 }));
}

#[tokio::test]
async fn metadata_cannot_outgrow_a_token_in_small_steps() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    put(&server, &session, json!({ "data": { "a": "x".repeat(4000) } })).await.ok();
    let refused = put(&server, &session, json!({ "data": { "b": "x".repeat(4000) } })).await;
    refused.refused(422, "validation_failed", "The metadata cannot be larger than 6144 bytes");
    assert!(server.user(&session).await.ok()["user_metadata"].get("b").is_none(), "nothing of it stays");
}

#[tokio::test]
async fn what_is_not_ones_own_to_change_stays() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    for claimed in [json!({ "admin": true }), json!({})] {
        let refused = put(&server, &session, json!({ "app_metadata": claimed, "data": { "a": 1 } })).await;
        refused.refused(403, "not_admin", "Updating app_metadata requires admin privileges");
    }
    let body = json!({ "app_metadata": null, "role": "service_role", "is_anonymous": true, "id": "x", "data": {} });
    let user = put(&server, &session, body).await.ok();
    assert!(user["user_metadata"].get("a").is_none(), "nothing of what was refused stays");
    assert_eq!(user["app_metadata"], json!({ "provider": "email", "providers": ["email"] }));
    assert_eq!((&user["role"], &user["id"]), (&json!("authenticated"), &session["user"]["id"]));
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    let other = server.sign_in("ann@example.com").await;
    let same = put(&server, &session, json!({ "password": PASSWORD })).await;
    same.refused(422, "same_password", "New password should be different from the old password.");
    for weak in ["short", ""] {
        let refused = put(&server, &session, json!({ "password": weak })).await;
        assert_eq!((refused.status, &refused.body["code"]), (422, &json!("weak_password")), "{weak:?}");
    }
    put(&server, &session, json!({ "password": "another long password" })).await.ok();
    assert_eq!(server.user(&session).await.status, 200);
    assert_eq!(server.user(&other).await.body["code"], "session_not_found");
    assert_eq!(server.refresh(&other).await.body["code"], "refresh_token_not_found");
    let sign_in = |password: &str| server.post("/token?grant_type=password", json!({ "email": "ann@example.com", "password": password }));
    assert_eq!(sign_in(PASSWORD).await.body["code"], "invalid_credentials");
    assert_eq!(sign_in("another long password").await.status, 200);
}

#[tokio::test]
async fn a_new_address_must_be_free() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    server.sign_up("bob@example.com").await;
    let taken = put(&server, &session, json!({ "email": "BOB@example.com" })).await;
    taken.refused(422, "email_exists", "A user with this email address has already been registered");
    // Also where addresses are not confirmed: who has one keeps it until the message to the new one is answered.
    let user = put(&server, &session, json!({ "email": "Eve@example.com" })).await.ok();
    assert_eq!([&user["email"], &user["new_email"]], ["ann@example.com", "eve@example.com"]);
    assert_eq!(user["email_change_sent_at"], "2026-11-21T12:00:00Z");
    let letter = server.message("eve@example.com").await;
    let user = server.post("/verify", json!({ "token_hash": letter.token(), "type": "email_change" })).await.ok()["user"].clone();
    assert_eq!((&user["email"], user.get("new_email")), (&json!("eve@example.com"), None));
    assert_eq!(user["identities"][0]["identity_data"]["email"], "eve@example.com");
    assert_eq!(server.message("ann@example.com").await.text, "null", "nobody else is asked");
    assert_eq!(server.sign_in("eve@example.com").await["user"]["id"], session["user"]["id"]);
    let old = server.post("/token?grant_type=password", json!({ "email": "ann@example.com", "password": PASSWORD })).await;
    assert_eq!(old.body["code"], "invalid_credentials");
}

#[tokio::test]
async fn an_address_that_needs_a_mail_stays_as_it_is() {
    let server = Server::with(AuthConfig { autoconfirm: false, ..AuthConfig::default() }).await;
    server.sign_up("ann@example.com").await;
    server.sql("update auth.users set email_confirmed_at = now()").await;
    let session = server.sign_in("ann@example.com").await;
    let user = put(&server, &session, json!({ "email": "eve@example.com" })).await.ok();
    assert_eq!((&user["email"], &user["new_email"]), (&json!("ann@example.com"), &json!("eve@example.com")));
    assert_eq!(put(&server, &session, json!({ "email": "ann@example.com", "data": { "a": 1 } })).await.status, 200);
}

#[tokio::test]
async fn a_deleted_user_is_out_at_once() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    server.sql("update auth.users set deleted_at = now()").await;
    assert_eq!(server.user(&session).await.body["code"], "session_not_found");
    assert_eq!(put(&server, &session, json!({ "data": {} })).await.body["code"], "session_not_found");
    assert_eq!(server.refresh(&session).await.body["code"], "refresh_token_not_found");
    let sign_in = server.post("/token?grant_type=password", json!({ "email": "ann@example.com", "password": PASSWORD })).await;
    assert_eq!(sign_in.body["code"], "invalid_credentials");
}

#[tokio::test]
async fn a_session_of_one_user_does_not_serve_another() {
    let server = Server::new().await;
    let ann = server.sign_up("ann@example.com").await;
    let bob = server.sign_up("bob@example.com").await;
    let mut claims = claims(&ann);
    claims["sub"] = bob["user"]["id"].clone();
    let secret = "a shared secret of more than thirty-two bytes";
    let config = AuthConfig { jwt_secret: Some(kernel::Secret::new(secret.to_owned())), ..AuthConfig::default() };
    let forged = {
        let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap()
    };
    let other = Server::with(config).await;
    // Without the secret configured the token is refused; with it, the session must still be the user's own.
    assert_eq!(server.call("GET", "/user", Some(&forged), None).await.body["code"], "bad_jwt");
    let eve = other.sign_up("eve@example.com").await;
    let zoe = other.sign_up("zoe@example.com").await;
    let mut mixed = crate::server::claims(&eve);
    mixed["sub"] = zoe["user"]["id"].clone();
    let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
    let mixed = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &mixed, &key).unwrap();
    assert_eq!(other.call("GET", "/user", Some(&mixed), None).await.body["code"], "session_not_found");
    assert_eq!(other.call("POST", "/logout", Some(&mixed), None).await.body["code"], "session_not_found");
    assert_eq!(other.user(&eve).await.status, 200);
}
