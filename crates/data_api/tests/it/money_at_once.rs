//! Money when many write at the same time. `THORBIS_LINE_EDITS=100` makes as many edits of each of the 16 as a long proof does.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::money::{Shop, id};
use crate::server::{Answer, Server};

const WRITERS: i64 = 16;

async fn shop() -> Arc<Shop> {
    let db = testkit::Db::new().await;
    let database = db.database_with(|options| options.size_max = 20);
    Arc::new(Shop::over(Server::over(db, database, data_api::DataApiConfig::default())).await)
}

/// Sends requests at once and returns what each answered.
async fn at_once<F>(shop: &Arc<Shop>, send: impl Fn(Arc<Shop>, i64) -> F) -> Vec<Answer>
where
    F: Future<Output = Answer> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for number in 0..WRITERS {
        tasks.spawn(send(Arc::clone(shop), number));
    }
    tasks.join_all().await
}

fn succeeded(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| answer.status < 300).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sessions_add_lines_to_one_invoice() {
    let shop = shop().await;
    let invoice = shop.draft(0).await;
    let superuser = [shop.server.db.superuser().await, shop.server.db.superuser().await];
    // A transaction sees who waits as it was when it first looked.
    let observer = shop.server.db.superuser().await;
    let add = format!(
        "insert into public.invoice_line_items (company_id, invoice_id, description, unit_price) values ('{}', '{invoice}', 'X', 100)",
        shop.ann.company_id
    );
    superuser[0].batch_execute(&format!("begin; {add}")).await.unwrap();
    let second = superuser[1].batch_execute(&add);
    let first = async {
        // The other one waits for the document, and does not fail.
        let waits = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like 'insert into public.invoice_line_items%'
                       and datname = current_database()";
        while observer.query(waits, &[]).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        superuser[0].batch_execute("commit").await
    };
    let (first, second) = tokio::join!(first, second);
    first.unwrap();
    second.unwrap();
    let seen = shop.one(&format!("invoices?id=eq.{invoice}")).await;
    assert_eq!((&seen["total_amount"], seen["line_items"].as_array().unwrap().len()), (&json!(200), 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn totals_are_exact_whoever_edits_lines_at_the_same_time() {
    #[expect(clippy::disallowed_methods, reason = "how long this proof takes is for whoever runs it")]
    let edits: i64 = std::env::var("THORBIS_LINE_EDITS").ok().and_then(|edits| edits.parse().ok()).unwrap_or(6);
    let shop = shop().await;
    let lines: Vec<Value> = (0..WRITERS).map(|number| json!({ "description": format!("Line {number}"), "unit_price": 0 })).collect();
    let invoice = json!({ "customer_id": shop.customer, "tax_rate": 10, "line_items": lines });
    let path = format!("invoices?id=eq.{}", id(&shop.enter("invoices", invoice).await));
    for edit in 1..=edits {
        let answers = at_once(&shop, |shop, number| async move {
            let line = format!("invoice_line_items?description=eq.Line {number}");
            shop.change(&line, json!({ "unit_price": edit * 10 + number })).await
        })
        .await;
        assert_eq!(succeeded(&answers), 16, "{answers:?}");
        let seen = shop.one(&path).await;
        // 16 x edit x 10 and 0 + 1 + ... + 15.
        let subtotal = 160 * edit + 120;
        assert_eq!((&seen["subtotal"], &seen["total_amount"]), (&json!(subtotal), &json!(subtotal / 10 * 11)));
    }
    let rows = shop.server.get(&shop.ann, "invoice_line_items?select=total").await.ok();
    let sum: i64 = rows.as_array().unwrap().iter().map(|row| row["total"].as_i64().unwrap()).sum();
    assert_eq!(sum, 160 * edits + 120);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_and_documents_that_are_written_at_once_agree() {
    let shop = shop().await;
    let invoice = shop.draft(5).await;
    let path = format!("invoices?id=eq.{invoice}");
    for _ in 0..4 {
        let invoice = invoice.clone();
        let answers = at_once(&shop, move |shop, number| {
            let (path, invoice) = (format!("invoices?id=eq.{invoice}"), invoice.clone());
            async move {
                match number % 3 {
                    0 => shop.change(&path, json!({ "line_items": [{ "description": "Whole", "unit_price": number }] })).await,
                    1 => {
                        shop.enter_as(
                            &shop.ann,
                            "invoice_line_items",
                            json!({ "invoice_id": invoice, "description": "Part", "unit_price": 1 }),
                        )
                        .await
                    }
                    _ => shop.change(&format!("invoice_line_items?invoice_id=eq.{invoice}"), json!({ "unit_price": number })).await,
                }
            }
        })
        .await;
        for answer in answers.iter().filter(|answer| answer.status >= 300) {
            answer.refused(409, "line_items_busy");
        }
        let seen = shop.one(&path).await;
        let rows = shop.server.get(&shop.ann, "invoice_line_items?select=id,total&order=position,id").await.ok();
        let of =
            |lines: &Value| lines.as_array().unwrap().iter().map(|line| (id(line), line["total"].as_i64().unwrap())).collect::<Vec<_>>();
        assert_eq!(of(&seen["line_items"]), of(&rows));
        assert_eq!(seen["total_amount"].as_i64().unwrap(), of(&rows).iter().map(|(_, total)| total).sum::<i64>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn simultaneous_issues_take_consecutive_numbers() {
    let shop = shop().await;
    let mut drafts = Vec::new();
    for _ in 0..WRITERS {
        drafts.push(shop.draft(100).await);
    }
    let drafts = Arc::new(drafts);
    let answers = at_once(&shop, |shop, number| {
        let drafts = Arc::clone(&drafts);
        async move {
            // Every fourth is refused after all: it must not take a number.
            let version = if number % 4 == 0 { 7 } else { 1 };
            let path = format!("invoices?id=eq.{}", drafts[usize::try_from(number).unwrap()]);
            shop.change(&path, json!({ "status": "sent", "version": version })).await
        }
    })
    .await;
    assert_eq!(succeeded(&answers), 12, "{answers:?}");
    let mut numbers: Vec<String> = Vec::new();
    for answer in answers.iter().filter(|answer| answer.status < 300) {
        numbers.push(answer.body[0]["invoice_number"].as_str().unwrap().split_at(9).1.to_owned());
    }
    numbers.sort();
    assert_eq!(numbers, (1..=12).map(|number| format!("{number:04}")).collect::<Vec<_>>());
    assert_eq!(shop.figures().await, (1200, 0, 12));
}

#[tokio::test(flavor = "multi_thread")]
async fn simultaneous_payments_pay_an_invoice_once() {
    let shop = shop().await;
    let invoice = Arc::new(shop.invoice(500).await);
    let mut pending = Vec::new();
    for _ in 0..WRITERS {
        let mut payment = shop.cash(&invoice, 100);
        payment["status"] = json!("pending");
        pending.push(id(&shop.enter("payments", payment).await));
    }
    let pending = Arc::new(pending);
    let answers = at_once(&shop, |shop, number| {
        let path = format!("payments?id=eq.{}", pending[usize::try_from(number).unwrap()]);
        async move { shop.change(&path, json!({ "status": "completed" })).await }
    })
    .await;
    assert_eq!(succeeded(&answers), 5);
    for answer in answers.iter().filter(|answer| answer.status >= 300) {
        answer.refused(422, "invoice_overpaid");
    }
    assert_eq!((shop.standing(&invoice).await, shop.figures().await), ((500, 0, 0, "paid".to_owned()), (0, 500, 1)));

    let payments = shop.server.get(&shop.ann, "payments?select=id&status=eq.completed").await.ok();
    let payment = Arc::new(id(&payments[0]));
    let answers = at_once(&shop, |shop, _| {
        let payment = Arc::clone(&payment);
        async move {
            let refund = json!({ "customer_id": shop.customer, "payment_type": "refund", "original_payment_id": *payment, "amount": 30,
                                 "payment_method": "cash", "status": "completed" });
            shop.enter_as(&shop.ann, "payments", refund).await
        }
    })
    .await;
    assert_eq!(succeeded(&answers), 3, "{answers:?}");
    assert_eq!(shop.standing(&invoice).await, (410, 0, 90, "partial".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn simultaneous_repeats_are_one_payment() {
    let shop = shop().await;
    let invoice = Arc::new(shop.invoice(5000).await);
    let answers = at_once(&shop, |shop, _| {
        let invoice = Arc::clone(&invoice);
        async move {
            let mut payment = shop.cash(&invoice, 100);
            payment["idempotency_key"] = json!("once");
            shop.enter_as(&shop.ann, "payments", payment).await
        }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 15, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.body["id"] == answers[0].body["id"]));
    assert_eq!(shop.standing(&invoice).await.0, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn simultaneous_repeats_of_a_credit_note_take_one_number() {
    let shop = shop().await;
    let invoice = Arc::new(shop.invoice(5000).await);
    let answers = at_once(&shop, |shop, _| {
        let invoice = Arc::clone(&invoice);
        async move {
            let note = json!({ "id": "01a1fdce-0000-7000-8000-000000000001", "invoice_id": *invoice, "amount": 100, "reason": "late" });
            shop.server.post(&shop.ann, "credit_notes", note, "resolution=ignore-duplicates").await
        }
    })
    .await;
    assert_eq!(succeeded(&answers), 16, "{answers:?}");
    let next = shop.enter("credit_notes", json!({ "invoice_id": *invoice, "amount": 1, "reason": "late" })).await;
    assert!(next["credit_note_number"].as_str().unwrap().ends_with("-0002"), "{next}");
    assert_eq!(shop.standing(&invoice).await.1, 101);
}

/// The numbers from 0 to 7 in another order for each who asks.
fn shuffled(number: i64) -> impl Iterator<Item = usize> {
    // 1, 3, 5 and 7 have no divisor in common with 8.
    let (step, start) = ([1, 3, 5, 7][usize::try_from(number % 4).unwrap()], usize::try_from(number).unwrap());
    (0..8).map(move |at| (start + at * step) % 8)
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_over_the_same_invoices_wait_for_each_other() {
    let shop = shop().await;
    let mut invoices = Vec::new();
    for _ in 0..8 {
        invoices.push(shop.invoice(10_000).await);
    }
    let invoices = Arc::new(invoices);
    // Payments that wait, written in another order by each.
    for number in 0..WRITERS {
        let rows: Vec<Value> = shuffled(number)
            .map(|at| {
                let mut payment = shop.cash(&invoices[at], 10);
                payment["status"] = json!("pending");
                payment["reference_number"] = json!(format!("batch {number}"));
                payment
            })
            .collect();
        shop.server.post(&shop.ann, "payments", json!(rows), "").await.ok();
    }
    for _ in 0..2 {
        let invoices = Arc::clone(&invoices);
        let answers = at_once(&shop, move |shop, number| {
            let invoices = Arc::clone(&invoices);
            async move {
                match number % 4 {
                    0 => {
                        let rows: Vec<Value> = shuffled(number).map(|at| shop.cash(&invoices[at], 10)).collect();
                        shop.server.post(&shop.ann, "payments", json!(rows), "").await
                    }
                    1 => {
                        let note = |at: usize| json!({ "invoice_id": invoices[at], "amount": 1, "reason": "late" });
                        shop.server.post(&shop.ann, "credit_notes", json!(shuffled(number).map(note).collect::<Vec<_>>()), "").await
                    }
                    _ => {
                        let path = format!("payments?status=eq.pending&reference_number=eq.batch {number}");
                        shop.change(&path, json!({ "status": "completed" })).await
                    }
                }
            }
        })
        .await;
        assert_eq!(succeeded(&answers), 16, "{answers:?}");
    }
    // Twice 4 batches of new payments, 8 of those that waited, and twice 4 of credit notes.
    for invoice in invoices.iter() {
        let (paid, credited, _, _) = shop.standing(invoice).await;
        assert_eq!((paid, credited), (160, 8));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_several_documents_are_written_at_once() {
    let shop = shop().await;
    let mut drafts = Vec::new();
    for _ in 0..8 {
        drafts.push(shop.draft(0).await);
    }
    let drafts = Arc::new(drafts);
    for _ in 0..3 {
        let drafts = Arc::clone(&drafts);
        let answers = at_once(&shop, move |shop, number| {
            let drafts = Arc::clone(&drafts);
            async move {
                let line = |at: usize| json!({ "invoice_id": drafts[at], "description": "Part", "unit_price": 1 });
                let rows: Vec<Value> = shuffled(number).map(line).collect();
                shop.server.post(&shop.ann, "invoice_line_items", json!(rows), "").await
            }
        })
        .await;
        assert_eq!(succeeded(&answers), 16, "{answers:?}");
    }
    for draft in drafts.iter() {
        assert_eq!(shop.one(&format!("invoices?id=eq.{draft}")).await["total_amount"], 48);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_a_deadlock_undid_is_run_again() {
    let shop = shop().await;
    let other = shop.server.customer(&shop.ann, "Bob").await;
    let (first, observer) = (shop.server.db.superuser().await, shop.server.db.superuser().await);
    let touch = |customer: &str| format!("update public.customers set notes = 'called' where id = '{customer}'");
    // It never looks for deadlocks itself, so that the request is the one that is undone.
    first.batch_execute(&format!("set deadlock_timeout = '1h'; begin; {}", touch(&other))).await.unwrap();
    let path = format!("customers?id=in.({},{other})", shop.customer);
    let both = shop.change(&path, json!({ "city": "Atlanta" }));
    let meeting = async {
        let waits = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query not like 'update public.customers set notes%'
                       and datname = current_database()";
        while observer.query(waits, &[]).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        first.batch_execute(&format!("{}; commit", touch(&shop.customer))).await.unwrap();
    };
    let (both, ()) = tokio::join!(both, meeting);
    assert_eq!(both.ok().as_array().unwrap().len(), 2);
    for customer in [&shop.customer, &other] {
        let row = shop.one(&format!("customers?id=eq.{customer}")).await;
        assert_eq!((&row["city"], &row["notes"]), (&json!("Atlanta"), &json!("called")));
    }
}
