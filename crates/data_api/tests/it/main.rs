//! The data API against a real PostgreSQL, through its router and behind the auth layer.

// `cfg(test)` tells clippy that the helpers in a module are tests, too.
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod filters;
#[cfg(test)]
mod reach;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod rpc;
#[cfg(test)]
mod server;
#[cfg(test)]
mod service;
#[cfg(test)]
mod story;
#[cfg(test)]
mod tenancy;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod upserts;
#[cfg(test)]
mod values;
#[cfg(test)]
mod writes;
