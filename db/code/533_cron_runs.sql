-- What becomes of the times of entries. Invariant: of an entry there is one run for each time, however many processes look: the run's row and
-- its task are written together, under the key over entry and time; and a time that could not be run is a failed run, never silence.

-- Entries whose time has come, those first that wait longest; planned is null where it is not computed yet.
create or replace function app.due_schedules(p_now timestamptz, p_limit integer)
  returns table (company_id uuid, id bigint, name text, schedule text, time_zone text, missed text, kind text, counts_from timestamptz, planned timestamptz)
  language sql stable
  set search_path = ''
begin atomic
  select e.company_id, e.number, e.name, e.schedule, e.time_zone, e.missed, coalesce(e.kind, 'run_sql'), e.counts_from, nullif(s.next_run_at, '-infinity')
    from app.cron_states s join app.cron_entries e on e.company_id = s.company_id and e.number = s.entry_id
   where s.next_run_at <= p_now and e.is_active
   order by s.next_run_at limit p_limit;
end;
revoke all on function app.due_schedules(timestamptz, integer) from public;
grant execute on function app.due_schedules(timestamptz, integer) to service_role;

-- Why an entry may not run at this moment: its company is closed, or whoever made it lost what it needs. Null where it may.
create or replace function app.schedule_fault(p_entry app.cron_entries) returns text
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  v_company public.companies;
  v_kind    app.task_kinds;
  v_held    text;
begin
  if p_entry.works_for = app.no_company() then
    return null;
  end if;
  perform app.keep_to_company(p_entry.works_for);
  select * into v_company from public.companies c where c.id = p_entry.works_for;
  if v_company.id is null or v_company.deleted_at is not null or v_company.archived_at is not null or v_company.suspended_at is not null then
    return 'its company is closed or suspended';
  elsif p_entry.maker <> 'member' then
    return null;
  elsif v_company.writes_until <= now() then
    return 'its company may not write: what it subscribed to is over';
  end if;
  select m.effective_permissions into v_held from public.team_members m
   where m.company_id = p_entry.works_for and m.user_id = p_entry.created_by and m.status = 'active' and m.archived_at is null;
  if not found then
    return 'whoever made it is no active member any more';
  end if;
  select * into v_kind from app.task_kinds k where k.name = p_entry.kind;
  if strpos(coalesce(v_held, ''), ',cron:write,') = 0 or strpos(v_held, ',' || coalesce(v_kind.permission, '-') || ',') = 0 then
    return 'whoever made it may not have it done any more';
  end if;
  if exists (select from app.letter_about(p_entry.payload) a where a.id is not null and strpos(v_held, ',' || a.noun || ':read,') = 0) then
    return 'whoever made it may not read any more what it is about';
  end if;
  return app.payload_fault(v_kind.fields, p_entry.payload, p_entry.works_for);
end $$;
alter function app.schedule_fault(app.cron_entries) owner to app_definer;
revoke all on function app.schedule_fault(app.cron_entries) from public;
grant execute on function app.schedule_fault(app.cron_entries) to service_role;

-- Begins the run of one time, if nobody did: its task, or what is in the way of one.
create or replace function app.start_schedule_run(p_entry app.cron_entries, p_fire_at timestamptz, p_unfinished_max integer, p_fault text)
  returns app.cron_runs
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_fault text := coalesce(p_fault, app.schedule_fault(p_entry));
  v_run   app.cron_runs;
begin
  perform app.keep_to_company(p_entry.company_id), app.keep_to_company(p_entry.works_for);
  if v_fault is null and p_unfinished_max <= (select count(*) from app.cron_runs r
                                              where r.company_id = p_entry.company_id and r.entry_id = p_entry.number and r.status in ('starting', 'running')) then
    v_fault := 'the runs before it are not finished';
  end if;
  insert into app.cron_runs (company_id, entry_id, maker, name, works_for, what, fire_at)
  values (p_entry.company_id, p_entry.number, p_entry.maker, p_entry.name, p_entry.works_for,
          coalesce(p_entry.command, p_entry.kind || ' ' || p_entry.payload::text), p_fire_at)
  on conflict (entry_id, fire_at) do nothing
  returning * into v_run;
  if not found then
    return null;
  end if;
  if v_fault is null then
    begin
      v_run.task := app.enqueue_task(coalesce(p_entry.kind, 'run_sql'),
        case when p_entry.command is null then p_entry.payload else jsonb_build_object('entry_id', p_entry.number, 'run_id', v_run.number) end,
        p_entry.works_for, p_limit_key => 'schedule ' || p_entry.number);
      update app.tasks t set label = p_entry.name where t.company_id = p_entry.works_for and t.id = v_run.task;
    exception when sqlstate 'TH409' or sqlstate 'TH422' then
      v_fault := sqlerrm;
    end;
  end if;
  update app.cron_runs r
     set task = v_run.task, status = case when v_fault is null then 'starting' else 'failed' end, message = v_fault,
         finished_at = case when v_fault is not null then now() end
   where r.company_id = v_run.company_id and r.number = v_run.number
  returning * into v_run;
  return v_run;
