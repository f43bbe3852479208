-- Whoever changes tables or functions tells the server so (NOTIFY pgrst), which reads then what changed. Only a superuser (or the main
-- login of some hosts) may make an event trigger; without it the server finds out by asking twice a second.
--
-- It runs with the rights of whoever changes something, and so its function belongs to the migrator and does nothing else.

do $$
begin
  create or replace function app.tell_schema() returns event_trigger
    language plpgsql
    set search_path = ''
  as $function$
  begin
    -- Rights are asked at every request, and what is temporary is nobody else's.
    if tg_tag like 'DROP %' or tg_tag not in ('GRANT', 'REVOKE', 'ALTER DEFAULT PRIVILEGES', 'REFRESH MATERIALIZED VIEW')
       and exists (select from pg_event_trigger_ddl_commands() d where d.schema_name is distinct from 'pg_temp') then
      perform pg_catalog.pg_notify('pgrst', 'reload schema');
    end if;
  end $function$;
  revoke all on function app.tell_schema() from public;

  if not exists (select from pg_catalog.pg_event_trigger where evtname = 'thorbis_tell_schema') then
    create event trigger thorbis_tell_schema on ddl_command_end execute function app.tell_schema();
  end if;
exception when insufficient_privilege then
  null;
end $$;
