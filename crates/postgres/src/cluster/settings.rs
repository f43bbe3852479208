//! The configuration files that we write into the cluster.
//!
//! Invariant: `thorbis.conf` is rewritten before every start of PostgreSQL and never holds anything by hand; what an administrator
//! wants otherwise goes into `local.conf` beside it, which is read after it. Whoever connects needs a password, over the socket too.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use super::account::Account;
use super::layout::{Layout, write_private};
use super::programs::Programs;
use super::tuning::{self, Machine};
use super::{ClusterError, ClusterOptions};

const FILE: &str = "thorbis.conf";
const INCLUDES: &str = "include = 'thorbis.conf'\ninclude_if_exists = 'local.conf'\n";
const HBA: &str = "# Written at every start.\n\
                   # type  database     user  method\n\
                   local   all          all   scram-sha-256\n\
                   # A copy of the whole cluster is the owner's affair. The server's login reads the log of its database, which is\n\
                   # a connection to that.\n\
                   local   replication  postgres  scram-sha-256\n";

/// What does not follow the machine.
const FIXED: &[(&str, &str)] = &[
    // Only the socket; its folder lets in one user.
    ("listen_addresses", ""),
    ("port", "5432"),
    ("password_encryption", "scram-sha-256"),
    ("ssl", "off"),
    // The change feed decodes the log.
    ("wal_level", "logical"),
    ("max_wal_senders", "10"),
    ("max_replication_slots", "10"),
    // Whoever takes everything away at once (migrate reset) locks every table and index.
    ("max_locks_per_transaction", "256"),
    // A reader of the feed that went away must not fill the disk.
    ("max_slot_wal_keep_size", "4GB"),
    ("wal_compression", "on"),
    // Our statements are short; compiling them costs more than it gives.
    ("jit", "off"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("logging_collector", "on"),
    ("log_destination", "stderr"),
    // A week of logs: each weekday's file is begun anew when its day comes again.
    ("log_filename", "postgresql-%a.log"),
    ("log_rotation_age", "1d"),
    ("log_rotation_size", "0"),
    ("log_truncate_on_rotation", "on"),
    ("log_file_mode", "0600"),
    ("log_line_prefix", "%m [%p] %q%u@%d %a "),
    ("log_min_duration_statement", "1000"),
    // Values bound to a statement may be personal or secret.
    ("log_parameter_max_length", "0"),
    ("log_parameter_max_length_on_error", "0"),
    // Statements and details have values of rows in them, and those are people's.
    ("log_min_error_statement", "panic"),
    ("log_error_verbosity", "terse"),
    ("log_checkpoints", "on"),
    ("log_lock_waits", "on"),
    ("log_temp_files", "10MB"),
    ("log_autovacuum_min_duration", "10s"),
    ("track_io_timing", "on"),
];

/// Puts a piece of the log, whole and on the disk, where the server fetches it. PostgreSQL's own user holds no key and knows no store.
fn archive_command(folder: &Path) -> String {
    let folder = folder.to_string_lossy().replace('\'', r"'\''").replace('%', "%%");
    format!("cp '%p' '{folder}/.%f.new' && sync '{folder}/.%f.new' && mv -f '{folder}/.%f.new' '{folder}/%f' && sync '{folder}'")
}

/// The text of the configuration, and what is worse than it should be.
pub(super) struct Configuration {
    /// The text of `thorbis.conf`.
    text: String,
    /// Sentences for `thorbis status`.
    pub(super) degraded: Vec<String>,
}

impl Configuration {
    /// Puts the settings together; the later ones win, `extra` over all.
    pub(super) fn compose(layout: &Layout, programs: &Programs, machine: Machine, wanted: &ClusterOptions) -> Self {
        let (archive, extra) = (wanted.archive_piece, &wanted.extra_settings);
        let mut degraded = vec![];
        let mut text = "# Written by thorbis at every start of PostgreSQL. Changes go into local.conf, beside this file.\n".to_owned();
        let mut set = |name: &str, value: &str| {
            // Writing to a String cannot fail.
            let _infallible = writeln!(text, "{name} = '{}'", value.replace('\\', "\\\\").replace('\'', "''"));
        };
        for (name, value) in tuning::settings(machine) {
            set(name, &value);
        }
        for (name, value) in FIXED {
            set(name, value);
        }
        set("unix_socket_directories", &layout.socket.to_string_lossy());
        set("log_directory", &layout.log.to_string_lossy());
        if let Some(piece) = archive {
            set("archive_mode", "on");
            set("archive_timeout", &format!("{}s", piece.as_secs()));
            set("archive_command", &archive_command(&layout.archive));
        }
        if programs.has_library("pg_stat_statements") {
            set("shared_preload_libraries", "pg_stat_statements");
        } else {
            degraded.push("pg_stat_statements is not installed (package postgresql-contrib): statements are not counted".to_owned());
        }
        for (name, value) in extra {
            set(name, value);
        }
        Self { text, degraded }
    }

    /// Tells whether the cluster already has exactly this.
    pub(super) fn is_in(&self, cluster: &Path) -> bool {
        fs::read_to_string(cluster.join(FILE)).is_ok_and(|text| text == self.text)
    }

    /// Writes the files; they belong to PostgreSQL's user.
    pub(super) fn write(&self, cluster: &Path, account: &Account) -> Result<(), ClusterError> {
        for (name, text) in [(FILE, self.text.as_str()), ("pg_hba.conf", HBA)] {
            let path = cluster.join(name);
            write_private(&path, text)?;
            account.give(&path)?;
        }
        let main = cluster.join("postgresql.conf");
        let present = fs::read_to_string(&main).map_err(ClusterError::file(&main))?;
        if !present.contains(INCLUDES) {
            let append = || OpenOptions::new().append(true).open(&main)?.write_all(format!("\n{INCLUDES}").as_bytes());
            append().map_err(ClusterError::file(&main))?;
        }
        Ok(())
    }
}
