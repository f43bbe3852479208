-- What becomes of what is reserved, and of where stock lies.

-- The reservation, locked; the stock it is of is locked first, as whoever reserves does.
create or replace function app.open_reservation(p_company_id uuid, p_reservation_id uuid) returns public.stock_reservations
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_reservation public.stock_reservations;
begin
  perform from public.inventory i
    join public.stock_reservations r on r.company_id = i.company_id and r.inventory_id = i.id
   where r.company_id = p_company_id and r.id = p_reservation_id for no key update of i;
  select * into v_reservation from public.stock_reservations r where r.company_id = p_company_id
    and r.id = p_reservation_id for no key update;
  if not found then
    raise exception using errcode = 'TH404', constraint = 'reservation_not_found', message = 'There is no such reservation.';
  end if;
  if v_reservation.status <> 'active' then
    raise exception using errcode = 'TH409', constraint = 'reservation_closed',
      message = format('This reservation is %s.', v_reservation.status);
  end if;
  return v_reservation;
end $$;
revoke all on function app.open_reservation(uuid, uuid) from public;
grant execute on function app.open_reservation(uuid, uuid) to app_definer;

create or replace function app.close_reservation(p_reservation public.stock_reservations, p_released numeric, p_used numeric)
  returns public.stock_reservations
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_left        constant numeric := p_reservation.quantity - p_reservation.quantity_used - p_released - p_used;
  v_reservation public.stock_reservations;
begin
  if v_left < 0 then
    raise exception using errcode = 'TH409', constraint = 'reservation_exceeded',
      message = format('Of this reservation only %s are left.', p_reservation.quantity - p_reservation.quantity_used);
  end if;
  -- What is released is no longer part of it; of what is left nothing when the whole was released.
  update public.stock_reservations r
     set quantity = case when v_left = 0 and r.quantity_used + p_used = 0 then r.quantity else r.quantity - p_released end,
         quantity_used = r.quantity_used + p_used,
         status = case when v_left > 0 then 'active' when r.quantity_used + p_used = 0 then 'released' else 'fulfilled' end,
         released_at = case when v_left = 0 and r.quantity_used + p_used = 0 then now() else r.released_at end,
         fulfilled_at = case when v_left = 0 and r.quantity_used + p_used > 0 then now() else r.fulfilled_at end
   where r.company_id = p_reservation.company_id and r.id = p_reservation.id
  returning * into v_reservation;
  return v_reservation;
end $$;
revoke all on function app.close_reservation(public.stock_reservations, numeric, numeric) from public;
grant execute on function app.close_reservation(public.stock_reservations, numeric, numeric) to app_definer;

create or replace function public.release_stock(reservation_id uuid, quantity numeric default null, reason text default null)
  returns public.stock_reservations
  language plpgsql volatile security definer
  set search_path = ''
as $$
#variable_conflict use_column
declare
  v_reservation public.stock_reservations;
  v_move        public.stock_moves;
  v_quantity    numeric;
begin
  perform app.stock_company('inventory:use');
  v_reservation := app.open_reservation(app.company_id(), release_stock.reservation_id);
  v_quantity := coalesce(release_stock.quantity, v_reservation.quantity - v_reservation.quantity_used);
  perform app.check_stock_quantity(v_quantity);
  v_move.inventory_id := v_reservation.inventory_id;
  v_move.kind := 'release';
  v_move.job_id := v_reservation.job_id;
  v_move.reason := release_stock.reason;
  v_move.reservation_id := v_reservation.id;
  v_reservation := app.close_reservation(v_reservation, v_quantity, 0);
  perform app.move_stock(app.company_id(), v_move, 0, -v_quantity);
  return v_reservation;
end $$;
alter function public.release_stock(uuid, numeric, text) owner to app_definer;
revoke all on function public.release_stock(uuid, numeric, text) from public;
grant execute on function public.release_stock(uuid, numeric, text) to authenticated, service_role;
comment on function public.release_stock(uuid, numeric, text) is 'Gives back what is reserved, or part of it.';

