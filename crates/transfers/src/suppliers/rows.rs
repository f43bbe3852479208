//! The statements on suppliers.

use kernel::{CompanyId, Error, Result, Secret};
use postgres::{Row, Sql, Tx};
use serde_json::{Value, json};
use uuid::Uuid;

use super::pages::Keys;
use crate::Transfers;
use auth::keys::SUPPLIER_SECRET;

/// An integration as its fetch begins.
pub(super) struct Supplier {
    pub(super) endpoint: Option<String>,
    pub(super) catalogue: Value,
    pub(super) is_enabled: bool,
    sealed: Value,
}

/// What became of items.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub(super) struct Counts {
    pub(super) imported: i64,
    pub(super) updated: i64,
    pub(super) failed: i64,
}

/// Begins a fetch.
pub(super) async fn open(tx: &Tx, company_id: CompanyId, id: Uuid) -> Result<Option<Supplier>> {
    let mut sql = Sql::new("select s.endpoint, s.catalogue, s.is_enabled, s.secrets from app.open_supplier_sync(");
    sql.bind(company_id).text("::uuid, ").bind(id).text("::uuid) s");
    tx.query_opt(sql).await?.map(|row| supplier(&row)).transpose()
}

fn supplier(row: &Row) -> Result<Supplier> {
    Ok(Supplier {
        endpoint: row.try_get("endpoint").map_err(Error::internal)?,
        catalogue: row.try_get("catalogue").map_err(Error::internal)?,
        is_enabled: row.try_get("is_enabled").map_err(Error::internal)?,
        sealed: row.try_get("secrets").map_err(Error::internal)?,
    })
}

impl Supplier {
    /// Opens what this server proves itself with.
    pub(super) fn keys(&self, transfers: &Transfers) -> Result<Keys> {
        let open = |name: &str| {
            let Some((id, sealed)) = self.sealed.get(name).and_then(|pair| Some((pair.get(0)?.as_str()?, pair.get(1)?.as_str()?))) else {
                return Ok(None);
            };
            let opened: Secret<Vec<u8>> = transfers.auth().open_secret(SUPPLIER_SECRET, id.parse().map_err(Error::internal)?, sealed)?;
            String::from_utf8(opened.expose().clone()).map(Some).map_err(Error::internal)
        };
        Ok(Keys { key: open("api_key")?, secret: open("api_secret")? })
    }
}

/// Takes a batch of items; returns what became of them, and what is wrong with some.
pub(super) async fn take(tx: &Tx, company_id: CompanyId, id: Uuid, currency: &str, items: Vec<Value>) -> Result<(Counts, Vec<Value>)> {
    let mut sql = Sql::new("select t.imported, t.updated, t.failed, t.problems from app.take_supplier_items(");
    sql.bind(company_id).text("::uuid, ").bind(id).text("::uuid, ").bind(currency).text("::text, ");
    sql.bind(Value::Array(items)).text("::jsonb) t");
    let row = tx.query_one(sql).await?;
    let count = |name: &str| row.try_get::<_, i64>(name).map_err(Error::internal);
    let problems: Value = row.try_get("problems").map_err(Error::internal)?;
    let counts = Counts { imported: count("imported")?, updated: count("updated")?, failed: count("failed")? };
    Ok((counts, problems.as_array().cloned().unwrap_or_default()))
}

/// Ends a fetch.
pub(super) async fn close(tx: &Tx, company_id: CompanyId, id: Uuid, counts: &Counts, error: Option<&str>) -> Result<()> {
    let mut sql = Sql::new("select app.close_supplier_sync(");
    sql.bind(company_id).text("::uuid, ").bind(id).text("::uuid, ").bind(counts.imported).text("::bigint, ");
    sql.bind(counts.updated).text("::bigint, ").bind(counts.failed).text("::bigint, ").bind(error).text("::text)");
    tx.query(sql).await.map(drop)
}

/// Finds an integration as somebody who may change it; refused where it is not there.
pub(super) async fn find(tx: &Tx, id: Uuid) -> Result<(CompanyId, Option<String>, Value)> {
    let mut sql = Sql::new(
        "select i.company_id, i.api_endpoint, i.catalogue from public.supplier_integrations i where i.company_id = app.company_id() and i.id = ",
    );
    sql.bind(id).text("::uuid");
    let row = tx.query_opt(sql).await?.ok_or_else(super::unknown)?;
    let company_id = CompanyId(row.try_get("company_id").map_err(Error::internal)?);
    Ok((company_id, row.try_get("api_endpoint").map_err(Error::internal)?, row.try_get("catalogue").map_err(Error::internal)?))
}

/// Keeps secrets; what is null is taken away.
pub(super) async fn keep(
    tx: &Tx,
    transfers: &Transfers,
    company_id: CompanyId,
    id: Uuid,
    secrets: &[(&str, Option<Secret<String>>)],
) -> Result<()> {
    for (name, secret) in secrets {
        let secret_id = Uuid::now_v7();
        let sealed = secret
            .as_ref()
            .map(|secret| transfers.auth().seal_secret(SUPPLIER_SECRET, secret_id, secret.expose().as_bytes()))
            .transpose()?;
        let mut sql = Sql::new("select app.keep_supplier_secret(");
        sql.bind(company_id).text("::uuid, ").bind(id).text("::uuid, ").bind(*name).text("::text, ").bind(secret_id).text("::uuid, ");
        sql.bind(sealed).text("::text)");
        tx.query(sql).await?;
    }
    Ok(())
}

/// Returns what a supplier is asked with, for a look that is no fetch.
pub(super) async fn keys(tx: &Tx, transfers: &Transfers, company_id: CompanyId, id: Uuid) -> Result<Keys> {
    let mut sql = Sql::new("select s.name, s.id, s.secret from app.supplier_secrets s where s.company_id = ");
    sql.bind(company_id).text("::uuid and s.integration_id = ").bind(id).text("::uuid");
    let mut sealed = serde_json::Map::new();
    for row in tx.query(sql).await? {
        let (name, id, secret): (String, Uuid, String) = (
            row.try_get("name").map_err(Error::internal)?,
            row.try_get("id").map_err(Error::internal)?,
            row.try_get("secret").map_err(Error::internal)?,
        );
        sealed.insert(name, json!([id, secret]));
    }
    Supplier { endpoint: None, catalogue: Value::Null, is_enabled: true, sealed: Value::Object(sealed) }.keys(transfers)
}
