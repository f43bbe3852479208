-- Six hundred customers of the demo company with their properties, contacts, labels, equipment and plans.
-- They came over three years, the first ones first: a job finds a customer who was there already.

with numbered as (
  select d.id as company_id, d.created_at as today, n,
         (array['Anna','Ben','Clara','David','Elena','Frank','Grace','Henry','Iris','Jonas','Karen','Leo','Mona','Nils','Opal','Paul','Quinn',
                'Rosa','Sam','Tara','Uma','Victor','Wendy','Xavier','Yara','Aisha','Brian','Carmen','Diego','Esther','Farid','Gloria','Hiro',
                'Imani','Jack','Keisha','Liam','Marta','Nadia','Omar','Phoebe','Rahul','Sofia','Tomas','Ulla','Vikram','Willa','Yusuf',
                'Zoe','Arthur','Bianca','Cedric','Dolores','Emil','Fiona','Gideon','Hazel','Ivan','Joyce','Kofi'])
           [1 + (n * 7 - 7 + n / 60) % 60] as first_name,
         (array['Abbott','Baker','Carver','Dalton','Ellis','Foster','Gibson','Harper','Ingram','Jensen','Keller','Larsen','Mercer','Norton',
                'Osborn','Parker','Quigley','Reed','Sutton','Turner','Usher','Vance','Walker','Young','Zimmer','Alvarez','Bauer','Chen',
                'Duarte','Eriksen','Fontaine','Goldberg','Hussein','Ito','Johansson','Kowalski','Lindqvist','Moreau','Nguyen','O''Brien',
                'Petrov','Rossi','Schneider','Tran','Ueda','Volkov','Washington','Yilmaz','Zapata','Armstrong','Bishop','Castillo',
                'Delacroix','Edwards','Friedman','Gutierrez','Hoffman','Ibrahim','Jackson','Khan','Lombardi','MacDonald','Novak',
                'Okonkwo','Papadopoulos','Ramirez','Singh','Thompson','Underwood','Villanueva','Whitaker'])[1 + (n * 31 - 31) % 71] as last_name,
         (array['Bakery','Dental','Hotel','Storage','Books','Brewing','Law Offices','Auto Repair','Veterinary Clinic','Properties','Florists',
                'Fitness','Print Shop','Grocery','Daycare','Dry Cleaning','Machine Works','Church Supply','Funeral Home','Cafe'])
           [1 + n / 6 % 20] as business,
         case when n % 60 = 0 then 'industrial' when n % 6 = 0 then 'commercial' else 'residential' end as type,
         p.city, p.zip_code, p.lat, p.lon
    from public.companies d
    cross join generate_series(1, 600) n
    join (values (0, 'Springfield', '62701', 39.800, -89.650), (1, 'Springfield', '62702', 39.822, -89.645),
                 (2, 'Springfield', '62703', 39.765, -89.625), (3, 'Springfield', '62704', 39.773, -89.690),
                 (4, 'Springfield', '62707', 39.875, -89.670), (5, 'Chatham', '62629', 39.676, -89.704),
                 (6, 'Rochester', '62563', 39.749, -89.532), (7, 'Sherman', '62684', 39.893, -89.605),
                 (8, 'Decatur', '62521', 39.827, -88.927), (9, 'Jacksonville', '62650', 39.734, -90.229),
                 (10, 'Lincoln', '62656', 40.148, -89.365), (11, 'Taylorville', '62568', 39.549, -89.295))
           p (place, city, zip_code, lat, lon) on p.place = n * 5 % 12
   where d.id = '01900000-0000-7000-8000-000000000001'
), written as (
  select c.*,
         ('01900000-0000-7000-8000-'
          || case when c.n < 26 then '0000000004' || lpad(c.n::text, 2, '0') else 'd04' || lpad(c.n::text, 9, '0') end)::uuid as id
    from numbered c
)
insert into public.customers (company_id, id, type, first_name, last_name, company_name, email, phone, address, city, state, zip_code, lat,
                              lon, source, preferred_contact_method, payment_terms, tags, is_business, status, created_by, created_at,
                              updated_at)
