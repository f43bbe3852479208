//! Files that become rows: what is taken, what is refused and why, what a crash leaves, and how it is taken back.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::shop::Shop;
use crate::rates::{Answer, Person, soon};

const IMPORTS: &str = "/api/v1/imports";

impl Shop {
    /// Sends a file.
    async fn send(&self, who: &Person, query: &str, file: impl Into<reqwest::Body>) -> Answer {
        let request = self.request("POST", &format!("{IMPORTS}?{query}"), who).header("content-type", "text/csv");
        self.server.send(request.body(file)).await
    }

    /// Sends a file that is taken, and returns the path of its import.
    async fn sent(&self, query: &str, file: &str) -> String {
        let sent = self.send(&self.ann, query, file.to_owned()).await;
        assert_eq!(sent.status, 201, "{}", sent.body);
        format!("{IMPORTS}/{}", sent.body["data"]["id"].as_str().unwrap())
    }

    async fn started(&self, import: &str, how: Value) -> Answer {
        let started = self.post(&format!("{import}/start"), &self.ann, how).await;
        assert_eq!(started.status, 202, "{}", started.body);
        started
    }
}

fn lines(count: usize) -> String {
    let mut file = String::from("First Name,Last Name,E-Mail,Phone,Nonsense\r\n");
    for number in 1..=count {
        write!(file, "First{number},\"Last, {number}\",i{number}@example.com,+1202666{number:04},x\r\n").unwrap();
    }
    file
}

fn figures(import: &Value) -> [i64; 4] {
    ["rows_read", "rows_created", "rows_updated", "rows_failed"].map(|name| import[name].as_i64().unwrap())
}

