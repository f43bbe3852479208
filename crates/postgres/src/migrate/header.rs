//! The comment lines at the head of a migration that the runner acts upon: who, why, how to take it back, and what rows it
//! expects to change.
//!
//! Invariant: a directive that is misspelt or incomplete is an error, never silently without effect.

use std::collections::BTreeMap;

use super::error;
use kernel::Result;

/// The documenting lines that every migration carries.
pub(super) const FIELDS: [&str; 5] = ["description", "author", "date", "depends", "rollback"];

/// How many rows a statement may change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Rows {
    pub(super) min: u64,
    pub(super) max: u64,
}

/// What one data-changing statement announces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Backfill {
    /// The table, when the line names one.
    pub(super) table: Option<String>,
    pub(super) rows: Rows,
    pub(super) line: usize,
}

/// A backfill that runs in many small transactions, along a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Batch {
    pub(super) table: String,
    pub(super) key: Vec<String>,
    pub(super) size: u32,
}

/// A lint rule that a file silences, with the reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Allow {
    pub(super) rule: String,
    pub(super) line: usize,
}

/// Everything the comments of a file say.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Header {
    pub(super) fields: BTreeMap<String, String>,
    /// `-- transaction: none`: statement by statement, for what PostgreSQL refuses inside a transaction.
    pub(super) without_transaction: bool,
    pub(super) backfills: Vec<Backfill>,
    pub(super) batch: Option<Batch>,
    pub(super) allows: Vec<Allow>,
}

/// Reads the comments of a file. `file` is named in errors.
pub(super) fn parse(file: &str, sql: &str) -> Result<Header> {
    let mut header = Header::default();
    for (number, text) in sql.lines().enumerate() {
        let Some(comment) = text.trim_start().strip_prefix("--") else { continue };
        let Some((name, value)) = comment.trim_start().split_once(':') else { continue };
        let (line, value) = (number + 1, value.trim());
        let wrong = |why: String| error::header(file, line, &why);
        match name.trim() {
            field if FIELDS.contains(&field) => {
                header.fields.entry(field.to_owned()).or_insert_with(|| value.to_owned());
            }
            "transaction" if value == "none" => header.without_transaction = true,
            "transaction" => return Err(wrong(format!("transaction is \"{value}\"; the only word it takes is none"))),
            "backfill" => header.backfills.push(backfill(value, line).map_err(wrong)?),
            "batch" if header.batch.is_some() => return Err(wrong("a file has one batch line".to_owned())),
            "batch" => header.batch = Some(batch(value).map_err(wrong)?),
            "lint" => header.allows.push(allow(value, line).map_err(wrong)?),
            _ => {}
        }
    }
    Ok(header)
}

/// `[table] rows=N`, `rows=min..max` or `rows=any because ...`.
fn backfill(value: &str, line: usize) -> Result<Backfill, String> {
    let (before, after) =
        value.split_once("rows=").ok_or("a backfill is written: -- backfill: [table] rows=<n, min..max or any because ...>")?;
    let table = Some(before.trim()).filter(|table| !table.is_empty()).map(str::to_owned);
    let (amount, rest) = after.split_once(char::is_whitespace).unwrap_or((after, ""));
    let number = |text: &str| text.replace('_', "").parse::<u64>().map_err(|error| format!("rows={amount}: {error}"));
    let rows = match amount.split_once("..") {
        _ if amount == "any" => {
            because(rest).ok_or("rows=any needs its reason: rows=any because ...")?;
            Rows { min: 0, max: u64::MAX }
        }
        Some((min, max)) => Rows { min: number(min)?, max: number(max)? },
        None => Rows { min: number(amount)?, max: number(amount)? },
    };
    if rows.min > rows.max {
        return Err(format!("rows={amount}: the lower bound is above the upper one"));
    }
    Ok(Backfill { table, rows, line })
}

