//! Views have the keys of the tables that they show: a row is put by it, merged by it, found by it, and pages are cut by it.

use serde_json::json;

use crate::server::{Caller, Said, Server};

const VIEWS: &str = "
create table public.shelves (company_id uuid not null default app.company_id(), id integer not null, label text, primary key (company_id, id));
select app.protect('public.shelves', 'customers');
create view public.boards with (security_invoker) as select company_id, id as number, label from public.shelves;
create view public.planks with (security_invoker) as select number, label, company_id from public.boards;
create view public.nameless with (security_invoker) as select company_id, label from public.shelves;
create view public.twofold with (security_invoker) as select s.company_id, s.id, t.n from public.shelves s cross join generate_series(1, 2) t (n);
create table public.parted (company_id uuid not null default app.company_id(), id integer not null, label text, primary key (company_id, id)) partition by range (id);
create table public.parted_1 partition of public.parted for values from (0) to (1000);
select app.protect('public.parted', 'customers');
grant select, insert, update, delete on public.boards, public.planks, public.nameless, public.twofold to authenticated, service_role;";
const MERGE: &str = "resolution=merge-duplicates,return=representation";

async fn views() -> (Server, Caller) {
    let server = Server::new().await;
    let owner = server.owner("ann").await;
    server.table(VIEWS).await;
    (server, owner)
}

#[tokio::test]
async fn a_row_is_put_by_the_key_of_the_table_below() {
    let (server, ann) = Box::pin(views()).await;
    for view in ["boards", "planks"] {
        let path = format!("{view}?number=eq.1&select=label");
        let made = server.put(&ann, &path, json!({ "number": 1, "label": view }), "return=representation").await;
        let again = server.put(&ann, &path, json!({ "number": 1, "label": "Again" }), "return=representation").await;
        assert_eq!((made.status, made.body), (201, json!([{ "label": view }])));
        assert_eq!((again.status, again.body), (200, json!([{ "label": "Again" }])));
        server.put(&ann, &format!("{view}?label=eq.x"), json!({ "number": 1, "label": "x" }), "").await.refused(405, "PGRST105");
        server.put(&ann, &path, json!({ "number": 2, "label": "x" }), "").await.refused(400, "PGRST115");
        server.delete(&ann, &format!("{view}?number=eq.1"), "").await.ok();
    }
    server.put(&ann, "nameless?label=eq.x", json!({ "label": "x" }), "").await.refused(405, "PGRST105");
    // Another company's row of the same number is another row.
    let bob = server.owner("bob").await;
    server.put(&ann, "boards?number=eq.7", json!({ "number": 7, "label": "Ann's" }), "").await.ok();
    server.put(&bob, "boards?number=eq.7", json!({ "number": 7, "label": "Bob's" }), "").await.ok();
    assert_eq!(server.get(&ann, "boards?select=label").await.ok(), json!([{ "label": "Ann's" }]));
    server.put(&Server::nobody(), "boards?number=eq.7", json!({ "number": 7 }), "").await.refused(401, "42501");
}

#[tokio::test]
async fn merged_rows_that_were_all_there_are_no_new_ones() {
    let (server, ann) = Box::pin(views()).await;
    for (path, id) in [("boards", "number"), ("parted", "id"), ("shelves", "id")] {
        let rows = |from: i32| json!([{ id: from, "label": "a" }, { id: from + 1, "label": "b" }]);
        let path = format!("{path}?select=label");
        for (from, status) in [(10, 201), (10, 200), (11, 201)] {
            let merged = server.post(&ann, &path, rows(from), MERGE).await;
            assert_eq!(
                (merged.status, merged.header("preference-applied")),
                (status, "resolution=merge-duplicates, return=representation")
            );
            assert_eq!(merged.body, json!([{ "label": "a" }, { "label": "b" }]), "{path} {from}");
        }
        assert_eq!(server.post(&ann, &path, json!([]), MERGE).await.status, 200, "{path}: nothing is new");
        server.delete(&ann, &format!("{}?{id}=gte.0", path.trim_end_matches("?select=label")), "").await.ok();
    }
    let plain = server.post(&ann, "nameless?select=label", json!([]), MERGE).await;
    assert_eq!((plain.status, plain.header("preference-applied")), (201, "return=representation"), "without a key nothing is merged");
    let bound = "resolution=merge-duplicates, handling=strict, max-affected=1";
    let both = server.post(&ann, "shelves", json!([{ "id": 1 }, { "id": 2 }]), bound).await;
    assert_eq!((both.status, both.header("preference-applied")), (201, "resolution=merge-duplicates, handling=strict"));
}

#[tokio::test]
async fn requests_of_a_batch_count_their_own_new_rows() {
    let (server, ann) = Box::pin(views()).await;
    let merge = |number: i32| json!({ "method": "POST", "path": "/boards", "headers": { "Prefer": "resolution=merge-duplicates" }, "body": { "number": number } });
    let answers = server.batch(&ann, json!([merge(1), merge(1), merge(2)]), Said::default()).await.ok();
    let statuses: Vec<_> = answers["responses"].as_array().unwrap().iter().map(|answer| answer["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 200, 201]);
}

#[tokio::test]
async fn a_new_row_of_a_view_has_a_place_and_its_pages_a_cursor() {
    let (server, ann) = Box::pin(views()).await;
    let made = server.post(&ann, "boards", json!({ "number": 5, "label": "x" }), "return=headers-only").await;
    assert_eq!((made.status, made.header("location")), (201, "/boards?number=eq.5"));
    server.post(&ann, "boards", json!([{ "number": 6 }, { "number": 7 }]), "").await.ok();
    let first = server.get_with(&ann, "boards?select=number&limit=2", Said { prefer: "paging=cursor", ..Said::default() }).await;
    assert_eq!(first.body, json!([{ "number": 5 }, { "number": 6 }]));
    let after = format!("after={}", first.header("next-cursor"));
    let second = server.get_with(&ann, "boards?select=number&limit=2", Said { prefer: &after, ..Said::default() }).await;
    assert_eq!((second.header("next-cursor"), &second.body), ("", &json!([{ "number": 7 }])));
    // Here a row of the table comes twice: its key tells no place.
    let twice = server.get_with(&ann, "twofold?limit=2", Said { prefer: "paging=cursor", ..Said::default() }).await;
    assert_eq!(twice.status, 400, "{}", twice.text);
}

#[tokio::test]
async fn the_description_marks_the_keys_of_views() {
    let (server, ann) = Box::pin(views()).await;
    let described = server.get(&ann, "").await.ok();
    let number = &described["definitions"]["boards"]["properties"]["number"];
    assert_eq!(number["description"], "Note:\nThis is a Primary Key.<pk/>");
}
