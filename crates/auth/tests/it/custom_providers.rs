//! Providers that an operator's programs add.

use auth::config::ExternalConfig;
use serde_json::{Value, json};

use crate::external::{me, sign_in, value, with};
use crate::provider::{CLIENT, Provider, SECRET};
use crate::server::{Server, token};

const PATH: &str = "/admin/custom-providers";

fn open(custom_providers_max: u32) -> ExternalConfig {
    ExternalConfig { private_addresses_allowed: true, custom_providers_max, ..ExternalConfig::default() }
}

fn oidc(url: &str) -> Value {
    json!({ "provider_type": "oidc", "identifier": "custom:acme", "name": "Acme", "client_id": CLIENT, "client_secret": SECRET, "issuer": url,
            "custom_claims_allowlist": ["groups"] })
}

#[tokio::test]
async fn a_provider_is_added_used_changed_and_taken_away() {
    let provider = Provider::start().await;
    let server = Server::with(with(open(2))).await;
    let key = server.ring.service().token.expose().clone();
    let admin = async |method: &str, path: &str, body: Option<Value>| server.call(method, path, Some(&key), body).await;
    let made = admin("POST", PATH, Some(oidc(&provider.url))).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!((&made.body["identifier"], &made.body["enabled"]), (&json!("custom:acme"), &json!(true)));
    assert_eq!(made.body["discovery_document"]["token_endpoint"], format!("{}/token", provider.url));
    assert!(made.body.get("client_secret").is_none() && made.body["created_at"] == "2026-11-21T12:00:00.000000Z", "{}", made.text);
    assert_eq!(server.ask(&format!("select count(*) from auth.custom_providers p where p::text like '%{SECRET}%'")).await, "0");

    provider.person(json!({ "sub": "9", "email": "ann@example.com", "email_verified": true, "groups": ["a", "b"], "other": 1 }));
    let user = me(&server, &sign_in(&server, &provider, "custom:acme").await).await;
    assert_eq!(user["app_metadata"]["provider"], "custom:acme");
    assert_eq!(user["identities"][0]["identity_data"]["custom_claims"], json!({ "groups": ["a", "b"] }));

    // One that speaks OAuth alone, with its own words for who somebody is.
    let plain = json!({ "provider_type": "oauth2", "identifier": "custom:plain", "name": "Plain", "client_id": CLIENT, "client_secret": SECRET,
                        "authorization_url": format!("{}/authorize", provider.url), "token_url": format!("{}/token", provider.url),
                        "userinfo_url": format!("{}/userinfo", provider.url), "scopes": ["who"],
                        "attribute_mapping": { "sub": "uid", "email": "mail", "email_verified": "checked" } });
    assert_eq!(admin("POST", PATH, Some(plain)).await.status, 201);
    provider.person(json!({ "uid": 7, "mail": "ben@example.com", "checked": true }));
    let user = me(&server, &sign_in(&server, &provider, "custom:plain").await).await;
    assert_eq!((&user["email"], &user["identities"][0]["id"]), (&json!("ben@example.com"), &json!("7")));

    let names = async |query: &str| {
        let listed = admin("GET", &format!("{PATH}{query}"), None).await.ok();
        listed["providers"].as_array().unwrap().iter().map(|one| one["identifier"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("").await, ["custom:acme", "custom:plain"]);
    assert_eq!(names("?type=oauth2").await, ["custom:plain"]);
    let third = json!({ "identifier": "custom:third", "name": "x", "client_id": "x", "provider_type": "oidc", "issuer": provider.url });
    admin("POST", PATH, Some(third)).await.refused(400, "over_custom_provider_quota", "There are as many custom providers as there may be");

    let at = "/admin/custom-providers/custom:acme";
    let changed = admin("PUT", at, Some(json!({ "name": "Acme Inc.", "enabled": false, "custom_claims_allowlist": null }))).await.ok();
    assert_eq!((&changed["name"], &changed["enabled"], changed.get("custom_claims_allowlist")), (&json!("Acme Inc."), &json!(false), None));
    assert_eq!(admin("GET", at, None).await.ok()["client_id"], CLIENT);
    let off = server.call("GET", "/authorize?provider=custom:acme", None, None).await;
    off.refused(400, "validation_failed", "Unsupported provider: provider is not enabled");
    let fixed = admin("PUT", at, Some(json!({ "identifier": "custom:other" }))).await;
    fixed.refused(400, "validation_failed", "identifier and provider_type stay as they are");
    assert_eq!(admin("DELETE", at, None).await.status, 204);
    for (method, body) in [("GET", None), ("PUT", Some(json!({}))), ("DELETE", None)] {
        admin(method, at, body).await.refused(404, "custom_provider_not_found", "Custom provider not found");
    }
}

#[tokio::test]
async fn only_the_service_key_adds_one_and_only_one_that_works() {
    let provider = Provider::start().await;
    let server = Server::with(with(open(10))).await;
    let key = server.ring.service().token.expose().clone();
    let ann = server.sign_up("ann@example.com").await;
    let ann = if ann.get("access_token").is_some() { token(&ann).to_owned() } else { server.ring.anon().token.expose().clone() };
    for (method, path) in
        [("POST", PATH), ("GET", PATH), ("PUT", "/admin/custom-providers/custom:x"), ("DELETE", "/admin/custom-providers/custom:x")]
    {
        let refused = server.call(method, path, Some(&ann), Some(oidc(&provider.url))).await;
        refused.refused(403, "not_admin", "User not allowed");
        let refused = server.call(method, path, None, Some(oidc(&provider.url))).await;
        refused.refused(401, "no_authorization", "This endpoint requires a valid Bearer token");
    }
    let add = async |changes: Value| {
        let mut body = oidc(&provider.url);
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        server.call("POST", PATH, Some(&key), Some(body)).await
    };
    let document = "The discovery document of the issuer cannot be read, or names another issuer";
    for (changes, message) in [
        (json!({ "identifier": "acme" }), "identifier must be custom: and up to 63 lower-case letters, digits, hyphens and underscores"),
        (
            json!({ "identifier": "custom:-a/b" }),
            "identifier must be custom: and up to 63 lower-case letters, digits, hyphens and underscores",
        ),
        (json!({ "provider_type": "saml" }), "provider_type must be oidc or oauth2"),
        (json!({ "provider_type": "oauth2" }), "authorization_url, token_url and userinfo_url are required"),
        (json!({ "issuer": null }), "issuer is required"),
        (json!({ "name": "" }), "name is required"),
        (json!({ "scopes": "openid" }), "scopes is not of its kind, or too large"),
        (json!({ "client_secret": 7 }), "client_secret must be a text"),
        (json!({ "authorization_params": { "redirect_uri": "x" } }), "authorization_params names one that is decided by this server"),
        (json!({ "issuer": "file:///etc/passwd" }), "issuer must be an https URL of the public internet"),
        (json!({ "issuer": format!("{}/elsewhere", provider.url) }), document),
    ] {
        add(changes).await.refused(400, "validation_failed", message);
    }
    provider.inner().document = json!({ "issuer": "https://evil.example" });
    add(json!({})).await.refused(400, "validation_failed", document);
    provider.inner().document = json!({ "token_endpoint": "javascript:alert(1)" });
    add(json!({})).await.refused(400, "validation_failed", document);
    provider.inner().document = json!({});
    assert_eq!(add(json!({})).await.status, 201);
    add(json!({})).await.refused(400, "conflict", "There is a provider of this identifier already");
    assert_eq!(value(&sign_in(&server, &provider, "custom:acme").await, "token_type"), "bearer");

    // In production a provider's address, and those that its document names, are of the public internet.
    let guarded = Server::with(with(ExternalConfig::default())).await;
    let key = guarded.ring.service().token.expose().clone();
    for issuer in
        [provider.url.as_str(), "https://127.0.0.1/", "https://169.254.169.254/latest", "https://[::1]/", "http://accounts.example.com"]
    {
        let refused = guarded.call("POST", PATH, Some(&key), Some(oidc(issuer))).await;
        refused.refused(400, "validation_failed", "issuer must be an https URL of the public internet");
    }
}
