//! Jobs that are closed, and the teams of jobs: who may still change them, and that team and job agree however many write at once.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::server::{Caller, Server};
use crate::together::together;

const FULL: &str = "return=representation";
const MERGE: &str = "resolution=merge-duplicates,return=representation";

/// A company with a dispatcher, two technicians and a job.
struct Crew {
    server: Arc<Server>,
    ann: Caller,
    dora: Caller,
    tom: Caller,
    tina: Caller,
    job: String,
}

impl Crew {
    async fn new() -> Self {
        let db = testkit::Db::new().await;
        let database = db.database_with(|options| options.size_max = 20);
        let server = Server::over(db, database, data_api::DataApiConfig::default());
        let ann = server.owner("ann").await;
        let dora = server.member(&ann.company_id, "dispatcher").await;
        let tom = server.member(&ann.company_id, "technician").await;
        let tina = server.member_called("tina", &ann.company_id, "technician").await;
        let customer = server.customer(&ann, "Ada").await;
        let job = json!({
            "customer_id": customer, "title": "Fix", "total_amount": 100, "paid_amount": 100,
            "scheduled_start": "2098-12-01T08:00:00Z", "scheduled_end": "2098-12-01T10:00:00Z"
        });
        let job = server.post(&ann, "jobs?select=id", job, FULL).await.ok()[0]["id"].as_str().unwrap().to_owned();
        Self { server: Arc::new(server), ann, dora, tom, tina, job }
    }

    fn path(&self) -> String {
        format!("jobs?id=eq.{}", self.job)
    }

    async fn go(&self, statuses: &[&str]) {
        for status in statuses {
            let gone = self.server.patch(&self.ann, &self.path(), json!({ "status": status }), "").await;
            assert_eq!(gone.status, 204, "{status}: {}", gone.text);
        }
    }

    /// Puts somebody on the job and returns the row's id.
    async fn add(&self, who: &Caller, role: &str) -> String {
        let row = json!({ "job_id": self.job, "user_id": who.user_id, "role": role });
        let made = self.server.post(&self.ann, "job_team_assignments?select=id", row, FULL).await.ok();
        made[0]["id"].as_str().unwrap().to_owned()
    }

    /// The leader and the crew, as the job says.
    async fn team(&self) -> (Value, Value) {
        let row = self.server.get(&self.ann, &format!("{}&select=assigned_to,crew", self.path())).await.ok()[0].clone();
        (row["assigned_to"].clone(), row["crew"].clone())
    }
}

#[tokio::test]
async fn what_was_closed_stays_closed_in_the_archive() {
    let crew = Box::pin(Crew::new()).await;
    let cora = crew.server.member(&crew.ann.company_id, "csr").await;
    crew.add(&crew.tom, "primary").await;
    crew.go(&["scheduled", "in_progress", "completed"]).await;
    let later = json!({ "actual_end": "2026-12-24T12:00:00Z" });
    crew.server.patch(&crew.tom, &crew.path(), later, "").await.refused(403, "job_closed");
    crew.go(&["invoiced", "paid", "archived"]).await;
    for who in [&cora, &crew.dora, &crew.tom] {
        for change in [json!({ "title": "Other" }), json!({ "status": "scheduled" }), json!({ "status": "quoted", "title": "Other" })] {
            crew.server.patch(who, &crew.path(), change, "").await.refused(403, "job_closed");
        }
    }
    let forged = crew.server.patch(&cora, &crew.path(), json!({ "archived_from": "quoted" }), "").await;
    assert_eq!(forged.status, 204, "from where it came is noted, and not written");
    crew.server.patch(&cora, &crew.path(), json!({ "status": "scheduled" }), "").await.refused(403, "job_closed");
    assert_eq!(crew.server.patch(&crew.ann, &crew.path(), json!({ "title": "Other" }), "").await.status, 204);
    assert_eq!(crew.server.patch(&crew.ann, &crew.path(), json!({ "status": "scheduled" }), "").await.status, 204);
}

