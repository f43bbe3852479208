//! Which account an identity belongs to: joined by address, added and taken away by hand, and by ID tokens of applications.

use auth::AuthConfig;
use auth::config::{AnonymousConfig, ExternalConfig};
use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::external::{begin, come_back, google, led, me, one, sign_in, value, with};
use crate::provider::{CLIENT, Provider};
use crate::server::{Answer, PASSWORD, Server, token};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const PKCE: &str = "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=s256";
// SHA-256 of "nonce", by sha256sum.
const NONCE_HASH: &str = "78377b525757b494427f89014f97d79928f3938d14eb51e20fb5dec9834eb304";

fn linking(provider: &Provider) -> AuthConfig {
    with(ExternalConfig { google: one(&provider.url), oidc: one(&provider.url), manual_linking_enabled: true, ..ExternalConfig::default() })
}

async fn password(server: &Server, email: &str) -> Answer {
    server.post("/token?grant_type=password", json!({ "email": email, "password": PASSWORD })).await
}

async fn confirmed(server: &Server, email: &str) -> Value {
    server.post("/signup", json!({ "email": email, "password": PASSWORD })).await.ok();
    let letter = server.message(email).await;
    server.post("/verify", json!({ "token_hash": letter.token(), "type": "signup" })).await.ok()
}

/// Begins to add an identity as the official client does; returns the page and the cookie.
async fn begin_to_add(server: &Server, session: &Value, query: &str) -> (String, Option<String>) {
    let path = format!("/user/identities/authorize?provider=google&skip_http_redirect=true{query}");
    let answer = server.call("GET", &path, Some(token(session)), None).await;
    let cookie = cookie_of(&answer);
    (answer.ok()["url"].as_str().unwrap().to_owned(), cookie)
}

fn cookie_of(answer: &Answer) -> Option<String> {
    answer.headers.get("set-cookie").map(|line| line.to_str().unwrap().split(';').next().unwrap().to_owned())
}

#[tokio::test]
async fn who_follows_an_address_of_somebody_else_gives_him_no_identity() {
    let provider = Provider::start().await;
    let server = Server::with(linking(&provider)).await;
    let eve = confirmed(&server, "eve@example.com").await;
    // Eve begins, and sends Ann the address; Ann's browser has no cookie, or one of its own.
    let (_, anns) = begin(&server, "provider=google").await;
    for browser in [None, anns.as_deref()] {
        let (page, cookie) = begin_to_add(&server, &eve, "").await;
        assert!(cookie.is_some());
        let said = led(&come_back(&server, &provider.agree(&page), browser).await).1;
        assert_eq!((value(&said, "error_code"), value(&said, "access_token")), ("bad_oauth_state", ""));
    }
    // Nor by a way that was begun when nothing bound it.
    let (page, cookie) = begin_to_add(&server, &eve, "").await;
    server.sql("update auth.flow_states set browser_hash = null").await;
    let said = led(&come_back(&server, &provider.agree(&page), cookie.as_deref()).await).1;
    assert_eq!(value(&said, "error_code"), "bad_oauth_state");
    assert!(provider.inner().asked.is_empty());
    assert_eq!(server.user(&eve).await.ok()["identities"].as_array().unwrap().len(), 1);
    // A page that could keep no cookie is told before anybody goes anywhere.
    let from = async |site: &str| {
        let request = Request::builder().uri("/user/identities/authorize?provider=google&skip_http_redirect=true");
        let request = request.header("x-supabase-api-version", "2024-01-01").header("sec-fetch-site", site);
        let request = request.header("authorization", format!("Bearer {}", token(&eve)));
        server.send(request.body(Body::empty()).unwrap()).await
    };
    for site in ["cross-site", "same-site"] {
        let refused = from(site).await;
        assert_eq!((refused.status, &refused.body["code"]), (400, &json!("validation_failed")), "{site}");
    }
    from("same-origin").await.ok();
}

