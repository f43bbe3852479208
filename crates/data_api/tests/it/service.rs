//! The service key: over all companies it says which it means, in one company it stays there.

use serde_json::{Value, json};

use crate::server::{Caller, Said, Server};

const FULL: &str = "return=representation";

/// Two companies with a customer and a department each.
async fn two() -> (Server, Caller, Caller) {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    for (who, name) in [(&ann, "Ada"), (&bob, "Bea")] {
        server.customer(who, name).await;
        assert_eq!(server.post(who, "departments", json!({ "name": name }), "").await.status, 201);
    }
    (server, ann, bob)
}

fn names(rows: &Value, column: &str) -> Vec<String> {
    let mut names: Vec<String> = rows.as_array().unwrap().iter().map(|row| row[column].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn it_reads_everything_or_one_company() {
    let (server, ann, _) = Box::pin(two()).await;
    let service = server.service();
    let within = service.working_in(&ann.company_id);
    for table in ["customers?select=name:first_name", "departments?select=name"] {
        assert_eq!(names(&server.get(&service, table).await.ok(), "name"), ["Ada", "Bea"], "{table}");
        assert_eq!(names(&server.get(&within, table).await.ok(), "name"), ["Ada"], "{table}");
    }
    let counted = server.get_with(&within, "companies", Said { prefer: "count=exact", ..Said::default() }).await;
    assert_eq!((counted.header("content-range"), &counted.body[0]["id"]), ("0-0/1", &json!(ann.company_id)));
    let nowhere = service.working_in("01900000-0000-7000-8000-00000000ffff");
    server.get(&nowhere, "customers").await.refused(404, "company_not_found");
    server.post(&nowhere, "customers", json!({ "phone": "+15550100", "first_name": "X" }), "").await.refused(404, "company_not_found");
}

#[tokio::test]
async fn it_reads_one_company_through_a_view_too() {
    let (server, ann, _) = Box::pin(two()).await;
    let service = server.service();
    let shared = Said { header: Some(("accept-profile", "shared")), ..Said::default() };
    for (who, expected) in [(&service, vec!["Ada", "Bea"]), (&service.working_in(&ann.company_id), vec!["Ada"])] {
        let rows = server.get_with(who, "customers?select=first_name", shared).await.ok();
        assert_eq!(names(&rows, "first_name"), expected);
    }
    // A view on a view, with the column called otherwise and a query beside it.
    let view = "create view public.faces with (security_invoker = true) as
          select first_name, (select count(*) from public.departments d where d.company_id = c.tenant_id) as departments, tenant_id as whose
            from shared.customers c;
        grant select on public.faces to service_role, authenticated;";
    server.table(view).await;
    assert_eq!(server.get(&service, "faces").await.ok().as_array().unwrap().len(), 2);
    for who in [&service.working_in(&ann.company_id), &ann] {
        let rows = server.get(who, "faces").await.ok();
        assert_eq!(rows, json!([{ "first_name": "Ada", "departments": 1, "whose": ann.company_id }]));
    }
}

#[tokio::test]
async fn a_view_is_written_only_with_a_company() {
    let (server, ann, _) = Box::pin(two()).await;
    let person = server.person("dora").await;
    let shared = |prefer| Said { prefer, accept: "", header: Some(("content-profile", "shared")) };
    let body = || Some(json!({ "phone": "+15550100", "first_name": "Eve", "last_name": "E" }).to_string());
    for method in ["POST", "PATCH", "DELETE"] {
        let refused = server.call(&person, (method, "customers?first_name=eq.Ada"), body(), shared("")).await;
        refused.refused(403, "company_required");
    }
    let entered = server.call(&ann, ("POST", "customers?select=first_name,tenant_id"), body(), shared(FULL)).await;
    assert_eq!((entered.status, &entered.body), (201, &json!([{ "first_name": "Eve", "tenant_id": ann.company_id }])));
}

#[tokio::test]
async fn a_write_that_meets_rows_of_two_companies_is_refused() {
    let (server, ann, bob) = Box::pin(two()).await;
    let service = server.service();
    let all = "customers?first_name=in.(Ada,Bea)";
    for (path, change) in [
        (all.to_owned(), json!({ "notes": "x" })),
        (all.to_owned(), json!({ "company_id": ann.company_id })),
        (all.to_owned(), json!({ "company_id": ann.company_id, "notes": "x" })),
        (format!("{all}&company_id=neq.{}", json!(null)), json!({ "notes": "x" })),
        (format!("{all}&or=(company_id.eq.{},company_id.eq.{})", ann.company_id, bob.company_id), json!({ "notes": "x" })),
    ] {
        let path = path.replace("neq.null", "not.is.null");
        for prefer in ["", FULL, "return=headers-only"] {
            server.patch(&service, &path, change.clone(), prefer).await.refused(400, "several_companies");
        }
    }
    server.delete(&service, all, "").await.refused(400, "several_companies");
    let rows = server.get(&service, "customers?select=notes,company_id&order=first_name").await.ok();
    assert_eq!(rows, json!([{ "notes": null, "company_id": ann.company_id }, { "notes": null, "company_id": bob.company_id }]));
    // Rows of one company alone need no name.
    let one = server.patch(&service, "customers?first_name=eq.Ada&select=notes", json!({ "notes": "x" }), FULL).await;
    assert_eq!(one.ok(), json!([{ "notes": "x" }]));
}

#[tokio::test]
async fn a_write_through_a_view_says_which_company_too() {
    let (server, ann, bob) = Box::pin(two()).await;
    let service = server.service();
    let shared = |prefer| Said { prefer, accept: "", header: Some(("content-profile", "shared")) };
    let body = || Some(json!({ "phone": "+15550199" }).to_string());
    let all = "customers?first_name=in.(Ada,Bea)";
    server.call(&service, ("PATCH", all), body(), shared("")).await.refused(400, "several_companies");
    server.call(&service, ("DELETE", all), None, shared("")).await.refused(400, "several_companies");
    let named = format!("{all}&tenant_id=eq.{}&select=tenant_id", ann.company_id);
    let changed = server.call(&service, ("PATCH", &named), body(), shared(FULL)).await;
    assert_eq!(changed.ok(), json!([{ "tenant_id": ann.company_id }]));
    let within = server.call(&service.working_in(&bob.company_id), ("PATCH", all), body(), shared(FULL)).await;
    assert_eq!(within.ok().as_array().unwrap().len(), 1);
    server
        .call(&service, ("PATCH", "organizations?subscription_tier=eq.free"), Some(r#"{"settings":{"a":1}}"#.to_owned()), Said::default())
        .await
        .refused(400, "several_companies");
}

#[tokio::test]
async fn it_moves_a_row_only_when_it_says_from_where() {
    let (server, ann, bob) = Box::pin(two()).await;
    let service = server.service();
    let from = format!("customers?first_name=eq.Ada&company_id=eq.{}&select=company_id", ann.company_id);
    let moved = server.patch(&service, &from, json!({ "company_id": bob.company_id }), FULL).await;
    assert_eq!(moved.ok(), json!([{ "company_id": bob.company_id }]));
    assert_eq!(server.get(&ann, "customers").await.ok(), json!([]));
}

#[tokio::test]
async fn logs_stay_as_they_were_written() {
    let (server, ann, _) = Box::pin(two()).await;
    let member = server.member(&ann.company_id, "csr").await;
    let change = json!({ "user_id": member.user_id, "role": "manager", "reason": "grown" });
    assert_eq!(server.post(&ann, "rpc/change_member_role", change, "").await.ok()["role"], "manager");
    let log = server.get(&ann, "role_change_log?select=old_role,new_role,reason,changed_by").await.ok();
    assert_eq!(log, json!([{ "old_role": "csr", "new_role": "manager", "reason": "grown", "changed_by": ann.user_id }]));
    for caller in [&server.service(), &ann] {
        server.patch(caller, "role_change_log?new_role=eq.manager", json!({ "reason": "x" }), "").await.refused(403, "42501");
        server.delete(caller, "role_change_log?new_role=eq.manager", "").await.refused(403, "42501");
    }
    server.get(&member, "role_change_log").await.ok().as_array().filter(|rows| rows.is_empty()).expect("not for a manager");
}
