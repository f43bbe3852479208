-- description: what members are told of, on its way: events, decisions, digests; the feed
-- author: Thorbis
-- date: 2026-11-25
-- depends: 20261125020000
-- rollback: drops what is on its way and the decisions; notifications stay, without when they were seen and put away
-- lint: allow constraint-missing-not-valid because a wider rule holds for every row
-- lint: allow require-concurrent-index-creation because nothing wrote notifications before this
-- lint: allow adding-foreign-key-constraint because the column is new and null in every row

-- Without a key to the company: it goes while what happened to it is being told.
create table app.notification_events (
  company_id  uuid not null,
  id          uuid not null default app.uuid_v7(),
  names       text[] not null check (cardinality(names) between 1 and 3),
  topic       text check (length(topic) <= 60),
  entity_type text check (length(entity_type) <= 60),
  entity_id   uuid,
  actor_id    uuid,
  user_ids    uuid[] not null default '{}' check (cardinality(user_ids) <= 1000),
  permission  text check (length(permission) <= 120),
  priority    text check (priority in ('low', 'normal', 'high', 'urgent')),
  payload     jsonb not null default '{}' check (jsonb_typeof(payload) = 'object'),
  unique_key  text check (length(unique_key) between 1 and 200),
  attempts    integer not null default 0 check (attempts >= 0),
  due_at      timestamptz not null default now(),
  done_at     timestamptz,
  error       text check (length(error) <= 2000),
  created_at  timestamptz not null default now(),
  primary key (company_id, id)
) with (fillfactor = 80);
comment on table app.notification_events is 'What members may have to be told of, written with what happened, and decided on after its commit.';
comment on column app.notification_events.company_id is 'Whose it is.';
comment on column app.notification_events.names is 'What happened, the most telling name first; the topic where somebody asked for it.';
comment on column app.notification_events.topic is 'The topic, where somebody asked for it; null where the sources say it.';
comment on column app.notification_events.entity_type is 'What kind of row it is about.';
comment on column app.notification_events.entity_id is 'The row.';
comment on column app.notification_events.actor_id is 'Who did it; he is not told of what he did.';
comment on column app.notification_events.user_ids is 'Who is told, where somebody asked for it.';
comment on column app.notification_events.permission is 'Whose holders are told, where somebody asked for it.';
comment on column app.notification_events.priority is 'How urgent it is; null as its topic has it.';
comment on column app.notification_events.payload is 'pii:text';
comment on column app.notification_events.unique_key is 'The same again is the same notification.';
comment on column app.notification_events.attempts is 'How often it was begun to decide on it; whoever ends it says which one it was.';
comment on column app.notification_events.due_at is 'When it is decided on, or again where that failed.';
comment on column app.notification_events.done_at is 'When it was.';
comment on column app.notification_events.error is 'Why the last attempt failed.';
comment on column app.notification_events.created_at is 'When it happened.';
create index notification_events_due_at_idx on app.notification_events (due_at) where done_at is null;
create index notification_events_created_at_idx on app.notification_events (created_at);
create index notification_events_entity_idx on app.notification_events (company_id, entity_id) where done_at is null;
create unique index notification_events_unique_key on app.notification_events (company_id, unique_key) where unique_key is not null;
select app.enclose('app.notification_events');

create table app.notification_decisions (
  company_id  uuid not null references public.companies (id) on delete cascade,
  id          uuid not null default app.uuid_v7(),
  event_id    uuid not null,
  event       text not null check (length(event) <= 120),
  topic       text not null check (length(topic) <= 60),
  user_id     uuid not null,
  channel     text check (channel in ('email', 'sms', 'push', 'in_app')),
  decision    text not null check (decision in ('sent', 'gathered', 'deferred', 'withheld')),
  reason      text not null check (reason ~ '^[a-z_]{1,60}$'),
  entity_type text check (length(entity_type) <= 60),
  entity_id   uuid,
  note        text check (length(note) <= 500),
  created_at  timestamptz not null default now(),
  primary key (company_id, id),
  constraint notification_decisions_user_id_fkey foreign key (company_id, user_id)
    references public.team_members (company_id, user_id) on delete cascade
);
comment on table app.notification_decisions is 'Why somebody was told or not: one row for each event, person and channel.';
comment on column app.notification_decisions.event_id is 'What happened.';
comment on column app.notification_decisions.event is 'Its name.';
comment on column app.notification_decisions.topic is 'The topic.';
comment on column app.notification_decisions.user_id is 'Who was to be told.';
comment on column app.notification_decisions.channel is 'The way; null where it is true of all.';
comment on column app.notification_decisions.decision is 'sent, gathered for a digest, deferred to a later time, or withheld.';
comment on column app.notification_decisions.reason is 'Why, in a word; docs/notifications.md lists them.';
comment on column app.notification_decisions.entity_type is 'What kind of row it is about.';
comment on column app.notification_decisions.entity_id is 'The row.';
comment on column app.notification_decisions.note is 'pii:text';
comment on column app.notification_decisions.created_at is 'When it was decided.';
create index notification_decisions_id_idx on app.notification_decisions (id);
create index notification_decisions_entity_idx on app.notification_decisions (company_id, entity_id, user_id);
create index notification_decisions_event_idx on app.notification_decisions (company_id, event_id, user_id);
create index notification_decisions_user_idx on app.notification_decisions (company_id, user_id, id desc);
create index notification_decisions_created_at_idx on app.notification_decisions (created_at);
select app.enclose('app.notification_decisions');

