//! From a request to what is to be done with which relation or function, checked against the catalog.
//!
//! Invariant: a plan is pure: it is made from the request, the catalog and the sort of caller alone. Walls that keep rows apart (company,
//! deletion mark) are decided here, in one place, and not by whoever writes the SQL.

mod call;
mod embed;
mod fuzzy;
mod media;
mod methods;
mod read;
mod relationship;
mod write;

use std::sync::Arc;

use kernel::{Error, Kind, Principal, Result, Subject};
use postgres::catalog::{Catalog, Relation};

use crate::config::EmbedNames;
use crate::limits::RowLimit;
use crate::request::{Action, ApiRequest, Target};

pub(crate) use call::{Arguments, CallPlan, ResultKind, Texts};
pub(crate) use embed::{Embed, Way};
pub(crate) use media::negotiate;
pub(crate) use methods::{OF_ROOT as METHODS_OF_ROOT, methods};
pub(crate) use read::{Counted, ReadPlan, Rows, has_aggregates};
pub(crate) use write::{Checks, Conflict, JsonRows, Mark, WriteKind, WritePlan, other_key, same_row_twice, several_companies};

/// How alike the name of a table or function must be to be suggested for one that is not there.
const ALIKE: f64 = 0.75;
/// The same of what relations lead to, and of lists of parameters: there is less to choose from.
const ALIKE_OF_FEW: f64 = 0.33;

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Plan<'a> {
    /// Rows are read.
    Read(ReadPlan<'a>),
    /// Rows are written.
    Write(WritePlan<'a>),
    /// A function is called.
    Call(CallPlan<'a>),
}

impl<'a> Plan<'a> {
    /// Returns which rows are read; none where they are written.
    pub(crate) fn rows(&self) -> Option<&Rows<'a>> {
        match self {
            Self::Read(plan) => Some(&plan.rows),
            Self::Call(plan) => Some(&plan.rows),
            Self::Write(_) => None,
        }
    }

    /// Tells whether nothing is written.
    pub(crate) fn only_reads(&self) -> bool {
        match self {
            Self::Read(_) => true,
            Self::Call(plan) => plan.read_only,
            Self::Write(_) => false,
        }
    }

    /// Returns the settings that a called function was given (`create function ... set ...`).
    pub(crate) fn settings(&self) -> Arc<[(String, String)]> {
        let Self::Call(call) = self else { return Arc::default() };
        let pairs = call.function.settings.iter().filter_map(|setting| setting.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

/// What planning has to know beyond the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings<'a> {
    /// What the database holds.
    pub(crate) catalog: &'a Catalog,
    /// Who asks.
    pub(crate) caller: Caller,
    /// Rows that one answer may have.
    pub(crate) rows: RowLimit,
    /// Conditions that one level may have, those inside of what it asks for included.
    pub(crate) conditions_max: usize,
    /// Whether aggregates may be asked for.
    pub(crate) aggregates_enabled: bool,
    /// What names an embedded table that has an alias.
    pub(crate) embed_names: EmbedNames,
    /// Whether more is suggested than the dialect does.
    pub(crate) suggests_names: bool,
}

/// What sort of caller it is, as far as the plan depends on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Caller {
    /// Holds at most the public key.
    Anonymous,
    /// A signed-in user.
    User,
    /// The service key (or the server itself), working in one company.
    ServiceInCompany,
    /// The service key (or the server itself), over all companies.
    Service,
}

/// What keeps rows apart beyond the policies of the database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Walls<'a> {
    /// The column that must hold the active company.
    pub(crate) tenant_column: Option<&'a str>,
    /// What becomes of rows that are marked as deleted.
    pub(crate) deleted: Deleted<'a>,
}

/// What becomes of rows that are marked as deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Deleted<'a> {
    /// There is no mark, or they are wanted.
    Shown,
    /// They are not there.
    Hidden,
    /// They are there for whoever may restore this noun.
    ForRestorersOf(&'a str),
}

/// Makes the plan.
pub(crate) fn plan<'a>(request: &'a ApiRequest, surroundings: Surroundings<'a>) -> Result<Plan<'a>> {
    let schema = &request.schema;
    match (&request.target, request.action) {
        (Target::Relation(name), Action::Read) => {
            let relation = relation(surroundings.catalog, schema, name)?;
            read::plan(request, relation, surroundings).map(Plan::Read)
        }
        (Target::Relation(name), _) => {
            let relation = relation(surroundings.catalog, schema, name)?;
            write::plan(request, relation, surroundings).map(Plan::Write)
        }
        (Target::Function(name), _) => call::plan(request, name, surroundings).map(Plan::Call),
    }
}

/// Tells whether an error may be due to a catalog that is older than the database.
pub(crate) fn may_be_outdated(error: &Error) -> bool {
    matches!(error.code(), "PGRST200" | "PGRST202" | "PGRST204" | "PGRST205")
}

/// Tells whether PostgreSQL did not find what the catalog has: an error of the client, or a catalog older than the database.
pub(crate) fn shows_outdated(error: &Error) -> bool {
    matches!(error.code(), "42703" | "42704" | "42804" | "42883" | "42P01" | "42P10")
}

impl From<&Principal> for Caller {
    fn from(principal: &Principal) -> Self {
        match (principal.subject(), principal.requested_company()) {
            (Subject::Anonymous | Subject::Role { is_anonymous: true, .. }, _) => Self::Anonymous,
            (Subject::User { .. } | Subject::Pass(_) | Subject::Role { .. }, _) => Self::User,
            (Subject::Service | Subject::System { .. }, Some(_)) => Self::ServiceInCompany,
            (Subject::Service | Subject::System { .. }, None) => Self::Service,
        }
    }
}

impl<'a> Walls<'a> {
    fn of(relation: &'a Relation, caller: Caller, deleted_wanted: bool) -> Self {
        let declaration = relation.declaration.as_ref();
        let tenant_column = relation.tenant_column().filter(|_| caller != Caller::Service);
        let deleted = match declaration.filter(|declaration| declaration.soft_delete) {
            None => Deleted::Shown,
            Some(_) if !deleted_wanted => Deleted::Hidden,
            Some(_) if matches!(caller, Caller::Service | Caller::ServiceInCompany) => Deleted::Shown,
            Some(declaration) => Deleted::ForRestorersOf(&declaration.noun),
        };
        Self { tenant_column, deleted }
    }
}

fn relation<'a>(catalog: &'a Catalog, schema: &str, name: &str) -> Result<&'a Relation> {
    catalog.relation(schema, name).ok_or_else(|| {
        let error = Error::new(Kind::NotFound, "PGRST205", format!("Could not find the table '{schema}.{name}' in the schema cache"));
        match fuzzy::nearest(name, catalog.relations(schema).map(|relation| relation.name.as_str()), ALIKE) {
            Some(meant) => error.with_hint(format!("Perhaps you meant the table '{schema}.{meant}'")),
            None => error,
        }
    })
}

/// Returns the name that the one that was not found is but for a slip or two: where the dialect itself suggests nothing, only what is sure.
fn misspelt<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const SLIPS_MAX: usize = 2;
    const LETTERS_PER_SLIP: usize = 3;
    let slips_max = SLIPS_MAX.min(name.chars().count() / LETTERS_PER_SLIP);
    let alike = names.map(|candidate| (strsim::osa_distance(name, candidate), candidate)).filter(|(slips, _)| *slips <= slips_max);
    alike.min().map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::misspelt;

    #[test]
    fn a_column_is_suggested_where_it_is_sure() {
        let names = ["id", "first_name", "body"];
        for (name, expected) in [
            ("frist_name", Some("first_name")),
            ("firstname", Some("first_name")),
            ("bdy", Some("body")),
            ("ib", None),
            ("garbage_id", None),
            ("helicopter", None),
            ("", None),
        ] {
            assert_eq!(misspelt(name, names.into_iter()), expected, "{name}");
        }
    }
}
