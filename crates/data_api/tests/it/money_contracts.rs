//! Contracts: their way to a signature, and what a signature fixes.

use serde_json::{Value, json};

use crate::money::{Shop, id};

#[tokio::test]
async fn a_contract_is_signed_and_stays_as_it_is() {
    let shop = Shop::new().await;
    let invoice = shop.draft(100).await;
    let text = json!({ "title": "Care", "content": "We care.", "customer_id": shop.customer, "invoice_id": invoice });
    let contract = shop.enter("contracts", text.clone()).await;
    assert!(contract["contract_number"].as_str().unwrap().starts_with("CON-20"));
    let mut unlinked = text;
    unlinked["invoice_id"] = Value::Null;
    shop.enter_as(&shop.ann, "contracts", unlinked).await.refused(400, "23514");

    let path = format!("contracts?id=eq.{}", id(&contract));
    let signed = json!({ "status": "signed", "signature": "data:image/png;base64,AA", "signer_name": "Ada" });
    shop.change(&path, signed.clone()).await.refused(422, "contract_transition_invalid");
    shop.change(&path, json!({ "status": "void" })).await.refused(422, "contract_status_void");
    shop.change(&path, json!({ "status": "sent" })).await.ok();
    let unsigned = shop.change(&path, json!({ "status": "signed" })).await;
    unsigned.refused(422, "contract_requirement_missing");
    assert_eq!(unsigned.body["details"], "signature,signer_name");
    let mut late = signed.clone();
    late["valid_until"] = json!("2020-01-01T00:00:00Z");
    shop.change(&path, late).await.refused(422, "contract_expired");
    assert!(shop.change(&path, json!({ "status": "viewed" })).await.ok()[0]["viewed_at"].is_string());
    assert!(shop.change(&path, signed).await.ok()[0]["signed_at"].is_string());

    for change in [
        json!({ "content": "We care less." }),
        json!({ "signer_name": "Eve" }),
        json!({ "signature": null }),
        json!({ "customer_id": null }),
        json!({ "archived_at": "2026-01-01T00:00:00Z" }),
        json!({ "deleted_at": "2026-01-01T00:00:00Z" }),
    ] {
        shop.change(&path, change.clone()).await.refused(
            if change.get("signature").is_some() { 422 } else { 409 },
            if change.get("signature").is_some() { "contract_requirement_missing" } else { "contract_signed" },
        );
    }
    shop.server.delete(&shop.ann, &path, "").await.refused(409, "contract_signed");
    shop.change(&path, json!({ "status": "archived" })).await.refused(422, "contract_transition_invalid");
    assert_eq!(shop.change(&path, json!({ "notes": "filed" })).await.ok()[0]["notes"], "filed");
}
