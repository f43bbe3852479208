//! A project made for Supabase is brought as it is, twice, and can change nothing of ours.

use std::path::{Path, PathBuf};

use postgres::migrate::{self, Bring, Migrator, Options, Project, ProjectReport, Source};
use testkit::Db;
use tokio_postgres::Client;

const ADA: &str = "11111111-1111-4111-8111-111111111111";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/projects/todo")
}

async fn bring(db: &Db, project: &Project, how: Bring) -> kernel::Result<ProjectReport> {
    Migrator::new(db.migrator_config()).bring(project, how, &Options::default()).await
}

/// Brings files that are written here.
async fn bring_files(db: &Db, files: &[&str]) -> kernel::Result<ProjectReport> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("migrations")).unwrap();
    for (number, text) in files.iter().enumerate() {
        std::fs::write(folder.path().join(format!("migrations/{number}_file.sql")), text).unwrap();
    }
    bring(db, &Project::open(folder.path()).unwrap(), Bring::default()).await
}

async fn ask(client: &Client, sql: &str) -> String {
    let row = client.query_one(&format!("select ({sql})::text"), &[]).await.unwrap();
    row.get::<_, Option<String>>(0).unwrap_or_else(|| "null".to_owned())
}

const SEED: Bring = Bring { seed: true, force_row_security: false };

#[tokio::test]
async fn a_whole_project_is_applied_as_it_is_and_once() {
    let db = Db::new().await;
    let project = Project::open(&folder()).unwrap();
    let report = bring(&db, &project, SEED).await.unwrap();
    let names: Vec<&str> = report.applied.iter().map(|ran| ran.name.as_str()).collect();
    assert_eq!(names, ["initial", "remote_schema", "more"]);
    assert_eq!(report.seeded, [("seed.sql".to_owned(), 5)]);
    for note in
        ["pg_net is answered by functions of ours", "pgjwt is answered", "public.profiles was another name", "roles belong to the cluster"]
    {
        assert!(report.notes.iter().any(|found| found.contains(note)), "{note}: {:#?}", report.notes);
    }

    let client = db.superuser().await;
    client.batch_execute("update public.lists set title = title").await.unwrap();
    for (sql, expected) in [
        ("select changed_at > now() - interval '1 hour' from public.lists", "true"),
        (
            "select string_agg(distinct relowner::regrole::text, ',') from pg_class where relname in ('todos', 'lists', 'profiles', 'open_todos')",
            "project_owner",
        ),
        ("select full_name from public.profiles", "Ada Lovelace"),
        ("select title from public.lists", "Engines; 'analytical'"),
        (
            "select string_agg(tablename, ',' order by tablename) from pg_publication_tables where pubname = 'supabase_realtime'",
            "lists,todos",
        ),
        (
            "select string_agg(version || ' ' || name, ',' order by version) from supabase_migrations.schema_migrations where next is null",
            "20240101000000 initial,20240201000000 remote_schema,20240301000000 more",
        ),
        ("select indisvalid from pg_index where indexrelid = 'public.todos_user_id_idx'::regclass", "true"),
        (
            "select string_agg(policyname || ' ' || cmd || ' ' || roles::text, ', ' order by policyname) from pg_policies where tablename = 'objects' and schemaname = 'storage' and policyname !~ '_all$|^company_files|^guest_'",
            "Avatar images are publicly accessible. SELECT {anon,authenticated}, Owners delete DELETE {authenticated}, Users upload into their own folder. INSERT {authenticated}",
        ),
        (
            "select count(*) from pg_roles where rolname ~ '^project_run_' and pg_has_role(rolname, 'project_owner', 'member') and rolvaliduntil < now() + interval '1 hour'",
            "0",
        ),
        ("select valid::text || ' ' || (payload ->> 'sub') from extensions.verify(private.sign_for('ada'), 'secret')", "true ada"),
        (
            "select extensions.sign('{\"sub\":\"1234567890\",\"name\":\"John Doe\",\"admin\":true}', 'secret')",
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiYWRtaW4iOnRydWV9.TJVA95OrM7E2cBab30RMHrHDcEfxjoYZgeFONFh7HgQ",
        ),
    ] {
        assert_eq!(ask(&client, sql).await, expected, "{sql}");
    }

    let again = bring(&db, &project, SEED).await.unwrap();
    assert!(again.applied.is_empty() && again.seeded.is_empty() && again.changed.is_empty(), "{again}");
    // What is the project's is no drift of ours, and our own migrations go on beside it.
    let ours = Migrator::new(db.migrator_config());
    let up = ours.up(&Source::Embedded, &Options::default()).await.unwrap();
    assert!(up.schema_drift.is_empty() && up.applied.is_empty() && up.enclosed.is_empty(), "{up}");
    assert!(ours.status(&Source::Embedded).await.unwrap().is_current());
}

