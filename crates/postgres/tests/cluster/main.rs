//! Tests that make a PostgreSQL of their own: its life, and what migrating does in it.

// `cfg(test)` tells clippy that the helpers in a module are tests, too.
#[cfg(test)]
mod kill;
#[cfg(test)]
mod life;
#[cfg(test)]
mod migrate;
#[cfg(test)]
mod migrate_change;
#[cfg(test)]
mod migrate_cluster;
#[cfg(test)]
mod seed;
#[cfg(test)]
mod sums;
#[cfg(test)]
mod ways_back;
