//! Telling that there are new tasks: this process at once, the others by one NOTIFY in a while.
//!
//! Invariant: what is told only saves waiting for the next look. A NOTIFY never stands in the transaction that puts a task in: it would make
//! every commit wait for every other one.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;
use uuid::Uuid;

/// The channel that workers listen to.
pub(crate) const CHANNEL: &str = "thorbis_tasks";
/// What is said when somebody cancelled a task that runs.
pub(crate) const CANCEL: &str = "cancel";
/// Companies that one NOTIFY names; of more it only says that there are some.
const COMPANIES_MAX: usize = 200;

/// Companies with new tasks that were not told of yet.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    noted: Mutex<BTreeSet<Uuid>>,
    here: Mutex<BTreeSet<Uuid>>,
    elsewhere: Mutex<BTreeSet<Uuid>>,
    rung_here: Notify,
    rung_elsewhere: Notify,
}

impl Bell {
    /// A task was put in for this company, and is there after the commit.
    pub(crate) fn note(&self, company_id: Uuid) {
        held(&self.noted).insert(company_id);
    }

    /// What was noted is committed.
    pub(crate) fn ring(&self) {
        let noted = std::mem::take(&mut *held(&self.noted));
        held(&self.here).extend(noted.iter().copied());
        held(&self.elsewhere).extend(noted);
        self.rung_here.notify_one();
        self.rung_elsewhere.notify_one();
    }

    /// Another process told of these.
    pub(crate) fn heard(&self, companies: impl Iterator<Item = Uuid>) {
        held(&self.here).extend(companies);
        self.rung_here.notify_one();
    }

    /// Returns when there is something new.
    pub(crate) async fn here(&self) {
        self.rung_here.notified().await;
    }

    pub(crate) fn take_here(&self) -> BTreeSet<Uuid> {
        std::mem::take(&mut *held(&self.here))
    }

    /// Returns what to tell the others, when there is something.
    pub(crate) async fn elsewhere(&self, sender: Uuid) -> String {
        self.rung_elsewhere.notified().await;
        let companies = std::mem::take(&mut *held(&self.elsewhere));
        let mut said = sender.to_string();
        for company in companies.iter().filter(|_| companies.len() <= COMPANIES_MAX) {
            said.push(' ');
            said.push_str(&company.to_string());
        }
        said
    }
}

/// Returns the companies that another process told of; nothing of what this one said itself.
pub(crate) fn companies(said: &str, listener: Uuid) -> Option<impl Iterator<Item = Uuid>> {
    let (sender, companies) = said.split_once(' ').unwrap_or((said, ""));
    (sender != listener.to_string()).then(|| companies.split(' ').filter_map(|company| company.parse().ok()))
}

fn held(set: &Mutex<BTreeSet<Uuid>>) -> std::sync::MutexGuard<'_, BTreeSet<Uuid>> {
    set.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn others_are_told_which_companies_and_oneself_is_not_listened_to() {
        let (bell, sender) = (Bell::default(), Uuid::from_u128(7));
        let two = [Uuid::from_u128(1), Uuid::from_u128(2)];
        for company in two {
            bell.note(company);
        }
        assert!(bell.take_here().is_empty(), "nothing is there before its commit");
        bell.ring();
        let said = bell.elsewhere(sender).await;
        assert!(companies(&said, sender).is_none());
        assert_eq!(companies(&said, Uuid::from_u128(8)).unwrap().collect::<Vec<_>>(), two);
        assert_eq!(bell.take_here().len(), 2);
        for company in 0..=200 {
            bell.note(Uuid::from_u128(company));
        }
        bell.ring();
        assert_eq!(companies(&bell.elsewhere(sender).await, Uuid::nil()).unwrap().count(), 0, "too many to name");
    }
}
