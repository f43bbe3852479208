-- description: where the bytes of storage objects are: blobs, versions of objects, buckets whose first folder is a company
-- author: Thorbis
-- date: 2026-11-26
-- depends: 20261125040100
-- rollback: the bytes of files stay in their folder and nothing names them any more; take a backup first
-- backfill: storage.buckets rows=0..5

-- One row per file in the folder or object store. It is there before the file is, and goes after it.
create table app.blobs (
  key        text primary key check (length(key) <= 600),
  -- Whose bytes they are; the id of no company where the bucket is nobody's. Equal bytes are kept once in a company, never across companies.
  company_id uuid not null,
  state      text not null default 'intended' check (state in ('intended', 'stored', 'doomed')),
  bytes      bigint check (bytes >= 0),
  sha256     bytea check (octet_length(sha256) = 32),
  -- Until when an upload that is not at its end is waited for.
  keep_until timestamptz not null,
  created_at timestamptz not null default now(),
  unique (company_id, key),
  check (state <> 'stored' or bytes is not null)
);
comment on table app.blobs is 'Files that were begun, are there, or are to go. What is intended and never stored is taken away after a while.';
create index blobs_equal_idx on app.blobs (company_id, sha256, bytes) where state = 'stored';
create index blobs_unfinished_idx on app.blobs (keep_until) where state = 'intended';
create index blobs_doomed_idx on app.blobs (created_at) where state = 'doomed';
select app.enclose('app.blobs');

create table app.meant_contents (
  version       text primary key check (length(version) <= 255),
  blob_key      text not null references app.blobs (key) on delete cascade,
  etag          text not null check (length(etag) <= 200),
  content_type  text not null check (length(content_type) <= 255),
  cache_control text not null check (length(cache_control) <= 255),
  created_at    timestamptz not null default now()
);
comment on table app.meant_contents is 'What a version of an object has as its content, until a row of storage.objects takes the version.';
create index meant_contents_blob_key_idx on app.meant_contents (blob_key);
create index meant_contents_created_at_idx on app.meant_contents (created_at);
select app.enclose('app.meant_contents');

create table app.object_versions (
  id            text primary key check (length(id) <= 255),
  object_id     uuid not null,
  company_id    uuid not null,
  bucket_id     text not null check (length(bucket_id) <= 100),
  name          text not null check (length(name) <= 1024),
  blob_key      text not null,
  bytes         bigint not null check (bytes >= 0),
  etag          text not null check (length(etag) <= 200),
  content_type  text not null check (length(content_type) <= 255),
  cache_control text not null check (length(cache_control) <= 255),
  owner         uuid,
  owner_id      text check (length(owner_id) <= 255),
  user_metadata jsonb,
  created_at    timestamptz not null default now(),
  -- Null while it is what the object has.
  ended_at      timestamptz,
  ended_how     text check (ended_how in ('replaced', 'removed')),
  ended_by      uuid,
  constraint object_versions_blob_key_fkey foreign key (company_id, blob_key) references app.blobs (company_id, key) deferrable initially deferred,
  check ((ended_at is null) = (ended_how is null))
);
comment on table app.object_versions is 'What objects have as their bytes, and had until it was replaced or removed. The last kind can be brought back.';
create index object_versions_object_id_idx on app.object_versions (object_id);
create index object_versions_blob_key_idx on app.object_versions (company_id, blob_key);
create index object_versions_ended_at_idx on app.object_versions (ended_at) where ended_at is not null;
create index object_versions_name_idx on app.object_versions (bucket_id, name, ended_at) where ended_how = 'removed';
select app.enclose('app.object_versions');

create table app.company_buckets (
  id text primary key,
  constraint company_buckets_id_fkey foreign key (id) references storage.buckets (id) on update cascade on delete cascade
);
comment on table app.company_buckets is 'Buckets in which the first folder of every name is the id of a company.';
select app.enclose('app.company_buckets');

create table app.company_bytes (
  company_id uuid primary key references public.companies (id) on delete cascade,
  objects    bigint not null default 0 check (objects >= 0),
  bytes      bigint not null default 0 check (bytes >= 0)
);
comment on table app.company_bytes is 'How many versions of files a company has, and their bytes: those that can be brought back count, too.';
select app.enclose('app.company_bytes');

insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types) values
  ('avatars', 'avatars', true, 5242880, '{image/jpeg,image/png,image/webp}'),
  ('documents', 'documents', false, 52428800, null),
  ('attachments', 'attachments', false, 104857600, null),
  ('invoices', 'invoices', false, 10485760, '{application/pdf}'),
  ('company-files', 'company-files', false, 52428800, null)
on conflict (id) do nothing;
-- A bucket of that name that somebody has files in stays his.
insert into app.company_buckets (id)
select b.id from storage.buckets b
 where b.id in ('avatars', 'documents', 'attachments', 'invoices', 'company-files')
   and not exists (select from storage.objects o where o.bucket_id = b.id);
