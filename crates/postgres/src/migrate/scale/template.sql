-- One block of a company, as it is in every company: 1,000 customers and what is known of them. Everything that does not depend on whose
-- block it is stands here, computed once for each connection, so that a block itself is a few joins.
--
-- An id is 12 digits of the time at which the row was made, 7, the company's number, 8, a digit for the kind of row, and its number.

create temporary table scale_clock as
select date_trunc('day', now() at time zone 'UTC') at time zone 'UTC' as today;

create temporary table scale_customers as
select n, c.created_at, lpad(to_hex((extract(epoch from c.created_at) * 1000)::bigint), 12, '0') || '7' as head,
       (array['Anna','Ben','Clara','David','Elena','Frank','Grace','Henry','Iris','Jonas','Karen','Leo','Mona','Nils','Opal','Paul','Quinn',
              'Rosa','Sam','Tara','Uma','Victor','Wendy','Xavier','Yara','Aisha','Brian','Carmen','Diego','Esther','Farid','Gloria'])[1 + n % 32] as first_name,
       case when n % 60 = 0 then 'industrial' when n % 6 = 0 then 'commercial' else 'residential' end as type,
       case when n % 97 = 0 then 'inactive' else 'active' end as status,
       (array['Springfield', 'Chatham', 'Decatur', 'Lincoln', 'Sherman', 'Peoria', 'Quincy', 'Normal'])[1 + n % 8] as city,
       (62500 + n % 300)::text as zip_code
  from generate_series(1, 1000) n
  cross join lateral (select k.today - interval '400 days' - n * interval '17 hours' as created_at from scale_clock k) c;

