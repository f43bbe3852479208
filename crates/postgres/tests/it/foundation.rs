//! What every database has before its first business table: schemas, roles, functions, extensions, and the walls that come with a table.

use postgres::migrate::{Migrator, Options, Source};
use testkit::{Db, Install};
use tokio_postgres::Client;

const ROLES: &str = "array['app_owner', 'app_definer', 'anon', 'authenticated', 'guest', 'service_role']";

/// Returns the first column of every row.
async fn texts(client: &Client, sql: &str) -> Vec<String> {
    client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

async fn text(client: &Client, sql: &str) -> Option<String> {
    client.query_one(&format!("select ({sql})::text"), &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn the_schemas_are_there_and_nobody_who_asks_may_create_in_them() {
    let client = Db::new().await.superuser().await;
    for schema in ["public", "auth", "app", "storage", "realtime", "extensions", "cron", "net", "vault"] {
        let owner = text(&client, &format!("select nspowner::regrole from pg_namespace where nspname = '{schema}'")).await;
        assert_eq!(owner.as_deref(), Some("app_owner"), "{schema}");
        let may = format!(
            "select r from unnest(array['anon', 'authenticated', 'guest', 'service_role', 'thorbis_server']) r where has_schema_privilege(r, '{schema}', 'create')"
        );
        assert_eq!(texts(&client, &may).await, Vec::<String>::new(), "{schema}");
    }
}

#[tokio::test]
async fn roles_cannot_log_in_or_step_around_policies_and_the_server_owns_nothing() {
    let client = Db::new().await.superuser().await;
    let plain = format!(
        "select rolname::text from pg_roles where rolname = any ({ROLES}) and not (rolcanlogin or rolsuper or rolbypassrls) order by 1"
    );
    assert_eq!(texts(&client, &plain).await, ["anon", "app_definer", "app_owner", "authenticated", "guest", "service_role"]);
    let becomes = "select r.rolname::text from pg_roles r where r.rolname !~ '^pg_' and r.rolname <> 'thorbis_server' and pg_has_role('thorbis_server', r.oid, 'member') order by 1";
    assert_eq!(texts(&client, becomes).await, ["anon", "authenticated", "guest", "service_role"]);
    let server = text(&client, "select rolcanlogin and not (rolinherit or rolsuper or rolbypassrls or rolcreaterole or rolcreatedb) from pg_roles where rolname = 'thorbis_server'").await;
    assert_eq!(server.as_deref(), Some("true"));
    let owned = "select count(*) from pg_shdepend where refclassid = 'pg_authid'::regclass and refobjid = 'thorbis_server'::regrole and deptype = 'o'";
    assert_eq!(text(&client, owned).await.as_deref(), Some("0"));
    let calls = "select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
                  where n.nspname in ('app', 'auth', 'public') and has_function_privilege('thorbis_server', p.oid, 'execute')";
    let opening = ["app.open_pass(text,uuid,uuid,uuid,text,text,text)", "app.open_request(text,uuid,uuid,uuid,text,text,boolean)"];
    assert_eq!(texts(&client, &format!("{calls} order by 1")).await, opening);
}

#[tokio::test]
async fn outside_a_request_nobody_asks_and_no_company_is_set() {
    let client = Db::new().await.superuser().await;
    client.batch_execute("set role authenticated").await.unwrap();
    for function in ["auth.uid()", "auth.jwt()", "auth.email()", "app.company_id()", "app.member_role()"] {
        assert_eq!(text(&client, function).await, None, "{function}");
    }
    assert_eq!(text(&client, "auth.role()").await.as_deref(), Some("authenticated"));
    assert_eq!(text(&client, "app.has_permission('jobs:read')").await.as_deref(), Some("false"));
    client
        .batch_execute(
            r#"select set_config('request.jwt.claims', '{"sub": "01900000-0000-7000-8000-000000000002", "email": "a@b.de"}', false),
            set_config('app.permissions', ',jobs:read,jobs:update_assigned,', false)"#,
        )
        .await
        .unwrap();
    assert_eq!(text(&client, "auth.uid()").await.as_deref(), Some("01900000-0000-7000-8000-000000000002"));
    assert_eq!(text(&client, "auth.email()").await.as_deref(), Some("a@b.de"));
    for (permission, held) in
        [("jobs:read", "true"), ("jobs:update", "false"), ("jobs:update_assigned", "true"), ("jobs", "false"), ("", "false")]
    {
        assert_eq!(text(&client, &format!("app.has_permission('{permission}')")).await.as_deref(), Some(held), "{permission}");
    }
}

#[tokio::test]
async fn ids_are_of_version_seven_and_in_the_order_they_were_made() {
    let client = Db::new().await.superuser().await;
    let made = "select count(*) filter (where id::text !~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab]') || ' ' || count(distinct id)
                  || ' ' || count(*) filter (where abs(extract(epoch from clock_timestamp()) * 1000 - ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint) > 60000)
                  from (select app.uuid_v7() as id from generate_series(1, 2000)) ids";
    assert_eq!(text(&client, made).await.as_deref(), Some("0 2000 0"));
    for _ in 0..20 {
        let pair = client.query_one("select app.uuid_v7()::text, pg_sleep(0.001), app.uuid_v7()::text", &[]).await.unwrap();
        assert!(pair.get::<_, String>(0) < pair.get::<_, String>(2));
    }
}

#[tokio::test]
async fn what_extensions_bring_can_be_used_by_every_role() {
    let client = Db::new().await.superuser().await;
    for role in ["anon", "authenticated", "guest", "service_role", "app_owner", "app_definer"] {
        client.batch_execute(&format!("set role {role}")).await.unwrap();
        for (sql, expected) in [
            ("'Ada'::extensions.citext = 'ADA'::extensions.citext", "true"),
            ("extensions.similarity('boiler', 'boiler') = 1", "true"),
            ("encode(extensions.digest('a', 'sha256'), 'hex') ~ '^ca978112'", "true"),
            ("extensions.unaccent('Müller')", "Muller"),
        ] {
            let sql = format!("select ({})::text", sql.replacen(" = ", " operator(extensions.=) ", usize::from(sql.contains("citext"))));
            let found = client.query_one(&sql, &[]).await.map(|row| row.get::<_, String>(0));
            assert_eq!(found.as_deref().ok(), Some(expected), "{role}: {sql}: {found:?}");
        }
        client.batch_execute("reset role").await.unwrap();
    }
}

/// Every way to come by a table, and by one whose protection was taken away.
const MADE_BY_HAND: &[(&str, &str)] = &[
    ("made", "create table public.made (id int)"),
    ("copied", "create table public.copied as select 1 as id"),
    ("selected", "select 1 as id into public.selected"),
    ("parted", "create table public.parted (id int) partition by range (id)"),
    ("part", "create table public.part partition of public.parted for values from (1) to (9)"),
    ("opened", "create table public.opened (id int); alter table public.opened disable row level security"),
    ("relaxed", "create table public.relaxed (id int); alter table public.relaxed no force row level security"),
    ("moved", "create table app.moved (id int); alter table app.moved set schema public"),
];

#[tokio::test]
async fn whatever_table_is_made_later_has_row_security_forced() {
    let db = Db::new().await;
    let client = db.migrator().await;
    for (_, sql) in MADE_BY_HAND {
        client.batch_execute(&format!("set role app_owner; {sql}; reset role")).await.unwrap();
    }
    let walled = "select c.relname::text from pg_class c where c.relnamespace = 'public'::regnamespace and c.relrowsecurity and c.relforcerowsecurity
                    and (select count(*) from pg_policy p where p.polrelid = c.oid) = 3
                    and c.relname = any (array['made', 'copied', 'selected', 'parted', 'part', 'opened', 'relaxed', 'moved']) order by 1";
    let names: Vec<&str> = {
        let mut names: Vec<&str> = MADE_BY_HAND.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names
    };
    let migrator = Migrator::new(db.migrator_config());
    if db.install() == Install::Plain {
        // Who may not make an event trigger is told at every look, and has it done by the next migrate, also when nothing is pending.
        assert_eq!(texts(&client, walled).await, Vec::<String>::new());
        assert_eq!(migrator.status(&Source::Embedded).await.unwrap().unforced, names);
        let report = migrator.up(&Source::Embedded, &Options::default()).await.unwrap();
        assert_eq!(report.enclosed, names);
    }
    assert_eq!(texts(&client, walled).await, names);
    assert!(migrator.status(&Source::Embedded).await.unwrap().unforced.is_empty());
}

const TOOLS: &str = "set role app_owner;
create table public.tools (org uuid not null, id uuid not null default app.uuid_v7(), keeper uuid, name text, primary key (org, id));
create policy everybody on public.tools to authenticated using (true);
grant truncate, references on public.tools to authenticated;";

#[tokio::test]
async fn one_call_declares_a_table() {
    let db = Db::new().await;
    let client = db.migrator().await;
    client.batch_execute(TOOLS).await.unwrap();
    let declare = |verbs: &str| {
        format!(
            "select app.protect('public.tools', 'tools', p_assigned_column => 'keeper', p_tenant_column => 'org', p_verbs => '{verbs}')"
        )
    };
    for verbs in ["{read,create,update,delete}", "{read,update}"] {
        client.batch_execute(&declare(verbs)).await.unwrap();
    }
    let policies = "select format('%s %s %s %s', polname, case when polpermissive then 'permissive' else 'restrictive' end, polcmd,
                        (select string_agg(r::regrole::text, ',' order by r::regrole::text) from unnest(polroles) r))
                      from pg_policy where polrelid = 'public.tools'::regclass order by 1";
    assert_eq!(
        texts(&client, policies).await,
        [
            "app_definer_all permissive * app_definer",
            "app_owner_all permissive * app_owner",
            "member_read permissive r authenticated",
            "member_update permissive w authenticated",
            "service_role_all permissive * service_role",
            "tenant_isolation restrictive * anon,authenticated,guest",
        ]
    );
    let condition = text(
        &client,
        "select pg_get_expr(polqual, polrelid) from pg_policy where polname = 'member_read' and polrelid = 'public.tools'::regclass",
    )
    .await;
    assert_eq!(
        condition.unwrap().split_whitespace().collect::<Vec<_>>().join(" "),
        "(( SELECT app.has_permission('tools:read'::text) AS has_permission) OR (( SELECT app.has_permission('tools:read_assigned'::text) AS \
         has_permission) AND (keeper = ( SELECT auth.uid() AS uid))))"
    );
    let rights = "select string_agg(p, ',' order by p) from unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) p
                   where has_table_privilege('authenticated', 'public.tools', p)";
    assert_eq!(text(&client, rights).await.as_deref(), Some("select,update"));
    let declared = "select noun || ' ' || assigned_column || ' ' || tenant_column || ' ' || verbs::text from app.protected_tables where table_name = 'public.tools'";
    assert_eq!(text(&client, declared).await.as_deref(), Some("tools keeper org {read,update}"));
    let unknown = client.batch_execute(&declare("{read,restore}")).await.unwrap_err();
    assert_eq!(unknown.as_db_error().unwrap().code().code(), "22023");
}
