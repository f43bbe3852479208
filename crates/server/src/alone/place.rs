//! Where the database is: a connection string in either form, filled up as libpq would from the environment.
//!
//! Invariant: the parser's own words are not passed on, they may repeat a password.

use std::path::{Path, PathBuf};

use kernel::{Error, Kind, Result};
use percent_encoding::percent_decode_str;
use postgres::Config;

/// Where PostgreSQL's sockets are when nobody says.
const SOCKETS: [&str; 2] = ["/var/run/postgresql", "/tmp"];
/// What libpq knows and has no meaning here.
const LEFT_OUT: &[&str] = &["fallback_application_name", "gssencmode", "sslcompression", "sslsni", "krbsrvname", "client_encoding"];

/// Returns how to connect, and the file of certificates to trust.
pub(super) fn server(uri: &str, variable: impl Fn(&str) -> Option<String>) -> Result<(Config, Option<PathBuf>)> {
    let is_url = uri.starts_with("postgres://") || uri.starts_with("postgresql://");
    let (place, pairs): (&str, Vec<&str>) = if is_url {
        let (place, query) = uri.split_once('?').unwrap_or((uri, ""));
        (place, query.split('&').filter(|pair| !pair.is_empty()).collect())
    } else {
        ("", uri.split_whitespace().collect())
    };
    let (mut kept, mut certificate, mut has_mode) = (Vec::new(), None, false);
    for pair in pairs {
        match pair.split_once('=') {
            Some(("sslrootcert", file)) => {
                let file =
                    if is_url { percent_decode_str(file).decode_utf8_lossy().into_owned() } else { file.trim_matches('\'').to_owned() };
                certificate = Some(PathBuf::from(file)).filter(|file| file != Path::new("system"));
            }
            Some(("sslmode", mode)) => {
                has_mode = true;
                kept.push(format!("sslmode={}", known_mode(mode)));
            }
            Some((name, _)) if LEFT_OUT.contains(&name) => {}
            _ => kept.push(pair.to_owned()),
        }
    }
    if let Some(mode) = variable("PGSSLMODE").filter(|_| !has_mode) {
        kept.push(format!("sslmode={}", known_mode(&mode)));
    }
    let text = if is_url { format!("{place}?{}", kept.join("&")) } else { kept.join(" ") };
    let mut config: Config = text.parse().map_err(|_secret| {
        Error::new(Kind::Unprocessable, "config_invalid", "`db-uri` cannot be read as a PostgreSQL connection string")
            .with_hint("allowed: postgres://login:password@host:port/database, or host=… port=… user=… password=… dbname=…")
    })?;
    fill(&mut config, variable);
    if config.get_application_name().is_none() {
        config.application_name("thorbis");
    }
    Ok((config, certificate.or(None)))
}

/// Wherever TLS is spoken, authority and name are checked.
fn known_mode(mode: &str) -> &str {
    match mode {
        "verify-ca" | "verify-full" => "require",
        "allow" => "prefer",
        other => other,
    }
}

fn fill(config: &mut Config, variable: impl Fn(&str) -> Option<String>) {
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        let usual = || SOCKETS.into_iter().find(|folder| Path::new(folder).is_dir()).unwrap_or("localhost").to_owned();
        config.host(variable("PGHOST").unwrap_or_else(usual));
    }
    if config.get_ports().is_empty()
        && let Some(port) = variable("PGPORT").and_then(|port| port.parse().ok())
    {
        config.port(port);
    }
    if config.get_user().is_none()
        && let Some(user) = variable("PGUSER").or_else(|| variable("USER"))
    {
        config.user(user);
    }
    if config.get_password().is_none()
        && let Some(password) = variable("PGPASSWORD")
    {
        config.password(password);
    }
    if config.get_dbname().is_none()
        && let Some(database) = variable("PGDATABASE")
    {
        config.dbname(database);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postgres::{Host, SslMode};

    fn of(uri: &str, variables: &[(&str, &str)]) -> (Config, Option<PathBuf>) {
        let variable = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        server(uri, variable).unwrap()
    }

    #[test]
    fn both_forms_are_read() {
        let (config, file) =
            of("postgres://ann:hunter2@db.example:6432/shop?sslmode=verify-full&sslrootcert=%2Fca.pem&gssencmode=disable", &[]);
        assert_eq!((config.get_user(), config.get_dbname(), config.get_ports()), (Some("ann"), Some("shop"), [6432].as_slice()));
        assert_eq!((config.get_ssl_mode(), file), (SslMode::Require, Some(PathBuf::from("/ca.pem"))));
        let (config, file) =
            of("host=db.example port=6432 user=ann password='hunter2' dbname=shop sslmode=require sslrootcert=/ca.pem", &[]);
        assert_eq!((config.get_user(), config.get_dbname(), config.get_ports()), (Some("ann"), Some("shop"), [6432].as_slice()));
        assert_eq!((config.get_ssl_mode(), file), (SslMode::Require, Some(PathBuf::from("/ca.pem"))));
    }

    #[test]
    fn what_is_not_said_is_in_the_environment() {
        let variables = [
            ("PGHOST", "/sockets"),
            ("PGPORT", "6432"),
            ("PGUSER", "ann"),
            ("PGPASSWORD", "it's"),
            ("PGDATABASE", "shop"),
            ("PGSSLMODE", "disable"),
        ];
        let (config, _) = of("postgresql://", &variables);
        assert_eq!(config.get_hosts(), [Host::Unix("/sockets".into())]);
        assert_eq!((config.get_user(), config.get_dbname(), config.get_ports()), (Some("ann"), Some("shop"), [6432].as_slice()));
        assert_eq!((config.get_password(), config.get_ssl_mode()), (Some(b"it's".as_slice()), SslMode::Disable));
        let (config, _) = of("postgres://bob@db.example/own", &variables);
        assert_eq!((config.get_user(), config.get_dbname()), (Some("bob"), Some("own")));
    }

    #[test]
    fn a_password_is_not_repeated() {
        let refused = server("postgres://ann:hunter2@db.example:port/shop", |_| None).unwrap_err();
        assert!(!refused.to_string().contains("hunter2"), "{refused}");
    }
}
