//! PostgreSQL's log as its plugin `pgoutput` tells it, made into rows that changed.
//!
//! Invariant: a transaction comes out whole, when it was committed; of one that changed more than the bound only that it was there.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use kernel::{Cell, Change, ChangeKind, ChangedColumn, ChangedRows, ChangedTable, GapCause, Place};

use super::tables::Tables;

/// Bytes that a value costs beside its text.
const CELL_BYTES: usize = size_of::<Cell>();
/// PostgreSQL counts time from 2000 on, here it is counted from 1970 on.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Reads one message behind the other.
pub(super) struct Decoder {
    tables: Arc<Tables>,
    relations: HashMap<u32, Relation>,
    transaction: Option<Transaction>,
    bytes_max: usize,
    /// A transaction near to those that come: the log has only the lower half of their numbers.
    near: u64,
}

/// What a message says, where it says something now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// A transaction was committed.
    Committed {
        rows: ChangedRows,
        /// Where it ends in the log.
        end: u64,
    },
    /// A transaction was committed whose rows are not told.
    Untold { xid: u64, cause: GapCause, end: u64 },
    /// Somebody wrote this into the log.
    Message { prefix: String, content: Bytes },
}

/// A table as it was described, and the places of what nobody is told.
struct Relation {
    table: Arc<ChangedTable>,
    hidden: Vec<usize>,
}

struct Transaction {
    xid: u64,
    /// Microseconds since 1970.
    committed_at: i64,
    changes: Vec<Change>,
    bytes: usize,
    untold: Option<GapCause>,
}

impl Decoder {
    /// Begins for these tables, with a transaction that is near to the first.
    pub(super) fn new(tables: Arc<Tables>, near: u64, bytes_max: usize) -> Self {
        Self { tables, relations: HashMap::new(), transaction: None, bytes_max, near }
    }

    /// Tells whether nothing of a transaction was read that is not over.
    pub(super) fn is_between(&self) -> bool {
        self.transaction.is_none()
    }

    /// Reads a message.
    pub(super) fn read(&mut self, message: Bytes) -> io::Result<Option<Said>> {
        let mut from = Reader(message);
        match from.u8()? {
            b'B' => {
                // Its end.
                from.skip(8)?;
                let committed_at = from.u64()?.cast_signed().saturating_add(EPOCH_MICROS);
                let xid = widened(self.near, from.u32()?);
                self.near = self.near.max(xid);
                self.transaction = Some(Transaction { xid, committed_at, changes: Vec::new(), bytes: 0, untold: None });
                Ok(None)
            }
            b'C' => {
                // Flags, and where the commit stands.
                from.skip(9)?;
                let end = from.u64()?;
                Ok(self.transaction.take().map(|transaction| transaction.said(end)))
            }
            b'R' => self.relation(&mut from).map(|()| None),
            b'I' => self.row(&mut from, ChangeKind::Insert).map(|()| None),
            b'U' => self.row(&mut from, ChangeKind::Update).map(|()| None),
            b'D' => self.row(&mut from, ChangeKind::Delete).map(|()| None),
            b'T' => {
                self.lose(GapCause::Truncated);
                Ok(None)
            }
            b'M' => {
                // Flags and place.
                from.skip(9)?;
                let prefix = from.text()?;
                let length = from.length()?;
                Ok(Some(Said::Message { prefix: prefix.into(), content: from.take(length)? }))
            }
            // Where it came from, and types: of no use here.
            b'O' | b'Y' => Ok(None),
            other => Err(invalid(&format!("pgoutput sent a message of the kind {:?}", char::from(other)))),
        }
    }

    fn relation(&mut self, from: &mut Reader) -> io::Result<()> {
        let oid = from.u32()?;
        let schema = from.text()?;
        // The catalog's own schema has no name here.
        let schema = if schema.is_empty() { "pg_catalog".into() } else { schema };
        let name = from.text()?;
        let is_whole = from.u8()? == b'f';
        let count = usize::from(from.u16()?);
        let known = self.tables.named(&schema, &name);
        let (mut columns, mut hidden) = (Vec::with_capacity(count), Vec::new());
        for position in 0..count {
            let flags = from.u8()?;
            let column = from.text()?;
            from.skip(8)?;
            // Where the old row is told as a whole, all columns are marked.
            let is_key = if is_whole { known.is_some_and(|known| known.is_key(&column)) } else { flags & 1 == 1 };
            if known.is_some_and(|known| known.is_hidden(&column)) {
                hidden.push(position);
            }
            columns.push(ChangedColumn { name: column, is_key });
        }
        let table = Arc::new(ChangedTable { schema, name, columns: columns.into() });
        self.relations.insert(oid, Relation { table, hidden });
        Ok(())
    }

