-- Purchase orders: their way from draft to received, who approves, and what they cost.
-- Invariant: figures are computed from the lines, here and nowhere else; an order that needs an approval is not ordered without.

select app.declare_statuses('public.purchase_orders', '{
  "draft":              {"first": true, "next": ["pending_approval", "approved", "ordered", "cancelled"]},
  "pending_approval":   {"first": true, "next": ["draft", "approved", "cancelled"]},
  "approved":           {"next": ["draft", "ordered", "cancelled"]},
  "ordered":            {"next": ["partially_received", "received", "cancelled"]},
  "partially_received": {"next": ["received", "cancelled"]},
  "received":           {},
  "cancelled":          {},
  "sent":               {"instead": "ordered"}
}');
create or replace trigger check_status before insert or update on public.purchase_orders
  for each row execute function app.guard_status('purchase_order');

-- With the caller's rights, before anything is computed: what he sends is compared with what is there.
create or replace function app.guard_purchase_order_figures() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  -- Whoever writes the lines as well may send what he computed himself: what is computed here counts.
  if current_user in ('authenticated', 'service_role')
    and new.line_items is not distinct from (case when tg_op = 'INSERT' then '[]' else old.line_items end)
     and (case when tg_op = 'INSERT' then (new.subtotal, new.tax_amount, new.total_amount) <> (0::bigint, 0::bigint, 0::bigint)
              else (new.subtotal, new.tax_amount, new.total_amount) <> (old.subtotal, old.tax_amount, old.total_amount) end) then
    raise exception using errcode = 'TH422', constraint = 'purchase_order_figures_computed',
      message = 'Subtotal, tax and total of a purchase order are computed from its lines.',
      hint = 'Write the lines, tax_rate, discount_amount and shipping_amount.';
  end if;
  return new;
end $$;
revoke all on function app.guard_purchase_order_figures() from public;
create or replace trigger a_figures before insert or update on public.purchase_orders
  for each row when (app.is_within_reach(new.company_id)) execute function app.guard_purchase_order_figures();

create or replace function app.compute_purchase_order() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_vendor   public.vendors;
  v_taxable  bigint;
  v_discount bigint;
begin
  if new.vendor_id is not null and (tg_op = 'INSERT' or new.vendor_id is distinct from old.vendor_id) then
    select * into v_vendor from public.vendors v where v.company_id = new.company_id and v.id = new.vendor_id;
    if coalesce(btrim(new.vendor), '') = '' or tg_op = 'UPDATE' and new.vendor = old.vendor then
      new.vendor := coalesce(v_vendor.display_name, v_vendor.name, new.vendor);
    end if;
    new.vendor_email := coalesce(new.vendor_email, v_vendor.email);
    new.vendor_phone := coalesce(new.vendor_phone, v_vendor.phone);
  end if;
  if coalesce(btrim(new.vendor), '') = '' then
    raise exception using errcode = 'TH422', constraint = 'purchase_order_vendor_required',
      message = 'A purchase order needs a vendor.',
      hint = 'Write the id of one of the company as vendor_id, or a name as vendor.';
  end if;

  select coalesce(sum((l.value ->> 'total')::bigint), 0),
    coalesce(sum((l.value ->> 'total')::bigint) filter (where (l.value ->> 'is_taxable')::boolean), 0)
    into new.subtotal, v_taxable from jsonb_array_elements(new.line_items) l;
  if new.line_items = '[]' and new.status not in ('draft', 'cancelled') then
    raise exception using errcode = 'TH422', constraint = 'purchase_order_lines_missing',
      message = 'A purchase order that leaves the draft needs at least one line.';
  end if;
  -- While lines are being entered a discount may be larger for a moment, and counts as far as it goes.
  if new.discount_amount > new.subtotal and new.status not in ('draft', 'cancelled') then
    raise exception using errcode = 'TH422', constraint = 'purchase_order_discount_too_large',
      message = 'The discount of a purchase order is larger than its lines together.';
  end if;
  v_discount := least(new.discount_amount, new.subtotal);
  -- The discount lowers what is taxed by its share. Half a unit is rounded away from zero.
  new.tax_amount := case when new.subtotal = 0 then 0 else
    round((v_taxable - round(v_discount::numeric * v_taxable / new.subtotal)) * new.tax_rate / 100) end;
  new.total_amount := new.subtotal - v_discount + new.tax_amount + new.shipping_amount;

  -- It is received as far as its lines are.
  if new.status in ('ordered', 'partially_received') and tg_op = 'UPDATE' and new.line_items <> old.line_items then
    if not exists (select from jsonb_array_elements(new.line_items) l
                    where (l.value ->> 'quantity_received')::numeric < (l.value ->> 'quantity')::numeric) then
      new.status := 'received';
    elsif exists (select from jsonb_array_elements(new.line_items) l where (l.value ->> 'quantity_received')::numeric > 0) then
      new.status := 'partially_received';
    end if;
  end if;
  return new;
end $$;
alter function app.compute_purchase_order() owner to app_definer;
revoke all on function app.compute_purchase_order() from public;
create or replace trigger compute before insert or update on public.purchase_orders
  for each row when (app.is_within_reach(new.company_id)) execute function app.compute_purchase_order();

