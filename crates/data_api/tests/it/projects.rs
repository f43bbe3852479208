//! The tables of a project made for Supabase, as its clients ask for them: without a token, signed in, and with the service key.

use std::path::Path;

use postgres::migrate::{Bring, Migrator, Options, Project};
use serde_json::json;

use crate::server::{Caller, Server};

async fn todo() -> Server {
    let server = Server::new().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../postgres/tests/projects/todo");
    let how = Bring { seed: true, force_row_security: false };
    let migrator = Migrator::new(server.db.migrator_config());
    Box::pin(migrator.bring(&Project::open(&folder).unwrap(), how, &Options::default())).await.unwrap();
    server.api.reload().await.unwrap();
    server
}

async fn ada(server: &Server) -> Caller {
    let body = json!({ "email": "ada@example.com", "password": "lovelace1815" });
    let session = server.auth(&Server::nobody(), "token?grant_type=password", body).await.ok();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    Caller { token: Some(text(&session["access_token"])), user_id: text(&session["user"]["id"]), ..Caller::default() }
}

#[tokio::test]
async fn whoever_is_seeded_signs_in_and_reaches_his_rows() {
    let server = Box::pin(todo()).await;
    let ada = ada(&server).await;
    let read = server.get(&ada, "todos?select=task,status,is_complete").await.ok();
    assert_eq!(read, json!([{ "task": "Write the notes", "status": "open", "is_complete": false }]));
    let made = server.post(&ada, "todos?select=task,user_id", json!({ "task": "Print them" }), "return=representation").await;
    assert_eq!((made.status, &made.body), (201, &json!([{ "task": "Print them", "user_id": ada.user_id }])), "{}", made.text);
    let done =
        server.patch(&ada, "todos?task=eq.Print them&select=is_complete", json!({ "status": "done" }), "return=representation").await;
    assert_eq!(done.ok(), json!([{ "is_complete": true }]));
    assert_eq!(server.get(&ada, "open_todos?select=task").await.ok(), json!([{ "task": "Write the notes" }]));
    assert_eq!(server.post(&ada, "rpc/todo_count", json!({}), "").await.ok(), json!(2));
    assert_eq!(server.delete(&ada, "todos?task=eq.Print them", "").await.status, 204);
}

#[tokio::test]
async fn an_account_that_is_made_now_has_its_profile() {
    let server = Box::pin(todo()).await;
    let body = json!({ "email": "grace@example.com", "password": "hopper1906", "data": { "full_name": "Grace Hopper" } });
    let session = server.auth(&Server::nobody(), "signup", body).await.ok();
    let id = session["user"]["id"].as_str().unwrap();
    let grace = Caller { token: session["access_token"].as_str().map(str::to_owned), user_id: id.to_owned(), ..Caller::default() };
    let read = server.get(&grace, &format!("profiles?id=eq.{id}&select=full_name")).await.ok();
    assert_eq!(read, json!([{ "full_name": "Grace Hopper" }]));
    let changed = server
        .patch(&grace, "profiles?full_name=not.is.null&select=username", json!({ "username": "grace" }), "return=representation")
        .await;
    assert_eq!(changed.ok(), json!([{ "username": "grace" }]), "her own and not Ada's");
    assert_eq!(server.get(&grace, "todos").await.ok(), json!([]), "another one's");
    let refused = server.post(&grace, "todos", json!({ "task": "For Ada", "user_id": ada(&server).await.user_id }), "").await;
    refused.refused(403, "42501");
}

#[tokio::test]
async fn whoever_has_no_token_reads_what_is_open_to_everybody() {
    let server = Box::pin(todo()).await;
    let nobody = Server::nobody();
    assert_eq!(server.get(&nobody, "profiles?select=full_name").await.ok(), json!([{ "full_name": "Ada Lovelace" }]));
    assert_eq!(server.get(&nobody, "announcements?select=text").await.ok(), json!([{ "text": "Welcome" }]));
    assert_eq!(server.get(&nobody, "todos").await.ok(), json!([]));
    server.post(&nobody, "todos", json!({ "task": "Not mine" }), "").await.refused(401, "42501");
    server.post(&nobody, "rpc/todo_count", json!({}), "").await.refused(401, "42501");
    // What is ours is as closed as it was.
    server.get(&nobody, "customers").await.refused(401, "42501");
}

#[tokio::test]
async fn the_service_reaches_all_rows_of_the_project() {
    let server = Box::pin(todo()).await;
    assert_eq!(server.get(&server.service(), "todos?select=task").await.ok()[0]["task"], "Write the notes");
    assert_eq!(server.get(&server.service(), "lists?select=title").await.ok(), json!([{ "title": "Engines; 'analytical'" }]));
}
