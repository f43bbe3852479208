//! What there is of uploads in parts that are not at their end: the parts of one, and all of them.
//!
//! Invariant: a page ends where the next begins, whatever came or went in between.

use axum::response::Response;
use kernel::Result;

use super::answer::Xml;
use super::asked::{Request, invalid, not_implemented};
use super::buckets;
use super::listing::shown;
use super::multipart::begun;
use crate::parts::{Begin, Protocol, Unfinished};

/// Parts and uploads of one page.
const LISTED_MAX: u64 = 1000;

pub(super) async fn parts(request: &Request) -> Result<Response> {
    let begun = begun(request).await?;
    let (wanted, after) = (count(request, "max-parts")?, number(request, "part-number-marker")?);
    let mut parts = request.storage.parts_of(begun.id, after, wanted.saturating_add(1)).await?;
    let next = page(&mut parts, wanted);
    let is_truncated = next && wanted > 0;
    let document = Xml::document("ListPartsResult", |xml| {
        xml.text("Bucket", &request.bucket).text("Key", shown(request, &request.key)).text("UploadId", begun.id.to_string());
        xml.text("PartNumberMarker", after.unwrap_or(0).to_string());
        if let (true, Some(last)) = (is_truncated, parts.last()) {
            xml.text("NextPartNumberMarker", last.position.to_string());
        }
        xml.text("MaxParts", wanted.to_string()).text("IsTruncated", is_truncated.to_string()).text("StorageClass", "STANDARD");
        for part in &parts {
            xml.inside("Part", |xml| {
                xml.text("PartNumber", part.position.to_string()).text("LastModified", part.created_at.to_string());
                xml.text("ETag", format!("\"{}\"", part.etag)).text("Size", part.bytes.to_string());
            });
        }
    });
    Ok(document.answer())
}

pub(super) async fn uploads(request: &Request) -> Result<Response> {
    let is_delimited = match request.asked("delimiter") {
        None | Some("") => false,
        Some("/") => true,
        Some(_) => return Err(not_implemented("A delimiter other than /")),
    };
    let said = |name: &str| request.asked(name).filter(|said| !said.is_empty());
    // The marker of an upload is one of those of its key.
    let after = said("key-marker").map(|key| (key, said("upload-id-marker")));
    let wanted = count(request, "max-uploads")?;
    let begin = Begin { prefix: request.asked("prefix").unwrap_or_default(), after, is_delimited };
    let of = (Protocol::S3, request.asker.as_str(), request.bucket.as_str());
    let mut uploads = request.storage.uploads_of(of, &begin, wanted.saturating_add(1)).await?;
    if uploads.is_empty() {
        buckets::is_there(request).await?;
    }
    let next = page(&mut uploads, wanted);
    Ok(document(request, &uploads, (wanted, next && wanted > 0)).answer())
}

fn document(request: &Request, uploads: &[Unfinished], (wanted, is_truncated): (u64, bool)) -> Xml {
    Xml::document("ListMultipartUploadsResult", |xml| {
        xml.text("Bucket", &request.bucket).text("KeyMarker", shown(request, request.asked("key-marker").unwrap_or_default()));
        xml.text("UploadIdMarker", request.asked("upload-id-marker").unwrap_or_default());
        match uploads.last().filter(|_| is_truncated) {
            Some(Unfinished::Folder(name)) => _ = xml.text("NextKeyMarker", shown(request, name)),
            Some(Unfinished::Upload { id, name, .. }) => {
                xml.text("NextKeyMarker", shown(request, name)).text("NextUploadIdMarker", id.to_string());
            }
            None => {}
        }
        xml.text("Prefix", shown(request, request.asked("prefix").unwrap_or_default()));
        if let Some(delimiter) = request.asked("delimiter").filter(|delimiter| !delimiter.is_empty()) {
            xml.text("Delimiter", delimiter);
        }
        if request.asked("encoding-type") == Some("url") {
            xml.text("EncodingType", "url");
        }
        xml.text("MaxUploads", wanted.to_string()).text("IsTruncated", is_truncated.to_string());
        for one in uploads {
            match one {
                Unfinished::Folder(name) => _ = xml.inside("CommonPrefixes", |xml| _ = xml.text("Prefix", shown(request, name))),
                Unfinished::Upload { id, name, created_at } => {
                    xml.inside("Upload", |xml| {
                        xml.text("Key", shown(request, name)).text("UploadId", id.to_string());
                        xml.text("StorageClass", "STANDARD").text("Initiated", created_at.to_string());
                    });
                }
            }
        }
    })
}

/// Cuts what is more than was wanted, and says whether there was any.
fn page<T>(rows: &mut Vec<T>, wanted: u64) -> bool {
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    let has_next = rows.len() > wanted;
    rows.truncate(wanted);
    has_next
}

/// How many a page has.
fn count(request: &Request, name: &'static str) -> Result<u64> {
    Ok(number(request, name)?.map_or(LISTED_MAX, |wanted| wanted.min(LISTED_MAX)))
}

fn number(request: &Request, name: &'static str) -> Result<Option<u64>> {
    let said = request.asked(name).filter(|said| !said.is_empty());
    let number = said.map(|said| said.parse::<u64>().ok().filter(|number| *number <= 2_147_483_647));
    number.map(|number| number.ok_or_else(|| invalid(format!("{name} is 0 to 2147483647")))).transpose()
}
