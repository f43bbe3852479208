//! A write that nobody waits for any more counts as written: what is kept, or stands at a replica, may be older than it.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use kernel::{CompanyId, RequestContext};
use postgres::{Access, Sql};

use crate::caller;

fn company() -> CompanyId {
    CompanyId(caller::COMPANY.parse().unwrap())
}

fn write() -> Sql {
    Sql::new("update public.customers set notes = 'kept'")
}

/// Waits until somebody else's lock is waited for.
async fn until_it_waits(client: &tokio_postgres::Client) {
    let asked = "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')";
    while !client.query_one(asked, &[]).await.unwrap().get::<_, bool>(0) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_statement_whose_caller_left_is_noted() {
    let db = caller::database_with_a_member().await;
    let (database, context) = (db.database(), RequestContext::default());
    let client = db.superuser().await;
    client.batch_execute("begin; lock table public.customers in exclusive mode").await.unwrap();
    let (asked, grant) = (database.clone(), caller::member());
    let asking = tokio::spawn(async move { asked.run(&grant, &context, Access::Write, write()).await });
    let other = db.superuser().await;
    until_it_waits(&other).await;
    assert_eq!(database.last_write(company()), None, "nothing is written");
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    assert!(database.last_write(company()).is_some());
    client.batch_execute("commit").await.unwrap();
}

#[tokio::test]
async fn a_commit_whose_caller_left_is_noted_and_a_transaction_that_was_not_committed_is_not() {
    let db = caller::database_with_a_member().await;
    let (database, context, grant) = (db.database(), RequestContext::default(), caller::member());
    let begun = || database.begin(&grant, &context, Access::Write);
    let tx = begun().await.unwrap();
    tx.execute(write()).await.unwrap();
    drop(tx);
    assert_eq!(database.last_write(company()), None);
    let tx = begun().await.unwrap();
    tx.execute(write()).await.unwrap();
    {
        let mut commit = pin!(tx.commit());
        // The first look sends it, and nobody looks again.
        assert!(matches!(commit.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending));
    }
    assert!(database.last_write(company()).is_some());
}
