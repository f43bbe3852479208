//! Documents that are made from other files: `./dev generate` writes them, and this test says when they are stale.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use tidy::root;

/// The document that says who may do what.
const PERMISSIONS: &str = "docs/permissions.md";

#[derive(Deserialize)]
struct Matrix {
    roles: Vec<String>,
    #[serde(default)]
    guests: Vec<String>,
    permissions: BTreeMap<String, Vec<String>>,
    tables: BTreeMap<String, Guarded>,
    personal: BTreeMap<String, Personal>,
    policied: BTreeMap<String, Policied>,
    internal: Internal,
}

#[derive(Deserialize)]
struct Guarded {
    noun: String,
    tenant: Option<String>,
    assigned: Option<String>,
    #[serde(default)]
    soft_delete: bool,
    customer: Option<String>,
    verbs: Vec<String>,
    service: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Personal {
    own: String,
    verbs: Vec<String>,
}

#[derive(Deserialize)]
struct Policied {
    members: Vec<String>,
    #[serde(default)]
    visitors: Vec<String>,
}

#[derive(Deserialize)]
struct Internal {
    tables: Vec<String>,
    readable: Vec<String>,
    service_all: Vec<String>,
    service_read: Vec<String>,
}

const HEAD: &str = "# Who may do what

Made from `db/permissions.toml` by `./dev generate`; changes belong there. Why each cell is as it is stands in
`docs/decisions/0002-permissions.md`.

A permission is `noun:verb`. **all** means every row of the company, **assigned** the rows assigned to the member, **own** the rows that are the
member's own, and an empty cell nothing. A member's permissions are those of the role, then what a custom role adds or takes, then the member's own
exceptions; owner and admin hold exactly what stands here. The database decides at every request, from the member's row as it is at that moment.
`portal` is a customer of the company (`docs/portal.md`), `link` whoever has a link (`docs/links.md`): no members, who read what is theirs by the
columns that `db/code/325_guests.sql` lists.
";

fn permissions(matrix: &Matrix) -> String {
    let mut text = HEAD.to_owned();
    let mut nouns: Vec<&str> = matrix.permissions.keys().filter_map(|name| name.split(':').next()).collect();
    nouns.dedup();
    for noun in nouns {
        write!(text, "\n## {noun}\n\n").unwrap();
        for (table, guarded) in matrix.tables.iter().filter(|(_, guarded)| guarded.noun == noun) {
            text.push_str(&guard(table, guarded));
        }
        let rows = || matrix.permissions.iter().filter(|(name, _)| name.split(':').next() == Some(noun));
        // Guests have columns where somebody of them holds something.
        let width = rows().map(|(_, cells)| cells.len()).max().unwrap_or_default();
        let heads: Vec<&str> = matrix.roles.iter().chain(&matrix.guests).take(width).map(String::as_str).collect();
        writeln!(text, "| permission | {} |", heads.join(" | ")).unwrap();
        writeln!(text, "|---|{}", "---|".repeat(heads.len())).unwrap();
        for (name, cells) in rows() {
            let missing = std::iter::repeat_n("", width - cells.len());
            let cells: Vec<&str> = cells.iter().map(|cell| if cell == "-" { "" } else { cell }).chain(missing).collect();
            writeln!(text, "| `{name}` | {} |", cells.join(" | ")).unwrap();
        }
    }
    text.push_str("\n## Tables of no company\n\n");
    for (table, personal) in &matrix.personal {
        writeln!(text, "- `{table}`: everybody the row whose `{}` is his own: {}.", personal.own, personal.verbs.join(", ")).unwrap();
    }
    text.push_str("\n## Tables with policies of their own\n\nPolicies say which rows these are. The service key reaches all of them.\n\n");
    for (table, policied) in &matrix.policied {
        write!(text, "- `{table}`: members may {}", policied.members.join(", ")).unwrap();
        if policied.visitors.is_empty() {
            text.push_str(".\n");
        } else {
            writeln!(text, "; visitors {}.", policied.visitors.join(", ")).unwrap();
        }
    }
    text.push_str("\n## Tables that nobody reaches who asks\n\n");
    let Internal { tables, readable, service_all, service_read } = &matrix.internal;
    for (what, names) in [
        ("No member and no visitor reaches", tables),
        ("Every role reads, and none writes", readable),
        ("The service key reads and writes", service_all),
        ("The service key reads", service_read),
    ] {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        writeln!(text, "- {what}: {}.", names.join(", ")).unwrap();
    }
    text
}

/// Says what a table takes of its noun's permissions.
fn guard(table: &str, guarded: &Guarded) -> String {
    let mut text = format!("Guards `{table}` for: {}.", guarded.verbs.join(", "));
    if let Some(column) = &guarded.assigned {
        write!(text, " *assigned* looks at `{column}`.").unwrap();
    }
    match guarded.customer.as_deref() {
        Some("@company") => text.push_str(" Guests see the one row of their company."),
        Some("@parent") => text.push_str(" A customer's are those that belong to a row of his."),
        Some(column) => write!(text, " A customer's are those whose `{column}` he is.").unwrap(),
        None => {}
    }
    if guarded.soft_delete {
        text.push_str(" Deleted rows are marked by `deleted_at` and come back with `restore`.");
    }
    if let Some(column) = guarded.tenant.as_deref().filter(|column| *column != "company_id") {
        write!(text, " The company is in `{column}`.").unwrap();
    }
    if let Some(verbs) = &guarded.service {
        write!(text, " The service key, too, only: {}.", verbs.join(", ")).unwrap();
    }
    text + "\n\n"
}

#[test]
fn the_permissions_are_documented_as_they_are() {
    let matrix = std::fs::read_to_string(root().join("db/permissions.toml")).unwrap();
    let expected = permissions(&toml::from_str(&matrix).unwrap());
    let path = root().join(PERMISSIONS);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{PERMISSIONS} is stale; run ./dev generate");
}

#[test]
fn a_cell_is_found_where_it_belongs() {
    let matrix = r#"
        roles = ["owner", "viewer"]
        [permissions]
        "jobs:read" = ["all", "assigned"]
        "jobs:delete" = ["all", "-"]
        [tables]
        "public.jobs" = { noun = "jobs", assigned = "assigned_to", soft_delete = true, verbs = ["read", "delete"], service = ["read"] }
        [personal]
        "public.users" = { own = "id", verbs = ["read"] }
        [policied]
        "storage.objects" = { members = ["read", "create"] }
        "realtime.messages" = { members = ["read"], visitors = ["read"] }
        [internal]
        tables = ["app.secrets"]
        readable = []
        service_all = []
        service_read = []
    "#;
    let text = permissions(&toml::from_str(matrix).unwrap());
    for line in [
        "| permission | owner | viewer |",
        "| `jobs:read` | all | assigned |",
        "| `jobs:delete` | all |  |",
        "Guards `public.jobs` for: read, delete. *assigned* looks at `assigned_to`. Deleted rows are marked by `deleted_at` and come back with `restore`. The service key, too, only: read.",
        "- `public.users`: everybody the row whose `id` is his own: read.",
        "- `storage.objects`: members may read, create.",
        "- `realtime.messages`: members may read; visitors read.",
        "- No member and no visitor reaches: `app.secrets`.",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}
