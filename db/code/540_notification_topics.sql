-- Topics: what members can be told of, which events cause it, and who is told.
-- Invariant: the rows are these; a topic that a person switched off stays off whatever causes it.

revoke all on app.notification_topics, app.notification_sources from public, anon, authenticated, service_role;
grant select on app.notification_topics, app.notification_sources to service_role;

insert into app.notification_topics as t (name, description, digest_group, priority, default_channels, mandatory_channels, read_permission)
values
  -- As the columns of notification_preferences begin: mail, push and the feed.
  ('job_assigned', 'You lead a job.', 'work', 'normal', '{in_app,email,push}', '{}', 'jobs:read'),
  ('team_assignment', 'You are in the crew of a job.', 'work', 'normal', '{in_app,email,push}', '{}', 'jobs:read'),
  ('job_updated', 'A job of yours changed.', 'work', 'low', '{in_app,email,push}', '{}', 'jobs:read'),
  ('job_completed', 'A job that you booked is done.', 'work', 'low', '{in_app,email,push}', '{}', 'jobs:read'),
  ('schedule_reminder', 'An appointment of yours begins soon.', 'work', 'high', '{in_app,email,push}', '{}', 'schedules:read'),
  ('schedule_changed', 'An appointment of yours is new, moved or cancelled.', 'work', 'high', '{in_app,email,push}', '{}', 'schedules:read'),
  ('customer_message', 'A customer wrote.', 'messages', 'normal', '{in_app,email,push}', '{}', 'communications:read'),
  ('missed_call', 'A customer called and nobody answered.', 'messages', 'high', '{in_app,email,push}', '{}', 'communications:read'),
  ('invoice_sent', 'An invoice that you made was sent.', 'money', 'low', '{in_app,email,push}', '{}', 'invoices:read'),
  ('invoice_paid', 'An invoice that you made is paid.', 'money', 'normal', '{in_app,email,push}', '{}', 'invoices:read'),
  ('payment_received', 'A payment came in.', 'money', 'high', '{in_app,email,push}', '{}', 'payments:read'),
  ('estimate_approved', 'A customer accepted an estimate that you made.', 'money', 'normal', '{in_app,email,push}', '{}', 'estimates:read'),
  ('equipment_maintenance_due', 'Equipment of a customer is due for service.', 'company', 'normal', '{in_app,email,push}', '{}', 'equipment:read'),
  ('inventory_low_stock', 'There is little left of something.', 'company', 'normal', '{in_app,email,push}', '{}', 'inventory:read'),
  ('team_member_activity', 'Somebody joined, left, or has another role.', 'company', 'low', '{}', '{}', 'members:read'),
  ('alert', 'Something needs your attention.', 'company', 'urgent', '{in_app,email,push}', '{in_app}', null),
  ('system', 'The operator has something to say.', 'company', 'low', '{in_app}', '{in_app}', null),
  ('security', 'Something happened to your account or to the company''s safety.', 'company', 'urgent', '{in_app,email}', '{in_app,email}', null),
  ('digest', 'What was gathered comes in one mail.', 'digest', 'normal', '{email}', '{}', null)
on conflict (name) do update
   set description = excluded.description, digest_group = excluded.digest_group, priority = excluded.priority,
       default_channels = excluded.default_channels, mandatory_channels = excluded.mandatory_channels, read_permission = excluded.read_permission
 where t is distinct from excluded;

