//! Messages that SQL sends, how far tasks are, and what is told again.

use std::time::Duration;

use postgres::feed::FeedMode;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use super::house::{BOTH, House, text};

#[tokio::test]
async fn what_sql_sends_comes_after_the_commit_to_the_channel_that_it_names() {
    for mode in BOTH {
        Box::pin(sent_by_sql(House::fed_by(mode).await)).await;
    }
}

async fn sent_by_sql(house: House) {
    let ann = house.owner("ann").await;
    let board = format!("company:{}:board", ann.company);
    let (mut private, mut public) = (house.socket().await, house.socket().await);
    private.joined(&board, json!({ "private": true }), &ann.token).await;
    public.joined("room", json!({}), "").await;
    house
        .sql(&format!(
            "begin; select realtime.send('{{\"never\": 1}}', 'gone', '{board}'); rollback;
             select realtime.send('{{\"n\": 1}}', 'hi', '{board}');
             select realtime.send_binary('\\x00ff', 'raw', '{board}');
             select realtime.send('[1]', 'open', 'room', false);"
        ))
        .await;
    let told = private.expect(&board, "broadcast").await;
    let id: Uuid = text(&told["meta"]["id"]).parse().unwrap();
    assert_eq!(told, json!({ "type": "broadcast", "event": "hi", "payload": { "n": 1, "id": id }, "meta": { "id": id } }));
    let Message::Binary(bytes) = private.next_message().await else { panic!() };
    assert!(bytes.starts_with(b"\x04") && bytes.ends_with(b"\x00\xff"));
    assert_eq!(public.expect("room", "broadcast").await["payload"], json!([1]));
    private.quiet().await;
    public.quiet().await;
    // What cannot be sent is an error of its statement.
    let client = house.db.superuser().await;
    for (wrong, code) in [
        ("realtime.send('1', '', 'room')", "TH422"),
        ("realtime.send('1', 'hi', '')", "TH422"),
        ("realtime.send('1', 'hi', repeat('x', 256))", "TH422"),
        ("realtime.send(to_jsonb(repeat('x', 3000001)), 'hi', 'room')", "TH422"),
    ] {
        let error = client.batch_execute(&format!("select {wrong}")).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), code, "{wrong}");
    }
}

#[tokio::test]
async fn what_sql_sends_while_the_change_feed_is_away_is_said_to_be_missed() {
    let house = House::fed_by(FeedMode::Stream).await;
    let ann = house.owner("ann").await;
    let board = format!("company:{}:board", ann.company);
    let mut socket = house.socket().await;
    socket.joined(&board, json!({ "private": true }), &ann.token).await;
    // While a transaction is open that wrote something, the log cannot be read from its end on.
    let open = house.db.superuser().await;
    open.batch_execute("begin; select pg_current_xact_id()").await.unwrap();
    house
        .sql("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and backend_type = 'walsender'")
        .await;
    let cut = socket.expect(&board, "system").await;
    assert_eq!((&cut["code"], &cut["reason"]), (&json!("resync"), &json!("change_feed")), "{cut}");
    let mut late = house.socket().await;
    late.joined(&board, json!({ "private": true, "broadcast": { "replication_ready": true } }), &ann.token).await;
    house.sql(&format!("select realtime.send('{{\"n\": 1}}', 'missed', '{board}')")).await;
    late.quiet().await;
    open.batch_execute("commit").await.unwrap();
    for socket in [&mut socket, &mut late] {
        assert_eq!(socket.expect(&board, "system").await["code"], "resync", "what came meanwhile was missed");
    }
    assert_eq!(late.expect(&board, "system").await["message"], "Replication connection established");
    house.sql(&format!("select realtime.send('{{\"n\": 2}}', 'told', '{board}')")).await;
    for socket in [&mut socket, &mut late] {
        assert_eq!(socket.expect(&board, "broadcast").await["event"], "told");
    }
}

