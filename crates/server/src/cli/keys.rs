//! `thorbis keys`.

use std::path::PathBuf;
use std::process::ExitCode;

use auth::keys::{KeyRing, store};
use clap::{Args, Subcommand};

use super::{CliError, say};
use crate::config::Settings;
use crate::start::{DataFolder, KEY_FILE};

/// Show or replace the keys of this installation
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis keys show
  thorbis keys rotate")]
pub(super) struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the anon key and the service key
    #[command(after_help = "\
Examples:
  thorbis keys show
  thorbis keys show --name anon")]
    Show {
        /// Only this key's token, for scripts
        #[arg(long, value_enum)]
        name: Option<Name>,
    },
    /// Make new keys; a running server takes them within seconds
    ///
    /// What the old keys signed is accepted until they are revoked.
    #[command(after_help = "\
Examples:
  thorbis keys rotate
  thorbis keys rotate --revoke-previous")]
    Rotate {
        /// Make no new keys, but refuse the ones before the current ones from now on
        #[arg(long)]
        revoke_previous: bool,
    },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Name {
    Anon,
    Service,
}

impl Keys {
    pub(super) fn run(&self, settings: &Settings) -> Result<ExitCode, CliError> {
        let file = settings.in_data_directory(KEY_FILE);
        match self.command {
            Command::Show { name } => {
                let ring = store::load(&file)?.ok_or_else(|| no_keys(&file))?;
                say(&match name {
                    None => shown(&ring),
                    Some(Name::Anon) => ring.anon().token.expose().clone(),
                    Some(Name::Service) => ring.service().token.expose().clone(),
                })?;
            }
            Command::Rotate { revoke_previous } => {
                store::load(&file)?.ok_or_else(|| no_keys(&file))?;
                let ring = if revoke_previous { store::revoke_previous(&file)? } else { store::rotate(&file, jiff::Timestamp::now())? };
                let server = match DataFolder::holder(&settings.data_directory)? {
                    Some(pid) => format!("The running server (process {pid}) takes them within seconds.\n"),
                    None => String::new(),
                };
                let accepted = if revoke_previous { "The previous keys are refused from now on.\n" } else { "" };
                say(&format!("{}\n{accepted}{server}", shown(&ring)))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns both keys in both forms.
pub(crate) fn shown(ring: &KeyRing) -> String {
    let (anon, service) = (ring.anon(), ring.service());
    format!(
        "anon key              {}\npublishable key       {}\nservice key (secret)  {}\nsecret key (secret)   {}",
        anon.token.expose(),
        anon.opaque.expose(),
        service.token.expose(),
        service.opaque.expose()
    )
}

fn no_keys(file: &std::path::Path) -> CliError {
    let message = format!("there are no keys at {} yet; the first `thorbis serve` makes them", PathBuf::from(file).display());
    CliError::refused("keys_missing", message)
}
