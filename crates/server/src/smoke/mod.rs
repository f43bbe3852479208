//! A visit to an installation that runs, from outside, as its clients come: what works, what does not, and how long each step took.
//!
//! Invariant: what a visit makes it takes away again, also where a later step fails, and nothing that it was given (a key, a password, a token)
//! is in what it tells.

mod caller;
mod company;
mod open;
mod socket;

use std::time::{Duration, Instant};

use kernel::Secret;
use serde::Serialize;
use url::Url;

use caller::Caller;
use company::Session;

/// The steps, in their order, with what each finds out.
pub(crate) const STEPS: &[(&str, &str)] = &[
    ("live", "the process answers"),
    ("ready", "database, migrations and catalog are there"),
    ("version", "it is Thorbis, and where it sends its clients"),
    ("tls", "the connection is encrypted, by a certificate that holds for a while"),
    ("headers", "every answer has its id and is not guessed at"),
    ("keys", "the keys that tokens are verified with are public, and only those"),
    ("settings", "sign-in says which ways there are"),
    ("refusal", "nobody reads without a token, or with one that was made up"),
    ("anon_key", "the public key is known, and opens no rows"),
    ("service_key", "the service key opens accounts and buckets"),
    ("socket", "a socket opens and answers"),
    ("sign_in", "the account gets a session"),
    ("row", "a row is written, read back, kept from others and deleted"),
    ("file", "a file is put, read back, kept from others and deleted"),
    ("channel", "a private channel of the company is joined and delivers"),
    ("sign_out", "the session ends"),
];

/// What a visit is given.
pub(crate) struct Wanted {
    /// Where the installation answers.
    pub(crate) url: Url,
    /// Its public key.
    pub(crate) anon_key: Option<Secret<String>>,
    /// Its service key.
    pub(crate) service_key: Option<Secret<String>>,
    /// Who signs in.
    pub(crate) account: Option<Account>,
    /// How long one request may take.
    pub(crate) time: Duration,
    /// Whether an address without TLS is right.
    pub(crate) plain_allowed: bool,
    /// Steps that are left out.
    pub(crate) skipped: Vec<String>,
}

/// An account that the visit signs in with.
pub(crate) struct Account {
    /// Its address.
    pub(crate) email: String,
    /// Its password.
    pub(crate) password: Secret<String>,
}

/// How a step ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ended {
    /// As it should.
    Passed,
    /// Otherwise.
    Failed,
    /// It was not asked for, or had nothing to work with.
    Skipped,
}

/// A step and what came of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome {
    /// Its name.
    pub(crate) step: &'static str,
    /// How it ended.
    pub(crate) result: Ended,
    /// What it took.
    pub(crate) ms: u128,
    /// What was seen.
    pub(crate) detail: String,
}

/// Why a step did not pass.
enum Fault {
    /// Something is not as it should be.
    Wrong(String),
    /// There is nothing to try it with.
    Nothing(&'static str),
}

type Seen = Result<String, Fault>;

fn wrong<T>(text: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Wrong(text.into()))
}

/// Goes through all steps; one that fails ends the visit only where nothing answers at all.
pub(crate) async fn visit(wanted: &Wanted) -> kernel::Result<Vec<Outcome>> {
    let caller = Caller::new(wanted)?;
    let mut session: Option<Session> = None;
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(STEPS.len());
    for (step, _) in STEPS.iter().copied() {
        let begun = Instant::now();
        let seen = if wanted.skipped.iter().any(|name| name == step) {
            Err(Fault::Nothing("left out"))
        } else if outcomes.first().is_some_and(|live| live.result == Ended::Failed) {
            Err(Fault::Nothing("nothing answers there"))
        } else {
            Box::pin(take(step, &caller, wanted, &mut session)).await
        };
        let (result, detail) = match seen {
            Ok(detail) => (Ended::Passed, detail),
            Err(Fault::Wrong(detail)) => (Ended::Failed, detail),
            Err(Fault::Nothing(why)) => (Ended::Skipped, why.to_owned()),
        };
        outcomes.push(Outcome { step, result, ms: begun.elapsed().as_millis(), detail });
    }
    Ok(outcomes)
}

async fn take(step: &str, caller: &Caller, wanted: &Wanted, session: &mut Option<Session>) -> Seen {
    match step {
        "live" => open::live(caller).await,
        "ready" => open::ready(caller).await,
        "version" => open::version(caller).await,
        "tls" => socket::tls(wanted).await,
        "headers" => open::headers(caller).await,
        "keys" => open::keys(caller).await,
        "settings" => open::settings(caller).await,
        "refusal" => open::refusal(caller).await,
        "anon_key" => open::anon_key(caller).await,
        "service_key" => open::service_key(caller, wanted).await,
        "socket" => socket::answers(caller, wanted).await,
        "sign_in" => {
            let account = wanted.account.as_ref().ok_or(Fault::Nothing("no account was given"))?;
            let (made, seen) = Session::open(caller, account).await?;
            *session = Some(made);
            Ok(seen)
        }
        "sign_out" => signed_in(session.as_ref())?.close(caller).await,
        "row" => signed_in(session.as_ref())?.row(caller).await,
        "file" => signed_in(session.as_ref())?.file(caller).await,
        "channel" => socket::channel(caller, wanted, signed_in(session.as_ref())?).await,
        _ => Err(Fault::Nothing("there is no such step")),
    }
}

fn signed_in(session: Option<&Session>) -> Result<&Session, Fault> {
    session.ok_or(Fault::Nothing("nobody is signed in"))
}
