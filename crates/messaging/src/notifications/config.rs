//! What can be set about notifications.
//!
//! Invariant: every limit of this part has its name here; a unit stands last in the name.

use serde::{Deserialize, Serialize};

use crate::config::Fault;

/// The settings of notifications to members.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NotificationConfig {
    /// Milliseconds between two looks for what members may have to be told of.
    pub poll_interval_ms: u64,
    /// Events that one server takes in one look.
    pub batch_events: u32,
    /// Events that it decides on at the same time.
    pub events_at_once: u32,
    /// Seconds after which an event that a server took is another one's; doubled with every attempt.
    pub lease_seconds: u32,
    /// How often it is tried to decide on an event before it is given up.
    pub attempts_max: u32,
    /// Hours after which an event is shown in the feed and disturbs nobody any more.
    pub disturb_hours_max: u32,
    /// Mails of one topic to one member in an hour, unless his company says otherwise.
    pub email_hour_max: u32,
    /// SMS of one topic to one member in an hour, unless his company says otherwise.
    pub sms_hour_max: u32,
    /// Push messages of one topic to one member in an hour, unless his company says otherwise.
    pub push_hour_max: u32,
    /// Messages of one topic in the feed of one member in an hour, unless his company says otherwise.
    pub in_app_hour_max: u32,
    /// The hour of the member's day at which daily and weekly digests come.
    pub digest_hour: u32,
    /// Messages that one digest lists; of those beyond it says how many there are.
    pub digest_items_max: u32,
    /// Digests that are made in one transaction.
    pub digests_max: u32,
    /// Seconds between two looks for what becomes due by itself; 0 leaves that to a schedule.
    pub due_interval_seconds: u32,
    /// Rows of one sort that become due in one look.
    pub due_rows_max: u32,
    /// Minutes before an appointment at which whoever goes there is reminded.
    pub reminder_minutes: u32,
    /// Days before the service of equipment is due at which it is told.
    pub service_days: u32,
}

impl Default for NotificationConfig {
    fn default() -> Self {
        Self {
            poll_interval_ms: 500,
            batch_events: 100,
            events_at_once: 4,
            lease_seconds: 30,
            attempts_max: 8,
            disturb_hours_max: 24,
            email_hour_max: 30,
            sms_hour_max: 10,
            push_hour_max: 60,
            in_app_hour_max: 500,
            digest_hour: 8,
            digest_items_max: 50,
            digests_max: 100,
            due_interval_seconds: 300,
            due_rows_max: 1000,
            reminder_minutes: 60,
            service_days: 14,
        }
    }
}

impl NotificationConfig {
    /// Returns each value that could be impossible, with whether it is.
    pub(crate) fn faults(&self) -> Vec<(bool, Fault)> {
        vec![
            (!(10..=60_000).contains(&self.poll_interval_ms), ("notifications.poll_interval_ms", "10 to 60000")),
            (!(1..=10_000).contains(&self.batch_events), ("notifications.batch_events", "1 to 10000")),
            (!(1..=64).contains(&self.events_at_once), ("notifications.events_at_once", "1 to 64")),
            (!(5..=3600).contains(&self.lease_seconds), ("notifications.lease_seconds", "5 to 3600")),
            (!(1..=50).contains(&self.attempts_max), ("notifications.attempts_max", "1 to 50")),
            (!(1..=720).contains(&self.disturb_hours_max), ("notifications.disturb_hours_max", "1 to 720")),
            (self.email_hour_max > 10_000, ("notifications.email_hour_max", "0 to 10000")),
            (self.sms_hour_max > 10_000, ("notifications.sms_hour_max", "0 to 10000")),
            (self.push_hour_max > 10_000, ("notifications.push_hour_max", "0 to 10000")),
            (self.in_app_hour_max > 10_000, ("notifications.in_app_hour_max", "0 to 10000")),
            (self.digest_hour > 23, ("notifications.digest_hour", "0 to 23")),
            (!(1..=200).contains(&self.digest_items_max), ("notifications.digest_items_max", "1 to 200")),
            (!(1..=1000).contains(&self.digests_max), ("notifications.digests_max", "1 to 1000")),
            (
                self.due_interval_seconds != 0 && !(10..=86_400).contains(&self.due_interval_seconds),
                ("notifications.due_interval_seconds", "0, or 10 to 86400"),
            ),
            (!(1..=10_000).contains(&self.due_rows_max), ("notifications.due_rows_max", "1 to 10000")),
            (!(5..=10_080).contains(&self.reminder_minutes), ("notifications.reminder_minutes", "5 to 10080")),
            (!(1..=20).contains(&self.service_days), ("notifications.service_days", "1 to 20")),
        ]
    }
}
