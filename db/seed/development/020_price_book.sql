-- What the demo company sells: a tree of categories with a hundred items, what its hours cost, and rules of its prices.
-- Path and level of categories, and the history of prices, are kept by triggers where these are; what is written here agrees with them.

insert into public.price_book_categories (company_id, id, name, slug, parent_id, path, level, sort_order)
select '01900000-0000-7000-8000-000000000001', ('01900000-0000-7000-8000-d10' || lpad(c.n::text, 9, '0'))::uuid, c.name, c.slug,
       ('01900000-0000-7000-8000-d10' || lpad(c.parent::text, 9, '0'))::uuid, c.path::extensions.ltree, 0, c.n
  from (values (1, 'Plumbing', 'plumbing', null::integer, 'plumbing'),
               (2, 'Heating', 'heating', null::integer, 'heating'),
               (3, 'Cooling', 'cooling', null::integer, 'cooling'),
               (4, 'Labor and fees', 'labor', null::integer, 'labor'))
         c (n, name, slug, parent, path)
on conflict do nothing;

insert into public.price_book_categories (company_id, id, name, slug, parent_id, path, level, sort_order)
select '01900000-0000-7000-8000-000000000001', ('01900000-0000-7000-8000-d10' || lpad(c.n::text, 9, '0'))::uuid, c.name, c.slug,
       ('01900000-0000-7000-8000-d10' || lpad(c.parent::text, 9, '0'))::uuid, c.path::extensions.ltree, 1, c.n
  from (values (5, 'Fixtures', 'fixtures', 1, 'plumbing.fixtures'),
               (6, 'Pipes and fittings', 'pipes', 1, 'plumbing.pipes'),
               (7, 'Drains', 'drains', 1, 'plumbing.drains'),
               (8, 'Water heaters', 'water-heaters', 1, 'plumbing.water_heaters'),
               (9, 'Furnaces', 'furnaces', 2, 'heating.furnaces'),
               (10, 'Boilers', 'boilers', 2, 'heating.boilers'),
               (11, 'Controls', 'controls', 2, 'heating.controls'),
               (12, 'Air conditioners', 'air-conditioners', 3, 'cooling.air_conditioners'),
               (13, 'Heat pumps', 'heat-pumps', 3, 'cooling.heat_pumps'),
               (14, 'Ducts and filters', 'ducts', 3, 'cooling.ducts'),
               (19, 'Hourly work', 'hourly', 4, 'labor.hourly'),
               (20, 'Fees', 'fees', 4, 'labor.fees'))
         c (n, name, slug, parent, path)
on conflict do nothing;

insert into public.price_book_categories (company_id, id, name, slug, parent_id, path, level, sort_order)
select '01900000-0000-7000-8000-000000000001', ('01900000-0000-7000-8000-d10' || lpad(c.n::text, 9, '0'))::uuid, c.name, c.slug,
       ('01900000-0000-7000-8000-d10' || lpad(c.parent::text, 9, '0'))::uuid, c.path::extensions.ltree, 2, c.n
  from (values (15, 'Faucets', 'faucets', 5, 'plumbing.fixtures.faucets'),
               (16, 'Toilets', 'toilets', 5, 'plumbing.fixtures.toilets'),
               (17, 'Valves', 'valves', 6, 'plumbing.pipes.valves'),
               (18, 'Copper', 'copper', 6, 'plumbing.pipes.copper'))
         c (n, name, slug, parent, path)
on conflict do nothing;

insert into public.price_book_items (company_id, id, category_id, item_type, name, sku, unit, cost, price, markup_percent, is_taxable,
                                     category, created_at, updated_at)
