//! Accounts that were prepared under the address of somebody else, who comes.

use auth::AuthConfig;
use auth::config::OneTimeConfig;
use serde_json::{Value, json};

use crate::authenticator::Authenticator;
use crate::external::{google, me, sign_in};
use crate::provider::Provider;
use crate::server::{PASSWORD, Server, token};

/// What belongs to an account, with how many rows of it.
const HELD: &str = "select string_agg(x.n, ' ' order by x.n collate \"C\") from (
    select c.conrelid::regclass::text || '=' || (xpath('/row/n/text()', query_to_xml(format('select count(*) as n from %s where %I = %L',
             c.conrelid::regclass, a.attname, (select id from auth.users where email = 'ann@example.com')), false, true, '')))[1]::text as n
      from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
     where c.contype = 'f' and c.confrelid = 'auth.users'::regclass and c.conrelid not in ('auth.security_events'::regclass, 'app.removed_members'::regclass, 'public.legal_holds'::regclass)) x";

/// Eve signs up with Ann's address where none has to be proved, and leaves whatever she could come back with.
async fn prepare(server: &Server) -> (Value, Authenticator) {
    let eve = server.sign_up("ann@example.com").await;
    let mut device = Authenticator::new();
    server.new_passkey(&eve, &mut device).await.ok();
    let factor = json!({ "factor_type": "totp", "friendly_name": "eve" });
    server.call("POST", "/factors", Some(token(&eve)), Some(factor)).await.ok();
    server.call("POST", "/passkeys/registration/options", Some(token(&eve)), Some(json!({}))).await.ok();
    server.call("PUT", "/user", Some(token(&eve)), Some(json!({ "phone": "+15550100" }))).await.ok();
    let id = eve["user"]["id"].as_str().unwrap();
    let session = crate::server::claims(&eve)["session_id"].as_str().unwrap().to_owned();
    server
        .sql(&format!(
            "insert into auth.identities (user_id, provider, provider_id, identity_data) values ('{id}', 'github', '7', '{{}}');
             insert into auth.oauth_clients (id, name, auth_method, redirect_uris, grant_types, registration, created_at, updated_at)
             values ('{id}', 'p', 'none', '{{https://p.example}}', '{{authorization_code}}', 'manual', now(), now());
             insert into auth.oauth_consents (user_id, client_id, scopes, granted_at) values ('{id}', '{id}', '{{email}}', now());
             insert into auth.oauth_authorizations (id, client_id, redirect_uri, scopes, code_challenge, asks_again, status, user_id,
                                                    approved_in, code_hash, created_at, expires_at)
             values ('{id}', '{id}', 'https://p.example', '{{email}}', repeat('x', 43), false, 'approved', '{id}', '{session}',
                     decode(repeat('00', 32), 'hex'), now(), now() + interval '1 year');
             insert into app.push_devices (user_id, provider, platform, address) values ('{id}', 'fcm', 'android', repeat('x', 40));
             insert into auth.flow_states (id, user_id, method, challenge, challenge_method, created_at, expires_at)
             values ('{id}', '{id}', 'otp', repeat('x', 43), 's256', now(), now() + interval '1 year');"
        ))
        .await;
    let held = server.ask(HELD).await;
    assert!(!held.contains("=0"), "a way in that was not prepared: {held}");
    (eve, device)
}

/// Nothing lets Eve in; what there is came with Ann.
async fn is_out(server: &Server, (eve, device): (&Value, &mut Authenticator), ann: &Value) {
    assert_eq!(ann["id"], eve["user"]["id"]);
    assert_eq!(server.user(eve).await.status, 403);
    assert_eq!(server.refresh(eve).await.status, 400);
    assert_eq!(server.by_passkey(device).await.body["code"], "webauthn_verification_failed");
    let password = server.post("/token?grant_type=password", json!({ "email": "ann@example.com", "password": PASSWORD })).await;
    password.refused(400, "invalid_credentials", "Invalid login credentials");
    assert_eq!(
        server.ask(HELD).await,
        "app.push_devices=0 auth.flow_states=0 auth.identities=1 auth.mfa_factors=0 auth.oauth_authorizations=0 auth.oauth_consents=0 auth.one_time_tokens=0 \
         auth.passkey_challenges=0 auth.passkeys=0 auth.sessions=2 users=1"
    );
    assert_eq!(server.ask("select count(*) from auth.sessions where revoked_at is null").await, "1");
    let known = "select coalesce(phone, '-') || coalesce(email_change, '-') || coalesce(phone_change, '-') from auth.users";
    assert_eq!(server.ask(known).await, "---");
}

