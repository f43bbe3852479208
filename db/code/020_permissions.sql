-- What a member may do, computed once when his row, his custom role or the matrix changes, and read by
-- key at the start of every transaction.
-- Invariant: team_members.effective_permissions is always what this file computes; nobody writes it.

create or replace function app.effective_permissions(p_company_id uuid, p_role text, p_role_id uuid, p_overrides jsonb)
  returns text
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  -- Owner and admin hold what the matrix says: nothing can take from them, nothing has to add.
  v_layered constant boolean := p_role not in ('owner', 'admin');
  v_result text;
begin
  with layers as (
    select rp.permission || case rp.scope when 'all' then '' else '_' || rp.scope end as key, true as held, 1 as layer
      from app.role_permissions rp where rp.role = p_role
    union all
    select e.key, e.value = 'true', 2
      from public.custom_roles r cross join lateral jsonb_each(r.permissions) e
     where v_layered and r.company_id = p_company_id and r.id = p_role_id
    union all
    select e.key, e.value = 'true', 3
      from jsonb_each(coalesce(p_overrides, '{}')) e where v_layered
  ), decided as (
    select distinct on (l.key) l.key, l.held from layers l order by l.key, l.layer desc
  )
  select ',' || string_agg(d.key, ',' order by d.key collate "C") || ',' into v_result from decided d where d.held;
  return coalesce(v_result, '');
end $$;
alter function app.effective_permissions(uuid, text, uuid, jsonb) owner to app_definer;
revoke all on function app.effective_permissions(uuid, text, uuid, jsonb) from public;
grant execute on function app.effective_permissions(uuid, text, uuid, jsonb) to authenticated, service_role;

-- An override with a misspelt name would be without effect, silently.
create or replace function app.check_permission_map(p_map jsonb) returns void
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  v_entry record;
begin
  if jsonb_typeof(p_map) <> 'object' then
    raise exception using errcode = 'TH422', constraint = 'permission_unknown',
      message = 'Permissions are an object of names.',
      hint = 'A permission is written noun:verb, noun:verb_assigned or noun:verb_own, with true or false.';
  end if;
  for v_entry in select e.key, e.value from jsonb_each(p_map) e loop
    if v_entry.value not in ('true', 'false')
       or not exists (select from app.role_permissions rp
                       where rp.permission = regexp_replace(v_entry.key, '_(assigned|own)$', '')) then
      raise exception using errcode = 'TH422', constraint = 'permission_unknown',
        message = format('"%s" is not a permission that can be given or taken.', left(v_entry.key, 80)),
        hint = 'A permission is written noun:verb, noun:verb_assigned or noun:verb_own, with true or false.';
    end if;
  end loop;
end $$;
alter function app.check_permission_map(jsonb) owner to app_definer;
revoke all on function app.check_permission_map(jsonb) from public;
grant execute on function app.check_permission_map(jsonb) to authenticated, service_role;

-- Nobody gives away more than he holds: a manager cannot make himself an admin through somebody else.
create or replace function app.check_grantable(p_before text, p_after text) returns void
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_key text;
begin
  foreach v_key in array string_to_array(btrim(p_after, ','), ',') loop
    if strpos(p_before, ',' || v_key || ',') = 0
       and not app.has_permission(v_key)
       and not app.has_permission(regexp_replace(v_key, '_(assigned|own)$', '')) then
      raise exception using errcode = 'TH403', constraint = 'permission_escalation',
        message = format('You cannot give the permission %s, which you do not hold.', v_key);
    end if;
  end loop;
end $$;
revoke all on function app.check_grantable(text, text) from public;
grant execute on function app.check_grantable(text, text) to authenticated, service_role, app_definer;

create or replace function app.refresh_effective_permissions() returns bigint
  language plpgsql
  set search_path = ''
as $$
declare
  v_changed bigint;
begin
  update public.team_members m
     set effective_permissions = c.computed
    from (select t.company_id, t.id,
                 app.effective_permissions(t.company_id, t.role, t.role_id, t.permissions) as computed
            from public.team_members t) c
   where m.company_id = c.company_id and m.id = c.id and m.effective_permissions is distinct from c.computed;
  get diagnostics v_changed = row_count;
  return v_changed;
end $$;
revoke all on function app.refresh_effective_permissions() from public;

