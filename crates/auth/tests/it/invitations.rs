//! Invitations into companies: by mail, for people with and without an account, once.

use auth::AuthConfig;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use crate::server::{Answer, PASSWORD, START, Server, claims, token};

impl Server {
    pub(crate) async fn invite(&self, who: &Value, company: &str, email: &str, role: &str) -> Answer {
        let body = json!({ "email": email, "role": role });
        self.call("POST", &format!("/companies/{company}/invitations"), Some(token(who)), Some(body)).await
    }

    pub(crate) async fn accept(&self, who: Option<&Value>, body: Value) -> Answer {
        self.call("POST", "/invitations/accept", who.map(token), Some(body)).await
    }

    /// Returns the token of the newest mail to an address.
    pub(crate) async fn invitation_token(&self, email: &str) -> String {
        let text = self.message(email).await.text;
        text.split_once("#invitation_token=").unwrap().1.split_once('&').unwrap().0.to_owned()
    }

    async fn add(&self, company: &str, who: &Value, role: &str) {
        let user = who["user"]["id"].as_str().unwrap();
        self.sql(&format!("insert into public.team_members (company_id, user_id, role) values ('{company}', '{user}', '{role}')")).await;
    }
}

#[tokio::test]
async fn a_newcomer_gets_an_account_and_a_company_by_one_mail() {
    // Also where strangers cannot sign up, and addresses are not believed.
    let server = Server::with(AuthConfig { autoconfirm: false, signup_enabled: false, ..AuthConfig::default() }).await;
    server
        .sql(
            "insert into auth.users (id, email, email_confirmed_at, raw_user_meta_data)
                values ('01900000-0000-7000-8000-000000000101', 'ann@example.com', now(), '{\"name\": \"Ann Lee\"}')",
        )
        .await;
    let service = server.ring.service().token.expose().clone();
    let path = "/admin/users/01900000-0000-7000-8000-000000000101";
    server.call("PUT", path, Some(&service), Some(json!({ "password": PASSWORD }))).await.ok();
    let ann = server.sign_in("ann@example.com").await;
    let acme = server.company("acme", &ann).await;

    let made = server.invite(&ann, &acme, " Bob@Example.com ", "technician").await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(
        (&made.body["email"], &made.body["role"], &made.body["is_mailed"]),
        (&json!("bob@example.com"), &json!("technician"), &json!(true))
    );
    let letter = server.message("bob@example.com").await;
    assert_eq!(letter.subject, "You are invited to acme");
    assert!(letter.text.contains("Ann Lee invites you to work in acme as bob@example.com."), "{}", letter.text);
    assert!(
        letter.text.contains("It is good for 7 days and works once.") && letter.text.contains("http://localhost:54321/#invitation_token=")
    );
    let secret = server.invitation_token("bob@example.com").await;
    assert!(!made.text.contains(&secret), "the inviter does not learn it");
    assert_eq!(
        server.ask("select token_hash from public.invitations").await,
        server.ask(&format!("select encode(sha256('{secret}'), 'hex')")).await
    );

    let look = server.post("/invitations/look", json!({ "token": secret })).await.ok();
    assert_eq!((&look["email"], &look["company_name"], &look["inviter"]), (&json!("bob@example.com"), &json!("acme"), &json!("Ann Lee")));
    assert_eq!((&look["role"], &look["has_account"]), (&json!("technician"), &json!(false)));
    assert_eq!(server.accept(None, json!({ "token": secret })).await.body["code"], "validation_failed");
    assert_eq!(server.accept(None, json!({ "token": secret, "password": "12345" })).await.body["code"], "weak_password");
    assert_eq!(server.accept(None, json!({ "password": PASSWORD })).await.body["code"], "bad_json");
    assert_eq!(server.ask("select count(*) from auth.users").await, "1", "a refusal makes no account");

    let body = json!({ "token": secret, "password": PASSWORD, "data": { "name": "Bob" } });
    let (one, two) = tokio::join!(server.accept(None, body.clone()), server.accept(None, body.clone()));
    let (done, late) = if one.status == 200 { (one, two) } else { (two, one) };
    assert!(matches!(late.body["code"].as_str(), Some("invitation_used" | "user_already_exists")), "{}", late.text);
    let done = done.ok();
    let session = &done["session"];
    assert_eq!((&claims(session)["company_id"], &claims(session)["member_role"]), (&json!(acme), &json!("technician")));
    assert_eq!((&session["user"]["email"], &done["member"]["role"]), (&json!("bob@example.com"), &json!("technician")));
    assert!(session["user"]["email_confirmed_at"].is_string() && session["user"]["user_metadata"]["name"] == "Bob");
    assert_eq!(claims(&server.sign_in("bob@example.com").await)["company_id"], *acme);
    for answer in [server.accept(None, body).await, server.post("/invitations/look", json!({ "token": secret })).await] {
        answer.refused(409, "invitation_used", "This invitation was accepted already.");
    }
    assert_eq!(server.ask("select count(*) from auth.users").await, "2");
}

