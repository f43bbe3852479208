//! Purchasing: what an order costs, who approves it, and what happens when it arrives.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::server::{Answer, Caller, Server};
use crate::together::together;

const FULL: &str = "return=representation";

async fn enter(server: &Server, who: &Caller, table: &str, row: Value) -> Value {
    server.post(who, table, row, FULL).await.ok()[0].clone()
}

fn one(table: &str, row: &Value) -> String {
    format!("{table}?id=eq.{}", row["id"].as_str().unwrap())
}

/// Two lines: 3.5 x 333 = 1165.5, which is 1166, taxable; and 1 x 1000, which is not.
fn lines() -> Value {
    json!([
        { "description": "Pipe", "quantity": 3.5, "unit_price": 333 },
        { "description": "Freight", "quantity": 1, "unit_price": 1000, "is_taxable": false },
    ])
}

async fn order(server: &Server, who: &Caller, more: Value) -> Value {
    let mut row = json!({ "vendor": "Supply House", "line_items": lines() });
    row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    enter(server, who, "purchase_orders", row).await
}

/// Subtotal, tax and total.
fn figures(order: &Value) -> (i64, i64, i64) {
    let of = |name: &str| order[name].as_i64().unwrap();
    (of("subtotal"), of("tax_amount"), of("total_amount"))
}

async fn now(server: &Server, who: &Caller, order: &Value) -> Value {
    server.get(who, &one("purchase_orders", order)).await.ok()[0].clone()
}

async fn go(server: &Server, who: &Caller, order: &Value, status: &str) -> Answer {
    server.patch(who, &one("purchase_orders", order), json!({ "status": status }), FULL).await
}

#[tokio::test]
async fn an_order_costs_what_its_lines_say() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let made = order(&server, &ann, json!({ "tax_rate": 8.25, "shipping_amount": 250, "discount_amount": 166, "total_amount": 1 })).await;
    // The discount's share of what is taxed is 166 x 1166 / 2166 = 89.36, so 89; of 1077 the tax is 88.85, so 89.
    assert_eq!(figures(&made), (2166, 89, 2166 - 166 + 89 + 250));
    assert!(made["po_number"].as_str().unwrap().ends_with("-0001") && made["po_number"].as_str().unwrap().starts_with("PO-20"));
    let path = format!("purchase_order_line_items?purchase_order_id=eq.{}&order=position", made["id"].as_str().unwrap());
    let rows = server.get(&ann, &format!("{path}&select=description,quantity,total")).await.ok();
    let expected =
        json!([{ "description": "Pipe", "quantity": 3.5, "total": 1166 }, { "description": "Freight", "quantity": 1.0, "total": 1000 }]);
    assert_eq!(rows, expected);

    // By rows, one at a time, and by JSON: both ways lead to the same.
    let line = json!({ "purchase_order_id": made["id"], "description": "Valve", "quantity": 2, "unit_price": 17, "position": 2 });
    let valve = enter(&server, &ann, "purchase_order_line_items", line).await;
    assert_eq!(figures(&now(&server, &ann, &made).await).0, 2200);
    server.patch(&ann, &one("purchase_order_line_items", &valve), json!({ "quantity": 3 }), "").await.ok();
    let after = now(&server, &ann, &made).await;
    assert_eq!((figures(&after).0, after["line_items"][2]["total"].clone()), (2217, json!(51)));
    server.delete(&ann, &one("purchase_order_line_items", &valve), "").await.ok();
    assert_eq!(figures(&now(&server, &ann, &made).await), (2166, 89, 2339));
    let only =
        json!({ "line_items": [{ "description": "Pipe", "quantity": 1, "unit_price": 1000 }], "discount_amount": 0, "tax_rate": 0.05 });
    let written = server.patch(&ann, &one("purchase_orders", &made), only, FULL).await.ok()[0].clone();
    assert_eq!(figures(&written), (1000, 1, 1251), "half a cent is a whole one");

    for wrong in [json!({ "total_amount": 5 }), json!({ "subtotal": 0 }), json!({ "tax_amount": 100 })] {
        server.patch(&ann, &one("purchase_orders", &made), wrong, "").await.refused(422, "purchase_order_figures_computed");
    }
    let invented = json!({ "vendor": "X", "total_amount": 5 });
    server.post(&ann, "purchase_orders", invented, "").await.refused(422, "purchase_order_figures_computed");
    let discount = json!({ "discount_amount": 1001, "status": "pending_approval" });
    server.patch(&ann, &one("purchase_orders", &made), discount, "").await.refused(422, "purchase_order_discount_too_large");
}