-- What the settings say of an order of this size, without showing them: they are not everybody's to read.
create or replace function app.purchase_approval(p_company_id uuid, p_total bigint, out is_needed boolean,
  out is_approver boolean)
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  v_settings public.po_settings;
begin
  if p_company_id is not distinct from app.company_id() or auth.role() = 'service_role' then
    select * into v_settings from public.po_settings s where s.company_id = p_company_id;
  end if;
  is_needed := coalesce(v_settings.require_approval
    and (v_settings.approval_threshold is null or p_total >= v_settings.approval_threshold), false);
  is_approver := coalesce(v_settings.approvers = '[]' or v_settings.approvers ? auth.uid()::text, v_settings.id is null);
end $$;
alter function app.purchase_approval(uuid, bigint) owner to app_definer;
revoke all on function app.purchase_approval(uuid, bigint) from public;
grant execute on function app.purchase_approval(uuid, bigint) to authenticated, service_role, app_definer;

-- Of lines what was ordered: without what came, and without an item that is no longer there afterwards.
create or replace function app.ordered_lines(p_lines jsonb, p_after jsonb) returns jsonb
  language sql immutable
  set search_path = ''
as $$
  select coalesce(jsonb_agg(l.value - 'quantity_received'
           - case when a.value ->> 'price_book_item_id' is null then 'price_book_item_id' else '' end order by l.n), '[]')
    from jsonb_array_elements(p_lines) with ordinality l (value, n)
    left join jsonb_array_elements(p_after) a on a.value -> 'id' = l.value -> 'id';
$$;
revoke all on function app.ordered_lines(jsonb, jsonb) from public;
grant execute on function app.ordered_lines(jsonb, jsonb) to authenticated, service_role, app_definer;

create or replace function app.guard_purchase_order() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v_by_hand  constant boolean := current_user in ('authenticated', 'service_role');
  v_approval record;
begin
  -- Also where a line was written: its JSON comes here in the same statement. Only there an item may be gone.
  if tg_op = 'UPDATE' and old.status not in ('draft', 'pending_approval')
     and (new.vendor_id, new.vendor, new.currency, new.tax_rate, new.shipping_amount, new.discount_amount,
       app.ordered_lines(new.line_items, new.line_items))
           is distinct from
         (old.vendor_id, old.vendor, old.currency, old.tax_rate, old.shipping_amount, old.discount_amount,
           app.ordered_lines(old.line_items, case when v_by_hand then old.line_items else new.line_items end)) then
    raise exception using errcode = 'TH422', constraint = 'purchase_order_closed',
      message = format('Vendor, lines and amounts of a purchase order that is %s stay.', replace(old.status, '_', ' ')),
      hint = 'An approved order can go back to draft; what was ordered is received or cancelled.';
  end if;

  if current_user = 'authenticated' then
    -- When and by whom is stamped, not written.
    if tg_op = 'INSERT' then
      new.approved_at := null; new.approved_by := null; new.ordered_at := null; new.received_at := null; new.cancelled_at := null;
    else
      new.approved_at := old.approved_at; new.approved_by := old.approved_by; new.ordered_at := old.ordered_at;
      new.received_at := old.received_at; new.cancelled_at := old.cancelled_at;
    end if;
  end if;
  if tg_op = 'UPDATE' and new.status = old.status then
    return new;
  end if;

  select * into v_approval from app.purchase_approval(new.company_id, new.total_amount);
  if new.status = 'approved' then
    if current_user = 'authenticated' then
      perform app.demand('purchase_orders:approve');
    end if;
    if current_user = 'authenticated' and not v_approval.is_approver then
      raise exception using errcode = 'TH403', constraint = 'purchase_order_approver_required',
        message = 'Only those whom the settings name approve purchase orders.';
    end if;
    new.approved_at := coalesce(new.approved_at, now());
    new.approved_by := coalesce(new.approved_by, auth.uid());
  elsif new.status = 'ordered' then
    if v_approval.is_needed and (tg_op = 'INSERT' or old.status <> 'approved') then
      raise exception using errcode = 'TH422', constraint = 'purchase_order_approval_required',
        message = 'A purchase order of this amount needs an approval before it is ordered.';
    end if;
    new.ordered_at := coalesce(new.ordered_at, now());
  elsif new.status in ('partially_received', 'received') then
    if v_by_hand then
      raise exception using errcode = 'TH422', constraint = 'purchase_order_received_by_lines',
        message = 'A purchase order is received when its lines are.',
        hint = 'Write quantity_received of its lines, or call receive_purchase_order.';
    end if;
    if new.status = 'received' then
      new.received_at := coalesce(new.received_at, now());
      new.actual_delivery := coalesce(new.actual_delivery, now());
    end if;
  elsif new.status = 'cancelled' then
    new.cancelled_at := coalesce(new.cancelled_at, now());
  elsif new.status = 'draft' then
    new.approved_at := null;
    new.approved_by := null;
  end if;
  return new;
end $$;
revoke all on function app.guard_purchase_order() from public;
create or replace trigger guard before insert or update on public.purchase_orders
  for each row when (app.is_within_reach(new.company_id)) execute function app.guard_purchase_order();

create or replace trigger sequence_number before insert on public.purchase_orders
  for each row when (app.is_within_reach(new.company_id))
    execute function app.number_row('po_number', 'purchase_order', 'PO', '4', 'yearly');

select app.keep_line_items('public.purchase_orders', 'purchase_orders', 'public.purchase_order_line_items', 'purchase_order_id',
                           'purchase_order_lines', '{quantity_received}');
