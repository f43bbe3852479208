-- Invitations: made for an address, sent again, taken back, accepted once by whoever has the address; and the seats that they take.
-- lint: allow context-forged because app.act_for sets what app.open_request found of the caller, and nobody but definer functions may call it
-- Invariants: of a token only its hash is kept; an address has one open invitation of a company; active members and open invitations
-- together are never more than the company's seats, and one row, the company's, is locked before they are counted.

-- What a caller asks for is done in the service's role, since it needs what no caller reaches, but with the caller's own rights: from here
-- on this transaction's context is his, as if he had opened it.
create or replace function app.act_for(p_user_id uuid, p_session_id uuid, p_company_id uuid, p_permission text) returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  -- A service program that works in one company acts for nobody in another.
  if app.company_id() is not null and app.company_id() is distinct from p_company_id then
    perform app.refuse_company();
  end if;
  perform set_config('request.jwt.claims', o.claims, true), set_config('app.company_id', o.company_id::text, true),
          set_config('app.user_id', o.user_id::text, true), set_config('app.member_role', o.member_role, true),
          set_config('app.permissions', o.permissions, true)
     from app.open_request('user', p_user_id, p_session_id, p_company_id,
                           coalesce('{"session_id":"' || p_session_id || '"}', '{}'), p_permission, true) o;
end $$;
comment on function app.act_for(uuid, uuid, uuid, text) is
  'Makes the rest of this transaction a member''s own, if he may open one in that company and holds the permission; the role stays.';
alter function app.act_for(uuid, uuid, uuid, text) owner to app_definer;
revoke all on function app.act_for(uuid, uuid, uuid, text) from public;

-- For whoever is to become a member: whoever has an invitation has his seat. What an invitation takes is looked at when it is there.
create or replace function app.take_seat(p_company_id uuid, p_is_invited boolean) returns void
  language sql volatile security definer
  set search_path = ''
as $$
  select app.check_seats(p_company_id, not p_is_invited, 1)
$$;
alter function app.take_seat(uuid, boolean) owner to app_definer;
revoke all on function app.take_seat(uuid, boolean) from public;

-- For whoever lets a member in again, in the company of this transaction.
create or replace function app.take_seat_here() returns void
  language sql volatile security definer
  set search_path = ''
as $$
  select app.take_seat(app.company_id(), false)
$$;
alter function app.take_seat_here() owner to app_definer;
revoke all on function app.take_seat_here() from public;
grant execute on function app.take_seat_here() to authenticated;

create or replace function app.invitation_token_hash(p_token text) returns text
  language sql immutable
  set search_path = ''
  return encode(sha256(convert_to(coalesce(p_token, ''), 'UTF8')), 'hex');
revoke all on function app.invitation_token_hash(text) from public;
grant execute on function app.invitation_token_hash(text) to app_definer, service_role;

-- Keeps an invitation as it is meant, whoever means it; its time begins now. Its seat is looked at by a trigger.
create or replace function app.add_invitation(p_row public.invitations) returns public.invitations
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_rules app.company_rules;
  v_row   public.invitations;
begin
  select * into v_rules from app.company_rules;
  perform from public.companies c where c.id = p_row.company_id for no key update;
  -- A new invitation to the same address takes the place of the open one.
  update public.invitations i set revoked_at = now()
   where i.company_id = p_row.company_id and i.email_key = lower(btrim(p_row.email)) and i.used_at is null and i.revoked_at is null;
  if (select count(*) from public.invitations i
       where i.company_id = p_row.company_id and i.used_at is null and i.revoked_at is null and i.expires_at > now()) >= v_rules.invitations_open_max then
    raise exception using errcode = 'TH409', constraint = 'invitations_exhausted',
      message = format('A company has at most %s open invitations.', v_rules.invitations_open_max), hint = 'Revoke those that nobody accepts.';
  end if;
  insert into public.invitations (company_id, email, name, role, role_id, department_id, token_hash, invited_by, expires_at, is_mailed, sent_at)
  values (p_row.company_id, btrim(p_row.email), left(p_row.name, 200), p_row.role, p_row.role_id, p_row.department_id, p_row.token_hash,
          p_row.invited_by, now() + make_interval(secs => v_rules.invitation_seconds), p_row.is_mailed,
          case when p_row.is_mailed then now() end)
  returning * into v_row;
  return v_row;
end $$;
alter function app.add_invitation(public.invitations) owner to app_definer;
revoke all on function app.add_invitation(public.invitations) from public;

-- For the caller in the company of this transaction.
create or replace function app.make_invitation(p_email text, p_role text, p_name text, p_role_id uuid, p_department_id uuid,
                                               p_token_hash text, p_is_mailed boolean)
  returns public.invitations
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_user    uuid := app.caller();
  v_company uuid := app.company_id();
  v_row     public.invitations;
