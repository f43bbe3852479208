//! What `db/permissions.toml` promises, as an answer to: does this caller reach this row for this?
//!
//! Invariant: nothing here has seen the database's policies.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::rules;

/// The file, compiled in so that a proof and its promise are of one commit.
const TEXT: &str = include_str!("../../../db/permissions.toml");

/// What can be done to a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// SELECT.
    Read,
    /// INSERT.
    Create,
    /// UPDATE.
    Update,
    /// DELETE.
    Delete,
}

/// Who asks, as far as the promise depends on it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// Has at most the public key.
    Anonymous,
    /// Is signed in and in no company.
    Alone { user_id: String },
    /// Is in a company, in a role.
    Member { user_id: String, company_id: String, role: String },
    /// Shows a pass of a company: what the role of such passes has, of what belongs to one row of this table, a customer or what a link is of.
    Guest { company_id: String, role: String, whose: (String, String) },
    /// Has the service key.
    Service,
}

/// What a caller reaches of a table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Reach<'a> {
    /// Nothing: the right to the table is missing.
    Barred,
    /// Nothing: the table's policies let no row through.
    NoRows,
    /// Every row.
    Everything,
    /// The rows of a company, or those of them that are the user's in one of these ways.
    Company { tenant_column: &'a str, company_id: &'a str, whose: Option<Whose<'a>> },
    /// The rows of a company that are a customer's, and that he was shown.
    Customer { tenant_column: &'a str, company_id: &'a str, his: His<'a> },
    /// The rows of a base, narrowed by what they belong to: whoever reaches that; all of that where the base is of what is assigned.
    Bound { base: Box<Reach<'a>>, by_owner: bool, owners: Vec<(&'a str, Reach<'a>)> },
    /// The rows whose column names the user.
    Own { column: &'a str, user_id: &'a str },
}

/// How a row is a user's: a column names him, the crew has him, or the row that it belongs to is within his reach.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Whose<'a> {
    user_id: &'a str,
    column: Option<&'a str>,
    crew: Option<&'a str>,
    parent: Option<Box<Reach<'a>>>,
}

/// The table of customers.
pub(crate) const CUSTOMERS: &str = "public.customers";

/// How a row is a customer's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum His<'a> {
    /// It is his company's.
    Company,
    /// A column names him.
    Column { table: &'a str, column: &'a str, id: &'a str },
    /// It belongs to a row that he reaches.
    Parent(Box<Reach<'a>>),
    /// It is named by the type and id of a row that he reaches.
    Owner { table: &'a str, owners: Vec<(&'a str, Reach<'a>)> },
}

/// Under this name a row, once read, carries the one that it belongs to.
pub(crate) const PARENT: &str = "@parent";

/// Under this name it carries the one that its type and id name.
pub(crate) const OWNER: &str = "@owner";

/// What guests are shown the files of.
const SHOWN_WITH: [&str; 4] = ["job", "estimate", "invoice", "contract"];

/// The promise.
#[derive(Clone, Debug, Deserialize)]
pub struct Permissions {
    /// The roles, in the order of the cells.
    pub roles: Vec<String>,
    /// Who is no member; their cells come behind those of the roles.
    pub guests: Vec<String>,
    #[serde(rename = "permissions")]
    cells: BTreeMap<String, Vec<String>>,
    tables: BTreeMap<String, Guarded>,
    personal: BTreeMap<String, Personal>,
    policied: BTreeMap<String, Policied>,
    owners: BTreeMap<String, String>,
    internal: Internal,
}

#[derive(Clone, Debug, Deserialize)]
struct Guarded {
    noun: String,
    #[serde(default = "company_id")]
    tenant: String,
    assigned: Option<String>,
    crew: Option<String>,
    parent: Option<Parent>,
    own: Option<String>,
    customer: Option<String>,
    #[serde(default)]
    owner: bool,
    verbs: Vec<Verb>,
    service: Option<Vec<Verb>>,
}

/// The row that another one belongs to.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Parent {
    /// Its table.
    pub(crate) table: String,
    /// The column that names it.
    pub(crate) column: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Personal {
    own: String,
    verbs: Vec<Verb>,
}

/// Who may try, where policies give out the rows.
#[derive(Clone, Debug, Deserialize)]
struct Policied {
    members: Vec<Verb>,
    #[serde(default)]
    visitors: Vec<Verb>,
    #[serde(default)]
    guests: Vec<Verb>,
}

impl Policied {
    fn reach(&self, who: &Standing, verb: Verb) -> Reach<'static> {
        let verbs = match who {
            Standing::Alone { .. } | Standing::Member { .. } => &self.members,
            Standing::Guest { .. } if !self.guests.is_empty() => &self.guests,
            Standing::Anonymous | Standing::Guest { .. } => &self.visitors,
            Standing::Service => return Reach::Everything,
        };
        if verbs.contains(&verb) { Reach::NoRows } else { Reach::Barred }
    }
}

#[derive(Clone, Debug, Deserialize)]
struct Internal {
    tables: Vec<String>,
    readable: Vec<String>,
    service_all: Vec<String>,
    service_read: Vec<String>,
}

fn company_id() -> String {
    "company_id".to_owned()
}

impl Permissions {
    /// Reads the file.
    pub fn read() -> Self {
        toml::from_str(TEXT).expect("db/permissions.toml is well formed")
    }

    /// Tells whether the file knows a table.
    pub(crate) fn knows(&self, table: &str) -> bool {
        let internal = &self.internal;
        self.tables.contains_key(table)
            || self.personal.contains_key(table)
            || self.policied.contains_key(table)
            || internal.tables.iter().chain(&internal.readable).any(|known| known == table)
    }

    /// Returns the tables that the file knows.
    pub(crate) fn known(&self) -> impl Iterator<Item = &str> {
        let internal = self.internal.tables.iter().chain(&self.internal.readable);
        self.tables.keys().chain(self.personal.keys()).chain(self.policied.keys()).chain(internal).map(String::as_str)
    }

    /// Returns the column that holds a table's company.
    pub(crate) fn tenant_column(&self, table: &str) -> Option<&str> {
        self.tables.get(table).map(|guarded| guarded.tenant.as_str())
    }

    /// Returns the columns by which a row of a table is somebody's.
    pub(crate) fn person_columns(&self, table: &str) -> Vec<&str> {
        let guarded = self.tables.get(table);
        guarded.into_iter().flat_map(|guarded| guarded.assigned.iter().chain(&guarded.own)).map(String::as_str).collect()
    }

    /// Returns the row that a table's rows belong to.
    pub(crate) fn parent(&self, table: &str) -> Option<&Parent> {
        self.tables.get(table).and_then(|guarded| guarded.parent.as_ref())
    }

    /// Tells whether some role reaches only some of a table's rows, by more than the columns of `person_columns`.
    pub(crate) fn is_shared_out(&self, table: &str) -> bool {
        let Some(guarded) = self.tables.get(table) else { return false };
        let some = |role: &String| self.scope(role, &guarded.noun, Verb::Read) == "assigned";
        (guarded.crew.is_some() || guarded.parent.is_some()) && self.roles.iter().any(some)
    }

    /// Returns what a caller reaches of a table.
    pub(crate) fn reach<'a>(&'a self, who: &'a Standing, table: &'a str, verb: Verb) -> Reach<'a> {
        if let Some(policied) = self.policied.get(table) {
            return policied.reach(who, verb);
        }
        match who {
            Standing::Service => return self.reach_of_service(table, verb),
            Standing::Guest { .. } => return self.reach_of_guest(who, table, verb),
            _ => {}
        }
        if let Some(guarded) = self.tables.get(table) {
            let base = self.reach_of_member(who, guarded, verb);
            if !guarded.owner || base == Reach::Barred {
                return base;
            }
            // Whoever adds a file to something, or takes one away, changes it.
            let owners = self.owners(who, if verb == Verb::Read { Verb::Read } else { Verb::Update });
            let by_owner = matches!(who, Standing::Member { role, .. } if self.scope(role, &guarded.noun, verb) == "assigned");
            return Reach::Bound { base: Box::new(base), by_owner, owners };
        }
        if let Some(personal) = self.personal.get(table) {
            return match who {
                Standing::Alone { user_id } | Standing::Member { user_id, .. } if personal.verbs.contains(&verb) => {
                    Reach::Own { column: &personal.own, user_id }
                }
                _ => Reach::Barred,
            };
        }
        if verb == Verb::Read && self.internal.readable.iter().any(|known| known == table) { Reach::Everything } else { Reach::Barred }
    }

    /// Returns the table that the rows of another one may name by type and id, by type, where they do.
    pub(crate) fn owner(&self, table: &str, entity_type: &str) -> Option<&str> {
        self.tables.get(table).filter(|guarded| guarded.owner)?;
        self.owners.get(entity_type).map(String::as_str)
    }

    fn owners<'a>(&'a self, who: &'a Standing, verb: Verb) -> Vec<(&'a str, Reach<'a>)> {
        self.owners.iter().map(|(name, table)| (name.as_str(), self.reach(who, table, verb))).collect()
    }

    fn reach_of_service(&self, table: &str, verb: Verb) -> Reach<'_> {
        let names = |tables: &[String]| tables.iter().any(|known| known == table);
        let reaches = match self.tables.get(table) {
            Some(Guarded { service: Some(verbs), .. }) => verbs.contains(&verb),
            Some(_) => true,
            None if self.personal.contains_key(table) || names(&self.internal.service_all) => true,
            None => verb == Verb::Read && names(&self.internal.service_read),
        };
        if reaches { Reach::Everything } else { Reach::Barred }
    }

    /// Guests write no table, and read those alone that are declared for them, and which buckets are of companies.
    fn reach_of_guest<'a>(&'a self, who: &'a Standing, table: &'a str, verb: Verb) -> Reach<'a> {
        if table == "app.company_buckets" && verb == Verb::Read {
            return Reach::Everything;
        }
        let Standing::Guest { company_id, role, whose: (whose, id) } = who else { return Reach::Barred };
        let guarded = self.tables.get(table).filter(|_| verb == Verb::Read);
        let Some((guarded, column)) = guarded.and_then(|guarded| Some((guarded, guarded.customer.as_deref()?))) else {
            return Reach::Barred;
        };
        if self.scope(role, &guarded.noun, verb) != "own" {
            return Reach::NoRows;
        }
        let his = match (column, &guarded.parent) {
            ("@company", _) => His::Company,
            ("@owner", _) => {
                let owners = self.owners(who, Verb::Read).into_iter().filter(|(name, _)| SHOWN_WITH.contains(name)).collect();
                His::Owner { table, owners }
            }
            ("@parent", Some(parent)) => His::Parent(Box::new(self.reach(who, &parent.table, Verb::Read))),
            // A link is of the one row.
            _ if whose != CUSTOMERS && whose != table => return Reach::NoRows,
            _ => His::Column { table, column: if whose == CUSTOMERS { column } else { "id" }, id },
        };
        Reach::Customer { tenant_column: &guarded.tenant, company_id, his }
    }

    fn reach_of_member<'a>(&'a self, who: &'a Standing, guarded: &'a Guarded, verb: Verb) -> Reach<'a> {
        match who {
            Standing::Anonymous | Standing::Guest { .. } | Standing::Service => Reach::Barred,
            _ if !guarded.verbs.contains(&verb) => Reach::Barred,
            Standing::Alone { .. } => Reach::NoRows,
            Standing::Member { user_id, company_id, role } => {
                let company = |whose| Reach::Company { tenant_column: &guarded.tenant, company_id, whose };
                let named = |column| Whose { user_id, column, crew: None, parent: None };
                match (self.scope(role, &guarded.noun, verb), guarded.assigned.as_deref(), guarded.own.as_deref()) {
                    ("all", _, _) => company(None),
                    ("own", _, Some(column)) => company(Some(named(Some(column)))),
                    ("assigned", column, _) => company(Some(Whose {
                        crew: guarded.crew.as_deref(),
                        parent: guarded.parent.as_ref().map(|parent| Box::new(self.reach(who, &parent.table, Verb::Read))),
                        ..named(column)
                    })),
                    _ => Reach::NoRows,
                }
            }
        }
    }

    fn scope(&self, role: &str, noun: &str, verb: Verb) -> &str {
        let verb = match verb {
            Verb::Read => "read",
            Verb::Create => "create",
            Verb::Update => "update",
            Verb::Delete => "delete",
        };
        let position = self.roles.iter().chain(&self.guests).position(|known| known == role);
        let cells = self.cells.get(&format!("{noun}:{verb}"));
        cells.zip(position).and_then(|(cells, position)| cells.get(position)).map_or("-", String::as_str)
    }
}