select c.company_id, c.id, c.type, c.first_name, c.last_name,
       case when c.type <> 'residential' then c.last_name || ' ' || c.business end,
       lower(c.first_name || '.' || replace(c.last_name, '''', '') || c.n) || '@customers.thorbis.example',
       '+1' || (array['217', '309', '618', '815', '779', '447', '730'])[1 + c.n / 100] || '55501' || lpad((c.n % 100)::text, 2, '0'),
       (10 + c.n * 7 % 980) || ' ' || (array['Elm', 'Oak', 'Mill', 'River', 'Station', 'Prairie', 'Lincoln', 'Walnut', 'Church', 'Lakeview',
                                             'Orchard'])[1 + c.n % 11]
         || ' ' || (array['Street', 'Avenue', 'Road', 'Lane', 'Court', 'Drive'])[1 + c.n % 6],
       c.city, 'IL', c.zip_code, c.lat + (c.n % 17 - 8) * 0.002, c.lon + (c.n % 13 - 6) * 0.002,
       (array['referral', 'google', 'facebook', 'direct', 'other'])[1 + c.n % 5], (array['email', 'phone', 'sms', 'any'])[1 + c.n % 4],
       case when c.type = 'residential' then 'due_on_receipt' else 'net_30' end,
       case when c.n % 25 = 0 then array['vip'] else array[]::text[] end, c.type <> 'residential',
       case when c.n % 97 = 0 then 'inactive' else 'active' end,
       '01900000-0000-7000-8000-000000000107', c.today - (1100 - c.n * 1.8) * interval '1 day', c.today - (1100 - c.n * 1.8) * interval '1 day'
  from written c
 where not exists (select from public.customers o where o.company_id = c.company_id and o.id = c.id)
 order by c.n
on conflict do nothing;

-- Where they live or work; every business has a second place.
insert into public.properties (company_id, id, customer_id, name, address, city, state, zip_code, lat, lon, property_type, square_footage,
                               year_built, best_access_time, requires_appointment, created_by, created_at, updated_at)
select c.company_id, p.id, c.id,
       case when p.place = 2 then 'Warehouse' when c.type = 'residential' then 'Home' else 'Premises' end,
       case when p.place = 2 then (100 + c.n * 11 % 890) || ' Industrial Park Road' else c.address end, c.city, c.state, c.zip_code, c.lat, c.lon,
       c.type, case c.type when 'residential' then 900 + c.n * 37 % 2600 else 3000 + c.n * 61 % 40000 end, 1905 + c.n * 13 % 118,
       case c.n % 4 when 0 then 'Mornings' when 1 then 'After 3 pm' end, c.n % 9 = 0, c.created_by, c.created_at, c.updated_at
  from (select c.*, right(c.id::text, case when c.id::text like '%-d04%' then 9 else 2 end)::integer as n
          from public.customers c
         where c.company_id = '01900000-0000-7000-8000-000000000001' and c.id < '01900000-0000-7000-9000-000000000000') c
  cross join lateral (select place, ('01900000-0000-7000-8000-'
                                     || case when place = 2 then 'd05' || lpad((c.n + 1000)::text, 9, '0')
                                             when c.n < 26 then '0000000005' || lpad(c.n::text, 2, '0')
                                             else 'd05' || lpad(c.n::text, 9, '0') end)::uuid as id
                        from generate_series(1, case when c.type = 'residential' then 1 else 2 end) place) p
 where not exists (select from public.properties o where o.company_id = c.company_id and o.id = p.id)
on conflict do nothing;

-- At businesses there is somebody who pays and somebody who opens the door.
insert into public.customer_contacts (company_id, id, customer_id, first_name, last_name, title, role, email, phone, is_billing, created_at,
                                      updated_at)
select c.company_id, k.id, c.id, (array['Robin', 'Alex', 'Jordan', 'Taylor', 'Morgan'])[1 + k.n % 5], c.last_name,
       case k.kind when 'billing' then 'Accounts payable' else 'Facilities' end, k.kind,
       k.kind || k.n || '@customers.thorbis.example', '+1872555' || lpad((100 + k.n % 100)::text, 4, '0'), k.kind = 'billing', c.created_at, c.updated_at
  from public.customers c
  cross join lateral (select kind, right(c.id::text, 4)::integer as n,
                             ('01900000-0000-7000-8000-d28' || case kind when 'billing' then '1' else '2' end || right(c.id::text, 8))::uuid as id
                        from unnest(array['billing', 'site']) kind) k
 where c.company_id = '01900000-0000-7000-8000-000000000001' and c.id < '01900000-0000-7000-9000-000000000000' and c.type <> 'residential'
   and not exists (select from public.customer_contacts o where o.company_id = c.company_id and o.id = k.id)
on conflict do nothing;

insert into public.tags (company_id, id, name, slug, category, color)
select '01900000-0000-7000-8000-000000000001', ('01900000-0000-7000-8000-d2400000000' || t.n)::uuid, t.name, t.slug, t.category, t.color
  from (values (1, 'VIP', 'vip', 'customer', '#a16207'), (2, 'Dog on site', 'dog-on-site', 'customer', '#b91c1c'),
               (3, 'Landlord', 'landlord', 'customer', '#1d4ed8'), (4, 'Warranty', 'warranty', 'job', '#15803d'),
               (5, 'Emergency', 'emergency', 'job', '#b91c1c'), (6, 'Call-back', 'call-back', 'job', '#7e22ce'),
               (7, 'Old wiring', 'old-wiring', 'equipment', '#4b5563'), (8, 'Newsletter', 'newsletter', 'general', '#0e7490'))
         t (n, name, slug, category, color)
on conflict do nothing;

insert into public.customer_tags (company_id, customer_id, tag_id, added_at)
select c.company_id, c.id, t.id, c.created_at
  from public.customers c
  join public.tags t on t.company_id = c.company_id
   and right(t.id::text, 1)::integer = (array[1, 2, 3, 8])[1 + right(c.id::text, 2)::integer / 4 % 4] and t.id < '01900000-0000-7000-9000-000000000000'
 where c.company_id = '01900000-0000-7000-8000-000000000001' and c.id < '01900000-0000-7000-9000-000000000000'
   and right(c.id::text, 2)::integer % 4 = 0
   and not exists (select from public.customer_tags o where o.company_id = c.company_id and o.customer_id = c.id and o.tag_id = t.id)
on conflict do nothing;

-- One or two pieces of equipment at every place.
insert into public.equipment (company_id, id, customer_id, property_id, equipment_number, name, type, manufacturer, model, serial_number,
                              model_year, install_date, warranty_expiration, is_under_warranty, last_service_date, service_interval_days,
                              fuel_type, location, condition, created_at, updated_at)
select p.company_id, e.id, p.customer_id, p.id, 'EQ-' || lpad(e.number::text, 5, '0'), k.name, k.type, k.manufacturer,
       k.model || '-' || (20 + p.n % 60), upper(substr(k.manufacturer, 1, 2)) || lpad((p.n * 7919 % 1000000)::text, 6, '0') || e.number,
       extract(year from e.installed)::integer, e.installed, e.installed + interval '10 years', e.installed > p.today - interval '10 years',
       greatest(e.installed, p.today - (20 + p.n * 17 % 340) * interval '1 day'), 365, k.fuel, k.place,
       (array['excellent', 'good', 'good', 'fair', 'poor'])[1 + (p.n + e.item) % 5], p.created_at, p.updated_at
  from (select p.*, right(p.id::text, case when p.id::text like '%-d05%' then 9 else 2 end)::integer as n, d.created_at as today
          from public.properties p join public.companies d on d.id = p.company_id
         where p.company_id = '01900000-0000-7000-8000-000000000001' and p.id < '01900000-0000-7000-9000-000000000000') p
  cross join lateral (select item, (p.n - 1) * 2 + item as number,
                             ('01900000-0000-7000-8000-d08' || lpad(((p.n - 1) * 2 + item)::text, 9, '0'))::uuid as id,
                             p.today - (200 + (p.n * 131 + item * 977) % 5400) * interval '1 day' as installed
                        from generate_series(1, 1 + p.n % 2) item) e
  join (values (0, 'Water heater', 'water_heater', 'Rheem', 'PROG50', 'gas', 'Basement'),
               (1, 'Furnace', 'furnace', 'Carrier', '59TP6', 'gas', 'Utility room'),
               (2, 'Air conditioner', 'ac_unit', 'Trane', 'XR16', 'electric', 'Outside, north wall'),
               (3, 'Boiler', 'hvac', 'Weil-McLain', 'ECO', 'gas', 'Basement'),
               (4, 'Heat pump', 'hvac', 'Mitsubishi', 'MXZ', 'electric', 'Outside, garden'),
               (5, 'Sump pump', 'plumbing', 'Zoeller', 'M53', 'electric', 'Basement'),
               (6, 'Water softener', 'plumbing', 'EcoWater', 'ESD', 'electric', 'Utility room'))
         k (kind, name, type, manufacturer, model, fuel, place) on k.kind = (p.n + e.item * 3) % 7
 where not exists (select from public.equipment o where o.company_id = p.company_id and o.id = e.id)
 order by e.number desc -- so that the counter moves once and not for each row
on conflict do nothing;

insert into public.service_plans (company_id, id, customer_id, property_id, plan_number, name, type, frequency, visits_per_term, start_date,
                                  renewal_type, price, billing_frequency, included_services, last_service_date, next_service_due,
                                  assigned_technician, status, created_at, updated_at)
select p.company_id, i.id, p.customer_id, p.id, 'MP-' || lpad(p.n::text, 6, '0'), k.name, 'preventive', k.frequency, k.visits,
       p.started, 'auto', k.price, 'annually', to_jsonb(k.services), p.served, p.served + k.every, t.user_id,
       case when p.n % 20 = 0 then 'paused' when p.n % 33 = 0 then 'cancelled' else 'active' end, p.started, p.started
  from (select p.*, right(p.id::text, case when p.id::text like '%-d05%' then 9 else 2 end)::integer as n,
               greatest(p.created_at, d.created_at - interval '11 months') as started,
               d.created_at - (10 + right(p.id::text, 3)::integer * 7 % 90) * interval '1 day' as served
          from public.properties p join public.companies d on d.id = p.company_id
         where p.company_id = '01900000-0000-7000-8000-000000000001' and p.id < '01900000-0000-7000-9000-000000000000'
           and right(p.id::text, 2)::integer % 10 = 3) p
  join (values (0, 'Comfort plan', 'semi_annually', 2, interval '6 months', 24900, array['Furnace tune-up', 'AC tune-up']),
               (1, 'Boiler care', 'annually', 1, interval '12 months', 18900, array['Boiler service']),
               (2, 'Drain guard', 'quarterly', 4, interval '3 months', 39900, array['Drain cleaning', 'Camera inspection']))
         k (kind, name, frequency, visits, every, price, services) on k.kind = p.n % 3
  join (select m.user_id, row_number() over (order by m.id) - 1 as n from public.team_members m
         where m.company_id = '01900000-0000-7000-8000-000000000001' and m.role = 'technician'
           and m.id < '01900000-0000-7000-9000-000000000000') t on t.n = p.n % 12
  cross join lateral (select ('01900000-0000-7000-8000-d09' || lpad(p.n::text, 9, '0'))::uuid as id) i
 where not exists (select from public.service_plans o where o.company_id = p.company_id and o.id = i.id)
 order by p.n desc
on conflict do nothing;
