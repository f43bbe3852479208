//! Every table x every caller x every operation, against the promise.

use std::collections::BTreeMap;

use postgres::{Access, Sql, Tx};
use serde_json::Value;
use uuid::Uuid;

use crate::attempt::{Outcome, attempt};
use crate::expectation::{PARENT, Permissions, Reach, Standing, Verb};
use crate::tables::{Table, read, shortcomings, with_parents};
use crate::target::{Place, Pointer};
use crate::world::{ALONE, COMPANIES, Caller, World};
use crate::{bare, lent, rules};

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

impl Report {
    /// Counts an attempt.
    pub(crate) fn count(&mut self, outcome: impl std::fmt::Debug) {
        self.cells = self.cells.saturating_add(1);
        let count = self.outcomes.entry(format!("{outcome:?}").to_lowercase()).or_default();
        *count = count.saturating_add(1);
    }

    /// Says in one line what was done.
    pub fn summary(&self) -> String {
        let counts: Vec<String> = self.outcomes.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
        format!("{} attempts: {}", self.cells, counts.join(", "))
    }
}

/// What is expected of an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Expected {
    /// It reaches the row.
    Passed,
    /// This wall refuses it, and no other.
    Refused(Outcome),
    /// This rule of the business refuses it.
    Rule(&'static str),
}

use Expected::{Passed, Refused};

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub enum Scope<'a> {
    /// Everything.
    Everything,
    /// Everything on these tables.
    Tables(&'a [&'a str]),
    /// Views and functions.
    Lent,
}

/// Tries it.
pub async fn run(world: &World, scope: Scope<'_>) -> Report {
    let permissions = Permissions::read();
    let tables = with_parents(read(&world.superuser().await).await, &permissions);
    let mut report = Report { findings: shortcomings(&tables, &permissions), ..Report::default() };
    let is_tried = |table: &&Table| match scope {
        Scope::Everything => true,
        Scope::Tables(names) => names.contains(&table.full_name.as_str()),
        Scope::Lent => false,
    };
    let tried: Vec<&Table> = tables.iter().filter(is_tried).collect();
    for caller in world.callers(&permissions) {
        for table in &tried {
            let tx = begin(world, &caller).await.expect("a transaction");
            let cell = Cell { permissions: &permissions, caller: &caller, table, tables: &tables, tx: &tx };
            Box::pin(cell.run(&mut report)).await;
        }
        if !matches!(scope, Scope::Tables(_)) {
            let tx = begin(world, &caller).await.expect("a transaction");
            Box::pin(lent::run(&caller, &tx, &mut report)).await;
        }
    }
    for intruder in world.intruders(&permissions) {
        report.count("door");
        match begin(world, &intruder).await {
            Err(error) if error.code() == "company_not_member" => {}
            other => report.findings.push(format!("{}: expected company_not_member, found {other:?}", intruder.name)),
        }
    }
    Box::pin(bare::run(world, &tried, &permissions, &mut report)).await;
    report
}

async fn begin(world: &World, caller: &Caller) -> kernel::Result<Tx> {
    Box::pin(world.database.begin(&caller.grant, &kernel::RequestContext::default(), Access::Write)).await
}

/// One caller at one table.
struct Cell<'a> {
    permissions: &'a Permissions,
    caller: &'a Caller,
    table: &'a Table,
    tables: &'a [Table],
    tx: &'a Tx,
}

