//! Which tables hold rows of a company, which of them go into an archive, and what is read of them.
//!
//! Invariant: a table with a company's column is archived unless it stands in `LEFT_OUT` with the reason, so that a new table is never
//! forgotten. What opens a door (tokens, keys, secrets) is never read.

use kernel::Result;
use uuid::Uuid;

use super::super::error;
use super::super::session::Session;

/// A table that stays where it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeftOut {
    /// As SQL names it.
    pub table: &'static str,
    /// Why.
    pub why: &'static str,
    /// Whether somebody has to make its rows again where the company comes to.
    pub again: bool,
}

const IN_FLIGHT: &str = "work in flight: the installation that began it ends it";
const COUNTED: &str = "counts and limits of one installation";
const SEALED: &str = "sealed with the installation's keys";
const DOORS: &str = "opens a door of one installation";
const DIRECTORY: &str = "agreed with a directory or provider that knows one installation";

const fn stays(table: &'static str, why: &'static str) -> LeftOut {
    LeftOut { table, why, again: false }
}

const fn again(table: &'static str, why: &'static str) -> LeftOut {
    LeftOut { table, why, again: true }
}

/// Every table with rows of companies that is not in an archive.
pub const LEFT_OUT: &[LeftOut] = &[
    stays("app.tasks", IN_FLIGHT),
    stays("app.done_tasks", IN_FLIGHT),
    stays("app.dead_tasks", IN_FLIGHT),
    stays("app.events", IN_FLIGHT),
    stays("app.http_requests", IN_FLIGHT),
    stays("app.idempotency_keys", IN_FLIGHT),
    stays("app.outbox", IN_FLIGHT),
    stays("app.message_attempts", IN_FLIGHT),
    stays("app.notification_decisions", IN_FLIGHT),
    stays("app.notification_digests", IN_FLIGHT),
    stays("app.notification_events", IN_FLIGHT),
    stays("app.notification_messages", IN_FLIGHT),
    stays("app.part_uploads", IN_FLIGHT),
    stays("app.webhook_deliveries", IN_FLIGHT),
    stays("app.webhook_states", IN_FLIGHT),
    stays("public.webhook_logs", IN_FLIGHT),
    stays("app.cron_runs", IN_FLIGHT),
    stays("app.presences", "who is there at this moment, at servers of one installation"),
    stays("app.cron_states", IN_FLIGHT),
    stays("app.retention_held", IN_FLIGHT),
    stays("public.data_exports", IN_FLIGHT),
    stays("public.data_imports", IN_FLIGHT),
    stays("app.import_errors", IN_FLIGHT),
    stays("app.import_rows", IN_FLIGHT),
    stays("app.api_key_uses", COUNTED),
    stays("app.task_limits", COUNTED),
    stays("app.rate_limit_rules", COUNTED),
    stays("public.api_rate_limits", COUNTED),
    stays("app.subscription_events", COUNTED),
    again("app.subscriptions", "agreed with the installation's payment provider"),
    again("app.cron_entries", "what an entry asks for may hold secrets"),
    again("app.webhook_secrets", SEALED),
    again("app.supplier_secrets", SEALED),
    again("app.s3_keys", SEALED),
    again("auth.sign_on_secrets", SEALED),
    stays("auth.portal_sessions", DOORS),
    again("public.api_keys", DOORS),
    again("public.public_links", DOORS),
    again("public.invitations", DOORS),
    stays("public.ownership_transfers", DOORS),
    stays("public.support_consents", DOORS),
    stays("public.support_sessions", DOORS),
    again("app.proved_domains", "proved to one installation"),
    again("public.company_domains", "proved to one installation"),
    again("public.sign_on_providers", DIRECTORY),
    again("public.scim_tokens", DIRECTORY),
    stays("public.scim_mappings", DIRECTORY),
    stays("auth.scim_users", DIRECTORY),
    stays("auth.scim_groups", DIRECTORY),
    stays("auth.scim_group_members", DIRECTORY),
];

/// Columns of which something else is read: secrets are not, and what would act by itself waits until somebody lets it.
const BLANKED: &[(&str, &str, &str)] = &[
    ("public.companies", "stripe_subscription_id", "null"),
    ("public.companies", "stripe_subscription_status", "null"),
    ("public.team_members", "voicemail_pin", "null"),
    ("public.estimates", "acceptance_token", "null"),
    ("public.estimates", "acceptance_token_expires_at", "null"),
    ("public.invoices", "payment_token", "null"),
    ("public.invoices", "payment_token_expires_at", "null"),
    ("public.payment_methods", "provider_token", "null"),
    ("public.file_storage", "encryption_key", "null"),
    ("public.supplier_integrations", "api_key", "null"),
    ("public.supplier_integrations", "api_secret", "null"),
    ("public.supplier_integrations", "webhook_secret", "null"),
    ("public.supplier_integrations", "sync_enabled", "false"),
    ("public.webhooks", "secret", "null"),
    ("public.webhooks", "custom_headers", "'{}'::pg_catalog.jsonb"),
    ("public.webhooks", "is_active", "false"),
    ("public.notification_queue", "digest_id", "null"),
];

/// The company itself.
pub(super) const COMPANIES: &str = "public.companies";
/// The chain over the audit, which holds for the ids that it was made of.
pub(super) const SEALS: &str = "app.audit_batches";
/// Which rows of the audit lost their words, by digests of the rows with the ids that they had.
pub(super) const REDACTIONS: &str = "app.audit_redactions";
/// Buckets are the installation's; those that files of the company are in are made where they are missing.
pub(super) const BUCKETS: &str = "storage.buckets";

