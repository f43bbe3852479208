-- description: what other programs told this server, and as of when what they speak of is known (app.inbound_events, app.inbound_states)
-- author: Thorbis
-- date: 2026-11-24
-- depends: 20261123170000
-- rollback: drops what providers told; what was done of it stays

create table app.inbound_events (
  id          uuid primary key default app.uuid_v7(),
  provider    text not null check (length(provider) between 1 and 40),
  event_key   text not null check (length(event_key) between 1 and 255),
  event_type  text not null check (length(event_type) <= 120),
  payload     jsonb not null,
  status      text not null default 'pending' check (status in ('pending', 'done', 'failed')),
  outcome     text check (length(outcome) <= 500),
  attempts    integer not null default 0 check (attempts >= 0),
  said_at     timestamptz not null,
  due_at      timestamptz not null,
  received_at timestamptz not null,
  finished_at timestamptz,
  unique (provider, event_key)
);
comment on table app.inbound_events is 'Calls of providers whose signature was right: each once, with what became of it.';
comment on column app.inbound_events.provider is 'Who called.';
comment on column app.inbound_events.event_key is 'By what he knows it.';
comment on column app.inbound_events.event_type is 'What happened, in his words.';
comment on column app.inbound_events.payload is 'pii:text';
comment on column app.inbound_events.status is 'pending, done or failed.';
comment on column app.inbound_events.outcome is 'What was done of it, or why nothing was.';
comment on column app.inbound_events.attempts is 'How often it could not be used.';
comment on column app.inbound_events.said_at is 'When it happened, as he says.';
comment on column app.inbound_events.due_at is 'When it is tried.';
comment on column app.inbound_events.received_at is 'When it came first.';
comment on column app.inbound_events.finished_at is 'When it was settled.';
create index inbound_events_due_at_idx on app.inbound_events (due_at) where status = 'pending';
create index inbound_events_received_at_idx on app.inbound_events (received_at);
select app.enclose('app.inbound_events');

create table app.inbound_states (
  provider   text not null check (length(provider) between 1 and 40),
  object_key text not null check (length(object_key) between 1 and 512),
  said_at    timestamptz not null,
  is_gone    boolean not null default false,
  primary key (provider, object_key)
);
comment on table app.inbound_states is 'As of when something is known that a provider tells of: what he says of an earlier time changes nothing.';
comment on column app.inbound_states.provider is 'The provider.';
comment on column app.inbound_states.object_key is 'What he calls it.';
comment on column app.inbound_states.said_at is 'The time that was told of last.';
comment on column app.inbound_states.is_gone is 'Whether it is no more.';
select app.enclose('app.inbound_states');
