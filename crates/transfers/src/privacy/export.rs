//! Everything about a person as one JSON object, table by table as it is read.
//!
//! Invariant: no more than the rows of one table are in memory, and of each table a bounded number; a table that has more is named under
//! `truncated`. Each part asks again who asks, so that a right that is lost meanwhile ends the answer.

use bytes::Bytes;
use futures_util::{Stream, stream};
use jiff::Timestamp;
use kernel::{CompanyId, Error, Grant, RequestContext, Result};
use postgres::{Row, Sql};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Transfers;
use crate::links::{self, Linked};

/// What a link to a person's file is to.
pub(super) const LINKED: &str = "person file";

/// An export that goes on.
pub(super) struct Export {
    transfers: Transfers,
    grant: Grant,
    context: RequestContext,
    customer: Option<Uuid>,
    /// The place after which it goes on.
    after: i32,
    is_first: bool,
    truncated: Vec<String>,
    is_over: bool,
}

/// Whose it is, and what it begins with.
pub(super) struct Opened {
    /// The person's id.
    pub(super) id: Uuid,
    /// The first piece.
    pub(super) head: Bytes,
    /// What gives the others.
    pub(super) rest: Export,
}

/// Finds the person, and refuses whoever may not know.
pub(super) async fn open(transfers: &Transfers, grant: Grant, context: RequestContext, customer: Option<Uuid>) -> Result<Opened> {
    let tx = transfers.begin_as(&grant, &context).await?;
    transfers.take_time(&tx).await?;
    let mut sql = Sql::new("select e.id, e.profile, t.projects, t.audit_logs from app.open_person_export(");
    sql.bind(customer).text("::uuid) e, app.person_trace(").bind(customer).text("::uuid, null, null, ");
    sql.bind(transfers.config().person_rows_max).text("::integer) t");
    let row = tx.query_one(sql).await?;
    tx.commit().await?;
    let whole = |column: &str| -> Result<Value> { get::<Option<Value>>(&row, column).map(|found| found.unwrap_or(Value::Null)) };
    let head = format!(
        "{{\"exportedAt\":{},\"profile\":{},\"projects\":{},\"auditLogs\":{},\"data\":{{",
        json!(transfers.now().to_string()),
        whole("profile")?,
        whole("projects")?,
        whole("audit_logs")?
    );
    let transfers = transfers.clone();
    let rest = Export { transfers, grant, context, customer, after: 0, is_first: true, truncated: vec![], is_over: false };
    Ok(Opened { id: get(&row, "id")?, head: head.into(), rest })
}

impl Export {
    /// Returns the pieces that are left.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Bytes>> + Send {
        stream::unfold(self, |mut export| async move {
            if export.is_over {
                return None;
            }
            let piece = export.piece().await;
            export.is_over |= piece.is_err();
            Some((piece, export))
        })
    }

    async fn piece(&mut self) -> Result<Bytes> {
        let tx = self.transfers.begin_as(&self.grant, &self.context).await?;
        self.transfers.take_time(&tx).await?;
        let mut sql = Sql::new("select r.place, r.table_name, r.rows, r.is_cut from app.person_rows(");
        sql.bind(self.customer).text("::uuid, null, null, ").bind(self.after).text("::integer, ");
        sql.bind(self.transfers.config().person_rows_max).text("::integer) r");
        let found = tx.query_opt(sql).await?;
        tx.commit().await?;
        let Some(row) = found else {
            self.is_over = true;
            return self.end().await;
        };
        let (table, rows): (String, Value) = (get(&row, "table_name")?, get(&row, "rows")?);
        self.after = get(&row, "place")?;
        let comma = if std::mem::take(&mut self.is_first) { "" } else { "," };
        let piece = format!("{comma}{}:{rows}", json!(table));
        if get(&row, "is_cut")? {
            self.truncated.push(table);
        }
        Ok(piece.into())
    }

    /// The files, and which tables had more rows.
    async fn end(&mut self) -> Result<Bytes> {
        let rows_max = self.transfers.config().person_rows_max;
        let tx = self.transfers.begin_as(&self.grant, &self.context).await?;
        self.transfers.take_time(&tx).await?;
        let mut sql = Sql::new("select f.company_id, f.id, f.name, f.bytes, f.mime_type from app.person_files(");
        sql.bind(self.customer).text("::uuid, null, null, ").bind(rows_max).text("::integer) f");
        let rows = tx.query(sql).await?;
        tx.commit().await?;
        let until = self.transfers.link_end()?;
        let files: Vec<Value> = rows.iter().map(|row| self.file(row, until)).collect::<Result<_>>()?;
        if u32::try_from(files.len()).is_ok_and(|files| files >= rows_max) {
            self.truncated.push("files".to_owned());
        }
        Ok(format!("}},\"files\":{},\"truncated\":{}}}\n", json!(files), json!(self.truncated)).into())
    }

    fn file(&self, row: &Row, until: Timestamp) -> Result<Value> {
        let (company, id) = (CompanyId(get(row, "company_id")?), get(row, "id")?);
        let token = links::sign(&self.transfers.auth().derived_keys(links::PURPOSE), Linked { what: LINKED, company, id }, until)?;
        let (name, bytes, kind): (String, i64, Option<String>) = (get(row, "name")?, get(row, "bytes")?, get(row, "mime_type")?);
        let url = format!("{}/api/gdpr/files/{id}?token={token}", self.transfers.public_url());
        Ok(json!({ "id": id, "name": name, "bytes": bytes, "mime_type": kind, "url": url, "expires_at": until.to_string() }))
    }
}

pub(super) fn get<'a, T: postgres::FromSql<'a>>(row: &'a Row, column: &str) -> Result<T> {
    row.try_get(column).map_err(Error::internal)
}
