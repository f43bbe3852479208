//! Invitations, and links that the operator's programs hand on themselves.

use auth::AuthConfig;
use serde_json::{Value, json};

use crate::server::{Answer, PASSWORD, Server, token};

async fn with_key(server: &Server, path: &str, body: Value) -> Answer {
    let key = server.ring.service().token.expose().clone();
    server.call("POST", path, Some(&key), Some(body)).await
}

async fn generate(server: &Server, body: Value) -> Answer {
    with_key(server, "/admin/generate_link", body).await
}

/// Follows a generated link; returns the fragment that it leads to.
async fn follow(server: &Server, link: &Value) -> String {
    let path = link["action_link"].as_str().unwrap().strip_prefix("http://localhost:54321/auth/v1").unwrap();
    assert!(path.starts_with(&format!("/verify?token={}&type=", link["hashed_token"].as_str().unwrap())), "{path}");
    let answer = server.call("GET", path, None, None).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    answer.headers["location"].to_str().unwrap().split_once('#').unwrap().1.to_owned()
}

#[tokio::test]
async fn who_is_invited_accepts_by_a_link() {
    let server = Server::with(AuthConfig { signup_enabled: false, ..AuthConfig::default() }).await;
    let user = with_key(&server, "/invite", json!({ "email": "Ann@example.com", "data": { "name": "Ann" } })).await.ok();
    assert_eq!((&user["email"], &user["invited_at"]), (&json!("ann@example.com"), &json!("2026-11-21T12:00:00Z")));
    assert_eq!(user["user_metadata"], json!({ "name": "Ann" }));
    assert!(user.get("email_confirmed_at").is_none());
    let letter = server.message("ann@example.com").await;
    assert_eq!(letter.subject, "You are invited");
    let session = server.post("/verify", json!({ "token_hash": letter.token(), "type": "invite" })).await.ok();
    assert_eq!(session["user"]["id"], user["id"]);
    let again = with_key(&server, "/invite", json!({ "email": "ann@example.com" })).await;
    again.refused(422, "email_exists", "A user with this email address has already been registered");
    for path in ["/invite", "/admin/generate_link"] {
        let body = json!({ "email": "eve@example.com", "type": "magiclink" });
        let own = server.call("POST", path, Some(token(&session)), Some(body.clone())).await;
        own.refused(403, "not_admin", "User not allowed");
        server.post(path, body).await.refused(401, "no_authorization", "This endpoint requires a valid Bearer token");
    }
    assert_eq!(server.ask("select count(*) from auth.users").await, "1");
}

#[tokio::test]
async fn generated_links_do_what_sent_ones_do() {
    let server = Server::new().await;
    let data = json!({ "name": "Ann" });
    let signup = json!({ "type": "signup", "email": "ann@example.com", "password": PASSWORD, "data": data });
    let link = generate(&server, signup.clone()).await.ok();
    assert_eq!((&link["verification_type"], &link["user_metadata"]), (&json!("signup"), &data));
    assert_eq!(link["redirect_to"], "http://localhost:54321/");
    assert!(follow(&server, &link).await.starts_with("access_token="));
    server.sign_in("ann@example.com").await;
    assert!(follow(&server, &link).await.starts_with("error=access_denied&error_code=otp_expired"), "it works once");
    generate(&server, signup).await.refused(422, "email_exists", "A user with this email address has already been registered");

    for kind in ["magiclink", "recovery"] {
        let link = generate(&server, json!({ "type": kind, "email": "ann@example.com" })).await.ok();
        let code = json!({ "type": "email", "email": "ann@example.com", "token": link["email_otp"] });
        assert_eq!(server.post("/verify", code).await.ok()["user"]["id"], link["id"], "{kind}");
    }
    let new = generate(&server, json!({ "type": "magiclink", "email": "ben@example.com" })).await.ok();
    assert_eq!(new["verification_type"], "signup", "the account was made by it");
    let by_hash = json!({ "type": new["verification_type"], "token_hash": new["hashed_token"] });
    assert_eq!(server.post("/verify", by_hash).await.ok()["user"]["email"], "ben@example.com");

    let change = |kind: &str| json!({ "type": kind, "email": "ann@example.com", "new_email": "lee@example.com" });
    let old = generate(&server, change("email_change_current")).await.ok();
    let new = generate(&server, change("email_change_new")).await.ok();
    assert_eq!(new["new_email"], "lee@example.com");
    // Where addresses count as they are written, one agrees.
    assert!(follow(&server, &new).await.contains("type=email_change"));
    assert!(follow(&server, &old).await.starts_with("error=access_denied&error_code=otp_expired"));
    server.sign_in("lee@example.com").await;
    let invited = generate(&server, json!({ "type": "invite", "email": "cid@example.com" })).await.ok();
    assert!(invited["invited_at"].is_string());
    assert!(follow(&server, &invited).await.contains("type=invite"));
    assert_eq!(server.ask("select count(*) from app.outbox").await, "0", "nothing is sent");

    for (body, status, code, message) in [
        (json!({ "type": "recovery", "email": "x@example.com" }), 404, "user_not_found", "User with this email not found"),
        (json!({ "type": "signup", "email": "x@example.com" }), 400, "validation_failed", "Signup requires a valid password"),
        (json!({ "type": "sms", "email": "x@example.com" }), 400, "validation_failed", "Invalid email action link type requested"),
        (json!({ "type": "magiclink" }), 400, "validation_failed", "Unable to validate email address: invalid format"),
        (
            json!({ "type": "email_change_new", "email": "lee@example.com", "new_email": "ben@example.com" }),
            422,
            "email_exists",
            "A user with this email address has already been registered",
        ),
    ] {
        generate(&server, body).await.refused(status, code, message);
    }
}
