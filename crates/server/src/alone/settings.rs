//! table: every setting that a PostgREST configuration may have, and what each does here.
//!
//! Invariant: a name that stands here is read; one without effect says so here, in the guide and in the log. No other name is known.

/// How the variables of the environment begin.
pub(crate) const PREFIX: &str = "PGRST_";

/// Where a setting may be written and when it counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// File and environment; read at the start.
    Start,
    /// File and environment; read anew at every reload.
    Reload,
    /// The database, too; read at the start.
    DatabaseStart,
    /// The database, too; read anew at every reload.
    Database,
}

/// What a setting does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// What it says.
    Works(&'static str),
    /// Nothing here, and why.
    Nothing(&'static str),
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its name in a file. `PGRST_`, capitals and underscores make the variable; `pgrst.` and underscores the name in the database.
    pub name: &'static str,
    /// Names that earlier versions gave it.
    pub older_names: &'static [&'static str],
    /// Its value where none is given, as it is written in a file.
    pub default: &'static str,
    /// Where it may be written and when it counts.
    pub reach: Reach,
    /// What it does.
    pub effect: Effect,
}

use Effect::{Nothing, Works};
use Reach::{Database, DatabaseStart, Reload, Start};

const fn setting(name: &'static str, default: &'static str, reach: Reach, effect: Effect) -> Setting {
    Setting { name, older_names: &[], default, reach, effect }
}

