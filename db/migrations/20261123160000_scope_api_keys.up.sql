-- description: where API keys work from, how often, and that they were used
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261122090400
-- rollback: drops the addresses and limits of API keys and what was counted of their use

alter table public.api_keys
  -- None: from everywhere.
  add column allowed_addresses cidr[] not null default '{}' check (cardinality(allowed_addresses) <= 50),
  -- None: what the installation gives every key.
  add column requests_per_minute integer check (requests_per_minute between 1 and 100000);
comment on column public.api_keys.allowed_addresses is 'Address ranges from which the key works; none: from everywhere.';
comment on column public.api_keys.requests_per_minute is 'How often the key works in a minute, on all servers together; none: as the setting says.';

-- Of a key there is one row: how many requests of which minute servers have taken for it, a few at a time.
create table app.api_key_uses (
  company_id uuid not null,
  api_key_id uuid not null,
  -- Minutes since 1970.
  minute     bigint not null,
  taken      integer not null check (taken >= 0),
  address    inet,
  primary key (company_id, api_key_id),
  constraint api_key_uses_api_key_id_fkey foreign key (company_id, api_key_id)
    references public.api_keys (company_id, id) on delete cascade
);
comment on table app.api_key_uses is 'How often each API key was used in its last minute. Written by the auth service only.';
comment on column app.api_key_uses.address is 'pii:ip';
select app.enclose('app.api_key_uses');
