//! Writing a company: staged where nobody sees it, then taken over in one statement with the triggers off.
//!
//! Invariant: one transaction. Triggers are off for the time of that statement and of nobody else's, since their tables are locked
//! against writers meanwhile; keys are checked all the same. What is not committed never was.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::SinkExt as _;
use kernel::Result;
use tokio_postgres::CopyInSink;
use uuid::Uuid;

use super::super::error;
use super::super::options::Options;
use super::super::session::{Migrator, Session};
use super::reader::{Lines, lines};
use super::tables::{self, Archived, BUCKETS, SEALS};
use super::{Account, SAME_TEXT, accounts, schema};

/// A company that is being written. Without [`CompanyWriter::commit`] nothing of it stays.
pub struct CompanyWriter {
    session: Session,
    options: Options,
    schema: String,
    tables: Vec<Archived>,
}

/// Takes the rows of one table.
pub struct Rows(Pin<Box<CopyInSink<Bytes>>>);

/// Triggers of these tables and their partitions that are on.
const TRIGGERS: &str = "
select format('alter table %s %s trigger %I', t.tgrelid::regclass, v.verb, t.tgname), v.verb
  from unnest($1::text[]) n (name)
 cross join lateral (select n.name::regclass as relid union select p.relid from pg_catalog.pg_partition_tree(n.name::regclass) p) r
  join pg_catalog.pg_trigger t on t.tgrelid = r.relid
 cross join (values ('disable'), ('enable')) v (verb)
 where not t.tgisinternal and t.tgenabled = 'O' order by 1";
/// Months of rows that came whose partition is not there yet.
const MONTHS: &str = "
select public.create_monthly_partition($1, m.month) from (
  select distinct date_trunc('month', to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0) at time zone 'UTC')::date as month
    from ";

impl Migrator {
    /// Opens the transaction that a company comes in by. One at a time, and none while somebody migrates.
    pub async fn write_company(&self, options: &Options) -> Result<CompanyWriter> {
        let session = self.connect().await?;
        session.lock(options).await?;
        session.begin(options).await?;
        session.client.batch_execute(SAME_TEXT).await.map_err(error::query)?;
        let (schema, tables) = (schema(&session).await?, tables::archived(&session).await?);
        Ok(CompanyWriter { session, options: options.clone(), schema, tables })
    }
}

impl CompanyWriter {
    /// Returns the newest migration here.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// Returns the tables that are archived here.
    pub fn tables(&self) -> &[Archived] {
        &self.tables
    }

    /// Refuses a company that is there, and a slug that is taken.
    pub async fn refuse_known(&self, id: Uuid, slug: &str) -> Result<()> {
        let known = "select c.id = $1 from public.companies c where c.id = $1 or c.slug = $2 order by c.id = $1 desc limit 1";
        match self.session.client.query_opt(known, &[&id, &slug]).await.map_err(error::query)?.map(|row| row.get::<_, bool>(0)) {
            None => self.refuse_outlived(id).await,
            Some(true) => {
                let hint = "Import it beside with --new-ids and --as-slug.";
                Err(error::refused(error::COMPANY_EXISTS, format!("the company {id} is in this installation already"), hint))
            }
            Some(false) => {
                let hint = "Give it another with --as-slug.";
                Err(error::refused(error::COMPANY_EXISTS, format!("the slug {slug} is another company's here"), hint))
            }
        }
    }

    /// Refuses the id of a company that was here: its audit outlived it, and its chain is never joined to another.
    async fn refuse_outlived(&self, id: Uuid) -> Result<()> {
        let outlived = "select exists (select from app.audit_batches b where b.company_id = $1)
                            or exists (select from public.audit_logs l where l.company_id = $1)";
        if !self.session.client.query_one(outlived, &[&id]).await.map_err(error::query)?.get::<_, bool>(0) {
            return Ok(());
        }
        let hint = "Import it with --new-ids.";
        Err(error::refused(error::COMPANY_EXISTS, format!("the company {id} was in this installation, and its audit still is"), hint))
    }

