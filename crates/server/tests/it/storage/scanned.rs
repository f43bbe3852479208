//! Files that clamd looks at: an infected one is refused whatever way it comes, and one that was taken unseen is taken away.

use serde_json::json;
use storage::Away;
use testkit::clamd::{BYTES_MAX, Clamd, NAME, VIRUS};

use super::own;
use crate::media::picture;
use crate::rates::soon;
use crate::transfers::shop::Shop;

/// Bytes of a file that is looked at.
const LOOKED_AT_MAX: usize = BYTES_MAX + 50_000;

async fn shop(clamd: &Clamd, away: Away) -> Shop {
    Shop::open_with(|settings| {
        settings.storage.scan.address = Some(clamd.address());
        settings.storage.scan.away = away;
        // A little more than this clamd takes: of what lies between it says nothing clear.
        settings.storage.scan.bytes_max = LOOKED_AT_MAX.try_into().unwrap();
        settings.maintenance.upkeep_interval_ms = 100;
        settings.storage.json_bytes_max = 4_000_000;
    })
    .await
}

fn infected() -> String {
    format!("Dear Ann, {VIRUS}, yours, Carl")
}

/// What the feed of the company's owner says of it, once it was told.
async fn told(shop: &Shop) {
    soon("the owner is told", async || {
        shop.count("select count(*) from app.notification_events where topic = 'security' and payload::text like '%infected%'").await == 1
    })
    .await;
}

#[tokio::test]
async fn an_infected_file_is_refused_and_nothing_of_it_is_kept() {
    let clamd = Clamd::start();
    let shop = shop(&clamd, Away::Refuse).await;
    let (ann, path) = (&shop.ann, own(&shop.ann, "documents", "letter.txt"));
    let refused = shop.upload(&path, &ann.token, &infected()).await;
    refused.refused("422", "file_infected");
    assert_eq!(refused.json()["message"], format!("The file is infected: {NAME}"));
    shop.fetched(&format!("/object/{path}"), &ann.token).await.refused("404", "NoSuchKey");
    // A form, and a link to upload.
    let form = format!("--x\r\ncontent-disposition: form-data; name=\"\"; filename=\"a\"\r\n\r\n{}\r\n--x--\r\n", infected());
    let form = (&[("content-type", "multipart/form-data; boundary=x")][..], form.into_bytes());
    shop.storage("POST", &format!("/object/{path}"), &ann.token, form).await.refused("422", "file_infected");
    let link = shop.asked("POST", &format!("/object/upload/sign/{path}"), &ann.token, json!({})).await.ok();
    let link = link["url"].as_str().unwrap();
    shop.storage("PUT", link, "", (&[("content-type", "text/plain")], infected().into_bytes())).await.refused("422", "file_infected");
    // It takes no file's place, and is not found in another company's folder either.
    shop.upload(&path, &ann.token, "Dear Ann").await.ok();
    let replaced =
        shop.storage("PUT", &format!("/object/{path}"), &ann.token, (&[("content-type", "text/plain")], infected().into())).await;
    replaced.refused("422", "file_infected");
    shop.upload(&path, &shop.bob.token, &infected()).await.refused("403", "AccessDenied");
    shop.upload(&path, "", &infected()).await.refused("403", "AccessDenied");
    assert_eq!(shop.fetched(&format!("/object/{path}"), &ann.token).await.text(), "Dear Ann");
    assert_eq!(shop.count("select count(*) from app.blobs where scan_result = 'clean' and scanned_at is not null").await, 1);
    soon("nothing else is left", async || shop.blobs("all").await == 1).await;
    told(&shop).await;
    // The row of a file says what was found, whatever its writer claims.
    let (bucket, name) = path.split_once('/').unwrap();
    shop.customers(ann, 1).await;
    let customer = shop.get("/rest/v1/customers?select=id", ann).await.body[0]["id"].clone();
    let row = json!({ "file_name": "letter.txt", "original_file_name": "letter.txt", "file_size": 1, "mime_type": "text/plain",
                      "entity_type": "customer", "entity_id": customer, "storage_bucket": bucket, "storage_path": name,
                      "virus_scan_status": "failed" });
    let made = shop.post("/rest/v1/attachments", ann, row).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let seen = shop.get("/rest/v1/attachments?select=virus_scan_status,virus_scanned_at", ann).await.body;
    assert_eq!((&seen[0]["virus_scan_status"], seen[0]["virus_scanned_at"].is_string()), (&json!("clean"), true), "{seen}");
}