    fn row(&mut self, from: &mut Reader, kind: ChangeKind) -> io::Result<()> {
        let Some(transaction) = self.transaction.as_mut() else { return Err(invalid("a row outside of a transaction")) };
        if transaction.untold.is_some() {
            return Ok(());
        }
        let oid = from.u32()?;
        let Relation { table, hidden } = self.relations.get(&oid).ok_or_else(|| invalid("a row of a table that was not described"))?;
        let (mut old, mut new) = (None, None);
        while let Some(part) = from.part()? {
            let mut cells = from.cells(part == b'K', table)?;
            for position in hidden {
                if let Some(cell) = cells.get_mut(*position) {
                    *cell = Cell::Untold;
                }
            }
            if part == b'N' {
                new = Some(cells);
            } else {
                old = Some(cells);
            }
        }
        if let (Some(new), Some(old)) = (&mut new, &old) {
            complete(new, old);
        }
        let bytes: usize = [&new, &old].into_iter().flatten().flat_map(|row| row.iter()).map(size).sum();
        transaction.bytes = transaction.bytes.saturating_add(bytes).saturating_add(size_of::<Change>());
        let company_id = new.as_deref().or(old.as_deref()).and_then(|row| table.company_of(row));
        transaction.changes.push(Change { table: Arc::clone(table), kind, company_id, new, old });
        if transaction.bytes > self.bytes_max {
            self.lose(GapCause::TooLarge);
        }
        Ok(())
    }

    fn lose(&mut self, cause: GapCause) {
        if let Some(transaction) = &mut self.transaction {
            transaction.changes = Vec::new();
            transaction.untold.get_or_insert(cause);
        }
    }
}

impl Transaction {
    fn said(self, end: u64) -> Said {
        if let Some(cause) = self.untold {
            return Said::Untold { xid: self.xid, cause, end };
        }
        let committed_at = Some(self.committed_at);
        Said::Committed { rows: ChangedRows { xid: self.xid, place: Place::Log(end), committed_at, changes: self.changes }, end }
    }
}

/// Returns the whole number of a transaction of which the lower half is known, and one that is near.
pub(super) fn widened(near: u64, xid: u32) -> u64 {
    let low = u32::try_from(near & u64::from(u32::MAX)).unwrap_or_default();
    let distance = i32::from_ne_bytes(xid.wrapping_sub(low).to_ne_bytes());
    near.saturating_add_signed(distance.into())
}

/// What did not change and is large stands in the old row only, where that is told.
fn complete(new: &mut [Cell], old: &[Cell]) {
    for (new, old) in new.iter_mut().zip(old) {
        if *new == Cell::Untold {
            new.clone_from(old);
        }
    }
}