#[tokio::test]
async fn who_comes_with_a_provider_finds_nothing_that_was_prepared() {
    let provider = Provider::start().await;
    let server = Server::with(AuthConfig { external: google(&provider).external, ..AuthConfig::default() }).await;
    let (eve, mut device) = prepare(&server).await;
    // An account with another way in would lose the address instead.
    server.sql("delete from auth.identities where provider = 'github'").await;
    let ann = me(&server, &sign_in(&server, &provider, "google").await).await;
    assert_eq!(ann["app_metadata"]["providers"], json!(["google"]));
    is_out(&server, (&eve, &mut device), &ann).await;
}

#[tokio::test]
async fn who_comes_by_a_link_finds_nothing_that_was_prepared() {
    let server = Server::new().await;
    let (eve, mut device) = prepare(&server).await;
    server.post("/otp", json!({ "email": "ann@example.com" })).await.ok();
    let letter = server.message("ann@example.com").await;
    let session = server.post("/verify", json!({ "token_hash": letter.token(), "type": "magiclink" })).await.ok();
    assert_eq!(session["user"]["app_metadata"]["providers"], json!(["email"]));
    is_out(&server, (&eve, &mut device), &session["user"]).await;

    // What its holder adds stays, from then on.
    let mut own = Authenticator::new();
    server.new_passkey(&session, &mut own).await.ok();
    server.call("PUT", "/user", Some(token(&session)), Some(json!({ "password": "chosen by Ann alone" }))).await.ok();
    server.wait(60);
    server.post("/recover", json!({ "email": "ann@example.com" })).await.ok();
    let letter = server.message("ann@example.com").await;
    server.post("/verify", json!({ "token_hash": letter.token(), "type": "recovery" })).await.ok();
    server.by_passkey(&mut own).await.ok();
    assert_eq!(server.user(&session).await.status, 200);
    server.post("/token?grant_type=password", json!({ "email": "ann@example.com", "password": "chosen by Ann alone" })).await.ok();
}

#[tokio::test]
async fn who_comes_by_a_code_finds_nothing_that_was_prepared_under_his_number() {
    let one_time = OneTimeConfig { phone_autoconfirm: true, ..OneTimeConfig::default() };
    let server = Server::with(AuthConfig { one_time, ..AuthConfig::default() }).await;
    let eve = server.post("/signup", json!({ "phone": "+15550100", "password": PASSWORD })).await.ok();
    let mut device = Authenticator::new();
    server.new_passkey(&eve, &mut device).await.ok();
    server.call("POST", "/factors", Some(token(&eve)), Some(json!({ "factor_type": "totp", "friendly_name": "eve" }))).await.ok();
    server.call("PUT", "/user", Some(token(&eve)), Some(json!({ "email": "eve@example.com" }))).await.ok();

    let by_code = async || {
        server.wait(60);
        server.post("/otp", json!({ "phone": "+15550100" })).await.ok();
        let code = server.message("+15550100").await.code;
        server.post("/verify", json!({ "phone": "+15550100", "token": code, "type": "sms" })).await.ok()
    };
    let ann = by_code().await;
    assert_eq!(ann["user"]["id"], eve["user"]["id"]);
    assert_eq!(ann["user"]["email"], "");
    assert_eq!(ann["user"]["app_metadata"]["providers"], json!(["phone"]));
    assert_eq!(server.user(&eve).await.status, 403);
    assert_eq!(server.refresh(&eve).await.status, 400);
    assert_eq!(server.by_passkey(&mut device).await.body["code"], "webauthn_verification_failed");
    for who in [json!({ "phone": "+15550100", "password": PASSWORD }), json!({ "email": "eve@example.com", "password": PASSWORD })] {
        server.post("/token?grant_type=password", who).await.refused(400, "invalid_credentials", "Invalid login credentials");
    }
    assert_eq!(server.ask("select count(*) from auth.mfa_factors").await, "0");

    // What its holder adds stays, from then on.
    let mut own = Authenticator::new();
    server.new_passkey(&ann, &mut own).await.ok();
    server.call("PUT", "/user", Some(token(&ann)), Some(json!({ "password": "chosen by Ann alone" }))).await.ok();
    by_code().await;
    server.by_passkey(&mut own).await.ok();
    server.post("/token?grant_type=password", json!({ "phone": "+15550100", "password": "chosen by Ann alone" })).await.ok();
}
