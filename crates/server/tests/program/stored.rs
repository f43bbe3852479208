//! Files: the server and PostgreSQL are killed again and again while files are uploaded, replaced and removed; what was acknowledged is
//! there, with the content that it has, and neither a row nor a file is left without the other.
//!
//! Invariant: a writer knows of each file whether it was acknowledged. `STORAGE_KILLS` and `SEED` make the short form the long proof.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::stream;
use reqwest::{Body, Method};
use serde_json::json;

use crate::process::{Dice, Program, Way, folder, number, sql};
use crate::worked::kill_postgresql;

const WRITERS: u64 = 4;
/// Bytes of one piece of a file.
const PIECE: usize = 65_536;

/// What is in a file: as many bytes as its number says, all of them told by it.
fn content(number: u64) -> Vec<u8> {
    let bytes = usize::try_from(1 + number * 7919 % 400_000).unwrap();
    number.to_string().bytes().cycle().take(bytes).collect()
}

/// Uploads files one after another, through all the outages, and removes some of them; returns those that have to be there.
async fn write(way: Arc<Way>, stop: Arc<AtomicBool>, writer: u64) -> (Vec<u64>, usize) {
    let (mut there, mut unanswered, mut count) = (Vec::new(), 0, 0);
    while !stop.load(Ordering::Relaxed) {
        count += 1;
        let number = count * WRITERS + writer;
        let pieces: Vec<Result<Vec<u8>, std::io::Error>> = content(number).chunks(PIECE).map(|piece| Ok(piece.to_vec())).collect();
        let path = format!("object/killed/{writer}/{number}.bin");
        match way
            .storage(Method::POST, &path)
            .body(Body::wrap_stream(stream::iter(pieces)))
            .send()
            .await
            .map(|answer| answer.status().as_u16())
        {
            Ok(200) if count % 5 == 0 => {
                // Whether it went is not known without an answer.
                let _gone = way.storage(Method::DELETE, &path).send().await.is_ok();
            }
            Ok(200) => {
                there.push(number);
                way.acknowledge();
            }
            Ok(400) => panic!("{path} was refused"),
            Ok(_) | Err(_) => {
                unanswered += 1;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
    (there, unanswered)
}

/// How many files there are.
fn files(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.flatten().map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_file_and_no_row_is_left_alone_when_everything_is_killed() {
    let (kills, mut dice, folder) = (number("STORAGE_KILLS", 3), Dice::new(), folder());
    let settings = [("THORBIS_MAINTENANCE__UPKEEP_INTERVAL_MS", "200"), ("THORBIS_STORAGE__TRASH_DAYS", "0")];
    let mut server = Program::start_with(folder.path(), &settings);
    let way = Way::to(&server, folder.path());
    let made = way.storage(Method::POST, "bucket").json(&json!({ "id": "killed" })).send().await.unwrap();
    assert_eq!(made.status(), 200);
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS).map(|writer| tokio::spawn(write(Arc::clone(&way), Arc::clone(&stop), writer))).collect();
    for _ in 0..kills {
        way.until_more(4).await;
        tokio::time::sleep(Duration::from_millis(400 + dice.below(600))).await;
        if dice.below(3) == 0 {
            tokio::task::block_in_place(|| kill_postgresql(folder.path()));
            continue;
        }
        server.kill();
        server = tokio::task::block_in_place(|| Program::start_with(folder.path(), &settings));
        way.moved(&server);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.store(true, Ordering::Relaxed);
    let (mut acknowledged, mut unanswered) = (Vec::new(), 0);
    for writer in writers {
        let (there, missing) = writer.await.unwrap();
        acknowledged.extend(there);
        unanswered += missing;
    }
    // The day that an upload is waited for is over.
    sql(folder.path(), "update app.blobs set keep_until = now() where state = 'intended'; delete from app.meant_contents");
    let begun = Instant::now();
    let blobs = folder.path().join("data/files/00000000-0000-0000-0000-000000000000");
    while sql(folder.path(), "select count(*) from app.blobs where state <> 'stored'") != "0"
        || sql(folder.path(), "select count(*) from app.blobs") != files(&blobs).to_string()
    {
        assert!(begun.elapsed() < Duration::from_mins(1), "files without rows, or rows without files: {} files", files(&blobs));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let alone = "select count(*) from storage.objects o where not exists (select from app.object_versions v where v.object_id = o.id and v.id = o.version)";
    assert_eq!(sql(folder.path(), alone), "0");
    let mut lost = 0;
    for number in &acknowledged {
        let path = format!("object/killed/{}/{number}.bin", number % WRITERS);
        let answer = way.storage(Method::GET, &path).send().await.unwrap();
        lost += u64::from(answer.bytes().await.unwrap() != content(*number));
    }
    println!(
        "{kills} kills of the server or PostgreSQL: {} files acknowledged, {lost} lost or other, no row and no file alone, {unanswered} requests unanswered",
        acknowledged.len()
    );
    assert!(acknowledged.len() > 10, "only {} files were written", acknowledged.len());
    assert_eq!(lost, 0);
    server.stop();
}
