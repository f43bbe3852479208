//! Two servers and a Redis between them.

use std::sync::Arc;
use std::time::Duration;

use kernel::Secret;
use serde_json::{Value, json};
use testkit::{Db, Redis};
use tokio_tungstenite::tungstenite::Message;

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
                settings.realtime.nodes_lease_ms = 20_000;
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

/// Whatever a broadcast is made of comes to the other server as it went, and whoever joins there late is told again.
#[tokio::test]
async fn every_kind_of_broadcast_reaches_the_other_server() {
    let redis = Redis::start();
    let (one, other) = pair(&redis).await;
    met(&one, 1).await;
    met(&other, 1).await;
    let (mut ann, mut bob) = (one.socket().await, other.socket().await);
    ann.joined("room", json!({}), "").await;
    bob.joined("room", json!({}), "").await;
    for (said, told) in [
        (json!({ "type": "broadcast", "event": "moved", "x": [1, { "y": "ä" }] }), None),
        (json!({ "message": "no event" }), None),
        (json!({ "type": "broadcast", "event": "bare" }), None),
        // Beside a payload the server alone says what is about a message.
        (
            json!({ "type": "broadcast", "event": "hi", "payload": 1, "meta": { "replayed": true, "id": "x" } }),
            Some(json!({ "type": "broadcast", "event": "hi", "payload": 1 })),
        ),
    ] {
        ann.say("room", "broadcast", said.clone()).await;
        assert_eq!(bob.expect("room", "broadcast").await, told.unwrap_or(said));
    }
    ann.say_raw(Message::Binary(b"\x03\x00\x00\x0d\x03\x02\x00realtime:roomraw{}\xff\x00".to_vec().into())).await;
    assert_eq!(bob.next_message().await, Message::Binary(b"\x04\x0d\x03\x00\x00realtime:roomraw\xff\x00".to_vec().into()));
    let named = json!({ "messages": [{ "topic": "room", "event": "asked", "payload": { "n": 1 }, "id": "its own" }] });
    assert_eq!(one.post("/realtime/v1/api/broadcast", "", named).await.0, 202);
    for socket in [&mut ann, &mut bob] {
        let told = socket.expect("room", "broadcast").await;
        assert_eq!((&told["payload"], &told["meta"]), (&json!({ "n": 1 }), &json!({ "id": "its own" })));
    }
    // What SQL sends each server hears of by itself, once.
    let owner = one.owner("olga").await;
    let board = format!("company:{}:board", owner.company);
    ann.joined(&board, json!({ "private": true }), &owner.token).await;
    bob.joined(&board, json!({ "private": true }), &owner.token).await;
    one.sql(&format!("select realtime.send('{{\"a\": 1}}', 'n', '{board}')")).await;
    let live = ann.expect(&board, "broadcast").await;
    assert_eq!(bob.expect(&board, "broadcast").await, live);
    for house in [&one, &other] {
        let mut late = house.socket().await;
        late.joined(&board, json!({ "private": true, "broadcast": { "replay": { "since": 0 } } }), &owner.token).await;
        let again = late.expect(&board, "broadcast").await;
        assert_eq!(again["meta"], json!({ "replayed": true, "id": live["meta"]["id"] }));
        assert_eq!(again["payload"], live["payload"]);
        // It comes live once, at either server.
        one.sql(&format!("select realtime.send('[2]', 'n', '{board}')")).await;
        for socket in [&mut late, &mut ann, &mut bob] {
            assert_eq!(socket.expect(&board, "broadcast").await["payload"], json!([2]));
            socket.quiet().await;
        }
        one.sql("delete from realtime.messages where payload = '[2]'").await;
    }
}

/// Who loses a role loses it at every server, for what is told there by itself and by the others.
#[tokio::test]
async fn a_role_that_is_taken_is_taken_at_every_server() {
    let redis = Redis::start();
    let (one, other) = pair(&redis).await;
    met(&one, 1).await;
    met(&other, 1).await;
    let ann = one.owner("ann").await;
    let dan = one.member(&ann, "dan", "dispatcher").await;
    let topic = format!("company:{}:positions", ann.company);
    let config = |key: &str| json!({ "private": true, "presence": { "key": key, "enabled": true } });
    let (mut anns, mut dans) = (one.socket().await, other.socket().await);
    anns.joined(&topic, config("ann"), &ann.token).await;
    anns.expect(&topic, "presence_state").await;
    dans.joined(&topic, config("dan"), &dan.token).await;
    dans.expect(&topic, "presence_state").await;
    let rows = json!({ "postgres_changes": [{ "event": "*", "schema": "public", "table": "vendors" }] });
    dans.joined("rows", rows, &dan.token).await;
    assert_eq!(dans.expect("rows", "system").await["status"], "ok");
    dans.say(&topic, "presence", json!({ "type": "presence", "event": "track", "payload": {} })).await;
    dans.expect(&topic, "presence_diff").await;
    dans.expect(&topic, "phx_reply").await;
    sees(&mut anns, "joins", "dan").await;
    anns.broadcast(&topic, "before", json!({})).await;
    assert_eq!(dans.expect(&topic, "broadcast").await["event"], "before");
    let vendor = |name: &str| format!("insert into public.vendors (company_id, name) values ('{}', '{name}')", ann.company);
    let taken = format!("update public.team_members set role = 'technician' where user_id = '{}'", dan.id);
    one.sql(&vendor("seen")).await;
    one.sql(&format!("begin; {taken}; {}; commit; {}", vendor("hidden"), vendor("hidden, too"))).await;
    // Of rows he hears what was before, and that he is to read anew; of the channel that he is out of it. Which comes first is open.
    let (mut is_out, mut said) = (false, vec![]);
    while !is_out || said.len() < 2 {
        let frame = dans.next().await;
        match (frame[2] == json!(format!("realtime:{topic}")), frame[3].as_str().unwrap()) {
            (true, event) => is_out = event == "phx_close",
            (false, "postgres_changes") => said.push(frame[4]["data"]["record"]["name"].clone()),
            (false, "system") => said.push(frame[4]["reason"].clone()),
            _ => panic!("{frame}"),
        }
    }
    assert_eq!(said, ["seen", "rights_changed"]);
    sees(&mut anns, "leaves", "dan").await;
    anns.broadcast(&topic, "after", json!({})).await;
    one.sql(&vendor("hidden as well")).await;
    dans.quiet().await;
}
