-- Roles of the cluster. Runs as the migrator login: a superuser, or a plain CREATEROLE login.
-- Roles are shared by every database of a cluster, so each step first looks and only then acts:
-- a second database of the same cluster changes nothing here.
--
-- Every right that is missing is told as a WARNING with SQLSTATE 01T01; its DETAIL names the right
-- ("right: CREATEROLE") and its HINT what will not work. Nothing of this stops the installation,
-- except a missing membership without which no migration could run.

do $$
declare
  v_role text;
  v_try  integer;
begin
  foreach v_role in array array['app_owner', 'app_definer', 'anon', 'authenticated', 'guest', 'service_role'] loop
    -- Another database of this cluster may be installed in the same second.
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
end $$;

-- app_owner owns tables and plain functions, app_definer owns SECURITY DEFINER functions. Nobody but
-- the migrator may become either: whoever could, could replace a definer function. From PostgreSQL 16
-- on the creator of a role holds only the admin option and has to grant himself the rest.
do $$
declare
  v_options constant text := case when current_setting('server_version_num')::integer >= 160000
                                  then ' with inherit true, set true' else '' end;
  v_grant record;
  v_done  boolean;
  v_try   integer;
begin
  for v_grant in
    select * from (values
      ('app_owner',   session_user::text),
      ('app_definer', session_user::text),
      ('app_definer', 'app_owner')) as g(granted, member)
  loop
    for v_try in 1..5 loop
      if current_setting('server_version_num')::integer >= 160000 then
        -- pg_auth_members.inherit_option and set_option exist from 16 on only.
        execute 'select exists (select from pg_catalog.pg_auth_members
                   where roleid = $1::regrole and member = $2::regrole and inherit_option and set_option)'
          into v_done using quote_ident(v_grant.granted), quote_ident(v_grant.member);
      else
        select exists (select from pg_catalog.pg_auth_members
                        where roleid = quote_ident(v_grant.granted)::regrole
                          and member = quote_ident(v_grant.member)::regrole) into v_done;
      end if;
      exit when v_done or v_grant.granted = v_grant.member;
      begin
        execute format('grant %I to %I', v_grant.granted, v_grant.member) || v_options;
      exception
        when unique_violation or internal_error then perform pg_sleep(0.05);
        when insufficient_privilege then
          raise exception using errcode = '42501',
            message = format('%s may not grant the role %s to %s', session_user, v_grant.granted, v_grant.member),
            detail = format('right: ADMIN OPTION on %s', v_grant.granted),
            hint = format('Let the role that made it run: grant %I to %I with admin option', v_grant.granted, v_grant.member);
      end;
    end loop;
  end loop;
end $$;

-- What rows a role reaches is decided by policies written for that role. A role that steps around
-- policies would make them worth nothing, whoever gave it that attribute.
do $$
declare
  v_role text;
begin
  for v_role in
    select rolname from pg_catalog.pg_roles
     where rolname in ('app_owner', 'app_definer', 'anon', 'authenticated', 'guest', 'service_role')
       and (rolbypassrls or rolsuper or rolcanlogin)
  loop
    begin
      execute format('alter role %I nologin nobypassrls nosuperuser', v_role);
    exception when insufficient_privilege then
      raise warning using errcode = '01T01',
        message = format('the role %s can log in, is a superuser or bypasses row security', v_role),
        detail = 'right: superuser',
        hint = format('Let an administrator run: alter role %I nologin nobypassrls nosuperuser', v_role);
    end;
  end loop;
end $$;

-- What whoever runs the database is told of sessions and statements of other logins, the definer functions made for it read. Where nobody
-- may give that away, they tell less, and say so.
do $$
begin
  if not pg_catalog.pg_has_role('app_definer', 'pg_read_all_stats', 'USAGE') then
    grant pg_read_all_stats to app_definer;
  end if;
exception when insufficient_privilege or unique_violation or internal_error then
  raise notice 'sessions of other logins are not seen: % may not grant pg_read_all_stats', session_user;
end $$;
