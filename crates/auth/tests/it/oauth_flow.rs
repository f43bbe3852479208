//! A program gets a session of somebody who agreed: the whole way, what it may then do, and how it ends.

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Request;
use serde_json::{Value, json};
use url::Url;

use crate::oauth_clients::{client, server};
use crate::server::{Answer, PASSWORD, START, Server, claims, token};

pub(crate) const CALLBACK: &str = "https://planner.example.com/callback";
/// RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

const SECRET: &str = "a shared secret of at least 32 bytes";

/// A program with a secret.
pub(crate) async fn planner(server: &Server) -> Value {
    client(server, json!({ "client_name": "Planner", "client_uri": "https://planner.example.com", "redirect_uris": [CALLBACK] })).await
}

pub(crate) fn id(client: &Value) -> &str {
    client["client_id"].as_str().unwrap()
}

/// Begins a request as a browser does.
pub(crate) async fn authorize(server: &Server, client: &Value, more: &[(&str, &str)]) -> Answer {
    let mut query = vec![("client_id", id(client)), ("response_type", "code"), ("state", "s t&1")];
    query.extend([("code_challenge", CHALLENGE), ("code_challenge_method", "S256")]);
    if more.iter().all(|(name, _)| *name != "redirect_uri") {
        query.push(("redirect_uri", CALLBACK));
    }
    query.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
    query.extend(more.iter().filter(|(_, value)| !value.is_empty()));
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    server.call("GET", &format!("/oauth/authorize?{query}"), None, None).await
}

pub(crate) fn location(answer: &Answer) -> Url {
    assert_eq!(answer.status, 302, "{}", answer.text);
    Url::parse(answer.headers["location"].to_str().unwrap()).unwrap()
}

pub(crate) fn query(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Begins a request and returns what the site's page is told.
pub(crate) async fn ask(server: &Server, client: &Value, more: &[(&str, &str)]) -> String {
    query(&location(&authorize(server, client, more).await), "authorization_id").unwrap()
}

pub(crate) async fn details(server: &Server, session: &Value, authorization: &str) -> Answer {
    server.call("GET", &format!("/oauth/authorizations/{authorization}"), Some(token(session)), None).await
}

pub(crate) async fn consent(server: &Server, session: &Value, authorization: &str, action: &str) -> Answer {
    let path = format!("/oauth/authorizations/{authorization}/consent");
    server.call("POST", &path, Some(token(session)), Some(json!({ "action": action }))).await
}

/// Asks somebody, who agrees, and returns the address of the answer.
pub(crate) async fn agree(server: &Server, client: &Value, session: &Value, more: &[(&str, &str)]) -> Url {
    let authorization = ask(server, client, more).await;
    details(server, session, &authorization).await.ok();
    let agreed = consent(server, session, &authorization, "approve").await.ok();
    Url::parse(agreed["redirect_url"].as_str().unwrap()).unwrap()
}

/// Sends a form as a program does.
pub(crate) async fn form(server: &Server, path: &str, basic: Option<(&str, &str)>, fields: &[(&str, &str)]) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let mut request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    if let Some((id, secret)) = basic {
        request = request.header("authorization", format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))));
    }
    server.send(request.body(Body::from(body)).unwrap()).await
}

/// Exchanges a code as the program to which it was given.
pub(crate) async fn exchange(server: &Server, client: &Value, code: &str) -> Answer {
    let fields = [("grant_type", "authorization_code"), ("code", code), ("code_verifier", VERIFIER), ("redirect_uri", CALLBACK)];
    form(server, "/oauth/token", Some((id(client), client["client_secret"].as_str().unwrap())), &fields).await
}

pub(crate) async fn refresh(server: &Server, client: &Value, tokens: &Value) -> Answer {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
    form(server, "/oauth/token", Some((id(client), client["client_secret"].as_str().unwrap())), &fields).await
}

/// The whole way.
pub(crate) async fn tokens(server: &Server, client: &Value, session: &Value, more: &[(&str, &str)]) -> Value {
    let code = query(&agree(server, client, session, more).await, "code").unwrap();
    exchange(server, client, &code).await.ok()
}

