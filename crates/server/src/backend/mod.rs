//! The floors below, wired: pool, sign-in and data API, and what the server asks of them.
//!
//! Invariant: the process's one authority is made here and goes to the auth layer alone; what the server itself asks of the database,
//! it asks with a grant that says why.

mod accounts;
mod alerts;
mod channels;
mod context;
mod demo;
mod files;
mod listening;
mod parts;
mod rate_rules;
mod rates;
mod replicas;
mod rights;
mod vault;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use auth::keys::KeyRing;
use auth::{Auth, AuthOptions};
use axum::{Router, middleware};
use blobs::Files;
use data_api::DataApi;
use kernel::{Authority, Clock, Grant, RequestContext, Result, SystemClock};
use limits::Limiter;
use messaging::{Messaging, MessagingOptions};
use outbound::Outbound;
use postgres::feed::{Feed, FeedStatus};
use postgres::{Access, Answer, Database, Sql, Tx};
use queue::cron::Cron;
use queue::{Kinds, Queue, Worker};
use realtime::Realtime;
use redis_link::Link;
use storage::Storage;
use tokio_util::sync::CancellationToken;
use transfers::Transfers;

use crate::config::Settings;
use crate::metrics::PoolGauges;
use crate::start::{StartError, replica_options};
use crate::tasks;
pub(crate) use alerts::node;

use listening::Listening;
use vault::RingVault;

/// A change feed that lags by more is worth a word.
const FEED_LAG: Duration = Duration::from_secs(5);

/// What the floors below are made of.
pub(crate) struct BackendOptions<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) server: postgres::Config,
    pub(crate) keys: KeyRing,
    pub(crate) public_url: &'a str,
}

/// The floors below. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Backend(Arc<Inner>);

struct Inner {
    database: Database,
    authority: Arc<Authority>,
    auth: Auth,
    limiter: Limiter,
    /// Where several servers share what they count; nowhere unless configured.
    redis: Option<Link>,
    outbound: Outbound,
    queue: Queue,
    messaging: Messaging,
    files: Files,
    transfers: Transfers,
    storage: Storage,
    kinds: Kinds,
    cron: Cron,
    data_api: DataApi,
    realtime: Realtime,
    /// Who tells of changed rows, until it works.
    feed: Mutex<Option<Feed>>,
    feed_status: FeedStatus,
    /// Where the database tells of changes; nowhere behind a pooler.
    listening: Option<Listening>,
    version: OnceLock<String>,
}

impl Backend {
    /// Wires everything. Connects to nothing yet.
    pub(crate) fn new(options: BackendOptions<'_>) -> std::result::Result<Self, StartError> {
        let BackendOptions { settings, server, keys, public_url } = options;
        let listening = settings.database.prepared_statements.then(|| Listening::new(settings, server.clone()));
        let told = settings.database.prepared_statements.then(|| (server.clone(), settings.database.root_certificate_file.clone()));
        let pool = parts::pool_options(settings, server);
        let database = Database::new(pool.clone())?.with_replicas(replica_options(settings)?, &pool)?;
        #[expect(clippy::disallowed_methods, reason = "this is where the process's authority is made")]
        let authority = Authority::establish();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let outbound = parts::outbound((&database, &authority), Arc::clone(&clock), settings, public_url)?;
        let redis = Link::new(&settings.redis)?;
        let limiter = parts::limiter(settings, Arc::clone(&clock), redis.clone().map(|link| (link, &keys)))?;
        let answers = keys.derived("answers");
        let queue = parts::queue((&database, &authority), settings, told)?;
        let auth = Auth::new(AuthOptions {
            database: database.clone(),
            authority: Arc::clone(&authority),
            clock: Arc::clone(&clock),
            outbound: Some(outbound.clone()),
            config: parts::auth_config(settings),
            keys,
            public_url: public_url.to_owned(),
            limiter: limiter.clone(),
        })?;
        let messaging = Messaging::new(MessagingOptions {
            database: database.clone(),
            authority: Arc::clone(&authority),
            clock: Arc::clone(&clock),
            outbound: outbound.clone(),
            vault: Arc::new(RingVault(auth.clone())),
            config: settings.messaging.clone(),
            public_url: public_url.to_owned(),
            limiter: limiter.clone(),
        })?;
        let data_api = DataApi::new(database.clone(), Arc::clone(&authority), parts::data_api_config(settings, public_url))?;
        if let Some(link) = &redis {
            data_api.share(link.clone(), answers)?;
        }
        let files = Files::new(settings.blobs_directory(), &settings.blobs)?;
        let transfers =
            parts::transfers((&database, &authority, &clock), (&files, &data_api, &queue, &auth, &outbound), settings, public_url)?;
        let storage = parts::storage((&database, &authority, &clock), (&files, &auth, &limiter, &queue), settings, public_url)?;
        let desk = tasks::Desk { outbound: outbound.clone(), auth: auth.clone() };
        let kinds = tasks::kinds(desk, &messaging, (&transfers, &storage), parts::of_sql(settings, &pool, &authority)?);
        let cron = Cron::new(queue.clone(), &kinds, clock);
        let (feed, feed_status, realtime) = parts::feed(pool, &data_api, (&database, &authority, &auth), settings)?;
        Ok(Self(Arc::new(Inner {
            database,
            authority,
            auth,
            limiter,
            redis,
            outbound,
            queue,
            messaging,
            files,
            transfers,
            storage,
            kinds,
            cron,
            data_api,
            realtime,
            feed: Mutex::new(Some(feed)),
            feed_status,
            listening,
            version: OnceLock::new(),
        })))
    }