#[tokio::test]
async fn lines_that_change_at_once_add_up() {
    let server = Arc::new(Server::new().await);
    let ann = server.owner("ann").await;
    let made = enter(&server, &ann, "purchase_orders", json!({ "vendor": "Supply House" })).await;
    let line = |n: i64| json!({ "purchase_order_id": made["id"], "description": format!("Line {n}"), "unit_price": n, "position": n });
    let requests = (1..=16).map(|n| ("POST", "purchase_order_line_items".to_owned(), line(n))).collect();
    for answer in together(&server, &ann, requests).await {
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    let after = now(&server, &ann, &made).await;
    assert_eq!((figures(&after), after["line_items"].as_array().unwrap().len()), ((136, 0, 136), 16));
}

#[tokio::test]
async fn nothing_slips_into_an_order_that_is_being_approved() {
    let server = Arc::new(Server::new().await);
    let ann = server.owner("ann").await;
    let made = order(&server, &ann, json!({})).await;
    let line = |n: i64| json!({ "purchase_order_id": made["id"], "description": "More", "unit_price": 1, "position": n });
    let mut requests: Vec<_> = (2..17).map(|n| ("POST", "purchase_order_line_items".to_owned(), line(n))).collect();
    requests.insert(5, ("PATCH", one("purchase_orders", &made), json!({ "status": "approved" })));
    let answers = together(&server, &ann, requests).await;
    assert_eq!(answers[5].status, 204, "{}", answers[5].text);
    let added = answers.iter().filter(|answer| answer.status == 201).count();
    for answer in answers.iter().filter(|answer| ![201, 204].contains(&answer.status)) {
        answer.refused(422, "purchase_order_closed");
    }
    let after = now(&server, &ann, &made).await;
    let lines = after["line_items"].as_array().unwrap().len();
    assert_eq!((&after["status"], figures(&after).0, lines), (&json!("approved"), 2166 + i64::try_from(added).unwrap(), 2 + added));
}

#[tokio::test]
async fn an_order_goes_its_way_and_is_stamped() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let empty = enter(&server, &ann, "purchase_orders", json!({ "vendor": "Supply House" })).await;
    go(&server, &ann, &empty, "approved").await.refused(422, "purchase_order_lines_missing");
    server.post(&ann, "purchase_orders", json!({ "title": "No vendor" }), "").await.refused(422, "purchase_order_vendor_required");
    let late = json!({ "vendor": "X", "status": "ordered", "line_items": lines() });
    server.post(&ann, "purchase_orders", late, "").await.refused(422, "purchase_order_transition_invalid");

    let made = order(&server, &ann, json!({ "approved_by": ann.user_id, "approved_at": "2020-01-01T00:00:00Z" })).await;
    assert!(made["approved_at"].is_null() && made["approved_by"].is_null(), "stamps are not written");
    go(&server, &ann, &made, "received").await.refused(422, "purchase_order_transition_invalid");
    go(&server, &ann, &made, "sent").await.refused(422, "purchase_order_status_sent");
    let approved = go(&server, &ann, &made, "approved").await.ok()[0].clone();
    assert_eq!((&approved["approved_by"], approved["approved_at"].is_string()), (&json!(ann.user_id), true));
    let path = one("purchase_orders", &made);
    for change in [
        json!({ "line_items": [{ "description": "Other" }] }),
        json!({ "shipping_amount": 9 }),
        json!({ "vendor": "Other" }),
        json!({ "tax_rate": 5 }),
    ] {
        server.patch(&ann, &path, change, "").await.refused(422, "purchase_order_closed");
    }
    server.patch(&ann, &path, json!({ "notes": "call first", "expected_delivery": "2027-01-05T12:00:00Z" }), "").await.ok();
    let back = go(&server, &ann, &made, "draft").await.ok()[0].clone();
    assert!(back["approved_at"].is_null() && back["approved_by"].is_null());
    server.patch(&ann, &path, json!({ "shipping_amount": 9 }), "").await.ok();
    let ordered = go(&server, &ann, &made, "ordered").await.ok()[0].clone();
    assert!(ordered["ordered_at"].is_string() && ordered["approved_at"].is_null());

    let rows = server.get(&ann, &format!("purchase_order_line_items?purchase_order_id=eq.{}", made["id"].as_str().unwrap())).await.ok();
    let line = one("purchase_order_line_items", &rows[0]);
    server.patch(&ann, &line, json!({ "unit_price": 1 }), "").await.refused(422, "purchase_order_closed");
    server.delete(&ann, &line, "").await.refused(422, "purchase_order_closed");
    let more = json!({ "purchase_order_id": made["id"], "description": "More" });
    server.post(&ann, "purchase_order_line_items", more, "").await.refused(422, "purchase_order_closed");
    for status in ["partially_received", "received"] {
        go(&server, &ann, &made, status).await.refused(422, "purchase_order_received_by_lines");
    }
    let cancelled = go(&server, &ann, &made, "cancelled").await.ok()[0].clone();
    assert!(cancelled["cancelled_at"].is_string());
    go(&server, &ann, &made, "draft").await.refused(422, "purchase_order_transition_invalid");
}

