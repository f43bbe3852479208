-- Putting tasks in, and taking them back. Invariant: a task is put in by the transaction that is its reason, so that it is there when the
-- reason is and never otherwise; and of a unique key there is one unfinished task.

revoke all on app.task_kinds, app.task_limits, app.tasks, app.done_tasks, app.dead_tasks, app.task_workers, app.task_slots
  from public, anon, authenticated, service_role;
grant select, insert, update, delete on app.task_kinds, app.task_limits, app.tasks, app.done_tasks, app.dead_tasks, app.task_workers, app.task_slots
  to service_role;

-- The company of tasks that belong to none.
create or replace function app.no_company() returns uuid
  language sql immutable
  return '00000000-0000-0000-0000-000000000000'::uuid;
revoke all on function app.no_company() from public;
grant execute on function app.no_company() to authenticated, app_definer, service_role;

-- What the program says of its kinds. Limits and pauses are what they were made to be while it ran: those of the program are for new kinds.
create or replace function app.declare_task_kinds(p_kinds jsonb) returns void
  language sql volatile
  set search_path = ''
begin atomic
  insert into app.task_kinds as k (name, attempts_max, timeout_ms, priority, permission, fields, runs_as_caller, max_running,
                                   max_running_per_company, max_running_per_key)
  select d.name, d.attempts_max, d.timeout_ms, d.priority, d.permission, d.fields, coalesce(d.runs_as_caller, false), d.max_running, d.max_running_per_company, d.max_running_per_key
    from jsonb_to_recordset(p_kinds) d (name text, attempts_max smallint, timeout_ms integer, priority smallint, permission text, fields jsonb,
                                        runs_as_caller boolean, max_running integer, max_running_per_company integer, max_running_per_key integer)
   order by d.name
      on conflict (name) do update
     set attempts_max = excluded.attempts_max, timeout_ms = excluded.timeout_ms, priority = excluded.priority,
         permission = excluded.permission, fields = excluded.fields, runs_as_caller = excluded.runs_as_caller, declared_at = now()
   where (k.attempts_max, k.timeout_ms, k.priority, k.permission, k.fields, k.runs_as_caller)
         is distinct from (excluded.attempts_max, excluded.timeout_ms, excluded.priority, excluded.permission, excluded.fields, excluded.runs_as_caller);
end;
revoke all on function app.declare_task_kinds(jsonb) from public;
grant execute on function app.declare_task_kinds(jsonb) to service_role;

-- Refuses a transaction that is of a company to act in another: what names a company is held against the one that the work is for.
create or replace function app.keep_to_company(p_company_id uuid) returns void
  language plpgsql stable
  set search_path = ''
as $$
begin
  if app.company_id() is not null and p_company_id not in (app.company_id(), app.no_company()) then
    raise exception using errcode = '42501', message = 'This transaction is of another company.';
  end if;
end $$;
revoke all on function app.keep_to_company(uuid) from public;
grant execute on function app.keep_to_company(uuid) to app_definer, service_role;

-- The kind of a task that is to be put in; refused where there is none, or where it or the company takes nothing new.
create or replace function app.task_kind_of(p_kind text, p_company_id uuid) returns app.task_kinds
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_kind app.task_kinds;
begin
  perform app.keep_to_company(p_company_id);
  select * into v_kind from app.task_kinds k where k.name = p_kind;
  if not found then
    raise exception using errcode = 'TH422', constraint = 'task_kind_unknown', message = format('There is no kind of task "%s".', left(p_kind, 80));
  end if;
  if v_kind.is_draining or exists (select from app.task_limits l where l.company_id = p_company_id and l.kind in ('*', p_kind) and l.is_draining) then
    raise exception using errcode = 'TH409', constraint = 'tasks_draining', message = format('No new tasks of the kind %s are taken.', p_kind),
      hint = 'What is there is finished first; thorbis tasks resume takes new ones again.';
  end if;
  return v_kind;
end $$;
revoke all on function app.task_kind_of(text, uuid) from public;
grant execute on function app.task_kind_of(text, uuid) to app_definer, service_role;

