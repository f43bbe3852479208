-- description: tasks, their kinds and limits, the processes that do them, and what became of them
-- author: Thorbis
-- date: 2026-11-24
-- depends: 20261123210100
-- rollback: drops tasks that were not done yet, and the history of those that were

-- What sorts of tasks there are. The program declares them at its start; limits and pauses are changed while it runs.
create table app.task_kinds (
  name                    text primary key check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
  attempts_max            smallint not null check (attempts_max between 1 and 100),
  timeout_ms              integer not null check (timeout_ms between 1 and 86400000),
  priority                smallint not null default 0 check (priority between -1000 and 1000),
  -- What a member needs to put one in; null: only the server does.
  permission              text check (length(permission) <= 120),
  -- What a payload that a member writes must look like: objects with name, type, is_required and length_max.
  fields                  jsonb not null default '[]' check (jsonb_typeof(fields) = 'array'),
  max_running             integer check (max_running >= 0),
  max_running_per_company integer check (max_running_per_company >= 0),
  max_running_per_key     integer check (max_running_per_key >= 0),
  -- infinity: until somebody says otherwise.
  paused_until            timestamptz,
  is_draining             boolean not null default false,
  declared_at             timestamptz not null default now()
);
comment on table app.task_kinds is 'Sorts of tasks: declared by the program; how many run at once, and pauses, are changed at run time.';
select app.enclose('app.task_kinds');

create table app.task_limits (
  company_id   uuid not null references public.companies (id) on delete cascade,
  -- * is every kind.
  kind         text not null check (kind = '*' or kind ~ '^[a-z][a-z0-9_]{0,62}$'),
  max_running  integer check (max_running >= 0),
  weight       smallint not null default 1 check (weight between 1 and 100),
  paused_until timestamptz,
  is_draining  boolean not null default false,
  primary key (company_id, kind)
);
comment on table app.task_limits is 'What differs for a company: how many of its tasks run at once, its share beside others, pauses.';
select app.enclose('app.task_limits');

-- Only what is not finished. What no company owns has the company of zeros; no key, since it would lock the company's row for each task.
create table app.tasks (
  company_id       uuid not null,
  id               uuid not null,
  kind             text not null,
  state            text not null default 'ready' check (state in ('ready', 'running', 'later', 'waiting')),
  -- Minus its priority, so that one direction orders the index.
  rank             smallint not null default 0,
  run_at           timestamptz not null default now(),
  attempt          smallint not null default 0,
  attempts_max     smallint not null,
  crashes          smallint not null default 0,
  worker           uuid,
  started_at       timestamptz,
  -- Slots that a running one holds, and the one that a waiting one waits for.
  lanes            text[],
  waits_for        text,
  limit_key        text check (length(limit_key) between 1 and 200),
  unique_key       text check (length(unique_key) between 1 and 200),
  -- Wanted again while it runs: payload and run_at of the next time.
  rerun            jsonb,
  is_cancelled     boolean not null default false,
  payload          jsonb not null check (jsonb_typeof(payload) = 'object' and pg_column_size(payload) <= 1048576),
  progress_percent smallint not null default 0 check (progress_percent between 0 and 100),
  progress_message text check (length(progress_message) <= 500),
  errors           jsonb not null default '[]',
  created_by       uuid,
  created_at       timestamptz not null default now(),
  primary key (company_id, id),
  constraint tasks_running_worker_check check ((state = 'running') = (worker is not null)),
  constraint tasks_waiting_lane_check check ((state = 'waiting') = (waits_for is not null))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
comment on table app.tasks is 'Background work that is not finished.';
comment on column app.tasks.payload is 'secret';
comment on column app.tasks.rerun is 'secret';
comment on column app.tasks.errors is 'pii:text';
create index tasks_ready_idx on app.tasks (company_id, rank, run_at, id) where state = 'ready';
create index tasks_later_idx on app.tasks (run_at) where state = 'later';
create index tasks_waiting_idx on app.tasks (waits_for, rank, run_at, id) where state = 'waiting';
create index tasks_worker_idx on app.tasks (worker) where state = 'running';
create unique index tasks_unique_key on app.tasks (company_id, kind, unique_key) where unique_key is not null;
select app.enclose('app.tasks');

create table app.done_tasks (
  company_id       uuid not null,
  id               uuid not null,
  kind             text not null,
  outcome          text not null check (outcome in ('done', 'cancelled')),
  rank             smallint not null,
  run_at           timestamptz not null,
  attempt          smallint not null,
  attempts_max     smallint not null,
  worker           uuid,
  unique_key       text,
  payload          jsonb not null,
  progress_percent smallint not null,
  progress_message text,
  errors           jsonb not null,
  result           jsonb,
  created_by       uuid,
  created_at       timestamptz not null,
  started_at       timestamptz,
  finished_at      timestamptz not null
) partition by range (finished_at);
comment on table app.done_tasks is 'Tasks that were done or cancelled, for a while. Partitioned by the week in which they were finished.';
comment on column app.done_tasks.payload is 'secret';
comment on column app.done_tasks.errors is 'pii:text';
comment on column app.done_tasks.result is 'pii:text';
create index done_tasks_company_idx on app.done_tasks (company_id, id);
select app.enclose('app.done_tasks');

create table app.dead_tasks (
  company_id       uuid not null,
  id               uuid not null,
  kind             text not null,
  rank             smallint not null,
  run_at           timestamptz not null,
  attempt          smallint not null,
  attempts_max     smallint not null,
  worker           uuid,
  limit_key        text,
  unique_key       text,
  payload          jsonb not null,
  progress_percent smallint not null,
  progress_message text,
  errors           jsonb not null,
  created_by       uuid,
  created_at       timestamptz not null,
  started_at       timestamptz,
  finished_at      timestamptz not null,
  -- The task that was made of it.
  redriven_as      uuid
) partition by range (finished_at);
comment on table app.dead_tasks is 'Tasks that nobody tries any more. Partitioned by the week in which they were given up.';
comment on column app.dead_tasks.payload is 'secret';
comment on column app.dead_tasks.errors is 'pii:text';
create index dead_tasks_company_idx on app.dead_tasks (company_id, id);
create index dead_tasks_kind_idx on app.dead_tasks (kind, finished_at) where redriven_as is null;
select app.enclose('app.dead_tasks');

create table app.task_workers (
  id         uuid primary key,
  node       text not null check (length(node) between 1 and 200),
  started_at timestamptz not null default now(),
  beat_at    timestamptz not null default now()
) with (fillfactor = 50);
comment on table app.task_workers is 'Processes that do tasks; one that beats no more has lost its tasks to others.';
select app.enclose('app.task_workers');

create table app.task_slots (
  lane    text primary key check (length(lane) between 1 and 400),
  running integer not null check (running >= 0)
) with (fillfactor = 50);
comment on table app.task_slots is 'How many tasks run in each lane that has a limit.';
select app.enclose('app.task_slots');
