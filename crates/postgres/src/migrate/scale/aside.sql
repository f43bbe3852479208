-- What is taken away from a set of tables, and how it is made again: foreign keys, and indexes that keep nothing unique.

create table app.set_aside (
  position integer generated always as identity primary key,
  relation text not null,
  -- A key that is there again and not yet held against the rows is a check.
  kind text not null check (kind in ('key', 'check', 'index')),
  name text not null,
  definition text not null
);
select app.enclose('app.set_aside');

insert into app.set_aside (relation, kind, name, definition)
select k.conrelid::regclass, 'key', k.conname,
       format('alter table %s add constraint %I %s not valid', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid))
         || coalesce(format('; comment on constraint %I on %s is %L', k.conname, k.conrelid::regclass, obj_description(k.oid, 'pg_constraint')), '')
  from pg_catalog.pg_constraint k
 where k.contype = 'f' and k.conparentid = 0 and k.convalidated and k.conrelid = any (/* tables */)
 order by k.oid;

insert into app.set_aside (relation, kind, name, definition)
select i.indrelid::regclass, 'index', c.relname,
       pg_get_indexdef(i.indexrelid)
         || coalesce(format('; comment on index %s is %L', i.indexrelid::regclass, obj_description(i.indexrelid, 'pg_class')), '')
  from pg_catalog.pg_index i
  join pg_catalog.pg_class c on c.oid = i.indexrelid
 where i.indisvalid and not i.indisunique and i.indrelid = any (/* tables */)
   and not exists (select from pg_catalog.pg_constraint k where k.conindid = i.indexrelid)
 order by c.relname;

do $$
declare
  v_note record;
begin
  for v_note in select n.* from app.set_aside n order by n.position loop
    if v_note.kind = 'key' then
      execute format('alter table %s drop constraint %I', v_note.relation, v_note.name);
    else
      execute format('drop index %s.%I', (select c.relnamespace::regnamespace from pg_catalog.pg_class c where c.oid = v_note.relation::regclass), v_note.name);
    end if;
  end loop;
end $$;
