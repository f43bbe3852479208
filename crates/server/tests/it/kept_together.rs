//! Two servers that keep answers for each other in Redis: what counts of it, what never does, and what happens without it.

use std::time::{Duration, Instant};

use kernel::Secret;
use postgres::feed::FeedMode;
use redis_link::redis::{self, Commands, Connection};
use serde_json::json;
use testkit::{Db, Redis};

use crate::bare::know_tls;
use crate::cached::{Caller, Node, Nodes, SOON};

const LIST: &str = "/rest/v1/customers?select=first_name&order=first_name";
const PATIENCE: Duration = Duration::from_mins(2);
const SHARED: &str = "thorbis; hit; detail=shared";

/// What Redis has of answers.
fn answers(redis: &mut Connection) -> Vec<(String, Vec<u8>)> {
    let mut names: Vec<String> = redis.keys("thorbis:answer:*").unwrap();
    names.sort();
    names.into_iter().map(|name| (name.clone(), redis.get(&name).unwrap())).collect()
}

/// Asks for the same in other words, which one server has and the other does not, until the other answers with what the first one read.
async fn shared(from: &Node, to: &Node, who: &Caller, number: &mut u32) -> String {
    let begun = Instant::now();
    loop {
        *number += 1;
        let path = format!("{LIST}&limit={}", 1000 + *number);
        // Both know the caller by now.
        from.kept(who, &path).await;
        for _ in 0..20 {
            let (status, how, body) = to.get(who, &path).await;
            assert_eq!(status, 200, "{body}");
            if how == SHARED {
                return body;
            }
            if how.starts_with("thorbis; fwd=miss") || how.starts_with("thorbis; hit") {
                break;
            }
        }
        assert!(begun.elapsed() < PATIENCE, "nothing is shared");
    }
}

#[tokio::test]
async fn streamed_an_answer_of_another_server_counts_as_long_as_it_is_true_and_for_nobody_else() {
    Box::pin(as_long_as_it_is_true(FeedMode::Stream)).await;
}

#[tokio::test]
async fn polled_an_answer_of_another_server_counts_as_long_as_it_is_true_and_for_nobody_else() {
    Box::pin(as_long_as_it_is_true(FeedMode::Poll)).await;
}

