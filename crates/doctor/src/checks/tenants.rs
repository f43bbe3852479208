//! Companies that share tables: whether each row says whose it is, and whether keys keep companies apart.

use crate::check::Text::Any;
use crate::check::{Check, Group, Lock, Need, Severity};

const PLAIN: Check = Check { group: Group::Tenants, needs: &[Need::Tenants], ..Check::PLAIN };

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "tenant_nullable",
        severity: Severity::High,
        title: "a row may belong to no company",
        why: "Policies that compare with null hide the row from everybody, and checks that meet a null let it pass.",
        remedy: "Fill it in, add a check NOT VALID, validate it, then set NOT NULL, which then need not read the table.",
        lock: Lock::Scan,
        sql: Any("
select t.name as object, format('%s may be null', n.attname) as evidence,
       format(E'alter table %1$s add constraint %2$I check (%3$I is not null) not valid;\\nalter table %1$s validate constraint %2$I;\\nalter table %1$s alter column %3$I set not null;\\nalter table %1$s drop constraint %2$I;',
              t.name, left(t.relname || '_' || n.attname, 50) || '_not_null', n.attname) as up,
       format('alter table %s alter column %I drop not null;', t.name, n.attname) as down
  from tenants n
  join tables t on t.oid = n.relid
 where not n.attnotnull and not t.relispartition and exists (select from grants g where g.relid = t.oid)"),
        of: Some("select count(*) from tenants"),
        ..PLAIN
    },
    Check {
        code: "tenant_missing",
        severity: Severity::Medium,
        title: "callers reach a table that does not say whose a row is",
        why: "Its policies have to find the company through other tables, which is slow, or do not ask at all.",
        remedy: "Add the column, fill it in batches, and make it NOT NULL and part of the keys.",
        sql: Any(r"
select t.name as object, format('%s of %s tables that callers reach have %s', (select count(*) from tenants n where exists (select from grants g where g.relid = n.relid)),
                                (select count(distinct g.relid) from grants g join tables x on x.oid = g.relid), place.tenant_columns[1]) as evidence
  from tables t
  cross join place
 where exists (select from grants g where g.relid = t.oid) and not t.relispartition
   and not exists (select from tenants n where n.relid = t.oid)
   -- The table of companies itself, and what belongs to a row that says it.
   and not exists (select from keys k join tenants n on n.relid = k.relid and n.attnum = any (k.conkey) where k.refid = t.oid)
   and not exists (select from keys k join tenants n on n.relid = k.refid where k.relid = t.oid)
   -- What belongs to a person, and what is written by nobody.
   and not exists (select from columns c where c.attrelid = t.oid and c.attname in ('user_id', 'owner_id', 'profile_id', 'created_by'))
   and not exists (select from keys k where k.relid = t.oid and k.refid = to_regclass('auth.users'))
   and exists (select from grants g where g.relid = t.oid and g.privilege in ('INSERT', 'UPDATE', 'DELETE'))"),
        of: Some("select count(distinct g.relid) from grants g join tables x on x.oid = g.relid"),
        ..PLAIN
    },
    Check {
        code: "key_across_tenants",
        severity: Severity::High,
        title: "a row may point at another company's row",
        why: "Foreign keys are checked past the policies: a row can name one that its writer cannot see, and the answer tells whether it is there.",
        remedy: "Make the company part of the key on both sides: a unique index on (company, id), then a foreign key NOT VALID, then validate it.",
        lock: Lock::Scan,
        sql: Any("
select k.name as object, format('points at %s without %s', k.ref_name, n.attname) as evidence,
       format(E'alter table %1$s add constraint %2$I unique (%3$I, %4$s);\\nalter table %5$s add constraint %6$I foreign key (%7$I, %8$s) references %1$s (%3$I, %4$s) not valid;\\nalter table %5$s validate constraint %6$I;\\nalter table %5$s drop constraint %9$I;',
              k.ref_name, left(rt.relname, 40) || '_tenant_key', m.attname, rc.names, k.table_name, left(k.conname, 50) || '_tenant', n.attname, cc.names, k.conname) as up,
       format(E'alter table %1$s add constraint %2$I %3$s;\\nalter table %1$s drop constraint %4$I;\\nalter table %5$s drop constraint %6$I;',
              k.table_name, k.conname, pg_get_constraintdef(k.oid), left(k.conname, 50) || '_tenant', k.ref_name, left(rt.relname, 40) || '_tenant_key') as down
  from keys k
  join tenants n on n.relid = k.relid
  join tenants m on m.relid = k.refid
  join tables rt on rt.oid = k.refid
  cross join lateral (select string_agg(quote_ident(c.attname), ', ' order by u.at) as names from unnest(k.conkey) with ordinality u(num, at)
                        join columns c on c.attrelid = k.relid and c.attnum = u.num) cc
  cross join lateral (select string_agg(quote_ident(c.attname), ', ' order by u.at) as names from unnest(k.confkey) with ordinality u(num, at)
                        join columns c on c.attrelid = k.refid and c.attnum = u.num) rc
 where not (n.attnum = any (k.conkey) and m.attnum = any (k.confkey))
   and not (k.confkey = array[m.attnum])
   and exists (select from grants g where g.relid = k.relid)"),
        of: Some("select count(*) from keys k join tenants n on n.relid = k.relid join tenants m on m.relid = k.refid"),
        ..PLAIN
    },
    Check {
        code: "unique_across_tenants",
        severity: Severity::Medium,
        title: "a value may be there once over all companies",
        why: "One company is refused what another has, and so learns that it is there.",
        remedy: "Put the company first into the unique index.",
        lock: Lock::Concurrent,
        sql: Any(r"
select i.name as object, format('unique on %s: %s', i.table_name, string_agg(c.attname, ', ' order by c.attnum)) as evidence
  from indexes i
  join tenants n on n.relid = i.relid
  join columns c on c.attrelid = i.relid and c.attnum = any (i.keys)
 where i.indisunique and not i.relispartition and not n.attnum = any (i.keys) and exists (select from grants g where g.relid = i.relid and g.privilege in ('INSERT', 'UPDATE'))
 group by i.oid, i.name, i.table_name, i.has_expressions
-- Ids that nobody chooses or guesses, hashes, and keys that begin with another row's id tell nothing.
having bool_and(c.atttypid not in ('uuid'::regtype, 'bytea'::regtype) and c.attidentity = ''
                and c.attname !~ '(^id$|hash|token|secret|digest|nonce)')"),
        ..PLAIN
    },
    Check {
        code: "key_to_accounts",
        severity: Severity::High,
        title: "a foreign key points at a column of accounts that is not its primary key",
        why: "Unique columns of that table belong to the platform, which may change them: its upgrade fails, or your rows are in its way.",
        remedy: "Point at auth.users (id).",
        lock: Lock::Scan,
        lints: &["0021_fkey_to_auth_unique"],
        needs: &[],
        sql: Any("
select k.name as object, format('points at auth.%s (%s)', c.relname, (select string_agg(a.attname, ', ') from pg_attribute a where a.attrelid = k.confrelid and a.attnum = any (k.confkey))) as evidence
  from (select o.oid, o.confrelid, o.confkey, o.conindid, format('%s constraint %I', t.name, o.conname) as name, t.nspname
          from pg_constraint o join tables t on t.oid = o.conrelid where o.contype = 'f') k
  join pg_class c on c.oid = k.confrelid
  join pg_namespace s on s.oid = c.relnamespace and s.nspname = 'auth'
  join pg_index i on i.indexrelid = k.conindid
 where not i.indisprimary and k.nspname <> 'auth'"),
        ..PLAIN
    },
];
