//! What of the platform's own tables comes along: accounts with the hashes of their passwords, identities, buckets and the records of files.
//!
//! Invariant: only columns that both sides have; an account that was changed here later than there stays as it is, so that a password
//! that was renewed at a sign-in is not made old again. Sessions stay where they are.

use kernel::Result;

use super::super::super::error;
use super::super::super::session::Session;
use super::rows::Table;

/// A column whose values are shaped on their way.
const SHAPED: [(&str, &str, &str); 12] = [
    ("auth.users", "aud", "coalesce(nullif(aud, ''), 'authenticated')"),
    ("auth.users", "role", "coalesce(nullif(role, ''), 'authenticated')"),
    ("auth.users", "email", "nullif(email, '')"),
    ("auth.users", "phone", "nullif(phone, '')"),
    ("auth.users", "encrypted_password", "nullif(encrypted_password, '')"),
    ("auth.users", "raw_app_meta_data", "coalesce(raw_app_meta_data, '{}')"),
    ("auth.users", "raw_user_meta_data", "coalesce(raw_user_meta_data, '{}')"),
    ("auth.users", "created_at", "coalesce(created_at, updated_at, '2000-01-01')"),
    ("auth.users", "updated_at", "coalesce(updated_at, created_at, '2000-01-01')"),
    ("auth.identities", "identity_data", "coalesce(identity_data, '{}')"),
    ("auth.identities", "created_at", "coalesce(created_at, '2000-01-01')"),
    ("auth.identities", "updated_at", "coalesce(updated_at, '2000-01-01')"),
];

/// Tables, their keys, and what is compared of them: not what signing in changes.
const TABLES: [(&str, Option<&[&str]>); 4] = [
    (
        "auth.users",
        Some(&["id", "aud", "role", "email", "phone", "email_confirmed_at", "raw_app_meta_data", "raw_user_meta_data", "created_at"]),
    ),
    ("auth.identities", Some(&["id", "user_id", "provider", "provider_id", "identity_data", "created_at"])),
    ("storage.buckets", None),
    ("storage.objects", None),
];

/// Columns that both sides write, in one order.
const COLUMNS: &str = "select quote_ident(a.attname) from pg_catalog.pg_attribute a
    where a.attrelid = pg_catalog.to_regclass($1) and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' order by a.attname collate \"C\"";

/// Returns the tables with what is read of them.
pub(super) async fn tables(there: &Session, here: &Session) -> Result<Vec<Table>> {
    let mut tables = Vec::new();
    for (name, compared) in TABLES {
        let (known, ours) = (columns(there, name).await?, columns(here, name).await?);
        let mut table = Table { name: name.to_owned(), key: vec!["id".to_owned()], compared, ..Table::default() };
        if name.starts_with("auth.") {
            table.changes_if = Some("here.updated_at < brought.updated_at");
        }
        // Of old, the provider's id was the identity's.
        let is_old = name == "auth.identities" && !known.is_empty() && !known.iter().any(|column| column == "provider_id");
        for column in ours {
            let shaped = SHAPED.iter().find(|(of, shaped, _)| *of == name && *shaped == column).map(|(_, _, value)| (*value).to_owned());
            let value = match column.as_str() {
                "provider_id" if is_old => "id::text".to_owned(),
                "id" if is_old => "md5(provider || ' ' || id::text)::uuid".to_owned(),
                "type" => continue,
                _ if !known.contains(&column) => continue,
                _ => shaped.unwrap_or_else(|| column.clone()),
            };
            table.read.push(value);
            table.columns.push(column);
        }
        if !known.is_empty() {
            tables.push(table);
        }
    }
    Ok(tables)
}

async fn columns(session: &Session, table: &str) -> Result<Vec<String>> {
    let rows = session.client.query(COLUMNS, &[&table]).await.map_err(error::query)?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Triggers would make rows that are brought themselves, or say that a row was changed just now. What keeps `public.users` in step goes on.
pub(super) async fn triggers(here: &Session, table: &Table, fire: bool) -> Result<()> {
    let asked = "select format('alter table %s %s trigger %I', t.tgrelid::regclass, $2::text, t.tgname)
                   from pg_catalog.pg_trigger t where t.tgrelid = pg_catalog.to_regclass($1) and not t.tgisinternal and t.tgname <> 'sync_user'";
    let verb = if fire { "enable" } else { "disable" };
    for row in here.client.query(asked, &[&table.name, &verb]).await.map_err(error::query)? {
        here.client.batch_execute(row.get(0)).await.map_err(error::query)?;
    }
    Ok(())
}
