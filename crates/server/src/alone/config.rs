//! What the values mean: each read once into a type that cannot be wrong.
//!
//! Invariant: a value that cannot be used stops the start, or the reload, with its name and place; secrets are never shown.

use std::path::PathBuf;

use auth::alone::{KeySet, RolePath};
use data_api::{DataApiConfig, EmbedNames, EndOfTransaction, OpenApiMode};
use http::{HeaderName, HeaderValue};
use kernel::Secret;

use super::settings::SETTINGS;
use super::values::Values;
use crate::config::{Fault, Faults, Settings};

/// What is never shown of settings that hold secrets.
const SECRET: &[&str] = &["db-uri", "jwt-secret"];

/// The whole configuration.
#[derive(Clone, Debug)]
pub(crate) struct AloneConfig {
    pub(crate) uri: Secret<String>,
    pub(crate) schemas: Vec<String>,
    pub(crate) anonymous_role: Option<String>,
    pub(crate) extra_search_path: Vec<String>,
    pub(crate) hoisted: Vec<String>,
    pub(crate) rows_max: Option<u64>,
    pub(crate) aggregates_enabled: bool,
    pub(crate) embed_names: EmbedNames,
    pub(crate) plan_enabled: bool,
    pub(crate) described: Described,
    pub(crate) pre_request: Option<String>,
    pub(crate) root_function: Option<String>,
    pub(crate) transaction_end: EndOfTransaction,
    pub(crate) pool: Pool,
    pub(crate) reads_database: bool,
    pub(crate) pre_config: Option<String>,
    pub(crate) channel: Option<String>,
    pub(crate) app_settings: Vec<(String, String)>,
    pub(crate) token: Token,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) unix_socket: Option<(PathBuf, u32)>,
    pub(crate) admin: Option<(String, u16)>,
    pub(crate) answer: Answer,
    pub(crate) origins: Vec<HeaderValue>,
}

/// The pool of connections; times in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pool {
    pub(crate) size: usize,
    pub(crate) acquire_s: u64,
    pub(crate) idle_s: u64,
    pub(crate) lifetime_s: u64,
    pub(crate) prepared_statements: bool,
}

/// How tokens are read.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) keys: Option<KeySet>,
    pub(crate) audience: Option<String>,
    pub(crate) role_path: RolePath,
    pub(crate) remembered_max: u64,
}

/// What the document at the root says.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    pub(crate) mode: OpenApiMode,
    pub(crate) says_security: bool,
    pub(crate) server_url: String,
}

/// What answers look like.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) timing: bool,
    pub(crate) trace_header: Option<HeaderName>,
    pub(crate) is_minimal: bool,
}

/// What a file names behind an `@`, and what else is looked up while values are read.
struct Reader<'a> {
    values: &'a Values,
    faults: Vec<Fault>,
}

