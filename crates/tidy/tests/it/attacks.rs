//! Every attack that `docs/attacks.md` lists, and every requirement of `docs/asvs.md`, names the tests that try it, and they are there.

use tidy::{expect_none, root};

const DOCUMENTS: &[&str] = &["docs/attacks.md", "docs/asvs.md"];

/// Returns what a row of the table names: files and the tests in them, each in backticks. A row without a test says why in words.
fn named(row: &str) -> Vec<(String, String)> {
    let cell = row.trim().trim_end_matches('|').rsplit('|').next().unwrap_or_default();
    let quoted: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
    let mut file = String::new();
    let mut found = vec![];
    for name in quoted {
        if name.contains('/') {
            name.clone_into(&mut file);
        } else {
            found.push((file.clone(), name.to_owned()));
        }
    }
    found
}

fn rows(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| class ") && !line.starts_with("| requirement "))
}

fn missing(text: &str, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut found = vec![];
    for row in rows(text) {
        let tests = named(row);
        if tests.is_empty() && !row.contains("not applicable: ") && !row.contains("not met: ") {
            found.push(format!("no test: {row}"));
        }
        for (file, test) in tests {
            if !read(&file).is_some_and(|text| text.contains(&format!("fn {test}("))) {
                found.push(format!("{file} has no test {test}"));
            }
        }
    }
    found
}

#[test]
fn a_test_that_is_not_there_is_found() {
    let read = |path: &str| (path == "crates/a/tests/b.rs").then(|| "async fn it_is_refused() {}".to_owned());
    let text = "| class | attack | tests |\n|---|---|---|\n| a | b | `crates/a/tests/b.rs` `it_is_refused` |\n";
    assert_eq!(missing(text, read), Vec::<String>::new());
    assert_eq!(missing(&text.replace("it_is_refused", "it_is_not"), read), ["crates/a/tests/b.rs has no test it_is_not"]);
    assert_eq!(missing("| a | b | some day |\n", read).len(), 1);
    assert!(missing("| a | b | not applicable: there is none |\n", read).is_empty());
}

#[test]
fn the_tests_of_the_attacks_are_there() {
    for document in DOCUMENTS {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        assert!(rows(&text).count() > 20, "the table of {document} is read");
        expect_none("lines without their tests", &missing(&text, |path| std::fs::read_to_string(root().join(path)).ok()));
    }
}
