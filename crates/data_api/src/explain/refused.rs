//! What refused a request: a right that the role lacks, a policy, or that there is no such row.
//!
//! Invariant: whether a row is there that the caller does not see is asked in his company alone, of a table that has the company's
//! column, and by plain columns: nothing of a user's own runs with the server's rights.

use kernel::{CompanyId, Error, Grant, Result};
use postgres::catalog::{Relation, RelationKind};
use postgres::{Access, Sql};
use serde::Deserialize;

use super::{Asked, PERMISSION};
use crate::limits::RowLimit;
use crate::plan::{self, Caller, Surroundings};
use crate::query;
use crate::request::{Action, ApiRequest, Condition, Count, MediaType, Preferences, Query, Target};

const DENIED: &str = "permission denied for ";
const SERVICE: &str = "service_role";
const POLICY: &str = "new row violates row-level security policy";

/// What can be explained.
pub(super) enum Refusal {
    /// The role has no right to something: its kind and name.
    Right { kind: String, name: String },
    /// A policy refused what a row becomes.
    Policy { table: Option<String> },
    /// There is no row, or none that is seen.
    NoRow,
}

/// What the caller's own transaction says of him.
#[derive(Debug, Deserialize)]
struct Standing {
    role: String,
    may_know: bool,
    holds_permission: bool,
    missing: Vec<String>,
}

const STANDING: &str = "select pg_catalog.json_build_object('role', current_user,
         'may_know', current_user = 'service_role' or app.has_permission($permission),
         'holds_permission', current_user = 'service_role' or app.has_permission($verb) or app.has_permission($verb || '_assigned')
                             or app.has_permission($verb || '_own'),
         'missing', (select coalesce(pg_catalog.json_agg(r.name order by r.place), '[]')
           from pg_catalog.unnest($rights::text[]) with ordinality as r (name, place)
          where pg_catalog.to_regclass($relation) is not null
            and not pg_catalog.has_table_privilege(pg_catalog.to_regclass($relation), r.name)))::text";

impl Refusal {
    pub(super) fn of(error: &Error) -> Option<Self> {
        let message = error.message();
        match error.code() {
            "42501" if message.starts_with(DENIED) => {
                let (kind, name) = message.strip_prefix(DENIED)?.rsplit_once(' ')?;
                Some(Self::Right { kind: kind.to_owned(), name: name.trim_matches('"').to_owned() })
            }
            "42501" if message.starts_with(POLICY) => {
                let table = message.rsplit_once("for table ").map(|(_, name)| name.trim_matches('"').to_owned());
                Some(Self::Policy { table })
            }
            "PGRST116" if error.details().and_then(|details| details.as_str()) == Some("The result contains 0 rows") => Some(Self::NoRow),
            _ => None,
        }
    }
}

/// Returns details and a hint, for whoever may know them.
pub(super) async fn told(asked: &Asked<'_>, refusal: &Refusal) -> Result<Option<(String, Option<String>)>> {
    let request = asked.request;
    let own = match &request.target {
        Target::Relation(name) => Some(name.as_str()),
        Target::Function(_) => None,
    };
    let name = match refusal {
        Refusal::Right { kind, name } if kind != "function" && kind != "schema" => Some(name.as_str()),
        Refusal::Right { .. } => None,
        Refusal::Policy { table } => table.as_deref().or(own),
        Refusal::NoRow => own,
    };
    let relation = name.and_then(|name| asked.catalog.relation(&request.schema, name));
    let (standing, company) = standing(asked, relation).await?;
    if !standing.may_know {
        return Ok(None);
    }
    let role = &standing.role;
    Ok(Some(match refusal {
        Refusal::Right { kind, name } if kind == "function" => {
            let hint = format!("grant execute on function {}.{name} to {role}", request.schema);
            (format!("Missing grant: the role {role} may not call the function {name}."), Some(hint))
        }
        Refusal::Right { kind, name } if standing.missing.is_empty() => {
            (format!("Missing grant: the role {role} lacks a right to the {kind} {name}, or to some of its columns."), None)
        }
        Refusal::Right { kind, name } => {
            let rights = standing.missing.join(", ");
            let hint = format!("grant {} on {}.{name} to {role}", rights.to_lowercase(), request.schema);
            (format!("Missing grant: the role {role} lacks {rights} on the {kind} {name}."), Some(hint))
        }
        Refusal::Policy { .. } => {
            let permission = verb(request, relation);
            let details = match permission.filter(|_| !standing.holds_permission) {
                Some(permission) => format!("Refused by a policy: the permission {permission} is not held."),
                None => "Refused by a policy: the row would be of another company, or is not one that the permission reaches.".to_owned(),
            };
            (details, None)
        }
        Refusal::NoRow => match (relation.filter(|relation| is_askable(request, relation)), company) {
            (Some(relation), Some(company)) => {
                let grant = asked.api.schema().grant_in(company);
                (Box::pin(hidden(asked, relation, grant, Caller::ServiceInCompany)).await?.to_owned(), None)
            }
            (Some(relation), None) if asked.grant.principal().database_role() == SERVICE => {
                (Box::pin(hidden(asked, relation, asked.grant.clone(), Caller::Service)).await?.to_owned(), None)
            }
            _ => return Ok(None),
        },
    }))
}

