//! How the server is: alive, ready, and the two shapes in which it says so.
//!
//! Invariant: nothing here is remembered from an earlier look but what the start did; whoever asks gets the state of now.

mod routes;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use kernel::Error;
use serde::Serialize;

use crate::acme::Certificates;
use crate::backend::Backend;
use crate::maintenance::Done;

pub(crate) use routes::router;

/// How long PostgreSQL may take to answer a look.
const PING_TIME: Duration = Duration::from_secs(2);

/// How far the database has come to what this program needs.
#[derive(Clone, Debug)]
pub(crate) enum Preparation {
    /// It was not reached yet, or something is being done to it.
    Pending {
        /// A stable code.
        code: String,
        /// What is waited for.
        message: String,
    },
    /// It is as it should be.
    Done {
        /// What does not work, or worse than it should, in sentences.
        degraded: Vec<String>,
    },
}

/// How one part is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Check {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// How all parts are.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Checks {
    database: Check,
    migrations: Check,
    catalog: Check,
    maintenance: Check,
    /// Only where the server orders certificates.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<Check>,
}

impl Check {
    fn ok() -> Self {
        Self { status: "ok", code: None, message: None }
    }

    fn failed(code: &str, message: &str) -> Self {
        Self { status: "failed", code: Some(code.to_owned()), message: Some(message.to_owned()) }
    }

    fn late(message: &str) -> Self {
        Self { status: "overdue", code: Some("maintenance_overdue".to_owned()), message: Some(message.to_owned()) }
    }

    fn of(result: Result<(), Error>) -> Self {
        result.map_or_else(|error| Self::failed(error.code(), error.message()), |()| Self::ok())
    }

    fn is_ok(&self) -> bool {
        self.code.is_none()
    }
}

impl Checks {
    /// Tells whether requests can be answered.
    pub(crate) fn ready(&self) -> bool {
        self.failing().is_empty()
    }

    /// Returns the names of the parts that fail, and why.
    pub(crate) fn failing(&self) -> Vec<(&'static str, &str)> {
        let parts = [("database", &self.database), ("migrations", &self.migrations), ("catalog", &self.catalog)];
        let failing = parts.into_iter().filter(|(_, check)| !check.is_ok());
        failing.map(|(name, check)| (name, check.message.as_deref().unwrap_or_default())).collect()
    }
}

/// The health of the server.
#[derive(Debug)]
pub(crate) struct Health {
    preparation: Arc<ArcSwap<Preparation>>,
    backend: Backend,
    done: Arc<Done>,
    certificates: Option<Arc<Certificates>>,
}

impl Health {
    pub(crate) fn new(
        preparation: Arc<ArcSwap<Preparation>>,
        backend: Backend,
        done: Arc<Done>,
        certificates: Option<Arc<Certificates>>,
    ) -> Self {
        Self { preparation, backend, done, certificates }
    }

    /// Looks at every part.
    pub(crate) async fn look(&self) -> Checks {
        let database = match tokio::time::timeout(PING_TIME, self.backend.ping()).await {
            Ok(answer) => Check::of(answer),
            Err(_elapsed) if self.backend.pool().waiting > 0 => Check::failed("pool_timeout", "All connections to PostgreSQL are in use"),
            Err(_elapsed) => Check::failed("database_slow", "PostgreSQL did not answer within 2 seconds"),
        };
        let migrations = match &**self.preparation.load() {
            Preparation::Pending { code, message } => Check::failed(code, message),
            Preparation::Done { .. } => Check::ok(),
        };
        // What is overdue is named; requests are answered all the same, and a start anew would not help.
        let overdue = self.done.overdue();
        let maintenance = if overdue.is_empty() { Check::ok() } else { Check::late(&overdue.join("; ")) };
        let wrong = |certificates: &Arc<Certificates>| certificates.wrong(Timestamp::now());
        let certificate = self.certificates.as_ref();
        let certificate = certificate.map(|it| wrong(it).map_or_else(Check::ok, |why| Check::failed("certificate_overdue", &why)));
        Checks { database, migrations, catalog: Check::of(self.backend.catalog()), maintenance, certificate }
    }

    /// Returns in a word how Redis is.
    pub(crate) fn redis(&self) -> &'static str {
        self.backend.redis()
    }

    /// Returns what does not work, or worse than it should.
    pub(crate) fn degraded(&self) -> Vec<String> {
        let certificate = self.certificates.as_ref().and_then(|certificates| certificates.wrong(Timestamp::now()));
        match &**self.preparation.load() {
            Preparation::Pending { .. } => certificate.into_iter().collect(),
            Preparation::Done { degraded } => {
                let named = degraded.iter().cloned().chain(self.done.overdue());
                named.chain(self.backend.feed_lag()).chain(self.backend.replicas_out()).chain(certificate).collect()
            }
        }
    }
}
