//! Shapes that clients rely on: both forms of errors, the documents everybody may read, and what is off.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::server::{Server, token};

#[tokio::test]
async fn errors_have_the_shape_that_the_client_asks_for() {
    let server = Server::new().await;
    let request = |version: Option<&str>| {
        let request = Request::builder().method("POST").uri("/token?grant_type=password");
        let request = if let Some(version) = version { request.header("x-supabase-api-version", version) } else { request };
        request.body(Body::from(json!({ "email": "ann@example.com", "password": "wrong" }).to_string())).unwrap()
    };
    let new = server.send(request(Some("2024-01-01"))).await;
    assert_eq!(new.status, 400);
    assert_eq!(new.body, json!({ "code": "invalid_credentials", "message": "Invalid login credentials" }));
    assert_eq!(new.headers["x-supabase-api-version"], "2024-01-01");
    assert_eq!(new.headers["x-sb-error-code"], "invalid_credentials");
    let old = server.send(request(None)).await;
    assert_eq!(old.status, 400);
    assert_eq!(old.body, json!({ "code": 400, "error_code": "invalid_credentials", "msg": "Invalid login credentials" }));
    assert!(!old.headers.contains_key("x-supabase-api-version"));
    assert_eq!(old.headers["x-sb-error-code"], "invalid_credentials");
    assert_eq!(old.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn bad_tokens_are_told_as_clients_know_it() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    let user = |token: String| async move { token };
    let refused = server.call("GET", "/user", Some(&user("nonsense".to_owned()).await), None).await;
    refused.refused(403, "bad_jwt", "invalid JWT: unable to parse or verify signature, Expected 3 parts in JWT; got 1");
    let anon = server.call("GET", "/user", Some(server.ring.anon().token.expose()), None).await;
    anon.refused(403, "bad_jwt", "invalid claim: missing sub claim");
    let service = server.call("GET", "/user", Some(server.ring.service().opaque.expose()), None).await;
    service.refused(403, "bad_jwt", "invalid claim: missing sub claim");
    let nobody = server.call("GET", "/user", None, None).await;
    nobody.refused(401, "no_authorization", "This endpoint requires a valid Bearer token");
    server.wait(3630);
    let expired = server.call("GET", "/user", Some(token(&session)), None).await;
    expired.refused(403, "bad_jwt", "invalid JWT: unable to parse or verify signature, JWT expired");
}

#[tokio::test]
async fn bodies_are_bounded_and_must_be_json() {
    let server = Server::new().await;
    let send = async |body: Vec<u8>| {
        let request = Request::builder().method("POST").uri("/signup").header("x-supabase-api-version", "2024-01-01");
        server.send(request.body(Body::from(body)).unwrap()).await
    };
    for body in ["", "{", "[1]", "{\"email\":\"a\",\"email\":\"b\"}", "\u{feff}{}"] {
        let answer = send(body.as_bytes().to_vec()).await;
        assert_eq!((answer.status, &answer.body["code"]), (400, &json!("bad_json")), "{body}");
    }
    assert_eq!(send(vec![0xff, 0xfe]).await.body["code"], "bad_json");
    assert_eq!(send("[".repeat(60_000).into_bytes()).await.body["code"], "bad_json");
    let large = send(vec![b' '; 70_000]).await;
    large.refused(413, "request_entity_too_large", "The request body is too large");
}

#[tokio::test]
async fn input_is_never_repeated_in_errors() {
    let server = Server::new().await;
    let answer = server.post("/signup", json!({ "email": "ann@example.com", "password": ["hunter2-hunter2"] })).await;
    assert_eq!(answer.body["code"], "bad_json");
    assert!(!answer.text.contains("hunter2"), "{}", answer.text);
}

#[tokio::test]
async fn settings_keys_and_health_are_open_to_all() {
    let server = Server::new().await;
    let settings = server.call("GET", "/settings", None, None).await.ok();
    let on: Vec<_> = settings["external"].as_object().unwrap().iter().filter(|(_, on)| **on == Value::Bool(true)).collect();
    assert_eq!(on, [(&"email".to_owned(), &Value::Bool(true)), (&"phone".to_owned(), &Value::Bool(true))]);
    assert_eq!((&settings["disable_signup"], &settings["mailer_autoconfirm"]), (&json!(false), &json!(true)));
    let jwks = server.call("GET", "/.well-known/jwks.json", None, None).await;
    assert_eq!(jwks.headers["cache-control"], "public, max-age=600");
    let key = &jwks.body["keys"][0];
    assert_eq!((&key["kty"], &key["crv"], &key["alg"], &key["use"]), (&json!("EC"), &json!("P-256"), &json!("ES256"), &json!("sig")));
    assert!(key.get("d").is_none());
    assert_eq!(server.call("GET", "/health", None, None).await.ok()["name"], "Thorbis Auth");
}

#[tokio::test]
async fn a_client_verifies_our_tokens_with_the_published_keys() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    let jwks = server.call("GET", "/.well-known/jwks.json", None, None).await.ok();
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_value(jwks).unwrap();
    let header = jsonwebtoken::decode_header(token(&session)).unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(set.find(&header.kid.unwrap()).unwrap()).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    validation.set_audience(&["authenticated"]);
    validation.validate_exp = false;
    let decoded = jsonwebtoken::decode::<Value>(token(&session), &key, &validation).unwrap();
    assert_eq!(decoded.claims["sub"], session["user"]["id"]);
}

#[tokio::test]
async fn what_is_not_there_yet_says_so_and_never_as_a_server_error() {
    let server = Server::new().await;
    for (method, path, status, code) in [
        ("GET", "/authorize?provider=github", 400, "validation_failed"),
        ("POST", "/sso", 404, "saml_provider_disabled"),
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/signup", 405, "method_not_allowed"),
        ("DELETE", "/token", 405, "method_not_allowed"),
    ] {
        let answer = server.call(method, path, None, Some(json!({}))).await;
        assert_eq!((answer.status, &answer.body["code"]), (status, &json!(code)), "{method} {path}");
    }
}
