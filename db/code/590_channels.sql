-- Private channels: who may join which, and who may send there. The policies of realtime.messages say so; those of a product are written
-- beside the ones here.
-- Invariant: a member reaches the channels of his company and of no other; who asks is what the transaction's opening set.

grant usage on schema realtime to anon, authenticated, guest, service_role, app_definer;
grant create on schema realtime to app_definer;

create or replace function realtime.topic() returns text
  language sql stable parallel safe
  return nullif(pg_catalog.current_setting('realtime.topic', true), '');
comment on function realtime.topic() is 'The name of the channel that somebody wants to join or to send to.';
revoke all on function realtime.topic() from public;
grant execute on function realtime.topic() to anon, authenticated, guest, service_role, app_definer;

-- Whether a name is what permissions are about: jobs, invoices.
create or replace function app.is_noun(p_name text) returns boolean
  language sql stable
  set search_path = ''
  return exists (select from app.protected_tables t where t.noun = p_name);
revoke all on function app.is_noun(text) from public;
grant execute on function app.is_noun(text) to anon, authenticated, service_role, app_definer;

-- company:<id>:<name> is of all active members of the company; where the name is what permissions are about, of those who read all of it.
-- task:<id>, import:<id> and export:<id> are of those who may read that row.
create or replace function app.may_hear() returns boolean
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_kind constant text := split_part(realtime.topic(), ':', 1);
  v_text constant text := split_part(realtime.topic(), ':', 2);
  v_name constant text := split_part(realtime.topic(), ':', 3);
  v_id   uuid;
begin
  if app.company_id() is null or v_text !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    return false;
  end if;
  v_id := v_text::uuid;
  case v_kind
    when 'company' then
      return v_id = app.company_id() and (not app.is_noun(v_name) or app.has_permission(v_name || ':read'));
    when 'task' then
      return exists (select from app.tasks t where t.company_id = app.company_id() and t.id = v_id)
          or exists (select from app.done_tasks t where t.company_id = app.company_id() and t.id = v_id)
          or exists (select from app.dead_tasks t where t.company_id = app.company_id() and t.id = v_id);
    when 'import' then
      return exists (select from public.data_imports i where i.company_id = app.company_id() and i.id = v_id);
    when 'export' then
      return exists (select from public.data_exports e where e.company_id = app.company_id() and e.id = v_id);
    else
      return false;
  end case;
end $$;
comment on function app.may_hear() is 'Whether the caller may join the channel, where it has its rules from the house.';
revoke all on function app.may_hear() from public;
grant execute on function app.may_hear() to authenticated;

-- What the server itself tells, of tasks and files, nobody else does in its place.
create or replace function app.may_tell() returns boolean
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_name constant text := split_part(realtime.topic(), ':', 3);
  v_held text;
begin
  if split_part(realtime.topic(), ':', 1) <> 'company' or split_part(realtime.topic(), ':', 2) is distinct from app.company_id()::text then
    return false;
  end if;
  if not app.is_noun(v_name) then
    return true;
  end if;
  foreach v_held in array array[':create', ':create_assigned', ':create_own', ':update', ':update_assigned', ':update_own'] loop
    if app.has_permission(v_name || v_held) then
      return true;
    end if;
  end loop;
  return false;
end $$;
comment on function app.may_tell() is 'Whether the caller may send to the channel, where it has its rules from the house.';
revoke all on function app.may_tell() from public;
grant execute on function app.may_tell() to authenticated;

-- Whoever has no policy reaches no row.
revoke all on realtime.messages from public, anon, authenticated, guest, service_role;
grant select, insert on realtime.messages to anon, authenticated, guest;
grant select, insert, update, delete on realtime.messages to service_role;

drop policy if exists channel_hear on realtime.messages;
create policy channel_hear on realtime.messages for select to authenticated
  using (private and topic = (select realtime.topic()) and (select app.may_hear()));
drop policy if exists channel_tell on realtime.messages;
create policy channel_tell on realtime.messages for insert to authenticated
  with check (private and topic = (select realtime.topic())
              and case extension when 'presence' then (select app.may_hear())
                                     else (select app.may_tell()) end);

-- Rows for the policies to look at. Whoever calls it rolls back.
create or replace function app.probe_channel(p_topic text) returns uuid[]
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_ids constant uuid[] := array[gen_random_uuid(), gen_random_uuid()];
begin
  insert into realtime.messages (id, topic, extension, private) values (v_ids[1], p_topic, 'broadcast', true), (v_ids[2], p_topic, 'presence', true);
  return v_ids;
end $$;
alter function app.probe_channel(text) owner to app_definer;
revoke all on function app.probe_channel(text) from public;
grant execute on function app.probe_channel(text) to anon, authenticated, guest, service_role;

-- Says what the caller may in a private channel. It runs as he, so that the policies decide, in a transaction that is rolled back.
create or replace function app.channel_rights(
  p_topic text, out hears_broadcast boolean, out hears_presence boolean, out tells_broadcast boolean, out tells_presence boolean
)
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_ids uuid[];
begin
  perform set_config('realtime.topic', p_topic, true);
  v_ids := app.probe_channel(p_topic);
  select coalesce(bool_or(m.extension = 'broadcast'), false), coalesce(bool_or(m.extension = 'presence'), false)
    into hears_broadcast, hears_presence
    from realtime.messages m where m.id = any (v_ids) and m.inserted_at = now();
  begin
    insert into realtime.messages (topic, extension, private) values (p_topic, 'broadcast', true);
    tells_broadcast := true;
  exception when insufficient_privilege then
    tells_broadcast := false;
  end;
  begin
    insert into realtime.messages (topic, extension, private) values (p_topic, 'presence', true);
    tells_presence := true;
  exception when insufficient_privilege then
    tells_presence := false;
  end;
end $$;
comment on function app.channel_rights(text) is 'What the policies of realtime.messages let the caller do in a private channel. To be rolled back.';
revoke all on function app.channel_rights(text) from public;
grant execute on function app.channel_rights(text) to anon, authenticated, guest, service_role;

-- What stands for all that a caller is: another text is another caller, null is nobody any more. For servers whose change feed lags.
create or replace function app.caller_marks(p_users uuid[], p_sessions uuid[], p_companies uuid[]) returns table (place integer, mark text)
  language sql stable security definer
  set search_path = ''
as $$
  select c.place::integer,
         (select md5(concat_ws('|', s.active_company_id, s.aal, m.company_id, m.role, m.effective_permissions, k.suspended_at, k.writes_until))
            from auth.users u
            left join auth.sessions s on s.id = c.session_id and s.user_id = u.id
            left join public.team_members m on m.company_id = coalesce(c.company_id, s.active_company_id) and m.user_id = u.id
                                           and m.status = 'active' and m.archived_at is null
            left join public.companies k on k.id = m.company_id
           where u.id = c.user_id and u.deleted_at is null and (u.banned_until is null or u.banned_until <= now())
             and (c.session_id is null or (s.id is not null and s.revoked_at is null and (s.not_after is null or s.not_after > now()))))
    from unnest(p_users, p_sessions, p_companies) with ordinality c (user_id, session_id, company_id, place)
$$;
alter function app.caller_marks(uuid[], uuid[], uuid[]) owner to app_definer;
revoke all on function app.caller_marks(uuid[], uuid[], uuid[]) from public;
grant execute on function app.caller_marks(uuid[], uuid[], uuid[]) to service_role;
