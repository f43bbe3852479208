//! Migrations against a real PostgreSQL, as superuser and as a plain CREATEROLE login.

use std::collections::HashSet;
use std::time::Duration;

use postgres::migrate::{self, Back, Options, Seeds, Source};

use crate::migrate_cluster::{As, Fixture, options};

const BOTH: [As; 2] = [As::Superuser, As::Plain];

const PARENTS: &str = "create table public.parents (id int primary key);\nselect app.enclose('public.parents');";
const CHILDREN: &str = "create table public.children (id int primary key, parent_id int);\nselect app.enclose('public.children');";

#[tokio::test]
async fn up_applies_in_order_keeps_book_and_is_done_the_second_time() {
    for who in BOTH {
        let fixture = Fixture::new(who).await;
        fixture.migration(1, "create_parents", PARENTS, "drop table public.parents;");
        fixture.migration(2, "create_children", CHILDREN, "drop table public.children;");
        fixture.write(
            "code/010_count.sql",
            "create or replace function app.children() returns bigint language sql as 'select count(*) from public.children';",
        );
        let report = fixture.migrator().up(&fixture.source(), &options()).await.unwrap();
        assert_eq!(report.applied.iter().map(|ran| ran.name.as_str()).collect::<Vec<_>>(), ["create_parents", "create_children"]);
        assert!(report.code_replaced);
        // What a plain login cannot have is told, and nothing else.
        let missing: Vec<&str> = report.degraded.iter().filter_map(|notice| notice.detail.as_deref()).collect();
        match who {
            As::Superuser => assert!(missing.is_empty(), "{missing:?}"),
            As::Plain => assert!(missing.contains(&"right: superuser (event trigger)"), "{missing:?}"),
        }
        assert_eq!(
            fixture.ask("select string_agg(relowner::regrole::text, ',') from pg_class where relname in ('parents', 'migrations')").await,
            "app_owner,app_owner"
        );
        assert_eq!(fixture.ask("select count(*) from app.migrations where length(checksum) = 64 and duration_ms >= 0").await, "2");

        let kept = "select extract(epoch from taken_at) from app.schema_fingerprints";
        let first = fixture.ask(kept).await;
        let again = fixture.migrator().up(&fixture.source(), &options()).await.unwrap();
        assert!(again.applied.is_empty() && !again.code_replaced, "{again}");
        assert_eq!(again.fingerprint, report.fingerprint);
        assert_eq!(fixture.ask(kept).await, first, "nothing changed, and the schema was looked at twice");
        let status = fixture.migrator().status(&fixture.source()).await.unwrap();
        assert!(status.is_current(), "{status}");
    }
}

#[tokio::test]
async fn a_failed_migration_leaves_nothing_and_names_the_place() {
    for who in BOTH {
        let fixture = Fixture::new(who).await;
        fixture.migration(1, "create_parents", PARENTS, "");
        fixture.migration(2, "break", "create table public.half (id int);\nselect app.enclose('public.half');\n\nalter table public.half\n  add constraint c check (nothing > 0);", "");
        let error = fixture.migrator().up(&fixture.source(), &options()).await.unwrap_err();
        assert_eq!(error.code(), migrate::FAILED);
        // Five header lines, then the statement of line 9 whose second line PostgreSQL points to.
        assert!(error.message().starts_with("migrations/20260101000002_break.up.sql:"), "{}", error.message());
        assert!(error.message().contains("42703 column \"nothing\" does not exist"), "{}", error.message());
        assert_eq!(error.details().unwrap()["sqlstate"], "42703");
        assert!([9, 10].contains(&error.details().unwrap()["line"].as_u64().unwrap()));
        assert_eq!(fixture.ask("select to_regclass('public.half')").await, "null");
        assert_eq!(fixture.ask("select string_agg(version, ',') from app.migrations").await, "20260101000001");

        fixture.migration(2, "break", "create table public.half (id int);\nselect app.enclose('public.half');", "");
        assert_eq!(fixture.migrator().up(&fixture.source(), &options()).await.unwrap().applied.len(), 1);
    }
}

