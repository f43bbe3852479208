//! The timeline: what a dispatcher reads of what happened.

use serde_json::{Value, json};

use crate::server::{Caller, Server};

const FULL: &str = "return=representation";

async fn told(server: &Server, who: &Caller, filter: &str) -> Vec<String> {
    let rows = server.get(who, &format!("activities?select=action&order=id&{filter}")).await.ok();
    rows.as_array().unwrap().iter().map(|row| row["action"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_job_tells_its_story() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let customer = server.customer(&ann, "Ada").await;
    let tom = server.member(&ann.company_id, "technician").await;
    let named = json!({ "name": "Tom" });
    assert_eq!(server.patch(&tom, &format!("users?id=eq.{}", tom.user_id), named, "").await.status, 204);
    // The company's clock is that of New York.
    let job = json!({ "customer_id": customer, "title": "Fix boiler", "status": "scheduled", "scheduled_start": "2026-11-23T14:00:00Z",
                      "scheduled_end": "2026-11-23T16:00:00Z" });
    let made = server.post(&ann, "jobs", job, FULL).await.ok();
    let (id, number) = (made[0]["id"].as_str().unwrap(), made[0]["job_number"].as_str().unwrap());
    let one = format!("jobs?id=eq.{id}");
    for change in [
        json!({ "assigned_to": tom.user_id }),
        json!({ "scheduled_start": "2026-11-23T15:00:00Z" }),
        json!({ "status": "in_progress", "notes": "gate code 1234" }),
        json!({ "assigned_to": null, "status": "on_hold" }),
    ] {
        assert_eq!(server.patch(&ann, &one, change, "").await.status, 204);
    }
    let expected = [
        "created: Fix boiler, scheduled for Mon 23 Nov 2026, 09:00",
        "assigned to Tom",
        "moved from Mon 23 Nov 2026, 09:00 to Mon 23 Nov 2026, 10:00",
        "status from scheduled to in progress",
        "changed: notes",
        "status from in progress to on hold",
        "assigned to nobody",
    ];
    let found = told(&server, &ann, &format!("entity_id=eq.{id}")).await;
    let found: Vec<&str> =
        found.iter().map(|text| text.strip_prefix(&format!("Job {number}")).unwrap().trim_start_matches([':', ' '])).collect();
    assert_eq!(found, expected);
    let rows = server.get(&ann, &format!("activities?entity_id=eq.{id}&activity_type=eq.status_change&order=id")).await.ok();
    let row = &rows[0];
    assert_eq!((&row["old_value"], &row["new_value"], &row["field_name"]), (&json!("scheduled"), &json!("in_progress"), &json!("status")));
    assert_eq!((&row["actor_id"], &row["actor_name"], &row["job_id"]), (&json!(ann.user_id), &json!("ann@example.com"), &json!(id)));
    assert!(!rows.to_string().contains("1234"));
}

#[tokio::test]
async fn who_works_on_the_job_reads_it_and_nobody_writes_it() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let customer = server.customer(&ann, "Ada").await;
    let tom = server.member(&ann.company_id, "technician").await;
    for (title, whom) in [("His", json!(tom.user_id)), ("Other", Value::Null)] {
        let job = json!({ "customer_id": customer, "title": title, "assigned_to": whom });
        assert_eq!(server.post(&ann, "jobs", job, "").await.status, 201);
    }
    let his = told(&server, &tom, "").await;
    assert_eq!(his.len(), 1, "{his:?}");
    assert!(his[0].ends_with("created: His, assigned to technician.") || his[0].contains("created: His, assigned to "), "{his:?}");
    assert_eq!(told(&server, &ann, "entity_type=eq.job").await.len(), 2);
    assert_eq!(told(&server, &server.owner("bob").await, "").await, Vec::<String>::new());
    let row =
        json!({ "company_id": ann.company_id, "entity_type": "job", "entity_id": customer, "activity_type": "created", "action": "x" });
    for who in [&ann, &server.service()] {
        server.post(who, "activities", row.clone(), "").await.refused(403, "42501");
        server.patch(who, "activities?entity_type=eq.job", json!({ "action": "x" }), "").await.refused(403, "42501");
        server.delete(who, "activities?entity_type=eq.job", "").await.refused(403, "42501");
    }
}

#[tokio::test]
async fn a_customer_is_named_and_what_is_personal_is_not_repeated() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let id = server.customer(&ann, "Ada").await;
    let one = format!("customers?id=eq.{id}");
    assert_eq!(server.patch(&ann, &one, json!({ "phone": "+12175550123", "email": "ada@x.com" }), "").await.status, 204);
    assert_eq!(server.patch(&ann, &one, json!({ "deleted_at": "2026-11-21T00:00:00Z" }), "").await.status, 204);
    let found = told(&server, &ann, &format!("entity_id=eq.{id}")).await;
    assert_eq!(found, ["Customer Ada X created", "Customer Ada X changed: email, phone", "Customer Ada X deleted"]);
    let all = server.get(&ann, &format!("activities?entity_id=eq.{id}")).await.text;
    assert!(!all.contains("0123") && !all.contains("ada@x.com"), "{all}");
}
