//! `thorbis audit`.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use kernel::RequestContext;
use postgres::{Access, Sql};

use super::own::Own;
use super::{CliError, say};
use crate::config::Settings;
use crate::maintenance::{ANCHOR_FILE, verify};
use crate::start::StartError;

/// Prove that the record of who changed what is as it was written
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis audit verify")]
pub(super) struct Audit {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Recompute every seal and compare with the anchors; name what was edited, deleted or cut off
    ///
    /// Ends with 1 if anything is not as it was sealed, or should be sealed and anchored by now and is not. The anchors are in
    /// audit-anchors.jsonl in the data folder.
    #[command(after_help = "Examples:\n  thorbis audit verify")]
    Verify,
}

impl Audit {
    pub(super) async fn run(&self, settings: &Settings) -> Result<ExitCode, CliError> {
        let Command::Verify = self.command;
        let file = settings.in_data_directory(ANCHOR_FILE);
        let kept = crate::maintenance::read_anchors(&file).map_err(|source| StartError::File { path: file, source })?;
        let own = Own::connect(settings).await?;
        let outcome = Box::pin(look(&own, &kept, crate::maintenance::settled_after(settings))).await;
        own.leave().await?;
        let report = outcome?;
        let verify::Report { companies, batches, rows, redacted, anchors, findings } = &report;
        let verdict = if findings.is_empty() { "all as sealed".to_owned() } else { format!("{} findings", findings.len()) };
        let mut lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        lines.push(format!(
            "looked at {companies} companies, {batches} batches, {rows} rows, {redacted} without their words, {anchors} anchors: {verdict}"
        ));
        say(&lines.join("\n"))?;
        Ok(if report.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

async fn look(own: &Own, kept: &crate::maintenance::KeptAnchors, patience: Duration) -> kernel::Result<verify::Report> {
    let grant = Own::grant(None, "verifies the audit");
    let tx = own.database().begin(&grant, &RequestContext::default(), Access::Read).await?;
    tx.query(Sql::new("select set_config('statement_timeout', '0', true)")).await?;
    let report = verify::verify(&tx, kept, patience).await;
    tx.rollback().await?;
    report
}
