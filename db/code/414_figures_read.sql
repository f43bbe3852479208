-- The figures as they are read: by functions of the documented names that ask for the permission and give one company's rows.
-- Amounts are in minor units of the row's currency; what there is in others stands apart, and nothing is ever added across
-- currencies.

-- Sums of several currencies as {"EUR": {"revenue": 100}}, without the one that has columns of its own.
create or replace function app.other_currencies(p_currency text, p_currencies text[], p_sums jsonb[]) returns jsonb
  language sql immutable parallel safe
  set search_path = ''
as $$
  select coalesce(jsonb_object_agg(o.currency, o.sums), '{}')
    from unnest(p_currencies, p_sums) o (currency, sums)
   where o.currency <> p_currency and o.currency <> '' and exists (select from jsonb_each(o.sums) e where e.value <> '0')
$$;
revoke all on function app.other_currencies(text, text[], jsonb[]) from public;
grant execute on function app.other_currencies(text, text[], jsonb[]) to app_definer;

drop function if exists public.company_kpis();
create function public.company_kpis()
  returns table (company_id uuid, currency text, total_customers bigint, total_jobs bigint, scheduled_jobs bigint,
                 active_jobs bigint, completed_jobs bigint, total_invoices bigint, total_revenue bigint,
                 collected_revenue bigint, outstanding_revenue bigint,
                 other_currencies jsonb)
  language plpgsql stable security definer
  set search_path = ''
as $$
#variable_conflict use_column
declare
  v_company constant uuid := app.company_id();
begin
  perform app.demand('reports:read');
  return query
    select c.id, c.currency, coalesce(sum(f.customers), 0)::bigint, coalesce(sum(f.jobs), 0)::bigint,
           coalesce(sum(f.jobs_scheduled), 0)::bigint, coalesce(sum(f.jobs_active), 0)::bigint,
           coalesce(sum(f.jobs_completed), 0)::bigint,
           coalesce(sum(f.invoices), 0)::bigint, coalesce(sum(f.revenue) filter (where f.currency = c.currency), 0)::bigint,
           coalesce(sum(f.collected) filter (where f.currency = c.currency), 0)::bigint,
           coalesce(sum(f.outstanding) filter (where f.currency = c.currency), 0)::bigint,
           app.other_currencies(c.currency, array_agg(f.currency), array_agg(jsonb_build_object(
             'total_revenue', f.revenue, 'collected_revenue', f.collected, 'outstanding_revenue', f.outstanding)))
      from public.companies c
      left join app.sums(v_company, 'company') f on true
     where c.id = v_company
     group by c.id, c.currency;
end $$;
comment on function public.company_kpis() is
  'The company in one row: customers, jobs, and what was billed, collected (less refunds), is outstanding. Needs reports:read.';

drop function if exists public.mv_customer_lifetime_value(uuid, integer);
create function public.mv_customer_lifetime_value(only_customer_id uuid default null, max_results integer default 100)
  returns table (customer_id uuid, company_id uuid, customer_name text, currency text, total_jobs bigint, total_invoices bigint,
                 total_revenue bigint, total_paid bigint, average_invoice_value bigint, last_job_date timestamptz,
                 customer_status text,
                 other_currencies jsonb)
  language plpgsql stable security definer
  set search_path = ''
  -- The plan for one customer is not the plan for all.
  set plan_cache_mode = force_custom_plan
as $$
declare
  v_company constant uuid := app.company_id();
begin
  perform app.demand('reports:read');
  if $2 is null or $2 not between 1 and 10000 then
    raise exception using errcode = 'TH422', constraint = 'report_limit_invalid', message = 'A report gives 1 to 10000 rows.';
  end if;
  return query
    with best as (
      select c.id, c.company_id, c.display_name, c.currency, c.last_job_date, coalesce(f.revenue, 0) as revenue
        from public.customers c
        left join app.sums(v_company, 'customer') f on f.subject = c.id and f.currency = c.currency
       where c.company_id = v_company and c.deleted_at is null and ($1 is null or c.id = $1)
       order by 6 desc, c.display_name, c.id
       limit $2
    )
    select b.id, b.company_id, b.display_name, b.currency, s.jobs, s.invoices, b.revenue, s.collected,
           case when s.billed = 0 then 0 else round(b.revenue::numeric / s.billed)::bigint end, b.last_job_date,
           case when b.last_job_date > now() - interval '30 days' then 'active'
                when b.last_job_date > now() - interval '90 days' then 'recent'
                when b.last_job_date > now() - interval '365 days' then 'inactive'
                else 'dormant' end,
           app.other_currencies(b.currency, s.currencies, s.sums)
      from best b
     cross join lateral (
       select coalesce(sum(f.jobs), 0)::bigint as jobs, coalesce(sum(f.invoices), 0)::bigint as invoices,
              coalesce(sum(f.collected) filter (where f.currency = b.currency), 0)::bigint as collected,
              coalesce(sum(f.invoices) filter (where f.currency = b.currency), 0)::bigint as billed,
              array_agg(f.currency) as currencies,
              array_agg(jsonb_build_object('total_revenue', f.revenue, 'total_paid', f.collected)) as sums
         from app.sums_of(v_company, 'customer', b.id) f) s
     order by b.revenue desc, b.display_name, b.id;
