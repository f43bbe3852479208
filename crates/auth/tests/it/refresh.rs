//! Refresh tokens: rotation, the moment of grace, and what reuse costs.

use auth::AuthConfig;
use serde_json::{Value, json};

use crate::server::{Answer, START, Server, claims};

fn not_found(answer: &Answer) {
    answer.refused(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found");
}

fn already_used(answer: &Answer) {
    answer.refused(400, "refresh_token_already_used", "Invalid Refresh Token: Already Used");
}

#[tokio::test]
async fn a_refresh_gives_the_next_token_of_the_same_session() {
    let server = Server::new().await;
    let first = server.sign_up("ann@example.com").await;
    server.wait(1800);
    let second = server.refresh(&first).await.ok();
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert_eq!(claims(&second)["session_id"], claims(&first)["session_id"]);
    assert_eq!(claims(&second)["iat"], START + 1800);
    assert_eq!(claims(&second)["amr"], claims(&first)["amr"], "a refresh is no new proof");
    assert_eq!(second["user"]["id"], first["user"]["id"]);
    assert_eq!(server.user(&second).await.status, 200);
    assert_eq!(server.refresh(&second).await.status, 200);
}

#[tokio::test]
async fn within_the_grace_the_active_token_is_answered_again() {
    let server = Server::new().await;
    let first = server.sign_up("ann@example.com").await;
    let second = server.refresh(&first).await.ok();
    for _ in 0..2 {
        server.wait(5);
        assert_eq!(server.refresh(&first).await.ok()["refresh_token"], second["refresh_token"]);
    }
    assert_eq!(server.ask("select refresh_counter from auth.sessions").await, "1");
    server.wait(1);
    assert_ne!(server.refresh(&first).await.ok()["refresh_token"], second["refresh_token"], "what was never used is replaced");
}

#[tokio::test]
async fn a_lost_answer_costs_nobody_his_session() {
    let server = Server::new().await;
    let first = server.sign_up("ann@example.com").await;
    // Answered, but the answer did not arrive; the device comes back an hour later with what it has, and loses that answer, too.
    let lost = server.refresh(&first).await.ok();
    server.wait(3600);
    let also_lost = server.refresh(&first).await.ok();
    server.wait(3600);
    let arrived = server.refresh(&first).await.ok();
    assert_ne!(arrived["refresh_token"], also_lost["refresh_token"]);
    assert_eq!(claims(&arrived)["session_id"], claims(&first)["session_id"]);
    server.wait(3600);
    let next = server.refresh(&arrived).await.ok();
    assert_eq!(server.refresh(&next).await.status, 200);
    assert_eq!(server.ask("select count(*) from auth.sessions").await, "1");
    // Whoever has what was lost is somebody else.
    already_used(&server.refresh(&lost).await);
    assert_eq!(server.user(&next).await.body["code"], "session_not_found");
}

#[tokio::test]
async fn of_two_who_hold_a_token_one_is_found_out() {
    let server = Server::new().await;
    // A copy of the first token is used late: what its owner was given for it is void, and his next refresh ends both.
    let first = server.sign_up("ann@example.com").await;
    let owners = server.refresh(&first).await.ok();
    server.wait(3600);
    let thiefs = server.refresh(&first).await.ok();
    already_used(&server.refresh(&owners).await);
    not_found(&server.refresh(&thiefs).await);
    // And the other way round: the owner was faster, and went on.
    let first = server.sign_in("ann@example.com").await;
    let second = server.refresh(&first).await.ok();
    server.wait(3600);
    let third = server.refresh(&second).await.ok();
    server.wait(3600);
    already_used(&server.refresh(&first).await);
    not_found(&server.refresh(&third).await);
}

#[tokio::test]
async fn many_tabs_at_once_get_the_same_token() {
    let server = Server::new().await;
    let first = server.sign_up("ann@example.com").await;
    let (a, b, c, d) = tokio::join!(server.refresh(&first), server.refresh(&first), server.refresh(&first), server.refresh(&first));
    let tokens: Vec<Value> = [a, b, c, d].into_iter().map(|answer| answer.ok()["refresh_token"].clone()).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
    assert_eq!(server.ask("select refresh_counter from auth.sessions").await, "1");
}

#[tokio::test]
async fn fifty_tabs_refresh_again_and_again_and_stay_signed_in() {
    let server = Server::new().await;
    let mut session = server.sign_up("ann@example.com").await;
    for round in 1..=3 {
        let mut tabs = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let (router, token) = (server.router.clone(), session["refresh_token"].clone());
            tabs.spawn(async move {
                let body = json!({ "refresh_token": token }).to_string();
                let request = http::Request::post("/token?grant_type=refresh_token").header("content-type", "application/json");
                let answer = tower::ServiceExt::oneshot(router, request.body(axum::body::Body::from(body)).unwrap()).await.unwrap();
                let status = answer.status();
                let bytes = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
                assert_eq!(status, 200, "{bytes:?}");
                serde_json::from_slice::<Value>(&bytes).unwrap()
            });
        }
        let answers = tabs.join_all().await;
        assert!(answers.iter().all(|answer| answer["refresh_token"] == answers[0]["refresh_token"]));
        assert_ne!(answers[0]["refresh_token"], session["refresh_token"]);
        session = answers[0].clone();
        assert_eq!(server.ask("select refresh_counter from auth.sessions").await, round.to_string());
        server.wait(3600);
    }
    assert_eq!(server.ask("select count(*) from auth.sessions").await, "1", "no row per token");
}

