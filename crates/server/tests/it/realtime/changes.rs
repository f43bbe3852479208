//! Changed rows over a socket: the join says what, the system message says since when.

use postgres::feed::FeedMode;
use serde_json::{Value, json};

use super::house::{BOTH, House, Socket, text};

/// Reads until the subscription is live.
async fn live(socket: &mut Socket, topic: &str) -> Value {
    let said = socket.expect(topic, "system").await;
    let expected = (&json!("ok"), &json!("postgres_changes"), &json!("Subscribed to PostgreSQL"));
    assert_eq!((&said["status"], &said["extension"], &said["message"]), expected, "{said}");
    said["position"].clone()
}

async fn customer(house: &House, token: &str, name: &str) -> String {
    let row = json!({ "first_name": name, "phone": "+15550100" });
    let asked = house.ask(reqwest::Method::POST, "/rest/v1/customers", token).header("content-type", "application/json");
    let answer = asked.header("prefer", "return=representation").body(row.to_string()).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    text(&answer.json::<Value>().await.unwrap()[0]["id"])
}

#[tokio::test]
async fn rows_are_told_to_the_members_who_may_read_them() {
    for mode in BOTH {
        Box::pin(told_to_members(House::fed_by(mode).await, if mode == FeedMode::Stream { "lsn:" } else { "out:" })).await;
    }
}

async fn told_to_members(house: House, way: &str) {
    let (ann, bob) = (house.owner("ann").await, house.owner("bob").await);
    let bindings = json!([
        { "event": "INSERT", "schema": "public", "table": "customers" },
        { "event": "*", "schema": "public", "table": "customers", "filter": "first_name=eq.Zoe" },
    ]);
    let (mut anns, mut bobs) = (house.socket().await, house.socket().await);
    let answer = anns.joined("rows", json!({ "postgres_changes": bindings }), &ann.token).await;
    let told = answer["postgres_changes"].as_array().unwrap().clone();
    for (told, wanted) in told.iter().zip(bindings.as_array().unwrap()) {
        for field in ["event", "schema", "table", "filter"] {
            assert_eq!(told.get(field), wanted.get(field));
        }
    }
    let position = live(&mut anns, "rows").await;
    assert!(text(&position).starts_with(way), "{position}");
    bobs.joined("rows", json!({ "postgres_changes": bindings }), &bob.token).await;
    live(&mut bobs, "rows").await;
    let id = customer(&house, &ann.token, "Ada").await;
    let change = anns.expect("rows", "postgres_changes").await;
    assert_eq!(change["ids"], json!([told[0]["id"]]));
    assert_eq!((&change["data"]["type"], &change["data"]["record"]["id"]), (&json!("INSERT"), &json!(id)), "{change}");
    customer(&house, &ann.token, "Zoe").await;
    let change = anns.expect("rows", "postgres_changes").await;
    assert_eq!(change["ids"].as_array().unwrap().len(), 2);
    bobs.quiet().await;
    // Back with the position of before, both come again.
    let mut again = house.socket().await;
    let mut since = bindings.clone();
    since[0]["since"] = position;
    again.joined("rows", json!({ "postgres_changes": since }), &ann.token).await;
    let (mut names, mut is_resync) = (vec![], false);
    while names.len() < 2 && !is_resync {
        let frame = again.next().await;
        match frame[3].as_str() {
            Some("postgres_changes") => names.push(text(&frame[4]["data"]["record"]["first_name"])),
            Some("system") => is_resync = frame[4]["code"] == "resync",
            _ => panic!("{frame}"),
        }
    }
    assert!(is_resync || names == ["Ada", "Zoe"], "{names:?}");
    // A filter that is none is said, and the channel stays.
    let wrong = json!({ "postgres_changes": [{ "event": "*", "schema": "public", "table": "customers", "filter": "nonsense" }] });
    again.joined("wrong", wrong, &ann.token).await;
    loop {
        let frame = again.next().await;
        if frame[2] == "realtime:wrong" {
            assert_eq!((&frame[3], &frame[4]["status"]), (&json!("system"), &json!("error")), "{frame}");
            break;
        }
    }
    // The session ends: nothing more is told.
    house.sql(&format!("update auth.sessions set revoked_at = now() where user_id = '{}'", ann.id)).await;
    let why = anns.closed("rows").await;
    assert!(why.starts_with("Unauthorized"), "{why}");
}
