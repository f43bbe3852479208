//! Every column whose name says that it holds something personal is labelled in the catalog, or stands here with the reason.

use std::collections::BTreeSet;

use testkit::Db;

/// Columns that sound personal, and why they have no label.
const UNLABELLED: &[(&str, &str)] = &[
    ("app.address_holds.address_hash", "a digest, by which an address is known and not told"),
    ("auth.scim_groups.display_name", "a group's name"),
    ("auth.scim_groups.display_name_key", "a group's name"),
    ("auth.users.email_change_token_current", "a token of a brought project; it is never told"),
    ("auth.users.email_change_token_new", "a token of a brought project; it is never told"),
    ("auth.users.phone_change_token", "a token of a brought project; it is never told"),
    ("companies.address", "of a company"),
    ("companies.address2", "of a company"),
    ("companies.email", "of a company"),
    ("companies.email_settings", "settings of a company"),
    ("companies.phone", "of a company"),
    ("companies.support_email", "of a company"),
    ("companies.support_phone", "of a company"),
    ("company_settings.address", "of a company"),
    ("company_settings.address2", "of a company"),
    ("supplier_integrations.display_name", "a supplier's name"),
    ("team_members.phone_extension", "a number within the company; it goes with the member"),
    ("team_members.voicemail_greeting_url", "an address of a file; it goes with the member"),
    ("vendors.display_name", "a supplier's name"),
    ("webhooks.ip_whitelist", "addresses of programs"),
];

#[tokio::test]
async fn what_sounds_personal_is_labelled() {
    let db = Db::new().await;
    let rows = db
        .superuser()
        .await
        .query(
            "select c.oid::regclass || '.' || a.attname as name
               from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
              where n.nspname in ('public', 'app', 'auth', 'storage', 'realtime') and c.relkind in ('r', 'p') and not c.relispartition
                and a.attnum > 0 and not a.attisdropped
                and a.atttypid in ('text'::regtype, 'inet'::regtype, 'jsonb'::regtype, 'text[]'::regtype, 'bytea'::regtype)
                and a.attname ~ '(e?mail|phone|first_name|last_name|full_name|display_name|signer|signed_by|address|signature|(^|_)ip(_|$)|recipient|notes?$|transcript|holder)'
                and a.attname !~ '(_id|_at|_by)$' and coalesce(col_description(a.attrelid, a.attnum), '') !~ '^(pii:|secret|html)'",
            &[],
        )
        .await
        .unwrap();
    let found: BTreeSet<String> = rows.iter().map(|row| row.get("name")).collect();
    let known: BTreeSet<String> = UNLABELLED.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, known, "left: without a label, right: those that may be");
}

/// Every labelled column of a business table has a place where erasing a person finds it, or stands here.
const WITHOUT_PLACE: &[(&str, &str)] = &[
    ("app.cron_entries", "what a member or the operator scheduled; it names no customer"),
    ("app.api_key_uses", "where a program of a company asks from, by the minute"),
    ("app.subscriptions", "who pays for a company"),
    ("app.erasures", "words that are looked for while somebody is erased, and gone with the end"),
    ("auth.mfa_challenges", "goes with its factor"),
    ("auth.oauth_clients", "programs of others"),
    ("companies", "numbers of a company"),
    ("company_settings", "members are taken out of it when they are erased (app.retire_account)"),
    ("po_settings", "members are taken out of it when they are erased (app.retire_account)"),
    ("vendors", "suppliers are companies"),
    ("support_sessions", "who of the operator was in a company is the company's to know"),
    ("audit_logs", "loses the words by itself (app.redact_audit)"),
];

#[tokio::test]
async fn what_is_labelled_has_a_place() {
    let db = Db::new().await;
    let rows = db
        .superuser()
        .await
        .query(
            "select distinct c.oid::regclass::text as name
               from pg_attribute a join pg_class c on c.oid = a.attrelid
              where c.relkind in ('r', 'p') and not c.relispartition and a.attnum > 0 and not a.attisdropped
                and col_description(a.attrelid, a.attnum) ~ '^pii:'
                and c.oid <> all (select p.table_name::regclass from app.personal_places() p)",
            &[],
        )
        .await
        .unwrap();
    let found: BTreeSet<String> = rows.iter().map(|row| row.get("name")).collect();
    let known: BTreeSet<String> = WITHOUT_PLACE.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, known, "left: without a place, right: those that may be");
}
