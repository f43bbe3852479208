//! Uploads that go on where they broke off, over HTTP.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::RequestBuilder;
use serde_json::json;

use super::{Came, ask, send};
use crate::rates::{Person, soon};
use crate::transfers::shop::Shop;

const RESUMABLE: &str = "/upload/resumable";

fn metadata(bucket: &str, name: &str) -> String {
    let encode = |text: &str| STANDARD.encode(text);
    format!("bucketName {},objectName {},contentType {},cacheControl {}", encode(bucket), encode(name), encode("text/plain"), encode("60"))
}

fn tus(shop: &Shop, method: &str, path: &str, who: Option<&Person>) -> RequestBuilder {
    ask(shop, method, path, who).header("tus-resumable", "1.0.0")
}

/// Begins an upload in the company's files.
fn begin(shop: &Shop, who: &Person, company: &str, name: &str, length: usize) -> RequestBuilder {
    let said = metadata("company-files", &format!("{company}/{name}"));
    tus(shop, "POST", RESUMABLE, Some(who)).header("upload-length", length).header("upload-metadata", said)
}

/// Where an upload goes on: a whole address, as clients want it.
fn place_of(came: &Came) -> String {
    let (server, place) = came.header("location").split_once("/storage/v1").unwrap();
    assert!(server.starts_with("http://"), "{server}");
    place.to_owned()
}

async fn begun(shop: &Shop, name: &str, length: usize) -> String {
    let came = send(begin(shop, &shop.ann, &shop.ann.company, name, length)).await;
    assert_eq!((came.status, came.header("upload-offset"), came.header("tus-complete")), (201, "0", ""), "{}", came.text());
    place_of(&came)
}

fn patch(shop: &Shop, who: &Person, place: &str, offset: usize, bytes: &'static str) -> RequestBuilder {
    let request = tus(shop, "PATCH", place, Some(who)).header("upload-offset", offset);
    request.header("content-type", "application/offset+octet-stream").body(bytes)
}

async fn read(shop: &Shop, name: &str) -> Came {
    send(ask(shop, "GET", &format!("/object/company-files/{}/{name}", shop.ann.company), Some(&shop.ann))).await
}

#[tokio::test]
async fn an_upload_comes_in_parts_and_becomes_an_object() {
    let shop = Shop::open().await;
    let place = begun(&shop, "plan.txt", 11).await;
    let first = send(patch(&shop, &shop.ann, &place, 0, "hello")).await;
    assert_eq!((first.status, first.header("upload-offset"), first.header("tus-resumable")), (204, "5", "1.0.0"), "{}", first.json());
    assert!(first.header("upload-expires").ends_with(" GMT"));
    let asked = send(tus(&shop, "HEAD", &place, Some(&shop.ann))).await;
    assert_eq!((asked.status, asked.header("upload-offset"), asked.header("upload-length")), (200, "5", "11"));
    assert_eq!((asked.header("cache-control"), asked.header("upload-metadata").is_empty()), ("no-store", false));
    assert_eq!(read(&shop, "plan.txt").await.code(), (400, "NoSuchKey".to_owned()), "not there before its end");
    let last = send(patch(&shop, &shop.ann, &place, 5, " world")).await;
    assert_eq!((last.status, last.header("upload-offset"), last.header("tus-complete")), (204, "11", "1"), "{}", last.text());
    assert_eq!(first.header("tus-complete"), "");
    let whole = read(&shop, "plan.txt").await;
    assert_eq!((whole.status, whole.header("content-type"), &whole.body[..]), (200, "text/plain", &b"hello world"[..]));
    assert!(whole.header("cache-control").contains("max-age=60"), "{}", whole.header("cache-control"));
    // It can still be asked for; nothing is added, and its parts are on their way out.
    assert_eq!(send(tus(&shop, "HEAD", &place, Some(&shop.ann))).await.header("upload-offset"), "11");
    assert_eq!(
        send(patch(&shop, &shop.ann, &place, 11, "!")).await.told(),
        (413, "The object exceeded the maximum allowed size".to_owned())
    );
    assert_eq!(shop.count("select count(*) from app.upload_parts").await, 0);
    assert_eq!(shop.count("select count(*) from app.blobs where state = 'intended'").await, 0);
    // Equal bytes in one go, and none at all.
    let request = begin(&shop, &shop.ann, &shop.ann.company, "again.txt", 11).header("content-type", "application/offset+octet-stream");
    let came = send(request.body("hello world")).await;
    assert_eq!((came.status, came.header("upload-offset")), (201, "11"), "{}", came.json());
    assert_eq!(read(&shop, "again.txt").await.body, "hello world");
    assert_eq!(send(begin(&shop, &shop.ann, &shop.ann.company, "none.txt", 0)).await.status, 201);
    assert_eq!(read(&shop, "none.txt").await.header("content-length"), "0");
}

