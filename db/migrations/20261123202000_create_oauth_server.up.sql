-- description: programs of others (auth.oauth_clients), what they ask people for (auth.oauth_authorizations), what people agreed to (auth.oauth_consents); which of them a session is for
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123130000
-- rollback: ends every session that a program of others holds, and forgets these programs; take a backup first
-- lint: allow adding-foreign-key-constraint because the column is new and null in every row
-- lint: allow require-concurrent-index-creation because the column is new and null in every row

create table auth.oauth_clients (
  id              uuid primary key default app.uuid_v7(),
  name            text not null default '' check (length(name) <= 1024),
  uri             text check (length(uri) <= 2048),
  logo_uri        text check (length(logo_uri) <= 2048),
  auth_method     text not null check (auth_method in ('none', 'client_secret_basic', 'client_secret_post')),
  -- SHA-256 of 256 random bits.
  secret_hash     bytea check (length(secret_hash) = 32),
  redirect_uris   text[] not null check (cardinality(redirect_uris) >= 1),
  grant_types     text[] not null check (cardinality(grant_types) >= 1),
  registration    text not null check (registration in ('manual', 'dynamic')),
  -- Where a program registered itself from.
  registered_from inet,
  -- When somebody last agreed to it.
  used_at         timestamptz,
  created_at      timestamptz not null,
  updated_at      timestamptz not null,
  check ((auth_method = 'none') = (secret_hash is null))
);
comment on table auth.oauth_clients is 'Programs of others that people may let act for them. Reached by the auth service only.';
comment on column auth.oauth_clients.secret_hash is 'secret';
comment on column auth.oauth_clients.registered_from is 'pii:ip';
create index oauth_clients_created_at_idx on auth.oauth_clients (created_at desc, id);
create index oauth_clients_registered_from_idx on auth.oauth_clients (registered_from, created_at) where registration = 'dynamic';
select app.enclose('auth.oauth_clients');

create table auth.oauth_consents (
  user_id    uuid not null references auth.users (id) on delete cascade,
  client_id  uuid not null references auth.oauth_clients (id) on delete cascade,
  scopes     text[] not null,
  granted_at timestamptz not null,
  primary key (user_id, client_id)
);
comment on table auth.oauth_consents is 'Which programs people let act for them, and for what. Reached by the auth service only.';
create index oauth_consents_client_id_idx on auth.oauth_consents (client_id);
select app.enclose('auth.oauth_consents');

alter table auth.sessions
  add column oauth_client_id uuid references auth.oauth_clients (id) on delete cascade,
  add column scopes text[],
  add column resource text check (length(resource) <= 2048);
comment on column auth.sessions.oauth_client_id is 'The program of others that holds the session; null for the person.';
comment on column auth.sessions.scopes is 'What that program was allowed.';
comment on column auth.sessions.resource is 'The service for which that program asked (RFC 8707).';
create index sessions_oauth_client_id_idx on auth.sessions (oauth_client_id);

create table auth.oauth_authorizations (
  id             uuid primary key,
  client_id      uuid not null references auth.oauth_clients (id) on delete cascade,
  redirect_uri   text not null check (length(redirect_uri) <= 2048),
  scopes         text[] not null,
  state          text check (length(state) <= 2048),
  nonce          text check (length(nonce) <= 2048),
  resource       text check (length(resource) <= 2048),
  code_challenge text not null check (length(code_challenge) = 43),
  -- Whether the person is asked also if he agreed before.
  asks_again     boolean not null,
  requested_from inet,
  status         text not null default 'pending' check (status in ('pending', 'approved', 'denied', 'used')),
  -- Whoever looked at it first; nobody else sees it from then on.
  user_id        uuid references auth.users (id) on delete cascade,
  -- The session in which he agreed.
  approved_in    uuid references auth.sessions (id) on delete cascade,
  -- SHA-256 of the code.
  code_hash      bytea unique check (length(code_hash) = 32),
  -- What the code was exchanged for.
  session_id     uuid references auth.sessions (id) on delete cascade,
  created_at     timestamptz not null,
  -- First of the question, then of the code.
  expires_at     timestamptz not null,
  check ((status in ('approved', 'used')) = (code_hash is not null)),
  check (code_hash is null or (user_id is not null and approved_in is not null))
);
comment on table auth.oauth_authorizations is 'What programs of others ask people for, until it is answered and a little longer. Reached by the auth service only.';
comment on column auth.oauth_authorizations.code_hash is 'secret';
comment on column auth.oauth_authorizations.requested_from is 'pii:ip';
create index oauth_authorizations_client_id_idx on auth.oauth_authorizations (client_id);
create index oauth_authorizations_user_id_idx on auth.oauth_authorizations (user_id);
create index oauth_authorizations_approved_in_idx on auth.oauth_authorizations (approved_in);
create index oauth_authorizations_session_id_idx on auth.oauth_authorizations (session_id);
create index oauth_authorizations_expires_at_idx on auth.oauth_authorizations (expires_at);
create index oauth_authorizations_requested_from_idx on auth.oauth_authorizations (requested_from, created_at);
select app.enclose('auth.oauth_authorizations');
