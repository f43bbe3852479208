//! Uploads that come in parts: each part is a blob that is safe before anybody is told of it, and at the end they become one object.
//!
//! Invariant: what an upload has is what its rows say, so that any server goes on with it after any crash; of two that go on at the same place
//! one wins. Parts belong to nobody until the upload ends, and are taken away when its time is over.

pub mod config;

mod finishing;
mod rows;
mod taking;

use std::fmt::Write as _;

use jiff::Timestamp;
use kernel::{BlobKey, CompanyId, Error, Kind, Subject};
use uuid::Uuid;

pub use config::PartsConfig;
pub(crate) use taking::Source;

use crate::{Caller, Upload};

/// What uploads are asked for with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Protocol {
    Tus,
    S3,
}

impl Protocol {
    fn name(self) -> &'static str {
        match self {
            Self::Tus => "tus",
            Self::S3 => "s3",
        }
    }
}

/// An upload that was begun.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    pub(crate) id: Uuid,
    pub(crate) company: CompanyId,
    /// What it will be. Its length is said at the beginning or later.
    pub(crate) upload: Upload,
    /// What the client said of it, word for word.
    pub(crate) said: String,
    pub(crate) received: u64,
    pub(crate) is_ended: bool,
    pub(crate) expires_at: Timestamp,
    whole: Option<BlobKey>,
    parts: u64,
    /// What the other unfinished uploads of the same asker have.
    others_bytes: u64,
}

impl Begun {
    /// The same upload with so many bytes.
    pub(crate) fn at(self, received: u64) -> Self {
        Self { received, ..self }
    }
}

/// Where a list of uploads begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begin<'a> {
    /// What the names begin with.
    pub(crate) prefix: &'a str,
    /// Behind which name, or behind which upload of that name.
    pub(crate) after: Option<(&'a str, Option<&'a str>)>,
    /// Whether what has a `/` behind the prefix is told as a folder.
    pub(crate) is_delimited: bool,
}

/// An upload that is not at its end, or a folder of such.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Unfinished {
    Folder(String),
    Upload { id: Uuid, name: String, created_at: Timestamp },
}

/// A part that is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Part {
    /// Where it begins, or its number.
    pub(crate) position: u64,
    pub(crate) bytes: u64,
    pub(crate) etag: String,
    pub(crate) key: BlobKey,
    pub(crate) created_at: Timestamp,
}

/// Names who asks, so that nobody goes on with what is another's.
pub(crate) fn asker(caller: &Caller) -> String {
    match caller.grant().principal().subject() {
        Subject::Anonymous => "anon".to_owned(),
        Subject::User { user_id, .. } => format!("user:{}", user_id.0),
        Subject::Service => "service".to_owned(),
        Subject::Pass(pass) => format!("{}:{}", pass.kind.name(), pass.id),
        Subject::Role { name, .. } => format!("role:{name}"),
        // A link that was signed: whoever has it. The caller of this function names the link.
        Subject::System { reason } => format!("system:{reason}"),
    }
}

/// Bytes as letters.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// There is no such upload, or it is another's.
pub(crate) fn no_such_upload() -> Error {
    Error::new(Kind::NotFound, "NoSuchUpload", "There is no such upload, or its time is over")
}

/// Somebody else was faster.
pub(crate) fn moved_on() -> Error {
    Error::new(Kind::Conflict, "upload_offset_mismatch", "The upload goes on somewhere else; ask how far it is")
}

/// It is being put together.
pub(crate) fn locked() -> Error {
    Error::new(Kind::Status(423), "upload_locked", "The upload is being put together; ask again").with_retry_after(1)
}
