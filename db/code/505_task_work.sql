-- Taking tasks, doing them, ending them. Invariants: a task is run by the process whose id stands in it and by no other; what a process
-- says of a task counts only while its id and attempt stand there; a lane never holds more than its limit but while a limit is lowered.
--
-- Every moment here is the database's: clocks of processes may differ.

-- The lanes of a task that have a limit or are closed, with how many may run in each.
create or replace function app.task_lanes(p_kind text, p_company_id uuid, p_limit_key text) returns table (lane text, running_max integer)
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_kind app.task_kinds;
  v_own  app.task_limits;
  v_all  app.task_limits;
begin
  select * into v_kind from app.task_kinds k where k.name = p_kind;
  select * into v_own from app.task_limits l where l.company_id = p_company_id and l.kind = p_kind;
  select * into v_all from app.task_limits l where l.company_id = p_company_id and l.kind = '*';
  return query
    select l.lane, l.running_max
      from (values ('kind:' || p_kind, case when v_kind.paused_until > now() then 0 else v_kind.max_running end),
                   ('company:' || p_company_id, case when v_all.paused_until > now() then 0 else v_all.max_running end),
                   ('company:' || p_company_id || ':' || p_kind,
                    case when v_own.paused_until > now() then 0 else coalesce(v_own.max_running, v_kind.max_running_per_company) end),
                   ('key:' || p_company_id || ':' || p_kind || ':' || p_limit_key, v_kind.max_running_per_key)) l (lane, running_max)
     where l.lane is not null and l.running_max is not null;
end $$;
revoke all on function app.task_lanes(text, uuid, text) from public;
grant execute on function app.task_lanes(text, uuid, text) to service_role;

-- Takes slots for a task that was just claimed. Where a lane is full it is put back, to wait for that lane, and null is returned.
create or replace function app.take_slots(p_company_id uuid, p_id uuid, p_kind text, p_limit_key text) returns text[]
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_lane  record;
  v_taken text[] := '{}';
begin
  -- In one order, so that of two processes only one waits for the other.
  for v_lane in select l.lane, l.running_max from app.task_lanes(p_kind, p_company_id, p_limit_key) l order by l.lane loop
    insert into app.task_slots as s (lane, running) select v_lane.lane, 1 where v_lane.running_max > 0
        on conflict (lane) do update set running = s.running + 1 where s.running < v_lane.running_max;
    if not found then
      update app.task_slots s set running = s.running - 1 where s.lane = any (v_taken);
      update app.tasks t set state = 'waiting', waits_for = v_lane.lane, worker = null, started_at = null, attempt = t.attempt - 1
       where t.company_id = p_company_id and t.id = p_id;
      return null;
    end if;
    v_taken := v_taken || v_lane.lane;
  end loop;
  if v_taken <> '{}' then
    update app.tasks t set lanes = v_taken where t.company_id = p_company_id and t.id = p_id;
  end if;
  return v_taken;
end $$;
revoke all on function app.take_slots(uuid, uuid, text, text) from public;
grant execute on function app.take_slots(uuid, uuid, text, text) to service_role;

create or replace function app.wake_lane(p_lane text, p_slots integer) returns bigint
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_companies text;
  v_count     bigint;
begin
  with woken as (
    update app.tasks t set state = 'ready', waits_for = null
      from (select w.company_id, w.id from app.tasks w
             where w.state = 'waiting' and w.waits_for = p_lane order by w.rank, w.run_at, w.id limit p_slots for update skip locked) w
     where t.company_id = w.company_id and t.id = w.id
    returning t.company_id)
  select string_agg(distinct w.company_id::text, ','), count(*) into v_companies, v_count from woken w;
  if v_count > 0 then
    perform set_config('app.woken', concat_ws(',', nullif(current_setting('app.woken', true), ''), v_companies), true);
  end if;
  return v_count;
end $$;
revoke all on function app.wake_lane(text, integer) from public;
grant execute on function app.wake_lane(text, integer) to service_role;

-- The companies of which tasks were woken in this transaction, for whoever takes tasks; null if there are none.
create or replace function app.woken_companies() returns uuid[]
  language sql volatile
  set search_path = ''
  return (select array_agg(distinct w.company_id::uuid) from string_to_table(nullif(current_setting('app.woken', true), ''), ',') w (company_id));
revoke all on function app.woken_companies() from public;
grant execute on function app.woken_companies() to service_role;

