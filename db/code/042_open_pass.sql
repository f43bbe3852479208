-- The first statement of every transaction of somebody who has no account here and shows a pass: an API key of a company, the session
-- of a customer in its portal, or a link.
-- The pass names its row and proves that with a digest; what it opens comes from the rows as they are at this moment, so that a pass
-- that was taken back is refused at its very next request. It only reads, and only the server's login may call it.
--
-- Whoever shows a pass is no member: auth.uid() is null, and his member role is the word for his pass, which outranks nobody.

-- A key that works now, from here. What is wrong with one that does not is told only to whoever has its secret.
create or replace function app.working_api_key(p_company_id uuid, p_id uuid, p_digest text, p_address text) returns public.api_keys
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  v_key public.api_keys;
begin
  select k.* into v_key
    from public.api_keys k
    join public.companies c on c.id = k.company_id
   where k.company_id = p_company_id and k.id = p_id and k.key_hash = p_digest
     and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
     and c.deleted_at is null and c.archived_at is null;
  if not found then
    raise exception using errcode = 'TH401', constraint = 'api_key_not_valid',
      message = 'This API key is unknown, over, or was taken back.';
  end if;
  if v_key.allowed_addresses <> '{}' and not coalesce(p_address::inet <<= any (v_key.allowed_addresses::inet[]), false) then
    raise exception using errcode = 'TH403', constraint = 'api_key_address_refused',
      message = 'This API key does not work from this address.';
  end if;
  return v_key;
end $$;
alter function app.working_api_key(uuid, uuid, text, text) owner to app_definer;
revoke all on function app.working_api_key(uuid, uuid, text, text) from public;

-- What a key may do: what it lists and its maker holds now. A key does not outlive its maker in the company.
create or replace function app.permissions_of_key(p_key public.api_keys) returns text
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  v_held text;
begin
  select m.effective_permissions into v_held
    from public.team_members m
    join auth.users u on u.id = m.user_id
   where m.company_id = p_key.company_id and m.user_id = p_key.created_by and m.status = 'active' and m.archived_at is null
     and u.deleted_at is null and (u.banned_until is null or u.banned_until <= now());
  if not found then
    raise exception using errcode = 'TH403', constraint = 'api_key_maker_gone',
      message = 'Whoever made this API key is no active member of the company any more.',
      hint = 'Somebody who holds its permissions can rotate it, and is its maker then.';
  end if;
  return coalesce((select ',' || string_agg(p, ',') || ','
                     from unnest(p_key.permissions) p
                    where strpos(v_held, ',' || p || ',') > 0
                       or strpos(v_held, ',' || regexp_replace(p, '_(assigned|own)$', '') || ',') > 0), '');
end $$;
alter function app.permissions_of_key(public.api_keys) owner to app_definer;
revoke all on function app.permissions_of_key(public.api_keys) from public;

-- What those hold who are no members, as the matrix has it.
create or replace function app.permissions_of_guest(p_role text) returns text
  language sql stable security definer
  set search_path = ''
as $$
  select coalesce(',' || string_agg(rp.permission || case rp.scope when 'all' then '' else '_' || rp.scope end, ',') || ',', '')
    from app.role_permissions rp where rp.role = p_role
$$;
alter function app.permissions_of_guest(text) owner to app_definer;
revoke all on function app.permissions_of_guest(text) from public;

-- The customer of a session that is good now.
create or replace function app.customer_of_session(p_company_id uuid, p_id uuid, p_digest text) returns uuid
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  v_customer uuid;
begin
  select s.customer_id into v_customer
    from auth.portal_sessions s
    join public.customers c on c.company_id = s.company_id and c.id = s.customer_id
    join public.companies o on o.id = s.company_id
   where s.company_id = p_company_id and s.id = p_id and s.token_hash = p_digest and s.ended_at is null and s.expires_at > now()
     and c.portal_enabled and c.status in ('active', 'inactive') and c.deleted_at is null and c.archived_at is null
     and o.deleted_at is null and o.archived_at is null;
  if not found then
    raise exception using errcode = 'TH401', constraint = 'portal_session_over',
      message = 'This session of the portal is over. Ask for another link.';
  end if;
  return v_customer;
end $$;
alter function app.customer_of_session(uuid, uuid, text) owner to app_definer;
revoke all on function app.customer_of_session(uuid, uuid, text) from public;

-- A link that is good now. Once it was used as often as it may be, what it was for can still be looked at for an hour.
create or replace function app.working_link(p_company_id uuid, p_id uuid, p_digest text) returns public.public_links
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  v_link public.public_links;
begin
  select l.* into v_link
    from public.public_links l
    join public.companies c on c.id = l.company_id
   where l.company_id = p_company_id and l.id = p_id and l.token_hash = p_digest
     and l.revoked_at is null and l.expires_at > now() and (l.use_count < l.uses_max or l.last_used_at > now() - interval '1 hour')
     and c.deleted_at is null and c.archived_at is null;
  if not found then
    raise exception using errcode = 'TH401', constraint = 'link_not_valid', message = 'This link is unknown, over, used up, or was taken back.';
  end if;
  return v_link;
