//! Rows as files: who gets them, what is in them, and how long a link is good.

use serde_json::{Value, json};

use super::shop::Shop;

const EXPORTS: &str = "/api/v1/exports";

fn one(made: &Value) -> String {
    format!("{EXPORTS}/{}", made["data"]["id"].as_str().unwrap_or_else(|| panic!("{made}")))
}

#[tokio::test]
async fn a_member_gets_the_rows_that_he_may_read_as_a_file() {
    let shop = Shop::open().await;
    let (ann, bob) = (&shop.ann, &shop.bob);
    shop.customers(ann, 5000).await;
    shop.customers(bob, 3).await;
    let formula = json!({ "first_name": "=HYPERLINK(\"http://x\")", "last_name": "Comma, \"quote\"", "notes": "two\nlines", "email": "f@example.com" });
    let made = shop.post("/rest/v1/customers", ann, formula).await;
    assert_eq!(made.status, 201, "{}", made.body);

    let wanted = json!({ "table": "customers", "format": "csv", "columns": ["first_name", "last_name", "phone", "notes"] });
    let asked = shop.post(EXPORTS, ann, wanted).await;
    assert_eq!(asked.status, 202, "{}", asked.body);
    let done = shop.until(&one(&asked.body), ann, "completed").await;
    assert_eq!((&done["rows_done"], &done["what"], &done["format"]), (&json!(5001), &json!("table"), &json!("csv")));
    let url = done["url"].as_str().unwrap();
    let (status, headers, text) = shop.fetch(url, &[]).await;
    assert_eq!((status, text.len().to_string().as_str()), (200, headers["content-length"].to_str().unwrap()));
    assert_eq!(headers["content-type"], "text/csv; charset=utf-8; header=present");
    assert!(headers["content-disposition"].to_str().unwrap().starts_with("attachment; filename=\"customers-20"));
    assert_eq!(
        (&headers["x-content-type-options"], &headers["cache-control"]),
        (&"nosniff".parse().unwrap(), &"private, no-store".parse().unwrap())
    );
    assert!(text.starts_with("first_name,last_name,phone,notes\r\n"), "{}", &text[..100]);
    assert!(
        text.contains("\"'=HYPERLINK(\"\"http://x\"\")\",\"Comma, \"\"quote\"\"\",,\"two\nlines\"\r\n"),
        "{}",
        &text[text.len() - 200..]
    );
    assert!(text.contains("First4999,Last 4999,+12025554999,\r\n"));

    // A part, and not again.
    let etag = headers["etag"].to_str().unwrap();
    let (status, part, text) = shop.fetch(url, &[("range", "bytes=0-9")]).await;
    assert_eq!((status, text.as_str()), (206, "first_name"));
    assert!(part["content-range"].to_str().unwrap().starts_with("bytes 0-9/"));
    assert_eq!(shop.fetch(url, &[("if-none-match", etag)]).await.0, 304);
    assert_eq!(shop.fetch(url, &[("range", "bytes=99999999-")]).await.0, 416);
    assert_eq!(shop.fetch(url, &[("range", "bytes=0-9"), ("if-range", "\"other\"")]).await.0, 200);

    // With a filter, as JSON, put in as a row of job_queue.
    let payload = json!({ "table": "customers", "format": "json", "columns": ["last_name"], "filter": "first_name=in.(First7,First8)" });
    let row = json!({ "job_type": "data_export", "payload": payload });
    assert_eq!(shop.post("/rest/v1/job_queue", ann, row).await.status, 201);
    crate::rates::soon("the second export", async || {
        let newest = shop.get(EXPORTS, ann).await.body["data"][0].clone();
        newest["format"] == "json" && newest["status"] == "completed"
    })
    .await;
    let second = shop.get(EXPORTS, ann).await.body["data"][0].clone();
    let (_, headers, text) = shop.fetch(second["url"].as_str().unwrap(), &[]).await;
    assert_eq!(headers["content-type"], "application/json; charset=utf-8");
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), json!([{ "last_name": "Last 7" }, { "last_name": "Last 8" }]));
    let task = shop.get("/rest/v1/background_jobs?select=status,result&order=created_at.desc&limit=1", ann).await.body;
    assert_eq!((&task[0]["status"], &task[0]["result"]["rows"]), (&json!("completed"), &json!(2)));
    shop.server.stop().await;
}