    /// Looks at the database after the schema is there: who we are in it, and what it holds. Returns what does not work.
    pub(crate) async fn open(&self, settings: &Settings) -> Result<Vec<String>> {
        let rights = rights::read(self).await?;
        // The first look counts; the version is only shown.
        let _known = self.0.version.set(rights.server_version.clone()).is_err();
        self.0.data_api.reload().await?;
        self.0.auth.publish_settings().await?;
        self.0.auth.declare_company_rules().await?;
        self.open_channels().await?;
        self.open_rates().await?;
        self.0.queue.declare(&self.0.kinds).await?;
        self.0.cron.declare(tasks::SYSTEM_ENTRIES).await?;
        rights.judge(settings)
    }

    /// Asks PostgreSQL for an answer.
    pub(crate) async fn ping(&self) -> Result<()> {
        self.0.database.ping().await
    }

    /// Tells whether the data API knows the tables.
    pub(crate) fn catalog(&self) -> Result<()> {
        self.0.data_api.loaded()
    }

    /// Follows what becomes of tables and functions, until told to stop: the database tells, and is asked now and then all the same.
    pub(crate) async fn follow_schema(self, stop: CancellationToken) {
        let (asks, hears) = (self.0.data_api.follow(), async {
            if let Some(listening) = &self.0.listening {
                listening.hear(&self.0.data_api).await;
            }
        });
        stop.run_until_cancelled(Box::pin(async { tokio::join!(asks, hears) })).await;
    }

    /// Returns the routes of sockets and channels. They authenticate by themselves.
    pub(crate) fn realtime_routes(&self) -> Router {
        realtime::router(self.0.realtime.clone()).layer(middleware::from_fn(context::layer))
    }

    /// Returns how sockets and channels are.
    pub(crate) fn realtime_status(&self) -> serde_json::Value {
        self.0.realtime.status()
    }

    /// Does what sockets need beside them, until told to stop.
    pub(crate) async fn follow_sockets(self, stop: CancellationToken) {
        self.0.realtime.clone().follow(stop).await;
    }

    /// Returns how many days messages are kept that SQL sent to channels.
    pub(crate) fn messages_kept_days(&self) -> u32 {
        self.0.realtime.config().messages_kept_days
    }

    /// Closes all sockets: they would never end by themselves.
    pub(crate) async fn close_sockets(&self) {
        self.0.realtime.close().await;
    }

    /// Tells of changed rows until told to stop.
    pub(crate) async fn follow_changes(self, stop: CancellationToken) {
        let feed = self.0.feed.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(feed) = feed {
            stop.run_until_cancelled(Box::pin(feed.run())).await;
        }
    }

    /// Returns the numbers of what is kept.
    pub(crate) async fn cache_stats(&self) -> Option<cache::Stats> {
        self.0.data_api.cache_stats().await
    }

