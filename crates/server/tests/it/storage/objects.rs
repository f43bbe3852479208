//! Every call about objects and buckets, as the operator's service key makes it: its shape and its status.

use serde_json::{Value, json};

use crate::transfers::shop::Shop;

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[tokio::test]
async fn buckets_are_made_changed_listed_and_deleted() {
    let shop = Shop::open().await;
    let service = shop.server.service();
    let made = shop
        .asked(
            "POST",
            "/bucket",
            &service,
            json!({ "id": "b1", "name": "b1", "public": true, "file_size_limit": "20mb", "allowed_mime_types": ["image/*"] }),
        )
        .await;
    assert_eq!(made.ok(), json!({ "name": "b1" }));
    let bucket = shop.fetched("/bucket/b1", &service).await.ok();
    assert_eq!(keys(&bucket), ["allowed_mime_types", "created_at", "file_size_limit", "id", "name", "owner", "public", "updated_at"]);
    assert_eq!((&bucket["file_size_limit"], &bucket["allowed_mime_types"]), (&json!(20_000_000), &json!(["image/*"])));
    shop.asked("POST", "/bucket", &service, json!({ "id": "b1" })).await.refused("409", "BucketAlreadyExists");
    // What is not said stays, and null takes a limit away.
    let said = shop.asked("PUT", "/bucket/b1", &service, json!({ "public": false })).await.ok();
    assert_eq!(said, json!({ "message": "Successfully updated" }));
    shop.asked("PUT", "/bucket/b1", &service, json!({ "file_size_limit": null })).await.ok();
    let bucket = shop.fetched("/bucket/b1", &service).await.ok();
    assert_eq!(
        (&bucket["public"], &bucket["file_size_limit"], &bucket["allowed_mime_types"]),
        (&json!(false), &json!(null), &json!(["image/*"]))
    );
    let listed = shop.fetched("/bucket?limit=2&sortColumn=name&sortOrder=desc&search=b", &service).await.ok();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["id"], &listed[0]["type"]), (1, &json!("b1"), &json!("STANDARD")));
    for (body, code) in [
        (json!({ "id": "a/b" }), "InvalidBucketName"),
        (json!({ "id": "" }), "InvalidBucketName"),
        (json!({ "id": "x", "file_size_limit": "many" }), "InvalidRequest"),
        (json!({ "id": "x", "type": "VECTOR" }), "InvalidRequest"),
        (json!("x"), "InvalidRequest"),
    ] {
        shop.asked("POST", "/bucket", &service, body).await.refused("400", code);
    }
    shop.fetched("/bucket/none", &service).await.refused("404", "NoSuchBucket");
    shop.asked("PUT", "/bucket/none", &service, json!({})).await.refused("404", "NoSuchBucket");
    // One with files in it stays until it is empty.
    shop.asked("PUT", "/bucket/b1", &service, json!({ "allowed_mime_types": null })).await.ok();
    shop.upload("b1/a.txt", &service, "a").await.ok();
    shop.asked("DELETE", "/bucket/b1", &service, json!({})).await.refused("409", "ResourceNotEmpty");
    let emptied = shop.asked("POST", "/bucket/b1/empty", &service, json!({})).await.ok();
    assert_eq!(emptied["message"], "Empty bucket has been queued. Completion may take up to an hour.");
    assert_eq!(shop.asked("DELETE", "/bucket/b1", &service, json!({})).await.ok(), json!({ "message": "Successfully deleted" }));
    shop.asked("DELETE", "/bucket/b1", &service, json!({})).await.refused("404", "NoSuchBucket");
}

