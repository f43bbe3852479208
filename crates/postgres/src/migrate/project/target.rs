//! What the database says about a statement that PostgreSQL cannot be told as it is written.

use kernel::Result;

use super::super::error;
use super::super::session::Session;
use super::super::split;
use super::book::Pending;
use super::rewrite::{Rights, Words, made};

/// Refuses files that make a table or view by a name which a table of ours has.
pub(super) async fn names_are_free(session: &Session, files: &[Pending]) -> Result<()> {
    let statements = files.iter().flat_map(|pending| split::statements(&pending.file.text));
    let names: Vec<String> = statements.filter_map(|statement| made(&Words(&statement.tokens()))).collect();
    let rows = session
        .client
        .query(
            "select 'public.' || c.relname::text from pg_catalog.pg_class c
              where c.relnamespace = 'public'::regnamespace and c.relname = any ($1)
                and c.relowner <> (select oid from pg_catalog.pg_roles where rolname = 'project_owner')
                and not (c.relkind = 'v' and c.relname in ('profiles', 'organizations', 'organization_memberships'))
              order by 1",
            &[&names],
        )
        .await
        .map_err(error::query)?;
    if rows.is_empty() {
        return Ok(());
    }
    let taken: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let message = format!("the project makes what is there already and not its own: {}", taken.join(", "));
    Err(error::refused(error::PROJECT_NAME, message, "Give the project's tables other names, or a schema of their own."))
}

/// Writes `grant ... on all tables in schema s` for the objects that the project has there; None: there is none.
pub(super) async fn rights(session: &Session, rights: &Rights) -> Result<Option<String>> {
    let row = session
        .client
        .query_one(
            "select case when $2 = 'tables' then
                      (select 'table ' || string_agg(c.oid::regclass::text, ', ') from pg_catalog.pg_class c
                        where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relnamespace = any (s.oids) and c.relowner = o.oid)
                    when $2 = 'sequences' then
                      (select 'sequence ' || string_agg(c.oid::regclass::text, ', ') from pg_catalog.pg_class c
                        where c.relkind = 'S' and c.relnamespace = any (s.oids) and c.relowner = o.oid)
                    else
                      (select 'routine ' || string_agg(p.oid::regprocedure::text, ', ') from pg_catalog.pg_proc p
                        where p.pronamespace = any (s.oids) and p.proowner = o.oid
                          and ($2 = 'routines' or p.prokind = 'p' and $2 = 'procedures' or p.prokind <> 'p' and $2 = 'functions'))
                    end
               from (select array_agg(n.oid) as oids from pg_catalog.pg_namespace n where n.nspname = any ($1)) s,
                    (select r.oid from pg_catalog.pg_roles r where r.rolname = 'project_owner') o",
            &[&rights.schemas, &rights.kind],
        )
        .await
        .map_err(error::query)?;
    let objects: Option<&str> = row.get(0);
    Ok(objects.map(|objects| [&rights.before, objects, &rights.after].join(" ")))
}
