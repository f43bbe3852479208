//! What invoices add to the figures of their company, and to those of their months.

use serde_json::json;

use crate::money::Shop;

#[tokio::test]
async fn a_cancelled_invoice_does_not_count_again_in_the_archive() {
    let shop = Shop::new().await;
    shop.invoice(1000).await;
    let cancelled = format!("invoices?id=eq.{}", shop.invoice(300).await);
    let draft = format!("invoices?id=eq.{}", shop.draft(70).await);
    shop.change(&cancelled, json!({ "status": "cancelled" })).await.ok();
    for path in [&cancelled, &draft] {
        shop.change(path, json!({ "status": "archived" })).await.ok();
    }
    let path = "rpc/company_kpis?select=total_invoices,total_revenue,outstanding_revenue";
    let expected = json!([{ "total_invoices": 1, "total_revenue": 1000, "outstanding_revenue": 1000 }]);
    assert_eq!(shop.server.get(&shop.ann, path).await.ok(), expected);
    assert_eq!(shop.figures().await, (1000, 0, 1), "as the customer shows it");
    let path = "rpc/mv_monthly_revenue?select=invoice_count,total_revenue";
    assert_eq!(shop.server.get(&shop.ann, path).await.ok(), json!([{ "invoice_count": 1, "total_revenue": 1000 }]));
}

#[tokio::test]
async fn months_are_exact_while_the_company_changes_its_time_zone() {
    let shop = Shop::new().await;
    let (superuser, writer) = (shop.server.db.superuser().await, shop.server.db.superuser().await);
    superuser.batch_execute("update public.companies set business_timezone = 'UTC'").await.unwrap();
    // In UTC it is still January; on Kiritimati it has long been February.
    let company = &shop.ann.company_id;
    let bill = |number: &str, total: u32| {
        format!(
            "insert into public.invoices (company_id, invoice_number, customer_id, status, issued_at, line_items)
             values ('{company}', '{number}', '{}', 'sent', '2026-01-31 20:00Z', '[{{\"description\": \"X\", \"unit_price\": {total}}}]')",
            shop.customer
        )
    };
    let refresh = "select app.refresh_figures()";
    let shown = async || {
        let path = "rpc/mv_monthly_revenue?select=month,invoice_count,total_revenue";
        shop.server.get(&shop.ann, path).await.ok()
    };
    superuser.batch_execute(&bill("A", 1000)).await.unwrap();
    assert_eq!(shown().await, json!([{ "month": "2026-01-01", "invoice_count": 1, "total_revenue": 1000 }]));

    // Somebody is writing, and the zone is changed without waiting for him.
    writer.batch_execute(&format!("begin; {}", bill("B", 300))).await.unwrap();
    let moved = format!("companies?id=eq.{company}");
    shop.change(&moved, json!({ "business_timezone": "Pacific/Kiritimati" })).await.ok();
    let february = |count: u32, total: u32| json!([{ "month": "2026-02-01", "invoice_count": count, "total_revenue": total }]);
    assert_eq!(shown().await, february(1, 1000));
    for _ in 0..3 {
        superuser.batch_execute(refresh).await.unwrap();
        assert_eq!(shown().await, february(1, 1000));
    }
    writer.batch_execute("commit").await.unwrap();
    assert_eq!(shown().await, february(2, 1300), "what was written in the old zone is of the new month");

    // Counted anew when nobody is left who wrote in the old zone; other databases of this cluster may be busy, too.
    superuser.batch_execute(&bill("C", 50)).await.unwrap();
    let left = "select count(*) from app.month_recounts";
    while superuser.query_one(left, &[]).await.unwrap().get::<_, i64>(0) > 0 {
        superuser.batch_execute(refresh).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(shown().await, february(3, 1350));
    superuser.batch_execute(refresh).await.unwrap();
    assert_eq!(shown().await, february(3, 1350));
}
