-- What can never be false of invoices and credit notes, whoever writes.

-- Moves back to sent, viewed and partial are those of refunds.
select app.declare_statuses('public.invoices', '{
  "draft":     {"first": true, "next": ["sent", "cancelled", "archived"]},
  "sent":      {"next": ["viewed", "partial", "paid", "overdue", "cancelled"]},
  "viewed":    {"next": ["partial", "paid", "overdue", "cancelled"]},
  "partial":   {"next": ["sent", "viewed", "paid", "overdue", "cancelled"]},
  "paid":      {"next": ["sent", "viewed", "partial"]},
  "overdue":   {"next": ["sent", "viewed", "partial", "paid", "cancelled"]},
  "cancelled": {"next": ["archived"]},
  "archived":  {"next": ["draft", "cancelled"]},
  "void":      {"instead": "cancelled"}
}');
create or replace trigger check_status before insert or update on public.invoices
  for each row when (app.is_within_reach(new.company_id)) execute function app.guard_status('invoice');

create or replace function app.is_issued(p_status text) returns boolean
  language sql immutable parallel safe
  return p_status in ('sent', 'viewed', 'partial', 'paid', 'overdue');
comment on function app.is_issued(text) is 'Whether an invoice of this status is owed or paid.';
revoke all on function app.is_issued(text) from public;
grant execute on function app.is_issued(text) to authenticated, service_role, app_definer;

-- What is written on an issued invoice stays.
create or replace function app.guard_issued_invoice() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if tg_op = 'DELETE' then
    -- Only with its whole company, whose keys act as the owner: retention and definer functions are refused like everybody.
    if current_user <> 'app_owner' then
      raise exception using errcode = 'TH409', constraint = 'invoice_issued',
        message = 'An issued invoice cannot be removed for good.',
        hint = 'Cancel it, or write a credit note.';
    end if;
    return old;
  end if;
  if (new.customer_id, new.invoice_number, new.draft_number, new.currency, new.tax_rate, new.discount_amount,
      new.total_amount, new.issued_at)
       is distinct from
     (old.customer_id, old.invoice_number, old.draft_number, old.currency, old.tax_rate, old.discount_amount,
      old.total_amount, old.issued_at)
     or new.line_items <> old.line_items and app.agreed_lines(new.line_items, '{}') <> app.agreed_lines(old.line_items, '{}') then
    raise exception using errcode = 'TH409', constraint = 'invoice_issued',
      message = 'The customer, lines, amounts and number of an issued invoice are fixed.',
      hint = 'Write a credit note, or cancel it.';
  end if;
  if new.deleted_at is not null and old.deleted_at is null and old.paid_amount > 0
     or new.archived_at is not null and old.archived_at is null and old.status = 'paid' then
    raise exception using errcode = 'TH409', constraint = 'invoice_paid',
      message = 'An invoice that was paid, or in part, is kept.';
  end if;
  return new;
end $$;
revoke all on function app.guard_issued_invoice() from public;
create or replace trigger guard_issued before update on public.invoices
  for each row when (old.invoice_number is not null and app.is_within_reach(new.company_id))
  execute function app.guard_issued_invoice();
create or replace trigger guard_kept before delete on public.invoices
  for each row when (old.invoice_number is not null) execute function app.guard_issued_invoice();

-- Whether a status is true of the amounts. Payments move it themselves; a hand may only say what they say.
create or replace function app.check_invoice_status(p_new public.invoices) returns void
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_fault text;
begin
  if p_new.status = 'paid' and p_new.balance_amount > 0 then
    raise exception using errcode = 'TH422', constraint = 'invoice_not_paid',
      message = format('An invoice is paid when nothing is left to pay; %s is.', p_new.balance_amount),
      hint = 'Record the payment.';
  elsif p_new.status = 'overdue' and (p_new.balance_amount = 0 or p_new.due_date is null or p_new.due_date > now()) then
    raise exception using errcode = 'TH422', constraint = 'invoice_not_overdue',
      message = 'An invoice is overdue when its due date is past and something is left to pay.';
  end if;
  v_fault := case
    when p_new.status = 'partial' and (p_new.paid_amount = 0 or p_new.balance_amount = 0) then 'a part of it is paid'
    when p_new.status in ('sent', 'viewed') and (p_new.paid_amount > 0 or p_new.balance_amount = 0 and p_new.total_amount > 0)
      then 'nothing of it is paid' end;
  if v_fault is not null then
    raise exception using errcode = 'TH422', constraint = 'invoice_status_computed',
      message = format('An invoice is %s when %s.', p_new.status, v_fault),
      hint = 'Payments and refunds move the status of an invoice.';
  end if;
  if p_new.status = 'cancelled' and p_new.paid_amount > 0 and btrim(coalesce(p_new.cancellation_reason, '')) = '' then
    raise exception using errcode = 'TH422', constraint = 'invoice_requirement_missing',
      message = 'An invoice of which a part is paid needs a reason to be cancelled.', detail = 'cancellation_reason';
  end if;
end $$;
revoke all on function app.check_invoice_status(public.invoices) from public;
grant execute on function app.check_invoice_status(public.invoices) to authenticated, service_role, app_definer;

create or replace function app.guard_invoice() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v_is_call constant boolean := current_user in ('authenticated', 'service_role');
  v_was     constant text := case when tg_op = 'UPDATE' then old.status else 'draft' end;