/// Adds what can be said without changing what the dialect says: its own details stay, and the hint is ours.
pub(super) fn with(error: Error, details: String, hint: Option<String>) -> Error {
    if error.details().is_some() {
        return error.with_hint(hint.map_or_else(|| details.clone(), |hint| format!("{details} {hint}")));
    }
    let error = error.with_details(details);
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// Asks in the caller's own transaction what he may know and what he lacks, and in which company he works.
async fn standing(asked: &Asked<'_>, relation: Option<&Relation>) -> Result<(Standing, Option<CompanyId>)> {
    let rights = match asked.request.action {
        Action::Read | Action::CallRead => "{SELECT}",
        Action::Insert => "{INSERT,SELECT}",
        Action::Update => "{UPDATE,SELECT}",
        Action::Put => "{INSERT,UPDATE,SELECT}",
        Action::Delete => "{DELETE,SELECT}",
        Action::Call => "{SELECT,INSERT,UPDATE,DELETE}",
    };
    let verb = verb(asked.request, relation).unwrap_or_default();
    let relation = relation.map(|relation| format!("{}.{}", quoted(&relation.schema), quoted(&relation.name)));
    let mut sql = Sql::default();
    let mut rest = STANDING;
    while let Some((before, after)) = rest.split_once('$') {
        sql.text(before);
        let (word, value) = [
            ("permission", Some(PERMISSION.to_owned())),
            ("verb", Some(verb.clone())),
            ("rights", Some(rights.to_owned())),
            ("relation", relation.clone()),
        ]
        .into_iter()
        .find(|(word, _)| after.starts_with(word))
        .ok_or_else(|| Error::internal("a value of the statement has no name"))?;
        sql.bind(value).text("::text");
        rest = after.get(word.len()..).unwrap_or_default();
    }
    sql.text(rest);
    let answer = asked.api.database().run(&asked.grant, asked.context, Access::Read, sql).await?;
    let row = answer.rows.first().ok_or_else(|| Error::internal("the standing was asked for and no row came"))?;
    let text: String = row.try_get(0).map_err(Error::internal)?;
    Ok((serde_json::from_str(&text).map_err(Error::internal)?, answer.opened.company_id))
}

/// As `to_regclass` reads a name.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns the permission that the action needs.
fn verb(request: &ApiRequest, relation: Option<&Relation>) -> Option<String> {
    let verb = match request.action {
        Action::Read | Action::CallRead => "read",
        Action::Insert | Action::Put => "create",
        Action::Update => "update",
        Action::Delete => "delete",
        Action::Call => return None,
    };
    relation?.declaration.as_ref().map(|declaration| format!("{}:{verb}", declaration.noun))
}

/// Tells whether the same rows can be asked for with more rights and nothing else changed.
fn is_askable(request: &ApiRequest, relation: &Relation) -> bool {
    fn is_plain(condition: &Condition, relation: &Relation) -> bool {
        match condition {
            Condition::Filter(filter) => relation.column(&filter.field.name).is_some(),
            Condition::Logic { children, .. } => children.iter().all(|child| is_plain(child, relation)),
        }
    }
    matches!(relation.kind, RelationKind::Table | RelationKind::PartitionedTable)
        && relation.tenant_column().is_some()
        && matches!(request.target, Target::Relation(_))
        && request.query.select.iter().all(|item| item.embed().is_none())
        && request.query.conditions.iter().all(|(path, condition)| path.is_empty() && is_plain(condition, relation))
}

/// Looks whether the rows are there for the server, in the caller's company (for a service in none, in any): as they are, or marked as deleted.
async fn hidden(asked: &Asked<'_>, relation: &Relation, grant: Grant, caller: Caller) -> Result<&'static str> {
    for (deleted, what) in [
        (false, "Refused by a policy: such a row is there, and this caller does not reach it."),
        (true, "Marked as deleted: such a row was there."),
    ] {
        let request = ApiRequest {
            schema: relation.schema.clone(),
            tells_schema: false,
            target: Target::Relation(relation.name.clone()),
            action: Action::Read,
            query: Query { conditions: asked.request.query.conditions.clone(), ..Query::default() },
            body: None,
            paging: None,
            preferences: Preferences { deleted, count: Some(Count::Exact), ..Preferences::default() },
            accepts: Vec::new(),
            media: MediaType::Json,
            explain: None,
            custom: None,
            head: true,
            canonical: None,
        };
        let surroundings = Surroundings {
            rows: RowLimit { max: 1, refuses: false },
            ..asked.api.surroundings(asked.catalog, caller, asked.api.limits().general())
        };
        let planned = plan::plan(&request, surroundings)?;
        let statement = query::statement(&planned, &request);
        let answer = asked.api.database().run(&grant, asked.context, Access::Read, statement).await?;
        let row = answer.rows.first().ok_or_else(|| Error::internal("rows were counted and no row came"))?;
        if row.try_get::<_, Option<i64>>(0).map_err(Error::internal)?.is_some_and(|rows| rows > 0) {
            return Ok(what);
        }
    }
    Ok("There is no such row.")
}
