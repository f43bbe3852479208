//! Buckets that servers share, with a real Redis.

// `cfg(test)` tells clippy that the helpers in a module are tests, too.
#[cfg(test)]
mod shared;