#[tokio::test]
async fn an_account_that_never_proved_its_address_is_no_trap_for_who_does() {
    let provider = Provider::start().await;
    let server = Server::with(google(&provider)).await;
    // Eve signs up with Ann's address and waits.
    let prepared =
        server.post("/signup", json!({ "email": "ann@example.com", "password": PASSWORD, "data": { "role": "boss" } })).await.ok();
    let letter = server.message("ann@example.com").await;
    let user = me(&server, &sign_in(&server, &provider, "google").await).await;
    assert_eq!((&user["id"], &user["app_metadata"]), (&prepared["id"], &json!({ "provider": "google", "providers": ["google"] })));
    assert!(user["user_metadata"].get("role").is_none() && user["identities"].as_array().unwrap().len() == 1, "{user}");
    password(&server, "ann@example.com").await.refused(400, "invalid_credentials", "Invalid login credentials");
    let late = server.post("/verify", json!({ "token_hash": letter.token(), "type": "signup" })).await;
    late.refused(403, "otp_expired", "Email link is invalid or has expired");

    // Where addresses are not confirmed, whoever prepared an account has a session, too, and a second factor.
    let open = Server::with(AuthConfig { autoconfirm: true, ..google(&provider) }).await;
    let eve = open.sign_up("ann@example.com").await;
    let factor = json!({ "factor_type": "totp", "friendly_name": "eve" });
    open.call("POST", "/factors", Some(token(&eve)), Some(factor)).await.ok();
    let user = me(&open, &sign_in(&open, &provider, "google").await).await;
    assert_eq!((&user["id"], &user["factors"]), (&eve["user"]["id"], &Value::Null));
    assert_eq!(open.user(&eve).await.status, 403);
    assert_eq!(open.refresh(&eve).await.status, 400);
    password(&open, "ann@example.com").await.refused(400, "invalid_credentials", "Invalid login credentials");

    // An account with another way in keeps that way, and loses the address.
    provider.person(json!({ "sub": "2002", "email": "ben@example.com", "email_verified": true }));
    let bens = me(&open, &sign_in(&open, &provider, "google").await).await;
    open.sql("update auth.users set email = 'cid@example.com', email_proved_at = null where email = 'ben@example.com'").await;
    provider.person(json!({ "sub": "3003", "email": "cid@example.com", "email_verified": true }));
    let cids = me(&open, &sign_in(&open, &provider, "google").await).await;
    assert_ne!(cids["id"], bens["id"]);
    assert_eq!(cids["email"], "cid@example.com");
    let lost = format!("select email from auth.users where id = '{}'", bens["id"].as_str().unwrap());
    assert_eq!(open.ask(&lost).await, "null");
    provider.person(json!({ "sub": "2002", "email": "ben@example.com", "email_verified": true }));
    let bens_again = me(&open, &sign_in(&open, &provider, "google").await).await;
    assert_eq!((&bens_again["id"], &bens_again["email"]), (&bens["id"], &json!("ben@example.com")));
}

#[tokio::test]
async fn accounts_are_joined_by_an_address_that_both_proved() {
    let provider = Provider::start().await;
    let server = Server::with(google(&provider)).await;
    let ann = confirmed(&server, "ann@example.com").await;
    server.wait(60);
    // What the provider does not vouch for joins nothing, and whoever tries is not told whether there is an account.
    provider.person(json!({ "sub": "1", "email": "ann@example.com", "email_verified": false }));
    let taken = sign_in(&server, &provider, "google").await;
    provider.person(json!({ "sub": "2", "email": "new@example.com", "email_verified": false }));
    let free = sign_in(&server, &provider, "google").await;
    assert_eq!(taken, free);
    assert_eq!(value(&taken, "error_code"), "provider_email_needs_verification");
    assert_eq!(
        server.ask("select string_agg(coalesce(email, '-'), ' ' order by created_at, id) from auth.users").await,
        "ann@example.com - -"
    );
    // The address stays free for whoever proves it. If he does, whoever only claimed it has no part in his account.
    provider.person(json!({ "sub": "4", "email": "new@example.com", "email_verified": true }));
    let owner = me(&server, &sign_in(&server, &provider, "google").await).await;
    assert_eq!((&owner["email"], owner["identities"].as_array().unwrap().len()), (&json!("new@example.com"), 1));
    // The link makes the address one's own, and lets in from then on.
    provider.person(json!({ "sub": "5", "email": "free@example.com", "email_verified": false }));
    assert_eq!(value(&sign_in(&server, &provider, "google").await, "error_code"), "provider_email_needs_verification");
    let letter = server.message("free@example.com").await;
    server.wait(60);
    assert_eq!(value(&sign_in(&server, &provider, "google").await, "error_code"), "provider_email_needs_verification");
    let newer = server.message("free@example.com").await;
    let verify = |token: &str| server.post("/verify", json!({ "token_hash": token, "type": "email_change" }));
    verify(letter.token()).await.refused(403, "otp_expired", "Email link is invalid or has expired");
    let session = verify(newer.token()).await.ok();
    assert_eq!(session["user"]["app_metadata"]["providers"], json!(["google", "email"]));
    assert_eq!(me(&server, &sign_in(&server, &provider, "google").await).await["id"], session["user"]["id"]);

    provider.person(json!({ "sub": "3", "email": "ANN@example.com", "email_verified": true, "name": "Ann" }));
    let user = me(&server, &sign_in(&server, &provider, "google").await).await;
    assert_eq!((&user["id"], &user["app_metadata"]["providers"]), (&ann["user"]["id"], &json!(["email", "google"])));
    assert_eq!(password(&server, "ann@example.com").await.ok()["user"]["id"], user["id"]);
    let closed = Server::with(AuthConfig { signup_enabled: false, ..google(&provider) }).await;
    assert_eq!(value(&sign_in(&closed, &provider, "google").await, "error_code"), "signup_disabled");
}

