//! The kinds of tasks that there are.
//!
//! Invariant: a name stands for one type of payload. What a payload cannot be read as is no reason to try again.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::running::{Failure, Running};

/// A kind of task: what it needs to know, its rules, and how it is done.
pub trait Kind: Send + Sync + 'static {
    /// Its name: lower case, digits and underscores.
    const NAME: &'static str;
    /// What a task of it says: a struct, since a payload is an object.
    type Payload: Serialize + DeserializeOwned + Send;

    /// Returns how it is tried, limited and kept.
    fn rules(&self) -> Rules {
        Rules::default()
    }

    /// Does one. What it returns is kept as the result. It may be called twice for one task, after a crash: what it writes with
    /// [`Running::finish_within`] is written once all the same.
    fn run(&self, task: Arc<Running>, payload: Self::Payload) -> impl Future<Output = Result<Value, Failure>> + Send;
}

/// How tasks of a kind are tried and limited. Limits are what an installation begins with; they are changed in `app.task_kinds`.
#[derive(Clone, Debug)]
pub struct Rules {
    /// How often one is tried.
    pub attempts_max: u16,
    /// Seconds before the second try, the third and so on; the last holds for all that follow.
    pub backoff_seconds: Vec<u32>,
    /// How long one may take.
    pub timeout: Duration,
    /// How urgent one is unless it says otherwise, -1000 to 1000.
    pub priority: i16,
    /// What a member needs to put one in himself.
    pub permission: Option<&'static str>,
    /// Whether a task of it runs with the rights of whoever put it in: [`Running::begin_as_asker`].
    pub runs_as_caller: bool,
    /// What a payload that a member writes must have.
    pub fields: &'static [Field],
    /// How many run at the same time.
    pub running_max: Option<u32>,
    /// How many of one company.
    pub running_per_company_max: Option<u32>,
    /// How many with one limit key.
    pub running_per_key_max: Option<u32>,
}

/// A field of a payload that a member may write.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub field_type: FieldType,
    /// Whether it must be there.
    pub is_required: bool,
}

/// What a field of a payload is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldType {
    /// A text of up to so many letters.
    Text(u32),
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// An id.
    Id,
    /// A moment.
    Time,
    /// The address of a customer or member of the company.
    Email,
    /// The number of a customer or member of the company.
    Phone,
    /// An object.
    Object,
    /// A list.
    List,
    /// The name of a template of the company's own or one of these, each with the names that it prints: in place of `subject` and `text`.
    Template(&'static [(&'static str, &'static [&'static str])]),
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            attempts_max: 4,
            backoff_seconds: vec![60, 300, 900],
            timeout: Duration::from_mins(5),
            priority: 0,
            permission: None,
            runs_as_caller: false,
            fields: &[],
            running_max: None,
            running_per_company_max: None,
            running_per_key_max: None,
        }
    }
}

impl Rules {
    /// Returns how long to wait after so many attempts; `dice` is between 0 and 1 and moves it by up to a fifth.
    pub(crate) fn pause(&self, attempt: u16, dice: f64) -> Duration {
        let place = usize::from(attempt.max(1)) - 1;
        let seconds = self.backoff_seconds.get(place).or(self.backoff_seconds.last()).copied().unwrap_or(60);
        Duration::from_secs_f64(f64::from(seconds) * (0.8 + 0.4 * dice.clamp(0.0, 1.0)))
    }

    fn to_json(&self, name: &str) -> Value {
        let fields: Vec<Value> = self.fields.iter().copied().map(Field::to_json).collect();
        json!({
            "name": name,
            "attempts_max": self.attempts_max,
            "timeout_ms": u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX),
            "priority": self.priority,
            "permission": self.permission,
            "runs_as_caller": self.runs_as_caller,
            "fields": fields,
            "max_running": self.running_max,
            "max_running_per_company": self.running_per_company_max,
            "max_running_per_key": self.running_per_key_max,
        })
    }
}

impl Field {
    fn to_json(self) -> Value {
        let (name, length_max) = match self.field_type {
            FieldType::Text(length_max) => ("text", Some(length_max)),
            FieldType::Number => ("number", None),
            FieldType::Boolean => ("boolean", None),
            FieldType::Id => ("id", None),
            FieldType::Time => ("time", None),
            FieldType::Email => ("email", None),
            FieldType::Phone => ("phone", None),
            FieldType::Object => ("object", None),
            FieldType::List => ("array", None),
            FieldType::Template(_) => ("template", None),
        };
        let mut field = json!({ "name": self.name, "type": name, "is_required": self.is_required, "length_max": length_max });
        if let (FieldType::Template(known), Some(field)) = (self.field_type, field.as_object_mut()) {
            let known: serde_json::Map<String, Value> = known.iter().map(|(name, printed)| ((*name).to_owned(), json!(printed))).collect();
            field.insert("values".to_owned(), Value::Object(known));
        }
        field
    }
}

pub(crate) type Doing<'a> = Pin<Box<dyn Future<Output = Result<Value, Failure>> + Send + 'a>>;

/// A kind whose payload is not known yet.
pub(crate) trait Handler: Send + Sync {
    fn run(&self, task: Arc<Running>, payload: Value) -> Doing<'_>;
}

impl<K: Kind> Handler for K {
    fn run(&self, task: Arc<Running>, payload: Value) -> Doing<'_> {
        Box::pin(async move {
            let payload =
                serde_json::from_value(payload).map_err(|error| Failure::never(format!("its payload cannot be read: {error}")))?;
            Kind::run(self, task, payload).await
        })
    }
}

/// A kind with its rules.
pub(crate) struct Known {
    pub(crate) name: &'static str,
    pub(crate) rules: Rules,
    pub(crate) handler: Box<dyn Handler>,
}

/// All kinds that this process can do.
#[derive(Clone, Default)]
pub struct Kinds(BTreeMap<&'static str, Arc<Known>>);

impl Kinds {
    /// Adds a kind.
    #[must_use]
    pub fn with<K: Kind>(mut self, kind: K) -> Self {
        let known = Known { name: K::NAME, rules: Kind::rules(&kind), handler: Box::new(kind) };
        self.0.insert(K::NAME, Arc::new(known));
        self
    }

    /// Returns their names.
    pub fn names(&self) -> Vec<&'static str> {
        self.0.keys().copied().collect()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Known>> {
        self.0.get(name)
    }

    /// Returns them as `app.declare_task_kinds` takes them.
    pub(crate) fn to_json(&self) -> Value {
        self.0.iter().map(|(name, known)| known.rules.to_json(name)).collect()
    }
}

impl std::fmt::Debug for Kinds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_the_last_stays() {
        let rules = Rules::default();
        let pauses: Vec<u64> = (1..=5).map(|attempt| rules.pause(attempt, 0.5).as_secs()).collect();
        assert_eq!(pauses, [60, 300, 900, 900, 900]);
        assert_eq!((rules.pause(1, 0.0).as_secs(), rules.pause(1, 1.0).as_secs()), (48, 72));
        assert_eq!(Rules { backoff_seconds: vec![], ..rules }.pause(3, 0.5).as_secs(), 60);
    }
}
