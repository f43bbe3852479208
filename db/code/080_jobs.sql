-- What can never be false of customers, properties and jobs, whoever writes.

-- Customers ----------------------------------------------------------------------------------------

create or replace function app.guard_customer() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  -- What goes with its company is asked nothing: keys act as the owner.
  if tg_op = 'DELETE' and current_user = 'app_owner' then
    return old;
  end if;
  if tg_op = 'DELETE' or (new.deleted_at is not null and tg_op = 'UPDATE' and old.deleted_at is null) then
    if old.outstanding_balance > 0 then
      raise exception using errcode = 'TH409', constraint = 'customer_has_balance',
        message = 'A customer with an outstanding balance cannot be deleted.';
    end if;
    if tg_op = 'DELETE' then
      return old;
    end if;
    new.status := 'archived';
  elsif tg_op = 'UPDATE' and old.deleted_at is not null and new.deleted_at is null and new.status = 'archived' then
    new.status := 'active';
  end if;

  -- Of another company's row its policy speaks, and nothing is told before.
  if current_user = 'authenticated' and app.is_within_reach(new.company_id) then
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
  -- Erasing a person takes both away; that is the owner's work.
  if btrim(coalesce(new.email, '')) = '' and new.phone is null and current_user not in ('app_owner', 'app_definer') then
    raise exception using errcode = 'TH422', constraint = 'customer_contact_required',
      message = 'A customer needs an e-mail address or a telephone number.';
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

select app.declare_statuses('public.jobs', '{
  "quoted":      {"first": true, "needs": ["customer_id"], "next": ["scheduled", "cancelled", "archived"]},
  "scheduled":   {"first": true, "needs": ["customer_id", "scheduled_start", "scheduled_end"],
                  "next": ["in_progress", "on_hold", "cancelled", "archived"]},
  "in_progress": {"first": true, "needs": ["customer_id", "scheduled_start", "assigned_to"],
                  "next": ["on_hold", "completed", "cancelled", "archived"]},
  "on_hold":     {"first": true, "needs": ["customer_id"], "next": ["scheduled", "in_progress", "cancelled", "archived"]},
  "completed":   {"needs": ["customer_id", "scheduled_start|actual_start"], "next": ["invoiced"]},
  "cancelled":   {"first": true, "next": ["quoted", "scheduled", "archived"]},
  "invoiced":    {"needs": ["customer_id", "total_amount"], "next": ["paid"]},
  "paid":        {"needs": ["customer_id", "total_amount"], "next": ["archived"]},
  "archived":    {"next": ["scheduled", "quoted"]},
  "draft":       {"instead": "quoted"}
}');
drop function if exists app.job_missing(public.jobs), app.job_next_statuses(text);
create or replace trigger check_status before insert or update on public.jobs
  for each row execute function app.guard_status('job');

-- Done, called off or paid, also when it went into the archive as such. Where that was not noted yet it counts as paid.
create or replace function app.is_closed_job(p_status text, p_archived_from text) returns boolean
  language sql immutable parallel safe
  return case when p_status = 'archived' then coalesce(p_archived_from, 'paid') else p_status end
         in ('completed', 'cancelled', 'invoiced', 'paid');
revoke all on function app.is_closed_job(text, text) from public;
grant execute on function app.is_closed_job(text, text) to authenticated, service_role, app_definer;

create or replace function app.guard_job() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  -- Moving a closed job on, archiving and deleting it are no edits of it.
  v_movement constant text[] := array['status', 'archived_at', 'archived_from', 'deleted_at', 'deleted_by',
                                      'permanent_delete_scheduled_at', 'updated_at', 'version'];
begin
  -- The crew is copied from job_team_assignments by their trigger, and by nobody else.
  if current_user in ('authenticated', 'service_role') then
    new.crew := case when tg_op = 'UPDATE' then old.crew else '{}' end;
  end if;
  new.archived_from := case
    when new.status is distinct from 'archived' then null
    when tg_op = 'INSERT' then new.archived_from
    when old.status = 'archived' then old.archived_from
    else old.status end;
  if tg_op = 'UPDATE' then
    -- What was called off may be taken up again, also out of the archive; what was paid is reopened by those who may amend it.
    if current_user = 'authenticated' and app.is_closed_job(old.status, old.archived_from)
       and (to_jsonb(new) - v_movement <> to_jsonb(old) - v_movement
            or old.status = 'archived' and new.status <> 'archived' and old.archived_from is distinct from 'cancelled')
       and not app.has_permission('jobs:amend') then
      raise exception using errcode = 'TH403', constraint = 'job_closed',
        message = format('A job that is %s can be edited by the owner and admins only.', old.status),
        hint = 'The permission is jobs:amend.';
    end if;
    if new.status = old.status then
      return new;
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
  -- Where the row is there already, the update that may follow is looked at.
  if tg_op = 'INSERT' and exists (select from public.jobs j where j.company_id = new.company_id and j.id = new.id) then
    return new;
  end if;
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

drop function if exists app.number_job() cascade;
-- Fires after the rules, so that a refused job takes no number's lock.
create or replace trigger sequence_number before insert on public.jobs
  for each row when (app.is_within_reach(new.company_id)) execute function app.number_row('job_number', 'job', 'JOB', '4', 'yearly');