end $$;
revoke all on function app.start_schedule_run(app.cron_entries, timestamptz, integer, text) from public;
grant execute on function app.start_schedule_run(app.cron_entries, timestamptz, integer, text) to service_role;

-- Begins what is due of an entry and says when it comes next, unless another process did since it was planned.
create or replace function app.fire_schedule(p_company_id uuid, p_id bigint, p_planned timestamptz, p_runs timestamptz[], p_next timestamptz,
                                             p_fault text, p_unfinished_max integer, p_run_fault text)
  returns setof app.cron_runs
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_entry   app.cron_entries;
  v_run     app.cron_runs;
  v_fire_at timestamptz;
begin
  perform app.keep_to_company(p_company_id);
  perform from app.cron_states s
    where s.company_id = p_company_id and s.entry_id = p_id and s.next_run_at = coalesce(p_planned, '-infinity') for update skip locked;
  if not found then
    return;
  end if;
  -- Held, so that a change of it waits.
  select * into v_entry from app.cron_entries e where e.company_id = p_company_id and e.number = p_id and e.is_active for key share;
  if not found then
    return;
  end if;
  foreach v_fire_at in array p_runs loop
    v_run := app.start_schedule_run(v_entry, v_fire_at, p_unfinished_max, p_run_fault);
    if v_run.number is not null then
      return next v_run;
    end if;
  end loop;
  update app.cron_states s
     set next_run_at = coalesce(p_next, 'infinity'), fault = p_fault, last_run_at = coalesce(p_runs[cardinality(p_runs)], s.last_run_at)
   where s.company_id = p_company_id and s.entry_id = p_id;
end $$;
revoke all on function app.fire_schedule(uuid, bigint, timestamptz, timestamptz[], timestamptz, text, integer, text) from public;
grant execute on function app.fire_schedule(uuid, bigint, timestamptz, timestamptz[], timestamptz, text, integer, text) to service_role;

-- Writes down what became of tasks whose runs are not finished. Returns those that failed.
create or replace function app.settle_schedule_runs(p_limit integer) returns setof app.cron_runs
  language sql volatile
  set search_path = ''
begin atomic
  with unfinished as (
    select r.company_id, r.number, r.works_for, r.task from app.cron_runs r
     where r.status in ('starting', 'running') order by r.number limit p_limit for update skip locked),
  found as (
    select u.company_id, u.number,
           case when t.id is not null then case when t.started_at is null then 'starting' else 'running' end
                when d.outcome = 'done' then 'succeeded' else 'failed' end as status,
           coalesce(t.started_at, d.started_at, x.started_at) as started_at,
           case when t.id is null then coalesce(d.finished_at, x.finished_at, now()) end as finished_at,
           case when t.id is not null then t.errors -> -1 ->> 'error'
                when d.outcome = 'done' then d.result ->> 'message'
                when d.outcome = 'cancelled' then 'cancelled'
                when x.id is not null then x.errors -> -1 ->> 'error'
                else 'its task is gone' end as message
      from unfinished u
      left join app.tasks t on t.company_id = u.works_for and t.id = u.task
      left join lateral (select * from app.done_tasks d where t.id is null and d.company_id = u.works_for and d.id = u.task limit 1) d on true
      left join lateral (select * from app.dead_tasks x where t.id is null and x.company_id = u.works_for and x.id = u.task limit 1) x on true),
  settled as (
    update app.cron_runs r
       set status = f.status, started_at = coalesce(f.started_at, r.started_at), finished_at = f.finished_at, message = left(f.message, 2000)
      from found f
     where r.company_id = f.company_id and r.number = f.number
       and (r.status, r.message, r.started_at) is distinct from (f.status, left(f.message, 2000), coalesce(f.started_at, r.started_at))
    returning r.*)
  select s.* from settled s where s.status = 'failed';
end;
revoke all on function app.settle_schedule_runs(integer) from public;
grant execute on function app.settle_schedule_runs(integer) to service_role;

create or replace function app.forget_schedule_runs(p_days integer, p_limit integer) returns bigint
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_count bigint;
begin
  delete from app.cron_states s
   where not exists (select from app.cron_entries e where e.company_id = s.company_id and e.number = s.entry_id);
  delete from app.cron_runs r
   where (r.company_id, r.number) in (select o.company_id, o.number from app.cron_runs o
                                   where o.created_at < now() - make_interval(days => p_days) and o.status in ('succeeded', 'failed')
                                   order by o.created_at limit p_limit for update skip locked);
  get diagnostics v_count = row_count;
  return v_count;
end $$;
revoke all on function app.forget_schedule_runs(integer, integer) from public;
grant execute on function app.forget_schedule_runs(integer, integer) to service_role;

-- What the program itself has done again and again. What an operator changed stays as he said.
create or replace function app.declare_schedules(p_entries jsonb) returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_entry record;
  v_id    bigint;