-- Ten technicians with 411 slots each: one a day and less over the past year, two a day from last week to the end of the week after the next.
create temporary table scale_jobs as
with slots as (
  select t.technician, q, case when q < 369 then -350 + q * 342 / 369 else -7 + (q - 369) / 2 end as day, t.technician + q * 10 + 1 as n
    from generate_series(0, 9) t (technician) cross join generate_series(0, 410) q
), timed as (
  select s.n, s.technician, k.today, k.today + s.day * interval '1 day' + case s.q % 2 when 0 then interval '14 hours' else interval '19 hours' end as starts_at,
         s.n * 7919 % 100 as chance
    from slots s cross join scale_clock k
  union all
  -- What was asked for and has no date.
  select n, null, k.today, null, n * 7919 % 100 from generate_series(4111, 4170) n cross join scale_clock k
), described as (
  select t.*, d.*, t.starts_at + d.minutes * interval '1 minute' as ends_at,
         coalesce(t.starts_at - (2 + t.n % 9) * interval '1 day', t.today - (1 + t.n % 50) * interval '1 day')
           - greatest(interval '0', coalesce(t.starts_at - (2 + t.n % 9) * interval '1 day', t.today) - t.today) - t.n * interval '1 second' as created_at
    from timed t
    join (values (0, 'Leaking faucet', 'repair', 'plumbing', 90), (1, 'Boiler service', 'maintenance', 'heating', 75),
                 (2, 'Drain cleaning', 'service', 'plumbing', 60), (3, 'Water heater replacement', 'installation', 'plumbing', 180),
                 (4, 'No heat', 'repair', 'heating', 105), (5, 'AC not cooling', 'repair', 'cooling', 105),
                 (6, 'Furnace tune-up', 'maintenance', 'heating', 60)) d (kind, title, job_type, service_type, minutes) on d.kind = t.n % 7
), settled as (
  select d.*, case when d.starts_at is null then 'quoted'
                   when d.starts_at > d.today + interval '1 day' then case when d.chance < 4 then 'cancelled' else 'scheduled' end
                   when d.starts_at > d.today then case when d.n % 2 = 0 then 'scheduled' else 'in_progress' end
                   when d.chance < 6 then 'cancelled'
                   when d.chance < 7 and d.starts_at > d.today - interval '40 days' then 'on_hold'
                   when d.starts_at > d.today - interval '3 days' then 'completed'
                   when d.starts_at > d.today - interval '30 days' and d.chance > 55 then 'invoiced'
                   when d.chance > 93 then 'invoiced'
                   else 'paid' end as status
    from described d
), priced as (
  select s.*, v.*, s.status in ('invoiced', 'paid') as is_billed, coalesce(s.ends_at + interval '3 hours', s.created_at) as billed_at
    from settled s
    cross join lateral (select sum(l.total)::bigint as subtotal, coalesce(sum(l.total) filter (where l.is_taxable), 0)::bigint as taxable,
                               round(coalesce(sum(l.total) filter (where l.is_taxable), 0) * 8.75 / 100)::bigint as tax
                          from (values (s.minutes / 60.0 * 12500, false), ((1 + s.n % 3) * (900 + s.n % 100 * 170), true)) w (amount, is_taxable)
                          cross join lateral (select round(w.amount)::bigint as total, w.is_taxable) l) v
)
select p.n, p.technician, p.starts_at, p.ends_at, p.created_at, p.title, p.job_type, p.service_type, p.minutes, p.status, p.chance,
       p.subtotal, p.taxable, p.tax, p.subtotal + p.tax as total, p.is_billed, p.billed_at,
       c.n as customer_n, c.head as customer_head, c.type as customer_type,
       lpad(to_hex((extract(epoch from p.created_at) * 1000)::bigint), 12, '0') || '7' as head,
       lpad(to_hex((extract(epoch from p.billed_at) * 1000)::bigint), 12, '0') || '7' as billed_head,
       to_char(p.created_at, 'YYYY') as year, row_number() over (partition by to_char(p.created_at, 'YYYY') order by p.created_at, p.n) as number,
       to_char(p.billed_at, 'YYYY') as billed_year,
       case when p.is_billed then row_number() over (partition by p.is_billed, to_char(p.billed_at, 'YYYY') order by p.billed_at, p.n) end as billed_number,
       p.billed_at + interval '30 days' as due_at,
       case when p.status = 'paid' then 'paid' when not p.is_billed then null when p.billed_at + interval '30 days' < p.today then 'overdue'
            when p.n % 3 = 0 then 'viewed' else 'sent' end as bill_status,
       p.billed_at + (1 + p.n % 2) * interval '1 day' as paid_at,
       lpad(to_hex((extract(epoch from p.billed_at + (1 + p.n % 2) * interval '1 day') * 1000)::bigint), 12, '0') || '7' as paid_head,
       to_char(p.billed_at + (1 + p.n % 2) * interval '1 day', 'YYYY') as paid_year,
       case when p.status = 'paid' then row_number() over (partition by p.status, to_char(p.billed_at + (1 + p.n % 2) * interval '1 day', 'YYYY')
                                                           order by p.billed_at + (1 + p.n % 2) * interval '1 day', p.n) end as paid_number,
       p.n % 10 = 0 or p.status = 'quoted' as is_quoted,
       row_number() over (partition by p.n % 10 = 0 or p.status = 'quoted', to_char(p.created_at, 'YYYY') order by p.created_at, p.n) as quoted_number
  from priced p
  join scale_customers c on c.n = 1 + p.n * 617 % 1000;

create temporary table scale_lines as
select j.n, 0 as position, 'labor' as kind, 1 as item_n, 'Work' as description, 'hour' as unit, round(j.minutes / 60.0, 3) as quantity, 12500::bigint as unit_price,
       false as is_taxable
  from scale_jobs j
union all
select j.n, 1, 'material', 2 + j.n % 99, 'Parts for ' || lower(j.title), 'each', (1 + j.n % 3)::numeric, (900 + j.n % 100 * 170)::bigint, true
  from scale_jobs j;

