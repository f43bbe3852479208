//! Support that works in a company in a member's place: by consent, for a while, under both names, and never at what is the member's own.

use serde_json::{Value, json};

use crate::server::{Answer, START, Server, claims, token};

const OPERATOR: &str = "sam@support.example";

/// What is asked for, of the company of a session and the user of another.
async fn ask(server: &Server, company: &str, user: &str, wish: Value) -> Answer {
    let mut body = json!({ "company_id": company, "operator": OPERATOR, "reason": "ticket 4711" });
    body.as_object_mut().unwrap().extend(wish.as_object().unwrap().clone());
    server.call("POST", &format!("/admin/users/{user}/impersonate"), Some(server.ring.service().token.expose()), Some(body)).await
}

/// Calls a function as a member of a company with these permissions, as the data API does.
async fn as_member(server: &Server, (user, company): (&str, &str), permissions: &str, sql: &str) -> Result<String, String> {
    let client = server.db.superuser().await;
    let opened = format!(
        "begin; select set_config('app.company_id', '{company}', true), set_config('app.user_id', '{user}', true),
                       set_config('app.permissions', ',{permissions},', true), set_config('role', 'authenticated', true),
                       set_config('request.jwt.claims', '{{\"sub\": \"{user}\"}}', true)"
    );
    client.batch_execute(&opened).await.unwrap();
    let row = client.query_one(&format!("select ({sql})::text"), &[]).await;
    let row = row.map_err(|error| error.as_db_error().unwrap().constraint().unwrap_or_default().to_owned())?;
    client.batch_execute("commit").await.unwrap();
    Ok(row.get::<_, Option<String>>(0).unwrap_or_default())
}

/// Opens a request of a session and says what it may: as the first statement of every transaction does.
async fn opened(server: &Server, session: &Value, company: Option<&str>, sql: &str) -> Result<String, String> {
    let said = claims(session);
    let client = server.db.superuser().await;
    client.batch_execute("begin").await.unwrap();
    let company = company.map_or("null".to_owned(), |company| format!("'{company}'"));
    let open = format!(
        "select set_config('request.jwt.claims', o.claims, true), set_config('app.company_id', o.company_id::text, true),
                set_config('app.user_id', o.user_id::text, true), set_config('app.permissions', o.permissions, true),
                set_config('app.member_role', o.member_role, true), set_config('role', o.role, true)
           from app.open_request('user', '{}', '{}', {company}, '{{}}', null, false) o",
        said["sub"].as_str().unwrap(),
        said["session_id"].as_str().unwrap()
    );
    let refusal = |error: tokio_postgres::Error| {
        let error = error.as_db_error().unwrap();
        error.constraint().unwrap_or_else(|| error.code().code()).to_owned()
    };
    client.query_one(&open, &[]).await.map_err(refusal)?;
    let row = client.query_one(&format!("select ({sql})::text"), &[]).await.map_err(refusal)?;
    client.batch_execute("commit").await.unwrap();
    Ok(row.get::<_, Option<String>>(0).unwrap_or_default())
}

struct Scene {
    server: Server,
    ann: Value,
    user: String,
    acme: String,
}

impl Scene {
    async fn new() -> Self {
        let server = Server::new().await;
        let ann = server.sign_up("ann@example.com").await;
        let acme = server.company("acme", &ann).await;
        let user = ann["user"]["id"].as_str().unwrap().to_owned();
        Self { server, ann, user, acme }
    }

    async fn manage(&self, sql: &str) -> Result<String, String> {
        as_member(&self.server, (&self.user, &self.acme), "support_access:manage,support_access:read", sql).await
    }
}

