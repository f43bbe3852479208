//! What can be set about sockets and channels.
//!
//! Invariant: every limit of this crate has its name here; a unit stands last in the name.

use serde::{Deserialize, Serialize};

/// The settings of realtime.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RealtimeConfig {
    /// Whether it is served at all.
    pub enabled: bool,
    /// Whether channels may be joined that no policy guards; otherwise only private ones.
    pub public_channels: bool,
    /// Sockets open on this server at one time.
    pub sockets_max: usize,
    /// Sockets of one company on this server; of one network where callers work in no company.
    pub company_sockets_max: u32,
    /// Channels that a company joins in a second, on this server.
    pub company_joins_per_s: u32,
    /// Messages that a company sends in a second, on this server.
    pub company_messages_per_s: u32,
    /// Bytes of messages that a company sends in a second, on this server.
    pub company_bytes_per_s: u32,
    /// Channels that one socket may have joined.
    pub channels_max: usize,
    /// Bytes of one frame.
    pub frame_bytes_max: usize,
    /// Messages that wait for a socket that reads slowly; it is told how many it missed beyond them.
    pub queue_messages_max: usize,
    /// Bytes of such messages.
    pub queue_bytes_max: usize,
    /// Milliseconds that a socket may take nothing of what is sent to it; then it is closed.
    pub write_time_ms: u64,
    /// Milliseconds that a socket may say nothing, not even a heartbeat; then it is closed.
    pub idle_time_ms: u64,
    /// Milliseconds between two looks at who is present, for the rows of `shared.presence`; 0 writes none.
    pub presence_rows_ms: u64,
    /// Calls of presence that one channel of a socket may make in a window; then the channel is closed.
    pub presence_calls_max: u32,
    /// Seconds of that window.
    pub presence_window_s: u64,
    /// Entries of presence in one channel.
    pub presence_entries_max: usize,
    /// Bytes of one entry.
    pub presence_bytes_max: usize,
    /// Milliseconds that a join may wait for its subscription to changed rows, whatever it asks for.
    pub subscribe_wait_max_ms: u64,
    /// Messages that one request may send.
    pub request_messages_max: usize,
    /// Messages that somebody who joins may have told again.
    pub replay_messages_max: u32,
    /// Days that messages are kept that SQL sent.
    pub messages_kept_days: u32,
    /// Seconds after which it is asked anew what a caller may in a channel, whatever happened.
    pub rights_kept_s: u64,
    /// Answers to that which are kept.
    pub rights_max: usize,
    /// Milliseconds by which the change feed may lag before callers are looked up by a query, each time so long has passed.
    pub rights_lag_ms: u64,
    /// Milliseconds between two signs of life to whoever listens by server-sent events.
    pub events_alive_ms: u64,
    /// Messages that wait to be told to other servers.
    pub nodes_queue_max: usize,
    /// Milliseconds between two times that a server says to the others that it lives.
    pub nodes_beat_ms: u64,
    /// Milliseconds of silence after which who is present at another server is so no more.
    pub nodes_lease_ms: u64,
}

impl Default for RealtimeConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            public_channels: true,
            sockets_max: 20_000,
            company_sockets_max: 5000,
            company_joins_per_s: 500,
            company_messages_per_s: 2000,
            company_bytes_per_s: 10_000_000,
            channels_max: 100,
            frame_bytes_max: 5_000_000,
            queue_messages_max: 1000,
            queue_bytes_max: 4_000_000,
            write_time_ms: 30_000,
            idle_time_ms: 90_000,
            presence_rows_ms: 1000,
            presence_calls_max: 60,
            presence_window_s: 30,
            presence_entries_max: 1000,
            presence_bytes_max: 16_384,
            subscribe_wait_max_ms: 60_000,
            request_messages_max: 100,
            replay_messages_max: 100,
            messages_kept_days: 3,
            rights_kept_s: 300,
            rights_max: 50_000,
            rights_lag_ms: 1000,
            events_alive_ms: 15_000,
            nodes_queue_max: 10_000,
            nodes_beat_ms: 2000,
            nodes_lease_ms: 8000,
        }
    }
}

