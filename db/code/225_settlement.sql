-- How money meets invoices: payments that name one, payments that are allocated to several, refunds and credit notes.
-- Invariant: paid_amount + credited_amount + balance_amount = total_amount of every invoice, and paid_amount is the settled
-- payments and allocations of it less its settled refunds. Locks are taken in one order: payments, invoices, customers, each by
-- their ids; so the rows of a statement are looked at together, after it, and all is locked before the first is counted.

create or replace function app.settle_invoices(p_company_id uuid, p_invoice_ids uuid[]) returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_ids      uuid[];
  v_paid     bigint[];
  v_credited bigint[];
  v_bad      record;
  v_count    bigint;
begin
  perform from public.invoices i
    where i.company_id = p_company_id and i.id = any (p_invoice_ids) order by i.id for no key update;
  -- With the locks: what was committed while waiting is counted.
  select array_agg(i.id), array_agg(p.amount + a.amount), array_agg(c.amount) into v_ids, v_paid, v_credited
    from public.invoices i
   cross join lateral (select coalesce(sum(case o.payment_type when 'refund' then -o.amount else o.amount end), 0)::bigint as amount
                         from public.payments o
                        where o.company_id = i.company_id and o.invoice_id = i.id and app.is_settled(o.status)
                          and o.deleted_at is null) p
   cross join lateral (select coalesce(sum(o.amount_applied), 0)::bigint as amount
                         from public.payment_allocations o where o.company_id = i.company_id and o.invoice_id = i.id) a
   cross join lateral (select coalesce(sum(o.amount), 0)::bigint as amount
                         from public.credit_notes o where o.company_id = i.company_id and o.invoice_id = i.id) c
   where i.company_id = p_company_id and i.id = any (p_invoice_ids);
  select i.status, i.deleted_at, i.balance_amount, s.paid + s.credited <= i.total_amount as is_enough into v_bad
    from unnest(v_ids, v_paid, v_credited) s (id, paid, credited)
    join public.invoices i on i.company_id = p_company_id and i.id = s.id
   where s.paid + s.credited > i.paid_amount + i.credited_amount
     and (not app.is_issued(i.status) or i.deleted_at is not null or s.paid + s.credited > i.total_amount)
   order by i.id limit 1;
  if found and (not app.is_issued(v_bad.status) or v_bad.deleted_at is not null) then
    raise exception using errcode = 'TH422', constraint = 'invoice_not_payable',
      message = format('An invoice that is %s cannot be paid.', case when v_bad.deleted_at is null then v_bad.status else 'deleted' end),
      hint = 'A draft is issued first.';
  elsif not v_bad.is_enough then
    raise exception using errcode = 'TH422', constraint = 'invoice_overpaid',
      message = format('Of this invoice %s is left to pay.', v_bad.balance_amount),
      detail = jsonb_build_object('balance_amount', v_bad.balance_amount)::text;
  end if;
  update public.invoices i
     set paid_amount = s.paid, credited_amount = s.credited,
         status = case when not app.is_issued(i.status) then i.status
                       when s.paid + s.credited = i.total_amount then 'paid'
                       when s.paid > 0 then 'partial'
                       when i.status in ('partial', 'paid') then case when i.viewed_at is null then 'sent' else 'viewed' end
                       else i.status end
    from unnest(v_ids, v_paid, v_credited) s (id, paid, credited)
   where i.company_id = p_company_id and i.id = s.id;
  get diagnostics v_count = row_count;
  if v_count <> (select count(distinct w.id) from unnest(p_invoice_ids) w (id)) then
    raise exception 'of the invoices %, % were settled', p_invoice_ids, v_count;
  end if;
end $$;
comment on function app.settle_invoices(uuid, uuid[]) is 'Computes what is paid of some invoices, and moves their status.';
revoke all on function app.settle_invoices(uuid, uuid[]) from public;
grant execute on function app.settle_invoices(uuid, uuid[]) to app_definer;

create or replace function app.lock_for_settlement(
  p_company_id uuid, p_payment_ids uuid[], p_invoice_ids uuid[], p_customer_ids uuid[]
) returns void
  language plpgsql volatile
  set search_path = ''
as $$
begin
  perform from public.payments p
    where p.company_id = p_company_id and p.id = any (p_payment_ids) order by p.id for no key update;
  perform from public.invoices i
    where i.company_id = p_company_id and i.id = any (p_invoice_ids) order by i.id for no key update;
  perform from public.customers c
    where c.company_id = p_company_id and c.id = any (p_customer_ids) order by c.id for no key update;
end $$;
comment on function app.lock_for_settlement(uuid, uuid[], uuid[], uuid[]) is
  'Locks what the payments of one statement will change, in the one order.';
