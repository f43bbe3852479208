//! Functions: arguments by name, everything they can give back, and what they may not do.

use serde_json::json;

use crate::server::{Caller, Said, Server};

const FUNCTIONS: &str = "
create function public.add(a integer, b integer default 10) returns integer language sql immutable return a + b;
create function public.nothing() returns void language sql as '';
create function public.letters() returns setof text language sql stable as $$ values ('a'), ('b') $$;
create function public.pairs(n integer) returns table (x integer, y text) language sql stable as $$ select i, 'v' || i from generate_series(1, n) i $$;
create function public.all_customers() returns setof public.customers language sql stable as $$ select * from public.customers $$;
create function public.echo(json) returns json language sql immutable return $1;
create function public.total(variadic numbers integer[]) returns bigint language sql immutable as $$ select sum(n) from unnest(numbers) n $$;
create function public.sneaky() returns integer language plpgsql as $$ begin insert into public.customers (first_name, last_name, phone) values ('a', 'b', '+15550100'); return 1; end $$;
create function public.twice(a integer) returns integer language sql immutable return a * 2;
create function public.twice(a text) returns text language sql immutable return a || a;
create function public.hidden() returns integer language sql immutable return 1;
create function public.refuse(code text) returns void language plpgsql as $$ begin raise sqlstate 'PT402' using message = 'Pay first', detail = code, hint = 'with money'; end $$;
revoke all on function public.hidden() from public;
grant execute on function public.add, public.nothing, public.letters, public.pairs, public.all_customers, public.echo, public.total, public.sneaky,
  public.twice(integer), public.twice(text), public.refuse to anon, authenticated, service_role;";

async fn functions() -> (Server, Caller) {
    let server = Server::new().await;
    let owner = server.owner("ann").await;
    server.table(FUNCTIONS).await;
    (server, owner)
}

#[tokio::test]
async fn everything_a_function_can_give_back() {
    let (server, owner) = Box::pin(functions()).await;
    for (function, body, expected) in [
        ("add", json!({ "a": 1, "b": 2 }), json!(3)),
        ("add", json!({ "a": 1 }), json!(11)),
        ("letters", json!({}), json!(["a", "b"])),
        ("pairs", json!({ "n": 2 }), json!([{ "x": 1, "y": "v1" }, { "x": 2, "y": "v2" }])),
        ("echo", json!({ "any": [1, null] }), json!({ "any": [1, null] })),
        ("echo", json!([1, 2]), json!([1, 2])),
        ("total", json!({ "numbers": [1, 2, 3] }), json!(6)),
        ("add", json!({ "a": null }), json!(null)),
    ] {
        assert_eq!(server.post(&owner, &format!("rpc/{function}"), body, "").await.ok(), expected, "{function}");
    }
    let nothing = server.post(&owner, "rpc/nothing", json!({}), "").await;
    assert_eq!((nothing.status, nothing.text.as_str(), nothing.header("content-range")), (204, "", "0-0/*"));
    assert_eq!(server.call(&owner, ("POST", "rpc/letters"), None, Said::default()).await.ok(), json!(["a", "b"]));
}

#[tokio::test]
async fn rows_of_a_function_are_read_like_a_table() {
    let (server, owner) = Box::pin(functions()).await;
    for name in ["Ada", "Bob", "Cem"] {
        server.customer(&owner, name).await;
    }
    let path = "rpc/all_customers?select=first_name&first_name=gt.Ada&order=first_name.desc&limit=1";
    let answer = server.post(&owner, path, json!({}), "count=exact").await;
    assert_eq!((answer.status, answer.header("content-range"), &answer.body), (206, "0-0/2", &json!([{ "first_name": "Cem" }])));
    let object = Said { accept: "application/vnd.pgrst.object+json", ..Said::default() };
    let one = server.call(&owner, ("POST", "rpc/pairs?select=y"), Some(json!({ "n": 1 }).to_string()), object).await;
    assert_eq!(one.ok(), json!({ "y": "v1" }));
    server.call(&owner, ("POST", "rpc/pairs"), Some(json!({ "n": 2 }).to_string()), object).await.refused(406, "PGRST116");
    let other = server.owner("bob").await;
    assert_eq!(server.post(&other, "rpc/all_customers", json!({}), "").await.ok(), json!([]), "another company's");
}

#[tokio::test]
async fn get_reads_with_arguments_in_the_query() {
    let (server, owner) = Box::pin(functions()).await;
    assert_eq!(server.get(&owner, "rpc/add?a=1&b=2").await.ok(), json!(3));
    assert_eq!(server.get(&owner, "rpc/pairs?n=3&x=gt.1&select=x").await.ok(), json!([{ "x": 2 }, { "x": 3 }]));
    assert_eq!(server.get(&owner, "rpc/total?numbers=1&numbers=2").await.ok(), json!(3));
    server.get(&owner, "rpc/sneaky").await.refused(405, "25006");
    assert_eq!(server.get(&owner, "customers").await.ok(), json!([]));
    assert_eq!(server.post(&owner, "rpc/sneaky", json!({}), "").await.ok(), json!(1));
}

