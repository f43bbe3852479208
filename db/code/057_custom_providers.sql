-- Providers are added and used by the auth service alone.

revoke all on auth.custom_providers from public, anon, authenticated, service_role;
grant select, insert, update, delete on auth.custom_providers to service_role;
