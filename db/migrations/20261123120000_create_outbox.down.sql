-- description: takes back create_outbox
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123110000
-- rollback: migrate up again; messages that were not sent are lost

drop table app.captured_messages;
drop table app.outbox;
