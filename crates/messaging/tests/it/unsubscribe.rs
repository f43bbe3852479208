//! The link in a mail by which somebody refuses a topic, and the key that browsers are told.

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request};
use kernel::CompanyId;
use outbound::unsubscribe::Refused;
use outbound::{Seal, VapidKey};
use tower::ServiceExt;

use crate::shop::Shop;

pub(crate) async fn ask(shop: &Shop, method: &str, path: &str, language: &str) -> (u16, HeaderMap, String) {
    let routes = Router::new()
        .nest("/api/v1/unsubscribe", messaging::unsubscribe_router(shop.messaging.clone()))
        .nest("/api/v1/push", messaging::push_router(shop.messaging.clone()));
    let request = Request::builder().method(method).uri(path).header("accept-language", language);
    // As a mail provider does it.
    let request =
        request.header("content-type", "application/x-www-form-urlencoded").body(Body::from("List-Unsubscribe=One-Click")).unwrap();
    let (parts, body) = routes.oneshot(request).await.unwrap().into_parts();
    let bytes = axum::body::to_bytes(body, 100_000).await.unwrap();
    (parts.status.as_u16(), parts.headers, String::from_utf8(bytes.to_vec()).unwrap())
}

const LIST: &str = "select coalesce(string_agg(concat_ws('|', c.name, s.kind, s.address_key, s.topic, s.reason), ', '), 'nobody')
                      from public.suppressions s join public.companies c on c.id = s.company_id";

#[tokio::test]
async fn one_post_is_enough_and_a_look_changes_nothing() {
    let shop = Shop::new().await;
    let ann = shop.owner("ann").await;
    shop.sql("update public.companies set name = '<script>Ann & Co'").await;
    let seal = Seal::new(std::iter::once(&b"a key of the test's own"[..])).unwrap();
    let refused = Refused { company_id: CompanyId(ann.company), address: "Eve@example.com".to_owned(), topic: "service_offers".to_owned() };
    let path = format!("/api/v1/unsubscribe/{}", refused.seal(&seal).unwrap());
    let (status, headers, page) = ask(&shop, "GET", &path, "de").await;
    assert_eq!(status, 200, "{page}");
    assert!(
        page.contains("<b>&lt;script&gt;Ann &amp; Co</b> writes to Eve@example.com about “service offers”.") && !page.contains("<script"),
        "{page}"
    );
    assert!(page.contains(&format!("<form method=\"post\" action=\"{path}\"><button>Unsubscribe</button>")), "{page}");
    assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    assert_eq!((&headers["cache-control"], &headers["referrer-policy"]), (&"no-store".parse().unwrap(), &"no-referrer".parse().unwrap()));
    assert_eq!(shop.ask(LIST).await, "nobody");
    for _ in 0..2 {
        let (status, headers, page) = ask(&shop, "POST", &path, "en").await;
        assert!(status == 200 && page.contains("will not write to") && headers.get("set-cookie").is_none(), "{status} {page}");
        assert_eq!(shop.ask(LIST).await, "<script>Ann & Co|email|eve@example.com|service_offers|unsubscribe");
    }
    // Another reason on the list stays, whatever the link says.
    shop.sql("insert into public.suppressions (company_id, kind, address_key, reason) select company_id, kind, address_key, 'complaint' from public.suppressions").await;
    let (status, _, page) = ask(&shop, "POST", &format!("{path}/again"), "es-MX").await;
    assert!(status == 200 && page.contains("volverá a escribir a Eve@example.com sobre «service offers»"), "{page}");
    assert_eq!(shop.ask(LIST).await, "<script>Ann & Co|email|eve@example.com||complaint");
    assert_eq!(ask(&shop, "GET", &format!("{path}/again"), "en").await.0, 405);
}

#[tokio::test]
async fn a_link_that_is_none_of_ours_says_and_does_nothing() {
    let shop = Shop::new().await;
    let ann = shop.owner("ann").await;
    let refused = Refused { company_id: CompanyId(ann.company), address: "eve@example.com".to_owned(), topic: "offers".to_owned() };
    let forged = refused.seal(&Seal::new(std::iter::once(&b"another key"[..])).unwrap()).unwrap();
    let good = refused.seal(&Seal::new(std::iter::once(&b"a key of the test's own"[..])).unwrap()).unwrap();
    for token in [forged.as_str(), &good[1..], "x", &"A".repeat(3000)] {
        for (method, path) in [("GET", ""), ("POST", ""), ("POST", "/again")] {
            let (status, _, body) = ask(&shop, method, &format!("/api/v1/unsubscribe/{token}{path}"), "en").await;
            assert!(status == 404 && body.contains("unsubscribe_link_not_valid"), "{method} {token}: {status} {body}");
        }
    }
    // A company that is gone has no list any more.
    let gone = Refused { company_id: CompanyId(uuid::Uuid::now_v7()), ..refused };
    let token = gone.seal(&Seal::new(std::iter::once(&b"a key of the test's own"[..])).unwrap()).unwrap();
    assert_eq!(ask(&shop, "POST", &format!("/api/v1/unsubscribe/{token}"), "en").await.0, 200);
    assert_eq!(shop.ask(LIST).await, "nobody");
}

#[tokio::test]
async fn browsers_are_told_the_key_once_there_is_one() {
    let shop = Shop::new().await;
    let (status, headers, body) = ask(&shop, "GET", "/api/v1/push/key", "en").await;
    assert!(status == 503 && body.contains("push_not_ready") && headers["retry-after"] == "1", "{body}");
    let kept = VapidKey::generate().unwrap();
    let public = VapidKey::open(&kept).unwrap().public().to_owned();
    shop.outbound.adopt_push_key(VapidKey::open(&kept).unwrap());
    let (status, _, body) = ask(&shop, "GET", "/api/v1/push/key", "en").await;
    assert_eq!((status, body), (200, format!("{{\"data\":{{\"public_key\":\"{public}\"}}}}")));
    assert!(!format!("{:?}", VapidKey::open(&kept).unwrap()).contains("pair"));
}
