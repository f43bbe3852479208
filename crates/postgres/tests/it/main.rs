//! Tests of the postgres crate against a real PostgreSQL: one program, a module a subject.

// `cfg(test)` tells clippy that the helpers in a module are tests, too.
#[cfg(test)]
mod caller;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod exhausted;
#[cfg(test)]
mod foundation;
#[cfg(test)]
mod hygiene;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod migrate;
#[cfg(test)]
mod migrate_change;
#[cfg(test)]
mod migrate_cluster;
#[cfg(test)]
mod names;
#[cfg(test)]
mod pooler;
#[cfg(test)]
mod removed;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod seed;
#[cfg(test)]
mod tls;
