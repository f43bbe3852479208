-- A company to look at: its people of every role, what they can do, and when they work.
-- Every development seed is idempotent by fixed ids, which lie below 01900000-0000-7000-9000; the clock of all of them is the moment when
-- the company was made, so that a later run finds everything as it would write it. The accounts have no password; `serve` gives one to
-- owner@demo.thorbis.example.

insert into auth.users (id, email, email_confirmed_at, raw_user_meta_data)
select ('01900000-0000-7000-8000-0000000001' || p.n)::uuid, p.login || '@demo.thorbis.example', now(),
       jsonb_build_object('name', p.name)
  from (values ('01', 'owner', 'Olivia Grant'), ('02', 'admin', 'Adam Weiss'), ('03', 'manager', 'Maria Lopez'),
               ('04', 'dispatcher', 'Dana Fox'), ('05', 'technician', 'Theo Brandt'), ('06', 'technician2', 'Tina Okafor'),
               ('07', 'csr', 'Casey Lindholm'), ('08', 'member', 'Mel Sato'), ('09', 'viewer', 'Vera Novak'),
               ('10', 'technician3', 'Marcus Hale'), ('11', 'technician4', 'Priya Nair'), ('12', 'technician5', 'Jakub Nowak'),
               ('13', 'technician6', 'Rosa Delgado'), ('14', 'technician7', 'Samuel Osei'), ('15', 'technician8', 'Lena Hartmann'),
               ('16', 'technician9', 'Kevin Doyle'), ('17', 'technician10', 'Amara Diallo'), ('18', 'technician11', 'Walt Jennings'),
               ('19', 'technician12', 'Mei Tanaka'), ('20', 'admin2', 'Ingrid Solberg'), ('21', 'manager2', 'Curtis Bell'),
               ('22', 'dispatcher2', 'Noor Haddad'), ('23', 'csr2', 'Paula Reyes'), ('24', 'csr3', 'Gabe Whitman'),
               ('25', 'member2', 'Yuki Abe')) as p(n, login, name)
on conflict (id) do nothing;

insert into public.companies (id, name, slug, owner_id, industry, email, phone, address, city, state, zip_code,
                              business_timezone, max_seats, subscription_tier)
values ('01900000-0000-7000-8000-000000000001', 'Demo Plumbing & Heating', 'demo-plumbing',
        '01900000-0000-7000-8000-000000000101', 'home_services', 'office@demo.thorbis.example', '+12175550199',
        '12 Foundry Street', 'Springfield', 'IL', '62701', 'America/Chicago', 25, 'pro')
on conflict (id) do nothing;

insert into public.company_settings (company_id, id, hours_of_operation, service_area_type, service_areas, address, city, state, zip_code,
                                     invoice_due_days, default_tax_rate)
select d.id, '01900000-0000-7000-8000-d35000000001',
       (select jsonb_object_agg(w.day, jsonb_build_object('open', '07:30', 'close', w.closes))
          from (values ('monday', '17:30'), ('tuesday', '17:30'), ('wednesday', '17:30'), ('thursday', '17:30'), ('friday', '17:30'),
                       ('saturday', '12:00')) w (day, closes)),
       'locations', '["62701", "62702", "62703", "62704", "62707", "62629", "62563", "62684", "62521", "62650", "62656", "62568"]',
       d.address, d.city, d.state, d.zip_code, 30, 8.75
  from public.companies d
 where d.id = '01900000-0000-7000-8000-000000000001'
on conflict do nothing;

insert into public.company_holidays (company_id, id, name, holiday_date, is_recurring)
select '01900000-0000-7000-8000-000000000001', ('01900000-0000-7000-8000-d3600000000' || h.n)::uuid, h.name, h.day::date, true
  from (values (1, 'New Year''s Day', '2026-01-01'), (2, 'Independence Day', '2026-07-04'), (3, 'Christmas Day', '2026-12-25')) h (n, name, day)
on conflict do nothing;

insert into public.departments (company_id, id, name, description, color)
select '01900000-0000-7000-8000-000000000001', ('01900000-0000-7000-8000-0000000002' || d.n)::uuid, d.name, d.description, d.color
  from (values ('01', 'Plumbing', 'Pipes, drains and fixtures', '#1d4ed8'),
               ('02', 'Heating', 'Boilers, furnaces and heat pumps', '#b91c1c'),
               ('03', 'Office', 'Dispatch, calls and invoices', '#4b5563'),
               ('04', 'Cooling', 'Air conditioning and ventilation', '#0e7490'),
               ('05', 'Warehouse', 'Parts, tools and trucks', '#a16207')) as d(n, name, description, color)
on conflict do nothing;

insert into public.team_members (company_id, id, user_id, role, department_id, job_title, phone, employee_number, hire_date, hourly_cost,
                                 joined_at)
