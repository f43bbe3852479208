//! Where somebody is signed in: the list, the end of one sign-in, and one sign-in at a time.

use auth::AuthConfig;
use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::server::{PASSWORD, START, Server, claims, token};

#[tokio::test]
async fn somebody_sees_and_ends_his_own_sessions() {
    let server = Server::new().await;
    let first = server.sign_up("ann@example.com").await;
    let stranger = server.sign_up("bob@example.com").await;
    server.wait(60);
    let body = Body::from(json!({ "email": "ann@example.com", "password": PASSWORD }).to_string());
    let request = Request::post("/token?grant_type=password").header("content-type", "application/json").header("user-agent", "Tablet");
    let second = server.send(request.body(body).unwrap()).await.ok();
    server.wait(60);
    let first = server.refresh(&first).await.ok();

    let list = server.call("GET", "/sessions", Some(token(&second)), None).await.ok();
    let told: Vec<Value> =
        list.as_array().unwrap().iter().map(|one| json!([one["id"], one["user_agent"], one["aal"], one["current"]])).collect();
    let (one, two) = (&claims(&first)["session_id"], &claims(&second)["session_id"]);
    assert_eq!(told, [json!([two, "Tablet", "aal1", true]), json!([one, null, "aal1", false])]);
    let moment = |after: i64| jiff::Timestamp::from_second(START + after).unwrap();
    let used: jiff::Timestamp = list[1]["last_used_at"].as_str().unwrap().parse().unwrap();
    let begun: jiff::Timestamp = list[1]["created_at"].as_str().unwrap().parse().unwrap();
    assert_eq!((begun, used), (moment(0), moment(120)));

    // A stranger ends nothing, and what is no session is none.
    let none = "There is no such session of yours";
    for id in [one.as_str().unwrap(), "x", "01900000-0000-7000-8000-000000000001"] {
        let path = format!("/sessions/{id}");
        server.call("DELETE", &path, Some(token(&stranger)), None).await.refused(404, "session_not_found", none);
    }
    assert_eq!(server.call("GET", "/sessions", None, None).await.status, 401);
    let path = format!("/sessions/{}", one.as_str().unwrap());
    assert_eq!(server.call("DELETE", &path, Some(token(&second)), None).await.status, 204);
    assert_eq!(server.user(&first).await.body["code"], "session_not_found", "at the very next request");
    assert_eq!(server.refresh(&first).await.body["code"], "refresh_token_not_found");
    server.call("DELETE", &path, Some(token(&second)), None).await.refused(404, "session_not_found", none);
    assert_eq!(server.call("GET", "/sessions", Some(token(&first)), None).await.status, 403);
    let left = server.call("GET", "/sessions", Some(token(&second)), None).await.ok();
    assert_eq!(left.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn one_sign_in_at_a_time_where_that_is_the_rule() {
    let server = Server::with(AuthConfig { session_single_per_user: true, ..AuthConfig::default() }).await;
    let stranger = server.sign_up("bob@example.com").await;
    let first = server.sign_up("ann@example.com").await;
    let second = server.sign_in("ann@example.com").await;
    assert_eq!(server.user(&first).await.body["code"], "session_not_found");
    assert_eq!(server.refresh(&first).await.body["code"], "refresh_token_not_found");
    assert_eq!((server.user(&second).await.status, server.user(&stranger).await.status), (200, 200));
    let body = || json!({ "email": "ann@example.com", "password": PASSWORD });
    let sign_in = || server.post("/token?grant_type=password", body());
    let (a, b, c) = tokio::join!(sign_in(), sign_in(), sign_in());
    assert_eq!([a.status, b.status, c.status], [200; 3]);
    let live =
        "select count(*) from auth.sessions s join auth.users u on u.id = s.user_id where revoked_at is null and u.email like 'ann%'";
    assert_eq!(server.ask(live).await, "1");
}