#[tokio::test]
async fn an_infected_upload_in_parts_is_refused_at_its_end() {
    let clamd = Clamd::start();
    let shop = shop(&clamd, Away::Refuse).await;
    let ann = &shop.ann;
    let whole = infected();
    let (first, rest) = whole.split_at(25);
    let encode = |text: &str| base64::Engine::encode(&base64::prelude::BASE64_STANDARD, text);
    let said = format!("bucketName {},objectName {}", encode("company-files"), encode(&format!("{}/film.mp4", ann.company)));
    let headers = [("tus-resumable", "1.0.0"), ("upload-length", &whole.len().to_string()), ("upload-metadata", &said)];
    let begun = shop.storage("POST", "/upload/resumable", &ann.token, (&headers, vec![])).await;
    assert_eq!(begun.status, 201, "{}", begun.text());
    let place = begun.header("location").split_once("/storage/v1").unwrap().1.to_owned();
    let patch = async |offset: usize, bytes: &str| {
        let offset = offset.to_string();
        let headers = [("tus-resumable", "1.0.0"), ("upload-offset", offset.as_str()), ("content-type", "application/offset+octet-stream")];
        shop.storage("PATCH", &place, &ann.token, (&headers, bytes.as_bytes().to_vec())).await
    };
    assert_eq!(patch(0, first).await.status, 204);
    let refused = patch(25, rest).await;
    assert_eq!((refused.status, refused.text().as_str()), (422, "The file is infected: Thorbis.Test.UNOFFICIAL"));
    assert_eq!(shop.storage("HEAD", &place, &ann.token, (&[("tus-resumable", "1.0.0")], vec![])).await.status, 404);
    soon("nothing is left of it", async || shop.blobs("all").await == 0).await;
    told(&shop).await;
}

#[tokio::test]
async fn a_scanner_that_is_away_has_files_refused() {
    let mut clamd = Clamd::start();
    let shop = shop(&clamd, Away::Refuse).await;
    let (ann, path) = (&shop.ann, own(&shop.ann, "documents", "a.txt"));
    clamd.kill();
    let away = shop.upload(&path, &ann.token, "hello").await;
    assert_eq!((away.status, &away.json()["code"]), (503, &json!("scanner_unavailable")), "{}", away.text());
    assert_eq!(away.header("retry-after"), "30");
    soon("nothing is left of it", async || shop.blobs("all").await == 0).await;
    clamd.revive();
    shop.upload(&path, &ann.token, "hello").await.ok();
    // What is too large for the scanner is taken, and says that it was not looked at.
    let large = "x".repeat(BYTES_MAX + 100_000) + VIRUS;
    shop.upload(&own(ann, "documents", "large.txt"), &ann.token, &large).await.ok();
    assert_eq!(shop.count("select count(*) from app.blobs where scan_result = 'skipped' and scanned_at is null").await, 1);
}

#[tokio::test]
async fn a_file_of_which_the_scanner_says_nothing_clear_is_refused_and_holds_up_no_other() {
    let mut clamd = Clamd::start();
    let shop = shop(&clamd, Away::Pass).await;
    let ann = &shop.ann;
    let unclear = "x".repeat(BYTES_MAX + 20_000);
    let refused = shop.upload(&own(ann, "documents", "unclear.txt"), &ann.token, &unclear).await;
    assert_eq!((refused.status, &refused.json()["code"]), (503, &json!("scanner_unavailable")), "{}", refused.text());
    clamd.kill();
    shop.upload(&own(ann, "documents", "unclear.txt"), &ann.token, &unclear).await.ok();
    shop.upload(&own(ann, "documents", "large.txt"), &ann.token, &"y".repeat(LOOKED_AT_MAX + 1)).await.ok();
    shop.upload(&own(ann, "documents", "bad.txt"), &ann.token, &infected()).await.ok();
    clamd.revive();
    soon("the infected one went", async || shop.blobs("all").await == 2).await;
    shop.fetched(&format!("/object/{}", own(ann, "documents", "bad.txt")), &ann.token).await.refused("404", "NoSuchKey");
    assert_eq!(shop.count("select count(*) from app.blobs where scan_result = 'pending' and scan_tried_at is not null").await, 1);
    assert_eq!(shop.count("select count(*) from app.blobs where scan_result = 'skipped'").await, 1);
}

