-- What every check begins with: what is looked at, and who may reach it. A check goes on with its own select.
with limits as materialized (
  select l.*
    from jsonb_to_record(current_setting('doctor.limits')::jsonb) as l(
      large_table_rows float8, statistics_days float8, index_unused_bytes float8, bloat_bytes float8, bloat_percent float8, dead_rows float8,
      unanalyzed_rows float8, wraparound_percent float8, sequence_percent float8, partition_days float8, append_only_bytes float8,
      append_only_rows float8, slow_ms float8, slow_calls float8, cache_hit_percent float8, cache_reads float8, temporary_bytes float8,
      deadlocks float8, transaction_seconds float8, idle_seconds float8, blocked_seconds float8, connections_percent float8,
      lag_seconds float8, lag_bytes float8, slot_bytes float8)
),
place as materialized (
  select p.*
    from jsonb_to_record(current_setting('doctor.place')::jsonb) as p(version int, api_roles text[], tenant_columns text[], left_out text[])
),
api_roles as materialized (
  select r.oid, r.rolname, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolcanlogin
    from pg_roles r, place
   where r.rolname = any (place.api_roles)
),
spaces as materialized (
  select n.oid, n.nspname, n.nspowner, n.nspacl
    from pg_namespace n, place
   where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and not n.nspname = any (place.left_out)
     and not exists (select from pg_depend d where d.classid = 'pg_namespace'::regclass and d.objid = n.oid and d.deptype = 'e')
),
relations as materialized (
  select c.oid, s.nspname, c.relname, format('%I.%I', s.nspname, c.relname) as name, c.relkind, c.relowner, c.relacl, c.relrowsecurity,
         c.relforcerowsecurity, c.relispartition, c.reloptions, c.reltuples, c.relpages, c.reltoastrelid, c.relpersistence
    from pg_class c
    join spaces s on s.oid = c.relnamespace
   where c.relkind in ('r', 'p', 'v', 'm', 'f')
     and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
),
tables as materialized (
  select r.* from relations r where r.relkind in ('r', 'p')
),
columns as (
  select a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.atthasdef, a.attidentity, a.attgenerated, a.attacl,
         a.attstattarget
    from pg_attribute a
   where a.attnum > 0 and not a.attisdropped
),
grants as materialized (
  select distinct r.oid as relid, x.grantee, coalesce(g.rolname, 'PUBLIC') as role, x.privilege_type as privilege
    from relations r
    cross join lateral (
      select a.grantee, a.privilege_type from aclexplode(r.relacl) a
      union
      select a.grantee, a.privilege_type from pg_attribute c, aclexplode(c.attacl) a where c.attrelid = r.oid and c.attacl is not null) x
    left join pg_roles g on g.oid = x.grantee
   where x.grantee <> r.relowner
     and (x.grantee = 0 or exists (select from api_roles p where pg_has_role(p.oid, x.grantee, 'usage')))
),
tenants as materialized (
  select distinct on (t.oid) t.oid as relid, c.attnum, c.attname, c.attnotnull
    from tables t
    join columns c on c.attrelid = t.oid
    cross join place
   where c.attname = any (place.tenant_columns)
   order by t.oid, array_position(place.tenant_columns, c.attname::text)
),
read_policies as materialized (
  select p.oid, p.polrelid as relid, p.polname, p.polcmd as command, p.polpermissive as is_permissive, p.polroles as roles,
         pg_get_expr(p.polqual, p.polrelid) as qual, pg_get_expr(p.polwithcheck, p.polrelid) as wcheck, t.name as table_name,
         t.relrowsecurity, format('%s policy %I', t.name, p.polname) as name,
         0 = any (p.polroles) or exists (select from api_roles a, unnest(p.polroles) r where r <> 0 and pg_has_role(a.oid, r, 'usage')) as is_exposed
    from pg_policy p
    join tables t on t.oid = p.polrelid
),
policies as (
  select p.*, concat_ws(' ', p.qual, p.wcheck) as texts,
         coalesce(p.qual ~* '^\(*true\)*$|\mOR true\M|\mtrue\)? OR\M|\((\d+) = \1\)|\((''[^'']*''::text) = \2\)', false) as is_qual_true,
         coalesce(p.wcheck ~* '^\(*true\)*$|\mOR true\M|\mtrue\)? OR\M|\((\d+) = \1\)|\((''[^'']*''::text) = \2\)', false) as is_check_true
    from read_policies p
),
functions as materialized (
  select p.oid, s.nspname, p.proname, format('%I.%I(%s)', s.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) as name,
         p.proowner, p.prosecdef, p.proleakproof, p.provolatile, p.prorettype, p.proconfig, p.proacl, p.prosrc, p.prokind, p.prolang
    from pg_proc p
    join spaces s on s.oid = p.pronamespace
   where p.prokind in ('f', 'p')
     and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
),
executors as (
  select distinct f.oid as funcid, x.grantee, coalesce(g.rolname, 'PUBLIC') as role
    from functions f
    cross join lateral aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) x
    left join pg_roles g on g.oid = x.grantee
   where x.grantee <> f.proowner
     and (x.grantee = 0 or exists (select from api_roles p where pg_has_role(p.oid, x.grantee, 'usage')))
),
indexes as materialized (
  select i.indexrelid as oid, i.indrelid as relid, format('%I.%I', t.nspname, c.relname) as name, t.name as table_name, c.relname, a.amname,
         i.indisunique, i.indisprimary, i.indisvalid, i.indisready, i.indkey, i.indclass, i.indcollation, i.indoption, i.indnkeyatts,
         (string_to_array(i.indkey::text, ' ')::int2[])[1:i.indnkeyatts] as keys, i.indexprs is not null as has_expressions,
         pg_get_expr(i.indexprs, i.indrelid) as expressions, pg_get_expr(i.indpred, i.indrelid) as predicate, c.reltuples, c.relpages,
         c.relispartition, exists (select from pg_constraint k where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x')) as is_constraint,
         pg_get_indexdef(i.indexrelid) as definition
    from pg_index i
    join pg_class c on c.oid = i.indexrelid
    join pg_am a on a.oid = c.relam
    join tables t on t.oid = i.indrelid
),
keys as (
  select k.oid, k.conname, k.conrelid as relid, k.confrelid as refid, k.conkey, k.confkey, k.confdeltype, k.convalidated, t.name as table_name,
         r.name as ref_name, format('%s constraint %I', t.name, k.conname) as name
    from pg_constraint k
    join tables t on t.oid = k.conrelid
    left join relations r on r.oid = k.confrelid
   where k.contype = 'f' and k.conparentid = 0
)
