-- description: takes back index_names_of_objects
-- author: Thorbis
-- date: 2026-11-30
-- depends: 20261130060000
-- rollback: migrate up again
-- transaction: none

drop index concurrently if exists storage.objects_name_order_idx;
