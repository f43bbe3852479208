//! Entries that come again and again: once for each time, on any number of processes, and never silently not.

use std::sync::{Arc, Mutex};

use jiff::{Timestamp, ToSpan};
use kernel::Clock;
use queue::Kinds;
use queue::cron::{Cron, Expression, SystemEntry};

use crate::shop::Shop;

/// A clock that is turned.
#[derive(Clone)]
struct Turned(Arc<Mutex<Timestamp>>);

impl Clock for Turned {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

impl Turned {
    /// One that begins at the next full hour, so that what is made now counts from before it.
    fn new() -> Self {
        let hour = Timestamp::from_second((Timestamp::now().as_second() / 3600 + 1) * 3600).unwrap();
        Self(Arc::new(Mutex::new(hour)))
    }

    fn to(&self, minutes: i64) -> &Self {
        let mut now = self.0.lock().unwrap();
        *now += minutes.minutes();
        drop(now);
        self
    }
}

const ORDERS: &str = "select coalesce(string_agg(status || coalesce(': ' || message, ''), ', ' order by fire_at), '') from app.cron_runs";

impl Shop {
    fn cron(&self, clock: &Turned) -> Cron {
        Cron::new(self.queue.clone(), &self.kinds(), Arc::new(clock.clone()))
    }

    /// Makes an entry as the program does; its times count from the clock's.
    async fn declare(&self, cron: &Cron, clock: &Turned, name: &'static str, (schedule, missed): (&'static str, &'static str)) {
        let payload = r#"{"name": "again"}"#;
        cron.declare(&[SystemEntry { name, schedule, time_zone: "UTC", kind: "obey", payload, missed }]).await.unwrap();
        self.execute(&format!("update app.cron_entries set counts_from = '{}'", clock.now())).await;
    }

    /// Asks as the service does, in a transaction of its own.
    async fn as_service(&self, sql: &str) -> Result<String, tokio_postgres::Error> {
        self.as_role("service_role", "", sql).await
    }

