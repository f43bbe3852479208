-- description: the answers to writes that came with an Idempotency-Key
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261122095000
-- rollback: drops the answers that were kept; requests sent again are done again

-- What was answered to a write that came with an Idempotency-Key, so that the same request sent again gets the same answer.
-- The row is written in the transaction of the write itself: there is never one without the other.
create table app.idempotency_keys (
  -- All zeros where the caller works in no company.
  company_id  uuid not null,
  -- All zeros where the caller is no user.
  caller_id   uuid not null,
  caller_role text not null check (length(caller_role) <= 63),
  route       text not null check (length(route) <= 400),
  key         text not null check (length(key) between 1 and 255),
  fingerprint bytea not null check (length(fingerprint) = 32),
  status      integer not null check (status between 200 and 299),
  headers     jsonb not null check (jsonb_typeof(headers) = 'object'),
  body        text not null,
  created_at  timestamptz not null default now(),
  expires_at  timestamptz not null,
  primary key (company_id, caller_id, caller_role, route, key)
);
comment on table app.idempotency_keys is 'Answers to writes that came with an Idempotency-Key, by caller and route, until they expire.';
create index idempotency_keys_expires_at_idx on app.idempotency_keys (expires_at);
select app.enclose('app.idempotency_keys');
