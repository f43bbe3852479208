//! Invoices: their way, their numbers, what of them is fixed, and what the customer owes.

use serde_json::{Value, json};

use crate::money::{Shop, id};

#[tokio::test]
async fn a_draft_has_a_number_of_its_own_and_an_invoice_the_next_one() {
    let shop = Shop::new().await;
    let (first, second, third) = (shop.draft(100).await, shop.draft(200).await, shop.draft(300).await);
    let number = |row: &Value, name: &str| row[name].as_str().map(|number| number.split_at(number.len() - 4).1.to_owned());
    let draft = shop.one(&format!("invoices?id=eq.{second}")).await;
    assert!(draft["draft_number"].as_str().unwrap().starts_with("DRAFT-20"));
    assert_eq!((number(&draft, "draft_number").as_deref(), &draft["invoice_number"]), (Some("0002"), &Value::Null));

    let sent = json!({ "status": "sent" });
    let issued = shop.change(&format!("invoices?id=eq.{second}"), sent.clone()).await.ok();
    assert!(issued[0]["invoice_number"].as_str().unwrap().starts_with("INV-20"));
    assert_eq!(number(&issued[0], "invoice_number").as_deref(), Some("0001"));
    assert!(issued[0]["issued_at"].is_string() && issued[0]["sent_at"].is_string());
    shop.change(&format!("invoices?id=eq.{third}"), json!({ "status": "sent", "version": 9 })).await.refused(409, "version_conflict");
    shop.change(&format!("invoices?id=eq.{first}"), json!({ "status": "cancelled" })).await.ok();
    let issued = shop.change(&format!("invoices?id=eq.{third}"), sent).await.ok();
    assert_eq!(number(&issued[0], "invoice_number").as_deref(), Some("0002"), "what was refused or never issued leaves no gap");
    assert_eq!(shop.one(&format!("invoices?id=eq.{first}")).await["invoice_number"], Value::Null);

    let given = json!({ "customer_id": shop.customer, "invoice_number": "INV-1" });
    shop.enter_as(&shop.ann, "invoices", given.clone()).await.refused(422, "invoice_number_given");
    let service = shop.server.service().working_in(&shop.ann.company_id);
    shop.enter_as(&service, "invoices", given).await.refused(422, "invoice_number_given");
    let year = issued[0]["invoice_number"].as_str().unwrap()[4..8].to_owned();
    let brought = json!({
        "customer_id": shop.customer, "invoice_number": format!("INV-{year}-0007"), "status": "sent",
        "line_items": [{ "description": "Old", "unit_price": 50 }]
    });
    assert_eq!(shop.enter_as(&service, "invoices", brought).await.status, 201, "an import brings its numbers");
    let next = shop.invoice(10).await;
    assert_eq!(number(&shop.one(&format!("invoices?id=eq.{next}")).await, "invoice_number").as_deref(), Some("0008"));
}

