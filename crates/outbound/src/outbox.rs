//! The statements on the outbox.
//!
//! Invariant: a message leaves `pending` once, and with that what it says is gone from the table.

use jiff::{SignedDuration, Timestamp};
use kernel::{CompanyId, Error, Result};
use postgres::{Row, Sql, Tx};
use uuid::Uuid;

use crate::Channel;
use crate::config::OutboxConfig;

/// How often something may be sent.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Seconds between two messages for the same reason to the same address.
    pub pause_seconds: i64,
    /// Messages to one address in an hour.
    pub recipient_hour_max: i64,
    /// Messages that one client asks for in an hour.
    pub client_hour_max: i64,
}

/// A message that was taken to be sent.
pub(crate) struct Taken {
    pub(crate) id: Uuid,
    pub(crate) company_id: Option<CompanyId>,
    pub(crate) channel: Channel,
    pub(crate) purpose: String,
    pub(crate) recipient: String,
    pub(crate) topic: String,
    pub(crate) is_asked: bool,
    pub(crate) sealed: String,
    pub(crate) attempts: i32,
}

/// What is written.
pub(crate) struct NewRow<'a> {
    pub(crate) id: Uuid,
    pub(crate) company_id: Option<CompanyId>,
    pub(crate) channel: Channel,
    pub(crate) purpose: &'a str,
    pub(crate) recipient: &'a str,
    pub(crate) client: Option<&'a str>,
    pub(crate) topic: &'a str,
    pub(crate) is_asked: bool,
    /// None: it is never sent.
    pub(crate) sealed: Option<String>,
    pub(crate) now: Timestamp,
}

/// What stands against another message.
#[derive(Debug)]
pub(crate) struct Standing {
    /// Seconds until the next one for this reason.
    pub(crate) wait_seconds: i64,
    pub(crate) to_recipient: i64,
    pub(crate) by_client: i64,
    /// What the company wrote that nobody asked for.
    pub(crate) by_company: i64,
    pub(crate) is_full: bool,
}

/// Tells what stands against another message. Failed ones do not count, nor what a company writes where somebody asks for a link, nor what was
/// asked for where a company writes. Two for one address wait for each other here, so that both
/// cannot find nothing.
pub(crate) async fn standing(tx: &Tx, row: &NewRow<'_>, pause_seconds: i64, pending_max: i64) -> Result<Standing> {
    let mut lock = Sql::new("select pg_advisory_xact_lock(hashtextextended('outbox:' || ");
    lock.bind(row.channel.as_str()).text("::text || ':' || ").bind(row.recipient).text("::text, 0))::text as locked");
    tx.query(lock).await?;
    let mut sql = Sql::new("with given as (select ");
    sql.bind(row.channel.as_str()).text("::text as channel, ").bind(row.recipient).text("::text as recipient, ");
    sql.bind(row.purpose).text("::text as purpose, ").bind(row.client.map(str::to_owned)).text("::inet as client, ");
    sql.bind(row.company_id).text("::uuid as company_id, ").bind(row.is_asked).text("::boolean as is_asked, ");
    sql.bind(pause_seconds).text("::bigint as pause, ").bind(row.now).text(
        "::timestamptz as now)
         select coalesce((select greatest(ceil(g.pause - extract(epoch from g.now - max(o.created_at))), 0)::bigint
                            from app.outbox o
                           where o.channel = g.channel and o.recipient = g.recipient and o.purpose = g.purpose
                             and o.status <> 'failed' and o.created_at > g.now - make_interval(secs => g.pause)), 0) as wait_seconds,
                (select count(*) from app.outbox o
                  where o.channel = g.channel and o.recipient = g.recipient and o.is_asked = g.is_asked and o.status <> 'failed'
                    and o.created_at > g.now - interval '1 hour') as to_recipient,
                (select count(*) from app.outbox o
                  where o.client = g.client and o.status <> 'failed' and o.created_at > g.now - interval '1 hour') as by_client,
                (select count(*) from app.outbox o
                  where o.company_id = g.company_id and not o.is_asked and o.status <> 'failed'
                    and o.created_at > g.now - interval '1 hour') as by_company,
                exists (select from app.outbox o where o.status = 'pending' and o.is_asked = g.is_asked offset ",
    );
    sql.bind(pending_max - 1).text("::bigint) as is_full from given g");
    let row = tx.query_one(sql).await?;
    Ok(Standing {
        wait_seconds: row.try_get("wait_seconds").map_err(Error::internal)?,
        to_recipient: row.try_get("to_recipient").map_err(Error::internal)?,
        by_client: row.try_get("by_client").map_err(Error::internal)?,
        by_company: row.try_get("by_company").map_err(Error::internal)?,
        is_full: row.try_get("is_full").map_err(Error::internal)?,
    })
}

pub(crate) async fn insert(tx: &Tx, row: NewRow<'_>) -> Result<()> {
    let mut sql = Sql::new("with given as (select ");
    sql.bind(row.sealed).text("::text as sealed, ").bind(row.now).text("::timestamptz as now) ");
    sql.text(
        "insert into app.outbox (id, company_id, channel, purpose, recipient, topic, is_asked, client, status, sealed, due_at, created_at, finished_at) ",
    );
    sql.text("select ").bind(row.id).text("::uuid, ").bind(row.company_id).text("::uuid, ").bind(row.channel.as_str()).text("::text, ");
    sql.bind(row.purpose).text("::text, ").bind(row.recipient).text("::text, ").bind(row.topic).text("::text, ").bind(row.is_asked);
    sql.text("::boolean, ").bind(row.client.map(str::to_owned)).text(
        "::inet, case when g.sealed is null then 'withheld' else 'pending' end, g.sealed, g.now, g.now,
         case when g.sealed is null then g.now end from given g",
    );
    tx.execute(sql).await?;
    Ok(())
}

/// Which messages are taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// Those that were asked for, or all others.
    pub(crate) is_asked: bool,
    /// How many at most.
    pub(crate) rows_max: i64,
    /// Whose turn was the last: where there is room for few, too, the next company comes next.
    pub(crate) after: Uuid,
}

