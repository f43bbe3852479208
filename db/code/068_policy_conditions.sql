-- Conditions for policies beside who somebody is: how sure one is of him, when he asks, whether he reads what is personal, whether he
-- works on what is his alone. In a policy each stands in a sub-select of its own, so that it is asked once a statement and not for every row.
-- Invariant: each answers from what the transaction has set and from the rows of the caller's own company, and says nothing else of them.

create or replace function app.assurance_level() returns integer
  language sql stable parallel safe
  return case auth.jwt() ->> 'aal' when 'aal3' then 3 when 'aal2' then 2 when 'aal1' then 1 else 0 end;
comment on function app.assurance_level() is
  '2 when the session proved a second factor that still counts, 1 when it did not, 0 for whoever has no session: (select app.assurance_level()) >= 2.';

-- The level is the session's row; when a factor was proved stands in the token, which is written anew whenever one is.
create or replace function app.second_factor_age() returns interval
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_claims constant jsonb := auth.jwt();
begin
  if app.assurance_level() < 2 or jsonb_typeof(v_claims -> 'amr') is distinct from 'array' then
    return null;
  end if;
  return (select now() - to_timestamp(max((m.entry ->> 'timestamp')::double precision))
            from jsonb_array_elements(v_claims -> 'amr') m (entry)
           where jsonb_typeof(m.entry -> 'timestamp') = 'number'
             and (m.entry ->> 'method' in ('totp', 'phone', 'webauthn') or m.entry ->> 'method' like 'mfa/%'));
end $$;
comment on function app.second_factor_age() is
  'How long ago the session proved a second factor; null when none counts: coalesce((select app.second_factor_age()) < interval ''15 minutes'', false).';

-- Of one day: whether it is open at an hour of its own, or of the night that it runs into.
create or replace function app.is_open_on(p_hours jsonb, p_day date, p_at timestamp) returns boolean
  language plpgsql immutable
  set search_path = ''
as $$
declare
  v_day    constant jsonb := p_hours -> (array['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'])[extract(isodow from p_day)];
  v_shape  constant text := '^([01]?[0-9]|2[0-3]):[0-5][0-9]$';
  v_opens  time;
  v_closes time;
begin
  if not coalesce(v_day ->> 'open' ~ v_shape and (v_day ->> 'close' ~ v_shape or v_day ->> 'close' = '24:00')
                  and coalesce(v_day ->> 'closed', 'false') <> 'true', false) then
    return false;
  end if;
  v_opens := (v_day ->> 'open')::time;
  v_closes := (v_day ->> 'close')::time;
  return p_at >= p_day + v_opens
     and p_at < p_day + v_closes + case when v_closes <= v_opens then interval '1 day' else interval '0' end;
end $$;

create or replace function app.is_open_at(p_at timestamptz) returns boolean
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  v_hours jsonb;
  v_local timestamp;
  v_day   date;
begin
  select s.hours_of_operation, p_at at time zone c.business_timezone into v_hours, v_local
    from public.companies c join public.company_settings s on s.company_id = c.id
   where c.id = app.company_id();
  if not found then
    return false;
  end if;
  -- The evening of the day before may reach into this one.
  for v_day in values (v_local::date), (v_local::date - 1) loop
    if app.is_open_on(v_hours, v_day, v_local)
       and not exists (select from public.company_holidays h
                        where h.company_id = app.company_id() and not h.is_working_day
                          and (h.holiday_date = v_day
                               or h.is_recurring and to_char(h.holiday_date, 'MMDD') = to_char(v_day, 'MMDD'))) then
      return true;
    end if;
  end loop;
  return false;
end $$;
comment on function app.is_open_at(timestamptz) is
  'Whether the caller''s company is open at a moment: in its time zone, by company_settings.hours_of_operation, but for company_holidays. No where no hours are known.';
alter function app.is_open_at(timestamptz) owner to app_definer;

create or replace function app.is_business_hours() returns boolean
  language sql stable
  set search_path = ''
as $$ select app.is_open_at(now()) $$;
comment on function app.is_business_hours() is 'Whether the caller''s company is open now: (select app.is_business_hours()).';

create or replace function app.has_pii_access() returns boolean
  language sql stable parallel safe
  return app.has_permission('pii:read');
comment on function app.has_pii_access() is
  'Whether the caller reads what is marked as personal: (select app.has_pii_access()) or not (settings ? ''pii_restricted'').';

create or replace function app.is_assigned_only(p_permission text) returns boolean
  language sql stable parallel safe
  return not app.has_permission(p_permission) and app.has_permission(p_permission || '_assigned');
comment on function app.is_assigned_only(text) is
  'Whether the caller may only with what is assigned to him: not (select app.is_assigned_only(''jobs:read'')) or assigned_to = (select auth.uid()).';

revoke all on function app.assurance_level(), app.second_factor_age(), app.is_open_on(jsonb, date, timestamp), app.is_open_at(timestamptz),
  app.is_business_hours(), app.has_pii_access(), app.is_assigned_only(text) from public;
grant execute on function app.is_open_on(jsonb, date, timestamp) to app_definer;
grant execute on function app.assurance_level(), app.second_factor_age(), app.is_open_at(timestamptz), app.is_business_hours(),
  app.has_pii_access(), app.is_assigned_only(text) to anon, authenticated, service_role, app_definer;
