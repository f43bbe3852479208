-- A company to look at: people of each role, customers, properties, and jobs in every status.
-- Idempotent by fixed ids. The accounts have no password; `serve` gives one to owner@demo.thorbis.example.

insert into auth.users (id, email, email_confirmed_at, raw_user_meta_data)
select ('01900000-0000-7000-8000-0000000001' || p.n)::uuid, p.login || '@demo.thorbis.example', now(),
       jsonb_build_object('name', p.name)
  from (values ('01', 'owner', 'Olivia Grant'), ('02', 'admin', 'Adam Weiss'), ('03', 'manager', 'Maria Lopez'),
               ('04', 'dispatcher', 'Dana Fox'), ('05', 'technician', 'Theo Brandt'), ('06', 'technician2', 'Tina Okafor'),
               ('07', 'csr', 'Casey Lindholm'), ('08', 'member', 'Mel Sato'), ('09', 'viewer', 'Vera Novak')) as p(n, login, name)
on conflict (id) do nothing;

insert into public.companies (id, name, slug, owner_id, industry, email, phone, address, city, state, zip_code,
                              business_timezone, max_seats, subscription_tier)
values ('01900000-0000-7000-8000-000000000001', 'Demo Plumbing & Heating', 'demo-plumbing',
        '01900000-0000-7000-8000-000000000101', 'home_services', 'office@demo.thorbis.example', '+1 555 0100',
        '12 Foundry Street', 'Springfield', 'IL', '62701', 'America/Chicago', 25, 'pro')
on conflict (id) do nothing;

insert into public.departments (company_id, id, name, description, color)
select '01900000-0000-7000-8000-000000000001', ('01900000-0000-7000-8000-0000000002' || d.n)::uuid, d.name, d.description, d.color
  from (values ('01', 'Plumbing', 'Pipes, drains and fixtures', '#1d4ed8'),
               ('02', 'Heating', 'Boilers, furnaces and heat pumps', '#b91c1c'),
               ('03', 'Office', 'Dispatch, calls and invoices', '#4b5563')) as d(n, name, description, color)
on conflict do nothing;

insert into public.team_members (company_id, id, user_id, role, department_id, job_title, joined_at)
select '01900000-0000-7000-8000-000000000001', ('01900000-0000-7000-8000-0000000003' || m.n)::uuid,
       ('01900000-0000-7000-8000-0000000001' || m.n)::uuid, m.role,
       ('01900000-0000-7000-8000-0000000002' || m.department)::uuid, m.title, now() - interval '1 year'
  from (values ('01', 'owner', '03', 'Owner'), ('02', 'admin', '03', 'Office manager'), ('03', 'manager', '02', 'Service manager'),
               ('04', 'dispatcher', '03', 'Dispatcher'), ('05', 'technician', '01', 'Plumber'),
               ('06', 'technician', '02', 'Heating engineer'), ('07', 'csr', '03', 'Customer service'),
               ('08', 'member', '03', 'Trainee'), ('09', 'viewer', '03', 'Accountant')) as m(n, role, department, title)
on conflict do nothing;

insert into public.customers (company_id, id, type, first_name, last_name, company_name, email, phone, address, city, state,
                              zip_code, source, preferred_contact_method, tags, created_at)
