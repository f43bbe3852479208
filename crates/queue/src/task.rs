//! What is put in.

use jiff::Timestamp;
use kernel::{CompanyId, Error, Result};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Kind;

/// A task that is to be put in.
#[derive(Clone, Debug)]
pub struct NewTask {
    pub(crate) id: Uuid,
    pub(crate) kind: &'static str,
    pub(crate) company_id: Option<CompanyId>,
    pub(crate) payload: Result<Value, String>,
    pub(crate) run_at: Option<Timestamp>,
    pub(crate) priority: Option<i32>,
    pub(crate) unique: Option<(String, OnConflict)>,
    pub(crate) limit_key: Option<String>,
}

/// What becomes of an unfinished task with the same key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnConflict {
    /// It stays as it is.
    Skip,
    /// It gets the new payload and time (debouncing). One that runs is done again afterwards.
    Replace,
    /// It comes forward to the new time, if that is earlier.
    Earliest,
    /// Nothing is put in: `task_exists`.
    Refuse,
}

impl OnConflict {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Replace => "replace",
            Self::Earliest => "earliest",
            Self::Refuse => "error",
        }
    }
}

impl NewTask {
    /// A task of this kind, as soon as possible, for no company.
    pub fn of<K: Kind>(payload: &K::Payload) -> Self {
        Self {
            id: Uuid::now_v7(),
            kind: K::NAME,
            company_id: None,
            payload: serde_json::to_value(payload).map_err(|error| error.to_string()),
            run_at: None,
            priority: None,
            unique: None,
            limit_key: None,
        }
    }

    /// Work of a company.
    #[must_use]
    pub fn for_company(mut self, company_id: CompanyId) -> Self {
        self.company_id = Some(company_id);
        self
    }

    /// Not before this moment.
    #[must_use]
    pub fn at(mut self, moment: Timestamp) -> Self {
        self.run_at = Some(moment);
        self
    }

    /// More urgent the higher it is, among the tasks of its company: -1000 to 1000.
    #[must_use]
    pub fn with_priority(mut self, priority: i32) -> Self {
        self.priority = Some(priority);
        self
    }

    /// One unfinished task of its kind and company with this key of up to 200 letters.
    #[must_use]
    pub fn unique(mut self, key: impl Into<String>, on_conflict: OnConflict) -> Self {
        self.unique = Some((key.into(), on_conflict));
        self
    }

    /// What its kind's limit per key goes by: an account, a receiver; up to 200 letters.
    #[must_use]
    pub fn limited_by(mut self, key: impl Into<String>) -> Self {
        self.limit_key = Some(key.into());
        self
    }

    /// Returns the id that it gets, unless a unique one is there already.
    pub fn id(&self) -> Uuid {
        self.id
    }

    pub(crate) fn company(&self) -> Uuid {
        self.company_id.map_or_else(Uuid::nil, |company| company.0)
    }

    /// Returns the payload, if it is one and not too large.
    pub(crate) fn payload(&self, bytes_max: usize) -> Result<&Value> {
        let payload = self.payload.as_ref().map_err(|error| Error::internal(format!("the payload of a {} task: {error}", self.kind)))?;
        // Shorter than its text it never is.
        let bytes = payload.to_string().len();
        if bytes > bytes_max {
            return Err(Error::new(kernel::Kind::TooLarge, "task_payload_too_large", "The payload of this task is too large.")
                .with_details(json!({ "bytes": bytes, "bytes_max": bytes_max })));
        }
        Ok(payload)
    }

    /// Returns it as `app.enqueue_tasks` takes it.
    pub(crate) fn to_json(&self, bytes_max: usize) -> Result<Value> {
        let mut row = json!({
            "id": self.id,
            "company_id": self.company_id,
            "kind": self.kind,
            "payload": self.payload(bytes_max)?,
            "run_at": self.run_at.map(|moment| moment.to_string()),
            "priority": self.priority,
            "limit_key": self.limit_key,
        });
        if let (Some(trace), Some(row)) = (kernel::trace::current(), row.as_object_mut()) {
            row.insert("traceparent".to_owned(), Value::String(trace.to_string()));
        }
        Ok(row)
    }
}