#[tokio::test]
async fn an_object_is_uploaded_read_replaced_and_removed() {
    let shop = Shop::open().await;
    let service = shop.bucket(json!({})).await;
    let up = shop.upload("things/folder/a.txt", &service, "hello world").await.ok();
    assert_eq!((keys(&up), &up["Key"]), (vec!["Id", "Key"], &json!("things/folder/a.txt")));
    let got = shop.fetched("/object/things/folder/a.txt", &service).await;
    assert_eq!((got.text().as_str(), got.header("content-type")), ("hello world", "text/plain;charset=UTF-8"));
    assert_eq!((got.header("accept-ranges"), got.header("x-robots-tag"), got.header("content-length")), ("bytes", "none", "11"));
    let etag = got.header("etag").to_owned();
    let head = shop.storage("HEAD", "/object/things/folder/a.txt", &service, (&[], vec![])).await;
    assert_eq!((head.status, head.header("content-length"), head.bytes.len()), (200, "11", 0));
    assert_eq!(shop.storage("HEAD", "/object/things/none", &service, (&[], vec![])).await.status, 400);
    let info = shop.fetched("/object/info/things/folder/a.txt", &service).await.ok();
    assert_eq!(
        keys(&info),
        ["bucket_id", "cache_control", "content_type", "created_at", "etag", "id", "last_modified", "metadata", "name", "size", "version"]
    );
    assert_eq!((&info["size"], &info["etag"], &info["metadata"], &info["id"]), (&json!(11), &json!(etag), &json!({}), &up["Id"]));
    // Ranges and conditions.
    for (name, value, status, text) in [
        ("range", "bytes=6-", 206, "world"),
        ("range", "bytes=0-4", 206, "hello"),
        ("range", "bytes=-5", 206, "world"),
        ("range", "bytes=11-", 416, ""),
        ("range", "bytes=0-1,3-4", 200, "hello world"),
        ("if-none-match", etag.as_str(), 304, ""),
        ("if-none-match", "\"other\"", 200, "hello world"),
        ("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT", 304, ""),
    ] {
        let got = shop.storage("GET", "/object/things/folder/a.txt", &service, (&[(name, value)], vec![])).await;
        assert_eq!(got.status, status, "{name}: {value}");
        if status == 416 {
            assert_eq!((got.header("content-range"), got.json()["code"].as_str()), ("bytes */11", Some("InvalidRange")));
        } else {
            assert_eq!(got.text(), text, "{name}: {value}");
        }
    }
    let part = shop.storage("GET", "/object/things/folder/a.txt", &service, (&[("range", "bytes=2-3")], vec![])).await;
    assert_eq!((part.header("content-range"), part.header("content-length")), ("bytes 2-3/11", "2"));
    // The same again is refused; replacing is said.
    shop.upload("things/folder/a.txt", &service, "again").await.refused("409", "KeyAlreadyExists");
    let replaced = shop.storage("POST", "/object/things/folder/a.txt", &service, (&[("x-upsert", "true")], b"again".to_vec())).await.ok();
    assert_eq!(replaced["Id"], up["Id"]);
    let put =
        shop.storage("PUT", "/object/things/folder/a.txt", &service, (&[("cache-control", "max-age=3600")], b"third".to_vec())).await.ok();
    assert_eq!(put["Id"], up["Id"]);
    let got = shop.fetched("/object/authenticated/things/folder/a.txt", &service).await;
    assert_eq!((got.text().as_str(), got.header("cache-control")), ("third", "private, max-age=3600"));
    assert_ne!(got.header("etag"), etag);
    let gone = shop.asked("DELETE", "/object/things", &service, json!({ "prefixes": ["folder/a.txt", "none"] })).await.ok();
    assert_eq!((gone.as_array().unwrap().len(), &gone[0]["name"], &gone[0]["id"]), (1, &json!("folder/a.txt"), &up["Id"]));
    shop.fetched("/object/things/folder/a.txt", &service).await.refused("404", "NoSuchKey");
    let missing = shop.fetched("/object/things/folder/a.txt", &service).await.json();
    assert_eq!(missing, json!({ "statusCode": "404", "error": "not_found", "message": "Object not found", "code": "NoSuchKey" }));
}

