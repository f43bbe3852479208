//! Teams, hours, equipment, plans, notes, labels: what these hold to whoever writes them.

use std::sync::Arc;

use serde_json::json;

use crate::server::{Caller, Server};
use crate::together::together;

const FULL: &str = "return=representation";

async fn company() -> (Server, Caller, Caller, String) {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let tom = server.member(&ann.company_id, "technician").await;
    let ada = server.customer(&ann, "Ada").await;
    (server, ann, tom, ada)
}

async fn job(server: &Server, who: &Caller, customer: &str) -> String {
    let made = server.post(who, "jobs?select=id", json!({ "customer_id": customer, "title": "Fix" }), FULL).await;
    made.body[0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_crew_sees_the_job_and_a_new_leader_takes_the_old_ones_place() {
    let (server, ann, tom, ada) = Box::pin(company()).await;
    let tina = server.member_called("tina", &ann.company_id, "technician").await;
    let id = job(&server, &ann, &ada).await;
    let on = |who: &Caller, role: &str| json!({ "job_id": id, "user_id": who.user_id, "role": role });
    assert_eq!(server.get(&tom, "jobs").await.ok(), json!([]));
    assert_eq!(server.post(&ann, "job_team_assignments", on(&tom, "crew"), "").await.status, 201);
    assert_eq!(server.get(&tom, "jobs?select=crew,assigned_to").await.ok(), json!([{ "crew": [tom.user_id], "assigned_to": null }]));
    assert_eq!(server.post(&ann, "job_team_assignments", on(&tina, "primary"), "").await.status, 201);
    let team = || async { server.get(&ann, "jobs?select=crew,assigned_to").await.ok() };
    assert_eq!(team().await, json!([{ "crew": [tom.user_id], "assigned_to": tina.user_id }]));
    let toms = format!("job_team_assignments?user_id=eq.{}", tom.user_id);
    assert_eq!(server.patch(&ann, &toms, json!({ "role": "primary" }), "").await.status, 204);
    assert_eq!(team().await, json!([{ "crew": [tina.user_id], "assigned_to": tom.user_id }]));
    let off = format!("job_team_assignments?user_id=eq.{}", tina.user_id);
    assert_eq!(server.patch(&ann, &off, json!({ "removed_at": "2026-11-22T00:00:00Z" }), "").await.status, 204);
    assert_eq!(team().await, json!([{ "crew": [], "assigned_to": tom.user_id }]));
    assert_eq!(server.get(&tina, "jobs").await.ok(), json!([]));
    assert_eq!(server.patch(&ann, "jobs", json!({ "assigned_to": tina.user_id, "crew": [ann.user_id] }), "").await.status, 204);
    assert_eq!(team().await, json!([{ "crew": [], "assigned_to": tina.user_id }]), "the crew is not written by hand");
    assert_eq!(server.get(&tom, "jobs").await.ok(), json!([]));
    server.post(&tina, "job_team_assignments", on(&tom, "crew"), "").await.refused(403, "42501");
    server.patch(&ann, &toms, json!({ "user_id": ann.user_id }), "").await.refused(422, "team_row_fixed");
}

#[tokio::test]
async fn hours_are_ones_own_until_they_are_approved() {
    let (server, ann, tom, _) = Box::pin(company()).await;
    let mine = json!({ "clock_in": "2026-11-20T08:00:00Z", "clock_out": "2026-11-20T16:00:00Z", "is_approved": true, "hourly_cost": 1 });
    let made = server.post(&tom, "time_entries?select=user_id,is_approved,hourly_cost", mine, FULL).await;
    assert_eq!(made.body, json!([{ "user_id": tom.user_id, "is_approved": false, "hourly_cost": null }]));
    let anothers = json!({ "user_id": ann.user_id, "clock_in": "2026-11-20T08:00:00Z" });
    server.post(&tom, "time_entries", anothers, "").await.refused(403, "42501");
    let approved = server.patch(&ann, "time_entries?select=approved_by", json!({ "is_approved": true }), FULL).await;
    assert_eq!(approved.ok(), json!([{ "approved_by": ann.user_id }]));
    server.patch(&tom, "time_entries", json!({ "notes": "more" }), "").await.refused(403, "time_entry_approved");
    assert_eq!(server.post(&tom, "time_entries", json!({}), "").await.status, 201, "the clock runs");
    server.post(&tom, "time_entries", json!({}), "").await.refused(409, "23505");
    server.patch(&ann, "time_entries?clock_out=is.null", json!({ "is_approved": true }), "").await.refused(422, "time_entry_open");
}

#[tokio::test]
async fn an_absence_is_asked_for_and_decided_by_another() {
    let (server, ann, tom, _) = Box::pin(company()).await;
    let mut days = json!({ "user_id": tom.user_id, "start_time": "2098-12-01T00:00:00Z", "end_time": "2098-12-05T00:00:00Z" });
    days["status"] = json!("approved");
    server.post(&tom, "absences", days.clone(), "").await.refused(403, "absence_decision");
    days["status"] = json!("requested");
    assert_eq!(server.post(&tom, "absences", days, "").await.status, 201);
    let decided = server.patch(&ann, "absences?select=status,decided_by", json!({ "status": "approved" }), FULL).await;
    assert_eq!(decided.ok(), json!([{ "status": "approved", "decided_by": ann.user_id }]));
    server.patch(&tom, "absences", json!({ "status": "requested" }), "").await.refused(403, "absence_decided");
    assert_eq!(server.patch(&tom, "absences", json!({ "status": "cancelled" }), "").await.status, 204);
}

#[tokio::test]
async fn who_decided_is_stamped_once_and_not_written() {
    let (server, ann, tom, _) = Box::pin(company()).await;
    let mona = server.member(&ann.company_id, "manager").await;
    let forged = |who: &Caller, mut row: serde_json::Value| {
        for (by, at) in [("approved_by", "approved_at"), ("decided_by", "decided_at")] {
            if row.get(by).is_some() {
                row[by] = json!(who.user_id);
                row[at] = json!("2020-01-01T00:00:00Z");
            }
        }
        row
    };
    let hours = json!({ "user_id": tom.user_id, "clock_in": "2026-11-20T08:00:00Z", "clock_out": "2026-11-20T16:00:00Z" });
    assert_eq!(server.post(&ann, "time_entries", hours.clone(), "").await.status, 201);
    let days = json!({ "user_id": tom.user_id, "start_time": "2098-12-01T00:00:00Z", "end_time": "2098-12-05T00:00:00Z" });
    assert_eq!(server.post(&ann, "absences", days, "").await.status, 201);
    for (table, by, at, yes) in [
        ("time_entries", "approved_by", "approved_at", json!({ "is_approved": true, "approved_by": null })),
        ("absences", "decided_by", "decided_at", json!({ "status": "approved", "decided_by": null })),
    ] {
        let stamped = server.patch(&mona, &format!("{table}?select={by},{at}"), forged(&ann, yes.clone()), FULL).await.ok();
        assert_eq!(stamped[0][by], json!(mona.user_id), "{table}");
        assert!(!stamped[0][at].as_str().unwrap().starts_with("2020"), "{table}: {stamped}");
        let noted = json!({ by: ann.user_id, at: "2020-01-01T00:00:00Z" });
        assert_eq!(server.patch(&ann, &format!("{table}?select={by},{at}"), noted, FULL).await.ok(), stamped, "{table}");
    }
    let entered = json!({ "is_approved": true, "approved_by": tom.user_id });
    let mut entered: serde_json::Value = forged(&tom, entered);
    entered.as_object_mut().unwrap().extend(hours.as_object().unwrap().clone());
    let made = server.post(&mona, "time_entries?select=approved_by", entered, FULL).await.ok();
    assert_eq!(made, json!([{ "approved_by": mona.user_id }]), "also where it comes approved");

    // Whoever removes him has decided nothing.
    assert_eq!(server.delete(&ann, &format!("team_members?user_id=eq.{}", mona.user_id), "").await.status, 204);
    let left = server.get(&ann, "time_entries?select=approved_by,is_approved").await.ok();
    assert_eq!(left, json!([{ "approved_by": null, "is_approved": true }, { "approved_by": null, "is_approved": true }]));
    assert_eq!(server.get(&ann, "absences?select=decided_by,status").await.ok(), json!([{ "decided_by": null, "status": "approved" }]));
}

#[tokio::test]
async fn whoever_took_somebody_off_is_kept() {
    let (server, ann, tom, ada) = Box::pin(company()).await;
    let dora = server.member(&ann.company_id, "dispatcher").await;
    let id = job(&server, &ann, &ada).await;
    let row = json!({ "job_id": id, "user_id": tom.user_id, "role": "crew" });
    assert_eq!(server.post(&ann, "job_team_assignments", row, "").await.status, 201);
    let off = json!({ "removed_at": "2026-11-22T00:00:00Z", "removed_by": tom.user_id });
    let removed = server.patch(&dora, "job_team_assignments?select=removed_by", off, FULL).await;
    assert_eq!(removed.ok(), json!([{ "removed_by": dora.user_id }]));
    let noted = json!({ "notes": "Was ill", "removed_by": ann.user_id });
    let noted = server.patch(&ann, "job_team_assignments?select=removed_by", noted, FULL).await;
    assert_eq!(noted.ok(), json!([{ "removed_by": dora.user_id }]));
    let back = server.patch(&ann, "job_team_assignments?select=removed_by", json!({ "removed_at": null }), FULL).await;
    assert_eq!(back.ok(), json!([{ "removed_by": null }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn work_on_the_same_equipment_is_counted_by_all_at_once() {
    let db = testkit::Db::new().await;
    let database = db.database_with(|options| options.size_max = 20);
    let server = Arc::new(Server::over(db, database, data_api::DataApiConfig::default()));
    let ann = server.owner("ann").await;
    let ada = server.customer(&ann, "Ada").await;
    let pieces: Vec<_> = (0..6).map(|n| json!({ "customer_id": ada, "name": format!("Furnace {n}") })).collect();
    let pieces = server.post(&ann, "equipment?select=id", json!(pieces), FULL).await.ok();
    let jobs: Vec<_> = (0..48).map(|n| json!({ "customer_id": ada, "title": format!("Fix {n}") })).collect();
    let jobs = server.post(&ann, "jobs?select=id", json!(jobs), FULL).await.ok();
    let ids: Vec<_> = pieces.as_array().unwrap().iter().map(|row| row["id"].clone()).collect();
    for sixteen in jobs.as_array().unwrap().chunks(16) {
        let requests = sixteen.iter().enumerate().map(|(number, job)| {
            let row = |id: &serde_json::Value| json!({ "job_id": job["id"], "equipment_id": id });
            let rows: Vec<_> = if number.is_multiple_of(2) { ids.iter().map(row).collect() } else { ids.iter().rev().map(row).collect() };
            ("POST", "job_equipment".to_owned(), json!(rows))
        });
        for answer in together(&server, &ann, requests.collect()).await {
            assert_eq!(answer.status, 201, "{}", answer.text);
        }
    }
    let counted = server.get(&ann, "equipment?select=total_service_count&last_service_job_id=not.is.null").await.ok();
    assert_eq!(counted, json!(vec![json!({ "total_service_count": 48 }); 6]));
}

#[tokio::test]
async fn equipment_has_a_number_and_knows_its_last_service() {
    let (server, ann, tom, ada) = Box::pin(company()).await;
    let row = json!({ "customer_id": ada, "name": "Furnace", "service_interval_days": 30 });
    let made = server.post(&tom, "equipment?select=id,equipment_number,status", row, FULL).await;
    assert_eq!((&made.body[0]["equipment_number"], &made.body[0]["status"]), (&json!("EQ-00001"), &json!("active")));
    let id = job(&server, &ann, &ada).await;
    let done = json!({ "job_id": id, "equipment_id": made.body[0]["id"], "work_performed": "Cleaned" });
    assert_eq!(server.post(&ann, "job_equipment", done, "").await.status, 201);
    let stamped = server.get(&ann, "equipment?select=last_service_job_id,total_service_count&next_service_due=not.is.null").await.ok();
    assert_eq!(stamped, json!([{ "last_service_job_id": id, "total_service_count": 1 }]));
    server.post(&ann, "equipment", json!({ "name": "Nobody's" }), "").await.refused(400, "23514");
    assert_eq!(server.post(&ann, "equipment", json!({ "name": "Van", "classification": "vehicle" }), "").await.status, 201);
}

#[tokio::test]
async fn a_property_goes_with_its_customer() {
    let (server, ann, _, ada) = Box::pin(company()).await;
    let bea = server.customer(&ann, "Bea").await;
    let place = json!({ "customer_id": ada, "name": "Home", "address": "1 Main", "city": "X", "state": "IL", "zip_code": "1" });
    let place = server.post(&ann, "properties?select=id", place, FULL).await.body[0]["id"].clone();
    let tables = [("equipment", "name"), ("service_plans", "name"), ("requests", "title")];
    for (table, name) in tables {
        let of = |customer: &str| json!({ name: "Furnace", "customer_id": customer, "property_id": place });
        server.post(&ann, table, of(&bea), "").await.refused(422, "property_not_of_customer");
        assert_eq!(server.post(&ann, table, of(&ada), "").await.status, 201, "{table}");
    }
}

#[tokio::test]
async fn a_plan_has_a_number_a_next_date_and_statuses() {
    let (server, ann, _, ada) = Box::pin(company()).await;
    let plan = json!({ "customer_id": ada, "name": "Yearly", "frequency": "quarterly", "start_date": "2098-12-01T00:00:00Z" });
    let made = server.post(&ann, "service_plans?select=plan_number,next_service_due,status", plan, FULL).await;
    let expected = json!([{ "plan_number": "MP-000001", "next_service_due": "2099-03-01T00:00:00+00:00", "status": "active" }]);
    assert_eq!(made.body, expected);
    let go = |status: &str| json!({ "status": status });
    assert_eq!(server.patch(&ann, "service_plans", go("paused"), "").await.status, 204);
    server.patch(&ann, "service_plans", go("completed"), "").await.refused(422, "service_plan_transition_invalid");
    assert_eq!(server.patch(&ann, "service_plans", go("cancelled"), "").await.status, 204);
    server.patch(&ann, "service_plans", go("active"), "").await.refused(422, "service_plan_transition_invalid");
    let custom = json!({ "customer_id": ada, "name": "Odd", "frequency": "custom" });
    server.post(&ann, "service_plans", custom, "").await.refused(400, "23514");
}

#[tokio::test]
async fn notes_and_labels_are_of_something_that_is_there() {
    let (server, ann, tom, ada) = Box::pin(company()).await;
    let bob = server.owner("bob").await;
    let note = |kind: &str, id: &str| json!({ "entity_type": kind, "entity_id": id, "content": "Beware of the dog" });
    let made = server.post(&ann, "notes?select=created_by,job_id", note("customer", &ada), FULL).await;
    assert_eq!(made.body, json!([{ "created_by": ann.user_id, "job_id": null }]));
    server.post(&ann, "notes", note("job", &ada), "").await.refused(422, "entity_not_found");
    server.post(&bob, "notes", note("customer", &ada), "").await.refused(422, "entity_not_found");
    assert_eq!(server.get(&tom, "notes").await.ok(), json!([]), "of no job of his");
    let id = job(&server, &ann, &ada).await;
    server.post(&tom, "notes", note("job", &id), "").await.refused(403, "42501");
    let tag = server.post(&ann, "tags?select=id,slug", json!({ "name": "Very Important" }), FULL).await;
    assert_eq!(tag.body[0]["slug"], "very-important");
    let on = json!({ "customer_id": ada, "tag_id": tag.body[0]["id"] });
    assert_eq!(server.post(&ann, "customer_tags", on, "").await.status, 201);
    assert_eq!(server.get(&ann, "tags?select=usage_count").await.ok(), json!([{ "usage_count": 1 }]));
    assert_eq!(server.delete(&ann, "customer_tags?added_by=not.is.null", "").await.status, 204);
    assert_eq!(server.get(&ann, "tags?select=usage_count").await.ok(), json!([{ "usage_count": 0 }]));
}

#[tokio::test]
async fn telephone_numbers_have_one_spelling_and_a_customer_can_be_reached() {
    let (server, ann, _, _) = Box::pin(company()).await;
    for (typed, kept) in [
        ("(217) 555-0143", json!("+12175550143")),
        ("217.555.0143", json!("+12175550143")),
        ("1 217 555 0143", json!("+12175550143")),
        ("+49 30 901820", json!("+4930901820")),
        ("0049 30 901820", json!("+4930901820")),
    ] {
        let made = server.post(&ann, "customers?select=phone", json!({ "first_name": "P", "phone": typed }), FULL).await;
        assert_eq!(made.body, json!([{ "phone": kept }]), "{typed}");
    }
    for typed in ["555-0143", "call me", "+1", "+012345678", "217 555 0143 ext 7", "1234567890123456789"] {
        server.post(&ann, "customers", json!({ "first_name": "P", "phone": typed }), "").await.refused(422, "phone_invalid");
    }
    for nothing in [json!({ "first_name": "N" }), json!({ "first_name": "N", "phone": " ", "email": null })] {
        server.post(&ann, "customers", nothing, "").await.refused(422, "customer_contact_required");
    }
    server.patch(&ann, "customers?first_name=eq.Ada", json!({ "phone": null }), "").await.refused(422, "customer_contact_required");
    server.post(&ann, "customers", json!({ "first_name": "P", "email": "no at" }), "").await.refused(400, "23514");
}
