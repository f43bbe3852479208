-- Alerts: raised, told again, resolved. Invariants: one server looks at a time; for each rule and subject one alert is open at most; what a
-- channel is told is written with the change that it tells of; a channel that fails holds up no other.

create or replace function app.tell_alert(p_alert uuid, p_event text, p_channels text[], p_now timestamptz) returns void
  language sql volatile
  set search_path = ''
as $$
  insert into app.alert_deliveries (alert_id, event, channel, due_at, created_at)
  select p_alert, p_event, left(c.channel, 260), p_now, p_now from unnest(p_channels) c (channel) limit 50
$$;
revoke all on function app.tell_alert(uuid, text, text[], timestamptz) from public;
grant execute on function app.tell_alert(uuid, text, text[], timestamptz) to app_definer;

create or replace function app.alert_amount(p_amount double precision, p_unit text) returns text
  language sql immutable
  set search_path = ''
as $$
  select case when p_unit = 'bytes' then pg_catalog.pg_size_pretty(p_amount::numeric)
              else trim_scale(round(p_amount::numeric, 1))::text || case when p_unit = '%' then '' else ' ' end || p_unit end
$$;
revoke all on function app.alert_amount(double precision, text) from public;
grant execute on function app.alert_amount(double precision, text) to app_definer;

-- What a rule's value makes of its alert.
create or replace function app.judge_alert_rule(p_rule app.alert_rules, p_channels text[], p_now timestamptz) returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_crossed   constant boolean := case when p_rule.is_above then p_rule.reading > p_rule.threshold else p_rule.reading < p_rule.threshold end;
  v_body      constant text := format('%s: %s, allowed %s %s%s', p_rule.description, app.alert_amount(p_rule.reading, p_rule.unit),
                case when p_rule.is_above then 'up to' else 'down to' end, app.alert_amount(p_rule.threshold, p_rule.unit),
                coalesce(' (' || p_rule.reading_about || ')', ''));
  v_alert     app.alerts;
begin
  select a.* into v_alert from app.alerts a where a.rule = p_rule.name and a.subject = '' and a.resolved_at is null;
  if v_crossed is null then
    return;
  elsif v_crossed then
    update app.alert_rules r set crossed_at = coalesce(r.crossed_at, p_now), calm_at = null where r.name = p_rule.name;
    if v_alert.id is not null then
      update app.alerts a set seen_at = p_now, body = v_body,
             worst = case when p_rule.is_above then greatest(a.worst, p_rule.reading) else least(a.worst, p_rule.reading) end where a.id = v_alert.id;
    elsif p_now - coalesce(p_rule.crossed_at, p_now) >= make_interval(secs => p_rule.hold_s) then
      insert into app.alerts (rule, severity, body, worst, raised_at, seen_at) values (p_rule.name, p_rule.severity, v_body, p_rule.reading, p_now, p_now);
    end if;
  else
    update app.alert_rules r set crossed_at = null, calm_at = case when v_alert.id is not null then coalesce(r.calm_at, p_now) end
     where r.name = p_rule.name and (r.crossed_at is not null or (r.calm_at is null) = (v_alert.id is not null));
    if v_alert.id is not null and p_now - coalesce(p_rule.calm_at, p_now) >= make_interval(secs => p_rule.calm_s) then
      perform app.resolve_alert(v_alert.id, p_channels, p_now);
    end if;
  end if;
end $$;
revoke all on function app.judge_alert_rule(app.alert_rules, text[], timestamptz) from public;
grant execute on function app.judge_alert_rule(app.alert_rules, text[], timestamptz) to app_definer;

-- Whoever was told of it is told that it is over.
create or replace function app.resolve_alert(p_alert uuid, p_channels text[], p_now timestamptz) returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_told timestamptz;
begin
  update app.alerts a set resolved_at = p_now where a.id = p_alert and a.resolved_at is null returning a.told_at into v_told;
  if v_told is not null then
    perform app.tell_alert(p_alert, 'resolved', p_channels, p_now);
  end if;
end $$;
revoke all on function app.resolve_alert(uuid, text[], timestamptz) from public;
grant execute on function app.resolve_alert(uuid, text[], timestamptz) to app_definer;

