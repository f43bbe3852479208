//! Telephones and mailboxes as second factors.

use auth::AuthConfig;
use auth::config::{MfaConfig, OneTimeConfig};
use serde_json::{Value, json};

use crate::server::{Answer, START, Server, claims, token};

const NUMBER: &str = "+15550100199";
const MAILBOX: &str = "spare@example.org";

fn config() -> AuthConfig {
    let mfa = MfaConfig { phone_enroll_enabled: true, email_enroll_enabled: true, ..MfaConfig::default() };
    let one_time = OneTimeConfig { test_codes: vec!["15550100177=424242".to_owned()], ..OneTimeConfig::default() };
    AuthConfig { mfa, one_time, ..AuthConfig::default() }
}

impl Server {
    async fn enroll_way(&self, session: &Value, sort: &str, to: &str, name: &str) -> Answer {
        let body = json!({ "factor_type": sort, "friendly_name": name, sort: to });
        self.call("POST", "/factors", Some(token(session)), Some(body)).await
    }

    async fn ask_way(&self, session: &Value, factor: &Value, channel: &str) -> Answer {
        let path = format!("/factors/{}/challenge", factor["id"].as_str().unwrap());
        self.call("POST", &path, Some(token(session)), Some(json!({ "factorId": factor["id"], "channel": channel }))).await
    }

    async fn answer_way(&self, session: &Value, factor: &Value, challenge: &Value, code: &str) -> Answer {
        let path = format!("/factors/{}/verify", factor["id"].as_str().unwrap());
        self.call("POST", &path, Some(token(session)), Some(json!({ "challenge_id": challenge["id"], "code": code }))).await
    }

    async fn service(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.call(method, path, Some(self.ring.service().token.expose()), body).await
    }
}

/// Another code of as many digits.
fn other(code: &str) -> String {
    code.chars().map(|digit| if digit == '0' { '1' } else { '0' }).collect()
}

#[tokio::test]
async fn a_code_to_another_telephone_raises_the_session() {
    let server = Server::with(config()).await;
    let session = server.sign_up("ann@example.com").await;
    let factor = server.enroll_way(&session, "phone", NUMBER, "Work").await.ok();
    assert_eq!(factor, json!({ "id": factor["id"], "type": "phone", "friendly_name": "Work", "phone": NUMBER }));
    let refused = server.ask_way(&session, &factor, "whatsapp").await;
    refused.refused(400, "validation_failed", "Invalid channel, supported values are 'sms'");
    let challenge = server.ask_way(&session, &factor, "sms").await.ok();
    assert_eq!((&challenge["type"], &challenge["expires_at"]), (&json!("phone"), &json!(START + 300)));
    let code = server.message(NUMBER).await.code;
    let kept = server.ask("select encode(code_hash, 'escape') from auth.mfa_challenges").await;
    assert!(!kept.contains(&code), "{kept}");
    let soon = server.ask_way(&session, &factor, "").await;
    assert_eq!((soon.status, &soon.body["code"]), (429, &json!("over_sms_send_rate_limit")));
    let wrong = server.answer_way(&session, &factor, &challenge, &other(&code)).await;
    wrong.refused(422, "mfa_verification_failed", "Invalid MFA Phone code entered");
    // Of two at once, one counts.
    let send = || server.answer_way(&session, &factor, &challenge, &code);
    let (a, b) = tokio::join!(send(), send());
    let (first, second) = if a.status == 200 { (a, b) } else { (b, a) };
    second.refused(422, "mfa_factor_not_found", "MFA factor with the provided challenge ID not found");
    let raised = first.ok();
    let said = claims(&raised);
    assert_eq!((&said["aal"], &said["amr"][0]["method"], &said["phone"]), (&json!("aal2"), &json!("mfa/phone"), &json!("")));
    let listed = &raised["user"]["factors"][0];
    assert_eq!((&listed["factor_type"], &listed["phone"], listed.get("email")), (&json!("phone"), &json!("15550100199"), None));
    // The number is the factor's alone: nobody signs in by it.
    let answer = server.post("/otp", json!({ "phone": NUMBER, "create_user": false })).await;
    answer.refused(422, "otp_disabled", "Signups not allowed for otp");
    let twice = server.enroll_way(&raised, "phone", NUMBER, "Again").await;
    let message = "A verified phone factor already exists, unenroll the existing factor to continue";
    twice.refused(422, "mfa_verified_factor_exists", message);

    // A code is of its challenge, and ends with it; tries are counted over all of them.
    server.wait(60);
    let one = server.ask_way(&raised, &factor, "").await.ok();
    let code_of_one = server.message(NUMBER).await.code;
    server.wait(60);
    let two = server.ask_way(&raised, &factor, "").await.ok();
    let code_of_two = server.message(NUMBER).await.code;
    if code_of_one != code_of_two {
        assert_eq!(server.answer_way(&raised, &factor, &two, &code_of_one).await.status, 422);
    }
    server.wait(240);
    assert_eq!(server.answer_way(&raised, &factor, &one, &code_of_one).await.body["code"], "mfa_challenge_expired");
    for _ in 0..5 {
        server.answer_way(&raised, &factor, &two, &other(&code_of_two)).await;
    }
    let locked = server.answer_way(&raised, &factor, &two, &code_of_two).await;
    locked.refused(429, "over_request_rate_limit", "Too many wrong codes. Try again later");
}

