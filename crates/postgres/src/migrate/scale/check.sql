-- What the triggers would have refused or computed otherwise: each query tells a name and the number of rows that are wrong, of the companies
-- made here.

select 'invoices whose total is not that of their lines',
       (select count(*) from public.invoices i
          left join (select l.company_id, l.invoice_id, sum(l.total) as subtotal, sum(l.total) filter (where l.is_taxable) as taxable
                       from public.invoice_line_items l group by 1, 2) l on l.company_id = i.company_id and l.invoice_id = i.id
         where i.company_id > '01910000-0000-7000-8000-000000000000' and i.total_amount is distinct from l.subtotal + round(coalesce(l.taxable, 0) * i.tax_rate / 100) - i.discount_amount);
select 'estimates whose total is not that of their lines',
       (select count(*) from public.estimates e
          left join (select l.company_id, l.estimate_id, sum(l.total) as subtotal, sum(l.total) filter (where l.is_taxable) as taxable
                       from public.estimate_line_items l group by 1, 2) l on l.company_id = e.company_id and l.estimate_id = e.id
         where e.company_id > '01910000-0000-7000-8000-000000000000' and e.total_amount is distinct from l.subtotal + round(coalesce(l.taxable, 0) * e.tax_rate / 100) - e.discount_amount);
select 'invoices whose paid amount is not that of their payments, or whose balance is not the rest',
       (select count(*) from public.invoices i
          left join (select p.company_id, p.invoice_id, sum(p.amount) as paid from public.payments p where p.status = 'completed' group by 1, 2) p
            on p.company_id = i.company_id and p.invoice_id = i.id
         where i.company_id > '01910000-0000-7000-8000-000000000000'
           and (i.paid_amount <> coalesce(p.paid, 0) or i.balance_amount <> i.total_amount - i.paid_amount - i.credited_amount
                or (i.status = 'paid') <> (i.balance_amount = 0)));
select 'jobs whose status does not agree with what they have',
       (select count(*) from public.jobs j
         where j.company_id > '01910000-0000-7000-8000-000000000000'
           and (j.status <> 'quoted' and j.scheduled_start is null or j.status = 'in_progress' and j.assigned_to is null
                or j.status = 'paid' and j.paid_amount < j.total_amount or j.status in ('completed', 'invoiced', 'paid') and j.actual_end is null));
select 'appointments of one person that overlap',
       (select count(*) from (select s.end_time > lead(s.start_time) over (partition by s.company_id, s.assigned_to order by s.start_time) as overlaps
                                from public.schedules s
                               where s.company_id > '01910000-0000-7000-8000-000000000000' and s.assigned_to is not null
                                 and s.status not in ('cancelled', 'no_show') and s.deleted_at is null) o
         where o.overlaps);
select 'open appointments whose people are not booked',
       (select count(*) from public.schedules s
         where s.company_id > '01910000-0000-7000-8000-000000000000' and s.status in ('scheduled', 'in_progress') and s.assigned_to is not null
           and not exists (select from public.bookings b
                            where b.company_id = s.company_id and b.schedule_id = s.id and b.user_id = s.assigned_to
                              and (b.start_time, b.end_time) = (s.start_time, s.end_time)));
select 'customers whose figures are not those of their invoices',
       (select count(*) from public.customers c
          left join (select i.company_id, i.customer_id, count(*) as bills, sum(i.paid_amount) as revenue, sum(i.balance_amount) as balance
                       from public.invoices i where i.status <> 'draft' group by 1, 2) i on i.company_id = c.company_id and i.customer_id = c.id
         where c.company_id > '01910000-0000-7000-8000-000000000000'
           and (c.total_invoices, c.total_revenue, c.outstanding_balance) is distinct from (coalesce(i.bills, 0), coalesce(i.revenue, 0), coalesce(i.balance, 0)));
select 'customers whose figures are not those of their jobs',
       (select count(*) from public.customers c
          left join (select j.company_id, j.customer_id, count(*) as jobs, max(j.actual_end) filter (where j.status in ('completed', 'invoiced', 'paid')) as last_at,
                            round(avg(j.total_amount) filter (where j.status in ('completed', 'invoiced', 'paid')))::bigint as average
                       from public.jobs j where j.deleted_at is null group by 1, 2) j on j.company_id = c.company_id and j.customer_id = c.id
         where c.company_id > '01910000-0000-7000-8000-000000000000'
           and (c.total_jobs, c.last_job_date, c.average_job_value) is distinct from (coalesce(j.jobs, 0), j.last_at, coalesce(j.average, 0)));
select 'companies whose sums are not those of their rows',
       (select count(*) from (
          select f.company_id, sum(f.customers), sum(f.jobs), sum(f.job_revenue), sum(f.invoices), sum(f.outstanding), sum(f.collected)
            from app.figures f where f.company_id > '01910000-0000-7000-8000-000000000000' and f.scope = 'company' group by 1
          except
          select c.id, (select count(*) from public.customers r where r.company_id = c.id), j.jobs, j.revenue, i.bills, i.outstanding, p.collected
            from public.companies c
            join (select r.company_id, count(*) as jobs, sum(r.total_amount) filter (where r.actual_end is not null) as revenue from public.jobs r group by 1) j
              on j.company_id = c.id
            join (select r.company_id, count(*) as bills, sum(r.balance_amount) as outstanding from public.invoices r group by 1) i on i.company_id = c.id
            join (select r.company_id, sum(r.amount) as collected from public.payments r group by 1) p on p.company_id = c.id) w)
