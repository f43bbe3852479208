//! Files of companies: in the buckets that are there for everybody, each company has its folder, and nobody else reaches it.

use serde_json::json;

use super::own;
use crate::rates::Person;
use crate::transfers::shop::Shop;

/// Everything that somebody could do with a file, each with what it is answered where he has no right.
async fn is_kept_out(shop: &Shop, who: &str, path: &str, bucket: &str, name: &str) {
    for route in [
        format!("/object/{path}"),
        format!("/object/authenticated/{path}"),
        format!("/object/info/{path}"),
        format!("/object/public/{path}"),
    ] {
        let told = shop.fetched(&route, who).await;
        assert!(told.status == 400 && told.json()["statusCode"] == "404", "{route}: {}", told.text());
    }
    assert_eq!(shop.storage("HEAD", &format!("/object/{path}"), who, (&[], vec![])).await.status, 400);
    shop.asked("POST", &format!("/object/sign/{path}"), who, json!({ "expiresIn": 60 })).await.refused("404", "NoSuchKey");
    let many = shop.asked("POST", &format!("/object/sign/{bucket}"), who, json!({ "expiresIn": 60, "paths": [name] })).await.ok();
    assert_eq!(many[0]["signedURL"], json!(null));
    let folder = name.rsplit_once('/').unwrap().0;
    assert_eq!(shop.asked("POST", &format!("/object/list/{bucket}"), who, json!({ "prefix": folder })).await.ok(), json!([]));
    let keys = shop.asked("POST", &format!("/object/list-v2/{bucket}"), who, json!({ "prefix": folder })).await.ok();
    assert_eq!(keys, json!({ "hasNext": false, "folders": [], "objects": [] }));
    assert_eq!(shop.asked("DELETE", &format!("/object/{bucket}"), who, json!({ "prefixes": [name] })).await.ok(), json!([]));
    shop.storage("DELETE", &format!("/object/{path}"), who, (&[], vec![])).await.refused("404", "NoSuchKey");
    for route in ["/object/move", "/object/copy"] {
        let away = json!({ "bucketId": bucket, "sourceKey": name, "destinationKey": format!("{folder}/stolen") });
        shop.asked("POST", route, who, away).await.refused("404", "NoSuchKey");
    }
    // Nor does he write there, whatever is there.
    for upsert in ["true", "false"] {
        let told = shop
            .storage("POST", &format!("/object/{path}"), who, (&[("x-upsert", upsert), ("content-type", "text/plain")], b"mine".to_vec()))
            .await;
        assert!(told.json()["code"] == "AccessDenied" || told.json()["code"] == "KeyAlreadyExists" && upsert == "false", "{}", told.text());
    }
    let told = shop.upload(&format!("{bucket}/{folder}/new.txt"), who, "mine").await;
    told.refused("403", "AccessDenied");
    assert_eq!(told.json()["message"], "new row violates row-level security policy");
    shop.asked("POST", &format!("/object/upload/sign/{bucket}/{folder}/new.txt"), who, json!({})).await.refused("403", "AccessDenied");
    shop.asked("POST", &format!("/object/restore/{path}"), who, json!({})).await.refused("403", "AccessDenied");
}

#[tokio::test]
async fn a_company_reaches_its_folder_and_no_other() {
    let shop = Shop::open().await;
    let (ann, bob) = (&shop.ann, &shop.bob);
    let path = own(ann, "documents", "plan/a.txt");
    shop.upload(&path, &ann.token, "secret of ann").await.ok();
    assert_eq!(shop.fetched(&format!("/object/{path}"), &ann.token).await.text(), "secret of ann");
    let (bucket, name) = path.split_once('/').unwrap();
    // Another company, and whoever has no token or a bad one.
    is_kept_out(&shop, &bob.token, &path, bucket, name).await;
    is_kept_out(&shop, "", &path, bucket, name).await;
    shop.fetched(&format!("/object/{path}"), "not.a.token").await.refused("404", "NoSuchBucket");
    let told = shop.fetched(&format!("/object/authenticated/{path}"), "not.a.token").await;
    told.refused("403", "AccessDenied");
    assert_eq!(told.json()["error"], "Unauthorized");
    // Nothing of it is moved or copied to another company, by whoever belongs to one.
    for destination in [format!("{}/a.txt", bob.company), "a.txt".to_owned()] {
        for route in ["/object/move", "/object/copy"] {
            let told = shop
                .asked("POST", route, &ann.token, json!({ "bucketId": bucket, "sourceKey": name, "destinationKey": destination }))
                .await;
            assert!(["AccessDenied", "company_folder_required"].contains(&told.json()["code"].as_str().unwrap()), "{}", told.text());
        }
    }
    assert_eq!(shop.fetched(&format!("/object/{path}"), &ann.token).await.text(), "secret of ann");
    // The same content in two companies is kept for each.
    shop.upload(&own(bob, "documents", "a.txt"), &bob.token, "secret of ann").await.ok();
    assert_eq!(shop.blobs("stored").await, 2);
    shop.upload(&own(ann, "attachments", "again.txt"), &ann.token, "secret of ann").await.ok();
    assert_eq!(shop.blobs("stored").await, 2);
}

