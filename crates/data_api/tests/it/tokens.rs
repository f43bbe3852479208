//! Who is believed: tokens that are over, foreign or changed, sessions that ended, keys in either header.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use serde_json::{Value, json};

use crate::server::{Caller, Server};

fn with(token: &str) -> Caller {
    Caller { token: Some(token.to_owned()), ..Caller::default() }
}

/// Changes a claim and keeps the signature.
fn forged(token: &str, claim: &str, value: Value) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    claims[claim] = value;
    format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims.to_string()), parts[2])
}

#[tokio::test]
async fn a_token_that_is_over_says_so() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    server.wait(3600 + 31);
    let over = server.get(&ann, "customers").await;
    over.refused(401, "PGRST303");
    assert_eq!(over.body, json!({ "code": "PGRST303", "details": null, "hint": null, "message": "JWT expired" }));
    assert_eq!(over.header("www-authenticate"), r#"Bearer error="invalid_token", error_description="JWT expired""#);
}

#[tokio::test]
async fn tokens_of_another_installation_and_changed_ones_are_refused() {
    let (server, other) = (Server::new().await, Server::new().await);
    let (ann, eve) = (server.owner("ann").await, other.owner("eve").await);
    let good = ann.token.clone().unwrap();
    for token in [
        eve.token.clone().unwrap(),
        other.ring.service().token.expose().to_owned(),
        other.ring.anon().token.expose().to_owned(),
        forged(&good, "role", json!("service_role")),
        forged(&good, "sub", json!(eve.user_id)),
        forged(server.ring.anon().token.expose(), "role", json!("service_role")),
    ] {
        for path in ["customers", "rpc/my_companies"] {
            let answer = server.get(&with(&token), path).await;
            answer.refused(401, "PGRST301");
            assert!(answer.header("www-authenticate").starts_with(r#"Bearer error="invalid_token""#));
        }
    }
    assert_eq!(server.get(&ann, "customers").await.ok(), json!([]));
}

#[tokio::test]
async fn a_session_that_ended_is_over_at_once() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    assert_eq!(server.get(&ann, "customers").await.status, 200);
    assert_eq!(server.auth(&ann, "logout", json!({})).await.status, 204);
    let over = server.get(&ann, "customers").await;
    over.refused(401, "session_not_found");
    assert_eq!(over.header("www-authenticate"), "Bearer");
    server.post(&ann, "customers", json!({ "phone": "+15550100", "first_name": "X" }), "").await.refused(401, "session_not_found");
}

#[tokio::test]
async fn a_banned_person_is_out_at_once() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let ban = format!("update auth.users set banned_until = now() + interval '1 hour' where id = '{}'", ann.user_id);
    server.db.superuser().await.batch_execute(&ban).await.unwrap();
    server.get(&ann, "customers").await.refused(401, "session_not_found");
}

#[tokio::test]
async fn a_key_may_come_in_either_header_and_the_token_counts_first() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    server.customer(&ann, "Ada").await;
    let (public, service) = (server.ring.anon(), server.ring.service());
    let bearer = format!("Bearer {}", ann.token.clone().unwrap());
    for (apikey, authorization, status, rows) in [
        (public.token.expose().as_str(), Some(bearer.as_str()), 200, 1),
        (service.token.expose(), Some(bearer.as_str()), 200, 1),
        (service.token.expose(), None, 200, 1),
        (service.opaque.expose(), None, 200, 1),
        (public.token.expose(), None, 401, 0),
        (public.opaque.expose(), None, 401, 0),
        (service.token.expose(), Some("Basic dXNlcjpwYXNz"), 401, 0),
        ("sb_secret_nonsense", None, 401, 0),
    ] {
        let mut request = Request::builder().uri("/rest/v1/customers?select=id").header("apikey", apikey);
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let answer = server.send(request.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!((answer.status, answer.body.as_array().map_or(0, Vec::len)), (status, rows), "{authorization:?}: {}", answer.text);
    }
}

#[tokio::test]
async fn the_company_in_a_token_counts_for_nothing() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    server.customer(&bob, "Bea").await;
    // The session that founded the company had none when its token was signed; the row counts, not the token.
    let token = ann.token.clone().unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap();
    assert_eq!((claims.get("company_id"), claims.get("member_role")), (None, None));
    server.customer(&ann, "Ada").await;
    assert_eq!(server.get(&ann, "customers?select=first_name").await.ok(), json!([{ "first_name": "Ada" }]));
    // A token that names a company of before is good only as long as the membership is.
    let member = server.member(&bob.company_id, "csr").await;
    let session = server.auth(&member, "company", json!({ "company_id": bob.company_id })).await.ok();
    let there = with(session["access_token"].as_str().unwrap());
    assert_eq!(server.get(&there, "customers?select=first_name").await.ok(), json!([{ "first_name": "Bea" }]));
    let suspended = json!({ "status": "suspended" });
    let one = format!("team_members?user_id=eq.{}", member.user_id);
    assert_eq!(server.patch(&bob, &one, suspended, "").await.status, 204);
    server.get(&there, "customers").await.refused(403, "company_not_member");
}
