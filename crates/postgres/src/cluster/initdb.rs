//! Makes the cluster, once.
//!
//! Invariant: the cluster appears under its name complete or not at all: it is made in a folder aside and renamed when it is done.

use std::fs::{self, File};
use std::process::Output;

use super::ClusterError;
use super::account::Account;
use super::layout::{Layout, Passwords, random_text, write_private};
use super::programs::Programs;
use super::settings::Configuration;

/// The superuser's name, which migrates.
pub(super) const SUPERUSER: &str = "postgres";

/// Makes a cluster with checksums whose only user needs the password.
pub(super) fn make(
    layout: &Layout,
    account: &Account,
    programs: &Programs,
    passwords: &Passwords,
    settings: &Configuration,
) -> Result<(), ClusterError> {
    let aside = layout.home.join(format!("new-{}", random_text(6).map_err(ClusterError::file(&layout.home))?));
    account.make_folder(&aside)?;
    let password_file = aside.join("password");
    write_private(&password_file, passwords.superuser.expose())?;
    account.give(&password_file)?;
    let cluster = aside.join("cluster");
    let output = account
        .command(programs.path("initdb"))
        .arg("--pgdata")
        .arg(&cluster)
        .arg("--pwfile")
        .arg(&password_file)
        .args(["--username", SUPERUSER, "--auth", "scram-sha-256", "--data-checksums", "--encoding", "UTF8"])
        // The C library's own C.UTF-8 sorts by code point: an upgrade of the distribution cannot change the order below an index.
        .args(["--locale", "C.UTF-8", "--lc-messages", "C"])
        .output()
        .map_err(ClusterError::file(&programs.path("initdb")))?;
    check("initdb", &output)?;
    settings.write(&cluster, account)?;
    fs::rename(&cluster, &layout.cluster).map_err(ClusterError::file(&layout.cluster))?;
    File::open(&layout.home).and_then(|folder| folder.sync_all()).map_err(ClusterError::file(&layout.home))?;
    fs::remove_dir_all(&aside).map_err(ClusterError::file(&aside))
}

fn check(program: &str, output: &Output) -> Result<(), ClusterError> {
    if output.status.success() {
        return Ok(());
    }
    Err(ClusterError::Program {
        program: program.to_owned(),
        status: output.status.to_string(),
        output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}
