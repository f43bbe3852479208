-- Directories: who makes their tokens, what their groups make of members.
-- Invariants: nobody maps a group to more than he holds himself; whoever lets a directory in could give all that a group can be mapped to,
-- and gets nothing by it; groups never touch the owner; a role or department is taken back only by what gave it.

select app.protect('public.scim_tokens', 'directory', p_verbs => '{read,update,delete}');
select app.protect('public.scim_mappings', 'directory');

-- A token is made by app.make_scim_token. When it was used is the server's to write; what it is good for stays as it was made.
revoke update on public.scim_tokens from authenticated;
grant update (name, revoked_at, version) on public.scim_tokens to authenticated;
revoke insert, update on public.scim_mappings from authenticated;
grant insert (company_id, id, group_name, role, role_id, department_id) on public.scim_mappings to authenticated;
grant update (group_name, role, role_id, department_id, version) on public.scim_mappings to authenticated;

revoke all on auth.scim_users, auth.scim_groups, auth.scim_group_members, app.proved_domains from public, anon, authenticated, service_role;
grant select, insert, update, delete on auth.scim_users, auth.scim_groups, auth.scim_group_members, app.proved_domains to service_role;

-- Whoever has a token puts people into groups, also into those that are mapped some day, to anything short of the owner's role: so he holds
-- what an admin holds, and may give roles. p_now is the server's clock, by which it asks tokens whether they are over.
create or replace function app.make_scim_token(p_id uuid, p_name text, p_token_hash text, p_token_prefix text, p_expires_at timestamptz,
                                               p_now timestamptz, p_count_max integer) returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_company constant uuid := app.company_id();
begin
  if not (app.has_permission('directory:create') and app.has_permission('members:change_role')) then
    raise exception using errcode = 'TH403', constraint = 'permission_denied',
      message = 'You need the permissions directory:create and members:change_role.';
  end if;
  perform app.check_grantable('', app.effective_permissions(v_company, 'admin', null, '{}'));
  -- One at a time, so that the count is true.
  perform from public.companies c where c.id = v_company for no key update;
  if (select count(*) from public.scim_tokens t where t.company_id = v_company and t.revoked_at is null and t.expires_at > p_now)
       >= p_count_max then
    raise exception using errcode = 'TH422', constraint = 'scim_tokens_exhausted',
      message = 'The company has as many tokens as it can have; take one back first';
  end if;
  insert into public.scim_tokens (company_id, id, name, token_hash, token_prefix, expires_at, created_by)
  values (v_company, p_id, p_name, p_token_hash, p_token_prefix, p_expires_at, app.key_maker());
end $$;
alter function app.make_scim_token(uuid, text, text, text, timestamptz, timestamptz, integer) owner to app_definer;
revoke all on function app.make_scim_token(uuid, text, text, text, timestamptz, timestamptz, integer) from public;
grant execute on function app.make_scim_token(uuid, text, text, text, timestamptz, timestamptz, integer) to authenticated;

create or replace function app.guard_scim_token() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at then
    raise exception using errcode = 'TH422', constraint = 'scim_token_revoked', message = 'A token that was taken back stays so.',
      hint = 'Make another one.';
  end if;
  return new;
end $$;
revoke all on function app.guard_scim_token() from public;
create or replace trigger guard before update of revoked_at on public.scim_tokens for each row execute function app.guard_scim_token();

-- Whoever writes the directory's groups gives what they are mapped to: only who could give it himself maps it.
create or replace function app.guard_scim_mapping() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  -- Who may not write mappings at all is refused by the policies.
  if new.role is not null and current_user = 'authenticated'
     and (app.has_permission('directory:create') or app.has_permission('directory:update')) then
    perform app.demand('members:change_role');
    perform app.check_grantable('', app.effective_permissions(new.company_id, new.role, new.role_id, '{}'));
  end if;
  return new;
end $$;
revoke all on function app.guard_scim_mapping() from public;
create or replace trigger guard before insert or update on public.scim_mappings for each row
  when (app.is_within_reach(new.company_id)) execute function app.guard_scim_mapping();

