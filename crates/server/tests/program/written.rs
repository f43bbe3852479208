//! Documents that are written from the code: `./dev generate` writes them, everything else only compares.

use std::path::Path;

/// Compares a document with what the code says, or writes it.
pub(crate) fn compare(path: &str, expected: &str) {
    let file = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, expected).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    let stale = expected.lines().zip(found.lines().chain(std::iter::repeat(""))).find(|(wanted, written)| wanted != written);
    assert!(found == expected, "{path} is stale, run ./dev generate; the first line that differs: {stale:?}");
}
