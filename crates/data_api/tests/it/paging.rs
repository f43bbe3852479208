//! Pages by a cursor: every row once, in order, whatever comes and goes between two pages.

use serde_json::{Value, json};

use crate::server::{Answer, Caller, Said, Server};

const PAGED: &str = "paging=cursor";
/// Rows whose order needs more than one column, in both directions, with nothing in some of them.
const TABLES: &str =
    "create table public.stops (company_id uuid not null default app.company_id(), id integer not null, rank integer, score numeric,
    name text not null, place jsonb, primary key (company_id, id));
  select app.enclose('public.stops'); select app.protect('public.stops', 'customers');
  create index stops_rank on public.stops (company_id, rank desc nulls last, id);
  create view public.all_stops with (security_invoker = true) as select * from public.stops;
  create view public.ranks with (security_invoker = true) as select rank, name from public.stops;
  create view public.twin_stops with (security_invoker = true) as select s.* from public.stops s cross join generate_series(1, 2);
  create function public.some_stops() returns setof public.stops language sql stable as 'select * from public.stops';
  grant execute on function public.some_stops() to authenticated;";

async fn stops() -> (Server, Caller, Caller) {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    server.table(TABLES).await;
    let rows = [
        (1, Some(5), Some("1.10"), "b, \"1\""),
        (2, None, Some("1.1"), "a"),
        (3, Some(5), None, "ä"),
        (4, Some(7), Some("NaN"), ""),
        (5, None, None, "a"),
        (6, Some(-1), Some("99999999999999999999.5"), "b"),
        (7, Some(5), Some("1.1"), "'; drop"),
    ];
    let of = |company: &str| {
        let row = |(id, rank, score, name): &(i32, Option<i32>, Option<&str>, &str)| json!({ "company_id": company, "id": id, "rank": rank, "score": score, "name": name, "place": { "n": id % 3 } });
        rows.iter().map(row).collect::<Vec<Value>>()
    };
    for who in [&ann, &bob] {
        assert_eq!(server.post(who, "stops", json!(of(&who.company_id)), "").await.status, 201);
    }
    (server, ann, bob)
}

fn prefer(prefer: &str) -> Said<'_> {
    Said { prefer, accept: "", header: None }
}

/// Returns the ids of a page and the cursor of the next one.
fn page(answer: Answer) -> (Vec<i64>, Option<String>) {
    let next = answer.headers.get("next-cursor").map(|value| value.to_str().unwrap().to_owned());
    (answer.ok().as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect(), next)
}

/// Reads all pages.
async fn pages(server: &Server, who: &Caller, path: &str) -> Vec<Vec<i64>> {
    let (mut pages, mut wish) = (Vec::new(), PAGED.to_owned());
    loop {
        let (ids, next) = page(server.get_with(who, path, prefer(&wish)).await);
        pages.push(ids);
        match next {
            Some(cursor) if pages.len() < 20 => wish = format!("after={cursor}"),
            _ => return pages,
        }
    }
}

