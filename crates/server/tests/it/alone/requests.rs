//! Requests and answers: who asks decides in which role, and the database's own rules decide the rest.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::program::{Alone, Plain, token};

#[tokio::test]
async fn whoever_has_no_token_reads_as_the_role_for_those() {
    let plain = Plain::new().await;
    let server = plain.serve(&[]);
    let answer = server.get("/posts?select=title&order=id").await;
    assert_eq!(answer.ok(), json!([{ "title": "open" }]));
    assert_eq!((answer.header("content-range"), answer.header("server")), ("0-0/*", "thorbis/0.1.0"));
    let refused = Alone::send(server.request(Method::POST, "/posts").json(&json!({ "title": "mine" }))).await;
    assert_eq!(refused.refused(), (401, "42501".to_owned()));
    assert_eq!((refused.header("www-authenticate"), refused.header("proxy-status")), ("Bearer", "PostgREST; error=42501"));
    assert_eq!(server.get("/nothing").await.refused(), (404, "PGRST205".to_owned()));
    assert_eq!(server.get("/rest/v1/posts").await.refused(), (404, "PGRST125".to_owned()), "it serves at the root");
    assert_eq!(server.get("/auth/v1/health").await.status, 404, "and nothing else");
    server.stop();
}

#[tokio::test]
async fn a_token_names_the_role_and_the_policies_hold() {
    let plain = Plain::new().await;
    let server = plain.serve(&[]);
    let (ann, bob) = (plain.author("ann"), plain.author("bob"));
    assert_eq!(server.get_as(&ann, "/posts?select=title&order=id").await.ok(), json!([{ "title": "open" }, { "title": "hidden" }]));
    assert_eq!(server.get_as(&bob, "/posts?select=title").await.ok(), json!([{ "title": "other" }]));
    let write = server.request(Method::POST, "/posts?select=title,author").bearer_auth(&bob).header("prefer", "return=representation");
    let written = Alone::send(write.json(&json!({ "title": "new" }))).await;
    assert_eq!((written.status, written.json()), (201, json!([{ "title": "new", "author": "bob" }])));
    let theirs = server.request(Method::PATCH, "/posts?title=eq.hidden").bearer_auth(&bob).header("prefer", "return=representation");
    assert_eq!(Alone::send(theirs.json(&json!({ "title": "taken" }))).await.ok(), json!([]));
    let gone = Alone::send(server.request(Method::DELETE, "/posts?author=eq.ann").bearer_auth(&ann)).await;
    assert_eq!(gone.status, 204);
    let rows = plain.client().await.query("select title from api.posts order by id", &[]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>(), ["other", "new"]);
    server.stop();
}

#[tokio::test]
async fn a_role_that_is_not_there_or_not_the_logins_is_refused() {
    let plain = Plain::new().await;
    let server = plain.serve(&[]);
    let missing = server.get_as(&token(&json!({ "role": "nobody_at_all" })), "/posts").await;
    assert_eq!(missing.refused(), (401, "22023".to_owned()));
    assert_eq!(missing.json()["message"], "role \"nobody_at_all\" does not exist");
    let stranger = server.get_as(&token(&json!({ "role": plain.role("stranger") })), "/posts").await;
    assert_eq!(stranger.refused(), (403, "42501".to_owned()));
    assert_eq!(server.get("/posts?select=title").await.ok(), json!([{ "title": "open" }]), "and nobody else notices");
    server.stop();
}

