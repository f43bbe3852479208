//! Which database, and who may do what there: settings become connections here.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use kernel::{Error, Kind};
use postgres::cluster::ClusterOptions;
use postgres::migrate::{Migrator, Options};
use postgres::replicas::ReplicaOptions;
use postgres::{Config, Host, SslMode};

use super::StartError;
use super::state::State;
use crate::config::Settings;

/// The password of the private cluster's owner, where the cluster keeps it in the data folder.
const OWNER_PASSWORD: &str = "secrets/postgres_superuser";
/// The owner of the private cluster.
const OWNER: &str = "postgres";
/// The port in the name of the private cluster's socket.
const SOCKET_PORT: u16 = 5432;

/// The key of the replicas' addresses.
const REPLICAS: &str = "database.replicas.urls";

/// Returns how the private cluster runs.
pub(crate) fn cluster_options(settings: &Settings, folder: &Path) -> ClusterOptions {
    let mut options = ClusterOptions::new(folder);
    options.programs_folder.clone_from(&settings.database.programs_directory);
    options.archive_piece = settings.backup.enabled.then(|| Duration::from_secs(settings.backup.log_piece_s.into()));
    options
}

/// Returns how the owner connects to the private cluster of a running server.
pub(crate) fn running_cluster(settings: &Settings, state: &State) -> Result<Config, StartError> {
    let Some(cluster) = &state.cluster else {
        let message = "the running server uses database.url, and this command was not told of it: set DATABASE_URL and MIGRATOR_URL";
        return Err(Error::new(Kind::Unprocessable, "database_url_missing", message).into());
    };
    let path = settings.in_data_directory(OWNER_PASSWORD);
    let password = std::fs::read_to_string(&path).map_err(|source| StartError::File { path, source })?;
    let options = cluster_options(settings, &settings.data_directory);
    let mut config = Config::new();
    config.host_path(&cluster.socket_folder).port(SOCKET_PORT).user(OWNER).password(password.trim()).dbname(&options.database);
    config.application_name("thorbis");
    Ok(config)
}

/// Returns how the owner connects to the database of `database.url`, or the server if no owner is configured.
pub(crate) fn external_config(settings: &Settings) -> Result<Config, StartError> {
    let url = settings.database.migrator_url.as_ref().or(settings.database.url.as_ref());
    parse(url.map(kernel::Secret::expose).map_or("", String::as_str), "database.migrator_url")
}

/// Returns the migrator of `database.migrator_url`, if one is configured.
pub(crate) fn external_migrator(settings: &Settings) -> Result<Option<Migrator>, StartError> {
    let Some(url) = &settings.database.migrator_url else { return Ok(None) };
    let config = parse(url.expose(), "database.migrator_url")?;
    let tls = postgres::tls(&config, settings.database.root_certificate_file.as_deref())?;
    let migrator = Migrator::new(config);
    Ok(Some(match tls {
        Some(tls) => migrator.with_tls(tls),
        None => migrator,
    }))
}

/// Returns how the server connects to the database of `database.url`.
pub(crate) fn server_config(settings: &Settings) -> Result<Config, StartError> {
    parse(settings.database.url.as_ref().map_or("", |url| url.expose()), "database.url")
}

/// Returns how the server reads from replicas, and when.
pub(crate) fn replica_options(settings: &Settings) -> Result<ReplicaOptions, StartError> {
    let config = &settings.database.replicas;
    let servers = config.urls.iter().enumerate();
    let servers = servers.map(|(index, url)| Ok((parse(url.expose(), REPLICAS)?, config.weight(index))));
    Ok(ReplicaOptions {
        servers: servers.collect::<Result<_, StartError>>()?,
        primary_weight: config.primary_weight,
        lag_max: Duration::from_millis(config.lag_max_ms),
        look_interval: Duration::from_millis(config.look_interval_ms),
    })
}

/// Returns how to read a database that is named on the command line, and over which TLS.
pub(crate) fn named_database(url: &str, key: &str, settings: &Settings) -> Result<(Config, Migrator), StartError> {
    let config = parse(url, key)?;
    let tls = postgres::tls(&config, settings.database.root_certificate_file.as_deref())?;
    let migrator = Migrator::new(config.clone());
    Ok((config, tls.map_or(migrator.clone(), |tls| migrator.with_tls(tls))))
}

/// Returns what the migrator is told: who the server is.
pub(crate) fn migrate_options(settings: &Settings) -> Result<Options, StartError> {
    let login = if settings.uses_private_cluster() {
        Some(cluster_options(settings, &settings.data_directory).server_login)
    } else {
        server_config(settings)?.get_user().map(str::to_owned)
    };
    Ok(Options { server_login: login, ..Options::default() })
}

