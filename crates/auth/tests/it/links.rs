//! Links by mail: confirming an address, choosing a new password, and where they lead.

use auth::AuthConfig;
use auth::config::OneTimeConfig;
use serde_json::{Value, json};

use crate::server::{Answer, PASSWORD, Server, token};

fn confirming() -> AuthConfig {
    let one_time = OneTimeConfig {
        site_url: Some("https://app.example.com".to_owned()),
        redirect_urls: vec!["https://*.preview.example.com/**".to_owned()],
        ..OneTimeConfig::default()
    };
    AuthConfig { autoconfirm: false, one_time, ..AuthConfig::default() }
}

/// Follows a link and returns where it leads: the page and the fragment.
async fn follow(server: &Server, link: &str) -> (String, Vec<(String, String)>) {
    let answer = server.call("GET", link, None, None).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    let location = answer.headers["location"].to_str().unwrap();
    let (page, fragment) = location.split_once('#').unwrap();
    let pairs = url::form_urlencoded::parse(fragment.as_bytes()).into_owned().collect();
    (page.to_owned(), pairs)
}

fn value<'a>(fragment: &'a [(String, String)], name: &str) -> &'a str {
    fragment.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
}

#[tokio::test]
async fn a_link_confirms_an_address_and_carries_a_session() {
    let server = Server::with(confirming()).await;
    let body = json!({ "email": "ann@example.com", "password": PASSWORD, "data": { "locale": "es" } });
    let user = server.post("/signup?redirect_to=https%3A%2F%2Fone.preview.example.com%2Fin", body).await.ok();
    assert!(user.get("access_token").is_none() && user["confirmation_sent_at"] == "2026-11-21T12:00:00Z", "{user}");
    let letter = server.message("ann@example.com").await;
    assert_eq!(letter.subject, "Confirme su correo electrónico");
    assert!(letter.link.starts_with("/verify?token=") && letter.link.contains("&type=signup&"), "{}", letter.link);
    assert_eq!(server.call("HEAD", &letter.link, None, None).await.status, 405, "looking at a link does not use it up");
    let (page, fragment) = follow(&server, &letter.link).await;
    assert_eq!(page, "https://one.preview.example.com/in");
    let names: Vec<&str> = fragment.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["access_token", "expires_at", "expires_in", "refresh_token", "sb", "token_type", "type"]);
    assert_eq!((value(&fragment, "type"), value(&fragment, "token_type"), value(&fragment, "expires_in")), ("signup", "bearer", "3600"));
    let me = server.call("GET", "/user", Some(value(&fragment, "access_token")), None).await.ok();
    assert_eq!((&me["id"], &me["email_confirmed_at"]), (&user["id"], &json!("2026-11-21T12:00:00Z")));
    server.sign_in("ann@example.com").await;

    let (page, fragment) = follow(&server, &letter.link).await;
    assert_eq!(page, "https://one.preview.example.com/in");
    let said: Vec<_> = fragment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let description = "Email link is invalid or has expired";
    assert_eq!(said, [("error", "access_denied"), ("error_code", "otp_expired"), ("error_description", description), ("sb", "")]);
    server.call("GET", "/verify?type=signup", None, None).await.refused(400, "validation_failed", "Verify requires a token and a type");
}

#[tokio::test]
async fn a_link_leads_nobody_elsewhere() {
    let server = Server::with(confirming()).await;
    for evil in ["https://evil.example", "https://app.example.com.evil.example/", "javascript:alert(1)", "//evil.example", "not a url"] {
        let path = format!(
            "/verify?token=x&type=signup&redirect_to={}",
            url::form_urlencoded::byte_serialize(evil.as_bytes()).collect::<String>()
        );
        assert_eq!(follow(&server, &path).await.0, "https://app.example.com/", "{evil}");
    }
}

#[tokio::test]
async fn who_signs_up_with_a_known_address_learns_nothing() {
    let server = Server::with(confirming()).await;
    let sign_up = |email: &'static str| server.post("/signup", json!({ "email": email, "password": PASSWORD }));
    let new = sign_up("ann@example.com").await.ok();
    let letter = server.message("ann@example.com").await;
    let verify = |letter: &crate::server::Letter| server.post("/verify", json!({ "token_hash": letter.token(), "type": "signup" }));
    sign_up("ann@example.com").await.refused(
        429,
        "over_email_send_rate_limit",
        "For security purposes, you can only request this after 60 seconds.",
    );
    server.wait(60);
    let unconfirmed = sign_up("ann@example.com").await.ok();
    let again = server.message("ann@example.com").await;
    verify(&letter).await.refused(403, "otp_expired", "Email link is invalid or has expired");
    verify(&again).await.ok();
    server.wait(60);
    let confirmed = sign_up("ann@example.com").await.ok();
    assert_eq!(server.message("ann@example.com").await.text, again.text, "nothing more was sent");
    // What differs between two new accounts differs here, and nothing else.
    let bare = |user: &Value| {
        let mut text = user.to_string().replace(user["updated_at"].as_str().unwrap(), "*");
        for varying in [&user["id"], &user["identities"][0]["identity_id"]] {
            text = text.replace(varying.as_str().unwrap(), "*");
        }
        text.replace("12:01:00", "*").replace("12:02:00", "*").replace("12:00:00", "*")
    };
    assert_eq!(bare(&new), bare(&unconfirmed));
    assert_eq!(bare(&new), bare(&confirmed));
    assert!(new["id"] != unconfirmed["id"] && new["id"] != confirmed["id"] && unconfirmed["id"] != confirmed["id"]);
    assert_eq!(server.ask("select count(*) from auth.users").await, "1");
}

