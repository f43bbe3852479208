//! Changes from the outbox that triggers write, where the log may not be read.
//!
//! Invariant: each look takes what is visible now and was not at the look before; the snapshots join without a gap, whatever runs how
//! long, as long as it is the same history. Transactions that became visible between two looks come in the order in which they began to write.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::{Change, ChangeKind, ChangedRows, ChangedTable, Error, FeedEvent, GapCause, Kind, Place, Result};

use super::hub::Hub;
use super::record;
use super::tables::Tables;
use super::{Ended, HISTORY, Shared, Way};
use crate::row::Row;
use crate::sql::Sql;

/// How often what all have seen is forgotten.
const FORGET: Duration = Duration::from_secs(10);

/// Tells as long as it goes well.
pub(super) async fn tell(shared: &Shared, hub: &mut Hub) -> Result<Infallible, Ended> {
    let mut tables = shared.tables().await?;
    // Both at one moment: whoever wrote to a table before it was kept is visible in the snapshot.
    let mut sql = Sql::new("select pg_catalog.pg_current_snapshot()::text as snapshot, ");
    sql.text(HISTORY).text(" as history where app.changes_are_kept()");
    let first = shared.ask(sql).await?;
    let Some(first) = first.rows.first() else {
        return Err(Error::new(Kind::Unavailable, "change_feed_closed", "changes are not kept in this database").into());
    };
    let text = |name: &str| first.try_get::<_, String>(name).map(Arc::<str>::from).map_err(Error::internal);
    let (first, history) = (text("snapshot")?, text("history")?);
    let mut polled =
        Polled { history: Arc::clone(&history), before: Arc::clone(&first), since: first, seen: VecDeque::new(), forgot: Instant::now() };
    shared.status.set(Way::Polled);
    hub.tell(&FeedEvent::Opened { floor: end_of(&polled.since)?, tables: tables.names(), place: polled.place(), history });
    let mut ticks = tokio::time::interval(Duration::from_millis(shared.config.poll_ms));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let kept = Duration::from_secs(shared.config.poll_kept_s.into());
    let mut last = Instant::now();
    loop {
        ticks.tick().await;
        let begun = Instant::now();
        // So late that another server may have forgotten for us what we did not see.
        if begun.duration_since(last) > kept / 2 {
            return Err(Ended::Lost(GapCause::Disconnected));
        }
        let rows = polled.look(shared).await?;
        last = begun;
        let mut told = rows_of(&rows, &tables, &polled.place())?;
        if told.is_none() {
            // A table is new, or has other columns than it had.
            tables = shared.tables().await?;
            told = rows_of(&rows, &tables, &polled.place())?;
        }
        let Some(told) = told else { return Err(Ended::Lost(GapCause::TablesChanged)) };
        if rows.len() > usize::try_from(shared.config.poll_rows_max).unwrap_or(usize::MAX) {
            hub.skip(end_of(&polled.since)?, &polled.place(), GapCause::TooLarge);
        } else {
            told.tell(hub, &polled.place());
        }
        shared.beat(hub, begun);
        polled.forget(shared, kept).await?;
    }
}

struct Polled {
    /// What all of it is of.
    history: Arc<str>,
    /// What was visible at the look before the last, and at the last.
    before: Arc<str>,
    since: Arc<str>,
    /// Older looks, for what may be forgotten.
    seen: VecDeque<(Instant, String)>,
    forgot: Instant,
}

impl Polled {
    /// Returns what became visible since the last look, one row without a change where there is none.
    async fn look(&mut self, shared: &Shared) -> Result<Vec<Row>, Ended> {
        let mut sql = Sql::new("select is_kept, history, snapshot, xid, relation, kind, new_row, old_row from (select ");
        sql.text(HISTORY).text(" as history, app.changes_are_kept() as is_kept offset 0) now, app.kept_changes(");
        sql.bind(self.since.as_ref()).text("::text, ").bind(shared.config.poll_rows_max.saturating_add(1)).text("::integer)");
        let rows = shared.ask(sql).await?.rows;
        let first = rows.first().ok_or_else(|| Error::internal("a look at the changes gave no row"))?;
        // Connections come back by themselves: what the database was before is not to be mixed with what it is now.
        if first.try_get::<_, &str>("history").map_err(Error::internal)? != &*self.history {
            return Err(Ended::Lost(GapCause::Disconnected));
        }
        if !first.try_get::<_, bool>("is_kept").map_err(Error::internal)? {
            return Err(Ended::Lost(GapCause::TablesChanged));
        }
        let now: String = first.try_get("snapshot").map_err(Error::internal)?;
        self.before = std::mem::replace(&mut self.since, now.into());
        Ok(rows)
    }

