-- One row per object of our schemas: its name, and a text that changes whenever the object does.
-- The order of columns and their internal numbers do not count: a column that is dropped and comes back is the same.
-- What a project that was brought has made is its own.
with project as (
  select r.oid from pg_catalog.pg_roles r where r.rolname = 'project_owner'
),
ours as (
  select n.oid, n.nspname
    from pg_catalog.pg_namespace n
   where n.nspowner not in (select oid from project) and n.nspname <> 'information_schema' and n.nspname !~ '^pg_' and n.nspname <> 'extensions'
),
members as (
  select d.classid, d.objid from pg_catalog.pg_depend d where d.deptype = 'e'
),
relations as (
  select c.*, o.nspname
    from pg_catalog.pg_class c
    join ours o on o.oid = c.relnamespace
   where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f') and c.relpersistence <> 't' and c.relowner not in (select oid from project)
     -- Partitions come with the months; what they are made of is their table's.
     and not c.relispartition
     and not exists (select from members m where m.classid = 'pg_catalog.pg_class'::regclass and m.objid = c.oid)
)
select 'schema ' || o.nspname as object,
       concat_ws(' ', n.nspowner::regrole,
         (select string_agg(a::text, ' ' order by a::text collate "C") from unnest(n.nspacl) a)) as definition
  from ours o join pg_catalog.pg_namespace n on n.oid = o.oid
union all
select case c.relkind when 'v' then 'view ' when 'm' then 'materialized view ' when 'S' then 'sequence ' when 'f' then 'foreign table ' else 'table ' end
         || format('%I.%I', c.nspname, c.relname),
       concat_ws(' ', c.relkind, c.relpersistence, c.relrowsecurity, c.relforcerowsecurity, c.relreplident, c.relowner::regrole,
         c.reloptions::text, pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid),
         case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid) end,
         (select string_agg(a::text, ' ' order by a::text collate "C") from unnest(c.relacl) a))
  from relations c
union all
select 'columns ' || format('%I.%I', c.nspname, c.relname),
       string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
         pg_get_expr(d.adbin, d.adrelid), a.attcollation::regcollation, a.attacl::text), ', ' order by a.attname collate "C")
  from relations c
  join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
 where c.relkind in ('r', 'p', 'f')
 group by c.nspname, c.relname
union all
select 'constraint ' || format('%I on %I.%I', k.conname, c.nspname, c.relname),
       concat_ws(' ', pg_get_constraintdef(k.oid), k.convalidated)
  from pg_catalog.pg_constraint k join relations c on c.oid = k.conrelid
 where k.contype in ('c', 'f', 'p', 'u', 'x')
union all
select 'index ' || format('%I.%I', c.nspname, i.relname),
       concat_ws(' ', pg_get_indexdef(x.indexrelid), x.indisvalid)
  from pg_catalog.pg_index x join relations c on c.oid = x.indrelid join pg_catalog.pg_class i on i.oid = x.indexrelid
union all
select 'policy ' || format('%I on %I.%I', p.polname, c.nspname, c.relname),
       concat_ws(' ', p.polcmd, p.polpermissive,
         (select string_agg(case when r = 0 then 'public' else r::regrole::text end, ' ' order by r::regrole::text collate "C") from unnest(p.polroles) r),
         pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
  from pg_catalog.pg_policy p join relations c on c.oid = p.polrelid
 where pg_catalog.obj_description(p.oid, 'pg_policy') is distinct from 'of the project'
union all
select 'trigger ' || format('%I on %I.%I', t.tgname, c.nspname, c.relname), concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled)
  from pg_catalog.pg_trigger t join relations c on c.oid = t.tgrelid
 where not t.tgisinternal
   and not exists (select from pg_catalog.pg_proc p where p.oid = t.tgfoid and p.proowner in (select oid from project))
union all
select 'function ' || format('%I.%I(%s)', o.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
       concat_ws(' ', p.prokind, p.proowner::regrole, case when p.prokind <> 'a' then pg_get_functiondef(p.oid) end,
         (select string_agg(a::text, ' ' order by a::text collate "C") from unnest(p.proacl) a))
  from pg_catalog.pg_proc p join ours o on o.oid = p.pronamespace
 where p.proowner not in (select oid from project) and not exists (select from members m where m.classid = 'pg_catalog.pg_proc'::regclass and m.objid = p.oid)
union all
select 'type ' || format('%I.%I', o.nspname, t.typname),
       concat_ws(' ', t.typtype, t.typnotnull, format_type(t.typbasetype, t.typtypmod),
         (select string_agg(e.enumlabel, ' ' order by e.enumsortorder) from pg_catalog.pg_enum e where e.enumtypid = t.oid))
  from pg_catalog.pg_type t join ours o on o.oid = t.typnamespace
 where t.typtype in ('d', 'e', 'r') and t.typowner not in (select oid from project)
   and not exists (select from members m where m.classid = 'pg_catalog.pg_type'::regclass and m.objid = t.oid)
 order by 1
