//! What every route of this crate works with.
//!
//! Invariant: the only place where the server acts for somebody who has not proved himself yet; each such transaction says why.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use kernel::{Authority, Clock, CompanyId, Error, Grant, RequestContext, Result, Secret};
use limits::Limiter;
use outbound::{Outbound, Seal};
use postgres::{Access, Database, Row, Sql, Tx};
use url::Url;
use uuid::Uuid;

use crate::api_keys::Uses;
use crate::config::AuthConfig;
use crate::external::{self, Documents, Provider};
use crate::hooks::Hooks;
use crate::issuers::Issuers;
use crate::keys::{KeyRing, Place};
use crate::limits::Limits;
use crate::origin;
use crate::passwords::Passwords;
use crate::tokens::{Keys, Verifier, VerifierOptions};
use crate::webauthn::Site;

/// The auth layer. Cheap to clone.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

/// What the auth layer is made of.
pub struct AuthOptions {
    /// Where the accounts are.
    pub database: Database,
    /// The right to vouch for callers.
    pub authority: Arc<Authority>,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// What sends mail and SMS. Without it there is no sign-in by them.
    pub outbound: Option<Outbound>,
    /// Where it is counted how often somebody asks.
    pub limiter: Limiter,
    /// The settings.
    pub config: AuthConfig,
    /// The keys, as [`crate::keys::store`] keeps them.
    pub keys: KeyRing,
    /// The address under which clients reach the server, without a path: `https://api.example.com`.
    pub public_url: String,
}

struct Inner {
    database: Database,
    authority: Arc<Authority>,
    clock: Arc<dyn Clock>,
    outbound: Option<Outbound>,
    config: AuthConfig,
    issuer: String,
    site: Url,
    webauthn: Option<Site>,
    keys: ArcSwap<Keys>,
    verifier: Verifier,
    passwords: Passwords,
    limits: Limits,
    issuers: Issuers,
    key_uses: Uses,
    hooks: Hooks,
    providers: Vec<Provider>,
    documents: Documents,
}

impl Auth {
    /// Sets up the auth layer. Fails when a setting cannot be used.
    pub fn new(options: AuthOptions) -> Result<Self> {
        if let Some((key, allowed)) = options.config.faults().first() {
            return Err(Error::internal(format!("auth.{key}: allowed is {allowed}")));
        }
        let issuer = format!("{}{}", options.public_url.trim_end_matches('/'), options.config.prefix());
        let site = options.config.one_time.site_url.as_deref().unwrap_or(&options.public_url);
        let site = Url::parse(site).map_err(|error| Error::internal(format!("auth.one_time.site_url: {error}")))?;
        let verifier = Verifier::new(VerifierOptions {
            issuer: issuer.clone(),
            audiences: options.config.audiences.clone(),
            shared_secret: options.config.jwt_secret.as_ref(),
            token_bytes_max: options.config.token_bytes_max,
            cache_bytes_max: options.config.token_cache_bytes_max,
        });
        Ok(Self(Arc::new(Inner {
            database: options.database,
            authority: options.authority,
            clock: options.clock,
            outbound: options.outbound,
            issuer,
            webauthn: Site::new(&options.config.webauthn, &site)?,
            site,
            keys: ArcSwap::from_pointee(Keys { ring: options.keys, generation: 0 }),
            verifier,
            passwords: Passwords::new(options.config.password.clone())?,
            limits: Limits::new(options.config.limits.clone(), options.limiter),
            issuers: Issuers::new(&options.config.issuers, options.config.token_cache_bytes_max)?,
            key_uses: Uses::new(&options.config.api_keys),
            hooks: Hooks::new(&options.config.hooks)?,
            providers: external::configured(&options.config.external)?,
            documents: Documents::new(&options.config.external)?,
            config: options.config,
        })))
    }

    /// Takes other keys from now on, after a rotation. Nothing that only the old ones vouched for is remembered.
    pub fn replace_keys(&self, ring: &KeyRing) {
        self.0.keys.rcu(|old| Keys { ring: ring.clone(), generation: old.generation.wrapping_add(1) });
    }

    /// Returns who issues our tokens: the address below which sign-in is served.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Returns where people go after a link: the site of the operator, our own address where none is set.
    pub(crate) fn site(&self) -> Url {
        self.0.site.clone()
    }

