//! A company whose date has come goes with everything that is its own, and with nothing of another.

use proof::World;
use tokio_postgres::Client;

/// How many rows each company has in each of its tables; what outlives companies aside.
const ROWS: &str = "
select coalesce(string_agg(format('%s %s', t.table_name, n.rows), ', ' order by t.table_name), '')
  from app.protected_tables t
 cross join lateral (select (xpath('/row/n/text()', query_to_xml(format('select count(*) as n from %s where company_id = %L',
                             t.table_name::regclass, $1::text), false, true, '')))[1]::text::bigint as rows) n
 where t.tenant_column = 'company_id' and n.rows > 0
   and t.table_name not in ('public.audit_logs', 'public.role_change_log', 'public.ownership_transfers')";

async fn rows(client: &Client, letter: char) -> String {
    client.query_one(ROWS, &[&format!("01900000-0000-7000-8000-00000000{letter}000")]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_company_goes_with_all_its_rows_and_no_others() {
    let world = World::new().await;
    let client = world.superuser().await;
    let theirs = rows(&client, 'b').await;
    assert!(rows(&client, 'a').await.matches(", ").count() > 50 && theirs.matches(", ").count() > 50);
    let due = "update public.companies set deleted_at = now() - interval '31 days', permanent_delete_scheduled_at = now() where slug = 'company-a'";
    client.batch_execute(due).await.unwrap();
    let mut batches = 0;
    while client.query_one("select app.expire_company(20)", &[]).await.unwrap().get::<_, i64>(0) > 0 {
        batches += 1;
    }
    assert!(batches > 5, "it goes in batches: {batches}");
    assert_eq!(rows(&client, 'a').await, "");
    assert_eq!(rows(&client, 'b').await, theirs);
    let left: i64 = client.query_one("select count(*) from public.companies where slug = 'company-a'", &[]).await.unwrap().get(0);
    assert_eq!(left, 0);
}
