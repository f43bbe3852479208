//! Lists: filters, order, pages, the attributes that are wanted, `/.search`.

use serde_json::{Value, json};

use super::{Directory, ENTERPRISE, USER};
use crate::server::Server;

/// A company with its owner and four users.
async fn crowd(server: &Server) -> Directory {
    let acme = Directory::of(server, "acme").await;
    for (name, more) in [
        (
            "bjensen",
            json!({ "externalId": "ext-B", "title": "Tour Guide", "userType": "Employee", "name": { "familyName": "Jensen", "givenName": "Barbara" } }),
        ),
        ("jsmith", json!({ "userType": "Intern", "name": { "familyName": "Smith" }, "active": false })),
        (
            "omalley",
            json!({ "title": "Vice %_ President", "userType": "Employee", "name": { "familyName": "O'Malley" }, ENTERPRISE: { "department": "Sales", "manager": { "value": "26118915" } } }),
        ),
        ("zoe", json!({ "displayName": "Zoë \"Z\" \\ Ärger" })),
    ] {
        let mut body = json!({
            "schemas": [USER], "userName": format!("{name}@acme.example"),
            "emails": [
                { "value": format!("{name}@acme.example"), "type": "work", "primary": true },
                { "value": format!("{name}@{name}.example.org"), "type": "home" }
            ]
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        acme.user(body).await;
    }
    acme
}

#[tokio::test]
async fn filters_find_who_fulfils_them() {
    let server = Server::new().await;
    let acme = crowd(&server).await;
    let id = acme.get("/Users?filter=userName%20eq%20%22zoe@acme.example%22").await.ok()["Resources"][0]["id"].as_str().unwrap().to_owned();
    let (bj, js, om, ow, zo) = ("bjensen", "jsmith", "omalley", "owner", "zoe");
    for (filter, found) in [
        (r#"userName eq "bjensen@acme.example""#.to_owned(), vec![bj]),
        (r#"USERNAME EQ "BJENSEN@acme.example""#.to_owned(), vec![bj]),
        (format!(r#"{USER}:userName sw "J""#), vec![js]),
        (r#"userName ne "zoe@acme.example""#.to_owned(), vec![bj, js, om, ow]),
        (r#"name.familyName co "O'Malley""#.to_owned(), vec![om]),
        (r#"name.familyName co "o'm""#.to_owned(), vec![om]),
        (r#"userName ew "E@ACME.EXAMPLE""#.to_owned(), vec![zo]),
        ("title pr".to_owned(), vec![bj, om]),
        ("not (title pr)".to_owned(), vec![js, ow, zo]),
        (r#"title pr and userType eq "Employee""#.to_owned(), vec![bj, om]),
        (r#"title pr or userType eq "Intern""#.to_owned(), vec![bj, js, om]),
        (r#"userType eq "Employee" and (emails co "bjensen" or emails.value co "zoe")"#.to_owned(), vec![bj]),
        (r#"userType ne "Employee" and not (emails co "jsmith" or emails.value co "zoe")"#.to_owned(), vec![ow]),
        (r#"userType eq "Intern" or title pr and name.familyName eq "jensen""#.to_owned(), vec![bj, js]),
        (r#"(userType eq "Intern" or title pr) and name.familyName eq "smith""#.to_owned(), vec![js]),
        (r#"emails[type eq "work" and value co "@zoe."]"#.to_owned(), vec![]),
        (r#"emails[type eq "home" and value co "@zoe."]"#.to_owned(), vec![zo]),
        (r#"emails[type eq "home"].value eq "zoe@zoe.example.org""#.to_owned(), vec![zo]),
        (r#"emails.type eq "home""#.to_owned(), vec![bj, js, om, zo]),
        (r#"emails[not (type eq "work")]"#.to_owned(), vec![bj, js, om, zo]),
        ("emails[primary eq true]".to_owned(), vec![bj, js, om, ow, zo]),
        (r#"emails[primary eq "True" and value sw "zoe"]"#.to_owned(), vec![zo]),
        ("active eq false".to_owned(), vec![js]),
        ("active eq true and userType pr".to_owned(), vec![bj, om]),
        ("active ne true".to_owned(), vec![js]),
        (r#"externalId eq "ext-B""#.to_owned(), vec![bj]),
        (r#"externalId eq "EXT-b""#.to_owned(), vec![]),
        ("externalId eq null".to_owned(), vec![js, om, ow, zo]),
        ("externalId ne null".to_owned(), vec![bj]),
        (format!(r#"id eq "{id}""#), vec![zo]),
        (r#"id eq "x""#.to_owned(), vec![]),
        (format!(r#"{ENTERPRISE}:department eq "sales""#), vec![om]),
        (format!(r#"{ENTERPRISE}:manager.value eq "26118915""#), vec![om]),
        (format!(r#"{ENTERPRISE}:manager eq "26118915""#), vec![om]),
        (format!("{ENTERPRISE} pr"), vec![om]),
        ("name pr".to_owned(), vec![bj, js, om, ow]),
        (r#"userName gt "jsmith@acme.example" and userName le "owner@acme.example""#.to_owned(), vec![om, ow]),
        (r#"userName ge "omalley@acme.example" and userName lt "zoe""#.to_owned(), vec![om, ow]),
        (r#"meta.created gt "2011-05-13T04:42:34Z""#.to_owned(), vec![bj, js, om, ow, zo]),
        (r#"meta.lastModified lt "2011-05-13T04:42:34Z""#.to_owned(), vec![]),
        (r#"meta.resourceType eq "Group" or title eq "tour guide""#.to_owned(), vec![bj]),
        // What has a meaning elsewhere has none here.
        (r#"title co "%""#.to_owned(), vec![om]),
        (r#"title co "e %_ P""#.to_owned(), vec![om]),
        (r#"title eq "%""#.to_owned(), vec![]),
        (r#"userName eq "x' or '1'='1""#.to_owned(), vec![]),
        (r#"displayName eq "ZOË \"z\" \\ ärger""#.to_owned(), vec![zo]),
    ] {
        let names: Vec<String> = acme.found(&filter).await.iter().map(|name| name.trim_end_matches("@acme.example").to_owned()).collect();
        assert_eq!(names, found, "{filter}");
    }
    refused(&acme).await;
}

/// Filters that are none.
async fn refused(acme: &Directory) {
    for filter in [
        "userName",
        "userName eq bjensen",
        r#"userName xx "b""#,
        "(title pr",
        r#"shoeSize eq "9""#,
        "userName eq 7",
        "active gt true",
        r#"meta.created gt "yesterday""#,
        r#"name eq "x""#,
        r#"title[value eq "x"]"#,
        r#"emails[volume eq "x"]"#,
        r#"password sw "t""#,
    ] {
        let query: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        acme.get(&format!("/Users?filter={query}")).await.refused(400, Some("invalidFilter"));
    }
    let long = format!("/Users?filter=userName%20eq%20%22{}%22", "x".repeat(9000));
    acme.get(&long).await.refused(400, Some("invalidFilter"));
}

#[tokio::test]
async fn lists_come_in_order_in_pages_and_with_what_was_asked_for() {
    let server = Server::new().await;
    let acme = crowd(&server).await;
    let names = |body: &Value| -> Vec<String> {
        let name = |user: &Value| user["userName"].as_str().unwrap().split('@').next().unwrap().to_owned();
        body["Resources"].as_array().unwrap().iter().map(name).collect()
    };
    for (query, found) in [
        ("sortBy=userName", ["bjensen", "jsmith", "omalley", "owner", "zoe"]),
        ("sortBy=userName&sortOrder=descending", ["zoe", "owner", "omalley", "jsmith", "bjensen"]),
        ("sortBy=name.familyName&sortOrder=ascending", ["bjensen", "omalley", "jsmith", "owner", "zoe"]),
        ("sortBy=emails", ["bjensen", "jsmith", "omalley", "owner", "zoe"]),
        ("sortBy=meta.created", ["owner", "bjensen", "jsmith", "omalley", "zoe"]),
        ("", ["owner", "bjensen", "jsmith", "omalley", "zoe"]),
    ] {
        assert_eq!(names(&acme.get(&format!("/Users?{query}")).await.ok()), found, "{query}");
    }
    // RFC 7644 3.4.2.4, with its table of impossible values.
    for (query, start, found) in [
        ("startIndex=1&count=2", 1, vec!["bjensen", "jsmith"]),
        ("startIndex=3&count=2", 3, vec!["omalley", "owner"]),
        ("startIndex=5&count=10", 5, vec!["zoe"]),
        ("startIndex=9&count=10", 9, vec![]),
        ("startIndex=0&count=1", 1, vec!["bjensen"]),
        ("startIndex=-3&count=1", 1, vec!["bjensen"]),
        ("count=0", 1, vec![]),
        ("count=-1", 1, vec![]),
    ] {
        let body = acme.get(&format!("/Users?sortBy=userName&{query}")).await.ok();
        assert_eq!(names(&body), found, "{query}");
        assert_eq!(body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"]));
        assert_eq!(
            (&body["totalResults"], &body["startIndex"], &body["itemsPerPage"]),
            (&json!(5), &json!(start), &json!(found.len())),
            "{query}"
        );
    }
    for query in ["startIndex=one", "count=many", "sortOrder=sideways", "sortBy=shoeSize", "sortBy=name"] {
        acme.get(&format!("/Users?{query}")).await.refused(400, Some("invalidValue"));
    }

    selected(&acme).await;
    searched(&acme).await;
}

/// RFC 7644 3.9: attributes and excludedAttributes.
async fn selected(acme: &Directory) {
    let filter = "filter=userName%20eq%20%22bjensen@acme.example%22";
    let one = |body: Value| {
        let mut user = body["Resources"][0].clone();
        user.as_object_mut().unwrap().remove("id").unwrap();
        user
    };
    let wanted = one(acme.get(&format!("/Users?{filter}&attributes=userName,name.givenName,emails.value")).await.ok());
    assert_eq!(
        wanted,
        json!({
            "schemas": [USER], "userName": "bjensen@acme.example", "name": { "givenName": "Barbara" },
            "emails": [{ "value": "bjensen@acme.example" }, { "value": "bjensen@bjensen.example.org" }]
        })
    );
    let rest = one(acme.get(&format!("/Users?{filter}&excludedAttributes=emails,meta,name,id")).await.ok());
    assert_eq!(
        rest,
        json!({
            "schemas": [USER], "userName": "bjensen@acme.example", "externalId": "ext-B", "title": "Tour Guide", "userType": "Employee", "active": true
        })
    );
}

/// RFC 7644 3.4.3: the same in a body, of users, of groups, of both.
async fn searched(acme: &Directory) {
    acme.group("Guides", &[]).await;
    let search = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "attributes": ["displayName", "userName"],
        "filter": "displayName sw \"Gui\" or userName sw \"z\"", "startIndex": 1, "count": 10
    });
    for (path, total) in [("/Users/.search", None), ("/Groups/.search", None), ("/.search", Some(2))] {
        let said = acme.post(path, search.clone()).await;
        match total {
            Some(total) => {
                let body = said.ok();
                assert_eq!(body["totalResults"], total);
                assert_eq!(body["Resources"][0]["userName"], "zoe@acme.example");
                assert_eq!(body["Resources"][1]["displayName"], "Guides");
                assert!(body["Resources"][1].get("meta").is_none());
            }
            // Users do have a displayName, groups have no userName.
            None if path.starts_with("/Users") => assert_eq!(said.ok()["totalResults"], 1),
            None => said.refused(400, Some("invalidFilter")),
        }
    }
    let of_groups = json!({ "filter": "meta.resourceType eq \"Group\"", "count": 0 });
    assert_eq!(acme.post("/.search", of_groups).await.ok()["totalResults"], 1);
    acme.post("/.search", json!({ "count": "many" })).await.refused(400, Some("invalidSyntax"));
}
