//! Settings for servers in this process.

use server::config::Settings;
use tempfile::TempDir;

/// Returns settings of a server whose database nobody can reach: enough for everything that comes before a database.
pub(crate) fn without_database(folder: &TempDir) -> Settings {
    let mut settings = Settings { data_directory: folder.path().join("data"), ..Settings::default() };
    settings.listen.addresses = vec!["127.0.0.1:0".parse().unwrap()];
    // Port 1 belongs to nobody.
    settings.database.url = Some(kernel::Secret::new("postgres://nobody:nothing@127.0.0.1:1/none".to_owned()));
    settings.database.start_wait_ms = 0;
    // One person asks here as often as a hundred elsewhere.
    settings.rates.mode = Some(limits::Mode::Off);
    settings
}

/// Gives the HTTP client of the tests its cryptography.
pub(crate) fn know_tls() {
    // One test of the process is the first; the others find it done.
    let _first = rustls::crypto::aws_lc_rs::default_provider().install_default().is_ok();
}
