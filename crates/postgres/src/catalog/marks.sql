-- What tells each relation and function from how it was before, by its number: its name, how many rows of PostgreSQL's catalog say what is
-- read of it, and the sum of the transactions that wrote them. A row that is added or written anew is of a later transaction than all
-- before, so that number and sum together are others after every change. What belongs to no single one is shared.
with relation as materialized (
  select c.oid, n.nspname || '.' || c.relname as name, c.xmin::text::bigint as mark
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
   where c.relkind in ('r', 'v', 'm', 'f', 'p') and c.relpersistence <> 't'
     and n.nspname <> 'information_schema' and n.nspname not like 'pg\_%'
),
-- Constraints and indexes are looked at with the relation that they are of.
part as materialized (
  select k.oid, k.conrelid as relation, k.xmin::text::bigint as mark, 'pg_catalog.pg_constraint'::pg_catalog.regclass as class
    from pg_catalog.pg_constraint k where k.oid >= 16384
  union all
  select i.indexrelid, i.indrelid, i.xmin::text::bigint, 'pg_catalog.pg_class'::pg_catalog.regclass from pg_catalog.pg_index i
  union all
  select c.oid, i.indrelid, c.xmin::text::bigint, null
    from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
),
-- Names are read with what they are the names of; these have no relation or function that changes with them.
shared as (
  select 1 as kind, t.xmin::text::bigint as mark from pg_catalog.pg_type t where t.oid >= 16384 and t.typtype in ('d', 'e', 'r', 'm')
  union all
  select 2, e.xmin::text::bigint from pg_catalog.pg_enum e
  union all
  select 3, c.xmin::text::bigint from pg_catalog.pg_cast c where c.oid >= 16384
  union all
  select 4, n.xmin::text::bigint from pg_catalog.pg_namespace n where n.nspname not like 'pg\_%'
  union all
  select 5, c.xmin::text::bigint from pg_catalog.pg_class c where c.relkind in ('c', 'S') and c.relpersistence <> 't'
)
select pg_catalog.json_build_object(
  'shared', (select coalesce(pg_catalog.string_agg(s.one, ' ' order by s.one), '')
               from (select s.kind || '/' || count(*) || '/' || sum(s.mark) as one from shared s group by s.kind) s),
  'relations', (select coalesce(pg_catalog.json_object_agg(r.oid, pg_catalog.json_build_array(r.name, m.number, m.mark)), '{}')
    from relation r
    join (select x.relation, count(*) as number, sum(x.mark) as mark
            from (select r.oid as relation, r.mark from relation r
                  union all
                  select a.attrelid, a.xmin::text::bigint from pg_catalog.pg_attribute a where a.attnum > 0
                  union all
                  select d.adrelid, d.xmin::text::bigint from pg_catalog.pg_attrdef d
                  union all
                  select w.ev_class, w.xmin::text::bigint from pg_catalog.pg_rewrite w
                  union all
                  select t.tgrelid, t.xmin::text::bigint from pg_catalog.pg_trigger t
                  union all
                  select p.relation, p.mark from part p
                  union all
                  select d.objoid, d.xmin::text::bigint from pg_catalog.pg_description d
                   where d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
                  union all
                  select p.relation, d.xmin::text::bigint
                    from part p join pg_catalog.pg_description d on d.objoid = p.oid and d.classoid = p.class) x
           group by x.relation) m on m.relation = r.oid),
  'functions', (select coalesce(pg_catalog.json_object_agg(f.oid, pg_catalog.json_build_array(f.name, f.number, f.mark)), '{}')
    from (select p.oid, n.nspname || '.' || p.proname as name, 1 + count(d.objoid) as number,
                 p.xmin::text::bigint + coalesce(sum(d.xmin::text::bigint), 0) as mark
            from pg_catalog.pg_proc p
            join pg_catalog.pg_namespace n on n.oid = p.pronamespace
            left join pg_catalog.pg_description d on d.objoid = p.oid and d.classoid = 'pg_catalog.pg_proc'::pg_catalog.regclass
           where p.oid >= 16384
           group by p.oid, n.nspname, p.proname, p.xmin::text::bigint) f))::text as document
