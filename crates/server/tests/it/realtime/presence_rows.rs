//! Who is present, as rows: `shared.presence` within a second of what sockets hear.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::house::{House, Person};

async fn house() -> House {
    House::with(|settings| {
        settings.data_api.schemas = vec!["public".to_owned(), "shared".to_owned()];
        settings.realtime.presence_rows_ms = 50;
    })
    .await
}

async fn rows(house: &House, token: &str) -> (u16, Value) {
    let path = "/rest/v1/presence?select=user_id,tenant_id,channel,status,metadata&order=channel,status";
    let answer = house.ask(Method::GET, path, token).header("accept-profile", "shared").send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Asks until the rows are these.
async fn until(house: &House, one: &Person, expected: Value) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let (status, found) = rows(house, &one.token).await;
        if (status, &found) == (200, &expected) {
            return;
        }
        assert!(Instant::now() < deadline, "{status} {found}, not {expected}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn track(status: &str) -> Value {
    json!({ "type": "presence", "event": "track", "payload": { "status": status, "screen": "week" } })
}

#[tokio::test]
async fn rows_say_who_is_present_to_the_company_alone() {
    let house = house().await;
    let (ann, bob) = (house.owner("ann").await, house.owner("bob").await);
    let tom = house.member(&ann, "tom", "technician").await;
    let (board, money) = (format!("company:{}:board", ann.company), format!("company:{}:payments", ann.company));
    let (mut anns, mut toms) = (house.socket().await, house.socket().await);
    for topic in [&board, &money] {
        anns.joined(topic, json!({ "private": true, "presence": { "key": "whatever she says", "enabled": false } }), &ann.token).await;
        anns.say(topic, "presence", track("online")).await;
    }
    toms.joined(&board, json!({ "private": true, "presence": { "key": ann.id, "enabled": false } }), &tom.token).await;
    toms.say(&board, "presence", track("busy")).await;
    let row = |one: &Person, channel: &str, status: &str| {
        let meta = json!({ "status": status, "screen": "week" });
        json!({ "user_id": one.id, "tenant_id": ann.company, "channel": channel, "status": status, "metadata": meta })
    };
    // Whoever tracks is who he is, whatever key he chose; and of a channel about payments nobody is told who may not read them.
    until(&house, &ann, json!([row(&tom, &board, "busy"), row(&ann, &board, "online"), row(&ann, &money, "online")])).await;
    until(&house, &tom, json!([row(&tom, &board, "busy"), row(&ann, &board, "online")])).await;
    until(&house, &bob, json!([])).await;
    assert_eq!(rows(&house, "").await.0, 401);
    let body = json!({ "user_id": bob.id, "tenant_id": ann.company, "channel": board }).to_string();
    let asked = house.ask(Method::POST, "/rest/v1/presence", &bob.token).header("content-profile", "shared");
    // PostgreSQL refuses it as what the view is not made for (55000).
    assert_eq!(asked.header("content-type", "application/json").body(body).send().await.unwrap().status(), 500);

    // What no text of PostgreSQL holds keeps nobody from being written down.
    let mut odd = house.socket().await;
    odd.joined(&board, json!({ "private": true, "presence": { "key": "", "enabled": false } }), &tom.token).await;
    odd.say(&board, "presence", json!({ "type": "presence", "event": "track", "payload": { "status": "odd\u{0}", "screen": "week" } }))
        .await;
    until(&house, &tom, json!([row(&tom, &board, "busy"), row(&tom, &board, "odd"), row(&ann, &board, "online")])).await;
    drop(odd);

    // What changes is there, and a socket that crashes takes its row with it.
    toms.say(&board, "presence", track("away")).await;
    until(&house, &tom, json!([row(&tom, &board, "away"), row(&ann, &board, "online")])).await;
    drop(toms);
    until(&house, &tom, json!([row(&ann, &board, "online")])).await;
    // So does a server that stops; and whatever was forgotten is said again.
    house.sql("delete from app.presence_nodes").await;
    until(&house, &tom, json!([])).await;
    anns.say(&board, "presence", track("back")).await;
    until(&house, &ann, json!([row(&ann, &board, "back"), row(&ann, &money, "online")])).await;
    let db = std::sync::Arc::clone(&house.db);
    house.server.shutdown().await.unwrap();
    let left = db.superuser().await.query_one("select count(*) from app.presences", &[]).await.unwrap();
    assert_eq!(left.get::<_, i64>(0), 0);
}
