-- Sending what was decided. Invariant: whether somebody may be disturbed is asked when it is sent, not when it happened; what was
-- handed to the outbox is known by its messages until they are sent or given up.

-- What a task that delivers a notification does: send it now (with where to and what), wait until a moment, or nothing more. The topic is
-- there where it can be refused.
drop function if exists app.open_notification(uuid, uuid, timestamptz);
create function app.open_notification(p_company_id uuid, p_id uuid, p_now timestamptz)
  returns table (act text, wait_until timestamptz, channel text, user_id uuid, recipient text, topic text, type text, priority text, subject text, body text,
                 body_html text, entity_type text, entity_id uuid, sender_name text)
  language plpgsql volatile security definer
  set search_path = ''
as $$
#variable_conflict use_column
declare
  v_row     public.notification_queue;
  v_reason  text;
  v_decided record;
  v_wish    public.notification_preferences;
  v_until   timestamptz;
  v_to      text;
  v_topic   text;
begin
  perform app.keep_to_company(p_company_id);
  select * into v_row from public.notification_queue q where q.company_id = p_company_id and q.id = p_id for update;
  if v_row.status is distinct from 'pending' or v_row.channel = 'in_app' then
    act := 'nothing';
    return next;
    return;
  end if;
  select * into v_decided from app.decide_notification(p_company_id, v_row.user_id, v_row.type, v_row.channel);
  v_to := app.notification_address(p_company_id, v_row.user_id, v_row.channel);
  v_topic := case when v_decided.reason not in ('mandatory', 'company_mandatory') then v_row.type end;
  v_reason := case
    when not exists (select from public.team_members m join public.companies c on c.id = m.company_id
                      where m.company_id = p_company_id and m.user_id = v_row.user_id and m.status = 'active' and m.archived_at is null
                        and c.deleted_at is null) then 'not_active'
    when not v_decided.is_enabled then v_decided.reason
    when v_to is null then case v_row.channel when 'push' then 'no_device' else 'no_address' end
    else app.notification_suppression(p_company_id, v_row.channel, v_to, v_topic, p_now) end;
  if v_reason is not null then
    perform app.withhold_notification(v_row, v_reason);
    act := 'nothing';
    return next;
    return;
  end if;
  select * into v_wish from public.notification_preferences p where p.company_id = p_company_id and p.user_id = v_row.user_id;
  if v_wish.quiet_hours_enabled and v_row.priority <> 'urgent' then
    v_until := app.quiet_until(v_wish.quiet_hours_start, v_wish.quiet_hours_end, v_wish.quiet_hours_timezone, p_now);
  end if;
  if v_until is not null then
    if v_row.scheduled_for is distinct from v_until then
      update public.notification_queue q set scheduled_for = v_until where q.company_id = p_company_id and q.id = p_id;
      perform app.note_way(v_row, 'deferred', 'quiet_hours');
    end if;
    act := 'wait'; wait_until := v_until;
    return next;
    return;
  end if;
  return query select 'send', null::timestamptz, v_row.channel, v_row.user_id, v_to, v_topic, v_row.type, v_row.priority, v_row.subject, v_row.body,
                      v_row.body_html, v_row.entity_type, v_row.entity_id, c.name
                 from public.companies c where c.id = p_company_id;
end $$;
alter function app.open_notification(uuid, uuid, timestamptz) owner to app_definer;
revoke all on function app.open_notification(uuid, uuid, timestamptz) from public;
grant execute on function app.open_notification(uuid, uuid, timestamptz) to service_role;

create or replace function app.note_way(p_row public.notification_queue, p_decision text, p_reason text, p_note text default null) returns void
  language sql volatile
  set search_path = ''
as $$
  select app.note_decision(p_row.company_id, coalesce(p_row.event_id, p_row.id), coalesce(p_row.metadata ->> 'event', p_row.type), p_row.type,
                           p_row.user_id, p_row.channel, p_decision, p_reason, p_row.entity_type, p_row.entity_id, p_note)
$$;
revoke all on function app.note_way(public.notification_queue, text, text, text) from public;
grant execute on function app.note_way(public.notification_queue, text, text, text) to app_definer;

-- It is not sent after all, and why.
create or replace function app.withhold_notification(p_row public.notification_queue, p_reason text) returns void
  language plpgsql volatile
  set search_path = ''
as $$
begin
  update public.notification_queue q set status = 'cancelled', failure_reason = p_reason where q.company_id = p_row.company_id and q.id = p_row.id;
  perform app.note_way(p_row, 'withheld', p_reason);
end $$;
revoke all on function app.withhold_notification(public.notification_queue, text) from public;
grant execute on function app.withhold_notification(public.notification_queue, text) to app_definer;

-- It is in the outbox as these messages, or can never be.
create or replace function app.hand_on_notification(p_company_id uuid, p_id uuid, p_message_ids uuid[], p_error text, p_now timestamptz) returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_row public.notification_queue;
begin
  perform app.keep_to_company(p_company_id);
  update public.notification_queue q
     set status = case when p_error is null then 'sending' else 'failed' end, failed_at = case when p_error is not null then p_now end,
         failure_reason = left(p_error, 2000)
   where q.company_id = p_company_id and q.id = p_id and q.status = 'pending' returning q.* into v_row;
  if not found then
    return;
  elsif p_error is not null then
    perform app.note_way(v_row, 'withheld', 'failed', p_error);
  else
    insert into app.notification_messages (message_id, company_id, notification_id) select m, p_company_id, p_id from unnest(p_message_ids) m;
  end if;
