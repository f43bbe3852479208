-- The price book of a company: ten categories with ten items each.

insert into public.price_book_categories (company_id, id, name, slug, path, level, sort_order, item_count, descendant_item_count,
                                          created_at, updated_at)
select b.company_id, ('0191000000007' || b.mark || '81' || lpad(to_hex(n), 14, '0'))::uuid, 'Category ' || n, 'category-' || n,
       ('category_' || n)::extensions.ltree, 0, n, 10, 10, k.today, k.today
  from scale_block b cross join scale_clock k cross join generate_series(1, 10) n;

insert into public.price_book_items (company_id, id, category_id, item_type, name, sku, unit, cost, price, markup_percent, is_taxable, created_by,
                                     created_at, updated_at)
select b.company_id, ('0191000000007' || b.mark || '82' || lpad(to_hex(n), 14, '0'))::uuid,
       ('0191000000007' || b.mark || '81' || lpad(to_hex(1 + n % 10), 14, '0'))::uuid, case when n % 4 = 1 then 'service' else 'material' end,
       (array['Valve', 'Faucet', 'Pipe', 'Filter', 'Motor', 'Sensor', 'Pump', 'Tank', 'Fitting', 'Board'])[1 + n % 10] || ' ' || n,
       'SKU-' || lpad(n::text, 4, '0'), 'each', 500 + n * 90, 900 + n * 170, 89, n % 4 <> 1, null, k.today, k.today
  from scale_block b cross join scale_clock k cross join generate_series(1, 100) n;