    /// Finds an account by its proved address or makes it; returns its id here and whether it is new.
    pub async fn account(&self, account: &Account) -> Result<(Uuid, bool)> {
        accounts::settle(&self.session, account).await
    }

    /// Begins to take rows of a table, where nobody sees them.
    pub async fn stage(&self, table: &Archived) -> Result<Rows> {
        let (stage, columns) = (self.stage_name(table), table.columns.join(", "));
        let make =
            ["create temporary table ", &stage, " on commit drop as select ", &columns, " from ", &table.name, " with no data"].concat();
        self.session.client.batch_execute(&make).await.map_err(error::query)?;
        let copy = ["copy pg_temp.", &stage, " from stdin"].concat();
        Ok(Rows(Box::pin(self.session.client.copy_in(copy.as_str()).await.map_err(error::query)?)))
    }

    /// Gives the staged company another slug.
    pub async fn rename(&self, slug: &str) -> Result<()> {
        let Some(companies) = self.tables.iter().find(|table| table.name == tables::COMPANIES) else { return Ok(()) };
        let rename = ["update pg_temp.", &self.stage_name(companies), " set slug = $1"].concat();
        self.session.client.execute(&rename, &[&slug]).await.map(drop).map_err(error::query)
    }

    /// Refuses staged rows that are not the company's: an archive never reaches another one.
    pub async fn refuse_strangers(&self, company: Uuid, staged: &[Archived]) -> Result<()> {
        for table in staged {
            let Some(count) = table.strangers(&self.stage_name(table), company) else { continue };
            let strangers: i64 = self.session.client.query_one(&count, &[]).await.map_err(error::query)?.get(0);
            if strangers > 0 {
                let message = format!("{} rows of {} in the archive are not this company's", strangers, table.name);
                return Err(error::refused(error::COMPANY_ARCHIVE, message, "Export it again; this archive was changed by hand."));
            }
        }
        Ok(())
    }

    /// Makes rows of the company of everything that is staged.
    pub async fn take_over(&self, staged: &[Archived]) -> Result<()> {
        let client = &self.session.client;
        for table in staged.iter().filter(|table| PARTITIONED.contains(&table.name.as_str())) {
            let (name, stage) = (table.name.trim_start_matches("public."), self.stage_name(table));
            client.query(&[MONTHS, "pg_temp.", &stage, ") m"].concat(), &[&name]).await.map_err(error::query)?;
        }
        if let Some(buckets) = staged.iter().find(|table| table.name == BUCKETS) {
            self.bring_buckets(buckets).await?;
        }
        let rows: Vec<&Archived> = staged.iter().filter(|table| table.name != BUCKETS).collect();
        let names: Vec<String> = rows.iter().map(|table| table.name.clone()).collect();
        // All locks first, so that writers wait for one statement and not for each of ours; and for none of them longer than allowed.
        let lock = ["lock table ", &names.join(", "), " in share row exclusive mode"].concat();
        self.with_patience(&lock).await?;
        let triggers = client.query(TRIGGERS, &[&names]).await.map_err(error::query)?;
        let switch = async |verb: &str| {
            for row in triggers.iter().filter(|row| row.get::<_, &str>(1) == verb) {
                client.batch_execute(row.get(0)).await.map_err(error::query)?;
            }
            Ok::<_, kernel::Error>(())
        };
        switch("disable").await?;
        client.batch_execute(&self.taking_over(&rows)).await.map_err(error::query)?;
        client.batch_execute("set constraints all immediate").await.map_err(error::query)?;
        switch("enable").await
    }

    /// Returns the rows of a table of a company that was taken over.
    pub async fn rows(&self, table: &Archived, company: Uuid) -> Result<Lines> {
        lines(&self.session, table, company).await
    }

