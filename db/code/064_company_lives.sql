-- The lives of a company: kept out by the operator, deleted by its owner, brought back, gone for good.
-- Invariants: nobody but the operator suspends; a deleted company is closed to everybody at once and kept until its date, from when on
-- app.expire_company takes it away.

-- A service program that works in one company names no other.
create or replace function app.set_suspension(p_company_id uuid, p_is_suspended boolean, p_reason text) returns public.companies
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_company public.companies;
begin
  update public.companies c
     set suspended_at = case when p_is_suspended then coalesce(c.suspended_at, now()) end,
         suspension_reason = case when p_is_suspended then nullif(btrim(p_reason), '') end
   where c.id = p_company_id and c.id = coalesce(app.company_id(), c.id)
  returning * into v_company;
  if not found then
    perform app.refuse_company();
  end if;
  return v_company;
end $$;
alter function app.set_suspension(uuid, boolean, text) owner to app_definer;
revoke all on function app.set_suspension(uuid, boolean, text) from public;
grant execute on function app.set_suspension(uuid, boolean, text) to service_role;

create or replace function public.suspend_company(company_id uuid, reason text default null) returns public.companies
  language sql volatile
  set search_path = ''
as $$
  select * from app.set_suspension(suspend_company.company_id, true, suspend_company.reason)
$$;
revoke all on function public.suspend_company(uuid, text) from public;
grant execute on function public.suspend_company(uuid, text) to service_role;
comment on function public.suspend_company(uuid, text) is 'Keeps all members out at their next request; they are told the reason.';

create or replace function public.resume_company(company_id uuid) returns public.companies
  language sql volatile
  set search_path = ''
as $$
  select * from app.set_suspension(resume_company.company_id, false, null)
$$;
revoke all on function public.resume_company(uuid) from public;
grant execute on function public.resume_company(uuid) to service_role;
comment on function public.resume_company(uuid) is 'Lets the members of a suspended company in again.';

-- The slug is said again, so that no program deletes a company by mistake.
create or replace function public.delete_company(slug text, reason text default null) returns public.companies
  language plpgsql volatile security definer
  set search_path = ''
as $$
#variable_conflict use_column
declare
  v_is_service constant boolean := current_setting('role') = 'service_role';
  v_user    uuid;
  v_company public.companies;
begin
  if not v_is_service then
    v_user := app.caller();
  end if;
  select * into v_company from public.companies c where c.id = app.company_id() for no key update;
  if v_company.id is null then
    raise exception using errcode = 'TH403', constraint = 'company_required', message = 'No company is chosen.';
  end if;
  if not v_is_service and (v_company.owner_id is distinct from v_user or not app.has_permission('companies:delete')) then
    raise exception using errcode = 'TH403', constraint = 'owner_required', message = 'Only the owner can delete the company.';
  end if;
  if delete_company.slug is distinct from v_company.slug then
    raise exception using errcode = 'TH422', constraint = 'company_slug_mismatch', message = 'This is not the slug of the company.',
      hint = 'Say the slug of the company that is to be deleted.';
  end if;
  perform set_config('app.change_reason', coalesce(left(delete_company.reason, 500), ''), true);
  update public.companies c
     set deleted_at = now(), deleted_by = v_user,
         permanent_delete_scheduled_at = now() + make_interval(secs => (select r.deletion_grace_seconds from app.company_rules r))
   where c.id = v_company.id
  returning * into v_company;
  perform set_config('app.change_reason', '', true);
  return v_company;
end $$;
alter function public.delete_company(text, text) owner to app_definer;
revoke all on function public.delete_company(text, text) from public;
grant execute on function public.delete_company(text, text) to authenticated, service_role;
comment on function public.delete_company(text, text) is
  'Closes the company of this request; it can be brought back until permanent_delete_scheduled_at.';

-- Nobody can work in a company that is deleted, so that it is named here and not chosen.
create or replace function public.restore_company(company_id uuid) returns public.companies
  language plpgsql volatile security definer
  set search_path = ''
as $$
#variable_conflict use_column
declare
  v_is_service constant boolean := current_setting('role') = 'service_role';
  v_user       uuid;
  v_company    public.companies;
begin
  if not v_is_service then
    v_user := app.caller();
  end if;
  update public.companies c
     set deleted_at = null, deleted_by = null, permanent_delete_scheduled_at = null
   where c.id = restore_company.company_id
     and (c.owner_id = v_user or v_is_service and c.id = coalesce(app.company_id(), c.id))
     and (c.deleted_at is null or coalesce(c.permanent_delete_scheduled_at > now(), true))
  returning * into v_company;
  if not found then
    raise exception using errcode = 'TH404', constraint = 'company_not_found',
      message = 'There is no such company of yours that can still be brought back.';
  end if;
  return v_company;
end $$;
alter function public.restore_company(uuid) owner to app_definer;
revoke all on function public.restore_company(uuid) from public;
grant execute on function public.restore_company(uuid) to authenticated, service_role;
comment on function public.restore_company(uuid) is 'Brings a deleted company back: for its owner, until it goes for good.';

create or replace function public.my_deleted_companies()
  returns table (id uuid, name text, slug text, deleted_at timestamptz, permanent_delete_scheduled_at timestamptz)
  language sql stable security definer
  set search_path = ''
as $$
  select c.id, c.name, c.slug, c.deleted_at, c.permanent_delete_scheduled_at
    from public.companies c
   where c.owner_id = auth.uid() and c.deleted_at is not null and coalesce(c.permanent_delete_scheduled_at > now(), true)
   order by c.deleted_at desc, c.id;
$$;
alter function public.my_deleted_companies() owner to app_definer;
revoke all on function public.my_deleted_companies() from public;
grant execute on function public.my_deleted_companies() to authenticated;
comment on function public.my_deleted_companies() is 'The companies of which the caller is the owner and that can still be brought back.';
