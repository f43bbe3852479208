-- Estimates and invoices of the demo company, written as a service writes them: a draft, its lines, then one status after the other.
-- Totals are written where no trigger computed them; both come to the same.

insert into public.estimates (company_id, id, job_id, property_id, customer_id, estimate_number, title, status, tax_rate, valid_until, expires_at,
                              created_by, created_at, updated_at)
select e.company_id, e.id, e.job_id, e.property_id, e.customer_id,
       'EST-' || e.year || '-' || lpad(row_number() over (partition by e.year order by e.made_at, e.id)::text, 4, '0'),
       e.title, 'draft', 8.75, e.valid_until, e.valid_until, e.created_by, e.made_at, e.made_at
  from (select j.company_id, j.id as job_id, j.property_id, j.customer_id, j.title, j.created_by, m.made_at,
               -- What is accepted below must not be over by then.
               case when j.status = 'quoted' then m.made_at else d.created_at end + interval '30 days' as valid_until,
               to_char(m.made_at at time zone d.business_timezone, 'YYYY') as year,
               ('01900000-0000-7000-8000-d12' || right(j.id::text, 9))::uuid as id
          from public.jobs j
          join public.companies d on d.id = j.company_id
          cross join lateral (select least(j.created_at + interval '2 hours', d.created_at) as made_at) m
         where j.company_id = '01900000-0000-7000-8000-000000000001' and j.id::text like '01900000-0000-7000-8000-d06%'
           and (j.status = 'quoted' or j.job_type = 'installation' and j.status in ('completed', 'scheduled')
                and j.created_at < d.created_at - interval '3 days')) e
 where not exists (select from public.estimates o where o.company_id = e.company_id and o.id >= '01900000-0000-7000-8000-d12000000000'
                      and o.id < '01900000-0000-7000-8000-d13000000000')
 order by e.year desc, e.made_at desc, e.id desc
on conflict do nothing;

-- What is done is billed: but for the last days, and for what was under warranty.
insert into public.invoices (company_id, id, job_id, customer_id, property_id, estimate_id, draft_number, title, status, tax_rate, due_date,
                             terms, created_by, created_at, updated_at)
select i.company_id, i.id, i.job_id, i.customer_id, i.property_id, e.id,
       'DRAFT-' || i.year || '-' || lpad(row_number() over (partition by i.year order by i.made_at, i.id)::text, 4, '0'), i.title, 'draft', 8.75,
       i.made_at + i.days * interval '1 day', i.terms, i.created_by, i.made_at, i.made_at
  from (select j.company_id, j.id as job_id, j.customer_id, j.property_id, j.title, coalesce(j.created_by, d.owner_id) as created_by,
               least(j.actual_end + interval '2 hours', d.created_at) as made_at,
               to_char(least(j.actual_end + interval '2 hours', d.created_at) at time zone d.business_timezone, 'YYYY') as year,
               case c.payment_terms when 'net_30' then 30 else 14 end as days,
               case c.payment_terms when 'net_30' then 'Due in 30 days.' else 'Due in 14 days.' end as terms,
               ('01900000-0000-7000-8000-d15' || right(j.id::text, 9))::uuid as id
          from public.jobs j
          join public.companies d on d.id = j.company_id
          join public.customers c on c.company_id = j.company_id and c.id = j.customer_id
          cross join lateral (select abs(hashtext(j.id::text)) % 100 as chance) h
         where j.company_id = '01900000-0000-7000-8000-000000000001' and j.id::text like '01900000-0000-7000-8000-d06%'
           and j.status = 'completed' and h.chance <> 3 and (j.actual_end < d.created_at - interval '3 days' or h.chance > 60)) i
  left join public.estimates e on e.company_id = i.company_id and e.id = ('01900000-0000-7000-8000-d12' || right(i.id::text, 9))::uuid
 where not exists (select from public.invoices o where o.company_id = i.company_id and o.id >= '01900000-0000-7000-8000-d15000000000'
                      and o.id < '01900000-0000-7000-8000-d16000000000')
 order by i.year desc, i.made_at desc, i.id desc
on conflict do nothing;