-- Gives slots back and wakes as many that wait for them.
create or replace function app.give_slots(p_lanes text[]) returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_lane record;
begin
  for v_lane in select l.lane, count(*)::integer as slots from unnest(p_lanes) l (lane) group by l.lane order by l.lane loop
    update app.task_slots s set running = greatest(s.running - v_lane.slots, 0) where s.lane = v_lane.lane;
    perform app.wake_lane(v_lane.lane, v_lane.slots);
  end loop;
end $$;
revoke all on function app.give_slots(text[]) from public;
grant execute on function app.give_slots(text[]) to service_role;

-- Claims for a process: of each company so many, from a place in its order on (everything before it was seen claimed). What has to wait
-- for a slot comes without a kind. A claim that is lost with PostgreSQL was never acted upon in what is left, so it need not reach the disk.
do $$
begin
  -- What a function gives back cannot be replaced.
  if exists (select from pg_catalog.pg_proc p
              where p.oid = to_regprocedure('app.claim_tasks(uuid, jsonb)') and not p.proargnames @> '{asked_with,mark,traceparent}') then
    drop function app.claim_tasks(uuid, jsonb);
  end if;
end $$;
create or replace function app.claim_tasks(p_worker uuid, p_wanted jsonb)
  returns table (company_id uuid, id uuid, kind text, attempt smallint, rank smallint, run_at timestamptz, payload jsonb,
                 created_by uuid, asked_with jsonb, mark jsonb, traceparent text)
  language plpgsql volatile
  set search_path = ''
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  v_task      record;
  v_kinds     text[];
  v_companies uuid[];
begin
  perform set_config('synchronous_commit', 'off', true);
  v_kinds := array(select k.name from app.task_kinds k
                    where k.max_running is not null or k.max_running_per_company is not null or k.max_running_per_key is not null
                       or k.paused_until > now());
  v_companies := array(select distinct l.company_id from jsonb_to_recordset(p_wanted) w (company_id uuid)
                         join app.task_limits l on l.company_id = w.company_id
                        where l.max_running is not null or l.paused_until > now());
  if v_kinds = '{}' and v_companies = '{}' then
    -- Nothing waits for a slot: what was taken is what is returned.
    return query
    update app.tasks t set state = 'running', attempt = t.attempt + 1, worker = p_worker, started_at = now()
      from (select p.place
              from jsonb_to_recordset(p_wanted) w (company_id uuid, rows integer, rank smallint, run_at timestamptz, id uuid)
             cross join lateral (
               select r.ctid as place from app.tasks r
                where r.state = 'ready' and r.company_id = w.company_id and (r.rank, r.run_at, r.id) >= (w.rank, w.run_at, w.id)
                order by r.rank, r.run_at, r.id limit w.rows for update skip locked) p) c
     -- A row that is locked stays where it is.
     where t.ctid = c.place
    returning t.company_id, t.id, t.kind, t.attempt, t.rank, t.run_at, t.payload, t.created_by, t.asked_with, t.mark,
              t.traceparent;
    return;
  end if;
  for v_task in
    update app.tasks t set state = 'running', attempt = t.attempt + 1, worker = p_worker, started_at = now()
      from (select p.place
              from jsonb_to_recordset(p_wanted) w (company_id uuid, rows integer, rank smallint, run_at timestamptz, id uuid)
             cross join lateral (
               select r.ctid as place from app.tasks r
                where r.state = 'ready' and r.company_id = w.company_id and (r.rank, r.run_at, r.id) >= (w.rank, w.run_at, w.id)
                order by r.rank, r.run_at, r.id limit w.rows for update skip locked) p) c
     -- A row that is locked stays where it is.
     where t.ctid = c.place
    returning t.company_id, t.id, t.kind, t.attempt, t.rank, t.run_at, t.payload, t.limit_key, t.created_by, t.asked_with, t.mark,
              t.traceparent
  loop
    company_id := v_task.company_id;
    id := v_task.id;
    kind := v_task.kind;
    attempt := v_task.attempt;
    rank := v_task.rank;
    run_at := v_task.run_at;
    payload := v_task.payload;
    created_by := v_task.created_by;
    asked_with := v_task.asked_with;
    mark := v_task.mark;
    traceparent := v_task.traceparent;
    if (v_task.kind = any (v_kinds) or v_task.company_id = any (v_companies))
       and app.take_slots(v_task.company_id, v_task.id, v_task.kind, v_task.limit_key) is null then
      kind := null;
      payload := null;
    end if;
    return next;
  end loop;
