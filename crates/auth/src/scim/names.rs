//! From the names that a client writes to the attributes there are.
//!
//! Invariant: whoever has a [`Route`] has names of the schema's table alone.

use std::fmt;

use super::filter::Name;
use super::schema::{Attribute, ENTERPRISE, Mutability, ResourceKind};

/// The way to an attribute: `name` and `familyName`, or an extension, `manager` and `value`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Route(Vec<&'static Attribute>);

impl Route {
    /// Finds what a name means for a kind of resource.
    pub(super) fn find(kind: ResourceKind, name: &Name) -> Option<Self> {
        let top = |text: &str| kind.attributes().find(|attribute| attribute.name.eq_ignore_ascii_case(text));
        let whole = name.to_string();
        if let Some(extension) = top(&whole).filter(|attribute| attribute.is_extension()) {
            return Some(Self(vec![extension]));
        }
        let mut steps = match &name.schema {
            Some(schema) if schema.eq_ignore_ascii_case(ENTERPRISE) => vec![top(schema)?],
            Some(schema) if !schema.eq_ignore_ascii_case(kind.schema()) => return None,
            _ => Vec::new(),
        };
        for part in std::iter::once(&name.attribute).chain(&name.sub) {
            let found = match steps.last() {
                Some(above) => above.sub(part)?,
                None => top(part)?,
            };
            steps.push(found);
        }
        Some(Self(steps))
    }

    /// Returns the way to something of this attribute.
    pub(super) fn below(&self, name: &str) -> Option<Self> {
        let sub = self.target()?.sub(name)?;
        Some(Self(self.0.iter().copied().chain([sub]).collect()))
    }

    /// Returns the names on the way.
    pub(super) fn steps(&self) -> &[&'static Attribute] {
        &self.0
    }

    /// Returns the attribute at its end.
    pub(super) fn target(&self) -> Option<&'static Attribute> {
        self.0.last().copied()
    }

    /// Returns the list on the way, with what stands before it and what is named of its elements.
    pub(super) fn list(&self) -> Option<(&'static Attribute, &[&'static Attribute])> {
        let at = self.0.iter().position(|attribute| attribute.multi)?;
        Some((self.0.get(at).copied()?, self.0.get(at.saturating_add(1)..)?))
    }

    /// Tells whether only the server writes it.
    pub(super) fn is_read_only(&self) -> bool {
        self.0.iter().any(|attribute| attribute.mutability == Mutability::ReadOnly)
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "";
        for attribute in &self.0 {
            write!(f, "{before}{}", attribute.name)?;
            before = if attribute.is_extension() { ":" } else { "." };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::filter::parse_path;
    use super::*;

    #[test]
    fn names_are_found_in_any_letters_with_and_without_their_schema() {
        let found = |kind, path: &str| Route::find(kind, &parse_path(path).unwrap().name).map(|route| route.to_string());
        let user = |path: &str| found(ResourceKind::User, path);
        assert_eq!(user("username").unwrap(), "userName");
        assert_eq!(user("NAME.familyname").unwrap(), "name.familyName");
        assert_eq!(user("urn:ietf:params:scim:schemas:core:2.0:user:emails.value").unwrap(), "emails.value");
        assert_eq!(user(ENTERPRISE).unwrap(), ENTERPRISE);
        let manager = format!("{ENTERPRISE}:manager");
        assert_eq!(user(&manager).unwrap(), manager);
        assert_eq!(user(&format!("{manager}.value")).unwrap(), format!("{manager}.value"));
        for unknown in ["password", "name.nick", "employeeNumber", "members", "urn:x:userName", "emails.value.x"] {
            assert_eq!(parse_path(unknown).ok().and_then(|target| Route::find(ResourceKind::User, &target.name)), None, "{unknown}");
        }
        assert_eq!(found(ResourceKind::Group, "Members.Value").unwrap(), "members.value");
        assert_eq!(found(ResourceKind::Group, "userName"), None);
        assert!(Route::find(ResourceKind::User, &parse_path("groups.display").unwrap().name).unwrap().is_read_only());
    }
}
