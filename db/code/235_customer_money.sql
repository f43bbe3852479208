-- What a customer owes, has paid and was billed.
-- Invariant: outstanding_balance is the balance of his issued invoices, total_revenue what is paid of his invoices, both of those
-- in his own currency: cents of two currencies have no sum, and a rate that is right today is wrong tomorrow. What was billed in
-- another stands on the invoices and in mv_customer_lifetime_value.other_currencies. total_invoices counts them all. The figures
-- are kept by what each statement adds and takes away, so that nothing is summed up again.

-- Small enough to be read into the statements that call it.
create or replace function app.is_billed(p_status text, p_deleted_at timestamptz) returns boolean
  language sql immutable parallel safe
  return app.is_issued(p_status) and p_deleted_at is null;
comment on function app.is_billed(text, timestamptz) is 'Whether an invoice counts for its customer.';
revoke all on function app.is_billed(text, timestamptz) from public;
grant execute on function app.is_billed(text, timestamptz) to app_definer;

-- What one statement changed for one customer, in one currency.
create or replace function app.bill_customer(
  p_company_id uuid, p_customer_id uuid, p_currency text, p_owed bigint, p_revenue bigint, p_invoices bigint,
  p_issued_at timestamptz, p_is_gone boolean
) returns void
  language plpgsql volatile
  set search_path = ''
as $$
begin
  update public.customers c
     set outstanding_balance = c.outstanding_balance + case when c.currency = p_currency then p_owed else 0 end,
         total_revenue = c.total_revenue + case when c.currency = p_currency then p_revenue else 0 end,
         total_invoices = c.total_invoices + p_invoices, last_invoice_date = greatest(c.last_invoice_date, p_issued_at)
   where c.company_id = p_company_id and c.id = p_customer_id and (c.deleted_at is null or p_owed <= 0);
  if not found and not p_is_gone then
    raise exception using errcode = 'TH409', constraint = 'customer_deleted',
      message = 'This customer was deleted, and nothing more can be billed to him.', hint = 'Restore the customer first.';
  end if;
end $$;
revoke all on function app.bill_customer(uuid, uuid, text, bigint, bigint, bigint, timestamptz, boolean) from public;
grant execute on function app.bill_customer(uuid, uuid, text, bigint, bigint, bigint, timestamptz, boolean) to app_definer;

-- After a statement: customers are locked in one order, and whom nothing changed for is not touched. (A text that is made for
-- each call would be planned for each call, of which a batch has many.)
create or replace function app.count_customer_money() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v record;
begin
  if tg_op = 'INSERT' then
    for v in
      select i.company_id, i.customer_id, i.currency,
             sum(i.balance_amount) filter (where app.is_billed(i.status, i.deleted_at)) as owed, sum(i.paid_amount) as revenue,
             count(*) filter (where app.is_billed(i.status, i.deleted_at)) as invoices, max(i.issued_at) as issued_at
        from made i
       where i.paid_amount <> 0 or app.is_billed(i.status, i.deleted_at)
       group by 1, 2, 3 order by 1, 2, 3
    loop
      perform app.bill_customer(v.company_id, v.customer_id, v.currency, coalesce(v.owed, 0)::bigint, v.revenue::bigint, v.invoices,
                                v.issued_at, false);
    end loop;
  elsif tg_op = 'UPDATE' then
    for v in
      select m.company_id, m.customer_id, m.currency, sum(m.owed)::bigint as owed, sum(m.revenue)::bigint as revenue,
             sum(m.invoices)::bigint as invoices, max(m.issued_at) as issued_at
        from (select i.company_id, i.customer_id, i.currency, i.issued_at, i.paid_amount as revenue,
                     case when app.is_billed(i.status, i.deleted_at) then i.balance_amount else 0 end as owed,
                     app.is_billed(i.status, i.deleted_at)::integer as invoices
                from made i
              union all
              select i.company_id, i.customer_id, i.currency, null, -i.paid_amount,
                     case when app.is_billed(i.status, i.deleted_at) then -i.balance_amount else 0 end,
                     -app.is_billed(i.status, i.deleted_at)::integer
                from gone i) m
       group by 1, 2, 3 having sum(m.owed) <> 0 or sum(m.revenue) <> 0 or sum(m.invoices) <> 0 order by 1, 2, 3
    loop
      perform app.bill_customer(v.company_id, v.customer_id, v.currency, v.owed, v.revenue, v.invoices, v.issued_at, false);
    end loop;
  else
    for v in
      select i.company_id, i.customer_id, i.currency,
             sum(i.balance_amount) filter (where app.is_billed(i.status, i.deleted_at)) as owed, sum(i.paid_amount) as revenue,
             count(*) filter (where app.is_billed(i.status, i.deleted_at)) as invoices
        from gone i
       where i.paid_amount <> 0 or app.is_billed(i.status, i.deleted_at)
       group by 1, 2, 3 order by 1, 2, 3
    loop
      perform app.bill_customer(v.company_id, v.customer_id, v.currency, -coalesce(v.owed, 0)::bigint, -v.revenue::bigint, -v.invoices,
                                null, true);
    end loop;
  end if;
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
  select coalesce(sum(i.balance_amount) filter (where app.is_billed(i.status, i.deleted_at)), 0), coalesce(sum(i.paid_amount), 0)
    into new.outstanding_balance, new.total_revenue
    from public.invoices i
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
  if exists (select from public.invoices i
              where i.company_id = new.company_id and i.customer_id = new.id and i.currency <> new.currency
                and app.is_billed(i.status, i.deleted_at) and i.balance_amount > 0) then
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
