//! PostgreSQL: the private cluster, the pool, the transaction, the catalog and the migrations.
//!
//! Invariant: no other crate opens a connection for a caller; a [`Tx`] comes only from a grant.

pub mod catalog;
pub mod cluster;
mod database;
pub mod error;
pub mod migrate;
mod opening;
mod pool;
mod sql;
mod tx;

pub use database::{Answer, Database};
pub use opening::Opened;
pub use pool::{PoolOptions, PoolStatus, tls};
pub use sql::{Param, Sql};
pub use tokio_postgres::config::{Host, SslMode};
pub use tokio_postgres::types::FromSql;
pub use tokio_postgres::{Config, Row};
pub use tx::{Access, Tx};
