-- What can never be false of customers, properties and jobs, whoever writes.

-- Customers ----------------------------------------------------------------------------------------

create or replace function app.guard_customer() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if tg_op = 'DELETE' or (new.deleted_at is not null and tg_op = 'UPDATE' and old.deleted_at is null) then
    if old.outstanding_balance > 0 then
      raise exception using errcode = 'TH422', constraint = 'customer_has_balance',
        message = 'A customer with an outstanding balance cannot be deleted.';
    end if;
    if tg_op = 'DELETE' then
      return old;
    end if;
    new.status := 'archived';
  elsif tg_op = 'UPDATE' and old.deleted_at is not null and new.deleted_at is null and new.status = 'archived' then
    new.status := 'active';
  end if;

  if current_user = 'authenticated' then
    if tg_op = 'INSERT' then
      if (new.total_revenue, new.total_jobs, new.total_invoices, new.average_job_value, new.outstanding_balance)
           is distinct from (0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint) then
        raise exception using errcode = 'TH422', constraint = 'customer_figures_computed',
          message = 'The figures of a customer are computed; a new customer starts at 0.';
      end if;
    elsif (new.total_revenue, new.total_jobs, new.total_invoices, new.average_job_value, new.outstanding_balance)
            is distinct from
          (old.total_revenue, old.total_jobs, old.total_invoices, old.average_job_value, old.outstanding_balance) then
      raise exception using errcode = 'TH422', constraint = 'customer_figures_computed',
        message = 'The figures of a customer are computed and cannot be written.';
    end if;
  end if;

  new.display_name := left(case
    when new.type <> 'residential' and btrim(coalesce(new.company_name, '')) <> '' then btrim(new.company_name)
    when btrim(new.first_name || ' ' || new.last_name) <> '' then btrim(btrim(new.first_name) || ' ' || btrim(new.last_name))
    else btrim(coalesce(new.company_name, '')) end, 300);
  if new.display_name = '' then
    raise exception using errcode = 'TH422', constraint = 'customer_name_required',
      message = 'A customer needs a first name, a last name or a company name.';
  end if;
  new.email_key := case when new.deleted_at is null then lower(btrim(new.email)) end;
  return new;
end $$;
revoke all on function app.guard_customer() from public;
create or replace trigger guard before insert or update or delete on public.customers
  for each row execute function app.guard_customer();

-- Properties ---------------------------------------------------------------------------------------

create or replace function app.guard_property() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  if exists (select from public.jobs j
              where j.company_id = new.company_id and j.property_id = new.id and j.customer_id <> new.customer_id) then
    raise exception using errcode = 'TH422', constraint = 'property_has_jobs',
      message = 'This property has jobs of its present customer and cannot go to another.';
  end if;
  return new;
end $$;
alter function app.guard_property() owner to app_definer;
revoke all on function app.guard_property() from public;
create or replace trigger guard before update on public.properties
  for each row when (new.customer_id is not null and new.customer_id is distinct from old.customer_id
                     and app.is_within_reach(new.company_id))
  execute function app.guard_property();

-- Jobs ---------------------------------------------------------------------------------------------

create or replace function app.job_next_statuses(p_status text) returns text[]
  language sql immutable
  set search_path = ''
  return case p_status
    when 'quoted'      then array['scheduled', 'cancelled', 'archived']
    when 'scheduled'   then array['in_progress', 'on_hold', 'cancelled', 'archived']
    when 'in_progress' then array['on_hold', 'completed', 'cancelled', 'archived']
    when 'on_hold'     then array['scheduled', 'in_progress', 'cancelled', 'archived']
    when 'completed'   then array['invoiced']
    when 'cancelled'   then array['quoted', 'scheduled', 'archived']
    when 'invoiced'    then array['paid']
    when 'paid'        then array['archived']
    when 'archived'    then array['scheduled', 'quoted']
    else array[]::text[] end;
revoke all on function app.job_next_statuses(text) from public;
grant execute on function app.job_next_statuses(text) to authenticated, service_role, app_definer;

-- What is missing before a job may be in its status.
create or replace function app.job_missing(p_job public.jobs) returns text[]
  language sql immutable
  set search_path = ''
  return array_remove(array[
    case when p_job.status not in ('cancelled', 'archived') and p_job.customer_id is null then 'customer_id' end,
    case when p_job.status in ('scheduled', 'in_progress') and p_job.scheduled_start is null then 'scheduled_start' end,
    case when p_job.status = 'scheduled' and p_job.scheduled_end is null then 'scheduled_end' end,
    case when p_job.status = 'in_progress' and p_job.assigned_to is null then 'assigned_to' end,
    case when p_job.status = 'completed' and coalesce(p_job.actual_start, p_job.scheduled_start) is null then 'scheduled_start' end,
    case when p_job.status in ('invoiced', 'paid') and p_job.total_amount = 0 then 'total_amount' end], null);
revoke all on function app.job_missing(public.jobs) from public;
grant execute on function app.job_missing(public.jobs) to authenticated, service_role, app_definer;

create or replace function app.guard_job() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  -- Moving a closed job on, archiving and deleting it are no edits of it.
  v_movement constant text[] := array['status', 'actual_start', 'actual_end', 'archived_at', 'deleted_at', 'deleted_by',
                                      'permanent_delete_scheduled_at', 'updated_at', 'version'];
  v_missing text[];
