-- The sums of a block's customers and technicians, as folding would have left them.

insert into app.figures (company_id, scope, subject, month, currency, jobs, jobs_scheduled, jobs_active, jobs_completed, worked_jobs,
                         worked_seconds, job_revenue, invoices, revenue, paid, outstanding, collected)
select b.company_id, s.scope,
       case s.scope when 'customer' then (c.head || b.mark || '84' || lpad(to_hex(b.block * 10000 + c.n), 14, '0'))::uuid
                    else ('01910000-0000-7' || b.mark || '-8100-'
                          || lpad(to_hex(b.block * 16 + case s.n when 9 then 13 else s.n + 1 end), 12, '0'))::uuid end,
       s.month, 'USD', s.jobs, s.jobs_scheduled, s.jobs_active, s.jobs_completed, s.worked_jobs, s.worked_seconds, s.job_revenue, s.invoices,
       s.revenue, s.paid, s.outstanding, s.collected
  from scale_block b
  cross join scale_sums s
  left join scale_customers c on s.scope = 'customer' and c.n = s.n
 where s.scope in ('customer', 'technician');

-- What a company has of all its blocks so far: the next numbers, and the sums of it and of its months. The blocks of one company wait for each
-- other here until they commit, so this comes last, and in one order.

insert into app.counters (company_id, name, value)
select b.company_id, n.name, (b.block + 1) * n.value
  from scale_block b
  cross join (select k.kind || '-' || y.year as name, k.value
                from scale_years y
                cross join lateral (values ('job', y.jobs), ('estimate', y.estimates), ('invoice', y.bills), ('invoice_draft', y.bills),
                                           ('payment', y.payments)) k (kind, value)
              union all select 'equipment', 500) n
 where n.value > 0
 order by n.name
    on conflict (company_id, name) do update set value = greatest(counters.value, excluded.value);

insert into app.figures as f (company_id, scope, subject, month, currency, customers, jobs, jobs_scheduled, jobs_active, jobs_completed, worked_jobs,
                              worked_seconds, job_revenue, invoices, revenue, paid, outstanding, collected)
select b.company_id, s.scope, '00000000-0000-0000-0000-000000000000', s.month, 'USD', case s.scope when 'company' then 1000 else 0 end, s.jobs,
       s.jobs_scheduled, s.jobs_active, s.jobs_completed, s.worked_jobs, s.worked_seconds, s.job_revenue, s.invoices, s.revenue, s.paid, s.outstanding,
       s.collected
  from scale_block b
  cross join scale_sums s
 where s.scope in ('company', 'month')
 order by s.scope, s.month
    on conflict (company_id, scope, subject, month, currency) do update
   set customers = f.customers + excluded.customers, jobs = f.jobs + excluded.jobs, jobs_scheduled = f.jobs_scheduled + excluded.jobs_scheduled,
       jobs_active = f.jobs_active + excluded.jobs_active, jobs_completed = f.jobs_completed + excluded.jobs_completed,
       worked_jobs = f.worked_jobs + excluded.worked_jobs, worked_seconds = f.worked_seconds + excluded.worked_seconds,
       job_revenue = f.job_revenue + excluded.job_revenue, invoices = f.invoices + excluded.invoices, revenue = f.revenue + excluded.revenue,
       paid = f.paid + excluded.paid, outstanding = f.outstanding + excluded.outstanding, collected = f.collected + excluded.collected;
