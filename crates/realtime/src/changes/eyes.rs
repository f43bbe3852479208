//! Those who look on: whose rights are known, since when, and who is concerned when rights change.
//!
//! Invariant: who comes with the same token in the same company is one, whose rights are read once; whoever may be concerned by a change
//! counts as concerned.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::{Cell, Change, ChangedRows, Subject};

use super::Viewer;
use super::asking::Alive;
use super::rights::Rights;

/// Where the rights of somebody are written, and by which columns a change of a row is one of them; any where none is named.
const SOURCES: [(&str, &[&str]); 7] = [
    ("team_members", &["role", "role_id", "permissions", "effective_permissions", "status", "archived_at", "user_id", "mfa_due_at"]),
    ("custom_roles", &[]),
    ("companies", &[]),
    ("api_keys", &[]),
    ("public_links", &[]),
    ("support_sessions", &[]),
    (CUSTOMERS, &[]),
];
/// Where it is written whether a customer may come in.
const CUSTOMERS: &str = "customers";

/// Those who look on.
#[derive(Default)]
pub(super) struct Eyes {
    by_key: HashMap<Arc<str>, Eye>,
    by_subscriber: HashMap<u64, Arc<str>>,
}

struct Eye {
    viewer: Viewer,
    rights: Rights,
    read_at: Option<Instant>,
    subscribers: HashSet<u64>,
    /// The session or pass, where there is one that may end.
    session: Option<String>,
}

/// Whom a change of rights concerns.
#[derive(Debug)]
struct Concerned<'a> {
    company: String,
    /// Nobody else, where it is said.
    user: Option<[Option<&'a str>; 2]>,
    /// Only guests.
    is_of_guests: bool,
}

impl Eyes {
    /// Adds somebody.
    pub(super) fn add(&mut self, id: u64, viewer: Viewer, rights: Rights, read_at: Instant) -> Arc<str> {
        let key: Arc<str> = key(&viewer).into();
        let session = session(&viewer);
        let eye = self.by_key.entry(Arc::clone(&key)).or_insert_with(|| Eye {
            viewer,
            rights,
            read_at: Some(read_at),
            subscribers: HashSet::new(),
            session,
        });
        eye.subscribers.insert(id);
        self.by_subscriber.insert(id, Arc::clone(&key));
        key
    }

    /// Lets somebody go.
    pub(super) fn remove(&mut self, id: u64) {
        let Some(key) = self.by_subscriber.remove(&id) else { return };
        let Some(eye) = self.by_key.get_mut(&key) else { return };
        eye.subscribers.remove(&id);
        if eye.subscribers.is_empty() {
            self.by_key.remove(&key);
        }
    }

    /// Says who somebody is from now on; his rights are to be read.
    pub(super) fn replace(&mut self, id: u64, viewer: Viewer) -> Option<Arc<str>> {
        let rights = self.rights(id)?.clone();
        self.remove(id);
        let key = self.add(id, viewer, rights, Instant::now());
        self.lose(&key);
        Some(key)
    }

    /// Notes rights that were read. Returns whether they are others, or were not known.
    pub(super) fn set(&mut self, key: &str, at: Instant, rights: Rights) -> bool {
        let Some(eye) = self.by_key.get_mut(key) else { return false };
        let is_other = eye.read_at.is_none() || eye.rights != rights;
        eye.rights = rights;
        eye.read_at = Some(at);
        is_other
    }

