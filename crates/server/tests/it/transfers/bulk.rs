//! Many rows changed, letters to many, and reports.

use serde_json::{Value, json};

use super::shop::Shop;
use crate::rates::soon;

#[tokio::test]
async fn rows_that_fit_are_changed_alike() {
    let shop = Shop::open_with(|settings| settings.transfers.bulk_batch_rows = 100).await;
    let ann = &shop.ann;
    shop.customers(ann, 500).await;
    shop.customers(&shop.bob, 2).await;
    let payload =
        json!({ "table": "customers", "filter": "first_name=neq.First7", "changes": { "notes": "<b>all</b><script>x</script>" } });
    let done = shop.task(ann, "bulk_update", payload).await;
    assert_eq!((&done["status"], &done["result"]), (&json!("completed"), &json!({ "changed": 499, "failed": 0, "errors": [] })), "{done}");
    assert_eq!(shop.count("select count(*) from public.customers where notes like '%all%'").await, 499);
    // What a row's rules refuse is told.
    let payload = json!({ "table": "customers", "filter": "first_name=in.(First1,First2)", "changes": { "email": "no address" } });
    let refused = shop.task(ann, "bulk_update", payload).await;
    assert_eq!((&refused["result"]["failed"], &refused["result"]["errors"][0]["code"]), (&json!(2), &json!("23514")), "{refused}");
    for (payload, code) in [
        (json!({ "table": "customers", "filter": "", "changes": { "notes": "x" } }), "filter_required"),
        (json!({ "table": "customers", "filter": "id=not.is.null", "changes": { "company_id": "x" } }), "changes_invalid"),
        (json!({ "table": "audit_logs", "filter": "id=not.is.null", "changes": { "action": "x" } }), "permission_denied"),
        (json!({ "table": "nothing", "filter": "id=not.is.null", "changes": { "x": 1 } }), "table_unknown"),
    ] {
        let failed = shop.task(ann, "bulk_update", payload.clone()).await;
        assert!(failed["error_message"].as_str().unwrap_or_default().contains(code), "{payload}: {failed}");
    }
    // Who may not, and what is no payload, are refused at once.
    let csr = shop.member("csr").await;
    let row = |payload: Value| json!({ "job_type": "bulk_update", "payload": payload });
    let good = json!({ "table": "customers", "filter": "id=not.is.null", "changes": { "notes": "x" } });
    Shop::refused(&shop.post("/rest/v1/job_queue", &csr, row(good)).await, 403, "42501");
    Shop::refused(&shop.post("/rest/v1/job_queue", ann, row(json!({ "table": "customers" }))).await, 400, "22023");
    let typed = json!({ "table": "customers", "filter": "a=eq.1", "changes": [], "asked_by": "x" });
    Shop::refused(&shop.post("/rest/v1/job_queue", ann, row(typed)).await, 400, "22023");
    shop.server.stop().await;
}

#[tokio::test]
async fn a_letter_goes_once_to_each_who_may_be_written_to() {
    let shop = Shop::open_with(|settings| settings.environment = server::config::Environment::Development).await;
    let ann = &shop.ann;
    shop.customers(ann, 120).await;
    let suppressed = json!({ "kind": "email", "address_key": "c5@example.com", "reason": "manual" });
    assert_eq!(shop.post("/rest/v1/suppressions", ann, suppressed).await.status, 201);
    let silent = json!({ "first_name": "Silent", "phone": "+12025550199" });
    assert_eq!(shop.post("/rest/v1/customers", ann, silent).await.status, 201);
    let letter = json!({ "filter": "status=eq.active", "subject": "News", "text": "Hello" });
    let done = shop.task(ann, "bulk_email", letter).await;
    assert_eq!(
        (&done["status"], &done["result"]),
        (&json!("completed"), &json!({ "sent": 119, "suppressed": 1, "without_address": 1 })),
        "{done}"
    );
    assert_eq!(shop.count("select count(*) from app.outbox where purpose = 'bulk'").await, 119);
    assert_eq!(shop.count("select count(distinct recipient) from app.outbox where purpose = 'bulk'").await, 119);
    refused_by_its_link(&shop).await;
    for bad in
        [json!({ "subject": "a", "text": "b" }), json!({ "filter": "id=not.is.null", "customer_ids": ["x"], "subject": "a", "text": "b" })]
    {
        let failed = shop.task(ann, "bulk_email", bad).await;
        assert_eq!(failed["status"], "failed", "{failed}");
    }
    let viewer = shop.member("viewer").await;
    let row = json!({ "job_type": "bulk_email", "payload": { "filter": "id=not.is.null", "subject": "a", "text": "b" } });
    Shop::refused(&shop.post("/rest/v1/job_queue", &viewer, row).await, 403, "42501");
    shop.server.stop().await;
}

