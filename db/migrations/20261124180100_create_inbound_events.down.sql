-- description: takes back create_inbound_events
-- author: Thorbis
-- date: 2026-11-24
-- depends: 20261123170000
-- rollback: migrate up again; what providers told stays lost, and is told again only if they are asked

drop table app.inbound_states cascade;
drop table app.inbound_events cascade;
