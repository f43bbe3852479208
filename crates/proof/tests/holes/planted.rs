//! Holes that are known to happen, planted one by one: each must be found, and nothing else with it.

use std::path::Path;

use postgres::migrate::{self, Migrator, Options, Source};
use proof::{Scope, World};

const CUSTOMERS: Scope = Scope::Tables(&["public.customers"]);
const JOBS: Scope = Scope::Tables(&["public.jobs"]);

/// Plants a hole; returns what the catalog's rules find, and what the attempts find.
async fn planted(scope: Scope<'_>, sql: &str) -> (Vec<String>, Vec<String>) {
    let world = World::new().await;
    let superuser = world.superuser().await;
    plant(&superuser, sql).await;
    let report = Box::pin(proof::run(&world, scope)).await;
    (proof::examine(&superuser).await, report.findings)
}

/// Runs SQL without the event trigger, which would close some of the holes at once.
async fn plant(superuser: &tokio_postgres::Client, sql: &str) {
    superuser.batch_execute(&format!("set session_replication_role = replica; {sql}; reset session_replication_role")).await.unwrap();
}

/// Checks that there is a finding for each of these, by its parts, and none besides.
#[track_caller]
fn exactly(findings: &[String], expected: &[&[&str]]) {
    let is = |finding: &String, parts: &[&str]| parts.iter().all(|part| finding.contains(part));
    for parts in expected {
        let hit = findings.iter().any(|finding| is(finding, parts));
        assert!(hit, "{parts:?} is not among {} findings: {:#?}", findings.len(), findings.iter().take(12).collect::<Vec<_>>());
    }
    let others: Vec<&String> = findings.iter().filter(|finding| !expected.iter().any(|parts| is(finding, parts))).collect();
    assert!(others.is_empty(), "{} findings were not expected: {:#?}", others.len(), others.iter().take(12).collect::<Vec<_>>());
}

#[tokio::test]
async fn row_security_off() {
    let (catalog, attempts) = Box::pin(planted(CUSTOMERS, "alter table public.customers disable row level security")).await;
    exactly(&catalog, &[&["row security is not forced", "customers"]]);
    exactly(
        &attempts,
        &[
            &["owner of B: select on public.customers", "expected Refused(Hidden), found Passed"],
            &["viewer of A: delete on public.customers", "expected Refused(Hidden), found Rule"],
            &["authenticated with no context: select on public.customers: expected no rows, found rows"],
            &[" on public.customers", "expected "],
        ],
    );
}

#[tokio::test]
async fn a_policy_that_is_always_true() {
    let sql = "drop policy tenant_isolation on public.customers;
               create policy open on public.customers for all to authenticated using (true)";
    let (catalog, attempts) = Box::pin(planted(CUSTOMERS, sql)).await;
    exactly(&catalog, &[&["a policy is always true", "customers open"], &["no restrictive wall", "customers"]]);
    exactly(
        &attempts,
        &[
            &["viewer of A: update on public.customers", "found Passed"],
            &["owner of B: delete on public.customers", "found Rule"],
            &["somebody in no company: select on public.customers", "found Passed"],
            &[" on public.customers", "expected "],
        ],
    );
}

#[tokio::test]
async fn a_policy_that_is_always_true_beside_the_wall() {
    let (catalog, attempts) =
        Box::pin(planted(CUSTOMERS, "create policy open on public.customers for all to authenticated using (true)")).await;
    exactly(&catalog, &[&["a policy is always true", "customers open"]]);
    // The wall holds for those of B, who may do everything in theirs; in A everybody may now do what some may not.
    exactly(&attempts, &[&["viewer of A: update on public.customers", "found Passed"], &[" of A: ", " on public.customers", "expected "]]);
    assert!(!attempts.iter().any(|finding| finding.contains("owner of ")), "{attempts:#?}");
}

