-- Links and codes are made and used by the auth service alone.

revoke all on auth.one_time_tokens from public, anon, authenticated, service_role;
grant select, insert, update, delete on auth.one_time_tokens to service_role;
