//! Which account somebody gets who comes from a provider.
//!
//! Invariant: accounts are joined by an address only if the provider verified it and the account proved it, too. An account that only
//! says that an address is its own keeps nothing by which whoever made it could come back; if he has another way in, it loses the address
//! instead and is not joined. An identity never changes its account. What a company's provider says counts as far as its company goes,
//! whoever comes with it and in whichever way.

use kernel::{Error, Kind, Result, UserId};
use outbound::Channel;
use outbound::templates::Template;
use postgres::Tx;

use super::company;
use super::profile::Profile;
use super::provider::Provider;
use super::queries::{self, Address, Holder};
use crate::errors::{bad_request, session_not_found, unprocessable};
use crate::input::{Device, Email};
use crate::one_time::{self, Delivery, Purpose};
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
    if company::is_one(&provider.name) {
        return company::arrive(auth, tx, provider, profile).await.map(Settled::Account);
    }
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
        Some(email) if auth.config().autoconfirm => by_unverified_address(auth, tx, email).await?,
        // An address that nobody vouches for is not the account's before its holder followed a link.
        Some(_) | None => create(auth, tx, None, false).await?,
    };
    queries::add(tx, user_id, &provider.name, profile, now).await?;
    queries::describe(tx, user_id, &profile.data, auth.config().user_metadata_bytes_max).await?;
    name_providers(tx, user_id).await?;
    enter(auth, tx, device, (provider, profile), user_id).await
}

/// Adds an identity to an account, which is a way into it: whoever asks has proved his second factor if he has one.
pub(crate) async fn link(auth: &Auth, tx: &Tx, user_id: UserId, provider: &str, profile: &Profile) -> Result<UserId> {
    // An account is not linked with a company's provider but found by it.
    if company::is_one(provider) {
        return Err(bad_request("provider_disabled", "The provider is not enabled"));
    }
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
    let now = auth.now();
    if holder.banned {
        return Err(banned());
    }
    queries::renew(tx, &provider.name, profile, now).await?;
    queries::describe(tx, holder.user_id, &profile.data, auth.config().user_metadata_bytes_max).await?;
    let vouched = profile.email.as_deref().filter(|_| profile.email_verified);
    match (holder.email.as_deref(), vouched) {
        (Some(_), _) if holder.email_confirmed => return Ok(Settled::Account(holder.user_id)),
        (Some(email), vouched) if vouched == Some(email) => queries::confirm(tx, holder.user_id, now).await?,
        (Some(_), _) => return Err(unprocessable("email_not_confirmed", "Email not confirmed")),
        (None, Some(email)) if queries::claimant(tx, email, now).await?.is_none() => {
            queries::settle(tx, holder.user_id, Some(email), now).await?;
        }
        (None, _) => return enter(auth, tx, device, from, holder.user_id).await,
    }
    Ok(Settled::Account(holder.user_id))
}

/// Lets somebody into his account, or writes to the address that his provider did not verify.
async fn enter(auth: &Auth, tx: &Tx, device: &Device, from: (&Provider, &Profile), user_id: UserId) -> Result<Settled> {
    let (provider, profile) = from;
    match profile.email.as_deref() {
        Some(email) if !(profile.email_verified || provider.email_optional || auth.config().autoconfirm) => {
            ask(auth, tx, device, user_id, &Email::parse(email)?).await?;
            Ok(Settled::Unverified)
        }
        Some(_) | None => Ok(Settled::Account(user_id)),
    }
}

/// Returns the account of an address that the provider vouches for.
pub(super) async fn by_verified_address(auth: &Auth, tx: &Tx, email: &str) -> Result<UserId> {
    let now = auth.now();
    match queries::claimant(tx, email, now).await? {
        Some(claimant) if claimant.banned => Err(banned()),
        Some(claimant) if claimant.proved => Ok(claimant.user_id),
        Some(claimant) if claimant.reached_otherwise => {
            queries::take_address(tx, claimant.user_id, now).await?;
            tracing::warn!(user_id = %claimant.user_id, "an account lost an address that it never proved");
            create(auth, tx, Some(email), true).await
        }
        Some(claimant) => {
            sessions::queries::revoke_all(tx, claimant.user_id, now).await?;
            queries::cleanse(tx, claimant.user_id, now).await?;
            tracing::warn!(user_id = %claimant.user_id, "an account whose address was never proved was given to who proved it");
            Ok(claimant.user_id)
        }
        None => create(auth, tx, Some(email), true).await,
    }
}

/// Returns a new account for an address that nobody vouches for, where none has to be proved.
async fn by_unverified_address(auth: &Auth, tx: &Tx, email: &str) -> Result<UserId> {
    if queries::claimant(tx, email, auth.now()).await?.is_some() {
        return Err(unprocessable("email_exists", "A user with this email address has already been registered"));
    }
    create(auth, tx, Some(email), false).await
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

/// Sends the link that gives an account its address; for an address that somebody has already the same work, and nothing is sent: neither
/// its holder nor whoever tries learns anything.
async fn ask(auth: &Auth, tx: &Tx, device: &Device, user_id: UserId, email: &Email) -> Result<()> {
    if one_time::require(auth, Channel::Mail).is_err() {
        return Ok(());
    }
    if queries::claimant(tx, email.as_str(), auth.now()).await?.is_none() {
        return one_time::email(auth, tx, device, (user_id, email, None), None).await;
    }
    let delivery = Delivery {
        account: None,
        purpose: Purpose::EmailChangeNew,
        template: Template::EmailChange,
        kind: "email_change",
        to: email.as_str(),
        new_email: email.as_str(),
        redirect_to: None,
        is_last: true,
    };
    one_time::deliver_to(auth, tx, device, delivery, None).await
}

fn banned() -> Error {
    Error::new(Kind::Forbidden, "user_banned", "User is banned")
}
