-- The words of a row, kept beside it: search_vector. A trigger and no generated column: those are empty before the row is
-- written, so that every rule that compares the old row with the new one would see a change; and a client that sends back what it
-- read would be refused. Invariant: the trigger is the last before the row, so that it sees the numbers and names that others
-- gave; and it runs only when one of the columns it reads is another, whoever wrote search_vector.

create or replace function app.weigh_customers() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  new.search_vector := app.weigh(
    concat_ws(' ', new.first_name, new.last_name, new.company_name),
    concat_ws(' ', new.email, new.billing_email, app.phone_words(new.phone), app.phone_words(new.secondary_phone)),
    concat_ws(' ', new.address, new.address2, new.city, new.state, new.zip_code),
    concat_ws(' ', new.notes, new.internal_notes));
  return new;
end $$;
revoke all on function app.weigh_customers() from public;
create or replace trigger weigh_words before insert on public.customers
  for each row execute function app.weigh_customers();
create or replace trigger weigh_words_again before update on public.customers
  for each row when ((old.first_name, old.last_name, old.company_name, old.email, old.billing_email, old.phone,
                      old.secondary_phone,
            old.address, old.address2, old.city, old.state, old.zip_code, old.notes, old.internal_notes, old.search_vector)
    is distinct from (new.first_name, new.last_name, new.company_name, new.email, new.billing_email, new.phone,
                      new.secondary_phone,
            new.address, new.address2, new.city, new.state, new.zip_code, new.notes, new.internal_notes, new.search_vector))
  execute function app.weigh_customers();

create or replace function app.weigh_properties() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  new.search_vector := app.weigh(
    new.name,
    null,
    concat_ws(' ', new.address, new.address2, new.city, new.state, new.zip_code),
    new.notes);
  return new;
end $$;
revoke all on function app.weigh_properties() from public;
create or replace trigger weigh_words before insert on public.properties
  for each row execute function app.weigh_properties();
create or replace trigger weigh_words_again before update on public.properties
  for each row when ((old.name, old.address, old.address2, old.city, old.state, old.zip_code, old.notes, old.search_vector)
    is distinct from (new.name, new.address, new.address2, new.city, new.state, new.zip_code, new.notes, new.search_vector))
  execute function app.weigh_properties();

create or replace function app.weigh_equipment() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  new.search_vector := app.weigh(
    concat_ws(' ', new.name, new.equipment_number, new.manufacturer, new.model),
    concat_ws(' ', new.serial_number, new.tool_serial, new.vehicle_vin, new.vehicle_license_plate),
    new.location,
    concat_ws(' ', new.notes, new.customer_notes));
  return new;
end $$;
revoke all on function app.weigh_equipment() from public;
create or replace trigger weigh_words before insert on public.equipment
  for each row execute function app.weigh_equipment();
create or replace trigger weigh_words_again before update on public.equipment
  for each row when ((old.name, old.equipment_number, old.manufacturer, old.model, old.serial_number, old.tool_serial,
                      old.vehicle_vin,
            old.vehicle_license_plate, old.location, old.notes, old.customer_notes, old.search_vector)
    is distinct from (new.name, new.equipment_number, new.manufacturer, new.model, new.serial_number, new.tool_serial,
                      new.vehicle_vin,
            new.vehicle_license_plate, new.location, new.notes, new.customer_notes, new.search_vector))
  execute function app.weigh_equipment();

create or replace function app.weigh_jobs() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  new.search_vector := app.weigh(
    concat_ws(' ', new.job_number, new.title),
    new.service_type,
    null,
    concat_ws(' ', new.description, new.notes));
  return new;
end $$;
revoke all on function app.weigh_jobs() from public;
create or replace trigger weigh_words before insert on public.jobs
  for each row execute function app.weigh_jobs();
create or replace trigger weigh_words_again before update on public.jobs
  for each row when ((old.job_number, old.title, old.service_type, old.description, old.notes, old.search_vector)
    is distinct from (new.job_number, new.title, new.service_type, new.description, new.notes, new.search_vector))
  execute function app.weigh_jobs();

create or replace function app.weigh_estimates() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  new.search_vector := app.weigh(
    concat_ws(' ', new.estimate_number, new.title),
    null,
    null,
    concat_ws(' ', new.description, new.notes));
  return new;
end $$;
revoke all on function app.weigh_estimates() from public;
create or replace trigger weigh_words before insert on public.estimates
  for each row execute function app.weigh_estimates();
create or replace trigger weigh_words_again before update on public.estimates
  for each row when ((old.estimate_number, old.title, old.description, old.notes, old.search_vector)
    is distinct from (new.estimate_number, new.title, new.description, new.notes, new.search_vector))
  execute function app.weigh_estimates();

create or replace function app.weigh_invoices() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  new.search_vector := app.weigh(
    concat_ws(' ', new.invoice_number, new.draft_number, new.title),
    null,
    null,
    concat_ws(' ', new.description, new.notes));
  return new;
end $$;
revoke all on function app.weigh_invoices() from public;
create or replace trigger weigh_words before insert on public.invoices
  for each row execute function app.weigh_invoices();
create or replace trigger weigh_words_again before update on public.invoices
  for each row when ((old.invoice_number, old.draft_number, old.title, old.description, old.notes, old.search_vector)
    is distinct from (new.invoice_number, new.draft_number, new.title, new.description, new.notes, new.search_vector))
  execute function app.weigh_invoices();

create or replace function app.weigh_contracts() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  new.search_vector := app.weigh(
    concat_ws(' ', new.contract_number, new.title),
    concat_ws(' ', new.signer_name, new.signer_email, new.signer_company),
    null,
    concat_ws(' ', new.description, new.notes));
  return new;
end $$;
revoke all on function app.weigh_contracts() from public;
create or replace trigger weigh_words before insert on public.contracts
  for each row execute function app.weigh_contracts();
create or replace trigger weigh_words_again before update on public.contracts
  for each row when ((old.contract_number, old.title, old.signer_name, old.signer_email, old.signer_company, old.description,
                      old.notes,
            old.search_vector)
    is distinct from (new.contract_number, new.title, new.signer_name, new.signer_email, new.signer_company, new.description,
                      new.notes,
            new.search_vector))
  execute function app.weigh_contracts();

create or replace function app.weigh_price_book_items() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  new.search_vector := app.weigh(
    new.name,
    concat_ws(' ', new.sku, new.supplier_sku),
    concat_ws(' ', new.category, new.subcategory),
    concat_ws(' ', new.description, new.notes));
  return new;
end $$;
revoke all on function app.weigh_price_book_items() from public;
create or replace trigger weigh_words before insert on public.price_book_items
  for each row execute function app.weigh_price_book_items();
create or replace trigger weigh_words_again before update on public.price_book_items
  for each row when ((old.name, old.sku, old.supplier_sku, old.category, old.subcategory, old.description, old.notes,
                      old.search_vector)
    is distinct from (new.name, new.sku, new.supplier_sku, new.category, new.subcategory, new.description, new.notes,
                      new.search_vector))
  execute function app.weigh_price_book_items();
