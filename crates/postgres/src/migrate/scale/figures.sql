-- The sums of a block's customers and technicians, as folding would have left them; those of companies come at the end, since the blocks of
-- one company would wait for each other here.

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