#[tokio::test]
async fn what_needs_an_approval_is_not_ordered_without() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let dispatcher = server.member(&ann.company_id, "dispatcher").await;
    let manager = server.member(&ann.company_id, "manager").await;
    let settings = enter(&server, &ann, "po_settings", json!({ "require_approval": true, "approval_threshold": 2167 })).await;
    let below = order(&server, &dispatcher, json!({})).await;
    go(&server, &dispatcher, &below, "ordered").await.ok();
    let at = order(&server, &dispatcher, json!({ "shipping_amount": 1 })).await;
    go(&server, &dispatcher, &at, "ordered").await.refused(422, "purchase_order_approval_required");
    go(&server, &dispatcher, &at, "approved").await.refused(403, "permission_denied");
    go(&server, &dispatcher, &at, "pending_approval").await.ok();
    let settle = |change: Value| server.patch(&ann, "po_settings?enabled=eq.false", change, "");
    settle(json!({ "approvers": [ann.user_id] })).await.ok();
    go(&server, &manager, &at, "approved").await.refused(403, "purchase_order_approver_required");
    settle(json!({ "approvers": [manager.user_id] })).await.ok();
    let approved = go(&server, &manager, &at, "approved").await.ok()[0].clone();
    assert_eq!(approved["approved_by"], json!(manager.user_id));
    go(&server, &dispatcher, &at, "ordered").await.ok();

    settle(json!({ "approval_threshold": null })).await.ok();
    let small = order(&server, &dispatcher, json!({})).await;
    go(&server, &dispatcher, &small, "ordered").await.refused(422, "purchase_order_approval_required");
    settle(json!({ "require_approval": false })).await.ok();
    go(&server, &dispatcher, &small, "ordered").await.ok();

    // The settings are the owner's and admins' to change, and name members.
    let path = one("po_settings", &settings);
    let changed = server.patch(&manager, &path, json!({ "require_approval": false }), FULL).await.ok();
    assert_eq!(changed, json!([]));
    for wrong in [json!(["somebody"]), json!([ann.company_id])] {
        settle(json!({ "approvers": wrong })).await.refused(422, "po_approvers_invalid");
    }
}

