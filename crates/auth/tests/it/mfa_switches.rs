//! Sorts of second factors that the operator turned off, and a challenge that somebody else answers.

use auth::AuthConfig;
use auth::config::MfaConfig;
use axum::body::Body;
use http::Request;
use kernel::ClientAddress;
use serde_json::{Value, json};

use crate::server::{Answer, Server, token};

async fn with(mfa: MfaConfig) -> (Server, Value) {
    let server = Server::with(AuthConfig { mfa, ..AuthConfig::default() }).await;
    let session = server.sign_up("ann@example.com").await;
    (server, session)
}

async fn ask(server: &Server, session: &Value, path: &str, body: Value) -> Answer {
    server.call("POST", path, Some(token(session)), Some(body)).await
}

fn wish(sort: &str) -> Value {
    json!({ "factor_type": sort, "friendly_name": sort, "phone": "+15550100199", "email": "spare@example.org" })
}

#[tokio::test]
async fn a_sort_that_is_off_is_not_added() {
    let mfa = MfaConfig {
        totp_enroll_enabled: false,
        webauthn_enroll_enabled: false,
        phone_enroll_enabled: false,
        email_enroll_enabled: false,
        recovery_codes_enabled: false,
        ..MfaConfig::default()
    };
    let (server, session) = with(mfa).await;
    for (sort, code, message) in [
        ("totp", "mfa_totp_enroll_not_enabled", "MFA enroll is disabled for TOTP"),
        ("phone", "mfa_phone_enroll_not_enabled", "MFA enroll is disabled for Phone"),
        ("email", "mfa_email_enroll_not_enabled", "MFA enroll is disabled for Email"),
        ("webauthn", "mfa_webauthn_enroll_not_enabled", "MFA enroll is disabled for WebAuthn"),
    ] {
        ask(&server, &session, "/factors", wish(sort)).await.refused(422, code, message);
    }
    let codes = ask(&server, &session, "/factors/recovery-codes", json!({})).await;
    codes.refused(422, "mfa_recovery_codes_enroll_not_enabled", "MFA enroll is disabled for recovery codes");
    let used = ask(&server, &session, "/factors/recovery-codes/verify", json!({ "code": "abcd-efgh" })).await;
    used.refused(422, "mfa_recovery_codes_verify_not_enabled", "MFA verification is disabled for recovery codes");
    assert_eq!(server.ask("select count(*) from auth.mfa_factors").await, "0");
}

#[tokio::test]
async fn a_sort_that_is_off_proves_nothing() {
    let mfa = MfaConfig {
        phone_enroll_enabled: true,
        email_enroll_enabled: true,
        totp_verify_enabled: false,
        phone_verify_enabled: false,
        email_verify_enabled: false,
        ..MfaConfig::default()
    };
    let (server, session) = with(mfa).await;
    for (sort, code, message) in [
        ("totp", "mfa_totp_verify_not_enabled", "MFA verification is disabled for TOTP"),
        ("phone", "mfa_phone_verify_not_enabled", "MFA verification is disabled for Phone"),
        ("email", "mfa_email_verify_not_enabled", "MFA verification is disabled for Email"),
    ] {
        let factor = ask(&server, &session, "/factors", wish(sort)).await.ok();
        for step in ["challenge", "verify"] {
            let path = format!("/factors/{}/{step}", factor["id"].as_str().unwrap());
            let body = json!({ "challenge_id": factor["id"], "code": "123456" });
            ask(&server, &session, &path, body).await.refused(422, code, message);
        }
    }
    assert_eq!(server.ask("select count(*) from auth.mfa_factors where status = 'verified'").await, "0");
}

#[tokio::test]
async fn a_challenge_is_answered_from_where_it_was_asked() {
    let (server, session) = with(MfaConfig::default()).await;
    let factor = ask(&server, &session, "/factors", wish("totp")).await.ok();
    let from = async |address: &str, step: &str, body: Value| {
        let path = format!("/factors/{}/{step}", factor["id"].as_str().unwrap());
        let request = Request::builder().method("POST").uri(path).header("x-supabase-api-version", "2024-01-01");
        let request = request.header("authorization", format!("Bearer {}", token(&session)));
        server.send(request.extension(ClientAddress(address.parse().unwrap())).body(Body::from(body.to_string())).unwrap()).await
    };
    let challenge = from("203.0.113.7", "challenge", json!({})).await.ok();
    let answer = json!({ "challenge_id": challenge["id"], "code": "000000" });
    let elsewhere = from("198.51.100.1", "verify", answer.clone()).await;
    elsewhere.refused(422, "mfa_ip_address_mismatch", "Challenge and verify IP addresses mismatch.");
    assert_eq!(from("203.0.113.7", "verify", answer).await.body["code"], "mfa_verification_failed");
}
