-- Partitions of the tables that only grow: one for each month of the time that stands in an id.
-- Invariant: a month's partition is there before its first row. The months of a table never overlap, and nobody reaches a partition but
-- through its table: row security is forced on it, and no right to it is given.

-- The first id of a moment: its milliseconds, and zeros behind them.
create or replace function app.first_id_of(p_at timestamptz) returns uuid
  language sql immutable
  set search_path = ''
  return rpad(lpad(to_hex((extract(epoch from p_at) * 1000)::bigint), 12, '0'), 32, '0')::uuid;
comment on function app.first_id_of(timestamptz) is 'The lowest id that a moment can have.';
revoke all on function app.first_id_of(timestamptz) from public;
grant execute on function app.first_id_of(timestamptz) to app_definer;

create or replace function app.partitioned_tables() returns text[]
  language sql immutable
  set search_path = ''
  return array['communications', 'activities', 'audit_logs', 'webhook_logs', 'email_logs'];
revoke all on function app.partitioned_tables() from public;
grant execute on function app.partitioned_tables() to app_definer;

-- Belongs to the owner of the tables, who alone may give them partitions. It takes a name out of a fixed list, and a month.
-- The partition is made apart and then attached: whoever reads or writes the table in the meantime goes on.
create or replace function public.create_monthly_partition(table_name text, start_date date) returns text
  language plpgsql volatile security definer
  set search_path = ''
  set lock_timeout = '5s'
as $$
declare
  v_table constant text := regexp_replace(create_monthly_partition.table_name, '^public\.', '');
  v_month constant timestamptz := date_trunc('month', create_monthly_partition.start_date::timestamp) at time zone 'UTC';
  v_name  constant text := v_table || to_char(create_monthly_partition.start_date, '_YYYY_MM');
  v_next  constant timestamptz := (date_trunc('month', create_monthly_partition.start_date::timestamp) + interval '1 month') at time zone 'UTC';
begin
  if v_table is null or v_table <> all (app.partitioned_tables()) then
    raise exception using errcode = 'TH422', constraint = 'table_not_partitioned',
      message = 'This table has no monthly partitions.',
      hint = format('Those that have: %s.', array_to_string(app.partitioned_tables(), ', '));
  end if;
  if create_monthly_partition.start_date is null or v_month < timestamptz '1970-01-01 00:00:00+00' or v_month >= timestamptz '3000-01-01 00:00:00+00' then
    raise exception using errcode = 'TH422', constraint = 'partition_month_invalid',
      message = 'A partition is of a month between 1970 and 2999.';
  end if;
  -- Whoever makes the same one at the same time waits, and finds it made.
  perform pg_advisory_xact_lock(hashtextextended('partition ' || v_name, 0));
  if to_regclass(format('public.%I', v_name)) is null then
    execute format('create table public.%I (like public.%I including defaults including constraints including comments)', v_name, v_table);
    perform app.enclose(format('public.%I', v_name)::regclass);
    if v_table = 'audit_logs' then
      execute format('revoke update, delete on public.%I from app_definer', v_name);
    end if;
    execute format('alter table public.%I attach partition public.%I for values from (%L) to (%L)',
                   v_table, v_name, app.first_id_of(v_month), app.first_id_of(v_next));
  end if;
  return v_name;
end $$;
comment on function public.create_monthly_partition(text, date) is
  'Makes the partition of a month, unless it is there; returns its name. For maintenance, and for imports that bring old ids.';
revoke all on function public.create_monthly_partition(text, date) from public;
grant execute on function public.create_monthly_partition(text, date) to service_role;

create or replace function app.make_partitions(p_months_ahead integer default 3) returns text[]
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_table text;
  v_month integer;
  v_made  text[] := '{}';
  v_day   date;
begin
  if p_months_ahead not between 0 and 24 then
    raise exception using errcode = '22023', message = 'partitions are made 0 to 24 months ahead';
  end if;
  foreach v_table in array array['communications', 'activities', 'audit_logs', 'webhook_logs', 'email_logs'] loop
    -- The month before, too: a clock that is behind, and what was written just before midnight.
    for v_month in -1 .. p_months_ahead loop
      v_day := (date_trunc('month', now() at time zone 'UTC') + make_interval(months => v_month))::date;
      if to_regclass(format('public.%I', v_table || to_char(v_day, '_YYYY_MM'))) is null then
        v_made := v_made || public.create_monthly_partition(v_table, v_day);
      end if;
    end loop;
  end loop;
  return v_made;
end $$;
comment on function app.make_partitions(integer) is 'Makes the partitions of the coming months where they are missing; returns their names.';
revoke all on function app.make_partitions(integer) from public;
grant execute on function app.make_partitions(integer) to service_role;

select app.make_partitions();
