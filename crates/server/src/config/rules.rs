//! What a value must be beyond its type.
//!
//! Invariant: every rule says what is allowed, in the words of the key it refuses.

use std::path::Path;

use super::{Environment, Settings, acme};
use crate::middleware::range;

/// Returns the key and the reason of each rule that is broken.
pub(super) fn broken(settings: &Settings) -> Vec<(String, String)> {
    let mut broken = Vec::new();
    let mut rule = |key, holds: bool, allowed: &str| {
        if !holds {
            broken.push((str::to_owned(key), allowed.to_owned()));
        }
    };
    rule("data_directory", !settings.data_directory.as_os_str().is_empty(), "allowed: the path of a folder");
    rule("public_url", settings.public_url.as_deref().is_none_or(is_web_url), "allowed: an http or https URL without query");
    rule("listen.addresses", !settings.listen.addresses.is_empty(), "allowed: one address with port or more");
    rule("listen.shutdown_grace_ms", settings.listen.shutdown_grace_ms <= 3_600_000, "allowed: 0 to 3600000");
    limits(settings, &mut rule);
    tls(settings, &mut rule);
    let origins = &settings.cors.allowed_origins;
    rule("cors.allowed_origins", origins.iter().all(|origin| is_origin(origin)), "allowed: origins such as https://app.example.com");
    let ranges = &settings.proxies.trusted;
    rule("proxies.trusted", ranges.iter().all(|text| range(text).is_some()), "allowed: addresses, and ranges such as 10.0.0.0/8");
    database(settings, &mut rule);
    maintenance(settings, &mut rule);
    let filter = tracing_subscriber::EnvFilter::try_new(&settings.log.filter);
    rule("log.filter", filter.is_ok(), "allowed: a level (error, warn, info, debug, trace) or target=level pairs with commas");
    // What is on its way into a store would be taken back before it has come.
    let patience = settings.storage.upload_time_s <= u64::from(settings.blobs.unfinished_hours).saturating_mul(3600);
    rule("blobs.unfinished_hours", patience, "allowed: no less than storage.upload_time_s");
    // Whoever holds the service key would read everybody's links and codes.
    let captures = settings.outbound.capture == Some(true) && !settings.is_development();
    rule("outbound.capture", !captures, "allowed: true in development alone");
    broken.extend(settings.redis.faults().into_iter().map(|(key, allowed)| (format!("redis.{key}"), format!("allowed: {allowed}"))));
    broken.extend(settings.rates.faults().into_iter().map(|(key, allowed)| (format!("rates.{key}"), format!("allowed: {allowed}"))));
    broken.extend(settings.outbound.faults().into_iter().map(|(key, allowed)| (format!("outbound.{key}"), format!("allowed: {allowed}"))));
    let replicas = settings.database.replicas.faults().into_iter();
    broken.extend(replicas.map(|(key, allowed)| (format!("database.replicas.{key}"), format!("allowed: {allowed}"))));
    let feed = settings.change_feed.faults().into_iter();
    broken.extend(feed.map(|(key, allowed)| (format!("change_feed.{key}"), format!("allowed: {allowed}"))));
    let changes = settings.row_changes.faults().into_iter();
    broken.extend(changes.map(|(key, allowed)| (format!("row_changes.{key}"), format!("allowed: {allowed}"))));
    broken.extend(settings.queue.faults().into_iter().map(|(key, allowed)| (format!("queue.{key}"), format!("allowed: {allowed}"))));
    broken.extend(settings.doctor.faults().into_iter().map(|(key, allowed)| (format!("doctor.{key}"), format!("allowed: {allowed}"))));
    broken
        .extend(settings.messaging.faults().into_iter().map(|(key, allowed)| (format!("messaging.{key}"), format!("allowed: {allowed}"))));
    broken.extend(settings.storage.faults().into_iter().map(|(key, allowed)| (format!("storage.{key}"), format!("allowed: {allowed}"))));
    broken.extend(settings.blobs.faults().into_iter().map(|(key, allowed)| (format!("blobs.{key}"), format!("allowed: {allowed}"))));
    broken
        .extend(settings.transfers.faults().into_iter().map(|(key, allowed)| (format!("transfers.{key}"), format!("allowed: {allowed}"))));
    broken.extend(settings.realtime.faults().into_iter().map(|(key, allowed)| (format!("realtime.{key}"), format!("allowed: {allowed}"))));
    broken.extend(settings.alerts.faults().into_iter().map(|(key, allowed)| (format!("alerts.{key}"), format!("allowed: {allowed}"))));
    broken.extend(settings.sentry.faults().into_iter().map(|(key, allowed)| (format!("sentry.{key}"), format!("allowed: {allowed}"))));
    broken.extend(settings.otlp.faults().into_iter().map(|(key, allowed)| (format!("otlp.{key}"), format!("allowed: {allowed}"))));
    broken.extend(settings.log.file.faults().into_iter().map(|(key, allowed)| (format!("log.file.{key}"), format!("allowed: {allowed}"))));
    broken.extend(settings.backup.faults().into_iter().map(|(key, allowed)| (format!("backup.{key}"), format!("allowed: {allowed}"))));
    broken.extend(settings.archives.faults().into_iter().map(|(key, allowed)| (format!("archives.{key}"), format!("allowed: {allowed}"))));
    let cache = settings.data_api.cache.faults().into_iter();
    broken.extend(cache.map(|(key, allowed)| (format!("data_api.cache.{key}"), format!("allowed: {allowed}"))));
    broken.extend(settings.data_api.faults().into_iter().map(|(key, allowed)| (format!("data_api.{key}"), format!("allowed: {allowed}"))));
    broken.extend(settings.auth.faults().into_iter().map(|(key, allowed)| (format!("auth.{key}"), format!("allowed: {allowed}"))));
    broken
}

