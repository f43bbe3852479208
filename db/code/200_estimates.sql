-- What can never be false of estimates, whoever writes.

select app.declare_statuses('public.estimates', '{
  "draft":    {"first": true, "next": ["sent", "archived"]},
  "sent":     {"needs": ["customer_id"], "next": ["viewed", "accepted", "rejected", "expired", "draft", "archived"]},
  "viewed":   {"needs": ["customer_id"], "next": ["accepted", "rejected", "expired", "draft", "archived"]},
  "accepted": {"needs": ["customer_id"], "next": []},
  "rejected": {"next": ["draft", "sent", "archived"]},
  "expired":  {"next": ["draft", "sent", "archived"]},
  "archived": {"next": ["draft"]},
  "approved": {"instead": "accepted"},
  "declined": {"instead": "rejected"}
}');
create or replace trigger check_status before insert or update on public.estimates
  for each row when (app.is_within_reach(new.company_id)) execute function app.guard_status('estimate');

-- Lines without what is no part of the agreement: keys to other rows, which go when those go, and what the customer still
-- chooses.
create or replace function app.agreed_lines(p_lines jsonb, p_without text[]) returns jsonb
  language sql immutable parallel safe
  set search_path = ''
as $$
  select coalesce(jsonb_agg(l.value - p_without - '{price_book_item_id,job_id,estimate_line_item_id}'::text[] order by l.n), '[]')
    from jsonb_array_elements(p_lines) with ordinality l (value, n);
$$;
revoke all on function app.agreed_lines(jsonb, text[]) from public;
grant execute on function app.agreed_lines(jsonb, text[]) to authenticated, service_role, app_definer;

create or replace function app.guard_estimate() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v_open text[];
begin
  if tg_op = 'UPDATE' and old.status <> 'draft' and new.status <> 'draft' then
    -- Until he answers the customer chooses among options and optional lines.
    v_open := case when old.status in ('sent', 'viewed') then '{is_selected}' else '{}' end;
    if (new.customer_id, new.currency, new.tax_rate, new.discount_amount)
         is distinct from (old.customer_id, old.currency, old.tax_rate, old.discount_amount)
       or new.line_items <> old.line_items
          and app.agreed_lines(new.line_items, v_open) <> app.agreed_lines(old.line_items, v_open)
       -- Once he has, what it comes to stays, whatever it would be computed from.
       or old.status not in ('sent', 'viewed')
          and (new.selected_option_id, new.subtotal, new.taxable_subtotal, new.tax_amount, new.total_amount)
                is distinct from
              (old.selected_option_id, old.subtotal, old.taxable_subtotal, old.tax_amount, old.total_amount) then
      raise exception using errcode = 'TH409', constraint = 'estimate_not_draft',
        message = format('The customer, lines and amounts of an estimate that is %s are fixed.', old.status),
        hint = 'Where its status allows it, put it back to draft first.';
    end if;
  end if;
  -- Who answered, when and how; a name is taken away when a person is erased, which is no member's work.
  if tg_op = 'UPDATE' and old.status not in ('draft', 'sent', 'viewed') and current_user in ('authenticated', 'service_role')
     and (new.responded_at, new.rejection_reason, new.accepted_by_name, new.accepted_signature)
           is distinct from (old.responded_at, old.rejection_reason, old.accepted_by_name, old.accepted_signature) then
    raise exception using errcode = 'TH409', constraint = 'estimate_answered',
      message = format('What was answered to an estimate that is %s stays as it was given.', old.status),
      hint = 'Say it together with the status.';
  end if;
  if tg_op = 'UPDATE' and old.status = 'accepted' and (new.archived_at is not null and old.archived_at is null
     or new.deleted_at is not null and old.deleted_at is null) then
    raise exception using errcode = 'TH409', constraint = 'estimate_accepted',
      message = 'An accepted estimate is neither archived nor deleted.';
  end if;
  if tg_op = 'UPDATE' and new.status = old.status then
    return new;
  end if;

  if new.status in ('sent', 'viewed', 'accepted') and new.line_items = '[]' then
    raise exception using errcode = 'TH422', constraint = 'estimate_requirement_missing',
      message = format('An estimate that is %s needs at least one line.', new.status), detail = 'line_items';
  end if;
  if new.status = 'accepted' and tg_op = 'UPDATE' then
    if new.valid_until < now() then
      raise exception using errcode = 'TH422', constraint = 'estimate_expired',
        message = 'This estimate was valid until a time that is past.',
        hint = 'Put it back to draft, or give it a later valid_until.';
    end if;
    if current_user = 'authenticated' then
      perform app.demand('estimates:approve');
    end if;
  end if;
  case new.status
    when 'sent', 'draft' then
      if new.status = 'sent' then
        new.sent_at := now();
      end if;
      -- An answer to what was sent before is none to this.
      if tg_op = 'UPDATE' and old.status not in ('draft', 'sent', 'viewed') then
        new.responded_at := null;
        new.rejection_reason := null;
        new.accepted_by_name := null;
        new.accepted_signature := null;
      end if;
    when 'viewed' then new.viewed_at := coalesce(new.viewed_at, now());
    when 'accepted', 'rejected' then new.responded_at := coalesce(new.responded_at, now());
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
revoke all on function app.guard_estimate() from public;
create or replace trigger guard before insert or update on public.estimates
  for each row when (app.is_within_reach(new.company_id)) execute function app.guard_estimate();

-- What the customer is offered is fixed with its lines: of an option that is not a draft's nothing is written by hand.
create or replace function app.guard_estimate_option() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_estimate record;
begin
  -- Where the row is there already, the update that may follow is looked at.
  if tg_op = 'INSERT' and exists (select from public.estimate_options o
                                   where o.company_id = new.company_id and o.id = new.id) then
    return new;
  end if;
  for v_estimate in
    select e.status from public.estimates e
     where tg_op <> 'DELETE' and e.company_id = new.company_id and e.id = new.estimate_id
        or tg_op <> 'INSERT' and e.company_id = old.company_id and e.id = old.estimate_id
     order by e.company_id, e.id for no key update
  loop
    if v_estimate.status <> 'draft' then
      raise exception using errcode = 'TH409', constraint = 'estimate_not_draft',
        message = format('The options of an estimate that is %s are fixed.', v_estimate.status),
        hint = 'Where its status allows it, put it back to draft first.';
    end if;
  end loop;
  if tg_op = 'DELETE' then
    return old;
  end if;
  return new;
end $$;
alter function app.guard_estimate_option() owner to app_definer;
revoke all on function app.guard_estimate_option() from public;
create or replace trigger guard_first before insert on public.estimate_options
  for each row when (current_user in ('authenticated', 'service_role') and app.is_within_reach(new.company_id))
  execute function app.guard_estimate_option();
create or replace trigger guard before update on public.estimate_options
  for each row when (current_user in ('authenticated', 'service_role') and app.is_within_reach(new.company_id)
                     and new.* is distinct from old.*)
  execute function app.guard_estimate_option();
create or replace trigger guard_removal before delete on public.estimate_options
  for each row when (current_user in ('authenticated', 'service_role')) execute function app.guard_estimate_option();

create or replace trigger sequence_number before insert on public.estimates
  for each row when (app.is_within_reach(new.company_id))
  execute function app.number_row('estimate_number', 'estimate', 'EST', '4', 'yearly');
