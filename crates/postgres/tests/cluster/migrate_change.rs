//! Changing a column under traffic, and the proof that every migration has a way back.

use jiff::Timestamp;
use postgres::migrate::{self, Back, Change, NewMigration, Options, Source, new};

use crate::migrate_cluster::{As, Fixture, options};

const JOBS: &str =
    "create table public.jobs (company_id uuid not null, id int not null, title text not null, primary key (company_id, id));
select app.enclose('public.jobs');";
const COMPANY: &str = "'00000000-0000-7000-8000-000000000001'";

/// A database with 2,500 jobs, and the three files of a change.
async fn with_jobs(who: As, name: &str, change: Change) -> Fixture {
    let fixture = Fixture::new(who).await;
    fixture.migration(1, "create_jobs", JOBS, "drop table public.jobs;");
    fixture.migrator().up(&fixture.source(), &options()).await.unwrap();
    let rows = format!("insert into public.jobs (company_id, id, title) select {COMPANY}, n, 'job ' || n from generate_series(1, 2500) n");
    fixture.administrator().await.batch_execute(&rows).await.unwrap();
    let wanted = NewMigration { name: name.to_owned(), author: "Test".to_owned(), now: Timestamp::UNIX_EPOCH, change };
    assert_eq!(new(&fixture.source(), &wanted).unwrap().len(), 6);
    fixture
}

fn key() -> Vec<String> {
    vec!["company_id".to_owned(), "id".to_owned()]
}

fn adding() -> Change {
    Change::AddColumn { table: "public.jobs".into(), column: "grade".into(), sql_type: "text".into(), fill: "'plain'".into(), key: key() }
}

fn renaming() -> Change {
    Change::RenameColumn {
        table: "public.jobs".into(),
        from: "title".into(),
        to: "subject".into(),
        sql_type: "text".into(),
        not_null: true,
        key: key(),
    }
}

#[tokio::test]
async fn a_column_is_added_in_batches_that_are_interrupted_and_go_on() {
    for who in [As::Superuser, As::Plain] {
        let fixture = with_jobs(who, "jobs_grade", adding()).await;
        let (migrator, source) = (fixture.migrator(), fixture.source());
        let two = Options { batches_max: Some(1), ..options() };
        let report = migrator.up(&source, &two).await.unwrap();
        assert_eq!(report.applied.len(), 1, "{report}");
        assert_eq!(report.unfinished.as_ref().unwrap().rows, 1000);
        assert_eq!(fixture.ask("select count(*) from public.jobs where grade = 'plain'").await, "1000");
        let status = migrator.status(&source).await.unwrap();
        assert_eq!((status.unfinished[0].rows_done, status.unfinished[0].table.as_str()), (1000, "public.jobs"));

        // Programs of the old form go on writing; what is changed in the done part stays as it is.
        let client = fixture.administrator().await;
        client.batch_execute(&format!("insert into public.jobs (company_id, id, title) values ({COMPANY}, 9000, 'new'); update public.jobs set grade = 'fine' where id = 5")).await.unwrap();
        let report = migrator.up(&source, &options()).await.unwrap();
        assert_eq!(
            report.applied.iter().map(|ran| (ran.name.as_str(), ran.rows)).collect::<Vec<_>>(),
            [("backfill_jobs_grade", 2500), ("contract_jobs_grade", 0)]
        );
        assert_eq!(fixture.ask("select string_agg(grade || ' ' || n, ', ' order by grade) from (select grade, count(*) n from public.jobs group by grade) g").await, "fine 1, plain 2500");
        assert_eq!(
            fixture.ask("select attnotnull from pg_attribute where attrelid = 'public.jobs'::regclass and attname = 'grade'").await,
            "true"
        );
        assert_eq!(fixture.ask("select count(*) from pg_constraint where conname like '%filled'").await, "0");
        assert_eq!(fixture.ask("select batches || ' ' || (finished_at is not null) from app.backfills").await, "3 true");
        assert!(migrator.status(&source).await.unwrap().is_current());
    }
}

