//! How far a request reaches: not over the company it names, not over the rows that are not there, whatever else it says.

use serde_json::{Value, json};

use crate::server::{Caller, Said, Server};

const FULL: &str = "return=representation";
const MERGE: &str = "resolution=merge-duplicates,return=representation";
const NOWHERE: &str = "01900000-0000-7000-8000-00000000ffff";

/// Two companies with a customer each.
async fn two() -> (Server, Caller, Caller) {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    server.customer(&ann, "Ada").await;
    server.customer(&bob, "Bea").await;
    (server, ann, bob)
}

/// Returns whose customers there are: first name and company.
async fn all(server: &Server) -> Value {
    server.get(&server.service(), "customers?select=first_name,company_id&order=first_name,company_id").await.ok()
}

#[tokio::test]
async fn the_service_in_one_company_gives_no_row_to_another() {
    let (server, ann, bob) = Box::pin(two()).await;
    let before = all(&server).await;
    let bea = server.get(&bob, "customers?select=id").await.ok()[0]["id"].clone();
    let within = server.service().working_in(&ann.company_id);
    let row = |id: &Value| json!({ "company_id": bob.company_id, "id": id, "phone": "+15550100", "first_name": "Eve", "last_name": "E" });
    for prefer in ["", FULL, "return=headers-only", "resolution=merge-duplicates", MERGE] {
        let entered = server.post(&within, "customers", row(&json!(NOWHERE)), prefer).await;
        entered.refused(400, "several_companies");
        let both = json!([{ "company_id": ann.company_id, "phone": "+15550100", "first_name": "A" }, { "company_id": bob.company_id, "phone": "+15550100", "first_name": "B" }]);
        server.post(&within, "customers", both, prefer).await.refused(400, "several_companies");
    }
    for prefer in ["resolution=merge-duplicates", MERGE] {
        server.post(&within, "customers?on_conflict=company_id,id", row(&bea), prefer).await.refused(400, "several_companies");
    }
    server.put(&within, &format!("customers?id=eq.{}", bea.as_str().unwrap()), row(&bea), "").await.refused(400, "several_companies");
    for prefer in ["", FULL] {
        let away = json!({ "company_id": bob.company_id });
        server.patch(&within, "customers?first_name=eq.Ada", away, prefer).await.refused(400, "several_companies");
    }
    assert_eq!(all(&server).await, before, "nothing was kept");
    let own = json!({ "company_id": ann.company_id, "phone": "+15550100", "first_name": "Amy" });
    assert_eq!(server.post(&within, "customers?select=company_id", own, FULL).await.ok(), json!([{ "company_id": ann.company_id }]));
}

#[tokio::test]
async fn the_service_in_one_company_gives_no_row_to_another_through_a_view() {
    let (server, ann, bob) = Box::pin(two()).await;
    let before = all(&server).await;
    let within = server.service().working_in(&ann.company_id);
    let shared = |prefer| Said { prefer, accept: "", header: Some(("content-profile", "shared")) };
    let row = json!({ "tenant_id": bob.company_id, "phone": "+15550100", "first_name": "Eve", "last_name": "E" }).to_string();
    let away = json!({ "tenant_id": bob.company_id }).to_string();
    for prefer in ["", FULL] {
        server.call(&within, ("POST", "customers"), Some(row.clone()), shared(prefer)).await.refused(400, "several_companies");
        let moved = server.call(&within, ("PATCH", "customers?first_name=eq.Ada"), Some(away.clone()), shared(prefer)).await;
        moved.refused(400, "several_companies");
    }
    assert_eq!(all(&server).await, before, "nothing was kept");
}

#[tokio::test]
async fn whoever_is_in_two_companies_works_in_one_at_a_time() {
    let (server, ann, bob) = Box::pin(two()).await;
    let both = json!({ "company_id": bob.company_id, "user_id": ann.user_id, "role": "admin", "status": "active" });
    assert_eq!(server.post(&server.service(), "team_members", both, "").await.status, 201);
    let there = ann.working_in(&bob.company_id);
    let before = all(&server).await;
    let row = json!({ "company_id": bob.company_id, "phone": "+15550100", "first_name": "Eve", "last_name": "E" });
    server.post(&ann, "customers", row.clone(), "").await.refused(403, "42501");
    server.post(&ann, "customers", row, MERGE).await.refused(403, "42501");
    server.patch(&ann, "customers", json!({ "company_id": bob.company_id }), "").await.refused(403, "42501");
    server.patch(&there, "customers", json!({ "company_id": ann.company_id }), "").await.refused(403, "42501");
    let ada = server.get(&ann, "customers?select=id").await.ok()[0]["id"].clone();
    server.post(&there, "jobs", json!({ "title": "X", "customer_id": ada }), "").await.refused(409, "23503");
    assert_eq!(server.get(&there, &format!("customers?company_id=eq.{}", ann.company_id)).await.ok(), json!([]));
    assert_eq!(all(&server).await, before);
}