#[tokio::test]
async fn reuse_ends_the_session_for_everybody_who_has_it() {
    let server = Server::new().await;
    let first = server.sign_up("ann@example.com").await;
    let other = server.sign_in("ann@example.com").await;
    let second = server.refresh(&first).await.ok();
    let third = server.refresh(&second).await.ok();
    // Two generations old: no grace, at once.
    already_used(&server.refresh(&first).await);
    not_found(&server.refresh(&third).await);
    not_found(&server.refresh(&first).await);
    server.user(&third).await.refused(403, "session_not_found", "Session from session_id claim in JWT does not exist");
    assert_eq!(server.refresh(&other).await.status, 200, "another device is another session");
}

#[tokio::test]
async fn a_token_of_nobody_is_not_found() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    let foreign = Server::new().await.sign_up("ann@example.com").await;
    let text = session["refresh_token"].as_str().unwrap();
    for wrong in [&text[1..], "x", foreign["refresh_token"].as_str().unwrap(), &"A".repeat(54), "' or 1=1 --"] {
        not_found(&server.refresh(&json!({ "refresh_token": wrong })).await);
    }
    let none = server.post("/token?grant_type=refresh_token", json!({})).await;
    none.refused(400, "validation_failed", "refresh_token required");
    server.sql("delete from auth.sessions").await;
    not_found(&server.refresh(&session).await);
}

#[tokio::test]
async fn a_token_from_the_future_of_a_restored_backup_ends_nothing() {
    let server = Server::new().await;
    let first = server.sign_up("ann@example.com").await;
    let second = server.refresh(&first).await.ok();
    let third = server.refresh(&second).await.ok();
    server.sql("update auth.sessions set refresh_counter = 1").await;
    not_found(&server.refresh(&third).await);
    assert_eq!(server.ask("select revoked_at from auth.sessions").await, "null");
    assert_eq!(server.refresh(&second).await.status, 200);
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_and_when_it_is_old() {
    let config = AuthConfig { session_idle_seconds: 7200, session_seconds_max: 10_000, ..AuthConfig::default() };
    let server = Server::with(config).await;
    let expired = |answer: Answer| answer.refused(400, "session_expired", "Invalid Refresh Token: Session Expired");
    let idle = server.sign_up("ann@example.com").await;
    server.wait(7200);
    expired(server.refresh(&idle).await);

    let mut session = server.sign_in("ann@example.com").await;
    for _ in 0..3 {
        server.wait(3000);
        session = server.refresh(&session).await.ok();
    }
    server.wait(1000);
    expired(server.refresh(&session).await);
    server.user(&session).await.refused(403, "session_not_found", "Session from session_id claim in JWT does not exist");
}

#[tokio::test]
async fn rotated_keys_keep_sessions_and_revoked_ones_do_not() {
    let server = Server::new().await;
    let first = server.sign_up("ann@example.com").await;
    let stale = server.sign_up("bob@example.com").await;
    let rotated = server.ring.rotated(jiff::Timestamp::from_second(START).unwrap()).unwrap();
    server.auth.replace_keys(&rotated);
    assert_eq!(server.user(&first).await.status, 200);
    let second = server.refresh(&first).await.ok();
    assert_eq!(crate::server::header(&second)["kid"], rotated.current().public().kid());
    server.auth.replace_keys(&rotated.without_previous());
    assert_eq!(server.user(&first).await.body["code"], "bad_jwt");
    assert_eq!(server.user(&second).await.status, 200);
    not_found(&server.refresh(&stale).await);
    assert_eq!(server.refresh(&second).await.status, 200);
}
