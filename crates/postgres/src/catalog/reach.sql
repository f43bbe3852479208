-- What the role of this transaction may reach of a schema: the numbers of relations that it has any right to, and of functions that it may
-- call. Asked at every request that wants to know, since rights are not a part of the catalog.
select pg_catalog.json_build_object(
  'relations', (select coalesce(pg_catalog.json_agg(c.oid::bigint), '[]')
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
   where n.nspname = $1::text and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
     and (pg_catalog.pg_has_role(c.relowner, 'USAGE')
          or pg_catalog.has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
          or pg_catalog.has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))),
  'functions', (select coalesce(pg_catalog.json_agg(p.oid::bigint), '[]')
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
   where n.nspname = $1::text and p.prokind = 'f' and pg_catalog.has_function_privilege(p.oid, 'EXECUTE')))::text as document
