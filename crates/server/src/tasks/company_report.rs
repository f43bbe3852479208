//! A report of a company mailed to its members who may read reports: customers every day, performance every week, billing every month.
//!
//! Invariant: what it says comes from the functions that members read the figures by, in the company of the task; where there is nothing
//! to tell nothing is sent.

use std::fmt::Write as _;
use std::sync::Arc;

use kernel::{Error, shown_amount};
use outbound::Channel;
use postgres::{Row, RowError, Sql, Tx};
use queue::{Failure, Kind, Running};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::letters::{self, Letter};
use super::send_message::Desk;

/// Who is written to.
const PERMISSION: &str = "reports:read";

/// Mails a report.
#[derive(Clone, Debug)]
pub(crate) struct CompanyReport(pub(crate) Desk);

/// Which report.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Report {
    /// What customers are worth, and what is outstanding.
    Customers,
    /// What technicians did.
    Performance,
    /// What was billed and paid by month.
    Billing,
}

/// What a task is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    pub(super) report: Report,
}

impl Report {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Performance => "performance",
            Self::Billing => "billing",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Customers => "Customers",
            Self::Performance => "Performance",
            Self::Billing => "Billing",
        }
    }
}

impl Kind for CompanyReport {
    const NAME: &'static str = "company_report";
    type Payload = Wanted;

    async fn run(&self, task: Arc<Running>, wanted: Wanted) -> Result<Value, Failure> {
        let Some(company_id) = task.company_id() else { return Err(Failure::never("a report is of a company")) };
        if !self.0.outbound.sends(Channel::Mail) {
            return Err(Failure::never("this installation has no way out for mail"));
        }
        let tx = task.begin("writes a report").await?;
        let asked = Sql::new(
            "select c.name, (now() at time zone c.business_timezone)::date::text as today from public.companies c where c.id = app.company_id()",
        );
        let row = tx.query_one(asked).await?;
        let name: String = row.try_get("name").map_err(Error::internal)?;
        let today: String = row.try_get("today").map_err(Error::internal)?;
        let Some(body) = body(&tx, wanted.report).await? else {
            return Ok(json!({ "message": "there is nothing to tell" }));
        };
        let title = wanted.report.title();
        let letter = Letter {
            purpose: "report",
            sender_name: &name,
            subject: format!("{title} of {name}, {today}"),
            text: format!(
                "{title} of {name}, {today}\n\n{body}\nWhich reports are mailed is said in the company's settings: report_mails.\n"
            ),
        };
        let told = letters::post_to_members(&self.0, &tx, company_id, PERMISSION, &letter).await?;
        task.finish_within(&tx, json!({ "message": format!("{told} members told") })).await?;
        tx.commit().await?;
        self.0.outbound.wake();
        Ok(Value::Null)
    }
}

async fn body(tx: &Tx, report: Report) -> kernel::Result<Option<String>> {
    let rows = |sql: &'static str| tx.query(Sql::new(sql));
    let (head, rows) = match report {
        Report::Customers => {
            let kpis = rows(
                "select k.total_customers, k.outstanding_revenue, k.collected_revenue, k.currency from public.company_kpis() k
                  where (k.total_customers, k.total_jobs) <> (0, 0)",
            )
            .await?;
            let Some(kpis) = kpis.first() else { return Ok(None) };
            let best = rows(
                "select v.customer_name, v.total_jobs, v.total_revenue, v.total_paid, v.customer_status, v.currency
                   from public.mv_customer_lifetime_value(null, 20) v where v.total_jobs > 0 or v.total_revenue <> 0",
            )
            .await?;
            (said(kpis_line(kpis))?, lines(&best, customer_line)?)
        }
        Report::Performance => {
            let rows = rows(
                "select p.technician_name, p.jobs_completed, p.avg_job_duration_hours::float8 as hours, p.average_rating::float8 as rating,
                        p.review_count, p.total_revenue, p.currency
                   from public.mv_technician_performance() p where p.jobs_completed > 0 or p.review_count > 0 limit 100",
            )
            .await?;
            (String::new(), lines(&rows, technician_line)?)
        }
        Report::Billing => {
            let rows = rows(
                "select to_char(m.month, 'YYYY-MM') as month, m.invoice_count, m.total_revenue, m.collected, m.total_outstanding, m.currency
                   from public.mv_monthly_revenue() m limit 24",
            )
            .await?;
            (String::new(), lines(&rows, month_line)?)
        }
    };
    Ok((!head.is_empty() || !rows.is_empty()).then(|| format!("{head}{rows}")))
}

fn lines(rows: &[Row], line: fn(&Row) -> Result<String, RowError>) -> kernel::Result<String> {
    let mut text = String::new();
    for row in rows {
        writeln!(text, "{}", said(line(row))?).map_err(Error::internal)?;
    }
    Ok(text)
}

fn said(line: Result<String, RowError>) -> kernel::Result<String> {
    line.map_err(Error::internal)
}

/// An amount of a row, in the row's currency.
fn money(row: &Row, column: &str) -> Result<String, RowError> {
    Ok(shown_amount(row.try_get(column)?, row.try_get::<_, &str>("currency")?, "en"))
}

fn kpis_line(row: &Row) -> Result<String, RowError> {
    let customers: i64 = row.try_get("total_customers")?;
    let (paid, open) = (money(row, "collected_revenue")?, money(row, "outstanding_revenue")?);
    Ok(format!("{customers} customers; collected {paid}, outstanding {open}\n\n"))
}

fn customer_line(row: &Row) -> Result<String, RowError> {
    let (name, jobs): (String, i64) = (row.try_get("customer_name")?, row.try_get("total_jobs")?);
    let status: String = row.try_get("customer_status")?;
    Ok(format!("{name}: {jobs} jobs, billed {}, paid {}, {status}", money(row, "total_revenue")?, money(row, "total_paid")?))
}

fn technician_line(row: &Row) -> Result<String, RowError> {
    let (name, jobs): (String, i64) = (row.try_get("technician_name")?, row.try_get("jobs_completed")?);
    let (hours, rating, reviews): (f64, f64, i64) = (row.try_get("hours")?, row.try_get("rating")?, row.try_get("review_count")?);
    let revenue = money(row, "total_revenue")?;
    Ok(format!("{name}: {jobs} jobs of {hours:.1} hours, rated {rating:.1} by {reviews}, {revenue}"))
}

fn month_line(row: &Row) -> Result<String, RowError> {
    let (month, invoices): (String, i64) = (row.try_get("month")?, row.try_get("invoice_count")?);
    let (billed, paid, open) = (money(row, "total_revenue")?, money(row, "collected")?, money(row, "total_outstanding")?);
    Ok(format!("{month}: {invoices} invoices, billed {billed}, collected {paid}, outstanding {open}"))
}
