//! Rows that are there already: merged or left alone, by the key as clients know it, by whoever may.

use serde_json::{Value, json};

use crate::server::{Caller, Said, Server};

const MERGE: &str = "resolution=merge-duplicates,return=representation";
const IGNORE: &str = "resolution=ignore-duplicates,return=representation";
const FIRST: &str = "01900000-0000-7000-8000-000000000001";
const SECOND: &str = "01900000-0000-7000-8000-000000000002";

const LINKS: &str = "
create table public.links (company_id uuid not null default app.company_id(), a integer not null, b integer not null, note text,
  primary key (company_id, a, b), unique (company_id, note));
select app.protect('public.links', 'customers');";

async fn owner() -> (Server, Caller) {
    let server = Server::new().await;
    let owner = server.owner("ann").await;
    (server, owner)
}

fn person(id: &str, name: &str) -> Value {
    json!({ "id": id, "phone": "+15550100", "first_name": name, "last_name": "X" })
}

#[tokio::test]
async fn a_key_of_several_columns_is_merged_by_all_of_them() {
    let (server, ann) = Box::pin(owner()).await;
    server.table(LINKS).await;
    let rows = |note: &str| json!([{ "a": 1, "b": 1, "note": note }, { "a": 1, "b": 2, "note": format!("{note}2") }]);
    for (path, prefer, note, status, expected) in [
        ("links", MERGE, "new", 201, json!([{ "b": 1, "note": "new" }, { "b": 2, "note": "new2" }])),
        ("links", MERGE, "newer", 200, json!([{ "b": 1, "note": "newer" }, { "b": 2, "note": "newer2" }])),
        ("links?on_conflict=b,a", MERGE, "third", 200, json!([{ "b": 1, "note": "third" }, { "b": 2, "note": "third2" }])),
        ("links?on_conflict=a,b", IGNORE, "fourth", 201, json!([])),
    ] {
        let separator = if path.contains('?') { '&' } else { '?' };
        let answer = server.post(&ann, &format!("{path}{separator}select=b,note&order=b"), rows(note), prefer).await;
        assert_eq!((answer.status, &answer.body), (status, &expected), "{note}: {}", answer.text);
        assert_eq!(answer.header("content-range"), "*/*");
    }
    // By another unique key: its company is implied as well.
    let other = json!({ "a": 9, "b": 9, "note": "third" });
    let merged = server.post(&ann, "links?on_conflict=note&select=a,b", other, MERGE).await;
    assert_eq!((merged.status, &merged.body), (200, &json!([{ "a": 9, "b": 9 }])));
    // Nothing but the key: the row stays and is shown.
    let same = server.post(&ann, "links?select=a,b,note", json!({ "a": 9, "b": 9 }), MERGE).await;
    assert_eq!((same.status, &same.body), (200, &json!([{ "a": 9, "b": 9, "note": "third" }])));
}

#[tokio::test]
async fn half_of_a_key_is_no_key() {
    let (server, ann) = Box::pin(owner()).await;
    server.table(LINKS).await;
    server.post(&ann, "links?on_conflict=a", json!({ "a": 1, "b": 1 }), MERGE).await.refused(400, "42P10");
    server.post(&ann, "links?on_conflict=nothing", json!({ "a": 1, "b": 1 }), MERGE).await.refused(400, "42703");
    server.post(&ann, "links", json!([{ "a": 1, "b": 1 }, { "a": 1, "b": 1 }]), MERGE).await.refused(500, "21000");
    assert_eq!(server.get(&ann, "links").await.ok(), json!([]));
}

