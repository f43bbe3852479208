-- Partitions of the tasks that are over: one for each week of their end. Invariant: a week's partition is there before its first row, and
-- nobody reaches it but through its table. What is older than it is kept goes with its partition.

-- Belongs to the owner of the tables, who alone may give them partitions.
create or replace function app.make_task_partitions(p_weeks_ahead integer default 2) returns text[]
  language plpgsql volatile security definer
  set search_path = ''
  set lock_timeout = '5s'
as $$
declare
  v_table text;
  v_week  integer;
  v_day   date;
  v_name  text;
  v_made  text[] := '{}';
begin
  if p_weeks_ahead not between 0 and 52 then
    raise exception using errcode = '22023', message = 'partitions are made 0 to 52 weeks ahead';
  end if;
  foreach v_table in array array['done_tasks', 'dead_tasks'] loop
    for v_week in 0 .. p_weeks_ahead loop
      v_day := date_trunc('week', now() at time zone 'UTC')::date + 7 * v_week;
      v_name := v_table || to_char(v_day, '_YYYY_MM_DD');
      continue when to_regclass(format('app.%I', v_name)) is not null;
      -- Whoever makes the same one at the same time waits, and finds it made.
      perform pg_advisory_xact_lock(hashtextextended('partition ' || v_name, 0));
      continue when to_regclass(format('app.%I', v_name)) is not null;
      execute format('create table app.%I (like app.%I including defaults including constraints including comments)', v_name, v_table);
      perform app.enclose(format('app.%I', v_name)::regclass);
      execute format('alter table app.%I attach partition app.%I for values from (%L) to (%L)',
                     v_table, v_name, v_day::timestamp at time zone 'UTC', (v_day + 7)::timestamp at time zone 'UTC');
      v_made := v_made || v_name;
    end loop;
  end loop;
  return v_made;
end $$;
comment on function app.make_task_partitions(integer) is 'Makes the partitions of this week and the coming ones where they are missing; returns their names.';
revoke all on function app.make_task_partitions(integer) from public;
grant execute on function app.make_task_partitions(integer) to service_role;

create or replace function app.drop_task_partitions(p_done_days integer, p_dead_days integer) returns text[]
  language plpgsql volatile security definer
  set search_path = ''
  set lock_timeout = '5s'
as $$
declare
  v_partition record;
  v_dropped   text[] := '{}';
begin
  if p_done_days not between 1 and 3650 or p_dead_days not between 1 and 3650 then
    raise exception using errcode = '22023', message = 'tasks that are over are kept for 1 to 3650 days';
  end if;
  for v_partition in
    select c.relname as name from pg_catalog.pg_inherits i
      join pg_catalog.pg_class c on c.oid = i.inhrelid
     cross join lateral (select case when i.inhparent = 'app.done_tasks'::regclass then p_done_days else p_dead_days end as days) k
     where i.inhparent in ('app.done_tasks'::regclass, 'app.dead_tasks'::regclass)
       and to_date(right(c.relname, 10), 'YYYY_MM_DD') + 7 <= (now() at time zone 'UTC')::date - k.days
     order by c.relname
  loop
    execute format('drop table app.%I', v_partition.name);
    v_dropped := v_dropped || v_partition.name::text;
  end loop;
  return v_dropped;
end $$;
comment on function app.drop_task_partitions(integer, integer) is 'Takes away weeks of finished tasks that are older than they are kept; returns their names.';
revoke all on function app.drop_task_partitions(integer, integer) from public;
grant execute on function app.drop_task_partitions(integer, integer) to service_role;

select app.make_task_partitions();
