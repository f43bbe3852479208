-- description: messages that are to be sent, and those that a development server kept instead of sending them
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123110000
-- rollback: drops messages that were not sent yet

-- A message is written in the transaction that is its reason, and sent after its commit. What a mail says is sealed with the key of the
-- installation, since it may hold a link that lets somebody in, and is forgotten as soon as it is sent.
create table app.outbox (
  id          uuid primary key default app.uuid_v7(),
  -- Whose name stands above it; null where it is nobody's.
  company_id  uuid references public.companies (id) on delete set null,
  channel     text not null check (channel in ('mail', 'sms')),
  purpose     text not null check (purpose ~ '^[a-z][a-z_]{0,39}$'),
  recipient   text not null check (length(recipient) between 3 and 254),
  -- From where it was asked for, to keep one client from sending to many.
  client      inet,
  -- Withheld: asked for an address that nobody has. Counts like any other, and is never sent.
  status      text not null default 'pending' check (status in ('pending', 'sent', 'failed', 'withheld')),
  sealed      text check (length(sealed) <= 200000),
  attempts    integer not null default 0 check (attempts >= 0),
  due_at      timestamptz not null,
  error       text check (length(error) <= 500),
  created_at  timestamptz not null,
  finished_at timestamptz,
  constraint outbox_pending_sealed_check check ((status = 'pending') = (sealed is not null)),
  constraint outbox_pending_finished_check check ((status = 'pending') = (finished_at is null))
);
comment on table app.outbox is 'Messages to be sent after the commit that is their reason, and for a while those that were.';
comment on column app.outbox.recipient is 'pii:email';
comment on column app.outbox.client is 'pii:ip';
comment on column app.outbox.sealed is 'secret';
create index outbox_due_at_idx on app.outbox (due_at) where status = 'pending';
create index outbox_recipient_idx on app.outbox (channel, recipient, created_at);
create index outbox_client_idx on app.outbox (client, created_at);
create index outbox_company_id_idx on app.outbox (company_id);
create index outbox_finished_at_idx on app.outbox (finished_at);
select app.enclose('app.outbox');

create table app.captured_messages (
  id         uuid primary key default app.uuid_v7(),
  channel    text not null check (channel in ('mail', 'sms')),
  purpose    text not null check (purpose ~ '^[a-z][a-z_]{0,39}$'),
  sender     text not null check (length(sender) <= 320),
  recipient  text not null check (length(recipient) between 3 and 254),
  subject    text not null default '' check (length(subject) <= 1000),
  body_text  text not null check (length(body_text) <= 100000),
  body_html  text not null default '' check (length(body_html) <= 100000),
  is_read    boolean not null default false,
  created_at timestamptz not null
);
comment on table app.captured_messages is 'Messages that a development server kept instead of sending them. Empty in production.';
comment on column app.captured_messages.recipient is 'pii:email';
comment on column app.captured_messages.body_text is 'secret';
comment on column app.captured_messages.body_html is 'secret';
create index captured_messages_created_at_idx on app.captured_messages (created_at desc, id);
select app.enclose('app.captured_messages');
