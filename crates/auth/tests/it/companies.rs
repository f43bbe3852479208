//! Which company a session works in.

use serde_json::{Value, json};

use crate::server::{Answer, Server, claims, token};

async fn choose(server: &Server, session: &Value, body: Value) -> Answer {
    server.call("POST", "/company", Some(token(session)), Some(body)).await
}

#[tokio::test]
async fn a_member_makes_his_company_active() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    assert!(claims(&session).get("company_id").is_none());
    let (acme, bolt) = (server.company("acme", &session).await, server.company("bolt", &session).await);
    for company in [&acme, &bolt] {
        let chosen = choose(&server, &session, json!({ "company_id": company })).await.ok();
        assert_eq!(claims(&chosen)["company_id"], **company);
        assert_eq!(claims(&chosen)["member_role"], "owner");
        assert_eq!(claims(&chosen)["session_id"], claims(&session)["session_id"]);
        assert_ne!(chosen["refresh_token"], session["refresh_token"]);
        assert_eq!(server.ask("select active_company_id from auth.sessions").await, *company);
        let refreshed = server.refresh(&chosen).await.ok();
        assert_eq!(claims(&refreshed)["company_id"], **company, "a refresh keeps it");
    }
    let none = choose(&server, &session, json!({ "company_id": null })).await.ok();
    assert!(claims(&none).get("company_id").is_none() && claims(&none).get("member_role").is_none());
}

#[tokio::test]
async fn a_company_that_is_not_ones_own_is_refused() {
    let server = Server::new().await;
    let ann = server.sign_up("ann@example.com").await;
    let bob = server.sign_up("bob@example.com").await;
    let (acme, bolt) = (server.company("acme", &ann).await, server.company("bolt", &bob).await);
    let chosen = choose(&server, &ann, json!({ "company_id": acme })).await.ok();
    let refused = |answer: Answer| answer.refused(403, "company_not_member", "You are not an active member of this company");
    refused(choose(&server, &ann, json!({ "company_id": bolt })).await);
    refused(choose(&server, &ann, json!({ "company_id": "01900000-0000-7000-8000-000000000001" })).await);
    assert_eq!(server.ask(&format!("select count(*) from auth.sessions where active_company_id = '{bolt}'")).await, "0");
    assert_eq!(claims(&server.refresh(&chosen).await.ok())["company_id"], *acme, "a refusal changes nothing");
    for (set, back) in [
        ("update public.team_members set status = 'suspended'", "update public.team_members set status = 'active'"),
        ("update public.team_members set archived_at = now()", "update public.team_members set archived_at = null"),
        ("update public.companies set deleted_at = now()", "update public.companies set deleted_at = null"),
        ("update public.companies set archived_at = now()", "update public.companies set archived_at = null"),
    ] {
        server.sql(&format!("set session_replication_role = replica; {set}")).await;
        refused(choose(&server, &ann, json!({ "company_id": acme })).await);
        server.sql(&format!("set session_replication_role = replica; {back}")).await;
        assert_eq!(choose(&server, &ann, json!({ "company_id": acme })).await.status, 200);
    }
}

#[tokio::test]
async fn the_only_company_is_chosen_by_itself() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    let acme = server.company("acme", &session).await;
    let refreshed = server.refresh(&session).await.ok();
    assert_eq!(claims(&refreshed)["company_id"], *acme);
    assert_eq!(claims(&refreshed)["member_role"], "owner");
    assert_eq!(claims(&server.sign_in("ann@example.com").await)["company_id"], *acme);
    server.company("bolt", &session).await;
    assert!(claims(&server.sign_in("ann@example.com").await).get("company_id").is_none(), "of two none is guessed");
}

#[tokio::test]
async fn a_company_that_is_lost_leaves_the_session() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    let (acme, bolt) = (server.company("acme", &session).await, server.company("bolt", &session).await);
    let chosen = choose(&server, &session, json!({ "company_id": acme })).await.ok();
    server.sql(&format!("set session_replication_role = replica; delete from public.team_members where company_id = '{acme}'")).await;
    let refreshed = server.refresh(&chosen).await.ok();
    assert_eq!(claims(&refreshed)["company_id"], *bolt, "the only one that is left");
    server.sql("set session_replication_role = replica; update public.team_members set status = 'suspended'").await;
    let alone = server.refresh(&refreshed).await.ok();
    assert!(claims(&alone).get("company_id").is_none());
    assert_eq!(server.ask("select active_company_id from auth.sessions").await, "null");
}

#[tokio::test]
async fn bad_choices_are_named() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    choose(&server, &session, json!({ "company_id": "acme" })).await.refused(400, "invalid_company_id", "company_id must be a UUID");
    assert_eq!(choose(&server, &session, json!({})).await.body["code"], "validation_failed");
    assert_eq!(choose(&server, &session, json!({ "company_id": 7 })).await.body["code"], "bad_json");
    assert_eq!(server.post("/company", json!({ "company_id": null })).await.body["code"], "no_authorization");
    server.call("POST", "/logout", Some(token(&session)), None).await;
    assert_eq!(choose(&server, &session, json!({ "company_id": null })).await.body["code"], "session_not_found");
}
