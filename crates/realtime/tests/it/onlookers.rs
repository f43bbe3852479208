//! Two companies with members, and what somebody of them hears of changed rows.

use std::sync::Arc;
use std::time::Duration;

use kernel::{Authority, CompanyId, Principal, RequestContext, Result, SessionId, Subject, UserId};
use postgres::PoolOptions;
use postgres::feed::{Feed, FeedConfig, FeedMode, FeedOptions};
use realtime::changes::{Changes, ChangesConfig, ChangesOptions, Position, Sort, Subscription, Told, Viewer, Wanted};
use serde_json::Value;
use testkit::Db;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use uuid::Uuid;

pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
pub(crate) const A: &str = "01900000-0000-7000-8000-00000000000a";
pub(crate) const B: &str = "01900000-0000-7000-8000-00000000000b";

const COMPANIES: &str = "
insert into public.companies (id, name, slug) values
  ('01900000-0000-7000-8000-00000000000a', 'Ann', 'ann'), ('01900000-0000-7000-8000-00000000000b', 'Ben', 'ben')";

/// A server process that tells changes, or one of several.
pub(crate) struct Node {
    pub(crate) changes: Changes,
    authority: Arc<Authority>,
    tasks: Vec<JoinHandle<std::convert::Infallible>>,
}

/// Somebody who hears.
pub(crate) struct Onlooker {
    told: mpsc::Receiver<Told>,
    pub(crate) subscription: Subscription,
}

/// What somebody heard, in short.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Said {
    Live,
    Change(Vec<u64>, Value),
    Resync(&'static str),
    Ended(String),
}

pub(crate) async fn two_companies() -> Db {
    let db = Db::new().await;
    db.superuser().await.batch_execute(COMPANIES).await.unwrap();
    db
}

/// Makes a member with a session, and returns the user; the session has the same id.
pub(crate) async fn member(client: &Client, company: &str, role: &str) -> String {
    let id = Uuid::now_v7().to_string();
    let sql = format!(
        "insert into auth.users (id, email, email_confirmed_at) values ('{id}', '{id}@example.com', now());
         insert into public.team_members (company_id, user_id, role) values ('{company}', '{id}', '{role}');
         insert into auth.sessions (id, user_id, active_company_id) values ('{id}', '{id}', '{company}')"
    );
    client.batch_execute(&sql).await.unwrap();
    id
}

impl Node {
    pub(crate) async fn start(db: &Db, mode: FeedMode, change: impl FnOnce(&mut ChangesConfig)) -> Self {
        if mode == FeedMode::Poll {
            db.migrator().await.batch_execute("set role app_owner; select app.keep_changes(true)").await.unwrap();
        }
        #[expect(clippy::disallowed_methods, reason = "the test is where this process starts")]
        let authority = Authority::establish();
        let mut config = ChangesConfig::default();
        change(&mut config);
        let changes = Changes::new(ChangesOptions { database: db.database(), authority: Arc::clone(&authority), config });
        let config = FeedConfig { mode, pause_ms: 10, pause_max_ms: 100, ..FeedConfig::default() };
        let options = FeedOptions { pool: PoolOptions::new(db.server_config()), authority: Arc::clone(&authority), config };
        let feed = Feed::new(options).unwrap().with(changes.listener().unwrap());
        let told = changes.clone();
        let tasks = vec![tokio::spawn(feed.run()), tokio::spawn(async move { told.run().await })];
        Self { changes, authority, tasks }
    }

    pub(crate) fn viewer(&self, subject: Subject) -> Viewer {
        Viewer { principal: Principal::vouch(&self.authority, subject, "{}"), context: RequestContext::default() }
    }

    pub(crate) fn user(&self, id: &str) -> Viewer {
        let id: Uuid = id.parse().unwrap();
        self.viewer(Subject::User { user_id: UserId(id), session_id: Some(SessionId(id)) })
    }

    pub(crate) fn service(&self, company: Option<&str>) -> Viewer {
        let mut viewer = self.viewer(Subject::Service);
        viewer.principal = viewer.principal.in_company(company.map(|company| CompanyId(company.parse().unwrap())));
        viewer
    }

    pub(crate) async fn subscribe(&self, viewer: Viewer, wanted: Vec<(u64, Wanted)>, since: Option<Position>) -> Result<Onlooker> {
        let (to, told) = mpsc::channel(1000);
        let subscription = self.changes.subscribe(viewer, wanted, since, to).await?;
        Ok(Onlooker { told, subscription })
    }

    /// Subscribes and waits until everything is told.
    pub(crate) async fn live(&self, viewer: Viewer, wanted: Vec<(u64, Wanted)>) -> Onlooker {
        let mut onlooker = self.subscribe(viewer, wanted, None).await.unwrap();
        assert_eq!(onlooker.next().await.0, Said::Live);
        onlooker
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

pub(crate) fn wanted(table: &str) -> Wanted {
    Wanted { event: Sort::All, schema: "public".to_owned(), table: Some(table.to_owned()), filter: None, select: None }
}

pub(crate) fn filtered(table: &str, filter: &str) -> Wanted {
    Wanted { filter: Some(filter.to_owned()), ..wanted(table) }
}

impl Onlooker {
    /// Returns what comes next, and where it stands.
    pub(crate) async fn next(&mut self) -> (Said, Option<Position>) {
        let told = tokio::time::timeout(PATIENCE, self.told.recv()).await.expect("something is told in time");
        match told.expect("the subscription goes on") {
            Told::Live(position) => (Said::Live, Some(position)),
            Told::Change { ids, data, position } => (Said::Change(ids, serde_json::from_str(&data).unwrap()), Some(position)),
            Told::Resync { reason, position } => (Said::Resync(reason), Some(position)),
            Told::Ended(why) => (Said::Ended(why.to_string()), None),
        }
    }

    /// Returns the next change.
    pub(crate) async fn change(&mut self) -> Value {
        match self.next().await.0 {
            Said::Change(_, data) => data,
            other => panic!("{other:?}"),
        }
    }

    /// Returns what was heard up to a change of tags of this name, which is not part of it.
    pub(crate) async fn until_tag(&mut self, name: &str) -> Vec<Said> {
        let mut all = Vec::new();
        loop {
            let (said, _) = self.next().await;
            match &said {
                Said::Change(_, data) if data["record"]["name"] == name => return all,
                _ => all.push(said),
            }
        }
    }
}

/// Writes a tag in a company, behind everything that was written before.
pub(crate) async fn tag(client: &Client, company: &str, name: &str) {
    client.batch_execute(&format!("insert into public.tags (company_id, name) values ('{company}', '{name}')")).await.unwrap();
}
