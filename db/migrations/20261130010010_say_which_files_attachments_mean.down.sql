-- description: takes back say_which_files_attachments_mean
-- author: Thorbis
-- date: 2026-11-30
-- depends: 20261130010010
-- rollback: the up file

select 1;
