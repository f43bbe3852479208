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

#[tokio::test]
async fn nobody_rises_by_a_directory() {
    let server = Server::new().await;
    let acme = Directory::of(&server, "acme").await;
    let (company, owner) = (&acme.company, token(&acme.owner));
    let map = |group: &str, role: &str| {
        format!("insert into public.scim_mappings (company_id, group_name, role) values ('{company}', '{group}', '{role}')")
    };
    let role = async |user: &str| server.ask(&format!("select role from public.team_members where user_id = '{user}'")).await;
    let member = async |name: &str, role: &str, more: &str| {
        let session = server.sign_up(&format!("{name}@acme.example")).await;
        let user = session["user"]["id"].as_str().unwrap().to_owned();
        let made = format!(
            "insert into public.team_members (company_id, user_id, role, permissions) values ('{company}', '{user}', '{role}', '{more}')"
        );
        server.sql(&made).await;
        (server.refresh(&session).await.ok(), user)
    };
    let make = async |session: &str| server.call("POST", "/scim/tokens", Some(session), Some(json!({ "name": "Mine" }))).await;

    // Who may let directories in and not give roles, or not all roles, lets none in: also when nothing is mapped yet.
    let (mole, _) = member("mole", "manager", r#"{"directory:create": true, "directory:read": true}"#).await;
    make(token(&mole)).await.refused(403, "permission_denied", "You need the permissions directory:create and members:change_role.");
    let (vole, _) = member("vole", "manager", r#"{"directory:create": true, "members:change_role": true}"#).await;
    let refused = make(token(&vole)).await;
    assert_eq!((refused.status, &refused.body["code"]), (403, &json!("permission_escalation")), "{}", refused.text);
    // Nor by the data API, with a digest of one's own, beyond the number of tokens.
    let user = acme.owner["user"]["id"].as_str().unwrap();
    let insert = format!(
        "begin; select set_config('app.company_id', '{company}', true), set_config('app.user_id', '{user}', true),
                       set_config('app.permissions', ',directory:create,', true), set_config('role', 'authenticated', true);
         insert into public.scim_tokens (company_id, name, token_hash, token_prefix, expires_at)
         values ('{company}', 'x', repeat('a', 64), 'scim_', now() + interval '1 day')"
    );
    let refused = server.db.superuser().await.batch_execute(&insert).await.unwrap_err();
    assert_eq!(refused.as_db_error().unwrap().code().code(), "42501");

    // An admin lets one in: what others are its groups say, what he is himself they do not, also when he is no admin any more.
    let (bea, bea_id) = member("bea", "admin", "{}").await;
    let (_, dan_id) = member("dan", "viewer", "{}").await;
    let mine = make(token(&bea)).await;
    assert_eq!(mine.status, 201, "{}", mine.text);
    server.sql(&map("Office", "csr")).await;
    server.sql(&map("Bosses", "admin")).await;
    let id = async |name: &str| {
        let query = format!("/Users?filter=userName%20eq%20%22{name}@acme.example%22");
        acme.get(&query).await.ok()["Resources"][0]["id"].as_str().unwrap().to_owned()
    };
    let (bea_here, dan_here) = (id("bea").await, id("dan").await);
    acme.group("Office", &[&bea_here, &dan_here]).await;
    assert_eq!((role(&bea_id).await, role(&dan_id).await), ("admin".to_owned(), "csr".to_owned()));
    server.sql(&format!("update public.team_members set role = 'viewer' where user_id = '{bea_id}'")).await;
    acme.group("Bosses", &[&bea_here]).await;
    assert_eq!(role(&bea_id).await, "viewer");
    // Once it is taken back she is one of the others.
    let path = format!("/scim/tokens/{}", mine.body["id"].as_str().unwrap());
    assert_eq!(server.call("DELETE", &path, Some(owner), None).await.status, 204);
    acme.group("Late", &[&bea_here]).await;
    assert_eq!(role(&bea_id).await, "admin");
}
