//! What retention takes away, what it leaves and says of it, and what of a job everybody still reads who read it before.

use serde_json::{Value, json};

use crate::server::{Caller, Server};

const FULL: &str = "return=representation";

/// Marks rows as deleted so long ago that they go.
fn due(table: &str, id: &Value) -> String {
    format!(
        "update public.{table} set deleted_at = now() - interval '91 days', permanent_delete_scheduled_at = now() - interval '1 day'
          where id = '{}'",
        id.as_str().unwrap()
    )
}

async fn enter(server: &Server, who: &Caller, table: &str, row: Value) -> Value {
    server.post(who, table, row, FULL).await.ok()[0]["id"].clone()
}

/// What the owner of everything is told.
async fn told(server: &Server, query: &str) -> String {
    server.db.superuser().await.query_one(&format!("select ({query})::text"), &[]).await.unwrap().get(0)
}

const HELD: &str = "select coalesce(string_agg(table_name || ' ' || reason, ', ' order by table_name), '') from app.retention_held";
const NEXT_DAY: &str = "update app.retention_held set tried_at = tried_at - interval '1 day'";

#[tokio::test]
async fn a_contract_holds_its_estimate_and_nobody_elses_rows() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let client = server.db.superuser().await;
    let customer = server.customer(&ann, "Ada").await;
    let estimate = enter(&server, &ann, "estimates", json!({ "customer_id": customer, "title": "Boiler" })).await;
    let text = json!({ "estimate_id": estimate, "customer_id": customer, "title": "Terms", "content": "We repair." });
    let contract = enter(&server, &ann, "contracts", text).await;
    let gone = json!(server.customer(&bob, "Gone").await);
    client.batch_execute(&format!("{}; {}", due("estimates", &estimate), due("customers", &gone))).await.unwrap();

    assert_eq!(told(&server, "select app.expire(100)").await, "2", "one went, one was tried");
    assert_eq!(server.get(&bob, "customers").await.ok(), json!([]));
    assert_eq!(told(&server, "select count(*) from public.customers where first_name = 'Gone'").await, "0");
    assert_eq!(told(&server, HELD).await, "public.estimates contracts_estimate_id_fkey");
    assert_eq!(told(&server, "select app.expire(100)").await, "0", "it is not tried again on the same day");

    client.batch_execute(&format!("{}; {NEXT_DAY}", due("contracts", &contract))).await.unwrap();
    assert_eq!(told(&server, "select app.expire(100)").await, "2");
    assert_eq!(told(&server, "select (select count(*) from public.contracts) + (select count(*) from public.estimates)").await, "0");
    assert_eq!(told(&server, HELD).await, "");
}

#[tokio::test]
async fn no_refusal_of_one_row_stops_the_others() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let client = server.db.superuser().await;
    client
        .batch_execute(
            "create function public.refuse() returns trigger language plpgsql as $$ begin
               if old.name <> 'fine' then
                 raise exception using errcode = old.name, message = 'no';
               end if;
               return old;
             end $$;
             create trigger refuse before delete on public.vendors for each row execute function public.refuse()",
        )
        .await
        .unwrap();
    for name in ["23514", "23001", "TH422", "P0001", "fine"] {
        let vendor = enter(&server, &ann, "vendors", json!({ "name": name })).await;
        client.batch_execute(&due("vendors", &vendor)).await.unwrap();
    }
    assert_eq!(told(&server, "select app.expire(100)").await, "5");
    let left = "select string_agg(name, ' ' order by name) from public.vendors";
    assert_eq!(told(&server, left).await, "23001 23514 P0001 TH422");
    let held = "select string_agg(reason, ' ' order by reason) from app.retention_held where table_name = 'public.vendors'";
    assert_eq!(told(&server, held).await, "23001 23514 P0001 TH422");
    // What was brought back is held by nothing.
    client
        .batch_execute("update public.vendors set deleted_at = null; update app.retention_held set tried_at = now() - interval '8 days'")
        .await
        .unwrap();
    assert_eq!(told(&server, "select app.expire(100)").await, "0");
    assert_eq!(told(&server, HELD).await, "");
}