impl Reach<'_> {
    /// Tells whether a row is within reach.
    pub(crate) fn covers(&self, row: &Value) -> bool {
        let is = |column: &str, value: &str| row.get(column).and_then(Value::as_str) == Some(value);
        match self {
            Self::Barred | Self::NoRows => false,
            Self::Everything => true,
            Self::Company { tenant_column, company_id, whose } => {
                is(tenant_column, company_id) && whose.as_ref().is_none_or(|whose| whose.has(row))
            }
            Self::Customer { tenant_column, company_id, his } => is(tenant_column, company_id) && his.has(row),
            Self::Own { column, user_id } => is(column, user_id),
            Self::Bound { base, by_owner, owners } => match row["entity_type"].as_str() {
                Some(_) => reaches_owner(owners, row) && (*by_owner || base.covers(row)),
                None => base.covers(row),
            },
        }
    }
}

impl His<'_> {
    fn has(&self, row: &Value) -> bool {
        match self {
            Self::Company => true,
            Self::Column { table, column, id } => row[*column] == *id && !rules::not_shown_yet(table, row),
            Self::Parent(reach) => row.get(PARENT).is_some_and(|parent| reach.covers(parent)),
            Self::Owner { table, owners } => reaches_owner(owners, row) && !rules::not_shown_yet(table, row),
        }
    }
}

