//! What becomes of a file after it was looked at.
//!
//! Invariant: an infected file is refused and its company told; one that was taken unseen and proves infected later is taken away, with every
//! object and version that has it.

use kernel::{BlobKey, CompanyId, Error, Kind, Result};
use postgres::Sql;
use serde_json::json;

use super::{Away, Failure, Found};
use crate::objects::value;
use crate::{Caller, Content, Storage, Upload};

/// Letters of a name that people are told.
const TOLD_MAX: usize = 200;

impl Storage {
    /// Looks at a file that is about to become an object's content. Returns what its row says of it.
    pub(crate) async fn judge(&self, content: &Content, company: CompanyId, upload: &Upload) -> Result<&'static str> {
        let Content { key, bytes, .. } = content;
        let scanner = self.scanner();
        let Some(place) = &scanner.place else { return Ok("skipped") };
        if *bytes > scanner.config.bytes_max {
            return Ok("skipped");
        }
        let pieces = self.blobs().get(key, None).await?.content;
        match scanner.look(place, pieces).await {
            Ok(Found::Clean) => Ok("clean"),
            Ok(Found::Infected(virus)) => {
                metrics::counter!("storage_infected_total").increment(1);
                tracing::warn!(%key, virus, "an infected file was refused");
                self.doubt_equals(content, company).await?;
                self.tell(company, &virus, &upload.bucket, &upload.name).await;
                let message = format!("The file is infected: {virus}");
                Err(Error::new(Kind::Unprocessable, "file_infected", message).with_hint("Nothing of it was kept."))
            }
            Err(Failure::Unread(error)) => Err(error),
            Err(Failure::Unclear(why)) => {
                metrics::counter!("storage_scans_unclear_total").increment(1);
                tracing::warn!(%key, bytes, "the scanner says nothing clear of a file: {why}");
                Err(unavailable(why))
            }
            Err(Failure::Away(why)) => {
                metrics::counter!("storage_scanner_away_total").increment(1);
                tracing::warn!("the scanner of files is away: {why}");
                match scanner.config.away {
                    Away::Pass => Ok("pending"),
                    Away::Refuse => Err(unavailable(why)),
                }
            }
        }
    }

    /// What is infected now was so when it came before there was a scanner: files of the company with the same bytes are looked at, too.
    async fn doubt_equals(&self, content: &Content, company: CompanyId) -> Result<()> {
        let Some(digest) = content.sha256.as_deref().filter(|_| !company.0.is_nil()) else { return Ok(()) };
        let mut sql = Sql::new("update app.blobs b set scan_result = 'pending', scanned_at = null where b.company_id = ");
        sql.bind(company).text("::uuid and b.sha256 = decode(").bind(digest).text("::text, 'hex') and b.bytes = ");
        sql.bind(i64::try_from(content.bytes).map_err(Error::internal)?).text("::bigint");
        sql.text(" and b.state = 'stored' and b.scan_result <> 'pending'");
        self.write(&self.itself("doubts files that equal an infected one"), sql).await.map(drop)
    }

    /// Looks at files that were taken while the scanner was away, a bounded number. Returns how many were looked at.
    pub(crate) async fn judge_waiting(&self) -> Result<u64> {
        let Some(place) = &self.scanner().place else { return Ok(0) };
        let itself = self.itself("looks for viruses in files that wait");
        let mut sql =
            Sql::new("select b.key, b.company_id, b.bytes, v.bucket_id, v.name from app.blobs b join lateral (select x.bucket_id, x.name");
        sql.text(
            " from app.object_versions x where x.company_id = b.company_id and x.blob_key = b.key order by x.created_at limit 1) v on true",
        );
        sql.text(" where b.scan_result = 'pending' and b.state = 'stored' order by b.scan_tried_at nulls first, b.created_at limit ");
        sql.bind(self.config().reap_rows_max).text("::integer");
        let mut looked = 0;
        for row in self.read(&itself, sql).await? {
            let key: BlobKey = value::<String>(&row, "key")?.parse()?;
            let bytes: Option<i64> = value(&row, "bytes")?;
            let looked_at = if bytes.is_some_and(|bytes| u64::try_from(bytes).is_ok_and(|bytes| bytes > self.scanner().config.bytes_max)) {
                Ok(None)
            } else {
                match self.blobs().get(&key, None).await {
                    Ok(blob) => self.scanner().look(place, blob.content).await.map(Some),
                    Err(error) => Err(Failure::Unread(error)),
                }
            };
            let (found, virus) = match looked_at {
                Ok(Some(Found::Clean)) => ("clean", None),
                Ok(Some(Found::Infected(virus))) => ("infected", Some(virus)),
                Ok(None) => ("skipped", None),
                // It is still away: the next look goes on.
                Err(Failure::Away(_)) => break,
                // The others do not wait for one that cannot be judged, which comes again behind them.
                Err(Failure::Unclear(why)) => {
                    metrics::counter!("storage_scans_unclear_total").increment(1);
                    tracing::warn!(%key, "the scanner says nothing clear of a file that waits: {why}");
                    self.put_off(&itself, &key).await?;
                    continue;
                }
                Err(Failure::Unread(error)) => {
                    tracing::warn!(%key, code = error.code(), "a file that waits for the scanner cannot be read: {}", error.message());
                    self.put_off(&itself, &key).await?;
                    continue;
                }
            };
            let mut judge = Sql::new("select app.judge_blob(");
            judge.bind(key.as_str()).text("::text, ").bind(found).text("::text, ").bind(virus.clone()).text("::text)");
            self.write(&itself, judge).await?;
            looked += 1;
            if let Some(virus) = virus {
                metrics::counter!("storage_infected_total").increment(1);
                tracing::warn!(%key, virus, "a file that was taken unseen is infected, and was taken away");
                self.tell(
                    CompanyId(value(&row, "company_id")?),
                    &virus,
                    &value::<String>(&row, "bucket_id")?,
                    &value::<String>(&row, "name")?,
                )
                .await;
            }
        }
        Ok(looked)
    }

    /// Has a file come after all others that wait.
    async fn put_off(&self, itself: &Caller, key: &BlobKey) -> Result<()> {
        let mut sql = Sql::new("update app.blobs b set scan_tried_at = clock_timestamp() where b.scan_result = 'pending' and b.key = ");
        sql.bind(key.as_str()).text("::text");
        self.write(itself, sql).await.map(drop)
    }

    /// Tells those who look after a company's files. What cannot be told keeps nobody from refusing.
    async fn tell(&self, company: CompanyId, virus: &str, bucket: &str, name: &str) {
        if company.0.is_nil() {
            return;
        }
        let name: String = name.chars().take(TOLD_MAX).collect();
        let params = json!({ "title": "An infected file was refused", "message": format!("{bucket}/{name}: {virus}"), "virus": virus });
        let mut sql = Sql::new("select app.notify('security', ");
        sql.bind(company).text("::uuid, p_params => ").bind(params).text("::jsonb, p_permission => 'members:update', p_unique_key => ");
        // The same virus again and again is told once a day.
        sql.bind(format!("infected {virus} {}", self.now().strftime("%Y-%m-%d"))).text("::text)");
        if let Err(error) = self.write(&self.itself("tells of an infected file"), sql).await {
            tracing::warn!(code = error.code(), "nobody could be told of an infected file: {}", error.message());
        }
    }
}

fn unavailable(why: String) -> Error {
    Error::new(Kind::Unavailable, "scanner_unavailable", "Files cannot be looked at for viruses for now")
        .with_retry_after(30)
        .with_source(why)
}
