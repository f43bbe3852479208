//! The statements on devices.

use kernel::{Error, Result, Secret, UserId};
use postgres::{Row, Sql, Tx};
use uuid::Uuid;

/// A device as it is reached.
pub(crate) struct Device {
    pub(crate) id: Uuid,
    /// `vapid` or `fcm`.
    pub(crate) provider: String,
    /// The address at a push service, or a token.
    pub(crate) address: Secret<String>,
    pub(crate) public_key: Option<String>,
    pub(crate) auth: Option<String>,
}

/// Returns a device that is still registered.
pub(crate) async fn find(tx: &Tx, id: Uuid) -> Result<Option<Device>> {
    let mut sql = Sql::new("select d.id, d.provider, d.address, d.public_key, d.auth from app.push_devices d where d.id = ");
    sql.bind(id).text("::uuid");
    tx.query_opt(sql).await?.map(|row| device(&row)).transpose()
}

fn device(row: &Row) -> Result<Device> {
    Ok(Device {
        id: row.try_get("id").map_err(Error::internal)?,
        provider: row.try_get("provider").map_err(Error::internal)?,
        address: Secret::new(row.try_get("address").map_err(Error::internal)?),
        public_key: row.try_get("public_key").map_err(Error::internal)?,
        auth: row.try_get("auth").map_err(Error::internal)?,
    })
}

/// Returns the ids of somebody's devices.
pub(crate) async fn of(tx: &Tx, user_id: UserId) -> Result<Vec<Uuid>> {
    let mut sql = Sql::new("select d.id from app.push_devices d where d.user_id = ");
    sql.bind(user_id).text("::uuid order by d.seen_at desc, d.id limit 1000");
    tx.query(sql).await?.iter().map(|row| row.try_get("id").map_err(Error::internal)).collect()
}

/// Takes away a device that its push service says is no more, unless it was registered anew meanwhile.
pub(crate) async fn remove(tx: &Tx, device: &Device) -> Result<()> {
    let mut sql = Sql::new("delete from app.push_devices d where d.id = ");
    sql.bind(device.id)
        .text("::uuid and d.address = ")
        .bind(device.address.expose().as_str())
        .text("::text and d.public_key is not distinct from ");
    sql.bind(device.public_key.clone()).text("::text");
    tx.execute(sql).await?;
    Ok(())
}
