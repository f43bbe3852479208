//! Hooks about new accounts: whichever way somebody comes, they are asked before and told afterwards.

use auth::AuthConfig;
use auth::config::{AnonymousConfig, HooksConfig};
use serde_json::{Value, json};

use crate::external::{google, sign_in, value};
use crate::hooks::{Receiver, Say, by_function, function, limits};
use crate::provider::Provider;
use crate::scim::{Directory, USER};
use crate::server::{PASSWORD, Server, token};
use crate::sign_on::{company, described, sign_on};

#[tokio::test]
async fn whoever_makes_an_account_asks_the_hooks() {
    let provider = Provider::start().await;
    let mut receiver = Receiver::new(Say::Plain(204, "text/plain", String::new())).await;
    let hooks = HooksConfig {
        before_user_created: by_function("not_eve"),
        after_user_created: receiver.config(),
        limits: limits(),
        ..HooksConfig::default()
    };
    let anonymous = AnonymousConfig { enabled: true, ..AnonymousConfig::default() };
    let server = Server::with(AuthConfig { autoconfirm: true, hooks, anonymous, ..google(&provider) }).await;
    function(
        &server,
        "not_eve",
        "if event #>> '{user,email}' like 'eve@%' or event #>> '{user,user_metadata,name}' = 'eve' then
           return jsonb_build_object('error', jsonb_build_object('http_code', 403, 'message', 'Not her'));
         end if;
         return '{}';",
    )
    .await;
    let directory = Directory::of(&server, "acme").await;
    assert_eq!(receiver.hears().await["user"]["email"], "owner@acme.example");
    let key = server.ring.service().token.expose().clone();
    let with_key = async |path: &str, body: Value| server.call("POST", path, Some(&key), Some(body)).await;
    let eve = "eve@example.com";
    for (path, body) in [
        ("/admin/users", json!({ "email": eve })),
        ("/invite", json!({ "email": eve })),
        ("/admin/generate_link", json!({ "type": "magiclink", "email": eve })),
        ("/admin/generate_link", json!({ "type": "signup", "email": eve, "password": PASSWORD })),
        ("/signup", json!({ "data": { "name": "eve" } })),
    ] {
        with_key(path, body).await.refused(403, "hook_refused", "Not her");
    }
    let comes = |sub: &str, email: &str| provider.person(json!({ "sub": sub, "email": email, "email_verified": true }));
    comes("7", eve);
    assert_eq!(value(&sign_in(&server, &provider, "google").await, "error_code"), "hook_refused");
    let provisioned = |name: &str| json!({ "schemas": [USER], "userName": name, "active": true });
    assert_eq!(directory.post("/Users", provisioned("eve@acme.example")).await.status, 403);
    assert_eq!(server.ask("select count(*) from auth.users").await, "1");
    assert_eq!(receiver.heard_times(), 0);

    with_key("/admin/users", json!({ "email": "ann@example.com" })).await.ok();
    assert_eq!(receiver.hears().await["user"]["email"], "ann@example.com");
    with_key("/invite", json!({ "email": "bob@example.com" })).await.ok();
    assert_eq!(receiver.hears().await["user"]["email"], "bob@example.com");
    with_key("/admin/generate_link", json!({ "type": "magiclink", "email": "cid@example.com" })).await.ok();
    assert_eq!(receiver.hears().await["user"]["email"], "cid@example.com");
    server.post("/signup", json!({})).await.ok();
    let told = receiver.hears().await;
    assert_eq!((&told["user"]["is_anonymous"], &told["user"]["app_metadata"]), (&json!(true), &json!({})));
    comes("8", "dan@example.com");
    sign_in(&server, &provider, "google").await;
    assert_eq!(receiver.hears().await["user"]["app_metadata"]["provider"], "google");
    assert_eq!(directory.post("/Users", provisioned("fay@acme.example")).await.status, 201);
    assert_eq!(receiver.hears().await["user"]["email"], "fay@acme.example");
    // Who has an account already is none that was made.
    sign_in(&server, &provider, "google").await;
    server.wait(60);
    with_key("/invite", json!({ "email": "bob@example.com" })).await.ok();
    assert_eq!(receiver.heard_times(), 0);
}

#[tokio::test]
async fn who_comes_from_elsewhere_into_a_company_is_one_the_hooks_are_asked_about() {
    let provider = Provider::start().await;
    let mut receiver = Receiver::new(Say::Plain(204, "text/plain", String::new())).await;
    let hooks = HooksConfig {
        before_user_created: by_function("not_eve"),
        after_user_created: receiver.config(),
        limits: limits(),
        ..HooksConfig::default()
    };
    let mut config = AuthConfig { autoconfirm: true, hooks, ..google(&provider) };
    config.external.private_addresses_allowed = true;
    config.one_time.site_url = Some("https://app.example.com".to_owned());
    let server = Server::with(config).await;
    function(
        &server,
        "not_eve",
        "if event #>> '{user,email}' like 'eve%' then
           return jsonb_build_object('error', jsonb_build_object('http_code', 403, 'message', 'Not her'));
         end if;
         return '{}';",
    )
    .await;
    let (acme, owner) = company(&server, "acme").await;
    assert_eq!(receiver.hears().await["user"]["email"], "owner@acme.example");
    let comes = |sub: &str, email: &str| provider.person(json!({ "sub": sub, "email": email, "email_verified": true }));

    // An ID token that an application brings.
    let bring =
        async || server.post("/token?grant_type=id_token", json!({ "provider": "google", "id_token": provider.id_token(None) })).await;
    comes("1", "eve@example.com");
    bring().await.refused(403, "hook_refused", "Not her");
    comes("2", "ann@example.com");
    bring().await.ok();
    assert_eq!(receiver.hears().await["user"]["email"], "ann@example.com");

    // The company's own provider.
    let made = server.call("POST", "/sign-on/providers", Some(token(&owner)), Some(described(&provider.url))).await;
    assert_eq!(made.status, 201, "{}", made.text);
    server.sql("update public.sign_on_providers set joins = true").await;
    let by_domain = || json!({ "domain": "acme.example", "skip_http_redirect": true });
    comes("3", "eve@acme.example");
    assert_eq!(value(&sign_on(&server, &provider, by_domain()).await, "error_code"), "hook_refused");
    comes("4", "bob@acme.example");
    sign_on(&server, &provider, by_domain()).await;
    assert_eq!(receiver.hears().await["user"]["email"], "bob@acme.example");

    // An invitation, accepted by somebody without an account.
    for (name, is_refused) in [("eve2@example.com", true), ("cid@example.com", false)] {
        assert_eq!(server.invite(&owner, &acme, name, "technician").await.status, 201);
        let secret = server.invitation_token(name).await;
        let answer = server.accept(None, json!({ "token": secret, "password": PASSWORD })).await;
        if is_refused {
            answer.refused(403, "hook_refused", "Not her");
        } else {
            answer.ok();
            assert_eq!(receiver.hears().await["user"]["email"], name);
        }
    }
    assert_eq!(receiver.heard_times(), 0);
    assert_eq!(server.ask("select count(*) from auth.users where email like 'eve%'").await, "0");
    let emails = "select string_agg(email, ' ' order by email collate \"C\") from public.team_members";
    assert_eq!(server.ask(emails).await, "bob@acme.example cid@example.com owner@acme.example");
}
