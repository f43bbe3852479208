//! What becomes of bytes: nothing is left of what was refused or broke off, what was removed can be brought back for a while, and what
//! nothing names is taken away.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::own;
use crate::rates::soon;
use crate::transfers::shop::Shop;

#[tokio::test]
async fn what_is_too_large_or_breaks_off_leaves_nothing() {
    let shop = Shop::open_with(|settings| settings.storage.object_bytes_max = 2_000_000).await;
    let service = shop.bucket(json!({ "file_size_limit": 100_000 })).await;
    // Announced, and as it comes.
    shop.storage("POST", "/object/things/a", &service, (&[], vec![b'x'; 100_001])).await.refused("413", "EntityTooLarge");
    let pieces = futures_util::stream::iter((0..50).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 10_000])));
    let request = shop.server.client.post(format!("{}/storage/v1/object/things/a", shop.server.address)).bearer_auth(&service);
    let told: Value = request.body(reqwest::Body::wrap_stream(pieces)).send().await.unwrap().json().await.unwrap();
    assert_eq!((&told["statusCode"], &told["message"]), (&json!("413"), &json!("The object exceeded the maximum allowed size")));
    assert_eq!(told["error"], "Payload too large");
    shop.asked("PUT", "/bucket/things", &service, json!({ "file_size_limit": 3_000_000 })).await.refused("413", "EntityTooLarge");
    // Somebody who goes away in the middle.
    let address = shop.server.address.strip_prefix("http://").unwrap().to_owned();
    let mut socket = tokio::net::TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /storage/v1/object/things/cut HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {service}\r\ncontent-length: 50000\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(&vec![b'x'; 20_000]).await.unwrap();
    soon("the upload has begun", async || shop.blobs("all").await == 1).await;
    drop(socket);
    soon("nothing is left of it", async || shop.blobs("all").await == 0).await;
    assert_eq!(shop.count("select count(*) from storage.objects").await, 0);
    assert_eq!(files(&shop), 0);
    // What fits is taken.
    shop.storage("POST", "/object/things/a", &service, (&[], vec![b'x'; 100_000])).await.ok();
    assert_eq!(files(&shop), 1);
}

/// The server's folder of files.
fn folder(shop: &Shop) -> std::path::PathBuf {
    shop.server.folder().join("data/files")
}

/// How many files there are in the server's folder.
fn files(shop: &Shop) -> usize {
    fn below(folder: &std::path::Path) -> usize {
        let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
        entries.flatten().map(|entry| if entry.path().is_dir() { below(&entry.path()) } else { 1 }).sum()
    }
    below(&folder(shop))
}

#[tokio::test]
async fn what_was_removed_or_replaced_can_be_brought_back() {
    let shop = Shop::open().await;
    let (ann, path) = (&shop.ann, own(&shop.ann, "documents", "a.txt"));
    shop.upload(&path, &ann.token, "first").await.ok();
    let first = shop.fetched(&format!("/object/info/{path}"), &ann.token).await.ok()["version"].as_str().unwrap().to_owned();
    shop.storage("PUT", &format!("/object/{path}"), &ann.token, (&[("content-type", "text/plain")], b"second".to_vec())).await.ok();
    // A former version is read by its name, forever the same.
    let old = shop.fetched(&format!("/object/{path}?version={first}"), &ann.token).await;
    assert_eq!((old.text().as_str(), old.header("cache-control")), ("first", "private, max-age=31536000, immutable"));
    shop.fetched(&format!("/object/{path}?version={first}"), &shop.bob.token).await.refused("404", "NoSuchKey");
    shop.fetched(&format!("/object/{path}?version=x"), &ann.token).await.refused("404", "NoSuchKey");
    shop.asked("POST", &format!("/object/restore/{path}?version={first}"), &ann.token, json!({})).await.ok();
    assert_eq!(shop.fetched(&format!("/object/{path}"), &ann.token).await.text(), "first");
    // Removed, it is in the trash, and comes back as it was.
    shop.storage("DELETE", &format!("/object/{path}"), &ann.token, (&[], vec![])).await.ok();
    shop.fetched(&format!("/object/{path}"), &ann.token).await.refused("404", "NoSuchKey");
    shop.fetched(&format!("/object/{path}?version={first}"), &ann.token).await.refused("404", "NoSuchKey");
    shop.asked("POST", &format!("/object/restore/{path}"), &shop.bob.token, json!({})).await.refused("403", "AccessDenied");
    shop.asked("POST", &format!("/object/restore/{path}"), &ann.token, json!({})).await.ok();
    let back = shop.fetched(&format!("/object/{path}"), &ann.token).await;
    assert_eq!((back.text().as_str(), back.header("content-type")), ("first", "text/plain;charset=UTF-8"));
    shop.asked("POST", &format!("/object/restore/{}", own(ann, "documents", "none")), &ann.token, json!({}))
        .await
        .refused("404", "NoSuchKey");
    shop.asked("POST", &format!("/object/restore/{path}"), &ann.token, json!({})).await.refused("409", "KeyAlreadyExists");
}

