//! What becomes of a statement of a project: run as it is, with another name in it, outside of the transaction, or not at all.
//!
//! Invariant: nothing here keeps a statement away from our tables, PostgreSQL does that. Where a statement is not known here, it runs
//! as it is. The lexer sees strings and comments as such, so that no name inside of them is changed.

use crate::migrate::lex::{Kind, Token, dollar_body};
use crate::migrate::split::Statement;

/// The role that a project's files mean by `postgres`.
pub(super) const OWNER: &str = "project_owner";

/// Schemas that are there before a project is.
const PLATFORM: [&str; 18] = [
    "public",
    "auth",
    "storage",
    "extensions",
    "realtime",
    "cron",
    "net",
    "vault",
    "graphql",
    "graphql_public",
    "supabase_functions",
    "supabase_migrations",
    "pgsodium",
    "pgsodium_masks",
    "pgbouncer",
    "pgtle",
    "_realtime",
    "_analytics",
];

/// Tables of ours that carry policies of a project, and where it writes them.
const TWINS: [&str; 2] = ["objects", "buckets"];

/// A statement as it is run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// In the transaction of its file.
    Run(Statement),
    /// What PostgreSQL refuses in a transaction.
    Outside(Statement),
    /// `copy ... from stdin`, with the rows behind it.
    Copy(Statement),
    /// Rights to all objects of some schemas: to those of the project.
    Rights(Rights),
    /// A table that may have the name of a view of ours.
    Make { name: String, statement: Statement },
    /// Drops a trigger from a table of ours.
    DropTrigger { table: String, name: String, if_exists: bool, line: usize },
    /// `create extension`: looked after before the files run.
    Extension,
    /// Not run, since it is so already, or for the reason that is told.
    Pass(Option<&'static str>),
}

/// `grant ... on all tables in schema a, b to c`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Rights {
    /// What stands before `all`.
    pub(super) before: String,
    /// `tables`, `functions`, `sequences`, `procedures` or `routines`.
    pub(super) kind: String,
    pub(super) schemas: Vec<String>,
    /// What stands behind the schemas.
    pub(super) after: String,
    pub(super) line: usize,
}

/// Says what becomes of a statement.
pub(super) fn step(statement: &Statement) -> Step {
    let tokens = statement.tokens();
    let words = Words(&tokens);
    let changed = |text: String| Statement { text, line: statement.line };
    if let Some(pass) = passed_over(&words) {
        return pass;
    }
    if words.begin(&["create", "extension"]) {
        return Step::Extension;
    }
    if words.begin(&["reset", "role"]) || words.begin(&["set", "session", "authorization"]) || words.begin(&["reset", "session"]) {
        return Step::Run(changed(format!("set role {OWNER}")));
    }
    if words.begin(&["copy"]) && words.has("stdin") {
        return Step::Copy(statement.clone());
    }
    if let Some(rights) = rights(statement, &words) {
        return Step::Rights(rights);
    }
    if let Some(step) = dropped_trigger(&words, statement.line) {
        return step;
    }
    let mut edits = Vec::new();
    roles(&words, &mut edits);
    twins(&tokens, 0, &mut edits);
    let statement = changed(edited(&statement.text, edits));
    if words.begin(&["vacuum"]) || words.has("concurrently") && !words.has("refresh") {
        return Step::Outside(statement);
    }
    match made(&words) {
        Some(name) => Step::Make { name, statement },
        None => Step::Run(statement),
    }
}

/// Returns the table or view that a statement makes in public, as its last name.
pub(super) fn made(words: &Words<'_, '_>) -> Option<String> {
    if words.name(0)? != "create" {
        return None;
    }
    let mut at = 1;
    while ["or", "replace", "unlogged", "materialized", "recursive"].contains(&words.word(at)?.as_str()) {
        at += 1;
    }
    if !["table", "view"].contains(&words.word(at)?.as_str()) {
        return None;
    }
    at += 1;
    while ["if", "not", "exists"].contains(&words.word(at).unwrap_or_default().as_str()) {
        at += 1;
    }
    match (words.name(at)?, words.symbol(at + 1, ".")) {
        (schema, true) => words.name(at + 2).filter(|_| schema == "public"),
        (name, false) => Some(name),
    }
}

