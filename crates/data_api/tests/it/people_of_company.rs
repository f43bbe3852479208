//! What a company makes of its members: roles of its own, departments, another owner. Each tried by somebody of another company, by a member
//! without the permission, and with what nobody can mean.

use serde_json::{Value, json};

use crate::server::{Answer, Caller, Server};

const FULL: &str = "return=representation";

async fn rpc(server: &Server, who: &Caller, name: &str, body: Value) -> Answer {
    server.post(who, &format!("rpc/{name}"), body, "").await
}

/// Makes a row and returns its id.
async fn made(server: &Server, who: &Caller, table: &str, row: Value) -> String {
    let answer = server.post(who, table, row, FULL).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.body[0]["id"].as_str().unwrap().to_owned()
}

fn member(who: &Caller) -> String {
    format!("team_members?user_id=eq.{}", who.user_id)
}

async fn enters(server: &Server, who: &Caller) -> u16 {
    server.post(who, "customers", json!({ "phone": "+15550100", "first_name": "New", "last_name": "X" }), "").await.status
}

#[tokio::test]
async fn a_role_of_ones_own_gives_and_takes_at_the_next_request() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let bob = server.member(&ann.company_id, "viewer").await;
    server.customer(&ann, "Ada").await;
    assert_eq!(enters(&server, &bob).await, 403);
    let desk = made(&server, &ann, "custom_roles", json!({ "name": "Front desk", "permissions": { "customers:create": true } })).await;
    let role = format!("custom_roles?id=eq.{desk}");
    assert_eq!(server.patch(&ann, &member(&bob), json!({ "role_id": desk }), "").await.status, 204);
    assert_eq!(enters(&server, &bob).await, 201, "with the token that he had");
    // The role changes under who has it.
    let narrower = json!({ "permissions": { "customers:create": false, "customers:read": false } });
    assert_eq!(server.patch(&ann, &role, narrower, "").await.status, 204);
    assert_eq!(enters(&server, &bob).await, 403);
    assert_eq!(server.get(&bob, "customers").await.ok(), json!([]), "what his role gives, his company's role takes");
    // What is said of him alone goes before it, and without it he is what he was.
    assert_eq!(server.patch(&ann, &member(&bob), json!({ "permissions": { "customers:read": true } }), "").await.status, 204);
    assert_eq!(server.get(&bob, "customers").await.ok().as_array().unwrap().len(), 2);
    server.delete(&ann, &role, "").await.refused(409, "23503");
    assert_eq!(server.patch(&ann, &member(&bob), json!({ "role_id": null, "permissions": {} }), "").await.status, 204);
    assert_eq!(server.get(&bob, "customers").await.ok().as_array().unwrap().len(), 2);
    assert_eq!(server.delete(&ann, &role, "").await.status, 204, "nobody has it any more");
    let log = server.get(&ann, &format!("role_change_log?user_id=eq.{}&select=new_role_id&order=id", bob.user_id)).await.ok();
    assert_eq!(log.as_array().unwrap().len(), 3, "each change of his is written down: {log}");
    // An owner holds what the matrix says, whatever stands beside.
    let nothing = made(&server, &ann, "custom_roles", json!({ "name": "Nothing", "permissions": { "customers:read": false } })).await;
    let admin = server.member(&ann.company_id, "admin").await;
    assert_eq!(server.patch(&ann, &member(&admin), json!({ "role_id": nothing }), "").await.status, 204);
    assert_eq!(server.get(&admin, "customers").await.ok().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_role_is_given_by_who_may_and_holds() {
    let server = Server::new().await;
    let (ann, carl) = (server.owner("ann").await, server.owner("carl").await);
    let bob = server.member(&ann.company_id, "manager").await;
    let dave = server.member_called("dave", &carl.company_id, "viewer").await;
    let theirs = made(&server, &ann, "custom_roles", json!({ "name": "Desk", "permissions": { "customers:create": true } })).await;
    let role = format!("custom_roles?id=eq.{theirs}");
    // Another company sees, changes, removes and gives nothing of it.
    assert_eq!(server.get(&carl, &role).await.ok(), json!([]));
    assert_eq!(server.patch(&carl, &role, json!({ "name": "Mine" }), FULL).await.ok(), json!([]));
    assert_eq!(server.delete(&carl, &role, FULL).await.ok(), json!([]));
    server.patch(&carl, &member(&dave), json!({ "role_id": theirs }), "").await.refused(409, "23503");
    assert_eq!(server.patch(&carl, &member(&bob), json!({ "role_id": null }), FULL).await.ok(), json!([]));
    server.post(&carl, "custom_roles", json!({ "name": "X", "company_id": ann.company_id }), "").await.refused(403, "42501");
    // A member without the permission, and nobody.
    server.post(&bob, "custom_roles", json!({ "name": "Boss" }), "").await.refused(403, "42501");
    assert_eq!(server.patch(&bob, &role, json!({ "permissions": {} }), FULL).await.ok(), json!([]));
    let colleague = server.member(&ann.company_id, "viewer").await;
    server.patch(&bob, &member(&colleague), json!({ "role_id": theirs }), "").await.refused(403, "permission_denied");
    assert_eq!(server.post(&Server::nobody(), "custom_roles", json!({ "name": "X" }), "").await.status, 401);
    // Nobody gives himself a role, and nobody makes one of what he does not hold.
    let head = made(&server, &ann, "custom_roles", json!({ "name": "Head", "permissions": { "members:change_role": true } })).await;
    assert_eq!(server.patch(&ann, &member(&bob), json!({ "role_id": head }), "").await.status, 204);
    server.patch(&bob, &member(&bob), json!({ "role_id": theirs }), "").await.refused(403, "own_role_change");
    let wide = made(&server, &ann, "custom_roles", json!({ "name": "Wide", "permissions": { "roles:delete": true } })).await;
    server.patch(&bob, &member(&colleague), json!({ "role_id": wide }), "").await.refused(403, "permission_escalation");
    // What nobody can mean.
    for (row, status, code) in [
        (json!({ "name": "X", "permissions": { "customers:fly": true } }), 422, "permission_unknown"),
        (json!({ "name": "X", "permissions": { "customers:read": "yes" } }), 422, "permission_unknown"),
        (json!({ "name": "X", "permissions": [] }), 422, "permission_unknown"),
        (json!({ "name": " " }), 400, "23514"),
        (json!({ "name": "Desk" }), 409, "23505"),
    ] {
        server.post(&ann, "custom_roles", row.clone(), "").await.refused(status, code);
    }
    server.patch(&ann, &member(&colleague), json!({ "role_id": "desk" }), "").await.refused(400, "22P02");
}

#[tokio::test]
async fn departments_are_the_companys_own() {
    let server = Server::new().await;
    let (ann, carl) = (server.owner("ann").await, server.owner("carl").await);
    let (manager, tech) = (server.member(&ann.company_id, "manager").await, server.member(&ann.company_id, "technician").await);
    let office = made(&server, &manager, "departments", json!({ "name": "Office", "color": "#336699" })).await;
    let row = format!("departments?id=eq.{office}");
    assert_eq!(server.patch(&ann, &member(&tech), json!({ "department_id": office }), "").await.status, 204);
    let shown = server.get(&tech, &format!("{}&select=department:departments(name)", member(&tech))).await.ok();
    assert_eq!(shown, json!([{ "department": { "name": "Office" } }]));
    assert_eq!(server.patch(&manager, &row, json!({ "name": "Back office" }), FULL).await.ok()[0]["name"], "Back office");

    assert_eq!(server.get(&carl, &row).await.ok(), json!([]));
    assert_eq!(server.patch(&carl, &row, json!({ "name": "Mine" }), FULL).await.ok(), json!([]));
    assert_eq!(server.delete(&carl, &row, FULL).await.ok(), json!([]));
    let dave = server.member_called("dave", &carl.company_id, "viewer").await;
    server.patch(&carl, &member(&dave), json!({ "department_id": office }), "").await.refused(409, "23503");
    server.post(&carl, "departments", json!({ "name": "X", "company_id": ann.company_id }), "").await.refused(403, "42501");

    server.post(&tech, "departments", json!({ "name": "Yard" }), "").await.refused(403, "42501");
    assert_eq!(server.patch(&tech, &row, json!({ "name": "Yard" }), FULL).await.ok(), json!([]));
    assert_eq!(server.delete(&manager, &row, FULL).await.ok(), json!([]), "a manager removes none");
    assert_eq!(server.post(&Server::nobody(), "departments", json!({ "name": "X" }), "").await.status, 401);

    for (wrong, status, code) in [
        (json!({ "name": "" }), 400, "23514"),
        (json!({ "name": "Back office" }), 409, "23505"),
        (json!({ "name": "x".repeat(121) }), 400, "23514"),
        (json!({ "nome": "X" }), 400, "PGRST204"),
    ] {
        server.post(&ann, "departments", wrong, "").await.refused(status, code);
    }
    server.delete(&ann, &row, "").await.refused(409, "23503");
    assert_eq!(server.patch(&ann, &member(&tech), json!({ "department_id": null }), "").await.status, 204);
    assert_eq!(server.delete(&ann, &row, "").await.status, 204);
}

#[tokio::test]
async fn a_company_is_handed_over_by_its_owner_alone() {
    let server = Server::new().await;
    let (ann, carl) = (server.owner("ann").await, server.owner("carl").await);
    let (admin, bob) = (server.member(&ann.company_id, "admin").await, server.member(&ann.company_id, "csr").await);
    let to = |id: &str| json!({ "new_owner_id": id, "reason": "She retires." });
    let transfer = async |who: &Caller, body: Value| rpc(&server, who, "transfer_company_ownership", body).await;
    for who in [&admin, &bob] {
        transfer(who, to(&bob.user_id)).await.refused(403, "owner_required");
    }
    transfer(&carl.working_in(&ann.company_id), to(&carl.user_id)).await.refused(403, "company_not_member");
    assert_eq!(transfer(&Server::nobody(), to(&bob.user_id)).await.status, 401);
    for nobody in [ann.user_id.as_str(), carl.user_id.as_str(), "01900000-0000-7000-8000-000000000001"] {
        transfer(&ann, to(nobody)).await.refused(422, "new_owner_invalid");
    }
    transfer(&ann, json!({ "new_owner_id": "bob" })).await.refused(400, "22P02");
    let suspend = server.patch(&ann, &member(&bob), json!({ "status": "suspended" }), "").await;
    assert_eq!(suspend.status, 204);
    transfer(&ann, to(&bob.user_id)).await.refused(422, "new_owner_invalid");
    assert_eq!(server.patch(&ann, &member(&bob), json!({ "status": "active" }), "").await.status, 204);
    // Not by the way: neither by his row nor by the company's.
    server.patch(&ann, &member(&bob), json!({ "role": "owner" }), "").await.refused(422, "ownership_by_transfer");
    rpc(&server, &ann, "change_member_role", json!({ "user_id": bob.user_id, "role": "owner" }))
        .await
        .refused(422, "ownership_by_transfer");
    let service = server.service();
    let company = format!("companies?id=eq.{}", ann.company_id);
    server.patch(&service, &company, json!({ "owner_id": bob.user_id }), "").await.refused(422, "ownership_by_transfer");
    server.patch(&ann, &member(&ann), json!({ "role": "admin" }), "").await.refused(422, "owner_protected");

    let handed = transfer(&ann, to(&bob.user_id)).await.ok();
    assert_eq!(handed["owner_id"], bob.user_id);
    let roles = server.get(&bob, "team_members?select=user_id,role&role=in.(owner,admin)&order=role").await.ok();
    let role = |who: &Caller| roles.as_array().unwrap().iter().find(|row| row["user_id"] == who.user_id).unwrap()["role"].clone();
    assert_eq!((role(&ann), role(&bob)), (json!("admin"), json!("owner")));
    let written = server.get(&bob, "ownership_transfers?select=from_user_id,to_user_id,reason").await.ok();
    assert_eq!(written, json!([{ "from_user_id": ann.user_id, "to_user_id": bob.user_id, "reason": "She retires." }]));
    assert_eq!(server.get(&carl, "ownership_transfers").await.ok(), json!([]));
    // At once, with the tokens that both have.
    transfer(&ann, to(&admin.user_id)).await.refused(403, "owner_required");
    assert_eq!(transfer(&bob, to(&ann.user_id)).await.status, 200);
}

#[tokio::test]
async fn what_is_taken_back_or_full_says_so() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    // A directory's token that was taken back is not given again.
    let made = server.auth(&ann, "scim/tokens", json!({ "name": "Directory" })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let row = format!("scim_tokens?id=eq.{}", made.body["id"].as_str().unwrap());
    assert_eq!(server.patch(&ann, &row, json!({ "revoked_at": "2026-01-01T00:00:00Z" }), "").await.status, 204);
    server.patch(&ann, &row, json!({ "revoked_at": null }), "").await.refused(422, "scim_token_revoked");
    // Of keys that work there are so many; one that was taken back makes room.
    let till = async || server.auth(&ann, "api-keys", json!({ "name": "Till", "permissions": ["customers:read"] })).await;
    let first = till().await;
    assert_eq!(first.status, 201, "{}", first.text);
    let more = "update public.companies set subscription_tier = 'enterprise';
                insert into public.api_keys (company_id, name, key_prefix, key_hash, created_by)
                select k.company_id, 'k' || n, 'th_live_ab', encode(sha256(n::text::bytea), 'hex'), k.created_by
                  from public.api_keys k, generate_series(1, 99) n";
    server.db.superuser().await.batch_execute(more).await.unwrap();
    till().await.refused_by_auth(422, "api_keys_too_many");
    let first = format!("api_keys?id=eq.{}", first.body["id"].as_str().unwrap());
    assert_eq!(server.patch(&ann, &first, json!({ "revoked_at": "2026-01-01T00:00:00Z" }), "").await.status, 204);
    assert_eq!(till().await.status, 201);
    till().await.refused_by_auth(422, "api_keys_too_many");
}
