//! Asked for over HTTP: by the person, by who may of his company, and by whoever may not.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{CANARY, Subject, left, plant};
use crate::audit::{said, verify};
use crate::rates::Person;
use crate::transfers::shop::Shop;

pub(super) const EXPORT: &str = "/api/gdpr/export";
pub(super) const ERASE: &str = "/api/gdpr/erase";

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
}

/// A customer with a job, a note, a message, a contact, and a photo of his house.
pub(super) async fn customer(shop: &Shop, who: &Person, word: &str) -> (String, String) {
    let row =
        json!({ "first_name": word, "last_name": "Person", "email": "shared@person.example", "phone": "+12025550177", "notes": word });
    let made = shop
        .server
        .send(shop.request("POST", "/rest/v1/customers", who).header("prefer", "return=representation").body(row.to_string()))
        .await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = text(&made.body[0]["id"]);
    let job = json!({ "customer_id": id, "title": format!("Repair at {word}"), "notes": word });
    let made =
        shop.server.send(shop.request("POST", "/rest/v1/jobs", who).header("prefer", "return=representation").body(job.to_string())).await;
    let job = text(&made.body[0]["id"]);
    for (table, row) in [
        (
            "customer_contacts",
            json!({ "customer_id": id, "first_name": word, "last_name": "Contact", "email": format!("{word}@contact.example") }),
        ),
        ("notes", json!({ "entity_type": "job", "entity_id": job, "content": format!("{word} has a dog") })),
        ("communications", json!({ "customer_id": id, "type": "email", "to_address": "shared@person.example", "body": word })),
        (
            "consents",
            json!({ "customer_id": id, "purpose": "marketing_email", "text_version": "2026-11", "is_given": true, "source": "web" }),
        ),
    ] {
        let made = shop.post(&format!("/rest/v1/{table}"), who, row).await;
        assert_eq!(made.status, 201, "{table}: {}", made.body);
    }
    let path = format!("{}/{job}/photo.txt", who.company);
    let request = shop.request("POST", &format!("/storage/v1/object/attachments/{path}"), who).header("content-type", "text/plain");
    let stored = shop.server.send(request.body(format!("{word} in a photo"))).await;
    assert_eq!(stored.status, 200, "{}", stored.body);
    (id, job)
}

/// Whether a file under a folder has the word.
fn stands_in_a_file(folder: &std::path::Path, word: &str) -> bool {
    std::fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            stands_in_a_file(&path, word)
        } else {
            std::fs::read(&path).is_ok_and(|bytes| bytes.windows(word.len()).any(|part| part == word.as_bytes()))
        }
    })
}