begin
  if new.status = 'draft' then
    raise exception using errcode = 'TH422', constraint = 'job_status_draft',
      message = 'A job has no status "draft".', hint = 'Use "quoted".';
  end if;

  if tg_op = 'INSERT' then
    if current_user = 'authenticated' and new.status in ('completed', 'invoiced', 'paid', 'archived') then
      raise exception using errcode = 'TH422', constraint = 'job_transition_invalid',
        message = format('A new job cannot be %s.', new.status),
        hint = 'A new job is quoted, scheduled, in_progress, on_hold or cancelled.';
    end if;
  else
    if current_user = 'authenticated' and old.status in ('completed', 'cancelled', 'invoiced', 'paid')
       and to_jsonb(new) - v_movement <> to_jsonb(old) - v_movement and not app.has_permission('jobs:amend') then
      raise exception using errcode = 'TH403', constraint = 'job_closed',
        message = format('A %s job can be edited by the owner and admins only.', old.status),
        hint = 'The permission is jobs:amend.';
    end if;
    if new.status = old.status then
      return new;
    end if;
    -- A status that does not exist is left to the table's check, which names the column.
    if new.status <> all (app.job_next_statuses(old.status))
       and array_length(app.job_next_statuses(new.status), 1) is not null then
      raise exception using errcode = 'TH422', constraint = 'job_transition_invalid',
        message = format('A job cannot go from %s to %s.', old.status, new.status),
        hint = format('From %s it can go to: %s.', old.status, array_to_string(app.job_next_statuses(old.status), ', '));
    end if;
  end if;

  if new.status = 'in_progress' then
    new.actual_start := coalesce(new.actual_start, now());
  elsif new.status = 'completed' then
    new.actual_end := coalesce(new.actual_end, greatest(now(), new.actual_start));
  end if;
  if new.status = 'archived' then
    new.archived_at := coalesce(new.archived_at, now());
    new.permanent_delete_scheduled_at := coalesce(new.permanent_delete_scheduled_at, new.archived_at + interval '90 days');
  elsif tg_op = 'UPDATE' and old.status = 'archived' then
    new.archived_at := null;
    new.permanent_delete_scheduled_at := null;
  end if;

  v_missing := app.job_missing(new);
  if cardinality(v_missing) > 0 then
    raise exception using errcode = 'TH422', constraint = 'job_requirement_missing',
      message = format('A job that is %s needs %s.', new.status, array_to_string(v_missing, ', ')),
      detail = array_to_string(v_missing, ',');
  end if;
  if new.status = 'paid' and new.paid_amount < new.total_amount then
    raise exception using errcode = 'TH422', constraint = 'job_not_paid',
      message = 'A job is paid when its whole amount is paid.';
  end if;
  return new;
end $$;
revoke all on function app.guard_job() from public;
create or replace trigger guard before insert or update on public.jobs
  for each row execute function app.guard_job();

create or replace function app.check_job_references() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_customer_id uuid;
begin
  if new.property_id is not null and new.customer_id is not null
     and (tg_op = 'INSERT' or (new.property_id, new.customer_id) is distinct from (old.property_id, old.customer_id)) then
    -- Shared with other jobs, in the way of a property that is just going to another customer.
    select p.customer_id into v_customer_id from public.properties p
     where p.company_id = new.company_id and p.id = new.property_id for share;
    if found and v_customer_id is distinct from new.customer_id then
      raise exception using errcode = 'TH422', constraint = 'property_not_of_customer',
        message = 'The property of a job must belong to the job''s customer.';
    end if;
  end if;
  if new.assigned_to is not null and (tg_op = 'INSERT' or new.assigned_to is distinct from old.assigned_to)
     and exists (select from public.team_members m
                  where m.company_id = new.company_id and m.user_id = new.assigned_to
                    and (m.status <> 'active' or m.archived_at is not null)) then
    raise exception using errcode = 'TH422', constraint = 'assignee_not_active',
      message = 'A job can be assigned to an active member only.';
  end if;
  return new;
end $$;
alter function app.check_job_references() owner to app_definer;
revoke all on function app.check_job_references() from public;
create or replace trigger references_valid before insert or update on public.jobs
  for each row when (app.is_within_reach(new.company_id)) execute function app.check_job_references();

-- Numbers ------------------------------------------------------------------------------------------

-- The counter's row stays locked until the transaction ends: whoever needs other locks takes them first.
create or replace function app.next_number(p_company_id uuid, p_name text) returns bigint
  language sql volatile
  set search_path = ''
as $$
  insert into app.counters as c (company_id, name, value) values (p_company_id, p_name, 1)
  on conflict (company_id, name) do update set value = c.value + 1
  returning c.value;
$$;
revoke all on function app.next_number(uuid, text) from public;
grant execute on function app.next_number(uuid, text) to app_definer;

create or replace function app.number_job() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_zone  text;
  v_given text;
begin
  if coalesce(btrim(new.job_number), '') = '' then
    select c.business_timezone into v_zone from public.companies c where c.id = new.company_id;
    if not found then
      return new; -- The row is refused by its policy or its key, which say why.
    end if;
    new.job_number := format('JOB-%s-%s', to_char(now() at time zone v_zone, 'YYYY'),
      (select case when n.value < 1000 then lpad(n.value::text, 3, '0') else n.value::text end
         from (select app.next_number(new.company_id, 'job') as value) n));
  else
    -- A number that was brought along, from an import, is not given again.
    v_given := substring(new.job_number from '^JOB-\d{4}-(\d{1,12})$');
    if v_given is not null and exists (select from public.companies c where c.id = new.company_id) then
      insert into app.counters as c (company_id, name, value) values (new.company_id, 'job', v_given::bigint)
      on conflict (company_id, name) do update set value = greatest(c.value, excluded.value);
    end if;
  end if;
  return new;
end $$;
alter function app.number_job() owner to app_definer;
revoke all on function app.number_job() from public;
-- Fires after the rules, so that a refused job takes no number's lock.
create or replace trigger sequence_number before insert on public.jobs
  for each row when (app.is_within_reach(new.company_id)) execute function app.number_job();
