//! What older and other clients write: data beside the event, joins that wait, bindings that cannot be meant.

use postgres::feed::FeedMode;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::house::{BOTH, House, Socket, text};

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

#[tokio::test]
async fn the_oldest_clients_hear_of_the_rows_that_their_topic_names() {
    for mode in BOTH {
        Box::pin(told_by_topic(House::fed_by(mode).await)).await;
    }
}

/// Says something as the first clients did, without any config.
fn said(topic: &str, event: &str, payload: &Value) -> Message {
    Message::Text(json!({ "topic": topic, "event": event, "payload": payload, "ref": "1" }).to_string().into())
}

async fn told_by_topic(house: House) {
    let (ann, bob) = (house.owner("ann").await, house.owner("bob").await);
    let all = [("INSERT", Some("red")), ("INSERT", Some("a:b")), ("UPDATE", Some("a:b")), ("DELETE", None), ("INSERT", Some("end"))];
    let some = [("INSERT", Some("a:b")), ("UPDATE", Some("a:b"))];
    let topics = [
        ("realtime:public:tags", &all[..]),
        ("realtime:public:*", &all),
        ("realtime:public", &all),
        ("realtime:*", &all),
        ("realtime:public:tags:name=eq.a:b 4", &some),
    ];
    for (number, (topic, expected)) in topics.into_iter().enumerate() {
        let (mut anns, mut bobs) = (Socket::of_version_one(&house).await, Socket::of_version_one(&house).await);
        for (socket, token) in [(&mut anns, &ann.token), (&mut bobs, &bob.token)] {
            socket.say_raw(said(topic, "phx_join", &json!({ "user_token": token }))).await;
            let answer = socket.next().await;
            assert_eq!((&answer["event"], &answer["payload"]["status"], &answer["ref"]), (&json!("phx_reply"), &json!("ok"), &json!("1")));
            let live = socket.next().await;
            assert_eq!((&live["event"], &live["payload"]["message"]), (&json!("system"), &json!("Subscribed to PostgreSQL")), "{topic}");
        }
        house
            .sql(&format!(
                "insert into public.tags (company_id, name) values ('{0}', 'red {number}'), ('{0}', 'a:b {number}');
                 update public.tags set color = '#ff0000' where company_id = '{0}' and name = 'a:b {number}';
                 delete from public.tags where company_id = '{0}' and name = 'red {number}';
                 insert into public.tags (company_id, name) values ('{0}', 'end {number}')",
                ann.company
            ))
            .await;
        let mut expected = expected.iter();
        let mut next = expected.next();
        while let Some((sort, name)) = next {
            let frame = anns.next().await;
            let change = &frame["payload"];
            assert_eq!((&frame["topic"], &frame["event"], &frame["ref"]), (&json!(topic), &change["type"], &json!(null)), "{frame}");
            // Of a whole schema there are changes of other tables, too.
            if change["table"] == "tags" {
                assert!(change["columns"].is_array() && change["commit_timestamp"].is_string() && change["schema"] == "public", "{frame}");
                let told = (change["type"].as_str(), change["record"]["name"].as_str().map(str::to_owned));
                assert_eq!(told, (Some(*sort), name.map(|name| format!("{name} {number}"))), "{topic}");
                next = expected.next();
            }
        }
        // Of the other company nobody hears.
        bobs.say_raw(said("phoenix", "heartbeat", &json!({}))).await;
        let mut frame = bobs.next().await;
        while frame["topic"] != "phoenix" {
            assert!(!frame.to_string().contains(&ann.company), "{topic}: {frame}");
            frame = bobs.next().await;
        }
    }
}

#[tokio::test]
async fn a_join_without_config_is_one_of_a_channel_where_its_topic_names_no_rows() {
    let house = House::new().await;
    let ann = house.owner("ann").await;
    let (mut one, mut two) = (Socket::of_version_one(&house).await, house.socket().await);
    for payload in [json!({}), json!(null), json!({ "access_token": ann.token })] {
        one.say_raw(said("realtime:room", "phx_join", &payload)).await;
        let mut answer = one.next().await;
        // Joined again, the first is closed.
        if answer["event"] == "phx_close" {
            answer = one.next().await;
        }
        assert_eq!(answer["payload"], json!({ "status": "ok", "response": { "postgres_changes": [] } }));
    }
    two.joined("room", json!({}), "").await;
    two.broadcast("room", "hi", json!(1)).await;
    assert_eq!(one.next().await["payload"], json!({ "type": "broadcast", "event": "hi", "payload": 1 }));
    // Rows that nobody has are said, and the channel stays.
    one.say_raw(said("realtime:public:nothing", "phx_join", &json!({ "user_token": ann.token }))).await;
    assert_eq!(one.next().await["payload"]["status"], "ok");
    let frame = one.next().await;
    assert_eq!((&frame["event"], &frame["payload"]["status"]), (&json!("system"), &json!("error")));
    assert!(text(&frame["payload"]["message"]).contains("schema: public, table: nothing"), "{frame}");
    // What is private is not joined so.
    one.say_raw(said(&format!("realtime:company:{}:board", ann.company), "phx_join", &json!({ "user_token": ann.token }))).await;
    assert_eq!(one.next().await["payload"]["response"]["reason"], "PrivateOnly: This channel has to be joined as a private one");
}

#[tokio::test]
async fn private_is_read_in_every_writing_that_may_be_meant() {
    let house = House::new().await;
    let ann = house.owner("ann").await;
    let board = format!("company:{}:board", ann.company);
    let mut socket = house.socket().await;
    for said in [json!(true), json!("true"), json!("True"), json!("1")] {
        socket.joined(&board, json!({ "private": said }), &ann.token).await;
        // A name that anybody may join is not joined as a public one, either.
        let why = socket.not_joined("room", json!({ "private": said }), &ann.token).await;
        assert!(why.starts_with("Unauthorized"), "{said}: {why}");
    }
    for said in [json!(1), json!("yes"), json!({})] {
        let why = socket.not_joined("room", json!({ "private": said }), &ann.token).await;
        assert_eq!(why, "InvalidJoinPayload: private is true or false", "{said}");
    }
    let mut stranger = house.socket().await;
    stranger.joined("room", json!({ "private": "false" }), "").await;
    let path = "/realtime/v1/api/broadcast";
    for (said, status) in [("true", 403), ("1", 403), ("TRUE", 403), ("yes", 422), ("", 422)] {
        let (answered, body) = house.post(&format!("{path}/room/events/secret?private={said}"), &ann.token, json!({})).await;
        assert_eq!(answered, status, "{said}: {body}");
    }
    for (said, status) in [(json!("1"), 403), (json!("TRUE"), 403), (json!(1), 422), (json!("yes"), 422)] {
        let sent = json!({ "messages": [{ "topic": "room", "event": "secret", "payload": {}, "private": said }] });
        let (answered, body) = house.post(path, &ann.token, sent).await;
        assert_eq!(answered, status, "{said}: {body}");
    }
    assert_eq!(house.post(&format!("{path}/room/events/open?private=0"), &ann.token, json!({})).await.0, 202);
    assert_eq!(stranger.expect("room", "broadcast").await["event"], "open");
    stranger.quiet().await;
}
