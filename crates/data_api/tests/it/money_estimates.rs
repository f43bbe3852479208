//! Estimates: options, their way to an answer, and what is fixed while the customer has them.

use serde_json::{Value, json};

use crate::money::{Shop, id};

async fn option(shop: &Shop, estimate: &str, name: &str, position: i64) -> String {
    id(&shop.enter("estimate_options", json!({ "estimate_id": estimate, "name": name, "position": position })).await)
}

async fn total(shop: &Shop, path: &str) -> (i64, i64, i64) {
    let row = shop.one(path).await;
    let figure = |name: &str| row[name].as_i64().unwrap();
    (figure("subtotal"), figure("tax_amount"), figure("total_amount"))
}

#[tokio::test]
async fn an_estimate_shows_the_option_that_is_chosen_recommended_or_first() {
    let shop = Shop::new().await;
    let estimate = shop.enter("estimates", json!({ "customer_id": shop.customer, "tax_rate": 10, "discount_amount": 100 })).await;
    assert!(estimate["estimate_number"].as_str().unwrap().starts_with("EST-20"));
    let estimate = id(&estimate);
    let path = format!("estimates?id=eq.{estimate}");
    let (good, best) = (option(&shop, &estimate, "Good", 1).await, option(&shop, &estimate, "Best", 2).await);
    let lines = json!([
        { "description": "Visit", "unit_price": 500 },
        { "description": "Repair", "unit_price": 1500, "option_id": good },
        { "description": "New unit", "unit_price": 9500, "option_id": best },
        { "description": "Filter", "unit_price": 50, "is_optional": true, "is_selected": false },
    ]);
    let written = shop.change(&path, json!({ "line_items": lines })).await.ok();
    assert_eq!(written[0]["total_amount"], 2090, "(500 + 1500 - 100) and a tenth of it: the first option");
    assert_eq!(total(&shop, &format!("estimate_options?id=eq.{good}")).await, (2000, 190, 2090));
    assert_eq!(total(&shop, &format!("estimate_options?id=eq.{best}")).await, (10_000, 990, 10_890));
    shop.change(&format!("estimate_options?id=eq.{best}"), json!({ "is_recommended": true })).await.ok();
    assert_eq!(total(&shop, &path).await, (10_000, 990, 10_890), "what is recommended");
    let chosen = shop.change(&path, json!({ "selected_option_id": good })).await.ok();
    assert_eq!(chosen[0]["total_amount"], 2090, "what is chosen");
    let row = json!({ "estimate_id": estimate, "description": "Extra", "unit_price": 100, "option_id": good });
    shop.enter("estimate_line_items", row).await;
    assert_eq!(total(&shop, &path).await, (2100, 200, 2200));
    shop.change("estimate_line_items?description=eq.Filter", json!({ "is_selected": true })).await.ok();
    assert_eq!(total(&shop, &path).await, (2150, 205, 2255));
    assert_eq!(total(&shop, &format!("estimate_options?id=eq.{best}")).await.0, 10_050);
    shop.change(&format!("estimate_options?id=eq.{best}"), json!({ "total_amount": 1 }))
        .await
        .refused(422, "estimate_option_figures_computed");
    shop.change(&path, json!({ "total_amount": 1 })).await.refused(422, "estimate_figures_computed");

    shop.server.delete(&shop.ann, &format!("estimate_options?id=eq.{good}"), "").await.ok();
    let left = shop.one(&path).await;
    assert_eq!((&left["selected_option_id"], &left["subtotal"]), (&Value::Null, &json!(10_050)), "its lines went with it");
    let other = id(&shop.enter("estimates", json!({ "customer_id": shop.customer })).await);
    let foreign = json!([{ "description": "X", "option_id": best }]);
    shop.change(&format!("estimates?id=eq.{other}"), json!({ "line_items": foreign })).await.refused(409, "23503");
    shop.change(&format!("estimates?id=eq.{other}"), json!({ "selected_option_id": best })).await.refused(409, "23503");
}

