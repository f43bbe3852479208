//! `/Groups`, and what they make of members.

use serde_json::{Value, json};

use super::{BASE, Directory, GROUP, USER};
use crate::server::Server;

async fn three(acme: &Directory) -> [String; 3] {
    let user = |name: &str| json!({ "schemas": [USER], "userName": format!("{name}@acme.example"), "displayName": name });
    [acme.user(user("ann")).await, acme.user(user("bob")).await, acme.user(user("cid")).await]
}

fn member(id: &str, name: &str) -> Value {
    json!({ "value": id, "display": name, "type": "User", "$ref": format!("{BASE}/Users/{id}") })
}

#[tokio::test]
async fn a_group_is_made_read_changed_and_removed() {
    let server = Server::new().await;
    let acme = Directory::of(&server, "acme").await;
    let [ann, bob, cid] = three(&acme).await;

    // RFC 7643 8.4 and RFC 7644 3.3.
    let made = acme
        .post("/Groups", json!({ "schemas": [GROUP], "displayName": "Tour Guides", "externalId": "8d1c", "members": [{ "value": ann, "display": "x" }] }))
        .await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.body["id"].as_str().unwrap().to_owned();
    let path = format!("/Groups/{id}");
    assert_eq!(made.headers["location"], format!("{BASE}{path}"));
    let mut shown = made.body.clone();
    shown.as_object_mut().unwrap().remove("meta");
    assert_eq!(
        shown,
        json!({ "schemas": [GROUP], "id": id, "displayName": "Tour Guides", "externalId": "8d1c", "members": [member(&ann, "ann")] })
    );
    assert_eq!(acme.get(&path).await.ok(), made.body);
    let of_ann = acme.get(&format!("/Users/{ann}")).await.ok();
    assert_eq!(of_ann["groups"], json!([{ "value": id, "display": "Tour Guides", "type": "direct", "$ref": format!("{BASE}{path}") }]));
    assert_eq!(acme.found(r#"groups.display eq "tour guides""#).await, ["ann@acme.example"]);
    assert_eq!(acme.found(&format!(r#"groups[value eq "{id}"]"#)).await, ["ann@acme.example"]);

    // 3.5.2, Okta and Entra: members come and go.
    let ids = |body: Value| -> Vec<String> {
        let members = body["members"].as_array().cloned().unwrap_or_default();
        let mut ids: Vec<String> = members.iter().map(|member| member["display"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    for (operations, members) in [
        (json!([{ "op": "add", "path": "members", "value": [{ "value": bob, "display": "Babs" }, { "value": ann }] }]), vec!["ann", "bob"]),
        (
            json!([{ "op": "remove", "path": format!("members[value eq \"{ann}\"]") }, { "op": "add", "path": "members", "value": [{ "value": cid }] }]),
            vec!["bob", "cid"],
        ),
        (json!([{ "op": "Remove", "path": "members", "value": [{ "value": bob }] }]), vec!["cid"]),
        (json!([{ "op": "replace", "path": "members", "value": [{ "value": ann }, { "value": bob }] }]), vec!["ann", "bob"]),
        (json!([{ "op": "replace", "value": { "id": id, "displayName": "Guides" } }]), vec!["ann", "bob"]),
        (json!([{ "op": "remove", "path": "members" }]), vec![]),
        (json!([{ "op": "Add", "value": { "members": [{ "value": cid }] } }]), vec!["cid"]),
    ] {
        let body = acme.patch(&path, operations.clone()).await.ok();
        assert_eq!(ids(body), members, "{operations}");
    }
    assert_eq!(acme.get(&path).await.ok()["displayName"], "Guides");

    // 3.5.1: replaced; what is left out is gone.
    let etag = acme.get(&path).await.headers["etag"].to_str().unwrap().to_owned();
    let smaller = json!({ "schemas": [GROUP], "displayName": "Guides", "members": [{ "value": bob, "type": "User" }] });
    acme.send("PUT", &path, (&[("if-match", "W/\"0\"")], Some(&smaller))).await.refused(412, None);
    let put = acme.send("PUT", &path, (&[("if-match", &etag)], Some(&smaller))).await;
    assert_eq!((put.body.get("externalId"), put.body["members"].clone()), (None, json!([member(&bob, "bob")])), "{}", put.body);
    assert_ne!(put.headers["etag"], etag.as_str());

    // Entra reads groups without their members.
    let query = "/Groups?filter=displayName%20eq%20%22GUIDES%22&excludedAttributes=members";
    let listed = acme.get(query).await.ok();
    assert_eq!((&listed["totalResults"], listed["Resources"][0].get("members")), (&json!(1), None));
    let has = |id: &str| format!("/Groups?filter=members%20eq%20%22{id}%22%20or%20members.value%20eq%20%22x%22");
    assert_eq!(acme.get(&has(&bob)).await.ok()["totalResults"], 1);
    assert_eq!(acme.get(&has(&ann)).await.ok()["totalResults"], 0);

    refused(&acme, &id, &ann).await;
    acme.patch(&path, json!([{ "op": "remove", "path": "displayName" }])).await.refused(400, Some("mutability"));
    acme.patch(&path, json!([{ "op": "add", "path": "owners", "value": "x" }])).await.refused(400, Some("invalidPath"));

    // Who is removed is in no group any more; a group that is removed takes nobody with it.
    acme.delete(&format!("/Users/{bob}")).await;
    assert!(acme.get(&path).await.ok().get("members").is_none());
    acme.patch(&path, json!([{ "op": "add", "path": "members", "value": [{ "value": ann }] }])).await.ok();
    assert_eq!(acme.delete(&path).await.status, 204);
    acme.get(&path).await.refused(404, None);
    assert!(acme.get(&format!("/Users/{ann}")).await.ok().get("groups").is_none());
}

/// Groups that cannot be made beside `Guides`.
async fn refused(acme: &Directory, id: &str, ann: &str) {
    for (body, status, keyword) in [
        (json!({ "schemas": [GROUP] }), 400, Some("invalidValue")),
        (json!({ "schemas": [GROUP], "displayName": " guides " }), 409, Some("uniqueness")),
        (json!({ "schemas": [GROUP], "displayName": "x".repeat(201) }), 400, Some("invalidValue")),
        (json!({ "schemas": [USER], "displayName": "x" }), 400, Some("invalidSyntax")),
        (json!({ "schemas": [GROUP], "displayName": "x", "members": [{ "value": "no id" }] }), 400, Some("invalidValue")),
        (json!({ "schemas": [GROUP], "displayName": "x", "members": [{ "value": id }] }), 400, Some("invalidValue")),
        (json!({ "schemas": [GROUP], "displayName": "x", "members": [{ "value": ann, "type": "Group" }] }), 400, Some("invalidValue")),
    ] {
        acme.post("/Groups", body).await.refused(status, keyword);
    }
}

#[tokio::test]
async fn groups_make_of_members_what_the_company_maps_them_to() {
    let server = Server::new().await;
    let acme = Directory::of(&server, "acme").await;
    let [ann, bob, _] = three(&acme).await;
    let company = &acme.company;
    server.sql(&format!(
        "insert into public.departments (company_id, name) values ('{company}', 'Tours');
         insert into public.scim_mappings (company_id, group_name, role) values ('{company}', 'Office', 'manager'), ('{company}', 'guides', 'technician');
         insert into public.scim_mappings (company_id, group_name, department_id)
         select '{company}', 'Guides of the North', id from public.departments where company_id = '{company}'"
    ))
    .await;
    let role = async |name: &str| server.ask(&format!("select role from public.team_members where email = '{name}@acme.example'")).await;
    let department = async |name: &str| {
        server.ask(&format!("select d.name from public.team_members m left join public.departments d on d.id = m.department_id where m.email = '{name}@acme.example'")).await
    };
    assert_eq!(role("ann").await, "member");
    let guides = acme.group("Guides", &[&ann, &bob]).await;
    assert_eq!((role("ann").await, role("bob").await), ("technician".to_owned(), "technician".to_owned()));
    // Of two groups the higher role counts; without it the other is left.
    let office = acme.group("OFFICE", &[&ann]).await;
    assert_eq!(role("ann").await, "manager");
    acme.patch(&format!("/Groups/{office}"), json!([{ "op": "remove", "path": format!("members[value eq \"{ann}\"]") }])).await.ok();
    assert_eq!(role("ann").await, "technician");
    // The role is the member's at his next request: what he may do was computed anew.
    let may = "select (effective_permissions like '%,jobs:create,%')::text from public.team_members where email = 'ann@acme.example'";
    assert_eq!(server.ask(may).await, "false");
    acme.patch(&format!("/Groups/{office}"), json!([{ "op": "add", "path": "members", "value": [{ "value": ann }] }])).await.ok();
    assert_eq!(server.ask(may).await, "true");
    // A group of another name is mapped to something else, and one that is gone to nothing.
    acme.patch(&format!("/Groups/{office}"), json!([{ "op": "replace", "path": "displayName", "value": "Guides of the North" }]))
        .await
        .ok();
    assert_eq!((role("ann").await, department("ann").await), ("technician".to_owned(), "Tours".to_owned()));
    acme.delete(&format!("/Groups/{office}")).await;
    acme.delete(&format!("/Groups/{guides}")).await;
    assert_eq!(
        (role("ann").await, department("ann").await, role("bob").await),
        ("member".to_owned(), "null".to_owned(), "member".to_owned())
    );

    // What people gave stays, until a group says otherwise.
    server.sql("update public.team_members set role = 'csr' where email = 'bob@acme.example'").await;
    let guides = acme.group("Guides", &[]).await;
    acme.patch(&format!("/Users/{bob}"), json!([{ "op": "replace", "path": "title", "value": "x" }])).await.ok();
    assert_eq!(role("bob").await, "csr");
    // A mapping that comes or changes later counts for those who are in the group already, and * for everybody.
    acme.patch(&format!("/Groups/{guides}"), json!([{ "op": "add", "path": "members", "value": [{ "value": bob }] }])).await.ok();
    server
        .sql(&format!("update public.scim_mappings set role = 'dispatcher' where company_id = '{company}' and group_key = 'guides'"))
        .await;
    assert_eq!(role("bob").await, "dispatcher");
    server.sql(&format!("insert into public.scim_mappings (company_id, group_name, role) values ('{company}', '*', 'viewer')")).await;
    assert_eq!((role("ann").await, role("bob").await), ("viewer".to_owned(), "dispatcher".to_owned()));

    // The owner stays what he is.
    let owner =
        acme.get("/Users?filter=userName%20eq%20%22owner@acme.example%22").await.ok()["Resources"][0]["id"].as_str().unwrap().to_owned();
    acme.patch(&format!("/Groups/{guides}"), json!([{ "op": "add", "path": "members", "value": [{ "value": owner }] }])).await.ok();
    assert_eq!(role("owner").await, "owner");
    let log = "select count(*) from public.role_change_log where reason = 'groups of the directory' and new_role = 'dispatcher'";
    assert_eq!(server.ask(log).await, "1");
}

#[tokio::test]
async fn whose_password_is_too_short_for_his_role_waits_and_holds_up_nobody() {
    let server = Server::new().await;
    let acme = Directory::of(&server, "acme").await;
    let [ann, bob, cid] = three(&acme).await;
    let company = &acme.company;
    // Of Ann's password nobody knows how long it is.
    server.sql("update auth.users set encrypted_password = 'x' where email = 'ann@acme.example'").await;
    let guides = acme.group("Guides", &[&ann, &bob]).await;
    let map =
        |role: &str| format!("insert into public.scim_mappings (company_id, group_name, role) values ('{company}', 'Guides', '{role}')");
    server.sql(&map("admin")).await;
    let roles = "select string_agg(split_part(m.email, '@', 1) || ' ' || m.role, ', ' order by m.email) from public.team_members m
                  where m.role <> 'owner'";
    let waits = "select string_agg(split_part(s.email_key, '@', 1), ', ') from auth.scim_users s where s.waiting_role = 'admin'";
    assert_eq!(server.ask(roles).await, "ann member, bob admin, cid member");
    assert_eq!(server.ask(waits).await, "ann");
    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": cid }] }]);
    acme.patch(&format!("/Groups/{guides}"), add).await.ok();
    assert_eq!(server.ask(roles).await, "ann member, bob admin, cid admin");

    // With another short one she waits on; when it is found to be long, she is what her group makes of her.
    server.sql("update auth.users set encrypted_password = 'y', password_is_long = false where email = 'ann@acme.example'").await;
    assert_eq!(server.ask(roles).await, "ann member, bob admin, cid admin");
    server.sql("update auth.users set password_is_long = true where email = 'ann@acme.example'").await;
    assert_eq!(server.ask(roles).await, "ann admin, bob admin, cid admin");
    assert_eq!(server.ask(waits).await, "null");
}
