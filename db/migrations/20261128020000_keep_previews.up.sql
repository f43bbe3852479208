-- description: where thumbnails and previews of files are, and why there is none
-- author: Thorbis
-- date: 2026-11-28
-- depends: 20261127050000
-- rollback: nobody is told where previews are; they are made anew
-- lint: allow require-concurrent-index-creation because no row waits for a preview before this
-- lint: allow constraint-missing-not-valid because a wider rule holds for every row

alter table public.file_storage
  add column processing_error text check (length(processing_error) <= 500),
  drop constraint file_storage_thumbnail_url_check,
  add constraint file_storage_thumbnail_url_check check (length(thumbnail_url) <= 4096),
  drop constraint file_storage_preview_url_check,
  add constraint file_storage_preview_url_check check (length(preview_url) <= 4096);
comment on column public.file_storage.processing_error is 'Why there is neither a thumbnail nor a preview.';

alter table public.attachments
  add column preview_url text check (length(preview_url) <= 4096),
  add column processing_status text not null default 'pending' check (processing_status in ('pending', 'processing', 'completed', 'failed')),
  add column processing_error text check (length(processing_error) <= 500),
  drop constraint attachments_thumbnail_url_check,
  add constraint attachments_thumbnail_url_check check (length(thumbnail_url) <= 4096);
comment on column public.attachments.processing_status is 'Of a thumbnail and a preview: to be made, made (or nothing to make), or impossible.';
comment on column public.attachments.processing_error is 'Why there is neither a thumbnail nor a preview.';

-- Those that a task may have been lost of.
create index file_storage_processing_idx on public.file_storage (updated_at) where processing_status = 'pending';
create index attachments_processing_idx on public.attachments (updated_at) where processing_status = 'pending';