#[tokio::test]
async fn who_has_an_account_accepts_as_himself() {
    let server = Server::new().await;
    let (ann, bob) = (server.sign_up("ann@example.com").await, server.sign_up("bob@example.com").await);
    let acme = server.company("acme", &ann).await;
    assert_eq!(server.invite(&ann, &acme, "bob@example.com", "csr").await.status, 201);
    let secret = server.invitation_token("bob@example.com").await;
    assert_eq!(server.post("/invitations/look", json!({ "token": secret })).await.ok()["has_account"], true);
    let taken = server.accept(None, json!({ "token": secret, "password": PASSWORD })).await;
    taken.refused(422, "user_already_exists", "User already registered");
    let other = server.accept(Some(&server.sign_up("carl@example.com").await), json!({ "token": secret })).await;
    let message = "This invitation is for another e-mail address, or for one that you have to prove first.";
    other.refused(403, "invitation_other_address", message);
    let member = server.accept(Some(&bob), json!({ "token": secret })).await.ok();
    assert_eq!((&member["member"]["company_id"], &member["member"]["status"]), (&json!(acme), &json!("active")));
    assert!(member.get("session").is_none());
    assert_eq!(claims(&server.refresh(&bob).await.ok())["company_id"], *acme, "the first company he joins is the one he works in");
    assert_eq!(server.invite(&ann, &acme, "bob@example.com", "csr").await.body["code"], "already_member");
    assert_eq!(server.accept(None, json!({ "token": "x", "password": PASSWORD })).await.body["code"], "invitation_not_found");
    server.call("POST", "/logout", Some(token(&bob)), None).await;
    assert_eq!(server.accept(Some(&bob), json!({ "token": secret })).await.body["code"], "session_not_found");

    // A token that the inviter had in his hands proves nobody's address.
    let handed = format!(
        "insert into public.invitations (company_id, email, role, token_hash)
                          values ('{acme}', 'dora@example.com', 'csr', encode(sha256('handed'), 'hex'))"
    );
    server.sql(&handed).await;
    let refused = server.accept(None, json!({ "token": "handed", "password": PASSWORD })).await;
    assert_eq!((refused.status, &refused.body["code"]), (403, &json!("invitation_needs_sign_in")));
    // Nor does signing up where addresses are believed; a link that was mailed there does.
    let dora = server.sign_up("dora@example.com").await;
    server.accept(Some(&dora), json!({ "token": "handed" })).await.refused(403, "invitation_other_address", message);
    server.post("/otp", json!({ "email": "dora@example.com" })).await.ok();
    let code = server.message("dora@example.com").await.code;
    let dora = server.post("/verify", json!({ "type": "email", "email": "dora@example.com", "token": code })).await.ok();
    assert_eq!(server.accept(Some(&dora), json!({ "token": "handed" })).await.status, 200);
    // So does the mailed invitation itself.
    let proved = "select string_agg(email, ',' order by email) from auth.users where email_proved_at is not null";
    assert_eq!(server.ask(proved).await, "bob@example.com,dora@example.com");
}

