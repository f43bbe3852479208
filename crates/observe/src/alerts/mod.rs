//! Alerts: this server notes what it noticed, one server at a time looks at the rules, and whoever takes a message tells it.
//!
//! Invariant: a look is bounded in rows and time. What a rule's value makes of its alert is decided in the database
//! (`app.evaluate_alerts`), in the transaction that writes what channels are told.

mod queries;
mod tell;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kernel::{Authority, Result};
use outbound::http::{Bounds, Http, HttpOptions};
use outbound::{Outbound, Seal};
use postgres::Database;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::config::AlertsConfig;
use crate::signals::{self, Signals};

/// Numbers of `/metrics` that the server's own rules look at.
const GAUGES: &[&str] =
    &["last_backup_age_seconds", "change_feed_lag_seconds", "certificate_expires_seconds", "certificate_order_failures"];
/// Bytes of a webhook's answer that are read.
const ANSWER_BYTES_MAX: usize = 4096;

/// What alerts are made of.
pub struct AlertsOptions {
    /// Where rules and alerts are.
    pub database: Database,
    /// The right to work for no caller.
    pub authority: Arc<Authority>,
    /// What sends mail.
    pub outbound: Outbound,
    /// Gives the key of the outbox.
    pub seal: Box<dyn Fn() -> Result<Seal> + Send + Sync>,
    /// Gives the numbers of this process in Prometheus' text form.
    pub numbers: Box<dyn Fn() -> String + Send + Sync>,
    /// What this server counts.
    pub signals: Arc<Signals>,
    /// The settings.
    pub config: AlertsConfig,
    /// The name of this server.
    pub node: String,
    /// The folder whose disk is watched where the settings name none.
    pub directory: PathBuf,
}

/// Looks, and tells.
pub struct Alerts {
    options: AlertsOptions,
    http: Http,
}

impl Alerts {
    /// Sets it up. Connects to nothing yet.
    pub fn new(options: AlertsOptions) -> Result<Self> {
        let config = &options.config;
        let bounds = Bounds { bytes_max: ANSWER_BYTES_MAX, time: Duration::from_millis(config.webhook_time_ms) };
        let http = Http::new(HttpOptions { bounds, private_allowed: config.private_addresses_allowed })?;
        Ok(Self { options, http })
    }

    /// Looks again and again until told to stop.
    pub async fn follow(self, stop: CancellationToken) {
        if !self.options.config.enabled {
            return;
        }
        let interval = Duration::from_secs(self.options.config.interval_seconds);
        while stop.run_until_cancelled(tokio::time::sleep(interval)).await.is_some() {
            if stop.run_until_cancelled(Box::pin(self.look())).await.is_none() {
                return;
            }
        }
    }

    /// Looks once: notes, judges, tells. What fails is tried at the next look.
    async fn look(&self) {
        if let Err(error) = self.note().await {
            tracing::warn!(code = error.code(), "what this server noticed could not be noted: {}", error.message());
        }
        match self.judge().await {
            Ok(Some(open)) => metrics::gauge!("alerts_open").set(f64::from(open)),
            Ok(None) => {}
            Err(error) => tracing::error!(code = error.code(), "rules of alerts could not be looked at: {}", error.message()),
        }
        if let Err(error) = self.tell().await {
            tracing::error!(code = error.code(), "alerts could not be told: {}", error.message());
        }
    }

    async fn note(&self) -> Result<()> {
        let options = &self.options;
        let counted = options.signals.take();
        let mut noted = counted.named();
        let folder = options.config.disk_directory.as_ref().unwrap_or(&options.directory);
        if let Some((bytes, percent)) = signals::disk(folder) {
            noted.insert("disk_free_bytes".to_owned(), json!(bytes));
            noted.insert("disk_free_percent".to_owned(), json!(percent));
            metrics::gauge!("disk_free_bytes").set(bytes);
        }
        let numbers = (options.numbers)();
        for name in GAUGES.iter().copied().chain(options.config.gauges.iter().map(String::as_str)) {
            if let Some(value) = signals::gauge(&numbers, name) {
                noted.insert(name.to_owned(), json!(value));
            }
        }
        let ended = self.note_signals(noted.into()).await;
        if ended.is_err() {
            options.signals.give_back(counted);
        }
        ended
    }
}

impl std::fmt::Debug for Alerts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Alerts").field("config", &self.options.config).field("node", &self.options.node).finish_non_exhaustive()
    }
}
