-- Schedules by the names that programs know: those of pg_cron for the service and for projects, schedule_task for members.
-- Invariant: whoever looks sees what is his; a member's schedule is a kind of task with a payload, and never SQL.

-- Where a project was brought before, tables of these names stand here, empty.
do $$
declare
  v_name text;
begin
  foreach v_name in array array['job', 'job_run_details'] loop
    if exists (select from pg_catalog.pg_class c where c.oid = to_regclass('cron.' || v_name) and c.relkind = 'r') then
      execute format('drop table cron.%I', v_name);
    end if;
  end loop;
  drop function if exists cron.not_kept() cascade;
end $$;

grant usage on schema cron to authenticated, service_role;

drop view if exists cron.job, cron.job_run_details;
create view cron.job with (security_invoker = true) as
select e.number as jobid,
       case when e.time_zone = 'UTC' then '' else 'CRON_TZ=' || e.time_zone || ' ' end || e.schedule as schedule,
       coalesce(e.command, e.kind || ' ' || e.payload::text) as command, 'localhost'::text as nodename, 5432 as nodeport,
       current_database()::text as database, case e.maker when 'member' then 'authenticated' else e.maker end as username, e.is_active as active,
       e.name as jobname
  from app.cron_entries e
 where e.maker = case current_user when 'authenticated' then 'member' else current_user end;
comment on view cron.job is 'The caller''s own schedules, as pg_cron shows them.';

create view cron.job_run_details with (security_invoker = true) as
select r.entry_id as jobid, r.number as runid, null::integer as job_pid, current_database()::text as database,
       case r.maker when 'member' then 'authenticated' else r.maker end as username, r.what as command, r.status, r.message as return_message,
       r.started_at as start_time, r.finished_at as end_time
  from app.cron_runs r
 where r.maker = case current_user when 'authenticated' then 'member' else current_user end;
comment on view cron.job_run_details is 'What became of each time of the caller''s own schedules, as pg_cron shows it.';
revoke all on cron.job, cron.job_run_details from public, anon, authenticated, guest, service_role;
grant select on cron.job, cron.job_run_details to authenticated, service_role;

-- Runs with the rights of whoever calls, so that only one's own function can be reached.
create or replace function app.call_schedule(p_act text, p_id bigint, p_said jsonb) returns bigint
  language plpgsql volatile
  set search_path = ''
as $$
begin
  case current_user
    when 'service_role' then return app.schedule_for_service(p_act, p_id, p_said);
    when 'project_owner' then return app.schedule_for_project(p_act, p_id, p_said);
    else
      raise exception using errcode = '42501', message = format('%s has no schedules of SQL.', current_user),
        hint = 'The service and a project that was brought have; set role service_role says so. Members call schedule_task.';
  end case;
end $$;
revoke all on function app.call_schedule(text, bigint, jsonb) from public;
grant execute on function app.call_schedule(text, bigint, jsonb) to service_role;

create or replace function cron.schedule(schedule text, command text) returns bigint
  language sql volatile set search_path = ''
  return app.call_schedule('put', null, jsonb_build_object('schedule', $1, 'command', $2));
comment on function cron.schedule(text, text) is 'Runs SQL by a schedule, as whoever asks and for his company; returns the job''s id.';
create or replace function cron.schedule(job_name text, schedule text, command text) returns bigint
  language sql volatile set search_path = ''
  return app.call_schedule('put', null, jsonb_build_object('name', $1, 'schedule', $2, 'command', $3));
comment on function cron.schedule(text, text, text) is 'The same with a name; one that is there is changed.';
create or replace function cron.unschedule(job_id bigint) returns boolean
  language sql volatile set search_path = ''
  return app.call_schedule('drop', $1, '{}') is not null;
create or replace function cron.unschedule(job_name text) returns boolean
  language sql volatile set search_path = ''
  return app.call_schedule('drop', null, jsonb_build_object('name', $1)) is not null;

create or replace function cron.alter_job(job_id bigint, schedule text default null, command text default null, database text default null,
                                          username text default null, active boolean default null) returns void
  language plpgsql volatile
  set search_path = ''
as $$
begin
  if $4 is not null and $4 <> current_database() or $5 is not null and $5 <> current_user then
    raise exception using errcode = '0A000', message = 'A schedule runs in this database, as whoever made it.';
  end if;
  perform app.call_schedule('alter', $1, jsonb_strip_nulls(jsonb_build_object('schedule', $2, 'command', $3, 'is_active', $6)));
end $$;

