-- Members: who may change whom, the log of it, and invitations.
-- Invariants: the owner stays owner until a transfer; nobody changes his own role; nobody gives more than
-- he holds; every change of role or permissions leaves a row in role_change_log.

create or replace function app.guard_member_edit(p_old public.team_members, p_new public.team_members) returns void
  language plpgsql stable
  set search_path = ''
as $$
begin
  if p_old.user_id = auth.uid()
     and (p_old.role, p_old.role_id, p_old.permissions) is distinct from (p_new.role, p_new.role_id, p_new.permissions) then
    raise exception using errcode = 'TH403', constraint = 'own_role_change',
      message = 'Nobody changes his own role or permissions.';
  end if;
  if p_old.user_id = auth.uid()
     and (p_old.status, p_old.archived_at) is distinct from (p_new.status, p_new.archived_at) then
    raise exception using errcode = 'TH403', constraint = 'own_membership',
      message = 'Nobody suspends, archives or removes himself.';
  end if;
  if p_old.role in ('owner', 'admin') and app.member_role() not in ('owner', 'admin') then
    raise exception using errcode = 'TH403', constraint = 'member_outranks',
      message = 'Only the owner and admins may change an owner or admin.';
  end if;
  if (p_old.role, p_old.role_id) is distinct from (p_new.role, p_new.role_id)
     and not app.has_permission('members:change_role') then
    raise exception using errcode = 'TH403', constraint = 'permission_denied',
      message = 'You need the permission members:change_role.';
  end if;
  if p_old.permissions is distinct from p_new.permissions and not app.has_permission('members:set_permissions') then
    raise exception using errcode = 'TH403', constraint = 'permission_denied',
      message = 'You need the permission members:set_permissions.';
  end if;
  perform app.check_grantable(p_old.effective_permissions, p_new.effective_permissions);
end $$;
revoke all on function app.guard_member_edit(public.team_members, public.team_members) from public;
grant execute on function app.guard_member_edit(public.team_members, public.team_members) to authenticated;

create or replace function app.guard_member() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if tg_op = 'DELETE' then
    -- When the company itself goes, its owner's row goes with it.
    if old.role = 'owner' and exists (select from public.companies c where c.id = old.company_id) then
      raise exception using errcode = 'TH422', constraint = 'owner_protected',
        message = 'The owner cannot be removed.', hint = 'Transfer the ownership first.';
    end if;
    if current_user = 'authenticated' and old.user_id = auth.uid() then
      raise exception using errcode = 'TH403', constraint = 'own_membership',
        message = 'Nobody suspends, archives or removes himself.';
    end if;
    return old;
  end if;

  perform app.check_permission_map(new.permissions);
  new.effective_permissions := app.effective_permissions(new.company_id, new.role, new.role_id, new.permissions);
  if tg_op = 'INSERT' then
    select u.name, u.email into new.name, new.email from public.users u where u.id = new.user_id;
  else
    if current_user <> 'app_definer' and old.role = 'owner'
       and (new.role <> 'owner' or new.status <> 'active' or new.archived_at is not null
            or (new.company_id, new.user_id) is distinct from (old.company_id, old.user_id)) then
      raise exception using errcode = 'TH422', constraint = 'owner_protected',
        message = 'The owner can be neither demoted nor suspended nor archived.', hint = 'Transfer the ownership first.';
    end if;
    if current_user <> 'app_definer' and new.role = 'owner' and old.role <> 'owner' then
      raise exception using errcode = 'TH422', constraint = 'ownership_by_transfer',
        message = 'A company changes its owner only by transfer.', hint = 'Call transfer_company_ownership.';
    end if;
    if current_user = 'authenticated' then
      perform app.guard_member_edit(old, new);
    end if;
  end if;
  return new;
end $$;
revoke all on function app.guard_member() from public;
create or replace trigger guard before insert or update or delete on public.team_members
  for each row execute function app.guard_member();

-- A company that a service program made has no owner until the first owner's row comes.
create or replace function app.member_added() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  update public.companies c set owner_id = new.user_id where c.id = new.company_id and c.owner_id is null;
  return null;
end $$;
alter function app.member_added() owner to app_definer;
revoke all on function app.member_added() from public;
create or replace trigger member_added after insert on public.team_members
  for each row when (new.role = 'owner') execute function app.member_added();

create or replace function app.log_role_change() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  insert into public.role_change_log (company_id, user_id, changed_by, old_role, new_role, old_role_id, new_role_id,
                                      old_permissions, new_permissions, reason)
  values (new.company_id, new.user_id, auth.uid(), old.role, new.role, old.role_id, new.role_id,
          old.permissions, new.permissions, nullif(current_setting('app.change_reason', true), ''));
  return null;
end $$;
alter function app.log_role_change() owner to app_definer;
revoke all on function app.log_role_change() from public;
create or replace trigger log_role_change after update on public.team_members
  for each row when ((old.role, old.role_id, old.permissions) is distinct from (new.role, new.role_id, new.permissions))
  execute function app.log_role_change();

