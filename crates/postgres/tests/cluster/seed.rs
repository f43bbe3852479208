//! The demo company looks alive and is written once; the companies to measure against hold what their triggers promise.

use postgres::migrate::scale::Plan;
use postgres::migrate::{Options, SCALE_IN_USE, SCALE_NOT_EMPTY, SeedReport, Seeds, Source};

use crate::migrate_cluster::{As, Fixture};

const BOTH: [As; 2] = [As::Superuser, As::Plain];
const SILENT: &(dyn Fn(&str) + Sync) = &|_| ();

async fn migrated(who: As) -> Fixture {
    let fixture = Fixture::new(who).await;
    fixture.migrator().up(&Source::Embedded, &Options::default()).await.unwrap();
    fixture
}

/// Every row of the query is a list that should be empty or a number that should be at least so much.
async fn expect(fixture: &Fixture, expected: &[(&str, &str)]) {
    for (query, answer) in expected {
        assert_eq!(fixture.ask(query).await, *answer, "{query}");
    }
}

#[tokio::test]
async fn the_demo_company_has_a_year_behind_it_and_a_week_before_it() {
    let fixture = migrated(As::Superuser).await;
    fixture.migrator().seed(&Source::Embedded, Seeds::Development, &Options::default()).await.unwrap();
    expect(
        &fixture,
        &[
            ("select count(*) from public.team_members", "25"),
            ("select count(distinct role) from public.team_members", "8"),
            ("select count(*) from public.departments", "5"),
            ("select count(*) || ' ' || count(distinct display_name) || ' ' || count(distinct phone) from public.customers", "600 600 600"),
            ("select count(*) from public.customers where phone !~ '^[+]1[2-9][0-9]{9}$' or email is null", "0"),
            ("select count(*) from public.customers c where not exists (select from public.properties p where p.customer_id = c.id)", "0"),
            ("select count(*) from public.jobs", "2000"),
            ("select string_agg(distinct status, ' ' order by status) from public.jobs",
             "archived cancelled completed in_progress invoiced on_hold paid quoted scheduled"),
            ("select string_agg(distinct status, ' ' order by status) from public.invoices", "draft overdue paid partial sent viewed"),
            ("select string_agg(distinct status, ' ' order by status) from public.estimates", "accepted draft expired rejected sent viewed"),
            ("select count(*) from public.price_book_items", "100"),
            ("select max(level) from public.price_book_categories", "2"),
            // Jobs agree with their dates, and with each other.
            ("select count(*) from public.jobs where status = 'scheduled' and scheduled_start < now() - interval '1 hour'", "0"),
            ("select count(*) from public.jobs where status in ('completed', 'invoiced', 'paid', 'archived') and (actual_end is null or actual_end > now())", "0"),
            ("select count(*) from public.jobs where scheduled_start < now() - interval '370 days'", "0"),
            ("select count(*) from public.jobs j join public.customers c on c.id = j.customer_id where c.created_at > j.created_at", "0"),
            ("select count(*) from public.jobs j join public.properties p on p.id = j.property_id where p.customer_id <> j.customer_id", "0"),
            ("select count(*) from public.schedules a join public.schedules b on a.assigned_to = b.assigned_to and a.id < b.id
               where a.status not in ('cancelled', 'no_show') and b.status not in ('cancelled', 'no_show')
                 and tstzrange(a.start_time, a.end_time) && tstzrange(b.start_time, b.end_time)", "0"),
            ("select count(distinct assigned_to) >= 12 and count(*) > 150 from public.schedules
               where start_time >= date_trunc('week', now()) - interval '1 day' and start_time < date_trunc('week', now()) + interval '15 days'", "true"),
            // Money adds up.
            ("select count(*) from public.invoices i where i.total_amount is distinct from
                (select sum(l.total) + round(sum(l.total) filter (where l.is_taxable) * i.tax_rate / 100) from public.invoice_line_items l where l.invoice_id = i.id)
               and exists (select from public.invoice_line_items l where l.invoice_id = i.id and l.is_taxable)", "0"),
            ("select count(*) from public.invoices i where i.balance_amount <> i.total_amount - i.paid_amount or i.paid_amount <>
                coalesce((select sum(p.amount) from public.payments p where p.invoice_id = i.id and p.status = 'completed'), 0)", "0"),
            ("select count(*) from public.jobs where status = 'paid' and paid_amount < total_amount", "0"),
            ("select count(*) from public.customers c where c.outstanding_balance <>
                coalesce((select sum(i.balance_amount) from public.invoices i where i.customer_id = c.id and i.status <> 'draft'), 0)", "0"),
            ("select count(*) from public.inventory v where v.quantity_on_hand <>
                (select sum(m.quantity) from public.stock_moves m where m.inventory_id = v.id)", "0"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_start_writes_the_demo_company_once() {
    let fixture = migrated(As::Superuser).await;
    let at_start = || async { fixture.migrator().seed_at_start(&Source::Embedded, Seeds::Development, &Options::default()).await.unwrap() };
    let is_development = |report: &SeedReport| report.files.iter().any(|(file, _)| file.starts_with("seed/development"));
    assert!(is_development(&at_start().await));
    let administrator = fixture.administrator().await;
    assert!(administrator.execute("delete from public.notes", &[]).await.unwrap() > 0);
    let again = at_start().await;
    assert!(!is_development(&again) && !again.files.is_empty(), "{again}");
    expect(&fixture, &[("select count(*) from public.notes", "0")]).await;
    // A seed that is another one by now runs again.
    let other = "update app.applied_seeds set checksum = 'of before' where path like '%/030_%'";
    assert_eq!(administrator.execute(other, &[]).await.unwrap(), 1);
    let changed = at_start().await;
    let ran: Vec<&str> = changed.files.iter().map(|(file, _)| file.as_str()).filter(|file| file.contains("development")).collect();
    assert_eq!(ran, ["seed/development/030_customers.sql"]);
}

#[tokio::test]
async fn a_second_run_changes_nothing_and_numbers_go_on() {
    for who in BOTH {
        let fixture = migrated(who).await;
        let seed = || async { fixture.migrator().seed(&Source::Embedded, Seeds::Development, &Options::default()).await.unwrap() };
        let first = seed().await;
        assert!(first.files.iter().filter(|(file, _)| file.starts_with("seed/development")).count() >= 7, "{first}");
        let again = seed().await;
        let changed: Vec<_> = again.files.iter().filter(|(file, rows)| file.starts_with("seed/development") && *rows > 0).collect();
        assert!(changed.is_empty(), "{changed:?}");
        let company = "'01900000-0000-7000-8000-000000000001'";
        let last = "select max(split_part(job_number, '-', 3)::int) from public.jobs
            where job_number like 'JOB-' || to_char(now() at time zone 'America/Chicago', 'YYYY-%')";
        let last = fixture.ask(last).await;
        let client = fixture.connect().await;
        client.batch_execute("set role app_owner").await.unwrap();
        let next = client
            .query_one(
                &format!(
                    "insert into public.jobs (company_id, title, customer_id, created_by) select {company}, 'Next', c.id, null
            from public.customers c where c.company_id = {company} limit 1 returning split_part(job_number, '-', 3)::int"
                ),
                &[],
            )
            .await
            .unwrap();
        assert_eq!(next.get::<_, i32>(0), last.parse::<i32>().unwrap() + 1);
    }
}

#[tokio::test]
async fn a_hundredth_of_the_scale_is_whole() {
    for who in BOTH {
        let fixture = migrated(who).await;
        let plan = Plan::of(0.01).unwrap();
        let report = fixture.migrator().scale(&plan, 4, false, SILENT).await.unwrap();
        let rows = |table: &str| report.rows.iter().find(|(name, _)| name == table).unwrap().1;
        assert_eq!((rows("public.companies"), rows("public.customers"), rows("public.jobs")), (10, 11_000, 45_870));
        assert_eq!((plan.customers(), plan.jobs()), (11_000, 45_870));
        assert!(rows("public.schedules") > 45_000 && rows("public.payments") > 30_000, "{report}");
        expect(
            &fixture,
            &[
                // One company is larger than the others.
                ("select string_agg(n::text, ' ' order by n desc) from (select count(*) as n from public.customers group by company_id) c",
                 "2000 1000 1000 1000 1000 1000 1000 1000 1000 1000"),
                ("select count(*) from pg_trigger where not tgisinternal and tgenabled <> 'O'", "0"),
                ("select count(*) from pg_constraint where not convalidated", "0"),
                ("select count(*) from public.jobs j where not exists (select from public.properties p
                   where p.company_id = j.company_id and p.id = j.property_id and p.customer_id = j.customer_id)", "0"),
                ("select count(*) from public.invoice_line_items l where not exists (select from public.invoices i
                   where i.company_id = l.company_id and i.id = l.invoice_id)", "0"),
                ("select count(*) from public.customers where display_name = '' or email_key is distinct from lower(email)", "0"),
                ("select count(*) from public.team_members where effective_permissions = ''", "0"),
                // Numbers of issued invoices have no gaps, and the next one follows.
                ("select count(*) from (select company_id, split_part(invoice_number, '-', 2) as year, count(*) as n,
                     max(split_part(invoice_number, '-', 3)::int) as last from public.invoices group by 1, 2) i
                   left join app.counters c on c.company_id = i.company_id and c.name = 'invoice-' || i.year
                   where i.n <> i.last or c.value is distinct from i.last", "0"),
            ],
        )
        .await;
        as_migrated(&fixture).await;
        sums_are_those_of_the_rows(&fixture).await;
        let client = fixture.connect().await;
        client.batch_execute("set role app_owner").await.unwrap();
        let next = "with last as (select max(split_part(j.job_number, '-', 3)::int) as n from public.jobs j
                     where j.company_id = '01910000-0000-7000-8000-000000000001' and j.job_number like 'JOB-' || to_char(now() at time zone 'UTC', 'YYYY-%')),
                   made as (insert into public.jobs (company_id, title, customer_id, created_by)
                     select c.company_id, 'Next', c.id, null from public.customers c where c.company_id = '01910000-0000-7000-8000-000000000001' limit 1
                     returning split_part(job_number, '-', 3)::int as n)
                   select made.n - coalesce(last.n, 0) from made, last";
        assert_eq!(client.query_one(next, &[]).await.unwrap().get::<_, i32>(0), 1);
        drop(client);
        let refused = fixture.migrator().scale(&plan, 4, false, SILENT).await.unwrap_err();
        assert_eq!(refused.code(), SCALE_NOT_EMPTY);
    }
}

/// Every index and key is there and valid, every trigger is on, and nothing else is there.
async fn as_migrated(fixture: &Fixture) {
    let status = fixture.migrator().status(&Source::Embedded).await.unwrap();
    assert!(status.schema_drift.is_empty() && status.invalid_indexes.is_empty(), "{:?} {:?}", status.schema_drift, status.invalid_indexes);
}

#[tokio::test]
async fn a_block_that_is_refused_leaves_all_rules_behind() {
    let fixture = migrated(As::Superuser).await;
    let refusal = "alter table public.payments add constraint no_third check (company_id <> '01910000-0000-7000-8000-000000000003')";
    alone(&fixture, refusal).await;
    let failed = fixture.migrator().scale(&Plan::of(0.004).unwrap(), 2, false, SILENT).await.unwrap_err();
    assert!(failed.message().contains("no_third"), "{failed}");
    alone(&fixture, "alter table public.payments drop constraint no_third").await;
    as_migrated(&fixture).await;
    what_there_is_goes_on(&fixture).await;
}

#[tokio::test]
async fn the_next_migration_makes_what_a_load_that_was_cut_off_set_aside() {
    let fixture = migrated(As::Plain).await;
    let (plan, migrator) = (Plan::of(0.004).unwrap(), fixture.migrator());
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let say = move |line: &str| drop(told.send(line.to_owned()));
    tokio::select! {
        ended = migrator.scale(&plan, 2, false, &say) => panic!("{ended:?}"),
        line = heard.recv() => assert!(line.unwrap().contains(" of 4 blocks")),
    }
    let drift = migrator.status(&Source::Embedded).await.unwrap().schema_drift;
    for missing in ["- constraint jobs_customer_id_fkey on public.jobs", "- index public.jobs_search_idx", "+ table app.set_aside"] {
        assert!(drift.iter().any(|object| object == missing), "{missing}: {drift:?}");
    }
    // Somebody helped himself meanwhile.
    alone(&fixture, "create index jobs_id_idx on public.jobs (id)").await;
    migrator.up(&Source::Embedded, &Options::default()).await.unwrap();
    as_migrated(&fixture).await;
    what_there_is_goes_on(&fixture).await;
    let refused = migrator.scale(&plan, 2, false, SILENT).await.unwrap_err();
    assert_eq!(refused.code(), SCALE_NOT_EMPTY);
}

/// The companies that were written are whole: their sums are those of their rows, and their next job has a number that is free.
async fn what_there_is_goes_on(fixture: &Fixture) {
    let next = "insert into public.jobs (company_id, title, customer_id, created_by)
        select c.company_id, 'Next', (min(c.id::text))::uuid, null from public.customers c group by 1";
    sums_are_those_of_the_rows(fixture).await;
    alone(fixture, next).await;
    let whole = "select count(*) > 0 from public.companies c where (select count(*) from public.jobs j where j.company_id = c.id) = 4171";
    expect(fixture, &[(whole, "true")]).await;
}

/// Runs statements as the owner, and leaves: nobody may be there while a load begins.
async fn alone(fixture: &Fixture, statements: &str) {
    let client = fixture.connect().await;
    client.batch_execute(&format!("set role app_owner; {statements}")).await.unwrap();
}

/// Counting anew takes away what stands in the sums and adds what the rows say: nothing may be left over.
async fn sums_are_those_of_the_rows(fixture: &Fixture) {
    expect(fixture, &[("select count(*) > 0 from app.figures", "true"), ("select count(*) from app.figure_changes", "0")]).await;
    fixture.administrator().await.batch_execute("select app.rebuild_figures()").await.unwrap();
    let sums = "customers jobs jobs_scheduled jobs_active jobs_completed worked_jobs worked_seconds job_revenue invoices revenue paid outstanding collected";
    let some = sums.split(' ').map(|sum| format!("sum({sum}) <> 0")).collect::<Vec<_>>().join(" or ");
    let left = format!(
        "select coalesce(string_agg(scope || ' ' || subject || ' ' || month, ', '), 'none') from (select scope, subject, month from app.figure_changes
          group by company_id, scope, subject, month, currency having {some}) f"
    );
    expect(fixture, &[(&left, "none")]).await;
}

#[tokio::test]
async fn nobody_works_beside_it_and_triggers_come_back() {
    let fixture = migrated(As::Superuser).await;
    let plan = Plan::of(0.001).unwrap();
    let somebody = fixture.connect().await;
    let refused = fixture.migrator().scale(&plan, 1, false, SILENT).await.unwrap_err();
    assert_eq!(refused.code(), SCALE_IN_USE);
    // Killed in the middle: the next seed finds what is off.
    somebody.batch_execute("set role app_owner; alter table public.jobs disable trigger user").await.unwrap();
    let off = "select count(*) from pg_trigger where tgenabled = 'D'";
    assert_ne!(fixture.ask(off).await, "0");
    fixture.migrator().seed(&Source::Embedded, Seeds::System, &Options::default()).await.unwrap();
    assert_eq!(fixture.ask(off).await, "0");
    // So does the next migration.
    somebody.batch_execute("alter table public.jobs disable trigger user").await.unwrap();
    fixture.migrator().up(&Source::Embedded, &Options::default()).await.unwrap();
    assert_eq!(fixture.ask(off).await, "0");
    // Only the demo company may be there before, and only where that is said.
    drop(somebody);
    fixture.migrator().seed(&Source::Embedded, Seeds::Development, &Options::default()).await.unwrap();
    let refused = fixture.migrator().scale(&plan, 1, false, SILENT).await.unwrap_err();
    assert_eq!(refused.code(), SCALE_NOT_EMPTY);
    fixture.migrator().scale(&plan, 1, true, SILENT).await.unwrap();
    assert_eq!(fixture.ask("select count(*) from public.companies").await, "2");
}
