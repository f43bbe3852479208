//! Row security as the owner meets it. Under forced row security an owner without a policy of his own sees no rows: a foreign
//! key he adds is marked valid over orphans, and his backfill changes 0 rows, both without an error.
//!
//! Invariant: no statement that looks at existing rows runs while a forced table lacks the owner's `using (true) with check
//! (true)` policy, or has a restrictive one that reaches the owner.

use kernel::Result;

use super::error;
use super::session::Session;

/// Refuses when a forced table hides rows from the owner. `file` and `line` are named in the error.
pub(super) async fn owner_sees_all(session: &Session, file: &str, line: usize) -> Result<()> {
    let row = session
        .client
        .query_opt(
            "select t.name, t.narrowed
               from (select c.oid::regclass::text as name,
                            not exists (select from pg_catalog.pg_policy p
                                         where p.polrelid = c.oid and p.polpermissive and p.polcmd = '*'
                                           and 'app_owner'::regrole::oid = any (p.polroles)
                                           and pg_get_expr(p.polqual, p.polrelid) = 'true'
                                           and coalesce(pg_get_expr(p.polwithcheck, p.polrelid), 'true') = 'true') as missing,
                            exists (select from pg_catalog.pg_policy p cross join unnest(p.polroles) as r (oid)
                                     where p.polrelid = c.oid and not p.polpermissive
                                       and case when r.oid = 0 then true else pg_has_role('app_owner', r.oid, 'usage') end) as narrowed
                       from pg_catalog.pg_class c
                       join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                      where c.relkind in ('r', 'p') and c.relrowsecurity and c.relforcerowsecurity
                        and c.relowner is distinct from (select r.oid from pg_catalog.pg_roles r where r.rolname = 'project_owner')
                        and n.nspname <> 'information_schema' and n.nspname !~ '^pg_') t
              where t.missing or t.narrowed
              order by t.name
              limit 1",
            &[],
        )
        .await
        .map_err(error::query)?;
    let Some(row) = row else { return Ok(()) };
    let (table, narrowed): (String, bool) = (row.get(0), row.get(1));
    let why = if narrowed {
        format!("owner_policy_missing: {table} has a restrictive policy that reaches app_owner")
    } else {
        format!("owner_policy_missing: {table} has forced row security and no policy to app_owner with using (true) with check (true)")
    };
    Err(error::at(error::OWNER_POLICY, file, line, &why).with_hint(format!(
        "select app.enclose('{table}') writes it; restrictive policies name the roles of tenants. Without it foreign keys would be \
         marked valid over orphans and backfills would change no rows."
    )))
}

/// Returns the tables on which row security is not forced; those of a project that was brought are its own affair.
pub(super) async fn unforced(session: &Session) -> Result<Vec<String>> {
    let rows = session
        .client
        .query(
            "select c.oid::regclass::text
               from pg_catalog.pg_class c
               join pg_catalog.pg_namespace n on n.oid = c.relnamespace
              where c.relkind in ('r', 'p') and c.relpersistence <> 't'
                and c.relowner is distinct from (select r.oid from pg_catalog.pg_roles r where r.rolname = 'project_owner')
                and not (c.relrowsecurity and c.relforcerowsecurity)
                and n.nspname not in ('information_schema', 'extensions') and n.nspname !~ '^pg_'
                and not exists (select from pg_catalog.pg_depend d
                                 where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
              order by 1",
            &[],
        )
        .await
        .map_err(error::query)?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Refuses a file after which more tables are without forced row security than before.
pub(super) fn none_added(before: &[String], after: &[String], file: &str) -> Result<()> {
    match after.iter().find(|table| !before.contains(table)) {
        None => Ok(()),
        Some(table) => Err(error::at(error::NOT_FORCED, file, 1, &format!("{table} is left without forced row security"))
            .with_hint(format!("Add: select app.enclose('{table}');"))),
    }
}

/// Forces row security on tables that were made outside the migrations. Returns those it did, and those it could not.
pub(super) async fn enclose(session: &Session, tables: Vec<String>) -> Result<(Vec<String>, Vec<String>)> {
    let known = session.client.query_one("select to_regprocedure('app.enclose(regclass)') is not null", &[]).await.map_err(error::query)?;
    let (mut done, mut left) = (Vec::new(), Vec::new());
    for table in tables {
        let owned = session
            .client
            .query_one(
                "select pg_has_role('app_owner', c.relowner, 'usage') from pg_catalog.pg_class c where c.oid = $1::text::regclass",
                &[&table],
            )
            .await
            .map_err(error::query)?;
        if known.get::<_, bool>(0) && owned.get::<_, bool>(0) {
            session.client.execute("select app.enclose($1::text::regclass)", &[&table]).await.map_err(error::query)?;
            done.push(table);
        } else {
            left.push(table);
        }
    }
    Ok((done, left))
}
