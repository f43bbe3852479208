//! Columns of every shape and name: composite and array columns, computed fields, domains over text search vectors, names with reserved
//! characters; and parts of the rows that are said in unusual ways.

use serde_json::json;

use crate::server::{Caller, Said, Server};
use crate::yard::check;

const SHELVES: &str = r#"
create type public.place as (aisle text, level integer);
create domain public.words as tsvector;
create domain public.searched as public.words;
create table public.shelves (
  company_id uuid not null default app.company_id(), id integer not null, at public.place, codes text[], spots public.place[],
  settings jsonb, notes json, found public.searched, "a.b, (c)" text, "with ""quotes""" text, primary key (company_id, id));
select app.protect('public.shelves', 'customers');
create function public.label(public.shelves) returns text language sql stable as $$ select $1.id || '/' || ($1.at).aisle $$;
grant execute on function public.label(public.shelves) to authenticated, service_role;"#;

async fn shelves() -> (Server, Caller) {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    server.table(SHELVES).await;
    let rows = json!([
        { "id": 1, "at": { "aisle": "A", "level": 3 }, "codes": ["x", "y"], "spots": [{ "aisle": "B", "level": 1 }],
          "settings": { "foo": { "bar": 1, "list": [7, 8] } }, "notes": { "text": "a fat cat" }, "found": "fat cat",
          "a.b, (c)": "one", "with \"quotes\"": "q" },
        { "id": 2, "at": { "aisle": "B", "level": 1 }, "codes": ["z"], "spots": [], "settings": {}, "notes": { "text": "a thin dog" },
          "found": "thin dog", "a.b, (c)": "two", "with \"quotes\"": null },
    ]);
    let entered = server.post(&ann, "shelves", rows, "").await;
    assert_eq!(entered.status, 201, "{}", entered.text);
    (server, ann)
}

#[tokio::test]
async fn paths_lead_into_composites_and_arrays() {
    let (server, ann) = Box::pin(shelves()).await;
    let cases = [
        ("shelves?select=at->>aisle,at->level&order=id", json!([{ "aisle": "A", "level": 3 }, { "aisle": "B", "level": 1 }])),
        ("shelves?select=id&at->>aisle=eq.B", json!([{ "id": 2 }])),
        ("shelves?select=id&order=at->level", json!([{ "id": 2 }, { "id": 1 }])),
        ("shelves?select=codes->0&id=eq.1", json!([{ "codes": "x" }])),
        ("shelves?select=last:codes->>-1,spots->0->>aisle&id=eq.1", json!([{ "last": "y", "aisle": "B" }])),
        ("shelves?select=id&codes->>1=eq.y", json!([{ "id": 1 }])),
        ("shelves?select=id&order=codes->>0.desc", json!([{ "id": 2 }, { "id": 1 }])),
    ];
    check(&server, &ann, &cases).await;
}

#[tokio::test]
async fn a_path_is_called_by_its_last_key() {
    let (server, ann) = Box::pin(shelves()).await;
    let cases = [
        ("shelves?select=settings->foo->>bar&id=eq.1", json!([{ "bar": "1" }])),
        ("shelves?select=settings->foo->list->1&id=eq.1", json!([{ "list": 8 }])),
        ("shelves?select=settings->foo->bar::text&id=eq.1", json!([{ "bar": "1" }])),
    ];
    check(&server, &ann, &cases).await;
    // Of JSON there is no sum; of a number in it there is.
    server.get(&ann, "shelves?select=settings->foo->bar.sum()").await.refused(404, "42883");
    assert_eq!(server.get(&ann, "shelves?select=settings->foo->bar::int.sum()").await.ok(), json!([{ "sum": 1 }]));
}

#[tokio::test]
async fn computed_fields_are_fields() {
    let (server, ann) = Box::pin(shelves()).await;
    let cases = [
        ("shelves?select=id,label&order=label.desc", json!([{ "id": 2, "label": "2/B" }, { "id": 1, "label": "1/A" }])),
        ("shelves?select=name:label&label=like.1*", json!([{ "name": "1/A" }])),
        ("shelves?select=id&or=(label.eq.2/B,id.eq.9)", json!([{ "id": 2 }])),
        ("shelves?select=label.max(),count()", json!([{ "max": "2/B", "count": 2 }])),
        ("shelves?select=label,count()&order=label", json!([{ "label": "1/A", "count": 1 }, { "label": "2/B", "count": 1 }])),
        // A name that is no column is called as a function of the row: the old way to count.
        ("shelves?select=count", json!([{ "count": 2 }])),
    ];
    check(&server, &ann, &cases).await;
}

#[tokio::test]
async fn text_is_searched_in_whatever_holds_it() {
    let (server, ann) = Box::pin(shelves()).await;
    let cases = [
        ("shelves?select=id&found=fts.cat", json!([{ "id": 1 }])),
        ("shelves?select=id&found=not.fts.cat", json!([{ "id": 2 }])),
        ("shelves?select=id&notes=fts(english).cats", json!([{ "id": 1 }])),
        ("shelves?select=id&notes=plfts.thin%20dog", json!([{ "id": 2 }])),
        ("shelves?select=id&notes->>text=wfts(english).dogs", json!([{ "id": 2 }])),
        ("shelves?select=id&settings=fts.nothing", json!([])),
    ];
    check(&server, &ann, &cases).await;
}

#[tokio::test]
async fn names_with_reserved_characters_stand_in_quotes() {
    let (server, ann) = Box::pin(shelves()).await;
    let cases = [
        (r#"shelves?select="a.b, (c)"&order=id"#, json!([{ "a.b, (c)": "one" }, { "a.b, (c)": "two" }])),
        (r#"shelves?select=id&"a.b, (c)"=eq.two"#, json!([{ "id": 2 }])),
        (r#"shelves?select=id&order="a.b, (c)".desc"#, json!([{ "id": 2 }, { "id": 1 }])),
        (r#"shelves?select=x:"with \"quotes\""&id=eq.1"#, json!([{ "x": "q" }])),
        (r#"shelves?select=id&or=("a.b, (c)".eq.one,id.eq.9)"#, json!([{ "id": 1 }])),
        (r#"shelves?select="a.b, (c)".max()"#, json!([{ "max": "two" }])),
    ];
    check(&server, &ann, &cases).await;
}

#[tokio::test]
async fn parts_that_are_said_in_other_ways() {
    let (server, ann) = Box::pin(shelves()).await;
    let all = server.get(&ann, "shelves?select=&order=id").await.ok();
    assert_eq!((all.as_array().unwrap().len(), &all[0]["label"], &all[0]["codes"]), (2, &json!(null), &json!(["x", "y"])));
    for (range, status, expected) in [("0-", 206, "0-0/2"), ("1-", 416, ""), ("1-0", 416, ""), ("x", 206, "0-0/2")] {
        let said = Said { prefer: "count=exact", header: Some(("range", range)), ..Said::default() };
        let answer = server.get_with(&ann, "shelves?order=id&limit=1&offset=0", said).await;
        assert_eq!((answer.status, answer.header("content-range")), (status, expected), "{range}");
    }
    let below = server.get(&ann, "shelves?limit=-1").await;
    let expected = json!({
        "code": "PGRST103", "message": "Requested range not satisfiable", "hint": null,
        "details": "Limit should be greater than or equal to zero.",
    });
    assert_eq!((below.status, &below.body), (416, &expected));
    let none = server.get_with(&ann, "shelves?limit=0", Said { prefer: "count=exact", ..Said::default() }).await;
    assert_eq!((none.header("content-range"), none.text.as_str()), ("*/2", "[]"));
}
