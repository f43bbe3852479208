//! Holes that are known to happen, planted one by one: each must be found.

use proof::World;

const CUSTOMERS: &[&str] = &["public.customers"];

/// Plants a hole; returns what the catalog's rules find, and what the attempts on these tables find.
async fn planted(tables: &[&str], sql: &str) -> (Vec<String>, Vec<String>) {
    let world = World::new().await;
    let superuser = world.superuser().await;
    plant(&superuser, sql).await;
    let report = Box::pin(proof::run(&world, tables)).await;
    (proof::examine(&superuser).await, report.findings)
}

/// Runs SQL without the event trigger, which would close some of the holes at once.
async fn plant(superuser: &tokio_postgres::Client, sql: &str) {
    superuser.batch_execute(&format!("set session_replication_role = replica; {sql}; reset session_replication_role")).await.unwrap();
}

#[track_caller]
fn found(findings: &[String], parts: &[&str]) {
    let hit = findings.iter().any(|finding| parts.iter().all(|part| finding.contains(part)));
    assert!(hit, "{parts:?} is not among {} findings: {:#?}", findings.len(), findings.iter().take(12).collect::<Vec<_>>());
}

#[tokio::test]
async fn row_security_off() {
    let (catalog, attempts) = Box::pin(planted(CUSTOMERS, "alter table public.customers disable row level security")).await;
    found(&catalog, &["row security is not forced", "customers"]);
    found(&attempts, &["owner of B", "select on public.customers", "found Passed"]);
}

#[tokio::test]
async fn a_policy_that_is_always_true() {
    let sql = "drop policy tenant_isolation on public.customers;
               create policy open on public.customers for all to authenticated using (true)";
    let (catalog, attempts) = Box::pin(planted(CUSTOMERS, sql)).await;
    found(&catalog, &["a policy is always true", "customers open"]);
    found(&catalog, &["no restrictive wall", "customers"]);
    found(&attempts, &["viewer of A", "update on public.customers", "found Passed"]);
    found(&attempts, &["owner of B", "delete on public.customers", "found Passed"]);
}

#[tokio::test]
async fn a_permissive_policy_beside_the_wall_still_breaks_the_matrix() {
    let (_, attempts) = Box::pin(planted(CUSTOMERS, "create policy open on public.customers for all to authenticated using (true)")).await;
    found(&attempts, &["viewer of A", "update on public.customers", "found Passed"]);
    assert!(!attempts.iter().any(|finding| finding.starts_with("owner of B") && finding.contains("found Passed")), "the wall holds");
}

#[tokio::test]
async fn a_key_without_the_company() {
    let sql = "alter table public.customers add constraint customers_id_key unique (id);
               alter table public.jobs drop constraint jobs_customer_id_fkey,
                 add constraint jobs_customer_id_fkey foreign key (customer_id) references public.customers (id)";
    let (catalog, attempts) = Box::pin(planted(&["public.jobs"], sql)).await;
    found(&catalog, &["leaves the company out", "jobs_customer_id_fkey"]);
    found(&attempts, &["owner of A", "point jobs_customer_id_fkey", "expected Refused([Key])"]);
}

#[tokio::test]
async fn a_primary_key_without_the_company() {
    let sql = "create table public.alone (company_id uuid not null, id uuid primary key); select app.protect('public.alone', 'customers')";
    let (catalog, attempts) = Box::pin(planted(&["public.alone"], sql)).await;
    found(&catalog, &["a key that does not begin with its company", "alone"]);
    found(&attempts, &["public.alone is not in permissions.toml"]);
    found(&attempts, &["public.alone has no rows to try on"]);
}

#[tokio::test]
async fn the_right_to_truncate() {
    let (catalog, attempts) = Box::pin(planted(&["public.invitations"], "grant truncate on public.invitations to authenticated")).await;
    found(&catalog, &["TRUNCATE", "invitations authenticated"]);
    found(&attempts, &["viewer of A", "truncate on public.invitations", "found P"]);
}

