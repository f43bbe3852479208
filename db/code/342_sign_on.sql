-- A company's own sign-on: what its providers may do.
-- Invariants: a provider lets people into its own company only, and by addresses of domains that this company proved; whoever was
-- suspended or removed is not let in again by it. Of a company that is ended, archived or suspended it lets nobody in and demands nothing.

select app.protect('public.sign_on_providers', 'directory', p_verbs => '{read,update,delete}');

-- The secret is the server's to seal, the issuer the server's to look at: providers are added at POST /auth/v1/sign-on/providers.
revoke update on public.sign_on_providers from authenticated;
grant update (name, default_role, joins, is_enforced, is_enabled, version) on public.sign_on_providers to authenticated;

revoke all on auth.sign_on_secrets from public, anon, authenticated, service_role;
grant select, insert, update, delete on auth.sign_on_secrets to service_role;

create or replace function app.guard_sign_on_provider() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if current_user = 'authenticated' and new.default_role is distinct from old.default_role then
    perform app.check_grantable('', app.effective_permissions(new.company_id, new.default_role, null, '{}'));
  end if;
  return new;
end $$;
revoke all on function app.guard_sign_on_provider() from public;
create or replace trigger guard before update on public.sign_on_providers for each row
  when (app.is_within_reach(new.company_id)) execute function app.guard_sign_on_provider();

-- Whether whoever a provider vouches for is a member, made one where the company wants that. Whoever is invited gets what he was invited to,
-- and the seat that is kept for him; all others one that nobody was promised.
create or replace function app.join_by_sign_on(p_company_id uuid, p_provider_id uuid, p_user_id uuid) returns boolean
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_provider   public.sign_on_providers;
  v_member     public.team_members;
  v_invitation public.invitations;
begin
  select p.* into v_provider from public.sign_on_providers p join public.companies c on c.id = p.company_id
   where p.company_id = p_company_id and p.id = p_provider_id and p.is_enabled
     and c.deleted_at is null and c.archived_at is null and c.suspended_at is null
     for share of p;
  if not found then
    return false;
  end if;
  select * into v_member from public.team_members m where m.company_id = p_company_id and m.user_id = p_user_id;
  if found then
    return v_member.status = 'active' and v_member.archived_at is null;
  end if;
  if not v_provider.joins then
    return false;
  end if;
  -- The company before its invitations, as whoever invites has it.
  perform from public.companies c where c.id = p_company_id for no key update;
  select i.* into v_invitation from public.invitations i join auth.users u on u.email_key = i.email_key and u.email_confirmed_at is not null
   where i.company_id = p_company_id and u.id = p_user_id and i.used_at is null and i.revoked_at is null and i.expires_at > now()
     for no key update of i;
  if v_invitation.id is null and app.was_removed(p_company_id, p_user_id) then
    return false;
  end if;
  perform app.take_seat(p_company_id, v_invitation.id is not null);
  insert into public.team_members (company_id, user_id, role, role_id, department_id, invited_by, invited_at)
  values (p_company_id, p_user_id, coalesce(v_invitation.role, v_provider.default_role), v_invitation.role_id, v_invitation.department_id,
          v_invitation.invited_by, v_invitation.created_at);
  update public.invitations i set used_at = now(), accepted_by = p_user_id where i.company_id = p_company_id and i.id = v_invitation.id;
  return true;
end $$;
alter function app.join_by_sign_on(uuid, uuid, uuid) owner to app_definer;
revoke all on function app.join_by_sign_on(uuid, uuid, uuid) from public;
grant execute on function app.join_by_sign_on(uuid, uuid, uuid) to service_role;

-- Whether a person who came in these ways (auth.sessions.amr) has to come with the provider of a company: an active member, not its owner,
-- with an address of its domain.
drop function if exists app.must_sign_on(uuid);
create or replace function app.must_sign_on(p_user_id uuid, p_amr jsonb) returns boolean
  language sql stable security definer
  set search_path = ''
as $$
  select exists (select from public.team_members m
                   join public.sign_on_providers p on p.company_id = m.company_id and p.is_enabled and p.is_enforced
                   join public.companies c on c.id = m.company_id
                     and c.deleted_at is null and c.archived_at is null and c.suspended_at is null
                   join auth.users u on u.id = m.user_id
                  where m.user_id = p_user_id and m.role <> 'owner' and m.status = 'active' and m.archived_at is null
                    and app.owns_domain(m.company_id, split_part(u.email_key, '@', 2))
                    and not exists (select from jsonb_array_elements(p_amr) w (way)
                                     where starts_with(w.way ->> 'provider', 'sso:' || m.company_id || ':')));
$$;
alter function app.must_sign_on(uuid, jsonb) owner to app_definer;
revoke all on function app.must_sign_on(uuid, jsonb) from public;
grant execute on function app.must_sign_on(uuid, jsonb) to service_role;

-- Nobody leaves that rule by another address: it stays one of his company's. An account that is deleted loses it.
create or replace function app.guard_sign_on_address() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  -- Where the migration of the providers went back there is nothing to guard.
  if to_regclass('public.sign_on_providers') is null then
    return new;
  end if;
  if app.must_sign_on(old.id, '[]') and not exists (
       select from public.team_members m
        where m.user_id = old.id and m.status = 'active' and m.archived_at is null
          and app.owns_domain(m.company_id, split_part(old.email_key, '@', 2))
          and app.owns_domain(m.company_id, split_part(lower(btrim(coalesce(new.email, ''))), '@', 2))) then
    raise exception using errcode = 'TH403', constraint = 'sso_required',
      message = 'Your company has you sign in by this address.', hint = 'Another one has to be of a domain of the company, too.';
  end if;
  return new;
end $$;
alter function app.guard_sign_on_address() owner to app_definer;
revoke all on function app.guard_sign_on_address() from public;
create or replace trigger guard_sign_on_address before update of email on auth.users for each row
  when (old.email is distinct from new.email and new.deleted_at is null) execute function app.guard_sign_on_address();