revoke all on function app.lock_for_settlement(uuid, uuid[], uuid[], uuid[]) from public;
grant execute on function app.lock_for_settlement(uuid, uuid[], uuid[], uuid[]) to app_definer;

create or replace function app.refuse_other_parties(p_what text) returns void
  language plpgsql immutable
  set search_path = ''
as $$
begin
  raise exception using errcode = 'TH422', constraint = 'payment_other_party',
    message = format('A %s is of the same customer and in the same currency as what it settles.', p_what);
end $$;
revoke all on function app.refuse_other_parties(text) from public;
grant execute on function app.refuse_other_parties(text) to app_definer;

-- What a payment has for one invoice, or for none: what was given of it so far, and what was taken back.
create or replace function app.check_shares(p_payment public.payments) returns void
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_is_over boolean;
begin
  with given as (
    select a.invoice_id, a.amount_applied as amount
      from public.payment_allocations a where a.company_id = p_payment.company_id and a.payment_id = p_payment.id
    union all
    select p_payment.invoice_id, p_payment.amount - coalesce((select sum(a.amount_applied) from public.payment_allocations a
      where a.company_id = p_payment.company_id and a.payment_id = p_payment.id), 0)
  ), moved as (
    select g.invoice_id, g.amount from given g
    union all
    select r.invoice_id, -r.amount from public.payments r
     where r.company_id = p_payment.company_id and r.original_payment_id = p_payment.id and app.is_settled(r.status)
  )
  select coalesce(bool_or(m.left_over < 0), false) into v_is_over
    from (select sum(m.amount) as left_over from moved m group by m.invoice_id) m;
  if v_is_over then
    raise exception using errcode = 'TH422', constraint = 'payment_exceeded',
      message = 'That is more than is left of the payment.',
      detail = jsonb_build_object('amount', p_payment.amount, 'refunded_amount', p_payment.refunded_amount)::text;
  end if;
end $$;
revoke all on function app.check_shares(public.payments) from public;
grant execute on function app.check_shares(public.payments) to app_definer;

-- A refund is for the invoice that the payment was for, and of its customer, where nothing else is said.
create or replace function app.prepare_refund() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_original public.payments;
begin
  select * into v_original from public.payments p where p.company_id = new.company_id and p.id = new.original_payment_id;
  new.invoice_id := coalesce(new.invoice_id, v_original.invoice_id);
  new.customer_id := coalesce(new.customer_id, v_original.customer_id);
  return new;
end $$;
alter function app.prepare_refund() owner to app_definer;
revoke all on function app.prepare_refund() from public;
create or replace trigger complete_refund before insert on public.payments
  for each row when (new.original_payment_id is not null and app.is_within_reach(new.company_id))
  execute function app.prepare_refund();

create or replace function app.apply_refund(p_refund public.payments) returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_original public.payments;
  v_refunded bigint;
begin
  select * into v_original from public.payments p
   where p.company_id = p_refund.company_id and p.id = p_refund.original_payment_id for no key update;
  if v_original.payment_type = 'refund' or not app.is_settled(v_original.status) then
    raise exception using errcode = 'TH422', constraint = 'payment_not_refundable',
      message = 'Only a completed payment is given back.';
  elsif (v_original.customer_id, v_original.currency) is distinct from (p_refund.customer_id, p_refund.currency) then
    perform app.refuse_other_parties('refund');
  end if;
  select sum(r.amount) into v_refunded from public.payments r
   where r.company_id = p_refund.company_id and r.original_payment_id = p_refund.original_payment_id and app.is_settled(r.status);
  if v_refunded > v_original.amount then
    raise exception using errcode = 'TH422', constraint = 'refund_too_large',
      message = format('Of this payment %s can still be given back.', v_original.amount - v_original.refunded_amount),
      detail = jsonb_build_object('refundable_amount', v_original.amount - v_original.refunded_amount)::text;
  end if;
  perform app.check_shares(v_original);
  update public.payments p
     set refunded_amount = v_refunded, refunded_at = now(), refund_reason = coalesce(p_refund.refund_reason, p.refund_reason),
         status = case when v_refunded = p.amount then 'refunded' else 'partially_refunded' end
   where p.company_id = p_refund.company_id and p.id = p_refund.original_payment_id;
end $$;
revoke all on function app.apply_refund(public.payments) from public;
grant execute on function app.apply_refund(public.payments) to app_definer;

create or replace function app.check_parties(p_payment public.payments) returns void
  language plpgsql stable
  set search_path = ''
as $$
begin
  if exists (select from public.invoices i
              where i.company_id = p_payment.company_id and i.id = p_payment.invoice_id
                and (i.customer_id, i.currency) is distinct from (p_payment.customer_id, p_payment.currency)) then
    perform app.refuse_other_parties('payment');
  end if;
end $$;
revoke all on function app.check_parties(public.payments) from public;
grant execute on function app.check_parties(public.payments) to app_definer;

