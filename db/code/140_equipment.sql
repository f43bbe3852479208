-- Equipment and service plans: numbers, statuses, and the dates that follow from work done.

create or replace trigger sequence_number before insert on public.equipment
  for each row when (app.is_within_reach(new.company_id)) execute function app.number_row('equipment_number', 'equipment', 'EQ', '5');

create or replace function app.guard_equipment() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  new.average_service_cost := case when new.total_service_count > 0 then round(new.total_service_cost::numeric / new.total_service_count) else 0 end;
  if new.last_service_date is not null
     and (tg_op = 'INSERT' or (new.last_service_date, new.service_interval_days) is distinct from (old.last_service_date, old.service_interval_days))
     and (tg_op = 'INSERT' or new.next_service_due is not distinct from old.next_service_due) then
    new.next_service_due := new.last_service_date + make_interval(days => new.service_interval_days);
  end if;
  if new.replaced_by_equipment_id is not null and new.status = 'active' then
    new.status := 'replaced';
    new.replaced_date := coalesce(new.replaced_date, now());
  end if;
  return new;
end $$;
revoke all on function app.guard_equipment() from public;
create or replace trigger guard before insert or update on public.equipment
  for each row execute function app.guard_equipment();

-- A job that is about a piece of equipment is its latest service. All rows of a statement together: whoever else records work on
-- the same pieces waits in the same order.
create or replace function app.equipment_serviced() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  perform from public.equipment e
    where (e.company_id, e.id) in (select m.company_id, m.equipment_id from made m)
    order by e.company_id, e.id for no key update;
  update public.equipment e
     set last_service_date = now(), last_service_job_id = m.job_id, total_service_count = e.total_service_count + m.jobs
    from (select m.company_id, m.equipment_id, count(*) as jobs, (array_agg(m.job_id order by m.job_id desc))[1] as job_id
            from made m group by m.company_id, m.equipment_id) m
   where e.company_id = m.company_id and e.id = m.equipment_id;
  return null;
end $$;
alter function app.equipment_serviced() owner to app_definer;
revoke all on function app.equipment_serviced() from public;
create or replace trigger equipment_serviced after insert on public.job_equipment
  referencing new table as made for each statement execute function app.equipment_serviced();

select app.declare_statuses('public.service_plans', '{
  "draft":     {"first": true, "next": ["active", "cancelled"]},
  "active":    {"first": true, "next": ["paused", "cancelled", "expired", "completed"]},
  "paused":    {"next": ["active", "cancelled", "expired"]},
  "expired":   {"next": ["active"]},
  "completed": {},
  "cancelled": {}
}');
create or replace trigger check_status before insert or update on public.service_plans
  for each row execute function app.guard_status('service_plan');
create or replace trigger sequence_number before insert on public.service_plans
  for each row when (app.is_within_reach(new.company_id)) execute function app.number_row('plan_number', 'service_plan', 'MP', '6');

create or replace function app.plan_interval(p_frequency text, p_days integer) returns interval
  language sql immutable
  set search_path = ''
  return case p_frequency
    when 'weekly' then interval '7 days'
    when 'bi_weekly' then interval '14 days'
    when 'monthly' then interval '1 month'
    when 'quarterly' then interval '3 months'
    when 'semi_annually' then interval '6 months'
    when 'annually' then interval '12 months'
    else make_interval(days => p_days) end;
revoke all on function app.plan_interval(text, integer) from public;
grant execute on function app.plan_interval(text, integer) to authenticated, service_role, app_definer;

create or replace function app.guard_service_plan() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if new.next_service_due is null then
    new.next_service_due := coalesce(new.last_service_date, new.start_date) + app.plan_interval(new.frequency, new.custom_frequency_days);
  end if;
  if tg_op = 'INSERT' or new.status is distinct from old.status then
    new.paused_at := case when new.status = 'paused' then coalesce(new.paused_at, now()) end;
    if new.status = 'cancelled' then
      new.cancelled_at := coalesce(new.cancelled_at, now());
    elsif new.status = 'completed' then
      new.completed_at := coalesce(new.completed_at, now());
    end if;
  end if;
  return new;
end $$;
revoke all on function app.guard_service_plan() from public;
create or replace trigger guard before insert or update on public.service_plans
  for each row execute function app.guard_service_plan();
