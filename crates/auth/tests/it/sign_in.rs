//! Signing in with a password, and signing out.

use std::time::Instant;

use auth::AuthConfig;
use auth::config::PasswordConfig;
use serde_json::json;

use crate::server::{PASSWORD, Server, claims, token};

#[tokio::test]
async fn a_right_password_opens_a_session_of_its_own() {
    let server = Server::new().await;
    let first = server.sign_up("ann@example.com").await;
    server.wait(60);
    let second = server.sign_in("Ann@Example.com").await;
    assert_eq!(second["user"]["id"], first["user"]["id"]);
    assert_eq!(second["user"]["last_sign_in_at"], "2026-11-21T12:01:00Z");
    assert_ne!(claims(&second)["session_id"], claims(&first)["session_id"], "a session is never taken over");
    assert_eq!(server.user(&first).await.status, 200);
}

#[tokio::test]
async fn an_unknown_address_and_a_wrong_password_look_the_same() {
    let server = Server::new().await;
    server.sign_up("ann@example.com").await;
    server.sign_up("none@example.com").await;
    server.sql("update auth.users set encrypted_password = null where email = 'none@example.com'").await;
    let mut answers = Vec::new();
    for (email, password) in [
        ("ann@example.com", "wrong password"),
        ("bob@example.com", "wrong password"),
        ("no address", "wrong password"),
        ("none@example.com", PASSWORD),
        ("ann@example.com", ""),
        ("bob@example.com", "nobody has this password"),
        ("ann@example.com", &"x".repeat(10_000)),
    ] {
        let answer = server.post("/token?grant_type=password", json!({ "email": email, "password": password })).await;
        answer.refused(400, "invalid_credentials", "Invalid login credentials");
        answers.push((answer.text, answer.headers));
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
}

#[tokio::test]
async fn an_unknown_address_takes_as_long_as_a_wrong_password() {
    let server = Server::new().await;
    server.sign_up("ann@example.com").await;
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..25 {
        for (email, times) in ["ann@example.com", "bob@example.com", "no address"].into_iter().zip(&mut times) {
            let start = Instant::now();
            server.post("/token?grant_type=password", json!({ "email": email, "password": "wrong password" })).await;
            times.push(start.elapsed());
        }
    }
    // The fastest of each: what else runs on the machine only ever adds.
    let [known, unknown, no_address] = times.map(|times| times.into_iter().min().unwrap());
    // Without the hash of nobody these would be a tenth of it; a busy machine alone makes them differ by a factor of two.
    for other in [unknown, no_address] {
        assert!(other > known / 4 && other < known * 4, "{known:?} {unknown:?} {no_address:?}");
    }
}

#[tokio::test]
async fn a_banned_user_is_told_only_with_the_right_password() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    server.sql("update auth.users set banned_until = '2026-11-21T13:00:00Z'").await;
    let wrong = server.post("/token?grant_type=password", json!({ "email": "ann@example.com", "password": "wrong" })).await;
    wrong.refused(400, "invalid_credentials", "Invalid login credentials");
    let right = || server.post("/token?grant_type=password", json!({ "email": "ann@example.com", "password": PASSWORD }));
    right().await.refused(400, "user_banned", "User is banned");
    server.user(&session).await.refused(403, "user_banned", "User is banned");
    server.refresh(&session).await.refused(400, "user_banned", "Invalid Refresh Token: User Banned");
    server.wait(3600);
    assert_eq!(right().await.status, 200);
}

#[tokio::test]
async fn a_hash_with_old_settings_is_renewed() {
    let server = Server::new().await;
    server.sign_up("ann@example.com").await;
    let old = PasswordConfig { memory_kib: 20 * 1024, ..PasswordConfig::default() };
    let hash = {
        let other = Server::with(AuthConfig { password: old, ..AuthConfig::default() }).await;
        other.sign_up("ann@example.com").await;
        other.ask("select encrypted_password from auth.users").await
    };
    assert!(hash.starts_with("$argon2id$v=19$m=20480,"));
    server.sql(&format!("update auth.users set encrypted_password = '{hash}'")).await;
    server.sign_in("ann@example.com").await;
    assert!(server.ask("select encrypted_password from auth.users").await.starts_with("$argon2id$v=19$m=19456,"));
    server.sign_in("ann@example.com").await;
}

#[tokio::test]
async fn grants_that_are_off_say_so() {
    let server = Server::new().await;
    let grant = async |name: &str| server.post(&format!("/token?grant_type={name}"), json!({})).await;
    assert_eq!(server.post("/token", json!({})).await.body["code"], "invalid_credentials");
    assert_eq!(grant("magic").await.body["code"], "invalid_credentials");
    grant("web3").await.refused(422, "web3_provider_disabled", "Web3 provider is disabled");
    grant("password").await.refused(400, "validation_failed", "missing email or phone");
    let phone = server.post("/token?grant_type=password", json!({ "phone": "+49170", "password": PASSWORD })).await;
    phone.refused(400, "invalid_credentials", "Invalid login credentials");
}

#[tokio::test]
async fn signing_out_reaches_as_far_as_its_scope() {
    let server = Server::new().await;
    let over = |answer: crate::server::Answer| {
        answer.refused(403, "session_not_found", "Session from session_id claim in JWT does not exist");
    };
    for (scope, left) in [("?scope=local", [false, true, true]), ("?scope=others", [true, false, false]), ("", [false, false, false])] {
        let email = format!("ann{}@example.com", scope.len());
        let sessions = [server.sign_up(&email).await, server.sign_in(&email).await, server.sign_in(&email).await];
        let stranger = server.sign_up(&format!("x{email}")).await;
        let answer = server.call("POST", &format!("/logout{scope}"), Some(token(&sessions[0])), None).await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""));
        for (session, left) in sessions.iter().zip(left) {
            if left {
                assert_eq!(server.user(session).await.status, 200, "{scope}");
                assert_eq!(server.refresh(session).await.status, 200, "{scope}");
            } else {
                over(server.user(session).await);
                over(server.call("POST", "/logout", Some(token(session)), None).await);
                let refused = server.refresh(session).await;
                refused.refused(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found");
            }
        }
        assert_eq!(server.user(&stranger).await.status, 200, "others are left alone");
    }
    let session = server.sign_up("bob@example.com").await;
    let answer = server.call("POST", "/logout?scope=galaxy", Some(token(&session)), None).await;
    assert_eq!((answer.status, &answer.body["code"]), (400, &json!("validation_failed")));
    assert_eq!(server.user(&session).await.status, 200);
}
