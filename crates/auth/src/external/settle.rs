//! Which account somebody gets who comes from a provider.
//!
//! Invariant: accounts are joined by an address only if the provider verified it and the account proved it, too. An account that only
//! says that an address is its own keeps nothing by which whoever made it could come back; if he has another way in, it loses the address
//! instead and is not joined. An identity never changes its account.

use kernel::{Error, Kind, Result, UserId};
use outbound::Channel;
use outbound::templates::Template;
use postgres::Tx;

use super::profile::Profile;
use super::provider::Provider;
use super::queries::{self, Address, Holder};
use crate::errors::{session_not_found, unprocessable};
use crate::input::{Device, Email};
use crate::one_time::{self, Account, Delivery, Purpose};
use crate::users::queries::{find, name_providers};
use crate::{Auth, sessions};

/// What became of somebody who came.
pub(crate) enum Settled {
    /// This account is his.
    Account(UserId),
    /// The provider did not verify his address, so he was written to.
    Unverified,
}

/// Finds the account of somebody who comes from a provider, or makes it.
pub(crate) async fn arrive(auth: &Auth, tx: &Tx, device: &Device, provider: &Provider, profile: &Profile) -> Result<Settled> {
    let now = auth.now();
    queries::lock(tx, &provider.name, profile).await?;
    if let Some(holder) = queries::holder(tx, &provider.name, &profile.subject, now).await? {
        return come_back(auth, tx, device, (provider, profile), holder).await;
    }
    if profile.email.is_none() && !provider.email_optional {
        return Err(unprocessable("email_address_not_provided", "The provider gave no email address"));
    }
    let user_id = match profile.email.as_deref() {
        Some(email) if profile.email_verified => by_verified_address(auth, tx, email).await?,
        Some(email) => by_unverified_address(auth, tx, email).await?,
        None => Some(create(auth, tx, None, true).await?),
    };
    // The address is somebody's already, who does not learn that it was tried, and neither does whoever tried.
    let Some(user_id) = user_id else {
        write_to(auth, tx, device, profile, None).await?;
        return Ok(Settled::Unverified);
    };
    queries::add(tx, user_id, &provider.name, profile, now).await?;
    queries::describe(tx, user_id, &profile.data, auth.config().user_metadata_bytes_max).await?;
    name_providers(tx, user_id).await?;
    if profile.email.is_some() && !profile.email_verified && !auth.config().autoconfirm {
        write_to(auth, tx, device, profile, Some(user_id)).await?;
        return Ok(Settled::Unverified);
    }
    Ok(Settled::Account(user_id))
}

/// Adds an identity to an account, which is a way into it: whoever asks has proved his second factor if he has one.
pub(crate) async fn link(auth: &Auth, tx: &Tx, user_id: UserId, provider: &str, profile: &Profile) -> Result<UserId> {
    let now = auth.now();
    let user = find(tx, user_id).await?.ok_or_else(session_not_found)?;
    queries::lock(tx, provider, profile).await?;
    if let Some(holder) = queries::holder(tx, provider, &profile.subject, now).await? {
        let message = if holder.user_id == user.id { "Identity is already linked" } else { "Identity is already linked to another user" };
        return Err(unprocessable("identity_already_exists", message));
    }
    let email = profile.email.as_deref().filter(|_| profile.email_verified);
    let free = match email {
        Some(email) if user.email.is_empty() => queries::claimant(tx, email, now).await?.is_none().then_some(email),
        _ => None,
    };
    queries::add(tx, user.id, provider, profile, now).await?;
    queries::settle(tx, user.id, free, now).await?;
    queries::describe(tx, user.id, &profile.data, auth.config().user_metadata_bytes_max).await?;
    name_providers(tx, user.id).await?;
    tracing::info!(user_id = %user.id, provider, "an identity was added to an account");
    Ok(user.id)
}

