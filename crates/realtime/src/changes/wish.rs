//! What somebody wants to hear, looked at once when he says it.
//!
//! Invariant: a wish names only tables and columns that there are and that whoever wishes may read some of; of everything else it is said
//! when he comes, in the words of the wire.

use std::sync::Arc;

use kernel::{Error, Kind, Result};

use super::asking::Asking;
use super::config::ChangesConfig;
use super::filter::{self, Filter, Parsed};
use super::index;
use super::record::{Form, Shape};
use super::rights::{Rights, Sight};
use super::tables::{Deciding, Table, Tables};
use super::{Sort, Viewer, Wanted};

/// What stands for all.
const ALL: &str = "*";

/// A wish.
#[derive(Debug)]
pub(super) struct Wish {
    /// The number that whoever wishes gave it.
    pub(super) id: u64,
    wanted: Arc<Wanted>,
    parsed: Arc<[Parsed]>,
    /// The values of the filter as PostgreSQL writes them.
    written: Arc<[Box<str>]>,
    filter: Option<Arc<Filter>>,
    /// What tells the filter from others.
    text: Option<Box<str>>,
}

impl Sort {
    /// Tells whether it has such a change.
    pub(super) fn has(self, form: Form) -> bool {
        matches!((self, form), (Self::All, _) | (Self::Insert, Form::Insert) | (Self::Update, Form::Update) | (Self::Delete, Form::Delete))
    }

    fn name(self) -> &'static str {
        match self {
            Self::All => ALL,
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

impl Wish {
    /// Looks at a wish.
    pub(super) async fn read(
        (id, wanted): (u64, Wanted),
        tables: &Tables,
        rights: &Rights,
        (asking, viewer): (&Asking, &Viewer),
        config: &ChangesConfig,
    ) -> Result<Self> {
        let text = wanted.filter.clone().filter(|text| !text.is_empty());
        if text.as_ref().is_some_and(|text| text.len() > config.filter_bytes_max) {
            return Err(filter::refused(format!("a filter has at most {} bytes", config.filter_bytes_max)));
        }
        let read = |text: &String| filter::read(text, config.filter_conditions_max, config.filter_values_max);
        let parsed: Arc<[Parsed]> = text.as_ref().map(read).transpose()?.unwrap_or_default().into();
        let bare = Self { id, wanted: Arc::new(wanted), parsed, written: Arc::default(), filter: None, text: None };
        bare.found(tables, rights)?;
        let written = match (&*bare.parsed, bare.table(tables)) {
            ([], _) => Vec::new(),
            (parsed, Some(table)) => asking.written(viewer, &filter::literals(parsed, table, rights)?).await?,
            (_, None) => return Err(filter::refused("a filter needs a table".to_owned())),
        };
        Self { written: written.into(), ..bare }.renewed(tables, rights)
    }

    /// Looks at it again, with other tables.
    pub(super) fn renewed(&self, tables: &Tables, rights: &Rights) -> Result<Self> {
        self.found(tables, rights)?;
        let filter = match (&*self.parsed, self.table(tables)) {
            ([], _) => None,
            (parsed, Some(table)) => Some(Arc::new(filter::made(parsed, table, rights, self.written.iter().cloned())?)),
            (_, None) => return Err(filter::refused("a filter needs a table".to_owned())),
        };
        let text = filter.is_some().then(|| format!("{:?}{:?}", self.parsed, self.written).into());
        let (wanted, parsed, written) = (Arc::clone(&self.wanted), Arc::clone(&self.parsed), Arc::clone(&self.written));
        Ok(Self { id: self.id, wanted, parsed, written, filter, text })
    }

    /// Returns the groups that somebody with these rights belongs to: table, kind and filter.
    pub(super) fn kinds(&self, rights: &Rights, tables: &Tables) -> Vec<(usize, index::Kind, Option<Arc<Filter>>)> {
        let kind = |table: &Arc<Table>| {
            let sight = rights.sight(table);
            if sight == Sight::None {
                return None;
            }
            let shape = Arc::new(Shape::new(table, rights, self.wanted.select.as_deref()));
            let is_raw = table.soft_delete && self.shows_deleted(table, rights);
            let kind = index::Kind { sight, sort: self.wanted.event, filter: self.text.clone(), shape, is_raw };
            Some((table.number, kind, self.filter.clone()))
        };
        match self.table(tables) {
            Some(table) => kind(table).into_iter().collect(),
            None => tables.within(self.schema()).filter_map(kind).collect(),
        }
    }

    /// Whoever asks for rows that are marked as deleted, and may bring them back, sees them as rows; so does the service.
    fn shows_deleted(&self, table: &Table, rights: &Rights) -> bool {
        let is_asked = || table.column("deleted_at").is_some_and(|column| self.filter.as_ref().is_some_and(|filter| filter.names(column)));
        &*rights.role == "service_role" || is_asked() && table.noun.as_deref().is_some_and(|noun| rights.holds(noun, "restore"))
    }

    fn schema(&self) -> Option<&str> {
        Some(self.wanted.schema.as_str()).filter(|schema| *schema != ALL)
    }

    fn table<'a>(&self, tables: &'a Tables) -> Option<&'a Arc<Table>> {
        let name = self.wanted.table.as_deref().filter(|name| *name != ALL)?;
        tables.get(self.schema()?, name)
    }

    /// Refuses what is not there, or is nothing that he reads.
    fn found(&self, tables: &Tables, rights: &Rights) -> Result<()> {
        let can = |table: &Arc<Table>| table.deciding(&rights.role) != Deciding::None;
        let is_named = self.wanted.table.as_deref().is_some_and(|name| name != ALL);
        let is_there = if is_named { self.table(tables).is_some_and(can) } else { tables.within(self.schema()).any(can) };
        if !is_there {
            return Err(self.unknown());
        }
        if let (Some(selected), Some(table)) = (&self.wanted.select, self.table(tables)) {
            let is_known =
                |name: &&String| table.column(name).and_then(|number| table.columns.get(number)).is_some_and(|it| rights.reads(table, it));
            if let Some(unknown) = selected.iter().find(|name| !is_known(name)) {
                let message = format!("invalid column for select {unknown}");
                return Err(Error::new(Kind::BadRequest, "realtime_column_unknown", message));
            }
        }
        Ok(())
    }

    /// The error of a table that is not there for whoever wishes, in the words that clients know.
    fn unknown(&self) -> Error {
        let Wanted { event, schema, table, filter, .. } = &*self.wanted;
        let (table, filter) = (table.as_deref().unwrap_or(ALL), filter.as_deref().unwrap_or_default());
        let message = format!(
            "Unable to subscribe to changes with given parameters. Please check Realtime is enabled for the given connect parameters: [event: {}, schema: {schema}, table: {table}, filters: [{filter}]]",
            event.name()
        );
        Error::new(Kind::BadRequest, "realtime_table_unknown", message)
    }
}

#[cfg(test)]
impl Wish {
    /// A wish without a filter.
    pub(super) fn of_test(id: u64, wanted: Wanted, tables: &Tables, rights: &Rights) -> Self {
        let bare = Self { id, wanted: Arc::new(wanted), parsed: Arc::default(), written: Arc::default(), filter: None, text: None };
        bare.renewed(tables, rights).unwrap()
    }
}
