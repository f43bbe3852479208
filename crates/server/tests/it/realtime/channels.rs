//! Every message of the protocol, in both versions, and every refusal.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::house::{House, Socket};

#[tokio::test]
async fn a_socket_needs_a_key_that_is_good_and_a_version_that_is_known() {
    let house = House::new().await;
    let (status, body) = house.refused("vsn=1.0.0").await;
    assert_eq!((status, &body["code"]), (401, &json!("realtime_key_missing")), "{body}");
    for key in ["sb_publishable_wrong", "no.token.atall", "eyJhbGciOiJIUzI1NiJ9.e30.x"] {
        let (status, body) = house.refused(&format!("apikey={key}")).await;
        assert!(status == 401 && body["error"].is_string(), "{status} {body}");
    }
    let anon = house.anon();
    let (status, body) = house.refused(&format!("apikey={anon}&vsn=3.0.0")).await;
    assert_eq!((status, &body["code"]), (400, &json!("realtime_version_unknown")));
    // No socket at all.
    let plain = house.ask(reqwest::Method::GET, "/realtime/v1/websocket", "").send().await.unwrap();
    assert!(plain.status().is_client_error() && plain.text().await.unwrap().contains("realtime_upgrade_needed"));
}

#[tokio::test]
async fn realtime_can_be_switched_off_and_public_channels_can_be() {
    let house = House::with(|settings| settings.realtime.enabled = false).await;
    let (status, body) = house.refused(&format!("apikey={}", house.anon())).await;
    assert_eq!((status, &body["code"]), (403, &json!("realtime_disabled")));
    let house = House::with(|settings| settings.realtime.public_channels = false).await;
    let refused = house.socket().await.not_joined("room", json!({}), "").await;
    assert_eq!(refused, "PrivateOnly: This project only allows private channels");
}

