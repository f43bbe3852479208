-- Tasks as programs know them that write into job_queue and background_jobs. Invariant: a member sees the tasks of his company if he holds
-- tasks:read, and puts in what the kind lets him, with a payload that is one of the kind; everything else is said by workers alone.

select app.protect('app.tasks', 'tasks', p_verbs => '{read}');
select app.protect('app.done_tasks', 'tasks', p_verbs => '{read}');
select app.protect('app.dead_tasks', 'tasks', p_verbs => '{read}');

drop view if exists public.background_jobs, public.job_queue;

create view public.background_jobs with (security_invoker = true) as
select t.id, t.company_id, t.kind as job_type, t.label as job_name, -t.rank::integer as priority, t.payload,
       case t.state when 'running' then 'running' else 'pending' end as status,
       t.started_at, null::timestamptz as completed_at, null::timestamptz as failed_at,
       t.errors -> -1 ->> 'error' as error_message, null::text as error_stack,
       greatest(t.attempt - 1, 0) as retry_count, t.attempts_max - 1 as max_retries,
       case when t.attempt > 0 and t.state = 'later' then t.run_at end as next_retry_at,
       t.progress_percent::integer as progress_percent, t.progress_message, null::jsonb as result,
       t.run_at as scheduled_for, t.run_at, t.worker::text as worker_id, null::integer as execution_time_ms,
       jsonb_build_object('errors', t.errors) as metadata, coalesce(t.started_at, t.created_at) as updated_at, t.created_at
  from app.tasks t
union all
select t.id, t.company_id, t.kind, t.label, -t.rank::integer, t.payload,
       case t.outcome when 'done' then 'completed' else 'cancelled' end,
       t.started_at, case t.outcome when 'done' then t.finished_at end, null,
       t.errors -> -1 ->> 'error', null, greatest(t.attempt - 1, 0), t.attempts_max - 1, null,
       case t.outcome when 'done' then 100 else t.progress_percent end, t.progress_message, t.result,
       t.run_at, t.run_at, t.worker::text, (extract(epoch from t.finished_at - t.started_at) * 1000)::integer,
       jsonb_build_object('errors', t.errors), t.finished_at, t.created_at
  from app.done_tasks t
union all
select t.id, t.company_id, t.kind, t.label, -t.rank::integer, t.payload, 'failed',
       t.started_at, null, t.finished_at,
       t.errors -> -1 ->> 'error', null, greatest(t.attempt - 1, 0), t.attempts_max - 1, null,
       t.progress_percent, t.progress_message, null,
       t.run_at, t.run_at, t.worker::text, (extract(epoch from t.finished_at - t.started_at) * 1000)::integer,
       jsonb_build_object('errors', t.errors), t.finished_at, t.created_at
  from app.dead_tasks t;
comment on view public.background_jobs is
  'Background work of the company: what waits, runs, is done or failed. An insert puts in a task of a kind that lets the caller.';

create view public.job_queue with (security_invoker = true) as
select id, company_id, job_type, payload, case status when 'running' then 'processing' when 'cancelled' then 'failed' else status end as status, priority,
       retry_count, max_retries, scheduled_for as scheduled_at, started_at, completed_at, failed_at, error_message, created_at
  from public.background_jobs;
comment on view public.job_queue is 'background_jobs by an older name, with fewer columns and other words.';

revoke all on public.background_jobs, public.job_queue from public, anon, authenticated, guest, service_role;
grant select, insert on public.background_jobs, public.job_queue to authenticated, service_role;

drop function if exists app.is_own_number(uuid, text);

-- The number of a customer or an active member of the company that somebody means, as it is written to, or null: asked when an SMS is wanted,
-- and again when it is written. Whoever leaves out the country means the one that the company has; who says another one means somebody else.
create or replace function app.own_number(p_company_id uuid, p_number text) returns text
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  v_key    constant text := app.phone_key(p_number);
  v_digits constant text := ltrim(app.digits(p_number), '0');
  v_whole  constant boolean := p_number ~ '^\s*([+]|00)';
