//! Putting tasks in: with the transaction that is their reason, once under a key, in their order, many at once.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use queue::{OnConflict, QueueConfig};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::shop::{Shop, order};

#[tokio::test]
async fn a_task_is_there_when_its_transaction_is_committed_and_never_otherwise() {
    let shop = Shop::new().await;
    let company = shop.company("first").await;
    let tx = shop.begin().await;
    shop.queue.put(&tx, order("undone", "")).await.unwrap();
    tx.rollback().await.unwrap();
    let tx = shop.begin().await;
    let id = shop.queue.put(&tx, order("one", "").for_company(company)).await.unwrap();
    assert!(shop.drain().await.is_empty(), "not committed yet");
    tx.commit().await.unwrap();
    assert_eq!(shop.drain().await, ["one#1"]);

    let row = shop.ask("select to_jsonb(d) - '{created_at,started_at,finished_at,run_at,worker}'::text[] from app.done_tasks d").await;
    let row: serde_json::Value = serde_json::from_str(&row).unwrap();
    let expected = json!({
        "company_id": company, "id": id, "kind": "obey", "outcome": "done", "rank": 0, "attempt": 1, "attempts_max": 2, "unique_key": null,
        "payload": { "name": "one", "act": "" }, "progress_percent": 50, "progress_message": "half of it", "errors": [],
        "result": { "said": "one" }, "created_by": null, "label": null
    });
    assert_eq!(row, expected);
    assert_eq!(shop.ask("select count(*) from app.tasks").await, "0");
    assert_eq!(shop.ask("select count(*) from app.task_workers").await, "0", "a worker that ended says so");
}

#[tokio::test]
async fn a_task_is_told_of_after_its_commit_though_another_is_put_in_before() {
    // Nothing is found by looking.
    let shop = Shop::with(QueueConfig { poll_interval_ms: 60_000, bell_interval_ms: 1, ..QueueConfig::default() }).await;
    let (late, other) = (shop.company("late").await, shop.company("other").await);
    let (worker, ending) = (shop.worker(), CancellationToken::new());
    let (told, done) = (ending.clone(), async {
        // The worker looks once at its start.
        shop.put(order("first", "gate")).await;
        shop.seen.began().await;
        let tx = shop.begin().await;
        shop.queue.put(&tx, order("late", "gate").for_company(late)).await.unwrap();
        shop.put(order("other", "gate").for_company(other)).await;
        shop.seen.began().await;
        tx.commit().await.unwrap();
        let came = tokio::time::timeout(Duration::from_secs(40), shop.seen.began()).await;
        ending.cancel();
        came.expect("it is told of when it is there");
    });
    tokio::join!(worker.run(told), done);
}

#[tokio::test]
async fn sql_puts_tasks_in_too_and_nobody_but_the_service_does() {
    let shop = Shop::new().await;
    shop.execute("set role service_role; select app.enqueue_task('obey', '{\"name\": \"from sql\"}', null)").await;
    assert_eq!(shop.drain().await, ["from sql#1"], "found by looking: nobody told of it");
    let superuser = shop.db.superuser().await;
    for (sql, state) in [
        ("select app.enqueue_task('nonsense')", "TH422"),
        ("select app.enqueue_task('obey', p_priority => 1001)", "TH422"),
        ("select app.enqueue_task('obey', p_on_conflict => 'what')", "TH422"),
        ("select app.enqueue_task('obey', '[]')", "23514"),
    ] {
        let error = superuser.batch_execute(sql).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), state, "{sql}");
    }
    for role in ["anon", "authenticated", "guest"] {
        for sql in
            ["select app.enqueue_task('obey')", "select app.enqueue_tasks('[]')", "delete from app.tasks", "delete from app.done_tasks"]
        {
            let error = superuser.batch_execute(&format!("begin; set local role {role}; {sql}; commit")).await.unwrap_err();
            assert_eq!(error.code().unwrap().code(), "42501", "{role}: {sql}");
            superuser.batch_execute("rollback").await.unwrap();
        }
    }
}

