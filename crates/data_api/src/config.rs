//! What can be set about the data API, with defaults that are safe in production.
//!
//! Invariant: every limit of this crate has its name here; a unit stands last in the name.

use std::ops::RangeInclusive;

use cache::CacheConfig;
use serde::{Deserialize, Serialize};

use crate::limits;
use crate::request::{ParseLimits, TransactionEnd};

/// The settings of the data API.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataApiConfig {
    /// Reads that are kept.
    pub cache: CacheConfig,
    /// The schemas that are served. The first is the one that a request means when it names none.
    pub schemas: Vec<String>,
    /// Rows that one answer may have.
    pub rows_max: u64,
    /// What a plan may cost, in the planner's units, before its request is refused; 0 for any. One EXPLAIN for each shape of request.
    pub plan_cost_max: u64,
    /// For how many seconds what the planner said of a shape is believed; the first request of the shape after that asks anew.
    pub plan_cost_kept_s: u64,
    /// Shapes of requests whose cost is remembered.
    pub plan_cost_shapes_max: u64,
    /// Milliseconds that one statement of a role may run, as `anon=2000`; `alter role … set statement_timeout` goes before it.
    pub role_statement_ms: Vec<String>,
    /// Rows that one answer to a role may have, as `anon=100`, in place of `rows_max`; who asks for more is refused.
    pub role_rows_max: Vec<String>,
    /// How deep a role may nest embedded tables, as `anon=2`, in place of `embed_depth_max`.
    pub role_embed_depth_max: Vec<String>,
    /// What a plan of a role may cost, as `anon=10000`, in place of `plan_cost_max`.
    pub role_plan_cost_max: Vec<String>,
    /// What names an embedded table in filters, orders and limits: its alias where it has one (`alias-first`), or only that (`alias-only`).
    pub embed_names: EmbedNames,
    /// Whether `select` may have aggregates: `count()`, `sum()`, `avg()`, `min()`, `max()`.
    pub aggregates_enabled: bool,
    /// Whether clients may ask how PostgreSQL executes a request. Where nothing is said: in development only.
    pub plan_enabled: Option<bool>,
    /// Whether the root describes what the caller has rights to (`follow-privileges`), everything that there is (`ignore-privileges`), or
    /// nothing (`disabled`).
    pub openapi_mode: OpenApiMode,
    /// The address that the description names: where this API is for its clients; empty: below `public_url`.
    pub openapi_server_url: String,
    /// Whether the description in version 2.0 says how to sign in.
    pub openapi_security: bool,
    /// A function of no arguments, `name` or `schema.name`, whose result is the document at the root in place of the description; empty for none.
    pub root_function: String,
    /// Whether errors say more than the dialect does: what a value has to be, and to whoever may know it what refused a request.
    pub errors_explained: bool,
    /// How long, in milliseconds, a look at the tables is good before an unknown name causes another one.
    pub catalog_reload_ms: u64,
    /// How often, in milliseconds, the server asks whether tables or functions have changed.
    pub catalog_watch_ms: u64,
    /// Shapes of requests of which it is remembered what the planner expects.
    pub estimates_max: usize,
    /// For how long, in milliseconds, it is remembered.
    pub estimate_age_ms: u64,
    /// Large results that are sent row by row at one time, and at most half of the pool's connections; 0 sends each of them whole.
    pub streams_max: usize,
    /// How long, in milliseconds, a large result waits for its turn before it is refused.
    pub stream_wait_ms: u64,
    /// Bytes, as the planner expects them, from which on a result is large.
    pub stream_bytes_min: u64,
    /// Rows that a request must allow before the planner is asked at all.
    pub stream_rows_min: u64,
    /// Bytes of a large result that are read ahead of its client.
    pub stream_buffer_bytes: usize,
    /// How long, in milliseconds, its client may take nothing of it.
    pub stream_idle_ms: u64,
    /// How long, in milliseconds, a large result may take in all.
    pub stream_time_ms: u64,
    /// Bytes of the query string.
    pub query_bytes_max: usize,
    /// Items in `select`, embedded ones included.
    pub select_items_max: usize,
    /// Filters and logic trees, nested ones included.
    pub conditions_max: usize,
    /// Terms in `order`.
    pub order_terms_max: usize,
    /// How deep logic trees may be nested.
    pub depth_max: usize,
    /// How deep embedded tables may be nested.
    pub embed_depth_max: usize,
    /// Values in one `in.(...)`.
    pub in_values_max: usize,
    /// Rows that one body may write.
    pub body_rows_max: usize,
    /// How deep the objects and arrays of a body may be nested.
    pub body_depth_max: usize,
    /// Elements that one text may have where it is cleaned because it is shown as HTML.
    pub html_elements_max: usize,
    /// A function of no arguments, `schema.name`, that runs as the caller before every request; empty for none.
    pub pre_request: String,
    /// What becomes of a transaction, and whether `Prefer: tx=` may say otherwise.
    pub transaction_end: EndOfTransaction,
    /// Requests that one batch may have.
    pub batch_requests_max: usize,
    /// Bytes that the answers of one batch may have together.
    pub batch_answer_bytes_max: usize,
    /// For how many hours the answer to a write with an `Idempotency-Key` is kept; 0 leaves the header without effect.
    pub idempotency_hours: u32,
    /// Bytes that such an answer may have.
    pub idempotency_bytes_max: usize,
    /// How often a write that another one undid, because both waited for each other, is run again.
    pub write_retries_max: u32,
    /// About how long, in milliseconds, it waits before that; each time twice as long.
    pub write_retry_pause_ms: u64,
}