#[tokio::test]
async fn support_comes_with_consent_and_goes_with_it() {
    let Scene { server, ann, user, acme } = &Scene::new().await;
    let scene = async |sql: &str| as_member(server, (user, acme), "support_access:manage,support_access:read", sql).await;
    let missing = "The company has not agreed that support works in it.";
    ask(server, acme, user, json!({})).await.refused(403, "support_consent_missing", missing);
    assert_eq!(
        as_member(server, (user, acme), "companies:update", "public.grant_support_access(2)").await,
        Err("permission_denied".to_owned())
    );
    for hours in ["0", "721"] {
        assert_eq!(scene(&format!("public.grant_support_access({hours})")).await, Err("support_consent_invalid".to_owned()));
    }
    scene("public.grant_support_access(reason => 'until we say otherwise')").await.unwrap();

    let stranger = server.sign_up("eve@example.com").await;
    let eve = stranger["user"]["id"].as_str().unwrap();
    ask(server, acme, eve, json!({})).await.refused(404, "member_not_found", "There is no such active member.");
    let elsewhere = server.company("bolt", &stranger).await;
    ask(server, &elsewhere, eve, json!({})).await.refused(403, "support_consent_missing", missing);
    for (wish, code) in [
        (json!({ "operator": "" }), "validation_failed"),
        (json!({ "reason": "x" }), "validation_failed"),
        (json!({ "reason": "y".repeat(501) }), "validation_failed"),
        (json!({ "minutes": 61 }), "validation_failed"),
        (json!({ "minutes": 0 }), "validation_failed"),
        (json!({ "company_id": "acme" }), "invalid_company_id"),
    ] {
        let refused = ask(server, acme, user, wish).await;
        assert_eq!((refused.status, refused.body["code"].as_str()), (400, Some(code)), "{}", refused.text);
    }
    let path = format!("/admin/users/{user}/impersonate");
    server.call("POST", &path, Some(token(ann)), Some(json!({}))).await.refused(403, "not_admin", "User not allowed");
    assert_eq!(server.call("POST", &path, None, Some(json!({}))).await.status, 401);

    // A short session of the member's, whose token names both.
    let session = ask(server, acme, user, json!({ "minutes": 15 })).await.ok();
    assert_eq!((&session["expires_in"], &session["expires_at"]), (&json!(900), &json!(START + 900)));
    let said = claims(&session);
    assert_eq!([&said["sub"], &said["impersonated_by"], &said["act"]], [&json!(user), &json!(OPERATOR), &json!({ "sub": OPERATOR })]);
    assert_eq!([&said["company_id"], &said["aal"]], [&json!(acme), &json!("aal1")]);
    assert_eq!(server.refresh(&session).await.body["code"], "refresh_token_not_found", "it is never made longer");
    assert_eq!(server.user(ann).await.status, 200, "the member's own session goes on");
    let listed = server.call("GET", "/sessions", Some(token(ann)), None).await.ok();
    let by: Vec<_> = listed.as_array().unwrap().iter().map(|one| one["impersonated_by"].clone()).collect();
    assert_eq!(by, [json!(OPERATOR), json!(null)]);

    // The clock of the test is not the database's.
    server.sql("update auth.sessions set not_after = now() + interval '1 hour' where impersonated_by is not null").await;
    assert_eq!(opened(server, &session, None, "app.impersonated_by()").await, Ok(OPERATOR.to_owned()));

    // The consent is taken back: over at the very next request.
    assert_eq!(server.user(&session).await.status, 200);
    assert_eq!(scene("public.revoke_support_access()").await.unwrap(), "1");
    assert_eq!(server.user(&session).await.body["code"], "session_not_found");
    assert_eq!(opened(server, &session, None, "1").await, Err("session_not_found".to_owned()));
    assert_eq!(scene("public.revoke_support_access()").await.unwrap(), "0");
    ask(server, acme, user, json!({})).await.refused(403, "support_consent_missing", missing);
    let kept =
        "select operator || '|' || reason || '|' || (ended_at is not null) || '|' || (ended_by = user_id) from public.support_sessions";
    assert_eq!(server.ask(kept).await, format!("{OPERATOR}|ticket 4711|true|true"));
}

