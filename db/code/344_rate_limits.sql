-- How often may be asked: rates that are set at run time, and counters by a key of the caller's own.
-- Invariants: whatever changes a rule changes the version in the same transaction, so that a server that reads the rules with it has all of
-- them; a program that works in a company sets and counts that company's alone.

revoke all on app.rate_limit_rules, app.rate_limit_state from public, anon, authenticated, service_role;

create or replace function app.rate_limits_changed() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  update app.rate_limit_state s set version = s.version + 1, updated_at = now();
  return null;
end $$;
alter function app.rate_limits_changed() owner to app_definer;
revoke all on function app.rate_limits_changed() from public;
-- Of each row: a company that goes and has no rules holds up nobody.
create or replace trigger rate_limits_changed after insert or update or delete on app.rate_limit_rules
  for each row execute function app.rate_limits_changed();

-- What servers ask for again and again: the rules if they are others than those of a version, and tiers of companies.
create or replace function app.read_rate_limits(p_version bigint, p_companies uuid[]) returns jsonb
  language sql stable security definer
  set search_path = ''
as $$
  select jsonb_build_object(
           'version', s.version,
           'rules', case when s.version <> p_version then coalesce(
             (select jsonb_agg(jsonb_build_object('class', r.class, 'counted', r.counted, 'company_id', r.company_id, 'tier', r.tier,
                                                  'minute_max', r.minute_max, 'burst_max', r.burst_max, 'is_shadow', r.is_shadow))
                from app.rate_limit_rules r), '[]') end,
           'tiers', coalesce(
             (select jsonb_agg(jsonb_build_object('company_id', c.id, 'tier', c.subscription_tier, 'until', c.writes_until))
                from public.companies c where c.id = any (p_companies)), '[]'))
    from app.rate_limit_state s
$$;
alter function app.read_rate_limits(bigint, uuid[]) owner to app_definer;
revoke all on function app.read_rate_limits(bigint, uuid[]) from public;
grant execute on function app.read_rate_limits(bigint, uuid[]) to service_role;

-- Called by the server with its settings when it starts. Writes only what differs.
drop function if exists app.declare_rate_limits(jsonb);
create or replace function app.declare_rate_limits(p_configured jsonb, p_mode text, p_shadow text[]) returns void
  language sql volatile security definer
  set search_path = ''
as $$
  update app.rate_limit_state s set configured = p_configured, mode = p_mode, shadow = p_shadow, updated_at = now()
   where (s.configured, s.mode, s.shadow) is distinct from (p_configured, p_mode, p_shadow)
$$;
alter function app.declare_rate_limits(jsonb, text, text[]) owner to app_definer;
revoke all on function app.declare_rate_limits(jsonb, text, text[]) from public;
grant execute on function app.declare_rate_limits(jsonb, text, text[]) to service_role;

-- A program that works in a company speaks of that one, and of no tier.
create or replace function app.check_rate_limit_reach(p_company_id uuid, p_tier text) returns void
  language plpgsql stable
  set search_path = ''
as $$
begin
  if app.company_id() is not null and app.company_id() is distinct from p_company_id then
    raise exception using errcode = 'TH403', constraint = 'rate_limit_not_yours',
      message = 'Who works in a company sets the rates of that company.',
      hint = 'Leave X-Company-Id away to set those of tiers and of everybody.';
  end if;
  if p_company_id is not null and p_tier is not null then
    raise exception using errcode = 'TH422', constraint = 'rate_limit_invalid', message = 'A rate is a company''s or a tier''s, not both.';
  end if;
end $$;
revoke all on function app.check_rate_limit_reach(uuid, text) from public;
grant execute on function app.check_rate_limit_reach(uuid, text) to app_definer;

create or replace function public.set_rate_limit(class text, minute_max integer, company_id uuid default null, tier text default null,
                                                 counted text default 'caller', burst_max integer default null, shadow boolean default null)
  returns jsonb
  language plpgsql volatile security definer
  set search_path = ''
