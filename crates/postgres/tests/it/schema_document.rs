//! `docs/schema.md`: every table in words and pictures, made from the catalog of a migrated database by `./dev generate`.
//!
//! Invariant: a table that stands in no area, and one without a word on what it is for, fails here; so does a permission that
//! `docs/permissions.md` does not explain.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use testkit::Db;

use crate::areas::{AREAS, Area};
use crate::described::{self, Described, Guard, Reference};
use crate::schema::{in_repository, is_update};

const DOCUMENT: &str = "docs/schema.md";

const HEAD: &str = "# Schema

Made from the catalog of a migrated database by `./dev generate`; what stands here is changed in `db/migrations`. Who may do what stands in
[permissions](permissions.md), every check and index in `db/schema.sql`.

What holds for every table of the business and is not said again below:

- `company_id` comes first in the primary key and in every reference, so that a row can only point at rows of its own company. The diagrams leave
  the reference to `companies` out.
- Money is whole minor units (cents) in a `bigint`, with a `currency` beside it. Percentages are percent, not fractions.
- `version` counts the changes of a row; a writer who sends the one that he read, or the next, is refused when the row has changed since.
- `created_at` and `updated_at` are kept by the database; `created_by` is whoever asks, unless something else is written. A row with `deleted_at` is
  deleted, by `deleted_by`, and can be restored until `permanent_delete_scheduled_at`.
