//! What is left of a company that went: a look at every table.
//!
//! Invariant: the id is looked for in every column of every row, whatever the table is for, so that nothing hides in a column that nobody
//! thought of. That it went is noted by a digest of its id, which is no trace of it.

use kernel::{Error, Result};
use uuid::Uuid;

use super::super::error;
use super::super::options::Options;
use super::super::session::Migrator;
use super::SAME_TEXT;
use super::tables::{REDACTIONS, SEALS};

/// Rows of a table in which the id stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remains {
    /// The table, with its schema.
    pub table: String,
    /// How many of its rows.
    pub rows: i64,
}

/// What is known of a company that went, or did not.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Removal {
    /// When it was closed, as far as it is noted.
    pub closed_at: Option<String>,
    /// When its last row went, as far as it is noted.
    pub removed_at: Option<String>,
    /// Until when it can be brought back, where it is there still; empty if it is not even closed.
    pub still_there_until: Option<String>,
    /// Tables that were looked at.
    pub tables: usize,
    /// What was found and should not be.
    pub remains: Vec<Remains>,
    /// What was found of the audit, which outlives its company for as long as audits are kept.
    pub audit: Vec<Remains>,
    /// Tables whose rows the owner may not read, or not all of them.
    pub unread: Vec<String>,
}

const TABLES: &str = "
select format('%I.%I', n.nspname, c.relname),
       has_table_privilege(c.oid, 'select') and (not row_security_active(c.oid) or exists (
         select from pg_catalog.pg_policy p
          where p.polrelid = c.oid and p.polpermissive and p.polcmd in ('r', '*') and pg_get_expr(p.polqual, p.polrelid) = 'true'
            and (select bool_or(r = 0 or pg_has_role(r, 'usage')) from unnest(p.polroles) r)))
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 where c.relkind = 'r' and c.relpersistence <> 't' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' order by 1";

impl Migrator {
    /// Looks for a company in every table, by its id; where it is there still, also by its slug.
    pub async fn look_for_company(&self, id_or_slug: &str, options: &Options) -> Result<(Option<Uuid>, Removal)> {
        let session = self.connect().await?;
        session.client.batch_execute("set default_transaction_isolation = 'repeatable read'").await.map_err(error::query)?;
        session.begin(options).await?;
        session.client.batch_execute(SAME_TEXT).await.map_err(error::query)?;
        let mut removal = Removal::default();
        let there = "select c.id, coalesce(c.permanent_delete_scheduled_at::text, '') from public.companies c
                      where c.slug = $1 or c.id::text = $1 order by c.deleted_at desc nulls first limit 1";
        let id = match session.client.query_opt(there, &[&id_or_slug]).await.map_err(error::query)? {
            Some(row) => {
                removal.still_there_until = Some(row.get(1));
                row.get(0)
            }
            None => match Uuid::parse_str(id_or_slug) {
                Ok(id) => id,
                Err(_) => return Ok((None, removal)),
            },
        };
        let noted =
            "select r.closed_at::text, r.removed_at::text from app.company_removals r where r.digest = sha256(convert_to($1, 'UTF8'))";
        if let Some(row) = session.client.query_opt(noted, &[&id.to_string()]).await.map_err(error::query)? {
            (removal.closed_at, removal.removed_at) = (row.get(0), row.get(1));
        }
        for row in session.client.query(TABLES, &[]).await.map_err(error::query)? {
            let table: String = row.try_get(0).map_err(Error::internal)?;
            if !row.try_get(1).map_err(Error::internal)? {
                removal.unread.push(table);
                continue;
            }
            let look = ["select count(*) from only ", &table, " t where strpos(t::text, $1) > 0"].concat();
            let rows: i64 = session.client.query_one(&look, &[&id.to_string()]).await.map_err(error::query)?.get(0);
            removal.tables += 1;
            let is_audit = table == SEALS || table == REDACTIONS || table.starts_with("public.audit_logs");
            match (rows, is_audit) {
                (0, _) => {}
                (_, true) => removal.audit.push(Remains { table, rows }),
                (_, false) => removal.remains.push(Remains { table, rows }),
            }
        }
        session.rollback().await?;
        Ok((Some(id), removal))
    }
}

impl Migrator {
    /// Tells whether a company is there.
    pub async fn has_company(&self, id: Uuid, options: &Options) -> Result<bool> {
        let session = self.connect().await?;
        session.begin(options).await?;
        let there =
            session.client.query_opt("select from public.companies c where c.id = $1", &[&id]).await.map_err(error::query)?.is_some();
        session.rollback().await?;
        Ok(there)
    }
}

impl Removal {
    /// Whether there was a company, and it is gone with everything that is its own; what is known of who did what aside.
    pub fn is_proved(&self) -> bool {
        self.still_there_until.is_none() && self.removed_at.is_some() && self.remains.is_empty() && self.unread.is_empty()
    }
}
