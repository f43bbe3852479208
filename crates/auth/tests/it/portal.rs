//! The portal: a customer comes in by a link in a mail, and goes when he, his portal or the company says so.

use auth::AuthConfig;
use serde_json::{Value, json};

use crate::server::{Answer, Server, token};

/// A company with a customer who has an address and one who has none; returns the owner's session, the company and the customer.
async fn company(server: &Server, slug: &str) -> (Value, String, String) {
    let session = server.sign_up(&format!("owner@{slug}.example.com")).await;
    let company = server.company(slug, &session).await;
    let session = server.refresh(&session).await.ok();
    let made = "insert into public.customers (company_id, first_name, last_name, email, phone)";
    server
        .sql(&format!("{made} values ('{company}', 'Ada', 'Lee', 'Ada@example.com', null), ('{company}', 'Ben', 'Lee', null, '+15550100')"))
        .await;
    let customer = server.ask(&format!("select id from public.customers where company_id = '{company}' and first_name = 'Ada'")).await;
    (session, company, customer)
}

async fn invite(server: &Server, session: &Value, customer: &str) -> Answer {
    server.call("POST", "/portal/invite", Some(token(session)), Some(json!({ "customer_id": customer }))).await
}

async fn ask(server: &Server, company: &str) -> Answer {
    server.post("/portal/otp", json!({ "company": company, "email": "ada@example.com" })).await
}

async fn enter(server: &Server) -> Value {
    let link = server.message("ada@example.com").await;
    server.post("/portal/verify", json!({ "token": link.token() })).await.ok()
}

async fn session(server: &Server, token: &str) -> Answer {
    server.call("GET", "/portal/session", Some(token), None).await
}

const OVER: (u16, &str, &str) = (401, "portal_session_over", "This session of the portal is over. Ask for another link.");

#[tokio::test]
async fn a_customer_comes_in_by_a_link_and_goes() {
    let server = Server::new().await;
    let (owner, company, customer) = company(&server, "acme").await;
    // Nobody learns that he may not come in yet.
    assert_eq!(ask(&server, "acme").await.ok(), json!({}));
    assert_eq!(server.ask("select count(*) from auth.portal_sessions").await, "0");
    assert_eq!(server.ask("select count(*) from app.captured_messages").await, "0");
    server.wait(61);
    assert_eq!(invite(&server, &owner, &customer).await.ok(), json!({}));
    let letter = server.message("ada@example.com").await;
    assert!(letter.text.contains("acme") && letter.link.starts_with("/portal/verify?token=thp_"), "{}", letter.text);
    // Whoever tries the link as if it were the session is not let in by it.
    session(&server, letter.token()).await.refused(OVER.0, OVER.1, OVER.2);
    let followed = server.call("GET", &letter.link, None, None).await;
    assert_eq!(followed.status, 303);
    let to = followed.headers["location"].to_str().unwrap();
    let (page, fragment) = to.split_once('#').unwrap();
    assert_eq!(page, "http://localhost:54321/");
    let part = |name: &str| fragment.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap().to_owned();
    assert_eq!((part("type"), part("token_type"), part("expires_in")), ("portal".to_owned(), "bearer".to_owned(), "2592000".to_owned()));
    let first = part("access_token");
    let told = json!({ "company": { "id": company, "name": "acme", "slug": "acme" },
                       "customer": { "id": customer, "display_name": "Ada Lee", "email": "Ada@example.com" } });
    assert_eq!(session(&server, &first).await.ok(), told);
    assert_eq!(server.ask("select portal_last_login_at is not null from public.customers where portal_enabled").await, "true");
    // A link opens one session.
    let again = server.call("GET", &letter.link, None, None).await;
    assert!(again.headers["location"].to_str().unwrap().contains("error_code=otp_expired"));
    let spent = server.post("/portal/verify", json!({ "token": letter.token() })).await;
    spent.refused(403, "otp_expired", "Email link is invalid or has expired");
    // He asks for another one himself, by the company's id as well.
    server.wait(61);
    assert_eq!(ask(&server, &company).await.ok(), json!({}));
    let second = enter(&server).await;
    assert_eq!(
        (&second["company_id"], &second["customer_id"], &second["token_type"]),
        (&json!(company), &json!(customer), &json!("bearer"))
    );
    assert_eq!(session(&server, token(&second)).await.ok(), told);
    assert_eq!(server.call("POST", "/portal/logout", Some(token(&second)), None).await.status, 204);
    session(&server, token(&second)).await.refused(OVER.0, OVER.1, OVER.2);
    server.call("POST", "/portal/logout", Some(token(&second)), None).await.refused(OVER.0, OVER.1, OVER.2);
    assert_eq!(session(&server, &first).await.status, 200, "the other one goes on");
    // He is no user.
    for (method, path) in [("GET", "/user"), ("POST", "/logout"), ("GET", "/sessions"), ("POST", "/company")] {
        assert_eq!(server.call(method, path, Some(&first), Some(json!({}))).await.status, 403, "{path}");
    }
    server.call("GET", "/portal/session", Some(token(&owner)), None).await.refused(OVER.0, OVER.1, OVER.2);
}

