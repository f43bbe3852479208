//! Which database, and who may do what there: settings become connections here.

use std::path::Path;

use kernel::{Error, Kind};
use postgres::Config;
use postgres::cluster::ClusterOptions;
use postgres::migrate::{Migrator, Options};

use super::StartError;
use super::state::State;
use crate::config::Settings;

/// The password of the private cluster's owner, where the cluster keeps it in the data folder.
const OWNER_PASSWORD: &str = "secrets/postgres_superuser";
/// The owner of the private cluster.
const OWNER: &str = "postgres";
/// The port in the name of the private cluster's socket.
const SOCKET_PORT: u16 = 5432;

/// Returns how the private cluster runs.
pub(crate) fn cluster_options(settings: &Settings, folder: &Path) -> ClusterOptions {
    let mut options = ClusterOptions::new(folder);
    options.programs_folder.clone_from(&settings.database.programs_directory);
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

/// Returns what the migrator is told: who the server is.
pub(crate) fn migrate_options(settings: &Settings) -> Result<Options, StartError> {
    let login = if settings.uses_private_cluster() {
        Some(cluster_options(settings, &settings.data_directory).server_login)
    } else {
        server_config(settings)?.get_user().map(str::to_owned)
    };
    Ok(Options { server_login: login, ..Options::default() })
}

fn parse(url: &str, key: &str) -> Result<Config, StartError> {
    // The parser's own words may repeat a part of the URL, so they are not passed on.
    let refused = |_| Error::new(Kind::Unprocessable, "config_invalid", format!("`{key}` cannot be read as a PostgreSQL URL"));
    let mut config: Config = url.parse().map_err(refused)?;
    config.application_name("thorbis");
    Ok(config)
}
