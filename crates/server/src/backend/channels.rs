//! What the channels need before they work: the key by which push services know this installation, made once and sealed with the key ring;
//! and what functions of the database know of the settings.
//!
//! Invariant: however many servers start at once, there is one key, and all of them have it.

use auth::keys::PUSH_SECRET;
use kernel::{Error, Result};
use outbound::VapidKey;
use postgres::{Sql, Tx};
use uuid::Uuid;

use super::Backend;

impl Backend {
    /// Makes the key if there is none, and says what is configured.
    pub(super) async fn open_channels(&self) -> Result<()> {
        let (outbound, auth) = (&self.0.outbound, &self.0.auth);
        let tx = self.begin_own("reads or makes the key of push services").await?;
        if kept(&tx).await?.is_none() {
            let (id, made) = (Uuid::now_v7(), VapidKey::generate()?);
            let sealed = auth.seal_secret(PUSH_SECRET, id, made.expose())?;
            // Another server may be first.
            insert(&tx, id, VapidKey::open(&made)?.public(), &sealed).await?;
        }
        let (id, sealed) = kept(&tx).await?.ok_or_else(|| Error::internal("the key of push services was not kept"))?;
        let config = outbound.config();
        let mut sql = Sql::new("update app.channel_settings s set push_private_allowed = ");
        sql.bind(config.push.private_addresses_allowed).text("::boolean, push_devices_max = ").bind(config.push.devices_max);
        sql.text("::integer, bounce_hold_hours = ").bind(config.log.bounce_hold_hours).text("::integer");
        tx.execute(sql).await?;
        tx.commit().await?;
        match auth.open_secret(PUSH_SECRET, id, &sealed).and_then(|secret| VapidKey::open(&secret)) {
            Ok(key) => outbound.adopt_push_key(key),
            // Everything else works without it, and browsers are told nothing wrong.
            Err(error) => tracing::error!(code = error.code(), "the key of push services does not open: {}", error.message()),
        }
        Ok(())
    }
}

async fn kept(tx: &Tx) -> Result<Option<(Uuid, String)>> {
    let found = tx.query_opt(Sql::new("select s.id, s.push_secret from app.channel_settings s")).await?;
    let read = |row: postgres::Row| Ok((row.try_get("id").map_err(Error::internal)?, row.try_get("push_secret").map_err(Error::internal)?));
    found.map(read).transpose()
}

async fn insert(tx: &Tx, id: Uuid, public: &str, sealed: &str) -> Result<()> {
    let mut sql = Sql::new("insert into app.channel_settings (id, push_public_key, push_secret) values (");
    sql.bind(id).text("::uuid, ").bind(public).text("::text, ").bind(sealed).text("::text) on conflict do nothing");
    tx.execute(sql).await.map(|_rows| ())
}
