//! What becomes of files with the rows that name them: into the trash and back, held by the rights of whoever does it, and by which file a row means.

use serde_json::{Value, json};

use super::bound::{ROWS, made, row};
use super::own;
use crate::rates::{Answer, Person, soon};
use crate::transfers::shop::Shop;

const MARKED: &str = "2026-01-01T00:00:00Z";

/// Changes a row, also one that is marked as deleted.
async fn change(shop: &Shop, who: &Person, id: &str, body: Value) -> Answer {
    let request = shop.request("PATCH", &format!("{ROWS}?id=eq.{id}"), who).header("prefer", "deleted=include, return=representation");
    shop.server.send(request.body(body.to_string())).await
}

/// Uploads as a member who says in which company.
async fn upload(shop: &Shop, who: &Person, path: &str, text: &str) {
    let headers = [("content-type", "text/plain"), ("x-company-id", who.company.as_str())];
    shop.storage("POST", &format!("/object/{path}"), &who.token, (&headers, text.as_bytes().to_vec())).await.ok();
}

async fn customer(shop: &Shop) -> String {
    made(shop, "customers", &shop.ann, json!({ "first_name": "Ada", "email": "ada@example.com" })).await
}

#[tokio::test]
async fn a_row_takes_its_file_into_the_trash_and_back() {
    let shop = Shop::open().await;
    let ann = &shop.ann;
    let customer = made(&shop, "customers", ann, json!({ "first_name": "Ada", "email": "ada@example.com" })).await;
    let path = own(ann, "attachments", "a.txt");
    shop.upload(&path, &ann.token, "kept").await.ok();
    let (first, second) = (
        made(&shop, "attachments", ann, row(&path, "customer", &customer)).await,
        made(&shop, "attachments", ann, row(&path, "customer", &customer)).await,
    );
    let mark = async |who: &Person, id: &str, at: Value| {
        // Whoever brings a row back says that he means one that is marked.
        let request = shop.request("PATCH", &format!("{ROWS}?id=eq.{id}"), who).header("prefer", "deleted=include");
        shop.server.send(request.body(json!({ "deleted_at": at }).to_string())).await.status
    };
    // As long as another row has it, it stays.
    assert_eq!(mark(ann, &first, json!("2026-01-01T00:00:00Z")).await, 204);
    assert_eq!(shop.fetched(&format!("/object/{path}"), &ann.token).await.text(), "kept");
    assert_eq!(mark(&shop.bob, &second, json!("2026-01-01T00:00:00Z")).await, 204);
    assert_eq!(shop.fetched(&format!("/object/{path}"), &ann.token).await.text(), "kept");
    assert_eq!(mark(ann, &second, json!("2026-01-01T00:00:00Z")).await, 204);
    shop.fetched(&format!("/object/{path}"), &ann.token).await.refused("404", "NoSuchKey");
    assert_eq!(mark(ann, &second, Value::Null).await, 204);
    let back = shop.fetched(&format!("/object/{path}"), &ann.token).await;
    assert_eq!((back.text().as_str(), back.header("content-type")), ("kept", "text/plain;charset=UTF-8"));
    // Bytes are still there once, and both rows bring back no second file.
    assert_eq!(mark(ann, &first, Value::Null).await, 204);
    assert_eq!((shop.blobs("all").await, shop.count("select count(*) from storage.objects").await), (1, 1));
    // What the trash has no longer does not come back; the row does.
    assert_eq!((mark(ann, &first, json!("now")).await, mark(ann, &second, json!("now")).await), (204, 204));
    shop.db.superuser().await.batch_execute("delete from app.object_versions").await.unwrap();
    assert_eq!(mark(ann, &second, Value::Null).await, 204);
    shop.fetched(&format!("/object/{path}"), &ann.token).await.refused("404", "NoSuchKey");
}

#[tokio::test]
async fn with_a_row_goes_no_file_that_is_not_its_removers() {
    let shop = Shop::open().await;
    let ann = &shop.ann;
    let dispatcher = shop.member("dispatcher").await;
    let customer = customer(&shop).await;
    let job = made(&shop, "jobs", ann, json!({ "customer_id": customer, "title": "Boiler" })).await;
    // A dispatcher removes his own files alone (files:delete_own), and names this one in a row of his.
    let path = own(ann, "attachments", "contract.txt");
    shop.upload(&path, &ann.token, "signed").await.ok();
    let his = made(&shop, "attachments", &dispatcher, row(&path, "job", &job)).await;
    let refused = change(&shop, &dispatcher, &his, json!({ "deleted_at": MARKED })).await;
    Shop::refused(&refused, 403, "file_not_removable");
    assert_eq!(shop.fetched(&format!("/object/{path}"), &ann.token).await.text(), "signed");
    // Where another row has the file nothing of it goes, and so his does.
    let hers = made(&shop, "attachments", ann, row(&path, "job", &job)).await;
    let marked = change(&shop, &dispatcher, &his, json!({ "deleted_at": MARKED })).await;
    assert_eq!((marked.status, marked.body.as_array().map(Vec::len)), (200, Some(1)), "{}", marked.body);
    assert_eq!(shop.fetched(&format!("/object/{path}"), &ann.token).await.text(), "signed");
    // Who may remove files has it go.
    assert_eq!(change(&shop, ann, &hers, json!({ "deleted_at": MARKED })).await.status, 200);
    shop.fetched(&format!("/object/{path}"), &ann.token).await.refused("404", "NoSuchKey");
    // His own file goes with his own row.
    let path = own(ann, "attachments", "his.txt");
    upload(&shop, &dispatcher, &path, "draft").await;
    let his = made(&shop, "attachments", &dispatcher, row(&path, "job", &job)).await;
    assert_eq!(change(&shop, &dispatcher, &his, json!({ "deleted_at": MARKED })).await.status, 200);
    shop.fetched(&format!("/object/{path}"), &ann.token).await.refused("404", "NoSuchKey");
}

