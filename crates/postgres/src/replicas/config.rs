//! The settings of replicas.

use kernel::Secret;
use serde::{Deserialize, Serialize};

/// Copies of the database that only read.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReplicasConfig {
    /// The server's login at each of them, `postgres://…`; none are used where there are none. Empty: everything is read from the primary.
    pub urls: Vec<Secret<String>>,
    /// How many of the reads each gets beside the others, in the order of `urls`; the last one counts for all that follow.
    pub weights: Vec<u32>,
    /// How many of these reads the primary keeps, as one more weight.
    pub primary_weight: u32,
    /// Milliseconds that what is read may be old; a replica that is further behind gets no reads.
    pub lag_max_ms: u64,
    /// Milliseconds between two looks at how far each of them is.
    pub look_interval_ms: u64,
}

impl Default for ReplicasConfig {
    fn default() -> Self {
        Self { urls: Vec::new(), weights: vec![1], primary_weight: 0, lag_max_ms: 1000, look_interval_ms: 100 }
    }
}

impl ReplicasConfig {
    /// Returns how much of the reads a replica gets.
    pub fn weight(&self, index: usize) -> u32 {
        self.weights.get(index).or(self.weights.last()).copied().unwrap_or(1)
    }

    /// Returns the keys that are out of range, and what is allowed.
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let mut faults = Vec::new();
        if self.urls.len() > 16 || self.urls.iter().any(|url| !is_postgres_url(url.expose())) {
            faults.push(("urls", "at most 16 of postgres://login:password@host:port/database"));
        }
        let is_weight = |weight: &u32| (1..=1000).contains(weight);
        if self.weights.is_empty() || self.weights.len() > 16 || !self.weights.iter().all(is_weight) {
            faults.push(("weights", "1 to 16 numbers of 1 to 1000"));
        }
        if self.primary_weight > 1000 {
            faults.push(("primary_weight", "0 to 1000"));
        }
        if !(10..=3_600_000).contains(&self.lag_max_ms) {
            faults.push(("lag_max_ms", "10 to 3600000"));
        }
        // What was not looked at for so long is as old as that.
        if !(5..=60_000).contains(&self.look_interval_ms) || self.look_interval_ms.saturating_mul(2) > self.lag_max_ms {
            faults.push(("look_interval_ms", "5 to 60000, and at most half of lag_max_ms"));
        }
        faults
    }
}

fn is_postgres_url(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "postgres" | "postgresql"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_weight_counts_for_all_that_follow() {
        let config = ReplicasConfig { weights: vec![3, 2], ..ReplicasConfig::default() };
        assert_eq!([0, 1, 2, 7].map(|index| config.weight(index)), [3, 2, 2, 2]);
        assert_eq!(ReplicasConfig::default().weight(4), 1);
    }

    #[test]
    fn what_cannot_be_is_named() {
        assert_eq!(ReplicasConfig::default().faults(), []);
        let config = ReplicasConfig {
            urls: vec![Secret::new("mysql://a:b@c/d".to_owned())],
            weights: vec![0],
            primary_weight: 1001,
            lag_max_ms: 9,
            look_interval_ms: 5,
        };
        let keys: Vec<&str> = config.faults().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["urls", "weights", "primary_weight", "lag_max_ms", "look_interval_ms"]);
    }
}
