//! `thorbis smoke`: whether an installation works, as its clients see it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use auth::keys::store;
use clap::Args;
use kernel::Secret;
use serde_json::json;
use url::Url;

use super::{CliError, say};
use crate::config::Settings;
use crate::smoke::{self, Account, Ended, Outcome, STEPS, Wanted};
use crate::start::State;

/// The exit code where a step failed; 1 is that there was no visit.
const FAILED: u8 = 3;
/// The exit code where nothing answers at all.
const NOT_REACHED: u8 = 4;
/// What is read of a file with a secret.
const SECRET_BYTES_MAX: u64 = 16 * 1024;

/// Try a running installation from outside: health, TLS, keys, refusals and, with an account, a row, a file and a channel
///
/// Without an address it is the server that runs on this machine, with its keys. What is written is deleted again.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis smoke
  thorbis smoke --json
  thorbis smoke --only live,ready,version

Ends with 0 where every step passed or had nothing to try, with 3 where one failed, with 4 where nothing answers, and with 1 where there was no
visit. Authorities that certificates are checked against are the system's; SSL_CERT_FILE names others.")]
pub(super) struct Smoke {
    /// Where it answers, such as `https://api.example.com`
    #[arg(value_name = "URL")]
    url: Option<Url>,
    /// The public key; sockets and sign-in behind a gateway need it
    #[arg(long, value_name = "KEY", value_parser = secret)]
    anon_key: Option<Secret<String>>,
    /// The service key; what stands in a command line others of the machine may read
    #[arg(long, value_name = "KEY", value_parser = secret, conflicts_with = "service_key_file")]
    service_key: Option<Secret<String>>,
    /// A file with the service key
    #[arg(long, value_name = "FILE")]
    service_key_file: Option<PathBuf>,
    /// Sign in with this account, and work in its company
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Its password; what stands in a command line others of the machine may read
    #[arg(long, value_name = "PASSWORD", value_parser = secret, requires = "email", conflicts_with = "password_file")]
    password: Option<Secret<String>>,
    /// A file with its password
    #[arg(long, value_name = "FILE", requires = "email")]
    password_file: Option<PathBuf>,
    /// An address without TLS is right: a network of one's own
    #[arg(long)]
    plain: bool,
    /// Take these steps only
    #[arg(long, value_name = "STEP,...", value_delimiter = ',', conflicts_with = "skip")]
    only: Vec<String>,
    /// Leave these steps out
    #[arg(long, value_name = "STEP,...", value_delimiter = ',')]
    skip: Vec<String>,
    /// Seconds that one request may take
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=30))]
    timeout: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Whatever is typed is a secret; an empty one comes of a variable that is not set, and would look like none.
fn secret(text: &str) -> Result<Secret<String>, &'static str> {
    if text.is_empty() { Err("it is empty") } else { Ok(Secret::new(text.to_owned())) }
}

impl Smoke {
    pub(super) async fn run(self, settings: &Settings) -> Result<ExitCode, CliError> {
        let json = self.json;
        let wanted = self.wanted(settings)?;
        let outcomes = smoke::visit(&wanted).await?;
        let ended = |result: Ended| outcomes.iter().filter(|outcome| outcome.result == result).count();
        let (passed, failed, skipped) = (ended(Ended::Passed), ended(Ended::Failed), ended(Ended::Skipped));
        if json {
            let url = wanted.url.as_str().trim_end_matches('/');
            say(&format!("{:#}", json!({ "url": url, "passed": failed == 0, "steps": outcomes })))?;
        } else {
            let lines: Vec<String> = outcomes.iter().map(line).collect();
            say(&format!("{}\n{passed} passed, {failed} failed, {skipped} skipped", lines.join("\n")))?;
        }
        let unreached = outcomes.first().is_some_and(|live| live.result == Ended::Failed);
        Ok(match failed {
            0 => ExitCode::SUCCESS,
            _ if unreached => ExitCode::from(NOT_REACHED),
            _ => ExitCode::from(FAILED),
        })
    }

    fn wanted(self, settings: &Settings) -> Result<Wanted, CliError> {
        let skipped = self.left_out()?;
        let service_key = self.service_key.map(Ok).or(self.service_key_file.as_deref().map(read)).transpose()?;
        let password = self.password.map(Ok).or(self.password_file.as_deref().map(read)).transpose()?;
        let account = match (self.email, password) {
            (Some(email), Some(password)) => Some(Account { email, password }),
            (Some(_), None) => return Err(CliError::refused("password_missing", "--email needs --password or --password-file")),
            (None, _) => None,
        };
        let given = Wanted {
            url: self.url.clone().map_or_else(|| address_here(settings), Ok)?,
            anon_key: self.anon_key,
            service_key,
            account,
            time: Duration::from_secs(self.timeout),
            plain_allowed: self.plain,
            skipped,
        };
        if !matches!(given.url.scheme(), "http" | "https") || !given.url.username().is_empty() || given.url.query().is_some() {
            return Err(CliError::refused(
                "address_invalid",
                "allowed: http or https, a host, perhaps a port and a path, and nothing else",
            ));
        }
        if self.url.is_some() {
            return Ok(given);
        }
        let ring = store::load(&settings.key_ring_file())?;
        let keys = ring.map(|ring| (ring.anon().token.clone(), ring.service().token.clone())).unzip();
        Ok(Wanted { anon_key: given.anon_key.or(keys.0), service_key: given.service_key.or(keys.1), ..given })
    }

    /// Returns the steps that are not wanted.
    fn left_out(&self) -> Result<Vec<String>, CliError> {
        let known = || STEPS.iter().map(|(name, _)| (*name).to_owned());
        if let Some(name) = self.only.iter().chain(&self.skip).find(|name| known().all(|known| known != **name)) {
            let names: Vec<String> = known().collect();
            return Err(CliError::refused("step_unknown", format!("there is no step {name:?}; there are {}", names.join(", "))));
        }
        Ok(if self.only.is_empty() { self.skip.clone() } else { known().filter(|name| !self.only.contains(name)).collect() })
    }
}

/// Returns where the server of this machine answers; with TLS it is the name that the certificate is for.
fn address_here(settings: &Settings) -> Result<Url, CliError> {
    let state = State::of_running(&settings.data_directory)?;
    let state = state.ok_or_else(|| CliError::refused("server_not_running", "no server runs in this data folder; name an address"))?;
    let plain = state.addresses.iter().find(|address| address.starts_with("http://"));
    let address = plain.unwrap_or(&state.public_url);
    address.parse().map_err(|error| CliError::refused("address_invalid", format!("the server's address {address} cannot be read: {error}")))
}

fn read(file: &Path) -> Result<Secret<String>, CliError> {
    use std::io::Read as _;
    let unreadable = |error: std::io::Error| CliError::refused("file_unreadable", format!("{}: {error}", file.display()));
    let mut text = String::new();
    std::fs::File::open(file).map_err(unreadable)?.take(SECRET_BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
    let text = text.trim_end_matches(['\r', '\n']);
    secret(text).map_err(|why| CliError::refused("file_unreadable", format!("{}: {why}", file.display())))
}

fn line(outcome: &Outcome) -> String {
    let word = match outcome.result {
        Ended::Passed => "ok",
        Ended::Failed => "FAILED",
        Ended::Skipped => "-",
    };
    format!("{word:<7} {:<12} {:>6} ms  {}", outcome.step, outcome.ms, outcome.detail)
}
