//! Private channels: who is let in, who may send, and how soon whoever may no more is out.

use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::house::{BOTH, House, text};

/// A member who was removed hears nothing after this. A busy machine adds to it, so that the fastest of several is held against it; every
/// one comes in the time that a socket is waited for, long before rights are read anew although nobody told of a change.
const SOON: Duration = Duration::from_secs(1);
const SECRET: &str = "a secret of at least thirty-two bytes";

#[tokio::test]
async fn a_companys_channels_are_its_members() {
    let house = House::new().await;
    let (ann, bob) = (house.owner("ann").await, house.owner("bob").await);
    let tom = house.member(&ann, "tom", "technician").await;
    let board = format!("company:{}:board", ann.company);
    let private = json!({ "private": true, "broadcast": { "ack": true } });
    let mut anns = house.socket().await;
    anns.joined(&board, private.clone(), &ann.token).await;
    let mut toms = house.socket().await;
    toms.joined(&board, private.clone(), &tom.token).await;
    let mut others = house.socket().await;
    let refused = format!("Unauthorized: You do not have permissions to read from this Channel topic: {board}");
    for token in [bob.token.as_str(), ""] {
        assert_eq!(others.not_joined(&board, private.clone(), token).await, refused);
    }
    // Nor as a public one, nor with another writing of the name.
    assert!(others.not_joined(&board, json!({}), &bob.token).await.starts_with("PrivateOnly"));
    assert_eq!(others.not_joined("company:x:board", private.clone(), &ann.token).await.split(':').next(), Some("Unauthorized"));
    assert!(others.not_joined("anything", private.clone(), &ann.token).await.starts_with("Unauthorized"));
    toms.broadcast(&board, "hi", json!({ "by": "tom" })).await;
    assert_eq!(toms.expect(&board, "phx_reply").await["status"], "ok");
    assert_eq!(anns.expect(&board, "broadcast").await["payload"], json!({ "by": "tom" }));
    others.quiet().await;
}

#[tokio::test]
async fn a_channel_about_rows_is_of_those_who_read_them_all() {
    let house = House::new().await;
    let ann = house.owner("ann").await;
    let tom = house.member(&ann, "tom", "technician").await;
    let dispatcher = house.member(&ann, "dan", "dispatcher").await;
    let positions = format!("company:{}:positions", ann.company);
    let private = json!({ "private": true, "broadcast": { "ack": true } });
    let mut dans = house.socket().await;
    dans.joined(&positions, private.clone(), &dispatcher.token).await;
    let mut toms = house.socket().await;
    assert!(toms.not_joined(&positions, private.clone(), &tom.token).await.starts_with("Unauthorized"));
    // He sends his own by a request: who may write them may tell of them.
    let sent = json!({ "messages": [{ "topic": positions, "event": "moved", "payload": { "lat": 1 }, "private": true }] });
    let (status, body) = house.post("/realtime/v1/api/broadcast", &tom.token, sent.clone()).await;
    assert_eq!(status, 202, "{body}");
    assert_eq!(dans.expect(&positions, "broadcast").await["payload"]["lat"], 1);
    let viewer = house.member(&ann, "vic", "viewer").await;
    let (status, body) = house.post("/realtime/v1/api/broadcast", &viewer.token, sent).await;
    assert_eq!((status, &body["code"]), (403, &json!("realtime_write_refused")));
    dans.quiet().await;
}

