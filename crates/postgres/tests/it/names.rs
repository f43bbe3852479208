//! Names that other programs' migrations call, called as they call them: policies, a loop over tables, a trigger.

use kernel::{Grant, RequestContext};
use postgres::{Access, Database, Sql};

use crate::caller;

/// Returns what a caller finds under the name `found`.
async fn texts(database: &Database, grant: &Grant, sql: &'static str) -> Vec<String> {
    let answer = database.run(grant, &RequestContext::default(), Access::Write, Sql::new(sql)).await.unwrap();
    answer.rows.iter().map(|row| row.get("found")).collect()
}

const OTHER_COMPANY: &str = "insert into public.companies (id, name, slug) values ('01900000-0000-7000-8000-0000000000ff', 'Bob', 'bob')";

#[tokio::test]
async fn policies_by_get_user_company_id() {
    let db = caller::database_with_a_member().await;
    let superuser = db.superuser().await;
    superuser.batch_execute(OTHER_COMPANY).await.unwrap();
    superuser
        .batch_execute(
            r#"set role app_owner;
            create table public.visits (id uuid primary key default gen_random_uuid(), company_id uuid not null, note text);
            select app.enclose('public.visits');
            alter table public.visits enable row level security;
            create policy "Users can view activities in their company" on public.visits for select to authenticated
              using (company_id = auth.get_user_company_id());
            create policy "Users can create activities in their company" on public.visits for insert to authenticated
              with check (company_id = auth.get_user_company_id());
            grant select, insert on public.visits to authenticated;
            insert into public.visits (company_id, note) select id, slug from public.companies;"#,
        )
        .await
        .unwrap();
    let database = db.database();
    assert_eq!(texts(&database, &caller::member(), "select note as found from public.visits").await, ["ann"]);
    let own = "insert into public.visits (company_id, note) values (auth.get_user_company_id(), 'new') returning note as found";
    assert_eq!(texts(&database, &caller::member(), own).await, ["new"]);
    let strange = "insert into public.visits (company_id, note) values ('01900000-0000-7000-8000-0000000000ff', 'theirs')";
    let refused = database.run(&caller::member(), &RequestContext::default(), Access::Write, Sql::new(strange)).await;
    assert_eq!(refused.unwrap_err().code(), "42501");
}

#[tokio::test]
async fn tables_declared_in_a_loop_by_create_tenant_policy() {
    let db = caller::database_with_a_member().await;
    let superuser = db.superuser().await;
    superuser.batch_execute(OTHER_COMPANY).await.unwrap();
    superuser
        .batch_execute(
            "set role app_owner;
            create table home_services.jobs (tenant_id uuid not null, id uuid not null default gen_random_uuid(), name text, primary key (tenant_id, id));
            do $$
            declare
              r record;
            begin
              for r in select schemaname, tablename from pg_tables where schemaname = 'home_services' loop
                execute format('alter table %I.%I enable row level security', r.schemaname, r.tablename);
                perform create_tenant_policy(r.schemaname, r.tablename);
              end loop;
            end $$;
            insert into home_services.jobs (tenant_id, name) select id, slug from public.companies;",
        )
        .await
        .unwrap();
    let database = db.database();
    assert_eq!(texts(&database, &caller::member(), "select name as found from home_services.jobs").await, ["ann"]);
    let moved = "update home_services.jobs set tenant_id = '01900000-0000-7000-8000-0000000000ff'";
    let refused = database.run(&caller::member(), &RequestContext::default(), Access::Write, Sql::new(moved)).await;
    assert_eq!(refused.unwrap_err().code(), "42501");
    let none = superuser.query_one("select count(*) from pg_policy where 0 = any (polroles)", &[]).await.unwrap();
    assert_eq!(none.get::<_, i64>(0), 0, "no policy is for everybody");
}

#[tokio::test]
async fn a_trigger_by_update_updated_at_column() {
    let db = caller::database_with_a_member().await;
    let superuser = db.superuser().await;
    superuser
        .batch_execute(
            "set role app_owner;
            create table public.projects (id int primary key, name text, updated_at timestamptz not null default '2000-01-01');
            select app.enclose('public.projects');
            create trigger update_projects_updated_at before update on projects for each row execute function update_updated_at_column();
            insert into public.projects values (1, 'a');
            update public.projects set name = 'b';",
        )
        .await
        .unwrap();
    let fresh = superuser.query_one("select updated_at > now() - interval '1 minute' from public.projects", &[]).await.unwrap();
    assert!(fresh.get::<_, bool>(0));
}

#[tokio::test]
async fn the_tenant_setting_counts_for_the_service_alone() {
    let db = caller::database_with_a_member().await;
    let (database, context) = (db.database(), RequestContext::default());
    let set = "select set_config('app.current_tenant_id', '01900000-0000-7000-8000-0000000000ff', true)";
    let company = "select get_current_tenant_id()::text as found";
    for (grant, expected) in [(caller::member(), caller::COMPANY), (caller::service(), caller::COMPANY)] {
        let tx = database.begin(&grant, &context, Access::Write).await.unwrap();
        tx.query(Sql::new(set)).await.unwrap();
        let found: String = tx.query_one(Sql::new(company)).await.unwrap().get("found");
        assert_eq!(found, expected, "what the request said counts first");
    }
}
