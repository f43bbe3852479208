-- description: takes back store_objects
-- author: Thorbis
-- date: 2026-11-26
-- depends: 20261125040100
-- rollback: run store_objects again

-- backfill: storage.buckets rows=0..5
delete from storage.buckets b using app.company_buckets c
 where c.id = b.id and not exists (select from storage.objects o where o.bucket_id = b.id);
drop policy if exists company_files on storage.objects;
drop policy if exists company_files_read on storage.objects;
drop policy if exists company_files_create on storage.objects;
drop policy if exists company_files_update on storage.objects;
drop policy if exists company_files_delete on storage.objects;
drop policy if exists company_files_rewritten on storage.objects;
drop policy if exists company_files_removed on storage.objects;
drop policy if exists guest_files on storage.objects;
drop policy if exists guest_read on storage.objects;
drop trigger if exists keep_content on storage.objects;
drop trigger if exists end_content on storage.objects;
drop trigger if exists yield_bucket on storage.buckets;
drop function if exists app.write_previews(app.object_versions, text, text, text, text);
drop table app.company_bytes;
drop table app.company_buckets;
drop table app.object_versions;
drop table app.meant_contents;
drop table app.blobs;
drop function if exists app.keep_content(), app.end_content(), app.count_version(), app.yield_bucket(), app.company_of_object(text, text), app.reap_blobs(integer, integer, integer, integer, integer);
