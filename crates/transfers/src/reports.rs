//! `generate_report`: figures of a company as a file with a link.
//!
//! Invariant: what a report says is what its function says to whoever asks; no amount is added to one of another currency.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use kernel::{Capability, Demand, Error, Kind as ErrorKind, Result};
use postgres::{Access, Sql};
use queue::{Failure, Field, FieldType, Kind, Rules, Running};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Transfers;
use crate::exports::rows::{Format, Writer};
use crate::exports::{Making, failed_or_again};

/// What a member needs to have a report made.
pub(crate) const PERMISSION: &str = "reports:read";
/// The forms that a report can have.
pub(crate) const FORMATS: &[Format] = &[Format::Csv, Format::Json, Format::Html];

/// The right to have a report made.
pub(crate) struct Reporting;
impl Capability for Reporting {
    const DEMAND: Demand = Demand::Permission(PERMISSION);
}

/// Figures as a file.
#[derive(Clone, Debug)]
pub struct GenerateReport(pub Transfers);

/// Which figures, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The report.
    pub report: String,
    /// `csv`, `json` or `html`.
    pub format: String,
}

impl Kind for GenerateReport {
    const NAME: &'static str = "generate_report";
    type Payload = Wanted;

    fn rules(&self) -> Rules {
        const FIELDS: &[Field] = &[
            Field { name: "report", field_type: FieldType::Text(63), is_required: true },
            Field { name: "format", field_type: FieldType::Text(10), is_required: true },
        ];
        Rules {
            permission: Some(PERMISSION),
            runs_as_caller: true,
            fields: FIELDS,
            timeout: Duration::from_mins(15),
            running_per_company_max: Some(self.0.config().exports_running_max),
            ..Rules::default()
        }
    }

    async fn run(&self, task: Arc<Running>, wanted: Wanted) -> Result<Value, Failure> {
        let making = Making { transfers: &self.0, task: &task, what: "report", name: &wanted.report, format: &wanted.format };
        making.open(&[], "").await?;
        match Box::pin(self.make(&task, &making, &wanted)).await {
            Ok(result) => Ok(result),
            Err(error) => Err(failed_or_again(&making, error).await),
        }
    }
}

impl GenerateReport {
    async fn make(&self, task: &Running, making: &Making<'_>, wanted: &Wanted) -> Result<Value> {
        let format = format(&wanted.format)?;
        let statement = statement(&wanted.report, self.0.config().report_rows_max)?;
        task.stage(1, "the figures are read").await?;
        let tx = task.begin_as_asker::<Reporting>(Access::Read).await?;
        self.0.take_time(&tx).await?;
        let rows = tx.query(statement).await?;
        tx.rollback().await?;
        let rows: Vec<Bytes> =
            rows.iter().map(|row| row.raw(0).map(Option::unwrap_or_default).map_err(Error::internal)).collect::<Result<_>>()?;
        task.stage(60, &format!("{} rows are written", rows.len())).await?;
        let content = if format == Format::Html { page(&wanted.report, &rows)? } else { file(format, &rows)? };
        task.stage(90, &format!("{} bytes are kept", content.len())).await?;
        let count = AtomicU64::new(u64::try_from(rows.len()).unwrap_or_default());
        making.keep(stream::iter([Ok(content)]).boxed(), self.0.config().export_bytes_max, &count).await
    }
}

/// Reads the form of a report.
pub(crate) fn format(word: &str) -> Result<Format> {
    if word == "pdf" {
        let error = Error::new(ErrorKind::Unprocessable, "report_pdf_unavailable", "Reports are not made as PDF");
        return Err(error.with_hint("Ask for html, which a browser prints."));
    }
    Format::parse(word, FORMATS)
}

