-- description: sign-ins under way that end with a code which an application exchanges (auth.flow_states), and which links lead to one; who proved that an address is his
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123130000
-- rollback: drops sign-ins that are under way; people begin again
-- lint: allow adding-foreign-key-constraint because the column is new and null in every row
-- lint: allow require-concurrent-index-creation because the column is new and null in every row

-- A row goes when its code is exchanged, or a while after its time is over.
create table auth.flow_states (
  id               uuid primary key default app.uuid_v7(),
  -- Who gets the session; for a trip to a provider known when it ends.
  user_id          uuid references auth.users (id) on delete cascade,
  -- How he proved who he is.
  method           text not null check (method in ('otp', 'oauth')),
  -- What the application will prove with its verifier (RFC 7636). Without it there is no code: the session goes to the browser.
  challenge        text check (length(challenge) between 43 and 128),
  challenge_method text check (challenge_method in ('s256', 'plain')),
  -- SHA-256 of the code; none until there is one.
  code_hash        bytea unique check (length(code_hash) = 32),
  -- SHA-256 of what the provider hands back, until it did.
  state_hash       bytea unique check (length(state_hash) = 32),
  -- SHA-256 of what the browser has that began it.
  browser_hash     bytea check (length(browser_hash) = 32),
  provider         text check (length(provider) between 1 and 100),
  -- Whether the account at the provider is to be one of user_id's, and not to sign somebody in.
  links            boolean not null default false,
  redirect_to      text check (length(redirect_to) <= 4096),
  -- Sealed by the server's key ring for this row: first what the trip needs, then the provider's tokens.
  secrets          text check (length(secrets) <= 65536),
  created_at       timestamptz not null,
  expires_at       timestamptz not null,
  check ((challenge is null) = (challenge_method is null)),
  check (code_hash is null or (challenge is not null and user_id is not null)),
  check (not links or user_id is not null)
);
comment on table auth.flow_states is 'Sign-ins under way, through a link or a provider. Reached by the auth service only.';
comment on column auth.flow_states.code_hash is 'secret';
comment on column auth.flow_states.state_hash is 'secret';
comment on column auth.flow_states.browser_hash is 'secret';
comment on column auth.flow_states.secrets is 'secret';
create index flow_states_user_id_idx on auth.flow_states (user_id);
create index flow_states_expires_at_idx on auth.flow_states (expires_at);
select app.enclose('auth.flow_states');

alter table auth.one_time_tokens add column flow_id uuid references auth.flow_states (id) on delete cascade;
create index one_time_tokens_flow_id_idx on auth.one_time_tokens (flow_id);

-- An address may count as confirmed without anybody having proved to hold it. Whoever proves it elsewhere is then not let into what
-- somebody else prepared under it.
alter table auth.users add column email_proved_at timestamptz;
-- backfill: auth.users rows=any because as many accounts proved their address as there are
update auth.users set email_proved_at = email_confirmed_at where email_confirmed_at > created_at;
