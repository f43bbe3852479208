//! Reads `permissions.toml`: who may do what, written by hand.
//!
//! Invariant: a matrix that parses has a known role in every column, a known scope in every cell and a `noun:verb` in every row.

use std::collections::BTreeMap;

use kernel::Result;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error;
use super::header::is_name;
use super::session::Session;
use super::source::File;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Matrix {
    roles: Vec<String>,
    /// Those who are no members. A row that gives them nothing ends before their cells.
    #[serde(default)]
    guests: Vec<String>,
    permissions: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    tables: BTreeMap<String, Guarded>,
    /// Tables of persons and tables that nobody reaches: expectations of the isolation tests.
    #[serde(default, rename = "personal")]
    _personal: toml::Table,
    #[serde(default, rename = "policied")]
    _policied: toml::Table,
    #[serde(default, rename = "owners")]
    _owners: toml::Table,
    #[serde(default, rename = "internal")]
    _internal: toml::Table,
}

/// What guards a table; the rest of the row belongs to the isolation tests.
#[derive(Deserialize)]
struct Guarded {
    noun: String,
    verbs: Vec<String>,
}

/// One cell that is not empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cell {
    /// What a member is in a company.
    pub role: String,
    /// `noun:verb`.
    pub permission: String,
    /// `all`, `assigned` or `own`.
    pub scope: String,
}

/// Reads the matrix from the text of a file.
pub fn parse(path: &str, text: &str) -> Result<Vec<Cell>> {
    let wrong =
        |why: String| error::refused(error::PERMISSIONS, format!("{path}: {why}"), "See the head of the file for how it is written.");
    let matrix: Matrix = toml::from_str(text).map_err(|cause| wrong(cause.to_string()))?;
    if matrix.roles.is_empty() {
        return Err(wrong("roles is empty".to_owned()));
    }
    let everybody: Vec<&String> = matrix.roles.iter().chain(&matrix.guests).collect();
    for (position, role) in everybody.iter().enumerate() {
        if !is_name(role) {
            return Err(wrong(format!("the role {role:?} is not a lower-case name")));
        }
        if everybody.iter().take(position).any(|other| other == role) {
            return Err(wrong(format!("the role {role} stands twice")));
        }
    }
    for (table, guarded) in &matrix.tables {
        let named = guarded.verbs.iter().map(|verb| format!("{}:{verb}", guarded.noun));
        if let Some(missing) = named.into_iter().find(|permission| !matrix.permissions.contains_key(permission)) {
            return Err(wrong(format!("{table} is guarded by {missing}, which has no row in [permissions]")));
        }
    }
    let mut cells = Vec::new();
    for (permission, scopes) in &matrix.permissions {
        if !is_permission(permission) {
            return Err(wrong(format!("{permission:?} is not noun:verb in lower case; the scope does not belong into the name")));
        }
        if scopes.len() != matrix.roles.len() && scopes.len() != everybody.len() {
            return Err(wrong(format!("{permission} has {} cells for {} roles", scopes.len(), matrix.roles.len())));
        }
        for (role, scope) in everybody.iter().copied().zip(scopes) {
            match scope.as_str() {
                "-" => {}
                "all" | "assigned" | "own" => {
                    cells.push(Cell { role: role.clone(), permission: permission.clone(), scope: scope.clone() });
                }
                other => return Err(wrong(format!("{permission} gives {role} the scope {other:?}; it is all, assigned, own or -"))),
            }
        }
    }
    Ok(cells)
}

/// Loads the matrix into the database and returns the number of cells that changed. Runs in a transaction of the owner.
pub(super) async fn load(session: &Session, file: &File) -> Result<u64> {
    let cells = parse(&file.path, &file.text)?;
    let matrix: Value = cells.iter().map(|cell| json!({ "role": cell.role, "permission": cell.permission, "scope": cell.scope })).collect();
    let row = session.client.query_one("select app.load_permissions($1)", &[&matrix]).await.map_err(error::query)?;
    Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
}

fn is_permission(text: &str) -> bool {
    let scoped = text.ends_with("_assigned") || text.ends_with("_own");
    !scoped && text.split_once(':').is_some_and(|(noun, verb)| is_name(noun) && is_name(verb))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_and_empty_ones_left_out() {
        let cells = parse(
            "permissions.toml",
            "roles = [\"owner\", \"viewer\"]\n[permissions]\n\"jobs:read\" = [\"all\", \"own\"]\n\"jobs:delete\" = [\"all\", \"-\"]",
        )
        .unwrap();
        let text: Vec<String> = cells.iter().map(|cell| format!("{} {} {}", cell.role, cell.permission, cell.scope)).collect();
        assert_eq!(text, ["owner jobs:delete all", "owner jobs:read all", "viewer jobs:read own"]);
        let guests =
            "roles = [\"owner\"]\nguests = [\"portal\"]\n[permissions]\n\"jobs:read\" = [\"all\", \"own\"]\n\"jobs:delete\" = [\"all\"]";
        let cells = parse("permissions.toml", guests).unwrap();
        let portal: Vec<&Cell> = cells.iter().filter(|cell| cell.role == "portal").collect();
        assert!(matches!(portal[..], [cell] if cell.permission == "jobs:read" && cell.scope == "own"), "{portal:?}");
    }

    #[test]
    fn mistakes_are_named() {
        let check = |toml: &str, expected: &str| {
            let error = parse("permissions.toml", toml).unwrap_err();
            assert_eq!(error.code(), error::PERMISSIONS);
            assert!(error.message().contains(expected), "{}", error.message());
        };
        check("roles = [\"a\"]\n[permissions]\n\"jobs\" = [\"all\"]", "noun:verb");
        check("roles = [\"a\"]\n[permissions]\n\"jobs:read_own\" = [\"all\"]", "noun:verb");
        check("roles = [\"a\", \"b\"]\n[permissions]\n\"jobs:read\" = [\"all\"]", "1 cells for 2 roles");
        check("roles = [\"a\"]\n[permissions]\n\"jobs:read\" = [\"some\"]", "scope \"some\"");
        check("roles = [\"a\", \"a\"]\n[permissions]", "twice");
        check("roles = []\n[permissions]", "empty");
        check("roles = [\"a\"]\nguests = [\"a\"]\n[permissions]", "twice");
        check("roles = [\"a\"]\nguests = [\"b\", \"c\"]\n[permissions]\n\"jobs:read\" = [\"all\", \"own\"]", "2 cells for 1 roles");
        check(
            "roles = [\"a\"]\n[permissions]\n\"jobs:read\" = [\"all\"]\n[tables]\n\"public.jobs\" = { noun = \"jobs\", verbs = [\"read\", \"create\"] }",
            "jobs:create",
        );
        check("rolls = []\n[permissions]", "rolls");
        check("roles = [\"a\"]\n[permissions]\n\"a:b\" = [\"all\"]\n\"a:b\" = [\"-\"]", "duplicate");
    }
}
