-- Schemas, who may use them, and what new objects grant to whom: nothing, to nobody, unless said.

do $$
begin
  execute format('grant create, temporary on database %I to app_owner', current_database());
exception when insufficient_privilege then
  raise warning using errcode = '01T01',
    message = format('%s may not grant CREATE on the database %s', session_user, current_database()),
    detail = 'right: ownership of the database',
    hint = 'Schemas that are missing cannot be created.';
end $$;

-- A temporary table outlives its transaction and stays on the connection for the next caller.
do $$
begin
  execute format('revoke temporary on database %I from public', current_database());
  if has_database_privilege('anon', current_database(), 'TEMPORARY') then
    raise warning using errcode = '01T01',
      message = format('%s may not take TEMPORARY on the database %s from everybody', session_user, current_database()),
      detail = 'right: ownership of the database',
      hint = format('Let an administrator run: revoke temporary on database %I from public', current_database());
  end if;
end $$;

do $$
declare
  v_schema text;
begin
  foreach v_schema in array array['auth', 'app', 'storage', 'realtime', 'extensions', 'cron', 'net', 'vault',
                                  'shared', 'home_services'] loop
    if not exists (select from pg_catalog.pg_namespace where nspname = v_schema) then
      execute format('create schema %I authorization app_owner', v_schema);
    end if;
  end loop;
end $$;

-- The schema public belongs to the owner of the database, or on clusters that were upgraded to the
-- superuser, with CREATE for everybody.
do $$
begin
  if (select nspowner::regrole::text from pg_catalog.pg_namespace where nspname = 'public') <> 'app_owner' then
    alter schema public owner to app_owner;
  end if;
exception when insufficient_privilege then
  begin
    grant usage, create on schema public to app_owner;
  exception when insufficient_privilege then
    null;
  end;
  if not has_schema_privilege('app_owner', 'public', 'CREATE') then
    raise exception using errcode = '42501',
      message = 'app_owner may not create objects in the schema public',
      detail = 'right: ownership of the schema public',
      hint = 'Let an administrator run: alter schema public owner to app_owner';
  end if;
  raise warning using errcode = '01T01',
    message = format('%s may not give the schema public to app_owner', session_user),
    detail = 'right: ownership of the schema public',
    hint = 'Whoever owns the schema public can drop what is in it.';
end $$;

set role app_owner;

do $$
begin
  if (select nspowner::regrole::text from pg_catalog.pg_namespace where nspname = 'public') = 'app_owner' then
    revoke create on schema public from public;
    grant usage on schema public to anon, authenticated, guest, service_role;
    grant usage, create on schema public to app_definer;
  end if;
end $$;

-- CREATE is needed by the role that is to own a function there, and it cannot log in.
grant usage on schema app, auth, extensions to anon, authenticated, guest, service_role;
grant usage, create on schema app, auth to app_definer;
grant usage on schema extensions to app_definer;
grant usage on schema shared, home_services to authenticated, service_role;

alter default privileges for role app_owner revoke execute on functions from public;
alter default privileges for role app_owner revoke all on tables from public;
alter default privileges for role app_owner revoke all on sequences from public;
alter default privileges for role app_definer revoke execute on functions from public;

reset role;

alter default privileges revoke execute on functions from public;
