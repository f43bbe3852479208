-- The tables whose changes may be subscribed to, as one text column `document`: their columns, how they were declared, and for each role
-- what it reads of them and what decides about rows. `sight` is `none`, `all` (no policy says no), `declared` (the policies are those
-- that app.protect writes for members), or `ask` (any other policy: PostgreSQL is asked).
with roles (name) as (values ('anon'), ('authenticated'), ('guest'), ('service_role')),
listed as (
  select t.oid from (select f::oid as oid from app.feed_tables() f) t
    join pg_catalog.pg_class c on c.oid = t.oid where c.relnamespace = 'public'::pg_catalog.regnamespace
  union
  select r.prrelid from pg_catalog.pg_publication p join pg_catalog.pg_publication_rel r on r.prpubid = p.oid
   where p.pubname = 'supabase_realtime' and not p.puballtables
     -- Where changes are kept for servers that poll, those of a project are not.
     and not app.changes_are_kept()
),
policy as (
  select r.name as role, o.polrelid, o.polpermissive, coalesce(pg_catalog.pg_get_expr(o.polqual, o.polrelid) = 'true', true) as is_always,
         o.polname not in ('tenant_isolation', 'member_read') as is_own
    from pg_catalog.pg_policy o
    join listed l on l.oid = o.polrelid
    join roles r on exists (select from pg_catalog.unnest(o.polroles) as m (oid)
                             where m.oid = 0 or pg_catalog.pg_has_role(r.name, m.oid, 'USAGE'))
   where o.polcmd in ('r', '*')
),
decided as (
  select polrelid, role, bool_or(polpermissive) as is_let, bool_or(polpermissive and is_always) and bool_and(polpermissive or is_always) as is_always,
         bool_or(is_own) as has_own
    from policy group by polrelid, role
)
select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
         'schema', n.nspname, 'name', c.relname, 'is_whole', c.relreplident = 'f',
         'noun', d.noun, 'tenant_column', d.tenant_column, 'assigned_column', d.assigned_column, 'own_column', d.own_column,
         'crew_column', d.crew_column, 'has_parent', d.parent_table is not null, 'soft_delete', coalesce(d.soft_delete, false),
         'columns', k.columns, 'names', k.names, 'reaches', s.reaches)), '[]')::text as document
  from listed l
  join pg_catalog.pg_class c on c.oid = l.oid and c.relkind in ('r', 'p')
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_index i on i.indrelid = c.oid and i.indisprimary
  left join app.protected_tables d on pg_catalog.to_regclass(d.table_name) = c.oid
  cross join lateral (
    select pg_catalog.json_agg(pg_catalog.json_build_object(
             'name', a.attname, 'type', y.typname, 'type_schema', m.nspname, 'base', b.typname, 'sort', b.typtype, 'element', e.typname,
             'is_key', a.attnum = any (i.indkey),
             'is_masked', coalesce(pg_catalog.col_description(c.oid, a.attnum), '') ~ '^pii:(card|tax_id|ip|signature)( |$)') order by a.attnum)
             filter (where a.attgenerated = '' and coalesce(pg_catalog.col_description(c.oid, a.attnum), '') !~ '^secret') as columns,
           pg_catalog.json_agg(a.attname) as names
      from pg_catalog.pg_attribute a
      join pg_catalog.pg_type y on y.oid = a.atttypid
      join pg_catalog.pg_namespace m on m.oid = y.typnamespace
      join pg_catalog.pg_type b on b.oid = case when y.typtype = 'd' then y.typbasetype else y.oid end
      left join pg_catalog.pg_type e on e.oid = b.typelem and b.typcategory = 'A'
     where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) k
  cross join lateral (
    select pg_catalog.json_object_agg(r.name, pg_catalog.json_build_object(
             'sight', case
                when not pg_catalog.has_schema_privilege(r.name, n.oid, 'USAGE')
                  or exists (select from pg_catalog.unnest(i.indkey) as q (number)
                              where not pg_catalog.has_column_privilege(r.name, c.oid, q.number, 'SELECT')) then 'none'
                when not c.relrowsecurity or o.is_always then 'all'
                when not coalesce(o.is_let, false) then 'none'
                when d.noun is not null and r.name = 'authenticated' and not o.has_own then 'declared'
                else 'ask' end,
             'columns', case when not pg_catalog.has_table_privilege(r.name, c.oid, 'SELECT') then
                (select coalesce(pg_catalog.json_agg(a.attname), '[]') from pg_catalog.pg_attribute a
                  where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                    and pg_catalog.has_column_privilege(r.name, c.oid, a.attnum, 'SELECT')) end)) as reaches
      from roles r
      left join decided o on o.polrelid = c.oid and o.role = r.name) s