#[tokio::test]
async fn what_is_found_in_bytes_holds_for_equal_ones_that_came_before() {
    let mut clamd = Clamd::start();
    let shop = shop(&clamd, Away::Pass).await;
    let ann = &shop.ann;
    clamd.kill();
    shop.upload(&own(ann, "documents", "bad.txt"), &ann.token, &infected()).await.ok();
    shop.upload(&own(ann, "documents", "good.txt"), &ann.token, "good").await.ok();
    // As if both had come before there was a scanner.
    let owner = shop.db.superuser().await;
    owner.execute("update app.blobs set scan_result = 'skipped'", &[]).await.unwrap();
    shop.upload(&own(ann, "documents", "again.txt"), &ann.token, "good").await.ok();
    assert_eq!(shop.count("select count(*) from app.blobs where scan_result = 'pending' and state = 'stored'").await, 1);
    clamd.revive();
    let refused = shop.upload(&own(ann, "documents", "bad again.txt"), &ann.token, &infected()).await;
    refused.refused("422", "file_infected");
    soon("its equal went", async || shop.blobs("all").await == 1).await;
    shop.fetched(&format!("/object/{}", own(ann, "documents", "bad.txt")), &ann.token).await.refused("404", "NoSuchKey");
    soon("the good one is clean", async || shop.count("select count(*) from app.blobs where scan_result = 'clean'").await == 1).await;
}

#[tokio::test]
async fn nobody_says_what_was_found_in_a_file_that_is_not_there() {
    let clamd = Clamd::start();
    let shop = shop(&clamd, Away::Refuse).await;
    let (ann, path) = (&shop.ann, own(&shop.ann, "documents", "later.txt"));
    let (bucket, name) = path.split_once('/').unwrap();
    shop.customers(ann, 1).await;
    let customer = shop.get("/rest/v1/customers?select=id", ann).await.body[0]["id"].clone();
    let row = json!({ "file_name": "later.txt", "original_file_name": "later.txt", "file_size": 1, "mime_type": "text/plain",
                      "entity_type": "customer", "entity_id": customer, "storage_bucket": bucket, "storage_path": name,
                      "virus_scan_status": "clean" });
    assert_eq!(shop.post("/rest/v1/attachments", ann, row).await.status, 201);
    let seen = shop.get("/rest/v1/attachments?select=virus_scan_status", ann).await.body;
    assert_eq!(seen, json!([{ "virus_scan_status": "pending" }]));
    let changed = shop.request("PATCH", "/rest/v1/attachments?file_name=eq.later.txt", ann).json(&json!({ "virus_scan_status": "clean" }));
    assert_eq!(changed.send().await.unwrap().status(), 204);
    let seen = shop.get("/rest/v1/attachments?select=virus_scan_status", ann).await.body;
    assert_eq!(seen, json!([{ "virus_scan_status": "pending" }]));
}

