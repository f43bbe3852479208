-- description: takes back create_webhook_deliveries
-- author: Thorbis
-- date: 2026-11-24
-- depends: 20261123210100
-- rollback: migrate up again; events, secrets and counters stay lost

alter table public.webhook_logs drop column attempts;
alter table public.webhook_logs drop column event_id;
alter table public.webhooks drop column is_ordered;
-- With the triggers that write and read what goes.
drop function if exists app.note_event() cascade;
drop function if exists app.guard_webhook_events() cascade;
drop function if exists app.keep_event_interest() cascade;
drop table app.webhook_states cascade;
drop table app.webhook_deliveries cascade;
drop table app.webhook_secrets cascade;
drop table app.events cascade;
drop table app.event_interest cascade;
