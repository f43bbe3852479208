//! What the server does by itself, from its start on.

use kernel::Secret;
use testkit::Db;

use crate::audit::{until, url};
use crate::bare::{know_tls, without_database};

const COMPANY: &str = "01900000-0000-7000-8000-0000000000aa";

#[tokio::test]
async fn partitions_are_made_old_rows_go_and_figures_are_folded() {
    know_tls();
    let db = Db::new().await;
    let client = db.superuser().await;
    let month = "select to_char(now() + interval '3 months', '\"activities_\"YYYY_MM')";
    let partition: String = client.query_one(month, &[]).await.unwrap().get(0);
    client
        .batch_execute(&format!(
            "insert into public.companies (id, name, slug) values ('{COMPANY}', 'C', 'cc');
             insert into public.customers (company_id, first_name, phone, deleted_at, permanent_delete_scheduled_at)
             values ('{COMPANY}', 'Kept', '+15550100', null, null), ('{COMPANY}', 'Due', '+15550100', now() - interval '91 days', now() - interval '1 day'),
                    ('{COMPANY}', 'Not due', '+15550100', now() - interval '89 days', now() + interval '1 day');
             drop table public.{partition}"
        ))
        .await
        .unwrap();
    until(&db, "exists (select from app.figure_changes)").await;
    let folder = tempfile::tempdir().unwrap();
    let mut settings = without_database(&folder);
    settings.database.url = Some(Secret::new(url(&db.server_config())));
    settings.database.start_wait_ms = 10_000;
    settings.maintenance.upkeep_interval_ms = 1_000;
    let server = Box::pin(server::start(settings)).await.unwrap();
    until(&db, "not exists (select from app.figure_changes) and exists (select from app.figures)").await;
    until(&db, &format!("to_regclass('public.{partition}') is not null")).await;
    until(&db, "(select array_agg(first_name order by first_name) = '{Kept,\"Not due\"}' from public.customers)").await;
    server.shutdown().await.unwrap();
}
