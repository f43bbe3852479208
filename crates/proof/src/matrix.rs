//! Every table x every caller x every operation, against the promise.

use std::collections::BTreeMap;

use postgres::{Access, Sql, Tx};
use serde_json::Value;
use tokio_postgres::Client;

use crate::attempt::{Column, Outcome, Pointer, Target, attempt};
use crate::expectation::{Permissions, Reach, Standing, VERBS, Verb};
use crate::world::{Caller, World};

/// Every table of the database with its columns, its keys and who may write what.
const TABLES: &str = "
select n.nspname, c.relname, c.relispartition,
       (select json_agg(json_build_object('name', a.attname,
                 'inserted_by', (select coalesce(json_agg(r), '[]') from unnest(array['anon', 'authenticated', 'service_role']) r
                                  where has_column_privilege(r, c.oid, a.attnum, 'insert')),
                 'updated_by', (select coalesce(json_agg(r), '[]') from unnest(array['anon', 'authenticated', 'service_role']) r
                                 where has_column_privilege(r, c.oid, a.attnum, 'update'))) order by a.attnum)
          from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '')::text,
       (select coalesce(json_agg(a.attname order by array_position(i.indkey::smallint[], a.attnum)), '[]')
          from pg_index i join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
         where i.indrelid = c.oid and i.indisprimary)::text,
       (select coalesce(json_agg(json_build_object('name', k.conname,
                 'columns', (select json_agg(a.attname order by p) from unnest(k.conkey) with ordinality u (n, p)
                               join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.n),
                 'foreign_table', (select fn.nspname || '.' || fc.relname from pg_class fc join pg_namespace fn on fn.oid = fc.relnamespace
                                    where fc.oid = k.confrelid),
                 'foreign_columns', (select json_agg(a.attname order by p) from unnest(k.confkey) with ordinality u (n, p)
                                       join pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.n))), '[]')
          from pg_constraint k where k.conrelid = c.oid and k.contype = 'f')::text
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_toast'
 order by 1, 2";

/// What a run found.
#[derive(Debug, Default)]
pub struct Report {
    /// How many attempts were made.
    pub cells: usize,
    /// How many ended how: the words of each outcome.
    pub outcomes: BTreeMap<String, usize>,
    /// What is not as promised.
    pub findings: Vec<String>,
}

struct Table {
    full_name: String,
    is_partition: bool,
    target: Target,
    /// The rows as they are, and where each stands.
    rows: Vec<(String, Value)>,
}

/// Tries everything; or, where tables are named, everything on these.
pub async fn run(world: &World, only: &[&str]) -> Report {
    let permissions = Permissions::read();
    let tables = tables(&world.superuser().await).await;
    let mut report = Report::default();
    for known in permissions.known() {
        if !tables.iter().any(|table| table.full_name == known) {
            report.findings.push(format!("{known} is in permissions.toml and not in the database"));
        }
    }
    for table in &tables {
        if !table.is_partition && !permissions.knows(&table.full_name) {
            report.findings.push(format!("{} is not in permissions.toml", table.full_name));
        }
        if !table.is_partition && table.rows.is_empty() {
            report.findings.push(format!("{} has no rows to try on", table.full_name));
        }
    }
    for caller in world.callers(&permissions) {
        for table in tables.iter().filter(|table| only.is_empty() || only.contains(&table.full_name.as_str())) {
            let tx = Box::pin(world.database.begin(&caller.grant, &kernel::RequestContext::default(), Access::Write)).await;
            let cell = Cell { permissions: &permissions, caller: &caller, table, tables: &tables, tx: &tx.expect("a transaction") };
            Box::pin(cell.run(&mut report)).await;
        }
    }
    report
}