    async fn as_role(&self, role: &str, settings: &str, sql: &str) -> Result<String, tokio_postgres::Error> {
        let mut client = self.db.superuser().await;
        let tx = client.transaction().await?;
        tx.batch_execute(settings).await?;
        tx.batch_execute(&format!("set local role {role}")).await?;
        let row = tx.query_one(&format!("select ({sql})::text"), &[]).await?;
        let answer = row.get::<_, Option<String>>(0).unwrap_or_else(|| "null".to_owned());
        tx.commit().await?;
        Ok(answer)
    }
}

fn code(error: &tokio_postgres::Error) -> &str {
    error.code().map_or("", tokio_postgres::error::SqlState::code)
}

#[tokio::test]
async fn there_is_one_run_for_each_time_on_any_number_of_processes() {
    let shop = Shop::new().await;
    let clock = Turned::new();
    let (one, other) = (shop.cron(&clock), Cron::new(shop.other(), &shop.kinds(), Arc::new(clock.clone())));
    shop.declare(&one, &clock, "each-minute", ("* * * * *", "skip")).await;
    assert_eq!(one.look().await.unwrap(), 0, "it is computed first");
    let mut begun = 0;
    for _ in 0..10 {
        clock.to(1);
        let (first, second, third) = tokio::join!(one.look(), other.look(), one.look());
        begun += first.unwrap() + second.unwrap() + third.unwrap();
        assert_eq!(shop.drain().await, ["again#1"]);
    }
    assert_eq!(begun, 10);
    one.look().await.unwrap();
    let runs =
        "select count(*)::text || ' ' || count(distinct fire_at) || ' ' || count(*) filter (where status = 'succeeded') from app.cron_runs";
    assert_eq!(shop.ask(runs).await, "10 10 10");
}

#[tokio::test]
async fn times_that_nobody_was_there_for_are_treated_as_the_entry_says() {
    for (missed, expected) in [("skip", 0), ("one", 1), ("all", 3)] {
        let shop = Shop::new().await;
        let clock = Turned::new();
        let cron = shop.cron(&clock);
        shop.declare(&cron, &clock, "hourly", ("30 * * * *", missed)).await;
        cron.look().await.unwrap();
        // Three times half past, the last of them ten minutes ago.
        clock.to(160);
        assert_eq!(cron.look().await.unwrap(), expected, "{missed}");
        assert_eq!(shop.drain().await.len(), expected, "{missed}");
        let next = shop.ask("select next_run_at at time zone 'UTC' from app.cron_states").await;
        assert!(next.ends_with(":30:00"), "{next}");
        assert_eq!(cron.look().await.unwrap(), 0, "{missed}");
    }
}

#[tokio::test]
async fn what_cannot_be_run_is_a_failed_run() {
    let shop = Shop::new().await;
    let clock = Turned::new();
    // A process that knows no kind looks; it leaves the entry to others for a while.
    let ignorant = Cron::new(shop.queue.clone(), &Kinds::default(), Arc::new(clock.clone()));
    shop.declare(&ignorant, &clock, "lonely", ("15 * * * *", "one")).await;
    ignorant.look().await.unwrap();
    clock.to(16);
    assert_eq!(ignorant.look().await.unwrap(), 0);
    clock.to(2);
    assert_eq!(ignorant.look().await.unwrap(), 1);
    assert_eq!(shop.ask(ORDERS).await, "failed: no process that runs does tasks of the kind \"obey\"");
    // Nobody ever declared this one.
    shop.execute("delete from app.cron_runs; update app.cron_entries set kind = 'send_nothing'").await;
    clock.to(60);
    let cron = Cron::new(shop.queue.clone(), &Kinds::default(), Arc::new(clock.clone()));
    cron.look().await.unwrap();
    clock.to(2);
    cron.look().await.unwrap();
    assert_eq!(shop.ask(ORDERS).await, "failed: no process that runs does tasks of the kind \"send_nothing\"");
    // A schedule that got past its check.
    shop.execute("delete from app.cron_runs; update app.cron_entries set kind = 'obey', schedule = 'soon'").await;
    clock.to(60);
    shop.cron(&clock).look().await.unwrap();
    assert!(shop.ask(ORDERS).await.starts_with("failed: its schedule cannot be read"), "{}", shop.ask(ORDERS).await);
    assert_eq!(shop.ask("select next_run_at || ' ' || (fault is not null) from app.cron_states").await, "infinity true");
}

#[tokio::test]
async fn a_run_says_how_its_task_ended() {
    let shop = Shop::new().await;
    let clock = Turned::new();
    let cron = shop.cron(&clock);
    shop.declare(&cron, &clock, "hourly", ("0 * * * *", "one")).await;
    cron.look().await.unwrap();
    for (act, expected) in [("", "succeeded"), ("dead", "failed: there is no printer"), ("panic", "starting: its handler panicked")] {
        shop.execute(&format!("update app.cron_entries set payload = '{{\"name\": \"again\", \"act\": \"{act}\"}}'")).await;
        clock.to(60);
        assert_eq!(cron.look().await.unwrap(), 1);
        shop.drain().await;
        cron.look().await.unwrap();
        assert_eq!(shop.ask(ORDERS).await, expected);
        shop.execute("delete from app.cron_runs; delete from app.tasks").await;
    }
    // What is not finished does not pile up.
    shop.execute("update app.cron_entries set payload = '{\"name\": \"again\"}'").await;
    for _ in 0..4 {
        clock.to(60);
        cron.look().await.unwrap();
    }
    assert_eq!(shop.ask(ORDERS).await, "starting, starting, starting, failed: the runs before it are not finished");
    assert_eq!(shop.drain().await.len(), 3);
    shop.execute("update app.cron_runs set created_at = now() - interval '40 days'").await;
    clock.to(61);
    cron.look().await.unwrap();
    cron.look().await.unwrap();
    assert_eq!(shop.ask("select count(*) from app.cron_runs where created_at < now() - interval '30 days'").await, "0");
}

#[tokio::test]
async fn what_an_operator_changed_stays_and_what_is_paused_does_not_come() {
    let shop = Shop::new().await;
    let clock = Turned::new();
    let cron = shop.cron(&clock);
    shop.declare(&cron, &clock, "hourly", ("0 * * * *", "one")).await;
    assert!(shop.queue.operate_schedule("hourly", Some(false), None, None).await.unwrap());
    clock.to(600);
    assert_eq!(cron.look().await.unwrap(), 0);
    let run = shop.queue.run_schedule("hourly").await.unwrap().unwrap();
    assert_eq!((run.name.as_deref(), run.status.as_str()), (Some("hourly"), "starting"));
    assert!(shop.queue.operate_schedule("hourly", Some(true), Some("45 3 * * *"), Some("Europe/Berlin")).await.unwrap());
    shop.declare(&cron, &clock, "hourly", ("0 * * * *", "one")).await;
    let listed = shop.queue.schedules(10).await.unwrap();
    assert_eq!((listed[0].schedule.as_str(), listed[0].time_zone.as_str(), listed[0].is_active), ("45 3 * * *", "Europe/Berlin", true));
    assert!(!shop.queue.operate_schedule("nothing", Some(true), None, None).await.unwrap());
    assert!(shop.queue.run_schedule("nothing").await.unwrap().is_none());
    let refused = shop.queue.operate_schedule("hourly", None, Some("soon"), None).await.unwrap_err();
    assert_eq!(refused.code(), "22023");
    assert_eq!(shop.queue.scheduled_runs(Some("hourly"), 10).await.unwrap().len(), 1);
}

/// The database and the program read schedules alike.
#[tokio::test]
async fn the_database_accepts_what_the_program_reads() {
    let shop = Shop::new().await;
    let client = shop.db.superuser().await;
    let (parts, days, weekdays): (&[&str], &[&str], &[&str]) = (
        &[
            "*", "*/5", "0", "7", "23", "24", "59", "60", "1-5", "5-1", "1-9/2", "3/2", "*/0", "*/99", "1,2", "1,", "", "x", "-1", "01",
            "001", "jan",
        ],
        &["*", "L", "$", "1", "31", "32", "0", "l,15", "30", "*/31", "?", "L-1", "jan"],
        &[
            "*",
            "0",
            "7",
            "8",
            "mon",
            "MON-FRI",
            "fri-sun",
            "sun-fri",
            "5-0",
            "5-7",
            "mon#2",
            "mon#6",
            "friL",
            "5l",
            "mon#2,fri",
            "sat-sun/1",
            "#2",
            "*/8",
        ],
    );
    let mut schedules: Vec<String> = Vec::new();
    for part in parts {
        schedules.extend([format!("{part} * * * *"), format!("0 {part} * * *"), format!("0 0 * {part} *"), format!("0 0 1 {part} 1")]);
    }
    for day in days {
        schedules.extend([
            format!("0 0 {day} * *"),
            format!("0 0 {day} 2 *"),
            format!("0 0 {day} 2 mon"),
            format!("0 0 {day} feb,apr */2"),
        ]);
    }
    schedules.extend(weekdays.iter().flat_map(|day| [format!("0 0 * * {day}"), format!("0 0 1 * {day}")]));
    for whole in ["@daily", "@HOURLY", "@reboot", "@never", "", "  0\t0 * * * ", "* * * *", "* * * * * *", "@daily *", "5 seconds"] {
        schedules.push(whole.to_owned());
    }
    for schedule in schedules {
        let fault: Option<String> = client.query_one("select app.cron_fault($1)", &[&schedule]).await.unwrap().get(0);
        let read = Expression::parse(&schedule).err().map(|fault| fault.to_string());
        assert_eq!(fault, read, "{schedule:?}");
    }
    for (schedule, minutes, is_fine) in [
        ("* * * * *", 1, true),
        ("* * * * *", 2, false),
        ("*/15 * * * *", 15, true),
        ("*/15 * * * *", 16, false),
        ("0,50 * * * *", 15, false),
        ("0 * * * *", 60, true),
        ("@daily", 60, true),
    ] {
        let fault: Option<String> = client.query_one("select app.cron_fault($1, $2)", &[&schedule, &minutes]).await.unwrap().get(0);
        assert_eq!(fault.is_none(), is_fine, "{schedule} {minutes}");
    }
}

#[tokio::test]
async fn the_calls_of_pg_cron_work_for_the_service() {
    let shop = Shop::new().await;
    let first = shop.as_service("cron.schedule('refresh-kpis', '*/5 * * * *', 'select refresh_reporting_views()')").await.unwrap();
    let again = shop.as_service("cron.schedule('refresh-kpis', '*/10 * * * *', 'select 1')").await.unwrap();
    assert_eq!(first, again, "of a name there is one");
    let unnamed = shop.as_service("cron.schedule('CRON_TZ=Europe/Berlin 0 3 * * 0', 'select 2')").await.unwrap();
    assert_ne!(first, unnamed);
    let listed = "select string_agg(concat_ws('|', schedule, command, username, active, jobname, nodeport, database = current_database()), ' ' order by jobid) from cron.job";
    assert_eq!(
        shop.as_service(listed).await.unwrap(),
        "*/10 * * * *|select 1|service_role|t|refresh-kpis|5432|t CRON_TZ=Europe/Berlin 0 3 * * 0|select 2|service_role|t|5432|t"
    );
    shop.as_service(&format!("select count(*) from cron.alter_job({unnamed}, schedule => '@daily', active => false)")).await.unwrap();
    let altered = format!("select schedule || ' ' || active from cron.job where jobid = {unnamed}");
    assert_eq!(shop.as_service(&altered).await.unwrap(), "CRON_TZ=Europe/Berlin @daily false");
    assert_eq!(shop.as_service("cron.unschedule('refresh-kpis')").await.unwrap(), "true");
    assert_eq!(shop.as_service(&format!("cron.unschedule({unnamed})")).await.unwrap(), "true");
    for (call, expected) in [
        ("cron.unschedule('refresh-kpis')", "42704"),
        ("cron.unschedule(4711)", "42704"),
        ("cron.schedule('soon', 'select 1')", "22023"),
        ("cron.schedule('x', '@reboot', 'select 1')", "22023"),
        ("cron.schedule('x', 'CRON_TZ=Jupiter/Red_Spot * * * * *', 'select 1')", "22023"),
        ("cron.schedule('x', '* * * * *', '  ')", "22023"),
        ("cron.schedule('', '* * * * *', 'select 1')", "22023"),
        ("cron.schedule_in_database('x', '* * * * *', 'select 1', 'other')", "0A000"),
        ("select 1 from cron.alter_job(1, username => 'postgres')", "0A000"),
        ("select 1 from cron.alter_job(4711, active => true)", "42704"),
    ] {
        assert_eq!(code(&shop.as_service(call).await.unwrap_err()), expected, "{call}");
    }
    for role in ["anon", "authenticated", "guest"] {
        let refused = shop.as_role(role, "", "cron.schedule('* * * * *', 'select 1')").await.unwrap_err();
        assert_eq!(code(&refused), "42501", "{role}");
    }
    shop.execute("update app.cron_rules set entries_of_service_max = 1").await;
    shop.as_service("cron.schedule('one', '* * * * *', 'select 1')").await.unwrap();
    assert_eq!(code(&shop.as_service("cron.schedule('two', '* * * * *', 'select 1')").await.unwrap_err()), "TH409");
}