begin
  if v_is_call and (new.paid_amount, new.credited_amount)
       is distinct from (case when tg_op = 'UPDATE' then old.paid_amount else 0 end,
                         case when tg_op = 'UPDATE' then old.credited_amount else 0 end) then
    raise exception using errcode = 'TH422', constraint = 'invoice_figures_computed',
      message = 'What is paid of an invoice is computed.', hint = 'Record a payment, or write a credit note.';
  end if;
  if current_user = 'authenticated' and new.invoice_number is distinct from
       (case when tg_op = 'UPDATE' then old.invoice_number end)
     or new.status = 'draft' and new.invoice_number is not null then
    raise exception using errcode = 'TH422', constraint = 'invoice_number_given',
      message = 'An invoice gets its number when it is issued.', hint = 'Leave invoice_number out; draft_number is free.';
  end if;
  -- When it was paid and cancelled is when its status moved. An import brings the times of what it enters.
  if v_is_call and tg_op = 'UPDATE' then
    new.paid_at := old.paid_at;
    new.cancelled_at := old.cancelled_at;
  elsif current_user = 'authenticated' then
    new.cancelled_at := null;
  end if;
  if tg_op = 'UPDATE' and new.status = old.status then
    return new;
  end if;

  if v_was = 'draft' and app.is_issued(new.status) then
    if new.line_items = '[]' and v_is_call then
      raise exception using errcode = 'TH422', constraint = 'invoice_requirement_missing',
        message = 'An invoice needs at least one line to be issued.', detail = 'line_items';
    end if;
    if new.discount_amount > new.subtotal then
      raise exception using errcode = 'TH422', constraint = 'discount_too_large',
        message = 'The discount of an issued invoice cannot be larger than its lines.';
    end if;
    new.issued_at := coalesce(new.issued_at, now());
  end if;
  if tg_op = 'UPDATE' or v_is_call then
    perform app.check_invoice_status(new);
  end if;
  case new.status
    when 'sent' then new.sent_at := coalesce(new.sent_at, now());
    when 'viewed' then new.viewed_at := coalesce(new.viewed_at, now());
    when 'cancelled' then new.cancelled_at := coalesce(new.cancelled_at, now());
    else null;
  end case;
  new.paid_at := case when new.status = 'paid' then coalesce(new.paid_at, now()) end;
  if new.status = 'archived' then
    new.archived_at := coalesce(new.archived_at, now());
    new.permanent_delete_scheduled_at := coalesce(new.permanent_delete_scheduled_at, new.archived_at + interval '90 days');
  elsif v_was = 'archived' then
    new.archived_at := null;
    new.permanent_delete_scheduled_at := null;
  end if;
  return new;
end $$;
revoke all on function app.guard_invoice() from public;
create or replace trigger guard before insert or update on public.invoices
  for each row when (app.is_within_reach(new.company_id)) execute function app.guard_invoice();

-- A draft has a number that may leave gaps; the invoice's own is counted when it is issued, by the last trigger before the
-- row, so that whatever refuses the invoice takes no number.
create or replace trigger sequence_draft before insert on public.invoices
  for each row when (app.is_within_reach(new.company_id))
  execute function app.number_row('draft_number', 'invoice_draft', 'DRAFT', '4', 'yearly');
create or replace trigger sequence_number before insert on public.invoices
  for each row when ((app.is_issued(new.status) or new.invoice_number is not null) and app.is_within_reach(new.company_id))
  execute function app.number_row('invoice_number', 'invoice', 'INV', '4', 'yearly', 'gapless', 'draft_number');
create or replace trigger sequence_number_issued before update on public.invoices
  for each row when (app.is_issued(new.status) and new.invoice_number is null and app.is_within_reach(new.company_id))
  execute function app.number_row('invoice_number', 'invoice', 'INV', '4', 'yearly');

-- How much of an issued invoice is for which job stays, too. Whoever may write these rows need not be able to read the invoice, so
-- this asks as the definer, after the policies; and it holds the invoices, in one order, so that none is issued meanwhile.
create or replace function app.guard_invoice_jobs() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_invoice record;
begin
  for v_invoice in execute format(
    'select distinct r.company_id, r.invoice_id as id from %s r order by 1, 2',
    case tg_op when 'INSERT' then 'made' when 'DELETE' then 'gone' else '(select * from made union all select * from gone)' end)
  loop
    perform from public.invoices i where i.company_id = v_invoice.company_id and i.id = v_invoice.id for no key update;
    if exists (select from public.invoices i
                where i.company_id = v_invoice.company_id and i.id = v_invoice.id and i.invoice_number is not null) then
      raise exception using errcode = 'TH409', constraint = 'invoice_issued',
        message = 'The jobs of an issued invoice and their amounts are fixed.';
    end if;
  end loop;
  return null;
end $$;
alter function app.guard_invoice_jobs() owner to app_definer;
revoke all on function app.guard_invoice_jobs() from public;
drop trigger if exists guard_issued on public.invoice_jobs;
drop function if exists app.guard_invoice_job();
create or replace trigger guard_issued_inserted after insert on public.invoice_jobs referencing new table as made
  for each statement when (current_user in ('authenticated', 'service_role')) execute function app.guard_invoice_jobs();
create or replace trigger guard_issued_updated after update on public.invoice_jobs
  referencing new table as made old table as gone
  for each statement when (current_user in ('authenticated', 'service_role')) execute function app.guard_invoice_jobs();
create or replace trigger guard_issued_deleted after delete on public.invoice_jobs referencing old table as gone
  for each statement when (current_user in ('authenticated', 'service_role')) execute function app.guard_invoice_jobs();