fn size(cell: &Cell) -> usize {
    match cell {
        Cell::Text(text) => text.len().saturating_add(CELL_BYTES),
        Cell::Null | Cell::Untold => CELL_BYTES,
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// What is left of a message.
struct Reader(Bytes);

impl Reader {
    fn take(&mut self, length: usize) -> io::Result<Bytes> {
        if self.0.len() < length { Err(invalid("a message of pgoutput ends too early")) } else { Ok(self.0.split_to(length)) }
    }

    fn skip(&mut self, length: usize) -> io::Result<()> {
        self.take(length).map(drop)
    }

    fn u8(&mut self) -> io::Result<u8> {
        Ok(self.take(1)?.get_u8())
    }

    fn u16(&mut self) -> io::Result<u16> {
        Ok(self.take(2)?.get_u16())
    }

    fn u32(&mut self) -> io::Result<u32> {
        Ok(self.take(4)?.get_u32())
    }

    fn u64(&mut self) -> io::Result<u64> {
        Ok(self.take(8)?.get_u64())
    }

    fn length(&mut self) -> io::Result<usize> {
        usize::try_from(self.u32()?).map_err(io::Error::other)
    }

    /// Reads a text up to its zero.
    fn text(&mut self) -> io::Result<Box<str>> {
        let length = self.0.iter().position(|byte| *byte == 0).ok_or_else(|| invalid("a name without an end"))?;
        let text = self.take(length)?;
        self.skip(1)?;
        std::str::from_utf8(&text).map(Into::into).map_err(io::Error::other)
    }

    /// Reads what the next row is, where there is one: `N` new, `O` old, `K` an old key.
    fn part(&mut self) -> io::Result<Option<u8>> {
        if self.0.is_empty() { Ok(None) } else { self.u8().map(Some) }
    }

    fn cells(&mut self, is_key: bool, table: &ChangedTable) -> io::Result<Box<[Cell]>> {
        let count = usize::from(self.u16()?);
        let mut cells = Vec::with_capacity(count);
        for position in 0..count {
            // Of an old key everything else is said to be null.
            let is_told = !is_key || table.columns.get(position).is_some_and(|column| column.is_key);
            cells.push(match self.u8()? {
                b'n' if is_told => Cell::Null,
                b'n' | b'u' => Cell::Untold,
                b't' => {
                    let length = self.length()?;
                    Cell::Text(String::from_utf8_lossy(&self.take(length)?).into())
                }
                _ => return Err(invalid("a value in a format that nobody asked for")),
            });
        }
        Ok(cells.into())
    }
}

#[cfg(test)]
mod tests {
    use bytes::BufMut as _;

    use super::super::tables::Columns;
    use super::*;

    const COMPANY: &str = "01900000-0000-7000-8000-000000000001";

    fn begin(xid: u32) -> Bytes {
        let mut message = vec![b'B'];
        message.extend([0; 16]);
        message.put_u32(xid);
        message.into()
    }

    fn commit(end: u64) -> Bytes {
        let mut message = vec![b'C'];
        message.extend([0; 9]);
        message.put_u64(end);
        message.put_u64(0);
        message.into()
    }

    /// Keys are marked with a star.
    fn relation(oid: u32, name: &str, identity: u8, columns: &[&str]) -> Bytes {
        let mut message = vec![b'R'];
        message.put_u32(oid);
        message.extend(format!("public\0{name}\0").as_bytes());
        message.put_u8(identity);
        message.put_u16(columns.len().try_into().unwrap());
        for column in columns {
            message.put_u8(u8::from(column.ends_with('*')));
            message.extend(format!("{}\0", column.trim_end_matches('*')).as_bytes());
            message.put_u64(0);
        }
        message.into()
    }

    /// `-` is null, `?` is not told.
    fn row(tag: u8, oid: u32, parts: &[(u8, &[&str])]) -> Bytes {
        let mut message = vec![tag];
        message.put_u32(oid);
        for (part, cells) in parts {
            message.put_u8(*part);
            message.put_u16(cells.len().try_into().unwrap());
            for cell in *cells {
                match *cell {
                    "-" => message.put_u8(b'n'),
                    "?" => message.put_u8(b'u'),
                    text => {
                        message.put_u8(b't');
                        message.put_u32(text.len().try_into().unwrap());
                        message.extend(text.as_bytes());
                    }
                }
            }
        }
        message.into()
    }

    fn decoder(bytes_max: usize) -> Decoder {
        let members = Columns::of_test("public", "members", &["id", "user", "text", "pin"], &["id"], &["pin"]);
        Decoder::new(Arc::new(Tables::new([(2, members)])), 0, bytes_max)
    }

    fn read(decoder: &mut Decoder, messages: &[Bytes]) -> Vec<Said> {
        messages.iter().filter_map(|message| decoder.read(message.clone()).unwrap()).collect()
    }

    #[test]
    fn a_transaction_comes_whole_at_its_commit() {
        let mut decoder = decoder(1_000_000);
        let messages = [
            begin(7),
            relation(1, "customers", b'd', &["company_id*", "id*", "notes"]),
            row(b'I', 1, &[(b'N', &[COMPANY, "a", "-"])]),
            row(b'U', 1, &[(b'N', &[COMPANY, "a", "?"])]),
            row(b'D', 1, &[(b'K', &[COMPANY, "a", "-"])]),
        ];
        assert!(read(&mut decoder, &messages).is_empty() && !decoder.is_between());
        let Some(Said::Committed { rows, end }) = decoder.read(commit(99)).unwrap() else { panic!() };
        assert_eq!((rows.xid, &rows.place, end, decoder.is_between()), (7, &Place::Log(99), 99, true));
        let kinds: Vec<_> = rows.changes.iter().map(|change| change.kind).collect();
        assert_eq!(kinds, [ChangeKind::Insert, ChangeKind::Update, ChangeKind::Delete]);
        assert!(rows.changes.iter().all(|change| change.company_id.unwrap().to_string() == COMPANY && change.value("id") == Some("a")));
        let last = |index: usize, row: fn(&Change) -> &Option<Box<[Cell]>>| row(&rows.changes[index]).as_ref().unwrap()[2].clone();
        assert_eq!(last(0, |change| &change.new), Cell::Null);
        assert_eq!(last(1, |change| &change.new), Cell::Untold, "large and not changed");
        assert_eq!(last(2, |change| &change.old), Cell::Untold, "not part of the key");
    }

    #[test]
    fn a_table_that_tells_old_rows_has_its_own_key_all_the_same() {
        let mut decoder = decoder(1_000_000);
        let said = read(
            &mut decoder,
            &[
                relation(2, "members", b'f', &["id*", "user*", "text*", "pin*"]),
                begin(8),
                row(b'U', 2, &[(b'O', &["1", "ann", "long", "1111"]), (b'N', &["1", "ben", "?", "2222"])]),
                commit(1),
            ],
        );
        let [Said::Committed { rows, .. }] = &said[..] else { panic!("{said:?}") };
        let change = &rows.changes[0];
        assert_eq!(change.key().collect::<Vec<_>>(), [("id", "1")]);
        assert_eq!((change.value("user"), change.old_value("user"), change.value("text")), (Some("ben"), Some("ann"), Some("long")));
        assert_eq!((change.value("pin"), change.old_value("pin")), (None, None), "a secret is nobody's");
    }

    #[test]
    fn what_is_too_large_is_only_named() {
        let mut decoder = decoder(2_000);
        let long = "x".repeat(500);
        let inserts = vec![row(b'I', 1, &[(b'N', &[long.as_str()])]); 10];
        let said = read(
            &mut decoder,
            &[vec![relation(1, "customers", b'd', &["id*"]), begin(9)], inserts, vec![commit(5), begin(10), commit(6)]].concat(),
        );
        let expected = ChangedRows { xid: 10, place: Place::Log(6), committed_at: Some(EPOCH_MICROS), changes: vec![] };
        assert_eq!(
            said,
            [Said::Untold { xid: 9, cause: GapCause::TooLarge, end: 5 }, Said::Committed { rows: expected, end: 6 }],
            "and the next one is whole again"
        );
        let truncated = read(&mut decoder, &[begin(11), Bytes::from_static(b"T\0\0\0\x01\0\0\0\0\x01"), commit(7)]);
        assert_eq!(truncated, [Said::Untold { xid: 11, cause: GapCause::Truncated, end: 7 }]);
    }

    #[test]
    fn a_message_is_read_and_nonsense_is_refused() {
        let mut message = vec![b'M', 0];
        message.put_u64(3);
        message.extend(b"beat\0");
        message.put_u32(2);
        message.extend(b"42");
        let said = decoder(1).read(message.into()).unwrap();
        assert_eq!(said, Some(Said::Message { prefix: "beat".to_owned(), content: Bytes::from_static(b"42") }));
        for nonsense in [&b"Z"[..], b"B\0", b"R\0\0\0\x01public", b"I\0\0\0\x01N\0\x01t\0\0\0\x09abc", b""] {
            assert!(decoder(1).read(Bytes::copy_from_slice(nonsense)).is_err(), "{nonsense:?}");
        }
    }

    #[test]
    fn numbers_of_transactions_are_whole_again() {
        for (near, xid, whole) in [
            (100, 101, 101),
            (100, 99, 99),
            (0x1_0000_0005, 0xffff_ffff, 0xffff_ffff),
            (0xffff_fffe, 3, 0x1_0000_0003),
            (0x5_0000_0100, 0x90, 0x5_0000_0090),
        ] {
            assert_eq!(widened(near, xid), whole, "{near:x} {xid:x}");
        }
    }
}
