//! What an archive says of itself: at its beginning where it comes from, at its end everything that is in it.
//!
//! Invariant: nothing of either is put into SQL; they are compared with what this installation knows and with what was read.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kernel::Result;
use postgres::migrate::company::CompanyName;
use serde::{Deserialize, Serialize};

use crate::invalid;

/// The layout of archives.
const FORMAT: u32 = 1;
/// The first entry.
pub(crate) const HEADER: &str = "archive.json";
/// The last entry.
pub(crate) const MANIFEST: &str = "manifest.json";
/// The accounts that rows name.
pub(crate) const ACCOUNTS: &str = "accounts.json";

/// Where an archive comes from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The layout of the archive.
    pub format: u32,
    /// The newest migration of the installation.
    pub schema: String,
    /// The company.
    pub company: CompanyName,
    /// The moment that it shows.
    pub exported_at: Timestamp,
}

/// The rows of a table.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSum {
    /// The columns, in the order of the rows.
    pub columns: Vec<String>,
    /// How many rows there are.
    pub rows: u64,
    /// The SHA-256 of their lines in the order of their key.
    pub sha256: String,
    /// The sum of the SHA-256 of each line, whatever their order.
    pub sum: String,
}

/// A file of the storage.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSum {
    /// Its name, which begins with the company's id.
    pub key: String,
    /// Its bytes.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: String,
}

/// What is in an archive.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Where it comes from, again.
    pub header: Header,
    /// Whether hashes of passwords are in it.
    pub with_passwords: bool,
    /// How many accounts.
    pub accounts: usize,
    /// The SHA-256 of their entry.
    pub accounts_sha256: String,
    /// The rows of every table.
    pub tables: BTreeMap<String, TableSum>,
    /// The files, in their order in the archive.
    pub files: Vec<FileSum>,
    /// Tables that are not in it, with the reason.
    pub left_out: BTreeMap<String, String>,
    /// What has to be made again where the company comes to: tables, with how many rows they had.
    pub to_make_again: BTreeMap<String, i64>,
}

impl Header {
    /// Says where an archive of now comes from.
    pub(crate) fn of(company: &CompanyName, schema: &str) -> Self {
        Self { format: FORMAT, schema: schema.to_owned(), company: company.clone(), exported_at: Timestamp::now() }
    }

    /// Refuses what this program or this schema does not know.
    pub(crate) fn check(&self, schema: &str) -> Result<()> {
        if self.format != FORMAT {
            return Err(invalid(format!("The archive has the layout {}; this program reads {FORMAT}", self.format)));
        }
        if self.schema != schema {
            let message = format!("The archive is of the schema {}; this installation has {schema}", self.schema);
            return Err(invalid(message).with_hint("Bring both installations to the same version, and export and import again."));
        }
        if !is_slug(&self.company.slug) {
            return Err(invalid("The archive's company has no slug that can be"));
        }
        Ok(())
    }
}

/// Whether a slug is one that a company can have.
pub(crate) fn is_slug(slug: &str) -> bool {
    !slug.is_empty() && slug.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

impl Manifest {
    /// Returns how many rows there are.
    pub fn rows(&self) -> u64 {
        self.tables.values().map(|table| table.rows).sum()
    }

    /// Returns how many bytes the files have.
    pub fn file_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_schema_is_refused_by_both_names() {
        let company = CompanyName { id: uuid::Uuid::nil(), slug: "baker".to_owned(), name: "Baker".to_owned() };
        let header = Header::of(&company, "20261126080000");
        header.check("20261126080000").unwrap();
        let refused = header.check("20261127010000").unwrap_err();
        assert_eq!((refused.status().as_u16(), refused.code()), (422, "company_archive_invalid"));
        assert_eq!(refused.message(), "The archive is of the schema 20261126080000; this installation has 20261127010000");
        assert!(Header { format: 2, ..header.clone() }.check("20261126080000").is_err());
        let odd = CompanyName { slug: "a'; drop".to_owned(), ..company };
        assert!(Header::of(&odd, "1").check("1").is_err());
    }
}