async fn as_long_as_it_is_true(mode: FeedMode) {
    know_tls();
    let db = Db::new().await;
    let redis = Redis::start();
    let set = |settings: &mut server::config::Settings| {
        settings.redis.url = Some(Secret::new(redis.url()));
        // A machine that is busy is not away.
        (settings.redis.command_time_ms, settings.redis.connect_time_ms) = (10_000, 10_000);
    };
    let (servers, nodes) = Nodes::start(&db, mode, set).await;
    let (one, other) = (&nodes[0], &nodes[1]);
    let mut connection = redis::Client::open(redis.url()).unwrap().get_connection().unwrap();
    let ann = one.founder("ann", "Ada").await;
    let eve = other.founder("eve", "Zoe").await;
    for (node, who) in [(one, &ann), (other, &ann), (one, &eve), (other, &eve)] {
        node.kept(who, "/rest/v1/tags").await;
    }
    let mut number = 0;
    assert_eq!(shared(one, other, &ann, &mut number).await, r#"[{"first_name":"Ada"}]"#);
    assert_eq!(shared(other, one, &eve, &mut number).await, r#"[{"first_name":"Zoe"}]"#, "each company has its own");

    // Who looks into Redis learns nothing, and it ends by itself.
    let found = answers(&mut connection);
    assert!(!found.is_empty());
    for (name, sealed) in &found {
        let said = format!("{name} {}", String::from_utf8_lossy(sealed));
        assert!(!["Ada", "Zoe", "first_name", "customers", ann.company.as_str()].iter().any(|word| said.contains(word)), "{said}");
        let left: i64 = connection.pttl(name).unwrap();
        assert!((1..=86_400_000).contains(&left), "{name}: {left}");
    }

    a_change_is_everywhere_within_a_second([one, other], &ann, &mut number).await;
    what_somebody_else_put_there_is_nothing(&mut connection, [one, other], [&ann, &eve]).await;
    servers.end().await;
}

async fn a_change_is_everywhere_within_a_second([one, other]: [&Node; 2], ann: &Caller, number: &mut u32) {
    let mut took = Vec::new();
    for round in 0..20 {
        let name = format!("Ada {round}");
        one.change(ann, ("PATCH", "/rest/v1/customers?phone=eq.%2B15550100"), json!({ "first_name": name })).await;
        let wanted = format!(r#"[{{"first_name":"{name}"}}]"#);
        assert_eq!(one.get(ann, LIST).await.2, wanted, "who wrote sees it");
        let written = Instant::now();
        while other.get(ann, LIST).await.2 != wanted {
            assert!(written.elapsed() < PATIENCE, "{round}");
        }
        took.push(written.elapsed());
    }
    assert!(took.iter().any(|took| *took < SOON), "{took:?}");
    assert!(shared(other, one, ann, number).await.contains("Ada 19"));
}

/// What is not whole, or stands in another's place, is read from the database.
async fn what_somebody_else_put_there_is_nothing(connection: &mut Connection, [one, other]: [&Node; 2], [ann, eve]: [&Caller; 2]) {
    for (attack, number) in [("changed", 5000), ("swapped", 5001)] {
        let path = format!("{LIST}&limit={number}");
        let before: Vec<String> = answers(connection).into_iter().map(|(name, _)| name).collect();
        for who in [ann, eve] {
            one.kept(who, &path).await;
        }
        let begun = Instant::now();
        let mut new = Vec::new();
        while new.len() < 2 {
            new = answers(connection).into_iter().filter(|(name, _)| !before.contains(name)).collect();
            assert!(begun.elapsed() < PATIENCE, "two answers were to come");
            // They are on their way by tasks of this very thread.
            tokio::task::yield_now().await;
        }
        if attack == "swapped" {
            let last = new.len() - 1;
            let values: Vec<Vec<u8>> = new.iter().map(|(_, value)| value.clone()).collect();
            let _: () = connection.pset_ex(&new[0].0, &values[last], 200_000).unwrap();
            let _: () = connection.pset_ex(&new[last].0, &values[0], 200_000).unwrap();
        } else {
            for (name, mut value) in new {
                if let Some(byte) = value.last_mut() {
                    *byte ^= 1;
                }
                let _: () = connection.pset_ex(&name, value, 200_000).unwrap();
            }
        }
        for (who, name) in [(ann, "Ada 19"), (eve, "Zoe")] {
            let (status, how, body) = other.get(who, &path).await;
            assert_eq!((status, body), (200, format!(r#"[{{"first_name":"{name}"}}]"#)), "{attack}");
            assert_ne!(how, SHARED, "{attack}");
        }
    }
}

#[tokio::test]
async fn streamed_redis_that_goes_in_the_middle_is_missed_by_nobody() {
    Box::pin(missed_by_nobody(FeedMode::Stream)).await;
}

#[tokio::test]
async fn polled_redis_that_goes_in_the_middle_is_missed_by_nobody() {
    Box::pin(missed_by_nobody(FeedMode::Poll)).await;
}

async fn missed_by_nobody(mode: FeedMode) {
    know_tls();
    let db = Db::new().await;
    let mut redis = Redis::start();
    let url = redis.url();
    let set = |settings: &mut server::config::Settings| settings.redis.url = Some(Secret::new(url.clone()));
    let (servers, nodes) = Nodes::start(&db, mode, set).await;
    let (one, other) = (&nodes[0], &nodes[1]);
    let ann = one.founder("ann", "Ada").await;
    for node in [one, other] {
        node.kept(&ann, "/rest/v1/tags").await;
    }
    let mut number = 0;
    assert!(shared(one, other, &ann, &mut number).await.contains("Ada"));
    redis.kill();
    let mut took = Vec::new();
    for round in 0..10 {
        let name = format!("Bea {round}");
        one.change(&ann, ("PATCH", "/rest/v1/customers?phone=eq.%2B15550100"), json!({ "first_name": name })).await;
        let written = Instant::now();
        while !other.get(&ann, LIST).await.2.contains(&name) {
            assert!(written.elapsed() < PATIENCE, "{round}");
        }
        took.push(written.elapsed());
    }
    assert!(took.iter().any(|took| *took < SOON), "{took:?}");
    let (how, body) = other.kept(&ann, LIST).await;
    assert!(how.starts_with("thorbis; hit") && body.contains("Bea 9"), "each keeps to itself: {how} {body}");
    redis.revive();
    assert!(shared(one, other, &ann, &mut number).await.contains("Bea 9"));
    servers.end().await;
}
