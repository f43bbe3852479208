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
    json!({ "phone": "+15550100", "first_name": "Ada", "last_name": "A" })
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
    let rows = json!([{ "phone": "+15550100", "first_name": "Ada", "last_name": "A", "notes": "x", "odd": 1 }, { "phone": "+15550100", "first_name": "Bob", "last_name": "B" }]);
    let path = "customers?columns=first_name,last_name,phone&select=first_name,notes&order=first_name";
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
    server.post(&owner, "customers", json!([ada(), ada(), { "phone": "+15550100", "first_name": "Bob", "last_name": "B" }]), "").await.ok();
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
    let rows = json!([{ "id": id, "phone": "+15550100", "first_name": "Eda", "last_name": "X" }, { "id": new, "phone": "+15550100", "first_name": "New", "last_name": "X" }]);
    let merge = format!("resolution=merge-duplicates,{FULL}");
    let path = "customers?select=first_name&order=first_name";
    for (path, status) in
        [(path.to_owned(), 201), (format!("{path}&on_conflict=id"), 200), (format!("{path}&on_conflict=company_id,id"), 200)]
    {
        let merged = server.post(&owner, &path, rows.clone(), &merge).await;
        assert_eq!((merged.status, &merged.body), (status, &json!([{ "first_name": "Eda" }, { "first_name": "New" }])), "{path}");
        assert_eq!(merged.header("preference-applied"), "resolution=merge-duplicates, return=representation");
    }
    let ignored = json!([{ "id": id, "phone": "+15550100", "first_name": "Not", "last_name": "X" }]);
    let left = server.post(&owner, path, ignored, &format!("resolution=ignore-duplicates,{FULL}")).await;
    assert_eq!((left.status, &left.body), (201, &json!([])));
    let star = server.post(&owner, "customers?on_conflict=id", rows, &merge).await;
    assert_eq!(star.body[0].as_object().unwrap().keys().filter(|key| key.starts_with("thorbis")).count(), 0);
    server.post(&owner, "customers?on_conflict=first_name", ada(), &merge).await.refused(400, "42P10");
    server
        .post(&owner, "customers", json!({ "id": new, "phone": "+15550100", "first_name": "X", "last_name": "Y" }), "")
        .await
        .refused(409, "23505");
}

#[tokio::test]
async fn put_is_one_row_by_its_key() {
    let (server, owner) = Box::pin(owner()).await;
    let id = "01900000-0000-7000-8000-00000000abcd";
    let row = |name: &str| json!({ "id": id, "phone": "+15550100", "first_name": name, "last_name": "X" });
    let path = format!("customers?id=eq.{id}");
    assert_eq!(server.put(&owner, &path, row("New"), "").await.status, 204, "without a body it says nothing of what there was");
    assert_eq!(server.put(&owner, &path, row("Other"), "").await.status, 204);
    let full = server.put(&owner, &format!("{path}&select=first_name"), row("Third"), FULL).await;
    assert_eq!((full.status, &full.body), (200, &json!([{ "first_name": "Third" }])));
    let another = id.replace("abcd", "abce");
    let other = json!({ "id": another, "phone": "+15550100", "first_name": "New", "last_name": "X" });
    assert_eq!(server.put(&owner, &format!("customers?id=eq.{another}"), other, FULL).await.status, 201);
    server.put(&owner, "customers?id=eq.01900000-0000-7000-8000-00000000ffff", row("X"), "").await.refused(400, "PGRST115");
    server.put(&owner, "customers?first_name=eq.X", row("X"), "").await.refused(405, "PGRST105");
    server.put(&owner, &format!("{path}&limit=1"), row("X"), "").await.refused(400, "PGRST114");
}

#[tokio::test]
async fn a_rule_of_the_database_is_told_and_nothing_is_kept() {
    let (server, owner) = Box::pin(owner()).await;
    let rows = json!([ada(), { "phone": "+15550100", "first_name": "Bob", "last_name": "x".repeat(121) }]);
    server.post(&owner, "customers", rows, "").await.refused(400, "23514");
    assert_eq!(server.get(&owner, "customers").await.ok(), json!([]));
    server.post(&owner, "jobs", json!({ "title": "Fix", "status": "draft" }), "").await.refused(422, "job_status_draft");
}

