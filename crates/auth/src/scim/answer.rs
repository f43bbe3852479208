//! Resources and lists as a directory reads them, with the attributes that it asked for.
//!
//! Invariant: `id` and `schemas` are always there; what is not asked for is never sent.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use super::error::MEDIA_TYPE;
use super::filter::parse_path;
use super::names::Route;
use super::rows::Found;
use super::schema::{Attribute, ResourceKind};

/// Names of one request that are looked at, for every resource; there are fewer attributes.
const NAMES_MAX: usize = 200;

/// Which attributes are wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    attributes: Vec<String>,
    excluded: Vec<String>,
}

impl Selection {
    /// Takes the names of a request. What is wanted counts before what is not.
    pub(super) fn new(attributes: Vec<String>, excluded: Vec<String>) -> Self {
        let clean = |names: Vec<String>| {
            names.into_iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).take(NAMES_MAX).collect()
        };
        Self { attributes: clean(attributes), excluded: clean(excluded) }
    }

    /// Takes the two lists of a query.
    pub(super) fn of_query(attributes: Option<&str>, excluded: Option<&str>) -> Self {
        let split = |names: Option<&str>| names.unwrap_or_default().split(',').map(str::to_owned).collect();
        Self::new(split(attributes), split(excluded))
    }

    fn apply(&self, kind: ResourceKind, resource: Map<String, Value>) -> Map<String, Value> {
        let routes = |names: &[String]| -> Vec<Route> {
            let found = names.iter().filter_map(|name| parse_path(name).ok());
            found.filter_map(|target| Route::find(kind, &target.name)).collect()
        };
        if self.attributes.is_empty() {
            let mut rest = resource;
            for route in routes(&self.excluded) {
                take_out(&mut rest, route.steps());
            }
            return rest;
        }
        let mut chosen = Map::new();
        for name in ["schemas", "id"] {
            if let Some(value) = resource.get(name) {
                chosen.insert(name.to_owned(), value.clone());
            }
        }
        for route in routes(&self.attributes) {
            put_in(&mut chosen, &resource, route.steps());
        }
        chosen
    }
}

fn take_out(from: &mut Map<String, Value>, steps: &[&'static Attribute]) {
    match steps {
        [] => {}
        // Always returned.
        [only] if only.name == "id" => {}
        [only] => {
            from.remove(only.name);
        }
        [first, rest @ ..] => match from.get_mut(first.name) {
            Some(Value::Object(inner)) => take_out(inner, rest),
            Some(Value::Array(elements)) => elements.iter_mut().filter_map(Value::as_object_mut).for_each(|inner| take_out(inner, rest)),
            _ => {}
        },
    }
}

fn put_in(into: &mut Map<String, Value>, from: &Map<String, Value>, steps: &[&'static Attribute]) {
    let Some((first, rest)) = steps.split_first() else { return };
    let Some(value) = from.get(first.name) else { return };
    if rest.is_empty() {
        into.insert(first.name.to_owned(), value.clone());
        return;
    }
    match value {
        Value::Object(inner) => {
            if let Value::Object(chosen) = into.entry(first.name).or_insert_with(|| json!({})) {
                put_in(chosen, inner, rest);
            }
        }
        Value::Array(elements) => {
            let chosen = into.entry(first.name).or_insert_with(|| Value::Array(vec![json!({}); elements.len()]));
            let pairs = chosen.as_array_mut().into_iter().flatten().zip(elements);
            for (chosen, element) in pairs {
                if let (Some(chosen), Some(element)) = (chosen.as_object_mut(), element.as_object()) {
                    put_in(chosen, element, rest);
                }
            }
        }
        _ => {}
    }
}

/// Returns a resource as it is sent. `base` is the address of /scim/v2.
pub(super) fn resource(base: &str, found: &Found, selection: &Selection) -> Map<String, Value> {
    let kind = found.kind;
    let mut schemas = vec![kind.schema()];
    schemas.extend(
        kind.attributes().filter(|known| known.is_extension() && found.attributes.contains_key(known.name)).map(|known| known.name),
    );
    let mut resource = Map::from_iter([("schemas".to_owned(), json!(schemas)), ("id".to_owned(), json!(found.id))]);
    resource.extend(found.attributes.clone());
    let (related, target) = match kind {
        ResourceKind::User => ("groups", ResourceKind::Group),
        ResourceKind::Group => ("members", ResourceKind::User),
    };
    let mut others = found.related.clone();
    for other in &mut others {
        let id = other.get("value").and_then(Value::as_str).unwrap_or_default();
        let address = json!(format!("{base}{}/{id}", target.endpoint()));
        if let Some(other) = other.as_object_mut() {
            other.insert("$ref".to_owned(), address);
        }
    }
    if !others.is_empty() {
        resource.insert(related.to_owned(), Value::Array(others));
    }
    let meta = json!({
        "resourceType": kind.name(), "created": found.created, "lastModified": found.modified,
        "location": location(base, found), "version": found.etag()
    });
    resource.insert("meta".to_owned(), meta);
    selection.apply(kind, resource)
}

/// Returns the address of a resource.
pub(super) fn location(base: &str, found: &Found) -> String {
    format!("{base}{}/{}", found.kind.endpoint(), found.id)
}

/// Answers with one resource.
pub(super) fn one(base: &str, found: &Found, (status, selection): (StatusCode, &Selection)) -> Response {
    let mut response = json_response(status, &Value::Object(resource(base, found, selection)));
    let headers = response.headers_mut();
    for (name, value) in [(ETAG, found.etag()), (LOCATION, location(base, found))] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    response
}

/// Answers with JSON.
pub(super) fn json_response(status: StatusCode, body: &Value) -> Response {
    let mut response = (status, Body::from(body.to_string())).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(attributes: &str, excluded: &str) -> Value {
        let body = json!({
            "schemas": ["s"], "id": "1", "userName": "b", "name": { "familyName": "J", "givenName": "B" },
            "emails": [{ "value": "a", "type": "work" }, { "value": "c" }], "meta": { "version": "v", "location": "l" }
        });
        let selection = Selection::of_query(Some(attributes), Some(excluded));
        Value::Object(selection.apply(ResourceKind::User, body.as_object().unwrap().clone()))
    }

    #[test]
    fn what_was_asked_for_is_sent_and_what_identifies() {
        assert_eq!(selected("userName", ""), json!({ "schemas": ["s"], "id": "1", "userName": "b" }));
        assert_eq!(
            selected("name.GivenName, emails.value, emails.type,shoeSize", "userName"),
            json!({ "schemas": ["s"], "id": "1", "name": { "givenName": "B" }, "emails": [{ "value": "a", "type": "work" }, { "value": "c" }] })
        );
        assert_eq!(
            selected("", "id,emails.type,name,meta.location,userName"),
            json!({ "schemas": ["s"], "id": "1", "emails": [{ "value": "a" }, { "value": "c" }], "meta": { "version": "v" } })
        );
    }
}
