-- Stock: what a row of inventory says of itself, and who may write it.
-- Invariant: on hand and reserved change by stock moves only, each of which is one UPDATE that checks; so they are never below
-- zero, and never is more reserved than there is, however many reserve at once.

create or replace function app.guard_inventory() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v_by_hand constant boolean := current_user in ('authenticated', 'service_role');
begin
  if tg_op = 'UPDATE' and v_by_hand then
    if (new.quantity_on_hand, new.quantity_reserved) is distinct from (old.quantity_on_hand, old.quantity_reserved) then
      raise exception using errcode = 'TH422', constraint = 'stock_by_moves',
        message = 'Stock changes by moves and is not written.',
        hint = 'Call adjust_stock, reserve_stock, release_stock, use_stock or transfer_stock.';
    end if;
    if new.price_book_item_id <> old.price_book_item_id then
      raise exception using errcode = 'TH422', constraint = 'stock_item_fixed', message = 'Stock stays that of its item.';
    end if;
    new.last_restock_date := old.last_restock_date;
    new.last_restock_quantity := old.last_restock_quantity;
    new.last_used_date := old.last_used_date;
  end if;

  if tg_op = 'UPDATE' and (old.deleted_at is null) <> (new.deleted_at is null) then
    if new.deleted_at is not null and new.quantity_reserved > 0 then
      raise exception using errcode = 'TH409', constraint = 'stock_reserved',
        message = 'Stock that is reserved cannot be deleted.', hint = 'Release or use what is reserved first.';
    end if;
    new.status := case when new.deleted_at is not null then 'discontinued' else 'active' end;
  end if;

  new.total_cost_value := round(new.quantity_on_hand * new.cost_per_unit);
  new.is_low_stock := new.quantity_on_hand <= new.minimum_quantity;
  if not new.is_low_stock then
    new.low_stock_alert_sent := false;
    new.low_stock_alert_sent_at := null;
  end if;
  return new;
end $$;
revoke all on function app.guard_inventory() from public;
create or replace trigger guard before insert or update on public.inventory
  for each row when (app.is_within_reach(new.company_id)) execute function app.guard_inventory();

-- After: where the row is there already, an upsert has become an update.
create or replace function app.guard_new_inventory() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  raise exception using errcode = 'TH422', constraint = 'stock_by_moves',
    message = 'Stock changes by moves and is not written.', hint = 'Nothing is reserved of what is new; call reserve_stock.';
end $$;
revoke all on function app.guard_new_inventory() from public;
create or replace trigger guard_new after insert on public.inventory
  for each row when (new.quantity_reserved <> 0
    and current_user in ('authenticated', 'service_role')) execute function app.guard_new_inventory();

-- What lies at a place: the sum of what came there and went from there. NULL is no place in particular.
create or replace function app.stock_at(p_company_id uuid, p_inventory_id uuid, p_location_id uuid) returns numeric
  language sql stable
  set search_path = ''
as $$
  select coalesce(sum(case when m.kind = 'transfer' and m.to_location_id is not distinct from p_location_id then abs(m.quantity)
                           when m.kind = 'transfer' then -abs(m.quantity)
                           else m.quantity end), 0)
    from public.stock_moves m
   where m.company_id = p_company_id and m.inventory_id = p_inventory_id and m.kind not in ('reserve', 'release')
     and (m.location_id is not distinct from p_location_id or m.kind = 'transfer'
       and m.to_location_id is not distinct from p_location_id);
$$;
revoke all on function app.stock_at(uuid, uuid, uuid) from public;
grant execute on function app.stock_at(uuid, uuid, uuid) to app_definer;

-- The ledger begins with what there was when the row was made, and follows the row to another place.
create or replace function app.record_inventory() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_there numeric;
begin
  if tg_op = 'INSERT' then
    if new.quantity_on_hand > 0 then
      insert into public.stock_moves (company_id, inventory_id, location_id, kind, quantity, quantity_before, quantity_after,
                                      reserved_before, reserved_after, unit_cost, reason)
      values (new.company_id, new.id, new.location_id, 'correction', new.quantity_on_hand, 0, new.quantity_on_hand, 0, 0,
        new.cost_per_unit, 'Opening stock');
    end if;
    return null;
  end if;
  v_there := app.stock_at(new.company_id, new.id, old.location_id);
  if v_there > 0 then
    insert into public.stock_moves (company_id, inventory_id, location_id, to_location_id, kind, quantity, quantity_before,
      quantity_after,
                                    reserved_before, reserved_after, reason)
    values (new.company_id, new.id, old.location_id, new.location_id, 'transfer', v_there, new.quantity_on_hand,
      new.quantity_on_hand,
            new.quantity_reserved, new.quantity_reserved, 'The place of the stock was changed');
  end if;
  return null;
end $$;
alter function app.record_inventory() owner to app_definer;
revoke all on function app.record_inventory() from public;
create or replace trigger record_opening after insert on public.inventory
  for each row execute function app.record_inventory();
create or replace trigger record_place after update on public.inventory
  for each row when (new.location_id is distinct from old.location_id
    and pg_trigger_depth() = 0) execute function app.record_inventory();

create or replace trigger guard_record before update or delete on public.stock_moves
  for each row execute function app.guard_record();

create or replace function public.low_stock() returns setof public.inventory
  language sql stable
  set search_path = ''
as $$
  select i.* from public.inventory i
   where i.company_id = app.company_id() and i.deleted_at is null and i.status <> 'discontinued'
     and (i.is_low_stock or i.quantity_on_hand <= i.reorder_point);
$$;
revoke all on function public.low_stock() from public;
grant execute on function public.low_stock() to authenticated, service_role;
comment on function public.low_stock() is 'Stock that is at or below its minimum or its reorder point.';

create or replace function public.stock_by_location(inventory_id uuid) returns table (location_id uuid, name text,
  quantity numeric)
  language sql stable security definer
  set search_path = ''
as $$
  select p.location_id, l.name, app.stock_at(i.company_id, i.id, p.location_id)
    from public.inventory i
    cross join lateral (select distinct u.location_id
                          from public.stock_moves m cross join lateral (values (m.location_id),
                            (m.to_location_id)) u (location_id)
                         where m.company_id = i.company_id and m.inventory_id = i.id) p
    left join public.inventory_locations l on l.company_id = i.company_id and l.id = p.location_id
   where i.company_id = app.company_id() and i.id = stock_by_location.inventory_id
     and (auth.role() = 'service_role' or app.has_permission('inventory:read'))
     and app.stock_at(i.company_id, i.id, p.location_id) <> 0
   order by l.name nulls first;
$$;
alter function public.stock_by_location(uuid) owner to app_definer;
revoke all on function public.stock_by_location(uuid) from public;
grant execute on function public.stock_by_location(uuid) to authenticated, service_role;
comment on function public.stock_by_location(uuid) is 'How much of an item lies where; no place where nobody said.';