#[tokio::test]
async fn services_that_are_not_there_say_so() {
    let db = Db::new().await;
    let client = db.superuser().await;
    bring(&db, &Project::open(&folder()).unwrap(), Bring::default()).await.unwrap();
    client.batch_execute("set role service_role").await.unwrap();
    for call in ["select vault.create_secret('s3cret', 'name')", "select graphql_public.graphql(query => '{ a }')"] {
        let error = client.query(call, &[]).await.unwrap_err();
        assert_eq!(error.code().map(tokio_postgres::error::SqlState::code), Some("0A000"), "{call}: {error}");
    }
}

#[tokio::test]
async fn a_file_that_was_applied_and_changed_is_told_and_not_run() {
    let db = Db::new().await;
    bring_files(&db, &["create table public.things (id int primary key)"]).await.unwrap();
    let report = bring_files(&db, &["create table public.other_things (id int primary key)", "create table public.more_things (id int)"])
        .await
        .unwrap();
    assert_eq!(report.changed, ["migrations/0_file.sql"]);
    assert_eq!(report.applied.len(), 1);
    let client = db.superuser().await;
    assert_eq!(ask(&client, "select to_regclass('public.other_things')").await, "null");
}

#[tokio::test]
async fn a_failed_file_leaves_nothing_but_what_ran_outside_of_a_transaction() {
    let db = Db::new().await;
    let client = db.superuser().await;
    let error = bring_files(&db, &["create table public.half (id int);\nselect nothing"]).await.unwrap_err();
    assert_eq!(error.code(), migrate::FAILED);
    assert!(error.message().starts_with("migrations/0_file.sql:2: 42703"), "{}", error.message());
    assert_eq!(ask(&client, "select to_regclass('public.half')").await, "null");

    let file = "create table public.half (id int);\ncreate index concurrently half_id on public.half (id);\nselect id from public.later;";
    bring_files(&db, &[file]).await.unwrap_err();
    assert_eq!(ask(&client, "select next from supabase_migrations.schema_migrations").await, "2");
    client.batch_execute("create table public.later (id int); grant select on public.later to project_owner; alter table public.later disable row level security").await.unwrap();
    assert_eq!(bring_files(&db, &[file]).await.unwrap().applied.len(), 1, "it goes on where it failed");
    assert_eq!(ask(&client, "select next from supabase_migrations.schema_migrations").await, "null");
}

/// Each is tried as a file of its own; what it would have done is looked for afterwards.
const ATTACKS: &[(&str, &str)] = &[
    ("drop policy tenant_isolation on public.jobs", "42501"),
    ("create policy hole on public.jobs for select to anon using (true)", "42501"),
    ("alter table public.customers disable row level security", "42501"),
    ("alter table public.customers no force row level security", "42501"),
    ("grant select on public.customers to anon", "42501"),
    ("select * from public.customers", "42501"),
    ("create or replace function app.company_id() returns uuid language sql as 'select null::uuid'", "42501"),
    ("create or replace function auth.uid() returns uuid language sql as 'select null::uuid'", "42501"),
    ("create function app.evil() returns int language sql as 'select 1'", "42501"),
    ("alter function app.open_request(text, uuid, uuid, uuid, text, text, boolean) security invoker", "42501"),
    ("do $$ begin execute 'reset role'; execute 'drop policy tenant_isolation on public.jobs'; end $$", "42501"),
    ("do $$ begin execute 'set role app_owner'; end $$", "42501"),
    ("do $$ begin execute 'set role service_role'; end $$", "42501"),
    ("do $$ begin commit; end $$", "2D000"),
    ("do $$ begin execute 'set session authorization postgres'; end $$", "42501"),
    ("grant app_owner to project_owner", "42501"),
    ("drop table storage.objects cascade", "42501"),
    ("alter table storage.objects disable row level security", "42501"),
    ("drop trigger sync_user on auth.users", "42704"),
    ("alter publication supabase_realtime add table public.customers", "42501"),
    ("create trigger t after insert on public.jobs for each row execute function public.update_updated_at_column()", "42501"),
    (
        "create function public.evil() returns trigger language plpgsql as $$ begin return new; end $$; create trigger evil after insert on auth.users for each row execute function public.evil()",
        "42501",
    ),
    ("create function public.lower(varchar) returns text language sql as 'select ''x'''", "42501"),
    ("create function public.create_company_with_owner(varchar) returns int language sql as 'select 1'", "42501"),
    ("create operator public.= (leftarg = int, rightarg = text, function = pg_catalog.int4eq)", "42883"),
    ("copy (select 1) to program 'true'", "42501"),
    ("truncate public.customers", "42501"),
    ("alter view public.organizations rename to gone", "42501"),
    ("create policy a on storage.objects as restrictive using (false); drop policy service_role_all on storage.objects", "42704"),
    ("select app.yield_name('jobs'); drop table public.jobs", "42501"),
    ("alter role service_role bypassrls; drop table public.jobs", "42501"),
    ("delete from app.role_permissions", "42501"),
    ("revoke all on public.jobs from authenticated; drop table public.jobs", "42501"),
];

