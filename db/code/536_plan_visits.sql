-- Visits of service plans. Invariant: of a plan there is one job for each of its visits: the job is made in the transaction that moves the plan on.

-- Makes the jobs of plans whose next visit is near, and moves them on to the visit after. Returns how many.
create or replace function app.make_plan_visits(p_limit integer, p_days_ahead integer default 14) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_plan  record;
  v_due   timestamp;
  v_next  timestamp;
  v_start timestamptz;
  v_state text;
  v_count bigint := 0;
begin
  for v_plan in
    select p.*, c.business_timezone as zone
      from public.service_plans p
      join public.companies c on c.id = p.company_id and c.deleted_at is null and c.archived_at is null and c.suspended_at is null
      join public.customers u on u.company_id = p.company_id and u.id = p.customer_id and u.deleted_at is null
     where p.status = 'active' and p.auto_generate_jobs and p.deleted_at is null and p.archived_at is null
       and p.next_service_due <= now() + make_interval(days => p_days_ahead) and (p.end_date is null or p.next_service_due <= p.end_date)
     order by p.next_service_due limit p_limit for update of p skip locked
  loop
    begin
      -- By the calendar of the company, so that the hour stays when its clock changes.
      v_due := v_plan.next_service_due at time zone v_plan.zone;
      v_start := greatest(v_plan.next_service_due, date_trunc('hour', now()) + interval '1 hour');
      insert into public.jobs (company_id, customer_id, property_id, assigned_to, title, description, job_type, status, scheduled_start, scheduled_end,
                               currency, booking_method, booked_by_user_id, created_by, metadata)
      values (v_plan.company_id, v_plan.customer_id, v_plan.property_id, v_plan.assigned_technician, v_plan.name, v_plan.description, 'maintenance',
              'scheduled', v_start, v_start + interval '1 hour', v_plan.currency, 'service_plan', null, null,
              jsonb_build_object('service_plan_id', v_plan.id, 'service_due', v_plan.next_service_due));
      v_next := v_due + app.plan_interval(v_plan.frequency, v_plan.custom_frequency_days);
      -- Visits that nobody made for long are one.
      while v_next at time zone v_plan.zone <= now() loop
        v_next := v_next + app.plan_interval(v_plan.frequency, v_plan.custom_frequency_days);
      end loop;
      update public.service_plans p set next_service_due = v_next at time zone v_plan.zone
       where p.company_id = v_plan.company_id and p.id = v_plan.id;
      v_count := v_count + 1;
    exception when others then
      get stacked diagnostics v_state = returned_sqlstate;
      if app.is_fault_of_server(v_state) then
        raise;
      end if;
      raise warning 'service plan % of company % gets no visit: %', v_plan.id, v_plan.company_id, v_state;
    end;
  end loop;
  return v_count;
end $$;
comment on function app.make_plan_visits(integer, integer) is 'Makes the jobs of service plans whose next visit is near; returns how many.';
alter function app.make_plan_visits(integer, integer) owner to app_definer;
revoke all on function app.make_plan_visits(integer, integer) from public;
grant execute on function app.make_plan_visits(integer, integer) to service_role;