#[tokio::test]
async fn a_file_becomes_rows_and_can_be_taken_back() {
    let shop = Shop::open().await;
    let ann = &shop.ann;
    let sent = shop.send(ann, "table=customers&format=csv&file_name=old.csv", lines(2000)).await;
    assert_eq!(sent.status, 201, "{}", sent.body);
    let data = &sent.body["data"];
    assert_eq!(data["headers"], json!(["First Name", "Last Name", "E-Mail", "Phone", "Nonsense"]));
    let suggested = json!({ "First Name": "first_name", "Last Name": "last_name", "E-Mail": "email", "Phone": "phone" });
    assert_eq!((&data["suggested_mapping"], &data["status"]), (&suggested, &json!("uploaded")));
    let import = format!("{IMPORTS}/{}", data["id"].as_str().unwrap());

    // Tried first: nothing is written.
    shop.started(&import, json!({ "dry_run": true })).await;
    let tried = shop.until(&import, ann, "completed").await;
    assert_eq!(figures(&tried), [2000, 2000, 0, 0]);
    assert_eq!(shop.count("select count(*) from public.customers").await, 0);
    // Then written, once.
    shop.started(&import, json!({})).await;
    let done = shop.until(&import, ann, "completed").await;
    assert_eq!((figures(&done), &done["errors"]), ([2000, 2000, 0, 0], &json!([])));
    assert_eq!(
        shop.count("select count(*) from public.customers where last_name = 'Last, ' || substr(first_name, 6) and created_by is not null")
            .await,
        2000
    );
    Shop::refused(&shop.post(&format!("{import}/start"), ann, json!({})).await, 409, "import_begun");

    // Two were changed since, one is gone; a fourth has got a job.
    let client = shop.db.superuser().await;
    client.execute("update public.customers set notes = 'mine now' where first_name in ('First7', 'First8')", &[]).await.unwrap();
    let nine = shop.get("/rest/v1/customers?first_name=eq.First9&select=id", ann).await.body[0]["id"].as_str().unwrap().to_owned();
    let deleted = shop.server.send(shop.request("DELETE", &format!("/rest/v1/customers?id=eq.{nine}"), ann)).await;
    assert_eq!(deleted.status, 204, "{}", deleted.body);
    shop.listen().await;
    let undone = shop.post(&format!("{import}/undo"), ann, json!({})).await;
    assert_eq!(undone.status, 202, "{}", undone.body);
    let task = undone.body["data"]["task_id"].as_str().unwrap_or_else(|| panic!("{}", undone.body)).to_owned();
    let undone = shop.until(&import, ann, "undone").await;
    assert_eq!((&undone["rows_undone"], &undone["rows_left"]), (&json!(1997), &json!(3)));
    let said = shop.heard(&task).await;
    // A batch has 500 rows (`transfers.import_batch_rows`), and what is said is seen twice a second.
    let (percent, message) = &said[0];
    assert!(*percent > 0 && *percent <= 99 && message.ends_with(" of 2000 rows"), "{said:?}");
    assert!(said.is_sorted_by_key(|(percent, _)| *percent), "it only goes on: {said:?}");
    let left: Vec<(i64, &str)> = undone["left_rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["line"].as_i64().unwrap(), row["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(left, [(8, "it was changed since"), (9, "it was changed since"), (10, "it is not there any more")]);
    let rest = shop.get("/rest/v1/customers?select=first_name&order=first_name", ann).await.body;
    assert_eq!(rest, json!([{ "first_name": "First7" }, { "first_name": "First8" }]));
    // They are marked as deleted, as the house does it.
    assert_eq!(shop.count("select count(*) from public.customers where deleted_at is not null and deleted_by is not null").await, 1998);
    Shop::refused(&shop.post(&format!("{import}/undo"), ann, json!({})).await, 409, "import_not_undoable");
    shop.server.stop().await;
}

#[tokio::test]
async fn wrong_lines_are_told_by_their_numbers() {
    let shop = Shop::open().await;
    let ann = &shop.ann;
    let file = "first_name,last_name,email,phone,credit_limit\n\
                Ann,One,one@example.com,,100\n\
                Bob,\"Two\"x,two@example.com,,\n\
                Cid,Three,no address,,\n\
                Dan,Four,,,\n\
                Eve,Five,five@example.com,,much\n\
                Fay,Six,six@example.com\n\
                \n\
                \"Gil\n\",Seven,seven@example.com,,\n\
                Hal,Eight,eight@example.com,,";
    let import = shop.sent("table=customers&format=csv", file).await;
    // All or nothing is nothing.
    shop.started(&import, json!({})).await;
    let failed = shop.until(&import, ann, "failed").await;
    assert_eq!((&failed["error_code"], figures(&failed)[3]), (&json!("import_lines_wrong"), 5), "{failed}");
    assert_eq!(shop.count("select count(*) from public.customers").await, 0);
    // What is right is taken.
    let import = shop.sent("table=customers&format=csv", file).await;
    shop.started(&import, json!({ "mode": "skip_errors" })).await;
    let done = shop.until(&import, ann, "completed").await;
    assert_eq!(figures(&done), [8, 3, 0, 5], "{done}");
    let errors: Vec<(i64, &str, Option<&str>)> = done["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["line"].as_i64().unwrap(), error["code"].as_str().unwrap(), error["column"].as_str()))
        .collect();
    let expected: Vec<(i64, &str, Option<&str>)> = vec![
        (3, "quote_inside", None),
        (4, "23514", None),
        (5, "customer_contact_required", None),
        (6, "22P02", None),
        (7, "line_uneven", None),
    ];
    assert_eq!(errors, expected, "{done}");
    let (status, headers, report) = shop.fetch(done["errors_url"].as_str().unwrap(), &[]).await;
    assert_eq!((status, &headers["content-type"]), (200, &"text/csv; charset=utf-8; header=present".parse().unwrap()));
    assert!(report.starts_with("line,column,code,message\r\n3,,quote_inside,"), "{report}");
    assert_eq!(report.lines().count(), 6, "{report}");
    let names = shop.get("/rest/v1/customers?select=first_name&order=first_name", ann).await.body;
    assert_eq!(names, json!([{ "first_name": "Ann" }, { "first_name": "Gil\n" }, { "first_name": "Hal" }]));
    shop.server.stop().await;
}

#[tokio::test]
async fn rows_that_are_there_are_changed_by_a_key_and_restored() {
    let shop = Shop::open().await;
    let ann = &shop.ann;
    let one = json!({ "first_name": "Old", "last_name": "One", "email": "one@example.com", "notes": "before" });
    assert_eq!(shop.post("/rest/v1/customers", ann, one).await.status, 201);
    let file = json!([
        { "first_name": "New", "email": "one@example.com", "notes": null },
        { "first_name": "Two", "last_name": "Two", "email": "two@example.com" },
        { "first_name": "Second", "email": "two@example.com" },
    ]);
    let import = shop.sent("table=customers&format=json", &file.to_string()).await;
    let mapping = json!({ "first_name": "first_name", "last_name": "last_name", "email": "email", "notes": "notes" });
    shop.started(&import, json!({ "mapping": mapping, "key": "email", "mode": "skip_errors" })).await;
    let done = shop.until(&import, ann, "completed").await;
    assert_eq!(figures(&done), [3, 1, 1, 0], "{done}");
    let read = async || shop.get("/rest/v1/customers?select=first_name,last_name,notes&order=email", ann).await.body;
    let first = json!({ "first_name": "New", "last_name": "One", "notes": null });
    assert_eq!(read().await, json!([first, { "first_name": "Second", "last_name": "Two", "notes": null }]));
    assert_eq!(shop.post(&format!("{import}/undo"), ann, json!({})).await.status, 202);
    let undone = shop.until(&import, ann, "undone").await;
    assert_eq!((&undone["rows_undone"], &undone["rows_left"]), (&json!(2), &json!(0)), "{undone}");
    assert_eq!(read().await, json!([{ "first_name": "Old", "last_name": "One", "notes": "before" }]));
    shop.server.stop().await;
}

#[tokio::test]
async fn nobody_imports_what_he_may_not() {
    let shop = Shop::open_with(|settings| settings.transfers.import_bytes_max = 20_000_000).await;
    let (ann, bob) = (&shop.ann, &shop.bob);
    let (tech, manager) = (shop.member("technician").await, shop.member("manager").await);
    let query = "table=customers&format=csv";
    let nobody = shop.server.send(shop.server.request("POST", &format!("{IMPORTS}?{query}"), "").body(lines(1))).await;
    Shop::refused(&nobody, 401, "not_signed_in");
    Shop::refused(&shop.send(&tech, query, lines(1)).await, 403, "permission_denied");
    Shop::refused(&shop.send(&manager, "table=api_keys&format=csv", lines(1)).await, 404, "table_not_importable");
    Shop::refused(&shop.send(&manager, "table=webhooks&format=csv", lines(1)).await, 403, "permission_denied");
    for (query, file, status, code) in [
        ("table=customers&format=xlsx", lines(1), 400, "format_unknown"),
        ("table=audit_logs&format=csv", lines(1), 404, "table_not_importable"),
        ("table=customer_tags&format=csv", lines(1), 404, "table_not_importable"),
        (query, String::new(), 400, "names_unreadable"),
        ("table=customers&format=json", "{}".to_owned(), 400, "json_no_array"),
    ] {
        Shop::refused(&shop.send(ann, query, file).await, status, code);
    }
    let latin = shop.send(ann, query, b"n\xe4me\n1\n".to_vec()).await;
    Shop::refused(&latin, 400, "file_not_utf8");
    // Larger than any other body may be, and not larger than a file may.
    assert_eq!(shop.send(ann, query, lines(200_000)).await.status, 201);
    let too_large = shop.send(ann, query, vec![b'a'; 20_000_001]).await;
    assert_eq!(too_large.status, 413, "{}", too_large.body);
    let import = shop.sent(query, &lines(3)).await;
    // It is the company's.
    Shop::refused(&shop.get(&import, bob).await, 404, "import_not_found");
    for what in ["start", "undo", "cancel"] {
        let answer = shop.post(&format!("{import}/{what}"), bob, json!({})).await;
        assert!([404, 409].contains(&answer.status), "{what}: {}", answer.body);
        Shop::refused(&shop.post(&format!("{import}/{what}"), &tech, json!({})).await, 403, "permission_denied");
    }
    assert_eq!(shop.get("/rest/v1/data_imports", bob).await.body, json!([]));
    for (how, code) in [
        (json!({ "mapping": { "First Name": "nothing" } }), "mapping_invalid"),
        (json!({ "mapping": { "First Name": "company_id" } }), "mapping_invalid"),
        (json!({ "mode": "some" }), "validation_failed"),
        (json!({ "key": "notes" }), "mapping_invalid"),
        (json!({ "who": "me" }), "validation_failed"),
    ] {
        Shop::refused(&shop.post(&format!("{import}/start"), ann, how).await, 400, code);
    }
    Shop::refused(&shop.post(&format!("{import}/cancel"), ann, json!({})).await, 409, "import_not_running");
    // A task by hand begins nothing that was not begun.
    let id = import.rsplit('/').next().unwrap();
    let row = json!({ "job_type": "data_import", "payload": { "import_id": id } });
    assert_eq!(shop.post("/rest/v1/job_queue", ann, row).await.status, 201);
    soon("it is refused", async || shop.count("select count(*) from app.dead_tasks where kind = 'data_import'").await == 1).await;
    assert_eq!(shop.count("select count(*) from public.customers").await, 0);
    shop.server.stop().await;
}

/// Has whoever writes this customer wait until it is let go on, so that nothing is over before a test has done its part.
async fn gate(shop: &Shop, email: &str) -> tokio_postgres::Client {
    let keeper = shop.db.superuser().await;
    let made = format!(
        "create function app.wait_at_gate() returns trigger language plpgsql security definer as
           $$ begin perform pg_advisory_xact_lock_shared(771); return new; end $$;
         create trigger gate before insert on public.customers for each row when (new.email = '{email}') execute function app.wait_at_gate();
         select pg_advisory_lock(771)"
    );
    keeper.batch_execute(&made).await.unwrap();
    keeper
}

/// Waits until somebody is at the gate.
async fn at_gate(shop: &Shop) {
    let waits = "select count(*) from pg_locks where locktype = 'advisory' and objid = 771 and not granted
                   and database = (select oid from pg_database where datname = current_database())";
    soon("it is under way", async || shop.count(waits).await > 0).await;
}

async fn open(keeper: &tokio_postgres::Client) {
    keeper.batch_execute("select pg_advisory_unlock(771)").await.unwrap();
}

#[tokio::test]
async fn after_a_crash_it_goes_on_behind_what_is_written() {
    let shop = Shop::open_with(|settings| settings.transfers.import_batch_rows = 50).await;
    let keeper = gate(&shop, "i520@example.com").await;
    let import = shop.sent("table=customers&format=csv", &lines(2000)).await;
    shop.started(&import, json!({ "mode": "skip_errors" })).await;
    at_gate(&shop).await;
    assert_eq!(shop.count("select count(*) from public.customers").await, 500);
    // Its process is taken for dead: what it still writes counts for nothing, and another attempt goes on.
    let client = shop.db.superuser().await;
    let lost = client
        .execute("update app.tasks set worker = gen_random_uuid() where kind = 'data_import' and state = 'running'", &[])
        .await
        .unwrap();
    assert_eq!(lost, 1, "it was still running");
    open(&keeper).await;
    let done = shop.until(&import, &shop.ann, "completed").await;
    assert_eq!(figures(&done), [2000, 2000, 0, 0], "{done}");
    assert_eq!(shop.count("select count(*) from public.customers").await, 2000);
    assert_eq!(shop.count("select count(distinct email_key) from public.customers").await, 2000);
    shop.server.stop().await;
}

/// All of it is one transaction; its process goes after that, before it could say so.
#[tokio::test]
async fn after_a_crash_nothing_is_written_twice_where_all_is_one_transaction() {
    let shop = Shop::open_with(|settings| settings.transfers.import_batch_rows = 50).await;
    let keeper = gate(&shop, "i520@example.com").await;
    let import = shop.sent("table=customers&format=csv", &lines(1000)).await;
    shop.started(&import, json!({})).await;
    at_gate(&shop).await;
    // Nobody can write down how it ended.
    let (holder, client) = (shop.db.superuser().await, shop.db.superuser().await);
    holder.batch_execute("begin; select from public.data_imports for no key update").await.unwrap();
    open(&keeper).await;
    soon("it is written", async || shop.count("select count(*) from public.customers").await == 1000).await;
    let lost = client
        .execute("update app.tasks set worker = gen_random_uuid() where kind = 'data_import' and state = 'running'", &[])
        .await
        .unwrap();
    assert_eq!(lost, 1, "it was not over");
    holder.batch_execute("rollback").await.unwrap();
    let done = shop.until(&import, &shop.ann, "completed").await;
    assert_eq!(figures(&done), [1000, 1000, 0, 0], "{done}");
    assert_eq!(shop.count("select count(*) from public.customers").await, 1000);
    shop.server.stop().await;
}

#[tokio::test]
async fn one_that_is_cancelled_keeps_what_was_written_and_can_be_undone() {
    let shop = Shop::open_with(|settings| settings.transfers.import_batch_rows = 50).await;
    let _keeper = gate(&shop, "i520@example.com").await;
    let import = shop.sent("table=customers&format=csv", &lines(2000)).await;
    shop.started(&import, json!({ "mode": "skip_errors" })).await;
    at_gate(&shop).await;
    let cancelled = shop.post(&format!("{import}/cancel"), &shop.ann, json!({})).await;
    assert_eq!(cancelled.status, 202, "{}", cancelled.body);
    let cancelled = shop.until(&import, &shop.ann, "cancelled").await;
    let written = shop.count("select count(*) from public.customers").await;
    assert!(written < 2000 && cancelled["rows_created"] == json!(written), "{written}: {cancelled}");
    assert_eq!(shop.post(&format!("{import}/undo"), &shop.ann, json!({})).await.status, 202);
    let undone = shop.until(&import, &shop.ann, "undone").await;
    assert_eq!(undone["rows_undone"], json!(written));
    assert_eq!(shop.count("select count(*) from public.customers where deleted_at is null").await, 0);
    shop.server.stop().await;
}
