-- Two thousand jobs of the demo company over twelve months, in every status that agrees with their dates, and the calendar that goes with
-- them. Every job but a quoted one has a slot of a technician to itself, so that nobody is booked twice.

with days as (
  select d.id as company_id, d.created_at as today, d.business_timezone as zone, n as day,
         date_trunc('week', d.created_at at time zone d.business_timezone)::date + n as date,
         (d.created_at at time zone d.business_timezone)::date - (date_trunc('week', d.created_at at time zone d.business_timezone)::date + n) as age
    from public.companies d
    -- From about a year ago to the end of the third week, counted from this week's Monday; no Sundays.
    cross join generate_series(-350, 19) n
   where d.id = '01900000-0000-7000-8000-000000000001' and (n + 350) % 7 < 6
     -- The last of them says that all were written.
     and not exists (select from public.jobs o where o.company_id = d.id and o.id = '01900000-0000-7000-8000-d06000002000')
), technicians as (
  select m.user_id, row_number() over (order by m.id)::integer as technician from public.team_members m
   where m.company_id = '01900000-0000-7000-8000-000000000001' and m.role = 'technician' and m.id < '01900000-0000-7000-9000-000000000000'
), slots as (
  select d.*, t.user_id, t.technician, s.slot, (d.date + s.starts) at time zone d.zone as starts_at,
         abs(hashtext('slot ' || d.day || ' ' || t.technician || ' ' || s.slot)) as hash
    from days d
    cross join technicians t
    cross join (values (1, time '08:00'), (2, time '10:15'), (3, time '13:00'), (4, time '15:15')) s (slot, starts)
   where ((d.day + 350) % 7 < 5 or (t.technician % 4 = 0 and s.slot < 3))
     and not (d.day = 11 and t.user_id = '01900000-0000-7000-8000-000000000119')
     -- Every fourth technician is on call today.
     and not (d.age = 0 and t.technician % 4 = 0)
  union all
  select d.*, t.user_id, t.technician, 0, d.today - interval '25 minutes', 3900 + t.technician
    from days d join technicians t on t.technician % 4 = 0
   where d.age = 0 or d.age = 1 and (d.day + 350) % 7 = 5
), ranked as (
  -- This week and the next are nearly full, the third is half empty; the past has what is missing to the number.
  select s.*, row_number() over (order by case when s.slot = 0 or s.day between 0 and 13 and s.hash % 4 > 0 or s.day > 13 and s.hash % 2 = 0 then 0
                                               when s.day < 0 then 1 else 2 end, s.hash, s.day, s.technician, s.slot) as place
    from slots s
), chosen as (
  select r.*, row_number() over (order by abs(r.day), r.starts_at, r.technician)::integer as n from ranked r where r.place <= 1920
  union all
  -- What was asked for and has no date yet.
  select d.company_id, d.today, d.zone, 0, d.date, 1 + n % 40, null, null, null, null, abs(hashtext('quote ' || n)), null, n
    from generate_series(1921, 2000) n join days d on d.day = 0
), described as (
  select c.*, k.*, c.starts_at + k.minutes * interval '1 minute' as ends_at,
         case when c.starts_at is null then c.today - c.age * interval '1 day' - c.hash % 500 * interval '1 minute'
              else least(c.starts_at - (2 + c.hash % 9) * interval '1 day', c.today - (1 + c.hash % 4000) * interval '1 minute') end as made_at,
         (c.hash / 100) % 100 as chance
    from chosen c
    join (values (0, 'Leaking kitchen faucet', 'repair', 'plumbing', 90, 24900), (1, 'Boiler service', 'maintenance', 'heating', 75, 18900),
                 (2, 'Drain cleaning', 'service', 'plumbing', 60, 14900), (3, 'Water heater replacement', 'installation', 'plumbing', 120, 184800),
                 (4, 'Radiator installation', 'installation', 'heating', 120, 69800), (5, 'Gas line inspection', 'inspection', 'plumbing', 60, 9900),
                 (6, 'Furnace tune-up', 'maintenance', 'heating', 60, 12900), (7, 'No heat', 'repair', 'heating', 105, 32900),
                 (8, 'AC not cooling', 'repair', 'cooling', 105, 28900), (9, 'AC tune-up', 'maintenance', 'cooling', 60, 12900),
                 (10, 'Heat pump consultation', 'consultation', 'cooling', 60, 8900), (11, 'Toilet replacement', 'installation', 'plumbing', 90, 57800),
                 (12, 'Sump pump replacement', 'repair', 'plumbing', 90, 59800), (13, 'Backflow test', 'inspection', 'plumbing', 45, 9900),
                 (14, 'Main line clog', 'service', 'plumbing', 120, 29900), (15, 'Thermostat installation', 'installation', 'heating', 60, 36800),
                 (16, 'Duct cleaning', 'service', 'cooling', 120, 39900)) k (kind, title, job_type, service_type, minutes, price)
      on k.kind = c.hash % 17
), settled as (
  select d.*, case when d.starts_at is null then 'quoted'
                   when d.starts_at > d.today then case when d.chance < 4 then 'cancelled' else 'scheduled' end
                   when d.ends_at > d.today then 'in_progress'
                   when d.chance < 6 then 'cancelled'
                   when d.chance < 8 and d.day > -60 then 'on_hold'
                   else 'completed' end as status,
         to_char(d.made_at at time zone d.zone, 'YYYY') as year
    from described d
), customers as (
  select c.id, c.created_at, row_number() over (order by c.created_at, c.id) as place from public.customers c
   where c.company_id = '01900000-0000-7000-8000-000000000001' and c.id < '01900000-0000-7000-9000-000000000000'
), numbered as (
  select s.*, row_number() over (partition by s.year order by s.made_at, s.n) as number,
         ('01900000-0000-7000-8000-'
          || case when s.n < 41 then '0000000006' || lpad(s.n::text, 2, '0') else 'd06' || lpad(s.n::text, 9, '0') end)::uuid as id,
         1 + s.hash % greatest((select count(*) from customers c where c.created_at < s.made_at), 1) as customer_place
    from settled s
)
insert into public.jobs (company_id, id, job_number, customer_id, property_id, assigned_to, title, description, status, priority, job_type,
                         service_type, scheduled_start, scheduled_end, actual_start, actual_end, estimated_duration_minutes, total_amount,
                         lead_source, booking_method, booked_by_user_id, created_by, created_at, updated_at)
