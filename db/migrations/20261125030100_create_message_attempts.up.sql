-- description: every attempt to send a message, and what its provider told of it later (app.message_attempts)
-- author: Thorbis
-- date: 2026-11-25
-- depends: 20261125030000
-- rollback: drops the log of what was sent

-- What a message said is not here. The row stays when the message has left app.outbox.
create table app.message_attempts (
  id           uuid primary key default app.uuid_v7(),
  message_key  uuid not null,
  company_id   uuid references public.companies (id) on delete cascade,
  channel      text not null check (channel in ('mail', 'sms', 'push')),
  purpose      text not null check (length(purpose) between 1 and 40),
  topic        text not null check (length(topic) <= 60),
  recipient    text not null check (length(recipient) between 3 and 254),
  attempt      integer not null check (attempt >= 0),
  provider     text check (length(provider) <= 40),
  provider_key text check (length(provider_key) between 1 and 255),
  outcome      text not null check (outcome in ('accepted', 'refused', 'suppressed', 'delayed', 'delivered', 'opened', 'clicked', 'failed', 'bounced', 'complained')),
  code         text check (length(code) <= 60),
  said_at      timestamptz not null,
  created_at   timestamptz not null
);
comment on table app.message_attempts is 'Every attempt to send a message: by which provider, and what became of it.';
comment on column app.message_attempts.message_key is 'The message: its id in app.outbox while it is there.';
comment on column app.message_attempts.company_id is 'In whose name it was; null where somebody asked for it himself, whoever''s name stood above it.';
comment on column app.message_attempts.channel is 'mail, sms or push.';
comment on column app.message_attempts.purpose is 'Its reason.';
comment on column app.message_attempts.topic is 'What it was about.';
comment on column app.message_attempts.recipient is 'pii:email';
comment on column app.message_attempts.attempt is 'How many times the message was tried by then.';
comment on column app.message_attempts.provider is 'Who carried it; null where nobody was asked to.';
comment on column app.message_attempts.provider_key is 'What the provider calls it.';
comment on column app.message_attempts.outcome is 'The furthest that is known of it.';
comment on column app.message_attempts.code is 'What the provider calls the reason.';
comment on column app.message_attempts.said_at is 'As of when the outcome is known.';
comment on column app.message_attempts.created_at is 'When it was tried.';
create index message_attempts_message_key_idx on app.message_attempts (message_key);
create index message_attempts_company_id_idx on app.message_attempts (company_id, created_at desc, id);
create index message_attempts_provider_idx on app.message_attempts (provider, provider_key);
create index message_attempts_recipient_idx on app.message_attempts (channel, recipient);
create index message_attempts_created_at_idx on app.message_attempts (created_at);
select app.enclose('app.message_attempts');
