//! From a backup to a database that answers, to the second; and what must be refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use operations::{RecoveryKey, Target, Vault, settle};

use crate::bench::{Bench, said};

async fn say(bench: &Bench, word: &str) -> Timestamp {
    let client = bench.client().await;
    client.execute("insert into said (word) values ($1)", &[&word]).await.unwrap();
    client.query_one("select clock_timestamp()", &[]).await.unwrap().get(0)
}

async fn begin(bench: &Bench) {
    bench.client().await.batch_execute("create table said (id int generated always as identity, word text)").await.unwrap();
}

/// Every file of the store whose name has this in it.
fn stored(folder: &Path, part: &str) -> Vec<PathBuf> {
    let (mut found, mut open) = (vec![], vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                open.push(entry.path());
            } else if entry.path().to_string_lossy().contains(part) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_to_a_moment_has_what_was_committed_until_then() {
    let bench = Bench::new().await;
    begin(&bench).await;
    fs::create_dir_all(bench.original.files.join("a")).unwrap();
    fs::write(bench.original.files.join("a/photo"), b"a photo").unwrap();
    fs::write(bench.original.data.join("keys.json"), b"the ring").unwrap();
    say(&bench, "before the backup").await;
    let made = bench.back_up().await;
    let first = say(&bench, "first").await;
    // The moment is between the two, which are in one piece of the log.
    let between = first.checked_add(jiff::SignedDuration::from_millis(1)).unwrap();
    while Timestamp::now() <= between {
        tokio::task::yield_now().await;
    }
    say(&bench, "second").await;
    bench.ship().await;

    let restored = bench.restore("then", Target::Time(between)).await.unwrap();
    assert_eq!(said(&restored.cluster.migrator_config()).await, ["before the backup", "first"]);
    assert_eq!((restored.manifest.id.as_str(), restored.files), (made.id.as_str(), 1));
    let stage = bench.folder.path().join("then");
    settle(restored, &stage).await.unwrap();
    assert_eq!(fs::read(stage.join("files/a/photo")).unwrap(), b"a photo");
    assert_eq!(fs::read(stage.join("keys.json")).unwrap(), b"the ring");

    let latest = bench.restore("latest", Target::Latest).await.unwrap();
    assert_eq!(said(&latest.cluster.migrator_config()).await, ["before the backup", "first", "second"]);
    // A server takes the folder as it is.
    let stage = bench.folder.path().join("latest");
    settle(latest, &stage).await.unwrap();
    let again = postgres::cluster::start(crate::bench::options(stage)).await.unwrap();
    assert_eq!(said(&again.migrator_config()).await.len(), 3);
    again.stop().await.unwrap();

    let later = Timestamp::now().checked_add(jiff::SignedDuration::from_hours(1)).unwrap();
    let refused = bench.restore("later", Target::Time(later)).await.err().unwrap();
    assert_eq!(refused.code(), "log_too_short", "{refused:?}");
    let refused = bench.restore("early", Target::Time(Timestamp::UNIX_EPOCH)).await.err().unwrap();
    assert_eq!(refused.code(), "backup_not_found");
    bench.cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_in_the_store_is_found_and_nothing_in_it_can_be_read() {
    let bench = Bench::new().await;
    begin(&bench).await;
    fs::write(bench.original.data.join("keys.json"), b"planted-in-the-ring").unwrap();
    say(&bench, "planted-in-a-row").await;
    let made = bench.back_up().await;
    bench.ship().await;
    let verified = operations::verify(&bench.vault, &made).await.unwrap();
    assert!(verified.parts >= 2 && verified.pieces >= 1, "{verified:?}");
    let store = bench.folder.path().join("store");
    for path in stored(&store, "") {
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"planted"), "{path:?}");
    }

    for part in ["base.000000", "state.000000", "/log/"] {
        // A label of a copy is only read while that is made.
        let path = stored(&store, part).into_iter().rfind(|path| path.extension().is_none_or(|end| end != "backup")).unwrap();
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        fs::write(&path, &bad).unwrap();
        assert_eq!(operations::verify(&bench.vault, &made).await.unwrap_err().code(), "backup_damaged", "{part}");
        fs::write(&path, &good).unwrap();
    }
    let part = stored(&store, "base.000000").pop().unwrap();
    let moved = part.with_extension("away");
    fs::rename(&part, &moved).unwrap();
    assert_eq!(operations::verify(&bench.vault, &made).await.unwrap_err().code(), "backup_incomplete");
    fs::rename(&moved, &part).unwrap();

    // A manifest that names other parts is nobody's who has not the key.
    let manifest = stored(&store, "manifest.json").pop().unwrap();
    let good = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, good.replacen("\"major\":1", "\"major\":2", 1)).unwrap();
    let catalog = operations::catalog(&bench.vault.store, &bench.vault.key, None).await.unwrap();
    assert!(catalog.backups.is_empty() && catalog.unusable[0].error.code() == "backup_damaged", "{catalog:?}");
    fs::write(&manifest, good).unwrap();

    let (other, _) = RecoveryKey::load_or_create(&bench.folder.path().join("other")).unwrap();
    let vault = Vault { key: other, ..bench.vault.clone() };
    let catalog = operations::catalog(&vault.store, &vault.key, None).await.unwrap();
    assert_eq!(catalog.unusable[0].error.code(), "recovery_key_wrong");
    bench.cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hole_in_the_log_is_never_passed_in_silence() {
    let bench = Bench::new().await;
    begin(&bench).await;
    bench.back_up().await;
    let mut between = vec![];
    for word in ["one", "two", "three"] {
        say(&bench, word).await;
        bench.ship().await;
        between.push(stored(&bench.folder.path().join("store"), "/log/").pop().unwrap());
    }
    fs::remove_file(&between[1]).unwrap();
    let refused = bench.restore("hole", Target::Latest).await.err().unwrap();
    assert_eq!(refused.code(), "log_gap");
    bench.cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_backup_is_none_and_is_cleaned_up() {
    let bench = Bench::new().await;
    begin(&bench).await;
    bench
        .client()
        .await
        .batch_execute("create table large as select i, repeat(md5(i::text), 20) from generate_series(1, 60000) i")
        .await
        .unwrap();
    let store = bench.folder.path().join("store");
    let (vault, original) = (bench.vault.clone(), bench.original.clone());
    let making = tokio::spawn(async move { operations::create(&vault, &original).await });
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while !store.is_dir() || stored(&store, "base.000000").is_empty() {
        assert!(std::time::Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    making.abort();
    assert!(making.await.is_err(), "it was cut off in the middle");
    let catalog = operations::catalog(&bench.vault.store, &bench.vault.key, None).await.unwrap();
    assert_eq!((catalog.backups.len(), catalog.unfinished.len()), (0, 1));
    assert_eq!(bench.restore("nothing", Target::Latest).await.err().unwrap().code(), "backup_not_found");
    bench.back_up().await;
    let catalog = operations::catalog(&bench.vault.store, &bench.vault.key, None).await.unwrap();
    assert_eq!((catalog.backups.len(), catalog.unfinished.len()), (1, 0));
    bench.cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_backups_at_once_take_turns() {
    let mut bench = Bench::new().await;
    begin(&bench).await;
    let create = || operations::create(&bench.vault, &bench.original);
    let (first, second) = tokio::join!(create(), create());
    assert_ne!(first.unwrap().id, second.unwrap().id);
    let catalog = operations::catalog(&bench.vault.store, &bench.vault.key, None).await.unwrap();
    assert_eq!((catalog.backups.len(), catalog.unfinished.len()), (2, 0));

    bench.vault.config.turn_time_s = 0;
    let create = || operations::create(&bench.vault, &bench.original);
    let (first, second) = tokio::join!(create(), create());
    let codes = [first, second].map(|made| made.err().map(|error| error.code().to_owned()));
    assert!(codes.contains(&None) && codes.contains(&Some("backup_running".to_owned())), "{codes:?}");
    bench.cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_compares_every_table() {
    let bench = Bench::new().await;
    begin(&bench).await;
    bench.back_up().await;
    say(&bench, "after the backup").await;
    let report = operations::drill(&bench.vault, &bench.original, &crate::bench::options(bench.original.data.clone())).await.unwrap();
    assert!(report.passed() && report.rows == 1 && report.different.is_empty(), "{report:?}");
    assert_eq!(operations::last_drill(&bench.vault, None).await.unwrap().unwrap(), report);
    let left: Vec<_> = fs::read_dir(&bench.original.data).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("drill-")), "{left:?}");
    bench.cluster.stop().await.unwrap();
}
