//! Webhooks of companies: who is told of what happens, and that he was.
//!
//! Events are rows that triggers write beside a change (`db/code/520_events.sql`); deliveries are made of them after the commit
//! (`db/code/524_webhook_deliveries.sql`), tried until they are taken or given up, and stand in `public.webhook_logs`.

mod deliver;
mod headers;
mod notice;
mod outcome;
mod routes;
mod rows;
mod schedule;

pub use deliver::Pass;
pub use routes::router;
