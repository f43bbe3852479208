//! Customers in the portal and whoever has a link: what they list, and how long the links are good that they make.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::bound::{made, portal, row, things};
use super::own;
use crate::transfers::shop::Shop;

/// A file of the job and one of the invoice, a draft's, and whoever is shown the first and the second: Ada in the portal, and a link of the invoice.
async fn shown(shop: &Shop) -> (String, String) {
    let ann = &shop.ann;
    let technician = shop.member("technician").await;
    let things = things(shop, &technician).await;
    let sent =
        shop.request("PATCH", &format!("/rest/v1/invoices?id=eq.{}", things.invoice), ann).body(json!({ "status": "sent" }).to_string());
    assert_eq!(shop.server.send(sent).await.status, 204);
    for (name, entity, id) in
        [("job.txt", "job", &things.his_job), ("invoice.txt", "invoice", &things.invoice), ("draft.txt", "invoice", &things.other_invoice)]
    {
        let path = own(ann, "attachments", name);
        shop.upload(&path, &ann.token, name).await.ok();
        made(shop, "attachments", ann, row(&path, entity, id)).await;
    }
    shop.upload(&own(ann, "attachments", "loose.txt"), &ann.token, "loose").await.ok();
    let ada = portal(shop, &things.customer).await;
    let link = shop.post("/auth/v1/links", ann, json!({ "purpose": "pay_invoice", "invoice_id": things.invoice })).await;
    (ada, link.body["token"].as_str().unwrap().to_owned())
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn guests_list_the_files_that_they_are_shown() {
    let shop = Shop::open().await;
    let (ada, link) = shown(&shop).await;
    let company = &shop.ann.company;
    for (who, expected) in [(&ada, vec!["invoice.txt", "job.txt"]), (&link, vec!["invoice.txt"])] {
        let list = shop.asked("POST", "/object/list/attachments", who, json!({ "prefix": company })).await.ok();
        assert_eq!(names(&list), expected);
        assert_eq!(list[0]["metadata"]["mimetype"], "text/plain;charset=UTF-8");
        let root = shop.asked("POST", "/object/list/attachments", who, json!({ "prefix": "" })).await.ok();
        assert_eq!(names(&root), [company.as_str()]);
        let keys = shop.asked("POST", "/object/list-v2/attachments", who, json!({ "prefix": format!("{company}/") })).await.ok();
        let expected: Vec<String> = expected.iter().map(|name| format!("{company}/{name}")).collect();
        assert_eq!(names(&keys["objects"]), expected);
        for bucket in ["documents", "nowhere"] {
            assert_eq!(shop.asked("POST", &format!("/object/list/{bucket}"), who, json!({ "prefix": "" })).await.ok(), json!([]));
        }
        let other = json!({ "prefix": shop.bob.company });
        assert_eq!(shop.asked("POST", "/object/list/attachments", who, other).await.ok(), json!([]));
    }
}

/// For how many seconds a link is good.
fn seconds(link: &str) -> i64 {
    let claims = URL_SAFE_NO_PAD.decode(link.split_once("token=").unwrap().1.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap()
}

#[tokio::test]
async fn a_link_that_a_guest_makes_ends_with_what_let_him_in() {
    let shop = Shop::open().await;
    let (ada, link) = shown(&shop).await;
    let path = own(&shop.ann, "attachments", "invoice.txt");
    let (bucket, name) = path.split_once('/').unwrap();
    let made = async |who: &str, wanted: i64| {
        let one = shop.asked("POST", &format!("/object/sign/{path}"), who, json!({ "expiresIn": wanted })).await.ok();
        let many = json!({ "expiresIn": wanted, "paths": [name] });
        let many = shop.asked("POST", &format!("/object/sign/{bucket}"), who, many).await.ok();
        (seconds(one["signedURL"].as_str().unwrap()), seconds(many[0]["signedURL"].as_str().unwrap()))
    };
    // A member's is good for as long as he wants, a guest's for an hour at most.
    assert_eq!(made(&shop.ann.token, 1_000_000).await, (1_000_000, 1_000_000));
    for who in [&ada, &link] {
        assert_eq!(made(who, 60).await, (60, 60));
        assert_eq!(made(who, 1_000_000).await, (3600, 3600));
    }
    // And for no longer than he is let in.
    let soon = "update auth.portal_sessions set expires_at = now() + interval '10 minutes' where token_hash is not null;
                update public.public_links set expires_at = now() + interval '10 minutes'";
    shop.db.superuser().await.batch_execute(soon).await.unwrap();
    for who in [&ada, &link] {
        let (one, many) = made(who, 1_000_000).await;
        assert!((500..=600).contains(&one) && (500..=600).contains(&many), "{one} {many}");
    }
}
