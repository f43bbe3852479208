-- description: storage.buckets and storage.objects; the columns of auth.users and auth.identities that projects made for Supabase write and read
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261121090000
-- rollback: drops the records of files; take a backup first

create table storage.buckets (
  id                 text primary key check (length(id) between 1 and 100),
  name               text not null unique check (length(name) between 1 and 100),
  owner              uuid,
  owner_id           text check (length(owner_id) <= 255),
  public             boolean not null default false,
  avif_autodetection boolean not null default false,
  file_size_limit    bigint check (file_size_limit >= 0),
  allowed_mime_types text[],
  type               text not null default 'STANDARD' check (type in ('STANDARD', 'ANALYTICS', 'VECTOR')),
  created_at         timestamptz not null default now(),
  updated_at         timestamptz not null default now()
);
comment on table storage.buckets is 'Places for files: who reaches their files is for the policies on storage.objects to say.';
select app.enclose('storage.buckets');

create table storage.objects (
  id               uuid primary key default gen_random_uuid(),
  bucket_id        text references storage.buckets (id),
  name             text check (length(name) between 1 and 1024),
  owner            uuid,
  owner_id         text check (length(owner_id) <= 255),
  metadata         jsonb,
  user_metadata    jsonb,
  version          text check (length(version) <= 255),
  path_tokens      text[] generated always as (string_to_array(name, '/')) stored,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  last_accessed_at timestamptz not null default now(),
  unique (bucket_id, name)
);
comment on table storage.objects is 'One row per file: its name in its bucket and what is known of it. The bytes are elsewhere.';
select app.enclose('storage.objects');

-- Written by seeds and imports made for Supabase. Our own sign-in keeps its tokens elsewhere, and looks at none of these.
alter table auth.users
  add column instance_id uuid,
  add column is_super_admin boolean,
  add column confirmation_token text,
  add column recovery_token text,
  add column email_change_token_new text,
  add column email_change_token_current text default '',
  add column email_change_confirm_status smallint default 0,
  add column phone_change_token text default '',
  add column reauthentication_token text default '';
comment on column auth.users.instance_id is 'Of no meaning; programs made for Supabase name it.';