select d.id, k.id, c.id, i.item_type, i.name, upper(left(replace(c.slug, '-', ''), 3)) || '-' || lpad(i.n::text, 4, '0'), i.unit, i.cost, i.price,
       round((i.price - i.cost) * 100.0 / i.cost)::integer, i.item_type = 'material', c.name,
       d.created_at - interval '420 days', d.created_at - interval '420 days'
  from public.companies d
  cross join (values
         (1, 19, 'service', 'Plumber, hour', 'hour', 5200, 12500),
         (2, 19, 'service', 'Heating engineer, hour', 'hour', 5600, 13500),
         (3, 19, 'service', 'Cooling engineer, hour', 'hour', 5600, 13500),
         (4, 19, 'service', 'Apprentice, hour', 'hour', 2800, 6500),
         (5, 20, 'service', 'Diagnostic visit', 'each', 3000, 8900),
         (6, 20, 'service', 'Emergency call-out', 'each', 6000, 18900),
         (7, 20, 'service', 'Permit handling', 'each', 4500, 9500),
         (8, 20, 'service', 'Disposal of old appliance', 'each', 2500, 6500),
         (9, 15, 'material', 'Kitchen faucet, single lever', 'each', 8900, 18900),
         (10, 15, 'material', 'Kitchen faucet, pull-down', 'each', 13900, 27900),
         (11, 15, 'material', 'Bathroom faucet, chrome', 'each', 6400, 13900),
         (12, 15, 'material', 'Faucet cartridge', 'each', 1800, 4900), (13, 15, 'material', 'Aerator', 'each', 250, 900),
         (14, 15, 'material', 'Supply line, braided 20 in', 'each', 650, 1800),
         (15, 16, 'material', 'Toilet, elongated 1.28 gpf', 'each', 15900, 32900),
         (16, 16, 'material', 'Toilet, comfort height', 'each', 19900, 38900),
         (17, 16, 'material', 'Fill valve', 'each', 900, 2900), (18, 16, 'material', 'Flapper', 'each', 450, 1500),
         (19, 16, 'material', 'Wax ring', 'each', 350, 1200),
         (20, 16, 'service', 'Toilet replacement', 'each', 9000, 24900),
         (21, 17, 'material', 'Ball valve 1/2 in', 'each', 850, 2400),
         (22, 17, 'material', 'Ball valve 3/4 in', 'each', 1150, 2900),
         (23, 17, 'material', 'Pressure reducing valve', 'each', 6900, 14900),
         (24, 17, 'material', 'Backflow preventer', 'each', 11900, 24900),
         (25, 17, 'material', 'Gas shut-off valve', 'each', 1900, 4900),
         (26, 17, 'service', 'Backflow test', 'each', 3500, 9900),
         (27, 18, 'material', 'Copper pipe 1/2 in', 'linear_ft', 210, 560),
         (28, 18, 'material', 'Copper pipe 3/4 in', 'linear_ft', 340, 850),
         (29, 18, 'material', 'Elbow 1/2 in', 'each', 90, 350), (30, 18, 'material', 'Tee 3/4 in', 'each', 240, 750),
         (31, 18, 'material', 'Coupling 1/2 in', 'each', 70, 300),
         (32, 6, 'material', 'PEX pipe 1/2 in', 'linear_ft', 45, 180),
         (33, 6, 'material', 'PEX pipe 3/4 in', 'linear_ft', 80, 260),
         (34, 6, 'material', 'PVC pipe 3 in', 'linear_ft', 310, 790),
         (35, 6, 'material', 'Pipe insulation', 'linear_ft', 60, 240),
         (36, 6, 'service', 'Pipe repair, up to 3 ft', 'each', 6500, 18900),
         (37, 6, 'service', 'Repipe, per fixture', 'each', 24000, 59000),
         (38, 7, 'service', 'Drain cleaning, sink', 'each', 4500, 14900),
         (39, 7, 'service', 'Drain cleaning, main line', 'each', 9500, 29900),
         (40, 7, 'service', 'Hydro jetting', 'each', 18000, 49900),
         (41, 7, 'service', 'Camera inspection', 'each', 6500, 19900),
         (42, 7, 'material', 'P-trap 1-1/2 in', 'each', 600, 1900),
         (43, 7, 'material', 'Sump pump 1/2 hp', 'each', 16900, 34900),
         (44, 7, 'service', 'Sump pump replacement', 'each', 9500, 24900),
         (45, 8, 'material', 'Water heater, gas 50 gal', 'each', 68900, 119900),
         (46, 8, 'material', 'Water heater, gas 40 gal', 'each', 59900, 104900),
         (47, 8, 'material', 'Water heater, electric 50 gal', 'each', 54900, 94900),
         (48, 8, 'material', 'Tankless water heater', 'each', 98900, 179900),
         (49, 8, 'material', 'Anode rod', 'each', 2900, 6900), (50, 8, 'material', 'Expansion tank', 'each', 4200, 9900),
         (51, 8, 'material', 'Thermocouple', 'each', 900, 3900),
         (52, 8, 'service', 'Water heater installation', 'each', 28000, 64900),
         (53, 8, 'service', 'Water heater flush', 'each', 4500, 12900),
         (54, 9, 'material', 'Gas furnace 80k BTU', 'each', 124900, 229900),
         (55, 9, 'material', 'Gas furnace 100k BTU', 'each', 139900, 254900),
         (56, 9, 'material', 'Igniter', 'each', 2900, 8900), (57, 9, 'material', 'Flame sensor', 'each', 1400, 5900),
         (58, 9, 'material', 'Inducer motor', 'each', 18900, 37900),
         (59, 9, 'service', 'Furnace installation', 'each', 58000, 129900),
         (60, 9, 'service', 'Furnace tune-up', 'each', 4500, 12900),
         (61, 10, 'material', 'Condensing boiler 100k BTU', 'each', 249900, 419900),
         (62, 10, 'material', 'Circulator pump', 'each', 15900, 32900),
         (63, 10, 'material', 'Zone valve', 'each', 7900, 16900),
         (64, 10, 'material', 'Expansion tank, hydronic', 'each', 4900, 10900),
         (65, 10, 'material', 'Radiator, steel panel', 'each', 17900, 34900),
         (66, 10, 'service', 'Boiler service', 'each', 6500, 18900),
         (67, 10, 'service', 'Boiler installation', 'each', 98000, 219900),
         (68, 11, 'material', 'Thermostat, programmable', 'each', 4900, 11900),
         (69, 11, 'material', 'Thermostat, connected', 'each', 12900, 24900),
         (70, 11, 'material', 'Outdoor sensor', 'each', 2900, 6900),
         (71, 11, 'material', 'Control board', 'each', 21900, 43900),
         (72, 11, 'material', 'Carbon monoxide alarm', 'each', 1900, 4900),
         (73, 12, 'material', 'Air conditioner 3 ton', 'each', 179900, 319900),
         (74, 12, 'material', 'Air conditioner 4 ton', 'each', 214900, 379900),
         (75, 12, 'material', 'Capacitor', 'each', 1200, 7900), (76, 12, 'material', 'Contactor', 'each', 1500, 8900),
         (77, 12, 'material', 'Fan motor', 'each', 14900, 34900),
         (78, 12, 'material', 'Refrigerant R-410A', 'lb', 1400, 5900),
         (79, 12, 'service', 'AC tune-up', 'each', 4500, 12900),
         (80, 12, 'service', 'AC installation', 'each', 62000, 139900),
         (81, 13, 'material', 'Mini-split 12k BTU', 'each', 94900, 179900),
         (82, 13, 'material', 'Mini-split 24k BTU', 'each', 149900, 269900),
         (83, 13, 'material', 'Heat pump 3 ton', 'each', 259900, 449900),
         (84, 13, 'material', 'Line set 25 ft', 'each', 9900, 21900),
         (85, 13, 'service', 'Heat pump installation', 'each', 74000, 159900),
         (86, 14, 'material', 'Filter 16x25x1', 'each', 450, 1400),
         (87, 14, 'material', 'Filter 20x25x4, MERV 11', 'each', 1900, 4900),
         (88, 14, 'material', 'Flexible duct 6 in', 'linear_ft', 190, 590),
         (89, 14, 'material', 'Register 6x10', 'each', 700, 1900),
         (90, 14, 'service', 'Duct sealing', 'hour', 5200, 12500),
         (91, 14, 'service', 'Duct cleaning', 'each', 14000, 39900),
         (92, 5, 'material', 'Garbage disposal 1/2 hp', 'each', 9900, 19900),
         (93, 5, 'material', 'Shower head', 'each', 2900, 6900),
         (94, 2, 'package', 'Comfort plan, both seasons', 'each', 9000, 24900),
         (95, 1, 'package', 'Bathroom refresh', 'each', 64900, 129900),
         (96, 3, 'package', 'New system with installation', 'each', 239900, 469900),
         (97, 19, 'service', 'Overtime, hour', 'hour', 7800, 18750), (98, 20, 'service', 'Travel beyond 20 miles', 'each', 1500, 3900),
         (99, 9, 'material', 'Condensate pump', 'each', 4900, 11900), (100, 17, 'material', 'Hose bibb, frost-free', 'each', 2100, 5400)
       ) i (n, category, item_type, name, unit, cost, price)
  join public.price_book_categories c
    on c.company_id = d.id and c.id = ('01900000-0000-7000-8000-d10' || lpad(i.category::text, 9, '0'))::uuid
  cross join lateral (select ('01900000-0000-7000-8000-d11' || lpad(i.n::text, 9, '0'))::uuid as id) k
 where d.id = '01900000-0000-7000-8000-000000000001'
   and not exists (select from public.price_book_items o where o.company_id = d.id and o.id = k.id)