-- The lines of both: what goes into a job of this title, and the hours.
with parts as (
  select w.title, i.id as item_id, i.item_type, i.name, i.sku, i.unit, i.price, i.cost,
         row_number() over (partition by w.title order by p.n)::integer as position
    from (values ('Leaking kitchen faucet', array['Plumber, hour', 'Faucet cartridge', 'Supply line, braided 20 in']),
                 ('Boiler service', array['Boiler service', 'Expansion tank, hydronic']),
                 ('Drain cleaning', array['Drain cleaning, sink', 'P-trap 1-1/2 in']),
                 ('Water heater replacement', array['Water heater, gas 50 gal', 'Water heater installation', 'Expansion tank', 'Disposal of old appliance']),
                 ('Radiator installation', array['Heating engineer, hour', 'Radiator, steel panel', 'Zone valve']),
                 ('Gas line inspection', array['Diagnostic visit', 'Carbon monoxide alarm']),
                 ('Furnace tune-up', array['Furnace tune-up', 'Filter 16x25x1']),
                 ('No heat', array['Heating engineer, hour', 'Igniter', 'Flame sensor']),
                 ('AC not cooling', array['Cooling engineer, hour', 'Capacitor', 'Refrigerant R-410A']),
                 ('AC tune-up', array['AC tune-up', 'Filter 20x25x4, MERV 11']),
                 ('Heat pump consultation', array['Diagnostic visit']),
                 ('Toilet replacement', array['Toilet, elongated 1.28 gpf', 'Toilet replacement', 'Wax ring']),
                 ('Sump pump replacement', array['Sump pump 1/2 hp', 'Sump pump replacement']),
                 ('Backflow test', array['Backflow test']),
                 ('Main line clog', array['Drain cleaning, main line', 'Camera inspection']),
                 ('Thermostat installation', array['Thermostat, connected', 'Heating engineer, hour']),
                 ('Duct cleaning', array['Duct cleaning', 'Filter 16x25x1'])) w (title, names)
    cross join lateral unnest(w.names) with ordinality p (name, n)
    join public.price_book_items i on i.company_id = '01900000-0000-7000-8000-000000000001' and i.name = p.name
     and i.id < '01900000-0000-7000-9000-000000000000'
), lines as (
  select j.company_id, right(j.id::text, 9) as number, p.*, case when p.unit = 'hour' then 'labor' else p.item_type end as kind,
         case p.unit when 'hour' then round(j.estimated_duration_minutes / 30.0) / 2 when 'lb' then 1 + right(j.id::text, 2)::integer % 4
                     else case when p.price < 6000 then 1 + right(j.id::text, 2)::integer % 2 else 1 end end as quantity
    from public.jobs j
    join parts p on p.title = j.title
   where j.company_id = '01900000-0000-7000-8000-000000000001' and j.id::text like '01900000-0000-7000-8000-d06%'
), estimated as (
  insert into public.estimate_line_items (company_id, id, estimate_id, price_book_item_id, position, kind, description, sku, unit, quantity,
                                          unit_price, unit_cost, total, is_taxable)
  select l.company_id, ('01900000-0000-7000-8000-d14' || right(l.number, 8) || l.position)::uuid, e.id, l.item_id, l.position - 1, l.kind,
         l.name, l.sku, l.unit, l.quantity, l.price, l.cost, round(l.quantity * l.price), l.item_type = 'material'
    from lines l
    join public.estimates e on e.company_id = l.company_id and e.id = ('01900000-0000-7000-8000-d12' || l.number)::uuid
   where e.status = 'draft'
     and not exists (select from public.estimate_line_items o where o.company_id = e.company_id and o.estimate_id = e.id)
)
insert into public.invoice_line_items (company_id, id, invoice_id, price_book_item_id, job_id, estimate_line_item_id, position, kind, description,
                                       sku, unit, quantity, unit_price, unit_cost, total, is_taxable)
select l.company_id, ('01900000-0000-7000-8000-d16' || right(l.number, 8) || l.position)::uuid, i.id, l.item_id, i.job_id,
       case when i.estimate_id is not null then ('01900000-0000-7000-8000-d14' || right(l.number, 8) || l.position)::uuid end, l.position - 1,
       l.kind, l.name, l.sku, l.unit, l.quantity, l.price, l.cost, round(l.quantity * l.price), l.item_type = 'material'
  from lines l
  join public.invoices i on i.company_id = l.company_id and i.id = ('01900000-0000-7000-8000-d15' || l.number)::uuid
 where i.status = 'draft'
   and not exists (select from public.invoice_line_items o where o.company_id = i.company_id and o.invoice_id = i.id);

-- Totals ---------------------------------------------------------------------------------------------

update public.estimates e
   set subtotal = s.subtotal, taxable_subtotal = s.taxable, tax_amount = s.tax, total_amount = s.subtotal + s.tax
  from (select l.company_id, l.estimate_id, sum(l.total) as subtotal, coalesce(sum(l.total) filter (where l.is_taxable), 0) as taxable,
               round(coalesce(sum(l.total) filter (where l.is_taxable), 0) * 8.75 / 100)::bigint as tax
          from public.estimate_line_items l
         where l.company_id = '01900000-0000-7000-8000-000000000001' and l.id < '01900000-0000-7000-9000-000000000000'
         group by l.company_id, l.estimate_id) s
 where e.company_id = s.company_id and e.id = s.estimate_id and e.status = 'draft' and e.total_amount = 0;

