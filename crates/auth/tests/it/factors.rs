//! Second factors: authenticator apps, what they protect, and recovery codes.

use auth::AuthConfig;
use auth::config::{MfaConfig, OneTimeConfig};
use auth::keys::{FACTOR_SECRET, reseal};
use kernel::{Authority, Grant};
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use crate::server::{Answer, PASSWORD, START, Server, claims, token};

impl Server {
    async fn enroll(&self, session: &Value, name: &str) -> Answer {
        let body = json!({ "factor_type": "totp", "friendly_name": name, "issuer": "example.com" });
        self.call("POST", "/factors", Some(token(session)), Some(body)).await
    }

    async fn challenge(&self, session: &Value, factor: &Value) -> Answer {
        let path = format!("/factors/{}/challenge", id(factor));
        // The client sends what it was called with.
        self.call("POST", &path, Some(token(session)), Some(json!({ "factorId": factor["id"] }))).await
    }

    async fn answer(&self, session: &Value, factor: &Value, challenge: &Value, code: &str) -> Answer {
        let body = json!({ "challenge_id": challenge["id"], "code": code });
        self.call("POST", &format!("/factors/{}/verify", id(factor)), Some(token(session)), Some(body)).await
    }

    /// Asks and answers in one go.
    async fn prove(&self, session: &Value, factor: &Value, code: &str) -> Answer {
        let challenge = self.challenge(session, factor).await.ok();
        self.answer(session, factor, &challenge, code).await
    }

    async fn unenroll(&self, session: &Value, factor: &Value) -> Answer {
        self.call("DELETE", &format!("/factors/{}", id(factor)), Some(token(session)), None).await
    }

    async fn recovery(&self, method: &str, path: &str, session: &Value, body: Option<Value>) -> Answer {
        self.call(method, &format!("/factors/recovery-codes{path}"), Some(token(session)), body).await
    }

    async fn as_admin(&self, method: &str, path: &str) -> Answer {
        self.call(method, path, Some(self.ring.service().token.expose()), None).await
    }
}

fn id(factor: &Value) -> &str {
    factor["id"].as_str().unwrap()
}

/// What an app shows for a factor at a moment after the start.
fn code(factor: &Value, after: i64) -> String {
    let secret = Secret::try_from_base32(factor["totp"]["secret"].as_str().unwrap()).unwrap();
    let seconds = u64::try_from(START + after).unwrap();
    Builder::new().with_secret(secret).build_noncompliant().generate(seconds).to_string()
}

fn wrong(answer: &Answer) {
    answer.refused(422, "mfa_verification_failed", "Invalid TOTP code entered");
}

#[tokio::test]
async fn a_code_of_an_app_raises_the_session() {
    let server = Server::new().await;
    let other = server.sign_up("ann@example.com").await;
    let first = server.sign_in("ann@example.com").await;
    assert_eq!((&claims(&first)["aal"], &first["user"]["factors"]), (&json!("aal1"), &Value::Null));

    let factor = server.enroll(&first, "Phone").await.ok();
    assert_eq!((&factor["type"], &factor["friendly_name"]), (&json!("totp"), &json!("Phone")));
    let uri = factor["totp"]["uri"].as_str().unwrap();
    assert!(uri.starts_with("otpauth://totp/example.com:ann%40example.com?") && uri.contains("issuer=example.com"), "{uri}");
    assert!(factor["totp"]["qr_code"].as_str().unwrap().contains("<svg"));
    // The row keeps it sealed.
    let kept = server.ask("select secret from auth.mfa_factors").await;
    assert!(kept.starts_with(&server.ring.sealing_mark().unwrap()) && !kept.contains(factor["totp"]["secret"].as_str().unwrap()));
    assert_eq!(server.user(&first).await.ok()["factors"][0]["status"], "unverified");

    let challenge = server.challenge(&first, &factor).await.ok();
    assert_eq!((&challenge["type"], &challenge["expires_at"]), (&json!("totp"), &json!(START + 300)));
    wrong(&server.answer(&first, &factor, &challenge, "000000").await);
    server.wait(40);
    let raised = server.answer(&first, &factor, &challenge, &code(&factor, 40)).await.ok();
    let said = claims(&raised);
    assert_eq!((&said["aal"], &said["session_id"]), (&json!("aal2"), &claims(&first)["session_id"]));
    let methods = json!([{ "method": "totp", "timestamp": START + 40 }, { "method": "password", "timestamp": START }]);
    assert_eq!(said["amr"], methods);
    let listed = &raised["user"]["factors"][0];
    assert_eq!(
        (&listed["status"], &listed["factor_type"], &listed["friendly_name"]),
        (&json!("verified"), &json!("totp"), &json!("Phone"))
    );
    assert!(listed.get("secret").is_none() && raised["refresh_token"] != first["refresh_token"]);

    // The session that nobody proved a factor for is over; the proof outlives a refresh.
    assert_eq!(server.user(&other).await.body["code"], "session_not_found");
    let refreshed = server.refresh(&raised).await.ok();
    assert_eq!((&claims(&refreshed)["aal"], &claims(&refreshed)["amr"]), (&json!("aal2"), &methods));
    // Answered is answered.
    let again = server.answer(&refreshed, &factor, &challenge, &code(&factor, 70)).await;
    again.refused(422, "mfa_factor_not_found", "MFA factor with the provided challenge ID not found");
}

