//! What people may ask for beside the plain story: files, the portal, holds of the law, somebody who is spoken with at a customer.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::asked::{ERASE, EXPORT, customer, text};
use crate::rates::Person;
use crate::transfers::shop::Shop;

fn number(bytes: &[u8], at: usize, length: usize) -> usize {
    bytes[at..at + length].iter().rev().fold(0, |number, byte| number * 256 + usize::from(*byte))
}

/// Reads a ZIP as programs do, by the list at its end.
fn unpack(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let end = bytes.len() - 22;
    assert_eq!(&bytes[end..end + 4], b"PK\x05\x06", "it ends as a ZIP does");
    let (count, mut at) = (number(bytes, end + 10, 2), number(bytes, end + 16, 4));
    let mut entries = vec![];
    for _ in 0..count {
        assert_eq!(&bytes[at..at + 4], b"PK\x01\x02");
        let (length, name, from) = (number(bytes, at + 24, 4), number(bytes, at + 28, 2), number(bytes, at + 42, 4));
        let content = from + 30 + number(bytes, from + 26, 2);
        entries.push((String::from_utf8(bytes[at + 46..at + 46 + name].to_vec()).unwrap(), bytes[content..content + length].to_vec()));
        at += 46 + name;
    }
    entries
}

async fn packed(shop: &Shop, id: &str) -> Vec<(String, Vec<u8>)> {
    let answer = shop.request("GET", &format!("{EXPORT}?customer_id={id}&files=true"), &shop.ann).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["content-type"]), (200, &"application/zip".parse().unwrap()));
    assert_eq!(answer.headers()["content-disposition"].to_str().unwrap(), format!("attachment; filename=\"user-data-{id}.zip\""));
    unpack(&answer.bytes().await.unwrap())
}

#[tokio::test]
async fn files_come_with_the_export() {
    let shop = Shop::open().await;
    let (id, _) = customer(&shop, &shop.ann, "jane").await;
    customer(&shop, &shop.bob, "bystander").await;
    let entries = packed(&shop, &id).await;
    let told: Value = serde_json::from_slice(&entries[0].1).unwrap();
    assert_eq!((entries[0].0.as_str(), &told["profile"]["id"], &told["truncated"]), ("data.json", &json!(id), &json!([])));
    let path = format!("files/{}-photo.txt", text(&told["files"][0]["id"]));
    assert_eq!((entries.len(), &told["files"][0]["path"]), (2, &json!(path)));
    assert_eq!(entries[1], (path, b"jane in a photo".to_vec()));
    let refused = |query: &str| format!("{EXPORT}?{query}");
    Shop::refused(&shop.get(&refused(&format!("customer_id={id}&files=true")), &shop.bob).await, 404, "person_not_found");
    Shop::refused(&shop.get(&refused("files=perhaps"), &shop.ann).await, 400, "validation_failed");
    Shop::refused(&shop.get(&refused(&format!("customer_id={id}&contact_id={id}")), &shop.ann).await, 400, "validation_failed");
    shop.server.stop().await;
}

#[tokio::test]
async fn files_that_are_too_large_come_by_links() {
    let shop = Shop::open_with(|settings| settings.transfers.person_files_bytes_max = 5).await;
    let (id, _) = customer(&shop, &shop.ann, "jane").await;
    let entries = packed(&shop, &id).await;
    let told: Value = serde_json::from_slice(&entries[0].1).unwrap();
    assert_eq!((entries.len(), &told["files"][0]["path"], &told["truncated"]), (1, &Value::Null, &json!(["files"])));
    assert_eq!(shop.fetch(&text(&told["files"][0]["url"]), &[]).await.2, "jane in a photo");
    shop.server.stop().await;
}

/// Opens the portal to a customer, who is in it then.
async fn visitor(shop: &Shop, company: &str, customer: &str) -> Person {
    let id = uuid::Uuid::now_v7();
    let bytes = [id.as_bytes().as_slice(), company.parse::<uuid::Uuid>().unwrap().as_bytes(), id.as_bytes(), id.as_bytes()].concat();
    let token = format!("thp_{}", URL_SAFE_NO_PAD.encode(bytes));
    let open = format!(
        "update public.customers set portal_enabled = true where id = '{customer}';
         insert into auth.portal_sessions (company_id, id, customer_id, token_hash, opened_at, expires_at)
         values ('{company}', '{id}', '{customer}', encode(sha256('{token}'), 'hex'), now(), now() + interval '1 hour')"
    );
    shop.db.superuser().await.batch_execute(&open).await.unwrap();
    Person { token, company: company.to_owned() }
}

