-- The first statement of every transaction asks here who the caller is allowed to be. The answer comes
-- from the session's and the member's row, never from a token: a member who was removed a moment ago is
-- refused at his very next request. It only reads, and only the server's login may call it.
--
-- Errors: SQLSTATE 'TH' + HTTP status; the stable code is the constraint field.

create or replace function app.open_request(
  p_kind             text,
  p_user_id          uuid,
  p_session_id       uuid,
  p_company_id       uuid,
  p_claims           jsonb,
  p_permission       text,
  p_company_required boolean,
  out role           text,
  out company_id     uuid,
  out user_id        uuid,
  out member_role    text,
  out permissions    text,
  out claims         text
)
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  v_row record;
begin
  permissions := '';
  case p_kind
    when 'anon' then
      role := 'anon';
    when 'service', 'system' then
      role := 'service_role';
      company_id := p_company_id;
      if p_company_id is not null and not exists (select from public.companies c where c.id = p_company_id) then
        raise exception using errcode = 'TH404', constraint = 'company_not_found', message = 'There is no such company.';
      end if;
    when 'user' then
      select u.id, m.company_id as member_company_id, m.role, m.effective_permissions,
             coalesce(p_company_id, s.active_company_id) as wanted_company_id
        into v_row
        from auth.users u
        left join auth.sessions s
          on s.id = p_session_id and s.user_id = u.id and s.revoked_at is null and (s.not_after is null or s.not_after > now())
        left join public.team_members m
          on m.company_id = coalesce(p_company_id, s.active_company_id) and m.user_id = u.id
         and m.status = 'active' and m.archived_at is null
         and exists (select from public.companies c
                      where c.id = m.company_id and c.deleted_at is null and c.archived_at is null)
       where u.id = p_user_id and u.deleted_at is null and (u.banned_until is null or u.banned_until <= now())
         and (p_session_id is null or s.id is not null);
      if not found then
        raise exception using errcode = 'TH401', constraint = 'session_not_found',
          message = 'The session is over. Sign in again.';
      end if;
      if v_row.wanted_company_id is not null and v_row.member_company_id is null then
        raise exception using errcode = 'TH403', constraint = 'company_not_member',
          message = 'You are not an active member of this company.',
          hint = 'Choose another company: my_companies() lists yours.';
      end if;
      role := 'authenticated';
      user_id := v_row.id;
      company_id := v_row.member_company_id;
      member_role := v_row.role;
      permissions := coalesce(v_row.effective_permissions, '');
    else
      raise exception using errcode = '22023', message = 'unknown kind of caller';
  end case;

  if coalesce(p_company_required, false) and company_id is null then
    raise exception using errcode = 'TH403', constraint = 'company_required',
      message = 'No company is chosen.',
      hint = 'Make one active with POST /auth/v1/company, or send the header X-Company-Id.';
  end if;
  if p_permission is not null and role <> 'service_role'
     and strpos(permissions, ',' || p_permission || ',') = 0
     and strpos(permissions, ',' || p_permission || '_assigned,') = 0
     and strpos(permissions, ',' || p_permission || '_own,') = 0 then
    raise exception using errcode = 'TH403', constraint = 'permission_denied',
      message = format('You need the permission %s.', p_permission);
  end if;

  -- What a token says of company and role counts for nothing.
  claims := ((coalesce(p_claims, '{}') - 'company_id' - 'member_role')
    || jsonb_build_object('role', role)
    || case when user_id is null then '{}' else jsonb_build_object('sub', user_id) end
    || case when company_id is null then '{}' else jsonb_build_object('company_id', company_id) end
    || case when member_role is null then '{}' else jsonb_build_object('member_role', member_role) end)::text;
end $$;
alter function app.open_request(text, uuid, uuid, uuid, jsonb, text, boolean) owner to app_definer;
revoke all on function app.open_request(text, uuid, uuid, uuid, jsonb, text, boolean) from public;
-- app_owner, a member of app_definer, hands the right on to the server's login.