#[tokio::test]
async fn policies_of_a_product_decide_reading_and_writing_apart() {
    let house = House::new().await;
    house
        .sql(
            "create policy rooms_hear on realtime.messages for select to authenticated, anon
               using (realtime.topic() like 'room:%' and extension = 'broadcast');
             create policy rooms_tell on realtime.messages for insert to authenticated
               with check (realtime.topic() = 'room:open' and extension = 'broadcast' and auth.jwt() ->> 'role' = 'authenticated');",
        )
        .await;
    let ann = house.owner("ann").await;
    let private = json!({ "private": true, "broadcast": { "ack": true }, "presence": { "enabled": true } });
    let (mut anns, mut strangers) = (house.socket().await, house.socket().await);
    for topic in ["room:open", "room:quiet"] {
        anns.joined(topic, private.clone(), &ann.token).await;
        strangers.joined(topic, private.clone(), "").await;
    }
    anns.broadcast("room:open", "hi", json!(1)).await;
    assert_eq!(anns.expect("room:open", "phx_reply").await["status"], "ok");
    assert_eq!(strangers.expect("room:open", "broadcast").await["payload"], 1);
    // Who may not write is not answered, and nobody hears it.
    anns.broadcast("room:quiet", "hi", json!(2)).await;
    strangers.broadcast("room:open", "hi", json!(3)).await;
    anns.quiet().await;
    strangers.quiet().await;
    // Presence has a policy of its own, and there is none.
    let track = json!({ "type": "presence", "event": "track", "payload": {} });
    anns.say("room:open", "presence", track).await;
    assert_eq!(anns.expect("room:open", "phx_reply").await["status"], "error");
    // A policy that breaks lets nobody in, and the socket lives on.
    house
        .sql("create policy broken on realtime.messages for select to authenticated using (realtime.topic() <> 'broken' or 1 / 0 = 1)")
        .await;
    let why = anns.not_joined("broken", private, &ann.token).await;
    assert!(!why.contains("zero"), "{why}");
}

#[tokio::test]
async fn whoever_is_no_member_any_more_is_out_within_a_second() {
    for mode in BOTH {
        Box::pin(out_when_no_member(House::fed_by(mode).await)).await;
    }
}

async fn out_when_no_member(house: House) {
    let ann = house.owner("ann").await;
    let board = format!("company:{}:board", ann.company);
    let private = json!({ "private": true });
    let changes: [(&str, &str); 6] = [
        ("removed", "update public.team_members set status = 'suspended' where user_id = '{id}'"),
        ("archived", "update public.team_members set archived_at = now() where user_id = '{id}'"),
        ("deleted", "delete from public.team_members where user_id = '{id}'"),
        ("revoked", "update auth.sessions set revoked_at = now() where user_id = '{id}'"),
        ("banned", "update auth.users set banned_until = now() + interval '1 day' where id = '{id}'"),
        ("gone", "update auth.users set deleted_at = now() where id = '{id}'"),
    ];
    let mut anns = house.socket().await;
    anns.joined(&board, private.clone(), &ann.token).await;
    let mut took = Vec::new();
    for (name, change) in changes {
        let person = house.member(&ann, name, "dispatcher").await;
        let mut socket = house.socket().await;
        socket.joined(&board, private.clone(), &person.token).await;
        socket.joined("open", json!({}), &person.token).await;
        house.sql(&change.replace("{id}", &person.id)).await;
        let begun = Instant::now();
        let mut closed = vec![];
        while closed.len() < 2 {
            let frame = socket.next().await;
            match frame[3].as_str() {
                Some("system") => assert!(text(&frame[4]["message"]).starts_with("Unauthorized"), "{name}: {frame}"),
                Some("phx_close") => closed.push(text(&frame[2])),
                _ => panic!("{name}: {frame}"),
            }
        }
        took.push(begun.elapsed());
        anns.broadcast(&board, "after", json!({})).await;
        socket.quiet().await;
        assert!(socket.not_joined(&board, private.clone(), &person.token).await.starts_with("Unauthorized"), "{name}");
    }
    anns.quiet().await;
    assert!(took.iter().any(|took| *took < SOON), "{took:?}");
}

#[tokio::test]
async fn a_permission_that_is_taken_ends_the_channel_and_one_that_stays_does_not() {
    for mode in BOTH {
        Box::pin(out_without_permission(House::fed_by(mode).await)).await;
    }
}

async fn out_without_permission(house: House) {
    let ann = house.owner("ann").await;
    let dan = house.member(&ann, "dan", "dispatcher").await;
    let (board, positions) = (format!("company:{}:board", ann.company), format!("company:{}:positions", ann.company));
    let mut socket = house.socket().await;
    socket.joined(&board, json!({ "private": true }), &dan.token).await;
    socket.joined(&positions, json!({ "private": true }), &dan.token).await;
    house.sql(&format!("update public.team_members set role = 'technician' where user_id = '{}'", dan.id)).await;
    let why = socket.closed(&positions).await;
    assert!(why.ends_with(&positions), "{why}");
    let (status, _) = house.post(&format!("/realtime/v1/api/broadcast/{board}/events/still?private=true"), &ann.token, json!(1)).await;
    assert_eq!(status, 202);
    assert_eq!(socket.expect(&board, "broadcast").await["event"], "still");
}

