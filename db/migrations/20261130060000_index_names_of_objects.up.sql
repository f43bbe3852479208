-- description: names of objects are found in the order of their letters, so that a page of a list is sought and not searched for
-- author: Thorbis
-- date: 2026-11-30
-- depends: 20261126010000
-- rollback: every list of a bucket reads all of its names
-- transaction: none

create index concurrently if not exists objects_name_order_idx on storage.objects (bucket_id, name collate "C");