#[tokio::test]
async fn a_token_that_does_not_hold_is_refused_in_the_dialects_words() {
    let plain = Plain::new().await;
    let server = plain.serve(&[("PGRST_JWT_AUD", "us".to_owned())]);
    let expired = server.get_as(&token(&json!({ "role": plain.role("author"), "exp": 1 })), "/posts").await;
    assert_eq!(expired.status, 401);
    assert_eq!(expired.text, r#"{"code":"PGRST303","details":null,"hint":null,"message":"JWT expired"}"#);
    assert_eq!(expired.header("www-authenticate"), r#"Bearer error="invalid_token", error_description="JWT expired""#);
    assert_eq!(expired.header("proxy-status"), "PostgREST; error=PGRST303");
    let other = server.get_as(&token(&json!({ "role": plain.role("author"), "aud": "them" })), "/posts").await;
    assert_eq!((other.refused(), &other.json()["message"]), ((401, "PGRST303".to_owned()), &json!("JWT not in audience")));
    let nonsense = server.get_as("a.b", "/posts").await;
    assert_eq!((nonsense.refused(), &nonsense.json()["message"]), ((401, "PGRST301".to_owned()), &json!("Expected 3 parts in JWT; got 2")));
    server.stop();

    let closed = plain.serve(&[("PGRST_DB_ANON_ROLE", String::new())]);
    let refused = closed.get("/posts").await;
    assert_eq!(refused.text, r#"{"code":"PGRST302","details":null,"hint":null,"message":"Anonymous access is disabled"}"#);
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, "Bearer"));
    closed.stop();

    let without = plain.serve(&[("PGRST_JWT_SECRET", String::new())]);
    let refused = without.get_as(&plain.author("ann"), "/posts").await;
    assert_eq!(refused.text, r#"{"code":"PGRST300","details":null,"hint":null,"message":"Server lacks JWT secret"}"#);
    assert_eq!(refused.status, 500);
    assert_eq!(without.get("/posts?select=title").await.ok(), json!([{ "title": "open" }]));
    without.stop();
}

async fn setting(server: &Alone, token: &str, name: &str) -> String {
    let request = server.request(Method::GET, &format!("/rpc/setting?name={name}")).bearer_auth(token);
    let request = request.header("cookie", "a=1; b=2").header("X-Own", "yes");
    Alone::send(request).await.ok().as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn sql_sees_the_request_as_the_dialect_shows_it() {
    let plain = Plain::new().await;
    plain.run(&format!("alter role {} set statement_timeout = '7s'", plain.role("author"))).await;
    plain.run(&format!("alter role {} set default_transaction_isolation = 'repeatable read'", plain.role("author"))).await;
    let server =
        plain.serve(&[("PGRST_APP_SETTINGS_MY_KEY", "it's".to_owned()), ("PGRST_DB_EXTRA_SEARCH_PATH", "public, extensions".to_owned())]);
    let ann = plain.author("ann");
    let json = |text: String| serde_json::from_str::<Value>(&text).unwrap();
    assert_eq!(setting(&server, &ann, "role").await, plain.role("author"));
    assert_eq!(setting(&server, &ann, "search_path").await, r#""api", "public", "extensions""#);
    assert_eq!(json(setting(&server, &ann, "request.jwt.claims").await), json!({ "role": plain.role("author"), "sub": "ann" }));
    assert_eq!(setting(&server, &ann, "request.method").await, "GET");
    assert_eq!(setting(&server, &ann, "request.path").await, "/rpc/setting");
    assert_eq!(json(setting(&server, &ann, "request.headers").await)["x-own"], "yes");
    assert_eq!(json(setting(&server, &ann, "request.headers").await)["authorization"], format!("Bearer {ann}"));
    assert_eq!(json(setting(&server, &ann, "request.cookies").await), json!({ "a": "1", "b": "2" }));
    assert_eq!(setting(&server, &ann, "app.settings.my_key").await, "it's");
    assert_eq!(setting(&server, &ann, "statement_timeout").await, "7s");
    assert_eq!(setting(&server, &ann, "transaction_isolation").await, "repeatable read");
    let nobody = server.get("/rpc/setting?name=statement_timeout").await.ok();
    assert_eq!(nobody, json!("5min"), "what was one caller's is over with his transaction");
    let claims = server.get("/rpc/setting?name=request.jwt.claims").await.ok();
    assert_eq!(json(claims.as_str().unwrap().to_owned()), json!({ "role": plain.role("anon") }));
    server.stop();
}

#[tokio::test]
async fn a_functions_own_settings_hold_for_its_transaction() {
    let plain = Plain::new().await;
    let body = "language sql as 'select array[current_setting($$transaction_isolation$$), current_setting($$work_mem$$)]'";
    plain.run(&format!("create function api.kept() returns text[] stable set default_transaction_isolation = 'serializable' {body}")).await;
    let server = plain.serve(&[]);
    assert_eq!(server.get("/rpc/kept").await.ok()[0], "serializable");
    assert_eq!(server.get("/rpc/setting?name=transaction_isolation").await.ok(), json!("read committed"));
    server.stop();
}

#[tokio::test]
async fn a_function_looks_at_every_request_and_the_end_can_be_chosen() {
    let plain = Plain::new().await;
    let body = "begin if current_setting('request.jwt.claims')::json ->> 'sub' = 'eve' then raise sqlstate 'PT403' using message = 'not you'; end if; end";
    plain.run(&format!("create function public.check_caller() returns void language plpgsql as $$ {body} $$")).await;
    let more = [("PGRST_DB_PRE_REQUEST", "public.check_caller".to_owned()), ("PGRST_DB_TX_END", "rollback-allow-override".to_owned())];
    let server = plain.serve(&more);
    let refused = server.get_as(&plain.author("eve"), "/posts").await;
    assert_eq!((refused.status, &refused.json()["message"]), (403, &json!("not you")));
    let write = |prefer: &'static str| {
        let request = server.request(Method::POST, "/posts").bearer_auth(plain.author("ann")).header("prefer", prefer);
        Alone::send(request.json(&json!({ "title": "tried" })))
    };
    assert_eq!(write("return=minimal").await.status, 201);
    let count = "select count(*) from api.posts where title = 'tried'";
    let client = plain.client().await;
    assert_eq!(client.query_one(count, &[]).await.unwrap().get::<_, i64>(0), 0, "undone");
    let kept = write("tx=commit").await;
    assert_eq!((kept.status, kept.header("preference-applied")), (201, "tx=commit"));
    assert_eq!(client.query_one(count, &[]).await.unwrap().get::<_, i64>(0), 1);
    server.stop();
}

#[tokio::test]
async fn aggregates_are_allowed_where_they_are_configured() {
    let plain = Plain::new().await;
    let server = plain.serve(&[]);
    assert_eq!(server.get("/posts?select=id.count()").await.refused(), (400, "PGRST123".to_owned()));
    server.stop();
    let server = plain.serve(&[("PGRST_DB_AGGREGATES_ENABLED", "true".to_owned())]);
    assert_eq!(server.get("/posts?select=id.count()").await.ok(), json!([{ "count": 1 }]));
    server.stop();
}

#[tokio::test]
async fn the_profile_chooses_among_the_schemas() {
    let plain = Plain::new().await;
    plain.run(&format!("create view other.things as select 1 as one; grant select on other.things to {}", plain.role("anon"))).await;
    let server = plain.serve(&[("PGRST_DB_SCHEMAS", "api, other".to_owned()), ("PGRST_DB_MAX_ROWS", "1".to_owned())]);
    let answer = Alone::send(server.request(Method::GET, "/things").header("accept-profile", "other")).await;
    assert_eq!((answer.ok(), answer.header("content-profile")), (json!([{ "one": 1 }]), "other"));
    assert_eq!(server.get("/things").await.refused(), (404, "PGRST205".to_owned()));
    let refused = Alone::send(server.request(Method::GET, "/things").header("accept-profile", "public")).await;
    assert_eq!(refused.refused(), (406, "PGRST106".to_owned()));
    assert_eq!(server.get_as(&plain.author("ann"), "/posts").await.ok().as_array().unwrap().len(), 1, "as many as db-max-rows says");
    server.stop();
}

#[tokio::test]
async fn nothing_is_left_in_the_database() {
    let plain = Plain::new().await;
    let count = "select (select count(*) from pg_namespace) + (select count(*) from pg_class) + (select count(*) from pg_proc)";
    let client = plain.client().await;
    let before: i64 = client.query_one(count, &[]).await.unwrap().get(0);
    let server = plain.serve(&[]);
    server.get("/posts").await.ok();
    server.stop();
    assert_eq!(client.query_one(count, &[]).await.unwrap().get::<_, i64>(0), before);
}

#[tokio::test]
async fn the_root_and_plans_are_told_where_they_are_configured() {
    let plain = Plain::new().await;
    let server = plain.serve(&[("PGRST_OPENAPI_SERVER_PROXY_URI", "https://api.example.com/v2".to_owned())]);
    let document = server.get("/").await.ok();
    assert_eq!(
        (&document["swagger"], &document["host"], &document["basePath"]),
        (&json!("2.0"), &json!("api.example.com:443"), &json!("/v2"))
    );
    assert!(document["paths"]["/posts"]["get"].is_object() && document["definitions"]["posts"].is_object(), "{document}");
    let explained = |server: &Alone| server.request(Method::GET, "/posts").header("accept", "application/vnd.pgrst.plan+json");
    assert_eq!(Alone::send(explained(&server)).await.refused(), (406, "PGRST107".to_owned()));
    server.stop();
    let told = [("PGRST_OPENAPI_MODE", "disabled".to_owned()), ("PGRST_DB_PLAN_ENABLED", "true".to_owned())];
    let server = plain.serve(&told);
    assert_eq!(server.get("/").await.refused(), (404, "PGRST126".to_owned()));
    assert!(Alone::send(explained(&server)).await.ok()[0]["Plan"]["Total Cost"].is_number());
    server.stop();
}

#[tokio::test]
async fn a_large_result_comes_row_by_row_and_never_looks_whole_when_it_is_not() {
    let plain = Plain::new().await;
    let anon = plain.role("anon");
    plain
        .run(&format!(
            "create table api.large as select n as id, repeat(md5(n::text), 30) as body from generate_series(1, 40000) n;
             grant select on api.large to {anon}"
        ))
        .await;
    let server = plain.serve(&[]);
    let small = server.get("/large?select=id&limit=2&order=id").await;
    assert_eq!((small.header("content-length"), small.text.as_str()), ("22", "[{\"id\":1}, \n {\"id\":2}]"));
    let large = server.get("/large?order=id").await;
    assert_eq!((large.status, large.header("content-length"), large.header("content-range")), (200, "", "0-39999/*"));
    let rows = large.ok();
    assert_eq!((rows.as_array().unwrap().len(), &rows[39_999]["id"]), (40_000, &json!(40_000)));

    // Statements that are sent to nobody who takes them, and any of them.
    let running = "from pg_stat_activity where query like '%union all%' and datname = current_database() and pid <> pg_backend_pid()";
    let client = plain.client().await;
    let until = async |condition: &str, wanted: i64| {
        let query = format!("select count(*) {running} and {condition}");
        let reached = async {
            while client.query_one(&query, &[]).await.unwrap().get::<_, i64>(0) != wanted {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), reached).await.unwrap();
    };
    let mut held = server.request(Method::GET, "/large").send().await.unwrap();
    assert!(held.chunk().await.unwrap().is_some());
    until("wait_event = 'ClientWrite'", 1).await;
    client.execute(&format!("select pg_terminate_backend(pid) {running} and state = 'active'"), &[]).await.unwrap();
    held.text().await.unwrap_err();
    server.until_log("a large result broke off").await;

    let mut left = server.request(Method::GET, "/large").header("accept", "text/csv").send().await.unwrap();
    assert!(left.chunk().await.unwrap().is_some());
    until("state = 'active'", 1).await;
    drop(left);
    until("state <> 'idle'", 0).await;
    server.stop();
}
