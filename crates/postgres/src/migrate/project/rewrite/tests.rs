//! What becomes of the statements that projects have.

use super::*;
use crate::migrate::split;

fn of(sql: &str) -> Step {
    step(&split::statements(sql)[0])
}

fn text(sql: &str) -> String {
    match of(sql) {
        Step::Run(statement) | Step::Outside(statement) | Step::Make { statement, .. } => statement.text,
        other => panic!("{sql}: {other:?}"),
    }
}

#[test]
fn postgres_is_the_owner_where_a_role_stands() {
    for (sql, expected) in [
        ("ALTER TABLE \"public\".\"todos\" OWNER TO \"postgres\"", "ALTER TABLE \"public\".\"todos\" OWNER TO project_owner"),
        ("alter function f() owner to supabase_admin", "alter function f() owner to project_owner"),
        ("grant all on table t to postgres, anon", "grant all on table t to project_owner, anon"),
        (
            "alter default privileges for role supabase_admin in schema public grant all on tables to postgres",
            "alter default privileges for role project_owner in schema public grant all on tables to project_owner",
        ),
        ("create schema billing authorization postgres", "create schema billing authorization project_owner"),
        ("create policy a on t to postgres using (true)", "create policy a on t to project_owner using (true)"),
        ("set role postgres", "set role project_owner"),
        ("reset role", "set role project_owner"),
        // No role.
        ("insert into t (name) values ('postgres')", "insert into t (name) values ('postgres')"),
        ("create table postgres (a int)", "create table postgres (a int)"),
        ("grant select on postgres.t to anon", "grant select on postgres.t to anon"),
        ("grant execute on function hook(jsonb) to supabase_auth_admin", "grant execute on function hook(jsonb) to supabase_auth_admin"),
    ] {
        assert_eq!(text(sql), expected);
    }
}

#[test]
fn policies_on_files_are_written_on_the_twins() {
    for (sql, expected) in [
        (
            "create policy \"Anyone\" on storage.objects for select using (exists (select from storage.objects))",
            "create policy \"Anyone\" on project_storage.objects for select using (exists (select from storage.objects))",
        ),
        ("drop policy if exists a on \"storage\".\"objects\"", "drop policy if exists a on project_storage.\"objects\""),
        ("comment on policy a on storage.buckets is 'x'", "comment on policy a on project_storage.buckets is 'x'"),
        (
            "do $$ begin if true then create policy a on storage.objects for all using (true); end if; end $$",
            "do $$ begin if true then create policy a on project_storage.objects for all using (true); end if; end $$",
        ),
        (
            "create trigger t after insert on storage.objects for each row execute function f()",
            "create trigger t after insert on storage.objects for each row execute function f()",
        ),
        ("create policy a on public.objects using (true)", "create policy a on public.objects using (true)"),
    ] {
        assert_eq!(text(sql), expected);
    }
}

#[test]
fn what_is_so_already_is_passed_over_and_what_cannot_be_is_told() {
    for sql in [
        "begin",
        "COMMIT",
        "create schema if not exists \"extensions\"",
        "alter schema public owner to postgres",
        "comment on schema public is 'x'",
        "alter table storage.objects enable row level security",
        "alter table only \"storage\".\"objects\" owner to supabase_storage_admin",
        "set transaction_timeout = 0",
        "comment on extension pgcrypto is 'x'",
    ] {
        assert_eq!(of(sql), Step::Pass(None), "{sql}");
    }
    for sql in [
        "alter role authenticator set pgrst.db_schemas = 'public'",
        "drop extension if exists pg_net",
        "create event trigger e on ddl_command_end execute function f()",
        "set session_replication_role = replica",
        "create or replace function update_updated_at_column() returns trigger language plpgsql as $$ begin new.updated_at = now(); return new; end $$",
        "create function public.update_updated_at_column() returns trigger language plpgsql as $$ begin return new; end $$",
    ] {
        assert!(matches!(of(sql), Step::Pass(Some(_))), "{sql}");
    }
    for sql in [
        "create schema private",
        "alter table public.todos enable row level security",
        "alter table storage.objects disable row level security",
    ] {
        assert!(matches!(of(sql), Step::Run(_)), "{sql}");
    }
}

#[test]
fn rights_to_all_of_a_schema_are_taken_apart() {
    let Step::Rights(rights) = of("GRANT ALL ON ALL TABLES IN SCHEMA public, \"Private\" TO postgres, anon WITH GRANT OPTION") else {
        panic!("no rights");
    };
    assert_eq!((rights.before.as_str(), rights.kind.as_str()), ("GRANT ALL ON", "tables"));
    assert_eq!(
        (rights.schemas, rights.after.as_str()),
        (vec!["public".to_owned(), "Private".to_owned()], "TO project_owner, anon WITH GRANT OPTION")
    );
}

#[test]
fn the_rest_is_told_apart() {
    assert_eq!(of("create extension if not exists \"uuid-ossp\" with schema extensions"), Step::Extension);
    assert!(matches!(of("create unique index concurrently i on t (a)"), Step::Outside(_)));
    assert!(matches!(of("refresh materialized view concurrently v"), Step::Run(_)));
    assert!(matches!(of("copy t (a) from stdin"), Step::Copy(_)));
    let made = |sql: &str| if let Step::Make { name, .. } = of(sql) { Some(name) } else { None };
    assert_eq!(made("create table if not exists public.\"Profiles\" (id uuid)").as_deref(), Some("Profiles"));
    assert_eq!(made("create or replace view profiles as select 1").as_deref(), Some("profiles"));
    assert_eq!(made("create table private.profiles (id uuid)"), None);
    assert_eq!(made("create temp table profiles (id uuid)"), None);
    assert_eq!(
        of("drop trigger if exists on_auth_user_created on auth.users"),
        Step::DropTrigger { table: "auth.users".to_owned(), name: "on_auth_user_created".to_owned(), if_exists: true, line: 1 }
    );
    assert!(matches!(of("drop trigger t on public.todos"), Step::Run(_)));
}
