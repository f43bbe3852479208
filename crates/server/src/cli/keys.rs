//! `thorbis keys`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use auth::keys::{KeyRing, reseal, store};
use clap::{Args, Subcommand};
use kernel::{Authority, Grant};
use postgres::{Database, PoolOptions};

use super::place;
use super::{CliError, say};
use crate::config::Settings;
use crate::start::DataFolder;

/// How long after a rotation a running server may still seal with the key before.
const SERVERS_FOLLOW: Duration = Duration::from_secs(5);

/// Show or replace the keys of this installation
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis keys show
  thorbis keys rotate
  thorbis keys reseal")]
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
    /// What the old keys signed is accepted until they are revoked, and what they sealed still opens. The keys of `auth.signing_keys_file` are
    /// the operator's and stay as they are.
    #[command(after_help = "\
Examples:
  thorbis keys rotate
  thorbis keys rotate --revoke-previous")]
    Rotate {
        /// Make no new keys, but refuse the ones before the current ones from now on
        #[arg(long)]
        revoke_previous: bool,
    },
    /// Seal every secret in the database anew with the current key, in batches, while the server works
    ///
    /// Secrets of second factors are sealed. A backup made before needs the keys of its time: they stay in the key file until
    /// --forget-unused takes those away that no row needs.
    #[command(after_help = "\
Examples:
  thorbis keys reseal
  thorbis keys reseal --forget-unused")]
    Reseal {
        /// Afterwards take the sealing keys that no row needs out of the key file
        #[arg(long)]
        forget_unused: bool,
        /// Rows that one transaction seals
        #[arg(long, value_name = "COUNT", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        batch: u32,
    },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Name {
    Anon,
    Service,
}

impl Keys {
    pub(super) async fn run(&self, settings: &Settings) -> Result<ExitCode, CliError> {
        let file = settings.key_ring_file();
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
                let kept = settings.auth.signing_keys_file.as_deref().map(untouched).unwrap_or_default();
                say(&format!("{}\n{accepted}{server}{kept}", shown(&ring)))?;
            }
            Command::Reseal { forget_unused, batch } => return Box::pin(seal_anew(settings, &file, batch, forget_unused)).await,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Says what a rotation leaves alone.
fn untouched(file: &Path) -> String {
    format!(
        "Tokens are signed with the keys of {}, which stay as they are: put a new key there, move `sign` to its key_ops, and take the old one out \
         when its tokens are over.\n",
        file.display()
    )
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

async fn seal_anew(settings: &Settings, file: &Path, batch: u32, forget_unused: bool) -> Result<ExitCode, CliError> {
    let ring = store::load(file)?.ok_or_else(|| no_keys(file))?;
    if ring.sealing_mark().is_none() {
        return Err(no_keys(file));
    }
    if DataFolder::holder(&settings.data_directory)?.is_some() {
        tokio::time::sleep(still_unknown(&ring, jiff::Timestamp::now())).await;
    }
    let (config, place) = place::connect(settings).await?;
    let options =
        PoolOptions { root_certificate_file: settings.database.root_certificate_file.clone(), size_max: 1, ..PoolOptions::new(config) };
    let outcome = Box::pin(work(options, &ring, batch)).await;
    if let Some(place) = place {
        place.leave().await?;
    }
    let (done, in_use) = outcome?;
    let mut lines = vec![format!("sealed anew: {}", done.rows)];
    if done.unreadable > 0 {
        lines.push(format!("not to be opened with any key of the ring: {}", done.unreadable));
    }
    if forget_unused {
        let before = ring.sealing_marks().count();
        let after = store::forget_sealing_keys(file, &in_use)?.sealing_marks().count();
        lines.push(format!("sealing keys: {after}, forgotten: {}", before.saturating_sub(after)));
    }
    say(&lines.join("\n"))?;
    Ok(if done.unreadable == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns how long a server may still not know the newest key: what it seals meanwhile would be missed.
fn still_unknown(ring: &KeyRing, now: jiff::Timestamp) -> Duration {
    let age = ring.sealing_since().and_then(|since| Duration::try_from(now.duration_since(since)).ok()).unwrap_or(Duration::ZERO);
    SERVERS_FOLLOW.saturating_sub(age)
}

async fn work(options: PoolOptions, ring: &KeyRing, batch: u32) -> kernel::Result<(reseal::Resealed, Vec<String>)> {
    let database = Database::new(options)?;
    #[expect(clippy::disallowed_methods, reason = "the command is a process of its own, run by whoever has the database's login")]
    let grant = Grant::system(&Authority::establish(), None, "seals secrets anew");
    let done = reseal::reseal(&database, &grant, ring, batch).await?;
    let in_use = reseal::marks_in_use(&database, &grant).await?;
    database.close();
    Ok((done, in_use))
}

fn no_keys(file: &Path) -> CliError {
    let message = format!("there are no keys at {} yet; the first `thorbis serve` makes them", PathBuf::from(file).display());
    CliError::refused("keys_missing", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_waited_for_until_servers_know_it() {
        let made = jiff::Timestamp::UNIX_EPOCH;
        let ring = KeyRing::generate(made).unwrap();
        let after = |seconds: i64| still_unknown(&ring, jiff::Timestamp::from_second(seconds).unwrap());
        assert_eq!((after(0), after(2), after(5), after(9)), (SERVERS_FOLLOW, Duration::from_secs(3), Duration::ZERO, Duration::ZERO));
    }
}
