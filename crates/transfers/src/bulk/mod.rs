//! What one task does to many rows: changing them, writing to many customers.

mod mail;
mod update;

pub use mail::BulkEmail;
pub use update::BulkUpdate;
