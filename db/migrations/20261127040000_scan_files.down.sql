-- description: takes back scan_files
-- author: Thorbis
-- date: 2026-11-27
-- depends: 20261127040000
-- rollback: the up file; nothing is known of files that were looked at before
-- backfill: public.file_storage rows=any because files that were not looked at wait again

drop function if exists app.judge_blob(text, text, text), app.object_scan(uuid, text);
update public.file_storage f set virus_scan_status = 'pending' where f.virus_scan_status = 'skipped';
alter table public.file_storage
  drop constraint file_storage_virus_scan_status_check,
  add constraint file_storage_virus_scan_status_check check (virus_scan_status in ('pending', 'clean', 'infected', 'failed'));
drop index app.blobs_pending_idx;
alter table app.blobs drop column scan_result, drop column scanned_at, drop column scan_tried_at;
