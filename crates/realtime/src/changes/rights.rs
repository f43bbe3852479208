//! What somebody may see, as a transaction of his found it, and what follows of it for the rows of a table.
//!
//! Invariant: who has the same sight sees the same rows, whoever he is; what is not known of a row is not seen.

use std::collections::BTreeMap;
use std::sync::Arc;

use kernel::{Cell, Error, Result};
use postgres::Row;
use serde_json::value::RawValue;

use super::tables::{Column, Deciding, Layout, Table};

/// What a token says of itself alone, and of nobody.
const PASSING: [&str; 5] = ["exp", "iat", "nbf", "jti", "session_id"];

/// What somebody may.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Rights {
    pub(super) role: Box<str>,
    pub(super) company: Option<Box<str>>,
    pub(super) user: Option<Box<str>>,
    /// How sure one is of him.
    pub(super) assurance: Option<Box<str>>,
    permissions: Box<str>,
    /// Everything that a policy may ask for.
    fingerprint: Arc<str>,
}

/// Which rows of a table somebody sees.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Sight {
    /// None.
    None,
    /// All of a company, or all.
    All { company: Option<Box<str>> },
    /// Of a company those that are his.
    Mine { company: Box<str>, user: Box<str>, by_assignment: bool, by_ownership: bool },
    /// What PostgreSQL says, which is asked as somebody with this fingerprint.
    Ask {
        company: Option<Box<str>>,
        fingerprint: Arc<str>,
        /// He holds a permission, and what decides is the row that a row belongs to.
        by_parent: bool,
    },
}

impl Rights {
    /// Reads them from the row of [`super::asking::RIGHTS`].
    pub(super) fn of(row: &Row) -> Result<Self> {
        let text = |name: &str| row.try_get::<_, Option<String>>(name).map_err(Error::internal);
        let claims = text("claims")?.unwrap_or_default();
        let mut claims: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&claims).unwrap_or_default();
        claims.retain(|name, _| !PASSING.contains(&name.as_str()));
        let assurance = claims.get("aal").and_then(|value| serde_json::from_str::<Box<str>>(value.get()).ok());
        let (role, permissions) = (text("role")?.unwrap_or_default(), text("permissions")?.unwrap_or_default());
        let (company, user) = (text("company")?, text("uid")?);
        let guest = (text("customer")?, text("linked")?);
        let fingerprint = format!("{role}|{company:?}|{user:?}|{guest:?}|{permissions}|{claims:?}");
        Ok(Self {
            role: role.into(),
            company: company.map(Into::into),
            user: user.map(Into::into),
            assurance,
            permissions: permissions.into(),
            fingerprint: fingerprint.into(),
        })
    }

    /// Tells whether he holds a permission of a noun.
    pub(super) fn holds(&self, noun: &str, verb: &str) -> bool {
        self.permissions.contains(&format!(",{noun}:{verb},"))
    }

    /// Tells whether he reads a column as it is. A change is told once to many: what would be masked is left out.
    pub(super) fn reads(&self, table: &Table, column: &Column) -> bool {
        let sees_whole = || matches!(&*self.role, "service_role" | "guest") || self.holds("pii", "read");
        table.reads(&self.role, column) && (!column.is_masked || sees_whole())
    }

    /// Tells which rows of a table he sees.
    pub(super) fn sight(&self, table: &Table) -> Sight {
        let is_of_companies = table.tenant().is_some();
        match table.deciding(&self.role) {
            Deciding::None => Sight::None,
            // Who names a company reads no other's rows, also where no policy keeps them from him: the service.
            Deciding::All => Sight::All { company: self.company.clone().filter(|_| is_of_companies) },
            Deciding::Ask if is_of_companies && self.company.is_none() => Sight::None,
            Deciding::Ask => {
                let company = self.company.clone().filter(|_| is_of_companies);
                Sight::Ask { company, fingerprint: Arc::clone(&self.fingerprint), by_parent: false }
            }
            Deciding::Declared => self.declared(table).unwrap_or(Sight::None),
        }
    }

    /// What the policies of a declared table say; nothing where they show nothing.
    fn declared(&self, table: &Table) -> Option<Sight> {
        let (noun, company) = (table.noun.as_deref()?, self.company.clone()?);
        table.tenant()?;
        if self.holds(noun, "read") {
            return Some(Sight::All { company: Some(company) });
        }
        let is_assigned = self.holds(noun, "read_assigned");
        if is_assigned && table.has_parent {
            return Some(Sight::Ask { company: Some(company), fingerprint: Arc::clone(&self.fingerprint), by_parent: true });
        }
        let by_assignment = is_assigned && (table.assigned().is_some() || table.crew().is_some());
        let by_ownership = self.holds(noun, "read_own") && table.own().is_some();
        let user = self.user.clone()?;
        (by_assignment || by_ownership).then_some(Sight::Mine { company, user, by_assignment, by_ownership })
    }
}

impl Sight {
    /// Returns the company whose rows it shows; nothing where it may show those of any.
    pub(super) fn company(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::All { company } | Self::Ask { company, .. } => company.as_deref(),
            Self::Mine { company, .. } => Some(company),
        }
    }

    /// Tells whether a row is seen; nothing where only PostgreSQL knows.
    pub(super) fn sees(&self, layout: &Layout, row: &[Cell]) -> Option<bool> {
        let table = &layout.table;
        if let Some(company) = self.company() {
            let is_of = table.tenant().and_then(|column| layout.text(row, column)).is_some_and(|of| of == company);
            if !is_of {
                return Some(false);
            }
        }
        match self {
            Self::None => Some(false),
            Self::All { .. } => Some(true),
            Self::Ask { .. } => None,
            Self::Mine { user, by_assignment, by_ownership, .. } => {
                let is_him =
                    |column: Option<usize>| column.and_then(|column| layout.text(row, column)).is_some_and(|value| value == &**user);
                let is_in_crew = || table.crew().and_then(|column| layout.text(row, column)).is_some_and(|crew| is_among(crew, user));
                Some(*by_assignment && (is_him(table.assigned()) || is_in_crew()) || *by_ownership && is_him(table.own()))
            }
        }
    }

    /// Tells whether it hears that a row is gone of which only the key is known.
    pub(super) fn hears_of_key(&self, layout: &Layout, row: &[Cell]) -> bool {
        let is_of = self
            .company()
            .is_none_or(|company| layout.table.tenant().and_then(|column| layout.text(row, column)).is_some_and(|of| of == company));
        is_of && matches!(self, Self::All { .. } | Self::Mine { .. } | Self::Ask { by_parent: true, .. })
    }
}

/// Tells whether an id is in a list as PostgreSQL writes it, `{a,b}`.
fn is_among(list: &str, id: &str) -> bool {
    list.trim_start_matches('{').trim_end_matches('}').split(',').any(|one| one == id)
}

#[cfg(test)]
impl Rights {
    /// A role that holds no permission, in no company.
    pub(super) fn of_test(role: &str) -> Self {
        let (role, permissions, fingerprint) = (role.into(), "".into(), role.into());
        Self { role, company: None, user: None, assurance: None, permissions, fingerprint }
    }
}
