-- description: what happened to accounts: sign-ins, failed ones, changes of password, address and factors
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123170100
-- rollback: drops the history of all accounts; take a backup first

create table auth.security_events (
  id         uuid primary key default app.uuid_v7(),
  -- Nobody's when the account that was tried is not there.
  user_id    uuid references auth.users (id) on delete cascade,
  action     text not null check (action ~ '^[a-z_]{1,60}$'),
  session_id uuid,
  ip         inet,
  user_agent text check (length(user_agent) <= 1000),
  details    jsonb not null default '{}' check (jsonb_typeof(details) = 'object'),
  created_at timestamptz not null default now()
);
comment on table auth.security_events is 'What happened to accounts, each seen by its own user. Written by triggers and by a refused sign-in; kept as long as the settings say.';
comment on column auth.security_events.session_id is 'The session that it is about, also when that is gone.';
comment on column auth.security_events.ip is 'pii:ip';
create index security_events_user_id_idx on auth.security_events (user_id, id desc);
select app.enclose('auth.security_events');
