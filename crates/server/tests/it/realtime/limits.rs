//! What somebody may take, and what becomes of whoever reads slowly or says nothing.

use std::time::Duration;

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::house::{House, text};

#[tokio::test]
async fn too_many_sockets_channels_joins_and_messages_are_refused_in_the_words_that_clients_know() {
    let house = House::with(|settings| {
        let realtime = &mut settings.realtime;
        realtime.company_sockets_max = 2;
        realtime.channels_max = 1;
        realtime.company_joins_per_s = 3;
        realtime.company_messages_per_s = 5;
    })
    .await;
    let (mut ann, mut bob) = (house.socket().await, house.socket().await);
    let (status, body) = house.refused(&format!("apikey={}", house.anon())).await;
    assert_eq!((status, text(&body["error"])), (429, "ConnectionRateLimitReached: Too many connected users".to_owned()));
    ann.joined("a", json!({}), "").await;
    assert_eq!(ann.not_joined("b", json!({}), "").await, "ChannelRateLimitReached: Too many channels");
    bob.joined("a", json!({}), "").await;
    // More than a machine with much else to do could spread over the seconds that would let them pass.
    for number in 0..100 {
        ann.broadcast("a", "n", json!(number)).await;
    }
    assert_eq!(ann.closed("a").await, "Too many messages per second");
    let mut answer = json!({});
    for _ in 0..100 {
        answer = bob.join("a", json!({}), "").await;
        if answer["status"] != "ok" {
            break;
        }
    }
    assert_eq!(answer["response"]["reason"], "ClientJoinRateLimitReached: Too many joins per second", "{answer}");
    loop {
        match bob.next_message().await {
            Message::Text(_) => {}
            Message::Close(Some(frame)) => break assert_eq!(u16::from(frame.code), 1008),
            other => panic!("{other:?}"),
        }
    }
    drop(bob);
    // Whoever goes makes room.
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while tokio_tungstenite::connect_async(house.socket_url(&format!("apikey={}", house.anon()))).await.is_err() {
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_slow_reader_is_told_what_it_missed_and_stays() {
    let house = House::with(|settings| {
        settings.realtime.queue_messages_max = 20;
        settings.realtime.company_messages_per_s = 100_000;
        settings.realtime.company_bytes_per_s = 2_000_000_000;
    })
    .await;
    let (mut slow, mut fast) = (house.socket().await, house.socket().await);
    slow.joined("room", json!({}), "").await;
    fast.joined("room", json!({ "broadcast": { "ack": true } }), "").await;
    let large = "x".repeat(1_000_000);
    let sent = 60;
    for number in 0..sent {
        fast.broadcast("room", "n", json!({ "n": number, "large": large })).await;
        fast.expect("room", "phx_reply").await;
    }
    let (mut read, mut missed) = (0, 0);
    while read + missed < sent {
        let frame = slow.next().await;
        match frame[3].as_str() {
            Some("broadcast") => {
                assert_eq!(frame[4]["payload"]["n"], json!(read));
                read += 1;
            }
            Some("system") => {
                assert_eq!(
                    (&frame[4]["code"], &frame[4]["reason"], &frame[4]["channel"]),
                    (&json!("resync"), &json!("slow_reader"), &json!("room"))
                );
                missed += frame[4]["missed"].as_u64().unwrap();
            }
            _ => panic!("{frame}"),
        }
    }
    assert!(missed > 0, "{read} were read");
    fast.broadcast("room", "after", json!(1)).await;
    assert_eq!(slow.expect("room", "broadcast").await["event"], "after");
}

#[tokio::test]
async fn who_says_nothing_or_takes_nothing_is_let_go() {
    let house = House::with(|settings| {
        // Enough to join on a busy machine.
        settings.realtime.idle_time_ms = 5000;
        settings.realtime.write_time_ms = 300;
    })
    .await;
    let mut silent = house.socket().await;
    silent.joined("room", json!({}), "").await;
    assert!(matches!(silent.next_message().await, Message::Close(Some(frame)) if u16::from(frame.code) == 1001));
    // One that takes nothing holds its seat no longer than that.
    let mut stuck = house.socket().await;
    stuck.joined("room", json!({ "broadcast": { "self": true } }), "").await;
    let large = "x".repeat(4_000_000);
    for _ in 0..10 {
        let frame = json!([null, null, "realtime:room", "broadcast", { "event": "n", "payload": large }]).to_string();
        // It stands still when the server's answers fill all there is between them, or is closed already.
        if !matches!(tokio::time::timeout(Duration::from_secs(2), stuck.try_say(frame)).await, Ok(true)) {
            break;
        }
    }
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    loop {
        let asked = house.ask(reqwest::Method::GET, "/realtime/v1/api/status", &house.service());
        let status: serde_json::Value = asked.send().await.unwrap().json().await.unwrap();
        if status["sockets"] == 0 {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{status}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_frame_that_is_too_large_ends_the_socket() {
    let house = House::with(|settings| settings.realtime.frame_bytes_max = 2048).await;
    let mut socket = house.socket().await;
    socket.joined("room", json!({}), "").await;
    socket.broadcast("room", "n", json!("x".repeat(3000))).await;
    let ended = tokio::time::timeout(Duration::from_secs(30), async { socket.ended().await }).await;
    assert!(ended.is_ok());
}