#[tokio::test]
async fn a_name_in_a_bucket_of_companies_begins_with_one() {
    let shop = Shop::open().await;
    let service = shop.server.service();
    let nobody = "01900000-0000-7000-8000-00000000ffff/a.txt";
    for name in ["a.txt", "x/a.txt", nobody, &shop.ann.company, &format!("{}/a.txt", shop.ann.company.to_uppercase())] {
        shop.upload(&format!("documents/{name}"), &service, "x").await.refused("400", "company_folder_required");
    }
    let path = own(&shop.ann, "documents", "by-service.txt");
    shop.upload(&path, &service, "x").await.ok();
    assert_eq!(shop.fetched(&format!("/object/{path}"), &shop.ann.token).await.text(), "x");
    let (bucket, name) = path.split_once('/').unwrap();
    let away = json!({ "bucketId": bucket, "sourceKey": name, "destinationKey": format!("{}/a.txt", shop.bob.company) });
    shop.asked("POST", "/object/move", &service, away.clone()).await.refused("400", "object_stays");
    // A copy for another company has bytes of its own.
    shop.asked("POST", "/object/copy", &service, away).await.ok();
    assert_eq!(shop.blobs("stored").await, 2);
}

#[tokio::test]
async fn who_of_a_company_may_what_his_role_says() {
    let shop = Shop::open().await;
    let ann = &shop.ann;
    let path = own(ann, "documents", "a.txt");
    shop.upload(&path, &ann.token, "of the owner").await.ok();
    let (bucket, name) = path.split_once('/').unwrap();
    let (viewer, technician, csr): (Person, Person, Person) =
        (shop.member("viewer").await, shop.member("technician").await, shop.member("csr").await);
    let reads = async |who: &Person, path: &str| {
        let request = shop.server.client.get(format!("{}/storage/v1/object/{path}", shop.server.address));
        request.bearer_auth(&who.token).header("x-company-id", &who.company).send().await.unwrap().status().as_u16()
    };
    let writes = async |who: &Person, method: &str, path: &str| {
        let request = shop.server.client.request(method.parse().unwrap(), format!("{}/storage/v1/object/{path}", shop.server.address));
        let told =
            request.bearer_auth(&who.token).header("x-company-id", &who.company).header("content-type", "text/plain").body("x").send();
        told.await.unwrap().json::<serde_json::Value>().await.unwrap()["code"].as_str().unwrap_or("done").to_owned()
    };
    // Whoever only reads.
    assert_eq!(reads(&viewer, &path).await, 200);
    assert_eq!(writes(&viewer, "POST", &own(ann, "documents", "r.txt")).await, "AccessDenied");
    assert_eq!(writes(&viewer, "DELETE", &path).await, "NoSuchKey");
    // Whoever sees what is assigned to him sees his own files, and those of his jobs.
    assert_eq!(reads(&technician, &path).await, 400);
    let his = own(ann, "documents", "his.txt");
    assert_eq!(writes(&technician, "POST", &his).await, "done");
    assert_eq!((reads(&technician, &his).await, reads(&csr, &his).await), (200, 200));
    // Whoever changes his own files changes no others.
    assert_eq!(writes(&csr, "PUT", &his).await, "AccessDenied");
    assert_eq!(writes(&csr, "DELETE", &his).await, "NoSuchKey");
    assert_eq!(writes(&technician, "PUT", &his).await, "done");
    assert_eq!(writes(&technician, "DELETE", &his).await, "done");
    assert_eq!(writes(&csr, "DELETE", &path).await, "NoSuchKey");
    let gone = shop.asked("DELETE", &format!("/object/{bucket}"), &ann.token, json!({ "prefixes": [name] })).await.ok();
    assert_eq!(gone.as_array().unwrap().len(), 1);
    // Members neither see buckets nor make any, unless a policy says so.
    assert_eq!(shop.fetched("/bucket", &ann.token).await.ok(), json!([]));
    shop.asked("POST", "/bucket", &ann.token, json!({ "id": "mine" })).await.refused("403", "AccessDenied");
    shop.asked("DELETE", "/bucket/documents", &ann.token, json!({})).await.refused("404", "NoSuchBucket");
    assert_eq!(shop.fetched("/bucket", "").await.ok(), json!([]));
    shop.storage("DELETE", "/cdn/documents", &ann.token, (&[], vec![])).await.refused("403", "AccessDenied");
    assert_eq!(shop.storage("DELETE", "/cdn/documents", &shop.server.service(), (&[], vec![])).await.ok(), json!({ "message": "success" }));
}

#[tokio::test]
async fn what_the_buckets_of_companies_take() {
    let shop = Shop::open().await;
    let ann = &shop.ann;
    let send = async |bucket: &str, kind: &str, bytes: usize| {
        shop.storage(
            "POST",
            &format!("/object/{}", own(ann, bucket, &format!("{bytes}.x"))),
            &ann.token,
            (&[("content-type", kind)], vec![b'x'; bytes]),
        )
        .await
    };
    send("avatars", "image/png", 5_242_880).await.ok();
    send("avatars", "image/png", 5_242_881).await.refused("413", "EntityTooLarge");
    send("avatars", "image/svg+xml", 1).await.refused("415", "InvalidMimeType");
    send("invoices", "application/pdf", 10).await.ok();
    send("invoices", "text/plain", 10).await.refused("415", "InvalidMimeType");
    send("company-files", "application/x-anything", 10).await.ok();
    // Avatars are public: whoever has the address sees them.
    let seen = shop.fetched(&format!("/object/public/{}", own(ann, "avatars", "5242880.x")), "").await;
    assert_eq!((seen.status, seen.bytes.len(), seen.header("cache-control")), (200, 5_242_880, "no-cache"));
    shop.fetched(&format!("/object/public/{}", own(ann, "invoices", "10.x")), "").await.refused("404", "NoSuchBucket");
}
