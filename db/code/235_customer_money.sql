-- What a customer owes, has paid and was billed.
-- Invariant: outstanding_balance is the balance of his issued invoices, total_revenue what is paid of his invoices, both of those
-- in his own currency: cents of two currencies have no sum, and a rate that is right today is wrong tomorrow. What was billed in
-- another stands on the invoices and in mv_customer_lifetime_value.other_currencies. total_invoices counts them all. The figures
-- are kept by what each statement adds and takes away, so that nothing is summed up again.

create or replace function app.invoice_figures(
  p_invoice public.invoices, out owed bigint, out revenue bigint, out invoices bigint
)
  language sql immutable
  set search_path = ''
as $$
  select case when app.is_issued(p_invoice.status) and p_invoice.deleted_at is null then p_invoice.balance_amount else 0 end,
         p_invoice.paid_amount,
         (app.is_issued(p_invoice.status) and p_invoice.deleted_at is null)::integer;
$$;
revoke all on function app.invoice_figures(public.invoices) from public;
grant execute on function app.invoice_figures(public.invoices) to app_definer;

create or replace function app.count_customer_money() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v record;
begin
  -- Customers are locked in one order.
  for v in execute format($f$
    select m.company_id, m.customer_id, m.currency, sum(m.owed)::bigint as owed, sum(m.revenue)::bigint as revenue,
           sum(m.invoices)::bigint as invoices, max(m.issued_at) as issued_at
      from (%s) m
     group by 1, 2, 3 having sum(m.owed) <> 0 or sum(m.revenue) <> 0 or sum(m.invoices) <> 0 order by 1, 2, 3 $f$,
    concat_ws(' union all ',
      case when tg_op <> 'DELETE' then
        'select i.company_id, i.customer_id, i.currency, f.owed, f.revenue, f.invoices, i.issued_at
           from made i cross join lateral app.invoice_figures(i::public.invoices) f' end,
      case when tg_op <> 'INSERT' then
        'select i.company_id, i.customer_id, i.currency, -f.owed as owed, -f.revenue as revenue, -f.invoices as invoices,
                null::timestamptz as issued_at
           from gone i cross join lateral app.invoice_figures(i::public.invoices) f' end))
  loop
    update public.customers c
       set outstanding_balance = c.outstanding_balance + case when c.currency = v.currency then v.owed else 0 end,
           total_revenue = c.total_revenue + case when c.currency = v.currency then v.revenue else 0 end,
           total_invoices = c.total_invoices + v.invoices, last_invoice_date = greatest(c.last_invoice_date, v.issued_at)
     where c.company_id = v.company_id and c.id = v.customer_id and (c.deleted_at is null or v.owed <= 0);
    if not found and tg_op <> 'DELETE' then
      raise exception using errcode = 'TH409', constraint = 'customer_deleted',
        message = 'This customer was deleted, and nothing more can be billed to him.', hint = 'Restore the customer first.';
    end if;
  end loop;
  return null;
end $$;
alter function app.count_customer_money() owner to app_definer;
revoke all on function app.count_customer_money() from public;
create or replace trigger customer_money_inserted after insert on public.invoices referencing new table as made
  for each statement execute function app.count_customer_money();
create or replace trigger customer_money_updated after update on public.invoices referencing new table as made old table as gone
  for each statement execute function app.count_customer_money();
create or replace trigger customer_money_deleted after delete on public.invoices referencing old table as gone
  for each statement execute function app.count_customer_money();

-- Another currency: other invoices are those that count. His row is held here, so that whoever bills him at this moment is either
-- seen or waits, and then adds to what this leaves.
create or replace function app.recount_customer_money() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  select coalesce(sum(f.owed), 0), coalesce(sum(f.revenue), 0) into new.outstanding_balance, new.total_revenue
    from public.invoices i cross join lateral app.invoice_figures(i) f
   where i.company_id = new.company_id and i.customer_id = new.id and i.currency = new.currency;
  return new;
end $$;
alter function app.recount_customer_money() owner to app_definer;
revoke all on function app.recount_customer_money() from public;
-- By its name behind the guard that refuses figures which were sent.
create or replace trigger recount_money before update on public.customers
  for each row when (old.currency is distinct from new.currency and app.is_within_reach(new.company_id))
  execute function app.recount_customer_money();

-- Whoever owes something is not deleted, in whatever currency; outstanding_balance says it of his own.
create or replace function app.keep_owing_customer() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  if exists (select from public.invoices i cross join lateral app.invoice_figures(i) f
              where i.company_id = new.company_id and i.customer_id = new.id and i.currency <> new.currency and f.owed > 0) then
    raise exception using errcode = 'TH409', constraint = 'customer_has_balance',
      message = 'A customer with an outstanding balance cannot be deleted.';
  end if;
  return new;
end $$;
alter function app.keep_owing_customer() owner to app_definer;
revoke all on function app.keep_owing_customer() from public;
create or replace trigger keep_owing before update on public.customers
  for each row when (old.deleted_at is null and new.deleted_at is not null and app.is_within_reach(new.company_id))
  execute function app.keep_owing_customer();

-- Who was billed stays, also when he is to be removed for good.
create or replace function app.keep_billed_customer() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  if exists (select from public.invoices i
              where i.company_id = old.company_id and i.customer_id = old.id and i.invoice_number is not null) then
    raise exception using errcode = 'TH409', constraint = 'customer_has_invoices',
      message = 'A customer with issued invoices cannot be removed for good.',
      hint = 'Archive him, or have his personal data erased.';
  end if;
  return old;
end $$;
alter function app.keep_billed_customer() owner to app_definer;
revoke all on function app.keep_billed_customer() from public;
create or replace trigger keep_billed before delete on public.customers
  for each row when (current_user in ('authenticated', 'service_role')) execute function app.keep_billed_customer();
