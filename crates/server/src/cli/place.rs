//! Where the database of a command is: the one of `database.url`, the running server's private cluster, or that cluster started for
//! the time of the command.
//!
//! Invariant: a cluster that a command started holds the data folder's lock, and is stopped before the lock goes.

use postgres::cluster::Cluster;
use postgres::migrate::Migrator;

use super::CliError;
use crate::config::Settings;
use crate::start::{DataFolder, State, database, switch};

/// A database to work on.
pub(super) struct Place {
    migrator: Migrator,
    own: Option<(Cluster, DataFolder)>,
}

impl Place {
    pub(super) async fn find(settings: &Settings) -> Result<Self, CliError> {
        if !settings.uses_private_cluster() {
            let Some(migrator) = database::external_migrator(settings)? else {
                let message = "migrations need the owner's login: set MIGRATOR_URL beside DATABASE_URL";
                return Err(CliError::refused("migrator_url_missing", message));
            };
            return Ok(Self { migrator, own: None });
        }
        if let Some(state) = State::of_running(&settings.data_directory)? {
            let config = database::running_cluster(settings, &state)?;
            return Ok(Self { migrator: Migrator::new(config), own: None });
        }
        let folder = DataFolder::take(&settings.data_directory)?;
        switch::settle(folder.path()).await?;
        let cluster = Box::pin(postgres::cluster::start(database::cluster_options(settings, folder.path()))).await?;
        Ok(Self { migrator: Migrator::new(cluster.migrator_config()), own: Some((cluster, folder)) })
    }

    pub(super) fn migrator(&self) -> &Migrator {
        &self.migrator
    }

    /// Returns how the server connects to the cluster that was started for the command.
    pub(super) fn server_config(&self) -> Result<postgres::Config, CliError> {
        match &self.own {
            Some((cluster, _)) => Ok(cluster.server_config()),
            None => Err(CliError::refused("server_not_running", "the cluster was not started by this command")),
        }
    }

    /// Stops what was started for the command.
    pub(super) async fn leave(self) -> Result<(), CliError> {
        if let Some((cluster, folder)) = self.own {
            cluster.stop().await?;
            drop(folder);
        }
        Ok(())
    }
}

/// Returns how the owner reaches the database, who sees most of it; a private cluster that does not run is started for the time of the
/// command.
pub(super) async fn connect_as_owner(settings: &Settings) -> Result<(postgres::Config, Option<Place>), CliError> {
    if !settings.uses_private_cluster() {
        return Ok((database::external_config(settings)?, None));
    }
    if let Some(state) = State::of_running(&settings.data_directory)? {
        return Ok((database::running_cluster(settings, &state)?, None));
    }
    let place = Place::find(settings).await?;
    let config = match &place.own {
        Some((cluster, _)) => cluster.migrator_config(),
        // It was started meanwhile by somebody else.
        None => return connect(settings).await,
    };
    Ok((config, Some(place)))
}

/// Returns how to reach the database; a private cluster that does not run is started for the time of the command.
pub(super) async fn connect(settings: &Settings) -> Result<(postgres::Config, Option<Place>), CliError> {
    if !settings.uses_private_cluster() {
        return Ok((database::server_config(settings)?, None));
    }
    if let Some(state) = State::of_running(&settings.data_directory)? {
        return Ok((database::running_cluster(settings, &state)?, None));
    }
    let place = Place::find(settings).await?;
    Ok((place.server_config()?, Some(place)))
}
