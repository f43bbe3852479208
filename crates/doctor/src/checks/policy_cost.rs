//! What policies cost: calls for every row, plans that cannot use an index, and several policies where one would do.

use crate::check::Text::Any;
use crate::check::{Check, Group, Lock, Severity};

const PLAIN: Check = Check { group: Group::PolicyCost, ..Check::PLAIN };

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "policy_call_per_row",
        severity: Severity::Medium,
        title: "a policy calls a function for every row",
        why: "The same answer is computed again and again: a list of a large table takes seconds instead of milliseconds.",
        remedy: "Wrap the call: `(select f())` is computed once. Mark the function STABLE.",
        lock: Lock::Brief,
        lints: &["0003_auth_rls_initplan"],
        sql: Any(r"
, calls as (
  select p.oid, p.name, p.relid, p.table_name, p.polname, p.qual, p.wcheck, m[1] as called, m[2] as arguments
    from policies p
    -- Calls that are the whole of a sub-select are taken away first, casts included.
    cross join lateral regexp_replace(p.texts, 'SELECT \(*[a-z_][\w.]*\([^()]*\)', 'SELECT', 'gi') as bare
    cross join lateral regexp_matches(regexp_replace(bare, '''[^'']*''', '''''', 'g'), '\m([a-z_]\w*(?:\.\w+)?)\(([^()]*)\)', 'g') as m
)
select c.name as object, string_agg(distinct c.called || '()', ', ') as evidence,
       case when bool_or(exists (select from pg_proc f where f.provolatile = 'v' and format('%s.%s', f.pronamespace::regnamespace, f.proname) = c.called)) then 'high' end as severity
  from calls c
 where (c.called = 'current_setting'
        or exists (select from pg_depend d join pg_proc f on f.oid = d.refobjid
                    where d.classid = 'pg_policy'::regclass and d.objid = c.oid and d.refclassid = 'pg_proc'::regclass and f.provolatile <> 'i'
                      and format('%s.%s', f.pronamespace::regnamespace, f.proname) = c.called))
   and not exists (select from columns a where a.attrelid = c.relid and strpos(c.arguments, a.attname) > 0 and c.arguments ~ format('\m%s\M', a.attname))
 group by c.name"),
        of: Some("select count(*) from policies"),
        ..PLAIN
    },
    Check {
        code: "policy_call_with_column",
        severity: Severity::High,
        title: "a policy calls a function with a column of the row",
        why: "It cannot be computed once: every row costs a call, which is the slowest form there is.",
        remedy: "Ask the other way round: `company_id = any (array(select my_companies()))`.",
        lock: Lock::Brief,
        sql: Any(r"
, calls as (
  select p.oid, p.name, p.relid, m[1] as called, m[2] as arguments
    from policies p
    cross join lateral regexp_matches(regexp_replace(regexp_replace(p.texts, '''[^'']*''', '''''', 'g'), '\((\w+)\)::', '\1::', 'g'), '\m([a-z_]\w*\.\w+)\(([^()]*)\)', 'g') as m
)
select c.name as object, string_agg(distinct format('%s(%s)', c.called, c.arguments), ', ') as evidence
  from calls c
 where exists (select from pg_depend d join pg_proc f on f.oid = d.refobjid
                where d.classid = 'pg_policy'::regclass and d.objid = c.oid and d.refclassid = 'pg_proc'::regclass and f.provolatile <> 'i'
                  and format('%s.%s', f.pronamespace::regnamespace, f.proname) = c.called)
   and exists (select from columns a where a.attrelid = c.relid and strpos(c.arguments, a.attname) > 0 and c.arguments ~ format('\m%s\M', a.attname))
 group by c.name"),
        ..PLAIN
    },
    Check {
        code: "policy_in_select",
        severity: Severity::Medium,
        title: "a policy asks whether a column is in a sub-select",
        why: "The index of the column is not used: the whole table is read and looked up in a hash.",
        remedy: "Write `column = any (array(select …))`.",
        lock: Lock::Brief,
        sql: Any(r"
select p.name as object, substring(p.texts from '\(?\w+ IN \( SELECT [^)]{0,100}') as evidence
  from policies p
  join tables t on t.oid = p.relid
 where p.is_permissive and p.is_exposed and p.texts ~ '\w+ IN \( SELECT '"),
        ..PLAIN
    },
    Check {
        code: "policy_column_unindexed",
        severity: Severity::Low,
        title: "a policy compares a column that begins no index",
        why: "Every read of the table reads all of it, for the rows of one company or person.",
        remedy: "Add an index that begins with the column.",
        lock: Lock::Concurrent,
        sql: Any(r"
select format('%s column %I', t.name, c.attname) as object, format('compared by %s', string_agg(distinct p.polname, ', ')) as evidence,
       case when t.reltuples > (select large_table_rows from limits) then 'medium' end as severity,
       format('create index concurrently %I on %s (%I);', left(t.relname || '_' || c.attname, 55) || '_idx', t.name, c.attname) as up,
       format('drop index concurrently %I.%I;', t.nspname, left(t.relname || '_' || c.attname, 55) || '_idx') as down
  from policies p
  join tables t on t.oid = p.relid
  join columns c on c.attrelid = t.oid
 where p.is_exposed and p.command in ('r', '*', 'w', 'd') and strpos(p.qual, c.attname || ' = ') > 0 and p.qual ~ format('(^|[( ])%s = ', c.attname)
   and c.atttypid <> 'bool'::regtype and not t.relispartition
   and not exists (select from indexes i where i.relid = t.oid and i.indisvalid and i.indkey[0] = c.attnum)
   -- Behind a company that leads an index there are few rows left.
   and not exists (select from tenants n join indexes i on i.relid = t.oid and i.indkey[0] = n.attnum
                    where n.relid = t.oid and exists (select from policies w where w.relid = t.oid and strpos(w.qual, n.attname) > 0 and w.qual ~ format('(^|[( ])%s = ', n.attname)))
 group by t.oid, t.name, t.nspname, t.relname, t.reltuples, c.attname"),
        ..PLAIN
    },
    Check {
        code: "policies_repeated",
        severity: Severity::Medium,
        title: "several policies are asked for the same role and command",
        why: "Permissive policies are joined by OR: each is computed for each row, and no index serves them all.",
        remedy: "Make one policy of them.",
        lock: Lock::Brief,
        lints: &["0006_multiple_permissive_policies"],
        sql: Any("
, commands(command, word) as (values ('r', 'select'), ('a', 'insert'), ('w', 'update'), ('d', 'delete')),
met as (
  select p.relid, p.table_name, a.rolname, c.word, count(*) as number, string_agg(p.polname, ', ' order by p.polname) as names
    from policies p
    join commands c on p.command in ('*', c.command)
    join api_roles a on exists (select from unnest(p.roles) r where r = 0 or pg_has_role(a.oid, r, 'usage'))
   where p.is_permissive and p.relrowsecurity
   group by p.relid, p.table_name, a.rolname, c.word
  having count(*) > 1
)
select m.table_name as object, format('%s for %s: %s', max(m.number), string_agg(distinct m.word, ', '), max(m.names)) as evidence
  from met m
 group by m.table_name"),
        ..PLAIN
    },
    Check {
        code: "index_not_leakproof",
        severity: Severity::Low,
        title: "policies keep the index from being used",
        why: "Its operators may tell about values, so that PostgreSQL asks them after the policies: the index of `ilike`, `@>` or lower() serves nobody under row security.",
        remedy: "A function of SECURITY DEFINER that asks for the company and searches; plain columns instead of expressions.",
        sql: Any(r"
, leaky as materialized (
  select o.oid
    from pg_opclass o
    join pg_amop m on m.amopfamily = o.opcfamily and m.amoplefttype = o.opcintype
    join pg_operator r on r.oid = m.amopopr
    join pg_proc f on f.oid = r.oprcode
   group by o.oid
  having bool_and(not f.proleakproof)
)
select i.name as object, format('%s on %s%s', i.amname, i.table_name, coalesce(': ' || left(i.expressions, 100), '')) as evidence,
       case when t.reltuples > (select large_table_rows from limits) then 'medium' end as severity
  from indexes i
  join tables t on t.oid = i.relid
 where t.relrowsecurity and not t.relispartition and not i.indisunique and exists (select from policies p where p.relid = t.oid and p.is_exposed)
   and (i.has_expressions or (i.indclass::oid[])[i.indnkeyatts - 1] in (select l.oid from leaky l))"),
        ..PLAIN
    },
];