#[tokio::test]
async fn what_somebody_is_just_bringing_back_stays() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let customer = json!(server.customer(&ann, "Ada").await);
    let (restorer, expirer) = (server.db.superuser().await, server.db.superuser().await);
    restorer.batch_execute(&due("customers", &customer)).await.unwrap();
    restorer.batch_execute("begin; update public.customers set deleted_at = null").await.unwrap();
    expirer.batch_execute("set lock_timeout = '2s'").await.unwrap();
    assert_eq!(expirer.query_one("select app.expire(100)", &[]).await.unwrap().get::<_, i64>(0), 0, "it is not waited for");
    restorer.batch_execute("commit").await.unwrap();
    assert_eq!(expirer.query_one("select app.expire(100)", &[]).await.unwrap().get::<_, i64>(0), 0);
    assert_eq!(server.get(&ann, "customers?select=first_name").await.ok(), json!([{ "first_name": "Ada" }]));
}

#[tokio::test]
async fn the_visits_of_a_series_outlive_the_first() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let client = server.db.superuser().await;
    let customer = server.customer(&ann, "Ada").await;
    let visit = |parent: Option<&Value>, day: u32| {
        json!({ "customer_id": customer, "title": format!("Visit {day}"), "parent_schedule_id": parent,
                "start_time": format!("2099-01-0{day}T09:00:00Z"), "end_time": format!("2099-01-0{day}T10:00:00Z") })
    };
    let first = enter(&server, &ann, "schedules", visit(None, 1)).await;
    enter(&server, &ann, "schedules", visit(Some(&first), 2)).await;
    client.batch_execute(&due("schedules", &first)).await.unwrap();
    assert_eq!(told(&server, "select app.expire(100)").await, "1");
    let left = server.get(&ann, "schedules?select=title,parent_schedule_id").await.ok();
    assert_eq!(left, json!([{ "title": "Visit 2", "parent_schedule_id": null }]));
}

/// A job of long ago with what may belong to one.
async fn old_job(server: &Server, ann: &Caller, assigned: &Caller, crew: &Caller) -> Value {
    let client = server.db.superuser().await;
    let customer = server.customer(ann, "Ada").await;
    let job = json!({ "customer_id": customer, "title": "Old", "assigned_to": assigned.user_id, "status": "in_progress",
                      "scheduled_start": "2024-01-01T10:00:00Z", "scheduled_end": "2024-01-01T11:00:00Z" });
    let job = enter(server, ann, "jobs", job).await;
    let added = server.post(ann, "job_team_assignments", json!({ "job_id": job, "user_id": crew.user_id }), "").await;
    assert_eq!(added.status, 201, "{}", added.text);
    let (entity, visit) = (json!({ "entity_type": "job", "entity_id": job }), ("2099-01-01T10:00:00Z", "2099-01-01T11:00:00Z"));
    let with = |more: Value| {
        Value::Object(entity.as_object().unwrap().iter().chain(more.as_object().unwrap()).map(|(k, v)| (k.clone(), v.clone())).collect())
    };
    enter(server, ann, "notes", with(json!({ "content": "Key under the mat" }))).await;
    enter(
        server,
        ann,
        "attachments",
        with(json!({ "file_name": "a.png", "original_file_name": "a.png", "mime_type": "image/png", "storage_path": "a" })),
    )
    .await;
    enter(
        server,
        ann,
        "file_storage",
        with(json!({ "filename": "b.png", "original_filename": "b.png", "mime_type": "image/png", "file_size": 1, "storage_path": "b" })),
    )
    .await;
    enter(
        server,
        ann,
        "schedules",
        json!({ "customer_id": customer, "job_id": job, "title": "Visit", "start_time": visit.0, "end_time": visit.1 }),
    )
    .await;
    enter(server, ann, "invoices", json!({ "customer_id": customer, "job_id": job, "title": "Bill" })).await;
    enter(server, ann, "payments", json!({ "customer_id": customer, "job_id": job, "amount": 100, "payment_method": "cash" })).await;
    let link = json!({ "company_id": ann.company_id, "purpose": "review", "job_id": job, "customer_id": customer,
                       "token_hash": "c0ffee".repeat(10) + "beef", "last_used_ip": "203.0.113.7" });
    enter(server, &server.service(), "public_links", link).await;
    let end =
        "update public.jobs set status = 'completed', actual_start = now() - interval '400 days', actual_end = now() - interval '399 days'";
    client.batch_execute(end).await.unwrap();
    job
}