    /// Where the last look stands.
    fn place(&self) -> Place {
        Place::Outbox { before: Arc::clone(&self.before), after: Arc::clone(&self.since) }
    }

    async fn forget(&mut self, shared: &Shared, kept: Duration) -> Result<()> {
        if self.forgot.elapsed() < FORGET.min(kept / 4) {
            return Ok(());
        }
        self.forgot = Instant::now();
        self.seen.push_back((self.forgot, self.since.as_ref().to_owned()));
        let mut before = None;
        while self.seen.front().is_some_and(|(since, _)| since.elapsed() > kept) {
            before = self.seen.pop_front();
        }
        let Some((_, before)) = before else { return Ok(()) };
        let mut sql = Sql::new("select app.forget_changes(");
        sql.bind(before).text("::text)");
        shared.ask(sql).await.map(drop)
    }
}

/// What one look found.
struct Told {
    transactions: Vec<ChangedRows>,
    /// The last transaction that emptied a table.
    truncated: Option<u64>,
}

impl Told {
    fn tell(self, hub: &mut Hub, place: &Place) {
        for rows in self.transactions {
            metrics::counter!("change_feed_rows_total").increment(rows.changes.len().try_into().unwrap_or(u64::MAX));
            hub.tell(&FeedEvent::Committed(Arc::new(rows)));
        }
        if let Some(xid) = self.truncated {
            hub.skip(xid, place, GapCause::Truncated);
        }
    }
}

/// Puts the rows of a look together, by transaction; nothing where a table is not as it is known.
fn rows_of(rows: &[Row], tables: &Tables, place: &Place) -> Result<Option<Told>> {
    let mut told = Told { transactions: Vec::new(), truncated: None };
    let mut described: Vec<(u32, Arc<ChangedTable>)> = Vec::new();
    for row in rows {
        let text = |name: &str| row.try_get::<_, Option<&str>>(name).map_err(Error::internal);
        let Some(xid) = text("xid")? else { continue };
        let xid: u64 = xid.parse().map_err(Error::internal)?;
        let kind = match text("kind")? {
            Some("I") => ChangeKind::Insert,
            Some("U") => ChangeKind::Update,
            Some("D") => ChangeKind::Delete,
            _ => {
                told.truncated = Some(xid);
                continue;
            }
        };
        let number: i64 = row.try_get("relation").map_err(Error::internal)?;
        let number = u32::try_from(number).map_err(Error::internal)?;
        let Some(columns) = tables.numbered(number) else { return Ok(None) };
        let known = described.iter().find(|(known, _)| *known == number).map(|(_, table)| Arc::clone(table));
        let table = known.unwrap_or_else(|| {
            let table = Arc::new(columns.table());
            described.push((number, Arc::clone(&table)));
            table
        });
        let cells = |record: Option<&str>| match record {
            None => Some(None),
            Some(record) => record::cells(record).and_then(|cells| columns.cells(cells)).map(Some),
        };
        let (Some(new), Some(old)) = (cells(text("new_row")?), cells(text("old_row")?)) else { return Ok(None) };
        let company_id = new.as_deref().or(old.as_deref()).and_then(|row| table.company_of(row));
        let change = Change { table, kind, company_id, new, old };
        match told.transactions.last_mut() {
            Some(last) if last.xid == xid => last.changes.push(change),
            _ => told.transactions.push(ChangedRows { xid, place: place.clone(), committed_at: None, changes: vec![change] }),
        }
    }
    Ok(Some(told))
}

/// Returns the transaction before which everything that is not under way is in a snapshot, `xmin:xmax:those that are`.
fn end_of(snapshot: &str) -> Result<u64> {
    let end = snapshot.split(':').nth(1).ok_or_else(|| Error::internal("a snapshot without an end"))?;
    end.parse().map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::end_of;

    #[test]
    fn a_snapshot_says_where_it_ends() {
        assert_eq!(end_of("751:757:751,753").unwrap(), 757);
        assert_eq!(end_of("9:9:").unwrap(), 9);
        assert!(end_of("9").is_err() && end_of("9:x:").is_err());
    }
}
