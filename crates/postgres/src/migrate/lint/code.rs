//! Rules about functions, policies, views and grants: what would let a caller step around the walls.

use super::super::lex::{self, Token};
use super::super::split::{Statement, line_at};
use super::{Findings, Linted, Place};

/// Settings that tell who the caller is.
const CALLER: [&str; 8] = [
    "app.company_id",
    "app.current_tenant_id",
    "app.member_role",
    "app.permissions",
    "app.user_id",
    "role",
    "row_security",
    "session_authorization",
];

/// Checks one file.
pub(super) fn check(linted: &Linted<'_>, findings: &mut Findings<'_>) {
    for statement in &linted.statements {
        let tokens = statement.tokens();
        function(statement, &tokens, findings);
        policy(statement, &tokens, findings);
        view(statement, &tokens, findings);
        grant(statement, &tokens, findings);
        roles(statement, &tokens, findings);
        if linted.place != Place::Seed {
            context(statement, &tokens, findings);
        }
        if linted.place == Place::Up {
            belongs_to_code(linted, statement, &tokens, findings);
        }
    }
}

fn has(tokens: &[Token<'_>], words: &[&str]) -> bool {
    position(tokens, words).is_some()
}

fn position(tokens: &[Token<'_>], words: &[&str]) -> Option<usize> {
    tokens.windows(words.len()).position(|window| window.iter().zip(words).all(|(token, word)| token.is(word)))
}

fn makes(statement: &Statement, what: &str) -> bool {
    statement.begins_with(&["create", what])
        || statement.begins_with(&["create", "or", "replace", what])
        || statement.begins_with(&["alter", what])
}

fn function(statement: &Statement, tokens: &[Token<'_>], findings: &mut Findings<'_>) {
    if !(makes(statement, "function") || makes(statement, "procedure")) {
        return;
    }
    if has(tokens, &["leakproof"]) && !has(tokens, &["not", "leakproof"]) {
        findings.add(
            statement.line,
            "function-leakproof",
            "the function is marked leakproof: it would run on rows before row security hides them",
            "Take the mark out.",
        );
    }
    let definer = has(tokens, &["security", "definer"]);
    if definer && statement.begins_with(&["create"]) && !has(tokens, &["set", "search_path"]) {
        findings.add(
            statement.line,
            "definer-search-path",
            "a definer function without its own search_path runs what the caller put into his",
            "Add: set search_path = ''",
        );
    }
}

fn policy(statement: &Statement, tokens: &[Token<'_>], findings: &mut Findings<'_>) {
    if !makes(statement, "policy") {
        return;
    }
    let to = tokens.iter().position(|token| token.is("to"));
    let names_public = to.is_some_and(|to| {
        let roles = tokens.iter().skip(to + 1).take_while(|token| !token.is("using") && !token.is("with"));
        roles.into_iter().any(|token| token.is("public"))
    });
    if names_public || (to.is_none() && statement.begins_with(&["create"])) {
        findings.add(
            statement.line,
            "policy-to-public",
            "the policy applies to everybody, also to the owner and to roles made later",
            "Name the roles: to anon, authenticated.",
        );
    }
    for (at, window) in tokens.windows(4).enumerate() {
        let [schema, dot, name, open] = window else { continue };
        let is_call = dot.is_symbol(".") && open.is_symbol("(") && ["app", "auth"].iter().any(|ours| schema.is(ours));
        let wrapped = at >= 2
            && tokens.get(at - 1).is_some_and(|before| before.is("select"))
            && tokens.get(at - 2).is_some_and(|before| before.is_symbol("("));
        // A call with columns as arguments cannot be taken out of the row loop.
        if is_call && !wrapped {
            let line = statement.line + line_at(&statement.text, schema.start) - 1;
            findings.add(
                line,
                "policy-bare-call",
                format!("{}.{}() is called for every row", schema.text, name.text),
                "Write (select app.f(...)): then it is called once.",
            );
        }
    }
}

fn view(statement: &Statement, tokens: &[Token<'_>], findings: &mut Findings<'_>) {
    let is_view = statement.begins_with(&["create", "view"]) || statement.begins_with(&["create", "or", "replace", "view"]);
    if !is_view {
        return;
    }
    let invoker = tokens.iter().position(|token| token.is("security_invoker")).is_some_and(|at| {
        let value = tokens.get(at + 2);
        tokens.get(at + 1).is_some_and(|sign| !sign.is_symbol("="))
            || value.is_some_and(|value| value.is("true") || value.is("on") || value.text == "1")
    });
    if !invoker {
        findings.add(
            statement.line,
            "view-security-invoker",
            "the view reads with the rights of its owner, past the policies of the caller",
            "with (security_invoker = true)",
        );
    }
}

fn grant(statement: &Statement, tokens: &[Token<'_>], findings: &mut Findings<'_>) {
    let inside_default = statement.begins_with(&["alter", "default", "privileges"]) && tokens.iter().any(|token| token.is("grant"));
    if !(statement.begins_with(&["grant"]) || inside_default) {
        return;
    }
    let Some(to) = tokens.iter().rposition(|token| token.is("to")) else { return };
    let grantees = tokens.get(to..).unwrap_or_default();
    let to_caller = ["anon", "authenticated", "public"].iter().any(|role| grantees.iter().any(|token| token.is(role)));
    let of_owner =
        ["truncate", "references", "trigger"].iter().any(|right| tokens.get(..to).unwrap_or_default().iter().any(|token| token.is(right)));
    let to_public = grantees.iter().any(|token| token.is("public"));
    let everything = statement.begins_with(&["grant", "all"]);
    if to_public || (to_caller && (of_owner || everything)) {
        findings.add(
            statement.line,
            "grant-too-wide",
            "the grant gives a caller's role more than rows",
            "Grant select, insert, update, delete or execute to named roles.",
        );
    }
}

fn roles(statement: &Statement, tokens: &[Token<'_>], findings: &mut Findings<'_>) {
    let bypass = tokens.iter().any(|token| token.is("bypassrls"));
    let off = has(tokens, &["disable", "row", "level", "security"]) || has(tokens, &["no", "force", "row", "level", "security"]);
    if bypass || off {
        findings.add(statement.line, "bypass-row-security", "row security is stepped around", "Write a policy for the role instead.");
    }
}

/// Who asks and for which company is set once, by the server, when a transaction opens. A function that sets it could make a
/// caller somebody else.
fn context(statement: &Statement, tokens: &[Token<'_>], findings: &mut Findings<'_>) {
    let bodies = tokens.iter().filter_map(lex::dollar_body);
    let inside = bodies.map(|(body, start)| (lex::code(body), start));
    for (tokens, start) in inside.chain([(tokens.to_vec(), 0)]) {
        for window in tokens.windows(3) {
            let [call, open, name] = window else { continue };
            let setting = name.text.trim_matches('\'');
            let ours = setting.starts_with("request.") || CALLER.contains(&setting);
            if call.is("set_config") && open.is_symbol("(") && ours {
                let line = statement.line + line_at(&statement.text, start + call.start) - 1;
                let help = "Pass what you need as an argument.";
                findings.add(line, "context-forged", format!("the setting {} is set, which tells who the caller is", name.text), help);
            }
        }
    }
}

/// Functions, triggers, policies and views are replaced at every migrate; in a migration they would be set back to an old state.
fn belongs_to_code(linted: &Linted<'_>, statement: &Statement, tokens: &[Token<'_>], findings: &mut Findings<'_>) {
    for what in ["function", "procedure", "policy", "view", "trigger"] {
        if makes(statement, what) && statement.begins_with(&["create"]) {
            let line = statement.line + tokens.first().map_or(0, |token| line_at(&statement.text, token.start) - 1);
            let help = "Put it into db/code, which is replaced at every migrate.";
            findings.add(line, "code-in-migration", format!("{} makes a {what}", linted.file.path), help);
        }
    }
}
