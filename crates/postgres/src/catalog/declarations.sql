select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
         'schema', n.nspname, 'relation', c.relname, 'oid', c.oid::bigint,
         'tenant_number', (select a.attnum from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attname = p.tenant_column),
         'noun', p.noun, 'soft_delete', p.soft_delete, 'tenant_column', p.tenant_column,
         'assigned_column', p.assigned_column, 'own_column', p.own_column, 'verbs', p.verbs,
         -- Of those who read as members; app.protect writes the ones that are named.
         'has_own_policies', exists (
            select from pg_catalog.pg_policy o
             where o.polrelid = c.oid and o.polcmd in ('r', '*') and o.polname not in ('tenant_isolation', 'member_read')
               and exists (select from pg_catalog.unnest(o.polroles) as r (oid)
                            where r.oid = 0 or pg_catalog.pg_has_role('authenticated', r.oid, 'USAGE'))))), '[]')::text as document
  from app.protected_tables p
  join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(p.table_name)
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