as $$
#variable_conflict use_variable
declare
  v_rule app.rate_limit_rules;
begin
  perform app.check_rate_limit_reach(company_id, tier);
  insert into app.rate_limit_rules as r (class, counted, company_id, tier, minute_max, burst_max, is_shadow)
  values (class, counted, company_id, tier, minute_max, burst_max, shadow)
  on conflict on constraint rate_limit_rules_class_counted_company_id_tier_key do update
     set minute_max = excluded.minute_max, burst_max = excluded.burst_max, is_shadow = excluded.is_shadow, updated_at = now()
  returning * into v_rule;
  return to_jsonb(v_rule) - 'id';
exception
  when check_violation or foreign_key_violation or not_null_violation then
    raise exception using errcode = 'TH422', constraint = 'rate_limit_invalid', message = 'This rate cannot be set.',
      hint = 'class is one of read, write, public, strict, ai_agent_execution, report_generation, vector_search, export, service; counted is '
             || 'caller or company; minute_max and burst_max are 1 to 1000000, minute_max null for no limit; company and tier are there.';
end $$;
comment on function public.set_rate_limit(text, integer, uuid, text, text, integer, boolean) is
  'Sets how often may be asked in a minute, by a company, by companies of a tier, or by everybody. Holds at every server within a second.';
alter function public.set_rate_limit(text, integer, uuid, text, text, integer, boolean) owner to app_definer;
revoke all on function public.set_rate_limit(text, integer, uuid, text, text, integer, boolean) from public;
grant execute on function public.set_rate_limit(text, integer, uuid, text, text, integer, boolean) to service_role;

create or replace function public.remove_rate_limit(class text, company_id uuid default null, tier text default null, counted text default 'caller')
  returns boolean
  language plpgsql volatile security definer
  set search_path = ''
as $$
#variable_conflict use_variable
begin
  perform app.check_rate_limit_reach(company_id, tier);
  delete from app.rate_limit_rules r
   where (r.class, r.counted) = (class, counted) and r.company_id is not distinct from company_id and r.tier is not distinct from tier;
  return found;
end $$;
comment on function public.remove_rate_limit(text, uuid, text, text) is 'Takes a rate back that was set; tells whether there was one.';
alter function public.remove_rate_limit(text, uuid, text, text) owner to app_definer;
revoke all on function public.remove_rate_limit(text, uuid, text, text) from public;
grant execute on function public.remove_rate_limit(text, uuid, text, text) to service_role;

-- Seen by whoever pays for it: for each class what counts, nearest first.
create or replace function public.company_rate_limits()
  returns table (class text, counted text, minute_max integer, burst_max integer, shadow boolean, said_for text)
  language plpgsql stable security definer
  set search_path = ''
as $$
#variable_conflict use_column
declare
  v_company constant uuid := app.company_id();
begin
  if v_company is null then
    raise exception using errcode = 'TH403', constraint = 'company_required', message = 'No company is chosen.';
  end if;
  if not (app.has_permission('billing:manage') or current_setting('role') = 'service_role') then
    raise exception using errcode = 'TH403', constraint = 'permission_denied', message = 'You need the permission billing:manage.';
  end if;
  return query
    select distinct on (l.class, l.counted) l.class, l.counted, l.minute_max, l.burst_max, l.shadow, l.said_for
      from (select r.class, r.counted, r.minute_max, r.burst_max, r.is_shadow,
                   case when r.company_id is not null then 'company' when r.tier is not null then 'tier' else 'everybody' end,
                   case when r.company_id is not null then 0 when r.tier is not null then 1 else 2 end
              from app.rate_limit_rules r, public.companies c
             where c.id = v_company and (r.company_id = c.id or r.tier = app.current_tier(c.subscription_tier, c.writes_until)
                                         or r.company_id is null and r.tier is null)
            union all
            select e.key, 'caller', nullif(e.value::integer, 0), null, null, 'configuration', 3
              from app.rate_limit_state s, jsonb_each_text(s.configured) e) l (class, counted, minute_max, burst_max, shadow, said_for, distance)
     order by l.class, l.counted, l.distance;