end $$;
alter function app.working_link(uuid, uuid, text) owner to app_definer;
revoke all on function app.working_link(uuid, uuid, text) from public;

-- What a link holds: what the matrix gives to links, as far as its purpose goes. One that only shows something shows it for an hour after
-- it was opened.
create or replace function app.permissions_of_link(p_link public.public_links) returns text
  language sql stable security definer
  set search_path = ''
as $$
  select coalesce(',' || string_agg(p, ',') || ',', '')
    from unnest(string_to_array(btrim(app.permissions_of_guest('link'), ','), ',')) p
   where p = any (array['companies:read_own'] || case p_link.purpose
     when 'view_estimate'   then case when p_link.last_used_at > now() - interval '1 hour' then array['estimates:read_own', 'estimate_lines:read_own', 'files:read_own'] end
     when 'view_invoice'    then case when p_link.last_used_at > now() - interval '1 hour' then array['invoices:read_own', 'invoice_lines:read_own', 'files:read_own'] end
     when 'accept_estimate' then array['estimates:read_own', 'estimate_lines:read_own', 'estimates:accept_own', 'files:read_own']
     when 'pay_invoice'     then array['invoices:read_own', 'invoice_lines:read_own', 'files:read_own']
     when 'sign_contract'   then array['contracts:read_own', 'contracts:sign_own', 'files:read_own']
     when 'book'            then array['requests:create_own']
     when 'review'          then array['jobs:read_own', 'reviews:create_own', 'files:read_own'] end)
$$;
alter function app.permissions_of_link(public.public_links) owner to app_definer;
revoke all on function app.permissions_of_link(public.public_links) from public;

-- What a function gives back cannot be replaced.
do $$
begin
  if exists (select from pg_catalog.pg_proc p
              where p.oid = to_regprocedure('app.open_pass(text, uuid, uuid, uuid, text, text, text)')
                and not p.proargnames @> '{customer_id,linked_id}') then
    drop function app.open_pass(text, uuid, uuid, uuid, text, text, text);
  end if;
end $$;

create or replace function app.open_pass(
  p_kind              text,
  p_company_id        uuid,
  p_id                uuid,
  p_requested_company uuid,
  p_digest            text,
  p_permission        text,
  p_address           text,
  out role            text,
  out company_id      uuid,
  out user_id         uuid,
  out member_role     text,
  out permissions     text,
  out claims          text,
  out customer_id     uuid,
  out linked_id       uuid
)
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  v_link    public.public_links;
  v_is_shut boolean;
  v_is_over boolean;
begin
  case p_kind
    when 'api_key' then
      role := 'authenticated';
      permissions := app.permissions_of_key(app.working_api_key(p_company_id, p_id, p_digest, p_address));
    when 'portal' then
      role := 'guest';
      customer_id := app.customer_of_session(p_company_id, p_id, p_digest);
      permissions := app.permissions_of_guest('portal');
    when 'link' then
      role := 'guest';
      v_link := app.working_link(p_company_id, p_id, p_digest);
      permissions := app.permissions_of_link(v_link);
      linked_id := case when v_link.purpose in ('view_estimate', 'accept_estimate') then v_link.estimate_id
                        when v_link.purpose in ('view_invoice', 'pay_invoice') then v_link.invoice_id
                        when v_link.purpose = 'sign_contract' then v_link.contract_id
                        when v_link.purpose = 'review' then v_link.job_id end;
    else
      raise exception using errcode = '22023', message = 'unknown kind of pass';
  end case;
  company_id := p_company_id;
  member_role := p_kind;
  -- As for members.
  select c.suspended_at is not null, c.writes_until <= now() into v_is_shut, v_is_over from public.companies c where c.id = p_company_id;
  if v_is_shut then
    raise exception using errcode = 'TH403', constraint = 'company_suspended', message = 'This company is suspended.';
  end if;
  if v_is_over then
    permissions := coalesce(nullif(permissions, ''), ',') || 'subscription:over,';
  end if;
  if p_requested_company <> p_company_id then
    raise exception using errcode = 'TH403', constraint = 'company_not_member',
      message = 'You are not an active member of this company.',
      hint = 'A key works in the company that gave it.';
  end if;
  if p_permission is not null
     and strpos(permissions, ',' || p_permission || ',') = 0
     and strpos(permissions, ',' || p_permission || '_assigned,') = 0
     and strpos(permissions, ',' || p_permission || '_own,') = 0 then
    raise exception using errcode = 'TH403', constraint = 'permission_denied',
      message = format('You need the permission %s.', p_permission);
  end if;
  claims := '{"role":"' || role || '","company_id":"' || company_id || '","member_role":"' || member_role || '","pass_id":"' || p_id || '"}';
end $$;
alter function app.open_pass(text, uuid, uuid, uuid, text, text, text) owner to app_definer;
revoke all on function app.open_pass(text, uuid, uuid, uuid, text, text, text) from public;
-- app_owner, a member of app_definer, hands the right on to the server's login.
