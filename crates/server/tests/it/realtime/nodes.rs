//! Two servers and a Redis between them.

use std::sync::Arc;
use std::time::Duration;

use kernel::Secret;
use serde_json::{Value, json};
use testkit::{Db, Redis};

use super::house::{House, Socket};

async fn pair(redis: &Redis) -> (House, House) {
    let db = Arc::new(Db::new().await);
    let keys = tempfile::tempdir().unwrap().keep();
    let mut houses = Vec::new();
    for _ in 0..2 {
        let (url, keys) = (redis.url(), keys.join("keys.json"));
        houses.push(
            House::on(Arc::clone(&db), |settings| {
                settings.redis.url = Some(Secret::new(url));
                settings.redis.connect_time_ms = 10_000;
                settings.key_ring_file = Some(keys);
                settings.public_url = Some("http://localhost:54321".to_owned());
                settings.realtime.nodes_beat_ms = 50;
                settings.realtime.nodes_lease_ms = 2000;
            })
            .await,
        );
    }
    let other = houses.pop().unwrap();
    (houses.pop().unwrap(), other)
}

/// Waits until a server knows the other.
async fn met(house: &House, others: usize) {
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    loop {
        let asked = house.ask(reqwest::Method::GET, "/realtime/v1/api/status", &house.service());
        let status: Value = asked.send().await.unwrap().json().await.unwrap();
        if status["nodes"] == json!({ "connected": true, "others": others }) {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{status}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Reads until somebody with this key is present, or is so no more.
async fn sees(socket: &mut Socket, side: &str, key: &str) {
    loop {
        let frame = socket.next().await;
        if frame[3] == "presence_diff" && frame[4][side].get(key).is_some() {
            return;
        }
    }
}

#[tokio::test]
async fn servers_tell_each_other_and_know_who_is_present_where() {
    let mut redis = Redis::start();
    let (one, other) = pair(&redis).await;
    met(&one, 1).await;
    met(&other, 1).await;
    let (mut ann, mut bob) = (one.socket().await, other.socket().await);
    let config = |key: &str| json!({ "presence": { "key": key, "enabled": true }, "broadcast": { "self": false } });
    ann.joined("room", config("ann"), "").await;
    ann.expect("room", "presence_state").await;
    bob.joined("room", config("bob"), "").await;
    bob.expect("room", "presence_state").await;
    ann.broadcast("room", "hi", json!({ "n": 1 })).await;
    assert_eq!(bob.expect("room", "broadcast").await["payload"], json!({ "n": 1 }));
    let path = "/realtime/v1/api/broadcast/room/events/asked";
    assert_eq!(other.post(path, "", json!(2)).await.0, 202);
    assert_eq!(ann.expect("room", "broadcast").await["payload"], 2);
    assert_eq!(bob.expect("room", "broadcast").await["payload"], 2);
    ann.quiet().await;
    ann.say("room", "presence", json!({ "event": "track", "payload": { "where": "office" } })).await;
    sees(&mut bob, "joins", "ann").await;
    // Who comes later to another server knows it, too.
    let mut carl = other.socket().await;
    carl.joined("room", config("carl"), "").await;
    assert_eq!(carl.expect("room", "presence_state").await["ann"]["metas"][0]["where"], "office");
    // Redis goes and comes back: whoever was there is told, and knows who is present again.
    redis.kill();
    redis.revive();
    let told = async |socket: &mut Socket| {
        loop {
            let frame = socket.next().await;
            if frame[3] == "system" {
                return frame[4]["code"].clone();
            }
        }
    };
    assert_eq!(told(&mut bob).await, "resync");
    met(&one, 1).await;
    met(&other, 1).await;
    let mut dora = other.socket().await;
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    loop {
        dora.joined("room", config("dora"), "").await;
        if dora.expect("room", "presence_state").await.get("ann").is_some() {
            break;
        }
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // A server that stops says so.
    one.server.shutdown().await.unwrap();
    sees(&mut dora, "leaves", "ann").await;
    met(&other, 0).await;
}