fn part(token: &Value) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.as_str().unwrap().split('.').nth(1).unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn somebody_lets_a_program_act_for_him() {
    let server = server(|_| ()).await;
    let planner = planner(&server).await;
    let ann = server.sign_up("ann@example.com").await;
    let company = server.company("acme", &ann).await;
    let ann = server.refresh(&ann).await.ok();
    server.wait(60);

    let begun = authorize(&server, &planner, &[("scope", "profile openid email"), ("nonce", "n-1")]).await;
    let page = location(&begun);
    assert!(page.as_str().starts_with("https://site.example.com/oauth/consent?authorization_id="), "{page}");
    assert_eq!(["referrer-policy", "cache-control"].map(|name| begun.headers[name].to_str().unwrap()), ["no-referrer", "no-store"]);
    let authorization = query(&page, "authorization_id").unwrap();
    let shown = details(&server, &ann, &authorization).await.ok();
    assert_eq!(
        shown,
        json!({
            "authorization_id": authorization,
            "redirect_uri": CALLBACK,
            "client": { "id": id(&planner), "name": "Planner", "uri": "https://planner.example.com", "logo_uri": "" },
            "user": { "id": ann["user"]["id"], "email": "ann@example.com" },
            "scope": "email openid profile",
        })
    );
    let agreed = consent(&server, &ann, &authorization, "approve").await.ok();
    let back = Url::parse(agreed["redirect_url"].as_str().unwrap()).unwrap();
    let code = query(&back, "code").unwrap();
    assert_eq!(back.as_str().split('?').next(), Some(CALLBACK));
    assert_eq!((query(&back, "state").as_deref(), query(&back, "iss").as_deref()), (Some("s t&1"), Some("http://localhost:54321/auth/v1")));
    let hashes = format!("select count(*) from auth.oauth_authorizations where code_hash = sha256('{code}'::bytea)");
    assert_eq!(server.ask(&hashes).await, "1", "its hash alone is kept");

    let got = exchange(&server, &planner, &code).await;
    assert_eq!(got.headers["cache-control"], "no-store");
    let got = got.ok();
    let names: std::collections::BTreeSet<&str> = got.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["access_token", "expires_in", "id_token", "refresh_token", "scope", "token_type"].into());
    assert_eq!(json!([got["token_type"], got["expires_in"], got["scope"]]), json!(["bearer", 3600, "email openid profile"]));
    let said = claims(&got);
    assert_eq!(
        json!([said["client_id"], said["scope"], said["role"], said["aud"], said["aal"], said["company_id"], said["member_role"]]),
        json!([id(&planner), "email openid profile", "authenticated", "authenticated", "aal1", company, "owner"])
    );
    assert_eq!(said["sub"], ann["user"]["id"]);
    assert_ne!(said["session_id"], claims(&ann)["session_id"]);
    let method = json!({ "method": "oauth_provider/authorization_code", "timestamp": START + 60 });
    assert_eq!(said["amr"], json!([method, { "method": "password", "timestamp": START }]));

    let who = part(&got["id_token"]);
    let updated = who["updated_at"].clone();
    assert!(updated.is_i64(), "{who}");
    let expected = json!({
        "iss": "http://localhost:54321/auth/v1", "aud": id(&planner), "sub": ann["user"]["id"], "nonce": "n-1", "iat": START + 60,
        "exp": START + 3660, "auth_time": START, "email": "ann@example.com", "email_verified": true, "updated_at": updated,
    });
    assert_eq!(who, expected);
    let as_access = server.call("GET", "/user", got["id_token"].as_str(), None).await;
    assert_eq!(as_access.body["code"], "bad_jwt", "an id token opens nothing");
    let told = server.call("GET", "/oauth/userinfo", Some(token(&got)), None).await.ok();
    // The names that the standard has, and those of programs written for the service this API is compatible with.
    let expected = json!({
        "sub": ann["user"]["id"], "email": "ann@example.com", "email_verified": true, "updated_at": updated, "name": "ann@example.com",
        "preferred_username": "ann@example.com", "user_metadata": { "email_verified": true },
    });
    assert_eq!(told, expected);

    // It agreed once: the next request of this program for no more than that is answered at once, and another one is not.
    let again = ask(&server, &planner, &[("scope", "openid")]).await;
    let at_once = details(&server, &ann, &again).await.ok();
    assert!(at_once["redirect_url"].as_str().unwrap().starts_with("https://planner.example.com/callback?code="), "{at_once}");
    for more in [[("scope", "openid phone"), ("state", "x")], [("scope", "openid"), ("prompt", "consent")]] {
        let authorization = ask(&server, &planner, &more).await;
        assert_eq!(details(&server, &ann, &authorization).await.ok()["authorization_id"], authorization);
    }
    let bob = server.sign_up("bob@example.com").await;
    let authorization = ask(&server, &planner, &[("scope", "openid")]).await;
    assert_eq!(details(&server, &bob, &authorization).await.ok()["authorization_id"], authorization, "he was never asked");
}