#[tokio::test]
async fn an_invitation_is_sent_again_replaced_and_over() {
    let server = Server::new().await;
    let ann = server.sign_up("ann@example.com").await;
    let (acme, bolt) = (server.company("acme", &ann).await, server.company("bolt", &ann).await);
    let made = server.invite(&ann, &acme, "bob@example.com", "csr").await;
    let first = server.invitation_token("bob@example.com").await;
    let path = |company: &str| format!("/companies/{company}/invitations/{}/resend", made.body["id"].as_str().unwrap());
    let look = async |token: &str| server.post("/invitations/look", json!({ "token": token })).await;
    let resend = async |company: &str| server.call("POST", &path(company), Some(token(&ann)), None).await;
    assert_eq!(resend(&acme).await.body["code"], "over_email_send_rate_limit");
    assert_eq!(look(&first).await.status, 200, "what was not sent changes nothing");
    assert_eq!(resend(&bolt).await.body["code"], "invitation_not_found", "the other company has none");

    server.wait(61);
    assert_eq!(resend(&acme).await.status, 200);
    let second = server.invitation_token("bob@example.com").await;
    look(&first).await.refused(404, "invitation_not_found", "There is no such invitation.");
    assert_eq!(look(&second).await.status, 200);
    server.sql("update public.invitations set expires_at = now() - interval '1 second'").await;
    look(&second).await.refused(410, "invitation_expired", "This invitation is over.");
    let over = server.accept(None, json!({ "token": second, "password": PASSWORD })).await;
    assert_eq!((over.status, &over.body["code"]), (410, &json!("invitation_expired")));
    server.wait(61);
    assert_eq!(resend(&acme).await.status, 200, "it is open again, for the whole time");
    let third = server.invitation_token("bob@example.com").await;
    assert_eq!(look(&third).await.status, 200);

    server.wait(61);
    assert_eq!(server.invite(&ann, &acme, "bob@example.com", "viewer").await.status, 201);
    look(&third).await.refused(410, "invitation_revoked", "This invitation was taken back.");
    assert_eq!(resend(&acme).await.body["code"], "invitation_not_found");
    assert_eq!(look(&server.invitation_token("bob@example.com").await).await.ok()["role"], "viewer");
}

#[tokio::test]
async fn only_who_may_invites_and_gives_no_more_than_he_has() {
    let server = Server::new().await;
    let (ann, eve) = (server.sign_up("ann@example.com").await, server.sign_up("eve@example.com").await);
    let (tom, meg) = (server.sign_up("tom@example.com").await, server.sign_up("meg@example.com").await);
    let (acme, _bolt) = (server.company("acme", &ann).await, server.company("bolt", &eve).await);
    server.add(&acme, &tom, "technician").await;
    server.add(&acme, &meg, "manager").await;
    for (who, role, status, code) in [
        (&tom, "csr", 403, "permission_denied"),
        (&meg, "admin", 403, "permission_escalation"),
        (&eve, "csr", 403, "company_not_member"),
        (&ann, "king", 422, "role_unknown"),
        (&ann, "owner", 422, "role_unknown"),
    ] {
        let refused = server.invite(who, &acme, "bob@example.com", role).await;
        assert_eq!((refused.status, refused.body["code"].as_str()), (status, Some(code)), "{}", refused.text);
    }
    let path = format!("/companies/{acme}/invitations");
    for (body, status, code) in [
        (json!({ "email": "bob", "role": "csr" }), 400, "validation_failed"),
        (json!({ "email": "bob@example.com" }), 400, "bad_json"),
        (json!({ "email": "b@example.com", "role": "csr", "role_id": acme }), 422, "role_unknown"),
        (json!({ "email": "b@example.com", "role": "csr", "department_id": acme }), 422, "department_unknown"),
    ] {
        let refused = server.call("POST", &path, Some(token(&ann)), Some(body)).await;
        assert_eq!((refused.status, refused.body["code"].as_str()), (status, Some(code)), "{}", refused.text);
    }
    let nobody = server.post(&path, json!({ "email": "bob@example.com", "role": "csr" })).await;
    assert_eq!((nobody.status, &nobody.body["code"]), (401, &json!("no_authorization")));
    assert_eq!(server.invite(&ann, "acme", "bob@example.com", "csr").await.body["code"], "validation_failed");
    assert_eq!(server.ask("select count(*) from public.invitations").await, "0");
    assert_eq!(server.ask("select count(*) from app.outbox").await, "0");
    assert_eq!(server.invite(&meg, &acme, "bob@example.com", "dispatcher").await.status, 201);
}

