-- description: takes back keep_previews
-- author: Thorbis
-- date: 2026-11-28
-- depends: 20261128020000
-- rollback: the up file; addresses of previews are written anew when a row's file is
-- backfill: public.file_storage rows=any because addresses that are too long for the columns go
-- backfill: public.attachments rows=any because addresses that are too long for the columns go

drop trigger if exists previews_told on public.file_storage;
drop trigger if exists previews_told on public.attachments;
drop trigger if exists previews_wanted on public.file_storage;
drop trigger if exists previews_wanted on public.attachments;
drop trigger if exists previews_renewed on app.object_versions;
drop function if exists app.tell_of_previews(), app.want_previews(), app.renew_previews(), app.put_previews(uuid, text, text),
  app.note_previews(uuid, text, text, text, text), app.put_lost_previews(integer), app.is_previewable(text);
drop index public.file_storage_processing_idx, public.attachments_processing_idx;
update public.file_storage f
   set thumbnail_url = case when length(f.thumbnail_url) <= 2048 then f.thumbnail_url end,
       preview_url = case when length(f.preview_url) <= 2048 then f.preview_url end
 where length(f.thumbnail_url) > 2048 or length(f.preview_url) > 2048;
update public.attachments a set thumbnail_url = null where length(a.thumbnail_url) > 2048;
alter table public.file_storage
  drop column processing_error,
  drop constraint file_storage_thumbnail_url_check,
  add constraint file_storage_thumbnail_url_check check (length(thumbnail_url) <= 2048),
  drop constraint file_storage_preview_url_check,
  add constraint file_storage_preview_url_check check (length(preview_url) <= 2048);
alter table public.attachments
  drop column preview_url, drop column processing_status, drop column processing_error,
  drop constraint attachments_thumbnail_url_check,
  add constraint attachments_thumbnail_url_check check (length(thumbnail_url) <= 2048);
