//! Every number that the product counts stands in `docs/monitoring.md`, nothing else does, and the dashboard asks for no other.

use std::collections::BTreeSet;

use tidy::{Source, expect_none, sources};

const DOCUMENT: &str = "docs/monitoring.md";
const DASHBOARDS: &str = "deploy/grafana/";
/// What the exporter adds to the name of a histogram.
const SUFFIXES: &[&str] = &["_bucket", "_sum", "_count"];

/// Names that stand as a text behind one of the macros that count.
fn counted(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for kind in ["counter!(", "gauge!(", "histogram!("] {
        for rest in text.split(&format!("metrics::{kind}")).skip(1) {
            let first = rest.trim_start();
            if let Some(name) = first.strip_prefix('"').and_then(|rest| rest.split('"').next()) {
                names.insert(name.to_owned());
            }
        }
    }
    names
}

/// Names in the first column of the table of numbers.
fn documented(text: &str) -> BTreeSet<String> {
    let section = text.split("## Numbers").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap_or_default();
    section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).map(str::to_owned).collect()
}

/// Names that the expressions of a dashboard ask for.
fn asked(text: &str) -> BTreeSet<String> {
    let expressions = text.lines().filter_map(|line| line.trim().strip_prefix("\"expr\": "));
    let words = expressions.flat_map(|line| line.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')));
    let names = words.filter(|word| {
        ["_total", "_seconds", "_bytes", "_bucket"].iter().any(|end| word.ends_with(end))
            || word.contains("_pool_")
            || word.starts_with("tasks_")
    });
    names.map(|name| SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name).to_owned()).collect()
}

fn product(sources: &[Source]) -> impl Iterator<Item = &Source> {
    let is_ours = |source: &&Source| source.path.starts_with("crates/") && source.path.contains("/src/") && source.has_extension("rs");
    sources.iter().filter(is_ours)
}

#[test]
fn every_number_is_documented_and_every_documented_one_is_counted() {
    let sources = sources().unwrap();
    let listed = documented(&sources.iter().find(|source| source.path == DOCUMENT).unwrap().text);
    assert!(listed.len() > 40, "{listed:?}");
    let all: BTreeSet<String> = product(&sources).flat_map(|source| counted(&source.text)).collect();
    let mut found: Vec<String> = all.difference(&listed).map(|name| format!("{name} is counted and not in {DOCUMENT}")).collect();
    for name in listed.difference(&all) {
        // A name may be handed on by a constant or an argument.
        let text = format!("\"{name}\"");
        if !product(&sources).any(|source| source.text.contains(&text)) {
            found.push(format!("{name} is in {DOCUMENT} and counted by nobody"));
        }
    }
    for dashboard in sources.iter().filter(|source| source.path.starts_with(DASHBOARDS)) {
        let asked = asked(&dashboard.text);
        assert!(asked.len() > 10, "{}: {asked:?}", dashboard.path);
        found.extend(asked.difference(&listed).map(|name| format!("{} asks for {name}, which there is not", dashboard.path)));
    }
    expect_none("metrics", &found);
}

#[test]
fn a_number_that_is_not_there_is_found() {
    let text = "metrics::counter!(\"a_total\", \"x\" => 1); metrics::gauge!(name)";
    assert_eq!(counted(text), BTreeSet::from(["a_total".to_owned()]));
    assert_eq!(asked("  \"expr\": \"sum(rate(b_seconds_bucket[5m]))\""), BTreeSet::from(["b_seconds".to_owned()]));
}

#[test]
fn a_dashboard_shows_whatever_an_operator_has_to_see() {
    let sources = sources().unwrap();
    let shown: BTreeSet<String> =
        sources.iter().filter(|source| source.path.starts_with(DASHBOARDS)).flat_map(|source| asked(&source.text)).collect();
    for number in [
        "http_requests_total",
        "http_request_duration_seconds",
        "database_pool_size",
        "database_pool_waiting",
        "cache_requests_total",
        "tasks_total",
        "tasks_unfinished",
        "task_duration_seconds",
        "realtime_changes_total",
        "realtime_feed_lag_seconds",
        "storage_bytes_uploaded_total",
        "change_feed_lag_seconds",
        "last_backup_age_seconds",
        "last_drill_age_seconds",
        "otlp_items_total",
    ] {
        assert!(shown.contains(number), "{number} is on no dashboard");
    }
}
