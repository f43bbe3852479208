//! What somebody is told of his own account: sessions, factors, keys that he made, what happened to it; and the operator of all.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::server::{PASSWORD, Server, claims, token};

async fn events(server: &Server, session: &Value) -> Vec<Value> {
    let told = server.call("GET", "/user/security/events", Some(token(session)), None).await.ok();
    told.as_array().unwrap().clone()
}

fn actions(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["action"].as_str().unwrap()).collect()
}

/// Signs in with a program of this name.
async fn sign_in_from(server: &Server, agent: &str, password: &str) -> Value {
    let body = Body::from(json!({ "email": "ann@example.com", "password": password }).to_string());
    let request = Request::post("/token?grant_type=password").header("content-type", "application/json").header("user-agent", agent);
    server.send(request.body(body).unwrap()).await.body
}

#[tokio::test]
async fn an_account_has_a_history() {
    let server = Server::new().await;
    let bob = server.sign_up("bob@example.com").await;
    let first = server.sign_up("ann@example.com").await;
    assert_eq!(actions(&events(&server, &first).await), ["login", "user_signedup"]);

    let tablet = sign_in_from(&server, "Tablet", PASSWORD).await;
    let again = sign_in_from(&server, "Tablet", PASSWORD).await;
    assert_eq!(sign_in_from(&server, "Burglar/1.0", "wrong password").await["error_code"], "invalid_credentials");
    let told = events(&server, &tablet).await;
    assert_eq!(actions(&told), ["login_failed", "login", "login", "login", "user_signedup"]);
    assert_eq!((&told[0]["user_agent"], &told[0]["details"]), (&json!("Burglar/1.0"), &json!({})));
    let devices: Vec<_> = told[1..4].iter().map(|event| (event["details"]["new_device"].clone(), event["user_agent"].clone())).collect();
    assert_eq!(devices, [(json!(false), json!("Tablet")), (json!(true), json!("Tablet")), (json!(false), json!(null))]);
    assert_eq!((&told[1]["session_id"], &told[1]["details"]["method"]), (&claims(&again)["session_id"], &json!("password")));

    // What lets somebody in: each change, with the program that it came from; nothing of it is a secret.
    let change = async |body: Value| {
        let request = Request::put("/user").header("content-type", "application/json").header("user-agent", "Tablet");
        let request = request.header("authorization", format!("Bearer {}", token(&tablet)));
        server.send(request.body(Body::from(body.to_string())).unwrap()).await.ok()
    };
    change(json!({ "password": "another long enough password" })).await;
    change(json!({ "email": "ann.lee@example.com" })).await;
    change(json!({ "data": { "name": "Ann" } })).await;
    let told = events(&server, &tablet).await;
    let mut newest = actions(&told[..3]);
    newest.sort_unstable();
    assert_eq!(newest, ["logout", "logout", "user_updated_password"], "the other two sessions ended with the password");
    // The address changes when its message is answered.
    let letter = server.message("ann.lee@example.com").await;
    server.post("/verify", json!({ "token_hash": letter.token(), "type": "email_change" })).await.ok();
    let told = events(&server, &tablet).await;
    let changed = told.iter().find(|event| event["details"] == json!({ "changed": ["email"] })).unwrap();
    assert_eq!(changed["action"], "user_modified");
    assert!(!serde_json::to_string(&told).unwrap().contains("argon2"));

    let enrolled =
        server.call("POST", "/factors", Some(token(&tablet)), Some(json!({ "factor_type": "totp", "friendly_name": "app" }))).await.ok();
    assert_eq!(events(&server, &tablet).await, told, "what was only begun lets nobody in");
    server.sql("update auth.mfa_factors set status = 'verified'").await;
    server.sql("update auth.sessions set aal = 'aal2'").await;
    let tablet = server.refresh(&tablet).await.ok();
    let path = format!("/factors/{}", enrolled["id"].as_str().unwrap());
    server.call("DELETE", &path, Some(token(&tablet)), None).await.ok();
    let told = events(&server, &tablet).await;
    assert_eq!(actions(&told)[..2], ["factor_removed", "factor_added"]);
    assert_eq!([&told[0]["details"]["type"], &told[0]["details"]["name"]], [&json!("totp"), &json!("app")]);

    // Of a page, and of others nothing.
    let page = server.call("GET", "/user/security/events?limit=2", Some(token(&tablet)), None).await.ok();
    let next = format!("/user/security/events?limit=2&before={}", page[1]["id"].as_str().unwrap());
    let next = server.call("GET", &next, Some(token(&tablet)), None).await.ok();
    assert_eq!([page.as_array().unwrap().as_slice(), next.as_array().unwrap()].concat(), told[..4]);
    for wrong in ["limit=0", "limit=201", "limit=x", "before=yesterday"] {
        let refused = server.call("GET", &format!("/user/security/events?{wrong}"), Some(token(&tablet)), None).await;
        assert_eq!((refused.status, &refused.body["code"]), (400, &json!("validation_failed")));
    }
    assert_eq!(actions(&events(&server, &bob).await), ["login", "user_signedup"]);
    assert_eq!(server.call("GET", "/user/security/events", None, None).await.status, 401);
    assert_eq!(server.call("GET", "/user/security", None, None).await.status, 401);
    assert_eq!(server.call("GET", "/user/security", Some(token(&first)), None).await.body["code"], "session_not_found");
    // The history goes with the account.
    let own = tablet["user"]["id"].as_str().unwrap();
    server.sql(&format!("delete from auth.users where id = '{own}'")).await;
    assert_eq!(server.ask("select count(*) from auth.security_events e join auth.users u on u.id = e.user_id").await, "2");
    assert_eq!(server.ask("select count(*) from auth.security_events").await, "2");
}

