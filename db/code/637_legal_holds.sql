-- Legal holds: whose data has to stay for now.
-- Invariant: while a hold is in force nobody erases whom it names, and no deletion takes his row for good; a hold is let go of and never taken away,
-- so that one sees later what held and why.

select app.protect('public.legal_holds', 'legal_holds', p_verbs => '{read,create,update}');
revoke delete on public.legal_holds from service_role;

create or replace function app.guard_legal_hold() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if current_user not in ('authenticated', 'service_role') then
    return new;
  end if;
  if tg_op = 'INSERT' then
    new.created_by := auth.uid();
    new.created_at := now();
    new.released_at := null;
    new.released_by := null;
  elsif old.released_at is not null then
    raise exception using errcode = 'TH409', constraint = 'hold_immutable', message = 'A hold that was released is over.', hint = 'Make another hold.';
  else
    new.created_by := old.created_by;
    new.created_at := old.created_at;
    new.released_at := case when new.released_at is not null then now() end;
    new.released_by := case when new.released_at is not null then auth.uid() end;
  end if;
  if new.holds_until < current_date and new.released_at is null then
    raise exception using errcode = 'TH422', constraint = 'hold_over', message = 'The last day of a hold is today or later.',
      hint = 'Write released_at to let go of it.';
  end if;
  return new;
end $$;
revoke all on function app.guard_legal_hold() from public;
create or replace trigger guard before insert or update on public.legal_holds for each row execute function app.guard_legal_hold();

-- The hold that keeps somebody, if there is one: that of the customer keeps whoever one speaks with there.
create or replace function app.hold_of_person(p_subject text, p_company_id uuid, p_id uuid) returns public.legal_holds
  language sql stable
  set search_path = ''
as $$
  select h.* from public.legal_holds h
   where h.released_at is null and (h.holds_until is null or h.holds_until >= current_date)
     and (p_subject = 'account' and h.user_id = p_id
          or p_subject = 'customer' and h.company_id = p_company_id and h.customer_id = p_id
          or p_subject = 'contact' and h.company_id = p_company_id
             and h.customer_id = (select c.customer_id from public.customer_contacts c where c.company_id = p_company_id and c.id = p_id))
   order by h.holds_until desc nulls first limit 1
$$;
revoke all on function app.hold_of_person(text, uuid, uuid) from public;
grant execute on function app.hold_of_person(text, uuid, uuid) to app_definer, app_owner;

-- A row whose time is over stays as long as a hold is in force. With its company it goes all the same.
create or replace function app.keep_held() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  if (app.hold_of_person('customer', old.company_id, old.id)).id is not null and exists (select from public.companies c where c.id = old.company_id) then
    raise exception using errcode = 'TH409', constraint = 'person_held', message = 'The law has the data of this person stay for now.',
      hint = 'Release the hold first, when what it is for is over.';
  end if;
  return old;
end $$;
alter function app.keep_held() owner to app_definer;
revoke all on function app.keep_held() from public;
create or replace trigger keep_held before delete on public.customers
  for each row when (app.is_within_reach(old.company_id)) execute function app.keep_held();
