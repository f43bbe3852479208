//! What older and other clients write: data beside the event, joins that wait, bindings that cannot be meant.

use postgres::feed::FeedMode;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::house::{House, Socket};

#[tokio::test]
async fn a_broadcast_whose_data_stand_beside_its_event_is_told_as_it_came() {
    let house = House::new().await;
    let (mut ann, mut bob, mut one) = (house.socket().await, house.socket().await, Socket::of_version_one(&house).await);
    ann.joined("room", json!({ "broadcast": { "ack": "TRUE", "self": true } }), "").await;
    bob.joined("room", json!({}), "").await;
    let join = json!({ "topic": "realtime:room", "event": "phx_join", "payload": {}, "ref": "1", "join_ref": "1" });
    one.say_raw(Message::Text(join.to_string().into())).await;
    assert_eq!(one.next().await["payload"]["status"], "ok");
    for payload in [
        json!({ "type": "broadcast", "event": "moved", "x": 1, "y": [2, { "z": "ä" }] }),
        json!({ "type": "broadcast", "event": "moved", "payload": { "a": 1 }, "id": 7 }),
        json!({ "message": "no event" }),
        json!({ "type": "broadcast", "event": "bare" }),
        json!({}),
    ] {
        let reference = ann.say("room", "broadcast", payload.clone()).await;
        assert_eq!(ann.expect("room", "broadcast").await, payload);
        assert_eq!(ann.next().await, json!([null, reference, "realtime:room", "phx_reply", { "status": "ok", "response": {} }]));
        assert_eq!(bob.expect("room", "broadcast").await, payload);
        assert_eq!(one.next().await, json!({ "topic": "realtime:room", "event": "broadcast", "payload": payload, "ref": null }));
    }
    for none in [json!(null), json!([1]), json!("x")] {
        ann.say("room", "broadcast", none).await;
        assert_eq!(ann.expect("room", "phx_reply").await["response"]["reason"], "The payload of a broadcast is an object");
    }
    // What is said in bytes is understood as in a text.
    let frame = b"\x00\x00\x01\x0d\x097realtime:roombroadcast{\"event\":\"b\",\"x\":1}";
    ann.say_raw(Message::Binary(frame.to_vec().into())).await;
    assert_eq!(ann.expect("room", "broadcast").await, json!({ "event": "b", "x": 1 }));
    assert_eq!(ann.expect("room", "phx_reply").await["status"], "ok");
    assert_eq!(bob.expect("room", "broadcast").await, json!({ "event": "b", "x": 1 }));
    bob.quiet().await;
}

#[tokio::test]
async fn a_join_waits_for_its_subscription_where_it_asks_for_that() {
    let house = House::new().await;
    let ann = house.owner("ann").await;
    let mut socket = house.socket().await;
    let binding = json!({ "event": "insert", "schema": "public", "table": "customers", "select": ["first_name"] });
    let waiting = |binding: &Value, wait: Value| json!({ "postgres_changes": [binding], "postgres_changes_options": wait });
    let payload = json!({ "config": waiting(&binding, json!({ "wait": true })), "access_token": ann.token });
    socket.say_raw(Message::Text(json!(["90", "90", "realtime:rows", "phx_join", payload]).to_string().into())).await;
    // What is said meanwhile is answered.
    socket.say_raw(Message::Text(r#"[null,"91","phoenix","heartbeat",{}]"#.into())).await;
    let heard = [socket.next().await, socket.next().await, socket.next().await];
    let place = |of: &dyn Fn(&Value) -> bool| heard.iter().position(of).unwrap_or_else(|| panic!("{heard:?}"));
    let (answer, live) = (place(&|frame| frame[1] == "90"), place(&|frame| frame[3] == "system"));
    assert_eq!(heard[place(&|frame| frame[1] == "91")][4]["status"], "ok");
    assert_eq!(
        (&heard[answer][4]["status"], &heard[answer][4]["response"]["postgres_changes"][0]["table"]),
        (&json!("ok"), &json!("customers"))
    );
    let said = &heard[live][4];
    assert!(answer < live && said["status"] == "ok" && said["message"] == "Subscribed to PostgreSQL", "{heard:?}");
    // A row that comes from now on is told, and its key with what was selected.
    let (status, _) = house.post("/rest/v1/customers", &ann.token, json!({ "first_name": "Ada", "phone": "+15550100" })).await;
    assert_eq!(status, 201);
    let change = socket.expect("rows", "postgres_changes").await;
    let record = &change["data"]["record"];
    assert!(record["first_name"] == "Ada" && record["id"].is_string() && record.get("phone").is_none(), "{record}");
    // What cannot be meant refuses it.
    for (wrong, why) in [
        (json!({ "table": "nothing" }), "Unable to subscribe to changes with given parameters"),
        (json!({ "table": "customers", "filter": "nonsense" }), "a condition is written column=operator.value"),
        (json!({ "table": "customers", "select": "id" }), "postgres_changes.select is a list of columns"),
    ] {
        let refused = socket.not_joined("wrong", waiting(&wrong, json!({ "wait": "true" })), &ann.token).await;
        assert!(refused.starts_with(&format!("RealtimeDisabledForConfiguration: {why}")), "{refused}");
    }
    // Nothing to wait for is not waited for.
    socket.joined("bare", json!({ "postgres_changes_options": { "wait": true } }), "").await;
    socket.quiet().await;
}

#[tokio::test]
async fn a_join_that_waits_where_changes_are_not_told_is_refused() {
    let house = House::with(|settings| settings.change_feed.mode = FeedMode::Off).await;
    let ann = house.owner("ann").await;
    let mut socket = house.socket().await;
    let config = json!({ "postgres_changes": [{ "table": "customers" }], "postgres_changes_options": { "wait": true, "timeout": 200 } });
    let why = socket.not_joined("rows", config, &ann.token).await;
    assert_eq!(why, "RealtimeDisabledForConfiguration: changes are not told");
    socket.quiet().await;
}

#[tokio::test]
async fn a_binding_that_cannot_be_meant_is_said_and_the_channel_stays() {
    let house = House::new().await;
    let ann = house.owner("ann").await;
    let mut socket = house.socket().await;
    for (bindings, why) in [
        (json!([{ "table": "customers" }, { "table": 7 }]), "postgres_changes.table is a text"),
        (json!([{ "table": "customers", "select": "id" }]), "postgres_changes.select is a list of columns"),
        (json!({ "table": "customers" }), "postgres_changes is a list"),
    ] {
        socket.joined("rows", json!({ "postgres_changes": bindings, "broadcast": { "ack": true } }), &ann.token).await;
        let said = socket.expect("rows", "system").await;
        let expected = json!({ "message": why, "status": "error", "extension": "postgres_changes", "channel": "rows" });
        assert_eq!(said, expected);
        socket.broadcast("rows", "still", json!({})).await;
        assert_eq!(socket.expect("rows", "phx_reply").await["status"], "ok");
        socket.say("rows", "phx_leave", json!({})).await;
        socket.expect("rows", "phx_reply").await;
        socket.expect("rows", "phx_close").await;
    }
    let bindings = json!([null, { "event": "truncate", "table": "customers", "filter": " ", "select": [] }]);
    let answer = socket.joined("rows", json!({ "postgres_changes": bindings }), &ann.token).await;
    assert_eq!((answer["postgres_changes"].as_array().unwrap().len(), &answer["postgres_changes"][0]["event"]), (1, &json!("truncate")));
    assert_eq!(socket.expect("rows", "system").await["status"], "ok");
}
