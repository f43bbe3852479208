-- Operations that a function of SQL is: they meet the rates of their class, as requests do that the server knows to be one.
-- Invariants: who is counted is who asks, which the transaction says and no argument; what is refused, or rolled back, costs nothing.
--
-- A count is of its transaction and stays locked until that ends. So that somebody's requests do not queue behind his slowest one, transactions
-- that are open at the same time count in parts of their own, 16 at most: vector_search, vector_search#1 and so on. Whoever finds parts before
-- his taken counts one for each of them, since what they count is not to be seen yet; the 17th waits for one of the others.

create or replace function app.check_rate(p_operation text, p_cost integer default 1) returns integer
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_company constant uuid := app.company_id();
  v_who     constant text := auth.uid()::text;
  v_window  constant timestamptz := date_trunc('minute', clock_timestamp());
  v_most    integer;
  v_shadow  boolean;
  v_parts   constant integer := 16;
  v_part    integer := 0;
  v_count   integer;
  v_wait    integer;
begin
  if p_operation is null or p_operation not in ('ai_agent_execution', 'report_generation', 'vector_search', 'export')
     or coalesce(p_cost not between 1 and 1000, true) then
    raise exception using errcode = 'TH422', constraint = 'rate_limit_invalid', message = 'There is no such operation, or it costs too much.',
      hint = 'One of ai_agent_execution, report_generation, vector_search and export; it costs 1 to 1000.';
  end if;
  -- The service is without a limit; whoever has no name is counted by the server, by his address.
  if v_who is null or auth.role() = 'service_role' then
    return null;
  end if;
  select l.minute_max, coalesce(l.shadow, s.mode = 'shadow' or p_operation = any (s.shadow)) into v_most, v_shadow
    from app.rate_limit_state s cross join lateral (
          select r.minute_max, r.is_shadow as shadow, case when r.company_id is not null then 0 when r.tier is not null then 1 else 2 end as distance
            from app.rate_limit_rules r
            left join public.companies c on c.id = v_company
           where r.class = p_operation and r.counted = 'caller'
             and (r.company_id = v_company or r.tier = app.current_tier(c.subscription_tier, c.writes_until)
                  or r.company_id is null and r.tier is null)
          union all
          select nullif((s.configured ->> p_operation)::integer, 0), null, 3) l
   where s.mode <> 'off'
   order by l.distance limit 1;
  if v_most is null then
    return null;
  end if;
  v_wait := ceil(extract(epoch from v_window + interval '1 minute' - clock_timestamp()));
  while v_part < v_parts and not pg_try_advisory_xact_lock(hashtextextended(concat_ws(' ', 'rate', v_who, p_operation, v_part), 0)) loop
    v_part := v_part + 1;
  end loop;
  if v_part = v_parts then
    v_part := (hashtextextended(pg_current_xact_id()::text, 0) & 15)::integer;
    perform pg_advisory_xact_lock(hashtextextended(concat_ws(' ', 'rate', v_who, p_operation, v_part), 0));
    v_count := v_parts - 1;
  else
    v_count := v_part;
  end if;
  insert into public.api_rate_limits as l (company_id, identifier_type, identifier_value, endpoint, request_count, window_start, window_end,
                                           window_size, rate_limit, is_blocked, blocked_until)
  values (v_company, 'user', v_who, p_operation || case when v_part > 0 then '#' || v_part else '' end, p_cost, v_window,
          v_window + interval '1 minute', interval '1 minute', v_most, false, null)
  on conflict (identifier_type, identifier_value, endpoint, window_start) do update
     set request_count = least(l.request_count::bigint + excluded.request_count, 2147483647)::integer, rate_limit = excluded.rate_limit, updated_at = now();
  select least(v_count + sum(l.request_count), 2147483647)::integer into v_count
    from public.api_rate_limits l
   where l.identifier_type = 'user' and l.identifier_value = v_who and l.window_start = v_window
     and l.endpoint = any (array(select p_operation || case when p > 0 then '#' || p else '' end from generate_series(0, v_parts - 1) p));
  if v_count > v_most and not coalesce(v_shadow, false) then
    raise exception using errcode = 'TH429', constraint = 'RATE_LIMIT_EXCEEDED',
      message = format('Rate limit exceeded. Try again in %s seconds.', greatest(v_wait, 1)),
      detail = jsonb_build_object('limit', p_operation, 'counted', 'caller', 'minute_max', v_most, 'retry_after_seconds', greatest(v_wait, 1))::text;
  end if;
  return greatest(v_most - v_count, 0);
end $$;
comment on function app.check_rate(text, integer) is
  'Counts an operation of whoever asks, in the minute that runs, and refuses it with RATE_LIMIT_EXCEEDED where that is too much. Returns how many are left; null without a limit.';
alter function app.check_rate(text, integer) owner to app_definer;
revoke all on function app.check_rate(text, integer) from public;
grant execute on function app.check_rate(text, integer) to authenticated, service_role;