#[tokio::test]
async fn a_new_consent_ends_also_what_is_just_opening() {
    let scene = Scene::new().await;
    scene.manage("public.grant_support_access(2)").await.unwrap();
    let (opening, observer) = (scene.server.db.superuser().await, scene.server.db.superuser().await);
    let open = format!(
        "begin; select app.open_support_session('{}', '{}', '01900000-0000-7000-8000-0000000000aa', '{OPERATOR}', 'ticket 4711',
                                                now() + interval '1 hour', now())",
        scene.acme, scene.user
    );
    opening.batch_execute(&open).await.unwrap();
    let meeting = async {
        let waits = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
        while observer.query(waits, &[]).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        opening.batch_execute("commit").await.unwrap();
    };
    let (granted, ()) = tokio::join!(scene.manage("public.grant_support_access(2)"), meeting);
    granted.unwrap();
    let ended = "select (s.revoked_at is not null) || ' ' || (w.ended_at is not null)
                   from auth.sessions s join public.support_sessions w on w.session_id = s.id";
    assert_eq!(scene.server.ask(ended).await, "true true");
    assert_eq!(scene.server.ask("select count(*) from public.support_consents where revoked_at is null").await, "1");
}

#[tokio::test]
async fn a_consent_for_a_time_and_the_end_of_one_session() {
    let scene = Scene::new().await;
    let Scene { server, ann, user, acme } = &scene;
    scene.manage("public.grant_support_access(1, 'for one hour')").await.unwrap();
    // Its end in the past of the test's clock, then a moment after it.
    server.sql(&format!("update public.support_consents set expires_at = to_timestamp({START}) + interval '5 minutes'")).await;
    let session = ask(server, acme, user, json!({ "minutes": 60 })).await.ok();
    assert_eq!(session["expires_in"], 300, "no longer than the consent");
    server.wait(301);
    let over = ask(server, acme, user, json!({})).await;
    assert_eq!(over.body["code"], "support_consent_missing");
    server.wait(-301);

    let (one, two) = (ask(server, acme, user, json!({})).await.ok(), ask(server, acme, user, json!({})).await.ok());
    let id = server
        .ask(&format!("select id from public.support_sessions where session_id = '{}'", claims(&one)["session_id"].as_str().unwrap()))
        .await;
    let stranger = server.sign_up("eve@example.com").await;
    let bolt = server.company("bolt", &stranger).await;
    let eve = (stranger["user"]["id"].as_str().unwrap(), bolt.as_str());
    let end = format!("public.end_support_session('{id}')");
    assert_eq!(as_member(server, eve, "support_access:manage", &end).await.unwrap(), "false", "another company's is not there");
    assert_eq!(server.user(&one).await.status, 200);
    assert_eq!(scene.manage(&end).await.unwrap(), "true");
    assert_eq!(scene.manage(&end).await.unwrap(), "false");
    assert_eq!((server.user(&one).await.body["code"].as_str(), server.user(&two).await.status), (Some("session_not_found"), 200));
    // Seen by the company's own and by nobody else; ended by the member in whose place it is, too.
    let count = "select count(*) from public.support_sessions";
    assert_eq!(scene.manage(count).await.unwrap(), "3");
    assert_eq!(as_member(server, eve, "support_access:read", count).await.unwrap(), "0");
    assert_eq!(as_member(server, (user, acme), "jobs:read", count).await.unwrap(), "0");
    let path = format!("/sessions/{}", claims(&two)["session_id"].as_str().unwrap());
    assert_eq!(server.call("DELETE", &path, Some(token(ann)), None).await.status, 204);
    assert_eq!(server.user(&two).await.body["code"], "session_not_found");
    assert_eq!(server.ask("select count(*) from public.support_sessions where ended_at is null").await, "1");
}