end $$;
revoke all on function app.claim_tasks(uuid, jsonb) from public;
grant execute on function app.claim_tasks(uuid, jsonb) to service_role;

-- Which companies have something to do now, a bounded number behind a given one (null: from the first), and the share of each.
create or replace function app.companies_with_tasks(p_after uuid, p_rows_max integer) returns table (company_id uuid, weight smallint)
  language plpgsql stable
  set search_path = ''
  set enable_seqscan = off
  set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
  v_next uuid := p_after;
begin
  for i in 1 .. p_rows_max loop
    if v_next is null then
      select t.company_id into v_next from app.tasks t where t.state = 'ready' order by t.company_id limit 1;
    else
      select t.company_id into v_next from app.tasks t where t.state = 'ready' and t.company_id > v_next order by t.company_id limit 1;
    end if;
    exit when not found;
    company_id := v_next;
    weight := coalesce((select l.weight from app.task_limits l where l.company_id = v_next and l.kind = '*'), 1);
    return next;
  end loop;
end $$;
revoke all on function app.companies_with_tasks(uuid, integer) from public;
grant execute on function app.companies_with_tasks(uuid, integer) to service_role;

-- Ends what was done, all at once. Returns those that it ended: what is missing was no longer this process's, or is wanted again.
create or replace function app.finish_tasks(p_worker uuid, p_company_ids uuid[], p_ids uuid[], p_attempts smallint[], p_results jsonb) returns uuid[]
  language plpgsql volatile
  set search_path = ''
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
as $$
declare
  v_done  uuid[];
  v_lanes text[];
begin
  with closed as (
    delete from app.tasks t
     using unnest(p_company_ids, p_ids, p_attempts) g (company_id, id, attempt)
     -- Said so that each is found by its key, and not all that the process holds compared with each.
     where t.company_id = g.company_id and t.id = g.id and t.worker is not distinct from p_worker and t.attempt = g.attempt and t.rerun is null
    returning t.*),
  kept as (
    insert into app.done_tasks (company_id, id, kind, outcome, rank, run_at, attempt, attempts_max, worker, unique_key, payload, progress_percent,
                                progress_message, errors, result, created_by, created_at, started_at, finished_at, label)
    select c.company_id, c.id, c.kind, 'done', c.rank, c.run_at, c.attempt, c.attempts_max, c.worker, c.unique_key, c.payload, c.progress_percent,
           c.progress_message, c.errors, case when p_results <> '{}' then p_results -> c.id::text end, c.created_by, c.created_at, c.started_at, now(), c.label
      from closed c)
  select array(select c.id from closed c), array(select l.lane from closed c cross join unnest(c.lanes) l (lane)) into v_done, v_lanes;
  if v_lanes <> '{}' then
    perform app.give_slots(v_lanes);
  end if;
  return v_done;
end $$;
revoke all on function app.finish_tasks(uuid, uuid[], uuid[], smallint[], jsonb) from public;
grant execute on function app.finish_tasks(uuid, uuid[], uuid[], smallint[], jsonb) to service_role;

-- Ends attempts in every other way. Each of p_results has company_id, id, attempt and an outcome: done and cancelled close the task; failed
-- puts it back for delay_ms later, unless that was its last attempt, and dead does not; back gives it back as if it had not been claimed. What
-- was cancelled does not come back.
-- Returns those that were this process's to end.
create or replace function app.settle_tasks(p_worker uuid, p_results jsonb) returns uuid[]
  language plpgsql volatile
  set search_path = ''
  set plan_cache_mode = force_generic_plan
as $$
declare
  v_result  record;
  v_task    app.tasks;
  v_run_at  timestamptz;
  v_lanes   text[] := '{}';
  v_settled uuid[] := '{}';
