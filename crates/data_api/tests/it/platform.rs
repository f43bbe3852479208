//! Retention, and what may be written into links, keys, imports, webhooks and messages to members.

use serde_json::json;

use crate::server::Server;

const FULL: &str = "return=representation";

#[tokio::test]
async fn logs_go_when_their_company_keeps_them_no_longer() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let client = server.db.superuser().await;
    // Half a year is usual; bob keeps 20 days.
    let settings = json!({ "company_id": bob.company_id, "retention": { "email_logs": 20 } });
    let kept = server.post(&server.service(), "company_settings", settings, "resolution=merge-duplicates").await;
    assert!((200..300).contains(&kept.status), "{}", kept.text);
    for month in ["now()", "now() - interval '7 months'", "now() - interval '30 days'"] {
        client.query(&format!("select public.create_monthly_partition('email_logs', ({month})::date)"), &[]).await.unwrap();
        for company in [&ann.company_id, &bob.company_id] {
            let insert = format!(
                "insert into public.email_logs (company_id, id, \"to\", \"from\", subject, template_type)
                 values ('{company}', overlay(app.uuid_v7()::text placing left(app.first_id_of({month})::text, 13) from 1)::uuid, 'a@x.com', 'b@x.com', 's', 't')"
            );
            client.batch_execute(&insert).await.unwrap();
        }
    }
    assert_eq!(server.post(&server.service(), "rpc/expire", json!({}), "").await.status, 404, "it is not for clients");
    let mut gone = 0;
    for _ in 0..5 {
        gone += client.query_one("select app.expire(1)", &[]).await.unwrap().get::<_, i64>(0);
    }
    assert_eq!(gone, 3, "one row at a time, and then none");
    for (who, left) in [(&ann, 2), (&bob, 1)] {
        assert_eq!(server.get(who, "email_logs?select=id").await.ok().as_array().unwrap().len(), left);
    }
}

#[tokio::test]
async fn deleted_rows_go_after_their_date_and_not_before() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let client = server.db.superuser().await;
    let (old, young, dated) =
        (server.customer(&ann, "Old").await, server.customer(&ann, "Young").await, server.customer(&ann, "Dated").await);
    for (id, deleted, scheduled) in [(&old, 91, 1), (&young, 89, 1), (&dated, 91, -1)] {
        let mark = format!(
            "update public.customers set deleted_at = now() - interval '{deleted} days',
                    permanent_delete_scheduled_at = now() - interval '{scheduled} days' where id = '{id}'"
        );
        client.batch_execute(&mark).await.unwrap();
    }
    assert_eq!(client.query_one("select app.expire(100)", &[]).await.unwrap().get::<_, i64>(0), 1);
    let left = client.query_one("select string_agg(first_name, ' ' order by first_name) from public.customers", &[]).await.unwrap();
    assert_eq!(left.get::<_, String>(0), "Dated Young");
}

#[tokio::test]
async fn old_jobs_move_with_what_belongs_to_them_and_stay_readable() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let tom = server.member(&ann.company_id, "technician").await;
    let customer = server.customer(&ann, "Ada").await;
    let client = server.db.superuser().await;
    let mut ids = Vec::new();
    for (title, days) in [("Old", 366), ("Young", 364)] {
        let job = json!({ "customer_id": customer, "title": title, "assigned_to": tom.user_id, "status": "in_progress",
                          "scheduled_start": "2024-01-01T10:00:00Z", "scheduled_end": "2024-01-01T11:00:00Z" });
        let made = server.post(&ann, "jobs", job, FULL).await.ok();
        let id = made[0]["id"].as_str().unwrap().to_owned();
        let note = json!({ "entity_type": "job", "entity_id": id, "job_id": id, "content": format!("note of {title}") });
        let noted = server.post(&ann, "notes", note, "").await;
        assert_eq!(noted.status, 201, "{}", noted.text);
        let mail = json!({ "job_id": id, "type": "email", "body": title });
        assert_eq!(server.post(&ann, "communications", mail, "").await.status, 201);
        let end = format!(
            "update public.jobs set status = 'completed', actual_start = now() - interval '{days} days 1 hour',
                    actual_end = now() - interval '{days} days' where id = '{id}'"
        );
        client.batch_execute(&end).await.unwrap();
        ids.push(id);
    }
    assert_eq!(client.query_one("select app.expire(1000)", &[]).await.unwrap().get::<_, i64>(0), 1);
    assert_eq!(server.get(&ann, "jobs?select=title").await.ok(), json!([{ "title": "Young" }]));
    for who in [&ann, &tom] {
        let kept = server.get(who, "jobs_archive?select=id,title,status,job->>title,children").await.ok();
        assert_eq!((&kept[0]["id"], &kept[0]["title"], &kept[0]["status"]), (&json!(ids[0]), &json!("Old"), &json!("completed")));
        assert_eq!(kept[0]["children"]["notes"][0]["content"], "note of Old");
        assert_eq!(kept[0]["children"]["communications"].as_array().unwrap().len(), 1);
    }
    let mails = server.get(&ann, "communications?body=eq.Old&select=job_id").await.ok();
    assert_eq!(mails, json!([{ "job_id": null }]), "a message stays");
}

