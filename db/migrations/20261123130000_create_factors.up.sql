-- description: second factors (auth.mfa_factors), what was asked of them (auth.mfa_challenges), recovery codes (auth.recovery_codes); which factor a session was raised by
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123110000
-- rollback: drops all second factors, people sign in with their password alone; take a backup first
-- lint: allow adding-foreign-key-constraint because the column is new and null in every row
-- lint: allow require-concurrent-index-creation because the column is new and null in every row

create table auth.mfa_factors (
  id                 uuid primary key default app.uuid_v7(),
  user_id            uuid not null references auth.users (id) on delete cascade,
  friendly_name      text not null default '' check (length(friendly_name) <= 200),
  factor_type        text not null check (factor_type in ('totp', 'phone', 'webauthn', 'recovery_code')),
  status             text not null default 'unverified' check (status in ('unverified', 'verified')),
  -- Sealed by the server's key ring for this row: the database sees ciphertext only.
  secret             text check (length(secret) <= 4096),
  phone              text check (length(phone) between 3 and 32),
  -- The newest time step of which a code was used: no step is good twice.
  last_step          bigint,
  -- Tries since attempts_since, successful ones aside.
  attempts           integer not null default 0 check (attempts >= 0),
  attempts_since     timestamptz,
  last_challenged_at timestamptz,
  created_at         timestamptz not null default now(),
  updated_at         timestamptz not null default now(),
  check (factor_type <> 'totp' or secret is not null),
  unique (user_id, friendly_name)
);
comment on table auth.mfa_factors is 'Second factors of accounts. Reached by the auth service only.';
comment on column auth.mfa_factors.secret is 'secret';
comment on column auth.mfa_factors.phone is 'pii:phone';
create unique index mfa_factors_recovery_code_key on auth.mfa_factors (user_id) where factor_type = 'recovery_code';
select app.enclose('auth.mfa_factors');

create table auth.mfa_challenges (
  id         uuid primary key default app.uuid_v7(),
  factor_id  uuid not null references auth.mfa_factors (id) on delete cascade,
  ip         inet,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);
comment on table auth.mfa_challenges is 'Requests to prove a second factor, until they are answered or expire. Reached by the auth service only.';
comment on column auth.mfa_challenges.ip is 'pii:ip';
create index mfa_challenges_factor_id_idx on auth.mfa_challenges (factor_id);
select app.enclose('auth.mfa_challenges');

create table auth.recovery_codes (
  factor_id uuid not null references auth.mfa_factors (id) on delete cascade,
  -- SHA-256 of a code of 80 random bits, in hexadecimal digits.
  code_hash text not null check (code_hash ~ '^[0-9a-f]{64}$'),
  used_at   timestamptz,
  primary key (factor_id, code_hash)
);
comment on table auth.recovery_codes is 'Codes that stand in for a lost second factor, each once; only their hashes. Reached by the auth service only.';
comment on column auth.recovery_codes.code_hash is 'secret';
select app.enclose('auth.recovery_codes');

alter table auth.sessions add column factor_id uuid references auth.mfa_factors (id) on delete set null;
create index sessions_factor_id_idx on auth.sessions (factor_id);
