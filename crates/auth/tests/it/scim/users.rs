//! `/Users`: made, read, replaced, changed, removed.

use serde_json::{Value, json};

use super::{BASE, Directory, ENTERPRISE, USER};
use crate::server::{PASSWORD, Server, token};

/// The full user of RFC 7643 section 8.3, of our domain.
fn barbara() -> Value {
    json!({
        "schemas": [USER, ENTERPRISE],
        "externalId": "701984",
        "userName": "bjensen@acme.example",
        "name": {
            "formatted": "Ms. Barbara J Jensen, III", "familyName": "Jensen", "givenName": "Barbara", "middleName": "Jane",
            "honorificPrefix": "Ms.", "honorificSuffix": "III"
        },
        "displayName": "Babs Jensen",
        "nickName": "Babs",
        "profileUrl": "https://login.example.com/bjensen",
        "emails": [
            { "value": "bjensen@acme.example", "type": "work", "primary": true },
            { "value": "babs@jensen.org", "type": "home" }
        ],
        "addresses": [{
            "streetAddress": "100 Universal City Plaza", "locality": "Hollywood", "region": "CA", "postalCode": "91608", "country": "USA",
            "formatted": "100 Universal City Plaza\nHollywood, CA 91608 USA", "type": "work", "primary": true
        }],
        "phoneNumbers": [{ "value": "555-555-5555", "type": "work" }, { "value": "555-555-4444", "type": "mobile" }],
        "ims": [{ "value": "someaimhandle", "type": "aim" }],
        "photos": [{ "value": "https://photos.example.com/profilephoto/72930000000Ccne/F", "type": "photo" }],
        "userType": "Employee",
        "title": "Tour Guide",
        "preferredLanguage": "en-US",
        "locale": "en-US",
        "timezone": "America/Los_Angeles",
        "active": true,
        "password": "t1meMa$heen",
        ENTERPRISE: {
            "employeeNumber": "701984", "costCenter": "4130", "organization": "Universal Studios", "division": "Theme Park",
            "department": "Tour Operations", "manager": { "value": "26118915-6090-4610-87e4-49d8ca9f808d", "displayName": "John Smith" }
        }
    })
}

/// What an answer has but for what the server says.
fn said(mut body: Value) -> Value {
    for name in ["id", "meta", "groups"] {
        body.as_object_mut().unwrap().remove(name);
    }
    body
}

fn without(mut body: Value, names: &[&str]) -> Value {
    for name in names {
        body.as_object_mut().unwrap().remove(*name);
    }
    body
}

