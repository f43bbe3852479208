-- Whoever a project made for Supabase names. Runs as the migrator's login, each time a project is brought.
-- project_owner owns what a project makes; where its files say postgres, it is meant. It is a member of nothing, so that nothing
-- of ours is its to change. The other names are there to be named: nobody is any of them.

do $$
declare
  v_role text;
  v_try  integer;
begin
  foreach v_role in array array['project_owner', 'authenticator', 'dashboard_user', 'supabase_admin', 'supabase_auth_admin',
                                'supabase_storage_admin', 'supabase_realtime_admin', 'supabase_functions_admin',
                                'supabase_replication_admin', 'supabase_read_only_user'] loop
    for v_try in 1..5 loop
      exit when exists (select from pg_catalog.pg_roles where rolname = v_role);
      begin
        execute format('create role %I nologin', v_role);
      exception
        when duplicate_object or unique_violation then perform pg_sleep(0.05);
        when insufficient_privilege then
          raise exception using errcode = '42501',
            message = format('the role %s does not exist and %s may not create it', v_role, session_user),
            detail = 'right: CREATEROLE',
            hint = format('Give the migrator CREATEROLE, or let an administrator run: create role %I nologin', v_role);
      end;
    end loop;
  end loop;
  if exists (select from pg_catalog.pg_roles where rolname = 'project_owner' and (rolsuper or rolbypassrls or rolcanlogin or rolcreaterole))
     or exists (select from pg_catalog.pg_auth_members where member = 'project_owner'::regrole) then
    raise exception using errcode = '42501',
      message = 'project_owner may do more than own what a project makes',
      hint = 'Let an administrator take its attributes and memberships away.';
  end if;
end $$;

do $$
declare
  v_options constant text := case when current_setting('server_version_num')::integer >= 160000
                                  then ' with inherit true, set true' else '' end;
  v_try integer;
begin
  for v_try in 1..5 loop
    exit when pg_has_role(session_user, 'project_owner', 'usage');
    begin
      execute format('grant project_owner to %I', session_user) || v_options;
    exception
      when unique_violation or internal_error then perform pg_sleep(0.05);
      when insufficient_privilege then
        raise exception using errcode = '42501',
          message = format('%s may not grant the role project_owner', session_user),
          detail = 'right: ADMIN OPTION on project_owner',
          hint = format('Let the role that made it run: grant project_owner to %I with admin option', session_user);
    end;
  end loop;
end $$;