#[tokio::test]
async fn a_step_is_good_once_and_tries_are_counted() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    let factor = server.enroll(&session, "").await.ok();
    let session = server.prove(&session, &factor, &code(&factor, 0)).await.ok();
    // The same code, and the one before it, are used up; of five at once with the next one, one is taken.
    wrong(&server.prove(&session, &factor, &code(&factor, 0)).await);
    wrong(&server.prove(&session, &factor, &code(&factor, -30)).await);
    server.wait(30);
    let challenge = server.challenge(&session, &factor).await.ok();
    let next = code(&factor, 30);
    let send = || server.answer(&session, &factor, &challenge, &next);
    let (a, b, c) = tokio::join!(send(), send(), send());
    let mut statuses = [a.status, b.status, c.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422, 422], "the others find the challenge answered");

    server.wait(600);
    let session = server.sign_in("ann@example.com").await;
    for _ in 0..5 {
        wrong(&server.prove(&session, &factor, "000000").await);
    }
    let locked = server.prove(&session, &factor, &code(&factor, 630)).await;
    locked.refused(429, "over_request_rate_limit", "Too many wrong codes. Try again later");
    assert_eq!(locked.headers["retry-after"], "300");
    server.wait(300);
    assert_eq!(server.prove(&session, &factor, &code(&factor, 930)).await.status, 200);
}

#[tokio::test]
async fn a_challenge_ends_and_is_of_one_factor() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    let (one, two) = (server.enroll(&session, "one").await.ok(), server.enroll(&session, "two").await.ok());
    let challenge = server.challenge(&session, &one).await.ok();
    let unknown = |answer: Answer| answer.refused(422, "mfa_factor_not_found", "MFA factor with the provided challenge ID not found");
    unknown(server.answer(&session, &two, &challenge, &code(&two, 0)).await);
    unknown(server.answer(&session, &one, &json!({ "id": "none" }), &code(&one, 0)).await);
    server.sql("update auth.mfa_challenges set ip = '192.0.2.1'").await;
    server.wait(300);
    let over = server.answer(&session, &one, &challenge, &code(&one, 300)).await;
    let message = format!("MFA challenge {} has expired, verify against another challenge or create a new challenge.", id(&challenge));
    over.refused(422, "mfa_challenge_expired", &message);

    // Somebody else's factor is none, whatever is done with it.
    let stranger = server.sign_up("bob@example.com").await;
    let none = |answer: Answer| answer.refused(404, "mfa_factor_not_found", "Factor not found");
    none(server.challenge(&stranger, &one).await);
    none(server.answer(&stranger, &one, &challenge, &code(&one, 300)).await);
    none(server.unenroll(&stranger, &one).await);
    none(server.unenroll(&session, &json!({ "id": "01900000-0000-7000-8000-000000000001" })).await);
    server.unenroll(&session, &json!({ "id": "x" })).await.refused(404, "validation_failed", "factor_id must be an UUID");
    assert_eq!(server.call("POST", "/factors", None, Some(json!({ "factor_type": "totp" }))).await.status, 401);
    // Begun and never proved, it goes when the next one is begun.
    server.enroll(&session, "one").await.ok();
    assert_eq!(server.ask("select string_agg(friendly_name, ',') from auth.mfa_factors").await, "one");
}

