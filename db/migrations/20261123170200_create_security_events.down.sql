-- description: takes back create_security_events
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123170100
-- rollback: migrate up again; the history of all accounts is lost

drop function if exists app.note_session() cascade;
drop function if exists app.note_account() cascade;
drop function if exists app.note_factor() cascade;
drop function if exists app.note_identity() cascade;
drop function if exists app.note_api_key() cascade;
drop table auth.security_events cascade;
