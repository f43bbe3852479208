-- Vendors and how a company buys. Their telephone numbers are shaped with all others.

create or replace trigger sequence_number before insert on public.vendors
  for each row when (app.is_within_reach(new.company_id))
    execute function app.number_row('vendor_number', 'vendor', 'VND', '4', 'yearly');

create or replace function app.guard_po_settings() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if new.approvers <> '[]' and not app.is_id_list(new.approvers) then
    raise exception using errcode = 'TH422', constraint = 'po_approvers_invalid',
      message = 'The approvers are a list of ids of members.';
  end if;
  if exists (select from jsonb_array_elements_text(new.approvers) a (user_id)
              where not exists (select from public.team_members m
                                 where m.company_id = new.company_id and m.user_id = a.user_id::uuid
                                   and m.status = 'active')) then
    raise exception using errcode = 'TH422', constraint = 'po_approvers_invalid',
      message = 'Only active members approve purchase orders.';
  end if;
  return new;
end $$;
revoke all on function app.guard_po_settings() from public;
create or replace trigger guard before insert or update of approvers on public.po_settings
  for each row when (jsonb_typeof(new.approvers) = 'array'
    and app.is_within_reach(new.company_id)) execute function app.guard_po_settings();
