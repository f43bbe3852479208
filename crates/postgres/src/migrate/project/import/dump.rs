//! The schema of a project elsewhere, as `pg_dump` writes it: what tables need to hold rows, and what waits until the rows are there.
//!
//! Invariant: the dump, the rows and the counts are of one snapshot.

use std::path::PathBuf;
use std::process::Stdio;

use kernel::Result;

use super::super::super::error;
use super::super::super::session::Session;

/// Where a project is brought from.
#[derive(Clone)]
pub struct Origin {
    /// Who reads there; of a Supabase project, the role postgres.
    pub login: super::super::super::session::Migrator,
    /// The program `pg_dump`, not older than the server there.
    pub dump_program: PathBuf,
    /// How it connects: `PGHOST` and the like.
    pub dump_environment: Vec<(String, String)>,
}

/// The two halves of a schema, as SQL.
pub(super) struct Schema {
    pub(super) tables: String,
    pub(super) rules: String,
    pub(super) names: Vec<String>,
}

/// Schemas that are the platform's own, there as here.
const OURS: &str = "n.nspname !~ '^(pg_|information_schema$|_)' and n.nspname not in ('auth', 'storage', 'extensions', 'realtime', 'cron',
    'net', 'vault', 'graphql', 'graphql_public', 'supabase_functions', 'supabase_migrations', 'pgsodium', 'pgsodium_masks', 'pgbouncer',
    'pgtle', 'project_storage', 'app')
    and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_namespace'::regclass and d.objid = n.oid and d.deptype = 'e')";

/// Extensions that are there; the project may use them.
const EXTENSIONS: &str = "select format('create extension if not exists %I with schema %I', e.extname, n.nspname)
    from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace where e.extname <> 'plpgsql' order by e.extname";

/// What the project hung on tables of the platform, and what a dump of some schemas leaves out.
const BESIDE: [&str; 4] = [
    "select pg_catalog.pg_get_triggerdef(t.oid)
       from pg_catalog.pg_trigger t join pg_catalog.pg_proc p on p.oid = t.tgfoid join pg_catalog.pg_namespace n on n.oid = p.pronamespace
       join pg_catalog.pg_class c on c.oid = t.tgrelid join pg_catalog.pg_namespace cn on cn.oid = c.relnamespace
      where not t.tgisinternal and format('%s.%s', cn.nspname, c.relname) in ('auth.users', 'storage.objects', 'storage.buckets')
        and n.nspname = any ($1) order by 1",
    "select format('create policy %I on storage.%I as %s for %s to %s', p.policyname, p.tablename, p.permissive, p.cmd,
                   (select string_agg(case r when 'public' then 'public' else format('%I', r) end, ', ') from unnest(p.roles) r))
            || coalesce(' using (' || p.qual || ')', '') || coalesce(' with check (' || p.with_check || ')', '')
       from pg_catalog.pg_policies p
      where p.schemaname = 'storage' and p.tablename in ('objects', 'buckets') and cardinality($1::text[]) > 0
        and p.policyname !~ '^(app_owner|app_definer|service_role|project_owner)_all$' order by 1",
    "select format('alter publication supabase_realtime add table %I.%I', t.schemaname, t.tablename)
       from pg_catalog.pg_publication_tables t where t.pubname = 'supabase_realtime' and t.schemaname = any ($1) order by 1",
    "select format('refresh materialized view %I.%I', m.schemaname, m.matviewname)
       from pg_catalog.pg_matviews m where m.schemaname = any ($1) and m.ispopulated order by 1",
];

/// Reads the schema of the session's snapshot.
pub(super) async fn schema(origin: &Origin, session: &Session) -> Result<Schema> {
    let asked = ["select n.nspname::text from pg_catalog.pg_namespace n where ", OURS, " order by 1"].concat();
    let names = texts(session, &asked, &[]).await?;
    let snapshot = texts(session, "select pg_catalog.pg_export_snapshot()", &[]).await?.concat();
    let mut tables = texts(session, EXTENSIONS, &[]).await?.join(";\n");
    tables.push_str(";\n");
    tables.push_str(&dumped(origin, &names, &snapshot, "pre-data").await?);
    let mut rules = dumped(origin, &names, &snapshot, "post-data").await?;
    rules.push_str("\nreset search_path;\n");
    for asked in BESIDE {
        for statement in texts(session, asked, &[&names]).await? {
            rules.push_str(&statement);
            rules.push_str(";\n");
        }
    }
    Ok(Schema { tables, rules, names })
}

async fn texts(session: &Session, asked: &str, values: &[&(dyn tokio_postgres::types::ToSql + Sync)]) -> Result<Vec<String>> {
    let rows = session.client.query(asked, values).await.map_err(error::query)?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn dumped(origin: &Origin, schemas: &[String], snapshot: &str, section: &str) -> Result<String> {
    let failed = |why: String| {
        let hint = "pg_dump has to be there and no older than the server it reads; database.programs_directory names its folder.";
        error::refused(error::PROJECT_DUMP, why, hint)
    };
    let mut command = tokio::process::Command::new(&origin.dump_program);
    command.args(["--schema-only", "--no-owner", "--no-publications", "--no-subscriptions", "--no-security-labels", "--no-tablespaces"]);
    command.arg(["--section=", section].concat()).arg(["--snapshot=", snapshot].concat());
    for schema in schemas {
        command.arg(["--schema=\"", &schema.replace('"', "\"\""), "\""].concat());
    }
    command.envs(origin.dump_environment.iter().cloned()).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.map_err(|cause| failed(format!("{} cannot be started: {cause}", origin.dump_program.display())))?;
    if !output.status.success() {
        return Err(failed(format!("pg_dump failed: {}", String::from_utf8_lossy(&output.stderr).trim())));
    }
    let text = String::from_utf8(output.stdout).map_err(|cause| failed(format!("pg_dump wrote no UTF-8: {cause}")))?;
    // Versions and the word that pg_dump makes up for psql would make every dump another one.
    let is_kept = |line: &&str| !line.starts_with('\\') && !line.starts_with("-- Dumped");
    Ok(text.lines().filter(is_kept).collect::<Vec<_>>().join("\n"))
}