#[tokio::test]
async fn what_was_not_paid_comes_back_from_the_archive() {
    let crew = Box::pin(Crew::new()).await;
    let by_dora = |change: Value| crew.server.patch(&crew.dora, "jobs", change, "");
    for way in [&["archived"][..], &["scheduled", "archived"]] {
        crew.go(way).await;
        assert_eq!(by_dora(json!({ "title": "Of the archive" })).await.status, 204);
        assert_eq!(by_dora(json!({ "status": "quoted" })).await.status, 204);
    }
    crew.go(&["cancelled", "archived"]).await;
    by_dora(json!({ "title": "Called off" })).await.refused(403, "job_closed");
    assert_eq!(by_dora(json!({ "status": "scheduled" })).await.status, 204, "as it could from being cancelled");
}

#[tokio::test]
async fn the_team_of_a_closed_job_stays() {
    let crew = Box::pin(Crew::new()).await;
    crew.add(&crew.tom, "primary").await;
    crew.go(&["scheduled", "in_progress", "completed"]).await;
    let team = (json!(crew.tom.user_id), json!([]));
    let add = |role: &str| json!({ "job_id": crew.job, "user_id": crew.tina.user_id, "role": role });
    for role in ["crew", "primary"] {
        crew.server.post(&crew.dora, "job_team_assignments", add(role), "").await.refused(403, "job_closed");
    }
    let toms = format!("job_team_assignments?user_id=eq.{}", crew.tom.user_id);
    for change in [json!({ "role": "crew" }), json!({ "removed_at": "2026-11-22T00:00:00Z" }), json!({ "notes": "X" })] {
        crew.server.patch(&crew.dora, &toms, change, "").await.refused(403, "job_closed");
    }
    crew.server.delete(&crew.dora, &toms, "").await.refused(403, "job_closed");
    assert_eq!(crew.team().await, team);
    assert_eq!(crew.server.post(&crew.ann, "job_team_assignments", add("crew"), "").await.status, 201, "who may amend it, may");
    assert_eq!(crew.team().await, (json!(crew.tom.user_id), json!([crew.tina.user_id])));
}

#[tokio::test]
async fn who_leaves_the_company_leaves_its_crews() {
    let crew = Box::pin(Crew::new()).await;
    crew.add(&crew.tom, "primary").await;
    crew.add(&crew.tina, "crew").await;
    // Also from a job that whoever removes him could not edit.
    crew.go(&["scheduled", "in_progress", "completed"]).await;
    let mona = crew.server.member(&crew.ann.company_id, "manager").await;
    let may = json!({ "permissions": { "members:delete": true } });
    let given = crew.server.patch(&crew.ann, &format!("team_members?user_id=eq.{}", mona.user_id), may, "").await;
    assert_eq!(given.status, 204, "{}", given.text);
    for who in [&crew.tina, &crew.tom] {
        let gone = crew.server.delete(&mona, &format!("team_members?user_id=eq.{}", who.user_id), "").await;
        assert_eq!(gone.status, 204, "{}", gone.text);
    }
    assert_eq!(crew.team().await, (Value::Null, json!([])));
    assert_eq!(crew.server.get(&crew.ann, "job_team_assignments").await.ok(), json!([]));
}

#[tokio::test]
async fn a_leader_who_is_suspended_is_followed_by_another() {
    let crew = Box::pin(Crew::new()).await;
    crew.add(&crew.tom, "primary").await;
    let row = json!({ "job_id": crew.job, "user_id": crew.tina.user_id, "role": "primary" });
    let toms = format!("team_members?user_id=eq.{}", crew.tom.user_id);
    assert_eq!(crew.server.patch(&crew.ann, "jobs", json!({ "assigned_to": crew.tina.user_id }), "").await.status, 204);
    assert_eq!(crew.server.patch(&crew.ann, "jobs", json!({ "assigned_to": crew.tom.user_id }), "").await.status, 204);
    assert_eq!(crew.server.patch(&crew.ann, &toms, json!({ "status": "suspended" }), "").await.status, 204);
    assert_eq!(crew.server.post(&crew.ann, "job_team_assignments", row, "").await.status, 201);
    assert_eq!(crew.team().await, (json!(crew.tina.user_id), json!([])), "who is away does not stay on it");
}

