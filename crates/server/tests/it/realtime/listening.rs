//! The same by server-sent events.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::house::House;

/// The events of one answer.
struct Events {
    answer: Response,
    text: String,
}

impl Events {
    async fn next(&mut self) -> (String, Value) {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let line = |name: &str| event.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
                let found = (line("event: "), line("data: "));
                self.text = rest.to_owned();
                if let (Some(event), Some(data)) = found {
                    return (event, serde_json::from_str(&data).unwrap());
                }
                continue;
            }
            let chunk = tokio::time::timeout(Duration::from_secs(30), self.answer.chunk()).await.unwrap().unwrap().unwrap();
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

#[tokio::test]
async fn plain_http_hears_what_sockets_hear() {
    let house = House::with(|settings| settings.realtime.events_alive_ms = 100).await;
    let ann = house.owner("ann").await;
    let board = format!("company:{}:board", ann.company);
    let path = format!("/realtime/v1/sse?topic={board}&private=true&presence=true");
    let answer = house.ask(Method::GET, &path, &ann.token).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap()), (200, "text/event-stream"));
    let mut events = Events { answer, text: String::new() };
    let (event, data) = events.next().await;
    assert_eq!((event.as_str(), &data["status"]), ("phx_reply", &json!("ok")));
    assert_eq!(events.next().await, ("presence_state".to_owned(), json!({})));
    let one = format!("/realtime/v1/api/broadcast/{board}/events/hi?private=true");
    assert_eq!(house.post(&one, &ann.token, json!({ "a": 1 })).await.0, 202);
    assert_eq!(events.next().await, ("broadcast".to_owned(), json!({ "type": "broadcast", "event": "hi", "payload": { "a": 1 } })));
    // Whoever goes leaves its channel; whoever may not hear any more is told.
    house.sql(&format!("update auth.sessions set revoked_at = now() where user_id = '{}'", ann.id)).await;
    let (event, data) = events.next().await;
    assert_eq!((event.as_str(), &data["status"]), ("system", &json!("error")));
    assert_eq!(events.next().await.0, "phx_close");
    drop(events);
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    loop {
        let status: Value = house.ask(Method::GET, "/realtime/v1/api/status", &house.service()).send().await.unwrap().json().await.unwrap();
        if status["sockets"] == 0 && status["channels"] == 0 {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{status}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn who_may_hear_nothing_of_it_is_refused_by_the_status() {
    let house = House::new().await;
    let (ann, bob) = (house.owner("ann").await, house.owner("bob").await);
    let get = async |query: &str, token: &str| {
        let answer = house.ask(Method::GET, &format!("/realtime/v1/sse?{query}"), token).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap()["code"].clone())
    };
    let board = format!("topic=company:{}:board", ann.company);
    assert_eq!(get(&format!("{board}&private=true"), &bob.token).await, (403, json!("realtime_join_refused")));
    assert_eq!(get(&format!("{board}&private=true"), "").await, (403, json!("realtime_join_refused")));
    assert_eq!(get(&board, &ann.token).await, (403, json!("realtime_join_refused")));
    assert_eq!(get("", &ann.token).await, (400, json!("realtime_query_invalid")));
    assert_eq!(get("topic=a&private=maybe", "").await, (400, json!("realtime_query_invalid")));
    assert_eq!(get("topic=a&postgres_changes=x", "").await, (400, json!("realtime_query_invalid")));
    assert_eq!(get("topic=a&colour=red", "").await, (400, json!("realtime_query_invalid")));
    let nobody = house.client.get(format!("http://{}/realtime/v1/sse?topic=a", house.address)).send().await.unwrap();
    assert_eq!(nobody.status(), 401);
}
