-- description: takes back create_push_devices
-- author: Thorbis
-- date: 2026-11-25
-- depends: 20261125030300
-- rollback: migrate up again; devices stay lost, and the next start makes another key

drop function if exists public.register_push_device(jsonb, text, text, text) cascade;
drop function if exists public.remove_push_device(uuid, text) cascade;
drop function if exists public.push_devices() cascade;
drop table app.channel_settings cascade;
drop table app.push_devices cascade;
