//! Cuts a file of SQL into its statements and tells what sort each one is.
//!
//! Invariant: a semicolon inside a string, a comment, a dollar quote, parentheses or a `begin atomic` body never ends a
//! statement. The line of a statement is that of its first word.

use super::lex::{self, Kind, Token};

/// One statement of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Statement {
    /// The text, without the semicolon.
    pub(super) text: String,
    /// The line of the file it begins at, from 1.
    pub(super) line: usize,
}

/// What the runner has to know of a statement before it runs it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sort {
    /// Changes rows that were there before: the file says how many.
    ChangesRows,
    /// Looks at every row of a table through row security: a foreign key or its validation.
    ChecksRows,
    /// Begins or ends a transaction.
    Transaction,
    /// Changes the role.
    Role,
    /// All else.
    Other,
}

/// Returns the statements of a file in their order.
pub(super) fn statements(sql: &str) -> Vec<Statement> {
    let mut found = Vec::new();
    let mut current: Vec<Token<'_>> = Vec::new();
    let mut depth = Depth::default();
    for token in lex::code(sql) {
        if token.is_symbol(";") && depth.is_outside() {
            found.extend(statement(sql, &current));
            current.clear();
            depth = Depth::default();
            continue;
        }
        depth.see(&current, &token);
        current.push(token);
    }
    found.extend(statement(sql, &current));
    found
}

