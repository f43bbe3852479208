-- description: links and codes that work once
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123120000
-- rollback: drops links and codes that were sent and not used yet

-- Of each purpose a user has one; the next one takes its place. A row goes when it is used.
create table auth.one_time_tokens (
  id            uuid primary key default app.uuid_v7(),
  user_id       uuid not null references auth.users (id) on delete cascade,
  purpose       text not null check (purpose in ('confirmation', 'recovery', 'email_change_current', 'email_change_new',
                                                 'phone_confirmation', 'phone_change', 'reauthentication')),
  -- SHA-256 of what the link holds.
  token_hash    bytea not null unique check (length(token_hash) = 32),
  -- The code under a key of the server: of the few codes that there are, a hash alone would hide nothing.
  code_hash     bytea not null check (length(code_hash) = 32),
  code_attempts integer not null default 0 check (code_attempts >= 0),
  sent_to       text not null check (length(sent_to) between 3 and 254),
  -- Of a change that two addresses have to agree to: the other one did.
  is_last       boolean not null default true,
  created_at    timestamptz not null,
  expires_at    timestamptz not null,
  unique (user_id, purpose)
);
comment on table auth.one_time_tokens is 'Links and codes that were sent and not used yet. Reached by the auth service only.';
comment on column auth.one_time_tokens.token_hash is 'secret';
comment on column auth.one_time_tokens.code_hash is 'secret';
comment on column auth.one_time_tokens.sent_to is 'pii:email';
create index one_time_tokens_sent_to_idx on auth.one_time_tokens (sent_to);
create index one_time_tokens_expires_at_idx on auth.one_time_tokens (expires_at);
select app.enclose('auth.one_time_tokens');
