-- What a sign-in under way needs is kept and used by the auth service alone.

revoke all on auth.flow_states from public, anon, authenticated, service_role;
grant select, insert, update, delete on auth.flow_states to service_role;
