-- What happened to accounts, written beside each change in its own transaction: whatever route changed it, and whichever will.
-- Invariants: no sign-in, and no change of what lets somebody in, is without a row here; a row holds nothing that lets somebody in.

-- From where it came, as the server says it of the request.
create or replace function app.note_security_event(p_user_id uuid, p_action text, p_session_id uuid, p_details jsonb) returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_headers constant jsonb := nullif(current_setting('request.headers', true), '')::jsonb;
begin
  -- What goes with an account has nobody left to tell.
  insert into auth.security_events (user_id, action, session_id, ip, user_agent, details)
  select u.id, p_action, p_session_id,
         case when v_headers ->> 'x-real-ip' ~ '^[0-9a-f.:]{2,45}$' then (v_headers ->> 'x-real-ip')::inet end,
         left(v_headers ->> 'user-agent', 1000), coalesce(p_details, '{}')
    from auth.users u where u.id = p_user_id;
end $$;
revoke all on function app.note_security_event(uuid, text, uuid, jsonb) from public;
grant execute on function app.note_security_event(uuid, text, uuid, jsonb) to app_definer;

create or replace function app.note_session() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  if new.impersonated_by is not null then
    perform app.note_security_event(new.user_id, case tg_op when 'INSERT' then 'support_began' else 'support_ended' end, new.id,
                                    jsonb_build_object('operator', new.impersonated_by, 'company_id', new.active_company_id));
    return null;
  elsif tg_op = 'UPDATE' then
    perform app.note_security_event(new.user_id, 'logout', new.id, null);
    return null;
  end if;
  insert into auth.security_events (user_id, action, session_id, ip, user_agent, details)
  values (new.user_id, 'login', new.id, new.ip, new.user_agent,
          jsonb_build_object('method', new.amr -> 0 ->> 'method',
                             -- One that none of his sessions came from, though he had some.
                             'new_device', exists (select from auth.sessions s where s.user_id = new.user_id and s.id <> new.id and s.impersonated_by is null)
                               and not exists (select from auth.sessions s where s.user_id = new.user_id and s.id <> new.id and s.impersonated_by is null
                                                  and s.user_agent is not distinct from new.user_agent)));
  return null;
end $$;
alter function app.note_session() owner to app_definer;
revoke all on function app.note_session() from public;
create or replace trigger note_login after insert on auth.sessions for each row execute function app.note_session();
create or replace trigger note_logout after update of revoked_at on auth.sessions
  for each row when (old.revoked_at is null and new.revoked_at is not null) execute function app.note_session();

create or replace function app.note_account() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_changed text[] := '{}';
begin
  if tg_op = 'INSERT' then
    perform app.note_security_event(new.id, 'user_signedup', null,
                                    jsonb_build_object('provider', new.raw_app_meta_data ->> 'provider', 'invited', new.invited_at is not null));
    return null;
  end if;
  -- A hash that is made anew at a sign-in is of the same password.
  if new.encrypted_password is distinct from old.encrypted_password and new.last_sign_in_at is not distinct from old.last_sign_in_at then
    perform app.note_security_event(new.id, 'user_updated_password', null, null);
  end if;
  if new.email_key is distinct from old.email_key then
    v_changed := v_changed || 'email'::text;
  end if;
  if new.phone is distinct from old.phone then
    v_changed := v_changed || 'phone'::text;
  end if;
  if new.banned_until is distinct from old.banned_until then
    v_changed := v_changed || 'banned_until'::text;
  end if;
  if new.deleted_at is distinct from old.deleted_at then
    v_changed := v_changed || 'deleted_at'::text;
  end if;
  if v_changed <> '{}' then
    perform app.note_security_event(new.id, case when new.deleted_at is not null then 'user_deleted' else 'user_modified' end, null,
                                    jsonb_build_object('changed', v_changed));
  end if;
  return null;
end $$;
alter function app.note_account() owner to app_definer;
revoke all on function app.note_account() from public;
create or replace trigger note_account after insert or update of encrypted_password, email, phone, banned_until, deleted_at on auth.users
  for each row execute function app.note_account();

create or replace function app.note_factor() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  if tg_op = 'DELETE' then
    perform app.note_security_event(old.user_id, 'factor_removed', null,
                                    jsonb_build_object('factor_id', old.id, 'type', old.factor_type, 'name', old.friendly_name));
  else
    perform app.note_security_event(new.user_id, 'factor_added', null,
                                    jsonb_build_object('factor_id', new.id, 'type', new.factor_type, 'name', new.friendly_name));
  end if;
  return null;
end $$;
alter function app.note_factor() owner to app_definer;
revoke all on function app.note_factor() from public;
create or replace trigger note_factor_made after insert on auth.mfa_factors
  for each row when (new.status = 'verified') execute function app.note_factor();
create or replace trigger note_factor_proved after update of status on auth.mfa_factors
  for each row when (old.status <> 'verified' and new.status = 'verified') execute function app.note_factor();
create or replace trigger note_factor_removed after delete on auth.mfa_factors
  for each row when (old.status = 'verified') execute function app.note_factor();

create or replace function app.note_identity() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  if tg_op = 'DELETE' then
    perform app.note_security_event(old.user_id, 'identity_unlinked', null, jsonb_build_object('provider', old.provider));
  -- The first is the sign-up itself.
  elsif exists (select from auth.identities i where i.user_id = new.user_id and i.id <> new.id) then
    perform app.note_security_event(new.user_id, 'identity_linked', null, jsonb_build_object('provider', new.provider));
  end if;
  return null;
