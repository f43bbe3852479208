-- A customer with the telephone number of another one is entered, and whoever enters him is warned: families and offices share numbers,
-- but most such rows are one person twice. Asked with the writer's own rights, so that nobody learns of rows that he cannot read.

create or replace function app.warn_duplicate_phone() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v_warning constant jsonb := '[{"Warning": "299 - \"customer_phone_duplicate: another customer has this telephone number\""}]';
  v_headers constant jsonb := coalesce(nullif(current_setting('response.headers', true), '')::jsonb, '[]');
begin
  if not v_headers @> v_warning
     and exists (select from public.customers c
                  where c.company_id = new.company_id and c.id <> new.id and c.deleted_at is null and c.phone = new.phone
                 union all
                 select from public.customers c
                  where c.company_id = new.company_id and c.id <> new.id and c.deleted_at is null and c.secondary_phone = new.phone) then
    perform set_config('response.headers', (v_headers || v_warning)::text, true);
  end if;
  return new;
end $$;
revoke all on function app.warn_duplicate_phone() from public;
-- Behind the trigger that gives numbers their shape.
create or replace trigger warn_inserted before insert on public.customers
  for each row when (new.phone is not null and new.deleted_at is null and current_user in ('authenticated', 'service_role'))
  execute function app.warn_duplicate_phone();
create or replace trigger warn_updated before update of phone, deleted_at on public.customers
  for each row when (new.phone is not null and new.deleted_at is null and current_user in ('authenticated', 'service_role')
                     and (new.phone is distinct from old.phone or old.deleted_at is not null))
  execute function app.warn_duplicate_phone();
