-- Price book, vendors, purchase orders, stock.

do $$
declare
  v_letter  text;
  v_company uuid;
  v_canary  text;
begin
  foreach v_letter in array array['a', 'b'] loop
    v_company := proof.id(v_letter, '000');
    v_canary := 'canary-' || v_letter;
    -- One with a subcategory, one with an item, two that are empty.
    insert into public.price_book_categories (company_id, id, name, slug, description, parent_id)
    values (v_company, proof.id(v_letter, 'b01'), 'Heating', 'heating', v_canary, null),
           (v_company, proof.id(v_letter, 'b02'), 'Furnaces', 'furnaces', v_canary, proof.id(v_letter, 'b01')),
           (v_company, proof.id(v_letter, 'b03'), 'Empty', 'empty', v_canary, null),
           (v_company, proof.id('c', 'b04'), 'Also empty', 'also-empty', v_canary, null);
    insert into public.vendors (company_id, id, name, notes)
    values (v_company, proof.id(v_letter, 'b11'), 'Supply House', v_canary),
           (v_company, proof.id('c', 'b12'), 'Parts', v_canary);
    insert into public.supplier_integrations (company_id, id, supplier_name, display_name, vendor_id, notes)
    values (v_company, proof.id(v_letter, 'b21'), 'ferguson', 'Ferguson', proof.id(v_letter, 'b11'), v_canary),
           (v_company, proof.id('c', 'b22'), 'grainger', 'Grainger', null, v_canary);
    insert into app.supplier_secrets (company_id, id, integration_id, name, secret)
    values (v_company, proof.id(v_letter, 'b23'), proof.id(v_letter, 'b21'), 'api_key', 'key of ' || v_canary),
           (v_company, proof.id('c', 'b23'), proof.id(v_letter, 'b21'), 'api_secret', 'key of ' || v_canary);
    insert into public.price_book_items (company_id, id, category_id, item_type, name, description, price, cost, supplier_id)
    values (v_company, proof.id(v_letter, 'b31'), proof.id(v_letter, 'b02'), 'material', 'Filter', v_canary, 2000, 900,
      proof.id(v_letter, 'b21')),
           (v_company, proof.id(v_letter, 'b32'), proof.id(v_letter, 'b02'), 'material', 'Valve', v_canary, 5000, 3000, null),
           (v_company, proof.id(v_letter, 'b33'), proof.id(v_letter, 'b02'), 'package', 'Tune-up', v_canary, 9900, 0, null),
           (v_company, proof.id('c', 'b34'), proof.id(v_letter, 'b02'), 'service', 'Visit', v_canary, 7900, 0, null);
    insert into public.price_history (company_id, id, item_id, old_price, new_price, change_reason)
    values (v_company, proof.id(v_letter, 'b41'), proof.id(v_letter, 'b31'), 1900, 2000, v_canary),
           (v_company, proof.id('c', 'b42'), proof.id(v_letter, 'b31'), 1800, 1900, v_canary);
    insert into public.service_packages (company_id, id, price_book_item_id, name, description, included_items)
    values (v_company, proof.id(v_letter, 'b51'), proof.id(v_letter, 'b33'), 'Tune-up', v_canary,
            jsonb_build_array(jsonb_build_object('item_id', proof.id(v_letter, 'b31'), 'quantity', 1))),
           (v_company, proof.id('c', 'b52'), proof.id(v_letter, 'b33'), 'Inspection', v_canary, '[]');
    insert into public.pricing_rules (company_id, id, name, description, rule_type, adjustment_type, adjustment_value,
      days_of_week)
    values (v_company, proof.id(v_letter, 'b61'), 'Weekend', v_canary, 'markup', 'percentage', 20, '[0, 6]'),
           (v_company, proof.id('c', 'b62'), 'Spring', v_canary, 'discount', 'percentage', 10, null);
    insert into public.labor_rates (company_id, id, name, description, rate, is_default)
    values (v_company, proof.id(v_letter, 'b71'), 'Standard', v_canary, 12000, true),
           (v_company, proof.id('c', 'b72'), 'Senior', v_canary, 16000, false);
    insert into public.po_settings (company_id, id, enabled, require_approval, approval_threshold, notification_emails)
    values (v_company, proof.id('c', 'b81'), true, true, 50000, jsonb_build_array(v_canary || '@example.com'));
    insert into public.purchase_orders (company_id, id, job_id, vendor_id, requested_by, notes, shipping_amount)
    values (v_company, proof.id(v_letter, 'b91'), proof.id(v_letter, '805'), proof.id(v_letter, 'b11'),
            proof.id(v_letter, '104'), v_canary, 500),
           (v_company, proof.id('c', 'b92'), null, proof.id('c', 'b12'), null, v_canary, 0);
    insert into public.purchase_order_line_items (company_id, id, purchase_order_id, price_book_item_id, position, description,
      quantity, unit_price)
    values (v_company, proof.id(v_letter, 'ba1'), proof.id(v_letter, 'b91'), proof.id(v_letter, 'b31'), 0,
      'Filter ' || v_canary, 10, 900),
           (v_company, proof.id('c', 'ba2'), proof.id(v_letter, 'b91'), null, 1, 'Freight ' || v_canary, 1, 2500);
    insert into public.inventory_locations (company_id, id, name, user_id, address, is_default)
    values (v_company, proof.id(v_letter, 'bb1'), 'Warehouse', null, v_canary, true),
           (v_company, proof.id(v_letter, 'bb2'), 'Truck', proof.id(v_letter, '105'), v_canary, false),
           (v_company, proof.id('c', 'bb3'), 'Shelf', null, v_canary, false);
    insert into public.inventory (company_id, id, price_book_item_id, quantity_on_hand, cost_per_unit, minimum_quantity,
      location_id, notes)
    values (v_company, proof.id(v_letter, 'bc1'), proof.id(v_letter, 'b31'), 20, 900, 5, proof.id(v_letter, 'bb1'), v_canary),
           (v_company, proof.id('c', 'bc2'), proof.id(v_letter, 'b32'), 0, 3000, 2, null, v_canary);
    insert into public.stock_reservations (company_id, id, inventory_id, job_id, quantity, reason)
    values (v_company, proof.id(v_letter, 'bd1'), proof.id(v_letter, 'bc1'), proof.id(v_letter, '805'), 2, v_canary),
           (v_company, proof.id('c', 'bd2'), proof.id(v_letter, 'bc1'), null, 1, v_canary);
    update public.inventory i set quantity_reserved = 3 where i.company_id = v_company and i.id = proof.id(v_letter, 'bc1');
    insert into public.stock_moves (company_id, id, inventory_id, kind, quantity, quantity_before, quantity_after,
      reserved_before, reserved_after,
                                    reason, job_id, reservation_id)
    values (v_company, proof.id(v_letter, 'be1'), proof.id(v_letter, 'bc1'), 'reserve', 2, 20, 20, 0, 2, v_canary,
      proof.id(v_letter, '805'), proof.id(v_letter, 'bd1')),
           (v_company, proof.id('c', 'be2'), proof.id(v_letter, 'bc1'), 'reserve', 1, 20, 20, 2, 3, v_canary, null,
             proof.id('c', 'bd2'));
  end loop;
end $$;
