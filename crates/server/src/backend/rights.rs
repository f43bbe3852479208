//! Who the server is in the database: what it lacks, and what it should not have.
//!
//! Invariant: a login that row security does not hold is refused in production, since every promise to tenants rests on it.

use kernel::{Error, Kind, Result};
use postgres::Sql;

use super::Backend;
use crate::config::Settings;
use crate::start::database;

/// The code of a login that row security does not hold.
pub(crate) const SERVER_LOGIN_TOO_STRONG: &str = "server_login_too_strong";

/// What the server's login is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rights {
    pub(super) server_version: String,
    login: String,
    is_superuser: bool,
    bypasses_row_security: bool,
    owns: Option<String>,
    replicates: bool,
    wal_level: String,
}

/// Reads it.
pub(super) async fn read(backend: &Backend) -> Result<Rights> {
    let statement = Sql::new(
        "select current_setting('server_version') as server_version,
                r.rolname::text as login,
                r.rolsuper as is_superuser,
                r.rolbypassrls as bypasses_row_security,
                (select n.nspname || '.' || c.relname
                   from pg_catalog.pg_class c
                   join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                  where c.relowner = r.oid and c.relkind in ('r', 'p', 'v', 'm')
                    and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_%'
                  limit 1) as owns,
                r.rolreplication as replicates,
                current_setting('wal_level') as wal_level
           from pg_catalog.pg_roles r
          where r.rolname = session_user",
    );
    let answer = backend.ask(statement, "looks at the rights of the server's login").await?;
    let row = answer.rows.first().ok_or_else(|| Error::internal("the server's own login is not in pg_roles"))?;
    Ok(Rights {
        server_version: row.try_get("server_version").map_err(Error::internal)?,
        login: row.try_get("login").map_err(Error::internal)?,
        is_superuser: row.try_get("is_superuser").map_err(Error::internal)?,
        bypasses_row_security: row.try_get("bypasses_row_security").map_err(Error::internal)?,
        owns: row.try_get("owns").map_err(Error::internal)?,
        replicates: row.try_get("replicates").map_err(Error::internal)?,
        wal_level: row.try_get("wal_level").map_err(Error::internal)?,
    })
}

impl Rights {
    /// Returns what does not work with them, in sentences; refuses too many in production.
    pub(super) fn judge(&self, settings: &Settings) -> Result<Vec<String>> {
        let mut sentences = Vec::new();
        if let Some(what) = self.too_strong() {
            let message = format!("The login {} {what}: row security would not hold it", self.login);
            if !settings.is_development() {
                let hint = "give the server a login of its own that owns nothing, in database.url";
                return Err(Error::new(Kind::Forbidden, SERVER_LOGIN_TOO_STRONG, message).with_hint(hint));
            }
            sentences.push(message);
        }
        // The private cluster is ours: nobody has to grant anything there.
        if !settings.uses_private_cluster() {
            if !self.replicates {
                let login = &self.login;
                sentences
                    .push(format!("the login {login} lacks REPLICATION: changes cannot be streamed to realtime and cache, only polled"));
            }
            if self.wal_level != "logical" {
                let level = &self.wal_level;
                sentences.push(format!("wal_level is {level}, not logical: changes cannot be streamed to realtime and cache, only polled"));
            }
            for key in database::in_clear_text(settings).map_err(Error::internal)? {
                sentences.push(format!("{key} does not demand TLS: passwords and rows may be read on the way; add ?sslmode=verify-full"));
            }
        }
        Ok(sentences)
    }

    fn too_strong(&self) -> Option<String> {
        if self.is_superuser {
            return Some("is a superuser".to_owned());
        }
        if self.bypasses_row_security {
            return Some("has BYPASSRLS".to_owned());
        }
        self.owns.as_ref().map(|relation| format!("owns {relation}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    fn rights() -> Rights {
        Rights {
            server_version: "15.18".to_owned(),
            login: "thorbis_server".to_owned(),
            is_superuser: false,
            bypasses_row_security: false,
            owns: None,
            replicates: true,
            wal_level: "logical".to_owned(),
        }
    }

    fn external(environment: Environment) -> Settings {
        let mut settings = Settings { environment, ..Settings::default() };
        settings.database.url = Some(kernel::Secret::new("postgres://h/d?sslmode=verify-full".to_owned()));
        settings
    }

    #[test]
    fn a_login_that_row_security_does_not_hold_is_refused_in_production() {
        for strong in [
            Rights { is_superuser: true, ..rights() },
            Rights { bypasses_row_security: true, ..rights() },
            Rights { owns: Some("public.jobs".to_owned()), ..rights() },
        ] {
            let refused = strong.judge(&external(Environment::Production)).unwrap_err();
            assert_eq!(refused.code(), "server_login_too_strong");
            assert_eq!(strong.judge(&external(Environment::Development)).unwrap().len(), 1);
        }
        assert_eq!(rights().judge(&external(Environment::Production)).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_is_missing_is_named_with_what_does_not_work() {
        let weak = Rights { replicates: false, wal_level: "replica".to_owned(), ..rights() };
        let sentences = weak.judge(&external(Environment::Production)).unwrap();
        assert_eq!(sentences.len(), 2);
        assert!(sentences[0].contains("REPLICATION") && sentences[1].contains("wal_level is replica"), "{sentences:?}");
        assert_eq!(weak.judge(&Settings::default()).unwrap(), Vec::<String>::new());
        let mut in_clear = external(Environment::Production);
        in_clear.database.migrator_url = Some(kernel::Secret::new("postgres://m:hunter2@db.example/d".to_owned()));
        let sentences = rights().judge(&in_clear).unwrap();
        assert!(sentences.len() == 1 && sentences[0].starts_with("database.migrator_url does not demand TLS"), "{sentences:?}");
    }
}