#[tokio::test]
async fn a_call_may_be_bound_to_a_number_of_rows() {
    let (server, owner) = Box::pin(more()).await;
    let strict = "handling=strict, max-affected=2";
    let fits = server.post(&owner, "rpc/tally?select=id", json!({ "n": 2 }), strict).await;
    assert_eq!((fits.header("preference-applied"), &fits.body), (strict, &json!([{ "id": 1 }, { "id": 2 }])));
    server.delete(&owner, "tallies?id=gt.0", "").await;
    let refused = json!({
        "code": "PGRST124", "details": "The query affects 3 rows", "hint": null, "message": "Query result exceeds max-affected preference constraint",
    });
    let too_many = server.post(&owner, "rpc/tally", json!({ "n": 3 }), strict).await;
    assert_eq!((too_many.status, &too_many.body), (400, &refused));
    assert_eq!(server.get(&owner, "tallies").await.ok(), json!([]), "nothing of it is kept");
    let lenient = server.post(&owner, "rpc/tally?select=id", json!({ "n": 3 }), "handling=lenient, max-affected=2").await;
    assert_eq!((lenient.status, lenient.header("preference-applied")), (200, "handling=lenient"));
    let no_set = json!({
        "code": "PGRST128", "details": null, "hint": null,
        "message": "Function must return SETOF or TABLE when max-affected preference is used with handling=strict",
    });
    for (function, body) in [("first_tally", json!({})), ("optional", json!({ "a": 1 }))] {
        let answer = server.post(&owner, &format!("rpc/{function}"), body, strict).await;
        assert_eq!((answer.status, &answer.body), (400, &no_set), "{function}");
    }
}

#[tokio::test]
async fn what_cannot_be_called_is_told() {
    let (server, owner) = Box::pin(functions()).await;
    let unknown = server.post(&owner, "rpc/ad", json!({ "a": 1 }), "").await;
    unknown.refused(404, "PGRST202");
    assert_eq!(unknown.body["message"], "Could not find the function public.ad(a) in the schema cache");
    assert_eq!(unknown.body["hint"], json!(null), "two letters of three are not enough");
    let slip = server.post(&owner, "rpc/al_customers", json!({}), "").await;
    assert_eq!(slip.body["hint"], "Perhaps you meant to call the function public.all_customers");
    let other_names = server.post(&owner, "rpc/add", json!({ "b": 1, "aa": 1 }), "").await;
    other_names.refused(404, "PGRST202");
    assert_eq!(other_names.body["hint"], "Perhaps you meant to call the function public.add(a, b)");
    let several = server.post(&owner, "rpc/twice", json!({ "a": 1 }), "").await;
    several.refused(300, "PGRST203");
    assert_eq!(
        several.body["message"],
        "Could not choose the best candidate function between: public.twice(a => integer), public.twice(a => text)"
    );
    server.delete(&owner, "rpc/add", "").await.refused(405, "PGRST101");
    server.post(&owner, "rpc/add", json!({ "a": "seven" }), "").await.refused(400, "22P02");
    server.post(&owner, "rpc/hidden", json!({}), "").await.refused(403, "42501");
    let nobody = server.post(&Server::nobody(), "rpc/hidden", json!({}), "").await;
    nobody.refused(401, "42501");
    assert_eq!(nobody.header("www-authenticate"), "Bearer");
    let refused = server.post(&owner, "rpc/refuse", json!({ "code": "x" }), "").await;
    refused.refused(402, "PT402");
    assert_eq!(refused.body, json!({ "code": "PT402", "message": "Pay first", "details": "x", "hint": "with money" }));
}

#[tokio::test]
async fn a_company_is_founded_and_listed() {
    let server = Server::new().await;
    let person = server.person("ann").await;
    let slug = json!({ "name": "Ann & Co", "slug": "ann-co", "industry": "plumbing" });
    let company = server.post(&person, "rpc/create_company_with_owner", slug.clone(), "").await.ok();
    assert_eq!((company["name"].as_str(), company["slug"].as_str()), (Some("Ann & Co"), Some("ann-co")));
    let mine = server.post(&person, "rpc/my_companies", json!({}), "").await.ok();
    assert_eq!((mine.as_array().unwrap().len(), &mine[0]["member_role"]), (1, &json!("owner")));
    server.post(&person, "rpc/create_company_with_owner", slug, "").await.refused(409, "company_slug_taken");
    let nobody = server.post(&Server::nobody(), "rpc/create_company_with_owner", json!({ "name": "X" }), "").await;
    assert_eq!(nobody.status, 401, "{}", nobody.text);
}