#[tokio::test]
async fn a_form_says_more_of_its_file() {
    let shop = Shop::open().await;
    let service = shop.bucket(json!({ "allowed_mime_types": ["image/*"] })).await;
    let form = "--b\r\ncontent-disposition: form-data; name=\"cacheControl\"\r\n\r\n7200\r\n--b\r\ncontent-disposition: form-data; name=\"metadata\"\r\n\r\n{\"a\":1}\r\n--b\r\ncontent-disposition: form-data; name=\"\"; filename=\"blob\"\r\ncontent-type: image/png\r\n\r\nPNG\r\n--b--\r\n";
    let headers = [("content-type", "multipart/form-data; boundary=b")];
    shop.storage("POST", "/object/things/a.png", &service, (&headers, form.into())).await.ok();
    let got = shop.fetched("/object/things/a.png", &service).await;
    assert_eq!(
        (got.text().as_str(), got.header("content-type"), got.header("cache-control")),
        ("PNG", "image/png", "private, max-age=7200")
    );
    assert_eq!(shop.fetched("/object/info/things/a.png", &service).await.ok()["metadata"], json!({ "a": 1 }));
    // The metadata of a raw body stand in a header.
    let metadata = [("content-type", "image/gif"), ("x-metadata", "eyJiIjoyfQ==")];
    shop.storage("POST", "/object/things/b.gif", &service, (&metadata, b"GIF".to_vec())).await.ok();
    assert_eq!(shop.fetched("/object/info/things/b.gif", &service).await.ok()["metadata"], json!({ "b": 2 }));
    for (name, headers, body, status, code) in [
        ("no file", vec![("content-type", "multipart/form-data; boundary=b")], "--b--\r\n", "400", "InvalidRequest"),
        ("no boundary", vec![("content-type", "multipart/form-data")], "x", "400", "upload_broken"),
        ("cut off", vec![("content-type", "multipart/form-data; boundary=b")], &form[..form.len() - 12], "400", "upload_broken"),
        ("another type", vec![("content-type", "text/html")], "x", "415", "InvalidMimeType"),
    ] {
        let told = shop.storage("POST", "/object/things/c.png", &service, (&headers, body.into())).await;
        println!("{name}");
        told.refused(status, code);
    }
    let told = shop.upload("things/c.txt", &service, "x").await.json();
    assert_eq!((&told["message"], &told["error"]), (&json!("mime type text/plain is not supported"), &json!("invalid_mime_type")));
}

#[tokio::test]
async fn folders_and_keys_are_listed() {
    let shop = Shop::open().await;
    let service = shop.bucket(json!({})).await;
    for name in ["a.txt", "b/c.txt", "b/d.txt", "b/e/f.txt", "Bz.txt"] {
        shop.upload(&format!("things/{name}"), &service, name).await.ok();
    }
    let names = |listed: &Value| listed.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let root = shop.asked("POST", "/object/list/things", &service, json!({ "prefix": "" })).await.ok();
    assert_eq!(names(&root), ["a.txt", "b", "Bz.txt"]);
    assert_eq!(
        root[1],
        json!({ "name": "b", "id": null, "updated_at": null, "created_at": null, "last_accessed_at": null, "metadata": null })
    );
    assert_eq!(keys(&root[0]["metadata"]), ["cacheControl", "contentLength", "eTag", "httpStatusCode", "lastModified", "mimetype", "size"]);
    let below = shop.asked("POST", "/object/list/things", &service, json!({ "prefix": "b/", "limit": 100, "offset": 0 })).await.ok();
    assert_eq!(names(&below), ["c.txt", "d.txt", "e"]);
    let below = json!({ "prefix": "b", "limit": 1, "offset": 1, "sortBy": { "column": "name", "order": "desc" } });
    assert_eq!(names(&shop.asked("POST", "/object/list/things", &service, below).await.ok()), ["d.txt"]);
    let found = shop.asked("POST", "/object/list/things", &service, json!({ "prefix": "", "search": "bZ" })).await.ok();
    assert_eq!(names(&found), ["Bz.txt"]);
    // By key: pages go on where the last one ended, in both directions and over folders.
    let mut walked = vec![];
    let mut cursor = Value::Null;
    loop {
        let page = shop.asked("POST", "/object/list-v2/things", &service, json!({ "limit": 2, "cursor": cursor })).await.ok();
        walked.extend(names(&page["objects"]));
        if page["hasNext"] == false {
            assert!(page.get("nextCursor").is_none());
            break;
        }
        cursor = page["nextCursor"].clone();
    }
    assert_eq!(walked, ["Bz.txt", "a.txt", "b/c.txt", "b/d.txt", "b/e/f.txt"]);
    let page = shop.asked("POST", "/object/list-v2/things", &service, json!({ "with_delimiter": true })).await.ok();
    assert_eq!(page["folders"], json!([{ "key": "b", "name": "b/" }]));
    assert_eq!((names(&page["objects"]), &page["objects"][0]["key"]), (vec!["Bz.txt".to_owned(), "a.txt".to_owned()], &json!("Bz.txt")));
    // Folders and keys by turns, one a page, from both ends: each folder once, whatever is in it.
    for (prefix, order, expected) in [
        ("", "asc", vec!["Bz.txt", "a.txt", "b/"]),
        ("", "desc", vec!["b/", "a.txt", "Bz.txt"]),
        ("b/", "asc", vec!["b/c.txt", "b/d.txt", "b/e/"]),
        ("b/", "desc", vec!["b/e/", "b/d.txt", "b/c.txt"]),
        ("b", "asc", vec!["b/"]),
    ] {
        let (mut walked, mut cursor) = (vec![], Value::Null);
        while walked.len() <= expected.len() {
            let wanted = json!({ "prefix": prefix, "with_delimiter": true, "limit": 1, "cursor": cursor, "sortBy": { "column": "name", "order": order } });
            let page = shop.asked("POST", "/object/list-v2/things", &service, wanted).await.ok();
            let found = [names(&page["folders"]), names(&page["objects"])].concat();
            assert_eq!(found.len(), 1, "{page}");
            walked.extend(found);
            cursor = page["nextCursor"].clone();
            if cursor.is_null() {
                break;
            }
        }
        assert_eq!(walked, expected, "{prefix:?} {order}");
    }
    let backwards = json!({ "prefix": "b/", "sortBy": { "column": "created_at", "order": "desc" } });
    let page = shop.asked("POST", "/object/list-v2/things", &service, backwards).await.ok();
    assert_eq!(names(&page["objects"]), ["b/e/f.txt", "b/d.txt", "b/c.txt"]);
    for bad in [json!({ "limit": 0 }), json!({ "sortBy": { "column": "owner" } }), json!({ "sortBy": { "order": "up" } })] {
        shop.asked("POST", "/object/list-v2/things", &service, bad.clone()).await.refused("400", "InvalidRequest");
        shop.asked("POST", "/object/list/things", &service, bad).await.refused("400", "InvalidRequest");
    }
    shop.asked("POST", "/object/list-v2/things", &service, json!({ "cursor": "!" })).await.refused("400", "InvalidRequest");
}

