-- Deliveries of webhooks: made of events, taken by a server, settled.
-- Invariants: an event becomes one delivery for each webhook that asks for it; a delivery is settled once, by whoever took it last; what a
-- webhook wants in order is tried in order.

-- Makes deliveries of the events that are committed; returns how many events there were. One server at a time: what follows each other
-- keeps its order.
create or replace function app.fan_out_events(p_now timestamptz, p_limit integer) returns integer
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_count integer;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('app.fan_out_events', 0)) then
    return 0;
  end if;
  with untold as (
    select e.company_id, e.id, e.number, e.names, e.row_id, e.payload, e.created_at
      from app.events e where e.told_at is null order by e.number limit p_limit for update
  ), told as (
    update app.events e set told_at = p_now from untold u where e.company_id = u.company_id and e.id = u.id
  )
  select count(app.deliver_event(u.company_id, u.id, u.number, u.names, u.row_id, u.payload, u.created_at, null, p_now)) into v_count
    from (select * from untold order by number) u;
  return v_count;
end $$;
alter function app.fan_out_events(timestamptz, integer) owner to app_definer;
revoke all on function app.fan_out_events(timestamptz, integer) from public;
grant execute on function app.fan_out_events(timestamptz, integer) to service_role;

-- Makes the deliveries of one event, for all webhooks that ask for it or for one; returns how many. It is called by the first of its
-- names that the webhook asks for.
create or replace function app.deliver_event(p_company_id uuid, p_event_id uuid, p_number bigint, p_names text[], p_row_id uuid, p_payload jsonb,
                                             p_at timestamptz, p_webhook_id uuid, p_now timestamptz) returns integer
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_webhook record;
  v_count   integer := 0;
begin
  for v_webhook in
    select w.id, w.is_ordered, n.name
      from public.webhooks w
      cross join lateral (
        select n.name from unnest(p_names) with ordinality n (name, place)
         where w.events && array[n.name, split_part(n.name, '.', 1) || '.*', '*'] order by n.place limit 1) n
     where w.company_id = p_company_id and w.id = coalesce(p_webhook_id, w.id) and w.is_active and w.url is not null
       and exists (select from app.webhook_secrets s where s.company_id = w.company_id and s.webhook_id = w.id and s.sort = 'signing')
       -- Nobody hears of a company that is deleted: how its rows go is not what happens to them.
       and exists (select from public.companies c where c.id = w.company_id and c.deleted_at is null)
  loop
    perform app.put_delivery(p_company_id, v_webhook.id, p_event_id, v_webhook.name,
                             jsonb_build_object('type', v_webhook.name, 'timestamp', p_at, 'company_id', p_company_id) || p_payload,
                             case when v_webhook.is_ordered then p_row_id end, p_number, p_now);
    v_count := v_count + 1;
  end loop;
  return v_count;
end $$;
revoke all on function app.deliver_event(uuid, uuid, bigint, text[], uuid, jsonb, timestamptz, uuid, timestamptz) from public;
grant execute on function app.deliver_event(uuid, uuid, bigint, text[], uuid, jsonb, timestamptz, uuid, timestamptz) to app_definer;

