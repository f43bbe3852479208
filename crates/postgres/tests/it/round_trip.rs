//! A statement is one round trip, known or not: who asks, the statement and its end leave together.

use std::time::Duration;

use kernel::RequestContext;
use postgres::{Access, Database, PoolOptions, Sql};
use testkit::Proxy;

use crate::caller;

const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_read_and_a_write_are_one_round_trip_each_whether_known_or_not() {
    let db = caller::database_with_a_member().await;
    let proxy = Proxy::start(&db.server_config());
    for prepared_statements in [true, false] {
        let server = proxy.config(&db.server_config());
        let options = PoolOptions { size_max: 1, prepared_statements, ..PoolOptions::new(server) };
        let (database, context, grant) = (Database::new(options).unwrap(), RequestContext::default(), caller::member());
        // Makes the connection.
        database.ping().await.unwrap();
        let read = || Sql::new("select first_name from public.customers where first_name = ").bind("Ben").clone();
        let write = || Sql::new("update public.customers set notes = ").bind("kept").clone();
        for (statement, value, access) in [(read(), "Ben", Access::Read), (write(), "kept", Access::Write)] {
            for is_known in [false, true] {
                proxy.hold_answers_until(value);
                let answer = tokio::time::timeout(PATIENCE, database.run(&grant, &context, access, statement.clone())).await;
                let answer = answer.expect("it needs no answer before it has sent everything").unwrap();
                assert_eq!(proxy.round_trips(), 1, "{access:?}, known: {is_known}");
                assert_eq!(answer.opened.member_role.as_deref(), Some("admin"));
            }
        }
    }
}

#[tokio::test]
async fn a_transaction_is_a_round_trip_for_its_opening_one_a_statement_and_one_for_its_end() {
    let db = caller::database_with_a_member().await;
    let proxy = Proxy::start(&db.server_config());
    let options = PoolOptions { size_max: 1, ..PoolOptions::new(proxy.config(&db.server_config())) };
    let (database, context, grant) = (Database::new(options).unwrap(), RequestContext::default(), caller::member());
    database.ping().await.unwrap();
    for _ in ["unknown", "known"] {
        proxy.count_anew();
        let tx = database.begin(&grant, &context, Access::Write).await.unwrap();
        let opened = proxy.round_trips();
        tx.query(Sql::new("select first_name from public.customers")).await.unwrap();
        let asked = proxy.round_trips();
        tx.commit().await.unwrap();
        assert_eq!((opened, asked, proxy.round_trips()), (1, 2, 3));
    }
}

#[tokio::test]
async fn a_refusal_is_one_round_trip_too() {
    let db = caller::database_with_a_member().await;
    let proxy = Proxy::start(&db.server_config());
    let options = PoolOptions { size_max: 1, ..PoolOptions::new(proxy.config(&db.server_config())) };
    let (database, context, grant) = (Database::new(options).unwrap(), RequestContext::default(), caller::member());
    let read = || Sql::new("select first_name from public.customers where first_name = ").bind("Ben").clone();
    database.run(&grant, &context, Access::Read, read()).await.unwrap();
    db.superuser().await.batch_execute("delete from public.team_members").await.unwrap();
    proxy.hold_answers_until("Ben");
    let refused = tokio::time::timeout(PATIENCE, database.run(&grant, &context, Access::Read, read())).await;
    assert_eq!(refused.expect("it was sent whole").unwrap_err().code(), "company_not_member");
    assert_eq!(proxy.round_trips(), 1);
}

#[tokio::test]
async fn the_proxy_notices_a_second_round_trip() {
    let db = caller::database_with_a_member().await;
    let proxy = Proxy::start(&db.server_config());
    let options = PoolOptions { size_max: 1, ..PoolOptions::new(proxy.config(&db.server_config())) };
    let (database, context, grant) = (Database::new(options).unwrap(), RequestContext::default(), caller::member());
    let tx = database.begin(&grant, &context, Access::Read).await.unwrap();
    tx.query(Sql::new("select 1")).await.unwrap();
    tx.commit().await.unwrap();
    proxy.hold_answers_until("commit\0");
    let several = async {
        let tx = database.begin(&grant, &context, Access::Read).await.unwrap();
        tx.commit().await.unwrap();
    };
    assert!(tokio::time::timeout(Duration::from_millis(300), several).await.is_err(), "it waits for an answer to its begin");
}