#[tokio::test]
async fn an_archived_job_is_read_by_those_who_read_the_job() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let company = ann.company_id.clone();
    let (tom, tim) = (server.member_called("tom", &company, "technician").await, server.member_called("tim", &company, "technician").await);
    let (lea, kim) = (server.member_called("lea", &company, "technician").await, server.member_called("kim", &company, "technician").await);
    let (vic, max) = (server.member(&company, "viewer").await, server.member(&company, "manager").await);
    let dan = server.member_called("dan", &company, "dispatcher").await;
    for (who, permissions) in [(&lea, json!({ "jobs:read": true })), (&vic, json!({ "jobs:read": false }))] {
        let path = format!("team_members?user_id=eq.{}", who.user_id);
        assert_eq!(server.patch(&ann, &path, json!({ "permissions": permissions }), "").await.status, 204);
    }
    old_job(&server, &ann, &tom, &tim).await;
    let all = [&ann, &max, &dan, &tom, &tim, &lea, &kim, &vic, &server.owner("bob").await];
    let mut before = Vec::new();
    for who in all {
        before.push(server.get(who, "jobs?select=title").await.ok());
    }
    let (seen, unseen) = (json!([{ "title": "Old" }]), json!([]));
    assert_eq!(before, [&seen, &seen, &seen, &seen, &seen, &seen, &unseen, &unseen, &unseen].map(Clone::clone));

    assert_eq!(told(&server, "select app.expire(100)").await, "1");
    assert_eq!(told(&server, HELD).await, "");
    for (who, before) in all.into_iter().zip(before) {
        let answer = server.get(who, "jobs_archive?select=*").await;
        assert!(!answer.text.contains("c0ffee") && !answer.text.contains("203.0.113.7"), "{}", answer.text);
        let titles: Vec<Value> = answer.ok().as_array().unwrap().iter().map(|row| json!({ "title": row["title"] })).collect();
        assert_eq!(json!(titles), before, "{}", who.user_id);
    }
    let children = server.get(&tim, "jobs_archive?select=children").await.ok()[0]["children"].clone();
    let mut names: Vec<&str> = children.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["activities", "attachments", "file_storage", "invoices", "job_team_assignments", "notes", "schedules"]);
    assert_eq!(children["notes"][0]["content"], "Key under the mat");

    // Payments and links are not for everybody; the secret of a link is for nobody.
    for who in [&dan, &tom, &tim, &lea] {
        assert_eq!(server.get(who, "jobs_archive_restricted").await.ok(), json!([]));
    }
    let apart = server.get(&max, "jobs_archive_restricted?select=children").await.ok()[0]["children"].clone();
    let mut names: Vec<&str> = apart.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["payments", "public_links"]);
    assert_eq!((&apart["public_links"][0]["purpose"], apart["public_links"][0].get("token_hash")), (&json!("review"), None));
}

#[tokio::test]
async fn a_job_waits_for_its_deleted_parts_and_leaves_nothing_behind() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let (tom, tim) = (server.member(&ann.company_id, "technician").await, server.member_called("tim", &ann.company_id, "technician").await);
    let job = old_job(&server, &ann, &tom, &tim).await;
    let note = server.get(&ann, "notes?select=id").await.ok()[0]["id"].clone();
    assert_eq!(server.delete(&ann, "notes?content=eq.Key under the mat", "").await.status, 204);
    assert_eq!(told(&server, "select app.expire(100)").await, "1");
    assert_eq!(told(&server, HELD).await, "public.jobs deleted notes");
    assert_eq!(server.get(&ann, "jobs?select=id").await.ok(), json!([{ "id": job }]));
    assert_eq!(server.get(&ann, "jobs_archive").await.ok(), json!([]));

    let client = server.db.superuser().await;
    client.batch_execute(&format!("{}; {NEXT_DAY}", due("notes", &note))).await.unwrap();
    assert_eq!(told(&server, "select app.expire(100)").await, "2");
    let kept = server.get(&ann, "jobs_archive?select=id,children").await.ok();
    assert_eq!((&kept[0]["id"], kept[0]["children"].get("notes")), (&job, None));
    let keys = "select c.conrelid::regclass::text || ' ' || a.attname from pg_constraint c
                  join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[2]
                 where c.contype = 'f' and c.conparentid = 0 and c.confrelid = 'public.jobs'::regclass";
    for key in client.query(keys, &[]).await.unwrap() {
        let key: String = key.get(0);
        let (table, column) = key.split_once(' ').unwrap();
        assert_eq!(told(&server, &format!("select count(*) from {table} where {column} is not null")).await, "0", "{key}");
    }
}
