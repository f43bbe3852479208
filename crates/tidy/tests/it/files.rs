//! How files are named, how long they are, how they begin, and what never stands in one.

use std::collections::BTreeMap;

use tidy::{Source, expect_none, sources};

const LINES_MAX: usize = 500;
const SCRIPT_LINES_MAX: usize = 150;
/// Names that say nothing, so that everything ends up there.
const EMPTY_NAMES: &[&str] = &["utils", "util", "common", "helpers", "helper", "manager", "misc", "types", "core", "base"];
/// What is written by programs.
const GENERATED: &[&str] = &["Cargo.lock", "package-lock.json"];

/// Words that must not stand in any file; put together here so that this file is no finding.
fn forbidden() -> Vec<String> {
    let marks = ["TO DO", "FIX ME", "XX X"];
    let hosts = ["registry. npmjs.org", "py pi.org", "files. pythonhosted.org", "index. crates.io", "static. crates.io"];
    marks.iter().chain(&hosts).map(|word| word.replace(' ', "")).collect()
}

fn length(source: &Source) -> Option<String> {
    let lines = source.text.lines().count();
    let limit = if source.path == "dev" { SCRIPT_LINES_MAX } else { LINES_MAX };
    let is_code = source.path == "dev" || ["rs", "sh", "ts", "js", "mjs"].iter().any(|extension| source.has_extension(extension));
    let is_table = source.text.starts_with("//! table:");
    (is_code && !is_table && lines > limit).then(|| format!("{}: {lines} lines, {limit} allowed", source.path))
}

fn head(source: &Source) -> Option<String> {
    let said = source.text.starts_with("//! ") && source.text.lines().next().is_some_and(|line| line.len() > "//! postgres".len());
    (source.has_extension("rs") && !said).then(|| format!("{}: does not begin with `//! ` and why it is there", source.path))
}

fn name(source: &Source) -> Option<String> {
    let stem = source.name().split('.').next().unwrap_or_default();
    let folder = source.path.rsplit('/').nth(1).unwrap_or_default();
    let twin = source.has_extension("rs") && folder == stem && stem != "mod";
    if EMPTY_NAMES.contains(&stem) || EMPTY_NAMES.contains(&folder) {
        return Some(format!("{}: the name says nothing", source.path));
    }
    twin.then(|| format!("{}: repeats its folder's name", source.path))
}

fn words(source: &Source) -> Vec<String> {
    if GENERATED.contains(&source.name()) {
        return vec![];
    }
    let mut found = vec![];
    for (number, line) in source.text.lines().enumerate() {
        // A mark is a word of its own; a host can stand anywhere.
        let parts: Vec<&str> = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').collect();
        for word in forbidden() {
            if parts.iter().any(|part| part.trim_matches('.') == word) {
                found.push(format!("{}:{}: {word}", source.path, number + 1));
            }
        }
    }
    found
}

/// Finds names made of the same words in another order: nobody can remember which is which.
fn permutations(paths: &[&str]) -> Vec<String> {
    let mut seen: BTreeMap<Vec<&str>, (&str, &str)> = BTreeMap::new();
    let mut found = vec![];
    for path in paths {
        let file = path.rsplit('/').next().unwrap_or(path);
        let stem = file.split('.').next().unwrap_or(file).trim_start_matches(|c: char| c.is_ascii_digit() || c == '_');
        let mut words: Vec<&str> = stem.split(['_', '-']).collect();
        words.sort_unstable();
        match seen.get(&words) {
            Some((other, other_path)) if *other != stem => found.push(format!("{path} and {other_path}")),
            Some(_) => {}
            None => {
                seen.insert(words, (stem, path));
            }
        }
    }
    found
}

#[test]
fn files_keep_to_their_length() {
    expect_none("length", &sources().unwrap().iter().filter_map(length).collect::<Vec<_>>());
}

#[test]
fn files_say_why_they_are_there() {
    expect_none("first line", &sources().unwrap().iter().filter_map(head).collect::<Vec<_>>());
}

#[test]
fn names_say_something() {
    expect_none("names", &sources().unwrap().iter().filter_map(name).collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_to_do_and_no_registry_is_named() {
    expect_none("words", &sources().unwrap().iter().flat_map(words).collect::<Vec<_>>());
}

#[test]
fn no_two_names_are_permutations() {
    let sources = sources().unwrap();
    let code = sources.iter().filter(|source| ["rs", "sql", "sh"].iter().any(|extension| source.has_extension(extension)));
    expect_none("permutations", &permutations(&code.map(|source| source.path.as_str()).collect::<Vec<_>>()));
}

#[test]
fn the_rules_find_what_they_are_for() {
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    assert!(length(&source("a.rs", &"x\n".repeat(501))).is_some());
    assert!(length(&source("a.rs", &"x\n".repeat(500))).is_none());
    assert!(length(&source("a.rs", &format!("//! table: codes\n{}", "x\n".repeat(600)))).is_none());
    assert!(length(&source("dev", &"x\n".repeat(151))).is_some());
    assert!(head(&source("a.rs", "use std::fs;\n")).is_some());
    assert!(head(&source("a.rs", "//! auth\n")).is_some());
    assert!(head(&source("a.rs", "//! Why this is here, in words.\n")).is_none());
    assert!(name(&source("crates/x/src/utils.rs", "")).is_some());
    assert!(name(&source("crates/x/src/helpers/a.rs", "")).is_some());
    assert!(name(&source("crates/x/src/tx.rs", "")).is_none());
    assert_eq!(words(&source("a.rs", &format!("// {}: later", forbidden()[0]))).len(), 1);
    assert_eq!(words(&source("a.sh", &format!("curl https://{}/x", forbidden()[3]))).len(), 1);
    assert!(words(&source("a.rs", "let todo_list = 1;")).is_empty());
    assert_eq!(permutations(&["a/check_access.rs", "b/access_check.rs"]).len(), 1);
    assert_eq!(permutations(&["db/2026_create_jobs.up.sql", "db/2026_create_jobs.down.sql"]).len(), 0);
}
