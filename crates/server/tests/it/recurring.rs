//! What comes again and again, in a server that runs: its own entries, SQL that was scheduled, and what they do to a company.

use kernel::Secret;
use postgres::migrate::{Bring, Migrator, Options, Project};
use server::config::Settings;
use tempfile::TempDir;
use testkit::Db;

use crate::audit::{until, url};
use crate::bare::{know_tls, without_database};

const COMPANY: &str = "01900000-0000-7000-8000-0000000000aa";
const OTHER: &str = "01900000-0000-7000-8000-0000000000bb";

/// A company with an owner and a customer who owes it something.
const SEEDED: &str = "
  insert into auth.users (id, email) values ('01900000-0000-7000-8000-000000000101', 'olga@example.com');
  insert into public.companies (id, name, slug) values
    ('01900000-0000-7000-8000-0000000000aa', 'Ann''s Plumbing', 'ann'), ('01900000-0000-7000-8000-0000000000bb', 'Bob''s Heating', 'bob');
  insert into public.team_members (company_id, user_id, email, name, role, status)
  values ('01900000-0000-7000-8000-0000000000aa', '01900000-0000-7000-8000-000000000101', 'olga@example.com', 'Olga', 'owner', 'active');
  insert into public.company_settings (company_id, invoice_reminders_enabled) values ('01900000-0000-7000-8000-0000000000aa', true)
  on conflict (company_id) do update set invoice_reminders_enabled = true;
  insert into public.customers (company_id, id, first_name, last_name, email) values
    ('01900000-0000-7000-8000-0000000000aa', '01900000-0000-7000-8000-000000000201', 'Ben', 'Baker', 'ben@example.com'),
    ('01900000-0000-7000-8000-0000000000bb', '01900000-0000-7000-8000-000000000202', 'Cat', 'Cook', 'cat@example.com');
  insert into public.invoices (company_id, id, customer_id, status, line_items, due_date) values
    ('01900000-0000-7000-8000-0000000000aa', '01900000-0000-7000-8000-000000000301', '01900000-0000-7000-8000-000000000201', 'draft',
     '[{\"description\": \"Boiler\", \"quantity\": 1, \"unit_price\": 123450}]', now() - interval '3 days'),
    ('01900000-0000-7000-8000-0000000000bb', '01900000-0000-7000-8000-000000000302', '01900000-0000-7000-8000-000000000202', 'draft',
     '[{\"description\": \"Pipe\", \"quantity\": 1, \"unit_price\": 500}]', now() - interval '3 days');
  update public.invoices set status = 'sent';";

pub(crate) struct House {
    pub(crate) db: Db,
    _folder: TempDir,
    pub(crate) server: server::RunningServer,
}

impl House {
    pub(crate) async fn new() -> Self {
        know_tls();
        let db = Db::new().await;
        Self::on(db).await
    }

    pub(crate) async fn on(db: Db) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Self::settings(&folder, &db);
        let server = Box::pin(server::start(settings)).await.unwrap();
        let unplanned = "select from app.cron_entries e where e.maker = 'system' and not exists
                           (select from app.cron_states s where s.entry_id = e.number and s.next_run_at > '-infinity')";
        until(&db, &format!("exists (select from app.cron_entries where maker = 'system') and not exists ({unplanned})")).await;
        let this = Self { db, _folder: folder, server };
        // What the server does at its own times would do what a test is about to do, if one of these came now.
        this.execute(
            "update app.cron_states s set next_run_at = 'infinity' from app.cron_entries e where e.number = s.entry_id and e.maker = 'system'",
        )
        .await;
        this.idle().await;
        this
    }

    fn settings(folder: &TempDir, db: &Db) -> Settings {
        let mut settings = without_database(folder);
        // Mail is kept and not sent.
        settings.environment = server::config::Environment::Development;
        settings.database.url = Some(Secret::new(url(&db.server_config())));
        settings.database.start_wait_ms = 60_000;
        settings.queue.cron.tick_interval_ms = 100;
        settings
    }

    pub(crate) async fn execute(&self, sql: &str) {
        self.db.superuser().await.batch_execute(sql).await.unwrap();
    }

    pub(crate) async fn ask(&self, sql: &str) -> String {
        let row = self.db.superuser().await.query_one(&format!("select ({sql})::text"), &[]).await.unwrap();
        row.get::<_, Option<String>>(0).unwrap_or_else(|| "null".to_owned())
    }

    /// Begins an entry of the server's own now and waits for its end. Returns how it ended.
    async fn run(&self, name: &str) -> String {
        let run = self.ask(&format!("select number from app.run_schedule_now('{name}')")).await;
        until(&self.db, &format!("exists (select from app.cron_runs where number = {run} and status in ('succeeded', 'failed'))")).await;
        self.ask(&format!("select concat_ws(': ', status, message) from app.cron_runs where number = {run}")).await
    }

    /// Waits until no task is left.
    pub(crate) async fn idle(&self) {
        until(&self.db, "not exists (select from app.tasks) and not exists (select from app.outbox where status = 'pending')").await;
    }

    /// Has a time of an entry come now.
    pub(crate) async fn comes(&self, job: &str) {
        self.execute(&format!("update app.cron_states set next_run_at = now() where entry_id = {job}")).await;
    }
}

