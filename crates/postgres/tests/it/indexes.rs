//! `docs/indexes.md`: what was asked for and what we have of it, written by hand.
//!
//! Invariant: an index that the document calls ours has these columns and this condition in the catalog, a line without one says why,
//! and no line is lost: each heading says how many there are.

use std::collections::BTreeMap;

use testkit::Db;
use tokio_postgres::Client;

const DOCUMENT: &str = "docs/indexes.md";

/// Ours by name: columns and condition as the document writes them.
const OURS: &str = "
select c.relname::text,
       '`(' || array_to_string(array(select pg_catalog.pg_get_indexdef(i.indexrelid, place, true)
                                       from generate_series(1, i.indnkeyatts) place order by place), ', ') || ')`'
         || coalesce(' where `' || pg_catalog.pg_get_expr(i.indpred, i.indrelid, true) || '`', '')
  from pg_catalog.pg_index i
  join pg_catalog.pg_class c on c.oid = i.indexrelid
  join pg_catalog.pg_class t on t.oid = i.indrelid
 where t.relnamespace::regnamespace::text in ('public', 'app') and not t.relispartition";

#[tokio::test]
async fn every_index_that_was_asked_for_has_an_answer() {
    let db = Db::new().await;
    let ours = ours(&db.superuser().await).await;
    let text = std::fs::read_to_string(crate::schema::in_repository(DOCUMENT)).unwrap();
    let faults = faults(&text, &ours);
    assert!(faults.is_empty(), "{DOCUMENT}:\n{}", faults.join("\n"));
}

async fn ours(client: &Client) -> BTreeMap<String, String> {
    let rows = client.query(OURS, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Lists the lines that are not true of the indexes, and the headings that count other lines than follow.
fn faults(text: &str, ours: &BTreeMap<String, String>) -> Vec<String> {
    let mut faults = vec![];
    for section in text.split("\n## ").skip(1) {
        let heading = section.lines().next().unwrap_or_default();
        // The first two lines of a table are its head.
        let lines: Vec<&str> = section.lines().filter(|line| line.starts_with('|')).skip(2).collect();
        if !heading.ends_with(&format!(": {} indexes", lines.len())) {
            faults.push(format!("\"{heading}\" is followed by {} indexes", lines.len()));
        }
        faults.extend(lines.into_iter().filter_map(|line| fault(line, ours)));
    }
    if faults.is_empty() && !text.contains("\n## ") {
        faults.push("it says nothing".to_owned());
    }
    faults
}

fn fault(line: &str, ours: &BTreeMap<String, String>) -> Option<String> {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [asked, on, name, columns, why] = cells[..] else {
        return Some(format!("not five cells: {line}"));
    };
    if asked.is_empty() || on.is_empty() {
        return Some(format!("does not say what was asked for: {line}"));
    }
    if name == "none" {
        return (why.is_empty() || !columns.is_empty()).then(|| format!("neither an index nor a reason: {line}"));
    }
    match ours.get(name.trim_matches('`')) {
        None => Some(format!("there is no index {name}: {line}")),
        Some(has) if has != columns => Some(format!("{name} has {has}: {line}")),
        Some(_) => None,
    }
}

#[test]
fn a_line_that_is_not_true_is_found() {
    let ours = BTreeMap::from([("jobs_idx".to_owned(), "`(company_id, id)` where `deleted_at IS NULL`".to_owned())]);
    let good = "| `idx_a` | jobs (id) | `jobs_idx` | `(company_id, id)` where `deleted_at IS NULL` |  |";
    let reasoned = "| `idx_b` | jobs (id) | none |  | nobody asks |";
    let document =
        |lines: &[&str], count: usize| format!("# Indexes\n\n## Document 000: {count} indexes\n\n| asked |\n|---|\n{}\n", lines.join("\n"));
    assert_eq!(faults(&document(&[good, reasoned], 2), &ours), Vec::<String>::new());
    for (line, word) in [
        ("| `idx_a` | jobs (id) | `gone_idx` | `(id)` |  |", "there is no index"),
        ("| `idx_a` | jobs (id) | `jobs_idx` | `(company_id, id)` |  |", "jobs_idx` has"),
        ("| `idx_a` | jobs (id) | none |  |  |", "neither an index nor a reason"),
        ("| `idx_a` |  | none |  | so |", "does not say"),
        ("| `idx_a` | jobs (id) |", "not five cells"),
    ] {
        let found = faults(&document(&[good, line], 2), &ours);
        assert!(found.len() == 1 && found[0].contains(word), "{word}: {found:?}");
    }
    assert_eq!(faults(&document(&[good], 2), &ours).len(), 1, "a lost line");
    assert_eq!(faults("# Indexes\n", &ours).len(), 1);
}
