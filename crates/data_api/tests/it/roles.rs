//! What each role may do with customers, jobs and people, as the matrix has it, and what a member's own row adds or takes.

use serde_json::{Value, json};

use crate::server::{Caller, Said, Server};

const FULL: &str = "return=representation";
const ROLES: [&str; 8] = ["owner", "admin", "manager", "dispatcher", "technician", "csr", "member", "viewer"];

async fn member(server: &Server, ann: &Caller, role: &str) -> Caller {
    if role == "owner" { ann.clone() } else { server.member(&ann.company_id, role).await }
}

fn written(answer: &crate::server::Answer) -> usize {
    answer.body.as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn customers_by_role() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    for role in ROLES {
        let who = member(&server, &ann, role).await;
        let id = server.customer(&ann, role).await;
        let one = format!("customers?id=eq.{id}");
        assert_eq!(server.get(&who, &one).await.ok().as_array().unwrap().len(), 1, "{role} reads");

        let may_create = matches!(role, "owner" | "admin" | "manager" | "csr" | "member");
        let created = server.post(&who, "customers", json!({ "phone": "+15550100", "first_name": "By", "last_name": role }), "").await;
        assert_eq!(created.status, if may_create { 201 } else { 403 }, "{role} creates: {}", created.text);
        let changed = server.patch(&who, &one, json!({ "notes": role }), FULL).await;
        assert_eq!((changed.status, written(&changed)), (200, usize::from(may_create)), "{role} changes: {}", changed.text);

        let may_delete = matches!(role, "owner" | "admin");
        let marked = server.patch(&who, &one, json!({ "deleted_at": "2026-11-21T00:00:00Z" }), "").await;
        let expected = if may_delete || !may_create { 204 } else { 403 };
        assert_eq!(marked.status, expected, "{role} marks as deleted: {}", marked.text);
        assert_eq!(server.get(&ann, &one).await.ok() == json!([]), may_delete, "{role}");
        let shown = server.get_with(&who, &one, Said { prefer: "deleted=include", ..Said::default() }).await;
        assert_eq!(written(&shown), 1, "{role} sees what he may restore, or what was not deleted");
        let removed = server.delete(&who, &one, "deleted=include,return=representation").await;
        let (status, code) = if may_delete { (409, json!("permanent_deletion_early")) } else { (200, json!(null)) };
        assert_eq!((removed.status, &removed.body["code"]), (status, &code), "{role} deletes for good: {}", removed.text);
    }
}

#[tokio::test]
async fn jobs_by_role() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let customer = server.customer(&ann, "Ada").await;
    for role in ROLES {
        let who = member(&server, &ann, role).await;
        let rows = json!([
            { "customer_id": customer, "title": format!("{role} his"), "assigned_to": who.user_id },
            { "customer_id": customer, "title": format!("{role} other"), "assigned_to": null },
        ]);
        assert_eq!(server.post(&ann, "jobs", rows, "").await.status, 201);
        let both = format!("jobs?title=like.{role}*");
        let (reads, writes) = match role {
            "technician" => (1, 1),
            "viewer" => (2, 0),
            _ => (2, 2),
        };
        let counted = server.get_with(&who, &both, Said { prefer: "count=exact", ..Said::default() }).await;
        assert_eq!(counted.header("content-range"), format!("0-{}/{reads}", reads - 1), "{role} reads");
        let changed = server.patch(&who, &both, json!({ "notes": "x" }), FULL).await;
        assert_eq!((changed.status, written(&changed)), (200, writes), "{role} changes: {}", changed.text);
        let may_create = !matches!(role, "technician" | "viewer");
        let created = server.post(&who, "jobs", json!({ "customer_id": customer, "title": "new" }), "").await;
        assert_eq!(created.status, if may_create { 201 } else { 403 }, "{role} creates: {}", created.text);
        let may_delete = matches!(role, "owner" | "admin" | "manager");
        let removed = server.delete(&who, &both, FULL).await;
        assert_eq!((removed.status, written(&removed)), (200, if may_delete { 2 } else { 0 }), "{role} deletes: {}", removed.text);
    }
}

