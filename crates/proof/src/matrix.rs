//! Every table x every caller x every operation, against the promise.

use std::collections::BTreeMap;

use postgres::{Access, Sql, Tx};
use serde_json::Value;

use crate::attempt::{Outcome, attempt};
use crate::expectation::{Permissions, Reach, Standing, Verb};
use crate::report::Report;
use crate::tables::{Table, read, shortcomings, with_parents};
use crate::target::Place;
use crate::world::{ALONE, COMPANIES, Caller, World};
use crate::{bare, lent, rules};

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
    /// These views and functions, by whose rights something is lent.
    Lent(&'a [&'a str]),
}

/// Tries it in one world.
pub async fn run(world: &World, scope: Scope<'_>) -> Report {
    let mut report = Box::pin(part(world, scope, Share { number: 0, of: 1 })).await;
    report.conclude();
    report
}

/// Tries everything, in worlds that are the same, at the same time: each has its share of the callers.
pub async fn run_everything(worlds: Vec<World>) -> Report {
    let of = worlds.len();
    let shares = worlds
        .into_iter()
        .enumerate()
        .map(|(number, world)| tokio::spawn(async move { Box::pin(part(&world, Scope::Everything, Share { number, of })).await }));
    let mut report = Report::default();
    for share in shares.collect::<Vec<_>>() {
        report.add(share.await.expect("a share of the attempts"));
    }
    report.conclude();
    report
}

/// Every so manieth caller.
#[derive(Clone, Copy)]
struct Share {
    number: usize,
    of: usize,
}

impl Share {
    fn has(self, position: usize) -> bool {
        position % self.of == self.number
    }
}

async fn part(world: &World, scope: Scope<'_>, share: Share) -> Report {
    let permissions = Permissions::read();
    let tables = with_parents(read(&world.superuser().await).await, &permissions);
    let mut report = Report::default();
    let is_tried = |table: &&Table| match scope {
        Scope::Everything => true,
        Scope::Tables(names) => names.contains(&table.full_name.as_str()),
        Scope::Lent(_) => false,
    };
    let tried: Vec<&Table> = tables.iter().filter(is_tried).collect();
    for (_, caller) in world.callers(&permissions).into_iter().enumerate().filter(|(position, _)| share.has(*position)) {
        for table in &tried {
            let tx = begin(world, &caller).await.expect("a transaction");
            let cell = Cell { permissions: &permissions, caller: &caller, table, tables: &tables, tx: &tx };
            Box::pin(cell.run(&mut report)).await;
        }
        if !matches!(scope, Scope::Tables(_)) {
            let tx = begin(world, &caller).await.expect("a transaction");
            let is_wanted = |name: &str| !matches!(scope, Scope::Lent(names) if !names.contains(&name));
            Box::pin(lent::run(&caller, &tx, &mut report, is_wanted)).await;
        }
    }
    if !share.has(0) {
        return report;
    }
    report.findings.extend(shortcomings(&tables, &permissions));
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

/// Rows that are tried of a table without companies.
const ROWS_OF_NOBODY_MAX: usize = 5;

/// Tells whether a row names something of a company.
fn names_company(row: &Value, letter: char) -> bool {
    row.to_string().contains(&format!("-00000000{letter}"))
}

/// One caller at one table.
pub(crate) struct Cell<'a> {
    pub(crate) permissions: &'a Permissions,
    pub(crate) caller: &'a Caller,
    pub(crate) table: &'a Table,
    pub(crate) tables: &'a [Table],
    pub(crate) tx: &'a Tx,
}

impl Cell<'_> {
    async fn run(&self, report: &mut Report) {
        for (place, row) in self.table.rows.iter().take(self.rows_tried()) {
            self.reads_and_writes(report, place, row).await;
            self.moves(report, place, row).await;
            self.points(report, place, row).await;
        }
        self.acts_blindly(report).await;
        self.ids_alone(report).await;
        self.asks_by_writing(report).await;
        self.adds_pointing(report).await;
        self.check(report, "truncate", Refused(Outcome::Grant), self.table.target.truncate()).await;
    }

    /// Whoever reaches a row of a table that is no company's reaches all: some of them are enough.
    fn rows_tried(&self) -> usize {
        let is_of_nobody = !self.table.rows.iter().any(|(_, row)| COMPANIES.iter().any(|(letter, _)| names_company(row, *letter)));
        if is_of_nobody { ROWS_OF_NOBODY_MAX } else { usize::MAX }
    }

    async fn reads_and_writes(&self, report: &mut Report, place: &Place, row: &Value) {
        let (target, role) = (&self.table.target, self.role());
        // Guests have no right to the place of a row, only to columns.
        let by_key = matches!(self.caller.standing, Standing::Guest { .. }) && self.expected(Verb::Read, row) != Refused(Outcome::Grant);
        let read = if by_key { target.read_by_key(row) } else { target.read(place) };
        self.check(report, "select", self.expected(Verb::Read, row), read).await;
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

    pub(crate) fn role(&self) -> &str {
        self.caller.grant.principal().database_role()
    }

    pub(crate) fn expected(&self, verb: Verb, row: &Value) -> Expected {
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
    pub(crate) fn expected_of_change(&self, verb: Verb, row: &Value) -> Expected {
        match (self.expected(Verb::Read, row), self.expected(verb, row)) {
            (Passed, second) => second,
            (first, Refused(Outcome::Grant)) if first != Passed => Refused(Outcome::Grant),
            (first, _) => first,
        }
    }

    /// What is expected where a rule of the business may speak behind the walls.
    pub(crate) fn by_rule(&self, verb: Verb, row: &Value) -> Expected {
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

    pub(crate) async fn check(&self, report: &mut Report, what: &str, expected: Expected, statement: Sql) {
        // Rights to a table and its columns are looked at before any row: the same words with other values meet the same refusal.
        let words = (expected == Refused(Outcome::Grant)).then(|| format!("{} {}", self.caller.name, statement.clone().render().0));
        if words.as_ref().is_some_and(|words| report.refused.contains(words)) {
            return;
        }
        let found = attempt(self.tx, statement).await;
        report.count(found.outcome);
        if !agrees(expected, &found) {
            self.note(report, what, &format!("{expected:?}"), &found);
        } else if let Some(words) = words
            && found.words.ends_with(&format!(" {}", self.table.target.name))
        {
            report.refused.insert(words);
        }
    }

    pub(crate) fn note(&self, report: &mut Report, what: &str, expected: &str, found: &crate::attempt::Found) {
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
