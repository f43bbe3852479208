//! Workers that die, come back from the dead, or are told to stop.

use std::time::Duration;

use queue::QueueConfig;
use tokio_util::sync::CancellationToken;

use crate::shop::{Shop, order};

/// Everybody who says that he lives said so a minute ago.
const SILENT: &str = "update app.task_workers set beat_at = now() - interval '1 minute'";

#[tokio::test]
async fn tasks_of_a_worker_that_died_are_done_by_another() {
    let shop = Shop::new().await;
    shop.put(order("hangs", "hang")).await;
    let worker = shop.worker();
    tokio::select! {
        () = worker.run(CancellationToken::new()) => unreachable!("nobody stops it"),
        () = shop.seen.began() => {}
    }
    assert_eq!(shop.ask("select state from app.tasks").await, "running", "it was dropped in the middle of it");
    worker.tend().await.unwrap();
    assert!(shop.drain().await == ["hangs#1"], "its worker may live");
    shop.execute(SILENT).await;
    shop.execute("update app.tasks set payload = '{\"name\": \"found\"}'").await;
    assert_eq!(worker.tend().await.unwrap(), 1);
    assert_eq!(shop.drain().await, ["found#2"]);
    let done = "select crashes_of.e from (select errors #>> '{0,error}' as e from app.done_tasks) crashes_of";
    assert_eq!(shop.ask(done).await, "the process that ran it died");

    // A task that kills whoever runs it is not tried for ever.
    shop.put(order("kills", "")).await;
    for _ in 0..5 {
        shop.execute("update app.tasks set state = 'running', worker = app.uuid_v7(), attempt = attempt + 1").await;
        worker.tend().await.unwrap();
    }
    assert_eq!(shop.ask("select jsonb_array_length(errors) from app.dead_tasks where payload ->> 'name' = 'kills'").await, "5");
}

#[tokio::test]
async fn a_zombie_ends_nothing_that_is_anothers() {
    let shop = Shop::with(QueueConfig { beat_interval_ms: 20_000, dead_after_ms: 60_000, ..QueueConfig::default() }).await;
    shop.put(order("slow", "wait")).await;
    let end = CancellationToken::new();
    let meanwhile = async {
        shop.seen.began().await;
        // Its task was given to another one, which is at it.
        shop.execute("update app.tasks set worker = app.uuid_v7(), attempt = attempt + 1").await;
        end.cancel();
    };
    let worker = shop.worker();
    tokio::join!(worker.run(end.clone()), meanwhile);
    assert_eq!(shop.ask("select state || attempt from app.tasks").await, "running2");
    assert_eq!(shop.ask("select count(*) from app.done_tasks").await, "0");
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_gives_back_what_it_had_not_begun() {
    let config = QueueConfig { running_max: 1, stop_grace_ms: 20, held_ms: 60_000, ..QueueConfig::default() };
    let shop = Shop::with(config).await;
    // So short that more are taken than can run.
    for number in 0..120 {
        shop.put(order(&format!("short {number}"), "")).await;
    }
    shop.drain().await;
    shop.put(order("first", "wait").with_priority(1)).await;
    for number in 0..5 {
        shop.put(order(&format!("behind {number}"), "")).await;
    }
    let end = CancellationToken::new();
    let stopping = async {
        shop.seen.began().await;
        end.cancel();
    };
    let worker = shop.worker();
    tokio::join!(worker.run(end.clone()), stopping);
    assert_eq!(shop.seen.take(), ["first#1"]);
    let back = "select string_agg(distinct state || attempt || jsonb_array_length(errors), ',') || count(*) from app.tasks";
    assert_eq!(shop.ask(back).await, "ready006", "as if nobody had taken them");
    assert_eq!(shop.ask("select count(*) from app.task_workers").await, "0");
}

#[tokio::test]
async fn another_process_hears_of_new_tasks() {
    // It would look for them itself only after a minute.
    let config = QueueConfig { poll_interval_ms: 60_000, ..QueueConfig::default() };
    let shop = Shop::with(config).await;
    let (end, listens) = (
        CancellationToken::new(),
        "select count(*) from pg_stat_activity where query ilike 'listen%thorbis_tasks%' and datname = current_database()",
    );
    let other = shop.other();
    let tells = async {
        while shop.ask(listens).await == "0" {
            tokio::task::yield_now().await;
        }
        let done = other.follow(end.clone());
        let puts = async {
            other.enqueue(order("heard", "wait")).await.unwrap();
            tokio::time::timeout(Duration::from_secs(40), shop.seen.began()).await.expect("it is heard at once");
            end.cancel();
        };
        tokio::join!(done, puts);
    };
    let worker = shop.worker();
    tokio::join!(worker.run(end.clone()), tells);
    assert_eq!(shop.seen.take(), ["heard#1"]);
}
