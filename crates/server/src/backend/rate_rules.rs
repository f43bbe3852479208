//! Following the rates that are set in the database: every server asks for them again and again, so that what was changed holds within a
//! second everywhere, also behind a pooler, where nothing can be listened to.
//!
//! Invariant: a database that is away changes nothing: what is known goes on to hold.

use std::time::Duration;

use jiff::Timestamp;
use kernel::{CompanyId, Error, Result};
use limits::{Class, Counted, Limiter, Rule, Tier};
use postgres::Sql;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Backend;

/// What the database says.
#[derive(Deserialize)]
struct Said {
    version: i64,
    rules: Option<Vec<SaidRule>>,
    tiers: Vec<SaidTier>,
}

#[derive(Deserialize)]
struct SaidRule {
    class: String,
    counted: String,
    company_id: Option<Uuid>,
    tier: Option<String>,
    minute_max: Option<u32>,
    burst_max: Option<u32>,
    is_shadow: Option<bool>,
}

#[derive(Deserialize)]
struct SaidTier {
    company_id: Uuid,
    tier: String,
    until: Option<Timestamp>,
}

impl Backend {
    /// Tells the database what the configuration says, for those who want to know, and takes what it has.
    pub(super) async fn open_rates(&self) -> Result<()> {
        let tx = self.begin_own("declare how often may be asked").await?;
        let mut sql = Sql::new("select app.declare_rate_limits(");
        let limiter = self.limiter();
        sql.bind(limiter.configured()).text("::jsonb, ").bind(limiter.mode()).text("::text, array(select jsonb_array_elements_text(");
        sql.bind(serde_json::json!(limiter.shadowed())).text("::jsonb)))");
        tx.query(sql).await?;
        tx.commit().await?;
        self.look_at_rates().await
    }

    /// Follows the rates until told to stop.
    pub(crate) async fn follow_rates(self, interval: Duration, stop: CancellationToken) {
        let mut is_away = false;
        while stop.run_until_cancelled(tokio::time::sleep(interval)).await.is_some() {
            let looked = self.look_at_rates().await;
            if let (Err(error), false) = (&looked, is_away) {
                tracing::debug!(code = error.code(), "the rates could not be looked at: {}", error.message());
            }
            is_away = looked.is_err();
        }
    }

    async fn look_at_rates(&self) -> Result<()> {
        let limiter = self.limiter();
        let (version, companies) = limiter.known();
        let companies: Vec<String> = companies.iter().map(ToString::to_string).collect();
        let mut sql = Sql::new("select app.read_rate_limits(");
        sql.bind(version).text("::bigint, ").bind(format!("{{{}}}", companies.join(","))).text("::text::uuid[])::text as said");
        let answer = self.ask(sql, "look how often may be asked").await?;
        let row = answer.rows.first().ok_or_else(|| Error::internal("nothing was said of rates"))?;
        let said: String = row.try_get("said").map_err(Error::internal)?;
        learn(limiter, serde_json::from_str(&said).map_err(Error::internal)?);
        Ok(())
    }
}

fn learn(limiter: &Limiter, said: Said) {
    if let Some(rules) = said.rules {
        let rules: Vec<Rule> = rules.into_iter().filter_map(rule).collect();
        limiter.learn(said.version, &rules);
    }
    let tier = |said: SaidTier| (CompanyId(said.company_id), Tier { name: said.tier.into(), until: said.until });
    limiter.learn_tiers(said.tiers.into_iter().map(tier));
}

/// Reads a rule. One about a class that a newer server knows is that server's.
fn rule(said: SaidRule) -> Option<Rule> {
    let class: Class = said.class.parse().ok()?;
    let counted = if said.counted == "company" { Counted::Company } else { Counted::Caller };
    let SaidRule { tier, minute_max, burst_max, is_shadow, .. } = said;
    Some(Rule { class, counted, company: said.company_id.map(CompanyId), tier, minute_max, burst_max, is_shadow })
}
