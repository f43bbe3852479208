//! A whole project comes from elsewhere: its people sign in with their passwords and reach their rows, and a second import brings
//! only what is new.

use std::path::PathBuf;

use postgres::migrate::{Bring, ImportReport, Migrator, Options, Origin};
use postgres::{Config, Host};
use serde_json::json;

use crate::server::{Caller, Server};

/// A database beside the server's, with a project in it.
struct Elsewhere {
    config: Config,
}

impl Elsewhere {
    async fn new(server: &Server) -> Self {
        let mut config = server.db.migrator_config();
        let name = format!("{}_elsewhere", config.get_dbname().unwrap());
        let make = format!("create database \"{name}\" template template0");
        server.db.migrator().await.batch_execute(&make).await.unwrap();
        config.dbname(&name);
        testkit::connect(&config).await.batch_execute(include_str!("source.sql")).await.unwrap();
        Self { config }
    }

    fn origin(&self) -> Origin {
        let Some(Host::Unix(socket)) = self.config.get_hosts().first() else { panic!("no socket") };
        let password = String::from_utf8(self.config.get_password().unwrap().to_vec()).unwrap();
        let variables = [
            ("PGHOST", socket.display().to_string()),
            ("PGUSER", self.config.get_user().unwrap().to_owned()),
            ("PGDATABASE", self.config.get_dbname().unwrap().to_owned()),
            ("PGPASSWORD", password),
        ];
        Origin {
            login: Migrator::new(self.config.clone()),
            dump_program: PathBuf::from("pg_dump"),
            dump_environment: variables.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        }
    }

    async fn import(&self, server: &Server) -> ImportReport {
        let migrator = Migrator::new(server.db.migrator_config());
        let report = Box::pin(migrator.import_supabase(&self.origin(), Bring::default(), &Options::default())).await.unwrap();
        server.api.reload().await.unwrap();
        report
    }
}

fn counts(report: &ImportReport) -> Vec<(&str, u64, i64, i64)> {
    report.tables.iter().map(|table| (table.table.as_str(), table.brought, table.rows_there, table.rows_here)).collect()
}

async fn sign_in(server: &Server, email: &str, password: &str) -> Caller {
    let session = server.auth(&Server::nobody(), "token?grant_type=password", json!({ "email": email, "password": password })).await.ok();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    Caller { token: Some(text(&session["access_token"])), user_id: text(&session["user"]["id"]), ..Caller::default() }
}

#[tokio::test]
async fn people_rows_and_files_are_the_same_on_both_sides() {
    let server = Server::new().await;
    let elsewhere = Elsewhere::new(&server).await;
    let report = Box::pin(elsewhere.import(&server)).await;
    assert!(report.is_same(), "{report}");
    assert_eq!(
        counts(&report),
        [
            ("auth.users", 2, 2, 2),
            ("auth.identities", 1, 1, 1),
            ("storage.buckets", 1, 1, 1),
            ("storage.objects", 1, 1, 1),
            ("public.profiles", 2, 2, 2),
            ("private.notes", 500, 500, 500),
            ("public.words", 3, 3, 3),
        ]
    );
    let ada = sign_in(&server, "ada@example.com", "abc").await;
    assert_eq!(server.get(&ada, "profiles").await.ok(), json!([{ "id": ada.user_id, "full_name": "Ada L.", "mood": "tired" }]));
    let client = server.db.superuser().await;
    let hash = client.query_one("select encrypted_password from auth.users where email = 'ada@example.com'", &[]).await.unwrap();
    assert!(hash.get::<_, &str>(0).starts_with("$argon2id$"), "it was renewed");
    let refused = server.auth(&Server::nobody(), "token?grant_type=password", json!({ "email": "bob@example.com", "password": "" })).await;
    assert_eq!((refused.status, &refused.body["msg"]), (400, &json!("Invalid login credentials")), "{}", refused.text);
    // What the schema says holds here, too.
    for (sql, expected) in [
        ("select string_agg(tablename, ',') from pg_publication_tables where pubname = 'supabase_realtime'", "profiles"),
        ("select string_agg(mood || ' ' || count, ', ' order by mood) from public.moods", "fine 1, tired 1"),
        ("select count(*) from pg_policies where schemaname = 'storage' and policyname = 'seen by all'", "1"),
        ("select nextval('private.notes_id_seq')", "501"),
        ("select name from public.users where email = 'ada@example.com'", "Ada"),
        ("select confdeltype from pg_constraint where conname = 'profiles_id_fkey'", "c"),
    ] {
        let row = client.query_one(&format!("select ({sql})::text"), &[]).await.unwrap();
        assert_eq!(row.get::<_, Option<&str>>(0), Some(expected), "{sql}");
    }
}

#[tokio::test]
async fn a_second_import_brings_what_is_new_and_nothing_else() {
    let server = Server::new().await;
    let elsewhere = Elsewhere::new(&server).await;
    Box::pin(elsewhere.import(&server)).await;
    sign_in(&server, "ada@example.com", "abc").await;
    let again = Box::pin(elsewhere.import(&server)).await;
    assert!(again.is_same() && again.tables.iter().all(|table| table.brought == 0), "{again}");
    sign_in(&server, "ada@example.com", "abc").await;

    let change = "insert into auth.users (id, email, created_at, updated_at) values ('33333333-3333-4333-8333-333333333333', 'cem@example.com', now(), now());
                  update public.profiles set full_name = 'Cem' where id = '33333333-3333-4333-8333-333333333333';
                  update private.notes set weight = 7 where id = 3;
                  delete from public.words where word = 'two'";
    testkit::connect(&elsewhere.config).await.batch_execute(change).await.unwrap();
    let third = Box::pin(elsewhere.import(&server)).await;
    let brought: Vec<(&str, u64, bool)> = third.tables.iter().map(|table| (table.table.as_str(), table.brought, table.same)).collect();
    assert_eq!(
        brought,
        [
            ("auth.users", 1, true),
            ("auth.identities", 0, true),
            ("storage.buckets", 0, true),
            ("storage.objects", 0, true),
            ("public.profiles", 1, true),
            ("private.notes", 1, true),
            // Nothing is taken away, and that is told.
            ("public.words", 0, false),
        ]
    );
    assert!(third.to_string().contains("DIFFERS    public.words: 2 rows there, 3 here, 0 brought now"), "{third}");
    let client = server.db.superuser().await;
    let row =
        client.query_one("select full_name from public.profiles where id = '33333333-3333-4333-8333-333333333333'", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "Cem", "and not what the trigger would write");
}
