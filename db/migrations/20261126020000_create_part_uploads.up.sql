-- description: uploads that come in parts, over days and restarts if need be
-- author: Thorbis
-- date: 2026-11-26
-- depends: 20261126010000
-- rollback: uploads that are not at their end begin anew

create table app.part_uploads (
  id              uuid primary key,
  kind            text not null check (kind in ('tus', 's3')),
  -- Who began it; nobody else goes on with it.
  asker           text not null check (length(asker) between 1 and 300),
  company_id      uuid not null,
  owner           uuid,
  bucket_id       text not null check (length(bucket_id) <= 100),
  name            text not null check (length(name) <= 1024),
  content_type    text not null check (length(content_type) <= 255),
  cache_control   text not null check (length(cache_control) <= 255),
  user_metadata   jsonb,
  upsert          boolean not null default false,
  -- What the client said of it, which it gets back.
  said            text not null default '' check (length(said) <= 8192),
  -- Null until the client knows.
  bytes           bigint check (bytes >= 0),
  received        bigint not null default 0 check (received >= 0),
  -- The blob of the whole, once the parts are put together.
  whole_key       text check (length(whole_key) <= 600),
  finishing_until timestamptz,
  ended_at        timestamptz,
  expires_at      timestamptz not null,
  created_at      timestamptz not null default now(),
  check (bytes is null or received <= bytes)
);
comment on table app.part_uploads is 'Uploads that come in parts: what they will be, and how far they are.';
create index part_uploads_asker_idx on app.part_uploads (asker, created_at);
create index part_uploads_company_id_idx on app.part_uploads (company_id);
create index part_uploads_place_idx on app.part_uploads (bucket_id, name) where ended_at is null;
create index part_uploads_expires_at_idx on app.part_uploads (expires_at);
select app.enclose('app.part_uploads');

create table app.upload_parts (
  upload_id  uuid not null references app.part_uploads (id) on delete cascade,
  -- Where its bytes begin, or which number the client gave it.
  position   bigint not null check (position >= 0),
  bytes      bigint not null check (bytes >= 0),
  etag       text not null check (length(etag) <= 100),
  blob_key   text not null references app.blobs (key) on delete cascade,
  created_at timestamptz not null default now(),
  primary key (upload_id, position)
);
comment on table app.upload_parts is 'What has come of an upload in parts.';
create index upload_parts_blob_key_idx on app.upload_parts (blob_key);
select app.enclose('app.upload_parts');