#[tokio::test]
async fn an_upload_goes_on_where_the_client_asked() {
    let shop = Shop::open_with(|settings| settings.public_url = Some("https://api.example.com/x".to_owned())).await;
    let at = async |headers: &[(&str, &str)]| {
        let request = begin(&shop, &shop.ann, &shop.ann.company, &format!("{}.txt", uuid::Uuid::new_v4()), 5);
        let came = send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await;
        assert_eq!(came.status, 201, "{}", came.text());
        came.header("location").split_once("/storage/v1/upload/resumable/").unwrap().0.to_owned()
    };
    assert_eq!(at(&[("host", "files.example.com")]).await, "http://files.example.com/x");
    assert_eq!(at(&[("host", "api.example.com")]).await, "https://api.example.com/x");
    // By the number of this machine only what stands before the server asks, and what nobody configured is not heard.
    assert_eq!(at(&[]).await, "https://api.example.com/x");
    let forged = [("host", "files.example.com"), ("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "https")];
    assert_eq!(at(&forged).await, "http://files.example.com/x");
    let trusting = Shop::open_with(|settings| {
        settings.public_url = Some("https://api.example.com".to_owned());
        settings.proxies.trusted = vec!["127.0.0.0/8".to_owned()];
    })
    .await;
    let request = begin(&trusting, &trusting.ann, &trusting.ann.company, "plan.txt", 5);
    let came = send(request.header("x-forwarded-host", "files.example.com").header("x-forwarded-proto", "https")).await;
    assert!(came.header("location").starts_with("https://files.example.com/storage/v1/upload/resumable/"), "{}", came.header("location"));
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_the_rest_goes_on() {
    let shop = Shop::open().await;
    let place = begun(&shop, "plan.txt", 5).await;
    for (request, status, code) in [
        (patch(&shop, &shop.ann, &place, 3, "lo"), 409, "upload_offset_mismatch"),
        (patch(&shop, &shop.ann, &place, 0, "hello!"), 413, "EntityTooLarge"),
        (tus(&shop, "PATCH", &place, Some(&shop.ann)).header("upload-offset", "0").body("x"), 415, "tus_content_type_unsupported"),
        (patch(&shop, &shop.ann, &place, 0, "x").header("upload-checksum", "sha1 AAAA"), 400, "tus_request_invalid"),
        (patch(&shop, &shop.ann, &place, 0, "x").header("upload-checksum", "md5 AAAA"), 400, "tus_request_invalid"),
        (
            patch(&shop, &shop.ann, &place, 0, "hello").header("upload-checksum", "sha1 AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
            460,
            "tus_checksum_mismatch",
        ),
        (ask(&shop, "HEAD", &place, Some(&shop.ann)), 412, ""),
        (ask(&shop, "POST", RESUMABLE, Some(&shop.ann)).header("tus-resumable", "0.2.2"), 412, "tus_version_unsupported"),
        (tus(&shop, "POST", RESUMABLE, Some(&shop.ann)), 400, "tus_request_invalid"),
        (tus(&shop, "POST", RESUMABLE, Some(&shop.ann)).header("upload-length", "-1"), 400, "tus_request_invalid"),
        (
            tus(&shop, "POST", RESUMABLE, Some(&shop.ann)).header("upload-length", "5").header("upload-metadata", "objectName ="),
            400,
            "tus_request_invalid",
        ),
        (tus(&shop, "PATCH", "/upload/resumable/not-an-id", Some(&shop.ann)), 404, "NoSuchUpload"),
        (tus(&shop, "PATCH", "/upload/resumable/01900000-0000-7000-8000-000000000001", Some(&shop.ann)), 404, "NoSuchUpload"),
    ] {
        let came = send(request).await;
        assert_eq!((came.status, came.text().is_empty()), (status, code.is_empty()), "{code}: {}", came.text());
        assert!(!came.text().starts_with('{'), "{code}: {}", came.text());
    }
    // As `printf hello | openssl sha1 -binary | base64` says. Clients that know no PATCH say it in a header.
    let right = patch(&shop, &shop.ann, &place, 0, "hello").header("upload-checksum", "sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=");
    assert_eq!(send(right).await.status, 204);
    assert_eq!(read(&shop, "plan.txt").await.body, "hello");
    let place = begun(&shop, "other.txt", 2).await;
    let other = tus(&shop, "POST", &place, Some(&shop.ann)).header("x-http-method-override", "PATCH").header("upload-offset", "0");
    assert_eq!(send(other.header("content-type", "application/offset+octet-stream").body("ok")).await.status, 204);
    assert_eq!(read(&shop, "other.txt").await.body, "ok");
    let known = send(ask(&shop, "OPTIONS", RESUMABLE, None)).await;
    assert_eq!((known.status, known.header("tus-version"), known.header("tus-checksum-algorithm")), (204, "1.0.0", "sha1,sha256"));
    assert!(known.header("tus-extension").contains("termination") && known.header("tus-max-size").parse::<u64>().is_ok());
}

#[tokio::test]
async fn nobody_goes_on_with_what_is_anothers() {
    let shop = Shop::open().await;
    let place = begun(&shop, "plan.txt", 5).await;
    let colleague = shop.member("admin").await;
    for who in [&shop.bob, &colleague] {
        for request in [tus(&shop, "DELETE", &place, Some(who)), patch(&shop, who, &place, 0, "hello")] {
            assert_eq!(send(request).await.status, 404);
        }
        assert_eq!(send(tus(&shop, "HEAD", &place, Some(who))).await.status, 404);
    }
    assert_eq!(send(tus(&shop, "HEAD", &place, None)).await.status, 404);
    // Nor begins one where he may not write.
    let foreign = send(begin(&shop, &shop.bob, &shop.ann.company, "x.txt", 5)).await;
    assert_eq!(foreign.told(), (403, "new row violates row-level security policy".to_owned()));
    let said = metadata("company-files", &format!("{}/x.txt", shop.ann.company));
    let nobody = send(tus(&shop, "POST", RESUMABLE, None).header("upload-length", "5").header("upload-metadata", said)).await;
    assert_eq!(nobody.told(), (403, "new row violates row-level security policy".to_owned()));
    let large = send(begin(&shop, &shop.ann, &shop.ann.company, "x.txt", 60_000_000)).await;
    assert_eq!(large.told(), (413, "The object exceeded the maximum allowed size".to_owned()));
    for name in ["../x", "a//b", ".."] {
        let bad = send(begin(&shop, &shop.ann, &shop.ann.company, name, 5)).await;
        assert_eq!((bad.status, bad.text().starts_with("Invalid key: ")), (400, true), "{name}");
    }
    // Who may no longer write when the last byte comes has written nothing.
    let came = send(begin(&shop, &colleague, &shop.ann.company, "late.txt", 5)).await;
    let place = place_of(&came);
    let demoted = format!("/rest/v1/team_members?company_id=eq.{}&role=eq.admin", shop.ann.company);
    let service = shop.server.service();
    let demoted = shop.server.send(shop.server.request("PATCH", &demoted, &service).body(json!({ "role": "viewer" }).to_string())).await;
    assert!(demoted.status < 300, "{}", demoted.body);
    let refused = send(patch(&shop, &colleague, &place, 0, "hello")).await;
    assert_eq!(refused.told(), (403, "new row violates row-level security policy".to_owned()));
    assert_eq!(shop.count("select count(*) from storage.objects where name like '%late.txt'").await, 0);
}

#[tokio::test]
async fn of_two_that_go_on_at_one_place_one_wins() {
    let shop = Shop::open().await;
    let place = begun(&shop, "plan.txt", 10).await;
    let (one, other) = tokio::join!(send(patch(&shop, &shop.ann, &place, 0, "AAAAA")), send(patch(&shop, &shop.ann, &place, 0, "BBBBB")));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409]);
    let (won, letter) = if one.status == 204 { (one, b'A') } else { (other, b'B') };
    assert_eq!(won.header("upload-offset"), "5");
    assert_eq!(send(patch(&shop, &shop.ann, &place, 5, "CCCCC")).await.status, 204);
    assert_eq!(&read(&shop, "plan.txt").await.body[..6], [letter, letter, letter, letter, letter, b'C']);
}

#[tokio::test]
async fn an_upload_is_taken_back_ends_by_itself_and_is_one_of_a_bounded_number() {
    let shop = Shop::open_with(|settings| {
        settings.storage.parts.open_max = 2;
        settings.maintenance.upkeep_interval_ms = 50;
    })
    .await;
    let place = begun(&shop, "plan.txt", 10).await;
    assert_eq!(send(patch(&shop, &shop.ann, &place, 0, "AAAAA")).await.status, 204);
    assert_eq!(send(tus(&shop, "DELETE", &place, Some(&shop.ann))).await.status, 204);
    assert_eq!(send(tus(&shop, "HEAD", &place, Some(&shop.ann))).await.status, 404);
    soon("its bytes go", async || shop.count("select count(*) from app.blobs").await == 0).await;
    let place = begun(&shop, "one.txt", 10).await;
    begun(&shop, "two.txt", 10).await;
    let many = send(begin(&shop, &shop.ann, &shop.ann.company, "three.txt", 10)).await;
    assert_eq!(many.status, 429, "{}", many.text());
    shop.db.superuser().await.execute("update app.part_uploads set expires_at = now() - interval '1 second'", &[]).await.unwrap();
    // Gone, and soon forgotten; either makes room at once.
    assert!([404, 410].contains(&send(patch(&shop, &shop.ann, &place, 0, "x")).await.status));
    begun(&shop, "three.txt", 10).await;
    soon("what is over is forgotten", async || shop.count("select count(*) from app.part_uploads").await == 1).await;
}

#[tokio::test]
async fn a_link_to_upload_is_one_for_parts_too() {
    let shop = Shop::open().await;
    let name = format!("{}/guest.txt", shop.ann.company);
    let signed = shop.post(&format!("/storage/v1/object/upload/sign/company-files/{name}"), &shop.ann, json!({})).await.body;
    let token = signed["token"].as_str().unwrap_or_else(|| panic!("{signed}"));
    let begin = |name: &str, token: &str| {
        let request = tus(&shop, "POST", "/upload/resumable/sign", None).header("upload-length", "5").header("x-signature", token);
        send(request.header("upload-metadata", metadata("company-files", name)))
    };
    assert_eq!(begin(&format!("{}/else.txt", shop.ann.company), token).await.told(), (400, "Invalid signature".to_owned()));
    assert_eq!(begin(&name, "x.y").await.told(), (400, "Invalid Compact JWS".to_owned()));
    assert_eq!(begin(&name, "").await.told(), (400, "x-signature is the token of a signed link to upload".to_owned()));
    let came = begin(&name, token).await;
    assert_eq!(came.status, 201, "{}", came.json());
    let place = place_of(&came);
    assert!(place.starts_with("/upload/resumable/sign/"), "{place}");
    let go_on = || {
        let request = tus(&shop, "PATCH", &place, None).header("upload-offset", "0");
        request.header("content-type", "application/offset+octet-stream").body("hello")
    };
    assert_eq!(send(go_on()).await.told(), (400, "x-signature is the token of a signed link to upload".to_owned()));
    assert_eq!(send(go_on().header("x-signature", token)).await.status, 204);
    assert_eq!(read(&shop, "guest.txt").await.body, "hello");
}

#[tokio::test]
async fn who_gets_the_right_back_brings_to_an_end_what_was_refused() {
    let shop = Shop::open().await;
    let colleague = shop.member("admin").await;
    let come = |role: &'static str| {
        let rows = format!("/rest/v1/team_members?company_id=eq.{}&role=neq.owner", shop.ann.company);
        shop.server.send(shop.server.request("PATCH", &rows, &shop.server.service()).body(json!({ "role": role }).to_string()))
    };
    let began = send(begin(&shop, &colleague, &shop.ann.company, "late.txt", 10)).await;
    let place = place_of(&began);
    assert_eq!(send(patch(&shop, &colleague, &place, 0, "hello")).await.status, 204);
    assert!(come("viewer").await.status < 300);
    assert_eq!(send(patch(&shop, &colleague, &place, 5, "world")).await.status, 403);
    assert_eq!(send(tus(&shop, "HEAD", &place, Some(&colleague))).await.status, 403, "still refused");
    assert_eq!(read(&shop, "late.txt").await.code(), (400, "NoSuchKey".to_owned()));
    assert!(come("admin").await.status < 300);
    let asked = send(tus(&shop, "HEAD", &place, Some(&colleague))).await;
    assert_eq!((asked.status, asked.header("upload-offset")), (200, "10"));
    assert_eq!(read(&shop, "late.txt").await.body, "helloworld");
}