-- What somebody's groups make of him: of several roles the first of this list, of several departments that of the first group by name.
create or replace function app.scim_grant(p_company_id uuid, p_member_id uuid, out role text, out role_id uuid, out department_id uuid)
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  v_keys text[];
begin
  select array_agg(g.display_name_key) into v_keys
    from auth.scim_group_members gm join auth.scim_groups g on g.company_id = gm.company_id and g.id = gm.group_id
   where gm.company_id = p_company_id and gm.member_id = p_member_id;
  select x.role, x.role_id into role, role_id
    from public.scim_mappings x
   where x.company_id = p_company_id and x.role is not null and (x.group_key = '*' or x.group_key = any (v_keys))
   order by x.group_key = '*', array_position(array['admin', 'manager', 'dispatcher', 'technician', 'csr', 'member', 'viewer'], x.role), x.group_key
   limit 1;
  select x.department_id into department_id
    from public.scim_mappings x
   where x.company_id = p_company_id and x.department_id is not null and (x.group_key = '*' or x.group_key = any (v_keys))
   order by x.group_key = '*', x.group_key
   limit 1;
end $$;
alter function app.scim_grant(uuid, uuid) owner to app_definer;
revoke all on function app.scim_grant(uuid, uuid) from public;
grant execute on function app.scim_grant(uuid, uuid) to service_role;

-- Gives members what their groups make of them now. p_member_ids null means everybody whom the directory provisions. Whoever made a token
-- that is good changes no role of his own by it, as long as it is: what he is, others say. Who would become admin with a short password
-- stays what he is until he has a longer one, and holds up nobody else.
create or replace function app.apply_scim_groups(p_company_id uuid, p_member_ids uuid[]) returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_row     record;
  v_now     record;
  v_waiting text;
begin
  for v_row in
    select s.id, s.user_id, s.granted_role, s.granted_role_id, s.granted_department_id, m.role, m.role_id, m.department_id
      from auth.scim_users s
      join public.team_members m on m.company_id = s.company_id and m.user_id = s.user_id and m.role <> 'owner'
     where s.company_id = p_company_id and (p_member_ids is null or s.id = any (p_member_ids))
       and not exists (select from public.scim_tokens t
                        where t.company_id = s.company_id and t.created_by = s.user_id and t.revoked_at is null and t.expires_at > now())
     order by s.id
  loop
    v_now := app.scim_grant(p_company_id, v_row.id);
    v_waiting := null;
    if v_now.role = 'admin' and v_row.role <> 'admin' and app.has_short_password(v_row.user_id) then
      v_waiting := v_now.role;
      v_now.role := v_row.granted_role;
      v_now.role_id := v_row.granted_role_id;
    end if;
    -- Where no group says anything, what a group gave goes; what people gave stays.
    if v_waiting is null and v_now.role is null and (v_row.granted_role, v_row.granted_role_id) is not distinct from (v_row.role, v_row.role_id) then
      v_row.role := 'member';
      v_row.role_id := null;
    elsif v_waiting is null and v_now.role is not null then
      v_row.role := v_now.role;
      v_row.role_id := v_now.role_id;
    end if;
    if v_now.department_id is null and v_row.granted_department_id is not distinct from v_row.department_id then
      v_row.department_id := null;
    elsif v_now.department_id is not null then
      v_row.department_id := v_now.department_id;
    end if;
    perform set_config('app.change_reason', 'groups of the directory', true);
    update public.team_members m
       set role = v_row.role, role_id = v_row.role_id, department_id = v_row.department_id
     where m.company_id = p_company_id and m.user_id = v_row.user_id
       and (m.role, m.role_id, m.department_id) is distinct from (v_row.role, v_row.role_id, v_row.department_id);
    perform set_config('app.change_reason', '', true);
    update auth.scim_users s
       set granted_role = v_now.role, granted_role_id = v_now.role_id, granted_department_id = v_now.department_id, waiting_role = v_waiting
     where s.company_id = p_company_id and s.id = v_row.id
       and (s.granted_role, s.granted_role_id, s.granted_department_id, s.waiting_role)
           is distinct from (v_now.role, v_now.role_id, v_now.department_id, v_waiting);
  end loop;
end $$;
alter function app.apply_scim_groups(uuid, uuid[]) owner to app_definer;
revoke all on function app.apply_scim_groups(uuid, uuid[]) from public;
grant execute on function app.apply_scim_groups(uuid, uuid[]) to service_role;

create or replace function app.scim_mapping_changed() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  perform app.apply_scim_groups(coalesce(new.company_id, old.company_id), null);
  return null;
end $$;
alter function app.scim_mapping_changed() owner to app_definer;
revoke all on function app.scim_mapping_changed() from public;
create or replace trigger changed after insert or update or delete on public.scim_mappings
  for each row execute function app.scim_mapping_changed();

