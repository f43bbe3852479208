//! Foreign keys and secondary indexes aside while rows come in, and back.
//!
//! Invariant: what is taken away is noted in `app.set_aside` in the same transaction, and struck off in the one that makes it again, so that
//! whatever is missing after a kill is found there. A foreign key is struck off only when it has been held against all rows.
//!
//! Why: an index that takes every row at its own place outgrows the buffers, and a foreign key asks for every row apart. Each of them does
//! the same work for all rows together in a small part of the time.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use futures_util::future::join_all;
use kernel::Result;

use super::super::options::Options;
use super::super::session::{Session, with_retries};
use super::super::{error, guard, history};
use super::triggers::TABLES;

const ASIDE: &str = include_str!("aside.sql");
const NOTES: &str = "app.set_aside";
/// Notes of what is there again, or of what is gone altogether: somebody was here in between.
const NEEDLESS: &str = "delete from app.set_aside n
     where to_regclass(n.relation) is null
        or n.kind <> 'index' and (n.kind = 'key')
             = exists (select from pg_catalog.pg_constraint k where k.conrelid = to_regclass(n.relation) and k.conname = n.name)
        or n.kind = 'index' and exists (select from pg_catalog.pg_class t join pg_catalog.pg_class i on i.relnamespace = t.relnamespace
                                         where t.oid = to_regclass(n.relation) and i.relname = n.name)";
/// Those that compute most come first, so that none of them is left at the end; then those of one table together, which read the same pages.
const INDEXES: &str = "select n.position, n.definition, n.relation from app.set_aside n where n.kind = 'index'
     order by n.definition like '% USING gin %' desc, case when n.definition like '% USING gin %' then length(n.definition) end desc,
              pg_relation_size(n.relation::regclass) desc, n.position";
const KEYS: &str = "select n.position, n.definition, n.relation from app.set_aside n where n.kind = 'key' order by n.position";
const CHECKS: &str =
    "select n.position, format('alter table %s validate constraint %I', n.relation, n.name), n.relation from app.set_aside n
     where n.kind = 'check' order by pg_relation_size(n.relation::regclass) desc, n.relation, n.position";
/// What sorting may take, all of them together and one of them.
const MEMORY_MB: usize = 2048;
const MEMORY_MB_EACH: usize = 512;
/// Where several work at a time, none of them takes further workers.
const ALONE: &str = "set local max_parallel_maintenance_workers = 0";

/// One thing to make again.
struct Note {
    position: i32,
    statement: String,
    relation: String,
}

/// Takes the foreign keys and secondary indexes of the tables away.
pub(super) async fn put(session: &Session, options: &Options) -> Result<()> {
    let tables = format!("array['{}']::regclass[]", TABLES.join("', '"));
    session.begin(options).await?;
    let done = session.client.batch_execute(&ASIDE.replace("/* tables */", &tables)).await.map_err(error::query);
    session.or_rollback(done).await?;
    session.commit().await
}

/// Makes everything again that is noted, over all these sessions, and returns how many these were.
pub(super) async fn bring_back(sessions: &[&Session], options: &Options) -> Result<usize> {
    let Some(first) = sessions.first() else { return Ok(0) };
    if !history::exists(first, NOTES).await? {
        return Ok(0);
    }
    in_one(first, options, &[NEEDLESS]).await?;
    let indexes = read(first, options, INDEXES).await?;
    let keys = read(first, options, KEYS).await?;
    let count = indexes.len();
    for key in &keys {
        let noted = format!("update {NOTES} set kind = 'check' where position = {}", key.position);
        in_one(first, options, &[&key.statement, &noted]).await?;
    }
    make(sessions, options, indexes.into_iter().map(|note| vec![note]).collect()).await?;
    // Checks of one table wait for each other.
    let mut checks: VecDeque<Vec<Note>> = VecDeque::new();
    for note in read(first, options, CHECKS).await? {
        match checks.back_mut().filter(|table| table.last().is_some_and(|last| last.relation == note.relation)) {
            Some(table) => table.push(note),
            None => checks.push_back(vec![note]),
        }
    }
    let count = count + checks.iter().map(Vec::len).sum::<usize>();
    // A key that is held against rows the owner cannot see would be called valid.
    guard::owner_sees_all(first, NOTES, 1).await?;
    make(sessions, options, checks).await?;
    in_one(first, options, &[&format!("drop table {NOTES}")]).await?;
    Ok(count)
}

/// Every session takes what is next until nothing is left, or one of them fails.
async fn make(sessions: &[&Session], options: &Options, left: VecDeque<Vec<Note>>) -> Result<()> {
    let left = &Mutex::new(left);
    let memory = (MEMORY_MB / sessions.len().max(1)).min(MEMORY_MB_EACH);
    let workers = if sessions.len() > 1 { ALONE } else { "" };
    let limits = &format!("set local maintenance_work_mem = '{memory}MB'; {workers}");
    // All of them are waited for: what still runs would keep its locks.
    join_all(sessions.iter().map(|session| work(session, options, left, limits))).await.into_iter().collect()
}

async fn work(session: &Session, options: &Options, left: &Mutex<VecDeque<Vec<Note>>>, limits: &str) -> Result<()> {
    let take = || left.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    while let Some(notes) = take() {
        for note in notes {
            let struck = format!("delete from {NOTES} where position = {}", note.position);
            if let Err(failed) = in_one(session, options, &[limits, &note.statement, &struck]).await {
                left.lock().unwrap_or_else(PoisonError::into_inner).clear();
                return Err(failed);
            }
        }
    }
    Ok(())
}

async fn read(session: &Session, options: &Options, query: &str) -> Result<Vec<Note>> {
    session.begin(options).await?;
    let rows = session.client.query(query, &[]).await.map_err(error::query);
    let rows = session.or_rollback(rows).await?;
    session.commit().await?;
    Ok(rows.iter().map(|row| Note { position: row.get(0), statement: row.get(1), relation: row.get(2) }).collect())
}

/// Runs statements in one transaction of the owner, again while a lock is not to be had.
async fn in_one(session: &Session, options: &Options, statements: &[&str]) -> Result<()> {
    with_retries(options, || {
        Box::pin(async move {
            session.begin(options).await?;
            for statement in statements {
                let done = session.client.batch_execute(statement).await.map_err(error::query);
                session.or_rollback(done).await?;
            }
            session.commit().await
        })
    })
    .await
    .map(|_| ())
}
