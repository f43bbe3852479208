//! What a company's provider tries that a stranger runs: anybody founds a company, and its provider says what he likes.

use auth::AuthConfig;
use auth::config::ExternalConfig;
use serde_json::{Value, json};

use crate::authenticator::Authenticator;
use crate::external::{begin, come_back, google, led, me, value};
use crate::provider::Provider;
use crate::server::{Answer, PASSWORD, Server, claims, token};
use crate::sign_on::{company, described};

/// A server, and a stranger with a company and a provider of his own: its name, and his session.
async fn stranger(config: AuthConfig) -> (Server, Provider, String, Value) {
    let external = ExternalConfig { private_addresses_allowed: true, manual_linking_enabled: true, ..config.external };
    let (server, provider) = (Server::with(AuthConfig { external, ..config }).await, Provider::start().await);
    let (evil, eve) = company(&server, "evil").await;
    let made = server.call("POST", "/sign-on/providers", Some(token(&eve)), Some(described(&provider.url))).await;
    assert_eq!(made.status, 201, "{}", made.text);
    server.sql("update public.sign_on_providers set joins = true").await;
    let name = format!("sso:{evil}:{}", made.body["id"].as_str().unwrap());
    (server, provider, name, eve)
}

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const PKCE: &str = "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=s256";

/// What an address says.
fn part(page: &str, name: &str) -> String {
    let page = url::Url::parse(page).unwrap();
    page.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned()
}

/// The way to another provider, with something else in it.
fn instead(page: &str, name: &str, value: &str) -> String {
    let mut page = url::Url::parse(page).unwrap();
    let others = page.query_pairs().filter(|(key, _)| key != name).map(|(key, value)| (key.into_owned(), value.into_owned()));
    let others: Vec<(String, String)> = others.collect();
    page.query_pairs_mut().clear().extend_pairs(others).append_pair(name, value);
    page.into()
}

#[tokio::test]
async fn a_code_of_one_provider_is_never_shown_to_another() {
    let honest = Provider::start().await;
    let (server, evil, name, _) = Box::pin(stranger(AuthConfig { autoconfirm: true, ..google(&honest) })).await;
    // Eve begins with the honest provider herself. Ann follows Eve's address, and Eve's provider sends her on to the honest one, which
    // knows Ann, with what Eve began and the state of Ann's way.
    let (eves, _) = begin(&server, &format!("provider=google&{PKCE}")).await;
    let (anns, cookie) = begin(&server, &format!("provider={name}")).await;
    let back = honest.agree(&instead(&eves, "state", &part(&anns, "state")));
    assert!(back.starts_with("/callback?"), "the honest provider knows no other way back: {back}");
    let said = led(&come_back(&server, &back, cookie.as_deref()).await).1;
    assert_eq!(value(&said, "error_code"), "bad_oauth_state");
    assert_eq!(evil.inner().asked.len(), 0, "Eve would have a code for Ann's account");
    // The other way round, and between companies.
    let (eves, cookie) = begin(&server, "provider=google").await;
    let (anns, _) = begin(&server, &format!("provider={name}")).await;
    let theirs = instead(&anns, "state", &part(&eves, "state"));
    let said = led(&come_back(&server, &evil.agree(&theirs), cookie.as_deref()).await).1;
    assert_eq!(value(&said, "error_code"), "bad_oauth_state");
    for company in ["0197c2a0-0000-7000-8000-000000000001", "x"] {
        let (anns, cookie) = begin(&server, &format!("provider={name}")).await;
        let back = evil.agree(&anns);
        let (_, query) = back.split_once('?').unwrap();
        let said = led(&come_back(&server, &format!("/sso/callback/{company}?{query}"), cookie.as_deref()).await).1;
        assert_eq!(value(&said, "error_code"), "bad_oauth_state");
    }
    assert_eq!((evil.inner().asked.len(), honest.inner().asked.len()), (0, 0));

    // Who sends a browser back says so, where he says that he does.
    honest.inner().document = json!({ "authorization_response_iss_parameter_supported": true });
    let server = Server::with(google(&honest)).await;
    for (says, let_in) in [(String::new(), false), (format!("&iss={}", evil.url), false), (format!("&iss={}", honest.url), true)] {
        let (page, cookie) = begin(&server, "provider=google").await;
        let back = format!("{}{says}", honest.agree(&page));
        let said = led(&come_back(&server, &back, cookie.as_deref()).await).1;
        assert_eq!(value(&said, "error"), if let_in { "" } else { "server_error" }, "{says}");
        assert_eq!(honest.inner().asked.len(), usize::from(let_in));
    }
    honest.inner().document = json!({});
    let server = Server::with(google(&honest)).await;
    let (page, cookie) = begin(&server, "provider=google").await;
    let back = format!("{}&iss={}", honest.agree(&page), evil.url);
    assert_eq!(value(&led(&come_back(&server, &back, cookie.as_deref()).await).1, "error"), "server_error");
    let (page, cookie) = begin(&server, "provider=google").await;
    me(&server, &led(&come_back(&server, &honest.agree(&page), cookie.as_deref()).await).1).await;
}

