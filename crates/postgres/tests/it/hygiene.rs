//! Nothing of one caller stays on a connection for the next, however the first one ended.

use std::time::Duration;

use kernel::{Grant, RequestContext};
use postgres::{Access, Database, Sql};
use testkit::Db;

use crate::caller;

/// Everything of a caller that PostgreSQL keeps in a session.
const CONTEXT: &str =
    "select format('%s|%s|%s|%s|%s|%s', current_user, current_setting('app.company_id', true), current_setting('app.user_id', true),
    current_setting('app.permissions', true), current_setting('request.path', true), auth.uid())";

/// One connection, so that the next caller gets the last one's.
async fn one_connection() -> (Db, Database) {
    let db = caller::database_with_a_member().await;
    let database = db.database_with(|options| options.size_max = 1);
    (db, database)
}

fn context() -> RequestContext {
    RequestContext { path: "/secret".into(), ..RequestContext::default() }
}

/// Checks what the next caller, who is nobody, finds.
async fn check(database: &Database) {
    let answer = database.run(&caller::nobody(), &RequestContext::default(), Access::Read, Sql::new(CONTEXT)).await.unwrap();
    assert_eq!(answer.rows[0].get::<_, String>(0), "anon|||||", "of nobody");
    assert_eq!(database.pool_status().size, 1, "it was the same connection");
}

async fn member_ran(database: &Database, grant: &Grant) {
    let answer = database.run(grant, &context(), Access::Read, Sql::new(CONTEXT)).await.unwrap();
    let found: String = answer.rows[0].get(0);
    assert!(found.starts_with(&format!("authenticated|{}|{}|,", caller::COMPANY, caller::USER)), "{found}");
    assert!(found.ends_with(&format!("|/secret|{}", caller::USER)), "{found}");
}

#[tokio::test]
async fn after_a_request_that_was_served() {
    let (_db, database) = one_connection().await;
    for _ in 0..3 {
        member_ran(&database, &caller::member()).await;
        check(&database).await;
    }
}

#[tokio::test]
async fn after_a_statement_that_failed() {
    let (_db, database) = one_connection().await;
    for _ in 0..2 {
        let broken = database.run(&caller::member(), &context(), Access::Write, Sql::new("select 1 / 0")).await;
        assert_eq!(broken.unwrap_err().code(), "22012");
        check(&database).await;
    }
}

#[tokio::test]
async fn after_a_transaction_that_was_dropped() {
    let (db, database) = one_connection().await;
    let tx = database.begin(&caller::member(), &context(), Access::Write).await.unwrap();
    tx.execute(Sql::new("update public.customers set notes = 'half'")).await.unwrap();
    drop(tx);
    check(&database).await;
    let kept = db.superuser().await.query_one("select count(*) from public.customers where notes = 'half'", &[]).await.unwrap();
    assert_eq!(kept.get::<_, i64>(0), 0);
}

#[tokio::test]
async fn after_a_request_that_was_cancelled() {
    let (_db, database) = one_connection().await;
    member_ran(&database, &caller::member()).await;
    let (grant, context) = (caller::member(), context());
    let slow = database.run(&grant, &context, Access::Read, Sql::new("select pg_sleep(0.5)::text"));
    assert!(tokio::time::timeout(Duration::from_millis(50), slow).await.is_err());
    check(&database).await;
}

#[tokio::test]
async fn after_settings_that_the_caller_made_himself() {
    let (_db, database) = one_connection().await;
    let tx = database.begin(&caller::member(), &context(), Access::Write).await.unwrap();
    tx.query(Sql::new("select set_config('app.company_id', 'forged', true), set_config('request.path', 'forged', true)")).await.unwrap();
    tx.commit().await.unwrap();
    check(&database).await;
}

#[tokio::test]
async fn a_transaction_whose_opening_failed_can_do_nothing() {
    let (db, database) = one_connection().await;
    db.superuser().await.batch_execute("update auth.sessions set revoked_at = now()").await.unwrap();
    for statement in ["select count(*)::text from public.customers", "select count(*)::text from auth.users"] {
        let refused = database.run(&caller::member(), &context(), Access::Read, Sql::new(statement)).await;
        assert_eq!(refused.unwrap_err().code(), "session_not_found");
    }
    check(&database).await;
}

#[tokio::test]
async fn a_failed_transaction_is_never_reported_as_kept() {
    let (_db, database) = one_connection().await;
    let tx = database.begin(&caller::member(), &context(), Access::Write).await.unwrap();
    assert!(tx.execute(Sql::new("select 1 / 0")).await.is_err());
    assert!(tx.commit().await.is_err());
    check(&database).await;
}
