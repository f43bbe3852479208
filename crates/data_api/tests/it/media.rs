//! Forms of answers: those that everything has, those that the database makes of rows and values, and what is refused.

use serde_json::json;

use crate::server::{Answer, Caller, Said, Server};

const MADE: &str = r#"
create domain public."text/html" as text;
create domain public."text/x-count" as text;
create domain public."application/octet-stream" as bytea;
create domain public."*/*" as bytea;
create domain public."application/vnd.lines" as text;
create table public.words (company_id uuid not null default app.company_id(), id integer not null, word text, primary key (company_id, id));
select app.protect('public.words', 'customers');
create function public.page(name text) returns public."text/html" language sql immutable return '<p>' || name || '</p>';
create function public.pixels() returns public."application/octet-stream" language sql immutable return '\x00410a'::bytea;
create function public.anything() returns public."*/*" language sql immutable return '\x4142'::bytea;
create function public.all_words() returns setof public.words language sql stable as 'select * from public.words';
create function public.add_line(public."application/vnd.lines", public.words) returns public."application/vnd.lines" language sql immutable
  as $$ select ($1 || $2.word || E'\n')::public."application/vnd.lines" $$;
create aggregate public.lines(public.words) (sfunc = public.add_line, stype = public."application/vnd.lines", initcond = '');
create function public.add_mark(public."text/x-count", anyelement) returns public."text/x-count" language sql immutable
  as $$ select ($1 || 'I')::public."text/x-count" $$;
create aggregate public.marks(anyelement) (sfunc = public.add_mark, stype = public."text/x-count", initcond = '');
grant execute on all functions in schema public to authenticated, service_role;"#;

async fn words() -> (Server, Caller) {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    server.table(MADE).await;
    assert_eq!(server.post(&ann, "words", json!([{ "id": 1, "word": "one" }, { "id": 2, "word": "two" }]), "").await.status, 201);
    (server, ann)
}

async fn get(server: &Server, who: &Caller, path: &str, accept: &str) -> Answer {
    server.get_with(who, path, Said { accept, ..Said::default() }).await
}

/// Checks status, type and body of what is got.
async fn check(server: &Server, who: &Caller, cases: &[(&str, &str, &str, &str)]) {
    for (path, accept, content_type, text) in cases {
        let answer = get(server, who, path, accept).await;
        assert_eq!((answer.status, answer.header("content-type"), answer.text.as_str()), (200, *content_type, *text), "{path} {accept}");
    }
}

#[tokio::test]
async fn a_function_gives_the_form_that_its_result_is_named_after() {
    let (server, ann) = Box::pin(words()).await;
    let (json, octets) = ("application/json; charset=utf-8", "application/octet-stream");
    let cases = [
        ("rpc/page?name=x", "text/html", "text/html", "<p>x</p>"),
        ("rpc/page?name=x", "text/csv;q=0.1, text/HTML;q=0.9", "text/html", "<p>x</p>"),
        ("rpc/page?name=x", "application/json", json, r#""<p>x</p>""#),
        ("rpc/page?name=x", "*/*", json, r#""<p>x</p>""#),
        ("rpc/pixels", octets, octets, "\0A\n"),
        ("rpc/anything", "image/png", octets, "AB"),
        ("rpc/anything", "", octets, "AB"),
    ];
    check(&server, &ann, &cases).await;
    let posted = Said { accept: "text/html", ..Said::default() };
    let answer = server.call(&ann, ("POST", "rpc/page"), Some(r#"{"name":"y"}"#.to_owned()), posted).await;
    assert_eq!((answer.header("content-type"), answer.text.as_str()), ("text/html", "<p>y</p>"));
    let head = server.call(&ann, ("HEAD", "rpc/page?name=y"), None, posted).await;
    assert_eq!((head.status, head.header("content-type"), head.text.as_str()), (200, "text/html", ""));
    let refused = get(&server, &ann, "rpc/page?name=x", "image/png, text/plain").await;
    refused.refused(406, "PGRST107");
    assert_eq!(refused.body["message"], "None of these media types are available: image/png, text/plain");
}

#[tokio::test]
async fn an_aggregate_makes_a_form_of_rows() {
    let (server, ann) = Box::pin(words()).await;
    let (lines, marks) = ("application/vnd.lines", "text/x-count");
    let cases = [
        ("words?order=id", lines, lines, "one\ntwo\n"),
        ("words?select=*&id=eq.2", lines, lines, "two\n"),
        ("rpc/all_words?order=id.desc", lines, lines, "two\none\n"),
        ("words?select=word", marks, marks, "II"),
        ("rpc/page?name=x", marks, marks, "I"),
    ];
    check(&server, &ann, &cases).await;
    // It is made of whole rows.
    get(&server, &ann, "words?select=word", lines).await.refused(406, "PGRST107");
    get(&server, &ann, "customers", lines).await.refused(406, "PGRST107");
    let said = Said { prefer: "return=representation", accept: lines, ..Said::default() };
    let entered = server.call(&ann, ("POST", "words"), Some(r#"{"id":3,"word":"three"}"#.to_owned()), said).await;
    assert_eq!((entered.status, entered.header("content-type"), entered.text.as_str()), (201, lines, "three\n"));
    let quiet = server.call(&ann, ("DELETE", "words?id=eq.3"), None, Said { accept: lines, ..Said::default() }).await;
    assert_eq!((quiet.status, quiet.header("content-type"), quiet.text.as_str()), (204, "", ""));
    let bob = server.owner("bob").await;
    check(&server, &bob, &[("words", lines, lines, ""), ("rpc/all_words", lines, lines, "")]).await;
    get(&server, &Server::nobody(), "words", lines).await.refused(401, "42501");
}

#[tokio::test]
async fn a_value_has_the_forms_of_rows_too() {
    let (server, ann) = Box::pin(words()).await;
    let cases = [
        ("rpc/page?name=x", "text/csv", "text/csv; charset=utf-8", "pgrst_scalar\n<p>x</p>"),
        ("rpc/page?name=x", "application/vnd.pgrst.object", "application/vnd.pgrst.object+json; charset=utf-8", r#""<p>x</p>""#),
    ];
    check(&server, &ann, &cases).await;
}

#[tokio::test]
async fn geojson_is_there_where_postgis_is() {
    let (server, ann) = Box::pin(words()).await;
    get(&server, &ann, "words", "application/geo+json").await.refused(406, "PGRST107");
    let made = "create function public.st_asgeojson(one record) returns text language plpgsql stable as $$
      begin return json_build_object('type', 'Feature', 'properties', row_to_json(one))::text; end $$;
      grant execute on function public.st_asgeojson(record) to authenticated;";
    server.table(made).await;
    let answer = get(&server, &ann, "words?select=word&order=id&limit=1", "application/geo+json").await;
    assert_eq!(answer.header("content-type"), "application/geo+json; charset=utf-8");
    assert_eq!(answer.ok(), json!({ "type": "FeatureCollection", "features": [{ "type": "Feature", "properties": { "word": "one" } }] }));
}
