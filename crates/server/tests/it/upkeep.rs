//! What the server does by itself, from its start on.

use std::time::{Duration, Instant};

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
    settings.database.start_wait_ms = 60_000;
    settings.maintenance.upkeep_interval_ms = 1_000;
    let server = Box::pin(server::start(settings)).await.unwrap();
    until(&db, "not exists (select from app.figure_changes) and exists (select from app.figures)").await;
    until(&db, &format!("to_regclass('public.{partition}') is not null")).await;
    until(&db, "(select array_agg(first_name order by first_name) = '{Kept,\"Not due\"}' from public.customers)").await;
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_step_that_fails_or_waits_hinders_no_other_and_comes_soon() {
    know_tls();
    let db = Db::new().await;
    let (client, other) = (db.superuser().await, db.superuser().await);
    let seeded = format!(
        "insert into public.companies (id, name, slug) values ('{COMPANY}', 'C', 'cc');
         insert into public.customers (company_id, first_name, phone, deleted_at, permanent_delete_scheduled_at)
         values ('{COMPANY}', 'Due', '+15550100', now() - interval '91 days', now() - interval '1 day'), ('{COMPANY}', 'Kept', '+15550100', null, null)"
    );
    client.batch_execute(&seeded).await.unwrap();
    let expire: String = client.query_one("select pg_get_functiondef('app.expire'::regproc)", &[]).await.unwrap().get(0);
    let head = expire.split_once("AS $").unwrap().0;
    client.batch_execute(&format!("{head} AS $$ begin raise exception 'the disk is full'; end $$")).await.unwrap();
    // Another server is at the figures, and is killed before it is done.
    other.batch_execute("begin; select pg_advisory_xact_lock(hashtextextended('folds what was added to figures', 0))").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut settings = without_database(&folder);
    settings.database.url = Some(Secret::new(url(&db.server_config())));
    settings.database.start_wait_ms = 60_000;
    settings.maintenance.upkeep_interval_ms = 3_600_000;
    let server = Box::pin(server::start(settings)).await.unwrap();
    let ready = format!("http://{}/health/ready", server.address().unwrap());
    let mut told = String::new();
    let deadline = Instant::now() + Duration::from_mins(1);
    while !told.contains("retention: not done for") {
        assert!(Instant::now() < deadline, "never told: {told}");
        told = reqwest::get(&ready).await.unwrap().text().await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(told.contains("the last time failed") && told.contains("\"ready\"") && !told.contains("figures"), "{told}");
    let changes = "select count(*) > 0 from app.figure_changes";
    assert!(client.query_one(changes, &[]).await.unwrap().get::<_, bool>(0));
    client.batch_execute(&expire).await.unwrap();
    other.batch_execute("rollback").await.unwrap();
    // Both within seconds, not after the hour.
    until(&db, "(select count(*) = 1 from public.customers) and not exists (select from app.figure_changes)").await;
    server.shutdown().await.unwrap();
}