    /// Returns for whom security keys and passkeys are made; nobody where the site has no domain.
    pub(crate) fn webauthn(&self) -> Option<&Site> {
        self.0.webauthn.as_ref()
    }

    /// Returns the settings.
    pub fn config(&self) -> &AuthConfig {
        &self.0.config
    }

    /// Returns what opens the messages that wait to be sent.
    pub fn seal(&self) -> Result<Seal> {
        Seal::new(self.keys().ring.refresh_keys().map(|key| key.expose().as_slice()))
    }

    /// Returns secrets for one purpose of another crate's, the one to use first, then those of keys that were replaced and are still good.
    pub fn derived_keys(&self, purpose: &str) -> Vec<[u8; 32]> {
        self.keys().ring.all_derived(purpose)
    }

    /// Seals a secret of another crate's for one row.
    pub fn seal_secret(&self, place: Place, row: Uuid, secret: &[u8]) -> Result<String> {
        self.keys().ring.seal(place, row, secret).map_err(Error::internal)
    }

    /// Opens what was sealed for this row.
    pub fn open_secret(&self, place: Place, row: Uuid, sealed: &str) -> Result<Secret<Vec<u8>>> {
        self.keys().ring.unseal(place, row, sealed).map_err(Error::internal)
    }

    /// Returns what sends mail and SMS.
    pub fn outbound(&self) -> Option<&Outbound> {
        self.0.outbound.as_ref()
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.0.authority
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    pub(crate) fn keys(&self) -> Arc<Keys> {
        self.0.keys.load_full()
    }

    pub(crate) fn verifier(&self) -> &Verifier {
        &self.0.verifier
    }

    /// Returns what counts the requests of API keys.
    pub(crate) fn key_uses(&self) -> &Uses {
        &self.0.key_uses
    }

    /// Returns the providers that the configuration turns on.
    pub(crate) fn providers(&self) -> &[Provider] {
        &self.0.providers
    }

    /// Returns what providers are asked with.
    pub(crate) fn documents(&self) -> &Documents {
        &self.0.documents
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn hooks(&self) -> &Hooks {
        &self.0.hooks
    }

    pub(crate) fn issuers(&self) -> &Issuers {
        &self.0.issuers
    }

    /// Opens a transaction in the server's own name. The accounts are out of reach for every caller, so each statement itself
    /// names the user, and the session that must be live.
    pub(crate) async fn begin(&self, access: Access, reason: &'static str) -> Result<Tx> {
        self.begin_as(&self.system(reason), access).await
    }

    /// The same for what only sign-in itself reads, or for what is looked at under a lock: no read of a caller has to wait for it.
    pub(crate) async fn begin_unread(&self, reason: &'static str) -> Result<Tx> {
        Ok(self.begin(Access::Write, reason).await?.not_read_back())
    }

    /// Reads at most one row in the server's own name, in one round trip.
    pub(crate) async fn read_one(&self, statement: Sql, reason: &'static str) -> Result<Option<Row>> {
        let context = RequestContext::default();
        let answer = self.0.database.run(&self.system(reason), &context, Access::Read, statement).await?;
        Ok(answer.rows.into_iter().next())
    }

    /// Writes in the server's own name, in one round trip, and returns the first row of what is said.
    pub(crate) async fn write_one(&self, statement: Sql, reason: &'static str) -> Result<Option<Row>> {
        let context = RequestContext::default();
        let answer = self.0.database.run(&self.system(reason), &context, Access::Write, statement).await?;
        Ok(answer.rows.into_iter().next())
    }

    /// Opens a transaction in the server's own name for one company. Row security lets it at every company's rows: each statement names
    /// this one.
    pub(crate) async fn begin_in(&self, company: CompanyId, (access, reason): (Access, &'static str)) -> Result<Tx> {
        #[expect(clippy::disallowed_methods, reason = "a directory is no member; its token names the company")]
        let grant = Grant::system(self.authority(), Some(company), reason);
        self.begin_as(&grant, access).await
    }

    fn system(&self, reason: &'static str) -> Grant {
        #[expect(clippy::disallowed_methods, reason = "accounts belong to no company, and before a sign-in there is no caller")]
        Grant::system(self.authority(), None, reason)
    }

    /// Opens a transaction of a caller.
    pub(crate) async fn begin_as(&self, grant: &Grant, access: Access) -> Result<Tx> {
        self.0.database.begin(grant, &origin::current(), access).await
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("issuer", &self.0.issuer).finish_non_exhaustive()
    }
}