#[tokio::test]
async fn a_customer_is_told_everything_and_erased() {
    let shop = Shop::open_with(|settings| {
        settings.storage.trash_days = 30;
        settings.maintenance.upkeep_interval_ms = 200;
    })
    .await;
    let (ann, bob) = (&shop.ann, &shop.bob);
    let (id, _) = customer(&shop, ann, CANARY).await;
    let (other, _) = customer(&shop, bob, "bystander").await;
    let client = shop.db.superuser().await;
    assert!(plant(&client, &Subject { kind: "customer", company: &ann.company, id: &id }).await > 20);
    // The search looks for him by these, too.
    let again = format!(
        "update public.customers set email = 'shared@person.example', phone = '+12025550177', secondary_phone = null, notes = '{CANARY} twice' where id = '{id}'"
    );
    client.batch_execute(&again).await.unwrap();

    // Who may not.
    let (technician, viewer) = (shop.member("technician").await, shop.member("viewer").await);
    let of = |id: &str| format!("{EXPORT}?customer_id={id}");
    let wish = |id: &str| json!({ "customer_id": id, "confirm": true });
    Shop::refused(&shop.server.send(shop.server.request("GET", EXPORT, "")).await, 401, "not_signed_in");
    Shop::refused(&shop.server.post(ERASE, "", wish(&id)).await, 401, "not_signed_in");
    for nobody in [&technician, &viewer] {
        Shop::refused(&shop.get(&of(&id), nobody).await, 403, "permission_denied");
        Shop::refused(&shop.post(ERASE, nobody, wish(&id)).await, 403, "permission_denied");
        Shop::refused(&shop.get("/api/gdpr/erasures", nobody).await, 403, "permission_denied");
    }
    for stranger in [&id, "01900000-0000-7000-8000-000000000001", "x"] {
        Shop::refused(&shop.get(&of(stranger), bob).await, 404, "person_not_found");
        Shop::refused(&shop.post(ERASE, bob, wish(stranger)).await, 404, "person_not_found");
    }
    Shop::refused(&shop.post(ERASE, ann, json!({ "customer_id": id })).await, 422, "confirmation_missing");
    Shop::refused(&shop.post(ERASE, ann, json!({ "customer": id, "confirm": true })).await, 400, "validation_failed");
    Shop::refused(&shop.get(&format!("{EXPORT}?who={id}"), ann).await, 400, "validation_failed");

    // What he is told.
    let answer = shop.request("GET", &of(&id), ann).send().await.unwrap();
    assert_eq!(answer.headers()["content-disposition"].to_str().unwrap(), format!("attachment; filename=\"user-data-{id}.json\""));
    let told: Value = answer.json().await.unwrap();
    assert_eq!((&told["profile"]["id"], &told["profile"]["email"]), (&json!(id), &json!("shared@person.example")));
    for table in ["public.customers", "public.jobs", "public.notes", "public.communications", "public.customer_contacts", "public.consents"]
    {
        assert!(told["data"][table].as_array().is_some_and(|rows| !rows.is_empty()), "{table}: {told}");
    }
    assert!(!told.to_string().contains("bystander") && told["truncated"] == json!([]));
    let link = text(&told["files"][0]["url"]);
    assert_eq!(shop.fetch(&link, &[]).await.2, format!("{CANARY} in a photo"));
    assert_eq!(shop.fetch(&link.replace("token=", "token=A"), &[]).await.0, 403);

    // He goes, once his debt is settled.
    client.batch_execute(&format!("set session_replication_role = replica; insert into public.invoices (company_id, customer_id, draft_number, invoice_number, issued_at, title, status, balance_amount) values ('{}', '{id}', 'D1', 'I1', now(), 'x', 'sent', 5)", ann.company)).await.unwrap();
    Shop::refused(&shop.post(ERASE, ann, wish(&id)).await, 409, "person_owes");
    client.batch_execute(&format!("update public.invoices set balance_amount = 0 where customer_id = '{id}'")).await.unwrap();
    // What was not sealed yet would be sealed without his words, and nothing would be left out of what was.
    audit_is_sealed(&shop).await;
    let asked = shop.post(ERASE, ann, wish(&id)).await;
    assert_eq!(asked.status, 202, "{}", asked.body);
    assert!(asked.body["data"]["backups"]["note"].is_string());
    Shop::refused(&shop.post(ERASE, ann, wish(&id)).await, 409, "person_erased");
    let erasure = format!("/api/gdpr/erasures/{}", text(&asked.body["data"]["id"]));
    let done = shop.until(&erasure, ann, "completed").await;
    assert!(done["counts"]["public.notes"].as_i64() == Some(1) && done["counts"]["public.audit_logs"].as_i64() > Some(0), "{done}");
    Shop::refused(&shop.get(&erasure, bob).await, 404, "erasure_not_found");
    assert_eq!(left(&shop.db).await, Vec::<String>::new());
    assert_eq!(shop.fetch(&link, &[]).await.0, 404);
    let found = shop.get(&format!("/rest/v1/customers?select=first_name,last_name,email,notes&id=eq.{id}"), ann).await.body;
    let name = format!("person {}", id[28..].to_uppercase());
    assert_eq!(found, json!([{ "first_name": "Erased", "last_name": name, "email": null, "notes": null }]));
    let searched = shop.post("/rest/v1/rpc/search_customers", ann, json!({ "query": CANARY })).await.body;
    assert!(!searched.to_string().contains(&id), "{searched}");
    // The other company's person of the same address is who he was.
    let kept = shop.get(&format!("/rest/v1/customers?select=first_name,email&id=eq.{other}"), bob).await.body;
    assert_eq!(kept, json!([{ "first_name": "bystander", "email": "shared@person.example" }]));
    file_is_gone(&shop).await;
    audit_verifies(&shop).await;
}