#[tokio::test]
async fn what_nothing_names_is_taken_away() {
    let shop = Shop::open_with(|settings| {
        settings.maintenance.upkeep_interval_ms = 100;
        settings.storage.trash_days = 1;
        settings.storage.versions_max = 1;
    })
    .await;
    let (ann, path) = (&shop.ann, own(&shop.ann, "documents", "a.txt"));
    let client = shop.db.superuser().await;
    for text in ["one", "two", "three"] {
        shop.storage("PUT", &format!("/object/{path}"), &ann.token, (&[("content-type", "text/plain")], text.into())).await.ok();
    }
    soon("of former versions one is kept", async || files(&shop) == 2 && shop.blobs("all").await == 2).await;
    // Rows that somebody deletes by SQL take their bytes along, when the time of the trash is over.
    client.batch_execute("delete from storage.objects").await.unwrap();
    assert_eq!(files(&shop), 2);
    client.batch_execute("update app.object_versions set ended_at = ended_at - interval '2 days'").await.unwrap();
    let versions = "select count(*) from app.object_versions";
    soon("the trash is emptied", async || files(&shop) == 1 && shop.count(versions).await == 1).await;
    client.batch_execute("update app.object_versions set ended_at = ended_at - interval '40 days'").await.unwrap();
    soon("versions go in their time", async || files(&shop) == 0 && shop.blobs("all").await == 0).await;
    assert_eq!(shop.count("select sum(objects + bytes)::bigint from app.company_bytes").await, 0);
    // An upload that died before its end.
    let key = format!("{}/objects/aa/dead", ann.company);
    let file = folder(&shop).join(&key);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "half").unwrap();
    client
        .execute(
            "insert into app.blobs (key, company_id, keep_until) values ($1, $2::text::uuid, now() - interval '1 second')",
            &[&key, &ann.company],
        )
        .await
        .unwrap();
    soon("what died is taken away", async || !file.try_exists().unwrap() && shop.blobs("all").await == 0).await;
}

#[tokio::test]
async fn two_at_once_never_leave_a_row_without_its_bytes() {
    let shop = Shop::open_with(|settings| {
        settings.maintenance.upkeep_interval_ms = 50;
        settings.storage.trash_days = 0;
        settings.storage.versions_max = 0;
    })
    .await;
    let ann = &shop.ann;
    // The same bytes come and go all the time, while the server looks for what is to go.
    let worker = async |number: usize| {
        let path = own(ann, "documents", &format!("{number}.txt"));
        for _ in 0..15 {
            shop.storage("PUT", &format!("/object/{path}"), &ann.token, (&[("content-type", "text/plain")], b"the same".to_vec()))
                .await
                .ok();
            assert_eq!(shop.fetched(&format!("/object/{path}"), &ann.token).await.text(), "the same");
            shop.storage("DELETE", &format!("/object/{path}"), &ann.token, (&[], vec![])).await.ok();
        }
    };
    futures_util::future::join_all((0..6).map(worker)).await;
    soon("nothing is left", async || files(&shop) == 0 && shop.blobs("all").await == 0).await;
}

