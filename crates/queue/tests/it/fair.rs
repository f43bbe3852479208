//! What takes long keeps nobody from beginning, and what has a limit runs back to back.

use std::time::Duration;

use queue::QueueConfig;
use tokio_util::sync::CancellationToken;

use crate::shop::{Shop, limited, order};
use crate::turns::until;

/// Looks and beats are far between, so that nothing is found by looking.
fn unhurried() -> QueueConfig {
    QueueConfig {
        poll_interval_ms: 60_000,
        tend_interval_ms: 60_000,
        held_ms: 60_000,
        stop_grace_ms: 100,
        bell_interval_ms: 1,
        ..QueueConfig::default()
    }
}

#[tokio::test]
async fn a_company_whose_tasks_take_long_holds_its_share_of_the_places_and_not_all() {
    let shop = Shop::with(QueueConfig { running_max: 4, running_spare_max: 1, ..unhurried() }).await;
    let (long, short) = (shop.company("long").await, shop.company("short").await);
    for number in 0..12 {
        shop.put(order(&format!("long {number}"), "gate").for_company(long)).await;
    }
    let end = CancellationToken::new();
    let looks = async {
        for _ in 0..4 {
            shop.seen.began().await;
        }
        assert_eq!(shop.seen.take(), ["long 0#1", "long 1#1", "long 2#1", "long 3#1"]);
        // Nothing of it ends, and the other one's begins; one of it, where all places are taken.
        for number in 0..4 {
            shop.put(order(&format!("short {number}"), "gate").for_company(short)).await;
        }
        shop.seen.began().await;
        assert_eq!(shop.seen.take(), ["short 0#1"]);
        // What comes free is taken by whoever has fewer places.
        let mut begun = Vec::new();
        for _ in 0..4 {
            shop.seen.go();
            if begun.is_empty() {
                // The first that ends was above what runs at a time.
                until("one ended", async || shop.ask("select count(*) from app.done_tasks").await == "1").await;
                shop.seen.go();
            }
            shop.seen.began().await;
            begun.extend(shop.seen.take());
        }
        assert_eq!(begun, ["short 1#1", "long 4#1", "long 5#1", "short 2#1"]);
        end.cancel();
    };
    let worker = shop.worker();
    tokio::join!(worker.run(end.clone()), async { tokio::time::timeout(Duration::from_mins(1), looks).await.unwrap() });
}

#[tokio::test]
async fn short_tasks_go_on_beside_long_ones_in_every_place() {
    let shop = Shop::with(QueueConfig { running_max: 3, running_spare_max: 1, ..unhurried() }).await;
    let (long, short) = (shop.company("long").await, shop.company("short").await);
    for number in 0..6 {
        shop.put(order(&format!("long {number}"), "gate").for_company(long)).await;
    }
    let end = CancellationToken::new();
    let looks = async {
        for _ in 0..3 {
            shop.seen.began().await;
        }
        for number in 0..30 {
            shop.put(order(&format!("short {number}"), "quick").for_company(short)).await;
        }
        until("all of the short ones are done", async || shop.ask("select count(*) from app.done_tasks").await == "30").await;
        assert!(shop.ask("select count(*) from app.tasks where state = 'running'").await.parse::<u32>().unwrap() >= 3);
        end.cancel();
    };
    let worker = shop.worker();
    tokio::join!(worker.run(end.clone()), looks);
}

#[tokio::test]
async fn what_may_run_once_at_a_time_runs_back_to_back() {
    let shop = Shop::with(unhurried()).await;
    let (one, two) = (shop.company("one").await, shop.company("two").await);
    shop.execute("update app.task_kinds set max_running = 1 where name = 'limited'").await;
    for number in 0..40 {
        shop.put(limited(&format!("{number:02}"), "").for_company(if number % 2 == 0 { one } else { two })).await;
    }
    // No look and no tending comes before a minute is over: each is told of by the one before it.
    let end = CancellationToken::new();
    let looks = async {
        until("all are done", async || shop.ask("select count(*) from app.done_tasks").await == "40").await;
        end.cancel();
    };
    let worker = shop.worker();
    let begun = std::time::Instant::now();
    tokio::join!(worker.run(end.clone()), looks);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_eq!(shop.ask("select coalesce(sum(running), 0) from app.task_slots").await, "0");
}
