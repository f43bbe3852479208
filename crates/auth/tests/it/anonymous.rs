//! Accounts without an address, and how they get one.

use auth::AuthConfig;
use auth::config::AnonymousConfig;
use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::server::{Answer, PASSWORD, Server, claims, token};

fn open(autoconfirm: bool) -> AuthConfig {
    AuthConfig { autoconfirm, anonymous: AnonymousConfig { enabled: true, client_hour_max: 2 }, ..AuthConfig::default() }
}

async fn put(server: &Server, session: &Value, body: Value) -> Answer {
    server.call("PUT", "/user", Some(token(session)), Some(body)).await
}

#[tokio::test]
async fn somebody_signs_in_as_nobody_and_becomes_somebody() {
    let server = Server::with(open(false)).await;
    assert_eq!(server.call("GET", "/settings", None, None).await.ok()["external"]["anonymous_users"], true);
    let sent = json!({ "data": { "theme": "dark" }, "gotrue_meta_security": {} });
    let session = server.post("/signup", sent).await.ok();
    let user = &session["user"];
    assert_eq!((&user["is_anonymous"], &user["email"], &user["phone"]), (&json!(true), &json!(""), &json!("")));
    assert_eq!((&user["user_metadata"], &user["app_metadata"]), (&json!({ "theme": "dark" }), &json!({})));
    assert_eq!(user["identities"], json!([]));
    let said = claims(&session);
    assert_eq!(
        (&said["is_anonymous"], &said["role"], &said["amr"][0]["method"]),
        (&json!(true), &json!("authenticated"), &json!("anonymous"))
    );
    assert_eq!(server.refresh(&session).await.ok()["user"]["is_anonymous"], true);

    // A password without a name lets nobody in.
    let message = "Updating password of an anonymous user without an email or phone is not allowed";
    put(&server, &session, json!({ "password": PASSWORD })).await.refused(422, "validation_failed", message);
    let asked = put(&server, &session, json!({ "email": "ann@example.com" })).await.ok();
    assert_eq!((&asked["is_anonymous"], &asked["new_email"]), (&json!(true), &json!("ann@example.com")));
    let letter = server.message("ann@example.com").await;
    let session = server.post("/verify", json!({ "token_hash": letter.token(), "type": "email_change" })).await.ok();
    let user = &session["user"];
    assert_eq!((&user["is_anonymous"], &user["email"]), (&json!(false), &json!("ann@example.com")));
    assert_eq!(user["app_metadata"], json!({ "provider": "email", "providers": ["email"] }));
    assert_eq!((&user["user_metadata"]["theme"], &user["identities"][0]["provider"]), (&json!("dark"), &json!("email")));
    assert_eq!((&claims(&session)["is_anonymous"], &claims(&session)["sub"]), (&json!(false), &said["sub"]));
    put(&server, &session, json!({ "password": PASSWORD })).await.ok();
    assert_eq!(server.sign_in("ann@example.com").await["user"]["id"], said["sub"]);

    // By a number, too.
    let session = server.post("/signup", json!({})).await.ok();
    put(&server, &session, json!({ "phone": "+15550100" })).await.ok();
    let code = server.message("+15550100").await.code;
    let session = server.post("/verify", json!({ "phone": "+15550100", "token": code, "type": "phone_change" })).await.ok();
    assert_eq!((&session["user"]["is_anonymous"], &session["user"]["app_metadata"]["provider"]), (&json!(false), &json!("phone")));
}

#[tokio::test]
async fn where_nothing_is_confirmed_an_address_and_a_password_are_enough() {
    let server = Server::with(open(true)).await;
    server.sign_up("ben@example.com").await;
    let session = server.post("/signup", json!({ "data": {} })).await.ok();
    let taken = put(&server, &session, json!({ "email": "ben@example.com" })).await;
    taken.refused(422, "email_exists", "A user with this email address has already been registered");
    let user = put(&server, &session, json!({ "email": "ann@example.com", "password": PASSWORD })).await.ok();
    assert_eq!((&user["is_anonymous"], &user["app_metadata"]["providers"]), (&json!(false), &json!(["email"])));
    assert_eq!(user["identities"][0]["identity_data"]["email"], "ann@example.com");
    assert_eq!(server.sign_in("ann@example.com").await["user"]["id"], session["user"]["id"]);
}

#[tokio::test]
async fn one_address_of_the_network_makes_so_many_in_an_hour() {
    let server = Server::with(open(false)).await;
    let from = async |address: &str| {
        let address = kernel::ClientAddress(address.parse().unwrap());
        let request = Request::builder().method("POST").uri("/signup").header("x-supabase-api-version", "2024-01-01");
        server.send(request.extension(address).body(Body::from("{}")).unwrap()).await
    };
    for _ in 0..2 {
        from("192.0.2.1").await.ok();
    }
    let refused = from("192.0.2.1").await;
    refused.refused(429, "over_request_rate_limit", "Too many accounts were made from this address; come back later");
    assert_eq!(refused.headers["retry-after"], "3600");
    from("192.0.2.2").await.ok();
    server.wait(3600);
    from("192.0.2.1").await.ok();
    assert_eq!(server.ask("select count(*) from auth.users").await, "4");

    let closed = Server::with(AuthConfig { signup_enabled: false, ..open(false) }).await;
    closed.post("/signup", json!({})).await.refused(422, "signup_disabled", "Signups not allowed for this instance");
}
