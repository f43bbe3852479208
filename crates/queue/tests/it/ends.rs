//! How tasks end: done, failed and tried again, dead and driven again, cancelled, too late.

use queue::QueueConfig;

use crate::shop::{Shop, hasty, order};

#[tokio::test]
async fn a_task_that_fails_is_tried_again_and_dies_after_its_last_attempt() {
    let shop = Shop::new().await;
    for act in ["fail", "panic", "dead", "later"] {
        shop.put(order(act, act)).await;
    }
    assert_eq!(shop.drain().await, ["dead#1", "fail#1", "later#1", "panic#1"]);
    let put_off =
        "select bool_and(run_at between now() + interval '470 s' and now() + interval '730 s') from app.tasks where state = 'later'";
    assert_eq!(shop.ask(put_off).await, "true", "ten minutes, more or less by a fifth");
    assert_eq!(shop.list("payload ->> 'name'", "app.dead_tasks").await, "dead");
    assert!(shop.drain().await.is_empty(), "it is not time yet");
    shop.wait_for_all().await;
    assert_eq!(shop.drain().await, ["fail#2", "later#1", "panic#2"], "what only came too early lost no attempt");
    assert_eq!(shop.list("payload ->> 'name'", "app.dead_tasks").await, "dead fail panic");
    let errors = "select jsonb_path_query_array(errors, '$[*].error') from app.dead_tasks where payload ->> 'name' =";
    assert_eq!(shop.ask(&format!("{errors} 'panic'")).await, r#"["its handler panicked", "its handler panicked"]"#);
    assert_eq!(shop.ask(&format!("{errors} 'dead'")).await, r#"["there is no printer"]"#);

    // Driven again, each once; what it went through before is known.
    shop.execute("update app.dead_tasks set payload = payload || '{\"act\": \"\"}'").await;
    assert_eq!(shop.ask("select app.redrive_tasks('obey', p_rows_max => 2)").await, "2");
    assert_eq!(shop.ask("select app.redrive_tasks('obey')").await, "1");
    assert_eq!(shop.ask("select app.redrive_tasks('obey')").await, "0");
    assert_eq!(shop.drain().await, ["dead#1", "fail#1", "panic#1"]);
    assert_eq!(shop.ask("select max(jsonb_array_length(errors)) from app.done_tasks").await, "2");
}

#[tokio::test]
async fn what_a_handler_writes_with_its_end_is_written_once() {
    let shop = Shop::new().await;
    shop.put(order("within", "within")).await;
    shop.put(order("lie", "lie")).await;
    shop.put(order("spoil", "spoil")).await;
    shop.put(order("good", "")).await;
    assert_eq!(shop.drain().await, ["good#1", "lie#1", "spoil#1", "within#1"]);
    assert_eq!(shop.list("body_text", "app.captured_messages").await, "within");
    assert_eq!(shop.list("payload ->> 'name'", "app.done_tasks").await, "good within");
    assert_eq!(shop.ask("select result from app.done_tasks where payload ->> 'name' = 'within'").await, r#"{"within": true}"#);
    // What was taken back is tried again, what cannot be written spoils nothing but itself.
    assert_eq!(shop.list("payload ->> 'name'", "app.tasks where state = 'later'").await, "lie");
    assert_eq!(shop.list("payload ->> 'name'", "app.dead_tasks").await, "spoil");
}

#[tokio::test]
async fn cancelling_reaches_what_waits_and_what_runs() {
    let shop =
        Shop::with(QueueConfig { stop_grace_ms: 50, beat_interval_ms: 20_000, dead_after_ms: 60_000, ..QueueConfig::default() }).await;
    let company = shop.company("first").await;
    let waits = shop.put(order("waits", "").for_company(company)).await;
    assert!(shop.queue.cancel(Some(company), waits).await.unwrap());
    assert!(!shop.queue.cancel(Some(company), waits).await.unwrap(), "it is over");
    let runs = shop.put(order("runs", "wait").for_company(company)).await;
    assert!(!shop.queue.cancel(None, runs).await.unwrap(), "it is this company's");
    let cancel = async {
        shop.seen.began().await;
        assert!(shop.queue.cancel(Some(company), runs).await.unwrap());
    };
    let worker = shop.worker();
    tokio::join!(worker.drain(), cancel);
    assert_eq!(shop.list("outcome || ' ' || (payload ->> 'name')", "app.done_tasks").await, "cancelled runs cancelled waits");
}

/// One lies behind the one that runs, taken by the same process: it was cancelled before it began.
#[tokio::test]
async fn what_was_cancelled_before_it_began_never_begins() {
    let shop = Shop::with(QueueConfig { running_max: 1, ..QueueConfig::default() }).await;
    let company = shop.company("first").await;
    for number in 0..8 {
        shop.put(order(&format!("quick {number}"), "quick").for_company(company)).await;
    }
    let runs = shop.put(order("runs", "wait").for_company(company)).await;
    let lies = shop.put(order("lies", "").for_company(company)).await;
    let cancel = async {
        shop.seen.began().await;
        for id in [lies, runs] {
            assert!(shop.queue.cancel(Some(company), id).await.unwrap());
        }
    };
    let worker = shop.worker();
    tokio::join!(worker.drain(), cancel);
    assert!(!shop.seen.take().contains(&"lies".to_owned()));
    let ended = "(payload ->> 'name') || ' ' || outcome";
    let list = shop.list(ended, "app.done_tasks").await;
    assert!(list.contains("lies cancelled") && list.contains("runs cancelled"), "{list}");
}

/// A process goes while it holds what was cancelled: that does not come back.
#[tokio::test]
async fn what_was_cancelled_does_not_come_back_from_a_process_that_goes() {
    let shop = Shop::new().await;
    let company = shop.company("first").await;
    let held = shop.put(order("held", "").for_company(company)).await;
    let worker = "00000000-0000-7000-8000-000000000001";
    let take = format!("update app.tasks set state = 'running', worker = '{worker}', attempt = 1, started_at = now()");
    shop.execute(&take).await;
    assert!(shop.queue.cancel(Some(company), held).await.unwrap());
    assert_eq!(shop.ask(&format!("app.retire_worker('{worker}')")).await, "1");
    assert_eq!(shop.list("(payload ->> 'name') || ' ' || outcome", "app.done_tasks").await, "held cancelled");
}

#[tokio::test]
async fn a_handler_that_takes_too_long_is_dropped_and_tried_again() {
    let shop = Shop::with(QueueConfig { stop_grace_ms: 20, ..QueueConfig::default() }).await;
    shop.put(hasty("hangs", "hang")).await;
    shop.put(hasty("ends when told", "wait")).await;
    assert_eq!(shop.drain().await.len(), 2);
    let error = "select string_agg(distinct errors -> 0 ->> 'error', ';') || count(*) from app.tasks where state = 'later'";
    assert_eq!(shop.ask(error).await, "it took longer than 20 ms2");
}
