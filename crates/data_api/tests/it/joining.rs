//! Companies that people join by their address, and what becomes of invitations and seats when they are taken back.

use serde_json::{Value, json};

use crate::server::{Answer, Caller, Server};

const FULL: &str = "return=representation";

async fn rpc(server: &Server, who: &Caller, name: &str, body: Value) -> Answer {
    server.post(who, &format!("rpc/{name}"), body, "").await
}

/// Adds a domain and returns its row.
async fn domain(server: &Server, who: &Caller, row: Value) -> Value {
    server.post(who, "company_domains", row, FULL).await.ok()[0].clone()
}

#[tokio::test]
async fn a_domain_is_one_companys_and_not_everybodys() {
    let server = Server::new().await;
    let (ann, carl) = (server.owner("ann").await, server.owner("carl").await);
    let manager = server.member(&ann.company_id, "manager").await;
    for public in ["gmail.com", " GMail.com. ", "outlook.com", "yahoo.co.uk", "icloud.com", "proton.me", "qq.com"] {
        server.post(&ann, "company_domains", json!({ "domain": public }), "").await.refused(422, "domain_public");
    }
    for bad in ["acme", "a b.com", "-acme.com", "acme.com/x", "1.2.3.4"] {
        server.post(&ann, "company_domains", json!({ "domain": bad }), "").await.refused(400, "23514");
    }
    server.post(&manager, "company_domains", json!({ "domain": "acme.com" }), "").await.refused(403, "42501");
    assert_eq!(server.post(&Server::nobody(), "company_domains", json!({ "domain": "acme.com" }), "").await.status, 401);
    for (column, value) in [("verified_at", json!("2026-01-01")), ("verified_by", json!("dns")), ("proof", json!("0".repeat(32)))] {
        server.post(&ann, "company_domains", json!({ "domain": "acme.com", column: value }), "").await.refused(403, "42501");
    }
    let row = domain(&server, &ann, json!({ "domain": " ACME.com." })).await;
    assert_eq!((&row["domain"], &row["join_mode"], &row["verified_at"]), (&json!("acme.com"), &json!("nobody"), &json!(null)));
    let theirs = domain(&server, &carl, json!({ "domain": "acme.com" })).await;
    let one = format!("company_domains?id=eq.{}", row["id"].as_str().unwrap());
    server.patch(&ann, &one, json!({ "domain": "other.com" }), "").await.refused(403, "42501");
    server.patch(&ann, &one, json!({ "join_role": "admin" }), "").await.refused(400, "23514");
    assert_eq!(server.get(&carl, &one).await.ok(), json!([]));
    assert_eq!(server.patch(&carl, &one, json!({ "join_mode": "join" }), FULL).await.ok(), json!([]));

    let verify = |company: &str, row: &Value| json!({ "company_id": company, "domain_id": row["id"] });
    rpc(&server, &ann, "verify_company_domain", verify(&ann.company_id, &row)).await.refused(403, "42501");
    let service = server.service();
    rpc(&server, &service, "verify_company_domain", verify(&carl.company_id, &row)).await.refused(404, "domain_not_found");
    let done = rpc(&server, &service, "verify_company_domain", verify(&ann.company_id, &row)).await.ok();
    assert_eq!(done["verified_by"], "operator");
    rpc(&server, &service, "verify_company_domain", verify(&carl.company_id, &theirs)).await.refused(409, "domain_taken");
    assert_eq!(server.delete(&ann, &one, "").await.status, 204);
    assert_eq!(rpc(&server, &service, "verify_company_domain", verify(&carl.company_id, &theirs)).await.status, 200);
    server.db.superuser().await.batch_execute("update app.company_rules set domains_max = 1").await.unwrap();
    server.post(&carl, "company_domains", json!({ "domain": "second.com" }), "").await.refused(409, "domains_exhausted");
}

