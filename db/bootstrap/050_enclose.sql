-- What every table gets the moment it is made: row security, forced, with the three policies that let
-- the owner, the definer functions and the service work. Without the owner's policy a foreign key
-- added by the owner is marked valid over orphans and a backfill updates 0 rows in silence.

set role app_owner;

create or replace function app.enclose(p_table regclass) returns void
  language plpgsql
  set search_path = ''
as $$
declare
  v_role text;
begin
  if not (select c.relrowsecurity and c.relforcerowsecurity from pg_catalog.pg_class c where c.oid = p_table) then
    execute format('alter table %s enable row level security, force row level security', p_table);
  end if;
  foreach v_role in array array['app_owner', 'app_definer', 'service_role'] loop
    if not exists (select from pg_catalog.pg_policy where polrelid = p_table and polname = v_role || '_all') then
      execute format('create policy %I on %s as permissive for all to %I using (true) with check (true)',
                     v_role || '_all', p_table, v_role);
    end if;
  end loop;
  execute format('grant select, insert, update, delete on %s to app_definer', p_table);
end $$;
comment on function app.enclose(regclass) is
  'Forces row security on a table and writes the policies of owner, definer and service. Every migration calls it for each table it makes.';
revoke all on function app.enclose(regclass) from public;

reset role;