#[tokio::test]
async fn a_reference_without_the_company() {
    let sql = "delete from public.properties where id::text like '%c703';
               delete from public.customers where id::text like '%c603' and company_id::text like '%b000';
               alter table public.customers add constraint customers_id_key unique (id);
               alter table public.jobs drop constraint jobs_customer_id_fkey,
                 add constraint jobs_customer_id_fkey foreign key (customer_id) references public.customers (id)";
    let (catalog, attempts) = Box::pin(planted(JOBS, sql)).await;
    exactly(
        &catalog,
        &[
            &["leaves the company out", "jobs_customer_id_fkey"],
            &["does not compare the companies", "jobs_customer_id_fkey"],
            &["an id may live in one company only", "customers_id_key"],
            &["a key has no index", "jobs_customer_id_fkey"],
        ],
    );
    exactly(
        &attempts,
        &[
            &["owner of A: point jobs_customer_id_fkey at another company's row", "expected Refused(Key), found Passed"],
            &["point jobs_customer_id_fkey at another company's row on public.jobs: expected Refused(Key)"],
            &["owner of A: insert a row of its own that points jobs_customer_id_fkey", "expected "],
            &["insert a row of its own that points jobs_customer_id_fkey at another company's row on public.jobs: expected "],
            &["has no row whose id lives in both companies"],
        ],
    );
}

#[tokio::test]
async fn a_primary_key_without_the_company() {
    let sql = "create table public.alone (company_id uuid not null, id uuid primary key);
               select app.protect('public.alone', 'customers');
               insert into public.alone select id, gen_random_uuid() from public.companies";
    let (catalog, attempts) = Box::pin(planted(Scope::Tables(&["public.alone"]), sql)).await;
    exactly(&catalog, &[&["a key that does not begin with its company", "alone"], &["an id may live in one company only", "alone_pkey"]]);
    exactly(
        &attempts,
        &[
            &["public.alone is not in permissions.toml"],
            &[" on public.alone: expected Refused(Grant)"],
            &["authenticated with", "select on public.alone"],
        ],
    );
}

#[tokio::test]
async fn the_right_to_truncate() {
    let scope = Scope::Tables(&["public.invitations"]);
    let (catalog, attempts) = Box::pin(planted(scope, "grant truncate on public.invitations to authenticated")).await;
    exactly(&catalog, &[&["TRUNCATE", "invitations authenticated truncate"]]);
    exactly(&attempts, &[&["truncate on public.invitations: expected Refused(Grant), found Hidden"]]);
    assert_eq!(attempts.len(), 10, "everybody who signs in, and nobody else");
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
    exactly(
        &catalog,
        &[
            &["a policy is always true", "customers tenant_isolation"],
            &["a policy is always true", "customers member_update"],
            &["no restrictive wall", "customers"],
        ],
    );
    // PostgreSQL itself still looks whether the moved row could be read; a new one for somebody else it lets through.
    exactly(
        &attempts,
        &[
            &["owner of A: insert on public.customers", "expected Refused(Check), found Passed"],
            &["owner of A: insert again on public.customers", "expected Refused(Check), found Unique"],
            &[" on public.customers: expected Refused(Check), found "],
        ],
    );
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
    exactly(&catalog, &[&["no restrictive wall", "customers"]]);
    exactly(
        &attempts,
        &[
            &["somebody in no company: select on public.customers: expected Refused(Hidden), found Passed"],
            &["authenticated with no context: select on public.customers: expected no rows, found rows"],
            &["authenticated with an empty context: select on public.customers: expected no rows, found rows"],
        ],
    );
}

#[tokio::test]
async fn a_key_that_is_valid_over_an_orphan() {
    let sql = "update public.jobs set customer_id = gen_random_uuid() where title = 'Job 5' and company_id::text like '%a000'";
    let (catalog, attempts) = Box::pin(planted(Scope::Tables(&[]), sql)).await;
    exactly(&catalog, &[&["a key is valid over 1 orphans", "jobs_customer_id_fkey"]]);
    exactly(&attempts, &[]);
}