#[tokio::test]
async fn nobody_has_another_ones_file_end_at_a_time() {
    let shop = Shop::open_with(|settings| settings.maintenance.upkeep_interval_ms = 50).await;
    let ann = &shop.ann;
    let dispatcher = shop.member("dispatcher").await;
    let customer = customer(&shop).await;
    let job = made(&shop, "jobs", ann, json!({ "customer_id": customer, "title": "Boiler" })).await;
    let path = own(ann, "attachments", "contract.txt");
    shop.upload(&path, &ann.token, "signed").await.ok();
    let file = |expires_at: Value| {
        json!({ "filename": "f", "original_filename": "f", "mime_type": "text/plain", "file_size": 1, "storage_bucket": "attachments",
                "storage_path": path.split_once('/').unwrap().1, "entity_type": "job", "entity_id": job, "expires_at": expires_at })
    };
    Shop::refused(&shop.post("/rest/v1/file_storage", &dispatcher, file(json!(MARKED))).await, 403, "file_not_removable");
    assert_eq!(shop.post("/rest/v1/file_storage", &dispatcher, file(Value::Null)).await.status, 201);
    let later = shop.request("PATCH", "/rest/v1/file_storage?storage_path=like.*contract.txt", &dispatcher);
    let later = shop.server.send(later.body(json!({ "expires_at": MARKED }).to_string())).await;
    Shop::refused(&later, 403, "file_not_removable");
    // Who may remove it has it end, unless another row has it that lives.
    made(&shop, "attachments", &dispatcher, row(&path, "job", &job)).await;
    let ends = shop.request("PATCH", "/rest/v1/file_storage?storage_path=like.*contract.txt", ann);
    assert_eq!(shop.server.send(ends.body(json!({ "expires_at": MARKED }).to_string())).await.status, 204);
    assert_eq!(shop.fetched(&format!("/object/{path}"), &ann.token).await.text(), "signed", "the other row has it for ever");
    shop.db.superuser().await.batch_execute("delete from public.attachments").await.unwrap();
    shop.fetched(&format!("/object/{path}"), &ann.token).await.refused("404", "NoSuchKey");
    soon("it goes into the trash", async || shop.count("select count(*) from storage.objects").await == 0).await;
}

#[tokio::test]
async fn a_row_means_its_file_and_not_a_later_one_of_the_name() {
    let shop = Shop::open().await;
    let ann = &shop.ann;
    let technician = shop.member("technician").await;
    let id = shop.get("/auth/v1/user", &technician).await.body["id"].clone();
    let customer = customer(&shop).await;
    let job = made(&shop, "jobs", ann, json!({ "customer_id": customer, "title": "His", "assigned_to": id })).await;
    let headers = [("x-company-id", technician.company.as_str())];
    let fetched = async |path: &str| shop.storage("GET", &format!("/object/{path}"), &technician.token, (&headers, vec![])).await;
    // He binds a file of his own to a job of his, and takes the file away.
    let path = own(ann, "attachments", "wages.txt");
    upload(&shop, &technician, &path, "mine").await;
    let his = made(&shop, "attachments", &technician, row(&path, "job", &job)).await;
    assert_eq!(fetched(&path).await.text(), "mine");
    shop.storage("DELETE", &format!("/object/{path}"), &technician.token, (&headers, vec![])).await.ok();
    // What somebody else puts under that name is none of his.
    shop.upload(&path, &ann.token, "wages of all").await.ok();
    fetched(&path).await.refused("404", "NoSuchKey");
    // Nor by a change of the row, nor by saying which file it means.
    let meant = shop.count("select count(*) from public.attachments a join storage.objects o on o.id = a.object_id").await;
    let theirs: uuid::Uuid = shop.db.superuser().await.query_one("select id from storage.objects", &[]).await.unwrap().get(0);
    for body in [json!({ "file_size": 1 }), json!({ "object_id": theirs }), json!({ "object_id": theirs, "file_size": 1 })] {
        assert_eq!(change(&shop, &technician, &his, body).await.status, 200);
        fetched(&path).await.refused("404", "NoSuchKey");
    }
    assert_eq!(meant, 0);
    // Nor does it go with the row, or come back with it.
    assert_eq!(change(&shop, &technician, &his, json!({ "deleted_at": MARKED })).await.status, 200);
    assert_eq!(shop.fetched(&format!("/object/{path}"), &ann.token).await.text(), "wages of all");
    shop.storage("DELETE", &format!("/object/{path}"), &ann.token, (&[], vec![])).await.ok();
    let back = change(&shop, ann, &his, json!({ "deleted_at": null })).await;
    assert_eq!(back.status, 200, "{}", back.body);
    shop.fetched(&format!("/object/{path}"), &ann.token).await.refused("404", "NoSuchKey");
    // Whoever reads the new file and writes the row has it mean that one.
    shop.upload(&path, &ann.token, "wages again").await.ok();
    assert_eq!(change(&shop, ann, &his, json!({ "file_size": 1 })).await.body[0]["file_size"], 11);
    assert_eq!(fetched(&path).await.text(), "wages again");
}