begin
  perform app.keep_to_company(p_company_id);
  return (select case when k.is_whole then '+' || k.digits when v_whole then '+' || v_digits else app.digits(k.number) end
            from (select n.number, ltrim(app.digits(n.number), '0') as digits, n.number ~ '^\s*([+]|00)' as is_whole
                    from public.customers c cross join lateral (values (c.phone), (c.secondary_phone)) n (number)
                   where c.company_id = p_company_id and c.deleted_at is null
                     and (app.phone_key(c.phone) = v_key or app.phone_key(c.secondary_phone) = v_key) and app.phone_key(n.number) = v_key
                   union all
                  select m.phone, ltrim(app.digits(m.phone), '0'), m.phone ~ '^\s*([+]|00)' from public.team_members m
                   where m.company_id = p_company_id and app.phone_key(m.phone) = v_key and m.status = 'active') k
           where case when k.is_whole and v_whole then k.digits = v_digits
                      else right(k.digits, length(v_digits)) = v_digits or right(v_digits, length(k.digits)) = k.digits end
           order by k.is_whole desc, k.number limit 1);
end $$;
alter function app.own_number(uuid, text) owner to app_definer;
revoke all on function app.own_number(uuid, text) from public;
grant execute on function app.own_number(uuid, text) to service_role;

-- What a payload lacks to be one of a kind with these fields; null where it is one. Addresses and numbers are those of the company's own
-- customers and members: nobody else is written to in its name.
create or replace function app.payload_fault(p_fields jsonb, p_payload jsonb, p_company_id uuid) returns text
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_field record;
  v_value jsonb;
  v_text  text;
  v_name  text;
begin
  if jsonb_typeof(p_payload) is distinct from 'object' then
    return 'A payload is an object.';
  end if;
  select k.name into v_name from jsonb_object_keys(p_payload) k (name)
   where not exists (select from jsonb_array_elements(p_fields) f where f ->> 'name' = k.name) order by k.name limit 1;
  if found then
    return format('There is no field "%s".', left(v_name, 80));
  end if;
  for v_field in select * from jsonb_to_recordset(p_fields) f (name text, type text, is_required boolean, length_max integer) loop
    v_value := p_payload -> v_field.name;
    v_text := v_value #>> '{}';
    if v_text is null then
      if v_field.is_required then
        return format('The field "%s" is missing.', v_field.name);
      end if;
      continue;
    end if;
    if jsonb_typeof(v_value) <> (case when v_field.type in ('number', 'boolean', 'object', 'array') then v_field.type else 'string' end) then
      return format('The field "%s" is a %s.', v_field.name, v_field.type);
    end if;
    case v_field.type
      when 'text' then
        if length(v_text) > v_field.length_max then
          return format('The field "%s" has up to %s letters.', v_field.name, v_field.length_max);
        end if;
      when 'template' then
        if length(v_text) not between 1 and 120 then
          return format('The field "%s" has 1 to 120 letters.', v_field.name);
        end if;
      when 'id' then
        if v_text !~* '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$' then
          return format('The field "%s" is an id.', v_field.name);
        end if;
      when 'time' then
        if v_text !~ '^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$' then
          return format('The field "%s" is a moment with its zone, as 2026-11-24T09:00:00Z.', v_field.name);
        end if;
      when 'email' then
        if not exists (select from public.customers c where c.company_id = p_company_id and c.email_key = lower(btrim(v_text)) and c.deleted_at is null)
           and not exists (select from public.team_members m
                            where m.company_id = p_company_id and lower(btrim(m.email)) = lower(btrim(v_text)) and m.status = 'active') then
          return format('The field "%s" is the address of a customer or member of the company.', v_field.name);
        end if;
      when 'phone' then
        if app.own_number(p_company_id, v_text) is null then
          return format('The field "%s" is the number of a customer or member of the company.', v_field.name);
        end if;
      else null;
    end case;
  end loop;
  return null;