/// Who hears no broadcast any more sees nobody present either, and is seen by nobody.
#[tokio::test]
async fn a_role_that_is_taken_takes_broadcasts_presence_and_sending() {
    let house = House::new().await;
    let ann = house.owner("ann").await;
    let dan = house.member(&ann, "dan", "dispatcher").await;
    let [positions, vendors] = ["positions", "vendors"].map(|noun| format!("company:{}:{noun}", ann.company));
    let config = |key: &str| json!({ "private": true, "broadcast": { "ack": true }, "presence": { "key": key, "enabled": true } });
    let (mut anns, mut dans) = (house.socket().await, house.socket().await);
    for topic in [&positions, &vendors] {
        anns.joined(topic, config("ann"), &ann.token).await;
        anns.expect(topic, "presence_state").await;
        dans.joined(topic, config("dan"), &dan.token).await;
        dans.expect(topic, "presence_state").await;
        let track = json!({ "type": "presence", "event": "track", "payload": {} });
        dans.say(topic, "presence", track).await;
        assert_eq!(dans.expect(topic, "presence_diff").await["joins"].as_object().unwrap().len(), 1);
        assert_eq!(dans.expect(topic, "phx_reply").await["status"], "ok");
        assert!(anns.expect(topic, "presence_diff").await["joins"].get("dan").is_some());
    }
    dans.broadcast(&vendors, "mine", json!({})).await;
    assert_eq!(dans.expect(&vendors, "phx_reply").await["status"], "ok");
    assert_eq!(anns.expect(&vendors, "broadcast").await["event"], "mine");
    // Of positions he reads nothing from now on, of vendors all, and he writes neither.
    house.sql(&format!("update public.team_members set role = 'viewer' where user_id = '{}'", dan.id)).await;
    assert!(dans.closed(&positions).await.ends_with(&positions));
    assert!(anns.expect(&positions, "presence_diff").await["leaves"].get("dan").is_some());
    dans.broadcast(&vendors, "not his", json!({})).await;
    dans.broadcast(&positions, "not his", json!({})).await;
    assert_eq!(dans.expect(&positions, "phx_reply").await["status"], "error");
    anns.broadcast(&positions, "hers", json!({})).await;
    assert_eq!(anns.expect(&positions, "phx_reply").await["status"], "ok");
    anns.say(&positions, "presence", json!({ "type": "presence", "event": "track", "payload": {} })).await;
    anns.expect(&positions, "presence_diff").await;
    assert_eq!(anns.expect(&positions, "phx_reply").await["status"], "ok");
    anns.broadcast(&vendors, "hers", json!({})).await;
    assert_eq!(anns.expect(&vendors, "phx_reply").await["status"], "ok");
    assert_eq!(dans.expect(&vendors, "broadcast").await["event"], "hers");
    dans.quiet().await;
    anns.quiet().await;
}

/// A key holds no more than its maker, also while it is connected.
#[tokio::test]
async fn a_key_loses_its_channels_with_what_its_maker_loses() {
    let mut took = Vec::new();
    for mode in BOTH {
        took.push(Box::pin(out_with_the_maker(House::fed_by(mode).await)).await);
    }
    assert!(took.iter().any(|took| *took < 2 * SOON), "{took:?}");
}

/// Returns how long it took until all was lost.
async fn out_with_the_maker(house: House) -> Duration {
    let ann = house.owner("ann").await;
    let max = house.member(&ann, "max", "admin").await;
    let asked = json!({ "name": "Board", "permissions": ["positions:read", "vendors:read"] });
    let (status, key) = house.post("/auth/v1/api-keys", &max.token, asked).await;
    assert_eq!(status, 201, "{key}");
    let key = text(&key["key"]);
    let [positions, vendors] = ["positions", "vendors"].map(|noun| format!("company:{}:{noun}", ann.company));
    let mut socket = house.socket().await;
    socket.joined(&positions, json!({ "private": true }), &key).await;
    socket.joined(&vendors, json!({ "private": true }), &key).await;
    socket.joined("open", json!({}), &key).await;
    let begun = Instant::now();
    house.sql(&format!("update public.team_members set role = 'viewer' where user_id = '{}'", max.id)).await;
    assert!(socket.closed(&positions).await.ends_with(&positions));
    house.sql(&format!("update public.team_members set status = 'suspended' where user_id = '{}'", max.id)).await;
    let mut closed = vec![];
    while closed.len() < 2 {
        let frame = socket.next().await;
        match frame[3].as_str() {
            Some("system") => assert!(text(&frame[4]["message"]).starts_with("Unauthorized"), "{frame}"),
            Some("phx_close") => closed.push(text(&frame[2])),
            _ => panic!("{frame}"),
        }
    }
    begun.elapsed()
}

