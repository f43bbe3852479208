-- description: what members are told of: topics, the events that cause them, and what people and companies chose
-- author: Thorbis
-- date: 2026-11-25
-- depends: 20261122090400
-- rollback: drops topics, sources and choices; the columns of notification_preferences decide alone again

create table app.notification_topics (
  name               text primary key check (name ~ '^[a-z][a-z_]{1,59}$'),
  description        text not null check (length(description) between 1 and 500),
  digest_group       text not null check (digest_group ~ '^[a-z_]{1,30}$'),
  priority           text not null default 'normal' check (priority in ('low', 'normal', 'high', 'urgent')),
  default_channels   text[] not null check (default_channels <@ '{email,sms,push,in_app}'),
  mandatory_channels text[] not null default '{}' check (mandatory_channels <@ default_channels),
  read_permission    text check (length(read_permission) <= 120)
);
comment on table app.notification_topics is 'What members can be told of.';
comment on column app.notification_topics.name is 'Its word, as notification_queue.type and notification_preferences have it.';
comment on column app.notification_topics.description is 'When somebody is told.';
comment on column app.notification_topics.digest_group is 'Topics of one group come in one digest.';
comment on column app.notification_topics.priority is 'How urgent it is unless the notification says otherwise.';
comment on column app.notification_topics.default_channels is 'The ways it takes where nobody chose.';
comment on column app.notification_topics.mandatory_channels is 'The ways that nobody can switch off.';
comment on column app.notification_topics.read_permission is 'What a member needs in one of its scopes to be told; null where it names him itself.';
select app.enclose('app.notification_topics');

create table app.notification_sources (
  noun       text not null check (noun ~ '^[a-z_]{1,60}$'),
  event      text not null check (event ~ '^[a-z_]+[.][a-z_]+$'),
  topic      text not null references app.notification_topics (name) on delete cascade,
  changed    text[],
  unless     text[] not null default '{}',
  wanted     jsonb not null default '[]' check (jsonb_typeof(wanted) = 'array'),
  audience   text[] not null check (audience <@ '{assignee,crew,creator,new_assignee,new_crew,former,holders,holders_if_nobody}'),
  permission text check (length(permission) <= 120),
  primary key (noun, event, topic)
);
comment on table app.notification_sources is 'Which events cause a topic, and who is told then.';
comment on column app.notification_sources.noun is 'What the event begins with; looked up by every change of a row of the business.';
comment on column app.notification_sources.event is 'noun.verb, as webhooks know it.';
comment on column app.notification_sources.topic is 'The topic.';
comment on column app.notification_sources.changed is 'Only where one of these columns changed; null for any.';
comment on column app.notification_sources.unless is 'Not where the event has one of these names, too.';
comment on column app.notification_sources.wanted is 'Only where the row says what one of these says; empty for any.';
comment on column app.notification_sources.audience is 'Who is told, by what the row says of people.';
comment on column app.notification_sources.permission is 'Whose holders are told, where the audience has holders.';
create index notification_sources_topic_idx on app.notification_sources (topic);
select app.enclose('app.notification_sources');

create table public.notification_choices (
  company_id uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id         uuid not null default app.uuid_v7(),
  user_id    uuid not null default auth.uid(),
  topic      text not null check (length(topic) <= 60),
  channel    text not null check (channel in ('email', 'sms', 'push', 'in_app')),
  enabled    boolean not null,
  version    bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, user_id, topic, channel),
  constraint notification_choices_user_id_fkey foreign key (company_id, user_id)
    references public.team_members (company_id, user_id) on delete cascade
);
comment on table public.notification_choices is 'What a member chose for one topic and channel; goes before notification_preferences.';
comment on column public.notification_choices.user_id is 'Who chose.';
comment on column public.notification_choices.topic is 'The topic.';
comment on column public.notification_choices.channel is 'The channel.';
comment on column public.notification_choices.enabled is 'Whether he wants it.';
create index notification_choices_id_idx on public.notification_choices (id);
select app.enclose('public.notification_choices');

create table public.notification_defaults (
  company_id   uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id           uuid not null default app.uuid_v7(),
  topic        text not null check (length(topic) <= 60),
  channel      text not null check (channel in ('email', 'sms', 'push', 'in_app')),
  enabled      boolean not null default true,
  is_mandatory boolean not null default false,
  hour_max     integer check (hour_max between 0 and 10000),
  note         text check (length(note) <= 500),
  version      bigint not null default 1,
  created_at   timestamptz not null default now(),
  updated_at   timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, topic, channel),
  constraint notification_defaults_mandatory_check check (enabled or not is_mandatory)
);
comment on table public.notification_defaults is 'What a company has its members told of where they chose nothing, and what they must be told of.';
comment on column public.notification_defaults.topic is 'The topic.';
comment on column public.notification_defaults.channel is 'The channel.';
comment on column public.notification_defaults.enabled is 'Whether it comes where the member chose nothing.';
comment on column public.notification_defaults.is_mandatory is 'Whether no member can switch it off.';
comment on column public.notification_defaults.hour_max is 'How many of it one member gets in an hour; null as the server has it.';
comment on column public.notification_defaults.note is 'html';
create index notification_defaults_id_idx on public.notification_defaults (id);
select app.enclose('public.notification_defaults');