#[tokio::test]
async fn an_assigned_job_is_reached_by_whom_it_is_assigned_to() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let customer = server.customer(&ann, "Ada").await;
    let (tom, outsider) = (server.member(&ann.company_id, "technician").await, server.owner("bob").await);
    let job = |whom: &str| json!({ "customer_id": customer, "title": "Fix", "assigned_to": whom });
    server.post(&ann, "jobs", job(&outsider.user_id), "").await.refused(409, "23503");
    assert_eq!(server.post(&ann, "jobs", job(&tom.user_id), "").await.status, 201);
    assert_eq!(server.patch(&tom, "jobs", json!({ "notes": "on my way" }), "").await.status, 204);
    assert_eq!(server.patch(&ann, "jobs", json!({ "assigned_to": null }), "").await.status, 204);
    assert_eq!(server.get(&tom, "jobs").await.ok(), json!([]), "taken from him, it is gone at once");
    assert_eq!(server.patch(&tom, "jobs", json!({ "notes": "mine" }), FULL).await.ok(), json!([]));
    assert_eq!(server.get(&ann, "jobs?select=notes").await.ok(), json!([{ "notes": "on my way" }]));
}

#[tokio::test]
async fn a_members_own_permissions_are_laid_over_his_role() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    server.customer(&ann, "Ada").await;
    let member = server.member(&ann.company_id, "member").await;
    let one = format!("team_members?user_id=eq.{}", member.user_id);
    let overrides = json!({ "permissions": { "customers:create": false, "customers:delete": true } });
    assert_eq!(server.patch(&ann, &one, overrides, "").await.status, 204);
    server.post(&member, "customers", json!({ "phone": "+15550100", "first_name": "X" }), "").await.refused(403, "42501");
    assert_eq!(server.delete(&member, "customers?first_name=eq.Ada", FULL).await.ok().as_array().unwrap().len(), 1);
    let unknown = json!({ "permissions": { "customers:fly": true } });
    server.patch(&ann, &one, unknown, "").await.refused(422, "permission_unknown");
    server.patch(&member, &one, json!({ "permissions": {} }), "").await.ok();
    let kept = server.get(&ann, &format!("{one}&select=permissions")).await.ok();
    assert_eq!(kept, json!([{ "permissions": { "customers:create": false, "customers:delete": true } }]));
}

#[tokio::test]
async fn people_and_companies_are_written_only_where_they_may_be() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let csr = server.member(&ann.company_id, "csr").await;
    let own = |who: &Caller| format!("users?id=eq.{}", who.user_id);
    assert_eq!(server.get(&csr, "users?select=id").await.ok(), json!([{ "id": csr.user_id }]), "his own account and no other");
    assert_eq!(server.patch(&csr, &own(&csr), json!({ "name": "Cora" }), FULL).await.ok()[0]["name"], "Cora");
    assert_eq!(server.patch(&csr, &own(&ann), json!({ "name": "X" }), FULL).await.ok(), json!([]));
    server.patch(&csr, &own(&csr), json!({ "email": "x@example.com" }), "").await.refused(403, "42501");
    let people: Value = server.get(&csr, "team_members?select=role,name&order=role").await.ok();
    assert_eq!(people, json!([{ "role": "csr", "name": "Cora" }, { "role": "owner", "name": "ann@example.com" }]));

    let member = json!({ "user_id": csr.user_id, "role": "admin" });
    server.post(&ann, "team_members", member, "").await.refused(403, "42501");
    server.patch(&ann, "team_members?role=eq.owner", json!({ "role": "csr" }), "").await.refused(422, "owner_protected");
    server.patch(&ann, "team_members?role=eq.csr", json!({ "effective_permissions": ",jobs:read," }), "").await.refused(403, "42501");
    server.delete(&ann, "team_members?role=eq.owner", "").await.refused(422, "owner_protected");

    assert_eq!(server.patch(&csr, "companies", json!({ "name": "Mine" }), FULL).await.ok(), json!([]));
    assert_eq!(server.patch(&ann, "companies?select=name", json!({ "name": "New" }), FULL).await.ok(), json!([{ "name": "New" }]));
    server.patch(&ann, "companies", json!({ "max_seats": 1000 }), "").await.refused(403, "42501");
    server.patch(&ann, "companies", json!({ "owner_id": csr.user_id }), "").await.refused(403, "42501");
    server.patch(&ann, "companies", json!({ "business_timezone": "Mars/Base" }), "").await.refused(422, "timezone_unknown");
    server.post(&ann, "companies", json!({ "name": "X", "slug": "xx" }), "").await.refused(403, "42501");
}