#[tokio::test]
async fn what_arrives_is_put_into_stock() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let category = enter(&server, &ann, "price_book_categories", json!({ "name": "Parts" })).await;
    let item = json!({ "name": "Filter", "item_type": "material", "category_id": category["id"] });
    let item = enter(&server, &ann, "price_book_items", item).await;
    let stock = enter(&server, &ann, "inventory", json!({ "price_book_item_id": item["id"], "quantity_on_hand": 1 })).await;
    let lines = json!([
        { "description": "Filter", "quantity": 10, "unit_price": 900, "price_book_item_id": item["id"] },
        { "description": "Freight", "quantity": 1, "unit_price": 1000 },
    ]);
    let made = order(&server, &ann, json!({ "line_items": lines })).await;
    let filter = one("purchase_order_line_items", &made["line_items"][0]);
    server.patch(&ann, &filter, json!({ "quantity_received": 1 }), "").await.refused(422, "purchase_order_not_ordered");
    go(&server, &ann, &made, "ordered").await.ok();
    server.patch(&ann, &filter, json!({ "quantity_received": 11 }), "").await.refused(422, "purchase_order_received_too_much");
    server.patch(&ann, &filter, json!({ "quantity_received": 4 }), "").await.ok();
    let after = now(&server, &ann, &made).await;
    assert_eq!((&after["status"], &after["line_items"][0]["quantity_received"]), (&json!("partially_received"), &json!(4.0)));
    assert!(after["received_at"].is_null());
    // Counted by mistake.
    server.patch(&ann, &filter, json!({ "quantity_received": 3 }), "").await.ok();
    let on_hand = || async { server.get(&ann, &one("inventory", &stock)).await.ok()[0].clone() };
    assert_eq!(on_hand().await["quantity_on_hand"], json!(4.0));

    let receive = |lines: Value| {
        let body = json!({ "purchase_order_id": made["id"], "lines": lines });
        let server = &server;
        let ann = &ann;
        async move { server.post(ann, "rpc/receive_purchase_order", body, "").await }
    };
    for wrong in [json!([]), json!({})] {
        receive(wrong).await.refused(422, "purchase_order_receipt_invalid");
    }
    receive(json!([{ "id": ann.user_id, "quantity": 1 }])).await.refused(404, "purchase_order_line_not_found");
    receive(json!([{ "id": made["line_items"][0]["id"], "quantity": 8 }])).await.refused(422, "purchase_order_received_too_much");
    let partly = receive(json!([{ "id": made["line_items"][0]["id"], "quantity": 2 }])).await.ok();
    assert_eq!(partly["status"], json!("partially_received"));
    let received = receive(Value::Null).await.ok();
    assert_eq!((&received["status"], received["received_at"].is_string()), (&json!("received"), true));
    assert!(received["actual_delivery"].is_string());
    receive(Value::Null).await.refused(404, "purchase_order_line_not_found");
    server.patch(&ann, &filter, json!({ "quantity_received": 1 }), "").await.refused(422, "purchase_order_not_ordered");

    let stock = on_hand().await;
    assert_eq!((&stock["quantity_on_hand"], &stock["last_purchase_cost"]), (&json!(11.0), &json!(900)));
    assert_eq!((&stock["last_restock_purchase_order_id"], &stock["last_restock_quantity"]), (&made["id"], &json!(5.0)));
    let moves = server.get(&ann, "stock_moves?select=kind,quantity,purchase_order_id&order=id&purchase_order_id=not.is.null").await.ok();
    let row = |kind: &str, quantity: f64| json!({ "kind": kind, "quantity": quantity, "purchase_order_id": made["id"] });
    assert_eq!(moves, json!([row("restock", 4.0), row("correction", -1.0), row("restock", 2.0), row("restock", 5.0)]));
    go(&server, &ann, &made, "cancelled").await.refused(422, "purchase_order_transition_invalid");
    let new = json!({ "purchase_order_id": made["id"], "description": "X", "quantity_received": 1 });
    server.post(&ann, "purchase_order_line_items", new, "").await.refused(422, "purchase_order_not_ordered");
}

