//! Every line of the data API's dialect is shown by a test.

use tidy::{Source, expect_none, root, sources};

const DOCUMENT: &str = "docs/data-api.md";
const TITLE: &str = "## The dialect, line by line";
/// Lines below which the table cannot be the whole dialect.
const LINES_MIN: usize = 50;

/// Returns what is wrong with the table: lines without a test, and tests that there are not.
fn findings(document: &str, sources: &[Source]) -> Vec<String> {
    let lines: Vec<&str> = document
        .split_once(TITLE)
        .map_or("", |(_, behind)| behind)
        .lines()
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| line.starts_with("| ") && !line.starts_with("| What "))
        .collect();
    let mut found = Vec::new();
    for line in &lines {
        let shown = line.trim_end_matches([' ', '|']).rsplit(" | ").next().unwrap_or_default();
        let names: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
        if names.is_empty() {
            found.push(format!("no test shows: {line}"));
        }
        found.extend(names.into_iter().filter(|name| !exists(name, sources)).map(|name| format!("there is no test {name}")));
    }
    if lines.len() < LINES_MIN {
        found.push(format!("the table has {} lines, fewer than the dialect", lines.len()));
    }
    found
}

/// Tells whether there is a test: `module::test` of the data API, or `crate::module::test`.
fn exists(name: &str, sources: &[Source]) -> bool {
    let parts: Vec<&str> = name.split("::").collect();
    let (krate, module, test) = match parts.as_slice() {
        [module, test] => ("data_api", *module, *test),
        [krate, module, test] => (*krate, *module, *test),
        _ => return false,
    };
    let (folder, function) = (format!("crates/{krate}/"), format!("fn {test}()"));
    let files = [format!("/{module}.rs"), format!("/{module}/mod.rs")];
    sources.iter().any(|source| {
        source.path.starts_with(&folder) && files.iter().any(|file| source.path.ends_with(file)) && source.text.contains(&function)
    })
}

#[test]
fn a_line_without_a_test_is_found() {
    let source = Source { path: "crates/data_api/tests/it/rows.rs".to_owned(), text: "async fn order() {}".to_owned() };
    let document = format!(
        "{TITLE}\n| What | Shown by |\n|---|---|\n| a | `rows::order` |\n| b | |\n| c | `rows::other`, `rows::order` |\n## More\n| d | |"
    );
    let found = findings(&document, &[source]);
    assert_eq!(found, ["no test shows: | b | |", "there is no test rows::other", "the table has 3 lines, fewer than the dialect"]);
}

#[test]
fn every_line_of_the_dialect_is_shown_by_a_test() {
    let document = std::fs::read_to_string(root().join(DOCUMENT)).unwrap_or_default();
    expect_none(DOCUMENT, &findings(&document, &sources().unwrap()));
}
