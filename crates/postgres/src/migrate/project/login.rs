//! The logins of a project: one that runs its files, made for one run and gone with it, and one that runs what it schedules, which stays.
//!
//! Invariant: they are members of `project_owner` and of nothing else. Whatever a text does to its role, it stays below that one: a
//! connection of the migrator's login would only have to say `reset role`.

use kernel::Result;
use postgres_protocol::password::scram_sha_256;

use super::super::error;
use super::super::options::Options;
use super::super::session::{Session, with_retries};

/// A login for one run.
pub(super) struct Login {
    name: String,
    password: String,
}

/// For how long it is good if nobody drops it.
const HOURS: &str = "24";

impl Login {
    /// Makes it; those of runs that were killed are dropped.
    pub(super) async fn make(session: &Session) -> Result<Self> {
        let login = Self { name: format!("project_run_{}", random()), password: random() + &random() };
        let left = session
            .client
            .query("select rolname from pg_catalog.pg_roles where rolname ~ '^project_run_[0-9a-f]{16}$' and rolvaliduntil < now()", &[])
            .await
            .map_err(error::query)?;
        for row in left {
            Self { name: row.get(0), password: String::new() }.drop(session).await;
        }
        // Only the verifier is sent, so that no log can show the password.
        let verifier = scram_sha_256(login.password.as_bytes());
        let row = session
            .client
            .query_one(
                "select format('create role %I login connection limit 4 password %L valid until %L in role project_owner',
                               $1::text, $2::text, now() + make_interval(hours => $3::text::integer))",
                &[&login.name, &verifier, &HOURS],
            )
            .await
            .map_err(error::query)?;
        let statement: String = row.get(0);
        let statement = &statement;
        with_retries(&Options::default(), || Box::pin(async move { session.client.batch_execute(statement).await.map_err(error::query) }))
            .await?;
        Ok(login)
    }

    /// Makes sure of the login over which SQL runs that the project schedules. It stays, and its password is known to the service alone.
    pub(super) async fn keep(session: &Session) -> Result<()> {
        let asked = "select exists (select from app.project_logins l join pg_catalog.pg_roles r on r.rolname = l.name)";
        if session.client.query_one(asked, &[]).await.map(|row| row.get(0)).map_err(error::query)? {
            return Ok(());
        }
        let login = Self { name: format!("project_cron_{}", random()), password: random() + &random() };
        let verifier = scram_sha_256(login.password.as_bytes());
        let row = session
            .client
            .query_one(
                "select format('create role %I login connection limit 16 password %L in role project_owner', $1::text, $2::text)",
                &[&login.name, &verifier],
            )
            .await
            .map_err(error::query)?;
        let statement: String = row.get(0);
        let statement = &statement;
        with_retries(&Options::default(), || Box::pin(async move { session.client.batch_execute(statement).await.map_err(error::query) }))
            .await?;
        let keep = "insert into app.project_logins as l (name, password) values ($1, $2)
                    on conflict (is_only_row) do update set name = excluded.name, password = excluded.password";
        session.client.execute(keep, &[&login.name, &login.password]).await.map_err(error::query)?;
        Ok(())
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn password(&self) -> &str {
        &self.password
    }

    /// Drops it. One that cannot be dropped now is good for a day and goes with a later run.
    pub(super) async fn drop(self, session: &Session) {
        let dropped = async {
            let row = session.client.query_one("select format('drop role if exists %I', $1::text)", &[&self.name]).await?;
            session.client.batch_execute(row.get(0)).await
        };
        if let Err(cause) = dropped.await {
            tracing::warn!(login = self.name, error = %cause, "the login of a project's run is still there");
        }
    }
}

fn random() -> String {
    format!("{:016x}", rand::random::<u64>())
}
