//! The audit is sealed and anchored while the server runs, and `thorbis audit verify` finds whatever was done to it afterwards.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use kernel::Secret;
use postgres::Host;
use testkit::Db;

use crate::bare::{know_tls, without_database};

const COMPANY: &str = "01900000-0000-7000-8000-0000000000aa";

pub(crate) fn url(config: &postgres::Config) -> String {
    let Some(Host::Unix(socket)) = config.get_hosts().first() else { panic!("no socket") };
    let socket = socket.display().to_string().replace('/', "%2F");
    let password = config.get_password().map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()).unwrap_or_default();
    let port = config.get_ports().first().copied().unwrap_or(5432);
    format!("postgres://{}:{password}@{socket}:{port}/{}", config.get_user().unwrap(), config.get_dbname().unwrap())
}

pub(crate) fn verify(db: &Db, data: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thorbis"));
    command.args(["audit", "verify"]).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command.env("THORBIS_DATA_DIRECTORY", data).env("DATABASE_URL", url(&db.server_config())).output().unwrap()
}

pub(crate) fn said(output: &Output) -> (bool, String) {
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
}

/// Waits until something is true of the database. What is sealed waits for transactions of other databases of the cluster, too.
pub(crate) async fn until(db: &Db, what: &str) {
    let client = db.superuser().await;
    let deadline = Instant::now() + Duration::from_mins(2);
    while !client.query_one(&format!("select {what}"), &[]).await.unwrap().get::<_, bool>(0) {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Seals until all rows are: transactions of other databases of the cluster hold the seal back, too.
async fn sealed(db: &Db, rows: i64) {
    until(db, &format!("app.seal_audit() = 0 and (select coalesce(sum(row_count), 0) = {rows} from app.audit_batches)")).await;
}

/// What is done to the record, and what is to be said of it.
fn deeds(row: &str, id: &str, last: i64) -> Vec<(String, String)> {
    let in_the_end = format!("batches {last} to {last} of company {COMPANY} were anchored and are gone");
    vec![
        (format!("update public.audit_logs set user_id = '{COMPANY}' where id = {row}"), format!("edited: row {id}")),
        (format!("update public.audit_logs set new_values = '{{}}' where id = {row}"), format!("edited: row {id}")),
        (format!("delete from public.audit_logs where id = {row}"), format!("deleted: row {id}")),
        (
            format!("insert into public.audit_logs (company_id, action, entity_type, xid) values ('{COMPANY}', 'create', 'job', '5')"),
            "added after sealing: row".to_owned(),
        ),
        (
            format!("delete from public.audit_logs where id = any (select unnest(row_ids) from app.audit_batches where number = {last}); delete from app.audit_batches where number = {last}"),
            in_the_end,
        ),
        ("delete from app.audit_batches where number = 2".to_owned(), "broken chain: batch 3".to_owned()),
        ("update app.audit_batches set row_digests = sha256('x') || substr(row_digests, 33) where number = 2".to_owned(), "edited: the seal of batch 2".to_owned()),
        (
            "update app.audit_batches set rows_expired_at = now() where number = 2; delete from public.audit_logs where id = any (select unnest(row_ids) from app.audit_batches where number = 2)".to_owned(),
            "deleted: row".to_owned(),
        ),
        // As if the time had come.
        (
            "update app.audit_batches set rows_expired_at = sealed_at + interval '8 years' where number = 2; delete from public.audit_logs where id = any (select unnest(row_ids) from app.audit_batches where number = 2)".to_owned(),
            "deleted: row".to_owned(),
        ),
        // Kept from the seals: of a transaction to come, and from long ago above the mark.
        (
            format!("insert into public.audit_logs (company_id, action, entity_type, xid) values ('{COMPANY}', 'create', 'job', '900000000000')"),
            "not sealed: row".to_owned(),
        ),
        (
            format!("insert into public.audit_logs (company_id, action, entity_type, created_at) values ('{COMPANY}', 'create', 'job', now() - interval '1 hour')"),
            "not sealed: row".to_owned(),
        ),
        ("truncate public.audit_logs; truncate app.audit_batches".to_owned(), format!("batches 1 to {last} of company {COMPANY} were anchored")),
    ]
}

#[tokio::test]
async fn what_is_done_to_the_record_is_found() {
    know_tls();
    let db = Db::new().await;
    let client = db.superuser().await;
    client.batch_execute(&format!("insert into public.companies (id, name, slug) values ('{COMPANY}', 'C', 'cc')")).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut settings = without_database(&folder);
    settings.database.url = Some(Secret::new(url(&db.server_config())));
    settings.database.start_wait_ms = 60_000;
    settings.maintenance.seal_interval_ms = 50;
    settings.maintenance.anchor_interval_ms = 50;
    let data = settings.data_directory.clone();
    let server = Box::pin(server::start(settings)).await.unwrap();
    for number in 1..=4 {
        // One transaction after the other is sealed, so that there are several batches.
        for name in ["A", "B", "C"] {
            let insert = format!("insert into public.departments (company_id, name) values ('{COMPANY}', '{name}{number}')");
            client.batch_execute(&insert).await.unwrap();
        }
        until(&db, "not exists (select from public.audit_logs where xid >= (select below_xid from app.audit_seal))").await;
    }
    let last: i64 = client.query_one("select max(number) from app.audit_batches", &[]).await.unwrap().get(0);
    let deadline = Instant::now() + Duration::from_mins(2);
    while !std::fs::read_to_string(data.join("audit-anchors.jsonl")).unwrap_or_default().contains(&format!("\"number\":{last},")) {
        assert!(Instant::now() < deadline, "the last seal is never anchored");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.shutdown().await.unwrap();
    let (fine, text) = said(&verify(&db, &data));
    assert!(fine && text.contains("all as sealed") && last >= 4, "{last} batches: {text}");

    // Each is done, found and undone.
    let row = "(select id from public.audit_logs where new_values ->> 'name' = 'B2')";
    let id: String = client.query_one(&format!("select {row}::text"), &[]).await.unwrap().get(0);
    client
        .batch_execute(
            "create temp table kept as select * from public.audit_logs; create temp table seals as select * from app.audit_batches",
        )
        .await
        .unwrap();
    let put_back = "truncate public.audit_logs; insert into public.audit_logs select * from kept;
                    truncate app.audit_batches; insert into app.audit_batches select * from seals";
    for (done, found) in deeds(row, &id, last) {
        client.batch_execute(&done).await.unwrap();
        let (fine, text) = said(&verify(&db, &data));
        assert!(!fine && text.contains(&found), "{done}: {found} is not in {text}");
        client.batch_execute(put_back).await.unwrap();
    }
    let (fine, text) = said(&verify(&db, &data));
    assert!(fine, "{text}");
}

#[tokio::test]
async fn who_seals_all_anew_is_found_by_the_anchors() {
    let db = Db::new().await;
    let client = db.superuser().await;
    let write = format!(
        "insert into public.companies (id, name, slug) values ('{COMPANY}', 'C', 'cc');
         insert into public.departments (company_id, name) values ('{COMPANY}', 'A')"
    );
    client.batch_execute(&write).await.unwrap();
    sealed(&db, 2).await;
    let digest: String = client.query_one("select encode(digest, 'hex') from app.audit_batches", &[]).await.unwrap().get(0);
    let folder = tempfile::tempdir().unwrap();
    let anchor = format!("{{\"at\":\"2026-11-21T00:00:00Z\",\"company_id\":\"{COMPANY}\",\"number\":1,\"digest\":\"{digest}\"}}\n");
    std::fs::write(folder.path().join("audit-anchors.jsonl"), anchor).unwrap();
    assert!(said(&verify(&db, folder.path())).0);
    let forge = "update public.audit_logs set actor_role = 'nobody'; truncate app.audit_batches; update app.audit_seal set below_xid = '0'";
    client.batch_execute(forge).await.unwrap();
    sealed(&db, 2).await;
    let (fine, text) = said(&verify(&db, folder.path()));
    assert!(!fine && text.contains(&format!("rewritten: batch 1 of company {COMPANY} is not the one that was anchored")), "{text}");
}

#[tokio::test]
async fn rows_of_a_transaction_that_runs_are_sealed_later_and_once() {
    let db = Db::new().await;
    let (client, slow) = (db.superuser().await, db.superuser().await);
    client.batch_execute(&format!("insert into public.companies (id, name, slug) values ('{COMPANY}', 'C', 'cc')")).await.unwrap();
    let insert = |name: &str| format!("insert into public.departments (company_id, name) values ('{COMPANY}', '{name}')");
    slow.batch_execute(&format!("begin; {}", insert("slow"))).await.unwrap();
    client.batch_execute(&insert("quick")).await.unwrap();
    client.query("select app.seal_audit()", &[]).await.unwrap();
    client.batch_execute(&insert("while it is sealed")).await.unwrap();
    // Behind a transaction that runs nothing is sealed, and nobody waits.
    let early = "select count(*) from app.audit_batches b, unnest(b.row_ids) i join public.audit_logs a on a.id = i
                  where a.entity_type = 'department'";
    assert_eq!(client.query_one(early, &[]).await.unwrap().get::<_, i64>(0), 0);
    slow.batch_execute("commit").await.unwrap();
    for _ in 0..2 {
        sealed(&db, 4).await;
    }
}

#[tokio::test]
async fn what_nothing_speaks_for_outside_of_the_database_is_told() {
    let db = Db::new().await;
    let client = db.superuser().await;
    // Sealed an hour ago.
    let earlier = "do $$ begin
                     execute replace(pg_get_functiondef('app.seal_between(xid8, xid8)'::regprocedure), 'clock_timestamp()',
                                     'clock_timestamp() - interval ''1 hour''');
                   end $$";
    client.batch_execute(earlier).await.unwrap();
    client.batch_execute(&format!("insert into public.companies (id, name, slug) values ('{COMPANY}', 'C', 'cc')")).await.unwrap();
    sealed(&db, 1).await;
    let digest: String = client.query_one("select encode(digest, 'hex') from app.audit_batches", &[]).await.unwrap().get(0);
    let folder = tempfile::tempdir().unwrap();
    let (fine, text) = said(&verify(&db, folder.path()));
    assert!(!fine && text.contains("the file of anchors is gone"), "{text}");
    assert!(text.contains(&format!("not anchored: batches 1 to 1 of company {COMPANY}")), "{text}");
    let anchor = format!("{{\"at\":\"2026-11-21T00:00:00Z\",\"company_id\":\"{COMPANY}\",\"number\":1,\"digest\":\"{digest}\"}}\n");
    let anchors = folder.path().join("audit-anchors.jsonl");
    std::fs::write(&anchors, "").unwrap();
    let (fine, text) = said(&verify(&db, folder.path()));
    assert!(!fine && text.contains("not anchored: batches 1 to 1") && !text.contains("is gone"), "{text}");
    std::fs::write(&anchors, format!("rubbish\n{anchor}")).unwrap();
    let (fine, text) = said(&verify(&db, folder.path()));
    assert!(!fine && text.contains("garbled: line 1 of the anchors") && !text.contains("not anchored"), "{text}");
    // A line that its writer's end cut off is no lie.
    std::fs::write(&anchors, format!("{anchor}{}", &anchor[..40])).unwrap();
    let (fine, text) = said(&verify(&db, folder.path()));
    assert!(fine, "{text}");
}

#[tokio::test]
async fn a_database_restored_elsewhere_is_sealed_on_and_once() {
    let db = Db::new().await;
    let client = db.superuser().await;
    let insert = |name: &str| format!("insert into public.departments (company_id, name) values ('{COMPANY}', '{name}')");
    client.batch_execute(&format!("insert into public.companies (id, name, slug) values ('{COMPANY}', 'C', 'cc')")).await.unwrap();
    for name in ["A", "B", "C"] {
        client.batch_execute(&insert(name)).await.unwrap();
    }
    // Where it came from, transactions had higher numbers, and the last one was not sealed yet.
    let there = "update public.audit_logs set xid = (xid::text::bigint + 20000)::text::xid8;
                 select app.seal_between('0', (select max(xid) from public.audit_logs));
                 update app.audit_seal set place = 'there', below_xid = (select max(xid) from public.audit_logs)";
    client.batch_execute(there).await.unwrap();
    let count = "select coalesce(sum(row_count), 0)::bigint from app.audit_batches";
    assert_eq!(client.query_one(count, &[]).await.unwrap().get::<_, i64>(0), 3);
    client.batch_execute(&insert("D")).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (fine, text) = said(&verify(&db, folder.path()));
    assert!(!fine && text.contains("not sealed: row") && !text.contains("added"), "{text}");
    // Few rows at once, so that it takes several passes.
    let step = "app.seal_audit(1) = 0";
    let all = "(select sum(row_count) = 5 from app.audit_batches) and (select again_xid is null from app.audit_seal)";
    until(&db, &format!("{step} and {all}")).await;
    // Here the numbers of then come again.
    let burn = "do $$ begin for n in 1..25000 loop perform pg_current_xact_id(); commit; end loop; end $$";
    client.batch_execute(burn).await.unwrap();
    client.batch_execute(&insert("E")).await.unwrap();
    let behind = "exists (select from public.audit_logs where xid >= (select below_xid from app.audit_seal))";
    until(&db, &format!("{step} and not {behind}")).await;
    let ids = "select count(*) = 6 and count(distinct i) = 6 from app.audit_batches b, unnest(b.row_ids) i";
    assert!(client.query_one(ids, &[]).await.unwrap().get::<_, bool>(0));
    let (fine, text) = said(&verify(&db, folder.path()));
    assert!(fine, "{text}");
}
