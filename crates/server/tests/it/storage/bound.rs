//! Files that rows bind to something: whoever reads that reads them, in the data API and in storage, and whoever changes it writes them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::own;
use crate::rates::Person;
use crate::transfers::shop::Shop;

pub(super) const ROWS: &str = "/rest/v1/attachments";

/// Makes a row of something and returns its id.
pub(super) async fn made(shop: &Shop, table: &str, who: &Person, row: Value) -> String {
    let address = format!("/rest/v1/{table}?select=id");
    let made = shop.server.send(shop.request("POST", &address, who).header("prefer", "return=representation").body(row.to_string())).await;
    assert_eq!(made.status, 201, "{table}: {}", made.body);
    made.body[0]["id"].as_str().unwrap().to_owned()
}

/// The row of a file.
pub(super) fn row(path: &str, entity: &str, id: &str) -> Value {
    let (bucket, name) = path.split_once('/').unwrap();
    json!({ "file_name": "a.txt", "original_file_name": "a.txt", "mime_type": "text/plain", "entity_type": entity, "entity_id": id,
            "storage_bucket": bucket, "storage_path": name })
}

/// A customer, a job of a technician's, one of nobody's, and an invoice and a payment of the first.
pub(super) struct Things {
    pub(super) customer: String,
    pub(super) his_job: String,
    pub(super) other_job: String,
    pub(super) invoice: String,
    pub(super) other_invoice: String,
}

pub(super) async fn things(shop: &Shop, technician: &Person) -> Things {
    let ann = &shop.ann;
    let customer = made(shop, "customers", ann, json!({ "first_name": "Ada", "email": "ada@example.com" })).await;
    let id = shop.get("/auth/v1/user", technician).await.body["id"].clone();
    let his_job = made(shop, "jobs", ann, json!({ "customer_id": customer, "title": "His", "assigned_to": id })).await;
    let other_job = made(shop, "jobs", ann, json!({ "customer_id": customer, "title": "Other" })).await;
    let line = json!([{ "description": "Visit", "quantity": 1, "unit_price": 900 }]);
    let invoice = |job: &str| json!({ "customer_id": customer, "job_id": job, "title": "Bill", "line_items": line });
    let (first, second) = (made(shop, "invoices", ann, invoice(&his_job)).await, made(shop, "invoices", ann, invoice(&other_job)).await);
    Things { customer, his_job, other_job, invoice: first, other_invoice: second }
}

/// What somebody reads of a file: of its row, and of it.
async fn reads(shop: &Shop, who: &Person, path: &str) -> (bool, bool) {
    let name = path.split_once('/').unwrap().1;
    let rows = shop.get(&format!("{ROWS}?select=id&storage_path=eq.{name}"), who).await;
    let request = shop.server.client.get(format!("{}/storage/v1/object/{path}", shop.server.address));
    let file = request.bearer_auth(&who.token).header("x-company-id", &who.company).send().await.unwrap();
    (rows.body.as_array().is_some_and(|rows| rows.len() == 1), file.status().as_u16() == 200)
}

#[tokio::test]
async fn who_reads_a_thing_reads_its_files() {
    let shop = Shop::open().await;
    let (technician, member, dispatcher) = (shop.member("technician").await, shop.member("member").await, shop.member("dispatcher").await);
    let things = things(&shop, &technician).await;
    let payment = json!({ "customer_id": things.customer, "amount": 100, "payment_method": "cash", "status": "completed" });
    let payment = made(&shop, "payments", &shop.ann, payment).await;
    // Who reads: technician, member, dispatcher. What is assigned to the technician is his job, and with it its invoice.
    for (name, entity, id, expected) in [
        ("job", "job", &things.his_job, [true, true, true]),
        ("other-job", "job", &things.other_job, [false, true, true]),
        ("invoice", "invoice", &things.invoice, [true, true, true]),
        ("other-invoice", "invoice", &things.other_invoice, [false, true, true]),
        ("payment", "payment", &payment, [false, false, true]),
        ("customer", "customer", &things.customer, [true, true, true]),
    ] {
        let path = own(&shop.ann, "attachments", &format!("{name}.txt"));
        shop.upload(&path, &shop.ann.token, name).await.ok();
        made(&shop, "attachments", &shop.ann, row(&path, entity, id)).await;
        for (who, reads_it) in [&technician, &member, &dispatcher].into_iter().zip(expected) {
            assert_eq!(reads(&shop, who, &path).await, (reads_it, reads_it), "{name}");
        }
        assert_eq!(reads(&shop, &shop.ann, &path).await, (true, true), "{name}");
        assert_eq!(reads(&shop, &shop.bob, &path).await, (false, false), "{name}");
    }
    // A file that nothing has is the company's, as files:read says.
    let loose = own(&shop.ann, "attachments", "loose.txt");
    shop.upload(&loose, &shop.ann.token, "x").await.ok();
    assert_eq!((reads(&shop, &member, &loose).await.1, reads(&shop, &technician, &loose).await.1), (true, false));
}

