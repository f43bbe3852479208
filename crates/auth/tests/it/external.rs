//! Signing in with an account at a provider.

use auth::AuthConfig;
use auth::config::{AppleConfig, ExternalConfig, OneTimeConfig, ProviderConfig};
use axum::body::Body;
use http::Request;
use kernel::Secret;
use serde_json::{Value, json};

use crate::provider::{CLIENT, Provider, SECRET};
use crate::server::{Answer, PASSWORD, Server, claims};

// From the appendix of RFC 7636.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const PKCE: &str = "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=s256";

pub(crate) fn one(issuer: &str) -> ProviderConfig {
    ProviderConfig {
        enabled: true,
        client_id: CLIENT.to_owned(),
        client_secret: Some(Secret::new(SECRET.to_owned())),
        issuer: issuer.to_owned(),
        ..ProviderConfig::default()
    }
}

pub(crate) fn with(external: ExternalConfig) -> AuthConfig {
    let one_time = OneTimeConfig { site_url: Some("https://app.example.com".to_owned()), ..OneTimeConfig::default() };
    AuthConfig { autoconfirm: false, one_time, external, ..AuthConfig::default() }
}

pub(crate) fn google(provider: &Provider) -> AuthConfig {
    with(ExternalConfig { google: one(&provider.url), ..ExternalConfig::default() })
}

/// Begins a sign-in; returns the page and the cookie.
pub(crate) async fn begin(server: &Server, query: &str) -> (String, Option<String>) {
    let answer = server.call("GET", &format!("/authorize?{query}"), None, None).await;
    assert_eq!(answer.status, 302, "{}", answer.text);
    let cookie = answer.headers.get("set-cookie").map(|line| line.to_str().unwrap().split(';').next().unwrap().to_owned());
    (answer.headers["location"].to_str().unwrap().to_owned(), cookie)
}

pub(crate) async fn come_back(server: &Server, path: &str, cookie: Option<&str>) -> Answer {
    let request = Request::builder().uri(path);
    let request = if let Some(cookie) = cookie { request.header("cookie", cookie) } else { request };
    let answer = server.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    answer
}

/// What stands in the fragment, or else the query, of where an answer leads.
pub(crate) fn led(answer: &Answer) -> (String, Vec<(String, String)>) {
    let to = url::Url::parse(answer.headers["location"].to_str().unwrap()).unwrap();
    let said = to.fragment().or(to.query()).unwrap_or_default().as_bytes();
    (format!("{}{}", to.origin().ascii_serialization(), to.path()), url::form_urlencoded::parse(said).into_owned().collect())
}

pub(crate) fn value<'a>(said: &'a [(String, String)], name: &str) -> &'a str {
    said.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
}

/// The whole way without a challenge.
pub(crate) async fn sign_in(server: &Server, provider: &Provider, name: &str) -> Vec<(String, String)> {
    let (page, cookie) = begin(server, &format!("provider={name}")).await;
    led(&come_back(server, &provider.agree(&page), cookie.as_deref()).await).1
}

pub(crate) async fn me(server: &Server, said: &[(String, String)]) -> Value {
    let token = value(said, "access_token");
    assert!(!token.is_empty(), "{said:?}");
    server.call("GET", "/user", Some(token), None).await.ok()
}