#[tokio::test]
async fn every_row_comes_once_and_in_order() {
    let (server, ann, _) = Box::pin(stops()).await;
    for (order, expected) in [
        ("", vec![1, 2, 3, 4, 5, 6, 7]),
        ("&order=id.desc", vec![7, 6, 5, 4, 3, 2, 1]),
        // What is the same goes by the key; nothing is larger than all, or stands where it was put.
        ("&order=rank", vec![6, 1, 3, 7, 4, 2, 5]),
        ("&order=rank.desc", vec![2, 5, 4, 1, 3, 7, 6]),
        ("&order=rank.desc.nullslast,id.desc", vec![4, 7, 3, 1, 6, 5, 2]),
        ("&order=rank.nullsfirst,name.desc", vec![2, 5, 6, 3, 1, 7, 4]),
        // 1.10 and 1.1 are the same number; what is no number is larger than all.
        ("&order=score", vec![1, 2, 7, 6, 4, 3, 5]),
        ("&order=score.desc.nullsfirst,id.desc", vec![5, 3, 4, 6, 7, 2, 1]),
        ("&order=place->n,id.desc", vec![6, 3, 7, 4, 1, 5, 2]),
        ("&order=place->>n.desc", vec![2, 5, 1, 4, 7, 3, 6]),
        ("&rank=not.is.null&order=rank", vec![6, 1, 3, 7, 4]),
    ] {
        for limit in [1, 2, 3, 100] {
            let path = format!("stops?select=id&limit={limit}{order}");
            let read = pages(&server, &ann, &path).await;
            assert_eq!(read.concat(), expected, "{path}");
            assert!(
                read.iter().all(|ids| ids.len() <= limit) && read.iter().rev().skip(1).all(|ids| ids.len() == limit),
                "{path}: {read:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_page_begins_behind_its_cursor_whatever_came_and_went() {
    let (server, ann, bob) = Box::pin(stops()).await;
    let path = "stops?select=id&limit=2&order=rank.desc.nullslast";
    let first = server.get_with(&ann, path, prefer("paging=cursor, count=exact")).await;
    assert_eq!(
        (first.status, first.header("content-range"), first.header("preference-applied")),
        (206, "0-1/7", "count=exact, paging=cursor")
    );
    let (ids, cursor) = page(first);
    assert_eq!(ids, [4, 1]);
    let wish = format!("after={}", cursor.unwrap());
    // The row of the cursor goes, one comes before it and one behind it.
    assert_eq!(server.delete(&ann, "stops?id=eq.1", "").await.status, 204);
    let come = json!([{ "id": 8, "rank": 6, "name": "x" }, { "id": 9, "rank": 5, "name": "x" }]);
    assert_eq!(server.post(&ann, "stops", come, "").await.status, 201);
    let (ids, cursor) = page(server.get_with(&ann, path, prefer(&wish)).await);
    assert_eq!(ids, [3, 7]);
    // All that fit are counted, not what is left.
    let last = format!("after={}, count=exact", cursor.unwrap());
    let third = server.get_with(&ann, path, prefer(&last)).await;
    assert_eq!(third.header("content-range"), "0-1/8");
    assert_eq!(page(third).0, [9, 6]);

    // A cursor is nobody's right to anything: with it another company, made later, reads its own rows.
    assert_eq!(page(server.get_with(&bob, path, prefer(&wish)).await).0, [1, 3]);
    server.get_with(&Server::nobody(), path, prefer(&wish)).await.refused(401, "42501");
    // Rows may be embedded, filtered, shown in lines; HEAD has the cursor, too.
    let lines =
        server.get_with(&ann, "stops?select=id,name&limit=1&rank=eq.5", Said { prefer: PAGED, accept: "text/csv", header: None }).await;
    assert_eq!((lines.text.as_str(), lines.headers.contains_key("next-cursor")), ("id,name\n3,ä", true));
    let head = server.call(&ann, ("HEAD", path), None, prefer(PAGED)).await;
    assert!(head.headers.contains_key("next-cursor") && head.text.is_empty());
}

#[tokio::test]
async fn where_there_are_no_pages() {
    let (server, ann, _) = Box::pin(stops()).await;
    for (path, details) in [
        ("stops?offset=2", "A page begins behind its cursor, and not at an offset."),
        ("stops?limit=0", "A page of no rows has no last one."),
        ("stops?select=rank,count()", "Groups of rows have no key."),
        ("ranks?limit=2", "The relation has no primary key."),
        ("twin_stops?limit=2", "The view's rows are not those of one table, each of them once."),
        ("rpc/some_stops?limit=2", "Rows of a function have no key."),
        ("jobs?select=id,customers(id)&order=customers(id)", "Pages are in the order of the relation's own columns."),
    ] {
        let refused = server.get_with(&ann, path, prefer(PAGED)).await;
        refused.refused(400, "cursor_not_possible");
        assert_eq!(refused.body["details"], details, "{path}");
    }
    let (_, cursor) = page(server.get_with(&ann, "stops?select=id&limit=2&order=rank", prefer(PAGED)).await);
    let cursor = cursor.unwrap();
    // ["...", null, null, null]: a key without a value.
    let hollow = "WyJ4eHh4eHh4eCIsbnVsbCxudWxsLG51bGxd";
    for (path, wish) in [
        ("stops?order=name", cursor.as_str()),
        ("stops?order=rank.desc", cursor.as_str()),
        ("stops?order=rank,name", cursor.as_str()),
        ("customers?order=rank", cursor.as_str()),
        ("stops?order=rank", hollow),
        ("stops?order=rank", "x"),
        ("stops?order=rank", "bm8"),
        ("stops?order=rank", &cursor[1..]),
    ] {
        let code = if path.starts_with("customers") { "cursor_not_possible" } else { "invalid_cursor" };
        server.get_with(&ann, path, prefer(&format!("after={wish}"))).await.refused(400, code);
    }
    // Writes have no pages, and a wish may be in vain.
    let written = server.patch(&ann, "stops?id=eq.1", json!({ "rank": 6 }), PAGED).await;
    assert_eq!((written.status, written.headers.contains_key("next-cursor")), (204, false));
}
