//! A large table read through the program: all of it comes, and the server has no more memory than before.
//!
//! Invariant: what arrives is compared row by row with what PostgreSQL itself says of the table. `STREAM_MB` makes the short form the long
//! proof.

use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use reqwest::Method;
use tokio_postgres::Client;

use super::program::{Alone, Plain};

/// Memory that may come on top, in kB.
const GROWTH_MAX: u64 = 32 * 1024;
/// Bytes of a row, about.
const ROW_BYTES: u64 = 1024;

/// What arrived, or what is there: rows, and the sum of the first four bytes of their digests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Sum {
    rows: u64,
    digests: u64,
}

impl Sum {
    fn add(&mut self, row: &[u8]) {
        let digest = digest::digest(&digest::SHA256, row);
        self.rows += 1;
        self.digests += u64::from(u32::from_be_bytes(*digest.as_ref().first_chunk().unwrap()));
    }

    /// What PostgreSQL itself says, of an expression over the row `t`.
    async fn said(client: &Client, row: &str) -> Self {
        let digest = format!("('x' || encode(substring(sha256(convert_to({row}, 'UTF8')) from 1 for 4), 'hex'))::bit(32)::bigint");
        let said = client.query_one(&format!("select count(*), sum({digest})::bigint from api.large t"), &[]).await.unwrap();
        let number = |column: usize| u64::try_from(said.get::<_, i64>(column)).unwrap();
        Self { rows: number(0), digests: number(1) }
    }
}

/// What came of a read.
struct Read {
    sum: Sum,
    bytes: u64,
    first: Duration,
    all: Duration,
}

/// Reads the whole table; what stands before the first row, between two and behind the last is no part of any.
async fn read(server: &Alone, accept: &str, (before, between, behind): (&str, &str, &str)) -> Read {
    let begun = Instant::now();
    let request = server.request(Method::GET, "/large").header("accept", accept).timeout(Duration::from_mins(10));
    let mut answer = request.send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers().contains_key("content-length")), (200, false));
    let (mut sum, mut bytes, mut first, mut left) = (Sum::default(), 0, None, String::new());
    while let Some(chunk) = answer.chunk().await.unwrap() {
        bytes += u64::try_from(chunk.len()).unwrap();
        // All of it is ASCII.
        left.push_str(std::str::from_utf8(&chunk).unwrap());
        if first.is_none() && left.len() >= before.len() {
            first = Some(begun.elapsed());
            left = left.strip_prefix(before).unwrap().to_owned();
        }
        if let Some((rows, part)) = left.rsplit_once(between) {
            rows.split(between).for_each(|row| sum.add(row.as_bytes()));
            left = part.to_owned();
        }
    }
    sum.add(left.strip_suffix(behind).unwrap().as_bytes());
    Read { sum, bytes, first: first.unwrap(), all: begun.elapsed() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_table_needs_no_memory() {
    let megabytes = std::env::var_os("STREAM_MB").map_or(40, |text| text.to_str().unwrap().parse::<u64>().unwrap());
    let plain = Plain::new().await;
    let rows = megabytes * 1024 * 1024 / ROW_BYTES;
    let table = format!(
        "create unlogged table api.large as
           select n as id, md5(n::text) || repeat(md5((n * 7)::text), 29) as body, now() + n * interval '1 second' as at
             from generate_series(1, {rows}) n;
         grant select on api.large to {};
         analyze api.large",
        plain.role("anon")
    );
    plain.run(&table).await;
    let (server, client) = (plain.serve(&[]), plain.client().await);
    // What only the first requests need is there then.
    assert_eq!(server.get("/large?limit=1000").await.status, 200);

    let (json, csv) = (("[", ", \n ", "]"), ("id,body,at\n", "\n", ""));
    let mut told = Vec::new();
    for (name, accept, parts, row) in [
        ("JSON", "application/json", json, "row_to_json(t)::text"),
        ("CSV", "text/csv", csv, "concat_ws(',', t.id, t.body, '\"' || t.at || '\"')"),
    ] {
        server.forget_most_memory();
        let memory = server.memory();
        let read = read(&server, accept, parts).await;
        let growth = server.most_memory().saturating_sub(memory);
        assert_eq!(read.sum, Sum::said(&client, row).await, "{name}");
        told.push(format!(
            "{} MB as {name} in {:.1} s, the first byte after {} ms, memory {} MB and at most {:.1} MB more",
            read.bytes / 1_048_576,
            read.all.as_secs_f64(),
            read.first.as_millis(),
            memory / 1024,
            Duration::from_millis(growth).as_secs_f64() * 1000.0 / 1024.0
        ));
        assert!(growth <= GROWTH_MAX, "{name}: {memory} kB, then {growth} kB more");
    }
    println!("{rows} rows: {}", told.join("; "));
    server.stop();
}