/// A table of which rows are archived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Archived {
    /// As SQL names it, with its schema.
    pub name: String,
    /// Its columns, as SQL names them, in the order of an archived row.
    pub columns: Vec<String>,
    /// The columns of its key, as SQL names them.
    pub(super) key: Vec<String>,
    /// The position of a column that no other row of the database has twice, if rows are named by one.
    pub id: Option<usize>,
}

const TABLES: &str = "
select format('%I.%I', n.nspname, c.relname),
       array(select quote_ident(a.attname) from pg_catalog.pg_attribute a
              where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' order by a.attnum),
       array(select quote_ident(a.attname) from pg_catalog.pg_index i
               join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
              where i.indrelid = c.oid and i.indisprimary order by array_position(i.indkey::int2[], a.attnum))
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p') and not c.relispartition and n.nspname in ('public', 'app', 'auth', 'storage')
   and (format('%I.%I', n.nspname, c.relname) = any (array['public.companies', 'storage.buckets', 'storage.objects'])
        or exists (select from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attname = 'company_id' and not a.attisdropped))
 order by 1";

impl Archived {
    /// Whether its rows are those of the installation, brought where they are missing and compared with nothing.
    pub fn is_shared(&self) -> bool {
        self.name == BUCKETS
    }

    /// Whether its rows can only be brought with the ids that they have.
    pub fn keeps_ids(&self) -> bool {
        [SEALS, REDACTIONS].contains(&self.name.as_str())
    }

    /// What a row of a company is told by; the id is one that was parsed.
    fn filter(&self, company: Uuid) -> String {
        let id = ["'", &company.to_string(), "'"].concat();
        match self.name.as_str() {
            COMPANIES => ["t.id = ", &id].concat(),
            BUCKETS => ["t.id in (select v.bucket_id from app.object_versions v where v.company_id = ", &id, ")"].concat(),
            "storage.objects" => {
                ["t.bucket_id in (select b.id from app.company_buckets b) and pg_catalog.starts_with(t.name, ", &id, " || '/')"].concat()
            }
            "app.blobs" => [
                "t.company_id = ",
                &id,
                " and t.state = 'stored' and exists (select from app.object_versions v where v.company_id = t.company_id and v.blob_key = t.key)",
            ]
            .concat(),
            // Until it is over it has words of whoever is being erased, and is work in flight.
            "app.erasures" => ["t.company_id = ", &id, " and t.status not in ('pending', 'running')"].concat(),
            _ => ["t.company_id = ", &id].concat(),
        }
    }

    /// Reads the rows of a company in the order of their key.
    pub(super) fn read(&self, company: Uuid) -> String {
        let read = |column: &String| {
            let blank = BLANKED.iter().find(|(table, blanked, _)| *table == self.name && blanked == column);
            blank.map_or_else(|| ["t.", column].concat(), |(_, _, value)| (*value).to_owned())
        };
        let values = self.columns.iter().map(read).collect::<Vec<_>>().join(", ");
        let order = self.key.iter().map(|column| ["t.", column].concat()).collect::<Vec<_>>().join(", ");
        let order = if order.is_empty() { String::new() } else { [" order by ", &order].concat() };
        ["copy (select ", &values, " from ", &self.name, " t where ", &self.filter(company), &order, ") to stdout"].concat()
    }

    /// Counts rows in a staging table that are not the company's.
    pub(super) fn strangers(&self, stage: &str, company: Uuid) -> Option<String> {
        let id = company.to_string();
        let condition = match self.name.as_str() {
            COMPANIES => ["id <> '", &id, "'"].concat(),
            BUCKETS => return None,
            "storage.objects" => ["not coalesce(pg_catalog.starts_with(name, '", &id, "/'), false)"].concat(),
            "app.blobs" => ["company_id <> '", &id, "' or not pg_catalog.starts_with(key, '", &id, "/') or state <> 'stored'"].concat(),
            "app.object_versions" => [
                "company_id <> '",
                &id,
                "' or not pg_catalog.starts_with(name, '",
                &id,
                "/') or not pg_catalog.starts_with(blob_key, '",
                &id,
                "/')",
            ]
            .concat(),
            _ => ["company_id is distinct from '", &id, "'"].concat(),
        };
        Some(["select count(*) from pg_temp.", stage, " where ", &condition].concat())
    }
}

/// Returns the tables of an archive.
pub(super) async fn archived(session: &Session) -> Result<Vec<Archived>> {
    let rows = session.client.query(TABLES, &[]).await.map_err(error::query)?;
    let mut tables = Vec::new();
    for row in &rows {
        let (name, columns, key): (String, Vec<String>, Vec<String>) = (row.get(0), row.get(1), row.get(2));
        if LEFT_OUT.iter().any(|left| left.table == name) {
            continue;
        }
        let id = if name == BUCKETS { None } else { columns.iter().position(|column| column == "id") };
        tables.push(Archived { name, columns, key, id });
    }
    Ok(tables)
}

/// Counts the rows of what has to be made again elsewhere.
pub(super) async fn to_make_again(session: &Session, company: Uuid) -> Result<Vec<(&'static str, i64)>> {
    let mut found = Vec::new();
    for left in LEFT_OUT.iter().filter(|left| left.again) {
        let count = ["select count(*) from ", left.table, " t where t.company_id = $1"].concat();
        let rows: i64 = session.client.query_one(&count, &[&company]).await.map_err(error::query)?.get(0);
        if rows > 0 {
            found.push((left.table, rows));
        }
    }
    Ok(found)
}
