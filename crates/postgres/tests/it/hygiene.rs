//! Nothing of one caller stays on a connection for the next, however the first one ended.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;
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
    let slow = database.run(&grant, &context, Access::Read, Sql::new("select pg_sleep(3)::text"));
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
async fn after_settings_that_were_made_for_the_whole_session() {
    let (_db, database) = one_connection().await;
    let forged = "select set_config(s.name, s.value, false)
                    from (values ('app.company_id', '01900000-0000-7000-8000-00000000000f'), ('app.permissions', ',jobs:read,'),
                                 ('app.user_id', '01900000-0000-7000-8000-00000000000f'), ('app.member_role', 'owner'),
                                 ('app.current_tenant_id', '01900000-0000-7000-8000-00000000000f'), ('request.path', 'forged'),
                                 ('request.jwt.claims', '{\"sub\": \"01900000-0000-7000-8000-00000000000f\"}'),
                                 ('search_path', 'pg_temp'), ('statement_timeout', '2000')) s (name, value)";
    let tx = database.begin(&caller::member(), &context(), Access::Write).await.unwrap();
    tx.query(Sql::new(forged)).await.unwrap();
    tx.commit().await.unwrap();
    check(&database).await;
    let rest = "select format('%s|%s|%s', app.company_id(), current_setting('search_path'), current_setting('statement_timeout'))";
    // The service has no company unless it names one; it reads the setting that older programs knew.
    let service = caller::service_in_no_company();
    let answer = database.run(&service, &RequestContext::default(), Access::Read, Sql::new(rest)).await.unwrap();
    assert_eq!(answer.rows[0].get::<_, String>(0), "|public, extensions|30s");
    member_ran(&database, &caller::member()).await;
}

#[tokio::test]
async fn a_connection_that_keeps_a_role_is_given_up() {
    let (_db, database) = one_connection().await;
    let tx = database.begin(&caller::member(), &context(), Access::Write).await.unwrap();
    tx.query(Sql::new("select set_config('role', 'service_role', false)")).await.unwrap();
    tx.commit().await.unwrap();
    // It may not ask who somebody is any more, and serves nobody with what it kept.
    let refused = database.run(&caller::nobody(), &RequestContext::default(), Access::Read, Sql::new(CONTEXT)).await.unwrap_err();
    assert_eq!((refused.status().as_u16(), refused.code()), (503, postgres::error::DATABASE_UNAVAILABLE));
    check(&database).await;
}

#[tokio::test]
async fn after_a_transaction_that_was_cancelled_within_a_statement() {
    let (_db, database) = one_connection().await;
    for _ in 0..2 {
        let tx = database.begin(&caller::member(), &context(), Access::Write).await.unwrap();
        let slow = tx.query(Sql::new("select pg_sleep(2)::text"));
        assert!(tokio::time::timeout(Duration::from_millis(20), slow).await.is_err());
        drop(tx);
        check(&database).await;
    }
}

/// Drops the work when it has been woken so often: a request can be cut off wherever it waits.
async fn cut_off<F: Future>(work: F, wakes: u64) -> Option<F::Output> {
    let (mut work, mut left) = (pin!(work), wakes);
    std::future::poll_fn(move |waker| match work.as_mut().poll(waker) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

#[tokio::test]
async fn after_whatever_was_cut_off_wherever() {
    let db = caller::database_with_a_member().await;
    let database = db.database_with(|options| options.size_max = 2);
    let mut seed = 20_261_121_u64;
    let mut cut = 0;
    for turn in 0..600_u32 {
        // A linear congruential generator: the same turns every time.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (member, context) = (caller::member(), context());
        let work = async {
            if turn % 2 == 0 {
                database.run(&member, &context, Access::Write, Sql::new("update public.customers set notes = 'x'")).await.map(drop)
            } else {
                let tx = database.begin(&member, &context, Access::Write).await?;
                tx.execute(Sql::new("update public.customers set notes = 'y'")).await?;
                tx.commit().await
            }
        };
        match Box::pin(cut_off(work, (seed >> 33) % 5)).await {
            Some(outcome) => outcome.unwrap(),
            None => cut += 1,
        }
        if turn % 7 == 0 {
            let looked = database.run(&caller::nobody(), &RequestContext::default(), Access::Read, Sql::new(CONTEXT)).await.unwrap();
            assert_eq!(looked.rows[0].get::<_, String>(0), "anon|||||", "turn {turn}");
            member_ran(&database, &caller::member()).await;
        }
    }
    assert!((200..550).contains(&cut), "{cut} of 600 were cut off");
    assert!(database.pool_status().size <= 2);
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