end $$;
revoke all on function app.payload_fault(jsonb, jsonb, uuid) from public;
grant execute on function app.payload_fault(jsonb, jsonb, uuid) to app_definer;

-- Refuses what a caller may not have done, now or by a schedule: a kind that does not let him, and a payload that is not one of the kind.
create or replace function app.check_task_of_caller(p_is_service boolean, p_kind text, p_payload jsonb, p_company_id uuid) returns void
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_kind  app.task_kinds;
  v_fault text;
begin
  select * into v_kind from app.task_kinds k where k.name = p_kind;
  if not p_is_service then
    if p_company_id is distinct from app.company_id() or p_company_id is null then
      raise exception using errcode = '42501', message = 'A task is of the company that is active.';
    elsif v_kind.permission is null or not app.has_permission(v_kind.permission) then
      raise exception using errcode = '42501', message = format('You may put in no task of the kind "%s".', left(coalesce(p_kind, ''), 80)),
        hint = case when v_kind.permission is null then 'Only the server does.' else format('You need the permission %s.', v_kind.permission) end;
    end if;
  end if;
  if v_kind.name is null then
    raise exception using errcode = '22023', message = format('There is no kind of task "%s".', left(coalesce(p_kind, ''), 80));
  end if;
  -- Of what only the service puts in its program knows.
  if v_kind.permission is not null then
    -- In whose place the service asks is no field of the kind.
    v_fault := app.payload_fault(v_kind.fields, coalesce(case when p_is_service and v_kind.runs_as_caller then p_payload - 'asked_by' else p_payload end, '{}'),
                                p_company_id);
    if v_fault is not null then
      raise exception using errcode = '22023', message = v_fault, detail = v_kind.fields::text;
    end if;
    perform app.check_letter(p_is_service, f, coalesce(p_payload, '{}'), p_company_id)
       from jsonb_array_elements(v_kind.fields) f where f ->> 'type' = 'template';
  end if;
end $$;
revoke all on function app.check_task_of_caller(boolean, text, jsonb, uuid) from public;
grant execute on function app.check_task_of_caller(boolean, text, jsonb, uuid) to app_definer;

-- Puts a task in for whoever asks, if its kind lets him.
create or replace function app.enqueue_as_caller(
  p_kind text, p_payload jsonb, p_company_id uuid, p_run_at timestamptz, p_priority integer, p_label text, p_id uuid
) returns uuid
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_is_service constant boolean := current_setting('role') = 'service_role';
  v_company    constant uuid := coalesce(p_company_id, app.company_id());
  v_as_caller  boolean;
  v_claims     jsonb := coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb;
  v_asker      uuid := auth.uid();
  v_payload    jsonb := p_payload;
  v_id         uuid;
begin
  perform app.check_task_of_caller(v_is_service, p_kind, p_payload, v_company);
  if p_priority not between -100 and 100 then
    raise exception using errcode = '22023', message = 'The priority of a task is between -100 and 100.';
  end if;
  select k.runs_as_caller into v_as_caller from app.task_kinds k where k.name = p_kind;
  if v_as_caller then
    -- Only the service says in whose place it asks.
    if v_is_service then
      v_asker := (p_payload ->> 'asked_by')::uuid;
      v_payload := p_payload - 'asked_by';
      v_claims := '{"aal": "aal2"}';
    elsif v_claims ? 'impersonated_by' then
      raise exception using errcode = '42501', message = 'Support puts in no task that would run with the rights of a member.';
    end if;
    if v_asker is null then
      raise exception using errcode = '42501', message = format('A task of the kind "%s" runs with the rights of a member.', p_kind),
        hint = 'API keys put in none; the service says asked_by, the id of a member.';
    end if;
  end if;
  v_id := app.enqueue_task(p_kind, v_payload, v_company, p_run_at, p_priority, p_id => p_id);
  if v_as_caller then
    update app.tasks t
       set created_by = v_asker, asked_with = v_claims - '{iat,exp,nbf,jti,session_id,company_id,tenant_id,subdomain,industry,member_role,role,sub}'::text[]
     where t.company_id = v_company and t.id = v_id;
  end if;
  if p_label is not null then
    update app.tasks t set label = left(p_label, 200) where t.company_id = coalesce(v_company, app.no_company()) and t.id = v_id;
  end if;
  return v_id;
