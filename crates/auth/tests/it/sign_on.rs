//! A company's own provider: whom it lets in, and where it ends.

use auth::AuthConfig;
use auth::config::{ExternalConfig, OneTimeConfig};
use serde_json::{Value, json};

use crate::external::{come_back, led, me, value};
use crate::provider::{CLIENT, Provider, SECRET};
use crate::server::{PASSWORD, Server, token};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(crate) async fn start() -> Server {
    let external = ExternalConfig { private_addresses_allowed: true, ..ExternalConfig::default() };
    let one_time = OneTimeConfig { site_url: Some("https://app.example.com".to_owned()), ..OneTimeConfig::default() };
    Server::with(AuthConfig { external, one_time, ..AuthConfig::default() }).await
}

/// Founds a company that proved `<slug>.example`; returns it with its owner's session.
pub(crate) async fn company(server: &Server, slug: &str) -> (String, Value) {
    let owner = server.sign_up(&format!("owner@{slug}.example")).await;
    let company = server.company(slug, &owner).await;
    server.sql(&format!("set session_replication_role = replica; update public.companies set max_seats = 20 where id = '{company}'")).await;
    server.sql(&format!("insert into app.proved_domains (domain, company_id) values ('{slug}.example', '{company}')")).await;
    (company, server.refresh(&owner).await.ok())
}

pub(crate) fn described(url: &str) -> Value {
    json!({ "name": "Acme ID", "issuer": url, "client_id": CLIENT, "client_secret": SECRET, "default_role": "technician" })
}

/// The whole way; returns what the page was told.
pub(crate) async fn sign_on(server: &Server, provider: &Provider, wish: Value) -> Vec<(String, String)> {
    let answer = server.post("/sso", wish).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let cookie = answer.headers.get("set-cookie").map(|line| line.to_str().unwrap().split(';').next().unwrap().to_owned());
    led(&come_back(server, &provider.agree(answer.body["url"].as_str().unwrap()), cookie.as_deref()).await).1
}

async fn password(server: &Server, email: &str, password: &str) -> Value {
    server.post("/token?grant_type=password", json!({ "email": email, "password": password })).await.body
}

