//! API keys of a company: made once, worth what they list and their maker holds, and gone at the next request.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::server::{Answer, Caller, Said, Server};

/// Makes a key and returns what is said of it.
async fn made(server: &Server, who: &Caller, permissions: Value) -> Value {
    let answer = server.auth(who, "api-keys", json!({ "name": "Till", "permissions": permissions })).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.body
}

/// Whoever has a key.
fn with(key: &Value) -> Caller {
    Caller { token: Some(key["key"].as_str().unwrap().to_owned()), ..Caller::default() }
}

async fn names(server: &Server, who: &Caller) -> Vec<String> {
    let rows = server.get(who, "customers?select=first_name&order=first_name").await.ok();
    rows.as_array().unwrap().iter().map(|row| row["first_name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_key_does_what_it_lists_in_its_company_and_nothing_else() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    server.customer(&ann, "Ada").await;
    server.customer(&bob, "Ben").await;
    let key = made(&server, &ann, json!(["customers:read", "properties:create"])).await;
    assert!(key["key"].as_str().unwrap().starts_with(key["key_prefix"].as_str().unwrap()), "{key}");
    assert_eq!((key.get("key_hash"), &key["created_by"]), (None, &json!(ann.user_id)));
    let program = with(&key);
    assert_eq!(names(&server, &program).await, ["Ada"]);
    let request = Request::builder().uri("/rest/v1/customers?select=first_name").header("apikey", key["key"].as_str().unwrap());
    assert_eq!(server.send(request.body(Body::empty()).unwrap()).await.ok(), json!([{ "first_name": "Ada" }]));
    let new = json!({ "phone": "+15550100", "first_name": "Eve", "last_name": "X" });
    server.post(&program, "customers", new, "").await.refused(403, "42501");
    assert_eq!(
        server.patch(&program, "customers?first_name=eq.Ada", json!({ "first_name": "Eve" }), "return=representation").await.ok(),
        json!([])
    );
    for nothing in ["team_members", "jobs", "api_keys", "audit_logs"] {
        assert_eq!(server.get(&program, nothing).await.ok(), json!([]), "{nothing}");
    }
    // It is nobody, and of no other company.
    assert_eq!(server.post(&program, "rpc/my_companies", json!({}), "").await.ok(), json!([]));
    let company = json!({ "name": "Its own", "industry": "hvac" });
    server.post(&program, "rpc/create_company_with_owner", company, "").await.refused(401, "not_signed_in");
    server.get(&program.working_in(&bob.company_id), "customers").await.refused(403, "company_not_member");
    assert_eq!(server.auth(&program, "logout", json!({})).await.status, 403);
    server
        .auth(&program, "api-keys", json!({ "name": "More", "permissions": ["customers:read"] }))
        .await
        .refused_by_auth(403, "permission_denied");
    // What it changes is written down as done by it.
    let row = server.get(&program, "customers?select=id").await.ok();
    let home =
        json!({ "customer_id": row[0]["id"], "name": "Home", "address": "1 Main St", "city": "Town", "state": "TX", "zip_code": "75001" });
    let said = Said { header: Some(("idempotency-key", "one")), ..Said::default() };
    assert_eq!(server.call(&program, ("POST", "properties"), Some(home.to_string()), said).await.status, 201);
    // Another key is another caller, whatever it calls its request.
    let other = with(&made(&server, &ann, json!(["customers:read"])).await);
    server.call(&other, ("POST", "properties"), Some(home.to_string()), said).await.refused(403, "42501");
    let said = server.get(&ann, "audit_logs?select=user_id,actor_role,session_id&table_name=eq.properties").await.ok();
    assert_eq!(said, json!([{ "user_id": null, "actor_role": "api_key", "session_id": key["id"] }]));
    let used =
        server.get(&ann, &format!("api_keys?select=version&last_used_at=not.is.null&id=eq.{}", key["id"].as_str().unwrap())).await.ok();
    assert_eq!(used, json!([{ "version": 1 }]), "its use is no edit");
    let actions = server.get(&ann, "audit_logs?select=action&table_name=eq.api_keys").await.ok();
    assert_eq!(actions, json!([{ "action": "create" }, { "action": "create" }]));
}

#[tokio::test]
async fn a_key_is_worth_what_its_maker_holds_now() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let adam = server.member(&ann.company_id, "admin").await;
    server.customer(&ann, "Ada").await;
    let key = made(&server, &adam, json!(["customers:read", "customers:update", "team_setup:read"])).await;
    let program = with(&key);
    let rename = async |name: &str| {
        let answer = server.patch(&program, "customers?select=first_name", json!({ "first_name": name }), "return=representation").await;
        answer.ok().as_array().unwrap().len()
    };
    assert_eq!(rename("Eva").await, 1);
    let role =
        async |role: &str| server.post(&ann, "rpc/change_member_role", json!({ "user_id": adam.user_id, "role": role }), "").await.ok();
    role("viewer").await;
    assert_eq!((names(&server, &program).await, rename("Eve").await), (vec!["Eva".to_owned()], 0));
    role("admin").await;
    assert_eq!(rename("Eve").await, 1);
    let adams = format!("team_members?user_id=eq.{}", adam.user_id);
    assert_eq!(server.patch(&ann, &adams, json!({ "status": "suspended" }), "").await.status, 204);
    server.get(&program, "customers").await.refused(403, "api_key_maker_gone");
    // Whoever holds as much takes it over.
    let path = format!("api-keys/{}/rotate", key["id"].as_str().unwrap());
    let next = server.auth(&ann, &path, json!({ "overlap_seconds": 0 })).await;
    assert_eq!((next.status, &next.body["permissions"], &next.body["name"]), (201, &key["permissions"], &json!("Till")), "{}", next.text);
    assert_eq!(names(&server, &with(&next.body)).await, ["Eve"]);
    server.get(&program, "customers").await.refused(401, "api_key_not_valid");
    server.auth(&ann, &path, json!({})).await.refused_by_auth(422, "api_key_revoked");
    let old = format!("api_keys?id=eq.{}", key["id"].as_str().unwrap());
    server.patch(&ann, &old, json!({ "expires_at": null }), "").await.refused(422, "api_key_revoked");
    server.patch(&ann, &old, json!({ "revoked_at": null }), "").await.refused(422, "api_key_revoked");
    let by = server.get(&ann, &format!("{old}&select=revoked_by")).await.ok();
    assert_eq!(by, json!([{ "revoked_by": ann.user_id }]));
}

#[tokio::test]
async fn a_key_that_was_taken_back_is_refused_at_once() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    server.customer(&ann, "Ada").await;
    let key = made(&server, &ann, json!(["customers:read"])).await;
    let (program, row) = (with(&key), format!("api_keys?id=eq.{}", key["id"].as_str().unwrap()));
    // A rotation leaves the old one for a day; both work.
    let path = format!("api-keys/{}/rotate", key["id"].as_str().unwrap());
    server.auth(&bob, &path, json!({})).await.refused_by_auth(404, "api_key_not_found");
    let next = server.auth(&ann, &path, json!({})).await;
    assert_eq!((names(&server, &program).await, names(&server, &with(&next.body)).await), (vec!["Ada".to_owned()], vec!["Ada".to_owned()]));
    // Another company does not see it; its own renames it, limits it and takes it back.
    assert_eq!(server.patch(&bob, &row, json!({ "name": "Mine" }), "return=representation").await.ok(), json!([]));
    assert_eq!(server.patch(&ann, &row, json!({ "name": "Door", "requests_per_minute": 50 }), "").await.status, 204);
    assert_eq!(server.patch(&ann, &row, json!({ "revoked_at": "2026-11-21T00:00:00Z" }), "").await.status, 204);
    for _ in 0..2 {
        let refused = server.get(&program, "customers").await;
        refused.refused(401, "api_key_not_valid");
        assert!(!refused.text.contains("Door"));
    }
    let over = format!("update public.api_keys set expires_at = now() where id = '{}'", next.body["id"].as_str().unwrap());
    server.db.superuser().await.batch_execute(&over).await.unwrap();
    server.get(&with(&next.body), "customers").await.refused(401, "api_key_not_valid");
    // What is over stays so, whoever has it last longer.
    let ended = format!("api_keys?id=eq.{}", next.body["id"].as_str().unwrap());
    for later in [json!(null), json!("2099-01-01T00:00:00Z")] {
        server.patch(&ann, &ended, json!({ "expires_at": later }), "").await.refused(422, "api_key_revoked");
    }
    assert_eq!(server.patch(&ann, &ended, json!({ "name": "Old" }), "").await.status, 204);
    // One that nobody made is told apart from nothing.
    let text = key["key"].as_str().unwrap();
    let forged = format!("{}{}", &text[..text.len() - 4], if text.ends_with("AAAA") { "AAAE" } else { "AAAA" });
    let forged = Caller { token: Some(forged), ..Caller::default() };
    server.get(&forged, "customers").await.refused(401, "api_key_not_valid");
    server.get(&Caller { token: Some("thk_guess".to_owned()), ..Caller::default() }, "customers").await.refused(401, "PGRST301");
}

