//! Every path that a document names is there.

use std::path::Path;

use tidy::{Source, expect_none, root, sources};

/// Finds the paths in a document: in backticks, if they begin with a folder or file of the root, and the targets of links.
fn paths(text: &str, top: &[String]) -> Vec<String> {
    let mut found = vec![];
    let mut in_block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
            continue;
        }
        if in_block {
            continue;
        }
        for token in line.split('`').skip(1).step_by(2) {
            let token = token.strip_prefix("./").unwrap_or(token);
            let path = token.split_whitespace().next().unwrap_or_default();
            let first = path.split('/').next().unwrap_or_default();
            // A name with an extension and no folder is a file of the root only if it looks like one: README.md, deny.toml.
            let is_ours = path.contains('/') && top.iter().any(|name| name == first)
                || !path.contains('/') && is_document(path) && path.chars().next().is_some_and(char::is_uppercase);
            if is_ours && !path.contains(['*', '<', '{', '…', '$']) {
                found.push(path.trim_end_matches(['/', '.', ',', ':']).to_owned());
            }
        }
        for link in line.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                found.push(target.to_owned());
            }
        }
    }
    found
}

fn is_document(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "md")
}

fn top() -> Vec<String> {
    // Folders that exist only on a machine that ran something are not named here.
    ["api", "bench", "clients", "crates", "db", "dev.d", "docs", "console", ".ci", ".config"].map(str::to_owned).to_vec()
}

fn is_there(document: &Source, path: &str) -> bool {
    let beside = Path::new(&document.path).parent().map(|folder| root().join(folder).join(path));
    root().join(path).try_exists().unwrap_or(false) || beside.is_some_and(|path| path.try_exists().unwrap_or(false))
}

#[test]
fn every_path_in_a_document_exists() {
    let mut found = vec![];
    for document in sources().unwrap().iter().filter(|source| source.has_extension("md")) {
        let missing = paths(&document.text, &top()).into_iter().filter(|path| !is_there(document, path));
        found.extend(missing.map(|path| format!("{}: {path} does not exist", document.path)));
    }
    expect_none("documents", &found);
}

#[test]
fn the_documents_that_everybody_expects_are_there() {
    let expected =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "LICENSE", "docs/PROOF.md", "bench/RESULTS.md"];
    let missing: Vec<String> = expected.iter().filter(|path| !root().join(path).is_file()).map(|path| (*path).to_owned()).collect();
    expect_none("documents", &missing);
}

#[test]
fn the_rule_finds_what_it_is_for() {
    let top = top();
    let text = "see `crates/nowhere/src/lib.rs`, `db/code/*.sql`, `./dev test`, `SECURITY.md`, `a/b` and [this](docs/x.md#part) or [that](https://x.y)";
    assert_eq!(paths(text, &top), ["crates/nowhere/src/lib.rs", "SECURITY.md", "docs/x.md"]);
    assert!(paths("```\n`crates/nowhere`\n```", &top).is_empty());
}