#[tokio::test]
async fn who_changes_a_thing_writes_its_files() {
    let shop = Shop::open().await;
    let (technician, dispatcher, viewer) = (shop.member("technician").await, shop.member("dispatcher").await, shop.member("viewer").await);
    let things = things(&shop, &technician).await;
    let path = |name: &str| own(&shop.ann, "attachments", name);
    for (who, entity, id, expected) in [
        (&technician, "job", &things.his_job, 201),
        (&technician, "job", &things.other_job, 403),
        (&technician, "invoice", &things.invoice, 201),
        (&technician, "invoice", &things.other_invoice, 403),
        (&technician, "customer", &things.customer, 403),
        (&dispatcher, "job", &things.other_job, 201),
        (&dispatcher, "invoice", &things.invoice, 403),
        (&viewer, "job", &things.his_job, 403),
        (&shop.bob, "job", &things.his_job, 422),
    ] {
        let path = path(&format!("{}.txt", uuid::Uuid::new_v4()));
        // Whoever may upload does so first; his token need not name the company.
        let headers = [("content-type", "text/plain"), ("x-company-id", who.company.as_str())];
        let uploaded = shop.storage("POST", &format!("/object/{path}"), &who.token, (&headers, b"x".to_vec())).await;
        assert!(uploaded.status == 200 || expected != 201, "{}", uploaded.text());
        let answer = shop.post(ROWS, who, row(&path, entity, id)).await;
        assert_eq!(answer.status, expected, "{entity}: {}", answer.body);
    }
    // What there is not, and what nobody knows.
    let answer = shop.post(ROWS, &shop.ann, row(&path("n"), "job", "01900000-0000-7000-8000-00000000ffff")).await;
    Shop::refused(&answer, 422, "entity_not_found");
    let mut file = json!({ "filename": "f", "original_filename": "f", "mime_type": "text/plain", "file_size": 1, "storage_path": "x/y",
                           "entity_type": "spaceship", "entity_id": things.his_job });
    Shop::refused(&shop.post("/rest/v1/file_storage", &shop.ann, file.clone()).await, 422, "entity_type_unknown");
    file["entity_type"] = json!("job");
    Shop::refused(&shop.post("/rest/v1/file_storage", &shop.bob, file.clone()).await, 422, "entity_not_found");
    assert_eq!(shop.post("/rest/v1/file_storage", &shop.ann, file).await.status, 201);
}

