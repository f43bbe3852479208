//! Signing up on an account that nobody proved yet.
//!
//! Invariant: a link or code confirms no password but that of who asked for it. The last to sign up chose the account's password, unless a
//! link or code is on its way to somebody who did not choose it: which of them has the mailbox is known to nobody then, so that the account
//! has no password before its holder, let in by the link, chooses one. Whichever it is, it is the work of one hash.

use jiff::Timestamp;
use kernel::{Error, Result, Secret, UserId};
use postgres::{Sql, Tx};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::queries::note_length;
use crate::Auth;
use crate::input::{Email, Phone};
use crate::passwords::Outcome;

/// What an account is known by.
#[derive(Clone, Copy)]
pub(super) enum Known<'a> {
    Email(&'a Email),
    Phone(&'a Phone),
}

/// The password of a sign-up, and what it is worth.
pub(crate) struct Choice {
    /// Of a password that was hashed, since no other one waits for a link.
    hash: Option<String>,
    /// The hash that waits for a link; it is the same password.
    same: Option<String>,
    is_long: bool,
}

impl Choice {
    /// No password.
    pub(crate) fn none() -> Self {
        Self { hash: None, same: None, is_long: false }
    }

    /// A password that nobody else had a say in.
    pub(crate) async fn hashed(auth: &Auth, password: Secret<String>) -> Result<Self> {
        let is_long = auth.config().companies.is_long(password.expose());
        Ok(Self { hash: Some(auth.passwords().hash(password).await?), same: None, is_long })
    }

    /// Returns what an account that is new has to begin with.
    pub(crate) fn hash(&self) -> Option<&str> {
        self.hash.as_deref().or(self.same.as_deref())
    }

    /// Notes with an account that has it how long it is.
    pub(crate) async fn note(&self, tx: &Tx, id: UserId) -> Result<()> {
        note_length(tx, id, self.is_long).await
    }
}

/// Hashes the password of a sign-up, or compares it with the one that waits.
pub(super) async fn choose(auth: &Auth, known: Known<'_>, password: Secret<String>) -> Result<Choice> {
    let is_long = auth.config().companies.is_long(password.expose());
    let mut sql = Sql::new("select u.encrypted_password from auth.users u where ");
    sql.append(unproved(known)).text(" and ").append(awaited(auth.now()));
    let Some(row) = auth.read_one(sql, "sign-up: look whether somebody else did").await? else {
        return Choice::hashed(auth, password).await;
    };
    let waiting: Option<String> = row.try_get("encrypted_password").map_err(Error::internal)?;
    let same = match auth.passwords().recognize(password, waiting.clone()).await? {
        Outcome::Wrong => None,
        Outcome::Right | Outcome::Outdated(_) => waiting,
    };
    Ok(Choice { hash: None, same, is_long })
}

/// Settles whose an account is to be that somebody signs up on; of one that was just made only the password's length is not known yet.
pub(super) async fn settle(
    tx: &Tx,
    known: Known<'_>,
    made: Option<UserId>,
    choice: &Choice,
    said: (&Map<String, Value>, Timestamp),
) -> Result<()> {
    match made {
        Some(id) => choice.note(tx, id).await,
        None => take_over(tx, known, choice, said).await,
    }
}

/// Gives an account that nobody proved to who signs up on it: his password, as far as it counts, and what he says of himself. An account
/// that somebody proved, or is in, stays as it is.
async fn take_over(tx: &Tx, known: Known<'_>, choice: &Choice, said: (&Map<String, Value>, Timestamp)) -> Result<()> {
    let Some(id) = lock(tx, known).await? else { return Ok(()) };
    // Only now, when nobody else is at this account, it is known what was sent.
    let mut sql = Sql::new("select u.encrypted_password from auth.users u where u.id = ");
    sql.bind(id).text("::uuid and ").append(awaited(said.1));
    let waiting: Option<Option<String>> =
        tx.query_opt(sql).await?.map(|row| row.try_get("encrypted_password").map_err(Error::internal)).transpose()?;
    let hash = match waiting {
        Some(waiting) => waiting.filter(|waiting| choice.same.as_deref() == Some(waiting.as_str())),
        None => choice.hash().map(str::to_owned),
    };
    give(tx, id, (hash, choice.is_long), said).await
}

/// Gives such an account to whom an operator makes a link for; he chose its password, or there is none.
pub(crate) async fn hand_over(tx: &Tx, email: &Email, choice: &Choice, said: (&Map<String, Value>, Timestamp)) -> Result<()> {
    let Some(id) = lock(tx, Known::Email(email)).await? else { return Ok(()) };
    give(tx, id, (choice.hash().map(str::to_owned), choice.is_long), said).await
}

async fn lock(tx: &Tx, known: Known<'_>) -> Result<Option<UserId>> {
    let mut sql = Sql::new("select u.id from auth.users u where ");
    sql.append(unproved(known)).text(" for no key update of u");
    let row = tx.query_opt(sql).await?;
    row.map(|row| row.try_get::<_, Uuid>("id").map(UserId).map_err(Error::internal)).transpose()
}

async fn give(tx: &Tx, id: UserId, password: (Option<String>, bool), said: (&Map<String, Value>, Timestamp)) -> Result<()> {
    let ((hash, is_long), (metadata, now)) = (password, said);
    let mut sql = Sql::new("with given as (select ");
    sql.bind(id).text("::uuid as id, ").bind(hash).text("::text as hash, ");
    sql.bind(Value::Object(metadata.clone())).text("::jsonb as metadata, ").bind(now).text(
        "::timestamptz as now)
         update auth.users u
            set encrypted_password = g.hash,
                -- What an operator said of somebody whom he invited stays.
                raw_user_meta_data = case when u.invited_at is null then g.metadata else u.raw_user_meta_data || g.metadata end,
                updated_at = g.now
           from given g where u.id = g.id",
    );
    tx.execute(sql).await?;
    note_length(tx, id, is_long).await
}

/// The account `u` is known by this, nobody proved that, and nobody is in it by another way.
fn unproved(known: Known<'_>) -> Sql {
    let mut sql = Sql::new("");
    match known {
        Known::Email(email) => sql.text("u.email_key = lower(btrim(").bind(email.as_str()).text("::text))"),
        Known::Phone(phone) => sql.text("u.phone = ").bind(phone.as_str()).text("::text"),
    };
    sql.text(
        " and u.deleted_at is null and not u.is_sso_user and u.email_confirmed_at is null and u.phone_confirmed_at is null
          and u.last_sign_in_at is null
          and not exists (select from auth.identities i where i.user_id = u.id and i.provider not in ('email', 'phone'))",
    );
    sql
}

/// A link or code that lets somebody into the account `u` is on its way.
fn awaited(now: Timestamp) -> Sql {
    let mut sql = Sql::new("exists (select from auth.one_time_tokens t where t.user_id = u.id and t.expires_at > ");
    sql.bind(now).text("::timestamptz and t.purpose in ('confirmation', 'recovery', 'phone_confirmation'))");
    sql
}
