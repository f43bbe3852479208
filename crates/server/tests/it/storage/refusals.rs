//! Attacks by name, by type and by body.

use serde_json::json;

use super::own;
use crate::transfers::shop::Shop;

#[tokio::test]
async fn a_name_leads_nowhere_else() {
    let shop = Shop::open().await;
    let ann = &shop.ann;
    let bob = &shop.bob.company;
    let long = "x".repeat(1020);
    for name in [
        "%2e%2e%2fa",
        "..%2f..%2fa",
        "a%2f..%2f..%2fb",
        "a%00b",
        "a%5cb",
        "%2fetc%2fpasswd",
        "a%0ab",
        "a%E2%80%AEgpj.exe",
        "a%e2%88%95b",
        "%ff%fe",
        "a%3cb",
        "a//b",
        "a%2f%2fb",
        "c:%5cx",
        &long,
        &format!("..%2f{bob}%2fa"),
    ] {
        let told = shop.upload(&own(ann, "documents", name), &ann.token, "x").await;
        told.refused("400", "InvalidKey");
    }
    assert_eq!(shop.count("select count(*) from storage.objects").await + shop.blobs("all").await, 0);
    let odd = own(ann, "documents", "R%C3%A9sum%C3%A9%20(1)%20%26%20co.txt");
    shop.upload(&odd, &ann.token, "x").await.ok();
    assert_eq!(shop.fetched(&format!("/object/{odd}"), &ann.token).await.text(), "x");
}

#[tokio::test]
async fn what_somebody_uploaded_runs_nowhere() {
    let shop = Shop::open().await;
    let ann = &shop.ann;
    for kind in ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "application/javascript"] {
        let path = own(ann, "company-files", &kind.replace('/', "."));
        shop.storage("POST", &format!("/object/{path}"), &ann.token, (&[("content-type", kind)], b"<script>alert(1)</script>".to_vec()))
            .await
            .ok();
        let got = shop.fetched(&format!("/object/{path}"), &ann.token).await;
        assert_eq!((got.header("content-type"), got.header("x-content-type-options")), (kind, "nosniff"));
        assert_eq!(got.header("content-security-policy"), "default-src 'none'; style-src 'unsafe-inline'; sandbox", "{kind}");
    }
    let png = own(ann, "company-files", "a.png");
    shop.storage("POST", &format!("/object/{png}"), &ann.token, (&[("content-type", "image/png")], b"<script>".to_vec())).await.ok();
    let got = shop.fetched(&format!("/object/{png}"), &ann.token).await;
    assert_eq!(
        (got.header("content-type"), got.header("x-content-type-options"), got.header("content-security-policy")),
        ("image/png", "nosniff", "")
    );
    // Neither a type nor a name to save under ends a header.
    let got = shop.fetched(&format!("/object/{png}?download=a%0d%0ax-evil:%201%22"), &ann.token).await;
    assert_eq!((got.status, got.header("x-evil")), (200, ""));
}

#[tokio::test]
async fn a_link_ends_with_its_time() {
    let shop = Shop::open().await;
    let service = shop.bucket(json!({})).await;
    shop.upload("things/a.txt", &service, "x").await.ok();
    let url = shop.asked("POST", "/object/sign/things/a.txt", &service, json!({ "expiresIn": 1 })).await.ok()["signedURL"]
        .as_str()
        .unwrap()
        .to_owned();
    crate::rates::soon("the link is over", async || {
        shop.fetched(&url, "").await.json()["message"] == "\"exp\" claim timestamp check failed"
    })
    .await;
    // What is removed is gone for whoever has a link, too.
    let url = shop.asked("POST", "/object/sign/things/a.txt", &service, json!({ "expiresIn": 60 })).await.ok()["signedURL"]
        .as_str()
        .unwrap()
        .to_owned();
    shop.storage("DELETE", "/object/things/a.txt", &service, (&[], vec![])).await.ok();
    shop.fetched(&url, "").await.refused("404", "NoSuchKey");
}

#[tokio::test]
async fn what_has_no_route_is_answered_in_the_same_shape() {
    let shop = Shop::open().await;
    let service = shop.server.service();
    shop.fetched("/nothing", &service).await.refused("404", "route_not_found");
    shop.asked("PATCH", "/bucket", &service, json!({})).await.refused("405", "method_not_allowed");
    shop.storage("POST", "/bucket", &service, (&[], b"{".to_vec())).await.refused("400", "InvalidRequest");
    let large = format!("{{\"prefix\":\"{}\"}}", "x".repeat(1_100_000));
    shop.storage("POST", "/object/list/documents", &service, (&[], large.into())).await.refused("413", "EntityTooLarge");
    let many: Vec<String> = (0..1001).map(|n| n.to_string()).collect();
    shop.asked("DELETE", "/object/documents", &service, json!({ "prefixes": many })).await.refused("400", "InvalidRequest");
    shop.upload("none/a.txt", &service, "x").await.refused("404", "NoSuchBucket");
}

#[tokio::test]
async fn a_type_that_carries_another_is_none() {
    let shop = Shop::open().await;
    let ann = &shop.ann;
    for said in ["image/png,text/html", "image/png;a=b, text/html"] {
        for bucket in ["avatars", "attachments"] {
            let path = format!("/object/{}", own(ann, bucket, "a.png"));
            shop.storage("POST", &path, &ann.token, (&[("content-type", said)], b"<b>".to_vec())).await.refused("415", "InvalidMimeType");
        }
    }
}

#[tokio::test]
async fn what_fails_is_not_told_as_what_is_not_there() {
    let shop = Shop::open().await;
    let ann = &shop.ann;
    let path = own(ann, "attachments", "a.txt");
    shop.upload(&path, &ann.token, "a").await.ok();
    let broken = "create function public.broken() returns boolean language plpgsql as $$ begin
                    raise exception using errcode = 'XX000', message = 'broken'; end $$;
                  grant execute on function public.broken() to authenticated;
                  create policy broken on storage.objects as restrictive for select to authenticated using (public.broken())";
    shop.db.superuser().await.batch_execute(broken).await.unwrap();
    let told = shop.fetched(&format!("/object/authenticated/{path}"), &ann.token).await;
    assert_eq!((told.status, &told.json()["statusCode"]), (500, &json!("500")), "{}", told.text());
}