async fn come_back(auth: &Auth, tx: &Tx, device: &Device, from: (&Provider, &Profile), holder: Holder) -> Result<Settled> {
    let (provider, profile) = from;
    if holder.banned {
        return Err(banned());
    }
    queries::renew(tx, &provider.name, profile, auth.now()).await?;
    queries::describe(tx, holder.user_id, &profile.data, auth.config().user_metadata_bytes_max).await?;
    let same = profile.email.as_deref() == holder.email.as_deref();
    if holder.email.is_none() || holder.email_confirmed {
        return Ok(Settled::Account(holder.user_id));
    }
    if same && profile.email_verified {
        queries::confirm(tx, holder.user_id, auth.now()).await?;
        return Ok(Settled::Account(holder.user_id));
    }
    write_to(auth, tx, device, profile, same.then_some(holder.user_id)).await?;
    Ok(Settled::Unverified)
}

/// Returns the account of an address that the provider vouches for.
async fn by_verified_address(auth: &Auth, tx: &Tx, email: &str) -> Result<Option<UserId>> {
    let now = auth.now();
    match queries::claimant(tx, email, now).await? {
        Some(claimant) if claimant.banned => Err(banned()),
        Some(claimant) if claimant.proved => Ok(Some(claimant.user_id)),
        Some(claimant) if claimant.reached_otherwise => {
            queries::take_address(tx, claimant.user_id, now).await?;
            tracing::warn!(user_id = %claimant.user_id, "an account lost an address that it never proved");
            create(auth, tx, Some(email), true).await.map(Some)
        }
        Some(claimant) => {
            sessions::queries::revoke_all(tx, claimant.user_id, now).await?;
            queries::cleanse(tx, claimant.user_id, now).await?;
            tracing::warn!(user_id = %claimant.user_id, "an account whose address was never proved was given to who proved it");
            Ok(Some(claimant.user_id))
        }
        None => create(auth, tx, Some(email), true).await.map(Some),
    }
}

/// Returns a new account for an address that nobody vouches for; none where it is somebody's.
async fn by_unverified_address(auth: &Auth, tx: &Tx, email: &str) -> Result<Option<UserId>> {
    if queries::claimant(tx, email, auth.now()).await?.is_none() {
        return create(auth, tx, Some(email), false).await.map(Some);
    }
    if auth.config().autoconfirm {
        return Err(unprocessable("email_exists", "A user with this email address has already been registered"));
    }
    Ok(None)
}

async fn create(auth: &Auth, tx: &Tx, email: Option<&str>, proved: bool) -> Result<UserId> {
    if !auth.config().signup_enabled {
        return Err(unprocessable("signup_disabled", "Signups not allowed for this instance"));
    }
    let id = UserId::new_v7();
    let address = email.map(|email| Address { email, confirmed: proved || auth.config().autoconfirm, proved });
    queries::create(tx, id, address, auth.now()).await?;
    tracing::info!(user_id = %id, "signed up with a provider");
    Ok(id)
}

/// Sends the link that confirms the address of this account. To the address of another one nothing is sent: the link would confirm what
/// somebody else prepared there.
async fn write_to(auth: &Auth, tx: &Tx, device: &Device, profile: &Profile, to: Option<UserId>) -> Result<()> {
    let Some(email) = profile.email.as_deref().filter(|_| one_time::require(auth, Channel::Mail).is_ok()) else { return Ok(()) };
    let email = &Email::parse(email)?;
    let account = Account::by_email(tx, email, auth.now()).await?;
    let account = account.filter(|account| Some(account.id) == to && !account.email_confirmed && !account.banned);
    let delivery = Delivery {
        account: account.as_ref(),
        purpose: Purpose::Confirmation,
        template: Template::Confirmation,
        kind: "signup",
        to: email.as_str(),
        new_email: "",
        redirect_to: None,
        is_last: true,
    };
    one_time::deliver_to(auth, tx, device, delivery, None).await
}

fn banned() -> Error {
    Error::new(Kind::Forbidden, "user_banned", "User is banned")
}