    /// Has the audit rows sealed that came without a seal.
    pub async fn seal(&self, company: Uuid) -> Result<()> {
        let again = [
            "update app.audit_seal s set again_xid = least(s.again_xid, a.first) from (
              select min(l.xid) as first from public.audit_logs l where l.company_id = $1
                 and not exists (select from ",
            SEALS,
            " b where b.company_id = $1 and l.id = any (b.row_ids))) a where a.first is not null",
        ]
        .concat();
        self.session.client.execute(&again, &[&company]).await.map(drop).map_err(error::query)
    }

    /// Has files looked at for viruses that came with another installation's word for them.
    pub async fn have_files_looked_at(&self, company: Uuid) -> Result<()> {
        let again = "update app.blobs b set scan_result = 'pending', scanned_at = null where b.company_id = $1 and b.state = 'stored'";
        self.session.client.execute(again, &[&company]).await.map(drop).map_err(error::query)
    }

    /// Ends the transaction: from now on the company is there.
    pub async fn commit(self) -> Result<()> {
        self.session.commit().await
    }

    /// Buckets of companies that are missing here; one that is there and is none of companies is somebody else's.
    async fn bring_buckets(&self, buckets: &Archived) -> Result<()> {
        let (client, stage) = (&self.session.client, self.stage_name(buckets));
        let taken = [
            "select string_agg(s.id, ', ') from pg_temp.",
            &stage,
            " s join storage.buckets b on b.id = s.id where not exists (select from app.company_buckets c where c.id = s.id)",
        ]
        .concat();
        if let Some(names) = client.query_one(&taken, &[]).await.map_err(error::query)?.get::<_, Option<String>>(0) {
            let message = format!("buckets of these names are not of companies here: {names}");
            return Err(error::refused(error::COMPANY_EXISTS, message, "Give those buckets another name first."));
        }
        let columns = buckets.columns.join(", ");
        let bring = [
            "insert into storage.buckets (",
            &columns,
            ") select ",
            &columns,
            " from pg_temp.",
            &stage,
            " on conflict do nothing;
            insert into app.company_buckets (id) select id from pg_temp.",
            &stage,
            " on conflict do nothing",
        ]
        .concat();
        client.batch_execute(&bring).await.map_err(error::query)
    }

    /// One statement for all tables: keys are checked at its end, whichever of two tables points to the other.
    fn taking_over(&self, tables: &[&Archived]) -> String {
        let mut parts = Vec::new();
        for (position, table) in tables.iter().enumerate() {
            let columns = table.columns.join(", ");
            let stage = self.stage_name(table);
            parts.push(
                [
                    "w",
                    &position.to_string(),
                    " as (insert into ",
                    &table.name,
                    " (",
                    &columns,
                    ") overriding system value select ",
                    &columns,
                    " from pg_temp.",
                    &stage,
                    ")",
                ]
                .concat(),
            );
        }
        ["with ", &parts.join(", "), " select 1"].concat()
    }

    /// Runs a statement again while a lock is not to be had.
    async fn with_patience(&self, statement: &str) -> Result<()> {
        let mut pause = self.options.backoff;
        for tried in 1.. {
            self.session.client.batch_execute("savepoint patience").await.map_err(error::query)?;
            match self.session.client.batch_execute(statement).await.map_err(error::query) {
                Err(cause) if error::may_retry(&cause) && tried < self.options.attempts => {
                    self.session.client.batch_execute("rollback to savepoint patience").await.map_err(error::query)?;
                }
                done => return done,
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(self.options.backoff_max);
        }
        Ok(())
    }

    fn stage_name(&self, table: &Archived) -> String {
        let position = self.tables.iter().position(|known| known.name == table.name).unwrap_or(self.tables.len());
        ["brought_", &position.to_string()].concat()
    }
}

/// Tables of months, whose ids say which.
const PARTITIONED: &[&str] = &["public.communications", "public.activities", "public.audit_logs", "public.email_logs"];

impl Rows {
    /// Takes lines, whole ones.
    pub async fn take(&mut self, lines: Bytes) -> Result<()> {
        self.0.send(lines).await.map_err(error::query)
    }

    /// Says that there are no more; returns how many there were.
    pub async fn finish(mut self) -> Result<u64> {
        self.0.as_mut().finish().await.map_err(error::query)
    }
}

impl std::fmt::Debug for CompanyWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompanyWriter").field("schema", &self.schema).finish_non_exhaustive()
    }
}
