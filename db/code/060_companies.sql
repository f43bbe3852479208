-- Founding a company, listing one's own, handing one over.
-- Invariant: a company has one owner, companies.owner_id and the member row say the same person, and only
-- the functions below change who that is.

create or replace function app.caller() returns uuid
  language plpgsql stable
  set search_path = ''
as $$
begin
  if auth.uid() is null then
    raise exception using errcode = 'TH401', constraint = 'not_signed_in', message = 'Sign in first.';
  end if;
  return auth.uid();
end $$;
revoke all on function app.caller() from public;
grant execute on function app.caller() to authenticated, service_role, app_definer;

create or replace function app.refuse_company() returns void
  language plpgsql stable
  set search_path = ''
as $$
begin
  raise exception using errcode = 'TH404', constraint = 'company_not_found', message = 'There is no such company.';
end $$;
revoke all on function app.refuse_company() from public;
grant execute on function app.refuse_company() to app_definer;

-- A session without a company takes the first one its person founds or joins.
drop function if exists app.activate_if_none(uuid);
create or replace function app.activate_if_none(p_company_id uuid, p_user_id uuid, p_session_id uuid) returns void
  language sql volatile security definer
  set search_path = ''
as $$
  update auth.sessions s set active_company_id = p_company_id
   where s.id = p_session_id and s.user_id = p_user_id and s.active_company_id is null;
$$;
alter function app.activate_if_none(uuid, uuid, uuid) owner to app_definer;
revoke all on function app.activate_if_none(uuid, uuid, uuid) from public;

create or replace function app.slug_of(p_name text) returns text
  language sql immutable
  set search_path = ''
  return btrim(left(btrim(regexp_replace(lower(p_name), '[^a-z0-9]+', '-', 'g'), '-'), 50), '-');
revoke all on function app.slug_of(text) from public;
grant execute on function app.slug_of(text) to app_definer;

create or replace function public.create_company_with_owner(name text, slug text default null, industry text default null)
  returns public.companies
  language plpgsql volatile security definer
  set search_path = ''
as $$
#variable_conflict use_column
declare
  v_user    uuid := app.caller();
  v_name    text := btrim(create_company_with_owner.name);
  v_slug    text := lower(btrim(create_company_with_owner.slug));
  v_company public.companies;
begin
  if v_name is null or length(v_name) not between 1 and 200 then
    raise exception using errcode = 'TH422', constraint = 'company_name_invalid',
      message = 'A company needs a name of 1 to 200 characters.';
  end if;
  if v_slug is null then
    v_slug := app.slug_of(v_name);
    if length(v_slug) < 2 or exists (select from public.companies c where c.slug = v_slug) then
      v_slug := btrim(v_slug || '-' || substr(replace(gen_random_uuid()::text, '-', ''), 1, 8), '-');
    end if;
  end if;
  if v_slug !~ '^[a-z0-9]+(-[a-z0-9]+)*$' or length(v_slug) not between 2 and 63 then
    raise exception using errcode = 'TH422', constraint = 'company_slug_invalid',
      message = 'A slug has 2 to 63 lower-case letters and digits, in groups joined by single hyphens.';
  end if;
  begin
    insert into public.companies (name, slug, industry, owner_id, created_by)
    values (v_name, v_slug, nullif(btrim(create_company_with_owner.industry), ''), v_user, v_user)
    returning * into v_company;
  exception when unique_violation then
    raise exception using errcode = 'TH409', constraint = 'company_slug_taken',
      message = format('The slug "%s" is taken.', v_slug);
  end;
  insert into public.team_members (company_id, user_id, role, status) values (v_company.id, v_user, 'owner', 'active');
  perform app.activate_if_none(v_company.id, v_user, (auth.jwt() ->> 'session_id')::uuid);
  return v_company;
end $$;
alter function public.create_company_with_owner(text, text, text) owner to app_definer;
revoke all on function public.create_company_with_owner(text, text, text) from public;
grant execute on function public.create_company_with_owner(text, text, text) to authenticated;