end $$;
comment on function public.company_rate_limits() is
  'How often may be asked in a minute, by class, and for whom that was said: company, tier, everybody or configuration. Needs billing:manage; null is without a limit.';
alter function public.company_rate_limits() owner to app_definer;
revoke all on function public.company_rate_limits() from public;
grant execute on function public.company_rate_limits() to authenticated, service_role;

-- Counters by a key ---------------------------------------------------------------------------------

-- A program counts what it likes by a key of its own, in windows of a minute: one statement, so that of two at once both count.
create or replace function public.increment_rate_limit(key text, amount integer default 1, rate_limit integer default 100) returns integer
  language plpgsql volatile security definer
  set search_path = ''
as $$
#variable_conflict use_variable
declare
  v_start constant timestamptz := date_trunc('minute', clock_timestamp());
  v_count integer;
begin
  if coalesce(length(key) not between 1 and 255 or amount not between 1 and 1000000 or rate_limit not between 1 and 1000000, true) then
    raise exception using errcode = 'TH422', constraint = 'rate_limit_invalid',
      message = 'A key has 1 to 255 characters; amount and rate_limit are 1 to 1000000.';
  end if;
  insert into public.api_rate_limits as l (company_id, identifier_type, identifier_value, endpoint, request_count, window_start, window_end,
                                           window_size, rate_limit, is_blocked, blocked_until)
  values (app.company_id(), 'key', key, coalesce(app.company_id()::text, '*'), amount, v_start, v_start + interval '1 minute',
          interval '1 minute', rate_limit, amount > rate_limit, case when amount > rate_limit then v_start + interval '1 minute' end)
  on conflict (identifier_type, identifier_value, endpoint, window_start) do update
     set request_count = least(l.request_count::bigint + excluded.request_count, 2147483647)::integer, rate_limit = excluded.rate_limit,
         is_blocked = l.request_count::bigint + excluded.request_count > excluded.rate_limit,
         blocked_until = case when l.request_count::bigint + excluded.request_count > excluded.rate_limit then l.window_end end, updated_at = now()
  returning l.request_count into v_count;
  return v_count;
end $$;
comment on function public.increment_rate_limit(text, integer, integer) is
  'Counts by a key of the caller''s own within a minute, and returns how many there are now. rate_limits shows them.';
alter function public.increment_rate_limit(text, integer, integer) owner to app_definer;
revoke all on function public.increment_rate_limit(text, integer, integer) from public;
grant execute on function public.increment_rate_limit(text, integer, integer) to service_role;

-- What is over since a day says nothing any more, whoever counted it.
create or replace function app.expire_rate_limits(p_limit integer) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_count bigint;
begin
  delete from public.api_rate_limits l
   where l.ctid = any (array(select o.ctid from public.api_rate_limits o
                              where o.window_end < now() - interval '1 day' order by o.window_end limit p_limit for update skip locked));
  get diagnostics v_count = row_count;
  return v_count;
end $$;
alter function app.expire_rate_limits(integer) owner to app_definer;
revoke all on function app.expire_rate_limits(integer) from public;

drop view if exists public.rate_limits;
create view public.rate_limits with (security_invoker = true) as
select l.identifier_value as key, l.request_count as count, l.rate_limit, l.is_blocked, l.window_start, l.window_end as reset_at
  from public.api_rate_limits l
 where l.identifier_type = 'key' and l.window_end > now() and l.endpoint = coalesce((select app.company_id())::text, '*');
comment on view public.rate_limits is 'What increment_rate_limit counted in the minute that is running, a row for each key.';
revoke all on public.rate_limits from public, anon, authenticated, service_role;
grant select on public.rate_limits to service_role;
