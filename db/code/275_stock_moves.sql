-- What moves stock. Each function is one UPDATE that checks and one row of the ledger; whoever comes second waits for the row and
-- checks what is left. Members need a permission, service programs a company.

create or replace function app.stock_company(p_permission text) returns uuid
  language plpgsql stable
  set search_path = ''
as $$
begin
  perform app.demand(p_permission);
  return app.company_id();
end $$;
revoke all on function app.stock_company(text) from public;
grant execute on function app.stock_company(text) to app_definer;

create or replace function app.check_stock_quantity(p_quantity numeric) returns void
  language plpgsql immutable
  set search_path = ''
as $$
begin
  if p_quantity is null or p_quantity = 'NaN' or p_quantity <= 0 or p_quantity >= 1e11 or p_quantity <> round(p_quantity, 3) then
    raise exception using errcode = 'TH422', constraint = 'stock_quantity_invalid',
      message = 'A quantity is above 0 and has at most three decimal places.';
  end if;
end $$;
revoke all on function app.check_stock_quantity(numeric) from public;
grant execute on function app.check_stock_quantity(numeric) to app_definer;

-- The one place where figures change: p_move says kind, on hand, reserved and what it refers to.
create or replace function app.move_stock(p_company_id uuid, p_move public.stock_moves, p_on_hand numeric, p_reserved numeric)
  returns public.inventory
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_row   public.inventory;
  v_place uuid;
begin
  update public.inventory i
     set quantity_on_hand = i.quantity_on_hand + p_on_hand,
         quantity_reserved = i.quantity_reserved + p_reserved,
         last_restock_date = case when p_move.kind = 'restock' then now() else i.last_restock_date end,
         last_restock_quantity = case when p_move.kind = 'restock' then p_on_hand else i.last_restock_quantity end,
         last_restock_purchase_order_id = case when p_move.kind = 'restock' then p_move.purchase_order_id
           else i.last_restock_purchase_order_id end,
         last_purchase_cost = case when p_move.kind = 'restock' then coalesce(p_move.unit_cost, i.last_purchase_cost)
           else i.last_purchase_cost end,
         last_used_date = case when p_move.kind = 'use' then now() else i.last_used_date end,
         last_used_job_id = case when p_move.kind = 'use' then p_move.job_id else i.last_used_job_id end
   where i.company_id = p_company_id and i.id = p_move.inventory_id and i.deleted_at is null
     and i.quantity_reserved + p_reserved >= 0 and i.quantity_on_hand + p_on_hand >= i.quantity_reserved + p_reserved
  returning * into v_row;
  if not found then
    select * into v_row from public.inventory i
     where i.company_id = p_company_id and i.id = p_move.inventory_id and i.deleted_at is null;
    if not found then
      raise exception using errcode = 'TH404', constraint = 'stock_not_found', message = 'There is no such stock.';
    end if;
    raise exception using errcode = 'TH409', constraint = 'stock_insufficient',
      message = format('There are %s on hand, %s of them reserved: that is not enough.', v_row.quantity_on_hand,
      v_row.quantity_reserved),
      detail = jsonb_build_object('on_hand', v_row.quantity_on_hand, 'reserved', v_row.quantity_reserved, 'available',
        v_row.quantity_available)::text;
  end if;
  v_place := coalesce(p_move.location_id, v_row.location_id);
  -- No place in particular is a place, too: what lies elsewhere is not there.
  if p_on_hand < 0 and app.stock_at(p_company_id, v_row.id, v_place) + p_on_hand < 0 then
    raise exception using errcode = 'TH409', constraint = 'stock_insufficient_there',
      message = format(case when v_place is null then 'Without a location there are only %s.'
                            else 'At this location there are only %s.' end, app.stock_at(p_company_id, v_row.id, v_place)),
      hint = 'Name the location from which it is taken, or transfer it first.';
  end if;
  insert into public.stock_moves (company_id, inventory_id, location_id, kind, quantity, quantity_before, quantity_after,
    reserved_before,
                                  reserved_after, unit_cost, reason, job_id, purchase_order_id, reservation_id)
  values (p_company_id, v_row.id, v_place, p_move.kind, case when p_on_hand <> 0 then p_on_hand else p_reserved end,
          v_row.quantity_on_hand - p_on_hand, v_row.quantity_on_hand, v_row.quantity_reserved - p_reserved,
            v_row.quantity_reserved,
          coalesce(p_move.unit_cost, v_row.cost_per_unit), left(p_move.reason, 2000), p_move.job_id, p_move.purchase_order_id,
            p_move.reservation_id);
  return v_row;
