//! A file that is being made for somebody: its row, its bytes, its link.
//!
//! Invariant: the row says that the file is there in the transaction that ends the task, and the file is there before.

use std::sync::atomic::{AtomicU64, Ordering};

use kernel::{BlobKey, BlobStream, Error, Result};
use postgres::Sql;
use queue::{Failure, Running};
use serde_json::{Value, json};

use crate::Transfers;
use crate::failing::{failure, is_final};
use crate::links::{self, Linked};

/// What an export's links are to.
pub(crate) const LINKED: &str = "export";

/// A file that is being made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Making<'a> {
    pub(crate) transfers: &'a Transfers,
    pub(crate) task: &'a Running,
    /// `table` or `report`.
    pub(crate) what: &'static str,
    pub(crate) name: &'a str,
    pub(crate) format: &'a str,
}

impl Making<'_> {
    /// Notes that it was asked for and is begun.
    pub(crate) async fn open(&self, columns: &[String], filter: &str) -> Result<()> {
        let (company, id) = (self.task.company_id(), self.task.id());
        let Some(asker) = self.task.asker() else { return self.task.grant_of_asker::<super::Exporting>().map(drop) };
        let tx = self.task.begin("notes an export").await?;
        let mut open = Sql::new("select app.open_export(");
        open.bind(company).text("::uuid, ").bind(id).text("::uuid, ").bind(asker).text("::uuid, ").bind(self.what).text("::text, ");
        // What cannot be is refused later, with a row to say so.
        let format = if ["csv", "json", "ndjson", "html"].contains(&self.format) { self.format } else { "csv" };
        let name: String = self.name.chars().take(63).collect();
        open.bind(if name.is_empty() { "?".to_owned() } else { name })
            .text("::text, ")
            .bind(format)
            .text("::text, array(select jsonb_array_elements_text(");
        open.bind(json!(columns)).text("::jsonb)), ").bind(filter).text("::text)");
        tx.query(open).await?;
        let mut begin = Sql::new("update public.data_exports e set status = 'running' where e.status = 'pending' and e.company_id = ");
        begin.bind(company).text("::uuid and e.id = ").bind(id).text("::uuid");
        tx.execute(begin).await?;
        tx.commit().await
    }

    /// Keeps the bytes, and ends the task with the link to them.
    pub(crate) async fn keep(&self, content: BlobStream, bytes_max: u64, rows: &AtomicU64) -> Result<Value> {
        let company = self.task.company_id().ok_or_else(|| Error::internal("an export is of a company"))?;
        let key = BlobKey::new(company, &format!("exports/{}.{}", self.task.id(), self.format))?;
        let info = self.transfers.blobs().put(&key, content, bytes_max).await?;
        let (id, expires_at, rows) = (self.task.id(), self.transfers.link_end()?, rows.load(Ordering::Relaxed));
        let keys = self.transfers.auth().derived_keys(links::PURPOSE);
        let url = url(self.transfers, &links::sign(&keys, Linked { what: LINKED, company, id }, expires_at)?, id);
        let result = json!({ "export_id": id, "rows": rows, "bytes": info.bytes, "url": url, "expires_at": expires_at.to_string() });
        self.task.stage(99, &format!("{rows} rows in {} bytes", info.bytes)).await?;
        let tx = self.task.begin("notes an export that is made").await?;
        let mut made = Sql::new(
            "update public.data_exports e set status = 'completed', finished_at = now(), error_code = null, error_message = null, blob_key = ",
        );
        made.bind(key.as_str())
            .text("::text, bytes = ")
            .bind(info.bytes)
            .text("::bigint, rows_done = ")
            .bind(rows)
            .text("::bigint, expires_at = ");
        made.bind(expires_at).text("::timestamptz where e.company_id = ").bind(company).text("::uuid and e.id = ").bind(id).text("::uuid");
        if tx.execute(made).await? == 0 {
            // It was taken back meanwhile.
            let mut forget = Sql::new("insert into app.forgotten_files (blob_key) values (");
            forget.bind(key.as_str()).text("::text) on conflict (blob_key) do nothing");
            tx.execute(forget).await?;
        }
        self.task.finish_within(&tx, result).await?;
        tx.commit().await?;
        Ok(Value::Null)
    }
}

/// Returns the address of a file of an export.
pub(crate) fn url(transfers: &Transfers, token: &str, id: uuid::Uuid) -> String {
    format!("{}/api/v1/exports/{id}/file?token={token}", transfers.public_url())
}

/// Notes why there will be no file, where that is so, and returns how the attempt ended.
pub(crate) async fn failed_or_again(making: &Making<'_>, error: Error) -> Failure {
    if is_final(&error) {
        let noted = note(making, &error).await;
        if let Err(error) = noted {
            return Failure::from(error);
        }
    }
    failure(error)
}

async fn note(making: &Making<'_>, error: &Error) -> Result<()> {
    let tx = making.task.begin("notes an export that failed").await?;
    let mut failed = Sql::new("update public.data_exports e set status = 'failed', finished_at = now(), error_code = left(");
    failed.bind(error.code()).text("::text, 120), error_message = left(").bind(error.message()).text("::text, 2000) where e.company_id = ");
    failed.bind(making.task.company_id()).text("::uuid and e.id = ").bind(making.task.id()).text("::uuid");
    tx.execute(failed).await?;
    tx.commit().await
}