select n.company_id, n.id, 'JOB-' || n.year || '-' || lpad(n.number::text, 4, '0'), c.id, p.id,
       case when n.status <> 'cancelled' or n.chance % 2 = 0 then n.user_id end, n.title,
       n.title || ', reported ' || to_char(n.made_at at time zone n.zone, 'FMDD Mon') || '.', n.status,
       (array['low', 'medium', 'medium', 'medium', 'high', 'urgent'])[1 + n.hash / 7 % 6], n.job_type, n.service_type, n.starts_at, n.ends_at,
       case when n.status in ('in_progress', 'completed') or n.status = 'on_hold' and n.chance = 7 then n.starts_at + n.hash % 13 * interval '1 minute' end,
       case when n.status = 'completed' then n.ends_at + (n.hash % 21 - 8) * interval '1 minute' end, n.minutes, n.price,
       (array['referral', 'google', 'repeat', 'facebook', 'repeat'])[1 + n.hash / 3 % 5], (array['phone', 'web', 'phone', 'portal'])[1 + n.hash / 5 % 4],
       k.person, k.person, n.made_at, least(coalesce(n.ends_at, n.made_at), n.today)
  from numbered n
  join customers c on c.place = n.customer_place
  cross join lateral (select p.id from public.properties p
                       where p.company_id = n.company_id and p.customer_id = c.id order by p.id limit 1) p
  cross join lateral (select ('01900000-0000-7000-8000-0000000001' || (array['04', '07', '22', '23', '24'])[1 + n.hash / 11 % 5])::uuid as person) k
 where not exists (select from public.jobs o where o.company_id = n.company_id and o.id = n.id)
   and not exists (select from public.jobs_archive o where o.company_id = n.company_id and o.id = n.id)
 order by n.year desc, n.number desc -- so that the counter moves once and not for each row
on conflict do nothing;

-- The calendar ---------------------------------------------------------------------------------------

insert into public.schedules (company_id, id, customer_id, property_id, job_id, assigned_to, type, category, title, start_time, end_time, duration,
                              status, priority, confirmed_at, actual_start_time, actual_end_time, completed_by, cancelled_at,
                              cancellation_reason, created_by, created_at, updated_at)
