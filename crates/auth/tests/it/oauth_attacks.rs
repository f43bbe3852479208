//! What is tried against programs of others and the people who let them in, and what comes of it.

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use serde_json::{Value, json};

use crate::oauth_clients::{client, server};
use crate::oauth_flow::{
    CALLBACK, CHALLENGE, VERIFIER, agree, ask, authorize, consent, details, exchange, form, id, location, planner, query, refresh, tokens,
};
use crate::server::{Answer, Server, claims, token};

fn no_grant(answer: &Answer) {
    assert_eq!((answer.status, &answer.body["error"]), (400, &json!("invalid_grant")), "{}", answer.text);
}

fn secret(client: &Value) -> &str {
    client["client_secret"].as_str().unwrap()
}

async fn code(server: &Server, client: &Value, session: &Value) -> String {
    query(&agree(server, client, session, &[("prompt", "consent")]).await, "code").unwrap()
}

#[tokio::test]
async fn a_code_is_good_once_for_its_program_address_and_proof() {
    let server = server(|_| ()).await;
    let (planner, other) = (planner(&server).await, planner(&server).await);
    let ann = server.sign_up("ann@example.com").await;
    let wrong = VERIFIER.replace('d', "e");
    // Each is tried first in the wrong way, and then in the right one: whoever has a code has one try.
    for attack in ["another program", "another proof", "another address", "the hash for the word", "too late"] {
        let code = code(&server, &planner, &ann).await;
        let mut fields = vec![("grant_type", "authorization_code"), ("code", code.as_str()), ("code_verifier", VERIFIER)];
        let mut by = &planner;
        match attack {
            "another program" => by = &other,
            "another proof" => fields[2].1 = &wrong,
            "another address" => fields.push(("redirect_uri", "https://planner.example.com/other")),
            "the hash for the word" => fields[2].1 = CHALLENGE,
            _ => server.wait(120),
        }
        no_grant(&form(&server, "/oauth/token", Some((id(by), secret(by))), &fields).await);
        no_grant(&exchange(&server, &planner, &code).await);
    }
    let held = "select count(*) from auth.sessions where oauth_client_id is not null";
    assert_eq!(server.ask(held).await, "0");

    // Used again, by whoever: what it was exchanged for is over.
    for thief in [&planner, &other] {
        let code = code(&server, &planner, &ann).await;
        let held = exchange(&server, &planner, &code).await.ok();
        assert_eq!(server.user(&held).await.status, 200);
        no_grant(&exchange(&server, thief, &code).await);
        assert_eq!(server.user(&held).await.body["code"], "session_not_found");
        no_grant(&refresh(&server, &planner, &held).await);
    }
    let code = code(&server, &planner, &ann).await;
    let many = tokio::join!(exchange(&server, &planner, &code), exchange(&server, &planner, &code), exchange(&server, &planner, &code));
    let good = [many.0.status, many.1.status, many.2.status].iter().filter(|status| **status == 200).count();
    assert_eq!(good, 1, "of several at once one is first");
    let live = "select count(*) from auth.sessions where oauth_client_id is not null and revoked_at is null";
    assert_eq!(server.ask(live).await, "0");
    assert_eq!(server.user(&ann).await.status, 200);
}

