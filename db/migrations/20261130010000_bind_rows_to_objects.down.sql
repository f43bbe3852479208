-- description: takes back bind_rows_to_objects
-- author: Thorbis
-- date: 2026-11-30
-- depends: 20261130010000
-- rollback: the up file

-- What asks for the columns goes with them; the program that comes next makes its own. Until then nobody but the server reaches a file of a company,
-- rather than somebody too many.
drop policy if exists guest_read on storage.objects;
drop policy if exists company_files_update on storage.objects;
drop policy if exists company_files_delete on storage.objects;
alter table app.object_versions drop column went_with_row;
alter table public.file_storage drop column object_id cascade;
alter table public.attachments drop column object_id cascade;
