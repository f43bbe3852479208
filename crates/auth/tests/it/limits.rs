//! How often one address, account or company may ask, and who is not kept out by whom.

use auth::AuthConfig;
use auth::config::{AnonymousConfig, LimitsConfig, MfaConfig, OauthServerConfig, OneTimeConfig};
use axum::body::Body;
use http::Request;
use kernel::ClientAddress;
use limits::RatesConfig;
use outbound::OutboundConfig;
use serde_json::{Value, json};

use crate::server::{Answer, PASSWORD, Server, token};

const ANN: &str = "203.0.113.7";
const BOB: &str = "203.0.113.8";

async fn tight(limits: LimitsConfig) -> Server {
    Server::with(AuthConfig { limits, ..AuthConfig::default() }).await
}

/// Sends a request that came from an address.
async fn from(server: &Server, address: &str, (method, path): (&str, &str), bearer: Option<&str>, body: Option<Value>) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("x-supabase-api-version", "2024-01-01");
    if let Some(bearer) = bearer {
        request = request.header("authorization", format!("Bearer {bearer}"));
    }
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    server.send(request.extension(ClientAddress(address.parse().unwrap())).body(body).unwrap()).await
}

#[track_caller]
fn too_often(answer: &Answer, seconds: &str) {
    answer.refused(429, "over_request_rate_limit", "Request rate limit reached");
    assert_eq!(answer.headers["retry-after"], seconds);
}

async fn password(server: &Server, address: &str, email: &str, password: &str) -> Answer {
    from(server, address, ("POST", "/token?grant_type=password"), None, Some(json!({ "email": email, "password": password }))).await
}

#[tokio::test]
async fn the_password_before_is_tried_no_oftener_than_at_sign_in() {
    let server = tight(LimitsConfig { wrong_password_10min_max: 2, ..LimitsConfig::default() }).await;
    let session = server.sign_up("ann@example.com").await;
    let put = async |current: &str| {
        let body = json!({ "password": "a new long password", "current_password": current });
        from(&server, ANN, ("PUT", "/user"), Some(token(&session)), Some(body)).await
    };
    for _ in 0..2 {
        put("not the one").await.refused(400, "current_password_invalid", "The current password is not right.");
    }
    too_often(&put(PASSWORD).await, "300");
    too_often(&password(&server, ANN, "ann@example.com", PASSWORD).await, "300");
    password(&server, BOB, "ann@example.com", PASSWORD).await.ok();
    assert_eq!(server.ask("select count(*) from auth.security_events where action = 'login_failed'").await, "2");
}

#[tokio::test]
async fn every_path_has_a_bucket_for_every_address() {
    let server = tight(LimitsConfig {
        sign_up_5min_max: 2,
        send_5min_max: 2,
        verify_5min_max: 2,
        other_5min_max: 3,
        factor_1min_max: 2,
        anonymous_hour_max: 1,
        refused_5min_max: 2,
        ..LimitsConfig::default()
    })
    .await;
    let sign_up = async |address: &str, email: &str| {
        from(&server, address, ("POST", "/signup"), None, Some(json!({ "email": email, "password": PASSWORD }))).await
    };
    sign_up(ANN, "ann@example.com").await.ok();
    assert_eq!(sign_up(ANN, "not an address").await.status, 400, "what is refused is counted, too");
    too_often(&sign_up(ANN, "ann2@example.com").await, "150");
    // Somebody else is not kept out, and neither is he where something else is counted.
    sign_up(BOB, "bob@example.com").await.ok();
    for path in ["/otp", "/recover"] {
        from(&server, ANN, ("POST", path), None, Some(json!({ "email": "ann@example.com" }))).await.ok();
        server.wait(60);
    }
    // Two minutes brought one of them back, not yet one and a half.
    sign_up(ANN, "x").await.refused(429, "over_request_rate_limit", "Request rate limit reached");
    server.wait(30);
    assert_eq!(sign_up(ANN, "x").await.status, 400);
    for path in ["/verify?token=1&type=email", "/verify?token=2&type=email"] {
        assert_eq!(from(&server, ANN, ("GET", path), None, None).await.status, 303);
    }
    too_often(&from(&server, ANN, ("POST", "/verify"), None, Some(json!({}))).await, "150");
    for path in ["/factors/1/challenge", "/factors/1/verify"] {
        assert_eq!(from(&server, ANN, ("POST", path), None, Some(json!({}))).await.status, 401);
    }
    too_often(&from(&server, ANN, ("POST", "/factors/recovery-codes/verify"), None, Some(json!({}))).await, "30");
    // Also a path that is not there.
    for path in ["/settings", "/nowhere", "/health"] {
        assert_ne!(from(&server, ANN, ("GET", path), None, None).await.status, 429);
    }
    too_often(&from(&server, ANN, ("GET", "/.well-known/jwks.json"), None, None).await, "100");
    // Who says nothing of himself is counted for himself, by the hour.
    let anonymous = async |address: &str| from(&server, address, ("POST", "/signup"), None, Some(json!({}))).await;
    server.wait(300);
    assert_ne!(anonymous("2001:db8:1:2::1").await.status, 429);
    too_often(&anonymous("2001:db8:1:2:ffff::9").await, "3600");
    assert_ne!(anonymous("2001:db8:1:3::1").await.status, 429, "the next network is somebody else");
}

