//! What had been committed at a position in the log, while somebody is just committing.

use std::time::{Duration, Instant};

use postgres::sums::sums;
use tokio_postgres::{Client, NoTls};

use crate::life::Home;

const PATIENCE: Duration = Duration::from_mins(1);

async fn until(client: &Client, what: &str) {
    let begun = Instant::now();
    while !client.query_one(what, &[]).await.unwrap().get::<_, bool>(0) {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A commit stands in the log before others see it. One that waits for a copy which never answers stays between the two.
#[tokio::test]
async fn a_position_has_what_was_committed_before_it_though_nobody_saw_it_yet() {
    let home = Home::new();
    let cluster = postgres::cluster::start(home.options()).await.unwrap();
    let config = cluster.migrator_config();
    let connect = async || {
        let (client, connection) = config.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    };
    let (desk, writer, other) = (connect().await, connect().await, connect().await);
    desk.batch_execute("create table kept (n int)").await.unwrap();
    // Whoever has a transaction open and does nothing holds nobody up.
    other.batch_execute("begin; create table later (n int)").await.unwrap();
    let before = sums(&config, true, PATIENCE).await.unwrap();
    assert_eq!((before.tables["public.kept"].rows, before.tables.contains_key("public.later")), (0, false));

    desk.batch_execute("alter system set synchronous_standby_names = 'nobody'").await.unwrap();
    desk.batch_execute("select pg_reload_conf()").await.unwrap();
    until(&desk, "select current_setting('synchronous_standby_names') = 'nobody'").await;
    let commits = async {
        writer.batch_execute("set synchronous_commit = on; insert into kept values (7)").await.unwrap();
    };
    let looks = async {
        until(&desk, "select exists (select from pg_stat_activity where wait_event = 'SyncRep')").await;
        let looked = tokio::spawn({
            let config = config.clone();
            async move { sums(&config, true, PATIENCE).await }
        });
        until(&desk, "select exists (select from pg_stat_activity where application_name = 'thorbis backup' and query = 'rollback')").await;
        desk.batch_execute("alter system reset synchronous_standby_names").await.unwrap();
        desk.batch_execute("select pg_reload_conf()").await.unwrap();
        looked.await.unwrap().unwrap()
    };
    let (after, ()) = tokio::join!(looks, commits);
    assert_eq!(after.tables["public.kept"].rows, 1, "what stands in the log before the position is there");
    cluster.stop().await.unwrap();
}