#[tokio::test]
async fn a_second_mailbox_is_not_the_first() {
    let server = Server::with(config()).await;
    let session = server.sign_up("ann@example.com").await;
    server.sql("update auth.users set phone = '15550100111', phone_confirmed_at = now()").await;
    let message = "A second factor needs another number or address than the account has";
    for (sort, to) in [("email", " Ann@Example.COM "), ("phone", "+1 555 0100111")] {
        server.enroll_way(&session, sort, to, "").await.refused(422, "mfa_factor_not_separate", message);
    }
    for (sort, to, text) in [
        ("phone", "", "Phone number required to enroll Phone factor"),
        ("phone", "x", "Invalid phone number format (E.164 required)"),
        ("email", "", "Email address required to enroll Email factor"),
        ("email", "x", "Unable to validate email address: invalid format"),
    ] {
        server.enroll_way(&session, sort, to, "").await.refused(400, "validation_failed", text);
    }
    // What was begun and not proved makes place for the next try.
    server.enroll_way(&session, "email", MAILBOX, "Spare").await.ok();
    let factor = server.enroll_way(&session, "email", MAILBOX, "Spare").await.ok();
    assert_eq!(factor, json!({ "id": factor["id"], "type": "email", "friendly_name": "Spare", "email": MAILBOX }));
    let challenge = server.ask_way(&session, &factor, "").await.ok();
    let letter = server.message(MAILBOX).await;
    assert!(letter.text.contains("good for 5 minutes") && letter.link.is_empty(), "{}", letter.text);
    let other_person = server.sign_up("ben@example.com").await;
    let refused = server.answer_way(&other_person, &factor, &challenge, &letter.code).await;
    refused.refused(404, "mfa_factor_not_found", "Factor not found");
    let raised = server.answer_way(&session, &factor, &challenge, &letter.code).await.ok();
    assert_eq!((&claims(&raised)["aal"], &claims(&raised)["amr"][0]["method"]), (&json!("aal2"), &json!("mfa/email")));
    assert_eq!(raised["user"]["factors"][0]["email"], MAILBOX);
    let path = format!("/factors/{}", factor["id"].as_str().unwrap());
    let second = server.sign_in("ann@example.com").await;
    let kept = server.call("DELETE", &path, Some(token(&second)), None).await;
    kept.refused(422, "insufficient_aal", "AAL2 required to unenroll verified factor");
    // An account that comes to have the address has no second one any more.
    server.wait(60);
    server.sql(&format!("update auth.users set email = '{MAILBOX}' where email = 'ann@example.com'")).await;
    server.ask_way(&second, &factor, "").await.refused(422, "mfa_factor_not_separate", message);
    server.call("DELETE", &path, Some(token(&raised)), None).await.ok();
}

