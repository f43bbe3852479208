-- What tells clusters of PostgreSQL apart.
-- Invariant: whoever asks is answered, also where PostgreSQL does not let him look. A condition inside of a statement is no guard: rights
-- to functions are looked at when the statement begins, whether they are called or not.

-- The number of this cluster, which its copies share. Null where that may not be asked.
create or replace function app.cluster_number() returns text
  language plpgsql stable
  set search_path = ''
as $$
begin
  if not pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'execute') then
    return null;
  end if;
  return (select c.system_identifier::text from pg_catalog.pg_control_system() c);
end $$;
revoke all on function app.cluster_number() from public;
grant execute on function app.cluster_number() to service_role;