    /// Returns what is worse than it should be with the way in which changed rows come.
    pub(crate) fn feed_lag(&self) -> Option<String> {
        let lag = self.0.feed_status.lag().filter(|lag| *lag > FEED_LAG)?;
        Some(format!("the change feed lags by {} s: nothing is answered from what is kept", lag.as_secs()))
    }

    /// Returns in a word how Redis is.
    pub(crate) fn redis(&self) -> &'static str {
        match &self.0.redis {
            None => "not_configured",
            Some(link) if link.is_there() => "healthy",
            Some(_) => "unhealthy",
        }
    }

    /// Keeps the connection to Redis, where there is one, until told to stop.
    pub(crate) async fn follow_redis(self, stop: CancellationToken) {
        if let Some(link) = self.0.redis.clone() {
            link.keep(stop).await;
        }
    }

    /// Returns how the pool is.
    pub(crate) fn pool(&self) -> PoolGauges {
        let status = self.0.database.pool_status();
        PoolGauges { size: status.size, available: status.available, waiting: status.waiting }
    }

    /// Lets go of connections that nobody uses. To be called now and then.
    pub(crate) fn tidy(&self) {
        self.0.database.reap_idle();
    }

    /// Lets go of all connections, at the end.
    pub(crate) fn close(&self) {
        self.0.database.close();
    }

    /// Returns PostgreSQL's version, once it was reached.
    pub(crate) fn database_version(&self) -> Option<String> {
        self.0.version.get().cloned()
    }

    /// Takes other keys from now on.
    pub(crate) fn replace_keys(&self, ring: &KeyRing) {
        self.0.auth.replace_keys(ring);
    }

    /// Returns the routes of sign-in. They authenticate by themselves.
    pub(crate) fn auth_routes(&self) -> Router {
        auth::router(self.0.auth.clone())
    }

    /// Returns the path below which they are; nothing for the root.
    pub(crate) fn auth_path(&self) -> &str {
        self.0.auth.config().prefix()
    }

    /// Returns the routes of companies' directories. They know tokens of their own.
    pub(crate) fn scim_routes(&self) -> Router {
        auth::scim_router(self.0.auth.clone()).layer(middleware::from_fn_with_state(self.0.limiter.clone(), rates::guesses))
    }

    /// Returns the documents of the OAuth server that are looked for at the root.
    pub(crate) fn well_known_routes(&self) -> Router {
        auth::well_known(self.0.auth.clone())
    }

    /// Returns the routes of the messages that were kept instead of sent; none where they are sent.
    pub(crate) fn mailbox_routes(&self) -> Option<Router> {
        self.0.outbound.captures().then(|| self.guarded(outbound::mailbox::router(self.0.outbound.clone())))
    }

    /// Sends messages until told to stop. One that is under way when that happens is finished.
    pub(crate) async fn follow_outbox(self, stop: CancellationToken) {
        let auth = self.0.auth.clone();
        self.0.outbound.follow(Arc::new(move || auth.seal()), stop.cancelled()).await;
    }

    /// Tells other processes of new tasks, until told to stop.
    pub(crate) async fn follow_queue(self, stop: CancellationToken) {
        self.0.queue.follow(stop).await;
    }

    /// Does tasks, and begins what is scheduled, until told to stop. Tasks under way are finished.
    pub(crate) async fn work(self, stop: CancellationToken) {
        let worker = self.worker();
        Box::pin(async { tokio::join!(worker.run(stop.clone()), self.0.cron.run(stop.clone())) }).await;
    }

    /// Does what there is to do now.
    pub(crate) async fn work_until_idle(&self) {
        self.worker().drain().await;
    }

    fn worker(&self) -> Worker {
        Worker::new(self.0.queue.clone(), self.0.kinds.clone())
    }

    /// Delivers webhooks until told to stop. Deliveries that are under way when that happens are finished.
    pub(crate) async fn follow_webhooks(self, stop: CancellationToken) {
        self.0.messaging.follow_deliveries(stop.cancelled()).await;
    }

    /// Decides who is told of what happened, and has looked for what becomes due by itself, until told to stop.
    pub(crate) async fn follow_notifications(self, stop: CancellationToken) {
        let messaging = &self.0.messaging;
        let interval = Duration::from_secs(messaging.config().notifications.due_interval_seconds.into());
        let mut asked = Instant::now();
        let mut is_busy = false;
        while !stop.is_cancelled() && (is_busy || stop.run_until_cancelled(messaging.notifications_woken()).await.is_some()) {
            is_busy = match Box::pin(messaging.pass_notifications()).await {
                // There may be more.
                Ok(decided) => decided.events > 0,
                Err(error) => {
                    tracing::debug!(code = error.code(), "it could not be looked who is told: {}", error.message());
                    false
                }
            };
            if !interval.is_zero() && asked.elapsed() >= interval {
                asked = Instant::now();
                if let Err(error) = messaging.ask_for_due().await {
                    tracing::debug!(code = error.code(), "what becomes due could not be asked for: {}", error.message());
                }
            }
        }
    }

    /// Does what providers told until told to stop.
    pub(crate) async fn follow_providers(self, stop: CancellationToken) {
        let messaging = &self.0.messaging;
        while stop.run_until_cancelled(messaging.woken()).await.is_some() {
            match Box::pin(messaging.pass_inbound()).await {
                Ok(0) => {}
                // There may be more.
                Ok(_) => messaging.wake(),
                Err(error) => tracing::debug!(code = error.code(), "what providers told could not be looked at: {}", error.message()),
            }
        }
    }

    /// Returns the route on which providers tell this server things. They are known by their signatures.
    pub(crate) fn inbound_routes(&self) -> Router {
        messaging::inbound_router(self.0.messaging.clone())
    }

    /// Returns the routes of whoever wants no more mail of some kind. Their links are all they ask for.
    pub(crate) fn unsubscribe_routes(&self) -> Router {
        messaging::unsubscribe_router(self.0.messaging.clone())
    }

    /// Returns what browsers have to know before messages come to them.
    pub(crate) fn push_routes(&self) -> Router {
        messaging::push_router(self.0.messaging.clone())
    }

    /// Returns the routes of companies' webhooks, behind the auth layer.
    pub(crate) fn webhook_routes(&self) -> Router {
        self.guarded(messaging::router(self.0.messaging.clone()))
    }

    /// Takes away files whose time is over, a bounded number. Returns how many there were.
    pub(crate) async fn clean_files(&self) -> Result<u64> {
        self.0.files.sweep().await?;
        let transferred = self.0.transfers.clean().await?;
        Ok(transferred + self.0.storage.reap().await?)
    }

    /// Returns the routes of the data API, behind the auth layer.
    pub(crate) fn data_api_routes(&self) -> Router {
        self.guarded(data_api::router(self.0.data_api.clone()))
    }

    /// Returns the root of the data API as it is written with a slash at its end.
    pub(crate) fn data_api_root(&self) -> Router {
        self.guarded(data_api::root_router(self.0.data_api.clone()))
    }

    fn guarded(&self, routes: Router) -> Router {
        let gate = rates::Gate { auth: self.0.auth.clone(), limiter: self.0.limiter.clone() };
        routes.layer(middleware::from_fn(context::layer)).layer(middleware::from_fn_with_state(gate, rates::layer))
    }

    fn limiter(&self) -> &Limiter {
        &self.0.limiter
    }

    /// Returns the route of batches, behind the auth layer, too.
    pub(crate) fn batch_routes(&self) -> Router {
        self.guarded(data_api::batch_router(self.0.data_api.clone()))
    }

    /// Opens a transaction of the server's own, for no company.
    pub(crate) async fn begin_own(&self, reason: &'static str) -> Result<Tx> {
        #[expect(clippy::disallowed_methods, reason = "the server itself works, for no caller")]
        let grant = Grant::system(&self.0.authority, None, reason);
        self.0.database.begin(&grant, &RequestContext::default(), Access::Write).await
    }

    /// Runs a statement of the server's own.
    async fn ask(&self, statement: Sql, reason: &'static str) -> Result<Answer> {
        #[expect(clippy::disallowed_methods, reason = "the server itself asks, at its start, for no caller")]
        let grant = Grant::system(&self.0.authority, None, reason);
        self.0.database.run(&grant, &RequestContext::default(), Access::Read, statement).await
    }
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backend").field("auth", &self.0.auth).finish_non_exhaustive()
    }
}
