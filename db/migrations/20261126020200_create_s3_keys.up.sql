-- description: keys that programs of S3 sign with, each of an API key
-- author: Thorbis
-- date: 2026-11-26
-- depends: 20261126020100
-- rollback: programs of S3 are given other keys

create table app.s3_keys (
  company_id uuid not null,
  id         uuid not null,
  api_key_id uuid not null,
  -- Sealed with the key ring: a signature is computed of it.
  secret     text not null check (length(secret) <= 500),
  created_by uuid,
  created_at timestamptz not null default now(),
  primary key (company_id, id),
  constraint s3_keys_api_key_id_fkey foreign key (company_id, api_key_id) references public.api_keys (company_id, id) on delete cascade
);
comment on table app.s3_keys is 'Keys that programs of S3 sign with: what one may do is what its API key may.';
comment on column app.s3_keys.secret is 'secret';
create index s3_keys_id_idx on app.s3_keys (id);
create index s3_keys_api_key_id_idx on app.s3_keys (company_id, api_key_id);
select app.enclose('app.s3_keys');