#[tokio::test]
async fn a_refusal_is_an_answer() {
    let server = server(|_| ()).await;
    let planner = planner(&server).await;
    let ann = server.sign_up("ann@example.com").await;
    let authorization = ask(&server, &planner, &[]).await;
    let unseen = consent(&server, &ann, &authorization, "approve").await;
    unseen.refused(404, "oauth_authorization_not_found", "authorization not found");
    assert_eq!(details(&server, &ann, &authorization).await.ok()["scope"], "email", "what is asked for when nothing is named");
    let action = "action must be 'approve' or 'deny'";
    consent(&server, &ann, &authorization, "maybe").await.refused(400, "validation_failed", action);
    let denied = consent(&server, &ann, &authorization, "deny").await.ok();
    let back = Url::parse(denied["redirect_url"].as_str().unwrap()).unwrap();
    let said = ["error", "error_description", "state", "iss", "code"].map(|name| query(&back, name));
    let expected =
        ["access_denied", "User denied the request", "s t&1", "http://localhost:54321/auth/v1"].map(|text| Some(text.to_owned()));
    assert_eq!((&said[..4], &said[4]), (&expected[..], &None));
    let message = "authorization request is no longer pending";
    consent(&server, &ann, &authorization, "approve").await.refused(400, "validation_failed", message);
    let message = "authorization request cannot be processed";
    details(&server, &ann, &authorization).await.refused(400, "validation_failed", message);
    assert_eq!(server.call("GET", "/user/oauth/grants", Some(token(&ann)), None).await.ok(), json!([]));
}

#[tokio::test]
async fn a_session_of_a_program_is_refreshed_by_it_alone_and_a_stolen_token_ends_it() {
    let server = server(|_| ()).await;
    let (planner, other) = (planner(&server).await, planner(&server).await);
    let ann = server.sign_up("ann@example.com").await;
    let first = tokens(&server, &planner, &ann, &[("scope", "openid"), ("nonce", "n-1")]).await;
    let no_grant = |answer: &Answer| assert_eq!((answer.status, &answer.body["error"]), (400, &json!("invalid_grant")), "{}", answer.text);
    let not_found = "Invalid Refresh Token: Refresh Token Not Found";
    server.refresh(&first).await.refused(400, "refresh_token_not_found", not_found);
    no_grant(&refresh(&server, &other, &first).await);
    no_grant(&refresh(&server, &planner, &ann).await);

    server.wait(60);
    let second = refresh(&server, &planner, &first).await.ok();
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert_eq!(json!([claims(&second)["client_id"], second["scope"]]), json!([id(&planner), "openid"]));
    assert!(part(&second["id_token"]).get("nonce").is_none());
    let wider = [("grant_type", "refresh_token"), ("refresh_token", second["refresh_token"].as_str().unwrap()), ("scope", "openid phone")];
    let secret = planner["client_secret"].as_str().unwrap();
    assert_eq!(form(&server, "/oauth/token", Some((id(&planner), secret)), &wider).await.body["error"], "invalid_scope");
    assert_eq!(server.user(&second).await.status, 200);
    server.wait(60);
    no_grant(&refresh(&server, &planner, &first).await);
    assert_eq!(server.user(&second).await.body["code"], "session_not_found", "the whole session is over");
    assert_eq!(server.user(&ann).await.status, 200, "and the person's own is not");

    // Who he is and what he may end with him: his account, and all he let in.
    let third = tokens(&server, &planner, &ann, &[]).await;
    let change = server.call("PUT", "/user", Some(token(&ann)), Some(json!({ "password": format!("{PASSWORD} 2") }))).await;
    assert_eq!(change.status, 200, "{}", change.text);
    no_grant(&refresh(&server, &planner, &third).await);
}