-- Looks at all rules. Returns how many alerts are open, null where another server is at it.
create or replace function app.evaluate_alerts(p_channels text[]) returns integer
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_now   constant timestamptz := clock_timestamp();
  v_rule  app.alert_rules;
  v_alert record;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('app.evaluate_alerts', 0)) then
    return null;
  end if;
  for v_rule in select r.* from app.alert_rules r where r.is_enabled order by r.name loop
    -- What cannot be read is no data for one rule, and hinders no other.
    begin
      select g.reading, left(g.about, 300) into v_rule.reading, v_rule.reading_about from app.read_alert_rule(v_rule, v_now) g;
    exception when others then
      v_rule.reading := null;
      v_rule.reading_about := left('it could not be read: ' || sqlerrm, 300);
    end;
    update app.alert_rules r set reading = v_rule.reading, reading_about = v_rule.reading_about, read_at = v_now where r.name = v_rule.name;
    perform app.judge_alert_rule(v_rule, p_channels, v_now);
  end loop;
  for v_alert in
    select a.id, a.told_at, r.remind_s, r.window_s, r.source, r.is_enabled, a.seen_at
      from app.alerts a join app.alert_rules r on r.name = a.rule where a.resolved_at is null order by a.raised_at limit 1000
  loop
    -- What a program told once is over when it tells it no more; a rule that is off has no alerts.
    if not v_alert.is_enabled or v_alert.source = 'told' and v_alert.seen_at < v_now - make_interval(secs => v_alert.window_s) then
      perform app.resolve_alert(v_alert.id, p_channels, v_now);
    end if;
  end loop;
  for v_alert in
    update app.alerts a set told_at = v_now
      from app.alerts o join app.alert_rules r on r.name = o.rule
     where a.id = o.id and o.resolved_at is null and (r.silent_until is null or r.silent_until <= v_now)
       and (o.told_at is null or o.told_at <= v_now - make_interval(secs => r.remind_s))
    returning a.id, case when o.told_at is null then 'raised' else 'reminded' end as event
  loop
    perform app.tell_alert(v_alert.id, v_alert.event, p_channels, v_now);
  end loop;
  delete from app.signal_readings s where s.ctid = any (array(select o.ctid from app.signal_readings o where o.noted_at < v_now - interval '1 day'
                                                               order by o.noted_at limit 10000 for update skip locked));
  delete from app.alerts a where a.ctid = any (array(select o.ctid from app.alerts o where o.resolved_at < v_now - interval '400 days' limit 1000));
  return (select count(*) from app.alerts a where a.resolved_at is null);
end $$;
alter function app.evaluate_alerts(text[]) owner to app_definer;
revoke all on function app.evaluate_alerts(text[]) from public;
grant execute on function app.evaluate_alerts(text[]) to service_role;

-- Takes what is due, and counts the attempt: one that dies is tried again after the pause.
create or replace function app.take_alert_deliveries(p_limit integer, p_attempts_max integer)
  returns table (id uuid, alert_id uuid, event text, channel text, attempts integer, rule text, severity text, body text, raised_at timestamptz)
  language sql volatile security definer
  set search_path = ''
as $$
  with due as (
    select d.id from app.alert_deliveries d where d.due_at <= clock_timestamp() order by d.due_at limit p_limit for update skip locked
  ), taken as (
    update app.alert_deliveries d
       set attempts = d.attempts + 1,
           due_at = case when d.attempts + 1 < p_attempts_max then clock_timestamp() + make_interval(secs => least(10 * 2 ^ d.attempts, 300)) end
      from due where d.id = due.id returning d.*
  )
  select t.id, t.alert_id, t.event, t.channel, t.attempts, a.rule, a.severity, a.body, a.raised_at
    from taken t join app.alerts a on a.id = t.alert_id order by t.created_at
$$;
alter function app.take_alert_deliveries(integer, integer) owner to app_definer;
revoke all on function app.take_alert_deliveries(integer, integer) from public;
grant execute on function app.take_alert_deliveries(integer, integer) to service_role;

create or replace function app.settle_alert_delivery(p_id uuid, p_error text) returns void
  language sql volatile security definer
  set search_path = ''
