//! What clients know of storage from elsewhere: how they write what they ask, and the words in which they are answered.

use serde_json::{Value, json};

use super::own;
use crate::transfers::shop::Shop;

fn names(listed: &Value) -> Vec<&str> {
    listed.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn numbers_and_booleans_may_be_texts() {
    let shop = Shop::open().await;
    let service = shop.bucket(json!({ "public": "true", "file_size_limit": "1.5kb" })).await;
    let bucket = shop.fetched("/bucket/things", &service).await.ok();
    assert_eq!((&bucket["public"], &bucket["file_size_limit"]), (&json!(true), &json!(1500)));
    shop.asked("PUT", "/bucket/things", &service, json!({ "public": "false" })).await.ok();
    for name in ["a.txt", "b.txt"] {
        shop.upload(&format!("things/{name}"), &service, name).await.ok();
    }
    for seconds in [json!("3600"), json!(3600.0), json!(315_360_000)] {
        let signed = shop.asked("POST", "/object/sign/things/a.txt", &service, json!({ "expiresIn": seconds })).await.ok();
        assert_eq!(shop.fetched(signed["signedURL"].as_str().unwrap(), "").await.text(), "a.txt", "{seconds}");
    }
    for bad in [json!("an hour"), json!(1.5), json!([60]), json!(null), json!("0")] {
        shop.asked("POST", "/object/sign/things/a.txt", &service, json!({ "expiresIn": bad })).await.refused("400", "InvalidRequest");
    }
    let listing = json!({ "prefix": null, "limit": "1", "offset": "1", "search": null, "sortBy": null });
    assert_eq!(names(&shop.asked("POST", "/object/list/things", &service, listing).await.ok()), ["b.txt"]);
    let listing = json!({ "prefix": null, "limit": "1", "with_delimiter": "false", "cursor": null });
    let page = shop.asked("POST", "/object/list-v2/things", &service, listing).await.ok();
    assert_eq!((names(&page["objects"]), &page["hasNext"]), (vec!["a.txt"], &json!(true)));
}

#[tokio::test]
async fn what_is_in_a_public_bucket_everybody_reads() {
    let shop = Shop::open().await;
    let service = shop.bucket(json!({ "public": true })).await;
    shop.asked("POST", "/bucket", &service, json!({ "id": "closed" })).await.ok();
    for bucket in ["things", "closed"] {
        shop.upload(&format!("{bucket}/a.txt"), &service, "hello").await.ok();
    }
    let ann = shop.ann.token.as_str();
    for who in [ann, "", "a.b.c", "none"] {
        let got = shop.fetched("/object/things/a.txt", who).await;
        assert_eq!((got.status, got.text().as_str(), got.header("cache-control")), (200, "hello", "no-cache"), "{who}");
        assert_eq!(shop.storage("HEAD", "/object/things/a.txt", who, (&[], vec![])).await.status, 200, "{who}");
        assert_eq!(shop.fetched("/object/info/things/a.txt", who).await.ok()["size"], 5, "{who}");
        shop.fetched("/object/things/none", who).await.refused("404", "NoSuchKey");
        // Nothing but reading it, and nothing of a bucket that is not public or not there.
        shop.upload("things/b.txt", who, "x").await.refused("403", "AccessDenied");
        for bucket in ["closed", "none"] {
            let told = shop.fetched(&format!("/object/{bucket}/a.txt"), who).await;
            let code = if who == ann && bucket == "closed" { "NoSuchKey" } else { "NoSuchBucket" };
            told.refused("404", code);
            shop.fetched(&format!("/object/info/{bucket}/a.txt"), who).await.refused("404", code);
        }
    }
    assert_eq!(shop.fetched("/object/authenticated/things/a.txt", ann).await.text(), "hello");
    shop.fetched("/object/authenticated/things/a.txt", "").await.refused("404", "NoSuchBucket");
    shop.fetched("/object/authenticated/things/a.txt", "a.b.c").await.refused("403", "AccessDenied");
    shop.fetched("/object/authenticated/none/a.txt", ann).await.refused("404", "NoSuchBucket");
    let told = shop.fetched("/object/none/a.txt", ann).await.json();
    assert_eq!(told, json!({ "statusCode": "404", "error": "Bucket not found", "message": "Bucket not found", "code": "NoSuchBucket" }));
    shop.fetched("/object/things/a%2f%2fb", ann).await.refused("400", "InvalidKey");
}

#[tokio::test]
async fn a_bad_token_is_told_in_known_words() {
    let shop = Shop::open().await;
    let signed = shop.ann.token.rsplit_once('.').unwrap().0;
    for (token, message) in [
        ("none", "Invalid Compact JWS".to_owned()),
        ("a.b", "Invalid Compact JWS".to_owned()),
        (&*format!("{signed}.AAAA"), "signature verification failed".to_owned()),
    ] {
        let told = shop.fetched("/bucket", token).await;
        let expected = json!({ "statusCode": "403", "error": "Unauthorized", "message": message, "code": "AccessDenied" });
        assert_eq!((told.status, told.json()), (400, expected), "{token}");
    }
}

#[tokio::test]
async fn what_is_refused_is_told_in_known_words() {
    let shop = Shop::open().await;
    let service = shop.bucket(json!({ "allowed_mime_types": ["image/*", "text/plain; charset=utf-8"] })).await;
    for types in [json!(["image"]), json!(["image/png", "a b/c"]), json!(["text/plain;x=y"])] {
        let told = shop.asked("POST", "/bucket", &service, json!({ "id": "x", "allowed_mime_types": types })).await;
        told.refused("415", "InvalidMimeType");
        let bad = types.as_array().unwrap().last().unwrap().as_str().unwrap();
        let (error, message) = (&told.json()["error"], &told.json()["message"]);
        assert_eq!((error, message), (&json!("invalid_mime_type"), &json!(format!("mime type {bad} is not supported"))));
    }
    let told = shop.asked("POST", "/bucket", &service, json!({ "id": "x", "file_size_limit": "many" })).await.json();
    assert_eq!(told["message"], "Invalid file size format, hint: use 20GB / 20MB / 30KB / 3B");
    assert_eq!(shop.asked("POST", "/bucket", &service, json!({ "id": "a/b" })).await.json()["error"], "Invalid Input");
    shop.upload("things/a.txt", &service, "x").await.ok();
    let told = shop.asked("DELETE", "/bucket/things", &service, json!({})).await.json();
    assert_eq!((&told["error"], &told["statusCode"]), (&json!("ResourceNotEmpty"), &json!("409")));
    shop.asked("POST", "/bucket", &service, json!({ "id": "my-Images" })).await.ok();
    for (search, found) in [("images", 1), ("-i", 1), ("y-I", 1), ("q", 0)] {
        let listed = shop.fetched(&format!("/bucket?search={search}"), &service).await.ok();
        assert_eq!(listed.as_array().unwrap().len(), found, "{search}");
    }
    // What holds a folder open is taken by every bucket, and is nothing else.
    let empty = [("content-type", "application/json")];
    shop.storage("POST", "/object/things/new/.emptyFolderPlaceholder", &service, (&empty, vec![])).await.ok();
    shop.storage("POST", "/object/things/b/.emptyFolderPlaceholder", &service, (&empty, b"x".to_vec()))
        .await
        .refused("413", "EntityTooLarge");
}

#[tokio::test]
async fn a_folder_is_listed_without_case() {
    let shop = Shop::open().await;
    let service = shop.bucket(json!({})).await;
    for name in ["b.txt", "A.txt", "Folder/c.txt", "Folder/Inner/d.txt", "folder/E.txt", "c/x.txt"] {
        shop.upload(&format!("things/{name}"), &service, name).await.ok();
    }
    let list = async |wanted: Value| shop.asked("POST", "/object/list/things", &service, wanted).await.ok();
    assert_eq!(names(&list(json!({})).await), ["A.txt", "b.txt", "c", "Folder", "folder"]);
    assert_eq!(names(&list(json!({ "sortBy": { "column": "name", "order": "desc" } })).await), ["folder", "Folder", "c", "b.txt", "A.txt"]);
    assert_eq!(names(&list(json!({ "prefix": "FOLDER" })).await), ["c.txt", "E.txt", "Inner"]);
    assert_eq!(names(&list(json!({ "prefix": "folder/", "search": "e" })).await), ["E.txt"]);
    let sorted = list(json!({ "sortBy": { "column": "created_at", "order": "desc" } })).await;
    assert_eq!(names(&sorted), ["folder", "Folder", "c", "A.txt", "b.txt"]);
}

#[tokio::test]
async fn a_form_has_further_fields() {
    let shop = Shop::open().await;
    let service = shop.bucket(json!({})).await;
    let field = |name: &str, said: &str| format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{said}\r\n");
    let send = async |name: &str, fields: String, file: &str| {
        let form =
            format!("{fields}--b\r\ncontent-disposition: form-data; name=\"{file}\"\r\ncontent-type: text/plain\r\n\r\nhello\r\n--b--\r\n");
        let headers = [("content-type", "multipart/form-data; boundary=b")];
        shop.storage("POST", &format!("/object/things/{name}"), &service, (&headers, form.into())).await
    };
    let fields = field("contentType", "image/png") + &field("userMetadata", "{\"a\":1}") + &field("else", "x");
    send("a.png", fields, "").await.ok();
    let info = shop.fetched("/object/info/things/a.png", &service).await.ok();
    assert_eq!((&info["content_type"], &info["metadata"], &info["size"]), (&json!("image/png"), &json!({ "a": 1 }), &json!(5)));
    send("b.txt", field("metadata", "no json"), "file").await.ok();
    assert_eq!(shop.fetched("/object/info/things/b.txt", &service).await.ok()["metadata"], json!({}));
    send("c.txt", field("metadata", "[1,\"x\"]"), "").await.ok();
    assert_eq!(shop.fetched("/object/info/things/c.txt", &service).await.ok()["metadata"], json!([1, "x"]));
    send("d.txt", field("metadata", &format!("{{\"a\":\"{}\"}}", "x".repeat(1_000_000))), "").await.ok();
    let told = send("e.txt", field("metadata", &"x".repeat(1_048_577)), "").await;
    told.refused("413", "EntityTooLarge");
    assert_eq!(told.json()["message"], "The user_metadata exceeded the maximum allowed size");
    send("f.txt", String::new(), "unknown").await.refused("400", "InvalidRequest");
    // In a header: `[1]` in base64, what is no base64, and what is no JSON.
    for (name, said, expected) in [("g", "WzFd", json!([1])), ("h", "!", json!({})), ("i", "bm8=", json!({}))] {
        shop.storage("POST", &format!("/object/things/{name}"), &service, (&[("x-metadata", said)], b"x".to_vec())).await.ok();
        assert_eq!(shop.fetched(&format!("/object/info/things/{name}"), &service).await.ok()["metadata"], expected, "{said}");
    }
}

#[tokio::test]
async fn a_copy_is_what_is_said_of_it() {
    let shop = Shop::open().await;
    let service = shop.server.service();
    let path = own(&shop.ann, "documents", "a.txt");
    let headers = [("content-type", "text/plain"), ("cache-control", "max-age=60"), ("x-metadata", "eyJhIjoxfQ==")];
    shop.storage("POST", &format!("/object/{path}"), &shop.ann.token, (&headers, b"hello".to_vec())).await.ok();
    let (bucket, name) = path.split_once('/').unwrap();
    let copy = async |to: &str, also: Value| {
        let mut body = json!({ "bucketId": bucket, "sourceKey": name, "destinationKey": format!("{}/{to}", shop.ann.company) });
        body.as_object_mut().unwrap().extend(also.as_object().unwrap().clone());
        let headers = [("content-type", "application/json"), ("x-metadata", "eyJiIjoyfQ==")];
        shop.storage("POST", "/object/copy", &shop.ann.token, (&headers, body.to_string().into())).await.ok()
    };
    let other = json!({ "cacheControl": "max-age=9", "mimetype": "text/csv" });
    let same = copy("same.txt", json!({ "metadata": other })).await;
    assert_eq!((&same["metadata"]["mimetype"], &same["metadata"]["cacheControl"]), (&json!("text/plain"), &json!("max-age=60")));
    assert_eq!((&same["user_metadata"], &same["owner"]), (&json!({ "a": 1 }), &same["owner_id"]));
    let changed = copy("changed.txt", json!({ "metadata": other, "copyMetadata": false })).await;
    assert_eq!((&changed["metadata"]["mimetype"], &changed["metadata"]["cacheControl"]), (&json!("text/csv"), &json!("max-age=9")));
    assert_eq!((&changed["user_metadata"], &changed["metadata"]["size"]), (&json!({ "b": 2 }), &json!(5)));
    assert_eq!((&changed["Id"], &changed["Key"]), (&changed["id"], &json!(own(&shop.ann, bucket, "changed.txt"))));
    assert!(
        ["created_at", "updated_at", "last_accessed_at", "version", "bucket_id"].iter().all(|name| changed[name].is_string()),
        "{changed}"
    );
    assert_eq!(
        shop.fetched(&format!("/object/{}", own(&shop.ann, bucket, "changed.txt")), &service).await.header("content-type"),
        "text/csv"
    );
}

#[tokio::test]
async fn nobody_keeps_what_a_link_led_to_for_longer() {
    let shop = Shop::open().await;
    let service = shop.bucket(json!({})).await;
    shop.storage("POST", "/object/things/a.txt", &service, (&[("cache-control", "max-age=31536000")], b"x".to_vec())).await.ok();
    let sign = async |body: Value| shop.asked("POST", "/object/sign/things/a.txt", &service, body).await;
    let url = sign(json!({ "expiresIn": 600, "transform": { "format": "origin" } })).await.ok()["signedURL"].as_str().unwrap().to_owned();
    assert!(url.starts_with("/object/sign/things/a.txt?token="), "{url}");
    let got = shop.fetched(&format!("{url}&download=a%20(1)!.txt"), "").await;
    let seconds: u64 = got.header("cache-control").strip_prefix("private, max-age=").unwrap().parse().unwrap();
    assert!((1..=600).contains(&seconds), "{seconds}");
    assert!(got.header("expires").ends_with(" GMT"), "{}", got.header("expires"));
    assert_eq!(got.header("content-disposition"), "attachment; filename=a%20(1)!.txt; filename*=UTF-8''a%20(1)!.txt");
    for bad in [json!({ "width": -1 }), json!({ "resize": "turn" }), json!({ "format": "gif" }), json!({ "quality": 5 })] {
        sign(json!({ "expiresIn": 600, "transform": bad })).await.refused("400", "image_parameters_invalid");
    }
    let made = sign(json!({ "expiresIn": 600, "transform": { "width": 5000, "height": 0, "format": "avif" } })).await.ok();
    assert!(made["signedURL"].as_str().unwrap().starts_with("/render/image/sign/"), "{made}");
}