#[tokio::test]
async fn retention_is_a_number_of_days_that_can_be_kept() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let set = |wanted: serde_json::Value| json!({ "company_id": ann.company_id, "retention": wanted });
    for wrong in [json!({ "audit_logs": 30 }), json!({ "email_logs": "x" }), json!({ "mails": 90 }), json!({ "activities": 1 })] {
        server.post(&ann, "company_settings", set(wrong), "resolution=merge-duplicates").await.refused(422, "retention_invalid");
    }
    let kept =
        server.post(&ann, "company_settings", set(json!({ "audit_logs": 365, "activities": 30 })), "resolution=merge-duplicates").await;
    assert!((200..300).contains(&kept.status), "{}", kept.text);
}

#[tokio::test]
async fn links_and_hooks_are_what_they_should_be() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let customer = server.customer(&ann, "Ada").await;
    server.post(&ann, "public_links", json!({ "purpose": "pay_invoice" }), "").await.refused(422, "link_target_missing");
    let far = json!({ "purpose": "book", "expires_at": "2031-01-01T00:00:00Z" });
    server.post(&ann, "public_links", far, "").await.refused(422, "link_expiry_invalid");
    let forged = json!({ "purpose": "review", "customer_id": customer, "token_hash": "a".repeat(64) });
    server.post(&ann, "public_links", forged, "").await.refused(403, "42501");
    let made = server.post(&ann, "public_links", json!({ "purpose": "review", "customer_id": customer }), FULL).await.ok();
    let one = format!("public_links?id=eq.{}", made[0]["id"].as_str().unwrap());
    assert_eq!(server.patch(&ann, &one, json!({ "revoked_at": "2026-11-21T00:00:00Z" }), "").await.status, 204);
    server.patch(&ann, &one, json!({ "revoked_at": null }), "").await.refused(422, "link_revoked");

    let hook = |url: &str, event: &str| json!({ "name": "H", "url": url, "events": [event] });
    for url in ["http://example.com", "https://localhost/x", "https://10.0.0.1/", "https://a.internal", "ftp://x.com", "https://"] {
        server.post(&ann, "webhooks", hook(url, "invoice.paid"), "").await.refused(422, "webhook_url_invalid");
    }
    for event in ["everything", "*.paid", "webhook.created", "api_key.created"] {
        server.post(&ann, "webhooks", hook("https://example.com/x", event), "").await.refused(422, "webhook_event_invalid");
    }
    assert_eq!(server.post(&ann, "webhooks", hook("https://example.com:8443/x?y", "*"), "").await.status, 201);
}

#[tokio::test]
async fn an_import_moves_on_and_a_message_is_only_read() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let made = server.post(&ann, "import_runs", json!({ "entity_type": "customer" }), FULL).await.ok();
    let one = format!("import_runs?id=eq.{}", made[0]["id"].as_str().unwrap());
    server.patch(&ann, &one, json!({ "status": "completed" }), "").await.refused(422, "import_transition_invalid");
    server.patch(&ann, &one, json!({ "rows_done": 9 }), "").await.refused(403, "42501");
    assert_eq!(server.patch(&ann, &one, json!({ "status": "cancelled" }), "").await.status, 204);
    let message = json!({ "company_id": ann.company_id, "user_id": ann.user_id, "type": "job.assigned", "body": "Hello" });
    assert_eq!(server.post(&server.service(), "notification_queue", message, "").await.status, 201);
    assert_eq!(server.patch(&ann, "notification_queue?body=eq.Hello", json!({ "read_at": "2026-11-21T00:00:00Z" }), "").await.status, 204);
    server.patch(&ann, "notification_queue?body=eq.Hello", json!({ "body": "x" }), "").await.refused(403, "42501");
}

#[tokio::test]
async fn a_file_of_a_job_is_read_by_who_works_on_it() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let tom = server.member(&ann.company_id, "technician").await;
    let customer = server.customer(&ann, "Ada").await;
    for (name, whom) in [("his", json!(tom.user_id)), ("other", json!(null))] {
        let job = json!({ "customer_id": customer, "title": name, "assigned_to": whom });
        let job = server.post(&ann, "jobs", job, FULL).await.ok();
        let file = json!({ "entity_type": "job", "entity_id": job[0]["id"], "file_name": name, "original_file_name": name,
                           "mime_type": "image/png", "storage_path": name });
        let made = server.post(&ann, "attachments", file, FULL).await.ok();
        assert_eq!(made[0]["job_id"], job[0]["id"]);
    }
    assert_eq!(server.get(&tom, "attachments?select=file_name").await.ok(), json!([{ "file_name": "his" }]));
}
