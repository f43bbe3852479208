-- moddatetime, where nobody may install it: a trigger that writes the time of a change into the column it is given.

set role app_owner;

create or replace function extensions.moddatetime() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  return jsonb_populate_record(new, jsonb_build_object(tg_argv[0], now()));
end $$;
revoke all on function extensions.moddatetime() from public;
grant execute on function extensions.moddatetime() to project_owner, anon, authenticated, service_role;

reset role;