#[tokio::test]
async fn a_program_does_not_reach_the_account_of_whom_it_acts_for() {
    let server = server(|config| config.jwt_secret = Some(kernel::Secret::new(SECRET.to_owned()))).await;
    let planner = planner(&server).await;
    let ann = server.sign_up("ann@example.com").await;
    let company = server.company("acme", &ann).await;
    let held = tokens(&server, &planner, &ann, &[("scope", "email")]).await;
    let pending = ask(&server, &planner, &[]).await;
    let message = "A program that acts for somebody does not reach his account";
    for (method, path) in [
        ("PUT", "/user".to_owned()),
        ("POST", "/factors".to_owned()),
        ("DELETE", format!("/factors/{company}")),
        ("POST", format!("/factors/{company}/challenge")),
        ("POST", format!("/factors/{company}/verify")),
        ("GET", "/factors/recovery-codes".to_owned()),
        ("POST", "/factors/recovery-codes".to_owned()),
        ("GET", "/sessions".to_owned()),
        ("DELETE", format!("/sessions/{}", claims(&ann)["session_id"].as_str().unwrap())),
        ("GET", "/reauthenticate".to_owned()),
        ("POST", "/company".to_owned()),
        ("POST", "/logout".to_owned()),
        ("POST", "/logout?scope=others".to_owned()),
        ("GET", "/user/oauth/grants".to_owned()),
        ("DELETE", format!("/user/oauth/grants?client_id={}", id(&planner))),
        ("GET", format!("/oauth/authorizations/{pending}")),
        ("POST", format!("/oauth/authorizations/{pending}/consent")),
    ] {
        let body =
            json!({ "password": "another long password", "factor_type": "totp", "company_id": company, "action": "approve", "code": "1" });
        let answer = server.call(method, &path, Some(token(&held)), Some(body)).await;
        assert_eq!((answer.status, &answer.body["code"]), (403, &json!("oauth_client_not_allowed")), "{method} {path}: {}", answer.text);
        assert_eq!(answer.body["message"], message);
    }
    assert_eq!(server.call("GET", "/admin/users", Some(token(&held)), None).await.body["code"], "not_admin");
    // A token that leaves the program out is one of the same session.
    let plain = json!({ "role": "authenticated", "sub": ann["user"]["id"], "session_id": claims(&held)["session_id"] });
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
    let plain = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &plain, &key).unwrap();
    assert_eq!(server.call("GET", "/user", Some(&plain), None).await.status, 200);
    let answer = server.call("PUT", "/user", Some(&plain), Some(json!({ "password": "another long password" }))).await;
    assert_eq!(answer.body["code"], "oauth_client_not_allowed");
    let listed = server.call("GET", "/sessions", Some(token(&ann)), None).await.ok();
    let by: Vec<&Value> = listed.as_array().unwrap().iter().map(|session| &session["client_id"]).collect();
    assert_eq!(by, [&json!(id(&planner)), &Value::Null], "the person sees which of his sessions are programs'");

    assert_eq!(server.user(&held).await.ok()["email"], "ann@example.com");
    let told = server.call("GET", "/oauth/userinfo", Some(token(&held)), None).await.ok();
    assert_eq!((&told["sub"], told.get("phone")), (&ann["user"]["id"], None), "no more than its scopes");
    assert_eq!(server.call("POST", "/logout?scope=local", Some(token(&held)), None).await.status, 204, "what it holds is its own");
    assert_eq!(server.user(&held).await.body["code"], "session_not_found");
    assert_eq!(server.user(&ann).await.status, 200);
    let own = server.call("GET", "/oauth/userinfo", Some(token(&ann)), None).await.ok();
    assert_eq!(own["sub"], ann["user"]["id"], "the person himself");
    for wrong in [None, Some("x"), Some(token(&held))] {
        let refused = server.call("GET", "/oauth/userinfo", wrong, None).await;
        assert_eq!((refused.status, &refused.body["error"]), (401, &json!("invalid_token")), "{}", refused.text);
        assert!(refused.headers["www-authenticate"].to_str().unwrap().contains("invalid_token"));
    }
}

