//! How many tasks are told of to whoever watches.

use jiff::{SignedDuration, Timestamp};
use queue::QueueConfig;

use crate::shop::{Shop, order};

#[tokio::test]
async fn what_is_not_finished_is_counted_by_its_state_and_up_to_a_limit() {
    let shop = Shop::with(QueueConfig { measure_rows_max: 2, ..QueueConfig::default() }).await;
    let counted = async || {
        let unfinished = shop.worker().measure().await.unwrap();
        let tasks: Vec<String> = unfinished.tasks.iter().map(|(state, tasks)| format!("{state} {tasks}")).collect();
        (tasks.join(", "), unfinished.ready_age_s)
    };
    assert_eq!(counted().await, ("ready 0, running 0, later 0, waiting 0".to_owned(), 0));
    let company = shop.company("one").await;
    let now = Timestamp::now();
    shop.put(order("old", "").for_company(company)).await;
    shop.execute("update app.tasks set run_at = now() - interval '10 minutes'").await;
    shop.put(order("late", "").at(now + SignedDuration::from_hours(1))).await;
    let (tasks, age) = counted().await;
    assert_eq!(tasks, "ready 1, running 0, later 1, waiting 0");
    assert!((600..660).contains(&age), "{age}");
    for name in ["one", "two"] {
        shop.put(order(name, "").for_company(company)).await;
    }
    assert_eq!(counted().await.0, "ready 2, running 0, later 1, waiting 0", "no more than the limit is read");
    shop.drain().await;
    assert_eq!(counted().await, ("ready 0, running 0, later 1, waiting 0".to_owned(), 0));
}
