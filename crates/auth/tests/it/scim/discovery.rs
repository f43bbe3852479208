//! What the server says that it can do, and what there is not.

use auth::AuthConfig;
use serde_json::{Value, json};

use super::{BASE, Directory, ENTERPRISE, GROUP, USER};
use crate::server::Server;

#[tokio::test]
async fn what_the_server_can_do_is_found_out() {
    let server = Server::new().await;
    let acme = Directory::of(&server, "acme").await;
    // RFC 7643 section 5; without a token, as it says nothing of anybody.
    let nobody = [("authorization", "")];
    let provider = acme.send("GET", "/ServiceProviderConfig", (&nobody, None)).await.ok();
    assert_eq!(provider["schemas"], json!(["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"]));
    let supported = |name: &str| provider[name]["supported"].as_bool().unwrap();
    assert_eq!(["patch", "filter", "sort", "etag", "bulk", "changePassword"].map(supported), [true, true, true, true, false, false]);
    assert_eq!(provider["filter"]["maxResults"], 500);
    assert_eq!(provider["authenticationSchemes"][0]["type"], "oauthbearertoken");

    let types = acme.send("GET", "/ResourceTypes", (&nobody, None)).await.ok();
    assert_eq!(types["totalResults"], 2);
    let user = acme.get("/ResourceTypes/User").await.ok();
    assert_eq!(
        user,
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"], "id": "User", "name": "User", "endpoint": "/Users",
            "description": "Members of the company", "schema": USER, "schemaExtensions": [{ "schema": ENTERPRISE, "required": false }],
            "meta": { "resourceType": "ResourceType", "location": format!("{BASE}/ResourceTypes/User") }
        })
    );
    assert_eq!(types["Resources"][0], user);

    let schemas = acme.send("GET", "/Schemas", (&nobody, None)).await.ok();
    let ids: Vec<_> = schemas["Resources"].as_array().unwrap().iter().map(|schema| schema["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [USER, GROUP, ENTERPRISE]);
    let schema = acme.get(&format!("/Schemas/{USER}")).await.ok();
    let attribute = |name: &str| -> Value {
        schema["attributes"].as_array().unwrap().iter().find(|attribute| attribute["name"] == name).unwrap().clone()
    };
    assert_eq!(
        attribute("userName"),
        json!({
            "name": "userName", "type": "string", "multiValued": false, "description": "The name by which the directory knows the user",
            "required": true, "caseExact": false, "mutability": "readWrite", "returned": "default", "uniqueness": "server"
        })
    );
    assert_eq!(attribute("groups")["mutability"], "readOnly");
    assert_eq!(attribute("emails")["subAttributes"][3]["type"], "boolean");
    for path in ["/ResourceTypes/Robot", "/Schemas/urn:x", "/Robots", "/Users/x/y", "/Users/no-id"] {
        acme.get(path).await.refused(404, None);
    }
    acme.send("DELETE", "/Users", (&[], None)).await.refused(405, None);
    acme.get("/Me").await.refused(501, None);
    acme.post("/Bulk", json!({})).await.refused(501, None);

    let mut config = AuthConfig::default();
    config.scim.enabled = false;
    let server = Server::with(config).await;
    Directory::of(&server, "acme").await.get("/Users").await.refused(404, None);
}