fn passed_over(words: &Words<'_, '_>) -> Option<Step> {
    let first = words.word(0)?;
    let second = words.name(1).unwrap_or_default();
    let quiet = Some(Step::Pass(None));
    let told = |why: &'static str| Some(Step::Pass(Some(why)));
    match (first.as_str(), second.as_str()) {
        ("begin" | "commit" | "end", _) | ("start", "transaction") | ("set", "transaction_timeout") => quiet,
        ("alter" | "drop", "extension") => told("extensions belong to the database"),
        ("create" | "alter" | "drop", "role" | "user" | "group") if words.name(2).is_none_or(|name| name != "mapping") => {
            told("roles belong to the cluster")
        }
        ("alter" | "create" | "drop", "database" | "system") => told("the database's settings are not the project's"),
        ("create" | "alter" | "drop" | "comment", "event") => told("only a superuser may make event triggers"),
        ("set", "session_replication_role") => told("only a superuser may switch triggers off; they fire"),
        ("comment", "on") if matches!(words.name(2)?.as_str(), "extension" | "database" | "event") => quiet,
        ("comment", "on") if words.name(2)? == "schema" && is_platform(words.name(3)) => quiet,
        ("comment", "on") if words.name(2)? == "trigger" && is_ours(words, 5) => quiet,
        ("create", "schema") => {
            let at = if words.name(2)? == "if" { 5 } else { 2 };
            if is_platform(words.name(at)) { quiet } else { None }
        }
        ("alter", "schema") if is_platform(words.name(2)) => quiet,
        ("alter", "table") => {
            let at = words.position(&["storage", "auth"])?;
            let harmless = words.has("enable") && words.has("security") || words.has("owner");
            if harmless && is_ours(words, at) { quiet } else { None }
        }
        ("create", "function" | "or") if words.has("update_updated_at_column") && makes_touch(words) => {
            told("public.update_updated_at_column() is ours and does the same")
        }
        ("alter", "function") if words.has("update_updated_at_column") && words.has("owner") => quiet,
        _ => None,
    }
}

/// Whether the function that is made is the one that every such project has.
fn makes_touch(words: &Words<'_, '_>) -> bool {
    let Some(at) = words.position(&["function"]) else { return false };
    match (words.name(at + 1).as_deref(), words.name(at + 3).as_deref()) {
        (Some("update_updated_at_column"), _) => true,
        (Some("public"), Some(name)) => name == "update_updated_at_column",
        _ => false,
    }
}

fn is_platform(name: Option<String>) -> bool {
    name.is_some_and(|name| PLATFORM.contains(&name.as_str()))
}

/// Whether a table of accounts or files is named there.
fn is_ours(words: &Words<'_, '_>, at: usize) -> bool {
    let table = words.name(at + 2).unwrap_or_default();
    words.symbol(at + 1, ".")
        && match words.name(at).as_deref() {
            Some("storage") => TWINS.contains(&table.as_str()),
            Some("auth") => ["users", "identities", "sessions"].contains(&table.as_str()),
            _ => false,
        }
}

fn rights(statement: &Statement, words: &Words<'_, '_>) -> Option<Rights> {
    if !words.begin(&["grant"]) && !words.begin(&["revoke"]) {
        return None;
    }
    let tokens = words.0;
    let at = (0..tokens.len())
        .find(|at| words.is(*at, "on") && words.is(at + 1, "all") && words.is(at + 3, "in") && words.is(at + 4, "schema"))?;
    let mut schemas = vec![words.name(at + 5)?];
    let mut end = at + 6;
    while words.symbol(end, ",") {
        schemas.push(words.name(end + 1)?);
        end += 2;
    }
    let mut edits = Vec::new();
    roles(words, &mut edits);
    let behind = tokens.get(end)?.start;
    let later = edits.into_iter().filter(|(start, _, _)| *start >= behind).map(|(start, stop, text)| (start - behind, stop - behind, text));
    Some(Rights {
        before: statement.text.get(..tokens.get(at)?.end())?.to_owned(),
        kind: words.word(at + 2)?,
        schemas,
        after: edited(statement.text.get(behind..)?, later.collect()),
        line: statement.line,
    })
}