const fn renamed(name: &'static str, older_names: &'static [&'static str], default: &'static str, reach: Reach, effect: Effect) -> Setting {
    Setting { name, older_names, default, reach, effect }
}

/// All settings but `app.settings.*`, by name.
pub const SETTINGS: &[Setting] = &[
    setting("admin-server-host", "", Start, Works("Where the admin server listens; `server-host` if empty.")),
    setting("admin-server-port", "", Start, Works("The port of the admin server; none if empty.")),
    setting(
        "client-error-verbosity",
        "verbose",
        Database,
        Works("`minimal` leaves `details` and `hint` out of the answers that are errors."),
    ),
    setting("db-aggregates-enabled", "false", Database, Works("Whether `select` may have aggregates.")),
    setting("db-anon-role", "", Database, Works("The role of requests without a token; without it they are answered 401 `PGRST302`.")),
    setting("db-channel", "pgrst", Start, Works("The channel of `NOTIFY` that is listened to.")),
    setting("db-channel-enabled", "true", Start, Works("Whether it is listened to.")),
    setting("db-config", "true", Reload, Works("Whether settings are read from the database.")),
    setting("db-extra-search-path", "public", Database, Works("Schemas that are searched behind the request's own.")),
    setting(
        "db-hoisted-tx-settings",
        "statement_timeout, plan_filter.statement_cost_limit, default_transaction_isolation",
        Database,
        Works("Settings of a called function that hold for its whole transaction."),
    ),
    renamed("db-max-rows", &["max-rows"], "", Database, Works("Rows that one answer may have; any number if empty.")),
    setting(
        "db-plan-enabled",
        "false",
        Database,
        Works("Whether clients may ask for plans (`application/vnd.pgrst.plan`). What a plan ran to be measured is undone."),
    ),
    setting("db-pool", "10", Start, Works("Connections in the pool.")),
    setting("db-pool-acquisition-timeout", "10", Start, Works("Seconds that a request waits for one, then 504 `PGRST003`.")),
    setting("db-pool-automatic-recovery", "true", Start, Nothing("A database that went away is always waited for.")),
    renamed("db-pool-max-idletime", &["db-pool-timeout"], "30", Start, Works("Seconds after which an idle connection is closed.")),
    setting("db-pool-max-lifetime", "1800", Start, Works("Seconds after which a connection is replaced.")),
    setting("db-pre-config", "", Database, Works("A function, `schema.name`, that sets settings (`pgrst.…`) when they are read.")),
    renamed(
        "db-pre-request",
        &["pre-request"],
        "",
        Database,
        Works("A function, `schema.name`, that runs as the caller before every request."),
    ),
    setting(
        "db-prepared-statements",
        "true",
        Start,
        Works("Whether statements are kept prepared; `false` behind a pooler that hands out transactions."),
    ),
    renamed("db-root-spec", &["root-spec"], "", Database, Works("A function whose result is the document at the root.")),
    renamed(
        "db-schemas",
        &["db-schema"],
        "public",
        Database,
        Works("The schemas that are served; the first is meant where none is named."),
    ),
    setting("db-timezone-enabled", "true", Database, Nothing("Zones are PostgreSQL's to know; none are read beforehand.")),
    setting(
        "db-tx-end",
        "commit",
        DatabaseStart,
        Works("What becomes of transactions: `commit` or `rollback`; with `-allow-override` behind it `Prefer: tx=` may say otherwise."),
    ),
    setting(
        "db-uri",
        "postgresql://",
        Start,
        Works("The database and the login; `@file` reads it from a file. Without it `DATABASE_URL` and the variables of libpq count."),
    ),
    setting("jwt-aud", "", Database, Works("Whom tokens must be for, where they say it.")),
    setting("jwt-cache-max-entries", "1000", Database, Works("How many verified tokens are remembered; 0 for none.")),
    setting("jwt-cache-max-lifetime", "", Database, Nothing("Tokens are remembered by number, see `jwt-cache-max-entries`.")),
    renamed(
        "jwt-role-claim-key",
        &["role-claim-key"],
        ".role",
        Database,
        Works("Where in a token the role is: a JSON path (`$.role`), or one in the older form (`.role`)."),
    ),
    setting("jwt-secret", "", Database, Works("What signatures are checked with: text, JWK or JWKS; `@file` reads it from a file.")),
    renamed("jwt-secret-is-base64", &["secret-is-base64"], "false", Database, Works("Whether the secret is written in base64.")),
    setting(
        "log-level",
        "error",
        Start,
        Works("`crit` and `error` log failures of the server, `warn` doubts too, `info` every request, `debug` more."),
    ),
    setting("log-query", "disabled", Reload, Nothing("Statements are not logged; PostgreSQL's own log has them.")),
    setting(
        "openapi-mode",
        "follow-privileges",
        Database,
        Works("Whom the document at the root is for: `follow-privileges`, `ignore-privileges`, or `disabled`."),
    ),
    setting("openapi-security-active", "false", Database, Works("Whether that document says how to sign in.")),
    renamed(
        "openapi-server-proxy-uri",
        &["server-proxy-uri"],
        "",
        DatabaseStart,
        Works("The address that the document at the root names."),
    ),
    setting("raw-media-types", "", Start, Nothing("PostgREST itself no longer knows it.")),
    setting("server-cors-allowed-origins", "", DatabaseStart, Works("Pages that may call, with commas; all if empty.")),
    setting(
        "server-host",
        "!4",
        Start,
        Works("Where to listen: an address, a name, or `*`, `*4`, `!4`, `*6`, `!6`. `--listen` goes before it."),
    ),
    setting("server-otel-enabled", "false", Start, Nothing("No traces are sent.")),
    setting("server-port", "3000", Start, Works("The port; 0 takes a free one.")),
    setting("server-reuseport", "false", Start, Nothing("The port belongs to one process.")),
    setting("server-timing-enabled", "false", Database, Works("Whether answers say how long each step took (`Server-Timing`).")),
    setting("server-trace-header", "", Database, Works("A header of requests that is repeated in the answers.")),
    setting("server-unix-socket", "", Start, Works("A socket to listen on in place of a port.")),
    setting("server-unix-socket-mode", "660", Start, Works("Who may use it, in octal, 600 to 777.")),
    setting(
        "url-use-legacy-target-names",
        "true",
        Database,
        Works(
            "Whether filters, orders and limits may name an embedded table that has an alias by its own name; such answers have a `Warning`.",
        ),
    ),
];

/// Returns the setting of that name, today's or an earlier one.
pub(crate) fn by_name(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name || setting.older_names.contains(&name))
}

impl Setting {
    /// Returns its variable in the environment.
    pub fn variable(&self) -> String {
        variable(self.name)
    }

    /// Returns its name in the database, if it is read from there.
    pub fn in_database(&self) -> Option<String> {
        matches!(self.reach, Database | DatabaseStart).then(|| format!("pgrst.{}", self.name.replace('-', "_")))
    }

    /// Tells whether a reload reads it anew.
    pub fn is_reloadable(&self) -> bool {
        matches!(self.reach, Database | Reload)
    }
}

/// Returns the variable of a name.
pub(crate) fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.replace('-', "_").to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_once_and_in_order() {
        let names: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
        assert!(names.is_sorted_by(|left, right| left < right), "{names:?}");
        let older: Vec<&str> = SETTINGS.iter().flat_map(|setting| setting.older_names).copied().collect();
        assert!(older.iter().all(|name| !names.contains(name)), "{older:?}");
        assert_eq!(by_name("max-rows").map(|setting| setting.name), Some("db-max-rows"));
        assert_eq!(by_name("db-schemas").unwrap().in_database().as_deref(), Some("pgrst.db_schemas"));
        assert_eq!(by_name("db-uri").unwrap().variable(), "PGRST_DB_URI");
    }
}