#[tokio::test]
async fn a_column_is_renamed_while_both_sorts_of_programs_write() {
    for who in [As::Superuser, As::Plain] {
        let fixture = with_jobs(who, "jobs_subject", renaming()).await;
        let (migrator, source) = (fixture.migrator(), fixture.source());
        migrator.up(&source, &Options { batches_max: Some(1), ..options() }).await.unwrap();
        let client = fixture.administrator().await;
        for sql in [
            "insert into public.jobs (company_id, id, title) values ($C, 9001, 'old form')",
            "insert into public.jobs (company_id, id, subject) values ($C, 9002, 'new form')",
            "update public.jobs set title = 'old wrote' where id = 2000",
            "update public.jobs set subject = 'new wrote' where id = 1",
        ] {
            client.batch_execute(&sql.replace("$C", COMPANY)).await.unwrap();
        }
        assert_eq!(
            fixture
                .ask("select string_agg(title || '=' || subject, ', ' order by id) from public.jobs where id in (1, 2000, 9001, 9002)")
                .await,
            "new wrote=new wrote, old wrote=old wrote, old form=old form, new form=new form"
        );
        let contract = std::fs::read_dir(fixture.folder.path().join("migrations"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let version = contract.filter(|name| name.contains("backfill")).map(|name| name[..14].to_owned()).next().unwrap();
        migrator.up(&source, &Options { to: Some(version), ..options() }).await.unwrap();
        assert_eq!(fixture.ask("select count(*) from public.jobs where title = subject").await, "2502");

        migrator.up(&source, &options()).await.unwrap();
        assert_eq!(fixture.ask("select string_agg(attname, ',' order by attname) from pg_attribute where attrelid = 'public.jobs'::regclass and attnum > 0 and not attisdropped").await, "company_id,id,subject");
        assert_eq!(fixture.ask("select count(*) from pg_proc where proname like 'keep_jobs%'").await, "0");

        migrator.down(&source, &Back::Steps(1), &options()).await.unwrap();
        client.batch_execute("update public.jobs set title = 'back' where id = 3").await.unwrap();
        assert_eq!(fixture.ask("select count(*) from public.jobs where title = subject").await, "2502");
        migrator.down(&source, &Back::Steps(2), &options()).await.unwrap();
        assert_eq!(fixture.ask("select title from public.jobs where id = 3").await, "back");
    }
}

#[tokio::test]
async fn a_batch_statement_that_was_changed_half_way_is_refused() {
    let fixture = with_jobs(As::Plain, "jobs_grade", adding()).await;
    let (migrator, source) = (fixture.migrator(), fixture.source());
    migrator.up(&source, &Options { batches_max: Some(1), ..options() }).await.unwrap();
    let folder = fixture.folder.path().join("migrations");
    let file = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().ends_with("backfill_jobs_grade.up.sql"))
        .unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("= 'plain'", "= 'other'")).unwrap();
    assert_eq!(migrator.up(&source, &options()).await.unwrap_err().code(), migrate::CHECKSUM);
    std::fs::write(&file, text.replace("rows=any because", "rows=1..5 -- because")).unwrap();
    let error = migrator.up(&source, &options()).await.unwrap_err();
    assert_eq!(error.code(), migrate::ROWS, "{error}");
    assert!(error.message().contains("changed 2500 rows; the file announces 1 to 5"), "{}", error.message());
}

#[tokio::test]
async fn every_generated_file_has_an_exact_way_back() {
    for change in [adding(), renaming()] {
        let fixture = with_jobs(As::Plain, "jobs_change", change).await;
        let report = fixture.migrator().prove(&fixture.source(), &options()).await.unwrap();
        assert_eq!(report.reversible.len(), 4, "{report}");
    }
}

#[tokio::test]
async fn a_down_that_leaves_something_behind_is_found() {
    let mut fixture = Fixture::new(As::Superuser).await;
    // A login of its own, so that a database left behind is known by its owner.
    fixture.administrator().await.batch_execute("create role prover login superuser").await.unwrap();
    fixture.config.user("prover");
    fixture.migration(1, "create_jobs", JOBS, "drop table public.jobs;");
    fixture.migration(2, "add_note", "alter table public.jobs add column note text;", "select 1;");
    let error = fixture.migrator().prove(&fixture.source(), &options()).await.unwrap_err();
    assert_eq!(error.code(), migrate::NOT_REVERSIBLE);
    assert!(error.message().contains("20260101000002_add_note.up.sql"), "{}", error.message());
    assert!(error.message().contains("~ columns public.jobs"), "{}", error.message());
    assert_eq!(fixture.ask("select count(*) from pg_database where datdba = 'prover'::regrole").await, "0");
}

async fn the_real_files_can_be_taken_back_and_applied_again(who: As) {
    let fixture = Fixture::new(who).await;
    let report = fixture.migrator().prove(&Source::Embedded, &options()).await.unwrap();
    assert!(report.reversible.len() >= 3 && report.objects > 100, "{report}");
}

#[tokio::test]
async fn the_real_files_can_be_taken_back_and_applied_again_by_a_superuser() {
    the_real_files_can_be_taken_back_and_applied_again(As::Superuser).await;
}

#[tokio::test]
async fn the_real_files_can_be_taken_back_and_applied_again_by_whoever_may_make_roles() {
    the_real_files_can_be_taken_back_and_applied_again(As::Plain).await;
}