#[tokio::test]
async fn a_companys_provider_brings_no_id_tokens() {
    let (server, provider, name, eve) = Box::pin(stranger(AuthConfig::default())).await;
    let ann = server.sign_up("ann@mail.example").await;
    server.sql("update auth.users set email_proved_at = now() where email = 'ann@mail.example'").await;
    provider.person(json!({ "sub": "1", "email": "ann@mail.example", "email_verified": true }));
    // Not into an account that it names, not into a new one, and not as another way into one's own.
    for email in ["ann@mail.example", "new@mail.example", "new@evil.example"] {
        provider.person(json!({ "sub": email, "email": email, "email_verified": true }));
        for links in [false, true] {
            let body = json!({ "provider": name, "id_token": provider.id_token(None), "link_identity": links });
            let answer = server.call("POST", "/token?grant_type=id_token", Some(token(&eve)), Some(body)).await;
            answer.refused(400, "provider_disabled", "The provider is not enabled");
        }
    }
    assert_eq!(server.ask("select count(*) from auth.identities where provider like 'sso:%'").await, "0");
    assert_eq!(server.user(&ann).await.ok()["identities"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_companys_provider_proves_no_address_of_others() {
    let (server, provider, name, _) = Box::pin(stranger(AuthConfig::default())).await;
    let arrive = async |person: Value| {
        provider.person(person);
        let (page, cookie) = begin(&server, &format!("provider={name}")).await;
        led(&come_back(&server, &provider.agree(&page), cookie.as_deref()).await).1
    };
    let said = arrive(json!({ "sub": "1", "email": "eve2@evil.example" })).await;
    let id = me(&server, &said).await["id"].as_str().unwrap().to_owned();
    // Known by now, she is somebody else to her provider.
    let other = arrive(json!({ "sub": "1", "email": "ann@mail.example", "email_verified": true })).await;
    assert_eq!(value(&other, "error_code"), "sso_domain_not_proved");
    assert_eq!(value(&arrive(json!({ "sub": "1" })).await, "error_code"), "email_address_not_provided");
    let noted = "select string_agg(i.identity_data ->> 'email', ' ') from auth.identities i where i.provider like 'sso:%'";
    assert_eq!(server.ask(noted).await, "eve2@evil.example");
    // Of a domain that the company lost it says nothing more.
    server.sql("update app.proved_domains set domain = 'other.example'").await;
    assert_eq!(value(&arrive(json!({ "sub": "1", "email": "eve2@evil.example" })).await, "error_code"), "sso_domain_not_proved");
    // Whatever is noted with the identity, the account is not known by it.
    server
        .sql("update auth.identities set identity_data = identity_data || '{\"email\": \"ann@mail.example\"}' where provider like 'sso:%'")
        .await;
    let added =
        format!("insert into auth.identities (user_id, provider, provider_id, identity_data) values ('{id}', 'email', '{id}', '{{}}')");
    server.sql(&added).await;
    let email = server.ask("select id from auth.identities where provider = 'email' and identity_data = '{}'").await;
    server.call("DELETE", &format!("/user/identities/{email}"), Some(value(&said, "access_token")), None).await.ok();
    let known = format!("select coalesce(email, '-') || coalesce(email_proved_at::text, '-') from auth.users where id = '{id}'");
    assert_eq!(server.ask(&known).await, "--");
}

#[tokio::test]
async fn who_has_to_sign_on_comes_in_no_other_way() {
    let provider = Provider::start().await;
    let external = ExternalConfig { private_addresses_allowed: true, ..google(&provider).external };
    let server = Server::with(AuthConfig { external, ..AuthConfig::default() }).await;
    let (acme, owner) = company(&server, "acme").await;
    let ann = server.sign_up("ann@acme.example").await;
    let mut device = Authenticator::new();
    server.new_passkey(&ann, &mut device).await.ok();
    let id = ann["user"]["id"].as_str().unwrap();
    server.sql("update auth.users set email_proved_at = now()").await;
    server.sql(&format!("insert into public.team_members (company_id, user_id) values ('{acme}', '{id}')")).await;
    provider.person(json!({ "sub": "1", "email": "ann@acme.example", "email_verified": true }));
    let mut wish = described(&provider.url);
    wish["is_enforced"] = json!(true);
    let made = server.call("POST", "/sign-on/providers", Some(token(&owner)), Some(wish)).await;
    assert_eq!(made.status, 201, "{}", made.text);

    let refused = |answer: &Answer| answer.refused(403, "sso_required", "Your company has you sign in with its own provider");
    let body = json!({ "email": "ann@acme.example", "password": PASSWORD });
    refused(&server.post("/token?grant_type=password", body).await);
    refused(&server.refresh(&ann).await);
    refused(&server.by_passkey(&mut device).await);
    server.post("/otp", json!({ "email": "ann@acme.example" })).await.ok();
    let letter = server.message("ann@acme.example").await;
    refused(&server.post("/verify", json!({ "token_hash": letter.token(), "type": "magiclink" })).await);
    let (page, cookie) = begin(&server, "provider=google").await;
    let said = led(&come_back(&server, &provider.agree(&page), cookie.as_deref()).await).1;
    assert_eq!((value(&said, "error_code"), value(&said, "access_token")), ("sso_required", ""));
    let (page, _) = begin(&server, &format!("provider=google&{PKCE}")).await;
    let said = led(&come_back(&server, &provider.agree(&page), None).await).1;
    let exchange = json!({ "auth_code": value(&said, "code"), "code_verifier": VERIFIER });
    refused(&server.post("/token?grant_type=pkce", exchange).await);
    let brought = json!({ "provider": "google", "id_token": provider.id_token(None) });
    refused(&server.post("/token?grant_type=id_token", brought).await);
    // What is still good of an earlier session does not lead out of the rule.
    let change = async |email: &str| {
        server.call("PUT", "/user", Some(token(&ann)), Some(json!({ "email": email }))).await.ok();
        let letter = server.message(email).await;
        server.post("/verify", json!({ "token_hash": letter.token(), "type": "email_change" })).await
    };
    change("ann@mail.example").await.refused(403, "sso_required", "Your company has you sign in by this address.");
    let renamed = json!({ "email": "lee@acme.example" });
    server.call("PUT", &format!("/admin/users/{id}"), Some(server.ring.service().token.expose()), Some(renamed)).await.ok();

    // With the provider she is in, and stays.
    provider.person(json!({ "sub": "1", "email": "lee@acme.example" }));
    server.sql("update auth.users set email_proved_at = now()").await;
    let (page, cookie) = begin(&server, &format!("provider=sso:{acme}:{}", made.body["id"].as_str().unwrap())).await;
    let said = led(&come_back(&server, &provider.agree(&page), cookie.as_deref()).await).1;
    assert_eq!(me(&server, &said).await["id"], ann["user"]["id"]);
    let session = server.refresh(&json!({ "refresh_token": value(&said, "refresh_token") })).await.ok();
    assert!(claims(&session)["amr"][0]["provider"].as_str().unwrap().starts_with(&format!("sso:{acme}:")));

    // Who accepts an invitation becomes a member, and comes with the provider.
    let invitation = json!({ "email": "new@acme.example", "role": "technician" });
    server.call("POST", &format!("/companies/{acme}/invitations"), Some(token(&owner)), Some(invitation)).await;
    let invited = server.invitation_token("new@acme.example").await;
    let accepted = server.post("/invitations/accept", json!({ "token": invited, "password": PASSWORD })).await.ok();
    assert!(accepted.get("session").is_none() && accepted["member"]["status"] == "active", "{accepted}");
}
