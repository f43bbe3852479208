//! The store against a server of S3 that checks signatures and sums, and that refuses, breaks off and goes away.

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use kernel::{Blob, BlobKey, BlobPrefix, BlobStream, Blobs, CompanyId, Error, Secret};
use testkit::object_store::{ACCESS_KEY, BUCKET, ObjectStore as Server, SECRET_KEY, Trouble};

use super::{ObjectStore, ObjectStoreConfig};
use crate::{BlobsConfig, Files};

const A: &str = "01900000-0000-7000-8000-00000000a000";
const B: &str = "01900000-0000-7000-8000-00000000b000";
const MIB: usize = 1_048_576;

fn config(server: &Server) -> ObjectStoreConfig {
    // Another test of the process may have been faster.
    let _known = rustls::crypto::aws_lc_rs::default_provider().install_default().is_ok();
    ObjectStoreConfig {
        endpoint: Some(server.address().to_owned()),
        bucket: BUCKET.into(),
        prefix: "production".into(),
        access_key: Some(Secret::new(ACCESS_KEY.into())),
        secret_key: Some(Secret::new(SECRET_KEY.into())),
        part_bytes: 5 * MIB,
        tries: 3,
        ..ObjectStoreConfig::default()
    }
}

fn company(id: &str) -> CompanyId {
    CompanyId(id.parse().unwrap())
}

fn key(id: &str, path: &str) -> BlobKey {
    BlobKey::new(company(id), path).unwrap()
}

/// Pieces of 60000 bytes, so that none ends where a part does.
fn content(bytes: &[u8]) -> BlobStream {
    stream::iter(bytes.chunks(60_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect::<Vec<_>>()).boxed()
}

fn film(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|number| u8::try_from(number * 31 % 251).unwrap()).collect()
}

async fn read(blob: Blob) -> Vec<u8> {
    let pieces: Vec<Bytes> = blob.content.map(Result::unwrap).collect().await;
    pieces.concat()
}

#[tokio::test]
async fn what_is_put_is_read_whole_in_part_and_until_it_is_deleted() {
    let server = Server::start().await;
    let blobs = ObjectStore::new(&config(&server)).unwrap();
    let key = key(A, "exports/one.csv");
    assert_eq!(blobs.head(&key).await.unwrap(), None);
    let put = blobs.put(&key, content(b"hello world"), 11).await.unwrap();
    assert_eq!((put.bytes, &put.key), (11, &key));
    assert_eq!(blobs.head(&key).await.unwrap(), Some(put.clone()));
    assert_eq!(server.names(), [format!("production/{A}/exports/one.csv")]);
    let whole = blobs.get(&key, None).await.unwrap();
    assert_eq!((whole.info.clone(), whole.range.clone(), read(whole).await.as_slice()), (put.clone(), 0..11, b"hello world".as_slice()));
    let part = blobs.get(&key, Some(6..100)).await.unwrap();
    assert_eq!((part.info.bytes, part.range.clone(), read(part).await.as_slice()), (11, 6..11, b"world".as_slice()));
    assert_eq!(read(blobs.get(&key, Some(6..u64::MAX)).await.unwrap()).await, b"world");
    let refused = blobs.get(&key, Some(11..12)).await.unwrap_err();
    assert_eq!((refused.status().as_u16(), refused.code()), (416, "blob_range_invalid"));
    blobs.put(&key, content(&[]), 5).await.unwrap();
    assert_ne!(blobs.head(&key).await.unwrap().unwrap().etag, put.etag);
    assert_eq!(read(blobs.get(&key, None).await.unwrap()).await, b"");
    assert!(blobs.delete(&key).await.unwrap());
    assert!(!blobs.delete(&key).await.unwrap());
    assert_eq!(blobs.get(&key, None).await.unwrap_err().code(), "blob_not_found");
}

#[tokio::test]
async fn a_large_file_goes_in_parts_and_appears_at_its_end() {
    let server = Server::start().await;
    let blobs = ObjectStore::new(&config(&server)).unwrap();
    for bytes in [5 * MIB, 12 * MIB + 7] {
        let (key, film) = (key(A, &format!("objects/{bytes}")), film(bytes));
        let put = blobs.put(&key, content(&film), u64::MAX).await.unwrap();
        assert_eq!(put.bytes, u64::try_from(bytes).unwrap());
        assert!(read(blobs.get(&key, None).await.unwrap()).await == film, "{bytes} bytes come back as they were");
        let middle = blobs.get(&key, Some(5_000_000..5_242_880)).await.unwrap();
        assert!(read(middle).await == film[5_000_000..5_242_880]);
    }
    assert_eq!(server.parts(), 0);
}

