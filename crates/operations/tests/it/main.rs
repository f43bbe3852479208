//! Backups of a real PostgreSQL, restored.

// `cfg(test)` tells clippy that the helpers in a module are tests, too.
#[cfg(test)]
mod bench;
#[cfg(test)]
mod pitr;
#[cfg(test)]
mod restoring;
#[cfg(test)]
mod s3;
#[cfg(test)]
mod unreachable;
