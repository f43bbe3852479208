-- Vendors, stock and purchase orders of the demo company.

insert into public.vendors (company_id, id, vendor_number, name, display_name, category, payment_terms, email, phone, address, city, state, zip_code,
                            created_at, updated_at)
select d.id, i.id, 'VND-' || to_char(m.at at time zone d.business_timezone, 'YYYY') || '-' || lpad(v.n::text, 4, '0'), v.name, v.name, v.category, v.terms,
       'orders@' || v.slug || '.example', '+13095550' || (160 + v.n), (100 + v.n * 40) || ' Commerce Drive', v.city, 'IL', v.zip_code, m.at, m.at
  from public.companies d
  cross join lateral (select d.created_at - interval '400 days' as at) m
  cross join (values (1, 'Prairie Plumbing Supply', 'prairie', 'supplier', 'net_30', 'Springfield', '62703'),
                     (2, 'Midwest HVAC Distributors', 'midwest', 'distributor', 'net_30', 'Peoria', '61602'),
                     (3, 'Lincoln Pipe & Valve', 'lincolnpipe', 'supplier', 'net_15', 'Lincoln', '62656'),
                     (4, 'Central Boiler Parts', 'centralboiler', 'supplier', 'net_30', 'Decatur', '62521'),
                     (5, 'Great River Refrigerants', 'greatriver', 'distributor', 'due_on_receipt', 'Quincy', '62301'),
                     (6, 'Sangamon Tool Rental', 'sangamon', 'service_provider', 'net_30', 'Springfield', '62702'),
                     (7, 'Heartland Water Heaters', 'heartland', 'manufacturer', 'net_60', 'Bloomington', '61701'),
                     (8, 'Capitol Fasteners', 'capitol', 'supplier', 'net_30', 'Springfield', '62704'))
         v (n, name, slug, category, terms, city, zip_code)
  cross join lateral (select ('01900000-0000-7000-8000-d18' || lpad(v.n::text, 9, '0'))::uuid as id) i
 where d.id = '01900000-0000-7000-8000-000000000001'
   and not exists (select from public.vendors o where o.company_id = d.id and o.id = i.id)
on conflict do nothing;

insert into public.inventory_locations (company_id, id, name, kind, user_id, is_default)
select '01900000-0000-7000-8000-000000000001', '01900000-0000-7000-8000-d21000000001'::uuid, 'Foundry Street warehouse', 'warehouse', null::uuid, true
union all
select m.company_id, ('01900000-0000-7000-8000-d210000001' || right(m.id::text, 2))::uuid, 'Truck of ' || m.name, 'truck', m.user_id, false
  from public.team_members m
 where m.company_id = '01900000-0000-7000-8000-000000000001' and m.role = 'technician' and m.id < '01900000-0000-7000-9000-000000000000'
on conflict do nothing;

-- What small parts there are; each fifth of them is low.
insert into public.inventory (company_id, id, price_book_item_id, quantity_on_hand, minimum_quantity, maximum_quantity, reorder_point,
                              reorder_quantity, location_id, cost_per_unit, total_cost_value, last_purchase_cost, is_low_stock, created_at, updated_at)
select i.company_id, k.id, i.id, q.quantity, 5, 80, 8, 20, '01900000-0000-7000-8000-d21000000001', i.cost, q.quantity * i.cost, i.cost,
       q.quantity <= 5, i.created_at, i.created_at
  from public.price_book_items i
  cross join lateral (select ('01900000-0000-7000-8000-d22' || right(i.id::text, 9))::uuid as id, right(i.id::text, 9)::integer as n) k
  cross join lateral (select case when k.n % 5 = 0 then 1 + k.n % 5 else 9 + k.n * 7 % 40 end as quantity) q
 where i.company_id = '01900000-0000-7000-8000-000000000001' and i.id < '01900000-0000-7000-9000-000000000000' and i.item_type = 'material'
   and i.cost < 20000
   and not exists (select from public.inventory o where o.company_id = i.company_id and o.id = k.id)
on conflict do nothing;

-- The ledger begins with what there was, where no trigger wrote it.
insert into public.stock_moves (company_id, id, inventory_id, location_id, kind, quantity, quantity_before, quantity_after, reserved_before,
                                reserved_after, unit_cost, reason, occurred_at, created_at)
select v.company_id, ('01900000-0000-7000-8000-d23' || right(v.id::text, 9))::uuid, v.id, v.location_id, 'correction', v.quantity_on_hand, 0,
       v.quantity_on_hand, 0, 0, v.cost_per_unit, 'Opening stock', v.created_at, v.created_at
  from public.inventory v
 where v.company_id = '01900000-0000-7000-8000-000000000001' and v.id < '01900000-0000-7000-9000-000000000000' and v.quantity_on_hand > 0
   and not exists (select from public.stock_moves o where o.company_id = v.company_id and o.inventory_id = v.id)