#[tokio::test]
async fn a_trigger_tells_of_a_changed_row_and_who_may_not_send_fails_with_it() {
    let house = House::new().await;
    let (ann, bob) = (house.owner("ann").await, house.owner("bob").await);
    let board = format!("company:{}:notes", ann.company);
    house
        .sql(&format!(
            "create table public.shouts (id integer primary key, body text);
             alter table public.shouts enable row level security;
             create policy all_of_it on public.shouts for all to authenticated using (true) with check (true);
             grant select, insert, update, delete on public.shouts to authenticated;
             create function public.tell() returns trigger language plpgsql as $$
             begin
               perform realtime.broadcast_changes('{board}', tg_op, tg_op, tg_table_name, tg_table_schema, new, old);
               return null;
             end $$;
             grant execute on function public.tell() to authenticated;
             create trigger tell after insert or update or delete on public.shouts for each row execute function public.tell();
             notify pgrst;"
        ))
        .await;
    let mut socket = house.socket().await;
    socket.joined(&board, json!({ "private": true }), &ann.token).await;
    let row = json!({ "id": 1, "body": "hey" });
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    loop {
        let (status, body) = house.post("/rest/v1/shouts", &ann.token, row.clone()).await;
        if status == 201 {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{status} {body}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let told = socket.expect(&board, "broadcast").await;
    let payload = json!({ "id": told["meta"]["id"], "operation": "INSERT", "table": "shouts", "schema": "public", "record": row, "old_record": null });
    assert_eq!((&told["event"], &told["payload"]), (&json!("INSERT"), &payload));
    // It is the writer's right that counts, and his statement that fails.
    let (status, body) = house.post("/rest/v1/shouts", &bob.token, json!({ "id": 2, "body": "hi" })).await;
    assert_eq!((status, &body["code"]), (403, &json!("42501")), "{body}");
    socket.quiet().await;
}

#[tokio::test]
async fn whoever_joins_late_is_told_again() {
    let house = House::with(|settings| settings.realtime.replay_messages_max = 3).await;
    let ann = house.owner("ann").await;
    let board = format!("company:{}:board", ann.company);
    // Somebody who is there before hears them live; whoever comes then has none of them come late.
    let mut early = house.socket().await;
    early.joined(&board, json!({ "private": true }), &ann.token).await;
    for number in 1..=5 {
        house.sql(&format!("select realtime.send('{number}', 'n', '{board}')")).await;
    }
    for number in 1..=5 {
        assert_eq!(early.expect(&board, "broadcast").await["payload"], number);
    }
    house.sql("select realtime.send('9', 'n', 'elsewhere')").await;
    let replay = |limit: u32| json!({ "private": true, "broadcast": { "replay": { "since": 0, "limit": limit } } });
    let mut socket = house.socket().await;
    for (limit, expected) in [(2, vec![4, 5]), (100, vec![3, 4, 5])] {
        socket.joined(&board, replay(limit), &ann.token).await;
        let mut told = vec![];
        for _ in &expected {
            let message = socket.expect(&board, "broadcast").await;
            assert_eq!(message["meta"]["replayed"], true);
            told.push(message["payload"].as_u64().unwrap());
        }
        assert_eq!(told, expected);
        socket.say(&board, "phx_leave", json!({})).await;
        socket.expect(&board, "phx_reply").await;
        socket.expect(&board, "phx_close").await;
    }
    // What it carries is what was told live: the id of its row, unless it has one of its own.
    house.sql(&format!("select realtime.send('{{\"a\": 1}}', 'n', '{board}'), realtime.send('{{\"id\": 7}}', 'n', '{board}')")).await;
    early.expect(&board, "broadcast").await;
    early.expect(&board, "broadcast").await;
    socket.joined(&board, replay(2), &ann.token).await;
    let mut told = [socket.expect(&board, "broadcast").await, socket.expect(&board, "broadcast").await];
    told.sort_by_key(|told| told["payload"]["id"] == 7);
    let id = &told[0]["meta"]["id"];
    assert_eq!((&told[0]["payload"], &told[0]["meta"]), (&json!({ "a": 1, "id": id }), &json!({ "replayed": true, "id": id })));
    assert_eq!(told[1]["payload"], json!({ "id": 7 }));
    socket.quiet().await;
    // Sent while others join: each hears it once, whichever way it comes first.
    for number in 0..5 {
        house.sql(&format!("select realtime.send('[{number}]', 'soon', '{board}')")).await;
        let mut late = house.socket().await;
        late.joined(&board, json!({ "private": true, "broadcast": { "replay": { "limit": 1 } } }), &ann.token).await;
        assert_eq!(socket.expect(&board, "broadcast").await["payload"], json!([number]));
        assert_eq!(late.expect(&board, "broadcast").await["payload"], json!([number]));
        late.quiet().await;
    }
    let ready = json!({ "broadcast": { "replication_ready": true } });
    socket.joined("room", ready, "").await;
    assert_eq!(socket.expect("room", "system").await["message"], "Replication connection established");
    let bob = house.owner("bob").await;
    let wrong = json!({ "private": true, "broadcast": { "replay": { "since": "today" } } });
    let unauthorized = format!("Unauthorized: You do not have permissions to read from this Channel topic: {board}");
    for (topic, config, token, why) in [
        ("room", json!({ "broadcast": { "replay": {} } }), "", "UnableToReplayMessages: Replay is not allowed for public channels"),
        (board.as_str(), wrong, ann.token.as_str(), "UnableToReplayMessages: Replay params are not valid"),
        (board.as_str(), replay(1), bob.token.as_str(), unauthorized.as_str()),
    ] {
        assert_eq!(socket.not_joined(topic, config, token).await, why);
    }
}

#[tokio::test]
async fn how_far_a_task_is_is_told_to_whoever_may_read_it() {
    let house = House::with(|settings| settings.queue.worker = false).await;
    let (ann, bob) = (house.owner("ann").await, house.owner("bob").await);
    let (task, import) = (Uuid::now_v7(), Uuid::now_v7());
    house
        .sql(&format!(
            "insert into app.tasks (company_id, id, kind, attempts_max, payload) values ('{0}', '{task}', 'send_email', 3, '{{}}');
             insert into public.data_imports (company_id, id, table_name, format) values ('{0}', '{import}', 'customers', 'csv');",
            ann.company
        ))
        .await;
    let (channel, other) = (format!("task:{task}"), format!("import:{import}"));
    let mut socket = house.socket().await;
    socket.joined(&channel, json!({ "private": true }), &ann.token).await;
    let mut of_import = house.socket().await;
    of_import.joined(&other, json!({ "private": true }), &ann.token).await;
    for topic in [&channel, &other] {
        let why = house.socket().await.not_joined(topic, json!({ "private": true }), &bob.token).await;
        assert!(why.starts_with("Unauthorized"), "{why}");
        // Nobody tells of it in the server's place.
        let path = format!("/realtime/v1/api/broadcast/{topic}/events/progress?private=true");
        assert_eq!(house.post(&path, &ann.token, json!({})).await.0, 403);
    }
    house
        .sql(&format!(
            "update app.tasks set progress_percent = 40, progress_message = 'reads' where id = '{task}';
             update public.data_imports set rows_read = 7 where id = '{import}';"
        ))
        .await;
    let mut told = socket.expect(&channel, "broadcast").await;
    // That it was put in may be told after the join, too.
    while told["payload"]["progress_percent"] == 0 {
        told = socket.expect(&channel, "broadcast").await;
    }
    let payload: &Value = &told["payload"];
    assert_eq!(
        (&told["event"], &payload["progress_percent"], &payload["progress_message"]),
        (&json!("progress"), &json!(40), &json!("reads"))
    );
    assert!(payload.get("payload").is_none(), "what a task is about is nobody's to hear: {payload}");
    let mut told = of_import.expect(&other, "broadcast").await;
    while told["payload"]["rows_read"] == 0 {
        told = of_import.expect(&other, "broadcast").await;
    }
    assert_eq!(told["payload"]["rows_read"], 7);
}