begin
  perform app.demand('members:invite');
  if p_role is null or p_role not in ('admin', 'manager', 'dispatcher', 'technician', 'csr', 'member', 'viewer')
     or p_role_id is not null and not exists (select from public.custom_roles r where r.company_id = v_company and r.id = p_role_id) then
    raise exception using errcode = 'TH422', constraint = 'role_unknown', message = 'Nobody can be invited as this.',
      hint = 'A role is admin, manager, dispatcher, technician, csr, member or viewer, and role_id one of the company''s own.';
  end if;
  if p_department_id is not null
     and not exists (select from public.departments d where d.company_id = v_company and d.id = p_department_id) then
    raise exception using errcode = 'TH422', constraint = 'department_unknown', message = 'The company has no such department.';
  end if;
  perform app.check_grantable('', app.effective_permissions(v_company, p_role, p_role_id, '{}'));
  if exists (select from public.team_members m join auth.users u on u.id = m.user_id
              where m.company_id = v_company and u.email_key = lower(btrim(p_email))) then
    raise exception using errcode = 'TH409', constraint = 'already_member', message = 'This person is a member already.';
  end if;
  v_row.company_id := v_company;
  v_row.email := p_email;
  v_row.name := p_name;
  v_row.role := p_role;
  v_row.role_id := p_role_id;
  v_row.department_id := p_department_id;
  v_row.token_hash := p_token_hash;
  v_row.invited_by := v_user;
  v_row.is_mailed := p_is_mailed;
  return app.add_invitation(v_row);
end $$;
alter function app.make_invitation(text, text, text, uuid, uuid, text, boolean) owner to app_definer;
revoke all on function app.make_invitation(text, text, text, uuid, uuid, text, boolean) from public;

-- For the server, which mails the token and tells nobody else.
create or replace function app.mail_invitation(p_user_id uuid, p_session_id uuid, p_company_id uuid, p_email text, p_role text, p_name text,
                                               p_role_id uuid, p_department_id uuid, p_token_hash text)
  returns public.invitations
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  perform app.act_for(p_user_id, p_session_id, p_company_id, 'members:invite');
  return app.make_invitation(p_email, p_role, p_name, p_role_id, p_department_id, p_token_hash, true);
end $$;
alter function app.mail_invitation(uuid, uuid, uuid, text, text, text, uuid, uuid, text) owner to app_definer;
revoke all on function app.mail_invitation(uuid, uuid, uuid, text, text, text, uuid, uuid, text) from public;
grant execute on function app.mail_invitation(uuid, uuid, uuid, text, text, text, uuid, uuid, text) to service_role;

create or replace function public.invite_member(email text, role text, name text default null,
                                                role_id uuid default null, department_id uuid default null)
  returns jsonb
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  -- 244 random bits.
  v_token text := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
begin
  perform app.caller();
  return (to_jsonb(app.make_invitation(email, role, name, role_id, department_id, app.invitation_token_hash(v_token), false)) - 'token_hash')
         || jsonb_build_object('token', v_token);
end $$;
alter function public.invite_member(text, text, text, uuid, uuid) owner to app_definer;
revoke all on function public.invite_member(text, text, text, uuid, uuid) from public;
grant execute on function public.invite_member(text, text, text, uuid, uuid) to authenticated;
comment on function public.invite_member(text, text, text, uuid, uuid) is
  'Invites somebody and answers the token, to be handed over by the caller. By mail: POST /auth/v1/companies/{id}/invitations.';

-- Another token and the whole time again; the one that was sent before is good for nothing.
create or replace function app.renew_invitation(p_user_id uuid, p_session_id uuid, p_company_id uuid, p_id uuid, p_token_hash text)
  returns public.invitations
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_row public.invitations;
begin
  perform app.act_for(p_user_id, p_session_id, p_company_id, 'members:invite');
  perform from public.companies c where c.id = app.company_id() for no key update;
  select * into v_row from public.invitations i
   where i.company_id = app.company_id() and i.id = p_id and i.used_at is null and i.revoked_at is null for no key update;
  if not found then
    raise exception using errcode = 'TH404', constraint = 'invitation_not_found', message = 'There is no open invitation of this id.';
  end if;
  perform app.check_grantable('', app.effective_permissions(v_row.company_id, v_row.role, v_row.role_id, '{}'));
  if v_row.expires_at <= now() then
    perform app.take_seat(v_row.company_id, false);
  end if;
  update public.invitations i
     set token_hash = p_token_hash, is_mailed = true, sent_at = now(), invited_by = app.caller(),
         expires_at = now() + make_interval(secs => (select r.invitation_seconds from app.company_rules r))
   where i.company_id = v_row.company_id and i.id = v_row.id
  returning * into v_row;
  return v_row;
end $$;
alter function app.renew_invitation(uuid, uuid, uuid, uuid, text) owner to app_definer;
revoke all on function app.renew_invitation(uuid, uuid, uuid, uuid, text) from public;
grant execute on function app.renew_invitation(uuid, uuid, uuid, uuid, text) to service_role;

