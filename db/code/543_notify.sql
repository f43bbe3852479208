-- Who is told of what happened, and by which ways. Invariant: nothing is sent here: a plan says of everybody in question what becomes of him
-- and why, and is written down whole or not at all (db/code/544_notification_rows.sql).

-- Has somebody told of something: named people, whoever holds a permission, or both. What is asked for twice under one key is one notification;
-- returns its id. Everything else follows after the commit.
create or replace function app.notify(
  p_topic       text,
  p_company_id  uuid,
  p_user_ids    uuid[] default '{}',
  p_params      jsonb default '{}',
  p_permission  text default null,
  p_entity_type text default null,
  p_entity_id   uuid default null,
  p_priority    text default null,
  p_unique_key  text default null,
  p_actor_id    uuid default null
) returns uuid
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_id uuid;
begin
  perform app.keep_to_company(p_company_id);
  if p_topic = 'digest' or not exists (select from app.notification_topics t where t.name = p_topic) then
    raise exception using errcode = 'TH422', constraint = 'notification_topic_unknown', message = format('There is no topic "%s".', left(p_topic, 80)),
      hint = 'docs/notifications.md lists what there is.';
  elsif not exists (select from public.companies c where c.id = p_company_id) then
    raise exception using errcode = 'TH422', constraint = 'notification_company_unknown', message = 'There is no such company.';
  elsif coalesce(cardinality(p_user_ids), 0) = 0 and p_permission is null or cardinality(p_user_ids) > 1000 then
    raise exception using errcode = 'TH422', constraint = 'notification_people_invalid',
      message = 'Somebody has to be told: 1 to 1000 people, or whoever holds a permission.';
  elsif p_priority not in ('low', 'normal', 'high', 'urgent') then
    raise exception using errcode = 'TH422', constraint = 'notification_priority_invalid', message = 'A priority is low, normal, high or urgent.';
  elsif jsonb_typeof(p_params) is distinct from 'object' or length(p_params::text) > 8000 then
    raise exception using errcode = 'TH422', constraint = 'notification_params_invalid', message = 'What a text says is an object of up to 8000 letters.';
  end if;
  insert into app.notification_events (company_id, names, topic, entity_type, entity_id, actor_id, user_ids, permission, priority, payload, unique_key)
  values (p_company_id, array[p_topic], p_topic, p_entity_type, p_entity_id, p_actor_id, coalesce(p_user_ids, '{}'), p_permission, p_priority,
          jsonb_build_object('params', p_params), p_unique_key)
  on conflict (company_id, unique_key) where unique_key is not null do nothing
  returning id into v_id;
  if v_id is null then
    select e.id into v_id from app.notification_events e where e.company_id = p_company_id and e.unique_key = p_unique_key;
  end if;
  return v_id;
end $$;
comment on function app.notify(text, uuid, uuid[], jsonb, text, text, uuid, text, text, uuid) is
  'Has members told of something after this transaction commits; returns the id of what they are told of.';
alter function app.notify(text, uuid, uuid[], jsonb, text, text, uuid, text, text, uuid) owner to app_definer;
revoke all on function app.notify(text, uuid, uuid[], jsonb, text, text, uuid, text, text, uuid) from public;
grant execute on function app.notify(text, uuid, uuid[], jsonb, text, text, uuid, text, text, uuid) to service_role;

-- The same for programs of the operator.
create or replace function public.notify(topic text, company_id uuid, user_ids uuid[] default '{}', params jsonb default '{}', permission text default null,
                                         entity_type text default null, entity_id uuid default null, priority text default null,
                                         unique_key text default null) returns uuid
  language sql volatile
  set search_path = ''
as $$
  select app.notify(topic, company_id, user_ids, params, permission, entity_type, entity_id, priority, unique_key)
$$;
comment on function public.notify(text, uuid, uuid[], jsonb, text, text, uuid, text, text) is
  'Has members of a company told of something: named ones, and whoever holds a permission. For the service.';
revoke all on function public.notify(text, uuid, uuid[], jsonb, text, text, uuid, text, text) from public;
grant execute on function public.notify(text, uuid, uuid[], jsonb, text, text, uuid, text, text) to service_role;