create or replace function public.use_stock(reservation_id uuid, quantity numeric default null, location_id uuid default null,
  reason text default null)
  returns public.stock_reservations
  language plpgsql volatile security definer
  set search_path = ''
as $$
#variable_conflict use_column
declare
  v_reservation public.stock_reservations;
  v_move        public.stock_moves;
  v_quantity    numeric;
begin
  perform app.stock_company('inventory:use');
  v_reservation := app.open_reservation(app.company_id(), use_stock.reservation_id);
  v_quantity := coalesce(use_stock.quantity, v_reservation.quantity - v_reservation.quantity_used);
  perform app.check_stock_quantity(v_quantity);
  v_move.inventory_id := v_reservation.inventory_id;
  v_move.kind := 'use';
  v_move.job_id := v_reservation.job_id;
  v_move.location_id := use_stock.location_id;
  v_move.reason := use_stock.reason;
  v_move.reservation_id := v_reservation.id;
  v_reservation := app.close_reservation(v_reservation, 0, v_quantity);
  perform app.move_stock(app.company_id(), v_move, -v_quantity, -v_quantity);
  return v_reservation;
end $$;
alter function public.use_stock(uuid, numeric, uuid, text) owner to app_definer;
revoke all on function public.use_stock(uuid, numeric, uuid, text) from public;
grant execute on function public.use_stock(uuid, numeric, uuid, text) to authenticated, service_role;
comment on function public.use_stock(uuid, numeric, uuid,
  text) is 'Takes what is reserved out of stock, or part of it, for the job it is reserved for.';

-- From one place to another: how much there is of it in all stays.
create or replace function public.transfer_stock(inventory_id uuid, to_location_id uuid, quantity numeric,
  from_location_id uuid default null, reason text default null)
  returns public.stock_moves
  language plpgsql volatile security definer
  set search_path = ''
as $$
#variable_conflict use_column
declare
  v_row  public.inventory;
  v_from uuid;
  v_move public.stock_moves;
begin
  perform app.stock_company('inventory:adjust');
  perform app.check_stock_quantity(transfer_stock.quantity);
  select * into v_row from public.inventory i
   where i.company_id = app.company_id() and i.id = transfer_stock.inventory_id and i.deleted_at is null for no key update;
  if not found then
    raise exception using errcode = 'TH404', constraint = 'stock_not_found', message = 'There is no such stock.';
  end if;
  v_from := coalesce(transfer_stock.from_location_id, v_row.location_id);
  if not exists (select from public.inventory_locations l
                  where l.company_id = app.company_id() and l.id = transfer_stock.to_location_id and l.is_active)
     or v_from = transfer_stock.to_location_id then
    raise exception using errcode = 'TH422', constraint = 'stock_location_invalid',
      message = 'Stock is transferred to another active location of the company.';
  end if;
  if app.stock_at(app.company_id(), v_row.id, v_from) < transfer_stock.quantity then
    raise exception using errcode = 'TH409', constraint = 'stock_insufficient_there',
      message = format('At this location there are only %s.', app.stock_at(app.company_id(), v_row.id, v_from)),
      hint = 'Name the location from which it is taken.';
  end if;
  insert into public.stock_moves (company_id, inventory_id, location_id, to_location_id, kind, quantity, quantity_before,
    quantity_after,
                                  reserved_before, reserved_after, unit_cost, reason)
  values (app.company_id(), v_row.id, v_from, transfer_stock.to_location_id, 'transfer', transfer_stock.quantity,
    v_row.quantity_on_hand,
          v_row.quantity_on_hand, v_row.quantity_reserved, v_row.quantity_reserved, v_row.cost_per_unit,
            left(transfer_stock.reason, 2000))
  returning * into v_move;
  return v_move;
end $$;
alter function public.transfer_stock(uuid, uuid, numeric, uuid, text) owner to app_definer;
revoke all on function public.transfer_stock(uuid, uuid, numeric, uuid, text) from public;
grant execute on function public.transfer_stock(uuid, uuid, numeric, uuid, text) to authenticated, service_role;
comment on function public.transfer_stock(uuid, uuid, numeric, uuid, text) is 'Moves stock from one location to another.';