begin
  for v_entry in select * from jsonb_to_recordset(p_entries) d (name text, schedule text, time_zone text, kind text, payload jsonb, missed text) order by d.name loop
    insert into app.cron_entries as e (company_id, maker, name, schedule, time_zone, works_for, kind, payload, missed)
    values (app.no_company(), 'system', v_entry.name, v_entry.schedule, v_entry.time_zone, app.no_company(), v_entry.kind, v_entry.payload, v_entry.missed)
    on conflict (company_id, maker, works_for, name) do update
       set schedule = case when e.is_changed then e.schedule else excluded.schedule end,
           time_zone = case when e.is_changed then e.time_zone else excluded.time_zone end,
           kind = excluded.kind, payload = excluded.payload, missed = excluded.missed
     where (case when e.is_changed then excluded.schedule else e.schedule end, case when e.is_changed then excluded.time_zone else e.time_zone end,
            e.kind, e.payload, e.missed)
           is distinct from (excluded.schedule, excluded.time_zone, excluded.kind, excluded.payload, excluded.missed)
    returning e.number into v_id;
    if found then
      perform app.plan_anew(app.no_company(), v_id);
    end if;
  end loop;
end $$;
revoke all on function app.declare_schedules(jsonb) from public;
grant execute on function app.declare_schedules(jsonb) to service_role;

-- For the operator: pauses, resumes, or gives an entry another schedule or zone; null leaves what is. Its name finds one of the program's
-- own, its id any. Returns how many it found.
create or replace function app.operate_schedule(p_which text, p_is_active boolean, p_schedule text, p_time_zone text) returns integer
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_entry app.cron_entries;
begin
  select * into v_entry from app.cron_entries e
   where e.company_id in (coalesce(app.company_id(), e.company_id), app.no_company())
     and case when p_which ~ '^\d{1,18}$' then e.number = p_which::bigint else e.maker = 'system' and e.name = p_which end for update;
  if not found then
    return 0;
  end if;
  perform app.keep_to_company(v_entry.company_id), app.keep_to_company(v_entry.works_for);
  perform app.check_schedule(coalesce(p_schedule, v_entry.schedule), coalesce(p_time_zone, v_entry.time_zone), 1);
  update app.cron_entries e
     set is_active = coalesce(p_is_active, e.is_active), schedule = coalesce(p_schedule, e.schedule), time_zone = coalesce(p_time_zone, e.time_zone),
         is_changed = e.is_changed or p_schedule is not null or p_time_zone is not null, counts_from = now()
   where e.company_id = v_entry.company_id and e.number = v_entry.number;
  perform app.plan_anew(v_entry.company_id, v_entry.number);
  return 1;
end $$;
alter function app.operate_schedule(text, boolean, text, text) owner to app_definer;
revoke all on function app.operate_schedule(text, boolean, text, text) from public;
grant execute on function app.operate_schedule(text, boolean, text, text) to service_role;

-- For the operator: a run of an entry now, beside its times.
create or replace function app.run_schedule_now(p_which text) returns setof app.cron_runs
  language sql volatile
  set search_path = ''
begin atomic
  select r.* from app.cron_entries e cross join lateral app.start_schedule_run(e, clock_timestamp(), 1000000, null) r
   where e.company_id in (coalesce(app.company_id(), e.company_id), app.no_company())
     and case when p_which ~ '^\d{1,18}$' then e.number::text = p_which else e.maker = 'system' and e.name = p_which end;
end;
revoke all on function app.run_schedule_now(text) from public;
grant execute on function app.run_schedule_now(text) to service_role;

-- Runs a text of SQL with the rights of whoever calls; returns how many rows its last statement dealt with.
create or replace function app.run_text(p_text text) returns bigint
  language plpgsql volatile
as $$
declare
  v_count bigint;
begin
  execute p_text;
  get diagnostics v_count = row_count;
  return v_count;
end $$;
comment on function app.run_text(text) is 'Runs SQL with the rights of whoever calls. The server calls it on connections that nothing else uses.';
revoke all on function app.run_text(text) from public;
grant execute on function app.run_text(text) to service_role;

-- A project that was brought reaches its own schedules. Said again at each migrate, since app.protect takes policies that are not its own.
create or replace function app.open_schedules_to_project() returns void
  language plpgsql
  set search_path = ''
as $$
begin
  grant usage on schema app, cron to project_owner;
  grant select on app.cron_entries, app.cron_runs, cron.job, cron.job_run_details to project_owner;
  drop policy if exists project_owner_read on app.cron_entries;
  drop policy if exists project_owner_read on app.cron_runs;
  create policy project_owner_read on app.cron_entries for select to project_owner using (maker = 'project_owner');
  create policy project_owner_read on app.cron_runs for select to project_owner using (maker = 'project_owner');
  grant execute on all functions in schema cron to project_owner;
  grant execute on function app.call_schedule(text, bigint, jsonb), app.schedule_for_project(text, bigint, jsonb), app.run_text(text) to project_owner;
end $$;
revoke all on function app.open_schedules_to_project() from public;

do $$
begin
  -- Whoever migrates may not look into what is the project's.
  if exists (select from pg_catalog.pg_namespace n where n.nspname = 'supabase_migrations') then
    perform app.open_schedules_to_project();
  end if;
end $$;