-- Everybody in question, by what the event says of people, one row for each topic.
create or replace function app.notification_audience(p_event app.notification_events)
  returns table (topic text, event text, user_id uuid, is_asked boolean)
  language sql stable
  set search_path = ''
as $$
  with matched as (
    select m.topic, m.event, s.audience, s.permission
      from jsonb_to_recordset(p_event.payload -> 'matched') m (event text, topic text)
      join app.notification_sources s on s.event = m.event and s.topic = m.topic
    union all
    select p_event.topic, p_event.topic, case when p_event.permission is not null then '{asked,holders}'::text[] else '{asked}' end, p_event.permission
     where p_event.topic is not null
  ), people as (
    select m.topic, m.event, m.permission, a.word, p.id
      from matched m
     cross join lateral unnest(m.audience) a (word)
     cross join lateral (
       select p_event.payload -> 'data' as now, p_event.payload -> 'previous' as was) d
     cross join lateral (
       select (d.now ->> 'assigned_to')::uuid as id where a.word in ('assignee', 'new_assignee')
       union all
       select c::uuid from jsonb_array_elements_text(case when jsonb_typeof(d.now -> 'crew') = 'array' then d.now -> 'crew' else '[]' end) c
        where a.word = 'crew' or a.word = 'new_crew' and not coalesce(d.was -> 'crew' ? c, false)
       union all
       select unnest(array[(d.now ->> 'created_by')::uuid, (d.now ->> 'booked_by_user_id')::uuid]) where a.word = 'creator'
       union all
       select (d.was ->> 'assigned_to')::uuid where a.word = 'former'
       union all
       select c::uuid from jsonb_array_elements_text(case when jsonb_typeof(d.was -> 'crew') = 'array' then d.was -> 'crew' else '[]' end) c
        where a.word = 'former'
       union all
       select unnest(p_event.user_ids) where a.word = 'asked'
       union all
       select t.user_id from public.team_members t
        where (a.word = 'holders' or a.word = 'holders_if_nobody' and d.now ->> 'assigned_to' is null)
          and t.company_id = p_event.company_id and t.status = 'active' and t.archived_at is null
          and position(',' || m.permission || ',' in t.effective_permissions) > 0) p)
  select distinct on (p.topic, p.id) p.topic, p.event, p.id, p.word = 'asked' from people p where p.id is not null order by p.topic, p.id, p.word = 'asked' desc
$$;
revoke all on function app.notification_audience(app.notification_events) from public;
grant execute on function app.notification_audience(app.notification_events) to app_definer;

-- What texts may say, all of it text, in the zone and language of who reads it.
create or replace function app.notification_params(p_event app.notification_events, p_zone text, p_locale text) returns jsonb
  language sql stable
  set search_path = ''
