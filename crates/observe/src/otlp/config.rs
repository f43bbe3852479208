//! What can be set about traces and lines that are sent to a collector.

use http::{HeaderName, HeaderValue};
use kernel::Secret;
use serde::{Deserialize, Serialize};
use url::Url;

/// A collector of OpenTelemetry, to which traces and lines of the log are sent by OTLP over HTTP.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OtlpConfig {
    /// Where it is, `http://127.0.0.1:4318`; `/v1/traces` and `/v1/logs` are put behind it. None: nothing is gathered.
    pub endpoint: Option<String>,
    /// Headers that let in, each `name=value`.
    pub headers: Vec<Secret<String>>,
    /// Whether traces are sent.
    pub traces: bool,
    /// Whether lines of the log are sent.
    pub logs: bool,
    /// The share of requests and tasks that is traced, 0 to 1.
    pub sample_rate: f64,
    /// What the collector calls this program.
    pub service_name: String,
    /// Spans and lines that wait to be sent; more are dropped.
    pub queue_max: usize,
    /// Spans or lines that are sent at once.
    pub batch_max: usize,
    /// Milliseconds after which what waits is sent.
    pub interval_ms: u64,
    /// Milliseconds that the collector may take.
    pub time_ms: u64,
    /// Times that a batch is tried.
    pub attempts_max: u32,
    /// The longest pause that a collector may ask for, in seconds.
    pub pause_seconds_max: u64,
    /// Milliseconds that a process which stops takes to send what waits.
    pub shutdown_time_ms: u64,
    /// Whether what is sent is made smaller by gzip.
    pub gzip: bool,
    /// Hosts of your own that are told by `traceparent` to which trace a request of this server belongs. Nobody else is.
    pub propagate_hosts: Vec<String>,
}

impl Default for OtlpConfig {
    fn default() -> Self {
        Self {
            endpoint: None,
            headers: Vec::new(),
            traces: true,
            logs: true,
            sample_rate: 0.1,
            service_name: "thorbis".to_owned(),
            queue_max: 4096,
            batch_max: 512,
            interval_ms: 2000,
            time_ms: 10_000,
            attempts_max: 5,
            pause_seconds_max: 60,
            shutdown_time_ms: 5000,
            gzip: true,
            propagate_hosts: Vec::new(),
        }
    }
}

impl OtlpConfig {
    /// Returns the settings that are impossible, each with what is allowed.
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let is_host = |host: &String| Url::parse(&format!("http://{host}/")).is_ok_and(|url| url.host_str() == Some(host));
        [
            (self.endpoint.is_some() && self.url("").is_none(), "endpoint", "an http or https URL without a user, a password or a query"),
            (self.headers.len() > 20 || self.headers.iter().any(|line| header(line).is_none()), "headers", "up to 20 of name=value"),
            (!(0.0..=1.0).contains(&self.sample_rate), "sample_rate", "0.0 to 1.0"),
            (self.service_name.is_empty() || self.service_name.len() > 64, "service_name", "1 to 64 letters"),
            (!(1..=100_000).contains(&self.queue_max), "queue_max", "1 to 100000"),
            (!(1..=5000).contains(&self.batch_max), "batch_max", "1 to 5000"),
            (!(10..=60_000).contains(&self.interval_ms), "interval_ms", "10 to 60000"),
            (!(100..=30_000).contains(&self.time_ms), "time_ms", "100 to 30000"),
            (!(1..=20).contains(&self.attempts_max), "attempts_max", "1 to 20"),
            (!(1..=3600).contains(&self.pause_seconds_max), "pause_seconds_max", "1 to 3600"),
            (!(100..=60_000).contains(&self.shutdown_time_ms), "shutdown_time_ms", "100 to 60000"),
            (self.propagate_hosts.len() > 50 || !self.propagate_hosts.iter().all(is_host), "propagate_hosts", "up to 50 names of hosts"),
        ]
        .into_iter()
        .filter_map(|(impossible, key, allowed)| impossible.then_some((key, allowed)))
        .collect()
    }

    /// Returns where something is posted.
    pub(crate) fn url(&self, path: &str) -> Option<Url> {
        let url = Url::parse(&format!("{}{path}", self.endpoint.as_ref()?.trim_end_matches('/'))).ok()?;
        let is_bare = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        (matches!(url.scheme(), "http" | "https") && url.has_host() && is_bare).then_some(url)
    }
}

/// Reads `name=value`.
pub(crate) fn header(line: &Secret<String>) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.expose().split_once('=')?;
    let mut value = HeaderValue::from_str(value.trim()).ok()?;
    value.set_sensitive(true);
    Some((name.trim().parse().ok()?, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_possible_and_a_header_is_never_shown() {
        assert_eq!(OtlpConfig::default().faults(), []);
        let config = OtlpConfig { headers: vec![Secret::new("x-key=hunter2".to_owned())], ..OtlpConfig::default() };
        assert_eq!(config.faults(), []);
        assert!(!format!("{config:?} {}", serde_json::to_string(&config).unwrap()).contains("hunter2"));
    }

    #[test]
    fn what_is_impossible_is_named() {
        for (endpoint, is_good) in [
            ("http://127.0.0.1:4318", true),
            ("https://collector.example.com/otlp/", true),
            ("collector.example.com", false),
            ("ftp://collector.example.com", false),
            ("https://user:word@collector.example.com", false),
            ("https://collector.example.com?key=1", false),
        ] {
            let config = OtlpConfig { endpoint: Some(endpoint.to_owned()), ..OtlpConfig::default() };
            assert_eq!(config.faults().is_empty(), is_good, "{endpoint}");
        }
        let config = OtlpConfig {
            headers: vec![Secret::new("nothing".to_owned())],
            sample_rate: 1.5,
            queue_max: 0,
            propagate_hosts: vec!["https://a.example.com".to_owned()],
            ..OtlpConfig::default()
        };
        let keys: Vec<&str> = config.faults().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["headers", "sample_rate", "queue_max", "propagate_hosts"]);
        let config = OtlpConfig { endpoint: Some("https://c.example.com/otlp/".to_owned()), ..OtlpConfig::default() };
        assert_eq!(config.url("/v1/traces").unwrap().as_str(), "https://c.example.com/otlp/v1/traces");
    }
}