/// His file goes from the disk, however long the trash is kept.
async fn file_is_gone(shop: &Shop) {
    let deadline = Instant::now() + Duration::from_mins(2);
    while stands_in_a_file(shop.server.folder(), &format!("{CANARY} in a photo")) {
        assert!(Instant::now() < deadline, "the file is still there");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn audit_is_sealed(shop: &Shop) {
    let deadline = Instant::now() + Duration::from_mins(2);
    let client = shop.db.superuser().await;
    while client.query_one("select exists (select from public.audit_logs a where not exists (select from app.audit_batches b where a.id = any (b.row_ids)))", &[]).await.unwrap().get(0) {
        assert!(Instant::now() < deadline, "the audit is not sealed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The audit is as it was sealed but for what went, and whoever takes more is found out.
async fn audit_verifies(shop: &Shop) {
    let client = shop.db.superuser().await;
    audit_is_sealed(shop).await;
    let (_, told) = said(&verify(&shop.db, shop.server.folder()));
    assert!(!told.contains("edited") && !told.contains("vouched") && !told.contains(" 0 without their words"), "{told}");
    // Somebody edits a row and writes a step that leads there.
    let forged = "insert into app.audit_redactions (company_id, row_id, batch_id, former, after)
                  select a.company_id, a.id, app.uuid_v7(), app.audit_digest(a), app.audit_digest(a) from public.audit_logs a where a.entity_type = 'company' limit 1;
                  update public.audit_logs a set new_values = '{}' from app.audit_redactions r where a.id = r.row_id and r.former = r.after;
                  update app.audit_redactions r set after = app.audit_digest(a) from public.audit_logs a where a.id = r.row_id and r.former = r.after";
    client.batch_execute(forged).await.unwrap();
    let (fine, told) = said(&verify(&shop.db, shop.server.folder()));
    assert!(!fine && told.contains("not vouched for: the redaction"), "{told}");
    client.batch_execute("delete from app.audit_redactions").await.unwrap();
    let (fine, told) = said(&verify(&shop.db, shop.server.folder()));
    assert!(!fine && told.contains("edited: row"), "{told}");
}

#[tokio::test]
async fn a_member_is_told_everything_and_erases_himself() {
    let shop = Shop::open().await;
    let member = shop.member("technician").await;
    let me = shop.get("/auth/v1/user", &member).await.body;
    let id = text(&me["id"]);
    let client = shop.db.superuser().await;
    assert!(plant(&client, &Subject { kind: "account", company: "", id: &id }).await > 3);
    let told = shop.get(EXPORT, &member).await;
    assert_eq!(told.status, 200, "{}", told.body);
    assert_eq!(told.body["profile"]["id"], json!(id));
    assert!(
        told.body["auditLogs"].is_array()
            && told.body["data"]["public.team_members"].is_array()
            && !told.body.to_string().contains("encrypted_password")
    );
    // Nobody erases whom a device was left with, nor the owner of a company, nor a program.
    client
        .batch_execute(&format!("update auth.sessions set created_at = now() - interval '11 minutes' where user_id = '{id}'"))
        .await
        .unwrap();
    Shop::refused(&shop.post(ERASE, &member, json!({ "confirm": true })).await, 403, "sign_in_again");
    client.batch_execute(&format!("update auth.sessions set created_at = now() where user_id = '{id}'")).await.unwrap();
    Shop::refused(&shop.post(ERASE, &shop.ann, json!({ "confirm": true })).await, 422, "owner_protected");
    Shop::refused(&shop.server.post(ERASE, &shop.server.service(), json!({ "confirm": true })).await, 401, "not_signed_in");

    let asked = shop.post(ERASE, &member, json!({ "confirm": true })).await;
    assert_eq!(asked.status, 202, "{}", asked.body);
    crate::rates::soon("the account is erased", async || {
        shop.count("select count(*) from app.erasures where status = 'completed'").await == 1
    })
    .await;
    assert_eq!(left(&shop.db).await, Vec::<String>::new());
    let again = json!({ "email": "technician@example.com", "password": "correct horse battery staple" });
    assert_eq!(shop.server.post("/auth/v1/token?grant_type=password", "", again).await.status, 400);
    assert_eq!(shop.get("/rest/v1/jobs", &member).await.status, 401);
    let left = shop.count("select count(*) from auth.users u join public.users p on p.id = u.id where u.deleted_at is not null and u.email is null and p.name like 'Erased person %'").await;
    assert_eq!(left, 1);
    shop.server.stop().await;
}

#[tokio::test]
async fn consents_are_added_and_hold() {
    let shop = Shop::open_with(|settings| settings.environment = server::config::Environment::Development).await;
    let ann = &shop.ann;
    shop.customers(ann, 1).await;
    let id = text(&shop.get("/rest/v1/customers?select=id", ann).await.body[0]["id"]);
    let row = |given: bool| json!({ "customer_id": id, "purpose": "marketing_email", "text_version": "v1", "is_given": given, "source": "phone" });
    assert_eq!(shop.post("/rest/v1/consents", ann, row(true)).await.status, 201);
    assert_eq!(shop.post("/rest/v1/consents", ann, row(false)).await.status, 201);
    let technician = shop.member("technician").await;
    assert_eq!(shop.post("/rest/v1/consents", &technician, row(true)).await.status, 403);
    assert_eq!(shop.get("/rest/v1/consents?select=id", &shop.bob).await.body, json!([]));
    let changed = shop
        .server
        .send(shop.request("PATCH", "/rest/v1/consents?id=not.is.null", ann).body(json!({ "is_given": true }).to_string()))
        .await;
    assert_eq!(changed.status, 403, "{}", changed.body);
    let late = json!({ "customer_id": id, "purpose": "marketing_email", "text_version": "v1", "is_given": true, "source": "web", "said_at": "2099-01-01" });
    Shop::refused(&shop.post("/rest/v1/consents", ann, late).await, 422, "consent_in_future");
    // Whoever took it back gets no letter that goes to many.
    let letter = json!({ "subject": "News", "text": "Hello", "filter": "id=not.is.null" });
    let done = shop.task(ann, "bulk_email", letter).await;
    assert_eq!(
        (&done["status"], &done["result"]["sent"], &done["result"]["suppressed"]),
        (&json!("completed"), &json!(0), &json!(1)),
        "{done}"
    );
    shop.server.stop().await;
}