#[tokio::test]
async fn objects_are_moved_and_copied() {
    let shop = Shop::open().await;
    let service = shop.bucket(json!({})).await;
    shop.asked("POST", "/bucket", &service, json!({ "id": "others" })).await.ok();
    let id = shop.upload("things/a.txt", &service, "hello").await.ok()["Id"].clone();
    let moved = shop
        .asked("POST", "/object/move", &service, json!({ "bucketId": "things", "sourceKey": "a.txt", "destinationKey": "b/b.txt" }))
        .await;
    assert_eq!(moved.ok(), json!({ "message": "Successfully moved", "Id": id, "Key": "things/b/b.txt" }));
    shop.fetched("/object/things/a.txt", &service).await.refused("404", "NoSuchKey");
    let copy = json!({ "bucketId": "things", "sourceKey": "b/b.txt", "destinationKey": "c.txt", "destinationBucket": "others" });
    let copied = shop.asked("POST", "/object/copy", &service, copy.clone()).await.ok();
    assert_eq!((&copied["Key"], copied["Id"] == id), (&json!("others/c.txt"), false));
    shop.asked("POST", "/object/copy", &service, copy).await.refused("409", "KeyAlreadyExists");
    assert_eq!(shop.fetched("/object/others/c.txt", &service).await.text(), "hello");
    // A copy has the bytes of what it is a copy of; they stay when one of both goes.
    assert_eq!(shop.blobs("stored").await, 1);
    shop.storage("DELETE", "/object/things/b/b.txt", &service, (&[], vec![])).await.ok();
    assert_eq!(shop.fetched("/object/others/c.txt", &service).await.text(), "hello");
    let onto = json!({ "bucketId": "others", "sourceKey": "c.txt", "destinationKey": "d.txt", "destinationBucket": "things" });
    shop.upload("things/d.txt", &service, "there").await.ok();
    shop.asked("POST", "/object/move", &service, onto).await.refused("409", "KeyAlreadyExists");
    for (body, status, code) in [
        (json!({ "bucketId": "things", "sourceKey": "none", "destinationKey": "x" }), "404", "NoSuchKey"),
        (json!({ "bucketId": "others", "sourceKey": "c.txt", "destinationKey": "../x" }), "400", "InvalidKey"),
        (json!({ "bucketId": "others", "sourceKey": "c.txt", "destinationKey": "x", "destinationBucket": "none" }), "404", "NoSuchBucket"),
        (json!({}), "400", "InvalidRequest"),
    ] {
        shop.asked("POST", "/object/move", &service, body.clone()).await.refused(status, code);
        shop.asked("POST", "/object/copy", &service, body).await.refused(status, code);
    }
}

