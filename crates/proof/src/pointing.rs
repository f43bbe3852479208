//! Rows that point at rows of another company: changed so, added so, and asked with, to learn from the answer whether something is there.
//!
//! Invariant: whoever writes, no row of one company names a row of another, and no answer tells what another company has.

use serde_json::Value;
use uuid::Uuid;

use crate::attempt::{Found, Outcome, attempt};
use crate::expectation::{PARENT, Reach, Standing, Verb};
use crate::matrix::Cell;
use crate::matrix::Expected::{Passed, Refused};
use crate::report::Report;
use crate::rules;
use crate::target::{Place, Pointer};
use crate::world::{ALONE, COMPANIES};

impl Cell<'_> {
    /// Points each key of the row at a row of another company.
    pub(crate) async fn points(&self, report: &mut Report, place: &Place, row: &Value) {
        let Some(tenant_column) = self.permissions.tenant_column(&self.table.full_name) else { return };
        for pointer in self.pointers(tenant_column) {
            let tried = report.pointed.entry(format!("{} {}", self.table.full_name, pointer.name)).or_default();
            let Some(value) = self.elsewhere(pointer, &row[tenant_column]) else { continue };
            *tried = true;
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

    /// Adds, and turns one's own row into, rows of another company that point here and there: whatever there is, the answer is the same.
    pub(crate) async fn asks_by_writing(&self, report: &mut Report) {
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
                if let Some((place, own)) = own {
                    // Else the answer would be that somebody else changed the row.
                    if let Some(version) = own.get("version") {
                        asked["version"] = version.clone();
                    }
                    self.check(report, &what("become"), Refused(Outcome::Check), target.become_another(place, &asked, role)).await;
                }
            }
        }
    }

    /// Adds rows to the caller's own company that point at a row of another one, each key of the table in turn. None is taken, and the answer
    /// is the very same as where nothing is at all.
    pub(crate) async fn adds_pointing(&self, report: &mut Report) {
        let Some(tenant_column) = self.permissions.tenant_column(&self.table.full_name) else { return };
        if self.permissions.reach(&self.caller.standing, &self.table.full_name, Verb::Create) == Reach::Barred {
            return;
        }
        for pointer in self.pointers(tenant_column) {
            let tried = report.pointed_anew.entry(format!("{} {}", self.table.full_name, pointer.name)).or_default();
            let addable = self.table.rows.iter().map(|(_, row)| row).filter(|row| self.expected(Verb::Create, row) == Passed);
            let candidates = addable.filter_map(|row| Some((row, self.elsewhere(pointer, &row[tenant_column])?)));
            // Where a rule speaks before the key, the key is not met: rows without one come first.
            let by_rule =
                |row: &Value| rules::refusal_to_point(&self.caller.standing, &self.table.full_name, &pointer.column, row).is_some();
            let Some((row, theirs)) = candidates.min_by_key(|(row, _)| by_rule(row)) else { continue };
            *tried = true;
            let nothing = Uuid::now_v7().to_string();
            let of_theirs = self.adds(report, pointer, row, theirs).await;
            let of_nothing = self.adds(report, pointer, row, &nothing).await;
            let what = format!("insert a row of its own that points {} at another company's row", pointer.name);
            let may_pass = rules::is_pointer_overwritten(&self.table.full_name, &pointer.column);
            let is_refused = !matches!(of_theirs.outcome, Outcome::Passed | Outcome::Hidden | Outcome::Broken);
            if is_refused == may_pass {
                self.note(report, &what, if may_pass { "the pointer overwritten" } else { "a refusal" }, &of_theirs);
            }
            if of_theirs.said.replace(theirs, "") != of_nothing.said.replace(nothing.as_str(), "") {
                self.note(report, &what, &format!("what is said of a row that is not there ({})", of_nothing.said), &of_theirs);
            }
        }
    }

    async fn adds(&self, report: &mut Report, pointer: &Pointer, row: &Value, value: &str) -> Found {
        let (target, mut asked) = (&self.table.target, row.clone());
        asked[pointer.column.as_str()] = value.into();
        let asked = target.fresh(&asked, ALONE).unwrap_or(asked);
        let found = attempt(self.tx, target.insert(&asked, self.role())).await;
        report.count(found.outcome);
        found
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
}
