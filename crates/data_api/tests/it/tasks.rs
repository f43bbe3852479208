//! Background work as programs know it: `job_queue` and `background_jobs`.

use serde_json::{Value, json};

use crate::server::{Caller, Server};

const FULL: &str = "return=representation";

/// A kind that members may put in, and one that they may not.
const KINDS: &str = r#"
insert into app.task_kinds (name, attempts_max, timeout_ms, priority, permission, fields) values
  ('send_email', 4, 1000, 2, 'communications:create',
   '[{"name": "to", "type": "email", "is_required": true}, {"name": "text", "type": "text", "is_required": true, "length_max": 10},
     {"name": "at", "type": "time", "is_required": false}, {"name": "copies", "type": "number", "is_required": false},
     {"name": "job_id", "type": "id", "is_required": false}]'),
  ('generate_report', 1, 1000, 0, null, '[]')"#;

fn email(payload: &Value) -> Value {
    json!({ "job_type": "send_email", "payload": payload })
}

async fn count(server: &Server) -> i64 {
    server.db.superuser().await.query_one("select count(*) from app.tasks", &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_member_puts_in_what_the_kind_lets_him_and_sees_what_became_of_it() {
    let server = Server::new().await;
    server.table(KINDS).await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let tom = server.member(&ann.company_id, "technician").await;
    let vic = server.member(&ann.company_id, "viewer").await;
    let csr = server.member(&ann.company_id, "csr").await;
    let customer = json!({ "first_name": "Jane", "last_name": "Doe", "email": "Jane@x.com" });
    server.post(&ann, "customers", customer, FULL).await.ok();

    // As the documents call it, with the company named.
    let row =
        json!({ "company_id": ann.company_id, "job_type": "send_email", "payload": { "to": "jane@x.com", "text": "hi" }, "priority": 1 });
    assert_eq!(server.post(&ann, "job_queue", row.clone(), "").await.status, 201);
    let named = json!({ "job_type": "send_email", "job_name": "to Jane", "payload": { "to": "JANE@x.com", "text": "ho" }, "status": "pending",
                        "scheduled_for": "2099-01-01T00:00:00Z" });
    let made = server.post(&csr, "background_jobs", named, FULL).await.ok();
    assert_eq!((&made[0]["status"], &made[0]["company_id"]), (&json!("pending"), &json!(ann.company_id)));
    let seen = server.get(&ann, "job_queue?select=job_type,status,priority,retry_count,max_retries,payload&order=created_at").await.ok();
    let expected = |text: &str, to: &str, priority: i64| {
        json!({ "job_type": "send_email", "status": "pending", "priority": priority, "retry_count": 0, "max_retries": 3,
                "payload": { "to": to, "text": text } })
    };
    assert_eq!(seen, json!([expected("hi", "jane@x.com", 1), expected("ho", "JANE@x.com", 2)]));
    let later = format!("background_jobs?id=eq.{}&select=job_name,scheduled_for,created_at", made[0]["id"].as_str().unwrap());
    let later = server.get(&ann, &later).await.ok();
    assert_eq!((&later[0]["job_name"], &later[0]["scheduled_for"]), (&json!("to Jane"), &json!("2099-01-01T00:00:00+00:00")));

    // Who may not see them sees none, and nobody sees another company's.
    for who in [&tom, &vic, &csr, &bob] {
        assert_eq!(server.get(who, "background_jobs").await.ok(), json!([]));
        assert_eq!(server.get(who, "job_queue").await.ok(), json!([]));
    }
    server.get(&Server::nobody(), "job_queue").await.refused(401, "42501");

    // Neither the right, nor the company, nor the kind.
    server.post(&vic, "job_queue", row.clone(), "").await.refused(403, "42501");
    server.post(&bob, "job_queue", row.clone(), "").await.refused(403, "42501");
    server.post(&Server::nobody(), "job_queue", row, "").await.refused(401, "42501");
    for kind in ["generate_report", "nothing"] {
        server.post(&ann, "job_queue", json!({ "job_type": kind, "payload": {} }), "").await.refused(403, "42501");
    }
    server.patch(&ann, "background_jobs?status=eq.pending", json!({ "status": "completed" }), "").await.refused(403, "42501");
    server.delete(&ann, "background_jobs?status=eq.pending", "").await.refused(403, "42501");
    for table in ["tasks", "task_kinds", "done_tasks"] {
        assert_eq!(server.get(&ann, table).await.status, 404, "{table} is no table of the API");
    }
    assert_eq!(count(&server).await, 2);
}

#[tokio::test]
async fn a_payload_that_is_not_one_of_the_kind_is_refused() {
    let server = Server::new().await;
    server.table(KINDS).await;
    let ann = server.owner("ann").await;
    let bob = server.owner("bob").await;
    server.post(&bob, "customers", json!({ "first_name": "B", "last_name": "D", "email": "his@x.com" }), "").await.ok();
    server.post(&ann, "customers", json!({ "first_name": "J", "last_name": "D", "email": "jane@x.com" }), "").await.ok();
    for payload in [
        json!({ "text": "hi" }),
        json!({ "to": "stranger@x.com", "text": "hi" }),
        json!({ "to": "his@x.com", "text": "another company's customer" }),
        json!({ "to": "jane@x.com", "text": "longer than ten" }),
        json!({ "to": "jane@x.com", "text": 5 }),
        json!({ "to": "jane@x.com", "text": "hi", "at": "tomorrow" }),
        json!({ "to": "jane@x.com", "text": "hi", "copies": "two" }),
        json!({ "to": "jane@x.com", "text": "hi", "job_id": "7" }),
        json!({ "to": "jane@x.com", "text": "hi", "bcc": "stranger@x.com" }),
        json!([]),
    ] {
        let answer = server.post(&ann, "job_queue", email(&payload), "").await;
        assert_eq!((answer.status, answer.body["code"].as_str()), (400, Some("22023")), "{payload}: {}", answer.text);
    }
    let good = json!({ "to": "jane@x.com", "text": "hi", "at": "2026-11-24T09:00:00Z", "copies": 2, "job_id": "01900000-0000-7000-8000-00000000a000" });
    assert_eq!(server.post(&ann, "job_queue", email(&good), "").await.status, 201);
    for (key, value) in
        [("status", json!("completed")), ("retry_count", json!(2)), ("started_at", json!("2026-01-01T00:00:00Z")), ("priority", json!(101))]
    {
        let mut row = email(&good);
        row[key] = value;
        let answer = server.post(&ann, "job_queue", row, "").await;
        assert_eq!((answer.status, answer.body["code"].as_str()), (400, Some("22023")), "{key}: {}", answer.text);
    }
    assert_eq!(count(&server).await, 1);
}

#[tokio::test]
async fn the_words_of_the_documents_stand_for_every_end_of_a_task() {
    let server = Server::new().await;
    server.table(KINDS).await;
    let ann = server.owner("ann").await;
    let service = Caller { works_in: Some(ann.company_id.clone()), ..server.service() };
    for _ in 0..4 {
        let report = json!({ "company_id": ann.company_id, "job_type": "generate_report", "payload": { "free": "as its program likes" } });
        assert_eq!(server.post(&service, "background_jobs", report, "").await.status, 201);
    }
    server
        .table(
            r#"do $$
            declare
              v_ids constant uuid[] := array(select t.id from app.tasks t order by t.id);
              v_task app.tasks;
            begin
              update app.tasks t set errors = app.with_error('[]', 1::smallint, 'no paper'), attempt = 1 where t.id = any (v_ids[1:2]);
              update app.tasks t set state = 'running', worker = v_ids[1], started_at = now(), progress_percent = 40 where t.id = v_ids[4];
              for i in 1 .. 3 loop
                select * into v_task from app.tasks t where t.id = v_ids[i];
                perform app.close_task(v_task, (array['dead', 'cancelled', 'done'])[i], null, '{"pages": 3}');
              end loop;
            end $$"#,
        )
        .await;
    let seen =
        server.get(&ann, "background_jobs?select=status,error_message,result,progress_percent,failed_at,completed_at&order=id").await.ok();
    let words: Vec<_> = seen.as_array().unwrap().iter().map(|row| row["status"].as_str().unwrap()).collect();
    assert_eq!(words, ["failed", "cancelled", "completed", "running"]);
    assert_eq!((&seen[0]["error_message"], seen[0]["failed_at"].is_string()), (&json!("no paper"), true));
    assert_eq!(
        (&seen[2]["result"], &seen[2]["progress_percent"], seen[2]["completed_at"].is_string()),
        (&json!({ "pages": 3 }), &json!(100), true)
    );
    assert_eq!(seen[3]["progress_percent"], 40);
    let seen = server.get(&ann, "job_queue?select=status&order=id").await.ok();
    assert_eq!(seen, json!([{ "status": "failed" }, { "status": "failed" }, { "status": "completed" }, { "status": "processing" }]));
}

#[tokio::test]
async fn limits_are_said_by_the_service_while_everything_runs() {
    let server = Server::new().await;
    server.table(KINDS).await;
    let (ann, service) = (server.owner("ann").await, server.service());
    let set = async |who: &Caller, body: Value| server.post(who, "rpc/set_task_limit", body, "").await;
    for body in [
        json!({ "limited": "running", "kind": "send_email", "value": 5 }),
        json!({ "limited": "per_company", "kind": "send_email", "value": 2 }),
        json!({ "limited": "per_key", "kind": "send_email", "value": 1 }),
        json!({ "limited": "per_key", "kind": "send_email" }),
        json!({ "limited": "running", "company_id": ann.company_id, "value": 7 }),
        json!({ "limited": "weight", "company_id": ann.company_id, "value": 3 }),
        json!({ "limited": "running", "company_id": ann.company_id, "kind": "send_email", "value": 1 }),
    ] {
        assert_eq!(set(&service, body).await.status, 204);
    }
    let limit = |kind: Value, company: Value, limited: &str, value: i32, running: Value| json!({ "kind": kind, "company_id": company, "limited": limited, "value": value, "running": running });
    let (mail, own) = (json!("send_email"), json!(ann.company_id));
    let mut expected = vec![
        limit(mail.clone(), json!(null), "per_company", 2, json!(null)),
        limit(mail.clone(), json!(null), "running", 5, json!(0)),
        limit(json!(null), own.clone(), "running", 7, json!(0)),
        limit(json!(null), own.clone(), "weight", 3, json!(null)),
        limit(mail, own, "running", 1, json!(0)),
    ];
    assert_eq!(server.post(&service, "rpc/task_limits", json!({}), "").await.ok(), json!(expected));
    assert_eq!(set(&service, json!({ "limited": "running", "company_id": ann.company_id, "kind": "send_email" })).await.status, 204);
    expected.pop();
    assert_eq!(server.post(&service, "rpc/task_limits", json!({}), "").await.ok(), json!(expected));

    for (body, code) in [
        (json!({ "limited": "running", "value": 1 }), "task_limit_invalid"),
        (json!({ "limited": "speed", "kind": "send_email", "value": 1 }), "task_limit_invalid"),
        (json!({ "limited": "running", "kind": "send_email", "value": 0 }), "task_limit_invalid"),
        (json!({ "limited": "running", "kind": "send_email", "value": 1_000_001 }), "task_limit_invalid"),
        (json!({ "limited": "weight", "company_id": ann.company_id, "value": 101 }), "task_limit_invalid"),
        (json!({ "limited": "weight", "kind": "send_email", "value": 2 }), "task_limit_invalid"),
        (json!({ "limited": "per_key", "kind": "send_email", "company_id": ann.company_id, "value": 2 }), "task_limit_invalid"),
        (json!({ "limited": "running", "company_id": "01900000-0000-7000-8000-00000000dead", "value": 2 }), "task_limit_invalid"),
        (json!({ "limited": "running", "kind": "paint", "value": 2 }), "task_kind_unknown"),
    ] {
        set(&service, body).await.refused(422, code);
    }
    // A program that works for one company says what is within it, and nothing of all or of its share.
    let within = service.working_in(&ann.company_id);
    assert_eq!(
        set(&within, json!({ "limited": "running", "company_id": ann.company_id, "kind": "send_email", "value": 1 })).await.status,
        204
    );
    for body in [
        json!({ "limited": "running", "kind": "send_email", "value": 1 }),
        json!({ "limited": "per_company", "kind": "send_email", "value": 1 }),
        json!({ "limited": "weight", "company_id": ann.company_id, "value": 100 }),
    ] {
        set(&within, body).await.refused(403, "42501");
    }
    // Shares are between companies: of none of them does anybody say his own.
    let mine = json!({ "limited": "weight", "company_id": ann.company_id, "value": 100 });
    set(&ann, mine.clone()).await.refused(403, "42501");
    set(&Server::nobody(), mine).await.refused(401, "42501");
    server.post(&ann, "rpc/task_limits", json!({}), "").await.refused(403, "42501");
}
