//! Payments, refunds, allocations and credit notes, and what they do to invoices.

use serde_json::{Value, json};

use crate::money::{Shop, id};

#[tokio::test]
async fn payments_pay_an_invoice_in_parts_and_no_more() {
    let shop = Shop::new().await;
    let invoice = shop.invoice(1000).await;
    let first = shop.pay(&invoice, 300).await.ok();
    assert!(first["payment_number"].as_str().unwrap().starts_with("PAY-20") && first["completed_at"].is_string());
    assert_eq!((&first["net_amount"], &first["currency"]), (&json!(300), &json!("USD")));
    assert_eq!(shop.standing(&invoice).await, (300, 0, 700, "partial".to_owned()));
    let over = shop.pay(&invoice, 701).await;
    over.refused(422, "invoice_overpaid");
    assert_eq!(over.body["details"], r#"{"balance_amount": 700}"#);

    let mut pending = shop.cash(&invoice, 700);
    pending["status"] = json!("pending");
    pending["processor_fee"] = json!(20);
    let pending = shop.enter("payments", pending).await;
    assert_eq!((&pending["net_amount"], shop.standing(&invoice).await.0), (&json!(680), 300), "what is pending has paid nothing");
    let path = format!("payments?id=eq.{}", id(&pending));
    shop.change(&path, json!({ "status": "refunded" })).await.refused(422, "payment_transition_invalid");
    shop.change(&path, json!({ "status": "completed" })).await.ok();
    assert_eq!(shop.standing(&invoice).await, (1000, 0, 0, "paid".to_owned()));
    shop.pay(&invoice, 1).await.refused(422, "invoice_overpaid");

    let mut late = shop.cash(&invoice, 1);
    late["status"] = json!("pending");
    let late = id(&shop.enter("payments", late).await);
    let late = format!("payments?id=eq.{late}");
    assert_eq!(shop.server.delete(&shop.ann, &late, "").await.status, 204);
    let completed = json!({ "status": "completed" });
    shop.server.patch(&shop.ann, &late, completed, "deleted=include").await.refused(409, "payment_deleted");

    let draft = shop.draft(100).await;
    shop.pay(&draft, 100).await.refused(422, "invoice_not_payable");
    shop.change(&format!("invoices?id=eq.{draft}"), json!({ "status": "cancelled" })).await.ok();
    shop.pay(&draft, 100).await.refused(422, "invoice_not_payable");
    let bob = shop.server.customer(&shop.ann, "Bob").await;
    let open = shop.invoice(100).await;
    let mut wrong = shop.cash(&open, 10);
    wrong["customer_id"] = json!(bob);
    shop.enter_as(&shop.ann, "payments", wrong).await.refused(422, "payment_other_party");
    let mut wrong = shop.cash(&open, 10);
    wrong["currency"] = json!("EUR");
    shop.enter_as(&shop.ann, "payments", wrong).await.refused(422, "payment_other_party");
    for (amount, status, code) in [(0, 400, "23514"), (-5, 400, "23514")] {
        shop.pay(&open, amount).await.refused(status, code);
    }
    assert_eq!(shop.standing(&open).await, (0, 0, 100, "sent".to_owned()));
}

#[tokio::test]
async fn what_is_completed_stays_and_moves_on() {
    let shop = Shop::new().await;
    let (invoice, other) = (shop.invoice(1000).await, shop.invoice(1000).await);
    let payment = id(&shop.pay(&invoice, 300).await.ok());
    let path = format!("payments?id=eq.{payment}");
    for (column, value) in [
        ("amount", json!(200)),
        ("invoice_id", json!(other)),
        ("invoice_id", Value::Null),
        ("currency", json!("EUR")),
        ("payment_method", json!("check")),
        ("payment_number", json!("PAY-1")),
        ("deleted_at", json!("2026-01-01T00:00:00Z")),
    ] {
        shop.change(&path, json!({ column: value })).await.refused(409, "payment_completed");
    }
    shop.server.delete(&shop.ann, &path, "").await.refused(409, "payment_completed");
    shop.change(&path, json!({ "refunded_amount": 300 })).await.refused(422, "payment_figures_computed");
    shop.change(&path, json!({ "status": "refunded" })).await.refused(422, "payment_not_refunded");
    shop.change(&path, json!({ "status": "pending" })).await.refused(422, "payment_transition_invalid");
    let marked = shop.change(&path, json!({ "is_reconciled": true, "notes": "bank", "processor_fee": 9 })).await.ok();
    assert_eq!((&marked[0]["reconciled_by"], &marked[0]["net_amount"]), (&json!(shop.ann.user_id), &json!(291)));
    assert!(marked[0]["reconciled_at"].is_string());
    let unmarked = shop.change(&path, json!({ "is_reconciled": false })).await.ok();
    assert_eq!((&unmarked[0]["reconciled_by"], &unmarked[0]["reconciled_at"]), (&Value::Null, &Value::Null));
    let void = shop.change(&path, json!({ "status": "void" })).await;
    void.refused(422, "payment_status_void");
    assert_eq!(shop.standing(&invoice).await.0, 300);
}

#[tokio::test]
async fn a_refund_gives_back_what_was_paid_and_no_more() {
    let shop = Shop::new().await;
    let invoice = shop.invoice(1000).await;
    let payment = id(&shop.pay(&invoice, 1000).await.ok());
    let refund = |amount: i64| {
        json!({ "customer_id": shop.customer, "payment_type": "refund", "original_payment_id": payment, "amount": amount,
                "payment_method": "cash", "status": "completed", "refund_reason": "broken" })
    };
    let part = shop.enter("payments", refund(400)).await;
    assert_eq!(part["invoice_id"], json!(invoice), "it is for what the payment was for");
    assert_eq!(shop.standing(&invoice).await, (600, 0, 400, "partial".to_owned()));
    let original = shop.one(&format!("payments?id=eq.{payment}")).await;
    assert_eq!((&original["status"], &original["refunded_amount"]), (&json!("partially_refunded"), &json!(400)));
    assert_eq!((&original["refund_reason"], original["refunded_at"].is_string()), (&json!("broken"), true));
    let over = shop.enter_as(&shop.ann, "payments", refund(601)).await;
    over.refused(422, "refund_too_large");
    assert_eq!(over.body["details"], r#"{"refundable_amount": 600}"#);
    shop.enter("payments", refund(600)).await;
    assert_eq!(shop.one(&format!("payments?id=eq.{payment}")).await["status"], "refunded");
    assert_eq!(shop.standing(&invoice).await, (0, 0, 1000, "sent".to_owned()));
    assert_eq!(shop.figures().await, (1000, 0, 1));

    let mut of_refund = refund(1);
    of_refund["original_payment_id"] = part["id"].clone();
    shop.enter_as(&shop.ann, "payments", of_refund).await.refused(422, "payment_not_refundable");
    let mut of_nothing = refund(1);
    of_nothing["original_payment_id"] = Value::Null;
    shop.enter_as(&shop.ann, "payments", of_nothing).await.refused(422, "refund_original_missing");
    let cora = shop.member("csr", json!({})).await;
    shop.enter_as(&cora, "payments", refund(1)).await.refused(403, "permission_denied");
}

#[tokio::test]
async fn one_payment_can_pay_several_invoices() {
    let shop = Shop::new().await;
    let (first, second) = (shop.invoice(600).await, shop.invoice(600).await);
    let deposit = json!({ "customer_id": shop.customer, "amount": 1000, "payment_method": "ach", "status": "pending" });
    let payment = id(&shop.enter("payments", deposit).await);
    let share = |invoice: &str, amount: i64| json!({ "payment_id": payment, "invoice_id": invoice, "amount_applied": amount });
    shop.enter_as(&shop.ann, "payment_allocations", share(&first, 1)).await.refused(422, "payment_not_allocatable");
    shop.change(&format!("payments?id=eq.{payment}"), json!({ "status": "completed" })).await.ok();
    shop.enter("payment_allocations", share(&first, 600)).await;
    assert_eq!(shop.standing(&first).await, (600, 0, 0, "paid".to_owned()));
    shop.enter_as(&shop.ann, "payment_allocations", share(&second, 401)).await.refused(422, "payment_exceeded");
    shop.enter("payment_allocations", share(&second, 300)).await;
    assert_eq!(shop.standing(&second).await, (300, 0, 300, "partial".to_owned()));
    shop.server
        .patch(&shop.ann, "payment_allocations?amount_applied=eq.300", json!({ "amount_applied": 1 }), "")
        .await
        .refused(403, "42501");

    let refund = |invoice: Value, amount: i64| {
        json!({ "customer_id": shop.customer, "payment_type": "refund", "original_payment_id": payment, "amount": amount,
                "payment_method": "ach", "status": "completed", "invoice_id": invoice })
    };
    shop.enter_as(&shop.ann, "payments", refund(Value::Null, 101)).await.refused(422, "payment_exceeded");
    shop.enter("payments", refund(Value::Null, 100)).await;
    shop.enter_as(&shop.ann, "payments", refund(json!(second), 301)).await.refused(422, "payment_exceeded");
    shop.enter("payments", refund(json!(second), 200)).await;
    assert_eq!((shop.standing(&first).await.0, shop.standing(&second).await.0), (600, 100));
    let direct = id(&shop.pay(&second, 10).await.ok());
    let again = json!({ "payment_id": direct, "invoice_id": first, "amount_applied": 1 });
    shop.enter_as(&shop.ann, "payment_allocations", again).await.refused(422, "payment_not_allocatable");
}

#[tokio::test]
async fn a_credit_note_takes_back_what_is_owed() {
    let shop = Shop::new().await;
    let invoice = shop.invoice(1000).await;
    let note = |amount: i64| json!({ "invoice_id": invoice, "amount": amount, "reason": "late" });
    let first = shop.enter("credit_notes", note(200)).await;
    assert_eq!(first["customer_id"], json!(shop.customer));
    assert!(first["credit_note_number"].as_str().unwrap().starts_with("CN-20"));
    assert_eq!(shop.standing(&invoice).await, (0, 200, 800, "sent".to_owned()));
    shop.enter_as(&shop.ann, "credit_notes", note(801)).await.refused(422, "invoice_overpaid");
    shop.pay(&invoice, 300).await.ok();
    let last = shop.enter("credit_notes", note(500)).await;
    assert!(last["credit_note_number"].as_str().unwrap().ends_with("-0002"), "what was refused took no number");
    assert_eq!(shop.standing(&invoice).await, (300, 700, 0, "paid".to_owned()));
    assert_eq!(shop.figures().await, (0, 300, 1));

    let draft = shop.draft(100).await;
    let of_draft = json!({ "invoice_id": draft, "amount": 1, "reason": "x" });
    shop.enter_as(&shop.ann, "credit_notes", of_draft).await.refused(422, "invoice_not_payable");
    let numbered = json!({ "invoice_id": invoice, "amount": 1, "reason": "x", "credit_note_number": "CN-1" });
    shop.enter_as(&shop.ann, "credit_notes", numbered).await.refused(422, "credit_note_number_given");
    let service = shop.server.service().working_in(&shop.ann.company_id);
    for who in [&shop.ann, &service] {
        shop.server.patch(who, "credit_notes?amount=eq.200", json!({ "amount": 1 }), "").await.refused(403, "42501");
        shop.server.delete(who, "credit_notes?amount=eq.200", "").await.refused(403, "42501");
    }
}

#[tokio::test]
async fn a_credit_needs_the_permission_for_credit_notes() {
    let shop = Shop::new().await;
    let invoice = shop.invoice(1000).await;
    let cora = shop.member("csr", json!({})).await;
    let credit = |status: &str| {
        let mut credit = shop.cash(&invoice, 400);
        credit["payment_type"] = json!("credit");
        credit["status"] = json!(status);
        credit
    };
    for status in ["completed", "pending"] {
        shop.enter_as(&cora, "payments", credit(status)).await.refused(403, "permission_denied");
    }
    // By the detour of a payment that becomes one.
    let mona = shop.member("manager", json!({ "credit_notes:create": false })).await;
    let mut pending = shop.cash(&invoice, 400);
    pending["status"] = json!("pending");
    let path = format!("payments?id=eq.{}", id(&shop.enter_as(&mona, "payments", pending).await.ok()));
    for kind in ["credit", "refund"] {
        shop.server.patch(&mona, &path, json!({ "payment_type": kind }), "").await.refused(
            if kind == "credit" { 403 } else { 422 },
            if kind == "credit" { "permission_denied" } else { "refund_original_missing" },
        );
    }
    assert_eq!(shop.standing(&invoice).await, (0, 0, 1000, "sent".to_owned()));
    shop.enter("payments", credit("completed")).await;
    assert_eq!(shop.standing(&invoice).await, (400, 0, 600, "partial".to_owned()));
}

#[tokio::test]
async fn whoever_cannot_see_an_invoice_does_not_pay_it() {
    let shop = Shop::new().await;
    let tom = shop.member("technician", json!({})).await;
    let own = shop.enter("jobs", json!({ "customer_id": shop.customer, "title": "Fix", "assigned_to": tom.user_id })).await;
    let (hidden, seen) = (shop.invoice(1000).await, shop.draft(500).await);
    let seen_path = format!("invoices?id=eq.{seen}");
    shop.change(&seen_path, json!({ "job_id": own["id"] })).await.ok();
    shop.change(&seen_path, json!({ "status": "sent" })).await.ok();

    let nothing = "01a1fdce-0000-7000-8000-000000000000";
    for unseen in [hidden.as_str(), nothing] {
        // Also not by what the refusal of too much would tell.
        for amount in [100, 100_000] {
            let refused = shop.enter_as(&tom, "payments", shop.cash(unseen, amount)).await;
            refused.refused(422, "payment_invoice_unknown");
        }
    }
    shop.enter_as(&tom, "payments", shop.cash(&seen, 200)).await.ok();
    assert_eq!((shop.standing(&hidden).await.0, shop.standing(&seen).await.0), (0, 200));
    shop.enter("payments", shop.cash(&hidden, 100)).await;
}

#[tokio::test]
async fn a_credit_note_that_is_sent_again_takes_no_number() {
    let shop = Shop::new().await;
    let invoice = shop.invoice(1000).await;
    let note = json!({ "id": "01a1fdce-0000-7000-8000-000000000001", "invoice_id": invoice, "amount": 200, "reason": "late" });
    for _ in 0..3 {
        let sent = shop.server.post(&shop.ann, "credit_notes", note.clone(), "resolution=ignore-duplicates").await;
        assert!((200..300).contains(&sent.status), "{}", sent.text);
    }
    shop.server.post(&shop.ann, "credit_notes", note.clone(), "").await.refused(409, "23505");
    // Twice in one request, and beside a new one.
    let other = json!({ "id": "01a1fdce-0000-7000-8000-000000000002", "invoice_id": invoice, "amount": 50, "reason": "late" });
    let batch = json!([note, other, other]);
    shop.server.post(&shop.ann, "credit_notes", batch, "resolution=ignore-duplicates").await.ok();
    let last = shop.enter("credit_notes", json!({ "invoice_id": invoice, "amount": 1, "reason": "late" })).await;
    assert!(last["credit_note_number"].as_str().unwrap().ends_with("-0003"), "{last}");
    assert_eq!(shop.standing(&invoice).await, (0, 251, 749, "sent".to_owned()));

    // An import may bring invoices that are issued, known by their draft's number.
    let service = shop.server.service().working_in(&shop.ann.company_id);
    let brought = json!({ "customer_id": shop.customer, "draft_number": "OLD-1", "status": "sent",
                          "line_items": [{ "description": "Old", "unit_price": 50 }] });
    for _ in 0..3 {
        let path = "invoices?on_conflict=draft_number";
        shop.server.post(&service, path, brought.clone(), "resolution=ignore-duplicates").await.ok();
    }
    let next = shop.one(&format!("invoices?id=eq.{}", shop.invoice(10).await)).await;
    assert!(next["invoice_number"].as_str().unwrap().ends_with("-0003"), "{next}");
}