#[tokio::test]
async fn what_is_the_members_own_stays_his() {
    let scene = Scene::new().await;
    let Scene { server, ann, user, acme } = &scene;
    let bolt = server.company("bolt", ann).await;
    scene.manage("public.grant_support_access()").await.unwrap();
    let session = ask(server, acme, user, json!({})).await.ok();
    // The clock of the test is not the database's.
    server.sql("update auth.sessions set not_after = now() + interval '1 hour' where impersonated_by is not null").await;
    let refused = |answer: Answer| answer.refused(403, "impersonation_not_allowed", "Support cannot do this in place of a member");
    for (method, path, body) in [
        ("PUT", "/user", json!({ "password": "another long enough password" })),
        ("PUT", "/user", json!({ "email": "eve@example.com" })),
        ("POST", "/factors", json!({ "factor_type": "totp" })),
        ("POST", "/factors/recovery-codes", json!({})),
        ("GET", "/user/security", json!({})),
        ("GET", "/sessions", json!({})),
        ("GET", "/reauthenticate", json!({})),
        ("POST", "/company", json!({ "company_id": bolt })),
        ("POST", "/logout", json!({})),
        ("POST", "/logout?scope=others", json!({})),
    ] {
        refused(server.call(method, path, Some(token(&session)), Some(body)).await);
    }
    assert_eq!(server.user(&session).await.ok()["email"], "ann@example.com");

    // In the database: one company, fewer permissions, and neither keys nor people nor the company itself.
    let refusal = |code: &str| Err(code.to_owned());
    assert_eq!(opened(server, &session, Some(&bolt), "1").await, refusal("company_not_member"));
    let permissions = opened(server, &session, Some(acme), "current_setting('app.permissions')").await.unwrap();
    for (permission, held) in [
        ("jobs:read", true),
        ("jobs:update", true),
        ("customers:create", true),
        ("jobs:delete", false),
        ("customers:restore", false),
        ("companies:delete", false),
        ("billing:manage", false),
        ("members:change_role", false),
        ("api_keys:create", false),
        ("directory:create", false),
        ("directory:update", false),
        ("company_domains:create", false),
        ("company_domains:update", false),
        ("support_access:manage", false),
        ("support_access:read", true),
    ] {
        assert_eq!(permissions.contains(&format!(",{permission},")), held, "{permission} in {permissions}");
    }
    server
        .sql(
            "create function public.make_key() returns void language sql volatile as
               $$ insert into public.api_keys (company_id, name, key_prefix) values (app.company_id(), 'x', 'x') $$;
             grant execute on function public.make_key() to authenticated",
        )
        .await;
    for (sql, code) in [
        ("public.make_key()", "42501"),
        ("public.grant_support_access()", "impersonation_not_allowed"),
        ("public.revoke_support_access()", "impersonation_not_allowed"),
        ("public.create_company_with_owner('Third')", "impersonation_not_allowed"),
        ("public.change_billing('eve@example.com')", "permission_denied"),
        ("public.invite_member('eve@example.com', 'viewer')", "permission_denied"),
        ("public.transfer_company_ownership(gen_random_uuid())", "new_owner_invalid"),
    ] {
        assert_eq!(opened(server, &session, None, sql).await, refusal(code), "{sql}");
    }
    let mate = server.sign_up("bea@example.com").await;
    let mate = mate["user"]["id"].as_str().unwrap();
    server.sql(&format!("insert into public.team_members (company_id, user_id, role) values ('{acme}', '{mate}', 'admin')")).await;
    let transfer = format!("public.transfer_company_ownership('{mate}')");
    assert_eq!(opened(server, &session, None, &transfer).await, refusal("impersonation_not_allowed"));
}

