//! Changes from PostgreSQL's log, through a slot that ends with the connection.
//!
//! Invariant: the slot stands before anybody is told that everything is told. A beat of ours in the log says how far we are: what was
//! committed before it was sent has come before it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::{Error, FeedEvent, GapCause, Place, Result};

use super::hub::Hub;
use super::pgoutput::{Decoder, Said};
use super::tables::Tables;
use super::{Ended, PROJECT_PUBLICATION, PUBLICATION, Shared, Way};
use crate::error::from_wire;
use crate::options::tls_config;
use crate::sql::Sql;
use crate::wire::{Dialer, Replication, Sent};

/// What our beats are called in the log.
const BEAT: &str = "thorbis.beat";
/// How often PostgreSQL is told how far we are.
const CONFIRM: Duration = Duration::from_secs(1);
/// So many beats between two looks at the list of tables.
const BEATS_A_LOOK: u32 = 4;

/// Tells as long as it goes well.
pub(super) async fn tell(shared: &Shared, hub: &mut Hub) -> Result<Infallible, Ended> {
    let history = shared.history().await?;
    let tls = tls_config(&shared.server, shared.root_certificate_file.as_deref())?;
    let mut log = Dialer::new(shared.server.clone(), tls, None).replicate().await.map_err(from_wire)?;
    let name = format!("thorbis_{}", uuid::Uuid::new_v4().simple());
    let point = log.make_slot(&name).await.map_err(from_wire)?;
    let names: &[&str] = if shared.has_project_publication().await? { &[PUBLICATION, PROJECT_PUBLICATION] } else { &[PUBLICATION] };
    log.begin(&name, names).await.map_err(from_wire)?;
    let publication = publication(shared).await?;
    let floor = floor(shared).await?;
    let decoder = Decoder::new(Arc::clone(&publication.tables), floor, shared.config.transaction_bytes_max);
    // The log is read over a connection of its own, which may have found another history than the others.
    if shared.history().await? != history {
        return Err(Ended::Lost(GapCause::Disconnected));
    }
    shared.status.set(Way::Streamed);
    hub.tell(&FeedEvent::Opened { floor, tables: publication.tables.names(), place: Place::Log(point), history });
    let mut reading = Reading { log, decoder, base: Instant::now(), name, confirmed: Instant::now(), taken: 0 };
    let (base, name) = (reading.base, reading.name.clone());
    tokio::select! {
        ended = reading.read(shared, hub) => ended,
        ended = beats(shared, base, &name, &publication.mark) => ended,
    }
}

/// What is published, and what is another text after every change of it.
struct Publication {
    tables: Arc<Tables>,
    mark: String,
}

async fn publication(shared: &Shared) -> Result<Publication> {
    // The mark first: what changes behind it is found.
    let mark = mark(shared).await?;
    Ok(Publication { tables: shared.tables().await?, mark })
}

/// A text that is another one when other tables are published.
async fn mark(shared: &Shared) -> Result<String> {
    let mut sql = Sql::new(
        "select md5(coalesce(string_agg(concat_ws('/', p.oid, p.puballtables, r.prrelid, r.prattrs, r.xmin), ',' order by p.oid, r.prrelid), ''))
           from pg_catalog.pg_publication p left join pg_catalog.pg_publication_rel r on r.prpubid = p.oid where p.pubname in (",
    );
    sql.bind(PUBLICATION).text("::text, ").bind(PROJECT_PUBLICATION).text("::text)");
    shared.text(sql).await
}

/// Begins a transaction behind everything that may have been committed before the slot stood.
async fn floor(shared: &Shared) -> Result<u64> {
    shared.text(Sql::new("select pg_catalog.pg_current_xact_id()::text")).await?.parse().map_err(Error::internal)
}

/// Writes a beat into the log again and again; ends when that fails, or when other tables are published.
async fn beats(shared: &Shared, base: Instant, name: &str, published: &str) -> Result<Infallible, Ended> {
    let mut ticks = tokio::time::interval(Duration::from_millis(shared.config.beat_ms));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut count = 0_u32;
    loop {
        ticks.tick().await;
        let mut sql = Sql::new("select pg_catalog.pg_logical_emit_message(false, ");
        let sent = u64::try_from(base.elapsed().as_micros()).unwrap_or(u64::MAX);
        sql.bind(BEAT).text("::text, ").bind(format!("{name} {sent}")).text("::text)::text");
        shared.ask(sql).await?;
        count = count.wrapping_add(1);
        if count.is_multiple_of(BEATS_A_LOOK) && mark(shared).await? != published {
            return Err(Ended::Lost(GapCause::TablesChanged));
        }
    }
}

struct Reading {
    log: Replication,
    decoder: Decoder,
    /// Beats are counted from here.
    base: Instant,
    name: String,
    confirmed: Instant,
    /// Up to here the log is not needed any more.
    taken: u64,
}

impl Reading {
    async fn read(&mut self, shared: &Shared, hub: &mut Hub) -> Result<Infallible, Ended> {
        let silence = Duration::from_millis(shared.config.silence_ms);
        loop {
            let sent = tokio::time::timeout(silence, self.log.next()).await.map_err(crate::error::unavailable)?.map_err(from_wire)?;
            let wants_reply = match sent {
                Sent::Data { lsn, bytes } => {
                    let said = self.decoder.read(bytes).map_err(crate::error::unavailable)?;
                    self.say(shared, hub, lsn, said);
                    false
                }
                Sent::Alive { end, wants_reply } => {
                    if self.decoder.is_between() {
                        self.taken = self.taken.max(end);
                    }
                    wants_reply
                }
            };
            if wants_reply || self.confirmed.elapsed() > CONFIRM {
                self.log.confirm(self.taken).await.map_err(from_wire)?;
                self.confirmed = Instant::now();
            }
        }
    }

    fn say(&mut self, shared: &Shared, hub: &mut Hub, lsn: u64, said: Option<Said>) {
        match said {
            Some(Said::Committed { rows, end }) => {
                self.taken = self.taken.max(end);
                metrics::counter!("change_feed_rows_total").increment(rows.changes.len().try_into().unwrap_or(u64::MAX));
                if !rows.changes.is_empty() {
                    hub.tell(&FeedEvent::Committed(Arc::new(rows)));
                }
            }
            Some(Said::Untold { xid, cause, end }) => {
                self.taken = self.taken.max(end);
                hub.skip(xid, &Place::Log(end), cause);
            }
            Some(Said::Message { prefix, content }) if prefix == BEAT => {
                if self.decoder.is_between() {
                    self.taken = self.taken.max(lsn);
                }
                if let Some(sent) = self.own_beat(&content) {
                    shared.beat(hub, sent);
                }
            }
            Some(Said::Message { .. }) | None => {}
        }
    }

    /// Returns when a beat was sent, where it is ours. Anybody who may write into the log may write one that looks so, and only makes
    /// himself heard late: one that was not sent yet does not count.
    fn own_beat(&self, content: &[u8]) -> Option<Instant> {
        let sent = std::str::from_utf8(content).ok()?.strip_prefix(self.name.as_str())?.trim_start().parse().ok()?;
        self.base.checked_add(Duration::from_micros(sent)).filter(|sent| *sent <= Instant::now())
    }
}
