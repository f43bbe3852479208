//! The statements that only the service key runs.

use jiff::Timestamp;
use kernel::{Error, Result, UserId};
use postgres::{Sql, Tx};

use crate::users::User;
use crate::users::queries::COLUMNS;

/// Which accounts a list is to have, and in what order.
pub(super) struct Wanted<'a> {
    /// A part of the address, or of the full name, where case makes no difference; empty for all.
    pub(super) filter: &'a str,
    pub(super) oldest_first: bool,
}

impl Wanted<'_> {
    fn condition(&self) -> Sql {
        let mut sql = Sql::new(" from auth.users u");
        if !self.filter.is_empty() {
            sql.text(" where strpos(u.email, ").bind(self.filter);
            sql.text("::text) > 0 or strpos(lower(u.raw_user_meta_data ->> 'full_name'), lower(").bind(self.filter).text("::text)) > 0");
        }
        sql
    }
}

/// Returns one page of the accounts, also of those of which only the id is left, and how many there are.
pub(super) async fn list(tx: &Tx, wanted: &Wanted<'_>, limit: i64, offset: i64) -> Result<(Vec<User>, i64)> {
    let mut count = Sql::new("select count(*) as total");
    count.append(wanted.condition());
    let count = tx.query_one(count).await?;
    let mut sql = Sql::new("select ");
    sql.text(COLUMNS).append(wanted.condition());
    sql.text(if wanted.oldest_first { " order by u.created_at, u.id limit " } else { " order by u.created_at desc, u.id limit " });
    sql.bind(limit).text("::bigint offset ").bind(offset).text("::bigint");
    let users = tx.query(sql).await?.iter().map(User::from_row).collect::<Result<_>>()?;
    Ok((users, count.try_get("total").map_err(Error::internal)?))
}

/// Deletes an account with everything that hangs on it. Tells whether there was one.
pub(super) async fn delete(tx: &Tx, id: UserId) -> Result<bool> {
    let mut sql = Sql::new("delete from auth.users u where u.id = ");
    sql.bind(id.0).text("::uuid returning u.id");
    Ok(tx.query_opt(sql).await?.is_some())
}

/// Takes from an account what names the person and lets him in; its id stays, for what refers to it.
pub(super) async fn retire(tx: &Tx, id: UserId, now: Timestamp) -> Result<bool> {
    let mut sql = Sql::new("with given as (select ");
    sql.bind(id.0).text("::uuid as id, ").bind(now.to_string()).text(
        "::timestamptz as now),
         retired as (
           update auth.users u
              set deleted_at = g.now, updated_at = g.now, email = null, phone = null, encrypted_password = null,
                  raw_user_meta_data = '{}', raw_app_meta_data = '{}'
             from given g
            where u.id = g.id and u.deleted_at is null
           returning u.id),
         identity as (delete from auth.identities i using retired r where i.user_id = r.id),
         factor as (delete from auth.mfa_factors f using retired r where f.user_id = r.id),
         passkey as (delete from auth.passkeys p using retired r where p.user_id = r.id)
         select id from retired",
    );
    Ok(tx.query_opt(sql).await?.is_some())
}
