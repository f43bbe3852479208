//! What came out: how many rows, and whether they are as their triggers would have left them.
//!
//! Invariant: every query is asked in a transaction of its own and tells one name and one number.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::try_join_all;
use kernel::Result;

use super::super::error::{self, SCALE_WRONG};
use super::super::options::Options;
use super::super::session::Session;
use super::super::split;
use super::triggers::TABLES;

const CHECK: &str = include_str!("check.sql");
/// They sort and add up whole tables.
const MEMORY: &str = "set local work_mem = '128MB'";

/// Refuses rows that are not as they should be.
pub(super) async fn check(sessions: &[Session], options: &Options) -> Result<()> {
    let queries = split::statements(CHECK).into_iter().map(|statement| statement.text).collect::<Vec<_>>();
    match answers(sessions, options, &queries).await?.into_iter().find(|(_, wrong)| *wrong > 0) {
        Some((what, wrong)) => Err(error::refused(
            SCALE_WRONG,
            format!("{wrong} {what}"),
            "This is a fault of the scale seed: its SQL no longer agrees with the triggers.",
        )),
        None => Ok(()),
    }
}

/// Returns the rows by table.
pub(super) async fn count(sessions: &[Session], options: &Options) -> Result<Vec<(String, u64)>> {
    let tables = std::iter::once(&"public.companies").chain(TABLES);
    let queries = tables.map(|table| format!("select '{table}', count(*) from {table}")).collect::<Vec<_>>();
    let counts = answers(sessions, options, &queries).await?;
    Ok(counts.into_iter().map(|(table, rows)| (table, u64::try_from(rows).unwrap_or_default())).collect())
}

/// Asks all queries over these sessions, and returns the answers in their order.
async fn answers(sessions: &[Session], options: &Options, queries: &[String]) -> Result<Vec<(String, i64)>> {
    let next = &AtomicUsize::new(0);
    let parts = try_join_all(sessions.iter().map(|session| async move {
        let mut part = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(query) = queries.get(place) else { return Ok::<_, kernel::Error>(part) };
            part.push((place, answer(session, options, query).await?));
        }
    }));
    let mut all = parts.await?.concat();
    all.sort_unstable_by_key(|(place, _)| *place);
    Ok(all.into_iter().map(|(_, answer)| answer).collect())
}

async fn answer(session: &Session, options: &Options, query: &str) -> Result<(String, i64)> {
    session.begin(options).await?;
    let asked = async {
        session.client.batch_execute(MEMORY).await?;
        session.client.query_one(query, &[]).await
    };
    let row = asked.await.map_err(error::query);
    let row = session.or_rollback(row).await?;
    session.commit().await?;
    Ok((row.get(0), row.get(1)))
}