#[tokio::test]
async fn an_address_is_told_for_its_own_scope_alone() {
    let server = server(|_| ()).await;
    let planner = planner(&server).await;
    let ann = server.sign_up("ann@example.com").await;
    // With some providers the name of an account is its address.
    let data =
        json!({ "preferred_username": "Ann@Example.com", "user_name": "ann@example.com", "full_name": "ann@example.com", "nick": "A" });
    server.call("PUT", "/user", Some(token(&ann)), Some(json!({ "data": data }))).await.ok();
    let held = tokens(&server, &planner, &ann, &[("scope", "openid profile")]).await;
    let told = server.call("GET", "/oauth/userinfo", Some(token(&held)), None).await.ok();
    assert_eq!(told, json!({ "sub": ann["user"]["id"], "updated_at": told["updated_at"], "user_metadata": { "nick": "A" } }));
}

#[tokio::test]
async fn what_somebody_let_in_he_sees_and_ends() {
    let server = server(|_| ()).await;
    let planner = planner(&server).await;
    let (ann, bob) = (server.sign_up("ann@example.com").await, server.sign_up("bob@example.com").await);
    let held = tokens(&server, &planner, &ann, &[("scope", "openid email")]).await;
    let of_bob = tokens(&server, &planner, &bob, &[]).await;
    let late = query(&agree(&server, &planner, &ann, &[("prompt", "consent"), ("scope", "phone")]).await, "code").unwrap();
    let grants = async |session: &Value| server.call("GET", "/user/oauth/grants", Some(token(session)), None).await.ok();
    let mut list = grants(&ann).await;
    let at: jiff::Timestamp = list[0]["granted_at"].take().as_str().unwrap().parse().unwrap();
    assert_eq!(at.as_second(), START);
    let shown = json!({ "id": id(&planner), "name": "Planner", "uri": "https://planner.example.com", "logo_uri": "" });
    assert_eq!(list, json!([{ "client": shown, "scopes": ["email", "openid", "phone"], "granted_at": null }]));

    let path = format!("/user/oauth/grants?client_id={}", id(&planner));
    assert_eq!(server.call("DELETE", &path, None, None).await.status, 401);
    assert_eq!(server.call("DELETE", "/user/oauth/grants?client_id=x", Some(token(&ann)), None).await.body["code"], "validation_failed");
    assert_eq!(server.call("DELETE", &path, Some(token(&ann)), None).await.status, 204);
    assert_eq!(server.user(&held).await.body["code"], "session_not_found", "at the very next request");
    assert_eq!(refresh(&server, &planner, &held).await.body["error"], "invalid_grant");
    assert_eq!(exchange(&server, &planner, &late).await.body["error"], "invalid_grant", "a code that was not used yet, too");
    assert_eq!(grants(&ann).await, json!([]));
    let none = server.call("DELETE", &path, Some(token(&ann)), None).await;
    none.refused(404, "oauth_consent_not_found", "No active grant found for this client");
    assert_eq!(server.user(&of_bob).await.status, 200, "another's stays");
    let authorization = ask(&server, &planner, &[("scope", "openid")]).await;
    assert_eq!(details(&server, &ann, &authorization).await.ok()["authorization_id"], authorization, "he is asked again");

    // A program that is deleted takes everything along.
    crate::oauth_clients::admin(&server, "DELETE", &format!("/{}", id(&planner)), None).await;
    assert_eq!(server.user(&of_bob).await.body["code"], "session_not_found");
    assert_eq!(grants(&bob).await, json!([]));
}

