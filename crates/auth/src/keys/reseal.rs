//! Every secret at rest sealed anew with the current key, in batches.
//!
//! Invariant: a row is read, sealed and written in one transaction that has it locked, so that no change in between is lost; what
//! does not open is left as it is and counted.

use kernel::{Error, Grant, RequestContext, Result};
use postgres::{Access, Database, Row, Sql, Tx};
use serde_json::{Value, json};
use uuid::Uuid;

use super::KeyRing;
use super::sealing::{
    CUSTOM_PROVIDER_SECRET, FACTOR_SECRET, FLOW_SECRETS, PUSH_SECRET, Place, S3_SECRET, SIGN_ON_SECRET, SUPPLIER_SECRET, WEBHOOK_SECRET,
};

/// Every column with sealed texts. One that is missing here would keep old keys in use for ever.
pub const PLACES: &[Place] =
    &[FACTOR_SECRET, FLOW_SECRETS, CUSTOM_PROVIDER_SECRET, SIGN_ON_SECRET, WEBHOOK_SECRET, PUSH_SECRET, SUPPLIER_SECRET, S3_SECRET];

/// What became of the secrets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Resealed {
    /// Sealed with the current key now.
    pub rows: u64,
    /// Not to be opened with any key of the ring.
    pub unreadable: u64,
}

/// Seals everything anew that another key than the current one sealed.
pub async fn reseal(database: &Database, grant: &Grant, ring: &KeyRing, batch_rows: u32) -> Result<Resealed> {
    let mut done = Resealed::default();
    for place in PLACES {
        let mut after = Uuid::nil();
        loop {
            let tx = database.begin(grant, &RequestContext::default(), Access::Write).await?;
            let rows = tx.query(old(*place, ring, after, batch_rows)?).await?;
            let Some(last) = rows.last() else {
                tx.rollback().await?;
                break;
            };
            after = id(last)?;
            let changed = batch(*place, ring, &rows, &mut done)?;
            write(&tx, *place, changed).await?;
            tx.commit().await?;
        }
    }
    Ok(done)
}

/// Returns how the texts in use begin: which keys are still needed.
pub async fn marks_in_use(database: &Database, grant: &Grant) -> Result<Vec<String>> {
    let tx = database.begin(grant, &RequestContext::default(), Access::Read).await?;
    let mut marks = Vec::new();
    for Place { schema, table, column, .. } in PLACES {
        let mut sql = Sql::new("select distinct split_part(t.");
        sql.ident(column).text(", '.', 1) || '.' || split_part(t.").ident(column).text(", '.', 2) || '.' as mark from ");
        sql.qualified(schema, table).text(" t where t.").ident(column).text(" is not null");
        for row in tx.query(sql).await? {
            marks.push(row.try_get("mark").map_err(Error::internal)?);
        }
    }
    tx.commit().await?;
    Ok(marks)
}

fn old(place: Place, ring: &KeyRing, after: Uuid, batch_rows: u32) -> Result<Sql> {
    let mark = ring.sealing_mark().ok_or_else(|| Error::internal("the key ring has no sealing key"))?;
    let Place { schema, table, column, .. } = place;
    let mut sql = Sql::new("select t.id, t.");
    sql.ident(column).text(" as sealed from ").qualified(schema, table).text(" t where t.id > ").bind(after).text("::uuid and t.");
    sql.ident(column).text(" is not null and not starts_with(t.").ident(column).text(", ").bind(mark);
    sql.text("::text) order by t.id limit ").bind(i64::from(batch_rows)).text("::bigint for update of t");
    Ok(sql)
}

fn id(row: &Row) -> Result<Uuid> {
    row.try_get("id").map_err(Error::internal)
}

fn batch(place: Place, ring: &KeyRing, rows: &[Row], done: &mut Resealed) -> Result<Vec<Value>> {
    let mut changed = Vec::new();
    for row in rows {
        let (id, sealed) = (id(row)?, row.try_get::<_, String>("sealed").map_err(Error::internal)?);
        match ring.unseal(place, id, &sealed) {
            Ok(secret) => {
                let sealed = ring.seal(place, id, secret.expose()).map_err(Error::internal)?;
                changed.push(json!({ "id": id, "sealed": sealed }));
                done.rows += 1;
            }
            Err(fault) => {
                tracing::warn!(%id, table = place.table, column = place.column, %fault, "a secret does not open");
                done.unreadable += 1;
            }
        }
    }
    Ok(changed)
}

async fn write(tx: &Tx, place: Place, changed: Vec<Value>) -> Result<()> {
    let mut sql = Sql::new("update ");
    sql.qualified(place.schema, place.table).text(" t set ").ident(place.column).text(" = d.sealed from jsonb_to_recordset(");
    sql.bind(Value::Array(changed)).text("::jsonb) as d (id uuid, sealed text) where t.id = d.id");
    tx.execute(sql).await?;
    Ok(())
}