#[tokio::test]
async fn a_password_chosen_before_the_address_was_proved_is_no_way_in() {
    let server = Server::with(confirming()).await;
    // Somebody signs up with Ann's address; then Ann signs in by a link that she asked for.
    server.post("/signup", json!({ "email": "ann@example.com", "password": "the attacker's own" })).await.ok();
    server.message("ann@example.com").await;
    server.wait(60);
    server.post("/otp", json!({ "email": "ann@example.com" })).await.ok();
    let letter = server.message("ann@example.com").await;
    server.post("/verify", json!({ "email": "ann@example.com", "token": letter.code, "type": "email" })).await.ok();
    let attacker = server.post("/token?grant_type=password", json!({ "email": "ann@example.com", "password": "the attacker's own" })).await;
    attacker.refused(400, "invalid_credentials", "Invalid login credentials");
}

#[tokio::test]
async fn a_forgotten_password_is_chosen_anew() {
    let server = Server::with(AuthConfig { autoconfirm: true, ..confirming() }).await;
    server.sign_up("ann@example.com").await;
    let company = server.company("baker", &server.sign_in("ann@example.com").await).await;
    server.sql("update public.companies set name = 'Baker & Sons', brand_primary_color = '#aa0000'").await;
    let recover = |email: &'static str| server.post("/recover", json!({ "email": email }));
    let same = |known: &Answer, unknown: &Answer| assert_eq!((known.status, &known.text), (unknown.status, &unknown.text));
    same(&recover("ann@example.com").await, &recover("nobody@example.com").await);
    let (known, unknown) = (recover("ann@example.com").await, recover("nobody@example.com").await);
    known.refused(429, "over_email_send_rate_limit", "For security purposes, you can only request this after 60 seconds.");
    assert_eq!(known.headers["retry-after"], "60");
    same(&known, &unknown);
    let letter = server.message("ann@example.com").await;
    assert_eq!(letter.subject, "Choose a new password");
    assert!(letter.text.contains("at Baker & Sons"), "{}", letter.text);
    assert_eq!(server.ask("select company_id from app.outbox where status = 'sent'").await, company);
    assert_eq!(server.ask("select count(*) from app.captured_messages").await, "1", "nobody is not written to");
    let (page, fragment) = follow(&server, &letter.link).await;
    assert_eq!((page.as_str(), value(&fragment, "type")), ("https://app.example.com/", "recovery"));
    let chosen = json!({ "password": "another good password" });
    server.call("PUT", "/user", Some(value(&fragment, "access_token")), Some(chosen)).await.ok();
    let old = server.post("/token?grant_type=password", json!({ "email": "ann@example.com", "password": PASSWORD })).await;
    old.refused(400, "invalid_credentials", "Invalid login credentials");
    // A banned account gets no link, and the one it has opens nothing.
    server.wait(60);
    recover("ann@example.com").await.ok();
    let letter = server.message("ann@example.com").await;
    server.sql("update auth.users set banned_until = '2100-01-01'").await;
    server.post("/verify", json!({ "token_hash": letter.token(), "type": "recovery" })).await.refused(403, "user_banned", "User is banned");
}

#[tokio::test]
async fn a_link_for_one_thing_is_none_for_another() {
    let server = Server::with(confirming()).await;
    server.post("/signup", json!({ "email": "ann@example.com", "password": PASSWORD })).await.ok();
    let letter = server.message("ann@example.com").await;
    for kind in ["recovery", "magiclink", "email_change", "sms", "nothing"] {
        let refused = server.post("/verify", json!({ "token_hash": letter.token(), "type": kind })).await;
        assert!(matches!(refused.status, 400 | 403), "{kind}: {}", refused.text);
    }
    let resent = server.post("/resend", json!({ "email": "ann@example.com", "type": "signup" })).await;
    resent.refused(429, "over_email_send_rate_limit", "For security purposes, you can only request this after 60 seconds.");
    server.wait(60);
    server.post("/resend", json!({ "email": "ann@example.com", "type": "signup" })).await.ok();
    let letter = server.message("ann@example.com").await;
    let session = server.post("/verify", json!({ "token_hash": letter.token(), "type": "email" })).await.ok();
    assert!(!token(&session).is_empty());
}