-- What payments do whose money has just moved.
create or replace function app.apply_settled(p_payments public.payments[]) returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_batch   record;
  v_payment public.payments;
begin
  for v_batch in
    select p.company_id, array_agg(p.original_payment_id) as payments, array_agg(p.invoice_id) as invoices,
           array_agg(p.customer_id) as customers
      from unnest(p_payments) p group by p.company_id order by p.company_id
  loop
    perform app.lock_for_settlement(v_batch.company_id, v_batch.payments, v_batch.invoices, v_batch.customers);
  end loop;
  foreach v_payment in array p_payments loop
    if v_payment.payment_type = 'refund' then
      perform app.apply_refund(v_payment);
    end if;
  end loop;
  for v_batch in
    select p.company_id, array_agg(p.invoice_id) as invoices
      from unnest(p_payments) p where p.invoice_id is not null group by p.company_id order by p.company_id
  loop
    perform app.settle_invoices(v_batch.company_id, v_batch.invoices);
  end loop;
  update public.customers c set last_payment_date = greatest(c.last_payment_date, p.completed_at)
    from (select p.company_id, p.customer_id, max(p.completed_at) as completed_at
            from unnest(p_payments) p where p.payment_type <> 'refund' group by 1, 2) p
   where c.company_id = p.company_id and c.id = p.customer_id;
end $$;
revoke all on function app.apply_settled(public.payments[]) from public;
grant execute on function app.apply_settled(public.payments[]) to app_definer;

-- After payments were written. Where an id changed with the rest, the payment counts as new: to settle it again computes the same.
create or replace function app.apply_payments() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    perform app.check_parties(n::public.payments) from made n where n.invoice_id is not null;
    perform app.apply_settled(array(
      select n::public.payments from made n where app.is_settled(n.status) order by n.company_id, n.id));
    return null;
  end if;
  perform app.check_parties(n::public.payments)
     from made n
    where n.invoice_id is not null
      and not exists (select from gone o
                       where o.company_id = n.company_id and o.id = n.id
                         and (o.status, o.invoice_id, o.customer_id, o.currency)
                               is not distinct from (n.status, n.invoice_id, n.customer_id, n.currency));
  perform app.apply_settled(array(
    select n::public.payments from made n
     where app.is_settled(n.status)
       and not exists (select from gone o
                        where o.company_id = n.company_id and o.id = n.id and app.is_settled(o.status))
     order by n.company_id, n.id));
  return null;
end $$;
alter function app.apply_payments() owner to app_definer;
revoke all on function app.apply_payments() from public;
drop trigger if exists apply_first on public.payments;
drop trigger if exists apply on public.payments;
drop function if exists app.apply_payment();
create or replace trigger apply_inserted after insert on public.payments referencing new table as made
  for each statement execute function app.apply_payments();
create or replace trigger apply_updated after update on public.payments referencing new table as made old table as gone
  for each statement execute function app.apply_payments();

create or replace function app.apply_allocations() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v         record;
  v_payment public.payments;
begin
  for v in
    select n.company_id, array_agg(n.payment_id) as payments, array_agg(n.invoice_id) as invoices,
           array(select i.customer_id from public.invoices i
                  where i.company_id = n.company_id and i.id = any (array_agg(n.invoice_id))) as customers
      from made n group by n.company_id order by n.company_id
  loop
    perform app.lock_for_settlement(v.company_id, v.payments, v.invoices, v.customers);
  end loop;
  for v in select n.company_id, n.payment_id, n.invoice_id from made n order by n.company_id, n.payment_id, n.invoice_id loop
    select * into v_payment from public.payments p where p.company_id = v.company_id and p.id = v.payment_id for no key update;
    if v_payment.invoice_id is not null or v_payment.payment_type = 'refund' or not app.is_settled(v_payment.status) then
      raise exception using errcode = 'TH422', constraint = 'payment_not_allocatable',
        message = 'Only a completed payment that names no invoice itself can be allocated.';
    elsif not exists (select from public.invoices i where i.company_id = v.company_id and i.id = v.invoice_id
                        and (i.customer_id, i.currency) = (v_payment.customer_id, v_payment.currency)) then
      perform app.refuse_other_parties('payment');
    end if;
    perform app.check_shares(v_payment);
  end loop;
  for v in select n.company_id, array_agg(n.invoice_id) as invoices from made n group by n.company_id order by n.company_id loop
    perform app.settle_invoices(v.company_id, v.invoices);
  end loop;
  return null;
end $$;
alter function app.apply_allocations() owner to app_definer;
revoke all on function app.apply_allocations() from public;
drop trigger if exists apply on public.payment_allocations;
drop function if exists app.apply_allocation();
create or replace trigger apply_inserted after insert on public.payment_allocations referencing new table as made
  for each statement execute function app.apply_allocations();
