//! A queue on a database of its own, and kinds that do what the payload says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use kernel::{Authority, CompanyId, Grant, RequestContext};
use postgres::{Access, Database, Tx};
use queue::{Failure, Kind, Kinds, NewTask, Queue, QueueConfig, QueueOptions, Rules, Running, Worker};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

pub(crate) struct Shop {
    pub(crate) db: testkit::Db,
    pub(crate) database: Database,
    pub(crate) queue: Queue,
    pub(crate) seen: Seen,
    authority: Arc<Authority>,
}

/// What handlers did, in order.
#[derive(Clone)]
pub(crate) struct Seen(Arc<Inner>);

struct Inner {
    done: Mutex<Vec<String>>,
    began: Semaphore,
    go: Notify,
}

impl Seen {
    fn new() -> Self {
        Self(Arc::new(Inner { done: Mutex::default(), began: Semaphore::new(0), go: Notify::new() }))
    }

    /// Lets a handler that waits at the gate end.
    pub(crate) fn go(&self) {
        self.0.go.notify_one();
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.done.lock().unwrap())
    }

    /// Returns when a handler that waits began to.
    pub(crate) async fn began(&self) {
        self.0.began.acquire().await.unwrap().forget();
    }

    fn note(&self, what: String) {
        self.0.done.lock().unwrap().push(what);
    }
}

/// What a task is told to do.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Order {
    pub(crate) name: String,
    /// `fail`, `dead`, `panic`, `wait`, `gate`, `hang`, `later`, `within`, `lie`, `spoil`, `quick`; done otherwise.
    pub(crate) act: String,
}

/// A kind that obeys.
pub(crate) struct Obey(pub(crate) Seen);

/// Never ends, and has little time.
pub(crate) struct Hasty(pub(crate) Seen);

impl Kind for Hasty {
    const NAME: &'static str = "hasty";
    type Payload = Order;

    fn rules(&self) -> Rules {
        Rules { timeout: Duration::from_millis(20), ..Rules::default() }
    }

    async fn run(&self, task: Arc<Running>, order: Order) -> Result<Value, Failure> {
        self.0.note(order.name);
        if order.act == "wait" {
            task.stop().cancelled().await;
            return Err(Failure::again("told to stop"));
        }
        std::future::pending().await
    }
}

/// The same with other rules.
pub(crate) struct Limited(pub(crate) Seen);

impl Kind for Obey {
    const NAME: &'static str = "obey";
    type Payload = Order;

    fn rules(&self) -> Rules {
        Rules { attempts_max: 2, backoff_seconds: vec![600], ..Rules::default() }
    }

    async fn run(&self, task: Arc<Running>, order: Order) -> Result<Value, Failure> {
        self.0.note(format!("{}#{}", order.name, task.attempt()));
        match order.act.as_str() {
            "fail" => Err(Failure::again("the printer is out of paper")),
            "dead" => Err(Failure::never("there is no printer")),
            "panic" => panic!("on purpose"),
            "later" => Err(Failure::not_yet(Duration::from_mins(10))),
            "wait" => {
                self.0.0.began.add_permits(1);
                task.stop().cancelled().await;
                Err(Failure::again("told to stop"))
            }
            "gate" => {
                self.0.0.began.add_permits(1);
                self.0.0.go.notified().await;
                Ok(Value::Null)
            }
            "hang" => {
                self.0.0.began.add_permits(1);
                std::future::pending().await
            }
            "within" => {
                let tx = task.begin("finishes within").await?;
                tx.execute(note(&order.name)).await?;
                task.finish_within(&tx, json!({ "within": true })).await?;
                tx.commit().await?;
                Ok(Value::Null)
            }
            "lie" => {
                let tx = task.begin("finishes within and takes it back").await?;
                tx.execute(note(&order.name)).await?;
                task.finish_within(&tx, Value::Null).await?;
                tx.rollback().await?;
                Ok(Value::Null)
            }
            "quick" => Ok(Value::Null),
            "spoil" => Ok(json!({ "text": "\0" })),
            _ => {
                task.progress(50, "half of it").await?;
                Ok(json!({ "said": order.name }))
            }
        }
    }
}

impl Kind for Limited {
    const NAME: &'static str = "limited";
    type Payload = Order;

    fn rules(&self) -> Rules {
        Rules { running_max: Some(3), running_per_company_max: Some(2), running_per_key_max: Some(1), ..Rules::default() }
    }