as $$
  select jsonb_build_object(
      'company', (select c.name from public.companies c where c.id = p_event.company_id),
      'actor', coalesce((select u.name from public.users u where u.id = p_event.actor_id), ''),
      'title', coalesce(d.now ->> 'title', d.now ->> 'name', d.now ->> 'subject', ''),
      'number', coalesce(d.now ->> 'job_number', d.now ->> 'invoice_number', d.now ->> 'estimate_number', d.now ->> 'payment_number',
                         d.now ->> 'equipment_number', ''),
      'status', coalesce(replace(d.now ->> 'status', '_', ' '), ''),
      'location', coalesce(d.now ->> 'location', ''),
      'from', coalesce(d.now ->> 'from_name', c.display_name, d.now ->> 'from_address', ''),
      'customer', coalesce(c.display_name, ''),
      'address', coalesce(a.line, ''),
      'starts', coalesce(app.shown_time(coalesce(d.now ->> 'start_time', d.now ->> 'scheduled_start'), p_zone, p_locale), ''),
      'ends', coalesce(app.shown_time(coalesce(d.now ->> 'end_time', d.now ->> 'scheduled_end'), p_zone, p_locale), ''),
      'started', coalesce(app.shown_time(coalesce(d.was ->> 'start_time', d.was ->> 'scheduled_start'), p_zone, p_locale), ''),
      'amount', coalesce(app.shown_amount(coalesce(d.now ->> 'amount', d.now ->> 'total_amount'), d.now ->> 'currency', p_locale), ''),
      'member', coalesce((select u.name from public.users u where p_event.entity_type = 'team_member' and u.id = (d.now ->> 'user_id')::uuid), ''),
      'role', coalesce(d.now ->> 'role', ''),
      'event', p_event.names[1],
      'is_cancelled', case when p_event.names && '{schedule.cancelled,schedule.deleted,job.cancelled}' then 'yes' else '' end,
      'is_new', case when p_event.names[1] like '%.created' then 'yes' else '' end,
      'is_gone', case when p_event.names[1] like '%.deleted' then 'yes' else '' end)
    || coalesce((select jsonb_object_agg(p.key, p.value #>> '{}') from jsonb_each(p_event.payload -> 'params') p
                  where jsonb_typeof(p.value) in ('string', 'number', 'boolean')), '{}')
    from (select p_event.payload -> 'data' as now, p_event.payload -> 'previous' as was) d
    left join public.customers c on c.company_id = p_event.company_id and c.id = (d.now ->> 'customer_id')::uuid
    left join lateral (select concat_ws(', ', p.address, p.city) as line from public.properties p
                        where p.company_id = p_event.company_id and p.id = (d.now ->> 'property_id')::uuid) a on true
$$;
revoke all on function app.notification_params(app.notification_events, text, text) from public;
grant execute on function app.notification_params(app.notification_events, text, text) to app_definer;

-- Why a member is told of nothing by any way; null where he may be.
create or replace function app.notification_exclusion(p_event app.notification_events, p_topic text, p_user_id uuid, p_is_asked boolean) returns text
  language sql stable
  set search_path = ''
as $$
  select case
      when p_event.actor_id = p_user_id and not p_is_asked then 'own_act'
      when m.user_id is null then 'no_member'
      when m.status <> 'active' or m.archived_at is not null or u.deleted_at is not null then 'not_active'
      when t.read_permission is not null
           and not string_to_array(m.effective_permissions, ',')
                   && array[t.read_permission, t.read_permission || '_assigned', t.read_permission || '_own'] then 'no_permission' end
    from app.notification_topics t
    left join public.team_members m on m.company_id = p_event.company_id and m.user_id = p_user_id
    left join auth.users u on u.id = p_user_id
   where t.name = p_topic
$$;
revoke all on function app.notification_exclusion(app.notification_events, text, uuid, boolean) from public;
grant execute on function app.notification_exclusion(app.notification_events, text, uuid, boolean) to app_definer;

-- Where somebody is reached by a channel; null where nowhere. His devices are reached by who he is, if he has any.
create or replace function app.notification_address(p_company_id uuid, p_user_id uuid, p_channel text) returns text
  language sql stable
  set search_path = ''
as $$
  select case p_channel
      when 'email' then nullif(u.email, '')
      when 'sms' then app.e164(coalesce(nullif(m.phone, ''), nullif(p.phone, ''), nullif(u.phone, '')))
      when 'push' then (select d.user_id::text from app.push_devices d where d.user_id = u.id limit 1)
      else u.id::text end
    from auth.users u
    join public.users p on p.id = u.id
    join public.team_members m on m.company_id = p_company_id and m.user_id = u.id
   where u.id = p_user_id
$$;
revoke all on function app.notification_address(uuid, uuid, text) from public;
grant execute on function app.notification_address(uuid, uuid, text) to app_definer;

-- Why an address is not written to: its holder wants no more of the topic, or it is on the list; null where nothing is against it. Of what
-- is mandatory the topic is null, which nobody can refuse.
drop function if exists app.is_suppressed(uuid, text, text);
create or replace function app.notification_suppression(p_company_id uuid, p_channel text, p_address text, p_topic text, p_now timestamptz) returns text
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_channel constant text := case p_channel when 'email' then 'mail' else p_channel end;
begin
  return case when app.suppression_of(p_company_id, v_channel, p_address, '', false, p_now) is not null then 'suppressed'
              when app.suppression_of(p_company_id, v_channel, p_address, coalesce(p_topic, ''), false, p_now) is not null then 'unsubscribed' end;
end $$;
revoke all on function app.notification_suppression(uuid, text, text, text, timestamptz) from public;
grant execute on function app.notification_suppression(uuid, text, text, text, timestamptz) to app_definer;
