-- Every column with a telephone number that people type.

create or replace trigger a_shape_phones before insert or update of phone, secondary_phone, country on public.customers
  for each row execute function app.shape_phones('phone', 'secondary_phone');
create or replace trigger a_shape_phones before insert or update of phone, support_phone, country on public.companies
  for each row execute function app.shape_phones('phone', 'support_phone');
create or replace trigger a_shape_phones before insert or update of phone, direct_inward_dial, call_forwarding_number on public.team_members
  for each row execute function app.shape_phones('phone', 'direct_inward_dial', 'call_forwarding_number');
create or replace trigger a_shape_phones before insert or update of phone, mobile_phone on public.customer_contacts
  for each row execute function app.shape_phones('phone', 'mobile_phone');
create or replace trigger a_shape_phones before insert or update of contact_phone on public.requests
  for each row execute function app.shape_phones('contact_phone');
create or replace trigger a_shape_phones before insert or update of phone, country on public.vendors
  for each row execute function app.shape_phones('phone');
create or replace trigger a_shape_phones before insert or update of vendor_phone on public.purchase_orders
  for each row execute function app.shape_phones('vendor_phone');
