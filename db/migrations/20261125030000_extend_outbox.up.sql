-- description: messages to devices, messages about a topic, and whether whoever gets one asked for it (app.outbox)
-- author: Thorbis
-- date: 2026-11-25
-- depends: 20261123120000
-- rollback: drops messages to devices and what messages are about
-- lint: allow constraint-missing-not-valid because messages stay in these tables for a day

alter table app.outbox
  drop constraint outbox_channel_check,
  add constraint outbox_channel_check check (channel in ('mail', 'sms', 'push')) not valid;
alter table app.outbox validate constraint outbox_channel_check;
alter table app.captured_messages
  drop constraint captured_messages_channel_check,
  add constraint captured_messages_channel_check check (channel in ('mail', 'sms', 'push')) not valid;
alter table app.captured_messages validate constraint captured_messages_channel_check;

alter table app.captured_messages add column unsubscribe text;
comment on column app.captured_messages.unsubscribe is 'secret';

alter table app.outbox add column topic text not null default '';
comment on column app.outbox.topic is 'What it is about, as whoever gets it may refuse it; empty where that is nothing of its own.';
alter table app.outbox add column is_asked boolean not null default true;
comment on column app.outbox.is_asked is 'Whether whoever gets it just asked for it: a link to sign in, a code.';
