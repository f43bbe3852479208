//! Everything that can be set, as one tree of typed fields with their units; the defaults are safe for production.
//!
//! Invariant: read once, in [`load`]; below it nobody looks at the environment. A key that no field here has stops the start.

mod acme;
mod fault;
mod load;
mod rules;
mod text;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use archives::ArchiveConfig;
use auth::config::AuthConfig;
use blobs::BlobsConfig;
use data_api::DataApiConfig;
use doctor::DoctorConfig;
use kernel::Secret;
use limits::RatesConfig;
use messaging::MessagingConfig;
use observe::{AlertsConfig, LogFileConfig, OtlpConfig, SentryConfig};
use operations::BackupConfig;
use outbound::OutboundConfig;
use postgres::feed::FeedConfig;
use postgres::replicas::ReplicasConfig;
use queue::QueueConfig;
use realtime::RealtimeConfig;
use realtime::changes::ChangesConfig;
use redis_link::RedisConfig;
use serde::{Deserialize, Serialize};
use storage::StorageConfig;
use transfers::TransfersConfig;

pub use acme::Acme;
pub use fault::{Fault, Faults};
pub use load::{Flags, Loaded, Sources, load};

/// The port that is listened on when nothing else is said.
pub const DEFAULT_PORT: u16 = 54321;

/// The key file's name in the data folder.
const KEY_FILE: &str = "keys.json";
/// The name in the data folder of the folder of files.
const FILES: &str = "files";

/// What the server is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// A developer's machine: demo company and login, keys printed, `migrate reset` allowed.
    Development,
    /// Everything else.
    #[default]
    Production,
}

/// The whole configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `development` or `production`.
    pub environment: Environment,
    /// The folder of keys, state and the private cluster. The default is root's; for another user it is `~/.local/share/thorbis`, or `thorbis` in
    /// `$XDG_DATA_HOME`.
    pub data_directory: PathBuf,
    /// The file of keys, mode 0600; `keys.json` in the data folder if not set. Several servers on one database share it.
    pub key_ring_file: Option<PathBuf>,
    /// The address that clients use, where it is not the one listened on (behind a proxy): goes into tokens and links.
    pub public_url: Option<String>,
    /// Whether sign-in is all that is served, without the data API: `thorbis serve --only auth`.
    pub auth_alone: bool,
    /// Whether the start brings the schema up to date. Without it a schema that is behind only makes `/health/ready` say so.
    pub migrate_at_start: bool,
    /// Whether the server does nothing by itself that others hear of: no mail, message, webhook, notification, task, cron or alert leaves, and all
    /// of it waits. For a server that shows an old moment beside the one that works.
    pub quiet: bool,
    /// Where to listen.
    pub listen: Listen,
    /// TLS for clients.
    pub tls: Tls,
    /// What one client or all together may take.
    pub limits: Limits,
    /// How often callers may ask.
    pub rates: RatesConfig,
    /// Proxies in front of the server.
    pub proxies: Proxies,
    /// Which web pages may call.
    pub cors: Cors,
    /// PostgreSQL.
    pub database: Database,
    /// How changes of rows come to every server.
    pub change_feed: FeedConfig,
    /// Changed rows that are told to whoever subscribes to them.
    pub row_changes: ChangesConfig,
    /// Redis.
    pub redis: RedisConfig,
    /// Sign-in.
    pub auth: AuthConfig,
    /// The data API.
    pub data_api: DataApiConfig,
    /// Channels over sockets.
    pub realtime: RealtimeConfig,
    /// Mail and SMS.
    pub outbound: OutboundConfig,
    /// Background work.
    pub queue: QueueConfig,
    /// Webhooks.
    pub messaging: MessagingConfig,
    /// Files that tasks read and make.
    pub blobs: BlobsConfig,
    /// Buckets and objects.
    pub storage: StorageConfig,
    /// Exports, imports and other work over many rows.
    pub transfers: TransfersConfig,
    /// `thorbis doctor`.
    pub doctor: DoctorConfig,
    /// What is done again and again.
    pub maintenance: Maintenance,
    /// Backups.
    pub backup: BackupConfig,
    /// Companies as archives.
    pub archives: ArchiveConfig,
    /// `/metrics`.
    pub metrics: Metrics,
    /// Who is told when something is wrong.
    pub alerts: AlertsConfig,
    /// Who is told of errors of ours.
    pub sentry: SentryConfig,
    /// Where traces and lines of the log are gathered.
    pub otlp: OtlpConfig,
    /// Logs.
    pub log: Log,
}

