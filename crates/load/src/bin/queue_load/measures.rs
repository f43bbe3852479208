//! What is measured, each said in one line of JSON.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::ensure;
use kernel::CompanyId;
use queue::{NewTask, Queue, Worker};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::kinds::{Clocked, Noop, Nothing, Seen, Since};

/// Callers that put tasks in together while the queue is filled.
const FILLERS: u64 = 64;
/// How long the last clocked task is waited for.
const PATIENCE: Duration = Duration::from_mins(2);

fn company(number: u64) -> CompanyId {
    CompanyId(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 + u128::from(number)))
}

fn now() -> anyhow::Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?)
}

/// Puts tasks in, as many callers at a time that share statements.
pub(crate) async fn fill(queue: &Queue, tasks: u64, companies: u64, millis: u64) -> anyhow::Result<Value> {
    let begun = now()?;
    let payload = Nothing { millis };
    let callers: Vec<_> = (0..FILLERS)
        .map(|caller| {
            let queue = queue.clone();
            tokio::spawn(async move {
                let mut waiting = tokio::task::JoinSet::new();
                for number in (caller..tasks).step_by(usize::try_from(FILLERS)?) {
                    // Half of them are the first one's.
                    let whose = if number % 2 == 0 { 0 } else { number % companies };
                    let queue = queue.clone();
                    waiting.spawn(async move { queue.enqueue(NewTask::of::<Noop>(&payload).for_company(company(whose))).await });
                    if waiting.len() >= 64
                        && let Some(put) = waiting.join_next().await
                    {
                        put??;
                    }
                }
                while let Some(put) = waiting.join_next().await {
                    put??;
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for caller in callers {
        caller.await??;
    }
    Ok(json!({ "tasks": tasks, "begun_us": begun, "ended_us": now()? }))
}

/// Does what there is.
pub(crate) async fn drain(worker: &Worker, seen: &Seen) -> anyhow::Result<Value> {
    let begun = now()?;
    worker.drain().await;
    Ok(json!({ "tasks": seen.count(), "begun_us": begun, "ended_us": now()? }))
}

/// Callers that each put one task in and go on when it is on the disk.
pub(crate) async fn enqueue(queue: &Queue, callers: usize, time: Duration) -> anyhow::Result<Value> {
    let (begun, until) = (now()?, Instant::now() + time);
    let callers: Vec<_> = (0..callers)
        .map(|number| {
            let queue = queue.clone();
            tokio::spawn(async move {
                let (mut count, company) = (0_u64, company(u64::try_from(number)?));
                while Instant::now() < until {
                    queue.enqueue(NewTask::of::<Noop>(&Nothing { millis: 0 }).for_company(company)).await?;
                    count += 1;
                }
                anyhow::Ok(count)
            })
        })
        .collect();
    let mut tasks = 0;
    for caller in callers {
        tasks += caller.await??;
    }
    Ok(json!({ "tasks": tasks, "begun_us": begun, "ended_us": now()? }))
}

/// Puts single tasks of a small company in while a worker of this process does whatever there is.
pub(crate) async fn wait(queue: &Queue, worker: &Worker, seen: &Arc<Seen>, tasks: u64, pause: Duration) -> anyhow::Result<Value> {
    let stop = CancellationToken::new();
    let putting = async {
        // The worker is at it: the first one is not counted.
        put(queue, seen).await?;
        seen.clocked.notified().await;
        for _ in 0..tasks {
            let began = seen.clocked.notified();
            put(queue, seen).await?;
            if pause.is_zero() {
                began.await;
            } else {
                tokio::time::sleep(pause).await;
            }
        }
        let late = Instant::now() + PATIENCE;
        while u64::try_from(seen.waited().len())? <= tasks {
            ensure!(Instant::now() < late, "tasks of the small company were not begun in time");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        anyhow::Ok(())
    };
    let putting = async {
        let put = putting.await;
        let done_beside = seen.count();
        stop.cancel();
        put.map(|()| done_beside)
    };
    let ((), beside) = tokio::join!(worker.run(stop.clone()), putting);
    let mut waited = seen.waited().split_off(1);
    waited.sort_unstable();
    let at = |percent: usize| waited.get((waited.len() * percent / 100).min(waited.len().saturating_sub(1))).copied().unwrap_or_default();
    Ok(json!({ "tasks": tasks, "p50_us": at(50), "p99_us": at(99), "max_us": at(100), "beside": beside? }))
}

async fn put(queue: &Queue, seen: &Seen) -> anyhow::Result<()> {
    // No company that is filled has this number.
    let since = Since { micros: seen.now() };
    queue.enqueue(NewTask::of::<Clocked>(&since).for_company(company(u64::from(u32::MAX)))).await?;
    Ok(())
}
