-- description: takes back describe_catalogues
-- author: Thorbis
-- date: 2026-11-26
-- depends: 20261126080000
-- rollback: the up file; secrets have to be given again

drop index public.price_book_items_supplier_sku_idx;
drop table app.supplier_secrets cascade;
alter table public.supplier_integrations drop column catalogue cascade;
