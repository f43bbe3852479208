//! Accounts as these flows see them.

use jiff::Timestamp;
use kernel::{Error, Result, UserId};
use postgres::{Row, Sql, Tx};
use uuid::Uuid;

use crate::input::{Email, Phone};

/// What has to be known of somebody who is written to.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) id: UserId,
    pub(crate) email: String,
    pub(crate) email_confirmed: bool,
    pub(crate) phone: String,
    pub(crate) phone_confirmed: bool,
    pub(crate) new_email: String,
    pub(crate) new_phone: String,
    pub(crate) locale: String,
    pub(crate) banned: bool,
}

const COLUMNS: &str = "u.id, coalesce(u.email, '') as email, u.email_confirmed_at is not null as email_confirmed,
    coalesce(u.phone, '') as phone, u.phone_confirmed_at is not null as phone_confirmed,
    coalesce(u.email_change, '') as new_email, coalesce(u.phone_change, '') as new_phone,
    left(coalesce(u.raw_user_meta_data ->> 'locale', ''), 20) as locale";

impl Account {
    pub(crate) async fn by_id(tx: &Tx, id: UserId, now: Timestamp) -> Result<Option<Self>> {
        let mut sql = Sql::new("u.id = ");
        sql.bind(id).text("::uuid");
        Self::find(tx, sql, now).await
    }

    pub(crate) async fn by_email(tx: &Tx, email: &Email, now: Timestamp) -> Result<Option<Self>> {
        let mut sql = Sql::new("u.email_key = lower(btrim(");
        sql.bind(email.as_str()).text("::text)) and not u.is_sso_user");
        Self::find(tx, sql, now).await
    }

    pub(crate) async fn by_phone(tx: &Tx, phone: &Phone, now: Timestamp) -> Result<Option<Self>> {
        let mut sql = Sql::new("u.phone = ");
        sql.bind(phone.as_str()).text("::text");
        Self::find(tx, sql, now).await
    }

    /// Finds who wants this number.
    pub(crate) async fn by_new_phone(tx: &Tx, phone: &Phone, now: Timestamp) -> Result<Option<Self>> {
        let mut sql = Sql::new("u.id = (select t.user_id from auth.one_time_tokens t where t.purpose = 'phone_change' and t.sent_to = ");
        sql.bind(phone.as_str()).text("::text order by t.created_at desc limit 1)");
        Self::find(tx, sql, now).await
    }

    async fn find(tx: &Tx, condition: Sql, now: Timestamp) -> Result<Option<Self>> {
        let mut sql = Sql::new("select ");
        sql.text(COLUMNS).text(", coalesce(u.banned_until > ").bind(now);
        sql.text("::timestamptz, false) as banned from auth.users u where u.deleted_at is null and ").append(condition);
        tx.query_opt(sql).await?.map(|row| Self::from_row(&row)).transpose()
    }

    fn from_row(row: &Row) -> Result<Self> {
        let text = |name: &str| row.try_get::<_, String>(name).map_err(Error::internal);
        let flag = |name: &str| row.try_get::<_, bool>(name).map_err(Error::internal);
        Ok(Self {
            id: UserId(row.try_get::<_, Uuid>("id").map_err(Error::internal)?),
            email: text("email")?,
            email_confirmed: flag("email_confirmed")?,
            phone: text("phone")?,
            phone_confirmed: flag("phone_confirmed")?,
            new_email: text("new_email")?,
            new_phone: text("new_phone")?,
            locale: text("locale")?,
            banned: flag("banned")?,
        })
    }
}