#[tokio::test]
async fn a_large_object_comes_and_goes_piece_by_piece() {
    let shop = Shop::open().await;
    let service = shop.bucket(json!({})).await;
    let pieces = futures_util::stream::iter((0..640_u32).map(|n| Ok::<_, std::io::Error>(vec![u8::try_from(n % 251).unwrap(); 102_400])));
    let request = shop.server.client.post(format!("{}/storage/v1/object/things/large", shop.server.address)).bearer_auth(&service);
    let told = request.header("content-type", "application/octet-stream").body(reqwest::Body::wrap_stream(pieces)).send().await.unwrap();
    assert_eq!(told.status(), 200);
    let address = shop.server.address.strip_prefix("http://").unwrap().to_owned();
    let mut socket = tokio::net::TcpStream::connect(&address).await.unwrap();
    let head = format!("GET /storage/v1/object/things/large HTTP/1.0\r\nhost: x\r\nauthorization: Bearer {service}\r\n\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    let (mut bytes, mut piece) = (0, vec![0; 65_536]);
    loop {
        let read = tokio::time::timeout(Duration::from_secs(30), socket.read(&mut piece)).await.unwrap().unwrap();
        if read == 0 {
            break;
        }
        bytes += read;
    }
    assert!(bytes > 65_536_000, "{bytes}");
}

#[tokio::test]
async fn a_row_says_of_its_file_what_is_true() {
    let shop = Shop::open_with(|settings| settings.maintenance.upkeep_interval_ms = 100).await;
    let (ann, bob) = (&shop.ann, &shop.bob);
    let path = own(ann, "company-files", "plan.pdf");
    let name = path.split_once('/').unwrap().1.to_owned();
    shop.storage("POST", &format!("/object/{path}"), &ann.token, (&[("content-type", "application/pdf")], b"abc".to_vec())).await.ok();
    let row = |name: &str| json!({ "filename": "plan.pdf", "original_filename": "plan.pdf", "mime_type": "image/png", "file_size": 7, "storage_bucket": "company-files", "storage_path": name });
    let added = shop
        .server
        .send(shop.request("POST", "/rest/v1/file_storage", ann).header("prefer", "return=representation").body(row(&name).to_string()))
        .await;
    assert_eq!(added.status, 201, "{}", added.body);
    let made = &added.body[0];
    assert_eq!((&made["file_size"], &made["mime_type"], &made["file_extension"]), (&json!(3), &json!("application/pdf"), &json!("pdf")));
    // As `printf abc | sha256sum` says.
    assert_eq!(made["checksum"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    // Whoever belongs to another company learns nothing of it by naming it.
    let added = shop
        .server
        .send(shop.request("POST", "/rest/v1/file_storage", bob).header("prefer", "return=representation").body(row(&name).to_string()))
        .await;
    assert_eq!((&added.body[0]["file_size"], &added.body[0]["checksum"]), (&json!(7), &json!(null)), "{}", added.body);
    // When its time is over nobody reads it any more, and it goes.
    let client = shop.db.superuser().await;
    client.batch_execute("update public.file_storage set expires_at = now() - interval '1 second' where file_size = 3").await.unwrap();
    shop.fetched(&format!("/object/{path}"), &ann.token).await.refused("404", "NoSuchKey");
    soon("what is over goes into the trash", async || shop.count("select count(*) from storage.objects").await == 0).await;
    // With its row goes a file.
    let other = own(ann, "company-files", "other.txt");
    shop.upload(&other, &ann.token, "x").await.ok();
    shop.server.send(shop.request("POST", "/rest/v1/file_storage", ann).body(row(other.split_once('/').unwrap().1).to_string())).await;
    client.batch_execute("delete from public.file_storage where storage_path like '%other.txt'").await.unwrap();
    shop.fetched(&format!("/object/{other}"), &ann.token).await.refused("404", "NoSuchKey");
}

#[tokio::test]
async fn a_company_keeps_no_more_than_its_tier_includes() {
    let shop = Shop::open().await;
    let (ann, bob) = (&shop.ann, &shop.bob);
    let client = shop.db.superuser().await;
    client.batch_execute("update app.subscription_tiers set quotas = quotas || '{\"storage_mib\": 1}'").await.unwrap();
    let send = async |who: &crate::rates::Person, name: &str, bytes: usize| {
        shop.storage("POST", &format!("/object/{}", own(who, "company-files", name)), &who.token, (&[], vec![b'x'; bytes])).await
    };
    send(ann, "a", 800_000).await.ok();
    send(ann, "b", 300_000).await.refused("402", "quota_exceeded");
    // One that does not say how large it is is looked at when it has come.
    let pieces = futures_util::stream::iter((0..30).map(|_| Ok::<_, std::io::Error>(vec![b'y'; 10_000])));
    let request = shop.server.client.post(format!("{}/storage/v1/object/{}", shop.server.address, own(ann, "company-files", "c")));
    let told: Value = request.bearer_auth(&ann.token).body(reqwest::Body::wrap_stream(pieces)).send().await.unwrap().json().await.unwrap();
    assert_eq!(told["code"], "quota_exceeded", "{told}");
    assert_eq!((files(&shop), shop.blobs("all").await), (1, 1));
    send(bob, "a", 800_000).await.ok();
}

#[tokio::test]
async fn nothing_is_left_of_a_company_that_is_gone() {
    let shop = Shop::open_with(|settings| settings.maintenance.upkeep_interval_ms = 100).await;
    let (ann, bob) = (&shop.ann, &shop.bob);
    shop.upload(&own(ann, "documents", "a.txt"), &ann.token, "of ann").await.ok();
    shop.upload(&own(ann, "documents", "b.txt"), &ann.token, "in the trash").await.ok();
    shop.storage("DELETE", &format!("/object/{}", own(ann, "documents", "b.txt")), &ann.token, (&[], vec![])).await.ok();
    shop.upload(&own(bob, "documents", "a.txt"), &bob.token, "of bob").await.ok();
    let client = shop.db.superuser().await;
    client.execute("delete from public.companies where id = $1::text::uuid", &[&ann.company]).await.unwrap();
    soon("its files are gone", async || files(&shop) == 1 && shop.blobs("all").await == 1).await;
    assert_eq!(shop.fetched(&format!("/object/{}", own(bob, "documents", "a.txt")), &bob.token).await.text(), "of bob");
}
