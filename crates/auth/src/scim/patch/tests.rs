//! The examples of RFC 7644 section 3.5.2, and what directories send beside them.

#![expect(clippy::needless_pass_by_value, reason = "the values are written where they are handed over")]
use serde_json::json;

use super::*;
use crate::scim::config::ScimConfig;
use crate::scim::schema::ENTERPRISE;

fn changed(kind: ResourceKind, resource: &Value, operations: Value) -> Outcome<Value> {
    let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations });
    let patch: Patch = serde_json::from_value(body).unwrap();
    let config = ScimConfig { patch_operations_max: 10, ..ScimConfig::default() };
    patch.apply(kind, resource.as_object().unwrap().clone(), Effort::of(&config)).map(Value::Object)
}

fn user(operations: Value) -> Outcome<Value> {
    changed(ResourceKind::User, &babs(), operations)
}

fn babs() -> Value {
    json!({
        "userName": "bjensen",
        "name": { "familyName": "Jensen", "givenName": "Barbara" },
        "emails": [{ "value": "bjensen@example.com", "type": "work", "primary": true }, { "value": "babs@jensen.org", "type": "home" }],
        "addresses": [{ "type": "work", "streetAddress": "100 Universal City Plaza", "locality": "Hollywood" }]
    })
}

/// What babs is but for some attributes; null takes one away.
fn but(changes: Value) -> Value {
    let mut babs = babs();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            babs.as_object_mut().unwrap().remove(name);
        } else {
            babs[name] = value.clone();
        }
    }
    babs
}

#[test]
fn users_change_as_the_rfc_and_directories_say() {
    let work = |value: &str| json!({ "value": value, "type": "work", "primary": true });
    let home = json!({ "value": "babs@jensen.org", "type": "home" });
    let enterprise = |inner: Value| but(json!({ ENTERPRISE: inner }));
    for (operations, expected) in [
        // RFC 7644, 3.5.2.1: add without a path, then 3.5.2.3: replace one address, a part of it, and without a path.
        (
            json!([{ "op": "add", "value": { "emails": [{ "value": "babs@jensen.org", "type": "home" }], "nickname": "Babs" } }]),
            but(json!({ "nickName": "Babs" })),
        ),
        (
            json!([{ "op": "replace", "path": "addresses[type eq \"work\"]", "value": { "type": "work", "streetAddress": "911 Universal City Plaza" } }]),
            but(json!({ "addresses": [{ "type": "work", "streetAddress": "911 Universal City Plaza", "locality": "Hollywood" }] })),
        ),
        (
            json!([{ "op": "replace", "path": "addresses[type eq \"work\"].streetAddress", "value": "1010 Broadway Ave" }]),
            but(json!({ "addresses": [{ "type": "work", "streetAddress": "1010 Broadway Ave", "locality": "Hollywood" }] })),
        ),
        (
            json!([{ "op": "replace", "value": { "emails": [{ "value": "bjensen@example.com", "type": "work", "primary": true }], "nickname": "Babs" } }]),
            but(json!({ "nickName": "Babs", "emails": [work("bjensen@example.com")] })),
        ),
        // 3.5.2.2: remove.
        (json!([{ "op": "remove", "path": "emails[type eq \"work\" and value ew \"example.com\"]" }]), but(json!({ "emails": [home] }))),
        (json!([{ "op": "remove", "path": "name.givenName" }]), but(json!({ "name": { "familyName": "Jensen" } }))),
        (json!([{ "op": "remove", "path": "emails" }]), but(json!({ "emails": null }))),
        (json!([{ "op": "remove", "path": "nickName" }]), babs()),
        // A new preferred address takes the place of the old one.
        (
            json!([{ "op": "add", "path": "emails", "value": [{ "value": "b@example.com", "type": "other", "primary": true }] }]),
            but(json!({ "emails": [
                { "value": "bjensen@example.com", "type": "work" }, home, { "value": "b@example.com", "type": "other", "primary": true }
            ] })),
        ),
        // Entra: capital letters, texts for booleans, paths for names, elements that a path makes, a manager as a text.
        (json!([{ "op": "Replace", "path": "active", "value": "False" }]), but(json!({ "active": false }))),
        (
            json!([{ "op": "Replace", "value": { "active": "True", "name.givenName": "B" } }]),
            but(json!({ "active": true, "name": { "familyName": "Jensen", "givenName": "B" } })),
        ),
        (
            json!([{ "op": "Add", "path": "emails[type eq \"work\"].value", "value": "new@example.com" }]),
            but(json!({ "emails": [work("new@example.com"), home] })),
        ),
        (
            json!([{ "op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+1 555 0100" }]),
            but(json!({ "phoneNumbers": [{ "type": "mobile", "value": "+1 555 0100" }] })),
        ),
        (
            json!([{ "op": "Add", "path": "roles[primary eq \"True\"].value", "value": "Lead" }]),
            but(json!({ "roles": [{ "primary": true, "value": "Lead" }] })),
        ),
        (
            json!([{ "op": "Add", "path": format!("{ENTERPRISE}:manager"), "value": "26118915" }]),
            enterprise(json!({ "manager": { "value": "26118915" } })),
        ),
        (
            json!([{ "op": "replace", "value": { format!("{ENTERPRISE}:department"): "Tour Operations", ENTERPRISE: { "costCenter": "4130" } } }]),
            enterprise(json!({ "department": "Tour Operations", "costCenter": "4130" })),
        ),
        // Okta: the whole of it without a path, with the id, which is passed over.
        (json!([{ "op": "replace", "value": { "id": "x", "active": false } }]), but(json!({ "active": false }))),
        // One after the other.
        (
            json!([{ "op": "add", "path": "title", "value": "Guide" }, { "op": "replace", "path": "title", "value": "" }, { "op": "add", "path": "locale", "value": "en" }]),
            but(json!({ "locale": "en" })),
        ),
    ] {
        assert_eq!(user(operations.clone()).unwrap_or_else(|refused| panic!("{operations}: {refused:?}")), expected, "{operations}");
    }
}