const MORE: &str = "
create table public.tallies (company_id uuid not null default app.company_id(), id integer not null, primary key (company_id, id));
select app.protect('public.tallies', 'customers');
create function public.tally(n integer) returns setof public.tallies language sql as $$ insert into public.tallies (id) select generate_series(1, n) returning * $$;
create function public.tally_stable() returns integer language plpgsql stable as $$ begin perform public.tally(1); return 1; end $$;
create function public.first_tally() returns public.tallies language sql stable as $$ select * from public.tallies order by id limit 1 $$;
create function public.halves(n integer, out low integer, out high integer) language sql immutable as $$ select n / 2, n - n / 2 $$;
create function public.inward(inout n integer) language sql immutable as $$ select n + 1 $$;
create function public.joined(words text[]) returns text language sql immutable return array_to_string(words, '-');
create function public.merged(a jsonb, b jsonb) returns jsonb language sql immutable return a || b;
create function public.whether(yes boolean) returns boolean language sql immutable return not yes;
create function public.shout(text) returns text language sql immutable return upper($1);
create function public.length_of(bytea) returns integer language sql immutable return length($1);
create function public.optional(a integer default 1, b integer default 2) returns text language sql immutable return a || '/' || b;
create function public.\"odd name\"(\"an arg\" text) returns text language sql immutable return \"an arg\";
create function public.who() returns json language sql stable as $$ select json_build_object('role', current_user, 'user', auth.uid(), 'company', app.company_id(), 'method', current_setting('request.method', true)) $$;
grant execute on all functions in schema public to authenticated;";

async fn more() -> (Server, Caller) {
    let server = Server::new().await;
    let owner = server.owner("ann").await;
    server.table(MORE).await;
    (server, owner)
}

