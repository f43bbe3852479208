//! PostgreSQL: the private cluster, the pool, the transaction, the catalog and the migrations.

pub mod cluster;
pub mod migrate;

pub use tokio_postgres::Config;
pub use tokio_postgres::config::Host;
