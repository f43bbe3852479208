//! Tests of the postgres crate in databases that were installed by either sort of login.

// `cfg(test)` tells clippy that the helpers in a module are tests, too.
#[cfg(test)]
mod archived;
#[cfg(test)]
mod areas;
#[cfg(test)]
mod caller;
#[cfg(test)]
mod described;
#[cfg(test)]
mod exhausted;
#[cfg(test)]
mod feed;
#[cfg(test)]
mod foundation;
#[cfg(test)]
mod hygiene;
#[cfg(test)]
mod indexes;
#[cfg(test)]
mod labels;
#[cfg(test)]
mod left;
#[cfg(test)]
mod names;
#[cfg(test)]
mod pooler;
#[cfg(test)]
mod project;
#[cfg(test)]
mod removed;
#[cfg(test)]
mod renewal;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod schema_document;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod wire;