#[tokio::test]
async fn what_is_shown_of_a_write_is_selected_as_in_a_read() {
    let (server, owner) = Box::pin(owner()).await;
    let row = |name: &str, number: i64| json!({ "phone": "+15550100", "first_name": name, "last_name": "X", "metadata": { "n": number } });
    let rows = json!([row("Ada", 1), row("Bob", 2), row("Cem", 3)]);
    let path = "customers?select=name:first_name,metadata->n,version::text&order=metadata->n.desc";
    let expected = json!([
        { "name": "Cem", "n": 3, "version": "1" }, { "name": "Bob", "n": 2, "version": "1" }, { "name": "Ada", "n": 1, "version": "1" }
    ]);
    let written = server.post(&owner, path, rows, FULL).await;
    assert_eq!((written.status, &written.body), (201, &expected));
    let changed = server.patch(&owner, &format!("{path}&metadata->n=gte.2&limit=1"), json!({ "notes": "x" }), FULL).await;
    let expected = json!([{ "name": "Cem", "n": 3, "version": "2" }, { "name": "Bob", "n": 2, "version": "2" }]);
    assert_eq!(changed.ok(), expected, "a limit says nothing about what is written");
    let ordered =
        server.delete(&owner, "customers?select=first_name&order=last_name,version.desc,first_name&or=(version.eq.1,notes.eq.x)", FULL);
    assert_eq!(ordered.await.ok(), json!([{ "first_name": "Bob" }, { "first_name": "Cem" }, { "first_name": "Ada" }]));
    server.post(&owner, "customers?select=nothing", ada(), FULL).await.refused(400, "42703");
    assert_eq!(server.get(&owner, "customers").await.ok(), json!([]), "what cannot be shown is not kept");
    let unseen = server.post(&owner, "customers?select=nothing", ada(), "").await;
    assert_eq!(unseen.status, 201, "nothing is shown: {}", unseen.text);
}

