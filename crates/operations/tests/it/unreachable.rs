//! A store that cannot be reached: nothing is lost in silence, and nothing grows without end.

use std::fs;

use crate::bench::Bench;

#[tokio::test(flavor = "multi_thread")]
async fn the_log_waits_for_its_store_and_what_is_given_up_is_told() {
    // A file stands where the folder of the store should be.
    let bench = Bench::with(|config| config.waiting_bytes_max = 67_108_864).await;
    let place = bench.folder.path().join("store");
    fs::write(&place, b"in the way").unwrap();
    let client = bench.client().await;
    let source = bench.source().await;
    client.batch_execute("create table large (word text)").await.unwrap();
    let archive = postgres::cluster::folders(&bench.original.data).archive;
    let waiting =
        || fs::read_dir(&archive).unwrap().flatten().filter(|entry| !entry.file_name().to_string_lossy().starts_with('.')).count();
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    // Four pieces may wait.
    for wanted in 1..=6 {
        client.batch_execute("insert into large values ('x'); select pg_switch_wal()").await.unwrap();
        while waiting() < wanted {
            assert!(std::time::Instant::now() < deadline);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
    let (shipped, outcome) = operations::ship(&bench.vault, &source, &bench.original.data).await;
    assert_eq!(outcome.unwrap_err().code(), "backup_store_unavailable");
    assert_eq!((shipped.pieces, shipped.lost, waiting()), (0, 2, 4));
    assert!(shipped.lag > std::time::Duration::ZERO);

    fs::remove_file(&place).unwrap();
    let (shipped, outcome) = operations::ship(&bench.vault, &source, &bench.original.data).await;
    outcome.unwrap();
    assert_eq!((shipped.pieces, shipped.lost, waiting()), (4, 0, 0));
    bench.cluster.stop().await.unwrap();
}