select d.id, ('01900000-0000-7000-8000-0000000003' || m.n)::uuid,
       ('01900000-0000-7000-8000-0000000001' || m.n)::uuid, m.role,
       ('01900000-0000-7000-8000-0000000002' || m.department)::uuid, m.title, '+131255501' || m.n, 'E-' || m.n,
       (d.created_at - interval '400 days' - m.n::integer * interval '61 days')::date,
       case m.role when 'technician' then 3200 + m.n::integer * 45 end, d.created_at - interval '400 days'
  from public.companies d
  cross join (values
         ('01', 'owner', '03', 'Owner'), ('02', 'admin', '03', 'Office manager'), ('03', 'manager', '02', 'Service manager'),
         ('04', 'dispatcher', '03', 'Dispatcher'), ('05', 'technician', '01', 'Plumber'),
         ('06', 'technician', '02', 'Heating engineer'), ('07', 'csr', '03', 'Customer service'),
         ('08', 'member', '03', 'Trainee'), ('09', 'viewer', '03', 'Accountant'),
         ('10', 'technician', '01', 'Master plumber'), ('11', 'technician', '04', 'Cooling engineer'),
         ('12', 'technician', '02', 'Boiler fitter'), ('13', 'technician', '01', 'Drain specialist'),
         ('14', 'technician', '02', 'Heating engineer'), ('15', 'technician', '04', 'Refrigeration engineer'),
         ('16', 'technician', '01', 'Plumber'), ('17', 'technician', '02', 'Heat pump engineer'),
         ('18', 'technician', '01', 'Gas fitter'), ('19', 'technician', '04', 'Apprentice, cooling'),
         ('20', 'admin', '03', 'Head of finance'), ('21', 'manager', '01', 'Plumbing manager'),
         ('22', 'dispatcher', '03', 'Dispatcher'), ('23', 'csr', '03', 'Customer service'), ('24', 'csr', '03', 'Sales'),
         ('25', 'member', '05', 'Warehouse clerk')) as m(n, role, department, title)
 where d.id = '01900000-0000-7000-8000-000000000001'
on conflict do nothing;

insert into public.skills (company_id, id, name, description, requires_certificate)
select '01900000-0000-7000-8000-000000000001', ('01900000-0000-7000-8000-d3100000000' || s.n)::uuid, s.name, s.description, s.certificate
  from (values (1, 'Gas fitting', 'Gas lines and appliances', true), (2, 'Backflow testing', 'Certified tester', true),
               (3, 'Refrigerants', 'EPA 608 universal', true), (4, 'Hydronics', 'Boilers and radiant floors', false),
               (5, 'Drain camera', 'Inspection and location', false), (6, 'Heat pumps', 'Air and ground source', false))
         s (n, name, description, certificate)
on conflict do nothing;

insert into public.member_skills (company_id, user_id, skill_id, level, certified_until, certificate_number)
select m.company_id, m.user_id, s.id, 2 + (right(m.id::text, 2)::integer + s.n::integer) % 4,
       case when s.requires_certificate then (m.created_at + interval '400 days')::date end,
       case when s.requires_certificate then 'IL-' || right(m.id::text, 2) || s.n end
  from public.team_members m
  join (select s.*, right(s.id::text, 1)::integer as n from public.skills s) s on s.company_id = m.company_id
 where m.company_id = '01900000-0000-7000-8000-000000000001' and m.id < '01900000-0000-7000-9000-000000000000'
   and s.id < '01900000-0000-7000-9000-000000000000' and m.role = 'technician'
   and (right(m.id::text, 2)::integer + s.n) % 3 = 0
on conflict do nothing;

insert into public.zones (company_id, id, name, description, color, zip_codes)
select '01900000-0000-7000-8000-000000000001', ('01900000-0000-7000-8000-d3200000000' || z.n)::uuid, z.name, z.description, z.color, z.codes
  from (values (1, 'City', 'Springfield', '#1d4ed8', '{62701,62702,62703,62704,62707}'::text[]),
               (2, 'North', 'Sherman and Lincoln', '#15803d', '{62684,62656}'),
               (3, 'South', 'Chatham, Rochester and Taylorville', '#b91c1c', '{62629,62563,62568}'),
               (4, 'East and west', 'Decatur and Jacksonville', '#a16207', '{62521,62650}')) z (n, name, description, color, codes)
on conflict do nothing;

insert into public.member_zones (company_id, user_id, zone_id, is_preferred)
select m.company_id, m.user_id, z.id, true
  from public.team_members m
  join public.zones z on z.company_id = m.company_id and right(z.id::text, 1)::integer = 1 + right(m.id::text, 2)::integer % 4
 where m.company_id = '01900000-0000-7000-8000-000000000001' and m.id < '01900000-0000-7000-9000-000000000000'
   and z.id < '01900000-0000-7000-9000-000000000000' and m.role = 'technician'
on conflict do nothing;

-- Technicians work on the days of this week and the two after it; one of them is away on the second Friday.
insert into public.shifts (company_id, id, user_id, start_time, end_time)
select m.company_id, ('01900000-0000-7000-8000-d29' || right(m.id::text, 2) || lpad(n.day::text, 7, '0'))::uuid, m.user_id,
       (w.monday + n.day + time '07:30') at time zone d.business_timezone, (w.monday + n.day + time '17:30') at time zone d.business_timezone
  from public.companies d
  cross join lateral (select date_trunc('week', d.created_at at time zone d.business_timezone)::date as monday) w
  cross join generate_series(0, 18) n (day)
  join public.team_members m on m.company_id = d.id and m.role = 'technician' and m.id < '01900000-0000-7000-9000-000000000000'
 where d.id = '01900000-0000-7000-8000-000000000001' and n.day % 7 < 5
   and not (n.day = 11 and m.user_id = '01900000-0000-7000-8000-000000000119')
on conflict do nothing;

insert into public.absences (company_id, id, user_id, start_time, end_time, kind, status, reason, decided_by, decided_at)
select d.id, '01900000-0000-7000-8000-d30000000001', '01900000-0000-7000-8000-000000000119',
       (w.monday + 11 + time '00:00') at time zone d.business_timezone, (w.monday + 12 + time '00:00') at time zone d.business_timezone,
       'training', 'approved', 'Refrigerants course', '01900000-0000-7000-8000-000000000103', d.created_at
  from public.companies d
  cross join lateral (select date_trunc('week', d.created_at at time zone d.business_timezone)::date as monday) w
 where d.id = '01900000-0000-7000-8000-000000000001'
on conflict do nothing;