-- How many numbers of a year a block takes.
create temporary table scale_years as
select y.year, (select count(*) from scale_jobs j where j.year = y.year) as jobs,
       (select count(*) from scale_jobs j where j.billed_year = y.year and j.is_billed) as bills,
       (select count(*) from scale_jobs j where j.paid_year = y.year and j.status = 'paid') as payments,
       (select count(*) from scale_jobs j where j.year = y.year and j.is_quoted) as estimates
  from (select distinct j.year from scale_jobs j union select distinct j.billed_year from scale_jobs j union select distinct j.paid_year from scale_jobs j) y (year);

-- What a customer's jobs and invoices come to.
create temporary table scale_figures as
select c.n, count(j.n) as jobs, count(j.n) filter (where j.is_billed) as bills, coalesce(sum(j.total) filter (where j.status = 'paid'), 0)::bigint as revenue,
       coalesce(sum(j.total) filter (where j.status = 'invoiced'), 0)::bigint as balance,
       coalesce(round(avg(j.total) filter (where j.is_billed or j.status = 'completed')), 0)::bigint as average,
       max(j.ends_at) filter (where j.is_billed or j.status = 'completed') as last_job, max(j.billed_at) filter (where j.is_billed) as last_bill,
       max(j.paid_at) filter (where j.status = 'paid') as last_payment
  from scale_customers c left join scale_jobs j on j.customer_n = c.n
 group by c.n;

-- What a block adds to the sums that are kept: each job, invoice and payment counts for its company, its customer, its technician or its month,
-- as app.figures_of_jobs and its sisters say. A company's clock is UTC.
create temporary table scale_sums as
with counted as (
  select 'job' as kind, j.customer_n, j.technician, null::date as month, 1 as jobs, (j.status = 'scheduled')::integer as scheduled,
         (j.status = 'in_progress')::integer as active, d.done, case when d.done = 1 then j.minutes * 60 else 0 end as seconds,
         case when d.done = 1 then j.total else 0 end as job_revenue, 0 as bills, 0::bigint as revenue, 0::bigint as paid, 0::bigint as outstanding,
         0::bigint as collected
    from scale_jobs j cross join lateral (select (j.status in ('completed', 'invoiced', 'paid'))::integer as done) d
  union all
  select 'invoice', j.customer_n, null, date_trunc('month', j.billed_at at time zone 'UTC')::date, 0, 0, 0, 0, 0, 0, 1, j.total,
         case when j.status = 'paid' then j.total else 0 end, case when j.status = 'paid' then 0 else j.total end, 0
    from scale_jobs j where j.is_billed
  union all
  select 'payment', j.customer_n, null, date_trunc('month', j.paid_at at time zone 'UTC')::date, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, j.total
    from scale_jobs j where j.status = 'paid'
)
select s.scope, s.n, s.month, sum(c.jobs) as jobs, sum(c.scheduled) as jobs_scheduled, sum(c.active) as jobs_active, sum(c.done) as jobs_completed,
       sum(c.done) as worked_jobs, sum(c.seconds) as worked_seconds, sum(c.job_revenue) as job_revenue, sum(c.bills) as invoices,
       sum(c.revenue) as revenue, sum(c.paid) as paid, sum(c.outstanding) as outstanding, sum(c.collected) as collected
  from counted c
  cross join lateral (values ('company', 0, '1970-01-01'::date), ('customer', c.customer_n, '1970-01-01'), ('technician', c.technician, '1970-01-01'),
                             ('month', 0, c.month)) s (scope, n, month)
 where s.n is not null and s.month is not null
 group by s.scope, s.n, s.month;

-- Whose block is being written: the company and its number, and which of its blocks.
create temporary table scale_block (company_id uuid, mark text, company bigint, block bigint);
insert into scale_block values (gen_random_uuid(), '000', 0, 0);

-- That a block is one row is to be known, too: whoever took it for many would read the jobs of all companies to find those of one block.
analyze scale_customers, scale_jobs, scale_lines, scale_years, scale_figures, scale_sums, scale_block;