on conflict do nothing;

-- Purchase orders: drafts with their lines first, then on their way, one status after the other.
insert into public.purchase_orders (company_id, id, requested_by, vendor_id, vendor, vendor_email, vendor_phone, po_number, title, status, priority,
                                    tax_rate, expected_delivery, created_by, created_at, updated_at)
select d.id, i.id, '01900000-0000-7000-8000-000000000125', v.id, v.name, v.email, v.phone,
       'PO-' || to_char(i.at at time zone d.business_timezone, 'YYYY') || '-' || lpad(i.place::text, 4, '0'),
       'Restock from ' || v.name, 'draft', case when n % 9 = 0 then 'high' else 'normal' end, 0, i.at + interval '6 days',
       '01900000-0000-7000-8000-000000000125', i.at, i.at
  from public.companies d
  cross join generate_series(1, 45) n
  -- The first is the newest, and has the highest number.
  cross join lateral (select d.created_at - n * interval '7 days' as at, 46 - n as place, ('01900000-0000-7000-8000-d19' || lpad(n::text, 9, '0'))::uuid as id) i
  join public.vendors v on v.company_id = d.id and v.id = ('01900000-0000-7000-8000-d18' || lpad((1 + n % 8)::text, 9, '0'))::uuid
 where d.id = '01900000-0000-7000-8000-000000000001'
   and not exists (select from public.purchase_orders o where o.company_id = d.id and o.id = i.id)
 order by i.place desc
on conflict do nothing;

insert into public.purchase_order_line_items (company_id, id, purchase_order_id, price_book_item_id, position, description, sku, unit, quantity,
                                              unit_price, total)
select o.company_id, ('01900000-0000-7000-8000-d20' || right(o.id::text, 8) || k)::uuid, o.id, i.id, k - 1, i.name, i.sku, i.unit,
       5 + (n.n * k) % 16, i.cost, (5 + (n.n * k) % 16) * i.cost
  from public.purchase_orders o
  cross join lateral (select right(o.id::text, 9)::integer as n) n
  cross join generate_series(1, 3) k
  join (select i.*, row_number() over (order by i.id) - 1 as place, count(*) over () as many from public.price_book_items i
         where i.company_id = '01900000-0000-7000-8000-000000000001' and i.item_type = 'material' and i.cost < 20000
           and i.id < '01900000-0000-7000-9000-000000000000') i on i.place = (n.n * 7 + k * 11) % i.many
 where o.company_id = '01900000-0000-7000-8000-000000000001' and o.id < '01900000-0000-7000-9000-000000000000' and o.status = 'draft'
   and not exists (select from public.purchase_order_line_items l where l.company_id = o.company_id and l.purchase_order_id = o.id)
on conflict do nothing;

update public.purchase_orders o set subtotal = s.total, total_amount = s.total
  from (select l.company_id, l.purchase_order_id, sum(l.total) as total from public.purchase_order_line_items l
         where l.company_id = '01900000-0000-7000-8000-000000000001' and l.id < '01900000-0000-7000-9000-000000000000'
         group by l.company_id, l.purchase_order_id) s
 where o.company_id = s.company_id and o.id = s.purchase_order_id and o.status = 'draft' and o.total_amount = 0;

-- The newest stays a draft, the next two wait, then there are an approved one, three that were ordered and one that was given up.
update public.purchase_orders o set status = 'pending_approval'
 where o.company_id = '01900000-0000-7000-8000-000000000001' and o.status = 'draft' and o.id > '01900000-0000-7000-8000-d19000000001'
   and o.id < '01900000-0000-7000-8000-d20000000000';
update public.purchase_orders o
   set status = 'approved', approved_by = '01900000-0000-7000-8000-000000000103', approved_at = o.created_at + interval '1 day'
 where o.company_id = '01900000-0000-7000-8000-000000000001' and o.status = 'pending_approval' and o.id > '01900000-0000-7000-8000-d19000000003'
   and o.id < '01900000-0000-7000-8000-d20000000000';
update public.purchase_orders o set status = 'ordered', ordered_at = o.created_at + interval '2 days'
 where o.company_id = '01900000-0000-7000-8000-000000000001' and o.status = 'approved' and o.id > '01900000-0000-7000-8000-d19000000004'
   and o.id < '01900000-0000-7000-8000-d20000000000';
update public.purchase_orders o
   set status = 'cancelled', cancelled_at = o.created_at + interval '3 days', cancellation_reason = 'The vendor could not deliver.'
 where o.company_id = '01900000-0000-7000-8000-000000000001' and o.status = 'ordered' and o.id = '01900000-0000-7000-8000-d19000000008';