#[tokio::test]
async fn nobody_gets_a_file_who_may_not() {
    let shop = Shop::open().await;
    let (ann, bob) = (&shop.ann, &shop.bob);
    shop.customers(ann, 3).await;
    let (tech, manager) = (shop.member("technician").await, shop.member("manager").await);
    let wanted = || json!({ "table": "customers", "format": "ndjson" });
    // Without a token, without the right, of a table that he may not read, in another company.
    Shop::refused(&shop.server.post(EXPORTS, "", wanted()).await, 401, "not_signed_in");
    Shop::refused(&shop.post(EXPORTS, &tech, wanted()).await, 403, "permission_denied");
    Shop::refused(&shop.post(EXPORTS, &manager, json!({ "table": "audit_logs", "format": "csv" })).await, 403, "permission_denied");
    let row = json!({ "job_type": "data_export", "payload": wanted() });
    Shop::refused(&shop.post("/rest/v1/job_queue", &tech, row).await, 403, "42501");
    let elsewhere =
        shop.server.send(shop.server.request("POST", EXPORTS, &bob.token).header("x-company-id", &ann.company).body(wanted().to_string()));
    Shop::refused(&elsewhere.await, 403, "company_not_member");
    // Bad input.
    for (body, status, code) in [
        (json!({ "table": "customers", "format": "pdf" }), 400, "format_unknown"),
        (json!({ "table": "no_such", "format": "csv" }), 404, "table_unknown"),
        (json!({ "table": "users", "format": "csv" }), 404, "table_unknown"),
        (json!({ "table": "customers", "format": "csv", "columns": ["secret\""] }), 400, "column_unknown"),
        (json!({ "table": "customers", "format": "csv", "filter": "select=*" }), 400, "filter_invalid"),
        (json!({ "table": "customers", "format": "csv", "filter": "first_name=what.1" }), 400, "PGRST100"),
        (json!({ "table": "customers", "format": "csv", "asked_by": "x" }), 400, "validation_failed"),
    ] {
        Shop::refused(&shop.post(EXPORTS, ann, body).await, status, code);
    }
    let asked = shop.post(EXPORTS, ann, wanted()).await.body;
    let done = shop.until(&one(&asked), ann, "completed").await;
    let url = done["url"].as_str().unwrap().to_owned();
    // A manager sees his own exports alone, and Bob none of Ann's.
    Shop::refused(&shop.get(&one(&asked), &manager).await, 404, "export_not_found");
    Shop::refused(&shop.get(&one(&asked), bob).await, 404, "export_not_found");
    assert_eq!(shop.get(EXPORTS, bob).await.body["data"], json!([]));
    assert_eq!(shop.get("/rest/v1/data_exports", bob).await.body, json!([]));
    let foreign = shop.server.send(shop.request("DELETE", &one(&asked), bob)).await;
    Shop::refused(&foreign, 404, "export_not_found");
    // A link is of its file: forged, of another, over.
    let (head, token) = url.split_once("token=").unwrap();
    let last = if token.ends_with('A') { "B" } else { "A" };
    for forged in [String::new(), "x".to_owned(), format!("{}{last}", &token[..token.len() - 2])] {
        assert_eq!(shop.fetch(&format!("{head}token={forged}"), &[]).await.0, 403, "{forged}");
    }
    let other = shop.post(EXPORTS, ann, wanted()).await.body;
    shop.until(&one(&other), ann, "completed").await;
    assert_eq!(shop.fetch(&format!("{}/file?token={token}", one(&other)), &[]).await.0, 403);
    // Taken back: the link ends at once, the file with the next clean-up.
    assert_eq!(shop.fetch(&url, &[]).await.0, 200);
    assert_eq!(shop.server.send(shop.request("DELETE", &one(&asked), ann)).await.status, 204);
    assert_eq!(shop.fetch(&url, &[]).await.0, 404);
    assert_eq!(shop.count("select count(*) from app.forgotten_files").await, 1);
    shop.server.stop().await;
}

#[tokio::test]
async fn whoever_lost_the_right_meanwhile_gets_none() {
    let shop = Shop::open_with(|settings| settings.queue.worker = false).await;
    shop.customers(&shop.ann, 3).await;
    let manager = shop.member("manager").await;
    let asked = shop.post(EXPORTS, &manager, json!({ "table": "customers", "format": "csv" })).await;
    assert_eq!(asked.status, 202, "{}", asked.body);
    let demoted = shop.db.superuser().await.execute("update public.team_members set role = 'viewer' where role = 'manager'", &[]).await;
    assert_eq!(demoted.unwrap(), 1);
    let Shop { db, server, ann, bob } = shop;
    server.stop().await;
    let server = crate::rates::Counting::start(&db, limits::RatesConfig::default(), |_| ()).await;
    let shop = Shop { db, server, ann, bob };
    let row = async || {
        let client = shop.db.superuser().await;
        client.query_one("select status, error_code from public.data_exports", &[]).await.unwrap()
    };
    crate::rates::soon("the export failed", async || row().await.get::<_, String>(0) == "failed").await;
    assert_eq!(row().await.get::<_, String>(1), "permission_denied");
    assert_eq!(shop.count("select count(*) from app.dead_tasks where attempt = 1").await, 1);
    shop.server.stop().await;
}