-- Whoever has a longer password now, or none any more, gets what waited for it.
create or replace function app.scim_password_changed() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_row record;
begin
  for v_row in select s.company_id, s.id from auth.scim_users s where s.user_id = new.id and s.waiting_role is not null order by s.company_id loop
    perform app.apply_scim_groups(v_row.company_id, array[v_row.id]);
  end loop;
  return null;
end $$;
alter function app.scim_password_changed() owner to app_definer;
revoke all on function app.scim_password_changed() from public;
create or replace trigger scim_password_changed after update of password_is_long, encrypted_password on auth.users
  for each row when ((new.password_is_long or new.encrypted_password is null)
                     and (old.password_is_long, old.encrypted_password) is distinct from (new.password_is_long, new.encrypted_password))
  execute function app.scim_password_changed();

-- Whoever was invited by a directory and comes is from then on the one it knows, with the groups that he has there.
create or replace function app.scim_member_came() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_id uuid;
begin
  update auth.scim_users s set user_id = new.user_id
   where s.company_id = new.company_id and s.user_id is null
     and s.email_key = (select u.email_key from auth.users u where u.id = new.user_id and u.email_proved_at is not null)
  returning s.id into v_id;
  if v_id is not null then
    perform app.apply_scim_groups(new.company_id, array[v_id]);
  end if;
  return null;
end $$;
alter function app.scim_member_came() owner to app_definer;
revoke all on function app.scim_member_came() from public;
create or replace trigger scim_member_came after insert on public.team_members
  for each row execute function app.scim_member_came();

-- For the server, in whose name directories come: members and invitations of a directory take seats like all others.
create or replace function app.take_scim_seat(p_company_id uuid) returns void
  language sql volatile security definer
  set search_path = ''
as $$
  select app.take_seat(p_company_id, false);
$$;
alter function app.take_scim_seat(uuid) owner to app_definer;
revoke all on function app.take_scim_seat(uuid) from public;
grant execute on function app.take_scim_seat(uuid) to service_role;

create or replace function app.invite_by_directory(p_company_id uuid, p_member_id uuid, p_email text, p_name text, p_token_hash text,
                                                   p_is_mailed boolean) returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_row public.invitations;
begin
  -- Who works in one company invites nobody into another.
  if app.company_id() is not null and app.company_id() is distinct from p_company_id then
    perform app.refuse_company();
  end if;
  select coalesce(g.role, 'member'), g.role_id, g.department_id into v_row.role, v_row.role_id, v_row.department_id
    from app.scim_grant(p_company_id, p_member_id) g;
  v_row.company_id := p_company_id;
  v_row.email := p_email;
  v_row.name := p_name;
  v_row.token_hash := p_token_hash;
  v_row.is_mailed := p_is_mailed;
  perform app.add_invitation(v_row);
end $$;
alter function app.invite_by_directory(uuid, uuid, text, text, text, boolean) owner to app_definer;
revoke all on function app.invite_by_directory(uuid, uuid, text, text, text, boolean) from public;
grant execute on function app.invite_by_directory(uuid, uuid, text, text, text, boolean) to service_role;

-- What the operator vouches for stands in app.proved_domains, what a company proved itself in its own list of domains, where there is one.
create or replace function app.domain_company(p_domain text) returns uuid
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  v_company uuid;
begin
  select d.company_id into v_company from app.proved_domains d where d.domain = lower(p_domain);
  if v_company is null and to_regclass('public.company_domains') is not null then
    execute 'select d.company_id from public.company_domains d where d.domain = $1 and d.verified_at is not null'
       into v_company using lower(p_domain);
  end if;
  return v_company;
end $$;
comment on function app.domain_company(text) is 'The company that proved that a mail domain is its own.';
alter function app.domain_company(text) owner to app_definer;
revoke all on function app.domain_company(text) from public;
grant execute on function app.domain_company(text) to service_role;

create or replace function app.owns_domain(p_company_id uuid, p_domain text) returns boolean
  language sql stable security definer
  set search_path = ''
as $$
  select coalesce(app.domain_company(p_domain) = p_company_id, false);
$$;
comment on function app.owns_domain(uuid, text) is 'Whether a company proved that a mail domain is its own.';
alter function app.owns_domain(uuid, text) owner to app_definer;
revoke all on function app.owns_domain(uuid, text) from public;
grant execute on function app.owns_domain(uuid, text) to service_role;
