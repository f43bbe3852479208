-- description: takes back settle_old_previews_of_attachments
-- author: Thorbis
-- date: 2026-11-29
-- depends: 20261129040120
-- rollback: the up file

select 1;
