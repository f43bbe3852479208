//! How often callers may ask.
//!
//! Invariant: a rate counts for a minute; 0 is without a limit.

use serde::{Deserialize, Serialize};

use crate::class::Class;

/// What happens to whoever asks too often.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// He is refused.
    Enforce,
    /// He is counted and noted, and not refused.
    Shadow,
    /// Nobody counts.
    Off,
}

/// How often callers may ask: by class, each in a minute; 0 is without a limit. Tables hold other rates for companies and tiers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RatesConfig {
    /// `enforce`, `shadow` (counted, never refused) or `off`; unless set `shadow` in development and `enforce` everywhere else.
    pub mode: Option<Mode>,
    /// Classes that are counted and never refused: `read`, `write`, `public`, `strict`, `service`, `export` and other operations.
    pub shadow: Vec<String>,
    /// How much of a minute's rate may come at once, in hundredths of it.
    pub burst_percent: u32,
    /// Requests that read, of one user or one key.
    pub read_minute_max: u32,
    /// Requests that write or call a function, of one user or one key.
    pub write_minute_max: u32,
    /// Requests without a token, or with one that is not good, from one address.
    pub public_minute_max: u32,
    /// Sign-ins, links and codes, passwords, invitations and links to pay by, of one account or one link from one address.
    pub strict_minute_max: u32,
    /// Agents that one user or one key sets to work.
    pub ai_agent_execution_minute_max: u32,
    /// Reports that one user or one key has made.
    pub report_generation_minute_max: u32,
    /// Searches by vector, of one user or one key.
    pub vector_search_minute_max: u32,
    /// Answers as CSV and other exports, of one user or one key.
    pub export_minute_max: u32,
    /// Requests with the service key.
    pub service_minute_max: u32,
    /// Functions of the data API that are an operation, each `match_documents=vector_search`.
    pub operations: Vec<String>,
    /// Milliseconds between two looks for rates that were changed in the database.
    pub refresh_ms: u64,
    /// How many buckets are kept, those of sign-in among them; those that are used least are forgotten.
    pub buckets_max: u32,
}

impl Default for RatesConfig {
    fn default() -> Self {
        Self {
            mode: None,
            shadow: Vec::new(),
            burst_percent: 100,
            read_minute_max: 1200,
            write_minute_max: 100,
            public_minute_max: 20,
            strict_minute_max: 5,
            ai_agent_execution_minute_max: 10,
            report_generation_minute_max: 5,
            vector_search_minute_max: 50,
            export_minute_max: 10,
            service_minute_max: 0,
            operations: ["match_documents=vector_search", "generate_report=report_generation", "data_export=export"]
                .map(str::to_owned)
                .to_vec(),
            refresh_ms: 500,
            buckets_max: 100_000,
        }
    }
}

impl RatesConfig {
    /// Returns the keys whose values cannot be used, each with what is allowed.
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let rates = [
            (self.read_minute_max, "read_minute_max"),
            (self.write_minute_max, "write_minute_max"),
            (self.public_minute_max, "public_minute_max"),
            (self.strict_minute_max, "strict_minute_max"),
            (self.ai_agent_execution_minute_max, "ai_agent_execution_minute_max"),
            (self.report_generation_minute_max, "report_generation_minute_max"),
            (self.vector_search_minute_max, "vector_search_minute_max"),
            (self.export_minute_max, "export_minute_max"),
            (self.service_minute_max, "service_minute_max"),
        ];
        let rates = rates.map(|(rate, key)| (rate > 1_000_000, key, "0 to 1000000"));
        let is_operation = |line: &String| operation(line).is_some();
        let others = [
            (!(1..=100).contains(&self.burst_percent), "burst_percent", "1 to 100"),
            (!(50..=60_000).contains(&self.refresh_ms), "refresh_ms", "50 to 60000"),
            (!(1000..=10_000_000).contains(&self.buckets_max), "buckets_max", "1000 to 10000000"),
            (!self.shadow.iter().all(|name| name.parse::<Class>().is_ok()), "shadow", "names of classes"),
            (!self.operations.iter().all(is_operation), "operations", "function=operation, such as match_documents=vector_search"),
        ];
        rates.into_iter().chain(others).filter(|(broken, ..)| *broken).map(|(_, key, allowed)| (key, allowed)).collect()
    }

    /// Returns how many requests of a class there may be in a minute; 0 for no limit.
    pub(crate) fn minute_max(&self, class: Class) -> u32 {
        match class {
            Class::Read => self.read_minute_max,
            Class::Write => self.write_minute_max,
            Class::Public => self.public_minute_max,
            Class::Strict => self.strict_minute_max,
            Class::AiAgentExecution => self.ai_agent_execution_minute_max,
            Class::ReportGeneration => self.report_generation_minute_max,
            Class::VectorSearch => self.vector_search_minute_max,
            Class::Export => self.export_minute_max,
            Class::Service => self.service_minute_max,
        }
    }

    /// Tells whether a class is counted and never refused.
    pub(crate) fn is_shadow(&self, class: Class) -> bool {
        self.mode == Some(Mode::Shadow) || self.shadow.iter().any(|name| name == class.name())
    }

    /// Returns the functions that are operations.
    pub(crate) fn operations(&self) -> impl Iterator<Item = (&str, Class)> {
        self.operations.iter().filter_map(|line| operation(line))
    }
}

fn operation(line: &str) -> Option<(&str, Class)> {
    let (function, class) = line.split_once('=')?;
    let class: Class = class.trim().parse().ok()?;
    (class.is_operation() && !function.trim().is_empty()).then(|| (function.trim(), class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_used_is_named() {
        assert_eq!(RatesConfig::default().faults(), []);
        let of = |config: RatesConfig| config.faults().into_iter().map(|(key, _)| key).collect::<Vec<_>>();
        let default = RatesConfig::default;
        assert_eq!(of(RatesConfig { write_minute_max: 1_000_001, ..default() }), ["write_minute_max"]);
        assert_eq!(of(RatesConfig { burst_percent: 0, refresh_ms: 1, ..default() }), ["burst_percent", "refresh_ms"]);
        assert_eq!(of(RatesConfig { shadow: vec!["reading".to_owned()], ..default() }), ["shadow"]);
        for line in ["x", "x=read", "=export"] {
            assert_eq!(of(RatesConfig { operations: vec![line.to_owned()], ..default() }), ["operations"], "{line}");
        }
    }
}
