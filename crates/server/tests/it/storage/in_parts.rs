//! Uploads in parts by programs of S3, which have no room: neither is a byte of them read, nor anything kept.

use std::time::Duration;

use rusty_s3::actions::{CreateMultipartUpload, S3Action as _, UploadPart};
use rusty_s3::{Bucket, Credentials, UrlStyle};

use crate::rates::Person;
use crate::transfers::shop::Shop;

const SIGNED: Duration = Duration::from_secs(60);

/// A program that signs as a session may, with the public key and the session's token beside it.
struct Program<'a> {
    shop: &'a Shop,
    bucket: Bucket,
    credentials: Credentials,
}

impl<'a> Program<'a> {
    fn of(shop: &'a Shop, who: &Person) -> Self {
        let endpoint = format!("{}/storage/v1/s3/", shop.server.address).parse().unwrap();
        let bucket = Bucket::new(endpoint, UrlStyle::Path, "company-files", "auto").unwrap();
        Self { shop, bucket, credentials: Credentials::new_with_token("thorbis", shop.server.anon(), who.token.clone()) }
    }

    /// Begins an upload, and returns its id.
    async fn begin(&self, key: &str) -> String {
        let address = CreateMultipartUpload::new(&self.bucket, Some(&self.credentials), key).sign(SIGNED);
        let answer = self.shop.server.client.post(address).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        CreateMultipartUpload::parse_response(&answer.text().await.unwrap()).unwrap().upload_id().to_owned()
    }

    /// Sends a part, and returns the status and the code of a refusal.
    async fn part(&self, key: &str, id: &str, number: u16, body: impl Into<reqwest::Body>) -> (u16, String) {
        let address = UploadPart::new(&self.bucket, Some(&self.credentials), key, number, id).sign(SIGNED);
        let answer = self.shop.server.client.put(address).body(body).send().await.unwrap();
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map_or("", |(code, _)| code);
        (status, code.to_owned())
    }

    async fn kept(&self) -> (i64, i64) {
        let parts = self.shop.count("select count(*) from app.upload_parts").await;
        (parts, self.shop.count("select coalesce(sum(received), 0)::bigint from app.part_uploads").await)
    }
}

fn bytes(count: usize) -> Vec<u8> {
    vec![b'x'; count]
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

fn taken() -> (u16, String) {
    refused(200, "")
}

#[tokio::test]
async fn a_part_beyond_what_the_tier_includes_is_refused() {
    let shop = Shop::open().await;
    let client = shop.db.superuser().await;
    client.batch_execute("update app.subscription_tiers set quotas = quotas || '{\"storage_mib\": 1}'").await.unwrap();
    let program = Program::of(&shop, &shop.ann);
    let key = format!("{}/large.bin", shop.ann.company);
    let id = program.begin(&key).await;
    assert_eq!(program.part(&key, &id, 1, bytes(800_000)).await, taken());
    assert_eq!(program.part(&key, &id, 2, bytes(300_000)).await, refused(402, "quota_exceeded"));
    // The part whose place it takes makes room for it.
    assert_eq!(program.part(&key, &id, 1, bytes(900_000)).await, taken());
    assert_eq!(program.part(&key, &id, 2, bytes(100_000)).await, taken());
    assert_eq!(program.kept().await, (2, 1_000_000));
    // Bob's company has room of its own.
    let (bobs, key) = (Program::of(&shop, &shop.bob), format!("{}/large.bin", shop.bob.company));
    let id = bobs.begin(&key).await;
    assert_eq!(bobs.part(&key, &id, 1, bytes(800_000)).await, taken());
}

#[tokio::test]
async fn a_part_beyond_what_is_unfinished_or_what_its_bucket_takes_is_refused() {
    let shop = Shop::open_with(|settings| {
        settings.storage.parts.open_bytes_max = 1_048_576;
        settings.storage.parts.count_max = 3;
    })
    .await;
    let program = Program::of(&shop, &shop.ann);
    let (one, other) = (format!("{}/one.bin", shop.ann.company), format!("{}/other.bin", shop.ann.company));
    let (first, second) = (program.begin(&one).await, program.begin(&other).await);
    assert_eq!(program.part(&one, &first, 1, bytes(600_000)).await, taken());
    assert_eq!(program.part(&other, &second, 1, bytes(500_000)).await, refused(507, "uploads_too_large"));
    assert_eq!(program.part(&other, &second, 1, bytes(400_000)).await, taken());
    assert_eq!(program.part(&one, &first, 2, bytes(50_000)).await, refused(507, "uploads_too_large"));
    assert_eq!(program.part(&one, &first, 1, bytes(10)).await, taken());
    // One that does not say how long it is could not be held against anything before it is read.
    let unsaid = reqwest::Body::wrap_stream(futures_util::stream::iter([Ok::<_, std::io::Error>(bytes(10))]));
    assert_eq!(program.part(&one, &first, 2, unsaid).await, refused(411, "MissingContentLength"));
    for number in [2, 3] {
        assert_eq!(program.part(&one, &first, number, bytes(10)).await, taken());
    }
    assert_eq!(program.part(&one, &first, 4, bytes(10)).await, refused(400, "upload_parts_too_many"));
    assert_eq!(program.part(&one, &first, 3, bytes(20)).await, taken());
    shop.db.superuser().await.batch_execute("update storage.buckets set file_size_limit = 100 where id = 'company-files'").await.unwrap();
    assert_eq!(program.part(&one, &first, 3, bytes(81)).await, refused(413, "EntityTooLarge"));
    assert_eq!(program.part(&one, &first, 3, bytes(80)).await, taken());
    assert_eq!(program.kept().await, (4, 400_100));
}

#[tokio::test]
async fn parts_that_come_at_once_have_no_more_room_together() {
    let shop = Shop::open_with(|settings| settings.storage.parts.open_bytes_max = 1_048_576).await;
    let program = Program::of(&shop, &shop.ann);
    let key = format!("{}/large.bin", shop.ann.company);
    let id = program.begin(&key).await;
    let parts = (1..=8).map(|number| program.part(&key, &id, number, bytes(300_000)));
    let answers = futures_util::future::join_all(parts).await;
    let (came, others): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| *answer == taken());
    assert_eq!(came.len(), 3, "{others:?}");
    assert!(others.iter().all(|answer| *answer == refused(507, "uploads_too_large")), "{others:?}");
    assert_eq!(program.kept().await, (3, 900_000));
}