create or replace function public.revoke_invitation(id uuid) returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
#variable_conflict use_column
begin
  perform app.caller();
  perform app.demand('invitations:delete');
  update public.invitations i set revoked_at = now()
   where i.company_id = app.company_id() and i.id = revoke_invitation.id and i.used_at is null and i.revoked_at is null;
  if not found then
    raise exception using errcode = 'TH404', constraint = 'invitation_not_found', message = 'There is no open invitation of this id.';
  end if;
end $$;
alter function public.revoke_invitation(uuid) owner to app_definer;
revoke all on function public.revoke_invitation(uuid) from public;
grant execute on function public.revoke_invitation(uuid) to authenticated;
comment on function public.revoke_invitation(uuid) is 'Takes an open invitation back: its token is good for nothing from now on.';

-- The open invitation of a token, locked with its company. Whoever has the token may know how it stands.
create or replace function app.open_invitation(p_token text) returns public.invitations
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_row public.invitations;
begin
  -- The company first, as whoever invites has it.
  perform from public.companies c
   where c.id = (select i.company_id from public.invitations i where i.token_hash = app.invitation_token_hash(p_token))
     and c.deleted_at is null and c.archived_at is null
     and (current_setting('role') <> 'service_role' or c.id = coalesce(app.company_id(), c.id))
     for no key update;
  if found then
    select * into v_row from public.invitations i where i.token_hash = app.invitation_token_hash(p_token) for no key update;
  end if;
  if v_row.id is null then
    raise exception using errcode = 'TH404', constraint = 'invitation_not_found', message = 'There is no such invitation.';
  elsif v_row.used_at is not null then
    raise exception using errcode = 'TH409', constraint = 'invitation_used', message = 'This invitation was accepted already.';
  elsif v_row.revoked_at is not null then
    raise exception using errcode = 'TH410', constraint = 'invitation_revoked', message = 'This invitation was taken back.',
      hint = 'Perhaps a newer one was sent.';
  elsif v_row.expires_at <= now() then
    raise exception using errcode = 'TH410', constraint = 'invitation_expired', message = 'This invitation is over.',
      hint = 'Ask for another one.';
  end if;
  return v_row;
end $$;
alter function app.open_invitation(text) owner to app_definer;
revoke all on function app.open_invitation(text) from public;
grant execute on function app.open_invitation(text) to service_role;

create or replace function app.accept_invitation_as(p_user_id uuid, p_session_id uuid, p_token text) returns public.team_members
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_row    public.invitations := app.open_invitation(p_token);
  v_member public.team_members;
begin
  -- Whoever has a token that was mailed reads the mailbox. Of one that was handed over nothing follows, and an address that merely counts
  -- as confirmed may be anybody's.
  if v_row.is_mailed then
    update auth.users u set email_proved_at = now()
     where u.id = p_user_id and u.email_key = v_row.email_key and u.email_confirmed_at is not null and u.email_proved_at is null;
  end if;
  if not exists (select from auth.users u where u.id = p_user_id and u.email_key = v_row.email_key and u.email_proved_at is not null) then
    raise exception using errcode = 'TH403', constraint = 'invitation_other_address',
      message = 'This invitation is for another e-mail address, or for one that you have to prove first.',
      hint = 'Sign in with a link or code that is mailed to the address.';
  end if;
  if exists (select from public.team_members m where m.company_id = v_row.company_id and m.user_id = p_user_id) then
    raise exception using errcode = 'TH409', constraint = 'already_member', message = 'You are a member already.';
  end if;
  insert into public.team_members (company_id, user_id, role, role_id, department_id, invited_by, invited_at)
  values (v_row.company_id, p_user_id, v_row.role, v_row.role_id, v_row.department_id, v_row.invited_by, v_row.created_at)
  returning * into v_member;
  update public.invitations i set used_at = now(), accepted_by = p_user_id
   where i.company_id = v_row.company_id and i.id = v_row.id;
  perform app.activate_if_none(v_row.company_id, p_user_id, p_session_id);
  return v_member;
end $$;
alter function app.accept_invitation_as(uuid, uuid, text) owner to app_definer;
revoke all on function app.accept_invitation_as(uuid, uuid, text) from public;
grant execute on function app.accept_invitation_as(uuid, uuid, text) to service_role;

create or replace function public.accept_invitation(token text) returns public.team_members
  language sql volatile security definer
  set search_path = ''
as $$
  select * from app.accept_invitation_as(app.caller(), (auth.jwt() ->> 'session_id')::uuid, accept_invitation.token)
$$;
alter function public.accept_invitation(text) owner to app_definer;
revoke all on function public.accept_invitation(text) from public;
grant execute on function public.accept_invitation(text) to authenticated;
comment on function public.accept_invitation(text) is 'Makes the caller a member, if the invitation is for his confirmed address.';