end $$;
alter function app.enqueue_as_caller(text, jsonb, uuid, timestamptz, integer, text, uuid) owner to app_definer;
revoke all on function app.enqueue_as_caller(text, jsonb, uuid, timestamptz, integer, text, uuid) from public;
grant execute on function app.enqueue_as_caller(text, jsonb, uuid, timestamptz, integer, text, uuid) to authenticated, service_role;

create or replace function app.enqueue_shown_task() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v_given   constant jsonb := jsonb_strip_nulls(to_jsonb(new) - '{payload,metadata}'::text[]);
  v_run_at  constant timestamptz := (coalesce(v_given ->> 'run_at', v_given ->> 'scheduled_for', v_given ->> 'scheduled_at'))::timestamptz;
  v_company constant uuid := coalesce(new.company_id, app.company_id());
  v_said    text;
  v_id      uuid;
begin
  select g.key into v_said from jsonb_each(v_given) g
   where g.key <> all ('{id,company_id,job_type,job_name,priority,status,run_at,scheduled_for,scheduled_at,created_at,updated_at}')
     and g.value not in ('0', '3') order by g.key limit 1;
  if coalesce(to_jsonb(new) -> 'metadata', 'null') not in ('null', '{}') then
    raise exception using errcode = '22023', message = 'metadata of a task is said by those who do it.', hint = 'What the task needs to know stands in its payload.';
  end if;
  if found or coalesce(new.status, 'pending') <> 'pending' then
    raise exception using errcode = '22023', message = format('%s of a task is said by those who do it.', coalesce(v_said, 'status'));
  end if;
  v_id := app.enqueue_as_caller(new.job_type, new.payload, new.company_id, v_run_at, new.priority, v_given ->> 'job_name', new.id);
  return jsonb_populate_record(new, v_given || jsonb_build_object('id', v_id, 'company_id', v_company, 'status', 'pending',
    'priority', coalesce(new.priority, 0), 'retry_count', 0, 'progress_percent', 0, 'payload', coalesce(new.payload, '{}'),
    'scheduled_for', coalesce(v_run_at, now()), 'scheduled_at', coalesce(v_run_at, now()), 'run_at', coalesce(v_run_at, now()),
    'created_at', now(), 'updated_at', now()));
end $$;
revoke all on function app.enqueue_shown_task() from public;

create trigger enqueue instead of insert on public.background_jobs for each row execute function app.enqueue_shown_task();
create trigger enqueue instead of insert on public.job_queue for each row execute function app.enqueue_shown_task();
create trigger a_subscription_wall before insert on public.background_jobs for each statement
  when (pg_trigger_depth() = 0 and app.has_permission('subscription:over')) execute function app.refuse_unpaid();
create trigger a_subscription_wall before insert on public.job_queue for each statement
  when (pg_trigger_depth() = 0 and app.has_permission('subscription:over')) execute function app.refuse_unpaid();

-- Without these a change would be our fault and not refused.
create or replace function app.refuse_task_change() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  raise exception using errcode = '42501', message = 'Tasks are changed by those who do them.', hint = 'The operator cancels one by thorbis tasks cancel.';
end $$;
revoke all on function app.refuse_task_change() from public;
create trigger refuse instead of update or delete on public.background_jobs for each row execute function app.refuse_task_change();
create trigger refuse instead of update or delete on public.job_queue for each row execute function app.refuse_task_change();
