//! `thorbis completions`.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, CliError, say};

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis completions bash")]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self) -> Result<ExitCode, CliError> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "thorbis", &mut script);
        say(&String::from_utf8_lossy(&script))?;
        Ok(ExitCode::SUCCESS)
    }
}