/// Of customers there are many: what is written of them reaches the sockets of those who may not come in any more.
#[tokio::test]
async fn a_customer_who_may_not_come_in_any_more_is_out() {
    let house = House::new().await;
    let ann = house.owner("ann").await;
    let policy = "create policy guests_hear on realtime.messages for select to guest using (realtime.topic() = 'news')";
    house.sql(policy).await;
    let mut took = Vec::new();
    for set in ["portal_enabled = false", "status = 'blocked'", "archived_at = now()", "deleted_at = now()"] {
        let (customer, session) = (uuid::Uuid::now_v7(), uuid::Uuid::now_v7());
        let company: uuid::Uuid = ann.company.parse().unwrap();
        let token = format!("thp_{}", URL_SAFE_NO_PAD.encode([session.as_bytes().as_slice(), company.as_bytes(), &[7; 32]].concat()));
        house
            .sql(&format!(
                "insert into public.customers (company_id, id, first_name, phone, portal_enabled) values ('{company}', '{customer}', 'Cleo', '+15550100', true);
                 insert into auth.portal_sessions (company_id, id, customer_id, token_hash, opened_at, expires_at)
                 values ('{company}', '{session}', '{customer}', encode(sha256('{token}'), 'hex'), now(), now() + interval '1 hour')"
            ))
            .await;
        let mut socket = house.socket().await;
        socket.joined("news", json!({ "private": true }), &token).await;
        socket.joined("open", json!({}), &token).await;
        // What does not concern that is nothing to ask anew for.
        house.sql(&format!("update public.customers set first_name = 'Clea' where id = '{customer}'")).await;
        socket.quiet().await;
        house.sql(&format!("update public.customers set {set} where id = '{customer}'")).await;
        let begun = Instant::now();
        let mut closed = vec![];
        while closed.len() < 2 {
            let frame = socket.next().await;
            match frame[3].as_str() {
                Some("system") => assert!(text(&frame[4]["message"]).starts_with("Unauthorized"), "{set}: {frame}"),
                Some("phx_close") => closed.push(text(&frame[2])),
                _ => panic!("{set}: {frame}"),
            }
        }
        took.push(begun.elapsed());
    }
    assert!(took.iter().any(|took| *took < SOON), "{took:?}");
}

#[tokio::test]
async fn it_is_seen_by_a_query_where_the_change_feed_is_closed() {
    let house = House::with(|settings| settings.change_feed.mode = postgres::feed::FeedMode::Off).await;
    let ann = house.owner("ann").await;
    let dan = house.member(&ann, "dan", "dispatcher").await;
    let board = format!("company:{}:board", ann.company);
    let mut socket = house.socket().await;
    socket.joined(&board, json!({ "private": true }), &dan.token).await;
    // A role that is taken, too, and whoever was present there is so no more.
    let positions = format!("company:{}:positions", ann.company);
    let config = |key: &str| json!({ "private": true, "presence": { "key": key, "enabled": true } });
    let mut anns = house.socket().await;
    anns.joined(&positions, config("ann"), &ann.token).await;
    anns.expect(&positions, "presence_state").await;
    socket.joined(&positions, config("dan"), &dan.token).await;
    socket.expect(&positions, "presence_state").await;
    socket.say(&positions, "presence", json!({ "type": "presence", "event": "track", "payload": {} })).await;
    socket.expect(&positions, "presence_diff").await;
    socket.expect(&positions, "phx_reply").await;
    assert!(anns.expect(&positions, "presence_diff").await["joins"].get("dan").is_some());
    house.sql(&format!("update public.team_members set role = 'technician' where user_id = '{}'", dan.id)).await;
    assert!(socket.closed(&positions).await.ends_with(&positions));
    assert!(anns.expect(&positions, "presence_diff").await["leaves"].get("dan").is_some());
    anns.broadcast(&positions, "after", json!({})).await;
    socket.quiet().await;
    house.sql(&format!("update public.team_members set status = 'suspended' where user_id = '{}'", dan.id)).await;
    assert!(socket.closed(&board).await.starts_with("Unauthorized"));
}