impl AloneConfig {
    /// Reads the values. `url` is the database where no setting names one.
    pub(crate) fn of(values: &Values, url: Option<&Secret<String>>) -> Result<Self, Faults> {
        let mut read = Reader { values, faults: Vec::new() };
        let is_base64 = read.flag("jwt-secret-is-base64");
        let secret = read.text_or_file("jwt-secret");
        let keys =
            secret.and_then(|secret| read.checked("jwt-secret", KeySet::read(secret.expose().trim_end_matches(['\r', '\n']), is_base64)));
        let role_path = values.effective("jwt-role-claim-key").unwrap_or(".role");
        let role_path = read.checked("jwt-role-claim-key", RolePath::read(role_path));
        let openapi_mode = match read.one_of("openapi-mode", &["follow-privileges", "ignore-privileges", "disabled"]).as_str() {
            "ignore-privileges" => OpenApiMode::IgnorePrivileges,
            "disabled" => OpenApiMode::Disabled,
            _ => OpenApiMode::FollowPrivileges,
        };
        read.one_of("log-level", &["crit", "error", "warn", "info", "debug"]);
        let host = read.text("server-host").unwrap_or_default();
        let admin = read.number("admin-server-port").map(|port| (read.text("admin-server-host").unwrap_or_else(|| host.clone()), port));
        let trace = read.text("server-trace-header").map(|name| name.parse::<HeaderName>());
        let channel = read.text("db-channel").filter(|_| read.flag("db-channel-enabled"));
        let config = Self {
            // Without either libpq's variables say it.
            uri: read.text_or_file("db-uri").or_else(|| url.cloned()).unwrap_or_default(),
            schemas: read.list("db-schemas"),
            anonymous_role: read.text("db-anon-role"),
            extra_search_path: read.list("db-extra-search-path"),
            hoisted: read.list("db-hoisted-tx-settings"),
            rows_max: read.number("db-max-rows"),
            aggregates_enabled: read.flag("db-aggregates-enabled"),
            embed_names: if read.flag("url-use-legacy-target-names") { EmbedNames::AliasFirst } else { EmbedNames::AliasOnly },
            plan_enabled: read.flag("db-plan-enabled"),
            described: Described {
                mode: openapi_mode,
                says_security: read.flag("openapi-security-active"),
                server_url: read.text("openapi-server-proxy-uri").unwrap_or_default(),
            },
            pre_request: read.function("db-pre-request"),
            root_function: read.text("db-root-spec"),
            transaction_end: read.transaction_end(),
            pool: Pool {
                size: read.number("db-pool").unwrap_or(10),
                acquire_s: read.number("db-pool-acquisition-timeout").unwrap_or(10),
                idle_s: read.number("db-pool-max-idletime").unwrap_or(30),
                lifetime_s: read.number("db-pool-max-lifetime").unwrap_or(1800),
                prepared_statements: read.flag("db-prepared-statements"),
            },
            reads_database: read.flag("db-config"),
            pre_config: read.text("db-pre-config"),
            channel,
            app_settings: values.app(),
            token: Token {
                keys,
                audience: read.text("jwt-aud"),
                // Only looked at where there is no fault.
                role_path: role_path.unwrap_or_default(),
                remembered_max: read.number("jwt-cache-max-entries").unwrap_or(1000),
            },
            unix_socket: read.unix_socket(),
            port: read.number("server-port").unwrap_or(3000),
            admin,
            answer: Answer {
                timing: read.flag("server-timing-enabled"),
                trace_header: trace.and_then(|trace| read.checked("server-trace-header", trace)),
                is_minimal: read.one_of("client-error-verbosity", &["verbose", "minimal"]) == "minimal",
            },
            origins: read.origins(),
            host,
        };
        if config.admin.as_ref().is_some_and(|(host, port)| *port != 0 && *port == config.port && *host == config.host) {
            read.refuse("admin-server-port", "allowed: another port than server-port");
        }
        if config.pool.size == 0 {
            read.refuse("db-pool", "allowed: a whole number, 1 or more");
        }
        if read.faults.is_empty() { Ok(config) } else { Err(Faults(read.faults)) }
    }

    /// Returns what the data API is told. Limits that are none of the dialect's keep their own settings.
    pub(crate) fn data_api(&self, settings: &Settings) -> DataApiConfig {
        let rows_max = self.rows_max.unwrap_or(i64::MAX.unsigned_abs()).max(1);
        DataApiConfig {
            schemas: self.schemas.clone(),
            rows_max,
            aggregates_enabled: self.aggregates_enabled,
            embed_names: self.embed_names,
            plan_enabled: Some(self.plan_enabled),
            openapi_mode: self.described.mode,
            openapi_security: self.described.says_security,
            openapi_server_url: self.described.server_url.clone(),
            pre_request: self.pre_request.clone().unwrap_or_default(),
            root_function: self.root_function.clone().unwrap_or_default(),
            transaction_end: self.transaction_end,
            // Answers are kept in a table of ours.
            idempotency_hours: 0,
            ..settings.data_api.clone()
        }
    }
}

/// Returns the filter of the log for a level; nothing where no level was written.
pub(crate) fn log_filter(values: &Values) -> Option<&'static str> {
    Some(match values.get("log-level")? {
        "crit" | "error" => "error",
        "warn" => "warn",
        "debug" => "debug",
        _ => "info",
    })
}

/// Returns the settings in effect as lines of a file, secrets left out.
pub(crate) fn shown(values: &Values) -> String {
    let mut text = String::new();
    for setting in SETTINGS {
        let value = values.effective(setting.name).unwrap_or_default();
        let value = if SECRET.contains(&setting.name) && !value.is_empty() { "[redacted]" } else { value };
        text.push_str(&line(setting.name, value));
    }
    for (name, _) in values.app() {
        text.push_str(&line(&name, "[redacted]"));
    }
    text
}

fn line(name: &str, value: &str) -> String {
    let is_bare = value == "true" || value == "false" || (!value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()));
    if is_bare {
        return format!("{name} = {value}\n");
    }
    format!("{name} = \"{}\"\n", value.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "$$"))
}

