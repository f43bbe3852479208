-- What belongs together: the property that a row names is the property of the customer it names.

create or replace function app.check_property_of_customer() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_customer_id uuid;
begin
  if new.property_id is null or new.customer_id is null
     or (tg_op = 'UPDATE' and (new.property_id, new.customer_id) is not distinct from (old.property_id, old.customer_id)) then
    return new;
  end if;
  -- Shared with other rows, in the way of a property that is just going to another customer.
  select p.customer_id into v_customer_id from public.properties p
   where p.company_id = new.company_id and p.id = new.property_id for share;
  if found and v_customer_id is distinct from new.customer_id then
    raise exception using errcode = 'TH422', constraint = 'property_not_of_customer',
      message = 'The property must belong to the customer.';
  end if;
  return new;
end $$;
alter function app.check_property_of_customer() owner to app_definer;
revoke all on function app.check_property_of_customer() from public;

do $$
declare
  v_table text;
begin
  foreach v_table in array array['schedules', 'equipment', 'service_plans', 'requests', 'recurrences', 'estimates', 'invoices'] loop
    execute format('create or replace trigger property_of_customer before insert or update on public.%I
                      for each row when (app.is_within_reach(new.company_id)) execute function app.check_property_of_customer()', v_table);
  end loop;
end $$;
