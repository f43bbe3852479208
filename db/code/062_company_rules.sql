-- What holds for every company, and from when on a member needs a proved second factor.
-- Invariant: team_members.mfa_due_at is set when a role or a rule changes, and only looked at when a transaction opens. A time of grace
-- that has begun goes on: whoever is demoted and made admin again within it has the rest of a new one, and nobody two.

revoke all on app.company_rules from public, anon, authenticated, service_role;

create or replace function app.needs_second_factor(p_role text, p_company_demands boolean) returns boolean
  language sql stable security definer
  set search_path = ''
as $$
  select p_company_demands or p_role in ('owner', 'admin') and r.mfa_required from app.company_rules r
$$;
alter function app.needs_second_factor(text, boolean) owner to app_definer;
revoke all on function app.needs_second_factor(text, boolean) from public;

create or replace function app.set_mfa_due() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_demands boolean;
begin
  -- Locked, so that whoever comes while the company begins to demand it waits, and then learns of it.
  select c.mfa_required into v_demands from public.companies c where c.id = new.company_id for no key update;
  if not app.needs_second_factor(new.role, coalesce(v_demands, false)) then
    new.mfa_due_at := null;
  elsif new.mfa_due_at is null then
    select now() + make_interval(secs => r.mfa_grace_seconds) into new.mfa_due_at from app.company_rules r;
  end if;
  return new;
end $$;
alter function app.set_mfa_due() owner to app_definer;
revoke all on function app.set_mfa_due() from public;
create or replace trigger set_mfa_due before insert or update of role on public.team_members
  for each row when (app.is_within_reach(new.company_id)) execute function app.set_mfa_due();

-- Of whom one is demanded from now on, and of whom no longer.
create or replace function app.spread_mfa_due(p_company_id uuid) returns void
  language sql volatile security definer
  set search_path = ''
as $$
  update public.team_members m
     set mfa_due_at = case when m.mfa_due_at is null then now() + make_interval(secs => r.mfa_grace_seconds) end
    from app.company_rules r, public.companies c
   where c.id = m.company_id and (p_company_id is null or c.id = p_company_id)
     and (c.mfa_required or m.role in ('owner', 'admin') and r.mfa_required) is distinct from (m.mfa_due_at is not null)
$$;
alter function app.spread_mfa_due(uuid) owner to app_definer;
revoke all on function app.spread_mfa_due(uuid) from public;

create or replace function app.mfa_demand_changed() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  perform app.spread_mfa_due(new.id);
  return null;
end $$;
alter function app.mfa_demand_changed() owner to app_definer;
revoke all on function app.mfa_demand_changed() from public;
create or replace trigger mfa_demand_changed after update of mfa_required on public.companies
  for each row when (old.mfa_required is distinct from new.mfa_required) execute function app.mfa_demand_changed();

-- Called by the server with its settings when it starts. Writes only what differs.
create or replace function app.declare_company_rules(p_rules jsonb) returns boolean
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_before app.company_rules;
  v_after  app.company_rules;
begin
  select * into v_before from app.company_rules;
  v_after := jsonb_populate_record(v_before, p_rules);
  if v_after is not distinct from v_before then
    return false;
  end if;
  update app.company_rules r
     set mfa_required = v_after.mfa_required, mfa_grace_seconds = v_after.mfa_grace_seconds,
         password_characters_min = v_after.password_characters_min, deletion_grace_seconds = v_after.deletion_grace_seconds,
         invitation_seconds = v_after.invitation_seconds, invitations_open_max = v_after.invitations_open_max,
         domains_max = v_after.domains_max;
  if v_after.mfa_required <> v_before.mfa_required then
    perform app.spread_mfa_due(null);
  end if;
  return true;
end $$;
comment on function app.declare_company_rules(jsonb) is 'Writes the settings of a server that starts into app.company_rules; tells whether they were others.';
alter function app.declare_company_rules(jsonb) owner to app_definer;
revoke all on function app.declare_company_rules(jsonb) from public;
grant execute on function app.declare_company_rules(jsonb) to service_role;