-- The trace that a task belongs to: what the server says of it, or what the request is in. What is none is left out.
create or replace function app.task_trace(p_given text default null) returns text
  language sql stable
  set search_path = ''
  return (select t.trace
            from (select coalesce(p_given, nullif(current_setting('app.traceparent', true), ''),
                                  case when strpos(current_setting('request.headers', true), 'thorbis-traceparent') > 0
                                       then current_setting('request.headers', true)::jsonb ->> 'thorbis-traceparent' end)) t (trace)
           where t.trace ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$');
comment on function app.task_trace(text) is 'The trace that a task which is put in belongs to, if there is one.';
revoke all on function app.task_trace(text) from public;
grant execute on function app.task_trace(text) to app_definer, service_role;

-- p_on_conflict says what becomes of an unfinished task with the same unique key: skip leaves it as it is; replace gives it this payload and
-- time (debouncing; one that runs is done again afterwards); earliest brings it forward; error refuses. Returns the id of the task that there is.
create or replace function app.enqueue_task(
  p_kind        text,
  p_payload     jsonb default '{}',
  p_company_id  uuid default app.company_id(),
  p_run_at      timestamptz default null,
  p_priority    integer default null,
  p_unique_key  text default null,
  p_on_conflict text default 'skip',
  p_limit_key   text default null,
  p_id          uuid default null
) returns uuid
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_company constant uuid := coalesce(p_company_id, app.no_company());
  v_kind    constant app.task_kinds := app.task_kind_of(p_kind, v_company);
  v_run_at  constant timestamptz := greatest(coalesce(p_run_at, now()), now());
  v_state   constant text := case when v_run_at > now() then 'later' else 'ready' end;
  v_id      constant uuid := coalesce(p_id, app.uuid_v7());
  v_there   app.tasks;
begin
  if p_on_conflict not in ('skip', 'replace', 'earliest', 'error') then
    raise exception using errcode = 'TH422', constraint = 'task_conflict_invalid',
      message = 'What is done with a task that is there already is skip, replace, earliest or error.';
  end if;
  if p_priority not between -1000 and 1000 then
    raise exception using errcode = 'TH422', constraint = 'task_priority_invalid', message = 'A priority is between -1000 and 1000.';
  end if;
  loop
    insert into app.tasks (company_id, id, kind, state, rank, run_at, attempts_max, limit_key, unique_key, payload, created_by, traceparent)
    values (v_company, v_id, p_kind, v_state, -coalesce(p_priority, v_kind.priority), v_run_at, v_kind.attempts_max, p_limit_key, p_unique_key,
            coalesce(p_payload, '{}'), auth.uid(), app.task_trace())
    on conflict (company_id, kind, unique_key) where unique_key is not null do nothing;
    if found then
      return v_id;
    end if;
    select * into v_there from app.tasks t
     where t.company_id = v_company and t.kind = p_kind and t.unique_key = p_unique_key for no key update;
    -- Otherwise it was finished between the two.
    exit when found;
  end loop;
  case
    when p_on_conflict = 'error' then
      raise exception using errcode = 'TH409', constraint = 'task_exists',
        message = 'There is an unfinished task with this key.', detail = jsonb_build_object('id', v_there.id)::text;
    when p_on_conflict = 'replace' and v_there.state = 'running' then
      update app.tasks t set rerun = jsonb_build_object('payload', coalesce(p_payload, '{}'), 'run_at', v_run_at)
       where t.company_id = v_company and t.id = v_there.id;
    when p_on_conflict = 'replace' then
      update app.tasks t set payload = coalesce(p_payload, '{}'), run_at = v_run_at, state = v_state, waits_for = null, attempt = 0
       where t.company_id = v_company and t.id = v_there.id;
    when p_on_conflict = 'earliest' and v_there.state in ('ready', 'later') and v_there.run_at > v_run_at then
      update app.tasks t set run_at = v_run_at, state = v_state where t.company_id = v_company and t.id = v_there.id;
    else null;
  end case;
  return v_there.id;
end $$;
comment on function app.enqueue_task(text, jsonb, uuid, timestamptz, integer, text, text, text, uuid) is
  'Puts a task in, to be done after this transaction commits; returns its id, or that of the unfinished one with the same unique key.';
alter function app.enqueue_task(text, jsonb, uuid, timestamptz, integer, text, text, text, uuid) owner to app_definer;
revoke all on function app.enqueue_task(text, jsonb, uuid, timestamptz, integer, text, text, text, uuid) from public;
grant execute on function app.enqueue_task(text, jsonb, uuid, timestamptz, integer, text, text, text, uuid) to service_role;

-- Many at once, without unique keys: objects with id, company_id, kind, payload, run_at, priority and limit_key. Returns how many.
create or replace function app.enqueue_tasks(p_tasks jsonb) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_user  constant uuid := auth.uid();
  v_count bigint;
begin
  with given as (
    select * from jsonb_to_recordset(p_tasks)
        n (id uuid, company_id uuid, kind text, payload jsonb, run_at timestamptz, priority integer, limit_key text, traceparent text)),
  -- Each company is looked at once, and asked about by itself only where something is to be refused: that says what.
  kinds as materialized (
    select d.company_id, d.kind as name,
           case when o.is_open then k.priority else (app.task_kind_of(d.kind, d.company_id)).priority end as priority, k.attempts_max
      from (select distinct n.kind, coalesce(n.company_id, app.no_company()) as company_id from given n) d
      left join app.task_kinds k on k.name = d.kind
     cross join lateral (
       select k.name is not null and not k.is_draining and (app.company_id() is null or d.company_id in (app.company_id(), app.no_company()))
              and not exists (select from app.task_limits l where l.company_id = d.company_id and l.kind in ('*', d.kind) and l.is_draining)
              as is_open) o)
  insert into app.tasks (company_id, id, kind, state, rank, run_at, attempts_max, limit_key, payload, created_by, traceparent)
  select k.company_id, coalesce(n.id, app.uuid_v7()), n.kind, case when n.run_at > now() then 'later' else 'ready' end,
         -coalesce(n.priority, k.priority), greatest(coalesce(n.run_at, now()), now()), k.attempts_max, n.limit_key, coalesce(n.payload, '{}'), v_user,
         app.task_trace(n.traceparent)
    from given n join kinds k on k.name = n.kind and k.company_id = coalesce(n.company_id, app.no_company());
  get diagnostics v_count = row_count;
  return v_count;
end $$;
comment on function app.enqueue_tasks(jsonb) is 'Puts many tasks in at once; returns how many.';
alter function app.enqueue_tasks(jsonb) owner to app_definer;
revoke all on function app.enqueue_tasks(jsonb) from public;
grant execute on function app.enqueue_tasks(jsonb) to service_role;

-- The last ten errors, the newest last.
create or replace function app.with_error(p_errors jsonb, p_attempt smallint, p_error text) returns jsonb
  language sql stable
  set search_path = ''
  return case when p_error is null then p_errors
              else (case when jsonb_array_length(p_errors) >= 10 then p_errors - 0 else p_errors end)
                   || jsonb_build_object('attempt', p_attempt, 'at', now(), 'error', left(p_error, 2000)) end;
revoke all on function app.with_error(jsonb, smallint, text) from public;
grant execute on function app.with_error(jsonb, smallint, text) to app_definer, service_role;

-- Moves a task to those that are over: done, cancelled, or dead.
create or replace function app.close_task(p_task app.tasks, p_outcome text, p_error text, p_result jsonb) returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_errors constant jsonb := app.with_error(p_task.errors, p_task.attempt, p_error);
begin
  delete from app.tasks t where t.company_id = p_task.company_id and t.id = p_task.id;
  if p_outcome = 'dead' then
    insert into app.dead_tasks (company_id, id, kind, rank, run_at, attempt, attempts_max, worker, limit_key, unique_key, payload, progress_percent,
                                progress_message, errors, created_by, created_at, started_at, finished_at, label, asked_with, mark)
    values (p_task.company_id, p_task.id, p_task.kind, p_task.rank, p_task.run_at, p_task.attempt, p_task.attempts_max, p_task.worker,
            p_task.limit_key, p_task.unique_key, p_task.payload, p_task.progress_percent, p_task.progress_message, v_errors, p_task.created_by,
            p_task.created_at, p_task.started_at, now(), p_task.label, p_task.asked_with, p_task.mark);
  else
    insert into app.done_tasks (company_id, id, kind, outcome, rank, run_at, attempt, attempts_max, worker, unique_key, payload, progress_percent,
                                progress_message, errors, result, created_by, created_at, started_at, finished_at, label)
    values (p_task.company_id, p_task.id, p_task.kind, p_outcome, p_task.rank, p_task.run_at, p_task.attempt, p_task.attempts_max, p_task.worker,
            p_task.unique_key, p_task.payload, p_task.progress_percent, p_task.progress_message, v_errors, p_result, p_task.created_by,
            p_task.created_at, p_task.started_at, now(), p_task.label);
  end if;
end $$;
revoke all on function app.close_task(app.tasks, text, text, jsonb) from public;
grant execute on function app.close_task(app.tasks, text, text, jsonb) to app_definer, service_role;

-- One that has not begun is over at once; one that runs is told. Says which: cancelled, cancelling, or finished where there is none.
create or replace function app.cancel_task(p_company_id uuid, p_id uuid) returns text
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_task app.tasks;
begin
  perform app.keep_to_company(coalesce(p_company_id, app.no_company()));
  select * into v_task from app.tasks t where t.company_id = coalesce(p_company_id, app.no_company()) and t.id = p_id for update;
  if not found then
    return 'finished';
  elsif v_task.state = 'running' then
    update app.tasks t set is_cancelled = true, rerun = null where t.company_id = v_task.company_id and t.id = v_task.id;
    -- It is rare, and somebody waits for it: whoever runs it hears of it now and not at its next beat.
    perform pg_notify('thorbis_tasks', 'cancel');
    return 'cancelling';
  end if;
  perform app.close_task(v_task, 'cancelled', null, null);
  return 'cancelled';
end $$;
comment on function app.cancel_task(uuid, uuid) is 'Cancels a task: at once where it has not begun, else by telling it.';
alter function app.cancel_task(uuid, uuid) owner to app_definer;
revoke all on function app.cancel_task(uuid, uuid) from public;
grant execute on function app.cancel_task(uuid, uuid) to service_role;

-- Dead ones are put in again, as new as they were: of a kind, of one company or of all, at most so many. Returns how many. One whose unique
-- key is taken by now stays dead.
create or replace function app.redrive_tasks(p_kind text, p_company_id uuid default null, p_ids uuid[] default null, p_rows_max integer default 1000)
  returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_dead  app.dead_tasks;
  v_id    uuid;
  v_count bigint := 0;
begin
  for v_dead in
    select d.* from app.dead_tasks d
     where d.kind = p_kind and d.redriven_as is null and (p_company_id is null or d.company_id = p_company_id) and (p_ids is null or d.id = any (p_ids))
     order by d.finished_at limit least(p_rows_max, 10000) for update skip locked
  loop
    insert into app.tasks (company_id, id, kind, rank, attempts_max, limit_key, unique_key, payload, errors, created_by, created_at, label, asked_with,
                           mark)
    select v_dead.company_id, app.uuid_v7(), v_dead.kind, v_dead.rank, k.attempts_max, v_dead.limit_key, v_dead.unique_key, v_dead.payload,
           v_dead.errors, v_dead.created_by, v_dead.created_at, v_dead.label, v_dead.asked_with, v_dead.mark
      from app.task_kinds k where k.name = v_dead.kind
    on conflict (company_id, kind, unique_key) where unique_key is not null do nothing
    returning id into v_id;
    if found then
      update app.dead_tasks d set redriven_as = v_id
       where d.company_id = v_dead.company_id and d.id = v_dead.id and d.finished_at = v_dead.finished_at;
      v_count := v_count + 1;
    end if;
  end loop;
  return v_count;
end $$;
comment on function app.redrive_tasks(text, uuid, uuid[], integer) is 'Puts dead tasks in again; returns how many.';
alter function app.redrive_tasks(text, uuid, uuid[], integer) owner to app_definer;
revoke all on function app.redrive_tasks(text, uuid, uuid[], integer) from public;
grant execute on function app.redrive_tasks(text, uuid, uuid[], integer) to service_role;

-- Nothing of a kind, of a company, or of a kind of a company begins before that moment; infinity holds it until somebody resumes it, null
-- resumes it. What runs goes on.
create or replace function app.pause_tasks(p_kind text, p_company_id uuid, p_until timestamptz, p_is_draining boolean default false) returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  perform app.keep_to_company(coalesce(p_company_id, app.no_company()));
  if p_kind is not null and not exists (select from app.task_kinds k where k.name = p_kind) then
    raise exception using errcode = 'TH422', constraint = 'task_kind_unknown', message = format('There is no kind of task "%s".', left(p_kind, 80));
  end if;
  if p_company_id is not null then
    insert into app.task_limits as l (company_id, kind, paused_until, is_draining) values (p_company_id, coalesce(p_kind, '*'), p_until, p_is_draining)
        on conflict (company_id, kind) do update set paused_until = p_until, is_draining = p_is_draining;
  elsif p_kind is not null then
    update app.task_kinds k set paused_until = p_until, is_draining = p_is_draining where k.name = p_kind;
  else
    raise exception using errcode = 'TH422', constraint = 'tasks_unnamed', message = 'Name a kind, a company or both.';
  end if;
end $$;
comment on function app.pause_tasks(text, uuid, timestamptz, boolean) is
  'Pauses tasks of a kind, a company or a kind of a company until a moment, or resumes them (null); draining ones take nothing new.';
alter function app.pause_tasks(text, uuid, timestamptz, boolean) owner to app_definer;
revoke all on function app.pause_tasks(text, uuid, timestamptz, boolean) from public;
grant execute on function app.pause_tasks(text, uuid, timestamptz, boolean) to service_role;

-- With a company goes what it had to do and what it had done.
create or replace function app.forget_company_tasks() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  delete from app.tasks t where t.company_id = old.id;
  delete from app.done_tasks t where t.company_id = old.id;
  delete from app.dead_tasks t where t.company_id = old.id;
  return null;
end $$;
alter function app.forget_company_tasks() owner to app_definer;
revoke all on function app.forget_company_tasks() from public;
create or replace trigger forget_tasks after delete on public.companies for each row execute function app.forget_company_tasks();
