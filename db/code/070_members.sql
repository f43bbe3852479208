-- Members: who may change whom, and the log of it.
-- Invariants: the owner stays owner until a transfer; nobody changes his own role; nobody gives more than
-- he holds; every change of role or permissions leaves a row in role_change_log; whoever was removed is remembered.

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
  if (p_old.role, p_old.role_id) is distinct from (p_new.role, p_new.role_id) then
    perform app.demand('members:change_role');
  end if;
  if p_old.permissions is distinct from p_new.permissions then
    perform app.demand('members:set_permissions');
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
      if new.status = 'active' and new.archived_at is null and (old.status <> 'active' or old.archived_at is not null) then
        perform app.take_seat_here();
      end if;
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

-- Whoever was taken out comes back by an invitation or by somebody's hand, and by nothing that he starts himself.
create or replace function app.note_removal() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  if tg_op = 'DELETE' then
    -- With a company or an account that goes nobody is removed from anything.
    insert into app.removed_members as r (company_id, user_id, removed_by)
    select c.id, u.id, auth.uid() from public.companies c, auth.users u where c.id = old.company_id and u.id = old.user_id
    on conflict (company_id, user_id) do update set removed_by = excluded.removed_by, removed_at = excluded.removed_at;
  else
    delete from app.removed_members r where r.company_id = new.company_id and r.user_id = new.user_id;
  end if;
  return null;
end $$;
alter function app.note_removal() owner to app_definer;
revoke all on function app.note_removal() from public;
create or replace trigger note_removal after delete on public.team_members
  for each row execute function app.note_removal();
create or replace trigger note_return after insert or update of status on public.team_members
  for each row when (new.status <> 'requested') execute function app.note_removal();
revoke all on app.removed_members from public, anon, authenticated, service_role;

create or replace function app.was_removed(p_company_id uuid, p_user_id uuid) returns boolean
  language sql stable security definer
  set search_path = ''
as $$
  select exists (select from app.removed_members r where r.company_id = p_company_id and r.user_id = p_user_id)
$$;
alter function app.was_removed(uuid, uuid) owner to app_definer;
revoke all on function app.was_removed(uuid, uuid) from public;

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
