//! The numbers of this process in Prometheus' form.
//!
//! Invariant: labels have few values: a method nobody knows counts as `other`, a path is counted by its route's pattern.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use metrics::SharedString;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use crate::version;

const REQUESTS: &str = "http_requests_total";
const DURATION: &str = "http_request_duration_seconds";
const BUCKETS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0];

/// The recorder is one for the process by its nature; a second server in it (in tests) shares it.
static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Begins to count, if that has not begun. Returns what renders the numbers.
pub(crate) fn install() -> Result<PrometheusHandle, BuildError> {
    if let Some(handle) = RECORDER.get() {
        return Ok(handle.clone());
    }
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), BUCKETS)?;
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        // Another thread was faster; its handle follows at once.
        return Ok(RECORDER.get().cloned().unwrap_or(handle));
    }
    let handle = RECORDER.get_or_init(|| handle).clone();
    describe();
    Ok(handle)
}

/// Returns a method as it is told: a client may send any word, and would make as many series and names of spans.
pub(crate) fn method_name(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

/// The tier of the company that a request was for; on its answer.
#[derive(Clone, Debug)]
pub(crate) struct OfTier(pub(crate) Arc<str>);

/// Counts one answered request.
pub(crate) fn count_request((method, route, status): (&Method, &str, u16), tier: Option<&OfTier>, taken: Duration) {
    let method = method_name(method);
    let (route, status) = (route.to_owned(), status.to_string());
    let tier = tier.map_or_else(|| SharedString::const_str("none"), |OfTier(name)| Arc::clone(name).into());
    metrics::counter!(REQUESTS, "method" => method, "route" => route.clone(), "status" => status, "tier" => tier).increment(1);
    metrics::histogram!(DURATION, "method" => method, "route" => route).record(taken.as_secs_f64());
}

/// The pool at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PoolGauges {
    pub(crate) size: usize,
    pub(crate) available: usize,
    pub(crate) waiting: usize,
}

/// Notes how the pool is.
pub(crate) fn set_pool(pool: PoolGauges) {
    for (name, value) in [("size", pool.size), ("available", pool.available), ("waiting", pool.waiting)] {
        let value = u32::try_from(value).map_or(f64::INFINITY, f64::from);
        match name {
            "size" => metrics::gauge!("database_pool_size").set(value),
            "available" => metrics::gauge!("database_pool_available").set(value),
            _ => metrics::gauge!("database_pool_waiting").set(value),
        }
    }
}

fn describe() {
    metrics::describe_counter!(REQUESTS, "Requests answered, by method, route, status and tier of the company.");
    metrics::describe_histogram!(DURATION, metrics::Unit::Seconds, "Time from the head of a request to the head of its answer.");
    metrics::describe_gauge!("database_pool_size", "Connections to PostgreSQL that are open.");
    metrics::describe_gauge!("database_pool_available", "Connections to PostgreSQL that are idle.");
    metrics::describe_gauge!("database_pool_waiting", "Requests that wait for a connection to PostgreSQL.");
    metrics::describe_gauge!("database_replica_lag_seconds", metrics::Unit::Seconds, "How old is what can be read at a replica.");
    metrics::describe_gauge!("database_replica_used", "Whether reads go to a replica.");
    metrics::describe_counter!("database_replica_reads_total", "Reads that a replica answered.");
    metrics::describe_counter!("database_replica_refused_total", "Reads that the primary answered in the place of replicas, by reason.");
    metrics::describe_gauge!(
        "change_feed_lag_seconds",
        metrics::Unit::Seconds,
        "Age of the last beat of the change feed when it came back."
    );
    metrics::describe_counter!("change_feed_gaps_total", "Gaps in the change feed, by cause.");
    metrics::describe_counter!("change_feed_rows_total", "Changed rows that the change feed told of.");
    metrics::describe_gauge!("realtime_subscriptions", "Subscriptions to changed rows.");
    metrics::describe_gauge!("realtime_kinds", "Groups of subscriptions that hear the same of a table.");
    metrics::describe_counter!("realtime_changes_total", "Changed rows that subscriptions were looked up for.");
    metrics::describe_counter!("realtime_resyncs_total", "Subscribers that were told to read anew, by reason.");
    for (name, about) in [
        ("realtime_messages_total", "Messages that clients sent to channels."),
        ("realtime_bytes_total", "Bytes of what clients sent over sockets."),
        ("realtime_messages_told_total", "Messages put into the queues of sockets."),
        ("realtime_missed_total", "Messages that a socket was too slow for; it was told so."),
        ("realtime_refused_total", "What was refused for a limit, by limit."),
        ("realtime_connections_refused_total", "Sockets that were refused, by status."),
        ("realtime_writes_refused_total", "Broadcasts that policies did not let."),
        ("realtime_rights_asked_total", "How often policies of channels were asked."),
        ("realtime_sockets_stuck_total", "Sockets closed because they took nothing."),
        ("realtime_nodes_overrun_total", "Messages that could not be told to other servers; they were told so."),
    ] {
        metrics::describe_counter!(name, about);
    }
    metrics::describe_gauge!("realtime_sockets", "Sockets that are open.");
    metrics::describe_gauge!("realtime_channels", "Channels that sockets have joined.");
    metrics::describe_gauge!("realtime_nodes_connected", "Whether other servers can be reached.");
    metrics::describe_gauge!("realtime_feed_lag_seconds", "Age of the last beat of the change feed as sockets heard it.");
    metrics::describe_gauge!("tasks_unfinished", "Tasks of the database that are not finished, by state.");
    metrics::describe_gauge!("tasks_ready_age_seconds", metrics::Unit::Seconds, "Since when the oldest ready task could have begun.");
    metrics::describe_gauge!("certificate_expires_seconds", metrics::Unit::Seconds, "How long the certificate for TLS holds.");
    metrics::describe_gauge!("certificate_order_failures", "Orders of a certificate that failed one after another.");
    metrics::describe_gauge!("build_info", "Always 1; version and commit are labels.");
    metrics::describe_gauge!("process_start_time_seconds", metrics::Unit::Seconds, "When the process began to serve, as Unix time.");
    metrics::gauge!("build_info", "version" => version::VERSION, "commit" => version::COMMIT).set(1.0);
    let started = Timestamp::now().as_duration().as_secs_f64();
    metrics::gauge!("process_start_time_seconds").set(started);
}