create or replace function cron.schedule_in_database(job_name text, schedule text, command text, database text, username text default null,
                                                     active boolean default true) returns bigint
  language plpgsql volatile
  set search_path = ''
as $$
begin
  if $4 <> current_database() or $5 <> current_user then
    raise exception using errcode = '0A000', message = 'Schedules are of this database, and run as whoever made them.', hint = 'Use cron.schedule.';
  end if;
  return app.call_schedule('put', null, jsonb_build_object('name', $1, 'schedule', $2, 'command', $3, 'is_active', coalesce($6, true)));
end $$;
revoke all on all functions in schema cron from public;
grant execute on all functions in schema cron to service_role;

-- Members.
create or replace function public.schedule_task(schedule text, kind text, payload jsonb default '{}', name text default null,
                                                time_zone text default null, missed text default 'skip', active boolean default true) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_is_service constant boolean := current_setting('role') = 'service_role';
begin
  perform app.demand('cron:write');
  perform app.check_task_of_caller(v_is_service, $2, $3, app.company_id());
  -- Nobody asks when its time comes.
  if exists (select from app.task_kinds k where k.name = $2 and k.runs_as_caller) then
    raise exception using errcode = '42501', message = format('A task of the kind "%s" runs with the rights of who asks, and cannot be scheduled.', $2);
  end if;
  return app.put_schedule(case when v_is_service then 'service_role' else 'member' end,
    jsonb_strip_nulls(jsonb_build_object('schedule', $1, 'kind', $2, 'name', $4, 'missed', $6, 'is_active', $7, 'time_zone',
      coalesce($5, (select c.business_timezone from public.companies c where c.id = app.company_id()))))
    || jsonb_build_object('payload', coalesce($3, '{}')));
end $$;
comment on function public.schedule_task(text, text, jsonb, text, text, text, boolean) is
  'Has a task of a kind put in by a schedule, on the clock of the company or of a zone; of a name there is one. Needs cron:write and what the kind needs.';
alter function public.schedule_task(text, text, jsonb, text, text, text, boolean) owner to app_definer;
revoke all on function public.schedule_task(text, text, jsonb, text, text, text, boolean) from public;
grant execute on function public.schedule_task(text, text, jsonb, text, text, text, boolean) to authenticated, service_role;

create or replace function public.unschedule_task(id bigint default null, name text default null) returns boolean
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  perform app.demand('cron:write');
  if num_nonnulls($1, $2) <> 1 then
    raise exception using errcode = '22023', message = 'A schedule is taken back by its id or its name.';
  end if;
  return case when current_setting('role') = 'service_role' then app.drop_schedule('service_role', app.no_company(), $1, $2)
              else app.drop_schedule('member', app.company_id(), $1, $2) end;
end $$;
comment on function public.unschedule_task(bigint, text) is 'Takes a schedule back, by its id or its name. Needs cron:write.';
alter function public.unschedule_task(bigint, text) owner to app_definer;
revoke all on function public.unschedule_task(bigint, text) from public;
grant execute on function public.unschedule_task(bigint, text) to authenticated, service_role;

drop view if exists public.scheduled_tasks, public.scheduled_task_runs;
create view public.scheduled_tasks with (security_invoker = true) as
select e.company_id, e.number as id, e.name, e.schedule, e.time_zone, e.kind as job_type, e.payload, e.missed, e.is_active,
       -- Beside the one table, so that who may not write is told that, and not what a view cannot do.
       (select s.next_run_at from app.cron_states s where s.company_id = e.company_id and s.entry_id = e.number and isfinite(s.next_run_at)) as next_run_at,
       (select s.last_run_at from app.cron_states s where s.company_id = e.company_id and s.entry_id = e.number) as last_run_at,
       (select s.fault from app.cron_states s where s.company_id = e.company_id and s.entry_id = e.number) as fault,
       e.created_by, e.created_at
  from app.cron_entries e
 where e.maker = 'member';
comment on view public.scheduled_tasks is 'What the company''s members had scheduled.';
create view public.scheduled_task_runs with (security_invoker = true) as
select r.company_id, r.number as id, r.entry_id as scheduled_task_id, r.name, r.fire_at, r.task as task_id, r.status, r.message, r.created_at, r.started_at, r.finished_at
  from app.cron_runs r where r.maker = 'member';
comment on view public.scheduled_task_runs is 'What became of each time of the company''s schedules, for a while.';
revoke all on public.scheduled_tasks, public.scheduled_task_runs from public, anon, authenticated, guest, service_role;
grant select on public.scheduled_tasks, public.scheduled_task_runs to authenticated, service_role;