on conflict do nothing;

-- How many items a category has, and with those below it.
update public.price_book_categories c
   set item_count = n.own, descendant_item_count = n.below
  from (select p.company_id, p.id, count(*) filter (where s.id = p.id) as own, count(*) as below
          from public.price_book_categories p
          join public.price_book_categories s on s.company_id = p.company_id and s.path operator(extensions.<@) p.path
          join public.price_book_items i on i.company_id = s.company_id and i.category_id = s.id and i.deleted_at is null
         where p.company_id = '01900000-0000-7000-8000-000000000001'
         group by p.company_id, p.id) n
 where c.company_id = n.company_id and c.id = n.id and c.id < '01900000-0000-7000-9000-000000000000'
   and c.item_count = 0 and c.descendant_item_count = 0 and n.below > 0;

insert into public.labor_rates (company_id, id, name, rate_type, rate, minimum_charge, minimum_hours, is_default)
select '01900000-0000-7000-8000-000000000001', ('01900000-0000-7000-8000-d3700000000' || r.n)::uuid, r.name, 'hourly', r.rate, r.rate, 60, r.n = 1
  from (values (1, 'Plumber', 12500), (2, 'Heating and cooling', 13500), (3, 'Apprentice', 6500)) r (n, name, rate)
on conflict do nothing;

