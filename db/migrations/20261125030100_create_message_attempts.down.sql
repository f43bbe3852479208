-- description: takes back create_message_attempts
-- author: Thorbis
-- date: 2026-11-25
-- depends: 20261125030100
-- rollback: migrate up again; the log stays lost

drop function if exists public.message_attempts() cascade;
drop table app.message_attempts cascade;
