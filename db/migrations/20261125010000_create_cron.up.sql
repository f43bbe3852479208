-- description: entries that come again and again by a schedule, when each comes next, and what became of each of its times
-- author: Thorbis
-- date: 2026-11-25
-- depends: 20261124220300
-- rollback: drops all schedules and their history

create table app.cron_rules (
  is_only_row            boolean primary key default true check (is_only_row),
  entries_per_company_max integer not null default 100 check (entries_per_company_max >= 0),
  entries_of_service_max integer not null default 1000 check (entries_of_service_max >= 0),
  -- Of what members make; more often than once in an hour is a matter of the minutes alone.
  interval_minutes_min   integer not null default 1 check (interval_minutes_min between 1 and 60)
);
comment on table app.cron_rules is 'What holds for schedules: the settings of the server that started last.';
select app.enclose('app.cron_rules');
insert into app.cron_rules default values;

-- What a company's members made is the company's; what the service, a project or this program made is nobody's, whatever company it works in.
create table app.cron_entries (
  company_id   uuid not null,
  id           bigint generated always as identity,
  maker        text not null check (maker in ('member', 'service_role', 'project_owner', 'system')),
  name         text check (length(name) between 1 and 200),
  schedule     text not null check (length(schedule) between 1 and 200),
  time_zone    text not null default 'UTC' check (length(time_zone) between 1 and 100),
  -- Where it works: the company that was active when it was made.
  works_for    uuid not null,
  kind         text check (kind ~ '^[a-z][a-z0-9_]{0,62}$'),
  payload      jsonb not null default '{}' check (jsonb_typeof(payload) = 'object' and pg_column_size(payload) <= 65536),
  -- Or SQL, run as whoever made it.
  command      text check (length(command) between 1 and 65536),
  missed       text not null default 'skip' check (missed in ('skip', 'one', 'all')),
  is_active    boolean not null default true,
  -- Whether an operator said something else than the program declares.
  is_changed   boolean not null default false,
  created_by   uuid,
  created_at   timestamptz not null default now(),
  -- From when on its times count.
  counts_from  timestamptz not null default now(),
  primary key (company_id, id),
  constraint cron_entries_name_key unique (company_id, maker, works_for, name),
  constraint cron_entries_kind_or_command_check check ((kind is null) = (command is not null)),
  constraint cron_entries_command_maker_check check (command is null or maker in ('service_role', 'project_owner')),
  constraint cron_entries_maker_company_check check ((maker = 'member') = (company_id <> '00000000-0000-0000-0000-000000000000'))
);
comment on table app.cron_entries is 'What comes again and again: a task of a kind, or SQL, by a schedule on the clock of a zone.';
comment on column app.cron_entries.name is 'pii:text';
comment on column app.cron_entries.payload is 'secret';
comment on column app.cron_entries.command is 'secret';
create index cron_entries_id_idx on app.cron_entries (id);
select app.enclose('app.cron_entries');

-- Apart from the entries, so that nothing is written there but what people say.
create table app.cron_states (
  company_id  uuid not null,
  entry_id    bigint not null,
  -- -infinity: not computed yet; infinity: never, since it is paused, or for the reason that fault says.
  next_run_at timestamptz not null,
  last_run_at timestamptz,
  fault       text check (length(fault) <= 500),
  primary key (company_id, entry_id),
  constraint cron_states_entry_id_fkey foreign key (company_id, entry_id) references app.cron_entries (company_id, id) on delete cascade
) with (fillfactor = 70);
comment on table app.cron_states is 'When each entry comes next.';
create index cron_states_next_run_at_idx on app.cron_states (next_run_at);
select app.enclose('app.cron_states');

-- No key to the entry: what was run stays known when the entry is gone.
create table app.cron_runs (
  company_id  uuid not null,
  id          bigint generated always as identity,
  entry_id    bigint not null,
  maker       text not null,
  name        text,
  works_for   uuid not null,
  what        text not null check (length(what) <= 66000),
  fire_at     timestamptz not null,
  task        uuid,
  status      text not null default 'starting' check (status in ('starting', 'running', 'succeeded', 'failed')),
  message     text check (length(message) <= 2000),
  created_at  timestamptz not null default now(),
  started_at  timestamptz,
  finished_at timestamptz,
  primary key (company_id, id),
  -- One run for each time, whoever looks.
  constraint cron_runs_time_key unique (entry_id, fire_at)
);
comment on table app.cron_runs is 'What became of each time of an entry, for a while.';
comment on column app.cron_runs.name is 'pii:text';
comment on column app.cron_runs.what is 'secret';
comment on column app.cron_runs.message is 'pii:text';
create index cron_runs_id_idx on app.cron_runs (id);
create index cron_runs_unfinished_idx on app.cron_runs (entry_id) where status in ('starting', 'running');
create index cron_runs_created_at_idx on app.cron_runs (created_at);
create index cron_runs_company_idx on app.cron_runs (company_id, created_at desc);
select app.enclose('app.cron_runs');

-- The login over which SQL of a project that was brought runs: it can become project_owner and nobody else.
create table app.project_logins (
  is_only_row boolean primary key default true check (is_only_row),
  name        text not null check (name ~ '^project_cron_[0-9a-f]{16}$'),
  password    text not null
);
comment on table app.project_logins is 'The login over which SQL that a project scheduled is run.';
comment on column app.project_logins.password is 'secret';
select app.enclose('app.project_logins');
