//! Inserts, updates, upserts, deletes, and what they answer.

use serde_json::{Value, json};

use crate::server::{Caller, Said, Server};

const FULL: &str = "return=representation";

async fn owner() -> (Server, Caller) {
    let server = Server::new().await;
    let owner = server.owner("ann").await;
    (server, owner)
}

fn ada() -> Value {
    json!({ "first_name": "Ada", "last_name": "A" })
}

#[tokio::test]
async fn an_insert_answers_what_was_preferred() {
    let (server, owner) = Box::pin(owner()).await;
    for prefer in ["", "return=minimal"] {
        let answer = server.post(&owner, "customers", ada(), prefer).await;
        assert_eq!((answer.status, answer.text.as_str(), answer.header("content-range")), (201, "", "*/*"));
        assert!(!answer.headers.contains_key("content-type") && !answer.headers.contains_key("location"));
        assert_eq!(answer.header("preference-applied"), prefer);
    }
    let full = server.post(&owner, "customers?select=first_name,version", ada(), FULL).await;
    assert_eq!((full.status, &full.body), (201, &json!([{ "first_name": "Ada", "version": 1 }])));
    let place = server.post(&owner, "customers", ada(), "return=headers-only").await;
    let location = place.header("location").to_owned();
    assert!(place.text.is_empty() && location.starts_with("/customers?id=eq."), "{location}");
    let found = server.get(&owner, &format!("{}&select=first_name", location.trim_start_matches('/'))).await.ok();
    assert_eq!(found, json!([{ "first_name": "Ada" }]));
    let counted = server.post(&owner, "customers", ada(), "count=exact").await;
    assert_eq!(counted.header("content-range"), "*/1");
}

#[tokio::test]
async fn many_rows_none_and_one_object() {
    let (server, owner) = Box::pin(owner()).await;
    let many = server.post(&owner, "customers?select=first_name", json!([ada(), ada()]), FULL).await;
    assert_eq!((many.status, many.body.as_array().unwrap().len()), (201, 2));
    let none = server.post(&owner, "customers", json!([]), FULL).await;
    assert_eq!((none.status, &none.body), (201, &json!([])));
    let object = Said { prefer: FULL, accept: "application/vnd.pgrst.object+json", ..Said::default() };
    let one = server.call(&owner, ("POST", "customers?select=first_name"), Some(ada().to_string()), object).await;
    assert_eq!((one.status, &one.body), (201, &json!({ "first_name": "Ada" })));
    let two = server.call(&owner, ("POST", "customers"), Some(json!([ada(), ada()]).to_string()), object).await;
    two.refused(406, "PGRST116");
    assert_eq!(server.get(&owner, "customers?select=id").await.ok().as_array().unwrap().len(), 3, "the two were not kept");
}

#[tokio::test]
async fn columns_choose_what_of_the_body_is_written() {
    let (server, owner) = Box::pin(owner()).await;
    let rows = json!([{ "first_name": "Ada", "last_name": "A", "notes": "x", "odd": 1 }, { "first_name": "Bob", "last_name": "B" }]);
    let path = "customers?columns=first_name,last_name&select=first_name,notes&order=first_name";
    let written = server.post(&owner, path, rows.clone(), FULL).await;
    assert_eq!(written.ok(), json!([{ "first_name": "Ada", "notes": null }, { "first_name": "Bob", "notes": null }]));
    server.post(&owner, "customers", rows, "").await.refused(400, "PGRST102");
    let unknown = server.post(&owner, "customers", json!({ "odd": 1 }), "").await;
    unknown.refused(400, "PGRST204");
    assert_eq!(unknown.body["message"], "Could not find the 'odd' column of 'customers' in the schema cache");
    server.post(&owner, "customers?columns=odd", ada(), "").await.refused(400, "PGRST204");
}

#[tokio::test]
async fn rows_of_defaults() {
    let (server, owner) = Box::pin(owner()).await;
    server
        .table(
            "create table public.stamps (company_id uuid not null default app.company_id(), id integer generated always as identity,
             at timestamptz not null default now(), primary key (company_id, id)); select app.protect('public.stamps', 'customers');",
        )
        .await;
    assert_eq!(server.post(&owner, "stamps", json!({}), "").await.status, 201);
    assert_eq!(server.post(&owner, "stamps", json!([{}, {}]), "").await.status, 201);
    assert_eq!(server.get(&owner, "stamps?select=id&order=id").await.ok(), json!([{ "id": 1 }, { "id": 2 }, { "id": 3 }]));
}