#[tokio::test]
async fn an_invoice_goes_its_way_and_no_other() {
    let shop = Shop::new().await;
    let draft = shop.draft(100).await;
    let path = format!("invoices?id=eq.{draft}");
    let status = |status: &str| json!({ "status": status });
    let void = shop.change(&path, status("void")).await;
    void.refused(422, "invoice_status_void");
    assert_eq!(void.body["hint"], "Use \"cancelled\".");
    shop.change(&path, status("lost")).await.refused(400, "23514");
    for not_yet in ["viewed", "partial", "paid", "overdue"] {
        shop.change(&path, status(not_yet)).await.refused(422, "invoice_transition_invalid");
    }
    shop.enter_as(&shop.ann, "invoices", json!({ "customer_id": shop.customer, "status": "sent" }))
        .await
        .refused(422, "invoice_transition_invalid");
    let empty = id(&shop.enter("invoices", json!({ "customer_id": shop.customer })).await);
    let unfilled = shop.change(&format!("invoices?id=eq.{empty}"), status("sent")).await;
    unfilled.refused(422, "invoice_requirement_missing");
    assert_eq!(unfilled.body["details"], "line_items");

    shop.change(&path, status("sent")).await.ok();
    assert!(shop.change(&path, status("viewed")).await.ok()[0]["viewed_at"].is_string());
    shop.change(&path, status("draft")).await.refused(422, "invoice_transition_invalid");
    shop.change(&path, status("paid")).await.refused(422, "invoice_not_paid");
    shop.change(&path, status("partial")).await.refused(422, "invoice_status_computed");
    shop.change(&path, status("overdue")).await.refused(422, "invoice_not_overdue");
    shop.change(&path, json!({ "status": "overdue", "due_date": "2999-01-01T00:00:00Z" })).await.refused(422, "invoice_not_overdue");
    shop.change(&path, json!({ "status": "overdue", "due_date": "2020-01-01T00:00:00Z" })).await.ok();
    shop.pay(&draft, 40).await.ok();
    assert_eq!(shop.standing(&draft).await, (40, 0, 60, "partial".to_owned()));
    let unsaid = shop.change(&path, status("cancelled")).await;
    unsaid.refused(422, "invoice_requirement_missing");
    assert_eq!(unsaid.body["details"], "cancellation_reason");
    shop.change(&path, status("overdue")).await.ok();
    shop.pay(&draft, 60).await.ok();
    assert_eq!(shop.standing(&draft).await, (100, 0, 0, "paid".to_owned()));
    assert!(shop.one(&path).await["paid_at"].is_string());
    shop.change(&path, status("cancelled")).await.refused(422, "invoice_transition_invalid");
    shop.change(&path, status("sent")).await.refused(422, "invoice_status_computed");
    shop.change(&path, json!({ "archived_at": "2026-01-01T00:00:00Z" })).await.refused(409, "invoice_paid");

    let other = shop.draft(5).await;
    let other = format!("invoices?id=eq.{other}");
    assert!(shop.change(&other, status("archived")).await.ok()[0]["permanent_delete_scheduled_at"].is_string());
    assert_eq!(shop.change(&other, status("draft")).await.ok()[0]["archived_at"], Value::Null);
}

#[tokio::test]
async fn what_is_written_on_an_issued_invoice_stays() {
    let shop = Shop::new().await;
    let invoice = shop.invoice(1000).await;
    let path = format!("invoices?id=eq.{invoice}");
    let other = shop.server.customer(&shop.ann, "Bob").await;
    for (column, value) in [
        ("customer_id", json!(other)),
        ("currency", json!("EUR")),
        ("tax_rate", json!(5)),
        ("discount_amount", json!(5)),
        ("draft_number", json!("X")),
        ("issued_at", json!("2020-01-01T00:00:00Z")),
        ("line_items", json!([{ "description": "Other", "unit_price": 1000 }])),
        ("line_items", json!([])),
    ] {
        shop.change(&path, json!({ column: value })).await.refused(409, "invoice_issued");
    }
    shop.change(&path, json!({ "invoice_number": "INV-1" })).await.refused(422, "invoice_number_given");
    let line = format!("invoice_line_items?invoice_id=eq.{invoice}");
    shop.change(&line, json!({ "quantity": 2 })).await.refused(409, "invoice_issued");
    shop.change(&line, json!({ "description": "Other" })).await.refused(409, "invoice_issued");
    shop.server.delete(&shop.ann, &line, "").await.refused(409, "invoice_issued");
    let more = json!({ "invoice_id": invoice, "description": "More", "unit_price": 0 });
    shop.enter_as(&shop.ann, "invoice_line_items", more).await.refused(409, "invoice_issued");
    let service = shop.server.service().working_in(&shop.ann.company_id);
    shop.server.patch(&service, &line, json!({ "quantity": 2 }), "").await.refused(409, "invoice_issued");
    shop.server.patch(&service, &path, json!({ "invoice_number": "INV-1" }), "").await.refused(409, "invoice_issued");
    let job = shop.enter("jobs", json!({ "customer_id": shop.customer, "title": "Fix" })).await;
    let part = json!({ "invoice_id": invoice, "job_id": job["id"], "amount_from_job": 5 });
    shop.enter_as(&shop.ann, "invoice_jobs", part.clone()).await.refused(409, "invoice_issued");
    let mut of_draft = part;
    of_draft["invoice_id"] = json!(shop.draft(5).await);
    shop.enter("invoice_jobs", of_draft).await;
    shop.change("invoice_jobs?amount_from_job=eq.5", json!({ "invoice_id": invoice })).await.refused(409, "invoice_issued");
    let untrue = json!({ "customer_id": shop.customer, "status": "paid", "line_items": [{ "description": "Old", "unit_price": 50 }] });
    shop.enter_as(&service, "invoices", untrue).await.refused(422, "invoice_not_paid");
    let remaining = json!({ "notes": "called him", "due_date": "2027-01-01T00:00:00Z", "title": "June", "reminder_count": 1 });
    assert_eq!(shop.change(&path, remaining).await.ok()[0]["notes"], "called him", "what is not of the bill moves on");

    // The price book's item of a line and its job may go; the line stays.
    let job = shop.enter("jobs", json!({ "customer_id": shop.customer, "title": "Fix" })).await;
    let lines = json!([{ "description": "Work", "unit_price": 70, "job_id": job["id"] }]);
    let billed = shop.enter("invoices", json!({ "customer_id": shop.customer, "job_id": job["id"], "line_items": lines })).await;
    let billed = format!("invoices?id=eq.{}", id(&billed));
    shop.change(&billed, json!({ "status": "sent" })).await.ok();
    let superuser = shop.server.db.superuser().await;
    superuser.execute("delete from public.jobs", &[]).await.unwrap();
    let left = shop.one(&billed).await;
    assert_eq!((&left["job_id"], &left["line_items"][0]["job_id"], &left["total_amount"]), (&Value::Null, &Value::Null, &json!(70)));
}