-- Called by migrate with the matrix as [{"role", "permission", "scope"}, ...]. Touches only what differs.
create or replace function app.load_permissions(p_matrix jsonb) returns bigint
  language plpgsql
  set search_path = ''
as $$
declare
  v_changed bigint := 0;
  v_count   bigint;
begin
  delete from app.role_permissions rp
   where not exists (select from jsonb_to_recordset(p_matrix) as w(role text, permission text, scope text)
                      where w.role = rp.role and w.permission = rp.permission);
  get diagnostics v_changed = row_count;
  insert into app.role_permissions as rp (role, permission, scope)
  select w.role, w.permission, w.scope from jsonb_to_recordset(p_matrix) as w(role text, permission text, scope text)
  on conflict (role, permission) do update set scope = excluded.scope where rp.scope <> excluded.scope;
  get diagnostics v_count = row_count;
  return v_changed + v_count;
end $$;
comment on function app.load_permissions(jsonb) is 'Replaces the matrix by the given rows; members are recomputed when anything changed.';
revoke all on function app.load_permissions(jsonb) from public;

create or replace function app.role_permissions_changed() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if exists (select from changed) then
    perform app.refresh_effective_permissions();
  end if;
  return null;
end $$;
revoke all on function app.role_permissions_changed() from public;

create or replace trigger refresh_inserted after insert on app.role_permissions
  referencing new table as changed for each statement execute function app.role_permissions_changed();
create or replace trigger refresh_updated after update on app.role_permissions
  referencing new table as changed for each statement execute function app.role_permissions_changed();
create or replace trigger refresh_deleted after delete on app.role_permissions
  referencing old table as changed for each statement execute function app.role_permissions_changed();

-- Custom roles -------------------------------------------------------------------------------------

create or replace function app.guard_custom_role() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v_key text;
begin
  if tg_op <> 'INSERT' and old.is_system and current_user in ('authenticated', 'service_role') then
    raise exception using errcode = 'TH403', constraint = 'system_role_protected',
      message = 'A system role can neither be changed nor deleted.';
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  perform app.check_permission_map(new.permissions);
  if current_user = 'authenticated' then
    -- Any entry that changes, in whichever direction, must be one the caller holds himself.
    for v_key in
      select coalesce(n.key, o.key)
        from jsonb_each(new.permissions) n
        full join jsonb_each(case when tg_op = 'UPDATE' then old.permissions else '{}' end) o on o.key = n.key
       where n.value is distinct from o.value
    loop
      perform app.check_grantable('', ',' || v_key || ',');
    end loop;
  end if;
  return new;
end $$;
revoke all on function app.guard_custom_role() from public;
create or replace trigger guard before insert or update or delete on public.custom_roles
  for each row execute function app.guard_custom_role();

create or replace function app.custom_role_changed() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  update public.team_members m
     set effective_permissions = app.effective_permissions(m.company_id, m.role, m.role_id, m.permissions)
   where m.company_id = new.company_id and m.role_id = new.id;
  return null;
end $$;
alter function app.custom_role_changed() owner to app_definer;
revoke all on function app.custom_role_changed() from public;
create or replace trigger refresh after update of permissions on public.custom_roles
  for each row execute function app.custom_role_changed();

-- For functions with more rights than the caller, and for guards: refuses whoever names no company or lacks the permission. Returns
-- whether he may see all rows; if not, those assigned to him alone.
create or replace function app.demand(p_permission text, p_assigned boolean default false) returns boolean
  language plpgsql stable
  set search_path = ''
as $$
begin
  if app.company_id() is null then
    raise exception using errcode = 'TH403', constraint = 'company_required',
      message = 'No company is chosen.',
      hint = 'Make one active with POST /auth/v1/company, or send the header X-Company-Id.';
  end if;
  if auth.role() = 'service_role' or app.has_permission(p_permission) then
    return true;
  end if;
  if p_assigned and auth.uid() is not null and app.has_permission(p_permission || '_assigned') then
    return false;
  end if;
  raise exception using errcode = 'TH403', constraint = 'permission_denied',
    message = format('You need the permission %s.', p_permission);
end $$;
revoke all on function app.demand(text, boolean) from public;
grant execute on function app.demand(text, boolean) to authenticated, service_role, app_definer;
