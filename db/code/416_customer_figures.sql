-- What stands on a customer of his jobs: how many, when the last was, what one comes to. Deleted ones do not count, archived ones
-- do; the average is of work that was done, in the customer's currency, rounded half away from zero.

-- Counts anew for these customers, whose rows it locks in order of their ids.
create or replace function app.count_jobs_of(p_company_id uuid, p_customer_ids uuid[]) returns void
  language plpgsql volatile
  set search_path = ''
  -- An array of unknown length looks dearer than each known one, so that every call would be planned again, for longer than it runs.
  set plan_cache_mode = force_generic_plan
as $$
declare
  v_locked  uuid[];
  v_changed bigint;
begin
  v_locked := array(
    select l.id from (
      select c.id from public.customers c
       where c.company_id = p_company_id and c.id = any (p_customer_ids) order by c.id for no key update) l);
  -- After the locks, so that this sees what those who held them wrote.
  update public.customers c
     set total_jobs = f.jobs, last_job_date = f.last_job_date, average_job_value = f.average
    from (
      select k.id, count(j.status) as jobs, max(j.worked_at) filter (where j.is_done) as last_job_date,
             coalesce(round(avg(j.total_amount) filter (where j.is_done and j.currency = k.currency)), 0)::bigint as average
        from public.customers k
        -- By each customer's key: what a table without statistics is joined by otherwise takes minutes for an import.
        left join lateral (
          select j.status, j.total_amount, j.currency, app.is_done(j.status, j.actual_end) as is_done,
                 coalesce(j.actual_end, j.actual_start, j.scheduled_start, j.created_at) as worked_at
            from public.jobs j
           where j.company_id = p_company_id and j.customer_id = k.id and j.deleted_at is null
          union all
          select a.status, a.total_amount, a.currency, app.is_done(a.status, (a.job ->> 'actual_end')::timestamptz),
                 coalesce((a.job ->> 'actual_end')::timestamptz, a.completed_at, a.created_at)
            from public.jobs_archive a
           where a.company_id = p_company_id and a.customer_id = k.id and a.job ->> 'deleted_at' is null
        ) j on true
       where k.company_id = p_company_id and k.id = any (v_locked)
       group by k.id) f
   where c.company_id = p_company_id and c.id = f.id
     and (c.total_jobs, c.last_job_date, c.average_job_value) is distinct from (f.jobs, f.last_job_date, f.average);
  get diagnostics v_changed = row_count;
  if v_changed > cardinality(v_locked) then
    raise exception using errcode = 'XX000', message = 'figures were written to more customers than were locked';
  end if;
end $$;
revoke all on function app.count_jobs_of(uuid, uuid[]) from public;
grant execute on function app.count_jobs_of(uuid, uuid[]) to app_definer;

create or replace function app.count_jobs_of_customers() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_row record;
begin
  if tg_op = 'INSERT' then
    for v_row in
      select n.company_id, array_agg(distinct n.customer_id) as ids from new_rows n where n.customer_id is not null
       group by n.company_id order by n.company_id
    loop
      perform app.count_jobs_of(v_row.company_id, v_row.ids);
    end loop;
  elsif tg_op = 'DELETE' then
    for v_row in
      select o.company_id, array_agg(distinct o.customer_id) as ids from old_rows o where o.customer_id is not null
       group by o.company_id order by o.company_id
    loop
      perform app.count_jobs_of(v_row.company_id, v_row.ids);
    end loop;
  else
    -- A change that counts: of whose it is, of what it comes to, of whether and when it was done.
    for v_row in
      with changed as (
        select n.company_id, n.customer_id as after_id, o.customer_id as before_id
          from new_rows n join old_rows o on o.company_id = n.company_id and o.id = n.id
         where (n.customer_id, n.deleted_at is null, n.status, n.total_amount, n.currency, n.actual_start, n.actual_end,
                n.scheduled_start)
                 is distinct from
               (o.customer_id, o.deleted_at is null, o.status, o.total_amount, o.currency, o.actual_start, o.actual_end,
                o.scheduled_start))
      select c.company_id, array_agg(distinct c.customer_id) as ids
        from (select company_id, after_id as customer_id from changed union select company_id, before_id from changed) c
       where c.customer_id is not null group by c.company_id order by c.company_id
    loop
      perform app.count_jobs_of(v_row.company_id, v_row.ids);
    end loop;
  end if;
  return null;
end $$;
alter function app.count_jobs_of_customers() owner to app_definer;
revoke all on function app.count_jobs_of_customers() from public;
create or replace trigger customer_figures_inserted after insert on public.jobs referencing new table as new_rows
  for each statement execute function app.count_jobs_of_customers();
create or replace trigger customer_figures_updated after update on public.jobs
  referencing old table as old_rows new table as new_rows
  for each statement execute function app.count_jobs_of_customers();
create or replace trigger customer_figures_deleted after delete on public.jobs referencing old table as old_rows
  for each statement execute function app.count_jobs_of_customers();

-- What a job comes to on average is of those in his currency.
create or replace function app.customer_currency_changed() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  perform app.count_jobs_of(new.company_id, array[new.id]);
  return null;
end $$;
alter function app.customer_currency_changed() owner to app_definer;
revoke all on function app.customer_currency_changed() from public;
create or replace trigger customer_figures_by_currency after update on public.customers
  for each row when (old.currency is distinct from new.currency) execute function app.customer_currency_changed();

-- A counter of numbers is locked last: whoever gives a job its number has locked the customer before, which the figures will
-- need.
create or replace function app.lock_customer_of_job() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  perform from public.customers c where c.company_id = new.company_id and c.id = new.customer_id for no key update;
  return new;
end $$;
alter function app.lock_customer_of_job() owner to app_definer;
revoke all on function app.lock_customer_of_job() from public;
create or replace trigger lock_customer before insert on public.jobs
  for each row when (new.customer_id is not null and new.job_number = '' and app.is_within_reach(new.company_id))
  execute function app.lock_customer_of_job();
