//! Every crate that is linked has a licence that `deny.toml` allows, also where cargo-deny is not installed.

use std::fs;
use std::process::Command;

use serde_json::Value;
use tidy::{expect_none, root};

/// Tells whether an SPDX expression can be met with the allowed licences. `/` is how old crates write OR.
fn is_met(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let met = any_of(&mut rest, allowed);
    met && rest.is_empty()
}

fn any_of(rest: &mut &[&str], allowed: &[String]) -> bool {
    let mut met = all_of(rest, allowed);
    while take(rest, "OR") {
        met |= all_of(rest, allowed);
    }
    met
}

fn all_of(rest: &mut &[&str], allowed: &[String]) -> bool {
    let mut met = one(rest, allowed);
    while take(rest, "AND") {
        met &= one(rest, allowed);
    }
    met
}

fn one(rest: &mut &[&str], allowed: &[String]) -> bool {
    if take(rest, "(") {
        return any_of(rest, allowed) && take(rest, ")");
    }
    let Some((name, after)) = rest.split_first() else { return false };
    *rest = after;
    // An exception only adds rights.
    if take(rest, "WITH")
        && let Some((_, after)) = rest.split_first()
    {
        *rest = after;
    }
    allowed.iter().any(|allowed| allowed == name)
}

fn take(rest: &mut &[&str], word: &str) -> bool {
    match rest.split_first() {
        Some((first, after)) if *first == word => {
            *rest = after;
            true
        }
        _ => false,
    }
}

fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

#[test]
fn every_licence_is_allowed() {
    let deny: toml::Table = fs::read_to_string(root().join("deny.toml")).unwrap().parse().unwrap();
    let names = |list: &toml::Value| list.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let allowed = names(&deny["licenses"]["allow"]);
    let exceptions = deny["licenses"]["exceptions"].as_array().unwrap();
    let of = |package: &Value| {
        let own = exceptions.iter().filter(|exception| exception["crate"].as_str() == package["name"].as_str());
        own.flat_map(|exception| names(&exception["allow"])).chain(allowed.iter().cloned()).collect::<Vec<_>>()
    };
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--filter-platform", &host()])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 50, "only {} packages were read", packages.len());
    let found: Vec<String> = packages
        .iter()
        .filter(|package| !package["license"].as_str().is_some_and(|licence| is_met(licence, &of(package))))
        .map(|package| format!("{} {}: {}", package["name"], package["version"], package["license"]))
        .collect();
    expect_none("licences", &found);
    let missing: Vec<String> = exceptions
        .iter()
        .filter(|exception| !packages.iter().any(|package| package["name"].as_str() == exception["crate"].as_str()))
        .map(|exception| format!("{} is linked no more", exception["crate"]))
        .collect();
    expect_none("exceptions", &missing);
}

#[test]
fn expressions_are_understood() {
    let allowed = ["MIT", "Apache-2.0", "ISC"].map(str::to_owned);
    for (expression, met) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("MIT/Apache-2.0", true),
        ("MIT AND GPL-3.0", false),
        ("ISC AND (Apache-2.0 OR OpenSSL)", true),
        ("(MIT OR GPL-2.0) AND Zlib", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("MIT Apache-2.0", false),
        ("", false),
    ] {
        assert_eq!(is_met(expression, &allowed), met, "{expression}");
    }
}
