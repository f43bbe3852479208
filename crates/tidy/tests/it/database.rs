//! Migrations come in pairs with a header, and no SQL takes away a protection.

use tidy::{Source, expect_none, sources};

/// The lines that each migration begins with, in this order.
const HEADER: &[&str] = &["description", "author", "date", "depends", "rollback"];

fn sql() -> Vec<Source> {
    let found: Vec<Source> = sources().unwrap().into_iter().filter(|source| source.path.starts_with("db/")).collect();
    assert!(found.iter().any(|source| source.path.starts_with("db/migrations/")), "no migration was read");
    found
}

/// Returns the version and the name of `db/migrations/20260102030405_create_jobs.up.sql`.
fn parts(path: &str) -> Option<(&str, &str, &str)> {
    let file = path.strip_prefix("db/migrations/")?;
    let (stem, direction) = file.strip_suffix(".sql")?.rsplit_once('.')?;
    let (version, name) = stem.split_once('_')?;
    let is_version = version.len() == 14 && version.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = name.contains('_') && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    (is_version && is_name && matches!(direction, "up" | "down")).then_some((version, name, direction))
}

fn naming(paths: &[&str]) -> Vec<String> {
    let mut found = vec![];
    for path in paths {
        let Some((version, name, direction)) = parts(path) else {
            found.push(format!("{path}: is not named YYYYMMDDHHMMSS_verb_name.up.sql or .down.sql"));
            continue;
        };
        let other = if direction == "up" { "down" } else { "up" };
        if !paths.iter().any(|path| parts(path) == Some((version, name, other))) {
            found.push(format!("{path}: has no .{other}.sql"));
        }
        if paths.iter().filter_map(|path| parts(path)).any(|(also, other_name, _)| also == version && other_name != name) {
            found.push(format!("{path}: shares its version with another migration"));
        }
    }
    found
}

fn header(source: &Source) -> Vec<String> {
    let mut lines = source.text.lines();
    let mut found = vec![];
    for key in HEADER {
        let value = lines.next().and_then(|line| line.strip_prefix("-- ")?.strip_prefix(key)?.strip_prefix(": "));
        match value {
            None => found.push(format!("{}: line {} is not `-- {key}: …`", source.path, found.len() + 1)),
            Some(value) if value.trim().is_empty() => found.push(format!("{}: {key} is empty", source.path)),
            Some(value) if *key == "date" && value.replace('-', "") != source.name().chars().take(8).collect::<String>() => {
                found.push(format!("{}: the date is not the version's", source.path));
            }
            Some(_) => {}
        }
    }
    found
}

/// What no statement may say, in lower case; comments may.
fn dangers(source: &Source) -> Vec<String> {
    let code: Vec<&str> = source.text.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
    let code = code.join("\n").to_lowercase();
    let words: Vec<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect();
    let says = |phrase: &[&str]| words.windows(phrase.len()).any(|window| window == phrase);
    let forbidden: [(&[&str], &str); 4] = [
        (&["leakproof"], "LEAKPROOF lets rows be seen past their policy"),
        (&["disable", "row", "level", "security"], "row security is never switched off"),
        (&["no", "force", "row", "level", "security"], "row security holds for the owner, too"),
        (&["to", "public"], "nothing is granted to everybody"),
    ];
    forbidden.iter().filter(|(phrase, _)| says(phrase)).map(|(_, why)| format!("{}: {why}", source.path)).collect()
}

#[test]
fn migrations_come_in_pairs() {
    let sql = sql();
    let paths = sql.iter().map(|source| source.path.as_str()).filter(|path| path.starts_with("db/migrations/"));
    expect_none("migrations", &naming(&paths.collect::<Vec<_>>()));
}

#[test]
fn migrations_have_a_header() {
    let sql = sql();
    let found = sql.iter().filter(|source| source.path.starts_with("db/migrations/")).flat_map(header);
    expect_none("headers", &found.collect::<Vec<_>>());
}

#[test]
fn no_sql_takes_away_a_protection() {
    let sql = sql();
    let found = sql.iter().filter(|source| source.has_extension("sql") && !source.path.ends_with(".down.sql")).flat_map(dangers);
    expect_none("protections", &found.collect::<Vec<_>>());
}

#[test]
fn the_rules_find_what_they_are_for() {
    let (up, down) = ("db/migrations/20260102030405_create_jobs.up.sql", "db/migrations/20260102030405_create_jobs.down.sql");
    assert!(naming(&[up, down]).is_empty());
    assert_eq!(naming(&[up]).len(), 1);
    assert_eq!(naming(&["db/migrations/2026_create_jobs.up.sql"]).len(), 1);
    let twins = [up, down, "db/migrations/20260102030405_create_cats.up.sql", "db/migrations/20260102030405_create_cats.down.sql"];
    assert_eq!(naming(&twins).len(), 4);

    let good = "-- description: a\n-- author: b\n-- date: 2026-01-02\n-- depends: none\n-- rollback: c\n";
    let source = |text: &str| Source { path: up.to_owned(), text: text.to_owned() };
    assert!(header(&source(good)).is_empty());
    assert_eq!(header(&source(&good.replace("01-02", "01-03"))).len(), 1);
    assert_eq!(header(&source("create table t ();")).len(), HEADER.len());

    assert_eq!(dangers(&source("create function f() returns int language sql LEAKPROOF as 'select 1'")).len(), 1);
    assert_eq!(dangers(&source("alter table t\n  disable row level security;")).len(), 1);
    assert_eq!(dangers(&source("create policy p on t to public using (true)")).len(), 1);
    assert!(dangers(&source("-- never leakproof, never to public\nselect 1")).is_empty());
}