async fn tables(client: &Client) -> Vec<Table> {
    let mut tables = Vec::new();
    for row in client.query(TABLES, &[]).await.expect("the catalog") {
        let (schema, name): (String, String) = (row.get(0), row.get(1));
        let json =
            |index: usize| serde_json::from_str::<Value>(&row.get::<_, Option<String>>(index).unwrap_or("[]".to_owned())).expect("JSON");
        let all = format!("select tableoid::regclass::text, ctid::text, to_jsonb(t)::text from only {schema:?}.{name:?} t order by ctid");
        let rows = client.query(all.as_str(), &[]).await.expect("the rows");
        let rows = rows.iter().map(|row| (row.get(1), serde_json::from_str(row.get(2)).expect("JSON"))).collect();
        let target = Target {
            key: texts(&json(4)),
            columns: json(3).as_array().into_iter().flatten().map(column).collect(),
            pointers: json(5).as_array().into_iter().flatten().filter_map(pointer).collect(),
            schema: schema.clone(),
            name: name.clone(),
        };
        tables.push(Table { full_name: format!("{schema}.{name}"), is_partition: row.get(2), target, rows });
    }
    tables
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn column(value: &Value) -> Column {
    Column { name: text(&value["name"]), inserted_by: texts(&value["inserted_by"]), updated_by: texts(&value["updated_by"]) }
}

/// Returns the pointer of a key with a company in it, or of any key that names one column.
fn pointer(value: &Value) -> Option<Pointer> {
    let (columns, foreign) = (texts(&value["columns"]), texts(&value["foreign_columns"]));
    Some(Pointer {
        name: text(&value["name"]),
        column: columns.last()?.clone(),
        foreign_table: text(&value["foreign_table"]),
        foreign_column: foreign.last()?.clone(),
    })
}

/// One caller at one table.
struct Cell<'a> {
    permissions: &'a Permissions,
    caller: &'a Caller,
    table: &'a Table,
    tables: &'a [Table],
    tx: &'a Tx,
}

/// What is expected of an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Expected {
    /// It reaches the row; a rule of the business may still refuse it.
    Reached,
    /// One of these refuses it.
    Refused(&'static [Outcome]),
}

/// Rules of rank speak before any key: whoever asks may not change that member at all.
const RANK: &[&str] = &["own_role_change", "own_membership", "member_outranks", "permission_denied"];
const BY_GRANT: Expected = Expected::Refused(&[Outcome::Grant]);
const BY_POLICY: Expected = Expected::Refused(&[Outcome::Policy]);

