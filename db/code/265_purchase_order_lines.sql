-- Lines of purchase orders are received: what came goes into stock, and their order follows.
-- Invariant: lines are locked before their order, and the order before stock, so that two who receive wait for each other and no more;
-- nothing of an order comes while it is cancelled. What else may change of a line, its order says when it gets the line as JSON.

create or replace function app.guard_receipt() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  -- Where the row is there already, the update that follows is looked at.
  if tg_op = 'INSERT' and not exists (select from public.purchase_order_line_items l
                                       where l.company_id = new.company_id and l.id = new.id) then
    raise exception using errcode = 'TH422', constraint = 'purchase_order_not_ordered',
      message = 'Of a line that is new nothing is received.', hint = 'Order it first.';
  end if;
  if tg_op = 'UPDATE' and new.quantity_received > new.quantity then
    raise exception using errcode = 'TH422', constraint = 'purchase_order_received_too_much',
      message = 'More is received than was ordered.', detail = jsonb_build_object('quantity', new.quantity)::text;
  end if;
  return new;
end $$;
alter function app.guard_receipt() owner to app_definer;
revoke all on function app.guard_receipt() from public;
create or replace trigger guard_receipt_first before insert on public.purchase_order_line_items
  for each row when (new.quantity_received <> 0 and app.is_within_reach(new.company_id)) execute function app.guard_receipt();
create or replace trigger guard_receipt before update on public.purchase_order_line_items
  for each row when (new.quantity_received <> old.quantity_received and app.is_within_reach(new.company_id))
  execute function app.guard_receipt();

-- What came goes into the stock of its item, if the company keeps one; what was counted by mistake goes out again.
create or replace function app.stock_receipts() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_order record;
  v_line  record;
  v_move  public.stock_moves;
begin
  for v_order in
    select o.status from public.purchase_orders o
     where (o.company_id, o.id) in (select b.company_id, b.purchase_order_id
                                      from became b join was w on w.company_id = b.company_id and w.id = b.id
                                     where b.quantity_received <> w.quantity_received)
     order by o.company_id, o.id for no key update
  loop
    if v_order.status not in ('ordered', 'partially_received') then
      raise exception using errcode = 'TH422', constraint = 'purchase_order_not_ordered',
        message = format('Of a purchase order that is %s nothing is received.', replace(v_order.status, '_', ' ')),
        hint = 'Order it first.';
    end if;
  end loop;
  for v_line in
    select i.company_id, i.id as inventory_id, b.purchase_order_id, b.unit_price,
      b.quantity_received - w.quantity_received as came
      from became b
      join was w on w.company_id = b.company_id and w.id = b.id
      join public.inventory i on i.company_id = b.company_id and i.price_book_item_id = b.price_book_item_id
        and i.deleted_at is null
     where b.quantity_received <> w.quantity_received
     order by i.company_id, i.id, b.id
  loop
    v_move.inventory_id := v_line.inventory_id;
    v_move.kind := case when v_line.came > 0 then 'restock' else 'correction' end;
    v_move.purchase_order_id := v_line.purchase_order_id;
    v_move.unit_cost := v_line.unit_price;
    v_move.reason := case when v_line.came > 0 then 'Received' else 'Receipt corrected' end;
    perform app.move_stock(v_line.company_id, v_move, v_line.came, 0);
  end loop;
  return null;
end $$;
alter function app.stock_receipts() owner to app_definer;
revoke all on function app.stock_receipts() from public;
create or replace trigger stock_receipts after update on public.purchase_order_line_items
  referencing old table as was new table as became for each statement execute function app.stock_receipts();

-- The item says into which stock a line comes: once it is ordered its key may take it away with the item, and nobody else. Fires
-- before the order gets its lines as JSON, which tells the two apart no more.
create or replace function app.guard_ordered_items() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_order record;
begin
  for v_order in
    select o.status from public.purchase_orders o
     where (o.company_id, o.id) in (select b.company_id, b.purchase_order_id
                                      from became b join was w on w.company_id = b.company_id and w.id = b.id
                                     where b.price_book_item_id is null and w.price_book_item_id is not null)
     order by o.company_id, o.id for no key update
  loop
    if v_order.status not in ('draft', 'pending_approval') then
      raise exception using errcode = 'TH422', constraint = 'purchase_order_closed',
        message = format('The items of a purchase order that is %s stay.', replace(v_order.status, '_', ' ')),
        hint = 'An approved order can go back to draft; what was ordered is received or cancelled.';
    end if;
  end loop;
  return null;
end $$;
alter function app.guard_ordered_items() owner to app_definer;
revoke all on function app.guard_ordered_items() from public;
create or replace trigger ordered_items after update on public.purchase_order_line_items
  referencing old table as was new table as became for each statement
  when (current_user in ('authenticated', 'service_role')) execute function app.guard_ordered_items();

-- Everything that is still to come, or what is named. The caller's rights decide which orders.
create or replace function public.receive_purchase_order(purchase_order_id uuid, lines jsonb default null)
  returns public.purchase_orders
  language plpgsql volatile
  set search_path = ''
as $$
#variable_conflict use_column
declare
  v_order public.purchase_orders;
  v_count bigint;
begin
  if lines is not null and (jsonb_typeof(lines) <> 'array' or lines = '[]') then
    raise exception using errcode = 'TH422', constraint = 'purchase_order_receipt_invalid',
      message = 'What is received is a list of objects with the id of a line and the quantity that came.';
  end if;
  update public.purchase_order_line_items l
     set quantity_received = case when lines is null then l.quantity else l.quantity_received + r.quantity end
    from (select t.id, t.quantity
            from (select i.id, sum(i.quantity) as quantity
                    from jsonb_to_recordset(lines) i (id uuid, quantity numeric) group by i.id) t
          union all
          select null, null where lines is null) r
   where l.company_id = app.company_id() and l.purchase_order_id = receive_purchase_order.purchase_order_id
     and (l.id = r.id or lines is null and l.quantity_received < l.quantity);
  get diagnostics v_count = row_count;
  if v_count = 0 or lines is not null and v_count <> (select count(distinct i.id) from jsonb_to_recordset(lines) i (id uuid)) then
    raise exception using errcode = 'TH404', constraint = 'purchase_order_line_not_found',
      message = 'There is no such line that could be received.';
  end if;
  select * into v_order from public.purchase_orders o
   where o.company_id = app.company_id() and o.id = receive_purchase_order.purchase_order_id;
  return v_order;
end $$;
revoke all on function public.receive_purchase_order(uuid, jsonb) from public;
grant execute on function public.receive_purchase_order(uuid, jsonb) to authenticated, service_role;
comment on function public.receive_purchase_order(uuid, jsonb) is
  'Receives what was ordered: all that is still to come, or [{"id", "quantity"}, ...].';
