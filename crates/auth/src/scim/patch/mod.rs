//! Changes to a resource, RFC 7644 section 3.5.2, with the habits of the large directories.
//!
//! Invariant: operations are applied one after the other to a copy; the resource changes when all of them could be.

mod apply;
mod effort;
mod lists;
mod matching;

pub(super) use effort::Effort;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::{Outcome, Refused};
use super::filter::{Target, parse_path};
use super::schema::ResourceKind;

const SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// The body of a change.
#[derive(Debug, Deserialize)]
pub(super) struct Patch {
    #[serde(default)]
    schemas: Option<Vec<String>>,
    #[serde(rename = "Operations", alias = "operations")]
    operations: Vec<Operation>,
}

#[derive(Debug, Deserialize)]
struct Operation {
    op: String,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    value: Value,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verb {
    Add,
    Replace,
    Remove,
}

impl Patch {
    /// Applies all operations to a resource without what only the server writes.
    pub(super) fn apply(&self, kind: ResourceKind, resource: Map<String, Value>, mut effort: Effort) -> Outcome<Map<String, Value>> {
        let operations_max = effort.operations_max;
        if self.schemas.as_ref().is_some_and(|schemas| !schemas.iter().any(|schema| schema.eq_ignore_ascii_case(SCHEMA))) {
            return Err(Refused::syntax(format!("schemas has to name {SCHEMA}")));
        }
        if self.operations.is_empty() || self.operations.len() > operations_max {
            return Err(Refused::syntax(format!("A change has 1 to {operations_max} operations")));
        }
        self.operations.iter().try_fold(resource, |resource, operation| operation.apply(kind, resource, &mut effort))
    }
}

impl Operation {
    fn apply(&self, kind: ResourceKind, mut resource: Map<String, Value>, effort: &mut Effort) -> Outcome<Map<String, Value>> {
        let verb = self.verb()?;
        match self.path.as_deref().map(str::trim).filter(|path| !path.is_empty()) {
            Some(path) => apply::at((kind, effort), &mut resource, verb, (&parse_path(path)?, &self.value))?,
            None if verb == Verb::Remove => return Err(Refused::target("remove needs a path")),
            None => self.apply_all((kind, effort), &mut resource, verb)?,
        }
        Ok(resource)
    }

    /// Without a path the value has attributes; some directories write paths for their names.
    fn apply_all(&self, (kind, effort): (ResourceKind, &mut Effort), resource: &mut Map<String, Value>, verb: Verb) -> Outcome<()> {
        let Value::Object(members) = &self.value else { return Err(Refused::value("Without a path the value has to be an object")) };
        for (name, value) in members {
            let target = parse_path(name)?;
            if apply::is_writable(kind, &target) {
                apply::at((kind, effort), resource, verb, (&target, value))?;
            }
        }
        Ok(())
    }

    fn verb(&self) -> Outcome<Verb> {
        let verbs = [("add", Verb::Add), ("replace", Verb::Replace), ("remove", Verb::Remove)];
        let found = verbs.into_iter().find(|(word, _)| self.op.eq_ignore_ascii_case(word));
        found.map(|(_, verb)| verb).ok_or_else(|| Refused::syntax("op has to be add, replace or remove"))
    }
}

/// What a path is aimed at, with the value that is to stand there.
type Aim<'a> = (&'a Target, &'a Value);

#[cfg(test)]
mod tests;