end $$;
alter function app.hand_on_notification(uuid, uuid, uuid[], text, timestamptz) owner to app_definer;
revoke all on function app.hand_on_notification(uuid, uuid, uuid[], text, timestamptz) from public;
grant execute on function app.hand_on_notification(uuid, uuid, uuid[], text, timestamptz) to service_role;

-- What became of it in the outbox: of several messages one is enough, and it failed when the last one did.
create or replace function app.note_notification_end() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_message app.notification_messages;
  v_row     public.notification_queue;
begin
  delete from app.notification_messages m where m.message_id = new.id returning m.* into v_message;
  if not found then
    return null;
  end if;
  update public.notification_queue q
     set status = new.status, sent_at = case new.status when 'sent' then new.finished_at end, failed_at = case new.status when 'failed' then new.finished_at end,
         failure_reason = case new.status when 'failed' then left(new.error, 2000) end, retry_count = greatest(new.attempts - 1, 0),
         provider = 'outbox', provider_message_id = new.id::text
   where q.company_id = v_message.company_id and q.id = v_message.notification_id and q.status = 'sending'
     and (new.status = 'sent' or not exists (select from app.notification_messages m
                                               where m.company_id = v_message.company_id and m.notification_id = v_message.notification_id))
  returning q.* into v_row;
  if found and new.status = 'failed' then
    perform app.note_way(v_row, 'withheld', 'failed', new.error);
  end if;
  return null;
end $$;
alter function app.note_notification_end() owner to app_definer;
revoke all on function app.note_notification_end() from public;
create or replace trigger note_notification_end after update of status on app.outbox
  for each row when (old.status = 'pending' and new.status in ('sent', 'failed') and new.purpose = 'notification')
  execute function app.note_notification_end();
revoke all on app.notification_messages from public, anon, authenticated, service_role;
grant select on app.notification_messages to service_role;

-- Digests whose window is over: whose they are and what they gathered, the newest of it where it is too much.
create or replace function app.due_digests(p_company_id uuid, p_now timestamptz, p_limit integer, p_items_max integer)
  returns table (company_id uuid, id uuid, user_id uuid, locale text, company text, total bigint, items jsonb)
  language plpgsql volatile security definer
  set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
  with due as (
    select d.company_id, d.id, d.user_id from app.notification_digests d
     where d.sent_at is null and d.window_end <= p_now and (p_company_id is null or d.company_id = p_company_id)
     order by d.window_end, d.id limit p_limit for update skip locked)
  select d.company_id, d.id, d.user_id, r.locale, c.name,
         (select count(*) from public.notification_queue q where q.company_id = d.company_id and q.digest_id = d.id and q.status = 'pending'),
         (select coalesce(jsonb_agg(jsonb_build_object('subject', i.subject, 'body', i.body) order by i.created_at, i.id), '[]')
            from (select q.id, q.subject, q.body, q.created_at from public.notification_queue q
                   where q.company_id = d.company_id and q.digest_id = d.id and q.status = 'pending'
                   order by q.created_at desc, q.id desc limit p_items_max) i)
    from due d join public.companies c on c.id = d.company_id
   cross join lateral app.notification_reader(d.company_id, d.user_id) r;
end $$;
alter function app.due_digests(uuid, timestamptz, integer, integer) owner to app_definer;
revoke all on function app.due_digests(uuid, timestamptz, integer, integer) from public;
grant execute on function app.due_digests(uuid, timestamptz, integer, integer) to service_role;

-- Makes one mail of what a digest gathered; nothing where nothing is left of it, and once.
create or replace function app.close_digest(p_company_id uuid, p_id uuid, p_subject text, p_body text, p_body_html text, p_now timestamptz) returns boolean
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_digest app.notification_digests;
  v_id     uuid;
begin
  perform app.keep_to_company(p_company_id);
  update app.notification_digests d set sent_at = p_now where d.company_id = p_company_id and d.id = p_id and d.sent_at is null returning d.* into v_digest;
  if not found then
    return false;
  end if;
  update public.notification_queue q set status = 'sent', sent_at = p_now, provider = 'digest'
   where q.company_id = p_company_id and q.digest_id = p_id and q.status = 'pending';
  if not found then
    return false;
  end if;
  insert into public.notification_queue (company_id, user_id, type, channel, priority, subject, body, body_html, event_id, metadata)
  values (p_company_id, v_digest.user_id, 'digest', 'email', 'normal', p_subject, p_body, p_body_html, p_id,
          jsonb_build_object('digest_group', v_digest.digest_group))
  on conflict (company_id, event_id, user_id, type, channel) where event_id is not null do nothing returning id into v_id;
  if v_id is not null then
    perform app.enqueue_task('deliver_notification', jsonb_build_object('notification_id', v_id), p_company_id);
  end if;
  return v_id is not null;
end $$;
alter function app.close_digest(uuid, uuid, text, text, text, timestamptz) owner to app_definer;
revoke all on function app.close_digest(uuid, uuid, text, text, text, timestamptz) from public;
grant execute on function app.close_digest(uuid, uuid, text, text, text, timestamptz) to service_role;