#[tokio::test]
async fn a_key_works_from_where_it_may() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    server.customer(&ann, "Ada").await;
    let wish = json!({ "name": "Till", "permissions": ["customers:read"], "allowed_addresses": ["203.0.113.9/24", "2001:db8::/32"] });
    let key = server.auth(&ann, "api-keys", wish).await.ok();
    assert_eq!(key["allowed_addresses"], json!(["203.0.113.0/24", "2001:db8::/32"]));
    let from = async |address: &str| {
        let mut request =
            Request::builder().uri("/rest/v1/customers").header("apikey", key["key"].as_str().unwrap()).body(Body::empty()).unwrap();
        request.extensions_mut().insert(kernel::ClientAddress(address.parse().unwrap()));
        server.send(request).await
    };
    for good in ["203.0.113.77", "::ffff:203.0.113.1", "2001:db8::7"] {
        assert_eq!(from(good).await.status, 200, "{good}");
    }
    for bad in ["203.0.114.1", "2001:db9::7", "127.0.0.1"] {
        from(bad).await.refused(403, "api_key_address_refused");
    }
    server.get(&with(&key), "customers").await.refused(403, "api_key_address_refused");
    let row = format!("api_keys?id=eq.{}", key["id"].as_str().unwrap());
    assert_eq!(server.patch(&ann, &row, json!({ "allowed_addresses": ["127.0.0.0/8"] }), "").await.status, 204);
    assert_eq!(from("127.0.0.1").await.status, 200);
    from("203.0.113.77").await.refused(403, "api_key_address_refused");
}

