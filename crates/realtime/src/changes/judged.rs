//! What a change is to a group of those who hear: an insert, an update, a row that is gone, or nothing.
//!
//! Invariant: a row is judged as it is now, one that is gone as it was; what is not known of it decides for silence where it is about who
//! may see it, and for telling where it is about what somebody wants.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use kernel::{Cell, Change, ChangeKind};

use super::asking;
use super::filter::Filter;
use super::index::Group;
use super::record::{Form, Written};
use super::rights::Sight;
use super::tables::Layout;

/// What PostgreSQL says of rows, by who asks and the number of the table.
pub(super) type Answers = HashMap<(Arc<str>, usize), Answer>;

/// What PostgreSQL says of the rows of a table.
pub(super) enum Answer {
    /// Those that are seen, by their keys.
    Seen(HashSet<Box<str>>),
    /// Nothing.
    Failed,
}

/// A change, as far as it may be judged by.
pub(super) struct Judged<'a> {
    layout: &'a Layout,
    new: Option<&'a [Cell]>,
    old: Option<&'a [Cell]>,
    /// The key alone of a row that is gone.
    key: Option<Box<[Cell]>>,
    /// As a row like others, and where rows that are marked as deleted are not there.
    raw: Form,
    usual: Option<Form>,
}

impl<'a> Judged<'a> {
    pub(super) fn of(change: &'a Change, layout: &'a Layout) -> Option<Self> {
        let table = &layout.table;
        let (new, old) = (change.new.as_deref(), change.old.as_deref());
        let deleted = table.column("deleted_at").filter(|_| table.soft_delete);
        let is_marked = |row: Option<&[Cell]>| row.zip(deleted).is_some_and(|(row, column)| layout.text(row, column).is_some());
        let (is_marked, was_marked) = (is_marked(new), table.is_whole && is_marked(old));
        let (raw, usual) = match (new, old) {
            (Some(_), _) if change.kind == ChangeKind::Insert => (Form::Insert, (!is_marked).then_some(Form::Insert)),
            (Some(_), _) if is_marked => (Form::Update, (!was_marked).then_some(Form::Delete)),
            (Some(_), _) => (Form::Update, Some(Form::Update)),
            (None, Some(_)) => (Form::Delete, (!was_marked).then_some(Form::Delete)),
            (None, None) => return None,
        };
        let key = old.filter(|_| new.is_none() && !table.is_whole).map(|old| {
            let is_key = |place: usize| change.table.columns.get(place).is_some_and(|column| column.is_key);
            old.iter().enumerate().map(|(place, cell)| if is_key(place) { cell.clone() } else { Cell::Untold }).collect()
        });
        Some(Self { layout, new, old, key, raw, usual })
    }

    /// The row that decides who hears.
    pub(super) fn row(&self) -> &[Cell] {
        self.new.or(self.key.as_deref()).or(self.old).unwrap_or_default()
    }

    /// Tells as what a group hears of it, and whether with the whole old row; as nothing where it is not known whether it may.
    pub(super) fn told_to(&self, group: &Group, answers: &Answers) -> Option<(Option<Form>, bool)> {
        let kind = &group.kind;
        let form = if kind.is_raw { Some(self.raw) } else { self.usual }?;
        let is_fit = kind.sort.has(form) && group.filter.as_deref().is_none_or(|filter: &Filter| filter.fits(self.layout, self.row()));
        if !is_fit {
            return None;
        }
        let sees = match (kind.sight.sees(self.layout, self.row()), self.new) {
            // Of a row that is gone the key alone may be known.
            (_, None) if self.key.is_some() => kind.sight.hears_of_key(self.layout, self.row()),
            (Some(sees), _) => sees,
            (None, None) => kind.sight.hears_of_key(self.layout, self.row()),
            (None, Some(new)) => match self.answer(&kind.sight, new, answers) {
                Some(sees) => sees,
                None => return Some((None, false)),
            },
        };
        let is_old_whole = self.layout.table.is_whole && self.old.is_some_and(|old| kind.sight.sees(self.layout, old) == Some(true));
        sees.then_some((Some(form), is_old_whole))
    }

    fn answer(&self, sight: &Sight, new: &[Cell], answers: &Answers) -> Option<bool> {
        let (table, Sight::Ask { fingerprint, .. }) = (&self.layout.table, sight) else { return Some(false) };
        let Answer::Seen(keys) = answers.get(&(Arc::clone(fingerprint), table.number))? else { return None };
        let key: Option<Vec<&str>> = table.key().map(|(number, _)| self.layout.text(new, number)).collect();
        Some(key.is_some_and(|key| keys.contains(&asking::key_text(key.into_iter()))))
    }

    pub(super) fn written(&self, form: Form, is_old_whole: bool, committed_at: i64, bytes_max: usize) -> Written<'_> {
        // Of a row that was another company's nothing is said.
        let tenant = self.layout.table.tenant();
        let of = |row| tenant.and_then(|column| self.layout.text(row, column));
        let old = self.old.filter(|old| self.new.is_none_or(|new| of(old) == of(new)));
        Written { layout: self.layout, form, new: self.new, old, is_old_whole, committed_at, bytes_max }
    }
}
