//! Calls of functions whose arguments or results are not JSON: forms, query strings, one value of a set, bytes.

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use serde_json::json;

use crate::server::{Answer, Caller, Said, Server};

const OBJECT: &str = "application/vnd.pgrst.object+json";
const FUNCTIONS: &str = "
create table public.notches (company_id uuid not null default app.company_id(), id integer not null, primary key (company_id, id));
select app.protect('public.notches', 'customers');
create function public.notch(n integer) returns setof integer language sql volatile
  as $$ insert into public.notches (id) select generate_series(1, n) returning id $$;
create function public.letters(n integer) returns setof text language sql stable as $$ select chr(96 + i) from generate_series(1, n) i $$;
create function public.total(variadic numbers integer[]) returns bigint language sql immutable as $$ select sum(n) from unnest(numbers) n $$;
create function public.merged(a jsonb, b jsonb) returns jsonb language sql immutable return a || b;
create function public.kept(it json) returns json language sql immutable return it;
create function public.words(n integer) returns table (v tsvector, m integer) language sql immutable as $$ select to_tsvector('simple', 'fat cat'), n $$;
create function public.vec(public.notches) returns tsvector language sql immutable return to_tsvector('simple', 'fat cat');
create function public.rings() returns integer language sql stable return 7;
create domain public.\"application/octet-stream\" as bytea;
create function public.bytes() returns public.\"application/octet-stream\" language sql volatile as $$ select '\\xff0041'::bytea $$;
create function public.raised(state text) returns void language plpgsql as $$ begin raise exception using errcode = state, message = 'no'; end $$;
grant execute on all functions in schema public to authenticated;";

async fn functions() -> (Server, Caller) {
    let server = Server::new().await;
    let owner = server.owner("ann").await;
    server.table(FUNCTIONS).await;
    (server, owner)
}

async fn form(server: &Server, who: &Caller, path: &str, body: &'static str) -> Answer {
    let request = Request::builder().method("POST").uri(format!("/rest/v1/rpc/{path}"));
    let request = request.header("authorization", format!("Bearer {}", who.token.clone().unwrap()));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    server.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn a_forms_fields_are_read_as_the_arguments_types() {
    let (server, owner) = Box::pin(functions()).await;
    for (function, body, expected) in [
        ("total", "numbers=1&numbers=2", "3"),
        ("total", "numbers=5", "5"),
        ("merged", "a=%7B%22x%22%3A1%7D&b=%7B%7D", r#"{"x": 1}"#),
        // Of two the last counts.
        ("letters", "n=3&n=1", r#"["a"]"#),
    ] {
        let answer = form(&server, &owner, function, body).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, expected), "{function} {body}");
    }
    form(&server, &owner, "merged", "a=%7Boops&b=%7B%7D").await.refused(400, "22P02");
    form(&server, &owner, "letters", "m=1").await.refused(404, "PGRST202");
    form(&server, &owner, "letters?x=1", "n=1").await.refused(400, "PGRST100");
    form(&server, &owner, "kept", "it=%00").await.refused(400, "PGRST102");
}

#[tokio::test]
async fn json_in_a_query_string_is_postgresqls_to_read() {
    let (server, owner) = Box::pin(functions()).await;
    server.get(&owner, "rpc/merged?a={oops&b={}").await.refused(400, "22P02");
    let kept = server.get(&owner, "rpc/kept?it={\"a\":1.00,\"b\":12345678901234567890123}").await;
    assert_eq!((kept.status, kept.text.as_str()), (200, r#"{"a":1.00,"b":12345678901234567890123}"#));
    assert_eq!(server.get(&owner, "rpc/total?numbers=1&numbers=2").await.ok(), json!(3));
}

#[tokio::test]
async fn one_value_of_a_set_is_wanted_and_more_are_refused() {
    let (server, owner) = Box::pin(functions()).await;
    let object = Said { accept: OBJECT, ..Said::default() };
    let one = server.get_with(&owner, "rpc/letters?n=1", object).await;
    assert_eq!((one.status, one.text.as_str()), (200, r#""a""#));
    for n in ["0", "2"] {
        let refused = server.get_with(&owner, &format!("rpc/letters?n={n}"), object).await;
        refused.refused(406, "PGRST116");
        assert_eq!(refused.body["details"], json!(format!("The result contains {n} rows")));
    }
    let notch = |n: i32| server.call(&owner, ("POST", "rpc/notch"), Some(json!({ "n": n }).to_string()), object);
    notch(2).await.refused(406, "PGRST116");
    assert_eq!(server.get(&owner, "notches?select=id").await.ok(), json!([]), "nothing of it is kept");
    assert_eq!(notch(1).await.ok(), json!(1));
    assert_eq!(server.get(&owner, "notches?select=id").await.ok(), json!([{ "id": 1 }]));
}

#[tokio::test]
async fn what_is_computed_as_words_is_searched_as_it_is() {
    let (server, owner) = Box::pin(functions()).await;
    server.post(&owner, "notches", json!({ "id": 1 }), "").await.ok();
    for (path, expected) in [
        ("notches?select=id&vec=fts.cat", json!([{ "id": 1 }])),
        ("notches?select=id&vec=fts.dog", json!([])),
        ("rpc/words?n=1&select=v&v=fts(simple).cat", json!([{ "v": "'cat':2 'fat':1" }])),
        ("rpc/words?n=1&v=fts.dog", json!([])),
    ] {
        assert_eq!(server.get(&owner, path).await.ok(), expected, "{path}");
    }
}

#[tokio::test]
async fn a_key_needs_nothing_of_a_function_that_only_reads() {
    let (server, owner) = Box::pin(functions()).await;
    let said = Said { header: Some(("idempotency-key", "one")), ..Said::default() };
    for _ in 0..2 {
        let answer = server.call(&owner, ("POST", "rpc/rings"), Some("{}".to_owned()), said).await;
        assert_eq!((answer.status, answer.text.as_str(), answer.header("idempotency-replayed")), (200, "7", ""));
    }
}

#[tokio::test]
async fn bytes_are_kept_for_a_key_as_they_were() {
    let (server, owner) = Box::pin(functions()).await;
    for replayed in [None, Some("true")] {
        let request = Request::builder().method("POST").uri("/rest/v1/rpc/bytes").header("idempotency-key", "two");
        let request = request.header("authorization", format!("Bearer {}", owner.token.clone().unwrap()));
        let request = request.header("content-type", "application/json").header("accept", "application/octet-stream");
        let (parts, body) = server.raw(request.body(Body::from("{}")).unwrap()).await.into_parts();
        assert_eq!((parts.status.as_u16(), body.collect().await.unwrap().to_bytes().as_ref()), (200, &[0xff, 0x00, 0x41][..]));
        assert_eq!(parts.headers.get("idempotency-replayed").map(|value| value.to_str().unwrap()), replayed);
        assert_eq!(parts.headers["content-type"], "application/octet-stream");
        assert!(!parts.headers.contains_key(":digits"));
    }
}

#[tokio::test]
async fn a_state_that_names_no_status_is_an_error_of_its_function() {
    let (server, owner) = Box::pin(functions()).await;
    for (state, status) in [("PT418", 418), ("PT40A", 500), ("55000", 500), ("40001", 500)] {
        let refused = server.post(&owner, "rpc/raised", json!({ "state": state }), "").await;
        refused.refused(status, state);
        assert_eq!(refused.body["message"], "no", "{state}");
    }
}