#[tokio::test]
async fn what_a_customer_owes_is_the_balance_of_his_invoices() {
    let shop = Shop::new().await;
    let (first, second) = (shop.invoice(1000).await, shop.invoice(300).await);
    shop.draft(9999).await;
    assert_eq!(shop.figures().await, (1300, 0, 2), "drafts are not owed");
    shop.pay(&first, 400).await.ok();
    assert_eq!(shop.figures().await, (900, 400, 2));
    shop.change(&format!("invoices?id=eq.{second}"), json!({ "status": "cancelled" })).await.ok();
    assert_eq!(shop.figures().await, (600, 400, 1));
    let customer = shop.one(&format!("customers?id=eq.{}", shop.customer)).await;
    assert!(customer["last_invoice_date"].is_string() && customer["last_payment_date"].is_string());
    assert_eq!(customer["version"], 1, "figures are no edit");

    let third = shop.invoice(50).await;
    let superuser = shop.server.db.superuser().await;
    let deleted = format!("update public.invoices set deleted_at = now() where id = '{third}'");
    superuser.batch_execute(&deleted).await.unwrap();
    assert_eq!(shop.figures().await, (600, 400, 1));
    superuser.batch_execute(&format!("update public.invoices set deleted_at = null where id = '{third}'")).await.unwrap();
    assert_eq!(shop.figures().await, (650, 400, 2));
}

