-- How the sums are kept: folded now and then, and counted anew from the rows when something makes that needed.

drop function if exists app.sums(uuid, text, uuid);
-- The sums as they are at this moment, of one scope of a company. Without a SET clause, so that it becomes part of the query that
-- asks, which leaves out the sums it does not need; those who call it have an empty search_path.
create or replace function app.sums(p_company_id uuid, p_scope text) returns setof app.figures
  language sql stable
as $$
  select f.company_id, f.scope, f.subject, f.month, f.currency,
         sum(f.customers)::bigint, sum(f.jobs)::bigint, sum(f.jobs_scheduled)::bigint, sum(f.jobs_active)::bigint,
         sum(f.jobs_completed)::bigint, sum(f.worked_jobs)::bigint, sum(f.worked_seconds)::bigint, sum(f.job_revenue)::bigint,
         sum(f.invoices)::bigint, sum(f.revenue)::bigint, sum(f.paid)::bigint, sum(f.outstanding)::bigint,
         sum(f.collected)::bigint, sum(f.reviews)::bigint, sum(f.rating_sum)::bigint
    from (select k.* from app.figures k
           where k.company_id = p_company_id and k.scope = p_scope
          union all
          select c.* from app.figure_changes c
           where c.company_id = p_company_id and c.scope = p_scope) f
   group by f.company_id, f.scope, f.subject, f.month, f.currency
$$;
revoke all on function app.sums(uuid, text) from public;
grant execute on function app.sums(uuid, text) to app_definer;

-- The same of one subject: by its key, and not as a choice, for which no index could be used.
create or replace function app.sums_of(p_company_id uuid, p_scope text, p_subject uuid) returns setof app.figures
  language sql stable
as $$
  select f.company_id, f.scope, f.subject, f.month, f.currency,
         sum(f.customers)::bigint, sum(f.jobs)::bigint, sum(f.jobs_scheduled)::bigint, sum(f.jobs_active)::bigint,
         sum(f.jobs_completed)::bigint, sum(f.worked_jobs)::bigint, sum(f.worked_seconds)::bigint, sum(f.job_revenue)::bigint,
         sum(f.invoices)::bigint, sum(f.revenue)::bigint, sum(f.paid)::bigint, sum(f.outstanding)::bigint,
         sum(f.collected)::bigint, sum(f.reviews)::bigint, sum(f.rating_sum)::bigint
    from (select k.* from app.figures k
           where k.company_id = p_company_id and k.scope = p_scope and k.subject = p_subject
          union all
          select c.* from app.figure_changes c
           where c.company_id = p_company_id and c.scope = p_scope and c.subject = p_subject) f
   group by f.company_id, f.scope, f.subject, f.month, f.currency
$$;
revoke all on function app.sums_of(uuid, text, uuid) from public;
grant execute on function app.sums_of(uuid, text, uuid) to app_definer;

-- Folds what writes have added since into app.figures. One at a time; who comes second does nothing, for the first does it.
-- Whoever reads meanwhile sees the changes either apart or folded, never both.
drop function if exists app.refresh_figures();
create or replace function app.refresh_figures(p_limit integer default 100000) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_changes bigint;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('app.refresh_figures', 0)) then
    return 0;
  end if;
  perform app.recount_months();
  with taken as (
    delete from app.figure_changes c where c.ctid = any (array(select f.ctid from app.figure_changes f limit p_limit)) returning *
  ), summed as (
    -- Of a company that is gone nothing is kept.
    select c.company_id, c.scope, c.subject, c.month, c.currency,
         sum(c.customers), sum(c.jobs), sum(c.jobs_scheduled), sum(c.jobs_active), sum(c.jobs_completed), sum(c.worked_jobs),
         sum(c.worked_seconds), sum(c.job_revenue), sum(c.invoices), sum(c.revenue), sum(c.paid), sum(c.outstanding),
         sum(c.collected), sum(c.reviews), sum(c.rating_sum)
      from taken c where exists (select from public.companies k where k.id = c.company_id)
     group by c.company_id, c.scope, c.subject, c.month, c.currency
  ), folded as (
    insert into app.figures as f select * from summed
    on conflict (company_id, scope, subject, month, currency) do update
     set customers = f.customers + excluded.customers, jobs = f.jobs + excluded.jobs, jobs_scheduled = f.jobs_scheduled +
         excluded.jobs_scheduled, jobs_active = f.jobs_active + excluded.jobs_active, jobs_completed = f.jobs_completed +
         excluded.jobs_completed, worked_jobs = f.worked_jobs + excluded.worked_jobs, worked_seconds = f.worked_seconds +
         excluded.worked_seconds, job_revenue = f.job_revenue + excluded.job_revenue, invoices = f.invoices + excluded.invoices,
         revenue = f.revenue + excluded.revenue, paid = f.paid + excluded.paid, outstanding = f.outstanding +
         excluded.outstanding, collected = f.collected + excluded.collected, reviews = f.reviews + excluded.reviews, rating_sum
         = f.rating_sum + excluded.rating_sum
  )
  select count(*) into v_changes from taken;
  return v_changes;
end $$;
comment on function app.refresh_figures(integer) is
  'Folds so many of the changes of figures at most; returns how many there were. Nothing waits for it, and figures are exact without it.';
alter function app.refresh_figures(integer) owner to app_definer;
revoke all on function app.refresh_figures(integer) from public;
grant execute on function app.refresh_figures(integer) to service_role;