/// Tells whether what a row belongs to is within reach.
fn reaches_owner(owners: &[(&str, Reach<'_>)], row: &Value) -> bool {
    let reach = owners.iter().find(|(name, _)| row["entity_type"] == **name).map(|(_, reach)| reach);
    reach.zip(row.get(OWNER)).is_some_and(|(reach, owner)| reach.covers(owner))
}

impl Whose<'_> {
    fn has(&self, row: &Value) -> bool {
        let named = self.column.is_some_and(|column| row[column] == self.user_id);
        let crew = self.crew.and_then(|column| row[column].as_array());
        named
            || crew.is_some_and(|crew| crew.iter().any(|user| user == self.user_id))
            || self.parent.as_ref().is_some_and(|reach| row.get(PARENT).is_some_and(|parent| reach.covers(parent)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn member(role: &str) -> Standing {
        Standing::Member { user_id: "u".to_owned(), company_id: "a".to_owned(), role: role.to_owned() }
    }

    #[test]
    fn the_promise_is_read_as_it_is_meant() {
        let permissions = Permissions::read();
        let covers = |who: &Standing, table: &str, verb, row: Value| permissions.reach(who, table, verb).covers(&row);
        let ours = json!({ "company_id": "a", "assigned_to": "u" });
        let not_mine = json!({ "company_id": "a", "assigned_to": "v" });
        let theirs = json!({ "company_id": "b", "assigned_to": "u" });
        assert!(covers(&member("owner"), "public.jobs", Verb::Delete, not_mine.clone()));
        assert!(!covers(&member("owner"), "public.jobs", Verb::Read, theirs.clone()));
        assert!(covers(&member("technician"), "public.jobs", Verb::Update, ours.clone()));
        assert!(!covers(&member("technician"), "public.jobs", Verb::Read, not_mine));
        assert!(covers(&member("technician"), "public.jobs", Verb::Read, json!({ "company_id": "a", "crew": ["v", "u"] })));
        let noted = |job: &Value| json!({ "company_id": "a", PARENT: job });
        assert!(covers(&member("technician"), "public.notes", Verb::Read, noted(&ours)));
        assert!(!covers(&member("technician"), "public.notes", Verb::Read, noted(&theirs)));
        assert!(!covers(&member("technician"), "public.notes", Verb::Read, json!({ "company_id": "a" })));
        assert!(!covers(&member("viewer"), "public.jobs", Verb::Update, ours.clone()));
        assert!(covers(&Standing::Service, "public.jobs", Verb::Delete, theirs));
        assert_eq!(permissions.reach(&Standing::Anonymous, "public.jobs", Verb::Read), Reach::Barred);
        assert_eq!(permissions.reach(&member("owner"), "public.role_change_log", Verb::Update), Reach::Barred);
        assert_eq!(permissions.reach(&Standing::Service, "public.role_change_log", Verb::Delete), Reach::Barred);
        assert!(!permissions.knows("public.made_yesterday"));
    }

    #[test]
    fn a_customer_is_promised_what_is_his_and_was_shown_to_him() {
        let permissions = Permissions::read();
        let guest =
            Standing::Guest { company_id: "a".to_owned(), role: "portal".to_owned(), whose: (CUSTOMERS.to_owned(), "c".to_owned()) };
        let reads = |table: &str, row: Value| permissions.reach(&guest, table, Verb::Read).covers(&row);
        let his = |status: &str| json!({ "company_id": "a", "customer_id": "c", "status": status });
        assert!(reads("public.invoices", his("sent")) && reads("public.jobs", his("scheduled")));
        assert!(!reads("public.invoices", his("draft")) && !reads("public.estimates", his("archived")));
        assert!(!reads("public.invoices", json!({ "company_id": "b", "customer_id": "c", "status": "sent" })));
        assert!(!reads("public.invoices", json!({ "company_id": "a", "customer_id": "d", "status": "sent" })));
        assert!(reads("public.invoice_line_items", json!({ "company_id": "a", PARENT: his("paid") })));
        assert!(!reads("public.invoice_line_items", json!({ "company_id": "a", PARENT: his("draft") })));
        assert!(reads("public.customers", json!({ "company_id": "a", "id": "c" })) && reads("public.companies", json!({ "id": "a" })));
        for (table, verb) in [("public.team_members", Verb::Read), ("public.invoices", Verb::Update), ("auth.users", Verb::Read)] {
            assert_eq!(permissions.reach(&guest, table, verb), Reach::Barred);
        }
    }

    #[test]
    fn what_only_owner_and_admins_change_and_what_technicians_reach_is_promised_so() {
        let permissions = Permissions::read();
        for table in ["public.labor_rates", "public.custom_roles", "public.company_settings"] {
            for role in &permissions.roles {
                let who = member(role);
                let changes = [Verb::Create, Verb::Update, Verb::Delete]
                    .iter()
                    .any(|verb| !matches!(permissions.reach(&who, table, *verb), Reach::Barred | Reach::NoRows));
                assert_eq!(changes, role == "owner" || role == "admin", "{table} by {role}");
            }
        }
        for table in ["public.jobs", "public.schedules", "public.job_tags", "public.job_equipment", "public.form_submissions"] {
            for verb in [Verb::Read, Verb::Update] {
                let technician = member("technician");
                let everything =
                    matches!(permissions.reach(&technician, table, verb), Reach::Everything | Reach::Company { whose: None, .. });
                assert!(!everything, "{table}");
            }
        }
    }
}
