//! The extensions that a project asks for: there, installed now, answered by functions of ours, passed over as tools, or missing.
//!
//! Invariant: what is missing is refused with its name before a file runs, so that no file fails in its middle for want of a type.

use std::collections::BTreeMap;

use kernel::Result;

use super::super::error;
use super::super::lex::{self, Token, dollar_body};
use super::super::session::Session;
use super::super::source::File;
use super::super::split;
use super::book::Pending;
use super::rewrite::Words;

/// Nothing of a schema depends on these; what is lost without each.
const TOOLS: [(&str, &str); 11] = [
    ("pg_stat_statements", "there are no figures about statements"),
    ("pgsodium", "its schema is there and its functions are missing"),
    ("pgaudit", "statements are not logged by it"),
    ("hypopg", "indexes cannot be tried without making them"),
    ("index_advisor", "no indexes are proposed"),
    ("plpgsql_check", "functions are not looked at by it"),
    ("pg_repack", "tables cannot be repacked by it"),
    ("pg_prewarm", "nothing is read into the cache by it"),
    ("pg_stat_monitor", "there are no figures about statements"),
    ("pgtap", "its tests cannot be run here"),
    ("pg_plan_filter", "no plan is refused by it"),
];

/// Those of which ours is the second choice: where the server's own cannot be installed.
const SECOND: [&str; 2] = ["uuid-ossp", "moddatetime"];

/// What a project misses without some extensions that it can hardly do without.
const MISSED: [(&str, &str); 8] = [
    ("vector", "the types vector, halfvec and sparsevec and their indexes"),
    ("postgis", "the types geometry and geography and the functions st_*"),
    ("http", "the functions http_get, http_post and http"),
    ("pgmq", "the queues of pgmq and their functions"),
    ("wrappers", "the foreign data wrappers"),
    ("pgroonga", "the indexes of pgroonga"),
    ("plv8", "functions in JavaScript"),
    ("timescaledb", "hypertables"),
];

/// Returns the extensions that files ask for, with the schema they name.
pub(super) fn wanted(files: &[Pending]) -> BTreeMap<String, Option<String>> {
    let mut names = BTreeMap::new();
    for pending in files {
        for statement in split::statements(&pending.file.text) {
            asked(&statement.tokens(), &mut names);
        }
    }
    names
}

fn asked(tokens: &[Token<'_>], names: &mut BTreeMap<String, Option<String>>) {
    let words = Words(tokens);
    for (at, token) in tokens.iter().enumerate() {
        if let Some((body, _)) = dollar_body(token).filter(|_| words.is(0, "do")) {
            asked(&lex::code(body), names);
        }
        if words.word(at).as_deref() != Some("create") || words.word(at + 1).as_deref() != Some("extension") {
            continue;
        }
        let at = if words.is(at + 2, "if") { at + 5 } else { at + 2 };
        let Some(name) = words.name(at) else { continue };
        let schema = (at + 1..at + 4).find(|at| words.is(*at, "schema")).and_then(|at| words.name(at + 1));
        names.insert(name, schema);
    }
}

/// Whether the server's own extension comes first, so that ours must not stand in for it.
pub(super) async fn stands_by_itself(session: &Session, file: &File) -> Result<bool> {
    let name = extension_of(file);
    if SECOND.contains(&name) {
        return Ok(true);
    }
    let asked = "select exists (select from pg_catalog.pg_extension where extname = $1)";
    session.client.query_one(asked, &[&name]).await.map(|row| row.get(0)).map_err(error::query)
}

/// Makes sure of all of them. Returns what is to be told.
pub(super) async fn ensure(session: &Session, ours: &[File], wanted: BTreeMap<String, Option<String>>) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    for (name, schema) in wanted {
        let file = ours.iter().find(|file| extension_of(file) == name);
        if file.is_some() && !SECOND.contains(&name.as_str()) {
            notes.push(format!("the extension {name} is answered by functions of ours"));
            continue;
        }
        match install(session, &name, schema.as_deref()).await? {
            Found::There => {}
            Found::Refused => match (file, TOOLS.iter().find(|(tool, _)| *tool == name)) {
                (Some(file), _) => {
                    session.client.batch_execute(&file.text).await.map_err(error::query)?;
                    notes.push(format!("the extension {name} is answered by functions of ours"));
                }
                (None, Some((_, loss))) => notes.push(format!("the extension {name} is left out: {loss}")),
                (None, None) => return Err(missing(&name)),
            },
        }
    }
    Ok(notes)
}