#[tokio::test]
async fn members_sign_in_with_the_provider_of_their_company() {
    let (server, provider) = (start().await, Provider::start().await);
    let (acme, owner) = company(&server, "acme").await;
    let made = server.call("POST", "/sign-on/providers", Some(token(&owner)), Some(described(&provider.url))).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let back = format!("http://localhost:54321/auth/v1/sso/callback/{acme}");
    assert!(made.body.get("client_secret").is_none() && made.body["redirect_uri"] == back);
    let planted = format!(
        "select count(*) from public.sign_on_providers p join auth.sign_on_secrets s using (company_id, id)
          where (p, s)::text like '%{SECRET}%'"
    );
    assert_eq!(server.ask(&planted).await, "0");
    // Not even sealed is it among what members read.
    let sealed = server.ask("select client_secret from auth.sign_on_secrets").await;
    assert_eq!(server.ask(&format!("select count(*) from public.sign_on_providers p where p::text like '%{sealed}%'")).await, "0");
    let reads = "select has_table_privilege('authenticated', 'auth.sign_on_secrets', 'select')";
    assert_eq!(server.ask(reads).await, "false");
    let by_domain = || json!({ "domain": "ACME.example", "skip_http_redirect": true });

    // Who is no member is not let in, and nothing is left of him.
    provider.person(json!({ "sub": "1", "email": "ann@acme.example", "name": "Ann" }));
    assert_eq!(value(&sign_on(&server, &provider, by_domain()).await, "error_code"), "sso_not_member");
    assert_eq!(server.ask("select count(*) from auth.users where email = 'ann@acme.example'").await, "0");
    // Where the company wants it, he joins, and comes back as the same.
    server.sql("update public.sign_on_providers set joins = true").await;
    let first = me(&server, &sign_on(&server, &provider, by_domain()).await).await;
    assert_eq!(first["email"], "ann@acme.example");
    let id = made.body["id"].as_str().unwrap();
    assert_eq!(first["identities"][0]["provider"], format!("sso:{acme}:{id}"));
    let role = "select m.role from public.team_members m where m.email = 'ann@acme.example'";
    assert_eq!(server.ask(role).await, "technician");
    let pkce = json!({ "provider_id": id, "code_challenge": CHALLENGE, "code_challenge_method": "s256" });
    let said = sign_on(&server, &provider, pkce).await;
    let exchange = json!({ "auth_code": value(&said, "code"), "code_verifier": VERIFIER });
    let session = server.post("/token?grant_type=pkce", exchange).await.ok();
    assert_eq!(session["user"]["id"], first["id"]);

    // How he signs in is his company's to say, as long as its provider is there; the rest of the account is his own.
    let put = async |body: Value| server.call("PUT", "/user", Some(token(&session)), Some(body)).await;
    for body in [json!({ "password": "a long password" }), json!({ "email": "ann@example.com" }), json!({ "phone": "+15550100" })] {
        let message = "Updating email, phone, password of a SSO account only possible via SSO";
        put(body).await.refused(422, "user_sso_managed", message);
    }
    put(json!({ "data": { "name": "Ann Lee" } })).await.ok();
    // Forms send what is there along.
    let same = put(json!({ "email": "Ann@ACME.example", "data": { "name": "Ann Lee-Day" } })).await.ok();
    assert_eq!((&same["email"], &same["user_metadata"]["name"]), (&json!("ann@acme.example"), &json!("Ann Lee-Day")));
    server.sql("update public.sign_on_providers set is_enabled = false").await;
    put(json!({ "password": "a long password" })).await.ok();
    server.sql("update public.sign_on_providers set is_enabled = true").await;
    // Of who has a way of his own it is his.
    server.call("PUT", "/user", Some(token(&owner)), Some(json!({ "password": "another long one" }))).await.ok();

    // Whoever took an address of the domain without proving it loses what he prepared.
    let squatter = server.sign_up("bob@acme.example").await;
    provider.person(json!({ "sub": "2", "email": "bob@acme.example" }));
    let bob = me(&server, &sign_on(&server, &provider, by_domain()).await).await;
    assert_eq!(bob["email"], "bob@acme.example");
    assert_eq!(password(&server, "bob@acme.example", PASSWORD).await["code"], "invalid_credentials");
    assert_eq!(server.refresh(&squatter).await.status, 400);

    // Of other domains it says nothing, whatever it says of them.
    let victim = server.sign_up("victim@elsewhere.example").await;
    provider.person(json!({ "sub": "3", "email": "victim@elsewhere.example", "email_verified": true }));
    assert_eq!(value(&sign_on(&server, &provider, by_domain()).await, "error_code"), "sso_domain_not_proved");
    assert_eq!(server.user(&victim).await.ok()["identities"].as_array().unwrap().len(), 1);

    // Who was suspended is not let in again, also not by somebody else's company that has the same provider.
    server.sql("update public.team_members set status = 'suspended' where email = 'ann@acme.example'").await;
    provider.person(json!({ "sub": "1", "email": "ann@acme.example" }));
    assert_eq!(value(&sign_on(&server, &provider, by_domain()).await, "error_code"), "sso_not_member");
    let (_, other) = company(&server, "bolt").await;
    let theirs = server.call("POST", "/sign-on/providers", Some(token(&other)), Some(described(&provider.url))).await.body;
    server.sql("update public.sign_on_providers set joins = true").await;
    let by_id = json!({ "provider_id": theirs["id"] });
    assert_eq!(value(&sign_on(&server, &provider, by_id).await, "error_code"), "sso_domain_not_proved");

    // An account is not linked with it, and one that is off is not there.
    let link = format!("/user/identities/authorize?provider=sso:{acme}:{id}&skip_http_redirect=true");
    assert!(server.call("GET", &link, Some(token(&victim)), None).await.status >= 400);
    server.sql("update public.sign_on_providers set is_enabled = false").await;
    server.post("/sso", by_domain()).await.refused(404, "saml_provider_disabled", "SAML 2.0 is disabled");
}

