-- From events to notifications: taken by a server, planned, and written down with what was decided of everybody.
-- Invariant: of one event one person is told once by each way, however often it is taken; who is not told stands in the decisions, too.

-- Takes what is due. What is not ended within the lease is another server's, and later with every time.
create or replace function app.take_notification_events(p_now timestamptz, p_lease_seconds integer, p_limit integer)
  returns table (company_id uuid, id uuid, attempt integer)
  language sql volatile security definer
  set search_path = ''
as $$
  with due as (
    select e.company_id, e.id from app.notification_events e
     where e.done_at is null and e.due_at <= p_now order by e.due_at, e.id limit p_limit for update skip locked)
  update app.notification_events e
     set attempts = e.attempts + 1, due_at = p_now + make_interval(secs => p_lease_seconds * 2 ^ least(e.attempts, 8))
    from due d where e.company_id = d.company_id and e.id = d.id
  returning e.company_id, e.id, e.attempts
$$;
alter function app.take_notification_events(timestamptz, integer, integer) owner to app_definer;
revoke all on function app.take_notification_events(timestamptz, integer, integer) from public;
grant execute on function app.take_notification_events(timestamptz, integer, integer) to service_role;

-- What becomes of one way to one person. p_rules: sends (the ways that this installation has), hour_max by channel, digest_hour, and
-- hours_max, after which nobody is disturbed by what is old.
create or replace function app.decide_way(p_event app.notification_events, p_topic text, p_user_id uuid, p_channel text, p_priority text,
                                          p_rules jsonb, p_now timestamptz, out decision text, out reason text, out window_end timestamptz)
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_decided  record;
  v_address  constant text := app.notification_address(p_event.company_id, p_user_id, p_channel);
  v_suppress text;
  v_hour_max integer;
  v_wish     public.notification_preferences;
begin
  select * into v_decided from app.decide_notification(p_event.company_id, p_user_id, p_topic, p_channel);
  decision := 'withheld';
  reason := v_decided.reason;
  if not v_decided.is_enabled then
    return;
  elsif p_channel = 'in_app' then
    null;
  elsif not p_rules -> 'sends' ? p_channel then
    reason := 'no_way'; return;
  elsif v_address is null then
    reason := case p_channel when 'push' then 'no_device' else 'no_address' end; return;
  elsif p_event.created_at < p_now - make_interval(hours => (p_rules ->> 'hours_max')::integer) then
    reason := 'too_old'; return;
  end if;
  v_suppress := case when p_channel <> 'in_app' then
    app.notification_suppression(p_event.company_id, p_channel, v_address,
                                 case when v_decided.reason not in ('mandatory', 'company_mandatory') then p_topic end, p_now) end;
  if v_suppress is not null then
    reason := v_suppress; return;
  end if;
  decision := 'sent';
  if p_priority = 'urgent' or v_decided.reason in ('mandatory', 'company_mandatory') then
    return;
  end if;
  select coalesce((select d.hour_max from public.notification_defaults d
                    where d.company_id = p_event.company_id and d.topic = p_topic and d.channel = p_channel),
                  (p_rules -> 'hour_max' ->> p_channel)::integer) into v_hour_max;
  if (select count(*) from public.notification_queue q
       where q.company_id = p_event.company_id and q.user_id = p_user_id and q.type = p_topic and q.channel = p_channel
         and q.created_at > p_now - interval '1 hour') >= v_hour_max then
    decision := 'withheld'; reason := 'throttled'; return;
  end if;
  if p_channel = 'email' then
    select * into v_wish from public.notification_preferences p where p.company_id = p_event.company_id and p.user_id = p_user_id;
    if v_wish.digest_enabled and v_wish.digest_frequency <> 'realtime' then
      decision := 'gathered';
      reason := 'digest_' || v_wish.digest_frequency;
      window_end := app.digest_end(v_wish.digest_frequency, v_wish.quiet_hours_timezone, (p_rules ->> 'digest_hour')::integer, p_now);
    end if;
  end if;
end $$;
revoke all on function app.decide_way(app.notification_events, text, uuid, text, text, jsonb, timestamptz) from public;
grant execute on function app.decide_way(app.notification_events, text, uuid, text, text, jsonb, timestamptz) to app_definer;