#[tokio::test]
async fn a_key_may_ask_as_often_as_it_has_to_and_is_not_guessed() {
    let server = tight(LimitsConfig { refused_5min_max: 2, ..LimitsConfig::default() }).await;
    let service = server.ring.service().token.expose().clone();
    let list = async |bearer: &str| from(&server, ANN, ("GET", "/admin/users"), Some(bearer), None).await;
    for _ in 0..5 {
        assert_eq!(list(&service).await.status, 200);
    }
    for _ in 0..2 {
        assert_eq!(list("guess").await.status, 403);
    }
    too_often(&list("guess").await, "150");
    too_often(&list(&service).await, "150");
    server.wait(150);
    assert_eq!(list(&service).await.status, 200);
}

#[tokio::test]
async fn wrong_passwords_slow_down_and_lock_nobody_out() {
    let server = tight(LimitsConfig {
        wrong_password_10min_max: 3,
        wrong_password_address_10min_max: 5,
        wrong_password_account_hour_max: 6,
        ..LimitsConfig::default()
    })
    .await;
    server.sign_up("ann@example.com").await;
    server.sign_up("bob@example.com").await;
    assert_eq!(password(&server, ANN, "ann@example.com", PASSWORD).await.status, 200);
    // A right one begins anew.
    for _ in 0..2 {
        for _ in 0..2 {
            assert_eq!(password(&server, ANN, "ann@example.com", "wrong").await.status, 400);
        }
        assert_eq!(password(&server, ANN, "Ann@Example.com ", PASSWORD).await.status, 200);
    }
    server.wait(3600);
    // A stranger, and nobody's address is answered the same.
    for email in ["ann@example.com", "nobody@example.com"] {
        for _ in 0..3 {
            password(&server, BOB, email, "wrong").await.refused(400, "invalid_credentials", "Invalid login credentials");
        }
        too_often(&password(&server, BOB, email, "wrong").await, "200");
        server.wait(600);
    }
    // One address at many accounts.
    for number in 0..5 {
        assert_eq!(password(&server, "198.51.100.1", &format!("{number}@example.com"), "wrong").await.status, 400);
    }
    too_often(&password(&server, "198.51.100.1", "bob@example.com", PASSWORD).await, "120");
    // Many addresses at one account: who was signed in from his goes on, whoever is new waits, and the account opens by itself.
    for last in 1..=3 {
        password(&server, &format!("192.0.2.{last}"), "ann@example.com", "wrong").await;
        password(&server, &format!("192.0.2.{last}"), "ann@example.com", "wrong").await;
    }
    for email in ["ann@example.com"] {
        assert_eq!(password(&server, "192.0.2.99", email, PASSWORD).await.status, 429);
    }
    assert_eq!(password(&server, ANN, "ann@example.com", PASSWORD).await.status, 200);
    assert_eq!(password(&server, "192.0.2.99", "bob@example.com", PASSWORD).await.status, 200);
    server.wait(600);
    assert_eq!(password(&server, "192.0.2.99", "ann@example.com", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn of_many_tries_at_once_no_more_are_looked_at() {
    let server = tight(LimitsConfig { wrong_password_10min_max: 3, ..LimitsConfig::default() }).await;
    server.sign_up("ann@example.com").await;
    let wrong = || password(&server, BOB, "ann@example.com", "wrong");
    let answers = tokio::join!(wrong(), wrong(), wrong(), wrong(), wrong(), wrong());
    let statuses = [answers.0.status, answers.1.status, answers.2.status, answers.3.status, answers.4.status, answers.5.status];
    assert_eq!(statuses.iter().filter(|status| **status == 400).count(), 3, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 3, "{statuses:?}");
}

#[tokio::test]
async fn an_account_its_sessions_and_a_company_are_counted_from_wherever_they_ask() {
    let server =
        tight(LimitsConfig { account_5min_max: 4, company_5min_max: 5, session_refresh_5min_max: 2, ..LimitsConfig::default() }).await;
    let (ann, bob, eve) =
        (server.sign_up("ann@example.com").await, server.sign_up("bob@example.com").await, server.sign_up("eve@example.com").await);
    let company = server.company("baker", &ann).await;
    let member = format!(
        "insert into public.team_members (company_id, user_id, role) values ('{company}', '{}', 'viewer')",
        bob["user"]["id"].as_str().unwrap()
    );
    server.sql(&member).await;
    let (ann, bob) = (server.refresh(&ann).await.ok(), server.refresh(&bob).await.ok());
    for address in [ANN, BOB, ANN, BOB] {
        assert_eq!(from(&server, address, ("GET", "/user"), Some(token(&ann)), None).await.status, 200);
    }
    too_often(&from(&server, ANN, ("GET", "/user"), Some(token(&ann)), None).await, "75");
    // Four of the company's five were Ann's.
    assert_eq!(from(&server, BOB, ("GET", "/user"), Some(token(&bob)), None).await.status, 200);
    too_often(&from(&server, BOB, ("GET", "/user"), Some(token(&bob)), None).await, "60");
    assert_eq!(from(&server, BOB, ("GET", "/user"), Some(token(&eve)), None).await.status, 200, "who works elsewhere is not kept out");
    // Also one that is presented again.
    let again = server.refresh(&ann).await.ok();
    too_often(&server.refresh(&again).await, "150");
    too_often(&server.refresh(&ann).await, "150");
    server.wait(150);
    server.refresh(&again).await.ok();
}

#[tokio::test]
async fn one_account_is_tried_five_times_a_minute_from_one_address() {
    let rates = RatesConfig { shadow: vec!["read".to_owned()], ..RatesConfig::default() };
    let server = Server::with_rates(AuthConfig::default(), OutboundConfig::default(), rates).await;
    server.sign_up("ann@example.com").await;
    for _ in 0..5 {
        assert_eq!(password(&server, ANN, "ann@example.com", PASSWORD).await.status, 200, "a right one counts, too");
    }
    too_often(&password(&server, ANN, "ann@example.com", PASSWORD).await, "12");
    assert_eq!(password(&server, BOB, "ann@example.com", PASSWORD).await.status, 200, "elsewhere");
    assert_eq!(password(&server, ANN, "bob@example.com", "wrong").await.status, 400, "somebody else");
    let code = json!({ "type": "email", "email": "ann@example.com", "token": "000000" });
    for _ in 0..5 {
        assert_eq!(from(&server, ANN, ("POST", "/verify"), None, Some(code.clone())).await.status, 403, "another way");
    }
    too_often(&from(&server, ANN, ("POST", "/verify"), None, Some(code)).await, "12");
    for status in [200, 429, 429, 429, 429] {
        assert_eq!(from(&server, ANN, ("POST", "/recover"), None, Some(json!({ "email": "ann@example.com" }))).await.status, status);
    }
    server.wait(12);
    assert_eq!(password(&server, ANN, "ann@example.com", PASSWORD).await.status, 200);
    too_often(&password(&server, ANN, "ann@example.com", PASSWORD).await, "12");
}

#[tokio::test]
async fn a_message_that_was_not_sent_burns_no_quota() {
    let server = tight(LimitsConfig::default()).await;
    let ask = async |email: &str| from(&server, "2001:db8::1", ("POST", "/otp"), None, Some(json!({ "email": email }))).await;
    ask("ann@example.com").await.ok();
    assert_eq!(server.ask("select client from app.outbox").await, "2001:db8::/64");
    let soon = ask("ann@example.com").await;
    soon.refused(429, "over_email_send_rate_limit", "For security purposes, you can only request this after 60 seconds.");
    assert_eq!(soon.headers["retry-after"], "60");
    // The mail server refused it for good.
    server.sql("update app.outbox set status = 'failed', sealed = null, finished_at = created_at").await;
    ask("ann@example.com").await.ok();
}

#[tokio::test]
async fn of_ipv6_a_network_is_counted_wherever_somebody_is() {
    let server = Server::with(AuthConfig {
        anonymous: AnonymousConfig { enabled: true, client_hour_max: 1 },
        one_time: OneTimeConfig { client_hour_max: 1, ..OneTimeConfig::default() },
        mfa: MfaConfig { email_enroll_enabled: true, ..MfaConfig::default() },
        oauth_server: OauthServerConfig {
            enabled: true,
            dynamic_registration: true,
            registrations_hour_max: 1,
            ..OauthServerConfig::default()
        },
        ..AuthConfig::default()
    })
    .await;
    let (here, there, elsewhere) = ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1");
    let anonymous = async |address: &str| from(&server, address, ("POST", "/signup"), None, Some(json!({}))).await.status;
    assert_eq!((anonymous(here).await, anonymous(there).await, anonymous(elsewhere).await), (200, 429, 200));
    let register = async |address: &str| {
        let wish = json!({ "client_name": "Desk", "redirect_uris": ["https://desk.example.com/back"] });
        from(&server, address, ("POST", "/oauth/clients/register"), None, Some(wish)).await.status
    };
    assert_eq!((register(here).await, register(there).await, register(elsewhere).await), (201, 429, 201));
    assert_eq!(
        server.ask("select host(registered_from) || '/' || masklen(registered_from) from auth.oauth_clients limit 1").await,
        "2001:db8:1:2::/64"
    );

    // A code to prove a factor counts with those that anybody asks for.
    let session = server.sign_up("ann@example.com").await;
    let enroll = json!({ "factor_type": "email", "email": "ann@other.example.com" });
    let factor = from(&server, here, ("POST", "/factors"), Some(token(&session)), Some(enroll)).await.ok();
    let path = format!("/factors/{}/challenge", factor["id"].as_str().unwrap());
    from(&server, here, ("POST", &path), Some(token(&session)), Some(json!({}))).await.ok();
    let otp =
        async |address: &str, email: &str| from(&server, address, ("POST", "/otp"), None, Some(json!({ "email": email }))).await.status;
    assert_eq!((otp(there, "bob@example.com").await, otp(elsewhere, "eve@example.com").await), (429, 200));
}

#[tokio::test]
async fn who_signs_up_with_a_number_is_counted_as_with_an_address() {
    let config = AuthConfig { one_time: OneTimeConfig { phone_autoconfirm: true, ..OneTimeConfig::default() }, ..AuthConfig::default() };
    let server =
        Server::with_rates(config, OutboundConfig::default(), RatesConfig { strict_minute_max: 5, ..RatesConfig::default() }).await;
    let sign_up = async |address: &str| {
        from(&server, address, ("POST", "/signup"), None, Some(json!({ "phone": "+15550100", "password": PASSWORD }))).await
    };
    assert_eq!(sign_up(ANN).await.status, 200);
    for _ in 0..4 {
        assert_eq!(sign_up(ANN).await.body["code"], "user_already_exists");
    }
    too_often(&sign_up(ANN).await, "12");
    assert_eq!(sign_up(BOB).await.body["code"], "user_already_exists", "elsewhere");
}

#[tokio::test]
async fn whoever_was_sent_away_is_new_to_a_closed_account() {
    let limits = LimitsConfig { wrong_password_account_hour_max: 1, ..LimitsConfig::default() };
    let server = tight(limits).await;
    server.sign_up("ann@example.com").await;
    let session = password(&server, ANN, "ann@example.com", PASSWORD).await.ok();
    let close = async || password(&server, "198.51.100.1", "ann@example.com", "wrong").await;
    assert_eq!(close().await.status, 400);
    too_often(&close().await, "3600");
    assert_eq!(password(&server, ANN, "ann@example.com", PASSWORD).await.status, 200, "she was here before");
    // Her sessions from there were ended: whoever sits there now is a stranger.
    from(&server, ANN, ("POST", "/logout?scope=global"), Some(token(&session)), None).await;
    too_often(&password(&server, ANN, "ann@example.com", PASSWORD).await, "3600");
    // As is everybody after as long as a session lasts.
    server.sql("update auth.sessions set revoked_at = null").await;
    assert_eq!(password(&server, ANN, "ann@example.com", PASSWORD).await.status, 200);
    server.sql("update auth.sessions set created_at = created_at - interval '91 days'").await;
    too_often(&password(&server, ANN, "ann@example.com", PASSWORD).await, "3600");
}
