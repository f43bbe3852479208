//! What this server can do, as RFC 7644 section 4 has clients find it out. Read without a token: it says nothing of anybody.

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::answer::json_response;
use super::error::{Outcome, Refused};
use super::schema::{Attribute, COMMON, ENTERPRISE, GROUP, GROUP_ATTRIBUTES, Kind, Mutability, ResourceKind, USER, USER_ATTRIBUTES};
use crate::Auth;

const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

pub(super) async fn provider(State(auth): State<Auth>) -> Response {
    let config = &auth.config().scim;
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": config.page_resources_max },
        "changePassword": { "supported": false },
        "sort": { "supported": true },
        "etag": { "supported": true },
        "authenticationSchemes": [{
            "type": "oauthbearertoken", "name": "Bearer token", "primary": true,
            "description": "A token that a member of the company makes with POST /auth/v1/scim/tokens",
            "specUri": "https://www.rfc-editor.org/info/rfc6750"
        }],
        "meta": { "resourceType": "ServiceProviderConfig", "location": format!("{}/ServiceProviderConfig", super::base(&auth)) }
    });
    json_response(StatusCode::OK, &body)
}

pub(super) async fn resource_types(State(auth): State<Auth>) -> Response {
    let base = super::base(&auth);
    listed(&[resource_type(ResourceKind::User, &base), resource_type(ResourceKind::Group, &base)])
}

pub(super) async fn one_resource_type(State(auth): State<Auth>, Path(id): Path<String>) -> Outcome<Response> {
    let kinds = [ResourceKind::User, ResourceKind::Group];
    let kind = kinds.into_iter().find(|kind| kind.name() == id).ok_or_else(|| Refused::not_found(&id))?;
    Ok(json_response(StatusCode::OK, &resource_type(kind, &super::base(&auth))))
}

pub(super) async fn schemas(State(auth): State<Auth>) -> Response {
    let base = super::base(&auth);
    listed(&[USER, GROUP, ENTERPRISE].into_iter().filter_map(|id| schema(id, &base)).collect::<Vec<_>>())
}

pub(super) async fn one_schema(State(auth): State<Auth>, Path(id): Path<String>) -> Outcome<Response> {
    let found = schema(&id, &super::base(&auth)).ok_or_else(|| Refused::not_found(&id))?;
    Ok(json_response(StatusCode::OK, &found))
}

fn listed(resources: &[Value]) -> Response {
    let body = json!({
        "schemas": [LIST], "totalResults": resources.len(), "startIndex": 1, "itemsPerPage": resources.len(), "Resources": resources
    });
    json_response(StatusCode::OK, &body)
}

fn resource_type(kind: ResourceKind, base: &str) -> Value {
    let (about, extensions) = match kind {
        ResourceKind::User => ("Members of the company", vec![json!({ "schema": ENTERPRISE, "required": false })]),
        ResourceKind::Group => ("Groups of the directory", Vec::new()),
    };
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": kind.name(), "name": kind.name(), "endpoint": kind.endpoint(), "description": about,
        "schema": kind.schema(), "schemaExtensions": extensions,
        "meta": { "resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{}", kind.name()) }
    })
}

fn schema(id: &str, base: &str) -> Option<Value> {
    let own = |attributes: &'static [Attribute]| attributes.iter().filter(|attribute| !attribute.is_extension()).map(describe).collect();
    let external = COMMON.iter().filter(|attribute| attribute.name == "externalId").map(describe);
    let (name, about, attributes): (_, _, Vec<Value>) = match id {
        USER => ("User", "A member of the company", external.chain::<Vec<Value>>(own(USER_ATTRIBUTES)).collect()),
        GROUP => ("Group", "A group of the directory", external.chain::<Vec<Value>>(own(GROUP_ATTRIBUTES)).collect()),
        ENTERPRISE => {
            let extension = USER_ATTRIBUTES.iter().find(|attribute| attribute.is_extension())?;
            ("EnterpriseUser", "What an employer knows of a user", own(extension.subs))
        }
        _ => return None,
    };
    Some(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": id, "name": name, "description": about, "attributes": attributes,
        "meta": { "resourceType": "Schema", "location": format!("{base}/Schemas/{id}") }
    }))
}

fn describe(attribute: &'static Attribute) -> Value {
    let mut described = Map::from_iter([
        ("name".to_owned(), json!(attribute.name)),
        ("type".to_owned(), json!(kind(attribute.kind))),
        ("multiValued".to_owned(), json!(attribute.multi)),
        ("description".to_owned(), json!(attribute.about)),
        ("required".to_owned(), json!(attribute.required)),
        ("caseExact".to_owned(), json!(attribute.exact)),
        ("mutability".to_owned(), json!(mutability(attribute.mutability))),
        ("returned".to_owned(), json!(if attribute.name == "id" { "always" } else { "default" })),
        ("uniqueness".to_owned(), json!(if attribute.unique { "server" } else { "none" })),
    ]);
    if attribute.kind == Kind::Complex {
        described.insert("subAttributes".to_owned(), attribute.subs.iter().map(describe).collect());
    }
    Value::Object(described)
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "string",
        Kind::Boolean => "boolean",
        Kind::DateTime => "dateTime",
        Kind::Reference => "reference",
        Kind::Complex => "complex",
    }
}

fn mutability(mutability: Mutability) -> &'static str {
    match mutability {
        Mutability::ReadWrite => "readWrite",
        Mutability::ReadOnly => "readOnly",
        Mutability::Immutable => "immutable",
    }
}
