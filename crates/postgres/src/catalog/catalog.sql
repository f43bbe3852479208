-- One JSON document of everything that the wanted schemas hold and a program may call or ask.
with recursive
wanted (name) as (select w.value from pg_catalog.json_array_elements_text($1::json) as w (value)),
-- Which of them, by their numbers; nothing for all. What shows something of a relation that changed is read with it.
changed (it) as materialized (select $2::json),
changed_relations (oid) as materialized (
  select n.value::pg_catalog.oid from changed h cross join lateral pg_catalog.json_array_elements_text(h.it -> 'relations') as n (value)
),
changed_functions (oid) as materialized (
  select n.value::pg_catalog.oid from changed h cross join lateral pg_catalog.json_array_elements_text(h.it -> 'functions') as n (value)
),
-- What a domain is at its bottom decides which operators and functions fit.
bases (oid, base) as (
  select d.oid, t.oid from pg_catalog.pg_type d join pg_catalog.pg_type t on t.oid = d.typbasetype and t.typtype <> 'd' where d.typtype = 'd'
  union all
  select d.oid, b.base from bases b join pg_catalog.pg_type d on d.typbasetype = b.oid and d.typtype = 'd'
),
-- Looked up by number: most types are the rows of tables, and of no use to anybody.
types as not materialized (
  select t.oid, pg_catalog.json_build_object(
           'schema', n.nspname, 'name', t.typname, 'base', bt.typname,
           'shape', case when bt.typtype = 'c' then 'composite' when bt.typcategory = 'A' then 'array'
                         when bt.typtype = 'p' then 'pseudo' else 'scalar' end,
           'element', case when bt.typcategory = 'A' and bt.typelem <> 0 then
             (select pg_catalog.json_build_object('schema', en.nspname, 'name', et.typname)
                from pg_catalog.pg_type et join pg_catalog.pg_namespace en on en.oid = et.typnamespace where et.oid = bt.typelem) end) as document,
         bt.oid as base_oid, bt.typname as base, bt.typtype as base_kind, bt.typrelid as relation
    from pg_catalog.pg_type t
    join pg_catalog.pg_namespace n on n.oid = t.typnamespace
    left join bases b on b.oid = t.oid
    join pg_catalog.pg_type bt on bt.oid = coalesce(b.base, t.oid)
),
relations as materialized (
  select c.oid, n.nspname, c.relname, c.relkind, pg_catalog.pg_relation_is_updatable(c.oid, true) as events,
         c.relkind = 'v' and pg_catalog.pg_relation_is_updatable(c.oid, false) & 4 <> 0
           -- A rule makes any view look so.
           and not exists (select from pg_catalog.pg_rewrite w where w.ev_class = c.oid and w.ev_type <> '1') as is_plain
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
   where n.nspname in (select w.name from wanted w) and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
     and ((select h.it is null from changed h)
          or c.oid in (select h.oid from changed_relations h)
          or c.relkind in ('v', 'm') and exists (select from changed_relations)
          or c.oid in (select k.conrelid from pg_catalog.pg_constraint k
                        where k.contype = 'f' and k.confrelid in (select h.oid from changed_relations h)))
),
-- A key's columns in the key's order; indexes over expressions or over a part of the rows are no keys.
uniques as materialized (
  select i.indrelid, i.indexrelid, i.indisprimary,
         (select pg_catalog.json_agg(a.attname order by k.position)
            from pg_catalog.unnest(i.indkey::smallint[]) with ordinality as k (number, position)
            join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number
           where k.position <= i.indnkeyatts) as columns
    from pg_catalog.pg_index i
   where i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
     and i.indrelid in (select r.oid from relations r)
),
foreign_keys as materialized (
  select k.conrelid, k.conname, fn.nspname as foreign_schema, fc.relname as foreign_relation,
         (select pg_catalog.json_agg(a.attname order by u.position)
            from pg_catalog.unnest(k.conkey) with ordinality as u (number, position)
            join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.number) as columns,
         (select pg_catalog.json_agg(a.attname order by u.position)
            from pg_catalog.unnest(k.confkey) with ordinality as u (number, position)
            join pg_catalog.pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.number) as foreign_columns
    from pg_catalog.pg_constraint k
    join pg_catalog.pg_class fc on fc.oid = k.confrelid
    join pg_catalog.pg_namespace fn on fn.oid = fc.relnamespace
   where k.contype = 'f' and k.conparentid = 0 and k.conrelid in (select r.oid from relations r)
),
-- Implicit casts between domains and JSON or text say how values of the domain are shown and read.
representations as (
  select c.castsource as source, c.casttarget as target, pg_catalog.json_build_array(n.nspname, p.proname) as function
    from pg_catalog.pg_cast c
    join pg_catalog.pg_proc p on p.oid = c.castfunc
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    join pg_catalog.pg_type s on s.oid = c.castsource
    join pg_catalog.pg_type t on t.oid = c.casttarget
   where c.castcontext = 'i' and c.castmethod = 'f' and (s.typtype = 'd' or t.typtype = 'd')
),
-- Made once for all: planned per relation it would look through all types each time.
columns as materialized (
  select a.attrelid,
         pg_catalog.json_agg(pg_catalog.json_build_object(
           'name', a.attname, 'number', a.attnum, 'type', t.document, 'formatted_type', pg_catalog.format_type(a.atttypid, a.atttypmod),
           'nullable', not a.attnotnull, 'has_default', a.atthasdef and a.attgenerated = '' or a.attidentity <> '',
           'to_json', (select r.function from representations r
                        where r.source = a.atttypid and r.target = 'pg_catalog.json'::pg_catalog.regtype),
           'from_json', (select r.function from representations r
                          where r.target = a.atttypid and r.source = 'pg_catalog.json'::pg_catalog.regtype),
           'from_text', (select r.function from representations r
                          where r.target = a.atttypid and r.source = 'pg_catalog.text'::pg_catalog.regtype),
           'generated', a.attgenerated <> '', 'identity_always', a.attidentity = 'a',
           -- Without the length and scale of its values; a type of one's own is shown as it is.
           'plain_type', case when t.base_oid < 16384 then pg_catalog.format_type(t.base_oid, null)
                              else pg_catalog.format_type(a.atttypid, a.atttypmod) end,
           'max_length', case when t.base in ('bpchar', 'varchar') and t.modifier > 4 then t.modifier - 4 end,
           -- What stands in for a value that is left out, as PostgreSQL writes it: of an identity the next number, of a domain its own.
           'default', case when d.adbin is null and a.attidentity = '' then t.domain_default
                           when a.attidentity = 'd' then (
                             select pg_catalog.format('nextval(%L::regclass)', q.objid::pg_catalog.regclass)
                               from pg_catalog.pg_depend q
                              where q.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and q.refobjid = a.attrelid
                                and q.refobjsubid = a.attnum and q.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and q.deptype = 'i'
                              limit 1)
                           when a.attgenerated = '' then pg_catalog.pg_get_expr(d.adbin, d.adrelid) end,
           'comment', pg_catalog.col_description(a.attrelid, a.attnum::integer)) order by a.attnum) as columns
    from pg_catalog.pg_attribute a
    join lateral (select t.*, case when y.typtype = 'd' then y.typtypmod else a.atttypmod end as modifier, y.typdefault as domain_default
                    from types t join pg_catalog.pg_type y on y.oid = t.oid where t.oid = a.atttypid) t on true
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
   where a.attnum > 0 and not a.attisdropped and a.attrelid in (select r.oid from relations r)
   group by a.attrelid
),
-- Keys of all tables: a view shows those of the tables below it, wherever they are.
all_keys as (
  select k.contype, k.conname, k.conrelid, k.conkey, k.confrelid, k.confkey, c.relname,
         coalesce(pg_catalog.obj_description(k.oid, 'pg_constraint') like '@named_only%', false) as named_only
    from pg_catalog.pg_constraint k
    join pg_catalog.pg_class c on c.oid = k.conrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
   where k.contype in ('f', 'p', 'u') and k.conparentid = 0 and n.nspname not in ('pg_catalog', 'information_schema')
),
functions as (
  select n.nspname, p.proname, p.oid,
         -- Arguments that go in; an unnamed one has the name ''.
         (select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
                   'name', coalesce(p.proargnames[u.all_position], ''), 'type', t.document,
                   'formatted_type', pg_catalog.format_type(u.type, null),
                   'has_default', u.position > p.pronargs - p.pronargdefaults,
                   'variadic', coalesce(p.proargmodes[u.all_position] = 'v', false)) order by u.position), '[]')
            from (select a.type, a.all_position, pg_catalog.row_number() over (order by a.all_position) as position
                    from pg_catalog.unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]))
                           with ordinality as a (type, all_position)
                   where coalesce(p.proargmodes[a.all_position], 'i') in ('i', 'b', 'v')) u
            join types t on t.oid = u.type) as arguments,
         case when rt.base = 'void' then 'void'
              when rt.base_kind = 'c' or coalesce(p.proargmodes && array['t', 'b', 'o']::"char"[], false) and rt.base = 'record' then 'row'
              when rt.base = 'record' then 'record'
              else 'scalar' end as returns_kind,
         -- What comes out by name: the columns of a table, or arguments that go out.
         (select pg_catalog.json_agg(pg_catalog.json_build_object('name', coalesce(p.proargnames[o.position], ''), 'type', t.document)
                                     order by o.position)
            from pg_catalog.unnest(p.proallargtypes) with ordinality as o (type, position)
            join types t on t.oid = o.type
           where p.proargmodes[o.position] in ('o', 'b', 't')) as returned,
         p.proretset, p.prorows, coalesce(pg_catalog.to_json(p.proconfig), '[]') as settings,
         rt.document as returns_type, rn.nspname as returns_schema, rc.relname as returns_relation,
         case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end as volatility, p.prosecdef,
         pg_catalog.obj_description(p.oid, 'pg_proc') as comment
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    join types rt on rt.oid = p.prorettype
    left join pg_catalog.pg_class rc on rc.oid = rt.relation and rc.relkind <> 'c'
    left join pg_catalog.pg_namespace rn on rn.oid = rc.relnamespace
   where n.nspname in (select w.name from wanted w) and p.prokind = 'f'
     and ((select h.it is null from changed h) or p.oid in (select h.oid from changed_functions h))
     and rt.base not in ('trigger', 'event_trigger', 'internal', 'language_handler', 'fdw_handler', 'index_am_handler', 'tsm_handler', 'table_am_handler')
     and not exists (select from pg_catalog.pg_depend e
                      where e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and e.objid = p.oid and e.deptype = 'e')
),
-- An aggregate over rows whose result is a domain named like a media type makes whole answers of that type.
handlers as (
  select n.nspname, p.proname, pg_catalog.lower(t.typname) as media, b.base,
         case when c.oid is not null then pg_catalog.json_build_array(cn.nspname, c.relname) end as target
    from pg_catalog.pg_aggregate g
    join pg_catalog.pg_proc p on p.oid = g.aggfnoid and p.pronargs = 1
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    join pg_catalog.pg_type t on t.oid = p.prorettype and t.typtype = 'd'
    join types b on b.oid = t.oid
    left join pg_catalog.pg_class c on c.reltype = p.proargtypes[0] and c.relkind in ('r', 'p', 'v', 'm', 'f')
    left join pg_catalog.pg_namespace cn on cn.oid = c.relnamespace
   where n.nspname in (select w.name from wanted w)
     and (t.typname ~* '^[a-z0-9.-]+/[a-z0-9.+-]+$' or t.typname = '*/*')
     and (c.oid is not null or p.proargtypes[0] = 'pg_catalog.anyelement'::pg_catalog.regtype)
)
select pg_catalog.json_build_object(
  'relations', (select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'oid', r.oid::bigint, 'schema', r.nspname, 'name', r.relname,
      'kind', case r.relkind when 'r' then 'table' when 'p' then 'partitioned_table' when 'v' then 'view'
                             when 'm' then 'materialized_view' else 'foreign_table' end,
      'insertable', r.events & 8 <> 0, 'updatable', r.events & 4 <> 0, 'deletable', r.events & 16 <> 0,
      'is_plain', r.is_plain, 'comment', pg_catalog.obj_description(r.oid, 'pg_class'),
      'columns', coalesce(c.columns, '[]'), 'primary_key', coalesce(p.columns, '[]'), 'uniques', coalesce(u.columns, '[]'),
      'foreign_keys', coalesce(f.keys, '[]')) order by r.nspname, r.relname), '[]')
    from relations r
    left join columns c on c.attrelid = r.oid
    left join uniques p on p.indrelid = r.oid and p.indisprimary
    left join (select u.indrelid, pg_catalog.json_agg(u.columns order by u.indexrelid) as columns
                 from uniques u where not u.indisprimary group by u.indrelid) u on u.indrelid = r.oid
    left join (select f.conrelid, pg_catalog.json_agg(pg_catalog.json_build_object(
                        'name', f.conname, 'columns', f.columns, 'foreign_schema', f.foreign_schema,
                        'foreign_relation', f.foreign_relation, 'foreign_columns', f.foreign_columns) order by f.conname) as keys
                 from foreign_keys f group by f.conrelid) f on f.conrelid = r.oid),
  'functions', (select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'oid', f.oid::bigint, 'schema', f.nspname, 'name', f.proname, 'returned', coalesce(f.returned, '[]'), 'arguments', f.arguments, 'volatility', f.volatility, 'comment', f.comment,
      'security_definer', f.prosecdef,
      'rows', f.prorows, 'settings', f.settings, 'returns', pg_catalog.json_build_object('kind', f.returns_kind, 'set', f.proretset, 'type', f.returns_type,
                                              'schema', f.returns_schema, 'relation', f.returns_relation))
      order by f.nspname, f.proname, f.oid), '[]')
    from functions f),
  'comments', (select pg_catalog.json_object_agg(n.nspname, pg_catalog.obj_description(n.oid, 'pg_namespace'))
    from pg_catalog.pg_namespace n where n.nspname in (select w.name from wanted w)),
  -- Checks and keys, and foreign keys that have a comment.
  'constraints', (select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'schema', r.nspname, 'relation', r.relname, 'name', k.name, 'columns', k.columns, 'comment', k.comment) order by r.nspname, r.relname, k.name), '[]')
    from (select k.conrelid as relation, k.conname as name, pg_catalog.obj_description(k.oid, 'pg_constraint') as comment, k.contype in ('c', 'p', 'u', 'x') as is_shown,
                 (select pg_catalog.json_agg((select a.attname from pg_catalog.pg_attribute a where a.attrelid = k.conrelid and a.attnum = u.number)
                                             order by u.position)
                    from pg_catalog.unnest(k.conkey) with ordinality as u (number, position) where u.number <> 0) as columns
            from pg_catalog.pg_constraint k
           where k.contype in ('c', 'f', 'p', 'u', 'x') and k.conrelid in (select r.oid from relations r)
           union all
          select i.indrelid, c.relname, pg_catalog.obj_description(i.indexrelid, 'pg_class'), true,
                 (select pg_catalog.json_agg(a.attname order by u.position)
                    from pg_catalog.unnest(i.indkey::smallint[]) with ordinality as u (number, position)
                    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = u.number)
            from pg_catalog.pg_index i
            join pg_catalog.pg_class c on c.oid = i.indexrelid
           where i.indisunique and i.indrelid in (select r.oid from relations r)
             and not exists (select from pg_catalog.pg_constraint o where o.conindid = i.indexrelid and o.contype in ('p', 'u', 'x'))) k
    join relations r on r.oid = k.relation
   where k.comment is not null or k.is_shown),
  'enums', (select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('schema', e.nspname, 'name', e.typname, 'values', e.labels)
                                                order by e.nspname, e.typname), '[]')
    from (select n.nspname, y.typname, pg_catalog.json_agg(l.enumlabel order by l.enumsortorder) as labels
            from pg_catalog.pg_enum l
            join pg_catalog.pg_type y on y.oid = l.enumtypid
            join pg_catalog.pg_namespace n on n.oid = y.typnamespace
           group by n.nspname, y.typname) e),
  'composites', (select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('schema', m.nspname, 'name', m.relname, 'columns', m.columns)
                                                     order by m.nspname, m.relname), '[]')
    from (select n.nspname, c.relname,
                 pg_catalog.json_agg(pg_catalog.json_build_object('name', a.attname, 'type', t.document) order by a.attnum) as columns
            from pg_catalog.pg_class c
            join pg_catalog.pg_namespace n on n.oid = c.relnamespace
            join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            join types t on t.oid = a.atttypid
           where c.relkind = 'c' and n.nspname in (select w.name from wanted w)
           group by n.nspname, c.relname) m),
  'references', (select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'name', k.conname, 'table', k.conrelid::bigint, 'table_name', k.relname, 'columns', k.conkey,
      'column_names', (select pg_catalog.json_agg(a.attname order by u.position)
                         from pg_catalog.unnest(k.conkey) with ordinality as u (number, position)
                         join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.number),
      'target', k.confrelid::bigint, 'target_columns', k.confkey, 'named_only', k.named_only) order by k.conname), '[]')
    from all_keys k where k.contype = 'f'),
  'unique_keys', (select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'table', k.conrelid::bigint, 'primary', k.contype = 'p', 'columns', k.conkey)), '[]')
    from all_keys k
   where k.contype = 'p' or k.contype = 'u' and k.conrelid in (select f.conrelid from all_keys f where f.contype = 'f')),
  -- Views of other schemas may stand between.
  'views', (select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('oid', c.oid::bigint, 'rule', w.ev_action::text)), '[]')
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_rewrite w on w.ev_class = c.oid and w.ev_type = '1'
   where c.relkind in ('v', 'm') and n.nspname not in ('pg_catalog', 'information_schema')),
  -- Of columns that views show, in whatever schema their table is.
  'origin_comments', (select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'oid', d.objoid::bigint, 'number', d.objsubid, 'comment', d.description)), '[]')
    from pg_catalog.pg_description d
   where d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objsubid > 0 and d.objoid >= 16384
     and exists (select from pg_catalog.pg_depend p
                  where p.refclassid = d.classoid and p.refobjid = d.objoid and p.refobjsubid = d.objsubid
                    and p.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass)),
  'handlers', (select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'schema', h.nspname, 'name', h.proname, 'media', h.media, 'base', h.base, 'target', h.target) order by h.nspname, h.proname), '[]')
    from handlers h),
  -- Where PostGIS makes GeoJSON of a row.
  'geojson_schema', (select n.nspname
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
   where p.proname = 'st_asgeojson' and p.proargtypes[0] = 'pg_catalog.record'::pg_catalog.regtype
   order by n.nspname limit 1),
  -- What was set for a role in this database goes before what was set for it in all. What may log in is nobody's role here.
  'statement_timeouts', (select pg_catalog.json_object_agg(s.rolname, s.value)
    from (select distinct on (r.rolname) r.rolname, pg_catalog.split_part(k.value, '=', 2) as value
            from pg_catalog.pg_db_role_setting d
            join pg_catalog.pg_roles r on r.oid = d.setrole and not r.rolcanlogin
            cross join lateral pg_catalog.unnest(d.setconfig) as k (value)
           where d.setdatabase in (0, (select b.oid from pg_catalog.pg_database b where b.datname = pg_catalog.current_database()))
             and k.value like 'statement\_timeout=%'
           order by r.rolname, d.setdatabase desc) s),
  'has_declarations', pg_catalog.to_regclass('app.protected_tables') is not null)::text as document
