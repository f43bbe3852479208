//! The ways into an account, taken away when somebody else turns out to be its holder.
//!
//! Invariant: nothing is left by which whoever prepared an account could come back or be in it still. A test compares the tables here with
//! all that belong to accounts: what gives somebody a way in later has to be named here.

use jiff::Timestamp;
use kernel::{Error, Result, UserId};
use postgres::{Sql, Tx};
use uuid::Uuid;

use super::queries::name_providers;
use crate::sessions;

/// By what somebody turned out to be the holder of an account.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) enum By {
    /// The address is his.
    #[default]
    Email,
    /// The number is his.
    Phone,
}

/// What of an account stays with its holder.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Kept {
    /// By what he is known; the other one goes.
    pub(crate) by: By,
    /// Its password: its holder chose it.
    pub(crate) password: bool,
    /// The sign-in under way by which he comes.
    pub(crate) flow_id: Option<Uuid>,
}

/// Takes every other way into an account away than its address or number, and ends whatever was begun with it.
pub(crate) async fn take(tx: &Tx, user_id: UserId, kept: Kept, now: Timestamp) -> Result<()> {
    sessions::queries::revoke_all(tx, user_id, now).await?;
    let mut sql = Sql::new("with given as (select ");
    sql.bind(user_id).text("::uuid as id, ").bind(kept.password).text("::boolean as keeps, ");
    sql.bind(matches!(kept.by, By::Phone)).text("::boolean as by_phone, ");
    sql.bind(kept.flow_id).text("::uuid as flow_id, ").bind(now).text(
        "::timestamptz as now),
         emptied as (
           update auth.users u
              set encrypted_password = case when g.keeps then u.encrypted_password end,
                  email = case when not g.by_phone then u.email end,
                  email_confirmed_at = case when not g.by_phone then u.email_confirmed_at end,
                  email_proved_at = case when not g.by_phone then u.email_proved_at end,
                  phone = case when g.by_phone then u.phone end,
                  phone_confirmed_at = case when g.by_phone then u.phone_confirmed_at end,
                  phone_proved_at = case when g.by_phone then u.phone_proved_at end,
                  phone_change = null, email_change = null, updated_at = g.now
             from given g where u.id = g.id
           returning u.id, case when g.by_phone then 'phone' else 'email' end as provider),
         identity as (delete from auth.identities i using emptied e where i.user_id = e.id and i.provider <> e.provider),
         factor as (delete from auth.mfa_factors f using emptied e where f.user_id = e.id),
         passkey as (delete from auth.passkeys p using emptied e where p.user_id = e.id),
         ceremony as (delete from auth.passkey_challenges c using emptied e where c.user_id = e.id),
         -- What is told to him is not told to whoever was here.
         device as (delete from app.push_devices d using emptied e where d.user_id = e.id),
         consent as (delete from auth.oauth_consents c using emptied e where c.user_id = e.id),
         agreed as (delete from auth.oauth_authorizations a using emptied e where a.user_id = e.id),
         token as (delete from auth.one_time_tokens t using emptied e where t.user_id = e.id)
         delete from auth.flow_states f using emptied e, given g where f.user_id = e.id and f.id is distinct from g.flow_id",
    );
    tx.execute(sql).await?;
    name_providers(tx, user_id).await
}

/// Takes them from an account whose address nobody has proved before now, when somebody does.
pub(crate) async fn take_unproved(tx: &Tx, user_id: UserId, kept: Kept, now: Timestamp) -> Result<()> {
    let mut sql = Sql::new("select u.id from auth.users u where u.email_proved_at is null and u.id = ");
    sql.bind(user_id).text("::uuid for update of u");
    match tx.query_opt(sql).await? {
        Some(_) => take(tx, user_id, kept, now).await,
        None => Ok(()),
    }
}

/// The same when somebody proves its number, unless somebody proved the number or the address before. A password stays that nobody could
/// sign in with yet: the code that is proved now was sent for it.
pub(crate) async fn take_unproved_phone(tx: &Tx, user_id: UserId, flow_id: Option<Uuid>, now: Timestamp) -> Result<()> {
    let mut sql = Sql::new("select u.phone_confirmed_at is null and u.email_confirmed_at is null as is_new from auth.users u ");
    sql.text("where u.phone_proved_at is null and u.email_proved_at is null and u.id = ").bind(user_id).text("::uuid for update of u");
    match tx.query_opt(sql).await? {
        Some(row) => {
            let password = row.try_get("is_new").map_err(Error::internal)?;
            take(tx, user_id, Kept { by: By::Phone, password, flow_id }, now).await
        }
        None => Ok(()),
    }
}
