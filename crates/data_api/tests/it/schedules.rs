//! The calendar: who is where when, and that nobody is in two places.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::server::{Caller, Server};
use crate::together::together;

const FULL: &str = "return=representation";

/// So many minutes after the beginning of an hour of tomorrow.
fn at(minutes: i64) -> String {
    let hour = Timestamp::now().as_second() / 3600 * 3600;
    (Timestamp::from_second(hour).unwrap() + SignedDuration::from_mins(24 * 60 + minutes)).to_string()
}

fn visit(who: &Caller, from: i64, to: i64) -> Value {
    json!({ "title": "Visit", "assigned_to": who.user_id, "start_time": at(from), "end_time": at(to) })
}

async fn company() -> (Server, Caller, Caller) {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let tom = server.member(&ann.company_id, "technician").await;
    (server, ann, tom)
}

#[tokio::test]
async fn an_appointment_has_its_length_and_its_stamps() {
    let (server, ann, tom) = Box::pin(company()).await;
    let made = server.post(&ann, "schedules?select=duration,status", visit(&tom, 0, 90), FULL).await;
    assert_eq!(made.body, json!([{ "duration": 90, "status": "scheduled" }]));
    let go = |status: &str| json!({ "status": status });
    server.patch(&tom, "schedules", go("completed"), "").await.refused(422, "schedule_transition_invalid");
    assert_eq!(server.patch(&tom, "schedules", go("in_progress"), "").await.status, 204);
    assert_eq!(server.patch(&tom, "schedules", go("completed"), "").await.status, 204);
    let done = server.get(&ann, "schedules?select=actual_duration,completed_by&actual_end_time=not.is.null").await.ok();
    assert_eq!(done, json!([{ "actual_duration": 0, "completed_by": tom.user_id }]));
    let backwards = json!({ "title": "X", "start_time": at(10), "end_time": at(0) });
    server.post(&ann, "schedules", backwards, "").await.refused(400, "23514");
    server.post(&ann, "schedules", visit(&tom, -2000, -1900), "").await.refused(422, "schedule_in_past");
    let unknown = json!({ "title": "X", "status": "done", "start_time": at(0), "end_time": at(1) });
    server.post(&ann, "schedules", unknown, "").await.refused(400, "23514");
}

#[tokio::test]
async fn nobody_is_in_two_places() {
    let (server, ann, tom) = Box::pin(company()).await;
    let tina = server.member_called("tina", &ann.company_id, "technician").await;
    let first = server.post(&ann, "schedules?select=id", visit(&tom, 0, 60), FULL).await.body[0]["id"].clone();
    let refused = server.post(&ann, "schedules", visit(&tom, 30, 90), "").await;
    refused.refused(409, "double_booking");
    let details: Value = serde_json::from_str(refused.body["details"].as_str().unwrap()).unwrap();
    assert_eq!(details, json!({ "user_id": tom.user_id, "schedule_id": first }));
    assert_eq!(server.post(&ann, "schedules", visit(&tom, 60, 90), "").await.status, 201, "one may end when the next begins");
    assert_eq!(server.post(&ann, "schedules", visit(&tina, 30, 90), "").await.status, 201);
    let both = json!({ "title": "Both", "assigned_to": tina.user_id, "crew": [tom.user_id], "start_time": at(95), "end_time": at(120) });
    assert_eq!(server.post(&ann, "schedules", both, "").await.status, 201);
    server.post(&ann, "schedules", visit(&tom, 100, 110), "").await.refused(409, "double_booking");
    // Moved, cancelled and deleted appointments free whom they held.
    let other = format!("schedules?id=eq.{}", first.as_str().unwrap());
    server.patch(&ann, &other, json!({ "start_time": at(80), "end_time": at(100) }), "").await.refused(409, "double_booking");
    assert_eq!(server.patch(&ann, &other, json!({ "status": "cancelled" }), "").await.status, 204);
    assert_eq!(server.post(&ann, "schedules", visit(&tom, 0, 60), "").await.status, 201);
    server.patch(&ann, &other, json!({ "status": "scheduled" }), "").await.refused(409, "double_booking");
    assert_eq!(server.delete(&ann, "schedules?title=eq.Both", "").await.status, 204);
    assert_eq!(server.post(&ann, "schedules", visit(&tom, 100, 110), "").await.status, 201);
}

#[tokio::test]
async fn on_purpose_with_a_reason() {
    let (server, ann, tom) = Box::pin(company()).await;
    assert_eq!(server.post(&ann, "schedules", visit(&tom, 0, 60), "").await.status, 201);
    let mut twice = visit(&tom, 0, 60);
    twice["double_booking_reason"] = json!("Two flats in one house");
    twice["double_booking_by"] = json!(tom.user_id);
    let made = server.post(&ann, "schedules?select=double_booking_by", twice, FULL).await;
    assert_eq!(made.body, json!([{ "double_booking_by": ann.user_id }]), "whoever decides it is who asks");
    let again = server.patch(&ann, "schedules?double_booking_by=not.is.null", json!({ "double_booking_reason": null }), "").await;
    again.refused(409, "double_booking");
}