#[tokio::test]
async fn a_migrator_that_is_killed_leaves_nothing_and_the_next_one_goes_on() {
    let fixture = Fixture::new(As::Plain).await;
    fixture.migration(1, "create_parents", &format!("{PARENTS}\nselect pg_sleep(30);"), "");
    let (migrator, source) = (fixture.migrator(), fixture.source());
    let run = tokio::spawn(async move { migrator.up(&source, &options()).await });
    let sleeping = "select min(pid) from pg_stat_activity where datname = current_database() and query = 'select pg_sleep(30)'";
    let pid = loop {
        match fixture.ask(sleeping).await.as_str() {
            "null" => assert!(!run.is_finished(), "the migration ended by itself"),
            pid => break pid.to_owned(),
        }
    };
    fixture.ask(&format!("select pg_terminate_backend({pid})")).await;
    assert!(run.await.unwrap().is_err());
    assert_eq!(fixture.ask("select to_regclass('public.parents')").await, "null");
    fixture.migration(1, "create_parents", PARENTS, "");
    assert_eq!(fixture.migrator().up(&fixture.source(), &options()).await.unwrap().applied.len(), 1);
}

#[tokio::test]
async fn a_foreign_key_over_an_orphan_is_refused_not_marked_valid() {
    for who in BOTH {
        let fixture = Fixture::new(who).await;
        fixture.migration(1, "create_tables", &format!("{PARENTS}\n{CHILDREN}\ninsert into public.children values (1, 99);"), "");
        fixture.migrator().up(&fixture.source(), &options()).await.unwrap();
        fixture.administrator().await.batch_execute("drop policy app_owner_all on public.children").await.unwrap();
        fixture.migration(
            2,
            "add_key",
            "alter table public.children add constraint children_parent_id_fkey foreign key (parent_id) references public.parents (id);",
            "",
        );

        let error = fixture.migrator().up(&fixture.source(), &options()).await.unwrap_err();
        assert_eq!(error.code(), migrate::OWNER_POLICY);
        assert!(error.message().contains("owner_policy_missing: children"), "{}", error.message());
        assert_eq!(fixture.ask("select count(*) from pg_constraint where conname = 'children_parent_id_fkey'").await, "0");

        // With the policy PostgreSQL itself sees the orphan.
        fixture
            .administrator()
            .await
            .batch_execute("create policy app_owner_all on public.children to app_owner using (true) with check (true)")
            .await
            .unwrap();
        let error = fixture.migrator().up(&fixture.source(), &options()).await.unwrap_err();
        assert_eq!(error.details().unwrap()["sqlstate"], "23503", "{error}");

        // A restrictive policy that reaches the owner hides rows as well.
        fixture.administrator().await.batch_execute("create policy wall on public.parents as restrictive using (id > 1000)").await.unwrap();
        let error = fixture.migrator().up(&fixture.source(), &options()).await.unwrap_err();
        assert_eq!(error.code(), migrate::OWNER_POLICY);
        assert!(error.message().contains("restrictive"), "{}", error.message());
    }
}

#[tokio::test]
async fn a_file_may_not_drop_the_policy_for_its_own_key() {
    let fixture = Fixture::new(As::Superuser).await;
    fixture.migration(1, "create_tables", &format!("{PARENTS}\n{CHILDREN}\ninsert into public.children values (1, 99);"), "");
    fixture.migrator().up(&fixture.source(), &options()).await.unwrap();
    fixture.migration(
        2,
        "cheat",
        "drop policy app_owner_all on public.children;\nalter table public.children add foreign key (parent_id) references public.parents (id);\nselect app.enclose('public.children');",
        "",
    );
    let error = fixture.migrator().up(&fixture.source(), &options()).await.unwrap_err();
    assert_eq!((error.code(), error.details().unwrap()["line"].as_u64()), (migrate::OWNER_POLICY, Some(7)));
}

