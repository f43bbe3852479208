-- What a schedule may be. Invariant: what is accepted here is what the program reads: five fields, or a name as @daily.

create or replace function app.cron_value(p_text text, p_first integer, p_names text) returns integer
  language sql immutable
  set search_path = ''
  return case when p_text ~ '^\d{1,2}$' then p_text::integer
              else array_position(string_to_array(p_names, ' '), p_text) - 1 + p_first end;
revoke all on function app.cron_value(text, integer, text) from public;
grant execute on function app.cron_value(text, integer, text) to app_definer;

-- The values that a field means; null where it is none.
create or replace function app.cron_values(p_field text, p_first integer, p_last integer, p_names text default '') returns integer[]
  language plpgsql immutable
  set search_path = ''
as $$
declare
  v_item   text;
  v_parts  text[];
  v_from   integer;
  v_to     integer;
  v_step   integer;
  v_values integer[] := '{}';
begin
  foreach v_item in array string_to_array(p_field, ',') loop
    v_parts := regexp_match(v_item, '^(?:(\*)|(\d{1,2}|[a-z]{3})(?:-(\d{1,2}|[a-z]{3}))?)(?:/(\d{1,2}))?$');
    if v_parts is null or v_parts[4] is not null and v_parts[1] is null and v_parts[3] is null then
      return null;
    end if;
    -- Sunday is 0 and 7: a star means it once.
    v_from := case when v_parts[1] is null then app.cron_value(v_parts[2], p_first, p_names) else p_first end;
    v_to := case when v_parts[1] is not null then least(p_last, case when p_last = 7 then 6 else p_last end)
                 when v_parts[3] is null then v_from
                 when p_last = 7 and v_parts[3] = 'sun' and v_from > 0 then 7
                 else app.cron_value(v_parts[3], p_first, p_names) end;
    v_step := coalesce(v_parts[4]::integer, 1);
    if v_from is null or v_to is null or v_from < p_first or v_to > p_last or v_from > v_to or v_step not between 1 and p_last then
      return null;
    end if;
    v_values := v_values || array(select generate_series(v_from, v_to, v_step));
  end loop;
  return case when p_field <> '' then array(select distinct v from unnest(v_values) v order by v) end;
end $$;
revoke all on function app.cron_values(text, integer, integer, text) from public;
grant execute on function app.cron_values(text, integer, integer, text) to app_definer;

-- A field without those of its items that a pattern matches; a star where nothing else is left.
create or replace function app.cron_without(p_field text, p_pattern text) returns text
  language sql immutable
  set search_path = ''
as $$
  select coalesce(string_agg(i.item, ',') filter (where i.item !~ p_pattern),
                  case when count(*) > 0 then '*' else '' end)
    from unnest(string_to_array(p_field, ',')) i (item)
$$;
revoke all on function app.cron_without(text, text) from public;
grant execute on function app.cron_without(text, text) to app_definer;

-- Why a text is no schedule; null where it is one. p_minutes_min: how many minutes are to lie between two of its times at least.
create or replace function app.cron_fault(p_schedule text, p_minutes_min integer default 1) returns text
  language plpgsql immutable
  set search_path = ''
as $$
declare
  v_text    constant text := lower(btrim(p_schedule, E' \t\n\r\f'));
  v_fields  text[];
  v_minutes integer[];
  v_days    integer[];
  v_months  integer[];
  v_weekday text;
  v_least   integer;
begin
  if v_text is null or length(v_text) > 200 then
    return 'a schedule has up to 200 letters';
  elsif v_text = '@reboot' then
    return 'the start of a server is no time';
  end if;
  v_fields := case
    when v_text in ('@yearly', '@annually') then '{0,0,1,1,*}'
    when v_text = '@monthly' then '{0,0,1,*,*}'
    when v_text = '@weekly' then '{0,0,*,*,0}'
    when v_text in ('@daily', '@midnight') then '{0,0,*,*,*}'
    when v_text = '@hourly' then '{0,*,*,*,*}'
    else regexp_split_to_array(v_text, '[ \t\n\r\f]+') end;
  if v_text ~ '^@' and v_fields[1] ~ '^@' then
    return 'names are @yearly, @monthly, @weekly, @daily and @hourly';
  elsif cardinality(v_fields) <> 5 then
    return 'a schedule has five fields: minute, hour, day of the month, month, day of the week';
  end if;
  v_minutes := app.cron_values(v_fields[1], 0, 59);
  v_days := app.cron_values(app.cron_without(v_fields[3], '^(l|\$)$'), 1, 31);
  v_months := app.cron_values(v_fields[4], 1, 12, 'jan feb mar apr may jun jul aug sep oct nov dec');
  v_weekday := app.cron_without(v_fields[5], '^([0-7]|sun|mon|tue|wed|thu|fri|sat)(#[1-5]|l)$');
  case
    when v_minutes is null then return 'the first field is a minute, 0 to 59';
    when app.cron_values(v_fields[2], 0, 23) is null then return 'the second field is an hour, 0 to 23';
    when v_days is null then return 'the third field is a day of the month, 1 to 31, or L for the last';
    when v_months is null then return 'the fourth field is a month, 1 to 12 or jan to dec';
    when app.cron_values(v_weekday, 0, 7, 'sun mon tue wed thu fri sat') is null
      then return 'the fifth field is a day of the week, 0 to 7 or sun to sat';
    else null;
  end case;
  if v_fields[5] ~ '^\*' and v_fields[3] !~ '(^|,)(l|\$)(,|$)'
     and not exists (select from unnest(v_months) m, unnest(v_days) d where d <= ('{31,29,31,30,31,30,31,31,30,31,30,31}'::integer[])[m]) then
    return 'no year has such a day';
  end if;
  -- The shortest way from one of its minutes to the next, on a clock's face.
  select min(case when g.next is null then 60 - g.minute + v_minutes[1] else g.next - g.minute end) into v_least
    from (select m.minute, lead(m.minute) over (order by m.minute) as next from unnest(v_minutes) m (minute)) g;
  if v_least < p_minutes_min then
    return format('it comes more often than every %s minutes', p_minutes_min);
  end if;
  return null;
end $$;
comment on function app.cron_fault(text, integer) is 'Why a text is no schedule; null where it is one.';
revoke all on function app.cron_fault(text, integer) from public;
grant execute on function app.cron_fault(text, integer) to app_definer, service_role;

-- A zone by its name; abbreviations and rules of one's own are none.
create or replace function app.is_time_zone(p_zone text) returns boolean
  language plpgsql stable
  set search_path = ''
as $$
begin
  if p_zone is null or p_zone !~ '^[A-Za-z]+([_/+-][A-Za-z0-9]+)*$' or p_zone ~* '^posix' or p_zone !~ '/' and upper(p_zone) not in ('UTC', 'GMT') then
    return false;
  end if;
  perform now() at time zone p_zone;
  return true;
exception when invalid_parameter_value then
  return false;
end $$;
revoke all on function app.is_time_zone(text) from public;
grant execute on function app.is_time_zone(text) to app_definer;
