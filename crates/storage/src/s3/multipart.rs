//! Uploads in parts in the words of S3.
//!
//! Invariant: what is put together is what the client lists, part by part and etag by etag, in ascending order.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::response::Response;
use futures_util::{StreamExt as _, TryStreamExt as _};
use http::{HeaderValue, StatusCode, header};
use kernel::{BlobStream, Error, Kind, Result};
use uuid::Uuid;

use super::answer::Xml;
use super::asked::{Request, elements, invalid, malformed_xml, unescaped};
use super::checksum::Sum;
use super::objects::{COPY_SOURCE, check_source, empty};
use super::signature::{hex, unhex};
use crate::parts::{Begun, Part, Protocol, no_such_upload};

/// The numbers that parts have.
const NUMBERS: std::ops::RangeInclusive<u64> = 1..=10_000;
/// Bytes of a list of all the parts that there may be, with a sum for each.
const LIST_BYTES_MAX: usize = 4_194_304;

pub(super) async fn begin(request: &Request) -> Result<Response> {
    let upload = request.upload(None).await?;
    let id = request.storage.begin_parts(Protocol::S3, &request.asker, &request.caller, (upload, "")).await?;
    let document = Xml::document("InitiateMultipartUploadResult", |xml| {
        xml.text("Bucket", &request.bucket).text("Key", &request.key).text("UploadId", id.to_string());
    });
    Ok(document.answer())
}

pub(super) async fn take(request: &Request, body: Body) -> Result<Response> {
    let number = number(request)?;
    if request.header(COPY_SOURCE).is_some() {
        return take_copy(request, number).await;
    }
    let begun = begun(request).await?;
    let wanted = request.length()?.ok_or_else(|| Error::new(Kind::Status(411), "MissingContentLength", "A part says how long it is"))?;
    make_room(request, &begun, number, wanted).await?;
    let part = put(request, &begun, number, (request.content(body), wanted)).await?;
    let mut response = empty(StatusCode::OK);
    let etag = HeaderValue::try_from(format!("\"{}\"", part.etag)).map_err(Error::internal)?;
    response.headers_mut().insert(header::ETAG, etag);
    Ok(response)
}

/// Takes as a part what an object has that the caller may read, or a range of its bytes. Written anew: whose the upload is may be another one.
async fn take_copy(request: &Request, number: u64) -> Result<Response> {
    let begun = begun(request).await?;
    let source = request.copy_source()?;
    let object = request.source(&source).await?;
    check_source(request, &object)?;
    let range = request.header("x-amz-copy-source-range").map(|said| range_of(said, object.size)).transpose()?;
    let wanted = range.as_ref().map_or(object.size, |range| range.end.saturating_sub(range.start));
    make_room(request, &begun, number, wanted).await?;
    let opened = request.storage.open_found(object, range).await?;
    let part = put(request, &begun, number, (opened.content.boxed(), wanted)).await?;
    let document = Xml::document("CopyPartResult", |xml| {
        xml.text("LastModified", part.created_at.to_string()).text("ETag", format!("\"{}\"", part.etag));
    });
    source.named(document.answer())
}

/// Refuses a part that has no room before any of it is read: neither beside what else is unfinished, nor in the company's quota and its bucket.
/// The part whose place it takes makes room for it.
async fn make_room(request: &Request, begun: &Begun, number: u64, wanted: u64) -> Result<()> {
    let there = request.storage.parts_of(begun.id, number.checked_sub(1), 1).await?;
    let replaced = there.first().filter(|part| part.position == number).map(|part| part.bytes);
    request.storage.has_room(begun, replaced, wanted)?;
    let mut upload = begun.upload.clone();
    upload.length = Some(begun.received.saturating_sub(replaced.unwrap_or(0)).saturating_add(wanted));
    request.settle(&mut upload).await
}

/// Puts a part of at most so many bytes, in the place of the one of its number.
async fn put(request: &Request, begun: &Begun, number: u64, (content, bytes_max): (BlobStream, u64)) -> Result<Part> {
    let sum = Arc::new(Mutex::new(Sum::md5()));
    let passing = Arc::clone(&sum);
    let content = content.inspect_ok(move |piece| passing.lock().unwrap_or_else(PoisonError::into_inner).update(piece)).boxed();
    let (key, bytes) = request.storage.put_part(begun, content, bytes_max).await?;
    let sum = std::mem::replace(&mut *sum.lock().unwrap_or_else(PoisonError::into_inner), Sum::md5());
    let part = Part { position: number, bytes, etag: hex(&sum.finish()), key, created_at: request.storage.now() };
    if let Err(error) = request.storage.replace_part(begun, &part).await {
        request.storage.abandon(&part.key).await;
        return Err(error);
    }
    Ok(part)
}

fn number(request: &Request) -> Result<u64> {
    let number = request.asked("partNumber").and_then(|number| number.parse().ok()).filter(|number| NUMBERS.contains(number));
    number.ok_or_else(|| invalid("partNumber is 1 to 10000"))
}

/// Reads which bytes of an object are copied: from the first to the last, which both are there.
fn range_of(said: &str, bytes: u64) -> Result<Range<u64>> {
    let read = || {
        let (first, last) = said.strip_prefix("bytes=")?.split_once('-')?;
        let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
        (first <= last && last < bytes).then_some(first..last.checked_add(1)?)
    };
    read().ok_or_else(|| invalid(format!("x-amz-copy-source-range is bytes=first-last, inside the {bytes} bytes of the source")))
}

