-- description: takes back create_notification_events
-- author: Thorbis
-- date: 2026-11-25
-- depends: 20261125020000
-- rollback: migrate up again; decisions and what was on its way stay lost
-- backfill: public.notification_templates rows=any because companies wrote as many texts by topic as they wanted
-- backfill: public.notification_queue rows=any because mails may be of any length

delete from public.notification_templates where event !~ '[.]';
alter table public.notification_templates drop constraint notification_templates_event_check;
alter table public.notification_templates add constraint notification_templates_event_check
  check (length(event) <= 120 and event ~ '^[a-z_]+[.][a-z_]+$');
update public.notification_queue set body = left(body, 500) where length(body) > 500;
alter table public.notification_queue drop constraint notification_queue_body_check;
alter table public.notification_queue add constraint notification_queue_body_check check (length(body) between 1 and 500);
-- With the triggers and functions that write and read what goes.
drop function if exists app.note_event() cascade;
drop function if exists app.note_notification_end() cascade;
alter table public.notification_queue drop column archived_at cascade;
alter table public.notification_queue drop column seen_at cascade;
alter table public.notification_queue drop column digest_id cascade;
alter table public.notification_queue drop column event_id cascade;
drop table app.notification_messages cascade;
drop table app.notification_digests cascade;
drop table app.notification_decisions cascade;
drop table app.notification_events cascade;