-- The documented name.
create or replace function public.refresh_reporting_views() returns void
  language plpgsql volatile
  set search_path = ''
as $$
begin
  loop
    -- What comes in meanwhile is for the next time.
    exit when app.refresh_figures() < 100000;
  end loop;
end $$;
comment on function public.refresh_reporting_views() is
  'Folds what was added to the figures. For the service; the figures are exact at every moment.';
revoke all on function public.refresh_reporting_views() from public;
grant execute on function public.refresh_reporting_views() to service_role;

-- Counts a company anew, or all of them. One statement sees one moment: it takes away what the sums say and adds what the rows
-- say, so that writes that are under way are neither lost nor counted twice.
create or replace function app.rebuild_figures(p_company_id uuid default null) returns void
  language plpgsql volatile security definer
  set search_path = ''
  set plan_cache_mode = force_custom_plan
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('app.refresh_figures', 0));
  with before as (
    insert into app.figure_changes (company_id, scope, subject, month, currency,
                                  customers, jobs, jobs_scheduled, jobs_active, jobs_completed, worked_jobs, worked_seconds,
                                  job_revenue, invoices, revenue, paid, outstanding, collected, reviews, rating_sum)
    select f.company_id, f.scope, f.subject, f.month, f.currency,
           -sum(f.customers), -sum(f.jobs), -sum(f.jobs_scheduled), -sum(f.jobs_active), -sum(f.jobs_completed),
           -sum(f.worked_jobs), -sum(f.worked_seconds), -sum(f.job_revenue), -sum(f.invoices), -sum(f.revenue), -sum(f.paid),
           -sum(f.outstanding), -sum(f.collected), -sum(f.reviews), -sum(f.rating_sum)
      from (select * from app.figures union all select * from app.figure_changes) f
     where p_company_id is null or f.company_id = p_company_id
     group by 1, 2, 3, 4, 5
  ), customers as (
    insert into app.figure_changes (company_id, scope, subject, month, currency, customers)
    select f.company_id, f.scope, f.subject, f.month, f.currency, sum(f.customers)
      from public.customers r cross join lateral app.figures_of_customers(r.company_id, r.currency, r.deleted_at) f
     where p_company_id is null or r.company_id = p_company_id group by 1, 2, 3, 4, 5
  ), jobs as (
    insert into app.figure_changes (company_id, scope, subject, month, currency, jobs, jobs_scheduled, jobs_active,
                                    jobs_completed, worked_jobs, worked_seconds, job_revenue)
    select f.company_id, f.scope, f.subject, f.month, f.currency,
           sum(f.jobs), sum(f.jobs_scheduled), sum(f.jobs_active), sum(f.jobs_completed), sum(f.worked_jobs),
           sum(f.worked_seconds), sum(f.job_revenue)
      from (select r.company_id, r.customer_id, r.assigned_to, r.status, r.currency, r.total_amount, r.actual_start,
                   r.actual_end, r.deleted_at
              from public.jobs r
            union all
            select a.company_id, a.customer_id, a.assigned_to, a.status, a.currency, a.total_amount,
                   (a.job ->> 'actual_start')::timestamptz, (a.job ->> 'actual_end')::timestamptz,
                   (a.job ->> 'deleted_at')::timestamptz
              from public.jobs_archive a) r
     cross join lateral app.figures_of_jobs(r.company_id, r.customer_id, r.assigned_to, r.status, r.currency, r.total_amount,
                                            r.actual_start, r.actual_end, r.deleted_at) f
     where p_company_id is null or r.company_id = p_company_id group by 1, 2, 3, 4, 5
  ), invoices as (
    insert into app.figure_changes (company_id, scope, subject, month, currency, invoices, revenue, paid, outstanding)
    select f.company_id, f.scope, f.subject, f.month, f.currency, sum(f.invoices), sum(f.revenue), sum(f.paid), sum(f.outstanding)
      from public.invoices r
     cross join lateral app.figures_of_invoices(r.company_id, r.customer_id, r.status, r.currency,
                                                r.total_amount, r.credited_amount, r.paid_amount, r.balance_amount, r.issued_at,
                                                r.created_at, r.deleted_at) f
     where p_company_id is null or r.company_id = p_company_id group by 1, 2, 3, 4, 5
  ), payments as (
    insert into app.figure_changes (company_id, scope, subject, month, currency, collected)
    select f.company_id, f.scope, f.subject, f.month, f.currency, sum(f.collected)
      from public.payments r
     cross join lateral app.figures_of_payments(r.company_id, r.customer_id, r.status, r.payment_type, r.currency, r.amount,
                                                r.completed_at, r.created_at, r.deleted_at) f
     where p_company_id is null or r.company_id = p_company_id group by 1, 2, 3, 4, 5
  )
  insert into app.figure_changes (company_id, scope, subject, month, currency, reviews, rating_sum)
  select f.company_id, f.scope, f.subject, f.month, f.currency, sum(f.reviews), sum(f.rating_sum)
    from public.customer_reviews r
   cross join lateral app.figures_of_reviews(r.company_id, r.technician_id, r.rating, r.moderation_status, r.deleted_at) f
   where p_company_id is null or r.company_id = p_company_id group by 1, 2, 3, 4, 5;
end $$;
comment on function app.rebuild_figures(uuid) is 'Counts the figures of a company, or of all, anew from their rows.';
alter function app.rebuild_figures(uuid) owner to app_definer;
revoke all on function app.rebuild_figures(uuid) from public;