impl Default for DataApiConfig {
    fn default() -> Self {
        let limits = ParseLimits::default();
        Self {
            cache: CacheConfig::default(),
            schemas: ["public", "shared", "home_services"].map(str::to_owned).to_vec(),
            rows_max: 1000,
            plan_cost_max: 0,
            plan_cost_kept_s: 600,
            plan_cost_shapes_max: 10_000,
            role_statement_ms: Vec::new(),
            role_rows_max: Vec::new(),
            role_embed_depth_max: Vec::new(),
            role_plan_cost_max: Vec::new(),
            embed_names: EmbedNames::default(),
            aggregates_enabled: true,
            plan_enabled: None,
            openapi_mode: OpenApiMode::default(),
            openapi_server_url: String::new(),
            openapi_security: false,
            root_function: String::new(),
            errors_explained: true,
            catalog_reload_ms: 1000,
            catalog_watch_ms: 500,
            estimates_max: 1000,
            estimate_age_ms: 300_000,
            streams_max: 4,
            stream_wait_ms: 10_000,
            stream_bytes_min: 4_194_304,
            stream_rows_min: 1000,
            stream_buffer_bytes: 262_144,
            stream_idle_ms: 30_000,
            stream_time_ms: 600_000,
            query_bytes_max: limits.query_bytes_max,
            select_items_max: limits.select_items_max,
            conditions_max: limits.conditions_max,
            order_terms_max: limits.order_terms_max,
            depth_max: limits.logic_depth_max,
            embed_depth_max: limits.embed_depth_max,
            in_values_max: limits.in_values_max,
            body_rows_max: limits.rows_max_in_body,
            body_depth_max: limits.body_depth_max,
            html_elements_max: 5000,
            pre_request: String::new(),
            transaction_end: EndOfTransaction::CommitAllowOverride,
            batch_requests_max: 100,
            batch_answer_bytes_max: 16_777_216,
            idempotency_hours: 24,
            idempotency_bytes_max: 1_048_576,
            write_retries_max: 4,
            write_retry_pause_ms: 20,
        }
    }
}

/// What becomes of a transaction whose request succeeded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndOfTransaction {
    /// It is kept.
    Commit,
    /// It is kept unless the request wants it undone.
    #[default]
    CommitAllowOverride,
    /// It is undone.
    Rollback,
    /// It is undone unless the request wants it kept.
    RollbackAllowOverride,
}

impl EndOfTransaction {
    /// Tells whether the request's own wish counts.
    pub(crate) fn may_be_chosen(self) -> bool {
        matches!(self, Self::CommitAllowOverride | Self::RollbackAllowOverride)
    }

