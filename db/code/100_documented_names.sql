-- Names that programs written for other installations call. Each answers from what the transaction has
-- set or from our tables through the caller's own rights; none opens a second way in.
-- lint: allow context-forged because set_config below takes one name from the service alone, and no member's transaction reads it

create or replace function auth.get_user_company_id() returns uuid
  language sql stable parallel safe
  return app.company_id();
create or replace function public.get_current_tenant_id() returns uuid
  language sql stable parallel safe
  return app.company_id();
revoke all on function auth.get_user_company_id(), public.get_current_tenant_id() from public;
grant execute on function auth.get_user_company_id(), public.get_current_tenant_id()
  to anon, authenticated, service_role, app_definer;

create or replace function public.set_config(setting_name text, setting_value text) returns text
  language plpgsql volatile
  set search_path = ''
as $$
begin
  if set_config.setting_name is distinct from 'app.current_tenant_id' then
    raise exception using errcode = 'TH403', constraint = 'setting_not_allowed',
      message = 'Only app.current_tenant_id can be set this way.';
  end if;
  if current_user <> 'service_role' then
    raise exception using errcode = 'TH403', constraint = 'setting_not_allowed',
      message = 'Only a service program can set the company this way.', hint = 'Send the header X-Company-Id.';
  end if;
  -- A value that is no id is refused here and not by every later statement.
  return pg_catalog.set_config('app.current_tenant_id', (nullif(set_config.setting_value, '')::uuid)::text, true);
end $$;
revoke all on function public.set_config(text, text) from public;
grant execute on function public.set_config(text, text) to authenticated, service_role;

-- For migrations: declares a table with the defaults, by whichever name its company column has.
create or replace function public.create_tenant_policy(schema_name text, table_name text,
                                                       policy_name text default 'tenant_isolation') returns void
  language plpgsql
  set search_path = ''
as $$
declare
  v_table  constant regclass := format('%I.%I', schema_name, table_name)::regclass;
  v_column text;
begin
  select a.attname into v_column from pg_catalog.pg_attribute a
   where a.attrelid = v_table and a.attname in ('company_id', 'tenant_id', 'organization_id') and not a.attisdropped
   order by a.attname limit 1;
  if not found then
    raise exception using errcode = '42703', message = format('%s has no column company_id', v_table),
      hint = 'The column may also be called tenant_id or organization_id.';
  end if;
  perform app.protect(v_table, create_tenant_policy.table_name, p_tenant_column => v_column);
  if policy_name <> 'tenant_isolation' then
    execute format('alter policy tenant_isolation on %s rename to %I', v_table, policy_name);
  end if;
end $$;
revoke all on function public.create_tenant_policy(text, text, text) from public;

-- Views: dropped and made again, since a view's columns cannot be replaced. security_invoker: whoever
-- reads one reads with his own rights.

-- A project that was brought has tables of its own under some of these names: then the name is its.
create or replace function app.is_taken(p_name text) returns boolean
  language sql stable
  set search_path = ''
as $$
  select exists (select from pg_catalog.pg_class c
                  where c.oid = pg_catalog.to_regclass(p_name) and c.relowner <> 'app_owner'::pg_catalog.regrole)
$$;
revoke all on function app.is_taken(text) from public;

