-- What can never be false of a payment by itself; what it does to invoices and to the payment it gives back stands in
-- 225_settlement.sql.

-- A completed payment goes on by refunds only.
select app.declare_statuses('public.payments', '{
  "pending":            {"first": true, "next": ["processing", "completed", "cancelled"]},
  "processing":         {"first": true, "next": ["completed", "failed", "pending"]},
  "completed":          {"first": true, "next": ["partially_refunded", "refunded"]},
  "failed":             {"next": ["pending", "processing", "cancelled"]},
  "cancelled":          {"next": ["pending"]},
  "partially_refunded": {"next": ["refunded"]},
  "refunded":           {"next": []},
  "succeeded":          {"instead": "completed"},
  "void":               {"instead": "cancelled"}
}');
create or replace trigger check_status before insert or update on public.payments
  for each row when (app.is_within_reach(new.company_id)) execute function app.guard_status('payment');

create or replace function app.is_settled(p_status text) returns boolean
  language sql immutable parallel safe
  return p_status in ('completed', 'partially_refunded', 'refunded');
comment on function app.is_settled(text) is 'Whether the money of a payment of this status has moved.';
revoke all on function app.is_settled(text) from public;
grant execute on function app.is_settled(text) to authenticated, service_role, app_definer;

-- A key that was sent before means the same payment. The data API answers the first row when it reads this refusal; sent with
-- other content, or twice in one request, the key is refused. Two at once meet the unique key, and the second one is sent
-- again.
create or replace function app.refuse_repeated_payment() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_noise constant text[] := '{id,payment_number,created_by,created_at,updated_at,version,idempotency_digest}';
  v_first record;
begin
  if current_setting('role', true) = 'authenticated'
     and not app.has_permission('payments:create') and not app.has_permission('payments:create_own') then
    return new; -- Its policy refuses it, and tells nothing of other payments.
  end if;
  new.idempotency_digest := encode(sha256(convert_to((to_jsonb(new) - v_noise)::text, 'UTF8')), 'hex');
  select p.id, p.idempotency_digest into v_first
    from public.payments p where p.company_id = new.company_id and p.idempotency_key = new.idempotency_key;
  if not found then
    return new;
  end if;
  if v_first.idempotency_digest is distinct from new.idempotency_digest then
    raise exception using errcode = 'TH409', constraint = 'idempotency_key_reused',
      message = 'This idempotency_key was used for another payment.', hint = 'Take a new key for a new payment.';
  end if;
  raise exception using errcode = 'TH409', constraint = 'idempotent_repeat', message = 'This payment is there already.',
    detail = jsonb_build_object('company_id', new.company_id, 'id', v_first.id)::text;
end $$;
alter function app.refuse_repeated_payment() owner to app_definer;
revoke all on function app.refuse_repeated_payment() from public;
create or replace trigger answer_repeat before insert on public.payments
  for each row when (new.idempotency_key is not null and app.is_within_reach(new.company_id))
  execute function app.refuse_repeated_payment();

-- What a member has to be allowed beyond entering payments. A refund gives money back; a credit settles an invoice without any,
-- as a credit note does; and whoever cannot see an invoice neither pays it nor learns from the refusal what is left of it.
create or replace function app.authorize_payment(p_new public.payments, p_old jsonb) returns void
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_needed constant text := case p_new.payment_type when 'refund' then 'payments:refund' when 'credit' then 'credit_notes:create' end;
begin
  if v_needed is not null and (p_new.status, p_new.payment_type) is distinct from (p_old ->> 'status', p_old ->> 'payment_type') then
    perform app.demand(v_needed);
  end if;
  if p_new.invoice_id is not null and p_new.invoice_id is distinct from (p_old ->> 'invoice_id')::uuid
     and not exists (select from public.invoices i where i.company_id = p_new.company_id and i.id = p_new.invoice_id) then
    raise exception using errcode = 'TH422', constraint = 'payment_invoice_unknown',
      message = 'There is no such invoice among those you may read.';
  end if;
end $$;
revoke all on function app.authorize_payment(public.payments, jsonb) from public;
grant execute on function app.authorize_payment(public.payments, jsonb) to authenticated;