#[tokio::test]
async fn somebody_signs_in_with_a_provider_and_comes_back() {
    let provider = Provider::start().await;
    let server = Server::with(google(&provider)).await;
    let external = server.call("GET", "/settings", None, None).await.ok()["external"].clone();
    assert_eq!((&external["google"], &external["github"]), (&json!(true), &json!(false)));
    let (page, cookie) = begin(&server, "provider=google&redirect_to=https%3A%2F%2Fapp.example.com%2Fin&scopes=calendar&prompt=consent&state=x&redirect_uri=https%3A%2F%2Fevil.example").await;
    let asked = url::Url::parse(&page).unwrap();
    let asked: Vec<(String, String)> = asked.query_pairs().into_owned().collect();
    assert_eq!(value(&asked, "redirect_uri"), "http://localhost:54321/auth/v1/callback");
    assert_eq!((value(&asked, "client_id"), value(&asked, "response_type"), value(&asked, "kept")), (CLIENT, "code", "1"));
    assert_eq!((value(&asked, "scope"), value(&asked, "prompt")), ("openid email profile calendar", "consent"));
    assert_eq!((value(&asked, "state").len(), value(&asked, "nonce").len(), value(&asked, "code_challenge").len()), (64, 64, 43));
    assert_eq!(asked.iter().filter(|(name, _)| name == "state" || name == "redirect_uri").count(), 2, "{asked:?}");
    let back = provider.agree(&page);
    let answer = come_back(&server, &back, cookie.as_deref()).await;
    let (page, said) = led(&answer);
    assert_eq!(page, "https://app.example.com/in");
    let names: Vec<&str> = said.iter().map(|(name, _)| name.as_str()).collect();
    let expected =
        ["access_token", "expires_at", "expires_in", "provider_refresh_token", "provider_token", "refresh_token", "sb", "token_type"];
    assert_eq!(names, expected);
    assert_eq!(value(&said, "provider_token"), "planted-access-token");
    let user = me(&server, &said).await;
    assert_eq!((&user["email"], &user["email_confirmed_at"]), (&json!("ann@example.com"), &json!("2026-11-21T12:00:00Z")));
    assert_eq!(user["app_metadata"], json!({ "provider": "google", "providers": ["google"] }));
    assert_eq!((&user["user_metadata"]["full_name"], &user["user_metadata"]["avatar_url"]), (&json!("Ann Lee"), &json!("https://p/a.png")));
    let identity = &user["identities"][0];
    assert_eq!((&identity["provider"], &identity["id"], &identity["email"]), (&json!("google"), &json!("1001"), &json!("ann@example.com")));
    assert_eq!((&identity["identity_data"]["iss"], &identity["identity_data"]["email_verified"]), (&json!(provider.url), &json!(true)));
    assert_eq!(identity["last_sign_in_at"], "2026-11-21T12:00:00.000000Z");
    let session = json!({ "access_token": value(&said, "access_token") });
    assert_eq!(claims(&session)["amr"][0]["method"], "oauth");
    assert_eq!(server.ask("select count(*) from auth.flow_states").await, "0");

    // He is known by his subject, whatever his address is by now, and what he calls himself here stays.
    server.call("PUT", "/user", Some(value(&said, "access_token")), Some(json!({ "data": { "full_name": "A. Lee" } }))).await.ok();
    provider.person(json!({ "sub": "1001", "email": "lee@example.com", "email_verified": true, "name": "Ann Smith" }));
    let again = me(&server, &sign_in(&server, &provider, "google").await).await;
    assert_eq!(
        (&again["id"], &again["email"], &again["user_metadata"]["full_name"]),
        (&user["id"], &json!("ann@example.com"), &json!("A. Lee"))
    );
    assert_eq!(again["identities"][0]["identity_data"]["name"], "Ann Smith");
    assert_eq!(server.ask("select count(*) from auth.users").await, "1");
    server.sql("update auth.users set banned_until = '2100-01-01'").await;
    assert_eq!(value(&sign_in(&server, &provider, "google").await, "error_code"), "user_banned");
}

#[tokio::test]
async fn with_a_challenge_there_is_a_code_and_tokens_are_sealed() {
    let provider = Provider::start().await;
    let server = Server::with(google(&provider)).await;
    let (page, cookie) = begin(&server, &format!("provider=google&{PKCE}")).await;
    assert_eq!(cookie, None, "the application proves itself");
    let (_, said) = led(&come_back(&server, &provider.agree(&page), None).await);
    let kept = server.ask("select secrets from auth.flow_states").await;
    assert!(kept.starts_with(&server.ring.sealing_mark().unwrap()), "{kept}");
    let planted = "select count(*) from auth.flow_states f where f::text like '%planted%'";
    assert_eq!(server.ask(planted).await, "0");
    let exchange = json!({ "auth_code": value(&said, "code"), "code_verifier": VERIFIER });
    let session = server.post("/token?grant_type=pkce", exchange).await.ok();
    assert_eq!(
        (&session["provider_token"], &session["provider_refresh_token"]),
        (&json!("planted-access-token"), &json!("planted-refresh-token"))
    );
    assert_eq!(session["user"]["app_metadata"]["provider"], "google");
    let refreshed = server.refresh(&session).await.ok();
    assert!(refreshed.get("provider_token").is_none(), "in the first answer alone");

    // Somebody who denies is told so on the page he came from, in the provider's word if it is one.
    for (error, told) in [("access_denied", "access_denied"), ("<script>", "access_denied"), ("server_error", "server_error")] {
        let (page, _) = begin(&server, &format!("provider=google&{PKCE}")).await;
        let back = provider.agree(&page);
        let state = back.split_once("state=").unwrap().1;
        let path =
            format!("/callback?error={}&error_description=No%20%0Athanks&state={state}", error.replace('<', "%3C").replace('>', "%3E"));
        let answer = come_back(&server, &path, None).await;
        let location = answer.headers["location"].to_str().unwrap();
        let expected = format!("error={told}&error_code=bad_oauth_callback&error_description=No+thanks");
        assert_eq!(location, format!("https://app.example.com/?{expected}#{expected}&sb="));
    }
}