#[tokio::test]
async fn tests_have_codes_and_the_service_key_changes_factors() {
    let server = Server::with(config()).await;
    let session = server.sign_up("ann@example.com").await;
    // A number whose code an operator wrote down gets no message.
    let factor = server.enroll_way(&session, "phone", "+15550100177", "Review").await.ok();
    let challenge = server.ask_way(&session, &factor, "sms").await.ok();
    let session = server.answer_way(&session, &factor, &challenge, "424242").await.ok();
    assert_eq!(server.ask("select count(*) from app.captured_messages").await, "0");

    let mailbox = server.enroll_way(&session, "email", MAILBOX, "Spare").await.ok();
    let path =
        |factor: &Value| format!("/admin/users/{}/factors/{}", session["user"]["id"].as_str().unwrap(), factor["id"].as_str().unwrap());
    let changed = server.service("PUT", &path(&factor), Some(json!({ "friendly_name": "Shop", "phone": NUMBER }))).await.ok();
    assert_eq!(
        (&changed["friendly_name"], &changed["phone"], &changed["status"]),
        (&json!("Shop"), &json!("15550100199"), &json!("verified"))
    );
    let changed = server.service("PUT", &path(&mailbox), Some(json!({ "email": "Other@example.org" }))).await.ok();
    assert_eq!((&changed["friendly_name"], &changed["email"]), (&json!("Spare"), &json!("other@example.org")));
    for (factor, body, status, code) in [
        (&factor, json!({ "friendly_name": "Spare" }), 422, "mfa_factor_name_conflict"),
        (&factor, json!({ "email": "x@example.org" }), 400, "validation_failed"),
        (&mailbox, json!({ "phone": NUMBER }), 400, "validation_failed"),
        (&factor, json!({ "phone": "x" }), 400, "validation_failed"),
        (&json!({ "id": "00000000-0000-7000-8000-000000000000" }), json!({}), 404, "mfa_factor_not_found"),
    ] {
        let answer = server.service("PUT", &path(factor), Some(body)).await;
        assert_eq!((answer.status, &answer.body["code"]), (status, &json!(code)));
    }
    let mine = server.call("PUT", &path(&factor), Some(token(&session)), Some(json!({ "friendly_name": "x" }))).await;
    assert_eq!((mine.status, &mine.body["code"]), (403, &json!("not_admin")));
    assert_eq!(server.call("PUT", &path(&factor), None, Some(json!({}))).await.status, 401);

    // Both are off unless an operator wants them; what there is may be turned off, too.
    let mfa = MfaConfig { phone_verify_enabled: false, email_verify_enabled: false, ..MfaConfig::default() };
    let server = Server::with(AuthConfig { mfa, ..AuthConfig::default() }).await;
    let session = server.sign_up("ann@example.com").await;
    for (sort, to, name) in [("phone", NUMBER, "Phone"), ("email", MAILBOX, "Email")] {
        let answer = server.enroll_way(&session, sort, to, "").await;
        assert_eq!((answer.status, &answer.body["code"]), (422, &json!(format!("mfa_{sort}_enroll_not_enabled"))), "{name}");
        let columns = format!("user_id, factor_type, friendly_name, {sort}");
        server.sql(&format!("insert into auth.mfa_factors ({columns}) select id, '{sort}', '{sort}', '{to}' from auth.users")).await;
        let factor = json!({ "id": server.ask(&format!("select id from auth.mfa_factors where factor_type = '{sort}'")).await });
        let answer = server.ask_way(&session, &factor, "").await;
        assert_eq!((answer.status, &answer.body["code"]), (422, &json!(format!("mfa_{sort}_verify_not_enabled"))), "{name}");
    }
}