#[tokio::test]
async fn a_customer_asks_in_the_portal_and_is_answered() {
    let shop = Shop::open().await;
    let ann = &shop.ann;
    let (jane, _) = customer(&shop, ann, "jane").await;
    shop.customers(ann, 1).await;
    let other = text(&shop.get("/rest/v1/customers?select=id&first_name=eq.First1", ann).await.body[0]["id"]);
    let visitor = visitor(&shop, &ann.company, &jane).await;
    // She is told what there is of her, and of nobody else.
    let told = shop.get(EXPORT, &visitor).await;
    assert_eq!((told.status, &told.body["profile"]["id"]), (200, &json!(jane)), "{}", told.body);
    assert!(told.body["data"]["public.notes"].is_array() && !told.body.to_string().contains("First1"), "{}", told.body);
    let named = |id: &str| format!("{EXPORT}?customer_id={id}");
    assert_eq!(shop.get(&named(&jane), &visitor).await.status, 200);
    Shop::refused(&shop.get(&named(&other), &visitor).await, 403, "permission_denied");
    Shop::refused(&shop.get(&format!("{EXPORT}?contact_id={jane}"), &visitor).await, 403, "permission_denied");
    // She asks to be erased, and nothing goes before the company answers.
    let wish = json!({ "confirm": true });
    Shop::refused(&shop.post(ERASE, &visitor, json!({})).await, 422, "confirmation_missing");
    Shop::refused(&shop.post(ERASE, &visitor, json!({ "confirm": true, "customer_id": other })).await, 403, "permission_denied");
    let asked = shop.post(ERASE, &visitor, wish.clone()).await;
    assert_eq!((asked.status, &asked.body["data"]["status"]), (202, &json!("asked")), "{}", asked.body);
    Shop::refused(&shop.post(ERASE, &visitor, wish.clone()).await, 409, "erasure_asked");
    let listed = shop.get("/api/gdpr/erasures", ann).await.body["data"][0].clone();
    assert_eq!((&listed["status"], &listed["asked_how"], &listed["subject_id"]), (&json!("asked"), &json!("portal"), &json!(jane)));
    assert!(listed["answer_by"].is_string());
    crate::rates::soon("whoever may answer is told", async || {
        shop.count("select count(*) from public.notification_queue where channel = 'in_app' and subject = 'A customer asks to be erased'")
            .await
            == 1
    })
    .await;
    // Not so.
    let decline = format!("/api/gdpr/erasures/{}/decline", text(&listed["id"]));
    let reason = json!({ "reason": "The warranty runs until May." });
    let technician = shop.member("technician").await;
    Shop::refused(&shop.post(&decline, &technician, reason.clone()).await, 403, "permission_denied");
    assert_eq!(shop.post(&decline, &visitor, reason.clone()).await.status, 403);
    Shop::refused(&shop.post(&decline, &shop.bob, reason.clone()).await, 404, "erasure_not_found");
    Shop::refused(&shop.post("/api/gdpr/erasures/x/decline", ann, reason.clone()).await, 404, "erasure_not_found");
    Shop::refused(&shop.post(&decline, ann, json!({ "reason": " " })).await, 422, "reason_missing");
    Shop::refused(&shop.post(&decline, ann, json!({})).await, 400, "validation_failed");
    assert_eq!(shop.post(&decline, ann, reason.clone()).await.status, 204);
    Shop::refused(&shop.post(&decline, ann, reason).await, 409, "erasure_decided");
    let seen = shop.get("/api/gdpr/erasures", &visitor).await.body["data"].clone();
    assert_eq!(seen.as_array().map(Vec::len), Some(1));
    assert_eq!((&seen[0]["status"], &seen[0]["decline_reason"]), (&json!("declined"), &json!("The warranty runs until May.")));
    Shop::refused(&shop.get(&format!("/api/gdpr/erasures/{}", text(&listed["id"])), &shop.bob).await, 404, "erasure_not_found");
    // She asks again, and is erased by the same request.
    let again = shop.post(ERASE, &visitor, wish).await.body["data"]["id"].clone();
    let done = shop.post(ERASE, ann, json!({ "customer_id": jane, "confirm": true })).await;
    assert_eq!((done.status, &done.body["data"]["id"]), (202, &again), "{}", done.body);
    shop.until(&format!("/api/gdpr/erasures/{}", text(&again)), ann, "completed").await;
    assert_eq!(shop.get(EXPORT, &visitor).await.status, 401);
    let left = "select count(*) from app.erasures where decline_reason like '%warranty%'";
    assert_eq!(shop.count(left).await, 0);
    shop.server.stop().await;
}

