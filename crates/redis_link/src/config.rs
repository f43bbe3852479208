//! What can be set about Redis.
//!
//! Invariant: its address holds a password, so it is a secret wherever it is shown.

use kernel::Secret;
use redis::IntoConnectionInfo;
use serde::{Deserialize, Serialize};

/// Redis, which servers share counters through. It is never needed: without it, or while it is away, each server keeps to itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedisConfig {
    /// Where it is: `redis://login:password@host:6379/0`, `rediss://…` with TLS, or `redis+unix:///path/of/socket`. No cluster.
    pub url: Option<Secret<String>>,
    /// What the names of all keys begin with, where others use the same Redis.
    pub prefix: String,
    /// Milliseconds that a connection may take.
    pub connect_time_ms: u64,
    /// Milliseconds that one command may take; then Redis counts as away until it answers again.
    pub command_time_ms: u64,
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self { url: None, prefix: "thorbis:".to_owned(), connect_time_ms: 1000, command_time_ms: 100 }
    }
}

impl RedisConfig {
    /// Returns the keys whose values cannot be used, each with what is allowed.
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let is_url = self.url.as_ref().is_none_or(|url| url.expose().as_str().into_connection_info().is_ok());
        let rules = [
            (!is_url, "url", "redis://login:password@host:6379/0, rediss://… or redis+unix:///path"),
            (self.prefix.len() > 100, "prefix", "at most 100 bytes"),
            (!(1..=60_000).contains(&self.connect_time_ms), "connect_time_ms", "1 to 60000"),
            (!(1..=60_000).contains(&self.command_time_ms), "command_time_ms", "1 to 60000"),
        ];
        rules.into_iter().filter(|(broken, ..)| *broken).map(|(_, key, allowed)| (key, allowed)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_checked_and_never_shown() {
        let with = |url: &str| RedisConfig { url: Some(Secret::new(url.to_owned())), ..RedisConfig::default() };
        for good in ["redis://127.0.0.1", "redis://:hunter2@cache.example.com:6380/3", "redis+unix:///run/redis.sock"] {
            assert_eq!(with(good).faults(), [], "{good}");
        }
        for bad in ["", "http://cache.example.com", "redis://"] {
            assert_eq!(with(bad).faults().len(), 1, "{bad}");
        }
        assert!(!format!("{:?}", with("redis://:hunter2@cache.example.com")).contains("hunter2"));
    }
}