#[tokio::test]
async fn who_has_a_factor_needs_it_to_change_factors_and_password() {
    let mfa = MfaConfig { factors_max: 2, ..MfaConfig::default() };
    let server = Server::with(AuthConfig { mfa, ..AuthConfig::default() }).await;
    let session = server.sign_up("ann@example.com").await;
    let factor = server.enroll(&session, "Phone").await.ok();
    let proved = server.prove(&session, &factor, &code(&factor, 0)).await.ok();
    let taken = "A factor with the friendly name \"Phone\" for this user already exists";
    server.enroll(&proved, "Phone").await.refused(422, "mfa_factor_name_conflict", taken);

    // The password alone is not enough any more.
    let weak = server.sign_in("ann@example.com").await;
    server.enroll(&weak, "Mine").await.refused(403, "insufficient_aal", "AAL2 required to enroll a new factor");
    server.unenroll(&weak, &factor).await.refused(422, "insufficient_aal", "AAL2 required to unenroll verified factor");
    let change = json!({ "password": "another long password" });
    let refused = server.call("PUT", "/user", Some(token(&weak)), Some(change.clone())).await;
    refused.refused(401, "insufficient_aal", "AAL2 session is required to update email or password when MFA is enabled.");
    assert_eq!(server.call("PUT", "/user", Some(token(&weak)), Some(json!({ "data": { "a": 1 } }))).await.status, 200);
    assert_eq!(server.call("PUT", "/user", Some(token(&proved)), Some(change)).await.status, 200);

    server.enroll(&proved, "Two").await.ok();
    let full = server.enroll(&proved, "Three").await;
    full.refused(422, "too_many_enrolled_mfa_factors", "Maximum number of verified factors reached, unenroll to continue");
    assert_eq!(server.unenroll(&proved, &factor).await.ok(), json!({ "id": factor["id"] }));
    assert_eq!(claims(&server.refresh(&proved).await.ok())["aal"], "aal1", "what proved it is gone");

    for (sort, status, code) in [("phone", 422, "mfa_phone_enroll_not_enabled"), ("x", 400, "validation_failed")] {
        let answer = server.call("POST", "/factors", Some(token(&proved)), Some(json!({ "factor_type": sort }))).await;
        assert_eq!((answer.status, &answer.body["code"]), (status, &json!(code)), "{sort}");
    }
}

#[tokio::test]
async fn a_forgotten_password_goes_around_no_factor() {
    let one_time = OneTimeConfig { site_url: Some("https://app.example.com".to_owned()), ..OneTimeConfig::default() };
    let server = Server::with(AuthConfig { autoconfirm: false, one_time, ..AuthConfig::default() }).await;
    // Her address is proved: of one that is not, whoever reads its mail takes all that a stranger may have set up.
    server.post("/signup", json!({ "email": "ann@example.com", "password": PASSWORD })).await.ok();
    let letter = server.message("ann@example.com").await;
    let session = server.post("/verify", json!({ "token_hash": letter.token(), "type": "email" })).await.ok();
    let factor = server.enroll(&session, "Phone").await.ok();
    server.prove(&session, &factor, &code(&factor, 0)).await.ok();

    // Whoever reads her mail has a session of the link alone, which changes neither the password nor the factor.
    server.wait(60);
    server.post("/recover", json!({ "email": "ann@example.com" })).await.ok();
    let letter = server.message("ann@example.com").await;
    let recovered = server.post("/verify", json!({ "token_hash": letter.token(), "type": "recovery" })).await.ok();
    assert_eq!(claims(&recovered)["aal"], "aal1");
    let change = json!({ "password": "another long password" });
    let refused = server.call("PUT", "/user", Some(token(&recovered)), Some(change.clone())).await;
    refused.refused(401, "insufficient_aal", "AAL2 session is required to update email or password when MFA is enabled.");
    server.unenroll(&recovered, &factor).await.refused(422, "insufficient_aal", "AAL2 required to unenroll verified factor");
    server.sign_in("ann@example.com").await;

    // She has her app, too.
    let proved = server.prove(&recovered, &factor, &code(&factor, 60)).await.ok();
    assert_eq!(server.call("PUT", "/user", Some(token(&proved)), Some(change.clone())).await.status, 200);
    let again = json!({ "email": "ann@example.com", "password": change["password"] });
    server.post("/token?grant_type=password", again).await.ok();
}

#[tokio::test]
async fn recovery_codes_stand_in_for_nothing_alone() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    server.enroll(&session, "Begun and never proved").await.ok();
    // As if the factor by which it was proved were gone since.
    server.sql("update auth.sessions set aal = 'aal2'").await;
    let session = server.refresh(&session).await.ok();
    let alone = server.recovery("POST", "", &session, None).await;
    alone.refused(422, "mfa_recovery_codes_sole_factor", "Recovery codes cannot be the only factor");
    assert_eq!(server.ask("select count(*) from auth.mfa_factors where status = 'verified'").await, "0");
}

