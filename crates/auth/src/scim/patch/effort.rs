//! How much one request may have its change do: operations are few, but each may look at every element of a long list.
//!
//! Invariant: what is looked at and what becomes of it grows with what was sent and with the list, never with their product beyond a limit.

use http::StatusCode;
use serde_json::Value;

use crate::scim::config::ScimConfig;
use crate::scim::error::{Outcome, Refused};

/// What is left of it.
pub(in crate::scim) struct Effort {
    pub(super) operations_max: usize,
    /// Bytes that may yet be compared.
    compared: usize,
    /// Bytes that one operation may write.
    written_max: usize,
}

impl Effort {
    /// Returns that of a request.
    pub(in crate::scim) fn of(config: &ScimConfig) -> Self {
        Self { operations_max: config.patch_operations_max, compared: config.patch_compared_bytes_max, written_max: config.body_bytes_max }
    }

    /// Takes comparisons of something of this size with so many others.
    pub(super) fn compare(&mut self, bytes: usize, times: usize) -> Outcome<()> {
        let left = bytes.checked_mul(times).and_then(|wanted| self.compared.checked_sub(wanted));
        self.compared = left.ok_or_else(|| too_much("The change looks at too much; send it in parts"))?;
        Ok(())
    }

    /// Takes a value that is written so many times: together no more than a request could hold.
    pub(super) fn write(&self, value: &Value, times: usize) -> Outcome<()> {
        if weight(value).checked_mul(times).is_none_or(|wanted| wanted > self.written_max) {
            return Err(too_much("The change writes too much; send it in parts"));
        }
        Ok(())
    }
}

fn too_much(detail: &'static str) -> Refused {
    Refused::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}

/// Returns about how many bytes a value has.
pub(super) fn weight(value: &Value) -> usize {
    let inner = match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(weight).fold(0, usize::saturating_add),
        Value::Object(members) => {
            members.iter().map(|(name, value)| name.len().saturating_add(weight(value))).fold(0, usize::saturating_add)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    inner.saturating_add(8)
}