impl Cell<'_> {
    async fn run(&self, report: &mut Report) {
        for (place, row) in &self.table.rows {
            self.reads_and_writes(report, place, row).await;
            self.moves(report, place, row).await;
            self.points(report, place, row).await;
        }
        for verb in VERBS {
            // Whoever may not even name the table is refused before any row is looked at: also where there is none.
            if self.table.rows.is_empty() && verb == Verb::Read {
                self.check(report, "select", self.expected(Verb::Read, &Value::Null), self.table.target.read("(0,1)")).await;
            }
        }
        self.check(report, "truncate", BY_GRANT, self.table.target.truncate()).await;
    }

    async fn reads_and_writes(&self, report: &mut Report, place: &str, row: &Value) {
        let target = &self.table.target;
        let role = self.role();
        self.check(report, "select", self.expected(Verb::Read, row), target.read(place)).await;
        self.check(report, "update", self.expected_of_change(Verb::Update, row), target.update(place, role)).await;
        self.check(report, "delete", self.expected_of_change(Verb::Delete, row), target.delete(place)).await;
        // The same row again: past the walls it meets its own key.
        self.check(report, "insert", self.expected(Verb::Create, row), target.insert(&row.to_string(), role)).await;
        let both = self.expected_of_upsert(row);
        if !target.key.is_empty() {
            self.check(report, "upsert", both, target.upsert(&row.to_string(), role)).await;
        }
    }

    /// Gives the row to another company.
    async fn moves(&self, report: &mut Report, place: &str, row: &Value) {
        let Some(tenant_column) = self.permissions.tenant_column(&self.table.full_name) else { return };
        if self.caller.standing == Standing::Service {
            return;
        }
        let elsewhere = self.table.rows.iter().map(|(_, other)| &other[tenant_column]).find(|other| **other != row[tenant_column]);
        let Some(other) = elsewhere.and_then(Value::as_str) else { return };
        // Without the right to the column, or hidden, or refused for what it would become.
        let walls = Expected::Refused(&[Outcome::Grant, Outcome::Policy]);
        self.check(report, "move to another company", walls, self.table.target.set(place, tenant_column, other)).await;
    }

    /// Points each key of the row at a row of another company.
    async fn points(&self, report: &mut Report, place: &str, row: &Value) {
        let Some(tenant_column) = self.permissions.tenant_column(&self.table.full_name) else { return };
        for pointer in &self.table.target.pointers {
            let Some(foreign) = self.tables.iter().find(|table| table.full_name == pointer.foreign_table) else { continue };
            let Some(foreign_tenant) = self.permissions.tenant_column(&foreign.full_name) else { continue };
            if pointer.column == tenant_column {
                continue;
            }
            let elsewhere = foreign.rows.iter().map(|(_, other)| other).find(|other| other[foreign_tenant] != row[tenant_column]);
            let Some(value) = elsewhere.and_then(|other| other[pointer.foreign_column.as_str()].as_str()) else { continue };
            let may_write = self.table.target.may_update(&pointer.column, self.role());
            // What the row would become has to be within reach, too: whoever has only his own cannot hand them on.
            let mut changed = row.clone();
            changed.as_object_mut().expect("a row").insert(pointer.column.clone(), Value::from(value));
            let walls = match self.expected_of_change(Verb::Update, row) {
                Expected::Reached if may_write && self.expected_of_change(Verb::Update, &changed) == BY_POLICY => BY_POLICY,
                // Past the other walls the key itself refuses.
                Expected::Reached if may_write => Expected::Refused(&[Outcome::Key]),
                Expected::Refused(&[Outcome::Policy]) if may_write => BY_POLICY,
                Expected::Reached | Expected::Refused(_) => BY_GRANT,
            };
            let what = format!("point {} at another company's row", pointer.name);
            self.check(report, &what, walls, self.table.target.set(place, &pointer.column, value)).await;
        }
    }

    fn role(&self) -> &'static str {
        self.caller.grant.principal().database_role()
    }

    fn expected(&self, verb: Verb, row: &Value) -> Expected {
        match self.permissions.reach(&self.caller.standing, &self.table.full_name, verb) {
            Reach::Barred => BY_GRANT,
            reach if reach.covers(row) => Expected::Reached,
            _ => BY_POLICY,
        }
    }

    /// A change names the row by its place, and so needs the right to read it, too.
    fn expected_of_change(&self, verb: Verb, row: &Value) -> Expected {
        match (self.expected(Verb::Read, row), self.expected(verb, row)) {
            (Expected::Reached, Expected::Reached) => Expected::Reached,
            (BY_GRANT, _) | (_, BY_GRANT) => BY_GRANT,
            _ => BY_POLICY,
        }
    }

    fn expected_of_upsert(&self, row: &Value) -> Expected {
        let parts = [self.expected(Verb::Create, row), self.expected_of_change(Verb::Update, row)];
        if parts.contains(&BY_GRANT) {
            BY_GRANT
        } else if parts.contains(&BY_POLICY) {
            BY_POLICY
        } else {
            Expected::Reached
        }
    }

    async fn check(&self, report: &mut Report, what: &str, expected: Expected, statement: Sql) {
        let (outcome, words) = attempt(self.tx, statement).await;
        report.cells = report.cells.saturating_add(1);
        let count = report.outcomes.entry(format!("{outcome:?}").to_lowercase()).or_default();
        *count = count.saturating_add(1);
        let as_promised = match expected {
            Expected::Reached => matches!(outcome, Outcome::Passed | Outcome::Rule | Outcome::Key),
            Expected::Refused(&[Outcome::Key]) if outcome == Outcome::Rule => RANK.iter().any(|rule| words.starts_with(rule)),
            Expected::Refused(walls) => walls.contains(&outcome),
        };
        if !as_promised {
            let Self { caller, table, .. } = self;
            report
                .findings
                .push(format!("{}: {what} on {}: expected {expected:?}, found {outcome:?} ({words})", caller.name, table.full_name));
        }
    }
}
