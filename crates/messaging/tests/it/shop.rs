//! Companies with members on a database of their own, with a clock that the test turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::body::Body;
use axum::{Extension, Router};
use http::Request;
use http_body_util::BodyExt;
use jiff::Timestamp;
use kernel::{Authority, Clock, CompanyId, Grant, Principal, RequestContext, Result, Secret, Subject, UserId};
use limits::{Buckets, Keys, Limiter, RatesConfig};
use messaging::config::WebhookConfig;
use messaging::inbound::InboundConfig;
use messaging::{Delivery, Messaging, MessagingConfig, MessagingOptions, NotificationConfig, Pass, Vault};
use outbound::{Outbound, OutboundConfig, OutboundOptions, Seal};
use postgres::{Access, Tx};
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

/// The clock begins where the database's own is, since rows are made by that.
pub(crate) struct Shop {
    pub(crate) db: testkit::Db,
    pub(crate) messaging: Messaging,
    pub(crate) outbound: Outbound,
    authority: Arc<Authority>,
    clock: Arc<Forward>,
}

#[derive(Default)]
struct Forward(AtomicI64);

impl Clock for Forward {
    fn now(&self) -> Timestamp {
        Timestamp::now() + jiff::SignedDuration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

/// Seals by turning around, which is enough to see that what is kept is not what was said.
struct Turned;

impl Vault for Turned {
    fn seal(&self, row: Uuid, secret: &[u8]) -> Result<String> {
        let text: String = String::from_utf8(secret.to_vec()).unwrap().chars().rev().collect();
        Ok(format!("{row}:{text}"))
    }

    fn open(&self, row: Uuid, sealed: &str) -> Result<Secret<Vec<u8>>> {
        let text = sealed.strip_prefix(&format!("{row}:")).ok_or_else(|| kernel::Error::internal("of another row"))?;
        Ok(Secret::new(text.chars().rev().collect::<String>().into_bytes()))
    }

    fn outbox_seal(&self) -> Result<Seal> {
        Seal::new(std::iter::once(&b"a key of the test's own"[..]))
    }
}

/// Somebody who asks.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) company: Uuid,
    pub(crate) user: Uuid,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn refused(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.body["code"].as_str().unwrap_or_default()), (status, code), "{}", self.body);
    }

    pub(crate) fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.body);
        self.body["data"].clone()
    }
}

impl Shop {
    pub(crate) async fn new() -> Self {
        Self::with(WebhookConfig::default()).await
    }

    pub(crate) async fn with(webhooks: WebhookConfig) -> Self {
        Self::build(webhooks, InboundConfig::default(), NotificationConfig::default()).await
    }

    /// One that providers tell things.
    pub(crate) async fn listening(inbound: InboundConfig) -> Self {
        Self::build(WebhookConfig::default(), inbound, NotificationConfig::default()).await
    }

    /// One whose members are told of what happens.
    pub(crate) async fn telling(notifications: NotificationConfig) -> Self {
        let shop = Self::build(WebhookConfig::default(), InboundConfig::default(), notifications).await;
        let kinds = json!(
            ["deliver_notification", "send_digests", "notify_due"]
                .map(|name| { json!({ "name": name, "attempts_max": 4, "timeout_ms": 1000, "priority": 0, "fields": [] }) })
        );
        shop.sql(&format!("select app.declare_task_kinds('{kinds}')")).await;
        shop
    }

    async fn build(webhooks: WebhookConfig, inbound: InboundConfig, notifications: NotificationConfig) -> Self {
        let db = testkit::Db::new().await;
        let clock = Arc::new(Forward::default());
        #[expect(clippy::disallowed_methods, reason = "the test is where this process starts")]
        let authority = Authority::establish();
        let outbound = Outbound::new(OutboundOptions {
            database: db.database(),
            authority: Arc::clone(&authority),
            clock: Arc::<Forward>::clone(&clock),
            config: OutboundConfig::default(),
            is_development: true,
        })
        .unwrap();
        outbound.found_at("https://api.example.com/");
        let webhooks = WebhookConfig { private_addresses_allowed: true, ..webhooks };
        let messaging = Messaging::new(MessagingOptions {
            database: db.database(),
            authority: Arc::clone(&authority),
            clock: Arc::<Forward>::clone(&clock),
            outbound: outbound.clone(),
            vault: Arc::new(Turned),
            config: MessagingConfig { webhooks, inbound, notifications },
            public_url: "https://api.example.com/".to_owned(),
            limiter: Limiter::new(
                RatesConfig { public_minute_max: 3, ..RatesConfig::default() },
                Buckets::local(Keys::of_this_process().unwrap(), 10_000),
                Arc::<Forward>::clone(&clock),
            ),
        })
        .unwrap();
        Self { db, messaging, outbound, authority, clock }
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now().as_second()
    }

    pub(crate) fn wait(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) async fn pass(&self) -> Pass {
        self.messaging.pass().await.unwrap()
    }

    /// Sends what is in the outbox and returns the newest mail to an address.
    pub(crate) async fn mail(&self, to: &str) -> String {
        self.outbound.pass(&Turned.outbox_seal().unwrap()).await.unwrap();
        self.ask(&format!(
            "select subject || '|' || body_text from app.captured_messages where recipient = '{to}' order by created_at desc, id desc limit 1"
        ))
        .await
    }