-- Everything that is needed to tell of one event: a row for each person, topic and way, with what its text may say. Of whom is told by no
-- way at all one row says why.
create or replace function app.plan_notifications(p_company_id uuid, p_id uuid, p_rules jsonb, p_now timestamptz)
  returns table (topic text, event text, user_id uuid, channel text, decision text, reason text, window_end timestamptz, priority text,
                 locale text, params jsonb, templates jsonb)
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  v_event  app.notification_events;
  v_person record;
  v_says   record;
begin
  select * into v_event from app.notification_events e where e.company_id = p_company_id and e.id = p_id and e.done_at is null;
  -- Nobody hears of a company that is deleted.
  if not found or not exists (select from public.companies c where c.id = p_company_id and c.deleted_at is null) then
    return;
  end if;
  for v_person in
    select a.topic, a.event, a.user_id, app.notification_exclusion(v_event, a.topic, a.user_id, a.is_asked) as exclusion,
           coalesce(v_event.priority, t.priority) as priority
      from app.notification_audience(v_event) a join app.notification_topics t on t.name = a.topic order by a.topic, a.user_id
  loop
    topic := v_person.topic; event := v_person.event; user_id := v_person.user_id; priority := v_person.priority;
    channel := null; decision := 'withheld'; reason := v_person.exclusion; window_end := null; locale := 'en'; params := '{}'; templates := '{}';
    -- Of whom is no member there is nothing to tell, and nobody who asks.
    continue when v_person.exclusion = 'no_member';
    if v_person.exclusion is not null then
      return next;
      continue;
    end if;
    select * into v_says from app.notification_reader(p_company_id, v_person.user_id);
    locale := v_says.locale;
    params := app.notification_params(v_event, v_says.zone, v_says.locale);
    foreach channel in array array['in_app', 'email', 'sms', 'push'] loop
      select w.decision, w.reason, w.window_end into decision, reason, window_end
        from app.decide_way(v_event, v_person.topic, v_person.user_id, channel, v_person.priority, p_rules, p_now) w;
      select coalesce(jsonb_object_agg(n.locale, jsonb_build_object('subject', n.subject, 'body', n.body)), '{}') into templates
        from (select distinct on (n.locale) n.locale, n.subject, n.body from public.notification_templates n
               where decision <> 'withheld' and n.company_id = p_company_id and n.is_active and n.channel = plan_notifications.channel
                 and n.event in (v_person.event, v_person.topic)
               order by n.locale, n.event = v_person.event desc) n;
      return next;
    end loop;
  end loop;
end $$;
alter function app.plan_notifications(uuid, uuid, jsonb, timestamptz) owner to app_definer;
revoke all on function app.plan_notifications(uuid, uuid, jsonb, timestamptz) from public;
grant execute on function app.plan_notifications(uuid, uuid, jsonb, timestamptz) to service_role;

-- In which language and zone somebody reads: his own, else his company's.
create or replace function app.notification_reader(p_company_id uuid, p_user_id uuid, out locale text, out zone text)
  language sql stable
  set search_path = ''
as $$
  select left(coalesce(nullif(p.preferences ->> 'locale', ''), nullif(u.raw_user_meta_data ->> 'locale', ''), nullif(c.settings ->> 'locale', ''), 'en'), 10),
         coalesce((select nullif(n.quiet_hours_timezone, 'UTC') from public.notification_preferences n
                    where n.company_id = p_company_id and n.user_id = p_user_id), c.business_timezone, 'UTC')
    from public.companies c
    left join public.users p on p.id = p_user_id
    left join auth.users u on u.id = p_user_id
   where c.id = p_company_id
$$;
revoke all on function app.notification_reader(uuid, uuid) from public;
grant execute on function app.notification_reader(uuid, uuid) to app_definer;

-- Writes down what was planned, and ends the event; false where another attempt took its place. What is in the feed is delivered with that.
create or replace function app.write_notifications(p_company_id uuid, p_event_id uuid, p_attempt integer, p_rows jsonb, p_now timestamptz)
  returns boolean
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_event  app.notification_events;
  v_row    record;
  v_id     uuid;
  v_digest uuid;