#[tokio::test]
async fn arguments_of_every_type_and_results_of_every_form() {
    let (server, owner) = Box::pin(more()).await;
    for (function, body, expected) in [
        ("halves", json!({ "n": 7 }), r#"{"low":3,"high":4}"#),
        ("inward", json!({ "n": 7 }), "8"),
        ("joined", json!({ "words": ["a", "b,c"] }), r#""a-b,c""#),
        ("joined", json!({ "words": "{a,\"b,c\"}" }), r#""a-b,c""#),
        ("merged", json!({ "a": { "x": [1] }, "b": { "y": null } }), r#"{"x": [1], "y": null}"#),
        ("whether", json!({ "yes": true }), "false"),
        ("optional", json!({}), r#""1/2""#),
        ("optional", json!({ "b": 5 }), r#""1/5""#),
        ("odd name", json!({ "an arg": "ü" }), r#""ü""#),
        ("tally", json!({ "n": 2 }), "*"),
        ("tally?select=id&id=gt.3&order=id.desc", json!({ "n": 0 }), "[]"),
        ("first_tally?select=id", json!({}), r#"{"id":1}"#),
    ] {
        let answer = server.post(&owner, &format!("rpc/{function}"), body, "").await;
        assert!(answer.status == 200 && (expected == "*" || answer.text == expected), "{function}: {} {}", answer.status, answer.text);
        assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    }
    for (path, expected) in [
        ("rpc/joined?words={a,\"b,c\"}", r#""a-b,c""#),
        ("rpc/merged?a={\"x\":1}&b={}", r#"{"x": 1}"#),
        ("rpc/whether?yes=f", "true"),
        ("rpc/optional?b=9", r#""1/9""#),
        ("rpc/odd name?an arg=x", r#""x""#),
        ("rpc/halves?n=5&select=high", r#"{"high":3}"#),
        ("rpc/who", "*"),
    ] {
        let answer = server.get(&owner, path).await;
        assert!(answer.status == 200 && (expected == "*" || answer.text == expected), "{path}: {} {}", answer.status, answer.text);
    }
    let who = server.post(&owner, "rpc/who", json!({}), "").await.ok();
    assert_eq!((&who["role"], &who["user"], &who["company"]), (&json!("authenticated"), &json!(owner.user_id), &json!(owner.company_id)));
}

#[tokio::test]
async fn a_body_that_is_no_object_is_the_one_unnamed_argument() {
    let (server, owner) = Box::pin(more()).await;
    for (path, kind, body, status, expected) in [
        ("rpc/shout", "text/plain", "quiet \"ü\"", 200, r#""QUIET \"Ü\"""#),
        ("rpc/length_of", "application/octet-stream", "ü", 200, "2"),
        ("rpc/shout", "application/octet-stream", "x", 404, "PGRST202"),
        ("rpc/optional", "text/plain", "x", 404, "PGRST202"),
        ("rpc/my_companies", "text/plain", "x", 404, "PGRST202"),
        ("rpc/shout", "image/png", "x", 400, "PGRST102"),
        ("rpc/optional", "application/json", "{", 400, "PGRST102"),
        ("rpc/optional", "application/x-www-form-urlencoded", "a=4&b=5", 200, r#""4/5""#),
    ] {
        let request = http::Request::builder()
            .method("POST")
            .uri(format!("/rest/v1/{path}"))
            .header("authorization", format!("Bearer {}", owner.token.clone().unwrap()))
            .header("content-type", kind);
        let answer = server.send(request.body(body.to_owned().into()).unwrap()).await;
        let told = answer.body["code"].as_str().unwrap_or(&answer.text);
        assert_eq!((answer.status, told), (status, expected), "{path} {kind}");
    }
}

#[tokio::test]
async fn what_says_that_it_only_reads_cannot_write() {
    let (server, owner) = Box::pin(more()).await;
    server.post(&owner, "rpc/tally_stable", json!({}), "").await.refused(405, "25006");
    server.get(&owner, "rpc/tally?n=1").await.refused(405, "25006");
    let head = server.call(&owner, ("HEAD", "rpc/tally?n=1"), None, Said::default()).await;
    assert_eq!(head.status, 405);
    for method in ["PUT", "PATCH", "DELETE"] {
        server.call(&owner, (method, "rpc/tally?n=1"), None, Said::default()).await.refused(405, "PGRST101");
    }
    assert_eq!(server.get(&owner, "tallies").await.ok(), json!([]));
    let head = server.call(&owner, ("HEAD", "rpc/halves?n=3"), None, Said::default()).await;
    assert_eq!((head.status, head.text.as_str(), head.header("content-type")), (200, "", "application/json; charset=utf-8"));
    let one = Said { accept: "application/vnd.pgrst.object+json", ..Said::default() };
    let refused = server.call(&owner, ("POST", "rpc/tally"), Some(r#"{"n":2}"#.to_owned()), one).await;
    refused.refused(406, "PGRST116");
    assert_eq!(server.get(&owner, "tallies").await.ok(), json!([]), "what is refused is not kept");
    let counted = server.post(&owner, "rpc/tally", json!({ "n": 3 }), "count=exact").await;
    assert_eq!((counted.status, counted.header("content-range")), (200, "0-2/3"));
}

#[tokio::test]
async fn ones_companies_are_read_like_rows() {
    let server = Server::new().await;
    let person = server.person("ann").await;
    for (name, slug) in [("Beta", "beta"), ("Alpha", "alpha")] {
        let company = json!({ "name": name, "slug": slug });
        assert_eq!(server.post(&person, "rpc/create_company_with_owner?select=slug", company, "").await.ok(), json!({ "slug": slug }));
    }
    let mine = server.post(&person, "rpc/my_companies?select=name,member_role,is_active", json!({}), "").await.ok();
    let expected = json!([
        { "name": "Alpha", "member_role": "owner", "is_active": false },
        { "name": "Beta", "member_role": "owner", "is_active": true },
    ]);
    assert_eq!(mine, expected, "the first one founded is active");
    let counted = server.get_with(&person, "rpc/my_companies?select=slug&slug=eq.alpha", Said { prefer: "count=exact", ..Said::default() });
    let counted = counted.await;
    assert_eq!((counted.header("content-range"), &counted.body), ("0-0/1", &json!([{ "slug": "alpha" }])));
    for (body, status, code) in [
        (json!({ "name": " " }), 422, "company_name_invalid"),
        (json!({ "name": "X", "slug": "not a slug" }), 422, "company_slug_invalid"),
        (json!({ "slug": "only" }), 404, "PGRST202"),
        (json!({ "name": "X", "colour": "red" }), 404, "PGRST202"),
    ] {
        server.post(&person, "rpc/create_company_with_owner", body, "").await.refused(status, code);
    }
    // A service has no person who could be the owner.
    let by_service = server.post(&server.service(), "rpc/create_company_with_owner", json!({ "name": "X" }), "").await;
    by_service.refused(403, "42501");
}

#[tokio::test]
async fn a_function_is_called_for_each_of_several_objects() {
    let (server, owner) = Box::pin(functions()).await;
    let sums = server.post(&owner, "rpc/add", json!([{ "a": 1, "b": 2 }, { "a": 3, "b": 4 }]), "").await;
    assert_eq!(sums.ok(), json!([3, 7]));
    let rows = server.post(&owner, "rpc/pairs?select=y&order=y", json!([{ "n": 1 }, { "n": 2 }]), "count=exact").await;
    assert_eq!((rows.status, rows.header("content-range")), (200, "0-2/3"));
    assert_eq!(rows.body, json!([{ "y": "v1" }, { "y": "v1" }, { "y": "v2" }]));
    server.post(&owner, "rpc/add", json!([{ "a": 1 }, { "b": 2 }]), "").await.refused(400, "PGRST102");
}
