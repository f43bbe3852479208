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

use super::packed::Wanted;
use super::zip::ENTRIES_MAX;
use crate::links::{self, Linked};
use crate::{Transfers, files};

/// What a link to a person's file is to.
pub(super) const LINKED: &str = "person file";

/// An export that goes on.
pub(super) struct Export {
    transfers: Transfers,
    grant: Grant,
    context: RequestContext,
    about: About,
    /// The place after which it goes on.
    after: i32,
    is_first: bool,
    truncated: Vec<String>,
    /// Files that are to come with it.
    packed: Option<Vec<Wanted>>,
    is_over: bool,
}

/// Whom it is about; whoever asks, where nobody is named.
#[derive(Clone, Copy, Debug)]
pub(super) struct About {
    /// `customer` or `contact`.
    pub(super) subject: Option<&'static str>,
    /// Who of these.
    pub(super) id: Option<Uuid>,
}

impl About {
    /// Writes the first arguments of functions that take him.
    pub(super) fn bind(self, sql: &mut Sql) {
        sql.bind(self.id).text("::uuid, ").bind(self.subject).text("::text");
    }
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
pub(super) async fn open(transfers: &Transfers, grant: Grant, context: RequestContext, about: About, is_packed: bool) -> Result<Opened> {
    let tx = transfers.begin_as(&grant, &context).await?;
    transfers.take_time(&tx).await?;
    let mut sql = Sql::new("select e.id, e.profile, t.projects, t.audit_logs from app.open_person_export(");
    about.bind(&mut sql);
    sql.text(", null) e, app.person_trace(");
    about.bind(&mut sql);
    sql.text(", null, ");
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
    let packed = is_packed.then(Vec::new);
    let rest = Export { transfers, grant, context, about, packed, after: 0, is_first: true, truncated: vec![], is_over: false };
    Ok(Opened { id: get(&row, "id")?, head: head.into(), rest })
}

impl Export {
    /// Returns the pieces that are left.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Bytes>> + Send {
        stream::unfold(self, |mut export| async move { export.next().await.transpose().map(|piece| (piece, export)) })
    }

    /// Returns the next piece.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.is_over {
            return Ok(None);
        }
        let piece = self.piece().await;
        self.is_over |= piece.is_err();
        piece.map(Some)
    }

    /// Returns the files that are to come with it, once all pieces were read.
    pub(super) fn take_packed(&mut self) -> Vec<Wanted> {
        self.packed.take().unwrap_or_default()
    }

    async fn piece(&mut self) -> Result<Bytes> {
        let tx = self.transfers.begin_as(&self.grant, &self.context).await?;
        self.transfers.take_time(&tx).await?;
        let mut sql = Sql::new("select r.place, r.table_name, r.rows, r.is_cut from app.person_rows(");
        self.about.bind(&mut sql);
        sql.text(", null, ").bind(self.after).text("::integer, ");
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
        self.about.bind(&mut sql);
        sql.text(", null, ").bind(rows_max).text("::integer) f");
        let rows = tx.query(sql).await?;
        tx.commit().await?;
        let until = self.transfers.link_end()?;
        let mut room = self.transfers.config().person_files_bytes_max;
        let files: Vec<Value> = rows.iter().map(|row| self.file(row, until, &mut room)).collect::<Result<_>>()?;
        let is_left_out = self.packed.as_ref().is_some_and(|packed| packed.len() < files.len());
        if is_left_out || u32::try_from(files.len()).is_ok_and(|files| files >= rows_max) {
            self.truncated.push("files".to_owned());
        }
        Ok(format!("}},\"files\":{},\"truncated\":{}}}\n", json!(files), json!(self.truncated)).into())
    }

    /// What is told of a file; where it is to come with it and there is room, that it does.
    fn file(&mut self, row: &Row, until: Timestamp, room: &mut u64) -> Result<Value> {
        let (company, id) = (CompanyId(get(row, "company_id")?), get(row, "id")?);
        let token = links::sign(&self.transfers.auth().derived_keys(links::PURPOSE), Linked { what: LINKED, company, id }, until)?;
        let (name, bytes, kind): (String, i64, Option<String>) = (get(row, "name")?, get(row, "bytes")?, get(row, "mime_type")?);
        let url = format!("{}/api/gdpr/files/{id}?token={token}", self.transfers.public_url());
        let mut told = json!({ "id": id, "name": name, "bytes": bytes, "mime_type": kind, "url": url, "expires_at": until.to_string() });
        let left = u64::try_from(bytes).ok().and_then(|bytes| room.checked_sub(bytes));
        if let (Some(packed), Some(left)) = (&mut self.packed, left)
            && packed.len() < ENTRIES_MAX
        {
            *room = left;
            let path = format!("files/{id}-{}", files::plain(name.rsplit('/').next().unwrap_or_default()));
            told.as_object_mut().map(|told| told.insert("path".to_owned(), json!(path)));
            packed.push(Wanted { company, id, path });
        }
        Ok(told)
    }
}

pub(super) fn get<'a, T: postgres::FromSql<'a>>(row: &'a Row, column: &str) -> Result<T> {
    row.try_get(column).map_err(Error::internal)
}