create or replace function app.put_delivery(p_company_id uuid, p_webhook_id uuid, p_event_id uuid, p_type text, p_payload jsonb, p_order_key uuid,
                                            p_number bigint, p_now timestamptz) returns uuid
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_id constant uuid := app.uuid_v7();
begin
  insert into public.webhook_logs (company_id, id, webhook_id, event_type, event_id, payload)
  -- What is too large for a receiver is told without the row: he can read it.
  values (p_company_id, v_id, p_webhook_id, p_type, p_event_id,
          case when length(p_payload::text) <= 20000 then p_payload
               else (p_payload - 'previous') || jsonb_build_object('data', jsonb_build_object('id', p_payload #> '{data,id}'), 'is_cut', true) end);
  insert into app.webhook_deliveries (company_id, id, webhook_id, number, order_key, due_at)
  values (p_company_id, v_id, p_webhook_id, p_number, p_order_key, p_now);
  return v_id;
end $$;
revoke all on function app.put_delivery(uuid, uuid, uuid, text, jsonb, uuid, bigint, timestamptz) from public;
grant execute on function app.put_delivery(uuid, uuid, uuid, text, jsonb, uuid, bigint, timestamptz) to app_definer;

-- Takes what is due: of one webhook so many at a time, and one that tries first where the others were held back. Companies take turns, and
-- within a company its webhooks, however much waits for one of them; and no company has more than half of the places, whatever it waits for.
create or replace function app.take_webhook_deliveries(p_now timestamptz, p_lease_seconds integer, p_limit integer, p_per_webhook integer,
                                                       p_failures_max integer)
  returns table (company_id uuid, id uuid, webhook_id uuid, attempts integer, url text, timeout_seconds integer, retry_policy jsonb,
                 body text, event_type text, signing jsonb, headers jsonb)
  language plpgsql volatile security definer
  set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
  -- Webhooks for which something waits, one after the other by the index.
  with recursive waiting as (
    (select d.company_id, d.webhook_id from app.webhook_deliveries d order by d.company_id, d.webhook_id limit 1)
    union all
    select n.company_id, n.webhook_id
      from waiting w cross join lateral (
        select d.company_id, d.webhook_id from app.webhook_deliveries d
         where (d.company_id, d.webhook_id) > (w.company_id, w.webhook_id) order by d.company_id, d.webhook_id limit 1) n
  ), open as (
    select t.company_id, t.webhook_id, b.taken,
           case when w.id is null or s.closed_until > p_now then 0
                else case when s.failures >= p_failures_max then 1 else p_per_webhook end - b.taken end as room
      from waiting t
     cross join lateral (select count(*) as taken from app.webhook_deliveries b
                          where b.company_id = t.company_id and b.webhook_id = t.webhook_id and b.taken_until > p_now) b
      left join public.webhooks w on w.company_id = t.company_id and w.id = t.webhook_id and w.is_active and w.url is not null
      left join app.webhook_states s on s.company_id = t.company_id and s.webhook_id = t.webhook_id
  ), halves as (
    -- The places are those that are free and those that are taken.
    select s.company_id, ceil((p_limit + sum(s.taken) over ()) / 2) - s.taken as room
      from (select o.company_id, sum(o.taken) as taken from open o group by o.company_id) s
  ), due as (
    select o.company_id, f.id, f.due_at, row_number() over (partition by o.company_id order by f.place, f.due_at, f.id) as turn
      from open o cross join lateral (
        select d.id, d.due_at, row_number() over (order by d.due_at, d.id) as place
          from app.webhook_deliveries d
         where d.company_id = o.company_id and d.webhook_id = o.webhook_id
           and d.due_at <= p_now and coalesce(d.taken_until <= p_now, true)
           and (d.order_key is null
                or not exists (select from app.webhook_deliveries e
                                where e.company_id = d.company_id and e.webhook_id = d.webhook_id and e.order_key = d.order_key
                                  and (e.number, e.id) < (d.number, d.id)))
         order by d.due_at, d.id limit greatest(o.room, 0)) f
  ), mine as (
    select d.company_id, d.id from app.webhook_deliveries d join due f on f.company_id = d.company_id and f.id = d.id
      join halves h on h.company_id = f.company_id and f.turn <= h.room
     where d.due_at <= p_now and coalesce(d.taken_until <= p_now, true)
     order by f.turn, f.due_at limit p_limit for update of d skip locked
  ), taken as (
    update app.webhook_deliveries d
       set attempts = d.attempts + 1, taken_until = p_now + make_interval(secs => p_lease_seconds)
      from mine m where d.company_id = m.company_id and d.id = m.id
    returning d.*
  )
  select t.company_id, t.id, t.webhook_id, t.attempts, w.url, w.timeout_seconds, w.retry_policy, l.payload::text, l.event_type,
         (select jsonb_agg(jsonb_build_object('id', s.id, 'secret', s.secret) order by s.created_at desc, s.id) from app.webhook_secrets s
           where s.company_id = t.company_id and s.webhook_id = t.webhook_id and s.sort = 'signing'
             and coalesce(s.expires_at > p_now, true)),
         (select jsonb_build_object('id', s.id, 'secret', s.secret) from app.webhook_secrets s
           where s.company_id = t.company_id and s.webhook_id = t.webhook_id and s.sort = 'headers')
    from taken t
    join public.webhooks w on w.company_id = t.company_id and w.id = t.webhook_id
    join public.webhook_logs l on l.company_id = t.company_id and l.id = t.id;
end $$;
alter function app.take_webhook_deliveries(timestamptz, integer, integer, integer, integer) owner to app_definer;
revoke all on function app.take_webhook_deliveries(timestamptz, integer, integer, integer, integer) from public;
grant execute on function app.take_webhook_deliveries(timestamptz, integer, integer, integer, integer) to service_role;

-- Writes down how an attempt ended. p_attempt: {status: sent|retrying|failed, http_status_code, response_body, response_time_ms, error,
-- next_at, is_gone}. Answers what follows of it: settled, disabled, or nothing where another attempt took its place.
create or replace function app.settle_webhook_delivery(p_company_id uuid, p_id uuid, p_number integer, p_attempt jsonb, p_now timestamptz,
                                                       p_failing_days integer, p_failures_max integer, p_pause_seconds integer) returns text
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_delivery app.webhook_deliveries;
  v_state    app.webhook_states;
  v_is_sent  constant boolean := p_attempt ->> 'status' = 'sent';
  v_reason   text;
begin
  select d.* into v_delivery from app.webhook_deliveries d
   where d.company_id = p_company_id and d.id = p_id and d.attempts = p_number for update;
  if not found then
    return null;
  end if;
  update public.webhook_logs l
     set status = p_attempt ->> 'status', http_status_code = (p_attempt ->> 'http_status_code')::integer,
         response_body = left(p_attempt ->> 'response_body', 20000), response_time_ms = (p_attempt ->> 'response_time_ms')::integer,
         retry_count = p_number - 1, next_retry_at = (p_attempt ->> 'next_at')::timestamptz,
         error_message = left(p_attempt ->> 'error', 4000), sent_at = case when v_is_sent then p_now end,
         attempts = l.attempts || jsonb_build_array(jsonb_strip_nulls(
           (p_attempt - '{next_at,is_gone,status}'::text[])
           || jsonb_build_object('at', p_now, 'response_body', left(p_attempt ->> 'response_body', 2000))))
   where l.company_id = p_company_id and l.id = p_id;
  if p_attempt ->> 'status' = 'retrying' then
    update app.webhook_deliveries d set due_at = (p_attempt ->> 'next_at')::timestamptz, taken_until = null
     where d.company_id = p_company_id and d.id = p_id;
  else
    delete from app.webhook_deliveries d where d.company_id = p_company_id and d.id = p_id;
  end if;
  insert into app.webhook_states as s (company_id, webhook_id, success_count, failure_count, last_triggered_at, failures, failing_since,
                                       shown_at)
  values (p_company_id, v_delivery.webhook_id, v_is_sent::integer, (not v_is_sent)::integer, p_now, (not v_is_sent)::integer,
          case when not v_is_sent then p_now end, p_now)
  on conflict (company_id, webhook_id) do update
     set success_count = s.success_count + excluded.success_count, failure_count = s.failure_count + excluded.failure_count,
         last_triggered_at = p_now, failures = case when v_is_sent then 0 else s.failures + 1 end,
         failing_since = case when not v_is_sent then coalesce(s.failing_since, p_now) end,
         shown_at = case when s.shown_at > p_now - interval '1 minute' then s.shown_at else p_now end
  returning * into v_state;
  -- Whoever always fails is left alone, longer and longer.
  update app.webhook_states s
     set closed_until = case when v_state.failures >= p_failures_max
                             then p_now + make_interval(secs => least(3600, p_pause_seconds * 2 ^ least(v_state.failures - p_failures_max, 16))) end
   where s.company_id = p_company_id and s.webhook_id = v_delivery.webhook_id
     and (s.closed_until is not null or v_state.failures >= p_failures_max);
  v_reason := case
    when (p_attempt ->> 'is_gone')::boolean then 'The receiver answered 410: it wants no more.'
    when v_state.failing_since <= p_now - make_interval(days => p_failing_days)
      then format('Every delivery failed since %s.', to_char(v_state.failing_since at time zone 'UTC', 'YYYY-MM-DD HH24:MI')) end;
  if v_reason is null then
    return 'settled';
  end if;
  update public.webhooks w set is_active = false, disabled_reason = v_reason
   where w.company_id = p_company_id and w.id = v_delivery.webhook_id and w.is_active;
  if not found then
    return 'settled';
  end if;
  -- Whoever sets it to work again begins with a clean sheet.
  update app.webhook_states s set failures = 0, failing_since = null, closed_until = null
   where s.company_id = p_company_id and s.webhook_id = v_delivery.webhook_id;
  return 'disabled';
end $$;
alter function app.settle_webhook_delivery(uuid, uuid, integer, jsonb, timestamptz, integer, integer, integer) owner to app_definer;
revoke all on function app.settle_webhook_delivery(uuid, uuid, integer, jsonb, timestamptz, integer, integer, integer) from public;
grant execute on function app.settle_webhook_delivery(uuid, uuid, integer, jsonb, timestamptz, integer, integer, integer) to service_role;

-- Gives up what waits for a webhook that nobody has set to work again.
create or replace function app.give_up_webhook_deliveries(p_now timestamptz, p_days integer, p_limit integer) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_count bigint;
begin
  with old as (
    select d.company_id, d.id from app.webhook_deliveries d
      join public.webhooks w on w.company_id = d.company_id and w.id = d.webhook_id and not w.is_active
     where d.due_at <= p_now - make_interval(days => p_days) and coalesce(d.taken_until <= p_now, true)
     order by d.due_at limit p_limit for update of d skip locked
  ), gone as (
    delete from app.webhook_deliveries d using old where d.company_id = old.company_id and d.id = old.id returning d.company_id, d.id
  )
  update public.webhook_logs l set status = 'failed', next_retry_at = null, error_message = 'The webhook was not at work.'
    from gone where l.company_id = gone.company_id and l.id = gone.id;
  get diagnostics v_count = row_count;
  return v_count;
end $$;
alter function app.give_up_webhook_deliveries(timestamptz, integer, integer) owner to app_definer;
revoke all on function app.give_up_webhook_deliveries(timestamptz, integer, integer) from public;
grant execute on function app.give_up_webhook_deliveries(timestamptz, integer, integer) to service_role;

-- Who is told that a webhook is no longer at work: the company's owners, by mail, since the webhook itself tells nobody any more.
create or replace function app.webhook_owners(p_company_id uuid, p_id uuid) returns table (email text, company text, webhook text, reason text)
  language sql stable security definer
  set search_path = ''
as $$
  select u.email, c.name, w.name, w.disabled_reason
    from public.webhooks w
    join public.companies c on c.id = w.company_id
    join public.team_members m on m.company_id = w.company_id and m.role = 'owner' and m.status = 'active' and m.archived_at is null
    join auth.users u on u.id = m.user_id
   where w.company_id = p_company_id and w.id = p_id and u.email is not null
$$;
alter function app.webhook_owners(uuid, uuid) owner to app_definer;
revoke all on function app.webhook_owners(uuid, uuid) from public;
grant execute on function app.webhook_owners(uuid, uuid) to service_role;

-- By hand: an event that never happened, one delivery again, and everything of a time again.
create or replace function app.test_webhook(p_id uuid, p_now timestamptz) returns uuid
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_webhook constant public.webhooks := app.own_webhook(p_id);
begin
  perform app.check_deliverable(v_webhook);
  return app.put_delivery(v_webhook.company_id, v_webhook.id, null, 'webhook.test',
    jsonb_build_object('type', 'webhook.test', 'timestamp', p_now, 'company_id', v_webhook.company_id,
                       'data', jsonb_build_object('id', v_webhook.id, 'name', v_webhook.name)), null, 0, p_now);
end $$;
alter function app.test_webhook(uuid, timestamptz) owner to app_definer;
revoke all on function app.test_webhook(uuid, timestamptz) from public;
grant execute on function app.test_webhook(uuid, timestamptz) to authenticated, service_role;

create or replace function app.resend_webhook_delivery(p_id uuid, p_delivery_id uuid, p_now timestamptz) returns uuid
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_webhook constant public.webhooks := app.own_webhook(p_id);
begin
  perform app.check_deliverable(v_webhook);
  perform from public.webhook_logs l where l.company_id = v_webhook.company_id and l.id = p_delivery_id and l.webhook_id = v_webhook.id;
  if not found then
    raise exception using errcode = 'TH404', constraint = 'webhook_delivery_not_found', message = 'There is no such delivery of this webhook.';
  end if;
  -- Under the same id, by which a receiver knows what he has already; one that waits goes at once.
  insert into app.webhook_deliveries as d (company_id, id, webhook_id, attempts, due_at)
  select l.company_id, l.id, l.webhook_id, jsonb_array_length(l.attempts), p_now from public.webhook_logs l
   where l.company_id = v_webhook.company_id and l.id = p_delivery_id
  on conflict (company_id, id) do update set due_at = least(d.due_at, p_now);
  update public.webhook_logs l set status = 'retrying', next_retry_at = p_now
   where l.company_id = v_webhook.company_id and l.id = p_delivery_id and l.status <> 'pending';
  return p_delivery_id;
end $$;
alter function app.resend_webhook_delivery(uuid, uuid, timestamptz) owner to app_definer;
revoke all on function app.resend_webhook_delivery(uuid, uuid, timestamptz) from public;
grant execute on function app.resend_webhook_delivery(uuid, uuid, timestamptz) to authenticated, service_role;

create or replace function app.replay_webhook(p_id uuid, p_from timestamptz, p_until timestamptz, p_limit integer, p_now timestamptz) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_webhook constant public.webhooks := app.own_webhook(p_id);
  v_count   bigint;
begin
  perform app.check_deliverable(v_webhook);
  if (select count(*) from (select from app.events e where e.company_id = v_webhook.company_id and e.created_at >= p_from
                               and e.created_at < p_until limit p_limit + 1) n) > p_limit then
    raise exception using errcode = 'TH422', constraint = 'webhook_replay_too_large',
      message = format('More than %s events happened in this time.', p_limit), hint = 'Replay a shorter time.';
  end if;
  select coalesce(sum(app.deliver_event(e.company_id, e.id, e.number, e.names, e.row_id, e.payload, e.created_at, v_webhook.id, p_now)), 0)
    into v_count
    from (select * from app.events e where e.company_id = v_webhook.company_id and e.created_at >= p_from and e.created_at < p_until
           order by e.number) e;
  return v_count;
end $$;
alter function app.replay_webhook(uuid, timestamptz, timestamptz, integer, timestamptz) owner to app_definer;
revoke all on function app.replay_webhook(uuid, timestamptz, timestamptz, integer, timestamptz) from public;
grant execute on function app.replay_webhook(uuid, timestamptz, timestamptz, integer, timestamptz) to authenticated, service_role;

-- One event to one webhook, whether or not it had it before, as long as the webhook asks for it.
create or replace function app.deliver_event_to(p_id uuid, p_event_id uuid, p_now timestamptz) returns uuid
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_webhook constant public.webhooks := app.own_webhook(p_id);
  v_event   app.events;
begin
  perform app.check_deliverable(v_webhook);
  select e.* into v_event from app.events e where e.company_id = v_webhook.company_id and e.id = p_event_id;
  if not found then
    raise exception using errcode = 'TH404', constraint = 'webhook_event_not_found', message = 'There is no such event, or it is too old.';
  end if;
  if app.deliver_event(v_event.company_id, v_event.id, v_event.number, v_event.names, v_event.row_id, v_event.payload, v_event.created_at,
                       v_webhook.id, p_now) = 0 then
    raise exception using errcode = 'TH422', constraint = 'webhook_event_not_wanted', message = 'The webhook does not ask for this event.';
  end if;
  return (select l.id from public.webhook_logs l
           where l.company_id = v_webhook.company_id and l.webhook_id = v_webhook.id and l.event_id = p_event_id
           order by l.id desc limit 1);
end $$;
alter function app.deliver_event_to(uuid, uuid, timestamptz) owner to app_definer;
revoke all on function app.deliver_event_to(uuid, uuid, timestamptz) from public;
grant execute on function app.deliver_event_to(uuid, uuid, timestamptz) to authenticated, service_role;

create or replace function app.check_deliverable(p_webhook public.webhooks) returns void
  language plpgsql stable
  set search_path = ''
as $$
begin
  if not p_webhook.is_active or p_webhook.url is null
     or not exists (select from app.webhook_secrets s
                     where s.company_id = p_webhook.company_id and s.webhook_id = p_webhook.id and s.sort = 'signing') then
    raise exception using errcode = 'TH422', constraint = 'webhook_not_at_work',
      message = 'Nothing is sent to a webhook that is not active, or has no address or no secret.',
      hint = 'POST /api/v1/webhooks/{id}/rotate-secret makes a secret.';
  end if;
end $$;
revoke all on function app.check_deliverable(public.webhooks) from public;
grant execute on function app.check_deliverable(public.webhooks) to app_definer;

revoke all on app.webhook_deliveries from public, anon, authenticated, service_role;
grant select on app.webhook_deliveries to service_role;