#[test]
fn members_come_and_go() {
    let group = json!({ "displayName": "Tour Guides", "members": [{ "value": "a", "type": "User" }, { "value": "b", "type": "User" }] });
    let with = |members: Value| json!({ "displayName": "Tour Guides", "members": members });
    let (a, b, c) = (json!({ "value": "a", "type": "User" }), json!({ "value": "b", "type": "User" }), json!({ "value": "c" }));
    for (operations, expected) in [
        (
            json!([{ "op": "add", "path": "members", "value": [{ "display": "C", "$ref": "https://x/Users/c", "value": "c" }] }]),
            with(json!([a, b, { "$ref": "https://x/Users/c", "value": "c" }])),
        ),
        (json!([{ "op": "add", "path": "members", "value": [{ "value": "a" }] }]), with(json!([a, b]))),
        (json!([{ "op": "remove", "path": "members[value eq \"a\"]" }]), with(json!([b]))),
        (json!([{ "op": "remove", "path": "members[value eq \"A\"]" }]), with(json!([a, b]))),
        (json!([{ "op": "remove", "path": "members" }]), json!({ "displayName": "Tour Guides" })),
        (json!([{ "op": "Remove", "path": "members", "value": [{ "value": "b" }] }]), with(json!([a]))),
        (
            json!([{ "op": "remove", "path": "members[value eq \"a\"]" }, { "op": "add", "path": "members", "value": [{ "value": "c" }] }]),
            with(json!([b, c])),
        ),
        (json!([{ "op": "replace", "path": "members", "value": [{ "value": "c" }] }]), with(json!([c]))),
        (json!([{ "op": "replace", "path": "members", "value": [] }]), json!({ "displayName": "Tour Guides" })),
        (
            json!([{ "op": "replace", "value": { "id": "g", "displayName": "Guides" } }]),
            json!({ "displayName": "Guides", "members": [a, b] }),
        ),
    ] {
        assert_eq!(changed(ResourceKind::Group, &group, operations.clone()).unwrap(), expected, "{operations}");
    }
}

