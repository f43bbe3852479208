//! Rules that keep companies apart in keys and statements: an id is unique only inside its company.

use super::super::lex::{Kind, Token, dollar_body};
use super::super::split::{self, line_at};
use super::tenants::{closing, name_at, table_of};
use super::{Findings, Linted, Place};

/// Checks one file.
pub(super) fn check(linted: &Linted<'_>, findings: &mut Findings<'_>) {
    for statement in &linted.statements {
        if linted.place == Place::Up {
            foreign_keys(linted, statement, findings);
        }
        id_alone(linted, statement, findings);
    }
}

/// A key from a company's table to a company's table has to carry the company: row security does not guard keys.
fn foreign_keys(linted: &Linted<'_>, statement: &split::Statement, findings: &mut Findings<'_>) {
    let tokens = statement.tokens();
    let own = table_of(&tokens).unwrap_or_default();
    for (position, token) in tokens.iter().enumerate() {
        if !token.is("references") {
            continue;
        }
        let Some((target, after)) = name_at(&tokens, position + 1) else { continue };
        if !linted.tenants.contains(&target) || !linted.tenants.contains(&own) {
            continue;
        }
        let columns = closing(&tokens, after).and_then(|end| tokens.get(after..end)).unwrap_or_default();
        let table_level = position > 0 && tokens.get(position - 1).is_some_and(|before| before.is_symbol(")"));
        if !(table_level && columns.iter().any(|column| column.is("company_id"))) {
            let line = statement.line + line_at(&statement.text, token.start) - 1;
            findings.add(
                line,
                "foreign-key-without-company",
                format!("a key from {own} to {target} that does not carry the company can point at another company's row"),
                "foreign key (company_id, x_id) references t (company_id, id)",
            );
        }
    }
}

/// `where id = ...` on a company's table meets rows of every company that has such an id.
fn id_alone(linted: &Linted<'_>, statement: &split::Statement, findings: &mut Findings<'_>) {
    if let Some(table) = names_id_only(linted, &statement.tokens()) {
        report(&table, statement.line, findings);
    }
    for body in statement.tokens().iter().filter(|token| token.kind == Kind::Dollar) {
        let Some((text, start)) = dollar_body(body) else { continue };
        for inner in split::statements(text) {
            if let Some(table) = names_id_only(linted, &inner.tokens()) {
                let line = statement.line + line_at(&statement.text, start) + inner.line - 2;
                report(&table, line, findings);
            }
        }
    }
}

fn report(table: &str, line: usize, findings: &mut Findings<'_>) {
    findings.add(
        line,
        "id-without-company",
        format!("rows of {table} are named by id alone, and an id is unique only inside its company"),
        "Name company_id and id.",
    );
}

/// Returns the table of a statement that compares `id` and never names `company_id`.
fn names_id_only(linted: &Linted<'_>, tokens: &[Token<'_>]) -> Option<String> {
    if tokens.iter().any(|token| token.text.to_ascii_lowercase().ends_with("company_id")) {
        return None;
    }
    let target = tokens.iter().enumerate().find_map(|(position, token)| {
        let opens = token.is("update") || token.is("from") || token.is("join") || token.is("into");
        let (name, _) = name_at(tokens, position + 1).filter(|_| opens)?;
        linted.tenants.contains(&name).then_some(name)
    })?;
    let on_the_left = tokens
        .windows(2)
        .any(|pair| matches!(pair, [id, sign] if id.is("id") && (sign.is_symbol("=") || sign.is("in") || sign.is("between"))));
    let on_the_right = tokens.windows(4).any(|window| {
        matches!(window, [sign, row, dot, id] if sign.is_symbol("=") && dot.is_symbol(".") && id.is("id")
            // The row of a trigger is a value, and on the left stands some other column.
            && !row.is("new") && !row.is("old"))
    });
    (on_the_left || on_the_right).then_some(target)
}
