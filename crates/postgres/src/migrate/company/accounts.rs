//! The people that rows of a company name: as little of them as a sign-in elsewhere needs.
//!
//! Invariant: an account that is there is never changed. It is taken for the archive's where it has the same id and address, as after an
//! import before, or by an address that was proved: whoever only claims somebody's address must not get his place in a company, and a
//! sign-up that is confirmed at once proves nothing. What another issuer said of an address is no proof of ours either.

use kernel::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::super::error;
use super::super::session::Session;

/// An account that rows of a company name.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Its id where it comes from.
    pub id: Uuid,
    /// Its address.
    pub email: Option<String>,
    /// Its telephone number.
    pub phone: Option<String>,
    /// The person's name.
    pub name: Option<String>,
    /// When the address was taken for good.
    pub email_confirmed_at: Option<String>,
    /// When the number was taken for good.
    pub phone_confirmed_at: Option<String>,
    /// When the person showed that the address is his.
    pub email_proved_at: Option<String>,
    /// When the person showed that the number is his.
    pub phone_proved_at: Option<String>,
    /// Whether a provider vouches for the person, whose address is no way in.
    pub is_sso_user: bool,
    /// The hash of the password, where these were asked for.
    pub password_hash: Option<String>,
    /// How the person signs in besides.
    pub identities: Vec<Value>,
}

/// Every column that names an account of rows that are archived.
const NAMING: &str = "
select distinct format('%I.%I', n.nspname, c.relname), quote_ident(a.attname)
  from pg_catalog.pg_constraint k
  join pg_catalog.pg_class c on c.oid = k.conrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[array_position(k.confkey,
       (select f.attnum from pg_catalog.pg_attribute f where f.attrelid = k.confrelid and f.attname = 'id'))]
 where k.contype = 'f' and k.conparentid = 0 and k.confrelid in ('auth.users'::regclass, 'public.users'::regclass)
   and format('%I.%I', n.nspname, c.relname) = any ($1::text[]) order by 1, 2";

const READ: &str = "
select jsonb_build_object('id', u.id, 'email', u.email, 'phone', u.phone, 'name', p.name,
         'email_confirmed_at', u.email_confirmed_at::text, 'phone_confirmed_at', u.phone_confirmed_at::text,
         'email_proved_at', u.email_proved_at::text, 'phone_proved_at', u.phone_proved_at::text, 'is_sso_user', u.is_sso_user,
         'password_hash', case when $2::boolean then u.encrypted_password end,
         'identities', coalesce((select jsonb_agg(jsonb_build_object('provider', i.provider, 'provider_id', i.provider_id,
                                                                     'identity_data', i.identity_data) order by i.provider, i.provider_id)
                                   from auth.identities i where i.user_id = u.id and i.provider !~ '^(sso:|custom:|issuer$)'), '[]'))
  from auth.users u left join public.users p on p.id = u.id where u.id = any ($1::uuid[]) order by u.id";

/// Returns the accounts that rows of a company name.
pub(super) async fn read(session: &Session, tables: &[String], company: Uuid, with_passwords: bool) -> Result<Vec<Account>> {
    let mut people: Vec<Uuid> = Vec::new();
    for row in session.client.query(NAMING, &[&tables]).await.map_err(error::query)? {
        let (table, column): (String, String) = (row.get(0), row.get(1));
        let tenant = if table == super::tables::COMPANIES { "id" } else { "company_id" };
        let named =
            ["select distinct t.", &column, " from ", &table, " t where t.", tenant, " = $1 and t.", &column, " is not null"].concat();
        let found = session.client.query(&named, &[&company]).await.map_err(error::query)?;
        people.extend(found.iter().map(|row| row.get::<_, Uuid>(0)));
    }
    people.sort_unstable();
    people.dedup();
    let rows = session.client.query(READ, &[&people, &with_passwords]).await.map_err(error::query)?;
    rows.iter().map(|row| serde_json::from_value(row.get(0)).map_err(kernel::Error::internal)).collect()
}

/// Somebody with the same address, or without one the same number; and whether he is the same. Whom a provider vouches for is nobody else.
const FIND: &str = "
select u.id, u.id = $3 or case when $1::text is not null then u.email_proved_at else u.phone_proved_at end is not null from auth.users u
 where u.deleted_at is null and u.is_sso_user = $4 and (not $4 or u.id = $3)
   and case when $1::text is not null then lower(u.email) = lower($1) else $2::text is not null and u.phone = $2 end
 order by 2 desc, u.id limit 1";
const MAKE: &str = "
insert into auth.users (id, email, phone, email_confirmed_at, phone_confirmed_at, email_proved_at, phone_proved_at, is_sso_user, encrypted_password,
                        raw_app_meta_data, raw_user_meta_data)
select $1, a ->> 'email', a ->> 'phone', (a ->> 'email_confirmed_at')::timestamptz, (a ->> 'phone_confirmed_at')::timestamptz,
       (a ->> 'email_proved_at')::timestamptz, (a ->> 'phone_proved_at')::timestamptz, (a ->> 'is_sso_user')::boolean, a ->> 'password_hash',
       jsonb_build_object('provider', coalesce(a -> 'identities' -> 0 ->> 'provider', 'email'),
                          'providers', coalesce((select jsonb_agg(distinct i ->> 'provider') from jsonb_array_elements(a -> 'identities') i), '[\"email\"]')),
       case when a ->> 'name' is null then '{}' else jsonb_build_object('name', a ->> 'name') end
  from (select $2::jsonb) g (a)";
const NAME: &str = "update public.users u set name = $2 where u.id = $1 and $2::text is not null and u.name is distinct from $2";
const IDENTIFY: &str = "
insert into auth.identities (user_id, provider, provider_id, identity_data)
select $1::uuid, i ->> 'provider',
       case when i ->> 'provider_id' = $2::text then $1::text else i ->> 'provider_id' end,
       case when i -> 'identity_data' ->> 'sub' = $2::text then (i -> 'identity_data') || jsonb_build_object('sub', $1::text)
            else coalesce(i -> 'identity_data', '{}') end
  from jsonb_array_elements($3::jsonb) i where i ->> 'provider' !~ '^(sso:|custom:|issuer$)' on conflict do nothing";

/// Finds an account or makes it, and returns its id here and whether it is new.
pub(super) async fn settle(session: &Session, account: &Account) -> Result<(Uuid, bool)> {
    let Account { id, email, phone, name, identities, .. } = account;
    if let Some(found) = session.client.query_opt(FIND, &[email, phone, id, &account.is_sso_user]).await.map_err(error::query)? {
        if found.get::<_, bool>(1) {
            return Ok((found.get(0), false));
        }
        let message = "an account here has the address or number of a member and never proved that it is his";
        let hint = "Delete that account, or have its holder show that the address is his (a link or a code by mail), and import again.";
        return Err(error::refused(error::COMPANY_ACCOUNT, message, hint));
    }
    let is_taken = session.client.query_opt("select from auth.users u where u.id = $1", &[id]).await.map_err(error::query)?.is_some();
    let here = if is_taken { Uuid::now_v7() } else { *id };
    let identities = Value::Array(identities.clone());
    let said = serde_json::to_value(account).map_err(kernel::Error::internal)?;
    session.client.execute(MAKE, &[&here, &said]).await.map_err(error::query)?;
    session.client.execute(NAME, &[&here, name]).await.map_err(error::query)?;
    session.client.execute(IDENTIFY, &[&here, &id.to_string(), &identities]).await.map_err(error::query)?;
    Ok((here, true))
}