#[tokio::test]
async fn of_sixteen_at_once_one_gets_the_hour() {
    let (server, ann, tom) = Box::pin(company()).await;
    let answers = futures_util::future::join_all((0..16).map(|_| server.post(&ann, "schedules", visit(&tom, 0, 60), ""))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![201], vec![409; 15]].concat());
    assert!(answers.iter().filter(|answer| answer.status == 409).all(|answer| answer.body["code"] == "double_booking"));
}

#[tokio::test]
async fn an_appointment_is_of_one_company_and_its_customer() {
    let (server, ann, tom) = Box::pin(company()).await;
    let bob = server.owner("bob").await;
    let (ada, bea) = (server.customer(&ann, "Ada").await, server.customer(&ann, "Bea").await);
    let job = server.post(&ann, "jobs?select=id", json!({ "customer_id": ada, "title": "Fix" }), FULL).await.body[0]["id"].clone();
    let with = |customer: &str| {
        let mut row = visit(&tom, 0, 60);
        row["job_id"] = job.clone();
        row["customer_id"] = json!(customer);
        row
    };
    server.post(&ann, "schedules", with(&bea), "").await.refused(422, "job_not_of_customer");
    assert_eq!(server.post(&ann, "schedules", with(&ada), "").await.status, 201);
    server.post(&ann, "schedules", visit(&bob, 0, 60), "").await.refused(409, "23503");
    let guest = json!({ "title": "X", "crew": [bob.user_id], "start_time": at(0), "end_time": at(1) });
    server.post(&ann, "schedules", guest.clone(), "").await.refused(409, "23503");
    // Also where nobody is booked.
    for free in [json!({ "status": "scheduled", "double_booking_reason": "Shows him round" }), json!({ "deleted_at": at(0) })] {
        let mut guest = guest.clone();
        guest.as_object_mut().unwrap().extend(free.as_object().unwrap().clone());
        server.post(&ann, "schedules", guest, "").await.refused(409, "23503");
    }
    assert_eq!(server.get(&bob, "schedules").await.ok(), json!([]));
    assert_eq!(server.get(&bob, "bookings").await.ok(), json!([]));
    let taken = json!({ "schedule_id": job, "user_id": tom.user_id, "start_time": at(0), "end_time": at(1) });
    server.post(&ann, "bookings", taken, "").await.refused(403, "42501");
    let one = format!("team_members?user_id=eq.{}", tom.user_id);
    assert_eq!(server.patch(&ann, &one, json!({ "status": "suspended" }), "").await.status, 204);
    server.post(&ann, "schedules", visit(&tom, 120, 180), "").await.refused(422, "assignee_not_active");
}

