//! Broadcasts by request, and the operator's look at realtime.

use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::house::House;

#[tokio::test]
async fn a_request_tells_one_message_or_many() {
    let house = House::new().await;
    let ann = house.owner("ann").await;
    let board = format!("company:{}:board", ann.company);
    let mut socket = house.socket().await;
    socket.joined("room", json!({}), "").await;
    socket.joined(&board, json!({ "private": true }), &ann.token).await;
    let path = "/realtime/v1/api/broadcast";
    let messages = json!({ "messages": [
        { "topic": "room", "event": "one", "payload": { "n": 1 } },
        { "topic": board, "event": "two", "payload": { "n": 2 }, "private": true },
    ] });
    let (status, body) = house.post(path, &ann.token, messages.clone()).await;
    assert_eq!((status, body), (202, Value::Null));
    assert_eq!(socket.expect("room", "broadcast").await, json!({ "type": "broadcast", "event": "one", "payload": { "n": 1 } }));
    assert_eq!(socket.expect(&board, "broadcast").await["event"], "two");
    // The service may send everywhere; whoever may not send one of them sends none.
    let (status, _) = house.post(path, &house.service(), messages.clone()).await;
    assert_eq!(status, 202);
    assert_eq!(socket.expect("room", "broadcast").await["event"], "one");
    assert_eq!(socket.expect(&board, "broadcast").await["event"], "two");
    let bob = house.owner("bob").await;
    for token in [bob.token.as_str(), ""] {
        let (status, body) = house.post(path, token, messages.clone()).await;
        assert_eq!((status, &body["code"]), (403, &json!("realtime_write_refused")), "{body}");
    }
    let (status, body) = house.post(path, &bob.token, json!({ "messages": [{ "topic": board, "event": "x", "payload": {} }] })).await;
    assert_eq!((status, &body["code"]), (403, &json!("realtime_private_only")), "{body}");
    // The path says channel and event, percent-encoded; the body is the payload.
    let one = format!("{path}/ro%6Fm/events/h%20i");
    let (status, _) = house.post(&one, "", json!([1, 2])).await;
    assert_eq!(status, 202);
    assert_eq!(socket.expect("room", "broadcast").await, json!({ "type": "broadcast", "event": "h i", "payload": [1, 2] }));
    let raw = house.ask(Method::POST, &one, "").header("content-type", "application/octet-stream").body(&b"\x00\xff"[..]);
    assert_eq!(raw.send().await.unwrap().status(), 202);
    assert_eq!(socket.next_message().await, Message::Binary(b"\x04\x0d\x03\x00\x00realtime:roomh i\x00\xff".to_vec().into()));
    // JSON is what a body is that does not say; whoever may not is told in one word.
    let bare = house.ask(Method::POST, &one, "").body("{\"b\":1}").send().await.unwrap();
    assert_eq!(bare.status(), 202);
    assert_eq!(socket.expect("room", "broadcast").await["payload"], json!({ "b": 1 }));
    let (status, body) = house.post(&format!("{path}/{board}/events/x?private=true"), &bob.token, json!({})).await;
    assert_eq!((status, body), (403, json!({ "message": "Unauthorized", "code": "realtime_write_refused" })));
    // A message keeps the id that its sender gave it.
    let named = json!({ "messages": [{ "topic": board, "event": "n", "payload": { "c": 1 }, "private": "true", "id": "7\"" }] });
    assert_eq!(house.post(path, &ann.token, named).await.0, 202);
    let expected = json!({ "type": "broadcast", "event": "n", "payload": { "c": 1 }, "meta": { "id": "7\"" } });
    assert_eq!(socket.expect(&board, "broadcast").await, expected);
    socket.quiet().await;
    let ping = house.client.get(format!("http://{}/realtime/v1/api/ping", house.address)).send().await.unwrap();
    assert_eq!((ping.status().as_u16(), ping.json::<Value>().await.unwrap()), (200, json!({ "message": "Success" })));
}