#[tokio::test]
async fn a_change_touches_what_fits_and_answers_how_many() {
    let (server, owner) = Box::pin(owner()).await;
    server.post(&owner, "customers", json!([ada(), ada(), { "first_name": "Bob", "last_name": "B" }]), "").await.ok();
    let minimal = server.patch(&owner, "customers?first_name=eq.Ada", json!({ "notes": "x" }), "").await;
    assert_eq!((minimal.status, minimal.header("content-range"), minimal.text.as_str()), (204, "0-1/*", ""));
    let path = "customers?first_name=eq.Bob&select=notes,version";
    let full = server.patch(&owner, path, json!({ "notes": "y" }), "return=representation,count=exact").await;
    assert_eq!((full.status, full.header("content-range"), &full.body), (200, "0-0/1", &json!([{ "notes": "y", "version": 2 }])));
    let none = server.patch(&owner, "customers?first_name=eq.Eve", json!({ "notes": "z" }), FULL).await;
    assert_eq!((none.status, none.header("content-range"), &none.body), (200, "*/*", &json!([])));
    for empty in [json!({}), json!([]), json!([{}])] {
        let answer = server.patch(&owner, "customers", empty, "").await;
        assert_eq!((answer.status, answer.header("content-range")), (204, "*/*"));
    }
    let strict = server.patch(&owner, "customers", json!({ "notes": "all" }), "handling=strict,max-affected=2").await;
    strict.refused(400, "PGRST124");
    assert_eq!(server.get(&owner, "customers?notes=eq.all").await.ok(), json!([]));
}

#[tokio::test]
async fn a_deletion_answers_what_was_deleted() {
    let (server, owner) = Box::pin(owner()).await;
    let id = server.customer(&owner, "Ada").await;
    server.customer(&owner, "Bob").await;
    let gone = server.delete(&owner, &format!("customers?id=eq.{id}&select=first_name"), FULL).await;
    assert_eq!((gone.status, &gone.body), (200, &json!([{ "first_name": "Ada" }])));
    let again = server.delete(&owner, &format!("customers?id=eq.{id}"), "").await;
    assert_eq!((again.status, again.text.as_str()), (204, ""));
    assert_eq!(server.get(&owner, "customers?select=first_name").await.ok(), json!([{ "first_name": "Bob" }]));
}

#[tokio::test]
async fn an_upsert_merges_by_the_key_as_clients_know_it() {
    let (server, owner) = Box::pin(owner()).await;
    let id = server.customer(&owner, "Ada").await;
    let new = "01900000-0000-7000-8000-00000000abcd";
    let rows = json!([{ "id": id, "first_name": "Eda", "last_name": "X" }, { "id": new, "first_name": "New", "last_name": "X" }]);
    let merge = format!("resolution=merge-duplicates,{FULL}");
    let path = "customers?select=first_name&order=first_name";
    for (path, status) in
        [(path.to_owned(), 201), (format!("{path}&on_conflict=id"), 200), (format!("{path}&on_conflict=company_id,id"), 200)]
    {
        let merged = server.post(&owner, &path, rows.clone(), &merge).await;
        assert_eq!((merged.status, &merged.body), (status, &json!([{ "first_name": "Eda" }, { "first_name": "New" }])), "{path}");
        assert_eq!(merged.header("preference-applied"), "resolution=merge-duplicates, return=representation");
    }
    let ignored = json!([{ "id": id, "first_name": "Not", "last_name": "X" }]);
    let left = server.post(&owner, path, ignored, &format!("resolution=ignore-duplicates,{FULL}")).await;
    assert_eq!((left.status, &left.body), (201, &json!([])));
    let star = server.post(&owner, "customers?on_conflict=id", rows, &merge).await;
    assert_eq!(star.body[0].as_object().unwrap().keys().filter(|key| key.starts_with("thorbis")).count(), 0);
    server.post(&owner, "customers?on_conflict=first_name", ada(), &merge).await.refused(400, "42P10");
    server.post(&owner, "customers", json!({ "id": new, "first_name": "X", "last_name": "Y" }), "").await.refused(409, "23505");
}

#[tokio::test]
async fn put_is_one_row_by_its_key() {
    let (server, owner) = Box::pin(owner()).await;
    let id = "01900000-0000-7000-8000-00000000abcd";
    let row = |name: &str| json!({ "id": id, "first_name": name, "last_name": "X" });
    let path = format!("customers?id=eq.{id}");
    assert_eq!(server.put(&owner, &path, row("New"), "").await.status, 201);
    assert_eq!(server.put(&owner, &path, row("Other"), "").await.status, 204);
    let full = server.put(&owner, &format!("{path}&select=first_name"), row("Third"), FULL).await;
    assert_eq!((full.status, &full.body), (200, &json!([{ "first_name": "Third" }])));
    server.put(&owner, "customers?id=eq.01900000-0000-7000-8000-00000000ffff", row("X"), "").await.refused(400, "PGRST115");
    server.put(&owner, "customers?first_name=eq.X", row("X"), "").await.refused(405, "PGRST105");
    server.put(&owner, &format!("{path}&limit=1"), row("X"), "").await.refused(400, "PGRST114");
}

#[tokio::test]
async fn a_rule_of_the_database_is_told_and_nothing_is_kept() {
    let (server, owner) = Box::pin(owner()).await;
    let rows = json!([ada(), { "first_name": "Bob", "last_name": "x".repeat(121) }]);
    server.post(&owner, "customers", rows, "").await.refused(400, "23514");
    assert_eq!(server.get(&owner, "customers").await.ok(), json!([]));
    server.post(&owner, "jobs", json!({ "title": "Fix", "status": "draft" }), "").await.refused(422, "job_status_draft");
}