    /// Notes that somebody's rights are not known.
    pub(super) fn lose(&mut self, key: &str) {
        if let Some(eye) = self.by_key.get_mut(key) {
            eye.read_at = None;
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Viewer> {
        self.by_key.get(key).map(|eye| &eye.viewer)
    }

    pub(super) fn viewer(&self, id: u64) -> Option<&Viewer> {
        self.get(self.by_subscriber.get(&id)?)
    }

    pub(super) fn rights(&self, id: u64) -> Option<&Rights> {
        self.by_key.get(self.by_subscriber.get(&id)?).map(|eye| &eye.rights)
    }

    /// Returns the subscriptions of somebody.
    pub(super) fn of(&self, key: &str) -> Vec<u64> {
        self.by_key.get(key).map(|eye| eye.subscribers.iter().copied().collect()).unwrap_or_default()
    }

    pub(super) fn all(&self) -> HashSet<Arc<str>> {
        self.by_key.keys().cloned().collect()
    }

    /// Returns so many of those whose rights were read longer ago, or are not known.
    pub(super) fn older_than(&self, age: Duration, count: usize) -> HashSet<Arc<str>> {
        let is_old = |eye: &Eye| eye.read_at.is_none_or(|at| at.elapsed() > age);
        self.by_key.iter().filter(|(_, eye)| is_old(eye)).map(|(key, _)| Arc::clone(key)).take(count).collect()
    }

    /// Returns the sessions and passes that may end.
    pub(super) fn sessions(&self) -> HashSet<String> {
        self.by_key.values().filter_map(|eye| eye.session.clone()).collect()
    }

    /// Returns those of some sessions that are over, or are not as they were.
    pub(super) fn not_as(&self, asked: &HashSet<String>, alive: &[Alive]) -> HashSet<Arc<str>> {
        let alive: HashMap<&str, &Alive> = alive.iter().map(|alive| (&*alive.id, alive)).collect();
        let is_other = |eye: &Eye| {
            let Some(session) = eye.session.as_ref().filter(|session| asked.contains(*session)) else { return false };
            let Some(alive) = alive.get(session.as_str()) else { return true };
            let is_user = matches!(eye.viewer.principal.subject(), Subject::User { .. });
            let is_elsewhere = eye.viewer.principal.requested_company().is_none() && alive.company != eye.rights.company;
            is_user && (is_elsewhere || alive.assurance != eye.rights.assurance)
        };
        self.by_key.iter().filter(|(_, eye)| is_other(eye)).map(|(key, _)| Arc::clone(key)).collect()
    }

    /// Returns those whose rights these changes may concern; nothing where they are none of rights.
    pub(super) fn concerned(&self, transactions: &[Arc<ChangedRows>]) -> Option<HashSet<Arc<str>>> {
        let changes: Vec<Concerned<'_>> = transactions.iter().flat_map(|rows| &rows.changes).filter_map(Concerned::of).collect();
        if changes.is_empty() {
            return None;
        }
        let is_concerned = |eye: &Eye| changes.iter().any(|change| change.is(&eye.rights));
        Some(self.by_key.iter().filter(|(_, eye)| is_concerned(eye)).map(|(key, _)| Arc::clone(key)).collect())
    }
}

impl<'a> Concerned<'a> {
    /// Tells whom a change concerns; nobody where it is none of rights.
    fn of(change: &'a Change) -> Option<Self> {
        if &*change.table.schema != "public" {
            return None;
        }
        let name = &*change.table.name;
        let is_of_guests = name == CUSTOMERS;
        let (_, columns) = SOURCES.iter().find(|(source, _)| *source == name)?;
        let company = change.company_id?.to_string();
        if let (Some(new), Some(old)) = (&change.new, &change.old)
            && !columns.is_empty()
            && columns.iter().all(|column| is_same(change, new, old, column))
        {
            return None;
        }
        let user = (name == "team_members").then(|| [change.value("user_id"), change.old_value("user_id")]);
        Some(Self { company, user, is_of_guests })
    }

    fn is(&self, rights: &Rights) -> bool {
        if self.is_of_guests {
            return &*rights.role == "guest" && rights.company.as_deref() == Some(&self.company);
        }
        match &self.user {
            // Keys hold what their makers hold, and have no user.
            Some(users) if rights.user.is_some() => users.contains(&rights.user.as_deref()),
            _ => rights.company.as_deref() == Some(&self.company),
        }
    }
}

/// Tells whether a column is as it was. What is not told is not.
fn is_same(change: &Change, new: &[Cell], old: &[Cell], column: &str) -> bool {
    let Some(place) = change.table.columns.iter().position(|known| &*known.name == column) else { return true };
    let (new, old) = (new.get(place), old.get(place));
    new == old && new.is_some_and(|cell| *cell != Cell::Untold)
}

/// What makes two the same.
fn key(viewer: &Viewer) -> String {
    let principal = &viewer.principal;
    format!("{:?}|{:?}|{}", principal.subject(), principal.requested_company(), principal.claims())
}

fn session(viewer: &Viewer) -> Option<String> {
    match viewer.principal.subject() {
        Subject::User { session_id, .. } => session_id.map(|id| id.to_string()),
        Subject::Pass(pass) if pass.kind == kernel::PassKind::Portal => Some(pass.id.to_string()),
        _ => None,
    }
}
