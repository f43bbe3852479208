-- description: takes back create_s3_keys
-- author: Thorbis
-- date: 2026-11-26
-- depends: 20261126020100
-- rollback: run create_s3_keys again

drop table app.s3_keys;
