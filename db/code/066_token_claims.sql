-- What a token says of a company, and what programs written for other installations ask of sign-in by name.
-- Invariant: the role of a token is a role of PostgreSQL and never touched here; who a session's user is, is read from rows.

-- What every access token of ours says already; for programs that make tokens themselves, and as a beginning for a hook of one's own.
-- Takes the claims alone, or {"user_id", "claims"} as other services hand them over, and answers in the same form.
create or replace function auth.custom_access_token_hook(event jsonb) returns jsonb
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  v_is_wrapped constant boolean := jsonb_typeof(event -> 'claims') is not distinct from 'object';
  v_claims     constant jsonb := case when v_is_wrapped then event -> 'claims' else event end;
  v_user       constant uuid := coalesce(v_claims ->> 'sub', event ->> 'user_id')::uuid;
  v_session    constant uuid := (v_claims ->> 'session_id')::uuid;
  v_company    jsonb;
begin
  -- The company that the session works in; of somebody who works in one only, that one.
  select case when count(*) filter (where mine.is_active) = 1 then (array_agg(mine.said) filter (where mine.is_active))[1]
              when count(*) = 1 then (array_agg(mine.said))[1] end
    into v_company
    from (select c.id = (select s.active_company_id from auth.sessions s where s.id = v_session and s.user_id = v_user) as is_active,
                 jsonb_build_object('company_id', c.id, 'tenant_id', c.id, 'industry', c.industry, 'subdomain', c.slug, 'member_role', m.role) as said
            from public.team_members m
            join public.companies c on c.id = m.company_id and c.deleted_at is null and c.archived_at is null
           where m.user_id = v_user and m.status = 'active' and m.archived_at is null) mine;
  if v_company is null then
    return event;
  end if;
  return case when v_is_wrapped then jsonb_set(event, '{claims}', v_claims || v_company) else v_claims || v_company end;
end $$;
comment on function auth.custom_access_token_hook(jsonb) is
  'Adds company_id, tenant_id, industry, subdomain and member_role to claims, as every access token has them. For service programs.';
alter function auth.custom_access_token_hook(jsonb) owner to app_definer;
revoke all on function auth.custom_access_token_hook(jsonb) from public;
grant execute on function auth.custom_access_token_hook(jsonb) to service_role;

-- The secrets of authenticator apps are sealed with a key that the database does not have, so that a copy of it proves nobody's factor.
-- What it has is hashes of recovery codes.
create or replace function auth.verify_mfa_token(user_id uuid, token text, factor_type text) returns boolean
  language plpgsql volatile security definer
  set search_path = ''
as $$
#variable_conflict use_variable
begin
  if not exists (select from auth.mfa_factors f
                  where f.user_id = verify_mfa_token.user_id and f.status = 'verified'
                    and f.factor_type = case verify_mfa_token.factor_type when 'sms' then 'phone' else verify_mfa_token.factor_type end) then
    return false;
  end if;
  if factor_type <> 'recovery_code' then
    raise exception using errcode = 'TH422', constraint = 'mfa_verified_by_server',
      message = 'Codes of this factor are verified by the server: the database has no secret to compare them with.',
      hint = 'POST /auth/v1/factors/{id}/challenge and /verify.';
  end if;
  update auth.recovery_codes c set used_at = now()
    from auth.mfa_factors f
   where f.user_id = verify_mfa_token.user_id and f.factor_type = 'recovery_code' and f.status = 'verified' and c.factor_id = f.id
     and c.used_at is null
     and c.code_hash = encode(sha256(convert_to(translate(lower(regexp_replace(token, '[\s-]', '', 'g')), 'oil', '011'), 'UTF8')), 'hex');
  return found;
end $$;
comment on function auth.verify_mfa_token(uuid, text, text) is
  'Uses a recovery code of a user up and says whether it was one; codes of other factors are refused with mfa_verified_by_server. For service programs.';
alter function auth.verify_mfa_token(uuid, text, text) owner to app_definer;
revoke all on function auth.verify_mfa_token(uuid, text, text) from public;
grant execute on function auth.verify_mfa_token(uuid, text, text) to service_role;

-- Called by a server when it starts.
create or replace function app.publish_auth_settings(p_settings jsonb) returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  delete from app.auth_settings s where not p_settings ? s.parameter;
  insert into app.auth_settings as s (parameter, value)
  select e.key, e.value from jsonb_each_text(p_settings) e
  on conflict (parameter) do update set value = excluded.value, updated_at = now() where s.value is distinct from excluded.value;
end $$;
alter function app.publish_auth_settings(jsonb) owner to app_definer;
revoke all on function app.publish_auth_settings(jsonb) from public;
grant execute on function app.publish_auth_settings(jsonb) to service_role;

revoke all on app.auth_settings from public, anon, authenticated, service_role;
grant select on app.auth_settings to service_role;
drop view if exists auth.config;
create view auth.config with (security_invoker = true) as select s.parameter, s.value from app.auth_settings s;
comment on view auth.config is 'The settings of sign-in, as the server that started last has them; secrets are null. Changed in the server''s configuration.';
revoke all on auth.config from public, anon, authenticated, service_role;
grant select on auth.config to service_role;