impl Cell<'_> {
    async fn run(&self, report: &mut Report) {
        for (place, row) in &self.table.rows {
            self.reads_and_writes(report, place, row).await;
            self.moves(report, place, row).await;
            self.points(report, place, row).await;
        }
        self.acts_blindly(report).await;
        self.ids_alone(report).await;
        self.asks_by_writing(report).await;
        self.check(report, "truncate", Refused(Outcome::Grant), self.table.target.truncate()).await;
    }

    async fn reads_and_writes(&self, report: &mut Report, place: &Place, row: &Value) {
        let (target, role) = (&self.table.target, self.role());
        self.check(report, "select", self.expected(Verb::Read, row), target.read(place)).await;
        self.check(report, "update", self.by_rule(Verb::Update, row), target.update(place, role)).await;
        self.check(report, "delete", self.by_rule(Verb::Delete, row), target.delete(place)).await;
        if let Some(fresh) = target.fresh(row, ALONE) {
            self.check(report, "insert", self.by_rule(Verb::Create, row), target.insert(&fresh, role)).await;
        }
        if !target.key.is_empty() {
            // The same row again: past the walls it meets its own key.
            let again = match self.expected(Verb::Create, row) {
                Passed => Refused(Outcome::Unique),
                refused => refused,
            };
            self.check(report, "insert again", again, target.insert(row, role)).await;
            self.check(report, "upsert", self.expected_of_upsert(row), target.upsert(row, role)).await;
        }
    }

    /// Gives the row to another company. What the service may reach it may move.
    async fn moves(&self, report: &mut Report, place: &Place, row: &Value) {
        let Some(tenant_column) = self.permissions.tenant_column(&self.table.full_name) else { return };
        if self.caller.standing == Standing::Service {
            return;
        }
        let elsewhere = self.table.rows.iter().map(|(_, other)| &other[tenant_column]).find(|other| **other != row[tenant_column]);
        let Some(other) = elsewhere.and_then(Value::as_str) else { return };
        let wall = match self.expected_of_change(Verb::Update, row) {
            _ if !self.table.target.may_update(tenant_column, self.role()) => Refused(Outcome::Grant),
            Passed => Refused(Outcome::Check),
            refused => refused,
        };
        self.check(report, "move to another company", wall, self.table.target.set(place, tenant_column, other)).await;
    }

    /// Points each key of the row at a row of another company.
    async fn points(&self, report: &mut Report, place: &Place, row: &Value) {
        let Some(tenant_column) = self.permissions.tenant_column(&self.table.full_name) else { return };
        for pointer in self.pointers(tenant_column) {
            let Some(value) = self.elsewhere(pointer, &row[tenant_column]) else { continue };
            // What the row would become has to be within reach, too: whoever has only his own cannot hand them on.
            let mut changed = row.clone();
            changed[pointer.column.as_str()] = Value::from(value);
            if self.permissions.parent(&self.table.full_name).is_some_and(|parent| parent.column == pointer.column) {
                // No company has this row and that one.
                changed[PARENT] = Value::Null;
            }
            let wall = match self.expected_of_change(Verb::Update, row) {
                _ if !self.table.target.may_update(&pointer.column, self.role()) => Refused(Outcome::Grant),
                Passed => match rules::refusal_to_point(&self.caller.standing, &self.table.full_name, &pointer.column, row) {
                    Some(rule) => rule,
                    None if self.expected_of_change(Verb::Update, &changed) != Passed => Refused(Outcome::Check),
                    // Past the other walls the key itself refuses.
                    None => Refused(Outcome::Key),
                },
                refused => refused,
            };
            let what = format!("point {} at another company's row", pointer.name);
            self.check(report, &what, wall, self.table.target.set(place, &pointer.column, value)).await;
        }
    }

    /// Changes and deletes whatever there is, which takes no right to read: refused where the verb is not promised for any row.
    async fn acts_blindly(&self, report: &mut Report) {
        let (target, role) = (&self.table.target, self.role());
        for (what, verb, statement) in
            [("update blindly", Verb::Update, target.update_blindly(role)), ("delete blindly", Verb::Delete, target.delete_blindly())]
        {
            let mut expected = self.table.rows.iter().map(|(_, row)| self.expected(verb, row));
            // What may be changed meets its own rules, row by row: that is tried elsewhere.
            let Some(first) = expected.next().filter(|first| *first != Passed && !expected.any(|other| other == Passed)) else { continue };
            self.check(report, what, first, statement).await;
        }
    }

    /// Changes rows named by an id that lives in several companies: only those within reach are met.
    async fn ids_alone(&self, report: &mut Report) {
        let id = |row: &Value| row["id"].as_str().map(str::to_owned);
        let mut known: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
        for (_, row) in &self.table.rows {
            if let Some(id) = id(row) {
                known.entry(id).or_default().push(row);
            }
        }
        for (id, twins) in known.into_iter().filter(|(_, rows)| rows.len() > 1) {
            let reached = twins.iter().filter(|row| self.expected_of_change(Verb::Update, row) == Passed).count();
            let expected = match self.expected_of_change(Verb::Update, twins.first().expect("there are several")) {
                Refused(Outcome::Grant) => Refused(Outcome::Grant),
                _ if reached == 0 => Refused(Outcome::Hidden),
                _ => Passed,
            };
            let found = attempt(self.tx, self.table.target.update_by_id(&id, self.role())).await;
            report.count(found.outcome);
            if !agrees(expected, &found) || found.rows != reached {
                self.note(report, "update by id alone", &format!("{expected:?} of {reached} rows"), &found);
            }
        }
    }

    /// Adds, and turns one's own row into, rows of another company that point here and there: whatever there is, the answer is the same.
    async fn asks_by_writing(&self, report: &mut Report) {
        let Standing::Member { company_id, .. } = &self.caller.standing else { return };
        let Some(tenant_column) = self.permissions.tenant_column(&self.table.full_name) else { return };
        let (target, role) = (&self.table.target, self.role());
        let own = self.table.rows.iter().find(|(_, row)| self.by_rule(Verb::Update, row) == Passed);
        let own = own.filter(|_| target.may_update(tenant_column, role));
        // One row is asked with: what differs between rows is tried by reads_and_writes.
        let another = self.table.rows.iter().find(|(_, row)| row[tenant_column] != company_id.as_str());
        let Some((_, row)) = another else { return };
        for pointer in self.pointers(tenant_column) {
            for value in self.targets(pointer).into_iter().chain([Value::from(Uuid::now_v7().to_string())]) {
                let mut asked = row.clone();
                asked[pointer.column.as_str()] = value;
                let what = |way: &str| format!("{way} another company's row that points {} somewhere", pointer.name);
                let fresh = target.fresh(&asked, ALONE).unwrap_or_else(|| asked.clone());
                self.check(report, &what("insert"), self.expected(Verb::Create, row), target.insert(&fresh, role)).await;
                if let Some((place, _)) = own {
                    self.check(report, &what("become"), Refused(Outcome::Check), target.become_another(place, &asked, role)).await;
                }
            }
        }
    }

    /// Returns the keys that point at a row of a company.
    fn pointers(&self, tenant_column: &str) -> impl Iterator<Item = &Pointer> {
        let of_a_company = |pointer: &&Pointer| self.permissions.tenant_column(&pointer.foreign_table).is_some();
        self.table.target.pointers.iter().filter(of_a_company).filter(move |pointer| pointer.column != tenant_column)
    }

    /// Returns some of what a key could point at, in each company.
    fn targets(&self, pointer: &Pointer) -> Vec<Value> {
        let Some(foreign) = self.tables.iter().find(|table| table.full_name == pointer.foreign_table) else { return Vec::new() };
        let Some(tenant_column) = self.permissions.tenant_column(&foreign.full_name) else { return Vec::new() };
        let of = |company: &str| foreign.rows.iter().map(|(_, row)| row).find(|row| row[tenant_column] == company);
        COMPANIES.iter().filter_map(|(_, company)| of(company)).map(|row| row[pointer.foreign_column.as_str()].clone()).collect()
    }

    /// Returns what a key could point at in another company.
    fn elsewhere(&self, pointer: &Pointer, company: &Value) -> Option<&str> {
        let foreign = self.tables.iter().find(|table| table.full_name == pointer.foreign_table)?;
        let tenant_column = self.permissions.tenant_column(&foreign.full_name)?;
        let values = |of_company: bool| {
            let rows = foreign.rows.iter().map(|(_, other)| other).filter(move |other| (other[tenant_column] == *company) == of_company);
            rows.filter_map(|other| other[pointer.foreign_column.as_str()].as_str())
        };
        // What lives in both companies is no stranger.
        values(false).find(|value| !values(true).any(|own| own == *value))
    }

    fn role(&self) -> &'static str {
        self.caller.grant.principal().database_role()
    }

    fn expected(&self, verb: Verb, row: &Value) -> Expected {
        match self.permissions.reach(&self.caller.standing, &self.table.full_name, verb) {
            Reach::Barred => Refused(Outcome::Grant),
            _ if verb == Verb::Create && self.speaks_first(row).is_some() => self.speaks_first(row).unwrap_or(Passed),
            reach if reach.covers(row) => Passed,
            _ if verb == Verb::Create => Refused(Outcome::Check),
            _ => Refused(Outcome::Hidden),
        }
    }

    fn speaks_first(&self, row: &Value) -> Option<Expected> {
        rules::refusal_before_walls(&self.caller.standing, &self.table.full_name, row)
    }

    /// A change names the row by its place, and so needs the right to read it, too.
    fn expected_of_change(&self, verb: Verb, row: &Value) -> Expected {
        match (self.expected(Verb::Read, row), self.expected(verb, row)) {
            (Passed, second) => second,
            (first, Refused(Outcome::Grant)) if first != Passed => Refused(Outcome::Grant),
            (first, _) => first,
        }
    }

    /// What is expected where a rule of the business may speak behind the walls.
    fn by_rule(&self, verb: Verb, row: &Value) -> Expected {
        let walls = if verb == Verb::Create { self.expected(verb, row) } else { self.expected_of_change(verb, row) };
        let rule = rules::refusal(&self.caller.standing, &self.table.full_name, verb, row);
        if walls == Passed { rule.unwrap_or(Passed) } else { walls }
    }

    fn expected_of_upsert(&self, row: &Value) -> Expected {
        match (self.expected(Verb::Create, row), self.by_rule(Verb::Update, row)) {
            (Refused(Outcome::Grant), _) | (_, Refused(Outcome::Grant)) => Refused(Outcome::Grant),
            (Passed, Refused(Outcome::Hidden)) => Refused(Outcome::Using),
            (Passed, change) => change,
            (refused, _) => refused,
        }
    }

    async fn check(&self, report: &mut Report, what: &str, expected: Expected, statement: Sql) {
        let found = attempt(self.tx, statement).await;
        report.count(found.outcome);
        if !agrees(expected, &found) {
            self.note(report, what, &format!("{expected:?}"), &found);
        }
    }

    fn note(&self, report: &mut Report, what: &str, expected: &str, found: &crate::attempt::Found) {
        let (caller, table) = (&self.caller.name, &self.table.full_name);
        report.findings.push(format!("{caller}: {what} on {table}: expected {expected}, found {:?} ({})", found.outcome, found.words));
    }
}

fn agrees(expected: Expected, found: &crate::attempt::Found) -> bool {
    match expected {
        Passed => found.outcome == Outcome::Passed,
        Refused(wall) => found.outcome == wall,
        Expected::Rule(code) => found.outcome == Outcome::Rule && found.code == code,
    }
}