#[test]
fn impossible_changes_say_why() {
    for (operations, keyword) in [
        (json!([{ "op": "remove" }]), "noTarget"),
        (json!([{ "op": "move", "path": "title" }]), "invalidSyntax"),
        (json!([]), "invalidSyntax"),
        (json!((0..11).map(|_| json!({ "op": "remove", "path": "title" })).collect::<Vec<_>>()), "invalidSyntax"),
        (json!([{ "op": "replace", "path": "id", "value": "x" }]), "mutability"),
        (json!([{ "op": "add", "path": "groups", "value": [{ "value": "x" }] }]), "mutability"),
        (json!([{ "op": "replace", "path": "meta.version", "value": "x" }]), "mutability"),
        (json!([{ "op": "remove", "path": "userName" }]), "mutability"),
        (json!([{ "op": "add", "path": "shoeSize", "value": "9" }]), "invalidPath"),
        (json!([{ "op": "add", "path": "emails[type eq", "value": "9" }]), "invalidPath"),
        (json!([{ "op": "add", "path": "emails[type eq \"work\"].volume", "value": "9" }]), "invalidPath"),
        (json!([{ "op": "add", "path": "title[type eq \"work\"]", "value": "9" }]), "invalidPath"),
        (json!([{ "op": "replace", "path": "emails[value sw \"zzz\"]", "value": { "type": "x" } }]), "noTarget"),
        (json!([{ "op": "replace", "path": "phoneNumbers.value", "value": "1" }]), "noTarget"),
        (json!([{ "op": "replace", "path": "emails[volume eq 1]", "value": "1" }]), "invalidFilter"),
        (json!([{ "op": "replace", "path": "active", "value": "maybe" }]), "invalidValue"),
        (json!([{ "op": "replace", "value": "x" }]), "invalidValue"),
    ] {
        let refused = format!("{:?}", user(operations.clone()).unwrap_err());
        assert!(refused.contains(keyword), "{operations}: {refused}");
    }
}

#[test]
fn a_change_costs_what_it_says_and_no_product_of_it() {
    let group = |members: usize| {
        let members: Vec<Value> = (0..members).map(|number| json!({ "value": format!("m{number}"), "type": "User" })).collect();
        json!({ "displayName": "Everybody", "members": members })
    };
    let with = |compared: usize, resource: &Value, operations: Value| {
        let patch: Patch = serde_json::from_value(json!({ "Operations": operations })).unwrap();
        let config = ScimConfig { patch_compared_bytes_max: compared, ..ScimConfig::default() };
        patch.apply(ResourceKind::Group, resource.as_object().unwrap().clone(), Effort::of(&config))
    };
    let members = |group: Outcome<Map<String, Value>>| group.unwrap()["members"].as_array().unwrap().len();
    // Two hundred that come, and a hundred that are there already: not each is compared with each of two thousand.
    let come: Vec<Value> = (1900..2200).map(|number| json!({ "value": format!("m{number}") })).collect();
    let add = json!([{ "op": "add", "path": "members", "value": come }]);
    assert_eq!(members(with(100_000, &group(2000), add)), 2200);
    let gone: Vec<Value> = (0..1800).map(|number| json!({ "value": format!("m{number}") })).collect();
    assert_eq!(members(with(200_000, &group(2000), json!([{ "op": "remove", "path": "members", "value": gone }]))), 200);
    // One by one, each of them looks at all.
    let remove = |times: usize| -> Vec<Value> {
        (0..times).map(|number| json!({ "op": "remove", "path": format!("members[value eq \"m{number}\"]") })).collect()
    };
    assert_eq!(members(with(20_000_000, &group(2000), json!(remove(100)))), 1900);
    let long = vec!["type eq \"x\""; 256].join(" or ");
    let chain = json!(vec![json!({ "op": "remove", "path": format!("members[{long}]") }); 2]);
    let text = "x".repeat(1_000_000);
    for operations in [json!(remove(300)), chain, json!([{ "op": "add", "path": "members", "value": vec![json!({ "type": text }); 1] }])] {
        let refused = format!("{:?}", with(20_000_000, &group(2000), operations).unwrap_err());
        assert!(refused.contains("413") && refused.contains("looks at too much"), "{refused}");
    }
    // What is sent once is not kept ten thousand times.
    for path in ["members.type", "members[value pr].type", "members[value pr]"] {
        let value = if path.ends_with(']') { json!({ "type": text }) } else { json!(text) };
        let refused = with(100_000_000, &group(3), json!([{ "op": "replace", "path": path, "value": value }])).unwrap_err();
        assert!(format!("{refused:?}").contains("writes too much"), "{path}");
        assert!(with(100_000_000, &group(1), json!([{ "op": "replace", "path": path, "value": value }])).is_ok(), "{path}");
    }
}
