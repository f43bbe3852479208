-- description: images made of objects, kept until their version ends
-- author: Thorbis
-- date: 2026-11-26
-- depends: 20261126020000
-- rollback: images are made anew when somebody asks

create table app.derived_images (
  version      text not null references app.object_versions (id) on delete cascade,
  -- What was wanted of it, in a word.
  name         text not null check (length(name) between 1 and 100),
  blob_key     text not null references app.blobs (key) on delete cascade,
  content_type text not null check (length(content_type) <= 100),
  bytes        bigint not null check (bytes >= 0),
  created_at   timestamptz not null default now(),
  primary key (version, name)
);
comment on table app.derived_images is 'Images made smaller, of versions of objects. They are made anew when they are gone.';
create index derived_images_blob_key_idx on app.derived_images (blob_key);
select app.enclose('app.derived_images');
