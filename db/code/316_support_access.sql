-- Support works in a company as one of its members: only while the company agrees, with a reason, for a short while, and under both names.
-- Invariants: without an open consent there is no such session, and with the consent it ends; it reaches one company; it never changes what
-- lets somebody in, who owns the company or whether it is there; every audit row made in it names both.

-- Who of support acts in this transaction; null when nobody does. The claim is written by app.open_request from the session's row.
create or replace function app.impersonated_by() returns text
  language sql stable parallel safe
  return auth.jwt() ->> 'impersonated_by';
comment on function app.impersonated_by() is 'Who of support works here in place of the user, or NULL.';
revoke all on function app.impersonated_by() from public;
grant execute on function app.impersonated_by() to anon, authenticated, service_role, app_definer;

create or replace function app.refuse_impersonation() returns void
  language plpgsql stable
  set search_path = ''
as $$
begin
  if app.impersonated_by() is not null then
    raise exception using errcode = 'TH403', constraint = 'impersonation_not_allowed',
      message = 'Support cannot do this in place of a member.';
  end if;
end $$;
revoke all on function app.refuse_impersonation() from public;
grant execute on function app.refuse_impersonation() to anon, authenticated, service_role, app_definer;

create or replace function app.guard_impersonation() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  perform app.refuse_impersonation();
  return case tg_op when 'DELETE' then old else new end;
end $$;
revoke all on function app.guard_impersonation() from public;

-- Also where a function with more rights than the caller's writes them.
create or replace trigger a_impersonation before insert or delete on public.companies
  for each row when (app.impersonated_by() is not null) execute function app.guard_impersonation();
create or replace trigger a_impersonation_update
  before update of owner_id, archived_at, deleted_at, permanent_delete_scheduled_at, subscription_cancel_at_period_end on public.companies
  for each row when (app.impersonated_by() is not null
                     and (old.owner_id, old.archived_at, old.deleted_at, old.permanent_delete_scheduled_at, old.subscription_cancel_at_period_end)
                         is distinct from
                         (new.owner_id, new.archived_at, new.deleted_at, new.permanent_delete_scheduled_at, new.subscription_cancel_at_period_end))
  execute function app.guard_impersonation();
create or replace trigger a_impersonation before insert or delete on public.team_members
  for each row when (app.impersonated_by() is not null) execute function app.guard_impersonation();
create or replace trigger a_impersonation_update
  before update of user_id, role, role_id, permissions, status, archived_at on public.team_members
  for each row when (app.impersonated_by() is not null) execute function app.guard_impersonation();
do $$
declare
  v_table regclass;