#[tokio::test]
async fn a_user_is_made_read_replaced_and_removed() {
    let server = Server::new().await;
    let acme = Directory::of(&server, "acme").await;

    // RFC 7644 3.3: POST answers 201 with the resource, its address and its version.
    let made = acme.post("/Users", barbara()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.body["id"].as_str().unwrap().to_owned();
    let path = format!("/Users/{id}");
    assert_eq!(said(made.body.clone()), without(barbara(), &["password"]), "everything is kept but the password");
    assert_eq!(made.headers["location"], format!("{BASE}{path}"));
    assert_eq!(made.headers["etag"], made.body["meta"]["version"].as_str().unwrap());
    assert_eq!(made.body["meta"]["location"], format!("{BASE}{path}"));
    assert_eq!(made.body["meta"]["resourceType"], "User");

    // The account is there, is confirmed, has no password; the membership has the title.
    let account =
        "select email_confirmed_at is not null and encrypted_password is null from auth.users where email_key = 'bjensen@acme.example'";
    assert_eq!(server.ask(account).await, "true");
    let member = format!(
        "select role || ' ' || status || ' ' || job_title || ' ' || name from public.team_members where company_id = '{}' and email = 'bjensen@acme.example'",
        acme.company
    );
    assert_eq!(server.ask(&member).await, "member active Tour Guide Babs Jensen");

    // 3.4.1: GET gives the same; 3.14: unless the client has this version already.
    let read = acme.get(&path).await;
    assert_eq!((read.status, &read.body), (200, &made.body));
    let etag = read.headers["etag"].to_str().unwrap().to_owned();
    let known = acme.send("GET", &path, (&[("if-none-match", &etag)], None)).await;
    assert_eq!((known.status, known.body), (304, Value::Null));
    assert_eq!(acme.send("GET", &path, (&[("if-none-match", "W/\"0\"")], None)).await.status, 200);

    // 3.5.1: PUT replaces, what is not named is gone; what the server writes is passed over; the membership stays.
    let smaller = json!({
        "schemas": [USER], "id": "x", "meta": { "version": "x" }, "groups": [{ "value": "x" }], "userName": "bjensen@acme.example",
        "externalId": "bjensen", "name": { "familyName": "Jensen" }, "emails": [{ "value": "bjensen@acme.example" }]
    });
    let stale = acme.send("PUT", &path, (&[("if-match", "W/\"0.0\"")], Some(&smaller))).await;
    stale.refused(412, None);
    let put = acme.send("PUT", &path, (&[("if-match", &etag)], Some(&smaller))).await;
    assert_eq!(put.status, 200, "{}", put.body);
    let kept = json!({
        "schemas": [USER], "userName": "bjensen@acme.example", "externalId": "bjensen", "name": { "familyName": "Jensen" },
        "emails": [{ "value": "bjensen@acme.example" }], "active": true
    });
    assert_eq!(said(put.body.clone()), kept);
    assert_eq!(put.body["id"], *id);
    assert_ne!(put.headers["etag"], etag.as_str());
    acme.send("PATCH", &path, (&[("if-match", &etag)], Some(&json!({ "Operations": [{ "op": "add", "path": "title", "value": "x" }] }))))
        .await
        .refused(412, None);
    assert_eq!(server.ask(&member).await, "null", "the title is gone");

    // 3.6: DELETE ends the membership; afterwards there is nothing. The account stays.
    acme.send("DELETE", &path, (&[("if-match", "W/\"0.0\"")], None)).await.refused(412, None);
    let gone = acme.delete(&path).await;
    assert_eq!((gone.status, gone.body), (204, Value::Null));
    for said in [acme.get(&path).await, acme.delete(&path).await, acme.put(&path, kept.clone()).await, acme.patch(&path, json!([])).await] {
        said.refused(404, None);
    }
    assert_eq!(server.ask(account).await, "true");
    assert!(acme.found(r#"userName eq "bjensen@acme.example""#).await.is_empty());

    // And who comes back is the same member again.
    let again = acme.post("/Users", kept).await;
    assert_eq!((again.status, again.body["active"].as_bool()), (201, Some(true)), "{}", again.body);
    let rows = "select count(*) from public.team_members where email = 'bjensen@acme.example' and archived_at is null";
    assert_eq!(server.ask(rows).await, "1");
}

#[tokio::test]
async fn a_user_is_changed_in_part() {
    let server = Server::new().await;
    let acme = Directory::of(&server, "acme").await;
    let id = acme.user(barbara()).await;
    let path = format!("/Users/{id}");
    let work = |value: &str| json!({ "value": value, "type": "work", "primary": true });
    for (operations, pointer, expected) in [
        (json!([{ "op": "replace", "path": "name.familyName", "value": "Smith" }]), "/name/familyName", json!("Smith")),
        (json!([{ "op": "remove", "path": "nickName" }]), "/nickName", Value::Null),
        (
            json!([{ "op": "add", "path": "emails[type eq \"work\"].value", "value": "b@acme.example" }]),
            "/emails/0",
            work("b@acme.example"),
        ),
        (json!([{ "op": "remove", "path": "emails[type eq \"home\"]" }]), "/emails/1", Value::Null),
        (
            json!([{ "op": "Replace", "path": format!("{ENTERPRISE}:department"), "value": "Sales" }]),
            "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/department",
            json!("Sales"),
        ),
        (json!([{ "op": "replace", "value": { "title": "Lead", "name.givenName": "Bab" } }]), "/title", json!("Lead")),
        (json!([{ "op": "add", "value": { "roles": [{ "value": "Guide" }] } }]), "/roles/0/value", json!("Guide")),
    ] {
        let body = acme.patch(&path, operations.clone()).await.ok();
        assert_eq!(body.pointer(pointer).cloned().unwrap_or_default(), expected, "{operations}: {body}");
        assert_eq!(acme.get(&path).await.ok(), body, "what was answered is what is kept");
    }
    assert_eq!(server.ask("select job_title from public.team_members where email = 'bjensen@acme.example'").await, "Lead");
    let name = "select name from public.users where email = 'bjensen@acme.example'";
    assert_eq!(server.ask(name).await, "Babs Jensen");
    acme.patch(&path, json!([{ "op": "replace", "path": "displayName", "value": "Barbara Smith" }])).await.ok();
    assert_eq!(server.ask(name).await, "Barbara Smith", "of its own domain the directory says how people are called");
    assert_eq!(
        server.ask("select count(*) from auth.users where email = 'b@acme.example'").await,
        "0",
        "the account's address is not its to change"
    );

    let before = acme.get(&path).await;
    let same = acme.patch(&path, json!([{ "op": "replace", "path": "title", "value": "Lead" }])).await;
    assert_eq!(same.headers["etag"], before.headers["etag"], "nothing changed");
    for (operations, keyword) in [
        (json!([{ "op": "replace", "path": "id", "value": "1" }]), "mutability"),
        (json!([{ "op": "replace", "path": "groups", "value": [] }]), "mutability"),
        (json!([{ "op": "remove", "path": "userName" }]), "mutability"),
        (json!([{ "op": "remove" }]), "noTarget"),
        (json!([{ "op": "replace", "path": "emails[type eq \"old\" or type eq \"older\"].value", "value": "x" }]), "noTarget"),
        (json!([{ "op": "replace", "path": "shoeSize", "value": 9 }]), "invalidPath"),
        (json!([{ "op": "replace", "path": "userName", "value": "" }]), "invalidValue"),
        (json!([{ "op": "replace", "path": "active", "value": "perhaps" }]), "invalidValue"),
        (json!([{ "op": "replace", "path": "title", "value": "ok" }, { "op": "jump" }]), "invalidSyntax"),
        (json!("x"), "invalidSyntax"),
    ] {
        acme.patch(&path, operations).await.refused(400, Some(keyword));
    }
    let wrong = json!({ "schemas": [USER], "Operations": [{ "op": "add", "path": "title", "value": "x" }] });
    acme.send("PATCH", &path, (&[], Some(&wrong))).await.refused(400, Some("invalidSyntax"));
    assert_eq!(acme.get(&path).await.body, before.body, "a refusal changes nothing");
}

#[tokio::test]
async fn who_is_not_active_is_out_at_his_next_request() {
    let server = Server::new().await;
    let acme = Directory::of(&server, "acme").await;
    let path = format!("/Users/{}", acme.user(barbara()).await);
    server.sql("update public.team_members set role = 'admin' where email = 'bjensen@acme.example'").await;
    // She got her account by the directory; that she signs in is shown with a password of her own.
    let hash = server.ask("select encrypted_password from auth.users where email = 'owner@acme.example'").await;
    server.sql(&format!("update auth.users set encrypted_password = '{hash}' where email = 'bjensen@acme.example'")).await;
    let session = server.post("/token?grant_type=password", json!({ "email": "bjensen@acme.example", "password": PASSWORD })).await.ok();
    let asks = || server.call("GET", "/scim/tokens", Some(token(&session)), None);
    assert_eq!(asks().await.status, 200);
    for (off, on) in [
        // RFC, Okta (both ways it does it), Entra.
        (json!([{ "op": "replace", "path": "active", "value": false }]), json!([{ "op": "replace", "path": "active", "value": true }])),
        (json!([{ "op": "replace", "value": { "active": false } }]), json!([{ "op": "replace", "value": { "active": true } }])),
        (json!([{ "op": "Replace", "path": "active", "value": "False" }]), json!([{ "op": "Add", "path": "active", "value": "True" }])),
    ] {
        assert_eq!(acme.patch(&path, off).await.ok()["active"], false);
        assert_eq!(asks().await.body["code"], "company_not_member", "with the same token, at the very next request");
        assert_eq!(acme.found("active eq false").await, ["bjensen@acme.example"]);
        assert_eq!(acme.patch(&path, on).await.ok()["active"], true);
        assert_eq!(asks().await.status, 200);
    }
    let mut off = barbara();
    off["active"] = json!(false);
    assert_eq!(acme.put(&path, off).await.ok()["active"], false);
    assert_eq!(asks().await.status, 403);
    assert_eq!(acme.put(&path, without(barbara(), &["active"])).await.ok()["active"], false, "leaving it out changes nothing of it");
    assert_eq!(acme.put(&path, barbara()).await.ok()["active"], true);
    assert_eq!(acme.delete(&path).await.status, 204);
    assert_eq!(asks().await.status, 403);

    // The owner is nobody's to take away.
    let owner =
        acme.get("/Users?filter=userName%20eq%20%22owner@acme.example%22").await.ok()["Resources"][0]["id"].as_str().unwrap().to_owned();
    acme.patch(&format!("/Users/{owner}"), json!([{ "op": "replace", "path": "active", "value": false }])).await.refused(403, None);
    acme.delete(&format!("/Users/{owner}")).await.refused(403, None);
    assert_eq!(server.call("GET", "/scim/tokens", Some(token(&acme.owner)), None).await.status, 200);
}

#[tokio::test]
async fn who_cannot_be_made_is_told_why() {
    let server = Server::new().await;
    let acme = Directory::of(&server, "acme").await;
    acme.user(barbara()).await;
    let named = |name: &str| json!({ "schemas": [USER], "userName": name });
    for (body, status, keyword) in [
        // RFC 7644 3.3: 409 with uniqueness, whatever the capital letters; members of whom the directory never wrote count.
        (barbara(), 409, Some("uniqueness")),
        (named("BJensen@ACME.example"), 409, Some("uniqueness")),
        (json!({ "schemas": [USER], "userName": "other", "emails": [{ "value": "Bjensen@acme.example" }] }), 409, Some("uniqueness")),
        (named("owner@acme.example"), 409, Some("uniqueness")),
        (json!({ "schemas": [USER] }), 400, Some("invalidValue")),
        (named(""), 400, Some("invalidValue")),
        (named("bjensen"), 400, Some("invalidValue")),
        (named(&format!("{}@acme.example", "b".repeat(300))), 400, Some("invalidValue")),
        (json!({ "schemas": [USER], "userName": 7 }), 400, Some("invalidValue")),
        (json!({ "schemas": [USER], "userName": "x", "emails": [{ "value": "no address" }] }), 400, Some("invalidValue")),
        (json!({ "schemas": [USER], "userName": "x@acme.example", "emails": "\u{0}" }), 400, Some("invalidValue")),
        (json!({ "schemas": ["urn:x"], "userName": "x@acme.example" }), 400, Some("invalidSyntax")),
        (json!([]), 400, Some("invalidSyntax")),
        (json!("x"), 400, Some("invalidSyntax")),
    ] {
        acme.post("/Users", body).await.refused(status, keyword);
    }
    let second = format!("/Users/{}", acme.user(named("second@acme.example")).await);
    acme.put(&second, named("bjensen@acme.example")).await.refused(409, Some("uniqueness"));
    acme.patch(&second, json!([{ "op": "replace", "path": "userName", "value": "BJENSEN@acme.example" }]))
        .await
        .refused(409, Some("uniqueness"));
    let many: Vec<Value> = (0..1001).map(|_| json!({ "op": "remove", "path": "title" })).collect();
    acme.patch(&second, json!(many)).await.refused(400, Some("invalidSyntax"));
    let seats = |seats: u32| format!("set session_replication_role = replica; update public.companies set max_seats = {seats}");
    server.sql(&seats(3)).await;
    let third = acme.post("/Users", named("third@acme.example")).await;
    third.refused(402, None);
    assert_eq!(third.body["detail"], "The subscription of the company has 3 seats, and all are taken.");
    acme.post("/Users", named("third@elsewhere.example")).await.refused(402, None);
    acme.patch(&second, json!([{ "op": "replace", "path": "active", "value": false }])).await.ok();
    acme.user(named("third@acme.example")).await;
    acme.patch(&second, json!([{ "op": "replace", "path": "active", "value": true }])).await.refused(402, None);
    let large = json!({ "schemas": [USER], "userName": "x@acme.example", "title": "x".repeat(3 * 1024 * 1024) });
    acme.post("/Users", large).await.refused(413, None);
}
