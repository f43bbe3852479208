-- description: passkeys (auth.passkeys) and what was asked of them (auth.passkey_challenges)
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123130000
-- rollback: drops all passkeys, people sign in otherwise; take a backup first

create table auth.passkeys (
  id            uuid primary key default app.uuid_v7(),
  user_id       uuid not null references auth.users (id) on delete cascade,
  -- How the key calls itself.
  credential_id bytea not null unique check (length(credential_id) between 1 and 1023),
  -- The public key, its counter and what was seen of it, as the library that checks its signatures writes it. No secret.
  credential    jsonb not null,
  friendly_name text not null default '' check (length(friendly_name) <= 200),
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now(),
  last_used_at  timestamptz
);
comment on table auth.passkeys is 'Keys on people''s devices that sign them in without a password; their public part. Reached by the auth service only.';
create index passkeys_user_id_idx on auth.passkeys (user_id);
select app.enclose('auth.passkeys');

-- A row goes with whatever comes for an answer. Nobody is known before a sign-in.
create table auth.passkey_challenges (
  id         uuid primary key default app.uuid_v7(),
  user_id    uuid references auth.users (id) on delete cascade,
  -- What a key is asked to sign, and on which conditions its answer counts.
  ceremony   jsonb not null,
  created_at timestamptz not null,
  expires_at timestamptz not null
);
comment on table auth.passkey_challenges is 'Requests for a new passkey (of a user), or to sign in with any (of nobody), until they are answered or expire. Reached by the auth service only.';
create index passkey_challenges_user_id_idx on auth.passkey_challenges (user_id);
create index passkey_challenges_expires_at_idx on auth.passkey_challenges (expires_at);
select app.enclose('auth.passkey_challenges');
