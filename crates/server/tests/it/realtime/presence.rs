//! Who is present: state, changes, leaving on a crash.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::house::House;

#[tokio::test]
async fn everybody_knows_who_is_there() {
    let house = House::new().await;
    let (mut ann, mut bob) = (house.socket().await, house.socket().await);
    ann.joined("room", json!({ "presence": { "key": "ann", "enabled": true } }), "").await;
    assert_eq!(ann.expect("room", "presence_state").await, json!({}));
    let track = |status: &str| json!({ "type": "presence", "event": "track", "payload": { "status": status } });
    let reference = ann.say("room", "presence", track("in")).await;
    let diff = ann.expect("room", "presence_diff").await;
    assert_eq!(ann.next().await, json!([null, reference, "realtime:room", "phx_reply", { "status": "ok", "response": {} }]));
    let first = diff["joins"]["ann"]["metas"][0].clone();
    assert_eq!((&first["status"], &diff["leaves"]), (&json!("in"), &json!({})));

    bob.joined("room", json!({ "presence": { "key": "", "enabled": "true" } }), "").await;
    assert_eq!(bob.expect("room", "presence_state").await, json!({ "ann": { "metas": [first] } }));
    ann.say("room", "presence", track("away")).await;
    let diff = bob.expect("room", "presence_diff").await;
    assert_eq!(diff["leaves"]["ann"]["metas"], json!([first]));
    let second = &diff["joins"]["ann"]["metas"][0];
    assert_eq!((&second["status"], &second["phx_ref_prev"]), (&json!("away"), &first["phx_ref"]));
    // A key that was not chosen is one's own.
    bob.say("room", "presence", track("in")).await;
    let diff = bob.expect("room", "presence_diff").await;
    let key = diff["joins"].as_object().unwrap().keys().next().unwrap().clone();
    assert!(key.parse::<uuid::Uuid>().is_ok());
    ann.say("room", "presence", json!({ "type": "presence", "event": "untrack" })).await;
    assert_eq!(bob.expect("room", "phx_reply").await["status"], "ok");
    assert_eq!(bob.expect("room", "presence_diff").await["leaves"]["ann"]["metas"][0]["status"], "away");

    // A client that crashes is gone.
    ann.expect("room", "presence_diff").await;
    ann.expect("room", "phx_reply").await;
    ann.expect("room", "presence_diff").await;
    ann.expect("room", "presence_diff").await;
    ann.expect("room", "phx_reply").await;
    drop(bob);
    let diff = ann.expect("room", "presence_diff").await;
    assert_eq!((diff["leaves"][&key]["metas"].as_array().unwrap().len(), &diff["joins"]), (1, &json!({})));
}

#[tokio::test]
async fn whoever_tracks_hears_of_the_others_from_then_on_and_one_who_does_not_want_to_does_not() {
    let house = House::new().await;
    let (mut ann, mut bob, mut carl) = (house.socket().await, house.socket().await, house.socket().await);
    for socket in [&mut ann, &mut bob, &mut carl] {
        socket.joined("room", json!({}), "").await;
    }
    ann.say("room", "presence", json!({ "type": "presence", "event": "track", "payload": { "name": "ann" } })).await;
    assert_eq!(ann.expect("room", "phx_reply").await["status"], "ok");
    let state = ann.expect("room", "presence_state").await;
    assert_eq!(state.as_object().unwrap().len(), 1);
    bob.say("room", "presence", json!({ "type": "presence", "event": "track" })).await;
    assert_eq!(ann.expect("room", "presence_diff").await["joins"].as_object().unwrap().len(), 1);
    carl.quiet().await;
}

#[tokio::test]
async fn what_cannot_be_tracked_is_refused_and_who_asks_too_often_is_out() {
    let house = House::with(|settings| {
        settings.realtime.presence_calls_max = 6;
        settings.realtime.presence_bytes_max = 100;
        settings.realtime.presence_entries_max = 1;
    })
    .await;
    let (mut ann, mut bob) = (house.socket().await, house.socket().await);
    ann.joined("room", json!({}), "").await;
    bob.joined("room", json!({}), "").await;
    for (payload, why) in [
        (json!({ "event": "track", "payload": [1] }), "Presence track payload must be a map"),
        (json!({ "event": "track", "payload": null }), "Presence track payload must be a map"),
        (json!({ "event": "dance" }), "Presence has the events track and untrack"),
        (json!({ "event": "track", "payload": { "x": "y".repeat(100) } }), "Presence has at most 100 bytes"),
        (json!({}), "Presence has an event"),
    ] {
        ann.say("room", "presence", payload).await;
        assert_eq!(ann.expect("room", "phx_reply").await["response"]["reason"], why);
    }
    ann.say("room", "presence", json!({ "event": "track" })).await;
    assert_eq!(ann.expect("room", "phx_reply").await["status"], "ok");
    ann.expect("room", "presence_state").await;
    bob.say("room", "presence", json!({ "event": "track" })).await;
    assert_eq!(bob.expect("room", "phx_reply").await["response"]["reason"], "At most 1 are present in a channel");
    ann.say("room", "presence", json!({ "event": "untrack" })).await;
    assert_eq!(ann.closed("room").await, "Client presence rate limit exceeded");
    ann.say_raw(Message::Text(r#"[null,"1","realtime:room","presence",{"event":"track"}]"#.into())).await;
    assert_eq!(ann.expect("room", "phx_reply").await["response"]["reason"], "unmatched topic");
}

#[tokio::test]
async fn what_was_tracked_already_is_no_change() {
    let house = House::new().await;
    let (mut ann, mut bob) = (house.socket().await, house.socket().await);
    ann.joined("room", json!({ "presence": { "key": 7 } }), "").await;
    bob.joined("room", json!({ "presence": { "enabled": true } }), "").await;
    assert_eq!(bob.expect("room", "presence_state").await, json!({}));
    let say = |event: &str, status: &str| json!({ "type": "presence", "event": event, "payload": { "status": status, "of": [1, 2] } });
    ann.say("room", "presence", say("TRACK", "in")).await;
    assert_eq!(bob.expect("room", "presence_diff").await["joins"]["7"]["metas"][0]["status"], "in");
    assert_eq!(ann.expect("room", "phx_reply").await["status"], "ok");
    ann.expect("room", "presence_state").await;
    ann.say("room", "presence", say("track", "in")).await;
    assert_eq!(ann.expect("room", "phx_reply").await, json!({ "status": "ok", "response": {} }));
    bob.quiet().await;
    // After it was taken back it is one again.
    ann.say("room", "presence", json!({ "type": "presence", "event": "Untrack" })).await;
    assert_eq!(bob.expect("room", "presence_diff").await["leaves"]["7"]["metas"][0]["status"], "in");
    ann.say("room", "presence", say("track", "in")).await;
    assert_eq!(bob.expect("room", "presence_diff").await["joins"]["7"]["metas"][0]["status"], "in");
    ann.say("room", "presence", say("track", "away")).await;
    assert_eq!(bob.expect("room", "presence_diff").await["joins"]["7"]["metas"][0]["status"], "away");
}