select '01900000-0000-7000-8000-000000000001', ('01900000-0000-7000-8000-0000000004' || lpad(n::text, 2, '0'))::uuid,
       case when n % 5 = 0 then 'commercial' else 'residential' end, f.first_name, l.last_name,
       case when n % 5 = 0 then l.last_name || ' ' || (array['Bakery', 'Dental', 'Hotel', 'Storage', 'Books'])[n / 5] end,
       lower(f.first_name || '.' || l.last_name) || '@customers.thorbis.example', '+1 555 01' || lpad(n::text, 2, '0'),
       (10 + n * 7) || ' ' || (array['Elm', 'Oak', 'Mill', 'River', 'Station'])[1 + n % 5] || ' Street', 'Springfield', 'IL',
       '627' || lpad((n % 10)::text, 2, '0'), (array['referral', 'google', 'facebook', 'direct', 'other'])[1 + n % 5],
       (array['email', 'phone', 'sms'])[1 + n % 3], case when n % 4 = 0 then array['vip'] else array[]::text[] end,
       now() - n * interval '9 days'
  from generate_series(1, 25) n
  cross join lateral (select (array['Anna','Ben','Clara','David','Elena','Frank','Grace','Henry','Iris','Jonas','Karen','Leo','Mona',
                                    'Nils','Opal','Paul','Quinn','Rosa','Sam','Tara','Uma','Victor','Wendy','Xavier','Yara'])[n] as first_name) f
  cross join lateral (select (array['Abbott','Baker','Carver','Dalton','Ellis','Foster','Gibson','Harper','Ingram','Jensen','Keller',
                                    'Larsen','Mercer','Norton','Osborn','Parker','Quigley','Reed','Sutton','Turner','Usher','Vance',
                                    'Walker','Young','Zimmer'])[n] as last_name) l
on conflict do nothing;

insert into public.properties (company_id, id, customer_id, name, address, city, state, zip_code, property_type, year_built)
select c.company_id, ('01900000-0000-7000-8000-0000000005' || right(c.id::text, 2))::uuid, c.id,
       case c.type when 'commercial' then 'Premises' else 'Home' end, c.address, c.city, c.state, c.zip_code, c.type,
       1950 + right(c.id::text, 2)::integer * 2
  from public.customers c
 where c.company_id = '01900000-0000-7000-8000-000000000001' and c.id::text like '01900000-0000-7000-8000-0000000004%'
on conflict do nothing;

insert into public.jobs (company_id, id, job_number, customer_id, property_id, assigned_to, title, status, priority, job_type,
                         scheduled_start, scheduled_end, actual_start, actual_end, total_amount, paid_amount, created_at)
select '01900000-0000-7000-8000-000000000001', ('01900000-0000-7000-8000-0000000006' || lpad(n::text, 2, '0'))::uuid,
       'JOB-2026-' || lpad(n::text, 3, '0'),
       ('01900000-0000-7000-8000-0000000004' || lpad((1 + n % 25)::text, 2, '0'))::uuid,
       ('01900000-0000-7000-8000-0000000005' || lpad((1 + n % 25)::text, 2, '0'))::uuid,
       case when s.status not in ('quoted', 'cancelled')
            then ('01900000-0000-7000-8000-00000000010' || (5 + n % 2))::uuid end,
       (array['Leaking kitchen tap', 'Boiler service', 'Drain cleaning', 'Water heater replacement', 'Radiator installation',
              'Gas line inspection'])[1 + n % 6],
       s.status, (array['low', 'medium', 'medium', 'high', 'urgent'])[1 + n % 5],
       (array['repair', 'maintenance', 'service', 'installation', 'installation', 'inspection'])[1 + n % 6],
       case when s.status <> 'quoted' then s.start end, case when s.status <> 'quoted' then s.start + interval '2 hours' end,
       case when s.status in ('in_progress', 'on_hold', 'completed', 'invoiced', 'paid') then s.start end,
       case when s.status in ('completed', 'invoiced', 'paid') then s.start + interval '95 minutes' end,
       12000 + n * 1750, case when s.status = 'paid' then 12000 + n * 1750 else 0 end, s.start - interval '5 days'
  from generate_series(1, 40) n
  cross join lateral (select (array['quoted', 'scheduled', 'in_progress', 'on_hold', 'completed', 'cancelled', 'invoiced', 'paid'])[1 + n % 8] as status) st
  cross join lateral (select st.status, date_trunc('hour', now())
                             + case when st.status in ('quoted', 'scheduled') then 1 when st.status = 'in_progress' then 0 else -1 end
                               * n * interval '11 hours' as start) s
on conflict do nothing;
