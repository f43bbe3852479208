-- What was offered, billed and paid in a block.

create temporary table if not exists scale_estimate_lines (like public.estimate_line_items including defaults) on commit delete rows;
create temporary table if not exists scale_invoice_lines (like public.invoice_line_items including defaults) on commit delete rows;
create index if not exists scale_estimate_lines_idx on scale_estimate_lines (estimate_id);
create index if not exists scale_invoice_lines_idx on scale_invoice_lines (invoice_id);

insert into scale_estimate_lines (company_id, id, estimate_id, price_book_item_id, position, kind, description, unit, quantity, unit_price, unit_cost,
                                  discount_amount, total, is_taxable, is_optional, is_selected, version, created_at, updated_at)
select b.company_id, (j.head || b.mark || '8e' || lpad(to_hex((b.block * 10000 + j.n) * 2 + l.position), 14, '0'))::uuid,
       (j.head || b.mark || '8a' || lpad(to_hex(b.block * 10000 + j.n), 14, '0'))::uuid,
       ('0191000000007' || b.mark || '82' || lpad(to_hex(l.item_n), 14, '0'))::uuid, l.position, l.kind, l.description, l.unit, l.quantity, l.unit_price, 0,
       0, round(l.quantity * l.unit_price), l.is_taxable, false, true, 1, j.created_at, j.created_at
  from scale_block b cross join scale_jobs j join scale_lines l on l.n = j.n
 where j.is_quoted;

insert into scale_invoice_lines (company_id, id, invoice_id, price_book_item_id, job_id, position, kind, description, unit, quantity, unit_price,
                                 unit_cost, discount_amount, total, is_taxable, version, created_at, updated_at)
select b.company_id, (j.billed_head || b.mark || '8c' || lpad(to_hex((b.block * 10000 + j.n) * 2 + l.position), 14, '0'))::uuid,
       (j.billed_head || b.mark || '8b' || lpad(to_hex(b.block * 10000 + j.n), 14, '0'))::uuid,
       ('0191000000007' || b.mark || '82' || lpad(to_hex(l.item_n), 14, '0'))::uuid,
       (j.head || b.mark || '86' || lpad(to_hex(b.block * 10000 + j.n), 14, '0'))::uuid, l.position, l.kind, l.description, l.unit, l.quantity, l.unit_price,
       0, 0, round(l.quantity * l.unit_price), l.is_taxable, 1, j.billed_at, j.billed_at
  from scale_block b cross join scale_jobs j join scale_lines l on l.n = j.n
 where j.is_billed;

insert into public.estimates (company_id, id, job_id, property_id, customer_id, estimate_number, title, status, tax_rate, subtotal, taxable_subtotal,
                              tax_amount, total_amount, valid_until, sent_at, viewed_at, responded_at, created_by, created_at, updated_at
                              /*, estimates.line_items */)
select b.company_id, i.id, (j.head || b.mark || '86' || lpad(to_hex(b.block * 10000 + j.n), 14, '0'))::uuid,
       (j.customer_head || b.mark || '85' || lpad(to_hex(b.block * 10000 + j.customer_n), 14, '0'))::uuid,
       (j.customer_head || b.mark || '84' || lpad(to_hex(b.block * 10000 + j.customer_n), 14, '0'))::uuid,
       'EST-' || j.year || '-' || lpad((b.block * y.estimates + j.quoted_number)::text, greatest(4, length((b.block * y.estimates + j.quoted_number)::text)), '0'),
       j.title, s.status, 8.75, j.subtotal, j.taxable, j.tax, j.total, j.created_at + interval '60 days',
       j.created_at + interval '1 hour', case when s.status = 'accepted' then j.created_at + interval '5 hours' end,
       case when s.status = 'accepted' then j.created_at + interval '9 hours' end, null, j.created_at, j.created_at
       /*, estimates.lines */
  from scale_block b
  cross join scale_jobs j
  join scale_years y on y.year = j.year
  cross join lateral (select (j.head || b.mark || '8a' || lpad(to_hex(b.block * 10000 + j.n), 14, '0'))::uuid as id) i
  cross join lateral (select case when j.status = 'quoted' then 'sent' when j.status = 'cancelled' then 'expired' else 'accepted' end as status) s
 where j.is_quoted;

insert into public.estimate_line_items select l.* from scale_estimate_lines l;

insert into public.invoices (company_id, id, job_id, customer_id, property_id, invoice_number, draft_number, title, status, tax_rate, subtotal,
                             taxable_subtotal, tax_amount, total_amount, paid_amount, balance_amount, due_date, issued_at, sent_at, viewed_at, paid_at,
                             created_by, created_at, updated_at /*, invoices.line_items */)
select b.company_id, i.id, (j.head || b.mark || '86' || lpad(to_hex(b.block * 10000 + j.n), 14, '0'))::uuid,
       (j.customer_head || b.mark || '84' || lpad(to_hex(b.block * 10000 + j.customer_n), 14, '0'))::uuid,
       (j.customer_head || b.mark || '85' || lpad(to_hex(b.block * 10000 + j.customer_n), 14, '0'))::uuid,
       'INV-' || j.billed_year || '-' || m.number, 'DRAFT-' || j.billed_year || '-' || m.number, j.title, j.bill_status, 8.75, j.subtotal, j.taxable, j.tax,
       j.total, case when j.status = 'paid' then j.total else 0 end, case when j.status = 'paid' then 0 else j.total end, j.due_at, j.billed_at, j.billed_at,
       case when j.bill_status = 'viewed' then j.billed_at + interval '2 hours' end, case when j.status = 'paid' then j.paid_at end, null,
       j.billed_at, j.billed_at /*, invoices.lines */
  from scale_block b
  cross join scale_jobs j
  join scale_years y on y.year = j.billed_year
  cross join lateral (select (j.billed_head || b.mark || '8b' || lpad(to_hex(b.block * 10000 + j.n), 14, '0'))::uuid as id) i
  cross join lateral (select lpad((b.block * y.bills + j.billed_number)::text, greatest(4, length((b.block * y.bills + j.billed_number)::text)), '0') as number) m
 where j.is_billed;

insert into public.invoice_line_items select l.* from scale_invoice_lines l;

insert into public.payments (company_id, id, customer_id, invoice_id, job_id, payment_number, amount, payment_method, payment_type, status,
                             processor_name, processor_fee, net_amount, processed_at, completed_at, created_by, created_at, updated_at)
select b.company_id, (j.paid_head || b.mark || '8d' || lpad(to_hex(b.block * 10000 + j.n), 14, '0'))::uuid,
       (j.customer_head || b.mark || '84' || lpad(to_hex(b.block * 10000 + j.customer_n), 14, '0'))::uuid,
       (j.billed_head || b.mark || '8b' || lpad(to_hex(b.block * 10000 + j.n), 14, '0'))::uuid,
       (j.head || b.mark || '86' || lpad(to_hex(b.block * 10000 + j.n), 14, '0'))::uuid,
       'PAY-' || j.paid_year || '-' || lpad((b.block * y.payments + j.paid_number)::text, greatest(4, length((b.block * y.payments + j.paid_number)::text)), '0'),
       j.total, (array['credit_card', 'check', 'ach', 'cash', 'debit_card'])[1 + j.n % 5], 'payment', 'completed',
       case when j.n % 5 in (0, 4) then 'stripe' else 'manual' end, 0, j.total, j.paid_at, j.paid_at, null, j.paid_at, j.paid_at
  from scale_block b
  cross join scale_jobs j
  join scale_years y on y.year = j.paid_year
 where j.status = 'paid';
