//! The doctor at servers of its own: one that is set as badly as can be, one whose disk failed, and the private cluster as it is made.

#[cfg(test)]
#[path = "../it/asking.rs"]
mod asking;
#[cfg(test)]
mod machine;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::{Duration, Instant};

    use doctor::{DoctorConfig, Report, Severity, Thresholds, Wanted};
    use postgres::Config;
    use postgres::cluster::{self, ClusterOptions};
    use testkit::connect;

    use crate::asking::{told, visit};
    use crate::machine::Machine;

    const DEADLINE: Duration = Duration::from_secs(30);

    /// Every finding, as `code object`.
    fn found(report: &Report) -> Vec<String> {
        let mut found: Vec<String> = report.counted().map(|finding| format!("{} {}", finding.code, finding.object)).collect();
        found.sort();
        found
    }

    async fn ask(login: &Config, only: &[&str], thresholds: Thresholds) -> Report {
        let wanted = Wanted { only: only.iter().map(|word| (*word).to_owned()).collect(), ..Wanted::default() };
        visit(login, &wanted, &DoctorConfig { thresholds, ..DoctorConfig::default() }).await
    }

    /// Asks until so many are found.
    async fn ask_until(login: &Config, only: &[&str], thresholds: &Thresholds, number: usize) -> Report {
        let began = Instant::now();
        loop {
            let report = ask(login, only, thresholds.clone()).await;
            if report.counted().count() >= number || began.elapsed() > DEADLINE {
                return report;
            }
        }
    }

    #[tokio::test]
    async fn a_badly_set_server_is_told_all_of_it_once() {
        let machine = Machine::make(
            false,
            "fsync = off\nfull_page_writes = off\nsynchronous_commit = off\nautovacuum = off\nlog_lock_waits = off\nlog_min_duration_statement = -1\n\
             wal_level = logical\nmax_prepared_transactions = 2\narchive_mode = on\narchive_command = 'false'\nlisten_addresses = '0x7f000001'\n\
             deadlock_timeout = 20ms\nmax_slot_wal_keep_size = -1\n",
        );
        machine.start();
        let login = machine.config();
        let client = connect(&login).await;
        client
            .batch_execute(
                "set password_encryption = md5; create role anon; create role authenticated;
                 create role gate login password 'hunter2' in role authenticated; select pg_switch_wal();",
            )
            .await
            .unwrap();
        let report = ask_until(&login, &["server", "archiving_fails"], &Thresholds::default(), 11).await;
        let expected = [
            "archiving_fails archiver",
            "autovacuum_off setting autovacuum",
            "checksums_off setting data_checksums",
            "commits_not_awaited setting synchronous_commit",
            "connections_unencrypted setting ssl",
            "limits_absent role gate",
            "log_says_little setting log_*",
            "login_without_password pg_hba.conf line 1",
            "role_password_md5 role gate",
            "statements_uncounted extension pg_stat_statements",
            "writes_unsafe setting fsync",
            "writes_unsafe setting full_page_writes",
        ];
        assert_eq!(found(&report), expected, "{:#?}", told(&report));
        machine.stop();
    }

    #[tokio::test]
    async fn a_version_with_holes_is_told() {
        let machine = Machine::make(true, "");
        machine.start();
        for (version, evidence) in [
            (150_013, "version 15.13, mended in 15.14"),
            (120_022, "version 12 is mended no more"),
            (130_023, "version 13, mended until 2025-11-13"),
        ] {
            let mut wanted = Wanted { only: vec!["version_unsafe".to_owned()], ..Wanted::default() };
            wanted.asked.version = Some(version);
            let report = visit(&machine.config(), &wanted, &DoctorConfig::default()).await;
            assert_eq!(report.counted().map(|finding| finding.evidence.as_str()).collect::<Vec<_>>(), [evidence]);
        }
        machine.stop();
    }

    #[tokio::test]
    async fn what_belongs_to_the_platform_is_left_out() {
        let machine = Machine::make(true, "");
        machine.start();
        let client = connect(&machine.config()).await;
        let open = "create table public.open (id uuid primary key); create schema storage; create table storage.tus (id uuid primary key);
                    grant select on public.open, storage.tus to anon";
        client.batch_execute("create role anon; create role authenticated").await.unwrap();
        client.batch_execute(open).await.unwrap();
        let only = ["row_security_off"];
        let report = ask(&machine.config(), &only, Thresholds::default()).await;
        assert_eq!(found(&report), ["row_security_off public.open", "row_security_off storage.tus"]);
        client.batch_execute("create role supabase_admin; alter schema storage owner to supabase_admin").await.unwrap();
        let report = ask(&machine.config(), &only, Thresholds::default()).await;
        assert_eq!((report.database.kind.as_str(), found(&report)), ("supabase", vec!["row_security_off public.open".to_owned()]));
        drop(client);
        machine.stop();
    }

    #[tokio::test]
    async fn what_goes_on_is_told_once() {
        let machine = Machine::make(true, "max_prepared_transactions = 2\ndeadlock_timeout = 20ms\n");
        machine.start();
        let login = machine.config();
        let holder = connect(&login).await;
        for statement in [
            "create table public.held (id int primary key); insert into public.held values (1), (2); create role narrow login connection limit 1",
            "begin; insert into public.held values (3)",
            "prepare transaction 'left'",
            "begin; update public.held set id = 11 where id = 1",
        ] {
            holder.batch_execute(statement).await.unwrap();
        }
        let waiter = connect(&login).await;
        let waiting = tokio::spawn(async move { waiter.batch_execute("update public.held set id = 12 where id = 1").await });
        let mut as_narrow = login.clone();
        as_narrow.user("narrow");
        let _narrow = connect(&as_narrow).await;
        let thresholds =
            Thresholds { transaction_seconds: 0, idle_seconds: 0, blocked_seconds: 0, connections_percent: 0, ..Thresholds::default() };
        let report = ask_until(&login, &["activity"], &thresholds, 6).await;
        let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
        for finding in report.counted() {
            *codes.entry(&finding.code).or_default() += 1;
        }
        let once = [
            "connections_near_limit",
            "prepared_transaction_left",
            "role_near_limit",
            "session_blocked",
            "transaction_idle",
            "transaction_long",
        ];
        assert_eq!(codes.into_iter().collect::<Vec<_>>(), once.map(|code| (code, 1)), "{:#?}", told(&report));
        holder.batch_execute("rollback").await.unwrap();
        holder.batch_execute("rollback prepared 'left'").await.unwrap();
        waiting.await.unwrap().unwrap();
        assert_eq!(found(&ask(&login, &["activity"], Thresholds::default()).await), ["role_near_limit role narrow"]);
        machine.stop();
    }

    #[tokio::test]
    async fn transactions_that_waited_for_each_other_are_told() {
        let machine = Machine::make(true, "deadlock_timeout = 20ms\n");
        machine.start();
        let login = machine.config();
        let (one, other) = (connect(&login).await, connect(&login).await);
        one.batch_execute("create table public.held (id int primary key); insert into public.held values (1), (2)").await.unwrap();
        one.batch_execute("begin; update public.held set id = id where id = 1").await.unwrap();
        other.batch_execute("begin; update public.held set id = id where id = 2").await.unwrap();
        let (first, second) = tokio::join!(
            one.batch_execute("update public.held set id = id where id = 2"),
            other.batch_execute("update public.held set id = id where id = 1"),
        );
        assert!(first.is_err() != second.is_err());
        drop((one, other));
        let report = ask_until(&login, &["deadlocks"], &Thresholds::default(), 1).await;
        assert_eq!(found(&report), ["deadlocks database postgres"]);
        machine.stop();
    }

    #[tokio::test]
    async fn slots_and_copies_are_told() {
        let machine = Machine::make(true, "max_slot_wal_keep_size = -1\n");
        machine.start();
        let login = machine.config();
        assert_eq!(
            found(&ask(&login, &["slot_left", "slot_keeps_log", "slots_unlimited", "copy_behind"], Thresholds::default()).await),
            Vec::<String>::new()
        );
        let client = connect(&login).await;
        client.batch_execute("select pg_create_physical_replication_slot('left', true)").await.unwrap();
        let slots = ["slot_left", "slot_keeps_log", "slots_unlimited"];
        let report = ask(&login, &slots, Thresholds::default()).await;
        assert_eq!(found(&report), ["slot_left slot left", "slots_unlimited setting max_slot_wal_keep_size"]);
        let little = Thresholds { slot_bytes: 0, lag_bytes: 0, ..Thresholds::default() };
        let report = ask(&login, &slots, little.clone()).await;
        assert_eq!(found(&report), ["slot_keeps_log slot left", "slots_unlimited setting max_slot_wal_keep_size"]);
        assert_eq!(report.worst(), Some(Severity::Critical));
        let copy = machine.copy();
        let report = ask_until(&login, &["copy_behind"], &little, 1).await;
        assert_eq!(found(&report), ["copy_behind copy doctor_copy"]);
        // A server that stops waits for who takes its log.
        drop(copy);
        machine.stop();
    }

    #[tokio::test]
    async fn a_page_that_the_disk_changed_is_told() {
        let machine = Machine::make(true, "");
        machine.start();
        let client = connect(&machine.config()).await;
        client.batch_execute("create table public.torn as select generate_series(1, 1000) as id; checkpoint").await.unwrap();
        let file: String = client.query_one("select pg_relation_filepath('public.torn')", &[]).await.unwrap().get(0);
        drop(client);
        machine.stop();
        machine.tear(&file);
        machine.start();
        let client = connect(&machine.config()).await;
        client.batch_execute("select count(*) from public.torn").await.unwrap_err();
        drop(client);
        let report = ask_until(&machine.config(), &["server"], &Thresholds::default(), 2).await;
        let torn: Vec<String> = found(&report).into_iter().filter(|line| line.starts_with("checksum")).collect();
        assert_eq!(torn, ["checksum_failed database postgres"]);
        machine.stop();
    }

    #[tokio::test]
    async fn the_private_cluster_is_set_well() {
        let folder = tempfile::Builder::new().prefix("thorbis-doctor-").tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
        let mut options = ClusterOptions::new(folder.path().join("data"));
        options.memory_share_percent = 5;
        let cluster = Box::pin(cluster::start(options)).await.unwrap();
        let login = cluster.migrator_config();
        let client = connect(&login).await;
        let report = ask(&login, &["server", "safety", "activity"], Thresholds::default()).await;
        let mut expected = vec![
            "archiving_off setting archive_mode",
            "limits_absent role thorbis_server",
            "statements_uncounted extension pg_stat_statements",
        ];
        assert_eq!(found(&report), expected, "{:#?}", told(&report));
        // The library is there where the machine has it; then what is slow is counted.
        let is_counting: String = client.query_one("show shared_preload_libraries", &[]).await.unwrap().get(0);
        if is_counting.contains("pg_stat_statements") {
            client.batch_execute("create schema counted; create extension pg_stat_statements schema counted").await.unwrap();
            for _ in 0..3 {
                client.query("select pg_sleep(0.6), 'hunter2'", &[]).await.unwrap();
            }
            let slow = Thresholds { slow_ms: 550, slow_calls: 3, ..Thresholds::default() };
            let report = ask(&login, &["slow_statement", "statements_uncounted"], slow).await;
            let told: Vec<&str> = report.counted().map(|finding| finding.evidence.as_str()).collect();
            assert!(told.len() == 1 && told[0].ends_with("3 calls: select pg_sleep($1), $2"), "{told:?}");
            assert_eq!(report.findings[0].code, "slow_statement");
            expected.pop();
            assert_eq!(found(&ask(&login, &["server", "safety"], Thresholds::default()).await), expected);
        }
        drop(client);
        cluster.stop().await.unwrap();
    }
}