impl Reader<'_> {
    fn refuse(&mut self, name: &str, reason: impl Into<String>) {
        self.faults.push(Fault { key: name.to_owned(), origin: self.values.origin(name), reason: reason.into() });
    }

    fn checked<T, E: std::fmt::Display>(&mut self, name: &str, outcome: Result<T, E>) -> Option<T> {
        outcome.map_err(|refused| self.refuse(name, refused.to_string())).ok()
    }

    fn text(&self, name: &str) -> Option<String> {
        self.values.effective(name).map(str::to_owned)
    }

    fn list(&self, name: &str) -> Vec<String> {
        let items = self.values.effective(name).unwrap_or_default().split(',').map(str::trim);
        items.filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    fn number<T: std::str::FromStr>(&mut self, name: &str) -> Option<T> {
        let text = self.text(name)?;
        let number = text.parse().ok();
        if number.is_none() {
            self.refuse(name, "allowed: a whole number");
        }
        number
    }

    /// A number above 0 is true, too.
    fn flag(&mut self, name: &str) -> bool {
        let text = self.text(name).unwrap_or_default().to_lowercase();
        match (text.as_str(), text.parse::<i64>()) {
            ("true" | "yes" | "on", _) => true,
            ("false" | "no" | "off" | "", _) => false,
            (_, Ok(number)) => number > 0,
            (_, Err(_)) => {
                self.refuse(name, "allowed: true or false");
                false
            }
        }
    }

    fn one_of(&mut self, name: &str, allowed: &[&str]) -> String {
        let value = self.text(name).unwrap_or_default();
        if !allowed.contains(&value.as_str()) {
            self.refuse(name, format!("allowed: {}", allowed.join(", ")));
        }
        value
    }

    /// Returns the value, or what the file holds that it names behind an `@`.
    fn text_or_file(&mut self, name: &str) -> Option<Secret<String>> {
        let value = self.values.get(name)?.to_owned();
        let Some(file) = value.strip_prefix('@') else { return Some(Secret::new(value)) };
        match std::fs::read_to_string(file) {
            Ok(text) => Some(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned())),
            Err(error) => {
                self.refuse(name, format!("{file}: {error}"));
                None
            }
        }
    }

    /// Returns a function's name; one without a schema is looked for in `public`.
    fn function(&self, name: &str) -> Option<String> {
        self.text(name).map(|function| if function.contains('.') { function } else { format!("public.{function}") })
    }

    fn transaction_end(&mut self) -> EndOfTransaction {
        let allowed = ["commit", "commit-allow-override", "rollback", "rollback-allow-override"];
        match self.one_of("db-tx-end", &allowed).as_str() {
            "commit-allow-override" => EndOfTransaction::CommitAllowOverride,
            "rollback" => EndOfTransaction::Rollback,
            "rollback-allow-override" => EndOfTransaction::RollbackAllowOverride,
            _ => EndOfTransaction::Commit,
        }
    }

    fn unix_socket(&mut self) -> Option<(PathBuf, u32)> {
        let path = PathBuf::from(self.text("server-unix-socket")?);
        let mode = self.text("server-unix-socket-mode").and_then(|mode| u32::from_str_radix(&mode, 8).ok());
        let Some(mode) = mode.filter(|mode| (0o600..=0o777).contains(mode)) else {
            self.refuse("server-unix-socket-mode", "allowed: an octal number, 600 to 777");
            return None;
        };
        Some((path, mode))
    }

    fn origins(&mut self) -> Vec<HeaderValue> {
        let origins: Option<Vec<HeaderValue>> = self.list("server-cors-allowed-origins").iter().map(|origin| origin.parse().ok()).collect();
        if origins.is_none() {
            self.refuse("server-cors-allowed-origins", "allowed: origins such as https://app.example.com, with commas");
        }
        origins.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::values::Sources;
    use super::*;
    use std::ffi::OsString;

    fn of(variables: &[(&str, &str)]) -> Result<AloneConfig, Faults> {
        let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect();
        let sources = Sources { file: None, variables };
        AloneConfig::of(&sources.read().unwrap(), None)
    }

    #[test]
    fn the_defaults_are_the_dialects() {
        let config = of(&[]).unwrap();
        assert_eq!((config.schemas, config.extra_search_path), (vec!["public".to_owned()], vec!["public".to_owned()]));
        assert_eq!((config.host.as_str(), config.port, config.admin), ("!4", 3000, None));
        assert_eq!((config.anonymous_role, config.rows_max, config.channel.as_deref()), (None, None, Some("pgrst")));
        assert!(config.token.keys.is_none() && config.reads_database && !config.answer.timing && !config.answer.is_minimal);
        assert_eq!((config.pool.size, config.pool.acquire_s, config.pool.idle_s, config.pool.lifetime_s), (10, 10, 30, 1800));
    }

    #[test]
    fn values_are_read() {
        let config = of(&[
            ("PGRST_DB_SCHEMAS", "api, other"),
            ("PGRST_DB_EXTRA_SEARCH_PATH", "ext"),
            ("PGRST_DB_MAX_ROWS", "100"),
            ("PGRST_DB_CHANNEL_ENABLED", "0"),
            ("PGRST_JWT_SECRET", "reallyreallyreallyreallyverysafe"),
            ("PGRST_JWT_ROLE_CLAIM_KEY", "$.realm.role"),
            ("PGRST_SERVER_TIMING_ENABLED", "True"),
            ("PGRST_CLIENT_ERROR_VERBOSITY", "minimal"),
            ("PGRST_ADMIN_SERVER_PORT", "3001"),
            ("PGRST_SERVER_CORS_ALLOWED_ORIGINS", "https://a.example, https://b.example"),
        ])
        .unwrap();
        assert_eq!((config.schemas.join("+"), config.extra_search_path.join("+")), ("api+other".to_owned(), "ext".to_owned()));
        assert_eq!((config.rows_max, config.channel), (Some(100), None));
        assert_eq!((config.token.keys.is_some(), config.token.role_path.as_str()), (true, "$.realm.role"));
        assert!(config.answer.timing && config.answer.is_minimal);
        assert_eq!(config.admin, Some(("!4".to_owned(), 3001)));
        assert_eq!(config.origins, ["https://a.example", "https://b.example"]);
    }

    #[test]
    fn a_file_holds_the_secret_or_the_database() {
        let folder = tempfile::tempdir().unwrap();
        let (secret, uri) = (folder.path().join("secret"), folder.path().join("uri"));
        std::fs::write(&secret, "reallyreallyreallyreallyverysafe\n").unwrap();
        std::fs::write(&uri, "postgres://ann@db.example/shop\n").unwrap();
        let (secret, uri) = (format!("@{}", secret.display()), format!("@{}", uri.display()));
        let config = of(&[("PGRST_JWT_SECRET", &secret), ("PGRST_DB_URI", &uri)]).unwrap();
        assert!(config.token.keys.is_some());
        assert_eq!(config.uri.expose(), "postgres://ann@db.example/shop");
    }

    #[test]
    fn what_cannot_be_used_is_told_by_name_and_place() {
        for (name, value, told) in [
            ("PGRST_DB_POOL", "many", "`db-pool` (from the environment, PGRST_DB_POOL): allowed: a whole number"),
            ("PGRST_DB_POOL", "0", "allowed: a whole number, 1 or more"),
            ("PGRST_DB_CONFIG", "maybe", "`db-config` (from the environment, PGRST_DB_CONFIG): allowed: true or false"),
            ("PGRST_JWT_SECRET", "short", "The JWT secret must be at least 32 characters long."),
            ("PGRST_JWT_SECRET", "@/nonexistent/secret", "/nonexistent/secret"),
            ("PGRST_JWT_ROLE_CLAIM_KEY", "role", "failed to parse role-claim-key value (role)"),
            ("PGRST_OPENAPI_MODE", "all", "allowed: follow-privileges, ignore-privileges, disabled"),
            ("PGRST_DB_TX_END", "never", "allowed: commit, commit-allow-override, rollback, rollback-allow-override"),
            ("PGRST_LOG_LEVEL", "loud", "allowed: crit, error, warn, info, debug"),
            ("PGRST_ADMIN_SERVER_PORT", "3000", "allowed: another port than server-port"),
            ("PGRST_SERVER_TRACE_HEADER", "a b", "`server-trace-header`"),
        ] {
            let faults = of(&[(name, value)]).unwrap_err().to_string();
            assert!(faults.contains(told), "{faults}");
        }
        let faults = of(&[("PGRST_SERVER_UNIX_SOCKET", "/tmp/s"), ("PGRST_SERVER_UNIX_SOCKET_MODE", "888")]).unwrap_err().to_string();
        assert!(faults.contains("octal"), "{faults}");
    }

    #[test]
    fn the_settings_are_shown_without_their_secrets() {
        let variables = [("PGRST_JWT_SECRET", "hunter2hunter2"), ("PGRST_DB_ANON_ROLE", "an\"on"), ("PGRST_APP_SETTINGS_KEY", "hunter2")];
        let variables = variables.map(|(name, value)| (OsString::from(name), OsString::from(value))).to_vec();
        let text = shown(&Sources { file: None, variables }.read().unwrap());
        assert!(!text.contains("hunter2"), "{text}");
        for line in ["jwt-secret = \"[redacted]\"", "db-anon-role = \"an\\\"on\"", "db-pool = 10", "db-config = true", "jwt-aud = \"\""] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
}
