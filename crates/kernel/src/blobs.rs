//! Where files are kept: a port. What is behind it (a folder, an object store) is wired by the server.
//!
//! Invariant: a file is one of a company: its key begins with the company's id, and nothing in it leads out of there. A file is there whole
//! or not at all: what is being put is seen by nobody before its last byte is safe.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use jiff::Timestamp;

use crate::{CompanyId, Error, Kind, Result};

/// Letters of a key without its company.
const PATH_MAX: usize = 512;
/// Letters between two slashes.
const SEGMENT_MAX: usize = 120;
/// Parts of a path.
const SEGMENTS_MAX: usize = 8;

/// The bytes of a file, piece by piece. An error ends it.
pub type BlobStream = BoxStream<'static, Result<Bytes>>;

/// What a call to the port answers.
pub type BlobFuture<'a, T> = BoxFuture<'a, Result<T>>;

/// The name of a file: the company's id, a slash, and one to eight parts of letters, digits, `.`, `-` and `_` that do not begin with a dot.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BlobKey(String);

/// What the names of some files begin with: a company, and whole parts behind it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlobPrefix(String);

/// What is known of a file without reading it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlobInfo {
    /// Its name.
    pub key: BlobKey,
    /// How many bytes it has.
    pub bytes: u64,
    /// What changes when its content does, without quotes.
    pub etag: String,
    /// When it was put.
    pub modified_at: Timestamp,
}

/// A file that is being read.
pub struct Blob {
    /// What is known of the whole of it.
    pub info: BlobInfo,
    /// Which of its bytes come.
    pub range: Range<u64>,
    /// They themselves.
    pub content: BlobStream,
}

/// Somewhere to keep files. Errors have the codes `blob_not_found` (404), `blob_range_invalid` (416), `blob_too_large` (413) and
/// `blob_storage_full` (507).
pub trait Blobs: Send + Sync + fmt::Debug {
    /// Puts a file in the place of the one that was there, if any. One with more bytes than these is refused, as is a stream that ends with
    /// an error; nothing of it stays.
    fn put<'a>(&'a self, key: &'a BlobKey, content: BlobStream, bytes_max: u64) -> BlobFuture<'a, BlobInfo>;

    /// Returns what is known of a file; none where it is not there.
    fn head<'a>(&'a self, key: &'a BlobKey) -> BlobFuture<'a, Option<BlobInfo>>;

    /// Opens a file, or a range of its bytes, which is cut at its end.
    fn get<'a>(&'a self, key: &'a BlobKey, range: Option<Range<u64>>) -> BlobFuture<'a, Blob>;

    /// Takes a file away. Returns whether it was there.
    fn delete<'a>(&'a self, key: &'a BlobKey) -> BlobFuture<'a, bool>;

    /// Returns at most so many files below a prefix in the order of their names, from behind one of them.
    fn list<'a>(&'a self, prefix: &'a BlobPrefix, after: Option<&'a BlobKey>, rows_max: usize) -> BlobFuture<'a, Vec<BlobInfo>>;
}

impl BlobKey {
    /// Makes the name of a company's file.
    pub fn new(company: CompanyId, path: &str) -> Result<Self> {
        if is_path(path) { Ok(Self(format!("{company}/{path}"))) } else { Err(invalid()) }
    }

    /// Returns the whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the parts, the company first.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl FromStr for BlobKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (company, path) = text.split_once('/').ok_or_else(invalid)?;
        Self::new(read(company)?, path)
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl BlobPrefix {
    /// Means all files of a company.
    pub fn company(company: CompanyId) -> Self {
        Self(company.to_string())
    }

    /// Means the files of a company below a path.
    pub fn new(company: CompanyId, path: &str) -> Result<Self> {
        BlobKey::new(company, path).map(|key| Self(key.0))
    }

    /// Returns the parts, the company first.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

/// Reads a company's id as it is written, in one way alone: two names never mean one file.
fn read(company: &str) -> Result<CompanyId> {
    let id: uuid::Uuid = company.parse().map_err(|error: uuid::Error| invalid().with_source(error))?;
    if id.to_string() == company { Ok(CompanyId(id)) } else { Err(invalid()) }
}

fn is_path(path: &str) -> bool {
    let is_segment = |segment: &str| {
        (1..=SEGMENT_MAX).contains(&segment.len())
            && !segment.starts_with('.')
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
    };
    path.len() <= PATH_MAX && path.split('/').count() <= SEGMENTS_MAX && path.split('/').all(is_segment)
}

fn invalid() -> Error {
    Error::new(Kind::BadRequest, "blob_key_invalid", "That is not the name of a file")
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blob").field("info", &self.info).field("range", &self.range).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPANY: &str = "01900000-0000-7000-8000-00000000a000";

    #[test]
    fn a_key_stays_inside_its_company() {
        let company = CompanyId(COMPANY.parse().unwrap());
        let key = BlobKey::new(company, "exports/a-1_b.csv").unwrap();
        assert_eq!(key.as_str(), format!("{COMPANY}/exports/a-1_b.csv"));
        assert_eq!(key.as_str().parse::<BlobKey>().unwrap(), key);
        let long = "x".repeat(SEGMENT_MAX + 1);
        for bad in
            ["", "/", "a/", "/a", "a//b", "..", "a/../b", ".hidden", "a/.b", "a b", "a\0", "a\\b", "ä", "a:b", &long, "a/b/c/d/e/f/g/h/i"]
        {
            let refused = BlobKey::new(company, bad).unwrap_err();
            assert_eq!((refused.status().as_u16(), refused.code()), (400, "blob_key_invalid"), "{bad:?}");
        }
    }

    #[test]
    fn a_name_is_read_in_one_way_alone() {
        let upper = COMPANY.to_uppercase();
        let simple = COMPANY.replace('-', "");
        for bad in
            ["a.csv", "../a.csv", &format!("{upper}/a.csv"), &format!("{simple}/a.csv"), &format!("{COMPANY}/"), &format!("{COMPANY}/../x")]
        {
            assert!(bad.parse::<BlobKey>().is_err(), "{bad}");
        }
    }
}