update public.invoices i
   set subtotal = s.subtotal, taxable_subtotal = s.taxable, tax_amount = s.tax, total_amount = s.subtotal + s.tax, balance_amount = s.subtotal + s.tax
  from (select l.company_id, l.invoice_id, sum(l.total) as subtotal, coalesce(sum(l.total) filter (where l.is_taxable), 0) as taxable,
               round(coalesce(sum(l.total) filter (where l.is_taxable), 0) * 8.75 / 100)::bigint as tax
          from public.invoice_line_items l
         where l.company_id = '01900000-0000-7000-8000-000000000001' and l.id < '01900000-0000-7000-9000-000000000000'
         group by l.company_id, l.invoice_id) s
 where i.company_id = s.company_id and i.id = s.invoice_id and i.status = 'draft' and i.total_amount = 0;

-- One status after the other -------------------------------------------------------------------------

-- Nine of ten estimates go out; what is accepted is done or on its way, what was never answered is over after its month.
update public.estimates e set status = 'sent', sent_at = e.created_at + interval '1 hour'
  from public.companies d, public.jobs j
 where d.id = '01900000-0000-7000-8000-000000000001' and e.company_id = d.id and e.id::text like '01900000-0000-7000-8000-d12%'
   and j.company_id = e.company_id and j.id = e.job_id and e.status = 'draft'
   and (j.status <> 'quoted' or abs(hashtext(e.id::text)) % 10 > 0) and e.created_at < d.created_at - interval '1 hour';

update public.estimates e set status = 'viewed', viewed_at = e.created_at + interval '6 hours'
  from public.companies d, public.jobs j
 where d.id = '01900000-0000-7000-8000-000000000001' and e.company_id = d.id and e.id::text like '01900000-0000-7000-8000-d12%'
   and j.company_id = e.company_id and j.id = e.job_id and e.status = 'sent' and e.viewed_at is null
   and (j.status <> 'quoted' or abs(hashtext(e.id::text)) % 3 > 0) and e.created_at < d.created_at - interval '6 hours';

update public.estimates e
   set status = 'accepted', responded_at = e.viewed_at + interval '20 hours', accepted_by_name = c.display_name
  from public.customers c, public.jobs j
 where e.company_id = '01900000-0000-7000-8000-000000000001' and e.id::text like '01900000-0000-7000-8000-d12%'
   and j.company_id = e.company_id and j.id = e.job_id and c.company_id = e.company_id and c.id = e.customer_id
   and e.status = 'viewed' and j.status <> 'quoted';

update public.estimates e
   set status = 'rejected', responded_at = e.viewed_at + interval '30 hours', rejection_reason = 'Another offer was lower.'
 where e.company_id = '01900000-0000-7000-8000-000000000001' and e.id::text like '01900000-0000-7000-8000-d12%'
   and e.status = 'viewed' and abs(hashtext('no ' || e.id)) % 4 = 0;

-- Now they may say what was: a move between statuses writes the time at which it was made.
update public.estimates e set sent_at = e.created_at + interval '1 hour', valid_until = e.created_at + interval '30 days', expires_at = e.created_at + interval '30 days'
 where e.company_id = '01900000-0000-7000-8000-000000000001' and e.id::text like '01900000-0000-7000-8000-d12%'
   and e.status <> 'draft' and e.sent_at is distinct from e.created_at + interval '1 hour';

update public.estimates e set status = 'expired'
  from public.companies d
 where d.id = '01900000-0000-7000-8000-000000000001' and e.company_id = d.id and e.id::text like '01900000-0000-7000-8000-d12%'
   and e.status in ('sent', 'viewed') and e.valid_until < d.created_at;

-- Invoices of the last ten days may still be drafts; those that are issued are numbered as they were issued.
update public.invoices i
   set status = 'sent', invoice_number = n.number, issued_at = n.issued_at, sent_at = n.issued_at
  from (select n.company_id, n.id, n.issued_at,
               'INV-' || n.year || '-' || lpad(row_number() over (partition by n.year order by n.issued_at, n.id)::text, 4, '0') as number
          from (select i.company_id, i.id, i.status, t.issued_at, to_char(t.issued_at at time zone d.business_timezone, 'YYYY') as year
                  from public.invoices i
                  join public.companies d on d.id = i.company_id
                  cross join lateral (select least(i.created_at + interval '3 hours', d.created_at) as issued_at) t
                 where i.company_id = '01900000-0000-7000-8000-000000000001' and i.id::text like '01900000-0000-7000-8000-d15%'
                   and (i.created_at < d.created_at - interval '10 days' or abs(hashtext(i.id::text)) % 5 > 0)) n) n
 where i.company_id = n.company_id and i.id = n.id and i.status = 'draft' and i.total_amount > 0;
