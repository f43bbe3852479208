//! What a directory cannot do: see another company, take an account over, learn of one, come without a good token.

use auth::AuthConfig;
use axum::body::Body;
use http::Request;
use serde_json::json;
use tower::ServiceExt;

use super::{Directory, GROUP, USER};
use crate::server::{Server, token};

#[tokio::test]
async fn a_company_never_sees_another_ones_directory() {
    let server = Server::new().await;
    let (acme, bolt) = (Directory::of(&server, "acme").await, Directory::of(&server, "bolt").await);
    let user =
        |slug: &str| json!({ "schemas": [USER], "userName": format!("ann@{slug}.example"), "externalId": "1", "displayName": "Ann" });
    let (here, there) = (acme.user(user("acme")).await, bolt.user(user("bolt")).await);
    let (ours, theirs) = (acme.group("Guides", &[&here]).await, bolt.group("Guides", &[&there]).await);
    let owner =
        bolt.get("/Users?filter=userName%20eq%20%22owner@bolt.example%22").await.ok()["Resources"][0]["id"].as_str().unwrap().to_owned();

    let before = (bolt.get(&format!("/Users/{there}")).await.body, bolt.get(&format!("/Groups/{theirs}")).await.body);
    for path in [format!("/Users/{there}"), format!("/Users/{owner}"), format!("/Groups/{theirs}")] {
        acme.get(&path).await.refused(404, None);
        acme.delete(&path).await.refused(404, None);
        acme.patch(&path, json!([{ "op": "replace", "path": "displayName", "value": "x" }])).await.refused(404, None);
        let schema = if path.starts_with("/Users") { USER } else { GROUP };
        acme.put(&path, json!({ "schemas": [schema], "userName": "x@acme.example", "displayName": "x" })).await.refused(404, None);
    }
    // Neither as a member of a group.
    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": there }] }]);
    acme.patch(&format!("/Groups/{ours}"), add).await.refused(400, Some("invalidValue"));
    for (filter, found) in [
        (r#"externalId eq "1""#.to_owned(), vec!["ann@acme.example"]),
        (r#"userName co "bolt""#.to_owned(), vec![]),
        (format!(r#"id eq "{there}" or id eq "{owner}""#), vec![]),
        (format!(r#"groups.value eq "{theirs}""#), vec![]),
        ("userName pr or not (userName pr)".to_owned(), vec!["ann@acme.example", "owner@acme.example"]),
    ] {
        assert_eq!(acme.found(&filter).await, found, "{filter}");
    }
    assert_eq!(acme.get("/Groups").await.ok()["totalResults"], 1);
    assert_eq!(acme.post("/.search", json!({})).await.ok()["totalResults"], 3);
    assert_eq!((bolt.get(&format!("/Users/{there}")).await.body, bolt.get(&format!("/Groups/{theirs}")).await.body), before);
    // What is taken there is free here, and the other way round.
    acme.user(json!({ "schemas": [USER], "userName": "x", "emails": [{ "value": "x@acme.example" }] })).await;
    bolt.user(json!({ "schemas": [USER], "userName": "x", "emails": [{ "value": "x@bolt.example" }] })).await;

    // The same person in both: one account, two memberships, each with what its company says.
    server.sql(&format!("insert into app.proved_domains (domain, company_id) values ('shared.example', '{}')", acme.company)).await;
    let shared = json!({ "schemas": [USER], "userName": "sam@shared.example", "title": "Guide" });
    let sam = acme.user(shared.clone()).await;
    let there = bolt.user(shared).await;
    assert_eq!(server.ask("select count(*) from auth.users where email = 'sam@shared.example'").await, "1");
    assert_eq!(server.ask("select count(*) from public.team_members where email = 'sam@shared.example'").await, "1", "bolt invited him");
    assert_ne!(sam, there);
    bolt.patch(&format!("/Users/{there}"), json!([{ "op": "replace", "path": "title", "value": "Boss" }])).await.ok();
    assert_eq!(acme.get(&format!("/Users/{sam}")).await.ok()["title"], "Guide");
}

#[tokio::test]
async fn who_has_an_address_elsewhere_is_asked_first() {
    let server = Server::new().await;
    let acme = Directory::of(&server, "acme").await;
    let known = server.sign_up("known@elsewhere.example").await;
    let user = |name: &str| json!({ "schemas": [USER], "userName": format!("{name}@elsewhere.example"), "displayName": name });
    let company = &acme.company;

    // With and without an account the answer is the same: the directory learns of none.
    let (here, new) = (acme.post("/Users", user("known")).await, acme.post("/Users", user("new")).await);
    let shape = |mut body: serde_json::Value| {
        for name in ["id", "meta", "userName", "displayName"] {
            assert!(!body.as_object_mut().unwrap().remove(name).unwrap().is_null());
        }
        body
    };
    assert_eq!((here.status, new.status), (201, 201));
    assert_eq!(shape(here.body.clone()), shape(new.body.clone()));
    let count = |what: &str| format!("select count(*) from {what}");
    assert_eq!(server.ask(&count("public.team_members where role <> 'owner'")).await, "0");
    assert_eq!(server.ask(&count("auth.users where email = 'new@elsewhere.example'")).await, "0");
    assert_eq!(server.ask(&count("public.invitations where used_at is null and revoked_at is null")).await, "2");
    assert_eq!(server.call("POST", "/company", Some(token(&known)), Some(json!({ "company_id": company }))).await.status, 403);
    acme.post("/Users", user("known")).await.refused(409, Some("uniqueness"));

    // The invitation went to the address; a group that is mapped counts from the moment he comes.
    server
        .sql(&format!("insert into public.scim_mappings (company_id, group_name, role) values ('{company}', 'Guides', 'technician')"))
        .await;
    let id = here.body["id"].as_str().unwrap();
    acme.group("Guides", &[id]).await;
    let letter = server.message("known@elsewhere.example").await;
    let invitation = letter.text.split("invitation_token=").nth(1).unwrap().split(['&', '\n', ' ']).next().unwrap().trim().to_owned();
    let hash = format!("encode(sha256('{invitation}'), 'hex')");
    assert_eq!(server.ask(&format!("select email from public.invitations where token_hash = {hash}")).await, "known@elsewhere.example");
    let account = known["user"]["id"].as_str().unwrap();
    // Whoever merely says that the address is his is not the one whom the directory named.
    let come = format!("insert into public.team_members (company_id, user_id) values ('{company}', '{account}')");
    server.sql(&come).await;
    assert_eq!(server.ask(&format!("select role from public.team_members where user_id = '{account}'")).await, "member");
    server.sql(&format!("delete from public.team_members where user_id = '{account}'")).await;
    let accepted = server.call("POST", "/invitations/accept", Some(token(&known)), Some(json!({ "token": invitation }))).await;
    assert_eq!(accepted.status, 200, "{}", accepted.text);
    let found = acme.get(&format!("/Users/{id}")).await.ok();
    assert_eq!((found["active"].as_bool(), found["displayName"].as_str()), (Some(true), Some("known")));
    assert_eq!(server.ask(&format!("select role from public.team_members where user_id = '{account}'")).await, "technician");
    assert_eq!(acme.found("userName co \"known\"").await, ["known@elsewhere.example"], "he is there once");

    // Whoever was invited is not active when the directory says so, and is invited again when it says so.
    let path = format!("/Users/{}", new.body["id"].as_str().unwrap());
    let active = |active: bool| json!([{ "op": "replace", "path": "active", "value": active }]);
    let open = "select count(*) from public.invitations where used_at is null and revoked_at is null and email = 'new@elsewhere.example'";
    assert_eq!(acme.patch(&path, active(false)).await.ok()["active"], false);
    assert_eq!(server.ask(open).await, "0");
    assert_eq!(acme.patch(&path, active(true)).await.ok()["active"], true);
    assert_eq!(server.ask(open).await, "1");
    assert_eq!(acme.delete(&path).await.status, 204);
    assert_eq!(server.ask(open).await, "0");

    // Also of one's own domain nobody is let into an account whose address was never proved: its password may be anybody's.
    server.sign_up("squatter@acme.example").await;
    acme.user(json!({ "schemas": [USER], "userName": "squatter@acme.example" })).await;
    assert_eq!(server.ask(&count("public.team_members where email = 'squatter@acme.example'")).await, "0");
    // One that was proved is joined, and its password and name are its own.
    server.sign_up("staff@acme.example").await;
    server.sql("update auth.users set email_proved_at = now() where email = 'staff@acme.example'").await;
    let before = server.ask("select encrypted_password from auth.users where email = 'staff@acme.example'").await;
    acme.user(json!({ "schemas": [USER], "userName": "staff@acme.example", "password": "another one entirely" })).await;
    assert_eq!(server.ask(&count("public.team_members where email = 'staff@acme.example' and status = 'active'")).await, "1");
    assert_eq!(server.ask("select encrypted_password from auth.users where email = 'staff@acme.example'").await, before);
}

#[tokio::test]
async fn without_a_good_token_there_is_nothing() {
    let server = Server::new().await;
    let acme = Directory::of(&server, "acme").await;
    let bearer = |token: &str| format!("Bearer {token}");
    let session = bearer(token(&acme.owner));
    let service = bearer(server.ring.service().token.expose());
    let other = bearer("scim_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    let basic = format!("Basic {}", acme.token);
    for credential in ["", "Bearer", "Bearer ", &session, &service, &other, &basic, &acme.token] {
        for (method, path) in
            [("GET", "/Users"), ("POST", "/Users"), ("GET", "/Groups"), ("POST", "/.search"), ("GET", "/Me"), ("POST", "/Bulk")]
        {
            let said = acme.send(method, path, (&[("authorization", credential)], Some(&json!({})))).await;
            said.refused(401, None);
            assert!(said.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
        }
    }
    assert_eq!(acme.get("/Users").await.status, 200);
    let used = "select last_used_at is not null from public.scim_tokens";
    assert_eq!(server.ask(used).await, "true");
    for (off, on) in [
        ("update public.companies set archived_at = now()", "update public.companies set archived_at = null"),
        ("update public.companies set deleted_at = now()", "update public.companies set deleted_at = null"),
    ] {
        server.sql(&format!("set session_replication_role = replica; {off}")).await;
        acme.get("/Users").await.refused(401, None);
        server.sql(&format!("set session_replication_role = replica; {on}")).await;
        assert_eq!(acme.get("/Users").await.status, 200);
    }
    server.wait(366 * 24 * 3600);
    acme.get("/Users").await.refused(401, None);
}

#[tokio::test]
async fn no_request_of_a_directory_exhausts_the_server() {
    let server = Server::new().await;
    let acme = Directory::of(&server, "acme").await;
    let ann = acme.user(json!({ "schemas": [USER], "userName": "ann@acme.example" })).await;
    let group = acme.group("Guides", &[&ann]).await;
    let (user, group) = (format!("/Users/{ann}"), format!("/Groups/{group}"));
    // Trees that are as deep as they are long, in every place where a condition or a path is read.
    for word in ["or", "and"] {
        let chain = |attribute: &str, conditions: usize| vec![format!("{attribute} pr"); conditions].join(&format!(" {word} "));
        let (members, emails) = (format!("members[{}]", chain("value", 100_000)), format!("emails[{}].value", chain("type", 100_000)));
        for (at, path) in [(&group, &members), (&user, &emails)] {
            acme.patch(at, json!([{ "op": "remove", "path": path }])).await.refused(400, Some("invalidPath"));
            acme.patch(at, json!([{ "op": "add", "value": { path: "x" } }])).await.refused(400, Some("invalidPath"));
        }
        let search = |conditions: usize| json!({ "filter": chain("title", conditions) });
        acme.post("/Users/.search", search(257)).await.refused(400, Some("invalidFilter"));
        acme.post("/.search", search(100_000)).await.refused(400, Some("invalidFilter"));
        acme.post("/Users/.search", json!({ "sortBy": members })).await.refused(400, Some("invalidPath"));
        acme.post("/Users/.search", json!({ "attributes": [members] })).await.ok();
        assert_eq!(acme.post("/Users/.search", search(256)).await.ok()["totalResults"], 0);
    }
    // Lists so long that comparing each with each takes minutes, and values that would be kept once for every element.
    let many: Vec<String> = (0..40_000).map(|number| format!("e{number}")).collect();
    acme.post("/Users", json!({ "schemas": [USER], "userName": "x", "emails": many })).await.refused(400, Some("invalidValue"));
    acme.patch(&user, json!([{ "op": "add", "path": "emails", "value": many }])).await.refused(400, Some("invalidValue"));
    let other = acme.user(json!({ "schemas": [USER], "userName": "bob@acme.example" })).await;
    acme.patch(&group, json!([{ "op": "add", "path": "members", "value": [{ "value": other }] }])).await.ok();
    let long = "x".repeat(1_200_000);
    acme.patch(&group, json!([{ "op": "replace", "path": "members.type", "value": long }])).await.refused(413, None);
    assert_eq!(acme.get(&group).await.ok()["members"].as_array().unwrap().len(), 2, "it goes on");
}

#[tokio::test]
async fn directories_are_counted_by_company_and_strangers_by_address() {
    let mut config = AuthConfig::default();
    (config.limits.company_5min_max, config.limits.refused_5min_max) = (4, 2);
    let server = Server::with(config).await;
    let (acme, bolt) = (Directory::of(&server, "acme").await, Directory::of(&server, "bolt").await);
    let from = async |address: &str, token: &str, body: Option<&serde_json::Value>| {
        let request = Request::builder().method(if body.is_some() { "POST" } else { "GET" }).uri("/Users");
        let request = request.header("authorization", format!("Bearer {token}")).header("user-agent", "Directory/1.0");
        let mut request = request.body(body.map_or_else(Body::empty, |body| Body::from(body.to_string()))).unwrap();
        request.extensions_mut().insert(kernel::ClientAddress(address.parse().unwrap()));
        let response = acme.router.clone().oneshot(request).await.unwrap();
        (response.status().as_u16(), response.headers().get("retry-after").map(|wait| wait.to_str().unwrap().to_owned()))
    };
    // Who comes without a good token waits, by his address; who has one goes on from there.
    let (bad, cloud) = ("scim_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "203.0.113.7");
    let statuses = [from(cloud, bad, None).await, from(cloud, "x", None).await, from(cloud, bad, None).await];
    assert_eq!(statuses, [(401, None), (401, None), (429, Some("150".to_owned()))]);
    assert_eq!(from("203.0.113.8", bad, None).await.0, 401);
    let ann = json!({ "schemas": [USER], "userName": "ann@acme.example" });
    assert_eq!(from(cloud, &acme.token, Some(&ann)).await.0, 201);
    // From where it came the audit knows.
    let whence = "select distinct host(ip_address) || ' ' || user_agent from public.audit_logs
                   where table_name = 'team_members' and ip_address is not null";
    assert_eq!(server.ask(whence).await, "203.0.113.7 Directory/1.0");
    for _ in 0..3 {
        assert_eq!(from(cloud, &acme.token, None).await.0, 200);
    }
    assert_eq!(from(cloud, &acme.token, None).await, (429, Some("75".to_owned())));
    let waits = acme.get("/Groups").await;
    waits.refused(429, None);
    assert_eq!(from(cloud, &bolt.token, None).await.0, 200, "another company's is counted apart");
    server.wait(75);
    assert_eq!(from(cloud, &acme.token, None).await.0, 200);
}
