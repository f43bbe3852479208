//! Imports go down only; siblings do not know each other; one crate talks to PostgreSQL.

use std::process::Command;

use serde_json::Value;
use tidy::{expect_none, root};

/// Where a crate stands.
#[derive(Clone, Copy)]
enum Floor {
    /// It is part of the product.
    At(u8),
    /// It helps to build and test; nothing that ships needs it.
    Tool,
}

/// Every crate and its floor.
const FLOORS: &[(&str, Floor)] = &[
    ("thorbis-kernel", Floor::At(0)),
    ("thorbis-postgres", Floor::At(1)),
    ("thorbis-redis-link", Floor::At(1)),
    ("thorbis-limits", Floor::At(2)),
    ("thorbis-cache", Floor::At(1)),
    ("thorbis-blobs", Floor::At(1)),
    ("thorbis-outbound", Floor::At(2)),
    ("thorbis-queue", Floor::At(2)),
    ("thorbis-auth", Floor::At(3)),
    ("thorbis-messaging", Floor::At(3)),
    ("thorbis-data-api", Floor::At(4)),
    ("thorbis-realtime", Floor::At(4)),
    ("thorbis-storage", Floor::At(4)),
    ("thorbis-observe", Floor::At(3)),
    ("thorbis-doctor", Floor::At(2)),
    ("thorbis-operations", Floor::At(4)),
    ("thorbis-archives", Floor::At(4)),
    ("thorbis-transfers", Floor::At(5)),
    ("thorbis-server", Floor::At(6)),
    ("thorbis-load", Floor::Tool),
    ("thorbis-proof", Floor::Tool),
    ("thorbis-testkit", Floor::Tool),
    ("thorbis-tidy", Floor::Tool),
];
/// Tools that stand on the product; the proof stands on the test kit, too, and the load puts tasks in and does them.
const STANDING_TOOLS: &[&str] = &["thorbis-testkit", "thorbis-proof", "thorbis-load"];
/// The highest floor that these may use: the server uses the kit.
const TESTKIT_FLOOR_MAX: u8 = 3;
/// Crates that open connections; all others go through `postgres`. What is compared with it goes another way.
const DRIVER_USERS: &[&str] = &["thorbis-postgres", "thorbis-testkit", "thorbis-proof", "thorbis-load"];
const DRIVERS: &[&str] = &["tokio-postgres", "deadpool", "tokio-postgres-rustls"];
/// What the vocabulary must stay free of.
const NOT_IN_KERNEL: &[&str] = &["tokio", "tokio-postgres", "axum", "reqwest", "hyper"];

struct Import {
    from: String,
    to: String,
    is_dev: bool,
}

fn floor(name: &str) -> Option<Floor> {
    FLOORS.iter().find(|(crate_name, _)| *crate_name == name).map(|(_, floor)| *floor)
}

fn violations(imports: &[Import]) -> Vec<String> {
    let mut found = vec![];
    for Import { from, to, is_dev } in imports {
        let Some(from_floor) = floor(from) else {
            found.push(format!("{from} has no floor; give it one in {}", file!()));
            continue;
        };
        if DRIVERS.contains(&to.as_str()) && !is_dev && !DRIVER_USERS.contains(&from.as_str()) {
            found.push(format!("{from} uses {to}: only the postgres crate opens connections"));
        }
        if from == "thorbis-kernel" && !is_dev && NOT_IN_KERNEL.contains(&to.as_str()) {
            found.push(format!("{from} uses {to}: the vocabulary stays pure"));
        }
        let Some(to_floor) = floor(to) else { continue };
        let allowed = match (from_floor, to_floor) {
            (Floor::At(from), Floor::At(to)) => to < from,
            (Floor::At(_), Floor::Tool) => *is_dev,
            (Floor::Tool, Floor::At(to)) => STANDING_TOOLS.contains(&from.as_str()) && to <= TESTKIT_FLOOR_MAX,
            (Floor::Tool, Floor::Tool) => from == "thorbis-proof" && to == "thorbis-testkit",
        };
        if !allowed {
            found.push(format!("{from} must not use {to}"));
        }
    }
    found
}

fn imports() -> Vec<Import> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut found = vec![];
    for package in metadata["packages"].as_array().unwrap() {
        let from = package["name"].as_str().unwrap();
        for dependency in package["dependencies"].as_array().unwrap() {
            let (to, is_dev) = (dependency["name"].as_str().unwrap().to_owned(), dependency["kind"] == "dev");
            found.push(Import { from: from.to_owned(), to, is_dev });
        }
    }
    assert!(found.iter().any(|import| import.from == "thorbis-server" && import.to == "thorbis-auth"), "nothing was read");
    found
}

#[test]
fn imports_go_down_only() {
    expect_none("floors", &violations(&imports()));
}

#[test]
fn a_wrong_import_is_found() {
    let cases = [
        ("thorbis-kernel", "thorbis-postgres", false, true),
        ("thorbis-auth", "thorbis-postgres", false, false),
        ("thorbis-auth", "thorbis-auth", false, true),
        ("thorbis-data-api", "thorbis-server", true, true),
        ("thorbis-server", "thorbis-testkit", false, true),
        ("thorbis-server", "thorbis-testkit", true, false),
        ("thorbis-testkit", "thorbis-server", false, true),
        ("thorbis-auth", "tokio-postgres", false, true),
        ("thorbis-kernel", "tokio", false, true),
        ("thorbis-cellar", "serde", false, true),
    ];
    for (from, to, is_dev, wrong) in cases {
        let import = Import { from: from.to_owned(), to: to.to_owned(), is_dev };
        assert_eq!(!violations(&[import]).is_empty(), wrong, "{from} -> {to}");
    }
}

#[test]
fn versions_and_lints_come_from_the_workspace() {
    let mut found = vec![];
    for source in tidy::sources().unwrap().iter().filter(|source| source.path.starts_with("crates/") && source.name() == "Cargo.toml") {
        let manifest: toml::Table = source.text.parse().unwrap();
        if manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool) != Some(true) {
            found.push(format!("{}: [lints] workspace = true is missing", source.path));
        }
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (name, value) in manifest.get(section).and_then(toml::Value::as_table).into_iter().flatten() {
                if value.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                    found.push(format!("{}: {name} names its own version", source.path));
                }
            }
        }
    }
    expect_none("one table of dependencies", &found);
}
