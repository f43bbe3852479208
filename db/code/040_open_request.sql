-- The first statement of every transaction asks here who the caller is allowed to be. The answer comes
-- from the session's and the member's row, never from a token: a member who was removed a moment ago is
-- refused at his very next request. It only reads, and only the server's login may call it.
--
-- It runs before everything else, and what it costs everything costs: rows are looked up one key after the other, which is a third
-- cheaper than one statement over all four tables, and claims are put together as text.
--
-- Errors: SQLSTATE 'TH' + HTTP status; the stable code is the constraint field.

drop function if exists app.open_request(text, uuid, uuid, uuid, jsonb, text, boolean);

-- p_claims is a JSON object as text. What it says of role, subject, company (by all its names) and member role, and of the program of a session
-- of ours, counts for nothing: what the rows say stands behind it, and of two members of one name JSON takes the last. Of the assurance the
-- lower one counts: who has a token from before a second factor was proved did not prove it.
create or replace function app.open_request(
  p_kind             text,
  p_user_id          uuid,
  p_session_id       uuid,
  p_company_id       uuid,
  p_claims           text,
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
  v_user     uuid;
  v_company  uuid := p_company_id;
  v_aal      text;
  v_until    timestamptz;
  v_slug     text;
  v_industry text;
  v_is_shut  boolean;
  v_is_due   boolean;
  v_active   uuid;
  v_support  text;
  v_program  uuid;
begin
  permissions := '';
  case p_kind
    when 'anon' then
      role := 'anon';
    when 'service', 'system' then
      role := 'service_role';
      company_id := p_company_id;
      if p_company_id is not null then
        select c.slug, c.industry into v_slug, v_industry from public.companies c where c.id = p_company_id;
        if not found then
          raise exception using errcode = 'TH404', constraint = 'company_not_found', message = 'There is no such company.';
        end if;
      end if;
    when 'user' then
      if p_session_id is null then
        select u.id into v_user
          from auth.users u
         where u.id = p_user_id and u.deleted_at is null and (u.banned_until is null or u.banned_until <= now());
      else
        select u.id, coalesce(p_company_id, s.active_company_id), s.aal, s.active_company_id, s.impersonated_by, s.oauth_client_id
          into v_user, v_company, v_aal, v_active, v_support, v_program
          from auth.sessions s
          join auth.users u on u.id = s.user_id
         where s.id = p_session_id and s.user_id = p_user_id and s.revoked_at is null and (s.not_after is null or s.not_after > now())
           and u.deleted_at is null and (u.banned_until is null or u.banned_until <= now());
      end if;
      if not found then
        raise exception using errcode = 'TH401', constraint = 'session_not_found',
          message = 'The session is over. Sign in again.';
      end if;
      if v_aal = 'aal2' and p_claims::jsonb ->> 'aal' = 'aal1' then
        v_aal := 'aal1';
      end if;
      -- Support works in the company that agreed, and in no other of its member's.
      if v_support is not null and v_company is distinct from v_active then
        raise exception using errcode = 'TH403', constraint = 'company_not_member',
          message = 'Support works in one company.';
      end if;
      -- So does a program: where its user was when he let it in.
      if v_program is not null and v_company is distinct from v_active then
        raise exception using errcode = 'TH403', constraint = 'company_not_member',
          message = 'A program works in the company for which it was let in.';
      end if;
      if v_company is not null then
        select m.company_id, m.role, m.effective_permissions, c.writes_until, c.slug, c.industry, c.suspended_at is not null,
               m.mfa_due_at <= now()
          into company_id, member_role, permissions, v_until, v_slug, v_industry, v_is_shut, v_is_due
          from public.team_members m
          join public.companies c on c.id = m.company_id
         where m.company_id = v_company and m.user_id = v_user and m.status = 'active' and m.archived_at is null
           and c.deleted_at is null and c.archived_at is null;
        if not found then
          raise exception using errcode = 'TH403', constraint = 'company_not_member',
            message = 'You are not an active member of this company.',
            hint = 'Choose another company: my_companies() lists yours.';
        end if;
        if v_is_shut then
          raise exception using errcode = 'TH403', constraint = 'company_suspended', message = 'This company is suspended.',
            detail = (select coalesce(c.suspension_reason, 'No reason was given.') from public.companies c where c.id = v_company),
            hint = 'Choose another company, or ask the operator of this service.';
        end if;
        -- Of a token that another issuer made its issuer's configuration tells; support was let in by the operator.
        if v_is_due and v_support is null and coalesce(v_aal, p_claims::jsonb ->> 'aal', 'aal1') = 'aal1' then
          raise exception using errcode = 'TH403', constraint = 'mfa_required', message = 'This company demands a second factor.',
            hint = case when p_session_id is null
              then 'Prove a second factor where this token was made, and come with a new one; by which claim its issuer tells of it the operator sets in auth.issuers.'
              else 'Enrol a factor under /auth/v1/factors, or prove the one you have; or choose another company.' end;
        end if;
        -- What it walls stands in 315_subscription_wall.sql.
        if v_until <= now() then
          permissions := coalesce(nullif(permissions, ''), ',') || 'subscription:over,';
        end if;
        -- What support never does in a member's place, whoever he is.
        if v_support is not null then
          permissions := regexp_replace(permissions,
            '(?<=,)([a-z_]+:(delete|restore|manage)(_assigned|_own)?|members:[a-z_]+|roles:[a-z_]+|invitations:[a-z_]+'
              || '|api_keys:[a-z_]+|directory:[a-z_]+|company_domains:[a-z_]+|privacy:[a-z_]+|legal_holds:(create|update)),',
            '', 'g');
        end if;
      end if;
      role := 'authenticated';
      user_id := v_user;
      permissions := coalesce(permissions, '');
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

  claims := case when p_claims is null or p_claims = '{}' then '{' else left(p_claims, -1) || ',' end
    || '"role":"' || role || '"'
    || case when user_id is null then '' else ',"sub":"' || user_id || '"' end
    || case when v_aal is null then '' else ',"aal":"' || v_aal || '"' end
    || case when v_support is null then '' else ',"impersonated_by":' || to_json(v_support) || ',"act":' || json_build_object('sub', v_support) end
    || case when v_program is null then '' else ',"client_id":"' || v_program || '"' end
    || case when company_id is null then ',"company_id":null,"tenant_id":null,"subdomain":null,"industry":null,"member_role":null}'
            else ',"company_id":"' || company_id || '","tenant_id":"' || company_id || '","subdomain":"' || v_slug
              || '","industry":' || coalesce(to_json(v_industry)::text, 'null')
              || ',"member_role":' || coalesce('"' || member_role || '"', 'null') || '}' end;
end $$;
alter function app.open_request(text, uuid, uuid, uuid, text, text, boolean) owner to app_definer;
revoke all on function app.open_request(text, uuid, uuid, uuid, text, text, boolean) from public;
-- app_owner, a member of app_definer, hands the right on to the server's login.
