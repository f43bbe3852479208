//! Tables and their upkeep: space, counters that end, partitions to come, and statements that take long.

use crate::check::Text::Any;
use crate::check::{Check, Group, Lock, Need, Severity};

const PLAIN: Check = Check { group: Group::Tables, ..Check::PLAIN };

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "table_bloat",
        severity: Severity::Medium,
        title: "a table is much larger than its rows",
        why: "Whoever reads it reads the empty pages, too.",
        remedy: "Let autovacuum come more often; VACUUM FULL or pg_repack when there is time to lock it.",
        lints: &["0020_table_bloat"],
        needs: &[Need::Statistics],
        sql: Any("
, sized as (
  select t.name, pg_relation_size(t.oid) as bytes,
         t.reltuples * (28 + coalesce((select sum(s.stawidth * (1 - s.stanullfrac)) from pg_statistic s where s.starelid = t.oid and not s.stainherit), 64)) * 1.2 + 8192 * 4 as expected
    from tables t
   where t.relkind = 'r' and t.reltuples >= 0 and t.relpages > 0
)
select s.name as object, format('%s, about %s of it rows', pg_size_pretty(s.bytes), pg_size_pretty(s.expected::bigint)) as evidence
  from sized s
  cross join limits
 where s.bytes - s.expected >= limits.bloat_bytes and s.expected * 100 < s.bytes * (100 - limits.bloat_percent)"),
        ..PLAIN
    },
    Check {
        code: "dead_rows",
        severity: Severity::Medium,
        title: "dead rows are not cleaned up",
        why: "Every read goes through them. Either autovacuum is kept away, or something old still might see them.",
        remedy: "See what keeps it back (transactions, slots), and lower autovacuum_vacuum_scale_factor for this table.",
        sql: Any("
select t.name as object, format('%s dead beside %s live, last vacuum %s', s.n_dead_tup, s.n_live_tup,
                                coalesce(to_char(greatest(s.last_vacuum, s.last_autovacuum), 'YYYY-MM-DD HH24:MI'), 'never')) as evidence,
       format('alter table %s set (autovacuum_vacuum_scale_factor = 0.05);', t.name) as up, format('alter table %s reset (autovacuum_vacuum_scale_factor);', t.name) as down
  from tables t
  join pg_stat_all_tables s on s.relid = t.oid
  cross join limits
 where s.n_dead_tup >= limits.dead_rows and s.n_dead_tup > 0.2 * (s.n_live_tup + s.n_dead_tup)"),
        ..PLAIN
    },
    Check {
        code: "never_analyzed",
        severity: Severity::Low,
        title: "the planner knows nothing of a table",
        why: "Without figures it guesses, and guesses wrong about large tables.",
        remedy: "Run ANALYZE; see why autovacuum does not.",
        sql: Any("
select t.name as object, format('%s rows, never analyzed', s.n_live_tup) as evidence, format('analyze %s;', t.name) as up, '-- nothing to take back' as down
  from tables t
  join pg_stat_all_tables s on s.relid = t.oid
  cross join limits
 where t.relkind = 'r' and s.n_live_tup >= limits.unanalyzed_rows and s.last_analyze is null and s.last_autoanalyze is null"),
        ..PLAIN
    },
    Check {
        code: "autovacuum_off_for_table",
        severity: Severity::Medium,
        title: "autovacuum is off for a table",
        why: "Dead rows stay and figures grow old until the forced vacuum against wraparound comes at its own time.",
        remedy: "Turn it on again.",
        lock: Lock::Brief,
        sql: Any("
select t.name as object, 'autovacuum_enabled is off' as evidence, format('alter table %s reset (autovacuum_enabled);', t.name) as up,
       format('alter table %s set (autovacuum_enabled = off);', t.name) as down
  from tables t
 where t.reloptions && array['autovacuum_enabled=false', 'autovacuum_enabled=off', 'autovacuum_enabled=0', 'autovacuum_enabled=no']"),
        ..PLAIN
    },
    Check {
        code: "wraparound_near",
        severity: Severity::Medium,
        title: "transaction numbers run out",
        why: "At the end the server refuses every write until a vacuum has read the oldest tables, which takes hours.",
        remedy: "See what keeps autovacuum back, and run VACUUM FREEZE on the oldest tables.",
        sql: Any("
select format('database %I', d.datname) as object, format('%s%% used (%s)', round(greatest(age(d.datfrozenxid), mxid_age(d.datminmxid)) / 21474836.48),
       case when age(d.datfrozenxid) >= mxid_age(d.datminmxid) then 'transactions' else 'multixacts' end) as evidence,
       case when greatest(age(d.datfrozenxid), mxid_age(d.datminmxid)) > 0.9 * 2147483648 then 'critical'
            when greatest(age(d.datfrozenxid), mxid_age(d.datminmxid)) > 0.75 * 2147483648 then 'high' end as severity
  from pg_database d
  cross join limits
 where greatest(age(d.datfrozenxid), mxid_age(d.datminmxid)) / 21474836.48 >= limits.wraparound_percent and d.datallowconn
 order by greatest(age(d.datfrozenxid), mxid_age(d.datminmxid)) desc
 limit 1"),
        ..PLAIN
    },
    Check {
        code: "sequence_near_end",
        severity: Severity::Medium,
        title: "a counter runs out",
        why: "At its end, or at that of the column that takes its numbers, every insert fails.",
        remedy: "Make the column bigint in steps: a second column, filled in batches, then exchanged.",
        sql: Any("
, counters as (
  select s.schemaname, s.sequencename, s.last_value, c.table_name, c.attname,
         least(s.max_value, case c.atttypid when 'int2'::regtype then 32767 when 'int4'::regtype then 2147483647 else s.max_value end) as ends
    from pg_sequences s
    join spaces n on n.nspname = s.schemaname
    left join lateral (
      select t.name as table_name, a.attname, a.atttypid
        from pg_depend d join tables t on t.oid = d.refobjid join columns a on a.attrelid = t.oid and a.attnum = d.refobjsubid
       where d.classid = 'pg_class'::regclass and d.objid = format('%I.%I', s.schemaname, s.sequencename)::regclass and d.refclassid = 'pg_class'::regclass
         and d.deptype in ('a', 'i')
       limit 1) c on true
   where not s.cycle and s.increment_by > 0
)
select null::text as object, null::text as evidence, null::text as severity, format('%s counters may not be read', count(*)) as skipped
  from counters c
 where not has_sequence_privilege(format('%I.%I', c.schemaname, c.sequencename), 'select, usage')
having count(*) > 0
union all
select format('sequence %I.%I', c.schemaname, c.sequencename) as object,
       format('%s%% used%s', trunc(c.last_value * 100.0 / c.ends), case when c.attname is null then '' else format(', by %s column %I', c.table_name, c.attname) end) as evidence,
       case when c.last_value * 100.0 / c.ends >= 90 then 'critical' when c.last_value * 100.0 / c.ends >= 80 then 'high' end as severity, null::text as skipped
  from counters c
  cross join limits
 where c.last_value * 100.0 / c.ends >= limits.sequence_percent"),
        ..PLAIN
    },
    Check {
        code: "partition_missing",
        severity: Severity::Medium,
        title: "the partitions to come are not there",
        why: "A row beyond the last partition is refused, or lands where it is never taken out of.",
        remedy: "Make partitions ahead by a schedule.",
        sql: Any(r"
, bounds as (
  select p.partrelid as relid, max((substring(pg_get_expr(c.relpartbound, c.oid) from 'TO \(''([^'']+)'''))::timestamptz) as last,
         bool_or(pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT') as has_default
    from pg_partitioned_table p
    join pg_attribute a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0]
    join pg_inherits i on i.inhparent = p.partrelid
    join pg_class c on c.oid = i.inhrelid
   where p.partstrat = 'r' and a.atttypid in ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype)
     and pg_get_expr(c.relpartbound, c.oid) !~ 'TO \(MAXVALUE'
   group by p.partrelid
)
select t.name as object, format('the last one ends on %s', coalesce(to_char(b.last, 'YYYY-MM-DD'), 'no day')) as evidence,
       case when b.last is null or b.last < now() + interval '1 day' then 'high' end as severity
  from bounds b
  join tables t on t.oid = b.relid
  cross join limits
 where (b.last is null or b.last < now() + limits.partition_days * interval '1 day')
   and not exists (select from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = b.relid and pg_get_expr(c.relpartbound, c.oid) ~ 'TO \(MAXVALUE')"),
        ..PLAIN
    },
    Check {
        code: "default_partition_filled",
        severity: Severity::Medium,
        title: "rows lie in the default partition",
        why: "The partition that they belong to cannot be made while they are there, and they are never taken out with their time.",
        remedy: "Detach it, make the partition, and insert them again.",
        lock: Lock::Scan,
        sql: Any("
select t.name as object, pg_size_pretty(pg_relation_size(t.oid)) as evidence
  from tables t
  join pg_class c on c.oid = t.oid
 where t.relispartition and t.relkind = 'r' and pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT' and pg_relation_size(t.oid) > 0"),
        ..PLAIN
    },
    Check {
        code: "append_only_unpartitioned",
        severity: Severity::Medium,
        title: "a table that only grows is in one piece",
        why: "What is old cannot be dropped, only deleted row by row, and its indexes no longer fit into memory.",
        remedy: "Partition it by time, and drop what is over.",
        sql: Any("
select t.name as object, format('%s, about %s rows, none changed', pg_size_pretty(pg_total_relation_size(t.oid)), t.reltuples::bigint) as evidence
  from tables t
  join pg_stat_all_tables s on s.relid = t.oid
  cross join limits
 where t.relkind = 'r' and not t.relispartition and s.n_tup_ins > 0 and s.n_tup_upd = 0 and s.n_tup_del = 0
   and (pg_total_relation_size(t.oid) >= limits.append_only_bytes or greatest(t.reltuples, s.n_live_tup) >= limits.append_only_rows)"),
        ..PLAIN
    },
    Check {
        code: "slow_statement",
        severity: Severity::Medium,
        title: "a statement that runs often is slow",
        why: "It is what people wait for, and what keeps connections.",
        remedy: "Look at its plan (EXPLAIN ANALYZE, as the role that runs it) for tables that are read whole.",
        needs: &[Need::Extension("pg_stat_statements"), Need::Monitor],
        sql: Any("
select format('statement %s', s.queryid) as object,
       format('%s ms on average, %s calls: %s', round(s.mean_exec_time::numeric, 1), s.calls, left(regexp_replace(s.query, '\\s+', ' ', 'g'), 120)) as evidence
  from pg_stat_statements s
  cross join limits
 where s.dbid = (select d.oid from pg_database d where d.datname = current_database())
   and s.mean_exec_time >= limits.slow_ms and s.calls >= limits.slow_calls
   -- Of others the text may have literals, such as passwords.
   and s.query ~* '^\\s*(select|insert|update|delete|with|merge)\\M'
 order by s.total_exec_time desc
 limit 20"),
        ..PLAIN
    },
    Check {
        code: "read_whole",
        severity: Severity::Low,
        title: "a large table is mostly read whole",
        why: "An index that its readers need is missing.",
        remedy: "Look for the statements that read it (slow_statement), and index what they ask for.",
        sql: Any("
select t.name as object, format('%s times whole, %s times by an index, %s rows', s.seq_scan, coalesce(s.idx_scan, 0), s.n_live_tup) as evidence
  from tables t
  join pg_stat_all_tables s on s.relid = t.oid
  cross join limits
 where s.n_live_tup >= limits.large_table_rows and s.seq_scan > 100 and s.seq_scan > coalesce(s.idx_scan, 0)"),
        ..PLAIN
    },
    Check {
        code: "cache_hit_low",
        severity: Severity::Low,
        title: "what is read is often not in memory",
        why: "Every miss waits for the disk.",
        remedy: "More memory (shared_buffers), or fewer pages: indexes for what is read whole, smaller rows.",
        sql: Any("
select format('database %I', d.datname) as object, format('%s%% of %s pages', round(d.blks_hit * 100.0 / nullif(d.blks_hit + d.blks_read, 0), 1), d.blks_hit + d.blks_read) as evidence
  from pg_stat_database d
  cross join limits
 where d.datname = current_database() and d.blks_hit + d.blks_read >= limits.cache_reads
   and d.blks_hit * 100.0 / nullif(d.blks_hit + d.blks_read, 0) < limits.cache_hit_percent"),
        ..PLAIN
    },
    Check {
        code: "temporary_files",
        severity: Severity::Low,
        title: "sorts and joins go to disk",
        why: "What does not fit into work_mem is written and read again.",
        remedy: "Set log_temp_files, find the statements, and give their role more work_mem.",
        sql: Any("
select format('database %I', d.datname) as object, format('%s in %s files', pg_size_pretty(d.temp_bytes), d.temp_files) as evidence
  from pg_stat_database d
  cross join limits
 where d.datname = current_database() and d.temp_files > 0 and d.temp_bytes >= limits.temporary_bytes"),
        ..PLAIN
    },
    Check {
        code: "deadlocks",
        severity: Severity::Low,
        title: "transactions waited for each other and were ended",
        why: "Somebody's work was undone. Two places take the same locks in another order.",
        remedy: "Let both take them in the same order, the parent first; the log names the statements.",
        sql: Any("
select format('database %I', d.datname) as object, format('%s of them', d.deadlocks) as evidence
  from pg_stat_database d
  cross join limits
 where d.datname = current_database() and d.deadlocks >= greatest(limits.deadlocks, 1)"),
        ..PLAIN
    },
    Check {
        code: "extension_outdated",
        severity: Severity::Low,
        title: "an extension is older than its program",
        why: "An extension whose code is newer than its objects lacks what the newer version mends.",
        remedy: "ALTER EXTENSION … UPDATE.",
        lock: Lock::Brief,
        lints: &["0022_extension_versions_outdated"],
        sql: Any("
select format('extension %I', e.extname) as object, format('%s, and %s is there', e.extversion, a.default_version) as evidence,
       format('alter extension %I update;', e.extname) as up, format('alter extension %I update to %L;', e.extname, e.extversion) as down
  from pg_extension e
  join pg_available_extensions a on a.name = e.extname
 where e.extversion <> a.default_version"),
        ..PLAIN
    },
];