#[tokio::test]
async fn no_condition_reaches_over_a_wall() {
    let (server, ann, bob) = Box::pin(two()).await;
    let gone = server.customer(&ann, "Gone").await;
    let mark = json!({ "deleted_at": "2026-11-21T00:00:00Z" });
    assert_eq!(server.patch(&ann, &format!("customers?id=eq.{gone}"), mark, "").await.status, 204);
    let within = server.service().working_in(&ann.company_id);
    for (condition, expected) in [
        ("or=(deleted_at.not.is.null,first_name.eq.Ada)", json!([{ "first_name": "Ada" }])),
        ("deleted_at=not.is.null", json!([])),
        ("not.and=(first_name.eq.Nobody,first_name.eq.Ada)", json!([{ "first_name": "Ada" }])),
        ("or=(id.not.is.null,company_id.not.is.null)", json!([{ "first_name": "Ada" }])),
        (&format!("or=(company_id.eq.{0},company_id.neq.{0})", bob.company_id), json!([{ "first_name": "Ada" }])),
        (&format!("company_id=eq.{}", bob.company_id), json!([])),
    ] {
        for who in [&ann, &within] {
            let read = server.get(who, &format!("customers?select=first_name&{condition}")).await;
            assert_eq!(read.ok(), expected, "{condition}");
            let path = format!("customers?select=first_name&{condition}");
            let counted = server.patch(who, &path, json!({ "notes": "x" }), FULL).await;
            assert_eq!(counted.ok(), expected, "{condition}");
        }
    }
    let deleted = Said { prefer: "deleted=include", ..Said::default() };
    let kept = server.get_with(&ann, &format!("customers?select=notes&id=eq.{gone}"), deleted).await;
    assert_eq!(kept.ok(), json!([{ "notes": null }]));
    assert_eq!(server.get(&bob, "customers?select=notes").await.ok(), json!([{ "notes": null }]));
}

#[tokio::test]
async fn what_another_company_has_is_answered_like_what_nobody_has() {
    let (server, ann, bob) = Box::pin(two()).await;
    let ada = server.get(&ann, "customers?select=id").await.ok()[0]["id"].as_str().unwrap().to_owned();
    let job = |customer: &str| json!({ "title": "X", "customer_id": customer });
    let (theirs, nobodys) = (server.post(&bob, "jobs", job(&ada), "").await, server.post(&bob, "jobs", job(NOWHERE), "").await);
    theirs.refused(409, "23503");
    assert_eq!(theirs.text.replace(&ada, NOWHERE), nobodys.text);
    let place =
        |customer: &str| json!({ "customer_id": customer, "name": "X", "address": "X", "city": "X", "state": "X", "zip_code": "1" });
    let theirs = server.post(&bob, "properties", place(&ada), "").await;
    let nobodys = server.post(&bob, "properties", place(NOWHERE), "").await;
    theirs.refused(409, "23503");
    assert_eq!(theirs.text.replace(&ada, NOWHERE), nobodys.text);
    let row = |id: &str| json!({ "company_id": ann.company_id, "id": id, "phone": "+15550100", "first_name": "X" });
    for prefer in ["", MERGE, "resolution=ignore-duplicates"] {
        let (there, new) =
            (server.post(&bob, "customers", row(&ada), prefer).await, server.post(&bob, "customers", row(NOWHERE), prefer).await);
        assert_eq!((there.status, &there.text), (403, &new.text), "{prefer}");
    }
    let (theirs, nobodys) = (bob.working_in(&ann.company_id), bob.working_in(NOWHERE));
    for path in ["customers", "jobs", "rpc/my_companies"] {
        let (theirs, nobodys) = (server.get(&theirs, path).await, server.get(&nobodys, path).await);
        theirs.refused(403, "company_not_member");
        assert_eq!(theirs.text.replace(&ann.company_id, NOWHERE), nobodys.text, "{path}");
    }
}

#[tokio::test]
async fn ones_own_account_needs_no_company() {
    let server = Server::new().await;
    let (dora, ann) = (server.person("dora").await, server.owner("ann").await);
    assert_eq!(server.get(&dora, "users?select=id").await.ok(), json!([{ "id": dora.user_id }]));
    let named = server.patch(&dora, "users?select=name", json!({ "name": "Dora" }), FULL).await;
    assert_eq!(named.ok(), json!([{ "name": "Dora" }]), "every account he reaches is his own");
    assert_eq!(server.get(&ann, "users?select=name").await.ok(), json!([{ "name": "ann@example.com" }]));
    for table in ["companies", "team_members", "departments", "jobs", "role_change_log"] {
        assert_eq!(server.get(&dora, table).await.ok(), json!([]), "{table}");
    }
    let one = format!("customers?id=eq.{NOWHERE}");
    server.put(&dora, &one, json!({ "id": NOWHERE, "phone": "+15550100", "first_name": "X" }), "").await.refused(403, "company_required");
    server.post(&dora, "customers", json!({ "phone": "+15550100", "first_name": "X" }), MERGE).await.refused(403, "company_required");
    server.post(&dora, "customers", json!([]), "").await.refused(403, "company_required");
    server.patch(&dora, "companies", json!({ "name": "X" }), "").await.refused(403, "company_required");
}
