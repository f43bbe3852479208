//! Which tables belong to companies, as the migrations make them.

use std::collections::BTreeSet;

use super::super::lex::{Kind, Token};
use super::super::source::Files;
use super::super::split;

/// The tables that have a column `company_id`, with and without their schema.
#[derive(Default, Debug)]
pub(super) struct Tenants(BTreeSet<String>);

impl Tenants {
    /// Reads them from all migrations.
    pub(super) fn of(files: &Files) -> Self {
        let mut names = BTreeSet::new();
        for migration in &files.migrations {
            for statement in split::statements(&migration.up.text) {
                let tokens = statement.tokens();
                let makes = statement.begins_with(&["create", "table"]) || statement.begins_with(&["alter", "table"]);
                let names_column =
                    tokens.windows(2).any(|pair| matches!(pair, [column, kind] if column.is("company_id") && kind.is("uuid")));
                if let Some(table) = table_of(&tokens).filter(|_| makes && names_column) {
                    names.insert(table.rsplit('.').next().unwrap_or_default().to_owned());
                    names.insert(table);
                }
            }
        }
        // A test may plant a table that only shares its last name with one of another schema.
        Self(names)
    }

    /// Whether a table belongs to companies.
    pub(super) fn contains(&self, table: &str) -> bool {
        self.0.contains(table)
    }
}

/// Returns the name of the table that a `create table` or `alter table` is about.
pub(super) fn table_of(tokens: &[Token<'_>]) -> Option<String> {
    let at = tokens.iter().position(|token| token.is("table"))?;
    let noise = |token: &&Token<'_>| !["if", "not", "exists", "only"].iter().any(|word| token.is(word));
    let start = at + 1 + tokens.get(at + 1..)?.iter().position(|token| noise(&token))?;
    name_at(tokens, start).map(|(name, _)| name)
}

/// Returns the possibly qualified name that begins there, and the position behind it.
pub(super) fn name_at(tokens: &[Token<'_>], start: usize) -> Option<(String, usize)> {
    let part = |position: usize| {
        tokens.get(position).and_then(|token| match token.kind {
            Kind::Word => Some(token.text.to_ascii_lowercase()),
            Kind::Quoted => Some(token.text.trim_matches('"').to_owned()),
            _ => None,
        })
    };
    let first = part(start)?;
    match (tokens.get(start + 1), part(start + 2)) {
        (Some(dot), Some(last)) if dot.is_symbol(".") => Some((format!("{first}.{last}"), start + 3)),
        _ => Some((first, start + 1)),
    }
}

/// Returns the position of the parenthesis that closes the one there.
pub(super) fn closing(tokens: &[Token<'_>], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (position, token) in tokens.iter().enumerate().skip(open) {
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some(position);
            }
        }
    }
    None
}