#[tokio::test]
async fn a_file_goes_when_its_time_is_over() {
    let shop = Shop::open_with(|settings| settings.maintenance.upkeep_interval_ms = 50).await;
    shop.customers(&shop.ann, 3).await;
    let asked = shop.post(EXPORTS, &shop.ann, json!({ "table": "customers", "format": "csv" })).await.body;
    let done = shop.until(&one(&asked), &shop.ann, "completed").await;
    let url = done["url"].as_str().unwrap();
    assert_eq!(shop.fetch(url, &[]).await.0, 200);
    shop.db.superuser().await.execute("update public.data_exports set expires_at = now() - interval '1 second'", &[]).await.unwrap();
    shop.until(&one(&asked), &shop.ann, "expired").await;
    assert_eq!(shop.fetch(url, &[]).await.0, 404);
    crate::rates::soon("the file is gone", async || shop.count("select count(*) from app.forgotten_files").await == 0).await;
    shop.server.stop().await;
}

/// Puts a task in and returns its id, once it is done, and what its member sees of it then.
async fn done(shop: &Shop, who: &crate::rates::Person, kind: &str, payload: Value) -> (String, Value) {
    let id = uuid::Uuid::now_v7().to_string();
    let row = json!({ "id": id, "job_type": kind, "payload": payload });
    assert_eq!(shop.post("/rest/v1/background_jobs", who, row).await.status, 201);
    let ended = shop.ended(who, &id).await;
    assert_eq!(ended["status"], "completed", "{ended}");
    let seen = shop.get(&format!("/rest/v1/background_jobs?id=eq.{id}&select=progress_percent,progress_message"), who).await.body;
    (id, seen)
}

#[tokio::test]
async fn an_export_and_a_report_say_how_far_they_are() {
    let shop = Shop::open_with(|settings| settings.transfers.export_count_time_ms = 10_000).await;
    let (ann, bob) = (&shop.ann, &shop.bob);
    shop.customers(ann, 3000).await;
    shop.customers(bob, 7).await;
    shop.listen().await;
    // Only what the member may read, and what fits, is counted.
    let wanted = json!({ "table": "customers", "format": "csv", "filter": "first_name=neq.First1" });
    let (id, seen) = done(&shop, ann, "data_export", wanted.clone()).await;
    let said = shop.heard(&id).await;
    assert_eq!(said.first(), Some(&(0, "0 of 2999 rows".to_owned())), "{said:?}");
    let (last, message) = said.last().unwrap();
    assert!(*last == 99 && message.starts_with("2999 rows in "), "{said:?}");
    assert!(said.is_sorted_by_key(|(percent, _)| *percent), "it only goes on: {said:?}");
    assert_eq!((&seen[0]["progress_percent"], &seen[0]["progress_message"]), (&json!(100), &json!(message)));
    assert_eq!(shop.get(&format!("/rest/v1/background_jobs?id=eq.{id}"), bob).await.body, json!([]), "nobody else sees it");
    let (id, _) = done(&shop, bob, "data_export", wanted).await;
    assert_eq!(shop.heard(&id).await[0].1, "0 of 6 rows");

    let (id, seen) = done(&shop, ann, "generate_report", json!({ "report": "company_kpis", "format": "json" })).await;
    let said = shop.heard(&id).await;
    let percents: Vec<i32> = said.iter().map(|(percent, _)| *percent).collect();
    assert_eq!(percents, [1, 60, 90, 99], "{said:?}");
    assert_eq!(seen[0]["progress_percent"], 100);
    shop.server.stop().await;
}

#[tokio::test]
async fn an_export_whose_rows_are_not_counted_in_time_says_what_is_expected() {
    let shop = Shop::open_with(|settings| settings.transfers.export_count_time_ms = 0).await;
    let ann = &shop.ann;
    shop.customers(ann, 2000).await;
    // Each row takes its time, so that the export is seen on its way.
    let slow = "analyze public.customers;
                create policy slow on public.customers as restrictive for select to authenticated using (pg_sleep(0.001)::text is not null)";
    shop.db.superuser().await.batch_execute(slow).await.unwrap();
    shop.listen().await;
    let (id, seen) = done(&shop, ann, "data_export", json!({ "table": "customers", "format": "json" })).await;
    let said = shop.heard(&id).await;
    assert!(said[0].1.starts_with("0 of about ") && said[0].1.ends_with(" rows"), "{said:?}");
    let under_way: Vec<&(i32, String)> = said.iter().skip(1).take(said.len().saturating_sub(2)).collect();
    assert!(
        !under_way.is_empty() && under_way.iter().all(|(percent, message)| (0..=99).contains(percent) && message.contains(" rows")),
        "{said:?}"
    );
    assert!(said.is_sorted_by_key(|(percent, _)| *percent), "{said:?}");
    assert!(said.last().unwrap().1.starts_with("2000 rows in "), "{said:?}");
    assert_eq!(seen[0]["progress_percent"], 100);
    shop.server.stop().await;
}
