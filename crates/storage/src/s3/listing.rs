//! Lists of objects in the words of S3, of both versions.
//!
//! Invariant: a page ends where the next begins: the token is that of the list of this server, and a name is turned into one.

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{Error, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::answer::Xml;
use super::asked::{Request, invalid, not_implemented};
use super::buckets;
use super::objects::etag_of;
use crate::objects::ListingByKey;

/// Keys of one page.
const KEYS_MAX: i64 = 1000;
/// Letters of a key that stay as they are where the client wants them encoded.
pub(super) const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// How a marker begins that is a token: of a page that ended with a folder.
const TOKEN: &str = "thorbis-token:";
/// The version that an object is.
pub(super) const NULL_VERSION: &str = "null";

pub(super) async fn list(request: &Request) -> Result<Response> {
    let is_second = request.asked("list-type") == Some("2");
    let marker = request.asked(if is_second { "start-after" } else { "marker" }).filter(|marker| !marker.is_empty());
    let token = request.asked("continuation-token").filter(|token| is_second && !token.is_empty());
    let (page, keys_max) = page(request, token, marker).await?;
    Ok(document(request, &page, is_second, keys_max).answer())
}

/// Lists what there is as versions: each object has the one that it is, which has no name of its own, as where versioning is suspended. Former
/// ones are in no list.
pub(super) async fn versions(request: &Request) -> Result<Response> {
    let marker = request.asked("key-marker").filter(|marker| !marker.is_empty());
    let (page, keys_max) = page(request, None, marker).await?;
    let token = page.get("nextCursor").and_then(Value::as_str);
    let document = Xml::document("ListVersionsResult", |xml| {
        xml.text("Name", &request.bucket).text("Prefix", shown(request, request.asked("prefix").unwrap_or_default()));
        xml.text("KeyMarker", shown(request, marker.unwrap_or_default())).text("VersionIdMarker", "");
        if let Some(token) = token {
            xml.text("NextKeyMarker", shown(request, &format!("{TOKEN}{token}"))).text("NextVersionIdMarker", NULL_VERSION);
        }
        xml.text("MaxKeys", keys_max.to_string());
        if let Some(delimiter) = request.asked("delimiter").filter(|delimiter| !delimiter.is_empty()) {
            xml.text("Delimiter", delimiter);
        }
        if request.asked("encoding-type") == Some("url") {
            xml.text("EncodingType", "url");
        }
        xml.text("IsTruncated", token.is_some().to_string());
        for object in rows(&page, "objects") {
            xml.inside("Version", |xml| {
                content(request, xml, object);
                xml.text("VersionId", NULL_VERSION).text("IsLatest", "true");
            });
        }
        prefixes(request, xml, &page);
    });
    Ok(document.answer())
}

/// Reads a page from behind a token or a marker, and says how many keys were wanted.
async fn page(request: &Request, token: Option<&str>, marker: Option<&str>) -> Result<(Value, i64)> {
    let is_delimited = match request.asked("delimiter") {
        None | Some("") => false,
        Some("/") => true,
        Some(_) => return Err(not_implemented("A delimiter other than /")),
    };
    let keys_max: i64 = match request.asked("max-keys") {
        None => KEYS_MAX,
        Some(said) => said.parse().ok().filter(|count| *count >= 0).ok_or_else(|| invalid("max-keys is a number"))?,
    };
    let cursor = match (token, marker) {
        (Some(token), _) => Some(token.to_owned()),
        (None, Some(marker)) => Some(marker.strip_prefix(TOKEN).map_or_else(|| after(marker), |token| Ok(token.to_owned()))?),
        (None, None) => None,
    };
    let wanted = ListingByKey {
        prefix: request.asked("prefix").map(str::to_owned),
        limit: Some(keys_max.clamp(1, KEYS_MAX)),
        cursor,
        with_delimiter: Some(is_delimited),
        sort_by: None,
    };
    let mut page = request.storage.list_by_key(&request.caller, &request.bucket, &wanted).await?;
    if keys_max == 0 {
        page = json!({ "hasNext": false, "objects": [], "folders": [] });
    }
    if rows(&page, "objects").is_empty() && rows(&page, "folders").is_empty() {
        buckets::is_there(request).await?;
    }
    Ok((page, keys_max))
}

/// Writes what there is to say of an object.
fn content(request: &Request, xml: &mut Xml, object: &Value) {
    let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    let fact = |name: &str| object.pointer(&format!("/metadata/{name}")).cloned().unwrap_or_default();
    xml.text("Key", shown(request, text("name")));
    xml.text("LastModified", fact("lastModified").as_str().unwrap_or_else(|| text("updated_at")));
    xml.text("ETag", format!("\"{}\"", etag_of(fact("eTag").as_str().unwrap_or_default().trim_matches('"'))));
    xml.text("Size", fact("size").as_u64().unwrap_or_default().to_string()).text("StorageClass", "STANDARD");
}

fn prefixes(request: &Request, xml: &mut Xml, page: &Value) {
    for folder in rows(page, "folders") {
        let name = folder.get("name").and_then(Value::as_str).unwrap_or_default();
        xml.inside("CommonPrefixes", |xml| _ = xml.text("Prefix", shown(request, name)));
    }
}

fn document(request: &Request, page: &Value, is_second: bool, keys_max: i64) -> Xml {
    let is_encoded = request.asked("encoding-type") == Some("url");
    let shown = |key: &str| shown(request, key);
    let (objects, folders) = (rows(page, "objects"), rows(page, "folders"));
    let token = page.get("nextCursor").and_then(Value::as_str);
    Xml::document("ListBucketResult", |xml| {
        xml.text("Name", &request.bucket).text("Prefix", shown(request.asked("prefix").unwrap_or_default()));
        xml.text("MaxKeys", keys_max.to_string());
        if is_second {
            for (element, word) in [("ContinuationToken", "continuation-token"), ("StartAfter", "start-after")] {
                if let Some(said) = request.asked(word).filter(|said| !said.is_empty()) {
                    xml.text(element, if word == "start-after" { shown(said) } else { said.to_owned() });
                }
            }
            xml.text("KeyCount", (objects.len() + folders.len()).to_string());
        } else {
            xml.text("Marker", shown(request.asked("marker").unwrap_or_default()));
        }
        if let Some(delimiter) = request.asked("delimiter").filter(|delimiter| !delimiter.is_empty()) {
            xml.text("Delimiter", delimiter);
        }
        if is_encoded {
            xml.text("EncodingType", "url");
        }
        xml.text("IsTruncated", token.is_some().to_string());
        match (token, is_second) {
            (Some(token), true) => _ = xml.text("NextContinuationToken", token),
            (Some(token), false) if request.asked("delimiter").is_some() => _ = xml.text("NextMarker", format!("{TOKEN}{token}")),
            _ => {}
        }
        for object in objects {
            xml.inside("Contents", |xml| content(request, xml, object));
        }
        prefixes(request, xml, page);
    })
}

/// Returns a key as the client wants to see it.
pub(super) fn shown(request: &Request, key: &str) -> String {
    if request.asked("encoding-type") == Some("url") { utf8_percent_encode(key, KEPT).to_string() } else { key.to_owned() }
}

fn rows<'a>(page: &'a Value, name: &str) -> &'a [Value] {
    page.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Returns the token of a page that ended with a key.
fn after(key: &str) -> Result<String> {
    let token = serde_json::to_vec(&json!({ "place": key, "key": key })).map_err(Error::internal)?;
    Ok(URL_SAFE_NO_PAD.encode(token))
}