#[tokio::test]
async fn a_technician_sees_his_own_and_those_he_comes_along_to() {
    let (server, ann, tom) = Box::pin(company()).await;
    let mut other = visit(&ann, 0, 60);
    assert_eq!(server.post(&ann, "schedules", other.clone(), "").await.status, 201);
    other["crew"] = json!([tom.user_id]);
    other["start_time"] = json!(at(60));
    other["end_time"] = json!(at(120));
    other["title"] = json!("With Tom");
    assert_eq!(server.post(&ann, "schedules", other, "").await.status, 201);
    assert_eq!(server.post(&ann, "schedules", visit(&tom, 120, 150), "").await.status, 201);
    let seen = server.get(&tom, "schedules?select=title&order=start_time").await.ok();
    assert_eq!(seen, json!([{ "title": "With Tom" }, { "title": "Visit" }]));
    let taken = server.get(&tom, "bookings?select=user_id").await.ok();
    assert_eq!(taken.as_array().unwrap().len(), 3, "who is taken by what he sees");
    server.post(&tom, "schedules", visit(&tom, 200, 210), "").await.refused(403, "42501");
    let noted = server.patch(&tom, "schedules?title=eq.With Tom", json!({ "notes": "on my way" }), FULL).await;
    assert_eq!(noted.ok().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn who_leaves_the_company_leaves_the_calendar() {
    let (server, ann, tom) = Box::pin(company()).await;
    let tina = server.member_called("tina", &ann.company_id, "technician").await;
    let both = |title: &str, from: i64| json!({ "title": title, "assigned_to": ann.user_id, "crew": [tina.user_id, tom.user_id], "start_time": at(from), "end_time": at(from + 30) });
    for (title, from) in [("Free", 0), ("Over", 60), ("Next", 120)] {
        assert_eq!(server.post(&ann, "schedules", both(title, from), "").await.status, 201);
    }
    assert_eq!(server.patch(&ann, "schedules?title=eq.Over", json!({ "status": "cancelled" }), "").await.status, 204);
    let one = |who: &Caller| format!("team_members?user_id=eq.{}", who.user_id);
    // Suspended he stays where he is until somebody takes him off, and nobody else is in the way of that.
    assert_eq!(server.patch(&ann, &one(&tina), json!({ "status": "suspended" }), "").await.status, 204);
    let noted = server.patch(&ann, "schedules?title=eq.Next", json!({ "crew": [tina.user_id] }), "").await;
    assert_eq!(noted.status, 204, "{}", noted.text);
    let back = server.patch(&ann, "schedules?title=eq.Next", json!({ "crew": [tom.user_id, tina.user_id] }), "").await;
    assert_eq!(back.status, 204, "{}", back.text);
    server.post(&ann, "schedules", both("More", 180), "").await.refused(422, "assignee_not_active");

    assert_eq!(server.delete(&ann, &one(&tom), "").await.status, 204);
    let crews = server.get(&ann, "schedules?select=title,crew&order=start_time").await.ok();
    let without = |title: &str| json!({ "title": title, "crew": [tina.user_id] });
    assert_eq!(crews, json!([without("Free"), without("Over"), without("Next")]));
    let taken = server.get(&ann, &format!("bookings?user_id=eq.{}", tom.user_id)).await.ok();
    assert_eq!(taken, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn bookings_of_several_people_at_once_wait_in_one_order() {
    let db = testkit::Db::new().await;
    let database = db.database_with(|options| options.size_max = 20);
    let server = Arc::new(Server::over(db, database, data_api::DataApiConfig::default()));
    let ann = server.owner("ann").await;
    let mut people = vec![ann.clone()];
    for name in ["tim", "tina", "tom"] {
        people.push(server.member_called(name, &ann.company_id, "technician").await);
    }
    for round in 0..4 {
        let requests = (0..16)
            .map(|number: usize| {
                let from = i64::try_from(round * 16 + number).unwrap() * 60;
                let row = |at: usize| visit(&people[(at + number) % 4], from, from + 60);
                let rows: Vec<Value> = if number.is_multiple_of(2) { (0..4).map(row).collect() } else { (0..4).rev().map(row).collect() };
                ("POST", "schedules".to_owned(), json!(rows))
            })
            .collect();
        for answer in together(&server, &ann, requests).await {
            assert_eq!(answer.status, 201, "{}", answer.text);
        }
    }
    assert_eq!(server.get(&ann, "bookings").await.ok().as_array().unwrap().len(), 4 * 16 * 4);
}

#[tokio::test]
async fn appointments_change_places_in_one_statement() {
    let (server, ann, tom) = Box::pin(company()).await;
    let rows = json!([visit(&tom, 0, 60), visit(&tom, 60, 120)]);
    let made = server.post(&ann, "schedules?select=id,start_time,end_time&order=start_time", rows, FULL).await.ok();
    let mut swapped = json!([visit(&tom, 60, 120), visit(&tom, 0, 60)]);
    swapped[0]["id"] = made[0]["id"].clone();
    swapped[1]["id"] = made[1]["id"].clone();
    let merged = server.post(&ann, "schedules", swapped, "resolution=merge-duplicates").await;
    assert_eq!(merged.status, 200, "{}", merged.text);
    let twice = json!([visit(&tom, 300, 360), visit(&tom, 330, 390)]);
    server.post(&ann, "schedules", twice, "").await.refused(409, "double_booking");
}

#[tokio::test]
async fn an_appointment_that_is_there_is_merged_and_not_new() {
    let (server, ann, tom) = Box::pin(company()).await;
    let service = server.service().working_in(&ann.company_id);
    let made = server.post(&service, "schedules?select=id,start_time,end_time", visit(&tom, -2000, -1900), FULL).await.ok();
    let suspended = json!({ "status": "suspended" });
    assert_eq!(server.patch(&ann, &format!("team_members?user_id=eq.{}", tom.user_id), suspended, "").await.status, 204);
    let mut row = visit(&tom, 0, 0);
    row.as_object_mut().unwrap().extend(made[0].as_object().unwrap().clone());
    row["notes"] = json!("Nobody was in");
    let merged = server.post(&ann, "schedules?select=notes", row.clone(), "resolution=merge-duplicates,return=representation").await;
    assert_eq!((merged.status, merged.body), (200, json!([{ "notes": "Nobody was in" }])), "it is where it was, with whom it was");
    row["start_time"] = json!(at(-2010));
    server.post(&ann, "schedules", row, "resolution=merge-duplicates").await.refused(422, "schedule_in_past");

    let customer = server.customer(&ann, "Ada").await;
    let job = server.post(&ann, "jobs?select=id", json!({ "customer_id": customer, "title": "Fix" }), FULL).await.ok();
    let path = format!("team_members?user_id=eq.{}", tom.user_id);
    for (path, change) in [
        (path.as_str(), json!({ "status": "active" })),
        ("jobs", json!({ "assigned_to": tom.user_id })),
        (path.as_str(), json!({ "status": "suspended" })),
    ] {
        assert_eq!(server.patch(&ann, path, change, "").await.status, 204);
    }
    let row = json!({ "id": job[0]["id"], "customer_id": customer, "assigned_to": tom.user_id, "title": "Fixed" });
    let merged = server.post(&ann, "jobs?select=title", row, "resolution=merge-duplicates,return=representation").await;
    assert_eq!((merged.status, merged.body), (200, json!([{ "title": "Fixed" }])));
}