/// Whoever presses the button of his mail program is written to no more about that, and still about other things.
async fn refused_by_its_link(shop: &Shop) {
    let ann = &shop.ann;
    let mut found = Value::Null;
    soon("the letter is there", async || {
        found = shop.server.get("/mailbox/api/v1/search?query=to:c7@example.com", &shop.server.service()).await.body;
        found["messages"][0]["ID"].is_string()
    })
    .await;
    let path = format!("/mailbox/api/v1/message/{}", found["messages"][0]["ID"].as_str().unwrap());
    let links = shop.server.get(&path, &shop.server.service()).await.body["ListUnsubscribe"].clone();
    assert_eq!(links["HeaderPost"], "List-Unsubscribe=One-Click", "{links}");
    let path = links["Links"][0].as_str().unwrap().strip_prefix("http://localhost:54321").unwrap().to_owned();
    assert_eq!(shop.server.post(&path, "", json!({})).await.status, 200);
    let letter =
        |topic: &str| json!({ "filter": "email=in.(c6@example.com,c7@example.com)", "subject": "News", "text": "More", "topic": topic });
    let sums = |sent: u32, suppressed: u32| json!({ "sent": sent, "suppressed": suppressed, "without_address": 0 });
    assert_eq!(shop.task(ann, "bulk_email", letter("news")).await["result"], sums(1, 1));
    assert_eq!(shop.task(ann, "bulk_email", letter("recalls")).await["result"], sums(2, 0));
    let odd = shop.task(ann, "bulk_email", letter("Recalls & more")).await;
    assert_eq!(odd["status"], "failed", "{odd}");
}

#[tokio::test]
async fn a_report_is_a_file_and_counted_as_one() {
    let shop = Shop::open_with(|settings| {
        settings.rates.mode = Some(limits::Mode::Enforce);
        settings.rates.report_generation_minute_max = 4;
    })
    .await;
    let ann = &shop.ann;
    shop.customers(ann, 3).await;
    let reports = "/api/v1/exports/reports";
    let made = shop.post(reports, ann, json!({ "report": "company_kpis", "format": "csv" })).await;
    assert_eq!(made.status, 202, "{}", made.body);
    let path = format!("/api/v1/exports/{}", made.body["data"]["id"].as_str().unwrap());
    let done = shop.until(&path, ann, "completed").await;
    let (_, _, text) = shop.fetch(done["url"].as_str().unwrap(), &[]).await;
    assert!(text.starts_with("company_id,currency,total_customers,") && text.contains(&format!("\r\n{},USD,", ann.company)), "{text}");
    let made = shop.post(reports, ann, json!({ "report": "invoices_aging", "format": "html" })).await;
    let path = format!("/api/v1/exports/{}", made.body["data"]["id"].as_str().unwrap());
    let done = shop.until(&path, ann, "completed").await;
    let (_, headers, _) = shop.fetch(done["url"].as_str().unwrap(), &[]).await;
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    assert!(headers["content-disposition"].to_str().unwrap().starts_with("attachment"));
    Shop::refused(&shop.post(reports, ann, json!({ "report": "company_kpis", "format": "pdf" })).await, 422, "report_pdf_unavailable");
    Shop::refused(&shop.post(reports, ann, json!({ "report": "wages", "format": "csv" })).await, 404, "report_unknown");
    let tech = shop.member("technician").await;
    Shop::refused(&shop.post(reports, &tech, json!({ "report": "company_kpis", "format": "csv" })).await, 403, "permission_denied");
    // Two more as rows, and then it is enough for this minute.
    let row = json!({ "job_type": "generate_report", "payload": { "report": "mv_monthly_revenue", "format": "json" } });
    assert_eq!(shop.post("/rest/v1/job_queue", ann, json!([row, row])).await.status, 201);
    Shop::refused(&shop.post("/rest/v1/job_queue", ann, row).await, 429, "RATE_LIMIT_EXCEEDED");
    Shop::refused(&shop.post(reports, ann, json!({ "report": "company_kpis", "format": "csv" })).await, 429, "RATE_LIMIT_EXCEEDED");
    shop.server.stop().await;
}

#[tokio::test]
async fn support_and_keys_put_in_nothing_that_runs_for_a_member() {
    let shop = Shop::open().await;
    let key = json!({ "name": "exports", "permissions": ["customers:read", "data:export"] });
    let key = shop.post("/auth/v1/api-keys", &shop.ann, key).await;
    let token = key.body["key"].as_str().or_else(|| key.body["data"]["key"].as_str()).unwrap_or_else(|| panic!("{}", key.body)).to_owned();
    let row = json!({ "job_type": "data_export", "payload": { "table": "customers", "format": "csv" } });
    let refused = shop.server.post("/rest/v1/job_queue", &token, row.clone()).await;
    Shop::refused(&refused, 403, "42501");
    // The service says in whose place.
    let mut row = row;
    row["company_id"] = json!(shop.ann.company);
    Shop::refused(&shop.server.post("/rest/v1/job_queue", &shop.server.service(), row.clone()).await, 403, "42501");
    let user: uuid::Uuid = shop
        .db
        .superuser()
        .await
        .query_one(
            "select user_id from public.team_members where role = 'owner' and company_id = $1",
            &[&shop.ann.company.parse::<uuid::Uuid>().unwrap()],
        )
        .await
        .unwrap()
        .get(0);
    row["payload"]["asked_by"] = json!(user);
    let put = shop.server.post("/rest/v1/job_queue", &shop.server.service(), row).await;
    assert_eq!(put.status, 201, "{}", put.body);
    soon("the export is made", async || shop.get("/api/v1/exports", &shop.ann).await.body["data"][0]["status"] == "completed").await;
    shop.server.stop().await;
}
