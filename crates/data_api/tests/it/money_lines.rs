//! Lines as rows and as JSON, and what they come to.

use serde_json::{Value, json};

use crate::money::{FULL, Shop, id};

/// What the rows of an invoice are, as JSON has them.
async fn rows(shop: &Shop, invoice: &str) -> Value {
    let mut rows = shop.server.get(&shop.ann, &format!("invoice_line_items?invoice_id=eq.{invoice}&order=position,id")).await.ok();
    for row in rows.as_array_mut().unwrap() {
        let row = row.as_object_mut().unwrap();
        for column in ["company_id", "invoice_id", "version", "created_at", "updated_at"] {
            row.remove(column).unwrap();
        }
    }
    rows
}

fn figures(invoice: &Value) -> [i64; 5] {
    ["subtotal", "taxable_subtotal", "tax_amount", "total_amount", "balance_amount"].map(|name| invoice[name].as_i64().unwrap())
}

#[tokio::test]
async fn a_write_of_line_items_replaces_the_rows_in_the_same_statement() {
    let shop = Shop::new().await;
    let lines = json!([
        { "description": "Filter", "quantity": 2, "unit_price": 1250, "total": 1 },
        { "description": "Labor", "kind": "labor", "quantity": "1.5", "unit_price": 9999, "discount_amount": 98, "is_taxable": false },
    ]);
    let invoice = json!({ "customer_id": shop.customer, "tax_rate": 8.25, "discount_amount": 500, "line_items": lines });
    let invoice = shop.enter("invoices", invoice).await;
    // 2 x 1250 and 14998.5 - 98, of which the half is rounded away from zero; of the discount 500 x 2500 / 17401 is the taxable part's.
    assert_eq!(figures(&invoice), [17_401, 2500, 200, 17_101, 17_101]);
    let items = &invoice["line_items"];
    assert_eq!((&items[0]["total"], &items[1]["total"], &items[1]["position"]), (&json!(2500), &json!(14_901), &json!(1)));
    let invoice_id = id(&invoice);
    assert_eq!(&rows(&shop, &invoice_id).await, items, "what was answered is what is kept");

    let path = format!("invoices?id=eq.{invoice_id}");
    let mut kept = items[0].clone();
    kept["quantity"] = json!(3);
    let changed = shop.change(&path, json!({ "line_items": [{ "description": "Visit", "unit_price": 4900 }, kept] })).await.ok();
    let changed = &changed[0];
    assert_eq!((&changed["line_items"][1]["id"], &changed["line_items"][1]["total"]), (&items[0]["id"], &json!(3750)));
    // (8650 - 500) x 8.25 % = 672.375.
    assert_eq!((figures(changed), &changed["version"]), ([8650, 8650, 672, 8822, 8822], &json!(2)));
    assert_eq!(rows(&shop, &invoice_id).await, changed["line_items"]);
    let versions = shop.server.get(&shop.ann, "invoice_line_items?select=version&order=position").await.ok();
    assert_eq!(versions, json!([{ "version": 1 }, { "version": 2 }]), "the one is new, the other was changed");

    let same = shop.change(&path, json!({ "line_items": changed["line_items"] })).await.ok();
    assert_eq!(same[0]["line_items"], changed["line_items"], "what was read can be written");
    let none = shop.change(&path, json!({ "line_items": null })).await.ok();
    assert_eq!((figures(&none[0]), rows(&shop, &invoice_id).await), ([0, 0, 0, 0, 0], json!([])));
}

#[tokio::test]
async fn rows_that_are_written_one_by_one_are_in_the_document() {
    let shop = Shop::new().await;
    let invoice = id(&shop.enter("invoices", json!({ "customer_id": shop.customer, "tax_rate": 10 })).await);
    let path = format!("invoices?id=eq.{invoice}");
    let line = json!({ "invoice_id": invoice, "description": "Pipe", "quantity": 3, "unit_price": 333 });
    let line = shop.enter("invoice_line_items", line).await;
    assert_eq!(line["total"], 999);
    let seen = shop.one(&path).await;
    assert_eq!((figures(&seen), &seen["version"]), ([999, 999, 100, 1099, 1099], &json!(1)), "a figure is no edit");
    assert_eq!(seen["line_items"], rows(&shop, &invoice).await);

    let one = format!("invoice_line_items?id=eq.{}", id(&line));
    shop.change(&one, json!({ "quantity": 0.5, "discount_amount": 67 })).await.ok();
    // 166.5 is 167; less 67.
    assert_eq!(figures(&shop.one(&path).await), [100, 100, 10, 110, 110]);
    let many = json!([{ "invoice_id": invoice, "description": "A", "unit_price": 1 }, { "invoice_id": invoice, "description": "B", "unit_price": 2 }]);
    shop.server.post(&shop.ann, "invoice_line_items", many, "").await.ok();
    assert_eq!(figures(&shop.one(&path).await), [103, 103, 10, 113, 113]);
    shop.server.delete(&shop.ann, &one, "").await.ok();
    let seen = shop.one(&path).await;
    assert_eq!((figures(&seen), &seen["line_items"]), ([3, 3, 0, 3, 3], &rows(&shop, &invoice).await));

    let other = id(&shop.enter("invoices", json!({ "customer_id": shop.customer })).await);
    shop.change("invoice_line_items?description=eq.A", json!({ "invoice_id": other })).await.ok();
    assert_eq!(figures(&shop.one(&path).await)[3], 2);
    assert_eq!(figures(&shop.one(&format!("invoices?id=eq.{other}")).await)[3], 1);
    shop.server.delete(&shop.ann, &path, "").await.ok();
    shop.due("invoices", &invoice).await;
    shop.server.delete(&shop.ann, &path, "deleted=include").await.ok();
    assert_eq!(shop.server.get(&shop.ann, "invoice_line_items?select=description").await.ok(), json!([{ "description": "A" }]));
}

