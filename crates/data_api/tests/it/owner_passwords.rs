//! Owners and admins have long passwords, whichever way they become what they are.

use serde_json::{Value, json};

use crate::server::{Answer, Caller, Server};

const SHORT: &str = "hunter2.old";
const LONG: &str = "hunter2.older";

async fn rpc(server: &Server, who: &Caller, name: &str, body: Value) -> Answer {
    server.post(who, &format!("rpc/{name}"), body, "").await
}

fn caller(session: &Value) -> Caller {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Caller { token: Some(text(&session["access_token"])), user_id: text(&session["user"]["id"]), ..Caller::default() }
}

async fn person(server: &Server, email: &str, password: &str) -> Caller {
    caller(&server.auth(&Server::nobody(), "signup", json!({ "email": email, "password": password })).await.ok())
}

async fn sign_in(server: &Server, email: &str, password: &str) -> Caller {
    caller(&server.auth(&Server::nobody(), "token?grant_type=password", json!({ "email": email, "password": password })).await.ok())
}

fn weak(answer: &Answer) {
    answer.refused(422, "weak_password");
    assert_eq!(answer.body["details"], "{\"reasons\": [\"length\"]}");
    assert_eq!(answer.body["message"], "Owners and admins need a password of at least 12 characters.");
}

#[tokio::test]
async fn a_short_password_is_changed_first() {
    let server = Server::new().await;
    let found = json!({ "name": "Bolt" });
    let bob = person(&server, "bob@example.com", SHORT).await;
    weak(&rpc(&server, &bob, "create_company_with_owner", found.clone()).await);
    assert_eq!(rpc(&server, &bob, "my_companies", json!({})).await.ok(), json!([]), "nothing was founded");
    let put = async |who: &Caller, password: &str| server.auth_with("PUT", who, "user", json!({ "password": password })).await;
    assert_eq!(put(&bob, LONG).await.status, 200);
    assert_eq!(rpc(&server, &bob, "create_company_with_owner", found).await.status, 200);
    let shorter = put(&bob, SHORT).await;
    assert_eq!((shorter.status, &shorter.body["error_code"]), (422, &json!("weak_password")));
    assert_eq!(shorter.body["weak_password"], json!({ "reasons": ["length"] }));
    sign_in(&server, "bob@example.com", LONG).await;
}

#[tokio::test]
async fn nobody_is_made_admin_or_owner_with_a_short_one() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let bob = person(&server, "bob@example.com", SHORT).await;
    let row = |role: &str| json!({ "company_id": ann.company_id, "user_id": bob.user_id, "role": role, "status": "active" });
    weak(&server.post(&server.service(), "team_members", row("admin"), "").await);
    assert_eq!(server.post(&server.service(), "team_members", row("csr"), "").await.status, 201);
    weak(&rpc(&server, &ann, "change_member_role", json!({ "user_id": bob.user_id, "role": "admin" })).await);
    weak(&rpc(&server, &ann, "transfer_company_ownership", json!({ "new_owner_id": bob.user_id })).await);
    assert_eq!(rpc(&server, &ann, "change_member_role", json!({ "user_id": bob.user_id, "role": "manager" })).await.status, 200);
    let client = server.db.superuser().await;
    // A hash that came from elsewhere: how long its password is nobody knows before it is used.
    let update = "update auth.users set encrypted_password = (select encrypted_password from auth.users where email = 'ann@example.com')
                   where email = 'bob@example.com'";
    client.batch_execute(update).await.unwrap();
    weak(&rpc(&server, &ann, "change_member_role", json!({ "user_id": bob.user_id, "role": "admin" })).await);
    sign_in(&server, "bob@example.com", "correct horse battery staple").await;
    assert_eq!(rpc(&server, &ann, "change_member_role", json!({ "user_id": bob.user_id, "role": "admin" })).await.status, 200);
    // Whoever has no password has none that is short.
    client.batch_execute("update auth.users set encrypted_password = null where email = 'bob@example.com'").await.unwrap();
    assert_eq!(rpc(&server, &ann, "transfer_company_ownership", json!({ "new_owner_id": bob.user_id })).await.status, 200);
}