#[tokio::test]
async fn nobody_gets_a_seat_that_is_not_there() {
    let server = Server::new().await;
    let ann = server.sign_up("ann@example.com").await;
    let acme = server.company("acme", &ann).await;
    server.sql("update public.companies set max_seats = 2").await;
    let (one, two) =
        tokio::join!(server.invite(&ann, &acme, "bob@example.com", "csr"), server.invite(&ann, &acme, "carl@example.com", "csr"));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 402], "of two who want the last seat one gets it");
    let (made, refused, to) = if one.status == 201 { (one, two, "bob@example.com") } else { (two, one, "carl@example.com") };
    refused.refused(402, "seats_exceeded", "The subscription of the company has 2 seats, and all are taken.");
    server.wait(61);
    assert_eq!(server.invite(&ann, &acme, to, "viewer").await.status, 201, "the same person takes the same seat");
    assert_eq!(server.ask("select count(*) from public.invitations where revoked_at is null").await, "1");
    assert_ne!(server.ask("select id from public.invitations where revoked_at is null").await, made.body["id"].as_str().unwrap());
    server.sql("update public.companies set max_seats = 1").await;
    let secret = server.invitation_token(to).await;
    let full = server.accept(None, json!({ "token": secret, "password": PASSWORD })).await;
    full.refused(402, "seats_exceeded", "The subscription of the company has 1 seats, and all are taken.");
    server.sql("update public.companies set max_seats = 5; update app.company_rules set invitations_open_max = 1").await;
    assert_eq!(server.invite(&ann, &acme, "dora@example.com", "csr").await.body["code"], "invitations_exhausted");
}

#[tokio::test]
async fn when_the_grace_is_over_only_enrolment_works() {
    let server = Server::new().await;
    let ann = server.sign_up("ann@example.com").await;
    let acme = server.company("acme", &ann).await;
    server.sql("update public.team_members set mfa_due_at = now() - interval '1 second'").await;
    let refused = server.invite(&ann, &acme, "bob@example.com", "csr").await;
    refused.refused(403, "mfa_required", "This company demands a second factor.");
    let factor = server.call("POST", "/factors", Some(token(&ann)), Some(json!({ "factor_type": "totp" }))).await.ok();
    let path = |step: &str| format!("/factors/{}/{step}", factor["id"].as_str().unwrap());
    let challenge = server.call("POST", &path("challenge"), Some(token(&ann)), None).await.ok();
    let secret = Secret::try_from_base32(factor["totp"]["secret"].as_str().unwrap()).unwrap();
    let code = Builder::new().with_secret(secret).build_noncompliant().generate(u64::try_from(START).unwrap()).to_string();
    let proof = json!({ "challenge_id": challenge["id"], "code": code });
    let raised = server.call("POST", &path("verify"), Some(token(&ann)), Some(proof)).await.ok();
    assert_eq!(claims(&raised)["aal"], "aal2");
    assert_eq!(server.invite(&raised, &acme, "bob@example.com", "csr").await.status, 201);
    assert_eq!(server.sign_in("ann@example.com").await["user"]["id"], ann["user"]["id"]);
    let again = server.sign_in("ann@example.com").await;
    assert_eq!(server.invite(&again, &acme, "carl@example.com", "csr").await.body["code"], "mfa_required", "every session proves it");
}