/// Returns the statement of a report: an object a row.
pub(crate) fn statement(report: &str, rows_max: u32) -> Result<Sql> {
    let mut sql = match report {
        "company_kpis" => Sql::new("select row_to_json(r)::text from (select * from public.company_kpis() limit "),
        "mv_customer_lifetime_value" => {
            let mut sql = Sql::new("select row_to_json(r)::text from (select * from public.mv_customer_lifetime_value(max_results => ");
            sql.bind(rows_max.min(10_000)).text("::integer) limit ");
            sql
        }
        "mv_technician_performance" => {
            Sql::new("select row_to_json(r)::text from (select * from public.mv_technician_performance() limit ")
        }
        "mv_monthly_revenue" => Sql::new("select row_to_json(r)::text from (select * from public.mv_monthly_revenue() limit "),
        "invoices_aging" => Sql::new(
            "select row_to_json(r)::text from (
               select i.currency, b.bucket, count(*) as invoices, sum(i.balance_amount)::bigint as outstanding
                 from (select app.demand('invoices:read') as is_held) d
                cross join public.invoices i
                cross join lateral (select case when i.due_date is null or i.due_date > now() then 'not due'
                                                when i.due_date > now() - interval '30 days' then '1-30 days'
                                                when i.due_date > now() - interval '60 days' then '31-60 days'
                                                when i.due_date > now() - interval '90 days' then '61-90 days'
                                                else 'over 90 days' end as bucket) b
                where d.is_held and i.company_id = app.company_id() and i.deleted_at is null and i.balance_amount > 0
                  and i.status in ('sent', 'viewed', 'partial', 'overdue')
                group by i.currency, b.bucket
                order by i.currency, min(i.due_date) desc nulls first limit ",
        ),
        _ => {
            let error = Error::new(ErrorKind::NotFound, "report_unknown", "There is no such report");
            return Err(error.with_hint(
                "One of: company_kpis, mv_customer_lifetime_value, mv_technician_performance, mv_monthly_revenue, invoices_aging.",
            ));
        }
    };
    sql.amount(rows_max.into()).text(") r");
    Ok(sql)
}

fn names(rows: &[Bytes]) -> Result<Vec<String>> {
    let Some(first) = rows.first() else { return Ok(vec![]) };
    let first: Map<String, Value> = serde_json::from_slice(first).map_err(Error::internal)?;
    Ok(first.keys().cloned().collect())
}

fn file(format: Format, rows: &[Bytes]) -> Result<Bytes> {
    let mut writer = Writer::new(format, names(rows)?, vec![]);
    for row in rows {
        writer.row(row)?;
    }
    writer.end();
    Ok(writer.take())
}

/// Makes a page with a table, to be read and printed.
fn page(report: &str, rows: &[Bytes]) -> Result<Bytes> {
    let mut out = BytesMut::new();
    let title = escaped(report);
    out.put_slice(b"<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>");
    out.put_slice(title.as_bytes());
    out.put_slice(b"</title><style>body{font-family:sans-serif}table{border-collapse:collapse}td,th{border:1px solid #999;padding:4px 8px;text-align:left}</style></head><body><h1>");
    out.put_slice(title.as_bytes());
    out.put_slice(b"</h1><table><thead><tr>");
    for name in names(rows)? {
        out.put_slice(format!("<th>{}</th>", escaped(&name)).as_bytes());
    }
    out.put_slice(b"</tr></thead><tbody>");
    for row in rows {
        let row: Map<String, Value> = serde_json::from_slice(row).map_err(Error::internal)?;
        out.put_slice(b"<tr>");
        for value in row.values() {
            let text = match value {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            out.put_slice(format!("<td>{}</td>", escaped(&text)).as_bytes());
        }
        out.put_slice(b"</tr>");
    }
    out.put_slice(b"</tbody></table></body></html>\n");
    Ok(out.freeze())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_shows_what_somebody_typed_and_does_not_run_it() {
        let rows = [Bytes::from_static(br#"{"name":"<script>alert(1)</script>","sum":12.50,"gone":null}"#)];
        let page = String::from_utf8(page("company_kpis", &rows).unwrap().to_vec()).unwrap();
        assert!(page.contains("<th>name</th><th>sum</th><th>gone</th>"), "{page}");
        assert!(page.contains("<td>&lt;script&gt;alert(1)&lt;/script&gt;</td>") && !page.contains("<script"), "{page}");
    }

    #[test]
    fn a_report_is_one_of_those_that_there_are() {
        assert_eq!(format("pdf").unwrap_err().code(), "report_pdf_unavailable");
        assert_eq!(format("xls").unwrap_err().code(), "format_unknown");
        assert_eq!(statement("users; drop", 1).unwrap_err().code(), "report_unknown");
        assert!(statement("invoices_aging", 1).is_ok());
    }
}