delete from app.notification_sources;
insert into app.notification_sources (noun, event, topic, changed, unless, wanted, audience, permission)
values
  ('job', 'job.created', 'job_assigned', null, '{}', '[]', '{assignee}', null),
  ('job', 'job.updated', 'job_assigned', '{assigned_to}', '{}', '[]', '{new_assignee}', null),
  ('job', 'job.created', 'team_assignment', null, '{}', '[]', '{crew}', null),
  ('job', 'job.updated', 'team_assignment', '{crew}', '{}', '[]', '{new_crew}', null),
  ('job', 'job.updated', 'job_updated', '{status,priority,title,description,scheduled_start,scheduled_end,property_id}', '{job.completed}', '[]',
   '{assignee,crew,creator}', null),
  ('job', 'job.completed', 'job_completed', '{status}', '{}', '[]', '{creator}', null),
  ('schedule', 'schedule.created', 'schedule_changed', null, '{}', '[]', '{assignee,crew}', null),
  ('schedule', 'schedule.updated', 'schedule_changed', '{start_time,end_time,location,assigned_to,crew}', '{schedule.cancelled}', '[]',
   '{assignee,crew,former}', null),
  ('schedule', 'schedule.cancelled', 'schedule_changed', '{status}', '{}', '[]', '{assignee,crew}', null),
  ('schedule', 'schedule.deleted', 'schedule_changed', null, '{}', '[]', '{assignee,crew}', null),
  ('communication', 'communication.created', 'customer_message', null, '{}',
   '[{"direction":"inbound","type":"email"},{"direction":"inbound","type":"sms"},{"direction":"inbound","type":"chat"}]',
   '{assignee,holders_if_nobody}', 'communications:update'),
  ('communication', 'communication.created', 'missed_call', null, '{}', '[{"direction":"inbound","type":"phone","status":"failed"}]',
   '{assignee,holders_if_nobody}', 'communications:update'),
  ('communication', 'communication.updated', 'missed_call', '{call_ended_at}', '{}',
   '[{"direction":"inbound","type":"phone","call_answered_at":null}]', '{assignee,holders_if_nobody}', 'communications:update'),
  ('invoice', 'invoice.sent', 'invoice_sent', '{status}', '{}', '[]', '{creator}', null),
  ('invoice', 'invoice.paid', 'invoice_paid', '{status}', '{}', '[]', '{creator}', null),
  ('payment', 'payment.created', 'payment_received', null, '{}', '[{"status":"completed"}]', '{creator,holders}', 'payments:update'),
  ('payment', 'payment.completed', 'payment_received', '{status}', '{}', '[]', '{creator,holders}', 'payments:update'),
  ('estimate', 'estimate.accepted', 'estimate_approved', '{status}', '{}', '[]', '{creator}', null),
  ('team_member', 'team_member.created', 'team_member_activity', null, '{}', '[]', '{holders}', 'members:update'),
  ('team_member', 'team_member.updated', 'team_member_activity', '{role,status}', '{}', '[]', '{holders}', 'members:update'),
  ('team_member', 'team_member.deleted', 'team_member_activity', null, '{}', '[]', '{holders}', 'members:update');

-- What texts may say of a row, and what says who is told; nothing else of it is kept.
create or replace function app.notified_columns() returns text[]
  language sql immutable
  return array['title', 'name', 'display_name', 'status', 'priority', 'type', 'direction', 'subject', 'from_name', 'from_address', 'location', 'role', 'user_id',
    'job_number', 'invoice_number', 'estimate_number', 'payment_number', 'equipment_number', 'amount', 'total_amount', 'balance_amount', 'currency',
    'scheduled_start', 'scheduled_end', 'start_time', 'end_time', 'due_date', 'assigned_to', 'crew', 'created_by', 'booked_by_user_id',
    'customer_id', 'property_id', 'job_id'];
revoke all on function app.notified_columns() from public;
grant execute on function app.notified_columns() to app_definer;

-- Called by the trigger of events, as part of the change: it looks up one key and writes one row, and refuses nothing.
create or replace function app.note_for_members(p_company_id uuid, p_noun text, p_names text[], p_row jsonb, p_changed jsonb) returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_matched jsonb;
begin
  select jsonb_agg(jsonb_build_object('event', s.event, 'topic', s.topic)) into v_matched
    from app.notification_sources s
   where s.noun = p_noun and s.event = any (p_names) and not s.unless && p_names
     and (s.changed is null or p_changed is null or p_changed ?| s.changed)
     and (s.wanted = '[]' or exists (select from jsonb_array_elements(s.wanted) w where p_row @> w));
  if v_matched is null then
    return;
  end if;
  insert into app.notification_events (company_id, names, entity_type, entity_id, actor_id, payload)
  values (p_company_id, p_names, p_noun, (p_row ->> 'id')::uuid, auth.uid(),
          jsonb_build_object(
            'matched', v_matched,
            'data', (select coalesce(jsonb_object_agg(c.name, p_row -> c.name), '{}') from unnest(app.notified_columns()) c (name)
                      where p_row -> c.name <> 'null'),
            'previous', (select coalesce(jsonb_object_agg(c.name, p_changed -> c.name), '{}') from unnest(app.notified_columns()) c (name)
                          where p_changed ? c.name)));
end $$;
revoke all on function app.note_for_members(uuid, text, text[], jsonb, jsonb) from public;
grant execute on function app.note_for_members(uuid, text, text[], jsonb, jsonb) to app_definer;
