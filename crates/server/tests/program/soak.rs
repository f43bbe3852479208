//! A server under all sorts of requests for a while: none of them is an error of ours, and nothing piles up.
//!
//! Invariant: after the warm-up neither memory nor open files grow beyond their limits, and no transaction stays open. `SOAK_SECONDS`
//! and `SEED` make the short form the long proof.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::process::{Program, Way, folder, number, sql};

const CLIENTS: u64 = 8;
/// What may come on top after the warm-up, in kB: caches fill.
const GROWTH_MAX: u64 = 96 * 1024;
/// Files and sockets that may come on top.
const FILES_MAX: usize = 40;
/// Connections of the pool, and a few of PostgreSQL's own.
const CONNECTIONS_MAX: i64 = 25;

/// One request of each sort; returns what it was answered.
async fn ask(way: &Way, address: &str, sort: u64, number: u64) -> Option<u16> {
    let name = format!("soak-{number}");
    let request = match sort {
        0 => way.request(Method::GET, "customers?select=id,display_name&limit=20&order=created_at.desc").header("prefer", "count=exact"),
        1 => way.request(Method::GET, &format!("customers?first_name=eq.{name}")),
        2 => way
            .request(Method::POST, "customers")
            .header("prefer", "return=representation")
            .json(&json!({ "first_name": name, "phone": "+15550100" })),
        3 => way.request(Method::PATCH, &format!("customers?first_name=eq.{name}")).json(&json!({ "notes": name })),
        4 => way.request(Method::DELETE, &format!("customers?first_name=eq.soak-{}", number.saturating_sub(50))),
        5 => way.request(Method::GET, "customers?nothing=eq.1"),
        6 => way.request(Method::GET, "no_such_table"),
        7 => way.request(Method::POST, "customers").header("content-type", "application/json").body("{\"broken\":"),
        8 => way.request(Method::GET, "customers").bearer_auth("nonsense"),
        9 => way.request(Method::POST, "rpc/get_current_tenant_id").json(&json!({})),
        _ => {
            // A client that goes away in the middle of its request.
            let mut stream = TcpStream::connect(address).await.ok()?;
            let _sent = stream.write_all(b"POST /rest/v1/customers HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{").await.is_ok();
            return None;
        }
    };
    Some(request.send().await.unwrap().status().as_u16())
}

async fn keep_asking(way: Arc<Way>, address: String, client: u64, until: Instant) -> (usize, Vec<u16>) {
    let (mut asked, mut ours, mut number) = (0, Vec::new(), client);
    while Instant::now() < until {
        number += CLIENTS;
        match ask(&way, &address, number / CLIENTS % 11, number).await {
            Some(status @ 500..) => ours.push(status),
            _ => asked += 1,
        }
    }
    (asked, ours)
}

async fn run(way: &Arc<Way>, address: &str, time: Duration) -> (usize, Vec<u16>) {
    let until = Instant::now() + time;
    let clients: Vec<_> =
        (0..CLIENTS).map(|client| tokio::spawn(keep_asking(Arc::clone(way), address.to_owned(), client, until))).collect();
    let (mut asked, mut ours) = (0, Vec::new());
    for client in clients {
        let (more, errors) = client.await.unwrap();
        asked += more;
        ours.extend(errors);
    }
    (asked, ours)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_piles_up() {
    let (seconds, folder) = (number("SOAK_SECONDS", 3), folder());
    let server = Program::start(folder.path());
    let way = Way::to(&server, folder.path());
    let address = server.url.trim_start_matches("http://").to_owned();
    let (_, errors) = run(&way, &address, Duration::from_secs(2.max(seconds / 10))).await;
    assert_eq!(errors, Vec::<u16>::new());
    let (memory, files) = (server.memory(), server.open_files());
    let (asked, errors) = run(&way, &address, Duration::from_secs(seconds)).await;
    let (memory_after, files_after) = (server.memory(), server.open_files());
    let count = |what: &str| -> i64 {
        let query = format!("select count(*) from pg_stat_activity where backend_type = 'client backend' and {what}");
        tokio::task::block_in_place(|| sql(folder.path(), &query)).parse().unwrap()
    };
    println!(
        "{seconds} s of soak: {asked} requests, {} errors of ours, memory {} -> {} MB, open files {files} -> {files_after}",
        errors.len(),
        memory / 1024,
        memory_after / 1024
    );
    assert_eq!(errors, Vec::<u16>::new());
    assert!(memory_after < memory + GROWTH_MAX, "{memory} kB, then {memory_after} kB");
    assert!(files_after < files + FILES_MAX, "{files} files, then {files_after}");
    assert_eq!(count("state like 'idle in transaction%'"), 0);
    assert!(count("true") <= CONNECTIONS_MAX);
    server.stop();
}
