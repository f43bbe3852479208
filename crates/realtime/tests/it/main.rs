//! Realtime against a real PostgreSQL.

// `cfg(test)` tells clippy that the helpers in a module are tests, too.
#[cfg(test)]
mod changed_rows;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod onlookers;
#[cfg(test)]
mod project_tables;
#[cfg(test)]
mod returning;
#[cfg(test)]
mod rights;
