-- Operations that a function of SQL is: they meet the rates of their class, as requests do that the server knows to be one.
-- Invariants: who is counted is who asks, which the transaction says and no argument; what is refused, or rolled back, costs nothing.
--
-- A count is of its transaction and stays locked until that ends. So that somebody's requests do not queue behind his slowest one, transactions
-- that are open at the same time count in parts of their own, 16 at most: vector_search, vector_search#1 and so on; the 17th waits for one of the
-- others. What an open one counts is not to be seen in its row yet, so that it stands in a lock besides: its class is whose minute it is, its
-- object the cost. Whoever decides holds the gate of that minute, for as long as he looks and no longer, so that two at once do not both take the
-- last place.

-- What other open transactions of somebody's minute cost together.
create or replace function app.open_rate_cost(p_minute integer) returns bigint
  language sql volatile
  set search_path = ''
as $$
  select coalesce(sum(o.cost), 0)::bigint
    from (select max(l.objid::bigint) as cost from pg_catalog.pg_locks l
           where l.locktype = 'advisory' and l.objsubid = 2 and l.granted and l.pid <> pg_backend_pid()
             and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
             and l.classid::bigint = (p_minute::bigint & 4294967295)
           group by l.pid) o
$$;
revoke all on function app.open_rate_cost(integer) from public;
grant execute on function app.open_rate_cost(integer) to app_definer;

-- Decides under the gate whether so much may still be counted, and says in a lock that it will be. Returns how much is counted with it, more
-- than may be where it is refused: then nothing is locked.
create or replace function app.take_rate(p_who text, p_operation text, p_window timestamptz, p_cost integer, p_most bigint) returns bigint
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_minute constant integer := hashtext(concat_ws(' ', 'rate', p_who, p_operation, p_window));
  v_gate   constant bigint := hashtextextended(concat_ws(' ', 'rate gate', p_who, p_operation), 0);
  v_own    bigint;
  v_held   bigint;
  v_open   bigint;
  v_count  bigint;
begin
  begin
    perform pg_advisory_lock(v_gate);
    select coalesce(max(l.objid::bigint), 0), count(*) into v_own, v_held from pg_catalog.pg_locks l
     where l.locktype = 'advisory' and l.objsubid = 2 and l.pid = pg_backend_pid() and l.classid::bigint = (v_minute::bigint & 4294967295);
    -- Each is a lock until the transaction ends, and the places of locks are everybody's.
    if v_held >= 64 then
      raise exception using errcode = 'TH422', constraint = 'operation_calls_too_many',
        message = format('Within one transaction the operation %s is counted at most 64 times.', left(p_operation, 80)),
        hint = 'Say what they cost together: p_cost of app.check_rate.';
    end if;
    -- One that ends in between is counted twice, as open and as ended: then it is looked again.
    for v_look in 1 .. 3 loop
      v_open := app.open_rate_cost(v_minute);
      select v_open + p_cost + coalesce(sum(l.request_count), 0) into v_count from public.api_rate_limits l
       where l.identifier_type = 'user' and l.identifier_value = p_who and l.window_start = p_window
         and l.endpoint = any (array(select p_operation || case when p > 0 then '#' || p else '' end from generate_series(0, 15) p));
      exit when v_count <= p_most or v_open = 0;
      perform pg_sleep(0.002);
    end loop;
    if v_count <= p_most then
      perform pg_advisory_xact_lock_shared(v_minute, least(v_own + p_cost, 2147483647)::integer);
    end if;
    perform pg_advisory_unlock(v_gate);
  exception when query_canceled or others then
    -- The gate is of the session and no transaction's.
    perform pg_advisory_unlock(v_gate);
    raise;
  end;
  return v_count;
end $$;
revoke all on function app.take_rate(text, text, timestamptz, integer, bigint) from public;
grant execute on function app.take_rate(text, text, timestamptz, integer, bigint) to app_definer;

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
  v_count   bigint;
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
  end if;
  v_count := app.take_rate(v_who, p_operation, v_window, p_cost, case when coalesce(v_shadow, false) then 9223372036854775807 else v_most end);
  if v_count > v_most and not coalesce(v_shadow, false) then
    raise exception using errcode = 'TH429', constraint = 'RATE_LIMIT_EXCEEDED',
      message = format('Rate limit exceeded. Try again in %s seconds.', greatest(v_wait, 1)),
      detail = jsonb_build_object('limit', p_operation, 'counted', 'caller', 'minute_max', v_most, 'retry_after_seconds', greatest(v_wait, 1))::text;
  end if;
  insert into public.api_rate_limits as l (company_id, identifier_type, identifier_value, endpoint, request_count, window_start, window_end,
                                           window_size, rate_limit, is_blocked, blocked_until)
  values (v_company, 'user', v_who, p_operation || case when v_part > 0 then '#' || v_part else '' end, p_cost, v_window,
          v_window + interval '1 minute', interval '1 minute', v_most, false, null)
  on conflict (identifier_type, identifier_value, endpoint, window_start) do update
     set request_count = least(l.request_count::bigint + excluded.request_count, 2147483647)::integer, rate_limit = excluded.rate_limit, updated_at = now();
  return greatest(v_most - v_count, 0)::integer;
end $$;
comment on function app.check_rate(text, integer) is
  'Counts an operation of whoever asks, in the minute that runs, and refuses it with RATE_LIMIT_EXCEEDED where that is too much. Returns how many are left; null without a limit.';
alter function app.check_rate(text, integer) owner to app_definer;
revoke all on function app.check_rate(text, integer) from public;
grant execute on function app.check_rate(text, integer) to authenticated, service_role;
