-- description: takes back create_portal
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261121090200
-- rollback: migrate up again; customers ask for another link

-- With the triggers that read and write what goes.
drop function if exists app.end_portal_sessions() cascade;
drop table auth.portal_sessions cascade;
