//! Who looks: a login that may do little is told what it cannot see, and nobody changes anything.

use std::time::Duration;

use doctor::{Asked, DoctorConfig, Status, Wanted, examine, visit_limits};
use postgres::{Config, VisitFault, Visitor};

use crate::asking::{told, visit};
use crate::clinic::Clinic;

/// Makes a login that may nothing, and returns how it connects.
async fn onlooker(clinic: &Clinic) -> Config {
    let name = format!("{}_onlooker", clinic.name());
    clinic.run(&format!("create role {name} login password 'throw-away'")).await;
    let mut login = clinic.superuser_config();
    login.user(&name).password("throw-away");
    login
}

#[tokio::test]
async fn what_a_login_may_not_see_is_skipped_and_never_passed() {
    let clinic = Clinic::shop().await;
    clinic.run("create sequence public.numbers; grant truncate on public.jobs to authenticated").await;
    let login = onlooker(&clinic).await;
    let report = visit(&login, &Wanted::default(), &DoctorConfig::default()).await;
    let why = |code: &str| {
        let outcome = report.checks.iter().find(|outcome| outcome.code == code).unwrap();
        (outcome.status, outcome.why.clone().unwrap_or_default())
    };
    for (code, reason) in [
        ("transaction_long", "the login lacks pg_monitor"),
        ("archiving_off", "the login lacks pg_monitor"),
        ("role_password_md5", "a right is missing: permission denied for table pg_authid"),
        ("foreign_server_password", "only a superuser sees it"),
        ("table_bloat", "the login may not read figures about values (pg_read_all_data)"),
        ("sequence_near_end", "1 counters may not be read"),
        ("slow_statement", "the extension pg_stat_statements is not there"),
        ("public_bucket_listed", "there is no table storage.buckets that the login may read"),
    ] {
        assert_eq!(why(code), (Status::Skipped, reason.to_owned()), "{code}");
    }
    let (status, reason) = why("login_without_password");
    assert!(status == Status::Skipped && reason.starts_with("a right is missing: permission denied for"), "{reason}");
    // What the catalog tells everybody is found all the same.
    assert!(report.counted().any(|finding| finding.code == "grant_beyond_rows" && finding.object == "public.jobs"), "{:#?}", told(&report));
    assert_eq!(report.score.of + report.score.skipped, doctor::all().count());
}

#[tokio::test]
async fn rows_that_a_policy_hides_are_no_answer() {
    let clinic = Clinic::shop().await;
    clinic
        .run("create schema storage; create table storage.buckets (id text primary key, public boolean); create table storage.objects (id uuid primary key);
              alter table storage.buckets enable row level security; grant usage on schema storage to public; grant select on all tables in schema storage to public")
        .await;
    let login = onlooker(&clinic).await;
    let wanted = Wanted { only: vec!["public_bucket_listed".to_owned()], ..Wanted::default() };
    let report = visit(&login, &wanted, &DoctorConfig::default()).await;
    let why = report.checks[0].why.as_deref().unwrap_or_default();
    assert_eq!(why, "a right is missing: query would be affected by row-level security policy for table \"buckets\"");
}

#[tokio::test]
async fn nothing_can_be_written_and_a_fault_ends_nothing() {
    let clinic = Clinic::shop().await;
    let visitor = Visitor::connect(&clinic.superuser_config(), None, visit_limits(&DoctorConfig::default())).await.unwrap();
    for write in [
        "create table public.left (id int)",
        "update public.companies set name = 'x'",
        "select nextval('public.numbers')",
        "set transaction read write",
    ] {
        let refused = visitor.ask(write).await.unwrap_err();
        assert!(
            matches!(&refused, VisitFault::Other { state, .. } if state == "25006" || state == "25001" || state == "42P01"),
            "{write}: {refused}"
        );
    }
    assert_eq!(visitor.ask("select 'still here' as said").await.unwrap().rows[0].text("said"), Some("still here"));
    // A name of the database is never found in place of PostgreSQL's own.
    assert!(matches!(visitor.ask("select * from companies").await, Err(VisitFault::Other { state, .. }) if state == "42P01"));
    let report = examine(&visitor, &Wanted::default(), &DoctorConfig::default()).await.unwrap();
    assert!(report.score.of > 100);
    visitor.leave().await;
}

#[tokio::test]
async fn what_takes_too_long_is_given_up() {
    let clinic = Clinic::empty().await;
    let config = DoctorConfig { statement_ms: 3000, findings_max: 2, ..DoctorConfig::default() };
    let visitor = Visitor::connect(&clinic.superuser_config(), None, visit_limits(&config)).await.unwrap();
    assert_eq!(visitor.ask("select pg_sleep(60)").await.unwrap_err(), VisitFault::Time);
    let three = visitor.ask("select * from generate_series(1, 3) as of (number)").await.unwrap();
    assert_eq!((three.rows.len(), three.more), (2, 1));
    let gone = Visitor::connect(Config::new().host("127.0.0.1").port(1).user("nobody"), None, visit_limits(&config)).await.unwrap_err();
    assert_eq!(gone.code(), "database_unavailable");
}

#[tokio::test]
async fn a_lock_is_not_waited_for() {
    let clinic = Clinic::shop().await;
    let holder = clinic.superuser().await;
    holder.batch_execute("begin; lock table public.customers in access exclusive mode").await.unwrap();
    let config = DoctorConfig { lock_ms: 50, ..DoctorConfig::default() };
    let began = std::time::Instant::now();
    let report = visit(&clinic.superuser_config(), &Wanted::default(), &config).await;
    // It is held without end.
    assert!(began.elapsed() < Duration::from_secs(100));
    for outcome in report.checks.iter().filter(|outcome| outcome.status == Status::Skipped) {
        let why = outcome.why.as_deref().unwrap_or_default();
        assert!(why == "it took longer than allowed" || !why.contains("allowed"), "{}: {why}", outcome.code);
    }
}

#[tokio::test]
async fn what_is_told_goes_before_what_is_found_out() {
    let clinic = Clinic::empty().await;
    clinic
        .run(
            "create table public.notes (id uuid primary key, shop_id uuid); create table public.pads (id uuid primary key, shop_id uuid);
              grant select on public.notes to pg_monitor",
        )
        .await;
    let found_out = visit(&clinic.superuser_config(), &Wanted::default(), &DoctorConfig::default()).await.database;
    assert!(found_out.tenant_columns.is_empty() && found_out.kind == "postgresql", "{found_out:?}");
    let asked = Asked { api_roles: vec!["pg_monitor".to_owned()], tenant_columns: vec!["shop_id".to_owned()], version: None };
    let wanted = Wanted { only: vec!["row_security_off".to_owned(), "tenant_nullable".to_owned()], skip: vec![], asked };
    let report = visit(&clinic.superuser_config(), &wanted, &DoctorConfig::default()).await;
    assert_eq!(report.database.api_roles, ["pg_monitor"]);
    let codes: Vec<&str> = report.counted().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["row_security_off", "tenant_nullable"]);
    assert_eq!(report.checks.len(), 2);
    assert_eq!(report.checks[0].looked_at, Some(1));
    let unknown = Wanted { skip: vec!["rls".to_owned()], ..Wanted::default() };
    assert_eq!(unknown.unknown(), Some("rls"));
}
