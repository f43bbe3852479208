-- What can never be false of contracts, whoever writes.

select app.declare_statuses('public.contracts', '{
  "draft":     {"first": true, "next": ["sent", "cancelled", "archived"]},
  "sent":      {"needs": ["content"], "next": ["viewed", "signed", "rejected", "expired", "cancelled"]},
  "viewed":    {"needs": ["content"], "next": ["signed", "rejected", "expired", "cancelled"]},
  "signed":    {"needs": ["content", "signature", "signer_name"], "next": []},
  "rejected":  {"next": ["draft", "sent", "archived"]},
  "expired":   {"next": ["draft", "sent", "archived"]},
  "cancelled": {"next": ["archived"]},
  "archived":  {"next": ["draft"]},
  "void":      {"instead": "cancelled"}
}');
create or replace trigger check_status before insert or update on public.contracts
  for each row when (app.is_within_reach(new.company_id)) execute function app.guard_status('contract');

create or replace function app.guard_contract() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if tg_op = 'DELETE' then
    -- Only with its whole company, whose keys act as the owner.
    if current_user <> 'app_owner' then
      raise exception using errcode = 'TH409', constraint = 'contract_signed', message = 'A signed contract is kept.';
    end if;
    return old;
  end if;
  if tg_op = 'UPDATE' and old.status = 'signed' then
    if (new.customer_id, new.contract_number, new.title, new.content, new.terms, new.contract_type, new.valid_from,
        new.valid_until,
        new.signer_name, new.signer_email, new.signer_title, new.signer_company, new.signature, new.signed_at, new.ip_address)
         is distinct from
       (old.customer_id, old.contract_number, old.title, old.content, old.terms, old.contract_type, old.valid_from,
        old.valid_until,
        old.signer_name, old.signer_email, old.signer_title, old.signer_company, old.signature, old.signed_at, old.ip_address)
       or new.archived_at is not null and old.archived_at is null or new.deleted_at is not null and old.deleted_at is null then
      raise exception using errcode = 'TH409', constraint = 'contract_signed',
        message = 'A signed contract is neither changed, archived nor deleted.';
    end if;
  end if;
  if tg_op = 'UPDATE' and new.status = old.status then
    return new;
  end if;
  case new.status
    when 'sent' then new.sent_at := now();
    when 'viewed' then new.viewed_at := coalesce(new.viewed_at, now());
    when 'signed' then
      if new.valid_until < now() then
        raise exception using errcode = 'TH422', constraint = 'contract_expired',
          message = 'This contract was valid until a time that is past.';
      end if;
      new.signed_at := coalesce(new.signed_at, now());
    else null;
  end case;
  if new.status = 'archived' then
    new.archived_at := coalesce(new.archived_at, now());
    new.permanent_delete_scheduled_at := coalesce(new.permanent_delete_scheduled_at, new.archived_at + interval '90 days');
  elsif tg_op = 'UPDATE' and old.status = 'archived' then
    new.archived_at := null;
    new.permanent_delete_scheduled_at := null;
  end if;
  return new;
end $$;
revoke all on function app.guard_contract() from public;
create or replace trigger guard before insert or update on public.contracts
  for each row when (app.is_within_reach(new.company_id)) execute function app.guard_contract();
create or replace trigger guard_kept before delete on public.contracts
  for each row when (old.status = 'signed') execute function app.guard_contract();

create or replace trigger sequence_number before insert on public.contracts
  for each row when (app.is_within_reach(new.company_id))
  execute function app.number_row('contract_number', 'contract', 'CON', '4', 'yearly');
