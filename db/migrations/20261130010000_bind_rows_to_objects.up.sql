-- description: rows say which file they mean, and not its name alone
-- author: Thorbis
-- date: 2026-11-30
-- depends: 20261129050000
-- rollback: rows mean again whatever has their name

alter table public.attachments add column object_id uuid;
comment on column public.attachments.object_id is 'The file that it means, whatever comes under its name later; null until there is one.';
alter table public.file_storage add column object_id uuid;
comment on column public.file_storage.object_id is 'The file that it means, whatever comes under its name later; null until there is one.';
alter table app.object_versions add column went_with_row boolean not null default false;
comment on column app.object_versions.went_with_row is 'Whether it was removed because the last row that had it went, with which it comes back.';
