//! Why a server does not start. Each names its code, for programs, and what to do, for people.

use std::path::PathBuf;

use crate::acme::AcmeError;
use crate::config::Faults;
use crate::edge::{ListenError, TlsError};

use super::folder::FolderError;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] Faults),
    /// The data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The port cannot be used.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The TLS files cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Certificates cannot be ordered.
    #[error(transparent)]
    Acme(#[from] AcmeError),
    /// The private cluster does not run.
    #[error("PostgreSQL does not run ({}): {source}", source.code())]
    Cluster {
        /// Why not.
        #[from]
        source: postgres::cluster::ClusterError,
    },
    /// The key file cannot be used.
    #[error("the keys cannot be used (keys_unusable): {source}{}", because(source))]
    Keys {
        /// Why not.
        #[from]
        source: auth::keys::store::StoreError,
    },
    /// The database cannot be used, or something in it failed.
    #[error("{}", told(_0))]
    Database(#[from] kernel::Error),
    /// The numbers cannot be counted.
    #[error("the metrics cannot be set up (metrics_unusable): {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    /// A file cannot be read or written.
    #[error("{} cannot be used (file_unusable): {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Returns an error with its hint and its causes, for the operator alone: the causes are never sent to clients.
pub(crate) fn told(error: &kernel::Error) -> String {
    let mut text = format!("{} ({})", error.message(), error.code());
    if let Some(hint) = error.hint() {
        text.push_str("; ");
        text.push_str(hint);
    }
    text + &because(error)
}

fn because(error: &dyn std::error::Error) -> String {
    let mut text = String::new();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
