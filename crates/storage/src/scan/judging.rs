//! What becomes of a file after it was looked at.
//!
//! Invariant: an infected file is refused and its company told; one that was taken unseen and proves infected later is taken away, with every
//! object and version that has it.

use kernel::{BlobKey, CompanyId, Error, Kind, Result};
use postgres::Sql;
use serde_json::json;

use super::{Away, Failure, Found};
use crate::objects::value;
use crate::{Storage, Upload};

/// Letters of a name that people are told.
const TOLD_MAX: usize = 200;

impl Storage {
    /// Looks at a file that is about to become an object's content. Returns what its row says of it.
    pub(crate) async fn judge(&self, key: &BlobKey, (bytes, company): (u64, CompanyId), upload: &Upload) -> Result<&'static str> {
        let scanner = self.scanner();
        let Some(place) = &scanner.place else { return Ok("skipped") };
        if bytes > scanner.config.bytes_max {
            return Ok("skipped");
        }
        let content = self.blobs().get(key, None).await?.content;
        match scanner.look(place, content).await {
            Ok(Found::Clean) => Ok("clean"),
            Ok(Found::Skipped) => Ok("skipped"),
            Ok(Found::Infected(virus)) => {
                metrics::counter!("storage_infected_total").increment(1);
                tracing::warn!(%key, virus, "an infected file was refused");
                self.tell(company, &virus, &upload.bucket, &upload.name).await;
                let message = format!("The file is infected: {virus}");
                Err(Error::new(Kind::Unprocessable, "file_infected", message).with_hint("Nothing of it was kept."))
            }
            Err(Failure::Unread(error)) => Err(error),
            Err(Failure::Away(why)) => {
                metrics::counter!("storage_scanner_away_total").increment(1);
                tracing::warn!("the scanner of files is away: {why}");
                match scanner.config.away {
                    Away::Pass => Ok("pending"),
                    Away::Refuse => {
                        Err(Error::new(Kind::Unavailable, "scanner_unavailable", "Files cannot be looked at for viruses for now")
                            .with_retry_after(30)
                            .with_source(why))
                    }
                }
            }
        }
    }

    /// Looks at files that were taken while the scanner was away, a bounded number. Returns how many were looked at.
    pub(crate) async fn judge_waiting(&self) -> Result<u64> {
        let Some(place) = &self.scanner().place else { return Ok(0) };
        let itself = self.itself("looks for viruses in files that wait");
        let mut sql = Sql::new("select b.key, b.company_id, v.bucket_id, v.name from app.blobs b join lateral (select x.bucket_id, x.name");
        sql.text(
            " from app.object_versions x where x.company_id = b.company_id and x.blob_key = b.key order by x.created_at limit 1) v on true",
        );
        sql.text(" where b.scan_result = 'pending' and b.state = 'stored' order by b.created_at limit ");
        sql.bind(self.config().reap_rows_max).text("::integer");
        let mut looked = 0;
        for row in self.read(&itself, sql).await? {
            let key: BlobKey = value::<String>(&row, "key")?.parse()?;
            let content = match self.blobs().get(&key, None).await {
                Ok(blob) => blob.content,
                // It was taken away since.
                Err(error) if error.code() == "blob_not_found" => continue,
                Err(error) => return Err(error),
            };
            let (found, virus) = match self.scanner().look(place, content).await {
                Ok(Found::Clean) => ("clean", None),
                Ok(Found::Skipped) => ("skipped", None),
                Ok(Found::Infected(virus)) => ("infected", Some(virus)),
                // It is still away: the next look goes on.
                Err(Failure::Away(_)) => break,
                Err(Failure::Unread(error)) => return Err(error),
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
