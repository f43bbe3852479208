//! What this program is, as it was built.

/// The version of the release.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The commit it was built from, or `unknown`.
pub const COMMIT: &str = env!("THORBIS_COMMIT");
/// Both, as `thorbis --version` shows them.
pub const FULL: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("THORBIS_COMMIT"), ")");