#[tokio::test]
async fn a_table_left_without_forced_row_security_fails_the_file() {
    let fixture = Fixture::new(As::Plain).await;
    fixture.migration(1, "create_open", "create table public.open (id int);", "");
    let error = fixture.migrator().up(&fixture.source(), &options()).await.unwrap_err();
    assert_eq!(error.code(), migrate::NOT_FORCED);
    assert!(error.message().contains("open is left"), "{}", error.message());
    assert_eq!(fixture.ask("select to_regclass('public.open')").await, "null");
}

#[tokio::test]
async fn a_table_made_elsewhere_is_forced_at_the_next_up_or_told() {
    let fixture = Fixture::new(As::Plain).await;
    fixture.migrator().up(&fixture.source(), &options()).await.unwrap();
    fixture.connect().await.batch_execute("set role app_owner; create table public.mine (id int)").await.unwrap();
    fixture.administrator().await.batch_execute("create table public.foreigner (id int)").await.unwrap();
    let status = fixture.migrator().status(&fixture.source()).await.unwrap();
    assert_eq!(status.unforced, ["foreigner", "mine"]);
    assert!(status.schema_drift.contains(&"+ table public.mine".to_owned()), "{status}");
    let report = fixture.migrator().up(&fixture.source(), &options()).await.unwrap();
    assert_eq!(report.enclosed, ["mine"]);
    assert!(report.degraded.iter().any(|notice| notice.message.contains("foreigner")), "{report}");
}

#[tokio::test]
async fn a_backfill_that_changes_other_rows_than_announced_is_rolled_back() {
    for who in BOTH {
        let fixture = Fixture::new(who).await;
        fixture.migration(
            1,
            "create_parents",
            &format!("{PARENTS}\ninsert into public.parents select * from generate_series(1, 3);")
                .replace("insert", "-- backfill: parents rows=3\ninsert"),
            "",
        );
        fixture.migrator().up(&fixture.source(), &options()).await.unwrap();
        fixture.migration(2, "move_parents", "-- backfill: parents rows=3\nupdate public.parents set id = id + 10 where id > 1;", "");
        let error = fixture.migrator().up(&fixture.source(), &options()).await.unwrap_err();
        assert_eq!(error.code(), migrate::ROWS);
        assert!(error.message().contains("changed 2 rows; the file announces 3"), "{}", error.message());
        assert_eq!(fixture.ask("select sum(id) from public.parents").await, "6");

        // Under row security without the owner's policy it would change none, in silence.
        fixture.administrator().await.batch_execute("alter policy app_owner_all on public.parents using (id < 0)").await.unwrap();
        let error = fixture.migrator().up(&fixture.source(), &options()).await.unwrap_err();
        assert_eq!(error.code(), migrate::OWNER_POLICY);
        fixture.administrator().await.batch_execute("alter policy app_owner_all on public.parents using (true)").await.unwrap();

        fixture.migration(2, "move_parents", "-- backfill: parents rows=1..2\nupdate public.parents set id = id + 10 where id > 1;", "");
        assert_eq!(fixture.migrator().up(&fixture.source(), &options()).await.unwrap().applied[0].rows, 2);
        assert_eq!(fixture.ask("select sum(id) from public.parents").await, "26");
    }
}

#[tokio::test]
async fn a_backfill_over_hidden_rows_is_refused_by_its_count() {
    // The announced number is a wall of its own: the statement itself looks past the rows.
    let fixture = Fixture::new(As::Plain).await;
    fixture.migration(1, "create_parents", &format!("{PARENTS}\ninsert into public.parents values (1), (2);"), "");
    fixture.migration(2, "none", "-- backfill: parents rows=1..9\nupdate public.parents set id = id where id < 0;", "");
    let error = fixture.migrator().up(&fixture.source(), &options()).await.unwrap_err();
    assert_eq!(error.code(), migrate::ROWS);
    assert!(error.message().contains("changed 0 rows"), "{}", error.message());
}

