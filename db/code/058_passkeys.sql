-- Passkeys are made and asked by the auth service alone.

revoke all on auth.passkeys, auth.passkey_challenges from public, anon, authenticated, service_role;
grant select, insert, update, delete on auth.passkeys, auth.passkey_challenges to service_role;