#[tokio::test]
async fn whoever_proved_an_address_joins_or_asks() {
    let server = Server::new().await;
    let (ann, carl) = (server.owner("ann").await, server.owner("carl").await);
    let (dora, eve) = (server.person("dora").await, server.person("eve").await);
    let client = server.db.superuser().await;
    let id = json!({ "company_id": ann.company_id });
    let row = domain(&server, &ann, json!({ "domain": "example.com", "join_mode": "join", "join_role": "csr" })).await;
    rpc(&server, &dora, "join_company", id.clone()).await.refused(404, "company_not_joinable");
    assert_eq!(rpc(&server, &dora, "joinable_companies", json!({})).await.ok(), json!([]), "it is not verified");
    let verify = json!({ "company_id": ann.company_id, "domain_id": row["id"] });
    rpc(&server, &server.service(), "verify_company_domain", verify).await.ok();

    // Addresses are believed here: they count as confirmed, and nobody proved his. Neither does one that somebody changed his to.
    let mole = server
        .auth(&Server::nobody(), "signup", json!({ "email": "mole@elsewhere.example", "password": "a long enough password" }))
        .await
        .ok();
    let mole = Caller { token: Some(mole["access_token"].as_str().unwrap().to_owned()), ..Caller::default() };
    let moved = server.auth_with("PUT", &mole, "user", json!({ "email": "mole@example.com" })).await.ok();
    assert!(moved["email"] == "mole@example.com" && moved["email_confirmed_at"].is_string(), "{moved}");
    for stranger in [&dora, &mole] {
        assert_eq!(rpc(&server, stranger, "joinable_companies", json!({})).await.ok(), json!([]));
        rpc(&server, stranger, "join_company", id.clone()).await.refused(404, "company_not_joinable");
    }
    client
        .batch_execute("update auth.users set email_proved_at = now() where email in ('dora@example.com', 'eve@example.com')")
        .await
        .unwrap();
    let found = rpc(&server, &dora, "joinable_companies", json!({})).await.ok();
    assert_eq!(found, json!([{ "id": ann.company_id, "name": "ann", "logo": null, "domain": "example.com", "join_mode": "join" }]));
    assert_eq!(rpc(&server, &Server::nobody(), "join_company", id.clone()).await.status, 401);
    let unknown = json!({ "company_id": carl.company_id });
    rpc(&server, &dora, "join_company", unknown).await.refused(404, "company_not_joinable");
    let joined = rpc(&server, &dora, "join_company", id.clone()).await.ok();
    assert_eq!((&joined["role"], &joined["status"]), (&json!("csr"), &json!("active")));
    assert_eq!(server.get(&dora, "customers").await.status, 200, "he works there at once");
    rpc(&server, &dora, "join_company", id.clone()).await.refused(409, "already_member");

    // Two seats, and both are taken.
    client.batch_execute("update public.companies set max_seats = 2").await.unwrap();
    rpc(&server, &eve, "join_company", id.clone()).await.refused(402, "seats_exceeded");
    assert_eq!(server.patch(&ann, "company_domains", json!({ "join_mode": "request" }), "").await.status, 204);
    assert_eq!(rpc(&server, &eve, "join_company", id.clone()).await.ok()["status"], "requested");
    let there = eve.working_in(&ann.company_id);
    server.get(&there, "customers").await.refused(403, "company_not_member");
    let asked = format!("team_members?user_id=eq.{}", eve.user_id);
    assert_eq!(server.patch(&dora, &asked, json!({ "status": "active" }), FULL).await.ok(), json!([]), "that is not for a csr");
    server.patch(&ann, &asked, json!({ "status": "active" }), "").await.refused(402, "seats_exceeded");
    client.batch_execute("update public.companies set max_seats = 3").await.unwrap();
    assert_eq!(server.patch(&ann, &asked, json!({ "status": "active" }), "").await.status, 204);
    assert_eq!(server.get(&there, "customers").await.status, 200);
    assert_eq!(server.delete(&ann, &asked, "").await.status, 204);
    server.get(&there, "customers").await.refused(403, "company_not_member");
    // Who was taken out asks again, also where others just join.
    assert_eq!(server.patch(&ann, "company_domains", json!({ "join_mode": "join" }), "").await.status, 204);
    assert_eq!(rpc(&server, &eve, "join_company", id.clone()).await.ok()["status"], "requested");
    assert_eq!(server.delete(&ann, &asked, "").await.status, 204);
    let suspended = json!({ "company_id": ann.company_id });
    rpc(&server, &server.service(), "suspend_company", suspended).await.ok();
    rpc(&server, &eve, "join_company", id).await.refused(404, "company_not_joinable");
}

