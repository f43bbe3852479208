-- Programs of others, what they ask for and what people agreed to: the auth service alone reaches them.

revoke all on auth.oauth_clients, auth.oauth_consents, auth.oauth_authorizations from public, anon, authenticated, service_role;
grant select, insert, update, delete on auth.oauth_clients, auth.oauth_consents, auth.oauth_authorizations to service_role;
