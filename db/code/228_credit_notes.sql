-- Credit notes: what is taken back of an issued invoice. They are written once; nobody has the right to change or delete one.

create or replace function app.prepare_credit_note() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_invoice record;
begin
  select i.customer_id, i.currency into v_invoice from public.invoices i
    where i.company_id = new.company_id and i.id = new.invoice_id;
  if found then
    new.customer_id := coalesce(new.customer_id, v_invoice.customer_id);
  end if;
  return new;
end $$;
alter function app.prepare_credit_note() owner to app_definer;
revoke all on function app.prepare_credit_note() from public;
create or replace trigger complete before insert on public.credit_notes
  for each row when (app.is_within_reach(new.company_id)) execute function app.prepare_credit_note();

-- The notes of one statement together, as 225_settlement.sql does with payments.
create or replace function app.apply_credit_notes() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v record;
begin
  for v in
    select n.company_id, array_agg(n.invoice_id) as invoices, array_agg(n.customer_id) as customers
      from made n group by n.company_id order by n.company_id
  loop
    perform app.lock_for_settlement(v.company_id, '{}', v.invoices, v.customers);
  end loop;
  if exists (select from made n
              where not exists (select from public.invoices i
                                 where i.company_id = n.company_id and i.id = n.invoice_id
                                   and (i.customer_id, i.currency) = (n.customer_id, n.currency))) then
    perform app.refuse_other_parties('credit note');
  end if;
  for v in select n.company_id, array_agg(n.invoice_id) as invoices from made n group by n.company_id order by n.company_id loop
    perform app.settle_invoices(v.company_id, v.invoices);
  end loop;
  return null;
end $$;
alter function app.apply_credit_notes() owner to app_definer;
revoke all on function app.apply_credit_notes() from public;
drop trigger if exists apply on public.credit_notes;
drop function if exists app.apply_credit_note();
create or replace trigger apply_inserted after insert on public.credit_notes referencing new table as made
  for each statement execute function app.apply_credit_notes();

-- A number of its own is an import's; a member's is counted, so that there is no gap.
create or replace function app.guard_credit_note() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if new.credit_note_number <> '' then
    raise exception using errcode = 'TH422', constraint = 'credit_note_number_given',
      message = 'A credit note gets its number by itself.',
      hint = 'Leave credit_note_number out.';
  end if;
  return new;
end $$;
revoke all on function app.guard_credit_note() from public;
create or replace trigger guard before insert on public.credit_notes
  for each row when (current_user = 'authenticated' and app.is_within_reach(new.company_id))
  execute function app.guard_credit_note();

create or replace trigger sequence_number before insert on public.credit_notes
  for each row when (app.is_within_reach(new.company_id))
  execute function app.number_row('credit_note_number', 'credit_note', 'CN', '4', 'yearly', 'gapless');
