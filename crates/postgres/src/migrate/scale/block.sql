-- One block: 1,000 customers with everything. No trigger computes anything here, so that each row carries what its triggers would have made
-- of it; scale/check.sql looks whether that is so.

insert into public.customers (company_id, id, type, first_name, last_name, company_name, display_name, email, email_key, phone, address, city, state,
                              zip_code, source, preferred_contact_method, payment_terms, is_business, status, total_revenue, total_jobs,
                              total_invoices, average_job_value, outstanding_balance, last_job_date, last_invoice_date, last_payment_date,
                              created_by, created_at, updated_at)
select b.company_id, (c.head || b.mark || '84' || lpad(to_hex(b.block * 10000 + c.n), 14, '0'))::uuid, c.type, c.first_name, l.last_name,
       case when c.type <> 'residential' then l.last_name || ' Services' end,
       case when c.type <> 'residential' then l.last_name || ' Services' else c.first_name || ' ' || l.last_name end,
       e.email, e.email, '+1' || (2000000000 + (b.company * 7919 + b.block * 1000 + c.n) % 7999999999)::text,
       (1 + c.n % 900) || ' Main Street', c.city, 'IL', c.zip_code, (array['referral', 'google', 'facebook', 'direct', 'other'])[1 + c.n % 5],
       (array['email', 'phone', 'sms', 'any'])[1 + c.n % 4], case when c.type = 'residential' then 'due_on_receipt' else 'net_30' end,
       c.type <> 'residential', c.status, f.revenue, f.jobs, f.bills, f.average, f.balance, f.last_job, f.last_bill, f.last_payment, null,
       c.created_at, c.created_at
  from scale_block b
  cross join scale_customers c
  join scale_figures f on f.n = c.n
  cross join lateral (select (array['Abbott','Baker','Carver','Dalton','Ellis','Foster','Gibson','Harper','Ingram','Jensen','Keller','Larsen','Mercer',
                                    'Norton','Osborn','Parker','Quigley','Reed','Sutton','Turner','Usher','Vance','Walker','Young','Zimmer',
                                    'Alvarez','Bauer','Chen','Duarte','Eriksen','Fontaine','Goldberg','Hussein','Ito','Johansson',
                                    'Kowalski','Lindqvist'])[1 + (c.n / 32 + b.block * 13 + b.company * 5) % 37]
                             || case when (c.n + b.block) % 3 = 0 then '-' || (array['Petrov','Rossi','Singh','Tran','Ueda','Volkov','Novak'])[1 + (c.n + b.block) % 7]
                                     else '' end as last_name) l
  cross join lateral (select lower(c.first_name || '.' || l.last_name) || (b.block * 1000 + c.n) || '@customers.example' as email) e;

insert into public.properties (company_id, id, customer_id, name, address, city, state, zip_code, property_type, year_built, created_by, created_at, updated_at)
select b.company_id, (c.head || b.mark || '85' || lpad(to_hex(b.block * 10000 + c.n), 14, '0'))::uuid,
       (c.head || b.mark || '84' || lpad(to_hex(b.block * 10000 + c.n), 14, '0'))::uuid,
       case c.type when 'residential' then 'Home' else 'Premises' end, (1 + c.n % 900) || ' Main Street', c.city, 'IL', c.zip_code, c.type,
       1905 + c.n * 13 % 118, null, c.created_at, c.created_at
  from scale_block b cross join scale_customers c;

insert into public.equipment (company_id, id, customer_id, property_id, equipment_number, name, type, manufacturer, serial_number, install_date,
                              next_service_due, created_by, created_at, updated_at)
select b.company_id, (c.head || b.mark || '88' || lpad(to_hex(b.block * 10000 + c.n), 14, '0'))::uuid,
       (c.head || b.mark || '84' || lpad(to_hex(b.block * 10000 + c.n), 14, '0'))::uuid,
       (c.head || b.mark || '85' || lpad(to_hex(b.block * 10000 + c.n), 14, '0'))::uuid,
       'EQ-' || lpad((b.block * 500 + c.n / 2)::text, greatest(5, length((b.block * 500 + c.n / 2)::text)), '0'),
       (array['Furnace', 'Water heater', 'Boiler', 'Heat pump'])[1 + c.n / 2 % 4], (array['furnace', 'water_heater', 'hvac', 'hvac'])[1 + c.n / 2 % 4],
       (array['Rheem', 'Carrier', 'Trane'])[1 + c.n % 3], 'SN' || (b.company * 1000003 + b.block * 1000 + c.n), c.created_at,
       c.created_at + interval '500 days', null, c.created_at, c.created_at
  from scale_block b cross join scale_customers c
 where c.n % 2 = 0;