do $$
begin
  if not app.is_taken('public.organizations') then
    drop view if exists public.organizations;
    create view public.organizations with (security_invoker = true) as
    select id, external_id as clerk_org_id, name, slug, subscription_tier, subscription_status, max_seats, settings,
           created_at, updated_at
      from public.companies;
    comment on view public.organizations is 'companies, as programs that signed in elsewhere call them.';
    revoke all on public.organizations from public, anon, authenticated, service_role;
    grant select, update on public.organizations to authenticated;
    grant select, insert, update, delete on public.organizations to service_role;
  end if;
  if not app.is_taken('public.organization_memberships') then
    drop view if exists public.organization_memberships;
    create view public.organization_memberships with (security_invoker = true) as
    select id, company_id as organization_id, user_id, role, joined_at from public.team_members;
    comment on view public.organization_memberships is 'team_members, as programs that signed in elsewhere call them.';
    revoke all on public.organization_memberships from public, anon, authenticated, service_role;
    grant select, update, delete on public.organization_memberships to authenticated;
    grant select, insert, update, delete on public.organization_memberships to service_role;
  end if;
  if not app.is_taken('public.profiles') then
    drop view if exists public.profiles;
    create view public.profiles with (security_invoker = true) as
    select id, external_id as clerk_user_id, email, name as full_name, avatar as avatar_url,
           app.company_id() as current_organization_id, preferences, last_login_at as last_seen_at, created_at, updated_at
      from public.users;
    comment on view public.profiles is 'users, as programs that signed in elsewhere call them.';
    revoke all on public.profiles from public, anon, authenticated, service_role;
    grant select, update on public.profiles to authenticated;
    grant select, insert, update, delete on public.profiles to service_role;
  end if;
end $$;

drop view if exists shared.tenants, shared.users, shared.customers, home_services.work_orders;

create view shared.tenants with (security_invoker = true) as
select id, name, industry, slug as subdomain, settings, created_at, updated_at from public.companies;

create view shared.users with (security_invoker = true) as
select user_id as id, company_id as tenant_id, email, role,
       split_part(name, ' ', 1) as first_name,
       nullif(btrim(substr(name, length(split_part(name, ' ', 1)) + 1)), '') as last_name,
       phone, null::text as avatar_url, '{}'::jsonb as settings, last_active_at as last_login_at, created_at, updated_at
  from public.team_members;

create view shared.customers with (security_invoker = true) as
select id, company_id as tenant_id, email, first_name, last_name, phone,
       jsonb_strip_nulls(jsonb_build_object('line1', address, 'line2', address2, 'city', city, 'state', state,
                                            'zip_code', zip_code, 'country', country)) as address,
       communication_preferences as preferences, tags, created_at, updated_at
  from public.customers
 where deleted_at is null;

create view home_services.work_orders with (security_invoker = true) as
select id, company_id as tenant_id, customer_id, assigned_to as technician_id, title, service_type, status,
       scheduled_start as scheduled_at, actual_end as completed_at, notes, metadata, created_at, updated_at
  from public.jobs
 where deleted_at is null;

comment on view shared.tenants is 'companies, as a platform of many products calls them.';
comment on view shared.users is 'team_members, as a platform of many products calls them.';
comment on view shared.customers is 'customers that are not deleted, as a platform of many products calls them.';
comment on view home_services.work_orders is 'jobs that are not deleted, as a platform of many products calls them.';

-- What is deleted through a view is marked as deleted in its table, which keeps it for a while. The argument is the table.
create or replace function app.mark_as_deleted() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v_found boolean;
begin
  execute format('update %s set deleted_at = now() where company_id = $1 and id = $2 and deleted_at is null returning true', tg_argv[0])
     into v_found using old.tenant_id, old.id;
  return case when v_found then old end;
end $$;
revoke all on function app.mark_as_deleted() from public;
create trigger mark_as_deleted instead of delete on shared.customers
  for each row execute function app.mark_as_deleted('public.customers');
create trigger mark_as_deleted instead of delete on home_services.work_orders
  for each row execute function app.mark_as_deleted('public.jobs');

revoke all on shared.tenants, shared.users, shared.customers, home_services.work_orders from public, anon, authenticated, service_role;
grant select, update on shared.tenants to authenticated;
grant select on shared.users to authenticated;
grant select, insert, update, delete on shared.customers, home_services.work_orders to authenticated;
grant select, insert, update, delete on shared.tenants, shared.customers, home_services.work_orders to service_role;
grant select on shared.users to service_role;