#[tokio::test]
async fn lines_that_cannot_be_are_refused() {
    let shop = Shop::new().await;
    let invoice = shop.draft(500).await;
    let path = format!("invoices?id=eq.{invoice}");
    for wrong in [
        json!({ "description": "X" }),
        json!("X"),
        json!(["X"]),
        json!([{ "description": "X", "unitPrice": 5 }]),
        json!(vec![json!({ "description": "X" }); 501]),
    ] {
        shop.change(&path, json!({ "line_items": wrong })).await.refused(422, "line_items_invalid");
    }
    let line = |more: (&str, Value)| {
        let mut line = json!({ "description": "X", "unit_price": 100 });
        line[more.0] = more.1;
        line
    };
    for (more, status, code) in [
        (("discount_amount", json!(101)), 422, "line_discount_too_large"),
        (("quantity", json!(0)), 400, "23514"),
        (("unit_price", json!(-1)), 400, "23514"),
        (("description", Value::Null), 400, "23502"),
        (("quantity", json!("many")), 400, "22P02"),
        (("id", json!("first")), 400, "22P02"),
        (("price_book_item_id", json!(invoice)), 409, "23503"),
    ] {
        shop.change(&path, json!({ "line_items": [line(more.clone())] })).await.refused(status, code);
    }
    let wrong = json!({ "invoice_id": invoice, "description": "X", "unit_price": 100, "total": 99 });
    shop.enter_as(&shop.ann, "invoice_line_items", wrong).await.refused(422, "line_total_computed");
    let kept = shop.one(&path).await;
    assert_eq!((&kept["total_amount"], &kept["version"], &kept["line_items"]), (&json!(500), &json!(1), &rows(&shop, &invoice).await));
}

#[tokio::test]
async fn figures_are_computed_and_not_written() {
    let shop = Shop::new().await;
    let invoice = shop.draft(500).await;
    let path = format!("invoices?id=eq.{invoice}");
    for name in ["subtotal", "taxable_subtotal", "tax_amount", "total_amount", "balance_amount", "paid_amount", "credited_amount"] {
        let refused = shop.change(&path, json!({ name: 7 })).await;
        refused.refused(422, "invoice_figures_computed");
        shop.enter_as(&shop.ann, "invoices", json!({ "customer_id": shop.customer, name: 7 }))
            .await
            .refused(422, "invoice_figures_computed");
    }
    let service = shop.server.service().working_in(&shop.ann.company_id);
    shop.server.patch(&service, &path, json!({ "paid_amount": 500 }), "").await.refused(422, "invoice_figures_computed");
    let right = json!({ "tax_rate": 10, "tax_amount": 50, "subtotal": 500, "total_amount": 550 });
    assert_eq!(figures(&shop.change(&path, right).await.ok()[0]), [500, 500, 50, 550, 550], "who sends what is true is believed");
    let much = shop.change(&path, json!({ "discount_amount": 900 })).await.ok();
    assert_eq!(figures(&much[0]), [500, 500, 0, 0, 0], "never below zero");
    shop.change(&path, json!({ "status": "sent" })).await.refused(422, "discount_too_large");
}

#[tokio::test]
async fn a_line_of_another_document_stays_there() {
    let shop = Shop::new().await;
    let (first, second) = (shop.draft(500).await, shop.draft(700).await);
    let lines = rows(&shop, &first).await;
    let copied = shop.change(&format!("invoices?id=eq.{second}"), json!({ "line_items": lines })).await.ok();
    assert_ne!(copied[0]["line_items"][0]["id"], lines[0]["id"]);
    assert_eq!((&copied[0]["total_amount"], rows(&shop, &first).await), (&json!(500), lines.clone()));
    let twice = json!([lines[0], lines[0]]);
    let doubled = shop.change(&format!("invoices?id=eq.{first}"), json!({ "line_items": twice })).await.ok();
    assert_eq!((&doubled[0]["line_items"][0]["id"], &doubled[0]["total_amount"]), (&lines[0]["id"], &json!(1000)));
}

#[tokio::test]
async fn who_may_not_change_the_document_changes_no_line() {
    let shop = Shop::new().await;
    let invoice = shop.draft(500).await;
    let path = format!("invoices?id=eq.{invoice}");
    let cora = shop.member("csr", json!({ "invoices:update": false })).await;
    let line = json!({ "invoice_id": invoice, "description": "X", "unit_price": 100 });
    shop.enter_as(&cora, "invoice_line_items", line).await.refused(403, "permission_denied");
    let lines = format!("invoice_line_items?invoice_id=eq.{invoice}");
    shop.server.patch(&cora, &lines, json!({ "quantity": 9 }), FULL).await.refused(403, "permission_denied");
    shop.server.delete(&cora, &lines, FULL).await.refused(403, "permission_denied");
    assert_eq!(shop.server.patch(&cora, &path, json!({ "line_items": [] }), FULL).await.ok(), json!([]));

    let dan = shop.member("manager", json!({ "invoice_lines:create": false, "invoice_lines:delete": false })).await;
    let added = json!({ "line_items": [{ "description": "X" }] });
    shop.server.patch(&dan, &path, added, FULL).await.refused(403, "permission_denied");
    shop.server.patch(&dan, &path, json!({ "line_items": [] }), FULL).await.refused(403, "permission_denied");
    let mut kept = shop.one(&path).await["line_items"].clone();
    assert_eq!(kept[0]["total"], 500);
    kept[0]["quantity"] = json!(2);
    let changed = shop.server.patch(&dan, &path, json!({ "line_items": kept }), FULL).await.ok();
    assert_eq!(changed[0]["total_amount"], 1000);
}
