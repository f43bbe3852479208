-- Programs of others act for somebody in his company, and never make what lets them in when they are allowed to no more.
-- Invariants: no row that is or gives a way in comes from, or is changed by, a session that a program holds, whichever function writes it;
-- such a session never works in another company than the one in which its user let the program in, whatever becomes of that.

-- Whether a program holds the session of this transaction. The version of the session's id says so, whatever else its token says or
-- leaves out.
create or replace function app.is_program() returns boolean
  language sql stable parallel safe
  return coalesce(substr(auth.jwt() ->> 'session_id', 15, 1) = '8', false);
comment on function app.is_program() is 'Whether a program of others acts here for the user.';
revoke all on function app.is_program() from public;
grant execute on function app.is_program() to anon, authenticated, service_role, app_definer;

create or replace function app.refuse_program() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  raise exception using errcode = 'TH403', constraint = 'oauth_client_not_allowed',
    message = 'A program that acts for somebody does not change who gets in, nor whose data stays.';
end $$;
revoke all on function app.refuse_program() from public;

do $$
declare
  v_table regclass;
begin
  foreach v_table in array array['public.invitations', 'public.api_keys', 'public.public_links', 'public.scim_tokens', 'public.scim_mappings',
                                 'public.sign_on_providers', 'public.company_domains', 'public.ownership_transfers',
                                 'public.support_consents']::regclass[] loop
    execute format('create or replace trigger a_program before insert or update on %s
                      for each row when (app.is_program()) execute function app.refuse_program()', v_table);
  end loop;
end $$;
-- Nor where events are sent: it would go on being told there. What a delivery notes of itself is no part of it.
create or replace trigger a_program before insert or update of url, secret, custom_headers, events, is_active on public.webhooks
  for each row when (app.is_program()) execute function app.refuse_program();

-- Whatever settles a session in a company passes over one that a program holds; that a company is gone it may learn.
create or replace function app.keep_programs_company() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  new.active_company_id := old.active_company_id;
  return new;
end $$;
revoke all on function app.keep_programs_company() from public;
create or replace trigger keep_programs_company before update of active_company_id on auth.sessions
  for each row when (old.oauth_client_id is not null and new.active_company_id is not null
                     and new.active_company_id is distinct from old.active_company_id)
  execute function app.keep_programs_company();
