//! How many rows there are beside those that are answered: counted, expected by the planner, or either.

use data_api::DataApiConfig;
use serde_json::json;

use crate::server::{Caller, Said, Server};

const TABLE: &str = "
create table public.things (
  company_id uuid not null default app.company_id(), id integer not null, kind text not null, primary key (company_id, id));
select app.protect('public.things', 'customers');
create function public.all_things() returns setof public.things language sql stable as 'select * from public.things';
grant execute on function public.all_things to authenticated, service_role;";

/// One company with so many things, of which the planner knows; an answer has at most ten rows.
async fn things(count: u32) -> (Server, Caller) {
    let server = Server::with(DataApiConfig { rows_max: 10, ..DataApiConfig::default() }).await;
    let ann = server.owner("ann").await;
    server.table(TABLE).await;
    let rows: Vec<_> = (1..=count).map(|id| json!({ "id": id, "kind": if id % 2 == 0 { "even" } else { "odd" } })).collect();
    assert_eq!(server.post(&ann, "things", json!(rows), "").await.status, 201);
    server.db.superuser().await.batch_execute("analyze public.things").await.unwrap();
    (server, ann)
}

async fn range(server: &Server, who: &Caller, request: (&str, &str), prefer: &str) -> (u16, String) {
    let answer = server.call(who, request, None, Said { prefer, ..Said::default() }).await;
    assert_eq!(answer.header("preference-applied"), if answer.status < 300 { prefer } else { "" }, "{}", answer.text);
    (answer.status, answer.header("content-range").to_owned())
}

#[tokio::test]
async fn what_the_planner_expects() {
    let (server, ann) = Box::pin(things(100)).await;
    let service = server.service();
    let planned = "count=planned";
    for method in ["GET", "HEAD"] {
        // The service sees all rows, whose number the planner knows from its statistics.
        assert_eq!(range(&server, &service, (method, "things"), planned).await, (206, "0-9/100".to_owned()));
        assert_eq!(range(&server, &service, (method, "things?kind=eq.odd&limit=3"), planned).await, (206, "0-2/50".to_owned()));
    }
    assert_eq!(range(&server, &service, ("GET", "things?offset=90"), planned).await, (206, "90-99/100".to_owned()));
    let behind = server.get_with(&service, "things?offset=101", Said { prefer: planned, ..Said::default() }).await;
    behind.refused(416, "PGRST103");
    assert_eq!(behind.body["details"], "An offset of 101 was requested, but there are only 100 rows.");
    // Whoever has policies is told what they leave: the planner is asked as this caller.
    let (status, mine) = range(&server, &ann, ("GET", "things?limit=1"), planned).await;
    assert!(
        mine.strip_prefix("0-0/").and_then(|total| total.parse::<i64>().ok()).is_some_and(|total| (1..=100).contains(&total)),
        "{mine}"
    );
    assert!(matches!(status, 200 | 206));
    let nobody = server.get_with(&Server::nobody(), "things", Said { prefer: planned, ..Said::default() }).await;
    nobody.refused(401, "42501");
}

#[tokio::test]
async fn few_rows_are_counted_and_many_are_expected() {
    let (server, ann) = Box::pin(things(100)).await;
    let service = server.service();
    let estimated = "count=estimated";
    for (path, expected) in [
        // As many as an answer may have: still counted.
        ("things?id=lte.10", (200, "0-9/10")),
        ("things?id=lte.4&limit=3", (206, "0-2/4")),
        ("things?id=eq.0", (200, "*/0")),
        // More of them: the planner's number.
        ("things", (206, "0-9/100")),
        ("things?kind=eq.even&limit=2", (206, "0-1/50")),
    ] {
        for method in ["GET", "HEAD"] {
            let (status, range) = range(&server, &service, (method, path), estimated).await;
            assert_eq!((status, range.as_str()), expected, "{method} {path}");
        }
    }
    // Where the planner expects fewer than were found, what was found counts.
    server.db.superuser().await.batch_execute("delete from public.things where id > 11; analyze public.things").await.unwrap();
    let more = json!((200..230).map(|id| json!({ "id": id, "kind": "late" })).collect::<Vec<_>>());
    assert_eq!(server.post(&ann, "things", more, "").await.status, 201);
    assert_eq!(range(&server, &service, ("GET", "things?kind=eq.late"), estimated).await, (206, "0-9/11".to_owned()));
    assert_eq!(range(&server, &service, ("GET", "things?kind=eq.late"), "count=exact").await, (206, "0-9/30".to_owned()));
}

#[tokio::test]
async fn of_functions_and_writes_nothing_is_expected() {
    let (server, ann) = Box::pin(things(30)).await;
    for (prefer, expected) in [("count=exact", "0-9/30"), ("count=estimated", "0-9/30"), ("count=planned", "0-9/*")] {
        let (status, range) = range(&server, &ann, ("GET", "rpc/all_things"), prefer).await;
        assert_eq!((status, range.as_str()), (if prefer == "count=planned" { 200 } else { 206 }, expected), "{prefer}");
    }
    for (prefer, expected) in [("count=exact", "0-1/2"), ("count=estimated", "0-1/2"), ("count=planned", "0-1/*")] {
        let changed = server.patch(&ann, "things?id=lte.2", json!({ "kind": "new" }), prefer).await;
        assert_eq!((changed.status, changed.header("content-range"), changed.header("preference-applied")), (204, expected, prefer));
    }
}

#[tokio::test]
async fn another_companys_rows_are_not_counted() {
    let (server, _ann) = Box::pin(things(30)).await;
    let bob = server.owner("bob").await;
    assert_eq!(range(&server, &bob, ("GET", "things"), "count=estimated").await, (200, "*/0".to_owned()));
    assert_eq!(range(&server, &bob, ("GET", "things"), "count=exact").await, (200, "*/0".to_owned()));
}
