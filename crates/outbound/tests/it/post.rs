//! An outbox on a database of its own, with a clock that the test turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use kernel::{Authority, Clock, CompanyId, Grant, RequestContext, Result};
use outbound::unsubscribe::Refused;
use outbound::{Asked, Channel, Dispatch, Dispatched, Limits, Message, Outbound, OutboundConfig, OutboundOptions, Pass, Posting, Seal};
use postgres::{Access, Database};

pub(crate) const START: i64 = 1_795_262_400;
pub(crate) const LIMITS: Limits = Limits { pause_seconds: 60, recipient_hour_max: 3, client_hour_max: 5 };

pub(crate) struct Post {
    pub(crate) db: testkit::Db,
    pub(crate) outbound: Outbound,
    pub(crate) database: Database,
    pub(crate) authority: Arc<Authority>,
    clock: Arc<Hands>,
}

struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

impl Post {
    pub(crate) async fn new(config: OutboundConfig) -> Self {
        Self::try_on(testkit::Db::new().await, config).unwrap()
    }

    /// The same, or why there is none.
    pub(crate) fn try_on(db: testkit::Db, config: OutboundConfig) -> Result<Self> {
        let clock = Arc::new(Hands(AtomicI64::new(START)));
        let hands: Arc<dyn Clock> = clock.clone();
        #[expect(clippy::disallowed_methods, reason = "the test is where this process starts")]
        let authority = Authority::establish();
        let database = db.database();
        let options =
            OutboundOptions { database: database.clone(), authority: Arc::clone(&authority), clock: hands, config, is_development: true };
        Ok(Self { db, outbound: Outbound::new(options)?, database, authority, clock })
    }

    pub(crate) fn wait(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Writes a message and commits.
    pub(crate) async fn put(&self, channel: Channel, recipient: &str) -> Result<Asked> {
        self.put_as(Posting { channel, recipient, ..posting() }).await
    }

    pub(crate) async fn put_as(&self, mut posting: Posting<'_>) -> Result<Asked> {
        let message = message();
        posting.message = &message;
        let tx = self.database.begin(&self.grant(), &RequestContext::default(), Access::Write).await?;
        let asked = self.outbound.put(&tx, &seal(), posting, LIMITS).await?;
        tx.commit().await?;
        Ok(asked)
    }

    /// Writes a message that nobody asked for, and commits.
    pub(crate) async fn dispatch(&self, dispatch: Dispatch<'_>) -> Result<Dispatched> {
        let tx = self.database.begin(&self.grant(), &RequestContext::default(), Access::Write).await?;
        let dispatched = self.outbound.dispatch(&tx, &seal(), dispatch).await?;
        tx.commit().await?;
        Ok(dispatched)
    }

    /// Does what the link in a mail does.
    pub(crate) async fn refuse(&self, refused: &Refused) {
        let tx = self.database.begin(&self.grant(), &RequestContext::default(), Access::Write).await.unwrap();
        refused.apply(&tx, true).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Founds a company.
    pub(crate) async fn company(&self, slug: &str) -> CompanyId {
        let made = "with owner as (insert into auth.users (id, email) values (gen_random_uuid(), $1 || '@example.com') returning id)
                    insert into public.companies (name, slug, owner_id) select 'Baker', $1, o.id from owner o returning id";
        CompanyId(self.db.superuser().await.query_one(made, &[&slug]).await.unwrap().get(0))
    }

    pub(crate) async fn sql(&self, sql: &str) {
        self.db.superuser().await.batch_execute(sql).await.unwrap();
    }

    pub(crate) async fn pass(&self) -> Pass {
        self.outbound.pass(&seal()).await.unwrap()
    }

    fn grant(&self) -> Grant {
        #[expect(clippy::disallowed_methods, reason = "the test asks as the server does")]
        Grant::system(&self.authority, None, "a test of the outbox")
    }

    /// Asks the administrator for one text.
    pub(crate) async fn ask(&self, sql: &str) -> String {
        let row = self.db.superuser().await.query_one(&format!("select ({sql})::text"), &[]).await.unwrap();
        row.get::<_, Option<String>>(0).unwrap_or_else(|| "null".to_owned())
    }
}

pub(crate) fn seal() -> Seal {
    Seal::new([b"a key of the installation".as_slice()].into_iter()).unwrap()
}

pub(crate) fn message() -> Message {
    Message {
        sender_name: "Baker & Söhne".to_owned(),
        subject: "Ihr Link".to_owned(),
        text: "The code is 481516".to_owned(),
        html: "<p>The code is 481516</p>".to_owned(),
        payload: None,
    }
}

static NOTHING: Message =
    Message { sender_name: String::new(), subject: String::new(), text: String::new(), html: String::new(), payload: None };

pub(crate) fn posting() -> Posting<'static> {
    Posting {
        company_id: None,
        channel: Channel::Mail,
        purpose: "magic_link",
        recipient: "ann@example.com",
        client: None,
        message: &NOTHING,
        is_asked: true,
        is_withheld: false,
    }
}