#[tokio::test]
async fn somebody_sees_all_that_is_his_in_one_answer() {
    let server = Server::new().await;
    let (ann, bob) = (server.sign_up("ann@example.com").await, server.sign_up("bob@example.com").await);
    let user = |session: &Value| session["user"]["id"].as_str().unwrap().to_owned();
    let (acme, bolt) = (server.company("acme", &ann).await, server.company("bolt", &bob).await);
    let key = |company: &str, by: &str, name: &str| {
        format!(
            "insert into public.api_keys (company_id, name, key_prefix, key_hash, created_by)
                 values ('{company}', '{name}', 'th_live_ab', encode(sha256('{name}'), 'hex'), '{by}');"
        )
    };
    server
        .sql(&[key(&acme, &user(&ann), "hers"), key(&acme, &user(&bob), "his in hers"), key(&bolt, &user(&ann), "hers in his")].concat())
        .await;
    let told = server.call("GET", "/user/security", Some(token(&ann)), None).await.ok();
    let keys: Vec<_> =
        told["api_keys"].as_array().unwrap().iter().map(|key| (key["name"].as_str().unwrap(), key["prefix"].as_str().unwrap())).collect();
    assert_eq!(keys, [("hers", "th_live_ab")], "of companies that she works in, and made by her");
    assert!(!told.to_string().contains("key_hash"));
    assert_eq!(told["sessions"][0]["id"], claims(&ann)["session_id"]);
    assert_eq!(told["sessions"][0]["current"], true);
    assert_eq!(told["factors"], json!([]));
    assert_eq!(actions(told["events"].as_array().unwrap()), ["login", "user_signedup"]);
    assert_eq!([&told["passkeys"], &told["programs"]], [&json!([]), &json!([])]);
    assert_eq!(told.as_object().unwrap().len(), 6);

    // The keys of her devices, and the programs that she let act for her; of others none.
    let granted = format!(
        "insert into auth.passkeys (user_id, credential_id, credential, friendly_name)
           values ('{0}', 'hers', '{{}}', 'Phone'), ('{1}', 'his', '{{}}', 'Tablet');
         with c as (insert into auth.oauth_clients (name, auth_method, redirect_uris, grant_types, registration, created_at, updated_at)
                    values ('Calendar', 'none', '{{https://c.example}}', '{{authorization_code}}', 'manual', now(), now()),
                           ('Books', 'none', '{{https://b.example}}', '{{authorization_code}}', 'manual', now(), now()) returning id, name)
         insert into auth.oauth_consents (user_id, client_id, scopes, granted_at)
           select case c.name when 'Books' then '{1}' else '{0}' end::uuid, c.id, '{{openid,email}}', now() from c",
        user(&ann),
        user(&bob)
    );
    server.sql(&granted).await;
    let told = server.call("GET", "/user/security", Some(token(&ann)), None).await.ok();
    let keys: Vec<_> = told["passkeys"].as_array().unwrap().iter().map(|key| key["friendly_name"].clone()).collect();
    assert_eq!(keys, [json!("Phone")]);
    assert!(!told.to_string().contains("credential"), "{told}");
    let programs: Vec<_> = told["programs"].as_array().unwrap().iter().map(|one| (&one["client"]["name"], &one["scopes"])).collect();
    assert_eq!(programs, [(&json!("Calendar"), &json!(["openid", "email"]))]);
}