#[tokio::test]
async fn whoever_was_removed_comes_back_by_invitation_and_nobody_takes_a_promised_seat() {
    let (server, provider) = (start().await, Provider::start().await);
    let (acme, owner) = company(&server, "acme").await;
    let mut wish = described(&provider.url);
    wish["joins"] = json!(true);
    assert_eq!(server.call("POST", "/sign-on/providers", Some(token(&owner)), Some(wish)).await.status, 201);
    let comes = async |name: &str| {
        provider.person(json!({ "sub": name, "email": format!("{name}@acme.example") }));
        sign_on(&server, &provider, json!({ "domain": "acme.example", "skip_http_redirect": true })).await
    };
    let invite = async |name: &str| {
        let body = json!({ "email": format!("{name}@acme.example"), "role": "dispatcher" });
        server.call("POST", &format!("/companies/{acme}/invitations"), Some(token(&owner)), Some(body)).await
    };
    let roles = "select string_agg(split_part(m.email, '@', 1) || ' ' || m.role, ', ' order by m.email) from public.team_members m";

    me(&server, &comes("ann").await).await;
    server.sql("delete from public.team_members where email = 'ann@acme.example'").await;
    assert_eq!(value(&comes("ann").await, "error_code"), "sso_not_member");
    assert_eq!(server.ask(roles).await, "owner owner");
    assert_eq!(invite("ann").await.status, 201);
    me(&server, &comes("ann").await).await;
    assert_eq!(server.ask(roles).await, "ann dispatcher, owner owner");
    assert_eq!(server.ask("select count(*) from app.removed_members").await, "0");
    assert_eq!(server.ask("select count(*) from public.invitations where used_at is null").await, "0");

    // The third seat is Carl's, whoever comes before him.
    server.sql("update public.companies set max_seats = 3").await;
    assert_eq!(invite("carl").await.status, 201);
    assert_eq!(value(&comes("dora").await, "error_code"), "seats_exceeded");
    me(&server, &comes("carl").await).await;
    assert_eq!(server.ask(roles).await, "ann dispatcher, carl dispatcher, owner owner");

    // With an account that goes nobody was removed.
    server.sql("delete from auth.users where email = 'carl@acme.example'").await;
    assert_eq!(server.ask("select count(*) from app.removed_members").await, "0");
}