#[tokio::test]
async fn a_backfill_of_no_rows() {
    let world = World::new().await;
    let superuser = world.superuser().await;
    let backfill = "update public.customers set notes = 'filled'";
    plant(&superuser, "drop policy app_owner_all on public.customers").await;
    superuser.batch_execute("set role app_owner").await.unwrap();
    let filled = superuser.execute(backfill, &[]).await.unwrap();
    superuser.batch_execute("reset role").await.unwrap();
    let all: i64 = superuser.query_one("select count(*) from public.customers", &[]).await.unwrap().get(0);
    // app_owner is a member of app_definer, whose policy still lets it through: what the catalog says is what is promised.
    assert_eq!(i64::try_from(filled).unwrap(), all);
    exactly(&proof::examine(&superuser).await, &[&["the owner sees no rows", "customers"]]);
    plant(&superuser, "drop policy app_definer_all on public.customers").await;
    superuser.batch_execute("set role app_owner").await.unwrap();
    assert_eq!(superuser.execute(backfill, &[]).await.unwrap(), 0, "it says nothing and does nothing");
    superuser.batch_execute("reset role").await.unwrap();
    exactly(
        &proof::examine(&superuser).await,
        &[&["the owner sees no rows", "customers"], &["a definer function or the service sees no rows", "customers app_definer"]],
    );
}

