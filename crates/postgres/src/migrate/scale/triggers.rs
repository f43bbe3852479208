//! Triggers off, and on again.
//!
//! Invariant: what is switched off is written to the catalog, and everything that is off is found there again, whoever switched it off.

use kernel::Result;

use super::super::error;
use super::super::options::Options;
use super::super::session::Session;

/// The tables whose rows come in bulk, in the order in which they are written.
pub(super) const TABLES: &[&str] = &[
    "public.price_book_categories",
    "public.price_book_items",
    "public.customers",
    "public.properties",
    "public.equipment",
    "public.jobs",
    "public.schedules",
    "public.bookings",
    "public.estimates",
    "public.estimate_line_items",
    "public.invoices",
    "public.invoice_line_items",
    "public.payments",
];
/// Triggers that stay on: they look at nothing but their own row, and nobody else could write what they write.
const KEPT: &[&str] = &["weigh_words"];

/// Switches the triggers of these tables off, but for those that are kept. Keys are checked all the same: theirs are not ours.
pub(super) async fn switch_off(session: &Session, options: &Options) -> Result<()> {
    let tables = TABLES.iter().map(|table| (*table).to_owned()).collect::<Vec<_>>();
    let kept = KEPT.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    session.begin(options).await?;
    let result = async {
        let rows = session
            .client
            .query(
                "select format('alter table %s disable trigger %I', t.tgrelid::regclass, t.tgname) from pg_catalog.pg_trigger t
                  where not t.tgisinternal and t.tgenabled = 'O' and t.tgrelid = any ($1::text[]::regclass[]) and t.tgname <> all ($2::text[])
                  order by 1",
                &[&tables, &kept],
            )
            .await
            .map_err(error::query)?;
        for row in rows {
            session.client.batch_execute(row.get(0)).await.map_err(error::query)?;
        }
        Ok(())
    };
    let result = result.await;
    session.or_rollback(result).await?;
    session.commit().await
}

/// Switches on every trigger of ours that is off, and returns how many these were. None of ours is meant to be off.
pub(super) async fn switch_on(session: &Session, options: &Options) -> Result<usize> {
    session.begin(options).await?;
    let result = async {
        let rows = session
            .client
            .query(
                "select format('alter table %s enable trigger %I', t.tgrelid::regclass, t.tgname)
                   from pg_catalog.pg_trigger t
                   join pg_catalog.pg_class c on c.oid = t.tgrelid
                  where not t.tgisinternal and t.tgenabled = 'D' and c.relowner = 'app_owner'::regrole
                  order by 1",
                &[],
            )
            .await
            .map_err(error::query)?;
        for row in &rows {
            session.client.batch_execute(row.get(0)).await.map_err(error::query)?;
        }
        Ok(rows.len())
    };
    let result = result.await;
    let count = session.or_rollback(result).await?;
    session.commit().await?;
    Ok(count)
}
