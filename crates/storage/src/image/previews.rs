//! Thumbnails and previews of files that rows name, made by a task.
//!
//! Invariant: what is made is an image of a version as anybody could ask for it, kept and read as such; the rows say where it is, or why there
//! is none. A file that nothing can be made of is tried once.

use std::sync::Arc;
use std::time::Duration;

use kernel::{CompanyId, Error, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use postgres::Sql;
use queue::{Failure, Rules, Running};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Images, Resize, Wanted};
use crate::Storage;
use crate::objects::Object;

/// Letters of an address that stand for themselves.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// How often one is tried when it is not the file's fault.
const ATTEMPTS_MAX: u16 = 5;

/// How many are made at the same time of one company: others have files, too.
const RUNNING_PER_COMPANY_MAX: u32 = 1;

/// How long one waits that finds no thread, or no store.
const BUSY_PAUSE: Duration = Duration::from_secs(30);

/// Makes thumbnails and previews.
#[derive(Clone, Debug)]
pub struct MakePreviews(pub Storage);

/// Of which file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Asked {
    version: String,
}

/// What became of it.
enum Outcome {
    Made,
    Failed(String),
}

impl queue::Kind for MakePreviews {
    const NAME: &'static str = "make_previews";
    type Payload = Asked;

    fn rules(&self) -> Rules {
        let time = Duration::from_millis(self.0.config().images.time_ms);
        Rules {
            attempts_max: ATTEMPTS_MAX,
            backoff_seconds: vec![5, 30, 120, 600],
            timeout: time.saturating_mul(4).saturating_add(Duration::from_mins(1)),
            priority: -10,
            running_per_company_max: Some(RUNNING_PER_COMPANY_MAX),
            ..Rules::default()
        }
    }

    async fn run(&self, task: Arc<Running>, asked: Asked) -> Result<Value, Failure> {
        let Some(company) = task.company_id() else { return Err(Failure::never("it is no company's")) };
        let Some(object) = self.0.content_of(company, &asked.version).await? else { return Ok(json!({ "made": "gone" })) };
        let outcome = match self.0.make_previews(&object).await {
            Ok(()) => Outcome::Made,
            Err(error) => failed(error)?,
        };
        let tx = task.begin("says where thumbnails and previews are").await?;
        tx.execute(noted(company, &object, &outcome, &self.0)).await?;
        let made = matches!(outcome, Outcome::Made);
        task.finish_within(&tx, json!({ "made": made })).await?;
        tx.commit().await?;
        Ok(Value::Null)
    }
}

/// Says what an error is: the file's own, or one in which it has no part, so that the row goes on waiting.
fn failed(error: Error) -> Result<Outcome, Failure> {
    match error.status().as_u16() {
        // Somebody else's turn, or a store that is away.
        503 => Err(Failure::not_yet(BUSY_PAUSE)),
        500.. if error.code() != "image_time_over" => Err(error.into()),
        _ => Ok(Outcome::Failed(format!("{} ({})", error.message(), error.code()))),
    }
}

fn noted(company: CompanyId, object: &Object, outcome: &Outcome, storage: &Storage) -> Sql {
    let [preview_side, thumbnail_side] = storage.images().config().preview_sides();
    let address = |side: u32| {
        let path = utf8_percent_encode(&object.name, PLAIN);
        format!("/storage/v1/render/image/authenticated/{}/{path}?width={side}&height={side}&resize=contain", object.bucket)
    };
    let (thumbnail, preview, fault) = match outcome {
        Outcome::Made => (Some(address(thumbnail_side)), Some(address(preview_side)), None),
        Outcome::Failed(why) => (None, None, Some(why.as_str())),
    };
    let mut sql = Sql::new("select app.note_previews(");
    sql.bind(company).text("::uuid, ").bind(object.version.as_str()).text("::text, ").bind(thumbnail).text("::text, ");
    sql.bind(preview).text("::text, ").bind(fault).text("::text)");
    sql
}

impl Storage {
    /// Makes what is not kept already.
    async fn make_previews(&self, object: &Object) -> Result<()> {
        let images: &Images = &self.images().of_previews();
        for side in images.config().preview_sides() {
            let wanted = Wanted { width: Some(side), height: Some(side), resize: Some(Resize::Contain), quality: None, is_origin: false };
            match self.render(images, object.clone(), &wanted, true).await {
                Ok(_kept) => (),
                // It was removed meanwhile, and so is what was made of it.
                Err(error) if error.code() == "NoSuchKey" => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Kind;

    #[test]
    fn what_is_not_the_files_fault_is_tried_again_to_the_end() {
        let said = |kind: Kind, code: &'static str| match failed(Error::new(kind, code, "x")) {
            Ok(Outcome::Failed(why)) => format!("failed: {why}"),
            Ok(Outcome::Made) => "made".to_owned(),
            Err(failure) => format!("{failure:?}"),
        };
        assert_eq!(said(Kind::Unprocessable, "image_unreadable"), "failed: x (image_unreadable)");
        assert_eq!(said(Kind::Timeout, "image_time_over"), "failed: x (image_time_over)");
        assert!(said(Kind::Unavailable, "images_busy").contains("Postponed(30s)"));
        for (kind, code) in [(Kind::Internal, "internal"), (Kind::Timeout, "upstream_timeout")] {
            assert!(said(kind, code).contains("Backoff"), "{}", said(kind, code));
        }
    }
}
