//! How many run at the same time, pauses, draining, partitions.

use tokio_util::sync::CancellationToken;

use crate::shop::{Shop, limited, order};

/// Runs a worker until so many handlers wait in it, and returns how many tasks were running then.
async fn running(shop: &Shop, count: usize) -> String {
    let end = CancellationToken::new();
    let looks = async {
        for _ in 0..count {
            shop.seen.began().await;
        }
        // Everything that was ready is taken or waits for a slot by now, but for what a claim is at.
        while shop.ask("select count(*) from app.tasks where state = 'ready'").await != "0" {
            tokio::task::yield_now().await;
        }
        let running = shop.ask("select count(*) from app.tasks where state = 'running'").await;
        end.cancel();
        running
    };
    let worker = shop.worker();
    tokio::join!(worker.run(end.clone()), looks).1
}

#[tokio::test]
async fn limits_of_kind_company_and_key_hold_and_are_changed_while_it_runs() {
    let shop = Shop::new().await;
    let (one, two) = (shop.company("one").await, shop.company("two").await);
    // Of one company two at the same time.
    for number in 0..4 {
        shop.put(limited(&format!("one {number}"), "wait").for_company(one)).await;
    }
    assert_eq!(running(&shop, 2).await, "2");
    assert_eq!(shop.seen.take(), ["one 0", "one 1"]);
    // Of all three.
    for number in 0..4 {
        shop.put(limited(&format!("two {number}"), "wait").for_company(two)).await;
    }
    assert_eq!(running(&shop, 3).await, "3");
    shop.execute("update app.task_kinds set max_running = 4 where name = 'limited'").await;
    shop.worker().tend().await.unwrap();
    assert_eq!(running(&shop, 4).await, "4");
    // With one key one.
    shop.execute("delete from app.tasks; update app.task_slots set running = 0").await;
    for _ in 0..2 {
        shop.put(limited("same", "wait").for_company(one).limited_by("printer")).await;
    }
    assert_eq!(running(&shop, 1).await, "1");
    // What is done makes room for what waits; nothing is left behind.
    shop.seen.take();
    shop.execute("update app.tasks set payload = '{\"name\": \"quick\"}'").await;
    for number in 0..20 {
        shop.put(limited(&format!("quick {number}"), "").for_company(one)).await;
    }
    shop.worker().tend().await.unwrap();
    assert_eq!(shop.drain().await.len(), 22);
    assert_eq!(shop.ask("select coalesce(sum(running), 0) from app.task_slots").await, "0");
}

#[tokio::test]
async fn what_is_paused_does_not_begin_and_what_drains_takes_nothing_new() {
    let shop = Shop::new().await;
    let (one, two) = (shop.company("one").await, shop.company("two").await);
    shop.execute(&format!("select app.pause_tasks(null, '{one}', 'infinity')")).await;
    for company in [one, two] {
        shop.put(order("o", "").for_company(company)).await;
        shop.put(limited("l", "").for_company(company)).await;
    }
    assert_eq!(shop.drain().await, ["l", "o#1"], "the other company's");
    shop.execute(&format!("select app.pause_tasks(null, '{one}', null); select app.pause_tasks('obey', null, now() + interval '1 hour')"))
        .await;
    shop.worker().tend().await.unwrap();
    assert_eq!(shop.drain().await, ["l"]);
    // A pause ends by itself.
    shop.execute("update app.task_kinds set paused_until = now() where name = 'obey'").await;
    shop.worker().tend().await.unwrap();
    assert_eq!(shop.drain().await, ["o#1"]);

    shop.put(order("last", "")).await;
    shop.execute("select app.pause_tasks('obey', null, null, true)").await;
    let refused = shop.queue.enqueue(order("too late", "")).await.unwrap_err();
    assert_eq!((refused.status().as_u16(), refused.code()), (409, "tasks_draining"));
    assert_eq!(shop.drain().await, ["last#1"]);
    let unnamed = shop.db.superuser().await.batch_execute("select app.pause_tasks(null, null, 'infinity')").await.unwrap_err();
    assert_eq!(unnamed.code().unwrap().code(), "TH422");
}

#[tokio::test]
async fn what_is_over_goes_with_its_week_and_with_its_company() {
    let shop = Shop::new().await;
    let company = shop.company("one").await;
    shop.put(order("done", "").for_company(company)).await;
    shop.put(order("dead", "dead").for_company(company)).await;
    shop.drain().await;
    shop.put(order("open", "").for_company(company)).await;
    shop.execute(
        "create table app.done_tasks_2026_01_05 (like app.done_tasks including defaults including constraints);
         alter table app.done_tasks attach partition app.done_tasks_2026_01_05 for values from ('2026-01-05 00:00+00') to ('2026-01-12 00:00+00')",
    )
    .await;
    assert_eq!(shop.ask("select app.drop_task_partitions(30, 90)").await, "{done_tasks_2026_01_05}");
    assert_eq!(shop.ask("select app.drop_task_partitions(30, 90)").await, "{}");
    // Two weeks were made ahead when it was migrated, and a week may have begun since.
    let this_week =
        "select to_regclass('app.done_tasks_' || to_char(date_trunc('week', now() at time zone 'utc'), 'YYYY_MM_DD')) is not null";
    assert_eq!(shop.ask(this_week).await, "true");
    shop.execute("select app.make_task_partitions(2)").await;
    assert_eq!(shop.ask("select app.make_task_partitions(2)").await, "{}");
    assert_eq!(shop.ask("select cardinality(app.make_task_partitions(3))").await, "2");
    shop.execute(&format!("delete from public.companies where id = '{company}'")).await;
    let left = "select (select count(*) from app.tasks) + (select count(*) from app.done_tasks) + (select count(*) from app.dead_tasks)";
    assert_eq!(shop.ask(left).await, "0");
}