    pub(crate) fn keeps(self, wanted: Option<TransactionEnd>) -> bool {
        match wanted.filter(|_| self.may_be_chosen()) {
            Some(wanted) => wanted == TransactionEnd::Commit,
            None => matches!(self, Self::Commit | Self::CommitAllowOverride),
        }
    }
}

/// What names an embedded table that has an alias.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EmbedNames {
    /// Its alias, or its own name, which is answered with a `Warning`.
    #[default]
    AliasFirst,
    /// Its alias.
    AliasOnly,
}

/// Whom the description at the root is made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OpenApiMode {
    /// For the caller: what he has any right to.
    #[default]
    FollowPrivileges,
    /// For everybody: everything that there is.
    IgnorePrivileges,
    /// For nobody.
    Disabled,
}

/// As many rows as PostgreSQL can count: no limit at all.
const ROWS_MAX: u64 = i64::MAX.unsigned_abs();

/// More than any plan costs that ends on the same day.
const COST_MAX: u64 = 1_000_000_000_000;

/// A value that cannot be used: its key below `data_api`, and what is allowed.
pub type Fault = (&'static str, &'static str);

impl DataApiConfig {
    /// Returns what is impossible about the values; nothing when they can be used.
    pub fn faults(&self) -> Vec<Fault> {
        let limit = |value: usize| (1..=1_000_000).contains(&value);
        [
            (self.schemas.is_empty() || self.schemas.iter().any(String::is_empty), "schemas", "names of schemas, at least one"),
            (!(1..=ROWS_MAX).contains(&self.rows_max), "rows_max", "1 to 9223372036854775807"),
            (self.plan_cost_max > COST_MAX, "plan_cost_max", "0 to 1000000000000"),
            (!(1..=86_400).contains(&self.plan_cost_kept_s), "plan_cost_kept_s", "1 to 86400"),
            (!(1..=1_000_000).contains(&self.plan_cost_shapes_max), "plan_cost_shapes_max", "1 to 1000000"),
            (!by_role(&self.role_statement_ms, 1..=3_600_000), "role_statement_ms", "role=number, 1 to 3600000"),
            (!by_role(&self.role_rows_max, 1..=ROWS_MAX), "role_rows_max", "role=number, 1 to 9223372036854775807"),
            (!by_role(&self.role_embed_depth_max, 0..=64), "role_embed_depth_max", "role=number, 0 to 64"),
            (!by_role(&self.role_plan_cost_max, 0..=COST_MAX), "role_plan_cost_max", "role=number, 0 to 1000000000000"),
            (!is_address(&self.openapi_server_url), "openapi_server_url", "an address that begins with http:// or https://, or empty"),
            (!(100..=3_600_000).contains(&self.catalog_reload_ms), "catalog_reload_ms", "100 to 3600000"),
            (!(100..=3_600_000).contains(&self.catalog_watch_ms), "catalog_watch_ms", "100 to 3600000"),
            (!limit(self.estimates_max), "estimates_max", "1 to 1000000"),
            (self.estimate_age_ms > 86_400_000, "estimate_age_ms", "0 to 86400000"),
            (self.streams_max > 10_000, "streams_max", "0 to 10000"),
            (!(1..=600_000).contains(&self.stream_wait_ms), "stream_wait_ms", "1 to 600000"),
            (!(1..=1_099_511_627_776).contains(&self.stream_bytes_min), "stream_bytes_min", "1 to 1099511627776"),
            (!(1..=ROWS_MAX).contains(&self.stream_rows_min), "stream_rows_min", "1 to 9223372036854775807"),
            (!(1024..=16_777_216).contains(&self.stream_buffer_bytes), "stream_buffer_bytes", "1024 to 16777216"),
            (!(100..=3_600_000).contains(&self.stream_idle_ms), "stream_idle_ms", "100 to 3600000"),
            (!(1000..=86_400_000).contains(&self.stream_time_ms), "stream_time_ms", "1000 to 86400000"),
            (!(256..=1_048_576).contains(&self.query_bytes_max), "query_bytes_max", "256 to 1048576"),
            (!limit(self.select_items_max), "select_items_max", "1 to 1000000"),
            (!limit(self.conditions_max), "conditions_max", "1 to 1000000"),
            (!limit(self.order_terms_max), "order_terms_max", "1 to 1000000"),
            // Trees are walked by recursion.
            (!(1..=64).contains(&self.depth_max), "depth_max", "1 to 64"),
            (!(1..=64).contains(&self.embed_depth_max), "embed_depth_max", "1 to 64"),
            (!limit(self.in_values_max), "in_values_max", "1 to 1000000"),
            (!limit(self.body_rows_max), "body_rows_max", "1 to 1000000"),
            // PostgreSQL's default stack holds several times as many.
            (!(1..=2000).contains(&self.body_depth_max), "body_depth_max", "1 to 2000"),
            // To read them takes the longer the more are in each other.
            (!(1..=20_000).contains(&self.html_elements_max), "html_elements_max", "1 to 20000"),
            (!self.pre_request.is_empty() && self.pre_request().is_none(), "pre_request", "a function as schema.name, or nothing"),
            (!(1..=10_000).contains(&self.batch_requests_max), "batch_requests_max", "1 to 10000"),
            (!(1024..=1_073_741_824).contains(&self.batch_answer_bytes_max), "batch_answer_bytes_max", "1024 to 1073741824"),
            (self.idempotency_hours > 720, "idempotency_hours", "0 to 720"),
            (!(1024..=16_777_216).contains(&self.idempotency_bytes_max), "idempotency_bytes_max", "1024 to 16777216"),
            (self.write_retries_max > 10, "write_retries_max", "0 to 10"),
            (!(1..=1000).contains(&self.write_retry_pause_ms), "write_retry_pause_ms", "1 to 1000"),
        ]
        .into_iter()
        .filter_map(|(impossible, key, allowed)| impossible.then_some((key, allowed)))
        .collect()
    }

