-- description: takes back say_which_files_file_storage_mean
-- author: Thorbis
-- date: 2026-11-30
-- depends: 20261130010020
-- rollback: the up file

select 1;