create table app.notification_digests (
  company_id   uuid not null references public.companies (id) on delete cascade,
  id           uuid not null default app.uuid_v7(),
  user_id      uuid not null,
  digest_group text not null check (length(digest_group) <= 30),
  window_end   timestamptz not null,
  sent_at      timestamptz,
  created_at   timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, user_id, digest_group, window_end),
  constraint notification_digests_user_id_fkey foreign key (company_id, user_id)
    references public.team_members (company_id, user_id) on delete cascade
);
comment on table app.notification_digests is 'What gathers mails to a member until its window ends.';
comment on column app.notification_digests.user_id is 'Who gets it.';
comment on column app.notification_digests.digest_group is 'The topics that it gathers.';
comment on column app.notification_digests.window_end is 'When it is sent.';
comment on column app.notification_digests.sent_at is 'When one mail was made of it.';
comment on column app.notification_digests.created_at is 'When the first of it came.';
create index notification_digests_id_idx on app.notification_digests (id);
create index notification_digests_due_idx on app.notification_digests (window_end) where sent_at is null;
select app.enclose('app.notification_digests');

-- One message for each device, where a notification goes to devices.
create table app.notification_messages (
  message_id      uuid primary key,
  company_id      uuid not null,
  notification_id uuid not null,
  created_at      timestamptz not null default now(),
  constraint notification_messages_notification_id_fkey foreign key (company_id, notification_id)
    references public.notification_queue (company_id, id) on delete cascade
);
comment on table app.notification_messages is 'Which messages of the outbox a notification is sent by, until they are.';
comment on column app.notification_messages.message_id is 'The message.';
comment on column app.notification_messages.company_id is 'Whose it is.';
comment on column app.notification_messages.notification_id is 'The notification.';
comment on column app.notification_messages.created_at is 'When it was handed on.';
create index notification_messages_notification_id_idx on app.notification_messages (company_id, notification_id);
select app.enclose('app.notification_messages');

alter table public.notification_queue add column event_id uuid;
comment on column public.notification_queue.event_id is 'What happened; one person is told of it once by each way.';
alter table public.notification_queue add column digest_id uuid;
comment on column public.notification_queue.digest_id is 'The digest that it comes in.';
alter table public.notification_queue add column seen_at timestamptz;
comment on column public.notification_queue.seen_at is 'When it was shown to its person.';
alter table public.notification_queue add column archived_at timestamptz;
comment on column public.notification_queue.archived_at is 'When its person put it away.';
alter table public.notification_queue add constraint notification_queue_digest_id_fkey foreign key (company_id, digest_id)
  references app.notification_digests (company_id, id) on delete set null (digest_id);
create unique index notification_queue_event_key on public.notification_queue (company_id, event_id, user_id, type, channel) where event_id is not null;
create index notification_queue_digest_id_idx on public.notification_queue (company_id, digest_id);
create index notification_queue_unread_idx on public.notification_queue (company_id, user_id)
  where channel = 'in_app' and read_at is null and archived_at is null;
-- A mail says more than what a telephone shows.
alter table public.notification_queue drop constraint notification_queue_body_check;
alter table public.notification_queue add constraint notification_queue_body_check
  check (length(body) between 1 and case channel when 'email' then 20000 else 500 end);
-- Texts by topic, and closer by event.
alter table public.notification_templates drop constraint notification_templates_event_check;
alter table public.notification_templates add constraint notification_templates_event_check
  check (length(event) <= 120 and event ~ '^[a-z_]+([.][a-z_]+)?$');