#[tokio::test]
async fn what_arrives_at_once_is_counted_once() {
    let server = Arc::new(Server::new().await);
    let ann = server.owner("ann").await;
    let category = enter(&server, &ann, "price_book_categories", json!({ "name": "Parts" })).await;
    let item = enter(&server, &ann, "price_book_items", json!({ "name": "Filter", "category_id": category["id"] })).await;
    let stock = enter(&server, &ann, "inventory", json!({ "price_book_item_id": item["id"] })).await;
    let line = json!({ "description": "Filter", "quantity": 5, "price_book_item_id": item["id"] });
    let made = order(&server, &ann, json!({ "line_items": vec![line; 8] })).await;
    go(&server, &ann, &made, "ordered").await.ok();
    let mut requests = Vec::new();
    for line in made["line_items"].as_array().unwrap() {
        requests.push(("PATCH", one("purchase_order_line_items", line), json!({ "quantity_received": 5 })));
    }
    for at in [2, 5, 9] {
        requests.insert(at, ("POST", "rpc/receive_purchase_order".to_owned(), json!({ "purchase_order_id": made["id"] })));
    }
    for answer in together(&server, &ann, requests).await {
        assert!(answer.status < 300 || answer.body["code"] == "purchase_order_line_not_found", "{}", answer.text);
    }
    assert_eq!(now(&server, &ann, &made).await["status"], json!("received"));
    assert_eq!(server.get(&ann, &one("inventory", &stock)).await.ok()[0]["quantity_on_hand"], json!(40.0));
    let moves = server.get(&ann, "stock_moves?select=quantity").await.ok();
    assert_eq!(moves, json!(vec![json!({ "quantity": 5.0 }); 8]));
}

#[tokio::test]
async fn an_item_that_goes_for_good_leaves_its_orders() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let category = enter(&server, &ann, "price_book_categories", json!({ "name": "Parts" })).await;
    let item = enter(&server, &ann, "price_book_items", json!({ "name": "Filter", "category_id": category["id"] })).await;
    let lines = json!([{ "description": "Filter", "unit_price": 900, "price_book_item_id": item["id"] }]);
    let made = order(&server, &ann, json!({ "line_items": lines })).await;
    go(&server, &ann, &made, "ordered").await.ok();
    let elsewhere = enter(&server, &ann, "price_book_items", json!({ "name": "Motor", "category_id": category["id"] })).await;
    let line = one("purchase_order_line_items", &made["line_items"][0]);
    let pointed = json!({ "price_book_item_id": elsewhere["id"] });
    server.patch(&ann, &line, pointed, "").await.refused(422, "purchase_order_closed");
    // Taken away by hand what arrives would go into no stock.
    let mut bare = made["line_items"].clone();
    bare[0]["price_book_item_id"] = Value::Null;
    let service = server.service().working_in(&ann.company_id);
    for who in [&ann, &service] {
        server.patch(who, &line, json!({ "price_book_item_id": null }), "").await.refused(422, "purchase_order_closed");
        let whole = json!({ "line_items": bare });
        server.patch(who, &one("purchase_orders", &made), whole, "").await.refused(422, "purchase_order_closed");
    }
    let draft = order(&server, &ann, json!({ "line_items": made["line_items"] })).await;
    let own = one("purchase_order_line_items", &draft["line_items"][0]);
    assert_eq!(server.patch(&ann, &own, json!({ "price_book_item_id": null }), "").await.status, 204, "of a draft it may go");
    let clean_up = format!("delete from public.price_book_items where id = '{}'", item["id"].as_str().unwrap());
    server.db.superuser().await.batch_execute(&clean_up).await.unwrap();
    let after = now(&server, &ann, &made).await;
    assert_eq!((&after["status"], &after["line_items"][0]["price_book_item_id"]), (&json!("ordered"), &Value::Null));
    assert_eq!((&after["line_items"][0]["description"], figures(&after)), (&json!("Filter"), (900, 0, 900)));
}

