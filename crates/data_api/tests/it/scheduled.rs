//! Tasks that members schedule: by kind, never by SQL; and what becomes of a schedule when whoever made it may no longer.

use serde_json::{Value, json};

use crate::server::{Caller, Server};

const KINDS: &str = r#"
insert into app.task_kinds (name, attempts_max, timeout_ms, priority, permission, fields) values
  ('send_email', 4, 1000, 2, 'communications:create',
   '[{"name": "to", "type": "email", "is_required": true}, {"name": "text", "type": "text", "is_required": true, "length_max": 10}]'),
  ('generate_report', 1, 1000, 0, null, '[]'), ('run_sql', 1, 1000, 0, null, '[]')"#;

fn weekly(text: &str) -> Value {
    json!({ "name": "weekly", "schedule": "0 7 * * mon", "kind": "send_email", "payload": { "to": "jane@x.com", "text": text } })
}

async fn shop() -> (Server, Caller, Caller) {
    let server = Server::new().await;
    server.table(KINDS).await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    server.post(&ann, "customers", json!({ "first_name": "J", "last_name": "D", "email": "jane@x.com" }), "").await.ok();
    (server, ann, bob)
}

/// Has the time of a schedule come, and returns what was told of its run.
async fn comes(server: &Server, id: &Value) -> String {
    let client = server.db.superuser().await;
    let begin = format!("begin; set local role service_role; select app.run_schedule_now('{id}'); commit");
    client.batch_execute(&begin).await.unwrap();
    let told = "select concat_ws(': ', status, message) from app.cron_runs order by number desc limit 1";
    client.query_one(told, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_member_schedules_what_he_could_put_in_and_sees_it() {
    let (server, ann, bob) = shop().await;
    let id = server.post(&ann, "rpc/schedule_task", weekly("hi"), "").await.ok();
    assert_eq!(server.post(&ann, "rpc/schedule_task", weekly("ho"), "").await.ok(), id, "of a name there is one");
    let seen = server.get(&ann, "scheduled_tasks?select=id,name,schedule,time_zone,job_type,payload,missed,is_active").await.ok();
    let zone = server.get(&ann, "companies?select=business_timezone").await.ok()[0]["business_timezone"].clone();
    let expected = json!([{ "id": id, "name": "weekly", "schedule": "0 7 * * mon", "time_zone": zone, "job_type": "send_email",
                            "payload": { "to": "jane@x.com", "text": "ho" }, "missed": "skip", "is_active": true }]);
    assert_eq!(seen, expected);

    // Its time comes: a task of the company, and a run that names it.
    assert_eq!(comes(&server, &id).await, "starting");
    let tasks = server.get(&ann, "background_jobs?select=job_type,job_name,payload,status").await.ok();
    let task =
        json!([{ "job_type": "send_email", "job_name": "weekly", "payload": { "to": "jane@x.com", "text": "ho" }, "status": "pending" }]);
    assert_eq!(tasks, task);
    let runs = server.get(&ann, "scheduled_task_runs?select=scheduled_task_id,name,status").await.ok();
    assert_eq!(runs, json!([{ "scheduled_task_id": id, "name": "weekly", "status": "starting" }]));

    // Nobody else sees it or takes it back: not another company, not a role without the right, not without a token.
    let manager = server.member(&ann.company_id, "manager").await;
    assert_eq!(server.get(&manager, "scheduled_tasks?select=id").await.ok(), json!([{ "id": id }]));
    for role in ["dispatcher", "technician", "csr", "viewer"] {
        let member = server.member(&ann.company_id, role).await;
        assert_eq!(server.get(&member, "scheduled_tasks").await.ok(), json!([]), "{role}");
        assert_eq!(server.get(&member, "scheduled_task_runs").await.ok(), json!([]), "{role}");
        server.post(&member, "rpc/unschedule_task", json!({ "name": "weekly" }), "").await.refused(403, "permission_denied");
    }
    server.post(&manager, "rpc/schedule_task", weekly("hi"), "").await.refused(403, "permission_denied");
    for view in ["scheduled_tasks", "scheduled_task_runs"] {
        assert_eq!(server.get(&bob, view).await.ok(), json!([]));
        server.get(&Server::nobody(), view).await.refused(401, "42501");
    }
    for body in [json!({ "id": id }), json!({ "name": "weekly" })] {
        let refused = server.post(&bob, "rpc/unschedule_task", body, "").await;
        assert_eq!(refused.body["code"], "42704", "{}", refused.text);
    }
    server.post(&Server::nobody(), "rpc/schedule_task", weekly("hi"), "").await.refused(401, "42501");
    server.post(&Server::nobody(), "rpc/unschedule_task", json!({ "name": "weekly" }), "").await.refused(401, "42501");
    assert_eq!(server.post(&ann, "rpc/unschedule_task", json!({ "id": id }), "").await.ok(), json!(true));
    assert_eq!(server.get(&ann, "scheduled_tasks").await.ok(), json!([]));
    assert_eq!(server.get(&ann, "scheduled_task_runs?select=name").await.ok(), json!([{ "name": "weekly" }]), "what was run stays known");
}

#[tokio::test]
async fn what_a_member_may_not_have_done_is_no_schedule_either() {
    let (server, ann, bob) = shop().await;
    for (change, status, code) in [
        (json!({ "kind": "run_sql", "payload": { "entry_id": 1 } }), 403, "42501"),
        (json!({ "kind": "generate_report", "payload": {} }), 403, "42501"),
        (json!({ "kind": "nothing" }), 403, "42501"),
        (json!({ "payload": { "to": "stranger@x.com", "text": "hi" } }), 400, "22023"),
        (json!({ "payload": { "to": "jane@x.com" } }), 400, "22023"),
        (json!({ "schedule": "soon" }), 400, "22023"),
        (json!({ "schedule": "0 0 30 2 *" }), 400, "22023"),
        (json!({ "schedule": "@reboot" }), 400, "22023"),
        (json!({ "time_zone": "Jupiter/Red_Spot" }), 400, "22023"),
        (json!({ "missed": "sometimes" }), 400, "22023"),
        (json!({ "name": "" }), 400, "22023"),
    ] {
        let mut body = weekly("hi");
        for (key, value) in change.as_object().unwrap() {
            body[key] = value.clone();
        }
        let answer = server.post(&ann, "rpc/schedule_task", body, "").await;
        assert_eq!((answer.status, answer.body["code"].as_str()), (status, Some(code)), "{change}: {}", answer.text);
    }
    // The address is of Ann's customer, and not of Bob's.
    assert_eq!(server.post(&bob, "rpc/schedule_task", weekly("hi"), "").await.status, 400);
    for body in [json!({}), json!({ "id": 1, "name": "weekly" })] {
        let answer = server.post(&ann, "rpc/unschedule_task", body, "").await;
        assert_eq!((answer.status, answer.body["code"].as_str()), (400, Some("22023")), "{}", answer.text);
    }
    // How many, and how often, is said by the server's settings.
    server.table("update app.cron_rules set entries_per_company_max = 1, interval_minutes_min = 15").await;
    server.post(&ann, "rpc/schedule_task", weekly("hi"), "").await.ok();
    let mut other = weekly("hi");
    other["name"] = json!("other");
    server.post(&ann, "rpc/schedule_task", other.clone(), "").await.refused(409, "schedules_too_many");
    other["schedule"] = json!("*/5 * * * *");
    assert_eq!(server.post(&ann, "rpc/schedule_task", other, "").await.body["code"], "22023");
    // SQL is nobody's but the service's.
    let cron = server.post(&ann, "rpc/schedule", json!({ "schedule": "@daily", "command": "select 1" }), "").await;
    assert_eq!(cron.status, 404, "{}", cron.text);
}

#[tokio::test]
async fn a_schedule_tells_of_nothing_that_whoever_made_it_may_not_read_any_more() {
    let (server, ann, _bob) = shop().await;
    let admin = server.member(&ann.company_id, "admin").await;
    let id = server.post(&admin, "rpc/schedule_task", weekly("hi"), "").await.ok();
    // It is about an invoice; he stays who he is but for that.
    server.table("update app.cron_entries set payload = payload || '{\"invoice_id\": \"01900000-0000-7000-8000-000000000001\"}'").await;
    let role = "update public.team_members set role = 'manager', permissions = '{\"cron:write\": true, \"invoices:read\": %}' where role in ('admin', 'manager')";
    server.table(&role.replace('%', "false")).await;
    assert_eq!(comes(&server, &id).await, "failed: whoever made it may not read any more what it is about");
    server.table(&role.replace('%', "true")).await;
    let now = comes(&server, &id).await;
    assert!(!now.contains("may not"), "{now}");
}

#[tokio::test]
async fn a_schedule_does_no_more_than_whoever_made_it_may() {
    let (server, ann, _bob) = shop().await;
    let admin = server.member(&ann.company_id, "admin").await;
    let id = server.post(&admin, "rpc/schedule_task", weekly("hi"), "").await.ok();
    assert_eq!(comes(&server, &id).await, "starting");
    // Its payload is looked at again.
    server.table("update public.customers set email = 'elsewhere@x.com'").await;
    assert!(comes(&server, &id).await.starts_with("failed: The field \"to\" is the address of"));
    server.table("update public.customers set email = 'jane@x.com'").await;
    server.table("update public.companies set suspended_at = now()").await;
    assert_eq!(comes(&server, &id).await, "failed: its company is closed or suspended");
    server.table("update public.companies set suspended_at = null").await;
    server.table("update public.team_members set role = 'manager' where role = 'admin'").await;
    assert_eq!(comes(&server, &id).await, "failed: whoever made it may not have it done any more");
    server.table("update public.team_members set status = 'suspended' where role = 'manager'").await;
    assert_eq!(comes(&server, &id).await, "failed: whoever made it is no active member any more");
    let runs = server.get(&ann, "scheduled_task_runs?select=status&status=eq.failed").await.ok();
    assert_eq!(runs.as_array().unwrap().len(), 4, "the company sees why");
}
