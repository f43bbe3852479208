//! Types, keys and what the model promises.

use crate::check::Text::Any;
use crate::check::{Check, Group, Lock, Need, Severity};

const PLAIN: Check = Check { group: Group::Model, ..Check::PLAIN };

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "no_primary_key",
        severity: Severity::Medium,
        title: "a table has no primary key",
        why: "A row cannot be named: not by a change, a copy or an API, and twice the same is two rows.",
        remedy: "Give it one.",
        lock: Lock::Scan,
        lints: &["0004_no_primary_key"],
        sql: Any("
select t.name as object, case when exists (select from indexes i where i.relid = t.oid and i.indisunique) then 'it has a unique index' else 'nothing is unique in it' end as evidence,
       case when not exists (select from grants g where g.relid = t.oid and g.privilege in ('INSERT', 'UPDATE', 'DELETE')) then 'low' end as severity
  from tables t
 where not t.relispartition and t.relpersistence = 'p' and not exists (select from pg_index i where i.indrelid = t.oid and i.indisprimary)"),
        of: Some("select count(*) from tables where not relispartition"),
        ..PLAIN
    },
    Check {
        code: "time_without_zone",
        severity: Severity::Low,
        title: "a moment is kept without its zone",
        why: "Which moment it is depends on who wrote it, and an hour of every autumn is there twice.",
        remedy: "Use timestamptz. The change of the type needs the zone that was meant: `using made_at at time zone 'UTC'`.",
        lock: Lock::Scan,
        sql: Any("
select t.name as object, string_agg(c.attname, ', ' order by c.attnum) as evidence
  from tables t
  join columns c on c.attrelid = t.oid
 where c.atttypid = 'timestamp'::regtype and not t.relispartition
 group by t.name"),
        ..PLAIN
    },
    Check {
        code: "money_inexact",
        severity: Severity::Medium,
        title: "money is kept in a type that rounds",
        why: "Sums of floating point numbers are off by cents; `money` changes with a setting of the session.",
        remedy: "Use numeric with a scale, or bigint in the smallest unit.",
        lock: Lock::Scan,
        sql: Any(r"
select format('%s column %I', t.name, c.attname) as object, format_type(c.atttypid, c.atttypmod) as evidence
  from tables t
  join columns c on c.attrelid = t.oid
 where not t.relispartition
   and (c.atttypid = 'money'::regtype
        or (c.atttypid in ('float4'::regtype, 'float8'::regtype)
            and c.attname ~ '(^|_)(price|amount|total|subtotal|balance|tax|cost|fee|discount|deposit|tip|refund)(_|$)' and c.attname !~ '(rate|percent|ratio|factor|tax_rate)'))"),
        ..PLAIN
    },
    Check {
        code: "type_padded",
        severity: Severity::Low,
        title: "a text is filled up with blanks",
        why: "char(n) keeps blanks that nobody wrote and compares without them.",
        remedy: "Use text, with a check of its length.",
        lock: Lock::Scan,
        sql: Any("
select format('%s column %I', t.name, c.attname) as object, format_type(c.atttypid, c.atttypmod) as evidence
  from tables t
  join columns c on c.attrelid = t.oid
 where c.atttypid = 'bpchar'::regtype and not t.relispartition"),
        ..PLAIN
    },
    Check {
        code: "json_as_text",
        severity: Severity::Low,
        title: "JSON is kept as text",
        why: "json is read anew by every query and can have no index; jsonb is not.",
        remedy: "Use jsonb.",
        lock: Lock::Scan,
        sql: Any("
select format('%s column %I', t.name, c.attname) as object, 'json' as evidence,
       format('alter table %s alter column %I type jsonb using %I::jsonb;', t.name, c.attname, c.attname) as up,
       format('alter table %s alter column %I type json using %I::json;', t.name, c.attname, c.attname) as down
  from tables t
  join columns c on c.attrelid = t.oid
 where c.atttypid = 'json'::regtype and not t.relispartition"),
        ..PLAIN
    },
    Check {
        code: "key_too_small",
        severity: Severity::Low,
        title: "a primary key counts to two thousand million",
        why: "Changing its type later rewrites the table and everything that points at it.",
        remedy: "Use bigint or uuid from the start.",
        lock: Lock::Scan,
        sql: Any("
select t.name as object, format('%I is %s', c.attname, format_type(c.atttypid, null)) as evidence
  from tables t
  join pg_index i on i.indrelid = t.oid and i.indisprimary and i.indnkeyatts = 1
  join columns c on c.attrelid = t.oid and c.attnum = i.indkey[0]
 where c.atttypid in ('int4'::regtype, 'int2'::regtype) and not t.relispartition
   and (c.attidentity <> '' or exists (select from pg_depend d join pg_class s on s.oid = d.objid and s.relkind = 'S'
                                        where d.refclassid = 'pg_class'::regclass and d.refobjid = t.oid and d.refobjsubid = c.attnum and d.deptype in ('a', 'i')))"),
        ..PLAIN
    },
    Check {
        code: "serial_column",
        severity: Severity::Low,
        title: "a column counts by a sequence of its own, as serial does",
        why: "Whoever inserts needs a grant on the sequence, and a copy of the table shares it.",
        remedy: "Use `generated always as identity`.",
        sql: Any("
select format('%s column %I', t.name, c.attname) as object, 'nextval as its default' as evidence
  from tables t
  join columns c on c.attrelid = t.oid
 where c.atthasdef and c.attidentity = '' and not t.relispartition
   and exists (select from pg_depend d join pg_class s on s.oid = d.objid and s.relkind = 'S'
                where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = t.oid and d.refobjsubid = c.attnum and d.deptype = 'a')"),
        ..PLAIN
    },
    Check {
        code: "array_of_keys",
        severity: Severity::Low,
        title: "a list of ids stands in one column",
        why: "No foreign key holds for its elements: what they point at may be gone, or another company's.",
        remedy: "Make a table of pairs.",
        sql: Any(r"
select format('%s column %I', t.name, c.attname) as object, format_type(c.atttypid, c.atttypmod) as evidence
  from tables t
  join columns c on c.attrelid = t.oid
 where c.atttypid = 'uuid[]'::regtype and not t.relispartition"),
        ..PLAIN
    },
    Check {
        code: "type_not_upgradable",
        severity: Severity::Medium,
        title: "a column's type stops pg_upgrade",
        why: "It holds numbers of catalog rows, which are others after an upgrade: pg_upgrade refuses the whole cluster.",
        remedy: "Keep the name as text.",
        lock: Lock::Scan,
        lints: &["0018_unsupported_reg_types"],
        sql: Any("
select format('%s column %I', t.name, c.attname) as object, format_type(c.atttypid, null) as evidence,
       format('alter table %s alter column %I type text;', t.name, c.attname) as up,
       format('alter table %s alter column %I type %s using %I::%s;', t.name, c.attname, format_type(c.atttypid, null), c.attname, format_type(c.atttypid, null)) as down
  from tables t
  join columns c on c.attrelid = t.oid
 where c.atttypid in ('regcollation'::regtype, 'regconfig'::regtype, 'regdictionary'::regtype, 'regnamespace'::regtype, 'regoper'::regtype, 'regoperator'::regtype,
                      'regproc'::regtype, 'regprocedure'::regtype) and not t.relispartition"),
        ..PLAIN
    },
    Check {
        code: "constraint_not_valid",
        severity: Severity::Medium,
        title: "a constraint was never checked against old rows",
        why: "It promises what nobody looked at, and the planner does not use it.",
        remedy: "Validate it; what it finds has to be mended first.",
        lock: Lock::Scan,
        sql: Any("
select format('%s constraint %I', t.name, k.conname) as object, left(pg_get_constraintdef(k.oid), 150) as evidence,
       format('alter table %s validate constraint %I;', t.name, k.conname) as up, '-- nothing to take back' as down
  from pg_constraint k
  join tables t on t.oid = k.conrelid
 where not k.convalidated and k.conparentid = 0"),
        ..PLAIN
    },
    Check {
        code: "trigger_disabled",
        severity: Severity::Medium,
        title: "a trigger is switched off",
        why: "What it kept true is not kept, and a switched off foreign key looks as if it held.",
        remedy: "Switch it on, after looking at what was written meanwhile.",
        lock: Lock::Brief,
        sql: Any("
select t.name as object, string_agg(case when g.tgisinternal then 'of constraint ' || coalesce(k.conname, '?') else g.tgname end, ', ' order by g.tgname) as evidence,
       format('alter table %s enable trigger %s;', t.name, case when bool_or(g.tgisinternal) then 'all' else min(quote_ident(g.tgname)) end) as up,
       format('alter table %s disable trigger %s;', t.name, case when bool_or(g.tgisinternal) then 'all' else min(quote_ident(g.tgname)) end) as down
  from pg_trigger g
  join tables t on t.oid = g.tgrelid
  left join pg_constraint k on k.oid = g.tgconstraint
 where g.tgenabled = 'D'
 group by t.name"),
        ..PLAIN
    },
    Check {
        code: "unique_ignores_deleted",
        severity: Severity::Medium,
        title: "what is marked as deleted still takes its value",
        why: "A customer that was deleted keeps his address or number from being used again.",
        remedy: "Make the unique index partial: `where deleted_at is null`.",
        lock: Lock::Concurrent,
        sql: Any(r"
select i.name as object, format('unique on %s, where rows have deleted_at: %s', i.table_name, string_agg(c.attname, ', ' order by c.attnum)) as evidence
  from indexes i
  join columns d on d.attrelid = i.relid and d.attname = 'deleted_at'
  join columns c on c.attrelid = i.relid and c.attnum = any (i.keys)
 where i.indisunique and not i.indisprimary and i.predicate is null and not i.relispartition
   and not exists (select from pg_constraint k where k.contype = 'f' and k.conindid = i.oid)
 group by i.oid, i.name, i.table_name
-- Numbers of documents and keys of other systems are never given again.
having bool_or(c.attname ~ '(email|name|slug|sku|code|phone|username)$') and not bool_or(c.attname in ('version', 'revision'))"),
        ..PLAIN
    },
    Check {
        code: "cascade_into_records",
        severity: Severity::Medium,
        title: "deleting a row deletes records that must stay",
        why: "The law asks for invoices and payments for years, and an audit is worth nothing if it goes with what it tells of.",
        remedy: "Use ON DELETE RESTRICT, and an end of its own for companies.",
        lock: Lock::Brief,
        sql: Any(r"
select k.name as object, format('rows of %s take %s with them', k.ref_name, t.name) as evidence,
       -- With a whole company go its books, by an end that was decided; never what proves it.
       case when t.relname !~ 'audit' and exists (select from tenants n where n.relid = k.relid and k.conkey = array[n.attnum]) then 'low' end as severity
  from keys k
  join tables t on t.oid = k.relid
  join relations r on r.oid = k.refid
 where k.confdeltype = 'c' and t.relname ~ '(^|_)(audit|audit_log|audit_logs|ledger|journal|invoices|payments|refunds|credit_notes|transactions)$'
   and r.relname !~ '(invoice|payment|refund|audit|journal|ledger)'"),
        ..PLAIN
    },
    Check {
        code: "changed_unmarked",
        severity: Severity::Low,
        title: "nothing keeps updated_at true",
        why: "It says when a row was made, unless every program remembers to set it.",
        remedy: "Set it by a BEFORE UPDATE trigger.",
        lock: Lock::Brief,
        sql: Any("
select t.name as object, 'updated_at without a BEFORE UPDATE trigger' as evidence
  from tables t
  join columns c on c.attrelid = t.oid and c.attname = 'updated_at'
 where not t.relispartition
   and not exists (select from pg_trigger g where g.tgrelid = t.oid and not g.tgisinternal and (g.tgtype & 18) = 18)
   and exists (select from grants g where g.relid = t.oid and g.privilege = 'UPDATE')"),
        ..PLAIN
    },
    Check {
        code: "version_missing",
        severity: Severity::Low,
        title: "of two changes at once the later one wins unnoticed",
        why: "Other tables count the versions of their rows; here nobody is told that a row has changed under his hands.",
        remedy: "Add a version that a trigger counts, and ask for it in updates.",
        needs: &[Need::Tenants],
        sql: Any("
, counted as (select c.attrelid as relid from columns c join tables t on t.oid = c.attrelid where c.attname in ('version', 'lock_version'))
select t.name as object, format('%s tables have a version', (select count(*) from counted)) as evidence
  from tables t
  join tenants n on n.relid = t.oid
 where not t.relispartition and t.oid not in (select relid from counted) and exists (select from grants g where g.relid = t.oid and g.privilege = 'UPDATE')
   and 2 * (select count(*) from counted) > (select count(*) from tenants)"),
        ..PLAIN
    },
    Check {
        code: "extension_in_public",
        severity: Severity::Low,
        title: "an extension's functions stand among the application's",
        why: "An API that serves the schema serves them too, and a restore of the schema drops them.",
        remedy: "Move it into a schema of its own.",
        lock: Lock::Brief,
        lints: &["0014_extension_in_public"],
        sql: Any("
select format('extension %I', e.extname) as object, 'in schema public' as evidence,
       case when e.extrelocatable then format('alter extension %I set schema extensions;', e.extname) end as up,
       case when e.extrelocatable then format('alter extension %I set schema public;', e.extname) end as down
  from pg_extension e
  join pg_namespace n on n.oid = e.extnamespace
 where n.nspname = 'public'"),
        ..PLAIN
    },
    Check {
        code: "migrations_unrecorded",
        severity: Severity::Low,
        title: "nothing says which migrations were applied",
        why: "Whether two databases are the same, and what the next release must change, nobody can tell.",
        remedy: "Change the schema by a tool that keeps a history.",
        sql: Any(r"
select 'migrations' as object, 'no table of any tool that records them' as evidence
 where exists (select from tables)
   and not exists (select from pg_class c
                    where c.relkind = 'r'
                      and c.relname ~* '^(schema_migrations|migrations?|_sqlx_migrations|_prisma_migrations|flyway_schema_history|databasechangelog|goose_db_version|alembic_version|django_migrations|knex_migrations|__efmigrationshistory|refinery_schema_history|atlas_schema_revisions|pgmigrations|__drizzle_migrations|_migrations|migration_history|mikro_orm_migrations)$')"),
        ..PLAIN
    },
];