#[tokio::test]
async fn what_disagrees_with_the_book_stops_up_and_is_told_by_status() {
    let fixture = Fixture::new(As::Superuser).await;
    fixture.migration(1, "one", "select 1;", "").migration(3, "three", "select 3;", "");
    fixture.migrator().up(&fixture.source(), &options()).await.unwrap();
    let code = async |fixture: &Fixture| {
        let status = fixture.migrator().status(&fixture.source()).await.unwrap();
        let refused = fixture.migrator().up(&fixture.source(), &options()).await.unwrap_err();
        assert_eq!(status.disagreements[0].code, refused.code());
        refused.code().to_owned()
    };
    fixture.migration(2, "two", "select 2;", "");
    assert_eq!(code(&fixture).await, migrate::OUT_OF_ORDER);
    for file in ["02_two.up", "02_two.down", "03_three.up", "03_three.down"] {
        std::fs::remove_file(fixture.folder.path().join(format!("migrations/202601010000{file}.sql"))).unwrap();
    }
    assert_eq!(code(&fixture).await, migrate::MISSING);
    fixture.migration(3, "three", "select 33;", "");
    assert_eq!(code(&fixture).await, migrate::CHECKSUM);
    fixture.migration(3, "three", "select 3;", "");
    assert!(fixture.migrator().status(&fixture.source()).await.unwrap().disagreements.is_empty());
}

#[tokio::test]
async fn a_schema_changed_by_hand_is_named() {
    let fixture = Fixture::new(As::Superuser).await;
    fixture.migration(1, "create_parents", PARENTS, "");
    fixture.migrator().up(&fixture.source(), &options()).await.unwrap();
    fixture
        .administrator()
        .await
        .batch_execute(
            "alter table public.parents add column extra text; create index by_hand on public.parents (extra); drop function auth.email()",
        )
        .await
        .unwrap();
    let status = fixture.migrator().status(&fixture.source()).await.unwrap();
    assert_eq!(status.schema_drift, ["~ columns public.parents", "+ index public.by_hand", "- function auth.email()"]);

    // The next run brings back what its files make, and does not take the rest for its own.
    let report = fixture.migrator().up(&fixture.source(), &options()).await.unwrap();
    assert_eq!(report.schema_drift.len(), 3, "{report}");
    let status = fixture.migrator().status(&fixture.source()).await.unwrap();
    assert_eq!(status.schema_drift, ["~ columns public.parents", "+ index public.by_hand"]);
}

#[tokio::test]
async fn a_lock_that_is_held_is_waited_for_with_retries() {
    let fixture = Fixture::new(As::Plain).await;
    fixture.migration(1, "create_parents", PARENTS, "");
    fixture.migrator().up(&fixture.source(), &options()).await.unwrap();
    fixture.migration(2, "add_note", "alter table public.parents add column note text;", "alter table public.parents drop column note;");
    let holder = fixture.administrator().await;
    holder.batch_execute("begin; lock table public.parents in access share mode").await.unwrap();

    let few = Options { attempts: 2, ..options() };
    let error = fixture.migrator().up(&fixture.source(), &few).await.unwrap_err();
    assert_eq!(error.details().unwrap()["sqlstate"], "55P03", "{error}");

    // It is given up when it is waited for a second time.
    let observer = fixture.administrator().await;
    let release = tokio::spawn(async move {
        let waits = "select waitstart::text from pg_locks where not granted and waitstart is not null
                       and database = (select oid from pg_database where datname = current_database())";
        let mut seen = HashSet::<String>::new();
        while seen.len() < 2 {
            seen.extend(observer.query(waits, &[]).await.unwrap().iter().map(|row| row.get(0)));
        }
        holder.batch_execute("commit").await.unwrap();
    });
    let report = fixture.migrator().up(&fixture.source(), &options()).await.unwrap();
    assert!(report.applied[0].tries > 1, "{report}");
    release.await.unwrap();
}