/// `table=public.jobs key=company_id,id size=1000`.
fn batch(value: &str) -> Result<Batch, String> {
    let mut parts: BTreeMap<&str, &str> = value.split_whitespace().filter_map(|part| part.split_once('=')).collect();
    let mut take = |name: &str| {
        parts.remove(name).ok_or_else(|| format!("batch lacks {name}= (-- batch: table=public.jobs key=company_id,id size=1000)"))
    };
    let (table, key, size) = (take("table")?, take("key")?, take("size")?);
    if let Some(unknown) = parts.keys().next() {
        return Err(format!("batch knows table, key and size, not {unknown}"));
    }
    let key: Vec<String> = key.split(',').map(str::to_owned).collect();
    if let Some(bad) = key.iter().find(|column| !is_name(column)) {
        return Err(format!("{bad:?} is not the name of a column"));
    }
    if !is_qualified_name(table) {
        return Err(format!("{table:?} is not schema.table in lower case"));
    }
    match size.parse::<u32>() {
        Ok(size @ 1..=100_000) => Ok(Batch { table: table.to_owned(), key, size }),
        _ => Err(format!("size={size} is not between 1 and 100000")),
    }
}

fn allow(value: &str, line: usize) -> Result<Allow, String> {
    let usage = "an exception is written: -- lint: allow <rule> because <reason>";
    let rest = value.strip_prefix("allow ").ok_or(usage)?;
    let (rule, rest) = rest.trim().split_once(' ').ok_or(usage)?;
    because(rest).ok_or(usage)?;
    Ok(Allow { rule: rule.to_owned(), line })
}

fn because(text: &str) -> Option<&str> {
    text.trim().strip_prefix("because ").map(str::trim).filter(|reason| !reason.is_empty())
}

/// Whether it is a plain lower-case name, as migrations use them: it needs no quotes.
pub(super) fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= 63
        && bytes.next().is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Whether it is `schema.name`.
pub(super) fn is_qualified_name(text: &str) -> bool {
    text.split_once('.').is_some_and(|(schema, name)| is_name(schema) && is_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sql: &str, expected: &str) {
        let error = parse("f.up.sql", sql).unwrap_err();
        assert_eq!(error.code(), "migration_header", "{sql}");
        assert!(error.message().contains(expected), "{}", error.message());
    }

    #[test]
    fn a_whole_header_is_read() {
        let header = parse(
            "f.up.sql",
            "-- description: a: b\n-- author: Ann\n-- transaction: none\n-- batch: table=public.jobs key=company_id,id size=500\n\
             -- backfill: jobs rows=2..1_000\n-- backfill: rows=any because nobody knows\n-- lint: allow ban-drop-column because it is unused\nselect 1; -- note: nothing",
        )
        .unwrap();
        assert_eq!(header.fields["description"], "a: b");
        assert!(header.without_transaction);
        assert_eq!(header.batch, Some(Batch { table: "public.jobs".into(), key: vec!["company_id".into(), "id".into()], size: 500 }));
        assert_eq!(header.backfills[0], Backfill { table: Some("jobs".into()), rows: Rows { min: 2, max: 1000 }, line: 5 });
        assert_eq!(header.backfills[1].rows, Rows { min: 0, max: u64::MAX });
        assert_eq!(header.allows, vec![Allow { rule: "ban-drop-column".into(), line: 7 }]);
    }

    #[test]
    fn a_directive_that_is_wrong_is_refused_with_its_line() {
        check("\n-- backfill: rows=any", "f.up.sql:2: rows=any needs its reason");
        check("-- backfill: rows=5..2", "lower bound");
        check("-- backfill: jobs", "rows=");
        check("-- backfill: rows=many", "rows=many");
        check("-- transaction: off", "none");
        check("-- batch: table=jobs key=id size=5", "schema.table");
        check("-- batch: table=public.jobs key=id;drop size=5", "not the name of a column");
        check("-- batch: table=public.jobs key=id size=0", "between 1 and");
        check("-- batch: table=public.jobs key=id", "lacks size=");
        check("-- lint: allow x", "because");
        check("-- lint: allow x because ", "because");
    }
}