#[tokio::test]
async fn a_project_cannot_weaken_our_tables() {
    Box::pin(try_all(ATTACKS.get(..12).unwrap())).await;
}

#[tokio::test]
async fn a_project_cannot_change_its_role_or_our_functions() {
    Box::pin(try_all(ATTACKS.get(12..24).unwrap())).await;
}

#[tokio::test]
async fn a_project_cannot_take_names_or_storage_from_us() {
    Box::pin(try_all(ATTACKS.get(24..).unwrap())).await;
}

async fn try_all(attacks: &[(&str, &str)]) {
    let db = Db::new().await;
    bring_files(&db, &["create table public.things (id int primary key)"]).await.unwrap();
    let ours = Migrator::new(db.migrator_config());
    let before = ours.up(&Source::Embedded, &Options::default()).await.unwrap().fingerprint;
    for (sql, sqlstate) in attacks {
        let error = bring_files(&db, &["create table public.things (id int primary key)", sql]).await.expect_err(sql);
        assert_eq!(error.details().and_then(|details| details["sqlstate"].as_str()), Some(*sqlstate), "{sql}: {error}");
    }
    assert_eq!(ours.up(&Source::Embedded, &Options::default()).await.unwrap().fingerprint, before);
}

#[tokio::test]
async fn names_of_ours_and_missing_extensions_are_refused_before_anything_runs() {
    let db = Db::new().await;
    let first = "create table public.things (id int primary key)";
    let taken =
        bring_files(&db, &[first, "create table if not exists public.customers (id int); create table posts (id int)"]).await.unwrap_err();
    assert_eq!(taken.code(), migrate::PROJECT_NAME);
    assert!(taken.message().ends_with("public.customers, public.posts"), "{}", taken.message());
    let missing = bring_files(&db, &[first, "create extension if not exists vector with schema extensions"]).await.unwrap_err();
    assert_eq!(missing.code(), migrate::PROJECT_EXTENSION);
    assert!(missing.message().contains("extension vector") && missing.message().contains("halfvec"), "{}", missing.message());
    assert_eq!(ask(&db.superuser().await, "select to_regclass('public.things')").await, "null");
}

#[tokio::test]
async fn row_security_is_forced_where_it_is_set_so() {
    let db = Db::new().await;
    let forced = "select string_agg(relname || ' ' || relrowsecurity || ' ' || relforcerowsecurity, ', ' order by relname) from pg_class
                   where relname in ('announcements', 'todos')";
    let project = Project::open(&folder()).unwrap();
    bring(&db, &project, SEED).await.unwrap();
    let client = db.superuser().await;
    assert_eq!(ask(&client, forced).await, "announcements false false, todos true false");

    let other = Db::new().await;
    bring(&other, &project, Bring { seed: true, force_row_security: true }).await.unwrap();
    let client = other.superuser().await;
    assert_eq!(ask(&client, forced).await, "announcements true true, todos true true");
    // The project's own definer functions and its seeds still reach its rows.
    client.batch_execute("set role authenticated").await.unwrap();
    assert_eq!(ask(&client, "select public.todo_count()").await, "1");
    client.batch_execute("set role service_role").await.unwrap();
    assert_eq!(ask(&client, "select count(*) from public.announcements").await, "1");
    assert_eq!(ask(&client, &format!("select count(*) from public.todos where user_id = '{ADA}'")).await, "1");
}

#[tokio::test]
async fn policies_on_files_decide_and_go_when_the_project_drops_them() {
    let db = Db::new().await;
    bring(&db, &Project::open(&folder()).unwrap(), SEED).await.unwrap();
    let client = db.superuser().await;
    let insert = |folder: &str| format!("insert into storage.objects (bucket_id, name) values ('avatars', '{folder}/me.png')");
    client
        .batch_execute(&format!("select set_config('request.jwt.claims', '{{\"sub\":\"{ADA}\"}}', false); set role authenticated"))
        .await
        .unwrap();
    client.batch_execute(&insert(ADA)).await.unwrap();
    let refused = client.batch_execute(&insert("99999999-9999-4999-8999-999999999999")).await.unwrap_err();
    assert_eq!(refused.code().map(tokio_postgres::error::SqlState::code), Some("42501"));
    client.batch_execute("set role anon").await.unwrap();
    assert_eq!(
        ask(&client, "select string_agg(storage.filename(name) || ' ' || storage.extension(name), ',') from storage.objects").await,
        "me.png png"
    );

    let drop = "drop policy \"Avatar images are publicly accessible.\" on storage.objects; drop trigger on_auth_user_created on auth.users";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("20250101000000_close.sql"), drop).unwrap();
    bring(&db, &Project::open(folder.path()).unwrap(), SEED).await.unwrap();
    assert_eq!(ask(&client, "select count(*) from storage.objects").await, "0");
    client.batch_execute("reset role").await.unwrap();
    assert_eq!(ask(&client, "select count(*) from pg_trigger where tgname = 'on_auth_user_created'").await, "0");
}