pub(super) async fn complete(request: &Request, body: Body) -> Result<Response> {
    let listed = listed(&request.document(body, LIST_BYTES_MAX).await?)?;
    let mut begun = begun(request).await?;
    let mut digests = Sum::md5();
    for (_, etag) in &listed {
        digests.update(&unhex(etag).unwrap_or_default());
    }
    let etag = format!("{}-{}", hex(&digests.finish()), listed.len());
    if begun.is_ended {
        // Whoever did not get the answer asks again, with the same list.
        let there = request
            .storage
            .info(&request.caller, &request.bucket, &request.key)
            .await
            .map_err(|error| no_such_upload().with_source(error))?;
        return if there.etag == etag { Ok(completed(request, &etag)) } else { Err(no_such_upload()) };
    }
    let there = request.storage.parts_of(begun.id, None, *NUMBERS.end()).await?;
    let part_of = |(number, etag): &(u64, String)| {
        let found = there.binary_search_by_key(number, |part| part.position).ok().and_then(|at| there.get(at));
        found
            .filter(|part| part.etag == *etag)
            .cloned()
            .ok_or_else(|| Error::new(Kind::BadRequest, "InvalidPart", format!("Part {number} was not uploaded, or has another etag.")))
    };
    let parts = listed.iter().map(part_of).collect::<Result<Vec<Part>>>()?;
    request.settle(&mut begun.upload).await?;
    request.storage.finish_parts(&request.caller, &begun, parts, Some(etag.clone())).await?;
    Ok(completed(request, &etag))
}

/// Reads the numbers and etags of a list of parts, of which there is at least one.
fn listed(document: &str) -> Result<Vec<(u64, String)>> {
    let mut parts = Vec::<(u64, String)>::new();
    for listed in elements(document, "Part")? {
        let one = |name: &str| elements(listed, name)?.first().map_or_else(|| Err(malformed_xml()), |text| unescaped(text));
        let number: u64 = one("PartNumber")?.trim().parse().map_err(|_error| malformed_xml())?;
        let etag = one("ETag")?.trim().trim_matches('"').to_owned();
        if parts.last().is_some_and(|(before, _)| *before >= number) {
            return Err(Error::new(Kind::BadRequest, "InvalidPartOrder", "The list of parts was not in ascending order."));
        }
        parts.push((number, etag));
    }
    if parts.is_empty() { Err(malformed_xml()) } else { Ok(parts) }
}

fn completed(request: &Request, etag: &str) -> Response {
    let document = Xml::document("CompleteMultipartUploadResult", |xml| {
        xml.text("Location", request.location()).text("Bucket", &request.bucket).text("Key", &request.key);
        xml.text("ETag", format!("\"{etag}\""));
    });
    document.answer()
}

pub(super) async fn abort(request: &Request) -> Result<Response> {
    let begun = begun(request).await?;
    request.storage.forget_parts(&begun, false).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) async fn begun(request: &Request) -> Result<Begun> {
    let id: Uuid =
        request.asked("uploadId").unwrap_or_default().parse().map_err(|error: uuid::Error| no_such_upload().with_source(error))?;
    let begun = request.storage.begun(Protocol::S3, &request.asker, id).await?;
    let is_this = begun.upload.bucket == request.bucket && begun.upload.name == request.key && begun.expires_at > request.storage.now();
    if is_this { Ok(begun) } else { Err(no_such_upload()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_parts_has_some_in_their_order() {
        let part = |number: u64, etag: &str| format!("<Part><ETag>{etag}</ETag><PartNumber>{number}</PartNumber></Part>");
        let list = |parts: &[String]| format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", parts.concat());
        let read = listed(&list(&[part(1, "&quot;ab&quot;"), part(3, "cd")])).unwrap();
        assert_eq!(read, [(1, "ab".to_owned()), (3, "cd".to_owned())]);
        for (document, code) in [
            (list(&[]), "MalformedXML"),
            (String::new(), "MalformedXML"),
            (list(&["<Part><ETag>a</ETag></Part>".to_owned()]), "MalformedXML"),
            (list(&["<Part><ETag>a</ETag><PartNumber>x</PartNumber></Part>".to_owned()]), "MalformedXML"),
            (list(&[part(2, "a"), part(1, "b")]), "InvalidPartOrder"),
            (list(&[part(2, "a"), part(2, "a")]), "InvalidPartOrder"),
        ] {
            assert_eq!(listed(&document).unwrap_err().code(), code, "{document}");
        }
    }

    #[test]
    fn a_range_to_copy_lies_inside_its_source() {
        assert_eq!(range_of("bytes=0-9", 10).unwrap(), 0..10);
        assert_eq!(range_of("bytes=9-9", 10).unwrap(), 9..10);
        for bad in ["", "bytes=", "0-9", "bytes=5-4", "bytes=0-10", "bytes=5-", "bytes=-5", "bytes=0-1,3-4", "bytes=0-18446744073709551615"]
        {
            assert_eq!(range_of(bad, 10).unwrap_err().code(), "InvalidArgument", "{bad}");
        }
        assert_eq!(range_of("bytes=0-0", 0).unwrap_err().code(), "InvalidArgument");
    }
}