#[tokio::test]
async fn a_program_gives_back_what_it_holds() {
    let server = server(|_| ()).await;
    let (planner, other) = (planner(&server).await, planner(&server).await);
    let ann = server.sign_up("ann@example.com").await;
    let revoke = async |client: &Value, text: &str| {
        form(&server, "/oauth/revoke", Some((id(client), client["client_secret"].as_str().unwrap())), &[("token", text)]).await
    };
    for name in ["refresh_token", "access_token"] {
        let held = tokens(&server, &planner, &ann, &[("prompt", "consent")]).await;
        let text = held[name].as_str().unwrap();
        // Neither another program nor the person's own token is touched, and the answer does not tell.
        for (client, text) in [(&other, text), (&planner, token(&ann)), (&planner, ann["refresh_token"].as_str().unwrap()), (&planner, "x")]
        {
            let answer = revoke(client, text).await;
            assert_eq!((answer.status, answer.text.as_str()), (200, ""));
        }
        assert_eq!((server.user(&held).await.status, server.user(&ann).await.status), (200, 200));
        let answer = revoke(&planner, text).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""));
        assert_eq!(server.user(&held).await.body["code"], "session_not_found", "{name}");
        assert_eq!(refresh(&server, &planner, &held).await.body["error"], "invalid_grant");
    }
    assert_eq!(form(&server, "/oauth/revoke", Some((id(&planner), "x")), &[("token", "x")]).await.status, 401);
    assert_eq!(revoke(&planner, "").await.body["error"], "invalid_request");
}

#[tokio::test]
async fn a_program_asks_what_its_tokens_are_worth() {
    let server = server(|_| ()).await;
    let (planner, other) = (planner(&server).await, planner(&server).await);
    let ann = server.sign_up("ann@example.com").await;
    let held = tokens(&server, &planner, &ann, &[("prompt", "consent")]).await;
    let (access, refreshes) = (held["access_token"].as_str().unwrap(), held["refresh_token"].as_str().unwrap());
    let ask = async |client: &Value, text: &str| {
        form(&server, "/oauth/introspect", Some((id(client), client["client_secret"].as_str().unwrap())), &[("token", text)]).await
    };
    let told = ask(&planner, access).await.ok();
    let known = |name: &str| told[name].clone();
    assert_eq!((known("active"), known("token_type"), known("exp")), (json!(true), json!("Bearer"), json!(START + 3600)));
    assert_eq!((known("sub"), known("client_id")), (ann["user"]["id"].clone(), planner["client_id"].clone()));
    assert_eq!((known("scope"), known("iss")), (held["scope"].clone(), json!("http://localhost:54321/auth/v1")));
    let told = ask(&planner, refreshes).await.ok();
    assert_eq!((&told["active"], told.get("token_type"), &told["scope"]), (&json!(true), None, &held["scope"]));
    // Of what is not its own it learns as much as of nonsense.
    let nothing = json!({ "active": false });
    for (client, text) in
        [(&other, access), (&other, refreshes), (&planner, token(&ann)), (&planner, ann["refresh_token"].as_str().unwrap())]
    {
        assert_eq!(ask(client, text).await.ok(), nothing);
    }
    assert_eq!(ask(&planner, "nonsense").await.ok(), nothing);
    // Nobody asks who does not prove that he is a program.
    assert_eq!(form(&server, "/oauth/introspect", Some((id(&planner), "wrong")), &[("token", access)]).await.status, 401);
    assert_eq!(form(&server, "/oauth/introspect", None, &[("token", access)]).await.status, 401);
    assert_eq!(ask(&planner, "").await.body["error"], "invalid_request");
    // A refresh token that was used is worth nothing; what is over is over at once.
    let fresh = refresh(&server, &planner, &held).await.ok();
    assert_eq!(ask(&planner, refreshes).await.ok(), nothing);
    let access = fresh["access_token"].as_str().unwrap();
    assert_eq!(ask(&planner, access).await.ok()["active"], true);
    server.sql("update auth.users set banned_until = '2099-01-01'").await;
    assert_eq!(ask(&planner, access).await.ok(), nothing);
    server.sql("update auth.users set banned_until = null").await;
    assert_eq!(ask(&planner, access).await.ok()["active"], true);
    server.sql("update auth.sessions set revoked_at = now() where oauth_client_id is not null").await;
    assert_eq!(ask(&planner, access).await.ok(), nothing);
    assert_eq!(ask(&planner, fresh["refresh_token"].as_str().unwrap()).await.ok(), nothing);
}
