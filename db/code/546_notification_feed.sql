-- The feed of a member, and why he was told or not. Invariant: a member says of his own messages what he has seen, read and put away, and
-- nothing else; of others the decisions are read by whoever may.

grant update (seen_at, read_at, archived_at) on public.notification_queue to authenticated;

-- Marks messages of the caller's feed, these or all; returns how many were not marked yet.
create or replace function app.mark_notifications(p_mark text, p_ids uuid[]) returns integer
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_count integer;
begin
  if cardinality(p_ids) > 1000 then
    raise exception using errcode = 'TH422', constraint = 'notification_ids_invalid', message = 'Up to 1000 messages are marked at once.',
      hint = 'Without ids all are.';
  end if;
  update public.notification_queue q
     set seen_at = coalesce(q.seen_at, now()),
         read_at = case when p_mark in ('read', 'archived') then coalesce(q.read_at, now()) else q.read_at end,
         archived_at = case when p_mark = 'archived' then coalesce(q.archived_at, now()) else q.archived_at end
   where q.company_id = app.company_id() and q.user_id = auth.uid() and q.channel = 'in_app' and (p_ids is null or q.id = any (p_ids))
     and case p_mark when 'seen' then q.seen_at is null when 'read' then q.read_at is null else q.archived_at is null end;
  get diagnostics v_count = row_count;
  return v_count;
end $$;
revoke all on function app.mark_notifications(text, uuid[]) from public;
grant execute on function app.mark_notifications(text, uuid[]) to authenticated;

create or replace function public.mark_notifications_seen(ids uuid[] default null) returns integer
  language sql volatile
  set search_path = ''
as $$ select app.mark_notifications('seen', ids) $$;
comment on function public.mark_notifications_seen(uuid[]) is 'Marks messages of the caller''s feed as shown to him, these or all; returns how many.';
create or replace function public.mark_notifications_read(ids uuid[] default null) returns integer
  language sql volatile
  set search_path = ''
as $$ select app.mark_notifications('read', ids) $$;
comment on function public.mark_notifications_read(uuid[]) is 'Marks messages of the caller''s feed as read, these or all; returns how many.';
create or replace function public.mark_notifications_archived(ids uuid[] default null) returns integer
  language sql volatile
  set search_path = ''
as $$ select app.mark_notifications('archived', ids) $$;
comment on function public.mark_notifications_archived(uuid[]) is 'Puts messages of the caller''s feed away, these or all; returns how many.';
create or replace function public.unread_notifications() returns integer
  language sql stable
  set search_path = ''
as $$
  select count(*)::integer from (
    select from public.notification_queue q
     where q.company_id = app.company_id() and q.user_id = auth.uid() and q.channel = 'in_app' and q.read_at is null and q.archived_at is null
     limit 1000) n
$$;
comment on function public.unread_notifications() is 'How many messages of the caller''s feed are not read, up to 1000.';
revoke all on function public.mark_notifications_seen(uuid[]), public.mark_notifications_read(uuid[]), public.mark_notifications_archived(uuid[]),
  public.unread_notifications() from public;
grant execute on function public.mark_notifications_seen(uuid[]), public.mark_notifications_read(uuid[]), public.mark_notifications_archived(uuid[]),
  public.unread_notifications() to authenticated;

select app.protect('app.notification_decisions', 'notification_decisions', p_own_column => 'user_id', p_verbs => '{read}');
revoke insert, update, delete on app.notification_decisions from service_role;

-- Whether something is still to be decided of a row or event of the caller's company.
create or replace function app.is_notification_waiting(p_entity_id uuid, p_event_id uuid) returns boolean
  language sql stable security definer
  set search_path = ''
as $$
  select exists (select from app.notification_events e
                  where e.company_id = app.company_id() and e.done_at is null and (e.id = p_event_id or e.entity_id = p_entity_id))
$$;
alter function app.is_notification_waiting(uuid, uuid) owner to app_definer;
revoke all on function app.is_notification_waiting(uuid, uuid) from public;
grant execute on function app.is_notification_waiting(uuid, uuid) to authenticated;

-- Why somebody was told of a row or an event, or was not: of himself anybody may ask, of others whoever holds notification_decisions:read.
create or replace function public.why_not_notified(entity_id uuid default null, event_id uuid default null, user_id uuid default auth.uid())
  returns table (decided_at timestamptz, event text, topic text, channel text, decision text, reason text, note text, event_key uuid)
  language plpgsql stable
  set search_path = ''
as $$
#variable_conflict use_variable
begin
  if (why_not_notified.entity_id is null) = ($2 is null) then
    raise exception using errcode = 'TH422', constraint = 'notification_question_invalid', message = 'Ask of a row or of an event: entity_id or event_id.';
  elsif $3 is distinct from auth.uid() and not app.has_permission('notification_decisions:read') then
    raise exception using errcode = 'TH403', constraint = 'permission_denied', message = 'You need the permission notification_decisions:read.';
  end if;
  return query
  select d.created_at, d.event, d.topic, d.channel, d.decision, d.reason, d.note, d.event_id from app.notification_decisions d
   where d.company_id = app.company_id() and d.user_id = $3 and (d.entity_id = $1 or d.event_id = $2) order by d.id limit 1000;
  if not found then
    return query
    select null::timestamptz, null::text, null::text, null::text, 'withheld',
           case when app.is_notification_waiting($1, $2) then 'waiting'
                when exists (select from app.notification_decisions d
                              where d.company_id = app.company_id() and (d.entity_id = $1 or d.event_id = $2)) then 'not_in_audience'
                else 'nothing_told' end, null::text, $2;
  end if;
end $$;
comment on function public.why_not_notified(uuid, uuid, uuid) is 'Why a member was told of a row or an event by each way, or why he was not.';
revoke all on function public.why_not_notified(uuid, uuid, uuid) from public;
grant execute on function public.why_not_notified(uuid, uuid, uuid) to authenticated;
