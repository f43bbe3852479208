-- description: takes back create_notification_topics
-- author: Thorbis
-- date: 2026-11-25
-- depends: 20261122090400
-- rollback: migrate up again; what people and companies chose stays lost

-- With the triggers and functions that read what goes.
drop function if exists app.note_event() cascade;
drop function if exists app.guard_notification_topic() cascade;
drop table public.notification_defaults cascade;
drop table public.notification_choices cascade;
drop table app.notification_sources cascade;
drop table app.notification_topics cascade;