create or replace function public.my_companies()
  returns table (id uuid, name text, slug text, industry text, logo text, member_role text, status text,
                 is_active boolean, joined_at timestamptz)
  language sql stable security definer
  set search_path = ''
as $$
  select c.id, c.name, c.slug, c.industry, c.logo, m.role, m.status,
         c.id is not distinct from app.company_id(), m.joined_at
    from public.team_members m
    join public.companies c on c.id = m.company_id
   where m.user_id = auth.uid() and m.archived_at is null and c.deleted_at is null and c.archived_at is null
   order by c.name, c.id;
$$;
alter function public.my_companies() owner to app_definer;
revoke all on function public.my_companies() from public;
grant execute on function public.my_companies() to authenticated;
comment on function public.my_companies() is 'The companies of the caller; is_active marks the one of this request.';

create or replace function public.transfer_company_ownership(new_owner_id uuid, reason text default null)
  returns public.companies
  language plpgsql volatile security definer
  set search_path = ''
as $$
#variable_conflict use_column
declare
  v_user    uuid := app.caller();
  v_company public.companies;
begin
  select * into v_company from public.companies c where c.id = app.company_id() for no key update;
  if v_company.owner_id is distinct from v_user then
    raise exception using errcode = 'TH403', constraint = 'owner_required',
      message = 'Only the owner can hand the company over.';
  end if;
  if transfer_company_ownership.new_owner_id is null or transfer_company_ownership.new_owner_id = v_user
     or not exists (select from public.team_members m
                     where m.company_id = v_company.id and m.user_id = transfer_company_ownership.new_owner_id
                       and m.status = 'active' and m.archived_at is null) then
    raise exception using errcode = 'TH422', constraint = 'new_owner_invalid',
      message = 'The new owner must be another active member of the company.';
  end if;
  perform set_config('app.change_reason', coalesce(left(transfer_company_ownership.reason, 500), ''), true);
  -- The old owner steps down first: there is never a second one.
  update public.team_members m set role = 'admin' where m.company_id = v_company.id and m.user_id = v_user;
  update public.team_members m set role = 'owner'
   where m.company_id = v_company.id and m.user_id = transfer_company_ownership.new_owner_id;
  update public.companies c set owner_id = transfer_company_ownership.new_owner_id where c.id = v_company.id
    returning * into v_company;
  insert into public.ownership_transfers (company_id, from_user_id, to_user_id, reason, user_agent)
  values (v_company.id, v_user, v_company.owner_id, left(transfer_company_ownership.reason, 500),
          left(nullif(current_setting('request.headers', true), '')::jsonb ->> 'user-agent', 500));
  perform set_config('app.change_reason', '', true);
  return v_company;
end $$;
alter function public.transfer_company_ownership(uuid, text) owner to app_definer;
revoke all on function public.transfer_company_ownership(uuid, text) from public;
grant execute on function public.transfer_company_ownership(uuid, text) to authenticated;

create or replace function app.guard_company() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' and old.owner_id is not null and new.owner_id is distinct from old.owner_id
     and current_user <> 'app_definer' then
    raise exception using errcode = 'TH422', constraint = 'ownership_by_transfer',
      message = 'A company changes its owner only by transfer.', hint = 'Call transfer_company_ownership.';
  end if;
  if tg_op = 'INSERT' or new.business_timezone is distinct from old.business_timezone then
    -- Asked by use: the list of all zones is read from hundreds of files.
    begin
      perform now() at time zone new.business_timezone;
    exception when invalid_parameter_value then
      raise exception using errcode = 'TH422', constraint = 'timezone_unknown',
        message = format('"%s" is not a time zone.', new.business_timezone), hint = 'Use a name such as America/New_York.';
    end;
  end if;
  return new;
end $$;
revoke all on function app.guard_company() from public;
create or replace trigger guard before insert or update on public.companies
  for each row execute function app.guard_company();
