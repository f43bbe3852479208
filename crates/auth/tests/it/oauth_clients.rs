//! Programs of others in the hands of the service key, and those that register themselves.

use auth::AuthConfig;
use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::server::{Answer, Server, token};

/// A server where programs of others may act for people, with further settings.
pub(crate) async fn server(change: impl FnOnce(&mut AuthConfig)) -> Server {
    let mut config = AuthConfig::default();
    config.oauth_server.enabled = true;
    config.one_time.site_url = Some("https://site.example.com/".to_owned());
    change(&mut config);
    Server::with(config).await
}

pub(crate) async fn admin(server: &Server, method: &str, path: &str, body: Option<Value>) -> Answer {
    let key = server.ring.service().token.expose().clone();
    server.call(method, &format!("/admin/oauth/clients{path}"), Some(&key), body).await
}

/// Registers a program and returns it with its secret.
pub(crate) async fn client(server: &Server, wish: Value) -> Value {
    let made = admin(server, "POST", "", Some(wish)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.body
}

#[tokio::test]
async fn a_program_is_registered_changed_and_deleted() {
    let server = server(|_| ()).await;
    let wish = json!({
        "client_name": "Planner",
        "client_uri": "https://planner.example.com",
        "redirect_uris": ["https://planner.example.com/callback"],
    });
    let made = client(&server, wish).await;
    let (id, secret) = (made["client_id"].as_str().unwrap().to_owned(), made["client_secret"].as_str().unwrap().to_owned());
    assert_eq!(secret.len(), 43);
    let stored = format!("select count(*) from auth.oauth_clients where secret_hash = sha256('{secret}'::bytea)");
    assert_eq!(server.ask(&stored).await, "1", "its hash alone is kept");

    let mut known = made.clone();
    known.as_object_mut().unwrap().remove("client_secret");
    let mut expected = json!({
        "client_id": id,
        "client_type": "confidential",
        "redirect_uris": ["https://planner.example.com/callback"],
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "client_name": "Planner",
        "client_uri": "https://planner.example.com",
        "registration_type": "manual",
    });
    expected["created_at"] = known["created_at"].clone();
    expected["updated_at"] = known["created_at"].clone();
    assert_eq!(known, expected);
    assert_eq!(admin(&server, "GET", &format!("/{id}"), None).await.ok(), known);

    server.wait(60);
    let change = json!({ "client_name": "Planner 2", "client_uri": "", "logo_uri": "https://planner.example.com/logo.png",
                         "grant_types": ["authorization_code"], "token_endpoint_auth_method": "client_secret_post" });
    let changed = admin(&server, "PUT", &format!("/{id}"), Some(change)).await.ok();
    let told = |body: &Value| {
        json!([body["client_name"], body["client_uri"], body["logo_uri"], body["grant_types"], body["token_endpoint_auth_method"]])
    };
    let logo = "https://planner.example.com/logo.png";
    assert_eq!(told(&changed), json!(["Planner 2", null, logo, ["authorization_code"], "client_secret_post"]));
    assert_eq!(changed["redirect_uris"], known["redirect_uris"], "what was not named stays");
    assert_ne!(changed["updated_at"], changed["created_at"]);
    let nothing = admin(&server, "PUT", &format!("/{id}"), Some(json!({}))).await;
    nothing.refused(400, "validation_failed", "No fields provided for update");
    let public = Some(json!({ "token_endpoint_auth_method": "none" }));
    assert_eq!(admin(&server, "PUT", &format!("/{id}"), public).await.body["code"], "validation_failed");

    let renewed = admin(&server, "POST", &format!("/{id}/regenerate_secret"), None).await.ok();
    assert_ne!(renewed["client_secret"], json!(secret));
    assert_eq!(server.ask(&stored).await, "0", "the old one is gone");
    assert!(admin(&server, "GET", &format!("/{id}"), None).await.ok().get("client_secret").is_none());

    assert_eq!(admin(&server, "DELETE", &format!("/{id}"), None).await.status, 204);
    for (method, path) in [("GET", format!("/{id}")), ("DELETE", format!("/{id}")), ("POST", format!("/{id}/regenerate_secret"))] {
        admin(&server, method, &path, None).await.refused(404, "oauth_client_not_found", "OAuth client not found");
    }
}

#[tokio::test]
async fn programs_are_listed_in_pages_and_only_for_the_service_key() {
    let server = server(|_| ()).await;
    for name in ["One", "Two", "Three"] {
        server.wait(1);
        client(&server, json!({ "client_name": name, "client_type": "public", "redirect_uris": ["http://127.0.0.1/cb"] })).await;
    }
    let page = admin(&server, "GET", "?page=&per_page=", None).await;
    assert_eq!(page.headers["x-total-count"], "3");
    assert_eq!(page.headers["link"], "</admin/oauth/clients?page=1&per_page=50>; rel=\"last\"");
    let names = |body: &Value| body["clients"].as_array().unwrap().iter().map(|one| one["client_name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&page.body), ["Three", "Two", "One"]);
    let second = admin(&server, "GET", "?page=2&per_page=2", None).await;
    assert_eq!((names(&second.body), second.body["aud"].as_str()), (vec![json!("One")], Some("authenticated")));
    assert_eq!(admin(&server, "GET", "?page=0", None).await.status, 400);
    let id = page.body["clients"][0]["client_id"].as_str().unwrap();
    let public = admin(&server, "POST", &format!("/{id}/regenerate_secret"), None).await;
    public.refused(400, "validation_failed", "Cannot regenerate secret for public client");

    let person = server.sign_up("ann@example.com").await;
    let anon = server.ring.anon().token.expose().clone();
    for (method, path) in [
        ("GET", "/admin/oauth/clients".to_owned()),
        ("POST", "/admin/oauth/clients".to_owned()),
        ("GET", format!("/admin/oauth/clients/{id}")),
        ("PUT", format!("/admin/oauth/clients/{id}")),
        ("DELETE", format!("/admin/oauth/clients/{id}")),
        ("POST", format!("/admin/oauth/clients/{id}/regenerate_secret")),
    ] {
        for key in [token(&person), &anon] {
            server.call(method, &path, Some(key), Some(json!({}))).await.refused(403, "not_admin", "User not allowed");
        }
        let nobody = server.call(method, &path, None, Some(json!({}))).await;
        nobody.refused(401, "no_authorization", "This endpoint requires a valid Bearer token");
    }
    assert_eq!(server.ask("select count(*) from auth.oauth_clients").await, "3");
}

#[tokio::test]
async fn what_a_program_cannot_be_is_refused_before_it_is_written() {
    let server = server(|config| config.oauth_server.dynamic_registration = true).await;
    let uri = || json!(["https://a.example.com/cb"]);
    for (wish, error) in [
        (json!({}), "invalid_redirect_uri"),
        (json!({ "redirect_uris": [] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": ["http://a.example.com/cb"] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": ["javascript:alert(1)"] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": uri(), "grant_types": ["password"] }), "invalid_client_metadata"),
        (json!({ "redirect_uris": uri(), "response_types": ["token"] }), "invalid_client_metadata"),
        (json!({ "redirect_uris": uri(), "token_endpoint_auth_method": "private_key_jwt" }), "invalid_client_metadata"),
        (json!({ "redirect_uris": uri(), "logo_uri": "javascript:alert(1)" }), "invalid_client_metadata"),
        (json!({ "redirect_uris": uri(), "client_name": "a\u{0}b" }), "invalid_client_metadata"),
    ] {
        let refused = admin(&server, "POST", "", Some(wish.clone())).await;
        assert_eq!((refused.status, &refused.body["code"]), (400, &json!("validation_failed")), "{wish}");
        let refused = server.post("/oauth/register", wish.clone()).await;
        assert_eq!((refused.status, &refused.body["error"]), (400, &json!(error)), "{wish}");
    }
    assert_eq!(server.post("/oauth/register", json!("x")).await.body["code"], "bad_json");
    assert_eq!(admin(&server, "GET", "/x", None).await.body["code"], "validation_failed");
    assert_eq!(server.ask("select count(*) from auth.oauth_clients").await, "0");
}

#[tokio::test]
async fn a_program_registers_itself_where_it_may_and_not_too_often() {
    let wish = || json!({ "client_name": "Helper", "redirect_uris": ["http://localhost:3334/cb"], "token_endpoint_auth_method": "none" });
    let closed = server(|_| ()).await;
    let message = "Dynamic client registration is not enabled";
    closed.post("/oauth/register", wish()).await.refused(403, "oauth_dynamic_client_registration_disabled", message);

    let server = server(|config| {
        config.oauth_server.dynamic_registration = true;
        config.oauth_server.registrations_hour_max = 2;
        config.oauth_server.dynamic_clients_max = 3;
    })
    .await;
    let from = async |address: &str, wish: Value| {
        let mut request = Request::post("/oauth/register").header("content-type", "application/json").body(Body::from(wish.to_string()));
        let extensions = request.as_mut().unwrap().extensions_mut();
        extensions.insert(kernel::ClientAddress(address.parse().unwrap()));
        server.send(request.unwrap()).await
    };
    let made = from("203.0.113.1", wish()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let told = ["client_type", "registration_type", "token_endpoint_auth_method", "client_secret", "client_secret_expires_at"];
    assert_eq!(json!(told.map(|name| made.body[name].clone())), json!(["public", "dynamic", "none", null, null]));
    assert_eq!(made.body["client_id_issued_at"], crate::server::START);
    let kept = from("203.0.113.1", json!({ "redirect_uris": ["https://a.example.com/cb"] })).await;
    assert_eq!((kept.status, &kept.body["client_secret_expires_at"]), (201, &json!(0)));
    assert_eq!(kept.body["client_secret"].as_str().unwrap().len(), 43);

    let limited = |answer: &Answer| {
        assert_eq!((answer.status, &answer.body["error_code"]), (429, &json!("over_request_rate_limit")), "{}", answer.text);
        assert_eq!(answer.headers["retry-after"], "3600");
    };
    limited(&from("203.0.113.1", wish()).await);
    assert_eq!(from("203.0.113.2", wish()).await.status, 201, "another address");
    limited(&from("203.0.113.3", wish()).await);
    // What nobody agreed to in a month makes room; what somebody uses stays.
    server.sql("update auth.oauth_clients set used_at = created_at where registered_from = '203.0.113.2'").await;
    server.wait(30 * 24 * 3600 + 1);
    assert_eq!(from("203.0.113.1", wish()).await.status, 201);
    assert_eq!(server.ask("select count(*) from auth.oauth_clients").await, "2");
}

#[tokio::test]
async fn where_there_is_no_such_server_everything_says_so() {
    let server = Server::new().await;
    let service = server.ring.service().token.expose().clone();
    let person = server.sign_up("ann@example.com").await;
    for (method, path, key) in [
        ("POST", "/oauth/register", None),
        ("GET", "/admin/oauth/clients", Some(service.as_str())),
        ("POST", "/admin/oauth/clients", Some(&service)),
        ("GET", "/admin/oauth/clients/x", Some(&service)),
        ("PUT", "/admin/oauth/clients/x", Some(&service)),
        ("DELETE", "/admin/oauth/clients/x", Some(&service)),
        ("POST", "/admin/oauth/clients/x/regenerate_secret", Some(&service)),
    ] {
        server.call(method, path, key, Some(json!({}))).await.refused(404, "feature_disabled", "OAuth server is disabled");
    }
    assert_eq!(server.call("GET", "/admin/oauth/clients", Some(token(&person)), None).await.body["code"], "not_admin");
}
