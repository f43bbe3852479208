//! What can be set about webhooks that come in: who may call, and what he proves himself with.

use std::collections::BTreeMap;

use kernel::Secret;
use outbound::signing::SigningKey;
use serde::{Deserialize, Serialize};

use crate::config::Fault;

/// The settings of webhooks that come in. A provider without a secret is not listened to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InboundConfig {
    /// Bytes that one call may have.
    pub body_bytes_max: usize,
    /// Seconds that the time of a signature may differ from ours.
    pub tolerance_seconds: u32,
    /// How often a call that cannot be used yet is tried again, over about a day.
    pub attempts_max: u32,
    /// Calls of one provider that are taken in a minute, all of them at once if they come so; 0 is without a limit.
    pub calls_minute_max: u32,
    /// Calls that are used in one look at them.
    pub batch_rows: u32,
    /// Users, organizations and memberships of Clerk.
    pub clerk: ClerkConfig,
    /// Subscriptions at Stripe.
    pub stripe: StripeConfig,
    /// What became of SMS at Twilio.
    pub twilio: TwilioConfig,
    /// What became of mail at Resend.
    pub resend: SignedConfig,
    /// Other programs that sign as Standard Webhooks has it; what they say is kept.
    pub others: Vec<OtherConfig>,
}

/// A program that signs as Standard Webhooks has it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OtherConfig {
    /// What stands in its path: lower-case letters and underscores.
    pub name: String,
    /// What its calls are signed with, each `whsec_` and base64; several while one is replaced.
    pub secrets: Vec<Secret<String>>,
}

/// Somebody who signs as Standard Webhooks has it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignedConfig {
    /// What his calls are signed with, each `whsec_` and base64; several while one is replaced.
    pub secrets: Vec<Secret<String>>,
}

/// The settings of Clerk.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClerkConfig {
    /// What its calls are signed with, each `whsec_` and base64; several while one is replaced.
    pub secrets: Vec<Secret<String>>,
    /// What stands before Clerk's ids in `external_id`; as for the issuer of its tokens.
    pub prefix: String,
    /// What a role in an organization is in a company, each as `theirs=ours`. Whoever has another is a member.
    pub roles: Vec<String>,
}

/// The settings of Stripe.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StripeConfig {
    /// What its calls are signed with; several while one is replaced.
    pub secrets: Vec<Secret<String>>,
    /// The tier that a price stands for, by its id or its look-up key, each as `price=tier`.
    pub tiers: Vec<String>,
}

/// The settings of Twilio.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TwilioConfig {
    /// The account's tokens, which sign its calls; several while one is replaced.
    pub tokens: Vec<Secret<String>>,
}

impl Default for InboundConfig {
    fn default() -> Self {
        Self {
            body_bytes_max: 262_144,
            tolerance_seconds: 300,
            attempts_max: 16,
            calls_minute_max: 6000,
            batch_rows: 50,
            clerk: ClerkConfig::default(),
            stripe: StripeConfig::default(),
            twilio: TwilioConfig::default(),
            resend: SignedConfig::default(),
            others: Vec::new(),
        }
    }
}

impl Default for ClerkConfig {
    fn default() -> Self {
        let roles = ["org:admin=admin", "admin=admin", "org:member=member", "basic_member=member"].map(str::to_owned).to_vec();
        Self { secrets: Vec::new(), prefix: String::new(), roles }
    }
}

impl InboundConfig {
    pub(crate) fn faults(&self) -> [(bool, Fault); 10] {
        let are_keys = |secrets: &[Secret<String>]| secrets.iter().all(|secret| SigningKey::parse(secret.expose()).is_some());
        let is_name = |name: &String| (1..=40).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let roles = ["admin", "manager", "dispatcher", "technician", "csr", "member", "viewer"];
        let are_pairs = |texts: &[String], allowed: &[&str]| {
            let is_pair = |(left, right): (&str, &str)| !left.is_empty() && (allowed.is_empty() || allowed.contains(&right));
            texts.iter().all(|text| text.split_once('=').is_some_and(is_pair))
        };
        let others = &self.others;
        [
            (!(1024..=10_485_760).contains(&self.body_bytes_max), ("inbound.body_bytes_max", "1024 to 10485760")),
            (!(1..=3600).contains(&self.tolerance_seconds), ("inbound.tolerance_seconds", "1 to 3600")),
            (!(1..=100).contains(&self.attempts_max), ("inbound.attempts_max", "1 to 100")),
            (self.calls_minute_max > 1_000_000, ("inbound.calls_minute_max", "0 to 1000000")),
            (!(1..=1000).contains(&self.batch_rows), ("inbound.batch_rows", "1 to 1000")),
            (!are_keys(&self.clerk.secrets), ("inbound.clerk.secrets", "texts that are whsec_ and base64")),
            (!are_pairs(&self.clerk.roles, &roles), ("inbound.clerk.roles", "texts such as org:admin=admin, without owner")),
            (!are_pairs(&self.stripe.tiers, &[]), ("inbound.stripe.tiers", "texts such as price_1Qx=pro")),
            (!are_keys(&self.resend.secrets), ("inbound.resend.secrets", "texts that are whsec_ and base64")),
            (
                !others.iter().all(|other| is_name(&other.name) && are_keys(&other.secrets)),
                ("inbound.others", "tables of a file with a name, and secrets that are whsec_ and base64"),
            ),
        ]
    }
}

/// Reads texts such as `theirs=ours`.
pub(super) fn pairs(texts: &[String]) -> BTreeMap<&str, &str> {
    texts.iter().filter_map(|text| text.split_once('=')).collect()
}