#[tokio::test]
async fn nobody_is_signed_in_by_an_address_of_somebody_elses() {
    let provider = Provider::start().await;
    let server = Server::with(google(&provider)).await;
    // Eve begins, and sends the way back to Ann, whose browser has no cookie, or one of its own.
    let (eves, cookie) = begin(&server, "provider=google").await;
    let back = provider.agree(&eves);
    let (_, anns) = begin(&server, "provider=google").await;
    for browser in [None, anns.as_deref()] {
        let (page, said) = led(&come_back(&server, &back, browser).await);
        assert_eq!((page.as_str(), value(&said, "error_code")), ("https://app.example.com/", "bad_oauth_state"));
        assert!(provider.inner().asked.is_empty());
    }
    // It was used, also where it was refused.
    let (_, said) = led(&come_back(&server, &back, cookie.as_deref()).await);
    assert_eq!(value(&said, "error_code"), "bad_oauth_state");
    for path in ["/callback", "/callback?state=&code=x", "/callback?state=unknown&code=x"] {
        let (page, said) = led(&come_back(&server, path, None).await);
        assert_eq!((page.as_str(), value(&said, "error_code")), ("https://app.example.com/", "bad_oauth_state"), "{path}");
    }
    let (page, cookie) = begin(&server, "provider=google&redirect_to=https%3A%2F%2Fevil.example%2F").await;
    server.wait(600);
    let (_, said) = led(&come_back(&server, &provider.agree(&page), cookie.as_deref()).await);
    assert_eq!(value(&said, "error_code"), "bad_oauth_state");
    // Of two who come with the same at once one gets in, and nobody is led elsewhere.
    let (page, cookie) = begin(&server, "provider=google&redirect_to=https%3A%2F%2Fevil.example%2F").await;
    let back = provider.agree(&page);
    let (one, two) = tokio::join!(come_back(&server, &back, cookie.as_deref()), come_back(&server, &back, cookie.as_deref()));
    let ends = [led(&one), led(&two)];
    assert!(ends.iter().all(|(page, _)| page == "https://app.example.com/"));
    assert_eq!(ends.iter().filter(|(_, said)| !value(said, "access_token").is_empty()).count(), 1);
    for (query, message) in [
        ("", "Unsupported provider: missing provider"),
        ("provider=github", "Unsupported provider: provider is not enabled"),
        ("provider=custom:none", "Unsupported provider: provider is not enabled"),
        ("provider=google&code_challenge=short&code_challenge_method=s256", "code challenge has to be between 43 and 128 characters"),
    ] {
        server.call("GET", &format!("/authorize?{query}"), None, None).await.refused(400, "validation_failed", message);
    }
    assert_eq!(server.call("HEAD", "/callback?state=x", None, None).await.status, 405);
}

