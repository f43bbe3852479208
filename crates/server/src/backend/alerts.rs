//! What alerts are made of in a server.

use std::path::Path;
use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;
use observe::{Alerts, AlertsOptions, Signals};

use super::Backend;
use crate::config::Settings;
use crate::start::StartError;

impl Backend {
    /// Sets alerts up. Looks at nothing yet.
    pub(crate) fn alerts(
        &self,
        (settings, folder): (&Settings, &Path),
        signals: Arc<Signals>,
        numbers: PrometheusHandle,
    ) -> Result<Alerts, StartError> {
        let auth = self.0.auth.clone();
        Ok(Alerts::new(AlertsOptions {
            database: self.0.database.clone(),
            authority: Arc::clone(&self.0.authority),
            outbound: self.0.outbound.clone(),
            seal: Box::new(move || auth.seal()),
            numbers: Box::new(move || numbers.render()),
            signals,
            config: settings.alerts.clone(),
            node: node(),
            directory: folder.to_owned(),
        })?)
    }
}

/// Returns the name of this server among others: its machine and process.
pub(crate) fn node() -> String {
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_else(|| "server".to_owned());
    format!("{host}:{}", std::process::id())
}