#[tokio::test]
async fn links_open_one_object_for_a_while() {
    let shop = Shop::open().await;
    let service = shop.bucket(json!({})).await;
    shop.upload("things/a b/ä.txt", &service, "hello").await.ok();
    let signed = shop.asked("POST", "/object/sign/things/a%20b/%C3%A4.txt", &service, json!({ "expiresIn": 60 })).await.ok();
    let url = signed["signedURL"].as_str().unwrap();
    assert!(url.starts_with("/object/sign/things/a b/ä.txt?token="), "{url}");
    let got = shop.fetched(&format!("{url}&download=n%C3%A4me.txt"), "").await;
    assert_eq!((got.status, got.text().as_str()), (200, "hello"));
    assert_eq!(got.header("content-disposition"), "attachment; filename=n%C3%A4me.txt; filename*=UTF-8''n%C3%A4me.txt");
    assert_eq!(shop.fetched(&format!("{url}&download="), "").await.header("content-disposition"), "attachment;");
    shop.upload("things/b.txt", &service, "other").await.ok();
    let token = url.split_once("token=").unwrap().1;
    shop.fetched(&format!("/object/sign/things/b.txt?token={token}"), "").await.refused("400", "InvalidSignature");
    shop.fetched(&format!("/object/sign/things/a%20b/%C3%A4.txt?token={token}x"), "").await.refused("400", "InvalidJWT");
    shop.fetched("/object/sign/things/b.txt", "").await.refused("400", "InvalidJWT");
    shop.storage("PUT", &format!("/object/upload/sign/things/a%20b/%C3%A4.txt?token={token}"), "", (&[], b"x".to_vec()))
        .await
        .refused("400", "InvalidSignature");
    let many = shop.asked("POST", "/object/sign/things", &service, json!({ "expiresIn": 60, "paths": ["b.txt", "none"] })).await.ok();
    assert_eq!((&many[0]["path"], &many[0]["error"], &many[1]["signedURL"]), (&json!("b.txt"), &json!(null), &json!(null)));
    assert_eq!(many[1]["error"], "Either the object does not exist or you do not have access to it");
    assert_eq!(shop.fetched(many[0]["signedURL"].as_str().unwrap(), "").await.text(), "other");
    for bad in [json!({ "expiresIn": 0 }), json!({ "expiresIn": -1 }), json!({}), json!({ "expiresIn": 99_999_999_999_u64 })] {
        shop.asked("POST", "/object/sign/things/b.txt", &service, bad).await.refused("400", "InvalidRequest");
    }
    shop.asked("POST", "/object/sign/things/none", &service, json!({ "expiresIn": 60 })).await.refused("404", "NoSuchKey");
    // A link to upload: once, unless it may replace.
    let up = shop.asked("POST", "/object/upload/sign/things/new.txt", &service, json!({})).await.ok();
    let url = up["url"].as_str().unwrap();
    assert_eq!(url, format!("/object/upload/sign/things/new.txt?token={}", up["token"].as_str().unwrap()));
    assert_eq!(
        shop.storage("PUT", url, "", (&[("content-type", "text/plain")], b"new".to_vec())).await.ok(),
        json!({ "Key": "things/new.txt" })
    );
    shop.storage("PUT", url, "", (&[], b"newer".to_vec())).await.refused("409", "KeyAlreadyExists");
    let again = shop.storage("POST", "/object/upload/sign/things/new.txt", &service, (&[("x-upsert", "true")], vec![])).await.ok();
    shop.storage("PUT", again["url"].as_str().unwrap(), "", (&[], b"newer".to_vec())).await.ok();
    assert_eq!(shop.fetched("/object/things/new.txt", &service).await.text(), "newer");
    let token = up["token"].as_str().unwrap();
    shop.fetched(&format!("/object/sign/things/new.txt?token={token}"), "").await.refused("400", "InvalidSignature");
    shop.storage("PUT", &format!("/object/upload/sign/things/b.txt?token={token}"), "", (&[], b"x".to_vec()))
        .await
        .refused("400", "InvalidSignature");
}