insert into public.jobs (company_id, id, job_number, customer_id, property_id, assigned_to, title, status, priority, job_type, service_type,
                         scheduled_start, scheduled_end, actual_start, actual_end, estimated_duration_minutes, total_amount, paid_amount,
                         booked_by_user_id, created_by, created_at, updated_at)
select b.company_id, (j.head || b.mark || '86' || lpad(to_hex(b.block * 10000 + j.n), 14, '0'))::uuid,
       'JOB-' || j.year || '-' || lpad((b.block * y.jobs + j.number)::text, greatest(4, length((b.block * y.jobs + j.number)::text)), '0'),
       (j.customer_head || b.mark || '84' || lpad(to_hex(b.block * 10000 + j.customer_n), 14, '0'))::uuid,
       (j.customer_head || b.mark || '85' || lpad(to_hex(b.block * 10000 + j.customer_n), 14, '0'))::uuid,
       t.user_id, j.title, j.status, (array['low', 'medium', 'medium', 'high', 'urgent'])[1 + j.n % 5], j.job_type, j.service_type,
       j.starts_at, j.ends_at, case when j.status in ('in_progress', 'completed', 'invoiced', 'paid') then j.starts_at end,
       case when j.status in ('completed', 'invoiced', 'paid') then j.ends_at end, j.minutes, j.total, case j.status when 'paid' then j.total else 0 end,
       null, null, j.created_at, coalesce(j.ends_at, j.created_at)
  from scale_block b
  cross join scale_jobs j
  join scale_years y on y.year = j.year
  cross join lateral (select case when j.technician is not null
                                  then ('01910000-0000-7' || b.mark || '-8100-'
                                        || lpad(to_hex(b.block * 16 + case j.technician when 9 then 13 else j.technician + 1 end), 12, '0'))::uuid end as user_id) t;

insert into public.schedules (company_id, id, customer_id, property_id, job_id, assigned_to, title, start_time, end_time, duration, status,
                              actual_start_time, actual_end_time, actual_duration, completed_by, cancelled_at, cancellation_reason, created_by,
                              created_at, updated_at)
select j.company_id, (s.head || b.mark || '87' || lpad(to_hex(b.block * 10000 + s.n), 14, '0'))::uuid, j.customer_id, j.property_id, j.id, j.assigned_to,
       j.title, j.scheduled_start, j.scheduled_end, j.estimated_duration_minutes,
       case j.status when 'scheduled' then 'scheduled' when 'in_progress' then 'in_progress' when 'cancelled' then 'cancelled'
                     when 'on_hold' then 'cancelled' else 'completed' end,
       j.actual_start, j.actual_end, round(extract(epoch from j.actual_end - j.actual_start) / 60), case when j.actual_end is not null then j.assigned_to end,
       case when j.status in ('cancelled', 'on_hold') then j.created_at end, case when j.status in ('cancelled', 'on_hold') then 'The customer cancelled.' end,
       null, j.created_at, j.updated_at
  from scale_block b
  cross join scale_jobs s
  join public.jobs j on j.company_id = b.company_id and j.id = (s.head || b.mark || '86' || lpad(to_hex(b.block * 10000 + s.n), 14, '0'))::uuid
 where s.starts_at is not null;

insert into public.bookings (company_id, schedule_id, user_id, start_time, end_time, created_at)
select b.company_id, (s.head || b.mark || '87' || lpad(to_hex(b.block * 10000 + s.n), 14, '0'))::uuid,
       ('01910000-0000-7' || b.mark || '-8100-'
        || lpad(to_hex(b.block * 16 + case s.technician when 9 then 13 else s.technician + 1 end), 12, '0'))::uuid, s.starts_at, s.ends_at, s.created_at
  from scale_block b cross join scale_jobs s
 where s.status in ('scheduled', 'in_progress');
