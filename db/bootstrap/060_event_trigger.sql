-- Whatever table is made or altered later, by whomever but a project that was brought, has row security forced and the three policies
-- of app.enclose. Only a superuser (or the main login of some hosts) may make an event trigger; where
-- it is refused, the checks at every migrate and start find such a table instead.
--
-- An event trigger runs with the rights of whoever makes the table. So its function belongs to the
-- migrator and never to app_owner: owning it, app_owner could have a superuser run what it likes.

do $$
begin
  -- Made by an administrator before: it stands, and only he can change it.
  if exists (select from pg_catalog.pg_event_trigger t join pg_catalog.pg_proc p on p.oid = t.evtfoid
              where t.evtname = 'thorbis_force_row_security' and t.evtenabled <> 'D'
                and not pg_catalog.pg_has_role(p.proowner, 'USAGE')) then
    return;
  end if;

  create or replace function app.force_row_security() returns event_trigger
    language plpgsql
    set search_path = ''
  as $function$
  declare
    v_table record;
    v_role  text;
  begin
    -- Tables of a project that was brought are as the project made them; what it lacks is added when its file ends.
    if current_user = 'project_owner' then
      return;
    end if;
    for v_table in
      select c.oid::regclass as name, c.oid, c.relrowsecurity and c.relforcerowsecurity as forced
        from pg_event_trigger_ddl_commands() d
        join pg_catalog.pg_class c on c.oid = d.objid
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
       where d.classid = 'pg_catalog.pg_class'::regclass
         and not d.in_extension
         and c.relkind in ('r', 'p')
         and c.relpersistence <> 't'
         and n.nspname not in ('information_schema', 'extensions')
         and n.nspname !~ '^pg_'
         and not exists (select from pg_catalog.pg_depend e
                          where e.classid = 'pg_catalog.pg_class'::regclass and e.objid = c.oid and e.deptype = 'e')
    loop
      -- The ALTER below fires this trigger again; that run finds nothing left to do.
      if not v_table.forced then
        execute format('alter table %s enable row level security, force row level security', v_table.name);
      end if;
      foreach v_role in array array['app_owner', 'app_definer', 'service_role'] loop
        if not exists (select from pg_catalog.pg_policy where polrelid = v_table.oid and polname = v_role || '_all') then
          execute format('create policy %I on %s as permissive for all to %I using (true) with check (true)',
                         v_role || '_all', v_table.name, v_role);
        end if;
      end loop;
    end loop;
  end $function$;
  revoke all on function app.force_row_security() from public;

  if not exists (select from pg_catalog.pg_event_trigger where evtname = 'thorbis_force_row_security') then
    create event trigger thorbis_force_row_security on ddl_command_end
      when tag in ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE')
      execute function app.force_row_security();
  end if;
exception when insufficient_privilege then
  raise warning using errcode = '01T01',
    message = 'row security is not forced by the database on tables made outside the migrations',
    detail = 'right: superuser (event trigger)',
    hint = 'The check at every start and migrate names such tables; an administrator may create the event trigger once.';
end $$;