    /// Decides who is told, and delivers what may be delivered now; returns how many wait.
    pub(crate) async fn tell(&self) -> usize {
        let decided = self.messaging.pass_notifications().await.unwrap();
        assert_eq!(decided.failed, 0, "{}", self.ask("select string_agg(error, ' ') from app.notification_events").await);
        let open = "select coalesce(jsonb_agg(jsonb_build_array(t.company_id, t.payload ->> 'notification_id')), '[]')
                      from app.tasks t where t.kind = 'deliver_notification'";
        let open: Vec<(Uuid, Uuid)> = serde_json::from_str(&self.ask(open).await).unwrap();
        let mut waiting = 0;
        for (company, id) in open {
            let tx = self.begin(Some(company)).await;
            let delivery = self.messaging.deliver_notification(&tx, CompanyId(company), id).await.unwrap();
            tx.commit().await.unwrap();
            if delivery == Delivery::Done {
                self.sql(&format!("delete from app.tasks where payload ->> 'notification_id' = '{id}'")).await;
            } else {
                waiting += 1;
            }
        }
        self.outbound.pass(&Turned.outbox_seal().unwrap()).await.unwrap();
        waiting
    }

    /// Opens a transaction of the service, as tasks have it.
    pub(crate) async fn begin(&self, company: Option<Uuid>) -> Tx {
        #[expect(clippy::disallowed_methods, reason = "the test does what a worker does")]
        let grant = Grant::system(&self.authority, company.map(CompanyId), "does a task");
        self.db.database().begin(&grant, &RequestContext::default(), Access::Write).await.unwrap()
    }

    /// Runs SQL as the administrator of the test's cluster.
    pub(crate) async fn sql(&self, sql: &str) {
        self.db.superuser().await.batch_execute(sql).await.unwrap();
    }

    /// Asks the administrator for one text.
    pub(crate) async fn ask(&self, sql: &str) -> String {
        let row = self.db.superuser().await.query_one(&format!("select ({sql})::text"), &[]).await.unwrap();
        row.get::<_, Option<String>>(0).unwrap_or_else(|| "null".to_owned())
    }

    /// Founds a company and returns its owner.
    pub(crate) async fn owner(&self, name: &str) -> Member {
        let (company, user) = (Uuid::now_v7(), Uuid::now_v7());
        self.sql(&format!(
            "insert into auth.users (id, email, email_confirmed_at) values ('{user}', '{name}@example.com', now());
             insert into public.companies (id, name, slug, owner_id) values ('{company}', '{name}''s', '{name}', '{user}');
             insert into public.team_members (company_id, user_id, role) values ('{company}', '{user}', 'owner');"
        ))
        .await;
        Member { company, user }
    }

    /// Adds a member of this role to a company.
    pub(crate) async fn member(&self, of: &Member, name: &str, role: &str) -> Member {
        let user = Uuid::now_v7();
        self.sql(&format!(
            "insert into auth.users (id, email, email_confirmed_at) values ('{user}', '{name}@example.com', now());
             insert into public.team_members (company_id, user_id, role) values ('{}', '{user}', '{role}');",
            of.company
        ))
        .await;
        Member { company: of.company, user }
    }

    /// Asks the routes as somebody; as nobody without.
    pub(crate) async fn call(&self, who: Option<&Member>, method: &str, path: &str, body: Option<Value>) -> Answer {
        let principal = match who {
            Some(member) => {
                let subject = Subject::User { user_id: UserId(member.user), session_id: None };
                let claims = json!({ "sub": member.user, "role": "authenticated" }).to_string();
                Principal::vouch(&self.authority, subject, claims).in_company(Some(CompanyId(member.company)))
            }
            None => Principal::vouch(&self.authority, Subject::Anonymous, "{}"),
        };
        let routes: Router = messaging::router(self.messaging.clone()).layer(Extension(principal));
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json").body(body).unwrap();
        let response = routes.oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
    }

    /// Makes a webhook and returns it with its secret.
    pub(crate) async fn webhook(&self, who: &Member, url: &str, more: Value) -> Value {
        let mut said = json!({ "name": "Till", "url": url, "events": ["*"] });
        said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.call(Some(who), "POST", "/", Some(said)).await.ok()
    }

    /// Adds a customer and returns his id.
    pub(crate) async fn customer(&self, who: &Member, name: &str) -> Uuid {
        let id = Uuid::now_v7();
        self.sql(&format!(
            "insert into public.customers (company_id, id, first_name, last_name, phone) values ('{}', '{id}', '{name}', 'Lee', '+15550100')",
            who.company
        ))
        .await;
        id
    }

    /// Returns status, tries and error of the log of a webhook's deliveries, the oldest first.
    pub(crate) async fn log(&self, webhook: &Value) -> Value {
        let text = self
            .ask(&format!(
                "select coalesce(jsonb_agg(jsonb_build_array(l.event_type, l.status, l.http_status_code, jsonb_array_length(l.attempts),
                                                             l.error_message) order by l.id), '[]')
                   from public.webhook_logs l where l.webhook_id = '{}'",
                webhook["id"].as_str().unwrap()
            ))
            .await;
        serde_json::from_str(&text).unwrap()
    }
}