#[tokio::test]
async fn what_ends_a_portal_ends_its_sessions_for_good() {
    let server = Server::new().await;
    let (owner, company, customer) = company(&server, "acme").await;
    for (ends, back) in [
        ("update public.customers set portal_enabled = false where portal_enabled", ""),
        ("update public.customers set status = 'blocked' where portal_enabled", "update public.customers set status = 'active'"),
        ("update public.customers set archived_at = now() where portal_enabled", "update public.customers set archived_at = null"),
        ("update public.customers set deleted_at = now() where portal_enabled", "update public.customers set deleted_at = null"),
    ] {
        invite(&server, &owner, &customer).await.ok();
        let opened = enter(&server).await;
        assert_eq!(session(&server, token(&opened)).await.status, 200);
        server.sql(ends).await;
        session(&server, token(&opened)).await.refused(OVER.0, OVER.1, OVER.2);
        server.sql(&format!("{back}; update public.customers set portal_enabled = true where id = '{customer}'")).await;
        session(&server, token(&opened)).await.refused(OVER.0, OVER.1, OVER.2);
        server.wait(61);
    }
    invite(&server, &owner, &customer).await.ok();
    let opened = enter(&server).await;
    server
        .sql(&format!("set session_replication_role = replica; update public.companies set archived_at = now() where id = '{company}'"))
        .await;
    session(&server, token(&opened)).await.refused(OVER.0, OVER.1, OVER.2);
}

#[tokio::test]
async fn links_and_sessions_have_limits() {
    let mut config = AuthConfig::default();
    config.portal.sessions_max = 2;
    let server = Server::with(config).await;
    let (owner, _, customer) = company(&server, "acme").await;
    let mut sessions = Vec::new();
    for _ in 0..3 {
        invite(&server, &owner, &customer).await.ok();
        sessions.push(enter(&server).await);
        server.wait(61);
    }
    let live = [session(&server, token(&sessions[0])).await.status, session(&server, token(&sessions[2])).await.status];
    assert_eq!(live, [401, 200], "the oldest makes room");
    // A newer link takes the place of one that was not followed, and none lasts.
    invite(&server, &owner, &customer).await.ok();
    let older = server.message("ada@example.com").await;
    let soon = invite(&server, &owner, &customer).await;
    assert_eq!((soon.status, soon.body["code"].as_str()), (429, Some("over_email_send_rate_limit")));
    server.wait(61);
    ask(&server, "acme").await.ok();
    let newer = server.message("ada@example.com").await;
    let verify = async |token: &str| server.post("/portal/verify", json!({ "token": token })).await;
    assert_eq!(verify(older.token()).await.body["code"], "otp_expired");
    server.wait(3600);
    assert_eq!(verify(newer.token()).await.body["code"], "otp_expired");
    for wrong in ["", "thp_", "nonsense", "thk_AAAA"] {
        assert_eq!(verify(wrong).await.body["code"], "otp_expired", "{wrong}");
    }
    // Two who follow a link at once: one gets in.
    ask(&server, "acme").await.ok();
    let letter = server.message("ada@example.com").await;
    let (one, other) = tokio::join!(verify(letter.token()), verify(letter.token()));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 403]);
}

#[tokio::test]
async fn who_invites_whom() {
    let server = Server::new().await;
    let (acme, _, customer) = company(&server, "acme").await;
    let (bolt, _, _) = company(&server, "bolt").await;
    let unknown = |answer: Answer| answer.refused(404, "customer_not_found", "There is no such customer whom you may change");
    unknown(invite(&server, &bolt, &customer).await);
    unknown(invite(&server, &acme, "01900000-0000-7000-8000-000000000001").await);
    let ben = server.ask("select id from public.customers where first_name = 'Ben' order by company_id limit 1").await;
    let nowhere = invite(&server, &acme, &ben).await;
    assert_eq!((nowhere.status, nowhere.body["code"].as_str()), (400, Some("customer_email_missing")), "{}", nowhere.text);
    server.sql("set session_replication_role = replica; update public.team_members set effective_permissions = ',customers:read,'").await;
    assert_eq!(invite(&server, &acme, &customer).await.body["code"], "permission_denied");
    assert_eq!(server.post("/portal/invite", json!({ "customer_id": customer })).await.body["code"], "no_authorization");
    assert_eq!(server.post("/portal/otp", json!({ "company": "acme", "email": "ada" })).await.body["code"], "validation_failed");
    assert_eq!(server.post("/portal/otp", json!({ "email": "ada@example.com" })).await.body["code"], "bad_json");
    // Nobody learns which companies there are, or who is whose customer.
    for (company, email) in [("nobody", "ada@example.com"), ("acme", "eve@example.com"), ("\u{0}", "eva@example.com")] {
        assert_eq!(server.post("/portal/otp", json!({ "company": company, "email": email })).await.ok(), json!({}));
    }
    assert_eq!(server.ask("select count(*) from auth.portal_sessions").await, "0");
    let mut config = AuthConfig::default();
    config.portal.enabled = false;
    let closed = Server::with(config).await;
    assert_eq!(ask(&closed, "acme").await.body["code"], "portal_disabled");
}

#[tokio::test]
async fn a_company_writes_in_its_language() {
    let server = Server::new().await;
    let (owner, company, customer) = company(&server, "acme").await;
    server.sql(&format!("update public.companies set settings = '{{\"locale\": \"es-MX\"}}' where id = '{company}'")).await;
    invite(&server, &owner, &customer).await.ok();
    assert_eq!(server.message("ada@example.com").await.subject, "Su enlace para iniciar sesión");
    // Its members, too, unless they chose a language; who belongs to no company reads the server's.
    let email = owner["user"]["email"].as_str().unwrap();
    let asked = async |email: &str| {
        server.wait(61);
        server.post("/otp", json!({ "email": email })).await.ok();
        server.message(email).await.subject
    };
    assert_eq!(asked(email).await, "Su enlace para iniciar sesión");
    server.call("PUT", "/user", Some(token(&owner)), Some(json!({ "data": { "locale": "en" } }))).await.ok();
    assert_eq!(asked(email).await, "Your link to sign in");
    server.sign_up("ben@example.com").await;
    assert_eq!(asked("ben@example.com").await, "Your link to sign in");
}
