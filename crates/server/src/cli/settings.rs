//! `thorbis config`: the settings in effect, and where each was written.

use std::process::ExitCode;

use clap::Args;

use super::{CliError, say};
use crate::config::Loaded;

/// Print the settings in effect, secrets redacted, and where each was written
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis config
  thorbis config --env development --data ./data")]
pub(super) struct Show {}

impl Show {
    #[expect(clippy::unused_self, reason = "the command has no options of its own yet")]
    pub(super) fn run(self, loaded: &Loaded) -> Result<ExitCode, CliError> {
        let table = toml::Table::try_from(&loaded.settings).map_err(|error| CliError::refused("config_unprintable", error.to_string()))?;
        let mut lines = Vec::new();
        section(&mut lines, "", &table, loaded);
        say(&lines.join("\n"))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes plain values first, as TOML wants it, then each section under its name.
fn section(lines: &mut Vec<String>, path: &str, table: &toml::Table, loaded: &Loaded) {
    let key_of = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    for (name, value) in table.iter().filter(|(_, value)| !value.is_table()) {
        let origin = loaded.origin(&key_of(name));
        let origin = if origin == "default" { String::new() } else { format!("  # {origin}") };
        lines.push(format!("{name} = {value}{origin}"));
    }
    for (name, value) in table {
        if let toml::Value::Table(inner) = value {
            lines.push(format!("\n[{}]", key_of(name)));
            section(lines, &key_of(name), inner, loaded);
        }
    }
}
