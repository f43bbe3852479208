//! Values go in and come out as they were meant, whatever their type; nothing that is written becomes part of a statement.

use std::time::{Duration, Instant};

use data_api::DataApiConfig;
use serde_json::{Value, json};

use crate::server::{Caller, Said, Server};

const KINDS: &str = r#"
create type public.mood as enum ('sad', 'happy');
create type public.spot as (x integer, label text);
create domain public.percent as integer check (value between 0 and 100);
create table public.kinds (
  company_id uuid not null default app.company_id(), id integer not null, small smallint, big bigint, exact numeric, short numeric(6,2),
  wide double precision, yes boolean, day date, clock time, gap interval, code uuid, bytes bytea, place inet, tags text[], grid integer[],
  span int4range, raw json, tree jsonb, feeling public.mood, spot public.spot, share public.percent, few varchar(3), letter char(2),
  "odd ""name, (here)" text, "order" integer, twice integer generated always as (id * 2) stored, primary key (company_id, id));
select app.protect('public.kinds', 'customers');"#;

async fn kinds() -> (Server, Caller) {
    let server = Server::new().await;
    let owner = server.owner("ann").await;
    server.table(KINDS).await;
    (server, owner)
}

/// Each column with a value as JSON writes it, and as a filter names it.
const VALUES: &[(&str, &str, &str)] = &[
    ("small", "-32768", "-32768"),
    ("big", "9007199254740993", "9007199254740993"),
    ("exact", "12345678901234567890.000000000001", "12345678901234567890.000000000001"),
    ("short", "1.50", "1.5"),
    ("wide", "0.1", "0.1"),
    ("yes", "false", "f"),
    ("day", r#""2028-02-29""#, "2028-02-29"),
    ("clock", r#""23:59:59.5""#, "23:59:59.5"),
    ("gap", r#""1 day 02:00:00""#, "26 hours"),
    ("code", r#""00000000-0000-7000-8000-00000000000a""#, "00000000-0000-7000-8000-00000000000A"),
    ("bytes", r#""\\x00ff""#, r"\x00FF"),
    ("place", r#""10.0.0.0/8""#, "10.0.0.0/8"),
    ("tags", r#"["a,b","c \"d\"",null]"#, r#"{"a,b","c \"d\"",NULL}"#),
    ("grid", "[[1,2],[3,4]]", "{{1,2},{3,4}}"),
    ("span", r#""[1,5)""#, "[1,4]"),
    ("tree", r#"{"a": [1, null], "b": "ü"}"#, r#"{"b":"ü","a":[1,null]}"#),
    ("feeling", r#""happy""#, "happy"),
    ("share", "100", "100"),
    ("few", r#""äöü""#, "äöü"),
    ("letter", r#""a ""#, "a"),
];

#[tokio::test]
async fn every_type_comes_back_as_it_was_written_and_is_found_by_it() {
    let (server, owner) = Box::pin(kinds()).await;
    for (id, (column, value, filter)) in VALUES.iter().enumerate() {
        let row = format!(r#"{{"id":{id},"{column}":{value}}}"#);
        let written = server.call(&owner, ("POST", "kinds"), Some(row), Said::default()).await;
        assert_eq!(written.status, 201, "{column}: {}", written.text);
        let read = server.get(&owner, &format!("kinds?select={column}&id=eq.{id}")).await;
        assert_eq!(read.text, format!(r#"[{{"{column}":{value}}}]"#));
        for condition in [format!("{column}=eq.{filter}"), format!("{column}=not.is.null"), format!("{column}=not.isdistinct.{filter}")] {
            let found = server.get(&owner, &format!("kinds?select=id&{condition}")).await;
            assert_eq!(found.text, format!(r#"[{{"id":{id}}}]"#), "{condition}");
        }
    }
}

#[tokio::test]
async fn a_row_in_a_column_is_reached_into() {
    let (server, owner) = Box::pin(kinds()).await;
    let row = json!({ "id": 1, "spot": { "x": 1, "label": "here, now" } });
    let written = server.post(&owner, "kinds?select=spot", row, "return=representation").await;
    assert_eq!((written.status, &written.body), (201, &json!([{ "spot": { "x": 1, "label": "here, now" } }])));
    let found = server.get(&owner, "kinds?select=spot->>label,place:spot->x&spot->>label=eq.here, now&order=spot->x").await;
    assert_eq!(found.ok(), json!([{ "label": "here, now", "place": 1 }]));
}

#[tokio::test]
async fn json_keeps_its_spelling_and_null_is_told_from_nothing() {
    let (server, owner) = Box::pin(kinds()).await;
    let body = r#"[{"id":1,"raw":{"b":1.0,  "a":1e2, "a":2},"tree":{"b":1.0,"a":2},"few":null},{"id":2,"raw":null,"tree":null,"few":"x"}]"#;
    let written = server.call(&owner, ("POST", "kinds"), Some(body.to_owned()), Said::default()).await;
    assert_eq!(written.status, 201, "{}", written.text);
    let read = server.get(&owner, "kinds?select=raw,tree,few&order=id").await;
    let expected = "[{\"raw\":{\"b\":1.0,  \"a\":1e2, \"a\":2},\"tree\":{\"a\": 2, \"b\": 1.0},\"few\":null}, \n \
                    {\"raw\":null,\"tree\":null,\"few\":\"x\"}]";
    assert_eq!(read.text, expected);
    assert_eq!(server.get(&owner, "kinds?select=id&raw=is.null").await.ok(), json!([{ "id": 2 }]));
}

#[tokio::test]
async fn values_that_do_not_fit_are_refused_by_their_type() {
    let (server, owner) = Box::pin(kinds()).await;
    for (row, code) in [
        (r#"{"id":1,"small":32768}"#, "22003"),
        (r#"{"id":1,"big":1.5}"#, "22P02"),
        (r#"{"id":1,"short":12345.6}"#, "22003"),
        (r#"{"id":1,"yes":"maybe"}"#, "22P02"),
        (r#"{"id":1,"day":"2027-02-29"}"#, "22008"),
        (r#"{"id":1,"tags":"a"}"#, "22P02"),
        (r#"{"id":1,"span":"[5,1]"}"#, "22000"),
        (r#"{"id":1,"feeling":"angry"}"#, "22P02"),
        (r#"{"id":1,"share":101}"#, "23514"),
        (r#"{"id":1,"few":"four"}"#, "22001"),
        (r#"{"id":1,"few":"a\u0000"}"#, "22P05"),
        (r#"{"id":1,"twice":4}"#, "428C9"),
        (r#"{"id":null}"#, "23502"),
        (r#"{"small":1}"#, "23502"),
        (r#"{"id":1,"company_id":null}"#, "42501"),
    ] {
        let answer = server.call(&owner, ("POST", "kinds"), Some(row.to_owned()), Said::default()).await;
        let status = if code == "42501" { 403 } else { 400 };
        assert_eq!((answer.status, answer.body["code"].as_str()), (status, Some(code)), "{row}: {}", answer.text);
    }
    assert_eq!(server.get(&owner, "kinds").await.ok(), json!([]));
}

#[tokio::test]
async fn odd_names_are_reached_in_quotes() {
    let (server, owner) = Box::pin(kinds()).await;
    let row = json!({ "id": 1, "odd \"name, (here)": "x", "order": 7 });
    assert_eq!(server.post(&owner, "kinds", row, "").await.status, 201);
    let quoted = r#""odd \"name, (here)""#;
    for query in [
        format!("select=id,{quoted}&{quoted}=eq.x"),
        format!(r#"select=id,{quoted}&order={quoted}&or=({quoted}.eq.x,"order".eq.8)"#),
        format!(r#"select=id,{quoted}&"order"=eq.7"#),
    ] {
        let found = server.get(&owner, &format!("kinds?{query}")).await;
        assert_eq!(found.ok(), json!([{ "id": 1, "odd \"name, (here)": "x" }]), "{query}");
    }
    let renamed = server.get(&owner, &format!(r#"kinds?select="a ""b":"order",short:{quoted}"#)).await;
    renamed.refused(400, "PGRST100");
    let renamed = server.get(&owner, &format!(r#"kinds?select="a b":"order",short:{quoted}"#)).await;
    assert_eq!(renamed.ok(), json!([{ "a b": 7, "short": "x" }]));
}

#[tokio::test]
async fn nothing_that_is_written_becomes_part_of_a_statement() {
    let (server, owner) = Box::pin(kinds()).await;
    let evil = "x'; drop table public.kinds; --";
    let named = r#""id\"; drop table public.kinds; --""#;
    assert_eq!(server.post(&owner, "kinds", json!({ "id": 1, "tags": [evil] }), "").await.status, 201);
    for (request, status, code) in [
        (format!("kinds?few=eq.{evil}"), 200, None),
        (format!(r#"kinds?tags=cs.{{"{evil}"}}"#), 200, None),
        (format!("kinds?few=in.(\"{evil}\")"), 200, None),
        (format!("kinds?raw->>{named}=is.null"), 200, None),
        (format!("kinds?few=fts({named}).x"), 400, Some("PGRST100")),
        ("kinds?few=fts(nothing).x".to_owned(), 400, Some("42704")),
        (format!("kinds?select={named}"), 400, Some("42703")),
        (format!("kinds?select=id::{named}"), 400, Some("PGRST100")),
        ("kinds?select=id:: int; drop table kinds".to_owned(), 400, Some("PGRST100")),
        (format!("kinds?order={named}.desc"), 400, Some("42703")),
        (format!("kinds?{named}=eq.1"), 400, Some("42703")),
        ("kinds?limit=1; drop table kinds".to_owned(), 200, None),
        (format!("rpc/my_companies?{named}=1"), 404, Some("PGRST202")),
    ] {
        let answer = server.get(&owner, &request).await;
        assert_eq!((answer.status, answer.body["code"].as_str()), (status, code), "{request}: {}", answer.text);
    }
    let named = "id\"; drop table public.kinds; --";
    server.post(&owner, "kinds", json!({ (named): 1 }), "").await.refused(400, "PGRST204");
    server.post(&owner, "rpc/my_companies", json!({ (named): 1 }), "").await.refused(404, "PGRST202");
    let merge = "resolution=merge-duplicates";
    let answer = server.post(&owner, r#"kinds?on_conflict="id\") do nothing; --""#, json!({ "id": 1 }), merge).await;
    answer.refused(400, "42703");
    assert_eq!(server.get(&owner, "kinds?select=tags").await.ok(), json!([{ "tags": [evil] }]));
}

#[tokio::test]
async fn bodies_that_would_keep_the_server_busy_are_answered_soon() {
    let config = DataApiConfig { body_depth_max: 2000, ..DataApiConfig::default() };
    let server = Server::with(config).await;
    let owner = server.owner("ann").await;
    server.table(KINDS).await;
    let many: serde_json::Map<String, Value> = (0..120_000).map(|number| (format!("k{number}"), Value::Null)).collect();
    let object = Value::Object(many.clone());
    let nested = |levels: usize| format!(r#"{{"id":1,"raw":{0}{1},"tree":{0}{1}}}"#, "[".repeat(levels), "]".repeat(levels));
    // As deep as can be configured is no matter for PostgreSQL.
    assert_eq!(server.call(&owner, ("POST", "kinds"), Some(nested(1999)), Said::default()).await.status, 201);
    for (path, body, status, code) in [
        ("kinds", object.to_string(), 400, "PGRST204"),
        ("rpc/my_companies", object.to_string(), 404, "PGRST202"),
        ("kinds", json!([{ "id": 1 }, object]).to_string(), 400, "PGRST102"),
        ("kinds", nested(2000), 400, "PGRST102"),
        ("kinds", nested(100_000), 400, "PGRST102"),
        ("kinds", format!(r#"{{"few":"{}"}}"#, "x".repeat(1_500_000)), 400, "22001"),
    ] {
        let begin = Instant::now();
        let answer = server.call(&owner, ("POST", path), Some(body), Said::default()).await;
        assert_eq!((answer.status, answer.body["code"].as_str()), (status, Some(code)), "{:.200}", answer.text);
        assert!(begin.elapsed() < Duration::from_secs(40), "{path}: {:?}", begin.elapsed());
    }
}
