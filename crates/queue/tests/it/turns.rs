//! What a small company waits for behind a large one: not for what was taken for that before.

use std::time::{Duration, Instant};

use queue::QueueConfig;
use tokio_util::sync::CancellationToken;

use crate::shop::{Shop, order};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_task_of_a_company_that_has_nothing_here_is_taken_and_begun_before_what_others_have_here() {
    // Nothing that was taken goes back by itself while somebody waits at the gate.
    let config = QueueConfig {
        running_max: 2,
        running_spare_max: 0,
        claim_rows_max: 100,
        held_ms: 60_000,
        stop_grace_ms: 100,
        ..QueueConfig::default()
    };
    let shop = Shop::with(config).await;
    let (large, small) = (shop.company("large").await, shop.company("small").await);
    for number in 0..100 {
        shop.put(order(&format!("short {number}"), "quick").for_company(large)).await;
    }
    for number in 0..400 {
        shop.put(order(&format!("large {number}"), "gate").for_company(large)).await;
    }
    let end = CancellationToken::new();
    let worker = shop.worker();
    let looks = async {
        for _ in 0..2 {
            shop.seen.began().await;
        }
        // As many of the large one as this process likes to hold.
        let held =
            async || shop.ask("select count(*) from app.tasks where state = 'running' and attempt = 1").await.parse::<u32>().unwrap();
        until("so many are held that none is taken any more", async || held().await > 100).await;
        shop.put(order("small", "quick").for_company(small)).await;
        until("the small one's is taken", async || {
            shop.ask(&format!("select count(*) from app.tasks where company_id = '{small}' and state = 'ready'")).await == "0"
        })
        .await;
        shop.seen.take();
        // One of the large one at most stands before it.
        let mut begun = Vec::new();
        for _ in 0..2 {
            shop.seen.go();
            until("another one begins", async || {
                begun.extend(shop.seen.take());
                !begun.is_empty()
            })
            .await;
        }
        until("the small one's begins", async || {
            begun.extend(shop.seen.take());
            begun.iter().any(|name| name == "small#1")
        })
        .await;
        let before = begun.iter().take_while(|name| *name != "small#1").count();
        assert!(before <= 2, "{begun:?}");
        end.cancel();
    };
    tokio::join!(worker.run(end.clone()), looks);
}