    async fn run(&self, task: Arc<Running>, order: Order) -> Result<Value, Failure> {
        self.0.note(order.name);
        if order.act == "wait" {
            self.0.0.began.add_permits(1);
            task.stop().cancelled().await;
            return Err(Failure::again("told to stop"));
        }
        Ok(Value::Null)
    }
}

/// A row that only a handler writes.
fn note(name: &str) -> postgres::Sql {
    let mut sql = postgres::Sql::new(
        "insert into app.captured_messages (channel, purpose, sender, recipient, body_text, created_at)
         values ('mail', 'test', 'here', 'there@example.com', ",
    );
    sql.bind(name).text(", now())");
    sql
}

pub(crate) fn order(name: &str, act: &str) -> NewTask {
    NewTask::of::<Obey>(&Order { name: name.to_owned(), act: act.to_owned() })
}

pub(crate) fn hasty(name: &str, act: &str) -> NewTask {
    NewTask::of::<Hasty>(&Order { name: name.to_owned(), act: act.to_owned() })
}

pub(crate) fn limited(name: &str, act: &str) -> NewTask {
    NewTask::of::<Limited>(&Order { name: name.to_owned(), act: act.to_owned() })
}

fn new_queue(db: &testkit::Db, database: &Database, authority: &Arc<Authority>, config: QueueConfig) -> Queue {
    let listen = Some((db.server_config(), None));
    let options = QueueOptions { database: database.clone(), authority: Arc::clone(authority), config, node: "here".to_owned(), listen };
    Queue::new(options).unwrap()
}

impl Shop {
    pub(crate) async fn new() -> Self {
        let grace = QueueConfig { stop_grace_ms: 100, bell_interval_ms: 1, ..QueueConfig::default() };
        Self::with(grace).await
    }

    pub(crate) async fn with(config: QueueConfig) -> Self {
        let db = testkit::Db::new().await;
        #[expect(clippy::disallowed_methods, reason = "the test is where this process starts")]
        let authority = Authority::establish();
        let database = db.database();
        let queue = new_queue(&db, &database, &authority, config);
        let shop = Self { db, database, queue, seen: Seen::new(), authority };
        shop.queue.declare(&shop.kinds()).await.unwrap();
        shop
    }

    /// Returns the queue of another process.
    pub(crate) fn other(&self) -> Queue {
        new_queue(&self.db, &self.database, &self.authority, self.queue.config().clone())
    }

    pub(crate) fn kinds(&self) -> Kinds {
        Kinds::default().with(Obey(self.seen.clone())).with(Limited(self.seen.clone())).with(Hasty(self.seen.clone()))
    }

    pub(crate) fn worker(&self) -> Worker {
        Worker::new(self.queue.clone(), self.kinds())
    }

    /// Opens a transaction of the service.
    pub(crate) async fn begin(&self) -> Tx {
        #[expect(clippy::disallowed_methods, reason = "the test asks as the server does")]
        let grant = Grant::system(&self.authority, None, "a test of the queue");
        self.database.begin(&grant, &RequestContext::default(), Access::Write).await.unwrap()
    }

    pub(crate) async fn put(&self, task: NewTask) -> Uuid {
        self.queue.enqueue(task).await.unwrap()
    }

    /// Does what is ready and returns what handlers saw.
    pub(crate) async fn drain(&self) -> Vec<String> {
        self.worker().drain().await;
        let mut seen = self.seen.take();
        seen.sort();
        seen
    }

    /// Founds a company.
    pub(crate) async fn company(&self, name: &str) -> CompanyId {
        let id = CompanyId::new_v7();
        let sql = "insert into public.companies (id, name, slug) values ($1, $2, $2)";
        self.db.superuser().await.execute(sql, &[&id.0, &name]).await.unwrap();
        id
    }

    /// Asks the administrator for one text.
    pub(crate) async fn ask(&self, sql: &str) -> String {
        let row = self.db.superuser().await.query_one(&format!("select ({sql})::text"), &[]).await.unwrap();
        row.get::<_, Option<String>>(0).unwrap_or_else(|| "null".to_owned())
    }

    pub(crate) async fn execute(&self, sql: &str) {
        self.db.superuser().await.batch_execute(sql).await.unwrap();
    }

    /// Returns what the database has of one column, in order.
    pub(crate) async fn list(&self, column: &str, from: &str) -> String {
        self.ask(&format!("select string_agg({column}, ' ' order by {column}) from {from}")).await
    }

    /// Lets everything that is put off be due.
    pub(crate) async fn wait_for_all(&self) {
        self.execute("update app.tasks set run_at = now() where state = 'later'").await;
        self.worker().tend().await.unwrap();
    }
}
