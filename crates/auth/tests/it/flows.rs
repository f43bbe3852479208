//! Links that lead to a code, and what an application gets for one (PKCE).

use auth::AuthConfig;
use auth::config::OneTimeConfig;
use serde_json::{Value, json};

use crate::server::{Answer, PASSWORD, Server, claims, token};

// From the appendix of RFC 7636.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn config(autoconfirm: bool) -> AuthConfig {
    let one_time = OneTimeConfig { site_url: Some("https://app.example.com".to_owned()), ..OneTimeConfig::default() };
    AuthConfig { autoconfirm, one_time, ..AuthConfig::default() }
}

fn with_challenge(mut body: Value) -> Value {
    body["code_challenge"] = json!(CHALLENGE);
    body["code_challenge_method"] = json!("s256");
    body
}

/// Follows a link and returns the page and what its query says.
async fn follow(server: &Server, link: &str) -> (String, Vec<(String, String)>) {
    let answer = server.call("GET", link, None, None).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    let to = url::Url::parse(answer.headers["location"].to_str().unwrap()).unwrap();
    let page = format!("{}{}", to.origin().ascii_serialization(), to.path());
    (page, to.query_pairs().into_owned().collect())
}

async fn exchange(server: &Server, code: &str, verifier: &str) -> Answer {
    server.post("/token?grant_type=pkce", json!({ "auth_code": code, "code_verifier": verifier })).await
}

#[tokio::test]
async fn a_link_leads_to_a_code_that_is_exchanged_once() {
    let server = Server::with(config(false)).await;
    let body = with_challenge(json!({ "email": "ann@example.com", "password": PASSWORD }));
    server.post("/signup?redirect_to=https%3A%2F%2Fapp.example.com%2Fin%3Fa%3D1", body).await.ok();
    let letter = server.message("ann@example.com").await;
    assert!(letter.token().starts_with("pkce_"), "{}", letter.link);
    let (page, query) = follow(&server, &letter.link).await;
    assert_eq!(page, "https://app.example.com/in");
    let [first, (name, code)] = query.as_slice() else { panic!("{query:?}") };
    assert_eq!((first, name.as_str()), (&("a".to_owned(), "1".to_owned()), "code"));
    assert_eq!(server.ask("select count(*) from auth.sessions").await, "0", "the browser got none");
    assert_eq!(server.ask(&format!("select count(*) from auth.flow_states f where f::text like '%{code}%'")).await, "0");
    let session = exchange(&server, code, VERIFIER).await.ok();
    assert_eq!((&session["user"]["email"], &claims(&session)["amr"][0]["method"]), (&json!("ann@example.com"), &json!("email/signup")));
    assert_eq!(server.user(&session).await.status, 200);
    exchange(&server, code, VERIFIER).await.refused(404, "flow_state_not_found", "invalid flow state, no valid flow state found");
    let (_, query) = follow(&server, &letter.link).await;
    let said: Vec<_> = query.iter().skip(1).map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let description = "Email link is invalid or has expired";
    assert_eq!(said, [("error", "access_denied"), ("error_code", "otp_expired"), ("error_description", description)]);

    // The token of such a link is as good as any where an application presents it itself.
    server.wait(60);
    server.post("/recover", with_challenge(json!({ "email": "ann@example.com" }))).await.ok();
    let letter = server.message("ann@example.com").await;
    let session = server.post("/verify", json!({ "token_hash": letter.token(), "type": "recovery" })).await.ok();
    // Another address, too, and a message that is sent again.
    let change = with_challenge(json!({ "email": "lee@example.com" }));
    server.call("PUT", "/user", Some(token(&session)), Some(change)).await.ok();
    let sent = server.message("lee@example.com").await;
    server.wait(60);
    server.post("/resend", with_challenge(json!({ "email": "ann@example.com", "type": "email_change" }))).await.ok();
    let (old, new) = (server.message("ann@example.com").await, server.message("lee@example.com").await);
    assert_ne!(new.token(), sent.token());
    let first = server.call("GET", &old.link, None, None).await;
    assert!(first.headers["location"].to_str().unwrap().contains("message="), "{:?}", first.headers);
    let (_, query) = follow(&server, &new.link).await;
    assert_eq!(query[0].0, "code", "{query:?}");
    let session = exchange(&server, &query[0].1, VERIFIER).await.ok();
    assert_eq!((&session["user"]["email"], &claims(&session)["amr"][0]["method"]), (&json!("lee@example.com"), &json!("email_change")));
    // What the link was for stays with the sign-in.
    for (path, method) in [("/recover", "recovery"), ("/otp", "magiclink")] {
        server.wait(60);
        server.post(path, with_challenge(json!({ "email": "lee@example.com" }))).await.ok();
        let (_, query) = follow(&server, &server.message("lee@example.com").await.link).await;
        let session = exchange(&server, &query[0].1, VERIFIER).await.ok();
        assert_eq!(claims(&session)["amr"][0]["method"], method);
    }
}

#[tokio::test]
async fn a_code_is_of_no_use_to_others() {
    let server = Server::with(config(true)).await;
    server.sign_up("ann@example.com").await;
    let code = async || {
        server.wait(60);
        server.post("/otp", with_challenge(json!({ "email": "ann@example.com" }))).await.ok();
        let letter = server.message("ann@example.com").await;
        follow(&server, &letter.link).await.1.pop().unwrap().1
    };
    // Who has the code alone gets nothing, and neither does anybody after him.
    let stolen = code().await;
    exchange(&server, &stolen, CHALLENGE).await.refused(
        400,
        "bad_code_verifier",
        "code challenge does not match previously saved code verifier",
    );
    exchange(&server, &stolen, VERIFIER).await.refused(404, "flow_state_not_found", "invalid flow state, no valid flow state found");
    let late = code().await;
    server.wait(300);
    exchange(&server, &late, VERIFIER).await.refused(422, "flow_state_expired", "invalid flow state, flow state has expired");
    let message = "invalid request: both auth code and code verifier should be non-empty";
    for (code, verifier) in [("", VERIFIER), ("x", "")] {
        exchange(&server, code, verifier).await.refused(400, "validation_failed", message);
    }
    exchange(&server, "x", VERIFIER).await.refused(404, "flow_state_not_found", "invalid flow state, no valid flow state found");
    // Of two at once one gets the session.
    let code = code().await;
    let (one, two) = tokio::join!(exchange(&server, &code, VERIFIER), exchange(&server, &code, VERIFIER));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 404]);

    let half = json!({ "email": "ann@example.com", "code_challenge": CHALLENGE });
    for path in ["/otp", "/recover", "/magiclink"] {
        let refused = server.post(path, half.clone()).await;
        refused.refused(400, "validation_failed", "PKCE flow requires code_challenge_method and code_challenge");
    }
    // Nobody is answered like somebody, and leaves nothing.
    server.wait(60);
    let before = server.ask("select count(*) from auth.flow_states").await;
    let nobody = server.post("/recover", with_challenge(json!({ "email": "nobody@example.com" }))).await;
    assert_eq!((nobody.status, nobody.text.as_str()), (200, "{}"));
    assert_eq!(server.ask("select count(*) from auth.flow_states").await, before);
}