#[tokio::test]
async fn only_one_migrator_works_at_a_time() {
    let fixture = Fixture::new(As::Plain).await;
    // It is at work until there is another table.
    let works = "do $$ begin while to_regclass('public.enough') is null loop perform pg_sleep(0.02); end loop; end $$;";
    fixture.migration(1, "work", works, "");
    let first = {
        let (migrator, source) = (fixture.migrator(), fixture.source());
        tokio::spawn(async move { migrator.up(&source, &options()).await })
    };
    while fixture.ask("select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())").await == "0" {
        assert!(!first.is_finished(), "the first never held the lock");
    }
    let second = Options { lock_wait: Duration::from_millis(1), ..options() };
    assert_eq!(fixture.migrator().up(&fixture.source(), &second).await.unwrap_err().code(), migrate::LOCKED);
    fixture.administrator().await.batch_execute("create table public.enough ()").await.unwrap();
    first.await.unwrap().unwrap();
    assert_eq!(fixture.ask("select count(*) from app.migrations").await, "1");
}

#[tokio::test]
async fn an_invalid_index_left_behind_is_removed() {
    for who in BOTH {
        let fixture = Fixture::new(who).await;
        fixture.migration(1, "create_children", &format!("{CHILDREN}\ninsert into public.children values (1, 5), (2, 5);"), "");
        fixture.migration(
            2,
            "index_children",
            "-- transaction: none\ncreate unique index concurrently if not exists children_parent_key on public.children (parent_id);",
            "-- transaction: none\ndrop index concurrently if exists public.children_parent_key;",
        );
        // Duplicates: the build fails, and PostgreSQL leaves an invalid index.
        let error = fixture.migrator().up(&fixture.source(), &options()).await.unwrap_err();
        assert_eq!(error.details().unwrap()["sqlstate"], "23505", "{error}");
        assert_eq!(fixture.ask("select to_regclass('public.children_parent_key')").await, "null");

        // One left by a migrator that was killed stands in the way of "if not exists".
        let client = fixture.administrator().await;
        client.batch_execute("create unique index concurrently children_parent_key on public.children (parent_id)").await.unwrap_err();
        client.batch_execute("update public.children set parent_id = id").await.unwrap();
        assert_eq!(fixture.migrator().status(&fixture.source()).await.unwrap().invalid_indexes, ["children_parent_key"]);
        fixture.migrator().up(&fixture.source(), &options()).await.unwrap();
        assert_eq!(fixture.ask("select indisvalid from pg_index where indexrelid = 'public.children_parent_key'::regclass").await, "true");
        fixture.migrator().down(&fixture.source(), &Back::Steps(1), &options()).await.unwrap();
        assert_eq!(fixture.ask("select to_regclass('public.children_parent_key')").await, "null");
    }
}

#[tokio::test]
async fn down_goes_back_step_by_step_or_to_a_version() {
    let fixture = Fixture::new(As::Plain).await;
    fixture.migration(1, "create_parents", PARENTS, "drop table public.parents;");
    fixture.migration(2, "create_children", CHILDREN, "drop table public.children;");
    fixture.migration(3, "add_note", "alter table public.children add column note text;", "alter table public.children drop column note;");
    let (migrator, source) = (fixture.migrator(), fixture.source());
    migrator.up(&source, &options()).await.unwrap();
    let report = migrator.down(&source, &Back::Steps(1), &options()).await.unwrap();
    assert_eq!(report.reverted[0].version, "20260101000003");
    assert_eq!(migrator.down(&source, &Back::To("9".to_owned()), &options()).await.unwrap_err().code(), migrate::ARGUMENT);
    migrator.down(&source, &Back::To("20260101000001".to_owned()), &options()).await.unwrap();
    assert_eq!(fixture.ask("select to_regclass('public.children')").await, "null");
    std::fs::remove_file(fixture.folder.path().join("migrations/20260101000001_create_parents.down.sql")).unwrap();
    assert_eq!(migrator.down(&source, &Back::Steps(1), &options()).await.unwrap_err().code(), migrate::DOWN_MISSING);
    assert_eq!(migrator.up(&source, &options()).await.unwrap().applied.len(), 2);
}

