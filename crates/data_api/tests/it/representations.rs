//! Domains with casts of their own: how their values are shown, read from a body and read from a filter.

use serde_json::{Value, json};

use crate::server::{Caller, Server};
use crate::yard::check;

/// A colour is kept as a number, shown and sent as `#RRGGBB`, and filtered by `rrggbb`.
const COLOURS: &str = "
create domain public.colour as integer;
create function public.colour_shown(public.colour) returns json language sql immutable
  as $$ select to_json('#' || lpad(upper(to_hex($1)), 6, '0')) $$;
create function public.colour_of_text(text) returns public.colour language sql immutable
  as $$ select ('x' || lpad($1, 8, '0'))::bit(32)::integer::public.colour $$;
create function public.colour_of_json(json) returns public.colour language sql immutable
  as $$ select public.colour_of_text(ltrim($1 #>> '{}', '#')) $$;
create cast (public.colour as json) with function public.colour_shown(public.colour) as implicit;
create cast (text as public.colour) with function public.colour_of_text(text) as implicit;
create cast (json as public.colour) with function public.colour_of_json(json) as implicit;
create table public.walls (
  company_id uuid not null default app.company_id(), id integer not null, name text, paint public.colour, next_to integer,
  primary key (company_id, id), constraint walls_next_to_fkey foreign key (company_id, next_to) references public.walls (company_id, id));
select app.protect('public.walls', 'customers');
create function public.all_walls() returns setof public.walls language sql stable as 'select * from public.walls';
grant execute on all functions in schema public to authenticated, service_role;";

const FULL: &str = "return=representation";

/// Two walls of one company.
async fn walls() -> (Server, Caller) {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    server.table(COLOURS).await;
    let rows = json!([
        { "id": 1, "name": "north", "paint": "#0000FF", "next_to": null }, { "id": 2, "name": "south", "paint": "#00FF00", "next_to": 1 },
    ]);
    let entered = server.post(&ann, "walls?select=id,paint&order=id", rows, FULL).await;
    assert_eq!(entered.status, 201, "{}", entered.text);
    assert_eq!(entered.body, json!([{ "id": 1, "paint": "#0000FF" }, { "id": 2, "paint": "#00FF00" }]));
    (server, ann)
}

#[tokio::test]
async fn values_are_shown_by_the_cast_to_json() {
    let (server, ann) = Box::pin(walls()).await;
    let whole = |company: &str| json!([{ "company_id": company, "id": 1, "name": "north", "paint": "#0000FF", "next_to": null }]);
    let cases = [
        ("walls?id=eq.1", whole(&ann.company_id)),
        ("walls?select=*&id=eq.1", whole(&ann.company_id)),
        ("rpc/all_walls?id=eq.1", whole(&ann.company_id)),
        ("walls?select=colour:paint&order=paint", json!([{ "colour": "#0000FF" }, { "colour": "#00FF00" }])),
        ("walls?select=id,next_to(paint)&id=eq.2", json!([{ "id": 2, "next_to": { "paint": "#0000FF" } }])),
        ("walls?select=paint::text&id=eq.1", json!([{ "paint": r##""#0000FF""## }])),
        ("walls?select=paint,count()&order=paint.desc", json!([{ "paint": "#00FF00", "count": 1 }, { "paint": "#0000FF", "count": 1 }])),
        ("walls?select=id.max(),...next_to!inner(paint)&order=next_to(paint)", json!([{ "max": 2, "paint": "#0000FF" }])),
        // What is computed is computed of what is kept.
        ("walls?select=paint.max()", json!([{ "max": 65280 }])),
    ];
    check(&server, &ann, &cases).await;
    let kept: i32 =
        server.db.superuser().await.query_one("select paint::integer from public.walls where id = 2", &[]).await.unwrap().get(0);
    assert_eq!(kept, 65280);
}

#[tokio::test]
async fn filters_are_read_by_the_cast_from_text() {
    let (server, ann) = Box::pin(walls()).await;
    for (filter, expected) in [
        ("paint=eq.0000ff", json!([1])),
        ("paint=gt.0000ff", json!([2])),
        ("paint=neq.00FF00", json!([1])),
        ("paint=in.(0000ff,00ff00)", json!([1, 2])),
        ("paint=in.()", json!([])),
        ("paint=not.isdistinct.00ff00", json!([2])),
        ("or=(paint.eq.00ff00,id.eq.9)", json!([2])),
        ("paint=is.null", json!([])),
    ] {
        let found = server.get(&ann, &format!("walls?select=id&order=id&{filter}")).await.ok();
        let ids: Vec<Value> = found.as_array().unwrap().iter().map(|row| row["id"].clone()).collect();
        assert_eq!(json!(ids), expected, "{filter}");
    }
    server.get(&ann, "walls?paint=eq.zz").await.refused(400, "22P02");
}

#[tokio::test]
async fn bodies_are_read_by_the_cast_from_json() {
    let (server, ann) = Box::pin(walls()).await;
    let changed = server.patch(&ann, "walls?paint=eq.0000ff&select=id,paint", json!({ "paint": "#FF0000" }), FULL).await.ok();
    assert_eq!(changed, json!([{ "id": 1, "paint": "#FF0000" }]));
    let merge = "resolution=merge-duplicates,return=representation";
    let merged = server.post(&ann, "walls?select=id,paint", json!({ "id": 2, "paint": "#000001" }), merge).await.ok();
    assert_eq!(merged, json!([{ "id": 2, "paint": "#000001" }]));
    assert_eq!(server.patch(&ann, "walls?id=eq.2&select=paint", json!({ "paint": null }), FULL).await.ok(), json!([{ "paint": null }]));
    let bob = server.owner("bob").await;
    assert_eq!(server.get(&bob, "walls?paint=eq.ff0000").await.ok(), json!([]));
    assert_eq!(server.patch(&bob, "walls?paint=eq.ff0000", json!({ "paint": "#000002" }), FULL).await.ok(), json!([]));
}
