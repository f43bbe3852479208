-- What the demo company's customers paid, and what follows from it for invoices, jobs and customers where no trigger did it already.

with asked as (
  select i.*, d.created_at as today, d.business_timezone as zone, abs(hashtext('pays ' || i.id)) % 100 as chance,
         extract(epoch from d.created_at - i.issued_at) / 86400 as age
    from public.invoices i
    join public.companies d on d.id = i.company_id
   where i.company_id = '01900000-0000-7000-8000-000000000001' and i.id::text like '01900000-0000-7000-8000-d15%'
     and i.status = 'sent' and i.paid_amount = 0
     and not exists (select from public.payments o where o.company_id = i.company_id and o.id >= '01900000-0000-7000-8000-d17000000000'
                        and o.id < '01900000-0000-7000-8000-d18000000000')
), said as (
  -- The older an invoice, the likelier it is paid; some are paid in part, some cards were refused.
  select a.*, case when a.chance < case when a.age > 45 then 94 when a.age > 10 then 62 else 35 end then 'full'
                   when a.chance < case when a.age > 45 then 96 when a.age > 10 then 70 else 38 end then 'half'
                   when a.age > 45 then 'failed' end as outcome,
         least(a.issued_at + (1 + a.chance % 20) * interval '1 day', a.today - interval '5 minutes') as received_at,
         (array['credit_card', 'credit_card', 'check', 'ach', 'debit_card', 'cash', 'credit_card'])[1 + abs(hashtext(a.id::text)) % 7] as method
    from asked a
), made as (
  select s.*, to_char(s.received_at at time zone s.zone, 'YYYY') as year, case s.outcome when 'half' then s.total_amount / 2 else s.total_amount end as amount,
         case when s.method like '%card' or s.outcome = 'failed' then 'stripe' else 'manual' end as processor
    from said s where s.outcome is not null
), numbered as (
  select m.*, row_number() over (partition by m.year order by m.received_at, m.id) as number,
         case when m.processor = 'stripe' and m.outcome <> 'failed' then round(m.amount * 0.029)::bigint + 30 else 0 end as fee
    from made m
)
insert into public.payments (company_id, id, customer_id, invoice_id, job_id, payment_number, amount, payment_method, payment_type, card_brand,
                             check_number, status, failure_code, failure_message, processor_name, processor_transaction_id, processor_fee,
                             net_amount, processed_at, completed_at, created_by, created_at, updated_at)
select n.company_id, ('01900000-0000-7000-8000-d17' || right(n.id::text, 9))::uuid, n.customer_id, n.id, n.job_id,
       'PAY-' || n.year || '-' || lpad(n.number::text, 4, '0'), n.amount, case when n.outcome = 'failed' then 'credit_card' else n.method end, 'payment',
       case when n.processor = 'stripe' then (array['visa', 'mastercard', 'amex', 'visa', 'discover'])[1 + n.chance % 5] end,
       case when n.method = 'check' and n.outcome <> 'failed' then (1000 + n.chance * 7)::text end,
       case n.outcome when 'failed' then 'failed' else 'completed' end,
       case n.outcome when 'failed' then 'card_declined' end, case n.outcome when 'failed' then 'The card was declined.' end,
       n.processor, case n.processor when 'stripe' then 'pi_demo_' || right(n.id::text, 9) end, n.fee,
       case n.outcome when 'failed' then 0 else n.amount - n.fee end, n.received_at, case when n.outcome <> 'failed' then n.received_at end,
       '01900000-0000-7000-8000-000000000107', n.received_at, n.received_at
  from numbered n
 order by n.year desc, n.number desc -- so that the counter moves once and not for each row
on conflict do nothing;

update public.invoices i
   set paid_amount = p.paid, balance_amount = i.total_amount - p.paid, status = case when p.paid = i.total_amount then 'paid' else 'partial' end,
       paid_at = case when p.paid = i.total_amount then p.last_at end
  from (select p.company_id, p.invoice_id, sum(p.amount) as paid, max(p.completed_at) as last_at from public.payments p
         where p.company_id = '01900000-0000-7000-8000-000000000001' and p.id::text like '01900000-0000-7000-8000-d17%' and p.status = 'completed'
         group by p.company_id, p.invoice_id) p
 where i.company_id = p.company_id and i.id = p.invoice_id and i.status = 'sent' and i.paid_amount = 0;

update public.invoices i set status = 'viewed', viewed_at = i.sent_at + interval '4 hours'
  from public.companies d
 where d.id = '01900000-0000-7000-8000-000000000001' and i.company_id = d.id and i.id::text like '01900000-0000-7000-8000-d15%'
   and i.status = 'sent' and abs(hashtext(i.id::text)) % 3 > 0 and i.sent_at < d.created_at - interval '4 hours';

