-- description: takes back create_presences
-- author: Thorbis
-- date: 2026-11-27
-- depends: 20261126030000
-- rollback: migrate up again; servers write down who is present as it changes

drop view if exists shared.presence;
drop table app.presences cascade;
drop table app.presence_nodes cascade;
