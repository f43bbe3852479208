//! The first story: a person founds a company and enters a customer, his property and a job; nobody else learns of it.

use serde_json::{Value, json};

use crate::server::{Caller, Said, Server};

const FULL: &str = "return=representation";

/// What was entered.
struct Entered {
    customer: String,
    property: String,
    job: String,
}

/// Enters one row and answers it as one object.
async fn enter(server: &Server, who: &Caller, table: &str, row: Value) -> Value {
    let said = Said { prefer: FULL, accept: "application/vnd.pgrst.object+json", header: None };
    let entered = server.call(who, ("POST", table), Some(row.to_string()), said).await;
    assert_eq!(entered.status, 201, "{}", entered.text);
    entered.body
}

async fn work(server: &Server, who: &Caller) -> Entered {
    let id = |row: &Value| row["id"].as_str().unwrap().to_owned();
    let customer = json!({ "first_name": "Ada", "last_name": "Lovelace", "email": "Ada@Example.com", "tags": ["vip"] });
    let customer = id(&enter(server, who, "customers", customer).await);
    let property = json!({
        "customer_id": customer, "name": "Home", "address": "1 Main St", "city": "Atlanta", "state": "GA", "zip_code": "30301"
    });
    let property = id(&enter(server, who, "properties", property).await);
    let job = json!({ "customer_id": customer, "property_id": property, "title": "Fix the furnace", "total_amount": 12_500 });
    let job = id(&enter(server, who, "jobs", job).await);
    Entered { customer, property, job }
}

#[tokio::test]
async fn what_is_entered_is_read_back() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let entered = work(&server, &ann).await;

    let customers = server.get(&ann, "customers?select=id,company_id,display_name,email,email_key,tags,status,version").await.ok();
    let expected = json!([{
        "id": entered.customer, "company_id": ann.company_id, "display_name": "Ada Lovelace", "email": "Ada@Example.com",
        "email_key": "ada@example.com", "tags": ["vip"], "status": "active", "version": 1
    }]);
    assert_eq!(customers, expected);

    let jobs = server.get(&ann, &format!("jobs?id=eq.{}", entered.job)).await.ok();
    let job = &jobs[0];
    assert_eq!((&job["status"], &job["priority"], &job["total_amount"]), (&json!("quoted"), &json!("medium"), &json!(12_500)));
    assert_eq!((&job["customer_id"], &job["property_id"]), (&json!(entered.customer), &json!(entered.property)));
    assert_eq!((&job["created_by"], &job["booked_by_user_id"]), (&json!(ann.user_id), &json!(ann.user_id)));
    let number = job["job_number"].as_str().unwrap();
    assert!(number.starts_with("JOB-20") && number.ends_with("-0001"), "{number}");
}

#[tokio::test]
async fn a_job_goes_its_way_and_no_other() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let entered = work(&server, &ann).await;
    let one = format!("jobs?id=eq.{}", entered.job);

    let unplanned = server.patch(&ann, &one, json!({ "status": "scheduled" }), "").await;
    unplanned.refused(422, "job_requirement_missing");
    assert_eq!(unplanned.body["details"], "scheduled_start,scheduled_end");
    server.patch(&ann, &one, json!({ "status": "paid" }), "").await.refused(422, "job_transition_invalid");
    server.patch(&ann, &one, json!({ "status": "lost" }), "").await.refused(400, "23514");
    let planned = json!({ "status": "scheduled", "scheduled_start": "2027-01-04T14:00:00Z", "scheduled_end": "2027-01-04T13:00:00Z" });
    server.patch(&ann, &one, planned, "").await.refused(400, "23514");

    let planned = json!({ "status": "scheduled", "scheduled_start": "2027-01-04T14:00:00Z", "scheduled_end": "2027-01-04T15:00:00Z" });
    let changed = server.patch(&ann, &format!("{one}&select=status,version"), planned, FULL).await;
    assert_eq!(changed.ok(), json!([{ "status": "scheduled", "version": 2 }]), "what was refused changed nothing");
}

#[tokio::test]
async fn another_company_learns_and_changes_nothing() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let entered = work(&server, &ann).await;
    for (table, id) in [("customers", &entered.customer), ("properties", &entered.property), ("jobs", &entered.job)] {
        let one = format!("{table}?id=eq.{id}");
        let counted = server.get_with(&bob, table, Said { prefer: "count=exact", ..Said::default() }).await;
        assert_eq!((counted.text.as_str(), counted.header("content-range")), ("[]", "*/0"), "{table}");
        assert_eq!(server.patch(&bob, &one, json!({ "notes": "seen" }), FULL).await.ok(), json!([]), "{table}");
        assert_eq!(server.delete(&bob, &one, FULL).await.ok(), json!([]), "{table}");
        server.get(&bob.working_in(&ann.company_id), &one).await.refused(403, "company_not_member");
        server.delete(&bob.working_in(&ann.company_id), &one, "").await.refused(403, "company_not_member");
    }
    server.post(&bob, "jobs", json!({ "title": "X", "customer_id": entered.customer }), "").await.refused(409, "23503");
    let place = json!({ "customer_id": entered.customer, "name": "X", "address": "X", "city": "X", "state": "X", "zip_code": "1" });
    server.post(&bob, "properties", place, "").await.refused(409, "23503");
    let into = json!({ "company_id": ann.company_id, "title": "X", "customer_id": entered.customer });
    server.post(&bob, "jobs", into, "").await.refused(403, "42501");

    let kept = server.get(&ann, "jobs?select=title,notes,version").await.ok();
    assert_eq!(kept, json!([{ "title": "Fix the furnace", "notes": null, "version": 1 }]));
    for table in ["customers", "properties"] {
        assert_eq!(server.get(&ann, &format!("{table}?select=notes")).await.ok(), json!([{ "notes": null }]), "{table}");
    }
}

#[tokio::test]
async fn a_visitor_is_asked_to_sign_in() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let entered = work(&server, &ann).await;
    let nobody = Server::nobody();
    let with_public_key = Caller { token: Some(server.ring.anon().token.expose().to_owned()), ..Caller::default() };
    for visitor in [&nobody, &with_public_key, &nobody.working_in(&ann.company_id)] {
        for table in ["customers", "properties", "jobs", "companies", "team_members"] {
            server.get(visitor, table).await.refused(401, "42501");
        }
        let one = format!("jobs?id=eq.{}", entered.job);
        server.patch(visitor, &one, json!({ "notes": "seen" }), "").await.refused(401, "42501");
        server.delete(visitor, &one, "").await.refused(401, "42501");
        server.post(visitor, "rpc/my_companies", json!({}), "").await.refused(401, "42501");
    }
}
