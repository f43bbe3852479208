-- description: takes back tell_held_sessions
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123202000
-- rollback: migrate up again

alter table auth.sessions drop constraint sessions_held_id_check;
