//! The change feed, both ways: what is told, in what order, and what becomes of listeners when something was lost.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::{Authority, Change, ChangeKind, ChangeListener, ChangedRows, FeedEvent, GapCause};
use postgres::PoolOptions;
use postgres::feed::{Feed, FeedConfig, FeedMode, FeedOptions, FeedStatus, Way};
use postgres::migrate::{Migrator, Options, Source};
use testkit::Db;
use tokio::sync::mpsc;
use tokio_postgres::Client;

use crate::caller::{self, COMPANY, USER};

const PATIENCE: Duration = Duration::from_mins(1);
const BOTH: [FeedMode; 2] = [FeedMode::Stream, FeedMode::Poll];
const OTHER: &str = "01900000-0000-7000-8000-0000000000f1";

struct Ear(mpsc::UnboundedSender<FeedEvent>);

impl ChangeListener for Ear {
    fn hear(&self, event: &FeedEvent) {
        // Whoever stopped listening is not told.
        let _heard = self.0.send(event.clone());
    }
}

/// A feed that is listened to.
struct Heard {
    events: mpsc::UnboundedReceiver<FeedEvent>,
    status: FeedStatus,
    feed: tokio::task::JoinHandle<std::convert::Infallible>,
}

impl Heard {
    async fn begin(db: &Db, mode: FeedMode, change: impl FnOnce(&mut FeedConfig)) -> Self {
        if mode == FeedMode::Poll {
            db.migrator().await.batch_execute("set role app_owner; select app.keep_changes(true)").await.unwrap();
        }
        let mut config = FeedConfig { mode, pause_ms: 10, pause_max_ms: 100, ..FeedConfig::default() };
        change(&mut config);
        #[expect(clippy::disallowed_methods, reason = "the test is where this process starts")]
        let authority = Authority::establish();
        let (ear, events) = mpsc::unbounded_channel();
        let options = FeedOptions { pool: PoolOptions::new(db.server_config()), authority, config };
        let feed = Feed::new(options).unwrap().with(Arc::new(Ear(ear)));
        let status = feed.status();
        Self { events, status, feed: tokio::spawn(feed.run()) }
    }

    async fn next(&mut self) -> FeedEvent {
        self.events.recv().await.expect("the feed goes on for ever")
    }

    /// Waits until everything is told from here on; returns the floor and the tables.
    async fn opened(&mut self) -> (u64, Arc<HashSet<(Box<str>, Box<str>)>>) {
        let opened = async {
            loop {
                if let FeedEvent::Opened { floor, tables, .. } = self.next().await {
                    return (floor, tables);
                }
            }
        };
        tokio::time::timeout(PATIENCE, opened).await.expect("it opens")
    }

    async fn gap(&mut self) -> GapCause {
        let gap = async {
            loop {
                if let FeedEvent::Gap(cause) = self.next().await {
                    return cause;
                }
            }
        };
        tokio::time::timeout(PATIENCE, gap).await.expect("a gap is told")
    }