as $$
  update app.alert_deliveries d
     set done_at = case when p_error is null then clock_timestamp() end, due_at = case when p_error is not null then d.due_at end, error = left(p_error, 300)
   where d.id = p_id and d.done_at is null
$$;
alter function app.settle_alert_delivery(uuid, text) owner to app_definer;
revoke all on function app.settle_alert_delivery(uuid, text) from public;
grant execute on function app.settle_alert_delivery(uuid, text) to service_role;

-- The documented name: has the operator told of something. The same words twice are one alert.
create or replace function public.send_alert(message text) returns uuid
  language plpgsql volatile security definer
  set search_path = ''
as $$
#variable_conflict use_variable
declare
  v_id uuid;
begin
  perform app.check_alert_reach();
  if coalesce(length(btrim(message)) not between 1 and 2000, true) then
    raise exception using errcode = 'TH422', constraint = 'alert_text_invalid', message = 'An alert has 1 to 2000 letters.';
  elsif (select count(*) from app.alerts a where a.rule = 'told' and a.resolved_at is null) >= 100
        and not exists (select from app.alerts a where a.rule = 'told' and a.subject = md5(message) and a.resolved_at is null) then
    raise exception using errcode = 'TH429', constraint = 'alerts_too_many', message = '100 alerts of programs are open.', hint = 'They are resolved an hour after they were told last.';
  end if;
  insert into app.alerts as a (rule, subject, severity, body, raised_at, seen_at)
  select r.name, md5(message), r.severity, message, now(), now() from app.alert_rules r where r.name = 'told'
  on conflict (rule, subject) where resolved_at is null do update set seen_at = now(), times = least(a.times::bigint + 1, 2147483647)::integer
  returning a.id into v_id;
  return v_id;
end $$;
comment on function public.send_alert(text) is 'Has the operator told of something by all channels of alerts; returns the alert. For the service.';
alter function public.send_alert(text) owner to app_definer;
revoke all on function public.send_alert(text) from public;
grant execute on function public.send_alert(text) to service_role;

create or replace function public.alerts(since timestamptz default null)
  returns table (id uuid, rule text, severity text, body text, worst double precision, times integer, raised_at timestamptz, seen_at timestamptz,
                 told_at timestamptz, resolved_at timestamptz, deliveries jsonb)
  language plpgsql stable security definer
  set search_path = ''
as $$
#variable_conflict use_column
begin
  perform app.check_alert_reach();
  return query
    select a.id, a.rule, a.severity, a.body, a.worst, a.times, a.raised_at, a.seen_at, a.told_at, a.resolved_at,
           coalesce((select jsonb_agg(jsonb_build_object('event', d.event, 'channel', d.channel, 'attempts', d.attempts, 'done_at', d.done_at, 'error', d.error)
                                      order by d.created_at, d.channel) from app.alert_deliveries d where d.alert_id = a.id), '[]')
      from app.alerts a
     where a.resolved_at is null or a.raised_at > coalesce(since, now() - interval '7 days')
     order by a.resolved_at is not null, a.raised_at desc limit 1000;
end $$;
comment on function public.alerts(timestamptz) is 'Alerts that are open, and those since a time (seven days), with what channels made of them. For the service.';
alter function public.alerts(timestamptz) owner to app_definer;
revoke all on function public.alerts(timestamptz) from public;
grant execute on function public.alerts(timestamptz) to service_role;

-- Tries all channels. The alert is over at once.
create or replace function app.test_alert(p_channels text[]) returns uuid
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_now constant timestamptz := clock_timestamp();
  v_id  uuid;
begin
  insert into app.alerts (rule, subject, severity, body, raised_at, seen_at, told_at, resolved_at)
  values ('told', 'test', 'warning', 'This is a test. Nothing is wrong.', v_now, v_now, v_now, v_now) returning id into v_id;
  perform app.tell_alert(v_id, 'test', p_channels, v_now);
  return v_id;
end $$;
alter function app.test_alert(text[]) owner to app_definer;
revoke all on function app.test_alert(text[]) from public;
grant execute on function app.test_alert(text[]) to service_role;