end $$;
comment on function public.mv_customer_lifetime_value(uuid, integer) is
  'What customers were worth, the most first, or one: invoices issued, less credits; paid, less refunds. Needs reports:read.';

drop function if exists public.mv_technician_performance();
create function public.mv_technician_performance()
  returns table (technician_id uuid, company_id uuid, technician_name text, jobs_completed bigint, avg_job_duration_hours numeric,
                 average_rating numeric, review_count bigint, currency text, total_revenue bigint, other_currencies jsonb)
  language plpgsql stable security definer
  set search_path = ''
as $$
#variable_conflict use_column
declare
  v_company constant uuid := app.company_id();
begin
  perform app.demand('reports:read');
  return query
    select m.user_id, m.company_id, m.name, coalesce(sum(f.jobs_completed), 0)::bigint,
           coalesce(round(sum(f.worked_seconds) / 3600.0 / nullif(sum(f.worked_jobs), 0), 2), 0),
           coalesce(round(sum(f.rating_sum)::numeric / nullif(sum(f.reviews), 0), 2), 0), coalesce(sum(f.reviews), 0)::bigint,
           c.currency, coalesce(sum(f.job_revenue) filter (where f.currency = c.currency), 0)::bigint,
           app.other_currencies(c.currency, array_agg(f.currency), array_agg(jsonb_build_object('total_revenue', f.job_revenue)))
      from public.team_members m
      join public.companies c on c.id = m.company_id
      left join app.sums(v_company, 'technician') f on f.subject = m.user_id
     where m.company_id = v_company and m.user_id is not null
     group by m.user_id, m.company_id, m.name, m.role, c.currency
    having m.role = 'technician' or sum(f.jobs_completed) > 0
     order by 4 desc, m.name, m.user_id;
end $$;
comment on function public.mv_technician_performance() is
  'Technicians, and who else completed jobs: how many, how long, how they were rated, what they came to. Needs reports:read.';

drop function if exists public.mv_monthly_revenue();
create function public.mv_monthly_revenue()
  returns table (company_id uuid, month date, currency text, invoice_count bigint, total_revenue bigint, total_paid bigint,
                 total_outstanding bigint, avg_invoice_value bigint, collected bigint)
  language plpgsql stable security definer
  set search_path = ''
as $$
#variable_conflict use_column
declare
  v_company constant uuid := app.company_id();
begin
  perform app.demand('reports:read');
  if exists (select from app.month_recounts r where r.company_id = v_company) then
    return query
      select v_company, m.month, m.currency, m.invoices, m.revenue, m.paid, m.outstanding,
             case when m.invoices = 0 then 0 else round(m.revenue::numeric / m.invoices)::bigint end, m.collected
        from app.months_of(v_company) m
       where (m.invoices, m.revenue, m.paid, m.outstanding, m.collected) <> (0, 0, 0, 0, 0)
       order by m.month desc, m.currency;
    return;
  end if;
  return query
    select f.company_id, f.month, f.currency, f.invoices, f.revenue, f.paid, f.outstanding,
           case when f.invoices = 0 then 0 else round(f.revenue::numeric / f.invoices)::bigint end, f.collected
      from app.sums(v_company, 'month') f
     where (f.invoices, f.revenue, f.paid, f.outstanding, f.collected) <> (0, 0, 0, 0, 0)
     order by f.month desc, f.currency;
end $$;
comment on function public.mv_monthly_revenue() is
  'By month of issue and currency: invoices less credits, paid of them, outstanding; and collected in it. A month in which all that is nothing has no row. Needs reports:read.';

alter function public.company_kpis() owner to app_definer;
alter function public.mv_customer_lifetime_value(uuid, integer) owner to app_definer;
alter function public.mv_technician_performance() owner to app_definer;
alter function public.mv_monthly_revenue() owner to app_definer;
revoke all on function public.company_kpis(), public.mv_customer_lifetime_value(uuid, integer),
  public.mv_technician_performance(),
  public.mv_monthly_revenue() from public;
grant execute on function public.company_kpis(), public.mv_customer_lifetime_value(uuid, integer),
  public.mv_technician_performance(),
  public.mv_monthly_revenue() to authenticated, service_role;
