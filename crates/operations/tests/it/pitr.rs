//! Writers at work, and restores to moments in the middle of it.
//!
//! Invariant: what was acknowledged before the moment is there, what was begun after it is not. `PITR_MOMENTS` makes the short form the
//! long proof.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use operations::{Target, settle};

use crate::bench::{Bench, connect};

const WRITERS: i64 = 4;

/// When a row was begun and when it was acknowledged.
struct Written {
    number: i64,
    begun: Timestamp,
    acknowledged: Timestamp,
}

async fn write(login: postgres::Config, writer: i64, stop: Arc<AtomicBool>) -> Vec<Written> {
    let client = connect(&login).await;
    let mut written = vec![];
    for count in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let number = count * WRITERS + writer;
        let begun = Timestamp::now();
        client.execute("insert into written (number) values ($1)", &[&number]).await.unwrap();
        written.push(Written { number, begun, acknowledged: Timestamp::now() });
    }
    written
}

#[tokio::test(flavor = "multi_thread")]
async fn moments_in_the_middle_of_work_are_exact() {
    let moments: usize = std::env::var_os("PITR_MOMENTS").map_or(1, |text| text.to_str().unwrap().parse().unwrap());
    let bench = Bench::new().await;
    bench.client().await.batch_execute("create table written (number bigint primary key)").await.unwrap();
    bench.back_up().await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS).map(|writer| tokio::spawn(write(bench.original.login.clone(), writer, Arc::clone(&stop)))).collect();
    let (mut chosen, begun) = (vec![], Instant::now());
    for number in 1..=moments {
        tokio::time::sleep_until((begun + Duration::from_millis(500) * u32::try_from(number).unwrap()).into()).await;
        chosen.push(Timestamp::now());
    }
    tokio::time::sleep_until((begun + Duration::from_millis(500) * u32::try_from(moments + 1).unwrap()).into()).await;
    stop.store(true, Ordering::Relaxed);
    let mut written = vec![];
    for writer in writers {
        written.extend(writer.await.unwrap());
    }
    bench.ship().await;

    let (mut wrong, mut longest) = (0, Duration::ZERO);
    for (number, moment) in chosen.iter().enumerate() {
        let name = format!("then-{number}");
        let restored = bench.restore(&name, Target::Time(*moment)).await.unwrap();
        longest = longest.max(restored.took);
        let rows = connect(&restored.cluster.migrator_config()).await.query("select number from written", &[]).await.unwrap();
        let there: std::collections::HashSet<i64> = rows.iter().map(|row| row.get(0)).collect();
        wrong += written.iter().filter(|row| row.acknowledged < *moment && !there.contains(&row.number)).count();
        wrong += written.iter().filter(|row| row.begun > *moment && there.contains(&row.number)).count();
        let stage = bench.folder.path().join(&name);
        settle(restored, &stage).await.unwrap();
        std::fs::remove_dir_all(stage).unwrap();
    }
    println!("{moments} moments among {} rows: {wrong} rows wrong; the longest restore took {longest:?}", written.len());
    assert_eq!(wrong, 0);
    bench.cluster.stop().await.unwrap();
}
