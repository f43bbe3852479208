-- description: messages that SQL sends to channels, and what policies of channels are written on (realtime.messages)
-- author: Thorbis
-- date: 2026-11-26
-- depends: 20261124121000
-- rollback: drops the messages; what was not delivered or replayed yet is lost

-- A row is told to every server by the change feed, and kept for a few days for whoever joins late. The day it was written is its partition.
create table realtime.messages (
  id             uuid not null default gen_random_uuid(),
  topic          text not null check (length(topic) between 1 and 255),
  extension      text not null check (extension in ('broadcast', 'presence')),
  event          text check (length(event) between 1 and 255),
  payload        jsonb,
  binary_payload bytea,
  private        boolean not null default false,
  updated_at     timestamptz not null default now(),
  inserted_at    timestamptz not null default now(),
  primary key (id, inserted_at),
  constraint messages_payload_check check (payload is null or binary_payload is null)
) partition by range (inserted_at);
comment on table realtime.messages is 'What SQL sent to channels. Its policies say who may join a private channel, and who may send there.';
comment on column realtime.messages.id is 'What tells it apart; subscribers get it as meta.id.';
comment on column realtime.messages.topic is 'The channel''s name.';
comment on column realtime.messages.extension is 'broadcast or presence: which of both a policy lets.';
comment on column realtime.messages.event is 'What the message is called; null where it was only tried whether somebody may.';
comment on column realtime.messages.payload is 'What is told, as JSON.';
comment on column realtime.messages.binary_payload is 'What is told, as bytes.';
comment on column realtime.messages.private is 'Whether it goes to the private channel of this name or to the public one.';
comment on column realtime.messages.updated_at is 'Of no meaning; programs made for Supabase name it.';
comment on column realtime.messages.inserted_at is 'When it was sent.';
create index messages_topic_idx on realtime.messages (topic, inserted_at desc) where extension = 'broadcast';
select app.enclose('realtime.messages');
