-- description: providers that an operator's programs add (auth.custom_providers)
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123140000
-- rollback: drops the providers; identities of theirs stay and are of no use until they are added again

create table auth.custom_providers (
  id            uuid primary key default app.uuid_v7(),
  identifier    text not null unique check (identifier ~ '^custom:[a-z0-9][a-z0-9_-]{0,62}$'),
  provider_type text not null check (provider_type in ('oidc', 'oauth2')),
  enabled       boolean not null default true,
  -- Sealed by the server's key ring for this row.
  client_secret text check (length(client_secret) <= 8192),
  -- What else is known of it, as the API says it.
  settings      jsonb not null check (jsonb_typeof(settings) = 'object' and octet_length(settings::text) <= 32768),
  created_at    timestamptz not null,
  updated_at    timestamptz not null
);
comment on table auth.custom_providers is 'Providers that people sign in with and no configuration names. Reached by the auth service only.';
comment on column auth.custom_providers.client_secret is 'secret';
select app.enclose('auth.custom_providers');
