//! Which rows: every operator, trees, quoted values.

use serde_json::Value;

use crate::server::{Caller, Server};

const THINGS: &str = "
create table public.things (
  company_id uuid not null default app.company_id(), id integer not null, name text, amount numeric, is_open boolean,
  at timestamptz, tags text[], span int4range, data jsonb, words tsvector, code uuid, primary key (company_id, id));
select app.protect('public.things', 'customers');";

const ROWS: &str = r#"[
  {"id":1,"name":"Alpha","amount":1.5,"is_open":true,"at":"2026-01-01T00:00:00Z","tags":["a","b"],"span":"[1,5)",
   "data":{"city":"Rome","deep":{"n":1},"list":["x","y"]},"words":"fat cat","code":"00000000-0000-7000-8000-000000000001"},
  {"id":2,"name":"beta, or (b)","amount":2.5,"is_open":false,"at":"2026-02-01T00:00:00Z","tags":["b","c"],"span":"[5,9)",
   "data":{"city":"Oslo"},"words":"thin dog","code":"00000000-0000-7000-8000-000000000002"},
  {"id":3,"name":"Gam\"ma","amount":3.5,"is_open":null,"at":null,"tags":[],"span":"[20,30)","data":null,"words":"fat:1 dog:2",
   "code":null}]"#;

async fn things() -> (Server, Caller) {
    let server = Server::new().await;
    let owner = server.owner("ann").await;
    server.table(THINGS).await;
    let rows: Value = serde_json::from_str(ROWS).unwrap();
    assert_eq!(server.post(&owner, "things", rows, "").await.status, 201);
    (server, owner)
}

/// Checks which ids each query finds.
async fn check(cases: &[(&str, &[i64])]) {
    let (server, owner) = Box::pin(things()).await;
    for (query, expected) in cases {
        let answer = server.get(&owner, &format!("things?select=id&order=id&{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text);
        let found: Vec<i64> = answer.body.as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect();
        assert_eq!(found, *expected, "{query}");
    }
}

#[tokio::test]
async fn comparisons() {
    Box::pin(check(&[
        ("id=eq.2", &[2]),
        ("id=neq.2", &[1, 3]),
        ("amount=gt.1.5", &[2, 3]),
        ("amount=gte.2.5", &[2, 3]),
        ("at=lt.2026-01-15T00:00:00Z", &[1]),
        ("amount=lte.2.5", &[1, 2]),
        ("name=like.*lpha", &[1]),
        ("name=like.b*(b)", &[2]),
        ("name=ilike.ALPHA", &[1]),
        ("name=match.^[A-Z]", &[1, 3]),
        ("name=imatch.^b", &[2]),
        ("code=eq.00000000-0000-7000-8000-000000000001", &[1]),
        ("is_open=isdistinct.true", &[2, 3]),
        ("id=gt.1&id=lt.3", &[2]),
    ]))
    .await;
}

#[tokio::test]
async fn lists_nulls_and_truth() {
    Box::pin(check(&[
        ("id=in.(1,3)", &[1, 3]),
        ("id=in.()", &[]),
        ("name=in.(Alpha,%22beta,%20or%20(b)%22)", &[1, 2]),
        (r#"name=in.("Gam\"ma")"#, &[3]),
        ("is_open=is.null", &[3]),
        ("is_open=is.not_null", &[1, 2]),
        ("is_open=is.true", &[1]),
        ("is_open=is.FALSE", &[2]),
        ("is_open=is.unknown", &[3]),
        ("is_open=not.is.true", &[2, 3]),
        ("id=not.in.(1,2)", &[3]),
        ("id=eq(any).{1,3}", &[1, 3]),
        ("name=like(all).{*l*,*a}", &[1]),
        ("amount=gt(all).{1,2}", &[2, 3]),
    ]))
    .await;
}

#[tokio::test]
async fn arrays_ranges_and_json() {
    Box::pin(check(&[
        ("tags=cs.{b}", &[1, 2]),
        ("tags=cd.{a,b,d}", &[1, 3]),
        ("tags=ov.{c,z}", &[2]),
        ("span=sl.[5,6)", &[1]),
        ("span=sr.[1,5)", &[2, 3]),
        ("span=nxr.[1,9)", &[1, 2]),
        ("span=nxl.[5,6)", &[2, 3]),
        ("span=adj.[9,12)", &[2]),
        ("span=ov.[4,6)", &[1, 2]),
        (r#"data=cs.{"city":"Rome"}"#, &[1]),
        ("data->>city=eq.Oslo", &[2]),
        ("data->deep->n=eq.1", &[1]),
        ("data->list->>0=eq.x", &[1]),
        ("tags->>1=eq.c", &[2]),
    ]))
    .await;
}

#[tokio::test]
async fn text_search() {
    Box::pin(check(&[
        ("words=fts.fat", &[1, 3]),
        ("words=fts(simple).fat%20%26%20cat", &[1]),
        ("words=plfts.thin%20dog", &[2]),
        ("words=phfts.fat%20dog", &[3]),
        ("words=wfts.dog%20-fat", &[2]),
        ("name=fts(simple).alpha", &[1]),
        ("words=not.fts.fat", &[2]),
    ]))
    .await;
}

#[tokio::test]
async fn trees() {
    Box::pin(check(&[
        ("or=(id.eq.1,id.eq.3)", &[1, 3]),
        ("and=(id.gte.2,amount.lt.3)", &[2]),
        ("not.or=(id.eq.1,id.eq.3)", &[2]),
        ("or=(and(id.eq.1,is_open.is.true),and(id.gt.1,not.or(id.eq.2,name.is.null)))", &[1, 3]),
        (r#"or=(name.eq."beta, or (b)",name.eq.Alpha)"#, &[1, 2]),
        ("or=(tags.cs.{a,b},id.in.(3,4))", &[1, 3]),
        ("or=(id.eq.1,id.eq.2)&is_open=is.true", &[1]),
        ("or=(data->>city.eq.Oslo,id.eq.1)", &[1, 2]),
    ]))
    .await;
}

#[tokio::test]
async fn a_table_that_was_just_made_is_found() {
    let server = Server::new().await;
    let owner = server.owner("ann").await;
    server.api.reload().await.unwrap();
    let made = format!("set role app_owner; {THINGS}");
    server.get(&owner, "things").await.refused(404, "PGRST205");
    server.db.superuser().await.batch_execute(&made).await.unwrap();
    server.api.reload().await.unwrap();
    assert_eq!(server.get(&owner, "things").await.ok(), serde_json::json!([]));
}