#[tokio::test]
async fn one_object_is_one_row_also_when_nothing_is_shown() {
    let (server, owner) = Box::pin(owner()).await;
    server.post(&owner, "customers", json!([ada(), ada()]), "").await.ok();
    for prefer in ["", FULL, "return=headers-only"] {
        let object = Said { prefer, accept: "application/vnd.pgrst.object+json", ..Said::default() };
        let notes = || Some(r#"{"notes":"x"}"#.to_owned());
        for (request, body) in [
            (("POST", "customers"), Some(json!([ada(), ada()]).to_string())),
            (("POST", "customers"), Some("[]".to_owned())),
            (("PATCH", "customers?first_name=eq.Ada"), notes()),
            (("PATCH", "customers?first_name=eq.Nobody"), notes()),
            (("DELETE", "customers"), None),
        ] {
            server.call(&owner, request, body, object).await.refused(406, "PGRST116");
        }
    }
    let kept = server.get(&owner, "customers?select=notes").await.ok();
    assert_eq!(kept, json!([{ "notes": null }, { "notes": null }]));
}

#[tokio::test]
async fn a_place_names_every_column_of_the_key_but_the_company() {
    let (server, owner) = Box::pin(owner()).await;
    let table =
        "create table public.spots (company_id uuid not null default app.company_id(), \"the kind\" text not null, n integer not null,
          primary key (company_id, \"the kind\", n)); select app.protect('public.spots', 'customers');
        create table public.heaps (company_id uuid not null default app.company_id(), n integer);
        select app.protect('public.heaps', 'customers');";
    server.table(table).await;
    let places = "return=headers-only";
    let first = server.post(&owner, "spots", json!({ "the kind": "a/b & ü", "n": 7 }), places).await;
    assert_eq!((first.status, first.header("location")), (201, "/spots?the%20kind=eq.a%2Fb%20%26%20%C3%BC&n=eq.7"));
    assert_eq!(first.header("preference-applied"), places);
    let heap = server.post(&owner, "heaps", json!({ "n": 7 }), places).await;
    assert_eq!((heap.status, heap.header("location"), heap.text.as_str()), (201, "", ""));
    let merged = server.post(&owner, "heaps", json!({ "n": 7 }), "resolution=merge-duplicates").await;
    assert_eq!(merged.status, 201, "without a key every row is new: {}", merged.text);
    assert_eq!(server.get(&owner, "heaps?select=n").await.ok(), json!([{ "n": 7 }, { "n": 7 }]));
    server.put(&owner, "heaps?n=eq.7", json!({ "n": 7 }), "").await.refused(405, "PGRST105");
}

#[tokio::test]
async fn keys_and_rules_that_collide_are_told() {
    let (server, owner) = Box::pin(owner()).await;
    let (one, two) = (server.customer(&owner, "Ada").await, server.customer(&owner, "Bob").await);
    server.patch(&owner, &format!("customers?id=eq.{one}"), json!({ "id": two }), "").await.refused(409, "23505");
    let email = |who: &str| format!("customers?id=eq.{who}");
    assert_eq!(server.patch(&owner, &email(&one), json!({ "email": "a@example.com" }), "").await.status, 204);
    server.patch(&owner, &email(&two), json!({ "email": "A@Example.com" }), "").await.refused(409, "23505");
    server.patch(&owner, "customers", json!({ "referred_by": "01900000-0000-7000-8000-00000000ffff" }), "").await.refused(409, "23503");
    server.post(&owner, "customers", json!({ "notes": "no name" }), "").await.refused(422, "customer_name_required");
    server.patch(&owner, "customers", json!({ "outstanding_balance": 5 }), "").await.refused(422, "customer_figures_computed");
    let owing = format!("customers?id=eq.{one}&company_id=eq.{}", owner.company_id);
    assert_eq!(server.patch(&server.service(), &owing, json!({ "outstanding_balance": 5 }), "").await.status, 204);
    server.delete(&owner, &email(&one), "").await.refused(409, "customer_has_balance");
    let kept = server.get(&owner, "customers?select=first_name,email&order=first_name").await.ok();
    assert_eq!(kept, json!([{ "first_name": "Ada", "email": "a@example.com" }, { "first_name": "Bob", "email": null }]));
}

const PARTS: &str = "
create domain public.grade as text default 'b' check (value in ('a', 'b'));
create table public.parts (
  company_id uuid not null default app.company_id(), id bigint not null generated by default as identity, name text not null,
  color text default 'red', pieces integer default 2 + 3, grade public.grade, note text, data json default '{\"made\": 1}',
  twice integer generated always as (pieces * 2) stored, primary key (company_id, id));
select app.protect('public.parts', 'customers');
grant usage on all sequences in schema public to authenticated;";

#[tokio::test]
async fn what_an_object_leaves_out_is_its_default() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    server.table(PARTS).await;
    let rows = json!([
        { "name": "Bolt", "color": null, "pieces": 1, "data": { "raw": 1.00 } },
        { "name": "Nut", "note": "small" },
    ]);
    let path = "parts?columns=name,color,pieces,grade,note,data&select=name,color,pieces,grade,note,data,twice&order=name";
    let made = server.post(&ann, path, rows.clone(), "return=representation, missing=default").await;
    assert_eq!((made.status, made.header("preference-applied")), (201, "missing=default, return=representation"));
    let expected = json!([
        { "name": "Bolt", "color": null, "pieces": 1, "grade": "b", "note": null, "data": { "raw": 1.0 }, "twice": 2 },
        { "name": "Nut", "color": "red", "pieces": 5, "grade": "b", "note": "small", "data": { "made": 1 }, "twice": 10 },
    ]);
    assert_eq!(made.body, expected);
    assert!(made.text.contains(r#"{"raw":1.0}"#), "JSON stays as it came: {}", made.text);
    // Without the preference it is null.
    let nulls = server.post(&ann, path, rows, "return=representation").await.ok();
    assert_eq!((&nulls[1]["color"], &nulls[1]["pieces"], &nulls[1]["grade"]), (&json!(null), &json!(null), &json!(null)));
    // One object, an identity, and a change.
    let one = server
        .post(&ann, "parts?columns=id,name,color&select=id,color", json!({ "name": "Pin" }), "return=representation, missing=default")
        .await;
    assert!(one.body[0]["id"].as_i64().unwrap() > 4 && one.body[0]["color"] == "red", "{}", one.text);
    let path = "parts?name=eq.Nut&columns=color,note&select=color,note";
    let changed = server.patch(&ann, path, json!({ "note": "tiny" }), "return=representation, missing=default").await.ok();
    assert_eq!(changed, json!([{ "color": "red", "note": "tiny" }, { "color": "red", "note": "tiny" }]));
    // The company that is left out is the caller's, and nobody else's can be said.
    let bob = server.owner("bob").await;
    let rows = json!([{ "name": "Hers", "company_id": ann.company_id }, { "name": "His" }]);
    server.post(&bob, "parts?columns=company_id,name", rows, "missing=default").await.refused(403, "42501");
    server.post(&bob, "parts?columns=company_id,name", json!([{ "name": "His" }]), "missing=default").await.ok();
    assert_eq!(server.get(&bob, "parts?select=name,company_id").await.ok(), json!([{ "name": "His", "company_id": bob.company_id }]));
}

#[tokio::test]
async fn many_rows_are_changed_each_with_its_own_values() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let (ada, bea, his) = (server.customer(&ann, "Ada").await, server.customer(&ann, "Bea").await, server.customer(&bob, "Bob").await);
    let nobody = "01910000-0000-7000-8000-000000000001";
    let path = "customers?on_conflict=id&select=first_name,notes&order=first_name";
    let rows =
        json!([{ "id": bea, "notes": "2" }, { "id": ada, "notes": "1" }, { "id": his, "notes": "mine" }, { "id": nobody, "notes": "3" }]);
    let changed = server.patch(&ann, path, rows, "return=representation, count=exact").await;
    assert_eq!((changed.status, changed.header("content-range")), (200, "0-1/2"));
    assert_eq!(changed.body, json!([{ "first_name": "Ada", "notes": "1" }, { "first_name": "Bea", "notes": "2" }]));
    assert_eq!(server.get(&bob, "customers?select=notes").await.ok(), json!([{ "notes": null }]), "another company's stays");
    // Filters hold besides, and what is deleted is not there.
    let rows = json!([{ "id": bea, "notes": "4" }, { "id": ada, "notes": "4" }]);
    server.patch(&ann, "customers?on_conflict=id&first_name=eq.Ada", rows.clone(), "").await.ok();
    server.delete(&ann, &format!("customers?id=eq.{ada}"), "").await.ok();
    server.patch(&ann, "customers?on_conflict=id", rows, "").await.ok();
    let notes = server.get(&server.service().working_in(&ann.company_id), "customers?select=first_name,notes&order=first_name").await.ok();
    assert_eq!(notes, json!([{ "first_name": "Bea", "notes": "4" }]));
    for (path, rows, code) in [
        ("customers?on_conflict=id", json!([{ "id": bea, "notes": "5" }, { "id": bea, "notes": "6" }]), "same_row_twice"),
        ("customers?on_conflict=id", json!([{ "notes": "5" }]), "update_key_missing"),
        ("customers?on_conflict=first_name", json!([{ "first_name": "Bea", "notes": "5" }]), "update_key_not_unique"),
    ] {
        server.patch(&ann, path, rows, "").await.refused(400, code);
    }
    // A key that spans companies: the service says which, or is refused.
    let of_both = json!([{ "id": bea, "notes": "7" }, { "id": his, "notes": "7" }]);
    server.patch(&server.service(), "customers?on_conflict=id", of_both, "").await.refused(400, "several_companies");
    let named =
        json!([{ "company_id": ann.company_id, "id": bea, "notes": "7" }, { "company_id": bob.company_id, "id": his, "notes": "8" }]);
    server.patch(&server.service(), "customers?on_conflict=company_id,id", named, "").await.ok();
    assert_eq!(server.get(&bob, "customers?select=notes").await.ok(), json!([{ "notes": "8" }]));
    let viewer = server.member(&ann.company_id, "viewer").await;
    let answer = server.patch(&viewer, "customers?on_conflict=id", json!([{ "id": bea, "notes": "9" }]), "return=representation").await;
    assert_eq!((answer.status, &answer.body), (200, &json!([])));
}