end $$;
revoke all on function app.move_stock(uuid, public.stock_moves, numeric, numeric) from public;
grant execute on function app.move_stock(uuid, public.stock_moves, numeric, numeric) to app_definer;

create or replace function public.adjust_stock(inventory_id uuid, change numeric, reason text, note text default null,
                                               location_id uuid default null, unit_cost bigint default null)
  returns public.inventory
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_move public.stock_moves;
begin
  perform app.stock_company('inventory:adjust');
  perform app.check_stock_quantity(abs(change));
  if reason is null or reason not in ('restock', 'sale', 'damage', 'theft', 'correction', 'return')
     or reason in ('restock', 'return') and change < 0 or reason in ('sale', 'damage', 'theft') and change > 0 then
    raise exception using errcode = 'TH422', constraint = 'stock_reason_invalid',
      message = 'This reason does not go with this change.',
      hint = 'restock and return add, sale, damage and theft take, correction does either; for transfers call transfer_stock.';
  end if;
  v_move.inventory_id := adjust_stock.inventory_id;
  v_move.kind := adjust_stock.reason;
  v_move.reason := adjust_stock.note;
  v_move.location_id := adjust_stock.location_id;
  v_move.unit_cost := adjust_stock.unit_cost;
  return app.move_stock(app.company_id(), v_move, change, 0);
end $$;
alter function public.adjust_stock(uuid, numeric, text, text, uuid, bigint) owner to app_definer;
revoke all on function public.adjust_stock(uuid, numeric, text, text, uuid, bigint) from public;
grant execute on function public.adjust_stock(uuid, numeric, text, text, uuid, bigint) to authenticated, service_role;
comment on function public.adjust_stock(uuid, numeric, text, text, uuid, bigint) is
  E'Adds to stock or takes from it, for a reason: restock, sale, damage, theft, correction, return.\n@html note';

create or replace function public.reserve_stock(inventory_id uuid, quantity numeric, job_id uuid default null,
  reason text default null)
  returns public.stock_reservations
  language plpgsql volatile security definer
  set search_path = ''
as $$
#variable_conflict use_column
declare
  v_reservation public.stock_reservations;
  v_move        public.stock_moves;
begin
  perform app.stock_company('inventory:use');
  perform app.check_stock_quantity(reserve_stock.quantity);
  perform from public.inventory i
   where i.company_id = app.company_id() and i.id = reserve_stock.inventory_id and i.deleted_at is null for no key update;
  if not found then
    raise exception using errcode = 'TH404', constraint = 'stock_not_found', message = 'There is no such stock.';
  end if;
  insert into public.stock_reservations (company_id, inventory_id, job_id, quantity, reason)
  values (app.company_id(), reserve_stock.inventory_id, reserve_stock.job_id, reserve_stock.quantity, left(reserve_stock.reason,
    2000))
  returning * into v_reservation;
  v_move.inventory_id := v_reservation.inventory_id;
  v_move.kind := 'reserve';
  v_move.job_id := v_reservation.job_id;
  v_move.reason := v_reservation.reason;
  v_move.reservation_id := v_reservation.id;
  perform app.move_stock(app.company_id(), v_move, 0, v_reservation.quantity);
  return v_reservation;
end $$;
alter function public.reserve_stock(uuid, numeric, uuid, text) owner to app_definer;
revoke all on function public.reserve_stock(uuid, numeric, uuid, text) from public;
grant execute on function public.reserve_stock(uuid, numeric, uuid, text) to authenticated, service_role;
comment on function public.reserve_stock(uuid, numeric, uuid, text) is 'Keeps stock for a job: no more than is available.';
