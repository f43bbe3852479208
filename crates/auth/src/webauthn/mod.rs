//! The ceremonies of WebAuthn, in which a key that never leaves its device signs what it was asked for.
//!
//! Invariant: what a key is asked for is kept here, not by the client, and names the domain, who may ask and whether the device has to
//! know its owner; an answer counts once. A counter that does not grow says that there are two of a key: such an answer is refused.

pub(crate) mod config;

use std::time::Duration;

use kernel::{Error, Result};
use serde::Serialize;
use serde_json::Value;
use url::{Host, Url};
use uuid::Uuid;
use webauthn_rs_core::WebauthnCore;
use webauthn_rs_core::error::WebauthnError;
use webauthn_rs_core::proto::{AuthenticationState, Credential, RegistrationState, UserVerificationPolicy};
pub(crate) use webauthn_rs_core::proto::{PublicKeyCredential as Proof, RegisterPublicKeyCredential as Registration};

use self::config::WebauthnConfig;

/// The host on which browsers know keys without TLS.
const LOCALHOST: &str = "localhost";

/// The domain that keys are made for, and who may ask for them.
#[derive(Debug)]
pub(crate) struct Site {
    core: WebauthnCore,
    /// Whether a passkey has to know its owner.
    verification: UserVerificationPolicy,
}

/// For whom a key is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holder<'a> {
    /// What the device keeps with the key. A device has one key for each, so that another one takes its place.
    pub(crate) handle: Uuid,
    /// What the device shows.
    pub(crate) account: &'a str,
}

/// What a client hands to a device, and what is kept to check the answer.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) options: Value,
    pub(crate) kept: Value,
}

/// A key: how it calls itself, and what is kept of it.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) id: Vec<u8>,
    pub(crate) kept: Value,
}

impl Site {
    /// Reads the settings. There is none where the site has no domain: browsers know keys by domains only.
    pub(crate) fn new(config: &WebauthnConfig, site: &Url) -> Result<Option<Self>> {
        let own = match site.host() {
            Some(Host::Domain(domain)) => Some(domain.to_owned()),
            Some(Host::Ipv4(address)) if address.is_loopback() => Some(LOCALHOST.to_owned()),
            Some(Host::Ipv6(address)) if address.is_loopback() => Some(LOCALHOST.to_owned()),
            _ => None,
        };
        let Some(domain) = config.rp_id.clone().or(own) else { return Ok(None) };
        let origins = if !config.origins.is_empty() {
            config.origins.iter().filter_map(|text| config::origin(text)).collect()
        } else if domain == LOCALHOST {
            // A developer's page has any port.
            ["http://localhost", "https://localhost"].iter().filter_map(|text| config::origin(text)).collect()
        } else {
            vec![site.clone()]
        };
        if !origins.iter().all(|origin| config::is_of(origin, &domain)) {
            return Err(Error::internal(format!("auth.webauthn: {domain} is not the domain of the site and of all origins")));
        }
        let name = if config.rp_name.is_empty() { &domain } else { &config.rp_name };
        let time = Duration::from_secs(config.challenge_seconds.into());
        let any_port = domain == LOCALHOST && config.origins.is_empty();
        let core = WebauthnCore::new_unsafe_experts_only(name, &domain, origins, time, Some(false), Some(any_port));
        let verification = if config.passkeys_verified { UserVerificationPolicy::Required } else { UserVerificationPolicy::Preferred };
        Ok(Some(Self { core, verification }))
    }

    /// Asks for a new key that supplements another proof: any device will do, and one that can knows its owner.
    pub(crate) fn ask_for_key(&self, holder: Holder<'_>, known: Vec<Vec<u8>>) -> Result<Asked> {
        let builder = self.core.new_challenge_register_builder(holder.handle.as_bytes(), holder.account, holder.account);
        let builder = builder.map_err(Error::internal)?.exclude_credentials(Some(known));
        let (options, state) = self.core.generate_challenge_register(builder).map_err(Error::internal)?;
        asked(options, state)
    }

    /// Asks for a new key that says itself whose it is, and stands alone.
    pub(crate) fn ask_for_passkey(&self, holder: Holder<'_>, known: Vec<Vec<u8>>) -> Result<Asked> {
        let builder = self.core.new_challenge_register_builder(holder.handle.as_bytes(), holder.account, holder.account);
        let builder = builder.map_err(Error::internal)?.exclude_credentials(Some(known));
        let builder = builder.require_resident_key(true).user_verification_policy(self.verification);
        let (options, state) = self.core.generate_challenge_register(builder).map_err(Error::internal)?;
        asked(options.public_key, state)
    }

    /// Takes a new key.
    pub(crate) fn take_key(&self, kept: Value, registration: &Registration) -> Result<Key, Fault> {
        let state: RegistrationState = serde_json::from_value(kept)?;
        let credential = self.core.register_credential(registration, &state, None)?;
        key(&credential)
    }

