-- When somebody may be disturbed. Invariant: a window ends at a moment that is later than now, also where clocks change, so that what waits
-- for it is told.

-- The view of all zones reads as many files, which is too slow to be asked for everybody who is told.
create or replace function app.known_zone(p_zone text) returns text
  language plpgsql stable
  set search_path = ''
as $$
begin
  if p_zone ~ '^[A-Za-z_]+(/[A-Za-z0-9_+-]+)*$' then
    perform now() at time zone p_zone;
    return p_zone;
  end if;
  return 'UTC';
exception when invalid_parameter_value then
  return 'UTC';
end $$;
revoke all on function app.known_zone(text) from public;
grant execute on function app.known_zone(text) to app_definer;

-- The end of the quiet hours that this moment is in; null where it is in none. A window that begins when it ends is none: it would never
-- be over. An end that the clock skips is the moment of the jump; one that comes twice is the later one.
create or replace function app.quiet_until(p_start time, p_end time, p_zone text, p_at timestamptz) returns timestamptz
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_zone  constant text := app.known_zone(p_zone);
  v_local constant timestamp := p_at at time zone v_zone;
  v_until timestamptz;
begin
  if p_start is null or p_end is null or p_start = p_end then
    return null;
  elsif p_start < p_end then
    if v_local::time >= p_start and v_local::time < p_end then
      v_until := (v_local::date + p_end) at time zone v_zone;
    end if;
  elsif v_local::time >= p_start then
    v_until := (v_local::date + 1 + p_end) at time zone v_zone;
  elsif v_local::time < p_end then
    v_until := (v_local::date + p_end) at time zone v_zone;
  end if;
  return greatest(v_until, case when v_until is not null then p_at + interval '1 minute' end);
end $$;
comment on function app.quiet_until(time, time, text, timestamptz) is 'The end of the quiet hours that a moment is in; null where it is in none.';
revoke all on function app.quiet_until(time, time, text, timestamptz) from public;
grant execute on function app.quiet_until(time, time, text, timestamptz) to app_definer;

-- The end of the window that gathers what comes now: the next full hour, the next day's or the next Monday's hour.
create or replace function app.digest_end(p_frequency text, p_zone text, p_hour integer, p_at timestamptz) returns timestamptz
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_zone  constant text := app.known_zone(p_zone);
  v_local constant timestamp := p_at at time zone v_zone;
  v_time  constant time := make_time(p_hour, 0, 0);
  v_end   timestamptz;
begin
  case p_frequency
    -- In the zone's hours, which some have at the half.
    when 'hourly' then v_end := p_at + (date_trunc('hour', v_local) + interval '1 hour' - v_local);
    when 'daily' then v_end := (v_local::date + case when v_local::time < v_time then 0 else 1 end + v_time) at time zone v_zone;
    when 'weekly' then
      v_end := (date_trunc('week', v_local)::date + case when v_local < date_trunc('week', v_local)::date + v_time then 0 else 7 end + v_time)
               at time zone v_zone;
    else return null;
  end case;
  return greatest(v_end, p_at + interval '1 minute');
end $$;
revoke all on function app.digest_end(text, text, integer, timestamptz) from public;
grant execute on function app.digest_end(text, text, integer, timestamptz) to app_definer;

-- How a moment is written for somebody.
create or replace function app.shown_time(p_at text, p_zone text, p_locale text) returns text
  language sql stable
  set search_path = ''
  return to_char(p_at::timestamptz at time zone app.known_zone(p_zone),
                 case left(p_locale, 2) when 'de' then 'DD.MM.YYYY HH24:MI' when 'es' then 'DD/MM/YYYY HH24:MI' else 'Mon FMDD, YYYY HH24:MI' end);

-- How many digits of a currency stand behind the point (ISO 4217).
create or replace function app.minor_digits(p_currency text) returns integer
  language sql immutable
  set search_path = ''
  return case when p_currency in ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'VND', 'VUV', 'XAF', 'XOF', 'XPF') then 0
              when p_currency in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then 3
              else 2 end;

-- How an amount in minor units of its currency is written for somebody: in the middle of SQL what the program writes in letters.
drop function if exists app.shown_amount(text, text, text);
create or replace function app.shown_amount(p_minor text, p_currency text, p_locale text) returns text
  language sql stable
  set search_path = ''
as $$
  select case when left(p_locale, 2) in ('de', 'es') then translate(shown, '.,', ',.') else shown end || ' ' || coalesce(p_currency, 'USD')
    from app.minor_digits(coalesce(p_currency, 'USD')) d (digits)
    cross join to_char(p_minor::numeric / 10::numeric ^ digits,
                       'FM999,999,999,999,990' || case when digits > 0 then '.' || repeat('0', digits) else '' end) t (shown);
$$;
revoke all on function app.shown_time(text, text, text), app.minor_digits(text), app.shown_amount(text, text, text) from public;
grant execute on function app.shown_time(text, text, text), app.minor_digits(text), app.shown_amount(text, text, text) to app_definer;
