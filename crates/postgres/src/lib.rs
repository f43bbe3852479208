//! PostgreSQL: the private cluster, the pool, the transaction, the catalog and the migrations.

pub mod cluster;
pub mod migrate;