#[tokio::test]
async fn recovery_codes_stand_in_for_a_lost_factor() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    let none = |answer: Answer| answer.refused(404, "mfa_factor_not_found", "Factor not found");
    none(server.recovery("GET", "", &session, None).await);
    server.recovery("POST", "", &session, None).await.refused(403, "insufficient_aal", "AAL2 required to generate recovery codes");
    let factor = server.enroll(&session, "Phone").await.ok();
    let proved = server.prove(&session, &factor, &code(&factor, 0)).await.ok();
    none(server.recovery("POST", "/regenerate", &proved, None).await);
    let set = server.recovery("POST", "", &proved, Some(json!({ "friendly_name": "Paper" }))).await.ok();
    assert_eq!((&set["type"], &set["friendly_name"], &set["total"]), (&json!("recovery_code"), &json!("Paper"), &json!(10)));
    let codes: Vec<&str> = set["codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
    assert_eq!((codes.len(), codes[0].len()), (10, 16));
    assert_eq!(server.recovery("POST", "", &proved, None).await.body["code"], "mfa_verified_factor_exists");

    // As somebody types it, from a session of the password alone.
    let weak = server.sign_in("ann@example.com").await;
    let typed = format!("{} {}-{}", &codes[0][..4].to_uppercase(), &codes[0][4..8], &codes[0][8..]);
    let raised = server.recovery("POST", "/verify", &weak, Some(json!({ "code": typed }))).await.ok();
    assert_eq!((&claims(&raised)["aal"], &claims(&raised)["amr"][0]["method"]), (&json!("aal2"), &json!("mfa/recovery_code")));
    let wrong = |answer: Answer| answer.refused(422, "mfa_verification_failed", "Invalid recovery code entered");
    wrong(server.recovery("POST", "/verify", &raised, Some(json!({ "code": codes[0] }))).await);
    let status = json!({ "id": set["id"], "type": "recovery_code", "total": 10, "remaining": 9 });
    assert_eq!(server.recovery("GET", "", &raised, None).await.ok(), status);

    let fresh = server.recovery("POST", "/regenerate", &raised, None).await.ok();
    assert_eq!((&fresh["id"], &fresh["friendly_name"]), (&set["id"], &set["friendly_name"]));
    for _ in 0..5 {
        wrong(server.recovery("POST", "/verify", &raised, Some(json!({ "code": codes[1] }))).await);
    }
    let good = fresh["codes"][0].as_str().unwrap();
    let locked = server.recovery("POST", "/verify", &raised, Some(json!({ "code": good }))).await;
    locked.refused(429, "mfa_recovery_codes_locked", "Too many wrong recovery codes. Try again later");
    server.wait(300);
    assert_eq!(server.recovery("POST", "/verify", &raised, Some(json!({ "code": good }))).await.status, 200);

    // A stranger has none of it, and without the other factor there are no codes.
    let stranger = server.sign_up("bob@example.com").await;
    wrong(server.recovery("POST", "/verify", &stranger, Some(json!({ "code": fresh["codes"][1] }))).await);
    none(server.recovery("DELETE", "", &stranger, None).await);
    let session = server.sign_in("ann@example.com").await;
    let proved = server.recovery("POST", "/verify", &session, Some(json!({ "code": fresh["codes"][2] }))).await.ok();
    server.unenroll(&proved, &factor).await.ok();
    assert_eq!(server.ask("select count(*) from auth.mfa_factors").await, "0");
    assert_eq!(claims(&server.refresh(&proved).await.ok())["aal"], "aal1");
}

#[tokio::test]
async fn the_service_key_helps_who_lost_his_factor() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    let factor = server.enroll(&session, "Phone").await.ok();
    let proved = server.prove(&session, &factor, &code(&factor, 0)).await.ok();
    let path = format!("/admin/users/{}/factors", session["user"]["id"].as_str().unwrap());
    server.call("GET", &path, Some(token(&proved)), None).await.refused(403, "not_admin", "User not allowed");
    assert_eq!(server.as_admin("GET", &path).await.ok()[0]["id"], factor["id"]);
    let one = format!("{path}/{}", id(&factor));
    assert_eq!(server.as_admin("DELETE", &one).await.ok()["id"], factor["id"]);
    server.as_admin("DELETE", &one).await.refused(404, "mfa_factor_not_found", "Factor not found");
    assert_eq!(server.as_admin("GET", &path).await.ok(), json!([]));
    assert_eq!(claims(&server.refresh(&proved).await.ok())["aal"], "aal1");
    let changed = server.call("PUT", "/user", Some(token(&proved)), Some(json!({ "password": "another long password" }))).await;
    assert_eq!(changed.status, 200);
    assert_ne!(PASSWORD, "another long password");
}