impl RealtimeConfig {
    /// Returns the settings that are impossible, each with what is allowed.
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        [
            (!(1..=1_000_000).contains(&self.sockets_max), "sockets_max", "1 to 1000000"),
            (!(1..=1_000_000).contains(&self.company_sockets_max), "company_sockets_max", "1 to 1000000"),
            (!(1..=1_000_000).contains(&self.company_joins_per_s), "company_joins_per_s", "1 to 1000000"),
            (!(1..=1_000_000).contains(&self.company_messages_per_s), "company_messages_per_s", "1 to 1000000"),
            (!(1000..=2_000_000_000).contains(&self.company_bytes_per_s), "company_bytes_per_s", "1000 to 2000000000"),
            (!(1..=10_000).contains(&self.channels_max), "channels_max", "1 to 10000"),
            (!(1024..=50_000_000).contains(&self.frame_bytes_max), "frame_bytes_max", "1024 to 50000000"),
            (!(1..=1_000_000).contains(&self.queue_messages_max), "queue_messages_max", "1 to 1000000"),
            (!(1024..=100_000_000).contains(&self.queue_bytes_max), "queue_bytes_max", "1024 to 100000000"),
            (!(100..=600_000).contains(&self.write_time_ms), "write_time_ms", "100 to 600000"),
            (!(100..=3_600_000).contains(&self.idle_time_ms), "idle_time_ms", "100 to 3600000"),
            (self.presence_rows_ms != 0 && !(50..=15_000).contains(&self.presence_rows_ms), "presence_rows_ms", "0, or 50 to 15000"),
            (!(1..=10_000).contains(&self.presence_calls_max), "presence_calls_max", "1 to 10000"),
            (!(1..=3600).contains(&self.presence_window_s), "presence_window_s", "1 to 3600"),
            (!(1..=100_000).contains(&self.presence_entries_max), "presence_entries_max", "1 to 100000"),
            (!(16..=1_000_000).contains(&self.presence_bytes_max), "presence_bytes_max", "16 to 1000000"),
            (!(100..=600_000).contains(&self.subscribe_wait_max_ms), "subscribe_wait_max_ms", "100 to 600000"),
            (!(1..=10_000).contains(&self.request_messages_max), "request_messages_max", "1 to 10000"),
            (!(1..=10_000).contains(&self.replay_messages_max), "replay_messages_max", "1 to 10000"),
            (!(1..=365).contains(&self.messages_kept_days), "messages_kept_days", "1 to 365"),
            (!(1..=300).contains(&self.rights_kept_s), "rights_kept_s", "1 to 300"),
            (!(1..=10_000_000).contains(&self.rights_max), "rights_max", "1 to 10000000"),
            (!(100..=10_000).contains(&self.rights_lag_ms), "rights_lag_ms", "100 to 10000"),
            (!(100..=600_000).contains(&self.events_alive_ms), "events_alive_ms", "100 to 600000"),
            (!(1..=1_000_000).contains(&self.nodes_queue_max), "nodes_queue_max", "1 to 1000000"),
            (!(50..=60_000).contains(&self.nodes_beat_ms), "nodes_beat_ms", "50 to 60000"),
            (
                self.nodes_lease_ms < self.nodes_beat_ms.saturating_mul(3) || self.nodes_lease_ms > 600_000,
                "nodes_lease_ms",
                "three beats to 600000",
            ),
        ]
        .into_iter()
        .filter_map(|(impossible, key, allowed)| impossible.then_some((key, allowed)))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_possible_and_a_server_is_not_lost_between_two_beats() {
        assert_eq!(RealtimeConfig::default().faults(), []);
        let hasty = RealtimeConfig { nodes_lease_ms: 5999, ..RealtimeConfig::default() };
        assert_eq!(hasty.faults(), [("nodes_lease_ms", "three beats to 600000")]);
    }
}
