//! What a directory sends, in the form in which it is kept: names as the schema writes them, values of the schema's kinds.
//!
//! Invariant: nothing that is empty is kept, and nothing that only the server writes is taken; what the schema does not know is left out.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::error::{Outcome, Refused};
use super::schema::{Attribute, Kind, Mutability, ResourceKind};

/// Reads a whole resource.
pub(super) fn resource(kind: ResourceKind, body: &Map<String, Value>) -> Outcome<Map<String, Value>> {
    object(&kind.attributes().collect::<Vec<_>>(), body)
}

/// Reads the value of an attribute; nothing when it is empty.
pub(super) fn value(attribute: &'static Attribute, value: &Value) -> Outcome<Option<Value>> {
    if !attribute.multi {
        return single(attribute, value);
    }
    let listed = match value {
        Value::Null => return Ok(None),
        Value::Array(values) => values.iter().map(|value| single(attribute, value)).collect::<Outcome<Vec<_>>>()?,
        one => vec![single(attribute, one)?],
    };
    let elements = once_each(listed.into_iter().flatten().collect());
    if elements.iter().filter(|element| is_primary(element)).count() > 1 {
        return Err(Refused::value(format!("Only one of {} can be primary", attribute.name)));
    }
    Ok((!elements.is_empty()).then_some(Value::Array(elements)))
}

/// Leaves of equal elements the first, in time that grows with their number alone.
fn once_each(elements: Vec<Value>) -> Vec<Value> {
    let mut seen = HashSet::with_capacity(elements.len());
    let is_first: Vec<bool> = elements.iter().map(|element| seen.insert(element)).collect();
    elements.into_iter().zip(is_first).filter_map(|(element, is_first)| is_first.then_some(element)).collect()
}

/// Reads one value, of a list one element.
pub(super) fn single(attribute: &'static Attribute, value: &Value) -> Outcome<Option<Value>> {
    let wrong = |wanted: &str| Refused::value(format!("{} has to be {wanted}", attribute.name));
    match (attribute.kind, value) {
        (_, Value::Null) => Ok(None),
        (Kind::Boolean, Value::Bool(_)) => Ok(Some(value.clone())),
        // Some directories write booleans as texts.
        (Kind::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(Value::Bool(true))),
        (Kind::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(Value::Bool(false))),
        (Kind::Boolean, _) => Err(wrong("true or false")),
        (Kind::Complex, Value::Object(members)) => {
            let read = object(&attribute.subs.iter().collect::<Vec<_>>(), members)?;
            Ok((!read.is_empty()).then_some(Value::Object(read)))
        }
        // And what is complex as its value alone.
        (Kind::Complex, Value::String(_)) => {
            let inner = attribute.sub("value").ok_or_else(|| wrong("an object"))?;
            let read = single(inner, value)?;
            Ok(read.map(|read| Value::Object(Map::from_iter([(inner.name.to_owned(), read)]))))
        }
        (Kind::Complex, _) => Err(wrong("an object")),
        (_, Value::String(text)) if text.contains('\0') => Err(Refused::value("The character U+0000 cannot be stored")),
        (_, Value::String(text)) => Ok((!text.is_empty()).then(|| value.clone())),
        _ => Err(wrong("a text")),
    }
}

/// Tells whether an element is the preferred one.
pub(super) fn is_primary(element: &Value) -> bool {
    element.get("primary").is_some_and(|primary| *primary == Value::Bool(true))
}

fn object(attributes: &[&'static Attribute], members: &Map<String, Value>) -> Outcome<Map<String, Value>> {
    let mut read = Map::new();
    for (name, given) in members {
        let known = attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name));
        let Some(attribute) = known.filter(|attribute| attribute.mutability != Mutability::ReadOnly) else { continue };
        if read.contains_key(attribute.name) {
            return Err(Refused::syntax(format!("{} is there twice", attribute.name)));
        }
        if let Some(given) = value(attribute, given)? {
            read.insert(attribute.name.to_owned(), given);
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::needless_pass_by_value, reason = "the values are written where they are handed over")]
    use serde_json::json;

    use super::*;

    fn read(body: Value) -> Outcome<Value> {
        resource(ResourceKind::User, body.as_object().unwrap()).map(Value::Object)
    }

    #[test]
    fn names_values_and_what_is_empty_take_one_form() {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "1", "meta": { "version": "x" },
            "USERNAME": "bjensen@example.com", "active": "False", "title": "", "nickName": null, "password": "t1meMa$heen",
            "name": { "FamilyName": "Jensen", "formatted": "" }, "emails": "bjensen@example.com", "photos": [],
            "roles": [{ "value": "x", "primary": "True" }, { "value": "x", "primary": true }],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "manager": "26118915", "badge": 7 },
            "groups": [{ "value": "x" }]
        });
        assert_eq!(
            read(body).unwrap(),
            json!({
                "userName": "bjensen@example.com", "active": false, "name": { "familyName": "Jensen" },
                "emails": [{ "value": "bjensen@example.com" }], "roles": [{ "value": "x", "primary": true }],
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "manager": { "value": "26118915" } }
            })
        );
    }

    #[test]
    fn values_of_other_kinds_are_refused() {
        for (body, detail) in [
            (json!({ "userName": 7 }), "userName has to be a text"),
            (json!({ "active": "maybe" }), "active has to be true or false"),
            (json!({ "name": "Jensen" }), "name has to be an object"),
            (json!({ "emails": [7] }), "emails has to be an object"),
            (
                json!({ "emails": [{ "value": "a", "primary": true }, { "value": "b", "primary": true }] }),
                "Only one of emails can be primary",
            ),
            (json!({ "title": "a\u{0}" }), "The character U+0000 cannot be stored"),
            (json!({ "title": "a", "TITLE": "b" }), "title is there twice"),
        ] {
            let refused = format!("{:?}", read(body).unwrap_err());
            assert!(refused.contains(detail), "{refused}");
        }
    }
}
