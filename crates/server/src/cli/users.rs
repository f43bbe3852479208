//! `thorbis users`.
//!
//! Invariant: an account is changed through the routes of the service key, so that what holds there holds here.

use std::process::ExitCode;

use auth::keys::store;
use clap::{Args, Subcommand};

use super::place;
use super::{CliError, say};
use crate::backend::{Backend, BackendOptions};
use crate::config::Settings;

/// Help people into their accounts
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis users reset-password owner@demo.thorbis.example")]
pub(super) struct Users {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Give an account a new password, which is printed, and end its sessions
    #[command(after_help = "\
Examples:
  thorbis users reset-password owner@demo.thorbis.example
  thorbis users reset-password owner@demo.thorbis.example --remove-factors")]
    ResetPassword {
        /// The account's address
        email: String,
        /// Also take its second factors away, where they are lost
        #[arg(long)]
        remove_factors: bool,
    },
}

impl Users {
    pub(super) async fn run(&self, settings: &Settings) -> Result<ExitCode, CliError> {
        let Command::ResetPassword { email, remove_factors } = &self.command;
        let file = settings.key_ring_file();
        let missing = || CliError::refused("keys_missing", format!("there are no keys at {} yet", file.display()));
        let keys = store::load(&file)?.ok_or_else(missing)?;
        let (server, place) = place::connect(settings).await?;
        // No token leaves this process: any address will do.
        let public_url = settings.public_url.as_deref().unwrap_or("http://localhost");
        let backend = Backend::new(BackendOptions { settings, server, keys: keys.clone(), public_url })?;
        let outcome = Box::pin(backend.reset_password(&keys, email, *remove_factors)).await;
        backend.close();
        if let Some(place) = place {
            place.leave().await?;
        }
        let password =
            outcome?.ok_or_else(|| CliError::refused("user_not_found", format!("there is no account with the address {email}")))?;
        say(&format!("{email} has a new password, and no session any more.\npassword  {}", password.expose()))?;
        Ok(ExitCode::SUCCESS)
    }
}