#[tokio::test]
async fn a_merge_counts_and_keeps_what_it_does_not_name() {
    let (server, ann) = Box::pin(owner()).await;
    let first = json!({ "id": FIRST, "phone": "+15550100", "first_name": "Ada", "last_name": "X", "notes": "kept" });
    assert_eq!(server.post(&ann, "customers", first, "").await.status, 201);
    let rows = json!([person(FIRST, "Eda"), person(SECOND, "Bob")]);
    let merged = server.post(&ann, "customers", rows, "resolution=merge-duplicates,count=exact").await;
    assert_eq!((merged.status, merged.text.as_str(), merged.header("content-range")), (201, "", "*/2"));
    assert_eq!(merged.header("preference-applied"), "resolution=merge-duplicates, count=exact");
    let kept = server.get(&ann, "customers?select=first_name,notes,version&order=id").await.ok();
    let expected = json!([{ "first_name": "Eda", "notes": "kept", "version": 2 }, { "first_name": "Bob", "notes": null, "version": 1 }]);
    assert_eq!(kept, expected);
    let one = Said { prefer: MERGE, accept: "application/vnd.pgrst.object+json", header: None };
    let object = server.call(&ann, ("POST", "customers?select=first_name"), Some(person(FIRST, "Fia").to_string()), one).await;
    assert_eq!((object.status, &object.body), (200, &json!({ "first_name": "Fia" })));
}

#[tokio::test]
async fn whoever_may_not_do_both_may_not_merge() {
    let (server, ann) = Box::pin(owner()).await;
    assert_eq!(server.post(&ann, "customers", person(FIRST, "Ada"), "").await.status, 201);
    for (role, status) in [("csr", 200), ("manager", 200), ("dispatcher", 403), ("technician", 403), ("viewer", 403)] {
        let member = server.member(&ann.company_id, role).await;
        let answer = server.post(&member, "customers", person(FIRST, role), "resolution=merge-duplicates").await;
        assert_eq!(answer.status, status, "{role}: {}", answer.text);
        let now = server.get(&ann, "customers?select=first_name").await.ok();
        assert_eq!(now[0]["first_name"] == role, status == 200, "{role}");
    }
    let bob = server.owner("bob").await;
    let own = server.post(&bob, "customers?select=first_name", person(FIRST, "Bea"), MERGE).await;
    assert_eq!((own.status, &own.body), (201, &json!([{ "first_name": "Bea" }])), "the same id in another company is another row");
    assert_eq!(server.get(&ann, "customers?select=first_name").await.ok(), json!([{ "first_name": "manager" }]));
}

#[tokio::test]
async fn the_service_merges_within_the_company_it_names() {
    let (server, ann) = Box::pin(owner()).await;
    let bob = server.owner("bob").await;
    for (who, name) in [(&ann, "Ada"), (&bob, "Bea")] {
        assert_eq!(server.post(who, "customers", person(FIRST, name), "").await.status, 201);
    }
    let service = server.service();
    server.post(&service, "customers", person(FIRST, "No company"), MERGE).await.refused(400, "23502");
    let mut row = person(FIRST, "Named");
    row["company_id"] = json!(bob.company_id);
    let merged = server.post(&service, "customers?select=first_name,company_id", row, MERGE).await;
    assert_eq!((merged.status, &merged.body), (200, &json!([{ "first_name": "Named", "company_id": bob.company_id }])));
    let within = server.post(&service.working_in(&ann.company_id), "customers?select=company_id", person(FIRST, "Within"), MERGE).await;
    assert_eq!((within.status, &within.body), (200, &json!([{ "company_id": ann.company_id }])));
    let all = server.get(&service, "customers?select=first_name&order=first_name").await.ok();
    assert_eq!(all, json!([{ "first_name": "Named" }, { "first_name": "Within" }]));
}

#[tokio::test]
async fn put_meets_a_row_that_is_marked_as_deleted() {
    let (server, ann) = Box::pin(owner()).await;
    assert_eq!(server.post(&ann, "customers", person(FIRST, "Ada"), "").await.status, 201);
    let one = format!("customers?id=eq.{FIRST}");
    assert_eq!(server.patch(&ann, &one, json!({ "deleted_at": "2026-11-21T00:00:00Z" }), "").await.status, 204);
    server.put(&ann, &one, person(FIRST, "Again"), "").await.refused(409, "row_deleted");
    server.put(&ann, &one, person(SECOND, "Other"), "").await.refused(400, "PGRST115");
    server.put(&ann, &one, json!({ "first_name": "Of no key" }), "").await.refused(400, "PGRST115");
    server.put(&ann, &one, json!({}), "").await.refused(400, "PGRST115");
    server.put(&ann, &one, json!([]), "").await.refused(400, "PGRST115");
    assert_eq!(server.put(&ann, &one, person(FIRST, "Again"), "deleted=include").await.status, 204);
}