#[tokio::test]
async fn the_operator_reads_the_history_of_all() {
    let server = Server::new().await;
    let ann = server.sign_up("ann@example.com").await;
    for email in ["ann@example.com", "nobody@example.com"] {
        let refused = server.post("/token?grant_type=password", json!({ "email": email, "password": "wrong password" })).await;
        refused.refused(400, "invalid_credentials", "Invalid login credentials");
    }
    let audit = async |token: Option<&str>, query: &str| server.call("GET", &format!("/admin/audit{query}"), token, None).await;
    let service = Some(server.ring.service().token.expose().as_str());
    let entries = audit(service, "").await.ok();
    let told: Vec<_> = entries
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["payload"]["action"].clone(), entry["payload"]["actor_username"].clone()))
        .collect();
    let said = |action: &str, who: &str| (json!(action), json!(who));
    assert_eq!(
        told,
        [
            said("login_failed", ""),
            said("login_failed", "ann@example.com"),
            said("login", "ann@example.com"),
            said("user_signedup", "ann@example.com")
        ]
    );
    let login = &entries[2]["payload"];
    assert_eq!([&login["log_type"], &login["actor_id"], &login["actor_via_sso"]], [&json!("account"), &ann["user"]["id"], &json!(false)]);
    let page = audit(service, "?page=2&per_page=3").await.ok();
    assert_eq!(page.as_array().unwrap().len(), 1);
    assert_eq!(audit(service, "?page=0").await.body["code"], "validation_failed");
    assert_eq!(audit(service, "?per_page=1000").await.body["code"], "validation_failed");
    audit(Some(token(&ann)), "").await.refused(403, "not_admin", "User not allowed");
    audit(None, "").await.refused(401, "no_authorization", "This endpoint requires a valid Bearer token");

    // It is kept for a while, and changed by nobody who asks.
    server.auth.publish_settings().await.unwrap();
    let old =
        "update auth.security_events set id = overlay(id::text placing '018c0000-0000' from 1 for 13)::uuid where action = 'login_failed'";
    server.sql(old).await;
    assert_eq!(server.ask("app.expire(100)").await, "2");
    assert_eq!(audit(service, "").await.ok().as_array().unwrap().len(), 2);
    for sql in [
        "delete from auth.security_events",
        "update auth.security_events set action = 'x'",
        "insert into auth.security_events (action) values ('x')",
    ] {
        let client = server.db.superuser().await;
        client.batch_execute("set role service_role").await.unwrap();
        assert_eq!(client.batch_execute(sql).await.unwrap_err().code().unwrap().code(), "42501", "{sql}");
    }
}