begin
  foreach v_table in array array['public.invitations', 'public.api_keys', 'public.public_links', 'public.scim_tokens', 'public.scim_mappings',
                                 'public.sign_on_providers', 'public.company_domains', 'public.custom_roles', 'public.ownership_transfers',
                                 'public.support_consents', 'public.users', 'app.subscriptions']::regclass[] loop
    execute format('create or replace trigger a_impersonation before insert or update or delete on %s
                      for each row when (app.impersonated_by() is not null) execute function app.guard_impersonation()', v_table);
  end loop;
end $$;
-- Where events are sent, too: that would go on being told there. What a delivery notes of itself is no part of it.
create or replace trigger a_impersonation before insert or delete or update of url, secret, custom_headers, events, is_active on public.webhooks
  for each row when (app.impersonated_by() is not null) execute function app.guard_impersonation();

-- Ends what support does in a company, or one of it.
create or replace function app.end_support(p_company_id uuid, p_id uuid) returns bigint
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_count bigint;
begin
  update auth.sessions s set revoked_at = now()
    from public.support_sessions w
   where w.company_id = p_company_id and w.id = coalesce(p_id, w.id) and w.ended_at is null and s.id = w.session_id and s.revoked_at is null;
  get diagnostics v_count = row_count;
  return v_count;
end $$;
revoke all on function app.end_support(uuid, uuid) from public;
grant execute on function app.end_support(uuid, uuid) to app_definer;

-- Whoever ends the session: the company, the member in whose place it was, a sign-out.
create or replace function app.support_ended() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  update public.support_sessions w set ended_at = new.revoked_at, ended_by = auth.uid() where w.session_id = new.id and w.ended_at is null;
  return null;
end $$;
alter function app.support_ended() owner to app_definer;
revoke all on function app.support_ended() from public;
create or replace trigger support_ended after update of revoked_at on auth.sessions
  for each row when (new.impersonated_by is not null and old.revoked_at is null and new.revoked_at is not null) execute function app.support_ended();

create or replace function app.check_support_manager() returns void
  language plpgsql stable
  set search_path = ''
as $$
begin
  perform app.refuse_impersonation();
  perform app.demand('support_access:manage');
end $$;
revoke all on function app.check_support_manager() from public;
grant execute on function app.check_support_manager() to app_definer;

create or replace function public.grant_support_access(hours integer default null, reason text default null) returns jsonb
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_company constant uuid := app.company_id();
  v_row     public.support_consents;
begin
  perform app.check_support_manager();
  if grant_support_access.hours not between 1 and 720 or length(grant_support_access.reason) > 500 then
    raise exception using errcode = 'TH422', constraint = 'support_consent_invalid',
      message = 'A consent is for 1 to 720 hours, or without hours until it is taken back; its reason has at most 500 characters.';
  end if;
  -- The new one takes the place of the open one; whoever works under that goes.
  -- First the consent, which whoever is just opening a session holds: when it is had, his session is there to be ended.
  update public.support_consents c set revoked_at = now(), revoked_by = auth.uid() where c.company_id = v_company and c.revoked_at is null;
  perform app.end_support(v_company, null);
  insert into public.support_consents (company_id, granted_by, reason, expires_at)
  values (v_company, auth.uid(), nullif(btrim(grant_support_access.reason), ''), now() + make_interval(hours => grant_support_access.hours))
  returning * into v_row;
  return jsonb_build_object('id', v_row.id, 'created_at', v_row.created_at, 'expires_at', v_row.expires_at);
end $$;
comment on function public.grant_support_access(integer, text) is
  'Lets support work in the caller''s company for some hours, or until that is taken back. Needs support_access:manage.';
alter function public.grant_support_access(integer, text) owner to app_definer;
revoke all on function public.grant_support_access(integer, text) from public;
grant execute on function public.grant_support_access(integer, text) to authenticated;

create or replace function public.revoke_support_access() returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_company constant uuid := app.company_id();
  v_count   bigint;
begin
  perform app.check_support_manager();
  update public.support_consents c set revoked_at = now(), revoked_by = auth.uid() where c.company_id = v_company and c.revoked_at is null;
  get diagnostics v_count = row_count;
  perform app.end_support(v_company, null);
  return v_count;
end $$;
comment on function public.revoke_support_access() is
  'Takes back that support may work in the caller''s company; whoever does is out at the next request. Answers how many consents were open.';
alter function public.revoke_support_access() owner to app_definer;
revoke all on function public.revoke_support_access() from public;
grant execute on function public.revoke_support_access() to authenticated;

create or replace function public.end_support_session(id uuid) returns boolean
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  perform app.check_support_manager();
  return app.end_support(app.company_id(), coalesce(end_support_session.id, '00000000-0000-0000-0000-000000000000')) > 0;
end $$;
comment on function public.end_support_session(uuid) is
  'Ends one session of support in the caller''s company at once. Answers whether there was one.';
alter function public.end_support_session(uuid) owner to app_definer;
revoke all on function public.end_support_session(uuid) from public;
grant execute on function public.end_support_session(uuid) to authenticated;

-- Called by the auth service, which signs the session's token.
create or replace function app.open_support_session(p_company_id uuid, p_user_id uuid, p_session_id uuid, p_operator text, p_reason text,
                                                    p_not_after timestamptz, p_now timestamptz) returns timestamptz
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_consent   public.support_consents;
  v_not_after timestamptz;
begin
  -- Locked, so that whoever takes it back at this moment ends this session, too. A program that works in a company asks for that one.
  select * into v_consent from public.support_consents c
   where c.company_id = p_company_id and p_company_id = coalesce(app.company_id(), p_company_id) and c.revoked_at is null and coalesce(c.expires_at > p_now, true) for no key update;
  if not found then
    raise exception using errcode = 'TH403', constraint = 'support_consent_missing',
      message = 'The company has not agreed that support works in it.',
      hint = 'A member with support_access:manage calls grant_support_access.';
  end if;
  if not exists (select from public.team_members m join public.companies c on c.id = m.company_id join auth.users u on u.id = m.user_id
                  where m.company_id = p_company_id and m.user_id = p_user_id and m.status = 'active' and m.archived_at is null
                    and c.deleted_at is null and c.archived_at is null
                    and u.deleted_at is null and (u.banned_until is null or u.banned_until <= p_now)) then
    raise exception using errcode = 'TH404', constraint = 'member_not_found', message = 'There is no such active member.';
  end if;
  v_not_after := least(p_not_after, v_consent.expires_at);
  insert into auth.sessions (id, user_id, active_company_id, aal, amr, not_after, impersonated_by, created_at, updated_at)
  values (p_session_id, p_user_id, p_company_id, 'aal1',
          jsonb_build_array(jsonb_build_object('method', 'support', 'timestamp', floor(extract(epoch from p_now))::bigint)), v_not_after, p_operator, p_now, p_now);
  insert into public.support_sessions (company_id, consent_id, user_id, session_id, operator, reason, expires_at)
  values (p_company_id, v_consent.id, p_user_id, p_session_id, p_operator, p_reason, v_not_after);
  return v_not_after;
end $$;
alter function app.open_support_session(uuid, uuid, uuid, text, text, timestamptz, timestamptz) owner to app_definer;
revoke all on function app.open_support_session(uuid, uuid, uuid, text, text, timestamptz, timestamptz) from public;
grant execute on function app.open_support_session(uuid, uuid, uuid, text, text, timestamptz, timestamptz) to service_role;
