-- What a company has of all its blocks together: the next numbers, and the sums of it and of its months.

insert into app.counters (company_id, name, value)
select m.company_id, n.kind || '-' || y.year, m.blocks * n.value
  from (select c.id as company_id, (select count(*) / 10 from public.team_members t where t.company_id = c.id and t.role = 'technician') as blocks
          from public.companies c where c.slug like 'scale-company-%') m
  cross join scale_years y
  cross join lateral (values ('job', y.jobs), ('estimate', y.estimates), ('invoice', y.bills), ('invoice_draft', y.bills), ('payment', y.payments))
    n (kind, value)
 where n.value > 0
union all
select m.company_id, 'equipment', m.blocks * 500
  from (select c.id as company_id, (select count(*) / 10 from public.team_members t where t.company_id = c.id and t.role = 'technician') as blocks
          from public.companies c where c.slug like 'scale-company-%') m
on conflict (company_id, name) do update set value = excluded.value;

insert into app.figures (company_id, scope, subject, month, currency, customers, jobs, jobs_scheduled, jobs_active, jobs_completed, worked_jobs,
                         worked_seconds, job_revenue, invoices, revenue, paid, outstanding, collected)
select m.company_id, s.scope, '00000000-0000-0000-0000-000000000000', s.month, 'USD', case s.scope when 'company' then m.blocks * 1000 else 0 end,
       m.blocks * s.jobs, m.blocks * s.jobs_scheduled, m.blocks * s.jobs_active, m.blocks * s.jobs_completed, m.blocks * s.worked_jobs,
       m.blocks * s.worked_seconds, m.blocks * s.job_revenue, m.blocks * s.invoices, m.blocks * s.revenue, m.blocks * s.paid, m.blocks * s.outstanding,
       m.blocks * s.collected
  from (select c.id as company_id, (select count(*) / 10 from public.team_members t where t.company_id = c.id and t.role = 'technician') as blocks
          from public.companies c where c.slug like 'scale-company-%') m
  cross join scale_sums s
 where s.scope in ('company', 'month');
