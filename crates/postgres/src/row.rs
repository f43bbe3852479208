//! A row as PostgreSQL sent it: its values are read where they are asked for.
//!
//! Values come in PostgreSQL's binary format. Of a type that is not built in only the text can be read, which is what enumerations and
//! `citext` send.

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::RowDescriptionBody;
use tokio_postgres::types::{FromSql, Type, WrongType};

/// A row of an answer.
#[derive(Clone)]
pub struct Row {
    columns: Arc<[Column]>,
    /// The values behind each other, each behind its length.
    values: Bytes,
}

/// A column of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Column {
    name: Box<str>,
    type_: Type,
}

/// Why a value cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// There is no such column.
    #[error("the answer has no column {0}")]
    NoColumn(String),
    /// It is not what was asked for.
    #[error("the column {0} cannot be read so")]
    Value(String, #[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What names a column: its number from 0, or its name.
pub trait ColumnIndex: fmt::Display {
    /// Returns its number.
    fn position(&self, columns: &[Column]) -> Option<usize>;
}

impl ColumnIndex for usize {
    fn position(&self, columns: &[Column]) -> Option<usize> {
        (*self < columns.len()).then_some(*self)
    }
}

impl ColumnIndex for str {
    fn position(&self, columns: &[Column]) -> Option<usize> {
        columns.iter().position(|column| &*column.name == self)
    }
}

impl ColumnIndex for String {
    fn position(&self, columns: &[Column]) -> Option<usize> {
        self.as_str().position(columns)
    }
}

impl<I: ColumnIndex + ?Sized> ColumnIndex for &I {
    fn position(&self, columns: &[Column]) -> Option<usize> {
        (**self).position(columns)
    }
}

impl Column {
    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its type; `unknown` where it is not built in.
    pub fn type_(&self) -> &Type {
        &self.type_
    }

    /// Reads what PostgreSQL says of the columns.
    pub(crate) fn described(body: &RowDescriptionBody) -> io::Result<Arc<[Self]>> {
        body.fields()
            .map(|field| Ok(Self { name: field.name().into(), type_: Type::from_oid(field.type_oid()).unwrap_or(Type::UNKNOWN) }))
            .collect::<Vec<_>>()
            .map(Arc::from)
    }
}

impl Row {
    pub(crate) fn new(columns: Arc<[Column]>, values: Bytes) -> Self {
        Self { columns, values }
    }

    /// Returns how many bytes it has, as it came.
    pub(crate) fn bytes(&self) -> usize {
        self.values.len()
    }

    /// Returns its columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Returns how many columns it has.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Tells whether it has no column.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Reads a value.
    pub fn try_get<'a, I: ColumnIndex, T: FromSql<'a>>(&'a self, column: I) -> Result<T, RowError> {
        let position = column.position(&self.columns).ok_or_else(|| RowError::NoColumn(column.to_string()))?;
        let type_ = self.columns.get(position).map_or(&Type::UNKNOWN, |column| &column.type_);
        let unreadable = |cause| RowError::Value(column.to_string(), cause);
        if !T::accepts(type_) {
            return Err(unreadable(Box::new(WrongType::new::<T>(type_.clone()))));
        }
        let value = self.value(position).map_err(unreadable)?;
        T::from_sql_nullable(type_, value).map_err(unreadable)
    }

    /// Returns a value as it came, without a copy; none where it is null.
    pub fn raw(&self, position: usize) -> Result<Option<Bytes>, RowError> {
        let value = self.value(position).map_err(|cause| RowError::Value(position.to_string(), cause))?;
        Ok(value.map(|value| self.values.slice_ref(value)))
    }

    /// Reads a value that is known to be there and of that type.
    ///
    /// # Panics
    ///
    /// If it is not.
    #[track_caller]
    #[expect(clippy::panic, reason = "for tests and tools that know the statement; everything else calls try_get")]
    pub fn get<'a, I: ColumnIndex, T: FromSql<'a>>(&'a self, column: I) -> T {
        self.try_get(column).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Returns the bytes of a value; none where it is null.
    fn value(&self, position: usize) -> Result<Option<&[u8]>, Box<dyn std::error::Error + Send + Sync>> {
        let mut rest: &[u8] = &self.values;
        for _ in 0..position {
            (_, rest) = split(rest).ok_or("the row is shorter than its columns")?;
        }
        split(rest).map(|(value, _)| value).ok_or_else(|| "the row is shorter than its columns".into())
    }
}

/// Splits the first value off; none where there is no more.
fn split(bytes: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    match usize::try_from(i32::from_be_bytes(*length)) {
        Ok(length) => rest.split_at_checked(length).map(|(value, rest)| (Some(value), rest)),
        Err(_) => Some((None, rest)),
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the values: they are somebody's.
        f.debug_struct("Row").field("columns", &self.columns).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(columns: &[(&str, Type)], values: &[Option<&[u8]>]) -> Row {
        let columns = columns.iter().map(|(name, type_)| Column { name: (*name).into(), type_: type_.clone() });
        let mut bytes = Vec::new();
        for value in values {
            bytes.extend(value.map_or(-1_i32, |value| value.len().try_into().unwrap()).to_be_bytes());
            bytes.extend(value.unwrap_or_default());
        }
        Row::new(columns.collect(), bytes.into())
    }

    #[test]
    fn values_are_found_by_number_and_name() {
        let row = row(
            &[("total", Type::INT8), ("body", Type::TEXT), ("company", Type::UUID), ("kept", Type::BOOL), ("sort", Type::UNKNOWN)],
            &[Some(&7_i64.to_be_bytes()), None, Some(&[1; 16]), Some(&[1]), Some(b"open")],
        );
        assert_eq!((row.len(), row.try_get::<_, i64>(0).unwrap(), row.try_get::<_, i64>("total").unwrap()), (5, 7, 7));
        assert_eq!(row.try_get::<_, Option<String>>("body").unwrap(), None);
        assert_eq!(row.try_get::<_, uuid::Uuid>("company").unwrap(), uuid::Uuid::from_bytes([1; 16]));
        assert!(row.try_get::<_, bool>("kept").unwrap());
        assert_eq!(row.try_get::<_, &str>("sort").unwrap(), "open");
    }

    #[test]
    fn what_is_not_there_or_not_so_is_said() {
        let row = row(&[("total", Type::INT8), ("lost", Type::TEXT)], &[None]);
        assert!(matches!(row.try_get::<_, i64>("sum"), Err(RowError::NoColumn(name)) if name == "sum"));
        assert!(matches!(row.try_get::<_, i64>(2), Err(RowError::NoColumn(_))));
        assert!(matches!(row.try_get::<_, String>(0), Err(RowError::Value(..))), "of another type");
        assert!(matches!(row.try_get::<_, i64>(0), Err(RowError::Value(..))), "null");
        assert!(matches!(row.try_get::<_, String>("lost"), Err(RowError::Value(..))), "the row is too short");
    }
}