#[tokio::test]
async fn every_entry_of_the_server_runs() {
    let house = House::new().await;
    let names = house.ask("select string_agg(name, ' ' order by name) from app.cron_entries where maker = 'system'").await;
    for name in names.split(' ') {
        let ended = house.run(name).await;
        assert!(ended.starts_with("succeeded"), "{name}: {ended}");
    }
    assert!(names.split(' ').count() >= 13, "{names}");
    house.server.shutdown().await.unwrap();
}

#[tokio::test]
async fn invoices_become_overdue_and_their_customers_are_reminded_once_a_day() {
    let house = House::new().await;
    house.execute(SEEDED).await;
    assert_eq!(house.run("overdue-invoices").await, "succeeded: 2 rows");
    assert_eq!(house.ask("select string_agg(distinct status, ',') from public.invoices").await, "overdue");
    for _ in 0..3 {
        house.run("invoice-reminders").await;
        house.idle().await;
    }
    // Bob's company did not ask for reminders.
    let mails = "select string_agg(recipient || '|' || subject, ', ') from app.captured_messages where purpose = 'invoice_reminder'";
    let number = house.ask(&format!("select invoice_number from public.invoices where company_id = '{COMPANY}'")).await;
    assert_eq!(house.ask(mails).await, format!("ben@example.com|Reminder: invoice {number} of Ann's Plumbing"));
    let text = house.ask("select body_text from app.captured_messages where purpose = 'invoice_reminder'").await;
    assert!(text.contains("Dear Ben Baker") && text.contains("1,234.50 USD") && text.contains(&number), "{text}");
    assert_eq!(house.ask(&format!("select reminder_count from public.invoices where company_id = '{COMPANY}'")).await, "1");
    // The database holds it, whoever writes, and when it is asked for by hand.
    let refused = house
        .db
        .superuser()
        .await
        .batch_execute("update public.invoices set last_reminder_at = now() where last_reminder_at is not null")
        .await;
    assert_eq!(refused.unwrap_err().as_db_error().unwrap().constraint(), Some("invoice_reminded"));
    house.ask("select public.send_invoice_reminder('01900000-0000-7000-8000-000000000301')").await;
    house.idle().await;
    assert_eq!(house.ask("select count(*) from app.captured_messages where purpose = 'invoice_reminder'").await, "1");
    // A day later there is another one; Bob's customer is reminded when somebody asks.
    house
        .execute("alter table public.invoices disable trigger user; update public.invoices set last_reminder_at = now() - interval '25 hours' where last_reminder_at is not null; alter table public.invoices enable trigger user")
        .await;
    house.run("invoice-reminders").await;
    house.ask("select public.send_invoice_reminder('01900000-0000-7000-8000-000000000302')").await;
    house.idle().await;
    let count = "select string_agg(recipient, ' ' order by recipient) from app.captured_messages where purpose = 'invoice_reminder'";
    assert_eq!(house.ask(count).await, "ben@example.com ben@example.com cat@example.com");
    house.server.shutdown().await.unwrap();
}