#[tokio::test]
async fn heartbeats_joins_and_leaves_are_answered_as_they_were_said() {
    let house = House::new().await;
    let mut socket = house.socket().await;
    socket.say_raw(Message::Text(r#"[null,"9","phoenix","heartbeat",{}]"#.into())).await;
    assert_eq!(socket.next().await, json!([null, "9", "phoenix", "phx_reply", { "status": "ok", "response": {} }]));
    assert_eq!(socket.joined("room", json!({}), "").await, json!({ "postgres_changes": [] }));
    // Joined again, the first is closed.
    socket.say_raw(Message::Text(r#"["77","77","realtime:room","phx_join",{"config":{}}]"#.into())).await;
    assert_eq!(socket.next().await, json!(["1", "1", "realtime:room", "phx_close", {}]));
    assert_eq!(
        socket.next().await,
        json!(["77", "77", "realtime:room", "phx_reply", { "status": "ok", "response": { "postgres_changes": [] } }])
    );
    // What was said to the first is nobody's.
    socket.say_raw(Message::Text(r#"["1","78","realtime:room","phx_leave",{}]"#.into())).await;
    socket.quiet().await;
    socket.say_raw(Message::Text(r#"["77","79","realtime:room","phx_leave",{}]"#.into())).await;
    assert_eq!(socket.next().await, json!(["77", "79", "realtime:room", "phx_reply", { "status": "ok", "response": {} }]));
    assert_eq!(socket.next().await, json!(["77", "77", "realtime:room", "phx_close", {}]));
    let nameless = "TopicNameRequired: You must provide a topic name";
    for (topic, event, reason) in [
        ("elsewhere", "phx_join", "unmatched topic"),
        ("realtime:", "phx_join", nameless),
        ("realtime:room", "broadcast", "unmatched topic"),
    ] {
        socket.say_raw(Message::Text(json!(["5", "5", topic, event, {}]).to_string().into())).await;
        let answer = json!({ "status": "error", "response": { "reason": reason } });
        assert_eq!(socket.next().await, json!(["5", "5", topic, "phx_reply", answer]));
    }
    let why = socket.not_joined("room", json!({}), "no.good.token").await;
    assert_eq!(why, "MalformedJWT: The token provided is not a valid JWT");
}

#[tokio::test]
async fn clients_of_version_one_speak_in_objects() {
    let house = House::new().await;
    let (mut one, mut two) = (Socket::of_version_one(&house).await, house.socket().await);
    let join = json!({ "topic": "realtime:room", "event": "phx_join", "payload": { "config": { "broadcast": { "self": true } } }, "ref": "1", "join_ref": "1" });
    one.say_raw(Message::Text(join.to_string().into())).await;
    let answer = json!({ "status": "ok", "response": { "postgres_changes": [] } });
    assert_eq!(one.next().await, json!({ "topic": "realtime:room", "event": "phx_reply", "payload": answer, "ref": "1" }));
    two.joined("room", json!({}), "").await;
    let payload = json!({ "type": "broadcast", "event": "hi", "payload": { "a": [1, "ä"] } });
    let said = json!({ "topic": "realtime:room", "event": "broadcast", "payload": payload, "ref": null });
    one.say_raw(Message::Text(said.to_string().into())).await;
    assert_eq!(one.next().await, said);
    assert_eq!(two.next().await, json!([null, null, "realtime:room", "broadcast", payload]));
    // Bytes are nothing that they can read.
    two.say_raw(Message::Binary(b"\x03\x00\x00\x0d\x02\x00\x00realtime:roomhi\xff\x00".to_vec().into())).await;
    two.broadcast("room", "after", json!(1)).await;
    assert_eq!(one.next().await["payload"]["event"], "after");
    // A frame of the other version ends the socket.
    one.say_raw(Message::Text("[]".into())).await;
    assert!(matches!(one.next_message().await, Message::Close(Some(frame)) if u16::from(frame.code) == 1007));
}

#[tokio::test]
async fn a_broadcast_reaches_everybody_else_and_is_acknowledged_where_that_was_asked_for() {
    let house = House::new().await;
    let (mut ann, mut bob) = (house.socket().await, house.socket().await);
    ann.joined("room", json!({ "broadcast": { "ack": true } }), "").await;
    bob.joined("room", json!({ "broadcast": { "self": "true" } }), "").await;
    let reference = ann.broadcast("room", "hi", json!({ "n": 1 })).await;
    assert_eq!(ann.next().await, json!([null, reference, "realtime:room", "phx_reply", { "status": "ok", "response": {} }]));
    let expected = json!({ "type": "broadcast", "event": "hi", "payload": { "n": 1 } });
    assert_eq!(bob.expect("room", "broadcast").await, expected);
    bob.broadcast("room", "own", json!(null)).await;
    assert_eq!(bob.expect("room", "broadcast").await["event"], "own");
    assert_eq!(ann.expect("room", "broadcast").await["event"], "own");
    // JSON in a binary frame, with refs.
    ann.say_raw(Message::Binary(b"\x03\x01\x01\x0d\x04\x00\x0117realtime:roomjson{\"a\":\"x\"}".to_vec().into())).await;
    assert_eq!(ann.next().await, json!(["1", "7", "realtime:room", "phx_reply", { "status": "ok", "response": {} }]));
    assert_eq!(bob.expect("room", "broadcast").await, json!({ "type": "broadcast", "event": "json", "payload": { "a": "x" } }));
    // Bytes stay bytes.
    ann.say_raw(Message::Binary(b"\x03\x00\x00\x0d\x03\x00\x00realtime:roomraw\xff\x00".to_vec().into())).await;
    assert_eq!(ann.expect("room", "phx_reply").await["status"], "ok");
    assert_eq!(bob.next_message().await, Message::Binary(b"\x04\x0d\x03\x00\x00realtime:roomraw\xff\x00".to_vec().into()));
    // JSON that is none.
    ann.say_raw(Message::Binary(b"\x03\x00\x00\x0d\x03\x00\x01realtime:roombad{".to_vec().into())).await;
    assert_eq!(ann.expect("room", "phx_reply").await["status"], "error");
    bob.quiet().await;
    // A binary frame that is none ends the socket.
    ann.say_raw(Message::Binary(b"\x03\x09".to_vec().into())).await;
    assert!(matches!(ann.next_message().await, Message::Close(Some(frame)) if u16::from(frame.code) == 1007));
}

#[tokio::test]
async fn a_stop_closes_sockets_at_once() {
    let house = House::new().await;
    let mut socket = house.socket().await;
    socket.joined("room", json!({}), "").await;
    let House { server, .. } = house;
    let stopped = tokio::spawn(server.shutdown());
    assert!(matches!(socket.next_message().await, Message::Close(Some(frame)) if u16::from(frame.code) == 1012));
    drop(socket);
    stopped.await.unwrap().unwrap();
}