#[tokio::test]
async fn an_invitation_that_is_revoked_is_over_and_frees_its_seat() {
    let server = Server::new().await;
    let (ann, carl) = (server.owner("ann").await, server.owner("carl").await);
    let (csr, bob) = (server.member(&ann.company_id, "csr").await, server.person("bob").await);
    server.db.superuser().await.batch_execute("update public.companies set max_seats = 3").await.unwrap();
    let invite = |email: &str| json!({ "email": email, "role": "viewer" });
    let made = rpc(&server, &ann, "invite_member", invite("bob@example.com")).await.ok();
    assert_eq!((&made["is_mailed"], made["token"].as_str().unwrap().len()), (&json!(false), 64));
    rpc(&server, &ann, "invite_member", invite("dora@example.com")).await.refused(402, "seats_exceeded");
    let listed = server.get(&ann, "invitations?select=email,role,used_at,revoked_at").await.ok();
    assert_eq!(listed, json!([{ "email": "bob@example.com", "role": "viewer", "used_at": null, "revoked_at": null }]));
    let id = json!({ "id": made["id"] });
    rpc(&server, &csr, "revoke_invitation", id.clone()).await.refused(403, "permission_denied");
    rpc(&server, &carl, "revoke_invitation", id.clone()).await.refused(404, "invitation_not_found");
    assert_eq!(rpc(&server, &Server::nobody(), "revoke_invitation", id.clone()).await.status, 401);
    assert!(rpc(&server, &ann, "revoke_invitation", id.clone()).await.status < 300);
    rpc(&server, &ann, "revoke_invitation", id).await.refused(404, "invitation_not_found");
    let seats = rpc(&server, &ann, "company_subscription", json!({})).await.ok()["seats"].clone();
    assert_eq!(seats, json!({ "max": 3, "used": 2, "invited": 0 }));
    rpc(&server, &bob, "accept_invitation", json!({ "token": made["token"] })).await.refused(410, "invitation_revoked");
    let again = rpc(&server, &ann, "invite_member", invite("bob@example.com")).await.ok();
    rpc(&server, &bob, "accept_invitation", json!({ "token": again["token"] })).await.refused(403, "invitation_other_address");
    let proof = "update auth.users set email_proved_at = now() where email = 'bob@example.com'";
    server.db.superuser().await.batch_execute(proof).await.unwrap();
    assert_eq!(rpc(&server, &bob, "accept_invitation", json!({ "token": again["token"] })).await.ok()["role"], "viewer");
    rpc(&server, &bob, "accept_invitation", json!({ "token": again["token"] })).await.refused(409, "invitation_used");
    // A member who comes back needs a seat again.
    let one = format!("team_members?user_id=eq.{}", bob.user_id);
    assert_eq!(server.patch(&ann, &one, json!({ "status": "suspended" }), "").await.status, 204);
    assert_eq!(rpc(&server, &ann, "invite_member", invite("dora@example.com")).await.status, 200);
    server.patch(&ann, &one, json!({ "status": "active" }), "").await.refused(402, "seats_exceeded");
}

#[tokio::test]
async fn invitations_that_are_over_are_in_nobodys_way_and_go_after_a_while() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let client = server.db.superuser().await;
    client.batch_execute("update app.company_rules set invitations_open_max = 1").await.unwrap();
    let invite = async |email: &str| rpc(&server, &ann, "invite_member", json!({ "email": email, "role": "viewer" })).await;
    assert_eq!(invite("bob@example.com").await.status, 200);
    invite("carl@example.com").await.refused(409, "invitations_exhausted");
    client.batch_execute("update public.invitations set expires_at = now()").await.unwrap();
    assert_eq!(invite("carl@example.com").await.status, 200);
    let seats = rpc(&server, &ann, "company_subscription", json!({})).await.ok()["seats"].clone();
    assert_eq!(seats, json!({ "max": 5, "used": 1, "invited": 1 }));

    // As long as deleted rows: 90 days, or as the company says.
    let over = |email: &str, days: u32| {
        format!("update public.invitations set expires_at = now() - interval '{days} days' where email = '{email}@example.com'")
    };
    client.batch_execute(&format!("{}; {}", over("bob", 91), over("carl", 89))).await.unwrap();
    assert_eq!(client.query_one("select app.expire(100)", &[]).await.unwrap().get::<_, i64>(0), 1);
    assert_eq!(server.get(&ann, "invitations?select=email").await.ok(), json!([{ "email": "carl@example.com" }]));
    let kept = json!({ "retention": { "deleted_rows": 30 } });
    assert_eq!(server.post(&ann, "company_settings", kept, "").await.status, 201);
    assert_eq!(client.query_one("select app.expire(100)", &[]).await.unwrap().get::<_, i64>(0), 1);
    assert_eq!(server.get(&ann, "invitations?select=email").await.ok(), json!([]));
}