#[tokio::test]
async fn a_provider_that_lies_or_fails_lets_nobody_in() {
    let provider = Provider::start().await;
    let server = Server::with(google(&provider)).await;
    for lie in [
        json!({ "aud": "another-application" }),
        json!({ "aud": [CLIENT, "another"], "azp": "another" }),
        json!({ "iss": "https://accounts.google.com" }),
        json!({ "nonce": "another" }),
        json!({ "nonce": null }),
        json!({ "exp": 1 }),
        json!({ "exp": "never" }),
        json!({ "iat": 4_000_000_000_i64 }),
        json!({ "nbf": 4_000_000_000_i64 }),
        json!({ "sub": "" }),
        json!({ "at_hash": "AAAAAAAAAAAAAAAAAAAAAA" }),
    ] {
        provider.inner().lies = lie.clone();
        let said = sign_in(&server, &provider, "google").await;
        assert_eq!((value(&said, "error"), value(&said, "error_code")), ("server_error", "unexpected_failure"), "{lie}");
        assert_eq!(value(&said, "error_description"), "Unable to exchange external code");
    }
    provider.inner().lies = json!({});
    let large = format!("{{\"access_token\": \"{}\"}}", "x".repeat(2_000_000));
    for (status, text) in
        [(500, "oops"), (429, "{}"), (200, "nonsense"), (200, "{}"), (200, r#"{"error":"bad_verification_code"}"#), (200, large.as_str())]
    {
        provider.inner().broken = Some((status, text.to_owned()));
        assert_eq!(value(&sign_in(&server, &provider, "google").await, "error"), "server_error", "{status}");
    }
    provider.inner().broken = None;
    assert_eq!(server.ask("select count(*) from auth.users").await, "0");
    me(&server, &sign_in(&server, &provider, "google").await).await;
    // Another key is asked for, but not for every token that names one.
    let before = provider.inner().keys_read;
    provider.change_key();
    assert_eq!(value(&sign_in(&server, &provider, "google").await, "error"), "server_error", "within half a minute of the last look");
    assert_eq!(provider.inner().keys_read, before);
    let fresh = Server::with(google(&provider)).await;
    me(&fresh, &sign_in(&fresh, &provider, "google").await).await;
    // A document of another issuer, or none at all.
    provider.inner().document = json!({ "issuer": "https://evil.example" });
    let other = Server::with(google(&provider)).await;
    let refused = other.call("GET", "/authorize?provider=google", None, None).await;
    refused.refused(500, "unexpected_failure", "Something went wrong on our side");
}

#[tokio::test]
async fn github_says_who_somebody_is_by_its_api() {
    let provider = Provider::start().await;
    let github = ProviderConfig { api_url: provider.url.clone(), ..one(&provider.url) };
    let server = Server::with(with(ExternalConfig { github, ..ExternalConfig::default() })).await;
    let emails = json!([{ "email": "other@example.com", "primary": false, "verified": true, "visibility": null },
                        { "email": "octocat@example.com", "primary": true, "verified": true, "visibility": "public" }]);
    provider.person(
        json!({ "id": 583_231, "login": "octocat", "name": "The Octocat", "avatar_url": "https://a/1", "email": null, "emails": emails }),
    );
    let (page, cookie) = begin(&server, "provider=github&scopes=repo").await;
    assert!(page.starts_with(&format!("{}/login/oauth/authorize?client_id={CLIENT}", provider.url)), "{page}");
    assert!(page.contains("scope=read%3Auser+user%3Aemail+repo") && !page.contains("nonce="), "{page}");
    let (_, said) = led(&come_back(&server, &provider.agree(&page), cookie.as_deref()).await);
    let user = me(&server, &said).await;
    assert_eq!((&user["email"], &user["identities"][0]["id"]), (&json!("octocat@example.com"), &json!("583231")));
    assert_eq!(user["user_metadata"]["user_name"], "octocat");
    // GitHub answers what is wrong with 200.
    provider.inner().broken = Some((200, r#"{"error":"bad_verification_code"}"#.to_owned()));
    assert_eq!(value(&sign_in(&server, &provider, "github").await, "error"), "server_error");
    provider.inner().broken = None;
    provider.person(json!({ "id": 2, "login": "b", "emails": [] }));
    assert_eq!(value(&sign_in(&server, &provider, "github").await, "error_code"), "email_address_not_provided");
}

#[tokio::test]
async fn apple_posts_a_form_and_takes_a_signed_token_for_a_secret() {
    let provider = Provider::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("AuthKey.p8");
    let pair = aws_lc_rs::signature::EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let der = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pair.to_pkcs8v1().unwrap().as_ref());
    std::fs::write(&file, format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n")).unwrap();
    let apple = AppleConfig {
        enabled: true,
        client_id: CLIENT.to_owned(),
        team_id: "TEAM".to_owned(),
        key_id: "KEY".to_owned(),
        key_file: Some(file),
        issuer: provider.url.clone(),
        ..AppleConfig::default()
    };
    let server = Server::with(with(ExternalConfig { apple, ..ExternalConfig::default() })).await;
    // Apple writes what is true as a text.
    provider
        .person(json!({ "sub": "000.a.1", "email": "x1@privaterelay.appleid.com", "email_verified": "true", "is_private_email": "true" }));
    let (page, cookie) = begin(&server, "provider=apple").await;
    assert!(page.contains("response_mode=form_post") && page.contains("scope=openid+email+name"), "{page}");
    let back = provider.agree(&page);
    let (_, form) = back.split_once('?').unwrap();
    let name =
        "user=%7B%22name%22%3A%7B%22firstName%22%3A%22Ann%22%2C%22lastName%22%3A%22Lee%22%7D%2C%22email%22%3A%22evil%40example.com%22%7D";
    let request = Request::builder().method("POST").uri("/callback").header("cookie", cookie.unwrap());
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(Body::from(format!("{form}&{name}"))).unwrap();
    let answer = server.send(request).await;
    assert_eq!(answer.status, 303);
    let user = me(&server, &led(&answer).1).await;
    assert_eq!((&user["email"], &user["user_metadata"]["full_name"]), (&json!("x1@privaterelay.appleid.com"), &json!("Ann Lee")));
    let secret = provider.inner().asked[0]["client_secret"].clone();
    let said = claims(&json!({ "access_token": secret }));
    let now = crate::server::START;
    assert_eq!(said, json!({ "iss": "TEAM", "iat": now, "exp": now + 300, "aud": provider.url, "sub": CLIENT }));
    assert_eq!(crate::server::header(&json!({ "access_token": secret }))["kid"], "KEY");
    let decoding = jsonwebtoken::DecodingKey::from_ec_der(aws_lc_rs::signature::KeyPair::public_key(&pair).as_ref());
    let (message, signature) = secret.rsplit_once('.').unwrap();
    assert!(jsonwebtoken::crypto::verify(signature, message.as_bytes(), &decoding, jsonwebtoken::Algorithm::ES256).unwrap());
}

#[tokio::test]
async fn microsofts_directories_vouch_only_for_domains_that_they_own() {
    let provider = Provider::start().await;
    let azure = one(&format!("{}/common/v2.0", provider.url));
    let server = Server::with(with(ExternalConfig { azure, ..ExternalConfig::default() })).await;
    let tenant = "9188040d-6c67-4c5b-b112-36a304b66dad";
    provider.inner().document = json!({ "issuer": format!("{}/{{tenantid}}/v2.0", provider.url) });
    server.post("/signup", json!({ "email": "ann@example.com", "password": PASSWORD })).await.ok();
    let letter = server.message("ann@example.com").await;
    server.post("/verify", json!({ "token_hash": letter.token(), "type": "signup" })).await.ok();
    server.wait(60);
    let issuer = format!("{}/{tenant}/v2.0", provider.url);
    let person =
        |tid: &str, edov: Value| json!({ "sub": "m1", "tid": tid, "email": "ann@example.com", "email_verified": true, "xms_edov": edov });
    // A stranger's directory may say that anybody's address is one of its own.
    provider.person(person(tenant, json!(false)));
    provider.inner().lies = json!({ "iss": issuer });
    let said = sign_in(&server, &provider, "azure").await;
    assert_eq!(value(&said, "error_code"), "provider_email_needs_verification");
    assert_eq!(server.ask("select count(*) from auth.users where email is null").await, "1", "an account of its own, without the address");
    for (tid, iss) in [("not-a-uuid", issuer.clone()), (tenant, format!("{}/other/v2.0", provider.url)), (tenant, provider.url.clone())] {
        provider.person(person(tid, json!(true)));
        provider.inner().lies = json!({ "iss": iss });
        assert_eq!(value(&sign_in(&server, &provider, "azure").await, "error"), "server_error", "{tid} {iss}");
    }
    provider.person(json!({ "sub": "m2", "tid": tenant, "email": "ann@example.com", "xms_edov": "1" }));
    provider.inner().lies = json!({ "iss": issuer });
    let user = me(&server, &sign_in(&server, &provider, "azure").await).await;
    assert_eq!((&user["email"], &user["app_metadata"]["providers"]), (&json!("ann@example.com"), &json!(["email", "azure"])));
}
