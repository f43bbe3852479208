-- What is looked at when a file of a project has run, before it is committed: row security as the project expects it here, where no
-- role steps around policies, and that nothing of it can be called in place of something of ours.

set role app_owner;

create or replace function app.finish_project(p_force boolean) returns void
  language plpgsql
  set search_path = ''
as $$
declare
  v_table  record;
  v_policy record;
  v_name   text;
begin
  for v_table in
    select c.oid, c.oid::regclass as name, c.relrowsecurity as enabled, c.relforcerowsecurity as forced
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p') and c.relpersistence <> 't' and c.relowner = 'project_owner'::regrole
       and n.nspname not in ('supabase_migrations', 'project_storage')
  loop
    if p_force and not (v_table.enabled and v_table.forced) then
      execute format('alter table %s enable row level security, force row level security', v_table.name);
    end if;
    continue when not (v_table.enabled or p_force);
    foreach v_name in array array['service_role', 'project_owner'] loop
      if not exists (select from pg_catalog.pg_policy where polrelid = v_table.oid and polname = v_name || '_all') then
        execute format('create policy %I on %s as permissive for all to %I using (true) with check (true)', v_name || '_all', v_table.name, v_name);
      end if;
    end loop;
    for v_policy in select polname from pg_catalog.pg_policy where polrelid = v_table.oid and not polpermissive and 0 = any (polroles) loop
      execute format('alter policy %I on %s to anon, authenticated', v_policy.polname, v_table.name);
    end loop;
  end loop;

  -- With more fitting arguments such a function would be called where one of ours or of PostgreSQL was meant.
  select p.oid::regprocedure::text into v_name
    from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
   where p.proowner = 'project_owner'::regrole and n.nspname in ('public', 'app', 'auth', 'storage', 'extensions')
     and exists (select from pg_catalog.pg_proc o
                  where o.proname = p.proname and o.proowner <> p.proowner
                    and o.pronamespace in (p.pronamespace, 'pg_catalog'::regnamespace, 'extensions'::regnamespace))
   limit 1;
  if v_name is not null then
    raise exception using errcode = '42501', constraint = 'project_name_taken',
      message = format('%s has the name of a function of ours or of PostgreSQL', v_name),
      hint = 'Give it another name, or put it into a schema of the project.';
  end if;
  select o.oid::regoperator::text into v_name
    from pg_catalog.pg_operator o where o.oprowner = 'project_owner'::regrole and o.oprnamespace = 'public'::regnamespace limit 1;
  if v_name is not null then
    raise exception using errcode = '42501', constraint = 'project_name_taken',
      message = format('the operator %s stands in the schema public', v_name), hint = 'Put it into a schema of the project.';
  end if;

  -- What a trigger on a table of ours does is done by whoever writes there, the sign-in among them.
  select format('%I on %s', t.tgname, t.tgrelid::regclass) into v_name
    from pg_catalog.pg_trigger t
    join pg_catalog.pg_class c on c.oid = t.tgrelid and c.relowner <> 'project_owner'::regrole
    join pg_catalog.pg_proc p on p.oid = t.tgfoid and p.proowner = 'project_owner'::regrole
   where not t.tgisinternal and not p.prosecdef limit 1;
  if v_name is not null then
    raise exception using errcode = '42501', constraint = 'project_trigger_rights',
      message = format('the trigger %s would run with the rights of the sign-in', v_name),
      hint = 'Its function has to be SECURITY DEFINER with a search_path of its own.';
  end if;
  perform app.copy_storage_policies();
end $$;
comment on function app.finish_project(boolean) is 'Ends a file of a project: policies for the service, row security where it is forced, and what is refused.';
revoke all on function app.finish_project(boolean) from public;
grant execute on function app.finish_project(boolean) to project_owner;

reset role;

set role project_owner;

alter default privileges in schema public grant select, insert, update, delete on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;
alter default privileges in schema public grant execute on functions to anon, authenticated, service_role;

-- A list of tables: those whose changes a project wants to hear of.
do $$
begin
  if not exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime') then
    create publication supabase_realtime;
    -- From 18 on a table whose whole row identifies it cannot be changed while columns that it computes are not published.
    if current_setting('server_version_num')::integer >= 180000 then
      execute 'alter publication supabase_realtime set (publish_generated_columns = ''stored'')';
    end if;
  end if;
end $$;

-- The book of the project's files, where its own tools look for it.
create table if not exists supabase_migrations.schema_migrations (
  version     text primary key,
  statements  text[],
  name        text,
  checksum    text,
  next        integer,
  applied_at  timestamptz default now(),
  duration_ms bigint
);
comment on column supabase_migrations.schema_migrations.next is
  'The statement at which a file goes on that failed outside of a transaction; NULL: all of it was applied.';
create table if not exists supabase_migrations.seed_files (
  path text primary key,
  hash text not null
);

reset role;
