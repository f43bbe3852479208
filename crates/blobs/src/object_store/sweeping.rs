//! Taking back files in parts that nobody brings to an end any more, because the server that sent them died.
//!
//! Invariant: nothing is touched but files of ours below our own prefix, and none that was begun a short while ago: it may still be under way.
//! Looks go round: each begins where the last one ended, so that what is behind many others is reached, too.

use std::sync::{MutexGuard, PoisonError};
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
    /// Behind what the next one begins, if there is one.
    next: Option<Marker>,
}

/// A place in the list: behind a name, and behind one of its uploads where the store says which.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Marker {
    name: String,
    id: Option<String>,
}

/// When the last look was, and where the next one begins.
#[derive(Debug, Default)]
pub(super) struct Swept {
    at: Option<Instant>,
    until: Option<Marker>,
}

impl ObjectStore {
    /// Takes back what was begun before so many hours, as long as the last look is not of this hour. Returns how many files that were.
    pub(crate) async fn sweep(&self, hours: u32) -> Result<usize> {
        {
            let mut swept = self.swept();
            if swept.at.is_some_and(|at| at.elapsed() < EVERY) {
                return Ok(0);
            }
            swept.at = Some(Instant::now());
        }
        self.take_back_older(SignedDuration::from_hours(hours.into())).await
    }

    /// Takes back what was begun longer ago than that.
    pub(super) async fn take_back_older(&self, age: SignedDuration) -> Result<usize> {
        let since = Timestamp::now().checked_sub(age).map_err(Error::internal)?;
        // Whatever fails on the way, the next look begins at the front again.
        let mut after = std::mem::take(&mut self.swept().until);
        let (mut count, mut refused) = (0_usize, 0_u64);
        for _page in 0..PAGES_MAX {
            let sign = || self.list_uploads(after.as_ref());
            let page = read(&self.text(self.ask(&Asked::new(Method::GET), sign).await?).await?, after.as_ref())?;
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
        self.swept().until = after;
        if count > 0 {
            tracing::info!(files = count, "files in parts that nobody finished were taken back from the store");
        }
        metrics::counter!("blob_store_unfinished_total").increment(u64::try_from(count).unwrap_or_default());
        Ok(count)
    }

    fn swept(&self) -> MutexGuard<'_, Swept> {
        self.swept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signs the question for a page of what was begun below the prefix.
    fn list_uploads(&self, after: Option<&Marker>) -> Url {
        let page = PAGE.to_string();
        // In the order of the alphabet, as they are signed.
        let mut query = Vec::new();
        if let Some(marker) = after {
            query.push(("key-marker", marker.name.as_str()));
        }
        query.extend([("max-uploads", page.as_str()), ("prefix", self.prefix.as_str())]);
        if let Some(id) = after.and_then(|marker| marker.id.as_deref()) {
            query.push(("upload-id-marker", id));
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

/// Reads the page behind a place: the few elements of it that there are. One that is not the last has to say where it ends.
fn read(page: &str, after: Option<&Marker>) -> Result<Page> {
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
    if !is_truncated {
        return Ok(Page { uploads, next: None });
    }
    let said = |name| element(page, name).filter(|text| !text.is_empty());
    let next = said("NextKeyMarker").map(|name| Marker { name, id: said("NextUploadIdMarker") });
    if next.is_none() || next.as_ref() == after {
        return Err(unavailable("a list of what was begun does not say where it goes on"));
    }
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
        let read_page = read(&page, None).unwrap();
        let marker = Marker { name: "a".to_owned(), id: Some("1".to_owned()) };
        assert_eq!(read_page.next.as_ref(), Some(&marker));
        let found = &read_page.uploads[0];
        assert_eq!((found.name.as_str(), found.id.as_str(), found.begun_at.to_string().as_str()), ("a & b/c", "1", "2026-01-02T03:04:05Z"));
        assert!(read(&page.replace("true", "false"), None).unwrap().next.is_none());
        let of_names_alone = page.replace("<NextUploadIdMarker>1</NextUploadIdMarker>", "<NextUploadIdMarker/>");
        assert_eq!(read(&of_names_alone, Some(&marker)).unwrap().next, Some(Marker { name: "a".to_owned(), id: None }));
        let endless = page.replace("<NextKeyMarker>a</NextKeyMarker>", "");
        for bad in ["", "<html/>", &page.replace("</Upload>", ""), &page.replace("2026-01-02T", "yesterday"), &endless] {
            assert_eq!(read(bad, None).err().unwrap().code(), "blob_store_unavailable", "{bad}");
        }
        assert_eq!(read(&page, Some(&marker)).err().unwrap().code(), "blob_store_unavailable", "it goes on where it is");
    }
}