#[tokio::test]
async fn identities_are_added_and_taken_away_by_hand() {
    let provider = Provider::start().await;
    let server = Server::with(linking(&provider)).await;
    let ann = confirmed(&server, "ann@example.com").await;
    let add = async |query: &str| {
        let (page, cookie) = begin_to_add(&server, &ann, query).await;
        assert_eq!(cookie.is_none(), !query.is_empty(), "the application proves itself, or the browser");
        led(&come_back(&server, &provider.agree(&page), cookie.as_deref()).await).1
    };
    provider.person(json!({ "sub": "77", "email": "elsewhere@example.com", "email_verified": true }));
    let said = add(&format!("&{PKCE}")).await;
    // The account gets it when the application that began comes with the code, and not by who followed the address.
    assert_eq!(server.ask("select count(*) from auth.identities where provider = 'google'").await, "0");
    let exchange = json!({ "auth_code": value(&said, "code"), "code_verifier": VERIFIER });
    let session = server.post("/token?grant_type=pkce", exchange).await.ok();
    let user = &session["user"];
    assert_eq!(
        (&user["id"], &user["email"], &user["app_metadata"]["providers"]),
        (&ann["user"]["id"], &json!("ann@example.com"), &json!(["email", "google"]))
    );
    // Without a challenge it is added at once; the same one twice, or to another account, is not.
    let said = add("").await;
    assert_eq!((value(&said, "error_code"), value(&said, "error_description")), ("identity_already_exists", "Identity is already linked"));
    provider.person(json!({ "sub": "78", "email": "third@example.com", "email_verified": true }));
    let said = add("").await;
    assert_eq!(me(&server, &said).await["identities"].as_array().unwrap().len(), 3);
    let ben = confirmed(&server, "ben@example.com").await;
    let redirected = server.call("GET", "/user/identities/authorize?provider=google", Some(token(&ben)), None).await;
    assert_eq!(redirected.status, 302);
    let (page, cookie) = (redirected.headers["location"].to_str().unwrap(), cookie_of(&redirected));
    let (_, said) = led(&come_back(&server, &provider.agree(page), cookie.as_deref()).await);
    assert_eq!(value(&said, "error_description"), "Identity is already linked to another user");

    let of = async |provider: &str| {
        let all = server.user(&ann).await.ok()["identities"].clone();
        let found = all.as_array().unwrap().iter().rev().find(|identity| identity["provider"] == provider).unwrap();
        found["identity_id"].as_str().unwrap().to_owned()
    };
    let remove =
        async |id: &str, session: &Value| server.call("DELETE", &format!("/user/identities/{id}"), Some(token(session)), None).await;
    let anns = of("google").await;
    let only = "User must have at least 1 identity after unlinking";
    remove(&anns, &ben).await.refused(422, "single_identity_not_deletable", only);
    remove("x", &ann).await.refused(404, "validation_failed", "identity_id must be an UUID");
    assert_eq!(server.call("DELETE", &format!("/user/identities/{anns}"), None, None).await.status, 401);
    assert_eq!(remove(&anns, &ann).await.ok(), json!({}));
    // With the identity of the address goes the password; the address is now the one that the other identity proved.
    let email = of("email").await;
    remove(&email, &ann).await.ok();
    let user = server.user(&ann).await.ok();
    assert_eq!(
        (&user["email"], &user["app_metadata"]),
        (&json!("elsewhere@example.com"), &json!({ "provider": "google", "providers": ["google"] }))
    );
    password(&server, "elsewhere@example.com").await.refused(400, "invalid_credentials", "Invalid login credentials");
    let last = of("google").await;
    let message = "User must have at least 1 identity after unlinking";
    remove(&last, &ann).await.refused(422, "single_identity_not_deletable", message);
    // An address that somebody else has by now is not to be had.
    server.sql("update auth.users set email = 'x@example.com' where email = 'elsewhere@example.com'").await;
    server.sql("insert into auth.identities (user_id, provider, provider_id, identity_data) select id, 'email', id::text, '{\"email\": \"x@example.com\"}' from auth.users where email = 'x@example.com'").await;
    server.sql("update auth.users set email = 'elsewhere@example.com' where email = 'ben@example.com'").await;
    let conflict = remove(&of("email").await, &ann).await;
    conflict.refused(422, "email_conflict_identity_not_deletable", "Unable to unlink identity due to email conflict");

    let off = Server::with(google(&provider)).await;
    let eve = confirmed(&off, "eve@example.com").await;
    for (method, path) in [("GET", "/user/identities/authorize?provider=google"), ("DELETE", "/user/identities/x")] {
        off.call(method, path, Some(token(&eve)), None).await.refused(404, "manual_linking_disabled", "Manual linking is disabled");
    }
}