/// Where to listen.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// Address and port pairs; port 0 takes a free one.
    #[serde(deserialize_with = "text::addresses")]
    pub addresses: Vec<SocketAddr>,
    /// Milliseconds that requests in flight get to finish when the server is told to stop.
    pub shutdown_grace_ms: u64,
}

/// TLS for clients: both files, or certificates that are ordered, or neither.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// PEM file with the certificate chain, the server's own first.
    pub certificate_file: Option<PathBuf>,
    /// PEM file with the private key.
    pub key_file: Option<PathBuf>,
    /// How often, in milliseconds, the files are looked at for a change.
    pub reload_interval_ms: Interval,
    /// Seconds for which browsers that came by TLS come by nothing else (`Strict-Transport-Security`); 0: nothing is said of it. In development
    /// nothing is said, since names of this machine are used for more than one program.
    pub hsts_max_age_s: u64,
    /// Certificates that the server orders by itself.
    pub acme: Acme,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            certificate_file: None,
            key_file: None,
            reload_interval_ms: Interval::default(),
            hsts_max_age_s: 31_536_000,
            acme: Acme::default(),
        }
    }
}

impl Tls {
    /// Tells whether clients speak TLS with this server.
    pub fn is_on(&self) -> bool {
        self.certificate_file.is_some() || self.acme.is_on()
    }
}

/// A number of milliseconds between two looks at something; 1000 unless told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Interval(pub u64);

impl Default for Interval {
    fn default() -> Self {
        Self(1000)
    }
}

/// What one client or all together may take.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of one request's body.
    pub body_bytes_max: u64,
    /// Bytes of one request's line and headers together.
    pub header_bytes_max: usize,
    /// Milliseconds in which the headers must have arrived once their first byte has; also for the TLS handshake.
    pub header_time_ms: u64,
    /// Milliseconds from the headers to the first byte of the answer.
    pub request_time_ms: u64,
    /// Milliseconds that a connection may lie idle, or an answer may wait for a client that does not read.
    pub idle_time_ms: u64,
    /// Connections open at one time; the next ones wait in the kernel's queue.
    pub connections_max: usize,
}

/// Which web pages may call.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cors {
    /// Origins such as `https://app.example.com`. Empty: any, without credentials. Set: any other origin is answered 403.
    #[serde(deserialize_with = "text::list")]
    pub allowed_origins: Vec<String>,
}

/// Where a proxy says for whom it asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded` of RFC 7239.
    Forwarded,
}

/// Proxies in front of the server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Proxies {
    /// Addresses and ranges such as `10.0.0.0/8`: whoever asks from there is believed for whom he asks. Empty: nobody is.
    #[serde(deserialize_with = "text::list")]
    pub trusted: Vec<String>,
    /// Where they write it, `x-forwarded-for` or `forwarded`. What stands in the other one is not looked at.
    pub header: ForwardedHeader,
}

/// PostgreSQL.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// The server's login, `postgres://…`. Without it a private cluster runs in the data folder. Also read from `DATABASE_URL`.
    #[serde(deserialize_with = "text::optional_secret")]
    pub url: Option<Secret<String>>,
    /// The owner's login, for migrations. Also read from `MIGRATOR_URL`.
    #[serde(deserialize_with = "text::optional_secret")]
    pub migrator_url: Option<Secret<String>>,
    /// Whether statements may be prepared on a connection for later: `false` behind PgBouncer in transaction mode.
    pub prepared_statements: bool,
    /// PEM file of the authorities that PostgreSQL's certificate is checked against; the system's if not set.
    pub root_certificate_file: Option<PathBuf>,
    /// Connections in the pool.
    pub pool_size: usize,
    /// Reads of one row by its key that may be under way on one connection; `1` gives each a connection to itself.
    pub short_reads_max: usize,
    /// Seconds after which a connection is replaced.
    pub pool_lifetime_s: u64,
    /// Seconds after which an idle connection is closed.
    pub pool_idle_s: u64,
    /// Milliseconds that a request waits for a connection.
    pub pool_acquire_ms: u64,
    /// Milliseconds that a start waits for PostgreSQL before it answers without; it goes on trying.
    pub start_wait_ms: u64,
    /// Milliseconds after which PostgreSQL gives up a statement.
    pub statement_time_ms: u64,
    /// Milliseconds that a statement may still run whose client went away; then it is cancelled.
    pub abandoned_ms: u64,
    /// The folder of PostgreSQL's programs for the private cluster; looked for if not set.
    pub programs_directory: Option<PathBuf>,
    /// Whether row security is forced on all tables of a project that is brought: those without a policy are then read by the service alone.
    pub project_force_row_security: bool,
    /// Copies of the database that answer reads.
    pub replicas: ReplicasConfig,
}