/// The names of what is known to other programs and set otherwise here, and how.
const SET_ELSEWHERE: &[(&str, &str)] = &[
    ("sslrootcert", "name the file in database.root_certificate_file"),
    ("sslcert", "certificates of clients are not supported; give a password"),
    ("sslkey", "certificates of clients are not supported; give a password"),
    ("pgbouncer", "set database.prepared_statements = false"),
];

fn parse(url: &str, key: &str) -> Result<Config, StartError> {
    // The parser's own words may repeat a part of the URL, so they are not passed on.
    let refused = |hint: &'static str| {
        Error::new(Kind::Unprocessable, "config_invalid", format!("`{key}` cannot be read as a PostgreSQL URL")).with_hint(hint)
    };
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if let Some((_, hint)) = SET_ELSEWHERE.iter().find(|(name, _)| pair.split('=').next() == Some(*name)) {
            return Err(refused(hint).into());
        }
        pairs.push(match pair {
            // Wherever TLS is spoken, authority and name are checked.
            "sslmode=verify-ca" | "sslmode=verify-full" => "sslmode=require",
            other => other,
        });
    }
    let allowed = "allowed: postgres://login:password@host:port/database?sslmode=disable|prefer|require|verify-full";
    let mut config: Config = format!("{place}?{}", pairs.join("&")).parse().map_err(|_secret| refused(allowed))?;
    config.application_name("thorbis");
    Ok(config)
}

/// Returns the keys of the URLs that let passwords and rows go over the network in clear text.
pub(crate) fn in_clear_text(settings: &Settings) -> Result<Vec<&'static str>, StartError> {
    let mut keys = Vec::new();
    for (key, url) in [("database.url", &settings.database.url), ("database.migrator_url", &settings.database.migrator_url)] {
        if let Some(url) = url
            && may_be_clear_text(&parse(url.expose(), key)?)
        {
            keys.push(key);
        }
    }
    for url in &settings.database.replicas.urls {
        if may_be_clear_text(&parse(url.expose(), REPLICAS)?) && !keys.contains(&REPLICAS) {
            keys.push(REPLICAS);
        }
    }
    Ok(keys)
}

/// Tells whether TLS is not demanded and the host is not this machine.
fn may_be_clear_text(config: &Config) -> bool {
    let is_far = |host: &Host| match host {
        Host::Unix(_) => false,
        Host::Tcp(name) => name != "localhost" && !name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()),
    };
    config.get_ssl_mode() != SslMode::Require && config.get_hosts().iter().any(is_far)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_of_other_programs_are_understood() {
        for (query, mode) in [
            ("", SslMode::Prefer),
            ("?sslmode=disable", SslMode::Disable),
            ("?sslmode=require&connect_timeout=3", SslMode::Require),
            ("?connect_timeout=3&sslmode=verify-full", SslMode::Require),
            ("?sslmode=verify-ca", SslMode::Require),
        ] {
            let config = parse(&format!("postgres://ann:hunter2@db.example:6432/shop{query}"), "database.url").unwrap();
            assert_eq!(config.get_ssl_mode(), mode, "{query}");
            assert_eq!((config.get_user(), config.get_dbname(), config.get_ports()), (Some("ann"), Some("shop"), &[6432][..]));
        }
    }

    #[test]
    fn what_is_not_understood_is_told_with_what_is() {
        for (query, hint) in [
            ("sslmode=verify", "sslmode=disable|prefer|require|verify-full"),
            ("sslrootcert=/hunter3.pem", "database.root_certificate_file"),
            ("pgbouncer=true", "database.prepared_statements = false"),
        ] {
            let refused = parse(&format!("postgres://ann:hunter2@db.example/shop?{query}"), "database.url").unwrap_err().to_string();
            assert!(refused.contains("`database.url`") && refused.contains(hint), "{refused}");
            assert!(!refused.contains("hunter"), "{refused}");
        }
    }

    #[test]
    fn a_password_in_clear_text_is_noticed() {
        for (url, may) in [
            ("postgres://a:b@db.example/c", true),
            ("postgres://a:b@10.0.0.7,127.0.0.1/c?sslmode=prefer", true),
            ("postgres://a:b@db.example/c?sslmode=verify-full", false),
            ("postgres://a:b@127.0.0.1/c", false),
            ("postgres://a:b@localhost/c", false),
            ("postgres://a:b@%2Frun%2Fpostgresql/c", false),
        ] {
            assert_eq!(may_be_clear_text(&parse(url, "database.url").unwrap()), may, "{url}");
        }
    }
}