begin
  for v_result in
    select * from jsonb_to_recordset(p_results)
        r (company_id uuid, id uuid, attempt smallint, outcome text, error text, result jsonb, delay_ms bigint)
     order by r.company_id, r.id
  loop
    select * into v_task from app.tasks t
     where t.company_id = v_result.company_id and t.id = v_result.id and t.state = 'running' and t.worker = p_worker and t.attempt = v_result.attempt
       for update;
    continue when not found;
    v_settled := v_settled || v_task.id;
    v_lanes := v_lanes || coalesce(v_task.lanes, '{}');
    case
      when v_task.rerun is not null then
        v_run_at := greatest((v_task.rerun ->> 'run_at')::timestamptz, now());
        update app.tasks t
           set worker = null, lanes = null, rerun = null, started_at = null, run_at = v_run_at, payload = t.rerun -> 'payload', attempt = 0,
               state = case when v_run_at > now() then 'later' else 'ready' end,
               errors = app.with_error(t.errors, t.attempt, v_result.error)
         where t.company_id = v_task.company_id and t.id = v_task.id;
      when not v_task.is_cancelled and (v_result.outcome = 'back' or v_result.outcome = 'failed' and v_task.attempt < v_task.attempts_max) then
        v_run_at := case when coalesce(v_result.delay_ms, 0) = 0 then v_task.run_at else now() + v_result.delay_ms * interval '1 millisecond' end;
        update app.tasks t
           set worker = null, lanes = null, started_at = null, run_at = v_run_at, state = case when v_run_at > now() then 'later' else 'ready' end,
               attempt = case when v_result.outcome = 'back' then t.attempt - 1 else t.attempt end,
               errors = app.with_error(t.errors, t.attempt, v_result.error)
         where t.company_id = v_task.company_id and t.id = v_task.id;
      else
        perform app.close_task(v_task,
          case when v_task.is_cancelled and v_result.outcome in ('back', 'failed') then 'cancelled'
               when v_result.outcome = 'failed' then 'dead' else v_result.outcome end,
          v_result.error, v_result.result);
    end case;
  end loop;
  if v_lanes <> '{}' then
    perform app.give_slots(v_lanes);
  end if;
  return v_settled;
end $$;
revoke all on function app.settle_tasks(uuid, jsonb) from public;
grant execute on function app.settle_tasks(uuid, jsonb) to service_role;

-- Says how far a task is. Says nothing once it is another's.
create or replace function app.note_task_progress(p_worker uuid, p_company_id uuid, p_id uuid, p_attempt smallint, p_percent integer, p_message text) returns void
  language plpgsql volatile
  set search_path = ''
as $$
begin
  perform set_config('synchronous_commit', 'off', true);
  update app.tasks t set progress_percent = least(greatest(p_percent, 0), 100), progress_message = left(p_message, 500)
   where t.company_id = p_company_id and t.id = p_id and t.state = 'running' and t.worker = p_worker and t.attempt = p_attempt;
end $$;
revoke all on function app.note_task_progress(uuid, uuid, uuid, smallint, integer, text) from public;
grant execute on function app.note_task_progress(uuid, uuid, uuid, smallint, integer, text) to service_role;

-- Notes within the transaction of some of its work how far a task is, so that whoever does it after a crash goes on behind that. Says whether
-- it is still this process's: otherwise nothing of the work may stay.
create or replace function app.mark_task(p_worker uuid, p_company_id uuid, p_id uuid, p_attempt smallint, p_mark jsonb) returns boolean
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  perform app.keep_to_company(p_company_id);
  if current_setting('role') = 'authenticated' and p_company_id is distinct from app.company_id() then
    raise exception using errcode = '42501', message = 'This transaction is of another company.';
  end if;
  update app.tasks t set mark = p_mark
   where t.company_id = p_company_id and t.id = p_id and t.state = 'running' and t.worker = p_worker and t.attempt = p_attempt;
  return found;
end $$;
alter function app.mark_task(uuid, uuid, uuid, smallint, jsonb) owner to app_definer;
revoke all on function app.mark_task(uuid, uuid, uuid, smallint, jsonb) from public;
grant execute on function app.mark_task(uuid, uuid, uuid, smallint, jsonb) to authenticated, service_role;

-- Says that a process lives, and what it should stop: tasks that were cancelled while they run.
create or replace function app.beat_worker(p_worker uuid, p_node text) returns setof uuid
  language plpgsql volatile
  set search_path = ''
as $$
begin
  perform set_config('synchronous_commit', 'off', true);
  insert into app.task_workers as w (id, node) values (p_worker, p_node) on conflict (id) do update set beat_at = now();
  return query select t.id from app.tasks t where t.state = 'running' and t.worker = p_worker and t.is_cancelled;
end $$;
revoke all on function app.beat_worker(uuid, text) from public;
grant execute on function app.beat_worker(uuid, text) to service_role;

