-- description: takes back create_part_uploads
-- author: Thorbis
-- date: 2026-11-26
-- depends: 20261126010000
-- rollback: run create_part_uploads again

drop table app.upload_parts;
drop table app.part_uploads;