update public.invoices i set status = 'overdue', reminder_count = 1, last_reminder_at = i.due_date + interval '1 day'
  from public.companies d
 where d.id = '01900000-0000-7000-8000-000000000001' and i.company_id = d.id and i.id::text like '01900000-0000-7000-8000-d15%'
   and i.status in ('sent', 'viewed') and i.due_date < d.created_at;

-- A job is worth what was billed for it, is invoiced when the bill is out, paid when that is, and goes to the archive some day.
update public.jobs j set status = 'invoiced', total_amount = i.total_amount, paid_amount = i.paid_amount
  from public.invoices i
 where i.company_id = '01900000-0000-7000-8000-000000000001' and i.id::text like '01900000-0000-7000-8000-d15%' and i.status <> 'draft'
   and j.company_id = i.company_id and j.id = i.job_id and j.status = 'completed';

update public.jobs j set status = 'paid'
  from public.invoices i
 where i.company_id = '01900000-0000-7000-8000-000000000001' and i.id::text like '01900000-0000-7000-8000-d15%' and i.status = 'paid'
   and j.company_id = i.company_id and j.id = i.job_id and j.status = 'invoiced' and j.paid_amount >= j.total_amount;

update public.jobs j set status = 'archived', archived_at = j.actual_end + interval '120 days', permanent_delete_scheduled_at = d.created_at + interval '90 days'
  from public.companies d
 where d.id = '01900000-0000-7000-8000-000000000001' and j.company_id = d.id and j.id::text like '01900000-0000-7000-8000-d06%'
   and j.status = 'paid' and j.actual_end < d.created_at - interval '200 days' and abs(hashtext('old ' || j.id)) % 40 = 0;

update public.customers c
   set total_jobs = f.jobs, total_invoices = f.invoices, total_revenue = f.revenue, outstanding_balance = f.balance,
       average_job_value = coalesce(f.average, 0), last_job_date = f.last_job, last_invoice_date = f.last_invoice, last_payment_date = f.last_payment
  from (select c.company_id, c.id, j.*, i.*, p.*
          from public.customers c
          cross join lateral (select count(*) as jobs, max(j.scheduled_start) filter (where j.status in ('completed', 'invoiced', 'paid', 'archived')) as last_job,
                                     round(avg(j.total_amount) filter (where j.status in ('completed', 'invoiced', 'paid', 'archived')))::bigint as average
                                from public.jobs j where j.company_id = c.company_id and j.customer_id = c.id) j
          cross join lateral (select count(*) as invoices, coalesce(sum(i.paid_amount), 0)::bigint as revenue,
                                     coalesce(sum(i.balance_amount), 0)::bigint as balance, max(i.issued_at) as last_invoice
                                from public.invoices i where i.company_id = c.company_id and i.customer_id = c.id and i.status <> 'draft') i
          cross join lateral (select max(p.completed_at) as last_payment
                                from public.payments p where p.company_id = c.company_id and p.customer_id = c.id and p.status = 'completed') p
         where c.company_id = '01900000-0000-7000-8000-000000000001' and c.id < '01900000-0000-7000-9000-000000000000'
           and (c.total_jobs, c.total_invoices, c.total_revenue) = (0, 0, 0)) f
 where c.company_id = f.company_id and c.id = f.id and f.jobs > 0;

insert into public.customer_reviews (company_id, id, customer_id, job_id, technician_id, rating, review_text, source, is_verified, is_public,
                                     moderation_status, created_at, updated_at)
select j.company_id, i.id, j.customer_id, j.id, j.assigned_to, (array[5, 5, 4, 5, 5, 3, 4, 5, 1, 5])[1 + i.hash % 10],
       (array['On time and friendly.', 'Explained everything, fair price.', 'Good work, left the place clean.', 'Had to call twice, but solved.',
              'Saved our weekend.'])[1 + i.hash / 3 % 5],
       (array['google', 'platform', 'email', 'facebook', 'google'])[1 + i.hash / 7 % 5], true, true, 'approved', t.at, t.at
  from public.jobs j
  join public.companies d on d.id = j.company_id
  cross join lateral (select abs(hashtext('review ' || j.id)) as hash, ('01900000-0000-7000-8000-d33' || right(j.id::text, 9))::uuid as id) i
  cross join lateral (select least(j.actual_end + interval '2 days', d.created_at) as at) t
 where j.company_id = '01900000-0000-7000-8000-000000000001' and j.id::text like '01900000-0000-7000-8000-d06%' and j.status in ('paid', 'archived')
   and i.hash % 9 = 0
   and not exists (select from public.customer_reviews o where o.company_id = j.company_id and o.id = i.id)
on conflict do nothing;