fn dropped_trigger(words: &Words<'_, '_>, line: usize) -> Option<Step> {
    if !words.begin(&["drop", "trigger"]) {
        return None;
    }
    let if_exists = words.is(2, "if");
    let at = if if_exists { 4 } else { 2 };
    let table = at + 2;
    if !words.is(at + 1, "on") || !is_ours(words, table) {
        return None;
    }
    let table = format!("{}.{}", words.name(table)?, words.name(table + 2)?);
    Some(Step::DropTrigger { table, name: words.name(at)?, if_exists, line })
}

type Edit = (usize, usize, String);

/// Where roles stand in a statement, `postgres` is the owner of the project, and so is any role that is to own something.
fn roles(words: &Words<'_, '_>, edits: &mut Vec<Edit>) {
    let has_roles = ["grant", "revoke", "reassign"].iter().any(|word| words.is(0, word))
        || words.begin(&["alter", "default"])
        || words.begin(&["create", "policy"])
        || words.begin(&["alter", "policy"])
        || words.begin(&["create", "schema"])
        || words.begin(&["set", "role"])
        || words.begin(&["set", "local", "role"])
        || words.begin(&["set", "session", "role"]);
    for (at, token) in words.0.iter().enumerate() {
        let Some(name) = words.name(at) else { continue };
        let before = |word: &str| at > 0 && words.is(at - 1, word);
        let is_part = words.symbol(at + 1, ".") || at > 0 && words.symbol(at - 1, ".");
        let is_admin = name.starts_with("supabase_") && name.ends_with("_admin") || name == "supabase_admin" || name == "dashboard_user";
        let owns = before("to") && at > 1 && words.is(at - 2, "owner")
            || before("authorization")
            || (before("role") || before("user")) && (words.is(0, "alter") || words.is(0, "set"));
        if !is_part && (name == "postgres" && (has_roles || owns) || is_admin && owns) {
            edits.push((token.start, token.end(), OWNER.to_owned()));
        }
    }
}

/// A policy on a table of files is written on its twin; also where a block makes it.
fn twins(tokens: &[Token<'_>], offset: usize, edits: &mut Vec<Edit>) {
    let words = Words(tokens);
    for (at, token) in tokens.iter().enumerate() {
        if let Some((body, start)) = dollar_body(token).filter(|_| words.is(0, "do")) {
            let inner = crate::migrate::lex::code(body);
            twins(&inner, offset + start, edits);
        }
        let names_twin = words.is(at, "on") && words.is(at + 1, "storage") && is_ours(&words, at + 1);
        let of_policy = (1..=4).any(|back| at >= back && words.is(at - back, "policy"));
        if let Some(schema) = tokens.get(at + 1).filter(|_| names_twin && of_policy) {
            edits.push((offset + schema.start, offset + schema.end(), "project_storage".to_owned()));
        }
    }
}

fn edited(text: &str, mut edits: Vec<Edit>) -> String {
    let mut changed = text.to_owned();
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.0));
    for (start, end, with) in edits {
        changed.replace_range(start..end, &with);
    }
    changed
}

/// The tokens of a statement as words and names.
pub(super) struct Words<'a, 't>(pub(super) &'a [Token<'t>]);

impl Words<'_, '_> {
    /// The keyword or unquoted name there, in lower case.
    pub(super) fn word(&self, at: usize) -> Option<String> {
        self.0.get(at).filter(|token| token.kind == Kind::Word).map(|token| token.text.to_ascii_lowercase())
    }

    /// The name there, quoted or not.
    pub(super) fn name(&self, at: usize) -> Option<String> {
        let token = self.0.get(at)?;
        match token.kind {
            Kind::Quoted => Some(token.text.get(1..token.text.len().checked_sub(1)?)?.replace("\"\"", "\"")),
            _ => self.word(at),
        }
    }

    pub(super) fn is(&self, at: usize, name: &str) -> bool {
        self.name(at).as_deref() == Some(name)
    }

    pub(super) fn symbol(&self, at: usize, symbol: &str) -> bool {
        self.0.get(at).is_some_and(|token| token.is_symbol(symbol))
    }

    pub(super) fn begin(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(at, word)| self.word(at).as_deref() == Some(*word))
    }

    fn has(&self, name: &str) -> bool {
        (0..self.0.len()).any(|at| self.is(at, name))
    }

    fn position(&self, names: &[&str]) -> Option<usize> {
        (0..self.0.len()).find(|at| names.iter().any(|name| self.is(*at, name)))
    }
}

#[cfg(test)]
mod tests;