#[tokio::test]
async fn who_makes_keys_and_of_what() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let (admin, manager) = (server.member(&ann.company_id, "admin").await, server.member(&ann.company_id, "manager").await);
    let wish = |permissions: Value| json!({ "name": "Till", "permissions": permissions });
    let reads = || wish(json!(["jobs:read"]));
    server.auth(&manager, "api-keys", reads()).await.refused_by_auth(403, "permission_denied");
    server.auth(&server.person("eve").await, "api-keys", reads()).await.refused_by_auth(403, "company_required");
    server.auth(&Server::nobody(), "api-keys", reads()).await.refused_by_auth(401, "no_authorization");
    server.auth(&admin, "api-keys", wish(json!(["jobs:read", "companies:delete"]))).await.refused_by_auth(403, "permission_escalation");
    server.auth(&ann, "api-keys", wish(json!(["jobs:fly"]))).await.refused_by_auth(422, "permission_unknown");
    let mut late = reads();
    late["expires_at"] = json!("2026-01-01T00:00:00Z");
    server.auth(&ann, "api-keys", late).await.refused_by_auth(422, "api_key_expiry_invalid");
    for (name, wrong, code) in [
        ("permissions", json!([]), "validation_failed"),
        ("name", json!(""), "validation_failed"),
        ("requests_per_minute", json!(0), "validation_failed"),
        ("allowed_addresses", json!(["example.com"]), "validation_failed"),
        ("expires_at", json!("tomorrow"), "bad_json"),
        ("company_id", json!(ann.company_id), "bad_json"),
    ] {
        let mut wish = reads();
        wish[name] = wrong;
        server.auth(&ann, "api-keys", wish).await.refused_by_auth(400, code);
    }
    // Not by the data API, which would have to invent the secret; and a key makes no keys.
    let row = json!({ "name": "Till", "key_prefix": "thk_1", "permissions": ["jobs:read"] });
    server.post(&ann, "api_keys", row, "").await.refused(403, "42501");
    let maker = made(&server, &ann, json!(["api_keys:create", "jobs:read"])).await;
    server.auth(&with(&maker), "api-keys", reads()).await.refused_by_auth(403, "member_required");
    let one = format!("api_keys?id=eq.{}", maker["id"].as_str().unwrap());
    server.patch(&admin, &one, json!({ "permissions": ["companies:delete"] }), "").await.refused(403, "permission_escalation");
    assert_eq!(server.patch(&ann, &one, json!({ "revoked_at": "2026-11-21T00:00:00Z" }), "").await.status, 204);
    server.patch(&ann, &one, json!({ "revoked_at": null }), "").await.refused(422, "api_key_revoked");
    server
        .auth(&ann, &format!("api-keys/{}/rotate", maker["id"].as_str().unwrap()), json!({}))
        .await
        .refused_by_auth(422, "api_key_revoked");
    server.auth(&ann, "api-keys/1/rotate", json!({})).await.refused_by_auth(404, "api_key_not_found");
    let long = json!({ "overlap_seconds": 2_592_001 });
    server.auth(&ann, &format!("api-keys/{}/rotate", ann.company_id), long).await.refused_by_auth(400, "validation_failed");
}

impl Answer {
    /// Checks a refusal below `/auth/v1` in its older shape.
    #[track_caller]
    pub(crate) fn refused_by_auth(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.body["error_code"].as_str()), (status, Some(code)), "{}", self.text);
    }
}