#[tokio::test]
async fn a_row_that_is_there_already_is_merged_and_not_new() {
    let crew = Box::pin(Crew::new()).await;
    let toms = crew.add(&crew.tom, "primary").await;
    let tinas = crew.add(&crew.tina, "crew").await;
    let merge = async |row: Value| crew.server.post(&crew.ann, "job_team_assignments?select=role,notes", row, MERGE).await;
    let noted = merge(json!({ "id": toms, "job_id": crew.job, "user_id": crew.tom.user_id, "role": "primary", "notes": "Leads" })).await;
    assert_eq!((noted.status, noted.body), (200, json!([{ "role": "primary", "notes": "Leads" }])));
    assert_eq!(crew.team().await, (json!(crew.tom.user_id), json!([crew.tina.user_id])));
    let led = merge(json!({ "id": tinas, "job_id": crew.job, "user_id": crew.tina.user_id, "role": "primary", "notes": null })).await;
    assert_eq!((led.status, led.body), (200, json!([{ "role": "primary", "notes": null }])));
    assert_eq!(crew.team().await, (json!(crew.tina.user_id), json!([crew.tom.user_id])));
    // What is refused for the row that is there takes nothing from the others.
    merge(json!({ "id": toms, "job_id": crew.job, "user_id": crew.tina.user_id, "role": "primary" })).await.refused(422, "team_row_fixed");
    let ignored = json!({ "id": toms, "job_id": crew.job, "user_id": crew.tom.user_id, "role": "primary" });
    let ignored = crew.server.post(&crew.ann, "job_team_assignments", ignored, "resolution=ignore-duplicates").await;
    assert_eq!(ignored.status, 201, "{}", ignored.text);
    assert_eq!(crew.team().await, (json!(crew.tina.user_id), json!([crew.tom.user_id])), "what is left alone changes nothing");
    // Somebody who is suspended stays where he was.
    let suspend = format!("team_members?user_id=eq.{}", crew.tom.user_id);
    assert_eq!(crew.server.patch(&crew.ann, &suspend, json!({ "status": "suspended" }), "").await.status, 204);
    let away = merge(json!({ "id": toms, "job_id": crew.job, "user_id": crew.tom.user_id, "role": "crew", "notes": "Away" })).await;
    assert_eq!((away.status, away.body), (200, json!([{ "role": "crew", "notes": "Away" }])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_and_its_team_are_written_at_once() {
    let crew = Box::pin(Crew::new()).await;
    crew.add(&crew.tom, "primary").await;
    crew.add(&crew.tina, "crew").await;
    crew.add(&crew.dora, "crew").await;
    let people = [&crew.tom, &crew.tina, &crew.dora];
    for round in 0..6 {
        let requests = (0..16)
            .map(|number: usize| {
                let who = people[(number + round) % 3];
                let row = format!("job_team_assignments?user_id=eq.{}&removed_at=is.null", who.user_id);
                let new = json!({ "job_id": crew.job, "user_id": who.user_id, "role": "crew" });
                match number % 4 {
                    0 => ("PATCH", crew.path(), json!({ "assigned_to": who.user_id })),
                    1 => ("PATCH", row, json!({ "role": "primary" })),
                    2 => ("PATCH", row, json!({ "role": "crew" })),
                    _ => ("POST", "job_team_assignments".to_owned(), new),
                }
            })
            .collect();
        for answer in together(&crew.server, &crew.ann, requests).await {
            match answer.status {
                200..300 => {}
                // On the job already, or somebody is changing the team at this moment.
                409 => assert!(["23505", "job_team_busy"].contains(&answer.body["code"].as_str().unwrap()), "{}", answer.text),
                _ => panic!("{}", answer.text),
            }
        }
        let (leader, members) = crew.team().await;
        let rows = crew.server.get(&crew.ann, "job_team_assignments?select=user_id,role&removed_at=is.null&order=user_id").await.ok();
        let of = |primary: bool| -> Vec<Value> {
            let rows = rows.as_array().unwrap().iter().filter(|row| (row["role"] == "primary") == primary);
            rows.map(|row| row["user_id"].clone()).collect()
        };
        assert_eq!(json!(of(false)), members, "round {round}");
        assert!(of(true).iter().all(|primary| *primary == leader), "round {round}: {rows}");
    }
}