#[tokio::test]
async fn a_rotated_ring_seals_every_row_anew() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    let factors =
        [server.enroll(&session, "1").await.ok(), server.enroll(&session, "2").await.ok(), server.enroll(&session, "3").await.ok()];
    let old = server.ring.sealing_mark().unwrap();
    let ring = server.ring.rotated(jiff::Timestamp::from_second(START).unwrap()).unwrap();
    server.auth.replace_keys(&ring);
    let mark = ring.sealing_mark().unwrap();
    // A text of a key that nobody has any more stays as it is.
    let lost = "insert into auth.mfa_factors (user_id, friendly_name, factor_type, secret)
                        select id, 'lost', 'totp', '1.00000000.AAAA' from auth.users";
    server.sql(lost).await;
    #[expect(clippy::disallowed_methods, reason = "the test works as a command does")]
    let grant = Grant::system(&Authority::establish(), None, "seals secrets anew");
    let database = server.db.database();
    let done = reseal::reseal(&database, &grant, &ring, 2).await.unwrap();
    assert_eq!((done.rows, done.unreadable), (3, 1));
    assert_eq!(reseal::reseal(&database, &grant, &ring, 2).await.unwrap().rows, 0);
    let mut marks = reseal::marks_in_use(&database, &grant).await.unwrap();
    marks.sort();
    let mut expected = vec!["1.00000000.".to_owned(), mark.clone()];
    expected.sort();
    assert_eq!(marks, expected, "{old} is needed no more");
    let count = format!("select count(*) from auth.mfa_factors where starts_with(secret, '{mark}')");
    assert_eq!(server.ask(&count).await, "3");
    // They open without the old key, and a row's text opens in no other row.
    assert_eq!(server.prove(&session, &factors[0], &code(&factors[0], 0)).await.status, 200);
    let secret = server.ask("select secret from auth.mfa_factors where friendly_name = '1'").await;
    assert!(ring.unseal(FACTOR_SECRET, id(&factors[0]).parse().unwrap(), &secret).is_ok());
    assert!(ring.unseal(FACTOR_SECRET, id(&factors[1]).parse().unwrap(), &secret).is_err());
}

#[tokio::test]
async fn a_token_from_before_the_second_factor_stays_one() {
    let server = Server::new().await;
    let before = server.sign_up("ann@example.com").await;
    let company = server.company("baker", &before).await;
    let factor = server.enroll(&before, "Phone").await.ok();
    let after = server.prove(&before, &factor, &code(&factor, 0)).await.ok();
    assert_eq!(claims(&after)["session_id"], claims(&before)["session_id"], "the same session");
    // Whoever copied the token before did not prove anything.
    let refused = server.unenroll(&before, &factor).await;
    refused.refused(422, "insufficient_aal", "AAL2 required to unenroll verified factor");
    server.enroll(&before, "Thief's").await.refused(403, "insufficient_aal", "AAL2 required to enroll a new factor");
    // Nor is anything given for the refresh token before, at once or later; the session goes on for who proved.
    for seconds in [0, 3600] {
        server.wait(seconds);
        server.refresh(&before).await.refused(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found");
    }
    let after = server.refresh(&after).await.ok();
    server.sql("update public.team_members set mfa_due_at = now() - interval '1 second'").await;
    let work = async |session: &Value| {
        let parts = http::Request::builder().header("authorization", format!("Bearer {}", token(session)));
        let parts = parts.header("x-company-id", &company).body(()).unwrap().into_parts().0;
        let principal = server.auth.authenticate(&parts).await.unwrap();
        let grant = principal.require::<kernel::SignedIn>().unwrap();
        let opened = server.db.database().begin(&grant, &kernel::RequestContext::default(), postgres::Access::Read).await;
        let tx = opened.map_err(|error| error.code().to_owned())?;
        let row = tx.query_one(postgres::Sql::new("select auth.jwt() ->> 'aal' as aal")).await.unwrap();
        Ok::<String, String>(row.try_get("aal").unwrap())
    };
    assert_eq!(work(&before).await, Err("mfa_required".to_owned()));
    assert_eq!(work(&after).await, Ok("aal2".to_owned()));
    // The next token of the session is one from after it.
    let next = server.refresh(&after).await.ok();
    assert_eq!(work(&next).await, Ok("aal2".to_owned()));
    server.unenroll(&next, &factor).await.ok();
}
