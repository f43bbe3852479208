//! A database of a test's own beside the migrated ones: empty, or as a small shop of companies that is as it should be.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use doctor::{Baseline, DoctorConfig, Report, Wanted};
use postgres::Config;
use testkit::Addresses;
use tokio_postgres::Client;

use crate::asking::visit;

/// How the cluster of tests is set, to be fast and for itself.
pub(crate) const OF_THE_CLUSTER: &str = r#"
[[accept]]
code = "writes_unsafe"
object = "*"
reason = "it is thrown away"
expires = "2100-01-01"

[[accept]]
code = "commits_not_awaited"
object = "*"
reason = "it is thrown away"
expires = "2100-01-01"

[[accept]]
code = "archiving_off"
object = "*"
reason = "it is thrown away"
expires = "2100-01-01"

[[accept]]
code = "statements_uncounted"
object = "*"
reason = "nobody waits for it"
expires = "2100-01-01"

[[accept]]
code = "limits_absent"
object = "role thorbis_*"
reason = "the server sets its own"
expires = "2100-01-01"
"#;

/// A database that belongs to one test.
pub(crate) struct Clinic {
    name: String,
    pub(crate) addresses: Addresses,
    pub(crate) config: DoctorConfig,
    pub(crate) wanted: Wanted,
}

impl Clinic {
    /// Makes an empty database.
    pub(crate) async fn empty() -> Self {
        Self::of_template("template0").await
    }

    /// Makes a shop.
    pub(crate) async fn shop() -> Self {
        let clinic = Self::empty().await;
        clinic.run(include_str!("shop.sql")).await;
        clinic
    }

    /// Copies it, while nobody is connected.
    pub(crate) async fn copy(&self) -> Self {
        Self::of_template(&self.name).await
    }

    async fn of_template(template: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let addresses = Addresses::from_environment();
        let name = format!("test_{}_doctor_{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
        let maintenance = testkit::connect(&addresses.superuser("postgres")).await;
        let sql = format!("create database {name} template {template} strategy file_copy");
        // Who was connected to the template may take a moment to be gone.
        let began = Instant::now();
        while let Err(error) = maintenance.batch_execute(&sql).await {
            let is_in_use = error.as_db_error().is_some_and(|said| said.code().code() == "55006");
            assert!(is_in_use && began.elapsed() < Duration::from_mins(1), "{error:?}");
        }
        Self { name, addresses, config: DoctorConfig::default(), wanted: Wanted::default() }
    }

    pub(crate) fn superuser_config(&self) -> Config {
        self.addresses.superuser(&self.name)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) async fn superuser(&self) -> Client {
        testkit::connect(&self.superuser_config()).await
    }

    /// Runs statements as the superuser.
    pub(crate) async fn run(&self, sql: &str) {
        self.superuser().await.batch_execute(sql).await.unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
    }

    /// Examines it as the superuser.
    pub(crate) async fn examine(&self) -> Report {
        let mut report = self.examine_as(&self.superuser_config()).await;
        accept(&mut report, OF_THE_CLUSTER);
        report
    }

    pub(crate) async fn examine_as(&self, login: &Config) -> Report {
        visit(login, &self.wanted, &self.config).await
    }
}

/// Accepts what a baseline accepts.
pub(crate) fn accept(report: &mut Report, baseline: &str) {
    Baseline::parse(baseline).unwrap().apply(report, jiff::Zoned::now().date()).unwrap();
}
