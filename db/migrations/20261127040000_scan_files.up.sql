-- description: what was found when files were looked at for viruses
-- author: Thorbis
-- date: 2026-11-27
-- depends: 20261126080000
-- rollback: what was found in files is forgotten; files that wait to be looked at are taken as they are
-- lint: allow require-concurrent-index-creation because no file waits before this
-- lint: allow constraint-missing-not-valid because a wider rule holds for every row

-- Of the bytes: equal ones of a company are looked at once.
alter table app.blobs
  add column scan_result text not null default 'skipped' check (scan_result in ('pending', 'clean', 'skipped')),
  add column scanned_at timestamptz,
  add column scan_tried_at timestamptz;
comment on column app.blobs.scan_tried_at is 'When the scanner was there and said nothing clear of it last: such a file waits behind all others.';
comment on column app.blobs.scan_result is 'What was found: clean; skipped, where there is no scanner or the file is too large for it; pending while it is away.';
create index blobs_pending_idx on app.blobs (scan_tried_at nulls first, created_at) where scan_result = 'pending';

alter table public.file_storage
  drop constraint file_storage_virus_scan_status_check,
  add constraint file_storage_virus_scan_status_check check (virus_scan_status in ('pending', 'clean', 'infected', 'failed', 'skipped'));