#[tokio::test]
async fn nobody_opens_a_file_to_himself_by_a_row_that_names_it() {
    let shop = Shop::open().await;
    let (technician, dispatcher) = (shop.member("technician").await, shop.member("dispatcher").await);
    let things = things(&shop, &technician).await;
    let path = |name: &str| own(&shop.ann, "attachments", name);
    let secret = path("secret.txt");
    shop.upload(&secret, &shop.ann.token, "wages").await.ok();
    Shop::refused(&shop.post(ROWS, &technician, row(&secret, "job", &things.his_job)).await, 403, "file_out_of_reach");
    assert_eq!(reads(&shop, &technician, &secret).await, (false, false));
    // Neither by a change of a row that is his, nor by a row that is put in its place.
    let headers = [("content-type", "text/plain"), ("x-company-id", technician.company.as_str())];
    shop.storage("POST", &format!("/object/{}", path("his.txt")), &technician.token, (&headers, b"x".to_vec())).await.ok();
    let his = made(&shop, "attachments", &technician, row(&path("his.txt"), "job", &things.his_job)).await;
    let name = secret.split_once('/').unwrap().1;
    let change = shop.request("PATCH", &format!("{ROWS}?id=eq.{his}"), &technician).body(json!({ "storage_path": name }).to_string());
    Shop::refused(&shop.server.send(change).await, 403, "file_out_of_reach");
    let mut again = row(&secret, "job", &things.his_job);
    again["id"] = json!(his);
    let put = shop.request("POST", ROWS, &technician).header("prefer", "resolution=merge-duplicates").body(again.to_string());
    Shop::refused(&shop.server.send(put).await, 403, "file_out_of_reach");
    let mut file = json!({ "filename": "f", "original_filename": "f", "mime_type": "text/plain", "file_size": 1, "storage_bucket": "attachments",
                           "storage_path": name, "entity_type": "job", "entity_id": things.his_job });
    Shop::refused(&shop.post("/rest/v1/file_storage", &technician, file.clone()).await, 403, "file_out_of_reach");
    assert_eq!(reads(&shop, &technician, &secret).await, (false, false));
    // Nor one that is not there yet: it would open whatever comes under that name. Both are told alike.
    let later = path("later.txt");
    Shop::refused(&shop.post(ROWS, &technician, row(&later, "job", &things.his_job)).await, 403, "file_out_of_reach");
    let change = shop.request("PATCH", &format!("{ROWS}?id=eq.{his}"), &technician);
    let change = change.body(json!({ "storage_path": later.split_once('/').unwrap().1 }).to_string());
    Shop::refused(&shop.server.send(change).await, 403, "file_out_of_reach");
    let mut early = file.clone();
    early["storage_path"] = json!(later.split_once('/').unwrap().1);
    Shop::refused(&shop.post("/rest/v1/file_storage", &technician, early.clone()).await, 403, "file_out_of_reach");
    shop.upload(&later, &shop.ann.token, "wages").await.ok();
    assert_eq!(reads(&shop, &technician, &later).await, (false, false));
    // Whoever reads every file of the company writes the row before its file.
    early["storage_path"] = json!(path("early.txt").split_once('/').unwrap().1);
    assert_eq!(shop.post("/rest/v1/file_storage", &shop.ann, early).await.status, 201);
    // Whoever reads it names it, and opens it so.
    assert_eq!(shop.post("/rest/v1/file_storage", &dispatcher, file.take()).await.status, 201);
    assert!(reads(&shop, &technician, &secret).await.1);
    // Nor does he replace or remove what belongs to something that he may not change.
    let bill = path("bill.txt");
    // His token names no company: he says which one he means.
    let headers = [("content-type", "text/plain"), ("x-company-id", dispatcher.company.as_str())];
    let address = format!("/object/{bill}");
    shop.storage("POST", &address, &dispatcher.token, (&headers, b"draft".to_vec())).await.ok();
    made(&shop, "attachments", &shop.ann, row(&bill, "invoice", &things.invoice)).await;
    let put = shop.storage("PUT", &address, &dispatcher.token, (&headers, b"mine".to_vec())).await;
    put.refused("403", "AccessDenied");
    // Also when he binds it to something that he may change, too.
    made(&shop, "attachments", &dispatcher, row(&bill, "job", &things.his_job)).await;
    shop.storage("DELETE", &address, &dispatcher.token, (&headers, vec![])).await.refused("404", "NoSuchKey");
    assert_eq!(shop.fetched(&format!("/object/{bill}"), &shop.ann.token).await.text(), "draft");
}

/// Opens a session of a customer in the portal.
pub(super) async fn portal(shop: &Shop, customer: &str) -> String {
    let (id, company) = (uuid::Uuid::now_v7(), shop.ann.company.parse::<uuid::Uuid>().unwrap());
    let token = format!("thp_{}", URL_SAFE_NO_PAD.encode([id.as_bytes().as_slice(), company.as_bytes(), &[7; 32]].concat()));
    let sql = format!(
        "update public.customers set portal_enabled = true where company_id = '{company}' and id = '{customer}';
         insert into auth.portal_sessions (company_id, id, customer_id, token_hash, opened_at, expires_at)
         values ('{company}', '{id}', '{customer}', encode(sha256('{token}'), 'hex'), now(), now() + interval '1 day')"
    );
    shop.db.superuser().await.batch_execute(&sql).await.unwrap();
    token
}

/// For an hour at most, whatever he asks for, by one and by many; a member has it for a year if he likes.
async fn links_of_guests_end_soon(shop: &Shop, path: &str, guest: &str) {
    let ends = |signed: &Value| {
        let token = signed.as_str().unwrap().split_once("token=").unwrap().1;
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap()
    };
    let year = json!({ "expiresIn": 31_536_000 });
    let signed = shop.asked("POST", &format!("/object/sign/{path}"), guest, year.clone()).await.ok();
    assert_eq!(ends(&signed["signedURL"]), 3600);
    let many = json!({ "expiresIn": 31_536_000, "paths": [path.split_once('/').unwrap().1] });
    let signed = shop.asked("POST", "/object/sign/attachments", guest, many).await.ok();
    assert_eq!(ends(&signed[0]["signedURL"]), 3600);
    let signed = shop.asked("POST", &format!("/object/sign/{path}"), &shop.ann.token, year).await.ok();
    assert_eq!(ends(&signed["signedURL"]), 31_536_000);
}