#[tokio::test]
async fn the_transaction_belongs_to_the_runner() {
    let fixture = Fixture::new(As::Plain).await;
    fixture.migration(1, "sneak", "create table public.sneak (id int);\ncommit;", "");
    let error = fixture.migrator().up(&fixture.source(), &options()).await.unwrap_err();
    assert_eq!((error.code(), error.details().unwrap()["line"].as_u64()), (migrate::CONTROL, Some(7)));
}

#[tokio::test]
async fn an_unreachable_database_and_a_missing_login_are_told() {
    let mut config = tokio_postgres::Config::new();
    config.host_path("/nonexistent").user("nobody").password("hunter2").dbname("none");
    let error = migrate::Migrator::new(config).up(&Source::Embedded, &options()).await.unwrap_err();
    assert_eq!(error.code(), migrate::CONNECT);
    assert!(!format!("{error:?}").contains("hunter2"));

    let fixture = Fixture::new(As::Plain).await;
    let options = Options { server_login: Some("not_there".to_owned()), ..options() };
    let error = fixture.migrator().up(&fixture.source(), &options).await.unwrap_err();
    assert_eq!(error.code(), migrate::SERVER_LOGIN);
}

#[tokio::test]
async fn the_real_files_apply_both_ways_and_seed_twice_the_same() {
    for who in BOTH {
        let fixture = Fixture::new(who).await;
        let migrator = fixture.migrator();
        let options = Options { server_login: Some("thorbis_server".to_owned()), ..options() };
        let report = migrator.up(&Source::Embedded, &options).await.unwrap();
        assert!(report.permissions_changed > 0 && report.code_replaced, "{report}");
        let again = migrator.up(&Source::Embedded, &options).await.unwrap();
        assert!(again.applied.is_empty() && !again.code_replaced && again.permissions_changed == 0, "{again}");
        assert_eq!(again.fingerprint, report.fingerprint);
        // Looked at anew: bootstrap and rights of a second run change nothing, as `up` takes for granted.
        let status = migrator.status(&Source::Embedded).await.unwrap();
        assert!(status.is_current(), "{status}");
        assert_eq!(
            fixture.ask("select has_function_privilege('thorbis_server', 'app.open_request(text, uuid, uuid, uuid, text, text, boolean)', 'execute')
                and pg_has_role('thorbis_server', 'authenticated', 'member') and not pg_has_role('thorbis_server', 'app_owner', 'member')").await,
            "true"
        );
        let counts = "select string_agg(t, ',') from (select count(*)::text as t from public.companies union all select count(*)::text from public.jobs
            union all select count(*)::text from public.customers union all select count(*)::text from auth.users) c";
        migrator.seed(&Source::Embedded, Seeds::System, &options).await.unwrap();
        assert_eq!(fixture.ask(counts).await, "0,0,0,0");
        migrator.seed(&Source::Embedded, Seeds::Development, &options).await.unwrap();
        let first = fixture.ask(counts).await;
        assert_ne!(first, "0,0,0,0");
        migrator.seed(&Source::Embedded, Seeds::Development, &options).await.unwrap();
        assert_eq!(fixture.ask(counts).await, first);
    }
}

#[tokio::test]
async fn reset_takes_everything_away_and_makes_it_anew() {
    for who in BOTH {
        let fixture = Fixture::new(who).await;
        let (migrator, options) = (fixture.migrator(), options());
        let first = migrator.reset(&Source::Embedded, &options).await.unwrap();
        migrator.seed(&Source::Embedded, Seeds::Development, &options).await.unwrap();
        fixture.connect().await.batch_execute("set role app_owner; create table public.left_over (id int)").await.unwrap();
        let again = migrator.reset(&Source::Embedded, &options).await.unwrap();
        assert_eq!(again.applied.len(), first.applied.len());
        assert_eq!(again.fingerprint, first.fingerprint);
        assert_eq!(fixture.ask("select count(*) from public.companies").await, "0");
        assert!(migrator.status(&Source::Embedded).await.unwrap().is_current());
    }
}
