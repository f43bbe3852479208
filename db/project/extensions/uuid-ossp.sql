-- uuid-ossp, for a server without the contrib package: the function that projects use.

set role app_owner;

create or replace function extensions.uuid_generate_v4() returns uuid
  language sql volatile parallel safe
  return pg_catalog.gen_random_uuid();
revoke all on function extensions.uuid_generate_v4() from public;
grant execute on function extensions.uuid_generate_v4() to project_owner, anon, authenticated, service_role;

reset role;
