-- description: takes back show_tasks
-- author: Thorbis
-- date: 2026-11-24
-- depends: 20261124090000
-- rollback: migrate up again; names of tasks are lost

drop view if exists public.job_queue;
drop view if exists public.background_jobs;
-- backfill: app.protected_tables rows=0..3
delete from app.protected_tables where table_name in ('app.tasks', 'app.done_tasks', 'app.dead_tasks');
drop policy if exists tenant_isolation on app.tasks;
drop policy if exists member_read on app.tasks;
drop policy if exists tenant_isolation on app.done_tasks;
drop policy if exists member_read on app.done_tasks;
drop policy if exists tenant_isolation on app.dead_tasks;
drop policy if exists member_read on app.dead_tasks;
revoke select on app.tasks, app.done_tasks, app.dead_tasks from authenticated;
alter table app.tasks drop column label;
alter table app.done_tasks drop column label;
alter table app.dead_tasks drop column label;

create table public.background_jobs (
  company_id        uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                uuid not null default app.uuid_v7(),
  job_type          text not null check (length(job_type) between 1 and 120),
  job_name          text check (length(job_name) <= 200),
  priority          integer not null default 0,
  payload           jsonb not null default '{}' check (jsonb_typeof(payload) = 'object'),
  status            text not null default 'pending' check (status in ('pending', 'running', 'completed', 'failed', 'cancelled')),
  started_at        timestamptz,
  completed_at      timestamptz,
  failed_at         timestamptz,
  error_message     text check (length(error_message) <= 4000),
  error_stack       text check (length(error_stack) <= 20000),
  retry_count       integer not null default 0 check (retry_count >= 0),
  max_retries       integer not null default 3 check (max_retries >= 0),
  next_retry_at     timestamptz,
  progress_percent  integer not null default 0 check (progress_percent between 0 and 100),
  progress_message  text check (length(progress_message) <= 500),
  result            jsonb,
  scheduled_for     timestamptz,
  run_at            timestamptz,
  worker_id         text check (length(worker_id) <= 120),
  execution_time_ms integer check (execution_time_ms >= 0),
  metadata          jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  updated_at        timestamptz not null default now(),
  created_at        timestamptz not null default now(),
  primary key (company_id, id)
);
comment on table public.background_jobs is 'Background work of a company.';
create index background_jobs_id_idx on public.background_jobs (id);
create index background_jobs_created_at_idx on public.background_jobs (company_id, created_at desc, id);
create index background_jobs_status_idx on public.background_jobs (company_id, status, scheduled_for);
select app.enclose('public.background_jobs');
