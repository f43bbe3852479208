//! The variables by which PostgreSQL's own programs connect as the server's configuration says.
//!
//! Invariant: a password is in the environment of the program alone, never among its arguments.

use postgres::Config;

use crate::config::Settings;

/// Returns the variables by which PostgreSQL's own programs connect as the configuration says, which was read from this URL.
pub(crate) fn of(settings: &Settings, config: &Config, url: &str) -> Vec<(String, String)> {
    let hosts: Vec<String> = config.get_hosts().iter().map(host).collect();
    let ports: Vec<String> = config.get_ports().iter().map(ToString::to_string).collect();
    let mut variables = vec![
        ("PGHOST", hosts.join(",")),
        ("PGPORT", ports.join(",")),
        ("PGUSER", config.get_user().unwrap_or("postgres").to_owned()),
        ("PGDATABASE", config.get_dbname().unwrap_or("thorbis").to_owned()),
    ];
    if let Some(password) = config.get_password() {
        variables.push(("PGPASSWORD", String::from_utf8_lossy(password).into_owned()));
    }
    if let Some(file) = &settings.database.root_certificate_file {
        variables.push(("PGSSLROOTCERT", file.display().to_string()));
        variables.push(("PGSSLMODE", "verify-full".to_owned()));
    } else if let Some(mode) = sslmode(url) {
        variables.push(("PGSSLMODE", mode));
    }
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Returns what the URL says of TLS.
fn sslmode(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    url.query_pairs().find(|(name, _)| name == "sslmode").map(|(_, mode)| mode.into_owned())
}

fn host(host: &postgres::Host) -> String {
    match host {
        postgres::Host::Tcp(name) => name.clone(),
        postgres::Host::Unix(folder) => folder.display().to_string(),
    }
}