#[tokio::test]
async fn of_a_unique_key_there_is_one_unfinished_task() {
    let shop = Shop::new().await;
    let first = shop.put(order("first", "").unique("k", OnConflict::Skip)).await;
    assert_eq!(shop.put(order("skipped", "").unique("k", OnConflict::Skip)).await, first);
    let refused = shop.queue.enqueue(order("refused", "").unique("k", OnConflict::Refuse)).await.unwrap_err();
    assert_eq!((refused.status().as_u16(), refused.code()), (409, "task_exists"));
    assert_eq!(shop.drain().await, ["first#1"]);

    // Debounced: the last one counts, and its time.
    let hour = Timestamp::now() + SignedDuration::from_hours(1);
    let debounced = shop.put(order("early", "").unique("k", OnConflict::Replace)).await;
    assert_ne!(debounced, first, "the first one is finished");
    assert_eq!(shop.put(order("late", "").at(hour).unique("k", OnConflict::Replace)).await, debounced);
    assert!(shop.drain().await.is_empty(), "put off for an hour");
    assert_eq!(shop.put(order("nothing of this", "").unique("k", OnConflict::Earliest)).await, debounced);
    assert_eq!(shop.drain().await, ["late#1"], "brought forward");

    // Wanted again while it runs: done again afterwards.
    shop.put(order("running", "gate").unique("k", OnConflict::Replace)).await;
    let again = async {
        shop.seen.began().await;
        shop.put(order("again", "").unique("k", OnConflict::Replace)).await;
        shop.seen.go();
    };
    let worker = shop.worker();
    tokio::join!(worker.drain(), again);
    assert_eq!(shop.seen.take(), ["running#1", "again#1"]);
    // Another company's key is another.
    let (one, two) = (shop.company("one").await, shop.company("two").await);
    shop.put(order("one", "").for_company(one).unique("k", OnConflict::Refuse)).await;
    shop.put(order("two", "").for_company(two).unique("k", OnConflict::Refuse)).await;
    assert_eq!(shop.drain().await, ["one#1", "two#1"]);
}

#[tokio::test]
async fn urgent_tasks_come_first_and_small_companies_beside_large_ones() {
    let shop = Shop::with(QueueConfig { running_max: 1, ..QueueConfig::default() }).await;
    let (large, small) = (shop.company("large").await, shop.company("small").await);
    let tx = shop.begin().await;
    let mut tasks: Vec<_> = (0..200).map(|number| order(&format!("large {number:03}"), "").for_company(large)).collect();
    tasks.push(order("urgent", "").with_priority(5).for_company(large));
    tasks.push(order("idle", "").with_priority(-5).for_company(small));
    tasks.extend((0..3).map(|number| order(&format!("small {number}"), "").for_company(small)));
    shop.queue.put_all(&tx, tasks).await.unwrap();
    tx.commit().await.unwrap();
    shop.worker().drain().await;
    let seen = shop.seen.take();
    assert_eq!(seen.len(), 205);
    let place = |name: &str| seen.iter().position(|one| one == name).unwrap();
    assert!(place("urgent#1") < place("large 000#1") && place("small 2#1") < place("idle#1"));
    let mine: Vec<&String> = seen.iter().filter(|one| one.starts_with("large ")).collect();
    assert!(mine.is_sorted(), "the same company's tasks in their order");
    assert!(place("small 2#1") < 100, "three tasks wait for a few of the large company's and not for all 200: {}", place("small 2#1"));
}

#[tokio::test]
async fn callers_beside_each_other_share_commits_and_are_answered_each_for_himself() {
    let shop = Shop::with(QueueConfig { payload_bytes_max: 100, ..QueueConfig::default() }).await;
    let company = shop.company("first").await;
    shop.execute(&format!("insert into app.task_limits (company_id, kind, is_draining) values ('{company}', 'obey', true)")).await;
    let calls = (0..60).map(|number| shop.queue.enqueue(order(&format!("{number:02}"), "")));
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let commits = shop.ask("select count(distinct created_at) from app.tasks").await;
    assert!(commits.parse::<u32>().unwrap() < 60, "each had a commit of its own: {commits}");
    // Nobody is refused for another's fault.
    let calls = (0..20).map(|number| {
        let task = order(&format!("more {number:02}"), "");
        shop.queue.enqueue(if number % 10 == 7 { task.for_company(company) } else { task })
    });
    let answers = futures_util::future::join_all(calls).await;
    let refused: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert_eq!(refused.len(), 2);
    assert!(refused.iter().all(|error| error.code() == "tasks_draining"), "{refused:?}");
    assert_eq!(shop.drain().await.len(), 78);
    let large = shop.queue.enqueue(order(&"x".repeat(100), "")).await.unwrap_err();
    assert_eq!((large.status().as_u16(), large.code()), (413, "task_payload_too_large"));
}