    /// Waits until a transaction was told; or until everything is told behind it, and returns from where on.
    async fn told_or_passed(&mut self, xid: u64) -> Option<u64> {
        let told = async {
            loop {
                match self.next().await {
                    FeedEvent::Committed(rows) if rows.xid == xid => return None,
                    FeedEvent::Opened { floor, .. } if floor > xid => return Some(floor),
                    _ => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, told).await.expect("it is told or passed")
    }

    /// Returns what was told of all that was committed before now.
    async fn settled(&mut self) -> Vec<Arc<ChangedRows>> {
        let (now, mut told) = (Instant::now(), Vec::new());
        let settled = async {
            loop {
                match self.next().await {
                    FeedEvent::Committed(rows) => told.push(rows),
                    FeedEvent::Beat(sent) if sent > now => return told,
                    FeedEvent::Beat(_) => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, settled).await.expect("a beat comes")
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        self.feed.abort();
    }
}

async fn committed(client: &Client, sql: &str) -> u64 {
    let sql = format!("begin; {sql}; select pg_current_xact_id()::text; commit");
    let messages = client.simple_query(&sql).await.unwrap();
    let row = messages.iter().rev().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap().parse().unwrap()),
        _ => None,
    });
    row.unwrap()
}

fn said(change: &Change) -> (ChangeKind, &str, Option<&str>) {
    (change.kind, &change.table.name, change.value("first_name").or_else(|| change.value("role")))
}

#[tokio::test]
async fn every_transaction_is_told_whole_and_with_what_its_tables_promise() {
    for mode in BOTH {
        let db = caller::database_with_a_member().await;
        let client = db.superuser().await;
        let mut heard = Heard::begin(&db, mode, |_| ()).await;
        let (floor, tables) = heard.opened().await;
        assert!(tables.contains(&("public".into(), "customers".into())) && !tables.contains(&("public".into(), "audit_logs".into())));
        assert!(!tables.contains(&("auth".into(), "identities".into())), "how somebody signs in is nobody's business");
        let xid = committed(
            &client,
            &format!(
                "set local timezone = 'Asia/Tokyo'; set local datestyle = 'German, DMY';
                 insert into public.companies (id, name, slug) values ('{OTHER}', 'Ben', 'ben');
                 insert into public.customers (company_id, first_name, phone, notes, created_at)
                   values ('{OTHER}', 'Cleo', '+15550101', (select string_agg(md5(i::text), '') from generate_series(1, 120) i), '2026-01-02 03:04:05+00');
                 savepoint s; update public.customers set first_name = 'never'; rollback to savepoint s;
                 update public.customers set first_name = 'Clea' where company_id = '{OTHER}'"
            ),
        )
        .await;
        client.batch_execute("begin; update public.customers set first_name = 'undone'; rollback").await.unwrap();
        let last = committed(
            &client,
            &format!(
                "update public.team_members set role = 'viewer', voicemail_pin = '4711';
                 delete from public.customers where company_id = '{COMPANY}'"
            ),
        )
        .await;
        let told = heard.settled().await;
        assert!(floor <= xid && xid < last, "{mode:?}");
        let first: Vec<_> =
            told.iter().find(|rows| rows.xid == xid).unwrap().changes.iter().filter(|c| &*c.table.name == "customers").collect();
        assert_eq!(
            first.iter().map(|change| said(change)).collect::<Vec<_>>(),
            [(ChangeKind::Insert, "customers", Some("Cleo")), (ChangeKind::Update, "customers", Some("Clea"))],
            "{mode:?}"
        );
        assert!(first.iter().all(|change| change.company_id.unwrap().to_string() == OTHER));
        assert_eq!(first[0].value("created_at"), Some("2026-01-02 03:04:05+00"), "whatever the writer's zone is");
        assert_eq!(first[0].key().map(|(name, _)| name).collect::<Vec<_>>(), ["company_id", "id"]);
        let second = &told.iter().find(|rows| rows.xid == last).unwrap().changes;
        let member = second.iter().find(|change| &*change.table.name == "team_members").unwrap();
        assert_eq!((member.old_value("role"), member.value("role")), (Some("admin"), Some("viewer")), "{mode:?}");
        assert_eq!((member.value("user_id"), member.value("voicemail_pin")), (Some(USER), None), "a secret is not told");
        assert_eq!(member.key().map(|(name, _)| name).collect::<Vec<_>>(), ["company_id", "id"]);
        let gone = second.iter().find(|change| change.kind == ChangeKind::Delete).unwrap();
        assert_eq!((gone.value("company_id"), gone.new.is_none()), (Some(COMPANY), true));
        let names = told.iter().flat_map(|rows| &rows.changes).filter_map(|change| change.value("first_name"));
        assert!(names.into_iter().all(|name| name != "never" && name != "undone"), "{mode:?}");
        let way = if mode == FeedMode::Stream { Way::Streamed } else { Way::Polled };
        assert!(heard.status.way() == way && heard.status.lag().unwrap() < PATIENCE);
    }
}

#[tokio::test]
async fn a_long_transaction_delays_nobody_and_is_told_when_it_ends() {
    for mode in BOTH {
        let db = caller::database_with_a_member().await;
        let (long, short) = (db.superuser().await, db.superuser().await);
        let mut heard = Heard::begin(&db, mode, |_| ()).await;
        heard.opened().await;
        long.batch_execute("begin; update public.team_members set job_title = 'late'").await.unwrap();
        let xid = committed(&short, "update public.customers set first_name = 'soon'").await;
        let told = heard.settled().await;
        assert!(told.iter().any(|rows| rows.xid == xid), "{mode:?} {told:?}");
        assert!(told.iter().flat_map(|rows| &rows.changes).all(|change| &*change.table.name != "team_members"));
        long.batch_execute("commit").await.unwrap();
        let told = heard.settled().await;
        assert!(told.iter().flat_map(|rows| &rows.changes).any(|change| change.value("job_title") == Some("late")), "{mode:?}");
    }
}

#[tokio::test]
async fn who_was_cut_off_begins_anew_behind_all_that_was() {
    for mode in BOTH {
        let db = caller::database_with_a_member().await;
        let client = db.superuser().await;
        let mut heard = Heard::begin(&db, mode, |_| ()).await;
        let (first, _) = heard.opened().await;
        heard.settled().await;
        // Nobody else is in this database but the feed.
        let cut = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
        let lost = committed(&client, &format!("update public.customers set first_name = 'lost'; {cut}")).await;
        if mode == FeedMode::Stream {
            assert_eq!(heard.gap().await, GapCause::Disconnected);
        }
        // Where changes are polled nothing is lost with a connection: it is told, or everybody begins behind it.
        let second = heard.told_or_passed(lost).await;
        assert!(first <= lost && (mode == FeedMode::Poll || lost < second.unwrap()), "{mode:?}: {first} {lost} {second:?}");
        let xid = committed(&client, "update public.customers set first_name = 'told'").await;
        assert!(heard.settled().await.iter().any(|rows| rows.xid == xid), "{mode:?}");
    }
}

#[tokio::test]
async fn changes_are_told_where_the_number_of_the_cluster_may_not_be_asked() {
    for mode in BOTH {
        let db = caller::database_with_a_member().await;
        let client = db.superuser().await;
        client.batch_execute("revoke execute on function pg_control_system() from public").await.unwrap();
        let mut heard = Heard::begin(&db, mode, |_| ()).await;
        heard.opened().await;
        let xid = committed(&client, "update public.customers set first_name = 'told'").await;
        assert!(heard.settled().await.iter().any(|rows| rows.xid == xid), "{mode:?}");
    }
}

#[tokio::test]
async fn what_is_too_large_or_emptied_has_everybody_begin_anew() {
    for mode in BOTH {
        let db = caller::database_with_a_member().await;
        let client = db.superuser().await;
        let mut heard = Heard::begin(&db, mode, |config| {
            config.transaction_bytes_max = 65_536;
            config.poll_rows_max = 100;
        })
        .await;
        heard.opened().await;
        let many = format!("insert into public.tags (company_id, name) select '{COMPANY}', 'tag ' || i from generate_series(1, 1000) i");
        let large = committed(&client, &many).await;
        assert_eq!(heard.gap().await, GapCause::TooLarge, "{mode:?}");
        assert!(heard.opened().await.0 > large, "{mode:?}");
        let emptied = committed(&client, "truncate public.tags cascade").await;
        assert_eq!(heard.gap().await, GapCause::Truncated, "{mode:?}");
        assert!(heard.opened().await.0 > emptied, "{mode:?}");
        let xid = committed(&client, "update public.customers set first_name = 'told'").await;
        assert!(heard.settled().await.iter().any(|rows| rows.xid == xid), "{mode:?}");
    }
}

#[tokio::test]
async fn a_table_that_changes_is_told_as_it_is_now() {
    for mode in BOTH {
        let db = caller::database_with_a_member().await;
        let owner = db.migrator().await;
        owner.batch_execute("set role app_owner").await.unwrap();
        let mut heard = Heard::begin(&db, mode, |_| ()).await;
        heard.opened().await;
        owner.batch_execute("alter table public.customers add column shoe_size integer").await.unwrap();
        committed(&owner, "update public.customers set shoe_size = 43").await;
        let told = heard.settled().await;
        assert!(told.iter().flat_map(|rows| &rows.changes).any(|change| change.value("shoe_size") == Some("43")), "{mode:?}");
    }
    let db = caller::database_with_a_member().await;
    let owner = db.migrator().await;
    let mut heard = Heard::begin(&db, FeedMode::Auto, |_| ()).await;
    assert!(heard.opened().await.1.contains(&("public".into(), "tags".into())));
    assert_eq!(heard.status.way(), Way::Streamed, "the log goes before the outbox");
    owner.batch_execute("set role app_owner; alter publication thorbis_changes drop table public.tags").await.unwrap();
    assert_eq!(heard.gap().await, GapCause::TablesChanged);
    heard.opened().await;
}

#[tokio::test]
async fn the_outbox_is_emptied_and_only_for_the_feed() {
    let db = caller::database_with_a_member().await;
    let client = db.superuser().await;
    let mut heard = Heard::begin(&db, FeedMode::Poll, |config| config.poll_kept_s = 5).await;
    heard.opened().await;
    client.batch_execute("update public.customers set first_name = 'kept'").await.unwrap();
    let left = "select count(*) from app.change_outbox";
    assert!(client.query_one(left, &[]).await.unwrap().get::<_, i64>(0) > 0);
    let begun = Instant::now();
    while client.query_one(left, &[]).await.unwrap().get::<_, i64>(0) > 0 {
        assert!(begun.elapsed() < PATIENCE, "what all have seen is forgotten");
        heard.settled().await;
    }
    // Whoever is not a server reads nothing of it.
    for role in ["anon", "authenticated", "guest"] {
        for statement in ["select count(*) from app.change_outbox", "select count(*) from app.kept_changes('1:1:', 10)"] {
            let refused = client.batch_execute(&format!("begin; set local role {role}; {statement}")).await.unwrap_err();
            assert_eq!(refused.code().unwrap().code(), "42501", "{role}");
            client.batch_execute("rollback").await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_migrate_has_changes_kept_where_the_log_may_not_be_read() {
    let db = Db::new().await;
    let client = db.superuser().await;
    let login = format!("polls_{}", std::process::id());
    // With limits, since whoever examines the cluster meanwhile would miss them.
    let limits =
        format!("alter role {login} set statement_timeout = '5min'; alter role {login} set idle_in_transaction_session_timeout = '5min'");
    client.batch_execute(&format!("create role {login} login noinherit; {limits}")).await.unwrap();
    let usual = db.server_config().get_user().unwrap().to_owned();
    for (login, kept) in [(login.as_str(), true), (login.as_str(), true), (usual.as_str(), false)] {
        let options = Options { server_login: Some(login.to_owned()), ..Options::default() };
        Migrator::new(db.migrator_config()).up(&Source::Embedded, &options).await.unwrap();
        let said = client.query_one("select app.changes_are_kept()", &[]).await.unwrap();
        assert_eq!(said.get::<_, bool>(0), kept, "{login}");
    }
    client.batch_execute(&format!("drop owned by {login}; drop role {login}")).await.unwrap();
}

/// What nobody is told of, which must not lie in the outbox either.
const SECRETS: [&str; 3] = ["hash-of-a-password", "feedfacefeedface", "4711"];

async fn kept(client: &Client) -> String {
    let sql = "select coalesce(string_agg(concat_ws(' ', kind, relation::regclass, new_row, old_row), E'\\n'), '') from app.change_outbox";
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn what_nobody_is_told_of_is_not_kept_for_servers_that_poll() {
    let db = caller::database_with_a_member().await;
    let client = db.superuser().await;
    let mut heard = Heard::begin(&db, FeedMode::Poll, |_| ()).await;
    heard.opened().await;
    client
        .batch_execute(&format!(
            "insert into auth.users (id, email, phone, encrypted_password) values ('{OTHER}', 'somebody@example.com', '+15550199', 'hash-of-a-password');
             update auth.users set encrypted_password = 'hash-of-a-password again' where id = '{OTHER}';
             insert into auth.sessions (id, user_id, user_agent) values ('{OTHER}', '{OTHER}', 'hash-of-a-password');
             update public.team_members set voicemail_pin = '4711';
             insert into public.api_keys (company_id, id, name, key_prefix, key_hash)
               values ('{COMPANY}', '{OTHER}', 'Till', 'thk_x', repeat('feedface', 8));
             update public.customers set notes = 'Mind the dog';
             delete from auth.users where id = '{OTHER}'"
        ))
        .await
        .unwrap();
    let outbox = kept(&client).await;
    assert!(outbox.contains("Mind the dog") && outbox.contains("auth.users") && outbox.contains("thk_x"), "{outbox}");
    for secret in SECRETS {
        assert!(!outbox.contains(secret), "{secret} in {outbox}");
    }
    let of_accounts: Vec<&str> = outbox.lines().filter(|line| line.contains(" auth.")).collect();
    assert!(
        of_accounts.len() > 3 && of_accounts.iter().all(|line| !line.contains("somebody@") && !line.contains("+15550199")),
        "{of_accounts:?}"
    );
    // It is told all the same whose account, session and key it is.
    let told = heard.settled().await;
    let changes: Vec<&Change> = told.iter().flat_map(|rows| &rows.changes).collect();
    let of = |name: &str| changes.iter().filter(|change| &*change.table.name == name).copied().collect::<Vec<_>>();
    let kinds: Vec<ChangeKind> = of("users").iter().filter(|change| &*change.table.schema == "auth").map(|change| change.kind).collect();
    assert_eq!(kinds, [ChangeKind::Insert, ChangeKind::Update, ChangeKind::Delete]);
    assert_eq!((of("sessions")[0].value("id"), of("sessions")[0].value("user_id")), (Some(OTHER), Some(OTHER)));
    assert_eq!((of("api_keys")[0].value("name"), of("api_keys")[0].value("key_hash")), (Some("Till"), None));
    // Every table's trigger leaves out what is hidden of it, and nothing else.
    let differs = "
        select count(*)::integer, count(*) filter (where hidden <> '[]')::integer
          from app.feed_tables() f join app.feed_columns() c on c.relation = f::oid::bigint
          join pg_trigger t on t.tgrelid = f and t.tgname = 'keep_change'
         where array(select jsonb_array_elements_text(hidden::jsonb) order by 1)
               = array(select jsonb_object_keys(nullif(rtrim(encode(t.tgargs, 'escape'), '\\000'), '')::jsonb) order by 1)";
    let row = client.query_one(differs, &[]).await.unwrap();
    let tables = client.query_one("select count(*)::integer from app.feed_tables()", &[]).await.unwrap().get::<_, i32>(0);
    assert!(row.get::<_, i32>(0) == tables && row.get::<_, i32>(1) > 5, "{row:?} of {tables}");
}

#[tokio::test]
async fn what_becomes_secret_is_taken_out_of_what_was_kept() {
    let db = caller::database_with_a_member().await;
    let client = db.superuser().await;
    let mut heard = Heard::begin(&db, FeedMode::Poll, |_| ()).await;
    heard.opened().await;
    client.batch_execute("update public.customers set notes = 'Mind the dog', first_name = 'Cleo'").await.unwrap();
    assert!(kept(&client).await.contains("Mind the dog"));
    let label = "set role app_owner; comment on column public.customers.notes is 'secret'; select app.keep_changes(true)";
    db.migrator().await.batch_execute(label).await.unwrap();
    client.batch_execute("update public.customers set first_name = 'Clea'").await.unwrap();
    let outbox = kept(&client).await;
    assert!(!outbox.contains("Mind the dog") && outbox.contains("Cleo") && outbox.contains("Clea"), "{outbox}");
}

#[tokio::test]
async fn whoever_polls_hears_that_changes_are_kept_no_more() {
    let db = caller::database_with_a_member().await;
    let client = db.superuser().await;
    let mut heard = Heard::begin(&db, FeedMode::Poll, |_| ()).await;
    heard.opened().await;
    heard.settled().await;
    let keep = async |on: bool| {
        let owner = db.migrator().await;
        owner.batch_execute(&format!("set role app_owner; select app.keep_changes({on})")).await.unwrap();
    };
    keep(false).await;
    assert_eq!(heard.gap().await, GapCause::TablesChanged);
    assert_eq!(kept(&client).await, "", "nobody would forget what is left");
    keep(true).await;
    heard.opened().await;
    let xid = committed(&client, "update public.customers set first_name = 'told'").await;
    assert!(heard.settled().await.iter().any(|rows| rows.xid == xid));
}