#[tokio::test]
async fn an_account_with_a_second_factor_asks_for_it_before_it_gets_another_way_in() {
    let provider = Provider::start().await;
    let server = Server::with(linking(&provider)).await;
    let ann = confirmed(&server, "ann@example.com").await;
    server
        .sql("insert into auth.mfa_factors (user_id, factor_type, status, secret) select id, 'totp', 'verified', 'x' from auth.users")
        .await;
    let message = "AAL2 session is required to update email or password when MFA is enabled.";
    let refused = server.call("GET", "/user/identities/authorize?provider=google", Some(token(&ann)), None).await;
    refused.refused(401, "insufficient_aal", message);
    let id = ann["user"]["identities"][0]["identity_id"].as_str().unwrap();
    let refused = server.call("DELETE", &format!("/user/identities/{id}"), Some(token(&ann)), None).await;
    refused.refused(401, "insufficient_aal", message);
    let body = json!({ "provider": "google", "id_token": provider.id_token(None), "link_identity": true });
    server.call("POST", "/token?grant_type=id_token", Some(token(&ann)), Some(body)).await.refused(401, "insufficient_aal", message);
}

#[tokio::test]
async fn an_application_brings_an_id_token() {
    let provider = Provider::start().await;
    let mut config = linking(&provider);
    config.external.google.client_ids = vec!["ios-app".to_owned()];
    config.anonymous = AnonymousConfig { enabled: true, ..AnonymousConfig::default() };
    let server = Server::with(config).await;
    let bring = async |token: String, nonce: Option<&str>| {
        server.post("/token?grant_type=id_token", json!({ "provider": "google", "id_token": token, "nonce": nonce })).await
    };
    let refused = |answer: Answer, error: &str, description: &str| {
        assert_eq!((answer.status, answer.body), (400, json!({ "error": error, "error_description": description })));
    };
    let session = bring(provider.id_token(Some(NONCE_HASH)), Some("nonce")).await.ok();
    assert_eq!((&session["user"]["email"], &session["user"]["app_metadata"]["provider"]), (&json!("ann@example.com"), &json!("google")));
    refused(bring(provider.id_token(Some(NONCE_HASH)), Some("other")).await, "invalid nonce", "Nonces mismatch");
    let one_of_two = "Passed nonce and nonce in id_token should either both exist or not.";
    refused(bring(provider.id_token(Some(NONCE_HASH)), None).await, "invalid request", one_of_two);
    refused(bring(provider.id_token(None), Some("nonce")).await, "invalid request", one_of_two);
    assert_eq!(bring(provider.id_token(None), None).await.ok()["user"]["id"], session["user"]["id"]);
    provider.inner().lies = json!({ "aud": "ios-app" });
    bring(provider.id_token(None), None).await.ok();
    provider.inner().lies = json!({ "aud": "evil-app" });
    refused(bring(provider.id_token(None), None).await, "invalid request", "Unacceptable audience in id_token");
    for lie in [json!({ "iss": "https://evil.example" }), json!({ "exp": 1 }), json!({ "sub": null })] {
        provider.inner().lies = lie;
        refused(bring(provider.id_token(None), None).await, "invalid request", "Bad ID token");
    }
    provider.inner().lies = json!({});
    let good = provider.id_token(None);
    let parts: Vec<&str> = good.split('.').collect();
    let none = format!("eyJhbGciOiJub25lIn0.{}.", parts[1]);
    // {"alg":"HS256","kid":"shared"}, signed with the secret that stands among the provider's keys.
    let claims: Value =
        serde_json::from_slice(&base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, parts[1]).unwrap()).unwrap();
    let header = jsonwebtoken::Header { kid: Some("shared".to_owned()), ..jsonwebtoken::Header::default() };
    let shared = jsonwebtoken::encode(&header, &claims, &jsonwebtoken::EncodingKey::from_secret("k".repeat(32).as_bytes())).unwrap();
    let foreign =
        jsonwebtoken::encode(&jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256), &claims, &crate::provider::new_key()).unwrap();
    for bad in
        ["nonsense".to_owned(), none, shared, foreign, format!("{}.{}.", parts[0], parts[1]), format!("{good}{}", "x".repeat(20_000))]
    {
        refused(bring(bad, None).await, "invalid request", "Bad ID token");
    }
    let post = |body: Value| server.post("/token?grant_type=id_token", body);
    refused(post(json!({ "provider": "google" })).await, "invalid request", "id_token required");
    refused(post(json!({ "id_token": good })).await, "invalid request", "provider or client_id and issuer required");
    post(json!({ "issuer": provider.url, "client_id": CLIENT, "id_token": good })).await.ok();
    for name in ["github", "nothing", "custom:none"] {
        post(json!({ "provider": name, "id_token": good })).await.refused(400, "provider_disabled", "The provider is not enabled");
    }

    // Somebody without an address becomes somebody by it; the identity of another account is not to be had.
    let nobody = server.post("/signup", json!({})).await.ok();
    let link = async |token: &str, session: Option<&Value>| {
        let body = json!({ "provider": "oidc", "id_token": token, "link_identity": true });
        server.call("POST", "/token?grant_type=id_token", session.map(crate::server::token), Some(body)).await
    };
    link(&good, None).await.refused(401, "no_authorization", "This endpoint requires a valid Bearer token");
    provider.person(json!({ "sub": "55", "email": "new@example.com", "email_verified": true }));
    let session = link(&provider.id_token(None), Some(&nobody)).await.ok();
    let user = &session["user"];
    assert_eq!((&user["id"], &user["email"], &user["is_anonymous"]), (&nobody["user"]["id"], &json!("new@example.com"), &json!(false)));
    assert_eq!(user["app_metadata"], json!({ "provider": "oidc", "providers": ["oidc"] }));
    let other = server.post("/signup", json!({})).await.ok();
    let refusal = link(&provider.id_token(None), Some(&other)).await;
    refusal.refused(422, "identity_already_exists", "Identity is already linked to another user");
    // Of two who come with one identity for the first time, one makes the account.
    provider.person(json!({ "sub": "56", "email": "two@example.com", "email_verified": true }));
    let brought = provider.id_token(None);
    let (one, two) = tokio::join!(bring(brought.clone(), None), bring(brought.clone(), None));
    assert_eq!(one.ok()["user"]["id"], two.ok()["user"]["id"]);
    let (page, cookie) = begin(&server, "provider=oidc").await;
    let said = led(&come_back(&server, &provider.agree(&page), cookie.as_deref()).await).1;
    assert_eq!(me(&server, &said).await["app_metadata"]["providers"], json!(["google", "oidc"]));
}