enum Found {
    There,
    Refused,
}

async fn install(session: &Session, name: &str, schema: Option<&str>) -> Result<Found> {
    let row = session
        .client
        .query_one(
            "select exists (select from pg_catalog.pg_extension where extname = $1),
                    exists (select from pg_catalog.pg_available_extensions where name = $1),
                    format('create extension if not exists %I with schema %I cascade', $1,
                           coalesce((select n.nspname from pg_catalog.pg_namespace n where n.nspname = $2 and n.nspname <> 'pg_catalog'), 'extensions'))",
            &[&name, &schema],
        )
        .await
        .map_err(error::query)?;
    if row.get(0) {
        return Ok(Found::There);
    }
    if !row.get::<_, bool>(1) {
        return Ok(Found::Refused);
    }
    if let Err(cause) = session.client.batch_execute(row.get(2)).await {
        tracing::info!(extension = name, error = %cause, "the extension cannot be installed");
        return Ok(Found::Refused);
    }
    // A login whose own default privileges give nothing away has installed them for nobody.
    let row = session
        .client
        .query_one(
            "select 'grant execute on routine ' || string_agg(p.oid::regprocedure::text, ', ')
                      || ' to app_owner, app_definer, project_owner, anon, authenticated, service_role'
               from pg_catalog.pg_extension e
               join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_extension'::regclass and d.refobjid = e.oid
                                          and d.classid = 'pg_catalog.pg_proc'::regclass and d.deptype = 'e'
               join pg_catalog.pg_proc p on p.oid = d.objid
              where e.extname = $1 and pg_catalog.pg_has_role(p.proowner, 'usage')
                and not pg_catalog.has_function_privilege('authenticated', p.oid, 'execute')",
            &[&name],
        )
        .await
        .map_err(error::query)?;
    if let Some(grant) = row.get::<_, Option<&str>>(0) {
        session.client.batch_execute(grant).await.map_err(error::query)?;
    }
    Ok(Found::There)
}

fn missing(name: &str) -> kernel::Error {
    let lost = MISSED.iter().find(|(other, _)| *other == name).map_or("whatever it brings", |(_, lost)| lost);
    error::refused(
        error::PROJECT_EXTENSION,
        format!("the extension {name} cannot be installed on this server: {lost} would be missing"),
        "Install its package beside PostgreSQL, let an administrator create it, or take what needs it out of the project.",
    )
}

/// Returns the extension that a file of ours answers.
fn extension_of(file: &File) -> &str {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    name.strip_suffix(".sql").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::super::book::Kind;
    use super::*;

    #[test]
    fn extensions_are_found_with_their_schema_also_in_blocks() {
        let text = "create extension if not exists \"uuid-ossp\" with schema extensions; CREATE EXTENSION pg_net;
                    create extension if not exists moddatetime schema extensions;
                    do $$ begin create extension if not exists vector with schema public; end $$; select 'create extension no'";
        let file = File { path: "1_a.sql".to_owned(), text: text.to_owned() };
        let found = wanted(&[Pending { file, kind: Kind::Seed }]);
        let found: Vec<(&str, Option<&str>)> = found.iter().map(|(name, schema)| (name.as_str(), schema.as_deref())).collect();
        assert_eq!(
            found,
            [("moddatetime", Some("extensions")), ("pg_net", None), ("uuid-ossp", Some("extensions")), ("vector", Some("public"))]
        );
    }
}
