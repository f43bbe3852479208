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
use crate::Auth;
use crate::errors::{bad_request, session_not_found, unprocessable};
use crate::hooks::Newcomer;
use crate::input::{Device, Email};
use crate::one_time::{self, Delivery, Purpose};
use crate::users::queries::{find, name_providers};

/// What became of somebody who came.
pub(crate) struct Settled {
    /// This account is his.
    pub(crate) user_id: UserId,
    /// It was made for him.
    pub(crate) is_new: bool,
    /// He is let in; otherwise his provider did not verify his address, and he was written to.
    pub(crate) is_let_in: bool,
}

impl Settled {
    /// Tells the hook, after the commit, if the account is new.
    pub(super) fn tell(&self, auth: &Auth, device: &Device) {
        if self.is_new {
            auth.after_user(device, self.user_id);
        }
    }

    pub(super) fn known(user_id: UserId) -> Self {
        Self { user_id, is_new: false, is_let_in: true }
    }

    fn made(user_id: UserId) -> Self {
        Self { user_id, is_new: true, is_let_in: true }
    }
}

/// Finds the account of somebody who comes from a provider, or makes it.
pub(crate) async fn arrive(auth: &Auth, tx: &Tx, device: &Device, provider: &Provider, profile: &Profile) -> Result<Settled> {
    if company::is_one(&provider.name) {
        return company::arrive(auth, tx, device, provider, profile).await;
    }
    let now = auth.now();
    queries::lock(tx, &provider.name, profile).await?;
    if let Some(holder) = queries::holder(tx, &provider.name, &profile.subject, now).await? {
        return come_back(auth, tx, device, (provider, profile), holder).await;
    }
    if profile.email.is_none() && !provider.email_optional {
        return Err(unprocessable("email_address_not_provided", "The provider gave no email address"));
    }
    let from = (provider.name.as_str(), profile);
    let settled = match profile.email.as_deref() {
        Some(email) if profile.email_verified => by_verified_address(auth, tx, device, from, email).await?,
        Some(email) if auth.config().autoconfirm => by_unverified_address(auth, tx, device, from, email).await?,
        // An address that nobody vouches for is not the account's before its holder followed a link.
        Some(_) | None => create(auth, tx, device, from, None).await?,
    };
    queries::add(tx, settled.user_id, &provider.name, profile, now).await?;
    queries::describe(tx, settled.user_id, &profile.data, auth.config().user_metadata_bytes_max).await?;
    name_providers(tx, settled.user_id).await?;
    enter(auth, tx, device, (provider, profile), settled).await
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
        (Some(_), _) if holder.email_confirmed => return Ok(Settled::known(holder.user_id)),
        (Some(email), vouched) if vouched == Some(email) => queries::confirm(tx, holder.user_id, now).await?,
        (Some(_), _) => return Err(unprocessable("email_not_confirmed", "Email not confirmed")),
        (None, Some(email)) if queries::claimant(tx, email, now).await?.is_none() => {
            queries::settle(tx, holder.user_id, Some(email), now).await?;
        }
        (None, _) => return enter(auth, tx, device, from, Settled::known(holder.user_id)).await,
    }
    Ok(Settled::known(holder.user_id))
}

/// Lets somebody into his account, or writes to the address that his provider did not verify.
async fn enter(auth: &Auth, tx: &Tx, device: &Device, from: (&Provider, &Profile), settled: Settled) -> Result<Settled> {
    let (provider, profile) = from;
    match profile.email.as_deref() {
        Some(email) if !(profile.email_verified || provider.email_optional || auth.config().autoconfirm) => {
            ask(auth, tx, device, settled.user_id, &Email::parse(email)?).await?;
            Ok(Settled { is_let_in: false, ..settled })
        }
        Some(_) | None => Ok(settled),
    }
}

/// Ends the sign-in of somebody who was written to, and returns what he is told.
pub(super) async fn written_to(auth: &Auth, tx: Tx, device: &Device, settled: &Settled) -> Result<Error> {
    tx.commit().await?;
    one_time::sent(auth);
    settled.tell(auth, device);
    let message = "The provider did not verify the email address. A confirmation email was sent to it";
    Ok(unprocessable("provider_email_needs_verification", message))
}

/// Returns the account of an address that the provider vouches for.
pub(super) async fn by_verified_address(auth: &Auth, tx: &Tx, device: &Device, from: From<'_>, email: &str) -> Result<Settled> {
    let now = auth.now();
    match queries::claimant(tx, email, now).await? {
        Some(claimant) if claimant.banned => Err(banned()),
        Some(claimant) if claimant.proved => Ok(Settled::known(claimant.user_id)),
        Some(claimant) if claimant.reached_otherwise => {
            queries::take_address(tx, claimant.user_id, now).await?;
            tracing::warn!(user_id = %claimant.user_id, "an account lost an address that it never proved");
            create(auth, tx, device, from, Some((email, true))).await
        }
        Some(claimant) => {
            queries::cleanse(tx, claimant.user_id, now).await?;
            tracing::warn!(user_id = %claimant.user_id, "an account whose address was never proved was given to who proved it");
            Ok(Settled::known(claimant.user_id))
        }
        None => create(auth, tx, device, from, Some((email, true))).await,
    }
}

/// Returns a new account for an address that nobody vouches for, where none has to be proved.
async fn by_unverified_address(auth: &Auth, tx: &Tx, device: &Device, from: From<'_>, email: &str) -> Result<Settled> {
    if queries::claimant(tx, email, auth.now()).await?.is_some() {
        return Err(unprocessable("email_exists", "A user with this email address has already been registered"));
    }
    create(auth, tx, device, from, Some((email, false))).await
}

/// The name of a provider, and what it says.
type From<'a> = (&'a str, &'a Profile);

/// Makes an account, with an address that the provider vouches for or with one that counts all the same.
async fn create(auth: &Auth, tx: &Tx, device: &Device, from: From<'_>, address: Option<(&str, bool)>) -> Result<Settled> {
    if !auth.config().signup_enabled {
        return Err(unprocessable("signup_disabled", "Signups not allowed for this instance"));
    }
    let id = UserId::new_v7();
    let (provider, profile) = from;
    let email = address.map_or("", |(email, _)| email);
    auth.before_user(tx, device, Newcomer { id, provider, email, phone: "", user_metadata: &profile.data }).await?;
    let address = address.map(|(email, proved)| Address { email, confirmed: proved || auth.config().autoconfirm, proved });
    queries::create(tx, id, address, auth.now()).await?;
    tracing::info!(user_id = %id, "signed up with a provider");
    Ok(Settled::made(id))
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
