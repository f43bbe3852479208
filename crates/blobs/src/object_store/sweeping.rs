//! Taking back files in parts that nobody brings to an end any more, because the server that sent them died.
//!
//! Invariant: nothing is touched but files of ours below our own prefix, and none that was begun a short while ago: it may still be under way.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use kernel::{BlobKey, Error, Result};
use reqwest::Method;
use rusty_s3::S3Action as _;
use url::Url;

use super::asking::{Asked, unavailable};
use super::{ObjectStore, PAGE, SIGNED_FOR};

/// How often a store is asked what was begun in it.
const EVERY: Duration = Duration::from_hours(1);
/// Pages of one look.
const PAGES_MAX: usize = 10;
/// Files that a store may refuse to give up before a look ends: it is away then.
const REFUSED_MAX: u64 = 10;

/// A file that was begun: its name in the bucket, by what its upload is known, and since when.
struct Unfinished {
    name: String,
    id: String,
    begun_at: Timestamp,
}

/// What one page of the list says.
struct Page {
    uploads: Vec<Unfinished>,
    /// Behind which name and upload the next one begins.
    next: Option<(String, String)>,
}

impl ObjectStore {
    /// Takes back what was begun before so many hours, as long as the last look is not of this hour. Returns how many files that were.
    pub(crate) async fn sweep(&self, hours: u32) -> Result<usize> {
        {
            let mut swept_at = self.swept_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if swept_at.is_some_and(|at| at.elapsed() < EVERY) {
                return Ok(0);
            }
            *swept_at = Some(Instant::now());
        }
        self.take_back_older(SignedDuration::from_hours(hours.into())).await
    }

    /// Takes back what was begun longer ago than that.
    pub(super) async fn take_back_older(&self, age: SignedDuration) -> Result<usize> {
        let since = Timestamp::now().checked_sub(age).map_err(Error::internal)?;
        let (mut count, mut refused, mut after) = (0_usize, 0_u64, None::<(String, String)>);
        for _page in 0..PAGES_MAX {
            let sign = || self.list_uploads(after.as_ref());
            let page = read(&self.text(self.ask(&Asked::new(Method::GET), sign).await?).await?)?;
            for upload in page.uploads {
                let is_ours = upload.name.strip_prefix(self.prefix.as_str()).is_some_and(|name| name.parse::<BlobKey>().is_ok());
                if is_ours && upload.begun_at <= since {
                    let sign = || self.bucket.abort_multipart_upload(self.credentials(), &upload.name, &upload.id).sign(SIGNED_FOR);
                    // One that the store does not give up holds up no other; the next look asks again.
                    match self.ask(&Asked::new(Method::DELETE), sign).await {
                        Ok(_gone) => count = count.saturating_add(1),
                        Err(error) => {
                            refused = refused.saturating_add(1);
                            tracing::warn!(code = error.code(), "a file in parts could not be taken back: {}", error.message());
                            if refused >= REFUSED_MAX {
                                return Err(error);
                            }
                        }
                    }
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        if count > 0 {
            tracing::info!(files = count, "files in parts that nobody finished were taken back from the store");
        }
        metrics::counter!("blob_store_unfinished_total").increment(u64::try_from(count).unwrap_or_default());
        Ok(count)
    }

    /// Signs the question for a page of what was begun below the prefix.
    fn list_uploads(&self, after: Option<&(String, String)>) -> Url {
        let page = PAGE.to_string();
        // In the order of the alphabet, as they are signed.
        let mut query = Vec::new();
        if let Some((name, _)) = after {
            query.push(("key-marker", name.as_str()));
        }
        query.extend([("max-uploads", page.as_str()), ("prefix", self.prefix.as_str())]);
        if let Some((_, id)) = after {
            query.push(("upload-id-marker", id.as_str()));
        }
        query.push(("uploads", ""));
        let mut url = self.bucket.base_url().clone();
        let Some(who) = self.credentials() else {
            url.query_pairs_mut().extend_pairs(query);
            return url;
        };
        rusty_s3::signing::sign(
            &Timestamp::now(),
            rusty_s3::Method::Get,
            url,
            who.key(),
            who.secret(),
            who.token(),
            self.bucket.region(),
            SIGNED_FOR.as_secs(),
            query.iter().copied(),
            std::iter::empty(),
        )
    }
}

/// Reads a page: the few elements of it that there are.
fn read(page: &str) -> Result<Page> {
    let unread = || unavailable("a list of what was begun cannot be read");
    if !page.contains("<ListMultipartUploadsResult") {
        return Err(unread());
    }
    let mut uploads = Vec::new();
    for part in page.split("<Upload>").skip(1) {
        let part = part.split_once("</Upload>").ok_or_else(unread)?.0;
        let begun_at = element(part, "Initiated").ok_or_else(unread)?.parse().map_err(|_error| unread())?;
        let (name, id) = element(part, "Key").zip(element(part, "UploadId")).ok_or_else(unread)?;
        uploads.push(Unfinished { name, id, begun_at });
    }
    let is_truncated = element(page, "IsTruncated").is_some_and(|said| said == "true");
    let next = element(page, "NextKeyMarker").zip(element(page, "NextUploadIdMarker")).filter(|_| is_truncated);
    Ok(Page { uploads, next })
}

fn element(text: &str, name: &str) -> Option<String> {
    let (_, behind) = text.split_once(&format!("<{name}>"))?;
    let (said, _) = behind.split_once(&format!("</{name}>"))?;
    let said = said.trim().replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'").replace("&#39;", "'");
    Some(said.replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_what_was_begun_and_where_the_next_one_begins() {
        let upload = "<Upload><Key>a &amp; b/c</Key><UploadId>1</UploadId><Initiator><ID>x</ID></Initiator>\
                      <Initiated>2026-01-02T03:04:05.000Z</Initiated></Upload>";
        let page = format!(
            "<?xml version=\"1.0\"?><ListMultipartUploadsResult xmlns=\"x\"><IsTruncated>true</IsTruncated>\
             <NextKeyMarker>a</NextKeyMarker><NextUploadIdMarker>1</NextUploadIdMarker>{upload}</ListMultipartUploadsResult>"
        );
        let read_page = read(&page).unwrap();
        assert_eq!(read_page.next, Some(("a".to_owned(), "1".to_owned())));
        let found = &read_page.uploads[0];
        assert_eq!((found.name.as_str(), found.id.as_str(), found.begun_at.to_string().as_str()), ("a & b/c", "1", "2026-01-02T03:04:05Z"));
        assert!(read(&page.replace("true", "false")).unwrap().next.is_none());
        for bad in ["", "<html/>", &page.replace("</Upload>", ""), &page.replace("2026-01-02T", "yesterday")] {
            assert_eq!(read(bad).err().unwrap().code(), "blob_store_unavailable", "{bad}");
        }
    }
}