#[tokio::test]
async fn what_is_not_whole_is_never_there() {
    let server = Server::start().await;
    let blobs = ObjectStore::new(&config(&server)).unwrap();
    let key = key(A, "one.csv");
    blobs.put(&key, content(b"before"), 100).await.unwrap();
    let too_large = blobs.put(&key, content(&film(6 * MIB)), u64::try_from(6 * MIB).unwrap() - 1).await.unwrap_err();
    assert_eq!((too_large.status().as_u16(), too_large.code()), (413, "blob_too_large"));
    let broken = content(&film(11 * MIB)).chain(stream::iter([Err(Error::internal("the other side went away"))])).boxed();
    assert_eq!(blobs.put(&key, broken, u64::MAX).await.unwrap_err().code(), "internal_error");
    // Whoever sends goes away in the middle.
    let endless = content(&film(11 * MIB)).chain(stream::pending()).boxed();
    let cut = tokio::time::timeout(std::time::Duration::from_millis(700), blobs.put(&key, endless, u64::MAX)).await;
    assert!(cut.is_err());
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while server.parts() > 0 {
        assert!(std::time::Instant::now() < deadline, "its parts are taken back");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(read(blobs.get(&key, None).await.unwrap()).await, b"before");
    assert_eq!(server.names().len(), 1);
}

#[tokio::test]
async fn what_a_dead_server_began_is_taken_back_when_it_is_old() {
    let server = Server::start().await;
    let blobs = ObjectStore::new(&config(&server)).unwrap();
    let stranger = ObjectStore::new(&ObjectStoreConfig { prefix: "elsewhere".into(), ..config(&server) }).unwrap();
    // Whoever sends dies in the middle: it is forgotten as it is, and nothing of it takes anything back.
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    for store in [blobs.clone(), stranger] {
        let (store, key, before) = (Box::leak(Box::new(store)), Box::leak(Box::new(key(A, "film"))), server.parts());
        let endless = content(&film(11 * MIB)).chain(stream::pending()).boxed();
        let put = Box::leak(Box::new(store.put(key, endless, u64::MAX)));
        while server.parts() < before + 2 {
            assert!(tokio::time::timeout(std::time::Duration::from_millis(20), &mut *put).await.is_err(), "it has no end");
            assert!(std::time::Instant::now() < deadline, "its parts come");
        }
    }
    let begun = server.parts();
    assert_eq!(begun, 4);
    assert_eq!(blobs.sweep(1).await.unwrap(), 0, "it may still be under way");
    assert_eq!(server.parts(), begun);
    assert_eq!(blobs.take_back_older(jiff::SignedDuration::ZERO).await.unwrap(), 1);
    assert_eq!(server.parts(), 2, "what is not below our prefix stays");
    assert_eq!(blobs.take_back_older(jiff::SignedDuration::ZERO).await.unwrap(), 0);
    server.asked();
    assert_eq!((blobs.sweep(1).await.unwrap(), server.asked().len()), (0, 0), "it is not looked again within the hour");
}

#[tokio::test]
async fn a_store_that_does_not_list_what_was_begun_holds_up_nobody() {
    let server = Server::start().await;
    let files = Files::new("/nowhere".into(), &BlobsConfig { s3: config(&server), ..BlobsConfig::default() }).unwrap();
    server.trouble([Trouble::Refuse(403)]);
    assert_eq!(files.sweep().await.unwrap(), 0);
    assert_eq!(server.asked().len(), 1, "what is refused for good is asked once");
    let blobs = ObjectStore::new(&config(&server)).unwrap();
    server.trouble([Trouble::Refuse(403)]);
    let told = blobs.take_back_older(jiff::SignedDuration::ZERO).await.unwrap_err();
    assert_eq!(told.code(), "blob_store_unavailable");
}

#[tokio::test]
async fn refusals_are_waited_out_and_lines_that_break_are_gone_on_with() {
    let server = Server::start().await;
    let blobs = ObjectStore::new(&config(&server)).unwrap();
    let (key, film) = (key(A, "film"), film(11 * MIB));
    // Beginning, a part, and putting together are refused for now.
    server.trouble([Trouble::Refuse(503), Trouble::Refuse(429), Trouble::Pass, Trouble::Refuse(500), Trouble::Pass, Trouble::Refuse(408)]);
    blobs.put(&key, content(&film), u64::MAX).await.unwrap();
    server.trouble([Trouble::BreakOff(4 * MIB), Trouble::BreakOff(10)]);
    assert!(read(blobs.get(&key, None).await.unwrap()).await == film, "it went on where it broke");
    server.trouble([Trouble::BreakOff(1000)]);
    assert!(read(blobs.get(&key, Some(100..9000)).await.unwrap()).await == film[100..9000]);
    server.trouble([Trouble::BreakOff(2 * MIB); 9]);
    let pieces: Vec<_> = blobs.get(&key, None).await.unwrap().content.collect().await;
    assert_eq!(pieces.last().unwrap().as_ref().unwrap_err().code(), "blob_store_unavailable");
}

#[tokio::test]
async fn a_store_that_is_away_or_does_not_know_us_is_told_without_a_secret() {
    let server = Server::start().await;
    let blobs = ObjectStore::new(&config(&server)).unwrap();
    let key = key(A, "one");
    blobs.put(&key, content(b"x"), 1).await.unwrap();
    server.asked();
    server.shut(true);
    let prefix = BlobPrefix::company(company(A));
    for told in [
        blobs.put(&key, content(b"y"), 1).await.unwrap_err(),
        blobs.get(&key, None).await.unwrap_err(),
        blobs.head(&key).await.unwrap_err(),
        blobs.delete(&key).await.unwrap_err(),
        blobs.list(&prefix, None, 9).await.unwrap_err(),
    ] {
        assert_eq!((told.status().as_u16(), told.code()), (503, "blob_store_unavailable"));
    }
    assert_eq!(server.asked().len(), 5 * 3, "three tries each");
    server.shut(false);
    assert_eq!(read(blobs.get(&key, None).await.unwrap()).await, b"x");
    server.asked();
    let stranger = ObjectStore::new(&ObjectStoreConfig { secret_key: Some(Secret::new("another".into())), ..config(&server) }).unwrap();
    let told = stranger.get(&key, None).await.unwrap_err();
    assert_eq!((told.status().as_u16(), told.code()), (503, "blob_store_unavailable"));
    assert!(!format!("{told:?} {told} {stranger:?}").contains("X-Amz"), "{told:?}");
    assert_eq!(server.asked().len(), 1, "what is refused for good is asked once");
    let nowhere = ObjectStoreConfig { endpoint: Some("http://127.0.0.1:1".into()), tries: 2, ..config(&server) };
    assert_eq!(ObjectStore::new(&nowhere).unwrap().get(&key, None).await.unwrap_err().code(), "blob_store_unavailable");
}

#[tokio::test]
async fn a_list_is_one_companys_in_order_and_from_a_place() {
    let server = Server::start().await;
    let blobs = ObjectStore::new(&config(&server)).unwrap();
    for (id, path) in [(A, "exports/b.csv"), (A, "exports/a.csv"), (A, "imports/c.csv"), (B, "exports/d.csv")] {
        blobs.put(&key(id, path), content(b"x"), 1).await.unwrap();
    }
    let names = async |prefix: BlobPrefix, after: Option<BlobKey>, rows_max| {
        let found = blobs.list(&prefix, after.as_ref(), rows_max).await.unwrap();
        found.into_iter().map(|info| info.key.to_string().split_once('/').unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(BlobPrefix::company(company(A)), None, 9).await, ["exports/a.csv", "exports/b.csv", "imports/c.csv"]);
    assert_eq!(names(BlobPrefix::company(company(A)), Some(key(A, "exports/a.csv")), 1).await, ["exports/b.csv"]);
    assert_eq!(names(BlobPrefix::new(company(A), "imports").unwrap(), None, 9).await, ["imports/c.csv"]);
    assert_eq!(names(BlobPrefix::new(company(B), "imports").unwrap(), None, 9).await, Vec::<String>::new());
}