#[tokio::test]
async fn the_migrator_does_not_backfill_where_the_owner_sees_no_rows() {
    let world = World::new().await;
    let superuser = world.superuser().await;
    let folder = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../db"), folder.path());
    let text = "-- description: a backfill\n-- author: Test\n-- date: 2027-01-01\n-- depends: none\n-- rollback: none needed\n\
                -- backfill: public.customers rows=0..99\nupdate public.customers set notes = 'filled';\n";
    for (way, text) in [("up", text), ("down", "-- nothing to take back\n")] {
        std::fs::write(folder.path().join(format!("migrations/20270101000000_fill_notes.{way}.sql")), text).unwrap();
    }
    let source = Source::Folder(folder.path().to_owned());
    let filled = "select count(*) from public.customers where notes = 'filled'";
    plant(&superuser, "drop policy app_owner_all on public.customers; drop policy app_definer_all on public.customers").await;
    let refused = Migrator::new(world.db.migrator_config()).up(&source, &Options::default()).await.unwrap_err();
    assert_eq!(refused.code(), migrate::OWNER_POLICY, "{refused}");
    assert_eq!(superuser.query_one(filled, &[]).await.unwrap().get::<_, i64>(0), 0);
    superuser.batch_execute("set role app_owner; select app.enclose('public.customers'); reset role").await.unwrap();
    Migrator::new(world.db.migrator_config()).up(&source, &Options::default()).await.unwrap();
    let all: i64 = superuser.query_one("select count(*) from public.customers", &[]).await.unwrap().get(0);
    assert_eq!(superuser.query_one(filled, &[]).await.unwrap().get::<_, i64>(0), all);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[tokio::test]
async fn a_policy_for_the_public() {
    let sql = "create policy everybody on public.departments for select using (company_id = app.company_id())";
    let (catalog, attempts) = Box::pin(planted(Scope::Tables(&["public.departments"]), sql)).await;
    exactly(&catalog, &[&["a policy names PUBLIC", "departments everybody"], &["a function for every row", "departments everybody"]]);
    // Everybody in a company may read its departments anyway.
    exactly(&attempts, &[]);
}

#[tokio::test]
async fn a_definer_function_that_does_not_ask() {
    let sql = "create function public.all_customers() returns setof public.customers language sql security definer
                 set search_path = '' as 'select * from public.customers';
               alter function public.all_customers() owner to app_definer;
               revoke all on function public.all_customers() from public;
               grant execute on function public.all_customers() to authenticated";
    let (catalog, attempts) = Box::pin(planted(Scope::Lent(&["public.all_customers"]), sql)).await;
    exactly(&catalog, &[&["does not ask who calls", "all_customers"]]);
    exactly(
        &attempts,
        &[
            &["viewer of A: function public.all_customers () tells of company b"],
            &["owner of B: function public.all_customers () tells of company a"],
            &["somebody in no company: function public.all_customers () tells of company a"],
            &["function public.all_customers () tells of company"],
        ],
    );
}

#[tokio::test]
async fn a_definer_function_that_only_seems_to_ask() {
    let sql = "create function public.rename(customer uuid, name text) returns void language sql security definer set search_path = ''
                 as 'update public.customers set first_name = $2 where id = $1 /* and company_id = app.company_id() */';
               alter function public.rename(uuid, text) owner to app_definer;
               revoke all on function public.rename(uuid, text) from public;
               grant execute on function public.rename(uuid, text) to authenticated";
    let (catalog, attempts) = Box::pin(planted(Scope::Lent(&["public.rename"]), sql)).await;
    exactly(&catalog, &[]);
    exactly(
        &attempts,
        &[&["viewer of A: function public.rename", "changes rows of company b"], &["function public.rename", "changes rows of company"]],
    );
}

#[tokio::test]
async fn a_search_that_looks_everywhere() {
    let sql = "create function public.find(query text) returns setof uuid language sql security definer set search_path = ''
                 as 'select id from public.customers where notes like query || ''%'' and app.company_id() is not null';
               alter function public.find(text) owner to app_definer;
               revoke all on function public.find(text) from public;
               grant execute on function public.find(text) to authenticated";
    let (catalog, attempts) = Box::pin(planted(Scope::Lent(&["public.find"]), sql)).await;
    exactly(&catalog, &[]);
    exactly(
        &attempts,
        &[&["viewer of A: function public.find (canary-b) tells of company b"], &["function public.find", "tells of company"]],
    );
}

#[tokio::test]
async fn a_function_that_nobody_ever_called_to_its_end() {
    let sql = "create function public.never(p_id uuid) returns void language plpgsql set search_path = ''
                 as 'begin raise exception using errcode = ''TH422'', constraint = ''never''; end';
               revoke all on function public.never(uuid) from public;
               grant execute on function public.never(uuid) to authenticated";
    let (catalog, attempts) = Box::pin(planted(Scope::Lent(&["public.never"]), sql)).await;
    exactly(&catalog, &[]);
    exactly(&attempts, &[&["no call of public.never(uuid) came to an end: never"]]);
}

#[tokio::test]
async fn what_only_the_catalog_shows() {
    let holes: [(&str, &[&str]); 7] = [
        ("create table public.loose (id uuid primary key); select app.enclose('public.loose')", &["is no company's", "loose"]),
        (
            "drop index public.jobs_customer_id_idx; create index on public.jobs (customer_id, company_id)",
            &["the company first", "jobs_customer_id_fkey"],
        ),
        (
            "create policy slow on public.customers for select to authenticated using (email = auth.email())",
            &["for every row", "customers slow"],
        ),
        (
            "create function app.chance() returns boolean language sql volatile as 'select random() < 0.5';
             revoke all on function app.chance() from public;
             create policy odd on public.customers for select to authenticated using ((select app.chance()))",
            &["calls a volatile function", "chance"],
        ),
        ("create role reporter; grant select on public.customers to reporter", &["a role that is not declared", "customers reporter"]),
        ("grant execute on function public.search_customers to public", &["to everybody", "search_customers", "PUBLIC"]),
        ("grant select on shared.tenants to anon", &["not signed in may read", "shared.tenants"]),
    ];
    for (sql, expected) in holes {
        let world = World::new().await;
        let superuser = world.superuser().await;
        plant(&superuser, sql).await;
        let found = proof::examine(&superuser).await;
        superuser
            .batch_execute(
                "do $$ begin if to_regrole('reporter') is not null then drop owned by reporter; drop role reporter; end if; end $$",
            )
            .await
            .unwrap();
        assert!(found.iter().any(|finding| expected.iter().all(|part| finding.contains(part))), "{expected:?} is not among {found:#?}");
    }
}

#[tokio::test]
async fn one_id_in_two_companies_written_by_the_service() {
    let sql = "create function public.complete_job(job uuid) returns void language sql set search_path = ''
                 as 'update public.jobs set notes = null where id = $1';
               revoke all on function public.complete_job(uuid) from public;
               grant execute on function public.complete_job(uuid) to service_role";
    let (catalog, attempts) = Box::pin(planted(Scope::Lent(&["public.complete_job"]), sql)).await;
    exactly(&catalog, &[]);
    exactly(
        &attempts,
        &[
            &["the service: function public.complete_job", "c809) changes rows of companies it was not asked for: aaabbb"],
            &["the service in company A: function public.complete_job", "b801) changes rows of companies it was not asked for: b"],
            &["the service in company A: function public.complete_job", "c809) changes rows of companies it was not asked for: aaabbb"],
        ],
    );
}

#[tokio::test]
async fn a_partition_with_rights_of_its_own() {
    let sql = "create table public.visits (company_id uuid not null, id uuid not null, at date not null, primary key (company_id, id, at)) partition by range (at);
               select app.protect('public.visits', 'customers');
               create table public.visits_2026 partition of public.visits for values from ('2026-01-01') to ('2027-01-01');
               select app.enclose('public.visits_2026');
               alter table public.visits_2026 disable row level security;
               insert into public.visits select id, gen_random_uuid(), '2026-05-05' from public.companies;
               grant select on public.visits_2026 to authenticated";
    let (catalog, attempts) = Box::pin(planted(Scope::Tables(&["public.visits_2026"]), sql)).await;
    exactly(
        &catalog,
        &[&["a partition can be read past its parent", "visits_2026 authenticated"], &["row security is not forced", "visits_2026"]],
    );
    exactly(
        &attempts,
        &[
            &["public.visits is not in permissions.toml"],
            &["owner of B: select on public.visits_2026: expected Refused(Grant), found Passed"],
            &["authenticated with no context: select on public.visits_2026: expected permission denied, found rows"],
            &[" on public.visits_2026: expected "],
        ],
    );
}

#[tokio::test]
async fn a_view_with_its_owners_rights() {
    let sql = "create view public.everything as select * from public.customers; grant select on public.everything to authenticated";
    let (catalog, attempts) = Box::pin(planted(Scope::Lent(&["public.everything"]), sql)).await;
    exactly(&catalog, &[&["a view lends its owner's rights", "everything"]]);
    exactly(&attempts, &[&["viewer of A: view public.everything () tells of company b"], &["view public.everything () tells of company"]]);
}

#[tokio::test]
async fn a_column_that_is_not_ones_own_to_write() {
    let scope = Scope::Tables(&["public.team_members"]);
    let (catalog, attempts) =
        Box::pin(planted(scope, "grant update (effective_permissions, user_id) on public.team_members to authenticated")).await;
    exactly(&catalog, &[&["not his to write", "team_members.effective_permissions"], &["not his to write", "team_members.user_id"]]);
    exactly(&attempts, &[]);
}

#[tokio::test]
async fn a_trigger_that_tells_of_other_companies() {
    let sql = "create or replace trigger references_valid before insert or update on public.jobs
                 for each row execute function app.check_job_references()";
    let (catalog, attempts) = Box::pin(planted(JOBS, sql)).await;
    exactly(&catalog, &[&["a definer trigger looks at rows of other companies", "jobs references_valid"]]);
    let tells = "expected Refused(Check), found Rule (property_not_of_customer";
    exactly(
        &attempts,
        &[&["owner of A: insert another company's row that points jobs_customer_id_fkey", tells], &["another company's row", tells]],
    );
}

#[tokio::test]
async fn rows_of_one_company_only() {
    let sql = "delete from public.invitations where company_id::text like '%b000'; delete from auth.identities";
    let (_, attempts) = Box::pin(planted(Scope::Tables(&[]), sql)).await;
    exactly(
        &attempts,
        &[
            &["auth.identities has no rows to try on"],
            &["public.invitations has no row of company b"],
            &["public.invitations has no row that says canary-b"],
            &["public.invitations has no row whose id lives in both companies"],
        ],
    );
}