fn statement(sql: &str, tokens: &[Token<'_>]) -> Option<Statement> {
    let (first, last) = (tokens.first()?, tokens.last()?);
    let text = sql.get(first.start..last.end())?.to_owned();
    Some(Statement { text, line: line_at(sql, first.start) })
}

/// Returns the line of a position, from 1.
pub(super) fn line_at(sql: &str, position: usize) -> usize {
    1 + sql.bytes().take(position).filter(|byte| *byte == b'\n').count()
}

#[derive(Default)]
struct Depth {
    parentheses: usize,
    blocks: usize,
}

impl Depth {
    fn is_outside(&self) -> bool {
        self.parentheses == 0 && self.blocks == 0
    }

    fn see(&mut self, before: &[Token<'_>], token: &Token<'_>) {
        if token.is_symbol("(") {
            self.parentheses += 1;
        } else if token.is_symbol(")") {
            self.parentheses = self.parentheses.saturating_sub(1);
        } else if token.is("atomic") && before.last().is_some_and(|last| last.is("begin")) && makes_function(before) {
            self.blocks = 1;
        } else if self.blocks > 0 && token.is("case") {
            self.blocks += 1;
        } else if self.blocks > 0 && token.is("end") {
            self.blocks -= 1;
        }
    }
}

fn makes_function(tokens: &[Token<'_>]) -> bool {
    let first = |position: usize| tokens.get(position);
    first(0).is_some_and(|token| token.is("create")) && tokens.iter().take(4).any(|token| token.is("function") || token.is("procedure"))
}

impl Statement {
    /// Returns the tokens of the statement, without comments.
    pub(super) fn tokens(&self) -> Vec<Token<'_>> {
        lex::code(&self.text)
    }

    /// Returns what sort of statement it is.
    pub(super) fn sort(&self) -> Sort {
        let tokens = self.tokens();
        let word =
            |position: usize| tokens.get(position).filter(|token| token.kind == Kind::Word).map(|token| token.text.to_ascii_lowercase());
        let has = |name: &str| tokens.iter().any(|token| token.is(name));
        match (word(0).as_deref().unwrap_or_default(), word(1).as_deref().unwrap_or_default()) {
            ("update" | "delete" | "merge", _) => Sort::ChangesRows,
            ("insert", _) if selects_at_top(&tokens) => Sort::ChangesRows,
            ("with", _) if writes_inside(&tokens) => Sort::ChangesRows,
            ("alter", "table") if has("foreign") || has("references") || has("validate") => Sort::ChecksRows,
            ("begin" | "commit" | "rollback" | "end" | "abort" | "savepoint" | "release", _) | ("start" | "prepare", "transaction") => {
                Sort::Transaction
            }
            ("reset", "all" | "role" | "session") | ("set", "role") | ("discard", "all") => Sort::Role,
            ("set", "local" | "session") if matches!(word(2).as_deref(), Some("role" | "authorization" | "session")) => Sort::Role,
            _ => Sort::Other,
        }
    }

    /// Whether its words begin with these, in any case.
    pub(super) fn begins_with(&self, words: &[&str]) -> bool {
        let tokens = self.tokens();
        tokens.len() >= words.len() && words.iter().zip(&tokens).all(|(word, token)| token.is(word))
    }
}

/// `insert ... select`, also with a query before it, but not a sub-query among values.
fn selects_at_top(tokens: &[Token<'_>]) -> bool {
    let mut depth = 0_usize;
    for token in tokens {
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && (token.is("values") || token.is("default")) {
            return false;
        } else if depth == 0 && (token.is("select") || token.is("table")) {
            return true;
        }
    }
    // `insert into t (select ...)`
    tokens.windows(2).any(|pair| matches!(pair, [open, select] if open.is_symbol("(") && select.is("select")))
}

/// A query with a writing part. `for update` only locks, `do update` belongs to an insert that is counted itself.
fn writes_inside(tokens: &[Token<'_>]) -> bool {
    let mut before: Option<&Token<'_>> = None;
    for token in tokens {
        let locks = before.is_some_and(|last| last.is("for") || last.is("key") || last.is("do"));
        if !locks && ["insert", "update", "delete", "merge"].iter().any(|word| token.is(word)) {
            return true;
        }
        before = Some(token);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<(usize, String)> {
        statements(sql).into_iter().map(|statement| (statement.line, statement.text)).collect()
    }

    #[test]
    fn only_semicolons_between_statements_cut() {
        let sql = "-- first; comment\nselect ';';\n\ndo $$ begin perform 1; end $$;\n/* ; */ create rule r as on insert to t do (select 1; select 2);;\nselect 2";
        assert_eq!(
            texts(sql),
            vec![
                (2, "select ';'".to_owned()),
                (4, "do $$ begin perform 1; end $$".to_owned()),
                (5, "create rule r as on insert to t do (select 1; select 2)".to_owned()),
                (6, "select 2".to_owned()),
            ]
        );
    }

    #[test]
    fn the_body_of_a_standard_function_stays_whole() {
        let sql = "create or replace function f() returns int language sql begin atomic\n select 1; select case when true then 2 else 3 end; end;\nbegin;select 4;end";
        let found = texts(sql);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found[0].1.ends_with("3 end; end"));
        assert_eq!(found[1], (3, "begin".to_owned()));
    }

    #[test]
    fn sorts_are_told_apart() {
        let check = |sql: &str, expected: Sort| assert_eq!(statements(sql)[0].sort(), expected, "{sql}");
        check("update t set a = 1", Sort::ChangesRows);
        check("delete from t", Sort::ChangesRows);
        check("insert into t (a, b) select a, b from s", Sort::ChangesRows);
        check("insert into t (select a from s)", Sort::ChangesRows);
        check("insert into t with x as (select 1) select * from x", Sort::ChangesRows);
        check("insert into t (a) values ((select 1))", Sort::Other);
        check("insert into t default values", Sort::Other);
        check("with x as (update t set a = 1 returning a) select * from x", Sort::ChangesRows);
        check("with x as (select 1) select * from x for update", Sort::Other);
        check("alter table t add constraint f foreign key (a) references s (a)", Sort::ChecksRows);
        check("alter table t validate constraint f", Sort::ChecksRows);
        check("alter table t add column a int", Sort::Other);
        check("commit", Sort::Transaction);
        check("set local role postgres", Sort::Role);
        check("reset role", Sort::Role);
        check("set session authorization postgres", Sort::Role);
        check("select 'update t'", Sort::Other);
    }
}
