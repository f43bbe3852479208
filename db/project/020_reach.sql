-- The schemas that a project names, and what it may reach of ours: accounts and files, as it could where it was made, and no table
-- of a company. Runs as the migrator's login.

do $$
declare
  v_schema text;
begin
  foreach v_schema in array array['graphql', 'graphql_public', 'supabase_functions', 'pgsodium', 'project_storage'] loop
    if to_regnamespace(v_schema) is null then
      execute format('create schema %I authorization app_owner', v_schema);
    end if;
  end loop;
  if to_regnamespace('supabase_migrations') is null then
    create schema supabase_migrations authorization project_owner;
  end if;
  execute format('grant temporary on database %I to app_owner', current_database());
  execute format('grant connect, create, temporary on database %I to project_owner', current_database());
end $$;

-- Where a superuser installed them, the functions of extensions are nobody's to call but those it was given to.
do $$
declare
  v_functions text;
begin
  select string_agg(p.oid::regprocedure::text, ', ') into v_functions
    from pg_catalog.pg_depend d
    join pg_catalog.pg_proc p on p.oid = d.objid
   where d.refclassid = 'pg_catalog.pg_extension'::regclass and d.classid = 'pg_catalog.pg_proc'::regclass and d.deptype = 'e'
     and pg_catalog.pg_has_role(p.proowner, 'USAGE')
     and not pg_catalog.has_function_privilege('project_owner', p.oid, 'EXECUTE')
     and pg_catalog.has_function_privilege('authenticated', p.oid, 'EXECUTE');
  if v_functions is not null then
    execute format('grant execute on routine %s to project_owner', v_functions);
  end if;
end $$;

set role app_owner;

grant usage, create on schema public to project_owner;
grant usage on schema app, auth, storage, extensions, realtime, cron, net, vault, graphql, graphql_public, supabase_functions, pgsodium
  to project_owner;
grant execute on function auth.uid(), auth.role(), auth.jwt(), auth.email(), storage.foldername(text), storage.filename(text),
  storage.extension(text), public.update_updated_at_column() to project_owner;
grant select, insert, update, delete, references, trigger on auth.users, auth.identities, storage.buckets, storage.objects to project_owner;
grant select, delete on auth.sessions to project_owner;
-- Whoever has no policy of the project reaches no file.
grant select, insert, update, delete on storage.objects, storage.buckets to anon, authenticated;

do $$
declare
  v_table text;
begin
  foreach v_table in array array['auth.users', 'auth.identities', 'auth.sessions', 'storage.buckets', 'storage.objects'] loop
    if not exists (select from pg_catalog.pg_policy where polrelid = v_table::regclass and polname = 'project_owner_all') then
      execute format('create policy project_owner_all on %s as permissive for all to project_owner using (true) with check (true)', v_table);
    end if;
  end loop;
end $$;

-- A project writes policies on tables that are not its own. It writes them on twins of these tables, which are; what PostgreSQL
-- understood of them there is copied, so that no text of a project is ever run with our rights.
grant usage, create on schema project_storage to project_owner;
reset role;

set role project_owner;
create table if not exists project_storage.buckets (like storage.buckets);
create table if not exists project_storage.objects (like storage.objects);
alter table project_storage.buckets enable row level security;
alter table project_storage.objects enable row level security;
reset role;

set role app_owner;

create or replace function app.copy_storage_policies() returns void
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_policy record;
begin
  for v_policy in
    select real.polname, real.polrelid::regclass as name
      from pg_catalog.pg_policy real
     where real.polrelid in ('storage.buckets'::regclass, 'storage.objects'::regclass)
       and pg_catalog.obj_description(real.oid, 'pg_policy') = 'of the project'
  loop
    execute format('drop policy %I on %s', v_policy.polname, v_policy.name);
  end loop;
  for v_policy in
    select p.polname, format('storage.%I', c.relname) as name, p.polpermissive,
           case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end as command,
           case when 0 = any (p.polroles) then 'anon, authenticated'
                else (select string_agg(r::regrole::text, ', ') from unnest(p.polroles) r) end as roles,
           pg_get_expr(p.polqual, p.polrelid) as seen, pg_get_expr(p.polwithcheck, p.polrelid) as checked
      from pg_catalog.pg_policy p join pg_catalog.pg_class c on c.oid = p.polrelid
     where p.polrelid in ('project_storage.buckets'::regclass, 'project_storage.objects'::regclass)
       and p.polname not in ('app_owner_all', 'app_definer_all', 'service_role_all', 'project_owner_all')
  loop
    execute format('create policy %I on %s as %s for %s to %s', v_policy.polname, v_policy.name,
                   case when v_policy.polpermissive then 'permissive' else 'restrictive' end, v_policy.command, v_policy.roles)
      || coalesce(' using (' || v_policy.seen || ')', '') || coalesce(' with check (' || v_policy.checked || ')', '');
    execute format('comment on policy %I on %s is %L', v_policy.polname, v_policy.name, 'of the project');
  end loop;
end $$;
comment on function app.copy_storage_policies() is 'Brings the policies of the project on storage.* to what it wrote on the twins of these tables.';
revoke all on function app.copy_storage_policies() from public;
grant execute on function app.copy_storage_policies() to project_owner;

-- A view of ours is only another name for a table; a project that has a table of that name gets the name.
create or replace function app.yield_name(p_name text) returns boolean
  language plpgsql security definer
  set search_path = ''
as $$
begin
  if p_name not in ('profiles', 'organizations', 'organization_memberships')
     or not exists (select from pg_catalog.pg_class c
                     where c.oid = to_regclass(format('public.%I', p_name)) and c.relkind = 'v' and c.relowner = 'app_owner'::regrole) then
    return false;
  end if;
  execute format('drop view public.%I', p_name);
  return true;
end $$;
comment on function app.yield_name(text) is 'Drops the view of ours that goes by a name a project needs for a table.';
revoke all on function app.yield_name(text) from public;
grant execute on function app.yield_name(text) to project_owner;

-- Only the owner of a table may drop a trigger from it.
create or replace function app.drop_trigger(p_table text, p_name text, p_if_exists boolean) returns void
  language plpgsql security definer
  set search_path = ''
as $$
begin
  if not exists (select from pg_catalog.pg_trigger t join pg_catalog.pg_proc p on p.oid = t.tgfoid
                  where t.tgrelid = p_table::regclass and t.tgname = p_name and p.proowner = 'project_owner'::regrole) then
    if p_if_exists then
      return;
    end if;
    raise exception using errcode = '42704', message = format('trigger "%s" for table "%s" does not exist', p_name, p_table);
  end if;
  execute format('drop trigger %I on %s', p_name, p_table::regclass);
end $$;
comment on function app.drop_trigger(text, text, boolean) is 'Drops a trigger of the project from a table of ours.';
revoke all on function app.drop_trigger(text, text, boolean) from public;
grant execute on function app.drop_trigger(text, text, boolean) to project_owner;

reset role;