/// What is done again and again.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Maintenance {
    /// Milliseconds between two seals over the audit.
    pub seal_interval_ms: u64,
    /// Milliseconds between two times that the newest seals are written to the anchor file in the data folder.
    pub anchor_interval_ms: u64,
    /// Milliseconds between two times that partitions are made, what is too old is taken away and figures are folded; also done at the
    /// start. What fails is tried again after 5 s, then ever less often up to this.
    pub upkeep_interval_ms: u64,
    /// Milliseconds after which PostgreSQL gives up a statement of this work.
    pub statement_time_ms: u64,
    /// Milliseconds that a statement of this work waits for a lock, while others may wait behind it.
    pub lock_time_ms: u64,
}

impl Default for Maintenance {
    fn default() -> Self {
        Self {
            seal_interval_ms: 1000,
            anchor_interval_ms: 60_000,
            upkeep_interval_ms: 3_600_000,
            statement_time_ms: 300_000,
            lock_time_ms: 2000,
        }
    }
}

/// Who may read `/metrics`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricsAccess {
    /// Programs on this machine, and not through a proxy.
    #[default]
    Loopback,
    /// Whoever reaches the port.
    Anyone,
}

/// `/metrics`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// `loopback` or `anyone`.
    pub access: MetricsAccess,
}

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Human,
}

/// Logs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `auto`, `json` or `human`.
    pub format: LogFormat,
    /// What is logged, in the form of `tracing`: `info`, `warn,postgres=debug`.
    pub filter: String,
    /// Lines in files, as JSON.
    pub file: LogFileConfig,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            environment: Environment::default(),
            data_directory: PathBuf::from("/var/lib/thorbis"),
            key_ring_file: None,
            public_url: None,
            auth_alone: false,
            migrate_at_start: true,
            quiet: false,
            listen: Listen::default(),
            tls: Tls::default(),
            limits: Limits::default(),
            rates: RatesConfig::default(),
            proxies: Proxies::default(),
            cors: Cors::default(),
            database: Database::default(),
            change_feed: FeedConfig::default(),
            row_changes: ChangesConfig::default(),
            redis: RedisConfig::default(),
            auth: AuthConfig::default(),
            data_api: DataApiConfig::default(),
            realtime: RealtimeConfig::default(),
            outbound: OutboundConfig::default(),
            queue: QueueConfig::default(),
            doctor: DoctorConfig::default(),
            messaging: MessagingConfig::default(),
            blobs: BlobsConfig::default(),
            storage: StorageConfig::default(),
            transfers: TransfersConfig::default(),
            maintenance: Maintenance::default(),
            backup: BackupConfig::default(),
            archives: ArchiveConfig::default(),
            metrics: Metrics::default(),
            alerts: AlertsConfig::default(),
            sentry: SentryConfig::default(),
            otlp: OtlpConfig::default(),
            log: Log::default(),
        }
    }
}

impl Default for Listen {
    fn default() -> Self {
        let addresses = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        Self { addresses: addresses.map(|ip| SocketAddr::new(ip, DEFAULT_PORT)).to_vec(), shutdown_grace_ms: 30_000 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 10_000_000,
            header_bytes_max: 32_768,
            header_time_ms: 10_000,
            request_time_ms: 30_000,
            idle_time_ms: 75_000,
            connections_max: 10_000,
        }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: None,
            migrator_url: None,
            prepared_statements: true,
            root_certificate_file: None,
            pool_size: 20,
            short_reads_max: 16,
            pool_lifetime_s: 3600,
            pool_idle_s: 600,
            pool_acquire_ms: 10_000,
            start_wait_ms: 10_000,
            statement_time_ms: 25_000,
            abandoned_ms: 250,
            programs_directory: None,
            project_force_row_security: false,
            replicas: ReplicasConfig::default(),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Auto, filter: "info".to_owned(), file: LogFileConfig::default() }
    }
}

impl Settings {
    /// Tells whether this is a developer's machine.
    pub fn is_development(&self) -> bool {
        self.environment == Environment::Development
    }

    /// Tells whether the server runs its own PostgreSQL.
    pub fn uses_private_cluster(&self) -> bool {
        self.database.url.is_none()
    }

    /// Returns the path of the key file.
    pub fn key_ring_file(&self) -> PathBuf {
        self.key_ring_file.clone().unwrap_or_else(|| self.in_data_directory(KEY_FILE))
    }

    /// Returns the folder of files.
    pub fn blobs_directory(&self) -> PathBuf {
        self.blobs.directory.clone().unwrap_or_else(|| self.in_data_directory(FILES))
    }

    /// Returns a path inside the data folder.
    pub fn in_data_directory(&self, name: &str) -> PathBuf {
        Path::new(&self.data_directory).join(name)
    }
}