begin
  perform app.keep_to_company(p_company_id);
  update app.notification_events e set done_at = p_now, error = null
   where e.company_id = p_company_id and e.id = p_event_id and e.attempts = p_attempt and e.done_at is null returning e.* into v_event;
  if not found then
    return false;
  end if;
  for v_row in
    select * from jsonb_to_recordset(p_rows) r (topic text, event text, user_id uuid, channel text, decision text, reason text,
      window_end timestamptz, priority text, subject text, body text, body_html text, note text, locale text)
  loop
    v_digest := null;
    if v_row.decision = 'gathered' then
      insert into app.notification_digests as d (company_id, user_id, digest_group, window_end)
      select p_company_id, v_row.user_id, t.digest_group, v_row.window_end from app.notification_topics t where t.name = v_row.topic
      on conflict (company_id, user_id, digest_group, window_end) do update set sent_at = d.sent_at
      returning d.id into v_digest;
    end if;
    if v_row.decision in ('sent', 'gathered') then
      insert into public.notification_queue (company_id, user_id, type, channel, priority, subject, body, body_html, entity_type, entity_id, status,
                                             sent_at, delivered_at, provider, event_id, digest_id, metadata)
      values (p_company_id, v_row.user_id, v_row.topic, v_row.channel, v_row.priority, v_row.subject, v_row.body, v_row.body_html, v_event.entity_type,
              v_event.entity_id, case v_row.channel when 'in_app' then 'sent' else 'pending' end,
              case v_row.channel when 'in_app' then p_now end, case v_row.channel when 'in_app' then p_now end,
              case v_row.channel when 'in_app' then 'feed' end, p_event_id, v_digest, jsonb_build_object('event', v_row.event, 'locale', v_row.locale))
      on conflict (company_id, event_id, user_id, type, channel) where event_id is not null do nothing
      returning id into v_id;
      if v_id is not null and v_row.decision = 'sent' and v_row.channel <> 'in_app' then
        perform app.enqueue_task('deliver_notification', jsonb_build_object('notification_id', v_id), p_company_id,
                                 p_priority => case v_row.priority when 'urgent' then 50 when 'high' then 20 when 'low' then -10 else 0 end);
      elsif v_id is not null and v_digest is not null then
        perform app.enqueue_task('send_digests', '{}', p_company_id, v_row.window_end, p_unique_key => 'digests ' || v_row.window_end::text);
      end if;
    end if;
    perform app.note_decision(p_company_id, p_event_id, v_row.event, v_row.topic, v_row.user_id, v_row.channel, v_row.decision, v_row.reason,
                              v_event.entity_type, v_event.entity_id, v_row.note);
  end loop;
  return true;
end $$;
alter function app.write_notifications(uuid, uuid, integer, jsonb, timestamptz) owner to app_definer;
revoke all on function app.write_notifications(uuid, uuid, integer, jsonb, timestamptz) from public;
grant execute on function app.write_notifications(uuid, uuid, integer, jsonb, timestamptz) to service_role;

create or replace function app.note_decision(p_company_id uuid, p_event_id uuid, p_event text, p_topic text, p_user_id uuid, p_channel text,
                                             p_decision text, p_reason text, p_entity_type text, p_entity_id uuid, p_note text default null)
  returns void
  language sql volatile
  set search_path = ''
begin atomic
  insert into app.notification_decisions (company_id, event_id, event, topic, user_id, channel, decision, reason, entity_type, entity_id, note)
  values (p_company_id, p_event_id, p_event, p_topic, p_user_id, p_channel, p_decision, p_reason, p_entity_type, p_entity_id, left(p_note, 500));
end;
revoke all on function app.note_decision(uuid, uuid, text, text, uuid, text, text, text, text, uuid, text) from public;
grant execute on function app.note_decision(uuid, uuid, text, text, uuid, text, text, text, text, uuid, text) to app_definer;

-- An attempt that failed; the last one ends it.
create or replace function app.fail_notification_event(p_company_id uuid, p_id uuid, p_attempt integer, p_error text, p_attempts_max integer,
                                                       p_now timestamptz) returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  perform app.keep_to_company(p_company_id);
  update app.notification_events e set error = left(p_error, 2000), done_at = case when p_attempt >= p_attempts_max then p_now end
   where e.company_id = p_company_id and e.id = p_id and e.attempts = p_attempt and e.done_at is null;
end $$;
alter function app.fail_notification_event(uuid, uuid, integer, text, integer, timestamptz) owner to app_definer;
revoke all on function app.fail_notification_event(uuid, uuid, integer, text, integer, timestamptz) from public;
grant execute on function app.fail_notification_event(uuid, uuid, integer, text, integer, timestamptz) to service_role;

revoke all on app.notification_events, app.notification_digests from public, anon, authenticated, service_role;
grant select on app.notification_events, app.notification_digests to service_role;