end $$;
alter function app.note_identity() owner to app_definer;
revoke all on function app.note_identity() from public;
create or replace trigger note_identity after insert or delete on auth.identities for each row execute function app.note_identity();

create or replace function app.note_api_key() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  perform app.note_security_event(auth.uid(), case tg_op when 'INSERT' then 'api_key_created' else 'api_key_revoked' end, null,
                                  jsonb_build_object('company_id', new.company_id, 'api_key_id', new.id, 'name', new.name));
  return null;
end $$;
alter function app.note_api_key() owner to app_definer;
revoke all on function app.note_api_key() from public;
create or replace trigger note_made after insert on public.api_keys for each row execute function app.note_api_key();
create or replace trigger note_revoked after update of revoked_at on public.api_keys
  for each row when (old.revoked_at is null and new.revoked_at is not null) execute function app.note_api_key();

-- Keys that a person made, in companies that he still works in.
create or replace function app.api_keys_of(p_user_id uuid) returns jsonb
  language sql stable security definer
  set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object('id', k.id, 'company_id', k.company_id, 'company', c.name, 'name', k.name, 'prefix', k.key_prefix,
                                               'permissions', k.permissions, 'created_at', k.created_at, 'expires_at', k.expires_at,
                                               'last_used_at', k.last_used_at, 'revoked_at', k.revoked_at) order by k.created_at desc, k.id desc), '[]')
    from (select * from public.api_keys a
           where a.created_by = p_user_id
             and exists (select from public.team_members m
                          where m.company_id = a.company_id and m.user_id = p_user_id and m.status = 'active' and m.archived_at is null)
           order by a.created_at desc, a.id desc limit 200) k
    join public.companies c on c.id = k.company_id and c.deleted_at is null
$$;
alter function app.api_keys_of(uuid) owner to app_definer;
revoke all on function app.api_keys_of(uuid) from public;
grant execute on function app.api_keys_of(uuid) to service_role;

create or replace function app.expire_security_events(p_limit integer) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_days  constant integer := coalesce((select s.value::integer from app.auth_settings s where s.parameter = 'SECURITY_HISTORY_DAYS'), 400);
  v_count bigint;
begin
  delete from auth.security_events e
   where e.id in (select o.id from auth.security_events o where o.id < app.first_id_of(now() - make_interval(days => v_days))
                   order by o.id limit p_limit);
  get diagnostics v_count = row_count;
  return v_count;
end $$;
alter function app.expire_security_events(integer) owner to app_definer;
revoke all on function app.expire_security_events(integer) from public;
grant execute on function app.expire_security_events(integer) to app_definer;

-- A sign-in that was refused changes nothing that a trigger could see. Of an account that is not there it is noted, too: the work is
-- the same. Programs that work in a company have nothing to say of accounts.
create or replace function app.note_refused_sign_in(p_user_id uuid, p_ip inet, p_user_agent text) returns void
  language sql volatile security definer
  set search_path = ''
as $$
  insert into auth.security_events (user_id, action, ip, user_agent)
  select p_user_id, 'login_failed', p_ip, left(p_user_agent, 1000)
   where app.company_id() is null
$$;
alter function app.note_refused_sign_in(uuid, inet, text) owner to app_definer;
revoke all on function app.note_refused_sign_in(uuid, inet, text) from public;
grant execute on function app.note_refused_sign_in(uuid, inet, text) to service_role;

-- Nobody who asks changes what happened.
revoke all on auth.security_events from public, anon, authenticated, service_role;
grant select on auth.security_events to service_role;

-- The same in the shape that other services have for it.
create or replace function app.audit_log_type(p_action text) returns text
  language sql immutable
  set search_path = ''
  return case when p_action ~ '^factor_' then 'factor' when p_action in ('login', 'logout', 'login_failed') then 'account'
              when p_action ~ '^(user|identity)_' then 'user' when p_action ~ '^api_key_' then 'token' else 'account' end;
revoke all on function app.audit_log_type(text) from public;
grant execute on function app.audit_log_type(text) to service_role, app_definer;
drop view if exists auth.audit_log_entries;
create view auth.audit_log_entries with (security_invoker = true) as
select '00000000-0000-0000-0000-000000000000'::uuid as instance_id, e.id,
       jsonb_build_object('action', e.action, 'actor_id', coalesce(e.user_id, '00000000-0000-0000-0000-000000000000'),
                          'actor_username', coalesce(nullif(u.email, ''), u.phone, ''), 'actor_via_sso', coalesce(u.is_sso_user, false),
                          'log_type', app.audit_log_type(e.action),
                          'traits', e.details || jsonb_strip_nulls(jsonb_build_object('session_id', e.session_id, 'user_agent', e.user_agent)),
                          'timestamp', to_char(e.created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) as payload,
       e.created_at, coalesce(host(e.ip), '') as ip_address
  from auth.security_events e left join auth.users u on u.id = e.user_id;
comment on view auth.audit_log_entries is 'security_events of all accounts, in the columns that programs of other installations read.';
revoke all on auth.audit_log_entries from public, anon, authenticated, service_role;
grant select on auth.audit_log_entries to service_role;