select j.company_id, s.id, j.customer_id, j.property_id, j.id, j.assigned_to,
       case when j.priority = 'urgent' then 'emergency' else 'appointment' end, 'job_appointment', j.title, j.scheduled_start, j.scheduled_end,
       j.estimated_duration_minutes,
       case j.status when 'in_progress' then 'in_progress' when 'cancelled' then 'cancelled' when 'on_hold' then 'cancelled'
                     when 'scheduled' then case when s.n % 3 > 0 and j.scheduled_start < d.created_at + interval '3 days' then 'confirmed' else 'scheduled' end
                     else 'completed' end,
       case j.priority when 'medium' then 'normal' else j.priority end,
       case when j.status = 'scheduled' and s.n % 3 > 0 and j.scheduled_start < d.created_at + interval '3 days' then j.created_at + interval '1 hour' end,
       case when j.status not in ('cancelled', 'on_hold', 'scheduled') then j.actual_start end,
       case when j.status not in ('cancelled', 'on_hold', 'scheduled') then j.actual_end end,
       case when j.actual_end is not null then j.assigned_to end,
       case when j.status in ('cancelled', 'on_hold') then least(j.scheduled_start, d.created_at) - interval '2 hours' end,
       case j.status when 'cancelled' then 'The customer cancelled.' when 'on_hold' then 'Waiting for a part.' end,
       j.created_by, j.created_at, j.updated_at
  from public.jobs j
  join public.companies d on d.id = j.company_id
  cross join lateral (select i.n, ('01900000-0000-7000-8000-d07' || lpad(i.n::text, 9, '0'))::uuid as id
                        from (select right(j.id::text, case when j.id::text like '%-d06%' then 9 else 2 end)::integer as n) i) s
 where j.company_id = '01900000-0000-7000-8000-000000000001' and j.id < '01900000-0000-7000-9000-000000000000'
   -- Rows that an older version of this file wrote have no calendar.
   and j.scheduled_start is not null and j.estimated_duration_minutes is not null
   and not exists (select from public.schedules o where o.company_id = j.company_id and o.id = s.id)
on conflict do nothing;

-- The crew meets on Mondays before work, with the service manager; whoever is on call does not come.
insert into public.schedules (company_id, id, assigned_to, crew, category, title, start_time, end_time, duration, status, created_by)
select d.id, i.id, '01900000-0000-7000-8000-000000000103', t.people, 'meeting', 'Week meeting',
       (w.monday + n.week * 7 + time '07:30') at time zone d.business_timezone, (w.monday + n.week * 7 + time '07:55') at time zone d.business_timezone,
       25, 'scheduled', '01900000-0000-7000-8000-000000000103'
  from public.companies d
  cross join lateral (select date_trunc('week', d.created_at at time zone d.business_timezone)::date as monday) w
  cross join generate_series(0, 2) n (week)
  cross join lateral (select ('01900000-0000-7000-8000-d0700010000' || n.week)::uuid as id) i
  cross join lateral (select array_agg(m.user_id order by m.user_id) as people from public.team_members m
                       where m.company_id = d.id and m.role = 'technician' and m.id < '01900000-0000-7000-9000-000000000000'
                         and m.id not in ('01900000-0000-7000-8000-000000000311', '01900000-0000-7000-8000-000000000315',
                                          '01900000-0000-7000-8000-000000000319')) t
 where d.id = '01900000-0000-7000-8000-000000000001'
   and not exists (select from public.schedules o where o.company_id = d.id and o.id = i.id)
on conflict do nothing;

-- What else is known of them -------------------------------------------------------------------------

insert into public.job_tags (company_id, job_id, tag_id, added_at)
select j.company_id, j.id, t.id, j.created_at
  from public.jobs j
  join public.tags t on t.company_id = j.company_id
   and t.id = ('01900000-0000-7000-8000-d2400000000' || case when j.priority = 'urgent' then 5 when abs(hashtext(j.id::text)) % 12 = 0 then 4 else 6 end)::uuid
 where j.company_id = '01900000-0000-7000-8000-000000000001' and j.id < '01900000-0000-7000-9000-000000000000'
   and (j.priority = 'urgent' and j.job_type = 'repair' or abs(hashtext(j.id::text)) % 12 < 2)
   and not exists (select from public.job_tags o where o.company_id = j.company_id and o.job_id = j.id)
