-- description: takes back add_search_and_figures
-- author: Thorbis
-- date: 2026-11-22
-- depends: 20261122090400
-- rollback: migrate up again

-- Triggers of tables that stay call functions that need what goes.
do $$
declare
  v_trigger record;
begin
  for v_trigger in
    select t.tgname, t.tgrelid::regclass as table_name from pg_catalog.pg_trigger t
     where not t.tgisinternal and t.tgname ~ '^(weigh_words|figures_|customer_figures_)'
  loop
    execute format('drop trigger %I on %s', v_trigger.tgname, v_trigger.table_name);
  end loop;
end $$;

drop table app.month_recounts cascade;
drop table app.figure_changes cascade;
drop table app.figures cascade;
alter table public.price_book_items drop column search_vector cascade;
alter table public.contracts drop column search_vector cascade;
alter table public.invoices drop column search_vector cascade;
alter table public.estimates drop column search_vector cascade;
alter table public.jobs drop column search_vector cascade;
alter table public.equipment drop column search_vector cascade;
alter table public.properties drop column search_vector cascade;
alter table public.customers drop column search_vector cascade;
drop index public.customers_secondary_phone_key_idx;
drop index public.customers_phone_key_idx;
