//! What a directory says of a user, read for what it means here.

use kernel::Error;
use serde_json::{Map, Value};

use super::error::{Outcome, Refused};
use super::intake::is_primary;
use crate::input::Email;

const NAME_CHARACTERS_MAX: usize = 200;
const TITLE_CHARACTERS_MAX: usize = 120;
const USER_NAME_BYTES_MAX: usize = 254;

/// A user as the directory wants him.
pub(super) struct Person {
    pub(super) user_name: String,
    /// Where mail reaches him: the primary address, that of his work, the first one, or his name there if it is one.
    pub(super) email: Option<Email>,
    /// How others call him.
    pub(super) name: Option<String>,
    pub(super) title: Option<String>,
    pub(super) active: bool,
    /// Everything but `active`, which is the membership's.
    pub(super) attributes: Map<String, Value>,
}

impl Person {
    /// Reads attributes that [`super::intake`] brought into form.
    pub(super) fn read(mut attributes: Map<String, Value>) -> Outcome<Self> {
        let active = attributes.remove("active").and_then(|active| active.as_bool()).unwrap_or(true);
        let user_name = text(&attributes, "userName").map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        let user_name = user_name.ok_or_else(|| Refused::value("userName is required"))?;
        if user_name.len() > USER_NAME_BYTES_MAX {
            return Err(Refused::value(format!("userName has at most {USER_NAME_BYTES_MAX} bytes")));
        }
        if text(&attributes, "externalId").is_some_and(|id| id.len() > 255) {
            return Err(Refused::value("externalId has at most 255 bytes"));
        }
        let email = email(&attributes, &user_name)?;
        let cut = |text: String, characters: usize| text.chars().take(characters).collect::<String>();
        let name = name(&attributes).map(|name| cut(name, NAME_CHARACTERS_MAX));
        let title = text(&attributes, "title").map(|title| cut(title, TITLE_CHARACTERS_MAX));
        Ok(Self { user_name, email, name, title, active, attributes })
    }

    /// Returns the domain of the address.
    pub(super) fn domain(&self) -> Option<&str> {
        self.email.as_ref().and_then(|email| email.as_str().rsplit_once('@')).map(|(_, domain)| domain)
    }
}

fn text(attributes: &Map<String, Value>, name: &str) -> Option<String> {
    attributes.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn email(attributes: &Map<String, Value>, user_name: &str) -> Outcome<Option<Email>> {
    let emails = attributes.get("emails").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let is_of_work = |email: &&Value| email.get("type").and_then(Value::as_str).is_some_and(|kind| kind.eq_ignore_ascii_case("work"));
    let chosen = emails.iter().find(|email| is_primary(email)).or_else(|| emails.iter().find(is_of_work)).or_else(|| emails.first());
    match chosen.and_then(|email| email.get("value")).and_then(Value::as_str) {
        Some(text) => Email::parse(text).map(Some).map_err(|refused: Error| Refused::value(refused.message().to_owned())),
        None => Ok(Email::parse(user_name).ok()),
    }
}

fn name(attributes: &Map<String, Value>) -> Option<String> {
    let part = |name: &str| attributes.get("name").and_then(|parts| parts.get(name)).and_then(Value::as_str).map(str::to_owned);
    let joined = match (part("givenName"), part("familyName")) {
        (Some(given), Some(family)) => Some(format!("{given} {family}")),
        (given, family) => given.or(family),
    };
    let names = [text(attributes, "displayName"), part("formatted"), joined];
    names.into_iter().flatten().map(|name| name.trim().to_owned()).find(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::needless_pass_by_value, reason = "the values are written where they are handed over")]
    use serde_json::json;

    use super::*;

    fn read(attributes: Value) -> Person {
        Person::read(attributes.as_object().unwrap().clone()).unwrap()
    }

    #[test]
    fn the_address_is_the_primary_one_or_the_next_best() {
        let of = |emails: Value| read(json!({ "userName": "b@name.example", "emails": emails })).email.unwrap().as_str().to_owned();
        let (home, work) = (json!({ "value": "h@x.example", "type": "home" }), json!({ "value": "W@x.example", "type": "Work" }));
        assert_eq!(of(json!([home, work, { "value": "p@x.example", "primary": true }])), "p@x.example");
        assert_eq!(of(json!([home, work])), "w@x.example");
        assert_eq!(of(json!([home])), "h@x.example");
        assert_eq!(of(json!([])), "b@name.example");
        assert!(read(json!({ "userName": "bjensen" })).email.is_none());
        let wrong = json!({ "userName": "b", "emails": [{ "value": "no address" }] });
        assert!(Person::read(wrong.as_object().unwrap().clone()).is_err());
    }

    #[test]
    fn the_name_is_what_others_see() {
        let of = |more: Value| {
            let mut attributes = json!({ "userName": "b" });
            attributes.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            read(attributes).name
        };
        let parts = json!({ "givenName": "Barbara", "familyName": "Jensen" });
        assert_eq!(of(json!({ "displayName": "Babs", "name": parts })).unwrap(), "Babs");
        assert_eq!(of(json!({ "name": parts })).unwrap(), "Barbara Jensen");
        assert_eq!(of(json!({ "name": { "familyName": "Jensen" } })).unwrap(), "Jensen");
        assert_eq!(of(json!({})), None);
    }
}
