//! Indexes: those that are missing, and those that only cost.

use crate::check::Text::Any;
use crate::check::{Check, Group, Lock, Need, Severity};

const PLAIN: Check = Check { group: Group::Indexes, lock: Lock::Concurrent, ..Check::PLAIN };

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "key_without_index",
        severity: Severity::Low,
        title: "no index serves a foreign key",
        why: "Whoever deletes or renames what it points at reads the whole table, and so does every join from there.",
        remedy: "Add an index that begins with the columns of the key.",
        lints: &["0001_unindexed_foreign_keys"],
        sql: Any(r"
select k.name as object, format('on (%s)%s', cc.names, case when p.some then ', and a partial index serves some rows only' else '' end) as evidence,
       case when t.reltuples > (select large_table_rows from limits) then 'medium' end as severity,
       format('create index concurrently %I on %s (%s);', left(t.relname || '_' || replace(replace(cc.names, ', ', '_'), chr(34), ''), 58) || '_idx', t.name, cc.names) as up,
       format('drop index concurrently %I.%I;', t.nspname, left(t.relname || '_' || replace(replace(cc.names, ', ', '_'), chr(34), ''), 58) || '_idx') as down
  from keys k
  join tables t on t.oid = k.relid
  cross join lateral (select string_agg(quote_ident(c.attname), ', ' order by u.at) as names from unnest(k.conkey) with ordinality u(num, at)
                        join columns c on c.attrelid = k.relid and c.attnum = u.num) cc
  cross join lateral (select exists (select from indexes i where i.relid = k.relid and i.indisvalid and i.predicate is not null and i.keys[1] = any (k.conkey)) as some) p
 where not t.relispartition
   and not exists (select from indexes i
                    where i.relid = k.relid and i.indisvalid and i.amname in ('btree', 'hash') and i.keys[1:cardinality(k.conkey)] @> k.conkey
                      and (i.predicate is null or i.predicate ~ '^\(\w+ IS NOT NULL\)$'))
"),
        of: Some("select count(*) from keys"),
        ..PLAIN
    },
    Check {
        code: "index_duplicate",
        severity: Severity::Medium,
        title: "an index is there twice",
        why: "Each is written by every insert and kept in memory, and one serves as well.",
        remedy: "Drop the one that no constraint needs.",
        lints: &["0009_duplicate_index"],
        sql: Any("
, ranked as (
  select i.*, first_value(i.name) over same as kept, row_number() over same as place_of
    from indexes i
   where i.indisvalid and not i.relispartition
  window same as (partition by i.relid, i.amname, i.indkey::text, i.indclass::text, i.indcollation::text, i.indoption::text, coalesce(i.expressions, ''), coalesce(i.predicate, '')
                  order by i.is_constraint desc, i.indisunique desc, i.oid)
)
select r.name as object, format('the same as %s', r.kept) as evidence,
       case when not r.is_constraint then format('drop index concurrently %s;', r.name) end as up,
       case when not r.is_constraint then regexp_replace(r.definition, ' INDEX ', ' INDEX CONCURRENTLY ') || ';' end as down
  from ranked r
 where r.place_of > 1"),
        of: Some("select count(*) from indexes where not relispartition"),
        ..PLAIN
    },
    Check {
        code: "index_redundant",
        severity: Severity::Low,
        title: "another index begins with the same columns",
        why: "What it finds the longer one finds, too; it only costs.",
        remedy: "Drop it, unless it is much smaller and used by what is hottest.",
        sql: Any("
select i.name as object, format('%s begins with the same columns', min(o.name)) as evidence, format('drop index concurrently %s;', i.name) as up,
       regexp_replace(i.definition, ' INDEX ', ' INDEX CONCURRENTLY ') || ';' as down
  from indexes i
  join indexes o on o.relid = i.relid and o.oid <> i.oid and o.amname = 'btree' and o.indisvalid and not o.has_expressions and o.predicate is null
       and cardinality(o.keys) > cardinality(i.keys) and o.keys[1:cardinality(i.keys)] = i.keys
       and (o.indclass::oid[])[0:cardinality(i.keys) - 1] = (i.indclass::oid[])[0:cardinality(i.keys) - 1] and (o.indoption::int2[])[0:cardinality(i.keys) - 1] = (i.indoption::int2[])[0:cardinality(i.keys) - 1]
 where i.amname = 'btree' and i.indisvalid and not i.indisunique and not i.is_constraint and not i.has_expressions and i.predicate is null and not i.relispartition
 group by i.name, i.definition"),
        ..PLAIN
    },
    Check {
        code: "index_invalid",
        severity: Severity::High,
        title: "an index was not finished",
        why: "A build that failed leaves an index that every write pays for and no query uses; a unique one keeps nothing unique.",
        remedy: "Rebuild it, or drop it.",
        sql: Any("
select i.name as object, format('on %s: %s', i.table_name, case when i.indisready then 'not valid' else 'not ready' end) as evidence,
       format('reindex index concurrently %s;', i.name) as up, '-- nothing to take back' as down
  from indexes i
  join pg_class c on c.oid = i.oid
 where (not i.indisvalid or not i.indisready) and c.relkind = 'i'
   and not exists (select from pg_stat_progress_create_index b where b.index_relid = i.oid)"),
        ..PLAIN
    },
    Check {
        code: "index_unused",
        severity: Severity::Low,
        title: "no query used the index",
        why: "It is written by every insert and kept in backups.",
        remedy: "Ask the copies that serve reads, too; then drop it.",
        lints: &["0005_unused_index"],
        needs: &[Need::Primary],
        sql: Any("
, since as (
  select extract(epoch from now() - greatest(d.stats_reset, pg_postmaster_start_time())) / 86400 as days from pg_stat_database d where d.datname = current_database()
)
select null::text as object, null::text as evidence, null::text as up, null::text as down,
       format('figures of %s days, where %s are needed', round(since.days::numeric, 1), limits.statistics_days) as skipped
  from since, limits
 where since.days < limits.statistics_days
union all
select i.name, format('on %s, %s, never used in %s days', i.table_name, pg_size_pretty(pg_relation_size(i.oid)), round(since.days::numeric)),
       format('drop index concurrently %s;', i.name), regexp_replace(i.definition, ' INDEX ', ' INDEX CONCURRENTLY ') || ';', null
  from indexes i
  join pg_stat_all_indexes s on s.indexrelid = i.oid
  cross join since
  cross join limits
 where s.idx_scan = 0 and not i.indisunique and not i.is_constraint and not i.relispartition and since.days >= limits.statistics_days
   and pg_relation_size(i.oid) >= limits.index_unused_bytes
   -- What serves a foreign key is used when a row there goes.
   and not exists (select from keys k where k.relid = i.relid and i.keys[1:cardinality(k.conkey)] @> k.conkey)"),
        ..PLAIN
    },
    Check {
        code: "index_bloat",
        severity: Severity::Medium,
        title: "an index is much larger than what is in it",
        why: "It takes memory that other pages need, and every look into it reads more.",
        remedy: "Rebuild it.",
        needs: &[Need::Statistics],
        sql: Any("
, sized as (
  select i.name, pg_relation_size(i.oid) as bytes,
         i.reltuples * (16 + sum(coalesce((select s.stawidth from pg_statistic s where s.starelid = i.relid and s.staattnum = k.num and not s.stainherit limit 1), 8))) * 1.25 + 8192 * 4 as expected
    from indexes i
    cross join lateral unnest(i.keys) k(num)
   where i.amname = 'btree' and i.indisvalid and not i.has_expressions and i.reltuples >= 0 and i.relpages > 0
   group by i.oid, i.name, i.reltuples
)
select s.name as object, format('%s, about %s of it used', pg_size_pretty(s.bytes), pg_size_pretty(s.expected::bigint)) as evidence,
       format('reindex index concurrently %s;', s.name) as up, '-- nothing to take back' as down
  from sized s
  cross join limits
 where s.bytes - s.expected >= limits.bloat_bytes and s.expected * 100 < s.bytes * (100 - limits.bloat_percent)"),
        ..PLAIN
    },
];