#[tokio::test]
async fn reports_trials_metrics_and_visits_come() {
    let house = House::new().await;
    house.execute(SEEDED).await;
    house
        .execute(
            "update public.companies set subscription_status = 'trialing', trial_ends_at = now() - interval '1 hour' where slug = 'ann';
             insert into public.service_plans (company_id, customer_id, name, frequency, auto_generate_jobs, start_date, next_service_due)
             values ('01900000-0000-7000-8000-0000000000aa', '01900000-0000-7000-8000-000000000201', 'Yearly check', 'annually', true, now(), now() + interval '3 days')",
        )
        .await;
    for name in
        ["daily-customer-report", "monthly-billing", "weekly-performance", "trial-expiry", "plan-visits", "plan-visits", "collect-metrics"]
    {
        let ended = house.run(name).await;
        assert!(ended.starts_with("succeeded"), "{name}: {ended}");
        house.idle().await;
    }
    // To whoever may read reports, and to whom the bill goes; Bob's company has no members, and nobody did anything yet.
    let mails = "select string_agg(purpose || ' ' || recipient || ' ' || split_part(subject, ',', 1), '|' order by subject) from app.captured_messages";
    assert_eq!(
        house.ask(mails).await,
        "report olga@example.com Billing of Ann's Plumbing|report olga@example.com Customers of Ann's Plumbing|trial_ended olga@example.com The trial of Ann's Plumbing is over"
    );
    let billing = house.ask("select body_text from app.captured_messages where subject ~ 'Billing'").await;
    assert!(billing.contains("1 invoices, billed 1,234.50 USD, collected 0.00 USD, outstanding 1,234.50 USD"), "{billing}");
    let trial = "select subscription_status || ' ' || (past_due_since = trial_ends_at) from public.companies where slug = 'ann'";
    assert_eq!(house.ask(trial).await, "incomplete true");
    let visits = "select string_agg(concat_ws('|', j.title, j.status, j.scheduled_start = (j.metadata ->> 'service_due')::timestamptz), ',') from public.jobs j";
    assert_eq!(house.ask(visits).await, "Yearly check|scheduled|t");
    let next = "select next_service_due > now() + interval '360 days' from public.service_plans";
    assert_eq!(house.ask(next).await, "true");
    let metrics = format!(
        "select string_agg(metric_name || ' ' || metric_value, ', ' order by metric_name) from shared.metrics where tenant_id = '{COMPANY}'"
    );
    assert_eq!(
        house.ask(&metrics).await,
        "daily_invoices_sent 1, daily_invoices_sent_amount 123450, daily_jobs_created 1, daily_new_customers 1, daily_payments 0, daily_work_orders 1"
    );
    house.server.shutdown().await.unwrap();
}

#[tokio::test]
async fn sql_of_the_service_runs_for_its_company_and_leaves_nothing_behind() {
    let house = House::new().await;
    house.execute(SEEDED).await;
    house.execute("create table public.said (what text); grant select, insert on public.said to service_role").await;
    let schedule = |name: &str, company: &str, sql: &str| {
        let sql = format!(
            "set local role service_role; select set_config('app.company_id', '{company}', true); select cron.schedule('{name}', '0 0 1 1 *', $text${sql}$text$)"
        );
        let db = &house.db;
        async move { db.superuser().await.batch_execute(&format!("begin; {sql}; commit")).await.unwrap() }
    };
    let words =
        "insert into said select concat_ws('|', current_user, session_user, app.company_id(), current_setting('statement_timeout'))";
    schedule("says", COMPANY, words).await;
    schedule("says-other", OTHER, "set search_path = nothing; set role none; select 1").await;
    schedule("fails", COMPANY, "select 1 / 0").await;
    schedule("leaves", COMPANY, "commit").await;
    for (name, expected) in [
        ("says", "succeeded: 1 row"),
        ("says-other", "succeeded: 1 row"),
        ("fails", "failed: division by zero (22012)"),
        ("leaves", "failed: EXECUTE of transaction commands is not implemented (0A000)"),
    ] {
        let job = house.ask(&format!("select number from app.cron_entries where name = '{name}'")).await;
        until(&house.db, &format!("(select isfinite(next_run_at) from app.cron_states where entry_id = {job})")).await;
        house.comes(&job).await;
        until(&house.db, &format!("exists (select from app.cron_runs where entry_id = {job} and status in ('succeeded', 'failed'))")).await;
        let told = format!("select concat_ws(': ', status, message) from app.cron_runs where entry_id = {job}");
        assert_eq!(house.ask(&told).await, expected, "{name}");
    }
    let login = house.db.server_config().get_user().unwrap().to_owned();
    assert_eq!(house.ask("select what from public.said").await, format!("service_role|{login}|{COMPANY}|10min"));
    // One that was taken back between its time and its task.
    house.execute("update app.task_kinds set paused_until = 'infinity' where name = 'run_sql'").await;
    let job = house.ask("select number from app.cron_entries where name = 'says'").await;
    house.comes(&job).await;
    until(&house.db, "exists (select from app.tasks where kind = 'run_sql')").await;
    house
        .execute("delete from app.cron_entries where name = 'says'; update app.task_kinds set paused_until = null where name = 'run_sql'")
        .await;
    until(&house.db, "exists (select from app.cron_runs where status = 'failed' and message = 'its schedule was taken back')").await;
    house.server.shutdown().await.unwrap();
}