on conflict do nothing;

insert into public.notes (company_id, id, entity_type, entity_id, job_id, content, is_internal, author_name, created_by, created_at, updated_at)
select j.company_id, i.id, 'job', j.id, j.id,
       (array['Gate code is on the work order.', 'Customer asks for a call 30 minutes before.', 'Part ordered, expected within two days.',
              'Shut-off valve is behind the washer.', 'Replaced under warranty, keep the old part.', 'Please park on the street.',
              'Second visit needed for the vent.', 'Customer was very happy with the work.'])[1 + i.hash / 5 % 8],
       i.hash % 3 > 0, m.name, m.user_id, least(j.created_at + interval '3 hours', d.created_at), least(j.created_at + interval '3 hours', d.created_at)
  from public.jobs j
  join public.companies d on d.id = j.company_id
  cross join lateral (select abs(hashtext(j.id::text)) as hash, ('01900000-0000-7000-8000-d25' || right(j.id::text, 9))::uuid as id) i
  join public.team_members m on m.company_id = j.company_id and m.user_id = coalesce(j.assigned_to, j.created_by)
 where j.company_id = '01900000-0000-7000-8000-000000000001' and j.id < '01900000-0000-7000-9000-000000000000' and i.hash % 5 = 0
   and not exists (select from public.notes o where o.company_id = j.company_id and o.id = i.id)
on conflict do nothing;

insert into public.time_entries (company_id, id, user_id, job_id, kind, clock_in, clock_out, is_approved, approved_by, approved_at, created_by,
                                 created_at, updated_at)
select j.company_id, i.id, j.assigned_to, j.id, 'work', j.actual_start, greatest(j.actual_end, j.actual_start), i.is_old,
       case when i.is_old then '01900000-0000-7000-8000-000000000103'::uuid end, case when i.is_old then j.actual_end + interval '5 days' end,
       j.assigned_to, j.actual_start, greatest(j.actual_end, j.actual_start)
  from public.jobs j
  join public.companies d on d.id = j.company_id
  cross join lateral (select j.actual_end < d.created_at - interval '7 days' as is_old,
                             ('01900000-0000-7000-8000-d26' || right(j.id::text, 9))::uuid as id) i
 where j.company_id = '01900000-0000-7000-8000-000000000001' and j.id < '01900000-0000-7000-9000-000000000000'
   and j.actual_end > d.created_at - interval '45 days' and j.actual_end < d.created_at and j.assigned_to is not null
   and not exists (select from public.time_entries o where o.company_id = j.company_id and o.id = i.id)
on conflict do nothing;

insert into public.requests (company_id, id, title, source, status, priority, contact_name, contact_email, contact_phone, city, state, zip_code,
                             converted_to_job_id, customer_id, created_at, updated_at)
select d.id, i.id, (array['Water pressure is low', 'Quote for a new furnace', 'Smell of gas, now solved', 'Bathroom remodel', 'AC for the attic'])[1 + n % 5],
       (array['web', 'phone', 'email', 'referral'])[1 + n % 4], s.status, case when n % 7 = 0 then 'high' else 'normal' end,
       (array['Pat Miller', 'Chris Evans', 'Dee Carter', 'Ana Ruiz', 'Lou Fischer', 'Kim Park'])[1 + n % 6], 'request' || n || '@customers.thorbis.example',
       '+1464555' || lpad((100 + n)::text, 4, '0'), 'Springfield', 'IL', '62702', j.id, j.customer_id,
       d.created_at - n * interval '19 hours', d.created_at - n * interval '19 hours'
  from public.companies d
  cross join generate_series(1, 40) n
  cross join lateral (select (array['new', 'contacted', 'new', 'qualified', 'converted', 'declined', 'new', 'spam'])[1 + n % 8] as status) s
  cross join lateral (select ('01900000-0000-7000-8000-d27' || lpad(n::text, 9, '0'))::uuid as id) i
  left join public.jobs j on j.company_id = d.id and s.status = 'converted' and j.id = ('01900000-0000-7000-8000-d06' || lpad((1920 + n)::text, 9, '0'))::uuid
 where d.id = '01900000-0000-7000-8000-000000000001' and (s.status <> 'converted' or j.id is not null)
   and not exists (select from public.requests o where o.company_id = d.id and o.id = i.id)
on conflict do nothing;