#[tokio::test]
async fn what_was_taken_unseen_is_looked_at_later_and_taken_away() {
    let mut clamd = Clamd::start();
    let shop = shop(&clamd, Away::Pass).await;
    let (ann, bad, good) = (&shop.ann, own(&shop.ann, "documents", "bad.txt"), own(&shop.ann, "documents", "good.txt"));
    clamd.kill();
    shop.upload(&bad, &ann.token, &infected()).await.ok();
    shop.upload(&good, &ann.token, "good").await.ok();
    let (bucket, name) = bad.split_once('/').unwrap();
    let copy = json!({ "bucketId": bucket, "sourceKey": name, "destinationKey": format!("{}/copy.txt", ann.company) });
    shop.asked("POST", "/object/copy", &ann.token, copy).await.ok();
    shop.customers(ann, 1).await;
    let customer = shop.get("/rest/v1/customers?select=id", ann).await.body[0]["id"].clone();
    let row = json!({ "file_name": "bad.txt", "original_file_name": "bad.txt", "file_size": 1, "mime_type": "text/plain",
                      "entity_type": "customer", "entity_id": customer, "storage_bucket": bucket, "storage_path": name });
    assert_eq!(shop.post("/rest/v1/attachments", ann, row).await.status, 201);
    assert_eq!(shop.count("select count(*) from public.attachments where virus_scan_status = 'pending'").await, 1);
    clamd.revive();
    soon("the good one is clean", async || {
        shop.count("select count(*) from app.blobs where scan_result = 'clean'").await == 1 && shop.blobs("all").await == 1
    })
    .await;
    for gone in [bad.clone(), own(ann, "documents", "copy.txt")] {
        shop.fetched(&format!("/object/{gone}"), &ann.token).await.refused("404", "NoSuchKey");
        shop.asked("POST", &format!("/object/restore/{gone}"), &ann.token, json!({})).await.refused("404", "NoSuchKey");
    }
    assert_eq!(shop.fetched(&format!("/object/{good}"), &ann.token).await.text(), "good");
    let found = shop.get("/rest/v1/attachments?select=virus_scan_status,virus_scan_result", ann).await.body;
    assert_eq!(found, json!([{ "virus_scan_status": "infected", "virus_scan_result": NAME }]));
    told(&shop).await;
    // Nobody but the server says what was found.
    for who in [&ann.token, &shop.server.service(), ""] {
        let asked = shop.server.post("/rest/v1/rpc/judge_blob", who, json!({ "p_key": "x", "p_result": "clean", "p_virus": null })).await;
        assert_eq!(asked.status, 404, "{}", asked.body);
    }
}

#[tokio::test]
async fn a_preview_waits_until_the_file_was_looked_at() {
    let mut clamd = Clamd::start();
    let shop = shop(&clamd, Away::Pass).await;
    let (ann, path) = (&shop.ann, own(&shop.ann, "documents", "roof.png"));
    clamd.kill();
    let photo = picture(640, 480, image::ImageFormat::Png);
    shop.storage("POST", &format!("/object/{path}"), &ann.token, (&[("content-type", "image/png")], photo)).await.ok();
    let (bucket, name) = path.split_once('/').unwrap();
    let row = json!({ "filename": "roof.png", "original_filename": "roof.png", "file_size": 1, "mime_type": "image/png",
                      "storage_bucket": bucket, "storage_path": name });
    assert_eq!(shop.post("/rest/v1/file_storage", ann, row).await.status, 201);
    let address = "/rest/v1/file_storage?select=virus_scan_status,processing_status,thumbnail_url";
    let waiting = json!([{ "virus_scan_status": "pending", "processing_status": "pending", "thumbnail_url": null }]);
    assert_eq!(shop.get(address, ann).await.body, waiting);
    // Nobody has put a task in for it.
    let tasks = "select (select count(*) from app.tasks where kind = 'make_previews') + (select count(*) from app.done_tasks where kind = 'make_previews')";
    assert_eq!((shop.count(tasks).await, shop.count("select count(*) from app.derived_images").await), (0, 0));
    clamd.revive();
    soon("the preview is made", async || shop.get(address, ann).await.body[0]["processing_status"] == "completed").await;
    let made = shop.get(address, ann).await.body[0].clone();
    assert_eq!(made["virus_scan_status"], "clean", "{made}");
    assert!(made["thumbnail_url"].as_str().is_some_and(|address| address.contains("roof.png")), "{made}");
    assert_eq!((shop.count(tasks).await, shop.count("select count(*) from app.derived_images").await), (1, 2));
}