#[tokio::test]
async fn functions_are_not_found_in_the_words_that_clients_know() {
    let house = House::new().await;
    for (method, path) in
        [(Method::POST, "/functions/v1/hello"), (Method::GET, "/functions/v1/a/b?c=d"), (Method::DELETE, "/functions/v1/")]
    {
        let answer = house.ask(method, path, "").header("origin", "https://app.example.com").send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers()["sb-error-code"].to_str().unwrap()), (404, "NOT_FOUND"), "{path}");
        assert_eq!(answer.headers()["access-control-allow-origin"], "*");
        let expected = json!({ "code": "NOT_FOUND", "message": "Requested function was not found" });
        assert_eq!(answer.json::<Value>().await.unwrap(), expected);
    }
    let asked = house.ask(Method::OPTIONS, "/functions/v1/hello", "").header("origin", "https://app.example.com");
    let answer =
        asked.header("access-control-request-method", "POST").header("access-control-request-headers", "x-region").send().await.unwrap();
    assert!(answer.status().is_success() && answer.headers()["access-control-allow-origin"] == "*", "{answer:?}");
    assert!(answer.headers()["access-control-allow-headers"].to_str().unwrap().contains("x-region"));
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_with_its_field() {
    let house = House::with(|settings| settings.realtime.request_messages_max = 2).await;
    let path = "/realtime/v1/api/broadcast";
    let message = json!({ "topic": "a", "event": "b", "payload": {} });
    for (body, field) in [
        (json!({}), "messages"),
        (json!({ "messages": [] }), "messages"),
        (json!({ "messages": [message, message, message] }), "messages"),
        (json!({ "messages": [{ "topic": "", "event": "b", "payload": {} }] }), "topic"),
        (json!({ "messages": [{ "topic": "x".repeat(300), "event": "b", "payload": {} }] }), "topic"),
        (json!({ "messages": [{ "topic": "a", "event": "", "payload": {} }] }), "event"),
        (json!({ "messages": [{ "topic": "a" }] }), "messages"),
        (json!({ "messages": [message, { "topic": "a", "event": "b" }] }), "payload"),
        (json!({ "messages": [{ "topic": "a", "event": "b", "payload": null }] }), "payload"),
        (json!({ "messages": [{ "topic": "a", "event": "b", "payload": [1] }] }), "messages"),
        (json!({ "messages": [{ "topic": "a", "event": "b", "payload": {}, "private": 7 }] }), "private"),
    ] {
        let (status, answer) = house.post(path, "", body).await;
        assert!(status == 422 && answer["errors"][field].is_array(), "{status} {answer}");
    }
    // Which of several it was is said, too.
    let (_, answer) = house.post(path, "", json!({ "messages": [message, { "topic": "a", "event": "b" }] })).await;
    assert_eq!(answer["errors"]["messages"], json!([{}, { "payload": ["it is an object"] }]));
    let other =
        house.ask(Method::POST, &format!("{path}/a/events/b"), "").header("content-type", "text/plain").body("x").send().await.unwrap();
    let words = "Unsupported Media Type. Use application/json or application/octet-stream";
    assert_eq!(other.status(), 415);
    assert_eq!(other.json::<Value>().await.unwrap(), json!({ "error": words, "code": "realtime_media_type" }));
    let send = async |path: &str, media: &str, body: &'static str| {
        let answer = house.ask(Method::POST, path, "").header("content-type", media).body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap()["code"].clone())
    };
    assert_eq!(send(path, "text/plain", "{}").await, (415, json!("realtime_media_type")));
    assert_eq!(send(path, "application/octet-stream", "{}").await, (415, json!("realtime_media_type")));
    assert_eq!(send(&format!("{path}/a/events/b"), "application/json", "{").await, (422, json!("realtime_message_invalid")));
    let url = format!("http://{}{path}", house.address);
    let nobody = house.client.post(&url).header("content-type", "application/json").body("{}").send().await.unwrap();
    assert_eq!((nobody.status().as_u16(), nobody.json::<Value>().await.unwrap()["message"].clone()), (401, json!("Unauthorized")));
    let wrong = house.client.post(&url).header("apikey", "sb_publishable_wrong").body("{}").send().await.unwrap();
    assert_eq!(wrong.status(), 401);
}

#[tokio::test]
async fn the_operator_sees_how_it_is_and_nobody_else_does() {
    let house = House::new().await;
    let ann = house.owner("ann").await;
    let mut socket = house.socket().await;
    socket.joined("room", json!({ "presence": { "enabled": true } }), "").await;
    socket.say("room", "presence", json!({ "event": "track" })).await;
    socket.expect("room", "presence_state").await;
    socket.expect("room", "presence_diff").await;
    let look = async |token: &str| {
        let answer = house.ask(Method::GET, "/realtime/v1/api/status", token).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, body) = look(&house.service()).await;
    assert_eq!((status, &body["sockets"], &body["channels"]), (200, &json!(1), &json!(1)), "{body}");
    assert_eq!(body["topics"], json!([{ "topic": "room", "private": false, "sockets": 1, "present": 1 }]));
    assert_eq!((&body["companies"][0]["kind"], &body["companies"][0]["joins"]), (&json!("network"), &json!(1)));
    assert_eq!((look(&ann.token).await.0, look("").await.0), (403, 401));
}