#[tokio::test]
async fn a_company_can_demand_its_provider() {
    let (server, provider) = (start().await, Provider::start().await);
    let (acme, owner) = company(&server, "acme").await;
    for email in ["ann@acme.example", "guest@elsewhere.example"] {
        let user = server.sign_up(email).await["user"]["id"].as_str().unwrap().to_owned();
        server.sql(&format!("insert into public.team_members (company_id, user_id) values ('{acme}', '{user}')")).await;
    }
    let mut wish = described(&provider.url);
    wish["is_enforced"] = json!(true);
    assert_eq!(server.call("POST", "/sign-on/providers", Some(token(&owner)), Some(wish.clone())).await.status, 201);
    let refused = password(&server, "ann@acme.example", PASSWORD).await;
    assert_eq!(refused, json!({ "code": "sso_required", "message": "Your company has you sign in with its own provider" }));
    assert_eq!(password(&server, "ann@acme.example", "wrong").await["code"], "invalid_credentials", "told to whom has the password");
    // A company that is gone, or that does not let her in, keeps her from nothing else.
    for (gone, back) in [
        ("update public.companies set deleted_at = now()", "update public.companies set deleted_at = null"),
        ("update public.companies set archived_at = now()", "update public.companies set archived_at = null"),
        (
            "update public.team_members set status = 'suspended' where email = 'ann@acme.example'",
            "update public.team_members set status = 'active' where email = 'ann@acme.example'",
        ),
    ] {
        server.sql(gone).await;
        assert!(password(&server, "ann@acme.example", PASSWORD).await["access_token"].is_string(), "{gone}");
        server.sql(back).await;
    }
    assert_eq!(password(&server, "ann@acme.example", PASSWORD).await["code"], "sso_required");
    for email in ["owner@acme.example", "guest@elsewhere.example"] {
        assert!(password(&server, email, PASSWORD).await["access_token"].is_string(), "{email}");
    }
    server.sql("update public.sign_on_providers set is_enabled = false").await;
    assert!(password(&server, "ann@acme.example", PASSWORD).await["access_token"].is_string());

    // Who may add one, and what is one.
    let again = server.call("POST", "/sign-on/providers", Some(token(&owner)), Some(wish.clone())).await;
    assert_eq!((again.status, again.body["code"].as_str()), (409, Some("conflict")));
    let ann = server.sign_in("ann@acme.example").await;
    assert_eq!(server.call("POST", "/sign-on/providers", Some(token(&ann)), Some(wish.clone())).await.body["code"], "permission_denied");
    assert_eq!(server.post("/sign-on/providers", wish.clone()).await.body["code"], "no_authorization");
    for (name, value) in [
        ("issuer", json!("nonsense")),
        ("issuer", json!(format!("{}/elsewhere", provider.url))),
        ("name", json!("")),
        ("client_secret", json!("")),
        ("default_role", json!("owner")),
        ("default_role", json!("admin")),
    ] {
        let mut wrong = wish.clone();
        wrong[name] = value;
        let answer = server.call("POST", "/sign-on/providers", Some(token(&owner)), Some(wrong)).await;
        assert_eq!((answer.status, answer.body["code"].as_str()), (400, Some("validation_failed")), "{name}");
    }
    for wish in [json!({}), json!({ "domain": "nobody.example" }), json!({ "provider_id": "x" }), json!({ "provider_id": acme })] {
        server.post("/sso", wish).await.refused(404, "saml_provider_disabled", "SAML 2.0 is disabled");
    }
    for (method, path) in [("GET", "/admin/sso/providers"), ("POST", "/admin/sso/providers"), ("PUT", "/admin/sso/providers/x")] {
        server.call(method, path, None, None).await.refused(404, "saml_provider_disabled", "SAML 2.0 is disabled");
    }
}

#[tokio::test]
async fn a_company_that_is_shut_lets_nobody_in_by_its_provider() {
    let (server, provider) = (start().await, Provider::start().await);
    let (acme, owner) = company(&server, "acme").await;
    let ann = server.sign_up("ann@acme.example").await["user"]["id"].as_str().unwrap().to_owned();
    server.sql(&format!("insert into public.team_members (company_id, user_id) values ('{acme}', '{ann}')")).await;
    let mut wish = described(&provider.url);
    (wish["is_enforced"], wish["joins"]) = (json!(true), json!(true));
    assert_eq!(server.call("POST", "/sign-on/providers", Some(token(&owner)), Some(wish)).await.status, 201);
    provider.person(json!({ "sub": "1", "email": "ann@acme.example" }));
    for shut in ["suspended_at", "archived_at", "deleted_at"] {
        // Also for who is on his way.
        let begun = server.post("/sso", json!({ "domain": "acme.example" })).await;
        let cookie = begun.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        server
            .sql(&format!("set session_replication_role = replica; update public.companies set {shut} = now() where id = '{acme}'"))
            .await;
        let back = provider.agree(begun.body["url"].as_str().unwrap());
        assert_eq!(value(&led(&come_back(&server, &back, Some(&cookie)).await).1, "error_code"), "provider_disabled", "{shut}");
        server.post("/sso", json!({ "domain": "acme.example" })).await.refused(404, "saml_provider_disabled", "SAML 2.0 is disabled");
        let name = server.ask("select 'sso:' || p.company_id || ':' || p.id from public.sign_on_providers p").await;
        assert_eq!(server.call("GET", &format!("/authorize?provider={name}"), None, None).await.status, 400, "{shut}");
        // It demands nothing either.
        assert!(password(&server, "ann@acme.example", PASSWORD).await["access_token"].is_string(), "{shut}");
        server.sql(&format!("set session_replication_role = replica; update public.companies set {shut} = null where id = '{acme}'")).await;
    }
    assert_eq!(password(&server, "ann@acme.example", PASSWORD).await["code"], "sso_required");
    assert!(!value(&sign_on(&server, &provider, json!({ "domain": "acme.example" })).await, "access_token").is_empty());
}