#[tokio::test]
async fn a_file_that_was_removed_by_hand_comes_back_by_hand_and_its_rows_mean_it_again() {
    let shop = Shop::open().await;
    let ann = &shop.ann;
    let customer = customer(&shop).await;
    let path = own(ann, "attachments", "a.txt");
    shop.upload(&path, &ann.token, "kept").await.ok();
    let first = made(&shop, "attachments", ann, row(&path, "customer", &customer)).await;
    let second = made(&shop, "attachments", ann, row(&path, "customer", &customer)).await;
    assert_eq!(change(&shop, ann, &first, json!({ "deleted_at": MARKED })).await.status, 200);
    shop.storage("DELETE", &format!("/object/{path}"), &ann.token, (&[], vec![])).await.ok();
    // It did not go with the row, and does not come with it, nor by a row that is made to name it.
    assert_eq!(change(&shop, ann, &first, json!({ "deleted_at": null })).await.status, 200);
    shop.fetched(&format!("/object/{path}"), &ann.token).await.refused("404", "NoSuchKey");
    let other = own(ann, "attachments", "b.txt");
    shop.upload(&other, &ann.token, "other").await.ok();
    let third = made(&shop, "attachments", ann, row(&other, "customer", &customer)).await;
    assert_eq!(change(&shop, ann, &third, json!({ "deleted_at": MARKED })).await.status, 200);
    let name = path.split_once('/').unwrap().1;
    assert_eq!(change(&shop, ann, &third, json!({ "deleted_at": null, "storage_path": name })).await.status, 200);
    shop.fetched(&format!("/object/{path}"), &ann.token).await.refused("404", "NoSuchKey");
    assert_eq!(change(&shop, ann, &third, json!({ "storage_path": own(ann, "x", "c.txt").split_once('/').unwrap().1 })).await.status, 200);
    shop.asked("POST", &format!("/object/restore/{path}"), &ann.token, json!({})).await.ok();
    let meant = format!(
        "select count(*) from public.attachments a join storage.objects o on o.id = a.object_id where a.id in ('{first}', '{second}')"
    );
    assert_eq!(shop.count(&meant).await, 2);
    assert_eq!(change(&shop, ann, &first, json!({ "deleted_at": MARKED })).await.status, 200);
    assert_eq!(shop.fetched(&format!("/object/{path}"), &ann.token).await.text(), "kept");
    assert_eq!(change(&shop, ann, &second, json!({ "deleted_at": MARKED })).await.status, 200);
    shop.fetched(&format!("/object/{path}"), &ann.token).await.refused("404", "NoSuchKey");
}

#[tokio::test]
async fn the_last_of_two_rows_that_go_at_once_takes_the_file() {
    let shop = Shop::open().await;
    let ann = &shop.ann;
    let customer = customer(&shop).await;
    let path = own(ann, "attachments", "a.txt");
    shop.upload(&path, &ann.token, "kept").await.ok();
    let ids = [
        made(&shop, "attachments", ann, row(&path, "customer", &customer)).await,
        made(&shop, "attachments", ann, row(&path, "customer", &customer)).await,
    ];
    let mark = |id: &str| format!("update public.attachments set deleted_at = now() where id = '{id}'");
    let (one, other) = (shop.db.superuser().await, shop.db.superuser().await);
    one.batch_execute("begin").await.unwrap();
    one.batch_execute(&mark(&ids[0])).await.unwrap();
    let pid: i32 = other.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let second = mark(&ids[1]);
    let waits = async {
        let waiting = format!("select count(*) from pg_stat_activity where pid = {pid} and wait_event_type = 'Lock'");
        soon("the second waits for the first", async || shop.count(&waiting).await == 1).await;
        one.batch_execute("commit").await.unwrap();
    };
    let (done, ()) = tokio::join!(other.batch_execute(&second), waits);
    done.unwrap();
    assert_eq!(shop.count("select count(*) from storage.objects").await, 0);
}