#[tokio::test]
async fn another_token_is_taken_and_a_bad_one_ends_the_channel() {
    let house = House::new().await;
    let (mut ann, bob) = (house.owner("ann").await, house.owner("bob").await);
    let board = format!("company:{}:board", ann.company);
    let mut socket = house.socket().await;
    socket.joined(&board, json!({ "private": true }), &ann.token).await;
    house.sign_in(&mut ann).await;
    for token in [json!(ann.token), json!(ann.token), json!(null), json!("sb_publishable_x")] {
        socket.say(&board, "access_token", json!({ "access_token": token })).await;
    }
    socket.quiet().await;
    // Of somebody who may not be here.
    socket.say(&board, "access_token", json!({ "access_token": bob.token })).await;
    assert!(socket.closed(&board).await.starts_with("Unauthorized"));
    socket.joined(&board, json!({ "private": true }), &ann.token).await;
    socket.say(&board, "access_token", json!({ "access_token": "no.good.token" })).await;
    assert_eq!(socket.closed(&board).await, "The token provided is not a valid JWT");
}

#[tokio::test]
async fn a_token_that_ends_ends_its_channels() {
    let house = House::with(|settings| settings.auth.jwt_secret = Some(kernel::Secret::new(SECRET.to_owned()))).await;
    let ann = house.owner("ann").await;
    let board = format!("company:{}:board", ann.company);
    let mut socket = house.socket_of(&ann.company).await;
    // Enough to be let in on a busy machine.
    let ends = jiff::Timestamp::now().as_second() + 8;
    let token = signed(&json!({ "sub": ann.id, "role": "authenticated", "aud": "authenticated", "exp": ends }));
    socket.joined(&board, json!({ "private": true }), &token).await;
    assert!(socket.closed(&board).await.starts_with("Token has expired"));
    let why = socket.not_joined(&board, json!({ "private": true }), &token).await;
    assert!(why.starts_with("InvalidJWTToken: Token has expired ") && why.ends_with(" seconds ago"), "{why}");
    // Every other reason has words of its own.
    let later = ends + 600;
    let claims = json!({ "sub": ann.id, "role": "authenticated", "aud": "authenticated", "exp": later });
    let forged = format!("{}.{}", signed(&claims).rsplit_once('.').unwrap().0, URL_SAFE_NO_PAD.encode([7_u8; 32]));
    let required = "InvalidJWTToken: Fields `role` and `exp` are required in JWT";
    for (token, why) in [
        (forged, "JwtSignatureError: Failed to validate JWT signature"),
        ("none".to_owned(), "MalformedJWT: The token provided is not a valid JWT"),
        (signed(&json!({ "sub": ann.id, "aud": "authenticated", "exp": later })), required),
        (signed(&json!({ "sub": ann.id, "role": "authenticated", "aud": "authenticated" })), required),
    ] {
        assert_eq!(socket.not_joined(&board, json!({ "private": true }), &token).await, why);
    }
    // A client's token for its user counts before the one beside it.
    let payload = json!({ "config": { "private": "True" }, "user_token": signed(&claims), "access_token": "none" });
    let reference = socket.say(&board, "phx_join", payload).await;
    let answer = socket.next().await;
    assert_eq!((&answer[1], &answer[4]["status"]), (&json!(reference), &json!("ok")), "{answer}");
}

/// Signs as another program that shares the secret.
fn signed(claims: &Value) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let said = format!("{}.{}", part(r#"{"alg":"HS256","typ":"JWT"}"#), part(&claims.to_string()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), said.as_bytes());
    format!("{said}.{}", URL_SAFE_NO_PAD.encode(tag))
}