create or replace function app.guard_payment() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v_is_call constant boolean := current_user in ('authenticated', 'service_role');
  v_old     constant jsonb := case when tg_op = 'UPDATE' then to_jsonb(old) else '{}' end;
begin
  if tg_op = 'DELETE' then
    -- Only with its whole company, whose keys act as the owner.
    if current_user <> 'app_owner' then
      raise exception using errcode = 'TH409', constraint = 'payment_completed', message = 'A completed payment is kept.',
        hint = 'Give it back by a refund.';
    end if;
    return old;
  end if;
  if (new.payment_type = 'refund') <> (new.original_payment_id is not null)
     and (tg_op = 'INSERT' or not app.is_settled(old.status)) then
    raise exception using errcode = 'TH422', constraint = 'refund_original_missing',
      message = 'A refund, and nothing else, names the payment that it gives back as original_payment_id.';
  end if;
  if v_is_call and new.refunded_amount <> coalesce((v_old ->> 'refunded_amount')::bigint, 0)
     or new.net_amount <> new.amount - new.processor_fee and new.net_amount <> coalesce((v_old ->> 'net_amount')::bigint, 0) then
    raise exception using errcode = 'TH422', constraint = 'payment_figures_computed',
      message = 'What is refunded of a payment and what is left of it after fees is computed.';
  end if;
  new.net_amount := new.amount - new.processor_fee;
  -- The digest is of what was sent first, and nobody's to write.
  if v_is_call then
    new.idempotency_digest := case when tg_op = 'UPDATE' then old.idempotency_digest
                                   when new.idempotency_key is not null then new.idempotency_digest end;
  end if;

  if tg_op = 'UPDATE' and app.is_settled(old.status) then
    if (new.customer_id, new.invoice_id, new.original_payment_id, new.amount, new.currency, new.payment_type, new.payment_method,
        new.payment_number, new.idempotency_key, new.completed_at)
         is distinct from
       (old.customer_id, old.invoice_id, old.original_payment_id, old.amount, old.currency, old.payment_type, old.payment_method,
        old.payment_number, old.idempotency_key, old.completed_at)
       or new.deleted_at is not null and old.deleted_at is null then
      raise exception using errcode = 'TH409', constraint = 'payment_completed',
        message = 'The amount and the parties of a completed payment are fixed, and it is kept.',
        hint = 'Give it back by a refund.';
    end if;
  end if;
  if new.status = 'refunded' and new.refunded_amount < new.amount
     or new.status = 'partially_refunded' and (new.refunded_amount = 0 or new.refunded_amount = new.amount) then
    raise exception using errcode = 'TH422', constraint = 'payment_not_refunded',
      message = format('A payment is %s when refunds say so.', replace(new.status, '_', ' ')),
      hint = 'Record a payment of the type refund that names it as original_payment_id.';
  end if;
  if new.is_reconciled then
    new.reconciled_at := coalesce(new.reconciled_at, now());
    new.reconciled_by := case when coalesce((v_old ->> 'is_reconciled')::boolean, false) then new.reconciled_by
                              else coalesce(new.reconciled_by, auth.uid()) end;
  else
    new.reconciled_at := null;
    new.reconciled_by := null;
  end if;
  if app.is_settled(new.status) and new.deleted_at is not null then
    raise exception using errcode = 'TH409', constraint = 'payment_deleted', message = 'A deleted payment is not completed.',
      hint = 'Restore it first.';
  end if;
  if current_user = 'authenticated' then
    perform app.authorize_payment(new, v_old);
  end if;
  if tg_op = 'UPDATE' and new.status = old.status then
    return new;
  end if;
  if new.status = 'completed' then
    new.processed_at := coalesce(new.processed_at, now());
    new.completed_at := coalesce(new.completed_at, now());
  end if;
  return new;
end $$;
revoke all on function app.guard_payment() from public;
create or replace trigger guard before insert or update on public.payments
  for each row when (app.is_within_reach(new.company_id)) execute function app.guard_payment();
create or replace trigger guard_kept before delete on public.payments
  for each row when (app.is_settled(old.status)) execute function app.guard_payment();

create or replace trigger sequence_number before insert on public.payments
  for each row when (app.is_within_reach(new.company_id))
  execute function app.number_row('payment_number', 'payment', 'PAY', '4', 'yearly');