#[tokio::test]
async fn who_was_billed_is_not_removed() {
    let shop = Shop::new().await;
    let invoice = shop.invoice(1000).await;
    let customer = format!("customers?id=eq.{}", shop.customer);
    let deletion = json!({ "deleted_at": "2026-11-22T00:00:00Z" });
    shop.change(&customer, deletion.clone()).await.refused(409, "customer_has_balance");
    shop.server.delete(&shop.ann, &customer, "").await.refused(409, "customer_has_balance");
    shop.pay(&invoice, 1000).await.ok();
    shop.change(&format!("invoices?id=eq.{invoice}"), json!({ "deleted_at": "2026-11-22T00:00:00Z" })).await.refused(409, "invoice_paid");
    let draft = shop.draft(10).await;
    shop.change(&customer, deletion).await.ok();
    shop.change(&format!("invoices?id=eq.{draft}"), json!({ "status": "sent" })).await.refused(409, "customer_deleted");

    shop.due("customers", &shop.customer).await;
    let service = shop.server.service().working_in(&shop.ann.company_id);
    for who in [&shop.ann, &service] {
        shop.server.delete(who, &customer, "deleted=include").await.refused(409, "customer_has_invoices");
    }
    assert_eq!(shop.server.get(&shop.ann, "invoices?select=id&status=eq.paid").await.ok().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_issued_invoice_is_not_removed_for_good() {
    let shop = Shop::new().await;
    let invoice = shop.invoice(1000).await;
    let path = format!("invoices?id=eq.{invoice}");
    shop.change(&path, json!({ "status": "cancelled" })).await.ok();
    assert_eq!(shop.server.delete(&shop.ann, &path, "").await.status, 204);
    shop.due("invoices", &invoice).await;
    let service = shop.server.service().working_in(&shop.ann.company_id);
    for who in [&shop.ann, &service] {
        shop.server.delete(who, &path, "deleted=include").await.refused(409, "invoice_issued");
    }
    let draft = shop.draft(5).await;
    let path = format!("invoices?id=eq.{draft}");
    assert_eq!(shop.server.delete(&shop.ann, &path, "").await.status, 204);
    shop.due("invoices", &draft).await;
    assert_eq!(shop.server.delete(&shop.ann, &path, "deleted=include,return=representation").await.ok().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn retention_keeps_what_is_issued_and_goes_on() {
    let shop = Shop::new().await;
    let invoice = shop.invoice(1000).await;
    shop.change(&format!("invoices?id=eq.{invoice}"), json!({ "status": "cancelled" })).await.ok();
    let paid = shop.invoice(300).await;
    let payment = id(&shop.pay(&paid, 300).await.ok());
    let draft = shop.draft(5).await;
    let mut pending = shop.cash(&paid, 1);
    pending["status"] = json!("pending");
    let pending = id(&shop.enter("payments", pending).await);
    let contract = json!({ "customer_id": shop.customer, "invoice_id": paid, "title": "Care", "content": "We care." });
    let (signed, unsigned) = (id(&shop.enter("contracts", contract.clone()).await), id(&shop.enter("contracts", contract).await));
    let path = format!("contracts?id=eq.{signed}");
    shop.change(&path, json!({ "status": "sent" })).await.ok();
    shop.change(&path, json!({ "status": "signed", "signature": "data:,ada", "signer_name": "Ada" })).await.ok();

    // Deleted long ago, and past their dates; rules that refuse to delete some of these are those of callers, not of old rows.
    let superuser = shop.server.db.superuser().await;
    let past = "deleted_at = now() - interval '1 year', permanent_delete_scheduled_at = now() - interval '1 day'";
    let deletion = format!(
        "set session_replication_role = replica; update public.invoices set {past};
         update public.payments set {past}; update public.contracts set {past}"
    );
    superuser.batch_execute(&deletion).await.unwrap();
    superuser.batch_execute("reset session_replication_role; select app.expire(1000); select app.expire(1000)").await.unwrap();
    let kept = async |table: &str| {
        let rows = superuser.query(&format!("select id::text from public.{table} order by id"), &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect::<Vec<String>>()
    };
    assert_eq!(kept("invoices").await, [invoice, paid], "the draft {draft} goes");
    assert_eq!(kept("payments").await, [payment], "{pending} was never completed");
    assert_eq!(kept("contracts").await, [signed], "{unsigned} was never signed");
    // With its company everything goes.
    let gone = format!(
        "set session_replication_role = replica; delete from public.team_members; delete from public.customers;
         set session_replication_role = origin; delete from public.companies where id = '{}'",
        shop.ann.company_id
    );
    superuser.batch_execute(&gone).await.unwrap();
    assert_eq!(kept("invoices").await, [""; 0]);
}

#[tokio::test]
async fn when_an_invoice_was_paid_or_cancelled_is_not_written() {
    let shop = Shop::new().await;
    let (paid, open) = (shop.invoice(100).await, shop.invoice(200).await);
    shop.pay(&paid, 100).await.ok();
    let (paid, open) = (format!("invoices?id=eq.{paid}"), format!("invoices?id=eq.{open}"));
    let paid_at = shop.one(&paid).await["paid_at"].clone();
    let service = shop.server.service().working_in(&shop.ann.company_id);
    let long_ago = "2001-01-01T00:00:00+00:00";
    let times = json!({ "paid_at": long_ago, "cancelled_at": long_ago, "notes": "x" });
    for who in [&shop.ann, &service] {
        for path in [&paid, &open] {
            shop.server.patch(who, path, times.clone(), "").await.ok();
        }
        assert_eq!(shop.one(&paid).await["paid_at"], paid_at);
        let row = shop.one(&open).await;
        assert_eq!((&row["paid_at"], &row["cancelled_at"], &row["notes"]), (&Value::Null, &Value::Null, &json!("x")));
    }
    shop.change(&open, json!({ "status": "cancelled", "cancelled_at": long_ago })).await.ok();
    let cancelled = shop.one(&open).await["cancelled_at"].clone();
    assert!(cancelled.is_string() && cancelled != long_ago, "{cancelled}");
    shop.change(&open, json!({ "cancelled_at": null })).await.ok();
    assert_eq!(shop.one(&open).await["cancelled_at"], cancelled);
    let new = json!({ "customer_id": shop.customer, "cancelled_at": long_ago, "paid_at": long_ago });
    let draft = shop.enter("invoices", new).await;
    assert_eq!((&draft["paid_at"], &draft["cancelled_at"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn the_jobs_of_an_issued_invoice_stay_also_for_whoever_cannot_read_it() {
    let shop = Shop::new().await;
    let job = shop.enter("jobs", json!({ "customer_id": shop.customer, "title": "Fix" })).await;
    let draft = shop.draft(70).await;
    let part = json!({ "invoice_id": draft, "job_id": job["id"], "amount_from_job": 5 });
    let nora = shop.member("csr", json!({ "invoices:read": false })).await;
    assert_eq!(shop.server.post(&nora, "invoice_jobs", part, "").await.status, 201, "a draft's may be written");
    shop.change(&format!("invoices?id=eq.{draft}"), json!({ "status": "sent" })).await.ok();
    let path = format!("invoice_jobs?invoice_id=eq.{draft}");
    shop.server.patch(&nora, &path, json!({ "amount_from_job": 6 }), "").await.refused(409, "invoice_issued");
    let lasting = shop.member("manager", json!({ "invoices:read": false })).await;
    shop.server.delete(&lasting, &path, "").await.refused(409, "invoice_issued");
    let other = shop.enter("jobs", json!({ "customer_id": shop.customer, "title": "Check" })).await;
    let more = json!({ "invoice_id": draft, "job_id": other["id"], "amount_from_job": 5 });
    shop.server.post(&nora, "invoice_jobs", more, "").await.refused(409, "invoice_issued");
    assert_eq!(shop.one(&path).await["amount_from_job"], 5);
}

#[tokio::test]
async fn what_a_customer_owes_is_counted_in_his_currency() {
    let shop = Shop::new().await;
    shop.invoice(1000).await;
    let euros = async |total: i64| {
        let lines = json!([{ "description": "Arbeit", "unit_price": total }]);
        let row = json!({ "customer_id": shop.customer, "currency": "EUR", "line_items": lines });
        let path = format!("invoices?id=eq.{}", id(&shop.enter("invoices", row).await));
        shop.change(&path, json!({ "status": "sent" })).await.ok();
        path
    };
    let invoice = euros(700).await;
    assert_eq!(shop.figures().await, (1000, 0, 2), "euros are no dollars");
    let mut payment = shop.cash(invoice.trim_start_matches("invoices?id=eq."), 200);
    payment["currency"] = json!("EUR");
    shop.enter("payments", payment).await;
    assert_eq!(shop.figures().await, (1000, 0, 2));

    let customer = format!("customers?id=eq.{}", shop.customer);
    shop.change(&customer, json!({ "currency": "EUR" })).await.ok();
    assert_eq!(shop.figures().await, (500, 200, 2), "another currency, other invoices");
    euros(30).await;
    assert_eq!(shop.figures().await, (530, 200, 3));
    shop.change(&customer, json!({ "currency": "GBP" })).await.ok();
    assert_eq!(shop.figures().await, (0, 0, 3));
    shop.server.delete(&shop.ann, &customer, "").await.refused(409, "customer_has_balance");
}
