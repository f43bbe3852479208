//! What is known of a person: telling it to him, and erasing him (docs/privacy.md).
//!
//! Invariant: which rows those are, who may ask, and what becomes of each says the database (`db/code/630_personal_data.sql` and those after it);
//! no personal data stands in a task, a log line or an answer but in the export itself.

mod erasing;
mod export;
mod packed;
mod routes;
mod zip;

pub use erasing::ErasePerson;
pub use routes::router;