/// Takes what is due and was asked for, or what is due besides, for as long as a lease. Companies take turns, from behind the one whose turn was
/// the last. Two servers never take the same.
pub(crate) async fn take(tx: &Tx, config: &OutboxConfig, turn: Turn, now: Timestamp) -> Result<Vec<Taken>> {
    let Turn { is_asked, rows_max, after } = turn;
    let mut sql = Sql::new("with recursive given as (select ");
    sql.bind(now).text("::timestamptz as now, ").bind(config.lease_ms).text("::bigint as lease, ").bind(is_asked);
    sql.text("::boolean as is_asked, ").bind(after).text("::uuid as after, ").bind(rows_max.min(config.batch_rows)).text(
        "::bigint as batch),
         -- Those in whose name something waits, one after the other by the index; what is in nobody's name is one of them.
         waiting as (
           (select coalesce(o.company_id, '00000000-0000-0000-0000-000000000000') as company from app.outbox o
             where o.status = 'pending' and o.is_asked = (select g.is_asked from given g) order by 1 limit 1)
           union all
           select n.company from waiting w, given g cross join lateral (
             select coalesce(o.company_id, '00000000-0000-0000-0000-000000000000') as company from app.outbox o
              where o.status = 'pending' and o.is_asked = (select g.is_asked from given g)
                and coalesce(o.company_id, '00000000-0000-0000-0000-000000000000') > w.company order by 1 limit 1) n),
         first as (
           select f.id, f.place, f.due_at, w.company <= g.after as has_been, w.company from waiting w, given g cross join lateral (
             select o.id, o.due_at, row_number() over (order by o.due_at, o.id) as place from app.outbox o
              where o.status = 'pending' and o.is_asked = (select g.is_asked from given g) and o.due_at <= g.now
                and coalesce(o.company_id, '00000000-0000-0000-0000-000000000000') = w.company
              order by o.due_at, o.id limit g.batch) f),
         due as (
           select o.id from app.outbox o join first f on f.id = o.id, given g
            where o.status = 'pending' and o.due_at <= g.now
            order by f.place, f.has_been, f.company, f.due_at, o.id limit (select batch from given) for update of o skip locked)
         update app.outbox o
            set due_at = g.now + make_interval(secs => g.lease / 1000.0), attempts = o.attempts + 1
           from due d, given g
          where o.id = d.id
         returning o.id, o.company_id, o.channel, o.purpose, o.recipient, o.topic, o.is_asked, o.sealed, o.attempts",
    );
    tx.query(sql).await?.iter().map(taken).collect()
}

fn taken(row: &Row) -> Result<Taken> {
    let channel: String = row.try_get("channel").map_err(Error::internal)?;
    Ok(Taken {
        id: row.try_get("id").map_err(Error::internal)?,
        company_id: row.try_get::<_, Option<Uuid>>("company_id").map_err(Error::internal)?.map(CompanyId),
        channel: Channel::parse(&channel).ok_or_else(|| Error::internal("a channel that is not known"))?,
        purpose: row.try_get("purpose").map_err(Error::internal)?,
        recipient: row.try_get("recipient").map_err(Error::internal)?,
        topic: row.try_get("topic").map_err(Error::internal)?,
        is_asked: row.try_get("is_asked").map_err(Error::internal)?,
        sealed: row.try_get("sealed").map_err(Error::internal)?,
        attempts: row.try_get("attempts").map_err(Error::internal)?,
    })
}

/// Notes how an attempt ended: sent, given up with a reason, or to be tried again.
pub(crate) async fn settle(tx: &Tx, taken: &Taken, outcome: Settled<'_>, now: Timestamp) -> Result<()> {
    let mut sql = Sql::new("update app.outbox o set ");
    match outcome {
        Settled::Sent => {
            sql.text("status = 'sent', sealed = null, error = null, finished_at = ").bind(now).text("::timestamptz");
        }
        Settled::Failed(error) => {
            sql.text("status = 'failed', sealed = null, error = left(").bind(error).text("::text, 500), finished_at = ");
            sql.bind(now).text("::timestamptz");
        }
        Settled::Again(error, due_at) => {
            sql.text("error = left(").bind(error).text("::text, 500), due_at = ").bind(due_at).text("::timestamptz");
        }
    }
    // An attempt whose lease ran out says nothing about the one after it.
    sql.text(" where o.status = 'pending' and o.id = ")
        .bind(taken.id)
        .text("::uuid and o.attempts = ")
        .bind(taken.attempts)
        .text("::integer");
    tx.execute(sql).await?;
    Ok(())
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Settled<'a> {
    Sent,
    Failed(&'a str),
    Again(&'a str, Timestamp),
}

/// Takes away what was settled long ago. Returns how many rows.
pub(crate) async fn expire(tx: &Tx, config: &OutboxConfig, now: Timestamp) -> Result<u64> {
    let mut sql = Sql::new("delete from app.outbox o where o.id in (select x.id from app.outbox x where x.finished_at < ");
    let before = now.saturating_sub(SignedDuration::from_hours(config.keep_hours)).map_err(Error::internal)?;
    sql.bind(before).text("::timestamptz order by x.finished_at limit 1000 for update skip locked)");
    tx.execute(sql).await
}
