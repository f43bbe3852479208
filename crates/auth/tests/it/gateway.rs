//! What the server puts before its other routes: from headers to a principal, or the refusal.

use auth::{AuthConfig, Refusal};
use axum::body::Body;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use axum::{Extension, Router};
use http::Request;
use http::request::Parts;
use http_body_util::BodyExt;
use kernel::{Error, Principal, Subject};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::server::{Server, claims, token};

fn parts(headers: &[(&str, &str)]) -> Parts {
    let request = headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
    request.body(()).unwrap().into_parts().0
}

async fn who(server: &Server, headers: &[(&str, &str)]) -> Result<Principal, Error> {
    server.auth.authenticate(&parts(headers)).await.map_err(Refusal::for_data_api)
}

async fn role(server: &Server, headers: &[(&str, &str)]) -> String {
    who(server, headers).await.unwrap().database_role().to_owned()
}

#[tokio::test]
async fn every_form_of_every_key_is_known() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    let (anon, service) = (server.ring.anon(), server.ring.service());
    assert_eq!(role(&server, &[]).await, "anon");
    for key in [&anon.token, &anon.opaque] {
        assert_eq!(role(&server, &[("apikey", key.expose())]).await, "anon");
        assert_eq!(role(&server, &[("authorization", &format!("Bearer {}", key.expose()))]).await, "anon");
    }
    for key in [&service.token, &service.opaque] {
        assert_eq!(role(&server, &[("apikey", key.expose())]).await, "service_role");
        assert_eq!(role(&server, &[("authorization", &format!("bearer {}", key.expose()))]).await, "service_role");
    }
    let bearer = format!("BEARER  {}", token(&session));
    let principal = who(&server, &[("apikey", service.token.expose()), ("authorization", &bearer)]).await.unwrap();
    assert_eq!(principal.database_role(), "authenticated", "Authorization counts before apikey");
    assert_eq!(principal.user_id().unwrap().to_string(), session["user"]["id"].as_str().unwrap());
    assert_eq!(principal.session_id().unwrap().to_string(), claims(&session)["session_id"].as_str().unwrap());
    // Who he is and what he is where, the database states from its rows; before a second factor the token says so.
    let mut left = claims(&session);
    for stated in ["sub", "role"] {
        assert!(left.as_object_mut().unwrap().remove(stated).is_some(), "{left}");
    }
    assert_eq!(serde_json::from_str::<Value>(principal.claims()).unwrap(), left);
}

#[tokio::test]
async fn bad_credentials_are_never_anonymous() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    let good = format!("Bearer {}", token(&session));
    for (headers, code) in [
        (vec![("authorization", "Bearer nonsense")], "PGRST301"),
        (vec![("authorization", "Bearer ")], "PGRST301"),
        (vec![("authorization", "Basic YTpi")], "PGRST301"),
        (vec![("authorization", "")], "PGRST301"),
        (vec![("authorization", good.as_str()), ("authorization", good.as_str())], "PGRST301"),
        (vec![("authorization", "Bearer sb_secret_guess")], "PGRST301"),
        (vec![("apikey", "sb_publishable_guess")], "PGRST301"),
        (vec![("apikey", "nonsense")], "PGRST301"),
        (vec![("apikey", server.ring.service().token.expose()), ("authorization", "Bearer nonsense")], "PGRST301"),
    ] {
        let error = who(&server, &headers).await.unwrap_err();
        assert_eq!((error.status().as_u16(), error.code()), (401, code), "{headers:?}");
    }
    server.wait(3630);
    let error = who(&server, &[("authorization", &good)]).await.unwrap_err();
    assert_eq!((error.code(), error.message()), ("PGRST303", "JWT expired"));
}

#[tokio::test]
async fn a_company_can_be_named_for_one_request() {
    let server = Server::new().await;
    let id = "01900000-0000-7000-8000-000000000001";
    let principal = who(&server, &[("x-company-id", id)]).await.unwrap();
    assert_eq!(principal.requested_company().unwrap().to_string(), id);
    for headers in [vec![("x-company-id", "acme")], vec![("x-company-id", "")], vec![("x-company-id", id), ("x-company-id", id)]] {
        let error = who(&server, &headers).await.unwrap_err();
        assert_eq!((error.status().as_u16(), error.code()), (400, "invalid_company_id"));
    }
}

#[tokio::test]
async fn an_api_key_can_be_required() {
    let server = Server::with(AuthConfig { require_apikey: true, ..AuthConfig::default() }).await;
    let session = server.sign_up("ann@example.com").await;
    let bearer = format!("Bearer {}", token(&session));
    let anon = server.ring.anon().opaque.expose();
    for headers in [vec![], vec![("authorization", bearer.as_str())], vec![("apikey", token(&session))]] {
        let error = who(&server, &headers).await.unwrap_err();
        assert_eq!((error.status().as_u16(), error.code()), (401, "PGRST302"), "{headers:?}");
    }
    assert_eq!(role(&server, &[("apikey", anon)]).await, "anon");
    assert_eq!(role(&server, &[("apikey", anon), ("authorization", &bearer)]).await, "authenticated");
}

#[tokio::test]
async fn the_layer_hands_on_the_principal_or_answers_401() {
    let server = Server::new().await;
    let whoami = async |Extension(principal): Extension<Principal>| match principal.subject() {
        Subject::Anonymous => "anonymous",
        _ => "somebody",
    };
    let app = Router::new().route("/", get(whoami)).layer(from_fn_with_state(server.auth.clone(), auth::layer));
    let ask = async |headers: &[(&str, &str)]| {
        let response = app.clone().oneshot(Request::from_parts(parts(headers), Body::empty())).await.unwrap();
        let (head, body) = response.into_parts();
        (head, String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap())
    };
    assert_eq!(ask(&[]).await.1, "anonymous");
    assert_eq!(ask(&[("apikey", server.ring.service().opaque.expose())]).await.1, "somebody");
    let (head, body) = ask(&[("authorization", "Bearer a.b")]).await;
    assert_eq!(head.status, 401);
    assert_eq!(head.headers["www-authenticate"], r#"Bearer error="invalid_token", error_description="Expected 3 parts in JWT; got 2""#);
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap(),
        json!({ "code": "PGRST301", "details": null, "hint": null, "message": "Expected 3 parts in JWT; got 2" })
    );
}
