//! What can be set about alerts, about files of log lines, and about Sentry.
//!
//! Invariant: every limit of this crate has its name here; a unit stands last in the name.

use std::path::PathBuf;

use kernel::Secret;
use serde::{Deserialize, Serialize};
use url::Url;
use uuid::Uuid;

/// Where alerts go, and how often it is looked. When they are raised rows say: `thorbis alerts rules`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertsConfig {
    /// Whether this server looks at all.
    pub enabled: bool,
    /// Seconds between two looks.
    pub interval_seconds: u64,
    /// Addresses that are written to.
    pub mail_to: Vec<String>,
    /// Webhooks that take a message as Slack does, `https://hooks.slack.com/services/…`. Secret, since whoever has one may write there.
    pub webhook_urls: Vec<Secret<String>>,
    /// Whether webhooks may be at private addresses, and without TLS.
    pub private_addresses_allowed: bool,
    /// Milliseconds that a webhook may take.
    pub webhook_time_ms: u64,
    /// The company whose owners are told in the application: the operator's own.
    pub in_app_company: Option<Uuid>,
    /// Times that a channel is tried with one message, over some minutes.
    pub attempts_max: i32,
    /// Messages that are sent in one look.
    pub deliveries_max: i32,
    /// A folder on the disk whose room is watched; the data folder if not set.
    pub disk_directory: Option<PathBuf>,
    /// Numbers of `/metrics` that rules look at beside those of the server's own rules.
    pub gauges: Vec<String>,
}

impl Default for AlertsConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            interval_seconds: 30,
            mail_to: Vec::new(),
            webhook_urls: Vec::new(),
            private_addresses_allowed: false,
            webhook_time_ms: 10_000,
            in_app_company: None,
            attempts_max: 10,
            deliveries_max: 100,
            disk_directory: None,
            gauges: Vec::new(),
        }
    }
}

impl AlertsConfig {
    /// Returns the settings that are impossible, each with what is allowed.
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let is_mail =
            |text: &String| text.len() <= 250 && text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
        let is_url =
            |url: &Secret<String>| Url::parse(url.expose()).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let is_name = |name: &String| {
            (1..=80).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        [
            (!(1..=300).contains(&self.interval_seconds), "interval_seconds", "1 to 300"),
            (self.mail_to.len() > 20 || !self.mail_to.iter().all(is_mail), "mail_to", "up to 20 addresses of mail"),
            (self.webhook_urls.len() > 20 || !self.webhook_urls.iter().all(is_url), "webhook_urls", "up to 20 http or https URLs"),
            (!(100..=30_000).contains(&self.webhook_time_ms), "webhook_time_ms", "100 to 30000"),
            (!(1..=50).contains(&self.attempts_max), "attempts_max", "1 to 50"),
            (!(1..=1000).contains(&self.deliveries_max), "deliveries_max", "1 to 1000"),
            (self.disk_directory.as_ref().is_some_and(|path| !path.is_absolute()), "disk_directory", "an absolute path"),
            (self.gauges.len() > 50 || !self.gauges.iter().all(is_name), "gauges", "up to 50 names of small letters, digits and _"),
        ]
        .into_iter()
        .filter_map(|(impossible, key, allowed)| impossible.then_some((key, allowed)))
        .collect()
    }

    /// Returns the channels that are configured, as deliveries call them.
    pub fn channels(&self) -> Vec<String> {
        let mails = self.mail_to.iter().map(|address| format!("mail:{address}"));
        let webhooks = (1..=self.webhook_urls.len()).map(|place| format!("webhook:{place}"));
        mails.chain(webhooks).chain(self.in_app_company.map(|_company| "in_app".to_owned())).collect()
    }
}

/// Log lines in files, beside standard error.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogFileConfig {
    /// The newest file; older ones have a number behind their name. None: lines go to standard error alone.
    pub path: Option<PathBuf>,
    /// Bytes of one file; then the next begins. Another one begins after a day, too.
    pub bytes_max: u64,
    /// Files that there are at most.
    pub files_max: u32,
    /// Days after which a file goes.
    pub days_max: u32,
}

impl Default for LogFileConfig {
    fn default() -> Self {
        Self { path: None, bytes_max: 104_857_600, files_max: 10, days_max: 30 }
    }
}

impl LogFileConfig {
    /// Returns the settings that are impossible, each with what is allowed.
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        [
            (self.path.as_ref().is_some_and(|path| !path.is_absolute()), "path", "an absolute path"),
            (!(4096..=10_000_000_000).contains(&self.bytes_max), "bytes_max", "4096 to 10000000000"),
            (!(1..=1000).contains(&self.files_max), "files_max", "1 to 1000"),
            (!(1..=3650).contains(&self.days_max), "days_max", "1 to 3650"),
        ]
        .into_iter()
        .filter_map(|(impossible, key, allowed)| impossible.then_some((key, allowed)))
        .collect()
    }
}

/// Sentry, which errors are told to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SentryConfig {
    /// Where it is and what lets in, `https://KEY@HOST/PROJECT`. None: nothing is told.
    pub dsn: Option<Secret<String>>,
    /// The share of errors that is told, 0 to 1.
    pub sample_rate: f64,
    /// The share of requests that is told, 0 to 1.
    pub traces_sample_rate: f64,
    /// What it calls this installation; `environment` if not set.
    pub environment: Option<String>,
    /// Errors and requests that wait to be told; more are dropped.
    pub queue_max: usize,
}

impl Default for SentryConfig {
    fn default() -> Self {
        Self { dsn: None, sample_rate: 1.0, traces_sample_rate: 0.1, environment: None, queue_max: 1000 }
    }
}

impl SentryConfig {
    /// Returns the settings that are impossible, each with what is allowed.
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        [
            (self.dsn.as_ref().is_some_and(|dsn| !crate::sentry::is_dsn(dsn.expose())), "dsn", "https://KEY@HOST/PROJECT"),
            (!(0.0..=1.0).contains(&self.sample_rate), "sample_rate", "0.0 to 1.0"),
            (!(0.0..=1.0).contains(&self.traces_sample_rate), "traces_sample_rate", "0.0 to 1.0"),
            (self.environment.as_ref().is_some_and(|name| name.is_empty() || name.len() > 64), "environment", "1 to 64 letters"),
            (!(1..=100_000).contains(&self.queue_max), "queue_max", "1 to 100000"),
        ]
        .into_iter()
        .filter_map(|(impossible, key, allowed)| impossible.then_some((key, allowed)))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_possible_and_a_webhook_is_never_shown() {
        assert_eq!(AlertsConfig::default().faults(), []);
        let url = |text: &str| AlertsConfig { webhook_urls: vec![Secret::new(text.to_owned())], ..AlertsConfig::default() };
        assert_eq!(url("https://hooks.example.com/T0/hunter2").faults(), []);
        assert_eq!(url("hooks.example.com").faults().len(), 1);
        let config = url("https://hooks.example.com/T0/hunter2");
        assert_eq!(config.channels(), ["webhook:1"]);
        assert!(!format!("{config:?} {}", serde_json::to_string(&config).unwrap()).contains("hunter2"));
    }

    #[test]
    fn an_address_without_a_name_is_refused() {
        for (mail, faults) in [("ops@example.com", 0), ("@example.com", 1), ("ops", 1), ("", 1)] {
            let config = AlertsConfig { mail_to: vec![mail.to_owned()], ..AlertsConfig::default() };
            assert_eq!(config.faults().len(), faults, "{mail}");
        }
    }
}