    /// Asks for a signature of a key that supplements another proof.
    pub(crate) fn ask_for_proof(&self, known: Value) -> Result<Asked> {
        let known: Credential = serde_json::from_value(known).map_err(Error::internal)?;
        let builder = self.core.new_challenge_authenticate_builder(vec![known], Some(UserVerificationPolicy::Preferred));
        // What was bound to a device may have moved to its maker's cloud since.
        let builder = builder.map_err(Error::internal)?.allow_backup_eligible_upgrade(true);
        let (options, state) = self.core.generate_challenge_authenticate(builder).map_err(Error::internal)?;
        asked(options, state)
    }

    /// Asks whoever is there for a signature of his passkey.
    pub(crate) fn ask_anybody(&self) -> Result<Asked> {
        let builder = self.core.new_challenge_authenticate_builder(Vec::new(), Some(self.verification)).map_err(Error::internal)?;
        let builder = builder.allow_backup_eligible_upgrade(true);
        let (options, state) = self.core.generate_challenge_authenticate(builder).map_err(Error::internal)?;
        let mut asked = asked(options.public_key, state)?;
        if let Some(options) = asked.options.as_object_mut() {
            options.remove("allowCredentials");
        }
        Ok(asked)
    }

    /// Takes a signature of a key, and returns what is kept of the key from now on.
    pub(crate) fn take_proof(&self, kept: Value, known: Value, proof: &Proof) -> Result<Key, Fault> {
        let state: AuthenticationState = serde_json::from_value(kept)?;
        let mut credential: Credential = serde_json::from_value(known)?;
        let seen = self.core.authenticate_single_credential(proof, &state, &credential)?;
        credential.counter = seen.counter();
        credential.backup_state = seen.backup_state();
        credential.backup_eligible = seen.backup_eligible();
        key(&credential)
    }
}

/// Why an answer does not count.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// It is not what was asked for.
    #[error(transparent)]
    Refused(#[from] WebauthnError),
    /// What was kept cannot be read.
    #[error(transparent)]
    Unreadable(#[from] serde_json::Error),
}

impl Fault {
    /// Tells whether there seem to be two of the key.
    pub(crate) fn is_copy(&self) -> bool {
        matches!(self, Self::Refused(WebauthnError::CredentialPossibleCompromise))
    }
}

fn asked(options: impl Serialize, kept: impl Serialize) -> Result<Asked> {
    let value = |value: serde_json::Result<Value>| value.map_err(Error::internal);
    Ok(Asked { options: value(serde_json::to_value(options))?, kept: value(serde_json::to_value(kept))? })
}

fn key(credential: &Credential) -> Result<Key, Fault> {
    Ok(Key { id: credential.cred_id.clone(), kept: serde_json::to_value(credential)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(config: &WebauthnConfig, site: &str) -> Option<Value> {
        let site = Site::new(config, &Url::parse(site).unwrap()).unwrap()?;
        Some(site.ask_for_key(Holder { handle: Uuid::nil(), account: "ann@example.com" }, Vec::new()).unwrap().options)
    }

    #[test]
    fn the_domain_is_that_of_the_site() {
        let rp = |site: &str| options(&WebauthnConfig::default(), site).map(|options| options["publicKey"]["rp"].clone());
        assert_eq!(rp("https://app.example.com/x").unwrap(), serde_json::json!({ "name": "app.example.com", "id": "app.example.com" }));
        assert_eq!(rp("http://127.0.0.1:54321").unwrap()["id"], "localhost");
        assert_eq!(rp("http://[::1]:54321").unwrap()["id"], "localhost");
        assert!(rp("http://192.0.2.1").is_none() && rp("https://[2001:db8::1]").is_none());
    }

    #[test]
    fn a_wider_domain_has_to_be_one_of_the_site() {
        let config = WebauthnConfig { rp_id: Some("example.com".to_owned()), rp_name: "Shop".to_owned(), ..WebauthnConfig::default() };
        let said = options(&config, "https://app.example.com").unwrap();
        assert_eq!(said["publicKey"]["rp"], serde_json::json!({ "name": "Shop", "id": "example.com" }));
        assert_eq!(said["publicKey"]["pubKeyCredParams"][0]["alg"], -7);
        for other in ["https://example.org", "https://badexample.com", "http://192.0.2.1"] {
            assert!(Site::new(&config, &Url::parse(other).unwrap()).is_err(), "{other}");
        }
    }

    /// A key, what it was asked to sign, and its answer, as version 0.6.2 of the library kept them.
    const KEPT: &str = include_str!("kept-0.6.2.json");

    #[test]
    fn a_key_that_was_kept_is_read() {
        let site = Site::new(&WebauthnConfig::default(), &Url::parse("http://localhost:54321").unwrap()).unwrap().unwrap();
        let kept: Value = serde_json::from_str(KEPT).unwrap();
        let proof: Proof = serde_json::from_value(kept["answer"].clone()).unwrap();
        let key = site.take_proof(kept["asked"].clone(), kept["key"].clone(), &proof).unwrap();
        let mut expected = kept["key"].clone();
        expected["counter"] = 1.into();
        assert_eq!(key.kept, expected);
        let again = site.take_proof(kept["asked"].clone(), expected, &proof);
        assert!(again.unwrap_err().is_copy(), "the counter did not grow");
    }
}