#[tokio::test]
async fn a_customer_and_a_link_read_the_files_of_what_they_are_shown() {
    let shop = Shop::open().await;
    let ann = &shop.ann;
    let technician = shop.member("technician").await;
    let things = things(&shop, &technician).await;
    let ben = made(&shop, "customers", ann, json!({ "first_name": "Ben", "email": "ben@example.com" })).await;
    let sent =
        shop.request("PATCH", &format!("/rest/v1/invoices?id=eq.{}", things.invoice), ann).body(json!({ "status": "sent" }).to_string());
    assert_eq!(shop.server.send(sent).await.status, 204);
    let (ada, ben) = (portal(&shop, &things.customer).await, portal(&shop, &ben).await);
    let link = json!({ "purpose": "pay_invoice", "invoice_id": things.invoice });
    let link = shop.post("/auth/v1/links", ann, link).await;
    assert_eq!(link.status, 201, "{}", link.body);
    let link = link.body["token"].as_str().unwrap().to_owned();
    // Who reads: Ada in the portal, Ben in it, whoever has a link of the first invoice.
    for (name, entity, id, internal, expected) in [
        ("job", "job", &things.his_job, false, [true, false, false]),
        ("internal", "job", &things.his_job, true, [false, false, false]),
        ("invoice", "invoice", &things.invoice, false, [true, false, true]),
        ("draft", "invoice", &things.other_invoice, false, [false, false, false]),
        ("customer", "customer", &things.customer, false, [false, false, false]),
    ] {
        let path = own(ann, "attachments", &format!("{name}.txt"));
        shop.upload(&path, &ann.token, name).await.ok();
        let mut row = row(&path, entity, id);
        row["is_internal"] = json!(internal);
        made(&shop, "attachments", ann, row).await;
        for (who, reads_it) in [&ada, &ben, &link].into_iter().zip(expected) {
            let rows = shop.server.get(&format!("{ROWS}?select=file_name&storage_path=eq.{}", path.split_once('/').unwrap().1), who).await;
            assert_eq!(rows.body.as_array().map(Vec::len), Some(usize::from(reads_it)), "{name}: {}", rows.body);
            let file = shop.fetched(&format!("/object/{path}"), who).await;
            assert_eq!(file.status == 200 && file.text() == name, reads_it, "{name}: {}", file.text());
            // So does a list of the folder, in both manners.
            let listed = shop.asked("POST", "/object/list/attachments", who, json!({ "prefix": ann.company, "search": name })).await.ok();
            assert_eq!(listed.as_array().map(Vec::len), Some(usize::from(reads_it)), "{name}: {listed}");
            let wanted = json!({ "prefix": path.split_once('/').unwrap().1 });
            let listed = shop.asked("POST", "/object/list-v2/attachments", who, wanted).await.ok();
            assert_eq!(listed["objects"].as_array().map(Vec::len), Some(usize::from(reads_it)), "{name}: {listed}");
        }
        // They write nothing, wherever it is.
        for who in [&ada, &ben, &link] {
            shop.upload(&own(ann, "attachments", "mine.txt"), who, "x").await.refused("403", "AccessDenied");
            let gone = shop.storage("DELETE", &format!("/object/{path}"), who, (&[], vec![])).await;
            assert_ne!(gone.status, 200, "{name}");
        }
        assert_eq!(shop.fetched(&format!("/object/{path}"), &ann.token).await.text(), name);
    }
    // When the link ends and the session is over, so is this.
    let invoice = own(ann, "attachments", "invoice.txt");
    let end = "update public.public_links set revoked_at = now(); update auth.portal_sessions set ended_at = now() where token_hash =";
    shop.db.superuser().await.batch_execute(&format!("{end} encode(sha256('{ben}'), 'hex')")).await.unwrap();
    for who in [&link, &ben] {
        let after = shop.fetched(&format!("/object/{invoice}"), who).await;
        assert_ne!((after.status, after.text().as_str()), (200, "invoice"));
    }
    // A link to a file is made by whoever reads it, and what a row of a bucket of one's own names is not opened by the row.
    let path = own(ann, "attachments", "invoice.txt");
    let signed = shop.asked("POST", &format!("/object/sign/{path}"), &ada, json!({ "expiresIn": 60 })).await.ok();
    assert_eq!(shop.fetched(signed["signedURL"].as_str().unwrap(), "").await.text(), "invoice");
    links_of_guests_end_soon(&shop, &path, &ada).await;
    let service = shop.bucket(json!({})).await;
    let foreign = format!("things/{}/x.txt", ann.company);
    shop.upload(&foreign, &service, "secret").await.ok();
    made(&shop, "attachments", ann, row(&foreign, "job", &things.his_job)).await;
    shop.fetched(&format!("/object/{foreign}"), &ada).await.refused("404", "NoSuchKey");
}
