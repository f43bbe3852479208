//! What can be set about companies. A server that starts writes it into the database, where the rules are.
//!
//! Invariant: of several servers on one database the one that started last says what holds.

use std::net::SocketAddr;

use kernel::{Error, Result};
use postgres::{Access, Sql};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Auth;

const DAY_SECONDS: u32 = 24 * 3600;

/// The settings of companies.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompaniesConfig {
    /// Whether owners and admins need a second factor; if not set: in production they do.
    pub mfa_required: Option<bool>,
    /// How long members may go on without a second factor once one is demanded of them.
    pub mfa_grace_days: u32,
    /// The shortest password of owners and admins, in characters.
    pub owner_password_length_min: u32,
    /// How long a deleted company can be brought back.
    pub deletion_grace_days: u32,
    /// How long an invitation may be accepted.
    pub invitation_hours: u32,
    /// Invitations of one company that are open at once.
    pub invitations_open_max: u32,
    /// E-mail domains of one company.
    pub domains_max: u32,
    /// The name servers that are asked whether a domain is a company's, each `192.0.2.53:53`; none: those of the machine.
    pub dns_servers: Vec<String>,
    /// How long a name server is waited for.
    pub dns_time_ms: u32,
}

impl Default for CompaniesConfig {
    fn default() -> Self {
        Self {
            mfa_required: None,
            mfa_grace_days: 7,
            owner_password_length_min: 12,
            deletion_grace_days: 30,
            invitation_hours: 7 * 24,
            invitations_open_max: 100,
            domains_max: 10,
            dns_servers: Vec::new(),
            dns_time_ms: 3000,
        }
    }
}

impl CompaniesConfig {
    /// Tells whether a password is as long as owners and admins need.
    pub(crate) fn is_long(&self, password: &str) -> bool {
        password.chars().count() >= usize::try_from(self.owner_password_length_min).unwrap_or(usize::MAX)
    }

    pub(crate) fn faults(&self) -> [(bool, &'static str, &'static str); 8] {
        [
            (self.mfa_grace_days > 365, "companies.mfa_grace_days", "0 to 365"),
            (!(6..=64).contains(&self.owner_password_length_min), "companies.owner_password_length_min", "6 to 64"),
            (self.deletion_grace_days > 365, "companies.deletion_grace_days", "0 to 365"),
            (!(1..=2160).contains(&self.invitation_hours), "companies.invitation_hours", "1 to 2160"),
            (!(1..=10_000).contains(&self.invitations_open_max), "companies.invitations_open_max", "1 to 10000"),
            (!(1..=1000).contains(&self.domains_max), "companies.domains_max", "1 to 1000"),
            (
                self.dns_servers.iter().any(|server| server.parse::<SocketAddr>().is_err()),
                "companies.dns_servers",
                "addresses with port such as 192.0.2.53:53",
            ),
            (!(100..=30_000).contains(&self.dns_time_ms), "companies.dns_time_ms", "100 to 30000"),
        ]
    }
}

impl Auth {
    /// Writes what is set about companies into the database. To be called when a server has started and the schema is there.
    pub async fn declare_company_rules(&self) -> Result<()> {
        let config = &self.config().companies;
        let rules = json!({
            "mfa_required": config.mfa_required.unwrap_or(true),
            "mfa_grace_seconds": config.mfa_grace_days.saturating_mul(DAY_SECONDS),
            "password_characters_min": config.owner_password_length_min,
            "deletion_grace_seconds": config.deletion_grace_days.saturating_mul(DAY_SECONDS),
            "invitation_seconds": config.invitation_hours.saturating_mul(3600),
            "invitations_open_max": config.invitations_open_max,
            "domains_max": config.domains_max,
        });
        let tx = self.begin(Access::Write, "declare what holds for companies").await?;
        let mut sql = Sql::new("select app.declare_company_rules(");
        sql.bind(rules).text("::jsonb) as changed");
        let changed: bool = tx.query_one(sql).await?.try_get("changed").map_err(Error::internal)?;
        tx.commit().await?;
        if changed {
            tracing::info!(mfa_required = config.mfa_required, "what holds for companies has changed");
        }
        Ok(())
    }
}
