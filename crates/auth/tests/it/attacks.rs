//! Attacks that no other test stands for: forged tenancy, planted sessions, enumeration, and a storm of sign-ins.

use std::collections::BTreeMap;

use auth::AuthConfig;
use auth::config::PasswordConfig;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use kernel::{RequestContext, Secret, SignedIn};
use postgres::{Access, Sql};
use serde_json::{Value, json};

use crate::server::{PASSWORD, START, Server, claims, token};

const SHARED: &str = "a shared secret of more than thirty-two bytes";

fn hs256(claims: &Value) -> String {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", encode(r#"{"alg":"HS256","typ":"JWT"}"#), encode(&claims.to_string()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SHARED.as_bytes()), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// What a transaction of whoever holds a token is told of him.
async fn told(server: &Server, token: &str, company: Option<&str>) -> Result<Value, String> {
    let mut request = Request::builder().header("authorization", format!("Bearer {token}"));
    if let Some(company) = company {
        request = request.header("x-company-id", company);
    }
    let parts = request.body(()).unwrap().into_parts().0;
    let principal = server.auth.authenticate(&parts).await.map_err(|refusal| refusal.for_data_api().code().to_owned())?;
    let grant = principal.require::<SignedIn>().map_err(|error| error.code().to_owned())?;
    let begun = server.db.database().begin(&grant, &RequestContext::default(), Access::Read).await;
    let tx = begun.map_err(|error| error.code().to_owned())?;
    let row = tx.query_one(Sql::new("select jsonb_build_object('company', app.company_id(), 'claims', auth.jwt()) as told")).await;
    Ok(row.unwrap().try_get("told").unwrap())
}

#[tokio::test]
async fn another_company_in_a_token_opens_nothing() {
    let config = AuthConfig { jwt_secret: Some(Secret::new(SHARED.to_owned())), ..AuthConfig::default() };
    let server = Server::with(config).await;
    let (ann, eve) = (server.sign_up("ann@example.com").await, server.sign_up("eve@example.com").await);
    let baker = server.company("baker", &ann).await;
    let forged = hs256(&json!({
        "sub": eve["user"]["id"], "role": "authenticated", "exp": START + 600, "company_id": baker, "tenant_id": baker,
        "member_role": "owner", "permissions": ["jobs:read"], "app_metadata": { "company_id": baker },
    }));
    let seen = told(&server, &forged, None).await.unwrap();
    assert_eq!(
        (&seen["company"], &seen["claims"]["company_id"], &seen["claims"]["member_role"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(told(&server, &forged, Some(&baker)).await.unwrap_err(), "company_not_member");
    // A token of ours whose session is over, whose user is banned or who lost his company is good for nothing from the next request on.
    let ann = server.refresh(&ann).await.ok();
    assert_eq!(told(&server, token(&ann), None).await.unwrap()["company"], json!(baker));
    let other = server.sign_in("ann@example.com").await;
    server.call("POST", "/logout?scope=local", Some(token(&ann)), None).await;
    assert_eq!(told(&server, token(&ann), None).await.unwrap_err(), "session_not_found");
    server.sql(&format!("update public.companies set archived_at = now() where id = '{baker}'")).await;
    assert_eq!(told(&server, token(&other), None).await.unwrap_err(), "company_not_member");
    server.sql("update auth.users set banned_until = now() + interval '1 hour' where email = 'ann@example.com'").await;
    assert_eq!(told(&server, token(&other), None).await.unwrap_err(), "session_not_found");
}

#[tokio::test]
async fn no_session_can_be_planted_and_none_travels_in_a_cookie() {
    let server = Server::new().await;
    let first = server.sign_up("ann@example.com").await;
    let second = server.sign_in("ann@example.com").await;
    assert_ne!(claims(&first)["session_id"], claims(&second)["session_id"], "every sign-in has one of its own");
    // One that is brought along is not taken over.
    let request = Request::builder()
        .method("POST")
        .uri("/token?grant_type=password")
        .header("cookie", format!("sb-access-token={0}; session_id={0}", token(&first)))
        .header("authorization", format!("Bearer {}", token(&first)))
        .body(json!({ "email": "ann@example.com", "password": PASSWORD, "session_id": claims(&first)["session_id"] }).to_string().into());
    let third = server.send(request.unwrap()).await;
    assert!(!third.headers.contains_key("set-cookie"));
    let third = third.ok();
    assert!(claims(&third)["session_id"] != claims(&first)["session_id"] && third["refresh_token"] != first["refresh_token"]);
    // And a cookie is nobody's proof.
    let by_cookie = Request::builder().uri("/user").header("cookie", format!("sb-access-token={}", token(&first)));
    assert_eq!(server.send(by_cookie.body(axum::body::Body::empty()).unwrap()).await.status, 401);
}

#[tokio::test]
async fn who_asks_for_a_link_learns_nothing_of_who_has_an_account() {
    let server = Server::with(AuthConfig { signup_enabled: false, ..AuthConfig::default() }).await;
    let admin = server.ring.service().token.expose();
    let body = json!({ "email": "ann@example.com", "password": PASSWORD, "email_confirm": true });
    server.call("POST", "/admin/users", Some(admin), Some(body)).await.ok();
    let resend = |email: &str| json!({ "email": email, "type": "signup" });
    for (path, known, unknown) in [
        ("/recover", json!({ "email": "ann@example.com" }), json!({ "email": "nobody@example.com" })),
        ("/resend", resend("ann@example.com"), resend("nobody@example.com")),
        (
            "/verify",
            json!({ "email": "ann@example.com", "token": "000000", "type": "email" }),
            json!({ "email": "nobody@example.com", "token": "000000", "type": "email" }),
        ),
    ] {
        for _ in 0..2 {
            // Also the second time, when the pause between two mails tells of the first.
            let (known, unknown) = (server.post(path, known.clone()).await, server.post(path, unknown.clone()).await);
            assert_eq!((known.status, &known.text, &known.headers), (unknown.status, &unknown.text, &unknown.headers), "{path}");
        }
    }
}

#[tokio::test]
async fn a_password_is_as_long_and_as_odd_as_one_likes() {
    let server =
        Server::with(AuthConfig { password: PasswordConfig { length_min: 12, ..PasswordConfig::default() }, ..AuthConfig::default() })
            .await;
    let long = "never only the beginning of it ".repeat(8);
    for (email, password) in [("a@example.com", "lowercase words"), ("b@example.com", "密码密码密码密码密码密码"), ("c@example.com", &long)]
    {
        server.post("/signup", json!({ "email": email, "password": password })).await.ok();
        let sign_in = |password: &str| server.post("/token?grant_type=password", json!({ "email": email, "password": password }));
        sign_in(password).await.ok();
        let mut shorter = password.to_owned();
        shorter.pop();
        assert_eq!(sign_in(&shorter).await.status, 400, "the last character counts");
    }
    let short = server.post("/signup", json!({ "email": "d@example.com", "password": "eleven char" })).await;
    assert_eq!((short.status, &short.body["code"]), (422, &json!("weak_password")));
}

#[tokio::test]
async fn in_a_storm_of_sign_ins_some_are_told_to_come_back_and_others_work_on() {
    let password = PasswordConfig { workers: 1, queue_max: 4, ..PasswordConfig::default() };
    let server = std::sync::Arc::new(Server::with(AuthConfig { password, ..AuthConfig::default() }).await);
    let session = server.sign_up("ann@example.com").await;
    let mut storm = tokio::task::JoinSet::new();
    for _ in 0..60 {
        let server = std::sync::Arc::clone(&server);
        storm.spawn(
            async move { server.post("/token?grant_type=password", json!({ "email": "ann@example.com", "password": PASSWORD })).await },
        );
    }
    // Who does not sign in is served meanwhile.
    server.user(&session).await.ok();
    let mut seen: BTreeMap<u16, usize> = BTreeMap::new();
    while let Some(answer) = storm.join_next().await {
        let answer = answer.unwrap();
        *seen.entry(answer.status).or_default() += 1;
        if answer.status == 429 {
            assert_eq!(answer.body["code"], "over_request_rate_limit");
            // No two at the same moment, and all of them within what the setting says.
            let seconds: u32 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((1..=60).contains(&seconds), "{seconds}");
        }
    }
    assert!(seen.keys().all(|status| matches!(status, 200 | 429)), "{seen:?}");
    assert!(seen[&200] >= 5 && seen.get(&429).is_some_and(|refused| *refused > 0), "{seen:?}");
    server.sign_in("ann@example.com").await;
}