#[tokio::test]
async fn vendors_have_numbers_and_phones_of_the_world() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let vendor = json!({ "name": "Supply House", "phone": "(404) 555-0100", "email": "orders@supply.example" });
    let first = enter(&server, &ann, "vendors", vendor).await;
    assert_eq!(
        (&first["name"], &first["phone"], &first["payment_terms"]),
        (&json!("Supply House"), &json!("+14045550100"), &json!("net_30"))
    );
    let number = |vendor: &Value| vendor["vendor_number"].as_str().unwrap().to_owned();
    let year = number(&first)[4..8].to_owned();
    assert_eq!(number(&first), format!("VND-{year}-0001"));
    let brought = enter(&server, &ann, "vendors", json!({ "name": "Parts", "vendor_number": format!("VND-{year}-0041") })).await;
    assert_eq!(number(&brought), format!("VND-{year}-0041"));
    assert_eq!(number(&enter(&server, &ann, "vendors", json!({ "name": "Pipes" })).await), format!("VND-{year}-0042"));
    assert_eq!(number(&enter(&server, &bob, "vendors", json!({ "name": "Pipes" })).await), format!("VND-{year}-0001"));
    let taken = json!({ "name": "Parts", "vendor_number": number(&first) });
    server.post(&ann, "vendors", taken, "").await.refused(409, "23505");
    for phone in ["555-0100", "+0404", "+1 404 CALL NOW", "++14045550100"] {
        let made = server.post(&ann, "vendors", json!({ "name": "X", "phone": phone }), FULL).await;
        assert_eq!((made.status, made.body["code"].as_str()), (422, Some("phone_invalid")), "{phone}: {}", made.text);
    }
    server.patch(&ann, &one("vendors", &first), json!({ "email": "nobody" }), "").await.refused(400, "23514");

    // An order takes what is known of its vendor, and never another company's.
    let made = enter(&server, &ann, "purchase_orders", json!({ "vendor_id": first["id"] })).await;
    let known = (&made["vendor"], &made["vendor_email"], &made["vendor_phone"]);
    assert_eq!(known, (&json!("Supply House"), &json!("orders@supply.example"), &json!("+14045550100")));
    let moved = server.patch(&ann, &one("purchase_orders", &made), json!({ "vendor_id": brought["id"] }), FULL).await.ok();
    assert_eq!(moved[0]["vendor"], json!("Parts"));
    server.post(&bob, "purchase_orders", json!({ "vendor_id": first["id"] }), "").await.refused(422, "purchase_order_vendor_required");
    let named = json!({ "vendor_id": first["id"], "vendor": "Supply House" });
    server.post(&bob, "purchase_orders", named, "").await.refused(409, "23503");
}

#[tokio::test]
async fn keys_to_suppliers_are_the_owners_and_admins_secret() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let supplier = json!({ "supplier_name": "ferguson", "display_name": "Ferguson" });
    for secret in ["api_key", "api_secret", "webhook_secret"] {
        let mut with = supplier.clone();
        with[secret] = json!("the-secret");
        server.post(&ann, "supplier_integrations", with, "").await.refused(422, "supplier_secret_misplaced");
    }
    let supplier = enter(&server, &ann, "supplier_integrations", supplier).await;
    let category = enter(&server, &ann, "price_book_categories", json!({ "name": "Parts" })).await;
    let item = json!({ "name": "Filter", "category_id": category["id"], "supplier_id": supplier["id"] });
    enter(&server, &ann, "price_book_items", item).await;
    for (role, reads) in [("admin", 1), ("manager", 0), ("dispatcher", 0), ("technician", 0), ("csr", 0), ("member", 0), ("viewer", 0)] {
        let who = server.member(&ann.company_id, role).await;
        let read = server.get(&who, "supplier_integrations?select=id,api_endpoint").await;
        assert_eq!(read.body.as_array().unwrap().len(), reads, "{role}: {}", read.text);
        let written = server.patch(&who, &one("supplier_integrations", &supplier), json!({ "account_number": "other" }), FULL).await.ok();
        assert_eq!(written.as_array().unwrap().len(), reads, "{role}");
        let rates = json!({ "name": format!("{role}'s"), "rate": 1 });
        let answer = server.post(&who, "labor_rates", rates, "").await;
        assert_eq!(answer.status, if reads == 1 { 201 } else { 403 }, "{role}: {}", answer.text);
    }
}