insert into public.pricing_rules (company_id, id, name, description, rule_type, priority, applies_to, customer_type_filter, adjustment_type,
                                  adjustment_value, is_active)
select '01900000-0000-7000-8000-000000000001', ('01900000-0000-7000-8000-d3800000000' || r.n)::uuid, r.name, r.description, r.rule_type,
       r.priority, r.applies_to, case when r.applies_to = 'customer_type' then '["commercial", "industrial"]'::jsonb end, r.adjustment_type,
       r.adjustment, true
  from (values (1, 'Businesses', 'Five per cent less for businesses', 'discount', 10, 'customer_type', 'percentage', 5),
               (2, 'Minimum', 'Nothing below the diagnostic visit', 'minimum_charge', 100, 'all', 'fixed_amount', 8900))
         r (n, name, description, rule_type, priority, applies_to, adjustment_type, adjustment)
on conflict do nothing;

insert into public.service_packages (company_id, id, price_book_item_id, name, package_type, included_items, labor_hours, total_cost, package_price)
select i.company_id, ('01900000-0000-7000-8000-d39' || right(i.id::text, 9))::uuid, i.id, i.name, 'flat_rate', '[]', 240, i.cost, i.price
  from public.price_book_items i
 where i.company_id = '01900000-0000-7000-8000-000000000001' and i.item_type = 'package' and i.id < '01900000-0000-7000-9000-000000000000'
on conflict do nothing;
