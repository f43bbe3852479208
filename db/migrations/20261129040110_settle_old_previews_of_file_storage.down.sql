-- description: takes back settle_old_previews_of_file_storage
-- author: Thorbis
-- date: 2026-11-29
-- depends: 20261129040110
-- rollback: the up file

select 1;
