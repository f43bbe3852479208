//! Files in a store that speaks S3 in place of the folder: everything that touches bytes, and the store that goes away.

use serde_json::json;
use testkit::object_store::{ACCESS_KEY, BUCKET, ObjectStore, SECRET_KEY, Trouble};

use super::own;
use crate::rates::soon;
use crate::transfers::shop::Shop;

async fn shop(store: &ObjectStore) -> Shop {
    Shop::open_with(|settings| {
        let s3 = &mut settings.blobs.s3;
        s3.endpoint = Some(store.address().to_owned());
        s3.bucket = BUCKET.to_owned();
        s3.access_key = Some(kernel::Secret::new(ACCESS_KEY.to_owned()));
        s3.secret_key = Some(kernel::Secret::new(SECRET_KEY.to_owned()));
        s3.tries = 2;
        s3.part_bytes = 5_242_880;
        settings.maintenance.upkeep_interval_ms = 100;
        settings.storage.trash_days = 1;
        settings.storage.versions_max = 1;
    })
    .await
}

#[tokio::test]
async fn objects_live_in_a_store_as_in_a_folder() {
    let store = ObjectStore::start().await;
    let shop = shop(&store).await;
    let (ann, path) = (&shop.ann, own(&shop.ann, "documents", "a.txt"));
    shop.upload(&path, &ann.token, "hello world").await.ok();
    assert_eq!(store.names().len(), 1);
    assert!(store.names()[0].starts_with(&format!("{}/objects/", ann.company)), "{:?}", store.names());
    let part = shop.storage("GET", &format!("/object/{path}"), &ann.token, (&[("range", "bytes=6-")], vec![])).await;
    assert_eq!((part.status, part.text().as_str(), part.header("content-range")), (206, "world", "bytes 6-10/11"));
    let beyond = shop.storage("GET", &format!("/object/{path}"), &ann.token, (&[("range", "bytes=11-")], vec![])).await;
    assert_eq!((beyond.status, &beyond.json()["code"]), (416, &json!("InvalidRange")));
    // Another company, and whoever has no token.
    for (who, code) in [(shop.bob.token.as_str(), "NoSuchKey"), ("", "NoSuchBucket")] {
        shop.fetched(&format!("/object/{path}"), who).await.refused("404", code);
    }
    // Equal files of one company are kept once, of two never; a copy shares its bytes.
    shop.upload(&own(ann, "documents", "b.txt"), &ann.token, "hello world").await.ok();
    let (bucket, name) = path.split_once('/').unwrap();
    let copy = json!({ "bucketId": bucket, "sourceKey": name, "destinationKey": format!("{}/c.txt", ann.company) });
    shop.asked("POST", "/object/copy", &ann.token, copy).await.ok();
    soon("they are kept once", async || store.names().len() == 1).await;
    shop.upload(&own(&shop.bob, "documents", "b.txt"), &shop.bob.token, "hello world").await.ok();
    assert_eq!(store.names().len(), 2);
    // Versions and the trash.
    let path = own(ann, "documents", "v.txt");
    for text in ["one", "two", "three"] {
        shop.storage("PUT", &format!("/object/{path}"), &ann.token, (&[("content-type", "text/plain")], text.into())).await.ok();
    }
    soon("of former versions one is kept", async || store.names().len() == 4).await;
    shop.storage("DELETE", &format!("/object/{path}"), &ann.token, (&[], vec![])).await.ok();
    shop.asked("POST", &format!("/object/restore/{path}"), &ann.token, json!({})).await.ok();
    assert_eq!(shop.fetched(&format!("/object/{path}"), &ann.token).await.text(), "three");
    let client = shop.db.superuser().await;
    client
        .batch_execute("delete from storage.objects; update app.object_versions set ended_at = ended_at - interval '40 days'")
        .await
        .unwrap();
    soon("everything is taken away", async || store.names().is_empty() && shop.blobs("all").await == 0).await;
}

#[tokio::test]
async fn large_files_and_uploads_in_parts_come_to_their_end() {
    let store = ObjectStore::start().await;
    let shop = shop(&store).await;
    let ann = &shop.ann;
    let film: Vec<u8> = (0..7_000_000_usize).map(|number| u8::try_from(number * 31 % 251).unwrap()).collect();
    let path = own(ann, "company-files", "film.mp4");
    shop.storage("POST", &format!("/object/{path}"), &ann.token, (&[("content-type", "video/mp4")], film.clone())).await.ok();
    // The line to the store breaks while it is read.
    store.trouble([Trouble::BreakOff(3_000_000)]);
    assert!(shop.fetched(&format!("/object/{path}"), &ann.token).await.bytes == film);
    let encode = |text: &str| base64::Engine::encode(&base64::prelude::BASE64_STANDARD, text);
    let said = format!("bucketName {},objectName {}", encode("company-files"), encode(&format!("{}/again.mp4", ann.company)));
    let headers = [("tus-resumable", "1.0.0"), ("upload-length", "7000000"), ("upload-metadata", said.as_str())];
    let begun = shop.storage("POST", "/upload/resumable", &ann.token, (&headers, vec![])).await;
    let place = begun.header("location").split_once("/storage/v1").unwrap().1.to_owned();
    for (offset, bytes) in [("0", &film[..1_000_000]), ("1000000", &film[1_000_000..])] {
        let headers = [("tus-resumable", "1.0.0"), ("upload-offset", offset), ("content-type", "application/offset+octet-stream")];
        let came = shop.storage("PATCH", &place, &ann.token, (&headers, bytes.to_vec())).await;
        assert_eq!(came.status, 204, "{}", came.text());
    }
    let whole = shop.fetched(&format!("/object/{}", own(ann, "company-files", "again.mp4")), &ann.token).await;
    assert!(whole.bytes == film);
    soon("equal bytes are kept once, and no part is left", async || store.names().len() == 1 && store.parts() == 0).await;
}

#[tokio::test]
async fn a_store_that_is_away_is_said_and_nothing_is_half_there() {
    let store = ObjectStore::start().await;
    let shop = shop(&store).await;
    let (ann, path) = (&shop.ann, own(&shop.ann, "documents", "a.txt"));
    shop.upload(&path, &ann.token, "before").await.ok();
    store.shut(true);
    let put = (&[("content-type", "text/plain")][..], b"after".to_vec());
    for told in [
        shop.upload(&own(ann, "documents", "b.txt"), &ann.token, "new").await,
        shop.storage("PUT", &format!("/object/{path}"), &ann.token, put).await,
        shop.fetched(&format!("/object/{path}"), &ann.token).await,
    ] {
        assert_eq!((told.status, &told.json()["code"]), (503, &json!("blob_store_unavailable")), "{}", told.text());
        assert_eq!(told.header("retry-after"), "5");
    }
    // What needs no bytes goes on: it is removed, and taken away when the store is back.
    let gone = own(ann, "documents", "b.txt");
    shop.fetched(&format!("/object/info/{gone}"), &ann.token).await.refused("404", "NoSuchKey");
    store.shut(false);
    assert_eq!(shop.fetched(&format!("/object/{path}"), &ann.token).await.text(), "before");
    soon("nothing is left of what was refused", async || store.names().len() == 1 && shop.blobs("all").await == 1).await;
}
