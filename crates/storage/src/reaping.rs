//! Taking away the bytes that nothing names any more.
//!
//! Invariant: a blob is marked in the database before its file goes, and its row goes after it: whenever something dies, the next look goes on
//! where this one was.

use futures_util::{StreamExt as _, stream};
use kernel::{BlobKey, Result};
use postgres::Sql;

use crate::Storage;
use crate::objects::value;

/// Files that are taken away at one time.
const AT_ONCE: usize = 8;

impl Storage {
    /// Takes away what is to go, a bounded number. Returns how many rows and files there were.
    pub async fn reap(&self) -> Result<u64> {
        let config = self.config();
        let itself = self.itself("takes away files that nothing names");
        let mut sql = Sql::new("select app.reap_blobs(");
        sql.bind(config.unfinished_hours).text("::integer, ").bind(config.trash_days).text("::integer, ").bind(config.versions_days);
        sql.text("::integer, ").bind(config.versions_max).text("::integer, ").bind(config.reap_rows_max).text("::integer) as rows");
        let changed: i64 = match self.write(&itself, sql).await?.first() {
            Some(row) => value(row, "rows")?,
            None => 0,
        };
        let mut doomed = Sql::new("select b.key from app.blobs b where b.state = 'doomed' order by b.created_at limit ");
        doomed.bind(config.reap_rows_max).text("::integer");
        let keys: Vec<String> = self.read(&itself, doomed).await?.iter().map(|row| value(row, "key")).collect::<Result<_>>()?;
        let files = u64::try_from(keys.len()).unwrap_or_default();
        let mut gone = stream::iter(keys).map(|key| async move { self.take_away(&key.parse()?).await }).buffer_unordered(AT_ONCE);
        while let Some(outcome) = gone.next().await {
            if let Err(error) = outcome {
                tracing::warn!(code = error.code(), "a file could not be taken away: {}", error.message());
            }
        }
        metrics::counter!("storage_blobs_reaped_total").increment(files);
        let forgotten = self.forget_unfinished().await?;
        let looked = self.judge_waiting().await?;
        let mut lost = Sql::new("select app.put_lost_previews(");
        lost.bind(config.reap_rows_max).text("::integer) as rows");
        let lost = self.write(&itself, lost).await?;
        let lost: i64 = lost.first().map_or(Ok(0), |row| value(row, "rows"))?;
        Ok(looked
            .saturating_add(u64::try_from(lost).unwrap_or_default())
            .saturating_add(forgotten)
            .saturating_add(files)
            .saturating_add(u64::try_from(changed).unwrap_or_default()))
    }

    /// Forgets uploads in parts whose time is over, a bounded number; the bytes that came of them go with the next look. What is being put together
    /// right now is left.
    pub(crate) async fn forget_unfinished(&self) -> Result<u64> {
        let mut sql = Sql::new("with over as (select u.id, u.whole_key from app.part_uploads u where u.expires_at < ");
        sql.bind(self.now()).text("::timestamptz and (u.finishing_until is null or u.finishing_until < ").bind(self.now());
        sql.text("::timestamptz) order by u.expires_at limit ").bind(self.config().reap_rows_max);
        sql.text(
            "::integer for update skip locked),
             gone as (delete from app.upload_parts p using over o where p.upload_id = o.id returning p.blob_key),
             doomed as (update app.blobs b set state = 'doomed' where b.state = 'intended'
                           and (b.key in (select g.blob_key from gone g) or b.key in (select o.whole_key from over o)))
             delete from app.part_uploads u using over o where u.id = o.id returning u.ended_at is null as is_unfinished",
        );
        let rows = self.write(&self.itself("forgets uploads that nobody finished"), sql).await?;
        let mut unfinished = 0_u64;
        for row in &rows {
            unfinished = unfinished.saturating_add(u64::from(value::<bool>(row, "is_unfinished")?));
        }
        if unfinished > 0 {
            tracing::info!(uploads = unfinished, "uploads in parts that nobody finished were forgotten");
        }
        metrics::counter!("storage_uploads_forgotten_total").increment(unfinished);
        Ok(u64::try_from(rows.len()).unwrap_or_default())
    }

    /// Takes a doomed blob away, and then its row.
    pub(crate) async fn take_away(&self, key: &BlobKey) -> Result<()> {
        self.blobs().delete(key).await?;
        let mut sql = Sql::new("delete from app.blobs b where b.state = 'doomed' and b.key = ");
        sql.bind(key.as_str()).text("::text");
        self.write(&self.itself("takes away files that nothing names"), sql).await.map(drop)
    }
}