fn limits(settings: &Settings, rule: &mut impl FnMut(&'static str, bool, &str)) {
    let limits = &settings.limits;
    rule("limits.body_bytes_max", (1..=10_000_000_000).contains(&limits.body_bytes_max), "allowed: 1 to 10000000000");
    // The HTTP library's own buffer is at least 8 kB.
    rule("limits.header_bytes_max", (4096..=1_048_576).contains(&limits.header_bytes_max), "allowed: 4096 to 1048576");
    rule("limits.header_time_ms", (100..=600_000).contains(&limits.header_time_ms), "allowed: 100 to 600000");
    rule("limits.request_time_ms", (100..=3_600_000).contains(&limits.request_time_ms), "allowed: 100 to 3600000");
    rule("limits.idle_time_ms", (100..=3_600_000).contains(&limits.idle_time_ms), "allowed: 100 to 3600000");
    rule("limits.connections_max", (1..=1_000_000).contains(&limits.connections_max), "allowed: 1 to 1000000");
}

fn tls(settings: &Settings, rule: &mut impl FnMut(&'static str, bool, &str)) {
    let tls = &settings.tls;
    rule("tls.key_file", tls.certificate_file.is_none() || tls.key_file.is_some(), "needed with tls.certificate_file");
    rule("tls.certificate_file", tls.key_file.is_none() || tls.certificate_file.is_some(), "needed with tls.key_file");
    rule("tls.hsts_max_age_s", tls.hsts_max_age_s <= 63_072_000, "allowed: 0 to 63072000");
    rule("tls.reload_interval_ms", (50..=86_400_000).contains(&tls.reload_interval_ms.0), "allowed: 50 to 86400000");
    acme::rules(tls, rule);
}

fn database(settings: &Settings, rule: &mut impl FnMut(&'static str, bool, &str)) {
    let database = &settings.database;
    let is_url = |url: &Option<kernel::Secret<String>>| url.as_ref().is_none_or(|url| is_postgres_url(url.expose()));
    rule("database.url", is_url(&database.url), "allowed: postgres://login:password@host:port/database");
    rule("database.migrator_url", is_url(&database.migrator_url), "allowed: postgres://login:password@host:port/database");
    rule("database.url", database.migrator_url.is_none() || database.url.is_some(), "needed with database.migrator_url");
    rule("database.pool_size", (1..=10_000).contains(&database.pool_size), "allowed: 1 to 10000");
    rule("database.short_reads_max", (1..=1000).contains(&database.short_reads_max), "allowed: 1 to 1000");
    rule("database.pool_lifetime_s", (1..=604_800).contains(&database.pool_lifetime_s), "allowed: 1 to 604800");
    rule("database.pool_idle_s", (1..=604_800).contains(&database.pool_idle_s), "allowed: 1 to 604800");
    rule("database.pool_acquire_ms", (1..=600_000).contains(&database.pool_acquire_ms), "allowed: 1 to 600000");
    rule("database.statement_time_ms", (1..=3_600_000).contains(&database.statement_time_ms), "allowed: 1 to 3600000");
    rule("database.abandoned_ms", database.abandoned_ms <= 3_600_000, "allowed: 0 to 3600000");
    rule("database.start_wait_ms", database.start_wait_ms <= 3_600_000, "allowed: 0 to 3600000");
    let programs = database.programs_directory.as_deref().is_none_or(Path::is_absolute);
    rule("database.programs_directory", programs, "allowed: an absolute path");
    if settings.environment == Environment::Production {
        // A server login that waits longer for PostgreSQL than the client waits for us only wastes both.
        let shorter = database.statement_time_ms <= settings.limits.request_time_ms;
        rule("database.statement_time_ms", shorter, "allowed: at most limits.request_time_ms");
    }
}

fn maintenance(settings: &Settings, rule: &mut impl FnMut(&'static str, bool, &str)) {
    let maintenance = &settings.maintenance;
    let allowed = 50..=86_400_000;
    rule("maintenance.seal_interval_ms", allowed.contains(&maintenance.seal_interval_ms), "allowed: 50 to 86400000");
    rule("maintenance.anchor_interval_ms", allowed.contains(&maintenance.anchor_interval_ms), "allowed: 50 to 86400000");
    rule("maintenance.upkeep_interval_ms", allowed.contains(&maintenance.upkeep_interval_ms), "allowed: 50 to 86400000");
    rule("maintenance.statement_time_ms", (1..=3_600_000).contains(&maintenance.statement_time_ms), "allowed: 1 to 3600000");
    rule("maintenance.lock_time_ms", (1..=60_000).contains(&maintenance.lock_time_ms), "allowed: 1 to 60000");
}

fn is_web_url(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.has_host())
}

fn is_postgres_url(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "postgres" | "postgresql"))
}

/// Tells whether a text is what a browser sends as `Origin`: scheme, host and port, nothing behind.
fn is_origin(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| url.has_host() && url.origin().ascii_serialization() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_break_no_rule() {
        assert_eq!(broken(&Settings::default()), []);
    }

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for good in ["https://app.example.com", "http://localhost:3000", "http://[::1]:3000"] {
            assert!(is_origin(good), "{good}");
        }
        for bad in ["*", "app.example.com", "https://app.example.com/", "https://app.example.com/x", "https://a.example:443", "null"] {
            assert!(!is_origin(bad), "{bad}");
        }
    }

    #[test]
    fn one_tls_file_wants_the_other() {
        let mut settings = Settings::default();
        settings.tls.certificate_file = Some("cert.pem".into());
        assert_eq!(broken(&settings).first().unwrap().0, "tls.key_file");
    }
}
