//! Ways to sign up and in that the operator turned off: each says so with its own code, and what else there is goes on.

use auth::AuthConfig;
use auth::config::{ExternalConfig, OwnConfig};
use serde_json::json;

use crate::server::{PASSWORD, Server, token};

fn without(email: bool, phone: bool) -> AuthConfig {
    let external = ExternalConfig { email: OwnConfig { enabled: email }, phone: OwnConfig { enabled: phone }, ..ExternalConfig::default() };
    AuthConfig { external, ..AuthConfig::default() }
}

#[tokio::test]
async fn nobody_comes_by_an_address_where_none_does() {
    let server = Server::with(without(false, true)).await;
    let settings = server.call("GET", "/settings", None, None).await.ok();
    assert_eq!([&settings["external"]["email"], &settings["external"]["phone"]], [&json!(false), &json!(true)]);
    let by_mail = || json!({ "email": "ann@example.com", "password": PASSWORD });
    server.post("/signup", by_mail()).await.refused(400, "email_provider_disabled", "Email signups are disabled");
    for (path, status) in [("/token?grant_type=password", 422), ("/otp", 422), ("/magiclink", 422), ("/recover", 422), ("/resend", 400)] {
        let mut body = by_mail();
        body["type"] = json!("signup");
        server.post(path, body).await.refused(status, "email_provider_disabled", "Email logins are disabled");
    }
    assert_eq!(server.ask("select count(*) from auth.users").await, "0");
    assert_eq!(server.ask("select count(*) from app.outbox").await, "0");

    // Numbers go on, and who is in by one may have an address to be written to.
    server.post("/otp", json!({ "phone": "+15550100" })).await.ok();
    let letter = server.message("+15550100").await;
    let session = server.post("/verify", json!({ "phone": "+15550100", "token": letter.code, "type": "sms" })).await.ok();
    server.call("PUT", "/user", Some(token(&session)), Some(json!({ "email": "ann@example.com" }))).await.ok();
    server.refresh(&session).await.ok();
}

#[tokio::test]
async fn nobody_comes_by_a_number_where_none_does() {
    let server = Server::with(without(true, false)).await;
    let settings = server.call("GET", "/settings", None, None).await.ok();
    assert_eq!([&settings["external"]["email"], &settings["external"]["phone"]], [&json!(true), &json!(false)]);
    assert_eq!(settings["sms_provider"], "");
    let by_phone = || json!({ "phone": "+15550100", "password": PASSWORD, "type": "sms" });
    server.post("/signup", by_phone()).await.refused(400, "phone_provider_disabled", "Phone signups are disabled");
    server.post("/token?grant_type=password", by_phone()).await.refused(422, "phone_provider_disabled", "Phone logins are disabled");
    for path in ["/otp", "/resend"] {
        server.post(path, by_phone()).await.refused(400, "phone_provider_disabled", "Unsupported phone provider");
    }
    let session = server.sign_up("ann@example.com").await;
    let added = server.call("PUT", "/user", Some(token(&session)), Some(json!({ "phone": "+15550100" }))).await;
    added.refused(400, "phone_provider_disabled", "Unsupported phone provider");
    assert_eq!(server.ask("select count(*) from app.outbox").await, "0");
}