#[tokio::test]
async fn sql_of_a_project_runs_as_the_project_and_nobody_else() {
    know_tls();
    let db = Db::new().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("migrations")).unwrap();
    let file = "create extension if not exists pg_cron;
        create table public.jottings (what text);
        select cron.schedule('notes', '0 0 1 1 *', $$insert into jottings select concat_ws('|', current_user, pg_has_role(session_user, 'service_role', 'member'), (select count(*) from cron.job))$$);
        select cron.schedule('reaches', '0 0 1 1 *', 'select count(*) from public.customers');
        select cron.schedule('becomes', '0 0 1 1 *', 'set role service_role');
        select cron.schedule('resets', '0 0 1 1 *', 'reset role; select count(*) from public.customers');
        select cron.schedule('gone', '0 0 1 1 *', 'select 1');
        select cron.unschedule('gone');";
    std::fs::write(folder.path().join("migrations/1_notes.sql"), file).unwrap();
    let project = Project::open(folder.path()).unwrap();
    Migrator::new(db.migrator_config()).bring(&project, Bring::default(), &Options::default()).await.unwrap();
    let house = House::on(db).await;
    // The service has its own, and sees only those.
    let own = "begin; set local role service_role; select cron.schedule('mine', '0 0 1 1 *', 'select 1'); commit";
    house.execute(own).await;
    let owners = "select string_agg(maker || ' ' || name, ', ' order by number) from app.cron_entries where maker <> 'system'";
    let expected = "project_owner notes, project_owner reaches, project_owner becomes, project_owner resets, service_role mine";
    assert_eq!(house.ask(owners).await, expected);
    until(&house.db, "not exists (select from app.cron_states where next_run_at = '-infinity')").await;
    house.execute("update app.cron_states s set next_run_at = now() from app.cron_entries e where e.number = s.entry_id and e.maker = 'project_owner'").await;
    until(&house.db, "4 = (select count(*) from app.cron_runs where maker = 'project_owner' and status in ('succeeded', 'failed'))").await;
    let runs = "select string_agg(concat_ws(' ', name, status, nullif(split_part(message, '(', 2), '')), ', ' order by name) from app.cron_runs where maker = 'project_owner'";
    assert_eq!(house.ask(runs).await, "becomes failed 42501), notes succeeded, reaches failed 42501), resets failed 42501)");
    assert_eq!(house.ask("select what from public.jottings").await, "project_owner|f|4");
    // A function of the project that the service calls has the project's rights, in schedules, too.
    house
        .execute(
            "set role project_owner;
             create function public.plants() returns bigint language sql security definer set search_path = '' as $$ select cron.schedule('planted', '* * * * *', 'select 1') $$;
             grant execute on function public.plants() to service_role;
             reset role; begin; set local role service_role; select public.plants(); commit",
        )
        .await;
    assert_eq!(house.ask("select maker from app.cron_entries where name = 'planted'").await, "project_owner");
    house.server.shutdown().await.unwrap();
}
