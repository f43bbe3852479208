-- description: takes back extend_outbox
-- author: Thorbis
-- date: 2026-11-25
-- depends: 20261125030000
-- rollback: migrate up again; messages to devices stay lost
-- backfill: app.outbox rows=any because an installation may have sent any number to devices
-- backfill: app.captured_messages rows=any because a development server may have kept any of them

delete from app.outbox where channel = 'push';
delete from app.captured_messages where channel = 'push';
alter table app.outbox
  drop constraint outbox_channel_check,
  add constraint outbox_channel_check check (channel in ('mail', 'sms')) not valid;
alter table app.outbox validate constraint outbox_channel_check;
alter table app.captured_messages
  drop constraint captured_messages_channel_check,
  add constraint captured_messages_channel_check check (channel in ('mail', 'sms')) not valid;
alter table app.captured_messages validate constraint captured_messages_channel_check;
alter table app.captured_messages drop column unsubscribe cascade;
alter table app.outbox drop column is_asked cascade;
alter table app.outbox drop column topic cascade;
