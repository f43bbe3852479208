//! The fields of spans and lines, as values of JSON.

use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};

/// What was logged: fields of the line and of the spans around it.
pub(crate) type Fields = Map<String, Value>;

/// The fields of a span, for what is logged within it.
pub(crate) struct SpanFields(pub(crate) Fields);

/// Collects fields.
#[derive(Default)]
pub(crate) struct Collected {
    pub(crate) message: String,
    pub(crate) fields: Fields,
}

impl Collected {
    fn put(&mut self, field: &Field, value: Value) {
        self.fields.insert(field.name().to_owned(), value);
    }
}

impl Visit for Collected {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" { self.message = text } else { self.put(field, json!(text)) }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" { value.clone_into(&mut self.message) } else { self.put(field, json!(value)) }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, json!(value));
    }
}
