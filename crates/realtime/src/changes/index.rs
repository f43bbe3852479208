//! Who wants to hear of which rows, found without asking everybody.
//!
//! Invariant: all who see the same rows of a table and want the same of them are one group, which is asked once for each change; a change
//! meets only groups of its company, and of those that want one value of a column only those that want its value.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use super::Sort;
use super::filter::Filter;
use super::record::Shape;
use super::rights::Sight;

/// The groups of all tables, by the tables' numbers.
#[derive(Debug, Default)]
pub(super) struct Index(Vec<Groups>);

#[derive(Debug, Default)]
struct Groups {
    by_kind: HashMap<Arc<Kind>, usize>,
    list: Vec<Option<Group>>,
    free: Vec<usize>,
    /// The shapes of all, each once.
    shapes: Vec<Weak<Shape>>,
    /// By the company whose rows they show; without one are those that may show any.
    companies: HashMap<Option<Box<str>>, Bucket>,
}

#[derive(Debug, Default)]
struct Bucket {
    plain: Vec<usize>,
    /// Those that want one value of a column, by column and value.
    pinned: HashMap<usize, HashMap<Box<str>, Vec<usize>>>,
}

/// What those of a group have in common.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Kind {
    pub(super) sight: Sight,
    pub(super) sort: Sort,
    /// The filter as text.
    pub(super) filter: Option<Box<str>>,
    pub(super) shape: Arc<Shape>,
    /// Whether rows that are marked as deleted are rows like others.
    pub(super) is_raw: bool,
}

/// Those who hear the same.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) kind: Arc<Kind>,
    pub(super) filter: Option<Arc<Filter>>,
    /// Subscriptions, each with the number of the wish that the change fulfils.
    pub(super) members: Vec<(u64, u64)>,
}

/// What a row has in a column that groups are found by.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pin<'a> {
    Value(&'a str),
    Null,
    /// It may be any.
    Untold,
}

impl Index {
    /// Makes an index for so many tables.
    pub(super) fn new(tables: usize) -> Self {
        Self(std::iter::repeat_with(Groups::default).take(tables).collect())
    }

    /// Returns the shape that is like this one, so that what is the same is written once.
    pub(super) fn shared(&mut self, table: usize, shape: Arc<Shape>) -> Arc<Shape> {
        let Some(groups) = self.0.get_mut(table) else { return shape };
        groups.shapes.retain(|known| known.strong_count() > 0);
        let known = groups.shapes.iter().filter_map(Weak::upgrade).find(|known| **known == *shape);
        known.unwrap_or_else(|| {
            groups.shapes.push(Arc::downgrade(&shape));
            shape
        })
    }

    /// Adds a member.
    pub(super) fn add(&mut self, table: usize, kind: Kind, filter: Option<Arc<Filter>>, member: (u64, u64)) {
        if let Some(groups) = self.0.get_mut(table) {
            groups.add(kind, filter, member);
        }
    }

    /// Removes a member.
    pub(super) fn remove(&mut self, table: usize, kind: &Kind, member: (u64, u64)) {
        if let Some(groups) = self.0.get_mut(table) {
            groups.remove(kind, member);
        }
    }

    /// Returns how many groups there are.
    pub(super) fn groups(&self) -> usize {
        self.0.iter().map(|groups| groups.by_kind.len()).sum()
    }

    /// Visits the groups that a row may concern.
    pub(super) fn visit<'a>(&self, table: usize, company: Option<&str>, pin: impl Fn(usize) -> Pin<'a>, mut visit: impl FnMut(&Group)) {
        let Some(groups) = self.0.get(table) else { return };
        if groups.by_kind.is_empty() {
            return;
        }
        let of_company = company.and_then(|company| groups.companies.get(&Some(Box::from(company))));
        for bucket in [of_company, groups.companies.get(&None)].into_iter().flatten() {
            let mut all = |numbers: &[usize]| {
                for group in numbers.iter().filter_map(|number| groups.list.get(*number)?.as_ref()) {
                    visit(group);
                }
            };
            all(&bucket.plain);
            for (column, values) in &bucket.pinned {
                match pin(*column) {
                    Pin::Value(value) => all(values.get(value).map_or(&[], Vec::as_slice)),
                    Pin::Null => {}
                    Pin::Untold => values.values().for_each(|numbers| all(numbers)),
                }
            }
        }
    }
}

impl Groups {
    fn add(&mut self, kind: Kind, filter: Option<Arc<Filter>>, member: (u64, u64)) {
        if let Some(group) = self.by_kind.get(&kind).and_then(|number| self.list.get_mut(*number)?.as_mut()) {
            group.members.push(member);
            return;
        }
        let number = self.free.pop().unwrap_or(self.list.len());
        self.companies.entry(company_of(&kind.sight)).or_default().list(filter.as_deref()).push(number);
        let kind = Arc::new(kind);
        self.by_kind.insert(Arc::clone(&kind), number);
        let group = Some(Group { kind, filter, members: vec![member] });
        match self.list.get_mut(number) {
            Some(place) => *place = group,
            None => self.list.push(group),
        }
    }

    fn remove(&mut self, kind: &Kind, member: (u64, u64)) {
        let Some(number) = self.by_kind.get(kind).copied() else { return };
        let Some(place) = self.list.get_mut(number) else { return };
        let Some(group) = place else { return };
        group.members.retain(|known| *known != member);
        if !group.members.is_empty() {
            return;
        }
        let filter = group.filter.take();
        *place = None;
        self.by_kind.remove(kind);
        self.free.push(number);
        let company = company_of(&kind.sight);
        if let Some(bucket) = self.companies.get_mut(&company) {
            bucket.list(filter.as_deref()).retain(|known| *known != number);
            bucket.sweep();
            if bucket.plain.is_empty() && bucket.pinned.is_empty() {
                self.companies.remove(&company);
            }
        }
    }
}

impl Bucket {
    /// The list in which a group with such a filter is found.
    fn list(&mut self, filter: Option<&Filter>) -> &mut Vec<usize> {
        match filter.and_then(Filter::pinned) {
            Some((column, value)) => self.pinned.entry(column).or_default().entry(value.into()).or_default(),
            None => &mut self.plain,
        }
    }

    fn sweep(&mut self) {
        self.pinned.retain(|_, values| {
            values.retain(|_, numbers| !numbers.is_empty());
            !values.is_empty()
        });
    }
}

/// By what a group is found.
fn company_of(sight: &Sight) -> Option<Box<str>> {
    sight.company().map(Into::into)
}
