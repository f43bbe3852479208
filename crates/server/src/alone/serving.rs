//! What is in use at this moment, and how it is replaced: configuration, routes, and the data API behind them.
//!
//! Invariant: what is new is put in use only when it works; until then the old goes on. A request keeps what it began with.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use axum::Router;
use data_api::DataApi;
use kernel::{Authority, Error, Kind, Result};
use postgres::{Alone, Database};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::config::AloneConfig;
use super::in_database::Asking;
use super::router;
use super::values::{Sources, Values};
use crate::config::{Faults, Settings};

/// What is needed to make all of it anew.
pub(super) struct Grounds {
    pub(super) sources: Sources,
    pub(super) settings: Arc<Settings>,
    pub(super) database: Database,
    pub(super) authority: Arc<Authority>,
    /// How the pool opens transactions.
    pub(super) opening: Arc<ArcSwap<Alone>>,
    /// What was written when the program began.
    pub(super) at_start: Values,
    pub(super) stop: CancellationToken,
}

/// What is in use.
pub(super) struct Serving {
    grounds: Grounds,
    pub(super) routes: Arc<ArcSwap<Router>>,
    values: ArcSwap<Values>,
    api: ArcSwapOption<InUse>,
    /// One change at a time.
    changing: Mutex<()>,
}

/// A data API and the end of following the database for it.
struct InUse {
    api: DataApi,
    follows: CancellationToken,
}

impl Serving {
    /// Puts in use what file and environment say. Asks the database nothing yet.
    pub(super) fn new(grounds: Grounds, config: &AloneConfig) -> Result<Self> {
        let serving = Self {
            values: ArcSwap::from_pointee(grounds.at_start.clone()),
            routes: Arc::new(ArcSwap::from_pointee(Router::new())),
            api: ArcSwapOption::empty(),
            changing: Mutex::new(()),
            grounds,
        };
        let api = serving.data_api(config)?;
        serving.put_in_use(api, config);
        Ok(serving)
    }

    /// Reads the configuration anew, that of the database included, then the tables; puts both in use together.
    pub(super) async fn reload_config(&self) -> Result<()> {
        let _one_at_a_time = self.changing.lock().await;
        let Grounds { sources, settings, opening, .. } = &self.grounds;
        let url = settings.database.url.as_ref();
        let mut values = sources.read().map_err(|faults| unusable(&faults))?;
        values.keep_from_start(&self.grounds.at_start);
        let mut config = AloneConfig::of(&values, url).map_err(|faults| unusable(&faults))?;
        let asking = Asking { database: self.grounds.database.clone(), authority: Arc::clone(&self.grounds.authority) };
        if config.reads_database {
            values.take_from_database(&asking.settings(config.pre_config.as_deref()).await?);
            config = AloneConfig::of(&values, url).map_err(|faults| unusable(&faults))?;
        }
        let roles = asking.roles().await?;
        let api = self.data_api(&config)?;
        api.reload().await?;
        opening.store(Arc::new(Alone {
            extra_search_path: config.extra_search_path.clone(),
            settings: config.app_settings.clone(),
            roles,
            hoisted: config.hoisted.clone(),
        }));
        self.put_in_use(api, &config);
        values.tell();
        if config.token.role_path.is_older() && values.get("jwt-role-claim-key").is_some() {
            tracing::warn!("jwt-role-claim-key is written in its older form; as a JSON path it begins with $");
        }
        self.values.store(Arc::new(values));
        tracing::info!("the configuration is in use");
        Ok(())
    }

    /// Reads the tables and functions anew.
    pub(super) async fn reload_schema(&self) -> Result<()> {
        let _one_at_a_time = self.changing.lock().await;
        if let Some(in_use) = self.api.load_full() {
            in_use.api.reload().await?;
            tracing::info!("the tables and functions were read anew");
        }
        Ok(())
    }

    /// Tells whether requests can be answered.
    pub(super) async fn ready(&self) -> Result<()> {
        self.grounds.database.ping().await?;
        match self.api.load_full() {
            Some(in_use) => in_use.api.loaded(),
            None => Err(Error::internal("there is no data API")),
        }
    }

    /// Returns the settings in effect.
    pub(super) fn values(&self) -> Arc<Values> {
        self.values.load_full()
    }

    pub(super) fn database(&self) -> &Database {
        &self.grounds.database
    }

    /// Returns what is known of tables and functions.
    pub(super) fn schema(&self) -> Option<serde_json::Value> {
        self.api.load_full().and_then(|in_use| in_use.api.described())
    }

    fn data_api(&self, config: &AloneConfig) -> Result<DataApi> {
        let Grounds { database, authority, settings, .. } = &self.grounds;
        DataApi::new(database.clone(), Arc::clone(authority), config.data_api(settings))
    }

    fn put_in_use(&self, api: DataApi, config: &AloneConfig) {
        let routes = router::router(api.clone(), Arc::clone(&self.grounds.authority), config);
        let follows = self.grounds.stop.child_token();
        let (followed, until) = (api.clone(), follows.clone());
        tokio::spawn(async move { until.run_until_cancelled(Box::pin(followed.follow())).await });
        let before = self.api.swap(Some(Arc::new(InUse { api, follows })));
        self.routes.store(Arc::new(routes));
        if let Some(before) = before {
            before.follows.cancel();
        }
    }
}

fn unusable(faults: &Faults) -> Error {
    Error::new(Kind::Unprocessable, "config_invalid", faults.to_string())
}
