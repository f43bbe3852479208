//! Telling that there are new tasks: this process at once, the others by one NOTIFY in a while.
//!
//! Invariant: what is told only saves waiting for the next look. A NOTIFY never stands in the transaction that puts a task in: it would make
//! every commit wait for every other one. Nothing is told before its commit: who looks then finds nothing, and does not look again.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;
use uuid::Uuid;

/// The channel that workers listen to.
pub(crate) const CHANNEL: &str = "thorbis_tasks";
/// What is said when somebody cancelled a task that runs.
pub(crate) const CANCEL: &str = "cancel";
/// Companies that one NOTIFY names; of more it only says that there are some.
const COMPANIES_MAX: usize = 200;

/// What stands before a company whose tasks are to be looked for from the start: a process that does not know it finds them by looking.
const ANEW: char = '!';

/// Companies, each with whether its tasks are to be looked for from the start: some became ready that stand before the last claim.
pub(crate) type Companies = BTreeMap<Uuid, bool>;

/// Companies with new tasks that were not told of yet.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    here: Mutex<Companies>,
    elsewhere: Mutex<Companies>,
    rung_here: Notify,
    rung_elsewhere: Notify,
}

impl Bell {
    /// Tasks of these companies are there, and committed.
    pub(crate) fn ring(&self, companies: impl IntoIterator<Item = (Uuid, bool)>) {
        let companies = Companies::from_iter(companies);
        merge(&self.here, companies.iter().map(|(company_id, anew)| (*company_id, *anew)));
        merge(&self.elsewhere, companies);
        self.rung_here.notify_one();
        self.rung_elsewhere.notify_one();
    }

    /// Another process told of these.
    pub(crate) fn heard(&self, companies: impl Iterator<Item = (Uuid, bool)>) {
        merge(&self.here, companies);
        self.rung_here.notify_one();
    }

    /// Returns when there is something new.
    pub(crate) async fn here(&self) {
        self.rung_here.notified().await;
    }

    pub(crate) fn take_here(&self) -> Companies {
        std::mem::take(&mut *held(&self.here))
    }

    /// Returns what to tell the others, when there is something.
    pub(crate) async fn elsewhere(&self, sender: Uuid) -> String {
        self.rung_elsewhere.notified().await;
        let companies = std::mem::take(&mut *held(&self.elsewhere));
        let mut said = sender.to_string();
        for (company, anew) in companies.iter().filter(|_| companies.len() <= COMPANIES_MAX) {
            said.push(' ');
            said.extend(anew.then_some(ANEW));
            said.push_str(&company.to_string());
        }
        said
    }
}

/// Returns the companies that another process told of; nothing of what this one said itself.
pub(crate) fn companies(said: &str, listener: Uuid) -> Option<impl Iterator<Item = (Uuid, bool)>> {
    let (sender, companies) = said.split_once(' ').unwrap_or((said, ""));
    (sender != listener.to_string()).then(|| {
        companies.split(' ').filter_map(|company| {
            let bare = company.trim_start_matches(ANEW);
            bare.parse().ok().map(|id| (id, bare.len() < company.len()))
        })
    })
}

fn merge(into: &Mutex<Companies>, companies: impl IntoIterator<Item = (Uuid, bool)>) {
    let mut into = held(into);
    for (company_id, anew) in companies {
        *into.entry(company_id).or_default() |= anew;
    }
}

fn held(set: &Mutex<Companies>) -> std::sync::MutexGuard<'_, Companies> {
    set.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn others_are_told_which_companies_and_oneself_is_not_listened_to() {
        let (bell, sender) = (Bell::default(), Uuid::from_u128(7));
        let two = [Uuid::from_u128(1), Uuid::from_u128(2)];
        bell.ring(two.map(|company| (company, false)));
        let said = bell.elsewhere(sender).await;
        assert!(companies(&said, sender).is_none());
        assert_eq!(companies(&said, Uuid::from_u128(8)).unwrap().collect::<Vec<_>>(), two.map(|company| (company, false)));
        assert_eq!(bell.take_here().len(), 2);
        // Of one whose task was woken it is said that it is looked at from the start, whatever else is new of it.
        bell.ring([(two[1], true)]);
        bell.ring([(two[1], false), (two[0], false)]);
        let said = bell.elsewhere(sender).await;
        assert_eq!(companies(&said, Uuid::nil()).unwrap().collect::<Vec<_>>(), [(two[0], false), (two[1], true)]);
        assert_eq!(bell.take_here(), Companies::from([(two[0], false), (two[1], true)]));
        bell.ring((0..=200).map(|company| (Uuid::from_u128(company), false)));
        assert_eq!(companies(&bell.elsewhere(sender).await, Uuid::nil()).unwrap().count(), 0, "too many to name");
    }
}