-- Runs with the caller's rights: row security and the guard above decide.
create or replace function public.change_member_role(user_id uuid, role text, reason text default null)
  returns public.team_members
  language plpgsql volatile
  set search_path = ''
as $$
#variable_conflict use_column
declare
  v_member public.team_members;
begin
  perform set_config('app.change_reason', coalesce(left(change_member_role.reason, 500), ''), true);
  update public.team_members m set role = change_member_role.role
   where m.company_id = app.company_id() and m.user_id = change_member_role.user_id
  returning * into v_member;
  if not found then
    raise exception using errcode = 'TH404', constraint = 'member_not_found',
      message = 'There is no such member whose role you may change.';
  end if;
  perform set_config('app.change_reason', '', true);
  return v_member;
end $$;
revoke all on function public.change_member_role(uuid, text, text) from public;
grant execute on function public.change_member_role(uuid, text, text) to authenticated, service_role;

-- Invitations --------------------------------------------------------------------------------------

create or replace function public.invite_member(email text, role text, name text default null,
                                                role_id uuid default null, department_id uuid default null)
  returns jsonb
  language plpgsql volatile security definer
  set search_path = ''
as $$
#variable_conflict use_column
declare
  v_user    uuid := app.caller();
  v_company uuid := app.company_id();
  -- 244 random bits.
  v_token   text := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
  v_row     public.invitations;
begin
  if v_company is null then
    raise exception using errcode = 'TH403', constraint = 'company_required', message = 'No company is chosen.';
  end if;
  if not app.has_permission('members:invite') then
    raise exception using errcode = 'TH403', constraint = 'permission_denied',
      message = 'You need the permission members:invite.';
  end if;
  perform app.check_grantable('', app.effective_permissions(v_company, invite_member.role, invite_member.role_id, '{}'));
  if exists (select from public.team_members m join auth.users u on u.id = m.user_id
              where m.company_id = v_company and u.email_key = lower(btrim(invite_member.email))) then
    raise exception using errcode = 'TH409', constraint = 'already_member', message = 'This person is a member already.';
  end if;
  -- A new invitation to the same address takes the place of the open one.
  delete from public.invitations i
   where i.company_id = v_company and i.email_key = lower(btrim(invite_member.email)) and i.used_at is null;
  insert into public.invitations (company_id, email, name, role, role_id, department_id, token_hash, invited_by)
  values (v_company, btrim(invite_member.email), invite_member.name, invite_member.role, invite_member.role_id,
          invite_member.department_id, encode(sha256(v_token::bytea), 'hex'), v_user)
  returning * into v_row;
  return (to_jsonb(v_row) - 'token_hash') || jsonb_build_object('token', v_token);
end $$;
alter function public.invite_member(text, text, text, uuid, uuid) owner to app_definer;
revoke all on function public.invite_member(text, text, text, uuid, uuid) from public;
grant execute on function public.invite_member(text, text, text, uuid, uuid) to authenticated;

create or replace function public.accept_invitation(token text) returns public.team_members
  language plpgsql volatile security definer
  set search_path = ''
as $$
#variable_conflict use_column
declare
  v_user   uuid := app.caller();
  v_row    public.invitations;
  v_member public.team_members;
begin
  select * into v_row from public.invitations i
   where i.token_hash = encode(sha256(convert_to(coalesce(accept_invitation.token, ''), 'UTF8')), 'hex')
   for no key update;
  if not found or v_row.used_at is not null or v_row.expires_at <= now() then
    raise exception using errcode = 'TH404', constraint = 'invitation_not_found',
      message = 'This invitation does not exist, was used or is over.';
  end if;
  if not exists (select from auth.users u where u.id = v_user and u.email_key = v_row.email_key
                    and u.email_confirmed_at is not null) then
    raise exception using errcode = 'TH403', constraint = 'invitation_other_address',
      message = 'This invitation is for another, confirmed e-mail address.';
  end if;
  insert into public.team_members (company_id, user_id, role, role_id, department_id, invited_by, invited_at)
  values (v_row.company_id, v_user, v_row.role, v_row.role_id, v_row.department_id, v_row.invited_by, v_row.created_at)
  on conflict (company_id, user_id) do nothing
  returning * into v_member;
  if not found then
    raise exception using errcode = 'TH409', constraint = 'already_member', message = 'You are a member already.';
  end if;
  update public.invitations i set used_at = now(), accepted_by = v_user
   where i.company_id = v_row.company_id and i.id = v_row.id;
  perform app.activate_if_none(v_row.company_id);
  return v_member;
end $$;
alter function public.accept_invitation(text) owner to app_definer;
revoke all on function public.accept_invitation(text) from public;
grant execute on function public.accept_invitation(text) to authenticated;
