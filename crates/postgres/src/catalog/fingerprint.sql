-- One text that is another one after a change of what the catalog document is made from: relations, columns, defaults, keys, indexes,
-- views, functions, types, casts, policies, comments and settings of roles. A row of the catalog that is written anew has another xmin; statistics are
-- written in place and do not count. What PostgreSQL itself brings has numbers below 16384. Temporary relations are nobody else's business.
with relation as materialized (
  select c.oid, c.xmin::text::bigint as mark
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
   where c.relkind in ('r', 'v', 'm', 'f', 'p', 'i', 'I') and c.relpersistence <> 't'
     and n.nspname <> 'information_schema' and n.nspname not like 'pg\_%'
)
select concat_ws(' ',
  (select count(*) || '/' || sum(r.mark) from relation r),
  (select count(*) || '/' || sum(a.xmin::text::bigint) from pg_catalog.pg_attribute a join relation r on r.oid = a.attrelid where a.attnum > 0),
  (select count(*) || '/' || sum(d.xmin::text::bigint) from pg_catalog.pg_attrdef d join relation r on r.oid = d.adrelid),
  (select count(*) || '/' || sum(w.xmin::text::bigint) from pg_catalog.pg_rewrite w join relation r on r.oid = w.ev_class),
  (select count(*) || '/' || sum(k.xmin::text::bigint) from pg_catalog.pg_constraint k where k.oid >= 16384),
  (select count(*) || '/' || sum(p.xmin::text::bigint) from pg_catalog.pg_policy p),
  (select count(*) || '/' || sum(f.xmin::text::bigint) from pg_catalog.pg_proc f where f.oid >= 16384),
  (select count(*) || '/' || sum(t.xmin::text::bigint) from pg_catalog.pg_type t where t.oid >= 16384 and t.typtype in ('d', 'e', 'r', 'm')),
  (select count(*) || '/' || sum(e.xmin::text::bigint) from pg_catalog.pg_enum e),
  (select count(*) || '/' || sum(c.xmin::text::bigint) from pg_catalog.pg_cast c where c.oid >= 16384),
  (select count(*) || '/' || sum(d.xmin::text::bigint) from pg_catalog.pg_description d
    where d.objoid >= 16384 or d.classoid = 'pg_catalog.pg_namespace'::pg_catalog.regclass),
  (select count(*) || '/' || sum(s.xmin::text::bigint) from pg_catalog.pg_db_role_setting s),
  (select count(*) || '/' || sum(n.xmin::text::bigint) from pg_catalog.pg_namespace n where n.nspname not like 'pg\_%')) as fingerprint
