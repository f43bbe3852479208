//! What alerts ask of the database.
//!
//! Invariant: each is one call of a function, in a transaction of its own.

use kernel::{CompanyId, Error, Grant, RequestContext, Result};
use postgres::{Access, Row, Sql, Tx};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Alerts;

/// A message that is to be told now.
#[derive(Clone, Debug)]
pub(super) struct Due {
    pub(super) id: Uuid,
    pub(super) alert_id: Uuid,
    pub(super) event: String,
    pub(super) channel: String,
    pub(super) rule: String,
    pub(super) severity: String,
    pub(super) body: String,
    pub(super) raised_at: String,
}

impl Alerts {
    pub(super) async fn begin(&self, company: Option<CompanyId>, reason: &'static str) -> Result<Tx> {
        #[expect(clippy::disallowed_methods, reason = "the server itself looks, for no caller")]
        let grant = Grant::system(&self.options.authority, company, reason);
        self.options.database.begin(&grant, &RequestContext::default(), Access::Write).await
    }

    pub(super) async fn note_signals(&self, signals: Value) -> Result<()> {
        let tx = self.begin(None, "notes what the server noticed").await?;
        let mut sql = Sql::new("select app.note_signals(");
        sql.bind(self.options.node.as_str()).text("::text, ").bind(signals.to_string()).text("::jsonb)");
        tx.query(sql).await?;
        tx.commit().await
    }

    /// Looks at the rules; nothing where another server is at it.
    pub(super) async fn judge(&self) -> Result<Option<i32>> {
        let tx = self.begin(None, "looks at the rules of alerts").await?;
        let mut sql = Sql::new("select app.evaluate_alerts(array(select jsonb_array_elements_text(");
        sql.bind(json!(self.options.config.channels()).to_string()).text("::jsonb))) as open");
        let open = tx.query_one(sql).await?.try_get("open").map_err(Error::internal)?;
        tx.commit().await?;
        Ok(open)
    }

    pub(super) async fn take(&self) -> Result<Vec<Due>> {
        let tx = self.begin(None, "takes alerts that are to be told").await?;
        let config = &self.options.config;
        let mut sql = Sql::new(
            "select d.id, d.alert_id, d.event, d.channel, d.rule, d.severity, d.body,
                    to_char(d.raised_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as raised_at from app.take_alert_deliveries(",
        );
        sql.bind(config.deliveries_max).text("::integer, ").bind(config.attempts_max).text("::integer) d");
        let rows = tx.query(sql).await?;
        tx.commit().await?;
        rows.iter().map(due).collect()
    }

    pub(super) async fn settle(&self, id: Uuid, error: Option<&str>) -> Result<()> {
        let tx = self.begin(None, "notes what became of an alert's message").await?;
        let mut sql = Sql::new("select app.settle_alert_delivery(");
        sql.bind(id).text("::uuid, ").bind(error.map(str::to_owned)).text("::text)");
        tx.query(sql).await?;
        tx.commit().await
    }

    /// Has the owners of the operator's company told in the application.
    pub(super) async fn notify(&self, company: Uuid, due: &Due, params: &Value) -> Result<()> {
        let tx = self.begin(Some(CompanyId(company)), "tells of an alert in the application").await?;
        let mut sql = Sql::new("select app.notify('system', ");
        sql.bind(company).text("::uuid, p_params => ").bind(params.to_string());
        sql.text("::jsonb, p_permission => 'billing:manage', p_unique_key => ").bind(format!("alert {}", due.id)).text("::text)");
        tx.query(sql).await?;
        tx.commit().await
    }
}

fn due(row: &Row) -> Result<Due> {
    let text = |name: &str| row.try_get::<_, String>(name).map_err(Error::internal);
    let id = |name: &str| row.try_get::<_, Uuid>(name).map_err(Error::internal);
    Ok(Due {
        id: id("id")?,
        alert_id: id("alert_id")?,
        event: text("event")?,
        channel: text("channel")?,
        rule: text("rule")?,
        severity: text("severity")?,
        body: text("body")?,
        raised_at: text("raised_at")?,
    })
}
