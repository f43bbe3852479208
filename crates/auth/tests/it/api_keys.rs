//! How often an API key works in a minute, on all servers together.

use auth::{Auth, Refusal};
use http::Request;
use serde_json::json;
use tokio::task::JoinSet;

use crate::server::{Server, token};

async fn ask(auth: &Auth, key: &str) -> Result<(), (u16, String, Option<u32>)> {
    let parts = Request::builder().header("apikey", key).body(()).unwrap().into_parts().0;
    let refused = auth.authenticate(&parts).await.map(drop).map_err(Refusal::for_data_api);
    refused.map_err(|error| (error.status().as_u16(), error.code().to_owned(), error.retry_after_seconds()))
}

#[tokio::test]
async fn two_servers_let_no_more_through_than_the_minute_has() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    let company = server.company("acme", &session).await;
    let session = server.refresh(&session).await.ok();
    let wish = json!({ "name": "Till", "permissions": ["jobs:read"], "requests_per_minute": 20 });
    let made = server.call("POST", "/api-keys", Some(token(&session)), Some(wish)).await;
    assert_eq!((made.status, &made.body["company_id"]), (201, &json!(company)), "{}", made.text);
    let (key, other) = (made.body["key"].as_str().unwrap(), server.another());
    server.wait(10);
    let limited = (429, "api_key_rate_limited".to_owned(), Some(50));
    for minute in 0..2 {
        let mut passed = 0;
        for number in 0..40 {
            match ask(if number % 2 == 0 { &server.auth } else { &other }, key).await {
                Ok(()) => passed += 1,
                Err(refused) => assert_eq!(refused, limited),
            }
        }
        assert_eq!(passed, 20, "in minute {minute}");
        server.wait(60);
    }
    // Those that come at once get all of it, too: the one that finds nothing ends it for nobody.
    let mut at_once = JoinSet::new();
    for _ in 0..40 {
        let (auth, key) = (server.auth.clone(), key.to_owned());
        at_once.spawn(async move { ask(&auth, &key).await.is_ok() });
    }
    let mut passed = at_once.join_all().await.into_iter().filter(|is_ok| *is_ok).count();
    while ask(&server.auth, key).await.is_ok() {
        passed += 1;
    }
    assert_eq!(passed, 20, "of many at once");
    // Every tenth part of the minute is one visit to the row.
    assert_eq!(server.ask("select taken from app.api_key_uses").await, "20");
    assert_eq!(server.ask("select last_used_at is not null from public.api_keys").await, "true");
    server.wait(60);
    server.sql("update public.api_keys set requests_per_minute = null").await;
    for _ in 0..30 {
        ask(&server.auth, key).await.unwrap();
    }
    server.sql("update public.api_keys set revoked_at = now()").await;
    server.wait(60);
    assert_eq!(ask(&server.auth, key).await.unwrap_err().1, "api_key_not_valid");
}
