//! A payment that is sent again because its answer was lost.

use serde_json::{Value, json};

use crate::money::{FULL, Shop, id};
use crate::server::Said;

fn keyed(shop: &Shop, invoice: &str, amount: i64) -> Value {
    let mut payment = shop.cash(invoice, amount);
    payment["idempotency_key"] = json!("order-7");
    payment
}

#[tokio::test]
async fn a_repeat_answers_the_first_row() {
    let shop = Shop::new().await;
    let invoice = shop.invoice(1000).await;
    let payment = keyed(&shop, &invoice, 400);
    let first = shop.server.post(&shop.ann, "payments", payment.clone(), FULL).await;
    assert_eq!(first.status, 201);
    shop.change(&format!("payments?id=eq.{}", id(&first.body[0])), json!({ "notes": "counted" })).await.ok();
    let again = shop.server.post(&shop.ann, "payments?select=id,notes", payment.clone(), FULL).await;
    assert_eq!((again.status, &again.body), (200, &json!([{ "id": first.body[0]["id"], "notes": "counted" }])));
    let object = Said { prefer: FULL, accept: "application/vnd.pgrst.object+json", header: None };
    let one = shop.server.call(&shop.ann, ("POST", "payments"), Some(payment.to_string()), object).await;
    assert_eq!((one.status, &one.body["id"]), (200, &first.body[0]["id"]));
    let minimal = shop.server.post(&shop.ann, "payments", json!([payment]), "").await;
    assert_eq!((minimal.status, minimal.text.as_str()), (200, ""));
    let place = shop.server.post(&shop.ann, "payments", payment.clone(), "return=headers-only").await;
    assert_eq!(place.header("location"), format!("/payments?id=eq.{}", id(&first.body[0])));
    assert_eq!(
        (shop.standing(&invoice).await.0, shop.server.get(&shop.ann, "payments?select=amount").await.ok()),
        (400, json!([{ "amount": 400 }]))
    );
    let next = shop.pay(&invoice, 1).await.ok();
    assert!(next["payment_number"].as_str().unwrap().ends_with("-0002"), "repeats take no number");
}

#[tokio::test]
async fn a_key_is_for_one_payment_of_one_company() {
    let shop = Shop::new().await;
    let invoice = shop.invoice(1000).await;
    shop.enter("payments", keyed(&shop, &invoice, 400)).await;
    shop.enter_as(&shop.ann, "payments", keyed(&shop, &invoice, 401)).await.refused(409, "idempotency_key_reused");
    let twice = json!([keyed(&shop, &invoice, 400), keyed(&shop, &invoice, 400)]);
    shop.server.post(&shop.ann, "payments", twice, FULL).await.refused(409, "idempotent_repeat");
    // Who may not enter payments learns nothing of keys.
    let viewer = shop.member("viewer", json!({})).await;
    shop.enter_as(&viewer, "payments", keyed(&shop, &invoice, 400)).await.refused(403, "42501");
    // A technician may enter his own and not read this one.
    let tom = shop.member("technician", json!({})).await;
    shop.enter_as(&tom, "payments", keyed(&shop, &invoice, 400)).await.refused(409, "idempotent_repeat");

    let bob = shop.server.owner("bob").await;
    let customer = shop.server.customer(&bob, "Carl").await;
    let payment = json!({ "customer_id": customer, "amount": 5, "payment_method": "cash", "idempotency_key": "order-7" });
    assert_eq!(shop.enter_as(&bob, "payments", payment).await.status, 201, "another company has keys of its own");
}

#[tokio::test]
async fn the_digest_of_a_key_is_nobodys_to_write() {
    let shop = Shop::new().await;
    let invoice = shop.invoice(1000).await;
    let payment = keyed(&shop, &invoice, 400);
    let first = id(&shop.enter("payments", payment.clone()).await);
    let path = format!("payments?id=eq.{first}");
    let digest = shop.one(&path).await["idempotency_digest"].clone();
    let service = shop.server.service().working_in(&shop.ann.company_id);
    for who in [&shop.ann, &service] {
        shop.server.patch(who, &path, json!({ "idempotency_digest": "0", "notes": "x" }), "").await.ok();
        assert_eq!(shop.one(&path).await["idempotency_digest"], digest);
    }
    let again = shop.server.post(&shop.ann, "payments", payment, FULL).await;
    assert_eq!((again.status, &again.body[0]["id"]), (200, &json!(first)), "a repeat is still known");
    let mut unkeyed = shop.cash(&invoice, 1);
    unkeyed["idempotency_digest"] = json!("0");
    assert_eq!(shop.enter("payments", unkeyed).await["idempotency_digest"], Value::Null);
}