#[tokio::test]
async fn support_leaves_no_way_in_behind() {
    let scene = Scene::new().await;
    let Scene { server, ann, user, acme } = &scene;
    scene.manage("public.grant_support_access()").await.unwrap();
    let session = ask(server, acme, user, json!({})).await.ok();
    // The clock of the test is not the database's.
    server.sql("update auth.sessions set not_after = now() + interval '1 hour' where impersonated_by is not null").await;
    for (method, path, body) in [
        ("POST", "/api-keys", json!({ "name": "x", "permissions": ["jobs:read"] })),
        ("POST", "/api-keys/01900000-0000-7000-8000-000000000001/rotate", json!({})),
        ("GET", "/scim/tokens", json!({})),
        ("POST", "/scim/tokens", json!({ "name": "x" })),
        ("DELETE", "/scim/tokens/01900000-0000-7000-8000-000000000001", json!({})),
        ("POST", "/sign-on/providers", json!({ "name": "x", "issuer": "https://x.example", "client_id": "x", "client_secret": "x" })),
        ("POST", "/links", json!({ "purpose": "book" })),
        ("POST", "/portal/invite", json!({ "customer_id": acme })),
        ("GET", "/portal/session", json!({})),
        ("POST", "/invitations/accept", json!({ "token": "x" })),
    ] {
        let answer = server.call(method, path, Some(token(&session)), Some(body)).await;
        answer.refused(403, "impersonation_not_allowed", "Support cannot do this in place of a member");
    }
    // Nor by a function that may more than its caller: whatever table keeps the digest or secret of a way in is closed.
    let open = "select string_agg(format('%s.%s', c.relname, a.attname), ', ')
                  from pg_class c join pg_attribute a on a.attrelid = c.oid
                 where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and a.attname ~ '_hash$|^client_secret$'
                   and col_description(c.oid, a.attnum) = 'secret'
                   and not exists (select from pg_trigger t where t.tgrelid = c.oid and t.tgname = 'a_impersonation')";
    assert_eq!(server.ask(open).await, "null");
    for (number, write) in [
        "insert into public.scim_tokens (company_id, name, token_hash, token_prefix, expires_at)
         values (app.company_id(), 'x', repeat('a', 64), 'scim_', now() + interval '1 day')",
        "insert into public.scim_mappings (company_id, group_name, role) values (app.company_id(), '*', 'admin')",
        "insert into public.sign_on_providers (company_id, name, issuer, client_id)
         values (app.company_id(), 'x', 'https://x.example', 'x')",
        "insert into public.company_domains (company_id, domain) values (app.company_id(), 'x.example')",
        "insert into public.public_links (company_id, purpose) values (app.company_id(), 'book')",
        "insert into public.webhooks (company_id, name, url) values (app.company_id(), 'x', 'https://hooks.example.com')",
    ]
    .into_iter()
    .enumerate()
    {
        let function = format!(
            "create function public.let_in_{number}() returns void language sql volatile security definer as $$ {write} $$;
             grant execute on function public.let_in_{number}() to authenticated"
        );
        server.sql(&function).await;
        let let_in = format!("public.let_in_{number}()");
        assert_eq!(opened(server, &session, None, &let_in).await, Err("impersonation_not_allowed".to_owned()), "{write}");
        assert_eq!(opened(server, ann, Some(acme), &let_in).await, Ok(String::new()), "a member's own: {write}");
    }
}

#[tokio::test]
async fn whatever_support_writes_names_both() {
    let scene = Scene::new().await;
    let Scene { server, ann, user, acme } = &scene;
    scene.manage("public.grant_support_access()").await.unwrap();
    let session = ask(server, acme, user, json!({})).await.ok();
    server
        .sql(
            "update auth.sessions set not_after = now() + interval '1 hour' where impersonated_by is not null;
             create function public.rename_it() returns text language sql volatile as
               $$ update public.companies set name = 'Acme Ltd' returning name $$;
             grant execute on function public.rename_it() to authenticated",
        )
        .await;
    assert_eq!(opened(server, &session, None, "public.rename_it()").await.unwrap(), "Acme Ltd");
    let event = format!("public.log_audit_event('{acme}', '{user}', 'view', 'report')");
    opened(server, &session, None, &event).await.unwrap();
    let named =
        format!("select count(*) from public.audit_logs where user_id = '{user}' and metadata ->> 'impersonated_by' = '{OPERATOR}'");
    assert_eq!(server.ask(&named).await, "2");
    assert_eq!(server.ask("select count(*) from public.audit_logs where table_name = 'support_sessions' and action = 'create'").await, "1");
    assert_eq!(server.call("POST", "/logout?scope=local", Some(token(&session)), None).await.status, 204);
    assert_eq!(server.user(&session).await.body["code"], "session_not_found");
    assert_eq!(server.user(ann).await.status, 200);
}