-- A process goes: what it had not ended is as if it had not been claimed.
create or replace function app.retire_worker(p_worker uuid) returns bigint
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_left  jsonb;
begin
  select coalesce(jsonb_agg(jsonb_build_object('company_id', t.company_id, 'id', t.id, 'attempt', t.attempt, 'outcome', 'back')), '[]')
    into v_left from app.tasks t where t.state = 'running' and t.worker = p_worker;
  perform app.settle_tasks(p_worker, v_left);
  delete from app.task_workers w where w.id = p_worker;
  return jsonb_array_length(v_left);
end $$;
revoke all on function app.retire_worker(uuid) from public;
grant execute on function app.retire_worker(uuid) to service_role;

-- What has to be done now and then, by one process at a time: tasks of processes that died go back or, after too many deaths, are dead; those
-- whose time has come are ready; whoever waits for a slot that is free is woken. Says what it did.
create or replace function app.tend_tasks(p_dead_after_ms integer, p_crashes_max integer, p_rows_max integer)
  returns table (lost bigint, due bigint, woken bigint)
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_task app.tasks;
  v_lane record;
begin
  lost := 0; due := 0; woken := 0;
  if not pg_try_advisory_xact_lock(hashtextextended('thorbis tasks', 0)) then
    return next;
    return;
  end if;
  delete from app.task_workers w where w.beat_at < now() - p_dead_after_ms * interval '1 millisecond';
  for v_task in
    select t.* from app.tasks t
     where t.state = 'running' and not exists (select from app.task_workers w where w.id = t.worker)
     order by t.company_id, t.id limit p_rows_max for update skip locked
  loop
    lost := lost + 1;
    if v_task.is_cancelled then
      perform app.close_task(v_task, 'cancelled', null, null);
    elsif v_task.crashes + 1 >= p_crashes_max then
      perform app.close_task(v_task, 'dead', 'the process that ran it died', null);
    else
      update app.tasks t
         set state = 'ready', worker = null, lanes = null, started_at = null, crashes = t.crashes + 1, attempts_max = t.attempts_max + 1,
             errors = app.with_error(t.errors, t.attempt, 'the process that ran it died')
       where t.company_id = v_task.company_id and t.id = v_task.id;
    end if;
    perform app.give_slots(v_task.lanes);
  end loop;
  update app.tasks t set state = 'ready'
    from (select d.company_id, d.id from app.tasks d where d.state = 'later' and d.run_at <= now()
           order by d.run_at limit p_rows_max for update skip locked) d
   where t.company_id = d.company_id and t.id = d.id;
  get diagnostics due = row_count;
  -- Limits that were raised and pauses that are over.
  for v_lane in
    select w.lane, coalesce(l.running_max, p_rows_max) - coalesce(s.running, 0) as free
      from (select distinct on (t.waits_for) t.waits_for as lane, t.kind, t.company_id, t.limit_key
              from app.tasks t where t.state = 'waiting' order by t.waits_for, t.rank, t.run_at, t.id) w
      left join app.task_slots s on s.lane = w.lane
      left join lateral (select x.running_max from app.task_lanes(w.kind, w.company_id, w.limit_key) x where x.lane = w.lane) l on true
  loop
    if v_lane.free > 0 then
      woken := woken + app.wake_lane(v_lane.lane, least(v_lane.free, p_rows_max));
    end if;
  end loop;
  return next;
end $$;
revoke all on function app.tend_tasks(integer, integer, integer) from public;
grant execute on function app.tend_tasks(integer, integer, integer) to service_role;

-- Counts the slots anew, should they ever be wrong, and forgets those that nobody uses.
create or replace function app.recount_task_slots() returns bigint
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_count bigint;
begin
  -- No claim can be between taking a slot and saying so: both stand in one transaction, which this lock waits for.
  lock table app.task_slots in share row exclusive mode;
  with running as (
    select l.lane, count(*)::integer as running from app.tasks t cross join unnest(t.lanes) l (lane) where t.state = 'running' group by l.lane),
  wrong as (
    update app.task_slots s set running = coalesce(r.running, 0)
      from app.task_slots x left join running r on r.lane = x.lane
     where s.lane = x.lane and s.running <> coalesce(r.running, 0)
    returning 1)
  select count(*) into v_count from wrong;
  delete from app.task_slots s where s.running = 0;
  return v_count;
end $$;
revoke all on function app.recount_task_slots() from public;
grant execute on function app.recount_task_slots() to service_role;
