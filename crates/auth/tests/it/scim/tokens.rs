//! `/scim/tokens`: who lets a directory in.

use auth::AuthConfig;
use serde_json::json;

use super::Directory;
use crate::server::{Server, token};

#[tokio::test]
async fn a_member_with_the_permission_makes_and_takes_back_tokens() {
    let mut config = AuthConfig::default();
    config.scim.tokens_max = 2;
    let server = Server::with(config).await;
    let acme = Directory::of(&server, "acme").await;
    let owner = token(&acme.owner);
    let made = server.call("POST", "/scim/tokens", Some(owner), Some(json!({ "name": " Second ", "days": 1 }))).await;
    assert_eq!(
        (made.status, made.body["name"].as_str(), made.body["url"].as_str()),
        (201, Some("Second"), Some("http://localhost:54321/scim/v2"))
    );
    let secret = made.body["token"].as_str().unwrap();
    assert_eq!(server.ask(&format!("select count(*) from public.scim_tokens t where t::text like '%{secret}%'")).await, "0");
    let listed = server.call("GET", "/scim/tokens", Some(owner), None).await.ok();
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|token| token["name"].as_str().unwrap()).collect();
    assert_eq!((names.len(), listed[0].get("token_hash")), (2, None));
    assert_eq!(listed[0]["token_prefix"].as_str().unwrap(), &secret[..10]);
    server.call("POST", "/scim/tokens", Some(owner), Some(json!({ "name": "Third" }))).await.refused(
        422,
        "scim_tokens_exhausted",
        "The company has as many tokens as it can have; take one back first",
    );

    // Another company, a member without the permission, nobody.
    let id = made.body["id"].as_str().unwrap();
    let path = format!("/scim/tokens/{id}");
    let bolt = Directory::of(&server, "bolt").await;
    let foreign = server.call("DELETE", &path, Some(token(&bolt.owner)), None).await;
    assert_eq!((foreign.status, foreign.body["code"].as_str()), (404, Some("scim_token_not_found")));
    let manager = server.sign_up("manager@acme.example").await;
    let user = manager["user"]["id"].as_str().unwrap();
    server
        .sql(&format!("insert into public.team_members (company_id, user_id, role) values ('{}', '{user}', 'manager')", acme.company))
        .await;
    let manager = server.refresh(&manager).await.ok();
    for (method, path) in [("GET", "/scim/tokens"), ("POST", "/scim/tokens"), ("DELETE", path.as_str())] {
        let body = (method == "POST").then(|| json!({ "name": "x" }));
        assert_eq!(server.call(method, path, Some(token(&manager)), body.clone()).await.body["code"], "permission_denied", "{method}");
        assert_eq!(server.call(method, path, None, body).await.body["code"], "no_authorization", "{method}");
    }
    for body in [json!({ "name": "" }), json!({ "name": "x", "days": 0 }), json!({ "name": "x", "days": 100_000 })] {
        assert_eq!(server.call("POST", "/scim/tokens", Some(owner), Some(body)).await.body["code"], "validation_failed");
    }
    assert_eq!(server.call("DELETE", "/scim/tokens/x", Some(owner), None).await.status, 404);

    // Taken back it is good for nothing, at the very next request; the other one stays.
    let credential = format!("Bearer {secret}");
    let headers = [("authorization", credential.as_str())];
    let asks = || acme.send("GET", "/Users", (&headers, None));
    assert_eq!(asks().await.status, 200);
    assert_eq!(server.call("DELETE", &path, Some(owner), None).await.status, 204);
    asks().await.refused(401, None);
    assert_eq!(acme.get("/Users").await.status, 200);
    assert_eq!(server.call("DELETE", &path, Some(owner), None).await.status, 404);
    // As the data API takes it back.
    server.sql(&format!("update public.scim_tokens set revoked_at = now() where company_id = '{}'", acme.company)).await;
    acme.get("/Users").await.refused(401, None);
}