#[tokio::test]
async fn a_check_that_is_always_true() {
    let sql = "drop policy tenant_isolation on public.customers;
               create policy tenant_isolation on public.customers as restrictive for all to anon, authenticated
                 using (company_id = (select app.company_id())) with check (true);
               drop policy member_update on public.customers;
               create policy member_update on public.customers for update to authenticated
                 using ((select app.has_permission('customers:update'))) with check (true)";
    let (catalog, attempts) = Box::pin(planted(CUSTOMERS, sql)).await;
    found(&catalog, &["a policy is always true", "customers"]);
    // PostgreSQL itself still looks whether the moved row could be read; a new one for somebody else it lets through.
    found(&attempts, &["owner of A", "insert on public.customers", "expected Refused([Policy]), found Rule (23505"]);
}

#[tokio::test]
async fn a_context_of_nothing() {
    let sql = "drop policy tenant_isolation on public.customers;
               create policy tenant_isolation on public.customers as restrictive for all to anon, authenticated
                 using (company_id = (select app.company_id()) or (select app.company_id()) is null);
               drop policy member_read on public.customers;
               create policy member_read on public.customers for select to authenticated
                 using ((select app.has_permission('customers:read')) or (select app.company_id()) is null)";
    let (catalog, attempts) = Box::pin(planted(CUSTOMERS, sql)).await;
    found(&catalog, &["no restrictive wall", "customers"]);
    found(&attempts, &["somebody in no company", "select on public.customers", "found Passed"]);
}

#[tokio::test]
async fn a_key_that_is_valid_over_an_orphan() {
    let world = World::new().await;
    let superuser = world.superuser().await;
    let sql = "update public.jobs set customer_id = gen_random_uuid() where title = 'Job 0' and company_id = (select min(id::text)::uuid from public.companies)";
    plant(&superuser, sql).await;
    found(&proof::examine(&superuser).await, &["a key is valid over 1 orphans", "jobs_customer_id_fkey"]);
}

#[tokio::test]
async fn a_backfill_of_no_rows() {
    let world = World::new().await;
    let superuser = world.superuser().await;
    let backfill = "update public.customers set notes = 'filled'";
    plant(&superuser, "drop policy app_owner_all on public.customers; drop policy app_definer_all on public.customers").await;
    superuser.batch_execute("set role app_owner").await.unwrap();
    assert_eq!(superuser.execute(backfill, &[]).await.unwrap(), 0, "it says nothing and does nothing");
    superuser.batch_execute("reset role").await.unwrap();
    found(&proof::examine(&superuser).await, &["the owner sees no rows", "customers"]);
}

#[tokio::test]
async fn a_policy_for_the_public() {
    let (catalog, _) = Box::pin(planted(
        &["public.departments"],
        "create policy everybody on public.departments for select using (company_id = app.company_id())",
    ))
    .await;
    found(&catalog, &["a policy names PUBLIC", "departments everybody"]);
}

#[tokio::test]
async fn a_definer_function_that_does_not_ask() {
    let sql = "create function public.all_customers() returns setof public.customers language sql security definer
                 set search_path = '' as 'select * from public.customers';
               alter function public.all_customers() owner to app_definer;
               grant execute on function public.all_customers() to authenticated";
    let (catalog, _) = Box::pin(planted(CUSTOMERS, sql)).await;
    found(&catalog, &["does not ask who calls", "all_customers"]);
}

#[tokio::test]
async fn a_partition_with_rights_of_its_own() {
    let sql = "create table public.visits (company_id uuid not null, id uuid not null, at date not null, primary key (company_id, id, at)) partition by range (at);
               select app.protect('public.visits', 'customers');
               create table public.visits_2026 partition of public.visits for values from ('2026-01-01') to ('2027-01-01');
               alter table public.visits_2026 disable row level security;
               insert into public.visits select id, gen_random_uuid(), '2026-05-05' from public.companies;
               grant select on public.visits_2026 to authenticated";
    let (catalog, attempts) = Box::pin(planted(&["public.visits", "public.visits_2026"], sql)).await;
    found(&catalog, &["a partition can be read past its parent", "visits_2026 authenticated"]);
    found(&attempts, &["owner of B", "select on public.visits_2026", "found Passed"]);
}

#[tokio::test]
async fn a_view_with_its_owners_rights() {
    let sql = "create view public.everything as select * from public.customers; grant select on public.everything to authenticated";
    let (catalog, _) = Box::pin(planted(CUSTOMERS, sql)).await;
    found(&catalog, &["a view lends its owner's rights", "everything"]);
}
