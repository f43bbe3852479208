//! A pool without a free connection, and connections that break: told in time, and over by themselves.

use std::time::{Duration, Instant};

use kernel::RequestContext;
use postgres::error::{DATABASE_UNAVAILABLE, POOL_TIMEOUT};
use postgres::{Access, Sql};

use crate::caller;

#[tokio::test]
async fn whoever_gets_no_connection_in_time_is_told() {
    let db = caller::database_with_a_member().await;
    let database = db.database_with(|options| {
        options.size_max = 1;
        // Long enough to connect on a busy machine.
        options.acquire = Duration::from_secs(3);
    });
    let (grant, context) = (caller::member(), RequestContext::default());
    let held = database.begin(&grant, &context, Access::Read).await.unwrap();
    let begun = Instant::now();
    let refused = database.run(&grant, &context, Access::Read, Sql::new("select 1")).await.unwrap_err();
    assert_eq!((refused.status().as_u16(), refused.code()), (503, POOL_TIMEOUT));
    assert!(refused.retry_after_seconds().is_some() && begun.elapsed() < Duration::from_secs(40));
    held.commit().await.unwrap();
    database.run(&grant, &context, Access::Read, Sql::new("select 1")).await.unwrap();
}

#[tokio::test]
async fn connections_that_break_are_replaced() {
    let db = caller::database_with_a_member().await;
    let database = db.database_with(|options| options.size_max = 2);
    let (grant, context) = (caller::member(), RequestContext::default());
    let tx = database.begin(&grant, &context, Access::Write).await.unwrap();
    tx.query(Sql::new("select 1")).await.unwrap();
    let ended =
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    let superuser = db.superuser().await;
    assert!(superuser.query_one(ended, &[]).await.unwrap().get::<_, i64>(0) >= 1);
    let broken = tx.query(Sql::new("select 1")).await.unwrap_err();
    assert!([DATABASE_UNAVAILABLE, "57P01"].contains(&broken.code()), "{broken}");
    assert_eq!((broken.status().as_u16(), tx.commit().await.is_err()), (503, true));
    // The next request finds a connection that works, without anybody's help.
    database.run(&grant, &context, Access::Read, Sql::new("select 1")).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_with_when_to_come_back() {
    let db = caller::database_with_a_member().await;
    let nowhere = tempfile::tempdir().unwrap();
    let database = db.database_with(|options| {
        options.server = postgres::Config::new();
        options.server.host_path(nowhere.path()).user("x").dbname("x");
    });
    let refused = database.ping().await.unwrap_err();
    assert_eq!((refused.status().as_u16(), refused.code()), (503, DATABASE_UNAVAILABLE));
    assert!(refused.retry_after_seconds().is_some());
}

#[tokio::test]
async fn a_database_that_went_away_is_used_again_when_it_is_back() {
    let db = caller::database_with_a_member().await;
    let database = db.database_with(|options| options.size_max = 2);
    let (grant, context) = (caller::member(), RequestContext::default());
    let read = || database.run(&grant, &context, Access::Read, Sql::new("select first_name from public.customers"));
    read().await.unwrap();
    let superuser = db.superuser().await;
    superuser
        .batch_execute(
            "update pg_database set datallowconn = false where datname = current_database();
             select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
        )
        .await
        .unwrap();
    for _ in 0..3 {
        let away = read().await.unwrap_err();
        assert_eq!(away.status().as_u16(), 503, "{away}");
        assert!(away.retry_after_seconds().is_some(), "{away}");
    }
    assert_eq!(read().await.unwrap_err().code(), DATABASE_UNAVAILABLE);
    superuser.batch_execute("update pg_database set datallowconn = true where datname = current_database()").await.unwrap();
    assert_eq!(read().await.unwrap().rows[0].get::<_, String>(0), "Ben");
}

#[tokio::test]
async fn many_wait_for_one_connection_and_all_get_it() {
    let db = caller::database_with_a_member().await;
    let database = db.database_with(|options| options.size_max = 1);
    let asked: Vec<_> = (0..50)
        .map(|_| {
            let database = database.clone();
            tokio::spawn(async move {
                let (grant, context) = (caller::member(), RequestContext::default());
                database.run(&grant, &context, Access::Read, Sql::new("select 1")).await.is_ok()
            })
        })
        .collect();
    for one in asked {
        assert!(one.await.unwrap());
    }
    assert_eq!((database.pool_status().size, database.pool_status().waiting), (1, 0));
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let db = caller::database_with_a_member().await;
    let database = db.database_with(|options| options.idle = Duration::ZERO);
    database.ping().await.unwrap();
    assert_eq!(database.pool_status().size, 1);
    database.reap_idle();
    assert_eq!(database.pool_status().size, 0);
    database.ping().await.unwrap();
}