    /// Returns schema and name of the function that runs before every request.
    pub(crate) fn pre_request(&self) -> Option<(&str, &str)> {
        self.pre_request.split_once('.').filter(|(schema, name)| !schema.is_empty() && !name.is_empty())
    }

    /// Returns what the parser needs to know.
    pub(crate) fn parse_limits(&self) -> ParseLimits {
        ParseLimits {
            select_items_max: self.select_items_max,
            conditions_max: self.conditions_max,
            order_terms_max: self.order_terms_max,
            logic_depth_max: self.depth_max,
            embed_depth_max: self.embed_depth_max,
            in_values_max: self.in_values_max,
            rows_max_in_body: self.body_rows_max,
            body_depth_max: self.body_depth_max,
            query_bytes_max: self.query_bytes_max,
        }
    }
}

fn by_role(list: &[String], allowed: RangeInclusive<u64>) -> bool {
    list.iter().all(|text| limits::pair(text).is_some_and(|(_, number)| allowed.contains(&number)))
}

fn is_address(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    text.is_empty() || host.is_some_and(|host| !host.is_empty() && !host.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_be_used() {
        assert_eq!(DataApiConfig::default().faults(), []);
    }

    #[test]
    fn only_where_it_is_allowed_a_request_chooses_the_end() {
        use EndOfTransaction::{Commit, CommitAllowOverride, Rollback, RollbackAllowOverride};
        let (commit, rollback) = (Some(TransactionEnd::Commit), Some(TransactionEnd::Rollback));
        assert_eq!([Commit.keeps(None), Commit.keeps(rollback)], [true, true]);
        assert_eq!([CommitAllowOverride.keeps(None), CommitAllowOverride.keeps(rollback)], [true, false]);
        assert_eq!([Rollback.keeps(None), Rollback.keeps(commit)], [false, false]);
        assert_eq!([RollbackAllowOverride.keeps(None), RollbackAllowOverride.keeps(commit)], [false, true]);
    }

    #[test]
    fn impossible_values_are_named() {
        let role_rows_max = vec!["anon=1".to_owned(), "anon=0".to_owned()];
        let config = DataApiConfig { schemas: vec![], rows_max: 0, depth_max: 1000, role_rows_max, ..DataApiConfig::default() };
        let named: Vec<_> = config.faults().into_iter().map(|(key, _)| key).collect();
        assert_eq!(named, ["schemas", "rows_max", "role_rows_max", "depth_max"]);
    }
}
