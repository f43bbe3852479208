//! PostgreSQL: the private cluster, the pool, the transaction, the catalog and the migrations.
//!
//! Invariant: no other crate opens a connection for a caller; a [`Tx`] comes only from a grant.

mod alone;
pub mod catalog;
pub mod cluster;
mod database;
pub mod error;
mod explain;
pub mod feed;
mod listen;
pub mod migrate;
mod opening;
mod options;
mod pool;
pub mod replicas;
mod row;
pub mod snapshot;
mod spans;
mod sql;
mod streaming;
pub mod sums;
mod tx;
mod visitor;
mod wire;
mod writes;

pub use alone::Alone;
pub use database::{Answer, Database};
pub use listen::Listener;
pub use opening::Opened;
pub use options::{PoolOptions, PoolStatus, tls};
pub use row::{Column, ColumnIndex, Row, RowError};
pub use sql::{Param, Shape, Sql};
pub use streaming::RowStream;
pub use tokio_postgres::Config;
pub use tokio_postgres::config::{Host, SslMode};
pub use tokio_postgres::types::FromSql;
pub use tx::{Access, Tx};
pub use visitor::{VisitFault, VisitLimits, Visited, VisitedRow, Visitor};