#[tokio::test]
async fn what_the_law_holds_stays() {
    let shop = Shop::open().await;
    let ann = &shop.ann;
    let (jane, _) = customer(&shop, ann, "jane").await;
    let contact = text(&shop.get("/rest/v1/customer_contacts?select=id", ann).await.body[0]["id"]);
    let hold = json!({ "customer_id": jane, "reason": "A lawsuit about the boiler", "holds_until": "2099-12-31" });
    let (technician, manager) = (shop.member("technician").await, shop.member("manager").await);
    for nobody in [&technician, &manager] {
        assert_eq!(shop.post("/rest/v1/legal_holds", nobody, hold.clone()).await.status, 403);
    }
    assert_eq!(shop.post("/rest/v1/legal_holds", &shop.bob, hold.clone()).await.status, 409, "another company's customer");
    let over = json!({ "customer_id": jane, "reason": "x", "holds_until": "2020-01-01" });
    Shop::refused(&shop.post("/rest/v1/legal_holds", ann, over).await, 422, "hold_over");
    assert_eq!(shop.post("/rest/v1/legal_holds", ann, hold).await.status, 201);
    assert_eq!(shop.get("/rest/v1/legal_holds?select=id", &technician).await.body, json!([]));
    assert_eq!(shop.get("/rest/v1/legal_holds?select=id", &shop.bob).await.body, json!([]));
    // Neither she nor whoever is spoken with there is erased, and her row outlives its time.
    let refused = shop.post(ERASE, ann, json!({ "customer_id": jane, "confirm": true })).await;
    Shop::refused(&refused, 409, "person_held");
    assert_eq!(refused.body["details"], json!("2099-12-31"));
    Shop::refused(&shop.post(ERASE, ann, json!({ "contact_id": contact, "confirm": true })).await, 409, "person_held");
    let client = shop.db.superuser().await;
    let gone = format!("delete from public.customers where id = '{jane}'");
    let kept = client.batch_execute(&gone).await.unwrap_err();
    assert_eq!(kept.as_db_error().and_then(|error| error.constraint()), Some("person_held"));
    // Released, it holds no more, and is no hold again.
    let change = async |body: Value| {
        shop.server.send(shop.request("PATCH", "/rest/v1/legal_holds?id=not.is.null", ann).body(body.to_string())).await
    };
    assert_eq!(change(json!({ "released_at": "2026-01-01T00:00:00Z" })).await.status, 204);
    assert_eq!(
        shop.count("select count(*) from public.legal_holds where released_by is not null and released_at > now() - interval '1 hour'")
            .await,
        1
    );
    Shop::refused(&change(json!({ "released_at": null })).await, 409, "hold_immutable");
    assert_eq!(shop.post(ERASE, ann, json!({ "customer_id": jane, "confirm": true })).await.status, 202);
    // A member, too.
    let me = text(&shop.get("/auth/v1/user", &technician).await.body["id"]);
    assert_eq!(shop.post("/rest/v1/legal_holds", ann, json!({ "user_id": me, "reason": "An accident" })).await.status, 201);
    Shop::refused(&shop.post(ERASE, &technician, json!({ "confirm": true })).await, 409, "person_held");
    shop.server.stop().await;
}

#[tokio::test]
async fn whoever_is_spoken_with_goes_and_the_customer_stays() {
    let shop = Shop::open().await;
    let ann = &shop.ann;
    let (jane, _) = customer(&shop, ann, "jane").await;
    let contact = text(&shop.get("/rest/v1/customer_contacts?select=id", ann).await.body[0]["id"]);
    for (to, body) in [("jane@contact.example", "to the contact"), ("shared@person.example", "to the customer")] {
        let letter = json!({ "customer_id": jane, "type": "email", "to_address": to, "body": body });
        assert_eq!(shop.post("/rest/v1/communications", ann, letter).await.status, 201);
    }
    let told = shop.get(&format!("{EXPORT}?contact_id={contact}"), ann).await;
    assert_eq!((told.status, &told.body["profile"]["email"]), (200, &json!("jane@contact.example")), "{}", told.body);
    assert_eq!(told.body["data"]["public.communications"].as_array().map(Vec::len), Some(1), "{}", told.body);
    assert!(told.body["data"].get("public.customers").is_none());
    let technician = shop.member("technician").await;
    Shop::refused(&shop.get(&format!("{EXPORT}?contact_id={contact}"), &technician).await, 403, "permission_denied");
    Shop::refused(&shop.get(&format!("{EXPORT}?contact_id={contact}"), &shop.bob).await, 404, "person_not_found");
    let wish = json!({ "contact_id": contact, "confirm": true });
    Shop::refused(&shop.post(ERASE, &technician, wish.clone()).await, 403, "permission_denied");
    Shop::refused(&shop.post(ERASE, &shop.bob, wish.clone()).await, 404, "person_not_found");
    let asked = shop.post(ERASE, ann, wish).await;
    assert_eq!(asked.status, 202, "{}", asked.body);
    shop.until(&format!("/api/gdpr/erasures/{}", text(&asked.body["data"]["id"])), ann, "completed").await;
    let letters = shop.get("/rest/v1/communications?select=to_address,body&order=created_at", ann).await.body;
    assert_eq!(
        letters,
        json!([{ "to_address": "shared@person.example", "body": "jane" }, { "to_address": "[erased]", "body": "[erased]" }, { "to_address": "shared@person.example", "body": "to the customer" }])
    );
    assert_eq!(shop.get(&format!("/rest/v1/customers?select=first_name&id=eq.{jane}"), ann).await.body, json!([{ "first_name": "jane" }]));
    for table in ["public.audit_logs", "app.tasks", "app.done_tasks", "public.activities", "app.events", "public.customer_contacts"] {
        let left = format!("select count(*) from {table} t where lower(to_jsonb(t)::text) like '%jane@contact.example%'");
        assert_eq!(shop.count(&left).await, 0, "{table}");
    }
    shop.server.stop().await;
}