- A column that holds something personal or secret says so; the record of changes masks it.
- A column that is marked HTML is [cleaned on its way in](data-api.md#texts-that-are-shown-as-html); HTML of some members is that of its JSON.
- A reference says what becomes of the row when the other one is really deleted: it *goes with it*, the column *is emptied*, or the row *holds it*,
  so that it cannot be deleted.
";

#[tokio::test]
async fn the_tables_are_documented_as_they_are() {
    let db = Db::new().await;
    let tables = described::read(&db.superuser().await).await;
    let permissions = std::fs::read_to_string(in_repository("docs/permissions.md")).unwrap();
    let faults = faults(AREAS, &tables, &permissions);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let expected = document(AREAS, &tables);
    let path = in_repository(DOCUMENT);
    if is_update() {
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let stale = expected.lines().zip(found.lines().chain(std::iter::repeat(""))).find(|(wanted, written)| wanted != written);
    assert!(found == expected, "{DOCUMENT} is stale, run ./dev generate; the first line that differs: {stale:?}");
}

/// Lists what a reader would miss.
fn faults(areas: &[Area], tables: &[Described], permissions: &str) -> Vec<String> {
    let mut faults = vec![];
    let mut placed = BTreeSet::new();
    for name in areas.iter().flat_map(|area| area.tables) {
        if !placed.insert(*name) {
            faults.push(format!("{name} stands in two areas"));
        }
        if !tables.iter().any(|table| table.name == *name && !table.is_view) {
            faults.push(format!("there is no table {name}, but an area names it"));
        }
    }
    for table in tables {
        if !table.is_view && !placed.contains(&*table.name) {
            faults.push(format!("{} stands in no area: give it one in crates/postgres/tests/it/areas.rs", table.name));
        }
        if table.comment.is_empty() {
            faults.push(format!("{} has no comment that says what it is for", table.name));
        }
        if let Some(guard) = table.guard.as_ref().filter(|guard| !guard.personal)
            && !permissions.contains(&format!("\n## {}\n", guard.noun))
        {
            faults.push(format!("docs/permissions.md says nothing of {}, which guards {}", guard.noun, table.name));
        }
    }
    faults
}

fn document(areas: &[Area], tables: &[Described]) -> String {
    let by_name: BTreeMap<&str, &Described> = tables.iter().map(|table| (&*table.name, table)).collect();
    let mut text = HEAD.to_owned();
    for area in areas {
        let of_area: Vec<&Described> = area.tables.iter().filter_map(|name| by_name.get(name).copied()).collect();
        write!(text, "\n## {}\n\n{}\n\n```mermaid\nerDiagram\n{}```\n", area.title, area.about, diagram(&of_area)).unwrap();
        for table in of_area {
            text.push_str(&section(table));
        }
    }
    text.push_str("\n## Views\n\n");
    for view in tables.iter().filter(|table| table.is_view) {
        let columns: Vec<String> = view.columns.iter().map(|column| format!("`{}`", column.name)).collect();
        writeln!(text, "- `{}`: {} Columns: {}.", view.name, view.comment, columns.join(", ")).unwrap();
    }
    text
}

/// Draws the tables with their keys and references. Two tables have one line, whatever number of references there are.
fn diagram(tables: &[&Described]) -> String {
    let has_companies = tables.iter().any(|table| table.name == "companies");
    let mut text = String::new();
    let mut lines: BTreeMap<(&str, &str), (bool, bool, Vec<&str>)> = BTreeMap::new();
    for table in tables {
        writeln!(text, "    {} {{", entity(&table.name)).unwrap();
        for column in &table.columns {
            let marks: Vec<&str> = [("PK", is_primary(table, &column.name)), ("FK", is_reference(table, &column.name))]
                .into_iter()
                .filter_map(|(mark, is_so)| is_so.then_some(mark))
                .collect();
            if !marks.is_empty() {
                writeln!(text, "        {} {} {}", column.kind.replace(' ', "_"), column.name, marks.join(", ")).unwrap();
            }
        }
        text.push_str("    }\n");
        for reference in table.references.iter().filter(|reference| has_companies || reference.target != "companies") {
            let line = lines.entry((&reference.target, &table.name)).or_default();
            line.0 |= is_optional(table, reference);
            line.1 |= !is_single(table, reference);
            line.2.push(meaning(reference));
        }
    }
    for ((target, table), (optional, many, columns)) in lines {
        let (one, other) = (if optional { "|o" } else { "||" }, if many { "o{" } else { "o|" });
        writeln!(text, "    {} {one}--{other} {} : \"{}\"", entity(target), entity(table), columns.join(", ")).unwrap();
    }
    text
}

fn entity(name: &str) -> String {
    if name.contains('.') { format!("\"{name}\"") } else { name.to_owned() }
}

fn is_primary(table: &Described, column: &str) -> bool {
    table.keys.iter().any(|key| key.kind == "primary" && key.columns.iter().any(|name| name == column))
}

fn is_reference(table: &Described, column: &str) -> bool {
    table.references.iter().any(|reference| meaning(reference) == column)
}

fn is_optional(table: &Described, reference: &Reference) -> bool {
    table.columns.iter().any(|column| column.nullable && reference.columns.contains(&column.name))
}

/// Whether at most one row can refer to the same other row.
fn is_single(table: &Described, reference: &Reference) -> bool {
    let unique = |kind: &str| kind == "primary" || kind == "unique";
    table
        .keys
        .iter()
        .any(|key| unique(&key.kind) && key.condition.is_none() && key.columns.iter().all(|column| reference.columns.contains(column)))
}

/// The column that a reference is about: the last, after the company.
fn meaning(reference: &Reference) -> &str {
    reference.columns.last().map_or("", |column| column)
}

fn section(table: &Described) -> String {
    let mut text = format!("\n### {}\n\n{} {}\n\n", table.name, table.comment, who_may(table.guard.as_ref(), &table.name));
    text.push_str("| column | type | null | default | what |\n|---|---|---|---|---|\n");
    for column in &table.columns {
        let default = if column.default.is_empty() { String::new() } else { format!("`{}`", cell(&column.default)) };
        let null = if column.nullable { "null" } else { "" };
        let what = labels(&column.comment).unwrap_or_else(|| cell(&column.comment));
        writeln!(text, "| `{}` | {} | {null} | {default} | {what} |", column.name, column.kind).unwrap();
    }
    text.push('\n');
    for key in &table.keys {
        let condition = key.condition.as_ref().map_or(String::new(), |condition| format!(" where `{condition}`"));
        let kind = if key.kind == "primary" { "primary key" } else { &key.kind };
        writeln!(text, "- {kind} `({})`{condition}", key.columns.join(", ")).unwrap();
    }
    for reference in &table.references {
        let anchor = reference.target.replace('.', "");
        let columns = reference.columns.join(", ");
        writeln!(text, "- `({columns})` refers to [{}](#{anchor}): {}", reference.target, reference.on_delete).unwrap();
    }
    text
}

/// A comment that consists of labels, in words.
fn labels(comment: &str) -> Option<String> {
    let label = |word: &str| match word.strip_prefix("pii:") {
        Some(kind) => Some(format!("**personal: {}**", kind.replace('_', " "))),
        None if word == "secret" => Some("**secret**".to_owned()),
        None if word == "html" => Some("**HTML**".to_owned()),
        None => {
            let names = word.strip_prefix("html(")?.strip_suffix(')')?;
            Some(format!("**HTML: {}**", names.replace(',', ", ")))
        }
    };
    let words: Option<Vec<String>> = comment.split_whitespace().map(label).collect();
    Some(words?.join(", "))
}

fn who_may(guard: Option<&Guard>, name: &str) -> String {
    match guard {
        Some(guard) if guard.personal => {
            format!("Guarded as [one's own row](permissions.md#tables-of-no-company): {}.", guard.verbs.join(", "))
        }
        Some(guard) => {
            let soft = if guard.soft_delete { " Deleted rows can be restored." } else { "" };
            format!("Guarded by [{0}](permissions.md#{0}): {1}.{soft}", guard.noun, guard.verbs.join(", "))
        }
        None if name.contains('.') => "[Not reached by members](permissions.md#tables-that-nobody-reaches-who-asks).".to_owned(),
        None => "[Reached by the service alone](permissions.md#tables-that-nobody-reaches-who-asks).".to_owned(),
    }
}

/// A pipe would end the cell, a line the row.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::described::{Column, Key};

    fn table(name: &str, noun: &str) -> Described {
        let column = |name: &str, nullable, comment: &str| Column {
            name: name.to_owned(),
            kind: "uuid".to_owned(),
            nullable,
            default: String::new(),
            comment: comment.to_owned(),
        };
        Described {
            name: name.to_owned(),
            is_view: false,
            comment: "Things.".to_owned(),
            columns: vec![
                column("company_id", false, ""),
                column("id", false, ""),
                column("box_id", true, ""),
                column("mail", true, "pii:email"),
                column("note", true, "pii:text html"),
                column("lines", true, "html(description,notes)"),
                column("hue", true, "What is not html"),
            ],
            keys: vec![Key { kind: "primary".to_owned(), columns: vec!["company_id".to_owned(), "id".to_owned()], condition: None }],
            references: vec![Reference {
                columns: vec!["company_id".to_owned(), "box_id".to_owned()],
                target: "boxes".to_owned(),
                on_delete: "is emptied".to_owned(),
            }],
            guard: Some(Guard { noun: noun.to_owned(), verbs: vec!["read".to_owned()], soft_delete: false, personal: false }),
        }
    }

    #[test]
    fn what_a_reader_would_miss_is_found() {
        let area = |tables| Area { title: "Stores", about: "Boxes.", tables };
        let permissions = "# Who\n\n## things\n\n";
        let mut silent = table("parts", "parts");
        silent.comment.clear();
        let tables = [table("things", "things"), silent];
        let found = faults(&[area(&["things", "gone"]), area(&["things"])], &tables, permissions);
        let words =
            ["there is no table gone", "things stands in two areas", "parts stands in no area", "parts has no comment", "nothing of parts"];
        assert_eq!(found.len(), words.len(), "{found:?}");
        for word in words {
            assert!(found.iter().any(|fault| fault.contains(word)), "{word}: {found:?}");
        }
    }

    #[test]
    fn a_table_is_written_with_its_keys_labels_and_references() {
        let text = document(&[Area { title: "Stores", about: "Boxes.", tables: &["things"] }], &[table("things", "things")]);
        for line in [
            "        uuid box_id FK",
            "    boxes |o--o{ things : \"box_id\"",
            "Things. Guarded by [things](permissions.md#things): read.",
            "| `mail` | uuid | null |  | **personal: email** |",
            "| `note` | uuid | null |  | **personal: text**, **HTML** |",
            "| `lines` | uuid | null |  | **HTML: description, notes** |",
            "| `hue` | uuid | null |  | What is not html |",
            "- primary key `(company_id, id)`",
            "- `(company_id, box_id)` refers to [boxes](#boxes): is emptied",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