#[tokio::test]
async fn an_estimate_goes_its_way_and_is_fixed_on_it() {
    let shop = Shop::new().await;
    let estimate = id(&shop.enter("estimates", json!({ "customer_id": shop.customer })).await);
    let path = format!("estimates?id=eq.{estimate}");
    let status = |status: &str| json!({ "status": status });
    let empty = shop.change(&path, status("sent")).await;
    empty.refused(422, "estimate_requirement_missing");
    assert_eq!(empty.body["details"], "line_items");
    let lines = json!([{ "description": "Work", "unit_price": 100 }, { "description": "Filter", "unit_price": 50, "is_optional": true }]);
    shop.change(&path, json!({ "line_items": lines })).await.ok();
    shop.change(&path, status("accepted")).await.refused(422, "estimate_transition_invalid");
    shop.change(&path, status("approved")).await.refused(422, "estimate_status_approved");
    shop.change(&path, json!({ "status": "sent", "customer_id": null })).await.refused(422, "estimate_requirement_missing");
    assert!(shop.change(&path, status("sent")).await.ok()[0]["sent_at"].is_string());
    for change in [json!({ "tax_rate": 5 }), json!({ "discount_amount": 5 }), json!({ "currency": "EUR" }), json!({ "line_items": [] })] {
        shop.change(&path, change).await.refused(409, "estimate_not_draft");
    }
    let line = format!("estimate_line_items?estimate_id=eq.{estimate}");
    shop.change(&line, json!({ "unit_price": 1 })).await.refused(409, "estimate_not_draft");
    shop.change(&format!("{line}&is_optional=eq.true"), json!({ "is_selected": false })).await.ok();
    assert_eq!(shop.one(&path).await["total_amount"], 100, "the customer still chooses");

    shop.change(&path, json!({ "status": "accepted", "valid_until": "2020-01-01T00:00:00Z" })).await.refused(422, "estimate_expired");
    let cora = shop.member("csr", json!({})).await;
    shop.server.patch(&cora, &path, status("accepted"), "").await.refused(403, "permission_denied");
    assert!(shop.change(&path, status("accepted")).await.ok()[0]["responded_at"].is_string());
    shop.change(&format!("{line}&is_optional=eq.true"), json!({ "is_selected": true })).await.refused(409, "estimate_not_draft");
    for change in [json!({ "archived_at": "2026-01-01T00:00:00Z" }), json!({ "deleted_at": "2026-01-01T00:00:00Z" })] {
        shop.change(&path, change).await.refused(409, "estimate_accepted");
    }
    shop.change(&path, status("draft")).await.refused(422, "estimate_transition_invalid");

    let other = shop.enter("estimates", json!({ "customer_id": shop.customer, "line_items": lines })).await;
    let other = format!("estimates?id=eq.{}", id(&other));
    for next in ["sent", "rejected", "draft"] {
        shop.change(&other, status(next)).await.ok();
    }
    assert_eq!(shop.change(&other, json!({ "tax_rate": 10 })).await.ok()[0]["total_amount"], 165, "put back, it can be edited");
}

#[tokio::test]
async fn what_was_agreed_stays_and_so_do_its_options() {
    let shop = Shop::new().await;
    let lines = json!([{ "description": "Visit", "unit_price": 500 }]);
    let estimate = id(&shop.enter("estimates", json!({ "customer_id": shop.customer, "line_items": lines })).await);
    let path = format!("estimates?id=eq.{estimate}");
    let (good, best) = (option(&shop, &estimate, "Good", 1).await, option(&shop, &estimate, "Best", 2).await);
    for (unit_price, option) in [(1500, &good), (9500, &best)] {
        let row = json!({ "estimate_id": estimate, "description": "Work", "unit_price": unit_price, "option_id": option });
        shop.enter("estimate_line_items", row).await;
    }
    shop.change(&path, json!({ "status": "sent" })).await.ok();
    let service = shop.server.service().working_in(&shop.ann.company_id);
    let offered = async || {
        for who in [&shop.ann, &service] {
            let chosen = format!("estimate_options?id=eq.{best}");
            for change in [json!({ "is_recommended": true }), json!({ "position": 0 }), json!({ "name": "Cheap" })] {
                shop.server.patch(who, &chosen, change, "").await.refused(409, "estimate_not_draft");
            }
            shop.server.delete(who, &chosen, "").await.refused(409, "estimate_not_draft");
            let new = json!({ "estimate_id": estimate, "name": "Free", "position": 0 });
            shop.enter_as(who, "estimate_options", new).await.refused(409, "estimate_not_draft");
        }
    };
    offered().await;
    assert_eq!(shop.one(&path).await["total_amount"], 2000, "the first, as long as nothing is chosen");
    assert_eq!(shop.change(&path, json!({ "selected_option_id": best })).await.ok()[0]["total_amount"], 10_000, "he may choose");
    shop.change(&path, json!({ "selected_option_id": null })).await.ok();
    let accepted = json!({ "status": "accepted", "accepted_by_name": "Ada X", "responded_at": "2026-11-20T10:00:00Z" });
    shop.change(&path, accepted).await.ok();
    offered().await;
    for who in [&shop.ann, &service] {
        shop.server.patch(who, &path, json!({ "selected_option_id": best }), "").await.refused(409, "estimate_not_draft");
        for change in [
            json!({ "accepted_by_name": "Eve" }),
            json!({ "accepted_by_name": null }),
            json!({ "accepted_signature": "drawn" }),
            json!({ "responded_at": "2020-01-01T00:00:00Z" }),
            json!({ "rejection_reason": "Too dear" }),
        ] {
            shop.server.patch(who, &path, change, "").await.refused(409, "estimate_answered");
        }
    }
    let kept = shop.change(&path, json!({ "notes": "Call before" })).await.ok();
    assert_eq!((&kept[0]["total_amount"], &kept[0]["selected_option_id"]), (&json!(2000), &Value::Null));
}

#[tokio::test]
async fn an_estimate_that_is_sent_again_is_answered_anew() {
    let shop = Shop::new().await;
    let lines = json!([{ "description": "Visit", "unit_price": 500 }]);
    let estimate = id(&shop.enter("estimates", json!({ "customer_id": shop.customer, "line_items": lines })).await);
    let path = format!("estimates?id=eq.{estimate}");
    shop.change(&path, json!({ "status": "sent" })).await.ok();
    let no = json!({ "status": "rejected", "responded_at": "2026-01-01T00:00:00Z", "rejection_reason": "Too dear" });
    shop.change(&path, no).await.ok();
    let again = shop.change(&path, json!({ "status": "sent" })).await.ok();
    assert_eq!((&again[0]["responded_at"], &again[0]["rejection_reason"]), (&Value::Null, &Value::Null));
    let yes = shop.change(&path, json!({ "status": "accepted" })).await.ok();
    assert!(yes[0]["responded_at"].as_str().is_some_and(|at| !at.starts_with("2026-01-01")), "{yes}");
}