/// Returns a token's claims without one of them, as the middle of a token: nobody looks at its signature here.
fn without(token: &str, name: &str) -> String {
    let middle = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let mut claims: Value = serde_json::from_slice(&middle).unwrap();
    claims.as_object_mut().unwrap().remove(name).unwrap();
    format!("x.{}.x", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// Does something in a transaction that is opened for a session, as the data API opens one.
async fn opened(server: &Server, session: &Value, company: Option<&str>, (end, sql): (&str, &str)) -> Result<(), String> {
    let said = claims(session);
    let company = company.map_or("null".to_owned(), |company| format!("'{company}'"));
    let open = format!(
        "begin; select set_config('request.jwt.claims', o.claims, true), set_config('app.company_id', o.company_id::text, true),
                       set_config('app.user_id', o.user_id::text, true), set_config('app.permissions', o.permissions, true),
                       set_config('app.member_role', o.member_role, true), set_config('role', o.role, true)
                  from app.open_request('user', '{}', '{}', {company}, '{said}', null, false) o; {sql}",
        said["sub"].as_str().unwrap(),
        said["session_id"].as_str().unwrap()
    );
    let client = server.db.superuser().await;
    let done = client.batch_execute(&open).await;
    client.batch_execute(if done.is_ok() { end } else { "rollback" }).await.unwrap();
    done.map_err(|error| error.as_db_error().unwrap().constraint().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_program_makes_nothing_that_outlives_what_it_was_allowed() {
    let server = server(|_| ()).await;
    let planner = planner(&server).await;
    let ann = server.sign_up("ann@example.com").await;
    let acme = server.company("acme", &ann).await;
    let ann = server.refresh(&ann).await.ok();
    let held = tokens(&server, &planner, &ann, &[]).await;
    assert_eq!((&claims(&held)["company_id"], &claims(&held)["member_role"]), (&json!(acme), &json!("owner")));
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
    ] {
        let answer = server.call(method, path, Some(token(&held)), Some(body)).await;
        answer.refused(403, "oauth_client_not_allowed", "A program that acts for somebody does not reach his account");
    }

    // What is closed to support since it lets somebody in or tells him something later is closed to programs, too; of the rest they do what
    // their user does.
    let closed = |trigger: &str| format!("select t.tgrelid from pg_trigger t where t.tgname = '{trigger}'");
    let open = format!(
        "select string_agg(c.oid::regclass::text, ', ' order by c.oid::regclass::text) from pg_class c
          where c.oid in ({}) and c.oid not in ({})",
        closed("a_impersonation"),
        closed("a_program")
    );
    assert_eq!(server.ask(&open).await, "app.subscriptions, companies, custom_roles, team_members, users");

    // Nor by the data API, with the owner's permissions and whatever function writes.
    let id = "01900000-0000-7000-8000-000000000001";
    let (in_a_day, digest) = ("now() + interval '1 day'", "repeat('a', 64)");
    let rotated = "jsonb_build_object('id', app.uuid_v7(), 'key_hash', repeat('b', 64), 'key_prefix', 'thk_2')";
    server
        .sql(&format!(
            "insert into public.api_keys (company_id, id, name, key_hash, key_prefix, permissions, created_by)
                         values ('{acme}', '{id}', 'there', repeat('c', 64), 'thk_0', '{{jobs:read}}', '{}')",
            ann["user"]["id"].as_str().unwrap()
        ))
        .await;
    for write in [
        format!(
            "select app.make_api_key(jsonb_build_object('name', 'x', 'permissions', array['jobs:read'], 'id', app.uuid_v7(),
                 'key_hash', {digest}, 'key_prefix', 'thk_1'), 10)"
        ),
        format!("select app.rotate_api_key('{id}', {rotated}, 60, 10)"),
        "update public.api_keys set permissions = '{jobs:read,jobs:update}'".to_owned(),
        "insert into public.scim_mappings (group_name, role) values ('*', 'admin')".to_owned(),
        "insert into public.company_domains (domain, join_mode, join_role) values ('x.example', 'join', 'manager')".to_owned(),
        "select public.invite_member('eve@example.com', 'admin')".to_owned(),
        "select public.grant_support_access()".to_owned(),
        format!("insert into public.public_links (purpose, expires_at) values ('book', {in_a_day})"),
    ] {
        let refused = opened(&server, &held, None, ("rollback", &write)).await;
        assert_eq!(refused, Err("oauth_client_not_allowed".to_owned()), "{write}");
        assert_eq!(opened(&server, &ann, None, ("rollback", &write)).await, Ok(()), "the person himself: {write}");
    }
}

#[tokio::test]
async fn a_program_works_in_the_company_in_which_it_was_let_in() {
    let server = server(|_| ()).await;
    let planner = planner(&server).await;
    let ann = server.sign_up("ann@example.com").await;
    let lone = tokens(&server, &planner, &ann, &[]).await;
    let (acme, bolt) = (server.company("acme", &ann).await, server.company("bolt", &ann).await);
    let chosen = server.call("POST", "/company", Some(token(&ann)), Some(json!({ "company_id": acme }))).await;
    let ann = chosen.ok();
    let held = tokens(&server, &planner, &ann, &[("prompt", "consent")]).await;
    let elsewhere = Err("company_not_member".to_owned());
    for (session, company, outcome) in [
        (&held, None, Ok(())),
        (&held, Some(acme.as_str()), Ok(())),
        (&held, Some(bolt.as_str()), elsewhere.clone()),
        (&lone, None, Ok(())),
        (&lone, Some(bolt.as_str()), elsewhere.clone()),
        (&ann, Some(bolt.as_str()), Ok(())),
    ] {
        assert_eq!(opened(&server, session, company, ("rollback", "select 1")).await, outcome, "{company:?}");
    }
    // Whatever its token says of the program, SQL learns it from the session.
    let named = format!("select 1 / (auth.jwt() ->> 'client_id' = '{}')::integer", id(&planner));
    let mut silent = held.clone();
    silent["access_token"] = json!(without(token(&held), "client_id"));
    assert_eq!(opened(&server, &silent, None, ("rollback", &named)).await, Ok(()));

    // Nor does it get there by founding one, by coming into one, or when its user leaves the one it is in.
    assert_eq!(opened(&server, &lone, None, ("commit", "select public.create_company_with_owner('Third')")).await, Ok(()));
    let lone = refresh(&server, &planner, &lone).await.ok();
    assert_eq!(claims(&lone).get("company_id"), None);
    server
        .sql(&format!(
            "delete from public.companies where name = 'Third'; set session_replication_role = replica;
                         update public.team_members set status = 'suspended' where company_id = '{acme}'"
        ))
        .await;
    let moved = server.refresh(&ann).await.ok();
    assert_eq!(claims(&moved)["company_id"], bolt, "the person's own session goes on where he still is");
    let held = refresh(&server, &planner, &held).await.ok();
    assert_eq!(claims(&held).get("company_id"), None);
    for company in [None, Some(bolt.as_str())] {
        assert_eq!(opened(&server, &held, company, ("rollback", "select 1")).await, elsewhere);
    }
    server
        .sql(&format!(
            "set session_replication_role = replica; update public.team_members set status = 'active' where company_id = '{acme}'"
        ))
        .await;
    assert_eq!(claims(&refresh(&server, &planner, &held).await.ok())["company_id"], acme, "it comes back with him");
}

#[tokio::test]
async fn a_code_is_worth_nothing_once_its_user_is_gone() {
    let server = server(|_| ()).await;
    let planner = planner(&server).await;
    server.sign_up("ann@example.com").await;
    for (gone, back) in [
        ("update auth.sessions set revoked_at = now()", "select 1"),
        ("update auth.users set banned_until = '2100-01-01'", "update auth.users set banned_until = null"),
        ("update auth.users set deleted_at = now()", "update auth.users set deleted_at = null"),
    ] {
        let ann = server.sign_in("ann@example.com").await;
        let code = code(&server, &planner, &ann).await;
        server.sql(gone).await;
        no_grant(&exchange(&server, &planner, &code).await);
        server.sql(back).await;
    }
    assert_eq!(server.ask("select count(*) from auth.sessions where oauth_client_id is not null").await, "0");
}

#[tokio::test]
async fn nobody_is_sent_to_an_address_that_is_not_registered() {
    let server = server(|config| config.oauth_server.dynamic_registration = true).await;
    let planner = planner(&server).await;
    let elsewhere = json!({ "redirect_uris": ["https://evil.example.com/cb"], "token_endpoint_auth_method": "none" });
    let evil = client(&server, elsewhere.clone()).await;
    for uri in ["https://evil.example.com/cb", "https://planner.example.com/callback/..", "https://planner.example.com/callback#x", "", "x"]
    {
        let more = [("redirect_uri", uri)];
        let answer = authorize(&server, &planner, &more).await;
        assert_eq!((answer.status, answer.headers.get("location")), (400, None), "{uri}: {}", answer.text);
        assert_eq!(answer.body, json!({ "code": "validation_failed", "message": "invalid redirect_uri" }));
    }
    for unknown in ["x", "01900000-0000-7000-8000-000000000001"] {
        let answer = authorize(&server, &planner, &[("client_id", unknown)]).await;
        answer.refused(400, "oauth_client_not_found", "invalid client_id");
    }
    let twice = format!("/oauth/authorize?client_id={0}&client_id={0}", id(&evil));
    assert_eq!(server.call("GET", &twice, None, None).await.status, 400);
    // Downgraded or taken away, the proof is missed; the program is told, with the state and who says so.
    for more in [
        &[("code_challenge_method", "plain")][..],
        &[("code_challenge_method", "")],
        &[("code_challenge", "")],
        &[("code_challenge", ""), ("code_challenge_method", "")],
        &[("code_challenge", "short")],
    ] {
        let back = location(&authorize(&server, &planner, more).await);
        let said = ["error", "state", "iss", "code"].map(|name| query(&back, name).unwrap_or_default());
        assert_eq!(said, ["invalid_request", "s t&1", "http://localhost:54321/auth/v1", ""], "{more:?}");
        assert!(back.as_str().starts_with(CALLBACK));
    }
    // Whoever registered itself does not make this server send people about.
    let stranger = server.post("/oauth/register", elsewhere).await;
    let more = [("redirect_uri", "https://evil.example.com/cb"), ("scope", "everything")];
    let answer = authorize(&server, &stranger.body, &more).await;
    assert_eq!((answer.status, answer.headers.get("location")), (400, None), "{}", answer.text);
    assert_eq!(query(&location(&authorize(&server, &evil, &more).await), "error").as_deref(), Some("invalid_scope"));
    assert_eq!(server.ask("select count(*) from auth.oauth_authorizations").await, "0");
}

#[tokio::test]
async fn a_question_is_answered_by_whoever_looked_at_it() {
    let server = server(|_| ()).await;
    let planner = planner(&server).await;
    let (ann, bob) = (server.sign_up("ann@example.com").await, server.sign_up("bob@example.com").await);
    let unknown = |answer: Answer| answer.refused(404, "oauth_authorization_not_found", "authorization not found");
    let of_ann = ask(&server, &planner, &[]).await;
    details(&server, &ann, &of_ann).await.ok();
    unknown(details(&server, &bob, &of_ann).await);
    unknown(consent(&server, &bob, &of_ann, "approve").await);
    unknown(consent(&server, &bob, &of_ann, "deny").await);
    unknown(details(&server, &ann, "x").await);
    unknown(details(&server, &ann, "01900000-0000-7000-8000-000000000001").await);
    assert_eq!(server.call("GET", &format!("/oauth/authorizations/{of_ann}"), None, None).await.status, 401);
    let public = server.ring.anon().token.expose().clone();
    assert_eq!(server.call("GET", &format!("/oauth/authorizations/{of_ann}"), Some(&public), None).await.body["code"], "bad_jwt");
    server.wait(600);
    unknown(details(&server, &ann, &of_ann).await);
    unknown(consent(&server, &ann, &of_ann, "approve").await);
    // A session that is over answers nothing.
    let later = ask(&server, &planner, &[]).await;
    details(&server, &ann, &later).await.ok();
    assert_eq!(server.call("POST", "/logout", Some(token(&ann)), None).await.status, 204);
    assert_eq!(consent(&server, &ann, &later, "approve").await.body["code"], "session_not_found");
}

#[tokio::test]
async fn whoever_has_a_second_factor_proves_it_before_he_lets_a_program_in() {
    let server = server(|_| ()).await;
    let planner = planner(&server).await;
    let ann = server.sign_up("ann@example.com").await;
    let before = tokens(&server, &planner, &ann, &[]).await;
    let user = ann["user"]["id"].as_str().unwrap();
    server
        .sql(&format!("insert into auth.mfa_factors (user_id, factor_type, status, secret) values ('{user}', 'totp', 'verified', 'x')"))
        .await;
    let authorization = ask(&server, &planner, &[]).await;
    let shown = details(&server, &ann, &authorization).await.ok();
    assert_eq!(shown["authorization_id"], authorization, "that he agreed before does not count here");
    let message = "AAL2 session is required to authorize a client when MFA is enabled.";
    consent(&server, &ann, &authorization, "approve").await.refused(403, "insufficient_aal", message);
    server.sql("update auth.sessions set aal = 'aal2', factor_id = (select id from auth.mfa_factors) where oauth_client_id is null").await;
    let ann = server.refresh(&ann).await.ok();
    let agreed = consent(&server, &ann, &authorization, "approve").await.ok();
    let code = query(&url::Url::parse(agreed["redirect_url"].as_str().unwrap()).unwrap(), "code").unwrap();
    let held = exchange(&server, &planner, &code).await.ok();
    assert_eq!((&claims(&held)["aal"], &claims(&before)["aal"]), (&json!("aal2"), &json!("aal1")), "as sure as who agreed");
}

#[tokio::test]
async fn a_program_proves_itself_in_one_way_and_never_in_the_address() {
    let server = server(|_| ()).await;
    let planner = planner(&server).await;
    let public = client(&server, json!({ "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none" })).await;
    let ann = server.sign_up("ann@example.com").await;
    let code = code(&server, &planner, &ann).await;
    let grant = [("grant_type", "authorization_code"), ("code", code.as_str()), ("code_verifier", VERIFIER)];
    let with = |more: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        let all = grant.iter().chain(more.iter());
        all.map(|(name, value)| (*name, (*value).to_owned())).collect()
    };
    let send = async |path: &str, basic: Option<(&str, &str)>, fields: Vec<(&'static str, String)>| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        form(&server, path, basic, &fields).await
    };
    let (own, hidden) = (id(&planner), secret(&planner));
    for (basic, more) in [
        (None, vec![]),
        (None, vec![("client_id", own)]),
        (None, vec![("client_id", own), ("client_secret", "x")]),
        (None, vec![("client_id", "x"), ("client_secret", hidden)]),
        (Some((own, "")), vec![]),
        (Some((own, "x")), vec![]),
        (Some(("x", hidden)), vec![]),
        (Some((id(&public), hidden)), vec![]),
        (None, vec![("client_id", id(&public)), ("client_secret", "x")]),
    ] {
        let refused = send("/oauth/token", basic, with(&more)).await;
        assert_eq!((refused.status, &refused.body["error"]), (401, &json!("invalid_client")), "{basic:?} {more:?}: {}", refused.text);
        assert_eq!(refused.headers["www-authenticate"], "Basic realm=\"oauth\"");
    }
    let in_address = format!("/oauth/token?client_id={own}&client_secret={hidden}");
    for (path, basic, more) in [
        (in_address.as_str(), None, vec![]),
        ("/oauth/token", Some((own, hidden)), vec![("client_secret", hidden)]),
        ("/oauth/token", Some((own, hidden)), vec![("client_id", id(&public))]),
        ("/oauth/token", Some((own, hidden)), vec![("code", code.as_str())]),
    ] {
        let refused = send(path, basic, with(&more)).await;
        assert_eq!((refused.status, &refused.body["error"]), (400, &json!("invalid_request")), "{path} {more:?}: {}", refused.text);
        assert!(!refused.text.contains(hidden), "nothing of it comes back");
    }
    for (fields, error) in [
        (vec![], "invalid_request"),
        (vec![("grant_type", "password")], "unsupported_grant_type"),
        (vec![("grant_type", "authorization_code"), ("code_verifier", VERIFIER)], "invalid_request"),
        (vec![("grant_type", "authorization_code"), ("code", code.as_str())], "invalid_request"),
        (vec![("grant_type", "refresh_token")], "invalid_request"),
        (vec![("grant_type", "refresh_token"), ("refresh_token", "x")], "invalid_grant"),
    ] {
        let refused = form(&server, "/oauth/token", Some((own, hidden)), &fields).await;
        assert_eq!((refused.status, &refused.body["error"]), (400, &json!(error)), "{fields:?}");
    }
    assert_eq!(server.call("GET", "/oauth/token", None, None).await.status, 405);
    // None of it used the code up, and the body may be JSON and carry the secret.
    let body =
        json!({ "grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER, "client_id": own, "client_secret": hidden });
    server.post("/oauth/token", body).await.ok();

    let narrow = client(&server, json!({ "redirect_uris": [CALLBACK], "grant_types": ["authorization_code"] })).await;
    let got = tokens(&server, &narrow, &ann, &[]).await;
    assert!(got.get("refresh_token").is_none(), "it was not registered for one");
    let fields = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    let refused = form(&server, "/oauth/token", Some((id(&narrow), secret(&narrow))), &fields).await;
    assert_eq!(refused.body["error"], "unauthorized_client");
}

#[tokio::test]
async fn an_app_takes_any_port_of_its_machine_and_is_asked_for_every_time() {
    let server = server(|_| ()).await;
    let uris = json!(["http://127.0.0.1/callback", "com.example.app:/callback"]);
    let app = client(&server, json!({ "redirect_uris": uris, "token_endpoint_auth_method": "none" })).await;
    let ann = server.sign_up("ann@example.com").await;
    for uri in ["http://127.0.0.1:51004/callback", "com.example.app:/callback"] {
        for _ in 0..2 {
            let authorization = ask(&server, &app, &[("redirect_uri", uri)]).await;
            let shown = details(&server, &ann, &authorization).await.ok();
            assert_eq!(shown["redirect_uri"], uri, "another app could say it is this one: {shown}");
            let agreed = consent(&server, &ann, &authorization, "approve").await.ok();
            let back = url::Url::parse(agreed["redirect_url"].as_str().unwrap()).unwrap();
            assert!(back.as_str().starts_with(&format!("{uri}?code=")), "{back}");
            let code = query(&back, "code").unwrap();
            let fields = [("grant_type", "authorization_code"), ("code", &code), ("code_verifier", VERIFIER), ("client_id", id(&app))];
            let got = form(&server, "/oauth/token", None, &fields).await.ok();
            let again =
                [("grant_type", "refresh_token"), ("refresh_token", got["refresh_token"].as_str().unwrap()), ("client_id", id(&app))];
            assert_eq!(form(&server, "/oauth/token", None, &again).await.status, 200);
        }
    }
    let other = authorize(&server, &app, &[("redirect_uri", "http://localhost:51004/callback")]).await;
    assert_eq!((other.status, other.headers.get("location")), (400, None));
}

#[tokio::test]
async fn a_token_says_for_which_service_it_was_asked() {
    let server = server(|_| ()).await;
    let planner = planner(&server).await;
    let ann = server.sign_up("ann@example.com").await;
    let mcp = "https://mcp.example.com/v1";
    let held = tokens(&server, &planner, &ann, &[("resource", mcp)]).await;
    assert_eq!(claims(&held)["aud"], json!(["authenticated", mcp]));
    assert_eq!(server.user(&held).await.status, 200);
    assert_eq!(claims(&refresh(&server, &planner, &held).await.ok())["aud"], json!(["authenticated", mcp]));
    let code = query(&agree(&server, &planner, &ann, &[("resource", mcp), ("prompt", "consent")]).await, "code").unwrap();
    let fields =
        [("grant_type", "authorization_code"), ("code", &code), ("code_verifier", VERIFIER), ("resource", "https://other.example.com")];
    let refused = form(&server, "/oauth/token", Some((id(&planner), secret(&planner))), &fields).await;
    assert_eq!((refused.status, &refused.body["error"]), (400, &json!("invalid_target")));
}

#[tokio::test]
async fn one_address_has_only_so_many_questions_open() {
    let server = server(|config| config.oauth_server.authorizations_max = 2).await;
    let planner = planner(&server).await;
    let from = async |address: &str| {
        let more =
            [("client_id", id(&planner)), ("redirect_uri", CALLBACK), ("code_challenge", CHALLENGE), ("code_challenge_method", "S256")];
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(more).finish();
        let mut request = Request::get(format!("/oauth/authorize?{query}")).body(Body::empty()).unwrap();
        request.extensions_mut().insert(kernel::ClientAddress(address.parse().unwrap()));
        server.send(request).await
    };
    let statuses = [from("203.0.113.1").await, from("203.0.113.1").await, from("203.0.113.1").await, from("203.0.113.2").await];
    assert_eq!(statuses.each_ref().map(|answer| answer.status), [302, 302, 429, 302]);
    assert_eq!(statuses[2].headers["retry-after"], "600");
    server.wait(600);
    assert_eq!(from("203.0.113.1").await.status, 302);
    server.wait(24 * 3600 + 1);
    from("203.0.113.1").await;
    assert_eq!(server.ask("select count(*) from auth.oauth_authorizations").await, "2", "what is long over is taken out of the way");
}

#[tokio::test]
async fn programs_find_everything_by_the_address_of_the_issuer() {
    let open = server(|config| config.oauth_server.dynamic_registration = true).await;
    let at = "http://localhost:54321/auth/v1";
    let document = open.call("GET", "/.well-known/oauth-authorization-server", None, None).await;
    assert_eq!(document.headers["cache-control"], "public, max-age=600");
    let document = document.ok();
    let told = [
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "registration_endpoint",
        "revocation_endpoint",
        "introspection_endpoint",
        "userinfo_endpoint",
        "jwks_uri",
    ];
    let paths = [
        "",
        "/oauth/authorize",
        "/oauth/token",
        "/oauth/register",
        "/oauth/revoke",
        "/oauth/introspect",
        "/oauth/userinfo",
        "/.well-known/jwks.json",
    ];
    assert_eq!(told.map(|name| document[name].clone()), paths.map(|path| json!(format!("{at}{path}"))));
    let lists =
        ["response_types_supported", "grant_types_supported", "code_challenge_methods_supported", "id_token_signing_alg_values_supported"];
    let expected = [json!(["code"]), json!(["authorization_code", "refresh_token"]), json!(["S256"]), json!(["ES256"])];
    assert_eq!(lists.map(|name| document[name].clone()), expected);
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
    assert_eq!(open.call("GET", "/.well-known/openid-configuration", None, None).await.ok(), document);
    let root = auth::well_known(open.auth.clone());
    for path in ["oauth-authorization-server", "oauth-authorization-server/auth/v1", "openid-configuration", "openid-configuration/auth/v1"]
    {
        let request = Request::get(format!("/.well-known/{path}")).body(Body::empty()).unwrap();
        let answer = tower::ServiceExt::oneshot(root.clone(), request).await.unwrap();
        let bytes = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
        assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), document, "{path}");
    }
    let quiet = server(|_| ()).await.call("GET", "/.well-known/openid-configuration", None, None).await.ok();
    assert!(quiet.get("registration_endpoint").is_none());
}
