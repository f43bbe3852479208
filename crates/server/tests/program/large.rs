//! A large file comes and goes without being held in memory. `STORAGE_MIB` makes the short form the long proof.

use futures_util::{StreamExt as _, stream};
use reqwest::{Body, Method};
use serde_json::json;

use crate::process::{Program, Way, folder, number};

/// Bytes of one piece of a file.
const PIECE: usize = 65_536;
/// How much more memory the server may have while a large file goes through it, in kB.
const GROWTH_KB: u64 = 32_768;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_is_never_held_in_memory() {
    let (mib, folder) = (number("STORAGE_MIB", 64), folder());
    let server = Program::start(folder.path());
    let way = Way::to(&server, folder.path());
    assert_eq!(way.storage(Method::POST, "bucket").json(&json!({ "id": "large" })).send().await.unwrap().status(), 200);
    // What a first upload needs is there before it is measured.
    let warm = vec![0_u8; 4_194_304];
    assert_eq!(way.storage(Method::POST, "object/large/warm").body(warm).send().await.unwrap().status(), 200);
    way.storage(Method::GET, "object/large/warm").send().await.unwrap().bytes().await.unwrap();
    let before = server.memory();
    let pieces = stream::iter(0..mib * 16).map(|_| Ok::<_, std::io::Error>(vec![7_u8; PIECE]));
    let sent = way.patient(Method::POST, "object/large/file").body(Body::wrap_stream(pieces)).send().await.unwrap();
    assert_eq!(sent.status(), 200);
    let up = server.memory().saturating_sub(before);
    let mut got = way.patient(Method::GET, "object/large/file").send().await.unwrap().bytes_stream();
    let (mut bytes, mut down) = (0_u64, 0);
    while let Some(piece) = got.next().await {
        let piece = piece.unwrap();
        if bytes % 67_108_864 < u64::try_from(piece.len()).unwrap() {
            down = down.max(server.memory().saturating_sub(before));
        }
        bytes += u64::try_from(piece.len()).unwrap();
    }
    assert_eq!(bytes, mib * 1_048_576);
    println!("{mib} MiB up and down: {up} kB and {down} kB more memory");
    assert!(up <= GROWTH_KB && down <= GROWTH_KB, "{up} kB, {down} kB");
    server.stop();
}
